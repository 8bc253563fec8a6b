//! Bytes of a Lua string that a handle keeps.

use super::lock::Held;
use crate::error::Result;
use crate::handle::Handle;

/// A view of a handle's string, for as long as the handle lives and the runtime's lock is held.
pub(crate) struct Anchored<'a, T: ?Sized> {
    /// Not to be given out for longer than this lives.
    value: &'a T,
    _held: Held<'a>,
}

impl<'a> Anchored<'a, [u8]> {
    /// The bytes; none if the handle keeps no string.
    pub(crate) fn new(handle: &'a Handle) -> Result<Self> {
        let held = handle.runtime().shared().lock()?;
        let (data, length) = handle.with(|stack, index| {
            let bytes = stack.bytes(index).unwrap_or_default();
            Ok((bytes.as_ptr(), bytes.len()))
        })?;
        // SAFETY: the handle's slot keeps the string for 'a, as Lua code cannot reach the slot and only the handle's
        // drop releases it. LuaJIT neither moves nor changes strings. Closing the runtime, which frees them,
        // takes the lock and refuses (`Error::Busy`) if this thread has it: nobody can while it is held here.
        let value = unsafe { std::slice::from_raw_parts(data, length) };
        Ok(Anchored { value, _held: held })
    }
}

impl<'a, T: ?Sized> Anchored<'a, T> {
    pub(crate) fn get(&self) -> &T {
        self.value
    }

    /// Another view of the same bytes.
    pub(crate) fn try_map<U: ?Sized>(
        self,
        view: impl for<'b> FnOnce(&'b T) -> Result<&'b U>,
    ) -> Result<Anchored<'a, U>> {
        Ok(Anchored {
            value: view(self.value)?,
            _held: self._held,
        })
    }
}
