//! Lua functions, chunks and coroutines as futures.

use super::task::{Push, Task, Yields};
use crate::chunk::Chunk;
use crate::convert::{FromLuaMulti, IntoLuaMulti, Owned};
use crate::coroutine::Coroutine;
use crate::error::Result;
use crate::function::Function;
use futures_core::Stream;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

fn push<'a, A: IntoLuaMulti + Send + 'a>(arguments: A) -> Push<'a> {
    Box::new(move |to| arguments.push_all(to))
}

/// Calls a function, once it is known to be one.
async fn call<A, R>(function: Result<Function>, arguments: A) -> Result<R>
where
    A: IntoLuaMulti + Send,
    R: for<'s> FromLuaMulti<'s>,
{
    let mut task = Task::new(function?.coroutine()?, push(arguments), true);
    let result =
        poll_fn(|context| task.poll(context, Yields::Turn, |results| R::from_results(results)));
    Ok(result.await?.1)
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
    /// assert_eq!(f.call_async::<_, i64>((ready, 20)).await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Function::call`].
    pub fn call_async<A, R>(
        &self,
        arguments: A,
    ) -> impl Future<Output = Result<R>> + Send + use<A, R>
    where
        A: IntoLuaMulti + Send,
        R: for<'s> FromLuaMulti<'s>,
    {
        call(self.0.duplicate().map(Function), arguments)
    }
}

impl Chunk<'_> {
    /// Compiles the code, and runs it with arguments as [`Function::call_async`] does.
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn call_async<A, R>(
        self,
        arguments: A,
    ) -> impl Future<Output = Result<R>> + Send + use<A, R>
    where
        A: IntoLuaMulti + Send,
        R: for<'s> FromLuaMulti<'s>,
    {
        call(self.into_function(), arguments)
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
    pub fn eval_async<R>(self) -> impl Future<Output = Result<R>> + Send + use<R>
    where
        R: for<'s> FromLuaMulti<'s>,
    {
        self.call_async(())
    }

    /// As [`Chunk::eval_async`], dropping the results.
    ///
    /// # Errors
    /// As [`Chunk::call`].
    pub fn exec_async(self) -> impl Future<Output = Result<()>> + Send + use<> {
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
    /// assert_eq!(doubles.resume_async::<_, i64>(1).await?, 2);
    /// assert_eq!(doubles.resume_async::<_, i64>(5).await?, 10);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Coroutine::resume`].
    pub fn resume_async<A, R>(
        &self,
        arguments: A,
    ) -> impl Future<Output = Result<R>> + Send + use<A, R>
    where
        A: IntoLuaMulti + Send,
        R: for<'s> FromLuaMulti<'s>,
    {
        let coroutine = self.0.duplicate().map(Coroutine);
        async move {
            let mut task = Task::new(coroutine?, push(arguments), false);
            let result = poll_fn(|context| {
                task.poll(context, Yields::Values, |results| R::from_results(results))
            });
            Ok(result.await?.1)
        }
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
    /// let mut lines = lines.coroutine()?.into_stream::<_, String>(2);
    /// while let Some(line) = lines.next().await {
    ///     assert!(line?.starts_with("line"));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_stream<'a, A, T>(self, arguments: A) -> CoroutineStream<'a, T>
    where
        A: IntoLuaMulti + Send + 'a,
        T: Owned,
    {
        CoroutineStream {
            task: Task::new(self, push(arguments), true),
            items: PhantomData,
        }
    }
}

/// What a coroutine yields, as a [`Stream`]; see [`Coroutine::into_stream`]. It ends after an error.
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
