//! Coroutines.

use crate::call::{Arguments, Around, Directly, Results};
use crate::convert::{FromLuaMulti, IntoLuaMulti};
use crate::error::Result;
use crate::function::Function;
use crate::handle::Handle;
use crate::raw::coroutine::CoroutineStatus;

/// A coroutine.
#[derive(Debug, Clone)]
pub struct Coroutine(pub(crate) Handle);

impl Coroutine {
    /// Where it stands.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn status(&self) -> Result<CoroutineStatus> {
        self.0.status()
    }

    /// Starts or continues it; gives what it yields or returns.
    ///
    /// # Errors
    /// `Error::CoroutineUnresumable` if it is running or has ended, whatever it raises, and errors
    /// of the conversions.
    pub fn resume<R>(&self, arguments: impl IntoLuaMulti) -> Result<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.resume_with(
            |to| arguments.push_all(to),
            Directly,
            |results| R::from_results(results),
        )
    }

    /// As [`Coroutine::resume`], in the three phases of [`Function::call_with`].
    ///
    /// # Errors
    /// As [`Coroutine::resume`].
    pub fn resume_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.resume_with(push, around, read)
    }

    /// The function of a coroutine that has not been started.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn function(&self) -> Result<Option<Function>> {
        self.0.with(|stack, index| {
            if !stack.push_coroutine_function(index)? {
                return Ok(None);
            }
            Handle::new(stack, index + 1).map(|handle| Some(Function(handle)))
        })
    }
}
