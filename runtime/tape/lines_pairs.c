/* Two exact operations in one loop: an elementwise one of what another gives, or a sum of products. The bits of one after
 * the other: nothing is contracted here (Makefile). */
#include "tape/lines.h"
#include "tape/sums.h"

enum { LANES = 64 / (int)sizeof(real), SUM_LANES = 8 };

/* -- Elementwise: x is the inner operation of a and b, c the other operand -- */

#define VECTOR(p, i) p[i]
#define NUMBER(p, i) *p
#define PAIR(name, kind, OUTER, INNER, A, B, C)                                                                        \
    static void name##_##kind(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {         \
        const real *restrict p = in[0], *restrict q = in[1], *restrict r = in[2];                                      \
        (void)stride;                                                                                                  \
        int64_t i = 0;                                                                                                 \
        for (; i + LANES <= n; i += LANES) {                                                                           \
            _Pragma("omp simd") for (int64_t l = i; l < i + LANES; l++) {                                              \
                const real a = A(p, l), b = B(q, l), c = C(r, l), x = INNER;                                           \
                out[l] = OUTER;                                                                                        \
            }                                                                                                          \
        }                                                                                                              \
        for (; i < n; i++) {                                                                                           \
            const real a = A(p, i), b = B(q, i), c = C(r, i), x = INNER;                                               \
            out[i] = OUTER;                                                                                            \
        }                                                                                                              \
    }

/* X(outer, inner, OUTER, INNER) */
#define OUTERS(X, inner, INNER)                                                                                        \
    X(add, inner, x + c, INNER)                                                                                        \
    X(sub, inner, x - c, INNER)                                                                                        \
    X(mul, inner, x *c, INNER)                                                                                         \
    X(div, inner, x / c, INNER)                                                                                        \
    X(from, inner, c - x, INNER)                                                                                       \
    X(over, inner, c / x, INNER)
#define PAIRS(X)                                                                                                       \
    OUTERS(X, add, a + b)                                                                                              \
    OUTERS(X, sub, a - b)                                                                                              \
    OUTERS(X, mul, a *b)

#define DEFINE(outer, inner, OUTER, INNER)                                                                             \
    PAIR(outer##_##inner, vvv, OUTER, INNER, VECTOR, VECTOR, VECTOR)                                                   \
    PAIR(outer##_##inner, vsv, OUTER, INNER, VECTOR, NUMBER, VECTOR)                                                   \
    PAIR(outer##_##inner, svv, OUTER, INNER, NUMBER, VECTOR, VECTOR)                                                   \
    PAIR(outer##_##inner, vvs, OUTER, INNER, VECTOR, VECTOR, NUMBER)                                                   \
    PAIR(outer##_##inner, vss, OUTER, INNER, VECTOR, NUMBER, NUMBER)                                                   \
    PAIR(outer##_##inner, svs, OUTER, INNER, NUMBER, VECTOR, NUMBER)
PAIRS(DEFINE)

enum { INNER_ADD, INNER_SUB, INNER_MUL, INNER_COUNT };
enum { OUTER_ADD, OUTER_SUB, OUTER_MUL, OUTER_DIV, OUTER_FROM, OUTER_OVER, OUTER_COUNT };

/* By which operands are numbers: bit k is set for operand k. */
#define ROWS(outer, inner, OUTER, INNER)                                                                               \
    {outer##_##inner##_vvv, outer##_##inner##_svv, outer##_##inner##_vsv, NULL,                                        \
     outer##_##inner##_vvs, outer##_##inner##_svs, outer##_##inner##_vss, NULL},
static RowFn *const rows[INNER_COUNT * OUTER_COUNT][8] = {PAIRS(ROWS)};

static int inner_of(Op op) {
    switch (op) {
    case OP_ADD: return INNER_ADD;
    case OP_SUB: return INNER_SUB;
    case OP_MUL:
    case OP_SQUARE: return INNER_MUL;
    default: return INNER_COUNT;
    }
}

static int outer_of(Op op, int at) {
    switch (op) {
    case OP_ADD: return OUTER_ADD;
    case OP_SUB: return at == 0 ? OUTER_SUB : OUTER_FROM;
    case OP_MUL: return OUTER_MUL;
    case OP_DIV: return at == 0 ? OUTER_DIV : OUTER_OVER;
    default: return OUTER_COUNT;
    }
}

RowFn *ISA_NAME(pair_choose)(Op outer, int at, Op inner, const int64_t *stride) {
    int in = inner_of(inner), out = outer_of(outer, at), kind = 0;
    if (in == INNER_COUNT || out == OUTER_COUNT) return NULL;
    for (int k = 0; k < EW_MAX; k++) {
        if (stride[k] != 0 && stride[k] != 1) return NULL;
        kind |= stride[k] == 0 ? 1 << k : 0;
    }
    return rows[in * OUTER_COUNT + out][kind];
}

/* -- Sums of products: the bits of sums of lines_reduce.c -- */

double ISA_NAME(sum_products_block)(int n, const real *x, const real *y) {
    double lane[SUM_LANES] = {0};
    int i = 0;
    for (; i + SUM_LANES <= n; i += SUM_LANES)
        for (int l = 0; l < SUM_LANES; l++) {
            const real product = x[i + l] * y[i + l];
            lane[l] += product;
        }
    for (int l = 0; i < n; i++, l++) {
        const real product = x[i] * y[i];
        lane[l] += product;
    }
    return eight_sum(lane);
}

void ISA_NAME(line_sum_products)(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    (void)stride;
    if (n <= SUM_BLOCK) {
        *out = (real)ISA_NAME(sum_products_block)((int)n, in[0], in[1]);
        return;
    }
    Pairs p;
    pairs_start(&p);
    for (int64_t i = 0; i < n; i += SUM_BLOCK)
        pairs_add(&p, ISA_NAME(sum_products_block)(n - i < SUM_BLOCK ? (int)(n - i) : SUM_BLOCK, in[0] + i, in[1] + i));
    *out = (real)pairs_total(&p);
}
