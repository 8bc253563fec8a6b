//! Registry slots: where Lua values live that Rust holds.
//!
//! Slots are negative integer keys of the registry, which neither `luaL_ref`
//! nor binary modules use. A released slot goes on a free list; one that is
//! released while another thread runs the state waits on a pending list.
//!
//! Lua code with the debug library can write to the registry, so what is read
//! from a slot is checked before it is trusted.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// A key of the registry.
pub(crate) type SlotKey = c_int;

/// Where the message handler of the shim leaves its traceback.
pub(crate) const TRACEBACK: SlotKey = super::sys::LUPA_KEY_TRACEBACK;
/// The message handler.
pub(crate) const HANDLER: SlotKey = -2;
/// Protected entries of the shim. Lua code may call these with any arguments.
pub(crate) const INDEX: SlotKey = -3;
pub(crate) const NEWINDEX: SlotKey = -4;
pub(crate) const NEXT: SlotKey = -5;
pub(crate) const EQUAL: SlotKey = -6;
pub(crate) const LESS_THAN: SlotKey = -7;
pub(crate) const LEN: SlotKey = -8;
pub(crate) const TOSTRING: SlotKey = -9;
/// Weak table from the identity of a host object to its userdata.
pub(crate) const IDENTITY: SlotKey = -10;
/// Error value that no `pcall` may swallow, while one is on its way (one more, in a run nested
/// in that, has a slot of its own).
pub(crate) const STOP: SlotKey = -11;
/// Metatable of the payloads of host functions.
pub(crate) const FUNCTION_META: SlotKey = -12;
/// The function that raises an error in a coroutine; see `guards.lua`.
pub(crate) const THROWER: SlotKey = -13;

const FIRST_FREE: SlotKey = -32;
/// A table's hash part holds at most 2^26 nodes in LuaJIT (`LJ_MAX_HBITS`); stay below.
const LAST: SlotKey = -(1 << 25);

pub(crate) struct Slots {
    list: RefCell<List>,
    pending: Mutex<Vec<SlotKey>>,
    has_pending: AtomicBool,
}

struct List {
    free: Vec<SlotKey>,
    next: SlotKey,
}

impl Slots {
    pub(crate) fn new() -> Self {
        Slots {
            list: RefCell::new(List {
                free: Vec::new(),
                next: FIRST_FREE,
            }),
            pending: Mutex::new(Vec::new()),
            has_pending: AtomicBool::new(false),
        }
    }

    /// A slot that nobody uses, or `None` when there are no more.
    #[inline]
    pub(crate) fn acquire(&self) -> Option<SlotKey> {
        let mut list = self.list.borrow_mut();
        if let Some(key) = list.free.pop() {
            return Some(key);
        }
        let key = list.next;
        if key < LAST {
            return None;
        }
        list.next = key - 1;
        Some(key)
    }

    /// Puts a slot back; the caller has cleared it.
    #[inline]
    pub(crate) fn release(&self, key: SlotKey) {
        self.list.borrow_mut().free.push(key);
    }

    /// Number of slots in use.
    pub(crate) fn in_use(&self) -> usize {
        let list = self.list.borrow();
        (FIRST_FREE - list.next) as usize - list.free.len()
    }

    /// Notes a slot for release by whoever holds the lock next. Needs no lock.
    pub(crate) fn release_later(&self, key: SlotKey) {
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(key);
        self.has_pending.store(true, Ordering::Release);
    }

    #[inline]
    pub(crate) fn has_pending(&self) -> bool {
        self.has_pending.load(Ordering::Relaxed)
    }

    pub(crate) fn take_pending(&self) -> Vec<SlotKey> {
        self.has_pending.store(false, Ordering::Relaxed);
        std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
