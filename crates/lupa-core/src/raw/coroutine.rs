//! Coroutines: creation, status, resumption, errors thrown into them.

use super::stack::Stack;
use super::sys::{self, inline, inline::TValue};
use crate::error::{Error, Result};
use crate::host::{Call, HostObject, Operation};
use std::ffi::c_int;

/// Where a coroutine stands.
///
/// ```
/// use lupa_core::{CoroutineStatus, Runtime};
///
/// let lua = Runtime::new()?;
/// let task = lua.load("local bad = coroutine.yield() if bad then error('bad') end").into_function()?;
/// let (one, other) = (task.coroutine()?, task.coroutine()?);
/// assert_eq!(one.status()?, CoroutineStatus::New);
/// one.resume::<()>(())?;
/// other.resume::<()>(())?;
/// assert_eq!(one.status()?, CoroutineStatus::Suspended);
/// assert!(one.resume::<()>(false).is_ok() && other.resume::<()>(true).is_err());
/// assert_eq!((one.status()?, other.status()?), (CoroutineStatus::Dead, CoroutineStatus::Failed));
/// assert!(one.status()?.has_ended() && other.status()?.has_ended());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CoroutineStatus {
    /// Not started yet.
    New,
    /// Waiting in a yield.
    Suspended,
    /// Running, or waiting for a coroutine that it resumed.
    Running,
    /// Ended by its last return, or closed.
    Dead,
    /// Ended by an error. Lua calls this `dead`, too.
    Failed,
}

impl CoroutineStatus {
    /// Whether it has ended, one way or the other.
    pub fn has_ended(self) -> bool {
        matches!(self, CoroutineStatus::Dead | CoroutineStatus::Failed)
    }
}

/// What raises an error in a coroutine, with the value and whether Lua code may catch it as arguments.
pub(super) struct Raise;

impl HostObject for Raise {
    const NAME: &'static str = "function";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        let value = call.arg(0);
        Err(if call.arg(1).truthy() {
            call.raise(value)
        } else {
            call.raise_uncatchable(value)
        })
    }
}

/// `lua_xmove`, quicker for a value or none.
///
/// # Safety
/// Both are states of one runtime, whose lock this thread has; one has the values, the other the room.
#[inline]
unsafe fn move_values(from: *mut sys::lua_State, to: *mut sys::lua_State, count: c_int) {
    // SAFETY: by the caller.
    unsafe {
        match count {
            0 => {}
            1 => {
                inline::push(to, inline::last(from));
                inline::pop(from);
            }
            _ => sys::lua_xmove(from, to, count),
        }
    }
}

impl<'s> Stack<'s> {
    #[inline]
    pub(super) fn thread(self, index: c_int) -> Result<*mut sys::lua_State> {
        self.value(index)
            .and_then(TValue::thread)
            .ok_or_else(|| Error::conversion(self.kind(index).name(), "coroutine", ""))
    }

    /// Pushes the coroutine that runs; `false` for the main one.
    pub(crate) fn push_current(self) -> bool {
        // SAFETY: live and locked; a slot is reserved.
        unsafe { sys::lua_pushthread(self.l) == 0 }
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
        Ok(self.status_of(self.thread(index)?))
    }

