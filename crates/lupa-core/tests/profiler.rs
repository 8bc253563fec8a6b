//! The profiler. There is one in a process, so these tests take turns.
#![cfg(unix)]

use lupa_core::{Error, Function, Profile, ProfileOptions, Result, Runtime, VmState};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const FAST: Duration = Duration::from_millis(1);

fn fast() -> ProfileOptions {
    ProfileOptions::default().interval(FAST)
}

/// Two functions with different shares of 0.3 s of the processor's time.
const WORK: &str = "
local function light(t) for i = 1, 100 do t[i] = i end end
local function heavy(t) for i = 1, 10000 do t[i % 100 + 1] = i end end
local function both(t) light(t) heavy(t) end
local t, clock = {}, os.clock
local stop = clock() + 0.3
while clock() < stop do both(t) end
";

fn work(lua: &Runtime) -> Result<Function> {
    lua.load(WORK).name("@work.lua").into_function()
}

/// Samples with a function anywhere on their stacks.
fn within(profile: &Profile, name: &str) -> u64 {
    let named = |frame: &lupa_core::ProfileFrame| frame.name.as_deref() == Some(name);
    let samples = profile.samples.iter();
    let found = samples.filter(|sample| sample.frames.iter().any(named));
    found.map(|sample| sample.count).sum()
}

fn in_state(profile: &Profile, state: VmState) -> u64 {
    let samples = profile
        .samples
        .iter()
        .filter(|sample| sample.state == state);
    samples.map(|sample| sample.count).sum()
}

#[test]
fn compiled_and_interpreted_code_is_seen() -> Result<()> {
    let _turn = turn();
    for compiled in [true, false] {
        for lines in [false, true] {
            let lua = Runtime::new()?;
            lua.jit().set_enabled(compiled)?;
            let work = work(&lua)?;
            let profiler = lua.profile(fast().lines(lines))?;
            work.call::<()>(())?;
            let profile = profiler.stop()?;
            let total = profile.total();
            assert!(total >= 10, "{profile:?}");
            assert!(
                within(&profile, "heavy") > total / 2,
                "{}",
                profile.folded()
            );
            let expected = if compiled {
                VmState::Compiled
            } else {
                VmState::Interpreted
            };
            assert!(in_state(&profile, expected) > total / 2, "{profile:?}");
            if !compiled {
                assert_eq!(in_state(&profile, VmState::Compiled), 0);
            }
            let folded = profile.folded();
            // One line a function, so both kinds of lines are the same.
            let stack = "both (work.lua:4);heavy (work.lua:3) ";
            assert!(folded.contains(stack), "{folded}");
            assert!(folded.starts_with("chunk (work.lua"), "{folded}");
            assert!(
                profile
                    .samples
                    .is_sorted_by_key(|s| std::cmp::Reverse(s.count))
            );
        }
    }
    Ok(())
}

#[test]
fn nothing_is_sampled_after_the_end() -> Result<()> {
    let _turn = turn();
    let lua = Runtime::new()?;
    let idle = lua.profile(fast())?;
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(idle.stop()?.total(), 0);
    drop(lua.profile(fast())?);
    work(&lua)?.call::<()>(())?;
    let profile = lua.profile(fast())?.stop()?;
    assert_eq!(profile.total(), 0);
    Ok(())
}

#[test]
fn a_late_signal_does_no_harm() -> Result<()> {
    let _turn = turn();
    let lua = Runtime::new()?;
    let signal = || {
        let me = std::process::id().to_string();
        assert!(
            Command::new("kill")
                .args(["-PROF", &me])
                .status()
                .unwrap()
                .success()
        );
        std::thread::sleep(Duration::from_millis(20));
    };
    let profiler = lua.profile(fast())?;
    signal();
    profiler.stop()?;
    // Breaks (the process ends) if the signal has its default meaning again.
    signal();
    Ok(())
}

#[test]
fn time_limits_hold_while_profiling() -> Result<()> {
    let _turn = turn();
    for compiled in [true, false] {
        let lua = Runtime::new()?;
        lua.jit().set_enabled(compiled)?;
        let profiler = lua.profile(fast())?;
        for code in [
            "while true do end",
            "local t = {} for i = 1, math.huge do t[i % 100] = i end",
            "while true do pcall(function() while true do end end) end",
            "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
            "local s = 'x' while true do s = tostring(#s) end",
        ] {
            lua.set_time_limit(Some(Duration::from_millis(250)))?;
            let error = lua.load(code).exec().unwrap_err();
            assert!(matches!(error, Error::Timeout(_)), "{code}: {error}");
        }
        lua.set_time_limit(None)?;
        let handle = lua.interrupt_handle();
        let interrupter = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(200));
            handle.interrupt()
        });
        let error = lua.load("while true do end").exec().unwrap_err();
        assert!(matches!(error, Error::Interrupted(_)), "{error}");
        assert!(interrupter.join().unwrap()?);
        assert!(profiler.stop()?.total() >= 50);
        assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
    }
    Ok(())
}

#[test]
fn there_is_one_at_a_time() -> Result<()> {
    let _turn = turn();
    let (lua, other) = (Runtime::new()?, Runtime::new()?);
    let profiler = lua.profile(fast())?;
    for second in [&lua, &other] {
        let error = second.profile(fast()).unwrap_err().to_string();
        assert_eq!(error, "the profiler is in use: there is one in a process");
    }
    // The first one goes on.
    work(&lua)?.call::<()>(())?;
    assert!(profiler.stop()?.total() >= 10);
    other.profile(fast())?.stop()?;

    // Lua code may have taken it, by LuaJIT's own library.
    other
        .load("require('jit.profile').start('i1', function() end)")
        .exec()?;
    assert!(
        lua.profile(fast())
            .unwrap_err()
            .to_string()
            .contains("in use")
    );
    other.load("require('jit.profile').stop()").exec()?;
    let profiler = lua.profile(fast())?;
    // It may end it, too, in the runtime that is profiled.
    lua.load("require('jit.profile').stop()").exec()?;
    work(&lua)?.call::<()>(())?;
    assert_eq!(profiler.stop()?.total(), 0);
    Ok(())
}

