//! What CPython's C API does faster than PyO3, or PyO3 has nothing for: calls without a tuple, attribute
//! look-ups without an exception, values read where CPython keeps them; in [`slots`], what CPython calls. This module exists for speed.
//!
//! PyO3 does not count the entry points in [`slots`] as attached, which concerns it when a `Py` is dropped: it
//! does that later then. `Bound` and what converts to it are as anywhere.

use crate::errors::BoxedResult;
use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyDict, PyFunction, PyInt, PyString, PyTuple, PyType};
use smallvec::{SmallVec, smallvec};

pub(crate) mod slots;

/// Whether an object's type has the `==` of `object`, which is identity.
#[inline]
pub(crate) fn compares_by_identity(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the type of a live object is alive, and with the GIL held its slots do not change.
    let (own, inherited) = unsafe {
        (
            (*ffi::Py_TYPE(object.as_ptr())).tp_richcompare,
            (*std::ptr::addr_of!(ffi::PyBaseObject_Type)).tp_richcompare,
        )
    };
    match (own, inherited) {
        (Some(own), Some(inherited)) => std::ptr::fn_addr_eq(own, inherited),
        (own, _) => own.is_none(),
    }
}

/// Whether an object's type is `T`, or is iterated as `T` is.
#[inline]
pub(crate) fn iterates_as<T: PyTypeInfo>(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: both types are alive, and with the GIL held their slots do not change.
    let (own, of_base) = unsafe {
        let base = T::type_object_raw(object.py());
        ((*object.get_type_ptr()).tp_iter, (*base).tp_iter)
    };
    matches!((own, of_base), (Some(own), Some(base)) if std::ptr::fn_addr_eq(own, base))
}

/// Whether an object is one of bytes or of numbers beside each other, which may be many, of a type that is
/// written in C: to ask for its size runs no Python code.
#[inline]
pub(crate) fn is_builtin_buffer(object: &Bound<'_, PyAny>) -> bool {
    // SAFETY: the object is alive, and so is its type; the GIL is held.
    unsafe {
        ffi::PyObject_CheckBuffer(object.as_ptr()) != 0
            && ffi::PyType_GetFlags(ffi::Py_TYPE(object.as_ptr())) & ffi::Py_TPFLAGS_HEAPTYPE == 0
    }
}

/// The text, if it is ASCII: it is read where it is, where to ask for its UTF-8 is a call.
#[inline]
pub(crate) fn ascii<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    #[cfg(not(Py_3_14))]
    {
        let text = text.as_ptr();
        // SAFETY: a live str. Such text follows its head, and is never changed.
        unsafe {
            (ffi::PyUnicode_IS_COMPACT_ASCII(text) != 0).then(|| {
                let length = ffi::PyUnicode_GET_LENGTH(text) as usize;
                std::slice::from_raw_parts(text.cast::<ffi::PyASCIIObject>().add(1).cast(), length)
            })
        }
    }
    // PyO3 does not know how it is kept there.
    #[cfg(Py_3_14)]
    {
        let _ = text;
        None
    }
}

/// A text of these bytes, if they are ASCII: copied in one go, where CPython's decoder looks at each word while it does so. None of texts that
/// CPython has only one of: empty ones, and those of one character.
#[inline]
pub(crate) fn ascii_text<'py>(
    py: Python<'py>,
    bytes: &[u8],
) -> BoxedResult<Option<Bound<'py, PyAny>>> {
    if cfg!(Py_3_14) || bytes.len() < 2 || !bytes.is_ascii() {
        return Ok(None);
    }
    // SAFETY: the GIL is held. A new text for ASCII has its characters after its head, so many as it was asked for, and nobody else has it yet.
    unsafe {
        let length = bytes.len() as ffi::Py_ssize_t;
        let text = Bound::from_owned_ptr_or_err(py, ffi::PyUnicode_New(length, 127))?;
        let characters = text
            .as_ptr()
            .cast::<ffi::PyASCIIObject>()
            .add(1)
            .cast::<u8>();
        characters.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        Ok(Some(text))
    }
}

/// The text in UTF-8; none of text that has none.
#[inline]
pub(crate) fn utf8<'a>(text: &'a Bound<'_, PyString>) -> Option<&'a [u8]> {
    ascii(text).or_else(|| text.to_str().ok().map(str::as_bytes))
}

/// How CPython 3.9 to 3.14 keep an `int` of one digit, of 30 bits, on machines of 64 bits. To ask for its value takes longer than what
/// is done with it.
#[repr(C)]
struct OneDigit {
    object: ffi::PyObject,
    /// Number of digits, negative for a negative `int`; from 3.12 on that number from bit 3 on, and below it how much the sign is less than 1.
    size: isize,
    digit: u32,
}

