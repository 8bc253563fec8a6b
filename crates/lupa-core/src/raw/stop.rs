//! Errors that Lua code cannot catch, and interruption.
//!
//! Some errors must reach the host whatever Lua code does: a Rust panic, an exception such as
//! Python's `KeyboardInterrupt`, the end of a time limit. When one is raised, its value
//! is kept in a slot and a count hook is armed, so that the first Lua
//! instruction after a `pcall` that swallowed it raises it again. The call that the host
//! made delivers it and disarms the hook.
//!
//! A signal arms the same hook in code that runs long (see `watch`), and the hook then finds out
//! whether there is anything to raise. What the hook raises goes past the handlers of `xpcall`: LuaJIT would
//! run them with hooks off, and nothing could end them.

use super::dispatch;
use super::shared::Shared;
use super::slots::{self, SlotKey};
use super::stack::Stack;
use super::sys;
use super::watch::{self, NEVER, Record, Time};
use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};
use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, Ordering, compiler_fence};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Pending errors and the hook behind them. The atomics are shared with the signal handler, which
/// interrupts the thread that has the runtime's lock.
pub(crate) struct Stop {
    /// Depth of the run in which the innermost pending error was raised; 0 for none.
    raised_at: Cell<u32>,
    /// All pending errors, one a run at most: its depth and the slot of the value.
    pending: RefCell<Vec<(u32, SlotKey)>>,
    /// The hook was set, and is unless Lua code has replaced it.
    armed: AtomicBool,
    /// The hook is being changed: the signal handler has to keep off.
    changing: AtomicBool,
    /// Lua code's own hook, put back on disarming: function, mask and count.
    own_hook: AtomicPtr<()>,
    own_mask: AtomicI32,
    own_count: AtomicI32,
    /// What the thread had answered when a signal last came.
    signalled_at: AtomicU64,
}

impl Stop {
    pub(super) fn new() -> Self {
        Stop {
            raised_at: Cell::new(0),
            pending: RefCell::new(Vec::new()),
            armed: AtomicBool::new(false),
            changing: AtomicBool::new(false),
            own_hook: AtomicPtr::new(std::ptr::null_mut()),
            own_mask: AtomicI32::new(0),
            own_count: AtomicI32::new(0),
            signalled_at: AtomicU64::new(u64::MAX),
        }
    }

    #[inline]
    pub(super) fn is_pending(&self) -> bool {
        self.raised_at.get() != 0
    }

