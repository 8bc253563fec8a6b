//! Lua coroutines as generators.

use super::function::{LuaCoroutineFunction, LuaFunction};
use super::object::{self, LuaObject, base, wrap};
use super::{collect, not_instantiable, operate, operate_once, push_tuple};
use crate::capi::slots::{Callable, Iteration};
use crate::errors::{BoxedResult, Style, external, to_exception};
use crate::gil::{GilCell, RunningLua, interned};
use crate::object::PyValue;
use crate::settings::Context;
use lupa_core::{CoroutineStatus, Error, IntoLua, Results, Slot};
use pyo3::exceptions::{
    PyBaseException, PyException, PyGeneratorExit, PyRuntimeError, PyStopIteration, PyTypeError,
};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{PyTraverseError, PyVisit};

/// A Lua coroutine, seen as a generator.
#[pyclass(name = "_LuaThread", module = "lupa.luajit21", extends = LuaObject, frozen)]
pub(crate) struct LuaThread {
    /// What the coroutine is started with.
    arguments: GilCell<Option<Py<PyTuple>>>,
}

/// A coroutine that was not started becomes its function: called, it makes a coroutine, as a
/// Python generator function does.
pub(crate) fn new_thread_or_function<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> BoxedResult<Bound<'py, PyAny>> {
    let function = slot
        .coroutine_function()
        .map_err(|error| to_exception(cx, error, Style::Plain))?;
    match function {
        Some(function) => {
            let base = function
                .with(|slot| base::<LuaCoroutineFunction>(cx, slot).map_err(external))
                .map_err(|error| to_exception(cx, error, Style::Plain))?;
            let base = base.add_subclass(LuaFunction);
            wrap(cx.py, base.add_subclass(LuaCoroutineFunction))
        }
        None => new_thread(cx, slot, None),
    }
}

pub(super) fn new_thread<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
    arguments: Option<Bound<'py, PyTuple>>,
) -> BoxedResult<Bound<'py, PyAny>> {
    let thread = LuaThread {
        arguments: GilCell::new(arguments.map(Bound::unbind)),
    };
    wrap(cx.py, base::<LuaThread>(cx, slot)?.add_subclass(thread))
}

impl Callable for LuaThread {
    fn call<'py>(
        slf: &Bound<'py, Self>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
    ) -> BoxedResult<Bound<'py, PyAny>> {
        object::call(slf.as_super(), arguments)
    }
}

impl Iteration for LuaThread {
    fn next<'py>(slf: &Bound<'py, Self>) -> BoxedResult<Option<Bound<'py, PyAny>>> {
        go_on(slf).map(Outcome::into_value)
    }
}

#[pymethods]
impl LuaThread {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> BoxedResult<PyClassInitializer<Self>> {
        Err(not_instantiable())
    }

    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> BoxedResult<Option<Bound<'py, PyAny>>> {
        Self::next(slf)
    }

    /// Sends a value into the coroutine: it becomes the result of the yield that the coroutine waits
    /// in. A tuple is sent as several values.
    fn send<'py>(
        slf: &Bound<'py, Self>,
        value: &Bound<'py, PyAny>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if value.is_none() {
            return go_on(slf)?.value();
        }
        if slf.get().has_arguments(py) {
            let message = "can't send non-None value to a just-started generator";
            return Err(PyTypeError::new_err(message).into());
        }
        let values = match value.cast::<PyTuple>() {
            Ok(values) => values.clone(),
            Err(_) => PyTuple::new(py, [value])?,
        };
        resume(slf, Some(values))?.value()
    }

    /// Raises an exception in the coroutine, at the yield that it waits in, where Lua code may catch it
    /// with `pcall`; returns what the coroutine yields or returns next. `KeyboardInterrupt` and other
    /// exceptions that are no `Exception` pass through `pcall`.
    ///
    /// A coroutine that has not been started ends by it.
    #[pyo3(signature = (error, value = None, traceback = None, /))]
    fn throw<'py>(
        slf: &Bound<'py, Self>,
        error: &Bound<'py, PyAny>,
        value: Option<Bound<'py, PyAny>>,
        traceback: Option<Bound<'py, PyAny>>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let exception = exception(error, value, traceback)?;
        let catchable = exception.is_instance_of::<PyException>();
        throw(slf, &exception, catchable)?.value()
    }

    /// Ends the coroutine by raising `GeneratorExit` at the yield that it waits in: Lua code may catch it with
    /// `pcall` to clean up. RuntimeError if it yields again instead; it has ended then all the same.
    fn close(slf: &Bound<'_, Self>) -> BoxedResult<()> {
        let py = slf.py();
        let status = operate(slf.as_super(), Style::Plain, |_, thread| {
            thread.coroutine_status()
        })?;
        if status == CoroutineStatus::Suspended {
            // Made by its class: PyO3's way wants an interpreter that is not about to end.
            let exit = py.get_type::<PyGeneratorExit>().call0()?;
            match throw(slf, &exit, true) {
                Ok(Outcome::Yielded(_)) => {
                    end(slf)?;
                    let message = "coroutine ignored GeneratorExit";
                    return Err(PyRuntimeError::new_err(message).into());
                }
                Ok(Outcome::Returned(_)) => {}
                Err(error) => {
                    let error = PyErr::from(error);
                    if !error.value(py).is(&exit) {
                        return Err(error.into());
                    }
                }
            }
        }
        end(slf)
    }

    fn __bool__(slf: &Bound<'_, Self>) -> BoxedResult<bool> {
        let status = operate(slf.as_super(), Style::Plain, |_, thread| {
            thread.coroutine_status()
        })?;
        Ok(!status.has_ended())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.arguments.traverse(&visit)
    }
}

