//! Text between Python and Lua.

use crate::capi;
use crate::errors::{BoxedResult, Style, external, to_exception};
use crate::greenlets;
use crate::settings::Context;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyByteArray, PyBytes, PyCFunction, PyString};
use std::borrow::Cow;

/// The codec of nearly all runtimes, with strict errors.
pub(crate) const UTF8: &str = "UTF-8";
const STRICT: &str = "strict";

/// A codec of Python's. Without names it is [`UTF8`] with strict errors.
pub(crate) struct Codec(Option<Box<Names>>);

struct Names {
    codec: String,
    errors: String,
    /// UTF-8 with strict errors, spelled otherwise.
    is_utf8: bool,
    /// It is none of Python's own: its code may do anything, such as switch to another greenlet.
    is_foreign: bool,
}

impl Codec {
    pub(crate) fn new(py: Python<'_>, codec: String, errors: &str) -> Self {
        if (codec.as_str(), errors) == (UTF8, STRICT) {
            return Codec(None);
        }
        let plain: String = codec.chars().filter(|c| *c != '-' && *c != '_').collect();
        Codec(Some(Box::new(Names {
            is_utf8: plain.eq_ignore_ascii_case("utf8") && errors == STRICT,
            // One that is not known yet will be somebody's.
            is_foreign: !is_pythons(py, &codec, errors).unwrap_or(false),
            codec,
            errors: errors.to_owned(),
        })))
    }

    pub(crate) fn strict(py: Python<'_>, codec: String) -> Self {
        Codec::new(py, codec, STRICT)
    }

    pub(crate) fn name(&self) -> &str {
        self.names().0
    }

    /// The names of the codec and of what is done about errors.
    fn names(&self) -> (&str, &str) {
        self.0
            .as_ref()
            .map_or((UTF8, STRICT), |names| (&names.codec, &names.errors))
    }

    /// Whether text and bytes determine each other: UTF-8 with strict errors, which has a way of its own, without a
    /// look-up.
    #[inline]
    pub(crate) fn is_utf8(&self) -> bool {
        self.0.as_ref().is_none_or(|names| names.is_utf8)
    }

    /// Decodes Lua's bytes.
    #[inline]
    pub(crate) fn decode<'py>(
        &self,
        cx: &Context<'_, 'py>,
        bytes: &[u8],
    ) -> BoxedResult<Bound<'py, PyAny>> {
        if self.is_utf8() {
            return match capi::ascii_text(cx.py, bytes)? {
                Some(text) => Ok(text),
                None => Ok(PyString::from_bytes(cx.py, bytes)?.into_any()),
            };
        }
        let bytes = PyBytes::new(cx.py, bytes);
        self.run(cx, || bytes.call_method1("decode", self.names()))
    }

    /// Decodes for a message: what is not valid in the encoding is replaced, not an error.
    pub(crate) fn decode_lossy(&self, py: Python<'_>, bytes: &[u8]) -> String {
        if self.is_utf8() {
            // What is valid, as nearly all is, is seen to be so in larger steps than it is read to be mended.
            return match std::str::from_utf8(bytes) {
                Ok(text) => text.to_owned(),
                Err(_) => String::from_utf8_lossy(bytes).into_owned(),
            };
        }
        PyBytes::new(py, bytes)
            .call_method1("decode", (self.name(), "replace"))
            .and_then(|text| text.extract())
            .unwrap_or_else(|_| latin1(bytes))
    }

    /// Hands the encoded text to `f`, without a copy where Python has it in UTF-8 already.
    #[inline]
    pub(crate) fn encode<'py, R>(
        &self,
        cx: &Context<'_, 'py>,
        text: &Bound<'py, PyString>,
        f: impl FnOnce(&[u8]) -> BoxedResult<R>,
    ) -> BoxedResult<R> {
        if self.is_utf8() {
            return match text.to_str() {
                Ok(text) => f(text.as_bytes()),
                // Surrogates: let Python say it in its own words.
                Err(_) => Err(self
                    .encode_slowly(text)
                    .err()
                    .unwrap_or_else(|| PyValueError::new_err("text is not valid UTF-8"))
                    .into()),
            };
        }
        f(self.encode_by_name(cx, text)?.as_bytes())
    }

    #[cold]
    #[inline(never)]
    fn encode_by_name<'py>(
        &self,
        cx: &Context<'_, 'py>,
        text: &Bound<'py, PyString>,
    ) -> BoxedResult<Bound<'py, PyBytes>> {
        self.run(cx, || self.encode_slowly(text))
    }

    /// Runs the code of the codec, which may be somebody's.
    fn run<R>(&self, cx: &Context<'_, '_>, f: impl FnOnce() -> PyResult<R>) -> BoxedResult<R> {
        if self.0.as_ref().is_some_and(|names| names.is_foreign) {
            return greenlets::operation(cx, || f().map_err(external))
                .map_err(|error| to_exception(cx, error, Style::Plain));
        }
        Ok(f()?)
    }

    fn encode_slowly<'py>(&self, text: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyBytes>> {
        // That of `str`, whatever a class that extends it has.
        let (codec, errors) = self.names();
        let class = PyString::type_object(text.py());
        let bytes = class.call_method1("encode", (text, codec, errors))?;
        Ok(bytes.cast_into::<PyBytes>()?)
    }
}

