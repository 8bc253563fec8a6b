//! Integers: as Lua numbers where those are exact, else as 64-bit integers of the FFI library.

use crate::convert::{FromLua, IntoLua};
use crate::error::{Error, Result};
use crate::pusher::Pusher;
use crate::slot::Slot;

/// Largest integer up to which all integers are Lua numbers.
const EXACT: u64 = 1 << 53;

macro_rules! integers {
    ($($type:ident)*) => {$(
        /// From a number that is an integer within the type's range, or an `int64_t` or `uint64_t` of the FFI
        /// library within it. Nothing is rounded.
        impl<'s> FromLua<'s> for $type {
            #[inline]
            fn from_lua(slot: Slot<'s>) -> Result<Self> {
                #[cold]
                fn unusual(slot: Slot<'_>) -> Result<$type> {
                    let range = ($type::MIN, $type::MAX);
                    let name = stringify!($type);
                    match slot.number() {
                        Some(n) if n.fract() == 0.0 => Err(out_of_range("number", name, n, range)),
                        Some(n) => Err(no_integer(n, name)),
                        None => {
                            let integer = cdata_integer(slot, name)?;
                            let narrowed = integer.try_into();
                            narrowed.map_err(|_| out_of_range("cdata", name, integer, range))
                        }
                    }
                }
                if let Some(n) = slot.number() {
                    let i = n as $type;
                    // A cast saturates, so a number beyond the type does not come back equal,
                    // save for the type's own limits rounded to a double.
                    if i as f64 == n && (i != $type::MAX || i as u64 <= EXACT) {
                        return Ok(i);
                    }
                }
                unusual(slot)
            }
        }

        /// A number up to 2^53 either way; beyond, an `int64_t` or `uint64_t` of the FFI library if the runtime has
        /// that ([`Libs::FFI`](crate::Libs::FFI)), else a number if that is exact. Nothing is rounded.
        impl IntoLua for $type {
            #[inline]
            fn into_lua(self, to: Pusher<'_>) -> Result<()> {
                const NARROW: bool = size_of::<$type>() <= 4;
                let lowest = (0 as $type).wrapping_sub(EXACT as $type);
                if NARROW || (self <= EXACT as $type && ($type::MIN == 0 || self >= lowest)) {
                    return to.number(self as f64);
                }
                let signed = i64::try_from(self).ok().map(|i| (i as u64, false));
                let unsigned = u64::try_from(self).ok().map(|i| (i, true));
                let bits = if $type::MIN == 0 { unsigned } else { signed.or(unsigned) };
                if push_large(&to, bits)? {
                    return Ok(());
                }
                let n = self as f64;
                if n as $type == self && self != $type::MAX {
                    return to.number(n);
                }
                Err(inexact(stringify!($type), self))
            }
        }
    )*};
}

integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

/// Pushes a 64-bit integer of the FFI library, given its bits and whether they have no sign; `false`, and nothing
/// pushed, if there is none.
#[cold]
fn push_large(to: &Pusher<'_>, integer: Option<(u64, bool)>) -> Result<bool> {
    let stack = to.stack();
    let Some((bits, unsigned)) = integer else {
        return Ok(false);
    };
    let ready = stack.ready_for_int64()?;
    if ready {
        stack.push_int64(bits, unsigned);
    }
    Ok(ready)
}

fn cdata_integer(slot: Slot<'_>, to: &'static str) -> Result<i128> {
    slot.cdata_integer()?.ok_or_else(|| slot.mismatch(to))
}

fn out_of_range<T: std::fmt::Display>(
    from: &'static str,
    to: &'static str,
    value: impl std::fmt::Display,
    (least, most): (T, T),
) -> Error {
    let message = format!("{value} is not between {least} and {most}");
    Error::conversion(from, to, message)
}

fn no_integer(n: f64, to: &'static str) -> Error {
    Error::conversion("number", to, format!("{n} is no integer"))
}

#[cold]
fn inexact(from: &'static str, value: impl std::fmt::Display) -> Error {
    let message = format!("{value} has no exact double, and there is no FFI integer for it");
    Error::conversion(from, "number", message)
}
