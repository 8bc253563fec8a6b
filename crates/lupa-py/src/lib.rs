//! The Python package `lupa`, a thin binding over `lupa-core`.
//!
//! * `gil`: releasing and taking the GIL around Lua code, Python references that Lua owns, values made once;
//!   `capi`: calls and look-ups by CPython's own fast ways.
//! * `settings`, `convert`, `codec`, `errors`: options, conversions, text, exceptions.
//! * `options`: arguments, checked; `interruption`: time limits and Ctrl-C.
//! * `runtime`, `wrappers`, `table_from`, `from_table`: what Python sees of Lua.
//! * `object`, `pylib`: what Lua sees of Python; `sandbox`: what it does not see in a sandbox.

mod capi;
mod codec;
mod convert;
mod errors;
mod from_table;
mod gil;
mod greenlets;
mod interruption;
mod lookup;
mod names;
mod object;
mod options;
mod pylib;
mod runtime;
mod sandbox;
mod settings;
mod table_from;
mod wrappers;

use pyo3::prelude::*;

/// The version of the Lua language that LuaJIT speaks.
const LUA_VERSION: (u32, u32) = (5, 1);

/// A view of an object that Lua indexes by attribute access.
#[pyfunction]
fn as_attrgetter(obj: Py<PyAny>) -> wrappers::ProtocolWrapper {
    wrappers::ProtocolWrapper {
        object: obj,
        flags: 0,
    }
}

/// A view of an object that Lua indexes by item access.
#[pyfunction]
fn as_itemgetter(obj: Py<PyAny>) -> wrappers::ProtocolWrapper {
    wrappers::ProtocolWrapper {
        object: obj,
        flags: object::AS_INDEX,
    }
}

// The GIL is used until the locks have been proven without one.
#[pymodule(gil_used = true)]
fn _lupa(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    capi::check_integers(py)?;
    let classes = errors::classes(py)?;
    for class in [
        &classes.error,
        &classes.syntax,
        &classes.memory,
        &classes.timeout,
        &classes.interrupted,
    ] {
        module.add(class.bind(py).name()?, class)?;
    }
    module.add("LUA_VERSION", LUA_VERSION)?;
    module.add("LUA_MAXINTEGER", convert::MAX_INTEGER)?;
    module.add("LUA_MININTEGER", -convert::MAX_INTEGER)?;
    module.add_class::<runtime::LuaRuntime>()?;
    module.add_class::<wrappers::LuaObject>()?;
    module.add_class::<wrappers::LuaTable>()?;
    module.add_class::<wrappers::LuaFunction>()?;
    module.add_class::<wrappers::LuaCoroutineFunction>()?;
    module.add_class::<wrappers::LuaThread>()?;
    module.add_class::<wrappers::LuaIter>()?;
    module.add_function(wrap_pyfunction!(as_attrgetter, module)?)?;
    module.add_function(wrap_pyfunction!(as_itemgetter, module)?)?;
    module.add_function(wrap_pyfunction!(from_table::to_python, module)?)?;
    module.add_function(wrap_pyfunction!(wrappers::lua_type, module)?)?;
    module.add_function(wrap_pyfunction!(wrappers::_source_encoding, module)?)?;
    module.add_function(wrap_pyfunction!(runtime::_handles, module)?)?;
    let at_exit = wrap_pyfunction!(gil::at_exit, module)?;
    py.import("atexit")?.call_method1("register", (at_exit,))?;
    Ok(())
}
