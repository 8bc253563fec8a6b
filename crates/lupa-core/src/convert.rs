//! Conversions between Rust and Lua values.

use crate::call::{Arguments, Results};
use crate::error::{Error, Result};
use crate::pusher::Pusher;
use crate::raw::Kind;
use crate::slot::Slot;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

/// Types that can be read from a Lua value.
///
/// | Lua | Rust |
/// |---|---|
/// | boolean | `bool` |
/// | number | `f64`, `f32`, and all integers if it is one and in range |
/// | 64-bit integer of the FFI library | integers |
/// | string | `String`, `Box<str>`, `Cow<str>`, `char`; `&str`, `&[u8]` and [`Bytes`] without a copy; `PathBuf`, `OsString`, `CString` |
/// | sequence | `Vec`, `[T; N]`, `Box<[T]>` |
/// | table | `HashMap`, `BTreeMap`; of keys to `true`: `HashSet`, `BTreeSet` |
/// | nil | `None` of an `Option` |
/// | error, or anything that is raised | [`Error`] |
/// | any | [`Value`](crate::Value), [`Slot`], and the handles, each for its kind: [`Table`](crate::Table), [`Function`](crate::Function), … |
///
/// Nothing else is converted: a string is no number, 1.5 no integer, nil no `bool`. What does not fit inside a table, or is one of several
/// results, is told with its place:
///
/// ```
/// use std::collections::HashMap;
///
/// let lua = lupa_core::Runtime::new()?;
/// let chunk = lua.load("return { ports = { 80, 443, 'x' } }");
/// let error = chunk.eval::<HashMap<String, Vec<u16>>>().unwrap_err();
/// assert_eq!(error.text(), "at key 'ports', index 3: cannot convert string to u16");
/// let error = lua.load("return 1, 'x'").eval::<(u8, u8)>().unwrap_err();
/// assert_eq!(error.text(), "result #2: cannot convert string to u8");
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// For objects of Rust see
/// [`UserType`](crate::UserType), for other types of your own the feature `serde`, or:
///
/// ```
/// use lupa_core::{FromLua, IntoLua, Pusher, Result, Runtime, Slot};
///
/// #[derive(Debug, PartialEq)]
/// struct Celsius(f64);
///
/// impl<'s> FromLua<'s> for Celsius {
///     fn from_lua(slot: Slot<'s>) -> Result<Self> {
///         f64::from_lua(slot).map(Celsius)
///     }
/// }
///
/// impl IntoLua for Celsius {
///     fn into_lua(self, to: Pusher<'_>) -> Result<()> {
///         self.0.into_lua(to)
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let warmer: Celsius = lua.load("return ... + 1").call(Celsius(20.0))?;
/// assert_eq!(warmer, Celsius(21.0));
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// With a lifetime, so that a host function can take `&str` or `&[u8]` without a copy; see
/// [`Owned`] for the types that borrow nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a Lua value",
    note = "a value of a `UserType` is read as `UserData`, by `borrow` or `take`, and is an argument of a host function as \
            `&T` or `&mut T`; one of a serde type as `Serde<T>`; other types implement `FromLua`"
)]
pub trait FromLua<'s>: Sized {
    /// Reads a slot.
    ///
    /// # Errors
    /// [`Error::Conversion`] for a value that does not fit.
    fn from_lua(slot: Slot<'s>) -> Result<Self>;
}

/// Types that can be read from a Lua value and borrow nothing from it.
///
/// ```
/// use lupa_core::{Owned, Result, Runtime};
///
/// /// What Lua code has set, or else a default.
/// fn setting<T: Owned>(lua: &Runtime, name: &str, default: T) -> Result<T> {
///     Ok(lua.globals()?.get::<Option<T>>(name)?.unwrap_or(default))
/// }
///
/// let lua = Runtime::new()?;
/// lua.load("width = 80").exec()?;
/// assert_eq!(setting(&lua, "width", 100_u16)?, 80);
/// assert_eq!(setting(&lua, "title", String::from("untitled"))?, "untitled");
/// assert!(setting(&lua, "width", String::new()).is_err());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from a Lua value",
    note = "a value of a `UserType` is read as `UserData`, by `borrow` or `take`, and is an argument of a host function as \
            `&T` or `&mut T`; one of a serde type as `Serde<T>`; other types implement `FromLua`"
)]
pub trait Owned: for<'s> FromLua<'s> {}

