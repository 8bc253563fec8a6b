//! Protected calls: how Rust runs Lua code.

use super::dispatch;
use super::shared::Shared;
use super::slots;
use super::stack::{Kind, Stack};
use super::sys::{self, inline};
use super::watch::Record;
use crate::error::{Error, Result, RuntimeError};
use crate::value::Value;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Native stack, in bytes, that must be left to enter Lua again: room for LuaJIT, for a
/// callback of the host, and for the error that says that the limit was reached.
const NATIVE_STACK_RESERVE: usize = 192 * 1024;

/// A call being built: the message handler's slot. The function, a slot that LuaJIT's interpreter needs, and the arguments
/// are above it.
#[derive(Clone, Copy)]
pub(crate) struct PendingCall {
    handler: c_int,
}

impl PendingCall {
    /// Where the function is, and after the call the first result.
    #[inline]
    pub(crate) fn first(self) -> c_int {
        self.handler + 1
    }
}

impl<'s> Stack<'s> {
    /// Starts a call of what a slot of the anchors holds. The arguments are to be pushed next.
    #[inline]
    pub(crate) fn begin_call(self, function: slots::SlotKey) -> PendingCall {
        let call = self.begin();
        self.push_slot(function);
        self.push_nil();
        call
    }

    /// Starts a call of a protected entry of the shim.
    pub(crate) fn begin_protected(self, entry: sys::lua_CFunction) -> PendingCall {
        let call = self.begin();
        self.push_protected(entry);
        self.push_nil();
        call
    }

    /// Starts a call of the one value that `push` pushes.
    #[inline]
    pub(crate) fn begin_call_of(
        self,
        push: impl FnOnce(Self) -> Result<()>,
    ) -> Result<PendingCall> {
        let call = self.begin();
        push(self)?;
        debug_assert!(self.top() == call.first());
        self.push_nil();
        Ok(call)
    }

    #[inline]
    fn begin(self) -> PendingCall {
        self.push(self.shared.handler.get());
        PendingCall {
            handler: self.top(),
        }
    }

    /// Calls the function at `call.first()` with the arguments; `results` is a
    /// count or `LUA_MULTRET`. The results start at `call.first()`.
    #[inline]
    pub(crate) fn call(self, call: PendingCall, results: c_int) -> Result<()> {
        let status = self.shared.run(self.l, || self.pcall(call, results))?;
        if status == sys::LUA_OK && !self.shared.stop.is_pending() {
            return Ok(());
        }
        self.finish_call(call, status)
    }

    #[inline]
    fn pcall(self, call: PendingCall, results: c_int) -> c_int {
        // SAFETY: live and locked; one of the functions above has filled the slots.
        unsafe {
            if inline::status(self.l) == sys::LUA_ERRERR {
                return self.pcall_in_handler(call, results);
            }
            inline::pcall(self.l, call.handler, results)
        }
    }

    /// Calls what host code calls that a message handler of Lua code has called: LuaJIT would take errors of that for errors in the
    /// handler, and lose them.
    ///
    /// # Safety
    /// As for [`inline::pcall`].
    #[cold]
    unsafe fn pcall_in_handler(self, call: PendingCall, results: c_int) -> c_int {
        // SAFETY: by the caller; the handler goes on when the call has ended.
        unsafe {
            inline::set_status(self.l, sys::LUA_OK);
            let status = inline::pcall(self.l, call.handler, results);
            inline::set_status(self.l, sys::LUA_ERRERR);
            status
        }
    }

    /// After a run that was no call: the error of a stop that came in a finalizer, which swallowed it. What is on the stack
    /// above `top` is void then.
    pub(super) fn check_stop(self, top: c_int) -> Result<()> {
        if self.shared.stop.is_pending() {
            return self.finish_call(PendingCall { handler: top + 1 }, sys::LUA_OK);
        }
        Ok(())
    }

    /// Leaves the one result of a call, which is on top, alone on the stack.
    pub(super) fn keep_result(self, call: PendingCall) {
        debug_assert!(self.top() == call.first());
        // SAFETY: live and locked; the handler lies below the result.
        unsafe { inline::remove_second(self.l) };
    }

