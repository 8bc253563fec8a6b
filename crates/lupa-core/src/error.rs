//! What can go wrong.

use crate::raw::coroutine::CoroutineStatus;
use crate::value::Value;
use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a runtime.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Lua code raised an error, by `error` or by an invalid operation.
    #[error("{0}")]
    Runtime(Arc<RuntimeError>),

    /// A chunk could not be compiled, or is bytecode (or text) where the mode
    /// forbids it.
    #[error("{}", lossy(.message))]
    Syntax {
        /// Lua's message: chunk name, line and what was wrong.
        message: Vec<u8>,
    },

    /// The memory limit was reached while Lua code ran, or a value is too large for it.
    #[error("not enough memory")]
    Memory,

    /// An error of the host program, raised by one of its functions or objects.
    /// [`Error::downcast_ref`] gives it back.
    #[error("{0}")]
    External(Arc<dyn StdError + Send + Sync>),

    /// A value has the wrong type or is out of range.
    #[error("cannot convert {from} to {to}{}", detail(.message))]
    Conversion {
        /// Type of the value at hand.
        from: &'static str,
        /// Type that was asked for.
        to: &'static str,
        /// Why it does not fit; empty when the types say it all.
        message: String,
    },

    /// An argument of a host function has the wrong type.
    #[error("bad argument #{position}: {cause}")]
    BadArgument {
        /// Position, from 1.
        position: usize,
        /// What is wrong with it.
        cause: Arc<Error>,
    },

    /// Data does not have the shape that a type of serde asks for, or cannot be a Lua value.
    #[cfg(feature = "serde")]
    #[error("{0}")]
    Data(Arc<crate::serde::DataError>),

    /// A value is no valid table key: nil, or a number that is not a number.
    #[error("table index is {0}")]
    InvalidKey(&'static str),

    /// More arguments, results or nested calls than Lua's stack can hold.
    #[error("Lua stack overflow: no room for {0} more values")]
    StackOverflow(usize),

    /// Host and Lua called each other so deeply that the thread's stack is nearly used up.
    #[error("stack overflow: too many nested calls between Lua and its host")]
    RecursionLimit,

    /// The coroutine has ended, or is running.
    #[error("cannot resume {} coroutine", if .0.has_ended() { "dead" } else { "non-suspended" })]
    CoroutineUnresumable(CoroutineStatus),

    /// A function or object of the host is used while it is being changed, or changed while it is used: by
    /// Lua code that it calls, or by an argument that is the object itself.
    #[error("{0} is in use")]
    InUse(&'static str),

    /// A function or object was lent by a [`Scope`](crate::Scope) that has ended.
    #[error("the scope of {0} has ended")]
    ScopeEnded(&'static str),

    /// The runtime was closed.
    #[error("the Lua runtime is closed")]
    Closed,

    /// The runtime is running Lua code, which forbids the operation.
    #[error("the Lua runtime is running")]
    Busy,

    /// A host function was called while one that another [`Fiber`](crate::Fiber) called in the same runtime goes on.
    #[error("Lua code of this runtime waits for a function in another fiber")]
    OtherFiber,

    /// A value of one runtime was given to another.
    #[error("cannot mix objects from different Lua runtimes")]
    WrongRuntime,

    /// The process is a fork, and another thread was running Lua in this
    /// runtime when it forked.
    #[error("the Lua runtime was in use by another thread when the process forked")]
    Forked,

    /// Lua code ran longer than its time limit; see [`Runtime::set_time_limit`](crate::Runtime::set_time_limit).
    #[error("the time limit of the Lua code has passed")]
    Timeout,

    /// [`Runtime::interrupt`](crate::Runtime::interrupt) stopped the Lua code.
    #[error("the Lua code was interrupted")]
    Interrupted,

    /// What was asked for does not exist on this platform.
    #[error("not available on this platform: {0}")]
    Unavailable(&'static str),

    /// The error value lies on the Lua stack: made by [`Call::raise`](crate::Call::raise)
    /// and consumed by the function's caller, so it is never seen elsewhere.
    #[doc(hidden)]
    #[error("an error value was raised")]
    Raised,
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn detail(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

impl Error {
    /// Wraps an error of the host program.
    pub fn external(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error::External(Arc::from(error.into()))
    }

    /// Makes an error from a message.
    pub fn message(message: impl Into<String>) -> Self {
        Error::external(message.into())
    }

    /// A failed conversion, for implementations of [`FromLua`](crate::FromLua).
    pub fn conversion(from: &'static str, to: &'static str, message: impl Into<String>) -> Self {
        Error::Conversion {
            from,
            to,
            message: message.into(),
        }
    }

    /// The host program's own error, if this is one of type `T`.
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        match self {
            Error::External(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The host program's own error, if this is one of type `T` and no clone of this error is kept
    /// anywhere, for instance by Lua code.
    pub fn downcast_mut<T: StdError + 'static>(&mut self) -> Option<&mut T> {
        match self {
            Error::External(error) => Arc::get_mut(error)?.downcast_mut(),
            _ => None,
        }
    }

    /// Lua's traceback at the point of the error, where there is one.
    pub fn traceback(&self) -> Option<Cow<'_, str>> {
        match self {
            Error::Runtime(e) if !e.traceback.is_empty() => Some(lossy(&e.traceback)),
            _ => None,
        }
    }
}

/// An error raised by Lua code.
#[derive(Debug)]
#[non_exhaustive]
pub struct RuntimeError {
    /// The message in Lua's bytes: the error value itself when it is a string,
    /// else what `tostring` makes of it.
    pub message: Vec<u8>,
    /// The error value when it is not a string.
    pub value: Option<Value>,
    /// The traceback: `stack traceback:` and a line a level, innermost first.
    /// Empty where none could be made.
    pub traceback: Vec<u8>,
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lossy(&self.message))?;
        if !self.traceback.is_empty() {
            write!(f, "\n{}", lossy(&self.traceback))?;
        }
        Ok(())
    }
}

/// A panic on its way through Lua frames.
pub(crate) type Panic = Box<dyn Any + Send>;
