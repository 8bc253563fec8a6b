//! Lua errors as Python exceptions and back.

use crate::convert::to_python_value;
use crate::gil;
use crate::gil::GilOnce;
use crate::object::{PyValue, exception_in};
use crate::settings::Context;
use lupa_core::{Call, Error, RuntimeError, Value};
use pyo3::exceptions::{PyException, PyMemoryError, PyRecursionError, PyTimeoutError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};
use pyo3::{CastError, CastIntoError};
use std::convert::Infallible;

/// An exception on its way to Python, behind a pointer.
///
/// A result with a `PyErr` in it is too large for registers: it is copied through memory wherever it is handed on, in the good case
/// too, and each copy of what was just written costs a processor some nanoseconds.
pub(crate) struct BoxedErr(Box<PyErr>);

pub(crate) type BoxedResult<T> = Result<T, BoxedErr>;

impl From<BoxedErr> for PyErr {
    #[cold]
    fn from(error: BoxedErr) -> Self {
        *error.0
    }
}

macro_rules! boxed {
    ($($error:ty)*) => {$(
        impl From<$error> for BoxedErr {
            #[cold]
            fn from(error: $error) -> Self {
                BoxedErr(Box::new(error.into()))
            }
        }
    )*};
}

boxed! { PyErr CastError<'_, '_> CastIntoError<'_> Infallible }

/// The exception classes, made when the module is.
pub(crate) struct Classes {
    pub(crate) error: Py<PyType>,
    pub(crate) syntax: Py<PyType>,
    pub(crate) memory: Py<PyType>,
    pub(crate) timeout: Py<PyType>,
    pub(crate) interrupted: Py<PyType>,
}

static CLASSES: GilOnce<Classes> = GilOnce::new();

/// The exception classes.
pub(crate) fn classes(py: Python<'_>) -> PyResult<&'static Classes> {
    CLASSES.get_or_try_init(py, || {
        let error = make(py, "LuaError", &[&py.get_type::<PyException>()], "An error in Lua code.\n\n`value` is the Lua error value and `traceback` Lua's traceback as text, where there is one.")?;
        for name in ["value", "traceback"] {
            error.setattr(name, py.None())?;
        }
        Ok(Classes {
            syntax: make(py, "LuaSyntaxError", &[&error], "Lua code that cannot be compiled.")?.unbind(),
            memory: make(py, "LuaMemoryError", &[&error, &py.get_type::<PyMemoryError>()], "The memory limit of a Lua runtime was reached.")?.unbind(),
            timeout: make(py, "LuaTimeoutError", &[&error, &py.get_type::<PyTimeoutError>()], "Lua code ran longer than it was allowed to.")?.unbind(),
            interrupted: make(py, "LuaInterruptedError", &[&error], "Lua code was stopped from outside.")?.unbind(),
            error: error.unbind(),
        })
    })
}

fn make<'py>(
    py: Python<'py>,
    name: &str,
    bases: &[&Bound<'py, PyType>],
    doc: &str,
) -> PyResult<Bound<'py, PyType>> {
    let namespace = PyDict::new(py);
    namespace.set_item("__module__", "lupa.luajit21")?;
    namespace.set_item("__doc__", doc)?;
    let bases = PyTuple::new(py, bases)?;
    Ok(py
        .get_type::<PyType>()
        .call1((name, bases, namespace))?
        .cast_into()?)
}

fn instance(py: Python<'_>, class: &Py<PyType>, message: String) -> PyErr {
    PyErr::from_type(class.bind(py).clone(), message)
}

/// A plain `LuaError`.
pub(crate) fn lua_error(py: Python<'_>, message: &str) -> PyErr {
    match classes(py) {
        Ok(classes) => instance(py, &classes.error, message.to_owned()),
        Err(error) => error,
    }
}

/// How the message of an error in Lua code is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Message and traceback, as for calls.
    Traceback,
    /// The message alone, as for coroutines.
    Plain,
    /// As `Traceback`; a syntax error's message gets `error loading code: ` in front.
    Chunk,
}

/// A core error as the exception that Python code sees.
#[cold]
pub(crate) fn to_exception(cx: &Context<'_, '_>, error: Error, style: Style) -> BoxedErr {
    let py = cx.py;
    BoxedErr::from(match error {
        Error::Runtime(e) => classes(py)
            .and_then(|classes| runtime_error(cx, classes, &e, style))
            .unwrap_or_else(|error| error),
        Error::Syntax(e) => {
            let message = cx.settings.message(py, &e.message);
            let message = match style {
                Style::Chunk => format!("error loading code: {message}"),
                _ => message,
            };
            match classes(py) {
                Ok(classes) => instance(py, &classes.syntax, message),
                Err(error) => error,
            }
        }
        Error::Timeout(ref stop) | Error::Interrupted(ref stop) => {
            let traceback = cx.settings.message(py, &stop.traceback);
            stopped(py, &error, traceback, style).unwrap_or_else(|error| error)
        }
        other => exception(py, other),
    })
}

