//! `lua.h`: the Lua API proper, and the part of `luaconf.h` that fixes its types.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::{PhantomData, PhantomPinned};
use core::ptr;

// ---------------------------------------------------------------- versions

/// The language version, as Lua's `_VERSION` shows it.
pub const LUA_VERSION: &CStr = c"Lua 5.1";
/// The PUC-Rio release whose API LuaJIT follows.
pub const LUA_RELEASE: &CStr = c"Lua 5.1.4";
/// The language version as a number: major times 100 plus minor.
pub const LUA_VERSION_NUM: c_int = 501;
/// Copyright notice of the original Lua.
pub const LUA_COPYRIGHT: &CStr = c"Copyright (C) 1994-2008 Lua.org, PUC-Rio";
/// Authors of the original Lua.
pub const LUA_AUTHORS: &CStr = c"R. Ierusalimschy, L. H. de Figueiredo & W. Celes";
/// How PUC-Rio bytecode starts. LuaJIT's own starts with `\x1bLJ` instead.
pub const LUA_SIGNATURE: &CStr = c"\x1bLua";

// --------------------------------------------------------------- constants

/// As a number of results: keep them all.
pub const LUA_MULTRET: c_int = -1;

/// Pseudo-index of the registry, a table that only host code reaches.
pub const LUA_REGISTRYINDEX: c_int = -10000;
/// Pseudo-index of the running C function's environment.
pub const LUA_ENVIRONINDEX: c_int = -10001;
/// Pseudo-index of the thread's globals.
pub const LUA_GLOBALSINDEX: c_int = -10002;

/// Status: success.
pub const LUA_OK: c_int = 0;
/// Status: the coroutine is suspended in a yield.
pub const LUA_YIELD: c_int = 1;
/// Status: an error while running.
pub const LUA_ERRRUN: c_int = 2;
/// Status: the chunk did not compile.
pub const LUA_ERRSYNTAX: c_int = 3;
/// Status: no memory was left. The message handler is not called for it.
pub const LUA_ERRMEM: c_int = 4;
/// Status: the message handler itself failed.
pub const LUA_ERRERR: c_int = 5;

/// Type of an index that refers to no slot.
pub const LUA_TNONE: c_int = -1;
/// Type tag of nil.
pub const LUA_TNIL: c_int = 0;
/// Type tag of booleans.
pub const LUA_TBOOLEAN: c_int = 1;
/// Type tag of bare pointers.
pub const LUA_TLIGHTUSERDATA: c_int = 2;
/// Type tag of numbers.
pub const LUA_TNUMBER: c_int = 3;
/// Type tag of strings.
pub const LUA_TSTRING: c_int = 4;
/// Type tag of tables.
pub const LUA_TTABLE: c_int = 5;
/// Type tag of functions, Lua and C.
pub const LUA_TFUNCTION: c_int = 6;
/// Type tag of full userdata.
pub const LUA_TUSERDATA: c_int = 7;
/// Type tag of coroutines.
pub const LUA_TTHREAD: c_int = 8;
// LuaJIT answers 10 for FFI objects (cdata); its headers give that no name.

/// Free slots a C function finds when it starts. The last of them is not for
/// free: see "Room on the stack" in the [crate's documentation](crate).
pub const LUA_MINSTACK: c_int = 20;
/// `luaconf.h`: most slots the stack of one thread can have.
pub const LUAI_MAXSTACK: c_int = 65500;
/// `luaconf.h`: most slots one C function can use; [`lua_checkstack`] refuses more.
pub const LUAI_MAXCSTACK: c_int = 8000;
/// `luaconf.h`: size of [`lua_Debug::short_src`].
pub const LUA_IDSIZE: usize = 60;
/// `luaconf.h`: most captures in a string pattern.
pub const LUA_MAXCAPTURES: c_int = 32;

