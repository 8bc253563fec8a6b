//! Lua code that runs too long is ended: time limits, interrupts, the host's check.
#![cfg(unix)]

use lupa_core::{Error, Function, Result, Runtime};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

const ENDLESS: &[&str] = &[
    "while true do end",
    "local t = {} for i = 1, math.huge do t[i % 100] = i end",
    "local function f(x) return x end while true do f(1) end",
    "for k in function() return 1 end do end",
    "while true do pcall(function() while true do end end) end",
    "while true do pcall(error, 'x') end",
    "local function f() pcall(f) end while true do pcall(f) end",
    "while true do xpcall(error, function(e) return e end) end",
    "xpcall(function() while true do end end, function(e) while true do end end)",
    "xpcall(error, function(e) while true do end end)",
    "while true do xpcall(error, function(e) error(e) end) end",
    "coroutine.wrap(function() while true do end end)()",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "local w = coroutine.wrap(function() while true do coroutine.yield() end end) while true do w() end",
    "table.sort({3, 2, 1}, function() while true do end end)",
    "('abc'):gsub('.', function() while true do end end)",
    "while true do debug.sethook() end",
    "while true do pcall(debug.sethook) end",
    "while true do pcall(function() while true do debug.sethook() end end) end",
    "while true do pcall(function() debug.sethook(function() end, 'crl', 1) end) end",
    "setmetatable({}, {__index = function() while true do end end}).x = nil while true do end",
    "load(function() while true do end end) while true do end",
    "while true do load(function() while true do end end) end",
    "while true do loadstring(function() while true do end end) end",
    // No instruction of Lua code runs in these, so no hook.
    "load(collectgarbage)",
    "while true do loadstring(collectgarbage) end",
    "local p = newproxy(true) getmetatable(p).__gc = function() load(collectgarbage) end p = nil collectgarbage()",
    "local s = '' while true do s = #s > 1e4 and '' or s .. 'x' end",
    // Where LuaJIT keeps hooks off: in finalizers and in functions that hooks call.
    "getmetatable(newproxy(true)).__gc = function() while true do end end collectgarbage()",
    "getmetatable(newproxy(true)).__gc = function() while true do pcall(error) end end collectgarbage()",
    "for i = 1, 3 do getmetatable(newproxy(true)).__gc = function() while true do end end end collectgarbage()",
    "debug.sethook(function() debug.sethook() while true do end end, 'l')\n local x = 1",
    "debug.sethook(function() debug.sethook() while true do pcall(function() while true do end end) end end, 'c') tostring(1)",
];

fn is_unarmed(lua: &Runtime) {
    let hook: Option<String> = lua
        .load("return (debug.gethook() == 'external hook' and 'ours' or nil)")
        .eval()
        .unwrap();
    assert_eq!(hook, None);
    assert_eq!(lua.load("return 1 + 1").eval::<i64>().unwrap(), 2);
}

#[test]
fn load_still_reads_piece_by_piece() {
    let lua = Runtime::new().unwrap();
    let code = "
        local pieces, n = {'return ', 1, '+', '...', nil, 'nonsense'}, 0
        local function reader() n = n + 1 return pieces[n] end
        assert(assert(load(reader, '=named', 't', {}))(2) == 3 and n == 5)
        local ok, e = load(function() error({}) end)
        assert(ok == nil and type(e) == 'table')
        ok, e = load(function() return {} end)
        assert(ok == nil and e:find('reader function must return a string$'), e)
        n = 0
        ok, e = load(function() n = n + 1 return n == 1 and 'x x' or nil end)
        assert(ok == nil and e:find('^%(load%):1:'), e)
        assert(load(function() return nil end)() == nil)
        assert(setfenv(load('return x', 'n', 't', {x = 5}), {x = 6})() == 6)
        assert(load('return x', 'n', 't', {x = 5})() == 5)
        ok, e = load('x x')
        assert(e:find('[string \"x x\"]', 1, true), e)";
    lua.load(code).exec().unwrap();
}

