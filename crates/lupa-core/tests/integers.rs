//! Integers: numbers where they are exact, 64-bit integers of the FFI library beyond.

use lupa_core::{Error, FromLua, IntoLua, Kind, Libs, Reference, Result, Runtime, Value};

fn round_trip<T: IntoLua, U: for<'s> FromLua<'s>>(lua: &Runtime, value: T) -> Result<U> {
    lua.convert(value, |slot| U::from_lua(slot))
}

fn kind_of(lua: &Runtime, value: impl IntoLua) -> Result<Kind> {
    lua.convert(value, |slot| Ok(slot.kind()))
}

fn without_ffi() -> Result<Runtime> {
    Runtime::builder().libs(Libs::SAFE).build()
}

#[test]
fn every_integer_of_64_bits_goes_there_and_back() -> Result<()> {
    let lua = Runtime::new()?;
    let edges = [0, 1, 52, 53, 54, 61, 62, 63];
    for power in edges {
        for offset in -2..=2_i128 {
            for sign in [1, -1] {
                let value = sign * (1_i128 << power) + offset;
                if let Ok(signed) = i64::try_from(value) {
                    assert_eq!(round_trip::<_, i64>(&lua, signed)?, signed);
                }
                if let Ok(unsigned) = u64::try_from(value) {
                    assert_eq!(round_trip::<_, u64>(&lua, unsigned)?, unsigned);
                }
                if i64::try_from(value).is_ok() || u64::try_from(value).is_ok() {
                    assert_eq!(round_trip::<_, i128>(&lua, value)?, value);
                }
            }
        }
    }
    for value in [u64::MAX, u64::MAX - 1] {
        assert_eq!(round_trip::<_, u64>(&lua, value)?, value);
        assert_eq!(round_trip::<_, u128>(&lua, value)?, u128::from(value));
    }
    assert_eq!(round_trip::<_, i64>(&lua, i64::MIN)?, i64::MIN);
    Ok(())
}

#[test]
fn numbers_hold_integers_up_to_two_to_the_53rd() -> Result<()> {
    let lua = Runtime::new()?;
    let last = 1_i64 << 53;
    for value in [0, last, -last] {
        assert_eq!(kind_of(&lua, value)?, Kind::Number, "{value}");
    }
    // Also those beyond that a double would hold: the kind does not depend on the last bits.
    for value in [last + 1, last + 2, -last - 1, i64::MAX, i64::MIN] {
        assert_eq!(kind_of(&lua, value)?, Kind::CData, "{value}");
    }
    Ok(())
}

#[test]
fn lua_code_computes_with_them_exactly() -> Result<()> {
    let lua = Runtime::new()?;
    let (sum, kind, shown): (i64, String, String) = lua
        .load("local a, b = ... return a + b, require('ffi').istype('int64_t', a) and 'int64', tostring(a)")
        .call((i64::MAX - 7, 5))?;
    assert_eq!((sum, kind.as_str()), (i64::MAX - 2, "int64"));
    assert_eq!(shown, "9223372036854775800LL");
    let unsigned: bool = lua
        .load("return require('ffi').istype('uint64_t', ...)")
        .call(u64::MAX)?;
    assert!(unsigned);
    Ok(())
}

#[test]
fn qualified_types_and_names_of_types_are_read_too() -> Result<()> {
    let lua = Runtime::new()?;
    let read = |kind: &str| {
        lua.load(&format!("return require('ffi').new('{kind}', 42)"))
            .eval::<u8>()
    };
    for kind in [
        "int64_t",
        "uint64_t",
        "const int64_t",
        "size_t",
        "long long",
    ] {
        assert_eq!(read(kind)?, 42, "{kind}");
    }
    // Lua code reads the members of others as numbers, so these are what they are: objects.
    for kind in [
        "int32_t",
        "double",
        "bool",
        "struct {int64_t a;}",
        "int64_t[1]",
    ] {
        let error = read(kind).unwrap_err().to_string();
        assert_eq!(error, "cannot convert cdata to u8", "{kind}");
    }
    Ok(())
}

#[test]
fn what_lua_code_does_to_cdata_changes_no_integer() -> Result<()> {
    let lua = Runtime::new()?;
    // Breaks if integers are read by way of `tostring`.
    let value: i64 = lua
        .load(
            "local n = 2LL ^ 62
             debug.getmetatable(n).__tostring = function() return '7LL' end
             return n",
        )
        .eval()?;
    assert_eq!(value, 1 << 62);
    Ok(())
}

