//! `LuaRuntime`.

use crate::codec::{Codec, UTF8, ascii};
use crate::convert::{PyArg, text, to_python};
use crate::errors::{BoxedResult, Style, exception, external, lua_error, to_exception};
use crate::gil::{BackReference, GilOnce, Held, RunningLua, WithoutGil};
use crate::greenlets;
use crate::interruption;
use crate::object::PythonFilter;
use crate::options::{Code, EncodingArg, Truth, callable, handlers, libraries};
use crate::pylib;
use crate::settings::{Context, Settings};
use crate::table_from;
use crate::wrappers::{collect, push_tuple};
use lupa_core::{Around, Entered, Error, Guard, Libs, Reference, Runtime};
use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A Lua runtime.
#[pyclass(
    name = "LuaRuntime",
    module = "lupa.luajit21",
    subclass,
    frozen,
    weakref
)]
pub(crate) struct LuaRuntime {
    pub(crate) runtime: Runtime,
    pub(crate) settings: Arc<Settings>,
    /// Memory, in bytes, that the runtime itself took; none if it was made without `max_memory`.
    base_memory: Option<NonZeroUsize>,
}

impl LuaRuntime {
    /// Takes the runtime's lock; releases the GIL if that means waiting.
    pub(crate) fn lock(&self, py: Python<'_>) -> BoxedResult<Locked<'_>> {
        let entered = greenlets::enter(py, &self.runtime)?;
        let guard = match self.runtime.try_lock() {
            Some(guard) => guard,
            None => WithoutGil(py)
                .around(|| self.runtime.lock())
                .map_err(|error| lua_error(py, &error.to_string()))?,
        };
        Ok(Locked {
            _entered: entered,
            _guard: guard,
        })
    }
}

/// A runtime locked for an operation.
pub(crate) struct Locked<'a> {
    /// Ends first: with the lock held.
    _entered: Option<Entered>,
    _guard: Guard<'a>,
}

impl Drop for LuaRuntime {
    fn drop(&mut self) {
        self.settings.owner.clear();
        Python::attach(|py| self.close_unasked(py));
    }
}

/// Runs an operation with the runtime locked; errors become exceptions.
fn operate<'py, R>(
    slf: &Bound<'py, LuaRuntime>,
    style: Style,
    f: impl FnOnce(&Context<'_, 'py>) -> lupa_core::Result<R>,
) -> BoxedResult<R> {
    let cx = Context::of(slf);
    let result = {
        let _guard = slf.get().lock(slf.py())?;
        f(&cx).map_err(|error| to_exception(&cx, error, style))
    };
    cx.settings.held.drop_parked(slf.py());
    result
}

fn run<'py>(
    slf: &Bound<'py, LuaRuntime>,
    code: &Code<'_>,
    expression: bool,
    args: &Bound<'py, PyTuple>,
    limit: Option<Duration>,
) -> BoxedResult<Bound<'py, PyAny>> {
    operate(slf, Style::Chunk, |cx| {
        let chunk = code.chunk(cx.runtime);
        let chunk = if expression {
            chunk.expression()
        } else {
            chunk
        };
        let call = || {
            chunk.call_with(
                |to| push_tuple(cx, to, args),
                RunningLua(cx.py),
                |results| collect(cx, results),
            )
        };
        match limit {
            None => call(),
            Some(limit) => cx.runtime.with_time_limit(limit, call)?,
        }
    })
}

