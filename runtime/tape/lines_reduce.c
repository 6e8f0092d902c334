/* Reductions of a line of numbers to one.
 *
 * A sum is defined by the order of its terms alone, never by strides: blocks of 256, in each of which eight
 * accumulators take every eighth number; the blocks are added pairwise. In single precision too sums are double inside. */
#include <assert.h>
#include <tgmath.h>
#include <string.h>

#include "tape/lines.h"
#include "tape/sums.h"

static double log_of(double x) { return log(x); }

#include "tape/vector_math.h"

enum { BLOCK = SUM_BLOCK, LANES = 8, GROUP = 64 / (int)sizeof(real) };

static double block_sum(int n, const real *x, int64_t stride) {
    double lane[LANES] = {0};
    int i = 0;
    if (stride == 1) {
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++) lane[l] += x[i + l];
    } else {
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++) lane[l] += x[(i + l) * stride];
    }
    for (int l = 0; i < n; i++, l++) lane[l] += x[i * stride];
    return eight_sum(lane);
}

double ISA_NAME(sum_block)(int n, const real *x) { return block_sum(n, x, 1); }

static real sum_line(int64_t n, const real *x, int64_t stride) {
    if (n <= BLOCK) return block_sum((int)n, x, stride);
    Pairs p;
    pairs_start(&p);
    for (int64_t i = 0; i < n; i += BLOCK)
        pairs_add(&p, block_sum(n - i < BLOCK ? (int)(n - i) : BLOCK, x + i * stride, stride));
    return pairs_total(&p);
}

/* The same sums of `width` <= SUM_TILE neighbouring columns, row after row. */
void ISA_NAME(sum_columns)(int64_t n, int width, const real *x, int64_t stride, real *out) {
    Pairs p[SUM_TILE];
    for (int j = 0; j < width; j++) pairs_start(&p[j]);
    for (int64_t i = 0; i < n; i += BLOCK) {
        int rows = n - i < BLOCK ? (int)(n - i) : BLOCK;
        double lane[LANES][SUM_TILE] = {{0}};
        for (int r = 0; r < rows; r++) {
            const real *row = x + (i + r) * stride;
            for (int j = 0; j < width; j++) lane[r % LANES][j] += row[j];
        }
        for (int j = 0; j < width; j++) {
            double l[LANES];
            for (int k = 0; k < LANES; k++) l[k] = lane[k][j];
            pairs_add(&p[j], eight_sum(l));
        }
    }
    for (int j = 0; j < width; j++) out[j] = pairs_total(&p[j]);
}

/* -- One line to one number -- */

void ISA_NAME(line_sum)(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    *out = sum_line(n, in[0], stride[0]);
}

void ISA_NAME(line_prod)(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    double p = 1;
    for (int64_t i = 0; i < n; i++) p *= in[0][i * stride[0]];
    *out = p;
}

static inline real largest(int64_t n, const real *x, int64_t stride) {
    real m = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        real v = x[i * stride];
        m = v > m || v != v ? v : m;
    }
    return m;
}

void ISA_NAME(line_reduce_max)(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    *out = largest(n, in[0], stride[0]);
}

void ISA_NAME(line_reduce_min)(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    real m = INFINITY;
    for (int64_t i = 0; i < n; i++) {
        real v = in[0][i * stride[0]];
        m = v < m || v != v ? v : m;
    }
    *out = m;
}

void ISA_NAME(line_argmax)(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    int64_t best = 0;
    real m = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        real v = in[0][i * stride[0]];
        if (v > m || (v != v && m == m)) m = v, best = i;
    }
    *out = n > 0 ? (real)(best + 1) : NAN;
}

/* In place, in full groups of lanes (lines_elementwise.c); x has room for whole groups. */
__attribute__((noinline)) static void exp_groups(int n, real *x) {
    for (int i = n; i % GROUP; i++) x[i] = 0;
    for (int i = 0; i < n; i += GROUP) {
#pragma omp simd
        for (int l = 0; l < GROUP; l++) x[i + l] = exp(x[i + l]);
    }
}

/* log sum exp x = m + log sum exp(x - m); an infinite or undefined m is the answer. */
void ISA_NAME(line_logsumexp)(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    const real *x = in[0];
    int64_t s = stride[0];
    real m = largest(n, x, s);
    if (!isfinite(m)) {
        *out = m;
        return;
    }
    Pairs p;
    pairs_start(&p);
    real e[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK) {
        int size = n - i < BLOCK ? (int)(n - i) : BLOCK;
        for (int j = 0; j < size; j++) e[j] = x[(i + j) * s] - m;
        exp_groups(size, e);
        pairs_add(&p, block_sum(size, e, 1));
    }
    *out = m + (real)log_of(pairs_total(&p));
}

/* Short lines together, so that the exponentials of several fill the lanes. */
void ISA_NAME(logsumexp_rows)(int count, const real *const *rows, int64_t n, int64_t stride, real *out) {
    real e[BLOCK], m[BLOCK];
    int at = 0;
    for (int r = 0; r < count; r++) {
        m[r] = largest(n, rows[r], stride);
        for (int64_t j = 0; j < n; j++) e[at++] = isfinite(m[r]) ? rows[r][j * stride] - m[r] : 0;
    }
    exp_groups(at, e);
    for (int r = 0; r < count; r++)
        out[r] = isfinite(m[r]) ? m[r] + (real)log_of(block_sum((int)n, e + r * n, 1)) : m[r];
}
