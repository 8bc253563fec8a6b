//! The memory limit: a wrapper around LuaJIT's own allocator.
//!
//! The wrapper refuses memory only while Lua code runs, where LuaJIT turns the
//! refusal into an error that a protected call catches. What the API itself
//! pushes is let through and counted, so that a push never raises.

use super::sys;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Memory {
    original: Cell<Option<sys::lua_Alloc>>,
    original_data: Cell<*mut c_void>,
    installed: Cell<bool>,
    /// Bytes in use, counted from the moment the wrapper was installed.
    used: Cell<usize>,
    /// In bytes; `usize::MAX` for none. Atomic, since it may be read without the lock.
    limit: AtomicUsize,
    enforce: Cell<bool>,
    /// Memory was refused since the last full collection.
    refused: Cell<bool>,
    state: Cell<*mut sys::lua_State>,
    /// Bytes that were allocated since the collector was last told to go on.
    unpressed: Cell<usize>,
}

/// How much is allocated between two reminders to the collector, once half the limit is
/// used.
const REMINDER: usize = 64 * 1024;

impl Memory {
    pub(crate) fn new() -> Self {
        Memory {
            original: Cell::new(None),
            original_data: Cell::new(std::ptr::null_mut()),
            installed: Cell::new(false),
            used: Cell::new(0),
            limit: AtomicUsize::new(usize::MAX),
            enforce: Cell::new(false),
            refused: Cell::new(false),
            state: Cell::new(std::ptr::null_mut()),
            unpressed: Cell::new(0),
        }
    }

    pub(crate) fn is_installed(&self) -> bool {
        self.installed.get()
    }

    pub(crate) fn used(&self) -> usize {
        self.used.get()
    }

    #[inline]
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    /// Switches enforcement and gives the former setting.
    #[inline]
    pub(crate) fn enforce(&self, on: bool) -> bool {
        self.enforce.replace(on)
    }

    /// Whether `more` bytes would break the limit.
    #[inline]
    pub(crate) fn would_exceed(&self, more: usize) -> bool {
        let limit = self.limit();
        limit != usize::MAX && self.used.get().saturating_add(more) > limit
    }

    /// Whether the state should be collected before more is asked of it: the limit is broken, or
    /// memory was refused since the last time, so what is in use is mostly garbage.
    #[inline]
    pub(crate) fn wants_collection(&self) -> bool {
        self.refused.get() || self.would_exceed(0)
    }

    /// Notes a full collection.
    pub(crate) fn collected(&self) {
        self.refused.set(false);
    }

    /// # Safety
    /// `l` is the main state, live, and its lock is held; `self` stays where it is until
    /// [`Memory::uninstall`] or the end of the state.
    pub(crate) unsafe fn install(&self, l: *mut sys::lua_State) {
        if self.installed.replace(true) {
            return;
        }
        let mut data = std::ptr::null_mut();
        // SAFETY: `l` is live. Both functions only read or write two fields of the state.
        unsafe {
            self.original.set(Some(sys::lua_getallocf(l, &mut data)));
            self.original_data.set(data);
            self.state.set(l);
            let kib = sys::lua_gc(l, sys::LUA_GCCOUNT, 0) as usize;
            let bytes = sys::lua_gc(l, sys::LUA_GCCOUNTB, 0) as usize;
            self.used.set(kib * 1024 + bytes);
            sys::lua_setallocf(l, allocate, std::ptr::from_ref(self).cast_mut().cast());
        }
    }

    /// LuaJIT starts a cycle when memory has doubled since the last one, which may be far
    /// above the limit, and does not collect when an allocation fails. So it is told to
    /// go on with its cycle now, or to start one, while more than half the limit is used.
    #[cold]
    fn press(&self) {
        self.unpressed.set(0);
        // SAFETY: called by the allocator, so the state is live and this thread runs it. Both
        // calls touch one field of it, the threshold; a stopped collector stays so.
        unsafe {
            let l = self.state.get();
            if sys::lua_gc(l, sys::LUA_GCISRUNNING, 0) != 0 {
                sys::lua_gc(l, sys::LUA_GCRESTART, 0);
            }
        }
    }

    /// Puts LuaJIT's allocator back, as `lua_close` demands.
    ///
    /// # Safety
    /// `l` is live and its lock is held.
    pub(crate) unsafe fn uninstall(&self, l: *mut sys::lua_State) {
        if !self.installed.replace(false) {
            return;
        }
        if let Some(original) = self.original.get() {
            // SAFETY: the pair was read from this very state.
            unsafe { sys::lua_setallocf(l, original, self.original_data.get()) };
        }
    }
}

/// # Safety
/// Called by LuaJIT only, with the `Memory` that was installed.
unsafe extern "C" fn allocate(
    data: *mut c_void,
    ptr: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: `install` passed a `Memory` that outlives the state, and the state is
    // used under its lock only.
    let memory = unsafe { &*data.cast::<Memory>() };
    let grows = new > old;
    if grows && memory.enforce.get() {
        if memory.would_exceed(new - old) {
            memory.refused.set(true);
            return std::ptr::null_mut();
        }
        memory
            .unpressed
            .set(memory.unpressed.get().saturating_add(new - old));
        if memory.unpressed.get() > REMINDER && memory.used.get() > memory.limit() / 2 {
            memory.press();
        }
    }
    let Some(original) = memory.original.get() else {
        return std::ptr::null_mut();
    };
    // SAFETY: the arguments are LuaJIT's own, handed on unchanged.
    let result = unsafe { original(memory.original_data.get(), ptr, old, new) };
    if !result.is_null() || new == 0 {
        memory
            .used
            .set(memory.used.get().wrapping_add(new).wrapping_sub(old));
    }
    result
}

/// `lua_gc` option and argument; see the Lua 5.1 manual, section 3.7.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Gc {
    Collect,
    Stop,
    Restart,
    Step(c_int),
    SetPause(c_int),
    SetStepMul(c_int),
}
