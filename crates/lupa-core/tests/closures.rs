//! Typed host functions: arguments, results, errors, and closures that change what they captured.

use lupa_core::{
    Call, Error, ExternalResult, Function, IntoLua, Members, Result, Runtime, Slot, Table,
    UserType, Value, Variadic, function, function_mut, iterator,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn fails<T: std::fmt::Debug>(result: Result<T>, with: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(with), "{text:?} should contain {with:?}");
}

#[test]
fn arguments_of_all_kinds_are_converted() -> Result<()> {
    let lua = Runtime::new()?;
    let set = |name: &str, f: Function| lua.globals()?.set(name, f);
    set("text", lua.function(|a: &str, b: &[u8]| a.len() + b.len())?)?;
    set(
        "plain",
        lua.function(|a: i64, b: f64, c: bool, d: String| format!("{a} {b} {c} {d}"))?,
    )?;
    set(
        "slot",
        lua.function(|a: Slot<'_>, b: Slot<'_>| a.kind() == b.kind())?,
    )?;
    set(
        "options",
        lua.function(
            |a: Option<&str>, b: Option<i64>, c: Option<Slot<'_>>, d: Option<&[u8]>| {
                format!("{a:?} {b:?} {} {d:?}", c.is_some())
            },
        )?,
    )?;
    set(
        "handles",
        lua.function(|t: Table, f: Function, v: Value| -> Result<Value> { f.call((t, v)) })?,
    )?;
    set(
        "list",
        lua.function(|items: Vec<i64>| items.iter().sum::<i64>())?,
    )?;
    lua.load(
        r#"assert(text('ab', '\255\0') == 4)
          assert(plain(1, 2.5, true, 'x') == '1 2.5 true x')
          assert(slot(1, 2) and not slot(1, 'x') and not slot(1) and slot())
          assert(options('a', 1, 0, 'b') == [[Some("a") Some(1) true Some([98])]])
          assert(options() == 'None None false None' and options(nil, nil, nil, nil, 7) == options())
          assert(handles({ x = 5 }, function(t, v) return t.x + v end, 2) == 7)
          assert(list { 1, 2, 3 } == 6)"#,
    )
    .exec()
}

/// A value of the host, which an argument borrows from its own place.
struct Item(i64);

impl UserType for Item {
    const NAME: &'static str = "Item";
    fn members(members: &mut Members<Self>) {
        members.function("list", |this: &Self, a: i64, b: i64| vec![this.0, a, b]);
    }
}

/// Calls a function that gives its so many arguments as a list; then with another value in place of each, and with too few.
fn takes_in_order<T: IntoLua>(
    f: &Function,
    count: usize,
    argument: impl Fn(i64) -> T,
    of_type: &str,
) -> Result<()> {
    let lua = f.runtime();
    let all: Vec<i64> = (0..count as i64).map(|n| 10 + n).collect();
    let values = all
        .iter()
        .map(|n| lua.convert_to(argument(*n)))
        .collect::<Result<Vec<_>>>()?;
    // What is too much is ignored.
    for extra in 0..2 {
        let mut given = values.clone();
        given.extend((0..extra).map(|_| Value::Boolean(true)));
        assert_eq!(f.call::<Vec<i64>>(Variadic(given))?, all);
    }
    for wrong in 0..count {
        let bad = format!("bad argument #{}: cannot convert", wrong + 1);
        let mut given = values.clone();
        given.truncate(wrong);
        let missing = f.call::<()>(Variadic(given.clone()));
        fails(missing, &format!("{bad} no value to {of_type}"));
        given.push(Value::Boolean(true));
        given.extend_from_slice(&values[wrong + 1..]);
        let other = f.call::<()>(Variadic(given));
        fails(other, &format!("{bad} boolean to {of_type}"));
    }
    Ok(())
}

