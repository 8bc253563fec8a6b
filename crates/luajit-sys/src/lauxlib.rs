//! `lauxlib.h`: conveniences on top of [`lua.h`](crate::lua).

use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr;

use crate::lua::header_macros;
use crate::lua::*;

/// Status of [`luaL_loadfile`]: the file could not be opened or read.
pub const LUA_ERRFILE: c_int = LUA_ERRERR + 1;
/// A reference that refers to nothing.
pub const LUA_NOREF: c_int = -2;
/// The reference [`luaL_ref`] gives for nil.
pub const LUA_REFNIL: c_int = -1;

// LuaJIT takes the C library's BUFSIZ, but 8192 if that is over 16384.
/// `luaconf.h`: bytes in a [`luaL_Buffer`].
pub const LUAL_BUFFERSIZE: usize = if cfg!(windows) {
    512
} else if cfg!(all(target_os = "linux", target_env = "gnu")) {
    8192
} else {
    1024
};

/// A function to register, under its name. A null name ends a list.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct luaL_Reg {
    /// The name, or null at the end of a list.
    pub name: *const c_char,
    /// The function.
    pub func: Option<lua_CFunction>,
}

/// Builds a string from pieces. While it is in use it may keep pieces on top of the stack.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct luaL_Buffer {
    /// The first free byte in `buffer`.
    pub p: *mut c_char,
    /// How many pieces are on the stack.
    pub lvl: c_int,
    /// The thread whose stack is used.
    pub L: *mut lua_State,
    /// The piece being filled.
    pub buffer: [c_char; LUAL_BUFFERSIZE],
}

// --------------------------------------------------------- states and errors

unsafe extern "C-unwind" {
    /// Makes a VM with LuaJIT's own allocator, a panic function, and finalizers' errors printed;
    /// null when there is no memory, except that the last steps, unprotected, panic. `[-0, +0, m]`
    pub fn luaL_newstate() -> *mut lua_State;
    /// Raises a formatted message (as [`lua_pushfstring`]) that starts with the position. `[-0, +0, v]`
    pub fn luaL_error(L: *mut lua_State, fmt: *const c_char, ...) -> c_int;
    /// Raises a complaint about argument `numarg` of the running function. `[-0, +0, v]`
    pub fn luaL_argerror(L: *mut lua_State, numarg: c_int, extramsg: *const c_char) -> c_int;
    /// Raises a complaint about the type of an argument. `[-0, +0, v]`
    pub fn luaL_typerror(L: *mut lua_State, narg: c_int, tname: *const c_char) -> c_int;
    /// Pushes `chunk:line:` of a call level, or an empty string. `[-0, +1, m]`
    pub fn luaL_where(L: *mut lua_State, lvl: c_int);
    /// Pushes a traceback of `L1` from `level` on, after `msg` and a newline if it is not null.
    /// Keeps up to 15 pieces on the stack meanwhile. `[-0, +1, m]`
    pub fn luaL_traceback(L: *mut lua_State, L1: *mut lua_State, msg: *const c_char, level: c_int);
    /// Pushes what `io` functions return: true, or nil, a message and `errno`; returns how many. `[-0, +(1|3), m]`
    pub fn luaL_fileresult(L: *mut lua_State, stat: c_int, fname: *const c_char) -> c_int;
    /// Pushes what 5.2's `os.execute` returns for a process status; returns how many. `[-0, +3, m]`
    pub fn luaL_execresult(L: *mut lua_State, stat: c_int) -> c_int;
}

// ---------------------------------------------- arguments of a C function

