//! Tables, objects and values in Rust's hands, with the operations of Lua code.

use lupa_core::{
    Call, Coroutine, Error, HostObject, LightUserData, Members, Operation, Result, Runtime, Table,
    UserData, UserType, Value,
};

#[test]
fn methods_get_the_object_and_functions_do_not() -> Result<()> {
    let lua = Runtime::new()?;
    let handles = lua.handles()?;
    let object: Table = lua
        .load(
            "local class = {}
             class.__index = class
             function class:add(...) self.n = self.n + select('#', ...) return self, self.n end
             function class.count(...) return select('#', ...) end
             class.answer = setmetatable({}, { __call = function(_, ...) return 40 + select('#', ...) end })
             return setmetatable({ n = 0 }, class)",
        )
        .eval()?;
    let (same, n): (Table, i64) = object.call_method("add", ("a", None::<i64>, "c"))?;
    assert!(same.same(&object)?);
    assert_eq!(n, 3);
    assert_eq!(object.call_function::<i64>("count", (1, 2))?, 2);
    assert_eq!(object.call_method::<i64>("count", (1, 2))?, 3);
    // What can be called without being a function.
    assert_eq!(object.call_method::<i64>("answer", 1)?, 42);
    let answer: Table = object.get("answer")?;
    assert_eq!(answer.call::<i64>((1, 2, 3))?, 43);
    // More arguments than a frame has room for, with a table each.
    let many: Vec<Vec<i64>> = (0..3000).map(|n| vec![n]).collect();
    let many = lupa_core::Variadic(many);
    assert_eq!(object.call_method::<i64>("count", many)?, 3001);
    assert_eq!(lua.handles()? - handles, 3);
    Ok(())
}

#[test]
fn calls_that_cannot_be_say_why() -> Result<()> {
    let lua = Runtime::new()?;
    let object: Table = lua
        .load("return { five = 5, fail = function(self) error('as asked', 0) end }")
        .eval()?;
    let text = |result: Result<()>| result.unwrap_err().text().into_owned();
    assert_eq!(
        text(object.call_method("none", ())),
        "attempt to call method 'none' (a nil value)"
    );
    assert_eq!(
        text(object.call_function("none", ())),
        "attempt to call field 'none' (a nil value)"
    );
    assert_eq!(
        text(object.call_method("five", ())),
        "attempt to call a number value"
    );
    assert_eq!(text(object.call(())), "attempt to call a table value");
    let error = object.call_method::<()>("fail", ()).unwrap_err();
    assert_eq!(error.text(), "as asked");
    assert!(error.traceback().is_some());
    let other = Runtime::new()?.create_table()?;
    assert!(matches!(
        object.call_method::<()>("fail", other),
        Err(Error::WrongRuntime)
    ));
    lua.close()?;
    assert!(matches!(
        object.call_method::<()>("fail", ()),
        Err(Error::Closed)
    ));
    Ok(())
}

struct Counter(i64);

impl UserType for Counter {
    const NAME: &'static str = "Counter";
    fn members(members: &mut Members<Self>) {
        members
            .field("n", |this| this.0, |this, n| this.0 = n)
            .read_only("double", |this| this.0 * 2)
            .function("add", |this: &mut Self, by: i64| {
                this.0 += by;
                this.0
            })
            .function("new", Counter)
            .metamethod(Operation::Call, |this: &Self, by: i64| this.0 * by);
    }
}

