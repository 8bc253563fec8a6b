//! Errors: their text, their traceback, what was said about them, and what stays of them on the way through Lua.

use lupa_core::{
    Error, ErrorContext, ExternalResult, Function, Members, Result, Runtime, Table, UserType, Value,
};
use std::error::Error as StdError;

#[derive(Debug, thiserror::Error)]
#[error("no such user")]
struct NoUser(#[source] std::io::Error);

fn no_user() -> Error {
    Error::external(NoUser(std::io::Error::other("the disk is gone")))
}

/// `pass(f)`: Lua code that calls a host function that calls Lua code that calls `f`. Each says something about an error.
fn pass(lua: &Runtime) -> Result<Function> {
    let inner: Function = lua
        .load("local function inner(f) return (f()) end return inner")
        .name("=inner")
        .eval()?;
    lua.set_named("inner", &inner)?;
    let host = lua.function(|lua: &Runtime, f: Function| -> Result<Value> {
        let inner: Function = lua.named("inner")?;
        inner.call(f).context("in the host")
    })?;
    lua.load("local host = ... return function(f) local ok, e = pcall(host, f) error(e, 0) end")
        .call(host)
}

#[test]
fn an_error_that_crosses_lua_twice_is_what_it_was() -> Result<()> {
    let lua = Runtime::new()?;
    let pass = pass(&lua)?;
    // By each way that leads back into an `Error`.
    let fails = [
        lua.function(|| Err::<(), _>(no_user()))?,
        lua.function(|| -> Result<()> { Err(no_user().context("first")).external() })?,
        lua.function(|| -> Result<()> {
            let boxed: Box<dyn StdError + Send + Sync> = Box::new(no_user());
            Err(boxed.into())
        })?,
    ];
    for (fail, text) in fails.iter().zip([
        "outside: in the host: no such user",
        "outside: in the host: first: no such user",
        "outside: in the host: no such user",
    ]) {
        let error = pass.call::<()>(fail).context("outside").unwrap_err();
        // Breaks if an error is wrapped in another one on its way, or made a text.
        assert_eq!(error.to_string(), text);
        assert_eq!(error.text(), text);
        let user = error.downcast_ref::<NoUser>().unwrap();
        assert_eq!(user.0.to_string(), "the disk is gone");
        // The text of the host's error is part of the text: what comes next is its own source.
        assert_eq!(error.source().unwrap().to_string(), "the disk is gone");
        assert!(matches!(error.root(), Error::External(_)));
        assert!(error.traceback().is_none());
    }
    Ok(())
}

#[test]
fn an_error_of_lua_code_keeps_value_and_traceback_under_a_context() -> Result<()> {
    let lua = Runtime::new()?;
    let pass = pass(&lua)?;
    let raise: Function = lua
        .load("return function() error({ code = 7 }) end")
        .name("=raise")
        .eval()?;
    let error = pass.call::<()>(&raise).unwrap_err();
    let Error::Runtime(runtime) = error.root() else {
        panic!("{error}");
    };
    let Some(Value::Table(table)) = &runtime.value else {
        panic!("{error}");
    };
    assert_eq!(table.get::<i64>("code")?, 7);
    let traceback = error.traceback().unwrap();
    assert!(traceback.contains("raise:1"), "{traceback}");
    assert!(traceback.contains("inner:1"), "{traceback}");
    // `Display` has it once, below the text.
    let text = error.to_string();
    assert!(text.starts_with("in the host: table: "), "{text}");
    assert_eq!(text.matches("stack traceback:").count(), 1);
    assert_eq!(text, format!("{}\n{traceback}", error.text()));
    assert!(error.source().is_none());
    // What Lua has of the error must not keep the runtime alive.
    let weak = lua.downgrade();
    drop((error, raise, pass, lua));
    assert!(weak.upgrade().is_none());
    Ok(())
}

#[test]
fn without_a_context_an_error_of_lua_code_is_its_value_again() -> Result<()> {
    let lua = Runtime::new()?;
    let host = lua.function(|f: Function| f.call::<Value>(()))?;
    let caught: Table = lua
        .load("local host = ... return select(2, pcall(host, function() error({ code = 7 }) end))")
        .call(&host)?;
    assert_eq!(caught.get::<i64>("code")?, 7);
    let error = lua
        .load("(...)(function() error('plain', 0) end)")
        .name("=outer")
        .call::<()>(&host)
        .unwrap_err();
    assert_eq!(error.text(), "plain");
    assert!(error.traceback().unwrap().contains("outer:1"), "{error}");
    Ok(())
}

#[test]
fn lua_code_sees_the_text_with_the_context_and_no_traceback() -> Result<()> {
    let lua = Runtime::new()?;
    let host = lua.function(|code: String, lua: &Runtime| -> Result<()> {
        lua.load(&code).name("=part").exec().context("part 2")
    })?;
    lua.globals()?.set("host", host)?;
    let caught = |code: &str| -> Result<(String, String)> {
        lua.load("local ok, e = pcall(host, ...) assert(not ok) return type(e), tostring(e)")
            .call(code)
    };
    let userdata = "userdata".to_owned();
    assert_eq!(
        caught("error('x')")?,
        (userdata, "part 2: part:1: x".into())
    );
    // What is a text without a context is one with it.
    let (kind, text) = caught("x = = 1")?;
    assert_eq!(kind, "string");
    assert_eq!(text, "part 2: part:1: unexpected symbol near '='");
    Ok(())
}

#[test]
fn a_context_hides_nothing() -> Result<()> {
    let lua = Runtime::new()?;
    let memory = Err::<(), _>(Error::Memory).context("loading").unwrap_err();
    assert!(matches!(memory.root(), Error::Memory));
    assert_eq!(memory.text(), "loading: not enough memory");

    let incomplete = lua.load("x =").exec().context("line 1").unwrap_err();
    assert!(lupa_core::is_incomplete(&incomplete));

    let mut error = no_user().context("one").context("two");
    error.downcast_mut::<NoUser>().unwrap().0 = std::io::Error::other("changed");
    assert_eq!(error.source().unwrap().to_string(), "changed");
    let clone = error.clone();
    assert!(error.downcast_mut::<NoUser>().is_none());
    drop(clone);
    assert!(error.downcast_mut::<NoUser>().is_some());

    // The text is made only if it is needed.
    Ok::<_, Error>(()).with_context(|| -> &str { unreachable!("there is no error") })
}

#[test]
fn a_bad_argument_leads_to_its_cause() -> Result<()> {
    struct Even(u32);
    impl<'s> lupa_core::FromLua<'s> for Even {
        fn from_lua(slot: lupa_core::Slot<'s>) -> Result<Self> {
            match u32::from_lua(slot)? {
                n if n % 2 == 0 => Ok(Even(n)),
                _ => Err(no_user()),
            }
        }
    }
    let lua = Runtime::new()?;
    let f = lua.create_function(|call| {
        let Even(n) = call.get(1)?;
        call.push(n)
    })?;
    assert_eq!(f.call::<u32>((0, 2))?, 2);
    let error = f.call::<u32>((0, 3)).unwrap_err();
    assert_eq!(error.text(), "bad argument #2: no such user");
    assert!(error.downcast_ref::<NoUser>().is_some());
    assert_eq!(error.source().unwrap().to_string(), "the disk is gone");
    Ok(())
}

struct Door {
    open: bool,
    locked: bool,
}

impl UserType for Door {
    const NAME: &'static str = "Door";
    fn members(members: &mut Members<Self>) {
        members
            .field(
                "open",
                |this| match this.locked {
                    false => Ok(this.open),
                    true => Err(no_user()),
                },
                |this, open| {
                    if this.locked {
                        return Err(no_user());
                    }
                    this.open = open;
                    Ok(())
                },
            )
            .read_only("width", |_| "wide".parse::<f64>().external())
            .field(
                "locked",
                |this| this.locked,
                |this, locked| this.locked = locked,
            );
    }
}

#[test]
fn fields_that_fail_say_which_they_are() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set(
        "door",
        Door {
            open: false,
            locked: false,
        },
    )?;
    lua.load("door.open = true assert(door.open) door.locked = true")
        .exec()?;
    for code in ["return door.open", "door.open = false"] {
        let error = lua.load(code).exec().unwrap_err();
        assert_eq!(error.text(), "Door.open: no such user", "{code}");
        assert!(error.downcast_ref::<NoUser>().is_some(), "{code}");
    }
    let error = lua.load("return door.width").exec().unwrap_err();
    assert_eq!(error.text(), "Door.width: invalid float literal");
    // One that does not convert is a text in Lua, as it is elsewhere.
    let text: String = lua
        .load("return select(2, pcall(function() door.locked = 1 end))")
        .eval()?;
    assert_eq!(text, "Door.locked: cannot convert number to boolean");
    // A failed setter leaves the value free to be used.
    lua.load("door.locked = false assert(door.open)").exec()
}

