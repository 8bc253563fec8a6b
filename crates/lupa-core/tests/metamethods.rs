//! `__index` and `__newindex`, as far as they are followed without a call, and where a call does the rest: each
//! access gives what the same access in Lua code gives.

use lupa_core::{Error, FromLua, Reference, Result, Runtime, Table, Value};

/// What `code` returns: the object, and what Lua code reads under a key of it.
const READS: &[(&str, &str)] = &[
    (
        "a key of its own",
        "setmetatable({ x = 1 }, { __index = { x = 2 } })",
    ),
    (
        "false is a value",
        "setmetatable({ x = false }, { __index = { x = 2 } })",
    ),
    ("no __index", "setmetatable({}, {})"),
    ("a table", "setmetatable({}, { __index = { x = 2 } })"),
    (
        "a chain",
        "setmetatable({}, { __index = setmetatable({}, { __index = { x = 3 } }) })",
    ),
    (
        "a function",
        "setmetatable({}, { __index = function(t, k) return type(t) .. k end })",
    ),
    (
        "a function in a chain",
        "setmetatable({}, { __index = setmetatable({ own = 1 }, { __index = function(t, k) return t.own end }) })",
    ),
    (
        "a function without result",
        "setmetatable({}, { __index = function() end })",
    ),
    (
        "a function with more results",
        "setmetatable({}, { __index = function() return 1, 2, 3 end })",
    ),
    (
        "a function of C",
        "setmetatable({ 'one' }, { __index = rawequal })",
    ),
    (
        "a table that can be called",
        "setmetatable({}, { __index = setmetatable({ x = 1 }, { __call = error }) })",
    ),
    (
        "userdata with a table",
        "(function() local p = newproxy(true) getmetatable(p).__index = { x = 4 } return p end)()",
    ),
    (
        "userdata with a function",
        "(function() local p = newproxy(true) getmetatable(p).__index = function(_, k) return k end return p end)()",
    ),
    ("a string", "'text'"),
    (
        "an error",
        "setmetatable({}, { __index = function() error('no ' .. 'x', 0) end })",
    ),
    (
        "an error with a place",
        "setmetatable({}, { __index = function() error('no') end })",
    ),
    (
        "an index that has none",
        "setmetatable({}, { __index = 5 })",
    ),
    ("nothing to index", "newproxy()"),
    ("a function to index", "print"),
    (
        "an endless chain",
        "(function() local t = {} return setmetatable(t, { __index = t }) end)()",
    ),
    (
        "an endless recursion",
        "setmetatable({}, { __index = function(t, k) return t[k] .. '' end })",
    ),
];

/// What an access gave; of an error the message without its place.
fn as_text(result: Result<Value>) -> String {
    match result {
        Ok(Value::String(text)) => format!("{:?}", text.to_lua_string()),
        Ok(value) => format!("{value:?}"),
        Err(Error::RecursionLimit) => "stack overflow".to_owned(),
        Err(error) => {
            let text = error.text().into_owned();
            text.rsplit(": ").next().unwrap_or_default().to_owned()
        }
    }
}

#[test]
fn reads_give_what_lua_code_reads() -> Result<()> {
    for (name, code) in READS {
        let lua = Runtime::new()?;
        let object: Reference = lua.load(&format!("return {code}")).eval()?;
        let read = lua.load("return (...).x").into_function()?;
        let by_lua = as_text(read.call(&object));
        let by_host = as_text(object.get_with(
            |to| to.bytes(b"x"),
            lupa_core::Directly,
            #[expect(
                clippy::redundant_closure,
                reason = "the function alone has one lifetime"
            )]
            |slot| Value::from_lua(slot),
        ));
        assert_eq!(by_host, by_lua, "{name}");
        if let Ok(table) = lua.convert_to::<Table>(&object) {
            assert_eq!(as_text(table.get("x")), by_lua, "{name}, by its table");
            assert_eq!(as_text(table.get_path(("x",))), by_lua, "{name}, by a path");
        }
        assert_eq!(lua.load("return 1").eval::<i32>()?, 1, "after {name}");
    }
    Ok(())
}

