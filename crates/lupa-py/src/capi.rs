//! What CPython's C API does faster than PyO3, or PyO3 has nothing for: calls without a tuple, attribute
//! look-ups without an exception. This file exists for speed.
//!
//! PyO3 does not count entry points of this file as attached, which concerns it when a `Py` is dropped: it
//! does that later then. `Bound` and what converts to it are as anywhere.

use crate::errors::BoxedResult;
use pyo3::exceptions::{PyImportError, PyOverflowError, PyTypeError};
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyDict, PyFunction, PyInt, PyString, PyTuple, PyType};
use smallvec::{SmallVec, smallvec};
use std::panic::{AssertUnwindSafe, catch_unwind};

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

/// What a call of an instance does: the function, in a field of the instance.
#[derive(Clone, Copy)]
pub(crate) struct CallSlot(#[expect(dead_code, reason = "CPython reads it")] ffi::vectorcallfunc);

/// How instances of a class are called.
pub(crate) trait Callable: PyTypeInfo {
    /// Calls the object with positional arguments.
    fn call<'py>(
        slf: &Bound<'py, Self>,
        arguments: &[Borrowed<'_, 'py, PyAny>],
    ) -> BoxedResult<Bound<'py, PyAny>>;
}

/// How attributes and items of a class' instances are read.
pub(crate) trait Attributes: PyTypeInfo {
    /// `object[key]`
    fn item<'py>(slf: &Bound<'py, Self>, key: &Bound<'py, PyAny>)
    -> BoxedResult<Bound<'py, PyAny>>;

    /// The attribute of a name, whatever it is: `object.__getattribute__` is not asked before.
    fn attribute<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
    ) -> BoxedResult<Bound<'py, PyAny>>;
}

/// How many items a class' instances have.
pub(crate) trait Length: PyTypeInfo {
    /// `len(object)`
    fn length(slf: &Bound<'_, Self>) -> BoxedResult<usize>;
}

/// How items and attributes of a class' instances are set and deleted.
pub(crate) trait Assignment: PyTypeInfo {
    /// Sets an item; without a value, deletes it.
    fn set_item<'py>(
        slf: &Bound<'py, Self>,
        key: &Bound<'py, PyAny>,
        value: Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<()>;

    /// Sets an attribute; without a value, deletes it.
    fn set_attribute<'py>(
        slf: &Bound<'py, Self>,
        name: &Bound<'py, PyAny>,
        value: Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<()>;
}

/// How a class' instances give their next value.
pub(crate) trait Iteration: PyTypeInfo {
    /// The next value; `None` at the end.
    fn next<'py>(slf: &Bound<'py, Self>) -> BoxedResult<Option<Bound<'py, PyAny>>>;
}

impl CallSlot {
    /// The slot that calls `T::call`.
    pub(crate) fn of<T: Callable>() -> Self {
        CallSlot(call_entry::<T>)
    }
}

/// Has CPython call instances of `T` and of classes that extend it by their call slots, and read their attributes, items and length by
/// the traits. PyO3 does not offer it: its `__call__` takes a tuple, its `__getattribute__` loses the error, and its entries for items
/// and length cost more. The slot of `instance` shows where the slots are.
pub(crate) fn install<T: Attributes + Length>(
    instance: &Bound<'_, T>,
    slot: &CallSlot,
    classes: &[Bound<'_, PyType>],
) {
    let offset = std::ptr::from_ref(slot).addr() - instance.as_ptr().addr();
    for class in classes {
        assert!(class.is_subclass_of::<T>().is_ok_and(|extends| extends));
        // SAFETY: heap types that PyO3 has made, and that nobody reads meanwhile, since the GIL is held. All
        // their instances have a `CallSlot` at the offset: it belongs to `T`.
        unsafe {
            let class = class.as_type_ptr();
            (*class).tp_vectorcall_offset = offset as ffi::Py_ssize_t;
            (*class).tp_call = Some(ffi::PyVectorcall_Call);
            (*class).tp_getattro = Some(attribute_entry::<T>);
            (*(*class).tp_as_mapping).mp_subscript = Some(item_entry::<T>);
            (*(*class).tp_as_mapping).mp_length = Some(length_entry::<T>);
            (*class).tp_flags |= ffi::Py_TPFLAGS_HAVE_VECTORCALL;
            ffi::PyType_Modified(class);
        }
    }
}

/// Has CPython set items and attributes of `T` by the trait: PyO3's entries cost more.
pub(crate) fn install_assignment<T: Assignment>(py: Python<'_>) {
    // SAFETY: a heap type, as in `install`: it has a table of such functions in itself.
    unsafe {
        let class = T::type_object(py).as_type_ptr();
        (*(*class).tp_as_mapping).mp_ass_subscript = Some(set_item_entry::<T>);
        (*class).tp_setattro = Some(set_attribute_entry::<T>);
        ffi::PyType_Modified(class);
    }
}

/// Has CPython get the next value of a `T` by the trait: PyO3's entry costs more.
pub(crate) fn install_iteration<T: Iteration>(py: Python<'_>) {
    // SAFETY: a heap type, as in `install`.
    unsafe {
        let class = T::type_object(py).as_type_ptr();
        (*class).tp_iternext = Some(next_entry::<T>);
        ffi::PyType_Modified(class);
    }
}

/// Hands the result of `f` to CPython; what was none is nothing, and no error.
#[inline]
fn answer<'py>(
    py: Python<'py>,
    f: impl FnOnce() -> BoxedResult<Option<Bound<'py, PyAny>>>,
) -> *mut ffi::PyObject {
    match caught(py, f) {
        Some(Some(value)) => value.into_ptr(),
        _ => std::ptr::null_mut(),
    }
}

