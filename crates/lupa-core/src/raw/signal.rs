//! Stopping a thread in its tracks, to set the hook of the Lua code that it runs.
//!
//! `lua_sethook` is safe in a signal handler of the thread that runs the state, and not from another
//! thread. The signal is SIGURG, as in Go's runtime: it is ignored by default, debuggers
//! pass it on, and who uses it must be prepared for spurious ones.

pub(super) use platform::{AVAILABLE, admit, block_all, send, this_thread};

#[cfg(unix)]
mod platform {
    use super::super::watch;
    use std::ffi::{c_int, c_void};
    use std::mem::{MaybeUninit, transmute};
    use std::ptr::null_mut;
    use std::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering};

    pub(in super::super) const AVAILABLE: bool = true;

    const SIGNAL: c_int = libc::SIGURG;

    /// The handler that ours replaced, and its flags.
    static PREVIOUS: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
    static PREVIOUS_FLAGS: AtomicI32 = AtomicI32::new(0);
    /// Calls of the previous handler that are under way.
    static CHAINED: AtomicU32 = AtomicU32::new(0);
    /// More than threads that can be in the handler at once; two handlers that have each
    /// other for their previous one stop there.
    const MOST_CHAINED: u32 = 100;

    /// The number of this thread, never 0. May be called in a signal handler.
    pub(in super::super) fn this_thread() -> usize {
        // SAFETY: it needs nothing and only reads a register.
        unsafe { libc::pthread_self() as usize }
    }

    /// Lets signals through to this thread.
    pub(in super::super) fn admit() {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigemptyset` fills the set before it is used.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), SIGNAL);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, set.as_ptr(), null_mut());
        }
    }

    /// Keeps all signals from this thread.
    pub(in super::super) fn block_all() {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigfillset` fills the set before it is used.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, set.as_ptr(), null_mut());
        }
    }

    /// Sends the signal to a thread, once its handler is installed.
    ///
    /// # Safety
    /// `thread` is a number that `this_thread` gave, and the thread has not ended. One caller at
    /// a time.
    pub(in super::super) unsafe fn send(thread: usize) {
        install();
        // SAFETY: by the caller the thread is alive.
        unsafe { libc::pthread_kill(thread as libc::pthread_t, SIGNAL) };
    }

    /// Installs the handler if it is not, for instance because somebody replaced it.
    fn install() {
        let ours = handler as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) as usize;
        let mut current = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: all zeros is a valid `sigaction`; the structures outlive the calls, and the
        // handler has the signature that SA_SIGINFO asks for.
        unsafe {
            if libc::sigaction(SIGNAL, std::ptr::null(), current.as_mut_ptr()) != 0 {
                return;
            }
            let current = current.assume_init();
            if current.sa_sigaction == ours {
                return;
            }
            PREVIOUS_FLAGS.store(current.sa_flags, Ordering::Relaxed);
            PREVIOUS.store(current.sa_sigaction, Ordering::Relaxed);
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            action.sa_sigaction = ours;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            libc::sigaction(SIGNAL, &action, null_mut());
        }
    }

    extern "C" fn handler(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
        if watch::signalled(this_thread()) {
            return;
        }
        // Somebody else's signal.
        let previous = PREVIOUS.load(Ordering::Relaxed);
        if previous == libc::SIG_DFL || previous == libc::SIG_IGN {
            return;
        }
        if CHAINED.fetch_add(1, Ordering::Relaxed) < MOST_CHAINED {
            // SAFETY: `install` read the handler from the system, and its flags tell
            // which of the two signatures it has.
            unsafe {
                if PREVIOUS_FLAGS.load(Ordering::Relaxed) & libc::SA_SIGINFO != 0 {
                    type Full = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
                    transmute::<usize, Full>(previous)(signal, info, context);
                } else {
                    transmute::<usize, extern "C" fn(c_int)>(previous)(signal);
                }
            }
        }
        CHAINED.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(not(unix))]
mod platform {
    pub(in super::super) const AVAILABLE: bool = false;

    pub(in super::super) fn this_thread() -> usize {
        1
    }

    pub(in super::super) fn admit() {}

    pub(in super::super) fn block_all() {}

    /// # Safety
    /// None needed here.
    pub(in super::super) unsafe fn send(_thread: usize) {}
}
