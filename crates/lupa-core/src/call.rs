//! Calls of Lua code: arguments, results, and what an embedder puts around them.

use crate::convert::{FromLua, IntoLua};
use crate::error::{Error, Result};
use crate::pusher::Pusher;
use crate::raw::{Stack, stack::SPARE};
use crate::slot::Slot;
use std::ffi::c_int;

/// Puts something around the time in which Lua code runs: an embedder's own lock is
/// released there and taken back.
///
/// ```
/// use lupa_core::{Around, Runtime};
/// use std::cell::Cell;
/// use std::time::{Duration, Instant};
///
/// /// Measures how long Lua code runs, conversions apart.
/// #[derive(Clone, Copy)]
/// struct Stopwatch<'a>(&'a Cell<Duration>);
///
/// impl Around for Stopwatch<'_> {
///     fn around<R>(self, run: impl FnOnce() -> R) -> R {
///         let start = Instant::now();
///         let result = run();
///         self.0.set(self.0.get() + start.elapsed());
///         result
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let work = lua.load("local n = 0 for i = 1, 1e5 do n = n + i end return n, ...").into_function()?;
/// let time = Cell::new(Duration::ZERO);
/// let sum = work.call_with(
///     |arguments| arguments.push("an argument"),
///     Stopwatch(&time),
///     |results| Ok(results.get(0).number()),
/// )?;
/// assert_eq!(sum, Some(5_000_050_000.0));
/// assert!(time.get() > Duration::ZERO);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub trait Around: Copy {
    /// Calls `run` and gives what it gives.
    fn around<R>(self, run: impl FnOnce() -> R) -> R;

    /// Calls `wait`, which waits for another thread to leave the runtime, and gives what it gives. That thread may want the embedder's lock
    /// meanwhile: who has one releases it here, too.
    ///
    /// ```
    /// use lupa_core::{Around, Runtime};
    /// use std::cell::Cell;
    /// use std::thread;
    ///
    /// #[derive(Clone, Copy)]
    /// struct Waits<'a>(&'a Cell<bool>);
    ///
    /// impl Around for Waits<'_> {
    ///     fn around<R>(self, run: impl FnOnce() -> R) -> R {
    ///         run()
    ///     }
    ///     fn waiting<R>(self, wait: impl FnOnce() -> R) -> R {
    ///         self.0.set(true);
    ///         wait()
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let work = lua.load("return 42").into_function()?;
    /// let guard = lua.lock()?;
    /// thread::scope(|threads| {
    ///     let other = threads.spawn(|| {
    ///         let waited = Cell::new(false);
    ///         let answer = work.call_with(|_| Ok(()), Waits(&waited), |results| Ok(results.get(0).number()));
    ///         (answer, waited.get())
    ///     });
    ///     // The other thread begins to wait in this time, or never does.
    ///     thread::sleep(std::time::Duration::from_millis(200));
    ///     drop(guard);
    ///     let (answer, waited) = other.join().unwrap();
    ///     assert!(answer.is_ok_and(|answer| answer == Some(42.0)) && waited);
    /// });
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    fn waiting<R>(self, wait: impl FnOnce() -> R) -> R {
        wait()
    }

    /// Takes the error of an operation, and gives the one to hand on, while the runtime is still locked: what Lua code has raised may be a
    /// value, and the next one to have the runtime may close it.
    ///
    /// ```
    /// use lupa_core::{Around, Error, Runtime, Table, Value};
    ///
    /// /// Makes errors of a host out of tables that Lua code raises.
    /// #[derive(Clone, Copy)]
    /// struct Codes;
    ///
    /// impl Around for Codes {
    ///     fn around<R>(self, run: impl FnOnce() -> R) -> R {
    ///         run()
    ///     }
    ///     fn failed(self, error: Error) -> Error {
    ///         match &error {
    ///             Error::Runtime(raised) => match &raised.value {
    ///                 Some(Value::Table(table)) => table.get::<String>("code").map_or(error, Error::message),
    ///                 _ => error,
    ///             },
    ///             _ => error,
    ///         }
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let fails = lua.load("error({ code = 'E42' })").into_function()?;
    /// let error = fails.call_with(|_| Ok(()), Codes, |_| Ok(())).unwrap_err();
    /// assert_eq!(error.text(), "E42");
    /// # Ok::<(), Error>(())
    /// ```
    fn failed(self, error: Error) -> Error {
        error
    }
}

/// Nothing around.
///
/// ```
/// use lupa_core::{Directly, Runtime};
///
/// let lua = Runtime::new()?;
/// let trim = lua.load("return string.match(..., '^%s*(.-)%s*$')").into_function()?;
/// // The result is looked at where Lua has it.
/// let is_blank = |text: &str| {
///     trim.call_with(|to| to.push(text), Directly, |results| Ok(results.get(0).bytes() == Some(b"")))
/// };
/// assert!(is_blank(" \t ")?);
/// assert!(!is_blank(" x ")?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Directly;

impl Around for Directly {
    #[inline]
    fn around<R>(self, run: impl FnOnce() -> R) -> R {
        run()
    }
}

