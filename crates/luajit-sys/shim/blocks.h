/* Has LuaJIT's code, which is included after this, call blocks.c: see there. UPGRADE.md says what it relies on. */

#ifndef LUPA_BLOCKS_H
#define LUPA_BLOCKS_H

#include "lj_def.h"

#if !LJ_TARGET_WINDOWS && !defined(LUAJIT_USE_SYSMALLOC)

#define LUPA_KEEPS_BLOCKS 1

#include <sys/mman.h>

static void give_back(void);

/* mmap(), which gives back what is kept before it fails: or other threads have, meanwhile. */
static void *map_pages(void *hint, size_t size, int protection, int flags, int file, off_t offset)
{
  void *pages = mmap(hint, size, protection, flags, file, offset);
  if (LJ_UNLIKELY(pages == MAP_FAILED)) {
    give_back();
    pages = mmap(hint, size, protection, flags, file, offset);
  }
  return pages;
}

#define mmap(hint, size, protection, flags, file, offset) map_pages(hint, size, protection, flags, file, offset)

/* LuaJIT's allocator where it is declared and defined. What takes its address gets ours. */
#define lj_alloc_f(msp, block, old, new) plain_alloc(msp, block, old, new)
static void *(lj_alloc_f)(void *msp, void *block, size_t old, size_t new);

#endif

#endif
