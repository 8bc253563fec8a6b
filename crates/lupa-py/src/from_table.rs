//! Python collections made of Lua tables.

use crate::convert;
use crate::errors::{Style, external};
use crate::settings::Context;
use crate::wrappers::{LuaTable, operate};
use lupa_core::{Reference, Result};
use pyo3::exceptions::{PyRecursionError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use std::collections::HashMap;

/// What becomes of a table that contains itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cycles {
    Refuse,
    Keep,
}

impl<'py> FromPyObject<'_, 'py> for Cycles {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<&str>()? {
            "error" => Ok(Cycles::Refuse),
            "keep" => Ok(Cycles::Keep),
            other => {
                let message = format!("cycles must be 'error' or 'keep', not '{other}'");
                Err(PyValueError::new_err(message))
            }
        }
    }
}

/// A Lua table, with all tables in it, as lists and dicts.
///
/// A table whose keys are 1 to n becomes a list, another one a dict, and an empty one what `empty()` gives. A table
/// that is reached twice is one object, twice. A table that contains itself is a ValueError, unless
/// `cycles` is 'keep': the result contains itself, too, then. RecursionError for more than `max_depth` tables within each
/// other. Keys, and values that are no tables, are what they are by indexing the table; metamethods
/// are not asked. A tuple, in which several results arrive, is converted item by item, and
/// any other object is returned as it is.
#[pyfunction]
#[pyo3(
    signature = (obj, *, empty = None, max_depth = 1000, cycles = Cycles::Refuse),
    text_signature = "(obj, *, empty=dict, max_depth=1000, cycles='error')"
)]
pub(crate) fn to_python<'py>(
    obj: &Bound<'py, PyAny>,
    empty: Option<Bound<'py, PyAny>>,
    max_depth: usize,
    cycles: Cycles,
) -> PyResult<Bound<'py, PyAny>> {
    let options = Options {
        empty,
        max_depth,
        cycles,
    };
    if let Ok(tuple) = obj.cast_exact::<PyTuple>() {
        let items: PyResult<Vec<_>> = tuple.iter().map(|item| options.convert(&item)).collect();
        return Ok(PyTuple::new(obj.py(), items?)?.into_any());
    }
    options.convert(obj)
}

struct Options<'py> {
    empty: Option<Bound<'py, PyAny>>,
    max_depth: usize,
    cycles: Cycles,
}

impl<'py> Options<'py> {
    fn convert(&self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let Ok(table) = object.cast::<LuaTable>() else {
            return Ok(object.clone());
        };
        Ok(operate(table.as_super(), Style::Plain, |cx, _| {
            Converter {
                cx,
                options: self,
                known: HashMap::new(),
                open: Vec::new(),
            }
            .run(table)
        })?)
    }
}

/// Walks over nested tables with a stack of its own: their depth is for the caller to limit.
struct Converter<'a, 'b, 'py> {
    cx: &'a Context<'b, 'py>,
    options: &'a Options<'py>,
    /// What tables became, by address. The table is kept so that no other one takes its address.
    known: HashMap<usize, Known<'py>>,
    /// The tables that are being converted, each inside the one before.
    open: Vec<Open<'py>>,
}

struct Known<'py> {
    _table: Bound<'py, LuaTable>,
    collection: Bound<'py, PyAny>,
    is_open: bool,
}

struct Open<'py> {
    address: usize,
    collection: Collection<'py>,
    /// Keys and values that are still to be put into the collection.
    entries: std::vec::IntoIter<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
}

enum Collection<'py> {
    List(Bound<'py, PyList>),
    Dict(Bound<'py, PyDict>),
}

impl<'py> Collection<'py> {
    fn as_any(&self) -> &Bound<'py, PyAny> {
        match self {
            Collection::List(list) => list.as_any(),
            Collection::Dict(dict) => dict.as_any(),
        }
    }

    fn put(&self, key: &Bound<'py, PyAny>, value: Bound<'py, PyAny>) -> PyResult<()> {
        match self {
            Collection::List(list) => list.set_item(key.extract::<usize>()? - 1, value),
            Collection::Dict(dict) => dict.set_item(key, value),
        }
    }
}

impl<'py> Converter<'_, '_, 'py> {
    fn run(mut self, table: &Bound<'py, LuaTable>) -> Result<Bound<'py, PyAny>> {
        let result = self.open(table)?;
        while let Some(open) = self.open.last_mut() {
            let Some((key, value)) = open.entries.next() else {
                if let Some(known) = self.known.get_mut(&open.address) {
                    known.is_open = false;
                }
                self.open.pop();
                continue;
            };
            let place = self.open.len() - 1;
            let value = match value.cast_into::<LuaTable>() {
                Ok(table) => self.open(&table)?,
                Err(error) => error.into_inner(),
            };
            let collection = &self.open[place].collection;
            collection.put(&key, value).map_err(external)?;
        }
        Ok(result)
    }

    /// The collection for a table. A new one is still to be filled.
    fn open(&mut self, table: &Bound<'py, LuaTable>) -> Result<Bound<'py, PyAny>> {
        let reference = table.as_super().get().reference()?;
        let address = reference.address()?;
        if let Some(known) = self.known.get(&address) {
            if known.is_open && self.options.cycles == Cycles::Refuse {
                let message = "the table contains itself (cycles='keep' lets it)";
                return Err(external(PyValueError::new_err(message)));
            }
            return Ok(known.collection.clone());
        }
        if self.open.len() >= self.options.max_depth {
            let depth = self.options.max_depth;
            let message = format!("tables are nested more than {depth} deep (max_depth)");
            return Err(external(PyRecursionError::new_err(message)));
        }
        let py = self.cx.py;
        let entries = self.entries(&reference)?;
        let is_sequence = reference.with(|slot| slot.is_sequence())?;
        let is_open = !entries.is_empty();
        let object = if is_open {
            let collection = if is_sequence {
                let places: Vec<_> = entries.iter().map(|_| py.None()).collect();
                Collection::List(PyList::new(py, places).map_err(external)?)
            } else {
                Collection::Dict(PyDict::new(py))
            };
            let object = collection.as_any().clone();
            self.open.push(Open {
                address,
                collection,
                entries: entries.into_iter(),
            });
            object
        } else {
            match &self.options.empty {
                Some(empty) => empty.call0().map_err(external)?,
                None => PyDict::new(py).into_any(),
            }
        };
        let known = Known {
            _table: table.clone(),
            collection: object.clone(),
            is_open,
        };
        self.known.insert(address, known);
        Ok(object)
    }

    fn entries(&self, table: &Reference) -> Result<Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let mut entries = Vec::new();
        table.with(|slot| {
            slot.entries(|key, value| {
                let key = convert::to_python(self.cx, key).map_err(external)?;
                let value = convert::to_python(self.cx, value).map_err(external)?;
                entries.push((key, value));
                Ok(())
            })
        })?;
        Ok(entries)
    }
}
