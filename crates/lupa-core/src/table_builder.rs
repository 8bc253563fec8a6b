//! New tables, filled on Lua's stack.

use crate::convert::IntoLua;
use crate::error::{Error, Result};
use crate::pusher::{Pusher, misuse};
use crate::raw::stack::TableSlot;
use crate::raw::{Framed, Stack};
use crate::reference::Reference;
use crate::slot::Slot;
use std::ffi::c_int;

/// Stack slots that a table builder reserves once: for the table, key and value, and
/// for what conversions need besides.
const BUILDER_ROOM: usize = 16;

/// A new table on the stack, to be filled.
///
/// No handle is made, and no metamethod is asked. See [`Runtime::create_table_with`](crate::Runtime::create_table_with) and
/// [`Pusher::new_table`].
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// let squares = lua.create_table_with(3, 1, |table| {
///     for n in 1..=3 {
///         table.set_index(n, n * n)?;
///     }
///     table.set("name", "squares")
/// })?;
/// assert_eq!((squares.len()?, squares.get::<i64>(3)?), (3, 9));
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct TableBuilder<'s> {
    stack: Framed<'s>,
    table: TableSlot<'s>,
    index: c_int,
}

impl<'s> TableBuilder<'s> {
    /// Pushes a new table.
    #[inline]
    pub(crate) fn push(stack: Stack<'s>, array: usize, hash: usize) -> Result<Self> {
        stack.reserve(BUILDER_ROOM)?;
        stack.push_table(array, hash)?;
        let index = stack.top();
        Ok(TableBuilder {
            stack: Framed::new(stack),
            table: stack.table(index).ok_or_else(misuse)?,
            index,
        })
    }

    /// Sets `table[key] = value`.
    ///
    /// # Errors
    /// [`Error::InvalidKey`] for nil and NaN, and those of the conversions.
    #[inline]
    pub fn set(&mut self, key: impl IntoLua, value: impl IntoLua) -> Result<()> {
        self.set_with(|to| key.into_lua(to), |to| value.into_lua(to))
    }

    /// As [`TableBuilder::set`], with closures that push.
    ///
    /// # Errors
    /// As [`TableBuilder::set`].
    #[inline]
    pub fn set_with(
        &mut self,
        key: impl FnOnce(Pusher<'_>) -> Result<()>,
        value: impl FnOnce(Pusher<'_>) -> Result<()>,
    ) -> Result<()> {
        let stack = self.undisturbed()?;
        let outcome = key(Pusher::new(stack))
            .and_then(|()| value(Pusher::new(stack)))
            .and_then(|()| self.settled(stack, 2))
            .and_then(|()| self.table.raw_insert());
        if outcome.is_err() {
            stack.pop_to(self.index);
        }
        outcome
    }

    /// Sets `table[index] = value`; indices start at 1.
    ///
    /// # Errors
    /// Those of the conversion.
    #[inline]
    pub fn set_index(&mut self, index: usize, value: impl IntoLua) -> Result<()> {
        self.set_index_with(index, |to| value.into_lua(to))
    }

    /// As [`TableBuilder::set_index`], with a closure that pushes.
    ///
    /// # Errors
    /// As [`TableBuilder::set_index`].
    #[inline]
    pub fn set_index_with(
        &mut self,
        index: usize,
        value: impl FnOnce(Pusher<'_>) -> Result<()>,
    ) -> Result<()> {
        let index = c_int::try_from(index).map_err(|_| Error::Memory)?;
        let stack = self.undisturbed()?;
        let outcome = value(Pusher::new(stack))
            .and_then(|()| self.settled(stack, 1))
            .map(|()| self.table.raw_set_index(index));
        if outcome.is_err() {
            stack.pop_to(self.index);
        }
        outcome
    }

    /// Copies the entries of another table of the same runtime, metamethods aside.
    ///
    /// ```
    /// use lupa_core::{Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let defaults: Reference = lua.load("return { 'verbose', host = 'localhost', port = 80 }").eval()?;
    /// let config = lua.create_table_with(2, 2, |config| {
    ///     config.extend(&defaults)?;
    ///     config.set_index_with(2, |to| to.bytes(b"fast"))?;
    ///     config.set_with(|to| to.bytes(b"port"), |to| to.number(8080.0))
    /// })?;
    /// let text: String = lua.load("local c = ... return table.concat(c, ' ') .. ' ' .. c.host .. ':' .. c.port").call(config)?;
    /// assert_eq!(text, "verbose fast localhost:8080");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::WrongRuntime`], and a conversion error for what is no table.
    pub fn extend(&mut self, other: &Reference) -> Result<()> {
        let stack = self.undisturbed()?;
        stack.reserve(16)?;
        other.0.push(stack)?;
        let base = self.index + 1;
        let Some(from) = stack.table(base) else {
            let mismatch = Slot::new(stack, base).mismatch("table");
            stack.pop_to(self.index);
            return Err(mismatch);
        };
        let mut position = 0;
        while from.next(&mut position) {
            self.table.raw_set()?;
        }
        stack.pop_to(self.index);
        Ok(())
    }

    /// The table as a slot, for instance to push it into another one.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let by_name = lua.create_table()?;
    /// let users = lua.create_table_with(2, 0, |users| {
    ///     for (index, name) in ["Ada", "Alan"].into_iter().enumerate() {
    ///         users.set_index_with(index + 1, |to| {
    ///             to.new_table(0, 1, |user| {
    ///                 user.set("name", name)?;
    ///                 by_name.set(name, user.slot())
    ///             })
    ///         })?;
    ///     }
    ///     Ok(())
    /// })?;
    /// let code = "local users, by_name = ... return users[2] == by_name.Alan and users[2].name == 'Alan'";
    /// assert!(lua.load(code).call::<bool>((users, by_name))?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn slot(&self) -> Slot<'_> {
        Slot::new(*self.stack, self.index)
    }

    /// The stack, if nothing lies above the table: what does is of an operation inside which the builder is used.
    #[inline]
    fn undisturbed(&self) -> Result<Stack<'_>> {
        let stack = *self.stack;
        if stack.top() != self.index {
            return Err(disturbed());
        }
        Ok(stack)
    }

    /// Whether exactly `pushed` values lie above the table, for which there is memory.
    #[inline]
    fn settled(&self, stack: Stack<'_>, pushed: c_int) -> Result<()> {
        if stack.top() != self.index + pushed {
            return Err(misuse());
        }
        // A table is filled by pushes alone, which the limit lets through.
        stack.check_memory()
    }
}

impl std::fmt::Debug for TableBuilder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TableBuilder")
    }
}

#[cold]
fn disturbed() -> Error {
    Error::message("a table that is being filled was used inside of another operation")
}
