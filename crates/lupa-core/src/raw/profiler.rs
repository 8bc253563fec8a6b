//! LuaJIT's profiler, of which there is one in a process.
//!
//! LuaJIT sets a timer for the processor time of the process (`ITIMER_PROF`) and, in the handler of SIGPROF, a hook of
//! its own beside that of `lua_sethook`; at the next instruction the hook calls [`sample`]. Three things are added to
//! that:
//!
//! * The signal may come on any thread, and to set a hook is safe only on the one that runs the state. So a handler of
//!   ours stands before LuaJIT's and drops the signal elsewhere: that time was not spent in this runtime.
//! * A signal that arrives when the profiler has just been stopped would end the process, so there is a handler
//!   underneath that does nothing.
//! * The stack is read by `lua_getstack` and `lua_getinfo`, which neither allocate nor raise, not by
//!   `luaJIT_profile_dumpstack`: an error has no way out of the hook.
//!
//! Our stop hook goes on to work: while LuaJIT's hook is due it only waits its turn, and what it misses while
//! `sample` runs is repeated by the watchdog.

use super::function::{copied, kind_of};
use super::shared::Shared;
use super::stack::Stack;
use super::sys;
use super::traceback::short_name;
use crate::error::{Error, Result};
use crate::profiler::{ProfileFrame, VmState};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// The runtime that is profiled; only compared, never used.
static PROFILED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());
/// What has been seen; `None` while no profiler runs.
static SEEN: Mutex<Option<Seen>> = Mutex::new(None);

pub(crate) type Counts = HashMap<(VmState, Vec<ProfileFrame>), u64>;

struct Seen {
    counts: Counts,
    depth: c_int,
    lines: bool,
}

fn seen() -> MutexGuard<'static, Option<Seen>> {
    SEEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How to profile.
pub(crate) struct Settings {
    pub(crate) milliseconds: u32,
    pub(crate) depth: u16,
    pub(crate) lines: bool,
}

impl Stack<'_> {
    /// Starts the profiler for this runtime. Takes four slots, and leaves none.
    pub(crate) fn start_profiler(self, settings: &Settings) -> Result<()> {
        if !platform::AVAILABLE {
            return Err(Error::Unavailable("the profiler".into()));
        }
        static ENTRY: Once = Once::new();
        // SAFETY: `sample` neither raises nor unwinds.
        ENTRY.call_once(|| unsafe { sys::lupa_set_profile_entry(sample) });
        let this = std::ptr::from_ref(self.shared).cast_mut();
        let none = std::ptr::null_mut();
        PROFILED
            .compare_exchange(none, this, Ordering::AcqRel, Ordering::Relaxed)
            .map_err(|_| in_use())?;
        *seen() = Some(Seen {
            counts: HashMap::new(),
            depth: settings.depth.into(),
            lines: settings.lines,
        });
        let precision = if settings.lines { 'l' } else { 'f' };
        let mode = format!("{precision}i{}", settings.milliseconds);
        let former = platform::prepare();
        let outcome = self.call_profiler(Some(&mode));
        // LuaJIT says nothing if Lua code of another runtime uses its profiler.
        let outcome =
            outcome.and_then(|()| platform::guard(former).then_some(()).ok_or_else(in_use));
        if outcome.is_err() {
            forget();
        }
        outcome
    }

    fn call_profiler(self, mode: Option<&str>) -> Result<()> {
        let top = self.top();
        self.reserve(4)?;
        let call = self.begin_protected(sys::lupa_p_profile);
        match mode {
            Some(mode) => self.push_bytes(mode.as_bytes())?,
            None => self.push_nil(),
        }
        self.call(call, 0)?;
        self.pop_to(top);
        Ok(())
    }
}

impl Shared {
    /// Stops the profiler of this runtime and gives what it has seen. A runtime that was closed has stopped it itself.
    pub(crate) fn stop_profiler(&self) -> Result<Counts> {
        let outcome = self.enter(|stack| stack.call_profiler(None));
        let seen = forget();
        match outcome {
            Ok(()) | Err(Error::Closed) => Ok(seen),
            Err(error) => Err(error),
        }
    }
}

/// Ends the profiling as far as we are concerned.
fn forget() -> Counts {
    let seen = seen().take();
    PROFILED.store(std::ptr::null_mut(), Ordering::Release);
    seen.map(|seen| seen.counts).unwrap_or_default()
}

#[cold]
fn in_use() -> Error {
    Error::message("the profiler is in use: there is one in a process")
}

