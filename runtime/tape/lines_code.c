/* The loop that runs a program's instructions (code.h): threaded code, with the last results in registers. */
#include "tape/code.h"

#include <string.h>
#include <tgmath.h>

#include "tape/special.h"

/* -- The operations on numbers, from ops.def -- */

#define NUMBER real
#include "tape/vector_math.h"
#include "tape/elementwise.h"

#define DEFINE_EW(NAME, EXPR)                                                                                          \
    static inline real number_##NAME(real a, real b, real c) {                                                         \
        (void)a, (void)b, (void)c;                                                                                     \
        return EXPR;                                                                                                   \
    }

/* -- Lanes -- */

#if defined __AVX512F__ && !defined REAL_FLOAT
#include <immintrin.h>

typedef __m512d LanesOf;

/* As groups_NAME of lines_elementwise.c; the compiler keeps A and R in registers. */
#define DEFINE_EWV(NAME, EXPR)                                                                                         \
    __attribute__((noinline, unused)) static LanesOf lanes_##NAME(LanesOf x) {                                         \
        const union {                                                                                                  \
            LanesOf x;                                                                                                 \
            real l[QUICK_LANES];                                                                                       \
        } A = {x}, *B = &A;                                                                                            \
        LanesOf y;                                                                                                     \
        real *R = (real *)&y;                                                                                          \
        _Pragma("omp simd") for (int l = 0; l < QUICK_LANES; l++) {                                                    \
            const real a = A.l[l], b = B->l[l];                                                                        \
            (void)b;                                                                                                   \
            R[l] = (EXPR);                                                                                             \
        }                                                                                                              \
        return y;                                                                                                      \
    }

static inline LanesOf lanes_xdivy(LanesOf a, LanesOf b) {
    const __mmask8 none = _mm512_cmp_pd_mask(a, _mm512_setzero_pd(), _CMP_EQ_OQ) & _mm512_cmp_pd_mask(b, b, _CMP_EQ_OQ);
    return _mm512_mask_mov_pd(a / b, none, _mm512_setzero_pd());
}

static inline LanesOf lanes_squared_root(LanesOf a) {
    return _mm512_mask_mov_pd(_mm512_set1_pd(NAN), _mm512_cmp_pd_mask(a, _mm512_setzero_pd(), _CMP_GE_OQ), a);
}

static inline LanesOf lanes_read(const Instr *i, int k) { return _mm512_maskz_loadu_pd(i->lanes, i->in[k]); }

static inline void lanes_write(const Instr *i, LanesOf x) {
    if (__builtin_expect(i->whole, true))
        _mm512_storeu_pd(i->out, x);
    else
        _mm512_mask_storeu_pd(i->out, i->lanes, x);
}

/* As block_sum of lines_reduce.c adds them up. */
static inline real lanes_sum(const Instr *i, LanesOf x) {
    const LanesOf v = _mm512_maskz_mov_pd(i->lanes, x) + _mm512_setzero_pd();
    const __m256d four = _mm512_castpd512_pd256(v) + _mm512_extractf64x4_pd(v, 1);
    const __m128d two = _mm256_castpd256_pd128(four) + _mm256_extractf128_pd(four, 1);
    return two[0] + two[1];
}

#define ROUTINE_VECTOR_NUMBER(NAME, kinds, KIND)                                                                       \
    NAME##_##kinds : {                                                                                                 \
        number = lanes_##NAME(_mm512_set1_pd(NUMBER_##KIND(0)))[0];                                                    \
        OUT = number;                                                                                                  \
        last = _mm512_setzero_pd();                                                                                    \
        NEXT;                                                                                                          \
    }
#define ROUTINE_VECTOR_LANES(NAME, kinds, KIND)                                                                        \
    NAME##_##kinds : {                                                                                                 \
        last = lanes_##NAME(LANES_##KIND(0));                                                                          \
        lanes_write(i, last);                                                                                          \
        number = 0;                                                                                                    \
        NEXT;                                                                                                          \
    }
