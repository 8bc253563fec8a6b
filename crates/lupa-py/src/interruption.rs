//! Time limits, and Ctrl-C in Lua code.

use crate::errors::{external, lua_error};
use crate::gil::{allow_keeping, forbid_keeping, interned, release_kept, with_gil};
use crate::greenlets;
use lupa_core::{Error, Runtime};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::cell::Cell;
use std::time::Duration;

/// A `timeout` argument: None or a number of seconds.
pub(crate) fn time_limit(timeout: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(timeout) = timeout else {
        return Ok(None);
    };
    let seconds: f64 = timeout.extract()?;
    if seconds > 0.0 {
        // What is too long for a duration is longer than anybody waits.
        Ok(Some(
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
        ))
    } else {
        Err(PyValueError::new_err("timeout must be positive"))
    }
}

/// Prepares a new runtime: the time limit of its calls, and Ctrl-C.
pub(crate) fn prepare(py: Python<'_>, runtime: &Runtime, limit: Option<Duration>) -> PyResult<()> {
    let failed = |error: Error| lua_error(py, &error.to_string());
    if limit.is_some() {
        runtime.set_time_limit(limit).map_err(failed)?;
    }
    match runtime.set_check(check) {
        // Without it Ctrl-C waits for the end of the Lua code, and nothing else is missing.
        Ok(_) => {
            allow_keeping(py);
            Ok(())
        }
        Err(Error::Unavailable(_)) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

thread_local! {
    /// Whether this is the main thread, and of which process: a fork makes its thread the main one.
    static IS_MAIN: Cell<Option<(u32, bool)>> = const { Cell::new(None) };
}

/// In Lua code that takes long: other threads get the GIL, and Python's signal handlers run.
fn check() -> lupa_core::Result<bool> {
    let goes_on = check_signals();
    if release_kept() && matches!(goes_on, Ok(false)) {
        // The only Python thread is not the main one: a program that embeds Python. This run is not looked at again, so
        // nothing would notice other code in it that keeps the GIL.
        forbid_keeping();
    }
    goes_on
}

/// Runs Python's signal handlers. They run in the main thread only; the others have nothing to check.
fn check_signals() -> lupa_core::Result<bool> {
    let process = std::process::id();
    if IS_MAIN.get() == Some((process, false)) {
        return Ok(false);
    }
    let handled =
        with_gil(|py| greenlets::signals(py, || run_handlers(py, process)).map_err(external));
    // Where none could be run they wait for another look.
    handled?.unwrap_or(Ok(true))
}

/// Gives whether this is the main thread of the process.
fn run_handlers(py: Python<'_>, process: u32) -> lupa_core::Result<bool> {
    if IS_MAIN.get() != Some((process, true)) {
        let is_main = is_main_thread(py).map_err(external)?;
        IS_MAIN.set(Some((process, is_main)));
        if !is_main {
            return Ok(false);
        }
    }
    py.check_signals().map_err(external)?;
    Ok(true)
}

fn is_main_thread(py: Python<'_>) -> PyResult<bool> {
    let threading = py.import(interned!(py, "threading"))?;
    let main = threading.call_method0(interned!(py, "main_thread"))?;
    let ident = threading.call_method0(interned!(py, "get_ident"))?;
    main.getattr(interned!(py, "ident"))?.eq(ident)
}
