//! Coroutines, from both sides.

use lupa_core::{
    Coroutine, CoroutineStatus, Error, Function, Result, Runtime, Table, Value, Variadic,
};

#[test]
fn values_go_in_and_out() -> Result<()> {
    let lua = Runtime::new()?;
    let f: Function = lua
        .load("return function(...) local n = select('#', ...) while true do n = n + select('#', coroutine.yield(n, 'x')) end end")
        .eval()?;
    let co = f.coroutine()?;
    let (n, x): (usize, String) = co.resume((1, 2, 3))?;
    assert_eq!((n, x.as_str()), (3, "x"));
    assert_eq!(co.resume::<usize>(())?, 3);
    assert_eq!(co.resume::<usize>(&[0; 5000][..])?, 5003);
    Ok(())
}

#[test]
fn errors_have_value_and_traceback() -> Result<()> {
    let lua = Runtime::new()?;
    let f: Function = lua
        .load("local function inner() error({code = 5}) end return function() coroutine.yield() inner() end")
        .name("=co")
        .eval()?;
    let co = f.coroutine()?;
    co.resume::<()>(())?;
    let error = co.resume::<()>(()).unwrap_err();
    assert!(
        error
            .traceback()
            .unwrap()
            .contains("co:1: in function 'inner'"),
        "{error}"
    );
    let Error::Runtime(inner) = &error else {
        panic!()
    };
    let Some(Value::Table(value)) = &inner.value else {
        panic!()
    };
    assert_eq!(value.get::<i32>("code")?, 5);
    assert_eq!(co.status()?, CoroutineStatus::Failed);
    assert!(matches!(
        co.resume::<()>(()),
        Err(Error::CoroutineUnresumable(CoroutineStatus::Failed))
    ));
    Ok(())
}

#[test]
fn a_coroutine_cannot_resume_itself() -> Result<()> {
    let lua = Runtime::new()?;
    let resume = lua.create_function(|call| {
        let co: Coroutine = call.get(0)?;
        assert_eq!(co.status()?, CoroutineStatus::Running);
        let error = co.resume::<()>(()).unwrap_err();
        call.push(error.to_string())
    })?;
    lua.globals()?.set("resume", resume)?;
    let text: String = lua
        .load("return coroutine.wrap(function() return resume(coroutine.running()) end)()")
        .eval()?;
    assert_eq!(text, "cannot resume non-suspended coroutine");
    // One that waits for the coroutine that asks.
    let text: String = lua
        .load(
            "local outer; outer = coroutine.create(function()
                 return coroutine.wrap(function() return resume(outer) end)()
             end)
             return select(2, coroutine.resume(outer))",
        )
        .eval()?;
    assert_eq!(text, "cannot resume non-suspended coroutine");
    Ok(())
}

#[test]
fn callbacks_resume_and_create_coroutines() -> Result<()> {
    let lua = Runtime::new()?;
    let drive = lua.create_function(|call| {
        let f: Function = call.get(0)?;
        let co = f.coroutine()?;
        let mut sum = 0;
        while co.status()? != CoroutineStatus::Dead {
            sum += co.resume::<Option<i32>>(())?.unwrap_or(0);
        }
        call.push(sum)
    })?;
    lua.globals()?.set("drive", drive)?;
    let sum: i32 = lua
        .load(
            "return drive(function() for i = 1, 3 do
                 coroutine.yield(drive(function() coroutine.yield(i) coroutine.yield(10 * i) end))
             end end)",
        )
        .eval()?;
    assert_eq!(sum, 66);
    Ok(())
}

#[test]
fn yields_pass_pcall_but_not_host_functions() -> Result<()> {
    let lua = Runtime::new()?;
    let f: Function = lua
        .load("return function() local ok, v = pcall(function() return coroutine.yield(1) + 1 end) return ok, v end")
        .eval()?;
    let co = f.coroutine()?;
    assert_eq!(co.resume::<i32>(())?, 1);
    assert_eq!(co.resume::<(bool, i32)>(41)?, (true, 42));

    let call = lua.create_function(|call| call.get::<Function>(0)?.call::<()>(()))?;
    lua.globals()?.set("call", call)?;
    let outcome = lua
        .load("return coroutine.wrap(function() call(function() coroutine.yield() end) end)()")
        .exec();
    assert!(
        outcome
            .unwrap_err()
            .to_string()
            .contains("attempt to yield across C-call boundary")
    );
    Ok(())
}

