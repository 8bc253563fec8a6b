//! States as the core makes them.

use luajit_sys::*;

/// A state with all libraries and the guards.
pub(crate) fn new_state() -> *mut lua_State {
    // SAFETY: a new state, whose libraries are opened without a limit on memory.
    unsafe {
        let l = luaL_newstate();
        assert!(!l.is_null());
        lua_pushcfunction(l, lupa_p_openlibs);
        lua_pushinteger(l, (LUPA_LIB_FFI * 2 - 1) as lua_Integer);
        lua_pushinteger(l, 0);
        assert_eq!(lua_pcall(l, 2, 0, 0), LUA_OK);
        l
    }
}
