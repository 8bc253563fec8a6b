//! What the host keeps with a runtime: named values and application data.

use lupa_core::{Error, Function, LuaString, Result, Runtime, Table, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn named_values_come_back() -> Result<()> {
    let lua = Runtime::new()?;
    let handles = lua.handles()?;
    lua.set_named("n", 1)?;
    lua.set_named("n", 2)?;
    lua.set_named("list", vec!["a", "b"])?;
    lua.gc_collect()?;
    assert_eq!(lua.named::<i32>("n")?, 2);
    assert_eq!(lua.named::<Vec<String>>("list")?, ["a", "b"]);
    assert_eq!(lua.named::<Option<i32>>("none")?, None);
    assert_eq!(
        lua.named::<i32>("list").unwrap_err().to_string(),
        "cannot convert table to i32"
    );
    assert!(lua.named::<Table>("list")?.same(&lua.named("list")?)?);
    assert_eq!(lua.handles()?, handles + 2);
    lua.set_named("list", Value::Nil)?;
    lua.set_named("n", Value::Nil)?;
    lua.set_named("n", Value::Nil)?;
    assert_eq!(lua.named::<Option<i32>>("n")?, None);
    assert_eq!(lua.handles()?, handles);
    for i in 0..1000 {
        lua.set_named(&format!("k{i}"), i)?;
    }
    let sum: i32 = (0..1000)
        .map(|i| lua.named::<i32>(&format!("k{i}")).unwrap())
        .sum();
    assert_eq!(sum, 499_500);
    assert!(matches!(
        lua.set_named("other", Runtime::new()?.globals()?),
        Err(Error::WrongRuntime)
    ));
    lua.close()?;
    assert!(matches!(lua.named::<i32>("k1"), Err(Error::Closed)));
    assert!(matches!(
        lua.set_named("k1", Value::Nil),
        Err(Error::Closed)
    ));
    Ok(())
}

#[test]
fn lua_code_cannot_reach_named_values() -> Result<()> {
    let lua = Runtime::new()?;
    let secret = lua.create_table()?;
    lua.set_named("secret", &secret)?;
    let address = secret.to_lua_string()?;
    let found: bool = lua
        .load(
            "local address = ...
             local seen = {}
             local function look(value)
                 local kind = type(value)
                 if kind ~= 'table' and kind ~= 'function' and kind ~= 'userdata' and kind ~= 'thread' then return false end
                 if tostring(value) == address then return true end
                 if seen[value] then return false end
                 seen[value] = true
                 local meta = debug.getmetatable(value)
                 if meta and look(meta) then return true end
                 local env = kind ~= 'table' and debug.getfenv(value)
                 if env and look(env) then return true end
                 if kind == 'table' then
                     for k, v in next, value do if look(k) or look(v) then return true end end
                 elseif kind == 'function' then
                     for i = 1, 255 do
                         local name, v = debug.getupvalue(value, i)
                         if not name then break end
                         if look(v) then return true end
                     end
                 end
                 return false
             end
             return look(debug.getregistry()) or look(_G)",
        )
        .call(String::from_utf8(address).unwrap())?;
    assert!(!found);
    Ok(())
}

#[test]
fn a_named_value_keeps_no_runtime() -> Result<()> {
    let dropped = Arc::new(AtomicUsize::new(0));
    let lua = Runtime::new()?;
    let counted = Counted(dropped.clone());
    let function = lua.create_function(move |call| {
        let _ = &counted;
        call.runtime().named::<Value>("self").map(drop)
    })?;
    lua.set_named("self", function)?;
    lua.named::<Function>("self")?.call::<()>(())?;
    drop(lua);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    Ok(())
}

#[test]
fn named_values_count_against_the_memory_limit() -> Result<()> {
    let lua = Runtime::builder().memory_limit(2_000_000).build()?;
    let large = "x".repeat(100_000);
    let outcome = (0..100).try_for_each(|i| lua.set_named(&format!("k{i}"), format!("{large}{i}")));
    assert!(matches!(outcome, Err(Error::Memory)));
    (0..100).try_for_each(|i| lua.set_named(&format!("k{i}"), Value::Nil))?;
    assert_eq!(
        lua.load("return #string.rep('x', 300000)")
            .eval::<usize>()?,
        300_000
    );
    Ok(())
}

#[test]
fn application_data_is_one_value_a_type() -> Result<()> {
    let lua = Runtime::new()?;
    assert!(lua.app_data_ref::<String>()?.is_none());
    assert!(lua.app_data_mut::<String>()?.is_none());
    assert_eq!(lua.set_app_data(String::from("a"))?, None);
    assert_eq!(lua.set_app_data(7_u32)?, None);
    assert_eq!(lua.set_app_data(String::from("b"))?.as_deref(), Some("a"));
    *lua.app_data_mut::<u32>()?.unwrap() += 1;
    assert_eq!(*lua.app_data_ref::<u32>()?.unwrap(), 8);
    assert_eq!(lua.app_data_ref::<String>()?.unwrap().len(), 1);
    assert_eq!(lua.remove_app_data::<u32>()?, Some(8));
    assert_eq!(lua.remove_app_data::<u32>()?, None);
    // It is the host's, so it outlives the Lua state.
    lua.close()?;
    assert_eq!(lua.remove_app_data::<String>()?.as_deref(), Some("b"));
    Ok(())
}

#[test]
fn borrows_are_checked() -> Result<()> {
    let lua = Runtime::new()?;
    lua.set_app_data(1_i32)?;
    let message = |error: Error| error.to_string();
    {
        let one = lua.app_data_ref::<i32>()?.unwrap();
        let two = lua.app_data_ref::<i32>()?.unwrap();
        assert_eq!(*one + *two, 2);
        let expected = "application data of type i32 is borrowed";
        assert_eq!(message(lua.app_data_mut::<i32>().unwrap_err()), expected);
        assert_eq!(message(lua.set_app_data(2).unwrap_err()), expected);
        assert_eq!(message(lua.remove_app_data::<i32>().unwrap_err()), expected);
        assert!(matches!(lua.close(), Err(Error::Busy)));
    }
    {
        let mut writing = lua.app_data_mut::<i32>()?.unwrap();
        assert_eq!(
            message(lua.app_data_ref::<i32>().unwrap_err()),
            "application data of type i32 is borrowed for writing"
        );
        assert!(lua.app_data_mut::<i32>().is_err());
        // In Lua it is an error like others.
        let read = lua.create_function(|call| {
            let value = call.runtime().app_data_ref::<i32>()?.map(|value| *value);
            call.push(value)
        })?;
        assert!(
            read.call::<i32>(())
                .unwrap_err()
                .to_string()
                .contains("is borrowed for writing")
        );
        *writing = 5;
        drop(writing);
        assert_eq!(read.call::<i32>(())?, 5);
    }
    assert_eq!(lua.set_app_data(6)?, Some(5));
    Ok(())
}

#[test]
fn other_threads_wait_for_a_borrow() -> Result<()> {
    let lua = Runtime::new()?;
    lua.set_app_data(Vec::<u32>::new())?;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let lua = &lua;
            scope.spawn(move || {
                for i in 0..200 {
                    // Breaks if a borrow by another thread is an error.
                    let mut data = lua.app_data_mut::<Vec<u32>>().unwrap().unwrap();
                    data.push(thread * 1000 + i);
                    drop(data);
                    assert!(lua.app_data_ref::<Vec<u32>>().unwrap().is_some());
                }
            });
        }
    });
    assert_eq!(lua.app_data_ref::<Vec<u32>>()?.unwrap().len(), 800);
    Ok(())
}

