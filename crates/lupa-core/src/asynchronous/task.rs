//! The driver: a coroutine whose awaits are polled.

use super::awaiting::{Await, Future, State};
use crate::call::{Arguments, Directly, Results};
use crate::coroutine::Coroutine;
use crate::error::Result;
use std::task::{Context, Poll};

/// Times that a coroutine goes on in a row, when what it awaits is ready at once, before other
/// tasks of the executor have their turn.
const BUDGET: u32 = 128;

/// Pushes the arguments with which a coroutine starts or goes on.
pub(super) type Push<'a> = Box<dyn FnOnce(&mut Arguments<'_>) -> Result<()> + Send + 'a>;

/// A coroutine as a task of an executor. No lock is held while it waits.
pub(super) struct Task<'a> {
    coroutine: Coroutine,
    push: Option<Push<'a>>,
    awaited: Option<(Await, Future)>,
    /// The coroutine is this task's alone, and ends with it.
    owns: bool,
    /// A yield to be answered with an error.
    refuse_yield: bool,
    ended: bool,
}

/// Where a coroutine stands after a turn.
enum Turn<R> {
    Awaits(Await, Future),
    /// It has yielded, or else returned.
    Gives {
        yielded: bool,
        value: R,
    },
}

/// What a plain yield means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Yields {
    /// Values for who drives the coroutine.
    Values,
    /// Another task's turn; there is nobody to take values.
    Turn,
}

impl<'a> Task<'a> {
    pub(super) fn new(coroutine: Coroutine, push: Push<'a>, owns: bool) -> Self {
        Task {
            coroutine,
            push: Some(push),
            awaited: None,
            owns,
            refuse_yield: false,
            ended: false,
        }
    }

    /// Whether the coroutine has returned or failed.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Goes on until the coroutine gives values, by `read`, and whether it has yielded them.
    pub(super) fn poll<R>(
        &mut self,
        context: &mut Context<'_>,
        yields: Yields,
        read: impl for<'s> Fn(Results<'s>) -> Result<R>,
    ) -> Poll<Result<(bool, R)>> {
        for _ in 0..BUDGET {
            if let Some((awaited, future)) = &mut self.awaited {
                let Poll::Ready(outcome) = future.as_mut().poll(context) else {
                    return Poll::Pending;
                };
                drop(awaited.replace(State::Done(outcome)));
                self.awaited = None;
            }
            let turn = self.turn(|results| {
                if yields == Yields::Turn && results.yielded() {
                    return Ok((results.is_empty(), None));
                }
                Ok((false, Some(read(results)?)))
            });
            match turn {
                Ok(Turn::Awaits(awaited, future)) => self.awaited = Some((awaited, future)),
                Ok(Turn::Gives {
                    yielded,
                    value: (_, Some(value)),
                }) => {
                    self.ended = !yielded;
                    return Poll::Ready(Ok((yielded, value)));
                }
                Ok(Turn::Gives {
                    value: (is_empty, None),
                    ..
                }) => {
                    self.refuse_yield = !is_empty;
                    if is_empty {
                        break;
                    }
                }
                Err(error) => {
                    self.ended = true;
                    return Poll::Ready(Err(error));
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Lets the coroutine run until it yields or ends.
    fn turn<R>(&mut self, read: impl FnOnce(Results<'_>) -> Result<R>) -> Result<Turn<R>> {
        let read = |results: Results<'_>| {
            let awaited = results.yielded().then(|| results.get(0).object::<Await>());
            if let Some(awaited) = awaited.flatten()
                && let Some(future) = awaited.begin()
            {
                return Ok(Turn::Awaits(awaited.clone(), future));
            }
            read(results).map(|value| Turn::Gives {
                yielded: results.yielded(),
                value,
            })
        };
        if std::mem::take(&mut self.refuse_yield) {
            let error = "attempt to yield values from outside a coroutine";
            return self.coroutine.throw_with(
                |to| to.bytes(error.as_bytes()),
                true,
                Directly,
                read,
            );
        }
        let push = self.push.take();
        self.coroutine
            .resume_with(|to| push.map_or(Ok(()), |push| push(to)), Directly, read)
    }
}

impl Drop for Task<'_> {
    /// Cancels what the coroutine awaits, and ends one that is the task's own. If another thread runs the runtime, the coroutine is left to
    /// the collector instead of waiting.
    fn drop(&mut self) {
        if let Some((awaited, future)) = self.awaited.take() {
            drop(future);
            drop(awaited.replace(State::Over));
        }
        if self.owns && !self.ended {
            let runtime = self.coroutine.runtime();
            if let Some(_guard) = runtime.try_lock() {
                // It may have been closed with its runtime, or run at this moment in a panic.
                let _ = self.coroutine.close();
            }
        }
    }
}

impl std::fmt::Debug for Task<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task")
            .field("coroutine", &self.coroutine)
            .field("awaits", &self.awaited.is_some())
            .finish_non_exhaustive()
    }
}
