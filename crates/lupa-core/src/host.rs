//! Objects and functions of the host program, as Lua sees them.

use crate::call::Arguments;
use crate::convert::{FromLua, IntoLua, IntoLuaMulti};
use crate::error::{ArgumentError, Error, Result};
use crate::pusher::Pusher;
use crate::raw::{FrameMark, Stack, sys};
use crate::runtime::Runtime;
use crate::slot::Slot;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::sync::Arc;

/// An operation of Lua code on a host object: the metamethods of Lua 5.1.
///
/// ```
/// use lupa_core::{Call, HostObject, Operation, Result, Runtime};
///
/// /// Answers whatever is done with it by the name of that.
/// struct Echo;
///
/// impl HostObject for Echo {
///     const NAME: &'static str = "echo";
///     const OPERATIONS: &'static [Operation] = Operation::ALL;
///     fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
///         call.push(operation.metamethod())
///     }
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("echo", lua.create_object(Echo)?)?;
/// let names: Vec<String> = lua.load("return { tostring(echo), echo.x, echo(), 1 + echo, -echo, #echo }").eval()?;
/// assert_eq!(names, ["__tostring", "__index", "__call", "__add", "__unm", "__len"]);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[non_exhaustive]
pub enum Operation {
    /// `object[key]`; arguments: object, key.
    Index = sys::LUPA_INDEX,
    /// `object[key] = value`; arguments: object, key, value.
    NewIndex = sys::LUPA_NEWINDEX,
    /// `object(...)`; the arguments are those of the call, without the object.
    Call = sys::LUPA_CALL,
    /// `tostring(object)`; argument: object. The result must be a string.
    ToString = sys::LUPA_TOSTRING,
    /// `#object`; argument: object.
    Len = sys::LUPA_LEN,
    /// `a == b` for two host objects of one type that are not the same.
    Eq = sys::LUPA_EQ,
    /// `a < b`
    Lt = sys::LUPA_LT,
    /// `a <= b`
    Le = sys::LUPA_LE,
    /// `a + b`; either may be the object, as in all that follow but `Neg`.
    Add = sys::LUPA_ADD,
    /// `a - b`
    Sub = sys::LUPA_SUB,
    /// `a * b`
    Mul = sys::LUPA_MUL,
    /// `a / b`
    Div = sys::LUPA_DIV,
    /// `a % b`
    Mod = sys::LUPA_MOD,
    /// `a ^ b`
    Pow = sys::LUPA_POW,
    /// `-a`
    Neg = sys::LUPA_UNM,
    /// `a .. b`
    Concat = sys::LUPA_CONCAT,
}

impl Operation {
    /// All operations, in the order of their numbers.
    pub const ALL: &'static [Operation] = &[
        Operation::Index,
        Operation::NewIndex,
        Operation::Call,
        Operation::ToString,
        Operation::Len,
        Operation::Eq,
        Operation::Lt,
        Operation::Le,
        Operation::Add,
        Operation::Sub,
        Operation::Mul,
        Operation::Div,
        Operation::Mod,
        Operation::Pow,
        Operation::Neg,
        Operation::Concat,
    ];

    /// The operation of a trampoline's event.
    #[inline]
    pub(crate) fn from_event(event: c_int) -> Operation {
        Self::ALL
            .get(event as usize)
            .copied()
            .unwrap_or(Operation::Call)
    }

    /// Lua's name of the metamethod.
    pub fn metamethod(self) -> &'static str {
        match self {
            Operation::Index => "__index",
            Operation::NewIndex => "__newindex",
            Operation::Call => "__call",
            Operation::ToString => "__tostring",
            Operation::Len => "__len",
            Operation::Eq => "__eq",
            Operation::Lt => "__lt",
            Operation::Le => "__le",
            Operation::Add => "__add",
            Operation::Sub => "__sub",
            Operation::Mul => "__mul",
            Operation::Div => "__div",
            Operation::Mod => "__mod",
            Operation::Pow => "__pow",
            Operation::Neg => "__unm",
            Operation::Concat => "__concat",
        }
    }
}

/// A value of the host program that Lua code can hold and operate on.
///
/// Lua owns the value: it is dropped when Lua's collector frees the userdata, or
/// when the runtime is closed, on whichever thread that happens. Lua code cannot see or change
/// the metatable. Methods and fields by name are easier with [`UserType`](crate::UserType);
/// this trait is the layer below, for types that decide on names as they come.
///
/// ```
/// use lupa_core::{Call, HostObject, Operation, Result, Runtime};
///
/// struct Squares;
/// impl HostObject for Squares {
///     const NAME: &'static str = "squares";
///     const OPERATIONS: &'static [Operation] = &[Operation::Index];
///     fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
///         let n: f64 = call.get(1)?;
///         call.push(n * n)
///     }
/// }
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("squares", lua.create_object(Squares)?)?;
/// assert_eq!(lua.load("return squares[12]").eval::<f64>()?, 144.0);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait HostObject: Send + Sized + 'static {
    /// Name of the type, for messages.
    const NAME: &'static str;

    /// The operations that the type offers; others are Lua errors that name the
    /// operation and the type `userdata`.
    const OPERATIONS: &'static [Operation];

    /// Performs an operation: arguments are read from `call`, results are pushed to it.
    /// An error is raised in Lua; a panic passes through Lua, uncatchable there, to the host's
    /// outermost call.
    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()>;
}

