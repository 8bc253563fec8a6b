//! What a forked child can do with its parent's runtimes.
#![cfg(unix)]

mod own_process;

use lupa_core::{Error, Function, Result, Runtime, Value};
use own_process::in_own_process;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

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
    let fork: Function = forker.load(FORK).eval()?;
    let child = forker.create_function(move |call| {
        table.set("x", 4)?;
        let n: i32 = idle
            .load("return coroutine.wrap(function() return 38 end)()")
            .eval()?;
        idle.gc_collect()?;
        let other: i32 = thread::scope(|s| s.spawn(|| table.get("x")).join().unwrap())?;
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
    let fork: Function = forker.load(FORK).eval()?;
    let (entered, is_in) = channel();
    let (go_on, may_go) = channel::<()>();
    let may_go = Mutex::new(may_go);
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
        // There is no thread to send a signal to.
        shared.interrupt()?;
        call.push(42)
    })?;
    thread::scope(|s| {
        let runner = s.spawn(|| wait.call::<()>(()));
        is_in.recv().unwrap();
        assert_eq!(fork.call::<i32>(&child).unwrap(), 42);
        go_on.send(()).unwrap();
        runner.join().unwrap().unwrap();
    });
    assert_eq!(busy.load("return 1").eval::<i32>()?, 1);
    Ok(())
}

// A lock that one thread takes again and again is left to that thread: then it is not the mutex that says who has it.

/// More times than a thread takes a lock before it is left to it.
const MANY: usize = 5000;

fn use_often(lua: &Runtime) -> Result<()> {
    (0..MANY).try_for_each(|_| lua.load("return 1").exec())
}

/// Forks by `forker`, whose lock the calling thread has meanwhile, and runs `child` in the child after that, which has to end well and soon.
fn fork(forker: &Runtime, child: impl FnOnce() -> Result<()>) -> Result<()> {
    let code = "
        local ffi = require 'ffi'
        ffi.cdef 'int fork(void); int waitpid(int, int *, int); void _exit(int); unsigned alarm(unsigned);'
        local function wait(pid)
            local status = ffi.new('int[1]')
            ffi.C.waitpid(pid, status, 0)
            return status[0]
        end
        return function() return ffi.C.fork() end, wait, function(n) ffi.C.alarm(n) end, function(n) ffi.C._exit(n) end";
    let (fork, wait, ..): (Function, Function, Value, Value) = forker.load(code).eval()?;
    // The child may find the runtime `forker` beyond use.
    let (.., alarm, exit): (Value, Value, Function, Function) =
        Runtime::new()?.load(code).eval()?;
    let pid: i32 = fork.call(())?;
    if pid == 0 {
        let _ = alarm.call::<()>(20);
        let ended_well = matches!(catch_unwind(AssertUnwindSafe(child)), Ok(Ok(())));
        let _ = exit.call::<()>(i32::from(!ended_well));
    }
    assert_eq!(wait.call::<i32>(pid)?, 0);
    Ok(())
}

fn works(lua: &Runtime) -> Result<()> {
    use_often(lua)?;
    thread::scope(|s| s.spawn(|| use_often(lua)).join().unwrap())?;
    assert_eq!(lua.load("return 42").eval::<i32>()?, 42);
    Ok(())
}

/// What a lock that a thread of the parent had for ever does: it is an error, and nobody waits.
fn is_lost(lua: &Runtime) -> Result<()> {
    for _ in 0..3 {
        assert!(matches!(lua.load("return 1").exec(), Err(Error::Forked)));
        assert!(lua.try_lock().is_none());
    }
    Ok(())
}

/// Runs `f` while another thread, to which the lock of `lua` is left, is in Lua code (`is_busy`) or not.
fn beside_its_thread(lua: &Runtime, is_busy: bool, f: impl FnOnce() -> Result<()>) -> Result<()> {
    let (arrived, arrives) = channel();
    let (go_on, may_go) = channel::<()>();
    thread::scope(|s| {
        s.spawn(move || -> Result<()> {
            use_often(lua)?;
            let guard = is_busy.then(|| lua.lock()).transpose()?;
            arrived.send(()).unwrap();
            may_go.recv().unwrap();
            drop(guard);
            use_often(lua)
        });
        arrives.recv().unwrap();
        let outcome = f();
        go_on.send(()).unwrap();
        outcome
    })
}

