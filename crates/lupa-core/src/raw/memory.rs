//! The memory limit: a wrapper around LuaJIT's own allocator.
//!
//! LuaJIT turns a refusal into an error, which only a protected call catches. So the limit is enforced
//! while Lua code runs, and what the API itself pushes is let through and counted: a push never raises.
//!
//! The system may refuse memory as well. Where that meets a push, a reserve takes its place, and what is
//! asked for next gives `Error::Memory` until there is a reserve again. Large strings and tables
//! are made by a protected call, since no reserve would do. What is left (a table of the host's that
//! grows beyond the reserve entry by entry, with no memory left at that very moment) ends the process,
//! as it does in Rust's own collections.
//!
//! A runtime without a limit has no wrapper: it costs up to a tenth of the time of code that does nothing
//! but allocate. To make a runtime takes less than the [`FIRST_SEGMENT`], which LuaJIT's allocator has from the
//! system before there is a state, so no push fails there.

use super::stack::Stack;
use super::sys;
use crate::error::{Error, Result};
use std::alloc::{Layout, handle_alloc_error};
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct Memory {
    original: Cell<sys::lua_Alloc>,
    original_data: Cell<*mut c_void>,
    installed: Cell<bool>,
    /// Bytes in use, counted from the moment the wrapper was installed.
    used: Cell<usize>,
    /// In bytes; `usize::MAX` for none. Atomic, since it may be read without the lock.
    limit: AtomicUsize,
    enforce: Cell<bool>,
    /// Memory was refused since the last full collection.
    refused: Cell<bool>,
    /// LuaJIT's compiler has what it must not be refused.
    pub(super) compiler_is_prepared: Cell<bool>,
    /// A block of [`RESERVE`] bytes that is never touched; null once it was needed.
    reserve: Cell<*mut c_void>,
    /// There is a limit, or no reserve, or memory was refused: who pushes or runs Lua code has to ask.
    limited: Cell<bool>,
    state: Cell<*mut sys::lua_State>,
    /// Bytes that were allocated since the collector was last told to go on.
    unpressed: Cell<usize>,
}

/// How much is allocated between two reminders to the collector, once half the limit is
/// used.
const REMINDER: usize = 64 * 1024;

/// What is kept for pushes that find no memory. More than the largest Lua stack, which
/// `lua_checkstack` may need in one piece. It costs address space alone: LuaJIT maps such a
/// block by itself, and nobody touches it.
pub(super) const RESERVE: usize = 1024 * 1024;

/// What LuaJIT's allocator maps for a new state (`DEFAULT_GRANULARITY` in `lj_alloc.c`).
#[cfg(test)]
const FIRST_SEGMENT: usize = 128 * 1024;

/// Strings and tables from this size on are made by a protected call.
const LARGE: usize = 64 * 1024;

/// Longest string LuaJIT makes (`LJ_MAX_STR`).
const MAX_STRING: usize = 0x7fff_ff00;

impl Memory {
    pub(crate) fn new() -> Self {
        Memory {
            original: Cell::new(no_memory),
            original_data: Cell::new(null_mut()),
            installed: Cell::new(false),
            used: Cell::new(0),
            limit: AtomicUsize::new(usize::MAX),
            enforce: Cell::new(false),
            refused: Cell::new(false),
            compiler_is_prepared: Cell::new(false),
            reserve: Cell::new(null_mut()),
            limited: Cell::new(false),
            state: Cell::new(null_mut()),
            unpressed: Cell::new(0),
        }
    }

    /// Bytes in use, if the wrapper counts them.
    pub(crate) fn used(&self) -> Option<usize> {
        self.installed.get().then(|| self.used.get())
    }

