//! Futures in Lua code and Lua code as futures.

use lupa_core::asynchronous::CoroutineStream;
use lupa_core::{
    Coroutine, CoroutineStatus, Error, Function, Members, Result, Runtime, Table, UserData,
    UserType, Value, Variadic,
};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

#[path = "../examples/async_server.rs"]
#[allow(dead_code, unreachable_pub)]
mod async_server;

/// The smallest executor.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn poll_once<T>(future: std::pin::Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Pending once.
async fn turn() {
    let mut polled = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A runtime with `turn(...)`, which gives its arguments after a turn, and `fail(message)`.
fn runtime() -> Result<Runtime> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set(
        "turn",
        lua.async_function(|a: Option<f64>, b: Option<String>| async move {
            turn().await;
            (a, b)
        })?,
    )?;
    globals.set(
        "fail",
        lua.async_function(|message: String| async move {
            turn().await;
            Err::<(), _>(Error::message(message))
        })?,
    )?;
    Ok(lua)
}

#[test]
fn futures_are_send_and_own_what_they_have() -> Result<()> {
    fn send<T: Send>(value: T) -> T {
        value
    }
    fn send_static<T: Send + 'static>(value: T) -> T {
        value
    }
    let lua = runtime()?;
    let function: Function = lua.load("return turn").eval()?;
    let call = send_static(function.call_async::<f64>((1, "x".to_owned())));
    let text = String::from("x");
    let borrowing = send(function.call_async::<(f64, String)>((2, text.as_str())));
    let chunk = send_static(
        lua.load(&String::from("return turn(3)"))
            .eval_async::<f64>(),
    );
    let exec = send_static(lua.load("turn()").exec_async());
    let resume = send_static(function.coroutine()?.resume_async::<f64>(4));
    let stream: CoroutineStream<'static, f64> = send_static(function.coroutine()?.into_stream(()));
    drop((function, stream));
    assert_eq!(block_on(call)?, 1.0);
    assert_eq!(block_on(borrowing)?, (2.0, "x".into()));
    assert_eq!(block_on(chunk)?, 3.0);
    block_on(exec)?;
    assert_eq!(block_on(resume)?, 4.0);
    Ok(())
}

#[test]
fn arguments_and_results_pass() -> Result<()> {
    let lua = runtime()?;
    let globals = lua.globals()?;
    globals.set("none", lua.async_function(|| async {})?)?;
    globals.set(
        "table",
        lua.async_function(|a: Table, lua: Runtime, b: i32| async move {
            turn().await;
            let made = lua.create_table()?;
            made.set("inner", a)?;
            made.set("b", b)?;
            Ok::<_, Error>((made, "more"))
        })?,
    )?;
    let code = "
        local a, b = turn(1, 'two')
        local c, d = turn()
        local t, more = table({ x = 5 }, 6)
        return a, b, c, d, select('#', none()), t.inner.x + t.b, more";
    type Results = (i32, String, Option<i32>, Option<i32>, i32, i32, String);
    let results: Results = block_on(lua.load(code).eval_async())?;
    assert_eq!(results, (1, "two".into(), None, None, 0, 11, "more".into()));
    let error = block_on(lua.load("turn('x')").exec_async()).unwrap_err();
    assert!(error.to_string().contains("bad argument #1"), "{error}");
    let error = block_on(lua.load("return +").exec_async()).unwrap_err();
    assert!(matches!(error, Error::Syntax { .. }));
    // A function of C can be called, too.
    assert_eq!(
        block_on(globals.get::<Function>("tostring")?.call_async::<String>(5))?,
        "5"
    );
    Ok(())
}

