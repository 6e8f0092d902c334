/* Matrices of few rows, for which calls of BLAS and LAPACK cost more than the work. Rows lie in whole groups here; what
 * stands beside the numbers in a group is never looked at. Every number is a chain of multiplications and additions whose
 * order depends neither on strides nor on how many columns there are beside it.
 *
 * The functions are written for a number of groups that is known when they are compiled: sums stay in registers. */
#include <tgmath.h>
#include <string.h>

#include "tape/lines.h"

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#if defined __AVX512F__
enum { BYTES = 64 };
#elif defined __AVX__
enum { BYTES = 32 };
#else
enum { BYTES = 16 };
#endif
enum { GROUP = BYTES / (int)sizeof(real), WIDEST = 32 / GROUP < 4 ? 32 / GROUP : 4, ROWS = WIDEST * GROUP };

typedef real Group __attribute__((vector_size(BYTES)));
#ifdef REAL_FLOAT
typedef int32_t Lanes __attribute__((vector_size(BYTES)));
#else
typedef int64_t Lanes __attribute__((vector_size(BYTES)));
#endif

#define INLINE static inline __attribute__((always_inline))
#define EACH(g, from, to) _Pragma("GCC unroll 16") for (int g = from; g < to; g++)

typedef real Square[ROWS * ROWS] __attribute__((aligned(64)));
typedef real Row[ROWS] __attribute__((aligned(64)));

INLINE Group load(const real *x) {
    Group g;
    memcpy(&g, x, sizeof g);
    return g;
}

INLINE void store(real *x, Group g) { memcpy(x, &g, sizeof g); }

/* Lane l everywhere. */
INLINE Group spread(Group g, int l) { return __builtin_shuffle(g, (Lanes){0} + l); }

/* 1 in lane l, 0 in the others. */
INLINE Group unit(int l) {
    static const real one[2 * GROUP] = {[GROUP] = 1};
    return load(one + GROUP - l);
}

/* The first `count` > 0 lanes. */
INLINE Group load_part(const real *x, int count) {
#if defined __AVX512F__ && defined REAL_FLOAT
    return (Group)_mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), x);
#elif defined __AVX512F__
    return (Group)_mm512_maskz_loadu_pd((__mmask8)((1u << count) - 1), x);
#else
    real lane[GROUP] = {0};
    for (int k = 0; k < count; k++) lane[k] = x[k];
    return load(lane);
#endif
}

INLINE void store_part(real *x, Group g, int count) {
#if defined __AVX512F__ && defined REAL_FLOAT
    _mm512_mask_storeu_ps(x, (__mmask16)((1u << count) - 1), (__m512)g);
#elif defined __AVX512F__
    _mm512_mask_storeu_pd(x, (__mmask8)((1u << count) - 1), (__m512d)g);
#else
    for (int k = 0; k < count; k++) x[k] = g[k];
#endif
}

/* n > (groups - 1) GROUP numbers. */
INLINE void load_row(const int groups, int n, const real *x, int64_t step, Group *row) {
    if (step == 1) {
        EACH(g, 0, groups - 1) row[g] = load(x + g * GROUP);
        row[groups - 1] = load_part(x + (groups - 1) * GROUP, n - (groups - 1) * GROUP);
        return;
    }
    Row dense;
    for (int k = 0; k < n; k++) dense[k] = x[k * step];
    for (int k = n; k < groups * GROUP; k++) dense[k] = 0;
    EACH(g, 0, groups) row[g] = load(dense + g * GROUP);
}

INLINE void store_row(const int groups, int n, real *x, const Group *row) {
    EACH(g, 0, groups - 1) store(x + g * GROUP, row[g]);
    store_part(x + (groups - 1) * GROUP, row[groups - 1], n - (groups - 1) * GROUP);
}

/* The reciprocals of n numbers. */
INLINE void reciprocals(const int groups, int n, const real *x, int64_t step, real *out) {
    Group row[WIDEST];
    load_row(groups, n, x, step, row);
    EACH(g, 0, groups) store(out + g * GROUP, 1 / row[g]);
}

/* Elimination without roots, S = U^T D^-1 U with the pivots on U's diagonal, row by row. `scaled` holds the rows of
 * D^-1 U; the row before is taken from registers: the chain from one pivot to the next is what the time goes to. */
