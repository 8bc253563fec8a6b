//! What a sandbox refuses Lua code on Python objects.
//!
//! An `attribute_filter` replaces the rules about attributes; the others stay.

use crate::gil::GilOnce;
use crate::object::decoded;
use crate::settings::Context;
use lupa_core::Access;
use pyo3::exceptions::{PyAttributeError, PyBaseException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyCode, PyFrame, PyFunction, PyModule, PyString, PyTraceback, PyType,
};

/// Attributes without an underscore that lead from harmless objects to frames and code, and so to
/// the globals of the program, or that change what the program later sees of an exception. By
/// name only, since compiled functions and generators have them as well.
const UNSAFE_NAMES: [&str; 24] = [
    "add_note",
    "ag_await",
    "ag_code",
    "ag_frame",
    "cr_await",
    "cr_code",
    "cr_frame",
    "cr_origin",
    "f_back",
    "f_builtins",
    "f_code",
    "f_globals",
    "f_locals",
    "func_closure",
    "func_code",
    "func_defaults",
    "func_dict",
    "func_globals",
    "gi_code",
    "gi_frame",
    "gi_yieldfrom",
    "mro",
    "tb_frame",
    "with_traceback",
];

fn denied(what: &str) -> PyErr {
    PyAttributeError::new_err(format!("access to {what} is denied in a sandbox"))
}

/// Refuses items that are not meant for the public.
pub(crate) fn check_item(cx: &Context<'_, '_>, key: &Bound<'_, PyAny>) -> PyResult<()> {
    if !cx.settings.sandbox {
        return Ok(());
    }
    let private = if let Ok(key) = key.cast::<PyString>() {
        key.to_string_lossy().starts_with('_')
    } else {
        key.cast::<PyBytes>()
            .is_ok_and(|key| key.as_bytes().starts_with(b"_"))
    };
    if private {
        return Err(denied(key.repr()?.to_str()?));
    }
    Ok(())
}

/// Refuses attributes that are not meant for the public, or that other code relies on.
pub(crate) fn check_attribute(
    cx: &Context<'_, '_>,
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyAny>,
    access: Access,
) -> PyResult<()> {
    if !cx.settings.sandbox || cx.settings.attribute_filter.is_some() {
        return Ok(());
    }
    // What is no text is refused elsewhere.
    let Ok(name) = decoded(cx, name.clone())?.cast_into::<PyString>() else {
        return Ok(());
    };
    let text = name.to_string_lossy();
    if text.starts_with('_') || UNSAFE_NAMES.contains(&&*text) || leaks(object, &text)? {
        return Err(denied(name.repr()?.to_str()?));
    }
    if access == Access::Set && is_shared(object) {
        let kind = object.get_type().name()?;
        let message = format!("attributes of a {kind} cannot be set in a sandbox");
        return Err(PyAttributeError::new_err(message));
    }
    Ok(())
}

/// Attributes that are unsafe on some types only.
fn leaks(object: &Bound<'_, PyAny>, name: &str) -> PyResult<bool> {
    match name {
        // A format text reads any attribute of what it formats.
        "format" | "format_map" => Ok(object.is_instance_of::<PyString>() || is_text_type(object)),
        // The object whose attribute is missing, from anywhere in the program.
        "obj" => Ok(object.is_instance_of::<PyAttributeError>()),
        // What a function was bound to is as private as a method's `__self__`.
        "args" | "func" | "keywords" => {
            static PARTIAL: GilOnce<Py<PyType>> = GilOnce::new();
            object.is_instance(PARTIAL.import(object.py(), "functools", "partial")?)
        }
        _ => Ok(object.is_instance_of::<PyFrame>()
            || object.is_instance_of::<PyCode>()
            || object.is_instance_of::<PyTraceback>()),
    }
}

fn is_text_type(object: &Bound<'_, PyAny>) -> bool {
    object
        .cast::<PyType>()
        .is_ok_and(|class| class.is_subclass_of::<PyString>().unwrap_or(true))
}

/// Whether the whole program shares an object, so that its attributes are not for Lua code to set.
fn is_shared(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyModule>()
        || object.is_instance_of::<PyType>()
        || object.is_instance_of::<PyFunction>()
        // Besides, not all of CPython's exceptions check what their attributes are set to: a
        // `UnicodeDecodeError` reads memory by them.
        || object.is_instance_of::<PyBaseException>()
}

/// Refuses the modules that a module has imported.
pub(crate) fn check_value(
    cx: &Context<'_, '_>,
    object: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    if cx.settings.sandbox
        && cx.settings.attribute_filter.is_none()
        && object.is_instance_of::<PyModule>()
        && value.is_instance_of::<PyModule>()
    {
        return Err(denied("a module's modules"));
    }
    Ok(())
}

/// Refuses `%` as the operator that formats text: it reads items of any name.
pub(crate) fn check_modulo(cx: &Context<'_, '_>, left: &Bound<'_, PyAny>) -> PyResult<()> {
    let formats = left.is_instance_of::<PyString>()
        || left.is_instance_of::<PyBytes>()
        || left.is_instance_of::<PyByteArray>();
    if cx.settings.sandbox && formats {
        return Err(PyTypeError::new_err(
            "formatting with % is denied in a sandbox",
        ));
    }
    Ok(())
}
