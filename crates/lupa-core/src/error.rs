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
///
/// | To ask | Use |
/// |---|---|
/// | what went wrong, in words | [`text`](Self::text); `Display` adds the traceback below |
/// | where Lua code was | [`traceback`](Self::traceback) |
/// | which kind it is | `match`, of [`root`](Self::root) where something may have been said about it |
/// | which error of the host it is | [`downcast_ref`](Self::downcast_ref) |
/// | what caused that | `source`, of the standard trait: what lies behind the error of the host |
///
/// All of them see through contexts and the positions of arguments, and find the same when an error of the host has passed
/// through Lua code, however often.
///
/// ```
/// use lupa_core::{Error, ErrorContext, Result, Runtime};
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("read", lua.function(|path: String| -> Result<String> {
///     std::fs::read_to_string(&path).with_context(|| format!("cannot read '{path}'"))
/// })?)?;
/// let error = lua.load("read('no/such.file')").exec().context("plugin 'notes'").unwrap_err();
/// assert!(error.text().starts_with("plugin 'notes': cannot read 'no/such.file': "));
/// assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::NotFound);
///
/// let error = lua.load("error('stuck', 0)").exec().context("plugin 'clock'").unwrap_err();
/// assert_eq!(error.text(), "plugin 'clock': stuck");
/// assert!(error.traceback().unwrap().starts_with("stack traceback:"));
/// assert!(matches!(error.root(), Error::Runtime(_)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// Lua code raised an error, by `error` or by an invalid operation.
    Runtime(Arc<RuntimeError>),

    /// A chunk could not be compiled, or is bytecode (or text) where the mode
    /// forbids it.
    Syntax {
        /// Lua's message: chunk name, line and what was wrong.
        message: Vec<u8>,
    },

    /// The memory limit was reached while Lua code ran, or a value is too large for it.
    Memory,

    /// An error of the host program, raised by one of its functions or objects.
    /// [`Error::downcast_ref`] gives it back.
    External(Arc<dyn StdError + Send + Sync>),

    /// A value has the wrong type or is out of range.
    Conversion {
        /// Type of the value at hand.
        from: &'static str,
        /// Type that was asked for.
        to: &'static str,
        /// Why it does not fit; empty when the types say it all.
        message: String,
    },

    /// An argument of a host function has the wrong type.
    BadArgument {
        /// Position, from 1.
        position: usize,
        /// What is wrong with it.
        cause: Arc<Error>,
    },

    /// An error with what was said about it on its way; made by [`Error::context`].
    Context {
        /// What was said.
        context: String,
        /// The error as it was before.
        cause: Arc<Error>,
    },

    /// Data does not have the shape that a type of serde asks for, or cannot be a Lua value.
    #[cfg(feature = "serde")]
    Data(Arc<crate::serde::DataError>),

    /// A value is no valid table key: nil, or a number that is not a number.
    InvalidKey(&'static str),

    /// More arguments, results or nested calls than Lua's stack can hold.
    StackOverflow(usize),

    /// Host and Lua called each other so deeply that the thread's stack is nearly used up.
    RecursionLimit,

    /// The coroutine has ended, or is running.
    CoroutineUnresumable(CoroutineStatus),

    /// A function or object of the host is used while it is being changed, or changed while it is used: by
    /// Lua code that it calls, or by an argument that is the object itself.
    InUse(&'static str),

    /// A function or object was lent by a [`Scope`](crate::Scope) that has ended.
    ScopeEnded(&'static str),

    /// The runtime was closed.
    Closed,

    /// The runtime is running Lua code, which forbids the operation.
    Busy,

    /// A host function was called while one that another [`Fiber`](crate::Fiber) called in the same runtime goes on.
    OtherFiber,

    /// A value of one runtime was given to another.
    WrongRuntime,

    /// The process is a fork, and another thread was running Lua in this
    /// runtime when it forked.
    Forked,

    /// Lua code ran longer than its time limit; see [`Runtime::set_time_limit`](crate::Runtime::set_time_limit).
    Timeout,

    /// [`Runtime::interrupt`](crate::Runtime::interrupt) stopped the Lua code.
    Interrupted,

    /// What was asked for does not exist on this platform.
    Unavailable(&'static str),

    /// The error value lies on the Lua stack: made by [`Call::raise`](crate::Call::raise)
    /// and consumed by the function's caller, so it is never seen elsewhere.
    #[doc(hidden)]
    Raised,
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

impl Error {
    /// Wraps an error of the host program. One of this crate that was put into a box is taken out of it again.
    pub fn external(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        match error.into().downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::External(Arc::from(error)),
        }
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

    /// What went wrong, without the traceback that `Display` has below it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Error::Runtime(error) => lossy(&error.message),
            Error::Syntax { message } => lossy(message),
            Error::Memory => "not enough memory".into(),
            Error::External(error) => error.to_string().into(),
            Error::Conversion { from, to, message } => {
                let colon = if message.is_empty() { "" } else { ": " };
                format!("cannot convert {from} to {to}{colon}{message}").into()
            }
            Error::BadArgument { position, cause } => {
                format!("bad argument #{position}: {}", cause.text()).into()
            }
            Error::Context { context, cause } => format!("{context}: {}", cause.text()).into(),
            #[cfg(feature = "serde")]
            Error::Data(error) => error.to_string().into(),
            Error::InvalidKey(key) => format!("table index is {key}").into(),
            Error::StackOverflow(count) => {
                format!("Lua stack overflow: no room for {count} more values").into()
            }
            Error::RecursionLimit => {
                "stack overflow: too many nested calls between Lua and its host".into()
            }
            Error::CoroutineUnresumable(status) if status.has_ended() => {
                "cannot resume dead coroutine".into()
            }
            Error::CoroutineUnresumable(_) => "cannot resume non-suspended coroutine".into(),
            Error::InUse(what) => format!("{what} is in use").into(),
            Error::ScopeEnded(what) => format!("the scope of {what} has ended").into(),
            Error::Closed => "the Lua runtime is closed".into(),
            Error::Busy => "the Lua runtime is running".into(),
            Error::OtherFiber => {
                "Lua code of this runtime waits for a function in another fiber".into()
            }
            Error::WrongRuntime => "cannot mix objects from different Lua runtimes".into(),
            Error::Forked => {
                "the Lua runtime was in use by another thread when the process forked".into()
            }
            Error::Timeout => "the time limit of the Lua code has passed".into(),
            Error::Interrupted => "the Lua code was interrupted".into(),
            Error::Unavailable(what) => format!("not available on this platform: {what}").into(),
            Error::Raised => "an error value was raised".into(),
        }
    }

    /// Lua's traceback at the point of the error, where there is one.
    pub fn traceback(&self) -> Option<Cow<'_, str>> {
        match self.root() {
            Error::Runtime(e) if !e.traceback.is_empty() => Some(lossy(&e.traceback)),
            _ => None,
        }
    }

    /// The error below all that was said about it: contexts, and the position of an argument.
    pub fn root(&self) -> &Error {
        match self {
            Error::Context { cause, .. } | Error::BadArgument { cause, .. } => cause.root(),
            other => other,
        }
    }

    /// The host program's own error, if this is one of type `T`.
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        match self.root() {
            Error::External(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// The host program's own error, if this is one of type `T` and no clone of this error is kept
    /// anywhere, for instance by Lua code.
    pub fn downcast_mut<T: StdError + 'static>(&mut self) -> Option<&mut T> {
        match self {
            Error::External(error) => Arc::get_mut(error)?.downcast_mut(),
            Error::Context { cause, .. } | Error::BadArgument { cause, .. } => {
                Arc::get_mut(cause)?.downcast_mut()
            }
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())?;
        match self.traceback() {
            Some(traceback) => write!(f, "\n{traceback}"),
            None => Ok(()),
        }
    }
}

impl StdError for Error {
    /// What lies behind the host's own error, whose text is part of this one's.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self.root() {
            Error::External(error) => error.source(),
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
