/* The C shim between LuaJIT and the Rust crates above it.
**
** Two rules shape it.  A Lua error is a C unwind that must never cross a Rust
** frame, so (1) Lua calls into Rust only through the trampolines below, which
** raise after the Rust function has returned; and (2) Rust calls whatever can
** raise only through lua_pcall() of one of the protected entries below.
*/
#ifndef LUPA_SHIM_H
#define LUPA_SHIM_H

#include <stddef.h>
#include <stdint.h>
#include "lua.h"
#include "luajit.h"

/* What a trampoline asks the Rust side to do: the metamethods of a host
** object, in the order of the Rust enum `Event`, then a call of a host function. */
enum lupa_event {
  LUPA_INDEX, LUPA_NEWINDEX, LUPA_CALL, LUPA_TOSTRING, LUPA_LEN, LUPA_EQ,
  LUPA_LT, LUPA_LE, LUPA_ADD, LUPA_SUB, LUPA_MUL, LUPA_DIV, LUPA_MOD,
  LUPA_POW, LUPA_UNM, LUPA_CONCAT, LUPA_GC, LUPA_FUNCTION, LUPA_EVENTS
};

/* Returned by a Rust entry instead of a number of results: the value on top
** of the stack is to be raised as an error. */
#define LUPA_RAISE (-1)
/* Returned by the dispatch entry when there is no live host object to serve the
** event: the trampoline raises a message that says so. */
#define LUPA_DEAD (-2)
/* Returned by the dispatch entry while the state closes: as above. */
#define LUPA_CLOSED (-3)

/* All return a number of results or LUPA_RAISE and never unwind. */
typedef int (*lupa_Dispatch)(lua_State *L, int event);
typedef int (*lupa_FunctionEntry)(lua_State *L);
typedef int (*lupa_HookEntry)(lua_State *L);

/* Sets the process-wide Rust entries; called before the first runtime. */
void lupa_set_entries(lupa_Dispatch dispatch, lupa_FunctionEntry function, lupa_HookEntry hook,
                      lupa_HookEntry sethook);

/* The trampoline for an event, 0 <= event < LUPA_EVENTS. */
lua_CFunction lupa_trampoline(int event);

/* Pushes a function of the host, with one upvalue, a new userdata: lua_newuserdata() and lua_pushcclosure() in one. Returns the
** block of the userdata. */
void *lupa_new_function(lua_State *L, size_t size);

/* Pushes a function of the host with two upvalues, the bits of numbers, and one more for a payload, if there is any: four bytes of
** it may be anything, for it is a number whatever they are.  Returns their place, or NULL. */
void *lupa_new_plain_function(lua_State *L, uint64_t first, uint64_t second, int has_payload);

/* Hook that asks the Rust entry whether to raise; message handlers are passed over. */
void lupa_hook(lua_State *L, lua_Debug *ar);

/* The end of the native stack, as far as Lua code may use it, for the calling
** thread: an address, 0 while unknown.  Stacks grow downwards. */
void lupa_set_stack_end(size_t address);

/* Lets hooks run where LuaJIT keeps them off, until that ends: in finalizers and, if `everywhere`, in functions that
** a hook calls.  May be called in a signal handler on the thread that runs Lua code. */
void lupa_let_hooks_in(lua_State *L, int everywhere);

/* Where a finalizer is being ended: those of Lua code that are due after it, in this cycle of the collector, do not
** run any more, since they would have to be ended one by one.  Needs no memory. */
void lupa_skip_queued_finalizers(lua_State *L);

/* For a state that is about to be closed: queues all that has a finalizer, and gives whether there is anything; calls
** the finalizers of all that is queued and of all cdata, in protected mode, and gives a status; skips those of Lua
** code, queued or of cdata. */
int lupa_queue_finalizers(lua_State *L);
int lupa_finalize(lua_State *L);
void lupa_skip_finalizers(lua_State *L);

/* To be called at the end of a hook: LuaJIT expects hooks to be off there still. */
void lupa_end_hook(lua_State *L);

/* Raises the error on top of the stack, in a hook; message handlers are passed over. */
void lupa_raise_in_hook(lua_State *L);

/* Does what the hook would do, if it is set: for C code that goes on without an instruction of Lua code. */
void lupa_poll(lua_State *L);

