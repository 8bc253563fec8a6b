/* Large blocks that are used again.  LuaJIT's allocator has the system map each block from 128 KiB on by itself, and unmap it when it
** is freed.  The system clears the pages of such a block one by one as they are touched, which takes several times as long as
** to fill them.  So the process keeps some that were freed, for whichever state needs one next. */

#include "blocks.h"

/* Needs LuaJIT's own functions, so one unit with it. */
#ifdef LUPA_KEEPS_BLOCKS

/* In bytes: the smallest block that is mapped by itself, a power of two; the largest one that is kept; and all that are kept, as
** long as other threads do not keep some at the same time. */
#define LARGE DEFAULT_MMAP_THRESHOLD
#define LARGEST ((size_t)4 << 20)
#define MOST_BYTES ((size_t)16 << 20)

#define PLACES 32

static void *kept[PLACES];
static size_t kept_bytes;

/* Of any state: the allocator looks at none for a block that was mapped by itself. */
static void unmap(void *block)
{
  lj_alloc_free(NULL, block);
}

/* Bytes that a block has room for, if it was mapped by itself. */
static size_t room(void *block)
{
  mchunkptr p = mem2chunk(block);
  if (pinuse(p) || !(p->prev_foot & IS_DIRECT_BIT))
    return 0;
  return chunksize(p) - DIRECT_CHUNK_OVERHEAD;
}

/* Whether there was a place free.  Once the block is there, another thread may take it and unmap it, so its size is asked before. */
static int put_to(int place, void *block)
{
  void *none = NULL;
  size_t size = room(block);
  if (__atomic_load_n(&kept[place], __ATOMIC_RELAXED) != NULL)
    return 0;
  __atomic_fetch_add(&kept_bytes, size, __ATOMIC_RELAXED);
  if (__atomic_compare_exchange_n(&kept[place], &none, block, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    return 1;
  __atomic_fetch_sub(&kept_bytes, size, __ATOMIC_RELAXED);
  return 0;
}

/* What was at a place, which is free from now on; NULL if it was. */
static void *take_from(int place)
{
  void *block = NULL;
  if (__atomic_load_n(&kept[place], __ATOMIC_RELAXED) != NULL)
    block = __atomic_exchange_n(&kept[place], NULL, __ATOMIC_ACQUIRE);
  if (block != NULL)
    __atomic_fetch_sub(&kept_bytes, room(block), __ATOMIC_RELAXED);
  return block;
}

/* Whether the block is kept; others may make way for it. */
static int keep(void *block)
{
  static unsigned next;
  size_t size = room(block);
  int i;
  if (size == 0 || size > LARGEST)
    return 0;
  for (i = 0; i < PLACES && __atomic_load_n(&kept_bytes, __ATOMIC_RELAXED) + size > MOST_BYTES; i++) {
    void *other = take_from(__atomic_fetch_add(&next, 1, __ATOMIC_RELAXED) % PLACES);
    if (other != NULL)
      unmap(other);
  }
  for (i = 0; i < PLACES; i++)
    if (put_to(i, block))
      return 1;
  return 0;
}

/* A block with room for so many bytes and for less than twice as many; NULL if there is none. */
static void *take(size_t size)
{
  int i;
  for (i = 0; i < PLACES; i++) {
    void *block = take_from(i);
    if (block == NULL)
      continue;
    if (size <= room(block) && room(block) / 2 < size)
      return block;
    if (!put_to(i, block))
      unmap(block);
  }
  return NULL;
}

/* The system has no memory left. */
static LJ_NOINLINE void give_back(void)
{
  int i;
  for (i = 0; i < PLACES; i++) {
    void *block = take_from(i);
    if (block != NULL)
      unmap(block);
  }
}

/* Has the block grow: to copy it takes less time than to have new pages. */
static void *grow(void *msp, void *block, size_t old, size_t new)
{
  void *larger;
  if (block != NULL && new <= room(block))
    return block;
  larger = take(new);
  if (larger != NULL && block != NULL) {
    memcpy(larger, block, old);
    if (!keep(block))
      lj_alloc_free(msp, block);
  }
  return larger;
}

/* Of two sizes one is large. */
static LJ_NOINLINE void *large_alloc(void *msp, void *block, size_t old, size_t new)
{
  void *result = NULL;
  if (new == 0 && keep(block))
    return NULL;
  if (old < new)
    result = grow(msp, block, old, new);
  return result != NULL ? result : lj_alloc_f(msp, block, old, new);
}

static void *(lj_alloc_f)(void *msp, void *block, size_t old, size_t new)
{
  if (LJ_UNLIKELY((old | new) >= LARGE))
    return large_alloc(msp, block, old, new);
  return lj_alloc_f(msp, block, old, new);
}

#endif

/* Another thread may have been between a place and the count when the process forked, and is not there in the child. */
void lupa_after_fork(void)
{
#ifdef LUPA_KEEPS_BLOCKS
  size_t bytes = 0;
  int i;
  for (i = 0; i < PLACES; i++)
    if (kept[i] != NULL)
      bytes += room(kept[i]);
  kept_bytes = bytes;
#endif
}