#[test]
fn any_number_of_arguments_passes() -> Result<()> {
    struct Base(i64);
    impl UserType for Base {
        const NAME: &'static str = "Base";
        fn members(members: &mut Members<Self>) {
            members.async_method("sum", |this: &Self, scale: i64, items: Variadic<i64>| {
                let base = this.0;
                async move { base + scale * items.iter().sum::<i64>() }
            });
        }
    }
    let lua = runtime()?;
    lua.globals()?.set("base", Base(100))?;
    let echo = lua.async_function(
        |first: Option<String>, lua: Runtime, rest: Variadic<Value>| async move {
            turn().await;
            assert!(!lua.is_closed());
            (first.unwrap_or_default(), rest.len(), rest)
        },
    )?;
    lua.globals()?.set("echo", echo)?;
    let code = "
        local first, n, two, none, four = echo('one', 2, nil, 'four')
        assert(first == 'one' and n == 3 and two == 2 and none == nil and four == 'four')
        assert(select('#', echo()) == 2 and select('#', echo('x', nil)) == 3)
        assert(select(2, pcall(base.sum, base, 1, 2, 'x')):find('cannot convert string to i64', 1, true))
        return base:sum(1), base:sum(10, 1, 2, 3)";
    let sums: (i64, i64) = block_on(lua.load(code).eval_async())?;
    assert_eq!(sums, (100, 160));
    Ok(())
}

struct Lists;

/// Makes async functions of up to eight arguments, which give them as a list, and methods `list0` to `list8` of [`Lists`].
macro_rules! of_every_arity {
    ($($count:literal: $($name:ident)*;)*) => {
        impl UserType for Lists {
            const NAME: &'static str = "Lists";
            fn members(members: &mut Members<Self>) {
                $(members.async_method(concat!("list", $count), |_: &Self, $($name: i64),*| async move {
                    turn().await;
                    Vec::<i64>::from([$($name),*])
                });)*
            }
        }

        fn functions(lua: &Runtime) -> Result<Vec<Function>> {
            Ok(vec![$(lua.async_function(|$($name: i64),*| async move {
                turn().await;
                Vec::<i64>::from([$($name),*])
            })?),*])
        }
    };
}

of_every_arity! {
    0: ;
    1: a;
    2: a b;
    3: a b c;
    4: a b c d;
    5: a b c d e;
    6: a b c d e f;
    7: a b c d e f g;
    8: a b c d e f g h;
}

