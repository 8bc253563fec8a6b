//! The `python` module of Lua code.

use crate::capi;
use crate::convert::{PyArg, to_python};
use crate::errors::{BoxedResult, Style, external, to_exception};
use crate::gil::{GilOnce, interned};
use crate::object::{
    AS_INDEX, ENUMERATE, PyFunction, PyObjectRef, UNPACK, callback, decoded, push, push_object,
    python_object,
};
use crate::settings::{Context, Settings};
use lupa_core::{
    Call, Error, Function, HostObject, IntoLua, Kind, Operation, Pusher, Reference, Result,
    Runtime, Slot, Table,
};
use pyo3::exceptions::{PyIndexError, PySystemExit, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyIterator, PyModule, PyString, PyTuple};

/// What the module offers.
pub(crate) struct Options {
    pub(crate) register_eval: bool,
    pub(crate) register_builtins: bool,
}

/// Makes the module and the global of its name.
pub(crate) fn install(
    py: Python<'_>,
    runtime: &Runtime,
    settings: &Settings,
    options: &Options,
) -> BoxedResult<()> {
    let cx = Context::new(py, runtime, settings, None);
    static BUILTINS: GilOnce<Py<PyModule>> = GilOnce::new();
    let import = || py.import("builtins").map(Bound::unbind);
    let builtins = BUILTINS.get_or_try_init(py, import)?.bind(py);
    let eval = builtins.getattr(interned!(py, "eval"))?;
    let none = py.None().into_bound(py);
    fill(&cx, options, &none, &eval, builtins.as_any())
        .map_err(|error| to_exception(&cx, error, Style::Plain))
}

fn fill<'py>(
    cx: &Context<'_, 'py>,
    options: &Options,
    none: &Bound<'py, PyAny>,
    eval: &Bound<'py, PyAny>,
    builtins: &Bound<'py, PyAny>,
) -> Result<()> {
    let runtime = cx.runtime;
    let module = runtime.create_table_with(0, 12, |module| {
        module.set(
            "as_attrgetter",
            runtime.create_function(|call| with_protocol(call, "as_attrgetter", 0))?,
        )?;
        module.set(
            "as_itemgetter",
            runtime.create_function(|call| with_protocol(call, "as_itemgetter", AS_INDEX))?,
        )?;
        module.set("as_function", runtime.create_function(as_function)?)?;
        module.set(
            "iter",
            runtime.create_function(|call| iterate(call, "iter", 0))?,
        )?;
        module.set(
            "iterex",
            runtime.create_function(|call| iterate(call, "iterex", UNPACK))?,
        )?;
        module.set("enumerate", runtime.create_function(enumerate)?)?;
        module.set("args", runtime.create_function(args)?)?;
        if !cx.settings.sandbox {
            // It changes what becomes of the values that the host passes later.
            module.set(
                "set_overflow_handler",
                runtime.create_function(set_overflow_handler)?,
            )?;
        }
        module.set("none", Wrap(cx, none, 0))?;
        if options.register_eval {
            module.set("eval", Wrap(cx, eval, 0))?;
        }
        if options.register_builtins {
            module.set("builtins", Wrap(cx, builtins, 0))?;
        }
        Ok(())
    })?;
    let module = if cx.settings.sandbox {
        runtime.read_only(&module)?
    } else {
        module
    };
    runtime.globals()?.set("python", &module)?;
    let package: Option<Table> = runtime.globals()?.get("package")?;
    if let Some(package) = package {
        package.get::<Table>("loaded")?.set("python", &module)?;
    }
    let os: Option<Table> = runtime.globals()?.get("os")?;
    if let Some(os) = os {
        // In a sandbox it is a read-only view.
        let os = match os.metatable()? {
            Some(view) => view.raw_get("__index")?,
            None => os,
        };
        // Lua's own would end the process without Python's clean-up.
        if os.get::<Option<Reference>>("exit")?.is_some() {
            os.set("exit", runtime.create_function(exit)?)?;
        }
    }
    Ok(())
}

