//! Rust values to Lua and back.

use lupa_core::{
    Bytes, Error, FromLua, FromLuaMulti, Function, IntoLua, IntoLuaMulti, Kind, LuaString, Pusher,
    Reference, Result, Runtime, Slot, Table, Value, Variadic,
};
use std::collections::{BTreeMap, HashMap};

/// Sends a value through Lua.
fn round_trip<T: IntoLua, U: for<'s> FromLua<'s>>(lua: &Runtime, value: T) -> Result<U> {
    lua.convert(value, |slot| U::from_lua(slot))
}

#[test]
fn integers_at_their_limits() -> Result<()> {
    let lua = Runtime::new()?;
    macro_rules! limits {
        ($($type:ident)*) => {$(
            for value in [$type::MIN, 0, 1, $type::MAX] {
                assert_eq!(round_trip::<_, $type>(&lua, value)?, value);
            }
            let above = f64::from($type::MAX) + 1.0;
            assert!(round_trip::<_, $type>(&lua, above).is_err(), "{above}");
            assert!(round_trip::<_, $type>(&lua, 0.5).is_err());
            assert!(round_trip::<_, $type>(&lua, f64::NAN).is_err());
            assert!(round_trip::<_, $type>(&lua, f64::INFINITY).is_err());
        )*};
    }
    limits!(i8 i16 i32 u8 u16 u32);
    Ok(())
}

#[test]
fn the_doubles_next_to_the_limits_do_not_fit() -> Result<()> {
    let lua = Runtime::new()?;
    assert!(round_trip::<_, f64>(&lua, u64::MAX).is_err());
    assert!(round_trip::<_, i64>(&lua, 9_223_372_036_854_775_808.0).is_err());
    assert!(round_trip::<_, u64>(&lua, 18_446_744_073_709_551_616.0).is_err());
    assert!(round_trip::<_, u64>(&lua, -1.0).is_err());
    assert_eq!(
        round_trip::<_, i64>(&lua, -9_223_372_036_854_775_808.0)?,
        i64::MIN
    );
    Ok(())
}

#[test]
fn text_and_bytes_are_borrowed() -> Result<()> {
    let lua = Runtime::new()?;
    let shout = lua.create_function(|call| {
        let text: &str = call.get(0)?;
        let bytes: &[u8] = call.get(1)?;
        call.push(text.to_uppercase())?;
        call.push(bytes.len())
    })?;
    let (text, count): (String, usize) = shout.call(("grüße", Bytes(b"\xff\0\xfe")))?;
    assert_eq!((text.as_str(), count), ("GRÜSSE", 3));
    let error = shout.call::<()>((Bytes(b"\xff"), "")).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("bad argument #1: cannot convert string to UTF-8 text")
    );
    let kept: LuaString = round_trip(&lua, Bytes(b"a\0b"))?;
    assert_eq!(kept.with_bytes(<[u8]>::to_vec)?, b"a\0b");
    Ok(())
}

#[test]
fn absence_is_none() -> Result<()> {
    let lua = Runtime::new()?;
    assert_eq!(round_trip::<_, Option<i32>>(&lua, None::<i32>)?, None);
    assert_eq!(round_trip::<_, Option<i32>>(&lua, Some(3))?, Some(3));
    assert!(round_trip::<_, Option<i32>>(&lua, "three").is_err());
    let (a, b): (Option<i32>, Option<i32>) = lua.load("return 1").eval()?;
    assert_eq!((a, b), (Some(1), None));
    Ok(())
}

#[test]
fn collections_are_tables() -> Result<()> {
    let lua = Runtime::new()?;
    let nested = vec![vec![1, 2], vec![], vec![3]];
    assert_eq!(
        round_trip::<_, Vec<Vec<i32>>>(&lua, nested.clone())?,
        nested
    );
    let map: BTreeMap<String, Vec<bool>> = [("a".into(), vec![true]), ("b".into(), vec![])].into();
    assert_eq!(
        round_trip::<_, BTreeMap<String, Vec<bool>>>(&lua, map.clone())?,
        map
    );
    let numbers: HashMap<i64, f64> = (0..100).map(|i| (i, i as f64 / 2.0)).collect();
    assert_eq!(
        round_trip::<_, HashMap<i64, f64>>(&lua, numbers.clone())?,
        numbers
    );
    let big: Vec<u32> = (0..100_000).collect();
    assert_eq!(round_trip::<_, Vec<u32>>(&lua, big.clone())?, big);
    let sum: u64 = lua
        .load("local t = ...; local s = 0; for i = 1, #t do s = s + t[i] end return s")
        .call(big)?;
    assert_eq!(sum, 4_999_950_000);
    Ok(())
}

