//! Coroutines, from both sides.

use lupa_core::{Coroutine, CoroutineStatus, Error, Function, Result, Runtime, Table, Value};

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
    assert_eq!(co.status()?, CoroutineStatus::Dead);
    assert!(matches!(
        co.resume::<()>(()),
        Err(Error::CoroutineUnresumable("dead"))
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
