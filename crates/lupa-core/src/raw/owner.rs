//! What owns a runtime: programs by a [`Runtime`], and handles.
//!
//! Both hold a reference, which is counted. Handles come and go as quickly as values, and the two atomic instructions of that count would be
//! half of what it costs to get a table and let it go. So a thread that the runtime's lock is left to keeps the reference of a handle that
//! it drops for the next one that it makes ([`Spare`]).
//!
//! A spare reference must not keep a runtime alive: the last `Runtime` that goes takes back those that threads have, and while
//! there is none no thread keeps one. Thread and taker exclude each other as those who want a lock that is left to another do
//! (see `bias`): the thread says by a plain store that it looks at its spare reference, and then looks whether somebody wants it; who
//! wants it says so, has the kernel put a barrier on all threads, and waits until the thread does not look.

use super::bias;
use super::lock;
use super::shared::Shared;
use super::slots::SlotKey;
use super::watch::{self, Record};
use crate::runtime::Runtime;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, compiler_fence};

/// What a `Runtime` owns: a reference, which counts among those that programs have.
pub(crate) struct Owner(ManuallyDrop<Arc<Shared>>);

impl Owner {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        shared.closing.owners.fetch_add(1, Ordering::Relaxed);
        Owner::uncounted(shared)
    }

    #[inline]
    fn uncounted(shared: Arc<Shared>) -> Self {
        Owner(ManuallyDrop::new(shared))
    }

    /// A name that owns nothing.
    #[inline]
    pub(crate) fn borrowed(shared: &Shared) -> ManuallyDrop<Self> {
        // SAFETY: every `Shared` is made inside an Arc by `new`. The count is not touched: nothing drops this, and who clones it
        // owns the clone. While the state closes in the last owner's drop, `dispatch` refuses to run
        // host code, so nobody clones it then.
        ManuallyDrop::new(Owner::uncounted(unsafe { Arc::from_raw(shared) }))
    }

    pub(crate) fn as_arc(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Deref for Owner {
    type Target = Shared;

    #[inline]
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Clone for Owner {
    fn clone(&self) -> Self {
        Owner::new(Arc::clone(&self.0))
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // In one order with what `Spare::keep` and `Bias::leave_to` do: a thread that may keep a reference has said so before.
        if self.0.closing.owners.fetch_sub(1, Ordering::SeqCst) == 1 && self.0.lock.was_left() {
            take_back(&self.0);
        }
        // SAFETY: dropped once, here.
        unsafe { ManuallyDrop::drop(&mut self.0) };
    }
}

/// No key: releasing it does nothing.
const NO_SLOT: SlotKey = -1;

/// What a handle owns: a slot of the anchors, and a reference to the runtime.
pub(crate) struct SlotOwner {
    /// Not counted among those of programs.
    runtime: ManuallyDrop<Runtime>,
    pub(crate) key: SlotKey,
}

impl SlotOwner {
    /// Only with the lock held. The slot is in use, and becomes this one's.
    #[inline]
    pub(crate) fn new(shared: &Shared, key: SlotKey) -> Self {
        let reference = match shared.lock.owner().spare() {
            Some(spare) if spare.take(shared) => ManuallyDrop::into_inner(Owner::borrowed(shared)),
            _ => Owner::uncounted(Arc::clone(Owner::borrowed(shared).as_arc())),
        };
        SlotOwner {
            runtime: ManuallyDrop::new(Runtime::from_owner(reference)),
            key,
        }
    }

    /// One that owns nothing.
    #[inline]
    pub(crate) fn borrowed(shared: &Shared, key: SlotKey) -> ManuallyDrop<Self> {
        ManuallyDrop::new(SlotOwner {
            runtime: Runtime::borrowed(shared),
            key,
        })
    }

    /// Another owner for a runtime that nobody can enter any more: it has no slot, and would give nil.
    #[cold]
    pub(crate) fn without_slot(&self) -> Self {
        let reference = Owner::uncounted(Arc::clone(self.runtime.owner().as_arc()));
        SlotOwner {
            runtime: ManuallyDrop::new(Runtime::from_owner(reference)),
            key: NO_SLOT,
        }
    }

    #[inline]
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

impl Drop for SlotOwner {
    #[inline]
    fn drop(&mut self) {
        let shared = self.runtime.shared();
        let by_the_bias = shared.release(self.key);
        let shared = std::ptr::from_ref(shared);
        if let Some(me) = by_the_bias
            && me.spare_or_new().keep(shared)
        {
            return;
        }
        // SAFETY: the reference is this one's, and given up once, here.
        drop(unsafe { Arc::from_raw(shared) });
    }
}

/// The place for a reference that a thread keeps for its next handle. Never freed.
pub(super) struct Spare {
    /// The runtime; null for none. Only between `looks` and the end of that, or by who wants it.
    runtime: AtomicPtr<Shared>,
    /// The thread looks at its reference, or finds out that it may not.
    looks: AtomicBool,
    /// Another thread looks for what it has to take back.
    wanted: AtomicBool,
    /// The fork of the process that the thread is of.
    generation: AtomicU32,
    next: *const Spare,
}

/// All of them, most recent first, those of threads that were lost in a fork, too.
static SPARES: AtomicPtr<Spare> = AtomicPtr::new(std::ptr::null_mut());

// SAFETY: `next` does not change after the place is in the list; the rest is atomic.
unsafe impl Sync for Spare {}

fn spares() -> impl Iterator<Item = &'static Spare> {
    // SAFETY: they are never freed, and all in the list are complete.
    let first = unsafe { SPARES.load(Ordering::Acquire).as_ref() };
    std::iter::successors(first, |spare| {
        // SAFETY: as above.
        unsafe { spare.next.as_ref() }
    })
}

impl Spare {
    /// A new place, for the thread that calls this. Under the watchdog's lock.
    pub(super) fn new() -> &'static Spare {
        let spare = Box::leak(Box::new(Spare {
            runtime: AtomicPtr::new(std::ptr::null_mut()),
            looks: AtomicBool::new(false),
            wanted: AtomicBool::new(false),
            generation: AtomicU32::new(lock::forks()),
            next: SPARES.load(Ordering::Relaxed),
        }));
        SPARES.store(spare, Ordering::Release);
        spare
    }

    /// In the child of a fork, for its one thread.
    pub(super) fn after_fork(&self) {
        self.generation.store(lock::forks(), Ordering::Relaxed);
        // Who wanted something is lost.
        self.wanted.store(false, Ordering::Relaxed);
    }

    /// Runs `f` while nobody else looks; `None` if somebody does.
    #[inline]
    fn look<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        self.looks.store(true, Ordering::Relaxed);
        // The other side of `take_back`.
        compiler_fence(Ordering::SeqCst);
        let result = (!self.wanted.load(Ordering::Acquire)).then(f);
        self.looks.store(false, Ordering::Release);
        result
    }

    /// Takes the reference if it is one to this runtime.
    #[inline]
    fn take(&self, shared: &Shared) -> bool {
        let is_here = || std::ptr::eq(self.runtime.load(Ordering::Relaxed), shared);
        let take = || {
            let here = is_here();
            if here {
                self.runtime.store(std::ptr::null_mut(), Ordering::Relaxed);
            }
            here
        };
        // Only others put it away meanwhile.
        is_here() && self.look(take) == Some(true)
    }

    /// Keeps a reference, which the caller owns; whether it could.
    #[inline]
    fn keep(&self, shared: *const Shared) -> bool {
        let keep = || {
            // SAFETY: the caller owns a reference.
            let has_owners = unsafe { (*shared).closing.owners.load(Ordering::SeqCst) } != 0;
            has_owners.then(|| {
                let former = self.runtime.load(Ordering::Relaxed);
                self.runtime.store(shared.cast_mut(), Ordering::Relaxed);
                former
            })
        };
        let Some(Some(former)) = self.look(keep) else {
            return false;
        };
        if !former.is_null() {
            drop_reference(former);
        }
        true
    }
}

