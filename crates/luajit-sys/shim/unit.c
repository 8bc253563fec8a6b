/* All of LuaJIT in C, and the shim around it: see unit.mk. */

/* As in ljamalg.c before it includes anything: the first makes LuaJIT's functions static, the second declares mremap(). */
#define ljamalg_c
#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif

#include "blocks.h"
#include "throw.h"
#include "ljamalg.c"

#include "blocks.c"
#include "internals.c"
#include "finalizers.c"
#include "guards.c"
#include "shim.c"
#include "throw.c"
