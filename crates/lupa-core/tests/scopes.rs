//! Scopes: what is lent to Lua is never used after its scope, whoever keeps it.

use lupa_core::{
    Directly, Error, Function, Reference, Result, Runtime, Scope, Slot, Table, Value, Variadic,
};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

const ENDED: &str = "the scope of the function has ended";

fn fails<T: std::fmt::Debug>(result: Result<T>, with: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(with), "{text:?} should contain {with:?}");
}

#[test]
fn closures_borrow_from_the_stack() -> Result<()> {
    let lua = Runtime::new()?;
    let words = [String::from("a"), String::from("b")];
    let mut log = Vec::new();
    // Of this thread alone: neither Send nor Sync.
    let count = Rc::new(Cell::new(0));
    let result = lua.scope(|scope| {
        let globals = lua.globals()?;
        globals.set(
            "word",
            scope.function(|n: usize| words.get(n - 1).cloned())?,
        )?;
        globals.set(
            "log",
            scope.function_mut(|text: &str| log.push(text.to_owned()))?,
        )?;
        let counted = Rc::clone(&count);
        globals.set(
            "count",
            scope.function(move || counted.set(counted.get() + 1))?,
        )?;
        lua.load("log(word(1) .. word(2)) log('c') count() return word(3) == nil")
            .eval::<bool>()
    })?;
    assert!(result);
    assert_eq!(log, ["ab", "c"]);
    // The closure, and what it had captured, is gone.
    assert_eq!((count.get(), Rc::strong_count(&count)), (1, 1));
    Ok(())
}

/// Says when it is dropped.
struct Noted<'a>(&'a Cell<bool>);

impl Noted<'_> {
    fn is_dropped(&self) -> bool {
        self.0.get()
    }
}

impl Drop for Noted<'_> {
    fn drop(&mut self) {
        assert!(!self.0.replace(true), "dropped twice");
    }
}

/// Ways to keep a lent function `f`, and to call it later by `call`.
const KEEPERS: &[(&str, &str)] = &[
    ("global = f", "global()"),
    ("t = setmetatable({}, { __index = f })", "return t.x"),
    (
        "local f = f; closure = function() return (f()) end",
        "closure()",
    ),
    (
        "co = coroutine.wrap(function() coroutine.yield() return f() end) co()",
        "co()",
    ),
    ("co = coroutine.wrap(f)", "co()"),
    // In a coroutine that has called it already and waits.
    (
        "co = coroutine.wrap(function() f() coroutine.yield() f() end) co()",
        "co()",
    ),
    (
        "t = setmetatable({ f }, { __mode = 'v' }) keep = f",
        "t[1]()",
    ),
    (
        "debug.sethook() package.loaded.lent = f",
        "require('lent')()",
    ),
    ("string.gsub('x', 'x', f) s = f", "string.gsub('x', 'x', s)"),
    (
        "u = newproxy(true) getmetatable(u).__index = f",
        "return u.x",
    ),
    (
        "t = { f } table.sort({ 1 }, f)",
        "table.sort({ 1, 2, 3 }, t[1])",
    ),
    ("global = f", "assert(false, select(2, pcall(global)))"),
    ("global = f", "for x in global do end"),
    ("global = f", "error(select(2, load(global)))"),
];

#[test]
fn a_call_after_the_scope_is_an_error_whoever_kept_the_function() -> Result<()> {
    for (keep, call) in KEEPERS {
        let lua = Runtime::new()?;
        let (dropped, calls) = (Cell::new(false), Cell::new(0));
        let kept = lua.scope(|scope| {
            let noted = Noted(&dropped);
            let calls = &calls;
            let f = scope.function(move || {
                assert!(!noted.is_dropped());
                calls.set(calls.get() + 1);
                None::<String>
            })?;
            lua.globals()?.set("f", &f)?;
            lua.load(&format!("local f = f {keep}")).exec()?;
            lua.load("f = nil").exec()?;
            assert!(!dropped.get());
            Ok(f)
        })?;
        assert!(dropped.get(), "{keep}");
        let in_scope = calls.get();
        fails(lua.load(call).exec(), ENDED);
        fails(kept.call::<()>(()), ENDED);
        assert_eq!(calls.get(), in_scope, "{call}");
        // What Lua has kept is nothing but an empty shell.
        drop(kept);
        lua.load("global, t, closure, co, s, u, keep = nil")
            .exec()?;
        lua.gc_collect()?;
        lua.close()?;
    }
    Ok(())
}

