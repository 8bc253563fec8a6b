//! Arrays and sets, and what an iterator gives, as tables.

use crate::convert::{FromLua, IntoLua, Owned, read_key};
use crate::error::{Error, Result};
use crate::pusher::Pusher;
use crate::raw::Kind;
use crate::slot::Slot;
use std::collections::{BTreeSet, HashSet};
use std::hash::{BuildHasher, Hash};

/// The items of an iterator as the sequence of a new table.
///
/// ```
/// use lupa_core::{Runtime, Sequence};
///
/// let lua = Runtime::new()?;
/// let words = ["one", "two", "three"];
/// let joined: String = lua
///     .load("return table.concat(..., ' ')")
///     .call(Sequence(words.iter().copied()))?;
/// assert_eq!(joined, "one two three");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence<I>(pub I);

/// Entries to make room for: what an iterator says is taken for a hint.
pub(crate) fn expected(items: &impl Iterator) -> usize {
    items.size_hint().0.min(1 << 16)
}

impl<I> IntoLua for Sequence<I>
where
    I: IntoIterator,
    I::Item: IntoLua,
{
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        let items = self.0.into_iter();
        to.new_table(expected(&items), 0, |table| {
            for (index, item) in items.enumerate() {
                table.set_index(index + 1, item)?;
            }
            Ok(())
        })
    }
}

/// From a sequence of exactly so many items.
impl<'s, T: Owned, const N: usize> FromLua<'s> for [T; N] {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        if slot.kind() != Kind::Table {
            return Err(slot.mismatch("sequence"));
        }
        let wrong = |count| {
            let message = format!("{count} items instead of {N}");
            Error::conversion("sequence", "array", message)
        };
        if slot.raw_len() != N {
            return Err(wrong(slot.raw_len()));
        }
        let items = slot.items()?;
        items.try_into().map_err(|items: Vec<T>| wrong(items.len()))
    }
}

impl<T: IntoLua, const N: usize> IntoLua for [T; N] {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        Sequence(self).into_lua(to)
    }
}

impl<'s, T: Owned> FromLua<'s> for Box<[T]> {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        Vec::from_lua(slot).map(Vec::into_boxed_slice)
    }
}

impl<T: IntoLua> IntoLua for Box<[T]> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        self.into_vec().into_lua(to)
    }
}

macro_rules! sets {
    ($($set:ty: [$($bounds:tt)*] [$($extra:tt)*];)*) => {$(
        /// From a table with `true` for each member; `false` is none, and any other value is an error, so that a
        /// sequence is not taken for a set of positions.
        impl<'s, T: Owned + $($bounds)*, $($extra)*> FromLua<'s> for $set {
            fn from_lua(slot: Slot<'s>) -> Result<Self> {
                if slot.kind() != Kind::Table {
                    return Err(slot.mismatch("set"));
                }
                let mut set = Self::default();
                slot.entries(|key, value| {
                    let Some(is_member) = value.boolean() else {
                        let message = "a set is a table with `true` for each member";
                        let error = Error::conversion(value.type_name(), "boolean", message);
                        return Err(error.at_key(key));
                    };
                    if is_member {
                        set.insert(read_key(key)?);
                    }
                    Ok(())
                })?;
                Ok(set)
            }
        }

        /// A table with `true` for each member.
        impl<T: IntoLua, $($extra)*> IntoLua for $set {
            fn into_lua(self, to: Pusher<'_>) -> Result<()> {
                to.new_table(0, self.len(), |table| {
                    for member in self {
                        table.set(member, true)?;
                    }
                    Ok(())
                })
            }
        }
    )*};
}

sets! {
    HashSet<T, S>: [Eq + Hash] [S: BuildHasher + Default];
    BTreeSet<T>: [Ord] [];
}
