/* LuaJIT asks for the processor's features with each new state. In a virtual machine, where the hypervisor
** answers, that takes longer than opening a library. A program that is linked with --wrap=lj_vm_cpuid has
** these answers instead, which are got once; others leave this file out. */

#include <stdint.h>
#include <string.h>

int __real_lj_vm_cpuid(uint32_t leaf, uint32_t result[4]);
int __wrap_lj_vm_cpuid(uint32_t leaf, uint32_t result[4]);

enum { LEAVES = 8 };

static uint32_t answers[LEAVES][4];

/* Before there are threads that could read what it writes. */
__attribute__((constructor)) static void ask(void)
{
  uint32_t leaf, last;
  __real_lj_vm_cpuid(0, answers[0]);
  last = answers[0][0];
  for (leaf = 1; leaf < LEAVES && leaf <= last; leaf++)
    __real_lj_vm_cpuid(leaf, answers[leaf]);
}

int __wrap_lj_vm_cpuid(uint32_t leaf, uint32_t result[4])
{
  if (leaf >= LEAVES)
    return __real_lj_vm_cpuid(leaf, result);
  memcpy(result, answers[leaf], sizeof(answers[leaf]));
  return (int)result[0];
}
