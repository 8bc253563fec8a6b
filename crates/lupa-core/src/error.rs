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
/// assert!(matches!(error.root(), Error::Conversion { from: "string", .. }));
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
    #[error("{message}")]
    Syntax {
        /// Lua's message: chunk name, line and what was wrong.
        message: Message,
    },

    /// The memory limit was reached while Lua code ran, or a value is too large for it.
    #[error("not enough memory")]
    Memory,

    /// An error of the host program, raised by one of its functions or objects.
    /// [`Error::downcast_ref`] gives it back.
    #[error(transparent)]
    External(ExternalError),

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

/// A text of Lua's, in whatever encoding that has.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message(Vec<u8>);

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Message(bytes)
    }
}

impl std::ops::Deref for Message {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Message {
    /// The text, with U+FFFD in the place of what is no UTF-8.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_str_lossy())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_str_lossy())
    }
}

/// Whether a traceback has a level that is not C: else the host has called its own function, and it tells nothing.
fn names_lua_code(traceback: &[u8]) -> bool {
    let mut levels = traceback.split(|byte| *byte == b'\n').skip(1);
    levels.any(|level| !level.starts_with(b"\t[C]"))
}

fn detail(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

impl Error {
    /// Wraps an error of the host program. One of this crate that was put into a box is taken out of it again.
    pub fn external(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        match error.into().downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::External(ExternalError {
                error: Arc::from(error),
                traceback: Message::default(),
            }),
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
            Error::Runtime(error) => error.message.to_str_lossy(),
            Error::Syntax { message } => message.to_str_lossy(),
            Error::External(error) => error.error.to_string().into(),
            Error::BadArgument(error) => error.text().into(),
            Error::Context(error) => error.text().into(),
            other => other.to_string().into(),
        }
    }

    /// Lua's traceback at the point of the error, where there is one: for errors of Lua code, and for those of the host that
    /// have passed through Lua code. If Lua code and the host have called each other in turn, it is that of the innermost Lua code
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

    /// The error without the value of the error of Lua code below all that was said about it, and that value; `None` if
    /// there is none.
    pub(crate) fn without_value(&self) -> Option<(Error, Value)> {
        let Error::Runtime(error) = self.bottom() else {
            return None;
        };
        let value = error.value.as_ref()?.clone();
        Some((self.clone().with_value(None), value))
    }

    /// The error with another value of the error of Lua code below all that was said about it.
    pub(crate) fn with_value(self, value: Option<Value>) -> Error {
        self.map_bottom(|error| match error {
            Error::Runtime(error) => Error::Runtime(Arc::new(RuntimeError {
                message: error.message.clone(),
                value,
                traceback: error.traceback.clone(),
                cause: error.cause.clone(),
            })),
            other => other,
        })
    }

    /// An error of the host with the traceback of the Lua code that it has passed through, if there was any and it has none
    /// yet.
    #[cold]
    pub(crate) fn traced(self, traceback: impl FnOnce() -> Vec<u8>) -> Error {
        match self.bottom() {
            Error::External(error) if error.traceback.is_empty() => {
                self.map_bottom(|error| match error {
                    Error::External(mut error) => {
                        let traceback = traceback();
                        if names_lua_code(&traceback) {
                            error.traceback = traceback.into();
                        }
                        Error::External(error)
                    }
                    other => other,
                })
            }
            _ => self,
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
    pub fn downcast_mut<T: StdError + 'static>(&mut self) -> Option<&mut T> {
        match self {
            Error::External(error) => Arc::get_mut(&mut error.error)?.downcast_mut(),
            Error::BadArgument(error) => Arc::get_mut(error)?.cause.downcast_mut(),
            Error::Context(error) => Arc::get_mut(error)?.cause.downcast_mut(),
            _ => None,
        }
    }
}

/// An argument of a host function that has the wrong type.
#[derive(Debug)]
#[non_exhaustive]
pub struct ArgumentError {
    /// Position, from 1.
    pub position: usize,
    /// What is wrong with it.
    pub cause: Error,
}

impl ArgumentError {
    fn text(&self) -> String {
        format!("bad argument #{}: {}", self.position, self.cause.text())
    }
}

/// An error with what was said about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ContextError {
    /// What was said.
    pub context: String,
    /// The error as it was before.
    pub cause: Error,
    /// The context says where in a value the error is, as [`Error::at`] does.
    pub(crate) is_place: bool,
}

