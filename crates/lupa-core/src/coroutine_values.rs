//! Iteration over what a coroutine yields.

use crate::call::Directly;
use crate::convert::FromLuaMulti;
use crate::coroutine::Coroutine;
use crate::error::Result;
use std::iter::FusedIterator;
use std::marker::PhantomData;

impl Coroutine {
    /// An iterator over what the coroutine yields, each resume without arguments. It ends when the
    /// coroutine returns, what it returns aside, or after an error.
    ///
    /// The runtime is locked during each step and free between them: other threads may use it, and
    /// even resume the coroutine; what they get is not seen here.
    ///
    /// ```
    /// use lupa_core::{Function, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let count: Function = lua
    ///     .load("return function() for i = 1, 3 do coroutine.yield(i, i * i) end return 'end' end")
    ///     .eval()?;
    /// let squares = count.coroutine()?.values().collect::<lupa_core::Result<Vec<(i32, i32)>>>()?;
    /// assert_eq!(squares, [(1, 1), (2, 4), (3, 9)]);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn values<V: for<'s> FromLuaMulti<'s>>(&self) -> Values<V> {
        Values {
            coroutine: Some(self.clone()),
            of: PhantomData,
        }
    }
}

/// See [`Coroutine::values`].
///
/// ```
/// use lupa_core::{Runtime, Values};
///
/// let lua = Runtime::new()?;
/// let code = lua.load("coroutine.yield('one') coroutine.yield('two') error('torn') coroutine.yield('three')");
/// let mut words: Values<String> = code.into_function()?.coroutine()?.values();
/// assert_eq!(words.next().transpose()?.as_deref(), Some("one"));
/// assert_eq!(words.next().transpose()?.as_deref(), Some("two"));
/// assert!(words.next().is_some_and(|torn| torn.is_err()));
/// assert!(words.next().is_none());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "iterators do nothing until they are used"]
pub struct Values<V> {
    /// `None` at the end, so that nothing is kept alive for it.
    coroutine: Option<Coroutine>,
    of: PhantomData<fn() -> V>,
}

impl<V: for<'s> FromLuaMulti<'s>> Iterator for Values<V> {
    type Item = Result<V>;

    fn next(&mut self) -> Option<Result<V>> {
        let coroutine = self.coroutine.as_ref()?;
        let step = coroutine.resume_with(
            |_| Ok(()),
            Directly,
            |results| match results.yielded() {
                true => V::from_results(results).map(Some),
                false => Ok(None),
            },
        );
        if !matches!(step, Ok(Some(_))) {
            self.coroutine = None;
        }
        step.transpose()
    }
}

impl<V: for<'s> FromLuaMulti<'s>> FusedIterator for Values<V> {}
