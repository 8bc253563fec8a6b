//! Host functions of Rust closures with typed arguments and results.

use crate::argument::{Argument, REST};
use crate::convert::{IntoLua, IntoLuaMulti};
use crate::error::{Error, Result};
use crate::function::Function;
use crate::host::{Call, HostObject, Operation};
use crate::pusher::Pusher;
use crate::runtime::Runtime;
use std::cell::RefCell;
use std::marker::PhantomData;

/// A closure or function that Lua code can call: up to 12 arguments, each an [`Argument`], and
/// a result that is one of [`IntoResults`].
///
/// It is implemented for all of them; `Signature` is inferred. Arguments need their types written out
/// (`|n: f64|`), results do not.
///
/// ```
/// use lupa_core::{HostFn, Result, Runtime, Table, function};
///
/// /// Adds a function to the ones that plugins have, and its name to the list of them.
/// fn offer<Signature: 'static>(
///     plugins: &Table,
///     name: &str,
///     f: impl HostFn<Signature> + Send + 'static,
/// ) -> Result<()> {
///     plugins.set(plugins.len()? + 1, name)?;
///     plugins.set(name, function(f))
/// }
///
/// fn shout(text: &str) -> String {
///     text.to_uppercase() + "!"
/// }
///
/// let lua = Runtime::new()?;
/// let plugins = lua.create_table()?;
/// offer(&plugins, "shout", shout)?;
/// offer(&plugins, "add", |a: f64, b: f64| a + b)?;
/// let all: (String, String) = lua.load("local p = ... return p.shout('tea ' .. p.add(1, 2)), p[2]").call(&plugins)?;
/// assert_eq!(all, ("TEA 3!".into(), "add".into()));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called by Lua",
    label = "not a host function",
    note = "it must be a closure or function of up to 12 arguments whose types are written out and implement `Argument` \
            (see there), and give a value, a tuple of values, or a `Result` of these with `lupa_core::Error`",
    note = "several arguments are no tuple; a value of a `UserType` is taken as `&T` or `&mut T`",
    note = "a closure that changes what it has captured goes into the `_mut` method of the same name"
)]
pub trait HostFn<Signature> {
    /// Reads the arguments, calls the closure and pushes its results.
    #[doc(hidden)]
    fn invoke(&self, call: &mut Call<'_>) -> Result<()>;
}

/// As [`HostFn`], for closures that change what they have captured.
///
/// ```
/// use lupa_core::{HostFnMut, Result, Runtime};
///
/// /// Has a function called for each line of a report that Lua code writes.
/// fn on_line<Signature: 'static>(
///     lua: &Runtime,
///     f: impl HostFnMut<Signature> + Send + 'static,
/// ) -> Result<()> {
///     lua.globals()?.set("line", lua.function_mut(f)?)
/// }
///
/// let lua = Runtime::new()?;
/// let mut longest = 0;
/// on_line(&lua, move |text: &str| {
///     longest = text.len().max(longest);
///     longest
/// })?;
/// assert_eq!(lua.load("line('three') return (line('one'))").eval::<usize>()?, 5);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called by Lua",
    label = "not a host function",
    note = "it must be a closure or function of up to 12 arguments whose types are written out and implement `Argument` \
            (see there), and give a value, a tuple of values, or a `Result` of these with `lupa_core::Error`",
    note = "several arguments are no tuple; a value of a `UserType` is taken as `&T` or `&mut T`"
)]
pub trait HostFnMut<Signature> {
    /// Reads the arguments, calls the closure and pushes its results.
    #[doc(hidden)]
    fn invoke(&mut self, call: &mut Call<'_>) -> Result<()>;
}

/// What a typed host function can give: `()`, a value ([`IntoLua`]), a tuple of values for several
/// results, a [`Variadic`](crate::Variadic), or a [`Result`](crate::Result) of one of these. An `Option` of a tuple is given as a tuple
/// of options: `pair.unzip()`.
///
/// The error type of the `Result` is [`Error`], so that a closure that ends with `Ok(…)` needs no annotation. The `?`
/// operator converts the errors of the standard library, and [`ExternalResult`](crate::ExternalResult) all others.
///
/// ```
/// use lupa_core::{Runtime, function};
///
/// let lua = Runtime::new()?;
/// let globals = lua.globals()?;
/// globals.set("log", function(|_: &str| ()))?;
/// globals.set("divide", function(|a: i64, b: i64| (a / b, a % b)))?;
/// globals.set("parse", function(|text: &str| Ok(text.parse::<f64>()?)))?;
/// // Two results or none.
/// globals.set("entry", function(|line: &str| {
///     line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())).unzip()
/// }))?;
///
/// assert_eq!(lua.load("return select('#', log('x'))").eval::<usize>()?, 0);
/// assert_eq!(lua.load("return divide(7, 2)").eval::<(i64, i64)>()?, (3, 1));
/// assert_eq!(lua.load("return parse('2.5')").eval::<f64>()?, 2.5);
/// assert!(!lua.load("return pcall(parse, 'x')").eval::<bool>()?);
/// assert!(lua.load("local k, v = entry('a=1') return k == 'a' and v == '1' and not entry('a')").eval::<bool>()?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the result of a host function",
    note = "it can be a value that implements `IntoLua`, a tuple of values, or a `Result` of these with `lupa_core::Error`: \
            write `Ok(value?)` or `.external()` for other errors"
)]
pub trait IntoResults {
    /// Pushes the results.
    ///
    /// # Errors
    /// The error itself, and those of the conversions.
    #[doc(hidden)]
    fn give(self, call: &mut Call<'_>) -> Result<()>;
}

impl<T: IntoLuaMulti> IntoResults for T {
    #[inline]
    fn give(self, call: &mut Call<'_>) -> Result<()> {
        call.give(self)
    }
}

impl<T: IntoLuaMulti> IntoResults for Result<T, Error> {
    #[inline]
    fn give(self, call: &mut Call<'_>) -> Result<()> {
        call.give(self?)
    }
}

/// Whether nothing that takes an argument follows one that takes the rest.
pub(crate) const fn in_order(takes: &[usize]) -> bool {
    let mut rest = false;
    let mut next = 0;
    while next < takes.len() {
        if rest && takes[next] != 0 {
            return false;
        }
        rest |= takes[next] == REST;
        next += 1;
    }
    true
}

macro_rules! host_functions {
    ($($argument:ident $via:ident $place:ident;)*) => {
        host_functions! { @impl HostFn [&self] self Fn, $($argument $via $place;)* }
        host_functions! { @impl HostFnMut [&mut self] self FnMut, $($argument $via $place;)* }
        host_functions! { @shorter $($argument $via $place;)* }
    };
    (@shorter) => {};
    (@shorter $a:ident $v:ident $p:ident; $($rest:tt)*) => { host_functions! { $($rest)* } };
    (@impl $trait:ident [$($receiver:tt)*] $this:ident $fn:ident, $($argument:ident $via:ident $place:ident;)*) => {
        impl<Closure, Output, $($argument, $via),*> $trait<fn($($argument, $via),*) -> Output> for Closure
        where
            Closure: $fn($($argument),*) -> Output
                + for<'a> $fn($($argument::Of<'a>),*) -> Output,
            Output: IntoResults,
            $($argument: Argument<$via>,)*
        {
            #[inline]
            #[allow(non_snake_case, unused_variables, unused_mut, unused_assignments)]
            fn invoke($($receiver)*, call: &mut Call<'_>) -> Result<()> {
                const {
                    assert!(
                        in_order(&[$($argument::TAKES),*]),
                        "an argument that takes all that are left must be the last one"
                    );
                }
                let output = {
                    let call = &*call;
                    let mut next = 0;
                    $(let mut $place = $argument::Place::default();)*
                    $(
                        let $argument = $argument::read(call, next, &mut $place)?;
                        next += if $argument::TAKES == REST { 0 } else { $argument::TAKES };
                    )*
                    $this($($argument),*)
                };
                // What the arguments borrowed is free again when the results are pushed.
                output.give(call)
            }
        }
    };
}