#define LANES_MEMORY(k) lanes_read(i, k)
#define LANES_SPREAD(k) _mm512_set1_pd(*i->in[k])
#define LANES_LAST(k) last
#define LANES_LAST_NUMBER(k) _mm512_set1_pd(number)
#define ROUTINE_LANES(NAME, kinds, expr, KIND_A, KIND_B)                                                               \
    NAME##_##kinds : {                                                                                                 \
        const LanesOf A = LANES_##KIND_A(0), B = LANES_##KIND_B(1);                                                    \
        (void)B;                                                                                                       \
        last = expr;                                                                                                   \
        lanes_write(i, last);                                                                                          \
        NEXT;                                                                                                          \
    }
#define ROUTINE_SUM(kind, expr, KIND_A)                                                                                \
    SUM_##kind : {                                                                                                     \
        const LanesOf A = LANES_##KIND_A(0);                                                                           \
        number = lanes_sum(i, expr);                                                                                   \
        OUT = number;                                                                                                  \
        NEXT;                                                                                                          \
    }
#else
typedef int LanesOf; /* programs have no such instructions */
#define ROUTINE_LANES(NAME, kinds, expr, KIND_A, KIND_B) NAME##_##kinds:
#define ROUTINE_SUM(kind, expr, KIND_A) SUM_##kind:
#define ROUTINE_VECTOR_NUMBER(NAME, kinds, KIND) NAME##_##kinds:
#define ROUTINE_VECTOR_LANES(NAME, kinds, KIND) NAME##_##kinds:
#define DEFINE_EWV(NAME, EXPR)
#endif

#define DEFINE_REDUCE(NAME, EXPR)
#define DEFINE_SOURCE(NAME, EXPR)
#define DEFINE_VIEW(NAME, EXPR)
#define DEFINE_CALL(NAME, EXPR)
#define DEFINE_RANDOM(NAME, EXPR)
#define OP(NAME, name, arity, class, shape, gradient, lang, domain, expr) DEFINE_##class(NAME, expr)
#include "tape/ops.def"
#undef OP

/* A choice would be in the way of what waits for the number; a jump is predicted. */
static inline real number_or_nan(real a) {
    if (__builtin_expect(a >= 0, 1)) return a;
    __asm__ volatile("");
    return NAN;
}
#define number_SQUARED_ROOT(a, b, c) number_or_nan(a)

/* -- Routines; after a call nothing is at hand -- */

#define NEXT                                                                                                           \
    do {                                                                                                               \
        i++;                                                                                                           \
        goto *routine[i->code];                                                                                        \
    } while (0)
#define FORGET (number = 0, last = (LanesOf){0})

#define NUMBER_MEMORY(k) *i->in[k]
#define OUT *i->out
#define NUMBER_LAST(k) number
#define ROUTINE_NUMBER(NAME, kinds, KIND_A, KIND_B)                                                                    \
    NAME##_##kinds : {                                                                                                 \
        number = number_##NAME(NUMBER_##KIND_A(0), NUMBER_##KIND_B(1), 0);                                             \
        OUT = number;                                                                                                  \
        NEXT;                                                                                                          \
    }

/* The first result is rounded: no multiplication is contracted with an addition. */
#define PAIR_ADD(a, b) ((a) + (b))
#define PAIR_SUB(a, b) ((a) - (b))
#define PAIR_FROM(a, b) ((b) - (a))
#define PAIR_MUL(a, b) ((a) * (b))
#define PAIR_DIV(a, b) ((a) / (b))
#define ROUTINE_PAIR(FIRST, SECOND)                                                                                    \
    PAIR_##FIRST##_##SECOND : {                                                                                        \
        number = PAIR_##FIRST(number, *i->in[0]);                                                                      \
        __asm__("" : "+x"(number));                                                                                    \
        number = PAIR_##SECOND(number, *i->in[1]);                                                                     \
        *i->out = number;                                                                                              \
        NEXT;                                                                                                          \
    }
#define LABEL_PAIR(FIRST, SECOND) [CODE_##FIRST##_##SECOND] = &&PAIR_##FIRST##_##SECOND,

/* In the order in which code_quick counts. */
#define ROUTINES_1(NAME, expr)                                                                                         \
    ROUTINE_NUMBER(NAME, M, MEMORY, LAST)                                                                              \
    ROUTINE_NUMBER(NAME, L, LAST, LAST)                                                                                \
    ROUTINE_LANES(NAME, VM, expr, MEMORY, LAST)                                                                        \
    ROUTINE_LANES(NAME, VL, expr, LAST, LAST)
