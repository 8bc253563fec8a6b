//! The GIL around Lua code; in [`held`], Python references that Lua owns, in [`once`], what is made once.
//!
//! This file exists for speed, and is the one that works on Python's thread state
//! itself: PyO3's `detach` and an `attach` inside it cost about 100 ns a call into Lua and back
//! out, saving and restoring the thread state less than half.
//!
//! Where Lua code runs, the GIL is released and the thread's state is kept in [`SAVED`]. A callback takes it
//! from there. When nothing is saved, the thread has the GIL: Lua runs finalizers while
//! arguments are pushed, for instance.
//!
//! To release the GIL and take it back is a third of the time of a short call, and for nothing in a process with one
//! Python thread. There Lua code starts with the GIL, which is released when a callback has started a thread, or
//! the watchdog has noticed that the code runs long.

mod held;
mod once;

pub(crate) use held::{Held, Owned, Traits, park};
pub(crate) use once::{GilOnce, Interned, interned};

use lupa_core::Around;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use pyo3::{PyTraverseError, PyVisit};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::time::Duration;

/// In the place of a thread state: the thread has the GIL while it runs Lua code, and may release it at any time.
const KEPT: *mut ffi::PyThreadState = std::ptr::dangling_mut();

/// The interpreter, if Lua code may keep the GIL; else null.
static INTERPRETER: AtomicPtr<ffi::PyInterpreterState> = AtomicPtr::new(std::ptr::null_mut());

thread_local! {
    /// The thread state of a thread that released the GIL to run Lua code, or [`KEPT`].
    static SAVED: Cell<*mut ffi::PyThreadState> = const { Cell::new(std::ptr::null_mut()) };
    /// This thread ends the interpreter.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// Lua code may keep the GIL from now on: in what runs long, [`release_kept`] is going to be called.
pub(crate) fn allow_keeping(_py: Python<'_>) {
    // SAFETY: the token proves that this thread has a state, so an interpreter.
    INTERPRETER.store(unsafe { ffi::PyInterpreterState_Get() }, Ordering::Relaxed);
}

/// No Lua code keeps the GIL from now on, but for what does already.
pub(crate) fn forbid_keeping() {
    INTERPRETER.store(std::ptr::null_mut(), Ordering::Relaxed);
}

/// Releases the GIL in Lua code that has kept it; whether it had.
pub(crate) fn release_kept() -> bool {
    let kept = SAVED.get() == KEPT;
    if kept {
        // SAFETY: the thread has the GIL.
        SAVED.set(release(unsafe { Python::assume_attached() }));
    }
    kept
}

/// Whether Lua code may keep the GIL, since Python knows of no thread but this one.
#[inline]
fn may_keep(_py: Python<'_>) -> bool {
    let interpreter = INTERPRETER.load(Ordering::Relaxed);
    // SAFETY: this thread has the GIL, so its own state is in the list and stays. Both functions read one pointer; a
    // thread that adds itself meanwhile has to wait for the GIL like all that come later.
    !interpreter.is_null()
        && unsafe { ffi::PyThreadState_Next(ffi::PyInterpreterState_ThreadHead(interpreter)) }
            .is_null()
}

/// Runs Lua code: without the GIL, or with it for the first moment where nobody else can want it.
#[derive(Clone, Copy)]
pub(crate) struct RunningLua<'py>(pub(crate) Python<'py>);

impl Around for RunningLua<'_> {
    #[inline]
    fn around<R>(self, run: impl FnOnce() -> R) -> R {
        let saved = if may_keep(self.0) {
            KEPT
        } else {
            release(self.0)
        };
        with_saved(saved, run)
    }

    /// Releases the GIL in any case: the thread that has the runtime may want it.
    fn waiting<R>(self, wait: impl FnOnce() -> R) -> R {
        WithoutGil(self.0).around(wait)
    }
}

/// Releases the GIL while something runs that may take long and that nothing can interrupt.
#[derive(Clone, Copy)]
pub(crate) struct WithoutGil<'py>(pub(crate) Python<'py>);