/// A Python object with a given protocol.
struct Wrap<'a, 'b, 'py>(&'a Context<'b, 'py>, &'a Bound<'py, PyAny>, u8);

impl IntoLua for Wrap<'_, '_, '_> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        push_object(self.0, self.1, self.2, to)
    }
}

/// The error that Lua's own functions give for a bad argument.
fn bad_argument(call: &mut Call<'_>, position: usize, function: &str, problem: &str) -> Error {
    let location = call.location();
    let text = format!("bad argument #{position} to '{function}' ({problem})");
    call.raise(lupa_core::Bytes(
        &[location.as_slice(), text.as_bytes()].concat(),
    ))
}

fn check_count(call: &mut Call<'_>, most: usize, function: &str) -> Result<()> {
    if call.len() > most {
        return Err(bad_argument(call, most + 1, function, "invalid arguments"));
    }
    Ok(())
}

/// The Python object that is argument 0, or the error for another value. Must be called
/// before anything else is pushed.
fn check_object(call: &mut Call<'_>, function: &str) -> Result<()> {
    let slot = call.arg(0);
    let is_object =
        slot.object::<PyObjectRef>().is_some() || slot.function_object::<PyFunction>().is_some();
    if is_object {
        Ok(())
    } else {
        Err(bad_argument(call, 1, function, "not a python object"))
    }
}

fn object_argument<'py>(py: Python<'py>, call: &Call<'_>) -> BoxedResult<Bound<'py, PyAny>> {
    python_object(py, call.arg(0)).ok_or_else(|| PyTypeError::new_err("not a python object").into())
}

/// Pushes by a closure; a core error becomes the exception for it.
fn push_with(
    cx: &Context<'_, '_>,
    call: &mut Call<'_>,
    f: impl FnOnce(Pusher<'_>) -> Result<()>,
) -> BoxedResult<()> {
    call.push_with(f)
        .map_err(|error| to_exception(cx, error, Style::Plain))
}

fn with_protocol(call: &mut Call<'_>, function: &str, flags: u8) -> Result<()> {
    check_count(call, 1, function)?;
    check_object(call, function)?;
    callback(call, |cx, call| {
        let object = object_argument(cx.py, call)?;
        push_with(cx, call, |to| push_object(cx, &object, flags, to))
    })
}

fn as_function(call: &mut Call<'_>) -> Result<()> {
    check_count(call, 1, "as_function")?;
    check_object(call, "as_function")?;
    callback(call, |cx, call| {
        let object = object_argument(cx.py, call)?;
        push_with(cx, call, |to| {
            to.function(PyFunction(PyObjectRef::new(cx, &object, 0)))
        })
    })
}

fn iterate(call: &mut Call<'_>, function: &str, flags: u8) -> Result<()> {
    check_count(call, 1, function)?;
    check_object(call, function)?;
    callback(call, |cx, call| push_iterator(cx, call, flags, None))
}

fn enumerate(call: &mut Call<'_>) -> Result<()> {
    check_count(call, 2, "enumerate")?;
    check_object(call, "enumerate")?;
    let start = match call.arg(1) {
        slot if slot.kind() == Kind::None => 0.0,
        slot => match slot.coerced_number() {
            Some(start) => start.trunc(),
            None => {
                let text = format!("Could not convert {} to string", slot.kind().name());
                return Err(call.raise(text));
            }
        },
    };
    callback(call, |cx, call| {
        push_iterator(cx, call, ENUMERATE, Some(start))
    })
}

/// Pushes what Lua's `for` wants: the function that gives the next values, the wrapped
/// iterator, and the control value, which counts when enumerating.
fn push_iterator(
    cx: &Context<'_, '_>,
    call: &mut Call<'_>,
    flags: u8,
    start: Option<f64>,
) -> BoxedResult<()> {
    let iterator = object_argument(cx.py, call)?.try_iter()?;
    let unpack = if cx.settings.unpack_returned_tuples {
        UNPACK
    } else {
        0
    };
    push_with(cx, call, |to| next_function(cx, to))?;
    push_with(cx, call, |to| {
        push_object(cx, iterator.as_any(), flags | unpack, to)
    })?;
    push_with(cx, call, |to| match start {
        Some(start) => to.number(start - 1.0),
        None => to.nil(),
    })
}

/// Pushes the one `NextItem` of a runtime: LuaJIT compiles a loop for the function that it calls, and anew for another one.
fn next_function(cx: &Context<'_, '_>, to: Pusher<'_>) -> Result<()> {
    const NAME: &str = "python iterator";
    let known: Option<Function> = cx.runtime.named(NAME)?;
    let function = match known {
        Some(function) => function,
        None => {
            cx.runtime.set_named(NAME, NextItem)?;
            cx.runtime.named(NAME)?
        }
    };
    to.lua_function(&function)
}

/// The function that Lua's `for` calls with a wrapped iterator and the control value.
struct NextItem;

impl IntoLua for NextItem {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.function(self)
    }
}

