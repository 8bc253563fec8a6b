//! Loading code: names, modes, bytecode, expressions; which libraries there are.

use lupa_core::{ChunkMode, Error, Function, Libs, Result, Runtime, Value, is_incomplete};

#[test]
fn names_show_in_messages() -> Result<()> {
    let lua = Runtime::new()?;
    let message = |name: &str| {
        let error = lua.load("\nerror('x')").name(name).exec().unwrap_err();
        error.to_string().lines().next().unwrap().to_owned()
    };
    assert_eq!(message("=shown"), "shown:2: x");
    assert_eq!(message("@dir/file.lua"), "dir/file.lua:2: x");
    assert_eq!(message("return 1"), "[string \"return 1\"]:2: x");
    assert_eq!(message("=cut\0off"), "cut:2: x");
    assert_eq!(message(""), "[string \"\"]:2: x");
    Ok(())
}

#[test]
fn modes_refuse_the_other_kind() -> Result<()> {
    let lua = Runtime::new()?;
    let source = "return function(a) return a + 1 end";
    let bytecode = lua
        .load("local a = ...; return a + 1")
        .into_function()?
        .dump()?;
    assert_eq!(lua.load(&bytecode).call::<i32>(1)?, 2);
    assert_eq!(
        lua.load(&bytecode).mode(ChunkMode::Binary).call::<i32>(1)?,
        2
    );
    let refused = |outcome: Result<Function>| assert!(matches!(outcome, Err(Error::Syntax { .. })));
    refused(lua.load(&bytecode).mode(ChunkMode::Text).into_function());
    refused(lua.load(source).mode(ChunkMode::Binary).into_function());
    refused(lua.load("\x1bLJ garbage").into_function());
    assert!(
        lua.load(source)
            .mode(ChunkMode::Text)
            .eval::<Function>()
            .is_ok()
    );
    assert!(lua.create_function(|_| Ok(()))?.dump().is_err());
    Ok(())
}

#[test]
fn expressions_and_statements() -> Result<()> {
    let lua = Runtime::new()?;
    assert_eq!(lua.load("1 + 1").expression().eval::<i32>()?, 2);
    assert_eq!(lua.load("").expression().eval::<Option<i32>>()?, None);
    assert!(lua.load("x = 1").expression().exec().is_err());
    assert_eq!(
        lua.load(b"return '\xff'".as_slice())
            .eval::<lupa_core::LuaString>()?
            .to_vec()?,
        [255]
    );
    Ok(())
}

#[test]
fn incomplete_code_is_known() -> Result<()> {
    let lua = Runtime::new()?;
    let incomplete = |code: &str| is_incomplete(&lua.load(code).into_function().unwrap_err());
    for code in [
        "for i = 1, 3 do",
        "x =",
        "f(",
        "local t = {",
        "if x then",
        "return function()",
    ] {
        assert!(incomplete(code), "{code}");
    }
    for code in ["x = = 1", "end", "for", "'unfinished"] {
        assert_eq!(
            incomplete(code),
            ["for", "'unfinished"].contains(&code),
            "{code}"
        );
    }
    Ok(())
}

#[test]
fn large_and_deep_code() -> Result<()> {
    let lua = Runtime::new()?;
    let long = format!("return {}0", "1 + ".repeat(100_000));
    assert_eq!(lua.load(&long).eval::<f64>()?, 100_000.0);
    for (open, close) in [
        ("(", ")"),
        ("{", "}"),
        ("function() return ", " end"),
        ("- ", ""),
        ("not ", ""),
    ] {
        let deep = format!("return {}1{}", open.repeat(100_000), close.repeat(100_000));
        assert!(
            matches!(lua.load(&deep).into_function(), Err(Error::Syntax { .. })),
            "{open}"
        );
    }
    let blocks = "do ".repeat(100_000);
    assert!(lua.load(&blocks).into_function().is_err());
    Ok(())
}

#[test]
fn only_the_chosen_libraries_are_there() -> Result<()> {
    let names = [
        "package", "table", "io", "os", "string", "math", "debug", "bit", "jit",
    ];
    for name in names {
        let lua = Runtime::builder()
            .libs(Libs::BASE | Libs::by_name(name).unwrap())
            .build()?;
        for other in names {
            let present: bool = lua.load(&format!("return {other} ~= nil")).eval()?;
            assert_eq!(present, name == other, "{other} with {name} only");
        }
    }
    let safe = Runtime::builder().libs(Libs::SAFE).build()?;
    assert!(
        safe.load("return not (io or os or debug or package or require or jit or ffi)")
            .eval::<bool>()?
    );
    assert!(Libs::names().all(|name| Libs::by_name(name).is_some()));
    assert!(Libs::by_name("nothing").is_none());
    assert!(Libs::ALL.contains(Libs::SAFE) && !(Libs::ALL - Libs::FFI).contains(Libs::FFI));
    let ffi = Runtime::builder().libs(Libs::BASE | Libs::FFI).build()?;
    assert_eq!(
        ffi.load("return tonumber(ffi.new('int', 3))")
            .eval::<i32>()?,
        3
    );
    Ok(())
}

