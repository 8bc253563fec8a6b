//! Lua strings.

use crate::error::Result;
use crate::handle::Handle;
use crate::raw::anchored::Anchored;
use std::fmt;
use std::ops::Deref;

/// A Lua string that is kept in Lua: any bytes, most often UTF-8 text.
///
/// It is compared with others, of other runtimes too, and with Rust's by its bytes. Those of a closed runtime are gone:
/// such a string is equal to nothing, not even to itself, which is why this type has no `Eq` and no `Hash`; the bytes
/// have both.
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// let name: lupa_core::LuaString = lua.load("return 'LuaJIT'").eval()?;
/// assert_eq!(name, "LuaJIT");
/// assert!(name.bytes()?.starts_with(b"Lua"));
/// assert_eq!(name.to_str()?.to_lowercase(), "luajit");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone)]
pub struct LuaString(pub(crate) Handle);

impl LuaString {
    /// Runs `f` on the bytes, without a copy.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let data: lupa_core::LuaString = lua.load("return '\\0\\1\\1\\255'").eval()?;
    /// let ones = data.with_bytes(|bytes| bytes.iter().filter(|byte| **byte == 1).count())?;
    /// assert_eq!(ones, 2);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn with_bytes<R>(&self, f: impl FnOnce(&[u8]) -> R) -> Result<R> {
        self.0
            .with(|stack, index| Ok(f(stack.bytes(index).unwrap_or_default())))
    }

    /// The bytes, without a copy. The runtime is locked as long as they are borrowed: other threads wait, this
    /// one may use the runtime, but cannot close it.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn bytes(&self) -> Result<StringRef<'_, [u8]>> {
        Anchored::new(&self.0).map(StringRef)
    }

    /// The text, without a copy; the runtime is locked as by [`LuaString::bytes`].
    ///
    /// # Errors
    /// `Error::Conversion` for what is not UTF-8; `Error::Closed`, `Error::Forked`.
    pub fn to_str(&self) -> Result<StringRef<'_, str>> {
        let text = Anchored::new(&self.0)?
            .try_map(|bytes| std::str::from_utf8(bytes).map_err(crate::convert::not_text));
        text.map(StringRef)
    }

    /// A copy of the text, with `\u{fffd}` for what is not UTF-8.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let name = lua.create_string(b"caf\xe9")?;
    /// assert!(name.to_str().is_err());
    /// assert_eq!(name.to_string_lossy()?, "caf\u{fffd}");
    /// assert_eq!(name.to_vec()?, b"caf\xe9");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn to_string_lossy(&self) -> Result<String> {
        self.with_bytes(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// A copy of the bytes.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn to_vec(&self) -> Result<Vec<u8>> {
        self.with_bytes(<[u8]>::to_vec)
    }
}

impl PartialEq for LuaString {
    fn eq(&self, other: &LuaString) -> bool {
        if self.runtime().is_same(other.runtime()) {
            // Equal strings of one runtime are the same.
            return self.same(other).unwrap_or(false);
        }
        // A copy, since to hold two locks at once might never end.
        self.to_vec().is_ok_and(|bytes| *other == bytes)
    }
}

/// Comparisons with what shows its bytes.
macro_rules! equal_to {
    ($($type:ty)*) => {$(
        impl PartialEq<$type> for LuaString {
            fn eq(&self, other: &$type) -> bool {
                let other: &[u8] = other.as_ref();
                self.with_bytes(|bytes| bytes == other).unwrap_or(false)
            }
        }

        impl PartialEq<LuaString> for $type {
            fn eq(&self, other: &LuaString) -> bool {
                other == self
            }
        }
    )*};
}

equal_to! { str &str String [u8] &[u8] Vec<u8> }

/// The bytes or the text of a Lua string; see [`LuaString::bytes`] and [`LuaString::to_str`].
///
/// ```
/// use lupa_core::{LuaString, Runtime, StringRef};
///
/// let lua = Runtime::new()?;
/// let line: LuaString = lua.load("return 'level = 3'").eval()?;
/// let text: StringRef<'_, str> = line.to_str()?;
/// let (key, value) = text.split_once(" = ").unwrap();
/// assert_eq!((key, value), ("level", "3"));
/// assert_eq!(text.to_string(), "level = 3");
/// // Other threads wait until the borrow ends.
/// std::thread::scope(|threads| threads.spawn(|| assert!(lua.try_lock().is_none())).join().unwrap());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[must_use = "the borrow ends when it is dropped"]
pub struct StringRef<'a, T: ?Sized>(Anchored<'a, T>);

impl<T: ?Sized> Deref for StringRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.get()
    }
}

impl<T: ?Sized> AsRef<T> for StringRef<'_, T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for StringRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: fmt::Display + ?Sized> fmt::Display for StringRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}