    #[inline]
    pub(crate) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    /// Sets the limit. Only with the lock held, and with the wrapper installed.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Ordering::Relaxed);
        self.update();
    }

    fn update(&self) {
        let short = self.installed.get() && self.reserve.get().is_null();
        self.limited
            .set(short || self.refused.get() || self.limit() != usize::MAX);
    }

    fn set_refused(&self, refused: bool) {
        self.refused.set(refused);
        self.update();
    }

    /// Switches enforcement and gives the former setting.
    #[inline]
    pub(crate) fn enforce(&self, on: bool) -> bool {
        self.enforce.replace(on)
    }

    /// Whether a push of `more` bytes has to be refused: it would break the limit, or the
    /// system has no memory left.
    #[inline]
    pub(crate) fn would_exceed(&self, more: usize) -> bool {
        self.limited.get() && (self.reserve.get().is_null() || self.breaks_limit(more))
    }

    #[inline]
    fn breaks_limit(&self, more: usize) -> bool {
        self.used.get().saturating_add(more) > self.limit()
    }

    /// Whether the state should be collected before more is asked of it: the limit is broken, or
    /// memory was refused since the last time, so what is in use is mostly garbage.
    #[inline]
    pub(crate) fn wants_collection(&self) -> bool {
        self.limited.get() && (self.refused.get() || self.would_exceed(0))
    }

    /// Notes a full collection, after which there may be memory for the reserve.
    pub(crate) fn collected(&self) {
        self.set_refused(false);
        if self.installed.get() && self.reserve.get().is_null() {
            self.allocate_reserve();
        }
    }

    fn allocate_reserve(&self) {
        // SAFETY: the pair was read from the state by `install`; a new block is asked for.
        let block =
            unsafe { self.original.get()(self.original_data.get(), null_mut(), 0, RESERVE) };
        self.reserve.set(block);
        self.update();
    }

    /// Gives the reserve back to the allocator; whether there was one.
    fn free_reserve(&self) -> bool {
        let block = self.reserve.replace(null_mut());
        self.update();
        if block.is_null() {
            return false;
        }
        // SAFETY: the block came from this pair, has this size, and is forgotten.
        unsafe { self.original.get()(self.original_data.get(), block, RESERVE, 0) };
        true
    }

    /// Puts the wrapper before the allocator of a state.
    ///
    /// # Errors
    /// `Error::Memory` if there is not even a reserve.
    ///
    /// # Safety
    /// `l` is the main state, live, and its lock is held; `self` stays where it is until
    /// [`Memory::uninstall`] or the end of the state.
    pub(crate) unsafe fn install(&self, l: *mut sys::lua_State) -> Result<()> {
        if !self.installed.replace(true) {
            let mut data = null_mut();
            // SAFETY: `l` is live. None of these functions allocates or collects.
            unsafe {
                self.original.set(sys::lua_getallocf(l, &mut data));
                self.original_data.set(data);
                self.state.set(l);
                let kib = sys::lua_gc(l, sys::LUA_GCCOUNT, 0) as usize;
                let bytes = sys::lua_gc(l, sys::LUA_GCCOUNTB, 0) as usize;
                self.used.set(kib * 1024 + bytes);
                sys::lua_setallocf(l, allocate, std::ptr::from_ref(self).cast_mut().cast());
            }
        }
        if self.reserve.get().is_null() {
            self.allocate_reserve();
        }
        if self.reserve.get().is_null() {
            return Err(Error::Memory);
        }
        Ok(())
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
        if self.installed.replace(false) {
            self.free_reserve();
            self.set_refused(false);
            // SAFETY: the pair was read from this very state.
            unsafe { sys::lua_setallocf(l, self.original.get(), self.original_data.get()) };
        }
    }

    /// Refuses memory while Lua code runs.
    #[cold]
    fn refuse(&self) -> *mut c_void {
        self.set_refused(true);
        // SAFETY: called by the allocator, so the state is live and this thread runs it.
        unsafe { sys::lupa_before_memory_error(self.state.get()) };
        null_mut()
    }

    /// The system has refused a block: an error while Lua code runs, else the reserve's turn.
    #[cold]
    fn exhausted(&self, ptr: *mut c_void, old: usize, new: usize) -> *mut c_void {
        if self.enforce.get() {
            return self.refuse();
        }
        self.set_refused(true);
        if new <= old {
            return ptr; // it is large enough
        }
        if self.free_reserve() {
            // SAFETY: the request that was refused, once more.
            let block = unsafe { self.original.get()(self.original_data.get(), ptr, old, new) };
            if !block.is_null() {
                return block;
            }
        }
        // An error would pass through Rust frames.
        handle_alloc_error(Layout::from_size_align(new, 8).unwrap_or(Layout::new::<u64>()))
    }
}

