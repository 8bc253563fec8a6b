//! The watchdog: one thread that notices Lua code that runs long.
//!
//! Nothing polls where code runs quickly. Each thread that runs Lua code has a [`Record`], in
//! which a run costs a few plain stores. The watchdog looks at the records every [`TICK`] while
//! Lua code runs, and sleeps otherwise. A thread whose run has lasted a whole tick, has passed its deadline or
//! was interrupted gets a signal (`signal`), whose handler sets a hook (`stop`); in the hook, in
//! normal code, it is decided what is to be done. A signal that came to nothing is sent again.
//!
//! Records are never freed, so the signal handler and other threads may always read them. The list
//! of them is walked without a lock; all that is done to a thread is done with the watchdog's.

use super::owner::Spare;
use super::shared::Shared;
use super::signal;
use crate::error::{Error, Result};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// A point in time, in nanoseconds since the first one that was asked for.
pub(super) type Time = u64;

/// No deadline.
pub(super) const NEVER: Time = Time::MAX;

/// Time between two looks at the same run.
const TICK: Time = 100_000_000;

/// After signals without an answer, because the thread is in a callback or a C function, the time to the
/// next doubles up to so many times: a signal can interrupt what it waits for.
const MOST_DOUBLINGS: u32 = 3;

/// What one thread runs, and what else is to be known of it where code is entered.
pub(super) struct Record {
    /// Where the native stack ends as far as Lua code may use it, an address; `usize::MAX` while unknown.
    pub(super) stack_end: AtomicUsize,
    /// The thread's number; 0 when it has ended.
    thread: AtomicUsize,
    /// Locks of runtimes that the thread has. Only the thread itself changes it.
    locks: AtomicUsize,
    /// The runtime of the innermost run; null when no Lua code runs.
    running: AtomicPtr<Shared>,
    /// Number of outermost runs so far.
    entries: AtomicU64,
    /// The outermost run, by `entries`, that needs no looks but for a deadline.
    at_rest: AtomicU64,
    /// The outermost run that has to be signalled until it ends.
    pressed: AtomicU64,
    /// Number of hooks that ran.
    answers: AtomicU64,
    deadline: AtomicU64,
    /// A signal is on its way.
    sent: AtomicBool,
    /// The traceback of the last error that a message handler was called for, until it is taken. Only the thread itself locks it.
    traceback: Mutex<Vec<u8>>,
    /// Where the thread keeps a reference for its next handle; none before the first.
    pub(super) spare: OnceLock<&'static Spare>,
    next: AtomicPtr<Record>,
}

/// All records, most recent first.
static RECORDS: AtomicPtr<Record> = AtomicPtr::new(std::ptr::null_mut());
/// The watchdog of this process; null before the first, and in a fork.
static WATCHDOG: AtomicPtr<Watchdog> = AtomicPtr::new(std::ptr::null_mut());
/// Whether the watchdog is to be woken when Lua code starts to run.
static ASLEEP: AtomicBool = AtomicBool::new(signal::AVAILABLE);
/// When the watchdog will look next, at the latest. `NEVER` while it makes up its mind.
static NEXT_LOOK: AtomicU64 = AtomicU64::new(NEVER);

thread_local! {
    /// This thread's record; null before its first run.
    static RECORD: Cell<*const Record> = const { Cell::new(std::ptr::null()) };
    /// Notes the end of the thread.
    static END: End = const { End };
}

struct End;

impl Drop for End {
    fn drop(&mut self) {
        let record = RECORD.replace(std::ptr::null());
        // No signal may be sent to a thread that has ended.
        let _state = Watchdog::get().lock();
        // SAFETY: records are never freed.
        if let Some(record) = unsafe { record.as_ref() } {
            record.thread.store(0, Ordering::Relaxed);
        }
    }
}

/// This thread's record.
#[inline]
pub(super) fn record() -> &'static Record {
    // SAFETY: records are never freed.
    match unsafe { RECORD.get().as_ref() } {
        Some(record) => record,
        None => register(),
    }
}

/// Keeps other threads from what is done once at a time.
pub(super) fn lock() -> impl Sized {
    Watchdog::get().lock()
}

fn records() -> impl Iterator<Item = &'static Record> {
    // SAFETY: records are never freed, and all in the list are complete.
    let first = unsafe { RECORDS.load(Ordering::Acquire).as_ref() };
    std::iter::successors(first, |record| {
        // SAFETY: as above.
        unsafe { record.next.load(Ordering::Acquire).as_ref() }
    })
}