#[test]
fn time_limits_end_everything() {
    for code in ENDLESS {
        let lua = Runtime::new().unwrap();
        lua.set_time_limit(Some(LIMIT)).unwrap();
        let start = Instant::now();
        let error = lua.load(code).exec().expect_err(code);
        assert!(matches!(error, Error::Timeout(_)), "{code}: {error:?}");
        let taken = start.elapsed();
        assert!(taken >= LIMIT, "{code}: {taken:?}");
        assert!(taken < Duration::from_secs(5), "{code}: {taken:?}");
        lua.set_time_limit(None).unwrap();
        lua.load("debug.sethook()").exec().unwrap();
        is_unarmed(&lua);
    }
}

/// The lines of the code that a limit ends.
fn stopped_at(lua: &Runtime, code: &str) -> Vec<String> {
    let run = || lua.load(code).name("@rule.lua").exec();
    let error = lua.with_time_limit(LIMIT, run).unwrap().unwrap_err();
    assert!(matches!(error.root(), Error::Timeout(_)), "{error:?}");
    error.locations().iter().map(ToString::to_string).collect()
}

#[test]
fn where_the_code_was_is_known() {
    let lua = Runtime::new().unwrap();
    let code = "local function spin()\n while true do end\nend\n\nspin()";
    assert_eq!(stopped_at(&lua, code), ["rule.lua:2", "rule.lua:5"]);
    // What catches errors is ended too, and told of.
    let code = "while true do\n pcall(function()\n while true do end end)\nend";
    assert_eq!(stopped_at(&lua, code), ["rule.lua:3", "rule.lua:2"]);
    // Lines of a coroutine are its own.
    let code = "coroutine.wrap(function()\n while true do end end)()";
    assert_eq!(stopped_at(&lua, code), ["rule.lua:2"]);
    let code = "\nxpcall(error, function()\n while true do end end)";
    assert_eq!(stopped_at(&lua, code), ["rule.lua:3", "rule.lua:2"]);
    // However often the host is between.
    let call = lua.function(|f: Function| f.call::<()>(())).unwrap();
    lua.globals().unwrap().set("call", call).unwrap();
    let code = "\ncall(function()\n call(function()\n while true do end end) end)";
    assert_eq!(
        stopped_at(&lua, code),
        ["rule.lua:4", "rule.lua:3", "rule.lua:2"]
    );
    // A finalizer was called by none.
    let code =
        "getmetatable(newproxy(true)).__gc = function()\n while true do end end\ncollectgarbage()";
    assert_eq!(stopped_at(&lua, code), ["rule.lua:2"]);
    let error = lua
        .with_time_limit(LIMIT, || lua.load("while true do end").exec())
        .unwrap()
        .unwrap_err();
    assert_eq!(error.text(), "the time limit of the Lua code has passed");
    assert!(
        error
            .to_string()
            .starts_with(&format!("{}\nstack traceback:\n\t", error.text()))
    );
}

#[test]
fn where_the_check_has_ended_the_code_is_known() {
    let lua = Runtime::new().unwrap();
    lua.set_check(|| Err(Error::message("enough"))).unwrap();
    let code = "\nlocal n = 0\nrepeat n = n + 1 until false";
    let error = lua.load(code).name("@rule.lua").exec().unwrap_err();
    assert_eq!(error.text(), "enough");
    assert_eq!(error.locations()[0].to_string(), "rule.lua:3");
}

#[test]
fn a_limit_is_kept_to_the_millisecond() {
    let lua = Runtime::new().unwrap();
    let mut best = LONG;
    for _ in 0..5 {
        let start = Instant::now();
        let error = lua
            .with_time_limit(LIMIT, || lua.load("while true do end").exec())
            .unwrap()
            .unwrap_err();
        assert!(matches!(error, Error::Timeout(_)));
        best = best.min(start.elapsed());
    }
    assert!(best < LIMIT + Duration::from_millis(20), "{best:?}");
}