/// Whether a codec and its way with errors are Python's own.
fn is_pythons(py: Python<'_>, codec: &str, errors: &str) -> PyResult<bool> {
    const WAYS: [&str; 8] = [
        STRICT,
        "ignore",
        "replace",
        "backslashreplace",
        "namereplace",
        "surrogateescape",
        "surrogatepass",
        "xmlcharrefreplace",
    ];
    let codec = py.import("codecs")?.call_method1("lookup", (codec,))?;
    let is_own = |name| -> PyResult<bool> {
        let function = codec.getattr(name)?;
        if function.is_exact_instance_of::<PyCFunction>() {
            return Ok(true);
        }
        let module: String = function.getattr("__module__")?.extract()?;
        Ok(module.starts_with("encodings."))
    };
    Ok(WAYS.contains(&errors) && is_own("encode")? && is_own("decode")?)
}

/// Every byte as the character of that number.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|b| char::from(*b)).collect()
}

/// Source code, or another text for Lua, given as `str`, `bytes` or `bytearray`.
pub(crate) fn source<'a>(codec: &Codec, text: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(text) = text.cast::<PyString>() {
        if codec.is_utf8()
            && let Ok(text) = text.to_str()
        {
            return Ok(Cow::Borrowed(text.as_bytes()));
        }
        return Ok(Cow::Owned(codec.encode_slowly(text)?.as_bytes().to_vec()));
    }
    if let Ok(bytes) = text.cast::<PyBytes>() {
        return Ok(Cow::Borrowed(bytes.as_bytes()));
    }
    if let Ok(bytes) = text.cast::<PyByteArray>() {
        return Ok(Cow::Owned(bytes.to_vec()));
    }
    Err(pyo3::exceptions::PyTypeError::new_err(format!(
        "Expected string, got {}",
        text.get_type()
    )))
}

/// An option that is None or ASCII text, as `str`, `bytes` or `bytearray`.
pub(crate) fn ascii(value: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
    let Some(value) = value else { return Ok(None) };
    if let Ok(text) = value.cast::<PyString>() {
        let bytes = text.call_method1("encode", ("ascii",))?;
        return Ok(Some(
            String::from_utf8_lossy(bytes.cast::<PyBytes>()?.as_bytes()).into_owned(),
        ));
    }
    let bytes = if let Ok(bytes) = value.cast::<PyBytes>() {
        bytes.as_bytes().to_vec()
    } else if let Ok(bytes) = value.cast::<PyByteArray>() {
        bytes.to_vec()
    } else {
        let kind = value.get_type();
        return Err(PyValueError::new_err(format!(
            "expected string, got {kind}"
        )));
    };
    match String::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => Ok(Some(text)),
        _ => Err(PyValueError::new_err(
            "byte string input has unknown encoding, only ASCII is allowed",
        )),
    }
}