/// The arguments of a call, to be pushed: to the top of the stack, as [`Pusher`] has it.
///
/// ```
/// use lupa_core::{Directly, Function, Runtime};
///
/// let lua = Runtime::new()?;
/// let max: Function = lua.load("return math.max").eval()?;
/// let readings = [3.5, 8.25, 1.0];
/// let highest = max.call_with(
///     |arguments| {
///         arguments.push(0)?;
///         // Room for all of them at once.
///         arguments.reserve(readings.len())?;
///         readings.iter().try_for_each(|reading| arguments.push_reserved(*reading))
///     },
///     Directly,
///     |results| Ok(results.get(0).number()),
/// )?;
/// assert_eq!(highest, Some(8.25));
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct Arguments<'s> {
    stack: Stack<'s>,
    /// Arguments that may be pushed before room must be made.
    room: usize,
}

impl<'s> Arguments<'s> {
    #[inline]
    pub(crate) fn new(stack: Stack<'s>) -> Self {
        // Every frame has so much to spare at its start.
        Arguments { stack, room: 4 }
    }

    /// Makes room for so many arguments at once.
    ///
    /// # Errors
    /// `Error::StackOverflow` beyond some 8,000 arguments.
    #[inline]
    pub fn reserve(&mut self, count: usize) -> Result<()> {
        self.stack.reserve(count.saturating_add(SPARE))?;
        self.room = count;
        Ok(())
    }

    /// Adds an argument.
    ///
    /// # Errors
    /// Those of the conversion, and `Error::StackOverflow`.
    #[inline]
    pub fn push(&mut self, value: impl IntoLua) -> Result<()> {
        self.reserve(1)?;
        self.push_reserved(value)
    }

    /// As [`Arguments::push`], quicker where [`Arguments::reserve`] made room.
    ///
    /// # Errors
    /// As [`Arguments::push`].
    #[inline]
    pub fn push_reserved(&mut self, value: impl IntoLua) -> Result<()> {
        if self.room == 0 {
            self.reserve(1)?;
        }
        self.room -= 1;
        value.into_lua(Pusher::new(self.stack))
    }
}

impl std::fmt::Debug for Arguments<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Arguments")
    }
}

/// The results of a call, to be read.
///
/// ```
/// use lupa_core::{Directly, Runtime};
///
/// let lua = Runtime::new()?;
/// let meter = lua.load("coroutine.yield('volts', 3, 4)").into_function()?.coroutine()?;
/// let next = || {
///     meter.resume_with(|_| Ok(()), Directly, |results| {
///         if results.is_empty() {
///             return Ok((results.yielded(), None));
///         }
///         let readings = results.skip(1);
///         let sum: f64 = (0..readings.len()).filter_map(|n| readings.get(n).number()).sum();
///         Ok((results.yielded(), Some(sum)))
///     })
/// };
/// assert_eq!(next()?, (true, Some(7.0)));
/// assert_eq!(next()?, (false, None));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Results<'s> {
    first: Slot<'s>,
    count: usize,
    /// Results before the first that are skipped.
    skipped: u32,
    yielded: bool,
}

impl<'s> Results<'s> {
    #[inline]
    pub(crate) fn new(stack: Stack<'s>, first: c_int) -> Self {
        let count = (stack.top() + 1 - first).max(0) as usize;
        Results {
            first: Slot::new(stack, first),
            count,
            skipped: 0,
            yielded: false,
        }
    }

    #[inline]
    pub(crate) fn of_coroutine(stack: Stack<'s>, first: c_int, yielded: bool) -> Self {
        Results {
            yielded,
            ..Results::new(stack, first)
        }
    }

    /// Whether a coroutine has yielded these and waits: what a function or the end of a coroutine
    /// gives was returned.
    #[inline]
    pub fn yielded(self) -> bool {
        self.yielded
    }

    /// Number of results.
    #[inline]
    pub fn len(self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// The result with this index, from 0; no value beyond the last.
    #[inline]
    pub fn get(self, index: usize) -> Slot<'s> {
        self.first.sibling(if index < self.count {
            self.first.index() + index as c_int
        } else {
            Slot::NONE
        })
    }

    /// The result with this index, from 0, converted. An error names its position, from 1.
    #[inline]
    pub(crate) fn read<T: FromLua<'s>>(self, index: usize) -> Result<T> {
        let skipped = self.skipped;
        T::from_lua(self.get(index)).map_err(|error| bad(skipped, index, error))
    }

    /// The first result, converted. An error names its position if it is one of several that are read.
    #[inline]
    pub(crate) fn read_alone<T: FromLua<'s>>(self) -> Result<T> {
        let skipped = self.skipped;
        T::from_lua(self.get(0)).map_err(|error| match skipped {
            0 => error,
            _ => bad(skipped, 0, error),
        })
    }

    /// The results without the first `count`.
    #[inline]
    pub fn skip(self, count: usize) -> Self {
        // Without any left it does not matter which would be first, but for the position that an error names.
        let skipped = self.skipped.wrapping_add(count as u32);
        let count = count.min(self.count);
        Results {
            first: Slot::new(self.first.stack(), self.first.index() + count as c_int),
            count: self.count - count,
            skipped,
            ..self
        }
    }
}

/// The error of a result that does not convert.
#[cold]
fn bad(skipped: u32, index: usize, error: Error) -> Error {
    error.context(format_args!("result #{}", skipped as usize + index + 1))
}
