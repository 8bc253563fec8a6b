//! Python objects in Lua.

use crate::capi::{self, compares_by_identity, is_builtin_buffer};
use crate::convert::{PyArg, to_python};
use crate::errors::{BoxedResult, Style, external, raise_in_lua, to_exception};
use crate::gil::{Owned, Traits, interned, with_gil};
use crate::greenlets;
use crate::lookup::has_attribute;
use crate::names;
use crate::pylib::PyArguments;
use crate::runtime::LuaRuntime;
use crate::sandbox;
use crate::settings::{Context, Settings};
use crate::wrappers::LuaObject;
use lupa_core::{
    Access, AttributeFilter, Call, Error, HostObject, IntoLua, Operation, Pusher, Result, Slot,
    Value,
};
use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyCFunction, PyDict, PyList, PyString, PyTuple};

/// Indexing is item access, not attribute access.
pub(crate) const AS_INDEX: u8 = 1;
/// An iterator's tuples become several values.
pub(crate) const UNPACK: u8 = 2;
/// An iterator's values are counted.
pub(crate) const ENUMERATE: u8 = 4;

/// A Python object that Lua holds, with the protocol by which Lua indexes it.
pub(crate) struct PyObjectRef {
    object: Owned,
    flags: u8,
}

impl PyObjectRef {
    pub(crate) fn new(cx: &Context<'_, '_>, object: &Bound<'_, PyAny>, flags: u8) -> Self {
        PyObjectRef {
            object: Owned::new(&cx.settings.held, object, traits(object)),
            flags,
        }
    }

    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.object.bind(py)
    }

    pub(crate) fn flags(&self) -> u8 {
        self.flags
    }
}

/// Has Lua's collector do so much as if Lua had allocated the object that it is about to get.
#[cold]
fn collect_some(cx: &Context<'_, '_>, object: &Bound<'_, PyAny>) -> Result<()> {
    let runtime = cx.runtime;
    let kib = u16::try_from(weight(object) / 1024 + 1).unwrap_or(u16::MAX);
    if runtime.gc_is_running()? && runtime.gc_step(kib)? {
        cx.settings.held.collected(runtime.memory_used()? / 2);
    }
    Ok(())
}

fn traits(object: &Bound<'_, PyAny>) -> Traits {
    Traits {
        comparable: is_comparable(object),
        weight: weight(object),
    }
}

/// Memory, in bytes, that an object takes, by estimate: what it refers to is not counted.
fn weight(object: &Bound<'_, PyAny>) -> usize {
    // An object with a small dictionary.
    const ORDINARY: usize = 128;
    let more = if let Ok(list) = object.cast::<PyList>() {
        list.len() * 8
    } else if let Ok(dict) = object.cast::<PyDict>() {
        dict.len() * 64
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        tuple.len() * 8
    } else if let Ok(bytes) = object.cast::<PyByteArray>() {
        bytes.len()
    } else if is_builtin_buffer(object) {
        let size = object.call_method0(interned!(object.py(), "__sizeof__"));
        size.and_then(|size| size.extract()).unwrap_or(0)
    } else {
        0
    };
    ORDINARY + more
}

/// Whether an object may be equal to one of another type.
fn is_comparable(object: &Bound<'_, PyAny>) -> bool {
    // The types named here are equal to their like only, and they are what Lua gets most.
    !(compares_by_identity(object)
        || object.is_none()
        || capi::Method::new(object).is_some()
        || object.is_exact_instance_of::<PyCFunction>()
        || object.is_exact_instance_of::<PyList>()
        || object.is_exact_instance_of::<PyDict>()
        || object.is_exact_instance_of::<PyTuple>())
}

/// Pushes the userdata of a Python object; one object and protocol is one userdata.
pub(crate) fn push_object(
    cx: &Context<'_, '_>,
    object: &Bound<'_, PyAny>,
    flags: u8,
    to: Pusher<'_>,
) -> Result<()> {
    let address = object.as_ptr() as usize;
    if cx.settings.held.is_heavy() {
        collect_some(cx, object)?;
    }
    // Objects are aligned to at least 8 bytes, so the flags fit into the lowest bits.
    to.identified_object(
        address | usize::from(flags),
        |known: &PyObjectRef| known.object.address() == address && known.flags == flags,
        || PyObjectRef::new(cx, object, flags),
    )
}