#[test]
fn only_one_runtime_is_sampled_whatever_other_threads_do() -> Result<()> {
    let _turn = turn();
    let lua = Runtime::new()?;
    let done = AtomicBool::new(false);
    let profile = std::thread::scope(|scope| -> Result<Profile> {
        scope.spawn(|| {
            let other = Runtime::new().unwrap();
            let work = other
                .load(&WORK.replace("heavy", "foreign"))
                .into_function()
                .unwrap();
            while !done.load(Ordering::Relaxed) {
                work.call::<()>(()).unwrap();
            }
        });
        let profiler = lua.profile(fast())?;
        let outcome = (0..5).try_for_each(|_| work(&lua)?.call::<()>(()));
        done.store(true, Ordering::Relaxed);
        outcome?;
        profiler.stop()
    })?;
    assert!(within(&profile, "heavy") >= 10, "{}", profile.folded());
    assert_eq!(within(&profile, "foreign"), 0);
    Ok(())
}

#[test]
fn signals_on_other_threads_set_no_hook() -> Result<()> {
    let _turn = turn();
    let lua = Runtime::new()?;
    // So long that only what is sent here arrives.
    let profiler = lua.profile(fast().interval(Duration::from_secs(1000)))?;
    let me = std::process::id().to_string();
    let work = work(&lua)?;
    let done = Arc::new(AtomicBool::new(false));
    let all_sent = Arc::clone(&done);
    let worker = std::thread::spawn(move || {
        while !all_sent.load(Ordering::Relaxed) {
            work.call::<()>(())?;
        }
        Ok::<_, Error>(())
    });
    // The system gives a signal to the first thread, the one that waits for the tests, unless that has
    // one already.
    let signals = 40;
    for _ in 0..signals {
        let sent = Command::new("kill").args(["-PROF", &me]).status();
        assert!(sent.is_ok_and(|status| status.success()));
    }
    done.store(true, Ordering::Relaxed);
    worker.join().unwrap()?;
    let samples = profiler.stop()?.total();
    assert!(samples <= signals / 4, "{samples}");
    Ok(())
}

#[test]
fn it_can_start_and_stop_in_the_middle_of_lua_code() -> Result<()> {
    let _turn = turn();
    let lua = Runtime::new()?;
    let profiler = Mutex::new(None);
    let (started, stopped) = (lua.clone(), Arc::new(Mutex::new(None)));
    let profiler = Arc::new(profiler);
    let (starting, stopping) = (profiler.clone(), profiler);
    let result = stopped.clone();
    lua.globals()?.set(
        "start",
        lua.create_function(move |_| {
            *starting.lock().unwrap() = Some(started.profile(fast())?);
            Ok(())
        })?,
    )?;
    lua.globals()?.set(
        "stop",
        lua.create_function(move |_| {
            let profiler = stopping.lock().unwrap().take().unwrap();
            *result.lock().unwrap() = Some(profiler.stop()?);
            Ok(())
        })?,
    )?;
    let sum: i64 = lua
        .load(
            "local s = 0
             local function run(n) for i = 1, n do s = s + i % 2 end end
             run(1e6)
             start()
             coroutine.wrap(function() for i = 1, 100 do run(1e6) end end)()
             stop()
             run(1e6)
             return s",
        )
        .eval()?;
    assert_eq!(sum, 51_000_000);
    let profile = stopped.lock().unwrap().take().unwrap();
    assert!(
        within(&profile, "run") > profile.total() / 2,
        "{}",
        profile.folded()
    );
    // The host function's closure owns a name of the runtime: give it up.
    lua.close()
}

#[test]
fn a_runtime_that_is_closed_ends_it() -> Result<()> {
    let _turn = turn();
    let lua = Runtime::new()?;
    let profiler = lua.profile(fast())?;
    work(&lua)?.call::<()>(())?;
    lua.close()?;
    assert!(matches!(lua.profile(fast()), Err(Error::Closed)));
    assert!(profiler.stop()?.total() >= 10);
    Runtime::new()?.profile(fast())?.stop()?;
    Ok(())
}

#[test]
fn it_works_at_the_memory_limit_and_to_the_depth_asked_for() -> Result<()> {
    let _turn = turn();
    let lua = Runtime::new()?;
    lua.set_memory_limit(Some(lua.memory_used()? + 100_000))?;
    let profiler = lua.profile(fast().depth(3))?;
    let error = lua
        .load(
            "local function deep(n) if n > 0 then return (deep(n - 1)) end
                 local stop = os.clock() + 0.2
                 local s = 0
                 while os.clock() < stop do for i = 1, 1000 do s = s + i end end
                 local t = {} for i = 1, 1e9 do t[i] = {} end
             end
             deep(50)",
        )
        .exec()
        .unwrap_err();
    assert!(matches!(error, Error::Memory), "{error}");
    let profile = profiler.stop()?;
    assert!(profile.total() >= 5, "{profile:?}");
    assert!(
        profile
            .samples
            .iter()
            .all(|sample| sample.frames.len() <= 3)
    );
    assert!(
        profile
            .samples
            .iter()
            .any(|sample| sample.frames.len() == 3)
    );
    Ok(())
}
