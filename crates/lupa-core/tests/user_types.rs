//! User types: typed functions, operators, access from Rust, and objects that are only lent.

use lupa_core::{
    Access, Either, Error, Function, Members, Operation, Result, Runtime, UserData, UserType,
    Value, Variadic, iterator,
};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

fn fails<T: std::fmt::Debug>(result: Result<T>, with: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(with), "{text:?} should contain {with:?}");
}

#[derive(Debug, Clone, PartialEq)]
struct Vector {
    x: f64,
    y: f64,
}

type Operand<'a> = Either<f64, &'a Vector>;

fn parts(operand: Operand<'_>) -> (f64, f64) {
    operand.either(|n| (n, n), |v| (v.x, v.y))
}

fn apply(f: fn(f64, f64) -> f64, a: Operand<'_>, b: Operand<'_>) -> Vector {
    let ((ax, ay), (bx, by)) = (parts(a), parts(b));
    Vector {
        x: f(ax, bx),
        y: f(ay, by),
    }
}

impl UserType for Vector {
    const NAME: &'static str = "Vector";

    fn members(members: &mut Members<Self>) {
        members
            .field("x", |v| v.x, |v, x| v.x = x)
            .field("y", |v| v.y, |v, y| v.y = y)
            .function("new", |x: f64, y: f64| Vector { x, y })
            .function("dot", |a: &Self, b: &Self| a.x * b.x + a.y * b.y)
            .function("add_to", |a: &mut Self, b: &Self| {
                (a.x, a.y) = (a.x + b.x, a.y + b.y);
            })
            .function(
                "sum",
                |first: Option<&Self>, rest: Variadic<UserData>| -> Result<f64> {
                    let mut sum = first.map_or(0.0, |v| v.x);
                    for vector in &rest {
                        sum += vector.with::<Vector, _>(|v| v.x)?;
                    }
                    Ok(sum)
                },
            )
            .function("each", |this: &Self, f: Function| -> Result<()> {
                f.call::<()>(this.x)?;
                f.call(this.y)
            })
            .function("change", |this: &mut Self, f: Function| -> Result<()> {
                this.x += 1.0;
                f.call(())
            })
            .function("items", |this: &Self| {
                iterator([("x", this.x), ("y", this.y)])
            })
            .function("try", |this: &Self, text: &str| {
                Ok(this.x + text.parse::<f64>()?)
            })
            .function("clone", Vector::clone)
            .metamethod(Operation::Add, |a: Operand<'_>, b: Operand<'_>| {
                apply(|a, b| a + b, a, b)
            })
            .metamethod(Operation::Sub, |a: Operand<'_>, b: Operand<'_>| {
                apply(|a, b| a - b, a, b)
            })
            .metamethod(Operation::Mul, |a: Operand<'_>, b: Operand<'_>| {
                apply(|a, b| a * b, a, b)
            })
            .metamethod(Operation::Div, |a: Operand<'_>, b: Operand<'_>| {
                apply(|a, b| a / b, a, b)
            })
            .metamethod(Operation::Mod, |a: Operand<'_>, b: Operand<'_>| {
                apply(|a, b| a % b, a, b)
            })
            .metamethod(Operation::Pow, |a: Operand<'_>, b: Operand<'_>| {
                apply(f64::powf, a, b)
            })
            .metamethod(Operation::Neg, |v: &Self| Vector { x: -v.x, y: -v.y })
            .metamethod(
                Operation::Concat,
                |a: Either<&Self, String>, b: Either<&Self, String>| {
                    let text = |v: Either<&Self, String>| v.either(|v| format!("{v:?}"), |s| s);
                    text(a) + &text(b)
                },
            )
            .metamethod(Operation::Eq, |a: &Self, b: &Self| a == b)
            .metamethod(Operation::Lt, |a: &Self, b: &Self| a.x < b.x)
            .metamethod(Operation::Le, |a: &Self, b: &Self| a.x <= b.x)
            .metamethod(Operation::Len, |_: &Self| 2)
            .metamethod(
                Operation::Call,
                |this: &Self, a: f64, rest: Variadic<f64>| this.x * a + rest.iter().sum::<f64>(),
            )
            .metamethod(Operation::Index, |this: &Self, key: Value| match key {
                Value::Number(1.0) => Some(this.x),
                Value::Number(2.0) => Some(this.y),
                _ => None,
            })
            .metamethod(
                Operation::NewIndex,
                |this: &mut Self, key: usize, value: f64| match key {
                    1 => Ok(std::mem::replace(&mut this.x, value)),
                    2 => Ok(std::mem::replace(&mut this.y, value)),
                    _ => Err(format!("no component {key}").into()),
                },
            )
            .debug();
    }
}

