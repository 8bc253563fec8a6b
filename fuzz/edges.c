/* Coverage of LuaJIT's C code for libFuzzer, which no longer takes gcc's instrumentation: edges are
** counted in its extra counters, beside those of the Rust code. */

#include <stdint.h>

#define COUNTERS (1 << 16)

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t edges[COUNTERS];

/* What `-fsanitize-coverage=trace-pc` calls on each edge, by the linker's --wrap. */
__attribute__((no_sanitize_address)) void __wrap___sanitizer_cov_trace_pc(void)
{
    /* The distance does not depend on where the program was loaded. */
    uintptr_t edge = (uintptr_t)__builtin_return_address(0) - (uintptr_t)__wrap___sanitizer_cov_trace_pc;
    edges[(edge ^ edge >> 16) % COUNTERS]++;
}
