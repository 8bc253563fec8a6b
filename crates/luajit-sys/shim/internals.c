/* What the C API has no function for.  Only this file, guards.c, finalizers.c, throw.c and blocks.c look at LuaJIT's
** own structures; UPGRADE.md says what they rely on. */

#include <string.h>
#include "shim.h"
#include "lj_obj.h"
#include "lj_alloc.h"
#include "lj_frame.h"
#include "lj_func.h"
#include "lj_gc.h"
#include "lj_meta.h"
#include "lj_state.h"
#include "lj_str.h"
#include "lj_tab.h"
#include "lj_udata.h"
#include "lj_vm.h"
#include "lj_ir.h"
#include "lj_iropt.h"
#include "lj_jit.h"
#include "lj_dispatch.h"
#include "lj_lex.h"
#include "lj_parse.h"
#include "lj_bcdump.h"
#if LJ_HASFFI
#include "lj_ctype.h"
#include "lj_cdata.h"
#endif

/* -- Layout ------------------------------------------------------------------ */

/* The numbers of src/offsets.rs, by which Rust code finds its way in these structures. */
#define CHECK(name, value) _Static_assert(LUPA_##name == (value), "src/offsets.rs: " #name)

CHECK(STATE_STATUS, offsetof(lua_State, status));
CHECK(STATE_GLOBAL, offsetof(lua_State, glref));
CHECK(STATE_BASE, offsetof(lua_State, base));
CHECK(STATE_TOP, offsetof(lua_State, top));
CHECK(STATE_MAXSTACK, offsetof(lua_State, maxstack));
CHECK(STATE_STACK, offsetof(lua_State, stack));
CHECK(STATE_CFRAME, offsetof(lua_State, cframe));
CHECK(GLOBAL_HOOKMASK, offsetof(global_State, hookmask));
CHECK(STRING_ID, offsetof(GCstr, sid));
CHECK(STRING_LENGTH, offsetof(GCstr, len));
CHECK(STRING_DATA, sizeof(GCstr));
CHECK(OBJECT_MARKED, offsetof(GChead, marked));
CHECK(MARKED_BLACK, LJ_GC_BLACK);
CHECK(TABLE_NOMM, offsetof(GCtab, nomm));
CHECK(TABLE_ARRAY, offsetof(GCtab, array));
CHECK(TABLE_METATABLE, offsetof(GCtab, metatable));
CHECK(TABLE_NODES, offsetof(GCtab, node));
CHECK(TABLE_ASIZE, offsetof(GCtab, asize));
CHECK(TABLE_HASHMASK, offsetof(GCtab, hmask));
CHECK(NODE_SIZE, sizeof(Node));
CHECK(NODE_KEY, offsetof(Node, key));
CHECK(NODE_NEXT, offsetof(Node, next));
CHECK(USERDATA_LENGTH, offsetof(GCudata, len));
CHECK(USERDATA_METATABLE, offsetof(GCudata, metatable));
CHECK(USERDATA_DATA, sizeof(GCudata));
CHECK(FUNCTION_ID, offsetof(GCfuncC, ffid));
CHECK(FUNCTION_UPVALUES, offsetof(GCfuncC, nupvalues));
CHECK(FUNCTION_CODE, offsetof(GCfuncC, f));
CHECK(FUNCTION_UPVALUE, offsetof(GCfuncC, upvalue));
CHECK(MOST_SLOTS, LUAI_MAXCSTACK);

/* How a slot is read: tags of 17 bits above 47, the function two slots below the base. */
_Static_assert(LJ_GC64 && LJ_FR2 && sizeof(TValue) == 8 && LJ_GCVMASK == ((uint64_t)1 << 47) - 1,
               "src/inline.rs");
_Static_assert(LJ_TNIL == ~0u && LJ_TFALSE == ~1u && LJ_TTRUE == ~2u && LJ_TLIGHTUD == ~3u && LJ_TSTR == ~4u
               && LJ_TTHREAD == ~6u && LJ_TFUNC == ~8u && LJ_TCDATA == ~10u && LJ_TTAB == ~11u
               && LJ_TUDATA == ~12u && LJ_TISNUM == ~13u, "src/inline.rs");

/* -- Calls ------------------------------------------------------------------ */

