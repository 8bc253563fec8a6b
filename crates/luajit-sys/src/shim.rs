//! Declarations of the C shim (`shim/shim.h`): the trampolines through which
//! Lua calls Rust and the protected entries through which Rust calls what can
//! raise. See the header for the two rules behind them.

use crate::{lua_CFunction, lua_Debug, lua_State, luaJIT_profile_callback};
use core::ffi::{c_char, c_int, c_void};

/// Returned by a Rust entry: raise the value on top of the stack.
pub const LUPA_RAISE: c_int = -1;

/// Returned by the dispatch entry when no live host object serves the event.
pub const LUPA_DEAD: c_int = -2;

/// Returned by the dispatch entry while the state closes: the trampoline raises a message that says so.
pub const LUPA_CLOSED: c_int = -3;

/// `obj[key]`.
pub const LUPA_INDEX: c_int = 0;
/// `obj[key] = value`.
pub const LUPA_NEWINDEX: c_int = 1;
/// `obj(...)`.
pub const LUPA_CALL: c_int = 2;
/// `tostring(obj)`.
pub const LUPA_TOSTRING: c_int = 3;
/// `#obj`.
pub const LUPA_LEN: c_int = 4;
/// `a == b`.
pub const LUPA_EQ: c_int = 5;
/// `a < b`.
pub const LUPA_LT: c_int = 6;
/// `a <= b`.
pub const LUPA_LE: c_int = 7;
/// `a + b`.
pub const LUPA_ADD: c_int = 8;
/// `a - b`.
pub const LUPA_SUB: c_int = 9;
/// `a * b`.
pub const LUPA_MUL: c_int = 10;
/// `a / b`.
pub const LUPA_DIV: c_int = 11;
/// `a % b`.
pub const LUPA_MOD: c_int = 12;
/// `a ^ b`.
pub const LUPA_POW: c_int = 13;
/// `-a`.
pub const LUPA_UNM: c_int = 14;
/// `a .. b`.
pub const LUPA_CONCAT: c_int = 15;
/// The object is collected.
pub const LUPA_GC: c_int = 16;
/// A host function is called.
pub const LUPA_FUNCTION: c_int = 17;
/// Number of events.
pub const LUPA_EVENTS: c_int = 18;

/// Not started.
pub const LUPA_CO_NEW: c_int = 0;
/// Waits in a yield.
pub const LUPA_CO_SUSPENDED: c_int = 1;
/// Runs, or waits for one that it resumed.
pub const LUPA_CO_RUNNING: c_int = 2;
/// Has returned, or was closed.
pub const LUPA_CO_DEAD: c_int = 3;
/// Was ended by an error.
pub const LUPA_CO_FAILED: c_int = 4;

/// No metamethod was needed.
pub const LUPA_ACCESS_DONE: c_int = 0;
/// A metamethod and its arguments were pushed, as [`inline::pcall`](crate::inline::pcall) takes them.
pub const LUPA_ACCESS_CALL: c_int = 1;
/// The protected entry has to do it: perhaps it raises.
pub const LUPA_ACCESS_REFUSED: c_int = 2;

/// The base library, `coroutine` included; it is always opened.
pub const LUPA_LIB_BASE: c_int = 1 << 0;
/// `package`, `require` and `module`.
pub const LUPA_LIB_PACKAGE: c_int = 1 << 1;
/// `table`.
pub const LUPA_LIB_TABLE: c_int = 1 << 2;
/// `io`.
pub const LUPA_LIB_IO: c_int = 1 << 3;
/// `os`.
pub const LUPA_LIB_OS: c_int = 1 << 4;
/// `string`.
pub const LUPA_LIB_STRING: c_int = 1 << 5;
/// `math`.
pub const LUPA_LIB_MATH: c_int = 1 << 6;
/// `debug`.
pub const LUPA_LIB_DEBUG: c_int = 1 << 7;
/// `bit`.
pub const LUPA_LIB_BIT: c_int = 1 << 8;
/// `jit`. Without it the compiler runs, but Lua code cannot reach its switches.
pub const LUPA_LIB_JIT: c_int = 1 << 9;
/// `ffi`, through `require` if `package` is opened, else as a global.
pub const LUPA_LIB_FFI: c_int = 1 << 10;

/// Entry for the trampolines of objects: gives the number of results, or [`LUPA_RAISE`].
/// It must not unwind.
pub type LupaDispatch = unsafe extern "C" fn(L: *mut lua_State, event: c_int) -> c_int;
/// Entry for the trampoline of functions, [`LUPA_FUNCTION`]; else as [`LupaDispatch`].
pub type LupaFunctionEntry = unsafe extern "C" fn(L: *mut lua_State) -> c_int;
/// Entry for [`lupa_hook`]: 0 to go on, or [`LUPA_RAISE`]; or for what is to be done after Lua code has
/// called `debug.sethook`, which gives 0. It must not unwind.
pub type LupaHookEntry = unsafe extern "C" fn(L: *mut lua_State) -> c_int;