/// The result of `f`; an error, or a panic, becomes CPython's current exception.
#[inline]
fn caught<R>(py: Python<'_>, f: impl FnOnce() -> BoxedResult<R>) -> Option<R> {
    let result = catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        let text = text.unwrap_or("panic from Rust code").to_owned();
        Err(PanicException::new_err((text,)).into())
    });
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            drop_deferred();
            PyErr::from(error).restore(py);
            None
        }
    }
}

/// Has PyO3 drop what it has deferred, exceptions for instance, because nothing counts as attached here.
#[cold]
pub(crate) fn drop_deferred() {
    // There is nothing to do when the interpreter is about to end.
    let _ = Python::try_attach(|_| ());
}

/// `tp_getattro` of `T` and of classes that extend it.
unsafe extern "C" fn attribute_entry<T: Attributes>(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls this as `read_entry` demands.
    unsafe { read_entry(object, name, T::attribute) }
}

/// `mp_subscript` of `T` and of classes that extend it.
unsafe extern "C" fn item_entry<T: Attributes>(
    object: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: as in `attribute_entry`.
    unsafe { read_entry(object, key, T::item) }
}

/// `mp_length` of `T` and of classes that extend it.
unsafe extern "C" fn length_entry<T: Length>(object: *mut ffi::PyObject) -> ffi::Py_ssize_t {
    // SAFETY: CPython calls this with the GIL held and a live instance of a class that `install` has found to be `T` or to extend it.
    let (py, object) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, object).cast_unchecked::<T>())
    };
    let length = || {
        let length = ffi::Py_ssize_t::try_from(T::length(&object)?);
        Ok(length.map_err(|_| PyOverflowError::new_err("the length is too large for Python"))?)
    };
    caught(py, length).unwrap_or(-1)
}

/// Reads an attribute or an item by `read`.
///
/// # Safety
/// The GIL is held, and the objects are live, the first an instance of a class that `install` has found to be `T`
/// or to extend it.
#[inline]
unsafe fn read_entry<T>(
    object: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    read: impl for<'py> FnOnce(&Bound<'py, T>, &Bound<'py, PyAny>) -> BoxedResult<Bound<'py, PyAny>>,
) -> *mut ffi::PyObject {
    // SAFETY: by the caller.
    let (py, object, key) = unsafe {
        let py = Python::assume_attached();
        (
            py,
            Borrowed::from_ptr(py, object).cast_unchecked::<T>(),
            Borrowed::from_ptr(py, key),
        )
    };
    answer(py, || read(&object, &key).map(Some))
}

/// `mp_ass_subscript` of `T`.
unsafe extern "C" fn set_item_entry<T: Assignment>(
    object: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> std::ffi::c_int {
    // SAFETY: CPython calls this with what `assign` wants.
    unsafe { assign(object, key, value, T::set_item) }
}

/// `tp_setattro` of `T`.
unsafe extern "C" fn set_attribute_entry<T: Assignment>(
    object: *mut ffi::PyObject,
    name: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
) -> std::ffi::c_int {
    // SAFETY: as above.
    unsafe { assign(object, name, value, T::set_attribute) }
}

/// Sets, or deletes, by `set`: 0, or -1 with an exception.
///
/// # Safety
/// The GIL is held, there are a live instance of `T` and a live key, and the value is live or null.
#[inline]
unsafe fn assign<T>(
    object: *mut ffi::PyObject,
    key: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    set: impl for<'py> FnOnce(
        &Bound<'py, T>,
        &Bound<'py, PyAny>,
        Option<&Bound<'py, PyAny>>,
    ) -> BoxedResult<()>,
) -> std::ffi::c_int {
    // SAFETY: as the caller promises.
    let (py, object, key, value) = unsafe {
        let py = Python::assume_attached();
        (
            py,
            Borrowed::from_ptr(py, object).cast_unchecked::<T>(),
            Borrowed::from_ptr(py, key),
            Borrowed::from_ptr_or_opt(py, value),
        )
    };
    match caught(py, || set(&object, &key, value.as_deref())) {
        Some(()) => 0,
        None => -1,
    }
}