#[test]
fn application_data_is_dropped_with_the_runtime() -> Result<()> {
    let dropped = Arc::new(AtomicUsize::new(0));
    let lua = Runtime::new()?;
    lua.set_app_data(Counted(dropped.clone()))?;
    drop(lua.set_app_data(Counted(dropped.clone()))?);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    let handle = lua.create_table()?;
    drop(lua);
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    drop(handle);
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
    Ok(())
}

#[test]
fn strings_are_borrowed_and_compared() -> Result<()> {
    let lua = Runtime::new()?;
    let (text, bytes): (LuaString, LuaString) = lua.load(r"return 'grüße', 'a\0\255'").eval()?;
    let borrowed = text.to_str()?;
    assert_eq!(&*borrowed, "grüße");
    assert_eq!(format!("{borrowed} {borrowed:?}"), "grüße \"grüße\"");
    // The runtime goes on to be of use on this thread, and cannot be closed.
    lua.load("collectgarbage() collectgarbage()").exec()?;
    assert!(matches!(lua.close(), Err(Error::Busy)));
    assert_eq!(borrowed.chars().count(), 5);
    drop(borrowed);

    let view = bytes.bytes()?;
    assert_eq!(view.as_ref(), b"a\0\xff");
    let other =
        std::thread::scope(|scope| scope.spawn(|| lua.try_lock().is_none()).join().unwrap());
    assert!(other);
    drop(view);
    assert!(bytes.to_str().unwrap_err().to_string().contains("UTF-8"));
    assert_eq!(bytes.to_string_lossy()?, "a\0\u{fffd}");

    assert_eq!(text, "grüße");
    assert_eq!("grüße", text);
    assert_eq!(text, *"grüße");
    assert_eq!(text, String::from("grüße"));
    assert_eq!(bytes, b"a\0\xff"[..]);
    assert_eq!(bytes, b"a\0\xff".to_vec());
    assert_ne!(text, bytes);
    assert_ne!(text, "grüsse");
    let again: LuaString = lua.load("return 'gr' .. 'üße'").eval()?;
    assert_eq!(again, text);
    let elsewhere = Runtime::new()?;
    let foreign = elsewhere.create_string("grüße")?;
    assert_eq!(foreign, text);
    assert_eq!(text, foreign);
    assert_ne!(foreign, bytes);
    lua.close()?;
    assert_ne!(text, "grüße");
    assert_ne!(text, again);
    assert_ne!(foreign, text);
    assert!(matches!(text.bytes(), Err(Error::Closed)));
    assert!(matches!(text.to_str(), Err(Error::Closed)));
    Ok(())
}
