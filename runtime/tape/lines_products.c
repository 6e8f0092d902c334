/* Products of a matrix with a vector where one side is short: twice as quick as BLAS with the long side dense. With AVX-512
 * only; elsewhere BLAS keeps them.
 *
 * out[i] = sum over k of a[i,k] b[k] is defined by the order of its terms, whatever the strides: GROUP lanes take every
 * GROUP-th term, and the lanes are added as a tree. So a matrix by rows and its copy by columns give the same bits.
 * This file is compiled with -ffp-contract=fast: every term is added by the same instruction. */
#include <string.h>

#include "tape/lines.h"

#ifdef __AVX512F__
#include <immintrin.h>

enum { GROUP = 64 / (int)sizeof(real), ROWS = 4, WIDE = 2 };

typedef real Group __attribute__((vector_size(64)));

static inline Group load(const real *x) {
    Group g;
    memcpy(&g, x, sizeof g);
    return g;
}

/* The first `count` numbers, `step` apart, and zeros, which do not change a lane. */
static inline Group load_part(const real *x, int64_t step, int count) {
    if (step == 1) {
#ifdef REAL_FLOAT
        return (Group)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), x);
#else
        return (Group)_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), x);
#endif
    }
    real lane[GROUP] = {0};
    for (int l = 0; l < count; l++) lane[l] = x[l * step];
    return load(lane);
}

static inline real tree(Group g) {
    real lane[GROUP];
    memcpy(lane, &g, sizeof g);
    for (int half = GROUP / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

/* Rows that are dense, with a dense vector: `rows` of them at once. */
static inline void dense_rows(int rows, int64_t K, const real *a, int64_t sr, const real *b, real *out) {
    Group sum[ROWS];
    for (int r = 0; r < rows; r++) sum[r] = (Group){0};
    int64_t k = 0;
    for (; k + GROUP <= K; k += GROUP) {
        const Group v = load(b + k);
        for (int r = 0; r < rows; r++) sum[r] += load(a + r * sr + k) * v;
    }
    if (k < K) {
        const int rest = (int)(K - k);
        const Group v = load_part(b + k, 1, rest);
        for (int r = 0; r < rows; r++) sum[r] += load_part(a + r * sr + k, 1, rest) * v;
    }
    for (int r = 0; r < rows; r++) out[r] = tree(sum[r]);
}

/* `groups` groups of neighbouring rows of a matrix whose columns are dense. */
static inline void dense_columns(int groups, int64_t K, const real *a, int64_t sc, const real *b, int64_t sb, real *out) {
    Group sum[WIDE][GROUP];
    for (int g = 0; g < groups; g++)
        for (int l = 0; l < GROUP; l++) sum[g][l] = (Group){0};
    int64_t k = 0;
    for (; k + GROUP <= K; k += GROUP)
        for (int l = 0; l < GROUP; l++)
            for (int g = 0; g < groups; g++) sum[g][l] += load(a + (k + l) * sc + g * GROUP) * b[(k + l) * sb];
    for (int l = 0; l < GROUP; l++) /* all of them, or the lanes would live in memory */
        if (k + l < K)
            for (int g = 0; g < groups; g++) sum[g][l] += load(a + (k + l) * sc + g * GROUP) * b[(k + l) * sb];
    for (int g = 0; g < groups; g++) {
        for (int half = GROUP / 2; half > 0; half /= 2)
            for (int l = 0; l < half; l++) sum[g][l] += sum[g][l + half];
        memcpy(out + g * GROUP, &sum[g][0], sizeof sum[g][0]);
    }
}

static real any_row(int64_t K, const real *a, int64_t sc, const real *b, int64_t sb) {
    Group sum = {0};
    for (int64_t k = 0; k < K; k += GROUP) {
        const int count = K - k < GROUP ? (int)(K - k) : GROUP;
        sum += load_part(a + k * sc, sc, count) * load_part(b + k * sb, sb, count);
    }
    return tree(sum);
}

/* The last group of rows may take some again: they come out the same. */
void ISA_NAME(matrix_vector)(int64_t n, int64_t K, const real *a, int64_t sr, int64_t sc, const real *b, int64_t sb,
                             real *out) {
    if (sc == 1 && sb == 1 && n >= ROWS) {
        for (int64_t i = 0; i < n; i += ROWS) {
            if (i + ROWS > n) i = n - ROWS;
            dense_rows(ROWS, K, a + i * sr, sr, b, out + i);
        }
    } else if (sr == 1 && n >= GROUP) {
        int64_t i = 0;
        for (; i + WIDE * GROUP <= n; i += WIDE * GROUP) dense_columns(WIDE, K, a + i, sc, b, sb, out + i);
        for (; i < n; i += GROUP) {
            if (i + GROUP > n) i = n - GROUP;
            dense_columns(1, K, a + i, sc, b, sb, out + i);
        }
    } else {
        for (int64_t i = 0; i < n; i++) out[i] = any_row(K, a + i * sr, sc, b, sb);
    }
}

#endif
