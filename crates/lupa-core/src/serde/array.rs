//! The metatable that tells sequences from maps.

use crate::convert::IntoLua;
use crate::error::Result;
use crate::handle::Handle;
use crate::light_userdata::LightUserData;
use crate::pusher::Pusher;
use crate::raw::Stack;
use crate::raw::slots::SlotKey;
use crate::runtime::Runtime;
use crate::slot::Slot;
use crate::table::Table;
use std::any::{Any, TypeId};
use std::ffi::c_int;
use std::sync::Arc;

/// Where a runtime keeps its metatable.
struct ArrayMetatable(SlotKey);

/// The key of the metatable, if the runtime has made it.
fn key(stack: Stack<'_>) -> Option<SlotKey> {
    let types = stack.shared().kept().user_types.borrow();
    let known = types.get(&TypeId::of::<ArrayMetatable>())?;
    Some(known.downcast_ref::<ArrayMetatable>()?.0)
}

/// Pushes the metatable, made at first need. Needs some slots.
pub(super) fn push(stack: Stack<'_>) -> Result<()> {
    if let Some(key) = key(stack) {
        stack.push_slot(key);
        return Ok(());
    }
    // Lua code gets this text from `getmetatable`, and cannot set another metatable.
    Pusher::new(stack).new_table(0, 1, |table| table.set("__metatable", "array"))?;
    let kept: Arc<dyn Any + Send + Sync> = Arc::new(ArrayMetatable(stack.anchor(stack.top())?));
    let mut types = stack.shared().kept().user_types.borrow_mut();
    types.insert(TypeId::of::<ArrayMetatable>(), kept);
    Ok(())
}

/// Whether the table in a slot has the metatable.
pub(super) fn is_array(stack: Stack<'_>, index: c_int) -> bool {
    let top = stack.top();
    let Some(key) = key(stack) else {
        return false;
    };
    let mut found = false;
    if stack.push_metatable(index) {
        stack.push_slot(key);
        found = stack.raw_equal(top + 1, top + 2);
    }
    stack.pop_to(top);
    found
}

impl Runtime {
    /// The metatable by which a table is known as a sequence even if it is empty. Conversions with
    /// [`SerdeOptions::array_metatable`](crate::serde::SerdeOptions::array_metatable) set it; Lua code
    /// can do so with a function that the host gives it. There `getmetatable` says `"array"` of such tables.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let array = lua.array_metatable()?;
    /// let mark = lua.create_function(move |call| {
    ///     let table: lupa_core::Table = call.get(0)?;
    ///     table.set_metatable(Some(&array))?;
    ///     call.push(table)
    /// })?;
    /// lua.globals()?.set("array", mark)?;
    /// let table: lupa_core::Table = lua.load("return { none = {}, items = array {} }").eval()?;
    /// let options = lupa_core::serde::SerdeOptions::new().sort_keys(true);
    /// let json = serde_json::to_string(&options.serializable(&table)).unwrap();
    /// assert_eq!(json, r#"{"items":[],"none":{}}"#);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn array_metatable(&self) -> Result<Table> {
        self.shared().enter(|stack| {
            push(stack)?;
            Handle::new(stack, stack.top()).map(Table)
        })
    }
}

/// Lua's stand-in for "nothing" where nil cannot be: [`LightUserData::NULL`], the same
/// as `cjson.null` and `ngx.null`. Lua code takes it for true.
///
/// ```
/// use lupa_core::{Runtime, serde::Null};
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("null", Null)?;
/// let row = lua.load("return { 1, null, 3 }").eval::<lupa_core::Value>()?;
/// assert_eq!(lua.deserialize::<Vec<Option<i32>>>(row)?, [Some(1), None, Some(3)]);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Null;

impl IntoLua for Null {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        LightUserData::NULL.into_lua(to)
    }
}

/// Whether a slot holds [`Null`].
pub(super) fn is_null(slot: Slot<'_>) -> bool {
    slot.kind() == crate::raw::Kind::LightUserData && slot.block().is_null()
}