/// LuaJIT's hook calls this between two instructions of the profiled state.
unsafe extern "C" fn sample(_: *mut c_void, l: *mut sys::lua_State, samples: c_int, state: c_int) {
    let add = || {
        let mut seen = seen();
        // Lua code with the library `jit.profile` cannot get here, but a sample may come late.
        let Some(seen) = &mut *seen else { return };
        // SAFETY: by LuaJIT the state is live, and this thread runs it.
        let frames = unsafe { frames(l, seen.depth, seen.lines) };
        let key = (VmState::from_letter(state as u8), frames);
        *seen.counts.entry(key).or_default() += u64::try_from(samples).unwrap_or(0);
    };
    if let Err(panic) = catch_unwind(AssertUnwindSafe(add)) {
        // There is nobody to tell, and to drop it might panic again.
        std::mem::forget(panic);
    }
}

/// The frames of a state, innermost first.
///
/// # Safety
/// The state is live and this thread runs it.
unsafe fn frames(l: *mut sys::lua_State, depth: c_int, lines: bool) -> Vec<ProfileFrame> {
    let mut frames = Vec::new();
    for level in 0..depth {
        // SAFETY: by the caller; the structure is filled in by the second call after the first has found the
        // level, and read at once. Neither allocates or raises.
        unsafe {
            let mut info = MaybeUninit::<sys::lua_Debug>::zeroed().assume_init();
            if sys::lua_getstack(l, level, &mut info) == 0 {
                break;
            }
            sys::lua_getinfo(l, c"nSl".as_ptr(), &mut info);
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let line = if lines {
                info.currentline
            } else {
                info.linedefined
            };
            frames.push(ProfileFrame {
                name: short_name(info.name).map(text),
                source: text(copied(info.short_src.as_ptr())),
                line: u32::try_from(line).ok().filter(|line| *line > 0),
                is_chunk: kind_of(info.what) == c"main",
            });
        }
    }
    frames
}

#[cfg(unix)]
mod platform {
    use super::super::watch;
    use super::PROFILED;
    use std::ffi::{c_int, c_void};
    use std::mem::{MaybeUninit, transmute};
    use std::ptr::{null, null_mut};
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub(super) const AVAILABLE: bool = true;

    /// LuaJIT's handler, which ours calls.
    static LUAJITS: AtomicUsize = AtomicUsize::new(0);

    /// What handles SIGPROF at present.
    fn current() -> libc::sigaction {
        // SAFETY: all zeros is a valid `sigaction`, and the structure outlives the call.
        unsafe {
            let mut action = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
            libc::sigaction(libc::SIGPROF, null(), &mut action);
            action
        }
    }

    fn install(mut action: libc::sigaction, handler: usize) {
        action.sa_sigaction = handler;
        // SAFETY: the structure outlives the call; the handlers given here take what `sa_flags` says.
        unsafe { libc::sigaction(libc::SIGPROF, &action, null_mut()) };
    }

    /// Before LuaJIT installs its handler: sees to it that a late signal does no harm; gives the handler.
    pub(super) fn prepare() -> usize {
        let action = current();
        if action.sa_sigaction == libc::SIG_DFL {
            // A handler rather than SIG_IGN, which programs that this one starts would inherit.
            install(action, ignore as extern "C" fn(c_int) as usize);
        }
        current().sa_sigaction
    }

    /// Puts our handler before LuaJIT's; `false` if LuaJIT has not installed any.
    pub(super) fn guard(former: usize) -> bool {
        let mut action = current();
        if action.sa_sigaction == former {
            return false;
        }
        LUAJITS.store(action.sa_sigaction, Ordering::Release);
        action.sa_flags |= libc::SA_ONSTACK | libc::SA_SIGINFO;
        // SAFETY: the set is a valid one.
        unsafe { libc::sigaddset(&mut action.sa_mask, libc::SIGURG) };
        let ours = on_this_thread as extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);
        install(action, ours as usize);
        true
    }

    extern "C" fn ignore(_: c_int) {}

    extern "C" fn on_this_thread(signal: c_int, _: *mut libc::siginfo_t, _: *mut c_void) {
        let profiled = PROFILED.load(Ordering::Acquire);
        if !profiled.is_null() && watch::runs_here(profiled) {
            let luajits = LUAJITS.load(Ordering::Acquire);
            // SAFETY: this handler is installed after the other was stored, which takes the signal's number.
            unsafe { transmute::<usize, extern "C" fn(c_int)>(luajits)(signal) };
        }
    }
}

#[cfg(not(unix))]
mod platform {
    pub(super) const AVAILABLE: bool = false;

    pub(super) fn prepare() -> usize {
        0
    }

    pub(super) fn guard(_: usize) -> bool {
        false
    }
}
