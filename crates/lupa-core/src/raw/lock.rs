//! The re-entrant lock of a runtime.

use super::bias::{self, Bias};
use super::sys;
use super::watch::{self, Record};
use crate::error::{Error, Result};
use parking_lot::RawMutex;
use parking_lot::lock_api::{RawMutex as _, RawMutexTimed as _};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

/// Number of forks this process descends from since the first runtime was made.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// Number of the fork that this process is.
pub(super) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

#[cfg(unix)]
fn count_forks() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        watch::after_fork();
        // SAFETY: no other thread is left that could use what it sets right.
        unsafe { sys::lupa_after_fork() };
    }
    // SAFETY: the handler is a plain function that touches atomics, plain variables and a plain
    // thread-local, which is allowed in the child of a fork.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

#[cfg(not(unix))]
fn count_forks() {}

/// Re-entrant mutex that knows when its owner was lost in a fork, and is quick for a thread that takes it again and again.
pub(crate) struct Lock {
    /// What a thread has to hold to own the lock, unless the lock is left to it by the bias.
    mutex: RawMutex,
    bias: Bias,
    /// The record of the owning thread, which tells it from all others that are alive; null for none. A
    /// thread finds its own record here only while it owns the lock.
    owner: AtomicPtr<Record>,
    /// As wide as memory: guards that are forgotten cannot make it wrap.
    depth: Cell<usize>,
    /// Whether the owner has the lock by the bias, without the mutex.
    biased: Cell<bool>,
    /// `FORKS` when the mutex was taken.
    generation: AtomicU32,
}

// SAFETY: `depth`, `biased` and the cells of `bias` are touched only by the thread that owns the lock; the rest is atomic.
unsafe impl Sync for Lock {}

impl Lock {
    pub(crate) fn new() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            count_forks();
            bias::prepare();
        });
        Lock {
            mutex: RawMutex::INIT,
            bias: Bias::new(),
            owner: AtomicPtr::new(std::ptr::null_mut()),
            depth: Cell::new(0),
            biased: Cell::new(false),
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
        } else if self.is_of_this_process() && self.bias.take(me) {
            self.taken(me, true);
        } else if !self.try_mutex(me) {
            return None;
        }
        Some(Held {
            lock: self,
            not_send: PhantomData,
        })
    }

    /// Runs `f` with the lock if it is left to this thread, which does not have it; gives the thread's record then. For what is done at
    /// once: `f` takes no lock, runs no code of others, and does not unwind, so nobody is told who has the lock meanwhile.
    #[inline]
    pub(super) fn at_once(&self, f: impl FnOnce()) -> Option<&'static Record> {
        let me = watch::record();
        let is_free = !std::ptr::eq(self.owner.load(Ordering::Relaxed), me);
        if !(is_free && self.is_of_this_process() && self.bias.take(me)) {
            return None;
        }
        f();
        self.bias.give_back();
        Some(me)
    }

    /// Whether the lock was ever left to a thread.
    pub(super) fn was_left(&self) -> bool {
        self.bias.was_left()
    }

    /// Whether a thread of this process has taken the mutex. In a fork it may be a thread of the parent that has it, for ever,
    /// though the lock is left to this one.
    #[inline]
    fn is_of_this_process(&self) -> bool {
        self.generation.load(Ordering::Relaxed) == FORKS.load(Ordering::Relaxed)
    }

    /// Takes the lock by the mutex, if that needs no waiting. Not inlined, to keep the way by the bias short.
    #[inline(never)]
    fn try_mutex(&self, me: &'static Record) -> bool {
        if !self.mutex.try_lock() {
            return false;
        }
        if self.bias.revoke() {
            self.taken(me, false);
            true
        } else {
            // SAFETY: the mutex was taken above.
            unsafe { self.mutex.unlock() };
            false
        }
    }

    /// The record of this thread, which owns the lock.
    #[inline]
    pub(super) fn owner(&self) -> &'static Record {
        self.holder().unwrap_or_else(|| watch::record())
    }

    /// The record of the thread that owns the lock, if any does. For others it may be out of date.
    #[inline]
    pub(super) fn holder(&self) -> Option<&'static Record> {
        // SAFETY: what is stored here came from a reference to a record, and records are never freed.
        unsafe { self.owner.load(Ordering::Acquire).as_ref() }
    }

    #[inline]
    fn taken(&self, me: &'static Record, biased: bool) {
        let owner = std::ptr::from_ref(me).cast_mut();
        self.owner.store(owner, Ordering::Release);
        me.add_lock();
        self.depth.set(1);
        self.biased.set(biased);
        if !biased {
            let forks = FORKS.load(Ordering::Relaxed);
            self.generation.store(forks, Ordering::Relaxed);
            self.bias.note(me);
        }
    }

    #[cold]
    fn wait(&self) -> Result<Held<'_>> {
        let mut patience = PATIENCE;
        while !self.mutex.try_lock_for(LOOK) {
            self.may_be_given_back(&mut patience)?;
        }
        while !self.bias.revoke() {
            self.bias.wait();
            if let Err(error) = self.may_be_given_back(&mut patience) {
                // SAFETY: the mutex was taken above.
                unsafe { self.mutex.unlock() };
                return Err(error);
            }
        }
        self.taken(watch::record(), false);
        Ok(Held {
            lock: self,
            not_send: PhantomData,
        })
    }

    /// Gives an error if nobody will ever give the lock back.
    fn may_be_given_back(&self, patience: &mut u32) -> Result<()> {
        match self.holder() {
            Some(holder) if holder.is_known() => match holder.has_ended() {
                true => Err(Error::Abandoned),
                false => Ok(()),
            },
            _ if self.is_of_this_process() => Ok(()),
            _ => {
                // A thread that held the lock when the process forked does not exist in the child. A thread of the child itself may
                // have taken the lock and not noted it yet.
                *patience = patience.checked_sub(1).ok_or(Error::Forked)?;
                Ok(())
            }
        }
    }
}

