//! Coroutines.

use crate::call::{Arguments, Around, Directly, Results};
use crate::convert::{FromLuaMulti, IntoLua, IntoLuaMulti};
use crate::error::{Message, Result};
use crate::function::Function;
use crate::handle::Handle;
use crate::pusher::Pusher;
use crate::raw::coroutine::CoroutineStatus;
use crate::runtime::Runtime;

/// A coroutine.
///
/// Rust is at one end of it and Lua code at the other; each waits while the other one runs.
///
/// ```
/// use lupa_core::{Coroutine, CoroutineStatus, Function, Runtime};
///
/// let lua = Runtime::new()?;
/// let sum: Function = lua
///     .load("return function(n) while true do n = n + coroutine.yield(n) end end")
///     .eval()?;
/// let sum: Coroutine = sum.coroutine()?;
/// assert_eq!(sum.status()?, CoroutineStatus::New);
/// assert_eq!(sum.resume::<i64>(1)?, 1);
/// assert_eq!(sum.resume::<i64>(5)?, 6);
/// assert_eq!(sum.status()?, CoroutineStatus::Suspended);
/// sum.close()?;
/// assert!(sum.status()?.has_ended());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Coroutine(pub(crate) Handle);

impl Coroutine {
    /// Where it stands.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn status(&self) -> Result<CoroutineStatus> {
        self.0.status()
    }

    /// Starts or continues it; gives what it yields or returns.
    ///
    /// # Errors
    /// `Error::CoroutineUnresumable` if it is running or has ended, whatever it raises, and errors
    /// of the conversions.
    pub fn resume<R>(&self, arguments: impl IntoLuaMulti) -> Result<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.resume_with(
            |to| arguments.push_all(to),
            Directly,
            |results| R::from_results(results),
        )
    }

    /// As [`Coroutine::resume`], in the three phases of [`Function::call_with`].
    ///
    /// ```
    /// use lupa_core::{Directly, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let code = lua.load("local n = ... while n > 0 do n = n - coroutine.yield(n) end return n");
    /// let countdown = code.into_function()?.coroutine()?;
    /// // Whether there is more to come: `resume` does not tell a yield from the return.
    /// let step = |n: i32| {
    ///     countdown.resume_with(|to| to.push(n), Directly, |results| Ok(results.yielded()))
    /// };
    /// assert!(step(3)?);
    /// assert!(step(2)?);
    /// assert!(!step(1)?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Coroutine::resume`].
    pub fn resume_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.resume_with(push, around, read)
    }

    /// Raises an error in the coroutine, at the yield that it waits in, and goes on as
    /// [`Coroutine::resume`]: Lua code there may catch it and yield or return. In a coroutine that
    /// has not been started or has ended nothing can catch it: the former has ended then.
    ///
    /// ```
    /// use lupa_core::{Coroutine, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let waiter: Coroutine = lua
    ///     .load("return coroutine.create(function() return pcall(coroutine.yield) end)")
    ///     .eval()?;
    /// waiter.resume::<()>(())?;
    /// let (ok, error): (bool, String) = waiter.throw("too late")?;
    /// assert_eq!((ok, error.as_str()), (false, "too late"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// The error itself, or another that the coroutine raises; else as [`Coroutine::resume`].
    pub fn throw<R>(&self, error: impl IntoLua) -> Result<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.throw_with(
            |to| error.into_lua(to),
            true,
            Directly,
            |results| R::from_results(results),
        )
    }

    /// As [`Coroutine::throw`], in the three phases of [`Function::call_with`]. If it is not
    /// `catchable`, the error goes past all `pcall`s, as that of
    /// [`Call::raise_uncatchable`](crate::Call::raise_uncatchable) does.
    ///
    /// ```
    /// use lupa_core::{Directly, IntoLua, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let stubborn = lua.load("while true do pcall(coroutine.yield) end").into_function()?.coroutine()?;
    /// stubborn.resume::<()>(())?;
    /// stubborn.throw::<()>("please")?;
    /// let error = stubborn
    ///     .throw_with(|to| "at once".into_lua(to), false, Directly, |_| Ok(()))
    ///     .unwrap_err();
    /// assert_eq!(error.text(), "at once");
    /// assert!(stubborn.status()?.has_ended());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Coroutine::throw`].
    pub fn throw_with<R>(
        &self,
        error: impl FnOnce(Pusher<'_>) -> Result<()>,
        catchable: bool,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.throw_with(error, catchable, around, read)
    }

    /// Ends the coroutine: no more of its code runs. One that an error has ended counts as
    /// [`CoroutineStatus::Dead`] from then on, and lets go of what it had on its stack.
    ///
    /// # Errors
    /// A runtime error if it is running; `Error::Closed`, `Error::Forked`.
    pub fn close(&self) -> Result<()> {
        self.0.close_coroutine()
    }

    /// Where its code is: `stack traceback:` and a line a level, innermost first.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let chunk = lua.load("local function wait()\n  coroutine.yield()\nend\nwait()").name("@guard.lua");
    /// let guard = chunk.into_function()?.coroutine()?;
    /// guard.resume::<()>(())?;
    /// assert!(guard.traceback()?.to_str_lossy().contains("guard.lua:2: in function 'wait'"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn traceback(&self) -> Result<Message> {
        self.0
            .with(|stack, index| Ok(stack.traceback_at(index)?.into()))
    }

    /// The function of a coroutine that has not been started.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let task = lua.load("coroutine.yield()").name("@task.lua").into_function()?.coroutine()?;
    /// assert_eq!(task.function()?.unwrap().info()?.short_source, "task.lua");
    /// task.resume::<()>(())?;
    /// assert!(task.function()?.is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn function(&self) -> Result<Option<Function>> {
        self.0.with(|stack, index| {
            if !stack.push_coroutine_function(index)? {
                return Ok(None);
            }
            Handle::new(stack, index + 1).map(|handle| Some(Function(handle)))
        })
    }
}

