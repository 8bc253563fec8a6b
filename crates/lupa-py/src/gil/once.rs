//! Values that are made once, with the GIL.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};
use std::cell::OnceCell;
use std::convert::Infallible;

/// A value that is made once, when it is first asked for. PyO3's cells take a lock meanwhile and release the GIL before: where another thread
/// forks just then, the child waits for that lock for ever.
pub(crate) struct GilOnce<T>(OnceCell<T>);

// SAFETY: as of [`GilCell`](super::GilCell); references to the value may be anywhere.
unsafe impl<T: Send + Sync> Sync for GilOnce<T> {}

impl<T> GilOnce<T> {
    pub(crate) const fn new() -> Self {
        GilOnce(OnceCell::new())
    }

    #[inline]
    pub(crate) fn get(&self, _py: Python<'_>) -> Option<&T> {
        self.0.get()
    }

    /// The value; `make` may run Python code, so that two threads make one: the first stays.
    #[inline]
    pub(crate) fn get_or_try_init<E>(
        &self,
        py: Python<'_>,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        match self.get(py) {
            Some(value) => Ok(value),
            None => self.init(make),
        }
    }

    #[cold]
    fn init<E>(&self, make: impl FnOnce() -> Result<T, E>) -> Result<&T, E> {
        let made = make()?;
        // Between these two the GIL is not released. What is not taken is dropped at the end, which may run Python code.
        Ok(self.0.get_or_init(|| made))
    }
}

impl GilOnce<Py<PyType>> {
    /// A class, which is imported the first time.
    pub(crate) fn import<'py>(
        &self,
        py: Python<'py>,
        module: &str,
        name: &str,
    ) -> PyResult<&Bound<'py, PyType>> {
        let import = || Ok(py.import(module)?.getattr(name)?.cast_into()?.unbind());
        let class: PyResult<_> = self.get_or_try_init(py, import);
        Ok(class?.bind(py))
    }
}

/// The Python string of a literal, made once: see [`interned`].
pub(crate) struct Interned(&'static str, GilOnce<Py<PyString>>);

impl Interned {
    pub(crate) const fn new(text: &'static str) -> Self {
        Interned(text, GilOnce::new())
    }

    #[inline]
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        let make = || Ok::<_, Infallible>(PyString::intern(py, self.0).unbind());
        let Ok(text) = self.1.get_or_try_init(py, make);
        text.bind(py)
    }
}

/// The interned Python string of a literal. As PyO3's `intern`, by a [`GilOnce`].
macro_rules! interned {
    ($py:expr, $text:literal) => {{
        static INTERNED: $crate::gil::Interned = $crate::gil::Interned::new($text);
        INTERNED.get($py)
    }};
}
pub(crate) use interned;
