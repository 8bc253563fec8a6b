//! The bias of a lock towards the thread that takes it again and again.
//!
//! Most runtimes are used by one thread for long. An atomic read-modify-write instruction where the lock is taken, and one where it is
//! given back, cost that thread a seventh of a short call. A thread that took the lock [`STREAK`] times in a row
//! is left it: from then on it takes it by a plain store, and looks whether another thread has asked for it since. The one that asks
//! pays for both: it has the kernel put a barrier on all running threads (`membarrier(2)`), after which either it sees the store of
//! the first, or that sees that it was asked. From then on both use the mutex, until one of them has a streak again.
//!
//! The scheme is known as biased locking, of Kawachiya, Koseki and Onodera, "Lock Reservation: Java Locks Can Mostly Do Without Atomic
//! Operations" (2002); the barrier on the one side alone is that of asymmetric fences (P1202 of the C++ committee).

use super::watch::Record;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, compiler_fence, fence};

/// Number of times that one thread takes the mutex in a row before it is left the lock. To ask for it back costs some
/// microseconds, which is little beside so many. Few where assertions are on, so that tests go both ways.
const STREAK: u32 = if cfg!(debug_assertions) { 3 } else { 1000 };

/// What a thread that the lock is left to says with that it has taken it. Each thread has its own: one that was taken off its processor
/// just before it says so does it when the lock may long be left to another, and must not overwrite what that says.
struct Seat {
    of: &'static Record,
    /// 1 while the thread has the lock by the bias, or finds out that it may not; a futex.
    taken: AtomicU32,
}

/// What says whether the lock is left to a thread, and whether that has taken it.
pub(super) struct Bias {
    /// The seat of the thread that the lock is left to; null for none. Set by that thread, with the mutex; reset by
    /// others, with the mutex.
    to: AtomicPtr<Seat>,
    /// The seat that was in `to` last; null before the first. Changed only with the mutex and the lock, so that who has one may read it.
    seat: Cell<*const Seat>,
    /// All seats, at most one a record, each alive as long as the lock. Only with the mutex and the lock.
    seats: Cell<Vec<Arc<Seat>>>,
    /// The thread that took the mutex last. Only with the lock.
    last: Cell<*const Record>,
    /// How many times in a row it has. Only with the lock.
    streak: Cell<u32>,
    /// Whether the lock was ever left to a thread.
    was_left: AtomicBool,
}

/// Asks the kernel for the barrier before the first runtime is made. While a process has one thread, which it often has then, that takes
/// no time; later it is some 10 ms, once.
pub(super) fn prepare() {
    // `leave_to` asks again.
    let _ = system::available();
}

/// A full memory barrier on all threads of this process.
pub(super) fn barrier() {
    system::barrier();
}

impl Bias {
    pub(super) fn new() -> Self {
        Bias {
            to: AtomicPtr::new(std::ptr::null_mut()),
            seat: Cell::new(std::ptr::null()),
            seats: Cell::default(),
            last: Cell::new(std::ptr::null()),
            streak: Cell::new(0),
            was_left: AtomicBool::new(false),
        }
    }

    /// Whether the lock was ever left to a thread.
    pub(super) fn was_left(&self) -> bool {
        self.was_left.load(Ordering::SeqCst)
    }

    /// Takes the lock if it is left to this thread, whose record is given, and the thread does not have it.
    #[inline]
    pub(super) fn take(&self, me: &Record) -> bool {
        let seat = self.to.load(Ordering::Acquire);
        // SAFETY: seats live as long as the lock.
        let Some(seat) = (unsafe { seat.as_ref() }) else {
            return false;
        };
        std::ptr::eq(seat.of, me) && self.claim(seat)
    }

    /// The second half of [`Bias::take`], before which the thread may have been off its processor for any time.
    #[inline]
    fn claim(&self, mine: &Seat) -> bool {
        mine.taken.store(1, Ordering::Relaxed);
        // The other side of `revoke`.
        compiler_fence(Ordering::SeqCst);
        if std::ptr::eq(self.to.load(Ordering::Relaxed), mine) {
            // What was done under the lock before was done by this thread, or by another that gave it back
            // through the mutex, which this one had when the bias was set.
            return true;
        }
        self.leave(mine);
        false
    }

    /// Gives the lock back that [`Bias::take`] took.
    #[inline]
    pub(super) fn give_back(&self) {
        if let Some(seat) = self.seat() {
            self.leave(seat);
        }
    }

    #[inline]
    fn leave(&self, seat: &Seat) {
        seat.taken.store(0, Ordering::Release);
        // As in `take`: either who asks for the lock sees that it is free, or this thread sees that it was asked.
        compiler_fence(Ordering::SeqCst);
        if self.to.load(Ordering::Relaxed).is_null() {
            system::wake(&seat.taken);
        }
    }

    /// The seat that the lock was left to last. Only with the mutex or the lock.
    #[inline]
    fn seat(&self) -> Option<&Seat> {
        // SAFETY: seats live as long as the lock.
        unsafe { self.seat.get().as_ref() }
    }

    /// Asks for the lock; whether no thread has it by the bias. Only with the mutex: as long as that is held it stays so.
    #[inline]
    pub(super) fn revoke(&self) -> bool {
        if !self.to.load(Ordering::Relaxed).is_null() {
            self.to.store(std::ptr::null_mut(), Ordering::Relaxed);
            system::barrier();
        }
        self.seat()
            .is_none_or(|seat| seat.taken.load(Ordering::Acquire) == 0)
    }

    /// Waits a little, at most about 0.1 s, for the thread that has the lock by the bias to give it back. Only with the mutex.
    pub(super) fn wait(&self) {
        if let Some(seat) = self.seat() {
            system::wait(&seat.taken);
        }
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
        if !system::available() {
            return;
        }
        let mut seats = self.seats.take();
        let mine = seats.iter().position(|seat| std::ptr::eq(seat.of, me));
        let mine = mine.unwrap_or_else(|| {
            seats.push(Arc::new(Seat {
                of: me,
                taken: AtomicU32::new(0),
            }));
            seats.len() - 1
        });
        let seat = Arc::as_ptr(&seats[mine]);
        self.seats.set(seats);
        self.seat.set(seat);
        self.was_left.store(true, Ordering::SeqCst);
        self.to.store(seat.cast_mut(), Ordering::Release);
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::watch;
    use super::*;

    #[test]
    fn who_comes_late_takes_nothing_from_another() {
        let bias = Bias::new();
        let me = watch::record();
        let other = std::thread::scope(|s| s.spawn(watch::record).join().unwrap());
        assert!(!std::ptr::eq(me, other));
        bias.leave_to(me);
        let seat = bias.seat().unwrap();
        // Here this thread would be off its processor, between the two halves of `take`.
        assert!(bias.revoke());
        bias.leave_to(other);
        assert!(bias.take(other));
        assert!(!bias.claim(seat));
        assert!(!bias.revoke());
        bias.give_back();
        assert!(bias.revoke());
    }

    #[test]
    fn a_thread_has_one_seat() {
        let bias = Bias::new();
        let me = watch::record();
        let other = std::thread::scope(|s| s.spawn(watch::record).join().unwrap());
        for _ in 0..3 {
            for record in [me, other] {
                bias.leave_to(record);
                assert!(bias.take(record));
                bias.give_back();
            }
        }
        let seats = bias.seats.take();
        assert_eq!(seats.len(), 2);
        bias.seats.set(seats);
    }
}