#[test]
fn handles_outlive_the_coroutine_they_were_made_in() -> Result<()> {
    let lua = Runtime::new()?;
    let (sender, receiver) = std::sync::mpsc::channel::<(Table, Function)>();
    let keep = lua.create_function(move |call| {
        let table: Table = call.get(0)?;
        let made = call.runtime().create_table()?;
        made.set("inner", &table)?;
        let function = call
            .runtime()
            .create_function(|call| call.push(call.len()))?;
        table.set("made", &made)?;
        sender.send((made, function)).unwrap();
        call.push(table.get::<i32>("n")? + 1)
    })?;
    lua.globals()?.set("keep", keep)?;
    // Breaks if a handle remembers the lua_State that it was made in.
    for round in 0..50 {
        let n: i32 = lua
            .load("return coroutine.wrap(function() return keep({n = 1}) end)()")
            .eval()?;
        assert_eq!(n, 2);
        lua.gc_collect()?;
        lua.load("for i = 1, 50 do coroutine.create(function() end) end")
            .exec()?;
        let (table, function) = receiver.recv().unwrap();
        assert_eq!(table.get::<Table>("inner")?.get::<i32>("n")?, 1);
        assert_eq!(function.call::<usize>((round, 2))?, 2);
        table.set("x", round)?;
    }
    Ok(())
}

#[test]
fn an_unstarted_coroutine_gives_its_function() -> Result<()> {
    let lua = Runtime::new()?;
    let co: Coroutine = lua
        .load("return coroutine.create(function(a) coroutine.yield(a) end)")
        .eval()?;
    let f = co.function()?.unwrap();
    for i in 0..3 {
        assert_eq!(f.coroutine()?.resume::<i32>(i)?, i);
    }
    assert_eq!(co.resume::<i32>(7)?, 7);
    assert!(co.function()?.is_none());
    Ok(())
}

#[test]
fn a_refused_resume_leaves_the_coroutine_as_it_was() -> Result<()> {
    let lua = Runtime::new()?;
    let f: Function = lua
        .load("return function(...) return select('#', ...) end")
        .eval()?;
    let co = f.coroutine()?;
    lua.gc_collect()?;
    lua.gc_collect()?;
    let ballast = lua.create_string(vec![b'x'; 1 << 20])?;
    lua.set_memory_limit(Some(lua.memory_used()? - 1000))?;
    // Breaks if the arguments move to the coroutine before the run is allowed.
    assert!(matches!(co.resume::<()>((1, 2)), Err(Error::Memory)));
    lua.set_memory_limit(None)?;
    assert_eq!(co.status()?, CoroutineStatus::New);
    assert_eq!(co.resume::<usize>((1, 2, 3))?, 3);
    drop(ballast);
    Ok(())
}

#[test]
fn too_many_values_are_an_error() -> Result<()> {
    let lua = Runtime::new()?;
    let f: Function = lua
        .load("return function(...) return select('#', ...) end")
        .eval()?;
    let co = f.coroutine()?;
    assert!(matches!(
        co.resume::<()>(&vec![1; 1_000_000][..]),
        Err(Error::StackOverflow(_))
    ));
    assert_eq!(co.resume::<usize>(1)?, 1);
    Ok(())
}

#[test]
fn a_suspended_coroutine_is_left_alone() -> Result<()> {
    let lua = Runtime::new()?;
    let host = lua.create_function(|call| call.push(call.runtime().create_table()?))?;
    lua.globals()?.set("host", host)?;
    let step: Function = lua
        .load(
            "return coroutine.wrap(function()
                 local t = host()
                 for i = 1, 5 do t[i] = coroutine.yield(i) end
                 return table.concat(t, ' ')
             end)",
        )
        .eval()?;
    // Breaks if the host goes on with the coroutine's state that it was called in.
    assert_eq!(step.call::<i32>(())?, 1);
    for i in 2..=5 {
        let junk: Vec<String> = lua.load("return {'a', 'b', 'c'}").eval()?;
        assert_eq!(junk.len(), 3);
        assert_eq!(step.call::<i32>(10 * i)?, i);
    }
    assert_eq!(step.call::<String>(60)?, "20 30 40 50 60");
    Ok(())
}