/// A chunk in up to two pieces, for [`lupa_load`], or a pointer for [`lupa_set_chunk`].
#[repr(C)]
#[derive(Debug)]
pub struct LupaChunk {
    /// The pieces, read in order.
    pub piece: [*const c_char; 2],
    /// Their lengths in bytes.
    pub length: [usize; 2],
    /// The piece to be read next; starts at 0.
    pub next: c_int,
    /// The chunk's name, ended by NUL.
    pub name: *const c_char,
    /// `"t"`, `"b"`, `"bt"`, or null for both.
    pub mode: *const c_char,
}

unsafe extern "C" {
    /// Sets the process-wide Rust entries. Call it before the first runtime is made.
    pub fn lupa_set_entries(
        dispatch: LupaDispatch,
        function: LupaFunctionEntry,
        hook: LupaHookEntry,
        sethook: LupaHookEntry,
    );
    /// Compiles a chunk: pushes its function, or a message. Gives `lua_loadx`'s status; all errors are statuses.
    pub fn lupa_load(L: *mut lua_State, chunk: *mut LupaChunk) -> c_int;
    /// Sets the chunk of this thread for a protected entry; gives the one set before.
    pub fn lupa_set_chunk(chunk: *mut LupaChunk) -> *mut LupaChunk;
    /// Sets the end of the native stack, an address, for the calling thread; 0 for unknown.
    pub fn lupa_set_stack_end(address: usize);
    /// A border of a table, given by its address: what the length operator gives without metamethods.
    pub fn lupa_border(table: *const c_void) -> usize;
    /// Pushes key and value of the first entry at or after a position of the table at a positive index, and
    /// moves the position on; 0 if there is none. Positions start at 0.
    pub fn lupa_next(L: *mut lua_State, index: c_int, position: *mut u32) -> c_int;
    /// Begins `object[key]`, of positive indices, as far as no code has to run, with the message handler on top: if that is all,
    /// the value takes its place. One of `LUPA_ACCESS_DONE`, `LUPA_ACCESS_CALL`, `LUPA_ACCESS_REFUSED`. Four slots of the stack must be reserved.
    pub fn lupa_begin_index(L: *mut lua_State, object: c_int, key: c_int) -> c_int;
    /// Begins `object[key] = value`, with the message handler on top: after [`LUPA_ACCESS_DONE`], `lua_rawset` is all that is needed. As
    /// [`lupa_begin_index`], but for five slots.
    pub fn lupa_begin_newindex(L: *mut lua_State, object: c_int, key: c_int, value: c_int)
    -> c_int;
    /// Puts the frames of a coroutine that waits in a yield in place of the topmost frame of another;
    /// 0 if one does not wait, or there is no stack left.
    pub fn lupa_graft_frames(to: *mut lua_State, from: *mut lua_State) -> c_int;
    /// Where a coroutine stands, seen from the running one: one of `LUPA_CO_*`.
    pub fn lupa_coroutine_status(L: *mut lua_State, co: *mut lua_State) -> c_int;
    /// As `lua_checkstack`, for a coroutine that waits: it still does if there is no room.
    pub fn lupa_make_room(co: *mut lua_State, count: c_int) -> c_int;
    /// Ends a coroutine that does not run: no more of its code will.
    pub fn lupa_end_coroutine(co: *mut lua_State);
    /// Puts back what an error in a hook or a finalizer has left of LuaJIT's `hookmask`.
    pub(crate) fn lupa_restore_hooks(L: *mut lua_State, hooks: c_int);
    /// `lua_close`, for a main state with LuaJIT's own allocator. Finalizers run, and errors in them stay inside.
    pub fn lupa_close(L: *mut lua_State);
    /// To be called in the child of a fork, where only the thread is left that has forked.
    #[cfg(unix)]
    pub fn lupa_after_fork();
    /// Whether the FFI library was opened, so that there may be values of its types.
    pub fn lupa_has_ctypes(L: *mut lua_State) -> c_int;
    /// Pushes an `int64_t` or `uint64_t` of the FFI library, which must have been opened; one slot of the
    /// stack must be reserved.
    pub fn lupa_push_int64(L: *mut lua_State, bits: u64, is_unsigned: c_int);
    /// Reads a 64-bit integer of the FFI library at a positive index: 1 for a signed one, 2 for an unsigned
    /// one, 0 for any other value.
    pub fn lupa_to_int64(L: *mut lua_State, index: c_int, bits: *mut u64) -> c_int;
    /// Number of parameters of the function at a positive index, and whether it takes more.
    pub fn lupa_parameters(L: *mut lua_State, index: c_int, is_vararg: *mut c_int) -> c_int;
    /// Whether the compiler is on, or -1 if there is none; writes the processor's features that it uses,
    /// with a space after each, and a zero.
    pub fn lupa_jit_status(L: *mut lua_State, features: *mut c_char, size: usize) -> c_int;
    /// Sets what the profiler calls: it must neither raise nor unwind.
    pub fn lupa_set_profile_entry(entry: luaJIT_profile_callback);
    /// Puts the stack of the running state in order for the error that an allocator is about to cause by
    /// refusing. For allocators only, while Lua code runs; any state of the runtime will do.
    pub fn lupa_before_memory_error(L: *mut lua_State);
    /// Lets hooks run in the finalizer or, if `everywhere` is not 0, the hook's function that runs, where LuaJIT keeps
    /// them off. May be called in a signal handler on the thread that runs Lua code.
    pub fn lupa_let_hooks_in(L: *mut lua_State, everywhere: c_int);
    /// Queues all that has a finalizer, for a main state that is about to be closed; 0 if there is nothing.
    pub fn lupa_queue_finalizers(L: *mut lua_State) -> c_int;
    /// Calls the finalizers of all that is queued and of all cdata. Errors in them stay inside.
    pub fn lupa_finalize(L: *mut lua_State) -> c_int;
    /// Has no finalizer run any more that may run Lua code, of all that is queued and of all cdata. May be called in a
    /// hook.
    pub fn lupa_skip_finalizers(L: *mut lua_State);
    /// Gives the C function that serves an event, `0 <= event < LUPA_EVENTS`.
    pub fn lupa_trampoline(event: c_int) -> lua_CFunction;
    /// Pushes a function of the host, whose one upvalue is a new userdata; gives the block of that. A slot of the stack must be
    /// reserved. May run finalizers, as other pushes do.
    pub fn lupa_new_function(L: *mut lua_State, size: usize) -> *mut c_void;
    /// Pushes a function of the host with two upvalues, the bits of numbers, and one more for a payload, if there is any: four bytes
    /// of it may be anything. Gives their place, or null; else as [`lupa_new_function`].
    pub fn lupa_new_plain_function(
        L: *mut lua_State,
        first: u64,
        second: u64,
        has_payload: c_int,
    ) -> *mut c_void;
}