/* Whether a Lua function of this state waits where it has called nothing: for a hook or a message handler.  LuaJIT
** knows by the native stack where in the function that is. */
int lupa_is_interrupted(lua_State *L);

/* Says that Lua code has set a hook. */
void lupa_hook_was_set(lua_State *L);

/* Keeps the debug library, the table on top, from changing the values of C functions, and tells the host of hooks. */
void lupa_guard_debug(lua_State *L);

/* Has LuaJIT's own functions that call back, and so nest C calls, raise when the native stack is used up, and load()
** stop where its reader gives hooks no chance.  The basic library is open, and no Lua code has run. */
void lupa_install_guards(lua_State *L);

/* Protected entries: to be called with lua_pcall() only. */
int lupa_p_index(lua_State *L);     /* (t, k)    -> t[k] */
int lupa_p_newindex(lua_State *L);  /* (t, k, v) -> */
int lupa_p_equal(lua_State *L);     /* (a, b)    -> a == b */
int lupa_p_lessthan(lua_State *L);  /* (a, b)    -> a < b */
int lupa_p_len(lua_State *L);       /* (a)       -> #a, a number, 0 for what has no length; honours __len, of tables too */
int lupa_p_tostring(lua_State *L);  /* (a)       -> tostring(a) without the global; whatever __tostring returns */
int lupa_p_gc(lua_State *L);        /* (what, data) -> lua_gc(what, data) */
int lupa_p_prepare_compiler(lua_State *L); /* () ->, allocates what the compiler needs before it can cope without memory */
int lupa_p_openlibs(lua_State *L);  /* (bit mask of LUPA_LIB_*, strings to make room for) -> coroutine.yield */
int lupa_p_string(lua_State *L);    /* () -> the first piece of lupa_set_chunk()'s chunk, a string */
int lupa_p_table(lua_State *L);     /* (array, hash) -> a table with room for so many entries */
int lupa_p_dump(lua_State *L);      /* (function, strip) -> bytecode, a string */
int lupa_p_pointer(lua_State *L);   /* () -> the address of the first piece of lupa_set_chunk()'s chunk, a light userdata */
int lupa_p_open_ffi(lua_State *L);  /* () ->, opens the FFI library without making a global */
int lupa_p_setmode(lua_State *L);   /* (mode, trace, function) -> luaJIT_setmode() for what the mode is about */
int lupa_p_profile(lua_State *L);   /* (mode or nil) ->, starts the profiler with the profile entry, or stops it */

/* What the profiler calls; it must neither raise nor unwind. Process-wide, as the profiler is. */
void lupa_set_profile_entry(luaJIT_profile_callback entry);

/* To be called by an allocator that is going to refuse, while Lua code runs.  Any state will do. */
void lupa_before_memory_error(lua_State *L);

/* A chunk in up to two pieces, so that a prefix needs no copy of the text.
** Also what lupa_set_chunk() passes: a pointer, as the first piece. */
typedef struct lupa_Chunk {
  const char *piece[2];
  size_t length[2];
  int next;
  const char *name;
  const char *mode; /* NULL: text and bytecode */
} lupa_Chunk;

/* Pushes the function that the chunk compiles to, or the message of an error.  As lua_loadx(), whose status it gives, but
** errors of the collector's step at its end are statuses, too. */
int lupa_load(lua_State *L, lupa_Chunk *chunk);

/* Sets the chunk of this thread that a protected entry takes, once, and gives the one that was
** set before.  The pointer does not pass through Lua's stack: the debug library's hooks
** and finalizers would find it there, and the function to pass it to again later. */
lupa_Chunk *lupa_set_chunk(lupa_Chunk *chunk);

/* Makes LuaJIT's table of strings large enough for so many, up to 2^16.  May raise when memory is short. */
void lupa_reserve_strings(lua_State *L, uint32_t count);

/* Lua values that the host holds, its anchors, are in the array part of a table, which only the first slot of
** the main state's stack refers to: no Lua code can reach it there.  lua_close() takes the slot for itself.
** Sets a key of that table, given by its address, to the value at a positive index.  The first key beyond
** the size doubles it, which may raise when memory is short; no key may be skipped. */
void lupa_set_anchor(lua_State *L, void *table, int key, int index);

/* A border of a table, given by its address: what the length operator gives without metamethods. */
size_t lupa_border(const void *table);