    /// The unusual ends of a call: an error, or a stop that a `pcall` swallowed.
    #[cold]
    fn finish_call(self, call: PendingCall, status: c_int) -> Result<()> {
        let stopped = self.shared.stop_is_due();
        if status == sys::LUA_OK {
            if !stopped {
                return Ok(());
            }
            // The results, of which there may be more than leave room, are void.
            self.truncate(call.handler);
        }
        if stopped {
            self.shared.take_stop(self);
        }
        // The message handler ran for this error, and left its traceback, only then; the hook, which goes past it, has
        // removed one that was there.
        let traced = status == sys::LUA_ERRRUN;
        let traceback = || {
            if traced {
                self.kept_traceback()
            } else {
                Vec::new()
            }
        };
        let status = if stopped { sys::LUA_ERRRUN } else { status };
        let error = self.error_on_top(status, traceback);
        self.truncate(call.handler - 1);
        Err(error)
    }

    /// Makes an error of the value on top of the stack.
    pub(super) fn error_on_top(self, status: c_int, traceback: impl FnOnce() -> Vec<u8>) -> Error {
        if status == sys::LUA_ERRMEM {
            // LuaJIT does not collect when memory runs out: what filled it may be garbage.
            self.shared.collect(self.l);
            return Error::Memory;
        }
        let index = self.top();
        if let Some(panic) = dispatch::take_panic(self, index) {
            std::panic::resume_unwind(panic);
        }
        let traceback = || match status {
            sys::LUA_ERRRUN => traceback(),
            _ => Vec::new(),
        };
        if let Some(error) = dispatch::external_error(self, index) {
            return error.traced(traceback);
        }
        let traceback = traceback();
        let (message, value) = match self.bytes(index) {
            Some(bytes) => (bytes.to_vec(), None),
            None => (self.describe(index), Value::from_stack(self, index).ok()),
        };
        let cause = match value {
            None => self.shared.raised_as(&message),
            Some(_) => None,
        };
        Error::Runtime(Arc::new(RuntimeError {
            message: message.into(),
            value,
            traceback: traceback.into(),
            cause,
        }))
    }

    /// What `tostring` makes of an error value.
    fn describe(self, index: c_int) -> Vec<u8> {
        let fallback =
            || format!("(error object is a {} value)", self.kind(index).name()).into_bytes();
        if self.kind(index) == Kind::Nil {
            return b"nil".to_vec();
        }
        match self.push_tostring(index) {
            Ok(()) => self.bytes(self.top()).map_or_else(fallback, <[u8]>::to_vec),
            Err(_) => fallback(),
        }
    }

    /// Gives an error if pushes have broken the memory limit and a collection does not help.
    #[inline]
    pub(crate) fn check_memory(self) -> Result<()> {
        if self.shared.memory.would_exceed(0) {
            return self.shared.collect_to_limit(self.l);
        }
        Ok(())
    }

    /// Pushes `tostring(value)`, independent of the global of that name.
    pub(crate) fn push_tostring(self, index: c_int) -> Result<()> {
        self.reserve(8)?;
        let call = self.begin_call(slots::TOSTRING);
        self.push_copy(index);
        self.call(call, 1)?;
        match self.kind(call.first()) {
            Kind::String => Ok(()),
            kind => Err(Error::conversion(
                kind.name(),
                "string",
                "'__tostring' must return a string",
            )),
        }
    }

    /// Pushes `object[key]`, unless a metamethod has to run for it, or an error is due: that is left to a call with one result.
    pub(crate) fn begin_index(self, object: c_int, key: c_int) -> Option<PendingCall> {
        let call = self.begin();
        // SAFETY: live and locked; both are on the stack, the handler is on top, and slots are reserved.
        match unsafe { sys::lupa_begin_index(self.l, object, key) } {
            sys::LUPA_ACCESS_DONE => None,
            sys::LUPA_ACCESS_CALL => Some(call),
            _ => {
                self.push_protected(sys::lupa_p_index);
                self.push_nil();
                self.push_copy(object);
                self.push_copy(key);
                Some(call)
            }
        }
    }

    /// Begins `object[key] = value` for the two values on top; `None` if a raw access is all that it takes. A call
    /// without results does the rest.
    pub(crate) fn begin_newindex(self, object: c_int) -> Option<PendingCall> {
        let value = self.top();
        let call = self.begin();
        // SAFETY: as in `begin_index`.
        match unsafe { sys::lupa_begin_newindex(self.l, object, value - 1, value) } {
            sys::LUPA_ACCESS_DONE => {
                self.truncate(value);
                None
            }
            sys::LUPA_ACCESS_CALL => Some(call),
            _ => {
                self.push_protected(sys::lupa_p_newindex);
                self.push_nil();
                self.push_copy(object);
                self.push_copy(value - 1);
                self.push_copy(value);
                Some(call)
            }
        }
    }

    /// `a == b`, metamethods included.
    pub(crate) fn protected_equal(self, a: c_int, b: c_int) -> Result<bool> {
        self.compare(sys::lupa_p_equal, a, b)
    }

