//! Tables: access, iteration, metatables.

use lupa_core::{
    Cursor, Error, FromLua, Function, Reference, Result, Runtime, Table, Value, equal, less_than,
};
use std::collections::BTreeSet;

#[test]
fn every_entry_is_seen_once() -> Result<()> {
    let lua = Runtime::new()?;
    let table: Table = lua
        .load("return {10, 20, 30, x = 1, [2.5] = 2, [false] = 3}")
        .eval()?;
    let mut seen = Vec::new();
    table.for_each(|key: Value, value: i32| {
        seen.push((key.type_name(), value));
        Ok(())
    })?;
    assert_eq!(&seen[..3], [("number", 10), ("number", 20), ("number", 30)]);
    let rest: BTreeSet<_> = seen[3..].iter().copied().collect();
    assert_eq!(rest, [("string", 1), ("number", 2), ("boolean", 3)].into());
    assert_eq!(table.pairs::<Value, i32>()?.len(), 6);
    assert!(!table.is_empty()?);
    assert!(lua.create_table()?.is_empty()?);
    Ok(())
}

#[test]
fn entries_can_be_removed_while_iterating() -> Result<()> {
    let lua = Runtime::new()?;
    let table: Table = lua
        .load("local t = {} for i = 1, 1000 do t['k' .. i] = i end return t")
        .eval()?;
    let mut count = 0;
    table.for_each(|key: String, _: i32| {
        count += 1;
        table.set(key, Value::Nil)?;
        if count % 100 == 0 {
            lua.gc_collect()
        } else {
            Ok(())
        }
    })?;
    assert_eq!((count, table.is_empty()?), (1000, true));
    Ok(())
}

#[test]
fn entries_added_while_iterating_do_no_harm() -> Result<()> {
    let lua = Runtime::new()?;
    // Breaks (aborts) if Lua's `next` is called unprotected for a key that the table lost.
    for _ in 0..5 {
        let table: Table = lua
            .load("local t = {} for i = 1, 7 do t['k' .. i] = i end return t")
            .eval()?;
        let mut n = 0;
        table.for_each(|key: Value, _: Value| {
            n += 1;
            table.set(key, Value::Nil)?;
            if n < 1000 {
                table.set(format!("new{n}"), n)
            } else {
                Ok(())
            }
        })?;
        assert!(n >= 7);
        assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
    }
    Ok(())
}

#[test]
fn a_cursor_walks_step_by_step() -> Result<()> {
    let lua = Runtime::new()?;
    let table: Reference = lua.load("return {1, 2, 3}").eval()?;
    let handles = lua.handles()?;
    let mut cursor = Cursor::start();
    let mut sum = 0;
    while let Some(value) = cursor.advance(&table, |_, value| i32::from_lua(value))? {
        sum += value;
        lua.load("local t = {} for i = 1, 100 do t[i] = {} end")
            .exec()?;
    }
    assert_eq!(sum, 6);
    assert!(
        cursor.advance(&table, |_, _| Ok(()))?.is_none(),
        "the end stays the end"
    );
    assert_eq!(lua.handles()?, handles);

    // An error of the reader does not stop the walk.
    let mut cursor = Cursor::start();
    assert!(
        cursor
            .advance(&table, |_, value| String::from_lua(value))
            .is_err()
    );
    assert_eq!(
        cursor.advance(&table, |_, value| i32::from_lua(value))?,
        Some(2)
    );
    Ok(())
}

#[test]
fn metamethods_are_honoured_and_their_errors_arrive() -> Result<()> {
    let lua = Runtime::new()?;
    // Breaks (aborts) if a table with a metatable is read or written unprotected.
    let strict: Table = lua
        .load(
            "local function no(what) return function() error({what = what}) end end
             return setmetatable({here = 1}, {__index = no 'index', __newindex = no 'newindex', __len = no 'len',
                 __eq = no 'eq', __lt = no 'lt', __tostring = no 'tostring'})",
        )
        .eval()?;
    let what = |outcome: Result<()>| -> String {
        let Error::Runtime(error) = outcome.unwrap_err() else {
            panic!()
        };
        let Some(Value::Table(value)) = &error.value else {
            panic!("{error}")
        };
        value.get("what").unwrap()
    };
    assert_eq!(strict.get::<i32>("here")?, 1);
    assert_eq!(what(strict.get::<Value>("missing").map(drop)), "index");
    assert_eq!(what(strict.set("missing", 1)), "newindex");
    assert_eq!(what(strict.push(1)), "newindex");
    assert_eq!(what(strict.to_lua_string().map(drop)), "tostring");
    assert_eq!(strict.len()?, 0, "5.1: `#` of a table asks no metamethod");
    let other: Table = lua
        .load("local a = ...; return setmetatable({}, getmetatable(a))")
        .call(&strict)?;
    let (a, b) = (Value::Table(strict.clone()), Value::Table(other));
    assert_eq!(what(equal(&lua, &a, &b).map(drop)), "eq");
    assert_eq!(what(less_than(&lua, &a, &b).map(drop)), "lt");
    assert!(strict.raw_get::<Option<i32>>("missing")?.is_none());
    strict.raw_set("missing", 2)?;
    assert_eq!(strict.get::<i32>("missing")?, 2);
    Ok(())
}