    /// Runs `change`, which changes the hook, without a signal handler's doing so meanwhile.
    fn change(&self, change: impl FnOnce()) {
        self.changing.store(true, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        change();
        compiler_fence(Ordering::SeqCst);
        self.changing.store(false, Ordering::Relaxed);
    }

    /// # Safety
    /// `l` is live, this thread runs it, and nothing else is changing its hook.
    unsafe fn set_hook(&self, l: *mut sys::lua_State) {
        // SAFETY: by the caller. These functions only read and write fields of the state.
        unsafe {
            if !is_ours(l) {
                let own = sys::lua_gethook(l).map_or(std::ptr::null_mut(), |hook| hook as *mut ());
                self.own_hook.store(own, Ordering::Relaxed);
                self.own_mask
                    .store(sys::lua_gethookmask(l), Ordering::Relaxed);
                self.own_count
                    .store(sys::lua_gethookcount(l), Ordering::Relaxed);
            }
            if self.armed.swap(true, Ordering::Relaxed) {
                // A signal may have met LuaJIT halfway through such a change. It acts on
                // differences only, so there is one to be made.
                sys::lua_sethook(l, None, 0, 0);
            }
            sys::lua_sethook(l, Some(sys::lupa_hook), sys::LUA_MASKCOUNT, 1);
        }
    }

    #[cold]
    pub(super) fn arm(&self, l: *mut sys::lua_State) {
        // SAFETY: `l` is live, its lock is held, and the signal handler keeps off.
        self.change(|| unsafe { self.set_hook(l) });
    }

    #[cold]
    pub(super) fn disarm(&self, l: *mut sys::lua_State) {
        self.change(|| {
            // SAFETY: as in `arm`. The pointer is null or came from such a function.
            unsafe {
                if is_ours(l) {
                    let own = self.own_hook.swap(std::ptr::null_mut(), Ordering::Relaxed);
                    let own: Option<sys::lua_Hook> = std::mem::transmute(own);
                    let mask = self.own_mask.load(Ordering::Relaxed);
                    let count = self.own_count.load(Ordering::Relaxed);
                    sys::lua_sethook(l, own, mask, count);
                }
            }
            self.armed.store(false, Ordering::Relaxed);
        });
    }
}

/// Whether the hook of a state is ours.
///
/// # Safety
/// `l` is live and this thread runs it.
unsafe fn is_ours(l: *mut sys::lua_State) -> bool {
    // SAFETY: by the caller.
    let hook = unsafe { sys::lua_gethook(l) };
    hook.is_some_and(|hook| std::ptr::fn_addr_eq(hook, sys::lupa_hook as sys::lua_Hook))
}

/// Why Lua code of a runtime may have to end.
pub(crate) struct Interruption {
    /// The current outermost run was interrupted from outside.
    interrupted: AtomicBool,
    /// Time limit of outermost runs; `NEVER` for none.
    limit: AtomicU64,
    /// A limit that the host set for some calls is in force instead. Only with the lock held.
    overridden: Cell<bool>,
    /// The limit is that of the outermost run.
    limited: Cell<bool>,
    /// What the thread's deadline was before that.
    outer_deadline: Cell<Time>,
    check: OnceLock<Box<Check>>,
}

/// See [`crate::Runtime::set_check`].
type Check = dyn Fn() -> Result<bool> + Send + Sync;

impl Interruption {
    pub(super) fn new() -> Self {
        Interruption {
            interrupted: AtomicBool::new(false),
            limit: AtomicU64::new(NEVER),
            overridden: Cell::new(false),
            limited: Cell::new(false),
            outer_deadline: Cell::new(NEVER),
            check: OnceLock::new(),
        }
    }

    /// Whether the thread's Lua code has to end, the host's check aside.
    fn is_due(&self, record: &Record) -> bool {
        self.interrupted.load(Ordering::Acquire) || record.deadline_has_passed()
    }

    /// The error to end Lua code with, if it has to end.
    pub(super) fn due(&self, record: &Record) -> Option<Error> {
        if self.interrupted.load(Ordering::Acquire) {
            return Some(Error::Interrupted(Arc::default()));
        }
        if record.deadline_has_passed() {
            return Some(Error::Timeout(Arc::default()));
        }
        match self.check.get().map_or(Ok(false), |check| check()) {
            Ok(true) => None,
            Ok(false) => {
                record.rest();
                None
            }
            Err(error) => Some(error),
        }
    }
}

impl Shared {
    /// At the start of an outermost run of this runtime.
    #[inline]
    pub(super) fn begin_outermost(&self, record: &'static Record) {
        let interruption = &self.interruption;
        interruption.interrupted.store(false, Ordering::Relaxed);
        if interruption.limit.load(Ordering::Relaxed) != NEVER {
            self.begin_limited(record);
        }
    }

    #[cold]
    fn begin_limited(&self, record: &Record) {
        let interruption = &self.interruption;
        if !interruption.overridden.get() {
            let limit = interruption.limit.load(Ordering::Relaxed);
            let outer = record.set_limit(limit);
            interruption.outer_deadline.set(outer);
            interruption.limited.set(true);
        }
    }

    /// At the end of an outermost run, when no signal can arm the hook any more.
    #[inline]
    pub(super) fn end_outermost(&self, record: &Record) {
        let interruption = &self.interruption;
        if interruption.limited.get() {
            interruption.limited.set(false);
            record.restore_deadline(interruption.outer_deadline.get());
        }
        if self.stop.armed.load(Ordering::Relaxed) {
            self.stop.disarm(self.main());
        }
    }

