//! Control of LuaJIT's compiler.

use crate::error::Result;
use crate::function::Function;
use crate::raw::jit::{Mode, Target};
use crate::runtime::Runtime;

/// The compiler of a runtime; see [`Runtime::jit`].
///
/// It works whether or not Lua code has the library `jit` ([`Libs::JIT`](crate::Libs::JIT)), and what Lua code
/// does with that library shows here.
///
/// ```
/// use lupa_core::{Runtime, JitScope};
///
/// let lua = Runtime::new()?;
/// let careful = lua.load("local sum = 0; for i = 1, 100 do sum = sum + i end; return sum");
/// let careful = careful.into_function()?;
/// lua.jit().disable_for(&careful, JitScope::Function)?;
/// assert_eq!(careful.call::<i32>(())?, 5050);
///
/// lua.jit().set_enabled(false)?;
/// assert!(!lua.jit().status()?.enabled);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Jit<'a> {
    runtime: &'a Runtime,
}

/// What the compiler does at present; see [`Jit::status`].
///
/// ```
/// use lupa_core::{JitStatus, Runtime};
///
/// let lua = Runtime::new()?;
/// let JitStatus { enabled, cpu_features, .. } = lua.jit().status()?;
/// assert!(enabled);
/// // Lua code sees the same, and the optimizations after them.
/// let seen: Vec<String> = lua.load("return { select(2, jit.status()) }").eval()?;
/// assert!(seen.starts_with(&cpu_features));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct JitStatus {
    /// Whether code is compiled.
    pub enabled: bool,
    /// The features of this processor that compiled code uses, by LuaJIT's names, such as `SSE4.1`.
    pub cpu_features: Vec<String>,
}

/// Which functions a switch is for: a function, and those that are written inside it.
///
/// ```
/// use lupa_core::{JitScope, Runtime};
///
/// let lua = Runtime::new()?;
/// let work = lua.load("local function sum() local n = 0 for i = 1, 1000 do n = n + i end return n end return (sum())");
/// let work = work.into_function()?;
/// // Whether something is compiled when it runs.
/// let is_compiled = |scope| {
///     lua.jit().enable_for(&work, JitScope::FunctionAndInner)?;
///     lua.jit().disable_for(&work, scope)?;
///     lua.jit().flush()?;
///     work.call::<()>(())?;
///     lua.load("return require('jit.util').traceinfo(1) ~= nil").eval::<bool>()
/// };
/// // The loop stands in the function inside.
/// assert!(is_compiled(JitScope::Function)?);
/// assert!(!is_compiled(JitScope::Inner)?);
/// assert!(!is_compiled(JitScope::FunctionAndInner)?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JitScope {
    /// The function alone.
    Function,
    /// The function and all inside it, at any depth.
    FunctionAndInner,
    /// Only those inside it.
    Inner,
}

impl JitScope {
    fn of(self, index: std::ffi::c_int) -> Target {
        match self {
            JitScope::Function => Target::Function(index),
            JitScope::FunctionAndInner => Target::FunctionAndInner(index),
            JitScope::Inner => Target::Inner(index),
        }
    }
}

impl Runtime {
    /// The compiler of this runtime, to be switched or asked.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.jit().set_enabled(false)?;
    /// assert!(!lua.load("return (jit.status())").eval::<bool>()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn jit(&self) -> Jit<'_> {
        Jit { runtime: self }
    }
}

