//! Several values: any number of one type, and Lua's way to return an error.

use crate::call::{Arguments, Results};
use crate::convert::{FromLua, FromLuaMulti, IntoLua, IntoLuaMulti};
use crate::error::Result;
use std::ops::{Deref, DerefMut};

/// Any number of arguments or results, alone or as the last of a tuple.
///
/// A `Vec` is one value, a table; this is many. With [`Value`](crate::Value)s it takes whatever comes.
///
/// ```
/// use lupa_core::{Runtime, Value, Variadic};
///
/// let lua = Runtime::new()?;
/// let (count, items): (usize, Variadic<i64>) = lua
///     .load("return select('#', ...), ...")
///     .call(Variadic(vec![7, 8, 9]))?;
/// assert_eq!((count, items.0), (3, vec![7, 8, 9]));
///
/// let mut values = Variadic::<Value>::default();
/// values.push(lua.convert_to("a")?);
/// assert_eq!(lua.load("return ...").call::<String>(values)?, "a");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variadic<T>(pub Vec<T>);

impl<'s, T: FromLua<'s>> FromLuaMulti<'s> for Variadic<T> {
    fn from_results(results: Results<'s>) -> Result<Self> {
        (0..results.len())
            .map(|index| results.read(index))
            .collect()
    }
}

impl<T: IntoLua> IntoLuaMulti for Variadic<T> {
    fn push_all(self, to: &mut Arguments<'_>) -> Result<()> {
        to.reserve(self.0.len())?;
        self.0
            .into_iter()
            .try_for_each(|item| to.push_reserved(item))
    }
}

impl<T> Default for Variadic<T> {
    fn default() -> Self {
        Variadic(Vec::new())
    }
}

impl<T> From<Vec<T>> for Variadic<T> {
    fn from(items: Vec<T>) -> Self {
        Variadic(items)
    }
}

impl<T> Deref for Variadic<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for Variadic<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T> FromIterator<T> for Variadic<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Variadic(items.into_iter().collect())
    }
}

impl<T> IntoIterator for Variadic<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Variadic<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// By Lua's custom, a function that failed returns nil and a reason, as `io.open` does: nil before another value is
/// `Err`, all else is `Ok`.
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// let opened: Result<lupa_core::Value, String> = lua.load("return io.open('no such file')").eval()?;
/// assert!(opened.unwrap_err().contains("No such file"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
impl<'s, T: FromLuaMulti<'s>, E: FromLua<'s>> FromLuaMulti<'s> for Result<T, E> {
    fn from_results(results: Results<'s>) -> Result<Self> {
        if results.get(0).is_nil() && !results.get(1).is_nil() {
            return results.read(1).map(Err);
        }
        T::from_results(results).map(Ok)
    }
}
