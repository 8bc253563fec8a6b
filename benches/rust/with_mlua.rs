//! The operations by mlua, without its feature `send`, with which it is slower.

use crate::operation::{Operation, Timed, each, looped};
use crate::scripts;
use mlua::{
    BorrowedStr, Error, FromLuaMulti, Function, IntoLuaMulti, Lua, Result, Table, UserData,
    UserDataMethods,
};
use std::hint::black_box;

struct Counter(i64);

impl UserData for Counter {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        methods.add_method_mut("add", |_, counter, by: i64| {
            counter.0 += by;
            Ok(counter.0)
        });
    }
}

pub(crate) fn prepare(operation: Operation) -> Result<Timed> {
    let lua = Lua::new();
    let function = |script: &str| lua.load(script).eval::<Function>();
    let table = |script: &str| lua.load(script).eval::<Table>();
    // Handles of mlua do not keep the state alive.
    let state = lua.clone();

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
        Operation::CallbackEmpty => callback(&lua, scripts::LOOP, |()| Ok(()))?,
        Operation::CallbackInts => {
            callback(&lua, scripts::LOOP_INTS, |(a, b, c): (i64, i64, i64)| {
                Ok(a + b + c)
            })?
        }
        Operation::CallbackString => callback(&lua, scripts::LOOP_STRING, |text: BorrowedStr| {
            black_box(&*text);
            Ok(())
        })?,
        Operation::CreateTable => {
            each(move || drop(black_box(lua.create_sequence_from(1..=10).unwrap())))
        }
        Operation::Resume => {
            let coroutine = lua.create_thread(function(scripts::YIELDING)?)?;
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
            assert_eq!(lua.load(black_box("1 + 1")).eval::<i64>().unwrap(), 2);
        }),
        Operation::EvalChunk => each(move || {
            assert_eq!(
                lua.load(black_box("return 1 + 1")).eval::<i64>().unwrap(),
                2
            );
        }),
        Operation::ErrorToHost => {
            let f = function(scripts::FAILING)?;
            each(move || drop(black_box(f.call::<()>(()).unwrap_err())))
        }
        Operation::ErrorToLua => callback(&lua, scripts::LOOP_PCALL, |()| -> Result<()> {
            Err(Error::runtime("oops"))
        })?,
        Operation::Method => {
            let run = function(scripts::LOOP_METHOD)?;
            let counter = lua.create_userdata(Counter(0))?;
            looped(move |times| run.call::<()>((&counter, times)).unwrap())
        }
        Operation::CreateFunction => each(move || {
            let captured = black_box(1);
            let function = lua.create_function(move |_, ()| Ok(captured));
            drop(black_box(function.unwrap()));
        }),
    };
    Ok(Box::new(move |times| {
        let _alive = &state;
        timed(times)
    }))
}

fn callback<A: FromLuaMulti, R: IntoLuaMulti>(
    lua: &Lua,
    script: &str,
    function: impl Fn(A) -> Result<R> + Send + 'static,
) -> Result<Timed> {
    let run: Function = lua.load(script).eval()?;
    let function = lua.create_function(move |_, arguments| function(arguments))?;
    Ok(looped(move |times| {
        run.call::<()>((&function, times)).unwrap();
    }))
}