#define CHECK_ENTRY(f) _Static_assert(_Generic(&f, int (*)(lua_State *, TValue *, int, ptrdiff_t): 1, default: 0), #f)
CHECK_ENTRY(lj_vm_pcall);
CHECK_ENTRY(lj_vm_resume);

void lupa_restore_hooks(lua_State *L, int hooks)
{
  hook_restore(G(L), (uint8_t)hooks & ~HOOK_EVENTMASK);
}

int lupa_is_interrupted(lua_State *L)
{
  TValue *frame = L->base-1, *bottom = tvref(L->stack)+LJ_FR2;
  if (curr_funcisL(L))
    return 1;
  while (frame > bottom) {
    TValue *outer = frame_islua(frame) ? frame_prevl(frame) : frame_prevd(frame);
    if (frame_isc(frame) && outer > bottom && isluafunc(frame_func(outer)))
      return 1;
    frame = outer;
  }
  return 0;
}

/* -- New states --------------------------------------------------------------- */

void lupa_reserve_strings(lua_State *L, uint32_t count)
{
  MSize mask = G(L)->str.mask;
  while (mask < count && mask < 0xffff)
    mask = 2 * mask + 1;
  if (mask > G(L)->str.mask)
    lj_str_resize(L, mask);
}

/* -- Chunks ------------------------------------------------------------------- */

static const char *read_chunk(lua_State *L, void *ud, size_t *size)
{
  lupa_Chunk *chunk = ud;
  (void)L;
  while (chunk->next < 2) {
    int i = chunk->next++;
    if (chunk->length[i] > 0) {
      *size = chunk->length[i];
      return chunk->piece[i];
    }
  }
  *size = 0;
  return NULL;
}

/* May raise. */
static TValue *compile(lua_State *L, lua_CFunction dummy, void *ud)
{
  LexState *lexer = ud;
  GCproto *proto;
  GCfunc *function;
  int is_bytecode;
  (void)dummy;
#if LUPA_JUMPS
  loads_below = cframe_raw(L->cframe);
#endif
  is_bytecode = lj_lex_setup(L, lexer);
  if (lexer->mode != NULL && strchr(lexer->mode, is_bytecode ? 'b' : 't') == NULL) {
    setstrV(L, L->top++, lj_err_str(L, LJ_ERR_XMODE));
    lj_err_throw(L, LUA_ERRSYNTAX);
  }
  proto = is_bytecode ? lj_bcread(lexer) : lj_parse(lexer);
  function = lj_func_newL_empty(L, proto, tabref(L->env));
  setfuncV(L, L->top++, function);
  lj_gc_check(L);
  return NULL;
}

int lupa_load(lua_State *L, lupa_Chunk *chunk)
{
  LexState lexer;
  int status;
#if LUPA_JUMPS
  void *outer = loads_below;
#endif
  lexer.rfunc = read_chunk;
  lexer.rdata = chunk;
  lexer.chunkarg = chunk->name;
  lexer.mode = chunk->mode;
  lj_buf_init(L, &lexer.sb);
  status = lj_vm_cpcall(L, NULL, &lexer, compile);
#if LUPA_JUMPS
  loads_below = outer;
#endif
  lj_lex_cleanup(L, &lexer);
  return status;
}

/* -- Host functions ----------------------------------------------------------- */

/* The environment of new C functions, as lua_pushcclosure() has it. */
static GCtab *function_env(lua_State *L)
{
  GCfunc *running = curr_func(L);
  return running->c.gct == ~LJ_TFUNC ? tabref(running->c.env) : tabref(L->env);
}

void *lupa_new_function(lua_State *L, size_t size)
{
  GCtab *env = function_env(L);
  GCudata *payload;
  GCfunc *fn;
  lj_gc_check(L);
  payload = lj_udata_new(L, (MSize)size, env);
  /* Nothing is collected before the function refers to it, but an error would look at the stack. */
  setudataV(L, L->top, payload);
  incr_top(L);
  fn = lj_func_newC(L, 1, env);
  fn->c.f = lupa_trampoline(LUPA_FUNCTION);
  copyTV(L, &fn->c.upvalue[0], L->top - 1);
  setfuncV(L, L->top - 1, fn);
  return uddata(payload);
}