#[test]
fn tuples_are_several_values() -> Result<()> {
    let lua = Runtime::new()?;
    let (count, last): (usize, i32) = lua
        .load("return select('#', ...), (select(8, ...))")
        .call((1, 2, 3, 4, 5, 6, 7, 8))?;
    assert_eq!((count, last), (8, 8));
    assert_eq!(
        lua.load("return select('#', ...)")
            .call::<usize>(&[1, 2, 3][..])?,
        3
    );
    let (a,): (f32,) = lua.load("return 0.5, 1").eval()?;
    assert_eq!(a, 0.5);
    Ok(())
}

/// Sends a tuple of these numbers through a function that gives its arguments.
fn passes<T>(echo: &Function, tuple: T, numbers: &[u8]) -> Result<()>
where
    T: for<'s> FromLuaMulti<'s> + IntoLuaMulti + Clone + PartialEq + std::fmt::Debug,
{
    assert_eq!(echo.call::<T>(tuple.clone())?, tuple);
    assert_eq!(*echo.call::<Variadic<u8>>(tuple)?, numbers);
    Ok(())
}

/// As [`passes`]; and has it read with more than it takes, with one that is wrong, and with one that is missing.
fn passes_alone<T>(echo: &Function, tuple: T, numbers: &[u8]) -> Result<()>
where
    T: for<'s> FromLuaMulti<'s> + IntoLuaMulti + Clone + PartialEq + std::fmt::Debug,
{
    passes(echo, tuple.clone(), numbers)?;
    let with_text: Function = echo
        .runtime()
        .load("local at = ... local all = { select(2, ...) } all[at + 1] = 'x' return unpack(all)")
        .into_function()?;
    let more = Variadic([numbers, &[99]].concat());
    assert_eq!(echo.call::<T>(more)?, tuple);
    for wrong in 0..numbers.len() {
        let before = &numbers[..wrong];
        for (error, kind) in [
            (echo.call::<T>(before).unwrap_err(), "no value"),
            (with_text.call::<T>((wrong, numbers)).unwrap_err(), "string"),
        ] {
            let misfit = format!("cannot convert {kind} to u8");
            // The only one needs no number.
            let place = match numbers.len() {
                1 => misfit,
                _ => format!("result #{}: {misfit}", wrong + 1),
            };
            assert!(error.to_string().contains(&place), "{error}: {place}");
        }
    }
    Ok(())
}

/// Sends tuples: of all the numbers, then without the first, and so on to one.
macro_rules! tuples_of_every_size {
    ($echo:ident;) => {};
    ($echo:ident; $first:literal $($n:literal)*) => {
        passes_alone(&$echo, ($first, $($n),*), &[$first, $($n),*])?;
        // The last one may be several values.
        for rest in [vec![], vec![20, 21]] {
            let all: Vec<u8> = [$($n),*].into_iter().chain(rest.clone()).collect();
            passes(&$echo, ($($n,)* Variadic(rest)), &all)?;
        }
        tuples_of_every_size!($echo; $($n)*);
    };
}

#[test]
fn tuples_of_up_to_twelve_values_keep_their_order() -> Result<()> {
    let lua = Runtime::new()?;
    let echo: Function = lua.load("return function(...) return ... end").eval()?;
    tuples_of_every_size!(echo; 1_u8 2_u8 3_u8 4_u8 5_u8 6_u8 7_u8 8_u8 9_u8 10_u8 11_u8 12_u8);
    Ok(())
}