/* Pushes key and value of the first entry at or after a position of the table at a positive index, and
** sets the position to the one after it; 0, and nothing pushed, if there is none.  Positions start at 0, and two
** slots of the stack must be reserved.  Entries that are removed or changed meanwhile do no harm; after
** others were added some may come twice or not at all. */
int lupa_next(lua_State *L, int index, uint32_t *position);

/* Access to any value, as far as it raises nothing, allocates nothing and runs no code. */
enum lupa_access {
  LUPA_ACCESS_DONE,    /* no metamethod was needed */
  LUPA_ACCESS_CALL,    /* a metamethod and its arguments were pushed, as inline::pcall() takes them */
  LUPA_ACCESS_REFUSED  /* the protected entry has to do it: perhaps it raises */
};

/* Begins `object[key]`, of positive indices, with the message handler on top: if that is all, the value takes its place.  Four
** slots must be reserved. */
enum lupa_access lupa_begin_index(lua_State *L, int object, int key);

/* Begins `object[key] = value`: if no metamethod is needed, the caller does it by lua_rawset().  Five slots must be reserved. */
enum lupa_access lupa_begin_newindex(lua_State *L, int object, int key, int value);

/* Puts all frames of `from`, a coroutine that waits in a yield, in place of the frame in which the
** coroutine `to` waits, as if `to` had called the bottom function of `from` instead of the one that
** yielded.  0 if one of them does not wait in a yield, or there is no stack left. */
int lupa_graft_frames(lua_State *to, lua_State *from);

/* Where a coroutine stands, seen from the running one. */
enum lupa_status { LUPA_CO_NEW, LUPA_CO_SUSPENDED, LUPA_CO_RUNNING, LUPA_CO_DEAD, LUPA_CO_FAILED };
enum lupa_status lupa_coroutine_status(lua_State *L, lua_State *co);

/* As lua_checkstack(), for a coroutine that waits: it still does if there is no room. */
int lupa_make_room(lua_State *co, int count);

/* Ends a coroutine that does not run: no more of its code will. */
void lupa_end_coroutine(lua_State *co);

/* Puts back what an error in a hook or a finalizer has left of global_State.hookmask. */
void lupa_restore_hooks(lua_State *L, int hooks);

/* lua_close(), for a main state with LuaJIT's own allocator; in builds with LuaJIT's assertions it forgives a small
** error of LuaJIT's in its count of memory. */
void lupa_close(lua_State *L);

/* Whether the FFI library was opened, so that there may be values of its types. */
int lupa_has_ctypes(lua_State *L);

/* Pushes an int64_t or uint64_t of the FFI library, which must have been opened; one slot of the stack must be
** reserved.  May run finalizers, as other pushes do. */
void lupa_push_int64(lua_State *L, uint64_t bits, int is_unsigned);

/* Reads a 64-bit integer of the FFI library at a positive index: 1 for a signed one, 2 for an unsigned
** one, 0 for any other value. */
int lupa_to_int64(lua_State *L, int index, uint64_t *bits);

/* Number of parameters of the function at a positive index, and whether it takes more. */
int lupa_parameters(lua_State *L, int index, int *is_vararg);

/* As lua_dump(), of the function at a positive index; `strip` leaves the debug information out.  May raise. */
int lupa_dump(lua_State *L, int index, lua_Writer writer, void *data, int strip);

/* Whether the compiler is on, or -1 if there is none; writes the processor's features that it uses,
** with a space after each, and a zero. */
int lupa_jit_status(lua_State *L, char *features, size_t size);

/* Standard libraries by bit. The base library includes `coroutine`. */
#define LUPA_LIB_BASE    (1 << 0)
#define LUPA_LIB_PACKAGE (1 << 1)
#define LUPA_LIB_TABLE   (1 << 2)
#define LUPA_LIB_IO      (1 << 3)
#define LUPA_LIB_OS      (1 << 4)
#define LUPA_LIB_STRING  (1 << 5)
#define LUPA_LIB_MATH    (1 << 6)
#define LUPA_LIB_DEBUG   (1 << 7)
#define LUPA_LIB_BIT     (1 << 8)
#define LUPA_LIB_JIT     (1 << 9)
#define LUPA_LIB_FFI     (1 << 10)

#endif
