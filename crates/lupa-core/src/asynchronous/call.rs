//! Lua functions, chunks and coroutines as futures.

use super::task::{Push, Task, Yields};
use crate::chunk::Chunk;
use crate::convert::{FromLuaMulti, IntoLuaMulti, Owned};
use crate::coroutine::Coroutine;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::handle::no_member;
use crate::reference::UserData;
use crate::table::Table;
use futures_core::Stream;
use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

fn push<'a>(arguments: impl IntoLuaMulti + Send + 'a) -> Push<'a> {
    Box::new(move |to| arguments.push_all(to))
}

/// A call of Lua code as a future; `R` is what it gives, and the arguments may borrow for `'a`.
///
/// It can be kept, named in a struct, and polled without being pinned first.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lupa_core::Result<()> {
/// use lupa_core::{Runtime, asynchronous::LuaFuture};
///
/// struct Job { name: String, work: LuaFuture<'static, i64> }
///
/// let lua = Runtime::new()?;
/// let square = lua.load("return (...) ^ 2").into_function()?;
/// let mut jobs: Vec<Job> = (1..=3).map(|n| Job { name: format!("job {n}"), work: square.call_async(n) }).collect();
/// let last = jobs.pop().unwrap();
/// assert_eq!((last.name.as_str(), last.work.await?), ("job 3", 9));
/// # Ok(())
/// # }
/// ```
#[must_use = "a future does nothing unless it is polled"]
pub struct LuaFuture<'a, R> {
    /// The error, once, if there is no task.
    task: std::result::Result<Task<'a>, Option<Error>>,
    yields: Yields,
    of: PhantomData<fn() -> R>,
}

impl<'a, R> LuaFuture<'a, R> {
    fn new(task: Result<Task<'a>>, yields: Yields) -> Self {
        LuaFuture {
            task: task.map_err(Some),
            yields,
            of: PhantomData,
        }
    }

    /// The call of a function, once it is known to be one.
    fn call(function: Result<Function>, arguments: impl IntoLuaMulti + Send + 'a) -> Self {
        let coroutine = function.and_then(|function| function.coroutine());
        let task = coroutine.map(|coroutine| Task::new(coroutine, push(arguments), true));
        Self::new(task, Yields::Turn)
    }
}

impl<R> Future for LuaFuture<'_, R>
where
    R: for<'s> FromLuaMulti<'s>,
{
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        let this = self.get_mut();
        match &mut this.task {
            Ok(task) => task
                .poll(context, this.yields, |results| R::from_results(results))
                .map_ok(|(_, value)| value),
            Err(error) => Poll::Ready(Err(error.take().expect("the future has ended"))),
        }
    }
}

impl<R> fmt::Debug for LuaFuture<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LuaFuture").field(&self.task).finish()
    }
}

impl Function {
    /// Calls the function as a future: Lua code in it may call async functions, and the thread is free while it
    /// waits. See [`asynchronous`](crate::asynchronous).
    ///
    /// Nothing happens until the future is polled. Dropped before its end it cancels the call: what the Lua
    /// code awaits is dropped, and no more of the code runs.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::{Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let ready = lua.async_function(|n: i64| std::future::ready(n + 1))?;
    /// let f: Function = lua.load("return function(g, n) return g(n) + g(n) end").eval()?;
    /// assert_eq!(f.call_async::<i64>((ready, 20)).await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Function::call`].
    pub fn call_async<'a, R>(&self, arguments: impl IntoLuaMulti + Send + 'a) -> LuaFuture<'a, R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        LuaFuture::call(self.0.duplicate().map(Function), arguments)
    }
}

