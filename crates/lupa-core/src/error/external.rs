//! Errors of the host program on their way into [`Error`].

use super::{Error, Result};
use std::error::Error as StdError;

/// Makes an [`Error`] of any other error in a `Result`, so that `?` takes it.
///
/// The `?` operator takes the errors of the standard library as they are, and boxed errors. This trait does it for all
/// others, those of `anyhow` included. [`Error::downcast_ref`] finds the error again, also
/// after it has passed through Lua code.
///
/// ```
/// use lupa_core::{ExternalResult, Runtime};
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("no user {0}")]
/// struct NoUser(String);
///
/// fn age(name: &str) -> Result<u32, NoUser> {
///     if name == "Ann" { Ok(41) } else { Err(NoUser(name.to_owned())) }
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("age", lua.function(|name: &str| Ok(age(name).external()? + 1))?)?;
/// assert_eq!(lua.load("return age('Ann')").eval::<u32>()?, 42);
/// let error = lua.load("return age('Bob')").eval::<u32>().unwrap_err();
/// assert_eq!(error.downcast_ref::<NoUser>().unwrap().0, "Bob");
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait ExternalResult<T> {
    /// The same result, with the error as [`Error::External`].
    ///
    /// # Errors
    /// What was one before.
    fn external(self) -> Result<T>;
}

impl<T, E: Into<Box<dyn StdError + Send + Sync>>> ExternalResult<T> for Result<T, E> {
    #[inline]
    fn external(self) -> Result<T> {
        self.map_err(Error::external)
    }
}

/// Errors that `?` converts; one impl for all errors would take in [`Error`] itself.
macro_rules! externals {
    ($($type:ty)*) => {$(
        impl From<$type> for Error {
            #[cold]
            fn from(error: $type) -> Self {
                Error::external(error)
            }
        }
    )*};
}

externals! {
    Box<dyn StdError + Send + Sync>
    String &str std::borrow::Cow<'_, str>
    std::fmt::Error
    std::io::Error
    std::num::ParseIntError std::num::ParseFloatError std::num::TryFromIntError
    std::str::ParseBoolError std::str::Utf8Error std::string::FromUtf8Error
    std::char::ParseCharError std::char::CharTryFromError
    std::array::TryFromSliceError
    std::net::AddrParseError
    std::env::VarError
    std::time::SystemTimeError
    std::path::StripPrefixError
    std::sync::mpsc::RecvError
    std::sync::mpsc::RecvTimeoutError
    std::thread::AccessError
}