/// A coroutine of the function that a chunk gives, run to its first yield.
fn started(lua: &Runtime, code: &str) -> Result<Coroutine> {
    let co = lua.load(code).eval::<Function>()?.coroutine()?;
    co.resume::<()>(())?;
    Ok(co)
}

#[test]
fn an_error_is_thrown_at_the_yield() -> Result<()> {
    let lua = Runtime::new()?;
    // However the yield was called: by Lua code, by pcall itself, as a tail call, deep in calls, in a
    // metamethod, in an iterator, with many values on the stack.
    for (how, code) in [
        (
            "in Lua",
            "local ok, e = pcall(function() local r = coroutine.yield() return r end)",
        ),
        ("by pcall", "local ok, e = pcall(coroutine.yield, 1, 2, 3)"),
        (
            "tail call",
            "local ok, e = pcall(function() return coroutine.yield() end)",
        ),
        (
            "nested pcall",
            "local ok, e = pcall(pcall, error, 1) ok, e = pcall(function() local a, b = pcall(coroutine.yield) error(b, 0) end)",
        ),
        (
            "deep",
            "local function f(n) if n == 0 then coroutine.yield() else f(n - 1) end return n end local ok, e = pcall(f, 150)",
        ),
        (
            "metamethod",
            "local t = setmetatable({}, {__index = function() coroutine.yield() end, __add = coroutine.yield}) local ok, e = pcall(function() return t.x end)",
        ),
        (
            "operator",
            "local t = setmetatable({}, {__add = coroutine.yield}) local ok, e = pcall(function() return t + 1 end)",
        ),
        (
            "iterator",
            "local ok, e = pcall(function() for x in coroutine.yield do end end)",
        ),
        (
            "vararg",
            "local ok, e = pcall(function(...) local n = select('#', ...) coroutine.yield(...) return n end, unpack({}, 1, 200))",
        ),
        (
            "xpcall",
            "local ok, e = xpcall(function() coroutine.yield() end, function(e) return e end)",
        ),
        (
            "xpcall itself",
            "local ok, e = xpcall(coroutine.yield, function(e) return e end)",
        ),
    ] {
        let code = format!(
            "return function() {code} assert(ok == false) local x = coroutine.yield(e) return x, 'end' end"
        );
        let co = started(&lua, &code)?;
        assert_eq!(co.throw::<String>("thrown")?, "thrown", "{how}");
        assert_eq!(co.status()?, CoroutineStatus::Suspended, "{how}");
        // The coroutine is whole: it goes on as any other.
        lua.gc_collect()?;
        let (x, end): (i32, String) = co.resume(7)?;
        assert_eq!((x, end.as_str()), (7, "end"), "{how}");
        assert_eq!(co.status()?, CoroutineStatus::Dead, "{how}");
    }
    Ok(())
}

#[test]
fn an_error_that_nobody_catches_ends_the_coroutine() -> Result<()> {
    let lua = Runtime::new()?;
    let co = started(
        &lua,
        "return function() local up = 1 f = function() return up end coroutine.yield() up = 2 end",
    )?;
    let error = co.throw::<()>("thrown").unwrap_err();
    assert!(error.to_string().starts_with("thrown\n"), "{error}");
    assert!(error.traceback().unwrap().contains("yield"), "{error:?}");
    assert_eq!(co.status()?, CoroutineStatus::Failed);
    lua.gc_collect()?;
    assert_eq!(lua.load("return f()").eval::<i32>()?, 1);
    // In a finished one nothing can catch it either, and what the host threw is what it gets.
    assert_eq!(co.throw::<()>("again").unwrap_err().to_string(), "again");
    let new = lua
        .load("return function() ran = true end")
        .eval::<Function>()?
        .coroutine()?;
    assert_eq!(new.throw::<()>("early").unwrap_err().to_string(), "early");
    assert!(new.status()?.has_ended());
    assert!(!lua.load("return ran == true").eval::<bool>()?);
    Ok(())
}

