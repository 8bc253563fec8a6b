//! What is said about an error on its way.

use super::{Error, Result};
use crate::slot::Slot;
use std::error::Error as StdError;
use std::fmt::{self, Display};
use std::sync::Arc;

/// An error with what was said about it.
///
/// ```
/// use lupa_core::{Error, ErrorContext, Runtime};
///
/// let lua = Runtime::new()?;
/// let error = lua.load("error('disk full', 0)").exec().context("the backup").unwrap_err();
/// let Error::Context(error) = error else { panic!() };
/// assert_eq!(error.context, "the backup");
/// assert_eq!(error.cause.text(), "disk full");
/// # Ok::<(), Error>(())
/// ```
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
    pub(super) fn text(&self) -> String {
        format!("{}: {}", self.context, self.cause.text())
    }
}

impl Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.context, self.cause)
    }
}

// What lies behind the cause: its own text is part of this one.
impl StdError for ContextError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}

impl Error {
    /// The same error with something said about it, which comes before its text: what was being done, to what.
    ///
    /// The error stays what it is for [`Error::downcast_ref`], [`Error::root`], [`Error::traceback`] and its `source`.
    /// If a host function gives it, it passes through Lua code with all of that.
    #[must_use]
    pub fn context(self, context: impl Display) -> Error {
        Error::Context(Arc::new(ContextError {
            context: context.to_string(),
            cause: self,
            is_place: false,
        }))
    }

    /// The same error with the index at which it is in a sequence that is being read.
    #[cold]
    pub(crate) fn at_index(self, index: usize) -> Error {
        self.at(format_args!("index {index}"))
    }

    /// The same error with the key of the value in a table that is being read.
    #[cold]
    pub(crate) fn at_key(self, key: Slot<'_>) -> Error {
        self.at(format_args!("key {key}"))
    }

    /// The same error, of a key of a table that is being read.
    #[cold]
    pub(crate) fn of_key(self, key: Slot<'_>) -> Error {
        self.at(format_args!("key {key} itself"))
    }

    /// A place in a place makes a path: `at key 'ports', index 3: …`.
    fn at(self, place: impl Display) -> Error {
        const AT: &str = "at ";
        let (context, cause) = match self {
            Error::Context(inner) if inner.is_place => {
                let inside = inner.context.strip_prefix(AT).unwrap_or_default();
                (format!("{AT}{place}, {inside}"), inner.cause.clone())
            }
            other => (format!("{AT}{place}"), other),
        };
        Error::Context(Arc::new(ContextError {
            context,
            cause,
            is_place: true,
        }))
    }
}

/// Says something about the error in a `Result`, as `anyhow` does; see [`Error::context`].
///
/// It takes results with [`Error`], and with all errors that `?` makes one of; for others say
/// [`external`](crate::ExternalResult::external) first.
///
/// ```
/// use lupa_core::{Error, ErrorContext, Runtime};
///
/// fn width(lua: &Runtime, text: &str) -> lupa_core::Result<u32> {
///     let lines = text.parse::<u32>().context("the number of lines")?;
///     lua.load("return width / ...").call(lines).with_context(|| format!("with {lines} lines"))
/// }
///
/// let lua = Runtime::new()?;
/// let error = width(&lua, "x").unwrap_err();
/// assert_eq!(error.to_string(), "the number of lines: invalid digit found in string");
/// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
/// let error = width(&lua, "3").unwrap_err();
/// assert!(error.text().starts_with("with 3 lines: "));
/// assert!(matches!(error.root(), Error::Runtime(_)));
/// # Ok::<(), Error>(())
/// ```
pub trait ErrorContext<T> {
    /// The same result, with something said about an error.
    ///
    /// # Errors
    /// What was one before, with the context.
    fn context(self, context: impl Display) -> Result<T>;

    /// As [`ErrorContext::context`], for a text that is made only if there is an error.
    ///
    /// # Errors
    /// As [`ErrorContext::context`].
    fn with_context<C: Display>(self, context: impl FnOnce() -> C) -> Result<T>;
}

impl<T, E: Into<Error>> ErrorContext<T> for Result<T, E> {
    #[inline]
    fn context(self, context: impl Display) -> Result<T> {
        self.map_err(|error| error.into().context(context))
    }

    #[inline]
    fn with_context<C: Display>(self, context: impl FnOnce() -> C) -> Result<T> {
        self.map_err(|error| error.into().context(context()))
    }
}