INLINE int factor(const int groups, int n, const real *a, int64_t sr, int64_t sc, real *l) {
    const int ld = groups * GROUP;
    Square u, scaled;
    Row pivots;
    for (int i = 0; i < n; i++)
        for (int j = 0; j <= i; j++) u[j * ld + i] = a[i * sr + j * sc];
    for (int k = n; k < ld; k++) pivots[k] = 1;
    Group before[WIDEST] = {{0}}, weight = {0};
    EACH(first, 0, groups) {
        for (int lane = 0, j = first * GROUP; lane < GROUP && j < n; lane++, j++) {
            Group sum[WIDEST];
            EACH(g, first, groups) sum[g] = load(u + j * ld + g * GROUP);
            for (int k = 0; k + 1 < j; k++) {
                const real f = scaled[k * ld + j];
                EACH(g, first, groups) sum[g] -= f * load(u + k * ld + g * GROUP);
            }
            const Group f = spread(before[first], lane) * weight;
            EACH(g, first, groups) before[g] = sum[g] = sum[g] - f * before[g];
            const Group pivot = spread(sum[first], lane);
            weight = 1 / pivot;
            pivots[j] = pivot[0];
            EACH(g, first, groups) {
                store(u + j * ld + g * GROUP, sum[g]);
                store(scaled + j * ld + g * GROUP, sum[g] * weight);
            }
        }
    }
    for (int j = 0; j < n; j++)
        if (!(pivots[j] > 0 && pivots[j] < (real)INFINITY)) return j + 1;
    Row root, inverse;
    for (int k = 0; k < ld; k++) root[k] = sqrt(pivots[k]), inverse[k] = 1 / root[k];
    memset(l, 0, (size_t)(n * n) * sizeof *l);
    for (int j = 0; j < n; j++) {
        l[j * n + j] = root[j];
        for (int i = j + 1; i < n; i++) l[i * n + j] = u[j * ld + i] * inverse[j];
    }
    return 0;
}

/* M = L^-1 row by row, then M^T M as the sum of outer products of its rows. */
INLINE void invert(const int groups, int n, const real *l, real *out) {
    const int ld = groups * GROUP;
    Square m;
    Row inverse;
    reciprocals(groups, n, l, n + 1, inverse);
    Group before[WIDEST] = {{0}};
    EACH(last, 0, groups) {
        for (int lane = 0, i = last * GROUP; lane < GROUP && i < n; lane++, i++) {
            Group sum[WIDEST];
            EACH(g, 0, groups) sum[g] = (Group){0};
            sum[last] = unit(lane);
            for (int k = 0; k + 1 < i; k++) {
                const real f = l[i * n + k];
                EACH(g, 0, last + 1) sum[g] -= f * load(m + k * ld + g * GROUP);
            }
            const real f = i ? l[i * n + i - 1] : 0;
            EACH(g, 0, last + 1) before[g] = sum[g] = (sum[g] - f * before[g]) * inverse[i];
            EACH(g, 0, groups) store(m + i * ld + g * GROUP, sum[g]);
        }
    }
    for (int i = 0; i < n; i++) {
        Group sum[WIDEST];
        EACH(g, 0, groups) sum[g] = (Group){0};
        for (int k = i; k < n; k++) {
            const real f = m[k * ld + i];
            EACH(g, 0, groups) sum[g] += f * load(m + k * ld + g * GROUP);
        }
        store_row(groups, n, out + i * n, sum);
    }
}

/* One right-hand side: each number found is taken times its column from those still to come. */
INLINE void solve_vector(const int groups, int n, const real *l, int64_t sr, int64_t sc, bool backwards, const real *b,
                         int64_t sb, real *out) {
    const int ld = groups * GROUP;
    Square columns;
    Row inverse;
    Group x[WIDEST];
    reciprocals(groups, n, l, sr + sc, inverse);
    for (int k = 0; k < n; k++) {
        if (sr == 1) {
            load_row(groups, n, l + k * sc, 1, x);
            EACH(g, 0, groups) store(columns + k * ld + g * GROUP, x[g]);
        } else {
            for (int i = backwards ? 0 : k; i < (backwards ? k : n); i++) columns[k * ld + i] = l[i * sr + k * sc];
        }
    }
    load_row(groups, n, b, sb, x);
#define FOUND                                                                                                          \
    const Group found = spread(x[at], lane) * inverse[k];                                                              \
    out[k] = found[0];
    if (backwards) {
        EACH(step, 0, groups) {
            const int at = groups - 1 - step, last = step ? GROUP - 1 : n - 1 - at * GROUP;
            for (int lane = last, k = at * GROUP + last; lane >= 0; lane--, k--) {
                FOUND
                EACH(g, 0, at + 1) x[g] -= found * load(columns + k * ld + g * GROUP);
            }
        }
        return;
    }
    EACH(at, 0, groups)
        for (int lane = 0, k = at * GROUP; lane < GROUP && k < n; lane++, k++) {
            FOUND
            EACH(g, at, groups) x[g] -= found * load(columns + k * ld + g * GROUP);
        }
#undef FOUND
}