/// [`lua_gc`]: stop collecting.
pub const LUA_GCSTOP: c_int = 0;
/// [`lua_gc`]: collect again.
pub const LUA_GCRESTART: c_int = 1;
/// [`lua_gc`]: run a full cycle now.
pub const LUA_GCCOLLECT: c_int = 2;
/// [`lua_gc`]: memory in use, in whole KiB.
pub const LUA_GCCOUNT: c_int = 3;
/// [`lua_gc`]: the bytes in use beyond the whole KiB.
pub const LUA_GCCOUNTB: c_int = 4;
/// [`lua_gc`]: run a step of about `data` KiB; 1 when that ended a cycle.
pub const LUA_GCSTEP: c_int = 5;
/// [`lua_gc`]: set the pause between cycles in percent; returns the old one.
pub const LUA_GCSETPAUSE: c_int = 6;
/// [`lua_gc`]: set the speed of a step in percent; returns the old one.
pub const LUA_GCSETSTEPMUL: c_int = 7;
/// [`lua_gc`]: whether the collector is running.
pub const LUA_GCISRUNNING: c_int = 9;

/// Hook event: a function is called.
pub const LUA_HOOKCALL: c_int = 0;
/// Hook event: a function returns.
pub const LUA_HOOKRET: c_int = 1;
/// Hook event: a new line starts.
pub const LUA_HOOKLINE: c_int = 2;
/// Hook event: so many instructions were executed.
pub const LUA_HOOKCOUNT: c_int = 3;
/// Hook event: a tail-called function returns.
pub const LUA_HOOKTAILRET: c_int = 4;
/// Hook mask for [`LUA_HOOKCALL`].
pub const LUA_MASKCALL: c_int = 1 << LUA_HOOKCALL;
/// Hook mask for [`LUA_HOOKRET`].
pub const LUA_MASKRET: c_int = 1 << LUA_HOOKRET;
/// Hook mask for [`LUA_HOOKLINE`].
pub const LUA_MASKLINE: c_int = 1 << LUA_HOOKLINE;
/// Hook mask for [`LUA_HOOKCOUNT`].
pub const LUA_MASKCOUNT: c_int = 1 << LUA_HOOKCOUNT;

// ------------------------------------------------------------------- types

/// One Lua thread: a stack and a place in the program. All threads of a VM
/// share one global state.
#[repr(C)]
pub struct lua_State {
    _opaque: [u8; 0],
    // Neither Send, Sync nor Unpin: C owns it, and it is tied to its VM.
    _marker: PhantomData<(*mut u8, PhantomPinned)>,
}

/// A Lua number.
pub type lua_Number = f64;
/// C's `ptrdiff_t`: what the integer functions of the API take and return.
pub type lua_Integer = isize;

/// A function that Lua can call: arguments are on the stack, the number of results is returned.
pub type lua_CFunction = unsafe extern "C-unwind" fn(L: *mut lua_State) -> c_int;
/// Gives [`lua_load`] the next piece of a chunk; a null pointer or a size of 0 ends it.
pub type lua_Reader = unsafe extern "C-unwind" fn(
    L: *mut lua_State,
    ud: *mut c_void,
    sz: *mut usize,
) -> *const c_char;
/// Takes a piece of bytecode from [`lua_dump`]; anything but 0 stops the dump.
pub type lua_Writer = unsafe extern "C-unwind" fn(
    L: *mut lua_State,
    p: *const c_void,
    sz: usize,
    ud: *mut c_void,
) -> c_int;
/// Allocates, resizes and (`nsize` 0) frees all memory of a VM. It must not raise or call Lua.
pub type lua_Alloc = unsafe extern "C" fn(
    ud: *mut c_void,
    ptr: *mut c_void,
    osize: usize,
    nsize: usize,
) -> *mut c_void;
/// Called on the events of a [`lua_sethook`] mask.
pub type lua_Hook = unsafe extern "C-unwind" fn(L: *mut lua_State, ar: *mut lua_Debug);

/// C's `va_list` as a parameter. Every ABI that LuaJIT runs on passes it as
/// one pointer; Rust code can pass on one that it got, but not make one.
pub type va_list = *mut c_void;

