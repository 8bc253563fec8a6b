//! Tables as lists, and iterators over tables.

use lupa_core::{Error, Result, Runtime, Table, Value};
use std::panic::{AssertUnwindSafe, catch_unwind};

fn items(table: &Table) -> Result<Vec<i32>> {
    table.sequence().collect()
}

#[test]
fn insert_and_remove_do_what_lua_does() -> Result<()> {
    let lua = Runtime::new()?;
    let model: lupa_core::Function = lua
        .load("local t, at, value = ... if value then table.insert(t, at, value) else table.remove(t, at) end")
        .into_function()?;
    let (ours, theirs) = (lua.create_table()?, lua.create_table()?);
    // Positions by a simple generator; every third step removes.
    let mut seed = 1_usize;
    for step in 1..=300_i32 {
        seed = seed * 75 % 65537;
        let length = ours.len()?;
        if step % 3 == 0 {
            let at = seed % length + 1;
            ours.remove::<i32>(at)?;
            model.call::<()>((&theirs, at))?;
        } else {
            let at = seed % (length + 1) + 1;
            ours.insert(at, step)?;
            model.call::<()>((&theirs, at, step))?;
        }
        assert_eq!(items(&ours)?, items(&theirs)?);
    }
    assert_eq!(ours.len()?, 100);
    Ok(())
}

#[test]
fn positions_outside_are_refused() -> Result<()> {
    let lua = Runtime::new()?;
    let list = lua.create_sequence_from([1, 2])?;
    let message = |outcome: Result<()>| outcome.unwrap_err().to_string();
    for at in [0, 4, usize::MAX] {
        assert_eq!(
            message(list.insert(at, 0)),
            format!("position {at} is not between 1 and 3")
        );
    }
    for at in [0, 3, usize::MAX] {
        assert_eq!(
            message(list.remove::<i32>(at).map(drop)),
            format!("position {at} is not between 1 and 2")
        );
    }
    // What does not convert is not lost.
    assert!(list.remove::<String>(1).is_err());
    assert!(list.pop::<String>().is_err());
    assert!(list.insert(1, f64::NAN).is_ok());
    assert_eq!(list.remove::<f64>(1)?.to_string(), "NaN");
    assert_eq!(items(&list)?, [1, 2]);
    Ok(())
}

#[test]
fn push_and_pop() -> Result<()> {
    let lua = Runtime::new()?;
    let list: Table = lua
        .load("return setmetatable({}, {__newindex = error, __index = error})")
        .eval()?;
    assert_eq!(list.pop::<i32>()?, None);
    for i in 0..100 {
        list.raw_push(i)?;
    }
    assert!(list.push(0).is_err());
    for i in (0..100).rev() {
        assert_eq!(list.pop()?, Some(i));
    }
    assert_eq!(list.pop::<i32>()?, None);
    Ok(())
}

#[test]
fn clear_leaves_nothing() -> Result<()> {
    let lua = Runtime::new()?;
    let table: Table = lua
        .load("local t = {1, 2, 3, [0] = 0, x = 1, [2.5] = 2, [print] = 3} return t")
        .eval()?;
    table.clear()?;
    assert!(table.is_empty()?);
    table.raw_push(1)?;
    assert_eq!(items(&table)?, [1]);
    Ok(())
}

#[test]
fn keys_are_found_as_lua_finds_them() -> Result<()> {
    let lua = Runtime::new()?;
    let table: Table = lua
        .load("return setmetatable({a = false}, {__index = {b = 1}})")
        .eval()?;
    let found = |key: &str| table.contains_key(key);
    assert_eq!((found("a")?, found("b")?, found("c")?), (true, true, false));
    assert!(!table.contains_key(f64::NAN)?);
    Ok(())
}

#[test]
fn iterators_bear_changes_and_end_at_an_error() -> Result<()> {
    let lua = Runtime::new()?;
    let list = lua.create_sequence_from(1..=5)?;
    let mut seen = Vec::new();
    for item in list.sequence::<i32>() {
        seen.push(item?);
        // Breaks if the length is asked for once, at the start.
        if seen.len() < 8 {
            list.raw_push(0)?;
        }
        list.remove::<i32>(1)?;
        list.insert(1, 9)?;
    }
    assert_eq!(seen.len(), 12);

    let table = lua.create_table_from((0..1000).map(|i| (format!("k{i}"), i)))?;
    let mut count = 0;
    for entry in table.iter::<String, i32>() {
        table.set(entry?.0, Value::Nil)?;
        count += 1;
    }
    assert_eq!((count, table.is_empty()?), (1000, true));

    list.set(2, "two")?;
    let mut iterator = list.sequence::<i32>();
    assert!(matches!(iterator.next(), Some(Ok(9))));
    assert!(matches!(iterator.next(), Some(Err(_))));
    assert!(iterator.next().is_none());

    let mut entries = list.iter::<Value, Value>();
    assert!(entries.next().is_some());
    lua.close()?;
    // Breaks (does not end) if an iterator of a closed runtime gives errors for ever.
    assert!(matches!(entries.next(), Some(Err(Error::Closed))));
    assert!(entries.next().is_none());
    Ok(())
}

#[test]
fn tables_of_entries_and_items() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table_from([(1, "a"), (2, "b"), (7, "g")])?;
    assert_eq!(table.len()?, 2);
    assert!(matches!(
        lua.create_table_from([(f64::NAN, 1)]),
        Err(Error::InvalidKey(key)) if key == "NaN"
    ));
    // A panic in the middle leaves the runtime as it was.
    let handles = lua.handles()?;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        lua.create_sequence_from((0..10).map(|i| if i < 5 { i } else { panic!("five") }))
    }));
    assert!(outcome.is_err());
    assert_eq!(lua.handles()?, handles);
    assert_eq!(lua.create_sequence_from(0..3)?.len()?, 3);
    Ok(())
}

#[test]
fn a_memory_limit_holds_for_what_the_host_makes() -> Result<()> {
    let lua = Runtime::builder().memory_limit(2_000_000).build()?;
    let endless = lua.create_sequence_from(0_u64..);
    assert!(matches!(endless, Err(Error::Memory)));
    let list = lua.create_table()?;
    let outcome = (0..10_000_000).try_for_each(|i| list.raw_push(i));
    assert!(matches!(outcome, Err(Error::Memory)));
    list.clear()?;
    drop(list);
    assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
    Ok(())
}