#[cold]
fn register() -> &'static Record {
    let me = signal::this_thread();
    let state = Watchdog::get().lock();
    // While the thread's locals are destroyed nothing would note its end: it is not watched then.
    let watched = END.try_with(|_| ()).is_ok();
    // A thread that has ended with a lock has it for ever: the next one must not be taken for it.
    let unused = |record: &&Record| record.has_ended() && record.locks.load(Ordering::Acquire) == 0;
    let record = match records().find(unused) {
        Some(record) if watched => record,
        _ => {
            let record: &Record = Box::leak(Box::new(Record {
                stack_end: AtomicUsize::new(usize::MAX),
                thread: AtomicUsize::new(0),
                locks: AtomicUsize::new(0),
                running: AtomicPtr::new(std::ptr::null_mut()),
                entries: AtomicU64::new(0),
                at_rest: AtomicU64::new(0),
                pressed: AtomicU64::new(0),
                answers: AtomicU64::new(0),
                deadline: AtomicU64::new(NEVER),
                sent: AtomicBool::new(false),
                traceback: Mutex::new(Vec::new()),
                spare: OnceLock::new(),
                next: AtomicPtr::new(RECORDS.load(Ordering::Relaxed)),
            }));
            if watched {
                let pointer = std::ptr::from_ref(record).cast_mut();
                RECORDS.store(pointer, Ordering::Release);
            }
            record
        }
    };
    if watched {
        signal::admit();
        record.sent.store(false, Ordering::Relaxed);
        record.thread.store(me, Ordering::Relaxed);
    }
    record.stack_end.store(usize::MAX, Ordering::Relaxed);
    RECORD.set(record);
    drop(state);
    record
}

impl Record {
    /// The thread has taken a lock.
    #[inline]
    pub(super) fn add_lock(&self) {
        let locks = self.locks.load(Ordering::Relaxed);
        self.locks.store(locks + 1, Ordering::Relaxed);
    }

    /// The thread gives a lock back.
    #[inline]
    pub(super) fn remove_lock(&self) {
        let locks = self.locks.load(Ordering::Relaxed);
        self.locks.store(locks - 1, Ordering::Release);
    }