/// As [`to_exception`], for errors that are not about Lua code, whose text may be in any encoding.
#[cold]
pub(crate) fn exception(py: Python<'_>, mut error: Error) -> PyErr {
    // Moved out if nobody else has it: what is not yet an exception object need not become one.
    if let Some(exception) = error.downcast_mut::<Exception>().and_then(|e| e.0.take()) {
        return exception;
    }
    if let Some(Exception(Some(exception))) = error.downcast_ref() {
        return exception.clone_ref(py);
    }
    let classes = match classes(py) {
        Ok(classes) => classes,
        Err(error) => return error,
    };
    match error {
        Error::Memory | Error::StackOverflow(_) => instance(py, &classes.memory, error.to_string()),
        Error::Timeout(_) | Error::Interrupted(_) => {
            let traceback = error.traceback().unwrap_or_default().into_owned();
            stopped(py, &error, traceback, Style::Plain).unwrap_or_else(|error| error)
        }
        Error::RecursionLimit => PyRecursionError::new_err(error.to_string()),
        // The words of lua_resume(), which are the same for both.
        Error::CoroutineUnresumable(_) => {
            let message = "cannot resume non-suspended coroutine".to_owned();
            instance(py, &classes.error, message)
        }
        other => instance(py, &classes.error, other.text().into_owned()),
    }
}

/// The exception for Lua code that was stopped.
fn stopped(py: Python<'_>, error: &Error, traceback: String, style: Style) -> PyResult<PyErr> {
    let classes = classes(py)?;
    let class = match error {
        Error::Timeout(_) => &classes.timeout,
        _ => &classes.interrupted,
    };
    let text = with_traceback(error.text().into_owned(), &traceback, style);
    let exception = instance(py, class, text);
    set_traceback(py, &exception, traceback)?;
    Ok(exception)
}

fn runtime_error(
    cx: &Context<'_, '_>,
    classes: &Classes,
    error: &RuntimeError,
    style: Style,
) -> PyResult<PyErr> {
    let py = cx.py;
    if let Some(exception) = error
        .value
        .as_ref()
        .and_then(|value| exception_in(py, value))
    {
        return Ok(PyErr::from_value(exception));
    }
    let message = cx.settings.message(py, &error.message);
    let traceback = cx.settings.message(py, &error.traceback);
    // To Lua a number is text as well.
    let is_text = matches!(error.value, None | Some(Value::Number(_)));
    let text = if is_text {
        with_traceback(message.clone(), &traceback, style)
    } else {
        message.clone()
    };
    let exception = instance(py, &classes.error, text);
    let value = match &error.value {
        Some(value) => to_python_value(cx, value)?,
        None => message.into_pyobject(py)?.into_any(),
    };
    exception.value(py).setattr("value", value)?;
    set_traceback(py, &exception, traceback)?;
    Ok(exception)
}

/// The text of an exception.
fn with_traceback(message: String, traceback: &str, style: Style) -> String {
    if style == Style::Plain || traceback.is_empty() {
        message
    } else {
        reorder_traceback(&format!("{message}\n{traceback}"))
    }
}

fn set_traceback(py: Python<'_>, exception: &PyErr, traceback: String) -> PyResult<()> {
    if traceback.is_empty() {
        return Ok(());
    }
    exception.value(py).setattr("traceback", traceback)
}

/// Puts the most recent call last, as Python does: Lua has it first. A traceback that Lua has
/// shortened, with `...` in the middle, stays as it is.
fn reorder_traceback(message: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    // Number of lines up to and with a heading, while its entries are read.
    let mut heading = 0;
    for line in message.lines() {
        if heading > 0 && is_traceback_entry(line) {
            lines.insert(heading, line);
        } else {
            lines.push(line);
            heading = if line == "stack traceback:" {
                lines.len()
            } else {
                0
            };
        }
    }
    if heading == 0 {
        return message.to_owned();
    }
    lines.join("\n")
}

fn is_traceback_entry(line: &str) -> bool {
    line.starts_with(char::is_whitespace) && line.trim_start().starts_with('[')
}

/// A Python exception on its way into Lua: it becomes the error value. `KeyboardInterrupt` and the
/// like are not for Lua code to catch.
#[cold]
pub(crate) fn raise_in_lua(cx: &Context<'_, '_>, call: &mut Call<'_>, error: BoxedErr) -> Error {
    let py = cx.py;
    let error = PyErr::from(error);
    let catchable = error.is_instance_of::<PyException>(py);
    let exception = error.into_value(py).into_bound(py).into_any();
    let value = PyValue::wrapped(cx, &exception);
    if catchable {
        call.raise(value)
    } else {
        call.raise_uncatchable(value)
    }
}

/// An exception on its way through the core; `None` once it was taken out.
#[derive(Debug)]
struct Exception(Option<PyErr>);

impl Drop for Exception {
    fn drop(&mut self) {
        if let Some(exception) = self.0.take() {
            gil::park(exception);
        }
    }
}

impl std::fmt::Display for Exception {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(exception) => exception.fmt(f),
            None => f.write_str("exception"),
        }
    }
}

impl std::error::Error for Exception {}

/// The exception behind a core error, to be handed through the core.
#[cold]
pub(crate) fn external(error: impl Into<PyErr>) -> Error {
    Error::external(Exception(Some(error.into())))
}
