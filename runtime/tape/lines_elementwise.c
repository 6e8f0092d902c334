/* Elementwise operations: a line function per row of ops.def.
 *
 * What the processor computes exactly as IEEE 754 says, or one element at a time, may be vectorised as the compiler
 * likes. Expressions with exp, log, ... (class EWV) go through the vector library, whose numbers differ from those of
 * libm in the last bit: always in full groups of LANES, with the rest of a line padded, and by one function per row, so
 * that multiplications and additions are contracted in the same way everywhere. */
#include <string.h>
#include <tgmath.h>

#include "tape/lines.h"
#include "tape/special.h"

#define NUMBER real
#include "tape/vector_math.h"
#include "tape/elementwise.h"

enum { LANES = 64 / (int)sizeof(real), PACK = 8 * LANES };

/* -- Exact operations: one number; dense and broadcast operands, in blocks of lanes, so that short lines are quick; any -- */

/* out[i] = EXPR for a line; LOAD declares a, b, c at i. */
#define LINE(EXPR, LOAD)                                                                                               \
    int64_t i = 0;                                                                                                     \
    for (; i + LANES <= n; i += LANES) {                                                                               \
        _Pragma("omp simd") for (int64_t l = i; l < i + LANES; l++) {                                                  \
            LOAD(l);                                                                                                   \
            out[l] = (EXPR);                                                                                           \
        }                                                                                                              \
    }                                                                                                                  \
    for (; i < n; i++) {                                                                                               \
        LOAD(i);                                                                                                       \
        out[i] = (EXPR);                                                                                               \
    }

#define LOAD_V(i) const real a = A[i]
#define LOAD_VV(i) const real a = A[i], b = B[i]
#define LOAD_VS(i) const real a = A[i]
#define LOAD_SV(i) const real b = B[i]
#define LOAD_VVV(i) const real a = A[i], b = B[i], c = C[i]
#define LOAD_VVS(i) const real a = A[i], b = B[i]
#define LOAD_VSV(i) const real a = A[i], c = C[i]
#define LOAD_VSS(i) const real a = A[i]

#define ROW(kind, name)                                                                                                \
    static void kind##_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[])
#define UNUSED (void)n, (void)in, (void)stride

#define ROW_1(name, EXPR)                                                                                              \
    ROW(one, name) {                                                                                                   \
        UNUSED;                                                                                                        \
        const real a = *in[0];                                                                                         \
        *out = (EXPR);                                                                                                 \
    }                                                                                                                  \
    ROW(v, name) {                                                                                                     \
        UNUSED;                                                                                                        \
        const real *restrict A = in[0];                                                                                \
        LINE(EXPR, LOAD_V)                                                                                             \
    }                                                                                                                  \
    ROW(row, name) {                                                                                                   \
        const real *restrict A = in[0];                                                                                \
        const int64_t sa = stride[0];                                                                                  \
        if (sa == 1) {                                                                                                 \
            v_##name(n, out, in, stride);                                                                              \
        } else if (sa == 0) {                                                                                          \
            const real a = *A, x = (EXPR);                                                                             \
            for (int64_t i = 0; i < n; i++) out[i] = x;                                                                \
        } else {                                                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const real a = A[i * sa];                                                                              \
                out[i] = (EXPR);                                                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }

#define ROW_2(name, EXPR)                                                                                              \
    ROW(one, name) {                                                                                                   \
        UNUSED;                                                                                                        \
        const real a = *in[0], b = *in[1];                                                                             \
        *out = (EXPR);                                                                                                 \
    }                                                                                                                  \
    ROW(vv, name) {                                                                                                    \
        UNUSED;                                                                                                        \
        const real *restrict A = in[0], *restrict B = in[1];                                                           \
        LINE(EXPR, LOAD_VV)                                                                                            \
    }                                                                                                                  \
    ROW(vs, name) {                                                                                                    \
        UNUSED;                                                                                                        \
        const real *restrict A = in[0], b = *in[1];                                                                    \
        LINE(EXPR, LOAD_VS)                                                                                            \
    }                                                                                                                  \
    ROW(sv, name) {                                                                                                    \
        UNUSED;                                                                                                        \
        const real a = *in[0], *restrict B = in[1];                                                                    \
        LINE(EXPR, LOAD_SV)                                                                                            \
    }                                                                                                                  \
    ROW(row, name) {                                                                                                   \
        const real *restrict A = in[0], *restrict B = in[1];                                                           \
        const int64_t sa = stride[0], sb = stride[1];                                                                  \
        if (sa == 1 && sb == 1) {                                                                                      \
            vv_##name(n, out, in, stride);                                                                             \
        } else if (sa == 1 && sb == 0) {                                                                               \
            vs_##name(n, out, in, stride);                                                                             \
        } else if (sa == 0 && sb == 1) {                                                                               \
            sv_##name(n, out, in, stride);                                                                             \
        } else {                                                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const real a = A[i * sa], b = B[i * sb];                                                               \
                out[i] = (EXPR);                                                                                       \
            }                                                                                                          \
        }                                                                                                              \
    }

