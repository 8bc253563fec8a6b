//! Views of Python objects that tell Lua how to index them.

use crate::errors::BoxedResult;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

/// A Python object that Lua is to index by one protocol.
#[pyclass(name = "_PyProtocolWrapper", module = "lupa.luajit21", frozen)]
pub(crate) struct ProtocolWrapper {
    pub(crate) object: Py<PyAny>,
    pub(crate) flags: u8,
}

#[pymethods]
impl ProtocolWrapper {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> BoxedResult<Self> {
        Err(PyTypeError::new_err("Type cannot be instantiated from Python").into())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }
}