#[test]
fn async_functions_and_methods_of_up_to_eight_arguments_take_them_in_order() -> Result<()> {
    let lua = runtime()?;
    lua.globals()?.set("lists", Lists)?;
    let functions = functions(&lua)?;
    assert_eq!(functions.len(), 9);
    for (count, function) in functions.into_iter().enumerate() {
        let method = lua
            .load(&format!("return lists.list{count}"))
            .eval::<Function>()?;
        // The object comes before the arguments of a method.
        for (first, f) in [
            (1, function),
            (2, method.bind(lua.globals()?.get::<Value>("lists")?)?),
        ] {
            let list = |given: Vec<Value>| block_on(f.call_async::<Vec<i64>>(Variadic(given)));
            let all: Vec<i64> = (0..count as i64).map(|n| 10 + n).collect();
            let values: Vec<_> = all.iter().map(|n| Value::Number(*n as f64)).collect();
            // What is too much is ignored.
            assert_eq!(list(values.clone())?, all);
            assert_eq!(list([&values[..], &[Value::Nil]].concat())?, all);
            for wrong in 0..count {
                let (before, after) = (&values[..wrong], &values[wrong + 1..]);
                for (given, kind) in [
                    (before.to_vec(), "no value"),
                    ([before, &[Value::Boolean(true)], after].concat(), "boolean"),
                ] {
                    let text = list(given).unwrap_err().to_string();
                    let named = format!(
                        "bad argument #{}: cannot convert {kind} to i64",
                        first + wrong
                    );
                    assert!(text.contains(&named), "{text:?}: {named}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn errors_are_raised_at_the_await() -> Result<()> {
    #[derive(Debug, PartialEq)]
    struct Mine(u8);
    impl std::fmt::Display for Mine {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("mine")
        }
    }
    impl std::error::Error for Mine {}
    let lua = runtime()?;
    let mine = lua.async_function(|| async { Err::<(), _>(Error::external(Mine(5))) })?;
    lua.globals()?.set("mine", mine)?;
    let code = "
        local ok, error = pcall(fail, 'no luck')
        local again = turn(1)
        return ok, tostring(error), again";
    let caught: (bool, String, i32) = block_on(lua.load(code).eval_async())?;
    assert_eq!(caught, (false, "no luck".into(), 1));
    let error = block_on(lua.load("turn() pcall(mine) mine()").exec_async()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Mine(5)));
    let error = block_on(lua.load("turn()\nerror('late')").name("=code").exec_async());
    let error = error.unwrap_err();
    assert!(error.to_string().starts_with("code:2: late"), "{error}");
    assert!(error.traceback().is_some());
    Ok(())
}

#[test]
fn awaits_nest() -> Result<()> {
    let lua = runtime()?;
    let globals = lua.globals()?;
    // Lua calls Rust, which awaits Lua, which awaits Rust.
    globals.set(
        "apply",
        lua.async_function(|f: Function, n: i64| async move {
            turn().await;
            f.call_async::<i64>(n).await
        })?,
    )?;
    let code = "
        local function down(n) if n == 0 then return turn(0) end return apply(down, n - 1) + 1 end
        return down(30)";
    assert_eq!(block_on(lua.load(code).eval_async::<i64>())?, 30);
    // In the middle of metamethods, iterators and pcall.
    let code = "
        local t = setmetatable({}, {
            __index = function(_, k) return (turn(k)) end,
            __add = function(a, b) return (turn(b)) end,
            __call = function(_, ...) return turn(...) end,
        })
        local sum = t[1] + (t + 2) + t(3)
        for n in function(_, n) n = turn((n or 0) + 1) return n <= 3 and n or nil end do sum = sum + n end
        return select(2, pcall(pcall, turn, sum))";
    assert!(block_on(lua.load(code).eval_async::<bool>())?);
    Ok(())
}

#[test]
fn coroutines_of_lua_code_pass_awaits_on() -> Result<()> {
    let lua = runtime()?;
    let code = "
        local function numbers(n)
            return coroutine.wrap(function(...)
                assert(select('#', ...) == 2)
                for i = 1, n do coroutine.yield(turn(i)) end
                return nil
            end)
        end
        local sum = 0
        local step = numbers(3)
        for i = 1, 3 do sum = sum + step(nil, nil) end
        -- By resume, two levels deep, with errors and results.
        local co = coroutine.create(function(a, b)
            local inner = coroutine.create(function() return pcall(fail, 'inner'), turn(4) end)
            local ok, failed, four = coroutine.resume(inner)
            assert(ok and failed == false and four == 4)
            local n = select('#', coroutine.yield(a, nil, b, nil))
            turn()
            error({ n = n })
        end)
        assert(select('#', coroutine.resume(co, 1, 2)) == 5)
        local ok, error = coroutine.resume(co, nil, nil)
        assert(not ok and error.n == 2 and coroutine.status(co) == 'dead')
        assert(select('#', coroutine.resume(coroutine.create(function() end))) == 1)
        return sum";
    assert_eq!(block_on(lua.load(code).eval_async::<i64>())?, 6);
    // In a plain call there is nobody to wait, and the coroutine is told so.
    let code = "
        local co = coroutine.wrap(function() return pcall(turn) end)
        return co()";
    let (ok, message): (bool, String) = lua.load(code).eval()?;
    assert!(
        !ok && message.contains("cannot await here: this code was not called by an async call"),
        "{message}"
    );
    // What the host resumes by itself cannot wait, either.
    let co = lua.load("return turn(1)").into_function()?.coroutine()?;
    co.resume::<()>(())?;
    let error = co.resume::<()>(()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("resumed by other than its async call"),
        "{error}"
    );
    Ok(())
}

#[test]
fn where_nobody_can_wait_is_an_error() -> Result<()> {
    let lua = runtime()?;
    let call = lua.create_function(|call| call.get::<Function>(0)?.call::<()>(()))?;
    lua.globals()?.set("call", call)?;
    lua.globals()?.set("turn", lua.async_function(turn)?)?;
    let message = "this code was not called by an async call, or from inside a function such as";
    let error = lua.load("turn()").exec().unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
    for code in [
        "call(turn)",
        "table.sort({ 1, 2, 3 }, turn)",
        "('x'):gsub('x', turn)",
        "package.preload.turns = turn require('turns')",
    ] {
        let error = block_on(lua.load(code).exec_async()).unwrap_err();
        assert!(error.to_string().contains(message), "{code}: {error}");
    }
    // The future is dropped at once.
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let hold = lua.async_function(move || {
        let held = Arc::clone(&held);
        async move {
            turn().await;
            drop(held);
        }
    })?;
    hold.call::<()>(()).unwrap_err();
    assert_eq!(Arc::strong_count(&dropped), 2);
    Ok(())
}

#[test]
fn plain_yields_give_turns_and_refuse_values() -> Result<()> {
    let lua = runtime()?;
    let mut call = pin!(
        lua.load("for i = 1, 3 do coroutine.yield() end return 'end'")
            .eval_async::<String>()
    );
    for _ in 0..3 {
        assert!(poll_once(call.as_mut()).is_pending());
    }
    assert!(matches!(poll_once(call.as_mut()), Poll::Ready(Ok(text)) if text == "end"));
    let code = "local ok, message = pcall(coroutine.yield, 1) turn() return message";
    let message = block_on(lua.load(code).eval_async::<String>())?;
    assert_eq!(message, "attempt to yield values from outside a coroutine");
    Ok(())
}

#[test]
fn methods_may_be_async() -> Result<()> {
    struct Counter(u32);
    impl UserType for Counter {
        const NAME: &'static str = "Counter";
        fn members(members: &mut Members<Self>) {
            members
                .async_method("add", |this: &Self, n: u32, lua: Runtime| {
                    let sum = this.0 + n;
                    async move {
                        turn().await;
                        // The value is free while the future waits.
                        let counter = lua.globals()?.get::<UserData>("counter")?;
                        counter.borrow_mut::<Counter>()?.0 = sum;
                        Ok::<_, Error>(sum)
                    }
                })
                .read_only("value", |this| this.0);
        }
    }
    let lua = runtime()?;
    lua.globals()?
        .set("counter", lua.create_userdata(Counter(1))?)?;
    let code = "
        assert(counter.add == counter.add)
        local a, b = counter:add(2), counter:add(3)
        return a, b, counter.value, select(2, pcall(counter.add, 5, 1))";
    let (a, b, value, error): (u32, u32, u32, String) = block_on(lua.load(code).eval_async())?;
    assert_eq!((a, b, value), (3, 6, 6));
    assert!(error.starts_with("bad argument #1"), "{error}");
    Ok(())
}

#[test]
fn bad_arguments_of_async_methods_are_counted_as_the_caller_counts() -> Result<()> {
    let lua = runtime()?;
    lua.globals()?.set("lists", Lists)?;
    for (code, named) in [
        ("lists:list2(1, true)", "bad argument #2: "),
        ("lists.list2(lists, 1, true)", "bad argument #3: "),
        // What calls the function is not what counts, but how it is called.
        (
            "local list = lists.list1 list(lists, true)",
            "bad argument #2: ",
        ),
        (
            "object = { list = lists.list2 } object:list(1)",
            "calling 'list' on bad self: ",
        ),
        // The caller's own caller does not count.
        (
            "object.run = function(_, f) f(lists, true) end object:run(lists.list1)",
            "bad argument #2: ",
        ),
    ] {
        let text = block_on(lua.load(code).exec_async())
            .unwrap_err()
            .to_string();
        assert!(text.contains(named), "{code}: {text}");
    }
    Ok(())
}

#[test]
fn streams_give_what_is_yielded() -> Result<()> {
    let lua = runtime()?;
    let f: Function = lua
        .load("return function(n) for i = 1, n do coroutine.yield(turn(i)) end turn() return 'dropped' end")
        .eval()?;
    let mut stream = f.coroutine()?.into_stream::<u32>(3);
    let items = block_on(async {
        let mut items = Vec::new();
        while let Some(item) = stream.next().await {
            items.push(item.unwrap());
        }
        items
    });
    assert_eq!(items, [1, 2, 3]);
    assert!(block_on(stream.next()).is_none());

    let f: Function = lua
        .load("return function() coroutine.yield(1) fail('stop') end")
        .eval()?;
    let mut stream = f.coroutine()?.into_stream::<u32>(());
    assert_eq!(block_on(stream.next()).unwrap()?, 1);
    assert!(block_on(stream.next()).unwrap().is_err());
    assert!(block_on(stream.next()).is_none());
    // Through the trait, as combinators use it.
    let mut stream = f.coroutine()?.into_stream::<u32>(());
    let mut context = Context::from_waker(Waker::noop());
    let first = futures_core::Stream::poll_next(std::pin::Pin::new(&mut stream), &mut context);
    assert!(matches!(first, Poll::Ready(Some(Ok(1)))));
    Ok(())
}

#[test]
fn dropping_cancels() -> Result<()> {
    let lua = runtime()?;
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let held = Mutex::new(Some(held));
    let hold = lua.async_function(move || {
        let held = held.lock().unwrap().take();
        async move {
            std::future::pending::<()>().await;
            drop(held);
        }
    })?;
    lua.globals()?.set("hold", hold)?;
    lua.load("log = {}").exec()?;
    let mut call = Box::pin(
        lua.load("co = coroutine.running() log[1] = 'begun' pcall(hold) log[2] = 'not reached'")
            .exec_async(),
    );
    assert!(poll_once(call.as_mut()).is_pending());
    assert!(weak.upgrade().is_some());
    drop(call);
    assert!(
        weak.upgrade().is_none(),
        "the future that was awaited is dropped"
    );
    assert_eq!(lua.load("return #log").eval::<u32>()?, 1);
    let co: Coroutine = lua.globals()?.get("co")?;
    assert_eq!(co.status()?, CoroutineStatus::Dead);

    // A coroutine that is resumed goes on, with an error, by another resume.
    let co = lua
        .load("local ok, message = pcall(hold) coroutine.yield(message) return turn(7)")
        .into_function()?
        .coroutine()?;
    let mut resume = Box::pin(co.resume_async::<String>(()));
    assert!(poll_once(resume.as_mut()).is_pending());
    drop(resume);
    let message = block_on(co.resume_async::<String>(()))?;
    assert!(message.contains("the await was cancelled"), "{message}");
    assert_eq!(block_on(co.resume_async::<u32>(()))?, 7);

    // Never polled, or while another thread runs the runtime: nothing is waited for.
    drop(lua.load("error('never')").exec_async());
    let mut call = Box::pin(lua.load("hold()").exec_async());
    assert!(poll_once(call.as_mut()).is_pending());
    let guard = lua.lock()?;
    std::thread::spawn(move || drop(call)).join().unwrap();
    drop(guard);
    Ok(())
}

#[test]
fn panics_pass_through() -> Result<()> {
    let lua = runtime()?;
    let globals = lua.globals()?;
    globals.set(
        "panics",
        lua.async_function(|late: bool| async move {
            if late {
                turn().await;
            }
            std::panic::panic_any("of a future");
            #[allow(unreachable_code)]
            Ok::<(), Error>(())
        })?,
    )?;
    for code in [
        "pcall(panics, false) caught = true",
        "pcall(panics, true) caught = true",
    ] {
        let run = AssertUnwindSafe(|| block_on(lua.load(code).exec_async()));
        let panic = catch_unwind(run).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"of a future"));
        assert_eq!(globals.get::<Option<bool>>("caught")?, None);
    }
    assert_eq!(block_on(lua.load("return turn(1)").eval_async::<i32>())?, 1);
    Ok(())
}

#[test]
fn ten_thousand_awaits_leave_nothing() -> Result<()> {
    let lua = runtime()?;
    let count = |n: u32| {
        block_on(
            lua.load("for i = 1, ... do turn(i) end")
                .call_async::<()>(n),
        )
    };
    let used = || {
        // Objects with finalizers are freed by the collection after the one that finalizes them.
        lua.gc_collect()?;
        lua.gc_collect()?;
        lua.memory_used()
    };
    // The first round pays for what the compiler tries.
    count(10_000)?;
    let (memory, handles) = (used()?, lua.handles()?);
    count(10_000)?;
    let after = used()?;
    assert!(after < memory + 4096, "{after} after {memory}");
    assert_eq!(lua.handles()?, handles);
    // While it goes on, the collector keeps up: what is there at a time is a small part of all that was made.
    lua.gc_stop()?;
    count(10_000)?;
    let made = lua.memory_used()? - after;
    lua.gc_restart()?;
    let after = used()?;
    let peak = lua.load(
        "
        local most = 0
        for i = 1, 10000 do
            turn(i)
            most = math.max(most, collectgarbage('count'))
        end
        return most",
    );
    let peak = block_on(peak.eval_async::<f64>())? * 1024.0;
    assert!(
        peak - (after as f64) < made as f64 / 4.0,
        "{peak} after {after}, {made}"
    );
    Ok(())
}

#[test]
fn what_is_ready_does_not_starve_others() -> Result<()> {
    let lua = runtime()?;
    let ready = lua.async_function(|| async {})?;
    lua.globals()?.set("ready", ready)?;
    let mut call = pin!(lua.load("for i = 1, 1000 do ready() end").exec_async());
    let mut polls = 1;
    while poll_once(call.as_mut()).is_pending() {
        polls += 1;
    }
    assert!((2..100).contains(&polls), "{polls}");
    Ok(())
}

#[test]
#[cfg(unix)]
fn time_limits_count_running_alone() -> Result<()> {
    let lua = runtime()?;
    lua.set_time_limit(Some(Duration::from_millis(100)))?;
    let sleep = lua.async_function(|ms: u64| async move {
        // On this thread, so that it would count if polls did.
        std::thread::sleep(Duration::from_millis(ms));
    })?;
    lua.globals()?.set("sleep", sleep)?;
    block_on(lua.load("for i = 1, 4 do sleep(50) end").exec_async())?;
    let start = Instant::now();
    let endless = lua
        .load("sleep(1) pcall(function() while true do end end) turn()")
        .exec_async();
    assert!(matches!(block_on(endless), Err(Error::Timeout(_))));
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(block_on(lua.load("return turn(1)").eval_async::<i32>())?, 1);
    Ok(())
}

#[test]
fn memory_limits_hold() -> Result<()> {
    let lua = runtime()?;
    lua.set_memory_limit(Some(lua.memory_used()? + (2 << 20)))?;
    let hungry =
        lua.load("turn() local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. turn(i) end");
    assert!(matches!(block_on(hungry.exec_async()), Err(Error::Memory)));
    assert_eq!(block_on(lua.load("return turn(1)").eval_async::<i32>())?, 1);
    Ok(())
}

#[test]
fn wakers_work_from_other_threads() -> Result<()> {
    let lua = runtime()?;
    let elsewhere = lua.async_function(|n: u32| {
        let state = Arc::new(Mutex::new((None::<u32>, None::<Waker>)));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1));
            let mut state = shared.lock().unwrap();
            state.0 = Some(n * 2);
            if let Some(waker) = state.1.take() {
                waker.wake();
            }
        });
        std::future::poll_fn(move |context| {
            let mut state = state.lock().unwrap();
            state.1 = Some(context.waker().clone());
            state.0.map_or(Poll::Pending, Poll::Ready)
        })
    })?;
    lua.globals()?.set("elsewhere", elsewhere)?;
    let code = "local sum = 0 for i = 1, 20 do sum = sum + elsewhere(i) end return sum";
    assert_eq!(block_on(lua.load(code).eval_async::<u32>())?, 420);
    Ok(())
}