unsafe extern "C-unwind" {
    /// The argument as a string (numbers are converted in place), or an error. `[-0, +0, v]`
    pub fn luaL_checklstring(L: *mut lua_State, numArg: c_int, l: *mut usize) -> *const c_char;
    /// As [`luaL_checklstring`], with a default for nil or none. `[-0, +0, v]`
    pub fn luaL_optlstring(
        L: *mut lua_State,
        numArg: c_int,
        def: *const c_char,
        l: *mut usize,
    ) -> *const c_char;
    /// The argument as a number, or an error. `[-0, +0, v]`
    pub fn luaL_checknumber(L: *mut lua_State, numArg: c_int) -> lua_Number;
    /// As [`luaL_checknumber`], with a default for nil or none. `[-0, +0, v]`
    pub fn luaL_optnumber(L: *mut lua_State, nArg: c_int, def: lua_Number) -> lua_Number;
    /// The argument as a number with the fraction cut off, or an error. `[-0, +0, v]`
    pub fn luaL_checkinteger(L: *mut lua_State, numArg: c_int) -> lua_Integer;
    /// As [`luaL_checkinteger`], with a default for nil or none. `[-0, +0, v]`
    pub fn luaL_optinteger(L: *mut lua_State, nArg: c_int, def: lua_Integer) -> lua_Integer;
    /// [`lua_checkstack`], or a "stack overflow" error that mentions `msg`. `[-0, +0, v]`
    pub fn luaL_checkstack(L: *mut lua_State, sz: c_int, msg: *const c_char);
    /// An error unless the argument has this type. `[-0, +0, v]`
    pub fn luaL_checktype(L: *mut lua_State, narg: c_int, t: c_int);
    /// An error unless there is such an argument. `[-0, +0, v]`
    pub fn luaL_checkany(L: *mut lua_State, narg: c_int);
    /// The position of the argument (or the default, if not null) in a null-ended list of
    /// strings, or an error. `[-0, +0, v]`
    pub fn luaL_checkoption(
        L: *mut lua_State,
        narg: c_int,
        def: *const c_char,
        lst: *const *const c_char,
    ) -> c_int;
    /// The block of a full userdata whose metatable was registered as `tname`, or an error. `[-0, +0, v]`
    pub fn luaL_checkudata(L: *mut lua_State, ud: c_int, tname: *const c_char) -> *mut c_void;
    /// As [`luaL_checkudata`], but null in place of an error. `[-0, +0, m]`
    pub fn luaL_testudata(L: *mut lua_State, ud: c_int, tname: *const c_char) -> *mut c_void;
}

// ----------------------------------------------- metatables and references

