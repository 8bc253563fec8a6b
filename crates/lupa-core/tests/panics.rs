//! Panics of host code pass through Lua and arrive at the host's call.

use lupa_core::{Call, Error, Function, HostObject, Operation, Result, Runtime, Table};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

/// Runs Lua code that is to panic, and gives what the panic carries.
fn panic_of(lua: &Runtime, code: &str) -> u32 {
    let outcome = catch_unwind(AssertUnwindSafe(|| lua.load(code).exec()));
    let payload = *outcome.expect_err(code).downcast::<u32>().expect(code);
    // The runtime goes on, with no hook left behind.
    assert!(
        lua.load("return debug.gethook() == nil")
            .eval::<bool>()
            .unwrap(),
        "{code}"
    );
    payload
}

struct Bomb(u32);

impl HostObject for Bomb {
    const NAME: &'static str = "bomb";
    const OPERATIONS: &'static [Operation] = &[
        Operation::Index,
        Operation::Add,
        Operation::ToString,
        Operation::Lt,
        Operation::Concat,
    ];
    fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
        panic_any(self.0)
    }
}

fn runtime() -> Result<Runtime> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("panic", lua.create_function(|_| panic_any(7_u32))?)?;
    globals.set("bomb", lua.create_object(Bomb(7))?)?;
    globals.set(
        "call",
        lua.create_function(|call| call.get::<Function>(0)?.call::<()>(()))?,
    )?;
    Ok(lua)
}

#[test]
fn nothing_in_lua_swallows_them() -> Result<()> {
    let lua = runtime()?;
    // Breaks if the panic is an ordinary Lua error, or (aborts) if it unwinds Lua's frames.
    for code in [
        "panic()",
        "pcall(panic)",
        "while true do pcall(panic) end",
        "pcall(pcall, panic)",
        "xpcall(panic, function() end)",
        "xpcall(panic, function() while true do end end)",
        "xpcall(panic, panic)",
        "coroutine.wrap(panic)()",
        "coroutine.resume(coroutine.create(panic)); while true do end",
        "coroutine.resume(coroutine.create(function() pcall(panic) coroutine.yield() end)) while true do end",
        "return bomb.x",
        "return pcall(function() return bomb + 1 end)",
        "return pcall(tostring, bomb)",
        "return pcall(table.sort, {bomb, bomb})",
        "return pcall(string.gsub, 'x', 'x', panic)",
        "return pcall(load, panic)",
        "pcall(call, panic)",
        "pcall(call, function() pcall(panic) while true do end end)",
        "call(function() coroutine.wrap(function() call(panic) end)() end)",
        "for i = 1, 1e9 do pcall(function() for j = 1, 10 do if j == 10 and i == 1000 then panic() end end end) end",
    ] {
        assert_eq!(panic_of(&lua, code), 7, "{code}");
    }
    Ok(())
}

#[test]
fn hooks_of_lua_code_are_put_back() -> Result<()> {
    let lua = runtime()?;
    lua.load("n = 0; debug.sethook(function() n = n + 1 end, '', 100)")
        .exec()?;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        lua.load("pcall(panic) while true do end").exec()
    }));
    assert!(outcome.is_err());
    let counted: bool = lua
        .load("local f, mask, count = debug.gethook(); assert(count == 100); n = 0; for i = 1, 1e4 do end return n > 0")
        .eval()?;
    assert!(counted);
    Ok(())
}

#[test]
fn panics_in_coroutines_that_the_host_resumes() -> Result<()> {
    let lua = runtime()?;
    let f: Function = lua
        .load("return function() pcall(panic) coroutine.yield() end")
        .eval()?;
    let co = f.coroutine()?;
    let outcome = catch_unwind(AssertUnwindSafe(|| co.resume::<()>(())));
    assert_eq!(*outcome.unwrap_err().downcast::<u32>().unwrap(), 7);
    assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
    Ok(())
}

#[test]
fn the_host_may_catch_them_on_the_way() -> Result<()> {
    let lua = runtime()?;
    let guard = lua.create_function(|call| {
        let f: Function = call.get(0)?;
        let caught = catch_unwind(AssertUnwindSafe(|| f.call::<()>(())));
        call.push(caught.is_err())
    })?;
    lua.globals()?.set("guard", guard)?;
    let (first, second): (bool, bool) = lua
        .load("local a = guard(panic); for i = 1, 100 do end; return a, guard(print)")
        .eval()?;
    assert!(first && !second);
    Ok(())
}

#[test]
fn panics_of_drops_in_finalizers_are_swallowed() -> Result<()> {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic_any(Shrapnel);
        }
    }
    struct Shrapnel;
    impl Drop for Shrapnel {
        fn drop(&mut self) {
            panic!("even the panic's payload panics");
        }
    }
    impl HostObject for Grenade {
        const NAME: &'static str = "grenade";
        const OPERATIONS: &'static [Operation] = &[];
        fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
            Ok(())
        }
    }
    let lua = runtime()?;
    // Breaks (aborts) if a panic of a drop, or of its payload's, leaves `dispatch`.
    drop(lua.create_object(Grenade)?);
    lua.gc_collect()?;
    lua.globals()?.set("kept", lua.create_object(Grenade)?)?;
    lua.close()
}

#[test]
fn a_panic_of_a_finalizer_in_lua_code_arrives() -> Result<()> {
    let lua = runtime()?;
    let code = "local p = newproxy(true); getmetatable(p).__gc = panic; p = nil; collectgarbage() while true do end";
    assert_eq!(panic_of(&lua, code), 7);
    Ok(())
}

#[test]
fn an_errors_own_display_may_panic() -> Result<()> {
    #[derive(Debug)]
    struct Evil;
    impl std::fmt::Display for Evil {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic_any(7_u32)
        }
    }
    impl std::error::Error for Evil {}
    let lua = runtime()?;
    lua.globals()?
        .set("evil", lua.create_function(|_| Err(Error::external(Evil)))?)?;
    assert_eq!(
        panic_of(&lua, "local ok, e = pcall(evil) return tostring(e)"),
        7
    );
    Ok(())
}

#[test]
fn closures_of_the_api_may_panic() -> Result<()> {
    let lua = runtime()?;
    let table: Table = lua.load("return {1, 2, 3}").eval()?;
    let f: Function = lua.load("return function() end").eval()?;
    let handles = lua.handles()?;
    for _ in 0..1000 {
        let panicked = |f: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
        panicked(&|| drop(table.for_each(|_: i32, _: i32| panic_any(0_u32))));
        panicked(&|| drop(table.get_with(|_| panic_any(0_u32), |_| Ok(()))));
        panicked(&|| {
            drop(table.get_with(|to| to.number(1.0), |_| -> Result<()> { panic_any(0_u32) }));
        });
        panicked(&|| drop(f.call_with(|_| panic_any(0_u32), lupa_core::Directly, |_| Ok(()))));
        panicked(&|| {
            drop(f.call_with(
                |_| Ok(()),
                lupa_core::Directly,
                |_| -> Result<()> { panic_any(0_u32) },
            ));
        });
        panicked(&|| drop(lua.create_table_with(9, 9, |_| panic_any(0_u32))));
    }
    assert_eq!((table.len()?, lua.handles()?), (3, handles));
    assert!(lua.lock().is_ok());
    lua.close()
}
