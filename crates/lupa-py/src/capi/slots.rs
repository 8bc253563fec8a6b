//! What CPython calls for objects of ours, in the slots of their types: PyO3 does not offer it, or its entries cost more.

use super::drop_deferred;
use crate::errors::BoxedResult;
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::PyType;
use std::panic::{AssertUnwindSafe, catch_unwind};

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