#[test]
fn errors_are_values_that_lua_code_passes_on() -> Result<()> {
    let lua = Runtime::new()?;
    let same: Function = lua.load("return ...").into_function()?;
    let handles = lua.handles()?;
    // What each comes back as.
    let external: Error = same.call(no_user().context("here"))?;
    assert_eq!(external.text(), "here: no such user");
    assert!(external.downcast_ref::<NoUser>().is_some());
    let memory: Error = same.call(Error::Memory)?;
    assert!(matches!(memory, Error::Memory));
    let raised = lua.load("error({ code = 7 })").exec().unwrap_err();
    let again: Error = same.call(raised)?;
    let Error::Runtime(again) = again else {
        panic!("{again}");
    };
    assert!(matches!(&again.value, Some(Value::Table(table)) if table.get::<i64>("code")? == 7));
    assert!(again.message.starts_with(b"table: "));
    drop(again);
    let text: Error = same.call(Error::InUse("it"))?;
    assert!(
        matches!(&text, Error::Runtime(error) if error.value.is_none()),
        "{text:?}"
    );
    assert_eq!(text.to_string(), "it is in use");
    assert_eq!(lua.handles()?, handles);

    // None, or a result of a function that gives nil and an error.
    assert!(same.call::<Option<Error>>(())?.is_none());
    assert!(same.call::<Error>(()).is_err());
    let both = lua.function(|fail: bool| match fail {
        true => (None, Some(no_user())),
        false => (Some(5), None),
    })?;
    assert_eq!(both.call::<Result<i64>>(false)?.unwrap(), 5);
    let error = both.call::<Result<i64>>(true)?.unwrap_err();
    assert!(error.downcast_ref::<NoUser>().is_some());
    // One that `tostring` fails for.
    let odd: Function = lua
        .load("return function() return setmetatable({}, { __tostring = function() error('odd', 0) end }) end")
        .eval()?;
    assert_eq!(odd.call::<Error>(()).unwrap_err().text(), "odd");
    // Given to Lua code it is raised as what it is.
    let error = lua.load("error(...)").call::<()>(no_user()).unwrap_err();
    assert!(error.downcast_ref::<NoUser>().is_some());
    Ok(())
}