impl Jit<'_> {
    /// Whether code is compiled, and for what processor.
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn status(&self) -> Result<JitStatus> {
        self.runtime.shared().enter(|stack| {
            let (enabled, cpu_features) = stack.jit_status();
            Ok(JitStatus {
                enabled,
                cpu_features,
            })
        })
    }

    /// Switches the compiler on or off. What was compiled is kept: it is used while the compiler is on.
    ///
    /// # Errors
    /// A runtime error in a finalizer of Lua code; an error if LuaJIT was built without a compiler; `Error::Closed`,
    /// `Error::Forked`.
    pub fn set_enabled(&self, on: bool) -> Result<()> {
        let mode = if on { Mode::On } else { Mode::Off };
        self.set(Target::Engine, mode)
    }

    /// Throws all compiled code away, for instance after a change that made it useless.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let has_trace = || lua.load("return require('jit.util').traceinfo(1) ~= nil").eval::<bool>();
    /// lua.load("for i = 1, 1000 do end").exec()?;
    /// assert!(has_trace()?);
    /// lua.jit().flush()?;
    /// assert!(!has_trace()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Jit::set_enabled`].
    pub fn flush(&self) -> Result<()> {
        self.set(Target::Engine, Mode::Flush)
    }

    /// Throws the trace with a number away, and all that hang on it. Nothing happens if there is no such root trace.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let has_trace = |n: u16| lua.load("return require('jit.util').traceinfo(...) ~= nil").call::<bool>(n);
    /// let work = lua.load("for i = 1, 1000 do end for i = 1, 1000 do end").into_function()?;
    /// work.call::<()>(())?;
    /// assert!(has_trace(1)? && has_trace(2)?);
    /// lua.jit().flush_trace(1)?;
    /// lua.gc_collect()?; // frees its code
    /// assert!(!has_trace(1)? && has_trace(2)?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Jit::set_enabled`].
    pub fn flush_trace(&self, number: u16) -> Result<()> {
        self.set(Target::Trace(number), Mode::Flush)
    }

    /// Allows functions to be compiled again.
    ///
    /// The switch belongs to the code: all closures of it share it.
    ///
    /// ```
    /// use lupa_core::{JitScope, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let has_trace = || lua.load("return require('jit.util').traceinfo(1) ~= nil").eval::<bool>();
    /// let work = lua.load("for i = 1, 1000 do end").into_function()?;
    /// lua.jit().disable_for(&work, JitScope::Function)?;
    /// work.call::<()>(())?;
    /// assert!(!has_trace()?);
    /// lua.jit().enable_for(&work, JitScope::Function)?;
    /// work.call::<()>(())?;
    /// assert!(has_trace()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error for a C function; as [`Jit::set_enabled`].
    pub fn enable_for(&self, function: &Function, scope: JitScope) -> Result<()> {
        self.set_for(function, scope, Mode::On)
    }

    /// Forbids to compile functions, and throws away what was compiled of them: for code that LuaJIT compiles in
    /// vain again and again, or to find out what a function is like without the compiler. Where they
    /// are called from compiled code, that ends.
    ///
    /// # Errors
    /// As [`Jit::enable_for`].
    pub fn disable_for(&self, function: &Function, scope: JitScope) -> Result<()> {
        self.set_for(function, scope, Mode::Off)
    }

    /// Throws away what was compiled of functions; they may be compiled anew.
    ///
    /// ```
    /// use lupa_core::{JitScope, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let has_trace = || lua.load("return require('jit.util').traceinfo(1) ~= nil").eval::<bool>();
    /// let work = lua.load("for i = 1, 1000 do end").into_function()?;
    /// work.call::<()>(())?;
    /// assert!(has_trace()?);
    /// lua.jit().flush_for(&work, JitScope::Function)?;
    /// lua.gc_collect()?; // frees its code
    /// assert!(!has_trace()?);
    /// work.call::<()>(())?;
    /// assert!(has_trace()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Jit::enable_for`].
    pub fn flush_for(&self, function: &Function, scope: JitScope) -> Result<()> {
        self.set_for(function, scope, Mode::Flush)
    }

    fn set(&self, target: Target, mode: Mode) -> Result<()> {
        self.runtime
            .shared()
            .enter(|stack| stack.set_jit_mode(target, mode))
    }

    fn set_for(&self, function: &Function, scope: JitScope, mode: Mode) -> Result<()> {
        self.runtime.shared().enter_at(|stack, top| {
            function.0.push(stack)?;
            stack.set_jit_mode(scope.of(top + 1), mode)
        })
    }
}
