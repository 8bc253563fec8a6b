//! Threads that switch what is on their native stack.

use crate::error::Result;
use crate::raw::fibers;

/// One of several contents of its native stack between which a thread switches, as Python's greenlets do by copying
/// them. Not for stacks in memory of their own: the guard against endless recursion goes by the end of the thread's stack.
///
/// Lua code and its callbacks lie on the native stack, and a runtime's calls have to end in the order in which they
/// began. A host that switches inside callbacks says so by this type, in each of its fibers: around the callbacks
/// in which it may switch ([`Fiber::callback`]), and where it enters Lua while such a callback goes on
/// ([`Fiber::enter`]). Then each fiber can run Lua code of its own runtime, and time limits are each fiber's own; and
/// where several share one runtime, what would break it is an error.
///
/// ```
/// use lupa_core::{Error, Fiber, Function, Runtime};
///
/// let lua = Runtime::new()?;
/// let second = lua.function(|| Fiber::new(2).callback(|| ()))?;
/// let first = lua.function(|second: Function| {
///     Fiber::new(1).callback(|| {
///         // Here the host switches to the second fiber, which runs Lua code, too ...
///         Fiber::new(2).enter();
///         // ... and could switch back in its callback, if that were not refused.
///         second.call::<()>(()).is_err()
///     })
/// })?;
/// assert!(first.call::<bool>(second)?);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fiber(usize);

impl Fiber {
    /// The fiber with a number of the host's, such as an address. It has to be another one for each fiber of a
    /// thread, and may be used again after a fiber's end.
    pub fn new(number: usize) -> Self {
        Fiber(number)
    }

    /// This thread runs this fiber, and is about to enter Lua.
    pub fn enter(self) {
        fibers::enter(self.0);
    }

    /// Runs host code that Lua code has called in this fiber, in which the thread may switch to other ones.
    ///
    /// # Errors
    /// [`Error::OtherFiber`](crate::Error::OtherFiber), and `f` is not run, if Lua code of the same runtime waits for a
    /// callback of another fiber.
    pub fn callback<R>(self, f: impl FnOnce() -> R) -> Result<R> {
        fibers::callback(self.0, f)
    }
}
