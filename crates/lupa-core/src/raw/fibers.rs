//! Fibers: what a thread switches between on its native stack, such as Python's greenlets.
//!
//! What a thread's record says of its Lua code, the runtime that runs and the deadline, is put back as calls end, last
//! one first. Fibers end their calls in any order. They can only switch in host code that Lua code has called, or that an operation
//! on a runtime has, so each such stay in host code keeps what its fiber has there, and who enters Lua in a fiber begins with what the
//! innermost stay of that fiber keeps.
//!
//! Both lie on the runtime's stack, which ends what has begun last: so one fiber at a time has stays in a runtime. Others may enter it
//! meanwhile and run what has none, unless the stay is in the middle of a Lua function: in a hook or a message handler.

use super::shared::Shared;
use super::sys;
use super::watch::{self, NEVER, Time};
use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};

struct Stay {
    number: u64,
    fiber: usize,
    /// The runtime on whose stack it is; compared, not followed.
    runtime: *const Shared,
    /// The runtime whose Lua code runs.
    running: *mut Shared,
    deadline: Time,
}

thread_local! {
    /// Stays in host code of this thread that are going on, in fibers, the oldest first.
    static STAYS: RefCell<Vec<Stay>> = const { RefCell::new(Vec::new()) };
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
    /// The fiber that the thread's record is about.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The thread runs `fiber`, and is about to enter Lua.
pub(crate) fn enter(fiber: usize, runtime: &Shared) -> Result<()> {
    if waits_for(fiber, runtime) && runtime.is_interrupted() {
        return Err(Error::OtherFiber);
    }
    if CURRENT.replace(fiber) == fiber {
        return Ok(());
    }
    let (running, deadline) = STAYS.with_borrow(|stays| {
        let mine = stays.iter().rfind(|stay| stay.fiber == fiber);
        mine.map_or((std::ptr::null_mut(), NEVER), |stay| {
            (stay.running, stay.deadline)
        })
    });
    watch::record().switch(running, deadline);
    Ok(())
}

/// Whether the innermost stay in a runtime is that of another fiber.
fn waits_for(fiber: usize, runtime: *const Shared) -> bool {
    STAYS.with_borrow(|stays| {
        let innermost = stays.iter().rfind(|stay| stay.runtime == runtime);
        innermost.is_some_and(|stay| stay.fiber != fiber)
    })
}

impl Shared {
    /// Whether Lua code waits in the middle of a function, by the native stack. What another fiber runs above it could look
    /// there, for the lines of a traceback, and its native stack is gone.
    ///
    /// Only while this thread has the lock.
    fn is_interrupted(&self) -> bool {
        let l = self.current.get();
        // SAFETY: a state that is there is live, and this thread uses it.
        !l.is_null() && unsafe { sys::lupa_is_interrupted(l) != 0 }
    }
}

/// Runs host code that Lua code has called in `fiber`.
pub(crate) fn callback<R>(fiber: usize, f: impl FnOnce() -> R) -> Result<R> {
    let (running, _) = watch::record().running_and_deadline();
    stay(fiber, running, f)
}

/// Runs host code that an operation on a runtime has called in `fiber`.
pub(crate) fn operation<R>(fiber: usize, runtime: &Shared, f: impl FnOnce() -> R) -> Result<R> {
    stay(fiber, runtime, f)
}

fn stay<R>(fiber: usize, runtime: *const Shared, f: impl FnOnce() -> R) -> Result<R> {
    /// Puts things back, by panic too.
    struct End {
        number: u64,
    }
    impl Drop for End {
        fn drop(&mut self) {
            let ended = STAYS.with_borrow_mut(|stays| {
                let at = stays.iter().rposition(|stay| stay.number == self.number);
                at.map(|at| stays.remove(at))
            });
            if let Some(stay) = ended {
                CURRENT.set(stay.fiber);
                watch::record().switch(stay.running, stay.deadline);
            }
        }
    }
    let (running, deadline) = watch::record().running_and_deadline();
    if waits_for(fiber, runtime) {
        return Err(Error::OtherFiber);
    }
    let number = NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1);
    STAYS.with_borrow_mut(|stays| {
        stays.push(Stay {
            number,
            fiber,
            runtime,
            running,
            deadline,
        });
    });
    CURRENT.set(fiber);
    let _end = End { number };
    Ok(f())
}