#[test]
fn an_uncatchable_error_goes_past_all_handlers() -> Result<()> {
    let lua = Runtime::new()?;
    let co = started(
        &lua,
        "return function() while true do pcall(coroutine.yield) xpcall(coroutine.yield, function() while true do end end) end end",
    )?;
    let thrown = co.throw_with(
        |to| to.bytes(b"out"),
        false,
        lupa_core::Directly,
        |_| Ok(()),
    );
    assert!(thrown.unwrap_err().to_string().starts_with("out\n"));
    assert!(co.status()?.has_ended());
    assert!(!lua.load("return pcall(error, 1)").eval::<bool>()?);
    Ok(())
}

#[test]
fn a_running_coroutine_is_neither_thrown_into_nor_closed() -> Result<()> {
    let lua = Runtime::new()?;
    let poke = lua.create_function(|call| {
        let co: Coroutine = call.get(0)?;
        assert!(matches!(
            co.throw::<()>("x"),
            Err(Error::CoroutineUnresumable(CoroutineStatus::Running))
        ));
        let error = co.close().unwrap_err();
        call.push(error.to_string())
    })?;
    lua.globals()?.set("poke", poke)?;
    let text: String = lua
        .load("local co co = coroutine.create(function() local inner = coroutine.create(function() return poke(co) end) return select(2, coroutine.resume(inner)) end) return select(2, coroutine.resume(co))")
        .eval()?;
    assert_eq!(text, "cannot close a running coroutine");
    Ok(())
}

#[test]
fn a_closed_coroutine_has_ended_and_keeps_its_upvalues() -> Result<()> {
    let lua = Runtime::new()?;
    let co = started(
        &lua,
        "return function() local up = {} f = function() up[#up + 1] = 1 return #up end pcall(coroutine.yield) ran = true end",
    )?;
    co.close()?;
    co.close()?;
    assert_eq!(co.status()?, CoroutineStatus::Dead);
    lua.gc_collect()?;
    assert_eq!(lua.load("f() return f()").eval::<i32>()?, 2);
    assert!(matches!(
        co.resume::<()>(()),
        Err(Error::CoroutineUnresumable(CoroutineStatus::Dead))
    ));
    assert!(!lua.load("return ran == true").eval::<bool>()?);
    lua.globals()?.set("co", &co)?;
    let (status, ok): (String, bool) = lua
        .load("return coroutine.status(co), (coroutine.resume(co))")
        .eval()?;
    assert_eq!((status.as_str(), ok), ("dead", false));
    let new = lua
        .load("return function() ran = true end")
        .eval::<Function>()?
        .coroutine()?;
    new.close()?;
    assert!(new.status()?.has_ended());
    Ok(())
}

#[test]
fn throwing_needs_nothing_that_lua_code_can_change() -> Result<()> {
    let lua = Runtime::new()?;
    let co = started(&lua, "return function() return pcall(coroutine.yield) end")?;
    lua.load("coroutine = nil error = nil pcall = nil").exec()?;
    let (ok, error): (bool, i32) = co.throw(42)?;
    assert_eq!((ok, error), (false, 42));
    Ok(())
}

#[test]
fn a_throw_without_memory_leaves_the_coroutine_as_it_was() -> Result<()> {
    let lua = Runtime::builder().memory_limit(1 << 30).build()?;
    let co = started(
        &lua,
        "return function() return select('#', pcall(coroutine.yield)) end",
    )?;
    let used = lua.memory_used()?;
    for more in (0..4000).step_by(16) {
        lua.set_memory_limit(Some(used + more))?;
        match co.throw::<i32>("x") {
            Ok(count) => {
                assert_eq!(count, 2);
                return Ok(());
            }
            Err(Error::Memory | Error::StackOverflow(_)) => {}
            Err(error) => panic!("{error:?} at {more}"),
        }
        if co.status()?.has_ended() {
            // It ran, and had no memory there.
            return Ok(());
        }
    }
    panic!("it never fits");
}

