//! Closing a state: its finalizers run as Lua code does elsewhere, with an end.
//!
//! `lua_close` runs them with hooks off and whatever memory they ask for. So they run before it, in a run of their own
//! to which the time limit, interrupts, the host's check and the memory limit apply. Once one of these has ended a finalizer no
//! more Lua code runs: only the host's objects are dropped, and files closed. `lua_close` then finds nothing left to run.
//!
//! Host functions are refused meanwhile, since the objects that they need may be gone.

use super::shared::Shared;
use super::stack::Stack;
use super::sys;
use super::watch::Record;
use crate::error::{Error, Panic, Result};
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How often finalizers may leave new objects with finalizers behind: as often as in `lua_close`.
const ROUNDS: u32 = 10;

/// How far a state is on its way to its end.
pub(super) struct Closing {
    /// How many `Runtime`s there are; handles are not counted. Here for the room: what a runtime takes is measured.
    pub(super) owners: AtomicU32,
    /// It has begun. Atomic, since it may be read without the lock.
    begun: AtomicBool,
    /// Finalizers were ended.
    ended: Cell<bool>,
    /// Why they were, until somebody is told.
    reason: Cell<Option<Box<std::result::Result<Error, Panic>>>>,
}

impl Closing {
    pub(super) fn new() -> Self {
        Closing {
            owners: AtomicU32::new(0),
            begun: AtomicBool::new(false),
            ended: Cell::new(false),
            reason: Cell::new(None),
        }
    }
}

impl Shared {
    pub(crate) fn is_closed(&self) -> bool {
        self.closing.begun.load(Ordering::Relaxed)
    }

    /// Closes the state: runs all finalizers and frees its memory. An error says why finalizers were ended.
    pub(crate) fn close(&self) -> Result<()> {
        let held = self.lock()?;
        if !held.is_outermost() {
            return Err(Error::Busy);
        }
        self.close_now();
        match self.closing.reason.take() {
            None => Ok(()),
            Some(reason) => match *reason {
                Ok(error) => Err(error),
                Err(panic) => resume_unwind(panic),
            },
        }
    }

    /// Only with the lock held, or by the last owner.
    fn close_now(&self) {
        if self.closing.begun.swap(true, Ordering::Relaxed) {
            return;
        }
        // From here on `enter` lets nobody in, and `dispatch` refuses everything but `__gc`.
        self.forget_anchors();
        let l = self.main();
        self.finalize(l);
        self.memory.enforce(false);
        self.memory.set_limit(usize::MAX);
        // SAFETY: nobody else can use the state: the lock is held. LuaJIT demands its own allocator for closing.
        unsafe {
            self.memory.uninstall(l);
            sys::lupa_close(l);
        }
        self.forget_state();
    }

    fn finalize(&self, l: *mut sys::lua_State) {
        for round in 0..=ROUNDS {
            // SAFETY: the state is live and its lock is held; no Lua code of it runs.
            let queued = unsafe { sys::lupa_queue_finalizers(l) } != 0;
            // Those of cdata are in no queue, and need one round.
            if !queued && round > 0 {
                break;
            }
            if round == ROUNDS || self.closing.ended.get() {
                // SAFETY: as above.
                unsafe { sys::lupa_skip_finalizers(l) };
            }
            // SAFETY: as above; errors stay inside.
            self.run_unchecked(self.lock.owner(), l, || unsafe { sys::lupa_finalize(l) });
        }
    }

    /// The hook in a finalizer: as elsewhere, but that no value can be kept. So the hook stays, and ends also what
    /// catches errors.
    pub(super) fn hook_while_closing(&self, stack: Stack<'_>, record: &Record) -> bool {
        if self.closing.ended.get() {
            return true;
        }
        self.stop.disarm(stack.l);
        let reason = match catch_unwind(AssertUnwindSafe(|| self.interruption.due(record))) {
            Ok(None) => return false,
            Ok(Some(error)) => Ok(error),
            Err(panic) => Err(panic),
        };
        self.closing.ended.set(true);
        self.closing.reason.set(Some(Box::new(reason)));
        // SAFETY: live and locked, in a hook.
        unsafe { sys::lupa_skip_finalizers(stack.l) };
        self.stop.arm(stack.l);
        true
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Only a thread that was lost in a fork can have the lock: it was running the
        // state, which is beyond repair then and stays as it is.
        if let Some(_held) = self.try_lock() {
            self.close_now();
        }
        if let Some(reason) = self.closing.reason.take()
            && let Err(panic) = *reason
        {
            // Nobody waits for it, and to drop it might panic again.
            std::mem::forget(panic);
        }
    }
}
