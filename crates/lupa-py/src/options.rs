//! Arguments of the runtime's constructor and methods, checked.

use crate::codec::{UTF8, ascii, source};
use crate::errors::lua_error;
use crate::settings::Settings;
use lupa_core::{Chunk, ChunkMode, Libs, Runtime};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

pub(crate) fn callable(value: Option<Bound<'_, PyAny>>, name: &str) -> PyResult<Option<Py<PyAny>>> {
    match value {
        Some(value) if !value.is_callable() => {
            Err(PyValueError::new_err(format!("{name} must be callable")))
        }
        value => Ok(value.map(Bound::unbind)),
    }
}

pub(crate) type Handlers = (Option<Py<PyAny>>, Option<Py<PyAny>>);

pub(crate) fn handlers(value: Option<&Bound<'_, PyAny>>) -> PyResult<Handlers> {
    let Some(value) = value else {
        return Ok((None, None));
    };
    if !value.is_truthy()? {
        return Ok((None, None));
    }
    let wrong = |_| PyValueError::new_err("attribute_handlers must be a sequence of two callables");
    let items: Vec<Bound<'_, PyAny>> = value
        .try_iter()
        .and_then(Iterator::collect)
        .map_err(wrong)?;
    let [getter, setter] =
        <[_; 2]>::try_from(items).map_err(|_| wrong(lua_error(value.py(), "")))?;
    let one = |handler: Bound<'_, PyAny>| {
        if handler.is_none() {
            Ok(None)
        } else if handler.is_callable() {
            Ok(Some(handler.unbind()))
        } else {
            Err(wrong(lua_error(value.py(), "")))
        }
    };
    Ok((one(getter)?, one(setter)?))
}

pub(crate) fn libraries(names: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Libs>> {
    let Some(names) = names else {
        return Ok(None);
    };
    let mut libs = Libs::BASE;
    for name in names.try_iter()? {
        let name: String = name?.extract()?;
        libs |= Libs::by_name(&name).ok_or_else(|| {
            let known: Vec<_> = Libs::names().collect();
            PyValueError::new_err(format!(
                "unknown Lua library '{name}', expected one of: {}",
                known.join(", ")
            ))
        })?;
    }
    Ok(Some(libs))
}

pub(crate) fn chunk_mode(mode: Option<&Bound<'_, PyAny>>) -> PyResult<ChunkMode> {
    let Some(mode) = ascii(mode)? else {
        return Ok(ChunkMode::Any);
    };
    match (mode.contains('t'), mode.contains('b')) {
        (true, true) => Ok(ChunkMode::Any),
        (true, false) => Ok(ChunkMode::Text),
        (false, true) => Ok(ChunkMode::Binary),
        (false, false) => Err(PyValueError::new_err(format!(
            "mode must be 't', 'b' or 'bt', not '{mode}'"
        ))),
    }
}

/// Lua code with its name and mode, as `eval`, `execute` and `compile` take them.
pub(crate) struct Code<'a> {
    text: std::borrow::Cow<'a, [u8]>,
    name: Option<std::borrow::Cow<'a, [u8]>>,
    mode: ChunkMode,
}

impl<'a> Code<'a> {
    pub(crate) fn new(
        settings: &Settings,
        text: &'a Bound<'_, PyAny>,
        name: Option<&'a Bound<'_, PyAny>>,
        mode: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let codec = &settings.source_encoding;
        let name = name.map(|name| source(codec, name)).transpose()?;
        Ok(Code {
            text: source(codec, text)?,
            name,
            mode: chunk_mode(mode)?,
        })
    }

    pub(crate) fn chunk<'r>(&'r self, runtime: &'r Runtime) -> Chunk<'r> {
        let chunk = runtime.load(&*self.text).mode(self.mode);
        match &self.name {
            Some(name) => chunk.name(name),
            None => chunk.c_name(c"<python>"),
        }
    }
}

/// An option that is on for any true value.
pub(crate) struct Truth(pub(crate) bool);

impl FromPyObject<'_, '_> for Truth {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        value.is_truthy().map(Truth)
    }
}

/// The `encoding` argument: not given, or None or the name of a codec.
pub(crate) enum EncodingArg<'py> {
    Default,
    Given(Bound<'py, PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for EncodingArg<'py> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(EncodingArg::Given(value.to_owned()))
    }
}

impl EncodingArg<'_> {
    pub(crate) fn name(self) -> PyResult<Option<String>> {
        match self {
            EncodingArg::Default => Ok(Some(UTF8.to_owned())),
            EncodingArg::Given(value) if value.is_none() => Ok(None),
            EncodingArg::Given(value) => ascii(Some(&value)),
        }
    }
}
