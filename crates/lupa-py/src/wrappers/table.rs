//! Lua tables as mappings.

use super::iter::{LuaIter, What};
use super::object::{LuaObject, base, is_special, push_key, push_name};
use super::{not_instantiable, operate};
use crate::convert::PyArg;
use crate::errors::Style;
use crate::gil::WithoutGil;
use crate::settings::Context;
use lupa_core::{IntoLua, Pusher, Slot};
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// A Lua table, seen as a mapping.
#[pyclass(name = "_LuaTable", module = "lupa.luajit21", extends = LuaObject, frozen)]
pub(crate) struct LuaTable;

pub(crate) fn new_table<'py>(cx: &Context<'_, 'py>, slot: Slot<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(cx.py, base(cx, slot)?.add_subclass(LuaTable))?.into_any())
}

fn set<'py>(
    slf: &Bound<'py, LuaTable>,
    push: impl FnOnce(&Context<'_, 'py>, Pusher<'_>) -> lupa_core::Result<()>,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<()> {
    operate(slf.as_super(), Style::Plain, |cx, reference| {
        reference.set_with(
            |to| push(cx, to),
            |to| match value {
                Some(value) => IntoLua::into_lua(PyArg::new(cx, value), to),
                None => to.nil(),
            },
            WithoutGil(cx.py),
        )
    })
}

#[pymethods]
impl LuaTable {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Err(not_instantiable())
    }

    fn __iter__(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::over(slf, What::Keys)
    }

    /// An iterator over the keys.
    fn keys(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::over(slf, What::Keys)
    }

    /// An iterator over the values.
    fn values(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::over(slf, What::Values)
    }

    /// An iterator over pairs of key and value.
    fn items(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::over(slf, What::Items)
    }

    fn __setattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        if is_special(name) {
            return Err(no_attribute(slf, name));
        }
        set(slf, |cx, to| push_name(cx, name, to), Some(value))
    }

    fn __delattr__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyAny>) -> PyResult<()> {
        if is_special(name) {
            return Err(no_attribute(slf, name));
        }
        set(slf, |cx, to| push_name(cx, name, to), None)
    }

    fn __setitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        set(slf, |cx, to| push_key(cx, key, to), Some(value))
    }

    fn __delitem__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<()> {
        set(slf, |cx, to| push_key(cx, key, to), None)
    }

    fn __contains__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        // As a scan over the keys with Python's equality, which is what `in` means for an object
        // that can be iterated over.
        for known in LuaIter::over(slf, What::Keys)
            .into_pyobject(slf.py())?
            .try_iter()?
        {
            if known?.eq(key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn no_attribute(slf: &Bound<'_, LuaTable>, name: &Bound<'_, PyAny>) -> PyErr {
    let class = slf
        .get_type()
        .fully_qualified_name()
        .map(|n| n.to_string())
        .unwrap_or_default();
    PyAttributeError::new_err(format!("'{class}' object has no attribute '{name}'"))
}
