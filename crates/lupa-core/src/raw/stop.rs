//! Errors that Lua code cannot catch.
//!
//! Some errors must reach the host whatever Lua code does: a Rust panic, or an
//! exception such as Python's `KeyboardInterrupt`. When one is raised, its value
//! is kept in the registry and a count hook is armed, so that the first Lua
//! instruction after a `pcall` that swallowed it raises it again. The call that the host
//! made delivers it and disarms the hook.

use super::shared::Shared;
use super::slots;
use super::stack::Stack;
use super::sys;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::c_int;
use std::sync::{Mutex, PoisonError};

/// The runtimes of this process by the address of their registry table. A hook gets
/// nothing but a `lua_State`, and nothing that Lua code can reach may tell whose it is.
static RUNTIMES: Mutex<BTreeMap<usize, usize>> = Mutex::new(BTreeMap::new());

/// # Safety
/// `l` is live and `shared` stays where it is until [`unregister`].
pub(super) unsafe fn register(l: *mut sys::lua_State, shared: &Shared) {
    let shared = std::ptr::from_ref(shared) as usize;
    RUNTIMES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(registry_address(l), shared);
}

pub(super) fn unregister(l: *mut sys::lua_State) {
    RUNTIMES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&registry_address(l));
}

fn registry_address(l: *mut sys::lua_State) -> usize {
    // SAFETY: `l` is live; a pseudo-index can always be read.
    unsafe { sys::lua_topointer(l, sys::LUA_REGISTRYINDEX) as usize }
}

/// A hook as LuaJIT keeps it: function, mask and count.
type Hook = (Option<sys::lua_Hook>, c_int, c_int);

pub(crate) struct Stop {
    /// Depth of the run in which the error was raised; 0 for none.
    raised_at: Cell<u32>,
    /// Lua code's own hook, put back on disarming.
    replaced: Cell<Option<Hook>>,
}

impl Stop {
    pub(super) fn new() -> Self {
        Stop {
            raised_at: Cell::new(0),
            replaced: Cell::new(None),
        }
    }

    #[inline]
    pub(super) fn is_pending(&self) -> bool {
        self.raised_at.get() != 0
    }

    fn arm(&self, l: *mut sys::lua_State) {
        // SAFETY: `l` is live and this is the thread that runs it.
        unsafe {
            if self.replaced.get().is_none() {
                let own = (
                    sys::lua_gethook(l),
                    sys::lua_gethookmask(l),
                    sys::lua_gethookcount(l),
                );
                self.replaced.set(Some(own));
            }
            sys::lua_sethook(l, Some(sys::lupa_hook), sys::LUA_MASKCOUNT, 1);
        }
    }

    fn disarm(&self, l: *mut sys::lua_State) {
        if let Some((hook, mask, count)) = self.replaced.take() {
            // SAFETY: as in `arm`; the hook is the one that was set before.
            unsafe { sys::lua_sethook(l, hook, mask, count) };
        }
    }

    /// Disarms the hook for a nested run; whether there was anything to disarm.
    #[inline]
    pub(super) fn set_aside(&self, l: *mut sys::lua_State) -> bool {
        let pending = self.is_pending();
        if pending {
            self.disarm(l);
        }
        pending
    }

    pub(super) fn resume(&self, l: *mut sys::lua_State) {
        if self.is_pending() {
            self.arm(l);
        }
    }
}

impl Shared {
    /// Makes the error value on top of the stack one that Lua code cannot catch.
    pub(crate) fn stop_with_top(&self, stack: Stack<'_>) {
        let depth = self.depth.get();
        if depth == 0 {
            return;
        }
        stack.push_copy(stack.top());
        // SAFETY: live and locked; the key exists since the start, so nothing is allocated.
        unsafe { sys::lua_rawseti(stack.l, sys::LUA_REGISTRYINDEX, slots::STOP) };
        self.stop.raised_at.set(depth);
        self.stop.arm(stack.l);
    }

    /// At the end of a run: whether an uncatchable error was raised in it.
    pub(super) fn stop_is_due(&self) -> bool {
        // The run has ended, so its own depth is one more than the current one.
        self.stop.raised_at.get() == self.depth.get() + 1
    }

    /// Pushes the uncatchable error if one is due. Needs two slots.
    pub(super) fn take_stop(&self, stack: Stack<'_>) -> bool {
        if !self.stop_is_due() {
            return false;
        }
        self.stop.raised_at.set(0);
        self.stop.disarm(stack.l);
        stack.push_slot(slots::STOP);
        stack.push_nil();
        // SAFETY: as in `stop_with_top`.
        unsafe { sys::lua_rawseti(stack.l, sys::LUA_REGISTRYINDEX, slots::STOP) };
        true
    }
}

/// The shim's hook asks whether to raise: yes, if an uncatchable error is on its way.
pub(super) unsafe extern "C" fn hook_entry(l: *mut sys::lua_State) -> c_int {
    let address = RUNTIMES
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&registry_address(l))
        .copied();
    let Some(address) = address else { return 0 };
    // SAFETY: registered runtimes are alive (`unregister` comes before the end), and this
    // thread runs the state, so it holds the lock.
    let shared = unsafe { &*(address as *const Shared) };
    if !shared.stop.is_pending() {
        return 0;
    }
    Stack::new(shared, l).push_slot(slots::STOP);
    sys::LUPA_RAISE
}