    fn status_of(self, thread: *mut sys::lua_State) -> CoroutineStatus {
        // SAFETY: callers have the coroutine in a slot, so it is alive; this only reads.
        match unsafe { sys::lupa_coroutine_status(self.l, thread) } {
            sys::LUPA_CO_NEW => CoroutineStatus::New,
            sys::LUPA_CO_SUSPENDED => CoroutineStatus::Suspended,
            sys::LUPA_CO_RUNNING => CoroutineStatus::Running,
            sys::LUPA_CO_DEAD => CoroutineStatus::Dead,
            _ => CoroutineStatus::Failed,
        }
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
            if sys::lua_type(thread, 1) != sys::LUA_TFUNCTION {
                return Ok(false);
            }
            sys::lua_pushvalue(thread, 1);
            sys::lua_xmove(thread, self.l, 1);
        }
        Ok(true)
    }

    /// Resumes a coroutine with the values above `arguments`, which are popped; pushes
    /// what it yields or returns there. Gives whether it yielded.
    pub(crate) fn resume(self, index: c_int, arguments: c_int) -> Result<bool> {
        let thread = self.thread(index)?;
        self.go_on(thread, arguments, None)
    }

    /// Raises the value on top of the stack, which is popped, in a coroutine at the yield that it waits in,
    /// and goes on as [`Stack::resume`] does. A coroutine that does not wait in a yield
    /// ends, if it has not yet, and the error is that of this call.
    pub(crate) fn throw(self, index: c_int, catchable: bool) -> Result<bool> {
        let thread = self.thread(index)?;
        match self.status_of(thread) {
            CoroutineStatus::Suspended => {}
            CoroutineStatus::Running => {
                return Err(Error::CoroutineUnresumable(CoroutineStatus::Running));
            }
            CoroutineStatus::New | CoroutineStatus::Dead | CoroutineStatus::Failed => {
                let error = self.error_on_top(sys::LUA_ERRRUN, Vec::new);
                self.close_coroutine(index)?;
                return Err(error);
            }
        }
        let value = self.top();
        let thrower = self.push_thrower()?;
        let arguments = self.top();
        self.push_copy(value);
        self.push_boolean(catchable);
        let yielded = self.go_on(thread, arguments, Some(thrower))?;
        // The results are where those of `resume` are: above the coroutine.
        for _ in value..=arguments {
            // SAFETY: live and locked; the slot exists.
            unsafe { sys::lua_remove(self.l, value) };
        }
        Ok(yielded)
    }

    /// Pushes a coroutine of the function that raises errors in coroutines, which waits for one.
    fn push_thrower(self) -> Result<*mut sys::lua_State> {
        self.push_thrower_function()?;
        self.push_coroutine(self.top());
        let index = self.top();
        if !self.resume(index, index)? {
            // The debug library can find the function in a hook, and change it.
            return Err(Error::message("no error can be thrown any more"));
        }
        self.pop_to(index);
        self.thread(index)
    }

    /// Ends a coroutine that does not run, and lets go of what an error has left on its stack.
    pub(crate) fn close_coroutine(self, index: c_int) -> Result<()> {
        let thread = self.thread(index)?;
        match self.status_of(thread) {
            CoroutineStatus::Running => Err(Error::message("cannot close a running coroutine")),
            _ => {
                // SAFETY: alive, and it does not run.
                unsafe { sys::lupa_end_coroutine(thread) };
                Ok(())
            }
        }
    }

    /// Runs a coroutine that waits until it yields or ends. The frames of `graft`, which waits as well, are
    /// put in place of its yield before that.
    fn go_on(
        self,
        thread: *mut sys::lua_State,
        arguments: c_int,
        graft: Option<*mut sys::lua_State>,
    ) -> Result<bool> {
        /// Results for which the frame has room from its start, beside what callers use.
        const SPARE: c_int = 4;
        /// No status of Lua's: nothing was run.
        const NO_ROOM: c_int = -1;
        // All is looked at only now: this may collect, which shrinks stacks and runs finalizers, and these may have
        // resumed the coroutine.
        let record = self.shared.ready_to_run(self.l)?;
        // SAFETY: the coroutine is alive. One that runs does not wait in a yield.
        let waits_in_yield = unsafe { inline::status(thread) == sys::LUA_YIELD };
        if !waits_in_yield {
            match self.status_of(thread) {
                CoroutineStatus::New | CoroutineStatus::Suspended => {}
                status => return Err(Error::CoroutineUnresumable(status)),
            }
        }
        let count = self.top() - arguments;
        // SAFETY: the coroutine is alive and waits; the functions catch their own errors.
        let has_room = unsafe {
            inline::has_room(thread, count as usize + 2)
                || sys::lupa_make_room(thread, count.saturating_add(2)) != 0
        };
        if !has_room {
            return Err(Error::StackOverflow(count as usize));
        }
        let status = self.shared.run_unchecked(record, self.l, || {
            // SAFETY: alive, and the room was made; lua_resume catches the errors of the coroutine.
            // The graft and the arguments move only now, when nothing can fail before they are used.
            unsafe {
                if graft.is_some_and(|graft| sys::lupa_graft_frames(thread, graft) == 0) {
                    return NO_ROOM;
                }
                move_values(self.l, thread, count);
                if waits_in_yield {
                    inline::resume(thread, count)
                } else {
                    sys::lua_resume(thread, count)
                }
            }
        });
        if self.shared.stop.is_pending() && self.shared.take_stop(self) {
            return Err(self.error_on_top(sys::LUA_ERRRUN, || self.coroutine_traceback(thread)));
        }
        if status == NO_ROOM {
            return Err(Error::StackOverflow(count as usize));
        }
        if status != sys::LUA_OK && status != sys::LUA_YIELD {
            // SAFETY: the error is on top of the dead coroutine's stack; the frame has room.
            unsafe { move_values(thread, self.l, 1) };
            return Err(self.error_on_top(status, || self.coroutine_traceback(thread)));
        }
        // SAFETY: alive; the results are all that is in the coroutine's frame.
        let results = unsafe { inline::top(thread) };
        if results > SPARE
            && let Err(error) = self.reserve(results as usize + 2)
        {
            // SAFETY: as above: drop the results that have no room here.
            unsafe { inline::lower_top(thread, 0) };
            return Err(error);
        }
        // SAFETY: as above; the room was reserved.
        unsafe { move_values(thread, self.l, results) };
        Ok(status == sys::LUA_YIELD)
    }
}
