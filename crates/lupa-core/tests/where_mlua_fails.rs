//! Programs that end in an abort, a crash, a hang, a panic or a wrong value with mlua on LuaJIT, and what they do here.
//!
//! How that was seen: each program was written for mlua, too, and run in a process of its own with a time limit of 6 seconds, by
//! mlua 0.12.2 with its features `luajit` and `vendored` (mlua-sys 0.13.0, luajit-src 210.7.4), rustc 1.95.0, development profile,
//! on x86-64 Linux. Those that use the debug library need mlua's `Lua::unsafe_new`, which says by its name that
//! this is no longer safe; here the library is loaded by default and is safe.
//!
//! What mlua does right in such places, such as values of a coroutine that was collected, is not listed.

use lupa_core::{
    Cursor, Error, Function, Members, Result, Runtime, Table, UserData, UserType, Value, function,
};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// The runtime still does what it should.
fn usable(lua: &Runtime) -> Result<()> {
    assert_eq!(lua.load("return 1 + 1").eval::<i64>()?, 2);
    lua.gc_collect()
}

/// mlua: the error `out of Lua stack, too many arguments to a Lua function or too many return values from a
/// callback`: handles are slots of a Lua stack, 7,996 of them.
#[test]
fn many_handles_live_at_once() -> Result<()> {
    let lua = Runtime::new()?;
    let tables = (0..20_000)
        .map(|n| {
            let table = lua.create_table()?;
            table.set("n", n)?;
            Ok(table)
        })
        .collect::<Result<Vec<Table>>>()?;
    for (n, table) in tables.iter().enumerate() {
        assert_eq!(table.get::<usize>("n")?, n);
    }
    let values: Vec<Value> = lua
        .load("local t = {} for i = 1, 10000 do t[i] = {} end return t")
        .eval()?;
    assert_eq!(values.len(), 10_000);
    usable(&lua)
}

/// mlua: panics, `cannot create a Lua reference, out of auxiliary stack space (used 7996 slots)`.
#[test]
fn host_and_lua_call_each_other_without_end() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set(
        "f",
        function(|lua: &Runtime, n: i64| -> Result<i64> {
            lua.globals()?.get::<Function>("g")?.call(n + 1)
        }),
    )?;
    let error = lua
        .load("function g(n) return f(n) + 1 end return g(0)")
        .eval::<i64>()
        .unwrap_err();
    assert!(matches!(error, Error::RecursionLimit), "{error}");
    usable(&lua)
}

/// mlua: the process is ended, `thread 'main' has overflowed its stack` (SIGABRT).
#[test]
fn a_metamethod_of_the_host_reads_its_own_table() -> Result<()> {
    let lua = Runtime::new()?;
    let (table, meta) = (lua.create_table()?, lua.create_table()?);
    meta.set(
        "__index",
        function(|table: Table, key: Value| table.get::<Value>(&key)),
    )?;
    table.set_metatable(Some(&meta))?;
    let error = table.get::<Value>("x").unwrap_err();
    assert!(matches!(error, Error::RecursionLimit), "{error}");
    usable(&lua)
}

/// Recursion through LuaJIT's own C functions. mlua: SIGSEGV for `string.gsub`, SIGABRT (stack overflow) for coroutines.
#[test]
fn lua_code_recurses_through_c_functions() -> Result<()> {
    for code in [
        "local function f() return (string.gsub('x', 'x', f)) end return f()",
        "local function f() return coroutine.wrap(f)() end return f()",
    ] {
        let lua = Runtime::new()?;
        let text = lua.load(code).exec().unwrap_err().to_string();
        assert!(text.contains("stack overflow"), "{text}");
        usable(&lua)?;
    }
    Ok(())
}

/// mlua: SIGABRT (stack overflow).
#[test]
fn a_host_function_calls_itself_through_arguments() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?
        .set("f", function(|f: Function| f.call::<()>(&f)))?;
    let error = lua
        .load("local function g() return f(g) end return g()")
        .exec()
        .unwrap_err();
    assert!(matches!(error, Error::RecursionLimit), "{error}");
    usable(&lua)
}

/// mlua: `invalid key to 'next'`, though all that was removed is what had been visited.
#[test]
fn a_table_is_emptied_and_filled_while_it_is_iterated_over() -> Result<()> {
    let lua = Runtime::new()?;
    let table: Table = lua
        .load("local t = {} for i = 1, 8 do t['k' .. i] = i end return t")
        .eval()?;
    let reference = lua.convert(&table, |slot| slot.to_reference())?;
    let mut cursor = Cursor::start();
    let mut visited = 0;
    while let Some(key) = cursor.advance(&reference, |key, _| key.to_value())? {
        visited += 1;
        table.set(&key, Value::Nil)?;
        lua.gc_collect()?;
        for n in 0..50 {
            table.set(n, n)?;
        }
        assert!(visited < 1000);
    }
    assert!(visited > 0);
    usable(&lua)
}