/// What the debug interface tells about one call.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct lua_Debug {
    /// In a hook: which `LUA_HOOK*` event it is.
    pub event: c_int,
    /// `n`: a name by which the function was called, or null.
    pub name: *const c_char,
    /// `n`: what kind of name that is (`global`, `local`, `method`, `field`, `upvalue` or empty).
    pub namewhat: *const c_char,
    /// `S`: `Lua`, `C` or `main`.
    pub what: *const c_char,
    /// `S`: the chunk's name as it was given to the loader.
    pub source: *const c_char,
    /// `l`: the line being executed, or -1.
    pub currentline: c_int,
    /// `u`: how many upvalues the function has.
    pub nups: c_int,
    /// `S`: the line on which the function starts, or -1.
    pub linedefined: c_int,
    /// `S`: the line on which the function ends, or -1.
    pub lastlinedefined: c_int,
    /// `S`: `source` made short enough for messages.
    pub short_src: [c_char; LUA_IDSIZE],
    /// Private to LuaJIT: where the call is on the stack.
    pub i_ci: c_int,
}

// --------------------------------------------------------- states, threads

unsafe extern "C" {
    /// Makes a VM that allocates with `f`; null when there is no memory. It has
    /// no panic function and does not print errors of finalizers. `[-0, +0, -]`
    pub fn lua_newstate(f: lua_Alloc, ud: *mut c_void) -> *mut lua_State;
    /// Runs all finalizers (their errors are swallowed or printed) and frees the VM,
    /// whichever of its threads is given. Stop a running profiler first. `[-0, +0, -]`
    pub fn lua_close(L: *mut lua_State);
    /// Sets the function called for an error outside any protected call, just before the
    /// process exits; returns the old one. `[-0, +0, -]`
    pub fn lua_atpanic(L: *mut lua_State, panicf: Option<lua_CFunction>) -> Option<lua_CFunction>;
    /// Points at [`LUA_VERSION_NUM`] as a number. `[-0, +0, -]`
    pub fn lua_version(L: *mut lua_State) -> *const lua_Number;
}
unsafe extern "C-unwind" {
    /// Makes a coroutine with an empty stack and pushes it; garbage once nothing refers to it. `[-0, +1, m]`
    pub fn lua_newthread(L: *mut lua_State) -> *mut lua_State;
}

// ---------------------------------------------------------------- the stack

unsafe extern "C" {
    /// The number of slots in use, which is the index of the top one. `[-0, +0, -]`
    pub fn lua_gettop(L: *mut lua_State) -> c_int;
    /// Cuts the stack down to `idx`, or fills it up with nil. `[-?, +?, -]`
    pub fn lua_settop(L: *mut lua_State, idx: c_int);
    /// Pushes a copy of a slot. `[-0, +1, -]`
    pub fn lua_pushvalue(L: *mut lua_State, idx: c_int);
    /// Removes a slot and closes the gap. No pseudo-indices. `[-1, +0, -]`
    pub fn lua_remove(L: *mut lua_State, idx: c_int);
    /// Moves the top slot to `idx`, shifting up what is above. No pseudo-indices. `[-1, +1, -]`
    pub fn lua_insert(L: *mut lua_State, idx: c_int);
    /// Makes sure of `sz` more slots; 0 if that is too many or there is no memory. `[-0, +0, -]`
    pub fn lua_checkstack(L: *mut lua_State, sz: c_int) -> c_int;
}
unsafe extern "C-unwind" {
    /// Pops the top into the slot `idx`. Raises for [`LUA_ENVIRONINDEX`] outside a C
    /// function, for nothing else. `[-1, +0, e]`
    pub fn lua_replace(L: *mut lua_State, idx: c_int);
    /// Copies one slot onto another. Raises where [`lua_replace`] does. `[-0, +0, e]`
    pub fn lua_copy(L: *mut lua_State, fromidx: c_int, toidx: c_int);
    /// Moves the top `n` values to another thread of the same VM, whose stack grows if it
    /// must: that raises in `to`. Never with room for `n` + 1 there. `[-n, +0, e]`
    pub fn lua_xmove(from: *mut lua_State, to: *mut lua_State, n: c_int);
}

// ---------------------------------------------------------- reading a slot