/// A call of Lua code to the host: arguments, results, and the runtime.
///
/// Typed functions ([`Runtime::function`]) read and push for themselves, and take it as an argument, `&Call`, if they need it.
///
/// ```
/// let lua = lupa_core::Runtime::new()?;
/// // Any number of arguments, as many results.
/// let reverse = lua.create_function(|call| {
///     for index in (0..call.len()).rev() {
///         let argument = call.arg(index);
///         call.push(argument)?;
///     }
///     Ok(())
/// })?;
/// let all: (String, bool, i64) = reverse.call((1, true, "one"))?;
/// assert_eq!(all, ("one".into(), true, 1));
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct Call<'s> {
    stack: Stack<'s>,
    frame: FrameMark,
    runtime: ManuallyDrop<Runtime>,
    first: c_int,
    last: c_int,
}

impl<'s> Call<'s> {
    /// `first` and `last` are the slots of the arguments.
    #[inline]
    pub(crate) fn new(stack: Stack<'s>, first: c_int, last: c_int) -> Self {
        Call {
            stack,
            frame: stack.frame(),
            runtime: Runtime::borrowed(stack.shared()),
            first,
            last,
        }
    }

    /// The runtime.
    #[inline]
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The runtime, apart from the call: to be used while results are pushed.
    #[inline]
    pub fn runtime_ref(&self) -> RuntimeRef<'s> {
        RuntimeRef {
            runtime: Runtime::borrowed(self.stack.shared()),
            lifetime: PhantomData,
        }
    }

    /// The stack, in the frame of the call.
    ///
    /// # Panics
    /// In another one, whose results are not ours.
    #[inline]
    fn stack(&self) -> Stack<'s> {
        self.stack.in_frame(self.frame)
    }

    /// Number of arguments.
    #[inline]
    pub fn len(&self) -> usize {
        (self.last + 1 - self.first).max(0) as usize
    }

    /// Whether there are no arguments.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The argument with this index, from 0. Reads as no value beyond the last.
    #[inline]
    pub fn arg(&self, index: usize) -> Slot<'s> {
        let index = c_int::try_from(index).unwrap_or(c_int::MAX);
        let place = match self.first.checked_add(index) {
            Some(slot) if slot <= self.last => self.frame.place(slot),
            _ => self.frame.place(Slot::NONE),
        };
        Slot::at(self.stack, place)
    }

    /// The argument with this index, from 0, converted.
    ///
    /// # Errors
    /// [`Error::BadArgument`] if it does not convert, with the position as the caller counts: from 1, and without the object in `object:method(…)`.
    #[inline]
    pub fn get<T: FromLua<'s>>(&self, index: usize) -> Result<T> {
        T::from_lua(self.arg(index)).map_err(|cause| self.bad(index, cause))
    }

    /// The error of the argument with this index.
    #[cold]
    pub(crate) fn bad(&self, index: usize, cause: Error) -> Error {
        let method = self.stack.called_method();
        Error::BadArgument(Arc::new(ArgumentError {
            position: if method.is_some() { index } else { index + 1 },
            method: method.map(|name| String::from_utf8_lossy(&name).into_owned()),
            cause,
        }))
    }

    /// Where the caller is, as Lua's messages begin: chunk name, line and `: `. Empty for
    /// callers that are not Lua code.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.globals()?.set("note", lua.create_function(|call| {
    ///     let text = if call.is_empty() { "here" } else { call.get(0)? };
    ///     call.push(format!("{}{text}", String::from_utf8_lossy(&call.location())))
    /// })?)?;
    /// let notes: Vec<String> = lua.load("return {\n  note('old'),\n  note(),\n}").name("@mail.lua").eval()?;
    /// assert_eq!(notes, ["mail.lua:2: old", "mail.lua:3: here"]);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn location(&self) -> Vec<u8> {
        let stack = self.stack();
        let top = stack.top();
        if stack.reserve(2).is_err() {
            return Vec::new();
        }
        stack.push_location();
        let location = stack.bytes(top + 1).unwrap_or_default().to_vec();
        stack.pop_to(top);
        location
    }

    /// Adds a result.
    ///
    /// # Errors
    /// Those of the conversion, and [`Error::StackOverflow`] beyond some 8,000 results.
    #[inline]
    pub fn push(&mut self, value: impl IntoLua) -> Result<()> {
        self.push_with(|pusher| value.into_lua(pusher))
    }

    /// Adds a result by a closure that pushes it.
    ///
    /// ```
    /// use lupa_core::{Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// // A global by its name if that is a function, else what was given beside the name.
    /// let find = lua.create_function(|call| {
    ///     let name: &str = call.get(0)?;
    ///     let (lua, other) = (call.runtime_ref(), call.arg(1));
    ///     call.push_with(|to| match lua.globals()?.get::<Function>(name) {
    ///         Ok(function) => to.lua_function(&function),
    ///         Err(_) => to.slot(other),
    ///     })
    /// })?;
    /// assert_eq!(find.call::<Function>("tostring")?.call::<String>(1)?, "1");
    /// assert_eq!(find.call::<String>(("nothing", "else"))?, "else");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Call::push`].
    #[inline]
    pub fn push_with(&mut self, push: impl FnOnce(Pusher<'_>) -> Result<()>) -> Result<()> {
        // A conversion may need a few slots of its own.
        let stack = self.stack();
        stack.reserve(8)?;
        let top = stack.top();
        // What a failed conversion leaves would count as a result.
        push(Pusher::new(stack)).inspect_err(|_| stack.pop_to(top))
    }

    /// Adds all results, for a frame to which nothing was pushed yet: it has room enough.
    #[inline]
    pub(crate) fn give(&mut self, values: impl IntoLuaMulti) -> Result<()> {
        let top = self.stack.top();
        values
            .push_all(&mut Arguments::new(self.stack))
            .inspect_err(|_| self.stack.pop_to(top))
    }

    /// The same call with the callee as the first argument, for an object that is called.
    pub(crate) fn with_callee(&mut self) -> Call<'s> {
        Call::new(self.stack, self.first - 1, self.last)
    }

    /// Raises any Lua value as an error: return what this gives.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.globals()?.set("root", lua.create_function(|call| {
    ///     let n: f64 = call.get(0)?;
    ///     if n < 0.0 {
    ///         let problem = call.runtime().create_table_from([("number", n)])?;
    ///         return Err(call.raise(problem));
    ///     }
    ///     call.push(n.sqrt())
    /// })?)?;
    /// let code = "local ok, problem = pcall(root, -9) return root(9), problem.number";
    /// assert_eq!(lua.load(code).eval::<(f64, f64)>()?, (3.0, -9.0));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn raise(&mut self, value: impl IntoLua) -> Error {
        match self.push(value) {
            Ok(()) => Error::Raised,
            Err(error) => error,
        }
    }

    /// As [`Call::raise`], for an error that Lua code cannot catch with `pcall`: it ends
    /// all Lua code up to the host's call that runs it.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.globals()?.set("quit", lua.create_function(|call| {
    ///     let code: f64 = call.get(0)?;
    ///     Err(call.raise_uncatchable(format!("quit with {code}")))
    /// })?)?;
    /// let error = lua.load("pcall(quit, 3) went_on = true").exec().unwrap_err();
    /// assert_eq!(error.text(), "quit with 3");
    /// assert!(!lua.globals()?.contains_key("went_on")?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn raise_uncatchable(&mut self, value: impl IntoLua) -> Error {
        match self.push(value) {
            Ok(()) => {
                self.stack.shared().stop_with_top(self.stack);
                Error::Raised
            }
            Err(error) => error,
        }
    }
}

