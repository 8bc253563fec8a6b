/* Has LuaJIT's code, which is included after this, call throw.c: see there. UPGRADE.md says what it relies on. */

#ifndef LUPA_THROW_H
#define LUPA_THROW_H

#define LUA_CORE
#include "lj_obj.h"
#include "lj_vm.h"

#if LJ_TARGET_X64 && !LJ_ABI_WIN && LJ_UNWIND_EXT && defined(__GNUC__)

#define LUPA_JUMPS 1

/* The interpreter does not save these registers, since it leaves them alone; the unwinder restores them, a jump does not.  So who
** enters it has them saved: nothing of these functions lives on after the call, that the compiler could keep in them. */
#define LOSES_REGISTERS __asm__ volatile("" : : : "r12", "r13")

static LJ_NOINLINE void lupa_vm_call(lua_State *L, TValue *base, int nres1)
{
  lj_vm_call(L, base, nres1);
  LOSES_REGISTERS;
}

static LJ_NOINLINE int lupa_vm_pcall(lua_State *L, TValue *base, int nres1, ptrdiff_t ef)
{
  int status = lj_vm_pcall(L, base, nres1, ef);
  LOSES_REGISTERS;
  return status;
}

static LJ_NOINLINE int lupa_vm_cpcall(lua_State *L, lua_CFunction func, void *ud, lua_CPFunction cp)
{
  int status = lj_vm_cpcall(L, func, ud, cp);
  LOSES_REGISTERS;
  return status;
}

static LJ_NOINLINE int lupa_vm_resume(lua_State *L, TValue *base, int nres1, ptrdiff_t ef)
{
  int status = lj_vm_resume(L, base, nres1, ef);
  LOSES_REGISTERS;
  return status;
}

#define lj_vm_call lupa_vm_call
#define lj_vm_pcall lupa_vm_pcall
#define lj_vm_cpcall lupa_vm_cpcall
#define lj_vm_resume lupa_vm_resume

/* lj_err_throw() calls lupa_raise(), with its `L`, instead of err_raise_ext(), which becomes raise_by_unwinder(): its definition is
** told from its only call by the type of the first parameter. */
#define err_raise_ext(first, code) RAISE_##first, code)
#define RAISE_g lupa_raise(L, g
#define RAISE_global_State raise_by_unwinder(global_State

static void lupa_raise(lua_State *L, global_State *g, int code);

/* Where lupa_load(), whose reader is no code of others, has entered the interpreter: a frame as in `cframe`, or NULL. */
static __thread void *loads_below;

/* What is called from outside notes hooks of others. LuaJIT and the shim set none of them. */
#define lua_sethook(L, hook, mask, count) lupa_plain_sethook(L, hook, mask, count)

/* A trampoline says that it is going to raise: what it has called has returned. */
static void lupa_will_raise(lua_State *L);

#endif

#endif