#[test]
fn misfits_say_what_is_wrong() -> Result<()> {
    let lua = Runtime::new()?;
    let message = |code: &str, outcome: fn(Slot<'_>) -> Result<()>| {
        let value: Value = lua.load(code).expression().eval().unwrap();
        lua.convert(value, outcome).unwrap_err().to_string()
    };
    assert_eq!(
        message("{}", |s| i32::from_lua(s).map(drop)),
        "cannot convert table to i32"
    );
    assert_eq!(
        message("'1'", |s| f64::from_lua(s).map(drop)),
        "cannot convert string to number"
    );
    assert_eq!(
        message("1", |s| String::from_lua(s).map(drop)),
        "cannot convert number to string"
    );
    assert_eq!(
        message("nil", |s| bool::from_lua(s).map(drop)),
        "cannot convert nil to boolean"
    );
    assert_eq!(
        message("print", |s| Table::from_lua(s).map(drop)),
        "cannot convert function to table"
    );
    assert_eq!(
        message("1e10", |s| i32::from_lua(s).map(drop)),
        "cannot convert number to i32: 10000000000 is not between -2147483648 and 2147483647"
    );
    assert_eq!(
        message("{1, 'x'}", |s| Vec::<u8>::from_lua(s).map(drop)),
        "at index 2: cannot convert string to u8"
    );
    assert_eq!(
        message("'x'", |s| Vec::<u8>::from_lua(s).map(drop)),
        "cannot convert string to sequence"
    );
    assert_eq!(
        message("{[1] = 2}", |s| HashMap::<String, u8>::from_lua(s)
            .map(drop)),
        "at key 1 itself: cannot convert number to string"
    );
    Ok(())
}

#[test]
fn slots_show_every_kind() -> Result<()> {
    let lua = Runtime::new()?;
    let kinds = lua.create_function(|call| {
        let kinds: Vec<String> = (0..=call.len())
            .map(|i| format!("{:?}", call.arg(i).kind()))
            .collect();
        assert_eq!(call.arg(usize::MAX).kind(), Kind::None);
        assert!(!call.arg(usize::MAX).truthy());
        assert!(call.arg(usize::MAX).bytes().is_none());
        assert!(call.arg(usize::MAX).address().is_null());
        call.push(kinds.join(" "))
    })?;
    lua.globals()?.set("kinds", kinds)?;
    let text: String = lua
        .load(
            "local ffi = require 'ffi'
             return kinds(nil, true, 1, 's', {}, print, newproxy(), coroutine.create(print), ffi.new('int64_t', 1))",
        )
        .eval()?;
    assert_eq!(
        text,
        "Nil Boolean Number String Table Function UserData Thread CData None"
    );
    Ok(())
}

#[test]
fn an_argument_that_is_absent_is_kept_as_nil() -> Result<()> {
    let lua = Runtime::new()?;
    let absent = lua.create_function(|call| {
        let kept = [call.arg(0).to_reference()?, call.get(1)?];
        let key = call.arg(2).to_registry_key()?;
        let kinds = [
            kept[0].kind()?,
            kept[1].kind()?,
            call.runtime().registry_reference(&key)?.kind()?,
        ];
        call.runtime().remove_registry_value(key)?;
        call.push(kinds.iter().all(|kind| *kind == Kind::Nil))
    })?;
    assert!(absent.call::<bool>(())?);
    let typed = lua.function(|value: Reference| Ok(value.kind()?.name()))?;
    assert_eq!(typed.call::<String>(())?, "nil");
    Ok(())
}

/// Conversions that break the rule to push exactly one value.
enum Misuse {
    Nothing,
    Leftovers,
}

impl IntoLua for Misuse {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        if let Misuse::Leftovers = self {
            let _ = to.new_table(0, 0, |table| {
                let _ = table.set(Value::Nil, 1);
                table.set(1, vec![u128::MAX])
            });
        }
        Ok(())
    }
}