host_functions! {
    A ViaA a; B ViaB b; C ViaC c; D ViaD d; E ViaE e; F ViaF f;
    G ViaG g; H ViaH h; I ViaI i; J ViaJ j; K ViaK k; L ViaL l;
}

/// A typed closure as a host object.
pub(crate) struct Typed<F, Signature>(F, PhantomData<fn() -> Signature>);

impl<F, Signature> HostObject for Typed<F, Signature>
where
    F: HostFn<Signature> + Send + 'static,
    Signature: 'static,
{
    const NAME: &'static str = "function";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    #[inline]
    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        self.0.invoke(call)
    }
}

/// A typed closure that changes what it has captured, as a host object.
pub(crate) struct TypedMut<F, Signature>(RefCell<F>, PhantomData<fn() -> Signature>);

impl<F, Signature> HostObject for TypedMut<F, Signature>
where
    F: HostFnMut<Signature> + Send + 'static,
    Signature: 'static,
{
    const NAME: &'static str = "function";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    #[inline]
    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        match self.0.try_borrow_mut() {
            Ok(mut function) => function.invoke(call),
            Err(_) => Err(Error::InUse("the function".into())),
        }
    }
}

/// A host function that is made where it is converted to Lua; see [`function`].
///
/// ```
/// use lupa_core::{HostObject, NewFunction, Runtime, function};
///
/// /// A filter for Lua code, wherever it is to be.
/// fn above(limit: f64) -> NewFunction<impl HostObject> {
///     function(move |n: f64| n > limit)
/// }
///
/// let lua = Runtime::new()?;
/// let is_warm: bool = lua.load("local filter = ... return filter(21)").call(above(20.0))?;
/// assert!(is_warm);
/// lua.globals()?.set("is_hot", above(30.0))?;
/// assert!(!lua.load("return is_hot(21)").eval::<bool>()?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "it becomes a function when it is converted to Lua"]
pub struct NewFunction<Object>(Object);

