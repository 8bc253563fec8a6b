//! What a typed host function can take: see [`Argument`].

use crate::convert::{FromLua, IntoLua, Owned};
use crate::error::{Error, Result};
use crate::host::Call;
use crate::multi::Variadic;
use crate::pusher::Pusher;
use crate::runtime::Runtime;
use crate::slot::Slot;

/// A type that a typed host function ([`Runtime::function`]) can have as an argument.
///
/// | Argument | Takes |
/// |---|---|
/// | every [`Owned`] type: numbers, `bool`, `String`, `Vec`, [`Table`](crate::Table), [`Value`](crate::Value), your own [`FromLua`] types | the next argument, converted |
/// | `&str`, `&[u8]`, [`Slot`] | the next argument, without a copy or a handle |
/// | `&T`, `&mut T` of a [`UserType`](crate::UserType) | the object in the next argument, borrowed for the call |
/// | `Option` of one of these | `None` for nil, and where the caller gave fewer arguments |
/// | [`Either<A, B>`](Either) | one of two of these |
/// | [`Variadic<T>`](Variadic) of an `Owned` type | all arguments that are left; the last one only |
/// | `&Runtime` | nothing: the runtime that makes the call |
/// | `&Call` | nothing: the call, for instance for [`Call::location`] |
///
/// ```
/// use lupa_core::{Call, Runtime, Variadic};
///
/// let lua = Runtime::new()?;
/// // `&Call` takes no argument's place: `level` is the first of Lua's.
/// let line = lua.function(|call: &Call, level: Option<&str>, words: Variadic<String>| {
///     let place = String::from_utf8_lossy(&call.location()).into_owned();
///     format!("{place}{}: {}", level.unwrap_or("note"), words.join(" "))
/// })?;
/// lua.globals()?.set("line", line)?;
/// let lines: (String, String) = lua
///     .load("local a = line(nil, 'disk', 'full')\nlocal b = line('error')\nreturn a, b")
///     .name("@backup.lua")
///     .eval()?;
/// assert_eq!(lines, ("backup.lua:1: note: disk full".into(), "backup.lua:2: error: ".into()));
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// Nobody needs to implement or name this trait: a type becomes an argument by [`FromLua`], one
/// that borrows from the call by [`Borrowed`].
///
/// # How closures with borrowed arguments are inferred
///
/// A closure `|text: &str, n: i64|` works for every lifetime of `text`, so no single type `A` with
/// `F: Fn(A, i64)` describes it. Two bounds together do: `F: Fn(A, B) -> R` finds the types, with some lifetime, and
/// `F: for<'a> Fn(A::Of<'a>, B::Of<'a>) -> R` demands the closure for all of them; `Of<'a>` is the type
/// with another lifetime. `Via` only tells the groups of the table apart: without it the compiler
/// would have to prove that no type belongs to two of them. It is inferred.
///
/// The closure's result cannot borrow from its arguments, since `R` knows no `'a`: return a `String`, or use
/// [`Runtime::create_function`], whose closure pushes its results itself.
#[diagnostic::on_unimplemented(
    message = "a host function cannot take an argument of type `{Self}`",
    note = "it can take types that implement `FromLua`, `&str`, `&[u8]`, `Slot`, `&T` and `&mut T` of a `UserType`, \
            `Option` of these, `Variadic` as the last one, `&Runtime` and `&Call`"
)]
pub trait Argument<Via> {
    /// How many of Lua's arguments it takes; [`REST`] for all that are left.
    #[doc(hidden)]
    const TAKES: usize = 1;
    /// Room on the native stack for what the argument borrows from.
    #[doc(hidden)]
    type Place<'s>: Default;
    /// The same type with another lifetime.
    #[doc(hidden)]
    type Of<'a>;
    /// Reads the argument at an index, from 0.
    #[doc(hidden)]
    fn read<'a, 's: 'a>(
        call: &'a Call<'s>,
        index: usize,
        place: &'a mut Self::Place<'s>,
    ) -> Result<Self::Of<'a>>;
}

/// [`Argument::TAKES`] of an argument that takes all that are left.
pub(crate) const REST: usize = usize::MAX;