    /// Whether there is no such thread any more.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == 0
    }

    /// Whether it is of a thread of this process: not of one that was lost in a fork.
    pub(super) fn is_known(&self) -> bool {
        records().any(|record| std::ptr::eq(record, self))
    }

    /// Notes that a run of `shared` starts; gives what [`Record::leave`] takes at its end.
    #[inline]
    pub(super) fn enter(&self, shared: &Shared) -> *mut Shared {
        let outer = self.running.load(Ordering::Relaxed);
        if outer.is_null() {
            let entries = self.entries.load(Ordering::Relaxed);
            self.entries.store(entries + 1, Ordering::Relaxed);
        }
        let shared = std::ptr::from_ref(shared).cast_mut();
        self.running.store(shared, Ordering::Relaxed);
        // Without a fence the watchdog may fall asleep and not see the store above, nor we
        // that it does: it looks once more a tick later before it really sleeps.
        if ASLEEP.load(Ordering::Relaxed) {
            wake();
        }
        outer
    }

    #[inline]
    pub(super) fn leave(&self, outer: *mut Shared) {
        self.running.store(outer, Ordering::Relaxed);
    }

    /// The runtime of the innermost run of this thread, whose record this is.
    pub(super) fn running(&self) -> *const Shared {
        self.running.load(Ordering::Relaxed)
    }

    /// Keeps the traceback of an error, in place of one that nobody has taken.
    pub(super) fn keep_traceback(&self, traceback: Vec<u8>) {
        *self
            .traceback
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = traceback;
    }

    /// Gives the traceback that was kept, or an empty one.
    pub(super) fn take_traceback(&self) -> Vec<u8> {
        std::mem::take(
            &mut self
                .traceback
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    /// Notes that the hook ran.
    pub(super) fn answer(&self) {
        let answers = self.answers.load(Ordering::Relaxed);
        self.answers.store(answers + 1, Ordering::Relaxed);
    }

    /// Number of hooks that ran.
    pub(super) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// The current outermost run needs no more looks, but for a deadline or an interrupt.
    pub(super) fn rest(&self) {
        let entries = self.entries.load(Ordering::Relaxed);
        self.at_rest.store(entries, Ordering::Relaxed);
    }

    /// The current outermost run is to be signalled until it ends. Takes effect at a look.
    pub(super) fn press(&self) {
        let entries = self.entries.load(Ordering::Relaxed);
        self.pressed.store(entries, Ordering::Relaxed);
        if ASLEEP.load(Ordering::Relaxed) {
            wake();
        }
    }

    pub(super) fn deadline_has_passed(&self) -> bool {
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline != NEVER && deadline <= now()
    }

    /// Brings the deadline of this thread forward to a time from now; gives the old one.
    pub(super) fn set_limit(&self, limit: Time) -> Time {
        let deadline = now().saturating_add(limit);
        let old = self.deadline.load(Ordering::Relaxed);
        if deadline < old {
            self.set_deadline(deadline);
        }
        old
    }

    fn set_deadline(&self, deadline: Time) {
        // In one order with the watchdog's accesses to both: either it sees the deadline,
        // or we see that it plans to look too late.
        self.deadline.store(deadline, Ordering::SeqCst);
        if deadline < NEXT_LOOK.load(Ordering::SeqCst) {
            wake();
        }
    }

    /// What changes from fiber to fiber.
    pub(super) fn running_and_deadline(&self) -> (*mut Shared, Time) {
        let deadline = self.deadline.load(Ordering::Relaxed);
        (self.running.load(Ordering::Relaxed), deadline)
    }

    /// The thread runs another fiber from now on.
    pub(super) fn switch(&self, running: *mut Shared, deadline: Time) {
        self.running.store(running, Ordering::Relaxed);
        self.set_deadline(deadline);
    }

    pub(super) fn restore_deadline(&self, old: Time) {
        self.deadline.store(old, Ordering::Relaxed);
    }

    /// Signals the thread. Only with the watchdog's lock.
    fn signal(&self, _state: &MutexGuard<'_, State>) {
        let thread = self.thread.load(Ordering::Relaxed);
        if thread != 0 {
            self.sent.store(true, Ordering::Relaxed);
            // SAFETY: the thread is alive: it takes the lock, which is held, to note its end.
            unsafe { signal::send(thread) };
        }
    }
}

/// Interrupts the run of the thread whose record `runner` gives, if any: `mark` is
/// called, and the thread is signalled until its outermost run ends.
pub(super) fn interrupt(runner: impl FnOnce() -> Option<&'static Record>, mark: impl FnOnce()) {
    let watchdog = Watchdog::get();
    let mut state = watchdog.lock();
    let Some(record) = runner() else { return };
    mark();
    let entries = record.entries.load(Ordering::Relaxed);
    record.pressed.store(entries, Ordering::Relaxed);
    record.signal(&state);
    watchdog.call(&mut state);
}

/// The signal handler: sets the hook of what the thread runs. Whether the watchdog sent the
/// signal.
#[cfg(unix)]
pub(super) fn signalled(thread: usize) -> bool {
    let mine = |record: &&Record| record.thread.load(Ordering::Relaxed) == thread;
    let Some(record) = records().find(mine) else {
        return false;
    };
    // SAFETY: the run that the pointer was stored for goes on, underneath this handler, and
    // keeps its runtime.
    if let Some(shared) = unsafe { record.running.load(Ordering::Relaxed).as_ref() } {
        shared.arm_in_signal(record);
    }
    record.sent.swap(false, Ordering::Relaxed)
}

/// In the child of a fork: there is no watchdog, and no thread but this one.
#[cfg(unix)]
pub(super) fn after_fork() {
    // What the parent's threads may have been changing is left alone: nothing but atomics here.
    WATCHDOG.store(std::ptr::null_mut(), Ordering::Relaxed);
    let record = RECORD.get();
    // SAFETY: records are never freed.
    if let Some(record) = unsafe { record.as_ref() } {
        record.next.store(std::ptr::null_mut(), Ordering::Relaxed);
        if let Some(spare) = record.spare.get() {
            spare.after_fork();
        }
    }
    RECORDS.store(record.cast_mut(), Ordering::Relaxed);
    NEXT_LOOK.store(NEVER, Ordering::Relaxed);
    ASLEEP.store(true, Ordering::Relaxed);
}

/// Makes the watchdog look now.
#[cold]
fn wake() {
    let watchdog = Watchdog::get();
    watchdog.call(&mut watchdog.lock());
}

/// Whether there are means to stop Lua code here.
pub(super) fn available() -> Result<()> {
    if signal::AVAILABLE {
        Ok(())
    } else {
        Err(Error::Unavailable(
            "time limits and interrupts need signals".into(),
        ))
    }
}

pub(super) fn time(duration: Duration) -> Time {
    // Longer than anybody waits is no limit.
    duration.as_nanos().try_into().unwrap_or(NEVER)
}

fn now() -> Time {
    static START: OnceLock<Instant> = OnceLock::new();
    time(START.get_or_init(Instant::now).elapsed())
}

struct Watchdog {
    state: Mutex<State>,
    called: Condvar,
}

#[derive(Default)]
struct State {
    has_thread: bool,
    /// Somebody wants a look.
    called: bool,
}

/// What the watchdog knows of a thread.
struct Seen {
    entries: u64,
    answers: u64,
    /// When the run was first seen or last signalled.
    since: Time,
    /// When it was last signalled; 0 for never.
    signalled: Time,
    signals_without_answer: u32,
}

impl Watchdog {
    fn get() -> &'static Watchdog {
        let mut watchdog = WATCHDOG.load(Ordering::Acquire);
        if watchdog.is_null() {
            let new = Box::into_raw(Box::new(Watchdog {
                state: Mutex::default(),
                called: Condvar::new(),
            }));
            let null = std::ptr::null_mut();
            watchdog = new;
            if let Err(other) =
                WATCHDOG.compare_exchange(null, new, Ordering::AcqRel, Ordering::Acquire)
            {
                // SAFETY: it came from `into_raw` above and nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                watchdog = other;
            }
        }
        // SAFETY: what the static holds is never freed.
        unsafe { &*watchdog }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the watchdog look, and starts it if need be.
    fn call(&'static self, state: &mut MutexGuard<'_, State>) {
        ASLEEP.store(false, Ordering::Relaxed);
        state.called = true;
        if state.has_thread {
            self.called.notify_one();
            return;
        }
        let thread = std::thread::Builder::new().name("lupa-watchdog".to_owned());
        state.has_thread = thread.spawn(|| self.watch()).is_ok();
        if !state.has_thread {
            // The next run tries again.
            ASLEEP.store(signal::AVAILABLE, Ordering::Relaxed);
        }
    }

    fn watch(&self) {
        signal::block_all();
        let mut seen = HashMap::new();
        let mut state = self.lock();
        // Going to sleep takes two looks without anything to see.
        let mut drowsy = false;
        loop {
            state.called = false;
            NEXT_LOOK.store(NEVER, Ordering::SeqCst);
            let now = now();
            let next = look(&state, &mut seen, now);
            if next.is_none() && drowsy {
                state = self.wait(state, NEVER);
                drowsy = false;
                continue;
            }
            drowsy = next.is_none();
            ASLEEP.store(drowsy, Ordering::Relaxed);
            let next = next.unwrap_or(now + TICK);
            NEXT_LOOK.store(next, Ordering::SeqCst);
            state = self.wait(state, next);
        }
    }

    /// Waits until somebody calls or it is time.
    fn wait<'a>(&self, mut state: MutexGuard<'a, State>, until: Time) -> MutexGuard<'a, State> {
        while !state.called {
            let current = now();
            if current >= until {
                break;
            }
            let left = Duration::from_nanos(until - current);
            let waited = self.called.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }
}