#[test]
fn objects_are_used_by_their_metamethods() -> Result<()> {
    let lua = Runtime::new()?;
    let counter = lua.create_userdata(Counter(1))?;
    assert_eq!(counter.call_method::<i64>("add", 4)?, 5);
    counter.set("n", 20)?;
    assert_eq!(
        (counter.get::<i64>("n")?, counter.get::<i64>("double")?),
        (20, 40)
    );
    assert_eq!(counter.get::<Option<i64>>("none")?, None);
    assert_eq!(counter.call::<i64>(3)?, 60);
    let made: UserData = counter.call_function("new", 7)?;
    assert_eq!(made.borrow::<Counter>()?.0, 7);
    assert_eq!(
        counter.set("double", 1).unwrap_err().text(),
        "Counter has no field 'double' that can be set"
    );
    // It is in use while Rust has it.
    let borrowed = counter.borrow_mut::<Counter>()?;
    assert!(
        counter
            .get::<i64>("n")
            .unwrap_err()
            .text()
            .contains("in use")
    );
    drop(borrowed);

    // Userdata of others: a file of the library `io`.
    let file: UserData = lua.load("return io.tmpfile()").eval()?;
    file.call_method::<()>("write", ("abc", 1))?;
    file.call_method::<()>("seek", "set")?;
    assert_eq!(file.call_method::<String>("read", "*a")?, "abc1");
    file.call_method::<()>("close", ())
}

/// Serves nothing but `tostring`.
struct Plain;

impl HostObject for Plain {
    const NAME: &'static str = "plain";
    const OPERATIONS: &'static [Operation] = &[Operation::ToString];
    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        call.push("plain text")
    }
}

#[test]
fn an_object_without_an_index_has_no_fields() -> Result<()> {
    let lua = Runtime::new()?;
    let plain = lua.create_object(Plain)?;
    for result in [
        plain.get::<Value>("x").map(drop),
        plain.set("x", 1),
        plain.call_method("x", ()),
    ] {
        let text = result.unwrap_err().text().into_owned();
        assert!(text.contains("attempt to index a userdata value"), "{text}");
    }
    Ok(())
}

#[test]
fn values_are_compared_as_lua_does() -> Result<()> {
    let lua = Runtime::new()?;
    let values: Vec<Value> = lua
        .load(
            "local m = { __eq = function() return true end }
             local a, b = setmetatable({}, m), setmetatable({}, m)
             return { a, b, {}, 'text', 'te' .. 'xt', 1, 1LL, 1LL, true, print, print, m }",
        )
        .eval()?;
    let same = [(3, 4), (9, 10)]; // the strings, the functions
    let equal = [(0, 1), (3, 4), (5, 6), (5, 7), (6, 7), (9, 10)];
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            let pair = (i.min(j), i.max(j));
            assert_eq!(a.same(b)?, i == j || same.contains(&pair), "{i} {j}");
            assert_eq!(a.equals(b)?, i == j || equal.contains(&pair), "{i} {j}");
        }
    }
    // Those that need no runtime.
    static PLACE: u8 = 0;
    let place = Value::LightUserData(LightUserData::new(&PLACE));
    let plain = [Value::Nil, Value::Boolean(false), Value::Number(0.0), place];
    for (i, a) in plain.iter().enumerate() {
        for (j, b) in plain.iter().enumerate() {
            assert_eq!((a.same(b)?, a.equals(b)?), (i == j, i == j));
        }
        assert!(!a.equals(&values[0])? && !values[0].same(a)?);
    }
    let nan = Value::Number(f64::NAN);
    assert!(!nan.equals(&nan)? && !nan.same(&nan)?);

    let other = Runtime::new()?;
    let foreign = Value::Table(other.create_table()?);
    assert!(matches!(
        values[2].equals(&foreign),
        Err(Error::WrongRuntime)
    ));
    assert!(!values[2].same(&foreign)?);
    let fails: Vec<Value> = lua
        .load(
            "local m = { __eq = function() error('no', 0) end }
             return { setmetatable({}, m), setmetatable({}, m) }",
        )
        .eval()?;
    assert_eq!(fails[0].equals(&fails[1]).unwrap_err().text(), "no");
    assert!(!fails[0].same(&fails[1])?);
    Ok(())
}

