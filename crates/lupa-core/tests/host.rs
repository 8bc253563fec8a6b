//! Functions, objects and types of the host, as Lua code uses them.

use lupa_core::{
    Access, Call, Error, Function, HostObject, Members, Operation, Result, Runtime, UserType,
};
use std::borrow::Cow;

/// Answers every operation with its name.
struct Echo;

impl HostObject for Echo {
    const NAME: &'static str = "echo";
    const OPERATIONS: &'static [Operation] = Operation::ALL;

    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        match operation {
            Operation::NewIndex => {
                let log: lupa_core::Table = call.runtime().globals()?.get("log")?;
                log.set(call.get::<String>(1)?, call.get::<i32>(2)?)
            }
            Operation::Call => {
                let text = format!("called with {}", call.len());
                call.push(text)
            }
            Operation::Len => call.push(7),
            Operation::Eq | Operation::Lt | Operation::Le => call.push(true),
            other => call.push(other.metamethod()),
        }
    }
}

#[test]
fn every_operation_reaches_the_object() -> Result<()> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("log", lua.create_table()?)?;
    globals.set("a", lua.create_object(Echo)?)?;
    globals.set("b", lua.create_object(Echo)?)?;
    lua.load(
        "assert(a.x == '__index' and a[1] == '__index')
         a.key = 5; assert(log.key == 5)
         assert(a(1, nil) == 'called with 2' and a() == 'called with 0')
         assert(tostring(a) == '__tostring' and #a == 7)
         assert(a == b and a < b and a <= b and a > b and not (a ~= b))
         assert(a + 1 == '__add' and 1 + a == '__add' and a - b == '__sub' and 2 * a == '__mul')
         assert(a / 1 == '__div' and 1 % a == '__mod' and a ^ 2 == '__pow' and -a == '__unm')
         assert(a .. 'x' == '__concat' and 'x' .. a == '__concat' and 1 .. a == '__concat')
         assert(getmetatable(a) == false and type(a) == 'userdata')",
    )
    .exec()
}

/// Knows one operation only.
struct Adder;

impl HostObject for Adder {
    const NAME: &'static str = "adder";
    const OPERATIONS: &'static [Operation] = &[Operation::Add, Operation::ToString];

    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        assert!(
            Self::OPERATIONS.contains(&operation),
            "{operation:?} was not offered"
        );
        call.push("adder")
    }
}

#[test]
fn an_operation_goes_to_the_operand_that_offers_it() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("echo", lua.create_object(Echo)?)?;
    lua.globals()?.set("adder", lua.create_object(Adder)?)?;
    // Breaks if the first host object among the operands is taken, whatever it offers.
    lua.load(
        "assert(adder + echo == 'adder' and echo + adder == '__add')
         assert(adder * echo == '__mul' and adder .. echo == '__concat')
         assert(not pcall(function() return adder.x end))
         assert(not pcall(function() return adder - adder end))
         assert(debug.getmetatable(echo).__index ~= nil)
         -- Called directly, on an object of another type:
         local ok, message = pcall(debug.getmetatable(echo).__index, adder, 'x')
         assert(not ok and message:find('not a live host object'), message)",
    )
    .exec()
}

#[test]
fn functions_take_and_give_values() -> Result<()> {
    let lua = Runtime::new()?;
    let f = lua.create_function(|call| {
        for i in (0..call.len()).rev() {
            call.push(call.arg(i))?;
        }
        Ok(())
    })?;
    assert!(f.is_c()?);
    let (a, b, c): (i32, String, bool) = f.call((true, "x", 3))?;
    assert_eq!((a, b.as_str(), c), (3, "x", true));
    let many: usize = lua
        .load("local f = ...; return select('#', f(unpack({}, 1, 3000)))")
        .call(&f)?;
    assert_eq!(many, 3000);
    Ok(())
}

#[test]
fn argument_errors_name_the_position() -> Result<()> {
    let lua = Runtime::new()?;
    let f = lua.create_function(|call| {
        let (a, b): (f64, Option<&str>) = (call.get(0)?, call.get(1)?);
        call.push(format!("{a}{}", b.unwrap_or("-")))
    })?;
    lua.globals()?.set("f", f)?;
    let text = |code: &str| lua.load(code).eval::<String>().unwrap();
    assert_eq!(text("return f(1)"), "1-");
    assert_eq!(
        text("return select(2, pcall(f))"),
        "bad argument #1: cannot convert no value to number"
    );
    assert_eq!(
        text("return select(2, pcall(f, 1, {}))"),
        "bad argument #2: cannot convert table to string"
    );
    Ok(())
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("no such thing: {0}")]
struct NoSuchThing(String);