void *lupa_new_plain_function(lua_State *L, uint64_t first, uint64_t second, int has_payload)
{
  GCfunc *fn;
  lj_gc_check(L);
  fn = lj_func_newC(L, has_payload ? 3 : 2, function_env(L));
  fn->c.f = lupa_trampoline(LUPA_FUNCTION);
  fn->c.upvalue[0].u64 = first;
  fn->c.upvalue[1].u64 = second;
  if (has_payload)
    fn->c.upvalue[2].u64 = 0;
  setfuncV(L, L->top, fn);
  incr_top(L);
  return has_payload ? &fn->c.upvalue[2].u32.lo : NULL;
}

/* -- Anchors ---------------------------------------------------------------- */

void lupa_set_anchor(lua_State *L, void *table, int key, int index)
{
  GCtab *t = table;
  if ((MSize)key >= t->asize)
    lj_tab_reasize(L, t, 2 * t->asize);
  copyTV(L, arrayslot(t, key), index <= L->top - L->base ? L->base + index - 1 : niltv(L));
  lj_gc_anybarriert(L, t);
}

/* -- Tables ------------------------------------------------------------------ */

size_t lupa_border(const void *table)
{
  return lj_tab_len((GCtab *)table);
}

/* Entries have positions: first those of the array, then the nodes of the hash part. */
int lupa_next(lua_State *L, int index, uint32_t *position)
{
  GCtab *t = tabV(L->base + index - 1);
  uint32_t i = *position;
  for (; i < t->asize; i++) {
    TValue *value = arrayslot(t, i);
    if (!tvisnil(value)) {
      setintV(L->top, (int32_t)i);
      copyTV(L, L->top + 1, value);
      L->top += 2;
      *position = i + 1;
      return 1;
    }
  }
  for (i -= t->asize; i <= t->hmask; i++) {
    Node *node = &noderef(t->node)[i];
    if (!tvisnil(&node->val)) {
      copyTV(L, L->top, &node->key);
      copyTV(L, L->top + 1, &node->val);
      L->top += 2;
      *position = t->asize + i + 1;
      return 1;
    }
  }
  return 0;
}

/* -- Metamethods -------------------------------------------------------------- */

/* Pushes what inline::pcall() wants: a function, the slot below the arguments, and these. */
static void push_metamethod(lua_State *L, cTValue *mo, cTValue *o, cTValue *k)
{
  copyTV(L, L->top, mo);
  setnilV(L->top + 1);
  copyTV(L, L->top + 2, o);
  copyTV(L, L->top + 3, k);
  L->top += 4;
}

/* lj_meta_tget(), up to where it calls a metamethod or raises. */
enum lupa_access lupa_begin_index(lua_State *L, int object, int key)
{
  cTValue *o = L->base + object - 1, *k = L->base + key - 1, *mo;
  int loop;
  for (loop = 0; loop < LJ_MAX_IDXCHAIN; loop++) {
    if (tvistab(o)) {
      GCtab *t = tabV(o);
      cTValue *v = lj_tab_get(L, t, k);
      if (!tvisnil(v) || !(mo = lj_meta_fast(L, tabref(t->metatable), MM_index))) {
        copyTV(L, L->top - 1, v);
        return LUPA_ACCESS_DONE;
      }
    } else if (tvisnil(mo = lj_meta_lookup(L, o, MM_index))) {
      return LUPA_ACCESS_REFUSED;
    }
    if (tvisfunc(mo)) {
      push_metamethod(L, mo, o, k);
      return LUPA_ACCESS_CALL;
    }
    o = mo;
  }
  return LUPA_ACCESS_REFUSED;
}

/* lj_meta_tset(), as far as that. */
enum lupa_access lupa_begin_newindex(lua_State *L, int object, int key, int value)
{
  cTValue *o = L->base + object - 1, *k = L->base + key - 1, *mo;
  if (tvistab(o)) {
    GCtab *t = tabV(o);
    if (!tvisnil(lj_tab_get(L, t, k)) || !(mo = lj_meta_fast(L, tabref(t->metatable), MM_newindex)))
      return LUPA_ACCESS_DONE;
  } else {
    mo = lj_meta_lookup(L, o, MM_newindex);
  }
  if (!tvisfunc(mo))
    return LUPA_ACCESS_REFUSED;
  push_metamethod(L, mo, o, k);
  copyTV(L, L->top, L->base + value - 1);
  L->top++;
  return LUPA_ACCESS_CALL;
}