#[test]
fn each_call_has_its_own_time() {
    let lua = Runtime::new().unwrap();
    lua.set_time_limit(Some(Duration::from_secs(1))).unwrap();
    for _ in 0..12 {
        lua.load("local stop = os.clock() + 0.1 while os.clock() < stop do end")
            .exec()
            .unwrap();
    }
    lua.set_time_limit(None).unwrap();
    is_unarmed(&lua);
}

#[test]
fn a_limit_for_some_calls_overrides_the_runtime_s() {
    let busy = "local stop = os.clock() + 0.3 while os.clock() < stop do end";
    let lua = Runtime::new().unwrap();
    lua.set_time_limit(Some(LIMIT)).unwrap();
    assert!(matches!(lua.load(busy).exec(), Err(Error::Timeout(_))));
    lua.with_time_limit(LONG, || lua.load(busy).exec())
        .unwrap()
        .unwrap();
    assert!(matches!(lua.load(busy).exec(), Err(Error::Timeout(_))));
}

#[test]
fn inner_limits_only_shorten() {
    let lua = Runtime::new().unwrap();
    let inner = lua
        .create_function(|call| {
            let lua = call.runtime().clone();
            let result = lua.with_time_limit(LONG, || lua.load("while true do end").exec())?;
            assert!(matches!(result, Err(Error::Timeout(_))));
            call.push("caught")
        })
        .unwrap();
    // What the host function swallowed comes back in the code that called it.
    let start = Instant::now();
    let result = lua
        .with_time_limit(LIMIT, || {
            lua.load("(...)() while true do end").call::<()>(&inner)
        })
        .unwrap();
    assert!(matches!(result, Err(Error::Timeout(_))));
    assert!(start.elapsed() < Duration::from_secs(2));

    // And a shorter one ends with its own calls.
    let inner = lua
        .create_function(|call| {
            let lua = call.runtime().clone();
            let result = lua.with_time_limit(LIMIT, || lua.load("while true do end").exec())?;
            assert!(matches!(result, Err(Error::Timeout(_))));
            call.push("caught")
        })
        .unwrap();
    let result = lua
        .with_time_limit(LONG, || {
            lua.load("return (...)() .. '!'").call::<String>(&inner)
        })
        .unwrap();
    assert_eq!(result.unwrap(), "caught!");
    is_unarmed(&lua);
}

#[test]
fn a_limit_holds_in_other_runtimes_that_are_called_meanwhile() {
    let (lua, other) = (Runtime::new().unwrap(), Runtime::new().unwrap());
    let call_other = {
        let other = other.clone();
        lua.create_function(move |_| other.load("while true do end").exec())
            .unwrap()
    };
    let result = lua
        .with_time_limit(LIMIT, || lua.load("(...)()").call::<()>(&call_other))
        .unwrap();
    assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
    is_unarmed(&lua);
    is_unarmed(&other);
}

#[test]
fn a_coroutine_resumed_by_the_host_is_ended() {
    let lua = Runtime::new().unwrap();
    lua.set_time_limit(Some(LIMIT)).unwrap();
    let function: Function = lua
        .load("return function() pcall(function() while true do end end) end")
        .eval()
        .unwrap();
    let coroutine = function.coroutine().unwrap();
    assert!(matches!(coroutine.resume::<()>(()), Err(Error::Timeout(_))));
    is_unarmed(&lua);
}

#[test]
fn interrupts_arrive_a_hundred_times() {
    let lua = Runtime::new().unwrap();
    let (started, starts) = mpsc::channel();
    let start = lua
        .create_function(move |_| {
            started.send(()).unwrap();
            Ok(())
        })
        .unwrap();
    lua.globals().unwrap().set("start", &start).unwrap();
    let from = lua.clone();
    let thread = std::thread::spawn(move || {
        for _ in 0..100 {
            starts.recv().unwrap();
            from.interrupt().unwrap();
        }
    });
    let begin = Instant::now();
    for round in 0..100 {
        let code = [
            "start() while true do end",
            "start() while true do pcall(function() while true do end end) end",
            "start() coroutine.wrap(function() while true do end end)()",
        ][round % 3];
        let error = lua.load(code).exec().unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)), "{error:?}");
    }
    thread.join().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(20));
    is_unarmed(&lua);
}