/// Time after which who waits for the lock looks whether it will ever be given back: rarely enough to cost nothing.
const LOOK: Duration = Duration::from_millis(50);

/// Number of looks in the child of a fork before a lock that nobody has there is given up.
const PATIENCE: u32 = 3;

/// Proof that this thread owns the lock; releases it on drop.
pub(crate) struct Held<'a> {
    lock: &'a Lock,
    not_send: PhantomData<*const ()>,
}

impl Held<'_> {
    /// The record of this thread, if it has the lock by the bias.
    #[inline]
    pub(super) fn by_the_bias(&self) -> Option<&'static Record> {
        self.lock.biased.get().then(|| self.lock.owner())
    }

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
            self.lock.owner().remove_lock();
            self.lock
                .owner
                .store(std::ptr::null_mut(), Ordering::Relaxed);
            if self.lock.biased.get() {
                self.lock.bias.give_back();
            } else {
                // SAFETY: this thread took the mutex and gives it back exactly once, here.
                unsafe { self.lock.mutex.unlock() };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64};
    use std::sync::mpsc;
    use std::thread;

    /// A lock that is left to this thread, as far as the system allows it.
    fn left_to_this_thread() -> Lock {
        let lock = Lock::new();
        for _ in 0..5000 {
            drop(lock.lock().unwrap());
        }
        lock
    }

    #[test]
    fn is_reentrant_and_excludes_other_threads() {
        for lock in [Lock::new(), left_to_this_thread()] {
            let outer = lock.lock().unwrap();
            assert!(outer.is_outermost());
            let inner = lock.lock().unwrap();
            assert!(!inner.is_outermost());
            let is_free = || thread::scope(|s| s.spawn(|| lock.try_lock().is_some()).join());
            assert!(!is_free().unwrap());
            drop(inner);
            assert!(!is_free().unwrap());
            drop(outer);
            assert!(is_free().unwrap());
            assert!(lock.try_lock().unwrap().is_outermost());
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn is_left_to_the_thread_that_takes_it_again_and_again() {
        let lock = left_to_this_thread();
        drop(lock.lock().unwrap());
        assert!(lock.biased.get());
        thread::scope(|s| {
            s.spawn(|| drop(lock.lock().unwrap()));
        });
        drop(lock.lock().unwrap());
        assert!(!lock.biased.get());
    }

    #[test]
    fn who_asks_for_it_gets_it_when_it_is_given_back() {
        let lock = left_to_this_thread();
        let held = lock.lock().unwrap();
        let is_given_back = AtomicBool::new(false);
        let (send, asks) = mpsc::channel();
        thread::scope(|s| {
            s.spawn(|| {
                send.send(()).unwrap();
                let _held = lock.lock().unwrap();
                assert!(is_given_back.load(Ordering::Relaxed));
            });
            asks.recv().unwrap();
            thread::sleep(Duration::from_millis(20));
            is_given_back.store(true, Ordering::Relaxed);
            drop(held);
        });
        // Without anybody to wait for, it is taken at once.
        assert!(lock.try_lock().is_some());
    }

    // Breaks (never ends) if the child takes the lock by the bias: then nothing tells that the mutex is lost.
    #[cfg(target_os = "linux")]
    #[test]
    fn it_is_lost_in_a_fork_while_another_thread_begins_to_ask_for_it() {
        let lock = left_to_this_thread();
        let is_lost = || matches!(lock.lock(), Err(Error::Forked));
        let (send, has_mutex) = mpsc::channel();
        let (is_over, over) = mpsc::channel::<()>();
        thread::scope(|s| {
            let lock = &lock;
            s.spawn(move || {
                lock.mutex.lock();
                send.send(()).unwrap();
                over.recv().unwrap();
                // SAFETY: it was taken above.
                unsafe { lock.mutex.unlock() };
            });
            has_mutex.recv().unwrap();
            // SAFETY: the child uses no lock of the parent's but this one, and ends here.
            unsafe {
                let child = libc::fork();
                if child == 0 {
                    libc::alarm(20);
                    let are_lost =
                        is_lost() && thread::scope(|s| s.spawn(is_lost).join().unwrap_or(false));
                    libc::_exit(i32::from(!are_lost));
                }
                let mut status = -1;
                libc::waitpid(child, &raw mut status, 0);
                assert_eq!(status, 0);
            }
            is_over.send(()).unwrap();
        });
        assert!(lock.try_lock().is_some());
    }

    // Breaks if the record of a thread that has ended with the lock goes to the next one, which would then be taken for the owner.
    #[test]
    fn a_thread_that_ends_with_it_leaves_it_to_nobody() {
        for lock in [Lock::new(), left_to_this_thread()] {
            let in_thread = |f: &(dyn Fn() + Sync)| thread::scope(|s| s.spawn(f).join().unwrap());
            in_thread(&|| std::mem::forget(lock.lock().unwrap()));
            in_thread(&|| assert!(lock.try_lock().is_none()));
            in_thread(&|| assert!(matches!(lock.lock(), Err(Error::Abandoned))));
            assert!(matches!(lock.lock(), Err(Error::Abandoned)));
        }
    }

    /// What only one thread at a time may do, though each step is atomic.
    #[derive(Default)]
    struct Guarded(AtomicU64);

    impl Guarded {
        fn add(&self) {
            let n = self.0.load(Ordering::Relaxed);
            self.0.store(n + 1, Ordering::Relaxed);
        }
    }

    // Breaks if `Bias::revoke` leaves out the barrier: counts get lost, or the lock itself is.
    #[test]
    fn no_two_threads_have_it_at_once() {
        const TIMES: u64 = 5_000_000;
        let lock = Lock::new();
        let counter = Guarded::default();
        let is_over = AtomicBool::new(false);
        let others = thread::scope(|s| {
            // Two that take it now and then, one of which does not wait, beside one for which it is quick.
            let others = [true, false].map(|waits| {
                let (lock, counter, is_over) = (&lock, &counter, &is_over);
                s.spawn(move || {
                    let mut times = 0;
                    while !is_over.load(Ordering::Relaxed) {
                        let held = if waits {
                            lock.lock().ok()
                        } else {
                            lock.try_lock()
                        };
                        if held.is_some() {
                            counter.add();
                            times += 1;
                        }
                        drop(held);
                        thread::sleep(Duration::from_micros(20));
                    }
                    times
                })
            });
            for _ in 0..TIMES {
                let _held = lock.lock().unwrap();
                counter.add();
            }
            is_over.store(true, Ordering::Relaxed);
            others.map(|thread| thread.join().unwrap())
        });
        assert!(others[0] > 0);
        assert_eq!(
            counter.0.load(Ordering::Relaxed),
            TIMES + others[0] + others[1]
        );
    }

    // Breaks if `Lock::at_once` does without `Bias::take`, or gives back what this thread has besides.
    #[test]
    fn what_is_done_at_once_is_done_alone() {
        const TIMES: u64 = 300_000;
        let lock = left_to_this_thread();
        let counter = Guarded::default();
        // Long enough for two to meet.
        let add = || {
            let n = counter.0.load(Ordering::Relaxed);
            (0..50).for_each(|_| std::hint::spin_loop());
            counter.0.store(n + 1, Ordering::Relaxed);
        };
        let is_over = AtomicBool::new(false);
        let (at_once, others) = thread::scope(|s| {
            let other = s.spawn(|| {
                let mut times = 0;
                while !is_over.load(Ordering::Relaxed) {
                    let held = lock.lock().unwrap();
                    assert!(lock.at_once(|| unreachable!()).is_none());
                    add();
                    times += 1;
                    drop(held);
                    thread::sleep(Duration::from_micros(20));
                }
                times
            });
            let mut at_once = 0;
            for _ in 0..TIMES {
                if lock.at_once(add).is_some() {
                    at_once += 1;
                } else {
                    let _held = lock.lock().unwrap();
                    assert!(lock.at_once(|| unreachable!()).is_none());
                    add();
                }
            }
            is_over.store(true, Ordering::Relaxed);
            (at_once, other.join().unwrap())
        });
        assert!(others > 0 && (at_once > 0 || cfg!(not(target_os = "linux"))));
        assert_eq!(counter.0.load(Ordering::Relaxed), TIMES + others);
    }

    #[test]
    fn threads_may_end_while_it_is_left_to_them() {
        const TIMES: u64 = 10_000;
        let lock = Lock::new();
        let counter = Guarded::default();
        let add = || {
            for _ in 0..TIMES {
                let _held = lock.lock().unwrap();
                counter.add();
            }
        };
        for _ in 0..50 {
            // The next ones get the records of these.
            thread::scope(|s| {
                s.spawn(add);
                s.spawn(add);
            });
        }
        assert_eq!(counter.0.load(Ordering::Relaxed), 100 * TIMES);
    }

    // Breaks if a thread that was taken off its processor between its look at the bias and its store can do harm to the
    // one that the lock is left to meanwhile.
    #[test]
    fn no_two_of_many_threads_have_it_at_once() {
        const THREADS: u64 = 6;
        const TIMES: u64 = 3_000_000;
        let lock = Lock::new();
        let counter = Guarded::default();
        thread::scope(|s| {
            for _ in 0..THREADS {
                s.spawn(|| {
                    for _ in 0..TIMES {
                        let _held = lock.lock().unwrap();
                        counter.add();
                    }
                });
            }
        });
        assert_eq!(counter.0.load(Ordering::Relaxed), THREADS * TIMES);
    }
}