unsafe extern "C" {
    /// Whether the slot holds a number or a string that reads as one. `[-0, +0, -]`
    pub fn lua_isnumber(L: *mut lua_State, idx: c_int) -> c_int;
    /// Whether the slot holds a string or a number. `[-0, +0, -]`
    pub fn lua_isstring(L: *mut lua_State, idx: c_int) -> c_int;
    /// Whether the slot holds a C function; built-in functions count. `[-0, +0, -]`
    pub fn lua_iscfunction(L: *mut lua_State, idx: c_int) -> c_int;
    /// Whether the slot holds userdata, full or light. `[-0, +0, -]`
    pub fn lua_isuserdata(L: *mut lua_State, idx: c_int) -> c_int;
    /// The `LUA_T*` tag of the slot, [`LUA_TNONE`] past the top, 10 for cdata. `[-0, +0, -]`
    pub fn lua_type(L: *mut lua_State, idx: c_int) -> c_int;
    /// The name of a type tag; not checked for range. `[-0, +0, -]`
    pub fn lua_typename(L: *mut lua_State, tp: c_int) -> *const c_char;
    /// Equality without metamethods; 0 if an index refers to no slot. `[-0, +0, -]`
    pub fn lua_rawequal(L: *mut lua_State, idx1: c_int, idx2: c_int) -> c_int;
    /// The number in the slot, or what its string reads as, or 0. `[-0, +0, -]`
    pub fn lua_tonumber(L: *mut lua_State, idx: c_int) -> lua_Number;
    /// As [`lua_tonumber`]; `isnum`, which may be null, says whether there was one. `[-0, +0, -]`
    pub fn lua_tonumberx(L: *mut lua_State, idx: c_int, isnum: *mut c_int) -> lua_Number;
    /// As [`lua_tonumber`], with the fraction cut off. `[-0, +0, -]`
    pub fn lua_tointeger(L: *mut lua_State, idx: c_int) -> lua_Integer;
    /// As [`lua_tointeger`]; `isnum`, which may be null, says whether there was a number,
    /// with or without a fraction. `[-0, +0, -]`
    pub fn lua_tointegerx(L: *mut lua_State, idx: c_int, isnum: *mut c_int) -> lua_Integer;
    /// 0 for nil, false and no slot, else 1. `[-0, +0, -]`
    pub fn lua_toboolean(L: *mut lua_State, idx: c_int) -> c_int;
    /// The C function in the slot; none for Lua functions and for built-in ones
    /// written in assembler. `[-0, +0, -]`
    pub fn lua_tocfunction(L: *mut lua_State, idx: c_int) -> Option<lua_CFunction>;
    /// The block of a full userdata, the pointer of a light one, or null. `[-0, +0, -]`
    pub fn lua_touserdata(L: *mut lua_State, idx: c_int) -> *mut c_void;
    /// The thread in the slot, or null. `[-0, +0, -]`
    pub fn lua_tothread(L: *mut lua_State, idx: c_int) -> *mut lua_State;
    /// An address that tells objects apart; null for what is no object. `[-0, +0, -]`
    pub fn lua_topointer(L: *mut lua_State, idx: c_int) -> *const c_void;
}
unsafe extern "C-unwind" {
    /// Equality as Lua's `==`; 0 if an index refers to no slot. `[-0, +0, e]`
    pub fn lua_equal(L: *mut lua_State, idx1: c_int, idx2: c_int) -> c_int;
    /// Order as Lua's `<`; 0 if an index refers to no slot. `[-0, +0, e]`
    pub fn lua_lessthan(L: *mut lua_State, idx1: c_int, idx2: c_int) -> c_int;
    /// The bytes of a string, followed by a zero byte; null for anything else. A number is
    /// turned into a string **in its slot** (never do that to a key while traversing), and
    /// only that can raise. `[-0, +0, m]`
    pub fn lua_tolstring(L: *mut lua_State, idx: c_int, len: *mut usize) -> *const c_char;
    /// Length of a string, border of a table, size of a full userdata, else 0; no
    /// metamethods. A number becomes a string in its slot, and only that can raise. `[-0, +0, m]`
    pub fn lua_objlen(L: *mut lua_State, idx: c_int) -> usize;
}

// ------------------------------------------------------------------ pushing

