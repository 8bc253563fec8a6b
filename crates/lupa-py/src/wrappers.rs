//! Lua values in Python.

use crate::convert::{PyArg, to_python};
use crate::errors::{Style, external, lua_error, to_exception};
use crate::gil::WithoutGil;
use crate::object::push_object;
use crate::runtime::LuaRuntime;
use crate::settings::Context;
use lupa_core::{CoroutineStatus, Cursor, Error, Kind, Pusher, Reference, Results, Slot};
use pyo3::exceptions::{PyAttributeError, PyStopIteration, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Mutex, PoisonError};

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
    runtime: Py<LuaRuntime>,
}

/// A Lua table, seen as a mapping.
#[pyclass(name = "_LuaTable", module = "lupa.luajit21", extends = LuaObject, frozen)]
pub(crate) struct LuaTable;

/// A Lua function.
#[pyclass(name = "_LuaFunction", module = "lupa.luajit21", extends = LuaObject, subclass, frozen)]
pub(crate) struct LuaFunction;

/// A Lua function that makes a coroutine when it is called.
#[pyclass(name = "_LuaCoroutineFunction", module = "lupa.luajit21", extends = LuaFunction, frozen)]
pub(crate) struct LuaCoroutineFunction;

/// A Lua coroutine, seen as a generator.
#[pyclass(name = "_LuaThread", module = "lupa.luajit21", extends = LuaObject, frozen)]
pub(crate) struct LuaThread {
    /// What the coroutine is started with.
    arguments: Mutex<Option<Py<PyTuple>>>,
}

/// An iterator over a Lua table.
#[pyclass(name = "_LuaIter", module = "lupa.luajit21", frozen, weakref)]
pub(crate) struct LuaIter {
    state: Mutex<IterState>,
    what: What,
}

struct IterState {
    cursor: Cursor,
    /// `None` once the iteration has ended.
    object: Option<Py<LuaObject>>,
}

/// What an iterator gives.
#[derive(Debug, Clone, Copy)]
enum What {
    Keys,
    Values,
    Items,
}

/// A Python object that Lua is to index by one protocol.
#[pyclass(name = "_PyProtocolWrapper", module = "lupa.luajit21", frozen)]
pub(crate) struct ProtocolWrapper {
    pub(crate) object: Py<PyAny>,
    pub(crate) flags: u8,
}

// -- Making wrappers ----------------------------------------------------------

fn base(cx: &Context<'_, '_>, slot: Slot<'_>) -> PyResult<PyClassInitializer<LuaObject>> {
    let reference = slot
        .to_reference()
        .map_err(|error| to_exception(cx, error, Style::Plain))?;
    initializer(cx, reference)
}

fn initializer(
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

pub(crate) fn new_table<'py>(cx: &Context<'_, 'py>, slot: Slot<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(cx.py, base(cx, slot)?.add_subclass(LuaTable))?.into_any())
}

pub(crate) fn new_function<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(cx.py, base(cx, slot)?.add_subclass(LuaFunction))?.into_any())
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

fn new_thread<'py>(
    cx: &Context<'_, 'py>,
    slot: Slot<'_>,
    arguments: Option<Bound<'py, PyTuple>>,
) -> PyResult<Bound<'py, PyAny>> {
    let thread = LuaThread {
        arguments: Mutex::new(arguments.map(Bound::unbind)),
    };
    Ok(Bound::new(cx.py, base(cx, slot)?.add_subclass(thread))?.into_any())
}

// -- Operations on all wrappers -------------------------------------------------

/// Runs an operation on a wrapper with the runtime locked; errors become exceptions.
#[inline]
fn operate<'py, R>(
    slf: &Bound<'py, LuaObject>,
    style: Style,
    f: impl FnOnce(&Context<'_, 'py>, &Reference) -> lupa_core::Result<R>,
) -> PyResult<R> {
    let inner = slf.get();
    let owner = inner.runtime.bind(slf.py());
    let cx = Context::of(owner);
    let result = {
        let _guard = owner.get().lock(slf.py())?;
        f(&cx, &inner.reference).map_err(|error| to_exception(&cx, error, style))
    };
    cx.settings.held.drop_parked(slf.py());
    result
}

