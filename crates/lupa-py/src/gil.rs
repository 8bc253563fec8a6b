//! The GIL around Lua code, and Python references that Lua owns.
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

use lupa_core::Around;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};
use pyo3::{PyTraverseError, PyVisit};
use std::cell::{Cell, OnceCell};
use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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

/// Exceptions that Lua has let go of: the first of a list. Its collector may do that without the GIL, inside of an entry point of PyO3's, which takes
/// the thread for attached and would drop them at once.
///
/// There is no lock, which another thread might have at the moment of a fork: the child would wait for it for ever.
static PARKED: AtomicPtr<Parked> = AtomicPtr::new(std::ptr::null_mut());

struct Parked {
    exception: PyErr,
    next: *mut Parked,
}

/// Keeps an exception until an operation on any runtime ends ([`Held::drop_parked`]). On any thread, with the GIL or without.
pub(crate) fn park(exception: PyErr) {
    let next = std::ptr::null_mut();
    let new = Box::into_raw(Box::new(Parked { exception, next }));
    let mut first = PARKED.load(Ordering::Relaxed);
    loop {
        // SAFETY: nobody else knows of the new one yet.
        unsafe { (*new).next = first };
        match PARKED.compare_exchange_weak(first, new, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return,
            Err(other) => first = other,
        }
    }
}

