//! Tables as sequences, and iterators over tables.

use crate::convert::{FromLua, IntoLua, Owned, read_entry, read_key};
use crate::cursor::Cursor;
use crate::error::{Error, Result};
use crate::handle::settled;
use crate::pusher::Pusher;
use crate::slot::Slot;
use crate::table::Table;
use std::ffi::c_int;
use std::iter::FusedIterator;
use std::marker::PhantomData;

/// A table used as a list: positions start at 1, and items move up and down. As Lua's `table.insert` and
/// `table.remove`, none of these looks at metamethods.
impl Table {
    /// Appends an item; [`Table::push`] honours metamethods.
    ///
    /// ```
    /// use lupa_core::{Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let list: Table = lua.load("return setmetatable({}, { __newindex = function() error('full') end })").eval()?;
    /// assert!(list.push("a").is_err());
    /// list.raw_push("a")?;
    /// assert_eq!(list.len()?, 1);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the conversion.
    pub fn raw_push(&self, value: impl IntoLua) -> Result<()> {
        self.0.with(|stack, index| {
            let length = settled(stack, index, 0)?.raw_len();
            value.into_lua(Pusher::new(stack))?;
            settled(stack, index, 1)?.raw_set_index(position(length + 1)?);
            stack.check_memory()
        })
    }

    /// Removes the last item and gives it; `None` if there are none.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let jobs = lua.create_sequence_from(["first", "second"])?;
    /// let mut done = Vec::new();
    /// while let Some(job) = jobs.pop::<String>()? {
    ///     done.push(job);
    /// }
    /// assert_eq!(done, ["second", "first"]);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the conversion, after which the item is still there.
    pub fn pop<V: Owned>(&self) -> Result<Option<V>> {
        match self.len()? {
            0 => Ok(None),
            length => self.remove(length).map(Some),
        }
    }

    /// Inserts an item before the one at a position, which moves up with all after it; one position after the
    /// last appends.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let list = lua.create_sequence_from(["b", "c", "d"])?;
    /// list.insert(1, "a")?;
    /// assert_eq!(list.remove::<String>(2)?, "b");
    /// assert_eq!(list.pop::<String>()?.as_deref(), Some("d"));
    /// let rest: Vec<String> = list.sequence().collect::<lupa_core::Result<_>>()?;
    /// assert_eq!(rest, ["a", "c"]);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error for other positions, errors of the conversion.
    pub fn insert(&self, at: usize, value: impl IntoLua) -> Result<()> {
        self.0.with(|stack, index| {
            let length = settled(stack, index, 0)?.raw_len();
            if at == 0 || at > length + 1 {
                return Err(outside(at, length + 1));
            }
            value.into_lua(Pusher::new(stack))?;
            let table = settled(stack, index, 1)?;
            for from in (at..=length).rev() {
                table.raw_get_index(position(from)?);
                table.raw_set_index(position(from + 1)?);
            }
            table.raw_set_index(position(at)?);
            stack.check_memory()
        })
    }

    /// Removes the item at a position, into which all after it move down, and gives it. To remove another kind
    /// of key, set it to [`Value::Nil`](crate::Value::Nil).
    ///
    /// # Errors
    /// An error for a position without an item, errors of the conversion, after which the item is still there.
    pub fn remove<V: Owned>(&self, at: usize) -> Result<V> {
        self.0.with(|stack, index| {
            let table = settled(stack, index, 0)?;
            let length = table.raw_len();
            if at == 0 || at > length {
                return Err(outside(at, length));
            }
            table.raw_get_index(position(at)?);
            let removed = V::from_lua(Slot::new(stack, index + 1))?;
            for from in at + 1..=length {
                table.raw_get_index(position(from)?);
                table.raw_set_index(position(from - 1)?);
            }
            stack.push_nil();
            table.raw_set_index(position(length)?);
            Ok(removed)
        })
    }

