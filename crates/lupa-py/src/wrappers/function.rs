//! Lua functions.

use super::object::{self, LuaObject, base, wrap};
use super::thread::new_thread;
use super::{not_instantiable, operate};
use crate::capi::slots::Callable;
use crate::errors::{BoxedResult, Style, external};
use crate::settings::Context;
use lupa_core::{Kind, Slot};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// A Lua function.
#[pyclass(name = "_LuaFunction", module = "lupa.luajit21", extends = LuaObject, subclass, frozen)]
pub(crate) struct LuaFunction;

/// A Lua function that makes a coroutine when it is called.
#[pyclass(name = "_LuaCoroutineFunction", module = "lupa.luajit21", extends = LuaFunction, frozen)]
pub(crate) struct LuaCoroutineFunction;

pub(crate) fn new_function<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> BoxedResult<Bound<'py, PyAny>> {
    let base = base::<LuaFunction>(cx, slot)?;
    wrap(cx.py, base.add_subclass(LuaFunction))
}

impl Callable for LuaFunction {
    #[inline]
    fn call<'py>(
        slf: &Bound<'py, Self>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
    ) -> BoxedResult<Bound<'py, PyAny>> {
        object::call(slf.as_super(), arguments)
    }
}

impl Callable for LuaCoroutineFunction {
    fn call<'py>(
        slf: &Bound<'py, Self>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let arguments = PyTuple::new(slf.py(), arguments)?;
        start_coroutine(slf.as_super().as_super(), &arguments)
    }
}

#[pymethods]
impl LuaFunction {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> BoxedResult<PyClassInitializer<Self>> {
        Err(not_instantiable())
    }

    /// Makes a coroutine that will run the function with these arguments.
    #[pyo3(signature = (*args))]
    fn coroutine<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        start_coroutine(slf.as_super(), args)
    }
}

fn start_coroutine<'py>(
    function: &Bound<'py, LuaObject>,
    args: &Bound<'py, PyTuple>,
) -> BoxedResult<Bound<'py, PyAny>> {
    operate(function, Style::Plain, |cx, reference| {
        reference.with(|slot| {
            if slot.kind() != Kind::Function || slot.is_c_function() {
                return Err(external(PyTypeError::new_err(
                    "Lua object is not a function",
                )));
            }
            slot.new_coroutine(|thread| {
                new_thread(cx, thread, Some(args.clone())).map_err(external)
            })
        })
    })
}

#[pymethods]
impl LuaCoroutineFunction {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> BoxedResult<PyClassInitializer<Self>> {
        Err(not_instantiable())
    }

    #[pyo3(signature = (*args))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        start_coroutine(slf.as_super().as_super(), args)
    }
}