#[test]
fn values_become_text_as_by_tostring() -> Result<()> {
    let lua = Runtime::new()?;
    // Even if Lua code has another one.
    let values: Vec<Value> = lua
        .load(
            "tostring = nil
             return { true, 0.1, -0.0, 1e100, 2^53, 'a\\0b', 5ULL,
                      setmetatable({}, { __tostring = function() return 'own' end }) }",
        )
        .eval()?;
    let texts = values.iter().map(|value| value.to_lua_string(&lua));
    let texts = texts.collect::<Result<Vec<_>>>()?;
    let expected: [&[u8]; 8] = [
        b"true",
        b"0.1",
        b"-0",
        b"1e+100",
        b"9.007199254741e+15",
        b"a\0b",
        b"5ULL",
        b"own",
    ];
    assert_eq!(texts, expected);
    assert_eq!(Value::Nil.to_lua_string(&lua)?, b"nil");
    let fails: Value = lua
        .load("return setmetatable({}, { __tostring = function() error('no', 0) end })")
        .eval()?;
    assert_eq!(fails.to_lua_string(&lua).unwrap_err().text(), "no");
    Ok(())
}

#[test]
fn a_value_converts_as_if_through_lua() -> Result<()> {
    let lua = Runtime::new()?;
    let value: Value = lua.convert_to((1u8..=3).collect::<Vec<_>>())?;
    assert_eq!(lua.convert_to::<[u8; 3]>(&value)?, [1, 2, 3]);
    assert!(lua.convert_to::<String>(&value).is_err());
    assert!(lua.convert_to::<Value>(None::<i32>)?.is_nil());
    let other = Runtime::new()?;
    assert!(matches!(
        other.convert_to::<Table>(&value),
        Err(Error::WrongRuntime)
    ));
    Ok(())
}

#[test]
fn what_mlua_has_functions_for_lua_s_own_libraries_do() -> Result<()> {
    let lua = Runtime::new()?;
    let library = |lua: &Runtime, name: &str| lua.globals()?.get::<Table>(name);
    // mlua's `current_thread`: a host function runs in the coroutine that called it.
    let running = lua.function(move |lua: &Runtime| -> Result<Option<Coroutine>> {
        library(lua, "coroutine")?.call_function("running", ())
    })?;
    let code = "local running = ...
        local thread = coroutine.create(function() return running() end)
        return running() == coroutine.running() and select(2, coroutine.resume(thread)) == thread";
    assert!(lua.load(code).call::<bool>(&running)?);
    // `traceback`, `inspect_stack`
    let trace = lua.function(move |lua: &Runtime| -> Result<(String, i64)> {
        let debug = library(lua, "debug")?;
        let info: Table = debug.call_function("getinfo", (2, "l"))?;
        Ok((
            debug.call_function("traceback", "text")?,
            info.get("currentline")?,
        ))
    })?;
    let (text, line): (String, i64) = lua
        .load("local trace = ...\nlocal a, b = trace()\nreturn a, b")
        .name("=here")
        .call(&trace)?;
    assert!(
        text.starts_with("text\nstack traceback:") && text.contains("here:2:"),
        "{text}"
    );
    assert_eq!(line, 2);
    // `unload_module`
    lua.load("package.preload.m = function() loads = (loads or 0) + 1 return {} end")
        .exec()?;
    lua.require::<Table>("m")?;
    let loaded: Table = library(&lua, "package")?.get("loaded")?;
    loaded.set("m", Value::Nil)?;
    lua.require::<Table>("m")?;
    assert_eq!(lua.globals()?.get::<i64>("loads")?, 2);
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_check_may_look_at_the_code_that_runs() -> Result<()> {
    let lua = Runtime::new()?;
    let weak = lua.downgrade();
    lua.set_check(move || {
        let lua = weak.upgrade().unwrap();
        let debug: Table = lua.globals()?.get("debug")?;
        Err(Error::message(
            debug.call_function::<String>("traceback", ())?,
        ))
    })?;
    let code = "local function spin() while true do end end\nspin()\n";
    let text = lua.load(code).name("=here").exec().unwrap_err().to_string();
    assert!(
        text.contains("in function 'spin'") && text.contains("here:2:"),
        "{text}"
    );
    Ok(())
}