/// A call's results: None, one value, or a tuple.
pub(crate) fn collect<'py>(
    cx: &Context<'_, 'py>,
    results: Results<'_>,
) -> lupa_core::Result<Bound<'py, PyAny>> {
    match results.len() {
        0 => Ok(cx.py.None().into_bound(cx.py)),
        1 => to_python(cx, results.get(0)).map_err(external),
        count => {
            let mut items = Vec::with_capacity(count);
            for index in 0..count {
                items.push(to_python(cx, results.get(index)).map_err(external)?);
            }
            Ok(PyTuple::new(cx.py, items).map_err(external)?.into_any())
        }
    }
}

/// Pushes a tuple's items as arguments.
pub(crate) fn push_arguments(
    cx: &Context<'_, '_>,
    to: &mut lupa_core::Arguments<'_>,
    arguments: &Bound<'_, PyTuple>,
) -> lupa_core::Result<()> {
    to.reserve(arguments.len())?;
    arguments
        .iter_borrowed()
        .try_for_each(|item| to.push_reserved(PyArg::new(cx, &item)))
}

/// Calls a Lua function with one Python object that is wrapped, not converted.
pub(crate) fn call_wrapped<'py>(
    cx: &Context<'_, 'py>,
    function: &LuaObject,
    object: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    function
        .reference
        .call_with(
            |to| to.push(Wrapped(cx, object)),
            WithoutGil(cx.py),
            |results| collect(cx, results),
        )
        .map_err(|error| to_exception(cx, error, Style::Traceback))
}

struct Wrapped<'a, 'b, 'py>(&'a Context<'b, 'py>, &'a Bound<'py, PyAny>);

impl lupa_core::IntoLua for Wrapped<'_, '_, '_> {
    fn into_lua(self, to: Pusher<'_>) -> lupa_core::Result<()> {
        push_object(self.0, self.1, 0, to)
    }
}

