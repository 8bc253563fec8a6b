//! What a runtime was made with, and the view of it that conversions need.

use crate::codec::{Codec, latin1};
use crate::gil::{BackReference, Held};
use crate::object::PythonFilter;
use crate::runtime::LuaRuntime;
use lupa_core::Runtime;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use std::sync::{Arc, Mutex, PoisonError};

/// The options of a runtime, kept beside the Lua state.
pub(crate) struct Settings {
    /// `None`: strings are bytes in Python.
    pub(crate) encoding: Option<Codec>,
    pub(crate) source_encoding: Codec,
    /// Whether the rules of `crate::sandbox` hold.
    pub(crate) sandbox: bool,
    pub(crate) attribute_filter: Option<PythonFilter>,
    pub(crate) attribute_getter: Option<Py<PyAny>>,
    pub(crate) attribute_setter: Option<Py<PyAny>>,
    pub(crate) unpack_returned_tuples: bool,
    pub(crate) overflow_handler: Mutex<Option<Py<PyAny>>>,
    pub(crate) held: Arc<Held>,
    /// The `LuaRuntime` object, which wrappers of Lua values keep alive.
    pub(crate) owner: BackReference<LuaRuntime>,
}

impl Settings {
    /// The settings of a runtime of this package.
    #[inline]
    pub(crate) fn of(runtime: &Runtime) -> Option<&Settings> {
        runtime.extension()
    }

    pub(crate) fn overflow_handler(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let handler = self
            .overflow_handler
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        handler.as_ref().map(|handler| handler.clone_ref(py))
    }

    pub(crate) fn set_overflow_handler(&self, handler: Option<Py<PyAny>>) {
        let mut slot = self
            .overflow_handler
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *slot, handler);
        // The old one is dropped after the lock is released: that may run Python code.
        drop(slot);
        drop(old);
    }

    /// Shows Python's cycle collector what this keeps.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(filter) = &self.attribute_filter {
            visit.call(&filter.0)?;
        }
        visit.call(&self.attribute_getter)?;
        visit.call(&self.attribute_setter)?;
        if let Ok(handler) = self.overflow_handler.try_lock() {
            visit.call(&*handler)?;
        }
        self.held.traverse(visit)
    }

    /// Lua's bytes as text for a message.
    pub(crate) fn message(&self, py: Python<'_>, bytes: &[u8]) -> String {
        match &self.encoding {
            Some(codec) => codec.decode_lossy(py, bytes),
            None => latin1(bytes),
        }
    }
}

/// A runtime, its settings and its Python object, in one place with the GIL held.
pub(crate) struct Context<'a, 'py> {
    pub(crate) py: Python<'py>,
    pub(crate) runtime: &'a Runtime,
    pub(crate) settings: &'a Settings,
    /// `None` only while the runtime is being made.
    owner: Option<&'a Bound<'py, LuaRuntime>>,
}

impl<'a, 'py> Context<'a, 'py> {
    #[inline]
    pub(crate) fn new(
        py: Python<'py>,
        runtime: &'a Runtime,
        settings: &'a Settings,
        owner: Option<&'a Bound<'py, LuaRuntime>>,
    ) -> Self {
        Context {
            py,
            runtime,
            settings,
            owner,
        }
    }

    /// The context of a method of the runtime or of a wrapper.
    #[inline]
    pub(crate) fn of(owner: &'a Bound<'py, LuaRuntime>) -> Self {
        let inner = owner.get();
        inner.settings.owner.set(owner);
        Context::new(owner.py(), &inner.runtime, &inner.settings, Some(owner))
    }

    /// The `LuaRuntime` object.
    #[inline]
    pub(crate) fn owner(&self) -> PyResult<&'a Bound<'py, LuaRuntime>> {
        let missing = || crate::errors::lua_error(self.py, "the runtime is being made");
        self.owner.ok_or_else(missing)
    }
}