#[test]
fn without_the_ffi_library_only_exact_integers_pass() -> Result<()> {
    let lua = without_ffi()?;
    for exact in [1_i64 << 53, -(1 << 53), 1 << 62, i64::MIN, (1 << 53) + 2] {
        assert_eq!(kind_of(&lua, exact)?, Kind::Number);
        assert_eq!(round_trip::<_, i64>(&lua, exact)?, exact);
    }
    assert_eq!(round_trip::<_, u64>(&lua, 1_u64 << 63)?, 1 << 63);
    for inexact in [(1_i64 << 53) + 1, i64::MAX, i64::MIN + 1] {
        let error = round_trip::<_, i64>(&lua, inexact).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot convert i64 to number: {inexact} has no exact double, \
                 and there is no FFI integer for it"
            )
        );
    }
    assert!(round_trip::<_, Value>(&lua, u64::MAX).is_err());
    assert!(!lua.has_ffi()?);
    Ok(())
}

#[test]
fn no_more_than_64_bits_pass() -> Result<()> {
    let lua = Runtime::new()?;
    assert_eq!(round_trip::<_, i128>(&lua, 1_i128 << 100)?, 1 << 100);
    let error = round_trip::<_, Value>(&lua, (1_u128 << 100) + 1).unwrap_err();
    assert!(error.to_string().contains("no exact double"), "{error}");
    assert!(round_trip::<_, Value>(&lua, u128::MAX).is_err());
    assert!(round_trip::<_, Value>(&lua, i128::MAX).is_err());
    assert!(round_trip::<_, u128>(&lua, u128::MAX as f64).is_err());
    assert!(round_trip::<_, i128>(&lua, i128::MAX as f64).is_err());
    Ok(())
}

#[test]
fn errors_name_the_value_and_the_range() -> Result<()> {
    let lua = Runtime::new()?;
    let message = |outcome: Result<()>| outcome.unwrap_err().to_string();
    macro_rules! check {
        ($($type:ident $value:expr, $expected:expr;)*) => {$(
            assert_eq!(
                message(round_trip::<_, $type>(&lua, $value).map(drop)),
                $expected
            );
        )*};
    }
    check! {
        u8 256, "cannot convert number to u8: 256 is not between 0 and 255";
        u8 -1, "cannot convert number to u8: -1 is not between 0 and 255";
        i8 -129, "cannot convert number to i8: -129 is not between -128 and 127";
        i32 1.5, "cannot convert number to i32: 1.5 is no integer";
        i32 f64::NAN, "cannot convert number to i32: NaN is no integer";
        u64 f64::INFINITY, "cannot convert number to u64: inf is no integer";
        u64 18_446_744_073_709_551_616.0,
            "cannot convert number to u64: 18446744073709552000 is not between 0 and 18446744073709551615";
        i64 u64::MAX, "cannot convert cdata to i64: 18446744073709551615 is not between \
                       -9223372036854775808 and 9223372036854775807";
        u64 i64::MIN, "cannot convert cdata to u64: -9223372036854775808 is not between 0 and 18446744073709551615";
        f64 i64::MAX, "cannot convert cdata to number";
        f32 1e39, "cannot convert number to f32: 1000000000000000000000000000000000000000 is not between \
                   -340282350000000000000000000000000000000 and 340282350000000000000000000000000000000";
    }
    assert_eq!(round_trip::<_, f32>(&lua, f64::INFINITY)?, f32::INFINITY);
    Ok(())
}

#[test]
fn opening_the_ffi_library_for_them_keeps_the_memory_limit() -> Result<()> {
    let lua = Runtime::builder().memory_limit(1 << 30).build()?;
    lua.gc_collect()?;
    let used = lua.memory_used()?;
    lua.set_memory_limit(Some(used + 2_000))?;
    // There is no room for the library: an error, and the runtime goes on.
    let error = round_trip::<_, Value>(&lua, u64::MAX).unwrap_err();
    assert!(matches!(error, Error::Memory), "{error}");
    assert_eq!(lua.load("return 1 + 1").eval::<i32>()?, 2);
    lua.set_memory_limit(Some(used + 1_000_000))?;
    assert_eq!(round_trip::<_, u64>(&lua, u64::MAX)?, u64::MAX);
    // As many as never were, in many steps of the collector.
    for _ in 0..100 {
        lua.create_sequence_from((0..1000).map(|i| u64::MAX - i))?;
    }
    Ok(())
}

#[test]
fn they_can_be_kept_in_handles() -> Result<()> {
    let lua = Runtime::new()?;
    let kept: Reference = round_trip(&lua, u64::MAX)?;
    lua.gc_collect()?;
    assert_eq!(round_trip::<_, u64>(&lua, &kept)?, u64::MAX);
    assert_eq!(
        kept.with(|slot| slot.cdata_integer())?,
        Some(u64::MAX.into())
    );
    Ok(())
}
