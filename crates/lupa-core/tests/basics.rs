//! Values, calls and errors in both directions.

use lupa_core::{CoroutineStatus, Error, Function, Result, Runtime, Table, Value};

#[test]
fn evaluates_and_calls() -> Result<()> {
    let lua = Runtime::new()?;
    assert_eq!(lua.load("1 + 1").expression().eval::<i64>()?, 2);
    let f: Function = lua
        .load("return function(a, b) return a .. b, #a end")
        .eval()?;
    let (joined, length): (String, usize) = f.call(("ab", "c"))?;
    assert_eq!((joined.as_str(), length), ("abc", 2));
    Ok(())
}

#[test]
fn tables_are_read_and_written() -> Result<()> {
    let lua = Runtime::new()?;
    let table = lua.create_table()?;
    table.set("x", 1)?;
    table.set(1, "one")?;
    table.push("two")?;
    assert_eq!(table.len()?, 2);
    assert_eq!(table.get::<String>(2)?, "two");
    assert!(table.get::<Option<i64>>("missing")?.is_none());
    assert!(matches!(
        table.set(f64::NAN, 1),
        Err(Error::InvalidKey("NaN"))
    ));
    assert!(matches!(
        table.set(Value::Nil, 1),
        Err(Error::InvalidKey("nil"))
    ));
    let strict: Table = lua
        .load("return setmetatable({}, {__newindex = function() error('no') end, __index = function(_, k) return k end})")
        .eval()?;
    assert_eq!(strict.get::<String>("key")?, "key");
    assert!(strict.set("a", 1).is_err());
    Ok(())
}

#[test]
fn errors_keep_value_and_traceback() -> Result<()> {
    let lua = Runtime::new()?;
    let error = lua
        .load("local function f() error({code = 7}) end f()")
        .name("=test")
        .exec()
        .unwrap_err();
    let Error::Runtime(runtime_error) = &error else {
        panic!("{error:?}")
    };
    let Some(Value::Table(table)) = &runtime_error.value else {
        panic!("{error:?}")
    };
    assert_eq!(table.get::<i64>("code")?, 7);
    assert!(
        error.traceback().unwrap().contains("in main chunk"),
        "{error}"
    );
    assert!(matches!(lua.load("x =").exec(), Err(Error::Syntax { .. })));
    Ok(())
}

#[test]
fn host_errors_come_back_as_themselves() -> Result<()> {
    #[derive(Debug, thiserror::Error, PartialEq)]
    #[error("mine {0}")]
    struct Mine(u32);

    let lua = Runtime::new()?;
    let fail = lua.create_function(|_| Err(Error::external(Mine(3))))?;
    assert_eq!(
        fail.call::<()>(()).unwrap_err().downcast_ref(),
        Some(&Mine(3))
    );
    let caught: Function = lua.load("local f = ... return function() local ok, e = pcall(f) assert(tostring(e) == 'mine 3') error(e) end").call(fail)?;
    assert_eq!(
        caught.call::<()>(()).unwrap_err().downcast_ref(),
        Some(&Mine(3))
    );
    Ok(())
}

#[test]
fn panics_pass_through_pcall() -> Result<()> {
    let lua = Runtime::new()?;
    let f = lua.create_function(|_| panic!("boom"))?;
    lua.globals()?.set("f", f)?;
    let outcome = std::panic::catch_unwind(|| lua.load("while true do pcall(f) end").exec());
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "boom");
    assert_eq!(lua.load("return 1").eval::<i64>()?, 1);
    Ok(())
}

#[test]
fn coroutines_resume() -> Result<()> {
    let lua = Runtime::new()?;
    let f: Function = lua
        .load("return function(a) local b = coroutine.yield(a + 1) return b * 2 end")
        .eval()?;
    let co = f.coroutine()?;
    assert_eq!(co.status()?, CoroutineStatus::New);
    assert_eq!(co.resume::<i64>(1)?, 2);
    assert_eq!(co.status()?, CoroutineStatus::Suspended);
    assert_eq!(co.resume::<i64>(21)?, 42);
    assert_eq!(co.status()?, CoroutineStatus::Dead);
    assert!(matches!(
        co.resume::<()>(()),
        Err(Error::CoroutineUnresumable("dead"))
    ));
    Ok(())
}

#[test]
fn jit_modules_can_be_required() -> Result<()> {
    let lua = Runtime::new()?;
    assert!(
        lua.load(
            "return type(require('jit.vmdef').bcnames) == 'string' and require('jit.p') ~= nil"
        )
        .eval::<bool>()?
    );
    Ok(())
}