/// The calls of what an object has.
macro_rules! objects {
    ($($(#[$example:meta])* $name:ident;)*) => {$(
        /// Calls of what it has, as futures; see [`asynchronous`](crate::asynchronous).
        impl $name {
            /// Lua's `object:name(...)` as a future; see [`Function::call_async`]. The method is looked up at once.
            ///
            $(#[$example])*
            ///
            /// # Errors
            /// As [`Self::call_method`], from the future; but the method must be a function.
            pub fn call_method_async<'a, R>(
                &self,
                name: &str,
                arguments: impl IntoLuaMulti + Send + 'a,
            ) -> LuaFuture<'a, R>
            where
                R: for<'s> FromLuaMulti<'s>,
            {
                let member = self.member(name, true);
                match member.and_then(|function| Ok((function, self.0.duplicate()?))) {
                    Ok((function, object)) => LuaFuture::call(Ok(function), ($name(object), arguments)),
                    Err(error) => LuaFuture::new(Err(error), Yields::Turn),
                }
            }

            /// Lua's `object.name(...)` as a future; see [`Function::call_async`]. The function is looked up at once.
            ///
            /// # Errors
            /// As [`Self::call_function`], from the future; but what is found must be a function.
            pub fn call_function_async<'a, R>(
                &self,
                name: &str,
                arguments: impl IntoLuaMulti + Send + 'a,
            ) -> LuaFuture<'a, R>
            where
                R: for<'s> FromLuaMulti<'s>,
            {
                LuaFuture::call(self.member(name, false), arguments)
            }

            fn member(&self, name: &str, is_method: bool) -> Result<Function> {
                let function: Option<Function> = self.get(name)?;
                function.ok_or_else(|| no_member(name, is_method))
            }
        }
    )*};
}

objects! {
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::{Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("fetch", lua.async_function(|name: String| async move { name.len() })?)?;
    /// let page: Table = lua
    ///     .load("return { size = 0, load = function(self, name) self.size = fetch(name) return self.size end }")
    ///     .eval()?;
    /// assert_eq!(page.call_method_async::<usize>("load", "home").await?, 4);
    /// assert_eq!(page.get::<usize>("size")?, 4);
    /// // A function of a table that does not take the table.
    /// assert_eq!(lua.globals()?.call_function_async::<usize>("fetch", "news").await?, 4);
    /// # Ok(())
    /// # }
    /// ```
    Table;

    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::{Members, Runtime, UserType};
    ///
    /// struct Shop;
    ///
    /// impl UserType for Shop {
    ///     const NAME: &'static str = "Shop";
    ///     fn members(members: &mut Members<Self>) {
    ///         members
    ///             .async_method("price", |_: &Self, item: String| async move { item.len() })
    ///             .function("total", |price: f64| price * 1.25);
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let shop = lua.create_userdata(Shop)?;
    /// assert_eq!(shop.call_method_async::<usize>("price", "cake").await?, 4);
    /// assert_eq!(shop.call_function_async::<f64>("total", 4).await?, 5.0);
    /// # Ok(())
    /// # }
    /// ```
    UserData;
}

impl Chunk<'_> {
    /// Compiles the code, and runs it with arguments as [`Function::call_async`] does.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::Runtime;
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("size", lua.async_function(|page: String| async move { page.len() })?)?;
    /// let code = "local total = 0 for _, page in ipairs(...) do total = total + size(page) end return total";
    /// assert_eq!(lua.load(code).call_async::<usize>(vec!["home", "news", "about"]).await?, 13);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn call_async<'a, R>(self, arguments: impl IntoLuaMulti + Send + 'a) -> LuaFuture<'a, R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        LuaFuture::call(self.into_function(), arguments)
    }

    /// Compiles the code, and runs it as a future; what it does not compile to is an error of the future.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// let lua = lupa_core::Runtime::new()?;
    /// let task = lua.load("return 'no await is needed'").eval_async::<String>();
    /// assert_eq!(tokio::spawn(task).await.unwrap()?, "no await is needed");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn eval_async<R>(self) -> LuaFuture<'static, R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.call_async(())
    }

    /// As [`Chunk::eval_async`], dropping the results.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::Runtime;
    /// use std::time::Duration;
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("sleep", lua.async_function(|ms: u64| tokio::time::sleep(Duration::from_millis(ms)))?)?;
    /// let beats = lua.load("beats = 0 while true do beats = beats + 1 sleep(1) end").exec_async();
    /// // It runs until its future is dropped.
    /// assert!(tokio::time::timeout(Duration::from_millis(20), beats).await.is_err());
    /// assert!(lua.globals()?.get::<u32>("beats")? > 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn exec_async(self) -> LuaFuture<'static, ()> {
        self.call_async(())
    }
}

