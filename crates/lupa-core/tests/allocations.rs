//! Failing allocations, after SQLite's manner: each operation is repeated, and the n-th allocation
//! fails in its n-th repetition, until there are fewer than n. Nothing may crash or leak, the error is
//! the right one, and the runtime is usable afterwards.
//!
//! Short by default; `ALLOCATIONS=all` (`make test-allocations`) takes each n.
//!
//! Not with the feature `assertions`: after a failed allocation LuaJIT's account of its memory may be off by some bytes, which
//! its assertions take for a leak.

use lupa_core::faults::{self, Plan};
#[cfg(feature = "serde")]
use lupa_core::serde::Serde;
use lupa_core::{
    Builder, Bytes, Call, Coroutine, CoroutineStatus, Cursor, Directly, Either, Error,
    ErrorContext, Function, HostObject, Members, Operation, Result, Runtime, Table, UserData,
    UserType, Value, Variadic, function, iterator,
};
#[cfg(feature = "async")]
use std::pin::Pin;
use std::sync::Arc;
#[cfg(feature = "async")]
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const LIMIT: usize = 64 << 20;

/// A host object that is counted by its share of an `Arc`.
struct Object(Arc<()>);

impl HostObject for Object {
    const NAME: &'static str = "object";
    const OPERATIONS: &'static [Operation] = &[
        Operation::Index,
        Operation::NewIndex,
        Operation::Call,
        Operation::ToString,
        Operation::Len,
        Operation::Add,
        Operation::Eq,
        Operation::Lt,
    ];
    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        match operation {
            Operation::NewIndex => Ok(()),
            Operation::Len => call.push(3),
            Operation::Eq | Operation::Lt => call.push(true),
            Operation::Call => {
                let copy = Arc::clone(&self.0);
                call.push_with(|to| to.object(Object(copy)))
            }
            _ => call.push(format!("a text of {operation:?}")),
        }
    }
}

struct User(Arc<()>, i64);

impl UserType for User {
    const NAME: &'static str = "User";
    fn members(members: &mut Members<Self>) {
        members
            .field("number", |user| user.1, |user, value| user.1 = value)
            .method("name", |user, call| {
                call.push(format!("user {} of {}", user.1, Arc::strong_count(&user.0)))
            })
            .function("new", |this: &Self, n: i64| User(Arc::clone(&this.0), n))
            .function("max", |this: &Self, rest: Variadic<i64>| {
                rest.iter().fold(this.1, |a, b| a.max(*b))
            })
            .function("set", |this: &mut Self, other: Either<i64, &User>| {
                this.1 = other.either(|n| n, |user| user.1);
            })
            .function("items", |this: &Self| iterator(0..this.1))
            .metamethod(Operation::Add, |a: &Self, b: &Self| {
                User(Arc::clone(&a.0), a.1 + b.1)
            })
            .field(
                "broken",
                |_| Err::<i64, _>(Error::message("it is broken")),
                |_, _| Err::<(), _>(Error::message("it is broken")),
            )
            .pairs(|this: &Self| iterator(0..this.1))
            .operator(Operation::ToString, |_, call| call.push("a user"));
        #[cfg(feature = "async")]
        members.async_method("later", |this: &Self, n: i64| {
            let n = this.1 + n;
            async move {
                Later(false).await;
                n
            }
        });
    }
}

#[cfg(feature = "serde")]
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Order {
    item: String,
    count: u32,
    note: Option<String>,
    #[serde(default)]
    sizes: Vec<f64>,
    #[serde(default)]
    by: std::collections::BTreeMap<String, (i64, bool)>,
}

#[cfg(feature = "serde")]
fn order() -> Order {
    Order {
        item: "tea".into(),
        count: 2,
        note: None,
        sizes: vec![0.5, 1e100],
        by: [("a long enough key".to_owned(), (1 << 40, true))].into(),
    }
}

/// A future that waits once.
#[cfg(feature = "async")]
struct Later(bool);

#[cfg(feature = "async")]
impl Future for Later {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        match std::mem::replace(&mut self.0, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

#[cfg(feature = "async")]
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
    }
}

/// What an operation is given.
struct On<'a> {
    lua: &'a Runtime,
    /// Shared by all host objects.
    drops: &'a Arc<()>,
}

impl On<'_> {
    fn object(&self) -> Object {
        Object(Arc::clone(self.drops))
    }

    fn user(&self) -> User {
        User(Arc::clone(self.drops), 7)
    }

    fn eval<T: for<'s> lupa_core::FromLua<'s>>(&self, code: &str) -> Result<T> {
        self.lua.load(code).eval()
    }
}

/// How an operation may fail when memory is short, besides by `Error::Memory`.
#[derive(Clone, Copy, PartialEq)]
enum Also {
    Nothing,
    /// Lua code made a message of it.
    Message,
}
use Also::{Message, Nothing};

