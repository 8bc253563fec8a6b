//! Async functions of the host.

use super::awaiting::{Await, Future, Reply};
use super::library;
use crate::argument::REST;
use crate::closure::in_order;
use crate::convert::{IntoLuaMulti, Owned};
use crate::error::{Error, Result};
use crate::function::Function;
use crate::handle::Handle;
use crate::host::{Call, HostObject, Operation};
use crate::multi::Variadic;
use crate::runtime::Runtime;
use std::future::Future as StdFuture;
use std::marker::PhantomData;

/// Closures that [`Runtime::async_function`] takes: of up to eight [`AsyncArgument`]s, giving a future of an
/// [`AsyncOutcome`]. `Signature` is only there to tell them apart.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lupa_core::Result<()> {
/// use lupa_core::{Result, Runtime, asynchronous::AsyncFn};
///
/// /// Adds an async function to the globals, and its name to the list of them.
/// fn offer<Signature: 'static>(lua: &Runtime, name: &str, f: impl AsyncFn<Signature>) -> Result<()> {
///     lua.load("local name, f = ... waiting = waiting or {} table.insert(waiting, name) _G[name] = f")
///         .call((name, lua.async_function(f)?))
/// }
///
/// async fn add(a: f64, b: f64) -> f64 {
///     a + b
/// }
///
/// let lua = Runtime::new()?;
/// offer(&lua, "add", add)?;
/// offer(&lua, "greet", |name: String| async move { format!("Hello, {name}!") })?;
/// let code = "return greet(waiting[1]), add(1, #waiting)";
/// assert_eq!(lua.load(code).eval_async::<(String, f64)>().await?, ("Hello, add!".into(), 3.0));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an async function of Lua",
    label = "not an async host function",
    note = "it must be a closure or function of up to 8 arguments that are written out and borrow nothing, and give a future \
            that is `Send`, of a value, a tuple of values, or a `Result` of these with `lupa_core::Error`",
    note = "the runtime is an argument of type `Runtime`; a closure cannot change what it has captured"
)]
pub trait AsyncFn<Signature>: Send + 'static {
    /// Reads the arguments and makes the future.
    #[doc(hidden)]
    fn begin(&self, call: &Call<'_>) -> Result<Started>;
}

/// A future that has been made; see [`AsyncFn`].
#[doc(hidden)]
pub struct Started(Future);

/// An argument of an async function: any type that borrows nothing from Lua, a [`Variadic`] for all that are left, or the
/// [`Runtime`], which takes no place among the arguments.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lupa_core::Result<()> {
/// use lupa_core::{Result, Runtime, Table};
///
/// let lua = Runtime::new()?;
/// // A `String`, not a `&str`: the future has it while Lua code waits.
/// let read = lua.async_function(|lua: Runtime, name: String, into: Option<Table>| async move {
///     tokio::task::yield_now().await;
///     let page = into.map_or_else(|| lua.create_table(), Ok)?;
///     page.set("title", name.to_uppercase())?;
///     Ok(page)
/// })?;
/// lua.globals()?.set("read", read)?;
/// let code = "local page = { n = 1 } return read('news').title, read('home', page).title, page.title";
/// let titles: (String, String, String) = lua.load(code).eval_async().await?;
/// assert_eq!(titles, ("NEWS".into(), "HOME".into(), "HOME".into()));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "an async function cannot take an argument of type `{Self}`",
    note = "it can take types that implement `FromLua` and borrow nothing, `Variadic` as the last one, and `Runtime`"
)]
pub trait AsyncArgument: Sized {
    /// How many of Lua's arguments it takes; [`REST`] for all that are left.
    #[doc(hidden)]
    const TAKES: usize = 1;
    /// Reads the argument at an index, from 0.
    #[doc(hidden)]
    fn read(call: &Call<'_>, index: usize) -> Result<Self>;
}

impl<T: Owned> AsyncArgument for T {
    fn read(call: &Call<'_>, index: usize) -> Result<Self> {
        call.get(index)
    }
}

impl AsyncArgument for Runtime {
    const TAKES: usize = 0;