impl Around for WithoutGil<'_> {
    #[inline]
    fn around<R>(self, run: impl FnOnce() -> R) -> R {
        with_saved(release(self.0), run)
    }
}

/// Releases the GIL; gives what is to be saved.
#[inline]
fn release(_py: Python<'_>) -> *mut ffi::PyThreadState {
    // SAFETY: the token proves that this thread has the GIL.
    unsafe { ffi::PyEval_SaveThread() }
}

/// Runs `f` with a state in [`SAVED`], and takes the GIL back afterwards if it is not there, by panic too.
#[inline]
fn with_saved<R>(saved: *mut ffi::PyThreadState, f: impl FnOnce() -> R) -> R {
    struct Restore {
        outer: *mut ffi::PyThreadState,
    }
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            let state = SAVED.replace(self.outer);
            if state != KEPT {
                // SAFETY: the state was saved by this thread when it released the GIL; callbacks
                // put back what they took.
                unsafe { ffi::PyEval_RestoreThread(state) };
            }
        }
    }
    let _restore = Restore {
        outer: SAVED.replace(saved),
    };
    f()
}

/// Runs `f` with the GIL, in a callback from Lua code that lupa runs on this thread.
#[inline]
pub(crate) fn with_gil<R>(f: impl FnOnce(Python<'_>) -> R) -> R {
    /// Puts things back, by panic too: releases the GIL if it was, or others want it now.
    struct Restore {
        outer: *mut ffi::PyThreadState,
    }
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            // SAFETY: `with_gil` took the GIL on this thread, or found it there.
            let py = unsafe { Python::assume_attached() };
            // The callback may have started a thread, for which Lua code may be about to wait.
            let stays = self.outer.is_null() || (self.outer == KEPT && may_keep(py));
            SAVED.set(if stays { self.outer } else { release(py) });
        }
    }
    let outer = SAVED.replace(std::ptr::null_mut());
    if !outer.is_null() && outer != KEPT {
        if EXITING.load(Ordering::Relaxed) {
            wait_for_the_end();
        }
        // SAFETY: the state was saved by this thread when it released the GIL.
        unsafe { ffi::PyEval_RestoreThread(outer) };
    }
    let _restore = Restore { outer };
    // Dropped first, so with the GIL.
    let _callback = Callback::begin();
    // SAFETY: the GIL was taken above, or was never released: all Lua code of this package
    // is run by threads that enter with the GIL.
    f(unsafe { Python::assume_attached() })
}

/// The dict `sys.modules` that the interpreter has begun with, for ever.
#[inline]
fn modules_dict(_py: Python<'_>) -> *mut ffi::PyObject {
    static MODULES: AtomicPtr<ffi::PyObject> = AtomicPtr::new(std::ptr::null_mut());
    let mut modules = MODULES.load(Ordering::Relaxed);
    if modules.is_null() {
        // SAFETY: the token proves that there is an interpreter. It is asked until the end of that, so the reference is never given back.
        modules = unsafe {
            let modules = ffi::PyImport_GetModuleDict();
            ffi::Py_INCREF(modules);
            modules
        };
        MODULES.store(modules, Ordering::Relaxed);
    }
    modules
}

/// How many modules there are in `sys.modules`, which is asked in each operation: a load, where `len` is a call.
#[inline]
pub(crate) fn module_count(py: Python<'_>) -> ffi::Py_ssize_t {
    // SAFETY: a dict, and this thread has the GIL.
    unsafe { (*modules_dict(py).cast::<ffi::PyDictObject>()).ma_used }
}

/// A module that was imported. Nothing is imported for that, which fails when the interpreter ends.
pub(crate) fn module<'py>(
    py: Python<'py>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    // SAFETY: an object that lives, and this thread has the GIL.
    let modules = unsafe { Bound::from_borrowed_ptr(py, modules_dict(py)) };
    modules.cast::<PyDict>()?.get_item(name)
}

