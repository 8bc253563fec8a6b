//! What can go wrong.
//!
//! The enum and what can be asked of every error is here; what the variants hold is beside it. All of that is behind a pointer:
//! most results have nothing else to carry, and what is larger than two registers goes through memory in the good case, too.

mod argument;
mod context;
mod external;
mod location;
mod raised;
mod text;
mod value;

pub use argument::{ArgumentError, ConversionError};
pub use context::{ContextError, ErrorContext};
pub use external::ExternalResult;
pub use location::Location;
pub use raised::{ExternalError, RuntimeError, StopError, SyntaxError};
pub use text::{Message, Subject};

use crate::raw::coroutine::CoroutineStatus;
use raised::Traced;
use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::sync::Arc;

/// The result type of this crate.
///
/// ```
/// use lupa_core::{Result, Runtime};
/// use std::num::ParseIntError;
///
/// fn double(lua: &Runtime, text: &str) -> Result<u32> {
///     lua.load("return 2 * ...").call(number(text)?)
/// }
///
/// // It may stand for that of the standard library, too.
/// fn number(text: &str) -> Result<u32, ParseIntError> {
///     text.parse()
/// }
///
/// let lua = Runtime::new()?;
/// assert_eq!(double(&lua, "21")?, 42);
/// assert!(double(&lua, "x").unwrap_err().downcast_ref::<ParseIntError>().is_some());
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong in a runtime.
///
/// | To ask | Use |
/// |---|---|
/// | what went wrong, in words | [`text`](Self::text); `Display` adds the traceback below |
/// | where Lua code was | [`traceback`](Self::traceback), whoever raised the error; [`locations`](Self::locations) are its lines |
/// | which kind it is | `match`, of [`root`](Self::root) where something may have been said about it |
/// | which error of the host it is | [`downcast_ref`](Self::downcast_ref) |
/// | what caused that | `source`, of the standard trait: what lies behind the error of the host |
///
/// All of them see through contexts and the positions of arguments, and find the same when an error of the host has passed
/// through Lua code, however often. So do [`Memory`](Self::Memory), [`RecursionLimit`](Self::RecursionLimit), [`Timeout`](Self::Timeout)
/// and [`Interrupted`](Self::Interrupted) stay what they are.
///
/// The others say that Lua code, or what it passed, was wrong: a bad argument, an object in use, the end of a scope. In Lua they are
/// texts as those of Lua's own functions are, and arrive as [`Runtime`](Self::Runtime). Where Lua code has not changed the text,
/// [`RuntimeError::cause`] is the error itself, which `root` finds, too.
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
/// assert!(error.traceback().is_some(), "where Lua code called `read`");
///
/// let error = lua.load("error('stuck', 0)").exec().context("plugin 'clock'").unwrap_err();
/// assert_eq!(error.text(), "plugin 'clock': stuck");
/// assert!(error.traceback().unwrap().starts_with("stack traceback:"));
/// assert!(matches!(error.root(), Error::Runtime(_)));
///
/// lua.globals()?.set("half", lua.function(|n: f64| n / 2.0)?)?;
/// let error = lua.load("half('x')").exec().unwrap_err();
/// assert!(matches!(error, Error::Runtime(_)));
/// assert_eq!(error.text(), "bad argument #1: cannot convert string to number");
/// assert!(matches!(error.root(), Error::Conversion(error) if error.from == "string"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Lua code raised an error, by `error` or by an invalid operation.
    #[error("{0}")]
    Runtime(Arc<RuntimeError>),

    /// A chunk could not be compiled, or is bytecode (or text) where the mode
    /// forbids it.
    #[error(transparent)]
    Syntax(Arc<SyntaxError>),

    /// The memory limit was reached while Lua code ran, or a value is too large for it.
    #[error("not enough memory")]
    Memory,

    /// An error of the host program, raised by one of its functions or objects.
    /// [`Error::downcast_ref`] gives it back.
    #[error(transparent)]
    External(Arc<ExternalError>),

    /// A value has the wrong type or is out of range.
    #[error(transparent)]
    Conversion(Arc<ConversionError>),

    /// An argument of a host function has the wrong type.
    #[error(transparent)]
    BadArgument(Arc<ArgumentError>),

    /// An error with what was said about it on its way; made by [`Error::context`].
    #[error(transparent)]
    Context(Arc<ContextError>),

    /// Data does not have the shape that a type of serde asks for, or cannot be a Lua value.
    #[cfg(feature = "serde")]
    #[error("{0}")]
    Data(Arc<crate::serde::DataError>),

    /// A value is no valid table key: nil, or a number that is not a number.
    #[error("table index is {0}")]
    InvalidKey(Subject),

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
    InUse(Subject),

    /// A function or object was lent by a [`Scope`](crate::Scope) that has ended.
    #[error("the scope of {0} has ended")]
    ScopeEnded(Subject),

    /// The runtime was closed.
    #[error("the Lua runtime is closed")]
    Closed,

    /// The runtime is running Lua code, which forbids the operation.
    #[error("the Lua runtime is running")]
    Busy,

    /// Another [`Fiber`](crate::Fiber) is in the middle of an operation on the same runtime, which has to end before: or a host function
    /// was called, or code that may switch in the middle of an operation, while such host code of another fiber goes on.
    #[error("this runtime waits for a function in another fiber")]
    OtherFiber,

    /// A value of one runtime was given to another.
    #[error("cannot mix objects from different Lua runtimes")]
    WrongRuntime,

    /// The process is a fork, and another thread was running Lua in this
    /// runtime when it forked.
    #[error("the Lua runtime was in use by another thread when the process forked")]
    Forked,

    /// A thread has ended in the middle of an operation on this runtime, or without giving its [`Guard`](crate::Guard) back: nobody
    /// can use the runtime any more.
    #[error("a thread that was using the Lua runtime has ended without leaving it")]
    Abandoned,

    /// Lua code ran longer than its time limit; see [`Runtime::set_time_limit`](crate::Runtime::set_time_limit).
    #[error("{}", Traced(TIMEOUT, &.0.traceback))]
    Timeout(Arc<StopError>),

    /// [`Runtime::interrupt`](crate::Runtime::interrupt) stopped the Lua code.
    #[error("{}", Traced(INTERRUPTED, &.0.traceback))]
    Interrupted(Arc<StopError>),

    /// What was asked for does not exist on this platform.
    #[error("not available on this platform: {0}")]
    Unavailable(Subject),

    /// The error value lies on the Lua stack: made by [`Call::raise`](crate::Call::raise)
    /// and consumed by the function's caller, so it is never seen elsewhere.
    #[doc(hidden)]
    #[error("an error value was raised")]
    Raised,
}

