//! Fibers: what a thread switches between on its native stack, such as Python's greenlets.
//!
//! What a thread's record says of its Lua code, the runtime that runs and the deadline, is put back as calls end, last
//! one first. Fibers end their calls in any order. They can only switch in callbacks, so each callback keeps what its
//! fiber has there, and who enters Lua in a fiber begins with what the innermost callback of that fiber keeps.

use super::shared::Shared;
use super::watch::{self, NEVER, Time};
use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};

struct Callback {
    number: u64,
    fiber: usize,
    /// The runtime whose Lua code called; compared, not followed.
    runtime: *mut Shared,
    deadline: Time,
}

thread_local! {
    /// Callbacks of this thread that are going on, in fibers, the oldest first.
    static CALLBACKS: RefCell<Vec<Callback>> = const { RefCell::new(Vec::new()) };
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
    /// The fiber that the thread's record is about.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// The thread runs `fiber`, and is about to enter Lua.
pub(crate) fn enter(fiber: usize) {
    if CURRENT.replace(fiber) == fiber {
        return;
    }
    let (running, deadline) = CALLBACKS.with_borrow(|callbacks| {
        let mine = callbacks.iter().rfind(|callback| callback.fiber == fiber);
        mine.map_or((std::ptr::null_mut(), NEVER), |callback| {
            (callback.runtime, callback.deadline)
        })
    });
    watch::record().switch(running, deadline);
}

/// Runs host code that Lua code has called in `fiber`.
pub(crate) fn callback<R>(fiber: usize, f: impl FnOnce() -> R) -> Result<R> {
    /// Puts things back, by panic too.
    struct End {
        number: u64,
    }
    impl Drop for End {
        fn drop(&mut self) {
            let ended = CALLBACKS.with_borrow_mut(|callbacks| {
                let at = callbacks
                    .iter()
                    .rposition(|callback| callback.number == self.number);
                at.map(|at| callbacks.remove(at))
            });
            if let Some(callback) = ended {
                CURRENT.set(callback.fiber);
                watch::record().switch(callback.runtime, callback.deadline);
            }
        }
    }
    let record = watch::record();
    let (runtime, deadline) = record.running_and_deadline();
    let number = NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1);
    CALLBACKS.with_borrow_mut(|callbacks| {
        let outer = callbacks
            .iter()
            .rfind(|callback| callback.runtime == runtime);
        if outer.is_some_and(|outer| outer.fiber != fiber) {
            return Err(Error::OtherFiber);
        }
        callbacks.push(Callback {
            number,
            fiber,
            runtime,
            deadline,
        });
        Ok(())
    })?;
    CURRENT.set(fiber);
    let _end = End { number };
    Ok(f())
}