impl HostObject for NextItem {
    const NAME: &'static str = "python iterator";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        let slot = call.arg(0);
        let Some(iterator) = slot.object::<PyObjectRef>() else {
            return Err(bad_argument(call, 1, "?", "not a python object"));
        };
        callback(call, |cx, call| {
            next_item(cx, call, iterator.bind(cx.py), iterator.flags())
        })
    }
}

fn next_item(
    cx: &Context<'_, '_>,
    call: &mut Call<'_>,
    iterator: Bound<'_, PyAny>,
    flags: u8,
) -> BoxedResult<()> {
    let mut iterator = iterator.cast_into::<PyIterator>().map_err(|error| {
        let kind = error.into_inner().get_type();
        let kind = kind.name().map(|name| name.to_string()).unwrap_or_default();
        PyTypeError::new_err(format!("{kind} object is not an iterator"))
    })?;
    let Some(item) = iterator.next().transpose()? else {
        return push_with(cx, call, |to| to.nil());
    };
    // The first value must not be nil, which ends the loop: None becomes `python.none`.
    let counts = flags & ENUMERATE != 0;
    if counts {
        let index = call.arg(1).number().unwrap_or(-1.0) + 1.0;
        push_with(cx, call, |to| to.number(index))?;
    }
    match item.cast::<PyTuple>() {
        Ok(tuple) if flags & UNPACK != 0 => {
            for (position, value) in tuple.iter().enumerate() {
                push_item(cx, call, &value, counts || position > 0)?;
            }
            Ok(())
        }
        _ => push_item(cx, call, &item, counts),
    }
}

fn push_item(
    cx: &Context<'_, '_>,
    call: &mut Call<'_>,
    value: &Bound<'_, PyAny>,
    may_be_nil: bool,
) -> BoxedResult<()> {
    if may_be_nil {
        return push(cx, call, value);
    }
    push_with(cx, call, |to| PyArg::not_nil(cx, value).into_lua(to))
}

/// Positional and named arguments for a Python function, made by `python.args`.
#[pyclass(name = "_PyArguments", module = "lupa.luajit21", frozen)]
pub(crate) struct PyArguments {
    positional: Vec<Py<PyAny>>,
    named: Py<PyDict>,
}

impl PyArguments {
    /// Adds these arguments to those of a call.
    pub(crate) fn add_to<'py>(
        &self,
        py: Python<'py>,
        positional: &mut capi::Arguments<'py>,
        named: &mut Option<Bound<'py, PyDict>>,
    ) -> BoxedResult<()> {
        for value in &self.positional {
            positional.push(value.bind(py).clone());
        }
        let named = named.get_or_insert_with(|| PyDict::new(py));
        for (name, value) in self.named.bind(py) {
            if named.contains(&name)? {
                let message =
                    format!("function() got multiple values for keyword argument '{name}'");
                return Err(PyTypeError::new_err(message).into());
            }
            named.set_item(name, value)?;
        }
        Ok(())
    }
}

