/* Elementwise operations: a line function per row of ops.def.
 *
 * What the processor computes exactly as IEEE 754 says, or one element at a time, may be vectorised as the compiler
 * likes. Expressions with exp, log, ... (class EWV) go through the vector library, whose numbers differ from those of
 * libm in the last bit: always in full groups of LANES, with the rest of a line padded. */
#include <tgmath.h>

#include "tape/lines.h"
#include "tape/special.h"

#define NUMBER real
#include "tape/vector_math.h"
#include "tape/elementwise.h"

enum { LANES = 64 / (int)sizeof(real), PACK = 8 * LANES };

/* -- Exact operations: dense and broadcast operands get loops of their own -- */

#define LINE(EXPR, ...)                                                                                                \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        __VA_ARGS__;                                                                                                   \
        out[i] = (EXPR);                                                                                               \
    }

#define ROW_1(name, EXPR)                                                                                              \
    static void row_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {            \
        const real *restrict A = in[0];                                                                                \
        const int64_t sa = stride[0];                                                                                  \
        if (sa == 1) {                                                                                                 \
            LINE(EXPR, const real a = A[i])                                                                            \
        } else if (sa == 0) {                                                                                          \
            const real a = *A, x = (EXPR);                                                                             \
            for (int64_t i = 0; i < n; i++) out[i] = x;                                                                \
        } else {                                                                                                       \
            LINE(EXPR, const real a = A[i * sa])                                                                       \
        }                                                                                                              \
    }

#define ROW_2(name, EXPR)                                                                                              \
    static void row_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {            \
        const real *restrict A = in[0], *restrict B = in[1];                                                           \
        const int64_t sa = stride[0], sb = stride[1];                                                                  \
        if (sa == 1 && sb == 1) {                                                                                      \
            LINE(EXPR, const real a = A[i]; const real b = B[i])                                                       \
        } else if (sa == 1 && sb == 0) {                                                                               \
            const real b = *B;                                                                                         \
            LINE(EXPR, const real a = A[i])                                                                            \
        } else if (sa == 0 && sb == 1) {                                                                               \
            const real a = *A;                                                                                         \
            LINE(EXPR, const real b = B[i])                                                                            \
        } else {                                                                                                       \
            LINE(EXPR, const real a = A[i * sa]; const real b = B[i * sb])                                             \
        }                                                                                                              \
    }

#define ROW_3(name, EXPR)                                                                                              \
    static void row_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {            \
        const real *restrict A = in[0], *restrict B = in[1], *restrict C = in[2];                                      \
        const int64_t sa = stride[0], sb = stride[1], sc = stride[2];                                                  \
        if (sa == 1 && sb == 1 && sc == 1) {                                                                           \
            LINE(EXPR, const real a = A[i]; const real b = B[i]; const real c = C[i])                                  \
        } else if (sa == 1 && sb == 1 && sc == 0) {                                                                    \
            const real c = *C;                                                                                         \
            LINE(EXPR, const real a = A[i]; const real b = B[i])                                                       \
        } else if (sa == 1 && sb == 0 && sc == 1) {                                                                    \
            const real b = *B;                                                                                         \
            LINE(EXPR, const real a = A[i]; const real c = C[i])                                                       \
        } else {                                                                                                       \
            LINE(EXPR, const real a = A[i * sa]; const real b = B[i * sb]; const real c = C[i * sc])                   \
        }                                                                                                              \
    }

/* -- Operations of the vector library -- */

/* n is a multiple of LANES. */
typedef void GroupsFn(int64_t n, real *out, const real *a, const real *b);

/* Hides where numbers come from: the compiler may not compute one that is the same in all lanes by itself. */
#define OPAQUE(p) __asm__("" : "+r"(p) : : "memory")

/* `count` numbers to whole groups; the lanes beyond repeat the first, which is as harmless as the rest. */
static inline void pack(int count, real *restrict to, const real *restrict from, int64_t stride) {
    if (stride == 1)
        for (int l = 0; l < count; l++) to[l] = from[l];
    else
        for (int l = 0; l < count; l++) to[l] = from[l * stride];
    for (int l = count; l % LANES; l++) to[l] = to[0];
}

