//! Names that Lua code asks Python objects for.
//!
//! They are few, and the same each time. A string that is made anew for `object.name` has no hash yet, and CPython's cache of what
//! classes have, which goes by identity, does not know it. So each thread keeps the strings of the names that it used last.

use crate::convert::to_python;
use crate::errors::BoxedResult;
use crate::settings::Context;
use lupa_core::Slot;
use pyo3::prelude::*;
use pyo3::types::PyString;
use std::cell::RefCell;
use std::ops::RangeInclusive;

/// How many names a thread keeps, a power of two.
const PLACES: usize = 256;

/// How long names are that are kept, in bytes: Python keeps the shorter ones itself, and longer ones are text rather than names.
const LENGTHS: RangeInclusive<usize> = 2..=64;

thread_local! {
    /// The names, each at its [`place`]; none before the first.
    static NAMES: RefCell<Vec<Option<Py<PyString>>>> = const { RefCell::new(Vec::new()) };
}

/// The Python object for a key by which Lua code indexes an object.
#[inline]
pub(crate) fn key<'py>(cx: &Context<'_, 'py>, slot: Slot<'_>) -> BoxedResult<Bound<'py, PyAny>> {
    let is_text = || cx.settings.encoding.as_ref().is_some_and(|c| c.is_utf8());
    match slot.bytes() {
        Some(bytes) if LENGTHS.contains(&bytes.len()) && is_text() => name(cx, bytes, slot),
        _ => to_python(cx, slot),
    }
}

fn name<'py>(
    cx: &Context<'_, 'py>,
    bytes: &[u8],
    slot: Slot<'_>,
) -> BoxedResult<Bound<'py, PyAny>> {
    let place = place(bytes);
    // A thread that ends has no names any more.
    let known = NAMES.try_with(|names| {
        let names = names.borrow();
        let name = names.get(place)?.as_ref()?.bind(cx.py);
        let is_same = name.to_str().is_ok_and(|text| text.as_bytes() == bytes);
        is_same.then(|| name.clone().into_any())
    });
    if let Ok(Some(known)) = known {
        return Ok(known);
    }
    let made = to_python(cx, slot)?;
    if let Ok(text) = made.cast_exact::<PyString>() {
        let former = NAMES.try_with(|names| {
            let mut names = names.borrow_mut();
            names.resize_with(PLACES, || None);
            names[place].replace(text.clone().unbind())
        });
        drop(former);
    }
    Ok(made)
}

/// Where a name is kept: by its address, since Lua has one string of each text.
fn place(bytes: &[u8]) -> usize {
    let address = bytes.as_ptr().addr();
    (address >> 4 ^ address >> 12) % PLACES
}