#[test]
fn a_panic_ends_the_scope() -> Result<()> {
    let lua = Runtime::new()?;
    let dropped = Cell::new(false);
    // In the body, and in the lent function itself, through Lua's frames.
    for in_function in [false, true] {
        dropped.set(false);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            lua.scope(|scope| {
                let noted = Noted(&dropped);
                lua.globals()?.set(
                    "f",
                    scope.function_mut(move |panics: bool| {
                        let _ = &noted;
                        assert!(!panics, "in the function");
                    })?,
                )?;
                lua.load("f(false)").exec()?;
                assert!(in_function, "in the body");
                lua.load("co = coroutine.wrap(function() pcall(f, true) end) co()")
                    .exec()
            })
        }))
        .unwrap_err();
        let text = panic.downcast_ref::<&str>().unwrap();
        assert!(text.starts_with(if in_function {
            "in the function"
        } else {
            "in the body"
        }));
        assert!(dropped.get());
        fails(lua.load("f()").exec(), ENDED);
    }
    // An error does too.
    fails(
        lua.scope(|scope| {
            lua.globals()?.set("f", scope.function(|| 1)?)?;
            lua.load("error('x' .. f())").exec()
        }),
        "x1",
    );
    fails(lua.load("f()").exec(), ENDED);
    Ok(())
}

#[test]
fn scopes_nest() -> Result<()> {
    let lua = Runtime::new()?;
    let outer_log = RefCell::new(Vec::new());
    lua.scope(|outer| {
        let globals = lua.globals()?;
        globals.set(
            "outer",
            outer.function(|n: i64| outer_log.borrow_mut().push(n))?,
        )?;
        let local = Cell::new(0);
        lua.scope(|inner| {
            globals.set(
                "inner",
                inner.function(|n: i64| local.set(local.get() + n))?,
            )?;
            lua.load("outer(1) inner(1)").exec()
        })?;
        assert_eq!(local.get(), 1);
        fails(lua.load("inner(1)").exec(), ENDED);
        lua.load("outer(2)").exec()
    })?;
    assert_eq!(*outer_log.borrow(), [1, 2]);
    fails(lua.load("outer(3)").exec(), ENDED);
    Ok(())
}

#[test]
fn a_scope_within_a_lent_function_ends_before_it() -> Result<()> {
    let lua = Runtime::new()?;
    let depth = Cell::new(0);
    lua.scope(|scope| {
        let go = scope.function(
            |lua: &Runtime, n: i64, f: Option<Function>| -> Result<i64> {
                if let Some(f) = f {
                    f.call::<()>(())?;
                }
                if n == 0 {
                    return Ok(0);
                }
                let here = Cell::new(0);
                let result = lua.scope(|scope| {
                    let mark = scope.function(|| {
                        here.set(here.get() + 1);
                        depth.set(depth.get() + 1);
                    })?;
                    lua.globals()?
                        .get::<Function>("go")?
                        .call::<i64>((n - 1, mark))
                })?;
                assert_eq!(here.get(), 1);
                Ok(result + 1)
            },
        )?;
        lua.globals()?.set("go", go)?;
        assert_eq!(lua.load("return go(20)").eval::<i64>()?, 20);
        Ok(())
    })?;
    assert_eq!(depth.get(), 20);
    Ok(())
}

