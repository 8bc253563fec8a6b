//! Functions of LuaJIT's libraries that `shim/guards.c` stands in for.

use luajit_sys::*;
use std::cell::Cell;
use std::ffi::{CStr, c_int, c_void};
use std::ptr::null_mut;

thread_local! {
    static REFUSES: Cell<bool> = const { Cell::new(false) };
    static ALLOCATOR: Cell<Option<(lua_Alloc, *mut c_void)>> = const { Cell::new(None) };
}

/// LuaJIT's own, or none.
unsafe extern "C" fn allocate(
    _: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    if REFUSES.get() && new > old {
        return null_mut();
    }
    let (allocator, data) = ALLOCATOR.get().unwrap();
    // SAFETY: what LuaJIT has passed is handed on.
    unsafe { allocator(data, block, old, new) }
}

unsafe extern "C-unwind" fn refuse(l: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    REFUSES.set(unsafe { lua_toboolean(l, 1) } != 0);
    0
}

/// What a chunk returns, as text; `refuse(true)` there has the allocator refuse.
fn run(source: &CStr) -> String {
    // SAFETY: a new state, used as it has to be.
    unsafe {
        let l = luaL_newstate();
        assert!(!l.is_null());
        lua_pushcfunction(l, lupa_p_openlibs);
        lua_pushinteger(l, (LUPA_LIB_FFI * 2 - 1) as lua_Integer);
        lua_pushinteger(l, 0);
        assert_eq!(lua_pcall(l, 2, 0, 0), LUA_OK);
        let mut data = null_mut();
        let allocator = lua_getallocf(l, &mut data);
        ALLOCATOR.set(Some((allocator, data)));
        lua_setallocf(l, allocate, null_mut());
        lua_pushcfunction(l, refuse);
        lua_setglobal(l, c"refuse".as_ptr());
        assert_eq!(luaL_loadstring(l, source.as_ptr()), LUA_OK);
        let status = lua_pcall(l, 0, 1, 0);
        let text = lua_tostring(l, -1);
        assert!(!text.is_null());
        let text = CStr::from_ptr(text).to_string_lossy().into_owned();
        assert_eq!(status, LUA_OK, "{text}");
        lua_setallocf(l, allocator, data);
        lua_close(l);
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