/// Makes functions of all the arguments, then without the first, and so on to none, and calls each.
macro_rules! of_every_arity {
    ($($type:ty, $argument:expr, $of_type:literal;)*) => {{
        let lua = Runtime::new()?;
        let mut tested = 0;
        $(of_every_arity! { @shorter lua, tested, ($type, $argument, $of_type) a b c d e f g h i j k l })*
        tested
    }};
    (@shorter $lua:ident, $tested:ident, $as:tt $($name:ident)*) => {
        of_every_arity! { @call $lua, $tested, $as $($name)* }
        of_every_arity! { @rest $lua, $tested, $as $($name)* }
    };
    (@rest $lua:ident, $tested:ident, $as:tt) => {};
    (@rest $lua:ident, $tested:ident, $as:tt $first:ident $($name:ident)*) => {
        of_every_arity! { @shorter $lua, $tested, $as $($name)* }
    };
    (@call $lua:ident, $tested:ident, ($type:ty, $argument:expr, $of_type:literal) $($name:ident)*) => {
        let count = <[&str]>::len(&[$(stringify!($name)),*]);
        let list = |$($name: $type),*| Vec::<i64>::from([$($name.number()),*]);
        takes_in_order(&$lua.function(list)?, count, $argument, $of_type)?;
        let mut calls = Vec::new();
        let keeping = $lua.function_mut(move |$($name: $type),*| {
            calls.push(Vec::<i64>::from([$($name.number()),*]));
            calls.last().cloned()
        })?;
        takes_in_order(&keeping, count, $argument, $of_type)?;
        $tested += 1;
    };
}

/// What the arguments of these functions have in common.
trait Numbered {
    fn number(&self) -> i64;
}

impl Numbered for i64 {
    fn number(&self) -> i64 {
        *self
    }
}

impl Numbered for str {
    fn number(&self) -> i64 {
        self.parse().unwrap()
    }
}

impl Numbered for Item {
    fn number(&self) -> i64 {
        self.0
    }
}

#[test]
fn functions_of_up_to_twelve_arguments_take_them_in_order() -> Result<()> {
    let tested = of_every_arity! {
        i64, |n| n, "i64";
        &str, |n| n.to_string(), "string";
        &Item, Item, "Item";
    };
    assert_eq!(tested, 3 * 13);
    Ok(())
}

#[test]
fn untyped_functions_name_arguments_by_their_number_too() -> Result<()> {
    let lua = Runtime::new()?;
    for count in 0..=12 {
        let list = lua.create_function(move |call| {
            let all = (0..count).map(|index| call.get::<i64>(index));
            let all: Vec<i64> = all.collect::<Result<_>>()?;
            call.push(all)
        })?;
        takes_in_order(&list, count, |n| n, "i64")?;
    }
    Ok(())
}

#[test]
fn arguments_of_a_method_are_counted_after_its_object() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("item", Item(1))?;
    assert_eq!(
        lua.load("return item:list(2, 3)").eval::<Vec<i64>>()?,
        [1, 2, 3]
    );
    fails(lua.load("item:list(2)").exec(), "bad argument #2");
    fails(lua.load("item:list({}, 3)").exec(), "bad argument #1");
    fails(
        lua.load("local list = item.list list(item, {}, 3)").exec(),
        "bad argument #2",
    );
    Ok(())
}

#[test]
fn arguments_of_several_kinds_stand_side_by_side() -> Result<()> {
    let lua = Runtime::new()?;
    let all = lua.function(
        |a: i64,
         b: &str,
         lua: &Runtime,
         c: Option<&str>,
         d: &Item,
         call: &Call<'_>,
         e: &[u8],
         f: bool,
         g: Variadic<i64>| {
            let own = (lua.is_closed(), call.len());
            format!("{a} {b} {c:?} {} {e:?} {f} {g:?} {own:?}", d.0)
        },
    )?;
    lua.globals()?.set("all", all)?;
    lua.globals()?.set("item", Item(4))?;
    let text: String = lua
        .load("return all(1, 2 .. '', nil, item, 'A', true, 7, 8)")
        .eval()?;
    assert_eq!(text, "1 2 None 4 [65] true Variadic([7, 8]) (false, 8)");
    fails(
        lua.load("all(1, '', nil, item, '', true, 7, 'x')").exec(),
        "bad argument #8: cannot convert string to i64",
    );
    Ok(())
}

fn named(text: &str, times: usize) -> String {
    text.repeat(times)
}

#[test]
fn functions_with_a_name_are_closures_too() -> Result<()> {
    let lua = Runtime::new()?;
    assert_eq!(lua.function(named)?.call::<String>(("ab", 2))?, "abab");
    assert_eq!(lua.function(f64::hypot)?.call::<f64>((3, 4))?, 5.0);
    assert_eq!(lua.function(str::len)?.call::<usize>("four")?, 4);
    Ok(())
}