impl<T: for<'s> FromLua<'s>> Owned for T {}

/// Types that become a Lua value: those of the table at [`FromLua`], values of a [`UserType`](crate::UserType) as objects, and
/// functions made by [`function`](crate::function()).
///
/// ```
/// use lupa_core::{IntoLua, Pusher, Result, Runtime};
///
/// enum Level { Off, At(u8) }
///
/// impl IntoLua for Level {
///     fn into_lua(self, to: Pusher<'_>) -> Result<()> {
///         match self {
///             Level::Off => false.into_lua(to),
///             Level::At(level) => level.into_lua(to),
///         }
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let is_so: bool = lua.load("local a, b = ... return a == false and b == 3").call((Level::Off, Level::At(3)))?;
/// assert!(is_so);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot become a Lua value",
    label = "not a Lua value",
    note = "a closure becomes one by `function`, bytes by `Bytes`, a serde type by `Serde`; other types implement `UserType` or `IntoLua`"
)]
pub trait IntoLua {
    /// Pushes exactly one value.
    ///
    /// # Errors
    /// [`Error::Conversion`] for a value that Lua cannot represent, [`Error::Memory`].
    fn into_lua(self, to: Pusher<'_>) -> Result<()>;
}

/// Several values read from the results of a call: `()`, one value, a tuple of up to twelve, a
/// [`Variadic`](crate::Variadic), or a `Result`.
///
/// ```
/// use lupa_core::{FromLuaMulti, Result, Results, Runtime, Variadic};
///
/// /// What `string.find` gives.
/// struct Found { first: usize, last: usize, captures: Vec<String> }
///
/// impl<'s> FromLuaMulti<'s> for Found {
///     fn from_results(results: Results<'s>) -> Result<Self> {
///         let (first, last, Variadic(captures)) = FromLuaMulti::from_results(results)?;
///         Ok(Found { first, last, captures })
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let found: Found = lua.load("return string.find('  port = 80', '(%w+) = (%d+)')").eval()?;
/// assert_eq!((found.first, found.last), (3, 11));
/// assert_eq!(found.captures, ["port", "80"]);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait FromLuaMulti<'s>: Sized {
    /// Reads the results; missing ones read as nil, extra ones are dropped.
    ///
    /// # Errors
    /// Those of the conversions.
    fn from_results(results: Results<'s>) -> Result<Self>;
}

/// Several values pushed as arguments: `()`, one value, a tuple of up to twelve, a slice, a
/// [`Variadic`](crate::Variadic), or a `Result`.
///
/// ```
/// use lupa_core::{Arguments, IntoLuaMulti, Result, Runtime};
///
/// /// A point is two arguments.
/// struct Point { x: f64, y: f64 }
///
/// impl IntoLuaMulti for Point {
///     fn push_all(self, to: &mut Arguments<'_>) -> Result<()> {
///         (self.x, self.y).push_all(to)
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let distance = lua.load("local x, y = ... return math.sqrt(x * x + y * y)").into_function()?;
/// assert_eq!(distance.call::<f64>(Point { x: 3.0, y: 4.0 })?, 5.0);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait IntoLuaMulti {
    /// Pushes all values.
    ///
    /// # Errors
    /// Those of the conversions.
    fn push_all(self, to: &mut Arguments<'_>) -> Result<()>;
}

/// Bytes that become a Lua string; a `Vec<u8>` alone would become a table. Where bytes are not lent, as from a host function,
/// `Cow<[u8]>` does the same.
///
/// ```
/// use lupa_core::{Bytes, Runtime, function};
/// use std::borrow::Cow;
///
/// let lua = Runtime::new()?;
/// let length: usize = lua.load("return #...").call(Bytes(&[0, 255, 7]))?;
/// assert_eq!(length, 3);
///
/// lua.globals()?.set("zeros", function(|n: usize| Cow::from(vec![0u8; n])))?;
/// assert_eq!(lua.load("return type(zeros(2)) .. #zeros(2)").eval::<String>()?, "string2");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl IntoLua for Bytes<'_> {
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.0)
    }
}

