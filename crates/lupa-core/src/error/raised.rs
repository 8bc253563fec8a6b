//! What errors hold that Lua code has raised, or that have passed through it: the traceback, and the error value.

use super::{Error, Message};
use crate::value::Value;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

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

/// A chunk that could not be compiled.
///
/// ```
/// use lupa_core::{Error, Runtime};
///
/// let lua = Runtime::new()?;
/// let Err(Error::Syntax(error)) = lua.load("x = = 1").name("=config").exec() else { panic!() };
/// assert_eq!(error.message[..], *b"config:1: unexpected symbol near '='");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct SyntaxError {
    /// Lua's message: chunk name, line and what was wrong.
    pub message: Message,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.message.fmt(f)
    }
}

impl StdError for SyntaxError {}

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

/// Where Lua code was when it was stopped.
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{Error, Runtime};
/// use std::time::Duration;
///
/// let lua = Runtime::new()?;
/// lua.set_time_limit(Some(Duration::from_millis(20)))?;
/// let rule = "local n = 0\nwhile true do\n  n = n + 1\nend";
/// let Err(Error::Timeout(error)) = lua.load(rule).name("@rule.lua").exec() else { panic!() };
/// assert!(error.traceback.to_str_lossy().contains("rule.lua:"));
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct StopError {
    /// The traceback, as that of a [`RuntimeError`]. Empty for finalizers that are stopped while a runtime is closed, and for an
    /// error that the host has made itself.
    pub traceback: Message,
}

/// Text with a traceback below.
pub(super) struct Traced<'a>(pub(super) &'static str, pub(super) &'a Message);

impl fmt::Display for Traced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_below(f, &self.0, self.1)
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

impl Error {
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

    /// An error of the host, or a stop, with the traceback of the Lua code that it has passed through, if there was any and it
    /// has none yet.
    #[cold]
    pub(crate) fn traced(self, traceback: impl FnOnce() -> Vec<u8>) -> Error {
        if self.traceback().is_some() {
            return self;
        }
        self.map_bottom(|mut error| {
            let place = match &mut error {
                Error::External(error) => &mut Arc::make_mut(error).traceback,
                Error::Timeout(error) | Error::Interrupted(error) => {
                    &mut Arc::make_mut(error).traceback
                }
                _ => return error,
            };
            let traceback = traceback();
            if names_lua_code(&traceback) {
                *place = traceback.into();
            }
            error
        })
    }
}

/// Whether a traceback has a level that is not C: else the host has called its own function, and it tells nothing.
fn names_lua_code(traceback: &[u8]) -> bool {
    let mut levels = traceback.split(|byte| *byte == b'\n').skip(1);
    levels.any(|level| !level.starts_with(b"\t[C]"))
}
