/* Instruction sets: code that repays it is compiled once for each, and the best one that the processor has is taken.
 *
 * Sources named lines_*.c are compiled with -DISA=v1, v3, v4 (the levels of x86-64: SSE2, AVX2 with FMA, AVX-512) and
 * say ISA_NAME(x) for what they export. Bits may differ from one instruction set to another, never within a run.
 */
#ifndef BASE_ISA_H
#define BASE_ISA_H

#include <stdbool.h>

typedef enum Isa { ISA_V1, ISA_V3, ISA_V4, ISA_COUNT } Isa;

static inline bool isa_runs(Isa isa) {
    return isa == ISA_V1 || (isa == ISA_V3 ? __builtin_cpu_supports("x86-64-v3") : __builtin_cpu_supports("x86-64-v4"));
}

static inline Isa isa_best(void) { return isa_runs(ISA_V4) ? ISA_V4 : isa_runs(ISA_V3) ? ISA_V3 : ISA_V1; }

#define ISA_JOIN(name, isa) name##_##isa
#define ISA_PASTE(name, isa) ISA_JOIN(name, isa)
#define ISA_NAME(name) ISA_PASTE(name, ISA)

#endif
