//! Threads that switch what is on their native stack.

use crate::error::Result;
use crate::raw::fibers;
use crate::runtime::Runtime;

/// One of several contents of its native stack between which a thread switches, as Python's greenlets do by copying
/// them. Not for stacks in memory of their own: the guard against endless recursion goes by the end of the thread's stack.
///
/// Lua code and its callbacks lie on the native stack, and a runtime's calls have to end in the order in which they
/// began. A host that switches inside callbacks says so by this type, in each of its fibers: around the callbacks
/// in which it may switch ([`Fiber::callback`]), around what may switch while values are pushed or a table is filled
/// ([`Fiber::operation`]), and around each operation on a runtime ([`Fiber::enter`]). Then each fiber can run Lua code of its own runtime,
/// and time limits are each fiber's own; and where several share one runtime, what would break it is an error.
///
/// ```
/// use lupa_core::{Error, Fiber, Function, Runtime};
///
/// let lua = Runtime::new()?;
/// let second = lua.function(|| Fiber::new(2).callback(|| ()))?;
/// let first = lua.function(|second: Function| {
///     Fiber::new(1).callback(|| {
///         // Here the host switches to the second fiber, which runs Lua code, too ...
///         let _entered = Fiber::new(2).enter(&second.runtime())?;
///         // ... and could switch back in its callback, if that were not refused.
///         Ok(second.call::<()>(()).is_err())
///     })?
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

    /// This thread runs this fiber, which begins an operation on this runtime: it ends with what is given. Operations may lie inside one
    /// another.
    ///
    /// ```
    /// use lupa_core::{Error, Fiber, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let first = Fiber::new(1).enter(&lua)?;
    /// // Where the host has not said that it may switch, nobody else gets in.
    /// assert!(matches!(Fiber::new(2).enter(&lua), Err(Error::OtherFiber)));
    /// Fiber::new(1).operation(&lua, || Fiber::new(2).enter(&lua).map(drop))??;
    /// drop(first);
    /// Fiber::new(2).enter(&lua)?;
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OtherFiber`](crate::Error::OtherFiber) if another fiber is in an operation on the runtime, and not in host code of
    /// [`Fiber::callback`] or [`Fiber::operation`]; and if it is, but in the middle of a Lua function: in a message handler or a
    /// hook, such as [`Runtime::set_check`]'s. Nothing may be run in the runtime then.
    pub fn enter(self, runtime: &Runtime) -> Result<Entered> {
        let _operation = fibers::enter(self.0, runtime.shared())?;
        Ok(Entered { _operation })
    }

    /// Runs host code that Lua code has called in this fiber, in which the thread may switch to other ones.
    ///
    /// When the fiber comes back here, others must be in no operation on the runtime but in host code that is said by this type.
    /// The process ends otherwise, since nothing on the runtime's stack could end any more.
    ///
    /// # Errors
    /// [`Error::OtherFiber`](crate::Error::OtherFiber), and `f` is not run, if Lua code of the same runtime waits for a
    /// callback of another fiber, or an operation for such host code.
    pub fn callback<R>(self, f: impl FnOnce() -> R) -> Result<R> {
        fibers::callback(self.0, f)
    }

    /// Runs host code that an operation on a runtime has called in this fiber (an implementation of [`IntoLua`](crate::IntoLua), a closure
    /// that fills a table), in which the thread may switch to other ones.
    ///
    /// ```
    /// use lupa_core::{Error, Fiber, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let table = lua.create_table_with(3, 0, |table| {
    ///     Fiber::new(1).operation(&lua, || {
    ///         // Here the host switches to the second fiber: what lies on the stack above the table must be gone when it switches back.
    ///         let refused = Fiber::new(2).operation(&lua, || ());
    ///         assert!(matches!(refused, Err(Error::OtherFiber)));
    ///         (1..=3).try_for_each(|n| table.set_index(n, n))
    ///     })?
    /// })?;
    /// assert_eq!(table.len()?, 3);
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Fiber::callback`].
    pub fn operation<R>(self, runtime: &Runtime, f: impl FnOnce() -> R) -> Result<R> {
        fibers::operation(self.0, runtime.shared(), f)
    }
}

/// An operation of a [`Fiber`] on a runtime, which ends when this is dropped.
///
/// ```
/// use lupa_core::{Entered, Fiber, Runtime};
///
/// /// What a host that has fibers does first in each of its operations.
/// fn begin(lua: &Runtime, current: Option<Fiber>) -> lupa_core::Result<Option<Entered>> {
///     current.map(|fiber| fiber.enter(lua)).transpose()
/// }
///
/// let lua = Runtime::new()?;
/// let _entered = begin(&lua, Some(Fiber::new(1)))?;
/// assert_eq!(lua.load("return 1 + 1").eval::<i32>()?, 2);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[must_use = "the operation ends when this is dropped"]
pub struct Entered {
    _operation: fibers::Operation,
}

impl std::fmt::Debug for Entered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entered")
    }
}
