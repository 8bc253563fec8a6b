//! Light userdata: pointers as Lua values.

use super::stack::Stack;
use super::sys;
use crate::error::{Error, Result};
use std::ffi::c_void;

impl Stack<'_> {
    /// Pushes a pointer. LuaJIT keeps 39 bits of it in the value and the rest in a list of at most some 250 different ones,
    /// which takes memory and raises when it is full: hence the protected call. Takes four slots, leaves one.
    pub(crate) fn push_pointer(self, pointer: *const c_void) -> Result<()> {
        let mut chunk = sys::LupaChunk {
            piece: [pointer.cast(), std::ptr::null()],
            length: [0, 0],
            next: 0,
            name: std::ptr::null(),
            mode: std::ptr::null(),
            status: 0,
        };
        self.reserve(4)?;
        let call = self.begin_call();
        self.push_protected(sys::lupa_p_pointer);
        // SAFETY: the chunk is used during the call below only, after which the former one, of a load
        // that this one interrupts, is put back.
        let result = unsafe {
            let outer = sys::lupa_set_chunk(&mut chunk);
            let result = self.call(call, 1);
            sys::lupa_set_chunk(outer);
            result
        };
        match result {
            // SAFETY: live and locked; the handler lies below the pointer.
            Ok(()) => unsafe { sys::lua_remove(self.l, call.first() - 1) },
            Err(Error::Memory) => return Err(Error::Memory),
            Err(error) => {
                let message = format!("{pointer:p} has too many neighbours far away: {error}");
                return Err(Error::conversion("pointer", "light userdata", message));
            }
        }
        Ok(())
    }
}
