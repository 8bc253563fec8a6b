//! The operations by lupa-core.

use crate::operation::{Operation, Timed, each, looped};
use crate::scripts;
use lupa_core::{Call, Coroutine, Error, Function, Members, Result, Runtime, Table, UserType};
use std::hint::black_box;

struct Counter(i64);

impl UserType for Counter {
    const NAME: &'static str = "Counter";

    fn members(members: &mut Members<Self>) {
        members.method_mut("add", |counter, call| {
            counter.0 += call.get::<i64>(1)?;
            call.push(counter.0)
        });
    }
}

pub(crate) fn prepare(operation: Operation) -> Result<Timed> {
    let lua = Runtime::new()?;
    let function = |script| lua.load(script).eval::<Function>();
    let table = |script| lua.load(script).eval::<Table>();
    // As programs do, which mostly have more of a runtime than a handle.
    let runtime = lua.clone();

    let mut timed = match operation {
        Operation::CallEmpty => {
            let f = function(scripts::EMPTY)?;
            each(move || f.call::<()>(()).unwrap())
        }
        Operation::CallInts => {
            let f = function(scripts::ADD)?;
            each(move || assert_eq!(f.call::<i64>(black_box((1, 2, 3))).unwrap(), 6))
        }
        Operation::CallString => {
            let f = function(scripts::ECHO)?;
            let given = black_box(scripts::TEXT);
            each(move || {
                let text: String = f.call(given).unwrap();
                drop(black_box(text));
            })
        }
        // The name is hidden from the compiler once, not each time: that would write its two words and read them as one, for which
        // the processor waits as long as for half of the operation.
        Operation::GetName => {
            let t = table(scripts::TABLE)?;
            let name = black_box("name");
            each(move || assert_eq!(t.get::<i64>(name).unwrap(), 1))
        }
        Operation::GetNameMetatable => {
            let t = table(scripts::TABLE_WITH_METATABLE)?;
            let name = black_box("name");
            each(move || assert_eq!(t.get::<i64>(name).unwrap(), 1))
        }
        Operation::SetName => {
            let t = table(scripts::TABLE)?;
            let name = black_box("name");
            each(move || t.set(name, black_box(5)).unwrap())
        }
        Operation::GetIndex => {
            let t = table(scripts::TABLE)?;
            each(move || assert_eq!(t.get::<i64>(black_box(2)).unwrap(), 20))
        }
        Operation::CallbackEmpty => callback(&lua, scripts::LOOP, |_| Ok(()))?,
        Operation::CallbackInts => callback(&lua, scripts::LOOP_INTS, |call| {
            let sum = call.get::<i64>(0)? + call.get::<i64>(1)? + call.get::<i64>(2)?;
            call.push(sum)
        })?,
        Operation::CallbackString => callback(&lua, scripts::LOOP_STRING, |call| {
            black_box(call.get::<&str>(0)?);
            Ok(())
        })?,
        Operation::CreateTable => each(move || {
            let fill = lua.create_table_with(10, 0, |table| {
                (1..=10).try_for_each(|i| table.set_index(i, i as i64))
            });
            drop(black_box(fill.unwrap()));
        }),
        Operation::Resume => {
            let coroutine: Coroutine = function(scripts::YIELDING)?.coroutine()?;
            each(move || assert_eq!(coroutine.resume::<i64>(()).unwrap(), 1))
        }
        Operation::Pairs => {
            let t = table(scripts::HUNDRED_PAIRS)?;
            each(move || {
                let mut sum = 0;
                t.for_each(|key: String, value: i64| {
                    black_box(key);
                    sum += value;
                    Ok(())
                })
                .unwrap();
                assert_eq!(sum, 5050);
            })
        }
        Operation::Handle => {
            let t = table(scripts::TABLE)?;
            let name = black_box("inner");
            each(move || drop(black_box(t.get::<Table>(name).unwrap())))
        }
        Operation::EvalExpression => each(move || {
            let result = lua.load(black_box("1 + 1")).expression().eval::<i64>();
            assert_eq!(result.unwrap(), 2);
        }),
        Operation::EvalChunk => each(move || {
            let result = lua.load(black_box("return 1 + 1")).eval::<i64>();
            assert_eq!(result.unwrap(), 2);
        }),
        Operation::ErrorToHost => {
            let f = function(scripts::FAILING)?;
            each(move || drop(black_box(f.call::<()>(()).unwrap_err())))
        }
        Operation::ErrorToLua => {
            callback(&lua, scripts::LOOP_PCALL, |_| Err(Error::message("oops")))?
        }
        Operation::Method => {
            let run = function(scripts::LOOP_METHOD)?;
            let counter = lua.create_userdata(Counter(0))?;
            looped(move |times| run.call::<()>((&counter, times)).unwrap())
        }
        Operation::CreateFunction => each(move || {
            let captured = black_box(1);
            let function = lua.create_function(move |call| call.push(captured));
            drop(black_box(function.unwrap()));
        }),
    };
    Ok(Box::new(move |times| {
        let _alive = &runtime;
        timed(times)
    }))
}

fn callback(
    lua: &Runtime,
    script: &str,
    function: impl Fn(&mut Call<'_>) -> Result<()> + Send + 'static,
) -> Result<Timed> {
    let run: Function = lua.load(script).eval()?;
    let function = lua.create_function(function)?;
    Ok(looped(move |times| {
        run.call::<()>((&function, times)).unwrap();
    }))
}
