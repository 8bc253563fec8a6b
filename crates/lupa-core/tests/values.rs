//! Values as what they are, and as what `{:#?}` shows.

use lupa_core::{Members, Result, Runtime, Table, UserType, Value};
use std::sync::mpsc::channel;

struct Door;

impl UserType for Door {
    const NAME: &'static str = "Door";
    fn members(_: &mut Members<Self>) {}
}

#[test]
fn a_value_is_taken_for_what_it_is_and_nothing_else() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("door", Door)?;
    let code =
        "return true, 2.5, 7, 'text', '\\255', {}, print, coroutine.create(print), door, 1LL";
    let values: lupa_core::Variadic<Value> = lua.load(code).eval()?;
    // For each value which of the methods gives something.
    let answers: Vec<String> = values
        .iter()
        .map(|value| {
            let answers = [
                value.as_bool().map(|_| "bool"),
                value.as_number().map(|_| "number"),
                value.as_integer().map(|_| "integer"),
                value.as_string().map(|_| "string"),
                value.as_str().map(|_| "str"),
                value.as_table().map(|_| "table"),
                value.as_function().map(|_| "function"),
                value.as_coroutine().map(|_| "coroutine"),
                value.as_userdata().map(|_| "userdata"),
            ];
            answers.into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        answers,
        [
            "bool",
            "number",
            "number integer",
            "string str",
            "string",
            "table",
            "function",
            "coroutine",
            "userdata",
            "",
        ]
    );
    assert!(values[8].as_userdata().unwrap().borrow::<Door>().is_ok());
    const EXACT: i64 = 1 << 53;
    for (number, integer) in [
        (9007199254740992.0, Some(EXACT)),
        (-9007199254740992.0, Some(-EXACT)),
        (9007199254740994.0, None),
        (f64::NAN, None),
        (f64::NEG_INFINITY, None),
        (-0.0, Some(0)),
    ] {
        assert_eq!(Value::Number(number).as_integer(), integer, "{number}");
    }
    Ok(())
}

fn shown(lua: &Runtime, code: &str) -> Result<String> {
    let table: Table = lua.load(code).eval()?;
    // Without the spaces that make it legible.
    let lines: Vec<_> = format!("{table:#?}")
        .lines()
        .map(|line| line.trim().to_owned())
        .collect();
    Ok(lines.concat())
}

#[test]
fn tables_are_shown_with_what_is_in_them() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("door", Door)?;
    for (code, text) in [
        ("return {}", "{}"),
        ("return { 1, 2.5, 'a\"\\n' }", r#"[1,2.5,"a\"\n",]"#),
        // Numbers first, then strings in order, then what has none.
        (
            "return { b = 1, a = 2, [3] = false, [-1] = true, [print] = 4, [true] = 5 }",
            r#"{-1: true,3: false,"a": 2,"b": 1,<function>: 4,true: 5,}"#,
        ),
        (
            "return { door, coroutine.create(print), 5LL, '\\255' }",
            "[<Door>,<thread>,5,\"\u{fffd}\",]",
        ),
        // One table in two places is no cycle.
        ("local t = { 1 } return { t, t }", "[[1,],[1,],]"),
        (
            "local t = {} t.a = { t } return t",
            r#"{"a": [<the table itself>,],}"#,
        ),
    ] {
        assert_eq!(shown(&lua, code)?, text, "{code}");
    }
    let deep = shown(
        &lua,
        "local t = {} for i = 1, 100 do t = { t } end return t",
    )?;
    assert_eq!(
        deep,
        format!("{}{{…}},{}", "[".repeat(8), "],".repeat(7) + "]")
    );
    let long = shown(
        &lua,
        "local t = {} for i = 1, 2000 do t[i] = i end return t",
    )?;
    assert!(long.ends_with("499,500,… 1500 more,]"), "{long}");
    let wide = shown(
        &lua,
        "local t = {} for i = 1, 2000 do t['k' .. i] = i end return t",
    )?;
    assert!(wide.ends_with("…: … 1500 more,}"), "{wide}");
    // A value as such, and in a struct of the host.
    let value: Value = lua.load("return 'text'").eval()?;
    assert_eq!(
        format!("{:#?}", Some(value)),
        "Some(\n    String(\n        \"text\",\n    ),\n)"
    );
    Ok(())
}

#[test]
fn to_show_a_table_runs_no_lua_code_and_waits_for_nobody() -> Result<()> {
    let lua = Runtime::new()?;
    let code = "
        local function never() error('a metamethod was asked') end
        local mt = { __index = never, __tostring = never, __len = never, __pairs = never, __call = never }
        return setmetatable({ setmetatable({ 1 }, mt) }, mt)";
    assert_eq!(shown(&lua, code)?, "[[1,],]");

    let table: Table = lua.load("return { 1 }").eval()?;
    let plain = format!("{table:?}");
    assert!(plain.starts_with("Table(#"), "{plain}");
    // While another thread uses the runtime.
    let (locked, is_locked) = channel();
    let (done, is_done) = channel::<()>();
    let other = lua.clone();
    let thread = std::thread::spawn(move || {
        let _guard = other.lock().unwrap();
        locked.send(()).unwrap();
        is_done.recv().unwrap();
    });
    is_locked.recv().unwrap();
    assert!(format!("{table:#?}").starts_with("Table("));
    done.send(()).unwrap();
    thread.join().unwrap();
    assert!(format!("{table:#?}").starts_with('['));

    // In a host function, with little room on Lua's stack.
    let show = lua.function(|table: Table| format!("{table:#?}"))?;
    let text: String = lua
        .load("local function deep(n, f, t) if n == 0 then return f(t) end return (deep(n - 1, f, t)) end return deep(...)")
        .call((100, &show, &table))?;
    assert_eq!(text, "[\n    1,\n]");
    let weak = lua.downgrade();
    lua.close()?;
    assert!(format!("{table:#?}").starts_with("Table("));
    drop((lua, show, table));
    assert!(weak.upgrade().is_none());
    Ok(())
}