unsafe extern "C" {
    /// Pushes nil. `[-0, +1, -]`
    pub fn lua_pushnil(L: *mut lua_State);
    /// Pushes a number; every NaN becomes the same one. `[-0, +1, -]`
    pub fn lua_pushnumber(L: *mut lua_State, n: lua_Number);
    /// Pushes an integer, rounded to a double if it needs more than 53 bits. `[-0, +1, -]`
    pub fn lua_pushinteger(L: *mut lua_State, n: lua_Integer);
    /// Pushes a boolean. `[-0, +1, -]`
    pub fn lua_pushboolean(L: *mut lua_State, b: c_int);
    /// Pushes the thread itself; 1 if it is the main one. `[-0, +1, -]`
    pub fn lua_pushthread(L: *mut lua_State) -> c_int;
}
unsafe extern "C-unwind" {
    /// Pushes a copy of `l` bytes; near 2 GiB it raises "string length overflow". `[-0, +1, m]`
    pub fn lua_pushlstring(L: *mut lua_State, s: *const c_char, l: usize);
    /// Pushes a copy of a zero-terminated string, or nil for a null pointer. `[-0, +1, m]`
    pub fn lua_pushstring(L: *mut lua_State, s: *const c_char);
    /// As [`lua_pushfstring`], with its arguments in a `va_list`. `[-0, +1, m]`
    pub fn lua_pushvfstring(L: *mut lua_State, fmt: *const c_char, argp: va_list) -> *const c_char;
    /// Pushes and returns a formatted string. The formats: `%s %f %d %c %p %%`. `[-0, +1, m]`
    pub fn lua_pushfstring(L: *mut lua_State, fmt: *const c_char, ...) -> *const c_char;
    /// Pops `n` upvalues (at most 255) and pushes a C function with them. `[-n, +1, m]`
    pub fn lua_pushcclosure(L: *mut lua_State, r#fn: lua_CFunction, n: c_int);
    /// Pushes a bare pointer. LuaJIT keeps its upper half in a table of 254 entries: raises
    /// when that cannot grow, or when pointers are spread too widely. `[-0, +1, m]`
    pub fn lua_pushlightuserdata(L: *mut lua_State, p: *mut c_void);
    /// Pushes a table with space for so many array and hash entries. `[-0, +1, m]`
    pub fn lua_createtable(L: *mut lua_State, narr: c_int, nrec: c_int);
    /// Pushes a full userdata and returns its block, 8-aligned and not cleared. `[-0, +1, m]`
    pub fn lua_newuserdata(L: *mut lua_State, sz: usize) -> *mut c_void;
}

// ------------------------------------------------ getting and setting values

unsafe extern "C" {
    /// Replaces the key on top by its value in a table, without metamethods. `[-1, +1, -]`
    pub fn lua_rawget(L: *mut lua_State, idx: c_int);
    /// Pushes `t[n]` of a table, without metamethods. `[-0, +1, -]`
    pub fn lua_rawgeti(L: *mut lua_State, idx: c_int, n: c_int);
    /// Pushes the metatable and returns 1; pushes nothing and returns 0 if there is none. `[-0, +(0|1), -]`
    pub fn lua_getmetatable(L: *mut lua_State, objindex: c_int) -> c_int;
    /// Pushes the environment of a function, full userdata or thread, else nil. `[-0, +1, -]`
    pub fn lua_getfenv(L: *mut lua_State, idx: c_int);
    /// Pops a table and makes it the environment of a function, full userdata or thread;
    /// 0 for other values. `[-1, +0, -]`
    pub fn lua_setfenv(L: *mut lua_State, idx: c_int) -> c_int;
}
unsafe extern "C-unwind" {
    /// Replaces the key on top by `t[key]`, as Lua would. `[-1, +1, e]`
    pub fn lua_gettable(L: *mut lua_State, idx: c_int);
    /// Pushes `t[k]`, as Lua would. `[-0, +1, e]`
    pub fn lua_getfield(L: *mut lua_State, idx: c_int, k: *const c_char);
    /// Pops value and key and does `t[key] = value`, as Lua would. `[-2, +0, e]`
    pub fn lua_settable(L: *mut lua_State, idx: c_int);
    /// Pops a value and does `t[k] = value`, as Lua would. `[-1, +0, e]`
    pub fn lua_setfield(L: *mut lua_State, idx: c_int, k: *const c_char);
    /// As [`lua_settable`] without metamethods; still raises for a key that is nil or NaN. `[-2, +0, e]`
    pub fn lua_rawset(L: *mut lua_State, idx: c_int);
    /// Pops a value and does `t[n] = value`, without metamethods. `[-1, +0, m]`
    pub fn lua_rawseti(L: *mut lua_State, idx: c_int, n: c_int);
    /// Pops a table or nil and makes it the metatable of the value; always 1. Cannot raise for
    /// tables and full userdata; the other types share one metatable each, which flushes
    /// compiled code and raises inside a finalizer. `[-1, +0, e]`
    pub fn lua_setmetatable(L: *mut lua_State, objindex: c_int) -> c_int;
    /// Pops a key and pushes the next key and its value; at the end pushes nothing and returns
    /// 0. Raises if the key is not in the table (any more). `[-1, +(2|0), e]`
    pub fn lua_next(L: *mut lua_State, idx: c_int) -> c_int;
    /// Replaces the top `n` values by their concatenation, as Lua's `..`; the empty
    /// string for 0. `[-n, +1, e]`
    pub fn lua_concat(L: *mut lua_State, n: c_int);
}

// ------------------------------------------------- calls, chunks, coroutines

unsafe extern "C" {
    /// As [`lua_call`] in protected mode: on an error, pops function and arguments and pushes
    /// the error value, which the message handler in slot `errfunc` (0 for none, no
    /// pseudo-index) may have replaced; returns a status. Needs one free slot. `[-(nargs + 1), +(nresults|1), -]`
    pub fn lua_pcall(L: *mut lua_State, nargs: c_int, nresults: c_int, errfunc: c_int) -> c_int;
    /// Calls `func` in protected mode with `ud` as its one argument, a light userdata; results
    /// are dropped, an error value is pushed. Needs three free slots. `[-0, +(0|1), -]`
    pub fn lua_cpcall(L: *mut lua_State, func: lua_CFunction, ud: *mut c_void) -> c_int;
    /// Writes the bytecode of the Lua function on top, debug information included; the
    /// writer's status, or 1 for a C function. Errors of the writer become statuses, and an
    /// error value is pushed for them. `[-0, +(0|1), -]`
    pub fn lua_dump(L: *mut lua_State, writer: lua_Writer, data: *mut c_void) -> c_int;
    /// [`LUA_OK`], [`LUA_YIELD`], or the error that ended the coroutine. `[-0, +0, -]`
    pub fn lua_status(L: *mut lua_State) -> c_int;
    /// Whether a yield would be allowed now. `[-0, +0, -]`
    pub fn lua_isyieldable(L: *mut lua_State) -> c_int;
}
unsafe extern "C-unwind" {
    /// Pops a function and its arguments, calls it and pushes its results. `[-(nargs + 1), +nresults, e]`
    pub fn lua_call(L: *mut lua_State, nargs: c_int, nresults: c_int);
    /// Compiles a chunk, source or bytecode, and pushes the function or a message; returns a
    /// status. Compiling is protected, but the garbage collection after it is not. `[-0, +1, m]`
    pub fn lua_load(
        L: *mut lua_State,
        reader: lua_Reader,
        dt: *mut c_void,
        chunkname: *const c_char,
    ) -> c_int;
    /// As [`lua_load`]; `mode` says what is welcome: source if it contains `t`, bytecode if
    /// it contains `b`, both if it is null. `[-0, +1, m]`
    pub fn lua_loadx(
        L: *mut lua_State,
        reader: lua_Reader,
        dt: *mut c_void,
        chunkname: *const c_char,
        mode: *const c_char,
    ) -> c_int;
    /// To be called as the return expression of a C function: suspends the coroutine and hands
    /// `nresults` values to the resumer. Raises where there is nothing to suspend, and ends a
    /// hook by unwinding. `[-?, +?, e]`
    pub fn lua_yield(L: *mut lua_State, nresults: c_int) -> c_int;
    /// Starts or continues a coroutine with `narg` arguments; returns [`LUA_YIELD`],
    /// [`LUA_OK`] or an error's status, with values or the error on *its* stack. Errors inside
    /// are caught; only making the message for a coroutine that cannot be resumed may raise. `[-?, +?, m]`
    pub fn lua_resume(L: *mut lua_State, narg: c_int) -> c_int;
    /// Raises the value on top as an error. Never returns. `[-1, +0, v]`
    pub fn lua_error(L: *mut lua_State) -> c_int;
}

// --------------------------------------------------------------- collector

unsafe extern "C" {
    /// The allocator; its `ud` is stored if the pointer is not null. `[-0, +0, -]`
    pub fn lua_getallocf(L: *mut lua_State, ud: *mut *mut c_void) -> lua_Alloc;
    /// Replaces the allocator; the new one must be able to free what the old one gave. `[-0, +0, -]`
    pub fn lua_setallocf(L: *mut lua_State, f: lua_Alloc, ud: *mut c_void);
}
unsafe extern "C-unwind" {
    /// Controls the garbage collector: `what` is one of the `LUA_GC*`; -1 for others. Finalizers
    /// may run; their errors are not raised. `[-0, +0, m]`
    pub fn lua_gc(L: *mut lua_State, what: c_int, data: c_int) -> c_int;
}

// ---------------------------------------------------------- debug interface

unsafe extern "C" {
    /// Finds a level of the call stack, 0 being the running function; 0 if it is not that deep. `[-0, +0, -]`
    pub fn lua_getstack(L: *mut lua_State, level: c_int, ar: *mut lua_Debug) -> c_int;
    /// Pushes a local variable and returns its name, or null. With a null `ar`, names the
    /// parameter of the Lua function on top instead and pushes nothing. `[-0, +(0|1), -]`
    pub fn lua_getlocal(L: *mut lua_State, ar: *const lua_Debug, n: c_int) -> *const c_char;
    /// Pops a value into a local variable and returns its name; pops also when there is none. `[-1, +0, -]`
    pub fn lua_setlocal(L: *mut lua_State, ar: *const lua_Debug, n: c_int) -> *const c_char;
    /// Pushes an upvalue and returns its name (empty for C functions), or null. `[-0, +(0|1), -]`
    pub fn lua_getupvalue(L: *mut lua_State, funcindex: c_int, n: c_int) -> *const c_char;
    /// Pops a value into an upvalue and returns its name; pops nothing if there is none. `[-(0|1), +0, -]`
    pub fn lua_setupvalue(L: *mut lua_State, funcindex: c_int, n: c_int) -> *const c_char;
    /// An identity for an upvalue, to see whether closures share it. `n` must exist. `[-0, +0, -]`
    pub fn lua_upvalueid(L: *mut lua_State, idx: c_int, n: c_int) -> *mut c_void;
    /// Makes one Lua closure's upvalue refer to another's. Both must exist. `[-0, +0, -]`
    pub fn lua_upvaluejoin(L: *mut lua_State, idx1: c_int, n1: c_int, idx2: c_int, n2: c_int);
    /// Sets, or with no mask removes, the one hook of the whole VM; always 1. May be called
    /// from a signal handler on the thread that runs Lua, from no other thread. `[-0, +0, -]`
    pub fn lua_sethook(
        L: *mut lua_State,
        func: Option<lua_Hook>,
        mask: c_int,
        count: c_int,
    ) -> c_int;
    /// The hook. `[-0, +0, -]`
    pub fn lua_gethook(L: *mut lua_State) -> Option<lua_Hook>;
    /// The hook's event mask. `[-0, +0, -]`
    pub fn lua_gethookmask(L: *mut lua_State) -> c_int;
    /// The hook's count as it was set. `[-0, +0, -]`
    pub fn lua_gethookcount(L: *mut lua_State) -> c_int;
}
unsafe extern "C-unwind" {
    /// Fills in what the letters of `what` ask for; `f` pushes the function and `L` a table of
    /// its lines; a leading `>` pops the function to look at. 0 for an unknown letter. Only
    /// `L` can raise. `[-(0|1), +(0|1|2), m]`
    pub fn lua_getinfo(L: *mut lua_State, what: *const c_char, ar: *mut lua_Debug) -> c_int;
}

// -------------------------------------------------------- the header's macros

/// Pseudo-index of upvalue `i` of the running C function; the first is 1.
#[inline]
#[must_use]
pub const fn lua_upvalueindex(i: c_int) -> c_int {
    LUA_GLOBALSINDEX - i
}

/// Declares macros of a C header as inline functions.
macro_rules! header_macros {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)? = $body:expr;)*) => {$(
        $(#[$doc])*
        ///
        /// # Safety
        ///
        /// That of the functions it calls; see the [crate's documentation](crate).
        #[inline]
        pub unsafe fn $name($($arg: $ty),*) $(-> $ret)? {
            // SAFETY: this only forwards, and the caller answers for the callee's conditions.
            unsafe { $body }
        }
    )*};
}
pub(crate) use header_macros;