fn runtime() -> Result<Runtime> {
    let lua = Runtime::new()?;
    lua.globals()?.set("Vector", lua.type_table::<Vector>()?)?;
    lua.load(
        "v, w = Vector.new(1, 2), Vector.new(3, 4)
              function fails(text, f, ...)
                  local ok, e = pcall(f, ...)
                  assert(not ok and tostring(e):find(text, 1, true), tostring(e))
              end",
    )
    .exec()?;
    Ok(lua)
}

/// Lua code, run with two vectors: each line holds.
const LINES: &[&str] = &[
    "assert(v:dot(w) == 11 and Vector.dot(v, w) == 11 and v:dot(v) == 5)",
    "v:add_to(w) assert(v.x == 4 and v.y == 6 and w.x == 3)",
    "assert(Vector.sum() == 0 and Vector.sum(nil, v) == 1 and Vector.sum(v, w, w, v) == 8)",
    "v.x = 7 assert(v.x == 7 and v[1] == 7 and v[2] == 2 and v[3] == nil and v.z == nil)",
    "v[2] = 8 assert(v.y == 8) fails('no component 3', function() v[3] = 1 end)",
    "assert(v + w == Vector.new(4, 6) and v + 1 == Vector.new(2, 3) and 1 - v == Vector.new(0, -1))",
    "assert(v * 2 == 2 * v and w / v == Vector.new(3, 2) and w % 2 == Vector.new(1, 0) and v ^ 2 == Vector.new(1, 4))",
    "assert(-v == Vector.new(-1, -2) and v ~= w and v < w and v <= w and w > v and not (w <= v))",
    "assert(#v == 2 and v(10) == 10 and v(10, 1, 2) == 13)",
    "assert(tostring(v) == 'Vector { x: 1.0, y: 2.0 }' and v .. '!' == tostring(v) .. '!' and '!' .. v == '!' .. tostring(v))",
    "local t = {} for k, n in v:items() do t[k] = n end assert(t.x == 1 and t.y == 2)",
    "assert(v:clone() == v and not rawequal(v:clone(), v))",
    // Errors name the argument.
    "fails('bad argument #2: cannot convert number to Vector', v.dot, v, 1)",
    "fails('bad argument #1: cannot convert no value to Vector', v.dot)",
    "fails('bad argument #2: cannot convert string to number', Vector.new, 1, '2')",
    "fails('bad argument #2: cannot convert table to number: nor to Vector', function() return v + {} end)",
    "fails('invalid float literal', v.try, v, 'x') assert(v:try('1') == 2)",
    "fails('bad argument #1: cannot convert userdata to Vector', v.dot, io.stdout, v)",
    // ... as the caller counts: the object in `object:method(…)` is none.
    "fails('bad argument #1: cannot convert number to Vector', function() v:dot(1) end)",
    "fails('bad argument #1: Vector is in use', function() v:add_to(v) end)",
    "local t = { dot = v.dot } fails(\"calling 'dot' on bad self: cannot convert table to Vector\", function() t:dot(v) end)",
    "local t = { dot = v.dot } fails('bad argument #1: cannot convert table to Vector', function() t.dot(t, v) end)",
    "local t = { dot = v.dot } fails('bad argument #1: cannot convert table to Vector', function() return t.dot(t, v) end)",
    // The same object twice, changed: an error, not two borrows.
    "fails('bad argument #2: Vector is in use', v.add_to, v, v)",
    "v:each(function(n) fails('Vector is in use', function() v.x = n end) assert(v.x == 1) end)",
    "v:change(function() fails('Vector is in use', function() return v.x end) fails('Vector is in use', v.dot, v, v) end)",
    "fails('x', v.change, v, function() error('x') end) assert(v.x == 2 and v:dot(v) == 8)",
    // A coroutine does not get around the check.
    "v:change(function() local co = coroutine.create(v.dot) local ok, e = coroutine.resume(co, w, v) assert(not ok and e:find('in use')) end)",
    // What Lua does to the table of the type changes no object.
    "local dot = Vector.dot Vector.dot = nil assert(v:dot(w) == 11) Vector.dot = dot",
    "assert(v.dot == w.dot and v.dot == Vector.dot)",
    "fails('Vector has no field', function() v.dot = 1 end)",
];

