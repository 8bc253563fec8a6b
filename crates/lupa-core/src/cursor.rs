//! Stepwise iteration over tables.

use crate::error::Result;
use crate::handle::{Handle, settled};
use crate::reference::Reference;
use crate::slot::Slot;

/// Walks over a table step by step; the key reached is kept in Lua.
#[derive(Debug)]
pub struct Cursor {
    state: CursorState,
}

#[derive(Debug)]
enum CursorState {
    Start,
    At(Handle),
    End,
}

impl Cursor {
    /// Before the first entry.
    pub fn start() -> Self {
        Cursor {
            state: CursorState::Start,
        }
    }

    pub(crate) fn step<R>(
        &mut self,
        table: &Handle,
        read: impl for<'s> FnOnce(Slot<'s>, Slot<'s>) -> Result<R>,
    ) -> Result<Option<R>> {
        let result = table.with(|stack, index| {
            let slot = settled(stack, index, 0)?;
            match &self.state {
                CursorState::Start => stack.push_nil(),
                CursorState::At(key) => key.push(stack)?,
                CursorState::End => return Ok(None),
            }
            if !slot.next()? {
                return Ok(None);
            }
            let key = index + 1;
            match &self.state {
                CursorState::At(handle) => handle.replace(stack, key),
                _ => self.state = CursorState::At(Handle::new(stack, key)?),
            }
            read(Slot::new(stack, key), Slot::new(stack, key + 1)).map(Some)
        });
        if matches!(result, Ok(None)) {
            self.state = CursorState::End;
        }
        result
    }

    /// Reads the next entry of a table by `read`; `None` at the end.
    ///
    /// # Errors
    /// Those of `read`, after which the walk can go on; a runtime error if the table was
    /// changed so that iteration cannot go on; a conversion error for what is no table.
    pub fn advance<R>(
        &mut self,
        table: &Reference,
        read: impl for<'s> FnOnce(Slot<'s>, Slot<'s>) -> Result<R>,
    ) -> Result<Option<R>> {
        self.step(&table.0, read)
    }
}
