//! What can go wrong while a value is converted.

use super::level::Level;
use crate::error::Error;
use serde::de::{Expected, Unexpected};
use std::borrow::Cow;
use std::fmt::{self, Display};
use std::sync::Arc;

pub(super) type Result<T> = std::result::Result<T, Failure>;

/// Data that does not have the shape that was asked for; the content of [`Error::Data`].
///
/// ```
/// use lupa_core::{Error, Runtime, serde::Serde};
///
/// #[derive(Debug, serde::Deserialize)]
/// struct Server { port: u16 }
///
/// let lua = Runtime::new()?;
/// let code = "return { { port = 80 }, { port = 'x' } }";
/// let error = lua.load(code).eval::<Serde<Vec<Server>>>().unwrap_err();
/// assert_eq!(error.to_string(), r#"[2].port: expected u16, got string "x""#);
/// let Error::Data(error) = error else { panic!() };
/// assert_eq!((error.path(), error.message()), ("[2].port", r#"expected u16, got string "x""#));
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct DataError {
    path: String,
    message: String,
}

impl DataError {
    /// Where it is, from the value that was converted: `servers[2].port`; empty for that value itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What is wrong there.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for DataError {}

/// An error on its way to the caller; a word in size, as it is part of every result.
#[derive(Debug)]
pub(super) struct Failure(Box<Cause>);

#[derive(Debug)]
enum Cause {
    /// The data; the path is known from the innermost level on that sees the failure.
    Data {
        path: Option<String>,
        message: String,
    },
    /// The runtime.
    Lua(Error),
}

impl Failure {
    #[cold]
    pub(super) fn message(text: impl Into<String>) -> Self {
        Failure(Box::new(Cause::Data {
            path: None,
            message: text.into(),
        }))
    }

    /// Says where it happened, unless that is known.
    #[cold]
    pub(super) fn at(mut self, level: Option<&Level<'_>>) -> Self {
        if let Cause::Data { path, .. } = &mut *self.0 {
            path.get_or_insert_with(|| level.map(Level::path).unwrap_or_default());
        }
        self
    }
}

impl From<Error> for Failure {
    #[cold]
    fn from(error: Error) -> Self {
        Failure(Box::new(Cause::Lua(error)))
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match *failure.0 {
            Cause::Data { path, message } => Error::Data(Arc::new(DataError {
                path: path.unwrap_or_default(),
                message,
            })),
            Cause::Lua(error) => error,
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Data { path, message } => match path.as_deref() {
                None | Some("") => f.write_str(message),
                Some(path) => write!(f, "{path}: {message}"),
            },
            Cause::Lua(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failure {}

impl serde::ser::Error for Failure {
    fn custom<T: Display>(message: T) -> Self {
        Failure::message(message.to_string())
    }
}

impl serde::de::Error for Failure {
    fn custom<T: Display>(message: T) -> Self {
        Failure::message(message.to_string())
    }

    fn invalid_type(got: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Failure::message(format!("expected {expected}, got {}", described(got)))
    }

    fn invalid_value(got: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(got, expected)
    }

    fn invalid_length(got: usize, expected: &dyn Expected) -> Self {
        Failure::message(format!(
            "expected {expected}, got a sequence of length {got}"
        ))
    }
}

/// What was found, in Lua's words.
fn described(got: Unexpected<'_>) -> String {
    match got {
        Unexpected::Bool(value) => format!("boolean {value}"),
        Unexpected::Unsigned(number) => format!("number {number}"),
        Unexpected::Signed(number) => format!("number {number}"),
        Unexpected::Float(number) => format!("number {number}"),
        Unexpected::Str(text) => format!("string {:?}", shortened(text)),
        Unexpected::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => described(Unexpected::Str(text)),
            Err(_) => "a string that is not UTF-8".into(),
        },
        Unexpected::Unit | Unexpected::Option => "nil".into(),
        Unexpected::Seq => "a sequence".into(),
        Unexpected::Map => "a table".into(),
        other => other.to_string(),
    }
}

/// The beginning of a text that is too long for a message.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}
