//! Finalizers that do not end are ended by what ends other code.
#![cfg(unix)]

use lupa_core::{Call, Error, HostObject, Libs, Operation, Result, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Counts drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl HostObject for Counted {
    const NAME: &'static str = "counted";
    const OPERATIONS: &'static [Operation] = &[Operation::ToString];

    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        call.push("counted")
    }
}

const LIMIT: Duration = Duration::from_millis(50);
/// Each finalizer that is ended by itself takes at least 0.1 s: a thousand must not take their turns.
const SOON: Duration = Duration::from_secs(20);

const FINALIZERS: &[&str] = &[
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "xpcall(error, function() while true do end end)",
    "local function again()
         local p = newproxy(true)
         getmetatable(p).__gc = function() again() while true do end end
     end
     again()
     while true do end",
    "coroutine.wrap(function() while true do pcall(error) end end)()",
    "while true do collectgarbage() end",
    "load(collectgarbage)",
];

/// A runtime with a thousand finalizers, host objects among them, all in use until the end.
fn runtime(finalizer: &str, dropped: &Arc<AtomicUsize>) -> Result<Runtime> {
    let lua = Runtime::new()?;
    let kept = lua.create_table()?;
    for i in 1..=10 {
        kept.set(i, lua.create_object(Counted(Arc::clone(dropped)))?)?;
    }
    lua.globals()?.set("kept", kept)?;
    lua.load(&format!(
        "objects = {{}}
         for i = 1, 1000 do
             objects[i] = newproxy(true)
             getmetatable(objects[i]).__gc = function() {finalizer} end
         end"
    ))
    .exec()?;
    Ok(lua)
}

/// Wherever the collector stands when a runtime is closed, a finalizer may collect. If it is in the middle of a sweep over the userdata
/// that are queued then, it must not follow them in a circle.
#[test]
fn they_may_collect_wherever_the_collector_stands() {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        for steps in 0..150 {
            let lua = Runtime::new().unwrap();
            lua.load(
                "objects, count = {}, 0
                 for i = 1, 1000 do
                     objects[i] = newproxy(true)
                     getmetatable(objects[i]).__gc = function()
                         count = count + 1
                         if count == 500 then collectgarbage() end
                     end
                 end
                 collectgarbage()
                 for _ = 1, ... do collectgarbage('step', 0) end",
            )
            .call::<()>(steps)
            .unwrap();
            lua.close().unwrap();
        }
        done.send(()).unwrap();
    });
    // It cannot be stopped, so it is left behind.
    wait.recv_timeout(Duration::from_secs(120)).unwrap();
}

#[test]
fn a_time_limit_ends_them() -> Result<()> {
    for finalizer in FINALIZERS {
        for explicit in [true, false] {
            let dropped = Arc::default();
            let lua = runtime(finalizer, &dropped)?;
            lua.set_time_limit(Some(LIMIT))?;
            let start = Instant::now();
            if explicit {
                let error = lua.close().unwrap_err();
                assert!(matches!(error, Error::Timeout(_)), "{error}");
                assert!(lua.is_closed());
            }
            drop(lua);
            assert!(start.elapsed() < SOON, "{finalizer}");
            assert_eq!(dropped.load(Ordering::Relaxed), 10, "{finalizer}");
        }
    }
    Ok(())
}

/// Compiling runs no Lua code but this.
#[test]
fn a_time_limit_ends_those_that_a_compilation_runs() -> Result<()> {
    let lua = Runtime::new()?;
    lua.load("local object = newproxy(true) getmetatable(object).__gc = function() while true do end end")
        .exec()?;
    lua.set_time_limit(Some(LIMIT))?;
    let code = "local t = {1, 2, 3} ".repeat(50);
    let end = (0..10_000).find_map(|_| lua.load(&code).into_function().err());
    assert!(matches!(end, Some(Error::Timeout(_))), "{end:?}");
    // The runtime goes on.
    assert_eq!(lua.load("1 + 1").expression().eval::<i64>()?, 2);
    Ok(())
}

#[test]
fn an_interrupt_ends_them() -> Result<()> {
    let dropped = Arc::default();
    let lua = runtime("while true do end", &dropped)?;
    let handle = lua.interrupt_handle();
    let error = std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(LIMIT);
            // Until it is closed; the first one may come too early.
            while handle.interrupt().unwrap() {
                std::thread::sleep(LIMIT);
            }
        });
        lua.close().unwrap_err()
    });
    assert!(matches!(error, Error::Interrupted(_)), "{error}");
    assert_eq!(dropped.load(Ordering::Relaxed), 10);
    Ok(())
}