/// Drops the reference that a thread has kept.
#[cold]
#[inline(never)]
fn drop_reference(shared: *mut Shared) {
    // SAFETY: it came from a reference that `Spare::keep` was given, and who took it out of its place owns that.
    drop(unsafe { Arc::from_raw(shared.cast_const()) });
}

/// Takes back the references to a runtime that threads keep: there is no owner but the caller, and no thread keeps another one.
#[cold]
fn take_back(shared: &Arc<Shared>) {
    let mut found = Vec::new();
    {
        let _only_one = watch::lock();
        for spare in spares() {
            spare.wanted.store(true, Ordering::Relaxed);
        }
        bias::barrier();
        for spare in spares() {
            // A thread that was lost in a fork does not look, whatever it said.
            while spare.looks.load(Ordering::Acquire)
                && spare.generation.load(Ordering::Relaxed) == lock::forks()
            {
                std::thread::yield_now();
            }
            if std::ptr::eq(spare.runtime.load(Ordering::Relaxed), Arc::as_ptr(shared)) {
                found.push(spare.runtime.swap(std::ptr::null_mut(), Ordering::Relaxed));
            }
            spare.wanted.store(false, Ordering::Release);
        }
    }
    found.into_iter().for_each(drop_reference);
}

impl Record {
    /// The place of this thread, whose record this is; none before the thread has kept a reference.
    #[inline]
    fn spare(&self) -> Option<&'static Spare> {
        self.spare.get().copied()
    }

    #[inline]
    fn spare_or_new(&self) -> &'static Spare {
        self.spare.get_or_init(|| {
            let _only_one = watch::lock();
            Spare::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    /// A reference to a runtime as what a handle has: not one of a `Runtime`.
    fn reference(lua: &Runtime) -> *const Shared {
        Arc::into_raw(Arc::clone(lua.owner().as_arc()))
    }

    #[test]
    fn who_takes_back_waits_for_a_thread_that_looks() {
        let lua = Runtime::new().unwrap();
        let (looks, has_looked) = mpsc::channel();
        thread::scope(|s| {
            let given = reference(&lua).expose_provenance();
            s.spawn(move || {
                let spare = watch::record().spare_or_new();
                spare.look(|| {
                    looks.send(()).unwrap();
                    // Time for the other to take back what is not there yet.
                    thread::sleep(Duration::from_millis(50));
                    let given = std::ptr::with_exposed_provenance_mut(given);
                    spare.runtime.store(given, Ordering::Relaxed);
                });
            });
            has_looked.recv().unwrap();
            take_back(lua.owner().as_arc());
        });
        assert_eq!(Arc::strong_count(lua.owner().as_arc()), 1);
    }

    #[test]
    fn a_thread_does_not_look_while_its_reference_is_wanted() {
        let lua = Runtime::new().unwrap();
        let spare = watch::record().spare_or_new();
        let given = reference(&lua);
        assert!(spare.keep(given));
        spare.wanted.store(true, Ordering::Relaxed);
        assert!(!spare.take(lua.shared()));
        assert!(!spare.keep(given));
        spare.wanted.store(false, Ordering::Relaxed);
        assert!(spare.take(lua.shared()));
        assert!(!spare.take(lua.shared()));
        drop_reference(given.cast_mut());
    }
}