    /// Interrupts the Lua code that another thread, or a caller further up, runs in this runtime.
    pub(crate) fn interrupt(&self) -> Result<()> {
        watch::available()?;
        let interruption = &self.interruption;
        // A run that is seen here has put the flag down before.
        let runner = || {
            let runs = self.depth.load(Ordering::Acquire) != 0;
            let holder = runs.then(|| self.lock.holder())??;
            // A thread that was lost in a fork gets no signals.
            holder.is_known().then_some(holder)
        };
        watch::interrupt(runner, || {
            interruption.interrupted.store(true, Ordering::SeqCst);
        });
        Ok(())
    }

    /// Sets the time limit of outermost runs.
    pub(crate) fn set_time_limit(&self, limit: Option<Duration>) -> Result<()> {
        if limit.is_some() {
            watch::available()?;
        }
        let limit = limit.map_or(NEVER, watch::time);
        self.interruption.limit.store(limit, Ordering::Relaxed);
        Ok(())
    }

    /// Runs `f`, in which this thread's Lua code has so much time.
    pub(crate) fn with_time_limit<R>(&self, limit: Duration, f: impl FnOnce() -> R) -> Result<R> {
        /// Puts things back, by panic too.
        struct Restore<'a> {
            interruption: &'a Interruption,
            overridden: bool,
            record: &'static Record,
            deadline: Time,
        }
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                self.record.restore_deadline(self.deadline);
                self.interruption.overridden.set(self.overridden);
            }
        }
        watch::available()?;
        let _held = self.lock()?;
        let record = watch::record();
        let _restore = Restore {
            interruption: &self.interruption,
            overridden: self.interruption.overridden.replace(true),
            record,
            deadline: record.set_limit(watch::time(limit)),
        };
        Ok(f())
    }

    /// Sets the host's check; `false` if there is one.
    pub(crate) fn set_check(&self, check: Box<Check>) -> Result<bool> {
        watch::available()?;
        Ok(self.interruption.check.set(check).is_ok())
    }

    /// Arms the hook, in the signal handler of the thread that runs this runtime.
    #[cfg(unix)]
    pub(super) fn arm_in_signal(&self, record: &Record) {
        let l = self.main();
        if !l.is_null() && !self.stop.changing.load(Ordering::Relaxed) {
            // SAFETY: this thread is in a run, so it holds the lock; what these functions do is made for
            // signal handlers, and our own changes were excluded.
            unsafe {
                self.stop.set_hook(l);
                // Code with hooks on answers at once, so what has not since the last signal is a finalizer, a hook's
                // function, or in C. In a hook's function the host's check has to wait: without an error that ends
                // it, it would go on with hooks on, and call itself.
                let answers = record.answers();
                if self.stop.signalled_at.swap(answers, Ordering::Relaxed) == answers {
                    let must_end = self.stop.is_pending() || self.interruption.is_due(record);
                    sys::lupa_let_hooks_in(l, must_end.into());
                }
            }
        }
    }

    /// Makes the error value on top of the stack one that Lua code cannot catch.
    pub(crate) fn stop_with_top(&self, stack: Stack<'_>) {
        let depth = self.depth();
        if depth == 0 {
            return;
        }
        let key = self.slot_of_stop(depth);
        // The memory limit is not enforced in host functions and in the hook, so this does not raise
        // if the key is new.
        stack.store(stack.top(), key);
        self.stop.raised_at.set(depth);
        self.stop.arm(stack.l);
        // Should Lua code take the hook away, it is set again.
        watch::record().press();
    }

    /// The slot for an error raised in a run of some depth.
    fn slot_of_stop(&self, depth: u32) -> SlotKey {
        let mut pending = self.stop.pending.borrow_mut();
        if let Some((_, key)) = pending.iter().find(|(at, _)| *at == depth) {
            return *key;
        }
        let key = if pending.is_empty() {
            slots::STOP
        } else {
            // Without a slot the outer error is lost, but the stop is not.
            // SAFETY: the lock is held, and Lua code runs: the state is not being closed, when no error is kept.
            unsafe { self.slots.acquire(self.anchors()) }.unwrap_or(slots::STOP)
        };
        pending.push((depth, key));
        key
    }

    /// At the end of a run: whether an uncatchable error was raised in it.
    pub(super) fn stop_is_due(&self) -> bool {
        // The run has ended, so its own depth is one more than the current one.
        self.stop.raised_at.get() == self.depth() + 1
    }

    /// Pushes the uncatchable error if one is due. Needs two slots.
    pub(super) fn take_stop(&self, stack: Stack<'_>) -> bool {
        if !self.stop_is_due() {
            return false;
        }
        let (taken, outer) = {
            let mut pending = self.stop.pending.borrow_mut();
            (pending.pop(), pending.last().map_or(0, |(at, _)| *at))
        };
        let key = taken.map_or(slots::STOP, |(_, key)| key);
        self.stop.raised_at.set(outer);
        // In a run further up the reason, such as a deadline, may hold as well: with the hook left
        // armed it finds out at once. Else a host function that hides the error, called in a loop,
        // would meet every signal.
        if outer == 0 && self.depth() == 0 {
            self.stop.disarm(stack.l);
        }
        stack.push_slot(key);
        if key == slots::STOP {
            self.clear(key);
        } else {
            self.release_now(key);
        }
        true
    }
}