    fn read(call: &Call<'_>, _: usize) -> Result<Self> {
        Ok(call.runtime().clone())
    }
}

/// The rest of the arguments.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lupa_core::Result<()> {
/// use lupa_core::{ExternalResult, Function, Runtime, Value, Variadic};
///
/// let lua = Runtime::new()?;
/// // all(f, g, ...) calls functions that wait at the same time, and gives all their results.
/// let all = lua.async_function(|functions: Variadic<Function>| async move {
///     let tasks: Vec<_> = functions.iter().map(|f| tokio::spawn(f.call_async::<Value>(()))).collect();
///     let mut results = Variadic::default();
///     for task in tasks {
///         results.push(task.await.external()??);
///     }
///     Ok(results)
/// })?;
/// lua.globals()?.set("all", all)?;
/// let code = "return all(function() return 1 end, function() return 'b' end)";
/// assert_eq!(lua.load(code).eval_async::<(u32, String)>().await?, (1, "b".into()));
/// # Ok(()) }
/// ```
impl<T: Owned> AsyncArgument for Variadic<T> {
    const TAKES: usize = REST;

    fn read(call: &Call<'_>, index: usize) -> Result<Self> {
        (index..call.len()).map(|index| call.get(index)).collect()
    }
}

/// What the future of an async function gives: one value, a tuple, a [`Variadic`] or nothing, or a [`Result`] of these.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lupa_core::Result<()> {
/// use lupa_core::{Error, Runtime};
///
/// let lua = Runtime::new()?;
/// let share = lua.async_function(|coins: u32, among: u32| async move {
///     tokio::task::yield_now().await;
///     match among {
///         0 => Err(Error::message("there is nobody")),
///         _ => Ok((coins / among, coins % among)),
///     }
/// })?;
/// assert_eq!(share.call_async::<(u32, u32)>((17, 5)).await?, (3, 2));
/// assert_eq!(share.call_async::<()>((17, 0)).await.unwrap_err().text(), "there is nobody");
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what the future of an async function gives",
    note = "it can be a value that implements `IntoLua`, a tuple of values, or a `Result` of these with `lupa_core::Error`: \
            write `Ok(value?)` or `.external()` for other errors"
)]
pub trait AsyncOutcome {
    /// The results, to be pushed when Lua code goes on.
    #[doc(hidden)]
    fn into_reply(self) -> Result<Reply>;
}

impl<T: IntoLuaMulti + Send + 'static> AsyncOutcome for T {
    fn into_reply(self) -> Result<Reply> {
        Ok(Reply::new(self))
    }
}

impl<T: IntoLuaMulti + Send + 'static> AsyncOutcome for Result<T, Error> {
    fn into_reply(self) -> Result<Reply> {
        self.map(Reply::new)
    }
}

/// Closures that [`Members::async_method`](crate::Members::async_method) takes: as [`AsyncFn`], with a reference to the value before the
/// arguments.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lupa_core::Result<()> {
/// use lupa_core::{Members, Runtime, UserType};
/// use std::sync::Arc;
///
/// struct Sensor { name: Arc<str> }
///
/// impl Sensor {
///     // By `use<>` the future keeps nothing of the sensor.
///     fn read(&self, unit: String) -> impl Future<Output = String> + Send + use<> {
///         let name = Arc::clone(&self.name);
///         async move { format!("{name}: 21 {unit}") }
///     }
/// }
///
/// impl UserType for Sensor {
///     const NAME: &'static str = "Sensor";
///     fn members(members: &mut Members<Self>) {
///         members.async_method("read", Self::read);
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let sensor = lua.create_userdata(Sensor { name: "kitchen".into() })?;
/// assert_eq!(sensor.call_method_async::<String>("read", "°C").await?, "kitchen: 21 °C");
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an async method of `{T}`",
    label = "not an async method",
    note = "it must be a closure or function of `&{T}` and up to 8 arguments that are written out and borrow nothing, and give a \
            future that is `Send` and keeps nothing of `&{T}`, of a value, a tuple of values, or a `Result` of these with \
            `lupa_core::Error`"
)]
pub trait AsyncMethod<T, Signature>: Send + Sync + 'static {
    /// Reads the arguments and makes the future.
    #[doc(hidden)]
    fn begin(&self, this: &T, call: &Call<'_>) -> Result<Started>;
}

