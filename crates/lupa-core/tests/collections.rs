//! Arrays, sets, text and several values, to Lua and back.

use lupa_core::{Bytes, FromLua, IntoLua, Result, Runtime, Sequence, Value, Variadic};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

fn round_trip<T: IntoLua, U: for<'s> FromLua<'s>>(lua: &Runtime, value: T) -> Result<U> {
    lua.convert(value, |slot| U::from_lua(slot))
}

fn misfit<U: for<'s> FromLua<'s>>(lua: &Runtime, code: &str) -> String {
    let error = lua.load(code).expression().eval::<U>().map(drop);
    error.unwrap_err().to_string()
}

#[test]
fn arrays_have_exactly_so_many_items() -> Result<()> {
    let lua = Runtime::new()?;
    assert_eq!(round_trip::<_, [i32; 3]>(&lua, [1, 2, 3])?, [1, 2, 3]);
    assert_eq!(round_trip::<_, [String; 0]>(&lua, [0_u8; 0])?, [""; 0]);
    let matrix = [[1, 2], [3, 4]];
    assert_eq!(round_trip::<_, [[u8; 2]; 2]>(&lua, matrix)?, matrix);
    for (code, message) in [
        (
            "{1, 2}",
            "cannot convert sequence to array: 2 items instead of 3",
        ),
        (
            "{1, 2, 3, 4}",
            "cannot convert sequence to array: 4 items instead of 3",
        ),
        ("{1, 2, 'x'}", "at index 3: cannot convert string to u8"),
        ("'abc'", "cannot convert string to sequence"),
    ] {
        assert_eq!(misfit::<[u8; 3]>(&lua, code), message);
    }
    let boxed: Box<[u8]> = round_trip(&lua, vec![1, 2])?;
    assert_eq!(round_trip::<_, Vec<u8>>(&lua, boxed)?, [1, 2]);
    Ok(())
}

#[test]
fn sets_are_tables_of_true() -> Result<()> {
    let lua = Runtime::new()?;
    let names: BTreeSet<String> = ["a".into(), "b".into()].into();
    assert_eq!(
        round_trip::<_, BTreeSet<String>>(&lua, names.clone())?,
        names
    );
    let numbers: HashSet<i32> = (0..100).collect();
    assert_eq!(
        round_trip::<_, HashSet<i32>>(&lua, numbers.clone())?,
        numbers
    );
    let has_b: bool = lua.load("return (...).b").call(names)?;
    assert!(has_b);
    let members: BTreeSet<String> = lua.load("return {x = true, y = false}").eval()?;
    assert_eq!(members, ["x".to_owned()].into());
    // Breaks if a sequence reads as the set of its positions.
    assert_eq!(
        misfit::<HashSet<u8>>(&lua, "{10, 20}"),
        "at key 1: cannot convert number to boolean: a set is a table with `true` for each member"
    );
    assert_eq!(
        misfit::<HashSet<u8>>(&lua, "1"),
        "cannot convert number to set"
    );
    Ok(())
}

#[test]
fn sequences_come_from_any_iterator() -> Result<()> {
    let lua = Runtime::new()?;
    let squares = Sequence((1..=4).map(|i| i * i));
    assert_eq!(round_trip::<_, Vec<i32>>(&lua, squares)?, [1, 4, 9, 16]);
    let slice: &[f64] = &[0.5, 1.5];
    let nested = BTreeMap::from([("s", Sequence(slice.iter().copied()))]);
    let back: HashMap<String, Vec<f64>> = round_trip(&lua, nested)?;
    assert_eq!(back["s"], slice);
    // What an iterator expects is a hint and no more.
    struct Boaster;
    impl Iterator for Boaster {
        type Item = u8;
        fn next(&mut self) -> Option<u8> {
            None
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            (usize::MAX, None)
        }
    }
    assert_eq!(lua.create_sequence_from(Boaster)?.len()?, 0);
    Ok(())
}

