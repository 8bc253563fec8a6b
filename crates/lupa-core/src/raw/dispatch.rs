//! Where Lua enters Rust: one function for all operations on host objects.

use super::host_function::{Function, is_plain};
use super::shared::Shared;
use super::stack::Stack;
use super::stop;
use super::sys::{self, inline, inline::TValue};
use super::userdata::{self, Borrow, Header};
use crate::error::{Error, Panic};
use crate::host::{Call, HostObject, Operation};
use crate::value::Value;
use std::ffi::{c_int, c_void};
use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

/// Tells the shim where Rust is entered.
pub(super) fn install_entries() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        userdata::choose_secret();
        // SAFETY: these functions follow the shim's contract: they never unwind.
        unsafe {
            sys::lupa_set_entries(
                dispatch,
                call_function,
                stop::hook_entry,
                stop::sethook_entry,
            );
        }
    });
}

/// Serves an operation on a host object: finds and verifies the object, runs its
/// method, and gives the number of results, or `LUPA_RAISE` with the error on top.
unsafe extern "C" fn dispatch(l: *mut sys::lua_State, event: c_int) -> c_int {
    // SAFETY: LuaJIT called the trampoline, so `l` is live, this thread has its lock, and
    // LUA_MINSTACK slots are free.
    let (arguments, header) = unsafe {
        let arguments = inline::top(l);
        if (sys::LUPA_EQ..=sys::LUPA_CONCAT).contains(&event) {
            // The object may be either operand, and the other one of another type, which
            // does not offer the operation.
            (
                arguments,
                server_at(l, 1, event).or_else(|| server_at(l, 2, event)),
            )
        } else if event == sys::LUPA_GC {
            let value = inline::slot(l, 1).unwrap_or(TValue::NIL);
            let header = userdata::verify(value).or_else(|| userdata::verify_function(value));
            (arguments, header)
        } else {
            (arguments, server_at(l, 1, event))
        }
    };
    let Some(header) = header else {
        return if event == sys::LUPA_GC {
            0
        } else {
            sys::LUPA_DEAD
        };
    };
    // SAFETY: verified; a host object never outlives its runtime's state.
    let stack = Stack::new(unsafe { &*(*header).shared }, l);
    stack.shared().in_host(l, || {
        if event != sys::LUPA_GC {
            return invoke(stack, header, event, arguments);
        }
        // SAFETY: verified.
        let finalize = AssertUnwindSafe(|| unsafe { userdata::finalize(header) });
        if let Err(panic) = catch_unwind(finalize) {
            // Nobody waits for it, and to drop it might panic again.
            std::mem::forget(panic);
        }
        0
    })
}

/// Serves a call of a host function, as [`dispatch`] does of an object.
unsafe extern "C" fn call_function(l: *mut sys::lua_State) -> c_int {
    // SAFETY: LuaJIT called the trampoline, so `l` is live, this thread has its lock, and the function that runs is one of ours.
    unsafe {
        match Function::behind(inline::running(l)) {
            Some(function) => (function.methods.call)(l, function.shared, function.data),
            None => sys::LUPA_DEAD,
        }
    }
}

/// [`Methods::call`](userdata::Methods) of a type of functions.
///
/// # Safety
/// `l` is live and this thread has its lock; the rest is what is [behind](Function) the function that runs, which is of a `T`.
pub(super) unsafe extern "C" fn call<T: HostObject>(
    l: *mut sys::lua_State,
    shared: *const Shared,
    data: *mut c_void,
) -> c_int {
    // SAFETY: by the caller; a host function never outlives its runtime's state, and keeps its payload until the end.
    unsafe {
        let stack = Stack::new(&*shared, l);
        let header: *mut Header = data.cast();
        let function: &T = if const { is_plain::<T>() } {
            &*data.cast()
        } else {
            &*userdata::payload(header).cast()
        };
        stack.shared().in_host(l, || {
            serve(stack, 1, stack.top(), |call| {
                // Without a finalizer the payload lives as long as its userdata.
                let _borrow = const { needs_drop::<T>() }.then(|| Borrow::new(header));
                function.invoke(Operation::Call, call)
            })
        })
    }
}

