//! Where a conversion is: the tables around it.

use super::SerdeOptions;
use super::failure::{Failure, Result};
use crate::error::Error;
use crate::raw::{Kind, Stack};
use crate::slot::Slot;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::fmt::Write;

/// Native stack, in bytes, that must be left to go into another table: the conversions of a
/// program's own types take some of it between two checks.
const NATIVE_STACK_RESERVE: usize = 192 * 1024;

/// Slots of the Lua stack that a level may use: a table, one around it, a key and a value, and what converting these takes.
const ROOM: usize = 12;

/// What a level's table is at.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// The table itself.
    Whole,
    /// An item of a sequence, from 1.
    Index(usize),
    /// A field or an enum's variant.
    Name(&'static str),
    /// The key in a slot of the stack.
    Key(c_int),
}

/// A table that is being read or filled. Levels live on the native stack, each knows the one around it.
pub(super) struct Level<'p> {
    outer: Option<&'p Level<'p>>,
    stack: Stack<'p>,
    depth: usize,
    /// Address of a table that is read; null for a new one.
    table: *const c_void,
    /// The variant of an enum whose content the table is.
    variant: Option<&'static str>,
    step: Cell<Step>,
}

impl<'p> Level<'p> {
    /// Goes into a table. Makes room on the Lua stack.
    ///
    /// # Errors
    /// When the nesting is too deep for the options, for the thread's stack or for Lua's.
    pub(super) fn enter(
        outer: Option<&'p Level<'p>>,
        stack: Stack<'p>,
        options: &SerdeOptions,
        table: *const c_void,
        variant: Option<&'static str>,
    ) -> Result<Self> {
        let depth = outer.map_or(1, |outer| outer.depth + 1);
        if depth > options.depth_limit {
            let limit = options.depth_limit;
            let text = format!("nested deeper than {limit} levels, the limit of the options");
            return Err(Failure::message(text).at(outer));
        }
        if stacker::remaining_stack().is_some_and(|left| left < NATIVE_STACK_RESERVE) {
            return Err(Error::RecursionLimit.into());
        }
        stack.reserve(ROOM)?;
        Ok(Level {
            outer,
            stack,
            depth,
            table,
            variant,
            step: Cell::new(Step::Whole),
        })
    }

    /// Notes what comes next, for messages.
    #[inline]
    pub(super) fn step(&self, step: Step) {
        self.step.set(step);
    }

    /// Whether it is the content of an enum's variant.
    pub(super) fn is_variant(&self) -> bool {
        self.variant.is_some()
    }

    /// Whether a table is this one or one around it.
    pub(super) fn is_inside(&self, table: *const c_void) -> bool {
        let mut level = Some(self);
        while let Some(at) = level {
            if at.table == table {
                return true;
            }
            level = at.outer;
        }
        false
    }

    /// The path to the current step, as Lua code would write it: `servers[2].port`.
    pub(super) fn path(&self) -> String {
        /// Levels that are shown at either end of a long path.
        const SHOWN: usize = 12;
        let mut levels = Vec::new();
        let mut level = Some(self);
        while let Some(at) = level {
            levels.push(at);
            level = at.outer;
        }
        let count = levels.len();
        let mut path = String::new();
        for (index, at) in levels.iter().rev().enumerate() {
            if index < SHOWN || index + SHOWN >= count {
                at.write_step(&mut path);
            } else if index == SHOWN {
                path.push('…');
            }
        }
        path
    }

    fn write_step(&self, path: &mut String) {
        if let Some(variant) = self.variant {
            write_name(path, variant.as_bytes());
        }
        match self.step.get() {
            Step::Whole => {}
            Step::Index(index) => {
                // A String takes all text.
                let _ = write!(path, "[{index}]");
            }
            Step::Name(name) => write_name(path, name.as_bytes()),
            Step::Key(key) => write_key(path, Slot::new(self.stack, key)),
        }
    }
}

/// Appends a key of a table to a path.
fn write_key(path: &mut String, key: Slot<'_>) {
    // A String takes all text.
    let _ = match key.kind() {
        Kind::String => {
            write_name(path, key.bytes().unwrap_or_default());
            Ok(())
        }
        Kind::Number => write!(path, "[{}]", key.number().unwrap_or_default()),
        Kind::Boolean => write!(path, "[{}]", key.truthy()),
        kind => write!(path, "[{}]", kind.name()),
    };
}

/// Appends a name: `.name`, or `["a name"]` for what is no identifier.
fn write_name(path: &mut String, name: &[u8]) {
    let is_identifier = name.first().is_some_and(|b| !b.is_ascii_digit())
        && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let name = String::from_utf8_lossy(name);
    if !is_identifier {
        let _ = write!(path, "[{:?}]", super::failure::shortened(&name));
    } else if path.is_empty() {
        path.push_str(&name);
    } else {
        let _ = write!(path, ".{name}");
    }
}