#[pymethods]
impl LuaRuntime {
    #[new]
    #[pyo3(signature = (
        encoding = EncodingArg::Default, source_encoding = None, attribute_filter = None,
        attribute_handlers = None, register_eval = None, unpack_returned_tuples = Truth(false),
        register_builtins = None, overflow_handler = None, max_memory = None,
        string_hash_seed = None, *, libs = None, timeout = None, encoding_errors = "strict",
        sandbox = Truth(false),
    ), text_signature = "(encoding='UTF-8', source_encoding=None, attribute_filter=None, \
        attribute_handlers=None, register_eval=True, unpack_returned_tuples=False, \
        register_builtins=True, overflow_handler=None, max_memory=None, string_hash_seed=None, \
        *, libs=None, timeout=None, encoding_errors='strict', sandbox=False)")]
    #[expect(clippy::too_many_arguments, reason = "the signature is lupa's")]
    fn new(
        py: Python<'_>,
        encoding: EncodingArg<'_>,
        source_encoding: Option<&Bound<'_, PyAny>>,
        attribute_filter: Option<Bound<'_, PyAny>>,
        attribute_handlers: Option<&Bound<'_, PyAny>>,
        register_eval: Option<Truth>,
        unpack_returned_tuples: Truth,
        register_builtins: Option<Truth>,
        overflow_handler: Option<Bound<'_, PyAny>>,
        max_memory: Option<i64>,
        string_hash_seed: Option<u32>,
        libs: Option<&Bound<'_, PyAny>>,
        timeout: Option<&Bound<'_, PyAny>>,
        encoding_errors: &str,
        sandbox: Truth,
    ) -> BoxedResult<Self> {
        let encoding = encoding.name()?;
        let source_name = ascii(source_encoding)?.filter(|name| !name.is_empty());
        let source_name = source_name
            .or_else(|| encoding.clone())
            .unwrap_or(UTF8.to_owned());
        let attribute_filter = callable(attribute_filter, "attribute_filter")?.map(PythonFilter);
        let (attribute_getter, attribute_setter) = handlers(attribute_handlers)?;
        if attribute_filter.is_some() && (attribute_getter.is_some() || attribute_setter.is_some())
        {
            let message = "attribute_filter and attribute_handlers are mutually exclusive";
            return Err(PyValueError::new_err(message).into());
        }
        let overflow_handler = callable(overflow_handler, "overflow_handler")?;
        let libs = libraries(libs)?;
        let limit = interruption::time_limit(timeout)?;
        let sandbox = sandbox.0;

        let failed = |error: Error| lua_error(py, &error.to_string());
        // With the names of the `python` module there are more than fit into the table that LuaJIT begins with.
        let mut builder = Runtime::builder().sandbox(sandbox).string_capacity(300);
        if let Some(libs) = libs {
            builder = builder.libs(libs);
        }
        let runtime = builder.build().map_err(failed)?;
        let settings = Arc::new(Settings {
            encoding: encoding.map(|name| Codec::new(py, name, encoding_errors)),
            source_encoding: Codec::strict(py, source_name),
            sandbox,
            attribute_filter,
            attribute_getter,
            attribute_setter,
            unpack_returned_tuples: unpack_returned_tuples.0,
            overflow_handler: Mutex::new(overflow_handler),
            held: Held::new(),
            owner: BackReference::new(),
        });
        if runtime.set_extension(Arc::clone(&settings)).is_err() {
            return Err(lua_error(py, "the runtime is in use already").into());
        }
        let options = pylib::Options {
            register_eval: register_eval.map_or(!sandbox, |truth| truth.0),
            register_builtins: register_builtins.map_or(!sandbox, |truth| truth.0),
        };
        pylib::install(py, &runtime, &settings, &options)?;
        let own = runtime.memory_used().map_err(failed)?;
        let can_be_limited = max_memory.is_some() || string_hash_seed.is_some();
        // Like 0, a negative number is no limit.
        let max_memory = max_memory.and_then(|bytes| usize::try_from(bytes).ok());
        if let Some(bytes) = max_memory.filter(|bytes| *bytes > 0) {
            runtime
                .set_memory_limit(Some(own.saturating_add(bytes)))
                .map_err(failed)?;
        }
        interruption::prepare(py, &runtime, limit)?;
        Ok(LuaRuntime {
            runtime,
            settings,
            base_memory: NonZeroUsize::new(own).filter(|_| can_be_limited),
        })
    }

    /// The version of the Lua language, (5, 1).
    #[getter]
    fn lua_version(&self) -> (u32, u32) {
        crate::LUA_VERSION
    }

    /// The name and version of the implementation, such as `LuaJIT 2.1.1700000000`. As Lua's texts are, it
    /// is bytes in a runtime without encoding.
    #[getter]
    fn lua_implementation<'py>(slf: &Bound<'py, Self>) -> BoxedResult<Bound<'py, PyAny>> {
        let py = slf.py();
        static VERSION: GilOnce<String> = GilOnce::new();
        // Asked of a runtime of its own: code in this one may have changed its globals.
        let version = || -> lupa_core::Result<String> {
            let runtime = Runtime::builder().libs(Libs::JIT).build()?;
            runtime.load("return jit.version").eval()
        };
        let version = VERSION
            .get_or_try_init(py, version)
            .map_err(|error| lua_error(py, &error.to_string()))?;
        text(&Context::of(slf), version.as_bytes())
    }

    /// Evaluates a Lua expression and returns its value, or a tuple of several.
    ///
    /// `args` are there as `...`. `name` is shown in messages. `mode` is `t` for source text only,
    /// `b` for bytecode only, `bt` for both. After `timeout` seconds the code ends with a
    /// LuaTimeoutError.
    #[pyo3(signature = (lua_code, *args, name = None, mode = None, timeout = None))]
    fn eval<'py>(
        slf: &Bound<'py, Self>,
        lua_code: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        name: Option<&Bound<'py, PyAny>>,
        mode: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let code = Code::new(&slf.get().settings, lua_code, name, mode)?;
        let limit = interruption::time_limit(timeout)?;
        run(slf, &code, true, args, limit)
    }

    /// Runs a Lua program and returns what it returns. The parameters are those of `eval`.
    #[pyo3(signature = (lua_code, *args, name = None, mode = None, timeout = None))]
    fn execute<'py>(
        slf: &Bound<'py, Self>,
        lua_code: &Bound<'py, PyAny>,
        args: &Bound<'py, PyTuple>,
        name: Option<&Bound<'py, PyAny>>,
        mode: Option<&Bound<'py, PyAny>>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let code = Code::new(&slf.get().settings, lua_code, name, mode)?;
        let limit = interruption::time_limit(timeout)?;
        run(slf, &code, false, args, limit)
    }

    /// Compiles a Lua program into a function.
    #[pyo3(signature = (lua_code, name = None, mode = None))]
    fn compile<'py>(
        slf: &Bound<'py, Self>,
        lua_code: &Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
        mode: Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let code = Code::new(&slf.get().settings, lua_code, name, mode)?;
        operate(slf, Style::Plain, |cx| {
            code.chunk(cx.runtime)
                .into_function_with(|slot| to_python(cx, slot).map_err(external))
        })
    }

    /// Loads a Lua module by Lua's `require`.
    fn require<'py>(
        slf: &Bound<'py, Self>,
        modulename: &Bound<'py, PyAny>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        if !modulename.is_instance_of::<PyString>() && !modulename.is_instance_of::<PyBytes>() {
            return Err(PyTypeError::new_err("modulename must be a string").into());
        }
        operate(slf, Style::Traceback, |cx| {
            let require: Option<Reference> = cx.runtime.globals()?.get("require")?;
            let Some(require) = require else {
                return Err(external(lua_error(cx.py, "require is not defined")));
            };
            require.call_with(
                |to| to.push(PyArg::new(cx, modulename)),
                RunningLua(cx.py),
                |results| collect(cx, results),
            )
        })
    }

    /// The table of Lua's globals.
    fn globals<'py>(slf: &Bound<'py, Self>) -> BoxedResult<Bound<'py, PyAny>> {
        operate(slf, Style::Plain, |cx| {
            let globals = cx.runtime.globals()?;
            cx.runtime
                .convert(globals, |slot| to_python(cx, slot).map_err(external))
        })
    }

    /// Makes a Lua table: positional arguments are its sequence, named ones its fields.
    #[pyo3(signature = (*items, **kwargs))]
    fn table<'py>(
        slf: &Bound<'py, Self>,
        items: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let mut sources = vec![items.clone().into_any()];
        sources.extend(kwargs.map(|kwargs| kwargs.clone().into_any()));
        operate(slf, Style::Plain, |cx| {
            table_from::build(cx, &sources, Vec::new(), false)
        })
    }

    /// Makes a Lua table of mappings, whose items it gets, and of iterables, whose items
    /// are appended. With `recursive`, mappings and sequences inside become tables, too.
    #[pyo3(signature = (*args, recursive = false))]
    fn table_from<'py>(
        slf: &Bound<'py, Self>,
        args: &Bound<'py, PyTuple>,
        recursive: bool,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let sources: Vec<_> = args.iter().collect();
        let read = table_from::read_ahead(slf.py(), &sources)?;
        operate(slf, Style::Plain, |cx| {
            table_from::build(cx, &sources, read, recursive)
        })
    }

    /// A context manager that stops Lua's garbage collector.
    fn nogc(slf: &Bound<'_, Self>) -> NoGc {
        NoGc {
            runtime: slf.clone().unbind(),
        }
    }

    /// Runs a full cycle of Lua's garbage collector.
    fn gccollect(slf: &Bound<'_, Self>) -> BoxedResult<()> {
        operate(slf, Style::Plain, |cx| {
            WithoutGil(cx.py).around(|| cx.runtime.gc_collect())
        })
    }

    /// The memory limit in bytes; 0 for none, None if the runtime was made without `max_memory`.
    /// With `total`, the memory that the runtime itself takes is included.
    #[pyo3(signature = (total = false))]
    fn get_max_memory(&self, total: bool) -> Option<usize> {
        let base = self.base(total)?;
        let limit = self.runtime.memory_limit();
        Some(limit.map_or(0, |limit| limit.saturating_sub(base)))
    }

    /// The memory in use in bytes; None if the runtime was made without `max_memory`. With
    /// `total`, the memory that the runtime itself takes is included.
    #[pyo3(signature = (total = false))]
    fn get_memory_used(slf: &Bound<'_, Self>, total: bool) -> BoxedResult<Option<usize>> {
        let Some(base) = slf.get().base(total) else {
            return Ok(None);
        };
        let used = operate(slf, Style::Plain, |cx| cx.runtime.memory_used())?;
        Ok(Some(used.saturating_sub(base)))
    }

    /// Sets the memory limit in bytes; 0 for none. With `total`, the memory that the runtime itself
    /// takes is included. RuntimeError if the runtime was made without `max_memory`.
    #[pyo3(signature = (max_memory, total = false))]
    fn set_max_memory(slf: &Bound<'_, Self>, max_memory: usize, total: bool) -> BoxedResult<()> {
        let Some(base) = slf.get().base(total) else {
            let message = "max_memory must be set on LuaRuntime creation";
            return Err(PyRuntimeError::new_err(message).into());
        };
        let limit = (max_memory > 0).then(|| base.saturating_add(max_memory));
        operate(slf, Style::Plain, |cx| cx.runtime.set_memory_limit(limit))
    }

    /// Sets the function that is called with an int that is no Lua number, and gives what to pass
    /// instead; None for none.
    fn set_overflow_handler(
        slf: &Bound<'_, Self>,
        overflow_handler: Option<Bound<'_, PyAny>>,
    ) -> BoxedResult<()> {
        let handler = callable(overflow_handler, "overflow_handler")?;
        slf.get().settings.set_overflow_handler(handler);
        Ok(())
    }

    /// Ends the Lua code that runs in this runtime with a LuaInterruptedError in the thread that runs it.
    /// Does nothing if none runs. May be called from any thread, in a callback and in a signal handler.
    fn interrupt(&self, py: Python<'_>) -> BoxedResult<()> {
        self.runtime
            .interrupt()
            .map_err(|error| lua_error(py, &error.to_string()).into())
    }

    /// Frees the Lua state with all that it holds. Using the runtime or a wrapper of one of
    /// its objects afterwards is a LuaError. LuaError if Lua code is running in it.
    ///
    /// Finalizers run under the time and memory limits. LuaTimeoutError, LuaInterruptedError or KeyboardInterrupt if they
    /// had to be ended; the state is freed all the same.
    fn close(slf: &Bound<'_, Self>) -> BoxedResult<()> {
        close_runtime(slf)
    }

    fn __enter__<'a, 'py>(slf: &'a Bound<'py, Self>) -> &'a Bound<'py, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(slf: &Bound<'_, Self>, _exception: &Bound<'_, PyTuple>) -> BoxedResult<()> {
        close_runtime(slf)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.settings.traverse(&visit)
    }

    fn __clear__(&self, py: Python<'_>) {
        // The runtime is garbage together with what it holds: closing it lets go of that.
        self.close_unasked(py);
        self.settings.set_overflow_handler(None);
    }
}

