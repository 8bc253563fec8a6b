//! Functions of LuaJIT's libraries that `shim/guards.c` stands in for.

mod guarded;
mod refusing;

use luajit_sys::*;
use std::ffi::{CStr, c_int};

unsafe extern "C-unwind" fn refuse(l: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    refusing::refuse(unsafe { lua_toboolean(l, 1) } != 0);
    0
}

/// What a chunk returns, as text; `refuse(true)` there has the allocator refuse.
fn run(source: &CStr) -> String {
    // SAFETY: a new state, used as it has to be.
    unsafe {
        let l = refusing::new_state();
        lua_pushcfunction(l, refuse);
        lua_setglobal(l, c"refuse".as_ptr());
        assert_eq!(luaL_loadstring(l, source.as_ptr()), LUA_OK);
        let status = lua_pcall(l, 0, 1, 0);
        let text = lua_tostring(l, -1);
        assert!(!text.is_null());
        let text = CStr::from_ptr(text).to_string_lossy().into_owned();
        assert_eq!(status, LUA_OK, "{text}");
        refusing::close(l);
        text
    }
}

#[test]
fn what_cannot_be_resumed_gives_false_whatever_it_is_given() {
    let refusals = run(
        c"local dead = coroutine.create(function() end)
        coroutine.resume(dead)
        local refusals = {}
        for count = 0, 3 do
            local arguments = {}
            for i = 1, count do arguments[i] = i end
            local function add(...)
                refusals[#refusals + 1] = select('#', ...) .. ' ' .. tostring(...) .. ' ' .. select(2, ...)
            end
            add(coroutine.resume(dead, unpack(arguments)))
            coroutine.wrap(function() add(coroutine.resume(coroutine.running(), unpack(arguments))) end)()
        end
        return table.concat(refusals, '; ')",
    );
    let expected =
        "2 false cannot resume dead coroutine; 2 false cannot resume running coroutine; ";
    assert_eq!(format!("{refusals}; "), expected.repeat(4));
}

/// A coroutine whose stack is full, of which a local variable is to be set while there is no memory to make room.
#[test]
fn a_coroutine_goes_on_where_a_local_variable_cannot_be_set() {
    let ends = run(
        c"jit.off()
        local ends = {}
        for count = 1, 100 do
            local names = {}
            for i = 1, count do names[i] = 'a' .. i end
            local code = 'local ' .. table.concat(names, ',') .. ' = ... coroutine.yield() return a1'
            local co = coroutine.create(assert(loadstring(code)))
            assert(coroutine.resume(co, 1))
            refuse(true)
            local is_set, message = pcall(debug.setlocal, co, 1, 1, 5)
            refuse(false)
            local status, _, value = coroutine.status(co), coroutine.resume(co)
            local is_right = value == (is_set and 5 or 1) and (is_set or type(message) == 'string')
            ends[status .. ' ' .. tostring(is_right)] = true
        end
        local list = {}
        for how in pairs(ends) do list[#list + 1] = how end
        return table.concat(list, ', ')",
    );
    assert_eq!(ends, "suspended true");
}