impl ContextError {
    fn text(&self) -> String {
        format!("{}: {}", self.context, self.cause.text())
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad argument #{}: {}", self.position, self.cause)
    }
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.context, self.cause)
    }
}

// What lies behind the cause: its own text is part of these.
impl StdError for ArgumentError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

impl StdError for ContextError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

/// An error of the host program.
///
/// ```
/// use lupa_core::{Error, Runtime};
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("read", lua.function(|path: &str| Ok(std::fs::read_to_string(path)?))?)?;
/// let Err(Error::External(error)) = lua.load("read('no/such.file')").name("@start.lua").exec() else { panic!() };
/// assert!(error.error.is::<std::io::Error>());
/// assert!(error.traceback.to_str_lossy().contains("start.lua:1:"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExternalError {
    /// The error itself.
    pub error: Arc<dyn StdError + Send + Sync>,
    /// The traceback of the Lua code that the error has passed through, as that of a [`RuntimeError`]. Empty for an error
    /// that has not.
    pub traceback: Message,
}

impl fmt::Display for ExternalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_below(f, &self.error, &self.traceback)
    }
}

impl StdError for ExternalError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

/// An error raised by Lua code.
///
/// ```
/// use lupa_core::{Error, Runtime, Value};
///
/// let lua = Runtime::new()?;
/// let Err(Error::Runtime(error)) = lua.load("error({ code = 404 })").exec() else { panic!() };
/// let Some(Value::Table(value)) = &error.value else { panic!() };
/// assert_eq!(value.get::<u32>("code")?, 404);
/// assert!(error.message.starts_with(b"table: "));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct RuntimeError {
    /// The message in Lua's bytes: the error value itself when it is a string,
    /// else what `tostring` makes of it.
    pub message: Message,
    /// The error value when it is not a string.
    pub value: Option<Value>,
    /// The traceback: `stack traceback:` and a line a level, innermost first.
    /// Empty where none could be made.
    pub traceback: Message,
    /// The error of a host function that was raised as this text: a bad argument, an object in use, the end of a scope, a chunk
    /// that did not compile. It is found by the text, so `None` after Lua code has changed that, or caught the
    /// error and met another such error before it raised this one again.
    ///
    /// ```
    /// use lupa_core::{Error, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("half", lua.function(|n: f64| n / 2.0)?)?;
    /// let Err(Error::Runtime(error)) = lua.load("half('x')").exec() else { panic!() };
    /// let Some(Error::BadArgument(bad)) = &error.cause else { panic!() };
    /// assert_eq!(bad.position, 1);
    /// # Ok::<(), Error>(())
    /// ```
    pub cause: Option<Error>,
}

impl RuntimeError {
    /// An error with a text and nothing else.
    pub(crate) fn new(message: impl Into<Vec<u8>>) -> Self {
        RuntimeError {
            message: message.into().into(),
            value: None,
            traceback: Message::default(),
            cause: None,
        }
    }
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_below(f, &self.message, &self.traceback)
    }
}

fn write_below(
    f: &mut fmt::Formatter<'_>,
    text: &dyn fmt::Display,
    traceback: &Message,
) -> fmt::Result {
    write!(f, "{text}")?;
    if !traceback.is_empty() {
        write!(f, "\n{traceback}")?;
    }
    Ok(())
}

/// A panic on its way through Lua frames.
pub(crate) type Panic = Box<dyn Any + Send>;
