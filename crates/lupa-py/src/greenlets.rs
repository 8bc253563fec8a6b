//! Greenlets, between which Python code switches inside callbacks: the core is told which one runs.
//!
//! Nothing is asked of them before the `greenlet` package is imported.

use crate::errors::lua_error;
use lupa_core::Fiber;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `greenlet.getcurrent`.
static GET_CURRENT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The greenlet that runs, if there are any.
#[inline]
fn current(py: Python<'_>) -> PyResult<Option<Fiber>> {
    static MODULES: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    /// How many modules there were when they were last looked through.
    static SEEN: AtomicUsize = AtomicUsize::new(0);

    if let Some(get_current) = GET_CURRENT.get(py) {
        // While it runs it stays where it is, and what has a fiber's number is in callbacks, so it does run.
        let greenlet = get_current.bind(py).call0()?;
        return Ok(Some(Fiber::new(greenlet.as_ptr().addr())));
    }
    let modules = MODULES.get_or_try_init(py, || {
        let modules = py
            .import(intern!(py, "sys"))?
            .getattr(intern!(py, "modules"))?;
        Ok::<_, PyErr>(modules.cast_into::<PyDict>()?.unbind())
    })?;
    let modules = modules.bind(py);
    if SEEN.load(Ordering::Relaxed) == modules.len() {
        return Ok(None);
    }
    look_for_greenlets(modules)?;
    SEEN.store(modules.len(), Ordering::Relaxed);
    if GET_CURRENT.get(py).is_some() {
        return current(py);
    }
    Ok(None)
}

#[cold]
fn look_for_greenlets(modules: &Bound<'_, PyDict>) -> PyResult<()> {
    let py = modules.py();
    if let Some(module) = modules.get_item(intern!(py, "greenlet"))?
        // Missing while the module is being imported.
        && let Ok(get_current) = module.getattr(intern!(py, "getcurrent"))
    {
        let _ = GET_CURRENT.set(py, get_current.unbind());
    }
    Ok(())
}

/// Lua is about to be entered while callbacks go on.
pub(crate) fn enter(py: Python<'_>) -> PyResult<()> {
    if let Some(fiber) = current(py)? {
        fiber.enter();
    }
    Ok(())
}

/// Runs a callback, in which the thread may switch to another greenlet.
#[inline]
pub(crate) fn callback(py: Python<'_>, f: impl FnOnce() -> PyResult<()>) -> PyResult<()> {
    match current(py)? {
        None => f(),
        Some(fiber) => fiber.callback(f).map_err(|_| {
            lua_error(py, "Lua code of this runtime waits for a Python function in another greenlet: give each greenlet a runtime of its own")
        })?,
    }
}
