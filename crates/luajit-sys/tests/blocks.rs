//! Large blocks of memory are used again (`shim/blocks.c`).

use luajit_sys::*;
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::{Mutex, MutexGuard, PoisonError};

const MIB: usize = 1 << 20;

/// What is kept belongs to the process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

struct State(*mut lua_State);

impl State {
    fn new() -> State {
        // SAFETY: a new state, closed as it has to be.
        unsafe {
            let l = luaL_newstate();
            assert!(!l.is_null());
            State(l)
        }
    }

    /// Calls its allocator.
    fn allocate(&self, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
        let mut data = null_mut();
        // SAFETY: the tests pass what they were given.
        unsafe { lua_getallocf(self.0, &mut data)(data, block, old, new) }
    }

    fn new_blocks(&self, count: usize, size: usize) -> Vec<*mut c_void> {
        let blocks = (0..count).map(|_| self.allocate(null_mut(), 0, size));
        let blocks: Vec<_> = blocks.collect();
        assert!(blocks.iter().all(|block| !block.is_null()));
        blocks
    }

    fn free(&self, blocks: &[*mut c_void], size: usize) {
        for block in blocks {
            assert!(self.allocate(*block, size, 0).is_null());
        }
    }

    /// Has nothing kept.
    fn alone() -> (MutexGuard<'static, ()>, State) {
        let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let state = State::new();
        state.exhaust();
        (guard, state)
    }

    /// Asks for more than any system has.
    fn exhaust(&self) {
        assert!(self.allocate(null_mut(), 0, 1 << 62).is_null());
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: live, and used no more.
        unsafe { lupa_close(self.0) };
    }
}

/// Resident pages of the address range of a block, from its second one to the one before its last.
#[cfg(target_os = "linux")]
fn is_resident(block: *mut c_void, size: usize) -> bool {
    let page = 4096;
    let first = (block as usize).next_multiple_of(page);
    let mut pages = vec![0u8; size / page - 2];
    // SAFETY: the kernel only looks at the range, and writes a byte for each page.
    unsafe { libc::mincore(first as *mut c_void, pages.len() * page, pages.as_mut_ptr()) == 0 }
}

/// How many blocks of a MiB are kept, of those that are freed in the child of a fork.
#[cfg(target_os = "linux")]
fn kept_in_a_fork(state: &State) -> c_int {
    // SAFETY: the child uses nothing that another thread of the parent may have locked: the allocator of a state of its own, and the kernel.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            lupa_after_fork();
            let mut data = null_mut();
            let allocate = lua_getallocf(state.0, &mut data);
            allocate(data, null_mut(), 0, 1 << 62);
            let mut blocks = [null_mut(); 20];
            for block in &mut blocks {
                *block = allocate(data, null_mut(), 0, MIB);
            }
            for block in &blocks {
                allocate(data, *block, MIB, 0);
            }
            let is_kept = |block: *mut c_void| {
                let mut page = 0;
                let second = block.addr().next_multiple_of(4096);
                libc::mincore(
                    std::ptr::without_provenance_mut(second),
                    4096,
                    &raw mut page,
                ) == 0
            };
            libc::_exit(
                blocks
                    .iter()
                    .map(|block| c_int::from(is_kept(*block)))
                    .sum(),
            );
        }
        let mut status = -1;
        libc::waitpid(child, &raw mut status, 0);
        assert!(libc::WIFEXITED(status));
        libc::WEXITSTATUS(status)
    }
}

// Breaks if the child takes over what another thread had counted and not yet put into its place.
#[cfg(target_os = "linux")]
#[test]
fn a_fork_keeps_as_many_as_before() {
    let (_alone, state) = State::alone();
    let before = kept_in_a_fork(&state);
    assert!(before >= 14);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let state = State::new();
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    let blocks = state.new_blocks(1, 3 * MIB);
                    state.free(&blocks, 3 * MIB);
                }
            });
        }
        let fewest = (0..500).map(|_| kept_in_a_fork(&state)).min();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(fewest, Some(before));
    });
}

#[test]
fn a_freed_block_is_the_next_one() {
    let (_alone, state) = State::alone();
    for size in [256 * 1024, MIB, 3 * MIB] {
        state.exhaust();
        let block = state.allocate(null_mut(), 0, size);
        state.free(&[block], size);
        let other = State::new(); // of whichever state
        let next = other.allocate(null_mut(), 0, size * 3 / 4);
        assert_eq!(next, block, "{size}");
        other.free(&[next], size * 3 / 4);
        // Not for what is much smaller, or larger.
        for unlike in [size * 3, size / 3] {
            let next = state.allocate(null_mut(), 0, unlike);
            assert_ne!(next, block, "{size} {unlike}");
            state.free(&[next], unlike);
        }
    }
}

