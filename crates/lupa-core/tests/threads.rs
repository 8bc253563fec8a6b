//! One runtime in many threads, many runtimes in many threads.

use lupa_core::{
    Coroutine, Cursor, Error, Function, LuaString, Reference, Result, Runtime, Table, UserData,
    Value,
};
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;

#[test]
fn what_is_public_may_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Runtime>();
    shared::<Table>();
    shared::<Function>();
    shared::<Coroutine>();
    shared::<LuaString>();
    shared::<UserData>();
    shared::<Reference>();
    shared::<Value>();
    shared::<Error>();
    shared::<Cursor>();
}

#[test]
fn one_runtime_serves_many_threads() -> Result<()> {
    let lua = Runtime::new()?;
    let count: Function = lua
        .load("local n = 0; return function(add) n = n + add; for i = 1, 100 do end; return n end")
        .eval()?;
    thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                for i in 0..500 {
                    count.call::<f64>(1).unwrap();
                    let table = lua.create_table().unwrap();
                    table.set("i", i).unwrap();
                    assert_eq!(table.get::<i32>("i").unwrap(), i);
                }
            });
        }
    });
    assert_eq!(count.call::<i32>(0)?, 4000);
    Ok(())
}

#[test]
fn a_guard_keeps_others_out() -> Result<()> {
    let lua = Runtime::new()?;
    lua.load("n = 0").exec()?;
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..300 {
                    // Breaks if the lock lets two threads in.
                    let _guard = lua.lock().unwrap();
                    let n: i32 = lua.globals().unwrap().get("n").unwrap();
                    thread::yield_now();
                    lua.globals().unwrap().set("n", n + 1).unwrap();
                }
            });
        }
    });
    assert_eq!(lua.globals()?.get::<i32>("n")?, 1200);

    let guard = lua.lock()?;
    assert!(lua.try_lock().is_some(), "re-entrant");
    thread::scope(|s| assert!(s.spawn(|| lua.try_lock().is_none()).join().unwrap()));
    drop(guard);
    thread::scope(|s| assert!(s.spawn(|| lua.try_lock().is_some()).join().unwrap()));
    Ok(())
}

#[test]
fn many_runtimes_run_in_parallel() {
    thread::scope(|s| {
        for n in 0..8 {
            s.spawn(move || {
                for round in 0..5 {
                    let lua = Runtime::new().unwrap();
                    let f = lua
                        .create_function(move |call| call.push(n * 100 + round))
                        .unwrap();
                    lua.globals().unwrap().set("f", f).unwrap();
                    let sum: i32 = lua
                        .load("local s = 0 for i = 1, 1000 do s = s + f() end return s")
                        .eval()
                        .unwrap();
                    assert_eq!(sum, 1000 * (n * 100 + round));
                }
            });
        }
    });
}

#[test]
fn handles_are_released_while_another_thread_runs_lua() -> Result<()> {
    let lua = Runtime::new()?;
    let (entered, is_in) = channel();
    let (go_on, may_go) = channel::<()>();
    let may_go = std::sync::Mutex::new(may_go);
    let wait = lua.create_function(move |_| {
        entered.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
        Ok(())
    })?;
    let before = lua.handles()?;
    let handles: Vec<Table> = (0..1000)
        .map(|_| lua.create_table())
        .collect::<Result<_>>()?;
    thread::scope(|s| {
        let runner = s.spawn(|| wait.call::<()>(()));
        is_in.recv().unwrap();
        // Breaks (never ends) if releasing a handle waits for the lock.
        drop(handles);
        go_on.send(()).unwrap();
        runner.join().unwrap().unwrap();
    });
    assert_eq!(lua.handles()?, before);
    Ok(())
}

#[test]
fn handles_move_between_threads_under_load() -> Result<()> {
    let lua = Runtime::new()?;
    let (sender, receiver) = channel::<Table>();
    thread::scope(|s| {
        let lua = &lua;
        s.spawn(move || {
            for i in 0..5000 {
                let table = lua.create_table().unwrap();
                table.set(1, i).unwrap();
                sender.send(table).unwrap();
            }
        });
        s.spawn(move || {
            for (i, table) in receiver.into_iter().enumerate() {
                assert_eq!(table.get::<usize>(1).unwrap(), i);
                if i % 512 == 0 {
                    lua.gc_collect().unwrap();
                }
            }
        });
    });
    lua.gc_collect()
}

#[test]
fn a_runtime_is_closed_while_others_look() -> Result<()> {
    for _ in 0..20 {
        let lua = Runtime::new()?;
        let start = Barrier::new(3);
        thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    start.wait();
                    while !lua.is_closed() {
                        let _ = lua.memory_limit();
                        match lua.load("return 1").eval::<i32>() {
                            Ok(n) => assert_eq!(n, 1),
                            Err(error) => assert!(matches!(error, Error::Closed)),
                        }
                    }
                });
            }
            start.wait();
            lua.set_memory_limit(Some(64 << 20)).unwrap();
            lua.close().unwrap();
        });
    }
    Ok(())
}
