//! Names of a runtime that do not keep it alive.

use crate::raw::Shared;
use crate::runtime::Runtime;
use std::sync::Weak;

/// A name for a runtime that does not keep it alive; made by [`Runtime::downgrade`].
///
/// A runtime lives as long as there is one of these:
///
/// * a [`Runtime`], the first one or a clone;
/// * a handle: a [`Table`](crate::Table), [`Function`](crate::Function), [`Coroutine`](crate::Coroutine),
///   [`LuaString`](crate::LuaString), [`UserData`](crate::UserData) or [`Reference`](crate::Reference), also inside a
///   [`Value`](crate::Value) or the value of an [`Error`](crate::Error);
/// * a future or stream of Lua code; a [`Profiler`](crate::Profiler).
///
/// So what the runtime owns must own none of these, or the two keep each other alive for ever: not a closure or an object that was
/// given to Lua, nor [application data](Runtime::set_app_data), nor an extension. A host function needs no name of
/// its runtime, since it can ask for it by a `&Runtime` argument or [`Call::runtime`](crate::Call::runtime). A weak name is for
/// the rest: an object that uses its runtime outside of calls, a thread that outlives it, a cache of runtimes.
///
/// ```
/// use lupa_core::{Members, Runtime, UserType, WeakRuntime};
///
/// /// Called by the host's event loop, which knows nothing of Lua.
/// struct Timer { lua: WeakRuntime, code: String }
///
/// impl Timer {
///     fn ring(&self) -> lupa_core::Result<()> {
///         match self.lua.upgrade() {
///             Some(lua) => lua.load(&self.code).exec(),
///             None => Ok(()), // nobody is left to hear it
///         }
///     }
/// }
///
/// impl UserType for Timer {
///     const NAME: &'static str = "Timer";
///     fn members(_: &mut Members<Self>) {}
/// }
///
/// let lua = Runtime::new()?;
/// let timer = Timer { lua: lua.downgrade(), code: "rung = true".into() };
/// timer.ring()?;
/// assert!(lua.globals()?.get::<bool>("rung")?);
///
/// let weak = lua.downgrade();
/// lua.globals()?.set("timer", timer)?; // with a `Runtime` in it, this runtime would never end
/// drop(lua);
/// assert!(weak.upgrade().is_none());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone)]
pub struct WeakRuntime(pub(crate) Weak<Shared>);

impl WeakRuntime {
    /// The runtime, if it still lives; from then on this name keeps it alive, too. Takes no lock and may be called in any thread.
    ///
    /// A runtime that was [closed](Runtime::close) lives as long as its handles, and gives `Error::Closed`. If the last other owner goes
    /// meanwhile, the runtime ends when what this gives is dropped, on that thread.
    pub fn upgrade(&self) -> Option<Runtime> {
        self.0.upgrade().map(Runtime::from_shared)
    }

    /// Whether both name the same runtime.
    ///
    /// ```
    /// use lupa_core::{Runtime, WeakRuntime};
    ///
    /// let (lua, other) = (Runtime::new()?, Runtime::new()?);
    /// let mut known: Vec<WeakRuntime> = vec![lua.downgrade(), other.downgrade()];
    /// let gone = other.downgrade();
    /// drop(other);
    /// known.retain(|runtime| !runtime.is_same(&gone));
    /// assert!(known.len() == 1 && known[0].is_same(&lua.downgrade()));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn is_same(&self, other: &WeakRuntime) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl std::fmt::Debug for WeakRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WeakRuntime")
    }
}
