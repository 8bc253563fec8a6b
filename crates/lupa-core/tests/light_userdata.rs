//! Pointers as Lua values.

use lupa_core::{
    Error, FromLua, IntoLua, Kind, LightUserData, Result, Runtime, Table, UserData, Value,
};
use std::ptr::without_provenance;

fn at(address: usize) -> LightUserData {
    LightUserData::new::<u8>(without_provenance(address))
}

fn round_trip<T: IntoLua, U: for<'s> FromLua<'s>>(lua: &Runtime, value: T) -> Result<U> {
    lua.convert(value, |slot| U::from_lua(slot))
}

#[test]
fn every_pointer_comes_back() -> Result<()> {
    let lua = Runtime::new()?;
    let here = 5;
    for pointer in [
        LightUserData::NULL,
        LightUserData::new(&here),
        LightUserData::new(&lua),
        at(1),
        // More than the 47 bits that a program's addresses have.
        at(usize::MAX),
        at(1 << 47),
        at(1 << 63),
        at((1 << 39) - 1),
        at(1 << 39),
    ] {
        lua.convert(pointer, |slot| {
            assert_eq!(slot.kind(), Kind::LightUserData);
            assert_eq!(LightUserData::from_lua(slot)?, pointer);
            assert!(matches!(slot.to_value()?, Value::LightUserData(p) if p == pointer));
            Ok(())
        })?;
        let value: Value = lua.load("return ...").call(Value::LightUserData(pointer))?;
        assert_eq!(value.type_name(), "userdata");
        assert!(matches!(value, Value::LightUserData(p) if p == pointer));
    }
    let handles = lua.handles()?;
    let _values: Vec<Value> = lua.load("return {...}").call((at(1), at(2)))?;
    assert_eq!(lua.handles()?, handles);
    Ok(())
}

#[test]
fn lua_code_can_compare_them_and_use_them_as_keys() -> Result<()> {
    let lua = Runtime::new()?;
    let (same, other, kind): (bool, bool, String) = lua
        .load("local a, b, c = ... return a == b, a == c, type(a)")
        .call((at(16), at(16), at(17)))?;
    assert_eq!((same, other, kind.as_str()), (true, false, "userdata"));
    let table: Table = lua.create_table_from([(at(16), "sixteen"), (at(17), "seventeen")])?;
    assert_eq!(table.get::<String>(at(17))?, "seventeen");
    Ok(())
}

#[test]
fn other_values_are_none() -> Result<()> {
    let lua = Runtime::new()?;
    for code in ["io.stdout", "1", "nil", "require('ffi').new('void *')"] {
        let error = lua
            .load(code)
            .expression()
            .eval::<LightUserData>()
            .unwrap_err();
        assert!(error.to_string().contains("to light userdata"), "{error}");
    }
    // As before, a handle of userdata may keep one.
    let kept = round_trip::<_, UserData>(&lua, at(16))?;
    assert_eq!(round_trip::<_, LightUserData>(&lua, &kept)?, at(16));
    Ok(())
}

#[test]
fn too_many_far_apart_are_an_error() -> Result<()> {
    let lua = Runtime::new()?;
    let outcome = (0..1000).try_for_each(|i| lua.convert(at(i << 39 | 8), |_| Ok(())));
    let error = outcome.unwrap_err();
    assert!(
        matches!(
            &error,
            Error::Conversion(error) if error.to == "light userdata"
        ),
        "{error}"
    );
    // Those that were there go on to work, and so does the runtime.
    assert_eq!(
        round_trip::<_, LightUserData>(&lua, at(3 << 39 | 80))?,
        at(3 << 39 | 80)
    );
    assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
    Ok(())
}