impl IntoLua for Slot<'_> {
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.slot(self)
    }
}

impl<'s> FromLua<'s> for Slot<'s> {
    #[inline]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        Ok(slot)
    }
}

impl<'s> FromLua<'s> for &'s [u8] {
    #[inline]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        slot.bytes().ok_or_else(|| slot.mismatch("string"))
    }
}

impl<'s> FromLua<'s> for &'s str {
    #[inline]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        let text = slot.stack().text(slot.index());
        text.ok_or_else(|| slot.mismatch("string"))?
            .map_err(not_text)
    }
}

impl<'s> FromLua<'s> for String {
    // Where it is not inlined, the three words of the result go through memory in pieces of different sizes, for which the
    // processor waits as in `Stack::text`.
    #[inline]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        <&str>::from_lua(slot).map(str::to_owned)
    }
}

/// The error for a string of other bytes than UTF-8.
#[cold]
pub(crate) fn not_text(error: std::str::Utf8Error) -> Error {
    Error::conversion("string", "UTF-8 text", error.to_string())
}

impl IntoLua for &str {
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.as_bytes())
    }
}

impl IntoLua for String {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.as_bytes())
    }
}

impl IntoLua for &String {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.bytes(self.as_bytes())
    }
}

impl<'s> FromLua<'s> for bool {
    #[inline]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        slot.boolean().ok_or_else(|| slot.mismatch("boolean"))
    }
}

impl IntoLua for bool {
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.boolean(self)
    }
}

impl<'s> FromLua<'s> for f64 {
    #[inline]
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        slot.number().ok_or_else(|| slot.mismatch("number"))
    }
}

impl IntoLua for f64 {
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.number(self)
    }
}

/// The nearest `f32`; a number beyond its range is refused.
impl<'s> FromLua<'s> for f32 {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        let n = f64::from_lua(slot)?;
        let rounded = n as f32;
        if rounded.is_infinite() && n.is_finite() {
            let message = format!("{n} is not between {} and {}", f32::MIN, f32::MAX);
            return Err(Error::conversion("number", "f32", message));
        }
        Ok(rounded)
    }
}

impl IntoLua for f32 {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.number(f64::from(self))
    }
}

/// Options of owned types and of some that borrow: one impl for both would, to the compiler, make an option of `&str` a type
/// that may borrow nothing, and so two kinds of [`Argument`](crate::Argument).
macro_rules! options {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<'s, $($generics)*> FromLua<'s> for Option<$type> {
            #[inline]
            fn from_lua(slot: Slot<'s>) -> Result<Self> {
                if slot.is_nil() {
                    Ok(None)
                } else {
                    <$type>::from_lua(slot).map(Some)
                }
            }
        }
    )*};
}

options! {
    [T: Owned] T;
    [] &'s str;
    [] &'s [u8];
    [] Slot<'s>;
}

impl<T: IntoLua> IntoLua for Option<T> {
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        match self {
            Some(value) => value.into_lua(to),
            None => to.nil(),
        }
    }
}

impl<'s, T: Owned> FromLua<'s> for Vec<T> {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        if slot.kind() != Kind::Table {
            return Err(slot.mismatch("sequence"));
        }
        slot.items()
    }
}

impl<T: IntoLua> IntoLua for Vec<T> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.new_table(self.len(), 0, |table| {
            for (index, item) in self.into_iter().enumerate() {
                table.set_index(index + 1, item)?;
            }
            Ok(())
        })
    }
}

/// Reads a key of a table, which an error names.
#[inline]
pub(crate) fn read_key<T: Owned>(key: Slot<'_>) -> Result<T> {
    T::from_lua(key).map_err(|error| error.of_key(key))
}