#[test]
fn an_interrupt_without_a_call_does_nothing() {
    let lua = Runtime::new().unwrap();
    lua.interrupt().unwrap();
    let sum: f64 = lua
        .load("local n = 0 for i = 1, 1e6 do n = n + i end return n")
        .eval()
        .unwrap();
    assert_eq!(sum, 500_000_500_000.0);
}

#[test]
fn a_host_function_can_interrupt_its_caller() {
    let lua = Runtime::new().unwrap();
    let interrupt = lua
        .create_function(|call| call.runtime().interrupt())
        .unwrap();
    let result = lua
        .load("local f = ... pcall(f) while true do end")
        .call::<()>(&interrupt);
    assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
    is_unarmed(&lua);
}

#[test]
fn an_interrupt_that_a_host_function_swallowed_comes_back() {
    let lua = Runtime::new().unwrap();
    let seen = Arc::new(AtomicUsize::new(0));
    let function = {
        let seen = Arc::clone(&seen);
        lua.create_function(move |call| {
            let lua = call.runtime().clone();
            let from = lua.clone();
            let thread = std::thread::spawn(move || {
                std::thread::sleep(LIMIT);
                from.interrupt().unwrap();
            });
            if matches!(
                lua.load("while true do end").exec(),
                Err(Error::Interrupted(_))
            ) {
                seen.fetch_add(1, Ordering::Relaxed);
            }
            thread.join().unwrap();
            Ok(())
        })
        .unwrap()
    };
    let result = lua
        .load("local f = ... f() while true do end")
        .call::<()>(&function);
    assert!(matches!(result, Err(Error::Interrupted(_))), "{result:?}");
    assert_eq!(seen.load(Ordering::Relaxed), 1);
}

/// Calls the host function `nested` again and again, or runs without end; `nested` runs this with one less.
const NESTING: &str = "local n = ... while n > 0 do pcall(nested, n - 1) end while true do end";

// Fails (it never ends) if a nested run disarms the hook that it was ended by: code that only ever enters
// the next run is never found running itself.
#[test]
fn a_stop_in_a_nested_run_reaches_the_runs_further_out() {
    for depth in 1..=3 {
        for by_time in [true, false] {
            let lua = Runtime::new().unwrap();
            let (entered, entries) = mpsc::channel();
            let nested = lua
                .create_function(move |call| {
                    let depth: i64 = call.get(0)?;
                    entered.send(depth).unwrap();
                    // How it ended is hidden from the code that called.
                    let ended = call.runtime().load(NESTING).call::<()>(depth);
                    assert!(ended.is_err());
                    Ok(())
                })
                .unwrap();
            lua.globals().unwrap().set("nested", &nested).unwrap();
            let from = lua.clone();
            let watcher = std::thread::spawn(move || {
                let interrupt_at_the_bottom = |depth: &i64| {
                    if *depth == 0 && !by_time {
                        from.interrupt().unwrap();
                    }
                };
                entries.iter().inspect(interrupt_at_the_bottom).count() as i64
            });

            let begin = Instant::now();
            let run = || lua.load(NESTING).call::<()>(depth);
            let result = if by_time {
                lua.with_time_limit(LIMIT, run).unwrap()
            } else {
                run()
            };
            match result.unwrap_err() {
                Error::Timeout(_) if by_time => {}
                Error::Interrupted(_) if !by_time => {}
                other => panic!("{depth} {by_time}: {other:?}"),
            }
            assert!(begin.elapsed() < Duration::from_secs(5));
            is_unarmed(&lua);
            lua.close().unwrap(); // which drops the sender
            assert_eq!(watcher.join().unwrap(), depth, "each run was entered once");
        }
    }
}

