//! Lua tables as mappings.

use super::iter::{LuaIter, What};
use super::object::{self, LuaObject, base, is_special, push_key, push_name, wrap};
use super::{not_instantiable, operate, operate_once};
use crate::capi;
use crate::capi::slots::{self, Assignment, Callable};
use crate::convert::{PyArg, exact_double};
use crate::errors::{BoxedErr, BoxedResult, Style};
use crate::settings::Context;
use lupa_core::{IntoLua, Pusher, Reference, Slot};
use pyo3::exceptions::PyAttributeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyString, PyTuple};

/// A Lua table, seen as a mapping.
#[pyclass(name = "_LuaTable", module = "lupa.luajit21", extends = LuaObject, frozen)]
pub(crate) struct LuaTable;

pub(crate) fn new_table<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> BoxedResult<Bound<'py, PyAny>> {
    wrap(cx.py, base::<LuaTable>(cx, slot)?.add_subclass(LuaTable))
}

impl Callable for LuaTable {
    fn call<'py>(
        slf: &Bound<'py, Self>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
    ) -> BoxedResult<Bound<'py, PyAny>> {
        object::call(slf.as_super(), arguments)
    }
}

impl Assignment for LuaTable {
    #[inline(always)]
    fn set_item<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<()> {
        set(slf, |cx, to| push_key(cx, key, to), value)
    }

    #[inline(always)]
    fn set_attribute<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        value: Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<()> {
        if names_special(name) {
            return Err(no_attribute(slf, name));
        }
        set(slf, |cx, to| push_name(cx, name, to), value)
    }
}

#[inline(always)]
fn set<'py>(
    slf: &Bound<'py, LuaTable>,
    push: impl FnOnce(&Context<'_, 'py>, Pusher<'_>) -> lupa_core::Result<()>,
    value: Option<&Bound<'py, PyAny>>,
) -> BoxedResult<()> {
    operate_once(slf.as_super(), Style::Plain, |cx, reference, operation| {
        reference.set_with(
            |to| push(cx, to),
            |to| match value {
                Some(value) => IntoLua::into_lua(PyArg::new(cx, value), to),
                None => to.nil(),
            },
            operation,
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
    ) -> BoxedResult<PyClassInitializer<Self>> {
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
    ) -> BoxedResult<()> {
        slots::set_attribute(slf, name, Some(value))
    }

    fn __delattr__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyAny>) -> BoxedResult<()> {
        slots::set_attribute(slf, name, None)
    }

    fn __setitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> BoxedResult<()> {
        slots::set_item(slf, key, Some(value))
    }

    fn __delitem__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> BoxedResult<()> {
        slots::set_item(slf, key, None)
    }

    fn __contains__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> BoxedResult<bool> {
        contains(slf, key)
    }
}

/// Whether a table has a key that is equal to `key`, as Python has it: a look-up where equality means
/// the same key in Lua, and a scan over the keys, as for an object that can only be iterated over, where it may not.
fn contains<'py>(slf: &Bound<'py, LuaTable>, key: &Bound<'py, PyAny>) -> BoxedResult<bool> {
    let found = operate(slf.as_super(), Style::Plain, |cx, table| {
        let may_differ = || -> lupa_core::Result<bool> {
            Ok(cx.settings.held.has_comparable() || cx.runtime.has_ffi()?)
        };
        Ok(match look_up(cx, table, key)? {
            // Objects with an `==` of their own and FFI numbers may be equal to anything.
            Some(false) if may_differ()? => None,
            found => found,
        })
    })?;
    if let Some(found) = found {
        return Ok(found);
    }
    let keys = LuaIter::over(slf, What::Keys).into_pyobject(slf.py())?;
    for known in keys.try_iter()? {
        if known?.eq(key)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a table has the key that an object becomes in Lua; `None` if other keys may be equal to it.
fn look_up(
    cx: &Context<'_, '_>,
    table: &Reference,
    key: &Bound<'_, PyAny>,
) -> lupa_core::Result<Option<bool>> {
    let has = |push: &dyn Fn(Pusher<'_>) -> lupa_core::Result<()>| {
        table.raw_get_with(push, |slot| Ok(!slot.is_nil()))
    };
    // 0 and False are equal in Python, and two keys in Lua.
    let has_number = |n: f64| -> lupa_core::Result<bool> {
        if !n.is_nan() && has(&|to| to.number(n))? {
            return Ok(true);
        }
        Ok((n == 0.0 || n == 1.0) && has(&|to| to.boolean(n == 1.0))?)
    };
    Ok(Some(if let Ok(text) = key.cast_exact::<PyString>() {
        match &cx.settings.encoding {
            Some(codec) if codec.is_utf8() => match text.to_str() {
                Ok(text) => has(&|to| to.bytes(text.as_bytes()))?,
                // Surrogates: no key decodes to it.
                Err(_) => false,
            },
            _ => return Ok(None),
        }
    } else if let Ok(number) = key.cast_exact::<PyInt>() {
        match exact_double(number) {
            Some(n) => has_number(n)?,
            None => false,
        }
    } else if let Ok(number) = key.cast_exact::<PyFloat>() {
        has_number(number.value())?
    } else if let Ok(truth) = key.cast_exact::<PyBool>() {
        has_number(f64::from(u8::from(truth.is_true())))?
    } else if let Ok(bytes) = key.cast_exact::<PyBytes>() {
        cx.settings.encoding.is_none() && has(&|to| to.bytes(bytes.as_bytes()))?
    } else if let Ok(object) = key.cast::<LuaObject>() {
        let reference = object.get().reference()?;
        reference.runtime().is_same(cx.runtime) && has(&|to| (&*reference).into_lua(to))?
    } else {
        return Ok(None);
    }))
}

fn names_special(name: &Bound<'_, PyAny>) -> bool {
    let text = name.cast::<PyString>();
    text.is_ok_and(|text| capi::utf8(text).is_some_and(is_special))
}

fn no_attribute(slf: &Bound<'_, LuaTable>, name: &Bound<'_, PyAny>) -> BoxedErr {
    let class = slf
        .get_type()
        .fully_qualified_name()
        .map(|n| n.to_string())
        .unwrap_or_default();
    PyAttributeError::new_err(format!("'{class}' object has no attribute '{name}'")).into()
}
