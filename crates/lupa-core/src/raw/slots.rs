//! Slots: where Lua values live that Rust holds.
//!
//! Slots are keys of a table of anchors (see `lupa_set_anchor` in the shim), which Lua code cannot reach, not even
//! with the debug library. A released slot goes on a free list; one that is
//! released while another thread runs the state waits on a pending list.

use super::sys::inline::{TValue, Table};
use std::cell::Cell;
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
    /// The free slot that was released last; 0 for none. Its place in the anchors holds the [`link`] to the one before, as
    /// `luaL_unref` does it.
    free: Cell<SlotKey>,
    /// The first slot that was never in use.
    next: Cell<SlotKey>,
    in_use: Cell<u32>,
    pending: Mutex<Vec<SlotKey>>,
    has_pending: AtomicBool,
}

/// A slot's key as a number of Lua: that of these bits, since to convert it would take longer than all the rest.
fn link(key: SlotKey) -> TValue {
    TValue::of_address(std::ptr::without_provenance(key as usize))
}

fn linked(link: TValue) -> SlotKey {
    link.bits() as SlotKey
}

impl Slots {
    pub(crate) fn new() -> Self {
        Slots {
            free: Cell::new(0),
            next: Cell::new(FIRST_FREE),
            in_use: Cell::new(0),
            pending: Mutex::new(Vec::new()),
            has_pending: AtomicBool::new(false),
        }
    }

    /// A slot that nobody uses, or `None` when there are no more. A new one's place may have to be made.
    ///
    /// # Safety
    /// The anchors are live, and the runtime's lock is held.
    #[inline]
    pub(super) unsafe fn acquire(&self, anchors: Table) -> Option<SlotKey> {
        let mut key = self.free.get();
        // SAFETY: by the caller; the place is read at once.
        let place = unsafe { anchors.array_slot(key) };
        match place {
            // SAFETY: as above.
            Some(place) if key != 0 => self.free.set(linked(unsafe { *place })),
            _ => {
                key = self.next.get();
                if key > LAST {
                    return None;
                }
                self.next.set(key + 1);
            }
        }
        self.in_use.set(self.in_use.get() + 1);
        Some(key)
    }

    /// Puts a slot back, and lets go of what it holds.
    ///
    /// # Safety
    /// The anchors are live, the runtime's lock is held, and the slot is in use: `acquire` has given it, and a value was
    /// stored there.
    #[inline]
    pub(super) unsafe fn release(&self, key: SlotKey, anchors: Table) {
        // SAFETY: by the caller; the place is written at once. A number needs no barrier.
        unsafe {
            if let Some(place) = anchors.array_slot(key) {
                *place = link(self.free.replace(key));
                self.in_use.set(self.in_use.get() - 1);
            }
        }
    }

    /// Number of slots in use.
    pub(crate) fn in_use(&self) -> usize {
        self.in_use.get() as usize
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
