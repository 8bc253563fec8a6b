//! Lua tables made of Python collections.

use crate::capi::{self, iterates_as, references};
use crate::convert::{PyArg, to_python};
use crate::errors::{BoxedResult, external};
use crate::gil::GilOnce;
use crate::greenlets;
use crate::lookup::ask_class;
use crate::settings::Context;
use crate::wrappers::{LuaObject, LuaTable};
use lupa_core::{IntoLua, Pusher, Reference, Result, TableBuilder};
use pyo3::exceptions::{PyRecursionError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::type_object::{PyTypeCheck, PyTypeInfo};
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PyRange, PyString,
    PyTuple, PyType,
};
use std::collections::HashMap;

/// Nested collections that are converted at most: each takes some native stack.
const MAX_DEPTH: usize = 1000;

/// Makes one table of all sources, of which some may have been read ahead.
pub(crate) fn build<'py>(
    cx: &Context<'_, 'py>,
    sources: &[Bound<'py, PyAny>],
    read: Vec<Option<Entries<'py>>>,
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
        let mut read = read.into_iter();
        for source in sources {
            filler.remember(source, table)?;
            match read.next().flatten() {
                Some(entries) => filler.add(table, entries, &mut next)?,
                None => filler.fill(table, source, &mut next)?,
            }
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

/// What a table is made of, where Python code has to be asked for it.
pub(crate) enum Entries<'py> {
    Items(Vec<Bound<'py, PyAny>>),
    Pairs(Vec<(Bound<'py, PyAny>, Bound<'py, PyAny>)>),
}

/// A list or a tuple, of a class that may extend that and is iterated as it is.
fn plain<'a, 'py, T: PyTypeInfo + PyTypeCheck>(
    source: &'a Bound<'py, PyAny>,
) -> Option<&'a Bound<'py, T>> {
    let list = source.cast::<T>().ok()?;
    iterates_as::<T>(source).then_some(list)
}

/// Reads the sources for which Python code has to be asked, if there are greenlets: it may switch to others, and has to do so before the
/// operation on the runtime begins.
pub(crate) fn read_ahead<'py>(
    py: Python<'py>,
    sources: &[Bound<'py, PyAny>],
) -> BoxedResult<Vec<Option<Entries<'py>>>> {
    if !greenlets::are_there(py)? {
        return Ok(Vec::new());
    }
    let read = sources.iter().map(|source| {
        let is_known = source.is_instance_of::<PyDict>() || source.is_instance_of::<LuaTable>();
        let is_known =
            is_known || plain::<PyList>(source).is_some() || plain::<PyTuple>(source).is_some();
        (!is_known).then(|| collect(source)).transpose()
    });
    Ok(read.collect::<PyResult<_>>()?)
}

fn collect<'py>(source: &Bound<'py, PyAny>) -> PyResult<Entries<'py>> {
    if is_mapping(source)? {
        return pairs(source);
    }
    Ok(Entries::Items(source.try_iter()?.collect::<PyResult<_>>()?))
}

/// Whether an object is a mapping to Python, by its class or where that is registered. May run Python code.
fn is_mapping(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static MAPPING: GilOnce<Py<PyType>> = GilOnce::new();
    object.is_instance(MAPPING.import(object.py(), "collections.abc", "Mapping")?)
}

/// As [`is_mapping`].
fn is_sequence(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    static SEQUENCE: GilOnce<Py<PyType>> = GilOnce::new();
    object.is_instance(SEQUENCE.import(object.py(), "collections.abc", "Sequence")?)
}

