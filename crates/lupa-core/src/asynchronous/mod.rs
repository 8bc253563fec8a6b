//! Rust futures that Lua code waits for, and Lua functions as futures; feature `async`.
//!
//! An async function is called by Lua code like any other. Where it has to wait, the whole call waits, and the thread does something else:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> lupa_core::Result<()> {
//! use lupa_core::{Function, Runtime};
//! use std::time::{Duration, Instant};
//!
//! let lua = Runtime::new()?;
//! let sleep = lua.async_function(|ms: u64| tokio::time::sleep(Duration::from_millis(ms)))?;
//! lua.globals()?.set("sleep", sleep)?;
//!
//! let work: Function = lua
//!     .load("return function(n) for i = 1, 4 do sleep(20) end return n * n end")
//!     .eval()?;
//! let start = Instant::now();
//! let (a, b): (lupa_core::Result<u32>, _) = tokio::join!(work.call_async(3), work.call_async::<u32>(4));
//! assert_eq!((a?, b?), (9, 16));
//! assert!(start.elapsed() < Duration::from_millis(150), "they waited at the same time");
//! # Ok(())
//! # }
//! ```
//!
//! Any executor will do; this crate depends on none. The futures are `Send`.
//!
//! # Calls
//!
//! [`Runtime::async_function`](crate::Runtime::async_function) makes a Lua function of a closure that gives a future, and
//! [`Members::async_method`](crate::Members::async_method) a method of a user type. Lua code that calls
//! such functions must itself run in an async call: [`Function::call_async`](crate::Function::call_async),
//! [`Chunk::exec_async`](crate::Chunk::exec_async), [`eval_async`](crate::Chunk::eval_async) and [`call_async`](crate::Chunk::call_async),
//! [`Table::call_method_async`](crate::Table::call_method_async),
//! [`Coroutine::resume_async`](crate::Coroutine::resume_async), or [`Coroutine::into_stream`](crate::Coroutine::into_stream). Each runs
//! its code in a coroutine of its own, so several of them take turns in one runtime: another one runs where one waits.
//!
//! The runtime's lock is held while Lua code runs, never while it waits, nor while a future is polled. So other threads and
//! tasks use the runtime meanwhile, and Lua code must expect that what it shares with others has changed after an await. A poll that resumes Lua
//! code blocks while another thread runs Lua code in the same runtime: for work in parallel make several runtimes.
//!
//! # Errors, panics, cancelling
//!
//! An error of a future is raised where Lua code waits for it, and `pcall` catches it. A panic of a future goes to who polls the call, as
//! a panic of a host function goes past Lua code. When the future of a call is dropped, what it waits for is dropped with it, and no
//! more of its Lua code runs: `tokio::time::timeout` and `select!` work as with any other future.
//!
//! [`Runtime::set_time_limit`](crate::Runtime::set_time_limit) is about the time for which Lua code runs in one go, from one await to the next. Waiting
//! does not count, and neither do polls. For a limit on the whole, put the executor's own timeout around the call.
//!
//! # Coroutines of Lua code
//!
//! An await inside a coroutine that Lua code resumes, by `coroutine.resume` or a function of `coroutine.wrap`, is an await of the code that resumes
//! it: all wait together, and then the coroutine goes on. What it yields otherwise is for Lua code as ever, so a generator may read
//! its items by an async function.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> lupa_core::Result<()> {
//! let lua = lupa_core::Runtime::new()?;
//! lua.globals()?.set("square", lua.async_function(|n: u32| async move { n * n })?)?;
//! let code = "
//!     local squares = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(square(i)) end end)
//!     return squares() + squares() + squares()";
//! assert_eq!(lua.load(code).eval_async::<u32>().await?, 14);
//! # Ok(())
//! # }
//! ```
//!
//! For this `coroutine.resume` and `coroutine.wrap` are replaced when the runtime's first async function is made: make it before
//! Lua code keeps the old ones in variables. What the old ones, or [`Coroutine::resume`](crate::Coroutine::resume), resume gives them
//! the userdata of an await, which is of no use; the coroutine goes on with an error when it is resumed once more.
//!
//! An async function that is called where nobody can wait is an error that says so: in a plain call, and below a C function or a host
//! function that calls back, such as `table.sort` or `require`.
//!
//! A plain `coroutine.yield()` of the code of an async call gives other tasks their turn; one with values is an error, as there is nobody to take them. In
//! `resume_async` and streams both are what the coroutine gives.

mod awaiting;
mod call;
mod function;
mod library;
mod task;

pub use call::{CoroutineStream, LuaFuture};
pub use function::{AsyncArgument, AsyncFn, AsyncMethod, AsyncOutcome};
pub(crate) use library::{keep, push_async};
