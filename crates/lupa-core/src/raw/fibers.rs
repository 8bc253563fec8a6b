//! Fibers: what a thread switches between on its native stack, such as Python's greenlets.
//!
//! What a thread's record says of its Lua code, the runtime that runs and the deadline, is put back as calls end, last
//! one first. Fibers end their calls in any order. They can only switch in host code that Lua code has called, or that an operation
//! on a runtime has, so each such stay in host code keeps what its fiber has there, and who enters Lua in a fiber begins with what the
//! innermost stay of that fiber keeps.
//!
//! Both lie on the runtime's stack, which ends what has begun last: so one fiber at a time has stays in a runtime.

use super::shared::Shared;
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
pub(crate) fn enter(fiber: usize) {
    if CURRENT.replace(fiber) == fiber {
        return;
    }
    let (running, deadline) = STAYS.with_borrow(|stays| {
        let mine = stays.iter().rfind(|stay| stay.fiber == fiber);
        mine.map_or((std::ptr::null_mut(), NEVER), |stay| {
            (stay.running, stay.deadline)
        })
    });
    watch::record().switch(running, deadline);
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
    let number = NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1);
    STAYS.with_borrow_mut(|stays| {
        let outer = stays.iter().rfind(|stay| stay.runtime == runtime);
        if outer.is_some_and(|outer| outer.fiber != fiber) {
            return Err(Error::OtherFiber);
        }
        stays.push(Stay {
            number,
            fiber,
            runtime,
            running,
            deadline,
        });
        Ok(())
    })?;
    CURRENT.set(fiber);
    let _end = End { number };
    Ok(f())
}