/// mlua: a hook set by `Lua::set_hook` is never called in a compiled loop; the program does not end.
#[test]
fn an_endless_loop_is_stopped() -> Result<()> {
    let lua = Runtime::new()?;
    lua.set_time_limit(Some(Duration::from_millis(200)))?;
    let start = Instant::now();
    let error = lua
        .load("local i = 0 while true do i = i + 1 end")
        .exec()
        .unwrap_err();
    assert!(matches!(error, Error::Timeout(_)), "{error}");
    assert!(start.elapsed() < Duration::from_secs(5));
    lua.set_time_limit(None)?;
    usable(&lua)
}

/// mlua: 2^53 + 1 arrives as 2^53, and `u64::MAX` as 2^64, without an error.
#[test]
fn integers_are_not_rounded() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("n", u64::MAX)?;
    assert_eq!(lua.load("return n").eval::<u64>()?, u64::MAX);
    assert!(lua.load("return n").eval::<i64>().is_err());
    for n in [
        (1i64 << 53) + 1,
        i64::MAX,
        i64::MIN + 1,
        1 << 53,
        -(1 << 53),
        1 << 62,
        i64::MIN,
    ] {
        lua.globals()?.set("n", n)?;
        assert_eq!(lua.load("return n").eval::<i64>()?, n);
    }
    usable(&lua)
}

/// mlua, by default: `pcall` and `coroutine.resume` give false, and the program goes on as if nothing had happened.
#[test]
fn a_panic_is_not_swallowed_by_lua_code() -> Result<()> {
    for code in [
        "pcall(f) went_on = true",
        "coroutine.resume(coroutine.create(f)) went_on = true",
        "xpcall(f, function() end) went_on = true",
    ] {
        let lua = Runtime::new()?;
        lua.globals()?
            .set("f", function(|| -> () { panic!("of the host") }))?;
        let panic = catch_unwind(|| lua.load(code).exec()).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"of the host"));
        assert!(
            !lua.load("return went_on == true").eval::<bool>()?,
            "{code}"
        );
        usable(&lua)?;
    }
    Ok(())
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

impl UserType for Bomb {
    const NAME: &'static str = "Bomb";
    fn members(_: &mut Members<Self>) {}
}

/// mlua: the process is ended (SIGABRT).
#[test]
fn an_object_panics_when_it_is_collected() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("bomb", Bomb)?;
    lua.load("bomb = nil collectgarbage()").exec()?;
    drop(lua.create_userdata(Bomb)?);
    lua.gc_collect()?;
    usable(&lua)
}

/// Uses the runtime when it is dropped.
struct Farewell(Function, Arc<AtomicUsize>);

impl Drop for Farewell {
    fn drop(&mut self) {
        match self.0.call::<()>(()) {
            Ok(()) => self.1.fetch_add(1, SeqCst),
            Err(Error::Closed) => self.1.fetch_add(100, SeqCst),
            Err(error) => panic!("{error}"),
        };
    }
}

impl UserType for Farewell {
    const NAME: &'static str = "Farewell";
    fn members(_: &mut Members<Self>) {}
}

/// mlua: the process is ended (SIGABRT) when the state is: `Lua instance is destroyed`, a panic in a destructor.
#[test]
fn an_object_uses_the_runtime_when_it_is_dropped() -> Result<()> {
    let lua = Runtime::new()?;
    let drops = Arc::new(AtomicUsize::new(0));
    let function = lua.load("calls = (calls or 0) + 1").into_function()?;
    for name in ["collected", "left"] {
        lua.globals()?
            .set(name, Farewell(function.clone(), Arc::clone(&drops)))?;
    }
    lua.load("collected = nil").exec()?;
    usable(&lua)?;
    assert_eq!(lua.load("return calls").eval::<i64>()?, 1);
    lua.close()?;
    assert_eq!(drops.load(SeqCst), 101);
    Ok(())
}

/// mlua: panics, `Lua instance is destroyed`.
#[test]
fn values_are_used_after_the_end_of_their_runtime() -> Result<()> {
    let lua = Runtime::new()?;
    let (table, string) = (lua.create_table()?, lua.create_string("x")?);
    lua.close()?;
    assert!(matches!(table.set("x", 1), Err(Error::Closed)));
    assert!(matches!(string.to_vec(), Err(Error::Closed)));
    // To drop the runtime alone does not end it while there are values.
    let lua = Runtime::new()?;
    let table = lua.create_table()?;
    drop(lua);
    table.set("x", 1)?;
    assert_eq!(table.get::<i64>("x")?, 1);
    usable(table.runtime())
}

/// mlua: panics, `Lua instance passed Value created from a different main Lua state`.
#[test]
fn values_are_given_to_another_runtime() -> Result<()> {
    let (lua, other) = (Runtime::new()?, Runtime::new()?);
    let table = other.create_table()?;
    assert!(matches!(
        lua.globals()?.set("x", &table),
        Err(Error::WrongRuntime)
    ));
    let function = lua.load("return ...").into_function()?;
    assert!(matches!(
        function.call::<Value>(&table),
        Err(Error::WrongRuntime)
    ));
    usable(&lua)
}

