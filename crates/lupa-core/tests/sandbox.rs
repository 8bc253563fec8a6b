//! `Builder::sandbox`: what hostile Lua code cannot do. The Python suite has many more attempts.

use lupa_core::{Error, Libs, LuaString, Result, Runtime};

fn sandbox() -> Result<Runtime> {
    Runtime::builder().sandbox(true).build()
}

fn bytecode() -> Result<Vec<u8>> {
    let lua = Runtime::new()?;
    let dump = lua.load("return string.dump(function() return 42 end)");
    dump.eval::<LuaString>()?.to_vec()
}

#[test]
fn no_way_to_load_bytecode() -> Result<()> {
    let lua = sandbox()?;
    let code = bytecode()?;
    assert!(matches!(lua.load(&code).exec(), Err(Error::Syntax { .. })));
    let globals = lua.globals()?;
    globals.set("code", lua.create_string(&code)?)?;
    for attempt in [
        "return load(code)",
        "return load(code, 'x', 'b')",
        "return loadstring(code)",
        "local rest = code return load(function() local c = rest rest = nil return c end)",
        "local rest = code return loadstring(function() local c = rest rest = nil return c end)",
    ] {
        let code = format!("return (function() {attempt} end)() == nil");
        assert!(lua.load(&code).eval::<bool>()?, "{attempt}");
    }
    Ok(())
}

#[test]
fn other_functions_environments_are_out_of_reach() -> Result<()> {
    let lua = sandbox()?;
    assert!(
        lua.load("return getfenv == nil and setfenv == nil")
            .eval::<bool>()?
    );
    assert!(
        lua.load("return debug == nil and newproxy == nil")
            .eval::<bool>()?
    );
    Ok(())
}

#[test]
fn libraries_are_read_only_by_every_route() -> Result<()> {
    let libs = Libs::SAFE | Libs::PACKAGE;
    let lua = Runtime::builder().sandbox(true).libs(libs).build()?;
    for attempt in [
        "string.upper = nil",
        "rawset(string, 'upper', print)",
        "package.loaded.string.upper = nil",
        "require('string').upper = nil",
        "getmetatable('').__index = nil",
        "setmetatable(string, nil)",
    ] {
        assert!(lua.load(attempt).exec().is_err(), "{attempt}");
    }
    assert!(
        lua.load("return ('a'):upper() == string.upper('a')")
            .eval::<bool>()?
    );
    // The same view, wherever it is found.
    assert!(
        lua.load("return package.loaded.string == string")
            .eval::<bool>()?
    );
    // Modules can still be loaded.
    lua.load("package.preload.mine = function() return 5 end assert(require('mine') == 5)")
        .exec()
}

#[test]
fn the_collector_stays_as_the_host_set_it() -> Result<()> {
    let lua = sandbox()?;
    for option in ["stop", "restart", "setpause", "setstepmul", "isrunning"] {
        assert!(
            lua.load(&format!("collectgarbage('{option}')"))
                .exec()
                .is_err()
        );
    }
    assert!(lua.gc_is_running()?);
    lua.load("collectgarbage() collectgarbage('collect') collectgarbage('step', 10)")
        .exec()?;
    assert!(lua.load("return collectgarbage('count')").eval::<f64>()? > 1.0);
    Ok(())
}

#[test]
fn a_read_only_view_is_the_hosts_to_change() -> Result<()> {
    let lua = sandbox()?;
    let api = lua.create_table()?;
    lua.globals()?.set("api", lua.read_only(&api)?)?;
    assert!(lua.load("api.x = 1").exec().is_err());
    assert!(lua.load("rawset(api, 'x', 1)").exec().is_err());
    assert!(lua.load("setmetatable(api, nil)").exec().is_err());
    api.set("x", 2)?;
    assert_eq!(lua.load("return api.x").eval::<i64>()?, 2);
    let error = lua.load("\napi.x = 1").name("=script").exec().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("script:2: attempt to modify a protected table")
    );
    Ok(())
}

#[test]
fn a_literal_of_64_bits_does_not_bring_the_ffi_library() -> Result<()> {
    // LuaJIT opens the library for such a literal, and notes it as a loaded module.
    let code = "
        local n = 1LL
        local found = {}
        if require then found[#found + 1] = select(2, pcall(require, 'ffi')) end
        if package then found[#found + 1] = package.loaded.ffi end
        if debug then found[#found + 1] = debug.getregistry()._LOADED.ffi end
        found[#found + 1] = ffi
        for _, ffi in ipairs(found) do
            if type(ffi) == 'table' then return 'found' end
        end
        return tostring(n + 1)";
    for libs in [
        Libs::SAFE,
        Libs::SAFE | Libs::PACKAGE,
        Libs::SAFE | Libs::DEBUG,
        Libs::SAFE | Libs::PACKAGE | Libs::DEBUG | Libs::JIT,
    ] {
        for sandbox in [false, true] {
            let lua = Runtime::builder().libs(libs).sandbox(sandbox).build()?;
            assert_eq!(
                lua.load(code).eval::<String>()?,
                "2LL",
                "{libs:?} {sandbox}"
            );
        }
    }
    Ok(())
}
