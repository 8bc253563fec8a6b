//! An allocator that refuses memory when it is told to.

use crate::guarded;
use luajit_sys::*;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

thread_local! {
    static REFUSES: Cell<bool> = const { Cell::new(false) };
    static ALLOCATOR: Cell<Option<(lua_Alloc, *mut c_void)>> = const { Cell::new(None) };
}

/// LuaJIT's own, or none.
unsafe extern "C" fn allocate(
    _: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    if REFUSES.get() && new > old {
        return null_mut();
    }
    let (allocator, data) = ALLOCATOR.get().unwrap();
    // SAFETY: what LuaJIT has passed is handed on.
    unsafe { allocator(data, block, old, new) }
}

/// A state with all libraries and the guards, whose allocator this is. Only states of this thread have it, one at a time.
pub(crate) fn new_state() -> *mut lua_State {
    let l = guarded::new_state();
    // SAFETY: a new state; its allocator is asked for what it has, and is put back before it is closed.
    unsafe {
        let mut data = null_mut();
        ALLOCATOR.set(Some((lua_getallocf(l, &mut data), data)));
        lua_setallocf(l, allocate, null_mut());
    }
    l
}

/// Whether memory is refused from now on.
pub(crate) fn refuse(refuses: bool) {
    REFUSES.set(refuses);
}

/// Closes a state of [`new_state`].
///
/// # Safety
/// It is live, and used no more.
#[allow(dead_code, reason = "a test that ends the process closes nothing")]
pub(crate) unsafe fn close(l: *mut lua_State) {
    let (allocator, data) = ALLOCATOR.get().unwrap();
    // SAFETY: by the caller; the allocator is the one that the state was made with.
    unsafe {
        lua_setallocf(l, allocator, data);
        lua_close(l);
    }
}
