//! Values kept under keys that do not keep the runtime.

use lupa_core::{Error, Kind, RegistryKey, Runtime, Table};
use std::sync::mpsc;

#[test]
fn a_value_is_kept_until_its_key_is_removed() -> Result<(), Error> {
    let lua = Runtime::new()?;
    let weak: Table = lua
        .load("return setmetatable({}, { __mode = 'v' })")
        .eval()?;
    let before = lua.handles()?;
    let key = lua.create_registry_value(vec![1, 2, 3])?;
    weak.set(1, &*lua.registry_reference(&key)?)?;
    assert_eq!(lua.handles()?, before + 1);

    lua.gc_collect()?;
    assert_eq!(lua.registry_value::<Vec<u8>>(&key)?, [1, 2, 3]);
    assert!(weak.contains_key(1)?);

    lua.remove_registry_value(key)?;
    lua.gc_collect()?;
    assert_eq!(lua.handles()?, before);
    assert!(!weak.contains_key(1)?);
    Ok(())
}

#[test]
fn a_key_is_refused_by_another_runtime() -> Result<(), Error> {
    let (lua, other) = (Runtime::new()?, Runtime::new()?);
    let key = lua.create_registry_value(1)?;
    assert!(lua.owns_registry_value(&key) && !other.owns_registry_value(&key));
    assert!(matches!(
        other.registry_value::<i32>(&key),
        Err(Error::WrongRuntime)
    ));
    assert!(matches!(
        other.registry_reference(&key),
        Err(Error::WrongRuntime)
    ));
    assert!(matches!(
        other.remove_registry_value(key),
        Err(Error::WrongRuntime)
    ));

    // Given as an argument, a value of one runtime is refused by the other as any handle is.
    let key = lua.create_registry_value(lua.globals()?)?;
    let identity = other.load("return ...").into_function()?;
    let error = identity.call::<()>(&*lua.registry_reference(&key)?);
    assert!(matches!(error, Err(Error::WrongRuntime)));
    lua.remove_registry_value(key)
}

#[test]
fn the_default_key_belongs_to_no_runtime() -> Result<(), Error> {
    let lua = Runtime::new()?;
    assert!(!lua.owns_registry_value(&RegistryKey::default()));
    let removed = lua.remove_registry_value(RegistryKey::default());
    assert!(matches!(removed, Err(Error::WrongRuntime)));
    Ok(())
}

#[test]
fn a_borrowed_reference_becomes_a_handle_when_cloned() -> Result<(), Error> {
    let lua = Runtime::new()?;
    let key = lua.create_registry_value("text")?;
    let handle = (*lua.registry_reference(&key)?).clone();
    lua.remove_registry_value(key)?;
    drop(lua);
    assert_eq!(handle.kind()?, Kind::String);
    assert_eq!(handle.to_lua_string()?, b"text");
    Ok(())
}

#[test]
fn a_key_outlives_the_close_of_its_runtime() -> Result<(), Error> {
    let lua = Runtime::new()?;
    let key = lua.create_registry_value(1)?;
    lua.close()?;
    assert!(matches!(
        lua.registry_value::<i32>(&key),
        Err(Error::Closed)
    ));
    lua.remove_registry_value(key)
}

#[test]
fn a_key_can_be_removed_while_another_thread_runs() -> Result<(), Error> {
    let lua = Runtime::new()?;
    let before = lua.handles()?;
    let key = lua.create_registry_value(1)?;
    let (is_in, wait_in) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let lua = &lua;
        let runner = scope.spawn(move || {
            let _guard = lua.lock().unwrap();
            is_in.send(()).unwrap();
            wait.recv().unwrap();
        });
        wait_in.recv().unwrap();
        lua.remove_registry_value(key).unwrap();
        go_on.send(()).unwrap();
        runner.join().unwrap();
    });
    assert_eq!(lua.handles()?, before);
    Ok(())
}

// Breaks if a slot is given to two values.
#[test]
fn released_slots_are_used_again() -> Result<(), Error> {
    let lua = Runtime::new()?;
    let mut kept: Vec<(RegistryKey, u32)> = Vec::new();
    let mut random = 1_u32;
    for n in 0..20_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // Two of three steps add until there are 500, then one of three.
        let adds = (random >> 16) % 3 < if kept.len() < 500 { 2 } else { 1 };
        if adds || kept.is_empty() {
            kept.push((lua.create_registry_value(n)?, n));
        } else {
            let (key, value) = kept.swap_remove(random as usize % kept.len());
            assert_eq!(lua.registry_value::<u32>(&key)?, value);
            lua.remove_registry_value(key)?;
        }
        if n % 100 == 0 {
            lua.gc_collect()?;
        }
    }
    for (key, value) in &kept {
        assert_eq!(lua.registry_value::<u32>(key)?, *value);
    }
    assert_eq!(lua.handles()?, kept.len() + Runtime::new()?.handles()?);
    for (key, _) in kept {
        lua.remove_registry_value(key)?;
    }
    assert_eq!(lua.handles()?, Runtime::new()?.handles()?);
    Ok(())
}
