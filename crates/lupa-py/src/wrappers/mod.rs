//! Lua values in Python: one class a kind, and what they share.

mod function;
mod iter;
mod object;
mod protocol;
mod table;
mod thread;

pub(crate) use function::{LuaCoroutineFunction, LuaFunction, new_function};
pub(crate) use iter::LuaIter;
pub(crate) use object::{_source_encoding, LuaObject, lua_type, new_object};
pub(crate) use protocol::ProtocolWrapper;
pub(crate) use table::{LuaTable, new_table};
pub(crate) use thread::{LuaThread, new_thread_or_function};

use crate::convert::{PyArg, to_python};
use crate::errors::{BoxedErr, BoxedResult, Style, external, to_exception};
use crate::gil::RunningLua;
use crate::greenlets;
use crate::object::push_object;
use crate::settings::Context;
use lupa_core::{Around, Error, Pusher, Reference, Results};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use smallvec::SmallVec;

/// Runs an operation on a wrapper with the runtime locked; errors become exceptions.
#[inline]
pub(crate) fn operate<'py, R>(
    slf: &Bound<'py, LuaObject>,
    style: Style,
    f: impl FnOnce(&Context<'_, 'py>, &Reference) -> lupa_core::Result<R>,
) -> BoxedResult<R> {
    let inner = slf.get();
    let owner = inner.runtime.bind(slf.py());
    let cx = Context::of(owner);
    let result = {
        let _guard = owner.get().lock(slf.py())?;
        inner
            .reference()
            .and_then(|reference| f(&cx, &reference))
            .map_err(|error| to_exception(&cx, error, style))
    };
    cx.settings.held.drop_parked(slf.py());
    result
}

/// As [`operate`], for one operation of the core: that takes the lock itself, with what [`Operation`] does meanwhile.
// Always inlined, for those who read, set, call and iterate: a call that saves registers takes as long as half of their work.
#[inline(always)]
pub(crate) fn operate_once<'py, R>(
    slf: &Bound<'py, LuaObject>,
    style: Style,
    f: impl FnOnce(&Context<'_, 'py>, &Reference, Operation<'_, '_, 'py>) -> lupa_core::Result<R>,
) -> BoxedResult<R> {
    let py = slf.py();
    let inner = slf.get();
    let owner = inner.runtime.bind(py);
    let cx = Context::of(owner);
    let operation = Operation { cx: &cx, style };
    let result = {
        let _guard = if greenlets::may_be_there(py) {
            Some(owner.get().lock(py)?)
        } else {
            None
        };
        inner
            .reference()
            .and_then(|reference| f(&cx, &reference, operation))
            .map_err(|error| to_exception(&cx, error, style))
    };
    cx.settings.held.drop_parked(py);
    result
}

/// What is around an operation of a wrapper: Lua code runs, and other threads are waited for, as [`RunningLua`] has it, and an error becomes
/// an exception before the runtime is anybody else's.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'a, 'b, 'py> {
    cx: &'a Context<'b, 'py>,
    style: Style,
}

impl Around for Operation<'_, '_, '_> {
    #[inline]
    fn around<R>(self, run: impl FnOnce() -> R) -> R {
        RunningLua(self.cx.py).around(run)
    }

    fn waiting<R>(self, wait: impl FnOnce() -> R) -> R {
        RunningLua(self.cx.py).waiting(wait)
    }

    #[cold]
    fn failed(self, error: Error) -> Error {
        match error {
            // Others keep nothing in the runtime.
            Error::Runtime(_) => external(to_exception(self.cx, error, self.style)),
            error => error,
        }
    }
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
            let mut items: SmallVec<[_; 8]> = SmallVec::with_capacity(count);
            for index in 0..count {
                items.push(to_python(cx, results.get(index)).map_err(external)?);
            }
            Ok(PyTuple::new(cx.py, items).map_err(external)?.into_any())
        }
    }
}

/// Pushes objects as arguments.
#[inline]
pub(crate) fn push_arguments<'py>(
    cx: &Context<'_, 'py>,
    to: &mut lupa_core::Arguments<'_>,
    arguments: &[Borrowed<'_, 'py, PyAny>],
) -> lupa_core::Result<()> {
    to.reserve(arguments.len())?;
    arguments
        .iter()
        .try_for_each(|item| to.push_reserved(PyArg::new(cx, item)))
}

/// Pushes a tuple's items as arguments.
pub(crate) fn push_tuple(
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
) -> BoxedResult<Bound<'py, PyAny>> {
    function
        .reference()
        .and_then(|function| {
            function.call_with(
                |to| to.push(Wrapped(cx, object)),
                RunningLua(cx.py),
                |results| collect(cx, results),
            )
        })
        .map_err(|error| to_exception(cx, error, Style::Traceback))
}

struct Wrapped<'a, 'b, 'py>(&'a Context<'b, 'py>, &'a Bound<'py, PyAny>);

impl lupa_core::IntoLua for Wrapped<'_, '_, '_> {
    fn into_lua(self, to: Pusher<'_>) -> lupa_core::Result<()> {
        push_object(self.0, self.1, 0, to)
    }
}

fn not_instantiable() -> BoxedErr {
    PyTypeError::new_err("Type cannot be instantiated manually").into()
}
