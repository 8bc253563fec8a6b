//! Python objects and exceptions that Lua owns, and lets go of on threads without the GIL.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
