#include <string.h>
#include "shim.h"
#include "lauxlib.h"
#include "lualib.h"
#include "luajit.h"

#if defined(_MSC_VER)
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL __thread
#endif

/* -- Trampolines: Lua calls Rust ------------------------------------------ */

static lupa_Dispatch dispatch;
static lupa_HookEntry hook_entry;
static lupa_HookEntry sethook_entry;
static lupa_FunctionEntry function_entry;

void lupa_set_entries(lupa_Dispatch d, lupa_FunctionEntry f, lupa_HookEntry h,
                      lupa_HookEntry s)
{
  dispatch = d;
  function_entry = f;
  hook_entry = h;
  sethook_entry = s;
}

/* No Rust frame is live here: dispatch() has returned. */
static int raise_error(lua_State *L, int code)
{
  if (code == LUPA_DEAD)
    return luaL_error(L, "not a live host object");
  if (code == LUPA_CLOSED)
    lua_pushliteral(L, "the Lua runtime is closed");
#if LUPA_JUMPS
  lupa_will_raise(L);
#endif
  return lua_error(L);
}

#define TRAMPOLINE(name, event) \
  static int name(lua_State *L) \
  { \
    int n = dispatch(L, event); \
    return n >= 0 ? n : raise_error(L, n); \
  }

TRAMPOLINE(t_index, LUPA_INDEX)
TRAMPOLINE(t_newindex, LUPA_NEWINDEX)
TRAMPOLINE(t_call, LUPA_CALL)
TRAMPOLINE(t_tostring, LUPA_TOSTRING)
TRAMPOLINE(t_len, LUPA_LEN)
TRAMPOLINE(t_eq, LUPA_EQ)
TRAMPOLINE(t_lt, LUPA_LT)
TRAMPOLINE(t_le, LUPA_LE)
TRAMPOLINE(t_add, LUPA_ADD)
TRAMPOLINE(t_sub, LUPA_SUB)
TRAMPOLINE(t_mul, LUPA_MUL)
TRAMPOLINE(t_div, LUPA_DIV)
TRAMPOLINE(t_mod, LUPA_MOD)
TRAMPOLINE(t_pow, LUPA_POW)
TRAMPOLINE(t_unm, LUPA_UNM)
TRAMPOLINE(t_concat, LUPA_CONCAT)
TRAMPOLINE(t_gc, LUPA_GC)

/* Functions are called most, so they have an entry of their own. */
static int t_function(lua_State *L)
{
  int n = function_entry(L);
  return n >= 0 ? n : raise_error(L, n);
}

lua_CFunction lupa_trampoline(int event)
{
  static const lua_CFunction trampolines[LUPA_EVENTS] = {
    t_index, t_newindex, t_call, t_tostring, t_len, t_eq, t_lt, t_le, t_add,
    t_sub, t_mul, t_div, t_mod, t_pow, t_unm, t_concat, t_gc, t_function
  };
  return trampolines[event];
}

/* LuaJIT's own, from lj_err.h: raises the value on top of the stack without calling a message handler. */
#if defined(__i386__)
__attribute__((fastcall))
#endif
void lj_err_throw(lua_State *L, int code);

void lupa_hook(lua_State *L, lua_Debug *ar)
{
  (void)ar;
  if (hook_entry(L) == LUPA_RAISE)
    lupa_raise_in_hook(L);
  lupa_end_hook(L);
}

void lupa_hook_was_set(lua_State *L)
{
  sethook_entry(L);
}

void lupa_poll(lua_State *L)
{
  if (lua_gethook(L) == lupa_hook && hook_entry(L) == LUPA_RAISE)
    lupa_raise_in_hook(L);
}

/* -- Protected entries: Rust calls what can raise --------------------------- */

int lupa_p_index(lua_State *L)
{
  lua_settop(L, 2);
  lua_gettable(L, 1);
  return 1;
}

int lupa_p_newindex(lua_State *L)
{
  lua_settop(L, 3);
  lua_settable(L, 1);
  return 0;
}

int lupa_p_equal(lua_State *L)
{
  lua_pushboolean(L, lua_equal(L, 1, 2));
  return 1;
}

int lupa_p_lessthan(lua_State *L)
{
  lua_pushboolean(L, lua_lessthan(L, 1, 2));
  return 1;
}

