//! What a forked child can do with its parent's runtimes.
#![cfg(unix)]

use lupa_core::{Error, Result, Runtime};
use std::process::Command;
use std::sync::mpsc::channel;

// Tests contain no unsafe, so this process does not call fork itself: Lua code does, in a
// test process of its own, by the FFI library.
const FORK: &str = "
    local ffi = require 'ffi'
    ffi.cdef 'int fork(void); int waitpid(int, int *, int); void _exit(int);'
    return function(child)
        local pid = ffi.C.fork()
        if pid == 0 then
            local ok, result = pcall(child)
            ffi.C._exit(ok and result or 99)
        end
        local status = ffi.new('int[1]')
        ffi.C.waitpid(pid, status, 0)
        return status[0] / 256
    end";

/// Runs an ignored test of this file in a process of its own.
fn in_own_process(test: &str) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--exact", "--ignored", test])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn an_idle_runtime_works_in_the_child() {
    in_own_process("child_uses_idle_runtime");
}

#[test]
fn a_busy_runtime_is_an_error_in_the_child() {
    in_own_process("child_meets_busy_runtime");
}

#[test]
#[ignore = "run in a process of its own"]
fn child_uses_idle_runtime() -> Result<()> {
    let (forker, idle) = (Runtime::new()?, Runtime::new()?);
    let table = idle.create_table()?;
    let fork: lupa_core::Function = forker.load(FORK).eval()?;
    let child = forker.create_function(move |call| {
        table.set("x", 4)?;
        let n: i32 = idle
            .load("return coroutine.wrap(function() return 38 end)()")
            .eval()?;
        idle.gc_collect()?;
        let other: i32 = std::thread::scope(|s| s.spawn(|| table.get("x")).join().unwrap())?;
        idle.close()?;
        call.push(n + other)
    })?;
    assert_eq!(fork.call::<i32>(&child)?, 42);
    Ok(())
}

#[test]
#[ignore = "run in a process of its own"]
fn child_meets_busy_runtime() -> Result<()> {
    let (forker, busy) = (Runtime::new()?, Runtime::new()?);
    let table = busy.create_table()?;
    let fork: lupa_core::Function = forker.load(FORK).eval()?;
    let (entered, is_in) = channel();
    let (go_on, may_go) = channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let wait = busy.create_function(move |_| {
        entered.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        Ok(())
    })?;
    let shared = busy.clone();
    let child = forker.create_function(move |call| {
        // Breaks (never ends) if the child waits for a thread that it does not have.
        assert!(matches!(shared.load("return 1").exec(), Err(Error::Forked)));
        assert!(matches!(shared.lock().map(drop), Err(Error::Forked)));
        assert!(matches!(shared.close(), Err(Error::Forked)));
        assert!(matches!(table.get::<i32>(1), Err(Error::Forked)));
        assert!(shared.try_lock().is_none());
        call.push(42)
    })?;
    std::thread::scope(|s| {
        let runner = s.spawn(|| wait.call::<()>(()));
        is_in.recv().unwrap();
        assert_eq!(fork.call::<i32>(&child).unwrap(), 42);
        go_on.send(()).unwrap();
        runner.join().unwrap().unwrap();
    });
    assert_eq!(busy.load("return 1").eval::<i32>()?, 1);
    Ok(())
}
