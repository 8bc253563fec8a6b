/* Guards on LuaJIT's own functions, where the process could die of what they do or code could escape
** from being stopped. They sit inside the functions: what Lua code calls, sees in a traceback
** or finds by the debug library are the functions themselves, so there is no way around. */

#include <string.h>
#include "shim.h"
#include "lauxlib.h"
#include "lualib.h"
#include "lj_obj.h"
#include "lj_bc.h"
#include "lj_err.h"
#include "lj_frame.h"
#include "lj_state.h"

#if defined(_MSC_VER)
#define THREAD_LOCAL __declspec(thread)
#else
#define THREAD_LOCAL __thread
#endif

/* -- The native stack --------------------------------------------------------- */

/* Functions in C that call back into Lua nest the interpreter on the native stack, which LuaJIT does not watch. */

static THREAD_LOCAL size_t stack_end;

void lupa_set_stack_end(size_t address)
{
  stack_end = address;
}

static void check_stack(lua_State *L)
{
  char here;
  if ((size_t)&here < stack_end)
    luaL_error(L, "stack overflow: too many nested C calls");
}

/* Stands between the interpreter and all functions of LuaJIT's libraries that are written in C. What the host, or
** resuming, has called directly was checked there: to look at the thread's variable costs more than all else here. */
static int call_checked(lua_State *L, lua_CFunction function)
{
  if (cframe_prev(cframe_raw(L->cframe)) != NULL)
    check_stack(L);
  return function(L);
}

/* -- Coroutines ----------------------------------------------------------------- */

/* LuaJIT's functions that resume are in assembler, where nothing can stand before them. These do the
** same, in C. */

/* Makes room on the stack of the coroutine `on`, after whose failure it still waits if it did; a status. */
static int make_room(lua_State *on, int count)
{
  uint8_t status = on->status;
  int error;
  if (mref(on->maxstack, char) - (char *)on->top > count * (ptrdiff_t)sizeof(TValue))
    return LUA_OK;
  error = lj_state_cpgrowstack(on, (MSize)count);
  if (error != LUA_OK) {
    on->top--;
    on->status = status;
  }
  return error;
}

static void no_room(lua_State *L, int error)
{
  if (error == LUA_ERRMEM)
    lj_err_mem(L);
  luaL_error(L, "stack overflow");
}

/* Resumes a coroutine with the values above `first`, in whose place its results come. -1: it raised the error
** that is on top of its stack. -2: it cannot be resumed; the message is pushed. */
static int resume(lua_State *L, lua_State *co, int first)
{
  int count = lua_gettop(L) - first, error;
  check_stack(L);
  if (co->cframe != NULL || co->status > LUA_YIELD || (co->status == LUA_OK && co->top == co->base)) {
    lua_settop(L, first); /* the message comes after what is there, not after the arguments */
    lua_pushstring(L, co->cframe != NULL ? "cannot resume running coroutine" : "cannot resume dead coroutine");
    return -2;
  }
  error = make_room(co, count + 1);
  if (error != LUA_OK)
    no_room(L, error);
  lua_xmove(L, co, count);
  error = lua_resume(co, count);
  setgcref(G(L)->cur_L, obj2gco(L)); /* as after any call of C code, but for what is raised in this one */
  if (error > LUA_YIELD)
    return -1;
  count = lua_gettop(co);
  error = make_room(L, count);
  if (error != LUA_OK) {
    lua_settop(co, 0);
    no_room(L, error);
  }
  lua_xmove(co, L, count);
  return count;
}

static int co_resume(lua_State *L)
{
  lua_State *co = lua_tothread(L, 1);
  int count;
  if (co == NULL)
    return luaL_argerror(L, 1, "coroutine expected");
  count = resume(L, co, 1);
  setboolV(L->base, count >= 0);
  if (count == -1)
    lua_xmove(co, L, 1);
  return 1 + (count < 0 ? 1 : count);
}

/* What coroutine.wrap() makes. */
static int co_wrapped(lua_State *L)
{
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int count = co != NULL ? resume(L, co, 0) : luaL_error(L, "no coroutine");
  if (count >= 0)
    return count;
  if (count == -1) {
    if (co->status == LUA_ERRMEM)
      lj_err_mem(L); /* LuaJIT would make an ordinary error of it */
    lua_xmove(co, L, 1);
  }
  if (lua_type(L, -1) == LUA_TSTRING)
    lj_err_callermsg(L, lua_tostring(L, -1));
  return lua_error(L);
}

/* Has a function run C code that goes through call_checked(). */
static void set_code(lua_State *L, GCfunc *function, lua_CFunction code)
{
  function->c.f = code;
  setmref(function->c.pc, &G(L)->bc_cfunc_int);
}

static lua_CFunction original_wrap;

static int co_wrap(lua_State *L)
{
  int results = original_wrap(L);
  set_code(L, funcV(L->top - 1), co_wrapped);
  return results;
}

/* -- Hooks ------------------------------------------------------------------------ */

void lupa_let_hooks_in(lua_State *L, int everywhere)
{
  if (everywhere || (G(L)->hookmask & HOOK_GC))
    hook_leave(G(L));
}

void lupa_end_hook(lua_State *L)
{
  hook_enter(G(L));
}

