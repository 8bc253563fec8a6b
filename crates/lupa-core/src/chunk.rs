//! Loading Lua code.

use crate::call::{Arguments, Around, Directly, Results};
use crate::convert::{FromLuaMulti, IntoLuaMulti};
use crate::error::{Error, Result};
use crate::function::{Function, set_environment};
use crate::raw::{Stack, sys};
use crate::runtime::Runtime;
use crate::slot::Slot;
use crate::table::Table;
use std::borrow::Cow;
use std::ffi::{CStr, CString};

impl Runtime {
    /// Makes a table of globals for some code alone, for [`Chunk::environment`]: what the code defines is in this table, and what
    /// it does not find there is looked for in the table of globals, which so cannot be changed by an assignment to a global.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let own = lua.create_environment()?;
    /// lua.load("print = 'mine' text = tostring(5)").environment(&own).exec()?;
    /// assert_eq!(own.get::<String>("text")?, "5");
    /// assert!(lua.load("return type(print) == 'function' and text == nil").eval::<bool>()?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_environment(&self) -> Result<Table> {
        let environment = self.create_table()?;
        let shared = self.create_table_from([("__index", self.globals()?)])?;
        environment.set_metatable(Some(&shared))?;
        Ok(environment)
    }
}

/// Which kinds of code a chunk may be.
///
/// ```
/// use lupa_core::{ChunkMode, Error, Runtime};
///
/// let lua = Runtime::new()?;
/// let bytecode = lua.load("return 5").into_function()?.dump()?;
/// assert_eq!(lua.load(&bytecode).eval::<i64>()?, 5);
/// // What comes from others should be text.
/// let refused = lua.load(&bytecode).mode(ChunkMode::Text).exec();
/// assert!(matches!(refused, Err(Error::Syntax { .. })));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChunkMode {
    /// Source text only.
    Text,
    /// Bytecode only.
    Binary,
    /// Both. Bytecode is not verified: only load what you trust.
    #[default]
    Any,
}

impl ChunkMode {
    fn as_c_str(self) -> &'static CStr {
        match self {
            ChunkMode::Text => c"t",
            ChunkMode::Binary => c"b",
            ChunkMode::Any => c"bt",
        }
    }
}

/// What the code is read as.
#[derive(Debug, Clone, Copy)]
enum Form {
    Statements,
    Expression,
    ExpressionFirst,
}

/// Put before the code it makes an expression of that.
const RETURN: &[u8] = b"return ";

/// Lua code that is about to be loaded.
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// let (a, b): (f64, String) = lua.load("local x = ...; return x + 1, 'two'").call(41)?;
/// assert_eq!((a, b.as_str()), (42.0, "two"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a chunk does nothing until it is called, run or compiled"]
pub struct Chunk<'a> {
    runtime: &'a Runtime,
    form: Form,
    code: &'a [u8],
    name: Cow<'a, CStr>,
    mode: ChunkMode,
    environment: Option<&'a Table>,
}

impl<'a> Chunk<'a> {
    pub(crate) fn new(runtime: &'a Runtime, code: &'a [u8]) -> Self {
        Chunk {
            runtime,
            form: Form::Statements,
            code,
            name: Cow::Borrowed(c"chunk"),
            mode: ChunkMode::Any,
            environment: None,
        }
    }

    /// Sets the name that messages show. A name that starts with `@` is a file's, with `=` it is shown
    /// as it is, otherwise it is shown as source text (the Lua 5.1 manual, `lua_Debug`). It ends at
    /// a zero byte.
    pub fn name(mut self, name: impl AsRef<[u8]>) -> Self {
        let bytes = name.as_ref();
        let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
        // There is no zero byte before `end`.
        self.name = Cow::Owned(CString::new(&bytes[..end]).unwrap_or_default());
        self
    }