#[test]
fn lua_code_uses_objects() -> Result<()> {
    for line in LINES {
        let lua = runtime()?;
        lua.load(line)
            .exec()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    Ok(())
}

#[test]
fn rust_code_reaches_the_value_behind_a_handle() -> Result<()> {
    let lua = runtime()?;
    let v: UserData = lua.globals()?.get("v")?;
    assert!(v.is::<Vector>()? && !v.is::<Other>()?);
    assert_eq!(v.borrow::<Vector>()?.y, 2.0);
    v.borrow_mut::<Vector>()?.y = 5.0;
    assert_eq!(v.with(|v: &Vector| v.y)?, 5.0);
    v.with_mut(|v: &mut Vector| v.x = 6.0)?;
    assert_eq!(lua.load("return v.x + v.y").eval::<f64>()?, 11.0);
    fails(v.borrow::<Other>(), "cannot convert Vector to Other");
    fails(v.borrow_mut::<Other>(), "cannot convert Vector to Other");
    fails(v.with(|_: &Other| ()), "cannot convert Vector to Other");
    fails(
        v.take::<Other>().map(|_| ()),
        "cannot convert Vector to Other",
    );
    let file: UserData = lua.load("return io.stdout").eval()?;
    assert!(!file.is::<Vector>()?);
    fails(file.borrow::<Vector>(), "cannot convert userdata to Vector");
    Ok(())
}

#[derive(Debug)]
struct Other;

impl UserType for Other {
    const NAME: &'static str = "Other";
    fn members(_: &mut Members<Self>) {}
}

#[test]
fn borrows_of_rust_and_lua_are_checked_together() -> Result<()> {
    let lua = runtime()?;
    let v: UserData = lua.globals()?.get("v")?;
    let same: UserData = lua.globals()?.get("v")?;
    let in_use = |result: Result<()>| fails(result, "Vector is in use");
    {
        let (a, b) = (v.borrow::<Vector>()?, same.borrow::<Vector>()?);
        assert_eq!(a.x, b.x);
        in_use(same.borrow_mut::<Vector>().map(drop));
        in_use(same.take::<Vector>().map(drop));
        in_use(same.with_mut(|_: &mut Vector| ()));
        in_use(lua.load("v.x = 2").exec());
        assert_eq!(lua.load("return v.x").eval::<f64>()?, 1.0);
    }
    {
        let mut a = v.borrow_mut::<Vector>()?;
        in_use(same.borrow::<Vector>().map(drop));
        in_use(lua.load("return v.x").exec());
        // The finalizer waits for the borrow, and nothing else can be made of the userdata.
        lua.load("debug.getmetatable(v).__gc(v) v = nil").exec()?;
        drop(same);
        lua.gc_collect()?;
        a.x = 9.0;
        assert_eq!(a.x, 9.0);
        assert!(matches!(lua.close(), Err(Error::Busy)));
    }
    fails(v.borrow::<Vector>(), "to Vector");
    lua.close()?;
    assert!(matches!(v.borrow::<Vector>(), Err(Error::Closed)));
    Ok(())
}

#[test]
fn a_borrow_keeps_other_threads_out() -> Result<()> {
    let lua = runtime()?;
    let v: UserData = lua.globals()?.get("v")?;
    let free = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        let mut borrow = v.borrow_mut::<Vector>()?;
        let other = threads.spawn(|| {
            let seen = v.with(|v: &Vector| v.x).unwrap();
            assert_eq!(free.load(SeqCst), 1, "got in while it was borrowed");
            seen
        });
        std::thread::sleep(std::time::Duration::from_millis(20));
        borrow.x = 77.0;
        free.store(1, SeqCst);
        drop(borrow);
        assert_eq!(other.join().unwrap(), 77.0);
        Ok(())
    })
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl UserType for Counted {
    const NAME: &'static str = "Counted";
    fn members(members: &mut Members<Self>) {
        members
            .function("touch", |_: &Self| ())
            .function("make", |this: &Self| Counted(Arc::clone(&this.0)));
    }
}

