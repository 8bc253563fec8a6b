//! An await: a future that Lua code waits for.

use crate::convert::IntoLuaMulti;
use crate::error::Result;
use crate::host::{Call, HostObject, Operation};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The results of a future, to be pushed.
#[doc(hidden)]
pub struct Reply(Push);

type Push = Box<dyn FnOnce(&mut Call<'_>) -> Result<()> + Send>;

/// A future of an async function.
pub(super) type Future = Pin<Box<dyn std::future::Future<Output = Result<Reply>> + Send>>;

impl Reply {
    pub(super) fn new<T: IntoLuaMulti + Send + 'static>(value: T) -> Reply {
        Reply(Box::new(move |call| call.give(value)))
    }
}

/// Where an await stands.
pub(super) enum State {
    /// Nobody has begun to poll the future.
    New(Future),
    /// A task polls it.
    Polled,
    Done(Result<Reply>),
    /// There is no task that could poll it.
    Refused,
    /// Its task was dropped, or its results were given.
    Over,
}

/// An await as Lua code holds it. Only this library makes it, so what a coroutine yields cannot be mistaken
/// for one.
#[derive(Clone)]
pub(super) struct Await(Arc<Mutex<State>>);

impl Await {
    pub(super) fn new(future: Future) -> Self {
        Await(Arc::new(Mutex::new(State::New(future))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts it into another state and gives the one that it was in, to be dropped outside of the lock.
    pub(super) fn replace(&self, state: State) -> State {
        std::mem::replace(&mut *self.state(), state)
    }

    pub(super) fn is_new(&self) -> bool {
        matches!(*self.state(), State::New(_))
    }

    /// The future, if nobody polls it yet.
    pub(super) fn begin(&self) -> Option<Future> {
        let mut state = self.state();
        if !matches!(*state, State::New(_)) {
            return None;
        }
        match std::mem::replace(&mut *state, State::Polled) {
            State::New(future) => Some(future),
            _ => None,
        }
    }

    /// Pushes the results for the Lua code that waits for them.
    pub(super) fn results(&self, call: &mut Call<'_>) -> Result<()> {
        let state = self.replace(State::Over);
        let text = match &state {
            State::Done(_) => None,
            State::Refused => Some(
                "cannot await here: this code was not called by an async call, \
                 or from inside a function such as table.sort or require",
            ),
            State::New(_) => {
                Some("cannot await here: the coroutine was resumed by other than its async call")
            }
            State::Polled => Some("the coroutine was resumed while it awaits"),
            State::Over => Some("the await was cancelled"),
        };
        match (state, text) {
            (State::Done(outcome), _) => outcome?.0(call),
            (_, text) => {
                let text = text.unwrap_or_default();
                let message = [&call.location()[..], text.as_bytes()].concat();
                Err(call.raise(crate::convert::Bytes(&message)))
            }
        }
    }
}

impl HostObject for Await {
    const NAME: &'static str = "await";
    const OPERATIONS: &'static [Operation] = &[Operation::ToString];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        call.push("await")
    }
}

/// An argument that must be an await; Lua code with the debug library may pass anything.
pub(super) fn argument(call: &Call<'_>) -> Result<Await> {
    let slot = call.arg(0);
    let object = slot.object::<Await>();
    object
        .map(|object| object.clone())
        .ok_or_else(|| call.bad(0, slot.mismatch(Await::NAME)))
}