/// Objects to set a key of, in a table `log` what their metamethods are told.
const WRITES: &[(&str, &str)] = &[
    ("no __newindex", "setmetatable({}, {})"),
    (
        "a key of its own",
        "setmetatable({ x = 1 }, { __newindex = error })",
    ),
    (
        "false is a value",
        "setmetatable({ x = false }, { __newindex = error })",
    ),
    (
        "a function",
        "setmetatable({}, { __newindex = function(t, k, v) log[k] = v end })",
    ),
    (
        "a function that sets",
        "setmetatable({}, { __newindex = rawset })",
    ),
    ("a table", "setmetatable({}, { __newindex = log })"),
    (
        "a chain",
        "setmetatable({}, { __newindex = setmetatable({}, { __newindex = log }) })",
    ),
    (
        "userdata",
        "(function() local p = newproxy(true) getmetatable(p).__newindex = function(_, k, v) log[k] = v end return p end)()",
    ),
    (
        "an error",
        "setmetatable({}, { __newindex = function() error('read-only', 0) end })",
    ),
    ("nothing to set", "newproxy()"),
    (
        "an endless chain",
        "(function() local t = {} return setmetatable(t, { __newindex = t }) end)()",
    ),
];

#[test]
fn writes_do_what_lua_code_does() -> Result<()> {
    const STATE: &str =
        "local o = ... local ok, own = pcall(rawget, o, 'x') return ok and own, log.x";
    for (name, code) in WRITES {
        let run = |set: &dyn Fn(&Runtime, &Reference) -> Result<()>| -> Result<String> {
            let lua = Runtime::new()?;
            lua.load("log = {}").exec()?;
            let object: Reference = lua.load(&format!("return {code}")).eval()?;
            let outcome = as_text(set(&lua, &object).map(|()| Value::Nil));
            let state: (Value, Value) = lua.load(STATE).call(&object)?;
            Ok(format!("{outcome} {state:?}"))
        };
        let by_lua = run(&|lua, object| lua.load("(...).x = 5").call(object))?;
        let by_host = run(&|_, object| {
            let (key, value) = (
                |to: lupa_core::Pusher<'_>| to.bytes(b"x"),
                |to: lupa_core::Pusher<'_>| to.number(5.0),
            );
            object.set_with(key, value, lupa_core::Directly)
        })?;
        assert_eq!(by_host, by_lua, "{name}");
    }
    Ok(())
}

/// LuaJIT remembers which metamethods a metatable has not; what is set later counts all the same.
#[test]
fn a_metamethod_that_is_set_later_is_found() -> Result<()> {
    let lua = Runtime::new()?;
    let meta = lua.create_table()?;
    let table = lua.create_table()?;
    table.set_metatable(Some(&meta))?;
    assert_eq!(table.get::<Option<i32>>("x")?, None);
    table.set("y", 1)?;
    meta.set("__index", lua.function(|_: Value, key: String| key + "!")?)?;
    meta.set(
        "__newindex",
        lua.function(|_: Value, _: Value, _: Value| ())?,
    )?;
    assert_eq!(table.get::<String>("x")?, "x!");
    table.set("z", 1)?;
    assert!(table.raw_get::<Value>("z")?.is_nil() && !table.raw_get::<Value>("y")?.is_nil());
    Ok(())
}

#[test]
fn an_endless_metamethod_is_stopped() -> Result<()> {
    let lua = Runtime::new()?;
    let table: Table = lua
        .load("local f = function() while true do end end return setmetatable({}, { __index = f, __newindex = f })")
        .eval()?;
    lua.set_time_limit(Some(std::time::Duration::from_millis(50)))?;
    assert!(matches!(table.get::<Value>("x"), Err(Error::Timeout(_))));
    assert!(matches!(table.set("x", 1), Err(Error::Timeout(_))));
    Ok(())
}