/// Types that borrow from the arguments of a call, and so can be an [`Argument`] of a typed host function
/// for the time of the call only.
///
/// Implement it, beside [`FromLua`], for a type of your own that has a lifetime:
///
/// ```
/// use lupa_core::{Borrowed, FromLua, Result, Runtime, Slot};
///
/// /// A word of letters, not copied.
/// struct Word<'s>(&'s str);
///
/// impl<'s> FromLua<'s> for Word<'s> {
///     fn from_lua(slot: Slot<'s>) -> Result<Self> {
///         let text = <&str>::from_lua(slot)?;
///         if text.chars().all(char::is_alphabetic) {
///             Ok(Word(text))
///         } else {
///             Err(slot.mismatch("word"))
///         }
///     }
/// }
///
/// impl Borrowed for Word<'_> {
///     type Place<'s> = ();
///     type Of<'a> = Word<'a>;
///     fn borrow<'a, 's: 'a>(slot: Slot<'s>, _: &'a mut ()) -> Result<Word<'a>> {
///         Word::from_lua(slot)
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let length = lua.function(|word: Word<'_>| word.0.len())?;
/// assert_eq!(length.call::<usize>("apple")?, 5);
/// assert!(length.call::<usize>("4 apples").is_err());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "a host function cannot take an argument of type `{Self}`",
    note = "implement `FromLua` for it, and `Borrowed` if it has a lifetime"
)]
pub trait Borrowed {
    /// Room on the native stack for what has to live as long as the call: a guard that the
    /// argument is borrowed from. `()` for what borrows from the Lua value alone.
    type Place<'s>: Default;
    /// The type with the lifetime of a call.
    type Of<'a>;
    /// Reads the value, with the help of a place that starts as its default.
    ///
    /// # Errors
    /// Those of the conversion.
    fn borrow<'a, 's: 'a>(slot: Slot<'s>, place: &'a mut Self::Place<'s>) -> Result<Self::Of<'a>>;
}

macro_rules! borrowed {
    ($($type:ty => $of:ty;)*) => {$(
        impl Borrowed for $type {
            type Place<'s> = ();
            type Of<'a> = $of;
            #[inline]
            fn borrow<'a, 's: 'a>(slot: Slot<'s>, (): &'a mut ()) -> Result<$of> {
                FromLua::from_lua(slot)
            }
        }
    )*};
}

borrowed! {
    &str => &'a str;
    &[u8] => &'a [u8];
    Slot<'_> => Slot<'a>;
}

/// The groups of [`Argument`].
#[doc(hidden)]
pub mod via {
    /// Types that own what they are.
    #[derive(Debug)]
    pub struct Owning;
    /// Types that borrow from the call.
    #[derive(Debug)]
    pub struct Borrowing;
    /// Options of those.
    #[derive(Debug)]
    pub struct Optional;
    /// All arguments that are left.
    #[derive(Debug)]
    pub struct Rest;
    /// What comes with the call.
    #[derive(Debug)]
    pub struct Context;
}

impl<T: Owned> Argument<via::Owning> for T {
    type Place<'s> = ();
    type Of<'a> = T;

    #[inline]
    fn read<'a, 's: 'a>(call: &'a Call<'s>, index: usize, (): &'a mut ()) -> Result<T> {
        call.get(index)
    }
}

impl<T: Borrowed> Argument<via::Borrowing> for T {
    type Place<'s> = T::Place<'s>;
    type Of<'a> = T::Of<'a>;

    #[inline]
    fn read<'a, 's: 'a>(
        call: &'a Call<'s>,
        index: usize,
        place: &'a mut T::Place<'s>,
    ) -> Result<T::Of<'a>> {
        T::borrow(call.arg(index), place).map_err(|cause| call.bad(index, cause))
    }
}

impl<T: Borrowed> Argument<via::Optional> for Option<T> {
    type Place<'s> = T::Place<'s>;
    type Of<'a> = Option<T::Of<'a>>;

    #[inline]
    fn read<'a, 's: 'a>(
        call: &'a Call<'s>,
        index: usize,
        place: &'a mut T::Place<'s>,
    ) -> Result<Option<T::Of<'a>>> {
        if call.arg(index).is_nil() {
            return Ok(None);
        }
        <T as Argument<via::Borrowing>>::read(call, index, place).map(Some)
    }
}

impl Argument<via::Context> for &Runtime {
    const TAKES: usize = 0;
    type Place<'s> = ();
    type Of<'a> = &'a Runtime;

