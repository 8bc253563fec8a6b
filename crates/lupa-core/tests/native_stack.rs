//! Lua code cannot use up the native stack, however it nests C calls.

use lupa_core::{Error, Result, Runtime};

/// Functions of LuaJIT that call back from C, nested without end. Each ends in an error that
/// Lua code can catch, or in Lua's own limit.
const NESTED: &[(&str, &str)] = &[
    (
        "gsub",
        "local function f() string.gsub('a', 'a', f) end f()",
    ),
    (
        "method",
        "local function f() return (('a'):gsub('a', f)) end f()",
    ),
    ("sort", "local function f() table.sort({1, 2}, f) end f()"),
    (
        "comparison",
        "local t = setmetatable({}, {}) getmetatable(t).__lt = function(a, b) table.sort({a, b}) end table.sort({t, t})",
    ),
    (
        "load",
        "local function f() local ok, e = load(f) error(e, 0) end f()",
    ),
    (
        "loadstring",
        "local function f() local ok, e = loadstring(f) error(e, 0) end f()",
    ),
    (
        "print",
        "local t = setmetatable({}, {}) getmetatable(t).__tostring = function() print(t) return 'x' end print(t)",
    ),
    (
        "format",
        "local t = setmetatable({}, {})
         getmetatable(t).__tostring = function() return ('%s'):format(t) .. '' end ('%s'):format(t)",
    ),
    (
        "buffer",
        "local t, b = setmetatable({}, {}), require('string.buffer')
         getmetatable(t).__tostring = function() return tostring(b.new():put(t)) end b.new():put(t)",
    ),
    (
        "dofile",
        "local name = os.tmpname()
         local file = io.open(name, 'w') file:write('dofile(file) return 1') file:close()
         _G.file = name
         local _, e = pcall(dofile, name)
         os.remove(name)
         error(e, 0)",
    ),
    (
        "original functions",
        // What the debug library shows of a guarded function is no way around its guard.
        "local originals = {string.gsub, table.sort, coroutine.resume}
         for _, f in ipairs({string.gsub, table.sort, coroutine.resume}) do
             for i = 1, 9 do
                 local name, value = debug.getupvalue(f, i)
                 if type(value) == 'function' then originals[#originals + 1] = value end
             end
         end
         string.gsub('a', 'a', function() originals[#originals + 1] = debug.getinfo(2, 'f').func end)
         for _, f in ipairs(originals) do
             local function nest_gsub() f('a', 'a', nest_gsub) end
             local function nest_sort() f({1, 2}, nest_sort) end
             local function nest_resume() return (select(2, f(coroutine.create(nest_resume)))) end
             pcall(nest_gsub) pcall(nest_sort) pcall(nest_resume)
         end
         error('overflow was survived')",
    ),
    (
        "require",
        "package.preload.x = function() package.loaded.x = nil require('x') end require('x')",
    ),
    (
        "module",
        "local module, n = module, 0 local function f() n = n + 1 module('m' .. n, f) end f()",
    ),
    ("wrap", "local function f() coroutine.wrap(f)() end f()"),
    (
        "resume",
        "local function f() local _, e = coroutine.resume(coroutine.create(f)) error(e, 0) end f()",
    ),
    (
        "prepared coroutines",
        // All are started when little is nested, and then continued from within each other.
        "local list, n = {}, 12000
         for i = 1, n do
             list[i] = coroutine.create(function()
                 coroutine.yield()
                 local ok, e = true
                 if i < n then ok, e = coroutine.resume(list[i + 1]) end
                 if not ok then error(e, 0) end
             end)
             coroutine.resume(list[i])
         end
         assert(coroutine.resume(list[1]))",
    ),
    (
        "tostring",
        "local t = setmetatable({}, {}) getmetatable(t).__tostring = function() local s = tostring(t) return s end tostring(t)",
    ),
    (
        "pcall",
        "local function f() return (select(2, pcall(f))) end error(f())",
    ),
];

fn on_a_stack_of(bytes: usize, code: &'static str) -> Result<()> {
    let thread = std::thread::Builder::new()
        .stack_size(bytes)
        .spawn(move || {
            let lua = Runtime::new()?;
            let outcome = lua.load(code).exec();
            // Whatever it was, the runtime goes on, and the same error can be caught by Lua code.
            let caught = lua
                .load("return (pcall(loadstring(...)))")
                .call::<bool>(code)?;
            assert!(!caught, "{code}");
            outcome
        });
    thread
        .expect("a thread can be made")
        .join()
        .expect("the thread lives")
}

// Breaks (the process dies) without the checks of `shim/guards.c`.
#[test]
fn nested_c_calls_end_in_an_error() {
    for &(name, code) in NESTED {
        for stack in [256 << 10, 512 << 10] {
            let error = on_a_stack_of(stack, code).expect_err(name).to_string();
            let expected = error.contains("overflow") || error.contains("error in error");
            assert!(expected, "{name}: {error}");
        }
    }
}

// Breaks (the process dies) without the check before `collectgarbage`.
#[test]
fn collections_inside_finalizers_do_not_nest_without_end() -> Result<()> {
    let code = "local depth, deepest = 0, 0
        local function finalize()
            depth = depth + 1
            deepest = math.max(deepest, depth)
            getmetatable(newproxy(true)).__gc = finalize
            local ok = pcall(collectgarbage)
            depth = depth - 1
        end
        finalize()
        assert(deepest > 10, deepest)
        error('end')";
    let error = on_a_stack_of(512 << 10, code).expect_err("it has an end");
    assert!(error.to_string().contains("end"), "{error}");
    Ok(())
}

#[test]
fn finalizers_are_no_way_around() -> Result<()> {
    let code = "local function f() string.gsub('a', 'a', f) end
                debug.getmetatable(newproxy(true)).__gc = f
                collectgarbage()
                error('overflow was survived')";
    assert!(on_a_stack_of(512 << 10, code).is_err());
    Ok(())
}

#[test]
fn the_host_and_lua_calling_each_other_end_in_an_error() {
    let thread = std::thread::Builder::new()
        .stack_size(512 << 10)
        .spawn(|| -> Result<()> {
            let lua = Runtime::new()?;
            let again = lua.create_function(|call| call.runtime().load("again()").exec())?;
            lua.globals()?.set("again", again)?;
            lua.load("again()").exec()
        });
    let error = thread.unwrap().join().unwrap().unwrap_err();
    assert!(matches!(error, Error::RecursionLimit), "{error}");
}

#[test]
fn guarded_functions_are_as_before() -> Result<()> {
    let lua = Runtime::new()?;
    let error = lua
        .load("string.gsub()")
        .name("=x")
        .exec()
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("x:1: bad argument #1 to 'gsub' (string expected, got no value)"),
        "{error}"
    );
    let lines: String = lua
        .load(
            "local out = {}
             for v in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do out[#out + 1] = v end
             out[#out + 1] = tostring(pcall(coroutine.wrap(function() error('inside', 0) end)))
             out[#out + 1] = tostring(select('#', coroutine.resume(coroutine.create(function() return 1, nil end))))
             return table.concat(out, ' ')",
        )
        .eval()?;
    assert_eq!(lines, "1 2 3 false 3");
    Ok(())
}