impl<Object: HostObject> IntoLua for NewFunction<Object> {
    #[inline]
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.function(self.0)
    }
}

/// A host function to be given to Lua at once: as a value to set, an argument or a result.
///
/// It saves the handle that [`Runtime::function`] makes, and needs no runtime at hand.
///
/// ```
/// use lupa_core::{Runtime, function};
///
/// let lua = Runtime::new()?;
/// let maths = lua.create_table_with(0, 2, |table| {
///     table.set("double", function(|n: f64| n * 2.0))?;
///     // A function that gives a function.
///     table.set("adder", function(|a: f64| function(move |b: f64| a + b)))
/// })?;
/// lua.globals()?.set("maths", maths)?;
/// assert_eq!(lua.load("return maths.double(4) + maths.adder(1)(2)").eval::<f64>()?, 11.0);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub fn function<Signature: 'static>(
    function: impl HostFn<Signature> + Send + 'static,
) -> NewFunction<impl HostObject> {
    NewFunction(Typed(function, PhantomData))
}

/// As [`function()`], for a closure that changes what it has captured; see [`Runtime::function_mut`].
///
/// ```
/// use lupa_core::{Runtime, function_mut};
///
/// let lua = Runtime::new()?;
/// let mut calls = 0;
/// lua.globals()?.set("count", function_mut(move || { calls += 1; calls }))?;
/// assert_eq!(lua.load("count(); return count()").eval::<i64>()?, 2);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub fn function_mut<Signature: 'static>(
    function: impl HostFnMut<Signature> + Send + 'static,
) -> NewFunction<impl HostObject> {
    NewFunction(TypedMut(RefCell::new(function), PhantomData))
}

/// A Lua iterator over what a Rust iterator gives: a function to be called by Lua's generic `for`, which gives
/// the next item, or several values for an item that is a tuple, and nil at the end.
///
/// The first value of an item must not be nil: Lua would take it for the end.
///
/// ```
/// use lupa_core::{Runtime, function, iterator};
///
/// let lua = Runtime::new()?;
/// lua.globals()?.set("words", function(|text: String| {
///     let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
///     iterator(words.into_iter().enumerate().map(|(n, word)| (n + 1, word)))
/// }))?;
/// let text: String = lua
///     .load("local t = '' for n, word in words('a b c') do t = t .. n .. word end return t")
///     .eval()?;
/// assert_eq!(text, "1a2b3c");
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub fn iterator<I>(items: I) -> NewFunction<impl HostObject>
where
    I: IntoIterator<IntoIter: Send + 'static, Item: IntoLuaMulti + 'static>,
{
    NewFunction(Items(RefCell::new(items.into_iter().fuse())))
}