/* -- Coroutines -------------------------------------------------------------- */

/* The slot of the function in the first frame: the thread itself lies below. */
static TValue *bottom(lua_State *L)
{
  return tvref(L->stack) + 1 + LJ_FR2;
}

enum lupa_status lupa_coroutine_status(lua_State *L, lua_State *co)
{
  if (co == L)
    return LUPA_CO_RUNNING;
  if (co->status == LUA_YIELD)
    return LUPA_CO_SUSPENDED;
  if (co->status != LUA_OK)
    return LUPA_CO_FAILED;
  if (co->base > bottom(co))
    return LUPA_CO_RUNNING;
  return co->top > co->base ? LUPA_CO_NEW : LUPA_CO_DEAD;
}

/* lua_checkstack() forgets, when it fails, that a coroutine waits in a yield: errors reset the status. */
int lupa_make_room(lua_State *co, int count)
{
  uint8_t status = co->status;
  int made = lua_checkstack(co, count);
  co->status = status;
  return made;
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
  if (!lupa_make_room(to, (int)count + LJ_MAX_SLOTS))
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

/* -- FFI --------------------------------------------------------------------- */

int lupa_has_ctypes(lua_State *L)
{
  return mref(G(L)->ctype_state, void) != NULL;
}

/* The FFI library must have been opened: its collector's part looks up the type. */
void lupa_push_int64(lua_State *L, uint64_t bits, int is_unsigned)
{
#if LJ_HASFFI
  GCcdata *cd;
  lj_gc_check(L);
  cd = lj_cdata_new_(L, is_unsigned ? CTID_UINT64 : CTID_INT64, 8);
  memcpy(cdataptr(cd), &bits, 8);
  setcdataV(L, L->top, cd);
#else
  (void)bits;
  (void)is_unsigned;
  setnilV(L->top);
#endif
  L->top++;
}

/* The type is told by its numbers, not by an id: qualified types have ids of their own. */
int lupa_to_int64(lua_State *L, int index, uint64_t *bits)
{
#if LJ_HASFFI
  TValue *o = L->base + index - 1;
  if (o < L->top && tviscdata(o)) {
    CTState *cts = ctype_ctsG(G(L));
    GCcdata *cd = cdataV(o);
    CType *ct = ctype_raw(cts, cd->ctypeid);
    if (ctype_isinteger(ct->info) && ct->size == 8) {
      memcpy(bits, cdataptr(cd), 8);
      return (ct->info & CTF_UNSIGNED) ? 2 : 1;
    }
  }
#else
  (void)L;
  (void)index;
  (void)bits;
#endif
  return 0;
}

/* -- Functions --------------------------------------------------------------- */

int lupa_parameters(lua_State *L, int index, int *is_vararg)
{
  GCfunc *fn = funcV(L->base + index - 1);
  if (!isluafunc(fn)) {
    *is_vararg = 1;
    return 0;
  }
  *is_vararg = (funcproto(fn)->flags & PROTO_VARARG) != 0;
  return funcproto(fn)->numparams;
}

/* As lua_dump(), which has no way to leave the debug information out. */
int lupa_dump(lua_State *L, int index, lua_Writer writer, void *data, int strip)
{
  TValue *o = L->base + index - 1;
  uint32_t flags = LJ_FR2 * BCDUMP_F_FR2;
  if (!tvisfunc(o) || !isluafunc(funcV(o)))
    return 1;
  if (strip)
    flags |= BCDUMP_F_STRIP;
  return lj_bcwrite(L, funcproto(funcV(o)), writer, data, flags);
}

/* -- The compiler ------------------------------------------------------------ */

int lupa_jit_status(lua_State *L, char *features, size_t size)
{
#if LJ_HASJIT
  uint32_t flags = L2J(L)->flags, bit = JIT_F_CPU;
  const char *name = JIT_F_CPUSTRING;
  size_t used = 0;
  /* Each name comes after its length. */
  for (; *name; name += 1 + (uint8_t)*name, bit <<= 1) {
    size_t length = (uint8_t)*name;
    if ((flags & bit) && used + length + 1 < size) {
      memcpy(features + used, name + 1, length);
      used += length;
      features[used++] = ' ';
    }
  }
  features[used] = '\0';
  return (flags & JIT_F_ON) != 0;
#else
  (void)L;
  (void)size;
  features[0] = '\0';
  return -1;
#endif
}

/* -- Memory errors ----------------------------------------------------------- */

/* When a trace finds no memory before it knows where in the bytecode it starts, LuaJIT puts the
** blame on address 0, or on where the last trace started, whose function may be gone; it
** overwrites the instruction there when that has happened about ten times.  At that stage it
** allocates only what is made here in advance. */
int lupa_p_prepare_compiler(lua_State *L)
{
#if LJ_HASJIT
  jit_State *J = L2J(L);
  MSize limit = (MSize)J->param[JIT_P_maxtrace] + 1;
  while (J->sizetrace < limit) {
    MSize i = J->sizetrace;
    lj_mem_growvec(L, J->trace, J->sizetrace, limit, GCRef);
    for (; i < J->sizetrace; i++)
      setgcrefnull(J->trace[i]);
  }
  if (J->irtoplim == J->irbotlim) {
    J->L = L;
    lj_ir_growtop(J);
  }
#else
  (void)L;
#endif
  return 0;
}

/* LuaJIT's built-in functions in assembler do not set L->top, where the message of a memory error
** is written: in the middle of the caller's frame, if nothing has moved it since.  The function
** that runs is about to be left, so its arguments may be overwritten. */
void lupa_before_memory_error(lua_State *L)
{
  GCobj *running = gcref(G(L)->cur_L);
  if (running != NULL) {
    L = gco2th(running);
    if (L->top < L->base)
      L->top = L->base;
  }
}

/* -- Closing ------------------------------------------------------------------- */

#ifdef LUA_USE_ASSERT

/* After memory errors LuaJIT's count of memory may be off by some bytes (lj_func_newL_gc frees what it
** has not finished with another size), and its assertions abort for that at the very end.  So
** the count is put right when the last block, the main stack, is freed. */

struct closing {
  global_State *g;
  lua_Alloc alloc;
  void *data;
};

static void *closing_alloc(void *ud, void *block, size_t old, size_t new)
{
  struct closing *c = ud;
  global_State *g = c->g;
  lua_Alloc alloc = c->alloc;
  void *data = c->data;
  if (new == 0 && block == (void *)tvref(mainthread(g)->stack)) {
    GCSize total = sizeof(GG_State);
    if (mref(g->gc.lightudseg, uint32_t) == NULL && g->gc.total < total + 1000 && g->gc.total + 1000 > total)
      g->gc.total = total;
    g->allocf = alloc;
    g->allocd = data;
  }
  return alloc(data, block, old, new);
}

void lupa_close(lua_State *L)
{
  struct closing c;
  c.g = G(L);
  c.alloc = lua_getallocf(L, &c.data);
  lua_setallocf(L, closing_alloc, &c);
  lua_close(L);
}

#elif !defined(LUAJIT_USE_SYSMALLOC)

/* lua_close() gives each block back by itself and then the segments that they all lie in.  The latter is
** enough, but for blocks that LuaJIT's allocator has mapped by themselves: they begin two words after
** the beginning of a page (direct_alloc() in lj_alloc.c). */

struct closing {
  global_State *g;
  void *data;
};

static void *closing_alloc(void *ud, void *block, size_t old, size_t new)
{
  struct closing *c = ud;
  /* lj_gc_freeall() sets this mark, after the last finalizer. */
  int all_goes = c->g->gc.currentwhite & LJ_GC_SFIXED;
  if (new == 0 && all_goes && ((uintptr_t)block & 4095) != 2 * sizeof(void *))
    return NULL;
  return lj_alloc_f(c->data, block, old, new);
}

void lupa_close(lua_State *L)
{
  struct closing c;
  c.g = G(L);
  if (lua_getallocf(L, &c.data) != lj_alloc_f) {
    lua_close(L);
    return;
  }
  lua_setallocf(L, closing_alloc, &c);
  lua_close(L);
  lj_alloc_destroy(c.data);
}

#else

void lupa_close(lua_State *L)
{
  lua_close(L);
}

#endif
