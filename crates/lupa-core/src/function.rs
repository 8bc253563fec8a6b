//! Lua functions.

use crate::call::{Arguments, Around, Directly, Results};
use crate::chunk::ChunkMode;
use crate::convert::{FromLuaMulti, IntoLuaMulti};
use crate::coroutine::Coroutine;
use crate::error::{Error, Result};
use crate::function_info::FunctionInfo;
use crate::handle::{Handle, no_table};
use crate::multi::Variadic;
use crate::raw::Stack;
use crate::table::Table;
use crate::value::Value;
use std::ffi::c_int;

/// A function, of Lua, of C or of the host.
///
/// ```
/// use lupa_core::{Function, Runtime};
///
/// let lua = Runtime::new()?;
/// let divide: Function = lua.load("return function(a, b) return math.floor(a / b), a % b end").eval()?;
/// let (quotient, rest): (i64, i64) = divide.call((7, 2))?;
/// assert_eq!((quotient, rest), (3, 1));
/// let error = divide.call::<i64>(("x", 2)).unwrap_err();
/// assert!(error.text().contains("attempt to perform arithmetic"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Function(pub(crate) Handle);

impl Function {
    /// Calls the function.
    ///
    /// # Errors
    /// Whatever the function raises, and errors of the conversions.
    #[inline]
    pub fn call<R>(&self, arguments: impl IntoLuaMulti) -> Result<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.call_with(
            |to| arguments.push_all(to),
            Directly,
            |results| R::from_results(results),
        )
    }

    /// Calls the function in three phases: `push` pushes the arguments, Lua runs inside
    /// `around`, `read` reads the results. An embedder can so keep its lock for the first and last.
    ///
    /// ```
    /// use lupa_core::{Directly, Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let words: Function = lua.load("return function(text) return text:match('(%a+) (%a+)') end").eval()?;
    /// // Results are looked at where they are, without copies of them.
    /// let length = words.call_with(
    ///     |arguments| arguments.push("green tea"),
    ///     Directly,
    ///     |results| Ok((0..results.len()).filter_map(|i| results.get(i).bytes()).map(<[u8]>::len).sum::<usize>()),
    /// )?;
    /// assert_eq!(length, 8);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Function::call`].
    #[inline]
    pub fn call_with<R>(
        &self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        self.0.call_with(push, around, read)
    }

    /// Makes a coroutine that will run the function.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let sum = lua.load("local a = ... local b = coroutine.yield('more') return a + b").into_function()?;
    /// let (one, two) = (sum.coroutine()?, sum.coroutine()?);
    /// assert_eq!(one.resume::<String>(1)?, "more");
    /// assert_eq!(two.resume::<String>(10)?, "more");
    /// assert_eq!((one.resume::<i32>(2)?, two.resume::<i32>(2)?), (3, 12));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn coroutine(&self) -> Result<Coroutine> {
        self.0.with(|stack, index| {
            stack.push_coroutine(index);
            Handle::new(stack, index + 1).map(Coroutine)
        })
    }

    /// Whether it is a C function: one of LuaJIT's, of a binary module, or of the host.
    ///
    /// ```
    /// use lupa_core::{Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let (c, of_lua): (Function, Function) = lua.load("return string.rep, function() end").eval()?;
    /// assert!(c.is_c()? && !of_lua.is_c()?);
    /// assert!(lua.function(|n: i32| n + 1)?.is_c()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn is_c(&self) -> Result<bool> {
        self.0.with(|stack, index| Ok(stack.is_c_function(index)))
    }

    /// The bytecode of a Lua function, as `string.dump` gives it, with its debug information. Upvalues are not
    /// part of it. A runtime for code that is not trusted should load none: see
    /// [`ChunkMode`](crate::ChunkMode).
    ///
    /// # Errors
    /// A runtime error for C functions.
    pub fn dump(&self) -> Result<Vec<u8>> {
        self.0.with(|stack, index| stack.dump(index, false))
    }

    /// As [`Function::dump`], without the debug information: messages of the loaded code name no lines and no
    /// variables.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let double = lua.load("local n = ... return n * 2").into_function()?;
    /// let bytecode = double.dump_stripped()?;
    /// assert!(bytecode.len() < double.dump()?.len());
    /// assert_eq!(lua.load(&bytecode).call::<i32>(21)?, 42);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Function::dump`].
    pub fn dump_stripped(&self) -> Result<Vec<u8>> {
        self.0.with(|stack, index| stack.dump(index, true))
    }

    /// A function that calls this one with some arguments before its own.
    ///
    /// It is Lua code, so coroutines may yield in it, and it keeps the arguments alive as any closure does.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let format: lupa_core::Function = lua.load("return string.format").eval()?;
    /// let price = format.bind(("%s: %.2f €", "tea"))?;
    /// assert_eq!(price.call::<String>(2.5)?, "tea: 2.50 €");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the conversions, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn bind(&self, arguments: impl IntoLuaMulti) -> Result<Function> {
        // A closure may have 60 upvalues: what is left is bound by another one.
        const MOST: usize = 50;
        let mut bound = self.clone();
        let mut rest = self.0.with(|stack, _| {
            let mut to = Arguments::new(stack);
            let first = stack.top() + 1;
            arguments.push_all(&mut to)?;
            Variadic::<Value>::from_results(Results::new(stack, first))
        })?;
        while !rest.is_empty() {
            let count = rest.len().min(MOST);
            let later = Variadic(rest.split_off(count));
            let names: Vec<_> = (0..count).map(|i| format!("a{i}")).collect();
            let names = names.join(", ");
            let code =
                format!("local f, {names} = ... return function(...) return f({names}, ...) end");
            let chunk = self
                .runtime()
                .load(&code)
                .name("=bind")
                .mode(ChunkMode::Text);
            bound = chunk.call((bound, rest))?;
            rest = later;
        }
        Ok(bound)
    }

    /// The table in which a Lua function finds its globals, `getfenv`'s; `None` for C functions, whose
    /// environment is their own business.
    ///
    /// ```
    /// use lupa_core::{Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let chunk = lua.load("x = 5").into_function()?;
    /// assert!(chunk.environment()?.unwrap().same(&lua.globals()?)?);
    /// let own = lua.create_environment()?;
    /// chunk.set_environment(&own)?;
    /// assert!(chunk.environment()?.unwrap().same(&own)?);
    /// assert!(lua.globals()?.get::<Function>("print")?.environment()?.is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn environment(&self) -> Result<Option<Table>> {
        self.0.with(|stack, index| {
            if stack.is_c_function(index) {
                return Ok(None);
            }
            stack.push_environment(index);
            Handle::new(stack, index + 1).map(|handle| Some(Table(handle)))
        })
    }

    /// Sets the table in which a Lua function finds its globals. Functions that it makes from then on get it too,
    /// those that it has made keep theirs.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let area = lua.load("return width * height").into_function()?;
    /// area.set_environment(&lua.create_table_from([("width", 3), ("height", 4)])?)?;
    /// assert_eq!(area.call::<i32>(())?, 12);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error for C functions: some of LuaJIT's trust what is in their environment. `Error::WrongRuntime`,
    /// `Error::Closed`, `Error::Forked`.
    pub fn set_environment(&self, environment: &Table) -> Result<()> {
        self.0.with(|stack, index| {
            if stack.is_c_function(index) {
                let message = "the environment of a C function cannot be changed";
                return Err(Error::message(message));
            }
            set_environment(stack, index, environment)
        })
    }

    /// Where the function was defined, and what it takes.
    ///
    /// ```
    /// use lupa_core::{FunctionKind, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let f: lupa_core::Function = lua
    ///     .load("local x = 1\nreturn function(a, b, ...)\n  return x\nend")
    ///     .name("@config.lua")
    ///     .eval()?;
    /// let info = f.info()?;
    /// assert_eq!((info.kind, info.short_source.as_str()), (FunctionKind::Lua, "config.lua"));
    /// assert_eq!(info.lines, Some(2..=4));
    /// assert_eq!((info.parameters, info.is_vararg, info.upvalues), (2, true, 1));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`.
    pub fn info(&self) -> Result<FunctionInfo> {
        self.0
            .with(|stack, index| Ok(FunctionInfo::new(stack.describe_function(index))))
    }
}

/// Sets the environment of the Lua function at `index`, which is on top.
pub(crate) fn set_environment(stack: Stack<'_>, index: c_int, environment: &Table) -> Result<()> {
    environment.0.push(stack)?;
    if stack.table(index + 1).is_none() {
        return Err(no_table());
    }
    stack.set_environment(index);
    Ok(())
}
