//! Lua values that the host keeps by name.

use crate::convert::{IntoLua, Owned};
use crate::error::Result;
use crate::pusher::{Pusher, misuse};
use crate::raw::Stack;
use crate::runtime::Runtime;
use crate::slot::Slot;

/// Named values: Lua values that belong to the runtime and not to Lua code, which cannot reach them, not even with
/// the debug library.
///
/// A handle ([`Table`](crate::Table), [`Function`](crate::Function), …) keeps its value and the runtime alive, as long as
/// it lives. That makes a cycle where the runtime owns the handle, for instance in the closure of a
/// host function: the runtime would never be freed. A named value lives as long as the runtime and keeps nothing but
/// itself: a host function can ask for it by [`Call::runtime`](crate::Call::runtime). For Rust values there is
/// [`Runtime::set_app_data`].
///
/// ```
/// use lupa_core::{Function, Runtime};
///
/// let lua = Runtime::new()?;
/// lua.set_named("on_event", lua.load("return 'got ' .. ...").into_function()?)?;
/// let emit = lua.create_function(|call| {
///     let handler: Function = call.runtime().named("on_event")?;
///     let answer: String = handler.call(call.arg(0))?;
///     call.push(answer)
/// })?;
/// assert_eq!(emit.call::<String>("a key")?, "got a key");
/// # Ok::<(), lupa_core::Error>(())
/// ```
impl Runtime {
    /// Keeps a value by a name, in place of what was kept by it; nil removes that.
    ///
    /// Each named value counts as one of [`Runtime::handles`].
    ///
    /// # Errors
    /// Errors of the conversion, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn set_named(&self, name: &str, value: impl IntoLua) -> Result<()> {
        self.shared().enter_at(|stack, top| {
            value.into_lua(Pusher::new(stack))?;
            if stack.top() != top + 1 {
                return Err(misuse());
            }
            if Slot::new(stack, top + 1).is_nil() {
                return remove(stack, name);
            }
            let named = &stack.shared().kept().named;
            let known = named.borrow().get(name).copied();
            match known {
                Some(key) => stack.store(top + 1, key),
                None => {
                    let key = stack.anchor(top + 1)?;
                    named.borrow_mut().insert(name.into(), key);
                }
            }
            stack.check_memory()
        })
    }

    /// The value that is kept by a name; nil if there is none, so ask for an `Option` if it may be missing.
    ///
    /// # Errors
    /// Errors of the conversion, `Error::Closed`, `Error::Forked`.
    pub fn named<T: Owned>(&self, name: &str) -> Result<T> {
        self.shared().enter_at(|stack, top| {
            let key = stack.shared().kept().named.borrow().get(name).copied();
            match key {
                Some(key) => stack.push_slot(key),
                None => stack.push_nil(),
            }
            T::from_lua(Slot::new(stack, top + 1))
        })
    }
}

fn remove(stack: Stack<'_>, name: &str) -> Result<()> {
    let key = stack.shared().kept().named.borrow_mut().remove(name);
    if let Some(key) = key {
        stack.shared().release_slot(key);
    }
    Ok(())
}