#[test]
fn a_bad_argument_is_named_by_its_position() -> Result<()> {
    let lua = Runtime::new()?;
    let f = lua.function(|_: &Runtime, _: f64, _: &Call<'_>, _: &str, _: Variadic<u8>| ())?;
    // What comes with the call does not count.
    fails(
        f.call::<()>("x"),
        "bad argument #1: cannot convert string to number",
    );
    fails(
        f.call::<()>(1),
        "bad argument #2: cannot convert no value to string",
    );
    fails(
        f.call::<()>((1, 2)),
        "bad argument #2: cannot convert number to string",
    );
    fails(
        f.call::<()>((1, "x", 1, 256)),
        "bad argument #4: cannot convert number to u8: 256 is not between 0 and 255",
    );
    fails(
        f.call::<()>((1, not_text())),
        "bad argument #2: cannot convert string to UTF-8 text",
    );
    let optional = lua.function(|a: Option<&str>| a.is_none())?;
    assert!(optional.call::<bool>(Value::Nil)? && optional.call::<bool>(())?);
    fails(
        optional.call::<()>(1),
        "bad argument #1: cannot convert number to string",
    );
    // Lua code sees a text.
    lua.globals()?.set("f", f)?;
    let text: String = lua.load("return select(2, pcall(f, {}))").eval()?;
    assert_eq!(text, "bad argument #1: cannot convert table to number");
    Ok(())
}

fn not_text() -> lupa_core::Bytes<'static> {
    lupa_core::Bytes(b"\xff")
}

#[test]
fn results_are_values_tuples_and_results_of_these() -> Result<()> {
    let lua = Runtime::new()?;
    lua.function(|| ())?.call::<()>(())?;
    assert_eq!(
        lua.function(|| (1, "two", 3.5))?
            .call::<(i64, String, f64)>(())?,
        (1, "two".into(), 3.5)
    );
    assert_eq!(lua.function(|| None::<i64>)?.call::<Option<i64>>(())?, None);
    assert_eq!(
        *lua.function(|n: i64| (0..n).collect::<Variadic<_>>())?
            .call::<Variadic<i64>>(3)?,
        [0, 1, 2]
    );
    let many = lua.function(|n: i64| (0..n).collect::<Variadic<_>>())?;
    assert_eq!(many.call::<Variadic<i64>>(5000)?.len(), 5000);
    fails(many.call::<()>(1_000_000), "Lua stack overflow");
    // A result that does not convert leaves nothing on the stack.
    let half = lua.function(|| (1, u128::MAX))?;
    lua.globals()?.set("half", half)?;
    let count: i64 = lua.load("return select('#', pcall(half))").eval()?;
    assert_eq!(count, 2);
    assert_eq!(
        lua.function(|n: i64| if n < 0 { Err("negative".into()) } else { Ok(n) })?
            .call::<i64>(1)?,
        1
    );
    Ok(())
}

#[derive(Debug, thiserror::Error, PartialEq)]
#[error("own error {0}")]
struct Own(i32);

#[test]
fn errors_arrive_as_what_they_were() -> Result<()> {
    let lua = Runtime::new()?;
    let parse = lua.function(|text: &str| {
        Ok(text.parse::<i64>()? + std::str::from_utf8(b"1")?.parse::<i64>()?)
    })?;
    assert_eq!(parse.call::<i64>("41")?, 42);
    let error = parse.call::<i64>("x").unwrap_err();
    assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
    let io = lua.function(|name: &str| Ok(std::fs::read(name)?.len()))?;
    let error = io.call::<usize>("/no/such/file").unwrap_err();
    assert_eq!(
        error.downcast_ref::<std::io::Error>().unwrap().kind(),
        std::io::ErrorKind::NotFound
    );
    let own = lua.function(|n: i32| Err::<(), _>(Own(n)).external())?;
    assert_eq!(own.call::<()>(7).unwrap_err().downcast_ref(), Some(&Own(7)));
    let boxed = lua.function(|| -> Result<()> {
        let error: Box<dyn std::error::Error + Send + Sync> = Box::new(Own(8));
        Err(error)?
    })?;
    assert_eq!(
        boxed.call::<()>(()).unwrap_err().downcast_ref(),
        Some(&Own(8))
    );
    // Through Lua code, pcall and error.
    lua.globals()?.set("own", own)?;
    let error = lua
        .load("local _, e = pcall(own, 3) assert(tostring(e) == 'own error 3') error(e)")
        .exec()
        .unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&Own(3)));
    Ok(())
}