// What PyO3's methods of these names call: the functions of the slots, which hold the only copy of their code. CPython's own, such as
// `PyObject_GetItem`, would come back to the method for ever where somebody has set one of a class: then CPython puts PyO3's functions into the slots.

/// `object[key]`
pub(crate) fn item<'py, T: Attributes>(
    object: &Bound<'py, T>,
    key: &Bound<'py, PyAny>,
) -> BoxedResult<Bound<'py, PyAny>> {
    // SAFETY: the GIL is held, and both are live; the function gives a new reference, or null with an exception.
    unsafe {
        let value = item_entry::<T>(object.as_ptr(), key.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(object.py(), value)?)
    }
}

/// The attribute of a name.
pub(crate) fn attribute<'py, T: Attributes>(
    object: &Bound<'py, T>,
    name: &Bound<'py, PyAny>,
) -> BoxedResult<Bound<'py, PyAny>> {
    // SAFETY: as in `item`.
    unsafe {
        let value = attribute_entry::<T>(object.as_ptr(), name.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(object.py(), value)?)
    }
}

/// `len(object)`
pub(crate) fn length<T: Length>(object: &Bound<'_, T>) -> BoxedResult<usize> {
    // SAFETY: the GIL is held, and the object is live.
    let length = unsafe { length_entry::<T>(object.as_ptr()) };
    Ok(usize::try_from(length).map_err(|_| PyErr::fetch(object.py()))?)
}

/// Sets an item; without a value, deletes it.
pub(crate) fn set_item<T: Assignment>(
    object: &Bound<'_, T>,
    key: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> BoxedResult<()> {
    let value = value.map_or(std::ptr::null_mut(), |value| value.as_ptr());
    // SAFETY: the GIL is held, all are live, and the value may be null.
    let status = unsafe { set_item_entry::<T>(object.as_ptr(), key.as_ptr(), value) };
    done(object.py(), status)
}

/// Sets an attribute; without a value, deletes it.
pub(crate) fn set_attribute<T: Assignment>(
    object: &Bound<'_, T>,
    name: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
) -> BoxedResult<()> {
    let value = value.map_or(std::ptr::null_mut(), |value| value.as_ptr());
    // SAFETY: as in `set_item`.
    let status = unsafe { set_attribute_entry::<T>(object.as_ptr(), name.as_ptr(), value) };
    done(object.py(), status)
}

/// The next value; `None` at the end.
pub(crate) fn next<'py, T: Iteration>(
    object: &Bound<'py, T>,
) -> BoxedResult<Option<Bound<'py, PyAny>>> {
    let py = object.py();
    // SAFETY: the GIL is held, and the object is live; the function gives a new reference, or null.
    let value = unsafe { Bound::from_owned_ptr_or_opt(py, next_entry::<T>(object.as_ptr())) };
    match value {
        None => PyErr::take(py).map_or(Ok(None), |error| Err(error.into())),
        value => Ok(value),
    }
}

fn done(py: Python<'_>, status: std::ffi::c_int) -> BoxedResult<()> {
    match status {
        0 => Ok(()),
        _ => Err(PyErr::fetch(py).into()),
    }
}

/// `tp_iternext` of `T`.
unsafe extern "C" fn next_entry<T: Iteration>(object: *mut ffi::PyObject) -> *mut ffi::PyObject {
    // SAFETY: CPython calls this with the GIL held and a live instance of `T`.
    let (py, object) = unsafe {
        let py = Python::assume_attached();
        (py, Borrowed::from_ptr(py, object).cast_unchecked::<T>())
    };
    answer(py, || T::next(&object))
}

/// The function in the slot of a `T`.
unsafe extern "C" fn call_entry<T: Callable>(
    callable: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: usize,
    names: *mut ffi::PyObject,
) -> *mut ffi::PyObject {
    // SAFETY: CPython calls this with the GIL held, a live object and as many live arguments as it says. A
    // `Borrowed` is a pointer to an object (it is transparent).
    let (py, callable, arguments) = unsafe {
        let py = Python::assume_attached();
        let count = ffi::PyVectorcall_NARGS(count) as usize;
        let callable = Borrowed::from_ptr(py, callable);
        let arguments: &[Borrowed<'_, '_, PyAny>] = match count {
            0 => &[],
            count => std::slice::from_raw_parts(arguments.cast(), count),
        };
        (py, callable, arguments)
    };
    answer(py, || {
        // SAFETY: null or a tuple of the names of further arguments.
        let names = unsafe { Borrowed::from_ptr_or_opt(py, names) };
        if let Some(names) = names
            && let Ok(name) = names.get_item(0)
        {
            return Err(unexpected_name(&name).into());
        }
        T::call(&*callable.cast()?, arguments).map(Some)
    })
}

#[cold]
fn unexpected_name(name: &Bound<'_, PyAny>) -> PyErr {
    let message = format!("__call__() got an unexpected keyword argument '{name}'");
    PyTypeError::new_err(message)
}