/// Callbacks that are going on, in all threads. Only changed with the GIL.
static CALLBACKS: AtomicUsize = AtomicUsize::new(0);

/// The interpreter is about to end.
static EXITING: AtomicBool = AtomicBool::new(false);

struct Callback;

impl Callback {
    #[inline]
    fn begin() -> Self {
        CALLBACKS.store(CALLBACKS.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Callback
    }
}

impl Drop for Callback {
    #[inline]
    fn drop(&mut self) {
        CALLBACKS.store(CALLBACKS.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    }
}

/// Gives the callbacks of daemon threads a moment to end, and lets none begin.
///
/// Up to Python 3.13 a daemon thread that wants the GIL when the interpreter ends is ended by unwinding its
/// stack. There are Rust frames on it inside a callback, and that would abort the process. A thread
/// that waits for the GIL in [`with_gil`] is left waiting instead, by PyO3.
#[pyfunction]
pub(crate) fn at_exit(py: Python<'_>) {
    ENDS.set(true);
    EXITING.store(true, Ordering::Relaxed);
    for _ in 0..200 {
        if CALLBACKS.load(Ordering::Relaxed) == 0 {
            break;
        }
        py.detach(|| std::thread::sleep(Duration::from_millis(1)));
    }
}

/// Keeps a thread, other than the one that ends the interpreter, from beginning a callback. If the end does not
/// come within a second, functions that are called at exit may be waiting for this thread.
#[cold]
fn wait_for_the_end() {
    if ENDS.get() {
        return;
    }
    std::thread::sleep(Duration::from_secs(1));
    EXITING.store(false, Ordering::Relaxed);
}

/// A reference from a Lua state to the Python object that owns it, which does not keep it
/// alive: the object clears it when it goes.
pub(crate) struct BackReference<T>(AtomicPtr<ffi::PyObject>, PhantomData<T>);

impl<T> BackReference<T> {
    pub(crate) fn new() -> Self {
        BackReference(AtomicPtr::new(std::ptr::null_mut()), PhantomData)
    }

    #[inline]
    pub(crate) fn set(&self, owner: &Bound<'_, T>) {
        self.0.store(owner.as_ptr(), Ordering::Relaxed);
    }

    pub(crate) fn clear(&self) {
        self.0.store(std::ptr::null_mut(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        let owner = self.0.load(Ordering::Relaxed);
        // SAFETY: the owner clears the pointer in its Drop, with the GIL, so with the GIL a
        // pointer that is not null is to a live object, and `set` took a `T`.
        (!owner.is_null())
            .then(|| unsafe { Bound::from_borrowed_ptr(py, owner).cast_into_unchecked() })
    }
}

/// A value that is read and replaced with the GIL held. Neither runs Python code, so there is
/// nothing to lock.
pub(crate) struct GilCell<T>(Cell<T>);

// SAFETY: all access takes a token that proves that the thread has the GIL, which a CPython that can do without turns on
// for this module (`gil_used`).
unsafe impl<T: Send> Sync for GilCell<T> {}

impl<T> GilCell<T> {
    pub(crate) fn new(value: T) -> Self {
        GilCell(Cell::new(value))
    }

    #[inline]
    pub(crate) fn replace(&self, _py: Python<'_>, value: T) -> T {
        self.0.replace(value)
    }
}

impl<T: Copy> GilCell<T> {
    #[inline]
    pub(crate) fn get(&self, _py: Python<'_>) -> T {
        self.0.get()
    }
}

impl<T> GilCell<Option<Py<T>>> {
    #[inline]
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> Option<Bound<'py, T>> {
        // SAFETY: nobody else has access meanwhile; to count a reference runs no code of anybody.
        let value = unsafe { &*self.0.as_ptr() };
        value.as_ref().map(|value| value.bind(py).clone())
    }

    /// Shows the object to Python's cycle collector, which has the GIL.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // SAFETY: as in `bind`; the collector runs no Python code while it visits.
        visit.call(unsafe { &*self.0.as_ptr() })
    }
}
