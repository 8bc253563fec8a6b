//! Failing allocations, for tests: an allocator that refuses when it is told to.
//!
//! It takes the place of LuaJIT's own for the runtimes that a thread makes while faults are on ([`set_on`])
//! there, below everything in `memory`, so that what fails is what really may.

use super::memory::RESERVE;
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;

/// Which allocations of this thread fail: those that ask for more, counted from 1. What gives memory
/// back never fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// None.
    None,
    /// The one with this number.
    Only(usize),
    /// This and all later ones, until so much has been freed in one piece that a request fits
    /// into it: for the reserve.
    From(usize),
}

thread_local! {
    static ON: Cell<bool> = const { Cell::new(false) };
    static PLAN: Cell<Plan> = const { Cell::new(Plan::None) };
    static REQUESTS: Cell<usize> = const { Cell::new(0) };
    static FAILED: Cell<usize> = const { Cell::new(0) };
    static ROOM: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<usize> = const { Cell::new(0) };
}

/// Whether runtimes made by this thread can have failing allocations.
pub(super) fn are_on() -> bool {
    ON.get()
}

/// Switches failing allocations on or off for the runtimes that this thread will make; they
/// have to stay in it.
pub fn set_on(on: bool) {
    ON.set(on);
}

/// Starts counting requests at 1, of which some fail.
pub fn start(plan: Plan) {
    PLAN.set(plan);
    REQUESTS.set(0);
    FAILED.set(0);
    ROOM.set(0);
}

/// Ends a plan; gives the numbers of requests and of those that failed.
pub fn stop() -> (usize, usize) {
    PLAN.set(Plan::None);
    (REQUESTS.get(), FAILED.get())
}

/// Blocks that this thread's runtimes have allocated and not freed. Not bytes: after a failure LuaJIT
/// gives some blocks back by another size than their own.
pub fn live_blocks() -> usize {
    LIVE.get()
}

/// Whether a request for `more` bytes fails.
fn fails(more: usize) -> bool {
    let number = REQUESTS.get() + 1;
    REQUESTS.set(number);
    let due = match PLAN.get() {
        Plan::None => false,
        Plan::Only(n) => number == n,
        Plan::From(n) => number >= n,
    };
    if !due {
        return false;
    }
    if let Some(room) = ROOM.get().checked_sub(more) {
        ROOM.set(room);
        return false;
    }
    FAILED.set(FAILED.get() + 1);
    true
}

/// # Safety
/// Called by LuaJIT or for it, with a block of `old` bytes that came from here.
pub(super) unsafe extern "C" fn allocate(
    _: *mut c_void,
    ptr: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    if new > old && fails(new - old) {
        return null_mut();
    }
    if old >= RESERVE && new == 0 && matches!(PLAN.get(), Plan::From(n) if REQUESTS.get() >= n) {
        ROOM.set(ROOM.get() + old);
    }
    if new == 0 {
        if !ptr.is_null() {
            LIVE.set(LIVE.get() - 1);
        }
        // SAFETY: the block is null or came from `realloc`.
        unsafe { libc::free(ptr) };
        return null_mut();
    }
    // SAFETY: as above.
    let block = unsafe { libc::realloc(ptr, new) };
    if ptr.is_null() && !block.is_null() {
        LIVE.set(LIVE.get() + 1);
    }
    block
}
