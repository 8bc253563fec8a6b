//! What a binding for another language builds on: operations with closures around and within them, slots, keys, builders.

use lupa_core::{
    Around, Call, ChunkMode, CoroutineStatus, Directly, Error, FromLuaMulti, Function, HostObject,
    IntoLua, Kind, LightUserData, Operation, Pusher, Reference, Result, Results, Runtime, Slot,
    Table, Value, Variadic, function,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn fails<T: std::fmt::Debug>(result: Result<T>, with: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(with), "{text:?} should contain {with:?}");
}

/// Counts the runs of Lua code that go on and those that there were.
#[derive(Clone, Default)]
struct Runs(Arc<[AtomicUsize; 2]>);

impl Runs {
    fn counts(&self) -> [usize; 2] {
        [self.0[0].load(Relaxed), self.0[1].load(Relaxed)]
    }
}

impl Around for &Runs {
    fn around<R>(self, run: impl FnOnce() -> R) -> R {
        self.0[0].fetch_add(1, Relaxed);
        self.0[1].fetch_add(1, Relaxed);
        let result = run();
        self.0[0].fetch_sub(1, Relaxed);
        result
    }
}

/// A runtime whose function `inside` gives the number of runs that go on.
fn runtime() -> Result<(Runtime, Runs)> {
    let lua = Runtime::new()?;
    let runs = Runs::default();
    let counted = runs.clone();
    lua.globals()?
        .set("inside", function(move || counted.counts()[0]))?;
    Ok((lua, runs))
}

/// The value of an expression, as any binding keeps it.
fn reference(lua: &Runtime, code: &str) -> Result<Reference> {
    lua.load(code).expression().eval()
}

#[test]
fn raw_reads_ask_no_metamethod() -> Result<()> {
    let (lua, _) = runtime()?;
    let code = "setmetatable({ 'one', x = 5 }, { __index = function() error('asked') end })";
    let table = reference(&lua, code)?;
    let read = |slot: Slot<'_>| Ok(slot.coerced_number());
    assert_eq!(table.raw_get_with(|to| to.bytes(b"x"), read)?, Some(5.0));
    assert_eq!(table.raw_get_with(|to| to.bytes(b"y"), read)?, None);
    let first = table.raw_get_with(|to| to.number(1.0), |slot| Ok(slot.bytes() == Some(b"one")));
    assert!(first?);
    // NaN can be asked for, as in Lua.
    assert_eq!(table.raw_get_with(|to| to.number(f64::NAN), read)?, None);
    assert_eq!(table.raw_get_with(|to| to.nil(), read)?, None);
    fails(table.get_with(|to| to.nil(), Directly, read), "asked");
    // What reading or the key's closure gives arrives.
    let refused = table.raw_get_with(|to| to.nil(), |_| Err::<(), _>("unread".into()));
    fails(refused, "unread");
    let refused = table.raw_get_with(|_| Err("no key".into()), read);
    fails(refused, "no key");
    fails(
        table.raw_get_with(|_| Ok(()), read),
        "must push exactly one value",
    );
    // Strings have a metatable, and no raw entries.
    let text = reference(&lua, "'text'")?;
    fails(
        text.raw_get_with(|to| to.bytes(b"len"), read),
        "the value is no table",
    );
    Ok(())
}

/// Its length is the number of runs that go on, of which its text tells, too.
struct Telling(Runs);

impl HostObject for Telling {
    const NAME: &'static str = "telling";
    const OPERATIONS: &'static [Operation] = &[Operation::Len, Operation::ToString];

    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        let inside = self.0.counts()[0];
        match operation {
            Operation::Len => call.push(inside),
            _ => call.push(format!("inside {inside}")),
        }
    }
}