/// Closes a runtime. Waits, without the GIL, for a thread that runs Lua code in it.
fn close_runtime(slf: &Bound<'_, LuaRuntime>) -> BoxedResult<()> {
    let cx = Context::of(slf);
    let result = WithoutGil(cx.py).around(|| cx.runtime.close());
    cx.settings.held.drop_parked(slf.py());
    result.map_err(|error| to_exception(&cx, error, Style::Plain))
}

impl LuaRuntime {
    /// Closes the runtime where nobody waits for an exception, which Python then prints.
    fn close_unasked(&self, py: Python<'_>) {
        match self.runtime.close() {
            // In a fork's child another thread of the parent's may have been running Lua code, and a thread may have ended while a
            // greenlet of it did: the state stays.
            Ok(()) | Err(Error::Busy | Error::Forked | Error::Abandoned) => {}
            Err(error) => {
                exception(py, error).write_unraisable(py, Some(&py.get_type::<Self>()));
            }
        }
        self.settings.held.drop_parked(py);
    }

    /// Where memory is counted from, in bytes; none if the runtime was made without `max_memory`.
    fn base(&self, total: bool) -> Option<usize> {
        let own = self.base_memory?.get();
        Some(if total { 0 } else { own })
    }
}

/// A context manager that stops a runtime's garbage collector.
#[pyclass(name = "_LuaNoGC", module = "lupa.luajit21", frozen)]
pub(crate) struct NoGc {
    runtime: Py<LuaRuntime>,
}

#[pymethods]
impl NoGc {
    fn __enter__(&self, py: Python<'_>) -> BoxedResult<()> {
        operate(self.runtime.bind(py), Style::Plain, |cx| {
            cx.runtime.gc_stop()
        })
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyTuple>) -> BoxedResult<()> {
        operate(self.runtime.bind(py), Style::Plain, |cx| {
            cx.runtime.gc_restart()
        })
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.runtime)
    }
}

/// Number of handles by which Python holds objects of a runtime: the stress suite counts them.
#[pyfunction]
pub(crate) fn _handles(runtime: &Bound<'_, LuaRuntime>) -> BoxedResult<usize> {
    operate(runtime, Style::Plain, |cx| cx.runtime.handles())
}
