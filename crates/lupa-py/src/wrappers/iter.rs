//! Iterators over Lua tables.

use super::object::LuaObject;
use super::table::LuaTable;
use super::{not_instantiable, operate_once};
use crate::capi::slots::{self, Iteration};
use crate::convert::to_python;
use crate::errors::{BoxedResult, Style, external};
use crate::gil::GilCell;
use lupa_core::Cursor;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

/// An iterator over a Lua table.
#[pyclass(name = "_LuaIter", module = "lupa.luajit21", frozen, weakref)]
pub(crate) struct LuaIter {
    /// `None` once the iteration has ended.
    table: GilCell<Option<Py<LuaObject>>>,
    cursor: GilCell<Cursor>,
    what: What,
}

/// What an iterator gives.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Keys,
    Values,
    Items,
}

impl LuaIter {
    pub(super) fn over(table: &Bound<'_, LuaTable>, what: What) -> Self {
        LuaIter {
            table: GilCell::new(Some(table.as_super().clone().unbind())),
            cursor: GilCell::new(Cursor::start()),
            what,
        }
    }
}

#[pymethods]
impl LuaIter {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> BoxedResult<Self> {
        Err(not_instantiable())
    }

    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> BoxedResult<String> {
        match self.table.bind(py) {
            Some(table) => Ok(format!("LuaIter({})", table.repr()?)),
            None => Ok("LuaIter(None)".to_owned()),
        }
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> BoxedResult<Option<Bound<'py, PyAny>>> {
        slots::next(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.table.traverse(&visit)
    }
}

impl Iteration for LuaIter {
    #[inline(always)]
    fn next<'py>(slf: &Bound<'py, Self>) -> BoxedResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let this = slf.get();
        let Some(table) = this.table.bind(py) else {
            return Ok(None);
        };
        let step = operate_once(&table, Style::Plain, |cx, reference, operation| {
            reference.read_with(operation, |table| {
                // Another thread may have moved it on while this one waited for the runtime.
                let mut cursor = this.cursor.get(py);
                let step = cursor.advance_in(table, |key, value| {
                    let item = match this.what {
                        What::Keys => to_python(cx, key),
                        What::Values => to_python(cx, value),
                        What::Items => to_python(cx, key).and_then(|key| {
                            Ok(PyTuple::new(py, [key, to_python(cx, value)?])?.into_any())
                        }),
                    };
                    item.map_err(external)
                });
                this.cursor.replace(py, cursor);
                step
            })
        })?;
        if step.is_none() {
            drop(
                this.table
                    .replace(py, None)
                    .map(|table| table.into_bound(py)),
            );
        }
        Ok(step)
    }
}