/// The protocol that is used when none was asked for: items, if the object has them.
#[inline(never)]
pub(crate) fn default_flags(cx: &Context<'_, '_>, object: &Bound<'_, PyAny>) -> Result<u8> {
    let has_items = has_attribute(cx, object, interned!(cx.py, "__getitem__"))?;
    Ok(if has_items { AS_INDEX } else { 0 })
}

/// A Python object that is always wrapped, not converted.
pub(crate) struct PyValue<'a, 'b, 'py> {
    cx: &'a Context<'b, 'py>,
    object: &'a Bound<'py, PyAny>,
}

impl<'a, 'b, 'py> PyValue<'a, 'b, 'py> {
    pub(crate) fn wrapped(cx: &'a Context<'b, 'py>, object: &'a Bound<'py, PyAny>) -> Self {
        PyValue { cx, object }
    }
}

impl IntoLua for PyValue<'_, '_, '_> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        let flags = default_flags(self.cx, self.object)?;
        push_object(self.cx, self.object, flags, to)
    }
}

/// The Python object in a slot: a wrapped one, or one behind `python.as_function`.
pub(crate) fn python_object<'py>(py: Python<'py>, slot: Slot<'_>) -> Option<Bound<'py, PyAny>> {
    if let Some(object) = slot.object::<PyObjectRef>() {
        return Some(object.bind(py));
    }
    slot.function_object::<PyFunction>()
        .map(|function| function.0.bind(py))
}

/// The exception object, if an error value is one.
pub(crate) fn exception_in<'py>(py: Python<'py>, value: &Value) -> Option<Bound<'py, PyAny>> {
    let Value::UserData(userdata) = value else {
        return None;
    };
    let object = userdata
        .with_object::<PyObjectRef, _>(|object| object.bind(py))
        .ok()??;
    object.is_instance_of::<PyBaseException>().then_some(object)
}

impl HostObject for PyObjectRef {
    const NAME: &'static str = "python object";
    const OPERATIONS: &'static [Operation] = Operation::ALL;

    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        callback(call, |cx, call| match operation {
            Operation::Index => self.index(cx, call),
            Operation::NewIndex => self.new_index(cx, call),
            Operation::Call => call_python(cx, call, self.bind(cx.py)),
            Operation::ToString => tostring(cx, call, &self.bind(cx.py)),
            Operation::Len => {
                let length = self.bind(cx.py).len()?;
                push(cx, call, &length.into_pyobject(cx.py)?.into_any())
            }
            _ => operator(cx, call, operation),
        })
    }
}