impl LuaThread {
    fn take_arguments<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyTuple>> {
        let arguments = self.arguments.replace(py, None);
        arguments.map(|arguments| arguments.into_bound(py))
    }

    fn has_arguments(&self, py: Python<'_>) -> bool {
        self.arguments.bind(py).is_some()
    }
}

/// How the run of a coroutine ended.
enum Outcome<'py> {
    Yielded(Bound<'py, PyAny>),
    /// With a value, or nothing.
    Returned(Option<Bound<'py, PyAny>>),
}

impl<'py> Outcome<'py> {
    fn of(cx: &Context<'_, 'py>, results: Results<'_>) -> lupa_core::Result<Self> {
        Ok(if results.yielded() {
            Outcome::Yielded(collect(cx, results)?)
        } else if results.is_empty() {
            Outcome::Returned(None)
        } else {
            Outcome::Returned(Some(collect(cx, results)?))
        })
    }

    /// The value, if there is one.
    fn into_value(self) -> Option<Bound<'py, PyAny>> {
        match self {
            Outcome::Yielded(value) => Some(value),
            Outcome::Returned(value) => value,
        }
    }

    /// The value; an end without one is `StopIteration`.
    fn value(self) -> BoxedResult<Bound<'py, PyAny>> {
        self.into_value()
            .ok_or_else(|| PyStopIteration::new_err(()).into())
    }
}

/// Starts a coroutine, or has its yield return nothing.
fn go_on<'py>(slf: &Bound<'py, LuaThread>) -> BoxedResult<Outcome<'py>> {
    let arguments = slf.get().take_arguments(slf.py());
    resume(slf, arguments)
}

fn resume<'py>(
    slf: &Bound<'py, LuaThread>,
    arguments: Option<Bound<'py, PyTuple>>,
) -> BoxedResult<Outcome<'py>> {
    operate_once(slf.as_super(), Style::Plain, |cx, thread, operation| {
        let resumed = thread.resume_with(
            |to| match &arguments {
                Some(arguments) => push_tuple(cx, to, arguments),
                None => Ok(()),
            },
            operation,
            |results| Outcome::of(cx, results),
        );
        match resumed {
            // It has nothing more to give.
            Err(Error::CoroutineUnresumable(CoroutineStatus::Dead)) => Ok(Outcome::Returned(None)),
            resumed => resumed,
        }
    })
}

/// Raises an exception in a coroutine.
fn throw<'py>(
    slf: &Bound<'py, LuaThread>,
    exception: &Bound<'py, PyAny>,
    catchable: bool,
) -> BoxedResult<Outcome<'py>> {
    drop(slf.get().take_arguments(slf.py()));
    operate(slf.as_super(), Style::Plain, |cx, thread| {
        thread.throw_with(
            |to| PyValue::wrapped(cx, exception).into_lua(to),
            catchable,
            RunningLua(cx.py),
            |results| Outcome::of(cx, results),
        )
    })
}

/// Ends a coroutine without running it.
fn end(slf: &Bound<'_, LuaThread>) -> BoxedResult<()> {
    drop(slf.get().take_arguments(slf.py()));
    operate(slf.as_super(), Style::Plain, |_, thread| {
        thread.close_coroutine()
    })
}

/// The exception that the arguments of `throw` mean: an exception, or its class with perhaps a
/// value and a traceback, as Python's generators take it.
fn exception<'py>(
    error: &Bound<'py, PyAny>,
    value: Option<Bound<'py, PyAny>>,
    traceback: Option<Bound<'py, PyAny>>,
) -> BoxedResult<Bound<'py, PyAny>> {
    let value = value.filter(|value| !value.is_none());
    let exception = if error.is_instance_of::<PyBaseException>() {
        if value.is_some() {
            let message = "instance exception may not have a separate value";
            return Err(PyTypeError::new_err(message).into());
        }
        error.clone()
    } else {
        match error.cast::<PyType>() {
            Ok(class) if class.is_subclass_of::<PyBaseException>()? => match value {
                None => class.call0()?,
                Some(value) if value.is_instance(class)? => value,
                Some(value) => match value.cast::<PyTuple>() {
                    Ok(arguments) => class.call1(arguments)?,
                    Err(_) => class.call1((value,))?,
                },
            },
            _ => {
                let kind = error.get_type();
                let message = format!(
                    "exceptions must be classes or instances deriving from BaseException, not {}",
                    kind.name()?
                );
                return Err(PyTypeError::new_err(message).into());
            }
        }
    };
    if let Some(traceback) = traceback.filter(|traceback| !traceback.is_none()) {
        exception.call_method1(interned!(exception.py(), "with_traceback"), (traceback,))?;
    }
    Ok(exception)
}