/// A Rust iterator as a host function.
struct Items<I>(RefCell<std::iter::Fuse<I>>);

impl<I: Iterator<Item: IntoLuaMulti> + Send + 'static> HostObject for Items<I> {
    const NAME: &'static str = "iterator";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        let next = match self.0.try_borrow_mut() {
            Ok(mut items) => items.next(),
            Err(_) => return Err(Error::InUse("the iterator".into())),
        };
        match next {
            Some(item) => call.give(item),
            None => call.push_with(|to| to.nil()),
        }
    }
}

/// Typed host functions.
impl Runtime {
    /// Makes a Lua function of a closure with typed arguments and results.
    ///
    /// Arguments are converted as [`Argument`] says, results as [`IntoResults`]. Arguments that the caller left out are nil,
    /// and those that are too many are ignored, as in Lua. The closure may be called on any thread that uses the runtime, but never on two at
    /// once; it may use the runtime, which can call it again meanwhile.
    ///
    /// ```
    /// use lupa_core::{Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let globals = lua.globals()?;
    /// // Text is lent for the call, not copied.
    /// globals.set("times", lua.function(|text: &str, count: Option<usize>| text.repeat(count.unwrap_or(2)))?)?;
    /// // `?` on an error of the standard library; several results.
    /// globals.set("halves", lua.function(|text: &str| {
    ///     let number: f64 = text.parse()?;
    ///     Ok((number / 2.0, number / 2.0))
    /// })?)?;
    /// // The runtime takes up no argument.
    /// globals.set("pair", lua.function(|lua: &Runtime, a: f64, b: f64| -> lupa_core::Result<Table> {
    ///     lua.create_table_with(2, 0, |table| {
    ///         table.set_index(1, a)?;
    ///         table.set_index(2, b)
    ///     })
    /// })?)?;
    ///
    /// assert_eq!(lua.load("return times('ab', 3) .. times('c')").eval::<String>()?, "abababcc");
    /// assert_eq!(lua.load("return halves('5')").eval::<(f64, f64)>()?, (2.5, 2.5));
    /// assert_eq!(lua.load("return #pair(1, 2)").eval::<i64>()?, 2);
    /// let error = lua.load("times('x', 'y')").exec().unwrap_err();
    /// assert!(error.to_string().contains("bad argument #2: cannot convert string to usize"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Forked`], [`Error::Memory`]. Calls of the function fail in Lua for an
    /// argument that does not convert, with the text of an [`Error::BadArgument`], and with what the closure gives.
    pub fn function<Signature: 'static>(
        &self,
        function: impl HostFn<Signature> + Send + 'static,
    ) -> Result<Function> {
        self.create(|to| to.function(Typed(function, PhantomData)))
            .map(Function)
    }

    /// As [`Runtime::function`], for a closure that changes what it has captured.
    ///
    /// While it runs it cannot be called again: if Lua code that it calls does so, that call is an error in Lua, with the
    /// text of [`Error::InUse`]. A panic in the closure passes through Lua as all panics do, and the function stays usable.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let mut log = Vec::new();
    /// let note = lua.function_mut(move |line: String| {
    ///     log.push(line);
    ///     log.len()
    /// })?;
    /// assert_eq!(note.call::<usize>("one")?, 1);
    /// assert_eq!(note.call::<usize>("two")?, 2);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::function`].
    pub fn function_mut<Signature: 'static>(
        &self,
        function: impl HostFnMut<Signature> + Send + 'static,
    ) -> Result<Function> {
        self.create(|to| to.function(TypedMut(RefCell::new(function), PhantomData)))
            .map(Function)
    }
}