/// The shim's hook asks whether to raise.
pub(super) unsafe extern "C" fn hook_entry(l: *mut sys::lua_State) -> c_int {
    let record = watch::record();
    record.answer();
    // SAFETY: the innermost run of this thread goes on, and keeps its runtime; `l` is
    // one of its states, since only they have the hook.
    let Some(shared) = (unsafe { record.running().as_ref() }) else {
        return 0;
    };
    let stack = Stack::new(shared, l);
    if shared.is_closed() {
        if !shared.hook_while_closing(stack, record) {
            return 0;
        }
        stack.push_nil();
        return sys::LUPA_RAISE;
    }
    let raised_at = shared.stop.raised_at.get();
    if raised_at != 0 && raised_at == shared.depth() {
        let pending = shared.stop.pending.borrow();
        let key = pending.last().map_or(slots::STOP, |(_, key)| *key);
        stack.push_slot(key);
        stack.kept_traceback();
        return sys::LUPA_RAISE;
    }
    shared.in_host(l, || {
        // Disarmed first: the check may run Lua code, and what is raised arms it again.
        shared.stop.disarm(l);
        match catch_unwind(AssertUnwindSafe(|| shared.interruption.due(record))) {
            Ok(None) => 0,
            Ok(Some(error)) => raise(stack, |stack| {
                dispatch::raise_error(stack, error.traced(|| stack.traceback_here()))
            }),
            Err(panic) => raise(stack, |stack| dispatch::raise_panic(stack, panic)),
        }
    })
}

/// Lua code has called `debug.sethook`: what it set becomes its own hook, and ours stays.
pub(super) unsafe extern "C" fn sethook_entry(l: *mut sys::lua_State) -> c_int {
    // SAFETY: as in `hook_entry`.
    if let Some(shared) = unsafe { watch::record().running().as_ref() }
        && shared.stop.armed.load(Ordering::Relaxed)
    {
        shared.stop.arm(l);
    }
    0
}

/// Raises what `push` pushes, uncatchably.
fn raise(stack: Stack<'_>, push: impl FnOnce(Stack<'_>) -> c_int) -> c_int {
    if stack.reserve(16).is_err() {
        // No stack is left, so a deeper call is about to fail. The next tick tries again.
        return 0;
    }
    push(stack);
    stack.shared().stop_with_top(stack);
    stack.kept_traceback();
    sys::LUPA_RAISE
}
