//! Ending Lua code that runs too long.

use crate::error::Result;
use crate::raw::Shared;
use crate::runtime::Runtime;
use std::sync::Weak;
use std::time::Duration;

/// Time limits, interrupts and checks.
///
/// Lua code that has to end is ended by an error that it cannot catch: `pcall` in a loop
/// does not keep it alive, nor does an `xpcall` handler, which is not even run. Compiled loops and coroutines
/// are reached like everything else, and the runtime stays usable. What cannot be interrupted comes to its end
/// first: a single call of a C function such as a pattern match, and a host function. The host's check also waits for
/// functions set by `debug.sethook`. Where a finalizer was ended, those of Lua code that the collector would have
/// called after it do not run any more.
///
/// On a runtime that uses nothing of this, it costs a few plain stores a call. A call that
/// lasts longer than 0.1 s is noticed by a thread of this library, which sends SIGURG to the thread
/// that runs it; a handler that was installed for SIGURG before is called for other senders' signals. Where there are no
/// such signals (on Windows) these functions give [`Error::Unavailable`](crate::Error::Unavailable).
impl Runtime {
    /// Sets how long each call from the host into Lua may take, all that it calls in turn included; `None` for any
    /// time. Then it ends with [`Error::Timeout`](crate::Error::Timeout). It holds for calls that begin from now on,
    /// and may be set from any thread.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lupa_core::{Error, Runtime};
    /// let lua = Runtime::new()?;
    /// lua.set_time_limit(Some(std::time::Duration::from_millis(50)))?;
    /// let error = lua.load("while true do end").exec().unwrap_err();
    /// assert!(matches!(error, Error::Timeout(_)));
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Unavailable`.
    pub fn set_time_limit(&self, limit: Option<Duration>) -> Result<()> {
        self.shared().set_time_limit(limit)
    }

    /// Calls `f`; the Lua code that this thread runs meanwhile, in this runtime or another one, may take so long in
    /// all, instead of the time that [`Runtime::set_time_limit`] gives to each call in this runtime. A limit further
    /// up on this thread goes on to hold: this one can only shorten it. Holds the runtime's lock.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lupa_core::{Error, Runtime};
    /// use std::time::Duration;
    ///
    /// let lua = Runtime::new()?;
    /// let run = |code: &str| lua.with_time_limit(Duration::from_millis(50), || lua.load(code).exec());
    /// assert!(matches!(run("while true do end")?, Err(Error::Timeout(_))));
    /// // It is over with the closure.
    /// lua.load("local start = os.clock() repeat until os.clock() - start > 0.2").exec()?;
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Forked`, `Error::Unavailable`.
    pub fn with_time_limit<R>(&self, limit: Duration, f: impl FnOnce() -> R) -> Result<R> {
        self.shared().with_time_limit(limit, f)
    }

    /// Ends the Lua code that runs in this runtime, with [`Error::Interrupted`](crate::Error::Interrupted). Does
    /// nothing if none runs. May be called from any thread, and in a host function; waits for nothing.
    ///
    /// If a host function that Lua code called had called Lua in turn, and goes on in spite of the error, the code that
    /// called it is interrupted when it returns.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lupa_core::{Error, Runtime, function};
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("quit", function(|lua: &Runtime| lua.interrupt()))?;
    /// let error = lua.load("pcall(quit) while true do end").exec().unwrap_err();
    /// assert!(matches!(error, Error::Interrupted(_)));
    /// assert_eq!(lua.load("return 'ready again'").eval::<String>()?, "ready again");
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Unavailable`.
    pub fn interrupt(&self) -> Result<()> {
        self.shared().interrupt()
    }

    /// A handle by which another thread, or a signal of the system that was turned into a message, can end the Lua code
    /// that runs here; it does not keep the runtime alive.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lupa_core::{Error, Runtime, function};
    ///
    /// let lua = Runtime::new()?;
    /// let stop = lua.interrupt_handle();
    /// // What Lua code owns may have a handle, where a `Runtime` would keep itself alive.
    /// lua.globals()?.set("quit", function(move || stop.interrupt()))?;
    /// let error = lua.load("quit() while true do end").exec().unwrap_err();
    /// assert!(matches!(error, Error::Interrupted(_)));
    /// let weak = lua.downgrade();
    /// drop(lua);
    /// assert!(weak.upgrade().is_none());
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle(self.downgrade().0)
    }

    /// Sets the host's own reason to end Lua code, once and for all. `check` is called about every 0.1 s while
    /// Lua code runs, on the thread that runs it, between two of its instructions. An error ends the Lua code and arrives as what it is. `Ok(true)`
    /// asks to be called again, `Ok(false)` not to be for the rest of the call from the host.
    ///
    /// `check` may use the runtime. Lua code that it calls cannot be interrupted. Gives whether it was set: `false` if there was a check already.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lupa_core::{Error, Runtime};
    /// use std::sync::{Arc, atomic::{AtomicBool, Ordering}};
    ///
    /// let lua = Runtime::new()?;
    /// let quit = Arc::new(AtomicBool::new(false));
    /// let flag = quit.clone();
    /// lua.set_check(move || match flag.load(Ordering::Relaxed) {
    ///     true => Err(Error::message("the program ends")),
    ///     false => Ok(true),
    /// })?;
    /// lua.load("local start = os.clock() repeat until os.clock() - start > 0.2").exec()?;
    /// quit.store(true, Ordering::Relaxed);
    /// assert_eq!(lua.load("while true do end").exec().unwrap_err().text(), "the program ends");
    /// assert!(!lua.set_check(|| Ok(false))?);
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Unavailable`.
    pub fn set_check(
        &self,
        check: impl Fn() -> Result<bool> + Send + Sync + 'static,
    ) -> Result<bool> {
        self.shared().set_check(Box::new(check))
    }
}

/// Ends the Lua code of a runtime; see [`Runtime::interrupt_handle`]. Clones are for the same runtime.
///
/// ```
/// # #[cfg(unix)] {
/// use lupa_core::{Error, Runtime};
/// use std::time::Duration;
///
/// let lua = Runtime::new()?;
/// let handle = lua.interrupt_handle();
/// let later = std::thread::spawn(move || {
///     std::thread::sleep(Duration::from_millis(50));
///     handle.interrupt()?;
///     Ok::<_, Error>(handle)
/// });
/// let error = lua.load("while true do end").exec().unwrap_err();
/// assert!(matches!(error, Error::Interrupted(_)));
///
/// let handle = later.join().unwrap()?;
/// drop(lua);
/// assert!(!handle.interrupt()?); // nothing is left to be interrupted
/// # }
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone)]
pub struct InterruptHandle(Weak<Shared>);

impl InterruptHandle {
    /// As [`Runtime::interrupt`]; `false` if the runtime is closed or gone.
    ///
    /// Should the last owner of the runtime go at this very moment, the runtime is freed when this returns, on
    /// this thread.
    ///
    /// # Errors
    /// `Error::Unavailable`.
    pub fn interrupt(&self) -> Result<bool> {
        match self.0.upgrade() {
            Some(shared) if shared.has_state() => shared.interrupt().map(|()| true),
            _ => Ok(false),
        }
    }
}

impl std::fmt::Debug for InterruptHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InterruptHandle")
    }
}
