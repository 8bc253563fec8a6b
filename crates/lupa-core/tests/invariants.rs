//! The invariants of the design, where another file has no test of them already.

use lupa_core::{
    Call, Error, Function, HostObject, Operation, Result, Runtime, Table, UserData, Value,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// 2. Errors of Lua and of the host cross both kinds of frames, many times over.
#[test]
fn errors_cross_nested_frames_with_drops() -> Result<()> {
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let lua = Runtime::new()?;
    let drops: Arc<AtomicUsize> = Arc::default();
    let counter = drops.clone();
    let call = lua.create_function(move |call| {
        let _count = Count(counter.clone());
        call.get::<Function>(0)?.call::<()>(call.arg(1))
    })?;
    lua.globals()?.set("host", call)?;
    // Breaks (frames are skipped) if the error is raised below a Rust frame.
    let error = lua
        .load("local function f(n) if n == 0 then error({'deep'}) end host(f, n - 1) end f(50)")
        .exec()
        .unwrap_err();
    let Error::Runtime(error) = &error else {
        panic!("{error:?}")
    };
    assert!(matches!(&error.value, Some(Value::Table(_))));
    assert_eq!(drops.load(SeqCst), 50);
    Ok(())
}

/// 3. Pushes do not raise when the limit is met, on any stack.
#[test]
fn the_limit_is_not_enforced_in_host_functions() -> Result<()> {
    let lua = Runtime::builder().memory_limit(3 << 20).build()?;
    let hoard = lua.create_function(|call| {
        let mut kept = Vec::new();
        // Breaks (unprotected error) if the limit stays enforced in a host function.
        while kept.len() < 100_000 {
            match call
                .runtime()
                .create_table_with(4, 4, |t| t.set("x", format!("value {}", kept.len())))
            {
                Ok(table) => kept.push(table),
                Err(Error::Memory) => return call.push(kept.len()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::message("there was no limit"))
    })?;
    lua.globals()?.set("hoard", hoard)?;
    for code in [
        "return hoard()",
        "return coroutine.wrap(function() return hoard() end)()",
    ] {
        match lua.load(code).eval::<usize>() {
            Ok(count) => assert!(count > 1000),
            Err(error) => assert!(matches!(error, Error::Memory), "{error}"),
        }
        lua.gc_collect()?;
        assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
    }
    Ok(())
}

struct Item(usize, Arc<AtomicUsize>);

impl Drop for Item {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
    }
}

impl HostObject for Item {
    const NAME: &'static str = "item";
    const OPERATIONS: &'static [Operation] = &[Operation::Call];
    fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
        call.push(self.0)
    }
}

/// 5. The cache is a hint: an identity that names another object now gives that one.
#[test]
fn a_reused_identity_gives_the_new_object() -> Result<()> {
    let lua = Runtime::new()?;
    let drops: Arc<AtomicUsize> = Arc::default();
    let count = drops.clone();
    let get = lua.create_function(move |call| {
        let (identity, content): (usize, usize) = (call.get(0)?, call.get(1)?);
        let item = || Item(content, count.clone());
        call.push_with(|to| to.identified_object(identity, |item: &Item| item.0 == content, item))
    })?;
    lua.globals()?.set("get", get)?;
    // Breaks if the cache is trusted.
    lua.load(
        "local kept = {}
         for i = 1, 20000 do
             local identity = i % 16
             local object = get(identity, i)
             assert(object() == i)
             kept[i % 40] = object
             if i % 97 == 0 then collectgarbage('step', 100) end
             if i % 1009 == 0 then collectgarbage() end
             -- The newest object of an identity stays its userdata, whatever __gc ran late.
             assert(rawequal(get(identity, i), object))
         end
         local one, two = get(1, 'one' and 100001), get(1, 100002)
         debug.getmetatable(one).__gc(one)
         assert(rawequal(get(1, 100002), two) and two() == 100002)
         local again = get(1, 100001)
         assert(again() == 100001 and not rawequal(again, one))",
    )
    .exec()?;
    lua.close()?;
    assert_eq!(drops.load(SeqCst), 20003);
    Ok(())
}

/// 6. Handles stay valid whatever was collected, and are released inside `__gc`.
#[test]
fn handles_are_released_in_finalizers() -> Result<()> {
    struct Holder(#[allow(dead_code)] Vec<Table>);
    impl HostObject for Holder {
        const NAME: &'static str = "holder";
        const OPERATIONS: &'static [Operation] = &[];
        fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
            Ok(())
        }
    }
    let lua = Runtime::new()?;
    let warm_up = lua.create_object(Holder(vec![]))?;
    let before = lua.handles()?;
    for _ in 0..200 {
        let tables = (0..20).map(|_| lua.create_table()).collect::<Result<_>>()?;
        drop(lua.create_object(Holder(tables))?);
        lua.load("for i = 1, 100 do local t = {} end").exec()?;
    }
    lua.gc_collect()?;
    lua.gc_collect()?;
    assert_eq!(lua.handles()?, before);
    drop(warm_up);
    Ok(())
}

/// 8. Metatables of host objects are locked.
#[test]
fn metatables_are_locked() -> Result<()> {
    let lua = Runtime::new()?;
    let object: UserData = lua.create_object(Item(1, Arc::default()))?;
    // Breaks if `__metatable` is not set.
    lua.load(
        "local object = ...
         assert(getmetatable(object) == false)
         assert(not pcall(setmetatable, object, {}))",
    )
    .call::<()>(&object)
}

/// 10. The error that was raised arrives, with its own traceback.
#[test]
fn errors_are_not_swapped() -> Result<()> {
    #[derive(Debug, thiserror::Error)]
    #[error("number {0}")]
    struct Numbered(usize);
    let lua = Runtime::new()?;
    let next = AtomicUsize::new(0);
    let fail =
        lua.create_function(move |_| Err(Error::external(Numbered(next.fetch_add(1, SeqCst)))))?;
    lua.globals()?.set("fail", fail)?;
    let number = |code: &str| {
        let error = lua.load(code).exec().unwrap_err();
        error.downcast_ref::<Numbered>().map(|n| n.0)
    };
    // Breaks if the host's error is found by anything but the Lua value.
    assert_eq!(number("fail()"), Some(0));
    assert_eq!(
        number("local _, a = pcall(fail); local _, b = pcall(fail); error(a)"),
        Some(1)
    );
    assert_eq!(
        number("local _, a = pcall(fail); local _, b = pcall(fail); error(b)"),
        Some(4)
    );
    assert_eq!(number("coroutine.wrap(fail)()"), Some(5));
    assert_eq!(
        number("local co = coroutine.create(fail); error(select(2, coroutine.resume(co)))"),
        Some(6)
    );
    assert_eq!(number("pcall(fail) error('plain')"), None);

    let inner: Function = lua
        .load("local function inner() error('x', 0) end return function() inner() end")
        .name("=inner")
        .eval()?;
    let caught = lua.create_function(move |call| call.push(inner.call::<()>(()).is_err()))?;
    lua.globals()?.set("caught", caught)?;
    let error = lua
        .load("local function outer() assert(caught()) error('y', 0) end outer()")
        .name("=outer")
        .exec()
        .unwrap_err();
    let traceback = error.traceback().unwrap();
    assert!(
        traceback.contains("'outer'") && !traceback.contains("inner"),
        "{traceback}"
    );

    for value in [
        "1",
        "true",
        "nil",
        "{}",
        "print",
        "1e300",
        "coroutine.create(print)",
        "'text'",
        "newproxy()",
    ] {
        let code = format!("value = {value}; error(value, 0)");
        let Error::Runtime(error) = lua.load(&code).exec().unwrap_err() else {
            panic!("{value}")
        };
        if value == "'text'" {
            assert_eq!(
                (&error.message[..], error.value.is_none()),
                (&b"text"[..], true)
            );
            continue;
        }
        let same: bool = lua
            .load("return value == ...")
            .call(error.value.as_ref().expect(value))?;
        assert!(same, "{value}");
    }
    lua.close() // `caught` holds a function of the runtime that holds it
}

/// 10. An error that `pcall` must not catch arrives as the value that it was.
#[test]
fn uncatchable_errors_arrive() -> Result<()> {
    let lua = Runtime::new()?;
    let stop = lua.create_function(|call| Err(call.raise_uncatchable("stop now")))?;
    lua.globals()?.set("stop", stop)?;
    for code in [
        "while true do pcall(stop) end",
        "coroutine.wrap(function() while true do pcall(stop) end end)()",
        "return pcall(stop)",
        "return (pcall(pcall, stop))",
    ] {
        let Error::Runtime(error) = lua.load(code).exec().unwrap_err() else {
            panic!()
        };
        assert_eq!(error.message[..], *b"stop now", "{code}");
        assert!(!lua.load("return pcall(error)").eval::<bool>()?);
    }
    Ok(())
}
