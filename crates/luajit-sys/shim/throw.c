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

/* Where the frame of the trampoline is that raises.  Else what is on the native stack may be Rust's, which no error must pass: the
** unwinder would stop there, and end the process. */
static THREAD_LOCAL TValue *raises_at;

static void lupa_will_raise(lua_State *L)
{
  raises_at = L->base;
}

/* Whether it was so, once. */
static int trampoline_raises(lua_State *L, lua_CFunction function)
{
  int event;
  if (raises_at != L->base)
    return 0;
  raises_at = NULL;
  for (event = 0; event < LUPA_EVENTS; event++)
    if (function == lupa_trampoline(event))
      return 1;
  return 0;
}

/* Whether what the function that runs has called on the native stack is LuaJIT's code or the shim's.  Neither is what a module
** in C does, nor a function that is called by the FFI library. */
static int calls_no_others(lua_State *L)
{
  GCfunc *fn = curr_func(L);
  if (fn->c.gct != ~LJ_TFUNC || isluafunc(fn))
    return 1; /* The former: no function runs; the host has called what catches. */
#if LJ_HASFFI
  if (fn->c.ffid == FF_ffi_meta___call)
    return 0;
#endif
  if (isffunc(fn))
    return 1;
  return trampoline_raises(L, fn->c.f);
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
  if ((void (*)(void))g->wrapf != (void (*)(void))call_checked || code == LUA_YIELD || hook_active(g)
      || tvref(g->jit_base) != NULL || gcref(g->cur_L) != obj2gco(L) || has_callbacks(g) || !calls_no_others(L))
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