/// [`Methods::call`](userdata::Methods) of all other types.
pub(super) unsafe extern "C" fn not_a_function(
    _: *mut sys::lua_State,
    _: *const Shared,
    _: *mut c_void,
) -> c_int {
    sys::LUPA_DEAD
}

/// The header of the host object in a slot, if its type serves an event.
///
/// # Safety
/// `l` is live and this thread has its lock.
#[inline]
unsafe fn server_at(l: *mut sys::lua_State, index: c_int, event: c_int) -> Option<*mut Header> {
    // SAFETY: by the caller; the slot keeps the value, and a header that was found is verified.
    unsafe { userdata::verify(inline::slot(l, index)?).filter(|header| (**header).serves(event)) }
}

#[inline]
fn invoke(stack: Stack<'_>, header: *mut Header, event: c_int, arguments: c_int) -> c_int {
    let operation = Operation::from_event(event);
    // The callee is the first argument of `__call`.
    let first = if event == sys::LUPA_CALL { 2 } else { 1 };
    serve(stack, first, arguments, |call| {
        // SAFETY: verified, and the userdata is an argument; the borrow keeps the payload.
        unsafe {
            let _borrow = Borrow::new(header);
            ((*header).methods.invoke)(userdata::payload(header), operation, call)
        }
    })
}

/// Runs host code for a call; the arguments are in the slots from `first` to `last`.
#[inline]
fn serve(
    stack: Stack<'_>,
    first: c_int,
    last: c_int,
    invoke: impl FnOnce(&mut Call<'_>) -> crate::Result<()>,
) -> c_int {
    if stack.shared().is_closed() {
        // A finalizer of Lua code, while the state closes without the reserve: the shim raises.
        return sys::LUPA_CLOSED;
    }
    let base = stack.top();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut call = Call::new(stack, first, last);
        match invoke(&mut call) {
            Ok(()) => stack.top() - base,
            // Inside, since an error's Display and Drop are host code, too.
            Err(Error::Raised) if stack.top() == base => raise_error(stack, nothing_raised()),
            Err(error) => raise_error(stack, error),
        }
    }));
    match outcome {
        Ok(results) => results,
        Err(panic) => raise_panic(stack, panic),
    }
}

/// What `Error::Raised` is where no value was pushed: it came from another call.
#[cold]
fn nothing_raised() -> Error {
    Error::message(Error::Raised.to_string())
}

/// Pushes the value that stands for an error in Lua, to be raised.
#[cold]
pub(super) fn raise_error(stack: Stack<'_>, error: Error) -> c_int {
    if !matches!(error, Error::Raised) {
        push_error(stack, error);
    }
    sys::LUPA_RAISE
}

/// Pushes the value that stands for an error in Lua.
pub(crate) fn push_error(stack: Stack<'_>, error: Error) {
    let pushed = match error {
        Error::Runtime(e) => match (&e.value, &e.cause) {
            (Some(value), _) => value.push(stack),
            (None, Some(cause)) => push_text(stack, e.message.to_vec(), cause.clone()),
            (None, None) => stack.push_bytes(&e.message),
        },
        error if is_host_error(&error) => push_host_error(stack, error),
        Error::Syntax(ref e) => push_text(stack, e.message.to_vec(), error),
        other => push_text(stack, other.text().into_owned().into_bytes(), other),
    };
    if let Err(error) = pushed {
        // This cannot fail for want of memory: the metatable is there, see `prepare`.
        let _ = stack.push_host(Carried::error(error));
    }
}

/// Pushes an error as a text, by which it is found again: see [`RuntimeError::cause`](crate::RuntimeError::cause).
fn push_text(stack: Stack<'_>, text: Vec<u8>, error: Error) -> crate::Result<()> {
    stack.push_bytes(&text)?;
    // One of Lua code has a cause of its own, or a value, which would keep the runtime.
    if !matches!(error.bottom(), Error::Runtime(_)) {
        stack.shared().kept().remember_raised(text, error);
    }
    Ok(())
}