int lupa_p_len(lua_State *L)
{
  if (luaL_callmeta(L, 1, "__len")) {
    if (lua_type(L, -1) != LUA_TNUMBER)
      return luaL_error(L, "length is not a number");
    return 1;
  }
  switch (lua_type(L, 1)) {
  case LUA_TSTRING:
  case LUA_TTABLE:
  case LUA_TUSERDATA:
    lua_pushnumber(L, (lua_Number)lua_objlen(L, 1));
    break;
  default:
    lua_pushnumber(L, 0);
  }
  return 1;
}

int lupa_p_tostring(lua_State *L)
{
  if (luaL_callmeta(L, 1, "__tostring")) {
    if (lua_isstring(L, -1))
      lua_tolstring(L, -1, NULL);
    return 1;
  }
  switch (lua_type(L, 1)) {
  case LUA_TNUMBER:
  case LUA_TSTRING:
    lua_settop(L, 1);
    lua_tolstring(L, 1, NULL);
    break;
  case LUA_TBOOLEAN:
    lua_pushstring(L, lua_toboolean(L, 1) ? "true" : "false");
    break;
  case LUA_TNIL:
    lua_pushstring(L, "nil");
    break;
  default:
    lua_pushfstring(L, "%s: %p", luaL_typename(L, 1), lua_topointer(L, 1));
  }
  return 1;
}

int lupa_p_gc(lua_State *L)
{
  int what = (int)lua_tointeger(L, 1);
  lua_pushinteger(L, lua_gc(L, what, (int)lua_tointeger(L, 2)));
  return 1;
}

static void open_debug(lua_State *L)
{
  lua_pushcfunction(L, luaopen_debug);
  lua_pushstring(L, LUA_DBLIBNAME);
  lua_call(L, 1, 1);
  lupa_guard_debug(L);
  lua_pop(L, 1);
}

/* -- Standard libraries ------------------------------------------------------ */