/// Runs a callback with the GIL; a Python exception becomes the Lua error.
pub(crate) fn callback(
    call: &mut Call<'_>,
    f: impl FnOnce(&Context<'_, '_>, &mut Call<'_>) -> BoxedResult<()>,
) -> Result<()> {
    with_gil(|py| {
        let runtime = call.runtime_ref();
        let gone = || Error::message("the Lua runtime is gone");
        let settings = Settings::of(&runtime).ok_or_else(gone)?;
        let owner = settings.owner.get(py).ok_or_else(gone)?;
        let cx = Context::new(py, &runtime, settings, Some(&owner));
        let run = || {
            let result = f(&cx, call);
            // Runs destructors, which may switch as the rest may.
            cx.settings.held.drop_parked(py);
            result
        };
        let raised = greenlets::callback(py, run).err();
        match raised {
            None => Ok(()),
            Some(error) => {
                let raised = raise_in_lua(&cx, call, error);
                capi::drop_deferred();
                Err(raised)
            }
        }
    })
}

/// Pushes a Python object as a result.
pub(crate) fn push(
    cx: &Context<'_, '_>,
    call: &mut Call<'_>,
    object: &Bound<'_, PyAny>,
) -> BoxedResult<()> {
    call.push(PyArg::new(cx, object))
        .map_err(|error| to_exception(cx, error, Style::Plain))
}

impl PyObjectRef {
    fn by_item(&self, handler: Option<&Py<PyAny>>) -> bool {
        self.flags & AS_INDEX != 0 && handler.is_none()
    }

    fn index(&self, cx: &Context<'_, '_>, call: &mut Call<'_>) -> BoxedResult<()> {
        let object = self.bind(cx.py);
        let key = names::key(cx, call.arg(1))?;
        let getter = cx.settings.attribute_getter.as_ref();
        let value = if self.by_item(getter) {
            sandbox::check_item(cx, &key)?;
            object.get_item(key)?
        } else if let Some(getter) = getter {
            sandbox::check_attribute(cx, &object, &key, Access::Get)?;
            getter.bind(cx.py).call1((object, key))?
        } else {
            let name = attribute_name(cx, &object, key, Access::Get)?;
            let value = object.getattr(name)?;
            sandbox::check_value(cx, &object, &value)?;
            value
        };
        push(cx, call, &value)
    }

    fn new_index(&self, cx: &Context<'_, '_>, call: &mut Call<'_>) -> BoxedResult<()> {
        let object = self.bind(cx.py);
        let key = names::key(cx, call.arg(1))?;
        let value = to_python(cx, call.arg(2))?;
        let setter = cx.settings.attribute_setter.as_ref();
        if self.by_item(setter) {
            sandbox::check_item(cx, &key)?;
            Ok(object.set_item(key, value)?)
        } else if let Some(setter) = setter {
            sandbox::check_attribute(cx, &object, &key, Access::Set)?;
            setter.bind(cx.py).call1((object, key, value))?;
            Ok(())
        } else {
            let name = attribute_name(cx, &object, key, Access::Set)?;
            Ok(object.setattr(name, value)?)
        }
    }
}

/// The filter that asks a Python callable: it gets the object, the name, and whether the
/// attribute is being set, and gives the name to use.
pub(crate) struct PythonFilter(pub(crate) Py<PyAny>);

impl<'py> AttributeFilter<&Bound<'py, PyAny>, Bound<'py, PyAny>> for PythonFilter {
    fn filter(
        &self,
        object: &Bound<'py, PyAny>,
        name: Bound<'py, PyAny>,
        access: Access,
    ) -> Result<Bound<'py, PyAny>> {
        let callable = self.0.bind(object.py());
        callable
            .call1((object, name, access == Access::Set))
            .map_err(external)
    }
}

/// The name of an attribute, after the filter; without one, after the sandbox's rules.
fn attribute_name<'py>(
    cx: &Context<'_, 'py>,
    object: &Bound<'py, PyAny>,
    key: Bound<'py, PyAny>,
    access: Access,
) -> BoxedResult<Bound<'py, PyString>> {
    let name = match &cx.settings.attribute_filter {
        Some(filter) => filter
            .filter(object, key, access)
            .map_err(|error| to_exception(cx, error, Style::Plain))?,
        None => key,
    };
    let name = decoded(cx, name)?;
    sandbox::check_attribute(cx, object, &name, access)?;
    name.cast_into::<PyString>().map_err(|error| {
        let name = error.into_inner().get_type();
        let kind = name.name().map(|n| n.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("attribute name must be string, not '{kind}'")).into()
    })
}

/// A name as text, where Lua's strings are bytes in Python; other values as they are.
pub(crate) fn decoded<'py>(
    cx: &Context<'_, 'py>,
    name: Bound<'py, PyAny>,
) -> BoxedResult<Bound<'py, PyAny>> {
    match name.cast::<PyBytes>() {
        Ok(bytes) => cx.settings.source_encoding.decode(cx, bytes.as_bytes()),
        Err(_) => Ok(name),
    }
}

/// Calls a Python object with the arguments of a Lua call and pushes the result.
fn call_python(
    cx: &Context<'_, '_>,
    call: &mut Call<'_>,
    function: Bound<'_, PyAny>,
) -> BoxedResult<()> {
    let mut arguments = capi::Arguments::new();
    let mut named: Option<Bound<'_, PyDict>> = None;
    for index in 0..call.len() {
        let argument = to_python(cx, call.arg(index))?;
        match argument.cast::<PyArguments>() {
            Ok(extra) => extra.get().add_to(cx.py, &mut arguments, &mut named)?,
            Err(_) => arguments.push(argument),
        }
    }
    let skip = arguments
        .first()
        .is_some_and(|first| passes_self_twice(&function, first));
    let result = arguments.call(&function, usize::from(skip), named.as_ref())?;
    push_results(cx, call, &result)
}