impl Coroutine {
    /// Starts or continues the coroutine as a future: goes on over its awaits until it yields or returns. Gives what that is.
    ///
    /// If the future is dropped before, what the coroutine awaits is dropped, and it goes on with an error there when it is resumed
    /// again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::{Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// lua.globals()?.set("double", lua.async_function(|n: i64| async move { n * 2 })?)?;
    /// let f: Function = lua
    ///     .load("return function(n) while true do n = coroutine.yield(double(n)) end end")
    ///     .eval()?;
    /// let doubles = f.coroutine()?;
    /// assert_eq!(doubles.resume_async::<i64>(1).await?, 2);
    /// assert_eq!(doubles.resume_async::<i64>(5).await?, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Coroutine::resume`].
    pub fn resume_async<'a, R>(&self, arguments: impl IntoLuaMulti + Send + 'a) -> LuaFuture<'a, R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        let coroutine = self.0.duplicate().map(Coroutine);
        let task = coroutine.map(|coroutine| Task::new(coroutine, push(arguments), false));
        LuaFuture::new(task, Yields::Values)
    }

    /// Makes a stream of what the coroutine yields; what it returns in the end is dropped. It starts with the
    /// arguments. Dropping the stream ends the coroutine.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> lupa_core::Result<()> {
    /// use lupa_core::{Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let read = lua.async_function(|n: u32| async move { format!("line {n}") })?;
    /// let lines: Function = lua
    ///     .load("local read = ... return function(n) for i = 1, n do coroutine.yield(read(i)) end end")
    ///     .call(read)?;
    /// let mut lines = lines.coroutine()?.into_stream::<String>(2);
    /// while let Some(line) = lines.next().await {
    ///     assert!(line?.starts_with("line"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_stream<'a, T>(
        self,
        arguments: impl IntoLuaMulti + Send + 'a,
    ) -> CoroutineStream<'a, T>
    where
        T: Owned,
    {
        CoroutineStream {
            task: Task::new(self, push(arguments), true),
            items: PhantomData,
        }
    }
}

/// What a coroutine yields, as a [`Stream`]; see [`Coroutine::into_stream`]. It ends after an error.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> lupa_core::Result<()> {
/// use lupa_core::{Runtime, asynchronous::CoroutineStream};
///
/// let lua = Runtime::new()?;
/// let squares = lua.load("for n = 1, ... do coroutine.yield(n * n) end error('no more', 0)").into_function()?;
/// let mut squares: CoroutineStream<u32> = squares.coroutine()?.into_stream(2);
/// assert_eq!(squares.next().await.transpose()?, Some(1));
/// assert_eq!(squares.next().await.transpose()?, Some(4));
/// assert_eq!(squares.next().await.unwrap().unwrap_err().text(), "no more");
/// assert!(squares.next().await.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a stream does nothing unless it is polled"]
pub struct CoroutineStream<'a, T> {
    task: Task<'a>,
    items: PhantomData<fn() -> T>,
}

impl<T: Owned> CoroutineStream<'_, T> {
    /// The next item; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<T>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<T: Owned> Stream for CoroutineStream<'_, T> {
    type Item = Result<T>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<T>>> {
        let task = &mut self.get_mut().task;
        if task.has_ended() {
            return Poll::Ready(None);
        }
        let item = ready!(task.poll(context, Yields::Values, |results| {
            results
                .yielded()
                .then(|| T::from_lua(results.get(0)))
                .transpose()
        }));
        Poll::Ready(item.map(|(_, item)| item).transpose())
    }
}
