//! Lua code that uses the debug library against the runtime.

use lupa_core::{
    Call, CoroutineStatus, Error, Function, HostObject, Members, Operation, Result, Runtime, Table,
    UserType, Value,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// Gives its text, which is overwritten when it is dropped.
struct Text(String, Arc<AtomicUsize>);

impl Drop for Text {
    fn drop(&mut self) {
        self.1.fetch_add(1, SeqCst);
    }
}

impl HostObject for Text {
    const NAME: &'static str = "text";
    const OPERATIONS: &'static [Operation] = &[
        Operation::Index,
        Operation::ToString,
        Operation::Call,
        Operation::Eq,
        Operation::Add,
    ];
    fn invoke(&self, operation: Operation, call: &mut Call<'_>) -> Result<()> {
        if operation == Operation::Call {
            let before = self.1.load(SeqCst);
            call.get::<Function>(0)?.call::<()>(())?;
            assert_eq!(self.1.load(SeqCst), before, "dropped while in use");
        }
        call.push(self.0.as_str())
    }
}

fn runtime(drops: &Arc<AtomicUsize>) -> Result<Runtime> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set(
        "object",
        lua.create_object(Text("abc".repeat(9), drops.clone()))?,
    )?;
    let new = Arc::clone(drops);
    globals.set(
        "new",
        lua.create_function(move |call| {
            let text = Text("def".repeat(9), new.clone());
            call.push_with(|to| to.object(text))
        })?,
    )?;
    Ok(lua)
}

#[test]
fn a_copied_metatable_makes_no_host_object() -> Result<()> {
    let drops = Arc::default();
    let lua = runtime(&drops)?;
    // Breaks (SIGSEGV) if a userdata is trusted for its metatable.
    lua.load(
        "local meta = debug.getmetatable(object)
         local function dead(f, ...)
             local ok, message = pcall(f, ...)
             assert(not ok and message:find 'not a live host object', message)
         end
         local buffer = require('string.buffer').new(100):put('content')
         local files = {io.tmpfile(), io.stdout}
         local original = debug.getmetatable(io.stdout)
         for _, fake in ipairs {newproxy(), newproxy(true), files[1], buffer, {}, function() end, coroutine.create(print)} do
             local before = debug.getmetatable(fake)
             debug.setmetatable(fake, meta)
             dead(function() return fake + fake end)
             if type(fake) ~= 'function' then dead(function() return fake(print) end) end
             for _, name in ipairs {'__index', '__tostring', '__call', '__add', '__eq'} do
                 dead(meta[name], fake, fake)
                 dead(meta[name])
                 dead(meta[name], 1, 'x')
             end
             meta.__gc(fake)
             meta.__gc()
             debug.setmetatable(fake, before)
         end
         local strings = getmetatable('')
         debug.setmetatable('', meta); debug.setmetatable(1, meta); debug.setmetatable(nil, meta)
         debug.setmetatable('', strings); debug.setmetatable(1, nil); debug.setmetatable(nil, nil)
         collectgarbage(); collectgarbage()
         assert(buffer:tostring() == 'content')
         assert(tostring(object) == ('abc'):rep(9))",
    )
    .exec()?;
    assert_eq!(drops.load(SeqCst), 0);
    Ok(())
}

#[test]
fn finalizers_called_early_end_the_object_once() -> Result<()> {
    let drops = Arc::default();
    let lua = runtime(&drops)?;
    // Breaks (double free) if `__gc` does not take the mark away.
    lua.load(
        "local gc = debug.getmetatable(object).__gc
         for i = 1, 3 do gc(object) end
         local ok, message = pcall(tostring, object)
         assert(not ok and message:find 'not a live host object')
         object = nil
         collectgarbage()",
    )
    .exec()?;
    assert_eq!(drops.load(SeqCst), 1);
    Ok(())
}

#[test]
fn an_object_in_use_outlives_its_finalizer() -> Result<()> {
    let drops = Arc::default();
    let lua = runtime(&drops)?;
    // Breaks (use after free) if `__gc` drops what a method further up works on.
    let text: String = lua
        .load(
            "local o = object
             return o(function()
                 debug.getmetatable(o).__gc(o)
                 assert(not pcall(tostring, o))
                 object, o = nil
                 collectgarbage(); collectgarbage()
             end)",
        )
        .eval()?;
    assert_eq!((text, drops.load(SeqCst)), ("abc".repeat(9), 1));
    Ok(())
}

