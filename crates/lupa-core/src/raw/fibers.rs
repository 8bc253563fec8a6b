//! Fibers: what a thread switches between on its native stack, such as Python's greenlets.
//!
//! What a thread's record says of its Lua code, the runtime that runs and the deadline, is put back as calls end, last
//! one first. Fibers end their calls in any order. They are to switch only in host code that Lua code has called, or that an operation
//! on a runtime has, so each such stay in host code keeps what its fiber has there, and who enters Lua in a fiber begins with what the
//! innermost stay of that fiber keeps.
//!
//! Both lie on the runtime's stack, which ends what has begun last: so one fiber at a time has stays in a runtime. Others may enter it
//! meanwhile and run what has none, unless the stay is in the middle of a Lua function: in a hook or a message handler.
//!
//! Nobody keeps a thread from switching elsewhere: a destructor that the host runs of its own accord may do so. So a runtime whose
//! innermost entry is another fiber's operation lets nobody in; and who comes back to a stay upon which another fiber's operation was
//! left ends the process, since both lie on one stack in an order in which they cannot end.

use super::shared::Shared;
use super::sys;
use super::watch::{self, NEVER, Time};
use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;

/// What of a fiber is on the stack of a runtime.
struct Entry {
    number: u64,
    fiber: usize,
    /// Compared, not followed.
    runtime: *const Shared,
    /// What the thread's record says, in a stay in host code; none in an operation.
    stay: Option<Stay>,
}

#[derive(Clone, Copy)]
struct Stay {
    /// The runtime whose Lua code runs.
    running: *mut Shared,
    deadline: Time,
}

thread_local! {
    /// Entries of this thread that are going on, the oldest first.
    static ENTRIES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    static NEXT_NUMBER: Cell<u64> = const { Cell::new(0) };
    /// The fiber that the thread's record is about.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// An operation of a fiber on a runtime, until it is dropped.
pub(crate) struct Operation {
    number: u64,
    /// Of the thread that began it.
    not_send: PhantomData<*const ()>,
}

impl Drop for Operation {
    fn drop(&mut self) {
        remove(self.number);
    }
}

fn add(fiber: usize, runtime: *const Shared, stay: Option<Stay>) -> u64 {
    let number = NEXT_NUMBER.replace(NEXT_NUMBER.get() + 1);
    ENTRIES.with_borrow_mut(|entries| {
        entries.push(Entry {
            number,
            fiber,
            runtime,
            stay,
        });
    });
    number
}

/// Takes an entry away. Gives it, and whether one of another fiber lies upon it in the same runtime.
fn remove(number: u64) -> Option<(Entry, bool)> {
    ENTRIES.with_borrow_mut(|entries| {
        let at = entries.iter().rposition(|entry| entry.number == number)?;
        let entry = entries.remove(at);
        let is_other = |above: &Entry| above.runtime == entry.runtime && above.fiber != entry.fiber;
        let is_covered = entries[at..].iter().any(is_other);
        Some((entry, is_covered))
    })
}

/// The thread runs `fiber`, which begins an operation on a runtime.
pub(crate) fn enter(fiber: usize, runtime: &Shared) -> Result<Operation> {
    let may_enter = ENTRIES.with_borrow(|entries| {
        let innermost = entries
            .iter()
            .rfind(|entry| std::ptr::eq(entry.runtime, runtime));
        innermost.is_none_or(|entry| {
            entry.fiber == fiber || (entry.stay.is_some() && !runtime.is_interrupted())
        })
    });
    if !may_enter {
        return Err(Error::OtherFiber);
    }
    if CURRENT.replace(fiber) != fiber {
        let stay = ENTRIES.with_borrow(|entries| {
            let mut mine = entries.iter().rev().filter(|entry| entry.fiber == fiber);
            mine.find_map(|entry| entry.stay)
        });
        let nothing = Stay {
            running: std::ptr::null_mut(),
            deadline: NEVER,
        };
        let stay = stay.unwrap_or(nothing);
        watch::record().switch(stay.running, stay.deadline);
    }
    Ok(Operation {
        number: add(fiber, runtime, None),
        not_send: PhantomData,
    })
}

/// Whether the innermost stay in a runtime is that of another fiber.
fn waits_for(fiber: usize, runtime: *const Shared) -> bool {
    ENTRIES.with_borrow(|entries| {
        let mut stays = entries.iter().filter(|entry| entry.stay.is_some());
        let innermost = stays.rfind(|entry| entry.runtime == runtime);
        innermost.is_some_and(|entry| entry.fiber != fiber)
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
            let Some((entry, is_covered)) = remove(self.number) else {
                return;
            };
            if is_covered {
                abort();
            }
            if let Some(stay) = entry.stay {
                CURRENT.set(entry.fiber);
                watch::record().switch(stay.running, stay.deadline);
            }
        }
    }
    if waits_for(fiber, runtime) {
        return Err(Error::OtherFiber);
    }
    let (running, deadline) = watch::record().running_and_deadline();
    let number = add(fiber, runtime, Some(Stay { running, deadline }));
    CURRENT.set(fiber);
    let _end = End { number };
    Ok(f())
}

/// Ends the process: a runtime's stack is in an order in which nothing on it can end.
#[cold]
fn abort() -> ! {
    eprintln!(
        "lupa-core: fatal: a thread has come back to host code that Lua code called in one fiber (or greenlet), while another one is \
         in the middle of an operation on the same runtime, where it must not switch (in a destructor or a signal handler, say)"
    );
    std::process::abort()
}