fn args(call: &mut Call<'_>) -> Result<()> {
    let table = call.arg(0);
    if table.kind() != Kind::Table {
        let problem = format!("table expected, got {}", table.kind().name());
        return Err(bad_argument(call, 1, "args", &problem));
    }
    callback(call, |cx, call| {
        let arguments = unpack_table(cx, call.arg(0))?;
        let object = Bound::new(cx.py, arguments)?.into_any();
        push_with(cx, call, |to| push_object(cx, &object, 0, to))
    })
}

/// The most nil values between a table's positional arguments.
const MOST_HOLES: usize = 1 << 16;

/// The arguments in a table: integer keys are positions, string keys names.
fn unpack_table(cx: &Context<'_, '_>, table: Slot<'_>) -> BoxedResult<PyArguments> {
    let py = cx.py;
    let length = table.raw_len();
    let mut indexed: Vec<(usize, Py<PyAny>)> = Vec::new();
    let named = PyDict::new(py);
    let collected = table.entries(|key, value| {
        let key = to_python(cx, key).map_err(external)?;
        let value = to_python(cx, value).map_err(external)?;
        if let Ok(index) = key.cast_exact::<PyInt>() {
            let index = index
                .extract::<usize>()
                .ok()
                .filter(|i| (1..=length).contains(i));
            let out_of_range = || external(PyIndexError::new_err("table index out of range"));
            indexed.push((index.ok_or_else(out_of_range)? - 1, value.unbind()));
            return Ok(());
        }
        let name = decoded(cx, key).map_err(external)?;
        if !name.is_instance_of::<PyString>() {
            let message = "table key is neither an integer nor a string";
            return Err(external(PyTypeError::new_err(message)));
        }
        named.set_item(name, value).map_err(external)
    });
    collected.map_err(|error| to_exception(cx, error, Style::Plain))?;
    // A few entries can make a table look long, far beyond what memory could hold.
    if length.saturating_sub(indexed.len()) > MOST_HOLES {
        return Err(PyIndexError::new_err("too many nil values in the table").into());
    }
    let mut positional: Vec<Py<PyAny>> = (0..length).map(|_| py.None()).collect();
    for (index, value) in indexed {
        positional[index] = value;
    }
    Ok(PyArguments {
        positional,
        named: named.unbind(),
    })
}

fn set_overflow_handler(call: &mut Call<'_>) -> Result<()> {
    let slot = call.arg(0);
    let acceptable = slot.kind() == Kind::Nil
        || slot.kind() == Kind::Function
        || slot.object::<PyObjectRef>().is_some();
    if !acceptable {
        return Err(bad_argument(
            call,
            1,
            "set_overflow_handler",
            "not a python object",
        ));
    }
    callback(call, |cx, call| {
        let handler = to_python(cx, call.arg(0))?;
        cx.settings
            .set_overflow_handler((!handler.is_none()).then(|| handler.unbind()));
        Ok(())
    })
}

/// `os.exit`: ends the program by `SystemExit`, so that Python cleans up.
fn exit(call: &mut Call<'_>) -> Result<()> {
    let code = match call.arg(0) {
        slot if slot.is_nil() => 0,
        slot => match slot.boolean() {
            Some(success) => i64::from(!success),
            None => match slot.number() {
                Some(code) => code as i64,
                None => {
                    let problem = format!("number expected, got {}", slot.kind().name());
                    return Err(bad_argument(call, 1, "exit", &problem));
                }
            },
        },
    };
    callback(call, |_, _| Err(PySystemExit::new_err(code).into()))
}
