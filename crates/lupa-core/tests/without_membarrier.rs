//! Runtimes of a process that is not, or no more, allowed the system call by which their locks are quick.
#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod own_process;

use lupa_core::{Function, Result, Runtime};
use own_process::in_own_process;
use std::sync::mpsc::channel;
use std::thread;

// Tests contain no unsafe: Lua code sets the filter, for all threads of a process of its own.
const FORBID: &str = "
    local number = ...
    local ffi = require 'ffi'
    ffi.cdef [[
        struct filter { uint16_t code; uint8_t yes, no; uint32_t k; };
        struct program { unsigned short len; struct filter *filters; };
        int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long);
        long syscall(long, ...);
    ]]
    local LOAD, IS_EQUAL, RETURN, ALLOW, EPERM = 0x20, 0x15, 0x06, 0x7fff0000, 0x50001
    local filters = ffi.new('struct filter[4]', {
        { LOAD, 0, 0, 0 }, { IS_EQUAL, 0, 1, number.membarrier }, { RETURN, 0, 0, EPERM }, { RETURN, 0, 0, ALLOW },
    })
    local program = ffi.new('struct program', 4, filters)
    local NO_NEW_PRIVILEGES, SET_FILTER, ALL_THREADS = 38, 1, 1
    assert(ffi.C.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0)
    local long = function(n) return ffi.cast('long', n) end
    assert(ffi.C.syscall(long(number.seccomp), long(SET_FILTER), long(ALL_THREADS), program) == 0)
    assert(ffi.C.syscall(long(number.membarrier), long(0), long(0), long(0)) == -1)";

fn forbid_membarrier() -> Result<()> {
    let lua = Runtime::new()?;
    let numbers = lua.create_table()?;
    let (membarrier, seccomp) = if cfg!(target_arch = "x86_64") {
        (324, 317)
    } else {
        (283, 277)
    };
    numbers.set("membarrier", membarrier)?;
    numbers.set("seccomp", seccomp)?;
    lua.load(FORBID).call(numbers)
}

/// More times than a thread takes a lock before it is left to it.
const MANY: u32 = 5000;

fn add(lua: &Runtime, times: u32) -> Result<()> {
    let add: Function = lua.load("return function() n = (n or 0) + 1 end").eval()?;
    (0..times).try_for_each(|_| add.call(()))
}

/// Many threads at once; no step is lost.
fn share(lua: &Runtime) -> Result<()> {
    const THREADS: u32 = 4;
    lua.globals()?.set("n", 0)?;
    thread::scope(|s| {
        let threads: Vec<_> = (0..THREADS).map(|_| s.spawn(|| add(lua, MANY))).collect();
        threads.into_iter().try_for_each(|t| t.join().unwrap())
    })?;
    assert_eq!(lua.globals()?.get::<u32>("n")?, THREADS * MANY);
    Ok(())
}

#[test]
fn runtimes_are_shared_without_the_barrier() {
    in_own_process("never_allowed");
    in_own_process("allowed_no_more");
}

#[test]
#[ignore = "run in a process of its own"]
fn never_allowed() -> Result<()> {
    forbid_membarrier()?;
    let lua = Runtime::new()?;
    add(&lua, MANY)?;
    share(&lua)
}

#[test]
#[ignore = "run in a process of its own"]
fn allowed_no_more() -> Result<()> {
    let lua = Runtime::new()?;
    // The lock is left to this thread by then, which has it when another asks.
    add(&lua, MANY)?;
    let guard = lua.lock()?;
    forbid_membarrier()?;
    let (asks, is_asked) = channel();
    thread::scope(|s| {
        let other = s.spawn(|| {
            asks.send(()).unwrap();
            lua.load("other = n").exec()
        });
        is_asked.recv().unwrap();
        thread::sleep(std::time::Duration::from_millis(50));
        lua.load("n = -1").exec()?;
        drop(guard);
        other.join().unwrap()
    })?;
    assert_eq!(lua.globals()?.get::<i32>("other")?, -1);
    add(&lua, MANY)?;
    share(&lua)
}