/// The runtime of a call; see [`Call::runtime_ref`].
///
/// ```
/// use lupa_core::Runtime;
/// use std::collections::BTreeMap;
///
/// let lua = Runtime::new()?;
/// lua.set_app_data(BTreeMap::from([("cake", 5_i64), ("tea", 3)]))?;
/// lua.globals()?.set("prices", lua.create_function(|call| {
///     let lua = call.runtime_ref();
///     // By `call.runtime()` the map would borrow from the call, which could push nothing meanwhile.
///     if let Some(prices) = lua.app_data_ref::<BTreeMap<&str, i64>>()? {
///         for price in prices.values() {
///             call.push(*price)?;
///         }
///     }
///     Ok(())
/// })?)?;
/// assert_eq!(lua.load("return prices()").eval::<(i64, i64)>()?, (5, 3));
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct RuntimeRef<'s> {
    runtime: ManuallyDrop<Runtime>,
    lifetime: PhantomData<&'s ()>,
}

impl std::ops::Deref for RuntimeRef<'_> {
    type Target = Runtime;

    #[inline]
    fn deref(&self) -> &Runtime {
        &self.runtime
    }
}

impl std::fmt::Debug for RuntimeRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.runtime.fmt(f)
    }
}

impl std::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call")
            .field("arguments", &self.len())
            .finish_non_exhaustive()
    }
}

/// A closure as a host object.
pub(crate) struct HostFunction<F>(pub(crate) F);

impl<F> HostObject for HostFunction<F>
where
    F: Fn(&mut Call<'_>) -> Result<()> + Send + 'static,
{
    const NAME: &'static str = "function";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    #[inline]
    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        (self.0)(call)
    }
}