#[test]
fn a_block_that_grows_keeps_what_is_in_it() {
    let (_alone, state) = State::alone();
    for turn in 0..2 {
        if turn == 1 {
            // A second time in blocks that are kept, full of other bytes.
            let sizes = [140_000, 220_000, 330_000, 500_000, MIB, 3 * MIB];
            let blocks = sizes.map(|size| state.allocate(null_mut(), 0, size));
            for (block, size) in blocks.into_iter().zip(sizes) {
                // SAFETY: all of the block.
                unsafe { block.cast::<u8>().write_bytes(0xee, size) };
                state.free(&[block], size);
            }
        }
        let bytes = |from, to: usize| {
            (from..to)
                .step_by(511)
                .map(move |at: usize| (at, (at / 511) as u8 ^ (turn * 0x55)))
        };
        let fill = |block: *mut c_void, from, to| {
            for (at, byte) in bytes(from, to) {
                // SAFETY: within the block.
                unsafe { block.cast::<u8>().add(at).write(byte) };
            }
        };
        let check = |block: *mut c_void, to| {
            for (at, byte) in bytes(0, to) {
                // SAFETY: within the block.
                assert_eq!(unsafe { block.cast::<u8>().add(at).read() }, byte, "{to}");
            }
        };
        let mut size = 1022;
        let mut block = state.allocate(null_mut(), 0, size);
        fill(block, 0, size);
        while size < 6 * MIB {
            let larger = size * 3 / 2 / 511 * 511;
            block = state.allocate(block, size, larger);
            check(block, size);
            fill(block, size, larger);
            size = larger;
        }
        for smaller in [200_000, 5000] {
            block = state.allocate(block, size, smaller);
            check(block, smaller);
            size = smaller;
        }
        state.free(&[block], size);
    }
}

/// Sixteen MiB, and no block above four.
#[cfg(target_os = "linux")]
#[test]
fn little_is_kept() {
    let (_alone, state) = State::alone();
    let mapped = |blocks: &[*mut c_void], size| {
        let mapped = blocks.iter().filter(|block| is_resident(**block, size));
        mapped.count()
    };
    for (size, at_most) in [(MIB, 15), (128 * 1024, 32), (3 * MIB, 5), (5 * MIB, 0)] {
        let blocks = state.new_blocks(50, size);
        assert_eq!(mapped(&blocks, size), 50);
        state.free(&blocks, size);
        assert_eq!(mapped(&blocks, size), at_most, "{size}");
        state.exhaust();
    }
    // What is of no use gives way to what is freed later.
    let blocks = state.new_blocks(15, MIB);
    state.free(&blocks, MIB);
    assert!(mapped(&blocks, MIB) >= 13);
}

/// Memory that the system refuses is given back to it first.
#[cfg(target_os = "linux")]
#[test]
fn what_is_kept_is_not_missing_elsewhere() {
    let (_alone, state) = State::alone();
    let blocks = state.new_blocks(10, MIB);
    state.free(&blocks, MIB);
    assert!(blocks.iter().any(|block| is_resident(*block, MIB)));
    state.exhaust();
    assert!(!blocks.iter().any(|block| is_resident(*block, MIB)));
}

#[test]
fn threads_get_blocks_of_their_own() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for thread in 0..8u8 {
            scope.spawn(move || {
                let state = State::new();
                let mut blocks: Vec<(*mut c_void, usize)> = Vec::new();
                for turn in 0..4000usize {
                    let size = 130_000 + (turn * 7919 + usize::from(thread) * 104_729) % 400_000;
                    let block = state.allocate(null_mut(), 0, size);
                    assert!(!block.is_null());
                    // SAFETY: within the block, at both of its ends.
                    unsafe {
                        block.cast::<u8>().write(thread);
                        block.cast::<u8>().add(size - 1).write(thread);
                    }
                    blocks.push((block, size));
                    if blocks.len() > turn % 5 {
                        let (block, size) = blocks.swap_remove(turn % blocks.len());
                        // SAFETY: as above.
                        let ends = unsafe {
                            let first = block.cast::<u8>();
                            (first.read(), first.add(size - 1).read())
                        };
                        assert_eq!(ends, (thread, thread));
                        state.free(&[block], size);
                    }
                }
                for (block, size) in blocks {
                    state.free(&[block], size);
                }
            });
        }
    });
}

/// A state whose blocks are kept is closed like any other, in builds with LuaJIT's assertions, too.
#[test]
fn states_with_large_blocks_are_closed() {
    let (_alone, _state) = State::alone();
    for _ in 0..50 {
        let state = State::new();
        // SAFETY: live, with room on the stack.
        unsafe {
            lua_createtable(state.0, 100_000, 0);
            let text = vec![b'x'; MIB];
            lua_pushlstring(state.0, text.as_ptr().cast(), text.len());
            assert_eq!(lua_objlen(state.0, -1), MIB);
            assert_eq!(lua_gc(state.0, LUA_GCCOLLECT, 0), 0 as c_int);
        }
    }
}
