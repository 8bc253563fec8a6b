//! Iterators over Lua tables.

use super::object::LuaObject;
use super::table::LuaTable;
use super::{not_instantiable, operate};
use crate::convert::to_python;
use crate::errors::{Style, external, lua_error};
use lupa_core::{Cursor, Error};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Mutex, PoisonError};

/// An iterator over a Lua table.
#[pyclass(name = "_LuaIter", module = "lupa.luajit21", frozen, weakref)]
pub(crate) struct LuaIter {
    state: Mutex<IterState>,
    what: What,
}

struct IterState {
    cursor: Cursor,
    /// `None` once the iteration has ended.
    object: Option<Py<LuaObject>>,
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
        let object = Some(table.as_super().clone().unbind());
        LuaIter {
            state: Mutex::new(IterState {
                cursor: Cursor::start(),
                object,
            }),
            what,
        }
    }
}

#[pymethods]
impl LuaIter {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Err(not_instantiable())
    }

    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let object = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.object.as_ref().map(|object| object.clone_ref(py))
        };
        match object {
            Some(object) => Ok(format!("LuaIter({})", object.bind(py).repr()?)),
            None => Ok("LuaIter(None)".to_owned()),
        }
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        // Another thread may be in the middle of a step with the GIL released: it has the
        // runtime's lock then, which is taken before this one.
        let object = {
            let Ok(state) = self.state.try_lock() else {
                return Err(lua_error(py, "the iterator is in use"));
            };
            match &state.object {
                Some(object) => object.clone_ref(py),
                None => return Ok(None),
            }
        };
        let step = operate(object.bind(py), Style::Plain, |cx, reference| {
            let mut state = self.state.try_lock().map_err(|_| Error::Busy)?;
            state.cursor.advance(reference, |key, value| {
                let item = match self.what {
                    What::Keys => to_python(cx, key),
                    What::Values => to_python(cx, value),
                    What::Items => to_python(cx, key).and_then(|key| {
                        Ok(PyTuple::new(py, [key, to_python(cx, value)?])?.into_any())
                    }),
                };
                item.map_err(external)
            })
        })?;
        if step.is_none() {
            self.state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .object = None;
        }
        Ok(step)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.state.try_lock() {
            Ok(state) => visit.call(&state.object),
            Err(_) => Ok(()),
        }
    }
}