struct Cell(String);

impl UserType for Cell {
    const NAME: &'static str = "Cell";
    fn members(members: &mut Members<Self>) {
        members.method_mut("run", |cell, call| {
            call.get::<Function>(1)?.call::<()>(())?;
            cell.0.push('x');
            call.push(cell.0.as_str())
        });
    }
}

#[test]
fn functions_lose_neither_payload_nor_arguments() -> Result<()> {
    let lua = runtime(&Arc::default())?;
    lua.globals()?
        .set("cell", lua.create_userdata(Cell("c".into()))?)?;
    // What it captures has to be dropped, so its payload has a finalizer.
    let suffix = String::new();
    let keep = lua.create_function(move |call| {
        let text: &str = call.get(0)?;
        call.get::<Function>(1)?.call::<()>(())?;
        call.push(text.to_owned() + &suffix)
    })?;
    lua.globals()?.set("keep", keep)?;
    // Breaks (use after free) if the debug library may change C functions' values.
    lua.load(
        "payload = select(2, debug.getupvalue(keep, 1))
         assert(not pcall(debug.setupvalue, keep, 1, object))
         assert(not pcall(debug.setupvalue, string.find, 1, object))
         -- Behind the guards there is no original to be found.
         for _, guarded in ipairs({debug.setupvalue, debug.setlocal, debug.sethook}) do
             for i = 1, 9 do assert(debug.getupvalue(guarded, i) == nil) end
         end
         function attack()
             for level = 1, 6 do for slot = -3, 12 do pcall(debug.setlocal, level, slot, {}) end end
             collectgarbage(); collectgarbage()
         end
         assert(keep(string.rep('k', 50), attack) == string.rep('k', 50))
         debug.getmetatable(payload).__gc(payload)
         assert(not pcall(keep, 'x', print))
         assert(cell:run(function() debug.getmetatable(cell).__gc(cell) attack() end) == 'cx')
         assert(not pcall(function() return cell:run(print) end))
         string.gsub('a b', '%a', function() attack() end)
         pcall(table.sort, {3, 2, 1, 5, 4}, function(a, b) attack() return a < b end)",
    )
    .exec()
}

#[test]
fn hidden_variables_of_loops_cannot_be_changed() -> Result<()> {
    let lua = Runtime::new()?;
    // Breaks (SIGSEGV) if debug.setlocal may change the state of a `for` loop.
    lua.load(
        "local refused = 0
         -- Called in a loop: tries all slots of the loop's function that are no named locals.
         local function attack()
             for slot = 1, 30 do
                 local name = debug.getlocal(2, slot)
                 if name and name:sub(1, 1) == '(' then
                     for _, value in ipairs {'text', 7, false, {}} do
                         local ok, message = pcall(debug.setlocal, 3, slot, value)
                         assert(not ok and message:find 'hidden', message)
                         refused = refused + 1
                     end
                 end
             end
         end
         local function loops()
             for k, v in pairs {1, 2, x = 3} do attack() end
             for k, v in ipairs {1, 2} do attack() end
             for i = 1, 3 do attack() end
             local t = setmetatable({}, {__index = function() attack() return 1 end,
                 __concat = function() attack() return 'x' end})
             return t.x + 1, 'a' .. t .. 'b', #tostring(t)
         end
         loops()
         assert(refused > 30)
         local co = coroutine.create(function() for k, v in pairs {1, 2} do coroutine.yield(k) end end)
         coroutine.resume(co)
         for slot = 1, 20 do
             local name = debug.getlocal(co, 1, slot)
             if name and name:sub(1, 1) == '(' then assert(not pcall(debug.setlocal, co, 1, slot, false)) end
         end
         while coroutine.resume(co) do end
         -- Named locals are Lua code's own.
         local x = 1
         for slot = 1, 200 do if debug.getlocal(1, slot) == 'x' then assert(debug.setlocal(1, slot, 5) == 'x') end end
         assert(x == 5)",
    )
    .exec()
}

