//! The bias of a lock towards the thread that takes it again and again.
//!
//! Most runtimes are used by one thread for long. An atomic read-modify-write instruction where the lock is taken, and one where it is
//! given back, cost that thread half of what a short call costs. A thread that took the lock [`STREAK`] times in a row
//! is left it: from then on it takes it by a plain store, and looks whether another thread has asked for it since. The one that asks
//! pays for both: it has the kernel put a barrier on all running threads (`membarrier(2)`), after which either it sees the store of
//! the first, or that sees that it was asked. From then on both use the mutex, until one of them has a streak again.
//!
//! The scheme is known as biased locking, of Kawachiya, Koseki and Onodera, "Lock Reservation: Java Locks Can Mostly Do Without Atomic
//! Operations" (2002); the barrier on the one side alone is that of asymmetric fences (P1202 of the C++ committee).

use super::watch::Record;
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering, compiler_fence, fence};

/// Number of times that one thread takes the mutex in a row before it is left the lock. To ask for it back costs some
/// microseconds, which is little beside so many. Few where assertions are on, so that tests go both ways.
const STREAK: u32 = if cfg!(debug_assertions) { 3 } else { 1000 };

/// What says whether the lock is left to a thread, and whether that has taken it.
pub(super) struct Bias {
    /// The record of the thread that the lock is left to; null for none. Set by that thread, with the mutex; reset by
    /// others, with the mutex.
    to: AtomicPtr<Record>,
    /// 1 while that thread has the lock by the bias, or finds out that it may not; a futex.
    taken: AtomicU32,
    /// The thread that took the mutex last. Only with the lock.
    last: Cell<*const Record>,
    /// How many times in a row it has. Only with the lock.
    streak: Cell<u32>,
}

impl Bias {
    pub(super) fn new() -> Self {
        Bias {
            to: AtomicPtr::new(std::ptr::null_mut()),
            taken: AtomicU32::new(0),
            last: Cell::new(std::ptr::null()),
            streak: Cell::new(0),
        }
    }

    /// Takes the lock if it is left to this thread, whose record is given, and the thread does not have it.
    #[inline]
    pub(super) fn take(&self, me: &Record) -> bool {
        if !std::ptr::eq(self.to.load(Ordering::Relaxed), me) {
            return false;
        }
        self.taken.store(1, Ordering::Relaxed);
        // The other side of `revoke`.
        compiler_fence(Ordering::SeqCst);
        if std::ptr::eq(self.to.load(Ordering::Relaxed), me) {
            // What was done under the lock before was done by this thread, or by another that gave it back
            // through the mutex, which this one had when the bias was set.
            return true;
        }
        self.give_back();
        false
    }

    /// Gives the lock back that [`Bias::take`] took.
    #[inline]
    pub(super) fn give_back(&self) {
        self.taken.store(0, Ordering::Release);
        // As in `take`: either who asks for the lock sees that it is free, or this thread sees that it was asked.
        compiler_fence(Ordering::SeqCst);
        if self.to.load(Ordering::Relaxed).is_null() {
            system::wake(&self.taken);
        }
    }

    /// Asks for the lock; whether no thread has it by the bias. Only with the mutex: as long as that is held it stays so.
    #[inline]
    pub(super) fn revoke(&self) -> bool {
        if !self.to.load(Ordering::Relaxed).is_null() {
            self.to.store(std::ptr::null_mut(), Ordering::Relaxed);
            system::barrier();
        }
        self.taken.load(Ordering::Acquire) == 0
    }

    /// Waits a little, at most about 0.1 s, for the thread that has the lock by the bias to give it back.
    pub(super) fn wait(&self) {
        system::wait(&self.taken);
    }

    /// Notes that this thread took the mutex and has the lock: it may be left to it.
    #[inline]
    pub(super) fn note(&self, me: &'static Record) {
        if !std::ptr::eq(self.last.replace(me), me) {
            self.streak.set(0);
        }
        let streak = self.streak.get() + 1;
        self.streak.set(streak);
        if streak >= STREAK {
            self.leave_to(me);
        }
    }

    #[cold]
    fn leave_to(&self, me: &'static Record) {
        self.streak.set(0);
        if system::available() {
            let me = std::ptr::from_ref(me).cast_mut();
            self.to.store(me, Ordering::Relaxed);
        }
    }
}

#[cfg(target_os = "linux")]
mod system {
    use super::{AtomicU32, Ordering, fence};
    use std::time::Duration;

    // Of linux/membarrier.h; libc does not have them.
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the system call takes three integers and touches no memory of ours.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Whether the kernel has the barrier and lets this process use it. Asked each time, which is quick after the
    /// first: what a variable says could be wrong in a fork.
    pub(super) fn available() -> bool {
        membarrier(REGISTER_PRIVATE_EXPEDITED)
    }

    /// A full memory barrier on all threads of this process.
    pub(super) fn barrier() {
        fence(Ordering::SeqCst);
        if !membarrier(PRIVATE_EXPEDITED) {
            // The process has forbidden itself the system call since. What a processor has stored reaches
            // the others within microseconds, and a thread that is taken off it has passed a barrier.
            std::thread::sleep(Duration::from_millis(10));
        }
        fence(Ordering::SeqCst);
    }

    pub(super) fn wait(taken: &AtomicU32) {
        let most = libc::timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        // SAFETY: the kernel reads the integer, which is live and aligned, and the time.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                taken.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                1,
                &raw const most,
            )
        };
    }

    #[cold]
    pub(super) fn wake(taken: &AtomicU32) {
        // SAFETY: the kernel takes the address as a name and does not read there.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                taken.as_ptr(),
                libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                1,
            )
        };
    }
}

/// Without `membarrier` no lock is left to a thread.
#[cfg(not(target_os = "linux"))]
mod system {
    use super::{AtomicU32, Ordering, fence};

    pub(super) fn available() -> bool {
        false
    }

    pub(super) fn barrier() {
        fence(Ordering::SeqCst);
    }

    pub(super) fn wait(_taken: &AtomicU32) {
        std::thread::yield_now();
    }

    pub(super) fn wake(_taken: &AtomicU32) {}
}