// Breaks if a store to a field does not tell LuaJIT that a metamethod it has not found may be there now.
#[test]
fn a_metamethod_that_was_missed_is_found_once_it_is_set() -> Result<()> {
    let lua = Runtime::new()?;
    let code = "local mt = { __index = 1 } mt.__index = nil return setmetatable({}, mt), mt";
    let (t, mt): (Table, Table) = lua.load(code).eval()?;
    let look: Function = lua.load("local t = ... return t.missing").into_function()?;
    assert!(look.call::<Value>(&t)?.is_nil());
    mt.set("__index", lua.load("return 'found'").into_function()?)?;
    assert_eq!(look.call::<String>(&t)?, "found");
    Ok(())
}

// Breaks if a store to a field does not tell the collector: it would free the value.
#[test]
fn what_is_stored_during_a_collection_stays() -> Result<()> {
    let lua = Runtime::new()?;
    let t: Table = lua.load("return { field = 0 }").eval()?;
    lua.load("kept = {} for i = 1, 2000 do kept[i] = {} end")
        .exec()?;
    // A cycle takes some hundred steps; the table is seen in one of the first.
    for steps in 0..200 {
        lua.gc_collect()?;
        for _ in 0..steps {
            lua.gc_step(0)?;
        }
        t.set("field", format!("value {steps}"))?;
        while !lua.gc_step(0)? {}
        lua.load("for i = 1, 100 do local s = 'garbage ' .. i end")
            .exec()?;
        assert_eq!(t.get::<String>("field")?, format!("value {steps}"));
    }
    Ok(())
}

#[test]
fn metatables_are_set_and_read() -> Result<()> {
    let lua = Runtime::new()?;
    let (table, meta) = (lua.create_table()?, lua.create_table()?);
    assert!(table.metatable()?.is_none());
    meta.set("__index", &meta)?;
    meta.set("inherited", "yes")?;
    table.set_metatable(Some(&meta))?;
    assert!(table.metatable()?.unwrap().same(&meta)?);
    assert_eq!(table.get::<String>("inherited")?, "yes");
    table.set_metatable(None)?;
    assert!(table.get::<Option<String>>("inherited")?.is_none());
    assert!(matches!(
        table.set_metatable(Some(&Runtime::new()?.create_table()?)),
        Err(Error::WrongRuntime)
    ));
    Ok(())
}

#[test]
fn keys_that_are_none_are_refused() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table()?;
    // Breaks (aborts) if nil and NaN keys reach lua_rawset.
    for _ in 0..3 {
        assert!(matches!(
            table.set(f64::NAN, 1),
            Err(Error::InvalidKey(key)) if key == "NaN"
        ));
        assert!(matches!(
            table.set(Value::Nil, 1),
            Err(Error::InvalidKey(key)) if key == "nil"
        ));
        assert!(matches!(
            table.raw_set(-f64::NAN, 1),
            Err(Error::InvalidKey(key)) if key == "NaN"
        ));
        assert!(matches!(
            table.raw_set((None::<i32>,).0, 1),
            Err(Error::InvalidKey(key)) if key == "nil"
        ));
        table.set_metatable(Some(&lua.create_table()?))?;
        assert!(table.set(f64::NAN, 1).is_err());
        assert!(table.set(Value::Nil, 1).is_err());
        table.set_metatable(None)?;
    }
    assert!(table.get::<Option<i32>>(f64::NAN)?.is_none());
    assert!(table.get::<Option<i32>>(Value::Nil)?.is_none());
    assert!(table.is_empty()?);
    Ok(())
}

#[test]
fn values_of_another_runtime_are_refused() -> Result<()> {
    let (lua, other) = (Runtime::new()?, Runtime::new()?);
    let (table, foreign) = (lua.create_table()?, other.create_table()?);
    let f: Function = lua.load("return function(...) return ... end").eval()?;
    assert!(matches!(table.set("x", &foreign), Err(Error::WrongRuntime)));
    assert!(matches!(table.set(&foreign, 1), Err(Error::WrongRuntime)));
    assert!(matches!(
        f.call::<Value>(&foreign),
        Err(Error::WrongRuntime)
    ));
    assert!(!table.same(&foreign)?);
    let outcome = other.convert(&foreign, |slot| table.set("slot", slot));
    assert!(matches!(outcome, Err(Error::WrongRuntime)));
    Ok(())
}

#[test]
fn a_sequence_has_the_keys_from_1_to_its_length_and_no_others() -> Result<()> {
    let lua = Runtime::new()?;
    for (code, expected) in [
        ("{}", true),
        ("{1, 2, 3}", true),
        ("{[2] = 2, [1] = 1}", true),
        ("{1, 2, n = 2}", false),
        ("{1, nil, 3}", false),
        ("{[0] = 0, 1}", false),
        ("{[1.5] = 1}", false),
        ("{[-1] = 1}", false),
        // As many entries as its border says, but not those.
        ("{nil, nil, 3, x = 1, y = 2}", false),
        ("{nil, 2, x = 1}", false),
        ("'text'", false),
    ] {
        let value: Reference = lua.load(format!("return {code}").as_str()).eval()?;
        assert_eq!(value.with(|slot| slot.is_sequence())?, expected, "{code}");
    }
    Ok(())
}
