//! Lua coroutines as generators.

use super::function::{LuaCoroutineFunction, LuaFunction};
use super::object::{LuaObject, base, initializer};
use super::{collect, not_instantiable, operate, push_arguments};
use crate::errors::{Style, external, to_exception};
use crate::gil::WithoutGil;
use crate::settings::Context;
use lupa_core::{CoroutineStatus, Slot};
use pyo3::exceptions::{PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Mutex, PoisonError};

/// A Lua coroutine, seen as a generator.
#[pyclass(name = "_LuaThread", module = "lupa.luajit21", extends = LuaObject, frozen)]
pub(crate) struct LuaThread {
    /// What the coroutine is started with.
    arguments: Mutex<Option<Py<PyTuple>>>,
}

/// A coroutine that was not started becomes its function: called, it makes a coroutine, as a
/// Python generator function does.
pub(crate) fn new_thread_or_function<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let function = slot
        .coroutine_function()
        .map_err(|error| to_exception(cx, error, Style::Plain))?;
    match function {
        Some(function) => {
            let base = initializer(cx, function)?.add_subclass(LuaFunction);
            Ok(Bound::new(cx.py, base.add_subclass(LuaCoroutineFunction))?.into_any())
        }
        None => new_thread(cx, slot, None),
    }
}

pub(super) fn new_thread<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
    arguments: Option<Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    let thread = LuaThread {
        arguments: Mutex::new(arguments.map(Bound::unbind)),
    };
    Ok(Bound::new(cx.py, base(cx, slot)?.add_subclass(thread))?.into_any())
}

#[pymethods]
impl LuaThread {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        Err(not_instantiable())
    }

    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let arguments = slf.get().take_arguments();
        resume(slf, arguments.map(|args| args.into_bound(slf.py())))
    }

    /// Sends a value into the coroutine: it becomes the result of the yield that the coroutine waits
    /// in. A tuple is sent as several values.
    fn send<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if value.is_none() {
            return Self::__next__(slf);
        }
        if slf.get().has_arguments() {
            let message = "can't send non-None value to a just-started generator";
            return Err(PyTypeError::new_err(message));
        }
        let values = match value.cast::<PyTuple>() {
            Ok(values) => values.clone(),
            Err(_) => PyTuple::new(py, [value])?,
        };
        resume(slf, Some(values))
    }

    fn __bool__(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let status = operate(slf.as_super(), Style::Plain, |_, thread| {
            thread.coroutine_status()
        })?;
        Ok(status != CoroutineStatus::Dead)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.arguments.try_lock() {
            Ok(arguments) => visit.call(&*arguments),
            Err(_) => Ok(()),
        }
    }
}

impl LuaThread {
    fn take_arguments(&self) -> Option<Py<PyTuple>> {
        self.arguments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn has_arguments(&self) -> bool {
        self.arguments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}

/// Resumes a coroutine; its end without a value is `StopIteration`.
fn resume<'py>(
    slf: &Bound<'py, LuaThread>,
    arguments: Option<Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    let stop = || external(PyStopIteration::new_err(()));
    operate(slf.as_super(), Style::Plain, |cx, thread| {
        if thread.coroutine_status()? == CoroutineStatus::Dead && !thread.failed()? {
            return Err(stop());
        }
        thread.resume_with(
            |to| match &arguments {
                Some(arguments) => push_arguments(cx, to, arguments),
                None => Ok(()),
            },
            WithoutGil(cx.py),
            |results| {
                if results.is_empty() && thread.coroutine_status()? == CoroutineStatus::Dead {
                    return Err(stop());
                }
                collect(cx, results)
            },
        )
    })
}