    /// As [`Chunk::name`], without a copy.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let error = lua.load("x = = 1").c_name(c"@init.lua").exec().unwrap_err();
    /// assert_eq!(error.to_string(), "init.lua:1: unexpected symbol near '='");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn c_name(mut self, name: &'a CStr) -> Self {
        self.name = Cow::Borrowed(name);
        self
    }

    /// Sets which kinds of code are accepted.
    ///
    /// ```
    /// use lupa_core::{ChunkMode, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let bytecode = lua.load("return 5").into_function()?.dump()?;
    /// assert!(lua.load(&bytecode).mode(ChunkMode::Text).exec().is_err());
    /// assert_eq!(lua.load(&bytecode).mode(ChunkMode::Binary).eval::<i32>()?, 5);
    /// assert!(lua.load("return 5").mode(ChunkMode::Binary).exec().is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn mode(mut self, mode: ChunkMode) -> Self {
        self.mode = mode;
        self
    }

    /// Makes an expression of the code by putting `return` before it.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let sizes = lua.create_table_from([("width", 3), ("height", 4)])?;
    /// let formula = |text: &str| lua.load(text).expression().environment(&sizes).eval::<f64>();
    /// assert_eq!(formula("width * height")?, 12.0);
    /// assert!(formula("width = 5").is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn expression(mut self) -> Self {
        self.form = Form::Expression;
        self
    }

    /// Takes the code as an expression if it is one, else as statements: what a prompt needs. If it is neither, but would be
    /// an expression if it went on, the error is that, and [`is_incomplete`].
    ///
    /// ```
    /// use lupa_core::{Result, Runtime, Variadic, Value, is_incomplete};
    ///
    /// let lua = Runtime::new()?;
    /// // What was typed, or `None` if it needs another line.
    /// let answer = |code: &str| -> Result<Option<String>> {
    ///     let values: Variadic<Value> = match lua.load(code).name("=stdin").expression_first().eval() {
    ///         Err(error) if is_incomplete(&error) => return Ok(None),
    ///         values => values?,
    ///     };
    ///     let texts = values.iter().map(|value| value.to_lua_string(&lua));
    ///     let texts = texts.collect::<Result<Vec<_>>>()?;
    ///     Ok(Some(String::from_utf8_lossy(&texts.join(&b'\t')).into_owned()))
    /// };
    /// assert_eq!(answer("1 + 1, nil")?.as_deref(), Some("2\tnil"));
    /// assert_eq!(answer("x = 5")?.as_deref(), Some(""));
    /// assert_eq!(answer("x +")?, None);
    /// assert_eq!(answer("if x then")?, None);
    /// assert_eq!(answer("x = = 5").unwrap_err().to_string(), "stdin:1: unexpected symbol near '='");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn expression_first(mut self) -> Self {
        self.form = Form::ExpressionFirst;
        self
    }

    /// Sets the table in which the code finds its globals and makes new ones, text and bytecode alike; without it, that is
    /// the table of globals. All functions in the code have it, too.
    ///
    /// A new table for each plugin, or for each version of one, keeps them apart in one runtime;
    /// [`Runtime::create_environment`] makes one that finds what all share:
    ///
    /// ```
    /// use lupa_core::{Result, Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let load = |code: &str| -> Result<Table> {
    ///     let environment = lua.create_environment()?;
    ///     lua.load(code).environment(&environment).exec()?;
    ///     Ok(environment)
    /// };
    /// let one = load("name = 'one' function hello() return name:upper() end")?;
    /// let two = load("name = 'two' function hello() return name:upper() end")?;
    /// assert_eq!(one.call_function::<String>("hello", ())?, "ONE");
    /// assert_eq!(two.call_function::<String>("hello", ())?, "TWO");
    /// assert!(!lua.globals()?.contains_key("name")?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// Code that is not trusted needs more than this: a [sandbox](crate::Builder::sandbox), or a runtime of its own.
    pub fn environment(mut self, environment: &'a Table) -> Self {
        self.environment = Some(environment);
        self
    }

    fn push(&self, stack: Stack<'_>) -> Result<()> {
        let mode = match (stack.shared().refuses_bytecode(), self.mode) {
            (true, ChunkMode::Binary) => {
                let message = b"attempt to load chunk with wrong mode".to_vec();
                return Err(Error::syntax(message));
            }
            (true, _) => ChunkMode::Text,
            (false, mode) => mode,
        };
        match self.form {
            Form::Statements => self.compile(stack, b"", mode)?,
            Form::Expression => self.compile(stack, RETURN, mode)?,
            Form::ExpressionFirst => self.compile_either(stack, mode)?,
        }
        match self.environment {
            Some(environment) => set_environment(stack, stack.top(), environment),
            None => Ok(()),
        }
    }

    fn compile_either(&self, stack: Stack<'_>, mode: ChunkMode) -> Result<()> {
        let top = stack.top();
        let expression = match self.compile(stack, RETURN, mode) {
            Err(error @ Error::Syntax { .. }) => error,
            compiled => return compiled,
        };
        stack.pop_to(top);
        match self.compile(stack, b"", mode) {
            Err(Error::Syntax { .. }) if is_incomplete(&expression) => Err(expression),
            compiled => compiled,
        }
    }

    fn compile(&self, stack: Stack<'_>, prefix: &'static [u8], mode: ChunkMode) -> Result<()> {
        let mut chunk = sys::LupaChunk {
            piece: [prefix.as_ptr().cast(), self.code.as_ptr().cast()],
            length: [prefix.len(), self.code.len()],
            next: 0,
            name: self.name.as_ptr(),
            mode: mode.as_c_str().as_ptr(),
        };
        stack.load(&mut chunk)
    }

    /// Compiles the code into a function.
    ///
    /// ```
    /// use lupa_core::{Error, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let double = lua.load("local n = ... return n * 2").into_function()?;
    /// assert_eq!((double.call::<i32>(4)?, double.call::<i32>(5)?), (8, 10));
    /// // To compile is not to run.
    /// assert!(lua.load("error('run')").into_function().is_ok());
    /// assert!(matches!(lua.load("x = = 1").into_function(), Err(Error::Syntax { .. })));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Syntax`] for what does not compile or is not of the [`ChunkMode`]; [`Error::Memory`].
    pub fn into_function(self) -> Result<Function> {
        self.into_function_with(|slot| slot.handle().map(Function))
    }

    /// Compiles the code into a function, which `read` gets.
    ///
    /// ```
    /// use lupa_core::{Function, RegistryKey, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let key: RegistryKey = lua.load("return 6 * 7").into_function_with(|slot| slot.to_registry_key())?;
    /// assert_eq!(lua.registry_value::<Function>(&key)?.call::<i32>(())?, 42);
    /// # lua.remove_registry_value(key)?;
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Chunk::into_function`], and those of `read`.
    pub fn into_function_with<R>(
        self,
        read: impl for<'s> FnOnce(Slot<'s>) -> Result<R>,
    ) -> Result<R> {
        self.runtime.shared().enter(|stack| {
            self.push(stack)?;
            read(Slot::new(stack, stack.top()))
        })
    }

    /// Compiles and runs the code with arguments.
    ///
    /// # Errors
    /// As [`Chunk::into_function`], whatever the code raises, and errors of the conversions.
    pub fn call<R>(self, arguments: impl IntoLuaMulti) -> Result<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.call_with(
            |to| arguments.push_all(to),
            Directly,
            |results| R::from_results(results),
        )
    }

    /// As [`Chunk::call`], in the three phases of [`Function::call_with`].
    ///
    /// ```
    /// use lupa_core::{Directly, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let words = ["tea", "cake"];
    /// let is_last = lua.load("return (select(select('#', ...), ...))").call_with(
    ///     |arguments| words.iter().try_for_each(|word| arguments.push(*word)),
    ///     Directly,
    ///     |results| Ok(results.get(0).bytes() == Some(b"cake")),
    /// )?;
    /// assert!(is_last);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn call_with<R>(
        self,
        push: impl FnOnce(&mut Arguments<'_>) -> Result<()>,
        around: impl Around,
        read: impl for<'s> FnOnce(Results<'s>) -> Result<R>,
    ) -> Result<R> {
        let shared = self.runtime.shared();
        shared.enter_with(around, |stack, _| {
            let call = stack.begin_call_of(|stack| self.push(stack))?;
            push(&mut Arguments::new(stack))?;
            around.around(|| stack.call(call, sys::LUA_MULTRET))?;
            read(Results::new(stack, call.first()))
        })
    }

    /// Compiles and runs the code.
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn eval<R>(self) -> Result<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.call(())
    }

    /// Compiles and runs the code, dropping its results.
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn exec(self) -> Result<()> {
        self.call(())
    }
}

/// Whether an error says that the code ends too early: a prompt then reads another line; see [`Chunk::expression_first`].
///
/// ```
/// use lupa_core::{Runtime, is_incomplete};
///
/// let lua = Runtime::new()?;
/// let ends_early = |code: &str| lua.load(code).exec().is_err_and(|error| is_incomplete(&error));
/// assert!(ends_early("for i = 1, 3 do"));
/// assert!(!ends_early("for i = = 1"));
/// assert!(!ends_early("error('no code but an error')"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub fn is_incomplete(error: &Error) -> bool {
    matches!(error.bottom(), Error::Syntax(error) if error.message.ends_with(b"'<eof>'"))
}
