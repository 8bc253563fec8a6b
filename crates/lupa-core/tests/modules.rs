//! `require`: searchers and modules of the host.

use lupa_core::{Error, Libs, Module, Result, Runtime, SearchOrder, Table, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

fn source(code: &str) -> Result<Option<Module>> {
    Ok(Some(Module::source(code, "@host.lua")))
}

#[test]
fn modules_come_as_code_functions_and_values() -> Result<()> {
    let lua = Runtime::new()?;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    lua.add_searcher(SearchOrder::BeforeFiles, move |lua, name| {
        count.fetch_add(1, Ordering::Relaxed);
        match name {
            "code" => source("return {name = ..., line = debug.traceback()}"),
            "function" => Ok(Some(Module::Loader(
                lua.load("return 'f:' .. ...").into_function()?,
            ))),
            "value" => Ok(Some(Module::Value(Value::Table(
                lua.create_sequence_from([1, 2])?,
            )))),
            "number" => Ok(Some(Module::Value(Value::Number(7.0)))),
            _ => Ok(None),
        }
    })?;
    let code: Table = lua.require("code")?;
    assert_eq!(code.get::<String>("name")?, "code");
    assert!(code.get::<String>("line")?.contains("host.lua:1:"));
    assert_eq!(lua.require::<String>("function")?, "f:function");
    assert_eq!(lua.require::<Vec<i32>>("value")?, [1, 2]);
    assert_eq!(lua.require::<i32>("number")?, 7);
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    // Each is loaded once.
    assert!(lua.require::<Table>("code")?.same(&code)?);
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    let error = lua.require::<Value>("nowhere").unwrap_err().to_string();
    assert!(error.contains("module 'nowhere' not found:"), "{error}");
    assert!(
        error.contains("\n\tno module of the host program\n"),
        "{error}"
    );
    Ok(())
}

#[test]
fn searchers_are_asked_in_order() -> Result<()> {
    let lua = Runtime::new()?;
    lua.preload("m", |_| Ok("preloaded"))?;
    let answering = |text: &'static str| {
        move |_: &Runtime, name: &str| match name {
            "m" | "jit.util" | "m2" => source(&format!("return '{text}'")),
            _ => Ok(None),
        }
    };
    let fresh = |lua: &Runtime, name: &str| {
        lua.load("package.loaded[...] = nil; return require(...)")
            .call::<Value>(name)
    };
    let shown = |value: Value| match value {
        Value::String(text) => String::from_utf8(text.to_vec().unwrap()).unwrap(),
        other => other.type_name().to_owned(),
    };
    lua.add_searcher(SearchOrder::Last, answering("last"))?;
    lua.add_searcher(SearchOrder::Last, answering("very last"))?;
    assert_eq!(shown(fresh(&lua, "m")?), "preloaded");
    assert_eq!(shown(fresh(&lua, "m2")?), "last");
    lua.add_searcher(SearchOrder::BeforeFiles, answering("before"))?;
    assert_eq!(shown(fresh(&lua, "m")?), "preloaded");
    assert_eq!(shown(fresh(&lua, "m2")?), "before");
    // The standard searchers are still there.
    assert_eq!(shown(fresh(&lua, "jit.v")?), "table");
    lua.add_searcher(SearchOrder::First, answering("first"))?;
    assert_eq!(shown(fresh(&lua, "m")?), "first");
    Ok(())
}

// Breaks if the place behind `package.preload` is taken for a fixed one.
#[test]
fn searchers_before_files_are_asked_after_preload_whenever_they_were_added() -> Result<()> {
    let lua = Runtime::new()?;
    lua.preload("m", |_| Ok("preloaded"))?;
    for _ in 0..3 {
        lua.add_searcher(SearchOrder::First, |_, _| Ok(None))?;
    }
    for text in ["before", "before that"] {
        lua.add_searcher(SearchOrder::BeforeFiles, move |lua, _| {
            Ok(Some(Module::Value(lua.convert_to(text)?)))
        })?;
    }
    assert_eq!(lua.require::<String>("m")?, "preloaded");
    assert_eq!(lua.require::<String>("jit.v")?, "before that");
    Ok(())
}

// Breaks (never ends) if metamethods of the table are asked.
#[test]
fn a_searcher_is_added_to_any_table_of_loaders() -> Result<()> {
    let lua = Runtime::new()?;
    lua.load(
        "setmetatable(package.loaders, { __index = function() return package.loaders[2] end })",
    )
    .exec()?;
    let loaders: Table = lua.load("return package.loaders").eval()?;
    // Only the host's are left.
    while loaders.len()? > 2 {
        loaders.pop::<Value>()?;
    }
    loaders.remove::<Value>(1)?;
    lua.add_searcher(SearchOrder::BeforeFiles, |_, _| Ok(None))?;
    assert_eq!(loaders.len()?, 2);
    Ok(())
}

