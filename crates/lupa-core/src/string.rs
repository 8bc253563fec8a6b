//! Lua strings.

use crate::error::Result;
use crate::handle::Handle;

/// A Lua string that is kept in Lua.
#[derive(Debug, Clone)]
pub struct LuaString(pub(crate) Handle);

impl LuaString {
    /// Runs `f` on the bytes, without a copy.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.0
            .with(|stack, index| Ok(f(stack.bytes(index).unwrap_or_default())))
    }

    /// A copy of the bytes.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        self.with_bytes(<[u8]>::to_vec)
    }
}