#[test]
fn errors_pass_with_a_question_mark() -> Result<()> {
    let lua = Runtime::new()?;
    let parse = lua.create_function(|call| {
        let text: &str = call.get(0)?;
        let number: i32 = text.parse().map_err(Error::external)?;
        call.push(number)
    })?;
    assert_eq!(parse.call::<i32>("12")?, 12);
    let error = parse.call::<i32>("x").unwrap_err();
    assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());

    let inner = lua.create_function(|_| Err(Error::external(NoSuchThing("inner".into()))))?;
    let outer = lua.create_function(|call| call.get::<Function>(0)?.call(()))?;
    let error = outer.call::<()>(&inner).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&NoSuchThing("inner".into())));
    let raised = lua.create_function(|call| Err(call.raise(vec![1, 2])))?;
    let sum: i32 = lua
        .load("local ok, t = pcall(...); assert(not ok); return t[1] + t[2]")
        .call(raised)?;
    assert_eq!(sum, 3);
    Ok(())
}

struct Counter {
    count: i64,
    name: String,
}

impl UserType for Counter {
    const NAME: &'static str = "Counter";

    fn members(members: &mut Members<Self>) {
        members
            .field("name", |c| c.name.clone(), |c, name: String| c.name = name)
            .read_only("count", |c| c.count)
            .method("twice", |c, call| call.push(c.count * 2))
            .method_mut("add", |c, call| {
                c.count += call.get::<Option<i64>>(1)?.unwrap_or(1);
                if let Some(then) = call.get::<Option<Function>>(2)? {
                    then.call::<()>(())?;
                }
                call.push(c.count)
            })
            .operator(Operation::Len, |c, call| call.push(c.name.len()))
            .operator(Operation::Index, |_, call| {
                let key = call.get::<&str>(1)?.to_owned();
                call.push(format!("no {key}"))
            });
    }
}

fn counter(lua: &Runtime) -> Result<()> {
    let counter = Counter {
        count: 1,
        name: "c".into(),
    };
    lua.globals()?.set("c", lua.create_userdata(counter)?)
}

#[test]
fn user_types_have_methods_fields_and_operators() -> Result<()> {
    let lua = Runtime::new()?;
    counter(&lua)?;
    lua.load(
        "assert(c.count == 1 and c:twice() == 2 and c:add(4) == 5 and c.count == 5)
         c.name = 'longer'; assert(c.name == 'longer' and #c == 6)
         assert(c.other == 'no other' and c.add == c.add)
         assert(tostring(c):find('^Counter: '))
         local function fails(text, f, ...)
             local ok, message = pcall(f, ...)
             assert(not ok and tostring(message):find(text, 1, true), tostring(message))
         end
         fails('has no field', function() c.count = 2 end)
         fails('has no field', function() c.add = 2 end)
         fails('has no field', function() c.unknown = 2 end)
         fails('Counter.name: cannot convert number to string', function() c.name = 2 end)
         fails('bad argument #1: cannot convert no value to Counter', c.add)
         fails('bad argument #1: cannot convert table to Counter', c.add, {})
         fails('in use', c.add, c, 1, function() c:add() end)
         fails('in use', c.add, c, 1, function() return c.count end)
         fails('__add', function() return c + 1 end)
         assert(c:add(1) == 8 and c ~= 1)",
    )
    .exec()
}

#[test]
fn a_filter_reads_sets_renames_and_denies() -> Result<()> {
    let lua = Runtime::builder()
        .attribute_filter(|object, name, access| {
            assert_eq!(object, "Counter");
            match (&*name, access) {
                (b"count", Access::Get) => Err(Error::message("denied")),
                (b"name", Access::Set) => Err(Error::external(NoSuchThing("set".into()))),
                (b"alias", _) => Ok(Cow::Owned(b"name".to_vec())),
                _ => Ok(name),
            }
        })
        .build()?;
    counter(&lua)?;
    lua.load(
        "assert(c.name == 'c' and c.alias == 'c' and c:twice() == 2)
         c.alias = 'new'; assert(c.name == 'new')
         assert(not pcall(function() return c.count end))",
    )
    .exec()?;
    let error = lua.load("c.name = 'x'").exec().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&NoSuchThing("set".into())));
    Ok(())
}