#[test]
fn a_host_function_finds_the_coroutine_and_the_lines_that_called_it() -> Result<()> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set(
        "current",
        lua.function(|lua: &Runtime| lua.current_coroutine())?,
    )?;
    globals.set(
        "trace",
        lua.function(|lua: &Runtime| Ok(lua.traceback()?.to_string()))?,
    )?;
    assert!(lua.current_coroutine()?.is_none());
    let same: bool = lua
        .load(
            "local function is_it() return current() == coroutine.running() end
             local inner = coroutine.wrap(function() return coroutine.wrap(is_it)() and is_it() end)
             return current() == nil and inner() and current() == nil",
        )
        .eval()?;
    assert!(same);

    assert_eq!(lua.traceback()?.to_str_lossy(), "stack traceback:");
    let lines =
        |text: String| -> Vec<String> { text.lines().map(|line| line.trim().to_owned()).collect() };
    let text: String = lua
        .load("local function f()\n  local t = trace()\n  return t\nend\nreturn (f())")
        .name("@t.lua")
        .eval()?;
    assert_eq!(
        lines(text),
        [
            "stack traceback:",
            "t.lua:2: in function 'f'",
            "t.lua:5: in main chunk"
        ]
    );
    // A coroutine tells of itself: before its start, while it waits, after it has failed.
    let co = started(
        &lua,
        "return function() coroutine.yield() error('over') end",
    )?;
    assert!(
        co.traceback()?
            .to_str_lossy()
            .contains("in function 'yield'")
    );
    assert!(co.resume::<()>(()).is_err());
    assert!(
        co.traceback()?
            .to_str_lossy()
            .contains("in function 'error'")
    );
    let new = lua.load("").into_function()?.coroutine()?;
    assert_eq!(new.traceback()?.to_str_lossy(), "stack traceback:");
    Ok(())
}

// Memory that was refused makes the next run start with a collection, which comes between the host's look at the
// coroutine and its start.

#[test]
fn a_finalizer_may_resume_the_coroutine_that_is_being_resumed() -> Result<()> {
    let lua = Runtime::builder().memory_limit(20 << 20).build()?;
    for (rest, outcome) in [
        ("return 1", Err(CoroutineStatus::Dead)),
        ("error('x')", Err(CoroutineStatus::Failed)),
        ("return coroutine.yield()", Ok(3)),
    ] {
        let coroutine: Coroutine = lua
            .load("local rest = loadstring(...) co = coroutine.create(function() coroutine.yield() return rest() end) coroutine.resume(co) return co")
            .call(rest)?;
        let code = "
            getmetatable(newproxy(true)).__gc = function() coroutine.resume(co) co = nil end
            assert(not pcall(string.rep, 'x', 1e9))";
        lua.load(code).exec()?;
        match (coroutine.resume::<i32>(3), outcome) {
            (Ok(result), Ok(expected)) => assert_eq!(result, expected),
            (Err(Error::CoroutineUnresumable(status)), Err(expected)) => {
                assert_eq!(status, expected);
            }
            (result, _) => panic!("{rest}: {result:?}"),
        }
        assert!(lua.globals()?.get::<Option<Value>>("co")?.is_none());
    }
    Ok(())
}

// Without room for the arguments they are written over what is not the stack's, which AddressSanitizer sees.
#[test]
fn the_collector_may_shrink_the_stack_of_the_coroutine_that_is_being_resumed() -> Result<()> {
    let lua = Runtime::builder().memory_limit(20 << 20).build()?;
    let code = "return coroutine.create(function(...) local t = {} while true do t = { coroutine.yield(t) } end end)";
    let coroutine: Coroutine = lua.load(code).eval()?;
    coroutine.resume::<()>(())?;
    for count in [100, 1000, 7000, 7000] {
        lua.load("assert(not pcall(string.rep, 'x', 1e9))").exec()?;
        let arguments: Vec<i32> = (0..count).collect();
        assert_eq!(
            coroutine.resume::<Vec<i32>>(Variadic::from(arguments.clone()))?,
            arguments
        );
    }
    Ok(())
}