/// Reads the value of an entry of a table, whose key an error names.
#[inline]
pub(crate) fn read_entry<T: Owned>(key: Slot<'_>, value: Slot<'_>) -> Result<T> {
    T::from_lua(value).map_err(|error| error.at_key(key))
}

macro_rules! maps {
    ($($name:ident [$($bounds:tt)*] [$($extra:tt)*];)*) => {$(
        impl<'s, K: Owned + $($bounds)*, V: Owned, $($extra)*> FromLua<'s> for maps!(@type $name $($extra)*) {
            fn from_lua(slot: Slot<'s>) -> Result<Self> {
                if slot.kind() != Kind::Table {
                    return Err(slot.mismatch("table"));
                }
                let mut map = Self::default();
                slot.entries(|key, value| {
                    map.insert(read_key(key)?, read_entry(key, value)?);
                    Ok(())
                })?;
                Ok(map)
            }
        }

        impl<K: IntoLua, V: IntoLua, $($extra)*> IntoLua for maps!(@type $name $($extra)*) {
            fn into_lua(self, to: Pusher<'_>) -> Result<()> {
                to.new_table(0, self.len(), |table| {
                    for (key, value) in self {
                        table.set(key, value)?;
                    }
                    Ok(())
                })
            }
        }
    )*};
    (@type HashMap $($extra:tt)*) => { HashMap<K, V, S> };
    (@type BTreeMap $($extra:tt)*) => { BTreeMap<K, V> };
}

maps! {
    HashMap [Eq + Hash] [S: BuildHasher + Default];
    BTreeMap [Ord] [];
}

impl<'s, T: FromLua<'s>> FromLuaMulti<'s> for T {
    #[inline]
    fn from_results(results: Results<'s>) -> Result<Self> {
        results.read_alone()
    }
}

impl<T: IntoLua> IntoLuaMulti for T {
    #[inline]
    fn push_all(self, to: &mut Arguments<'_>) -> Result<()> {
        to.push_reserved(self)
    }
}

impl FromLuaMulti<'_> for () {
    #[inline]
    fn from_results(_: Results<'_>) -> Result<Self> {
        Ok(())
    }
}

impl IntoLuaMulti for () {
    #[inline]
    fn push_all(self, _: &mut Arguments<'_>) -> Result<()> {
        Ok(())
    }
}

macro_rules! tuples {
    ($($count:literal: $($name:ident $index:tt)* | $last:ident $end:tt;)*) => {$(
        /// The last one may be several values itself, such as a [`Variadic`](crate::Variadic).
        impl<'s, $($name: FromLua<'s>,)* $last: FromLuaMulti<'s>> FromLuaMulti<'s> for ($($name,)* $last,) {
            #[inline]
            fn from_results(results: Results<'s>) -> Result<Self> {
                Ok(($(results.read::<$name>($index)?,)* $last::from_results(results.skip($end))?,))
            }
        }

        /// The last one may be several values itself, such as a [`Variadic`](crate::Variadic).
        impl<$($name: IntoLua,)* $last: IntoLuaMulti> IntoLuaMulti for ($($name,)* $last,) {
            #[inline]
            fn push_all(self, to: &mut Arguments<'_>) -> Result<()> {
                to.reserve($count)?;
                $(to.push_reserved(self.$index)?;)*
                self.$end.push_all(to)
            }
        }
    )*};
}

tuples! {
    1: | A 0;
    2: A 0 | B 1;
    3: A 0 B 1 | C 2;
    4: A 0 B 1 C 2 | D 3;
    5: A 0 B 1 C 2 D 3 | E 4;
    6: A 0 B 1 C 2 D 3 E 4 | F 5;
    7: A 0 B 1 C 2 D 3 E 4 F 5 | G 6;
    8: A 0 B 1 C 2 D 3 E 4 F 5 G 6 | H 7;
    9: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 | I 8;
    10: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 | J 9;
    11: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 | K 10;
    12: A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 | L 11;
}

