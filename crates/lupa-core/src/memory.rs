//! The memory of a runtime: how much there is, how much there may be, and its collector.

use crate::error::Result;
use crate::raw::memory::Gc;
use crate::runtime::Runtime;

impl Runtime {
    /// Memory in use, in bytes, as LuaJIT counts it.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn memory_used(&self) -> Result<usize> {
        self.shared().memory_used()
    }

    /// The memory limit in bytes, if there is one.
    pub fn memory_limit(&self) -> Option<usize> {
        Some(self.shared().memory_limit()).filter(|limit| *limit != usize::MAX)
    }

    /// Sets or removes the memory limit, in bytes. With the first one LuaJIT's compiler takes about 10 kB that it must not be refused
    /// later.
    ///
    /// ```
    /// use lupa_core::{Error, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let limit = lua.memory_used()? + (1 << 20);
    /// lua.set_memory_limit(Some(limit))?;
    /// assert_eq!(lua.memory_limit(), Some(limit));
    /// assert!(matches!(lua.load("data = ('x'):rep(1e7)").exec(), Err(Error::Memory)));
    /// lua.set_memory_limit(None)?;
    /// lua.load("data = ('x'):rep(1e7)").exec()?;
    /// assert!(lua.memory_used()? > 10_000_000);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`; the first time also `Error::Memory`, and `Error::RecursionLimit` where the native stack is
    /// nearly used up.
    pub fn set_memory_limit(&self, bytes: Option<usize>) -> Result<()> {
        self.shared().set_memory_limit(bytes.unwrap_or(usize::MAX))
    }

    /// Runs a full cycle of the garbage collector.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.load("data = ('x'):rep(1e6)").exec()?;
    /// let before = lua.memory_used()?;
    /// lua.load("data = nil").exec()?;
    /// lua.gc_collect()?;
    /// assert!(lua.memory_used()? + 900_000 < before);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`; `Error::Timeout` and `Error::Interrupted` if they ended a finalizer.
    pub fn gc_collect(&self) -> Result<()> {
        self.gc(Gc::Collect).map(drop)
    }

    /// Stops the garbage collector. [`Runtime::gc_restart`] starts it again, as do a step and a full cycle.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.gc_stop()?;
    /// let before = lua.memory_used()?;
    /// lua.load("for i = 1, 1000 do last = ('x'):rep(i) end").exec()?;
    /// assert!(lua.memory_used()? > before + 500_000);
    /// assert!(!lua.gc_is_running()?);
    /// lua.gc_restart()?;
    /// assert!(lua.gc_is_running()?);
    /// // From now on less often, and more at a time.
    /// assert_eq!(lua.gc_set_pause(400)?, 200);
    /// assert_eq!(lua.gc_set_step_multiplier(300)?, 200);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn gc_stop(&self) -> Result<()> {
        self.gc(Gc::Stop).map(drop)
    }

    /// Starts the garbage collector again.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn gc_restart(&self) -> Result<()> {
        self.gc(Gc::Restart).map(drop)
    }

    /// Does a step of garbage collection of about `kib` KiB; whether that ended a cycle.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.load("data = ('x'):rep(1e6)").exec()?;
    /// lua.gc_stop()?;
    /// lua.load("data = nil").exec()?;
    /// let before = lua.memory_used()?;
    /// // In pieces, where there is time for it, such as between two frames.
    /// while !lua.gc_step(16)? {
    ///     lua.gc_stop()?; // the step has started it
    /// }
    /// assert!(lua.memory_used()? + 900_000 < before);
    /// assert!(lua.gc_is_running()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::gc_collect`].
    pub fn gc_step(&self, kib: u16) -> Result<bool> {
        self.gc(Gc::Step(kib.into())).map(|ended| ended != 0)
    }

    /// Whether the garbage collector is running, not stopped.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn gc_is_running(&self) -> Result<bool> {
        self.shared().enter(|stack| Ok(stack.gc_is_running()))
    }

    /// Sets how long the collector waits between cycles, in percent of the memory in use after
    /// a cycle (200 at the start); gives the former value.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn gc_set_pause(&self, percent: u16) -> Result<u16> {
        self.gc(Gc::SetPause(percent.into()))
            .map(|old| u16::try_from(old).unwrap_or(u16::MAX))
    }

    /// Sets how fast the collector works, in percent of the speed of allocation (200 at the start);
    /// gives the former value.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn gc_set_step_multiplier(&self, percent: u16) -> Result<u16> {
        self.gc(Gc::SetStepMul(percent.into()))
            .map(|old| u16::try_from(old).unwrap_or(u16::MAX))
    }

    fn gc(&self, what: Gc) -> Result<std::ffi::c_int> {
        self.shared().enter(|stack| stack.gc(what))
    }
}
