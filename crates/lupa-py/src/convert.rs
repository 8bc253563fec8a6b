//! Conversions between Python and Lua values.

use crate::capi;
use crate::errors::{BoxedResult, Style, external, to_exception};
use crate::greenlets;
use crate::object::{default_flags, push_object, python_object};
use crate::settings::Context;
use crate::wrappers::{self, LuaObject, ProtocolWrapper};
use lupa_core::{IntoLua, Kind, Pusher, Result, Slot, Value};
use pyo3::exceptions::{PyException, PyOverflowError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

/// Largest integer up to which every integer is a Lua number.
pub(crate) const MAX_INTEGER: i64 = 1 << 53;

/// A Python object on its way to Lua.
pub(crate) struct PyArg<'a, 'b, 'py> {
    cx: &'a Context<'b, 'py>,
    object: &'a Bound<'py, PyAny>,
    /// None becomes `python.none` rather than nil.
    wrap_none: bool,
}

impl<'a, 'b, 'py> PyArg<'a, 'b, 'py> {
    #[inline]
    pub(crate) fn new(cx: &'a Context<'b, 'py>, object: &'a Bound<'py, PyAny>) -> Self {
        PyArg {
            cx,
            object,
            wrap_none: false,
        }
    }

    /// A key of a table, or the first value of an iterator, where nil has no place.
    #[inline]
    pub(crate) fn not_nil(cx: &'a Context<'b, 'py>, object: &'a Bound<'py, PyAny>) -> Self {
        PyArg {
            cx,
            object,
            wrap_none: true,
        }
    }
}

impl IntoLua for PyArg<'_, '_, '_> {
    // Exact types first: they are the common ones, and the cheapest to recognise.
    #[inline(always)]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        if let Ok(text) = self.object.cast_exact::<PyString>() {
            return push_text(self.cx, text, to);
        }
        if let Ok(number) = self.object.cast_exact::<PyInt>()
            && let Some(n) = capi::small_integer(number)
        {
            return to.number(f64::from(n));
        }
        if let Ok(number) = self.object.cast_exact::<PyFloat>() {
            return to.number(number.value());
        }
        push_value(self.cx, self.object, self.wrap_none, to)
    }
}

/// What is no plain `str` or `float` and no small `int`.
#[inline(never)]
fn push_value<'py>(
    cx: &Context<'_, 'py>,
    object: &Bound<'py, PyAny>,
    wrap_none: bool,
    to: Pusher<'_>,
) -> Result<()> {
    if let Ok(number) = object.cast_exact::<PyInt>() {
        return push_integer(cx, number, to);
    }
    if object.is_none() && !wrap_none {
        return to.nil();
    }
    if let Ok(truth) = object.cast_exact::<PyBool>() {
        return to.boolean(truth.is_true());
    }
    push_other(cx, object, to)
}

/// The less common types, in the order of lupa's rules.
#[inline(never)]
fn push_other<'py>(
    cx: &Context<'_, 'py>,
    object: &Bound<'py, PyAny>,
    to: Pusher<'_>,
) -> Result<()> {
    if let Ok(wrapper) = object.cast::<LuaObject>() {
        return (&*wrapper.get().reference()?).into_lua(to);
    }
    if let Ok(bytes) = object.cast::<PyBytes>() {
        return to.bytes(bytes.as_bytes());
    }
    if let Ok(number) = object.cast::<PyInt>() {
        return push_integer(cx, number, to);
    }
    if let Ok(text) = object.cast::<PyString>() {
        return push_text(cx, text, to);
    }
    if let Ok(number) = object.cast::<PyFloat>() {
        return to.number(number.value());
    }
    if let Ok(wrapper) = object.cast::<ProtocolWrapper>() {
        let wrapper = wrapper.get();
        return push_object(cx, wrapper.object.bind(cx.py), wrapper.flags, to);
    }
    let flags = default_flags(cx, object)?;
    push_object(cx, object, flags, to)
}

#[inline(never)]
fn push_text<'py>(
    cx: &Context<'_, 'py>,
    text: &Bound<'py, PyString>,
    to: Pusher<'_>,
) -> Result<()> {
    if let Some(codec) = &cx.settings.encoding
        && codec.is_utf8()
        && let Some(bytes) = capi::ascii(text)
    {
        return to.bytes(bytes);
    }
    push_encoded(cx, text, to)
}

/// Text as the runtime's encoding has it.
#[inline(never)]
fn push_encoded<'py>(
    cx: &Context<'_, 'py>,
    text: &Bound<'py, PyString>,
    to: Pusher<'_>,
) -> Result<()> {
    match &cx.settings.encoding {
        Some(codec) => {
            let pushed = codec.encode(cx, text, |bytes| Ok(to.bytes(bytes)));
            pushed.map_err(external)?
        }
        // Strings are bytes in this runtime, so text is an object like others.
        None => {
            let flags = default_flags(cx, text.as_any())?;
            push_object(cx, text.as_any(), flags, to)
        }
    }
}

