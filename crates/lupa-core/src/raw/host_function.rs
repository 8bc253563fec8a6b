//! Functions of the host as Lua values.
//!
//! What a function captures is in its upvalues, or in a userdata that is its only one: its payload.

use super::shared::Shared;
use super::slots;
use super::stack::Stack;
use super::sys::{self, inline, inline::TValue};
use super::userdata::{
    Block, Borrow, HostRef, Methods, MethodsOf, mark_of_function, payload, verify_function,
};
use crate::host::HostObject;
use std::any::TypeId;
use std::ffi::{c_int, c_void};
use std::mem::needs_drop;

/// Whether host functions of this type need no userdata: what they capture, if anything, fits into an upvalue, of which four bytes
/// may be anything. The other upvalues are the addresses of their methods and of their runtime.
pub(super) const fn is_plain<T>() -> bool {
    size_of::<T>() <= 4 && align_of::<T>() <= 4 && !needs_drop::<T>()
}

/// What is behind a host function.
pub(super) struct Function {
    pub(super) methods: &'static Methods,
    pub(super) shared: *const Shared,
    /// The payload of a plain function, the header of another one.
    pub(super) data: *mut c_void,
}

impl Function {
    /// What is behind a function of the host; `None` if it is dead.
    ///
    /// # Safety
    /// The value is a function made by [`Stack::push_function`], and alive, and this thread has the lock of its state.
    #[inline]
    pub(super) unsafe fn behind(function: TValue) -> Option<Function> {
        // SAFETY: by the caller: its upvalues are those it was made with, since the debug library cannot change them.
        unsafe {
            let (upvalues, count) = inline::upvalues(function);
            if count > 1 {
                // Without a third one the payload has no size, so that it is where one likes.
                return Some(Function {
                    methods: &*(*upvalues).address().cast(),
                    shared: (*upvalues.add(1)).address().cast(),
                    data: upvalues.add(2).cast(),
                });
            }
            let header = verify_function(*upvalues)?;
            Some(Function {
                methods: (*header).methods,
                shared: (*header).shared,
                data: header.cast(),
            })
        }
    }
}

impl<'s> Stack<'s> {
    /// Pushes a function that calls `object`'s [`Operation::Call`].
    pub(crate) fn push_function<T: HostObject>(self, object: T) {
        if const { is_plain::<T>() } {
            let methods = std::ptr::from_ref(MethodsOf::<T>::OF_FUNCTIONS).cast();
            let shared = std::ptr::from_ref(self.shared).cast();
            let (methods, shared) = (TValue::of_address(methods), TValue::of_address(shared));
            let has_payload = const { size_of::<T>() > 0 };
            // SAFETY: live and locked; a slot is reserved. The place has four bytes and is aligned so.
            unsafe {
                let (first, second) = (methods.bits(), shared.bits());
                let place = sys::lupa_new_plain_function(self.l, first, second, has_payload.into());
                if has_payload {
                    place.cast::<T>().write(object);
                } else {
                    std::mem::forget(object);
                }
            }
            return;
        }
        // SAFETY: live and locked; a slot is reserved; the size is far below LuaJIT's limit.
        unsafe {
            let block = sys::lupa_new_function(self.l, size_of::<Block<T>>()).cast();
            self.fill(
                block,
                object,
                mark_of_function,
                MethodsOf::<T>::OF_FUNCTIONS,
            );
            // For its finalizer, which costs more than all the rest.
            if needs_drop::<T>() {
                self.set_metatable_of_block(block, slots::FUNCTION_META);
            }
        }
    }

    /// Whether the value in a slot is a host function.
    pub(crate) fn is_host_function(self, index: c_int) -> bool {
        // SAFETY: live and locked; a positive index.
        let code = unsafe { sys::lua_tocfunction(self.l, index) };
        // SAFETY: the event is in range.
        let ours = unsafe { sys::lupa_trampoline(sys::LUPA_FUNCTION) };
        code.is_some_and(|code| std::ptr::fn_addr_eq(code, ours))
    }

    /// The payload of type `T` of a host function in a slot.
    pub(crate) fn function_payload<T: HostObject>(self, index: c_int) -> Option<HostRef<'s, T>> {
        // SAFETY: live and locked; the function in its slot keeps its upvalues. The type is compared before the payload is looked at.
        unsafe {
            if !self.is_host_function(index) {
                return None;
            }
            let function = Function::behind(self.value(index)?)?;
            if (function.methods.type_id)() != TypeId::of::<T>() {
                return None;
            }
            Some(if const { is_plain::<T>() } {
                HostRef {
                    object: &*function.data.cast(),
                    _borrow: None,
                }
            } else {
                let header = function.data.cast();
                HostRef {
                    object: &*payload(header).cast(),
                    _borrow: Some(Borrow::new(header)),
                }
            })
        }
    }
}