#[test]
fn lengths_and_texts_ask_inside_of_what_is_around() -> Result<()> {
    let (lua, runs) = runtime()?;
    let object = lua.create_object(Telling(runs.clone()))?.into_reference();
    assert_eq!(object.len_with(&runs)?, 1.0);
    assert_eq!(
        object.to_string_with(&runs, |text| Ok(text.to_vec()))?,
        b"inside 1"
    );
    assert_eq!(runs.counts(), [0, 2]);
    assert_eq!(object.len_with(Directly)?, 0.0);
    // The length of a table without a metatable is known without Lua.
    assert_eq!(reference(&lua, "{ 1, 2, 3 }")?.len_with(&runs)?, 3.0);
    assert_eq!(runs.counts(), [0, 2]);
    let table = reference(
        &lua,
        "setmetatable({ 1, 2, 3 }, { __tostring = function() return 'at ' .. inside() end })",
    )?;
    // LuaJIT asks no table for another.
    if !cfg!(feature = "lua52compat") {
        assert_eq!(table.len_with(&runs)?, 3.0);
        assert_eq!(runs.counts(), [0, 2]);
    }
    // Reading is done outside.
    let text = table.to_string_with(&runs, |text| {
        assert_eq!(runs.counts(), [0, 3]);
        Ok(String::from_utf8_lossy(text).into_owned())
    })?;
    assert_eq!(text, "at 1");
    let text = reference(&lua, "'a\\0b'")?;
    assert_eq!(text.len_with(Directly)?, 3.0);
    assert_eq!(text.to_string_with(Directly, |text| Ok(text.len()))?, 3);
    fails(
        text.to_string_with(Directly, |_| Err::<(), _>("unread".into())),
        "unread",
    );
    let broken = "setmetatable({}, { __tostring = function() error('no text') end })";
    fails(
        reference(&lua, broken)?.to_string_with(&runs, |_| Ok(())),
        "no text",
    );
    assert_eq!(runs.counts()[0], 0);
    Ok(())
}

#[test]
fn coroutines_are_driven_by_references() -> Result<()> {
    let (lua, runs) = runtime()?;
    let co = reference(
        &lua,
        "coroutine.create(function(a, b)
             local caught = { pcall(coroutine.yield, a + b, inside()) }
             return select('#', unpack(caught)), caught[1], caught[2]
         end)",
    )?;
    assert_eq!(co.coroutine_status()?, CoroutineStatus::New);
    let resumed = co.resume_with(
        |arguments| arguments.push(1).and_then(|()| arguments.push(2)),
        &runs,
        |results| {
            assert_eq!(runs.counts(), [0, 1]);
            let numbers = [results.get(0).number(), results.get(1).number()];
            Ok((results.yielded(), results.len(), numbers))
        },
    )?;
    assert_eq!(resumed, (true, 2, [Some(3.0), Some(1.0)]));
    assert_eq!(co.coroutine_status()?, CoroutineStatus::Suspended);
    let thrown = co.throw_with(
        |to| to.bytes(b"thrown"),
        true,
        &runs,
        |results| {
            let text = results.get(2).bytes().map(<[u8]>::to_vec);
            Ok((results.yielded(), results.get(1).boolean(), text))
        },
    )?;
    assert_eq!(thrown, (false, Some(false), Some(b"thrown".to_vec())));
    assert_eq!(runs.counts(), [0, 2]);
    assert_eq!(co.coroutine_status()?, CoroutineStatus::Dead);
    let again = co.resume_with(|_| Ok(()), &runs, |_| Ok(()));
    assert!(
        matches!(again, Err(Error::CoroutineUnresumable { .. })),
        "{again:?}"
    );

    // What cannot be caught goes past the pcall.
    let co = reference(
        &lua,
        "coroutine.create(function() pcall(coroutine.yield) caught = true end)",
    )?;
    co.resume_with(|_| Ok(()), Directly, |_| Ok(()))?;
    let thrown = co.throw_with(|to| to.bytes(b"ends it"), false, Directly, |_| Ok(()));
    fails(thrown, "ends it");
    assert_eq!(co.coroutine_status()?, CoroutineStatus::Failed);
    assert!(!lua.globals()?.contains_key("caught")?);
    co.close_coroutine()?;
    assert_eq!(co.coroutine_status()?, CoroutineStatus::Dead);

    // An error that is not pushed is none.
    let co = reference(&lua, "coroutine.create(coroutine.yield)")?;
    co.resume_with(|_| Ok(()), Directly, |_| Ok(()))?;
    fails(
        co.throw_with(|_| Ok(()), true, Directly, |_| Ok(())),
        "must push exactly one value",
    );
    assert_eq!(co.coroutine_status()?, CoroutineStatus::Suspended);
    co.close_coroutine()?;
    Ok(())
}