/// mlua: after the error each use of the state fails with `not enough memory`, though all of it is garbage.
#[test]
fn a_runtime_recovers_from_its_memory_limit() -> Result<()> {
    let lua = Runtime::builder().memory_limit(2 << 20).build()?;
    let error = lua
        .load("local t = {} for i = 1, 1e7 do t[i] = {} end")
        .exec()
        .unwrap_err();
    assert!(matches!(error, Error::Memory), "{error}");
    usable(&lua)
}

const TEXT: &str = "a text that is long enough for the heap";

struct Text(String);

impl UserType for Text {
    const NAME: &'static str = "Text";
    fn members(members: &mut Members<Self>) {
        members.function("text", |this: &Self| this.0.clone());
    }
}

struct Number(u64);

impl UserType for Number {
    const NAME: &'static str = "Number";
    fn members(members: &mut Members<Self>) {
        members.function("get", |this: &Self| this.0 as f64);
    }
}

/// A runtime with objects `text` and `number` and a function `length`.
fn with_objects() -> Result<(Runtime, UserData)> {
    let lua = Runtime::new()?;
    let text = lua.create_userdata(Text(TEXT.into()))?;
    let globals = lua.globals()?;
    globals.set("text", &text)?;
    globals.set("number", Number(0x4141_4141_4141_4141))?;
    globals.set("length", function(|text: &str| text.len()))?;
    Ok((lua, text))
}

/// Metatables copied by the debug library to another object, a proxy, a file. mlua: SIGSEGV, SIGABRT, SIGSEGV, since it trusts
/// the metatable alone.
#[test]
fn metatables_are_forged() -> Result<()> {
    for victim in ["number", "newproxy(true)", "io.tmpfile()"] {
        let (lua, text) = with_objects()?;
        let code = format!(
            "local p = {victim} debug.setmetatable(p, debug.getmetatable(text)) return p:text()"
        );
        let message = lua.load(&code).exec().unwrap_err().to_string();
        // The method is found, and asks what it was given.
        assert!(message.contains("bad argument #1"), "{message}");
        assert!(message.contains("Text"), "{message}");
        assert_eq!(text.with(|text: &Text| text.0.len())?, TEXT.len());
        usable(&lua)?;
    }
    Ok(())
}

/// mlua: `malloc(): unaligned tcache chunk detected` (SIGABRT): the value is dropped twice.
#[test]
fn a_finalizer_is_called_by_lua_code() -> Result<()> {
    let (lua, text) = with_objects()?;
    lua.load("local gc = debug.getmetatable(text).__gc gc(text) gc(text)")
        .exec()?;
    assert!(lua.load("return text:text()").exec().is_err());
    assert!(text.with(|text: &Text| text.0.len()).is_err());
    usable(&lua)
}

/// mlua: `internal metatable not found`, then SIGABRT; where only the numbered entries are removed, objects that live are freed.
#[test]
fn the_registry_is_emptied() -> Result<()> {
    let (lua, text) = with_objects()?;
    let table = lua.create_table()?;
    table.set("a", 1)?;
    lua.load("local r = debug.getregistry() for k in pairs(r) do r[k] = nil end collectgarbage() collectgarbage()").exec()?;
    assert_eq!(table.get::<i64>("a")?, 1);
    assert_eq!(text.with(|text: &Text| text.0.len())?, TEXT.len());
    assert_eq!(
        lua.load("return #text:text() + length('abc')")
            .eval::<usize>()?,
        TEXT.len() + 3
    );
    usable(&lua)
}

/// mlua: SIGSEGV: what a function was made of is an upvalue that can be replaced.
#[test]
fn the_upvalues_of_a_host_function_are_replaced() -> Result<()> {
    let (lua, _) = with_objects()?;
    lua.load("for i = 1, 5 do pcall(debug.setupvalue, length, i, newproxy()) end")
        .exec()?;
    assert_eq!(lua.load("return length('abc')").eval::<usize>()?, 3);
    usable(&lua)
}

/// mlua: the process is ended (SIGTRAP): the slots of a running host function are changed under it.
#[test]
fn the_arguments_of_a_running_host_function_are_replaced() -> Result<()> {
    let (lua, _) = with_objects()?;
    lua.globals()?.set(
        "f",
        function(|lua: &Runtime, text: &str, f: Function| -> Result<String> {
            f.call::<()>(())?;
            lua.gc_collect()?;
            Ok(text.to_owned())
        }),
    )?;
    let text: String = lua
        .load(
            "return f('abc' .. 1, function()
                 for level = 1, 8 do for slot = 1, 20 do pcall(debug.setlocal, level, slot, {}) end end
             end)",
        )
        .eval()?;
    assert_eq!(text, "abc1");
    usable(&lua)
}
