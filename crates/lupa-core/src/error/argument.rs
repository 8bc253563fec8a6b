//! Values that do not fit: what was asked for, and where they were given.

use super::Error;
use std::error::Error as StdError;
use std::fmt;

/// A value that has the wrong type or is out of range; made by [`Error::conversion`].
///
/// ```
/// use lupa_core::{Error, Runtime};
///
/// let lua = Runtime::new()?;
/// let Err(Error::Conversion(error)) = lua.load("return 300").eval::<u8>() else { panic!() };
/// assert_eq!((error.from, error.to), ("number", "u8"));
/// assert_eq!(error.to_string(), "cannot convert number to u8: 300 is not between 0 and 255");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConversionError {
    /// Type of the value at hand.
    pub from: &'static str,
    /// Type that was asked for.
    pub to: &'static str,
    /// Why it does not fit; empty when the types say it all.
    pub message: String,
}

impl fmt::Display for ConversionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot convert {} to {}", self.from, self.to)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}

impl StdError for ConversionError {}

/// An argument of a host function that has the wrong type.
///
/// ```
/// use lupa_core::{Error, Runtime, Table};
///
/// let lua = Runtime::new()?;
/// let account = lua.create_table()?;
/// account.set("pay", lua.function(|_: Table, amount: f64| amount)?)?;
/// lua.globals()?.set("account", account)?;
/// let pay = |code| lua.load(code).exec().unwrap_err();
///
/// // Positions are the caller's, as for Lua's own functions.
/// assert_eq!(pay("account:pay('x')").text(), "bad argument #1: cannot convert string to number");
/// assert_eq!(pay("account.pay(account, 'x')").text(), "bad argument #2: cannot convert string to number");
/// lua.load("string.pay = account.pay").exec()?;
/// assert_eq!(pay("('x'):pay(1)").text(), "calling 'pay' on bad self: cannot convert string to table");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ArgumentError {
    /// Position, from 1, as the caller counts: without the object in `object:method(…)`, which is 0.
    pub position: usize,
    /// The method's name, where the caller has written `object:method(…)` and it is known.
    pub method: Option<String>,
    /// What is wrong with it.
    pub cause: Error,
}

impl ArgumentError {
    pub(super) fn text(&self) -> String {
        self.with(&self.cause.text())
    }

    fn with(&self, cause: &dyn fmt::Display) -> String {
        match (self.position, &self.method) {
            (0, Some(method)) => format!("calling '{method}' on bad self: {cause}"),
            (position, _) => format!("bad argument #{position}: {cause}"),
        }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with(&self.cause))
    }
}

// What lies behind the cause: its own text is part of these.
impl StdError for ArgumentError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.cause.source()
    }
}