#[test]
fn what_is_no_coroutine_is_refused_as_one() -> Result<()> {
    let (lua, runs) = runtime()?;
    for code in ["print", "{}", "'text'", "5", "nil"] {
        let value = reference(&lua, code)?;
        let refusals = [
            value.resume_with(|_| Ok(()), &runs, |_| Ok(())),
            value.throw_with(|to| to.nil(), true, &runs, |_| Ok(())),
            value.close_coroutine(),
            value.coroutine_status().map(drop),
        ];
        for refusal in refusals {
            fails(refusal, "to coroutine");
        }
    }
    Ok(())
}

#[test]
fn a_coroutine_in_a_slot_gives_its_function_until_it_starts() -> Result<()> {
    let lua = Runtime::new()?;
    let f = reference(&lua, "function(n) coroutine.yield(n) end")?;
    let co = f.with(|slot| slot.new_coroutine(|co| co.to_reference()))?;
    let function_of = |value: &Reference| value.with(|slot| slot.coroutine_function());
    assert!(function_of(&co)?.is_some_and(|found| found.same(&f).unwrap()));
    assert_eq!(co.coroutine_status()?, CoroutineStatus::New);
    let yielded = |results: Results<'_>| Ok(results.get(0).number());
    assert_eq!(
        co.resume_with(|to| to.push(7), Directly, yielded)?,
        Some(7.0)
    );
    assert!(function_of(&co)?.is_none());
    for value in [
        &f,
        &reference(&lua, "nil")?,
        &reference(&lua, "coroutine.wrap(print)")?,
    ] {
        assert!(function_of(value)?.is_none());
    }
    // One of what is no function fails when it is started.
    let new_of = |value: &Reference| value.with(|slot| slot.new_coroutine(|co| co.to_reference()));
    let of_nil = new_of(&reference(&lua, "nil")?)?;
    let started = of_nil.resume_with(|_| Ok(()), Directly, |_| Ok(()));
    fails(started, "attempt to call");
    // In the frame of a host function, what were left there would be a result.
    let ask = lua.create_function(|call| call.arg(0).coroutine_function().map(drop))?;
    for value in [&f, &co, &new_of(&f)?, &new_of(&of_nil)?] {
        assert_eq!(ask.call::<Variadic<Value>>(value)?.len(), 0);
    }
    Ok(())
}

#[test]
fn slots_tell_what_only_a_binding_asks() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("host", function(|| 1))?;
    let light = LightUserData::new(&raw const LIGHT);
    lua.globals()?.set("light", light)?;
    lua.globals()?
        .set("object", lua.create_object(Telling(Runs::default()))?)?;
    // The raw length, whether it is a C function, has a block, has `__index` and `__tostring` in its metatable.
    let table = [
        ("nil", 0, false, false, false, false),
        ("5", 0, false, false, false, false),
        ("'text'", 0, false, false, true, false),
        ("{ 1, 2, x = 3 }", 2, false, false, false, false),
        (
            "setmetatable({ 1 }, { __index = { 1, 2 }, __len = print })",
            1,
            false,
            false,
            true,
            false,
        ),
        (
            "setmetatable({}, { __tostring = false })",
            0,
            false,
            false,
            false,
            true,
        ),
        ("print", 0, true, false, false, false),
        ("host", 0, true, false, false, false),
        ("function() end", 0, false, false, false, false),
        ("coroutine.create(print)", 0, false, false, false, false),
        ("light", 0, false, true, false, false),
        ("io.stdout", 0, false, true, true, true),
        ("object", 0, false, true, false, true),
    ];
    for (code, length, c_function, block, index, text) in table {
        reference(&lua, code)?.with(|slot| {
            assert_eq!(slot.raw_len(), length, "{code}");
            assert_eq!(slot.is_c_function(), c_function, "{code}");
            assert_eq!(!slot.block().is_null(), block, "{code}");
            assert_eq!(slot.has_metafield("__index")?, index, "{code}");
            assert_eq!(slot.has_metafield("__tostring")?, text, "{code}");
            assert!(!slot.has_metafield("no such field")?, "{code}");
            Ok(())
        })?;
    }
    let block = |code: &str| reference(&lua, code)?.with(|slot| Ok(slot.block()));
    assert_eq!(block("light")?, (&raw const LIGHT).cast());
    assert_eq!(block("io.stdout")?, block("io.stdout")?);
    assert_ne!(block("io.stdout")?, block("io.stdin")?);
    // A protected metatable is looked at all the same.
    let hidden = reference(
        &lua,
        "setmetatable({}, { __metatable = {}, __call = print })",
    )?;
    assert!(hidden.with(|slot| slot.has_metafield("__call"))?);
    // An argument that is absent has nothing, and leaves nothing.
    let absent = lua.create_function(|call| {
        let slot = call.arg(0);
        assert!(slot.block().is_null() && slot.raw_len() == 0 && !slot.is_c_function());
        assert!(!slot.has_metafield("__index")? && slot.coroutine_function()?.is_none());
        Ok(())
    })?;
    assert_eq!(absent.call::<Variadic<Value>>(())?.len(), 0);
    Ok(())
}