impl Started {
    fn new<Fut: StdFuture<Output: AsyncOutcome> + Send + 'static>(future: Fut) -> Self {
        Started(Box::pin(async move { future.await.into_reply() }))
    }

    /// Gives it to Lua code.
    pub(crate) fn push(self, call: &mut Call<'_>) -> Result<()> {
        call.push_with(|to| to.object(Await::new(self.0)))
    }
}

/// Makes a future by a closure whose arguments start at an index.
macro_rules! started {
    ($call:ident, $first:expr, $closure:ident($($this:ident)?), $($argument:ident)*) => {{
        const {
            assert!(
                in_order(&[$($argument::TAKES),*]),
                "an argument that takes all that are left must be the last one"
            );
        }
        let mut next = $first;
        $(
            let $argument = $argument::read($call, next)?;
            next += if $argument::TAKES == REST { 0 } else { $argument::TAKES };
        )*
        Ok(Started::new($closure($($this,)? $($argument),*)))
    }};
}

macro_rules! functions {
    ($($($argument:ident)*;)*) => {$(
        impl<Closure, Fut, $($argument),*> AsyncFn<fn($($argument),*) -> Fut> for Closure
        where
            Closure: Fn($($argument),*) -> Fut + Send + 'static,
            Fut: StdFuture<Output: AsyncOutcome> + Send + 'static,
            $($argument: AsyncArgument,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables, unused_assignments)]
            fn begin(&self, call: &Call<'_>) -> Result<Started> {
                started!(call, 0, self(), $($argument)*)
            }
        }

        impl<T, Closure, Fut, $($argument),*> AsyncMethod<T, fn($($argument),*) -> Fut> for Closure
        where
            Closure: Fn(&T, $($argument),*) -> Fut + Send + Sync + 'static,
            Fut: StdFuture<Output: AsyncOutcome> + Send + 'static,
            $($argument: AsyncArgument,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables, unused_assignments)]
            fn begin(&self, this: &T, call: &Call<'_>) -> Result<Started> {
                started!(call, 1, self(this), $($argument)*)
            }
        }
    )*};
}

functions! {
    ;
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
}

/// A closure as the host function that begins an await.
struct Begin<F, Signature>(F, PhantomData<fn() -> Signature>);

impl<F: AsyncFn<Signature>, Signature: 'static> HostObject for Begin<F, Signature> {
    const NAME: &'static str = "async function";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        self.0.begin(call)?.push(call)
    }
}

impl Runtime {
    /// Makes a Lua function of a closure that gives a future. Lua code that calls it waits for the future's result, while
    /// the thread does other things; see [`asynchronous`](crate::asynchronous) for what that demands of the caller.
    ///
    /// The arguments are read before, so they own what they have. An error of the future is raised where Lua code
    /// waits; a panic passes on to who polls the async call, past all `pcall`s. A closure that needs the runtime takes a
    /// [`Runtime`] as an argument: one that it has captured would keep the runtime alive for good.
    ///
    /// ```
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    /// # }
    /// use lupa_core::{Error, Result, Runtime, Table};
    /// use std::time::Duration;
    ///
    /// let lua = Runtime::new()?;
    /// let globals = lua.globals()?;
    /// globals.set("sleep", lua.async_function(|seconds: f64| {
    ///     tokio::time::sleep(Duration::from_secs_f64(seconds))
    /// })?)?;
    /// globals.set("fetch", lua.async_function(|lua: Runtime, name: String| async move {
    ///     if name.is_empty() {
    ///         return Err(Error::message("no name"));
    ///     }
    ///     let page: Table = lua.create_table()?;
    ///     page.set("name", name)?;
    ///     Ok(page)
    /// })?)?;
    ///
    /// let code = "sleep(0.01) local ok, message = pcall(fetch, '') return fetch('a').name, tostring(message)";
    /// let result: (String, String) = block_on(lua.load(code).eval_async())?;
    /// assert_eq!(result, ("a".into(), "no name".into()));
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Closed`, `Error::Forked`, `Error::Memory`; an error in a runtime without the base library.
    pub fn async_function<Signature: 'static>(
        &self,
        function: impl AsyncFn<Signature>,
    ) -> Result<Function> {
        self.shared().enter(|stack| {
            stack.check_memory()?;
            stack.push_function(Begin(function, PhantomData));
            library::push_async(stack)?;
            Handle::new(stack, stack.top()).map(Function)
        })
    }
}
