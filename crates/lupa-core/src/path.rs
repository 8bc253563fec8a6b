//! Paths, and the system's and C's kinds of strings.

use crate::convert::{FromLua, IntoLua};
use crate::error::{Error, Result};
use crate::pusher::Pusher;
use crate::slot::Slot;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::path::{Path, PathBuf};

/// A string as the system has it: any bytes on Unix, text elsewhere.
///
/// ```
/// use lupa_core::{Runtime, function};
/// use std::path::PathBuf;
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("with_suffix", function(|path: PathBuf, suffix: &str| path.with_extension(suffix)))?;
/// let path: PathBuf = lua.load("return with_suffix('maps/home.txt', 'lua')").eval()?;
/// assert_eq!(path, PathBuf::from("maps/home.lua"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
impl<'s> FromLua<'s> for OsString {
    #[cfg(unix)]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        use std::os::unix::ffi::OsStrExt;
        <&[u8]>::from_lua(slot).map(|bytes| OsStr::from_bytes(bytes).to_owned())
    }

    #[cfg(not(unix))]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        String::from_lua(slot).map(OsString::from)
    }
}

/// As [`OsString`].
impl<'s> FromLua<'s> for PathBuf {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        OsString::from_lua(slot).map(PathBuf::from)
    }
}

/// The bytes on Unix; elsewhere an error for what is no text.
impl IntoLua for &OsStr {
    #[cfg(unix)]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        use std::os::unix::ffi::OsStrExt;
        to.bytes(self.as_bytes())
    }

    #[cfg(not(unix))]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        match self.to_str() {
            Some(text) => to.bytes(text.as_bytes()),
            None => Err(Error::conversion(
                "system string",
                "string",
                "it is no Unicode text",
            )),
        }
    }
}

/// From a string without a zero byte.
impl<'s> FromLua<'s> for CString {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        CString::new(<&[u8]>::from_lua(slot)?)
            .map_err(|error| Error::conversion("string", "C string", error.to_string()))
    }
}

impl IntoLua for &CStr {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.to_bytes())
    }
}

/// Types that are pushed as what they lend.
macro_rules! pushed_as {
    ($($type:ty, $lent:ty;)*) => {$(
        impl IntoLua for $type {
            fn into_lua(self, to: Pusher<'_>) -> Result<()> {
                <&$lent>::into_lua(self.as_ref(), to)
            }
        }
    )*};
}

pushed_as! {
    OsString, OsStr;
    &OsString, OsStr;
    &Path, OsStr;
    PathBuf, OsStr;
    &PathBuf, OsStr;
    CString, CStr;
    &CString, CStr;
}