#[test]
fn lent_functions_can_lend_more() -> Result<()> {
    let lua = Runtime::new()?;
    let base = Cell::new(10);
    let base = &base;
    lua.scope(|scope| {
        let adder =
            scope.function(move |n: i64| scope.function(move |m: i64| base.get() + n + m))?;
        lua.globals()?.set("adder", adder)?;
        assert_eq!(
            lua.load("add = adder(1) return add(2) + adder(3)(4)")
                .eval::<i64>()?,
            13 + 17
        );
        base.set(20);
        assert_eq!(lua.load("return add(2)").eval::<i64>()?, 23);
        Ok(())
    })?;
    fails(lua.load("add(1)").exec(), ENDED);
    fails(lua.load("adder(1)").exec(), ENDED);
    Ok(())
}

/// Uses the scope, and Lua code, when it is dropped.
struct Late<'scope, 'env>(Scope<'scope, 'env>, &'scope Runtime, &'env Cell<usize>);

impl Late<'_, '_> {
    fn drops(&self) -> &Cell<usize> {
        self.2
    }
}

impl Drop for Late<'_, '_> {
    fn drop(&mut self) {
        // All are taken back already, whichever is dropped first.
        fails(self.1.load("f()").exec(), ENDED);
        fails(self.1.load("g()").exec(), ENDED);
        assert!(matches!(self.0.function(|| 1), Err(Error::ScopeEnded(_))));
        self.2.set(self.2.get() + 1);
    }
}

#[test]
fn what_is_dropped_at_the_end_cannot_lend_any_more() -> Result<()> {
    let lua = Runtime::new()?;
    let drops = Cell::new(0);
    lua.scope(|scope| {
        for name in ["f", "g"] {
            let late = Late(scope, scope.runtime(), &drops);
            lua.globals()?
                .set(name, scope.function(move || late.drops().get())?)?;
        }
        lua.load("f() g()").exec()
    })?;
    assert_eq!(drops.get(), 2);
    Ok(())
}

#[test]
fn collected_functions_stay_lent_until_the_end() -> Result<()> {
    let lua = Runtime::new()?;
    let dropped = Cell::new(false);
    lua.scope(|scope| {
        let noted = Noted(&dropped);
        drop(scope.function(move || noted.is_dropped())?);
        lua.gc_collect()?;
        assert!(!dropped.get());
        Ok(())
    })?;
    assert!(dropped.get());
    // A function that removes itself while it runs.
    lua.scope(|scope| {
        let text = String::from("still here");
        let f = scope.function(move |lua: &Runtime| -> Result<usize> {
            lua.load("f = nil collectgarbage() collectgarbage()")
                .exec()?;
            Ok(text.len())
        })?;
        lua.globals()?.set("f", f)?;
        assert_eq!(lua.load("return f()").eval::<usize>()?, 10);
        Ok(())
    })
}

