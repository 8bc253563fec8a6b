//! Light userdata: pointers as Lua values.

use super::stack::Stack;
use super::sys;
use crate::error::{Error, Result};
use std::ffi::c_void;

impl Stack<'_> {
    /// Pushes a pointer. LuaJIT keeps 39 bits of it in the value and the rest in a list of at most some 250 different ones,
    /// which takes memory and raises when it is full: hence the protected call. Takes four slots, leaves one.
    pub(crate) fn push_pointer(self, pointer: *const c_void) -> Result<()> {
        let pushed = self.push_by(sys::lupa_p_pointer, pointer.cast(), 0);
        pushed.map_err(|error| match error {
            Error::Memory => Error::Memory,
            error => {
                let message = format!("{pointer:p} has too many neighbours far away: {error}");
                Error::conversion("pointer", "light userdata", message)
            }
        })
    }
}