/// `<Lua table at 0x…>`
fn describe(reference: &Reference) -> lupa_core::Result<String> {
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
fn is_special(name: &Bound<'_, PyAny>) -> bool {
    if let Ok(text) = name.cast::<PyString>() {
        return text
            .to_str()
            .is_ok_and(|t| t.starts_with("__") && t.ends_with("__"));
    }
    name.cast::<PyBytes>()
        .is_ok_and(|b| b.as_bytes().starts_with(b"__") && b.as_bytes().ends_with(b"__"))
}

/// Pushes an attribute's name, which is text in the source encoding.
fn push_name(
    cx: &Context<'_, '_>,
    name: &Bound<'_, PyAny>,
    to: Pusher<'_>,
) -> lupa_core::Result<()> {
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
fn push_key(cx: &Context<'_, '_>, key: &Bound<'_, PyAny>, to: Pusher<'_>) -> lupa_core::Result<()> {
    lupa_core::IntoLua::into_lua(PyArg::not_nil(cx, key), to)
}

fn get<'py>(
    slf: &Bound<'py, LuaObject>,
    push: impl FnOnce(&Context<'_, 'py>, Pusher<'_>) -> lupa_core::Result<()>,
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

fn set<'py>(
    slf: &Bound<'py, LuaTable>,
    push: impl FnOnce(&Context<'_, 'py>, Pusher<'_>) -> lupa_core::Result<()>,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<()> {
    operate(slf.as_super(), Style::Plain, |cx, reference| {
        reference.set_with(
            |to| push(cx, to),
            |to| match value {
                Some(value) => lupa_core::IntoLua::into_lua(PyArg::new(cx, value), to),
                None => to.nil(),
            },
            WithoutGil(cx.py),
        )
    })
}

#[pymethods]
impl LuaObject {
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
        operate(slf, Style::Plain, |_, reference| describe(reference))
    }

    fn __str__(slf: &Bound<'_, Self>) -> PyResult<String> {
        operate(slf, Style::Plain, |cx, reference| {
            let has_tostring = reference.with(|slot| slot.has_metafield("__tostring"))?;
            if !has_tostring {
                return describe(reference);
            }
            reference.to_string_with(WithoutGil(cx.py), |bytes| {
                let codec = cx.settings.encoding.as_ref();
                let codec = codec.unwrap_or(&cx.settings.source_encoding);
                let text = codec.decode(cx.py, bytes).and_then(|text| text.extract());
                Ok(text.unwrap_or_else(|_| crate::codec::latin1(bytes)))
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
        get(
            slf,
            |cx, to| push_key(cx, key, to),
            PyTypeError::new_err,
        )
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

#[pymethods]
impl LuaTable {
    fn __iter__(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::new(slf, What::Keys)
    }

    /// An iterator over the keys.
    fn keys(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::new(slf, What::Keys)
    }

    /// An iterator over the values.
    fn values(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::new(slf, What::Values)
    }

    /// An iterator over pairs of key and value.
    fn items(slf: &Bound<'_, Self>) -> LuaIter {
        LuaIter::new(slf, What::Items)
    }

    fn __setattr__<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        if is_special(name) {
            return Err(no_attribute(slf, name));
        }
        set(slf, |cx, to| push_name(cx, name, to), Some(value))
    }

    fn __delattr__<'py>(slf: &Bound<'py, Self>, name: &Bound<'py, PyAny>) -> PyResult<()> {
        if is_special(name) {
            return Err(no_attribute(slf, name));
        }
        set(slf, |cx, to| push_name(cx, name, to), None)
    }

    fn __setitem__<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        set(slf, |cx, to| push_key(cx, key, to), Some(value))
    }

    fn __delitem__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<()> {
        set(slf, |cx, to| push_key(cx, key, to), None)
    }

    fn __contains__<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>) -> PyResult<bool> {
        // As a scan over the keys with Python's equality, which is what `in` means for an object
        // that can be iterated over.
        for known in LuaIter::new(slf, What::Keys)
            .into_pyobject(slf.py())?
            .try_iter()?
        {
            if known?.eq(key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn no_attribute(slf: &Bound<'_, LuaTable>, name: &Bound<'_, PyAny>) -> PyErr {
    let class = slf
        .get_type()
        .fully_qualified_name()
        .map(|n| n.to_string())
        .unwrap_or_default();
    PyAttributeError::new_err(format!("'{class}' object has no attribute '{name}'"))
}

#[pymethods]
impl LuaFunction {
    /// Makes a coroutine that will run the function with these arguments.
    #[pyo3(signature = (*args))]
    fn coroutine<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        start_coroutine(slf.as_super(), args)
    }
}

fn start_coroutine<'py>(
    function: &Bound<'py, LuaObject>,
    args: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
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
    #[pyo3(signature = (*args))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        start_coroutine(slf.as_super().as_super(), args)
    }
}

#[pymethods]
impl LuaThread {
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

impl LuaIter {
    fn new(table: &Bound<'_, LuaTable>, what: What) -> Self {
        let object = Some(table.as_super().clone().unbind());
        LuaIter {
            state: Mutex::new(IterState {
                cursor: Cursor::start(),
                object,
            }),
            what,
        }
    }
}

#[pymethods]
impl LuaIter {
    fn __iter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let object = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.object.as_ref().map(|object| object.clone_ref(py))
        };
        match object {
            Some(object) => Ok(format!("LuaIter({})", object.bind(py).repr()?)),
            None => Ok("LuaIter(None)".to_owned()),
        }
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        // Another thread may be in the middle of a step with the GIL released: it has the
        // runtime's lock then, which is taken before this one.
        let object = {
            let Ok(state) = self.state.try_lock() else {
                return Err(lua_error(py, "the iterator is in use"));
            };
            match &state.object {
                Some(object) => object.clone_ref(py),
                None => return Ok(None),
            }
        };
        let step = operate(object.bind(py), Style::Plain, |cx, reference| {
            let mut state = self.state.try_lock().map_err(|_| Error::Busy)?;
            state.cursor.advance(reference, |key, value| {
                let item = match self.what {
                    What::Keys => to_python(cx, key),
                    What::Values => to_python(cx, value),
                    What::Items => to_python(cx, key).and_then(|key| {
                        Ok(PyTuple::new(py, [key, to_python(cx, value)?])?.into_any())
                    }),
                };
                item.map_err(external)
            })
        })?;
        if step.is_none() {
            self.state
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .object = None;
        }
        Ok(step)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.state.try_lock() {
            Ok(state) => visit.call(&state.object),
            Err(_) => Ok(()),
        }
    }
}

#[pymethods]
impl ProtocolWrapper {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
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