#[test]
fn the_host_s_check_ends_code_with_its_own_error() {
    #[derive(Debug, thiserror::Error)]
    #[error("enough")]
    struct Enough(usize);

    let lua = Runtime::new().unwrap();
    let calls = AtomicUsize::new(0);
    let set = lua.set_check(move || match calls.fetch_add(1, Ordering::Relaxed) + 1 {
        3 => Err(Error::external(Enough(3))),
        4 => panic!("the check's"),
        5 => Ok(false),
        6 => unreachable!("it asked not to be called"),
        _ => Ok(true),
    });
    assert!(set.unwrap());
    assert!(!lua.set_check(|| Ok(true)).unwrap());
    let error = lua
        .load("while true do pcall(function() while true do end end) end")
        .exec()
        .unwrap_err();
    assert_eq!(error.downcast_ref::<Enough>().map(|e| e.0), Some(3));
    is_unarmed(&lua);

    let run = || lua.load("while true do pcall(error) end").exec();
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"the check's"));
    is_unarmed(&lua);

    let busy = "local stop = os.clock() + 0.6 while os.clock() < stop do end";
    lua.load(busy).exec().unwrap();
    is_unarmed(&lua);
}

#[test]
fn the_check_may_use_the_runtime() {
    let lua = Runtime::new().unwrap();
    lua.load("count = 0 function f(x) count = count + x end")
        .exec()
        .unwrap();
    let shared = Arc::new(std::sync::OnceLock::new());
    let used = Arc::clone(&shared);
    lua.set_check(move || {
        let lua: &Runtime = match used.get() {
            Some(lua) => lua,
            None => return Ok(false),
        };
        lua.globals()?.get::<Function>("f")?.call::<()>(1)?;
        lua.gc_collect()?;
        Ok(true)
    })
    .unwrap();
    shared.set(lua.clone()).ok();
    let counted: i64 = lua
        .load(
            "local function deep(n, ...) if n > 0 then return deep(n - 1, n, ...) end
             local stop = os.clock() + 0.5 while os.clock() < stop do end return select('#', ...) end
             assert(deep(100) == 100) return count",
        )
        .eval()
        .unwrap();
    // More where the machine is busy: os.clock() counts the processor's time.
    assert!(counted >= 2, "{counted}");
    is_unarmed(&lua);
    lua.close().unwrap(); // the check holds the runtime that holds it
}

#[test]
fn a_hook_of_lua_s_own_is_put_back() {
    let lua = Runtime::new().unwrap();
    lua.load("calls = 0 function hook() calls = calls + 1 end debug.sethook(hook, 'c', 0)")
        .exec()
        .unwrap();
    let result = lua
        .with_time_limit(LIMIT, || lua.load("while true do end").exec())
        .unwrap();
    assert!(matches!(result, Err(Error::Timeout(_))));
    let works = "local f, mask = debug.gethook()
                 local before = calls
                 tostring(1)
                 return f == hook and mask == 'c' and calls > before";
    assert!(lua.load(works).eval::<bool>().unwrap());
}

#[test]
fn other_stops_pass_through_time_limits() {
    let lua = Runtime::new().unwrap();
    let panics = lua
        .create_function(|_| panic!("a host function's"))
        .unwrap();
    lua.set_time_limit(Some(LONG)).unwrap();
    let run = || {
        lua.load("local f = ... while true do pcall(f) debug.sethook() end")
            .call::<()>(&panics)
    };
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"a host function's"));
    is_unarmed(&lua);
}

#[test]
fn a_stop_is_kept_while_code_that_it_runs_into_is_stopped_too() {
    let lua = Runtime::new().unwrap();
    // The handler of an uncatchable error calls the host, whose own Lua code is interrupted.
    let stop = lua
        .create_function(|call| Err(call.raise_uncatchable("first")))
        .unwrap();
    let nested = lua
        .create_function(|call| {
            let lua = call.runtime().clone();
            let result =
                lua.with_time_limit(LIMIT, || lua.load("while true do pcall(error) end").exec())?;
            assert!(matches!(result, Err(Error::Timeout(_))), "{result:?}");
            Ok(())
        })
        .unwrap();
    let mut handles = Vec::new();
    for _ in 0..3 {
        let error = lua
            .load("local stop, nested = ... xpcall(stop, nested) while true do end")
            .call::<()>((&stop, &nested))
            .unwrap_err();
        match error {
            Error::Runtime(error) => assert_eq!(error.message[..], *b"first"),
            other => panic!("{other:?}"),
        }
        is_unarmed(&lua);
        handles.push(lua.handles().unwrap());
    }
    assert_eq!(handles[1], handles[2]);
}