header_macros! {
    /// Pops `n` values. `[-n, +0, -]`
    fn lua_pop(L: *mut lua_State, n: c_int) = lua_settop(L, -n - 1);
    /// Pushes an empty table. `[-0, +1, m]`
    fn lua_newtable(L: *mut lua_State) = lua_createtable(L, 0, 0);
    /// Pushes a C function without upvalues. `[-0, +1, m]`
    fn lua_pushcfunction(L: *mut lua_State, f: lua_CFunction) = lua_pushcclosure(L, f, 0);
    /// Makes a C function a global. `[-0, +0, e]`
    fn lua_register(L: *mut lua_State, n: *const c_char, f: lua_CFunction) = {
        lua_pushcfunction(L, f);
        lua_setglobal(L, n);
    };
    /// The older name of [`lua_objlen`]. `[-0, +0, m]`
    fn lua_strlen(L: *mut lua_State, i: c_int) -> usize = lua_objlen(L, i);
    /// Whether the slot holds a function. `[-0, +0, -]`
    fn lua_isfunction(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) == LUA_TFUNCTION;
    /// Whether the slot holds a table. `[-0, +0, -]`
    fn lua_istable(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) == LUA_TTABLE;
    /// Whether the slot holds a bare pointer. `[-0, +0, -]`
    fn lua_islightuserdata(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) == LUA_TLIGHTUSERDATA;
    /// Whether the slot holds nil. `[-0, +0, -]`
    fn lua_isnil(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) == LUA_TNIL;
    /// Whether the slot holds a boolean. `[-0, +0, -]`
    fn lua_isboolean(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) == LUA_TBOOLEAN;
    /// Whether the slot holds a coroutine. `[-0, +0, -]`
    fn lua_isthread(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) == LUA_TTHREAD;
    /// Whether there is no such slot. `[-0, +0, -]`
    fn lua_isnone(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) == LUA_TNONE;
    /// Whether there is no such slot, or nil in it. `[-0, +0, -]`
    fn lua_isnoneornil(L: *mut lua_State, n: c_int) -> bool = lua_type(L, n) <= LUA_TNIL;
    /// Pushes a string given as a literal (`c"..."`). `[-0, +1, m]`
    fn lua_pushliteral(L: *mut lua_State, s: &CStr) = lua_pushlstring(L, s.as_ptr(), s.count_bytes());
    /// Pops a value into a global variable, as Lua would. `[-1, +0, e]`
    fn lua_setglobal(L: *mut lua_State, s: *const c_char) = lua_setfield(L, LUA_GLOBALSINDEX, s);
    /// Pushes a global variable, as Lua would. `[-0, +1, e]`
    fn lua_getglobal(L: *mut lua_State, s: *const c_char) = lua_getfield(L, LUA_GLOBALSINDEX, s);
    /// [`lua_tolstring`] without the length. `[-0, +0, m]`
    fn lua_tostring(L: *mut lua_State, i: c_int) -> *const c_char = lua_tolstring(L, i, ptr::null_mut());
    /// Pushes the registry. `[-0, +1, -]`
    fn lua_getregistry(L: *mut lua_State) = lua_pushvalue(L, LUA_REGISTRYINDEX);
    /// Memory in use in KiB. `[-0, +0, -]`
    fn lua_getgccount(L: *mut lua_State) -> c_int = lua_gc(L, LUA_GCCOUNT, 0);
}