#[inline]
fn push_integer(cx: &Context<'_, '_>, number: &Bound<'_, PyInt>, to: Pusher<'_>) -> Result<()> {
    match exact_double(number) {
        Some(n) => to.number(n),
        None => push_overflowing(cx, number, to),
    }
}

/// The Lua number that is equal to an integer of 64 bits, if there is one.
#[inline]
pub(crate) fn exact_double(number: &Bound<'_, PyInt>) -> Option<f64> {
    let n = capi::integer(number)?;
    let is_exact =
        n.unsigned_abs() <= MAX_INTEGER as u64 || ((n as f64) as i64 == n && n != i64::MAX);
    is_exact.then_some(n as f64)
}

const OVERFLOW: &str = "Python int too large to convert to a Lua number";

/// An integer that is no Lua number: the overflow handler may make something else of it.
#[cold]
fn push_overflowing(cx: &Context<'_, '_>, number: &Bound<'_, PyInt>, to: Pusher<'_>) -> Result<()> {
    let Some(handler) = cx.settings.overflow_handler(cx.py) else {
        return Err(external(PyOverflowError::new_err(OVERFLOW)));
    };
    let handler = handler.into_bound(cx.py);
    let result = greenlets::operation(cx, || {
        let result = match handler.cast::<LuaObject>() {
            Ok(function) => {
                // A Lua function gets the integer as an object: converted it would come here again.
                wrappers::call_wrapped(cx, function.get(), number.as_any())
            }
            Err(_) => handler.call1((number,)).map_err(Into::into),
        };
        result.map_err(|error| {
            let error = PyErr::from(error);
            if !error.is_instance_of::<PyException>(cx.py) {
                return external(error);
            }
            let overflow = PyOverflowError::new_err(OVERFLOW);
            overflow.set_cause(cx.py, Some(error));
            external(overflow)
        })
    })?;
    if let Ok(n) = result.cast::<PyInt>() {
        return match exact_double(n) {
            Some(n) => to.number(n),
            None => push_object(cx, result.as_any(), 0, to),
        };
    }
    PyArg::new(cx, &result).into_lua(to)
}

/// The Python object for a Lua value.
#[inline(never)]
pub(crate) fn to_python<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> BoxedResult<Bound<'py, PyAny>> {
    let py = cx.py;
    // Those that are alone in this function leave it few registers to save.
    match slot.kind() {
        Kind::Number => Ok(number(py, slot.number().unwrap_or_default())),
        Kind::None | Kind::Nil => Ok(py.None().into_bound(py)),
        Kind::Boolean => Ok(PyBool::new(py, slot.truthy()).to_owned().into_any()),
        Kind::String => text(cx, slot.bytes().unwrap_or_default()),
        kind => wrapper(cx, slot, kind),
    }
}

/// The Python object for a Lua value of a kind that has no counterpart.
#[inline(never)]
fn wrapper<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
    kind: Kind,
) -> BoxedResult<Bound<'py, PyAny>> {
    let py = cx.py;
    Ok(match kind {
        Kind::Table => wrappers::new_table(cx, slot)?,
        Kind::Function => match python_object(py, slot) {
            Some(object) => object,
            None => wrappers::new_function(cx, slot)?,
        },
        Kind::Thread => wrappers::new_thread_or_function(cx, slot)?,
        Kind::UserData => match python_object(py, slot) {
            Some(object) => object,
            None => wrappers::new_object(cx, slot)?,
        },
        Kind::CData => match cdata_integer(cx, slot)? {
            Some(integer) => integer.into_pyobject(py)?.into_any(),
            None => wrappers::new_object(cx, slot)?,
        },
        _ => wrappers::new_object(cx, slot)?,
    })
}

/// Integral doubles within 64 bits are ints in Python, as they print in Lua.
#[inline]
fn number(py: Python<'_>, n: f64) -> Bound<'_, PyAny> {
    // Out of range this gives the nearest integer there is; of them the largest is no double.
    let integer = n as i64;
    if integer as f64 == n && integer != i64::MAX {
        PyInt::new(py, integer).into_any()
    } else {
        PyFloat::new(py, n).into_any()
    }
}

/// A Lua string in the runtime's encoding.
#[inline]
pub(crate) fn text<'py>(cx: &Context<'_, 'py>, bytes: &[u8]) -> BoxedResult<Bound<'py, PyAny>> {
    match &cx.settings.encoding {
        Some(codec) => codec.decode(cx, bytes),
        None => Ok(PyBytes::new(cx.py, bytes).into_any()),
    }
}

/// The value of an `int64_t` or `uint64_t` of the FFI library.
fn cdata_integer(cx: &Context<'_, '_>, slot: Slot<'_>) -> BoxedResult<Option<i128>> {
    slot.cdata_integer()
        .map_err(|error| to_exception(cx, error, Style::Plain))
}

/// The Python object for a value that the core kept.
pub(crate) fn to_python_value<'py>(
    cx: &Context<'_, 'py>,
    value: &Value,
) -> BoxedResult<Bound<'py, PyAny>> {
    cx.runtime
        .convert(value, |slot| to_python(cx, slot).map_err(external))
        .map_err(|error| to_exception(cx, error, Style::Plain))
}