/// Looks at all threads and signals those that need it; gives the time of the next look, if
/// any is needed before Lua code is entered again.
fn look(
    state: &MutexGuard<'_, State>,
    all_seen: &mut HashMap<*const Record, Seen>,
    now: Time,
) -> Option<Time> {
    let mut next: Option<Time> = None;
    let mut look_by = |time: Time| next = Some(next.map_or(time, |next| next.min(time)));
    for record in records() {
        if record.thread.load(Ordering::Relaxed) == 0 {
            continue;
        }
        let deadline = record.deadline.load(Ordering::SeqCst);
        let has_passed = deadline <= now;
        if has_passed {
            look_by(now + TICK);
        } else if deadline != NEVER {
            look_by(deadline);
        }
        let entries = record.entries.load(Ordering::Relaxed);
        let answers = record.answers.load(Ordering::Relaxed);
        let seen = all_seen.entry(record).or_insert(Seen {
            entries: 0,
            answers,
            since: now,
            signalled: 0,
            signals_without_answer: 0,
        });
        if seen.entries != entries {
            // Even if nothing runs just now: where calls are short there is one soon.
            look_by(now + TICK);
            seen.entries = entries;
            seen.answers = answers;
            seen.since = now;
            seen.signalled = 0;
            seen.signals_without_answer = 0;
        }
        if record.running.load(Ordering::Relaxed).is_null() {
            continue;
        }
        if seen.answers != answers {
            seen.answers = answers;
            seen.signals_without_answer = 0;
        }
        let is_pressed = record.pressed.load(Ordering::Relaxed) == entries;
        let at_rest = record.at_rest.load(Ordering::Relaxed) == entries;
        if at_rest && !is_pressed && !has_passed {
            continue;
        }
        let repeated = seen.signals_without_answer.saturating_sub(1);
        let doublings = repeated.min(MOST_DOUBLINGS);
        let due = seen.since + (TICK << doublings);
        // The first look after the deadline signals at once.
        if now >= due || (has_passed && seen.signalled < deadline) {
            record.signal(state);
            seen.since = now;
            seen.signalled = now;
            seen.signals_without_answer += 1;
            look_by(now + TICK);
        } else {
            look_by(due);
        }
    }
    next
}

/// Whether the innermost run of this thread is of a given runtime. May be called in a signal handler: it makes no
/// record for a thread that has none.
#[cfg(unix)]
pub(super) fn runs_here(shared: *const Shared) -> bool {
    let thread = signal::this_thread();
    let mine = |record: &&Record| record.thread.load(Ordering::Relaxed) == thread;
    records()
        .find(mine)
        .is_some_and(|record| record.running() == shared)
}
