//! Whether objects have an attribute: what runs Python code for that, and what does not.
//!
//! It is asked while values lie on Lua's stack. Python code may switch to another greenlet there, so it is told apart from CPython's
//! own look-ups, which all but a few objects have.

use crate::capi::{self, Finder, Method, class_attribute, finder, is_had_by_instances};
use crate::errors::external;
use crate::gil::interned;
use crate::greenlets;
use crate::settings::Context;
use lupa_core::Result;
use pyo3::prelude::*;
use pyo3::types::{PyModule, PyString, PyType};

/// What is known of an attribute before it is looked up.
enum Ahead {
    /// The object has it.
    Found,
    /// To look it up runs no Python code.
    Harmless,
    /// It may run Python code.
    MayRunCode,
}

impl Ahead {
    /// With code that is run when nothing is found.
    fn or_code(self) -> Ahead {
        match self {
            Ahead::Harmless => Ahead::MayRunCode,
            known => known,
        }
    }
}

/// Whether an object has an attribute. Python code that is run for that may switch to another greenlet.
pub(crate) fn has_attribute(
    cx: &Context<'_, '_>,
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
) -> Result<bool> {
    let object = &holder(object, name);
    let look = || capi::has_attribute(object, name).map_err(external);
    match look_ahead(object, name) {
        Ahead::Found => Ok(true),
        Ahead::Harmless => look(),
        Ahead::MayRunCode => greenlets::operation(cx, look),
    }
}

/// Asks `f` what depends on the class that an object says it has, which Python code may switch to another greenlet for.
pub(crate) fn ask_class<R>(
    cx: &Context<'_, '_>,
    object: &Bound<'_, PyAny>,
    f: impl FnOnce() -> R,
) -> Result<R> {
    let name = interned!(cx.py, "__class__");
    match look_ahead(&holder(object, name), name) {
        Ahead::Found | Ahead::Harmless => Ok(f()),
        Ahead::MayRunCode => greenlets::operation(cx, || Ok(f())),
    }
}

fn look_ahead<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> Ahead {
    let py = object.py();
    let class = object.get_type();
    match finder(&class) {
        Finder::Objects => return in_class(&class, name),
        Finder::Classes => return in_classes(object, &class, name),
        Finder::Own => {}
    }
    // A class with `__getattr__` finds as others do, and asks that for what is not found.
    let own = class_attribute(&class, interned!(py, "__getattribute__"));
    let is = |base: Bound<'py, PyType>| {
        let of_base = class_attribute(&base, interned!(py, "__getattribute__"));
        matches!((&own, &of_base), (Some(own), Some(of_base)) if own.is(of_base))
    };
    if is(py.get_type::<PyAny>()) {
        return in_class(&class, name).or_code();
    }
    if is(py.get_type::<PyType>()) {
        return in_classes(object, &class, name).or_code();
    }
    if let Ok(module) = object.cast_exact::<PyModule>() {
        // A module may have a function for names that it has not.
        return match module.dict().contains(interned!(py, "__getattr__")) {
            Ok(false) => Ahead::Harmless,
            _ => Ahead::MayRunCode,
        };
    }
    if Method::new(object).is_some() {
        // What it has beside that of its function is its class's: see `holder`.
        return in_class(&class, name);
    }
    Ahead::MayRunCode
}

/// Who has an attribute if an object has it: what a bound method has beside that of its class is its function's, which may be a method in
/// turn. To ask a method for what it has not would make an exception, and a message for that.
fn holder<'py>(object: &Bound<'py, PyAny>, name: &Bound<'py, PyString>) -> Bound<'py, PyAny> {
    let mut holder = object.clone();
    while let Some(method) = Method::new(&holder)
        && class_attribute(&holder.get_type(), name).is_none()
    {
        let function = method.function();
        holder = function;
    }
    holder
}

/// What is known of an attribute of the instances of a class.
fn in_class<'py>(class: &Bound<'py, PyType>, name: &Bound<'py, PyString>) -> Ahead {
    match class_attribute(class, name) {
        None => Ahead::Harmless,
        Some(found) if is_had_by_instances(&found) => Ahead::Found,
        Some(_) => Ahead::MayRunCode,
    }
}

/// What is known of an attribute of a class, which that and its bases may have, or its metaclass.
fn in_classes<'py>(
    class: &Bound<'py, PyAny>,
    metaclass: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> Ahead {
    let Ok(class) = class.cast::<PyType>() else {
        return Ahead::MayRunCode;
    };
    match (in_class(metaclass, name), in_class(class, name)) {
        (Ahead::MayRunCode, _) | (_, Ahead::MayRunCode) => Ahead::MayRunCode,
        (Ahead::Found, _) | (_, Ahead::Found) => Ahead::Found,
        _ => Ahead::Harmless,
    }
}