#[test]
fn values_are_dropped_once_and_can_be_taken() -> Result<()> {
    let drops = Arc::new(AtomicUsize::new(0));
    let lua = Runtime::new()?;
    let object = lua.create_userdata(Counted(Arc::clone(&drops)))?;
    lua.globals()?.set("object", &object)?;
    lua.load("object:make() object:make():touch()").exec()?;
    lua.gc_collect()?;
    assert_eq!(drops.load(SeqCst), 2);
    let value = object.take::<Counted>()?;
    fails(
        lua.load("object:touch()").exec(),
        "the Counted was taken out of its userdata",
    );
    fails(object.take::<Counted>().map(drop), "the Counted was taken");
    fails(object.with(|_: &Counted| ()), "the Counted was taken");
    lua.close()?;
    assert_eq!(drops.load(SeqCst), 2);
    drop(value);
    assert_eq!(drops.load(SeqCst), 3);
    Ok(())
}

#[test]
fn lent_objects_are_used_like_others_until_the_scope_ends() -> Result<()> {
    let lua = runtime()?;
    let (mut mine, fixed) = (Vector { x: 1.0, y: 2.0 }, Vector { x: 10.0, y: 20.0 });
    let kept = lua.scope(|scope| {
        let globals = lua.globals()?;
        let handle = scope.object_mut(&mut mine)?;
        globals.set("mine", &handle)?;
        globals.set("fixed", scope.object(&fixed)?)?;
        lua.load(
            "mine.x = mine.x + fixed.x  mine:add_to(fixed)
             assert(mine.x == 21 and mine:dot(v) == 65 and (mine + fixed).x == 31 and v:dot(fixed) == 50)
             fails('lent to be read only', function() fixed.x = 1 end)
             fails('lent to be read only', fixed.add_to, fixed, v)
             fails('in use', mine.add_to, mine, mine)
             co = coroutine.wrap(function() local m = mine coroutine.yield() return m.x end) co()
             t = setmetatable({}, { __index = mine })",
        )
        .exec()?;
        assert_eq!(handle.with(|v: &Vector| v.x)?, 21.0);
        handle.with_mut(|v: &mut Vector| v.y = 0.0)?;
        // These would outlive the scope.
        fails(handle.borrow::<Vector>().map(drop), "only lent");
        fails(handle.borrow_mut::<Vector>().map(drop), "only lent");
        fails(handle.take::<Vector>().map(drop), "only lent");
        Ok(handle)
    })?;
    assert_eq!(mine, Vector { x: 21.0, y: 0.0 });
    let ended = "the scope of Vector has ended";
    for code in [
        "return mine.x",
        "mine.x = 1",
        "mine:dot(v)",
        "v:dot(mine)",
        "return mine + 1",
        "co()",
        "return t.y",
        "return #fixed",
    ] {
        fails(lua.load(code).exec(), ended);
    }
    fails(kept.with(|_: &Vector| ()), ended);
    assert!(kept.is::<Vector>()?);
    lua.load("mine, fixed, co, t = nil").exec()?;
    drop(kept);
    lua.gc_collect()
}

