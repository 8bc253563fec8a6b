//! Coroutines: creation, status, resumption.

use super::stack::{Kind, Stack};
use super::sys;
use crate::error::{Error, Result};
use std::ffi::c_int;

/// Where a coroutine stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoroutineStatus {
    /// Not started yet.
    New,
    /// Waiting in a yield.
    Suspended,
    /// Running, or waiting for a coroutine that it resumed.
    Running,
    /// Ended, by its last return or by an error.
    Dead,
}

impl<'s> Stack<'s> {
    fn thread(self, index: c_int) -> Result<*mut sys::lua_State> {
        // SAFETY: live and locked; gives null for what is no coroutine.
        let thread = unsafe { sys::lua_tothread(self.l, index) };
        if thread.is_null() {
            return Err(Error::conversion(self.kind(index).name(), "coroutine", ""));
        }
        Ok(thread)
    }

    /// Pushes a new coroutine of the function in a slot.
    pub(crate) fn push_coroutine(self, function: c_int) {
        // SAFETY: live and locked; two slots are reserved. A new coroutine has room for
        // more than the one value that is moved to it.
        unsafe {
            let thread = sys::lua_newthread(self.l);
            sys::lua_pushvalue(self.l, function);
            sys::lua_xmove(self.l, thread, 1);
        }
    }

    /// Where the coroutine in a slot stands.
    pub(crate) fn coroutine_status(self, index: c_int) -> Result<CoroutineStatus> {
        let thread = self.thread(index)?;
        if thread == self.l {
            return Ok(CoroutineStatus::Running);
        }
        // SAFETY: the coroutine is in a slot, so it is alive; these calls only read.
        // `lua_getstack` fills in a part of `frame` that nothing here looks at.
        unsafe {
            let mut frame = std::mem::MaybeUninit::<sys::lua_Debug>::uninit();
            Ok(match sys::lua_status(thread) {
                sys::LUA_YIELD => CoroutineStatus::Suspended,
                sys::LUA_OK if sys::lua_getstack(thread, 0, frame.as_mut_ptr()) > 0 => {
                    CoroutineStatus::Running
                }
                sys::LUA_OK if sys::lua_gettop(thread) > 0 => CoroutineStatus::New,
                _ => CoroutineStatus::Dead,
            })
        }
    }

    /// Whether an error has ended the coroutine in a slot.
    pub(crate) fn coroutine_failed(self, index: c_int) -> Result<bool> {
        let thread = self.thread(index)?;
        // SAFETY: the coroutine is in a slot, so it is alive.
        let status = unsafe { sys::lua_status(thread) };
        Ok(!matches!(status, sys::LUA_OK | sys::LUA_YIELD))
    }

    /// Pushes the function of a coroutine that has not been started; `false`, and nothing
    /// pushed, for another.
    pub(crate) fn push_coroutine_function(self, index: c_int) -> Result<bool> {
        let thread = self.thread(index)?;
        if self.coroutine_status(index)? != CoroutineStatus::New {
            return Ok(false);
        }
        // SAFETY: the new coroutine holds its function at slot 1 and has room for a copy,
        // which moves to a slot that the frame has reserved.
        unsafe {
            if sys::lua_gettop(thread) != 1 || sys::lua_checkstack(thread, 2) == 0 {
                return Ok(false);
            }
            sys::lua_pushvalue(thread, 1);
            sys::lua_xmove(thread, self.l, 1);
        }
        Ok(self.kind(self.top()) == Kind::Function)
    }

    /// Resumes a coroutine with the values above `arguments`, which are popped; pushes
    /// what it yields or returns there.
    pub(crate) fn resume(self, index: c_int, arguments: c_int) -> Result<()> {
        let thread = self.thread(index)?;
        match self.coroutine_status(index)? {
            CoroutineStatus::Dead => return Err(Error::CoroutineUnresumable("dead")),
            CoroutineStatus::Running => return Err(Error::CoroutineUnresumable("non-suspended")),
            CoroutineStatus::New | CoroutineStatus::Suspended => {}
        }
        let count = self.top() - arguments;
        // SAFETY: the coroutine is alive and waits; lua_checkstack catches its own errors.
        if unsafe { sys::lua_checkstack(thread, count.saturating_add(2)) } == 0 {
            return Err(Error::StackOverflow(count as usize));
        }
        let status = self.shared.run(self.l, || {
            // SAFETY: alive, and the room was made; lua_resume catches the errors of the coroutine.
            // The arguments move only now, when nothing can fail before they are used.
            unsafe {
                sys::lua_xmove(self.l, thread, count);
                sys::lua_resume(thread, count)
            }
        })?;
        if self.shared.stop.is_pending() && self.shared.take_stop(self) {
            return Err(self.error_on_top(sys::LUA_ERRRUN, || self.coroutine_traceback(thread)));
        }
        if status != sys::LUA_OK && status != sys::LUA_YIELD {
            // SAFETY: the error is on top of the dead coroutine's stack; the frame has room.
            unsafe { sys::lua_xmove(thread, self.l, 1) };
            return Err(self.error_on_top(status, || self.coroutine_traceback(thread)));
        }
        // SAFETY: alive; the results are all that is in the coroutine's frame.
        let results = unsafe { sys::lua_gettop(thread) };
        if let Err(error) = self.reserve(results as usize + 2) {
            // SAFETY: as above: drop the results that have no room here.
            unsafe { sys::lua_settop(thread, 0) };
            return Err(error);
        }
        // SAFETY: as above; the room was reserved.
        unsafe { sys::lua_xmove(thread, self.l, results) };
        Ok(())
    }

    fn coroutine_traceback(self, thread: *mut sys::lua_State) -> Vec<u8> {
        // SAFETY: both are alive; the text goes to a slot of this frame. Without the limit
        // enforced this does not raise.
        unsafe { sys::luaL_traceback(self.l, thread, std::ptr::null(), 0) };
        self.bytes(self.top())
            .map(<[u8]>::to_vec)
            .unwrap_or_default()
    }
}