/// What runs.
impl Runtime {
    /// The coroutine that runs: for a host function, the one that has called it. `None` outside of coroutines.
    ///
    /// A host function keeps it to resume it later, when Lua code has yielded:
    ///
    /// ```
    /// use lupa_core::{Coroutine, Result, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("later", lua.function(|lua: &Runtime| -> Result<()> {
    ///     lua.set_named("waiting", lua.current_coroutine()?)
    /// })?)?;
    /// lua.load("coroutine.wrap(function() later() said = coroutine.yield() end)()").exec()?;
    /// lua.named::<Coroutine>("waiting")?.resume::<()>("hello")?;
    /// assert_eq!(lua.globals()?.get::<String>("said")?, "hello");
    /// assert!(lua.current_coroutine()?.is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn current_coroutine(&self) -> Result<Option<Coroutine>> {
        self.shared().enter_at(|stack, top| {
            if !stack.push_current() {
                return Ok(None);
            }
            Handle::new(stack, top + 1).map(|handle| Some(Coroutine(handle)))
        })
    }

    /// Where the Lua code is that has called the host function that runs: `stack traceback:` and a line a level,
    /// innermost first, as Lua's `debug.traceback` gives it. No lines where no Lua code runs. For the innermost line alone there is
    /// [`Call::location`](crate::Call::location); an error has its own [`traceback`](crate::Error::traceback).
    ///
    /// ```
    /// use lupa_core::{Result, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let warn = lua.function(|lua: &Runtime, text: &str| -> Result<String> {
    ///     Ok(format!("{text}\n{}", lua.traceback()?))
    /// })?;
    /// lua.globals()?.set("warn", warn)?;
    /// let text: String = lua.load("local text =\n  warn('odd') return text").name("@init.lua").eval()?;
    /// assert_eq!(text, "odd\nstack traceback:\n\tinit.lua:2: in main chunk");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn traceback(&self) -> Result<Message> {
        self.shared().enter(|stack| Ok(stack.traceback().into()))
    }
}