#define ROW_3(name, EXPR)                                                                                              \
    ROW(one, name) {                                                                                                   \
        UNUSED;                                                                                                        \
        const real a = *in[0], b = *in[1], c = *in[2];                                                                 \
        *out = (EXPR);                                                                                                 \
    }                                                                                                                  \
    ROW(row, name) {                                                                                                   \
        const real *restrict A = in[0], *restrict B = in[1], *restrict C = in[2];                                      \
        const int64_t sa = stride[0], sb = stride[1], sc = stride[2];                                                  \
        if (sa == 1 && sb == 1 && sc == 1) {                                                                           \
            LINE(EXPR, LOAD_VVV)                                                                                       \
        } else if (sa == 1 && sb == 1 && sc == 0) {                                                                    \
            const real c = *C;                                                                                         \
            LINE(EXPR, LOAD_VVS)                                                                                       \
        } else if (sa == 1 && sb == 0 && sc == 1) {                                                                    \
            const real b = *B;                                                                                         \
            LINE(EXPR, LOAD_VSV)                                                                                       \
        } else if (sa == 1 && sb == 0 && sc == 0) {                                                                    \
            const real b = *B, c = *C;                                                                                 \
            LINE(EXPR, LOAD_VSS)                                                                                       \
        } else {                                                                                                       \
            for (int64_t i = 0; i < n; i++) {                                                                          \
                const real a = A[i * sa], b = B[i * sb], c = C[i * sc];                                                \
                out[i] = (EXPR);                                                                                       \
            }                                                                                                          \
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

/* Written at once: what is read as a whole would wait for parts to reach the cache. */
typedef real Whole __attribute__((vector_size(LANES * sizeof(real))));

static inline void row_one(GroupsFn *groups, int arity, real *restrict out, const real *const in[]) {
    Whole pad[2];
    real result[LANES];
    for (int k = 0; k < arity; k++) pad[k] = *in[k] - (Whole){0};
    const real *a = (const real *)&pad[0], *b = (const real *)&pad[arity - 1];
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
    ROW(one, name) {                                                                                                   \
        UNUSED;                                                                                                        \
        row_one(groups_##name, arity, out, in);                                                                        \
    }                                                                                                                  \
    ROW(row, name) { row_groups(groups_##name, arity, n, out, in, stride); }

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
SumBlockFn ISA_NAME(sum_block);
PairChooseFn ISA_NAME(pair_choose);
SumProductsFn ISA_NAME(sum_products_block);
RowFn ISA_NAME(line_sum_products);
LogsumexpRowsFn ISA_NAME(logsumexp_rows);
MatrixVectorFn ISA_NAME(matrix_vector);
extern const SmallMatrices ISA_NAME(small_matrices);
CodeRunFn ISA_NAME(code_run);
ScanRunFn ISA_NAME(scan_run);

#define KINDS_1(name) .one = one_##name, .dense = {v_##name}
#define KINDS_2(name) .one = one_##name, .dense = {vv_##name, sv_##name, vs_##name}
#define KINDS_3(name) .one = one_##name
#define ROWS_OF_EW(arity, name) .any = row_##name, KINDS_##arity(name)
#define ROWS_OF_EWV(arity, name) .any = row_##name, .one = one_##name
#define ROWS_OF_REDUCE(arity, name) .any = ISA_NAME(line_##name)
#define ROWS_OF_SOURCE(arity, name)
#define ROWS_OF_VIEW(arity, name)
#define ROWS_OF_CALL(arity, name)
#define ROWS_OF_RANDOM(arity, name)
const Lines ISA_NAME(lines) = {
    .rows =
        {
#define OP(NAME, name, arity, class, ...) [OP_##NAME] = {ROWS_OF_##class(arity, name)},
#include "tape/ops.def"
#undef OP
        },
    .sum_columns = ISA_NAME(sum_columns),
    .sum_block = ISA_NAME(sum_block),
    .pair_choose = ISA_NAME(pair_choose),
    .sum_products_block = ISA_NAME(sum_products_block),
    .sum_products = ISA_NAME(line_sum_products),
    .logsumexp_rows = ISA_NAME(logsumexp_rows),
#ifdef __AVX512F__
    .matrix_vector = ISA_NAME(matrix_vector),
#endif
    .small = &ISA_NAME(small_matrices),
    .code_run = ISA_NAME(code_run),
    .scan_run = ISA_NAME(scan_run),
#if defined __AVX512F__ && !defined REAL_FLOAT
    .quick_lanes = true,
#endif
};