/* lua_error() would call the message handler of an xpcall() right here, where hooks are off: if it ran for ever,
** nothing could end it.  And not everywhere would LuaJIT switch hooks on again: not where the error meets lua_load() or,
** in a finalizer or a function that a hook calls, pcall().  Nothing could stop the code that goes on from there. */
void lupa_raise_in_hook(lua_State *L)
{
  hook_leave(G(L));
  if (G(L)->hookmask & HOOK_GC) {
    lupa_skip_queued_finalizers(L);
    /* LuaJIT prints what ends a finalizer, if it is a string. */
    lua_pop(L, 1);
    lua_pushliteral(L, "the host has stopped it");
  }
  lj_err_throw(L, LUA_ERRRUN);
}

/* -- Reading source text -------------------------------------------------------- */

static lua_CFunction original_load;

/* A reader that is written in C runs no instruction of Lua code, so no hook: it may go on for ever. */
static int read_piece(lua_State *L)
{
  lupa_poll(L);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_call(L, 0, 1);
  return 1;
}

static int load(lua_State *L)
{
  if (lua_iscfunction(L, 1)) {
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, read_piece, 1);
    lua_replace(L, 1);
  }
  return original_load(L);
}

/* -- Collecting garbage ----------------------------------------------------------- */

static lua_CFunction original_collectgarbage;

/* Finalizers that collect nest, one in the other, each with hooks off.  The end of the innermost is that of all. */
static int collectgarbage(lua_State *L)
{
  int results = original_collectgarbage(L);
  lupa_poll(L);
  return results;
}

/* -- Installation --------------------------------------------------------------- */

/* Puts `code` in the place of the code of a function, a field of the table on top; gives what it was. */
static lua_CFunction replace(lua_State *L, const char *name, lua_CFunction code)
{
  GCfunc *function;
  lua_CFunction original;
  lua_getfield(L, -1, name);
  function = funcV(L->top - 1);
  original = function->c.f;
  set_code(L, function, code);
  lua_pop(L, 1);
  return original;
}

/* Has a global, if there is one, called through call_checked(): LuaJIT made it as it makes functions of others. */
static void check_global(lua_State *L, const char *name)
{
  lua_getglobal(L, name);
  if (lua_iscfunction(L, -1))
    set_code(L, funcV(L->top - 1), funcV(L->top - 1)->c.f);
  lua_pop(L, 1);
}

/* -- The debug library ------------------------------------------------------------ */

/* C functions, LuaJIT's own and ours, trust their stack slots and upvalues: by debug.setlocal() and debug.setupvalue()
** Lua code could make them take one type for another. */

static lua_CFunction original_setlocal, original_setupvalue, original_sethook;

/* debug.setlocal([thread,] level, local, value) */
static int db_setlocal(lua_State *L)
{
  lua_Debug ar;
  lua_State *of = lua_tothread(L, 1);
  int arg = of ? 1 : 0;
  if (of == NULL)
    of = L;
  /* The original finds the words for what is wrong. */
  if (lua_isnumber(L, arg + 1) && lua_getstack(of, (int)lua_tointeger(L, arg + 1), &ar)) {
    const char *name;
    lua_getinfo(of, "S", &ar);
    luaL_argcheck(L, ar.what[0] != 'C', arg + 1, "cannot change a C function's values");
    luaL_checkany(L, arg + 3);
    /* Nothing may raise on the other stack: errors belong to L. LuaJIT makes room for another one as soon as only one place is left. */
    if (!lupa_make_room(of, 2))
      return luaL_error(L, "stack overflow");
    name = lua_getlocal(of, &ar, (int)luaL_checkinteger(L, arg + 2));
    if (name != NULL) {
      lua_pop(of, 1);
      /* Loops trust the types of their hidden variables, calls those of the slots in use. */
      luaL_argcheck(L, strncmp(name, "(for", 4) != 0 && strcmp(name, "(*temporary)") != 0,
                    arg + 2, "cannot change a hidden value");
    }
  }
  return original_setlocal(L);
}

/* debug.setupvalue(f, n, value) */
static int db_setupvalue(lua_State *L)
{
  luaL_argcheck(L, !lua_iscfunction(L, 1), 1, "cannot change a C function's values");
  return original_setupvalue(L);
}

/* debug.sethook([thread,] hook, mask [, count]): it would take the host's hook away. */
static int db_sethook(lua_State *L)
{
  int results = original_sethook(L);
  lupa_hook_was_set(L);
  return results;
}

void lupa_guard_debug(lua_State *L)
{
  original_setlocal = replace(L, "setlocal", db_setlocal);
  original_setupvalue = replace(L, "setupvalue", db_setupvalue);
  original_sethook = replace(L, "sethook", db_sethook);
}

void lupa_install_guards(lua_State *L)
{
  global_State *g = G(L);
  g->wrapf = (lua_CFunction)(void (*)(void))call_checked;
  setbc_op(&g->bc_cfunc_int, BC_FUNCCW);
  lua_getglobal(L, LUA_COLIBNAME);
  replace(L, "resume", co_resume);
  /* The same code in each state, so it does not matter which thread writes last. */
  original_wrap = replace(L, "wrap", co_wrap);
  lua_pop(L, 1);
  lua_pushvalue(L, LUA_GLOBALSINDEX);
  original_load = replace(L, "load", load);
  replace(L, "loadstring", load);
  original_collectgarbage = replace(L, "collectgarbage", collectgarbage);
  lua_pop(L, 1);
  check_global(L, "require");
  check_global(L, "module");
}