#[test]
fn a_closed_runtime_ends_its_tasks() -> Result<()> {
    let lua = runtime()?;
    let mut call = Box::pin(lua.load("turn() turn()").exec_async());
    assert!(poll_once(call.as_mut()).is_pending());
    lua.close()?;
    assert!(matches!(
        poll_once(call.as_mut()),
        Poll::Ready(Err(Error::Closed))
    ));
    drop(call);
    // Nothing that async functions keep holds a runtime.
    let lua = runtime()?;
    let dropped = Arc::new(());
    let held = Arc::clone(&dropped);
    let f = lua.async_function(move || {
        let _ = &held;
        async {}
    })?;
    lua.globals()?.set("f", f)?;
    block_on(lua.load("f()").exec_async())?;
    drop(lua);
    assert_eq!(Arc::strong_count(&dropped), 1);
    Ok(())
}

#[test]
fn lua_code_cannot_forge_or_break_awaits() -> Result<()> {
    let lua = runtime()?;
    // The library's own functions are those from before.
    lua.load("coroutine.yield = error coroutine.isyieldable = error type = error select = nil pcall = nil")
        .exec()?;
    assert_eq!(block_on(lua.load("return turn(1)").eval_async::<i32>())?, 1);
    let lua = runtime()?;
    // Awaits in wrong hands: by a resume that does not pass them on, and by the debug library.
    let code = "
        local yield, running = coroutine.yield, coroutine.running
        local wait = select(2, debug.getupvalue(turn, 1))
        local seen = {}
        for i = 1, 10 do
            local name, value = debug.getupvalue(turn, i)
            if name == nil then break end
            seen[name] = value
        end
        local await = seen.begin(5)
        assert(tostring(await) == 'await')
        assert(not pcall(seen.results, await))
        assert(not pcall(seen.results, await))
        assert(not pcall(seen.results, 'text'))
        local another = seen.begin(6)
        coroutine.yield(another)
        return seen.results(another)";
    assert_eq!(block_on(lua.load(code).eval_async::<i32>())?, 6);
    // A sandbox has them, too.
    let lua = Runtime::builder().sandbox(true).build()?;
    let one = lua.async_function(|| async {
        turn().await;
        1
    })?;
    lua.globals()?.set("one", one)?;
    let code = "return coroutine.wrap(function() coroutine.yield(one()) end)()";
    assert_eq!(block_on(lua.load(code).eval_async::<i32>())?, 1);
    Ok(())
}

