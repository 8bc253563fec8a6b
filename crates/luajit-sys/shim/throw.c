/* Errors that need no unwinder.  LuaJIT has each error unwind the native stack by the tables of libgcc or its like, which takes
** most of the time of a pcall() that catches something.  Where all that lies between is LuaJIT's own code and the shim's, which have
** nothing to clean up, the interpreter is entered again right away, as builds of LuaJIT without external unwinding do. */

#include "shim.h"
#include "lj_obj.h"
#include "lj_ctype.h"
#include "lj_err.h"
#include "lj_ff.h"
#include "lj_frame.h"
#include "throw.h"

#if LUPA_JUMPS

/* The frame of the trampoline that raises: its state, and where on that stack it is. Else what is on the native stack may be Rust's,
** which no error must pass: the unwinder would stop there, and end the process. */
static THREAD_LOCAL struct { lua_State *of; ptrdiff_t base; } raises;

static void lupa_will_raise(lua_State *L)
{
  raises.of = L;
  raises.base = savestack(L, L->base);
}

/* Whether that was said of the frame that raises now. It holds for one error, whatever becomes of that. */
static int trampoline_raises(lua_State *L)
{
  int result = raises.of == L && raises.base == savestack(L, L->base);
  raises.of = NULL;
  return result;
}

static int is_trampoline(lua_CFunction function)
{
  int event;
  for (event = 0; event < LUPA_EVENTS; event++)
    if (function == lupa_trampoline(event))
      return 1;
  return 0;
}

/* Whether a coroutine that this function, which runs in `L`, has resumed has not come back yet. */
static int waits_for_coroutine(lua_State *L, GCfunc *fn)
{
  TValue *co;
  if (fn->c.f == co_resume)
    co = L->base;
  else if (fn->c.f == co_wrapped)
    co = &fn->c.upvalue[0];
  else
    return 0;
  return tvisthread(co) && threadV(co)->cframe != NULL;
}

/* Whether an entry to the interpreter below which no function runs is not there for the reader or writer of others, by lua_load() or
** lua_dump(): they enter by lj_vm_cpcall(), which notes a negative number of results. */
static int reads_no_others(void *entry)
{
  return cframe_nres(entry) >= 0 || entry == loads_below;
}

/* Whether what the function that runs has called on the native stack is LuaJIT's code or the shim's.  Neither is what a module
** in C does, nor a function that is called by the FFI library. */
static int calls_no_others(lua_State *L, int trampoline)
{
  GCfunc *fn = curr_func(L);
  int has_function = fn->c.gct == ~LJ_TFUNC;
  void *entry;
  if (L->cframe == NULL)
    return 0;
  entry = cframe_raw(L->cframe);
  /* A coroutine that waits, or has ended by an error, still has its function there, which does not run. */
  if ((!has_function || cframe_prev(entry) == NULL) && !reads_no_others(entry))
    return 0;
  if (!has_function || isluafunc(fn))
    return 1;
#if LJ_HASFFI
  if (fn->c.ffid == FF_ffi_meta___call)
    return 0;
#endif
  if (isffunc(fn))
    return !waits_for_coroutine(L, fn);
  return trampoline && is_trampoline(fn->c.f);
}

/* As call_checked(), in a state in which code of others has set a hook. */
static int call_checked_beside_hooks(lua_State *L, lua_CFunction function)
{
  __asm__ volatile("nop"); /* A linker may give functions of the same code one address, and this one is told by its own. */
  return call_checked(L, function);
}

/* Whether errors of a state may jump: it has our guards, and nobody else wraps functions or has set a hook. */
static int jumps_in(global_State *g)
{
  return (void (*)(void))g->wrapf == (void (*)(void))call_checked;
}

/* A hook may end itself, and what it has called may leave `hookmask` as if no hook was running.  So from the first hook of others on
** all errors of the state unwind. */
LUA_API int (lua_sethook)(lua_State *L, lua_Hook hook, int mask, int count)
{
  global_State *g = G(L);
  if (hook != NULL && hook != lupa_hook && hook != hookf && jumps_in(g))
    g->wrapf = (lua_CFunction)(void (*)(void))call_checked_beside_hooks;
  return lupa_plain_sethook(L, hook, mask, count);
}

/* Whether C code may have entered the interpreter where no registers were saved. */
static int has_callbacks(global_State *g)
{
#if LJ_HASFFI
  CTState *cts = ctype_ctsG(g);
  return cts != NULL && cts->cb.sizeid != 0;
#else
  UNUSED(g);
  return 0;
#endif
}

/* Whether the innermost entry to the interpreter is one of `L`, in which the error is caught, and no frames of others lie in
** between: none of a hook, of what wraps functions, of compiled code. */
static int may_jump(lua_State *L, global_State *g, int code)
{
  void *catcher;
  int trampoline = trampoline_raises(L);
  if (!jumps_in(g) || code == LUA_YIELD || hook_active(g)
      || tvref(g->jit_base) != NULL || gcref(g->cur_L) != obj2gco(L) || has_callbacks(g) || !calls_no_others(L, trampoline))
    return 0;
  catcher = err_unwind(L, L->cframe, 0);
  return catcher != NULL && catcher != L;
}

static void lupa_raise(lua_State *L, global_State *g, int code)
{
  if (may_jump(L, g, code)) {
    void *catcher = err_unwind(L, NULL, code);
    if (cframe_unwind_ff(catcher))
      lj_vm_unwind_ff(cframe_raw(catcher));
    else
      lj_vm_unwind_c(cframe_raw(catcher), code);
  }
  raise_by_unwinder(g, code);
}

#endif
