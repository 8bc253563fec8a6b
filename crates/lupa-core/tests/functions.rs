//! Functions: bound arguments, environments, what they say of themselves, bytecode.

use lupa_core::{
    ChunkMode, CoroutineStatus, Error, Function, FunctionKind, Libs, Result, Runtime, Table, Value,
    Variadic,
};

#[test]
fn bound_arguments_come_first() -> Result<()> {
    let lua = Runtime::new()?;
    let list: Function = lua
        .load("return function(...) return select('#', ...), ... end")
        .eval()?;
    for count in [0, 1, 49, 50, 51, 100, 333] {
        let bound = list.bind(Variadic((0..count).collect()))?;
        let (got, all): (i32, Variadic<i32>) = bound.call((count, count + 1))?;
        assert_eq!(got, count + 2);
        assert_eq!(*all, (0..count + 2).collect::<Vec<_>>());
    }
    let nils: (i32, Variadic<Value>) = list.bind((Value::Nil, Value::Nil))?.call(Value::Nil)?;
    assert_eq!(nils.0, 3);
    // Breaks if a binding calls by way of C.
    let yields: Function = lua.load("return coroutine.yield").eval()?;
    let coroutine = yields.bind(7)?.coroutine()?;
    assert_eq!(coroutine.resume::<(i32, i32)>(8)?, (7, 8));
    assert_eq!(coroutine.status()?, CoroutineStatus::Suspended);
    Ok(())
}

#[test]
fn bound_functions_keep_what_they_need() -> Result<()> {
    let lua = Runtime::builder().sandbox(true).build()?;
    let handles = lua.handles()?;
    let host = lua.create_function(|call| {
        let sum = call.get::<f64>(0)? + call.get::<f64>(1)?;
        call.push(sum)
    })?;
    let bound = host.bind(40)?;
    drop(host);
    lua.gc_collect()?;
    assert_eq!(bound.call::<f64>(2)?, 42.0);
    let error = bound.call::<f64>("x").unwrap_err().to_string();
    assert!(error.contains("bad argument #2"), "{error}");
    drop(bound);
    assert_eq!(lua.handles()?, handles);
    let other = Runtime::new()?;
    assert!(matches!(
        other.load("return 1").into_function()?.bind(lua.globals()?),
        Err(Error::WrongRuntime)
    ));
    Ok(())
}

#[test]
fn environments_are_where_globals_are_found() -> Result<()> {
    let lua = Runtime::new()?;
    let chunk = lua
        .load("x = (x or 0) + 1; return x, function() return x end")
        .into_function()?;
    assert!(
        chunk
            .environment()?
            .is_some_and(|env| env.same(&lua.globals().unwrap()).unwrap())
    );
    let own = lua.create_table()?;
    let (_, before): (i32, Function) = chunk.call(())?;
    chunk.set_environment(&own)?;
    let (x, inner): (i32, Function) = chunk.call(())?;
    assert_eq!((x, own.get::<i32>("x")?), (1, 1));
    assert_eq!(inner.call::<i32>(())?, 1);
    assert!(
        inner
            .environment()?
            .is_some_and(|env| env.same(&own).unwrap())
    );
    own.set("x", 5)?;
    assert_eq!((inner.call::<i32>(())?, before.call::<i32>(())?), (5, 1));
    lua.gc_collect()?;
    // Compiled code sees the change, too.
    let hot: Function = lua
        .load("return function() local s = 0 for i = 1, 1000 do s = s + step end return s end")
        .eval()?;
    for step in [1, 2, 3] {
        hot.set_environment(&lua.create_table_from([("step", step)])?)?;
        assert_eq!(hot.call::<i32>(())?, 1000 * step);
    }
    Ok(())
}

#[test]
fn c_functions_keep_their_environment() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table()?;
    let host = lua.create_function(|_| Ok(()))?;
    // `require` trusts what its environment holds.
    for code in ["return print", "return require", "return table.concat"] {
        let function: Function = lua.load(code).eval()?;
        assert!(function.environment()?.is_none(), "{code}");
        let error = function.set_environment(&table).unwrap_err();
        assert!(error.to_string().contains("C function"), "{error}");
    }
    assert!(host.set_environment(&table).is_err());
    let foreign = Runtime::new()?.create_table()?;
    let chunk = lua.load("return 1").into_function()?;
    assert!(matches!(
        chunk.set_environment(&foreign),
        Err(Error::WrongRuntime)
    ));
    Ok(())
}

