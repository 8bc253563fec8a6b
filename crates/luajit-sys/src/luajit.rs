//! `luajit.h`: what LuaJIT adds to the Lua API.

use core::ffi::{CStr, c_char, c_int, c_void};

use crate::lua::lua_State;

/// The version, as `jit.version` shows it: the last part is the time of the last change.
pub const LUAJIT_VERSION: &CStr = c"LuaJIT 2.1.1788856981";
/// A number that no longer changes.
pub const LUAJIT_VERSION_NUM: c_int = 20199;
/// LuaJIT's copyright notice.
pub const LUAJIT_COPYRIGHT: &CStr = c"Copyright (C) 2005-2026 Mike Pall";
/// LuaJIT's home.
pub const LUAJIT_URL: &CStr = c"https://luajit.org/";

/// [`luaJIT_setmode`]: the bits that hold the mode.
pub const LUAJIT_MODE_MASK: c_int = 0x00ff;
/// [`luaJIT_setmode`]: the whole compiler.
pub const LUAJIT_MODE_ENGINE: c_int = 0;
/// [`luaJIT_setmode`]: not implemented in LuaJIT.
pub const LUAJIT_MODE_DEBUG: c_int = 1;
/// [`luaJIT_setmode`]: one function.
pub const LUAJIT_MODE_FUNC: c_int = 2;
/// [`luaJIT_setmode`]: a function and those inside it.
pub const LUAJIT_MODE_ALLFUNC: c_int = 3;
/// [`luaJIT_setmode`]: only the functions inside a function.
pub const LUAJIT_MODE_ALLSUBFUNC: c_int = 4;
/// [`luaJIT_setmode`]: one trace; `idx` is its number.
pub const LUAJIT_MODE_TRACE: c_int = 5;
/// [`luaJIT_setmode`]: a wrapper, given as a light userdata, around every call of a C function.
pub const LUAJIT_MODE_WRAPCFUNC: c_int = 0x10;
/// The first number that is no mode.
pub const LUAJIT_MODE_MAX: c_int = 0x11;
/// [`luaJIT_setmode`]: switch off.
pub const LUAJIT_MODE_OFF: c_int = 0x0000;
/// [`luaJIT_setmode`]: switch on.
pub const LUAJIT_MODE_ON: c_int = 0x0100;
/// [`luaJIT_setmode`]: throw compiled code away.
pub const LUAJIT_MODE_FLUSH: c_int = 0x0200;

/// Gets the samples of the profiler, with a state and why it was not in Lua code (`N`, `I`, `C`,
/// `G`, `J`). It must not raise.
pub type luaJIT_profile_callback =
    unsafe extern "C" fn(data: *mut c_void, L: *mut lua_State, samples: c_int, vmstate: c_int);

unsafe extern "C" {
    /// Does nothing. It exists in this very version only, so that a program that refers to it
    /// links with no other. `[-0, +0, -]`
    pub fn luaJIT_version_2_1_1788856981();
}
unsafe extern "C-unwind" {
    /// Changes a mode of the compiler, for the function in slot `idx` where the mode is about
    /// one (0: the running one); 0 if that is not possible. Raises inside a finalizer, and
    /// may raise when it tells an attached Lua handler about flushed code. `[-0, +0, e]`
    pub fn luaJIT_setmode(L: *mut lua_State, idx: c_int, mode: c_int) -> c_int;
    /// Starts the profiler, one for the whole process. The mode: `f` function or `l` line
    /// precision, `i` and a number for the interval in ms. `[-0, +0, m]`
    pub fn luaJIT_profile_start(
        L: *mut lua_State,
        mode: *const c_char,
        cb: luaJIT_profile_callback,
        data: *mut c_void,
    );
    /// Stops the profiler if this VM started it. `[-0, +0, m]`
    pub fn luaJIT_profile_stop(L: *mut lua_State);
    /// A description of the call stack, not zero-terminated and valid until the next one; only
    /// while the profiler runs. `[-0, +0, m]`
    pub fn luaJIT_profile_dumpstack(
        L: *mut lua_State,
        fmt: *const c_char,
        depth: c_int,
        len: *mut usize,
    ) -> *const c_char;
}