#[test]
fn filters_see_methods_fields_and_what_serves_other_names() -> Result<()> {
    let lua = Runtime::builder()
        .attribute_filter(|object, name, access| match &*name {
            b"dot" | b"secret" => Err(Error::message(format!(
                "no {object}.{}",
                String::from_utf8_lossy(&name)
            ))),
            b"x" if access == Access::Set => Err(Error::message("x is fixed")),
            // Under another name, members and what is no member alike.
            b"width" => Ok(Cow::Borrowed(b"x")),
            b"combine" => Ok(Cow::Borrowed(b"add_to")),
            _ => Ok(name),
        })
        .build()?;
    lua.globals()?.set("Vector", lua.type_table::<Vector>()?)?;
    lua.load(
        "v = Vector.new(1, 2)
         local function fails(text, f, ...)
             local ok, e = pcall(f, ...)
             assert(not ok and tostring(e):find(text, 1, true), tostring(e))
         end
         fails('no Vector.dot', function() return v.dot end)
         fails('no Vector.secret', function() return v.secret end)
         fails('no Vector.secret', function() v.secret = 1 end)
         fails('x is fixed', function() v.x = 1 end)
         v.y = 3 assert(v.x == 1 and v.width == 1 and v.y == 3 and v[1] == 1)
         v.width = 5 assert(v.x == 5)
         v:combine(Vector.new(1, 1)) assert(v.x == 6)
         -- The table of the type does not lead around the filter.
         assert(Vector.dot == nil and Vector.new and Vector.combine == nil)",
    )
    .exec()
}

struct Bag;

impl UserType for Bag {
    const NAME: &'static str = "Bag";
    fn members(members: &mut Members<Self>) {
        members
            .pairs(|_: &Self| iterator([("a", 1), ("b", 2)]))
            .ipairs(|_: &Self| iterator([(1, "x"), (2, "y")]))
            .function("each", |_: &Self| iterator([1, 2, 3]));
    }
}

#[test]
fn objects_can_be_iterated_over() -> Result<()> {
    let lua = Runtime::new()?;
    // The first one of a runtime, and another one, in the same metatable.
    lua.globals()?.set("first", Bag)?;
    lua.globals()?.set("second", Bag)?;
    lua.load(
        "for _, bag in ipairs { first, second } do
                  local n = 0 for i in bag:each() do n = n + i end assert(n == 6)
              end",
    )
    .exec()?;
    let compat: bool = lua.load("return pcall(pairs, setmetatable({}, { __pairs = function() return 1 end })) and
                                 pairs(setmetatable({}, { __pairs = function() return 1 end })) == 1").eval()?;
    assert_eq!(compat, cfg!(feature = "lua52compat"));
    if compat {
        lua.load("for _, bag in ipairs { first, second } do
                      local t = {} for k, v in pairs(bag) do t[k] = v end assert(t.a == 1 and t.b == 2)
                      local s = '' for i, v in ipairs(bag) do s = s .. i .. v end assert(s == '1x2y')
                  end").exec()?;
    } else {
        assert!(lua.load("pairs(first)").exec().is_err());
    }
    Ok(())
}

struct Shown;

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("as Display has it")
    }
}

impl UserType for Shown {
    const NAME: &'static str = "Shown";
    fn members(members: &mut Members<Self>) {
        members.display().function("name", || Self::NAME);
    }
}

#[test]
fn tostring_is_display_or_debug_or_the_name() -> Result<()> {
    let lua = runtime()?;
    lua.globals()?.set("shown", Shown)?;
    lua.globals()?.set("other", Other)?;
    lua.load(
        "assert(tostring(shown) == 'as Display has it' and shown.name() == 'Shown')
              assert(tostring(other):find('^Other: 0x%x+$') and tostring(v):find('^Vector {'))",
    )
    .exec()
}
