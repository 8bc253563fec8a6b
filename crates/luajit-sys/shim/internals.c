/* What the C API has no function for.  Only this file looks at LuaJIT's own structures; UPGRADE.md
** says what it relies on. */

#include "shim.h"
#include "lj_obj.h"
#include "lj_frame.h"
#include "lj_func.h"

/* The slot of the function in the first frame: the thread itself lies below. */
static TValue *bottom(lua_State *L)
{
  return tvref(L->stack) + 1 + LJ_FR2;
}

/* Links between frames are offsets or positions in bytecode, so frames can be copied from stack to
** stack.  The frame in which `to` waits is the topmost one; only its link to the caller is kept. */
int lupa_graft_frames(lua_State *to, lua_State *from)
{
  TValue *source = bottom(from), *place, link;
  ptrdiff_t i, count = from->top - source;
  if (to->status != LUA_YIELD || from->status != LUA_YIELD || to == from)
    return 0;
  /* A Lua function expects all the slots that its frame may have. */
  if (!lua_checkstack(to, (int)count + LJ_MAX_SLOTS))
    return 0;
  place = to->base - 1 - LJ_FR2;
  link = place[LJ_FR2];
  for (i = 0; i < count; i++)
    copyTV(to, place + i, source + i);
  place[LJ_FR2] = link;
  to->base = place + (from->base - source);
  to->top = place + count;
  return 1;
}

void lupa_end_coroutine(lua_State *co)
{
  if (co->cframe != NULL)
    return;
  lj_func_closeuv(co, tvref(co->stack));
  co->base = co->top = bottom(co);
  co->status = LUA_OK;
}

int lupa_has_ctypes(lua_State *L)
{
  return mref(G(L)->ctype_state, void) != NULL;
}