#[test]
fn other_threads_wait_for_the_end() -> Result<()> {
    let lua = Runtime::new()?;
    let ended = AtomicBool::new(false);
    let value = Cell::new(0); // not Sync
    std::thread::scope(|threads| {
        let other = lua.scope(|scope| {
            lua.globals()?
                .set("f", scope.function(|| value.set(value.get() + 1))?)?;
            let other = threads.spawn(|| {
                assert!(lua.try_lock().is_none() || ended.load(SeqCst));
                let result = lua.load("f()").exec();
                // Breaks if another thread can call while the scope lives.
                assert!(ended.load(SeqCst));
                fails(result, ENDED);
            });
            for _ in 0..200 {
                lua.load("f()").exec()?;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
            ended.store(true, SeqCst);
            Ok(other)
        });
        other?.join().unwrap();
        Ok::<_, Error>(())
    })?;
    assert_eq!(value.get(), 200);
    Ok(())
}

#[test]
fn what_was_lent_may_be_dropped_on_another_thread() -> Result<()> {
    let lua = Runtime::new()?;
    let local = Rc::new(());
    let function = lua.scope(|scope| {
        let local = Rc::clone(&local);
        scope.function(move || Rc::strong_count(&local))
    })?;
    lua.globals()?.set("f", &function)?;
    assert_eq!(Rc::strong_count(&local), 1);
    std::thread::spawn(move || {
        fails(function.call::<()>(()), ENDED);
        drop(function);
        lua.gc_collect().unwrap();
        drop(lua);
    })
    .join()
    .unwrap();
    Ok(())
}

#[test]
fn the_runtime_cannot_be_closed_in_a_scope() -> Result<()> {
    let lua = Runtime::new()?;
    lua.scope(|scope| {
        let f = scope.function(|| 1)?;
        assert!(matches!(lua.close(), Err(Error::Busy)));
        assert_eq!(f.call::<i64>(())?, 1);
        Ok(())
    })?;
    lua.close()?;
    assert!(matches!(
        lua.scope(|scope| scope.function(|| 1)),
        Err(Error::Closed)
    ));
    Ok(())
}

#[test]
fn lent_functions_that_change_are_checked() -> Result<()> {
    let lua = Runtime::new()?;
    let mut list = Vec::new();
    lua.scope(|scope| {
        let f = scope.function_mut(|inner: Option<Function>, value: Value| -> Result<usize> {
            list.push(value.type_name());
            if let Some(inner) = inner {
                inner.call::<()>(())?;
            }
            Ok(list.len())
        })?;
        lua.globals()?.set("f", f)?;
        fails(
            lua.load("f(function() f() end)").exec(),
            "the function is in use",
        );
        assert_eq!(lua.load("return f(nil, {})").eval::<usize>()?, 2);
        Ok(())
    })?;
    assert_eq!(list, ["nil", "table"]);
    Ok(())
}

#[test]
fn lent_functions_take_and_give_lua_values() -> Result<()> {
    let lua = Runtime::new()?;
    lua.scope(|scope| {
        let f = scope.function(
            |lua: &Runtime, table: Table, key: &str| -> Result<(Table, Value)> {
                Ok((lua.create_table()?, table.get(key)?))
            },
        )?;
        lua.globals()?.set("f", f)?;
        lua.load("local t, v = f({ a = f }, 'a') assert(type(t) == 'table' and v == f)")
            .exec()
    })
}

/// Whether `run` ends with the panic about a view of the stack in another frame.
fn is_refused(run: impl FnOnce()) -> bool {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("a view was used in another frame");
    let text = panic.downcast::<&str>().expect("a text");
    text.contains("was captured by the closure of a scope")
}

// Breaks (reads freed memory, or what is no table as one) if a view of the stack does not know its frame.
#[test]
fn views_of_the_stack_are_refused_in_scoped_functions() -> Result<()> {
    let lua = Runtime::new()?;
    let read = |slot: Slot<'_>| assert!(slot.bytes().is_some());
    // Calls the closure from Lua code, in a frame of its own with other values.
    let elsewhere = |lua: &Runtime, closure: &mut dyn FnMut()| {
        lua.scope(|scope| {
            let function = scope.function_mut(|_: Variadic<f64>| closure())?;
            lua.load("local f = ... f(1.5, 2.5) coroutine.wrap(f)(3.5)")
                .call::<()>(function)
        })
    };

    assert!(is_refused(|| {
        let _ = lua.convert("text", |slot| elsewhere(&lua, &mut || read(slot)));
    }));
    assert!(is_refused(|| {
        let _ = lua.convert("text", |slot| {
            elsewhere(&lua, &mut || drop(slot.to_reference()))
        });
    }));
    assert!(is_refused(|| {
        let _ = lua.create_table_with(0, 0, |t| {
            elsewhere(&lua, &mut || t.set("key", 1).unwrap_or_default())
        });
    }));
    // What is pushed there is one value too many of that call, and missing here.
    let pushed = lua.create_table_with(0, 0, |t| {
        t.set_with(
            |to| {
                let mut to = Some(to);
                elsewhere(&lua, &mut || drop(to.take().map(|to| to.number(1.0))))
            },
            |to| to.nil(),
        )
    });
    fails(pushed, "must push exactly one value");
    let reference: Reference = lua.load("return function(...) return ... end").eval()?;
    // Breaks (writes beyond the stack) if the room that was reserved is taken for that of the other frame.
    let given = reference.call_with(
        |arguments| {
            arguments.reserve(3000)?;
            elsewhere(&lua, &mut || {
                for n in 0..3000 {
                    let _ = arguments.push_reserved(n);
                }
            })
        },
        Directly,
        |results| Ok(results.len()),
    )?;
    assert_eq!(given, 0);
    assert!(is_refused(|| {
        let _ = reference.call_with(
            |arguments| arguments.push("text"),
            Directly,
            |results| elsewhere(&lua, &mut || read(results.get(0))),
        );
    }));
    let function = lua.create_function(move |call| {
        let lua = call.runtime().clone();
        elsewhere(&lua, &mut || drop(call.get::<f64>(0)))
    })?;
    assert!(is_refused(|| drop(function.call::<()>(5.5))));
    // Its results would be those of the other call.
    let function = lua.create_function(move |call| {
        let lua = call.runtime().clone();
        elsewhere(&lua, &mut || drop(call.push("text")))
    })?;
    assert!(is_refused(|| drop(function.call::<()>(5.5))));
    let function = lua.create_function(move |call| {
        let lua = call.runtime().clone();
        elsewhere(&lua, &mut || drop(call.location()))
    })?;
    assert!(is_refused(|| drop(function.call::<()>(5.5))));
    // A runtime that a function of another one uses has frames, too.
    let other = Runtime::new()?;
    assert!(is_refused(|| {
        let _ = lua.convert("text", |slot| {
            other.scope(|scope| {
                let inner = scope.function(|| read(slot))?;
                let call_inner = inner.clone();
                let through = lua.function(move || call_inner.call::<()>(()))?;
                through.call::<()>(())
            })
        });
    }));
    // Within its frame each works, and what was read of it works everywhere.
    let text = lua.convert("text", |slot| {
        let bytes = slot.bytes().unwrap_or_default();
        let mut seen = Vec::new();
        elsewhere(&lua, &mut || seen.push(bytes.len()))?;
        assert_eq!(seen, [4, 4]);
        Ok(slot.bytes().unwrap_or_default().to_vec())
    })?;
    assert_eq!(text, b"text");
    Ok(())
}

#[cfg(feature = "serde")]
#[test]
fn data_that_is_being_read_is_refused_in_scoped_functions() -> Result<()> {
    use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

    thread_local!(static LUA: RefCell<Option<Runtime>> = const { RefCell::new(None) });
    #[derive(Debug)]
    struct Read;
    impl<'de> Deserialize<'de> for Read {
        fn deserialize<D: Deserializer<'de>>(
            deserializer: D,
        ) -> std::result::Result<Self, D::Error> {
            struct Entries;
            impl<'de> Visitor<'de> for Entries {
                type Value = Read;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("a map")
                }
                fn visit_map<A: MapAccess<'de>>(
                    self,
                    mut map: A,
                ) -> std::result::Result<Read, A::Error> {
                    let lua = LUA.take().unwrap();
                    let _ = lua.scope(|scope| {
                        let next = scope.function_mut(|_: f64| drop(map.next_key::<String>()))?;
                        next.call::<()>(5.5)
                    });
                    Ok(Read)
                }
            }
            deserializer.deserialize_map(Entries)
        }
    }
    let lua = Runtime::new()?;
    let table: Value = lua.load("return { a = 1, b = 2 }").eval()?;
    LUA.set(Some(lua.clone()));
    assert!(is_refused(|| drop(lua.deserialize::<Read>(&table))));
    Ok(())
}