/// Drops the exceptions that were parked. With the GIL.
#[cold]
fn drop_exceptions(py: Python<'_>) {
    let mut next = PARKED.swap(std::ptr::null_mut(), Ordering::Acquire);
    while !next.is_null() {
        // SAFETY: `park` has made it of a box, and whoever takes the list from `PARKED` is the only one who has it.
        let parked = unsafe { Box::from_raw(next) };
        next = parked.next;
        // As in `drop_parked_now`.
        drop(parked.exception.into_value(py).into_bound(py));
    }
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

/// The Python objects that one runtime's Lua code holds.
///
/// They are kept here rather than in the userdata, so that Python's cycle collector can see
/// them, and so that a userdata can give its object up on a thread without the GIL: the
/// object is parked, and dropped when the GIL is next held.
pub(crate) struct Held {
    objects: Mutex<Objects>,
    has_parked: AtomicBool,
    /// Number of objects that may be equal to one of another type.
    comparable: AtomicUsize,
    /// Memory, in bytes, that the objects take, by estimate.
    weight: AtomicUsize,
    /// The weight from which on Lua's collector has to work.
    heavy: AtomicUsize,
    /// What may gather between two of its cycles at least, in bytes.
    slack: AtomicUsize,
}

/// The least slack, in bytes.
const LEAST_SLACK: usize = 4 << 20;

#[derive(Default)]
struct Objects {
    slots: Vec<Option<Py<PyAny>>>,
    free: Vec<usize>,
    parked: Vec<Py<PyAny>>,
}

impl Held {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Held {
            objects: Mutex::default(),
            has_parked: AtomicBool::new(false),
            comparable: AtomicUsize::new(0),
            weight: AtomicUsize::new(0),
            heavy: AtomicUsize::new(LEAST_SLACK),
            slack: AtomicUsize::new(LEAST_SLACK),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether so much has gathered that Lua's collector has to find out what of it is garbage.
    #[inline]
    pub(crate) fn is_heavy(&self) -> bool {
        self.weight.load(Ordering::Relaxed) >= self.heavy.load(Ordering::Relaxed)
    }

    /// Notes that Lua's collector has been through. The next time is when the weight has doubled since objects were
    /// last freed, and grown by what a cycle costs, of which `cost` is a measure in bytes.
    pub(crate) fn collected(&self, cost: usize) {
        let weight = self.weight.load(Ordering::Relaxed);
        let slack = cost.max(LEAST_SLACK);
        self.slack.store(slack, Ordering::Relaxed);
        self.heavy
            .store(weight + weight.max(slack), Ordering::Relaxed);
    }

    /// Whether Lua may hold an object that is equal to a number, a text, None or a Lua object.
    pub(crate) fn has_comparable(&self) -> bool {
        self.comparable.load(Ordering::Relaxed) != 0
    }

    /// Drops what was parked.
    #[inline]
    pub(crate) fn drop_parked(&self, py: Python<'_>) {
        if self.has_parked.load(Ordering::Relaxed) {
            self.drop_parked_now(py);
        }
        if !PARKED.load(Ordering::Relaxed).is_null() {
            drop_exceptions(py);
        }
    }

    #[cold]
    fn drop_parked_now(&self, py: Python<'_>) {
        // Whoever has the lock parks something right now, or did so in a parent process when that forked: not waited for.
        let Ok(mut objects) = self.objects.try_lock() else {
            return;
        };
        self.has_parked.store(false, Ordering::Relaxed);
        let parked = std::mem::take(&mut objects.parked);
        // Released first: to drop an object may run Python code.
        drop(objects);
        for object in parked {
            // A `Py` alone might wait for PyO3's next entry, which calls of Lua functions are not (`capi`).
            drop(object.into_bound(py));
        }
    }

    /// Shows the objects to Python's cycle collector.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        // A runtime whose objects change right now is in use, so it is no garbage.
        if let Ok(objects) = self.objects.try_lock() {
            for object in objects.slots.iter().flatten().chain(&objects.parked) {
                visit.call(object)?;
            }
        }
        Ok(())
    }
}

/// A Python object that Lua owns. May be dropped on any thread, with the GIL or without.
pub(crate) struct Owned {
    held: Arc<Held>,
    slot: usize,
    object: *mut ffi::PyObject,
    traits: Traits,
}

/// What counts of an object that Lua owns.
#[derive(Clone, Copy)]
pub(crate) struct Traits {
    /// Whether it may be equal to an object of another type.
    pub(crate) comparable: bool,
    /// Memory, in bytes, that it takes, by estimate.
    pub(crate) weight: usize,
}

// SAFETY: the pointer is only followed with the GIL (`bind`).
unsafe impl Send for Owned {}

impl Owned {
    pub(crate) fn new(held: &Arc<Held>, object: &Bound<'_, PyAny>, traits: Traits) -> Self {
        let mut objects = held.lock();
        let owned = Some(object.clone().unbind());
        let slot = match objects.free.pop() {
            Some(slot) => {
                objects.slots[slot] = owned;
                slot
            }
            None => {
                objects.slots.push(owned);
                objects.slots.len() - 1
            }
        };
        drop(objects);
        if traits.comparable {
            held.comparable.fetch_add(1, Ordering::Relaxed);
        }
        held.weight.fetch_add(traits.weight, Ordering::Relaxed);
        Owned {
            held: Arc::clone(held),
            slot,
            object: object.as_ptr(),
            traits,
        }
    }

    /// The object's address, its identity.
    #[inline]
    pub(crate) fn address(&self) -> usize {
        self.object as usize
    }

    #[inline]
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        // SAFETY: `held` owns a reference for as long as this value lives, and the token proves
        // that the GIL is held.
        unsafe { Bound::from_borrowed_ptr(py, self.object) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let Traits { comparable, weight } = self.traits;
        if comparable {
            self.held.comparable.fetch_sub(1, Ordering::Relaxed);
        }
        let left = self.held.weight.fetch_sub(weight, Ordering::Relaxed) - weight;
        let heavy = left + left.max(self.held.slack.load(Ordering::Relaxed));
        self.held.heavy.fetch_min(heavy, Ordering::Relaxed);
        let mut objects = self.held.lock();
        if let Some(object) = objects.slots[self.slot].take() {
            objects.parked.push(object);
            objects.free.push(self.slot);
            self.held.has_parked.store(true, Ordering::Relaxed);
        }
    }
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

/// A value that is made once, when it is first asked for. PyO3's cells take a lock meanwhile and release the GIL before: where another thread
/// forks just then, the child waits for that lock for ever.
pub(crate) struct GilOnce<T>(OnceCell<T>);

// SAFETY: as of `GilCell`; references to the value may be anywhere.
unsafe impl<T: Send + Sync> Sync for GilOnce<T> {}

impl<T> GilOnce<T> {
    pub(crate) const fn new() -> Self {
        GilOnce(OnceCell::new())
    }

    #[inline]
    pub(crate) fn get(&self, _py: Python<'_>) -> Option<&T> {
        self.0.get()
    }

    /// The value; `make` may run Python code, so that two threads make one: the first stays.
    #[inline]
    pub(crate) fn get_or_try_init<E>(
        &self,
        py: Python<'_>,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        match self.get(py) {
            Some(value) => Ok(value),
            None => self.init(make),
        }
    }

    #[cold]
    fn init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        let made = make()?;
        // Between these two the GIL is not released. What is not taken is dropped at the end, which may run Python code.
        Ok(self.0.get_or_init(|| made))
    }
}

impl GilOnce<Py<PyType>> {
    /// A class, which is imported the first time.
    pub(crate) fn import<'py>(
        &self,
        py: Python<'py>,
        module: &str,
        name: &str,
    ) -> PyResult<&Bound<'py, PyType>> {
        let import = || Ok(py.import(module)?.getattr(name)?.cast_into()?.unbind());
        let class: PyResult<_> = self.get_or_try_init(py, import);
        Ok(class?.bind(py))
    }
}

/// The Python string of a literal, made once: see [`interned`].
pub(crate) struct Interned(&'static str, GilOnce<Py<PyString>>);

impl Interned {
    pub(crate) const fn new(text: &'static str) -> Self {
        Interned(text, GilOnce::new())
    }

    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        let make = || Ok::<_, Infallible>(PyString::intern(py, self.0).unbind());
        let Ok(text) = self.1.get_or_try_init(py, make);
        text.bind(py)
    }
}

/// The interned Python string of a literal. As PyO3's `intern`, by a [`GilOnce`].
macro_rules! interned {
    ($py:expr, $text:literal) => {{
        static INTERNED: $crate::gil::Interned = $crate::gil::Interned::new($text);
        INTERNED.get($py)
    }};
}
pub(crate) use interned;
