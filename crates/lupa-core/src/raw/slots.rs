//! Slots: where Lua values live that Rust holds.
//!
//! Slots are keys of a table of anchors (see `lupa_set_anchor` in the shim), which Lua code cannot reach, not even
//! with the debug library. A released slot goes on a free list; one that is
//! released while another thread runs the state waits on a pending list.

use std::cell::RefCell;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// A key of the anchors.
pub(crate) type SlotKey = c_int;

/// The message handler.
pub(crate) const HANDLER: SlotKey = 1;
/// A protected entry of the shim that is called often.
pub(crate) const TOSTRING: SlotKey = 2;
/// Weak table from the identity of a host object to its userdata.
pub(crate) const IDENTITY: SlotKey = 3;
/// Error value that no `pcall` may swallow, while one is on its way (one more, in a run nested
/// in that, has a slot of its own).
pub(crate) const STOP: SlotKey = 4;
/// Metatable of the payloads of host functions, and of the identity table.
pub(crate) const FUNCTION_META: SlotKey = 5;
/// The function that raises an error in a coroutine; see `thrower.lua`. Until there is one, `coroutine.yield`.
pub(crate) const THROWER: SlotKey = 6;
/// `__gc` of all types.
pub(crate) const FINALIZER: SlotKey = 7;

const FIRST_FREE: SlotKey = 8;
/// Room for slots at the start.
pub(super) const ROOM: SlotKey = 24;
/// An array of a table holds at most 2^27 values in LuaJIT (`LJ_MAX_ASIZE`), and its size is
/// doubled: stay below.
const LAST: SlotKey = (1 << 26) - 1;

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
        if key > LAST {
            return None;
        }
        list.next = key + 1;
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
        (list.next - FIRST_FREE) as usize - list.free.len()
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