/* Several right-hand sides, m of them. */
INLINE void solve_rows(const int groups, int n, const real *l, int64_t sr, int64_t sc, bool backwards, int m,
                       const real *b, int64_t br, int64_t bc, real *out, int64_t or, int64_t oc) {
    const int ld = groups * GROUP;
    Square x;
    for (int s = 0; s < n; s++) {
        const int i = backwards ? n - 1 - s : s;
        const real inverse = 1 / l[i * (sr + sc)];
        real *row = x + i * ld;
        Group sum[WIDEST];
        load_row(groups, m, b + i * br, bc, sum);
        for (int q = 0; q < s; q++) {
            const int k = backwards ? n - 1 - q : q;
            const real f = l[i * sr + k * sc];
            EACH(g, 0, groups) sum[g] -= f * load(x + k * ld + g * GROUP);
        }
        EACH(g, 0, groups) store(row + g * GROUP, sum[g] * inverse);
    }
    for (int i = 0; i < n && oc == 1; i++) {
        Group row[WIDEST];
        EACH(g, 0, groups) row[g] = load(x + i * ld + g * GROUP);
        store_row(groups, m, out + i * or, row);
    }
    for (int j = 0; j < m && oc != 1; j++)
        for (int i = 0; i < n; i++) out[i * or + j * oc] = x[i * ld + j];
}

/* m columns of a dense out[n, all]. */
INLINE void multiply(const int groups, int64_t n, int K, const real *a, int64_t ar, int64_t ac, int m, const real *b,
                     int64_t br, int64_t bc, real *out, int64_t all) {
    const int ld = groups * GROUP;
    Square rows;
    Group row[WIDEST];
    for (int k = 0; k < K; k++) {
        load_row(groups, m, b + k * br, bc, row);
        EACH(g, 0, groups) store(rows + k * ld + g * GROUP, row[g]);
    }
    for (int64_t i = 0; i < n; i++) {
        Group sum[WIDEST];
        EACH(g, 0, groups) sum[g] = (Group){0};
        for (int k = 0; k < K; k++) {
            const real f = a[i * ar + k * ac];
            EACH(g, 0, groups) sum[g] += f * load(rows + k * ld + g * GROUP);
        }
        store_row(groups, m, out + i * all, sum);
    }
}

/* `call` with the number of groups that n numbers fill. */
#define BY_GROUPS(n, call)                                                                                             \
    const int filled = ((n) - 1) / GROUP + 1;                                                                          \
    if (filled == 1)                                                                                                   \
        call(1);                                                                                                       \
    else if (WIDEST > 2 && filled == 2)                                                                                \
        call(2);                                                                                                       \
    else if (WIDEST > 3 && filled == 3)                                                                                \
        call(3);                                                                                                       \
    else                                                                                                               \
        call(WIDEST)

static int small_cholesky(int n, const real *a, int64_t sr, int64_t sc, real *l) {
#define CALL(groups) return factor(groups, n, a, sr, sc, l)
    BY_GROUPS(n, CALL);
#undef CALL
}

static void small_root_inverse(int n, const real *l, real *out) {
#define CALL(groups) invert(groups, n, l, out)
    BY_GROUPS(n, CALL);
#undef CALL
}

static void small_solve(int n, const real *l, int64_t sr, int64_t sc, bool backwards, int64_t m, const real *b,
                        int64_t br, int64_t bc, real *out, int64_t or, int64_t oc) {
    if (m == 1 && or == 1) {
#define CALL(groups) solve_vector(groups, n, l, sr, sc, backwards, b, br, out)
        BY_GROUPS(n, CALL);
#undef CALL
        return;
    }
    for (int64_t j = 0; j < m; j += ROWS) {
        const int count = m - j < ROWS ? (int)(m - j) : ROWS;
#define CALL(groups) solve_rows(groups, n, l, sr, sc, backwards, count, b + j * bc, br, bc, out + j * oc, or, oc)
        BY_GROUPS(count, CALL);
#undef CALL
    }
}

static void small_product(int64_t n, int64_t m, int64_t K, const real *a, int64_t ar, int64_t ac, const real *b,
                          int64_t br, int64_t bc, real *out) {
    for (int64_t j = 0; j < m; j += ROWS) {
        const int count = m - j < ROWS ? (int)(m - j) : ROWS;
#define CALL(groups) multiply(groups, n, (int)K, a, ar, ac, count, b + j * bc, br, bc, out + j, m)
        BY_GROUPS(count, CALL);
#undef CALL
    }
}

const SmallMatrices ISA_NAME(small_matrices) = {ROWS, small_cholesky, small_root_inverse, small_solve, small_product};