#[test]
fn a_runtime_that_is_left_to_a_thread_works_in_the_child_or_is_an_error() {
    for test in [
        "child_of_the_thread_it_is_left_to",
        "child_of_another_thread",
        "child_of_another_thread_while_it_is_used",
        "child_ends_what_a_lost_thread_has_used",
        "child_while_a_third_thread_waits",
        "child_of_the_thread_that_another_waits_for",
    ] {
        in_own_process(test);
    }
}

#[test]
#[ignore = "run in a process of its own"]
fn child_of_the_thread_it_is_left_to() -> Result<()> {
    let lua = Runtime::new()?;
    use_often(&lua)?;
    fork(&lua, || works(&lua))?;
    let guard = lua.lock()?;
    fork(&lua, || {
        lua.load("x = 1").exec()?;
        drop(guard);
        works(&lua)
    })?;
    works(&lua)
}

#[test]
#[ignore = "run in a process of its own"]
fn child_of_another_thread() -> Result<()> {
    let (lua, forker) = (Runtime::new()?, Runtime::new()?);
    beside_its_thread(&lua, false, || fork(&forker, || works(&lua)))?;
    works(&lua)
}

#[test]
#[ignore = "run in a process of its own"]
fn child_of_another_thread_while_it_is_used() -> Result<()> {
    let (lua, forker) = (Runtime::new()?, Runtime::new()?);
    beside_its_thread(&lua, true, || fork(&forker, || is_lost(&lua)))?;
    works(&lua)
}

// The thread keeps the reference of its last handle for its next.
#[test]
#[ignore = "run in a process of its own"]
fn child_ends_what_a_lost_thread_has_used() -> Result<()> {
    let forker = Runtime::new()?;
    let lua = Mutex::new(Some(Runtime::new()?));
    let weak = lua.lock().unwrap().as_ref().map(Runtime::downgrade);
    let weak = weak.expect("it is there");
    let ends = || {
        drop(lua.lock().unwrap().take());
        assert!(weak.upgrade().is_none());
        Ok(())
    };
    let (arrived, arrives) = channel();
    let (go_on, may_go) = channel::<()>();
    thread::scope(|s| {
        let lua = &lua;
        s.spawn(move || {
            {
                let lua = lua.lock().unwrap();
                let lua = lua.as_ref().unwrap();
                (0..MANY).for_each(|_| drop(lua.create_table().unwrap()));
            }
            arrived.send(()).unwrap();
            let _ = may_go.recv();
        });
        arrives.recv().unwrap();
        let outcome = fork(&forker, ends);
        drop(go_on);
        outcome
    })?;
    ends()
}

#[test]
#[ignore = "run in a process of its own"]
fn child_while_a_third_thread_waits() -> Result<()> {
    let (lua, forker) = (Runtime::new()?, Runtime::new()?);
    thread::scope(|s| {
        beside_its_thread(&lua, true, || {
            s.spawn(|| use_often(&lua));
            thread::sleep(Duration::from_millis(50));
            fork(&forker, || is_lost(&lua))
        })
    })?;
    works(&lua)
}

// The thread that waits has the mutex, and is not there in the child to give it back.
#[test]
#[ignore = "run in a process of its own"]
fn child_of_the_thread_that_another_waits_for() -> Result<()> {
    let lua = Runtime::new()?;
    use_often(&lua)?;
    let guard = lua.lock()?;
    thread::scope(|s| {
        s.spawn(|| use_often(&lua));
        thread::sleep(Duration::from_millis(50));
        fork(&lua, || {
            assert_eq!(lua.load("return 42").eval::<i32>()?, 42);
            // In the child alone: the parent's lock is not given back by that.
            drop(guard);
            is_lost(&lua)
        })
    })
}

#[test]
fn a_thread_of_the_child_waits_for_the_one_that_has_forked() -> Result<()> {
    for is_left in [false, true] {
        let (forker, lua) = (Runtime::new()?, Runtime::new()?);
        let table = lua.create_table()?;
        if is_left {
            use_often(&lua)?;
        }
        let held = lua.lock()?;
        fork(&forker, || {
            thread::scope(|s| -> Result<()> {
                let other = s.spawn(|| -> Result<i32> {
                    let copy = table.clone();
                    copy.set(1, 42)?;
                    table.get(1)
                });
                // Longer than it takes to find out that nobody has the lock.
                thread::sleep(Duration::from_millis(500));
                drop(held);
                assert_eq!(other.join().unwrap()?, 42);
                Ok(())
            })?;
            works(&lua)
        })?;
        works(&lua)?;
    }
    Ok(())
}
