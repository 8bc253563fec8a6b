//! Views of Lua's stack that a thread-local lends to host code, which may run in another frame than theirs.

use lupa_core::{Call, Error, Result, Runtime, Slot};
use scoped_tls_hkt::scoped_thread_local;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What looks at a view, and may borrow it.
#[derive(Clone, Copy)]
struct Look<'a>(&'a dyn Fn() -> Option<usize>);

scoped_thread_local!(static LENT: for<'a> Look<'a>);

/// Runs `body`, in which `look` looks.
fn lend<R>(of: &dyn Fn() -> Option<usize>, body: impl FnOnce() -> R) -> R {
    LENT.set(Look(of), body)
}

fn look() -> Option<usize> {
    LENT.with(|look| look.0())
}

/// Bytes of a text.
fn length(slot: Slot<'_>) -> Option<usize> {
    slot.bytes().map(<[u8]>::len)
}

/// A runtime with a global `look`.
fn runtime() -> Result<Runtime> {
    let lua = Runtime::new()?;
    lua.globals()?.set("look", lua.function(look)?)?;
    Ok(lua)
}

/// Runs what must end with the panic about a view of the stack in another frame.
fn refused(run: impl FnOnce() -> Result<()>) {
    let panic = catch_unwind(AssertUnwindSafe(run)).expect_err("a view was used in another frame");
    let text = panic.downcast::<&str>().expect("a text");
    assert!(text.contains("lent by a thread-local"), "{text}");
}

// Breaks (reads what is no text as one) if a view knows its frame only in scopes.
#[test]
fn a_slot_is_refused_in_a_host_function() -> Result<()> {
    let lua = runtime()?;
    lua.convert("text", |slot| {
        lend(&|| length(slot), || {
            assert_eq!(look(), Some(4));
            refused(|| lua.load("look({}, {}, {})").exec());
            // Its own frame has it still.
            assert_eq!(look(), Some(4));
            Ok(())
        })
    })
}

#[test]
fn an_argument_is_refused_in_another_host_function() -> Result<()> {
    let lua = runtime()?;
    let lend = lua.function(|lua: &Runtime, slot: Slot<'_>| {
        lend(&|| length(slot), || {
            assert_eq!(look(), Some(4));
            refused(|| lua.load("look({}, {}, {})").exec());
            refused(|| lua.load("coroutine.wrap(look)({}, {}, {})").exec());
            assert_eq!(look(), Some(4));
        });
    })?;
    lend.call("text")
}

#[test]
fn a_call_is_refused_in_another_host_function() -> Result<()> {
    let lua = runtime()?;
    let first = lua.create_function(|call| {
        lend(&|| call.get(0).ok(), || {
            refused(|| call.runtime().load("look({}, {})").exec());
            assert_eq!(look(), Some(5));
        });
        call.push(true)
    })?;
    assert!(first.call::<bool>(5)?);
    Ok(())
}

// Breaks (the results are of the other function) if only what reads looks at the frame.
#[test]
fn a_call_gives_its_results_in_its_own_frame() -> Result<()> {
    let lua = runtime()?;
    type Use = fn(&mut Call<'_>) -> Option<usize>;
    let uses: [Use; 4] = [
        |call| call.push(9).ok().map(|()| 1),
        |call| call.push_with(|to| to.nil()).ok().map(|()| 1),
        |call| matches!(call.raise("x"), Error::Raised).then_some(1),
        |call| Some(call.location().len()),
    ];
    for used in uses {
        let first = lua.create_function(move |call| {
            let runtime = call.runtime_ref();
            let shared = RefCell::new(&mut *call);
            let in_another = || used(*shared.borrow_mut());
            lend(&in_another, || {
                refused(|| runtime.load("look({}, {})").exec());
            });
            call.push(true)
        })?;
        assert_eq!(first.call::<(bool, Option<u8>)>(5)?, (true, None));
    }
    Ok(())
}

#[test]
fn a_table_builder_is_refused_in_a_host_function() -> Result<()> {
    let lua = runtime()?;
    let table = lua.create_table_with(0, 0, |table| {
        table.set(1, 1)?;
        let builder = RefCell::new(&mut *table);
        let add = || builder.borrow_mut().set(3, 3).ok().map(|()| 3);
        lend(&add, || refused(|| lua.load("look({}, {})").exec()));
        table.set(2, 2)
    })?;
    assert_eq!(table.pairs::<u8, u8>()?, [(1, 1), (2, 2)]);
    Ok(())
}

// Breaks if only calls of Lua code tell frames apart: what collects runs finalizers, which are called by none.
#[test]
fn a_slot_is_refused_in_a_finalizer() -> Result<()> {
    let lua = runtime()?;
    lua.load("getmetatable(newproxy(true)).__gc = function() look({}, {}, {}) end")
        .exec()?;
    lua.convert("text", |slot| {
        lend(&|| length(slot), || {
            refused(|| lua.gc_collect());
            Ok(())
        })
    })
}

// Breaks if the host's check runs in the frame of the code that it interrupts.
#[cfg(unix)]
#[test]
fn a_slot_is_refused_in_the_check() -> Result<()> {
    let lua = runtime()?;
    lua.set_check(|| Ok(LENT.is_set() && look().is_none()))?;
    lua.convert("text", |slot| {
        lend(&|| length(slot), || {
            refused(|| {
                lua.load("local start = os.clock() repeat until os.clock() - start > 5")
                    .exec()
            });
            Ok(())
        })
    })
}

// Breaks if frames are those of a thread, and not of a runtime.
#[test]
fn a_slot_of_another_runtime_is_not_refused() -> Result<()> {
    let (lua, other) = (runtime()?, Runtime::new()?);
    other.convert("text", |slot| {
        lend(&|| length(slot), || {
            assert_eq!(lua.load("return look({}, {}, {})").eval::<usize>()?, 4);
            lua.scope(|scope| {
                let length = scope.function(|| length(slot))?;
                assert_eq!(length.call::<usize>(())?, 4);
                Ok(())
            })
        })
    })
}