type Action = fn(&On<'_>) -> Result<()>;

const OPERATIONS: &[(&str, Also, Action)] = &[
    ("eval", Nothing, |on| {
        assert_eq!(on.eval::<i32>("local a = 'x' .. 1 return #a + 1")?, 3);
        Ok(())
    }),
    ("load a long chunk", Nothing, |on| {
        let code = format!(
            "return {{{}}}",
            "'a', {1, 2, b = 'c'}, function() return x end, ".repeat(40)
        );
        let table: Table = on.lua.load(&code).name("=long").eval()?;
        assert_eq!(table.len()?, 120);
        Ok(())
    }),
    ("load an expression", Nothing, |on| {
        assert_eq!(on.lua.load("1 + 1").expression().eval::<i32>()?, 2);
        Ok(())
    }),
    ("a syntax error", Nothing, |on| {
        match on.lua.load("x y z").exec() {
            Err(Error::Syntax { .. }) => Ok(()),
            other => other,
        }
    }),
    ("dump and load", Nothing, |on| {
        let code = on
            .eval::<Function>("return function(a) return a .. 'x' end")?
            .dump()?;
        let function = on.lua.load(&code).into_function()?;
        assert_eq!(function.call::<String>("y")?, "yx");
        Ok(())
    }),
    ("globals", Nothing, |on| {
        let globals = on.lua.globals()?;
        globals.set("name", "a new text")?;
        assert_eq!(globals.get::<String>("name")?, "a new text");
        globals.set("name", None::<bool>)
    }),
    ("create_table", Nothing, |on| {
        let table = on.lua.create_table()?;
        for i in 1..=100 {
            table.set(i, i)?;
            table.set(format!("key {i}"), format!("value {i}"))?;
        }
        assert_eq!(table.len()?, 100);
        Ok(())
    }),
    ("create_table_with", Nothing, |on| {
        let table = on.lua.create_table_with(4, 4, |fill| {
            (1..100).try_for_each(|i| fill.set_index(i, i))?;
            (0..100).try_for_each(|i| fill.set(format!("k{i}"), vec![i, i]))
        })?;
        assert_eq!(table.get::<Table>("k7")?.get::<i32>(2)?, 7);
        Ok(())
    }),
    ("a large table", Nothing, |on| {
        assert!(
            on.lua
                .create_table_with(100_000, 10_000, |_| Ok(()))?
                .is_empty()?
        );
        Ok(())
    }),
    ("a large table, entry by entry", Nothing, |on| {
        let table = on.lua.create_table_with(0, 0, |fill| {
            (1..5000).try_for_each(|i| fill.set_index(i, i))
        })?;
        assert_eq!(table.len()?, 4999);
        Ok(())
    }),
    ("strings", Nothing, |on| {
        for length in [0, 1, 100, 10_000, 65_535, 65_536, 300_000] {
            let string = on.lua.create_string(vec![b'x'; length])?;
            assert_eq!(string.to_vec()?.len(), length);
        }
        Ok(())
    }),
    ("many strings", Nothing, |on| {
        // Resizes the table of all strings.
        let strings = (0..1500).map(|i| on.lua.create_string(format!("unseen {i}")));
        strings.collect::<Result<Vec<_>>>().map(drop)
    }),
    ("a host object", Nothing, |on| {
        let object = on.lua.create_object(on.object())?;
        assert_eq!(object.with_object(|_: &Object| 1)?, Some(1));
        on.lua.load(
            "local o = ... local t = {o.x, tostring(o), #o, o + 1, o(), o == o(), o < o()} o.x = t assert(#t == 7)",
        )
        .call(&object)
    }),
    ("userdata", Nothing, |on| {
        let user = on.lua.create_userdata(on.user())?;
        on.lua.load("local u = ... u.number = 5 assert(u:name():find 'user 5') assert(tostring(u) == 'a user')")
            .call(&user)
    }),
    ("typed members", Nothing, |on| {
        let user = on.lua.create_userdata(on.user())?;
        let table = on.lua.type_table::<User>()?;
        on.lua
            .load(
                "local User, u = ...
                 local v, n = User.new(u, 3), 0
                 u:set(v) v:set(9) for i in u:items() do n = n + i end
                 assert(n == 3 and u:max(1, 5, 4) == 5 and (u + v).number == 12)",
            )
            .call::<()>((&table, &user))?;
        assert_eq!(user.borrow::<User>()?.1, 3);
        user.borrow_mut::<User>()?.1 = 4;
        assert_eq!(user.with(|user: &User| user.1)?, 4);
        drop(user.take::<User>()?);
        Ok(())
    }),
    ("typed functions", Nothing, |on| {
        let object = on.object();
        let text = on.lua.function(move |text: &str, times: Option<usize>| {
            let _ = &object;
            Ok((text.repeat(times.unwrap_or(1)), text.parse::<f64>().is_ok()))
        })?;
        assert_eq!(text.call::<(String, bool)>(("1", 3))?, ("111".into(), true));
        let (mut sum, object) = (0, on.object());
        let sum = on.lua.function_mut(move |numbers: Variadic<i64>| {
            let _ = &object;
            sum += numbers.iter().sum::<i64>();
            Variadic(vec![sum; 3])
        })?;
        assert_eq!(*sum.call::<Variadic<i64>>((1, 2, 3))?, [6, 6, 6]);
        let object = on.object();
        on.lua.globals()?.set(
            "made",
            function(move || {
                let drops = Arc::clone(&object.0);
                function(move || Arc::strong_count(&drops))
            }),
        )?;
        assert!(on.eval::<usize>("local n = made()() made = nil return n")? >= 3);
        Ok(())
    }),
    ("a scope", Nothing, |on| {
        let (mut user, mut calls) = (on.user(), 0);
        on.lua.scope(|scope| {
            let lent = scope.object_mut(&mut user)?;
            let count = scope.function_mut(|| calls += 1)?;
            let make = scope.function(move || scope.function(|| 1))?;
            on.lua
                .load("local user, count, make = ... user:set(5) count() assert(make()() == 1)")
                .call::<()>((&lent, &count, &make))
        })?;
        assert_eq!((user.1, calls), (5, 1));
        Ok(())
    }),
    ("identified objects", Nothing, |on| {
        let make = on.lua.create_function({
            let drops = Arc::clone(on.drops);
            move |call| {
                let (id, drops) = (call.get(0)?, Arc::clone(&drops));
                call.push_with(|to| to.identified_object(id, |_: &Object| true, || Object(drops)))
            }
        })?;
        on.lua
            .load("local make, t = ..., {} for i = 1, 50 do t[i] = make(i) end for i = 1, 50 do assert(rawequal(make(i), t[i])) end")
            .call(&make)
    }),
    ("a host function", Nothing, |on| {
        let object = on.object();
        let double = on.lua.create_function(move |call| {
            let _ = &object;
            let n = call.get::<f64>(0)?;
            call.push(n * 2.0)?;
            call.push(format!("twice {n}"))?;
            call.push(vec!["some", "texts"])
        })?;
        let (n, text, list): (f64, String, Table) = double.call(21)?;
        assert_eq!((n, text.as_str(), list.len()?), (42.0, "twice 21", 2));
        on.lua
            .load("local f = ... for i = 1, 100 do assert(f(i) == i * 2) end")
            .call(&double)
    }),
    ("a host function's location", Nothing, |on| {
        let place = on.lua.create_function(|call| {
            let location = call.location();
            call.push(Bytes(&location))
        })?;
        assert_eq!(
            on.lua
                .load("local place = (...)() return place")
                .name("=here")
                .call::<String>(&place)?,
            "here:1: "
        );
        Ok(())
    }),
    ("iterate", Nothing, |on| {
        let table: Table = on.eval("return {1, 2, 'c', x = 'y', [true] = {}}")?;
        let mut seen = 0;
        table.for_each(|_: Value, _: Value| {
            seen += 1;
            Ok(())
        })?;
        assert_eq!((seen, table.pairs::<Value, Value>()?.len()), (5, 5));
        let mut cursor = Cursor::start();
        let reference = table
            .runtime()
            .convert(&table, |slot| slot.to_reference())?;
        let mut steps = 0;
        while cursor.advance(&reference, |_, _| Ok(()))?.is_some() {
            steps += 1;
        }
        assert_eq!(steps, 5);
        Ok(())
    }),
    ("metatables", Nothing, |on| {
        let meta: Table = on.eval(
            "local store = {} return {__index = function(_, k) return store[k] or k .. '!' end,
             __newindex = function(_, k, v) store[k] = {v} end, __tostring = function() return 'T' .. #store end}",
        )?;
        let table = on.lua.create_table()?;
        table.set_metatable(Some(&meta))?;
        assert!(table.metatable()?.is_some());
        assert_eq!(table.get::<String>("key")?, "key!");
        table.set("key", 1)?;
        assert_eq!(table.get::<Table>("key")?.len()?, 1);
        assert_eq!(table.to_lua_string()?, b"T0");
        table.set_metatable(None)
    }),
    ("many arguments and results", Nothing, |on| {
        let same: Function = on.eval("return function(...) return ... end")?;
        let many: Vec<u32> = (0..5000).collect();
        let results = same.call_with(
            |to| many.iter().try_for_each(|n| to.push(*n)),
            Directly,
            |results| Ok(results.len()),
        )?;
        assert_eq!(results, 5000);
        let text = "long ".repeat(40_000);
        assert_eq!(same.call::<String>(text.as_str())?, text);
        Ok(())
    }),
    ("deep recursion", Nothing, |on| {
        let depth: i32 = on.eval("local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(5000)")?;
        assert_eq!(depth, 5000);
        Ok(())
    }),
    ("coroutines", Nothing, |on| {
        let body: Function =
            on.eval("return function(a) local b = coroutine.yield(a .. 1) return {b}, 'end' end")?;
        let coroutine = body.coroutine()?;
        assert_eq!(coroutine.status()?, CoroutineStatus::New);
        assert!(coroutine.function()?.is_some());
        assert_eq!(coroutine.resume::<String>("x")?, "x1");
        let (table, end): (Table, String) = coroutine.resume(2)?;
        assert_eq!((table.get::<i32>(1)?, end.as_str()), (2, "end"));
        assert_eq!(coroutine.status()?, CoroutineStatus::Dead);
        Ok(())
    }),
    ("coroutines with many values", Nothing, |on| {
        let body: Function = on.eval("return function(...) coroutine.yield(...) return ... end")?;
        let coroutine: Coroutine = body.coroutine()?;
        let many: Vec<u32> = (0..3000).collect();
        for _ in 0..2 {
            let count = coroutine.resume_with(
                |to| many.iter().try_for_each(|n| to.push(*n)),
                Directly,
                |results| Ok(results.len()),
            )?;
            assert_eq!(count, 3000);
        }
        Ok(())
    }),
    ("coroutines in Lua", Message, |on| {
        on.lua.load(
            "local t = {} for i = 1, 20 do t[i] = coroutine.wrap(function(a) while true do a = coroutine.yield({a}) end end) end
             for i = 1, 20 do assert(t[i](i)[1] == i) assert(t[i]('x')[1] == 'x') end",
        )
        .exec()
    }),
    ("a host function in a coroutine", Message, |on| {
        let host = on.lua.create_function(|call| {
            let table = call.runtime().create_table()?;
            table.set("k", format!("{:?}", call.get::<Value>(0)?))?;
            call.push(&table)
        })?;
        on.lua.load("local h = ... local c = coroutine.wrap(function() return h('a').k .. h({}).k end) assert(#c() > 5)")
            .call(&host)
    }),
    ("an error of Lua code", Nothing, |on| {
        match on.lua.load("local function f(n) if n == 0 then error('boom' .. n) end return (f(n - 1)) end f(10)").exec() {
            Err(Error::Runtime(error)) => {
                assert!(error.message.ends_with(b"boom0"), "{error}");
                Ok(())
            }
            other => other,
        }
    }),
    ("an error value", Nothing, |on| {
        match on
            .lua
            .load("error(setmetatable({}, {__tostring = function() return 'v' .. 1 end}))")
            .exec()
        {
            Err(Error::Runtime(error)) => {
                // Without memory for it, the text is one that needs none.
                assert!(matches!(
                    &error.message[..],
                    b"v1" | b"(error object is a table value)"
                ));
                Ok(())
            }
            other => other,
        }
    }),
    ("an error of the host", Nothing, |on| {
        let fail = on
            .lua
            .create_function(|_| Err(Error::message("out of reach")))?;
        match fail.call::<()>(()) {
            Err(Error::External(error)) => assert_eq!(error.to_string(), "out of reach"),
            other => return other,
        }
        let caught = on
            .lua
            .load("local ok, e = pcall(...) return tostring(e)")
            .call::<String>(&fail)?;
        assert!(
            matches!(caught.as_str(), "out of reach" | "not enough memory"),
            "{caught}"
        );
        let raise = on
            .lua
            .create_function(|call| Err(call.raise("a plain value")))?;
        match raise.call::<()>(()) {
            Err(Error::Runtime(error)) => assert_eq!(error.message[..], *b"a plain value"),
            other => return other,
        }
        Ok(())
    }),
    ("an error of Lua code through the host", Nothing, |on| {
        let through = on
            .lua
            .create_function(|call| call.get::<Function>(0)?.call::<()>(()))?;
        match on
            .lua
            .load("local t = ... t(function() t(function() error({1}) end) end)")
            .call::<()>(&through)
        {
            Err(Error::Runtime(error)) => {
                assert!(matches!(error.value, Some(Value::Table(_))));
                Ok(())
            }
            other => other,
        }
    }),
    ("a panic", Nothing, |on| {
        let panics = on
            .lua
            .create_function(|_| std::panic::resume_unwind(Box::new("told to")))?;
        let caught = std::panic::catch_unwind(|| panics.call::<()>(()));
        match caught {
            Err(panic) => assert_eq!(*panic.downcast::<&str>().unwrap(), "told to"),
            Ok(Err(Error::Memory)) => return Err(Error::Memory),
            Ok(other) => panic!("{other:?}"),
        }
        Ok(())
    }),
    ("handles", Nothing, |on| {
        let table = on.lua.create_table()?;
        let copies = (0..100).map(|_| table.clone()).collect::<Vec<_>>();
        assert!(table.same(&table.clone())?);
        drop(copies);
        Ok(())
    }),
    ("conversions", Nothing, |on| {
        let kind = on
            .lua
            .convert(vec![Some("a"), None], |slot| Ok(slot.kind()))?;
        assert_eq!(kind, lupa_core::Kind::Table);
        let number = on.lua.convert("12", |slot| Ok(slot.coerced_number()))?;
        assert_eq!(number, Some(12.0));
        let map = std::collections::HashMap::from([("k".to_owned(), 1), ("l".to_owned(), 2)]);
        on.lua.convert(map, |slot| slot.to_value().map(drop))
    }),
    ("to strings", Nothing, |on| {
        for code in [
            "{}",
            "print",
            "coroutine.create(print)",
            "newproxy()",
            "io.stdout",
        ] {
            let value: Value = on.lua.load(code).expression().eval()?;
            let text = match &value {
                Value::Table(it) => it.to_lua_string()?,
                Value::Function(it) => it.to_lua_string()?,
                Value::UserData(it) => it.to_lua_string()?,
                Value::Coroutine(it) => it.to_lua_string()?,
                other => panic!("{other:?}"),
            };
            assert!(text.contains(&b':') || text.contains(&b'('), "{code}");
        }
        Ok(())
    }),
    ("64-bit integers", Message, |on| {
        for (code, number) in [
            (
                "require('ffi').new('int64_t', -9007199254740993LL)",
                -9_007_199_254_740_993,
            ),
            ("18446744073709551615ULL", i128::from(u64::MAX)),
        ] {
            let chunk = on.lua.load(code).expression();
            let read = chunk.call_with(|_| Ok(()), Directly, |r| r.get(0).cdata_integer())?;
            assert_eq!(read, Some(number));
        }
        Ok(())
    }),
    ("64-bit integers of the host", Nothing, |on| {
        let list = on.lua.create_sequence_from([u64::MAX, 1 << 60, 3])?;
        assert_eq!(list.get::<u64>(1)?, u64::MAX);
        assert_eq!(
            on.lua.convert(i64::MIN, |slot| slot.cdata_integer())?,
            Some(i64::MIN.into())
        );
        Ok(())
    }),
    ("tables as lists", Nothing, |on| {
        let list = on.lua.create_sequence_from(0..40)?;
        for i in 0..20 {
            list.insert(1, i)?;
            list.raw_push(i)?;
        }
        assert_eq!(list.remove::<i32>(1)?, 19);
        assert_eq!(list.sequence::<i32>().count(), 79);
        list.clear()
    }),
    ("named values", Nothing, |on| {
        for i in 0..100 {
            on.lua.set_named(&format!("k{}", i % 3), format!("v{i}"))?;
        }
        assert_eq!(on.lua.named::<String>("k1")?, "v97");
        (0..3).try_for_each(|i| on.lua.set_named(&format!("k{i}"), Value::Nil))
    }),
    ("pointers", Nothing, |on| {
        for i in 0..10_usize {
            let pointer =
                lupa_core::LightUserData::new::<u8>(std::ptr::without_provenance(i << 40));
            let back = on.lua.convert(pointer, |slot| slot.to_value())?;
            assert!(matches!(back, Value::LightUserData(p) if p == pointer));
        }
        Ok(())
    }),
    ("methods of tables and objects", Nothing, |on| {
        let table: Table =
            on.eval("return {n = 'n', get = function(self, k) return self[k] .. 1 end}")?;
        assert_eq!(table.call_method::<String>("get", "n")?, "n1");
        assert!(table.call_function::<String>("get", (&table, "n"))? == "n1");
        match table.call_method::<()>("none", ()) {
            Err(Error::Runtime(error)) => assert!(error.message.ends_with(b"(a nil value)")),
            other => return other,
        }
        let user = on.lua.create_userdata(on.user())?;
        user.set("number", user.get::<i64>("number")? + 1)?;
        let other: UserData = user.call_function("new", (&user, 3))?;
        assert_eq!(user.call_method::<i64>("max", (1, 9))?, 9);
        user.call_method("set", &other)
    }),
    ("environments", Nothing, |on| {
        let environment = on.lua.create_table()?;
        let code = "x = 'a' .. 1 function f() return x end";
        on.lua.load(code).environment(&environment).exec()?;
        assert_eq!(environment.call_function::<String>("f", ())?, "a1");
        Ok(())
    }),
    ("a prompt", Nothing, |on| {
        let line = |code: &str| on.lua.load(code).expression_first().eval::<Value>();
        assert_eq!(line("'a' .. 1")?.to_lua_string(on.lua)?, b"a1");
        assert!(line("local a = 'b' .. 1")?.is_nil());
        match line("'a' ..") {
            Err(error @ Error::Syntax { .. }) => assert!(lupa_core::is_incomplete(&error)),
            other => return other.map(drop),
        }
        Ok(())
    }),
    ("values compared and converted", Nothing, |on| {
        let code = "local m = {__eq = function(a, b) return #{a, b} == 2 end}
             return {setmetatable({}, m), setmetatable({}, m), 1LL, 1LL}";
        let values: Vec<Value> = on.eval(code)?;
        assert!(values[0].equals(&values[1])? && values[2].equals(&values[3])?);
        assert_eq!(on.lua.convert_to::<Vec<String>>(["a", "b"])?, ["a", "b"]);
        Ok(())
    }),
    ("an error of the host with a traceback", Nothing, |on| {
        let fail = on
            .lua
            .function(|| Err::<(), _>(Error::message("out of reach")))?;
        match on.lua.load("local f = ... f()").call::<()>(fail) {
            Err(error @ Error::External(_)) => {
                assert_eq!(error.text(), "out of reach");
                assert!(
                    error
                        .traceback()
                        .is_none_or(|text| text.contains("main chunk"))
                );
            }
            other => return other,
        }
        Ok(())
    }),
    ("an error that is a text", Nothing, |on| {
        let half = on.lua.function(|n: f64| n / 2.0)?;
        match on.lua.load("local f = ... f('x')").call::<()>(half) {
            Err(Error::Runtime(error)) => {
                assert!(matches!(error.cause, Some(Error::BadArgument(_))));
            }
            other => return other,
        }
        Ok(())
    }),
    ("values of an object", Nothing, |on| {
        let user = on.lua.create_userdata(on.user())?;
        user.set_user_value("a", vec![1, 2])?;
        user.set_user_value("b", "text")?;
        assert_eq!(user.user_value::<Vec<i64>>("a")?, [1, 2]);
        assert_eq!(user.user_value::<String>("b")?, "text");
        user.destroy()
    }),
    ("a path, a look at a table, a traceback", Nothing, |on| {
        let table: Table = on.eval("return { a = { { b = 5 } } }")?;
        assert_eq!(table.get_path::<i64>(("a", 1, "b"))?, 5);
        assert!(format!("{table:#?}").contains("\"b\": 5"));
        let trace = on.lua.function(|lua: &Runtime| -> Result<bool> {
            assert!(lua.current_coroutine()?.is_none());
            Ok(lua.traceback()?.ends_with(b"main chunk"))
        })?;
        assert!(
            on.lua
                .load("local t = ... local ok = t() return ok")
                .call::<bool>(trace)?
        );
        Ok(())
    }),
    ("an error with a context", Nothing, |on| {
        let fail = on.lua.function(|lua: &Runtime| -> Result<()> {
            lua.load("error('boom' .. 1, 0)").exec().context("inside")
        })?;
        on.lua.globals()?.set("fail", fail)?;
        match on.lua.load("local ok, e = pcall(fail) error(e)").exec() {
            Err(error @ Error::Context(_)) => match error.root() {
                Error::Runtime(_) => assert_eq!(error.text(), "inside: boom1"),
                root => return Err(root.clone()),
            },
            other => return other,
        }
        Ok(())
    }),
    ("a field that fails", Nothing, |on| {
        let user = on.lua.create_userdata(on.user())?;
        for result in [
            user.get::<i64>("broken").map(drop),
            user.set("broken", 1),
            user.set("broken", "a text"),
        ] {
            match result {
                // A text if it did not convert.
                Err(Error::Context(_) | Error::Runtime(_)) => {}
                other => return other,
            }
        }
        Ok(())
    }),
    #[cfg(feature = "serde")]
    ("serde", Nothing, |on| {
        let order = order();
        let value = on.lua.serialize(&order)?;
        assert_eq!(on.lua.deserialize::<Order>(&value)?, order);
        let Serde(same): Serde<Order> = on
            .lua
            .load("local order = ... order.note = 'n' .. order.count return order")
            .call(Serde(&order))?;
        assert_eq!(same.note.as_deref(), Some("n2"));
        let double = on.lua.function(|Serde(order): Serde<Order>| {
            Serde(vec![(order.clone(), 'x'), (order, 'y')])
        })?;
        let list: Table = double.call(&value)?;
        assert_eq!(list.len()?, 2);
        assert!(serde_json::to_string(&list).is_ok_and(|json| json.contains("tea")));
        Ok(())
    }),
    #[cfg(feature = "serde")]
    ("serde of much data", Nothing, |on| {
        let orders = vec![order(); 50];
        let value = on.lua.serialize(&orders)?;
        assert_eq!(on.lua.deserialize::<Vec<Order>>(value)?, orders);
        let json: serde_json::Value =
            serde_json::json!({ "a": [1, null, { "b": "c" }], "d": 1e300 });
        assert_eq!(
            on.lua
                .deserialize::<serde_json::Value>(on.lua.serialize(&json)?)?,
            json
        );
        Ok(())
    }),
    #[cfg(feature = "serde")]
    ("data that does not fit", Nothing, |on| {
        let data: Value = on.eval("return {{item = 'a', count = 1}, {item = 'b', count = -1}}")?;
        match on.lua.deserialize::<Vec<Order>>(data) {
            Err(Error::Data(error)) => assert_eq!(error.path(), "[2].count"),
            other => return other.map(drop),
        }
        Ok(())
    }),
    #[cfg(feature = "async")]
    ("futures", Message, |on| {
        let object = on.object();
        let later = on.lua.async_function(move |text: String| {
            let share = Arc::clone(&object.0);
            async move {
                Later(false).await;
                drop(share);
                Ok((text.clone(), vec![text, "b".to_owned()]))
            }
        })?;
        on.lua.globals()?.set("later", &later)?;
        let code = "local a, list = later('x' .. 1)
             local ok, b = pcall(later, a .. 2)
             assert(ok, b)
             return a, b, #list";
        let (a, b, n): (String, String, i64) = block_on(on.lua.load(code).eval_async())?;
        assert_eq!((a.as_str(), b.as_str(), n), ("x1", "x12", 2));
        let user = on.lua.create_userdata(on.user())?;
        let code: Function = on.eval("return function(u) return u:later(3) .. 'z' end")?;
        assert_eq!(block_on(code.call_async::<String>(&user))?, "10z");
        Ok(())
    }),
    #[cfg(feature = "async")]
    ("futures of coroutines", Nothing, |on| {
        let later = on.lua.async_function(|n: i64| async move {
            Later(false).await;
            n * 2
        })?;
        on.lua.globals()?.set("later", later)?;
        let code: Function =
            on.eval("return function(n) for i = 1, n do coroutine.yield('n' .. later(i)) end end")?;
        let mut items = code.coroutine()?.into_stream::<String>(3);
        let mut texts = Vec::new();
        while let Some(text) = block_on(items.next()) {
            texts.push(text?);
        }
        assert_eq!(texts, ["n2", "n4", "n6"]);
        Ok(())
    }),
    #[cfg(feature = "async")]
    ("futures that fail or are dropped", Nothing, |on| {
        let object = on.object();
        let later = on.lua.async_function(move |fail: bool| {
            let share = Arc::clone(&object.0);
            async move {
                Later(false).await;
                match fail {
                    true => Err(Error::message("as told")),
                    false => Ok(Arc::strong_count(&share)),
                }
            }
        })?;
        let call: Function = on.eval("return function(later, fail) return {later(fail)} end")?;
        let mut dropped = Box::pin(call.call_async::<Table>((&later, false)));
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(result) = dropped.as_mut().poll(&mut context) {
            // It waits, unless it could not even start.
            result?;
            panic!("the future did not wait");
        }
        drop(dropped);
        match block_on(call.call_async::<Table>((&later, true))) {
            Err(error @ Error::External(_)) => assert_eq!(error.text(), "as told"),
            other => return other.map(drop),
        }
        Ok(())
    }),
    ("functions", Nothing, |on| {
        let list: Function = on.eval("return function(...) return select('#', ...) end")?;
        let bound = list.bind(Variadic(vec!["x"; 60]))?;
        assert_eq!(bound.call::<usize>(1)?, 61);
        assert!(!list.dump_stripped()?.is_empty());
        list.set_environment(&on.lua.create_table()?)?;
        on.lua
            .jit()
            .flush_for(&list, lupa_core::JitScope::FunctionAndInner)?;
        on.lua.jit().flush()
    }),
    ("print and modules of the host", Nothing, |on| {
        on.lua.set_print(|_| Ok(()))?;
        on.lua.add_searcher(lupa_core::SearchOrder::First, |_, _| {
            Ok(Some(lupa_core::Module::source("return {...}", "=m")))
        })?;
        on.lua.register_module("n", 1)?;
        on.lua.load("print(1, {}, 'x')").exec()?;
        on.lua.require::<Table>("m").map(drop)
    }),
    ("the FFI library", Message, |on| {
        on.lua.load(
            "local ffi = require 'ffi' local t = {}
             for i = 1, 20 do t[i] = ffi.gc(ffi.new('struct {int a; double b[4];}', {i}), function() end) end
             local c = ffi.cast('int(*)(int)', function(x) return x end) assert(c(5) == 5) c:free()
             assert(tostring(ffi.typeof('uint8_t[?]')(10)):find 'cdata')",
        )
        .exec()
    }),
    ("require", Message, |on| {
        let buffer: Table = on.lua.require("string.buffer")?;
        buffer.get::<Function>("new")?;
        let module = on.lua.require::<Table>("jit.util")?;
        assert!(!module.pairs::<Value, Value>()?.is_empty());
        on.lua.require::<Table>("jit.bc").map(drop)
    }),
    ("compiled code", Message, |on| {
        on.lua.load(
            "local s, t = 0, {} for i = 1, 300 do t[i] = {i} s = s + #tostring(i) .. '' local f = function() return i end s = s + f() end
             for i = 1, 300 do s = s + #('x'):rep(i % 7) s = s + (t[i][1] % 3 == 0 and 1 or 2) end
             assert(s > 0)",
        )
        .exec()
    }),
    ("the string library", Message, |on| {
        on.lua.load(
            "local s = ('abc'):rep(1000) assert(#s:gsub('b', 'xyz') == 5000) assert(s:find('cab', 1, true))
             assert(#string.format('%s %q %5.2f', s, s, 1) > 6000) assert(#s:upper() == 3000) assert(s:byte(1, 100))
             local t = {} for w in s:gmatch('a') do t[#t + 1] = w end table.sort(t) assert(#table.concat(t, ',') == 1999)
             local b = require('string.buffer').new() for i = 1, 100 do b:put(i, 'x') end assert(#b:tostring() > 200)
             assert(#require('string.buffer').encode({1, 'a', {}}) > 4)",
        )
        .exec()
    }),
    ("pcall and xpcall", Nothing, |on| {
        let ok: bool = on.eval(
            "local ok, e = pcall(function() local t = {} for i = 1, 50 do t[i] = {tostring(i)} end return t end)
             local ok2, e2 = xpcall(function() local t = {} for i = 1, 50 do t[i] = {tostring(i)} end return t end, function(e) return e end)
             return true",
        )?;
        assert!(ok);
        Ok(())
    }),
    ("finalizers", Nothing, |on| {
        let count = on.lua.create_function({
            let object = on.object();
            move |call| {
                let _ = &object;
                call.push(format!("finalized {:?}", call.get::<Value>(0)?.type_name()))
            }
        })?;
        on.lua.load(
            "local count = ... for i = 1, 20 do local p = newproxy(true) getmetatable(p).__gc = function(p) return count(p) end end collectgarbage()",
        )
        .call::<()>(&count)?;
        for _ in 0..20 {
            drop(on.lua.create_object(on.object())?);
        }
        on.lua.gc_collect()
    }),
    ("the collector", Nothing, |on| {
        on.eval::<Table>("local t = {} for i = 1, 2000 do t['k' .. i] = 'v' .. i end return t")
            .map(drop)?;
        // Shrinks what has become too large.
        on.lua.gc_collect()?;
        on.lua.gc_collect()?;
        while !on.lua.gc_step(1)? {}
        on.lua.gc_stop()?;
        on.lua.gc_restart()
    }),
    ("a limit that moves", Nothing, |on| {
        on.lua.set_memory_limit(Some(1 << 30))?;
        on.eval::<i32>("return #('x'):rep(1000)").map(drop)
    }),
    ("close", Nothing, |on| {
        let _object = on.lua.create_object(on.object())?;
        let closed = on.lua.create_function({
            let object = on.object();
            move |call| {
                let _ = &object;
                call.push("never")
            }
        })?;
        on.lua.load("local f = ... p = newproxy(true) getmetatable(p).__gc = function() return {f()} end").call::<()>(&closed)?;
        on.lua.close()
    }),
];

/// Operations that take long each time.
const SLOW: &[(&str, Also, Action)] = &[("a time limit", Nothing, |on| {
    let limit = Duration::from_millis(1);
    match on
        .lua
        .with_time_limit(limit, || on.lua.load("while true do end").exec())?
    {
        Err(Error::Timeout(_)) => Ok(()),
        other => other,
    }
})];

/// The repetitions of an operation: all, or those that leave ever larger gaps.
fn next(n: usize) -> usize {
    let all = std::env::var_os("ALLOCATIONS").is_some_and(|value| value == "all");
    if all { n + 1 } else { n + 1 + n / 8 }
}

/// Checks what an operation gave while memory failed.
fn check(what: &str, also: Also, outcome: &Result<()>, failed: usize) {
    match outcome {
        Ok(()) => {}
        Err(_) if failed == 0 => panic!("{what}: {outcome:?}"),
        Err(Error::Memory) => {}
        Err(Error::Runtime(e))
            if also == Message && e.message.to_str_lossy().contains("not enough memory") => {}
        Err(_) => panic!("{what}: {outcome:?}"),
    }
}

fn usable(lua: &Runtime) {
    let code = "local t = {} for i = 1, 100 do t[i] = tostring(i) end return #table.concat(t)";
    assert_eq!(lua.load(code).eval::<usize>().unwrap(), 192);
    lua.gc_collect().unwrap();
    assert_eq!(lua.load("return 'a' .. 1").eval::<String>().unwrap(), "a1");
}

fn builder() -> Builder {
    // A limit, however high, brings the reserve.
    Runtime::builder().memory_limit(usize::MAX - 1)
}

/// Blocks that LuaJIT forgets: the state of its FFI library and the table of its types, when that
/// cannot be opened. Its own allocator frees them with the runtime, as one arena.
fn lost_by_luajit(operation: &str) -> usize {
    match operation {
        "64-bit integers"
        | "64-bit integers of the host"
        | "the FFI library"
        | "values compared and converted" => 2,
        _ => 0,
    }
}

fn every_allocation(operations: &[(&str, Also, Action)]) {
    faults::set_on(true);
    for (name, also, action) in operations {
        for plan in [Plan::Only, Plan::From] {
            let mut n = 1;
            loop {
                let what = format!("{name}, {:?}", plan(n));
                let drops = Arc::new(());
                let before = faults::live_blocks();
                let lua = builder().build().unwrap();
                let handles = lua.handles().unwrap();
                faults::start(plan(n));
                let outcome = action(&On {
                    lua: &lua,
                    drops: &drops,
                });
                let (_, failed) = faults::stop();
                check(&what, *also, &outcome, failed);
                drop(outcome);
                if !lua.is_closed() {
                    usable(&lua);
                    // Only what Lua keeps: a slot for the metatable of each type of host objects, and for
                    // each function of a user type.
                    assert!(lua.handles().unwrap() <= handles + 12, "{what}");
                }
                drop(lua);
                assert!(
                    faults::live_blocks() - before <= lost_by_luajit(name),
                    "{what}: leaked"
                );
                assert_eq!(Arc::strong_count(&drops), 1, "{what}: host objects leaked");
                if failed == 0 {
                    break;
                }
                n = next(n);
            }
        }
    }
    faults::set_on(false);
}

#[test]
#[cfg_attr(
    feature = "assertions",
    ignore = "LuaJIT's assertions take it for a leak"
)]
fn operations() {
    every_allocation(OPERATIONS);
}

#[test]
#[cfg_attr(
    feature = "assertions",
    ignore = "LuaJIT's assertions take it for a leak"
)]
fn slow_operations() {
    every_allocation(SLOW);
}

#[test]
#[cfg_attr(
    feature = "assertions",
    ignore = "LuaJIT's assertions take it for a leak"
)]
fn making_a_runtime() {
    type Make = fn() -> Builder;
    let builders: [(&str, Make); 4] = [
        ("plain", Runtime::builder),
        ("with a limit", builder),
        ("sandbox", || Runtime::builder().sandbox(true)),
        ("few libraries", || {
            Runtime::builder().libs(lupa_core::Libs::BASE)
        }),
    ];
    faults::set_on(true);
    for (name, builder) in builders {
        for plan in [Plan::Only, Plan::From] {
            let mut n = 1;
            loop {
                let before = faults::live_blocks();
                faults::start(plan(n));
                let outcome = builder().build();
                let (_, failed) = faults::stop();
                match outcome {
                    Ok(lua) if name == "few libraries" => drop(lua),
                    Ok(lua) => usable(&lua),
                    Err(Error::Memory) if failed > 0 => {}
                    Err(error) => panic!("{name}, {:?}: {error:?}", plan(n)),
                }
                assert_eq!(faults::live_blocks(), before, "{name}, {:?}", plan(n));
                if failed == 0 {
                    break;
                }
                n = next(n);
            }
        }
    }
}

