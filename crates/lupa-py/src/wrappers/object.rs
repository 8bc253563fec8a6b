//! What all wrappers have in common.

use super::{
    LuaCoroutineFunction, LuaFunction, LuaIter, LuaTable, LuaThread, collect, not_instantiable,
    operate, operate_once, push_arguments,
};
use crate::capi::slots::{self, Attributes, CallSlot, Callable, Length};
use crate::capi::{self, generic_attribute};
use crate::codec::latin1;
use crate::convert::{PyArg, to_python};
use crate::errors::{BoxedResult, Style, external, to_exception};
use crate::gil::{RunningLua, interned};
use crate::runtime::LuaRuntime;
use crate::settings::Context;
use lupa_core::{
    Error, IntoLua, KeptReference, Kind, Pusher, Reference, RegistryKey, Result, Slot,
};
use pyo3::exceptions::{PyAttributeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyClass, PyTraverseError, PyVisit};
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// Of `runtime`, until the drop.
    key: RegistryKey,
    pub(super) runtime: Py<LuaRuntime>,
    call: CallSlot,
}

// 48 bytes with what CPython and PyO3 put around it, a size of CPython's allocator: a million wrappers feel each word.
const _: () = assert!(size_of::<LuaObject>() == 24);

impl LuaObject {
    /// The Lua value.
    #[inline]
    pub(crate) fn reference(&self) -> Result<KeptReference<'_>> {
        self.runtime.get().runtime.registry_reference(&self.key)
    }
}

impl Drop for LuaObject {
    #[inline]
    fn drop(&mut self) {
        let key = std::mem::take(&mut self.key);
        // It is one of this runtime: there is no other error.
        let _ = self.runtime.get().runtime.remove_registry_value(key);
    }
}

/// What a new wrapper of class `T` for the value in a slot is made of.
#[inline]
pub(super) fn base<T: Callable>(
    cx: &Context<'_, '_>,
    slot: Slot<'_>,
) -> BoxedResult<PyClassInitializer<LuaObject>> {
    let runtime = cx.owner()?.clone().unbind();
    let key = slot
        .to_registry_key()
        .map_err(|error| to_exception(cx, error, Style::Plain))?;
    Ok(PyClassInitializer::from(LuaObject {
        key,
        runtime,
        call: CallSlot::of::<T>(),
    }))
}

/// Makes a wrapper.
#[inline]
pub(super) fn wrap<'py, T>(
    py: Python<'py>,
    initializer: impl Into<PyClassInitializer<T>>,
) -> BoxedResult<Bound<'py, PyAny>>
where
    T: PyClass,
{
    let object = Bound::new(py, initializer)?.into_any();
    if !INSTALLED.load(Ordering::Relaxed) {
        install_slots(object.cast::<LuaObject>()?);
    }
    Ok(object)
}

static INSTALLED: AtomicBool = AtomicBool::new(false);

/// The first wrapper shows where all of them have their call slots.
#[cold]
fn install_slots(object: &Bound<'_, LuaObject>) {
    let py = object.py();
    let classes = [
        py.get_type::<LuaObject>(),
        py.get_type::<LuaTable>(),
        py.get_type::<LuaFunction>(),
        py.get_type::<LuaCoroutineFunction>(),
        py.get_type::<LuaThread>(),
    ];
    slots::install(object, &object.get().call, &classes);
    slots::install_assignment::<LuaTable>(py);
    slots::install_iteration::<LuaIter>(py);
    slots::install_iteration::<LuaThread>(py);
    INSTALLED.store(true, Ordering::Relaxed);
}

pub(crate) fn new_object<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> BoxedResult<Bound<'py, PyAny>> {
    wrap(cx.py, base::<LuaObject>(cx, slot)?)
}