/// What a light userdata points to.
static LIGHT: u8 = 0;

#[test]
fn keys_are_made_of_slots() -> Result<()> {
    let lua = Runtime::new()?;
    let handles = lua.handles()?;
    let (table, name) = lua.load("return {}, 'name'").call_with(
        |_| Ok(()),
        Directly,
        |results| {
            Ok((
                results.get(0).to_registry_key()?,
                results.get(1).to_registry_key()?,
            ))
        },
    )?;
    lua.load("collectgarbage()").exec()?;
    let kept: Table = lua.registry_value(&table)?;
    kept.set("x", 5)?;
    assert_eq!(lua.registry_value::<Table>(&table)?.get::<i64>("x")?, 5);
    assert_eq!(lua.registry_value::<String>(&name)?, "name");
    drop(kept);
    assert_eq!(lua.handles()?, handles + 2);
    lua.remove_registry_value(table)?;
    lua.remove_registry_value(name)?;
    assert_eq!(lua.handles()?, handles);
    Ok(())
}

#[test]
fn functions_are_pushed_as_what_they_are() -> Result<()> {
    let lua = Runtime::new()?;
    let f: Function = lua.load("return function() return 'called' end").eval()?;
    let same: bool = lua
        .load("local a, b = ... return a == b and a() == 'called'")
        .call_with(
            |to| to.push(Pushed(&f)).and_then(|()| to.push(&f)),
            Directly,
            |results| Ok(results.get(0).truthy()),
        )?;
    assert!(same);
    let other = Runtime::new()?;
    let refused = other
        .load("")
        .call_with(|to| to.push(Pushed(&f)), Directly, |_| Ok(()));
    assert!(matches!(refused, Err(Error::WrongRuntime)), "{refused:?}");
    Ok(())
}

/// Pushes a function by the method for that.
struct Pushed<'a>(&'a Function);

impl IntoLua for Pushed<'_> {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.lua_function(self.0)
    }
}