#[test]
fn the_reserve_takes_the_place_of_memory() -> Result<()> {
    faults::set_on(true);
    let lua = builder().build()?;
    let table = lua.create_table()?;
    // Nothing but stores, which are not protected.
    faults::start(Plan::From(1));
    for i in 1..=500 {
        table.set(i, i)?;
    }
    // Breaks (aborts) without the reserve; what is asked for next says that it is gone.
    assert!(matches!(lua.create_table(), Err(Error::Memory)));
    assert!(matches!(lua.create_string("x"), Err(Error::Memory)));
    assert!(matches!(lua.load("return 1").exec(), Err(Error::Memory)));
    assert!(matches!(table.get::<i32>(500), Ok(500)));
    let (_, failed) = faults::stop();
    assert!(failed > 0);
    // There is memory again, so it comes back.
    lua.create_string("x")?;
    usable(&lua);
    faults::start(Plan::From(1));
    for i in 501..=2000 {
        table.set(i, i)?;
    }
    faults::stop();
    assert_eq!(table.len()?, 2000);
    usable(&lua);
    let _: UserData = lua.create_object(Object(Arc::new(())))?;
    Ok(())
}

/// Lua code that meets the limit at each place where it allocates.
#[test]
fn the_limit_may_be_met_anywhere() -> Result<()> {
    for code in [
        // Breaks (SIGSEGV) if LuaJIT's compiler has to allocate before it knows where its trace starts:
        // that fails for every loop below, and for the same address.
        "local i = 0 while i < 2000 do i = i + 1 end return i",
        "local s = 0 for i = 1, 300 do s = s + #tostring(i) end return s",
        // Breaks (SIGSEGV) if the message is written where the last C function has left the stack's top.
        "local n = 0 for i = 1, 30 do n = n + (xpcall(function() local t = {tostring(i)} end, print) and 1 or 0) end return n",
        "local n = 0 for i = 1, 30 do n = n + (pcall(string.upper, 'a' .. i) and 1 or 0) end return n",
        "local c = coroutine.wrap(function(...) for i = 1, 20 do local t = {...} coroutine.yield(t[1]) end end) c(1) return c()",
        "return #string.format('%s %d', ('x'):rep(100):reverse(), 5)",
    ] {
        for extra in (0..4000).step_by(40) {
            let lua = Runtime::builder().memory_limit(LIMIT).build()?;
            let function = lua.load(code).into_function()?;
            lua.gc_collect()?;
            lua.gc_stop()?;
            lua.set_memory_limit(Some(lua.memory_used()? + extra))?;
            match function.call::<Value>(()) {
                Ok(_) | Err(Error::Memory) => {}
                Err(error) => assert!(error.to_string().contains("not enough memory"), "{error}"),
            }
            lua.set_memory_limit(Some(LIMIT))?;
            lua.gc_restart()?;
            usable(&lua);
        }
    }
    Ok(())
}