static void open_library(lua_State *L, lua_CFunction open, const char *name)
{
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

/* Removes what require() would find: from _LOADED or _PRELOAD. */
static void forget_module(lua_State *L, const char *list, const char *name)
{
  luaL_findtable(L, LUA_REGISTRYINDEX, list, 1);
  lua_pushnil(L);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

static void forget_jit(lua_State *L)
{
  lua_pushnil(L);
  lua_setglobal(L, LUA_JITLIBNAME);
  forget_module(L, "_LOADED", LUA_JITLIBNAME);
  forget_module(L, "_LOADED", LUA_JITLIBNAME ".opt");
  forget_module(L, "_PRELOAD", LUA_JITLIBNAME ".profile");
  forget_module(L, "_PRELOAD", LUA_JITLIBNAME ".util");
}

int lupa_p_openlibs(lua_State *L)
{
  int libs = (int)lua_tointeger(L, 1);
  lupa_reserve_strings(L, (uint32_t)lua_tointeger(L, 2));
  open_library(L, luaopen_base, "");
  if (libs & LUPA_LIB_PACKAGE) open_library(L, luaopen_package, LUA_LOADLIBNAME);
  if (libs & LUPA_LIB_TABLE) open_library(L, luaopen_table, LUA_TABLIBNAME);
  if (libs & LUPA_LIB_IO) open_library(L, luaopen_io, LUA_IOLIBNAME);
  if (libs & LUPA_LIB_OS) open_library(L, luaopen_os, LUA_OSLIBNAME);
  if (libs & LUPA_LIB_STRING) open_library(L, luaopen_string, LUA_STRLIBNAME);
  if (libs & LUPA_LIB_MATH) open_library(L, luaopen_math, LUA_MATHLIBNAME);
  if (libs & LUPA_LIB_DEBUG) open_debug(L);
  if (libs & LUPA_LIB_BIT) open_library(L, luaopen_bit, LUA_BITLIBNAME);
  /* Opening `jit` starts the compiler, so it is opened in any case. */
  open_library(L, luaopen_jit, LUA_JITLIBNAME);
  lupa_install_guards(L);
  if (!(libs & LUPA_LIB_JIT)) forget_jit(L);
  if (libs & LUPA_LIB_FFI) {
    if (libs & LUPA_LIB_PACKAGE) {
      /* As luaL_openlibs() does: loaded by require("ffi"). */
      luaL_findtable(L, LUA_REGISTRYINDEX, "_PRELOAD", 1);
      lua_pushcfunction(L, luaopen_ffi);
      lua_setfield(L, -2, LUA_FFILIBNAME);
      lua_pop(L, 1);
    } else {
      /* Unlike the others it makes no global. */
      lua_pushcfunction(L, luaopen_ffi);
      lua_call(L, 0, 1);
      lua_setglobal(L, LUA_FFILIBNAME);
    }
  } else if (libs & (LUPA_LIB_PACKAGE | LUPA_LIB_DEBUG)) {
    /* A literal such as 1LL, or bytecode with one, opens the library, and puts it where require() and the debug
    ** library find it.  That happens once a state: here. */
    lua_pushcfunction(L, luaopen_ffi);
    lua_call(L, 0, 0);
    forget_module(L, "_LOADED", LUA_FFILIBNAME);
  }
  lua_getglobal(L, LUA_COLIBNAME);
  lua_getfield(L, -1, "yield");
  return 1;
}

static THREAD_LOCAL lupa_Chunk *chunk_to_take;

lupa_Chunk *lupa_set_chunk(lupa_Chunk *chunk)
{
  lupa_Chunk *old = chunk_to_take;
  chunk_to_take = chunk;
  return old;
}

int lupa_p_string(lua_State *L)
{
  lupa_Chunk *chunk = chunk_to_take;
  chunk_to_take = NULL;
  if (chunk == NULL)
    return luaL_error(L, "no string to push");
  lua_pushlstring(L, chunk->piece[0], chunk->length[0]);
  return 1;
}

int lupa_p_table(lua_State *L)
{
  lua_createtable(L, (int)lua_tointeger(L, 1), (int)lua_tointeger(L, 2));
  return 1;
}

static int write_dump(lua_State *L, const void *data, size_t size, void *buffer)
{
  (void)L;
  luaL_addlstring(buffer, data, size);
  return 0;
}

int lupa_p_dump(lua_State *L)
{
  luaL_Buffer buffer;
  int status;
  int strip = lua_toboolean(L, 2);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  luaL_buffinit(L, &buffer);
  status = lupa_dump(L, 1, write_dump, &buffer, strip);
  if (status == LUA_ERRMEM)
    lj_err_throw(L, status); /* it was caught and left on top */
  if (status != 0)
    return luaL_error(L, "unable to dump given function");
  luaL_pushresult(&buffer);
  return 1;
}

/* Not passed as an argument, for the reason that is given at lupa_set_chunk(): a light userdata that Lua code
** made of a number could be taken for a pointer of the host's. */
int lupa_p_pointer(lua_State *L)
{
  lupa_Chunk *chunk = chunk_to_take;
  chunk_to_take = NULL;
  if (chunk == NULL)
    return luaL_error(L, "no pointer to push");
  lua_pushlightuserdata(L, (void *)chunk->piece[0]);
  return 1;
}

int lupa_p_open_ffi(lua_State *L)
{
  lua_pushcfunction(L, luaopen_ffi);
  lua_call(L, 0, 0);
  return 0;
}

/* -- The compiler and the profiler ------------------------------------------------ */

int lupa_p_setmode(lua_State *L)
{
  int mode = (int)lua_tointeger(L, 1);
  int trace = (int)lua_tointeger(L, 2);
  int index = 0;
  switch (mode & LUAJIT_MODE_MASK) {
  case LUAJIT_MODE_ENGINE:
    break;
  case LUAJIT_MODE_FUNC:
  case LUAJIT_MODE_ALLFUNC:
  case LUAJIT_MODE_ALLSUBFUNC:
    luaL_checktype(L, 3, LUA_TFUNCTION);
    index = 3;
    break;
  case LUAJIT_MODE_TRACE:
    index = trace;
    break;
  default:
    return luaL_argerror(L, 1, "no such mode");
  }
  lua_pushboolean(L, luaJIT_setmode(L, index, mode));
  return 1;
}

static luaJIT_profile_callback profile_entry;

void lupa_set_profile_entry(luaJIT_profile_callback entry)
{
  profile_entry = entry;
}

int lupa_p_profile(lua_State *L)
{
  const char *mode = lua_tostring(L, 1);
  if (mode != NULL)
    luaJIT_profile_start(L, mode, profile_entry, NULL);
  else
    luaJIT_profile_stop(L);
  return 0;
}
