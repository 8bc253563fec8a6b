//! The texts in errors.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// A text of Lua's, in whatever encoding that has.
///
/// ```
/// use lupa_core::{Error, Runtime};
///
/// let lua = Runtime::new()?;
/// let Err(Error::Runtime(error)) = lua.load(r"error('caf\233', 0)").exec() else { panic!() };
/// assert_eq!(error.message[..], *b"caf\xe9");
/// assert_eq!(error.message.to_str_lossy(), "caf\u{fffd}");
/// # Ok::<(), Error>(())
/// ```
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

/// What an error is about: the name of a type, or a few words. It compares with text.
///
/// ```
/// use lupa_core::{Error, Runtime};
///
/// let lua = Runtime::new()?;
/// let error = lua.globals()?.set(f64::NAN, 1).unwrap_err();
/// assert!(matches!(&error, Error::InvalidKey(key) if key == "NaN"));
/// assert_eq!(error.to_string(), "table index is NaN");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::redundant_allocation,
    reason = "a `&str` is two words, with which an error would be three"
)]
pub struct Subject(Arc<&'static str>);

impl From<&'static str> for Subject {
    #[cold]
    fn from(text: &'static str) -> Self {
        Subject(Arc::new(text))
    }
}

impl std::ops::Deref for Subject {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Subject {
    fn eq(&self, text: &str) -> bool {
        **self == *text
    }
}

impl PartialEq<&str> for Subject {
    fn eq(&self, text: &&str) -> bool {
        **self == **text
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &**self)
    }
}