/// Calls a Lua value.
#[inline]
pub(super) fn call<'py>(
    slf: &Bound<'py, LuaObject>,
    arguments: &[Borrowed<'_, 'py, PyAny>],
) -> BoxedResult<Bound<'py, PyAny>> {
    operate_once(slf, Style::Traceback, |cx, reference, operation| {
        reference.call_with(
            |to| push_arguments(cx, to, arguments),
            operation,
            |results| collect(cx, results),
        )
    })
}

impl Callable for LuaObject {
    fn call<'py>(
        slf: &Bound<'py, Self>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
    ) -> BoxedResult<Bound<'py, PyAny>> {
        call(slf, arguments)
    }
}

impl Attributes for LuaObject {
    #[inline(always)]
    fn attribute<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        if let Ok(text) = name.cast::<PyString>()
            && capi::utf8(text).is_some_and(|name| has_own(slf, name))
        {
            return generic_attribute(slf.as_any(), text);
        }
        get(
            slf,
            |cx, to| push_name(cx, name, to),
            PyAttributeError::new_err,
        )
    }

    #[inline(always)]
    fn item<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        get(slf, |cx, to| push_key(cx, key, to), PyTypeError::new_err)
    }
}

impl Length for LuaObject {
    #[inline(always)]
    fn length(slf: &Bound<'_, Self>) -> BoxedResult<usize> {
        let length = operate_once(slf, Style::Plain, |_, reference, operation| {
            reference.len_with(operation)
        })?;
        Ok(length as usize)
    }
}

/// Whether a wrapper has an attribute of its own by this name. Other names are looked up in Lua.
#[inline]
fn has_own(object: &Bound<'_, LuaObject>, name: &[u8]) -> bool {
    match name {
        b"keys" | b"values" | b"items" => object.is_exact_instance_of::<LuaTable>(),
        b"send" | b"throw" | b"close" => object.is_exact_instance_of::<LuaThread>(),
        b"coroutine" => object.is_instance_of::<LuaFunction>(),
        name => is_special(name),
    }
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
#[inline]
pub(super) fn is_special(name: &[u8]) -> bool {
    name.starts_with(b"__") && name.ends_with(b"__")
}

/// Pushes an attribute's name, which is text in the source encoding.
pub(super) fn push_name<'py>(
    cx: &Context<'_, 'py>,
    name: &Bound<'py, PyAny>,
    to: Pusher<'_>,
) -> Result<()> {
    match name.cast::<PyString>() {
        Ok(text) => cx
            .settings
            .source_encoding
            .encode(cx, text, |bytes| Ok(to.bytes(bytes)))
            .map_err(external)?,
        Err(_) => push_key(cx, name, to),
    }
}

/// Pushes a key. A table cannot have nil as a key, so None is `python.none` there.
#[inline(always)]
pub(super) fn push_key(cx: &Context<'_, '_>, key: &Bound<'_, PyAny>, to: Pusher<'_>) -> Result<()> {
    IntoLua::into_lua(PyArg::not_nil(cx, key), to)
}

#[inline(always)]
fn get<'py>(
    slf: &Bound<'py, LuaObject>,
    push: impl FnOnce(&Context<'_, 'py>, Pusher<'_>) -> Result<()>,
    refused: fn(&'static str) -> PyErr,
) -> BoxedResult<Bound<'py, PyAny>> {
    if !slf.is_exact_instance_of::<LuaTable>()
        && (slf.is_instance_of::<LuaFunction>() || slf.is_instance_of::<LuaThread>())
    {
        return Err(refused("item/attribute access not supported on functions").into());
    }
    operate_once(slf, Style::Traceback, |cx, reference, operation| {
        reference.get_with(
            |to| push(cx, to),
            operation,
            |slot| to_python(cx, slot).map_err(external),
        )
    })
}

#[pymethods]
impl LuaObject {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> BoxedResult<Self> {
        Err(not_instantiable())
    }