#[test]
fn luajit_s_own_modules_can_be_required() -> Result<()> {
    // Those of another LuaJIT, which fit no other one, may lie on the path.
    let folder = std::env::temp_dir().join(format!("lupa-core-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("jit")).unwrap();
    std::fs::write(folder.join("jit/p.lua"), "error('of another LuaJIT')").unwrap();

    let lua = Runtime::new()?;
    let path = format!("{}/?.lua", folder.display());
    let loaded = lua
        .load(
            "package.path = ...
             assert(type(require('jit.vmdef').bcnames) == 'string')
             for _, name in ipairs { 'p', 'v', 'dump', 'bc', 'zone' } do assert(require('jit.' .. name)) end",
        )
        .call::<()>(path);
    std::fs::remove_dir_all(&folder).unwrap();
    loaded
}

#[test]
fn a_chunk_has_its_own_environment() -> Result<()> {
    let lua = Runtime::new()?;
    let code = "x = (x or 0) + 1 function later() x = x + 10 return x end return x";
    let bytecode = lua.load(code).into_function()?.dump()?;
    for code in [code.as_bytes(), &bytecode] {
        let environment = lua.create_table_from([("x", 5)])?;
        assert_eq!(lua.load(code).environment(&environment).eval::<i64>()?, 6);
        assert_eq!(environment.get::<i64>("x")?, 6);
        // Functions in the code have it, too.
        assert_eq!(environment.call_function::<i64>("later", ())?, 16);
        let function = lua.load(code).environment(&environment).into_function()?;
        assert!(function.environment()?.unwrap().same(&environment)?);
        assert_eq!(function.call::<i64>(())?, 17);
    }
    assert!(!lua.globals()?.contains_key("x")?);
    // It goes with the other settings, in any order, and with arguments.
    let environment = lua.create_table_from([("by", 2)])?;
    let n: i64 = lua
        .load("by * ...")
        .environment(&environment)
        .name("=code")
        .expression()
        .call(21)?;
    assert_eq!(n, 42);
    let error = lua
        .load("return 1, print(2)")
        .name("=code")
        .environment(&environment)
        .exec()
        .unwrap_err();
    assert_eq!(
        error.text(),
        "code:1: attempt to call global 'print' (a nil value)"
    );
    let other = Runtime::new()?.create_table()?;
    assert!(matches!(
        lua.load("x = 1").environment(&other).exec(),
        Err(Error::WrongRuntime)
    ));
    Ok(())
}

#[test]
fn an_expression_is_tried_first() -> Result<()> {
    let lua = Runtime::new()?;
    let eval = |code: &str| {
        lua.load(code)
            .name("=line")
            .expression_first()
            .eval::<Value>()
    };
    let number = |code: &str| match eval(code) {
        Ok(Value::Number(n)) => n,
        other => panic!("{code}: {other:?}"),
    };
    assert_eq!(number("1 + 1 -- two"), 2.0);
    assert_eq!(number("return 3"), 3.0);
    assert_eq!(number("local x = 4 return x"), 4.0);
    assert!(eval("y = 5")?.is_nil() && eval("")?.is_nil() && eval("-- nothing")?.is_nil());
    assert_eq!(number("y"), 5.0);
    // A call is both, and is made once.
    lua.load("calls = 0 function f() calls = calls + 1 return calls end")
        .exec()?;
    assert_eq!((number("f()"), number("calls")), (1.0, 1.0));
    // What may go on as an expression, or as a statement, or as either.
    for code in [
        "1 +",
        "y,",
        "not",
        "{ 1,",
        "[[text",
        "y = ",
        "for i = 1, 2 do",
        "f(",
        "function g()",
    ] {
        assert!(is_incomplete(&eval(code).unwrap_err()), "{code}");
    }
    for (code, text) in [
        ("x +* 1", "line:1: '=' expected near '+'"),
        ("1 1", "line:1: unexpected symbol near '1'"),
        ("end", "line:1: '<eof>' expected near 'end'"),
        ("error('now', 0)", "now"),
    ] {
        let error = eval(code).unwrap_err();
        assert_eq!(error.text(), text, "{code}");
        assert!(!is_incomplete(&error), "{code}");
    }
    let bytecode = lua.load("return 7").into_function()?.dump()?;
    assert_eq!(lua.load(&bytecode).expression_first().eval::<i64>()?, 7);
    Ok(())
}