#[test]
fn conversions_that_push_nothing_are_refused() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table()?;
    let check =
        |outcome: Result<()>| assert!(outcome.unwrap_err().to_string().contains("exactly one"));
    // Breaks if `convert` reads slot 0 for a conversion that pushes nothing (a stale value).
    check(lua.convert(Misuse::Nothing, |slot| slot.to_value().map(drop)));
    check(table.set(Misuse::Nothing, 1));
    check(table.set(1, Misuse::Nothing));
    check(table.get::<Value>(Misuse::Nothing).map(drop));
    check(table.raw_get::<Value>(Misuse::Nothing).map(drop));
    check(table.raw_set(Misuse::Nothing, Misuse::Nothing));
    check(
        lua.create_table_with(0, 0, |t| t.set(Misuse::Nothing, 1))
            .map(drop),
    );
    check(
        lua.create_table_with(0, 0, |t| t.set_index(1, Misuse::Nothing))
            .map(drop),
    );
    let _ = lua
        .load("return ...")
        .call::<Value>((Misuse::Nothing, Misuse::Leftovers));
    let _ = table.set(Misuse::Leftovers, Misuse::Leftovers);
    let _ = lua.convert(Misuse::Leftovers, |slot| slot.to_value());
    assert_eq!(table.len()?, 0);
    Ok(())
}

#[test]
fn a_failed_entry_leaves_the_builder_usable() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table_with(0, 0, |table| {
        assert!(matches!(
            table.set(Value::Nil, 1),
            Err(Error::InvalidKey(key)) if key == "nil"
        ));
        assert!(matches!(
            table.set(f64::NAN, 1),
            Err(Error::InvalidKey(key)) if key == "NaN"
        ));
        assert!(table.set("big", u128::MAX).is_err());
        assert!(table.set_index(1, vec![u128::MAX]).is_err());
        table.set("ok", 1)?;
        table.set_index(1, "first")
    })?;
    assert_eq!((table.get::<i32>("ok")?, table.len()?), (1, 1));
    Ok(())
}

#[test]
fn a_failed_conversion_leaves_no_extra_results() -> Result<()> {
    let lua = Runtime::new()?;
    // Breaks if what a failed conversion left on the stack counts as a result.
    let tolerant = lua.create_function(|call| {
        assert!(call.get::<HashMap<String, u8>>(0).is_err());
        assert!(call.get::<Vec<u8>>(0).is_err());
        assert!(call.push(vec![1, u128::MAX]).is_err());
        call.push("only")
    })?;
    lua.globals()?.set("tolerant", tolerant)?;
    let (count, first): (usize, String) = lua
        .load("return select('#', tolerant({'a', 'b'})), (tolerant({'a', 'b'}))")
        .eval()?;
    assert_eq!((count, first.as_str()), (1, "only"));
    Ok(())
}

#[test]
// By reference, too.
#[expect(clippy::needless_borrows_for_generic_args)]
fn paths_and_c_strings() -> Result<()> {
    use std::ffi::{CString, OsStr, OsString};
    use std::path::{Path, PathBuf};
    let lua = Runtime::new()?;
    assert_eq!(lua.convert_to::<PathBuf>("a/b.lua")?, Path::new("a/b.lua"));
    for path in [
        lua.convert_to::<String>(Path::new("x/y"))?,
        lua.convert_to(PathBuf::from("x/y"))?,
        lua.convert_to(&PathBuf::from("x/y"))?,
        lua.convert_to(OsStr::new("x/y"))?,
        lua.convert_to(OsString::from("x/y"))?,
        lua.convert_to(&OsString::from("x/y"))?,
        lua.convert_to(c"x/y")?,
        lua.convert_to(CString::from(c"x/y"))?,
        lua.convert_to(&CString::from(c"x/y"))?,
    ] {
        assert_eq!(path, "x/y");
    }
    assert!(lua.convert_to::<PathBuf>(5).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        // Breaks if a name of a file must be UTF-8.
        let name = OsStr::from_bytes(b"a\xff/b");
        assert_eq!(lua.convert_to::<OsString>(name)?, name);
        assert_eq!(lua.convert_to::<PathBuf>(Path::new(name))?, Path::new(name));
    }
    assert_eq!(lua.convert_to::<CString>("text")?.as_c_str(), c"text");
    let error = lua.convert_to::<CString>("te\0xt").unwrap_err();
    assert!(
        error.text().contains("cannot convert string to C string"),
        "{error}"
    );
    Ok(())
}
