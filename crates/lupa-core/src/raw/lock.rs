//! The re-entrant lock of a runtime.

use super::watch::{self, Record};
use crate::error::{Error, Result};
use parking_lot::RawMutex;
use parking_lot::lock_api::RawMutex as _;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Number of forks this process descends from since the first runtime was made.
static FORKS: AtomicU32 = AtomicU32::new(0);

#[cfg(unix)]
fn count_forks() {
    use std::sync::Once;
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        watch::after_fork();
    }
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the handler is a plain function that touches atomics and a plain
        // thread-local, which is allowed in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    });
}

#[cfg(not(unix))]
fn count_forks() {}

/// Re-entrant mutex that knows when its owner was lost in a fork.
pub(crate) struct Lock {
    mutex: RawMutex,
    /// The record of the owning thread, which tells it from all others that are alive; null for none. Only the
    /// owner itself ever reads its own record here.
    owner: AtomicPtr<Record>,
    /// As wide as memory: guards that are forgotten cannot make it wrap.
    depth: Cell<usize>,
    /// `FORKS` when the lock was taken.
    generation: AtomicU32,
}

// SAFETY: `depth` is touched only by the thread that owns the lock; the rest is atomic.
unsafe impl Sync for Lock {}

impl Lock {
    pub(crate) fn new() -> Self {
        count_forks();
        Lock {
            mutex: RawMutex::INIT,
            owner: AtomicPtr::new(std::ptr::null_mut()),
            depth: Cell::new(0),
            generation: AtomicU32::new(0),
        }
    }

    /// Takes the lock, waiting for another thread if need be.
    #[inline]
    pub(crate) fn lock(&self) -> Result<Held<'_>> {
        match self.try_lock() {
            Some(held) => Ok(held),
            None => self.wait(),
        }
    }

    /// Takes the lock if that needs no waiting.
    #[inline]
    pub(crate) fn try_lock(&self) -> Option<Held<'_>> {
        let me = watch::record();
        if std::ptr::eq(self.owner.load(Ordering::Relaxed), me) {
            self.depth.set(self.depth.get() + 1);
        } else if self.mutex.try_lock() {
            self.taken(me);
        } else {
            return None;
        }
        Some(Held {
            lock: self,
            not_send: PhantomData,
        })
    }

    /// The record of this thread, which owns the lock.
    #[inline]
    pub(super) fn owner(&self) -> &'static Record {
        // SAFETY: what is stored here came from a reference to a record, and records are never freed.
        unsafe { self.owner.load(Ordering::Relaxed).as_ref() }.unwrap_or_else(|| watch::record())
    }

    #[inline]
    fn taken(&self, me: &'static Record) {
        let owner = std::ptr::from_ref(me).cast_mut();
        self.owner.store(owner, Ordering::Relaxed);
        self.generation
            .store(FORKS.load(Ordering::Relaxed), Ordering::Relaxed);
        self.depth.set(1);
    }

    #[cold]
    fn wait(&self) -> Result<Held<'_>> {
        // A thread that held the lock when the process forked does not exist in
        // the child: nobody would ever release it.
        // A thread of the child itself may have taken the lock and not noted it yet.
        let mut patience = 100;
        while self.generation.load(Ordering::Relaxed) != FORKS.load(Ordering::Relaxed) {
            if patience == 0 {
                return Err(Error::Forked);
            }
            patience -= 1;
            std::thread::sleep(std::time::Duration::from_micros(100));
        }
        self.mutex.lock();
        self.taken(watch::record());
        Ok(Held {
            lock: self,
            not_send: PhantomData,
        })
    }
}

/// Proof that this thread owns the lock; releases it on drop.
pub(crate) struct Held<'a> {
    lock: &'a Lock,
    not_send: PhantomData<*const ()>,
}

impl Held<'_> {
    /// Whether this is the thread's outermost hold.
    #[inline]
    pub(crate) fn is_outermost(&self) -> bool {
        self.lock.depth.get() == 1
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        let depth = self.lock.depth.get() - 1;
        self.lock.depth.set(depth);
        if depth == 0 {
            self.lock
                .owner
                .store(std::ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: this thread took the mutex and gives it back exactly once, here.
            unsafe { self.lock.mutex.unlock() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_reentrant_and_excludes_other_threads() {
        let lock = Lock::new();
        let outer = lock.lock().unwrap();
        let inner = lock.lock().unwrap();
        assert!(outer.is_outermost() == inner.is_outermost());
        std::thread::scope(|s| {
            assert!(s.spawn(|| lock.try_lock().is_none()).join().unwrap());
        });
        drop(inner);
        drop(outer);
        std::thread::scope(|s| {
            assert!(s.spawn(|| lock.try_lock().is_some()).join().unwrap());
        });
    }
}