#[test]
fn tasks_interleave_in_order() -> Result<()> {
    let lua = runtime()?;
    lua.load("log = {}").exec()?;
    let f: Function = lua
        .load("return function(name) for i = 1, 3 do log[#log + 1] = name .. i turn() end end")
        .eval()?;
    let mut tasks: VecDeque<_> = ["a", "b", "c"]
        .map(|name| Box::pin(f.call_async::<()>(name)))
        .into();
    while let Some(mut task) = tasks.pop_front() {
        match poll_once(task.as_mut()) {
            Poll::Ready(result) => result?,
            Poll::Pending => tasks.push_back(task),
        }
    }
    let log: Vec<String> = lua.globals()?.get("log")?;
    assert_eq!(log.concat(), "a1b1c1a2b2c2a3b3c3");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_on_many_threads() -> Result<()> {
    let lua = runtime()?;
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (now, peak) = (Arc::clone(&running), Arc::clone(&most));
    let sleep = lua.async_function(move |ms: u64| {
        let (now, peak) = (Arc::clone(&now), Arc::clone(&peak));
        async move {
            peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            now.fetch_sub(1, Ordering::SeqCst);
        }
    })?;
    lua.globals()?.set("sleep", sleep)?;
    let f: Function = lua
        .load("return function(n) local sum = 0 for i = 1, n do sleep(i % 3) sum = sum + turn(i) end return sum end")
        .eval()?;
    let tasks: Vec<_> = (0..50)
        .map(|n| tokio::spawn(f.call_async::<u64>(n)))
        .collect();
    for (n, task) in tasks.into_iter().enumerate() {
        let n = n as u64;
        assert_eq!(task.await.unwrap()?, n * (n + 1) / 2);
    }
    assert!(most.load(Ordering::SeqCst) > 5, "{most:?} waited at once");
    Ok(())
}

#[tokio::test]
async fn a_timeout_of_the_executor_cancels() -> Result<()> {
    let lua = runtime()?;
    let sleep = lua.async_function(|ms: u64| tokio::time::sleep(Duration::from_millis(ms)))?;
    lua.globals()?.set("sleep", sleep)?;
    let call = lua
        .load("finally = 0 pcall(sleep, 60000) finally = 1")
        .exec_async();
    let outcome = tokio::time::timeout(Duration::from_millis(20), call).await;
    assert!(outcome.is_err());
    assert_eq!(lua.globals()?.get::<u32>("finally")?, 0);
    // The lock is free while a task waits.
    let waiting = tokio::spawn(lua.load("sleep(50) return 1").eval_async::<u32>());
    tokio::time::sleep(Duration::from_millis(5)).await;
    let other = lua.clone();
    let free = std::thread::spawn(move || other.try_lock().is_some()).join();
    assert!(free.unwrap());
    assert_eq!(waiting.await.unwrap()?, 1);
    Ok(())
}

#[tokio::test]
#[cfg(unix)]
async fn the_server_example_runs() {
    let answers = async_server::run().await.unwrap();
    assert_eq!(
        answers,
        [
            "ada was here 1 times",
            "ada was here 2 times",
            "55",
            "no such command: dance now",
            "10",
            "not enough memory",
            "20",
            "the time limit of the Lua code has passed",
            "5050",
        ]
    );
}

#[test]
fn methods_of_tables_and_objects_are_futures() -> Result<()> {
    struct Counter(u32);
    impl UserType for Counter {
        const NAME: &'static str = "Counter";
        fn members(members: &mut Members<Self>) {
            members
                .async_method("add", |this: &Self, n: u32| {
                    let sum = this.0 + n;
                    async move {
                        turn().await;
                        sum
                    }
                })
                .function("name", || "counter");
        }
    }
    let lua = runtime()?;
    let object: Table = lua
        .load("return { n = 1, add = function(self, n) return self.n + turn(n) end, twice = function(n) return turn(n) * 2 end, word = 'x' }")
        .eval()?;
    assert_eq!(block_on(object.call_method_async::<f64>("add", 4))?, 5.0);
    assert_eq!(
        block_on(object.call_function_async::<f64>("twice", 4))?,
        8.0
    );
    let counter = lua.create_userdata(Counter(1))?;
    assert_eq!(block_on(counter.call_method_async::<u32>("add", 4))?, 5);
    assert_eq!(
        block_on(counter.call_function_async::<String>("name", ()))?,
        "counter"
    );
    // They own what they need, and borrow what they are given.
    let later = {
        let object = object.clone();
        object.call_method_async::<f64>("add", String::from("4").parse::<f64>()?)
    };
    assert_eq!(block_on(later)?, 5.0);
    for (name, text) in [
        ("none", "attempt to call method 'none' (a nil value)"),
        ("word", "cannot convert string to function"),
    ] {
        let error = block_on(object.call_method_async::<()>(name, ())).unwrap_err();
        assert_eq!(error.text(), text);
    }
    let error = block_on(object.call_function_async::<()>("none", ())).unwrap_err();
    assert_eq!(error.text(), "attempt to call field 'none' (a nil value)");
    let call = object.call_method_async::<f64>("add", 4);
    lua.close()?;
    assert!(matches!(block_on(call), Err(Error::Closed)));
    Ok(())
}