/// The items are one argument each; see [`Variadic`](crate::Variadic) for those of a `Vec`.
impl<T: IntoLua> IntoLuaMulti for &[T]
where
    T: Clone,
{
    fn push_all(self, to: &mut Arguments<'_>) -> Result<()> {
        to.reserve(self.len())?;
        for value in self {
            to.push_reserved(value.clone())?;
        }
        Ok(())
    }
}

impl<'s> Slot<'s> {
    /// The items of a sequence, of which an error names the index.
    pub(crate) fn items<T: Owned>(self) -> Result<Vec<T>> {
        let mut index = 0;
        self.sequence(|item| {
            index += 1;
            T::from_lua(item).map_err(|error| error.at_index(index))
        })
    }

    /// Reads the items of a sequence from index 1 to Lua's `#`, metamethods aside.
    ///
    /// # Errors
    /// Those of `read`, and a conversion error for what is no table.
    pub fn sequence<T>(
        self,
        mut read: impl for<'i> FnMut(Slot<'i>) -> Result<T>,
    ) -> Result<Vec<T>> {
        let stack = self.stack();
        stack.reserve(8)?;
        let table = stack
            .table(self.index())
            .ok_or_else(|| self.mismatch("sequence"))?;
        let base = stack.top();
        let length = table.raw_len();
        let mut items = Vec::with_capacity(length.min(1 << 16));
        for index in 1..=length {
            table.raw_get_index(index as std::ffi::c_int);
            let item = read(Slot::new(stack, base + 1));
            stack.pop_to(base);
            items.push(item?);
        }
        Ok(items)
    }

    /// Whether it is a table whose keys are the numbers from 1 to its length, all of them and no
    /// others; an empty table is a sequence, too. Looks at every key.
    ///
    /// # Errors
    /// `Error::StackOverflow`.
    pub fn is_sequence(self) -> Result<bool> {
        let length = self.raw_len();
        let mut count = 0;
        let mut others = false;
        if self.kind() != Kind::Table {
            return Ok(false);
        }
        self.entries(|key, _| {
            let position = key.number().filter(|n| n.fract() == 0.0 && *n >= 1.0);
            others |= position.is_none_or(|n| n > length as f64);
            count += 1;
            Ok(())
        })?;
        Ok(!others && count == length)
    }

    /// Calls `read` with each key and value of a table, metamethods aside.
    ///
    /// ```
    /// use lupa_core::{FromLua, Runtime, Slot};
    ///
    /// let lua = Runtime::new()?;
    /// // A list as `1&2`, any other table as `a=1&b=2`.
    /// let query = lua.function(|of: Slot<'_>| {
    ///     let mut parts = Vec::new();
    ///     if of.is_sequence()? {
    ///         parts = of.sequence(|item| String::from_lua(item))?;
    ///     } else {
    ///         of.entries(|key, value| {
    ///             parts.push(format!("{}={}", <&str>::from_lua(key)?, <&str>::from_lua(value)?));
    ///             Ok(())
    ///         })?;
    ///         parts.sort();
    ///     }
    ///     Ok(parts.join("&"))
    /// })?;
    /// lua.globals()?.set("query", query)?;
    /// assert_eq!(lua.load("return (query { lang = 'en', item = 'tea' })").eval::<String>()?, "item=tea&lang=en");
    /// assert_eq!(lua.load("return (query { 'tea', 'cake' })").eval::<String>()?, "tea&cake");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of `read`, and a conversion error for what is no table.
    pub fn entries(
        self,
        mut read: impl for<'i> FnMut(Slot<'i>, Slot<'i>) -> Result<()>,
    ) -> Result<()> {
        let stack = self.stack();
        stack.reserve(12)?;
        let table = stack
            .table(self.index())
            .ok_or_else(|| self.mismatch("table"))?;
        let base = stack.top();
        let mut position = 0;
        let mut outcome = Ok(());
        while outcome.is_ok() && table.next(&mut position) {
            outcome = read(Slot::new(stack, base + 1), Slot::new(stack, base + 2));
            stack.pop_to(base);
        }
        // In a host function's frame, what is left would count as a result.
        stack.pop_to(base);
        outcome
    }
}
