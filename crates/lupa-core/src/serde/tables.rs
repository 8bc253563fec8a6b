//! Tables as sequences and maps.

use super::SerdeOptions;
use super::failure::{Failure, Result, shortened};
use super::level::{Level, Step};
use crate::raw::stack::TableSlot;
use crate::raw::{Framed, Kind, Stack};
use crate::slot::Slot;
use std::ffi::c_int;

/// What a table is taken for where the type leaves it open.
pub(super) enum Shape {
    Sequence,
    Map,
}

/// A table with an item 1 is a sequence; whether that is all that is in it shows when it has been read.
pub(super) fn shape(stack: Stack<'_>, index: c_int, options: &SerdeOptions) -> Shape {
    let Some(table) = stack.table(index) else {
        return Shape::Map;
    };
    let top = stack.top();
    let sequence = if table.raw_len() > 0 {
        table.raw_get_index(1);
        stack.kind(top + 1) != Kind::Nil
    } else {
        !table.next(&mut 0) && (options.empty_as_sequence || super::array::is_array(stack, index))
    };
    stack.pop_to(top);
    if sequence {
        Shape::Sequence
    } else {
        Shape::Map
    }
}

/// Reads a sequence.
///
/// Mostly the entries of the table, in its own order, are the items in theirs: then one walk over it gives them, and shows
/// that there is nothing else.
pub(super) struct Items<'a, 'p> {
    level: &'a Level<'p>,
    stack: Framed<'a>,
    table: TableSlot<'a>,
    pub(super) length: usize,
    read: usize,
    walk: Walk,
}

/// How the items are found.
#[derive(Clone, Copy)]
enum Walk {
    /// The next is the entry at this position.
    InOrder(u32),
    /// By their index: all keys were looked at.
    ByIndex,
}

impl<'a, 'p> Items<'a, 'p> {
    pub(super) fn new(level: &'a Level<'p>, stack: Stack<'a>, table: TableSlot<'a>) -> Self {
        Items {
            level,
            stack: Framed::new(stack),
            table,
            length: table.raw_len(),
            read: 0,
            walk: Walk::InOrder(0),
        }
    }

    pub(super) fn left(&self) -> usize {
        self.length - self.read
    }

    /// Reads the next item by `read`, from the slot that it is given.
    pub(super) fn next<R, E: From<Failure>>(
        &mut self,
        read: impl FnOnce(c_int) -> std::result::Result<R, E>,
    ) -> std::result::Result<Option<R>, E> {
        if self.read == self.length {
            return Ok(None);
        }
        let top = self.stack.top();
        let index = self.push_item()?;
        let result = read(index).map(Some);
        self.stack.pop_to(top);
        result
    }

    /// Pushes the next item, maybe with something below it, and gives its slot.
    fn push_item(&mut self) -> Result<c_int> {
        let top = self.stack.top();
        self.read += 1;
        if let Walk::InOrder(position) = &mut self.walk {
            let key = Slot::new(*self.stack, top + 1);
            if self.table.next(position) && key.number() == Some(self.read as f64) {
                self.level.step(Step::Index(self.read));
                return Ok(top + 2);
            }
            self.stack.pop_to(top);
            self.nothing_else(&mut 0)?;
            self.walk = Walk::ByIndex;
        }
        self.level.step(Step::Index(self.read));
        self.table.raw_get_index(self.read as c_int);
        if self.stack.kind(top + 1) == Kind::Nil {
            self.stack.pop_to(top);
            let failure = Failure::message("nil, and a sequence has no holes");
            return Err(failure.at(Some(self.level)));
        }
        Ok(top + 1)
    }

    /// Makes sure that all was read, and that the table has nothing else.
    pub(super) fn finish(&self) -> Result<()> {
        self.level.step(Step::Whole);
        let (read, length) = (self.read, self.length);
        if read < length {
            let text = format!("expected a sequence of length {read}, got one of length {length}");
            return Err(Failure::message(text).at(Some(self.level)));
        }
        match self.walk {
            Walk::InOrder(mut position) => self.nothing_else(&mut position),
            Walk::ByIndex => Ok(()),
        }
    }

    /// Makes sure that from a position on all entries are items.
    pub(super) fn nothing_else(&self, position: &mut u32) -> Result<()> {
        let (stack, length) = (*self.stack, self.length);
        let top = stack.top();
        let key = Slot::new(stack, top + 1);
        while self.table.next(position) {
            let number = key.number();
            let is_item = |n| n >= 1.0 && n <= length as f64 && f64::fract(n) == 0.0;
            if !number.is_some_and(is_item) {
                let key = match (number, key.bytes()) {
                    (Some(number), _) => number.to_string(),
                    (_, Some(name)) => format!("{:?}", shortened(&String::from_utf8_lossy(name))),
                    _ => format!("a {}", key.type_name()),
                };
                stack.pop_to(top);
                self.level.step(Step::Whole);
                let text = format!(
                    "neither a sequence nor a map: a table with the items 1 to {length} and the key {key}"
                );
                return Err(Failure::message(text).at(Some(self.level)));
            }
            stack.pop_to(top);
        }
        Ok(())
    }
}

/// The entries of a table, in its own order or sorted by their keys.
pub(super) struct Entries<'a> {
    table: TableSlot<'a>,
    position: u32,
    sorted: Option<std::vec::IntoIter<u32>>,
}

/// What entries are sorted by; those of other kinds come last, in the table's order.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum SortKey {
    Boolean(bool),
    /// The bits of a number, changed so that they are in its order.
    Number(u64),
    Bytes(Vec<u8>),
    Other,
}

impl<'a> Entries<'a> {
    pub(super) fn new(stack: Stack<'a>, table: TableSlot<'a>, sort: bool) -> Self {
        Entries {
            table,
            position: 0,
            sorted: sort.then(|| sorted_positions(stack, table).into_iter()),
        }
    }

    /// Pushes the next key and value.
    pub(super) fn push_next(&mut self) -> bool {
        if let Some(sorted) = &mut self.sorted {
            let Some(next) = sorted.next() else {
                return false;
            };
            self.position = next;
        }
        self.table.next(&mut self.position)
    }

    /// Number of entries from the start, by a walk over them if it is not known.
    pub(super) fn count(&self, stack: Stack<'_>) -> usize {
        self.left().unwrap_or_else(|| {
            let (top, mut position, mut count) = (stack.top(), 0, 0);
            while self.table.next(&mut position) {
                stack.pop_to(top);
                count += 1;
            }
            count
        })
    }

    /// Number of entries, if it is known.
    pub(super) fn left(&self) -> Option<usize> {
        self.sorted.as_ref().map(ExactSizeIterator::len)
    }
}

fn sorted_positions(stack: Stack<'_>, table: TableSlot<'_>) -> Vec<u32> {
    let top = stack.top();
    let mut entries = Vec::new();
    let mut position = 0;
    while table.next(&mut position) {
        let slot = Slot::new(stack, top + 1);
        let key = match slot.kind() {
            Kind::Boolean => SortKey::Boolean(slot.truthy()),
            Kind::Number => SortKey::Number(ordered_bits(slot.number().unwrap_or_default())),
            Kind::String => SortKey::Bytes(slot.bytes().unwrap_or_default().to_vec()),
            _ => SortKey::Other,
        };
        // The position after an entry less one is where it is found again.
        entries.push((key, position - 1));
        stack.pop_to(top);
    }
    entries.sort();
    entries.into_iter().map(|(_, position)| position).collect()
}

/// Bits that are in the order of the numbers, none of which is NaN.
fn ordered_bits(number: f64) -> u64 {
    let bits = number.to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}