#[test]
fn the_check_ends_them_with_its_own_error() -> Result<()> {
    for panics in [false, true] {
        let dropped = Arc::default();
        let lua = runtime("while true do end", &dropped)?;
        lua.set_check(move || {
            assert!(!panics, "in the check");
            Err(Error::external(std::fmt::Error))
        })?;
        let end = std::panic::catch_unwind(|| lua.close());
        match end {
            Ok(end) => {
                let error = end.unwrap_err();
                assert!(error.downcast_ref::<std::fmt::Error>().is_some(), "{error}");
                assert!(!panics);
            }
            Err(panic) => {
                assert_eq!(*panic.downcast::<&str>().unwrap(), "in the check");
                assert!(panics);
            }
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 10);
    }
    Ok(())
}

#[test]
fn a_check_that_lets_them_go_on_does() -> Result<()> {
    let lua = Runtime::new()?;
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    lua.set_check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Ok(true)
    })?;
    lua.load(
        "object = newproxy(true)
         getmetatable(object).__gc = function()
             local start = os.clock()
             repeat until os.clock() > start + 0.6
         end",
    )
    .exec()?;
    lua.close()?;
    assert_ne!(calls.load(Ordering::Relaxed), 0);
    Ok(())
}

#[test]
fn finalizers_of_cdata_are_ended_too() -> Result<()> {
    let lua = Runtime::builder().libs(Libs::ALL).build()?;
    lua.set_time_limit(Some(LIMIT))?;
    lua.load(
        "local ffi = require 'ffi'
         objects = {}
         for i = 1, 1000 do objects[i] = ffi.gc(ffi.new('int[1]'), function() while true do end end) end",
    )
    .exec()?;
    let start = Instant::now();
    assert!(matches!(lua.close(), Err(Error::Timeout(_))));
    assert!(start.elapsed() < SOON);
    Ok(())
}

#[test]
fn the_memory_limit_holds() -> Result<()> {
    let lua = Runtime::builder().memory_limit(8 << 20).build()?;
    lua.set_time_limit(Some(SOON))?;
    lua.load(
        "object = newproxy(true)
         getmetatable(object).__gc = function()
             local all = {}
             for i = 1, math.huge do all[i] = tostring(i) end
         end",
    )
    .exec()?;
    // Refused memory ends the finalizer like any other error in one.
    lua.close()
}

/// In the middle of a program, too: those that would have run next do not run any more.
#[test]
fn a_thousand_do_not_take_their_turns() -> Result<()> {
    let dropped = Arc::default();
    let lua = runtime("while endless do end; done = (done or 0) + 1", &dropped)?;
    lua.set_time_limit(Some(LIMIT))?;
    let start = Instant::now();
    let end = lua
        .load("endless = true objects = nil collectgarbage()")
        .exec();
    assert!(matches!(end, Err(Error::Timeout(_))));
    assert!(start.elapsed() < SOON);
    lua.set_time_limit(None)?;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    lua.load(
        "endless = false
         collectgarbage()
         assert(done == nil)
         getmetatable(newproxy(true)).__gc = function() done = 'this one' end
         kept = nil
         collectgarbage()
         assert(done == 'this one')",
    )
    .exec()?;
    assert_eq!(dropped.load(Ordering::Relaxed), 10);
    Ok(())
}

#[test]
fn a_thousand_cdata_do_not_take_their_turns() -> Result<()> {
    let lua = Runtime::builder().libs(Libs::ALL).build()?;
    lua.set_time_limit(Some(LIMIT))?;
    lua.load(
        "local ffi = require 'ffi'
         collectgarbage('stop')
         done = 0
         for i = 1, 1000 do
             ffi.gc(ffi.new('int[1]'), function() while endless do end done = done + 1 end)
         end",
    )
    .exec()?;
    let start = Instant::now();
    let end = lua
        .load("endless = true collectgarbage('restart') collectgarbage()")
        .exec();
    assert!(matches!(end, Err(Error::Timeout(_))));
    assert!(start.elapsed() < SOON);
    lua.set_time_limit(None)?;
    lua.load(
        "endless = false
         collectgarbage()
         assert(done == 0)
         require('ffi').gc(require('ffi').new('int[1]'), function() done = done + 1 end)
         collectgarbage() collectgarbage()
         assert(done == 1)",
    )
    .exec()?;
    Ok(())
}