#[test]
fn what_loads_chunks_cannot_be_called_again() -> Result<()> {
    let lua = Runtime::new()?;
    lua.load(
        "local seen = {}
         stolen = seen
         debug.sethook(function()
             local info = debug.getinfo(2, 'f')
             if info then
                 seen[info.func] = {}
                 for i = 1, 5 do local _, v = debug.getlocal(2, i) seen[info.func][i] = v end
             end
         end, 'c')",
    )
    .exec()?;
    let mut length = 0;
    for i in 0..5 {
        length += lua
            .load(&format!("return {i}"))
            .into_function()?
            .call::<usize>(())?;
    }
    assert_eq!(length, 10);
    lua.load("debug.sethook()").exec()?;
    // Breaks (SIGSEGV) if the loader takes its chunk's address from the Lua stack.
    lua.load(
        "local n = 0
         for f, arguments in pairs(stolen) do
             n = n + 1
             if debug.getinfo(f, 'S').what == 'C' and f ~= debug.sethook then
                 pcall(f); pcall(f, unpack(arguments, 1, 5)); pcall(f, 1, 2, 3)
             end
         end
         assert(n > 1)",
    )
    .exec()
}

#[test]
fn a_ruined_registry_harms_no_handle() -> Result<()> {
    struct One;
    impl UserType for One {
        const NAME: &'static str = "One";
        fn members(members: &mut Members<Self>) {
            members.method("m", |_, call| call.push(1));
        }
    }
    for ruin in [
        "for k in pairs(r) do r[k] = nil end",
        "for i = -200, 200 do r[i] = i end",
        "for i = -200, 200 do r[i] = 'garbage' end",
        "for i = -200, 200 do r[i] = {} end",
        "for i = -200, 200 do r[i] = newproxy(true) end",
        "for i = -200, 200 do r[i] = error end",
        "for i = -200, 200 do r[i] = function() end end",
        "for i = -200, 200 do r[i] = coroutine.create(function() end) end",
        "debug.setmetatable(r, {__mode = 'kv'}) collectgarbage()",
        "debug.setmetatable(r, {__index = error, __newindex = error})",
    ] {
        let drops: Arc<AtomicUsize> = Arc::default();
        let lua = runtime(&drops)?;
        let table = lua.create_table()?;
        let string = lua.create_string("s")?;
        let function: Function = lua.load("return function() return 1 end").eval()?;
        let host = lua.create_function(|call| call.push(1))?;
        let coroutine = function.coroutine()?;
        let object = lua.create_object(Text("t".into(), drops.clone()))?;
        let user = lua.create_userdata(One)?;
        let get: Function = lua.load("return function(o) return o:m() end").eval()?;
        let code = format!("local r = debug.getregistry() {ruin}");
        let _ = lua.load(&code).exec();
        // Breaks if what handles hold lies where Lua code can reach it.
        assert_eq!(coroutine.resume::<i32>(())?, 1);
        for round in 0..3 {
            table.set(round, 1)?;
            assert_eq!(table.get::<i32>(round)?, 1);
            assert_eq!(table.pairs::<Value, Value>()?.len(), round + 1);
            table.set_metatable(Some(&table))?;
            assert!(table.metatable()?.unwrap().same(&table)?);
            assert_eq!(string.to_vec()?, b"s");
            assert_eq!(function.call::<i32>(())?, 1);
            assert_eq!(host.call::<i32>(())?, 1);
            assert!(!function.dump()?.is_empty());
            assert_eq!(function.coroutine()?.resume::<i32>(())?, 1);
            assert_eq!(coroutine.status()?, CoroutineStatus::Dead);
            assert!(coroutine.function()?.is_none());
            assert_eq!(object.with_object(|t: &Text| t.0.len())?, Some(1));
            assert_eq!(get.call::<i32>(&user)?, 1);
            let failing = lua.create_function(|_| Err(Error::message("x")))?;
            assert!(
                failing
                    .call::<()>(())
                    .unwrap_err()
                    .to_string()
                    .starts_with('x')
            );
            drop(lua.create_object(Text("u".into(), drops.clone()))?);
            drop(lua.create_userdata(One)?);
            lua.load("error({})").exec().unwrap_err();
            assert_eq!(lua.load("return 1").eval::<i32>()?, 1);
            let panicking = lua.create_function(|_| panic!("boom"))?;
            let call = std::panic::AssertUnwindSafe(|| panicking.call::<()>(()));
            std::panic::catch_unwind(call).unwrap_err();
            lua.gc_collect()?;
        }
        lua.close()?;
    }
    Ok(())
}

