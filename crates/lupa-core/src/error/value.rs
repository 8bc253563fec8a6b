//! Errors as Lua values.

use super::{Error, Result, RuntimeError};
use crate::convert::{FromLua, IntoLua};
use crate::pusher::Pusher;
use crate::raw::dispatch;
use crate::runtime::Runtime;
use crate::slot::Slot;
use std::sync::Arc;

/// What `pcall` gives for the error: an error of the host is a userdata whose `tostring` is its text, an error of Lua code the
/// value that was raised, all others are their text. So errors are told to callbacks and given beside nil.
///
/// ```
/// use lupa_core::{Error, Function, Runtime};
///
/// let lua = Runtime::new()?;
/// let done: Function = lua
///     .load("return function(size, problem) return size or tostring(problem) end")
///     .eval()?;
/// let read = |path: &str| std::fs::metadata(path).map(|file| file.len()).map_err(Error::from);
/// let text: String = match read("no/such.file") {
///     Ok(size) => done.call(size.to_string())?,
///     Err(error) => done.call((None::<u64>, error))?,
/// };
/// assert!(text.contains("os error"));
/// # Ok::<(), Error>(())
/// ```
impl IntoLua for Error {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        dispatch::push_error(to.stack(), self);
        Ok(())
    }
}

/// The error that a value stands for: of the host, if it is one, else of Lua code, with what `tostring` gives as its message. Nil
/// stands for none: ask for an `Option`, or for the [`Result`] of a function that gives nil and an error.
///
/// ```
/// use lupa_core::{Error, Function, Result, Runtime};
///
/// let lua = Runtime::new()?;
/// let open: Function = lua.load("return io.open").eval()?;
/// let file = open.call::<Result<lupa_core::UserData>>("no/such.file")?;
/// assert!(file.unwrap_err().text().starts_with("no/such.file: "));
///
/// lua.globals()?.set("parse", lua.function(|text: &str| Ok(text.parse::<f64>()?))?)?;
/// let (_, error): (bool, Error) = lua.load("return pcall(parse, 'x')").eval()?;
/// assert!(error.downcast_ref::<std::num::ParseFloatError>().is_some());
/// # Ok::<(), Error>(())
/// ```
impl<'s> FromLua<'s> for Error {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        let (stack, index) = (slot.stack(), slot.index());
        if slot.is_nil() {
            return Err(slot.mismatch("error"));
        }
        if let Some(error) = dispatch::external_error(stack, index) {
            return Ok(error);
        }
        let error = match slot.bytes() {
            Some(bytes) => RuntimeError {
                cause: stack.shared().raised_as(bytes),
                ..RuntimeError::new(bytes)
            },
            None => {
                let value = slot.to_value()?;
                let runtime = Runtime::borrowed(stack.shared());
                let message = value.to_lua_string(&runtime)?;
                RuntimeError {
                    value: Some(value),
                    ..RuntimeError::new(message)
                }
            }
        };
        Ok(Error::Runtime(Arc::new(error)))
    }
}