/// Whether integers are kept as this file has it, in digits of 30 bits: CPython can be built otherwise.
pub(crate) fn check_integers(py: Python<'_>) -> PyResult<()> {
    let is_read =
        |n: i64, expected| small_integer(&PyInt::new(py, n)).is_none_or(|n| n == expected);
    if is_read((1 << 30) - 1, (1 << 30) - 1)
        && is_read(-5, -5)
        && small_integer(&PyInt::new(py, 1 << 30)).is_none()
    {
        return Ok(());
    }
    let message = "lupa needs a CPython that keeps integers in digits of 30 bits (sys.int_info.bits_per_digit), its default";
    Err(PyImportError::new_err(message))
}

/// The value of an integer that has one digit.
#[inline]
pub(crate) fn small_integer(number: &Bound<'_, PyInt>) -> Option<i32> {
    if cfg!(not(target_pointer_width = "64")) || cfg!(Py_3_15) {
        return None;
    }
    let number = number.as_ptr().cast::<OneDigit>();
    // SAFETY: a live `int`, which is never changed; it has a digit where it says so.
    unsafe {
        let size = (*number).size;
        let (has_one, sign) = if cfg!(Py_3_12) {
            (size >> 3 == 1, 1 - (size & 3))
        } else {
            (size == 1 || size == -1, size)
        };
        if has_one {
            return Some(sign as i32 * (*number).digit as i32);
        }
    }
    None
}

/// The value of an integer of 64 bits; no exception is made of a larger one.
#[inline]
pub(crate) fn integer(number: &Bound<'_, PyInt>) -> Option<i64> {
    let mut overflow = 0;
    // SAFETY: the object is alive, and the GIL is held. It is an int, so no Python code runs, and nothing fails.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(number.as_ptr(), &mut overflow) };
    (overflow == 0).then_some(value)
}

/// The entry of a dict at a position or after it, which is moved on; positions start at 0. Where the dict has changed meanwhile, entries may be
/// missed or come again.
#[inline]
pub(crate) fn dict_entry<'py>(
    dict: &Bound<'py, PyDict>,
    position: &mut ffi::Py_ssize_t,
) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    let (mut key, mut value) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: a live dict, and the GIL is held; the position is compared with what the dict has now. What is found is borrowed from the
    // dict, and owned from here on.
    unsafe {
        (ffi::PyDict_Next(dict.as_ptr(), position, &mut key, &mut value) != 0).then(|| {
            let py = dict.py();
            (
                Bound::from_borrowed_ptr(py, key),
                Bound::from_borrowed_ptr(py, value),
            )
        })
    }
}

/// Number of references to an object.
#[inline]
pub(crate) fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: the object is alive, and the GIL is held.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

unsafe extern "C" {
    /// What a type and its bases have under a name: borrowed, or null without an exception.
    fn _PyType_Lookup(
        class: *mut ffi::PyTypeObject,
        name: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject;

    /// The class of bound methods of Python code, which nothing can be derived from.
    static mut PyMethod_Type: ffi::PyTypeObject;

    /// The function of a bound method: borrowed.
    fn PyMethod_Function(method: *mut ffi::PyObject) -> *mut ffi::PyObject;

    /// What a bound method is bound to: borrowed.
    fn PyMethod_Self(method: *mut ffi::PyObject) -> *mut ffi::PyObject;

    /// As `PyObject_GetOptionalAttr` of Python 3.13.
    #[cfg(not(Py_3_13))]
    fn _PyObject_LookupAttr(
        object: *mut ffi::PyObject,
        name: *mut ffi::PyObject,
        result: *mut *mut ffi::PyObject,
    ) -> std::ffi::c_int;
}

/// Whether an object has an attribute. No exception is made if it has not.
pub(crate) fn has_attribute(
    object: &Bound<'_, PyAny>,
    name: &Bound<'_, PyString>,
) -> PyResult<bool> {
    #[cfg(not(Py_3_13))]
    use _PyObject_LookupAttr as get_optional_attribute;
    #[cfg(Py_3_13)]
    use ffi::PyObject_GetOptionalAttr as get_optional_attribute;

    let mut value = std::ptr::null_mut();
    // SAFETY: the GIL is held; the function sets `value` to a new reference or null.
    unsafe {
        let found = get_optional_attribute(object.as_ptr(), name.as_ptr(), &mut value);
        drop(Bound::from_owned_ptr_or_opt(object.py(), value));
        if found < 0 {
            return Err(PyErr::fetch(object.py()));
        }
        Ok(found > 0)
    }
}

/// A bound method of Python code.
pub(crate) struct Method<'a, 'py>(&'a Bound<'py, PyAny>);

impl<'a, 'py> Method<'a, 'py> {
    /// The object, if it is such a method.
    #[inline]
    pub(crate) fn new(object: &'a Bound<'py, PyAny>) -> Option<Self> {
        let is_method = object.get_type_ptr().cast_const() == &raw const PyMethod_Type;
        is_method.then_some(Method(object))
    }

    /// The function that it calls, or other callable object.
    #[inline]
    pub(crate) fn function(&self) -> Bound<'py, PyAny> {
        // SAFETY: the GIL is held, and the object is a method, which holds its function.
        unsafe { Bound::from_borrowed_ptr(self.0.py(), PyMethod_Function(self.0.as_ptr())) }
    }

    /// Whether it is bound to this object.
    #[inline]
    pub(crate) fn is_bound_to(&self, object: &Bound<'_, PyAny>) -> bool {
        // SAFETY: the GIL is held, and the object is a method.
        unsafe { PyMethod_Self(self.0.as_ptr()) == object.as_ptr() }
    }
}