#[test]
fn many_threads_with_limits() {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let lua = Runtime::new().unwrap();
                for _ in 0..5 {
                    let result = lua
                        .with_time_limit(LIMIT, || lua.load("while true do end").exec())
                        .unwrap();
                    assert!(matches!(result, Err(Error::Timeout(_))));
                }
                is_unarmed(&lua);
            });
        }
    });
    // Ended threads are not signalled, and their records serve others.
    for _ in 0..20 {
        std::thread::spawn(|| Runtime::new().unwrap().load("return 1").exec().unwrap())
            .join()
            .unwrap();
    }
}

#[test]
fn short_limits_on_quick_calls_end_some_of_them_and_break_none() {
    let lua = Runtime::new().unwrap();
    let f: Function = lua
        .load("return function(n) local x = 0 for i = 1, n do x = x + i end return x end")
        .eval()
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let interrupter = {
        let (lua, stop) = (lua.clone(), Arc::clone(&stop));
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                lua.interrupt().unwrap();
                std::thread::sleep(Duration::from_micros(30));
            }
        })
    };
    let (mut ended, mut whole) = (0, 0);
    let until = Instant::now() + Duration::from_secs(2);
    while Instant::now() < until {
        match f.call::<f64>(2000) {
            Ok(sum) => {
                assert_eq!(sum, 2_001_000.0);
                whole += 1;
            }
            Err(Error::Interrupted(_)) => ended += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    stop.store(true, Ordering::Relaxed);
    interrupter.join().unwrap();
    assert!(ended > 10 && whole > 10, "{ended} {whole}");
    is_unarmed(&lua);
}

#[test]
fn a_handle_interrupts_and_keeps_nothing_alive() -> Result<()> {
    fn shared<T: Send + Sync + Clone>(value: T) -> T {
        value
    }
    struct Noticed(Arc<AtomicBool>);
    impl Drop for Noticed {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let lua = Runtime::new()?;
    let handle = shared(lua.interrupt_handle());
    let freed = Arc::new(AtomicBool::new(false));
    let noticed = Noticed(freed.clone());
    lua.globals()?.set(
        "f",
        lua.create_function(move |_| {
            let _ = &noticed;
            Ok(())
        })?,
    )?;
    // Nothing runs: nothing is interrupted, later either.
    assert!(handle.interrupt()?);
    assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
    let other = handle.clone();
    let interrupter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        other.interrupt()
    });
    let error = lua.load("while true do end").exec().unwrap_err();
    assert!(matches!(error, Error::Interrupted(_)), "{error}");
    assert!(interrupter.join().unwrap()?);
    drop(lua);
    assert!(freed.load(Ordering::SeqCst));
    assert!(!handle.interrupt()?);

    let closed = Runtime::new()?;
    let handle = closed.interrupt_handle();
    closed.close()?;
    assert!(!handle.interrupt()?);
    Ok(())
}

#[test]
fn a_runtime_may_be_made_with_a_time_limit() -> Result<()> {
    for sandbox in [false, true] {
        let lua = Runtime::builder()
            .sandbox(sandbox)
            .time_limit(Duration::from_millis(20))
            .build()?;
        let end = lua.load("while true do end").exec();
        assert!(matches!(end, Err(Error::Timeout(_))), "{end:?}");
        lua.set_time_limit(None)?;
        assert_eq!(lua.load("1 + 1").expression().eval::<i64>()?, 2);
    }
    Ok(())
}