    /// Removes all entries. What the table had room for it keeps.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let mixed: lupa_core::Table = lua.load("return { 1, 2, name = 'mixed' }").eval()?;
    /// mixed.clear()?;
    /// assert!(mixed.is_empty()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn clear(&self) -> Result<()> {
        self.0.with(|stack, index| {
            let table = settled(stack, index, 0)?;
            let mut at = 0;
            while table.next(&mut at) {
                stack.pop_to(index + 1);
                stack.push_nil();
                table.raw_set()?;
            }
            Ok(())
        })
    }

    /// An iterator over the items from position 1 to the first nil, metamethods aside, as Lua's `ipairs`. The
    /// table may be changed meanwhile: each step looks at the next position.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let ages: lupa_core::Table = lua.load("return { 36, 41, nil, 5, name = 'ages' }").eval()?;
    /// let sum = ages.sequence::<u32>().sum::<lupa_core::Result<u32>>()?;
    /// assert_eq!(sum, 77);
    /// // An error tells which item it was.
    /// ages.set(2, "old")?;
    /// let error = ages.sequence::<u32>().find_map(Result::err).unwrap();
    /// assert!(error.to_string().contains("at index 2"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn sequence<V: Owned>(&self) -> Items<'_, V> {
        Items {
            table: Some(self),
            next: 1,
            of: PhantomData,
        }
    }

    /// An iterator over all keys and values, metamethods aside, as Lua's `pairs`. Entries may be removed and changed
    /// meanwhile; if some are added, others may come twice or not at all.
    ///
    /// [`Table::pairs`] and [`Table::for_each`] need fewer steps if all entries are wanted.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let table = lua.create_table_from([("a", 1), ("b", 2)])?;
    /// let mut pairs = table.iter::<String, i32>().collect::<lupa_core::Result<Vec<_>>>()?;
    /// pairs.sort();
    /// assert_eq!(pairs, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn iter<K: Owned, V: Owned>(&self) -> Entries<'_, K, V> {
        Entries {
            table: Some(self),
            cursor: Cursor::start(),
            of: PhantomData,
        }
    }
}

fn position(at: usize) -> Result<c_int> {
    c_int::try_from(at).map_err(|_| Error::Memory)
}

#[cold]
fn outside(at: usize, last: usize) -> Error {
    Error::message(format!("position {at} is not between 1 and {last}"))
}

/// See [`Table::sequence`]. After an error it has ended.
///
/// ```
/// use lupa_core::{Items, Result, Runtime};
///
/// fn longest(words: Items<'_, String>) -> Result<usize> {
///     let mut most = 0;
///     for word in words {
///         most = most.max(word?.len());
///     }
///     Ok(most)
/// }
///
/// let lua = Runtime::new()?;
/// let words = lua.create_sequence_from(["green", "tea"])?;
/// assert_eq!(longest(words.sequence())?, 5);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Items<'t, V> {
    table: Option<&'t Table>,
    next: c_int,
    of: PhantomData<fn() -> V>,
}

impl<V: Owned> Iterator for Items<'_, V> {
    type Item = Result<V>;

    fn next(&mut self) -> Option<Result<V>> {
        let table = self.table?;
        let item = table.0.with(|stack, index| {
            settled(stack, index, 0)?.raw_get_index(self.next);
            Option::<V>::from_lua(Slot::new(stack, index + 1))
                .map_err(|error| error.at_index(self.next as usize))
        });
        // No table has items at all positions.
        self.next = self.next.saturating_add(1);
        if !matches!(item, Ok(Some(_))) {
            self.table = None;
        }
        item.transpose()
    }
}

impl<V: Owned> FusedIterator for Items<'_, V> {}

/// See [`Table::iter`]. After an error it has ended.
///
/// ```
/// use lupa_core::{Entries, Runtime};
///
/// let lua = Runtime::new()?;
/// let stock = lua.create_table_from([("tea", 3), ("cake", 0), ("salt", 0)])?;
/// let entries: Entries<'_, String, u32> = stock.iter();
/// for entry in entries {
///     let (name, count) = entry?;
///     if count == 0 {
///         stock.set(name, lupa_core::Value::Nil)?; // entries may go meanwhile
///     }
/// }
/// assert_eq!(stock.pairs::<String, u32>()?, [("tea".to_owned(), 3)]);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Entries<'t, K, V> {
    table: Option<&'t Table>,
    cursor: Cursor,
    of: PhantomData<fn() -> (K, V)>,
}

impl<K: Owned, V: Owned> Iterator for Entries<'_, K, V> {
    type Item = Result<(K, V)>;

    fn next(&mut self) -> Option<Self::Item> {
        let table = self.table?;
        let entry = self.cursor.step(&table.0, |key, value| {
            Ok((read_key(key)?, read_entry(key, value)?))
        });
        if !matches!(entry, Ok(Some(_))) {
            self.table = None;
        }
        entry.transpose()
    }
}

impl<K: Owned, V: Owned> FusedIterator for Entries<'_, K, V> {}