// These raise when memory is short.
unsafe extern "C-unwind" {
    /// Whether a Lua function of this state waits where it has called nothing: for a hook or a message handler.
    /// LuaJIT knows by the native stack where in the function that is.
    pub fn lupa_is_interrupted(L: *mut lua_State) -> c_int;
    /// Sets an integer key of a table, by its address, to the value at a positive index, or to nil if there is none.
    /// The first key beyond the array part doubles that; no key may be skipped.
    pub fn lupa_set_anchor(L: *mut lua_State, table: *mut u8, key: c_int, index: c_int);
}

// Each of these runs Lua or raises: only LuaJIT itself may call them.
unsafe extern "C-unwind" {
    /// The hook function; asks the hook entry whether to raise. Message handlers are passed over.
    pub fn lupa_hook(L: *mut lua_State, ar: *mut lua_Debug);
    /// `(t, k) -> t[k]`
    pub fn lupa_p_index(L: *mut lua_State) -> c_int;
    /// `(t, k, v) ->`
    pub fn lupa_p_newindex(L: *mut lua_State) -> c_int;
    /// `(a, b) -> a == b`
    pub fn lupa_p_equal(L: *mut lua_State) -> c_int;
    /// `(a, b) -> a < b`
    pub fn lupa_p_lessthan(L: *mut lua_State) -> c_int;
    /// `(a) -> #a`
    pub fn lupa_p_len(L: *mut lua_State) -> c_int;
    /// `(a) -> tostring(a)`
    pub fn lupa_p_tostring(L: *mut lua_State) -> c_int;
    /// `() ->`, allocates what LuaJIT's compiler needs before it can cope without memory.
    pub fn lupa_p_prepare_compiler(L: *mut lua_State) -> c_int;
    /// `(what, data) -> lua_gc(what, data)`
    pub fn lupa_p_gc(L: *mut lua_State) -> c_int;
    /// `(mask, strings) -> coroutine.yield`, opens the standard libraries and makes room for so many strings
    pub fn lupa_p_openlibs(L: *mut lua_State) -> c_int;
    /// `() -> string`, the first piece of what [`lupa_set_chunk`] set, once
    pub fn lupa_p_string(L: *mut lua_State) -> c_int;
    /// `(array, hash) -> table` with room for so many entries
    pub fn lupa_p_table(L: *mut lua_State) -> c_int;
    /// `(function, strip) -> bytecode`
    pub fn lupa_p_dump(L: *mut lua_State) -> c_int;
    /// `() -> light userdata`, of the first piece of what [`lupa_set_chunk`] set, once
    pub fn lupa_p_pointer(L: *mut lua_State) -> c_int;
    /// `() ->`, opens the FFI library without making a global
    pub fn lupa_p_open_ffi(L: *mut lua_State) -> c_int;
    /// `(mode, trace, function) -> luaJIT_setmode(...)`
    pub fn lupa_p_setmode(L: *mut lua_State) -> c_int;
    /// `(mode or nil) ->`, starts or stops the profiler
    pub fn lupa_p_profile(L: *mut lua_State) -> c_int;
}