#[test]
fn plain_arguments_make_no_handles() -> Result<()> {
    let lua = Runtime::new()?;
    let before = lua.handles()?;
    lua.globals()?.set(
        "f",
        function(|lua: &Runtime, a: &str, b: Slot<'_>, c: Option<f64>| {
            let _ = (a, b, c);
            lua.handles()
        }),
    )?;
    assert_eq!(lua.load("return f('x', {}, 1)").eval::<usize>()?, before);
    Ok(())
}

#[test]
fn the_closure_is_dropped_with_its_function() -> Result<()> {
    let lua = Runtime::new()?;
    let held = Arc::new(());
    let in_closure = Arc::clone(&held);
    lua.globals()?.set(
        "f",
        function(move |n: usize| n + Arc::strong_count(&in_closure)),
    )?;
    let in_closure = Arc::clone(&held);
    lua.globals()?
        .set("g", function_mut(move || drop(in_closure.clone())))?;
    assert_eq!(lua.load("return f(1)").eval::<usize>()?, 4);
    assert_eq!(Arc::strong_count(&held), 3);
    lua.load("f, g = nil").exec()?;
    lua.gc_collect()?;
    assert_eq!(Arc::strong_count(&held), 1);
    Ok(())
}

#[test]
fn a_closure_that_changes_what_it_captured_cannot_be_entered_twice() -> Result<()> {
    let lua = Runtime::new()?;
    let mut depth = 0;
    lua.globals()?.set(
        "f",
        function_mut(move |inner: Option<Function>| {
            depth += 1;
            let outcome = inner.map_or(Ok(()), |inner| inner.call(()));
            assert!(depth > 0);
            outcome.map(|()| depth)
        }),
    )?;
    let text = "in use";
    fails(lua.load("f(function() f() end)").exec(), text);
    // Caught by Lua code, and from a coroutine: the first call goes on.
    let depth: i64 = lua.load(
        "return f(function()
             local ok, e = pcall(f) assert(not ok and e == 'the function is in use')
             local ok, e = coroutine.resume(coroutine.create(f)) assert(not ok and e == 'the function is in use')
         end)",
    ).eval()?;
    assert_eq!(depth, 2);
    // It is free again after an error and after a panic.
    fails(lua.load("f(function() error('x') end)").exec(), "x");
    let panicking = lua.function(|| -> () { panic!("on the way") })?;
    lua.globals()?.set("panicking", panicking)?;
    let panic = std::panic::catch_unwind(|| lua.load("pcall(f, panicking)").exec()).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on the way"));
    assert_eq!(lua.load("return f()").eval::<i64>()?, 5);
    // A closure that changes nothing can be.
    lua.globals()?.set(
        "g",
        function(|again: bool, lua: &Runtime| -> Result<i64> {
            if again {
                lua.load("return g(false) + 1").eval()
            } else {
                Ok(1)
            }
        }),
    )?;
    assert_eq!(lua.load("return g(true)").eval::<i64>()?, 2);
    Ok(())
}

#[test]
fn iterators_serve_lua_loops() -> Result<()> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("count", function(|to: i64| iterator(1..=to)))?;
    globals.set(
        "pairs_of",
        function(|text: String| {
            iterator(
                text.into_bytes()
                    .into_iter()
                    .map(|b| (b, (b as char).to_string())),
            )
        }),
    )?;
    lua.load(
        "local sum = 0 for n in count(4) do sum = sum + n end assert(sum == 10)
         local text = '' for b, c in pairs_of('xyz') do text = text .. b .. c end assert(text == '120x121y122z')
         for _ in count(0) do error('empty') end
         local it = count(1) assert(it() == 1 and it() == nil and it() == nil)",
    ).exec()
}

#[test]
fn a_function_is_called_on_whichever_thread_runs_lua() -> Result<()> {
    let lua = Runtime::new()?;
    let calls = Arc::new(AtomicUsize::new(0));
    let mut own = 0;
    let counted = Arc::clone(&calls);
    let f = lua.function_mut(move |n: usize| {
        own += n;
        counted.fetch_add(n, Relaxed);
        own
    })?;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| assert!(f.call::<usize>(1).unwrap() > 0)));
        }
    });
    // Breaks if two threads are ever in the closure at once.
    assert_eq!((f.call::<usize>(0)?, calls.load(Relaxed)), (2000, 2000));
    Ok(())
}

#[test]
fn errors_of_the_closed_runtime_reach_the_maker() -> Result<()> {
    let lua = Runtime::new()?;
    lua.close()?;
    assert!(matches!(lua.function(|| 1), Err(Error::Closed)));
    assert!(matches!(lua.function_mut(|| 1), Err(Error::Closed)));
    Ok(())
}
