//! Tracebacks: written as Lua writes them, short whatever Lua code is called, and without memory of the runtime.

use lupa_core::{Error, Result, Runtime};
use std::time::Duration;

/// A runtime with `ours()`, the traceback of its caller, and `check()`, which gives that and Lua's, which must be the same.
fn runtime() -> Result<Runtime> {
    let lua = Runtime::new()?;
    let weak = lua.downgrade();
    let ours = lua.function(move || -> Result<_> {
        let lua = weak.upgrade().expect("it runs");
        Ok(lua.traceback()?.to_str_lossy().into_owned())
    })?;
    lua.globals()?.set("ours", ours)?;
    // Not a tail call, which would take the level of `check` away.
    lua.load(
        "function check() local a, b = ours(), debug.traceback():gsub('^\\n', '') return a, b end",
    )
    .name("@check.lua")
    .exec()?;
    Ok(lua)
}

#[test]
fn they_are_those_of_lua() -> Result<()> {
    let lua = runtime()?;
    let cases = [
        "return check()",
        "local a, b = check() return a, b",
        "local t = {} function t.f() local a, b = check() return a, b end local a, b = t.f() return a, b",
        "local t = {} function t:m() local a, b = check() return a, b end local a, b = t:m() return a, b",
        "local t = {} t[''] = function() local a, b = check() return a, b end local a, b = t['']() return a, b",
        "local function up() local a, b = check() return a, b end local a, b = (function() local a, b = up() return a, b end)() return a, b",
        "local function va(...) local a, b = check(...) return a, b end local a, b = va(1, 2, 3) return a, b",
        // Called by C functions, and tail calls.
        "local _, a, b = pcall(check) return a, b",
        "local a, b; table.sort({ 1, 2 }, function(x, y) if not a then a, b = check() end return x < y end) return a, b",
        "local a, b; ('x'):gsub('.', function() a, b = check() end) return a, b",
        "local _, a, b = xpcall(function() return check() end, print) return a, b",
        // Metamethods.
        "local a, b; local t = setmetatable({}, { __index = function() a, b = check() end }) local _ = t.x return a, b",
        "local a, b; local t = setmetatable({}, { __add = function() a, b = check() return 1 end }) local _ = t + 1 return a, b",
        "local a, b; for _ in function() if a then return end a, b = check() return 1 end do end return a, b",
        // As many levels as are written in full, one more, and many.
        "local function f(n) if n == 0 then return check() end local a, b = f(n - 1) return a, b end local a, b = f(18) return a, b",
        "local function f(n) if n == 0 then return check() end local a, b = f(n - 1) return a, b end local a, b = f(19) return a, b",
        "local function f(n) if n == 0 then return check() end local a, b = f(n - 1) return a, b end local a, b = f(20) return a, b",
        "local function f(n) if n == 0 then return check() end local a, b = f(n - 1) return a, b end local a, b = f(21) return a, b",
        "local function f(n) if n == 0 then return check() end local a, b = f(n - 1) return a, b end local a, b = f(22) return a, b",
        "local function f(n) if n == 0 then return check() end local a, b = f(n - 1) return a, b end local a, b = f(1000) return a, b",
    ];
    for code in cases {
        let (ours, luas): (String, String) = lua.load(code).name("@case.lua").eval()?;
        assert!(ours.lines().count() > 1, "{code}: {ours}");
        assert_eq!(ours, luas, "{code}");
    }
    Ok(())
}

#[test]
fn coroutines_have_those_of_lua() -> Result<()> {
    let lua = Runtime::new()?;
    let codes = [
        "return coroutine.create(function() end)",
        "local co = coroutine.create(function() coroutine.yield() end) coroutine.resume(co) return co",
        "local co = coroutine.create(function() error('x') end) coroutine.resume(co) return co",
        "local co = coroutine.wrap(function() local t = nil + 1 end) co = coroutine.create(co) coroutine.resume(co) return co",
        "local co = coroutine.create(function() string.rep() end) coroutine.resume(co) return co",
        "local co = coroutine.create(pcall) coroutine.resume(co, coroutine.yield) return co",
        "local co = coroutine.create(error) coroutine.resume(co, 'x') return co",
    ];
    for code in codes {
        let co: lupa_core::Coroutine = lua.load(code).name("@case.lua").eval()?;
        lua.globals()?.set("co", &co)?;
        let luas: String = lua.load("return debug.traceback(co)").eval()?;
        assert_eq!(co.traceback()?.to_str_lossy(), luas, "{code}");
    }
    Ok(())
}

/// A chunk that calls a function by a name of so many bytes, thirty deep, which then does something.
fn called_by_a_long_name(bytes: usize, then: &str) -> String {
    format!(
        "local name = ('\u{e9}'):rep({bytes} / 2)
        local deep = loadstring('local t, n = {{}}, 0 t[\"' .. name .. '\"] = function() '
            .. 'n = n + 1 if n > 30 then {then} end local r = t[\"' .. name .. '\"]() return r end '
            .. 'local r = t[\"' .. name .. '\"]() return r')
        local r = deep() return r"
    )
}

/// Whether a traceback has cut names, and is short.
fn is_short(traceback: &str) -> bool {
    traceback.contains(&format!("'{}...'", "\u{e9}".repeat(50))) && traceback.len() < 8000
}

#[test]
fn long_names_are_cut() -> Result<()> {
    let lua = runtime()?;
    let ours: String = lua
        .load(&called_by_a_long_name(3 << 20, "return ours()"))
        .eval()?;
    assert!(is_short(&ours), "{ours}");
    // A hundred bytes are not, and one more is.
    for (length, cut) in [(100, false), (101, true)] {
        let name = "n".repeat(length);
        let code = format!(
            "local t = {{}} function t.{name}() local a = ours() return a end local a = t.{name}() return a"
        );
        let ours: String = lua.load(&code).eval()?;
        assert_eq!(ours.contains("...'"), cut, "{ours}");
        assert_eq!(ours.contains(&format!("'{name}'")), !cut, "{ours}");
    }
    Ok(())
}

#[test]
fn errors_with_long_names_fit_into_the_limit() -> Result<()> {
    let lua = Runtime::builder().memory_limit(32 << 20).build()?;
    let run = |then| lua.load(&called_by_a_long_name(2 << 20, then)).exec();
    let Err(error) = run("error(\"lost\", 0)") else {
        panic!("it raises")
    };
    assert_eq!(error.text(), "lost");
    assert!(is_short(&error.traceback().unwrap()), "{error}");
    Ok(())
}

#[test]
#[cfg(unix)]
fn code_that_is_stopped_far_down_in_long_names_gives_a_short_one() -> Result<()> {
    let lua = Runtime::builder().memory_limit(32 << 20).build()?;
    // Long enough to get there under AddressSanitizer on a busy machine.
    lua.set_time_limit(Some(Duration::from_secs(1)))?;
    let run = || {
        lua.load(&called_by_a_long_name(2 << 20, "while true do end"))
            .exec()
    };
    let Err(error) = run() else {
        panic!("it is stopped")
    };
    assert!(matches!(error, Error::Timeout(_)), "{error:?}");
    assert!(is_short(&error.traceback().unwrap()), "{error}");
    // And so does a coroutine that died there.
    let code = called_by_a_long_name(1 << 20, "error()");
    let co = lua.load(&code).into_function()?.coroutine()?;
    assert!(co.resume::<()>(()).is_err());
    assert!(is_short(&co.traceback()?.to_str_lossy()));
    Ok(())
}
