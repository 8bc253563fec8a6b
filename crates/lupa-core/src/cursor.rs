//! Stepwise iteration over tables.

use crate::error::Result;
use crate::handle::{Handle, no_table};
use crate::raw::stack::RESERVED;
use crate::reference::Reference;
use crate::slot::Slot;

/// Walks over a table step by step. Entries may be removed and changed meanwhile; if some are
/// added, others may come twice or not at all.
///
/// [`Table::iter`](crate::Table::iter) and [`Table::for_each`](crate::Table::for_each) convert each entry; this lends it, and makes no handles.
///
/// ```
/// use lupa_core::{Cursor, Runtime};
///
/// let lua = Runtime::new()?;
/// let table = lua.load("return { 'tea', 'cake', n = 2 }").into_function()?;
/// let table = table.call_with(|_| Ok(()), lupa_core::Directly, |results| results.get(0).to_reference())?;
/// let mut bytes = 0;
/// let mut cursor = Cursor::start();
/// while cursor
///     .advance(&table, |_, value| {
///         bytes += value.bytes().map_or(0, <[u8]>::len);
///         Ok(())
///     })?
///     .is_some()
/// {}
/// assert_eq!(bytes, 7);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Cursor {
    position: u32,
}

impl Cursor {
    /// Before the first entry.
    pub fn start() -> Self {
        Cursor::default()
    }

    #[inline]
    pub(crate) fn step<R>(
        &mut self,
        table: &Handle,
        read: impl for<'s> FnOnce(Slot<'s>, Slot<'s>) -> Result<R>,
    ) -> Result<Option<R>> {
        table.with(|stack, index| self.advance_in(Slot::new(stack, index), read))
    }

    /// Reads the next entry of a table by `read`; `None` at the end.
    ///
    /// # Errors
    /// Those of `read`, after which the walk can go on; a conversion error for what is no table.
    #[inline]
    pub fn advance<R>(
        &mut self,
        table: &Reference,
        read: impl for<'s> FnOnce(Slot<'s>, Slot<'s>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.step(&table.0, read)
    }

    /// As [`Cursor::advance`], for a table in a slot.
    ///
    /// ```
    /// use lupa_core::{Cursor, Directly, Reference, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let list: Reference = lua.load("return { 'tea', 'cake' }").eval()?;
    /// // Two steps while the runtime is locked once.
    /// let letters = list.read_with(Directly, |slot| {
    ///     let mut cursor = Cursor::start();
    ///     let mut step = || cursor.advance_in(slot, |_, value| Ok(value.bytes().map_or(0, <[u8]>::len)));
    ///     Ok(step()?.unwrap_or(0) + step()?.unwrap_or(0))
    /// })?;
    /// assert_eq!(letters, 7);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Cursor::advance`], and `Error::StackOverflow` if there is no room for an entry.
    #[inline]
    pub fn advance_in<R>(
        &mut self,
        table: Slot<'_>,
        read: impl for<'s> FnOnce(Slot<'s>, Slot<'s>) -> Result<R>,
    ) -> Result<Option<R>> {
        let stack = table.stack();
        let table = stack.table(table.index()).ok_or_else(no_table)?;
        stack.reserve(RESERVED)?;
        let top = stack.top();
        let step = if table.next(&mut self.position) {
            read(Slot::new(stack, top + 1), Slot::new(stack, top + 2)).map(Some)
        } else {
            Ok(None)
        };
        stack.pop_to(top);
        step
    }
}
