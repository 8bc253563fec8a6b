//! Lua tables made of Python collections.

use crate::capi::references;
use crate::convert::{PyArg, to_python};
use crate::errors::external;
use crate::greenlets;
use crate::settings::Context;
use crate::wrappers::{LuaObject, LuaTable};
use lupa_core::{IntoLua, Pusher, Reference, Result, TableBuilder};
use pyo3::exceptions::PyRecursionError;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMapping, PySequence, PyString, PyTuple,
};
use std::collections::HashMap;

/// Nested collections that are converted at most: each takes some native stack.
const MAX_DEPTH: usize = 1000;

/// Makes one table of all sources.
pub(crate) fn build<'py>(
    cx: &Context<'_, 'py>,
    sources: &[Bound<'py, PyAny>],
    recursive: bool,
) -> Result<Bound<'py, PyAny>> {
    let mut filler = Filler {
        cx,
        recursive,
        several: sources.len() > 1,
        known: HashMap::new(),
        depth: 0,
    };
    let (array, hash) = sizes(sources);
    let table = cx.runtime.create_table_with(array, hash, |table| {
        let mut next = 1;
        for source in sources {
            filler.remember(source, table)?;
            filler.fill(table, source, &mut next)?;
        }
        Ok(())
    })?;
    cx.runtime
        .convert(table, |slot| to_python(cx, slot).map_err(external))
}

/// How many sequence entries and others to make room for.
fn sizes(sources: &[Bound<'_, PyAny>]) -> (usize, usize) {
    let (mut array, mut hash) = (0, 0);
    for source in sources {
        if let Ok(dict) = source.cast::<PyDict>() {
            hash += dict.len();
        } else if let Ok(list) = source.cast::<PyList>() {
            array += list.len();
        } else if let Ok(tuple) = source.cast::<PyTuple>() {
            array += tuple.len();
        }
    }
    (array, hash)
}

struct Filler<'a, 'b, 'py> {
    cx: &'a Context<'b, 'py>,
    recursive: bool,
    /// There are several sources, and one may be there twice.
    several: bool,
    /// Tables by the address of the collection that they were made of; the collection is kept so
    /// that no other one takes its address.
    known: HashMap<usize, (Bound<'py, PyAny>, Reference)>,
    depth: usize,
}

impl<'py> Filler<'_, '_, 'py> {
    /// Notes the table of a collection, so that a second reference finds it. Most have none: only the container
    /// and `source` refer to them.
    fn remember(&mut self, source: &Bound<'py, PyAny>, table: &TableBuilder<'_>) -> Result<()> {
        if self.recursive && (self.several || references(source) > 2) {
            let reference = table.slot().to_reference()?;
            self.known
                .insert(source.as_ptr() as usize, (source.clone(), reference));
        }
        Ok(())
    }

    /// Adds one source to a table; `next` is the next index of its sequence.
    fn fill(
        &mut self,
        table: &mut TableBuilder<'_>,
        source: &Bound<'py, PyAny>,
        next: &mut usize,
    ) -> Result<()> {
        if let Ok(dict) = source.cast::<PyDict>() {
            // A copy of the items: converting one may run Python code that changes the dict.
            for (key, value) in dict.iter().collect::<Vec<_>>() {
                self.set(table, &key, &value)?;
            }
            return Ok(());
        }
        if let Ok(list) = source.cast_exact::<PyList>() {
            for item in list.iter() {
                table.set_index_with(*next, |to| self.push(&item, to))?;
                *next += 1;
            }
            return Ok(());
        }
        if let Ok(other) = source.cast::<LuaTable>() {
            return copy_entries(self.cx, table, other.as_super().get());
        }
        if let Ok(tuple) = source.cast_exact::<PyTuple>() {
            for item in tuple.iter() {
                table.set_index_with(*next, |to| self.push(&item, to))?;
                *next += 1;
            }
            return Ok(());
        }
        greenlets::operation(self.cx, || self.fill_by_iteration(table, source, next))
    }

    /// Adds what only Python code may know how to iterate.
    fn fill_by_iteration(
        &mut self,
        table: &mut TableBuilder<'_>,
        source: &Bound<'py, PyAny>,
        next: &mut usize,
    ) -> Result<()> {
        if let Ok(mapping) = source.cast::<PyMapping>() {
            for key in mapping.try_iter().map_err(external)? {
                let key = key.map_err(external)?;
                let value = mapping.get_item(&key).map_err(external)?;
                self.set(table, &key, &value)?;
            }
            return Ok(());
        }
        for item in source.try_iter().map_err(external)? {
            let item = item.map_err(external)?;
            table.set_index_with(*next, |to| self.push(&item, to))?;
            *next += 1;
        }
        Ok(())
    }

    fn set(
        &mut self,
        table: &mut TableBuilder<'_>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> Result<()> {
        table.set_with(
            |to| PyArg::not_nil(self.cx, key).into_lua(to),
            |to| self.push(value, to),
        )
    }

    fn push(&mut self, value: &Bound<'py, PyAny>, to: Pusher<'_>) -> Result<()> {
        if self.recursive && is_collection(value) {
            self.push_collection(value, to)
        } else {
            PyArg::new(self.cx, value).into_lua(to)
        }
    }

    fn push_collection(&mut self, value: &Bound<'py, PyAny>, to: Pusher<'_>) -> Result<()> {
        if let Some((_, table)) = self.known.get(&(value.as_ptr() as usize)) {
            return table.into_lua(to);
        }
        if self.depth == MAX_DEPTH {
            return Err(external(PyRecursionError::new_err(
                "maximum recursion depth exceeded while converting to a Lua table",
            )));
        }
        self.depth += 1;
        let (array, hash) = sizes(std::slice::from_ref(value));
        let result = to.new_table(array, hash, |table| {
            self.remember(value, table)?;
            self.fill(table, value, &mut 1)
        });
        self.depth -= 1;
        result
    }
}

/// Whether a value becomes a table when nested: text and bytes are values of their own.
fn is_collection(value: &Bound<'_, PyAny>) -> bool {
    if value.is_instance_of::<PyList>() || value.is_instance_of::<PyDict>() {
        return true;
    }
    // The common ones that are not, before the general question, which is slow.
    if value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
    {
        return false;
    }
    !value.is_instance_of::<PyString>()
        && !value.is_instance_of::<PyBytes>()
        && !value.is_instance_of::<LuaObject>()
        && (value.cast::<PySequence>().is_ok() || value.cast::<PyMapping>().is_ok())
}

/// Copies the entries of another Lua table.
fn copy_entries(
    cx: &Context<'_, '_>,
    table: &mut TableBuilder<'_>,
    other: &LuaObject,
) -> Result<()> {
    let other = other.reference()?;
    if !other.runtime().is_same(cx.runtime) {
        return Err(lupa_core::Error::WrongRuntime);
    }
    table.extend(&other)
}