    #[pyo3(signature = (*args))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let arguments: Vec<_> = args.iter_borrowed().collect();
        call(slf, &arguments)
    }

    fn __len__(slf: &Bound<'_, Self>) -> BoxedResult<usize> {
        slots::length(slf)
    }

    fn __bool__(&self) -> bool {
        true
    }

    fn __iter__(&self) -> BoxedResult<Py<PyAny>> {
        Err(PyTypeError::new_err("iteration is only supported for tables").into())
    }

    fn __repr__(slf: &Bound<'_, Self>) -> BoxedResult<String> {
        // A repr is for messages, so it works after the end, too, where another greenlet is in the middle of something, and where a fork
        // or the end of a thread has left the runtime locked for ever.
        if slf.get().runtime.get().lock(slf.py()).is_err() {
            return Ok("<Lua object of a runtime that cannot be used here>".to_owned());
        }
        operate(slf, Style::Plain, |_, reference| {
            match describe(reference) {
                Err(Error::Closed) => Ok("<Lua object of a closed runtime>".to_owned()),
                description => description,
            }
        })
    }

    fn __str__(slf: &Bound<'_, Self>) -> BoxedResult<String> {
        operate(slf, Style::Plain, |cx, reference| {
            let has_tostring = reference.with(|slot| slot.has_metafield("__tostring"))?;
            if !has_tostring {
                return describe(reference);
            }
            let text = reference.to_string_with(RunningLua(cx.py), |bytes| {
                let codec = cx.settings.encoding.as_ref();
                let codec = codec.unwrap_or(&cx.settings.source_encoding);
                let text = codec.decode(cx, bytes);
                let text = text.and_then(|text| Ok(text.extract()?));
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
    ) -> BoxedResult<Bound<'py, PyAny>> {
        slots::attribute(slf, name)
    }

    fn __getitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        slots::item(slf, key)
    }

    fn __eq__(slf: &Bound<'_, Self>, other: &Bound<'_, PyAny>) -> BoxedResult<Py<PyAny>> {
        let py = slf.py();
        let Ok(other) = other.cast::<LuaObject>() else {
            return Ok(py.NotImplemented());
        };
        let same = operate(slf, Style::Plain, |_, reference| {
            reference.same(&*other.get().reference()?)
        })?;
        Ok(same.into_pyobject(py)?.to_owned().into_any().unbind())
    }

    fn __hash__(slf: &Bound<'_, Self>) -> BoxedResult<usize> {
        // Addresses of Lua objects are multiples of 8 at least.
        operate(slf, Style::Plain, |_, reference| reference.address()).map(|a| a >> 3)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.runtime)
    }
}

/// The Lua type of a wrapped Lua object, as Lua's `type` names it; None for other objects.
#[pyfunction]
pub(crate) fn lua_type<'py>(
    obj: &Bound<'py, PyAny>,
) -> BoxedResult<Option<&'py Bound<'py, PyString>>> {
    let py = obj.py();
    let Ok(object) = obj.cast::<LuaObject>() else {
        return Ok(None);
    };
    // These are made for one kind only, which values keep. That the runtime is closed is for the operation to say.
    if !object.get().runtime.get().runtime.is_closed() {
        if object.is_exact_instance_of::<LuaTable>() {
            return Ok(Some(interned!(py, "table")));
        }
        if object.is_exact_instance_of::<LuaFunction>() {
            return Ok(Some(interned!(py, "function")));
        }
    }
    let kind = operate(object, Style::Plain, |_, reference| reference.kind())?;
    Ok(Some(match kind {
        Kind::Table => interned!(py, "table"),
        Kind::Function => interned!(py, "function"),
        Kind::Thread => interned!(py, "thread"),
        Kind::CData => interned!(py, "cdata"),
        _ => interned!(py, "userdata"),
    }))
}

/// Name of the source encoding of the runtime of a wrapped Lua object.
#[pyfunction]
pub(crate) fn _source_encoding(obj: &Bound<'_, LuaObject>) -> String {
    let owner = obj.get().runtime.bind(obj.py());
    owner.get().settings.source_encoding.name().to_owned()
}
