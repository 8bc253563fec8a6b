/* All of LuaJIT in C, and the shim behind it: see unit.mk. */

#include "ljamalg.c"

#include "internals.c"
#include "finalizers.c"
#include "guards.c"
#include "shim.c"