#define ROUTINES_VECTOR(NAME)                                                                                          \
    ROUTINE_VECTOR_NUMBER(NAME, M, MEMORY)                                                                             \
    ROUTINE_VECTOR_NUMBER(NAME, L, LAST)                                                                               \
    ROUTINE_VECTOR_LANES(NAME, VM, MEMORY)                                                                             \
    ROUTINE_VECTOR_LANES(NAME, VL, LAST)
#define LABELS_1(NAME, ...)                                                                                           \
    [CODE_##NAME] = &&NAME##_M, [CODE_##NAME + 1] = &&NAME##_L, [CODE_##NAME + 2] = &&NAME##_VM,                       \
    [CODE_##NAME + 3] = &&NAME##_VL,
#define ROUTINES_2(NAME, expr)                                                                                         \
    ROUTINE_NUMBER(NAME, MM, MEMORY, MEMORY)                                                                           \
    ROUTINE_NUMBER(NAME, LM, LAST, MEMORY)                                                                             \
    ROUTINE_NUMBER(NAME, ML, MEMORY, LAST)                                                                             \
    ROUTINE_LANES(NAME, VMM, expr, MEMORY, MEMORY)                                                                     \
    ROUTINE_LANES(NAME, VMS, expr, MEMORY, SPREAD)                                                                     \
    ROUTINE_LANES(NAME, VSM, expr, SPREAD, MEMORY)                                                                     \
    ROUTINE_LANES(NAME, VLM, expr, LAST, MEMORY)                                                                       \
    ROUTINE_LANES(NAME, VML, expr, MEMORY, LAST)                                                                       \
    ROUTINE_LANES(NAME, VLS, expr, LAST, SPREAD)                                                                       \
    ROUTINE_LANES(NAME, VSL, expr, SPREAD, LAST)                                                                       \
    ROUTINE_LANES(NAME, VMN, expr, MEMORY, LAST_NUMBER)                                                                \
    ROUTINE_LANES(NAME, VNM, expr, LAST_NUMBER, MEMORY)                                                                \
    ROUTINE_LANES(NAME, VLN, expr, LAST, LAST_NUMBER)                                                                  \
    ROUTINE_LANES(NAME, VNL, expr, LAST_NUMBER, LAST)
#define LABELS_2(NAME, expr)                                                                                           \
    [CODE_##NAME] = &&NAME##_MM, [CODE_##NAME + 1] = &&NAME##_LM, [CODE_##NAME + 2] = &&NAME##_ML,                     \
    [CODE_##NAME + 3] = &&NAME##_VMM, [CODE_##NAME + 4] = &&NAME##_VMS, [CODE_##NAME + 5] = &&NAME##_VSM,              \
    [CODE_##NAME + 6] = &&NAME##_VLM, [CODE_##NAME + 7] = &&NAME##_VML, [CODE_##NAME + 8] = &&NAME##_VLS,              \
    [CODE_##NAME + 9] = &&NAME##_VSL, [CODE_##NAME + 10] = &&NAME##_VMN, [CODE_##NAME + 11] = &&NAME##_VNM,            \
    [CODE_##NAME + 12] = &&NAME##_VLN, [CODE_##NAME + 13] = &&NAME##_VNL,

/* A jump at the end of each routine is predicted by itself: none is to be merged with another. */
__attribute__((optimize("no-crossjumping", "no-gcse"))) bool ISA_NAME(code_run)(const Instr *i) {
    static const void *const label[CODE_COUNT] = {
        [CODE_END] = &&END, [CODE_NOTHING] = &&NOTHING, [CODE_WORK] = &&WORK, [CODE_ROW] = &&ROW, [CODE_SUM_MEMORY] = &&SUM_MEMORY,
        [CODE_SUM_LAST] = &&SUM_LAST, [CODE_SUM_SQUARE_MEMORY] = &&SUM_SQUARE_MEMORY,
        [CODE_SUM_SQUARE_LAST] = &&SUM_SQUARE_LAST, [CODE_SUM_MUL_MEMORY] = &&SUM_MUL_MEMORY,
        [CODE_SUM_MUL_LAST] = &&SUM_MUL_LAST, PAIRS(LABEL_PAIR) QUICK_1(LABELS_1) QUICK_VECTOR(LABELS_1) QUICK_2(LABELS_2)};
    real number;
    LanesOf last;
    FORGET;
    const void *const *routine = label;
    __asm__("" : "+r"(routine)); /* stays in a register, though it is known */
    goto *routine[i->code];
ROW:
    i->row->row(i->row->n, i->row->out, i->row->in, i->row->stride);
    FORGET;
    NEXT;
WORK:
    if (!i->work->run(i->work)) return false;
    FORGET;
    NEXT;
NOTHING:
    NEXT;
    QUICK_1(ROUTINES_1)
    QUICK_VECTOR(ROUTINES_VECTOR)
    QUICK_2(ROUTINES_2)
    ROUTINE_SUM(MEMORY, A, MEMORY)
    ROUTINE_SUM(LAST, A, LAST)
    ROUTINE_SUM(SQUARE_MEMORY, A *A, MEMORY)
    ROUTINE_SUM(SQUARE_LAST, A *A, LAST)
    ROUTINE_SUM(MUL_MEMORY, A *LANES_MEMORY(1), MEMORY)
    ROUTINE_SUM(MUL_LAST, A *LANES_MEMORY(1), LAST)
    PAIRS(ROUTINE_PAIR)
END:
    (void)last;
    return true;
}

/* -- The same, step after step of a recurrence -- */

#undef NUMBER_MEMORY
#undef OUT
#define NUMBER_MEMORY(k) i->in[k][t & i->moves[k]]
#define OUT i->out[t & i->out_moves]
#define NUMBERS_1(NAME, expr)                                                                                          \
    ROUTINE_NUMBER(NAME, M, MEMORY, LAST)                                                                              \
    ROUTINE_NUMBER(NAME, L, LAST, LAST)
#define NUMBERS_VECTOR(NAME)                                                                                           \
    ROUTINE_VECTOR_NUMBER(NAME, M, MEMORY)                                                                             \
    ROUTINE_VECTOR_NUMBER(NAME, L, LAST)
#define NUMBERS_2(NAME, expr)                                                                                          \
    ROUTINE_NUMBER(NAME, MM, MEMORY, MEMORY)                                                                           \
    ROUTINE_NUMBER(NAME, LM, LAST, MEMORY)                                                                             \
    ROUTINE_NUMBER(NAME, ML, MEMORY, LAST)
#define NUMBER_LABELS_1(NAME, ...) [CODE_##NAME] = &&NAME##_M, [CODE_##NAME + 1] = &&NAME##_L,
#define NUMBER_LABELS_2(NAME, expr)                                                                                    \
    [CODE_##NAME] = &&NAME##_MM, [CODE_##NAME + 1] = &&NAME##_LM, [CODE_##NAME + 2] = &&NAME##_ML,

__attribute__((optimize("no-crossjumping", "no-gcse", "no-tree-slp-vectorize"))) void
ISA_NAME(scan_run)(const ScanInstr *first, const ScanInstr *from, int64_t t, int64_t steps, real number) {
    static const void *const label[CODE_COUNT] = {[CODE_END] = &&END, [CODE_ROW] = &&ROW, QUICK_1(NUMBER_LABELS_1)
                                                      QUICK_VECTOR(NUMBER_LABELS_1) QUICK_2(NUMBER_LABELS_2)};
    const ScanInstr *i = from;
    LanesOf last;
    const void *const *routine = label;
    __asm__("" : "+r"(routine));
    goto *routine[i->code];
ROW : {
    const real *in[EW_MAX] = {&NUMBER_MEMORY(0), &NUMBER_MEMORY(1), &NUMBER_MEMORY(2)};
    i->row(1, &OUT, in, i->moves);
    number = OUT;
    NEXT;
}
    QUICK_1(NUMBERS_1)
    QUICK_VECTOR(NUMBERS_VECTOR)
    QUICK_2(NUMBERS_2)
END:
    (void)last;
    if ((t += i->out_moves) >= steps) return;
    i = first;
    goto *routine[i->code];
}
