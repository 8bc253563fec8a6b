//! 64-bit integers of the FFI library.

use super::stack::Stack;
use super::sys;
use crate::error::Result;

impl Stack<'_> {
    /// The value of an `int64_t` or `uint64_t`; `None` for all others.
    pub(crate) fn cdata_integer(self, index: std::ffi::c_int) -> Option<i128> {
        let mut bits = 0;
        // SAFETY: live and locked; a positive index, beyond the top too; nothing is allocated.
        match unsafe { sys::lupa_to_int64(self.l, index, &mut bits) } {
            1 => Some(i128::from(bits as i64)),
            2 => Some(i128::from(bits)),
            _ => None,
        }
    }

    /// Whether 64-bit integers can be pushed: opens the FFI library if the runtime has it and no code has
    /// opened it yet. Takes four slots, and leaves none.
    pub(crate) fn ready_for_int64(self) -> Result<bool> {
        if !self.shared.has_ffi.get() {
            return Ok(false);
        }
        if !self.has_ctypes() {
            let top = self.top();
            self.reserve(4)?;
            let call = self.begin_protected(sys::lupa_p_open_ffi);
            self.call(call, 0)?;
            self.pop_to(top);
        }
        Ok(true)
    }

    /// Pushes an `int64_t` or, `unsigned`, a `uint64_t`, once [`Stack::ready_for_int64`] holds.
    pub(crate) fn push_int64(self, bits: u64, unsigned: bool) {
        debug_assert!(self.has_ctypes());
        // SAFETY: live and locked; a slot is reserved; the FFI library is open. It allocates a few bytes, which
        // cannot raise while the limit is not enforced.
        unsafe { sys::lupa_push_int64(self.l, bits, unsigned.into()) }
    }
}