/// `obj:method(x)` looks the method up, which binds it, and passes `obj` again as the first argument:
/// whether that is one too many. The methods of this package's own types are builtins, other builtins
/// are called as they are.
fn passes_self_twice(function: &Bound<'_, PyAny>, first: &Bound<'_, PyAny>) -> bool {
    if let Some(method) = capi::Method::new(function) {
        return method.is_bound_to(first);
    }
    let is_ours = || first.is_instance_of::<LuaRuntime>() || first.is_instance_of::<LuaObject>();
    let of_first = || {
        let bound_to = function.getattr(interned!(function.py(), "__self__"));
        bound_to.is_ok_and(|bound_to| bound_to.is(first))
    };
    function.is_exact_instance_of::<PyCFunction>() && is_ours() && of_first()
}

/// Pushes what a Python function returned: one value, or a tuple's items if so wanted.
pub(crate) fn push_results(
    cx: &Context<'_, '_>,
    call: &mut Call<'_>,
    result: &Bound<'_, PyAny>,
) -> BoxedResult<()> {
    if cx.settings.unpack_returned_tuples
        && let Ok(tuple) = result.cast::<PyTuple>()
    {
        return tuple.iter().try_for_each(|item| push(cx, call, &item));
    }
    push(cx, call, result)
}

fn tostring<'py>(
    cx: &Context<'_, 'py>,
    call: &mut Call<'_>,
    object: &Bound<'py, PyAny>,
) -> BoxedResult<()> {
    let text = object.str()?;
    let codec = cx
        .settings
        .encoding
        .as_ref()
        .unwrap_or(&cx.settings.source_encoding);
    codec.encode(cx, &text, |bytes| {
        call.push(lupa_core::Bytes(bytes))
            .map_err(|error| to_exception(cx, error, Style::Plain))
    })
}

/// Python's operator for Lua's.
fn operator(cx: &Context<'_, '_>, call: &mut Call<'_>, operation: Operation) -> BoxedResult<()> {
    let py = cx.py;
    let a = to_python(cx, call.arg(0))?;
    if operation == Operation::Neg {
        return push(cx, call, &a.neg()?);
    }
    let (left, right) = (call.arg(0), call.arg(1));
    let b = to_python(cx, right)?;
    let result = match operation {
        Operation::Eq => return push_truth(cx, call, a.eq(b)?),
        Operation::Lt => return push_truth(cx, call, a.lt(b)?),
        Operation::Le => return push_truth(cx, call, a.le(b)?),
        Operation::Add => a.add(b)?,
        Operation::Sub => a.sub(b)?,
        Operation::Mul => a.mul(b)?,
        Operation::Div => a.div(b)?,
        Operation::Mod => {
            sandbox::check_modulo(cx, &a)?;
            a.rem(b)?
        }
        Operation::Pow => a.pow(b, py.None())?,
        Operation::Concat if is_lua_text(left) || is_lua_text(right) => {
            // With a Lua string or number the result is text, as between two of those.
            a.str()?.add(b.str()?)?
        }
        Operation::Concat => py
            .import(interned!(py, "operator"))?
            .call_method1("concat", (a, b))?,
        other => {
            let name = other.metamethod();
            return Err(PyTypeError::new_err(format!("unsupported Lua operator {name}")).into());
        }
    };
    push(cx, call, &result)
}

fn is_lua_text(slot: Slot<'_>) -> bool {
    slot.bytes().is_some() || slot.number().is_some()
}

fn push_truth(cx: &Context<'_, '_>, call: &mut Call<'_>, truth: bool) -> BoxedResult<()> {
    push(cx, call, &truth.into_pyobject(cx.py)?.to_owned().into_any())
}

/// What `python.as_function` makes: a Lua function that calls a Python object.
pub(crate) struct PyFunction(pub(crate) PyObjectRef);

impl HostObject for PyFunction {
    const NAME: &'static str = "python function";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        callback(call, |cx, call| call_python(cx, call, self.0.bind(cx.py)))
    }
}