#[test]
fn builders_take_entries_from_closures_and_tables() -> Result<()> {
    let lua = Runtime::new()?;
    let other = Runtime::new()?;
    let source = reference(
        &lua,
        "setmetatable({ 'one', 'two', x = 1, y = 2 }, { __index = error, __newindex = error })",
    )?;
    let table = lua.create_table_with(0, 0, |table| {
        table.set("y", 0)?;
        table.extend(&source)?;
        table.set_with(|to| to.bytes(b"x"), |to| to.number(7.0))?;
        table.set_with(
            |to| to.boolean(true),
            |to| to.lua_function(&lua.globals()?.get("print")?),
        )?;
        table.set_index_with(3, |to| to.new_table(0, 1, |inner| inner.set("deep", 9)))?;
        table.set_index_with(1, |to| to.nil())?;
        // After what fails, the builder goes on.
        let foreign = reference(&other, "{}")?;
        assert!(matches!(table.extend(&foreign), Err(Error::WrongRuntime)));
        fails(
            table.extend(&reference(&lua, "5")?),
            "cannot convert number to table",
        );
        fails(table.set_with(|to| to.nil(), |to| to.nil()), "nil");
        fails(
            table.set_with(|to| to.number(f64::NAN), |to| to.nil()),
            "NaN",
        );
        let refused = table.set_with(|to| to.bytes(b"kept"), |_| Err("no value".into()));
        fails(refused, "no value");
        fails(table.set_with(|_| Ok(()), |to| to.nil()), "exactly one");
        fails(table.set_index_with(4, |_| Ok(())), "exactly one");
        fails(
            table.set_index_with(4, |_| Err("no item".into())),
            "no item",
        );
        assert!(matches!(table.set_index(usize::MAX, 1), Err(Error::Memory)));
        table.set("last", 8)
    })?;
    lua.globals()?.set("t", table)?;
    lua.load(
        "assert(t[1] == nil and t[2] == 'two' and t[3].deep == 9 and t[4] == nil)
         assert(t.x == 7 and t.y == 2 and t[true] == print and t.kept == nil and t.last == 8)
         assert(getmetatable(t) == nil)",
    )
    .exec()
}

#[test]
fn the_runtime_of_a_call_can_be_used_while_results_are_pushed() -> Result<()> {
    let lua = Runtime::new()?;
    let both = lua.create_function(|call| {
        let lua = call.runtime_ref();
        call.push_with(|to| to.table(&lua.create_table_from([("x", 5)])?))?;
        call.push(lua.globals()?)?;
        assert!(lua.is_same(call.runtime()) && !lua.is_closed());
        Ok(())
    })?;
    let (made, globals): (Table, Table) = both.call(())?;
    assert_eq!(made.get::<i64>("x")?, 5);
    assert!(globals.same(&lua.globals()?)?);
    Ok(())
}

#[test]
fn results_are_skipped_from_the_front() -> Result<()> {
    let lua = Runtime::new()?;
    lua.load("return 1, 2, 'three'").call_with(
        |_| Ok(()),
        Directly,
        |results| {
            for (skipped, left) in [(0, 3), (1, 2), (2, 1), (3, 0), (4, 0), (usize::MAX, 0)] {
                let rest = results.skip(skipped);
                assert_eq!((rest.len(), rest.is_empty()), (left, left == 0));
                for index in 0..4 {
                    let expected = (index < left).then(|| results.get(skipped + index).kind());
                    assert_eq!(rest.get(index).kind(), expected.unwrap_or(Kind::None));
                }
            }
            assert_eq!(results.skip(1).skip(1).get(0).bytes(), Some(&b"three"[..]));
            // Errors count from the first of all.
            let read = <(u8, u8)>::from_results(results.skip(1)).unwrap_err();
            assert!(read.to_string().contains("result #3"), "{read}");
            Ok(())
        },
    )
}

#[test]
fn chunks_become_functions_in_slots() -> Result<()> {
    let lua = Runtime::new()?;
    let own = lua.create_table()?;
    let key = lua
        .load("x = 5 x()")
        .c_name(c"=borrowed name")
        .environment(&own)
        .into_function_with(|slot| {
            assert_eq!((slot.kind(), slot.is_c_function()), (Kind::Function, false));
            slot.to_registry_key()
        })?;
    let function: Function = lua.registry_value(&key)?;
    fails(
        function.call::<()>(()),
        "borrowed name:1: attempt to call global 'x'",
    );
    assert_eq!(own.get::<i64>("x")?, 5);
    lua.remove_registry_value(key)?;
    let chunk = |code| lua.load(code).c_name(c"@file.lua");
    fails(
        chunk("x = = 5").into_function_with(|_| Ok(())),
        "file.lua:1: unexpected symbol",
    );
    fails(
        chunk("x = 5").into_function_with(|_| Err::<(), _>("unread".into())),
        "unread",
    );
    let binary = chunk("x = 5").mode(ChunkMode::Binary);
    assert!(binary.into_function_with(|_| Ok(())).is_err());
    assert!(lua.globals()?.get::<Value>("x")?.is_nil());
    Ok(())
}