impl Error {
    /// Wraps an error of the host program. One of this crate that was put into a box is taken out of it again.
    ///
    /// ```
    /// use lupa_core::{Error, Runtime, function};
    /// use std::sync::Arc;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("no user {0}")]
    /// struct NoUser(u32);
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("user", function(|id: u32| match id {
    ///     1 => Ok("Ada"),
    ///     _ => Err(Error::external(NoUser(id))),
    /// }))?;
    /// let error = lua.load("return user(7)").exec().unwrap_err();
    /// assert_eq!(error.downcast_ref::<NoUser>().unwrap().0, 7);
    ///
    /// let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(Error::Timeout(Arc::default()));
    /// assert!(matches!(Error::external(boxed), Error::Timeout(_)));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn external(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        match error.into().downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::External(Arc::new(ExternalError {
                error: Arc::from(error),
                traceback: Message::default(),
            })),
        }
    }

    /// Makes an error from a message.
    pub fn message(message: impl Into<String>) -> Self {
        Error::external(message.into())
    }

    /// A failed conversion, for implementations of [`FromLua`](crate::FromLua).
    ///
    /// ```
    /// use lupa_core::{Error, FromLua, Result, Runtime, Slot};
    ///
    /// struct Percent(f64);
    ///
    /// impl<'s> FromLua<'s> for Percent {
    ///     fn from_lua(slot: Slot<'s>) -> Result<Self> {
    ///         match f64::from_lua(slot)? {
    ///             n @ 0.0..=100.0 => Ok(Percent(n)),
    ///             n => Err(Error::conversion("number", "percentage", format!("{n} is not between 0 and 100"))),
    ///         }
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// assert_eq!(lua.load("return 12.5").eval::<Percent>()?.0, 12.5);
    /// let Err(error) = lua.load("return 120").eval::<Percent>() else { panic!() };
    /// assert_eq!(error.text(), "cannot convert number to percentage: 120 is not between 0 and 100");
    /// # Ok::<(), Error>(())
    /// ```
    #[cold]
    pub fn conversion(from: &'static str, to: &'static str, message: impl Into<String>) -> Self {
        Error::Conversion(Arc::new(ConversionError {
            from,
            to,
            message: message.into(),
        }))
    }

    /// A chunk that does not compile, in Lua's words.
    #[cold]
    pub(crate) fn syntax(message: Vec<u8>) -> Self {
        Error::Syntax(Arc::new(SyntaxError {
            message: message.into(),
        }))
    }

    /// What went wrong, without the traceback that `Display` has below it.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Error::Runtime(error) => error.message.to_str_lossy(),
            Error::Syntax(error) => error.message.to_str_lossy(),
            Error::External(error) => error.error.to_string().into(),
            Error::BadArgument(error) => error.text().into(),
            Error::Context(error) => error.text().into(),
            Error::Timeout(_) => TIMEOUT.into(),
            Error::Interrupted(_) => INTERRUPTED.into(),
            other => other.to_string().into(),
        }
    }

    /// Lua's traceback at the point of the error, where there is one: for errors of Lua code, for those of the host that
    /// have passed through Lua code, and for code that was stopped. If Lua code and the host have called each other in turn, it is that of the innermost Lua code
    /// for errors of the host.
    ///
    /// ```
    /// use lupa_core::{Error, Runtime, function};
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("parse", function(|text: &str| Ok(text.parse::<u32>()?)))?;
    /// let error = lua.load("local a = parse('1')\nlocal b = parse('x')").name("@rules.lua").exec().unwrap_err();
    /// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
    /// assert!(error.traceback().unwrap().contains("rules.lua:2: in main chunk"));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn traceback(&self) -> Option<Cow<'_, str>> {
        let traceback = match self.bottom() {
            Error::Runtime(error) => &error.traceback,
            Error::External(error) => &error.traceback,
            Error::Timeout(error) | Error::Interrupted(error) => &error.traceback,
            _ => return None,
        };
        (!traceback.is_empty()).then(|| traceback.to_str_lossy())
    }

    /// The error below all that was said about it: contexts, the position of an argument, and that it was raised in Lua code
    /// ([`RuntimeError::cause`]).
    pub fn root(&self) -> &Error {
        match self.bottom() {
            Error::Runtime(error) => error.cause.as_ref().map_or(self.bottom(), Error::root),
            other => other,
        }
    }

    /// The error below contexts and the position of an argument.
    pub(crate) fn bottom(&self) -> &Error {
        match self {
            Error::BadArgument(error) => error.cause.bottom(),
            Error::Context(error) => error.cause.bottom(),
            other => other,
        }
    }

    /// The error with another one in the place of [`Error::bottom`].
    fn map_bottom(self, change: impl FnOnce(Error) -> Error) -> Error {
        match self {
            Error::BadArgument(error) => Error::BadArgument(Arc::new(ArgumentError {
                position: error.position,
                method: error.method.clone(),
                cause: error.cause.clone().map_bottom(change),
            })),
            Error::Context(error) => Error::Context(Arc::new(ContextError {
                context: error.context.clone(),
                is_place: error.is_place,
                cause: error.cause.clone().map_bottom(change),
            })),
            other => change(other),
        }
    }

    /// The host program's own error, if this is one of type `T`.
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        match self.root() {
            Error::External(error) => error.error.downcast_ref(),
            _ => None,
        }
    }

    /// The host program's own error, if this is one of type `T` and no clone of this error is kept
    /// anywhere, for instance by Lua code.
    ///
    /// ```
    /// use lupa_core::Error;
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("line {line}: {text}")]
    /// struct ConfigError { line: u32, text: &'static str }
    ///
    /// let mut error = Error::external(ConfigError { line: 2, text: "no value" }).context("at the start");
    /// // The text that was read began at line 40 of a file.
    /// error.downcast_mut::<ConfigError>().unwrap().line += 39;
    /// assert_eq!(error.text(), "at the start: line 41: no value");
    ///
    /// let _kept = error.clone();
    /// assert!(error.downcast_mut::<ConfigError>().is_none());
    /// ```
    pub fn downcast_mut<T: StdError + 'static>(&mut self) -> Option<&mut T> {
        match self {
            Error::External(error) => Arc::get_mut(&mut Arc::get_mut(error)?.error)?.downcast_mut(),
            Error::BadArgument(error) => Arc::get_mut(error)?.cause.downcast_mut(),
            Error::Context(error) => Arc::get_mut(error)?.cause.downcast_mut(),
            _ => None,
        }
    }
}

const TIMEOUT: &str = "the time limit of the Lua code has passed";
const INTERRUPTED: &str = "the Lua code was interrupted";

/// A panic on its way through Lua frames.
pub(crate) type Panic = Box<dyn Any + Send>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_fit_into_registers() {
        const TWO_REGISTERS: usize = 2 * size_of::<usize>();
        assert!(size_of::<Error>() <= TWO_REGISTERS);
        assert!(size_of::<Result<()>>() <= TWO_REGISTERS);
        assert!(size_of::<Result<bool>>() <= TWO_REGISTERS);
        assert!(size_of::<Result<i32>>() <= TWO_REGISTERS);
    }
}
