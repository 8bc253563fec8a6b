//! What all wrappers have in common.

use super::{collect, not_instantiable, operate, push_arguments};
use crate::codec::latin1;
use crate::convert::{PyArg, to_python};
use crate::errors::{Style, external, to_exception};
use crate::gil::WithoutGil;
use crate::runtime::LuaRuntime;
use crate::settings::Context;
use lupa_core::{Error, IntoLua, Kind, Pusher, Reference, Result, Slot};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

/// A Lua value in Python: a table, a function, a coroutine, or anything else that has no
/// counterpart.
#[pyclass(
    name = "_LuaObject",
    module = "lupa.luajit21",
    subclass,
    frozen,
    weakref
)]
pub(crate) struct LuaObject {
    // Dropped in this order: the reference's slot is freed while the runtime lives.
    pub(crate) reference: Reference,
    pub(super) runtime: Py<LuaRuntime>,
}

pub(super) fn base(
    cx: &Context<'_, '_>,
    slot: Slot<'_>,
) -> PyResult<PyClassInitializer<LuaObject>> {
    let reference = slot
        .to_reference()
        .map_err(|error| to_exception(cx, error, Style::Plain))?;
    initializer(cx, reference)
}

pub(super) fn initializer(
    cx: &Context<'_, '_>,
    reference: Reference,
) -> PyResult<PyClassInitializer<LuaObject>> {
    let runtime = cx.owner()?.clone().unbind();
    Ok(PyClassInitializer::from(LuaObject { reference, runtime }))
}

pub(crate) fn new_object<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(cx.py, base(cx, slot)?)?.into_any())
}

/// `<Lua table at 0x…>`
fn describe(reference: &Reference) -> Result<String> {
    reference.with(|slot| {
        let kind = slot.kind();
        let address = match kind {
            Kind::UserData | Kind::LightUserData => slot.block(),
            _ => slot.address(),
        };
        let name = if kind == Kind::LightUserData {
            "userdata"
        } else {
            kind.name()
        };
        Ok(match kind {
            Kind::CData => format!("<Lua {name}>"),
            _ => format!("<Lua {name} at {address:p}>"),
        })
    })
}

/// Whether a name is one of Python's special ones, which are not looked up in Lua.
pub(super) fn is_special(name: &Bound<'_, PyAny>) -> bool {
    if let Ok(text) = name.cast::<PyString>() {
        return text
            .to_str()
            .is_ok_and(|t| t.starts_with("__") && t.ends_with("__"));
    }
    name.cast::<PyBytes>()
        .is_ok_and(|b| b.as_bytes().starts_with(b"__") && b.as_bytes().ends_with(b"__"))
}

/// Pushes an attribute's name, which is text in the source encoding.
pub(super) fn push_name(
    cx: &Context<'_, '_>,
    name: &Bound<'_, PyAny>,
    to: Pusher<'_>,
) -> Result<()> {
    match name.cast::<PyString>() {
        Ok(text) => cx
            .settings
            .source_encoding
            .encode(text, |bytes| Ok(to.bytes(bytes)))
            .map_err(external)?,
        Err(_) => push_key(cx, name, to),
    }
}

/// Pushes a key. A table cannot have nil as a key, so None is `python.none` there.
pub(super) fn push_key(cx: &Context<'_, '_>, key: &Bound<'_, PyAny>, to: Pusher<'_>) -> Result<()> {
    IntoLua::into_lua(PyArg::not_nil(cx, key), to)
}

fn get<'py>(
    slf: &Bound<'py, LuaObject>,
    push: impl FnOnce(&Context<'_, 'py>, Pusher<'_>) -> Result<()>,
    refused: fn(&'static str) -> PyErr,
) -> PyResult<Bound<'py, PyAny>> {
    operate(slf, Style::Traceback, |cx, reference| {
        if matches!(reference.kind()?, Kind::Function | Kind::Thread) {
            return Err(external(refused(
                "item/attribute access not supported on functions",
            )));
        }
        reference.get_with(
            |to| push(cx, to),
            WithoutGil(cx.py),
            |slot| to_python(cx, slot).map_err(external),
        )
    })
}

#[pymethods]
impl LuaObject {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        Err(not_instantiable())
    }

    #[pyo3(signature = (*args))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        operate(slf, Style::Traceback, |cx, reference| {
            reference.call_with(
                |to| push_arguments(cx, to, args),
                WithoutGil(cx.py),
                |results| collect(cx, results),
            )
        })
    }

    fn __len__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let length = operate(slf, Style::Plain, |cx, reference| {
            reference.len_with(WithoutGil(cx.py))
        })?;
        Ok(length as usize)
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __iter__(&self) -> PyResult<Py<PyAny>> {
        Err(PyTypeError::new_err(
            "iteration is only supported for tables",
        ))
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        // A repr is for messages, so it works after the end, too.
        operate(slf, Style::Plain, |_, reference| {
            match describe(reference) {
                Err(Error::Closed) => Ok("<Lua object of a closed runtime>".to_owned()),
                description => description,
            }
        })
    }

    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        operate(slf, Style::Plain, |cx, reference| {
            let has_tostring = reference.with(|slot| slot.has_metafield("__tostring"))?;
            if !has_tostring {
                return describe(reference);
            }
            let text = reference.to_string_with(WithoutGil(cx.py), |bytes| {
                let codec = cx.settings.encoding.as_ref();
                let codec = codec.unwrap_or(&cx.settings.source_encoding);
                let text = codec.decode(cx.py, bytes).and_then(|text| text.extract());
                Ok(text.unwrap_or_else(|_| latin1(bytes)))
            });
            text.map_err(|error| match error {
                Error::Conversion { .. } => external(PyTypeError::new_err(
                    "__tostring returned non-string object",
                )),
                error => error,
            })
        })
    }

    fn __getattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        if is_special(name) {
            let class = slf.get_type();
            let message = format!(
                "'{}' object has no attribute '{name}'",
                class.fully_qualified_name()?
            );
            return Err(PyAttributeError::new_err(message));
        }
        get(
            slf,
            |cx, to| push_name(cx, name, to),
            PyAttributeError::new_err,
        )
    }

    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        get(slf, |cx, to| push_key(cx, key, to), PyTypeError::new_err)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let py = slf.py();
        let Ok(other) = other.cast::<LuaObject>() else {
            return Ok(py.NotImplemented());
        };
        let same = operate(slf, Style::Plain, |_, reference| {
            reference.same(&other.get().reference)
        })?;
        Ok(same.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __hash__(slf: &Bound<'_, Self>) -> PyResult<usize> {
        // Addresses of Lua objects are multiples of 8 at least.
        operate(slf, Style::Plain, |_, reference| reference.address()).map(|a| a >> 3)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.runtime)
    }
}

/// The Lua type of a wrapped Lua object, as Lua's `type` names it; None for other objects.
#[pyfunction]
pub(crate) fn lua_type(obj: &Bound<'_, PyAny>) -> PyResult<Option<&'static str>> {
    match obj.cast::<LuaObject>() {
        Ok(object) => operate(object, Style::Plain, |_, reference| reference.kind())
            .map(|kind| Some(kind.name())),
        Err(_) => Ok(None),
    }
}

/// Name of the source encoding of the runtime of a wrapped Lua object.
#[pyfunction]
pub(crate) fn _source_encoding(obj: &Bound<'_, LuaObject>) -> String {
    let owner = obj.get().runtime.bind(obj.py());
    owner.get().settings().source_encoding.name().to_owned()
}
