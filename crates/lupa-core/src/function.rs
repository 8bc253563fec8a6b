//! Lua functions.

use crate::call::{Arguments, Around, Directly, Results};
use crate::convert::{FromLuaMulti, IntoLuaMulti};
use crate::coroutine::Coroutine;
use crate::error::Result;
use crate::handle::Handle;

/// A function, of Lua, of C or of the host.
#[derive(Debug, Clone)]
pub struct Function(pub(crate) Handle);

impl Function {
    /// Calls the function.
    ///
    /// # Errors
    /// Whatever the function raises, and errors of the conversions.
    #[inline]
    pub fn call<R>(&self, arguments: impl IntoLuaMulti) -> Result<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.call_with(
            |to| arguments.push_all(to),
            Directly,
            |results| R::from_results(results),
        )
    }

    /// Calls the function in three phases: `push` pushes the arguments, Lua runs inside
    /// `around`, `read` reads the results. An embedder can so keep its lock for the first and last.
    ///
    /// # Errors
    /// As [`Function::call`].
    #[inline]
    pub fn call_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.call_with(push, around, read)
    }

    /// Makes a coroutine that will run the function.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn coroutine(&self) -> Result<Coroutine> {
        self.0.with(|stack, index| {
            stack.push_coroutine(index);
            Handle::new(stack, index + 1).map(Coroutine)
        })
    }

    /// Whether it is a C function: one of LuaJIT's, of a binary module, or of the host.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn is_c(&self) -> Result<bool> {
        self.0.with(|stack, index| Ok(stack.is_c_function(index)))
    }

    /// The bytecode of a Lua function, as `string.dump` gives it.
    ///
    /// # Errors
    /// A runtime error for C functions.
    pub fn dump(&self) -> Result<Vec<u8>> {
        self.0.with(|stack, index| stack.dump(index))
    }
}