static inline void row_one(GroupsFn *groups, int arity, real *restrict out, const real *const in[]) {
    real pad[2][LANES], result[LANES];
    for (int k = 0; k < arity; k++)
        for (int l = 0; l < LANES; l++) pad[k][l] = *in[k];
    const real *a = pad[0], *b = pad[arity - 1];
    OPAQUE(a);
    OPAQUE(b);
    groups(LANES, result, a, b);
    *out = result[0];
}

static inline void row_groups(GroupsFn *groups, int arity, int64_t n, real *restrict out, const real *const in[],
                              const int64_t stride[]) {
    bool dense = stride[0] == 1, same = stride[0] == 0;
    if (arity == 2) dense = dense && stride[1] == 1, same = same && stride[1] == 0;
    if ((n == 1 || same) && n > 0) {
        row_one(groups, arity, out, in);
        for (int64_t i = 1; i < n; i++) out[i] = out[0];
        return;
    }
    int64_t i = 0;
    if (dense && n >= LANES) {
        i = n - n % LANES;
        groups(i, out, in[0], in[arity - 1]);
    }
    real pad[2][PACK], result[PACK];
    for (; i < n; i += PACK) {
        int count = n - i < PACK ? (int)(n - i) : PACK;
        for (int k = 0; k < arity; k++) pack(count, pad[k], in[k] + i * stride[k], stride[k]);
        const real *a = pad[0], *b = pad[arity - 1];
        OPAQUE(a);
        OPAQUE(b);
        groups((count + LANES - 1) / LANES * LANES, result, a, b);
        for (int l = 0; l < count; l++) out[i + l] = result[l];
    }
}

#define GROUPS(name, EXPR)                                                                                             \
    __attribute__((noinline)) static void groups_##name(int64_t n, real *restrict out, const real *restrict A,         \
                                                        const real *restrict B) {                                      \
        for (int64_t i = 0; i < n; i += LANES) {                                                                       \
            _Pragma("omp simd") for (int l = 0; l < LANES; l++) {                                                      \
                const real a = A[i + l], b = B[i + l];                                                                 \
                (void)a, (void)b;                                                                                      \
                out[i + l] = (EXPR);                                                                                   \
            }                                                                                                          \
        }                                                                                                              \
    }

#define VECTOR_ROW(arity, name, EXPR)                                                                                  \
    GROUPS(name, EXPR)                                                                                                 \
    static void row_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {            \
        row_groups(groups_##name, arity, n, out, in, stride);                                                          \
    }

/* -- The table -- */

#define DEFINE_EW(arity, name, EXPR) ROW_##arity(name, EXPR)
#define DEFINE_EWV(arity, name, EXPR) VECTOR_ROW(arity, name, EXPR)
#define DEFINE_REDUCE(arity, name, EXPR) RowFn ISA_NAME(line_##name);
#define DEFINE_SOURCE(arity, name, EXPR)
#define DEFINE_VIEW(arity, name, EXPR)
#define DEFINE_CALL(arity, name, EXPR)
#define DEFINE_RANDOM(arity, name, EXPR)
#define OP(NAME, name, arity, class, shape, gradient, lang, domain, expr) DEFINE_##class(arity, name, expr)
#include "tape/ops.def"
#undef OP
SumColumnsFn ISA_NAME(sum_columns);

#define ROW_OF_EW(name) row_##name
#define ROW_OF_EWV(name) row_##name
#define ROW_OF_REDUCE(name) ISA_NAME(line_##name)
#define ROW_OF_SOURCE(name) NULL
#define ROW_OF_VIEW(name) NULL
#define ROW_OF_CALL(name) NULL
#define ROW_OF_RANDOM(name) NULL
const Lines ISA_NAME(lines) = {
    .row =
        {
#define OP(NAME, name, arity, class, ...) [OP_##NAME] = ROW_OF_##class(name),
#include "tape/ops.def"
#undef OP
        },
    .sum_columns = ISA_NAME(sum_columns),
};