#[test]
fn functions_tell_where_they_are_from() -> Result<()> {
    let lua = Runtime::new()?;
    let chunk = lua
        .load("return function(a)\n\nend, print")
        .name("@dir/file.lua")
        .into_function()?;
    let info = chunk.info()?;
    assert_eq!(info.kind, FunctionKind::Main);
    assert_eq!((info.parameters, info.is_vararg), (0, true));
    assert_eq!(info.lines, Some(0..=3));
    let (function, print): (Function, Function) = chunk.call(())?;
    let info = function.info()?;
    assert_eq!(info.kind, FunctionKind::Lua);
    assert_eq!(info.source, "@dir/file.lua");
    assert_eq!(info.short_source, "dir/file.lua");
    assert_eq!(info.lines, Some(1..=3));
    assert_eq!(
        (info.parameters, info.is_vararg, info.upvalues),
        (1, false, 0)
    );
    for function in [print, lua.create_function(|_| Ok(()))?] {
        let info = function.info()?;
        assert_eq!(info.kind, FunctionKind::C);
        assert_eq!(
            (info.source.as_str(), info.short_source.as_str()),
            ("=[C]", "[C]")
        );
        assert_eq!(
            (info.parameters, info.is_vararg, info.lines),
            (0, true, None)
        );
    }
    // Names are bytes, and may be longer than messages show.
    let name = [b"@".as_slice(), &[0xff; 200]].concat();
    let info = lua.load("").name(&name).into_function()?.info()?;
    assert_eq!(
        info.source.chars().filter(|c| *c == '\u{fffd}').count(),
        200
    );
    assert!(info.short_source.starts_with("...") && info.short_source.len() < 200);
    Ok(())
}

#[test]
fn stripped_bytecode_does_the_same_without_names() -> Result<()> {
    let lua = Runtime::new()?;
    let chunk = lua
        .load("local text = ...\nreturn text:upper()")
        .name("@secret.lua")
        .into_function()?;
    let (whole, stripped) = (chunk.dump()?, chunk.dump_stripped()?);
    let mentions = |code: &[u8]| code.windows(6).any(|part| part == b"secret");
    assert!(mentions(&whole) && !mentions(&stripped));
    let other = Runtime::new()?;
    for code in [&whole, &stripped] {
        let loaded = other.load(code).mode(ChunkMode::Binary);
        assert_eq!(loaded.call::<String>("a")?, "A");
    }
    let error = other.load(&stripped).call::<()>(1).unwrap_err().to_string();
    assert!(!error.contains("secret"), "{error}");
    let print: Function = lua.load("return print").eval()?;
    assert!(
        print
            .dump_stripped()
            .unwrap_err()
            .to_string()
            .contains("unable to dump")
    );
    // The `string` library is not needed.
    let bare = Runtime::builder().libs(Libs::BASE).build()?;
    assert!(
        !bare
            .load("return 1")
            .into_function()?
            .dump_stripped()?
            .is_empty()
    );
    Ok(())
}

#[test]
fn values_that_a_coroutine_yields() -> Result<()> {
    let lua = Runtime::new()?;
    let function: Function = lua
        .load(
            "return function(n, fails)
                for i = 1, n do coroutine.yield(i, 'v' .. i) end
                if fails then error('enough') end
                return 99
            end",
        )
        .eval()?;
    let values = function.bind(3)?.coroutine()?.values::<(i32, String)>();
    let values = values.collect::<Result<Vec<_>>>()?;
    assert_eq!(values[2], (3, "v3".to_owned()));
    assert_eq!(values.len(), 3);

    let failing = function.bind((2, true))?.coroutine()?;
    let mut values = failing.values::<i32>();
    assert_eq!(
        values.by_ref().take(2).filter_map(Result::ok).sum::<i32>(),
        3
    );
    assert!(
        values
            .next()
            .is_some_and(|step| step.unwrap_err().to_string().contains("enough"))
    );
    assert!(values.next().is_none());
    assert!(matches!(
        failing.values::<i32>().next(),
        Some(Err(Error::CoroutineUnresumable(_)))
    ));

    // What does not convert is an error, and ends it; the coroutine itself goes on.
    let coroutine = function.bind(3)?.coroutine()?;
    assert!(
        coroutine
            .values::<Table>()
            .next()
            .is_some_and(|step| step.is_err())
    );
    assert_eq!(coroutine.values::<i32>().next().transpose()?, Some(2));

    // An iterator that has ended keeps nothing.
    let handles = lua.handles()?;
    let mut values = function.bind(0)?.coroutine()?.values::<Value>();
    assert!(values.next().is_none());
    assert_eq!(lua.handles()?, handles);
    let moved = function.bind(1000)?.coroutine()?.values::<i32>();
    let sum: i32 = std::thread::spawn(move || moved.map(|v| v.unwrap()).sum())
        .join()
        .unwrap();
    assert_eq!(sum, 500_500);
    Ok(())
}
