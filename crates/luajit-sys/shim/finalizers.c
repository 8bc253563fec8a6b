/* Which finalizers run, and when. */

#include "shim.h"
#include "lj_obj.h"
#include "lj_gc.h"
#include "lj_meta.h"
#include "lj_state.h"
#include "lj_tab.h"
#include "lj_vm.h"

/* The finalizer of a cdata, in a table of LuaJIT's; NULL without one. */
static TValue *cdata_finalizer(lua_State *L, GCobj *o)
{
#if LJ_HASFFI
  TValue key;
  cTValue *finalizer;
  setgcV(L, &key, o, LJ_TCDATA);
  finalizer = lj_tab_get(L, tabref(G(L)->gcroot[GCROOT_FFI_FIN]), &key);
  return tvisnil(finalizer) ? NULL : (TValue *)finalizer;
#else
  UNUSED(L); UNUSED(o);
  return NULL;
#endif
}

/* Whether what is in LuaJIT's queue has a finalizer that may run Lua code.  Those that may not are the host's, that of
** the I/O library's files, and C functions for cdata. */
static int runs_lua(lua_State *L, GCobj *o)
{
  cTValue *finalizer;
  GCfunc *fn;
  if (o->gch.gct != ~LJ_TUDATA) {
    finalizer = cdata_finalizer(L, o);
    return finalizer != NULL && !tviscdata(finalizer);
  }
  finalizer = lj_meta_fast(L, tabref(gco2ud(o)->metatable), MM_gc);
  if (finalizer == NULL)
    return 0;
  if (!tvisfunc(finalizer))
    return 1;
  fn = funcV(finalizer);
  return !(iscfunc(fn) && fn->c.f == lupa_trampoline(LUPA_GC))
         && !(isffunc(fn) && gco2ud(o)->udtype == UDTYPE_IO_FILE);
}

/* Does all that gc_finalize() in lj_gc.c does before it calls a finalizer: puts the object where those in use lie. */
static void skip(lua_State *L, GCobj *o)
{
  global_State *g = G(L);
  makewhite(g, o);
  if (o->gch.gct == ~LJ_TUDATA) {
    setgcrefr(o->gch.nextgc, mainthread(g)->nextgc);
    setgcref(mainthread(g)->nextgc, o);
  } else {
    setnilV(cdata_finalizer(L, o));
    o->gch.marked &= (uint8_t)~LJ_GC_CDATA_FIN;
    setgcrefr(o->gch.nextgc, g->gc.root);
    setgcref(g->gc.root, o);
  }
}

void lupa_skip_queued_finalizers(lua_State *L)
{
  global_State *g = G(L);
  /* A ring, of which the last one is kept. */
  GCobj *last = gcref(g->gc.mmudata), *kept = NULL, *o, *next;
  if (last == NULL)
    return;
  setgcrefnull(g->gc.mmudata);
  next = gcnext(last);
  do {
    o = next;
    next = gcnext(o);
    if (runs_lua(L, o)) {
      skip(L, o);
    } else {
      if (kept == NULL) {
        setgcref(o->gch.nextgc, o);
      } else {
        setgcrefr(o->gch.nextgc, kept->gch.nextgc);
        setgcref(kept->gch.nextgc, o);
      }
      kept = o;
    }
  } while (o != last);
  if (kept)
    setgcref(g->gc.mmudata, kept);
}

void lupa_skip_finalizers(lua_State *L)
{
#if LJ_HASFFI
  GCtab *t = tabref(G(L)->gcroot[GCROOT_FFI_FIN]);
  Node *node = noderef(t->node);
  ptrdiff_t i;
#endif
  lupa_skip_queued_finalizers(L);
#if LJ_HASFFI
  for (i = (ptrdiff_t)t->hmask; i >= 0; i--)
    if (tviscdata(&node[i].key) && !tvisnil(&node[i].val) && !tviscdata(&node[i].val)) {
      gcV(&node[i].key)->gch.marked &= (uint8_t)~LJ_GC_CDATA_FIN;
      setnilV(&node[i].val);
    }
#endif
}

int lupa_queue_finalizers(lua_State *L)
{
  global_State *g = G(L);
  /* A sweep that has come as far as the userdata would follow those that are moved, round and round the queue, if a
  ** finalizer collects.  To begin it anew does no harm: what was swept has the colour of what lives. */
  if (g->gc.state == GCSsweep)
    setmref(g->gc.sweep, &g->gc.root);
  lj_gc_separateudata(g, 1);
  return gcref(g->gc.mmudata) != NULL;
}

static TValue *finalize(lua_State *L, lua_CFunction dummy, void *ud)
{
  UNUSED(dummy);
  UNUSED(ud);
  lj_gc_finalize_cdata(L);
  lj_gc_finalize_udata(L);
  return NULL;
}

int lupa_finalize(lua_State *L)
{
  ptrdiff_t top = savestack(L, L->top);
  uint8_t hooks = hook_save(G(L));
  /* Unlike lua_cpcall() this needs no memory. */
  int status = lj_vm_cpcall(L, NULL, NULL, finalize);
  hook_restore(G(L), hooks);
  L->top = restorestack(L, top);
  return status;
}