unsafe extern "C-unwind" {
    /// Pushes the metatable registered as `tname`; 1 if it had to be made. `[-0, +1, m]`
    pub fn luaL_newmetatable(L: *mut lua_State, tname: *const c_char) -> c_int;
    /// Gives the value on top the metatable registered as `tname`. Raises as
    /// [`lua_setmetatable`] does. `[-0, +0, e]`
    pub fn luaL_setmetatable(L: *mut lua_State, tname: *const c_char);
    /// Pushes a field of the value's metatable and returns 1; 0 and nothing if it has none.
    /// No metamethods. `[-0, +(0|1), m]`
    pub fn luaL_getmetafield(L: *mut lua_State, obj: c_int, e: *const c_char) -> c_int;
    /// Calls a metamethod with the value and pushes one result; 0 and nothing if it has none. `[-0, +(0|1), e]`
    pub fn luaL_callmeta(L: *mut lua_State, obj: c_int, e: *const c_char) -> c_int;
    /// Pops a value, stores it under a free integer key of the table and returns the key. `[-1, +0, m]`
    pub fn luaL_ref(L: *mut lua_State, t: c_int) -> c_int;
    /// Frees a key that [`luaL_ref`] gave; ignores negative ones. `[-0, +0, m]`
    pub fn luaL_unref(L: *mut lua_State, t: c_int, r#ref: c_int);
}

// -------------------------------------------------------- loading chunks

unsafe extern "C-unwind" {
    /// Compiles a file (null: standard input), as [`lua_load`] does, or [`LUA_ERRFILE`]. `[-0, +1, m]`
    pub fn luaL_loadfile(L: *mut lua_State, filename: *const c_char) -> c_int;
    /// As [`luaL_loadfile`], with the mode of [`lua_loadx`]. `[-0, +1, m]`
    pub fn luaL_loadfilex(L: *mut lua_State, filename: *const c_char, mode: *const c_char)
    -> c_int;
    /// Compiles bytes in memory, as [`lua_load`] does. `[-0, +1, m]`
    pub fn luaL_loadbuffer(
        L: *mut lua_State,
        buff: *const c_char,
        sz: usize,
        name: *const c_char,
    ) -> c_int;
    /// As [`luaL_loadbuffer`], with the mode of [`lua_loadx`]. `[-0, +1, m]`
    pub fn luaL_loadbufferx(
        L: *mut lua_State,
        buff: *const c_char,
        sz: usize,
        name: *const c_char,
        mode: *const c_char,
    ) -> c_int;
    /// Compiles a zero-terminated string, which is its own chunk name. `[-0, +1, m]`
    pub fn luaL_loadstring(L: *mut lua_State, s: *const c_char) -> c_int;
}

// ---------------------------------------------------------------- libraries

unsafe extern "C-unwind" {
    /// Pops `nup` upvalues and sets the functions, sharing copies of them, in the library table
    /// `libname`, which is made if need be and pushed; for null, in the table below the
    /// upvalues. `[-nup, +(0|1), e]`
    pub fn luaL_openlib(L: *mut lua_State, libname: *const c_char, l: *const luaL_Reg, nup: c_int);
    /// [`luaL_openlib`] without upvalues. `[-0, +(0|1), e]`
    pub fn luaL_register(L: *mut lua_State, libname: *const c_char, l: *const luaL_Reg);
    /// Pops `nup` upvalues and sets the functions, with copies of them, in the table below. `[-nup, +0, e]`
    pub fn luaL_setfuncs(L: *mut lua_State, l: *const luaL_Reg, nup: c_int);
    /// Pushes the module's table, made and registered as loaded and global if need be. `[-0, +1, e]`
    pub fn luaL_pushmodule(L: *mut lua_State, modname: *const c_char, sizehint: c_int);
    /// Pushes the table that a dotted name leads to, making what is missing; otherwise returns
    /// the part of the name that is in the way, and pushes nothing. `[-0, +(0|1), e]`
    pub fn luaL_findtable(
        L: *mut lua_State,
        idx: c_int,
        fname: *const c_char,
        szhint: c_int,
    ) -> *const c_char;
}

// ------------------------------------------------------------------- buffers

unsafe extern "C" {
    /// Makes a buffer ready. `[-0, +0, -]`
    pub fn luaL_buffinit(L: *mut lua_State, B: *mut luaL_Buffer);
}
unsafe extern "C-unwind" {
    /// Pushes `s` with every `p` replaced by `r`, and returns it. `[-0, +1, m]`
    pub fn luaL_gsub(
        L: *mut lua_State,
        s: *const c_char,
        p: *const c_char,
        r: *const c_char,
    ) -> *const c_char;
    /// Empties the buffer's array onto the stack and returns it, to be filled by the
    /// caller. `[-?, +?, m]`
    pub fn luaL_prepbuffer(B: *mut luaL_Buffer) -> *mut c_char;
    /// Adds bytes. `[-?, +?, m]`
    pub fn luaL_addlstring(B: *mut luaL_Buffer, s: *const c_char, l: usize);
    /// Adds a zero-terminated string. `[-?, +?, m]`
    pub fn luaL_addstring(B: *mut luaL_Buffer, s: *const c_char);
    /// Pops a string or number and adds it. `[-1, +?, m]`
    pub fn luaL_addvalue(B: *mut luaL_Buffer);
    /// Pops the buffer's pieces and pushes the whole string. `[-?, +1, m]`
    pub fn luaL_pushresult(B: *mut luaL_Buffer);
}

// -------------------------------------------------------- the header's macros

header_macros! {
    /// The older name of [`luaL_newstate`]; a macro of `lua.h`. `[-0, +0, m]`
    fn lua_open() -> *mut lua_State = luaL_newstate();
    /// [`luaL_argerror`] unless the condition holds. `[-0, +0, v]`
    fn luaL_argcheck(L: *mut lua_State, cond: bool, numarg: c_int, extramsg: *const c_char) = {
        if !cond {
            luaL_argerror(L, numarg, extramsg);
        }
    };
    /// [`luaL_checklstring`] without the length. `[-0, +0, v]`
    fn luaL_checkstring(L: *mut lua_State, n: c_int) -> *const c_char = luaL_checklstring(L, n, ptr::null_mut());
    /// [`luaL_optlstring`] without the length. `[-0, +0, v]`
    fn luaL_optstring(L: *mut lua_State, n: c_int, d: *const c_char) -> *const c_char =
        luaL_optlstring(L, n, d, ptr::null_mut());
    /// [`luaL_checkinteger`], cut to an int. `[-0, +0, v]`
    fn luaL_checkint(L: *mut lua_State, n: c_int) -> c_int = luaL_checkinteger(L, n) as c_int;
    /// [`luaL_optinteger`], cut to an int. `[-0, +0, v]`
    fn luaL_optint(L: *mut lua_State, n: c_int, d: lua_Integer) -> c_int = luaL_optinteger(L, n, d) as c_int;
    /// [`luaL_checkinteger`], cut to a long. `[-0, +0, v]`
    fn luaL_checklong(L: *mut lua_State, n: c_int) -> c_long = luaL_checkinteger(L, n) as c_long;
    /// [`luaL_optinteger`], cut to a long. `[-0, +0, v]`
    fn luaL_optlong(L: *mut lua_State, n: c_int, d: lua_Integer) -> c_long = luaL_optinteger(L, n, d) as c_long;
    /// The name of the slot's type. `[-0, +0, -]`
    fn luaL_typename(L: *mut lua_State, i: c_int) -> *const c_char = lua_typename(L, lua_type(L, i));
    /// Compiles and runs a file; false, and a message on the stack, if that failed. `[-0, +?, m]`
    fn luaL_dofile(L: *mut lua_State, fname: *const c_char) -> bool =
        luaL_loadfile(L, fname) == LUA_OK && lua_pcall(L, 0, LUA_MULTRET, 0) == LUA_OK;
    /// Compiles and runs a string; false, and a message on the stack, if that failed. `[-0, +?, m]`
    fn luaL_dostring(L: *mut lua_State, s: *const c_char) -> bool =
        luaL_loadstring(L, s) == LUA_OK && lua_pcall(L, 0, LUA_MULTRET, 0) == LUA_OK;
    /// Pushes the metatable registered as `n`, or nil. `[-0, +1, m]`
    fn luaL_getmetatable(L: *mut lua_State, n: *const c_char) = lua_getfield(L, LUA_REGISTRYINDEX, n);
    /// Pushes a table with space for the functions of a list, its end not counted. `[-0, +1, m]`
    fn luaL_newlibtable(L: *mut lua_State, l: &[luaL_Reg]) =
        lua_createtable(L, 0, l.len().saturating_sub(1) as c_int);
    /// Pushes a table with the functions of a list, which must end with a null name. `[-0, +1, m]`
    fn luaL_newlib(L: *mut lua_State, l: &[luaL_Reg]) = {
        luaL_newlibtable(L, l);
        luaL_setfuncs(L, l.as_ptr(), 0);
    };
    /// Adds one byte. `[-?, +?, m]`
    fn luaL_addchar(B: *mut luaL_Buffer, c: c_char) = {
        if (*B).p >= (&raw mut (*B).buffer).cast::<c_char>().add(LUAL_BUFFERSIZE) {
            luaL_prepbuffer(B);
        }
        (*B).p.write(c);
        (*B).p = (*B).p.add(1);
    };
    /// The older name of [`luaL_addchar`]. `[-?, +?, m]`
    fn luaL_putchar(B: *mut luaL_Buffer, c: c_char) = luaL_addchar(B, c);
    /// Counts bytes in that were written after [`luaL_prepbuffer`]. `[-0, +0, -]`
    fn luaL_addsize(B: *mut luaL_Buffer, n: usize) = (*B).p = (*B).p.add(n);
}