    #[inline]
    fn read<'a, 's: 'a>(call: &'a Call<'s>, _: usize, (): &'a mut ()) -> Result<&'a Runtime> {
        Ok(call.runtime())
    }
}

impl Argument<via::Context> for &Call<'_> {
    const TAKES: usize = 0;
    type Place<'s> = ();
    type Of<'a> = &'a Call<'a>;

    #[inline]
    fn read<'a, 's: 'a>(call: &'a Call<'s>, _: usize, (): &'a mut ()) -> Result<&'a Call<'a>> {
        Ok(call)
    }
}

/// One of two: an argument that may be of either type, or a result.
///
/// The first type is tried first.
///
/// ```
/// use lupa_core::{Either, Runtime};
///
/// let lua = Runtime::new()?;
/// let length = lua.function(|of: Either<&str, Vec<f64>>| of.either(str::len, |list| list.len()))?;
/// assert_eq!(length.call::<usize>("four")?, 4);
/// assert_eq!(length.call::<usize>(vec![1, 2])?, 2);
/// let error = length.call::<usize>(true).unwrap_err();
/// assert!(error.to_string().contains("bad argument #1: cannot convert boolean to string: nor to sequence"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Either<A, B> {
    /// A value of the first type.
    Left(A),
    /// A value of the second type.
    Right(B),
}

impl<A, B> Either<A, B> {
    /// What one of two functions makes of it.
    #[inline]
    pub fn either<R>(self, left: impl FnOnce(A) -> R, right: impl FnOnce(B) -> R) -> R {
        match self {
            Either::Left(value) => left(value),
            Either::Right(value) => right(value),
        }
    }
}

impl<A: Argument<ViaA>, B: Argument<ViaB>, ViaA, ViaB> Argument<(ViaA, ViaB)> for Either<A, B> {
    type Place<'s> = (A::Place<'s>, B::Place<'s>);
    type Of<'a> = Either<A::Of<'a>, B::Of<'a>>;

    #[inline]
    fn read<'a, 's: 'a>(
        call: &'a Call<'s>,
        index: usize,
        (left, right): &'a mut Self::Place<'s>,
    ) -> Result<Self::Of<'a>> {
        match A::read(call, index, left) {
            Ok(value) => Ok(Either::Left(value)),
            Err(first) => match B::read(call, index, right) {
                Ok(value) => Ok(Either::Right(value)),
                Err(second) => Err(neither(call, index, first, second)),
            },
        }
    }
}

/// The error of an argument that is neither of two types.
#[cold]
fn neither(call: &Call<'_>, index: usize, first: Error, second: Error) -> Error {
    let cause = |error: &Error| match error {
        Error::BadArgument(error) => Some(error.cause.clone()),
        _ => None,
    };
    match (cause(&first), cause(&second)) {
        (Some(Error::Conversion(one)), Some(Error::Conversion(other)))
            if one.message.is_empty() =>
        {
            let message = format!("nor to {}", other.to);
            call.bad(index, Error::conversion(one.from, one.to, message))
        }
        // It was of one of the types, but there was something else.
        (Some(Error::Conversion(_)), _) => second,
        _ => first,
    }
}

impl<A: IntoLua, B: IntoLua> IntoLua for Either<A, B> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        match self {
            Either::Left(value) => value.into_lua(to),
            Either::Right(value) => value.into_lua(to),
        }
    }
}

/// The rest of the arguments.
///
/// ```
/// use lupa_core::{Runtime, Variadic};
///
/// let lua = Runtime::new()?;
/// let scale = lua.function(|by: f64, numbers: Variadic<f64>| {
///     numbers.iter().map(|n| n * by).collect::<Variadic<f64>>()
/// })?;
/// let scaled: Variadic<f64> = scale.call((10, 1, 2, 3))?;
/// assert_eq!(*scaled, [10.0, 20.0, 30.0]);
/// # Ok::<(), lupa_core::Error>(())
/// ```
impl<T: Owned> Argument<via::Rest> for Variadic<T> {
    const TAKES: usize = REST;
    type Place<'s> = ();
    type Of<'a> = Variadic<T>;

    fn read<'a, 's: 'a>(call: &'a Call<'s>, index: usize, (): &'a mut ()) -> Result<Self> {
        (index..call.len()).map(|index| call.get(index)).collect()
    }
}
