//! The compiler's switches.

use lupa_core::{Error, Function, JitScope, Libs, Result, Runtime, Table};

/// Runs a hot loop, and tells how many traces there are afterwards.
const TRACES: &str = "
    local f = ...
    local util = require 'jit.util'
    f()
    local count = 0
    for i = 1, 1000 do if util.traceinfo(i) then count = count + 1 end end
    return count";

/// A function with one loop.
fn hot(lua: &Runtime) -> Result<Function> {
    lua.load("local s = 0 for i = 1, 1000 do s = s + i end return s")
        .into_function()
}

fn traces(lua: &Runtime, function: &Function) -> Result<usize> {
    lua.load(TRACES).call(function)
}

#[test]
fn the_whole_compiler_can_be_switched() -> Result<()> {
    let lua = Runtime::new()?;
    let function = hot(&lua)?;
    assert!(lua.jit().status()?.enabled);
    lua.jit().set_enabled(false)?;
    assert!(!lua.jit().status()?.enabled);
    assert!(!lua.load("return (jit.status())").eval::<bool>()?);
    assert_eq!(traces(&lua, &function)?, 0);
    lua.jit().set_enabled(true)?;
    assert!(lua.load("return (jit.status())").eval::<bool>()?);
    assert!(traces(&lua, &function)? > 0);
    lua.jit().flush()?;
    let nothing = lua.load("return").into_function()?;
    lua.jit().set_enabled(false)?;
    assert_eq!(traces(&lua, &nothing)?, 0);
    Ok(())
}

#[test]
fn functions_can_be_switched_one_by_one() -> Result<()> {
    for (scope, chunk_is_compiled, inner_is_compiled) in [
        (JitScope::Function, false, true),
        (JitScope::Inner, true, false),
        (JitScope::FunctionAndInner, false, false),
    ] {
        let lua = Runtime::new()?;
        let code = "
            local function run()
                local t = 0
                for i = 1, 300 do t = t + i end
                return t
            end
            local s = 0
            for i = 1, 300 do s = s + i end
            return s, run";
        let chunk = lua.load(code).into_function()?;
        // What looks for traces has a loop, too.
        let probe = lua.load(TRACES).into_function()?;
        lua.jit().disable_for(&probe, JitScope::Function)?;
        let count = |f: &Function| probe.call::<usize>(f);
        lua.jit().disable_for(&chunk, scope)?;
        assert_eq!(count(&chunk)? > 0, chunk_is_compiled, "{scope:?}");
        let (_, run): (i32, Function) = chunk.call(())?;
        lua.jit().flush()?;
        assert_eq!(count(&run)? > 0, inner_is_compiled, "{scope:?}");
        lua.jit().enable_for(&chunk, scope)?;
        lua.jit().flush()?;
        assert!(count(&chunk)? > 0 && count(&run)? > 1, "{scope:?}");
    }
    Ok(())
}

#[test]
fn traces_of_one_function_can_be_thrown_away() -> Result<()> {
    let lua = Runtime::new()?;
    let inner = hot(&lua)?;
    let probe = lua.load(TRACES).into_function()?;
    lua.jit().disable_for(&probe, JitScope::Function)?;
    let nothing = lua.load("return").into_function()?;
    assert!(probe.call::<usize>(&inner)? > 0);
    lua.jit().flush_for(&inner, JitScope::Function)?;
    // They are gone for good when the collector has freed them.
    lua.gc_collect()?;
    assert_eq!(probe.call::<usize>(&nothing)?, 0);
    assert!(probe.call::<usize>(&inner)? > 0);
    for number in [0, 1, 2, 999, u16::MAX] {
        lua.jit().flush_trace(number)?;
    }
    lua.gc_collect()?;
    assert_eq!(probe.call::<usize>(&nothing)?, 0);
    Ok(())
}

#[test]
fn it_works_without_the_jit_library() -> Result<()> {
    for builder in [
        Runtime::builder().libs(Libs::BASE),
        Runtime::builder().sandbox(true),
    ] {
        let lua = builder.build()?;
        assert!(lua.load("return jit == nil").eval::<bool>()?);
        assert!(lua.jit().status()?.enabled);
        lua.jit().set_enabled(false)?;
        lua.jit().flush()?;
        assert!(!lua.jit().status()?.enabled);
        let sum = lua
            .load("local s = 0 for i = 1, 1000 do s = s + i end return s")
            .into_function()?;
        lua.jit().disable_for(&sum, JitScope::FunctionAndInner)?;
        assert_eq!(sum.call::<i32>(())?, 500_500);
    }
    Ok(())
}

#[test]
fn features_are_those_that_lua_code_sees() -> Result<()> {
    let lua = Runtime::new()?;
    let all: Vec<String> = lua
        .load("local all = {jit.status()} table.remove(all, 1) return all")
        .eval()?;
    let features = lua.jit().status()?.cpu_features;
    assert!(
        features.iter().all(|feature| all.contains(feature)),
        "{features:?} {all:?}"
    );
    // Those of LuaJIT for this processor come first, the optimizations after them.
    assert_eq!(all[..features.len()], features);
    assert!(all[features.len()..].contains(&"fold".to_owned()));
    if cfg!(target_arch = "x86_64") {
        assert!(
            features
                .iter()
                .all(|f| ["SSE3", "SSE4.1", "BMI2"].contains(&f.as_str()))
        );
    }
    Ok(())
}

#[test]
fn what_cannot_be_compiled_is_an_error() -> Result<()> {
    let lua = Runtime::new()?;
    let print: Function = lua.load("return print").eval()?;
    let message = |outcome: Result<()>| outcome.unwrap_err().to_string();
    assert_eq!(
        message(lua.jit().disable_for(&print, JitScope::Function)),
        "a C function is not compiled"
    );
    let foreign = Runtime::new()?.load("return").into_function()?;
    assert!(matches!(
        lua.jit().enable_for(&foreign, JitScope::Function),
        Err(Error::WrongRuntime)
    ));
    lua.close()?;
    assert!(matches!(lua.jit().flush(), Err(Error::Closed)));
    assert!(matches!(lua.jit().status(), Err(Error::Closed)));
    Ok(())
}

#[test]
fn switches_do_no_harm_while_code_runs() -> Result<()> {
    let lua = Runtime::new()?;
    let switches: Table = lua.create_table()?;
    switches.set(
        "flush",
        lua.create_function(|call| call.runtime().jit().flush())?,
    )?;
    switches.set(
        "off",
        lua.create_function(|call| call.runtime().jit().set_enabled(false))?,
    )?;
    switches.set(
        "on",
        lua.create_function(|call| call.runtime().jit().set_enabled(true))?,
    )?;
    let sum: i64 = lua
        .load(
            "local switches = ...
             local s = 0
             for round = 1, 200 do
                 for i = 1, 100 do
                     s = s + i
                     if i % 50 == 0 then switches.flush() end
                     if i == 60 then switches.off() end
                     if i == 70 then switches.on() end
                 end
             end
             return s",
        )
        .call(&switches)?;
    assert_eq!(sum, 200 * 5050);
    // LuaJIT refuses in a finalizer; so it is an error there, and no more.
    let seen: String = lua
        .load(
            "local switches = ...
             local seen
             local p = newproxy(true)
             getmetatable(p).__gc = function() seen = tostring(select(2, pcall(switches.off))) end
             p = nil
             collectgarbage() collectgarbage()
             return seen",
        )
        .call(&switches)?;
    assert!(
        seen.contains("finalizer") || seen.contains("__gc"),
        "{seen}"
    );
    assert!(lua.jit().status()?.enabled);
    Ok(())
}