/// Makes a state; null if there is no memory for it.
pub(super) fn new_state() -> *mut sys::lua_State {
    #[cfg(feature = "fault-injection")]
    if super::faults::are_on() {
        // SAFETY: the function is an allocator as Lua wants it, and needs no data.
        return unsafe { sys::lua_newstate(super::faults::allocate, null_mut()) };
    }
    // SAFETY: luaL_newstate needs nothing.
    unsafe { sys::luaL_newstate() }
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
    if new > old && memory.enforce.get() {
        if memory.breaks_limit(new - old) {
            return memory.refuse();
        }
        memory
            .unpressed
            .set(memory.unpressed.get().saturating_add(new - old));
        if memory.unpressed.get() > REMINDER && memory.used.get() > memory.limit() / 2 {
            memory.press();
        }
    }
    // SAFETY: the arguments are LuaJIT's own, handed on unchanged.
    let mut block = unsafe { memory.original.get()(memory.original_data.get(), ptr, old, new) };
    if block.is_null() && new != 0 {
        block = memory.exhausted(ptr, old, new);
    }
    if !block.is_null() || new == 0 {
        memory
            .used
            .set(memory.used.get().wrapping_add(new).wrapping_sub(old));
    }
    block
}

/// The allocator before there is a state.
unsafe extern "C" fn no_memory(_: *mut c_void, _: *mut c_void, _: usize, _: usize) -> *mut c_void {
    null_mut()
}

impl Stack<'_> {
    /// Whether a push of so many bytes needs a protected call.
    #[inline]
    pub(super) fn is_delicate(self, bytes: usize) -> bool {
        bytes >= LARGE || self.shared.memory.would_exceed(bytes)
    }

    /// Pushes a string by a protected call, after a collection if memory is short.
    #[cold]
    pub(super) fn push_bytes_protected(self, bytes: &[u8]) -> Result<()> {
        if bytes.len() > MAX_STRING {
            return Err(Error::Memory);
        }
        self.push_by(sys::lupa_p_string, bytes.as_ptr().cast(), bytes.len())
    }

    /// Pushes what a protected entry of the shim makes of a pointer, which it takes from the chunk that is set.
    /// Takes four slots, leaves one.
    pub(super) fn push_by(
        self,
        entry: sys::lua_CFunction,
        pointer: *const std::ffi::c_char,
        length: usize,
    ) -> Result<()> {
        let mut chunk = sys::LupaChunk {
            piece: [pointer, std::ptr::null()],
            length: [length, 0],
            next: 0,
            name: std::ptr::null(),
            mode: std::ptr::null(),
        };
        self.reserve(4)?;
        let call = self.begin_protected(entry);
        // SAFETY: the pointer is used during the call below only, after which the former chunk,
        // of a load that this one interrupts, is put back.
        let result = unsafe {
            let outer = sys::lupa_set_chunk(&mut chunk);
            let result = self.call(call, 1);
            sys::lupa_set_chunk(outer);
            result
        };
        result.map(|()| self.keep_result(call))
    }

    /// Pushes an empty table by a protected call, after a collection if memory is short.
    #[cold]
    pub(super) fn push_table_protected(self, array: usize, hash: usize) -> Result<()> {
        self.reserve(5)?;
        let call = self.begin_protected(sys::lupa_p_table);
        self.push_number(array as f64);
        self.push_number(hash as f64);
        self.call(call, 1).map(|()| self.keep_result(call))
    }
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

#[cfg(test)]
mod tests {
    use super::FIRST_SEGMENT;
    use crate::Runtime;

    #[test]
    fn a_runtime_is_made_in_the_first_segment() {
        for sandbox in [false, true] {
            let lua = Runtime::builder().sandbox(sandbox).build().unwrap();
            assert!(lua.memory_used().unwrap() < FIRST_SEGMENT * 2 / 3);
        }
    }
}
