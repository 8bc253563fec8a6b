//! `lualib.h`: the standard libraries.

use core::ffi::{CStr, c_int};

use crate::lua::lua_State;

/// Name under which the metatable of Lua's file objects is registered.
pub const LUA_FILEHANDLE: &CStr = c"FILE*";
/// Name of the coroutine library, which [`luaopen_base`] opens too.
pub const LUA_COLIBNAME: &CStr = c"coroutine";
/// Name of the mathematics library.
pub const LUA_MATHLIBNAME: &CStr = c"math";
/// Name of the string library.
pub const LUA_STRLIBNAME: &CStr = c"string";
/// Name of the table library.
pub const LUA_TABLIBNAME: &CStr = c"table";
/// Name of the input and output library.
pub const LUA_IOLIBNAME: &CStr = c"io";
/// Name of the operating-system library.
pub const LUA_OSLIBNAME: &CStr = c"os";
/// Name of the module library.
pub const LUA_LOADLIBNAME: &CStr = c"package";
/// Name of the debug library.
pub const LUA_DBLIBNAME: &CStr = c"debug";
/// Name of the bit-operations library.
pub const LUA_BITLIBNAME: &CStr = c"bit";
/// Name of the library that controls the compiler.
pub const LUA_JITLIBNAME: &CStr = c"jit";
/// Name of the foreign-function library.
pub const LUA_FFILIBNAME: &CStr = c"ffi";

// The openers are C functions for Lua to call: they work on the environment
// of the running C function, so push one and use `lua_call`.
unsafe extern "C-unwind" {
    /// Opens the basic functions and `coroutine`. `[-0, +1|2, e]`
    pub fn luaopen_base(L: *mut lua_State) -> c_int;
    /// Opens `math`. `[-0, +1, e]`
    pub fn luaopen_math(L: *mut lua_State) -> c_int;
    /// Opens `string` and makes it the index of all strings. `[-0, +1, e]`
    pub fn luaopen_string(L: *mut lua_State) -> c_int;
    /// Opens `table`. `[-0, +1, e]`
    pub fn luaopen_table(L: *mut lua_State) -> c_int;
    /// Opens `io`. `[-0, +1, e]`
    pub fn luaopen_io(L: *mut lua_State) -> c_int;
    /// Opens `os`. `[-0, +1, e]`
    pub fn luaopen_os(L: *mut lua_State) -> c_int;
    /// Opens `package`, `require` and `module`. `[-0, +1, e]`
    pub fn luaopen_package(L: *mut lua_State) -> c_int;
    /// Opens `debug`. `[-0, +1, e]`
    pub fn luaopen_debug(L: *mut lua_State) -> c_int;
    /// Opens `bit`. `[-0, +1, e]`
    pub fn luaopen_bit(L: *mut lua_State) -> c_int;
    /// Opens `jit` and switches the compiler on: without it everything is interpreted. `[-0, +1, e]`
    pub fn luaopen_jit(L: *mut lua_State) -> c_int;
    /// Opens `ffi`. Loading bytecode with FFI constants needs it too. `[-0, +1, e]`
    pub fn luaopen_ffi(L: *mut lua_State) -> c_int;
    /// Opens `string.buffer`; [`luaopen_string`] arranges for `require` to call it. `[-0, +1, e]`
    pub fn luaopen_string_buffer(L: *mut lua_State) -> c_int;
    /// Opens all of them, `ffi` and `string.buffer` as preloaded modules only. `[-0, +0, e]`
    pub fn luaL_openlibs(L: *mut lua_State);
}