/// What a class and its bases have under a name, as it is there: no Python code runs.
#[inline]
pub(crate) fn class_attribute<'py>(
    class: &Bound<'py, PyType>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyAny>> {
    // SAFETY: the GIL is held; the class holds what is found.
    unsafe {
        let found = _PyType_Lookup(class.as_type_ptr(), name.as_ptr());
        Bound::from_borrowed_ptr_or_opt(class.py(), found)
    }
}

/// Whose way to find attributes a class has in its slot.
#[derive(PartialEq, Eq)]
pub(crate) enum Finder {
    /// That of `object`.
    Objects,
    /// That of `type`.
    Classes,
    /// Another one: in C, or by functions in Python.
    Own,
}

/// How the attributes of instances of a class are found.
#[inline]
pub(crate) fn finder(class: &Bound<'_, PyType>) -> Finder {
    let metaclass = &raw const ffi::PyType_Type;
    // SAFETY: the classes are alive, and with the GIL held their slots do not change.
    let (own, of_classes) =
        unsafe { ((*class.as_type_ptr()).tp_getattro, (*metaclass).tp_getattro) };
    let is = |function: Option<ffi::getattrofunc>| matches!((own, function), (Some(own), Some(other)) if std::ptr::fn_addr_eq(own, other));
    if is(Some(ffi::PyObject_GenericGetAttr)) {
        Finder::Objects
    } else if is(of_classes) {
        Finder::Classes
    } else {
        Finder::Own
    }
}

/// Whether an instance has what its class has, as a value, a function or a field of C code, which no Python code is asked for.
#[inline]
pub(crate) fn is_had_by_instances(attribute: &Bound<'_, PyAny>) -> bool {
    let kind = attribute.get_type_ptr().cast_const();
    // SAFETY: the type of a live object is alive, and with the GIL held its slots do not change.
    kind == PyFunction::type_object_raw(attribute.py()).cast_const()
        || kind == &raw const ffi::PyWrapperDescr_Type
        || kind == &raw const ffi::PyMethodDescr_Type
        || kind == &raw const ffi::PyGetSetDescr_Type
        || unsafe { (*kind).tp_descr_get.is_none() }
}

/// An attribute as `object.__getattribute__` finds it: from the type and, if there is one, the instance's dictionary.
#[inline]
pub(crate) fn generic_attribute<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> BoxedResult<Bound<'py, PyAny>> {
    // SAFETY: the GIL is held; the function gives a new reference, or null with an exception.
    unsafe {
        let value = ffi::PyObject_GenericGetAttr(object.as_ptr(), name.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(object.py(), value)?)
    }
}

/// Positional arguments for a Python callable, being collected.
pub(crate) struct Arguments<'py> {
    /// The first place is free: the callee may use it.
    places: SmallVec<[Option<Bound<'py, PyAny>>; 9]>,
}

impl<'py> Arguments<'py> {
    #[inline]
    pub(crate) fn new() -> Self {
        Arguments {
            places: smallvec![None],
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, argument: Bound<'py, PyAny>) {
        self.places.push(Some(argument));
    }

    /// The first argument.
    #[inline]
    pub(crate) fn first(&self) -> Option<&Bound<'py, PyAny>> {
        self.places.get(1)?.as_ref()
    }

    /// Calls an object with these arguments, without the first ones if so wanted.
    #[inline]
    pub(crate) fn call(
        &mut self,
        callable: &Bound<'py, PyAny>,
        skip: usize,
        named: Option<&Bound<'py, PyDict>>,
    ) -> BoxedResult<Bound<'py, PyAny>> {
        let py = callable.py();
        if named.is_some() {
            let arguments: Vec<_> = self.places.drain(1 + skip..).flatten().collect();
            let arguments = PyTuple::new(py, arguments)?;
            return Ok(callable.call(arguments, named)?);
        }
        let count = (self.places.len() - 1).saturating_sub(skip);
        // SAFETY: `Option<Bound>` is a pointer to an object or null (`Bound` is transparent). `count`
        // arguments follow the free place, which has one more before it if it was an argument: the callee
        // puts back what it writes there.
        unsafe {
            let places = self.places.as_mut_ptr().add(1 + skip);
            let result = ffi::PyObject_Vectorcall(
                callable.as_ptr(),
                places.cast::<*mut ffi::PyObject>(),
                count + ffi::PY_VECTORCALL_ARGUMENTS_OFFSET,
                std::ptr::null_mut(),
            );
            Ok(Bound::from_owned_ptr_or_err(py, result)?)
        }
    }
}

/// Has PyO3 drop what it has deferred, exceptions for instance, because nothing counts as attached here.
#[cold]
pub(crate) fn drop_deferred() {
    // There is nothing to do when the interpreter is about to end.
    let _ = Python::try_attach(|_| ());
}
