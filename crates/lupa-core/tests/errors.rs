//! Errors: their text, their traceback, what was said about them, and what stays of them on the way through Lua.

use lupa_core::{
    Error, ErrorContext, ExternalResult, Function, Members, Result, Runtime, Table, UserType,
    Value, Variadic,
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
        assert_eq!(error.text(), text);
        let user = error.downcast_ref::<NoUser>().unwrap();
        assert_eq!(user.0.to_string(), "the disk is gone");
        // The text of the host's error is part of the text: what comes next is its own source.
        assert_eq!(error.source().unwrap().to_string(), "the disk is gone");
        assert!(matches!(error.root(), Error::External(_)));
        // The traceback is that of the innermost Lua code, and below the text once.
        let traceback = error.traceback().unwrap();
        assert!(traceback.contains("inner:1"), "{traceback}");
        assert_eq!(error.to_string(), format!("{text}\n{traceback}"));
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

#[test]
fn an_error_of_the_host_knows_the_line_of_lua_code() -> Result<()> {
    let lua = Runtime::new()?;
    let fail = lua.function(|| Err::<(), _>(no_user()))?;
    lua.globals()?.set("fail", &fail)?;
    let code = "local function work()\n  fail()\nend\nwork()";
    let run = || lua.load(code).name("@work.lua").exec().unwrap_err();
    let error = run();
    let traceback = error.traceback().unwrap().into_owned();
    assert!(
        traceback.contains("work.lua:2: in function 'work'"),
        "{traceback}"
    );
    assert!(
        traceback.contains("work.lua:4: in main chunk"),
        "{traceback}"
    );
    // What others read of the error is as without: text, source, kind.
    assert_eq!(error.text(), "no such user");
    assert_eq!(error.source().unwrap().to_string(), "the disk is gone");
    let Error::External(external) = &error else {
        panic!("{error:?}");
    };
    assert_eq!(external.traceback.to_str_lossy(), traceback);
    // A context said in Rust code is above it.
    let error = run().context("outside");
    assert_eq!(
        error.to_string(),
        format!("outside: no such user\n{traceback}")
    );

    // Each way through Lua has its own: an error that is kept and raised again tells of that.
    lua.load("ok, kept = pcall(fail)").exec()?;
    let again = |name: &str| lua.load("error(kept)").name(name).exec().unwrap_err();
    for name in ["=first", "=second"] {
        let traceback = again(name).traceback().unwrap().into_owned();
        assert!(
            traceback.contains(&format!("{}:1:", &name[1..])),
            "{traceback}"
        );
    }
    // In a coroutine it is the coroutine's.
    let error = lua
        .load(code)
        .name("@co.lua")
        .into_function()?
        .coroutine()?
        .resume::<()>(())
        .unwrap_err();
    assert!(
        error
            .traceback()
            .unwrap()
            .contains("co.lua:2: in function 'work'"),
        "{error}"
    );
    // Where no Lua code was there is nothing to tell.
    assert!(fail.call::<()>(()).unwrap_err().traceback().is_none());
    assert!(no_user().traceback().is_none());
    Ok(())
}

#[test]
#[cfg(unix)]
fn limits_have_a_traceback_of_their_own() -> Result<()> {
    let lua = Runtime::builder().memory_limit(4 << 20).build()?;
    lua.set_time_limit(Some(std::time::Duration::from_millis(20)))?;
    // One that is left from before must not be taken for theirs.
    lua.load("error('x')").exec().unwrap_err();
    let run = |code| lua.load(code).name("@rule.lua").exec().unwrap_err();
    let own = "stack traceback:\n\trule.lua:2: in main chunk";
    let error = run("\nwhile true do end");
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert_eq!(error.traceback().as_deref(), Some(own));
    lua.set_time_limit(None)?;
    // LuaJIT has no memory left for one, and unwinds at once.
    let error = run("local t = {} for i = 1, 1e9 do t[i] = {} end");
    assert!(matches!(error, Error::Memory), "{error:?}");
    assert!(error.traceback().is_none());
    lua.set_check(|| Err(Error::message("the user has left")))?;
    let error = run("\nwhile true do end");
    assert_eq!(error.to_string(), format!("the user has left\n{own}"));
    Ok(())
}

#[test]
fn what_is_a_text_in_lua_is_found_again_by_it() -> Result<()> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("half", lua.function(|n: f64| n / 2.0)?)?;
    globals.set(
        "sum",
        lua.function(|list: Vec<i64>| list.iter().sum::<i64>())?,
    )?;
    globals.set(
        "load_part",
        lua.function(|lua: &Runtime| lua.load("x = = 1").exec())?,
    )?;
    globals.set(
        "about",
        lua.function(|| Err::<(), _>(Error::InUse("it".into())).context("at work"))?,
    )?;
    let nested = lua.function(|lua: &Runtime| lua.load("half({})").exec())?;
    globals.set("nested", nested)?;
    let run = |code: &str| lua.load(code).name("=run").exec().unwrap_err();

    type Is = fn(&Error) -> bool;
    let cases: [(&str, &str, Is); 6] = [
        (
            "half('x')",
            "bad argument #1: cannot convert string to number",
            |e| matches!(e, Error::BadArgument(bad) if bad.position == 1),
        ),
        (
            "sum { 1, true }",
            "bad argument #1: at index 2: cannot convert boolean to i64",
            |e| matches!(e.root(), Error::Conversion(e) if e.from == "boolean"),
        ),
        (
            "load_part()",
            "[string \"chunk\"]:1: unexpected symbol near '='",
            |e| matches!(e, Error::Syntax { .. }),
        ),
        (
            "about()",
            "at work: it is in use",
            |e| matches!(e.root(), Error::InUse(what) if what == "it"),
        ),
        (
            "nested()",
            "bad argument #1: cannot convert table to number",
            |e| matches!(e, Error::BadArgument(_)),
        ),
        // Caught and raised again, as it was.
        (
            "local ok, e = pcall(half, 'x') error(e, 0)",
            "bad argument #1: cannot convert string to number",
            |e| matches!(e, Error::BadArgument(_)),
        ),
    ];
    for (code, text, is) in cases {
        let error = run(code);
        assert_eq!(error.text(), text, "{code}");
        let Error::Runtime(runtime) = &error else {
            panic!("{code}: {error:?}");
        };
        assert!(runtime.cause.as_ref().is_some_and(is), "{code}: {error:?}");
        assert!(is(error.root()) || is(runtime.cause.as_ref().unwrap()));
        assert!(error.traceback().unwrap().contains("run:1:"), "{code}");
        // What Lua code sees is a text.
        let kind: String = lua
            .load(&format!(
                "return type(select(2, pcall(function() {code} end)))"
            ))
            .eval()?;
        assert_eq!(kind, "string", "{code}");
    }
    // Another text is another error: of Lua code, changed by it, or long gone.
    for code in [
        "error('something else', 0)",
        "local ok, e = pcall(half, 'x') error('it says: ' .. e, 0)",
        "local _, e = pcall(half, 'x') pcall(half, true) error(e, 0)",
        "error({})",
    ] {
        let Error::Runtime(error) = run(code) else {
            panic!("{code}");
        };
        assert!(error.cause.is_none(), "{code}: {error:?}");
    }
    // A chunk that the host loads is not the one that is being typed.
    lua.globals()?.set(
        "part",
        lua.function(|lua: &Runtime| lua.load("x =").exec())?,
    )?;
    let error = run("part()");
    assert!(matches!(error.root(), Error::Syntax { .. }));
    assert!(!lupa_core::is_incomplete(&error));
    // None of it keeps the runtime.
    let weak = lua.downgrade();
    drop((globals, error, lua));
    assert!(weak.upgrade().is_none());
    Ok(())
}