#[test]
fn text_of_every_type() -> Result<()> {
    let lua = Runtime::new()?;
    for text in ["", "plain", "grüße", "a\0b"] {
        assert_eq!(
            &*round_trip::<_, Box<str>>(&lua, Box::<str>::from(text))?,
            text
        );
        assert_eq!(
            round_trip::<_, Cow<'_, str>>(&lua, Cow::Borrowed(text))?,
            text
        );
        let bytes = Cow::Borrowed(text.as_bytes());
        assert_eq!(
            round_trip::<_, Cow<'_, [u8]>>(&lua, bytes)?,
            text.as_bytes()
        );
    }
    for character in ['a', 'ß', '🦀', '\0'] {
        assert_eq!(round_trip::<_, char>(&lua, character)?, character);
    }
    assert_eq!(
        misfit::<char>(&lua, "'ab'"),
        "cannot convert string to character: 2 characters instead of one"
    );
    assert_eq!(
        misfit::<char>(&lua, "''"),
        "cannot convert string to character: 0 characters instead of one"
    );
    assert!(misfit::<Box<str>>(&lua, r"'\255'").contains("UTF-8 text"));
    assert_eq!(
        misfit::<Cow<'_, [u8]>>(&lua, "1"),
        "cannot convert number to string"
    );
    lua.convert(Bytes(b"\xff"), |slot| {
        assert_eq!(Bytes::from_lua(slot)?, Bytes(b"\xff"));
        Ok(())
    })
}

#[test]
fn any_number_of_values() -> Result<()> {
    let lua = Runtime::new()?;
    let all: Variadic<i32> = lua.load("return ...").call(Variadic(vec![1, 2, 3]))?;
    assert_eq!(*all, [1, 2, 3]);
    let none: Variadic<Value> = lua.load("return").eval()?;
    assert!(none.is_empty());
    let nils: Variadic<Option<i32>> = lua.load("return nil, 1, nil").eval()?;
    assert_eq!(nils.0, [None, Some(1), None]);
    let (first, rest): (String, Variadic<i32>) = lua.load("return 'a', 1, 2").eval()?;
    assert_eq!((first.as_str(), rest.0), ("a", vec![1, 2]));
    let (first, rest): (Option<i32>, Variadic<i32>) = lua.load("return").eval()?;
    assert_eq!((first, rest.len()), (None, 0));
    let count: usize =
        lua.load("return select('#', ...)")
            .call(("a", "b", Variadic((0..5000).collect())))?;
    assert_eq!(count, 5002);
    let sum: i32 = all.into_iter().sum();
    assert_eq!(sum, 6);
    let error = lua
        .load("return 1, 'x'")
        .eval::<Variadic<i32>>()
        .unwrap_err();
    assert_eq!(error.to_string(), "result #2: cannot convert string to i32");
    Ok(())
}

#[test]
fn tuples_of_up_to_twelve() -> Result<()> {
    let lua = Runtime::new()?;
    let twelve = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    type Twelve = (i8, u8, i16, u16, i32, u32, i64, u64, i128, u128, f32, f64);
    let back: Twelve = lua.load("return ...").call(twelve)?;
    assert_eq!(back, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11.0, 12.0));
    Ok(())
}

#[test]
fn nil_and_a_reason_is_an_error() -> Result<()> {
    let lua = Runtime::new()?;
    let run = |code: &str| {
        lua.load(code)
            .eval::<std::result::Result<(Option<i32>, Option<i32>), String>>()
    };
    assert_eq!(run("return nil, 'why'")?, Err("why".to_owned()));
    assert_eq!(run("return 1, 2")?, Ok((Some(1), Some(2))));
    assert_eq!(run("return nil")?, Ok((None, None)));
    assert_eq!(run("return")?, Ok((None, None)));
    Ok(())
}

#[test]
fn plain_data_makes_no_handles() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table()?;
    let before = lua.handles()?;
    let made: BTreeMap<String, (Vec<u64>, HashSet<char>)> = BTreeMap::new();
    drop(made);
    table.set("nested", vec![[Some("a"), None]; 3])?;
    table.set("big", u64::MAX)?;
    table.set("set", BTreeSet::from(['a', 'b']))?;
    let _: Vec<Vec<String>> = table.get("nested")?;
    let _: u64 = table.get("big")?;
    let values: Variadic<Value> = lua.load("return nil, true, 1").eval()?;
    assert_eq!((values.len(), lua.handles()?), (3, before));
    Ok(())
}