    /// `a < b`, metamethods included.
    pub(crate) fn protected_less_than(self, a: c_int, b: c_int) -> Result<bool> {
        self.compare(sys::lupa_p_lessthan, a, b)
    }

    fn compare(self, entry: sys::lua_CFunction, a: c_int, b: c_int) -> Result<bool> {
        let call = self.begin_protected(entry);
        self.push_copy(a);
        self.push_copy(b);
        self.call(call, 1)?;
        Ok(self.boolean(call.first()))
    }

    /// `#value`, metamethods included, those of tables too; 0 for what has no length.
    pub(crate) fn protected_len(self, index: c_int) -> Result<f64> {
        let call = self.begin_protected(sys::lupa_p_len);
        self.push_copy(index);
        self.call(call, 1)?;
        Ok(self.number(call.first()).unwrap_or_default())
    }
}

/// Whether the thread has used its native stack up to the reserve. While its end is unknown every address is beyond it, and what seems
/// to be is looked at again.
#[inline]
fn native_stack_is_short(record: &Record) -> bool {
    let marker = MaybeUninit::<u8>::uninit();
    let here = std::ptr::from_ref(&marker).addr();
    here < record.stack_end.load(Ordering::Relaxed) && find_stack_end(record, here)
}

/// Finds out where this thread's native stack ends and tells the shim, whose checks Lua code
/// runs into as well (`shim/guards.c`).
#[cold]
fn find_stack_end(record: &Record, here: usize) -> bool {
    let left = stacker::remaining_stack();
    // Where the system does not tell, no address is beyond the end.
    let end = left.map_or(1, |left| (here - left) + NATIVE_STACK_RESERVE.min(left));
    record.stack_end.store(end, Ordering::Relaxed);
    // SAFETY: sets a variable of this thread.
    unsafe { sys::lupa_set_stack_end(end) };
    left.is_some_and(|left| left < NATIVE_STACK_RESERVE)
}

impl Shared {
    /// Runs Lua code by `run`: guards the native stack, enforces the memory limit, lets the
    /// watchdog know, and sets a pending stop of an outer run aside meanwhile.
    #[inline]
    pub(super) fn run(&self, l: *mut sys::lua_State, run: impl FnOnce() -> c_int) -> Result<c_int> {
        let record = self.ready_to_run(l)?;
        Ok(self.run_unchecked(record, l, run))
    }

    /// What comes before [`Shared::run_unchecked`]. May collect, which shrinks stacks and runs finalizers.
    #[inline]
    pub(super) fn ready_to_run(&self, l: *mut sys::lua_State) -> Result<&'static Record> {
        let record = self.lock.owner();
        if native_stack_is_short(record) {
            return Err(Error::RecursionLimit);
        }
        if self.memory.wants_collection() {
            self.collect_to_limit(l)?;
        }
        Ok(record)
    }

    /// As [`Shared::run`], whatever is left of the native stack and of the memory: does not collect before.
    #[inline]
    pub(super) fn run_unchecked(
        &self,
        record: &'static Record,
        l: *mut sys::lua_State,
        run: impl FnOnce() -> c_int,
    ) -> c_int {
        let outer = record.enter(self);
        let depth = self.depth();
        if depth == 0 {
            self.begin_outermost(record);
        } else if self.stop.is_pending() {
            self.stop.disarm(l);
        }
        let enforced = self.memory.enforce(true);
        debug_assert!(!enforced, "only host code runs Lua code");
        self.set_depth(depth + 1);
        let status = run();
        self.set_depth(depth);
        self.memory.enforce(false);
        record.leave(outer);
        if depth == 0 {
            self.end_outermost(record);
        } else if self.stop.is_pending() {
            // The one that waited, or a new one, after which the reason, such as a deadline, may hold further out.
            self.stop.arm(l);
        }
        status
    }

    /// Runs a full cycle of the collector.
    #[cold]
    fn collect(&self, l: *mut sys::lua_State) {
        let enforced = self.memory.enforce(false);
        // SAFETY: live and locked; without enforcement a collection cannot raise, and
        // errors of finalizers do not leave it.
        unsafe { sys::lua_gc(l, sys::LUA_GCCOLLECT, 0) };
        self.memory.enforce(enforced);
    }

    /// Values of the host took more memory than the limit allows: collect, and give up
    /// if that does not help.
    #[cold]
    fn collect_to_limit(&self, l: *mut sys::lua_State) -> Result<()> {
        self.collect(l);
        self.memory.collected();
        if self.memory.would_exceed(0) {
            Err(Error::Memory)
        } else {
            Ok(())
        }
    }
}