#[test]
fn objects_are_found_behind_functions_and_userdata() -> Result<()> {
    struct Payload(i32);
    impl HostObject for Payload {
        const NAME: &'static str = "payload";
        const OPERATIONS: &'static [Operation] = &[Operation::Call];
        fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
            call.push(self.0)
        }
    }
    let lua = Runtime::new()?;
    let make = lua.create_function(|call| call.push_with(|to| to.function(Payload(4))))?;
    let function: Function = make.call(())?;
    assert_eq!(function.call::<i32>(())?, 4);
    let look = lua.create_function(|call| {
        // Breaks if the look leaves something on the stack: it would be a result.
        for _ in 0..100_000 {
            assert_eq!(call.arg(0).function_object::<Payload>().unwrap().0, 4);
        }
        assert!(call.arg(0).function_object::<Echo>().is_none());
        assert!(call.arg(1).function_object::<Payload>().is_none());
        call.push("found")
    })?;
    assert_eq!(look.call::<String>((function, make))?, "found");
    let object = lua.create_object(Payload(9))?;
    assert_eq!(object.with_object(|p: &Payload| p.0)?, Some(9));
    assert_eq!(object.with_object(|_: &Echo| ())?, None);
    Ok(())
}

/// A small type has no payload of its own in Lua: what its functions are is in the functions alone.
#[test]
fn functions_of_small_types_are_told_apart() -> Result<()> {
    struct One;
    struct Two;
    macro_rules! answers {
        ($type:ty, $number:literal) => {
            impl HostObject for $type {
                const NAME: &'static str = "answer";
                const OPERATIONS: &'static [Operation] = &[Operation::Call];
                fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
                    call.push($number)
                }
            }
        };
    }
    answers!(One, 1);
    answers!(Two, 2);
    let lua = Runtime::new()?;
    let make = lua.create_function(|call| {
        call.push_with(|to| to.function(One))?;
        call.push_with(|to| to.function(Two))
    })?;
    let (one, two): (Function, Function) = make.call(())?;
    let look = lua.create_function(|call| {
        for _ in 0..100_000 {
            assert!(call.arg(0).function_object::<One>().is_some());
        }
        assert!(call.arg(0).function_object::<Two>().is_none());
        assert!(call.arg(1).function_object::<Two>().is_some());
        assert!(call.arg(2).function_object::<One>().is_none());
        Ok(())
    })?;
    look.call::<()>((&one, &two, &look))?;
    assert_eq!((one.call::<i32>(())?, two.call::<i32>(())?), (1, 2));
    // Nothing can be put in the place of what they trust.
    let changed: bool = lua
        .load(
            "local f, other = ...
             return (pcall(debug.setupvalue, f, 1, 0.0)) or (pcall(debug.upvaluejoin, f, 1, other, 1))
                 or (pcall(debug.upvaluejoin, function() return other end, 1, f, 1))",
        )
        .call((&one, &two))?;
    assert!(!changed);
    assert_eq!(one.call::<i32>(())?, 1);
    Ok(())
}

#[test]
fn what_functions_capture_stays_theirs() -> Result<()> {
    use std::cell::Cell;
    let lua = Runtime::new()?;
    // Up to four bytes lie in the function itself. All bits are kept, and what is changed stays changed.
    let mut functions = Vec::new();
    for bits in [0, 1, 0x7fff_ffff, 0xfff8_0000, u32::MAX] {
        let small = Cell::new(bits);
        let counts = lua.create_function(move |call| {
            small.set(small.get().wrapping_add(1));
            call.push(small.get())
        })?;
        let large = Cell::new(u64::from(bits) << 32 | 7);
        let gives = lua.create_function(move |call| call.push((large.get() >> 32) as u32))?;
        let byte = bits as u8;
        let flag = lua.create_function(move |call| call.push(byte))?;
        functions.push((bits, counts, gives, flag));
    }
    lua.gc_collect()?;
    for (bits, counts, gives, flag) in &functions {
        for more in 1..=3 {
            assert_eq!(counts.call::<u32>(())?, bits.wrapping_add(more));
            lua.gc_collect()?;
        }
        assert_eq!(gives.call::<u32>(())?, *bits);
        assert_eq!(flag.call::<u8>(())?, *bits as u8);
    }
    Ok(())
}

#[test]
fn one_identity_is_one_userdata() -> Result<()> {
    struct Item(usize);
    impl HostObject for Item {
        const NAME: &'static str = "item";
        const OPERATIONS: &'static [Operation] = &[Operation::Call];
        fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
            call.push(self.0)
        }
    }
    let lua = Runtime::new()?;
    let get = lua.create_function(|call| {
        let n: usize = call.get(0)?;
        call.push_with(|to| to.identified_object(n, |item: &Item| item.0 == n, || Item(n)))
    })?;
    lua.globals()?.set("get", get)?;
    lua.load(
        "local one = get(1)
         for i = 1, 1000 do get(i); if i % 100 == 0 then collectgarbage() end end
         assert(rawequal(get(1), one) and get(2)() == 2 and get(1)() == 1)
         local weak = setmetatable({get(5)}, {__mode = 'v'})
         collectgarbage(); collectgarbage()
         assert(weak[1] == nil)",
    )
    .exec()
}
