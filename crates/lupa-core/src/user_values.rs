//! Lua values that belong to an object of the host.

use crate::convert::{IntoLua, Owned};
use crate::error::Result;
use crate::pusher::{Pusher, misuse};
use crate::raw::dispatch::is_error_object;
use crate::raw::{Stack, slots};
use crate::reference::UserData;
use crate::slot::Slot;
use std::ffi::c_int;

/// Lua values that belong to an object: callbacks that it has been given, a table that it shows again and again.
///
/// A Rust value in Lua cannot keep handles, as those would keep its own runtime alive for ever. These values live in Lua
/// and as long as the object, even if they lead back to it. Methods that use them take the object as [`UserData`].
impl UserData {
    /// Keeps a value by a name, in place of what was kept by it; nil removes that.
    ///
    /// ```
    /// use lupa_core::{Function, Members, Result, Runtime, UserData, UserType};
    ///
    /// struct Button { clicks: u32 }
    ///
    /// impl UserType for Button {
    ///     const NAME: &'static str = "Button";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .function("on_click", |this: UserData, f: Function| this.set_user_value("on_click", f))
    ///             .function("click", |this: UserData| -> Result<()> {
    ///                 let clicks = this.with_mut(|button: &mut Self| { button.clicks += 1; button.clicks })?;
    ///                 match this.user_value::<Option<Function>>("on_click")? {
    ///                     Some(f) => f.call(clicks),
    ///                     None => Ok(()),
    ///                 }
    ///             });
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let button = lua.create_userdata(Button { clicks: 0 })?;
    /// lua.load("local b = ... b:click() b:on_click(function(n) last, owner = n, b end)").call::<()>(&button)?;
    /// button.call_method::<()>("click", ())?;
    /// assert_eq!(lua.globals()?.get::<u32>("last")?, 2);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// A conversion error for userdata that is no object of the host, or is an error that Lua code has caught; errors of the conversion, `Error::Closed`, `Error::Forked`,
    /// `Error::Memory`.
    pub fn set_user_value(&self, name: &str, value: impl IntoLua) -> Result<()> {
        self.0.with(|stack, object| {
            // An error of the host has a place for its own value there.
            if stack.host_name(object).is_none() || is_error_object(stack, object) {
                return Err(Slot::new(stack, object).mismatch("object of the host"));
            }
            let table = object + 1;
            if !push_values(stack, object) {
                stack.pop_to(object);
                stack.push_table(0, 2)?;
                push_owner_key(stack);
                stack.push_copy(object);
                if let Some(values) = stack.table(table) {
                    values.raw_set()?;
                }
                stack.push_copy(table);
                stack.set_environment(object);
            }
            stack.push_bytes(name.as_bytes())?;
            value.into_lua(Pusher::new(stack))?;
            if stack.top() != table + 2 {
                return Err(misuse());
            }
            stack
                .table(table)
                .map_or(Ok(()), |values| values.raw_set())?;
            stack.check_memory()
        })
    }

    /// The value that is kept by a name; nil if there is none, so ask for an `Option` if it may be missing.
    ///
    /// # Errors
    /// Errors of the conversion, `Error::Closed`, `Error::Forked`.
    pub fn user_value<T: Owned>(&self, name: &str) -> Result<T> {
        self.0.with(|stack, object| {
            if !push_values(stack, object) {
                return T::from_lua(Slot::new(stack, Slot::NONE));
            }
            stack.push_bytes(name.as_bytes())?;
            if let Some(values) = stack.table(object + 1) {
                values.raw_get();
            }
            T::from_lua(Slot::new(stack, object + 2))
        })
    }
}

/// Pushes the table of an object's values, or something else if it has none.
fn push_values(stack: Stack<'_>, object: c_int) -> bool {
    stack.push_environment(object);
    let table = object + 1;
    let Some(values) = stack.table(table) else {
        return false;
    };
    push_owner_key(stack);
    values.raw_get();
    let is_own = stack.raw_equal(object, table + 1);
    stack.pop_to(table);
    is_own
}

/// Pushes the key by which the table of an object's values has the object itself. That tells it from the tables that other userdata
/// have for an environment, the globals at first; so it must be one that Lua code cannot get.
fn push_owner_key(stack: Stack<'_>) {
    stack.push_slot(slots::IDENTITY);
}