#[test]
fn globals_and_shared_metatables_may_be_replaced() -> Result<()> {
    let lua = runtime(&Arc::default())?;
    let table: Table = lua
        .load("return setmetatable({}, {__index = function(_, k) return k .. '!' end})")
        .eval()?;
    // Breaks if anything is looked up by name when it is needed.
    lua.load(
        "local function no() error('looked up') end
         local debug, setmetatable, pairs = debug, setmetatable, pairs
         debug.setmetatable('', {__index = no, __concat = no})
         for _, name in pairs {'debug', 'string', 'table', 'coroutine', 'tostring', 'error', 'pcall', 'next', 'type', 'package'} do
             _G[name] = no
         end
         debug.traceback = no
         setmetatable(_G, {__index = no, __newindex = no, __metatable = false})",
    )
    .exec()?;
    assert_eq!(table.get::<String>("x")?, "x!");
    assert_eq!(table.pairs::<Value, Value>()?.len(), 0);
    assert!(table.to_lua_string()?.starts_with(b"table: "));
    let error = lua
        .load("local function f() local x = nil; return x.y end f()")
        .exec()
        .unwrap_err();
    assert!(
        error.traceback().unwrap().contains("in main chunk"),
        "{error}"
    );
    let f: Function = lua.load("return function(a) return a end").eval()?;
    assert_eq!(f.coroutine()?.resume::<i32>(3)?, 3);
    assert_eq!(
        lua.load("return object.x").eval::<String>()?,
        "abc".repeat(9)
    );
    let fail = lua.create_function(|_| Err(Error::message("mine")))?;
    assert_eq!(fail.call::<()>(()).unwrap_err().to_string(), "mine");
    assert!(lua.globals()?.get::<i32>("missing").is_err());
    lua.gc_collect()
}

#[test]
fn what_throws_into_coroutines_may_be_changed() -> Result<()> {
    // A hook finds the function whose frames are put in the place of a yield, and replaces what it calls.
    let changes = [
        ("yield", "function() return 1 end"),
        ("yield", "error"),
        ("yield", "function() while true do error('x') end end"),
        ("yield", "function(...) return pcall(yield, ...) end"),
        (
            "yield",
            "function(...) local x = {} function keep() x = {x} return x end return yield(...), keep() end",
        ),
        (
            "yield",
            "function(...) return setmetatable({}, {__add = function(_, b) return yield(b) end}) + 1 end",
        ),
        (
            "yield",
            "function(...) for value in coroutine.wrap(yield) do yield(value) end end",
        ),
        (
            "yield",
            "function(...) local t = {...} for i = 1, 200 do t[i] = i end return yield(unpack(t)) end",
        ),
        ("yield", "coroutine.running"),
        ("raise", "function(...) return ... end"),
        ("raise", "function(...) return yield(...) end"),
        ("raise", "function(...) debug.sethook() error({...}) end"),
    ];
    for (name, value) in changes {
        let lua = Runtime::new()?;
        let code = format!(
            "yield = coroutine.yield
             local name, value = '{name}', {value}
             debug.sethook(function()
                 local f = debug.getinfo(2, 'f').func
                 for i = 1, 3 do
                     if debug.getupvalue(f, i) == name then debug.setupvalue(f, i, value) found = true end
                 end
             end, 'c')
             return function()
                 local function waits() return yield('waits') end
                 return pcall(waits)
             end"
        );
        let waits: Function = lua.load(&code).eval()?;
        let coroutine = waits.coroutine()?;
        coroutine.resume::<String>(())?;
        // Whatever that is now, nothing is lost but what was changed.
        let _ = coroutine.throw::<Value>("thrown");
        lua.gc_collect()?;
        let _ = coroutine.resume::<Value>(());
        let _ = coroutine.throw::<Value>("thrown");
        let _ = coroutine.close();
        lua.load("debug.sethook() collectgarbage() assert(found) if keep then keep() collectgarbage() keep() end").exec()?;
        assert_eq!(lua.load("return 1 + 1").eval::<i32>()?, 2, "{name} {value}");
        drop(coroutine);
        lua.gc_collect()?;
    }
    Ok(())
}