#[test]
fn what_a_searcher_does_wrong_is_an_error_of_require() -> Result<()> {
    let lua = Runtime::new()?;
    lua.add_searcher(SearchOrder::First, |_, name| match name {
        "broken" => source("return +"),
        "fails" => Err(Error::external(std::io::Error::other("no network"))),
        "panics" => panic!("out of luck"),
        "raises" => source("error({code = 5})"),
        _ => Ok(None),
    })?;
    let error = lua.require::<Value>("broken").unwrap_err().to_string();
    assert!(
        error.starts_with("error loading module 'broken':\n\thost.lua:1: unexpected symbol"),
        "{error}"
    );
    let error = lua.require::<Value>("fails").unwrap_err();
    assert_eq!(
        error.downcast_ref::<std::io::Error>().unwrap().to_string(),
        "no network"
    );
    let Error::Runtime(error) = lua.require::<Value>("raises").unwrap_err() else {
        panic!("not a runtime error");
    };
    let Some(Value::Table(value)) = &error.value else {
        panic!("{error:?}");
    };
    assert_eq!(value.get::<i32>("code")?, 5);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        lua.require::<Value>("panics")
    }));
    assert!(panic.is_err());
    // A name that is not UTF-8 is not shown to the host.
    let error = lua
        .load(r"return require('\255')")
        .eval::<Value>()
        .unwrap_err();
    assert!(error.to_string().contains("not found"), "{error}");
    Ok(())
}

#[test]
fn modules_that_are_there_already() -> Result<()> {
    let lua = Runtime::new()?;
    lua.register_module("numbers", vec![1, 2, 3])?;
    assert_eq!(lua.load("return #require 'numbers'").eval::<i32>()?, 3);
    for bad in [Value::Nil, Value::Boolean(false)] {
        let error = lua.register_module("bad", bad).unwrap_err().to_string();
        assert_eq!(error, "a module cannot be nil or false");
    }
    let loads = Arc::new(AtomicUsize::new(0));
    let count = loads.clone();
    lua.preload("lazy", move |lua| {
        count.fetch_add(1, Ordering::Relaxed);
        lua.create_table_from([("x", 1)])
    })?;
    assert_eq!(loads.load(Ordering::Relaxed), 0);
    assert_eq!(
        lua.load("return require 'lazy'.x + require 'lazy'.x")
            .eval::<i32>()?,
        2
    );
    assert_eq!(loads.load(Ordering::Relaxed), 1);
    Ok(())
}

#[test]
fn without_the_package_library_it_is_an_error() -> Result<()> {
    let expected = "is the library open?";
    let lua = Runtime::builder().sandbox(true).build()?;
    let check = |outcome: Result<()>| {
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(lua.add_searcher(SearchOrder::Last, |_, _| Ok(None)));
    check(lua.register_module("m", 1));
    check(lua.preload("m", |_| Ok(1)));
    let built = Runtime::builder()
        .libs(Libs::BASE)
        .searcher(SearchOrder::Last, |_, _| Ok(None))
        .build();
    check(built.map(drop));
    // Lua code may have hidden it, or put something else in its place.
    for code in [
        "package = nil",
        "package = 5",
        "package = {loaders = 1, preload = 2}",
    ] {
        let lua = Runtime::new()?;
        lua.load(code).exec()?;
        check(lua.add_searcher(SearchOrder::Last, |_, _| Ok(None)));
        check(lua.preload("m", |_| Ok(1)));
    }
    Ok(())
}

#[test]
fn a_sandbox_can_have_modules_of_the_host() -> Result<()> {
    let lua = Runtime::builder()
        .sandbox(true)
        .libs(Libs::SAFE | Libs::PACKAGE)
        .searcher(SearchOrder::First, |_, name| {
            source(&format!("return 'from the host: {name}'"))
        })
        .build()?;
    assert_eq!(
        lua.load("return require 'x'").eval::<String>()?,
        "from the host: x"
    );
    lua.add_searcher(SearchOrder::First, |_, _| source("return 'later'"))?;
    assert_eq!(lua.require::<String>("y")?, "later");
    // Bytecode is refused there, as everywhere in a sandbox.
    let bytecode = Runtime::new()?.load("return 1").into_function()?.dump()?;
    lua.add_searcher(SearchOrder::First, move |_, _| {
        Ok(Some(Module::source(bytecode.clone(), "=bytecode")))
    })?;
    let error = lua.require::<Value>("z").unwrap_err().to_string();
    assert!(error.contains("wrong mode"), "{error}");
    Ok(())
}

#[test]
fn a_value_from_a_searcher_does_not_keep_the_runtime() -> Result<()> {
    struct Noticed(Arc<AtomicUsize>);
    impl Drop for Noticed {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let noticed = Noticed(dropped.clone());
    let lua = Runtime::new()?;
    lua.gc_stop()?;
    lua.add_searcher(SearchOrder::First, move |lua, _| {
        let _ = &noticed;
        Ok(Some(Module::Value(Value::Table(lua.create_table()?))))
    })?;
    lua.require::<Table>("t")?;
    // Breaks if the loader is a closure of the host with a handle in it.
    drop(lua);
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    Ok(())
}