/// Pushes an error as an object. Of an error of Lua code that it contains, the value stays in Lua, in the object's
/// environment: an object that had a handle would keep its own runtime alive.
fn push_host_error(stack: Stack<'_>, error: Error) -> crate::Result<()> {
    let Some((error, value)) = error.without_value() else {
        return stack.push_host(Carried::error(error));
    };
    stack.reserve(4)?;
    stack.push_host(Carried::Error {
        error,
        has_value: true,
    })?;
    let object = stack.top();
    let kept = stack.push_table(1, 0).and_then(|()| {
        value.push(stack)?;
        if let Some(environment) = stack.table(object + 1) {
            environment.raw_set_index(1);
            stack.set_environment(object);
        }
        Ok(())
    });
    stack.pop_to(if kept.is_ok() { object } else { object - 1 });
    kept
}

/// Makes what is needed to raise errors, so that they can be raised when memory is short.
pub(super) fn prepare(stack: Stack<'_>) -> crate::Result<()> {
    stack.prepare_host::<Carried>()
}

/// Whether an error must arrive at the host as what it is, and so is no text in Lua.
fn is_host_error(error: &Error) -> bool {
    match error {
        Error::External(_)
        | Error::Memory
        | Error::RecursionLimit
        | Error::Timeout(_)
        | Error::Interrupted(_) => true,
        Error::BadArgument(error) => is_host_error(&error.cause),
        // As a text it would lose its traceback and its value.
        Error::Context(error) => {
            is_host_error(&error.cause) || matches!(error.cause.bottom(), Error::Runtime(_))
        }
        _ => false,
    }
}

/// Sends a panic on its way: no `pcall` may swallow it.
#[cold]
pub(super) fn raise_panic(stack: Stack<'_>, panic: Panic) -> c_int {
    // This cannot fail, see `prepare`.
    let _ = stack.push_host(Carried::Panic(Mutex::new(Some(panic))));
    stack.shared().stop_with_top(stack);
    sys::LUPA_RAISE
}

/// What Lua code cannot look into, as a Lua value: an error or a panic of the host on its way. `tostring` gives the error's message.
enum Carried {
    Error {
        error: Error,
        /// The value of an error of Lua code is in the environment.
        has_value: bool,
    },
    Panic(Mutex<Option<Panic>>),
}

impl Carried {
    fn error(error: Error) -> Self {
        Carried::Error {
            error,
            has_value: false,
        }
    }
}

impl HostObject for Carried {
    const NAME: &'static str = "host error";
    const OPERATIONS: &'static [Operation] = &[Operation::ToString];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> crate::Result<()> {
        match self {
            Carried::Error { error, .. } => call.push(error.text()),
            Carried::Panic(_) => call.push("panic in a host function"),
        }
    }
}

pub(super) fn take_panic(stack: Stack<'_>, index: c_int) -> Option<Panic> {
    match &*stack.host_object::<Carried>(index)? {
        Carried::Panic(panic) => panic.lock().unwrap_or_else(PoisonError::into_inner).take(),
        Carried::Error { .. } => None,
    }
}

/// Whether a value stands for an error of the host.
pub(crate) fn is_error_object(stack: Stack<'_>, index: c_int) -> bool {
    let object = stack.host_object::<Carried>(index);
    object.is_some_and(|object| matches!(*object, Carried::Error { .. }))
}

/// The error of the host that a value stands for.
pub(crate) fn external_error(stack: Stack<'_>, index: c_int) -> Option<Error> {
    let (error, has_value) = match &*stack.host_object::<Carried>(index)? {
        Carried::Error { error, has_value } => (error.clone(), *has_value),
        Carried::Panic(_) => return None,
    };
    if !has_value || stack.reserve(4).is_err() {
        return Some(error);
    }
    let top = stack.top();
    stack.push_environment(index);
    let value = stack.table(top + 1).and_then(|environment| {
        environment.raw_get_index(1);
        Value::from_stack(stack, stack.top()).ok()
    });
    stack.pop_to(top);
    Some(error.with_value(value))
}

/// Whether the runtime of a stack is `shared`.
pub(crate) fn same_runtime(stack: Stack<'_>, shared: &Shared) -> bool {
    std::ptr::eq(stack.shared(), shared)
}