#[test]
fn the_lines_of_an_error_are_those_of_lua_code_from_within() -> Result<()> {
    let lua = Runtime::new()?;
    let fail = lua.function(|| Err::<(), _>(no_user()))?;
    lua.globals()?.set("fail", &fail)?;
    let load = lua.function(|lua: &Runtime| lua.load("\n\nx = = 1").name("=part").exec())?;
    lua.globals()?.set("load_part", load)?;
    let lines = |name: &str, code: &str| -> Vec<String> {
        let error = lua
            .load(code)
            .name(name)
            .exec()
            .unwrap_err()
            .context("outside: at 5: in");
        error.locations().iter().map(|at| at.to_string()).collect()
    };
    for (name, code, expected) in [
        (
            "=a",
            "local function f()\n  fail()\nend\nf()",
            vec!["a:2", "a:4"],
        ),
        // Functions of C have no lines; `pcall` and tail calls leave levels out.
        ("@b", "local ok, e = pcall(fail)\nerror(e)", vec!["b:2"]),
        (
            "=c",
            "\ntable.sort({ 1, 2 }, function() error('x') end)",
            vec!["c:2", "c:2"],
        ),
        ("=d", "x = 1\ny = 2 2", vec!["d:2"]),
        // The chunk that does not compile is within the code that loads it.
        ("=e", "\nload_part()", vec!["part:3", "e:2"]),
        // Names that look like what follows them.
        ("=f: in g", "error('x')", vec!["f: in g:1"]),
        (
            "return fail()",
            "\nfail()",
            vec!["[string \"return fail()\"]:2"],
        ),
    ] {
        assert_eq!(lines(name, code), expected, "{name}");
    }
    for error in [fail.call::<()>(()).unwrap_err(), no_user(), Error::Memory] {
        assert!(error.locations().is_empty());
    }
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
    let text: Error = same.call(Error::InUse("it".into()))?;
    assert!(
        matches!(&text, Error::Runtime(error) if error.value.is_none()),
        "{text:?}"
    );
    assert!(
        matches!(text.root(), Error::InUse(what) if what == "it"),
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

// Breaks (raises what lies below the frame) if a value is taken for raised that is not there.
#[test]
fn what_was_raised_elsewhere_is_an_error_here() -> Result<()> {
    let lua = Runtime::new()?;
    let raise = lua.create_function(|call| Err(call.raise("value")))?;
    assert_eq!(raise.call::<()>(()).unwrap_err().text(), "value");
    // What `raise` gives says only that there is a value.
    let without = lua.create_function(|_| Err(Error::Raised))?;
    for arguments in [vec![], vec![1, 2]] {
        let error = without.call::<()>(Variadic(arguments)).unwrap_err();
        assert_eq!(error.text(), "an error value was raised");
    }
    Ok(())
}

// An error that Lua raises for want of stack while host code makes a traceback would end the process.
#[test]
fn tracebacks_are_made_as_far_as_there_is_stack() -> Result<()> {
    let lua = Runtime::new()?;
    let trace = lua.function(|lua: &Runtime| lua.traceback().map(|text| text.len()))?;
    let fail = lua.load("coroutine.wrap(function() error('x') end)()");
    let fail = fail.into_function()?;
    let throw = lua.function(move || fail.call::<()>(()).is_err())?;
    // Calls the function at the last levels of the stack, of which each has so many slots more.
    let code = "local call, slots = ...
        local names = {}
        for i = 1, slots do names[i] = 'l' .. i end
        local down, deepest = assert(loadstring('local call = ... local deepest = 0 local function down(n, from) local '
            .. table.concat(names, ', ') .. ' if n > from then pcall(call) end deepest = n return down(n + 1, from) + 1 end '
            .. 'return down, function() return deepest end'))(call)
        local ok, message = pcall(down, 1, math.huge)
        assert(not ok and message:find('stack overflow'), message)
        local from = deepest() - 50
        assert(from > 1000)
        assert(not pcall(down, 1, from))";
    for call in [trace, throw] {
        for slots in 1..30 {
            lua.load(code).call::<()>((&call, slots))?;
        }
    }
    Ok(())
}

#[test]
fn errors_below_a_message_handler_are_kept() -> Result<()> {
    let lua = Runtime::new()?;
    let inner = lua.load("error('inner', 0)").into_function()?;
    let seen = lua.function(move || {
        let error = inner.call::<()>(()).expect_err("it raises");
        (error.text().into_owned(), error.traceback().is_some())
    })?;
    // Both where C code has raised the error that is handled and where an instruction has.
    for code in ["error('outer')", "local x = nil + 1"] {
        let code = format!(
            "local text, traced, again
            local seen, raise = ...
            local ok = xpcall(function() {code} end, function(e)
                text, traced = seen()
                again = seen()
                if raise then error('in the handler') end
                return e
            end)
            return ok, text, traced, again"
        );
        let run = lua.load(&code).into_function()?;
        let kept: (bool, String, bool, String) = run.call(&seen)?;
        assert_eq!(kept, (false, "inner".into(), true, "inner".into()));
        // An error of the handler itself is one still.
        let kept: (bool, String, bool, String) = run.call((&seen, true))?;
        assert_eq!(kept, (false, "inner".into(), true, "inner".into()));
    }
    let nested =
        lua.load("local ok, e = xpcall(error, function() error('again') end, 'x') return e");
    assert_eq!(nested.eval::<String>()?, "error in error handling");
    Ok(())
}