/// What a mapping has, that is no dict.
fn pairs<'py>(mapping: &Bound<'py, PyAny>) -> PyResult<Entries<'py>> {
    let pairs = mapping.try_iter()?.map(|key| {
        let key = key?;
        let value = mapping.get_item(&key)?;
        Ok((key, value))
    });
    Ok(Entries::Pairs(pairs.collect::<PyResult<_>>()?))
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
            return self.fill_from_dict(table, dict);
        }
        if let Some(list) = plain::<PyList>(source) {
            // Not by `append`: what is there once is inlined, which saves the most common a sixth.
            for item in list.iter() {
                table.set_index_with(*next, |to| self.push(&item, to))?;
                *next += 1;
            }
            return Ok(());
        }
        if let Ok(other) = source.cast::<LuaTable>() {
            return copy_entries(self.cx, table, other.as_super().get());
        }
        if let Some(tuple) = plain::<PyTuple>(source) {
            return self.append(table, tuple.iter(), next);
        }
        if source.is_exact_instance_of::<PyRange>()
            || source.is_exact_instance_of::<PyByteArray>()
            || source.is_exact_instance_of::<PyMemoryView>()
        {
            return self.append_all(table, source, next);
        }
        greenlets::operation(self.cx, || self.fill_by_iteration(table, source, next))
    }

    fn fill_from_dict(
        &mut self,
        table: &mut TableBuilder<'_>,
        dict: &Bound<'py, PyDict>,
    ) -> Result<()> {
        let (size, mut position) = (dict.len(), 0);
        while let Some((key, value)) = capi::dict_entry(dict, &mut position) {
            self.set(table, &key, &value)?;
            // To convert an entry may run Python code.
            if dict.len() != size {
                return Err(external(PyRuntimeError::new_err(
                    "dictionary changed size during iteration",
                )));
            }
        }
        Ok(())
    }

    /// Adds what only Python code may know how to iterate.
    fn fill_by_iteration(
        &mut self,
        table: &mut TableBuilder<'_>,
        source: &Bound<'py, PyAny>,
        next: &mut usize,
    ) -> Result<()> {
        if is_mapping(source).map_err(external)? {
            return self.add(table, pairs(source).map_err(external)?, next);
        }
        self.append_all(table, source, next)
    }

    /// Adds what was collected.
    fn add(
        &mut self,
        table: &mut TableBuilder<'_>,
        entries: Entries<'py>,
        next: &mut usize,
    ) -> Result<()> {
        match entries {
            Entries::Items(items) => self.append(table, items.into_iter(), next),
            Entries::Pairs(pairs) => pairs
                .into_iter()
                .try_for_each(|(key, value)| self.set(table, &key, &value)),
        }
    }

    /// Adds items to the end of a sequence.
    fn append(
        &mut self,
        table: &mut TableBuilder<'_>,
        items: impl Iterator<Item = Bound<'py, PyAny>>,
        next: &mut usize,
    ) -> Result<()> {
        for item in items {
            self.add_item(table, &item, next)?;
        }
        Ok(())
    }

    /// Adds what an iterator gives to the end of a sequence, one by one: it may be long.
    fn append_all(
        &mut self,
        table: &mut TableBuilder<'_>,
        source: &Bound<'py, PyAny>,
        next: &mut usize,
    ) -> Result<()> {
        for item in source.try_iter().map_err(external)? {
            self.add_item(table, &item.map_err(external)?, next)?;
        }
        Ok(())
    }

    #[inline]
    fn add_item(
        &mut self,
        table: &mut TableBuilder<'_>,
        item: &Bound<'py, PyAny>,
        next: &mut usize,
    ) -> Result<()> {
        table.set_index_with(*next, |to| self.push(item, to))?;
        *next += 1;
        Ok(())
    }

    #[inline]
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

    #[inline]
    fn push(&mut self, value: &Bound<'py, PyAny>, to: Pusher<'_>) -> Result<()> {
        if self.recursive {
            return self.push_nested(value, to);
        }
        PyArg::new(self.cx, value).into_lua(to)
    }

    #[inline(never)]
    fn push_nested(&mut self, value: &Bound<'py, PyAny>, to: Pusher<'_>) -> Result<()> {
        if is_collection(self.cx, value)? {
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
fn is_collection(cx: &Context<'_, '_>, value: &Bound<'_, PyAny>) -> Result<bool> {
    if value.is_instance_of::<PyList>()
        || value.is_instance_of::<PyDict>()
        || value.is_instance_of::<PyTuple>()
    {
        return Ok(true);
    }
    // Those that are not, before the general question, which is slow.
    if value.is_none()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>()
        || value.is_instance_of::<PyString>()
        || value.is_instance_of::<PyBytes>()
        || value.is_instance_of::<LuaObject>()
    {
        return Ok(false);
    }
    let ask = || PyResult::Ok(is_sequence(value)? || is_mapping(value)?);
    ask_class(cx, value, ask)?.map_err(external)
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
