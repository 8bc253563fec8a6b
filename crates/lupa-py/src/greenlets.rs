//! Greenlets, between which Python code switches inside callbacks: the core is told which one runs.
//!
//! Nothing is asked of them before the `greenlet` package is imported.

use crate::errors::{BoxedResult, external, lua_error};
use crate::gil::{GilOnce, interned, module, module_count};
use crate::settings::Context;
use lupa_core::{Entered, Fiber, Runtime};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicIsize, Ordering};

/// `greenlet.getcurrent`.
static GET_CURRENT: GilOnce<Py<PyAny>> = GilOnce::new();

/// How many modules there were when they were last looked through in vain.
static SEEN: AtomicIsize = AtomicIsize::new(0);

/// Whether there may be greenlets.
#[inline]
pub(crate) fn may_be_there(py: Python<'_>) -> bool {
    SEEN.load(Ordering::Relaxed) != module_count(py)
}

/// Whether there are greenlets.
pub(crate) fn are_there(py: Python<'_>) -> BoxedResult<bool> {
    Ok(may_be_there(py) && (GET_CURRENT.get(py).is_some() || look_for_greenlets(py)?))
}

/// The greenlet that runs, if there are any.
fn current(py: Python<'_>) -> BoxedResult<Option<Fiber>> {
    if !are_there(py)? {
        return Ok(None);
    }
    let Some(get_current) = GET_CURRENT.get(py) else {
        return Ok(None);
    };
    // While it runs it stays where it is, and what has a fiber's number is in callbacks, so it does run.
    let greenlet = get_current.bind(py).call0()?;
    Ok(Some(Fiber::new(greenlet.as_ptr().addr())))
}

/// Whether they are there, and ready.
#[cold]
fn look_for_greenlets(py: Python<'_>) -> BoxedResult<bool> {
    // The one that switches; the package around it may still be on its way.
    let Some(module) = module(py, interned!(py, "greenlet._greenlet"))? else {
        SEEN.store(module_count(py), Ordering::Relaxed);
        return Ok(false);
    };
    let Some(get_current) = module.getattr_opt(interned!(py, "getcurrent"))? else {
        return Ok(false);
    };
    GET_CURRENT.get_or_try_init(py, || BoxedResult::Ok(get_current.unbind()))?;
    // No number of modules, so that they are asked from now on.
    SEEN.store(-1, Ordering::Relaxed);
    Ok(true)
}

/// An operation on a runtime begins, which lasts as long as what is given; nothing is given without greenlets.
#[inline]
pub(crate) fn enter(py: Python<'_>, runtime: &Runtime) -> BoxedResult<Option<Entered>> {
    if may_be_there(py)
        && let Some(fiber) = current(py)?
    {
        return Ok(Some(fiber.enter(runtime).map_err(|_| in_another(py))?));
    }
    Ok(None)
}

/// Runs a callback, in which the thread may switch to another greenlet.
#[inline]
pub(crate) fn callback(py: Python<'_>, f: impl FnOnce() -> BoxedResult<()>) -> BoxedResult<()> {
    if may_be_there(py) {
        return switching(py, f);
    }
    f()
}

#[cold]
fn switching(py: Python<'_>, f: impl FnOnce() -> BoxedResult<()>) -> BoxedResult<()> {
    match current(py)? {
        None => f(),
        Some(fiber) => fiber.callback(f).map_err(|_| in_another(py))?,
    }
}

/// Runs what runs Python's signal handlers between two instructions of Lua code, as a callback. Where that would be refused, they must not
/// switch: then none is run, and nothing given, unless there are none but Python's own for Ctrl-C.
pub(crate) fn signals<R>(py: Python<'_>, f: impl Fn() -> R) -> BoxedResult<Option<R>> {
    let Some(fiber) = current(py)? else {
        return Ok(Some(f()));
    };
    match fiber.callback(&f) {
        Ok(done) => Ok(Some(done)),
        Err(_) => Ok(has_own_handlers_only(py)?.then(f)),
    }
}

/// Whether no signal has a handler in Python but that of Ctrl-C, which raises KeyboardInterrupt.
#[cold]
fn has_own_handlers_only(py: Python<'_>) -> PyResult<bool> {
    // That in C: what is written in Python runs handlers itself.
    let signal = py.import(interned!(py, "_signal"))?;
    let own = signal.getattr(interned!(py, "default_int_handler"))?;
    for number in signal
        .call_method0(interned!(py, "valid_signals"))?
        .try_iter()?
    {
        let handler = signal.call_method1(interned!(py, "getsignal"), (number?,))?;
        if handler.is_callable() && !handler.is(&own) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Runs Python code in the middle of an operation on a runtime, as [`callback`] does with what Lua code calls.
#[inline]
pub(crate) fn operation<R>(
    cx: &Context<'_, '_>,
    f: impl FnOnce() -> lupa_core::Result<R>,
) -> lupa_core::Result<R> {
    if may_be_there(cx.py)
        && let Some(fiber) = current(cx.py).map_err(external)?
    {
        let run = fiber.operation(cx.runtime, f);
        return run.map_err(|_| external(in_another(cx.py)))?;
    }
    f()
}

#[cold]
fn in_another(py: Python<'_>) -> PyErr {
    lua_error(
        py,
        "this Lua runtime waits for Python code in another greenlet: give each greenlet a runtime of its own",
    )
}
