/* Elementwise lines of every instruction set that this processor has: accurate, right at the extremes, and the same
 * wherever an element stands in whatever line. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "tape/lines.h"
#include "suite.h"

enum { LENGTH = 83 };

static bool same_bits(real x, real y) { return memcmp(&x, &y, sizeof x) == 0 || (x != x && y != y); }

static double noise(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}

static const double extremes[] = {
    NAN,   INFINITY, -INFINITY, 0,     -0.0,  1,      -1,    1e-310, -1e-310, 5e-324,  DBL_MIN, -DBL_MIN, DBL_MAX,
    -DBL_MAX, 1e307, 1e300,     -1e300, 745.2, -745.2, -708.5, 709.7, 709.9,   1000,    -1000,   -1 + 1e-16, 1 + 1e-15,
    1 - 1e-16, 2,    3,         0.5,   -0.5,  1e-5,   -1e-5, 1e-20,  1e15,    1e22,    26.5,    -26.5,    2.2e305};
enum { EXTREMES = sizeof extremes / sizeof *extremes };

/* What libm says in long double. */
typedef long double Exact(long double);
static long double exact_sigmoid(long double x) { return 1 / (1 + expl(-x)); }
static long double exact_softplus(long double x) { return x > 60 ? x + expl(-x) : log1pl(expl(x)); }
static long double exact_log1m_exp(long double x) {
    return x > 0 ? NAN : x > -0.7L ? logl(-expm1l(x)) : log1pl(-expl(x));
}
static const struct Row {
    Op op;
    Exact *exact;
    double low, high, ulp; /* drawn from here besides the extremes */
} table[] = {
    {OP_EXP, expl, -700, 700, 1},          {OP_LOG, logl, 0, 100, 1},    {OP_LOG1P, log1pl, -1, 3, 1},
    {OP_EXPM1, expm1l, -3, 3, 1},          {OP_SIN, sinl, -50, 50, 1},   {OP_COS, cosl, -50, 50, 1},
    {OP_TAN, tanl, -1.5, 1.5, 1},          {OP_ASIN, asinl, -1, 1, 1},   {OP_ACOS, acosl, -1, 1, 1},
    {OP_ATAN, atanl, -9, 9, 1},            {OP_TANH, tanhl, -3, 3, 1},   {OP_ERF, erfl, -4, 4, 1},
    {OP_ERFC, erfcl, -4, 20, 1.5},         {OP_SIGMOID, exact_sigmoid, -40, 40, 3},
    {OP_SOFTPLUS, exact_softplus, -40, 40, 3}, {OP_LOG1M_EXP, exact_log1m_exp, -4, 0, 3},
};
enum { ROWS = sizeof table / sizeof *table };

static void assert_near(const struct Row *row, Isa isa, double x, double y) {
    long double exact = row->exact(x);
    double want = (double)exact;
    if (isnan(want) && isnan(y)) return;
    /* the least normal number stands for those below */
    double tiny = fabs(want) < DBL_MIN ? DBL_MIN : fmax(fabs(want) * DBL_EPSILON * row->ulp, DBL_TRUE_MIN);
    bool near = isinf(want) || isinf(y) ? want == y || (fabs((double)want) > 1.79e308 && y == (want > 0 ? INFINITY : -INFINITY))
                                        : fabs((double)(y - exact)) <= tiny;
    ck_assert_msg(near && !isnan(y), "%s(%.17g) is %.17g, not %.17g (instruction set %d)", op_info(row->op)->name, x, y,
                  want, (int)isa);
}

START_TEST(test_vector_functions_are_accurate) {
    Isa isa = (Isa)(_i / ROWS);
    const struct Row *row = &table[_i % ROWS];
    if (!isa_runs(isa)) return;
    real x[1000], y[1000];
    uint64_t state = 1;
    for (int i = 0; i < 1000; i++)
        x[i] = i < EXTREMES ? extremes[i] : row->low + (row->high - row->low) * noise(&state);
    lines_of(isa)->rows[row->op].any(1000, y, (const real *[]){x, x, x}, (int64_t[]){1, 1, 1});
    for (int i = 0; i < 1000; i++) assert_near(row, isa, x[i], y[i]);
}
END_TEST

/* Every elementwise operation: from any place, at any stride, of any length, one by one. */
START_TEST(test_bits_do_not_depend_on_place) {
    Isa isa = (Isa)_i;
    if (!isa_runs(isa)) return;
    uint64_t state = 7;
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = op_info((Op)op);
        const Rows *rows = &lines_of(isa)->rows[op];
        RowFn *row = rows->any;
        if (!info->elementwise) continue;
        real x[3][LENGTH], spread[3][3 * LENGTH], whole[LENGTH], part[LENGTH], broadcast[LENGTH];
        const real *in[3] = {x[0], x[1], x[2]};
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < LENGTH; i++)
                spread[k][3 * i] = x[k][i] = i < 5         ? extremes[(i + 2 * k) % 5]
                                             : i % 11 == 6 ? 200 * noise(&state)
                                             : i % 13 == 8 ? 1e15 * noise(&state)
                                                           : 0.02 + 0.96 * noise(&state);
        row(LENGTH, whole, in, (int64_t[]){1, 1, 1});
        for (int length = 1; length < LENGTH; length += length < 20 ? 1 : 13) {
            int start = (int)(noise(&state) * (LENGTH - length));
            const real *at[3] = {x[0] + start, x[1] + start, x[2] + start};
            row(length, part, at, (int64_t[]){1, 1, 1});
            for (int i = 0; i < length; i++)
                ck_assert_msg(same_bits(part[i], whole[start + i]), "%s: element %d of %d", info->name, i, length);
            const real *apart[3] = {spread[0] + 3 * start, x[1] + start, spread[2] + 3 * start};
            row(length, part, apart, (int64_t[]){3, 1, 3});
            for (int i = 0; i < length; i++)
                ck_assert_msg(same_bits(part[i], whole[start + i]), "%s: element %d of %d, strides", info->name, i, length);
        }
        for (int kind = 0; kind < 3 && rows->dense[kind]; kind++) {
            rows->dense[kind](LENGTH, broadcast, in, NULL);
            for (int i = 0; i < LENGTH; i++) {
                rows->one(1, part, (const real *[]){x[0] + (kind & 1 ? 0 : i), x[1] + (kind & 2 ? 0 : i)}, NULL);
                ck_assert_msg(same_bits(broadcast[i], part[0]), "%s: dense %d", info->name, kind);
            }
        }
        for (int j = 0; j < LENGTH; j++) { /* broadcast operands */
            const real *at[3] = {x[0] + j, x[1], x[2] + j};
            row(LENGTH, broadcast, at, (int64_t[]){0, 1, 0});
            ck_assert_msg(same_bits(broadcast[j], whole[j]), "%s: broadcast", info->name);
            row(LENGTH, broadcast, (const real *[]){x[0], x[1] + j, x[2]}, (int64_t[]){1, 0, 1});
            ck_assert_msg(same_bits(broadcast[j], whole[j]), "%s: broadcast second", info->name);
            rows->one(1, broadcast, (const real *[]){x[0] + j, x[1] + j, x[2] + j}, NULL);
            ck_assert_msg(same_bits(broadcast[0], whole[j]), "%s: one", info->name);
            row(2, broadcast, (const real *[]){x[0] + j, x[1] + j, x[2] + j}, (int64_t[]){0, 0, 0});
            ck_assert_msg(same_bits(broadcast[1], whole[j]), "%s: broadcast all", info->name);
        }
    }
}
END_TEST

/* By rows, by columns, with strides: the same bits, and near the sum of the terms. */
START_TEST(test_matrix_times_vector) {
    enum { MOST = 70 };
    MatrixVectorFn *product = lines_here()->matrix_vector;
    if (!product) return;
    static const int sizes[][2] = {{1, 70}, {3, 17}, {8, 64}, {9, 65}, {16, 7}, {17, 70}, {33, 20}, {70, 1}, {70, 23}};
    const int n = sizes[_i][0], K = sizes[_i][1];
    uint64_t state = (uint64_t)_i;
    real rows[MOST * MOST], columns[MOST * MOST], apart[4 * MOST * MOST], b[MOST], wide[3 * MOST], y[5][MOST];
    for (int k = 0; k < K; k++) wide[3 * k] = b[k] = noise(&state) - 0.5;
    for (int i = 0; i < n; i++)
        for (int k = 0; k < K; k++)
            apart[4 * (i * K + k)] = rows[i * K + k] = columns[k * n + i] = exp(9 * noise(&state)) - 1000;
    product(n, K, rows, K, 1, b, 1, y[0]);
    product(n, K, columns, 1, n, b, 1, y[1]);
    product(n, K, apart, 4 * K, 4, b, 1, y[2]);
    product(n, K, rows, K, 1, wide, 3, y[3]);
    product(n, K, columns, 1, n, wide, 3, y[4]);
    for (int i = 0; i < n; i++) {
        double sum = 0, size = 0;
        for (int k = 0; k < K; k++) sum += rows[i * K + k] * b[k], size += fabs(rows[i * K + k] * b[k]);
        ck_assert_double_eq_tol(y[0][i], sum, 1e-14 * size);
        for (int v = 1; v < 5; v++) ck_assert_msg(same_bits(y[v][i], y[0][i]), "[%d, %d], row %d, way %d", n, K, i, v);
    }
}
END_TEST

/* -- Small matrices: right, and the same bits whatever the strides; behind each result stands a number that stays -- */

enum { MOST_ROWS = 32, WIDE = 2 * MOST_ROWS + 5, CANARY = 12345 };

/* The same matrix [n, m] lying in three ways: by rows, by columns, apart. */
typedef struct Ways {
    real by[3][3 * MOST_ROWS * WIDE];
    int64_t sr[3], sc[3];
} Ways;

static void lay(Ways *w, int n, int m, real (*entry)(const void *self, int i, int j), const void *self) {
    for (int k = 0; k < 3; k++) {
        w->sr[k] = k == 0 ? m : k == 1 ? 1 : 3 * m;
        w->sc[k] = k == 0 ? 1 : k == 1 ? n : 3;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < m; j++) w->by[k][i * w->sr[k] + j * w->sc[k]] = entry(self, i, j);
    }
}

static real random_entry(const void *self, int i, int j) {
    uint64_t state = *(const uint64_t *)self + (uint64_t)(1000 * i + j);
    noise(&state);
    return noise(&state) - 0.5;
}

/* Positive definite below the diagonal; what is above must not matter. */
static real square_entry(const void *self, int i, int j) {
    double sum = i == j;
    if (j > i) return NAN;
    for (int k = 0; k < MOST_ROWS; k++) sum += random_entry(self, i, k) * random_entry(self, j, k);
    return sum;
}

static real triangle_entry(const void *self, int i, int j) {
    return i == j ? 2 + random_entry(self, i, j) : i > j ? random_entry(self, i, j) : NAN;
}

static real upper_entry(const void *self, int i, int j) { return triangle_entry(self, j, i); }

static void assert_same(int size, const real *x, const real *y, const char *what, int n, int way) {
    for (int k = 0; k < size; k++)
        if (!same_bits(x[k], y[k])) ck_abort_msg("%s, n = %d, way %d: element %d differs", what, n, way, k);
    if (x[size] != CANARY) ck_abort_msg("%s, n = %d writes behind its end", what, n);
}

static void assert_close(double x, double y, const char *what, int n) { /* ck_assert writes to a pipe each time */
    if (!(fabs(x - y) <= 1e-12)) ck_abort_msg("%s, n = %d: %.17g is not %.17g", what, n, x, y);
}

static void check_factor(const SmallMatrices *small, int n, uint64_t seed) {
    Ways s;
    real l[3][MOST_ROWS * MOST_ROWS + 1], p[MOST_ROWS * MOST_ROWS + 1];
    lay(&s, n, n, square_entry, &seed);
    for (int k = 0; k < 3; k++) {
        l[k][n * n] = CANARY;
        ck_assert_int_eq(small->cholesky(n, s.by[k], s.sr[k], s.sc[k], l[k]), 0);
        assert_same(n * n, l[k], l[0], "cholesky", n, k);
    }
    p[n * n] = CANARY;
    small->root_inverse(n, l[0], p);
    assert_same(0, p + n * n, p, "root_inverse", n, 0);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0, one = 0;
            for (int k = 0; k < n; k++) sum += l[0][i * n + k] * l[0][j * n + k];
            for (int k = 0; k < n; k++) one += p[i * n + k] * s.by[0][(k > j ? k : j) * n + (k > j ? j : k)];
            assert_close(sum, s.by[0][(i > j ? i : j) * n + (i > j ? j : i)], "cholesky", n);
            assert_close(l[0][i * n + j] * (j > i), 0, "above the diagonal", n);
            assert_close(one, i == j, "inverse", n);
            if (!same_bits(p[i * n + j], p[j * n + i])) ck_abort_msg("the inverse is not symmetric, n = %d", n);
        }
    static const real bad[] = {-1, 0, NAN, INFINITY};
    for (int k = 0; k < 4; k++) {
        int at = (n - 1) * (k + 1) / 4;
        real kept = s.by[0][at * n + at];
        s.by[0][at * n + at] = bad[k];
        ck_assert_int_eq(small->cholesky(n, s.by[0], n, 1, l[0]), at + 1);
        s.by[0][at * n + at] = kept;
    }
}

static void check_solve(const SmallMatrices *small, int n, uint64_t seed) {
    Ways l[2], b;
    real x[MOST_ROWS * WIDE + 1], first[MOST_ROWS * WIDE + 1], turned[MOST_ROWS * WIDE], one[MOST_ROWS + 1];
    lay(&l[0], n, n, triangle_entry, &seed);
    lay(&l[1], n, n, upper_entry, &seed);
    lay(&b, n, WIDE, random_entry, &seed);
    for (int k = 0; k < 18; k++) {
        int way = k % 3, right = k / 3 % 3;
        bool upper = k >= 9;
        x[n * WIDE] = one[n] = CANARY;
        small->solve(n, l[upper].by[way], l[upper].sr[way], l[upper].sc[way], upper, WIDE, b.by[right],
                     b.sr[right], b.sc[right], x, WIDE, 1);
        if (way + right == 0) memcpy(first, x, sizeof x);
        assert_same(n * WIDE, x, first, "solve", n, k);
        small->solve(n, l[upper].by[way], l[upper].sr[way], l[upper].sc[way], upper, WIDE, b.by[right], b.sr[right],
                     b.sc[right], turned, 1, n);
        int j = (7 * k) % WIDE; /* one right-hand side by itself */
        small->solve(n, l[upper].by[way], l[upper].sr[way], l[upper].sc[way], upper, 1,
                     b.by[right] + j * b.sc[right], b.sr[right], 1, one, 1, n);
        for (int i = 0; i < n; i++) {
            double sum = 0;
            bool same = same_bits(one[i], x[i * WIDE + j]) && same_bits(one[i], turned[j * n + i]);
            if (!same) ck_abort_msg("solve, n = %d, %d: one by itself differs", n, k);
            for (int q = 0; q < n; q++)
                if (upper ? q >= i : q <= i) sum += l[upper].by[0][i * n + q] * one[q];
            assert_close(sum, b.by[0][i * WIDE + j], "solve", n);
        }
        ck_assert(one[n] == CANARY);
    }
}

static void check_product(const SmallMatrices *small, int n, uint64_t seed) {
    Ways a, b;
    real x[MOST_ROWS * WIDE + 1], first[MOST_ROWS * WIDE + 1];
    lay(&a, MOST_ROWS, n, random_entry, &seed);
    lay(&b, n, WIDE, random_entry, &seed);
    for (int k = 0; k < 9; k++) {
        int left = k % 3, right = k / 3;
        x[MOST_ROWS * WIDE] = CANARY;
        small->product(MOST_ROWS, WIDE, n, a.by[left], a.sr[left], a.sc[left], b.by[right], b.sr[right], b.sc[right],
                       x);
        if (k == 0) memcpy(first, x, sizeof x);
        assert_same(MOST_ROWS * WIDE, x, first, "product", n, k);
    }
    for (int i = 0; i < MOST_ROWS; i++)
        for (int j = 0; j < WIDE; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++) sum += a.by[0][i * n + k] * b.by[0][k * WIDE + j];
            assert_close(x[i * WIDE + j], sum, "product", n);
        }
}

START_TEST(test_small_matrices) {
    Isa isa = (Isa)_i;
    if (!isa_runs(isa)) return;
    const SmallMatrices *small = lines_of(isa)->small;
    ck_assert(small->rows > 1 && small->rows <= MOST_ROWS);
    for (int n = 1; n <= small->rows; n++) {
        check_factor(small, n, (uint64_t)(77 * n));
        check_solve(small, n, (uint64_t)(77 * n));
        check_product(small, n, (uint64_t)(77 * n));
    }
}
END_TEST

/* Two operations in one loop give the bits of one after the other, on any instruction set. */
START_TEST(test_pairs) {
    static const Op outer[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV}, inner[] = {OP_ADD, OP_SUB, OP_MUL, OP_SQUARE};
    Isa isa = (Isa)(_i / 6);
    int kind = _i % 6; /* operand 0 or 1 may be a number, operand 2 may */
    if (!isa_runs(isa)) return;
    const Lines *lines = lines_of(isa);
    real x[EW_MAX][LENGTH], between[LENGTH], out[LENGTH], want[LENGTH];
    uint64_t state = 5;
    for (int k = 0; k < EW_MAX; k++)
        for (int i = 0; i < LENGTH; i++) x[k][i] = (real)(i % 7 ? noise(&state) - 0.5 : extremes[(i * 5 + k * 11) % EXTREMES]);
    const int64_t stride[EW_MAX] = {kind % 3 != 1, kind % 3 != 2, kind < 3};
    for (int c = 0; c < 32; c++) {
        Op in = inner[c % 4], to = outer[c / 4 % 4];
        int at = c / 16;
        const real *operands[] = {x[0], in == OP_SQUARE ? x[0] : x[1], x[2]};
        int64_t own[EW_MAX] = {stride[0], in == OP_SQUARE ? stride[0] : stride[1], stride[2]}, swapped[2] = {own[2], 1};
        if (own[0] + own[1] == 0) continue; /* a number, no array */
        lines->rows[in].any(LENGTH, between, operands, own);
        lines->rows[to].any(LENGTH, want, at ? (const real *[]){x[2], between} : (const real *[]){between, x[2]},
                            at ? swapped : (int64_t[]){1, own[2]});
        RowFn *row = lines->pair_choose(to, at, in, own);
        ck_assert(row);
        row(LENGTH, out, operands, own);
        for (int i = 0; i < LENGTH; i++)
            ck_assert_msg(same_bits(out[i], want[i]), "%s of %s, operand %d, kind %d, element %d: %.17g, not %.17g",
                          op_info(to)->name, op_info(in)->name, at, kind, i, (double)out[i], (double)want[i]);
    }
    ck_assert(!lines->pair_choose(OP_EXP, 0, OP_ADD, stride) && !lines->pair_choose(OP_ADD, 0, OP_DIV, stride));
}
END_TEST

START_TEST(test_sums_of_products) {
    enum { MOST = 1000 };
    Isa isa = (Isa)_i;
    if (!isa_runs(isa)) return;
    const Lines *lines = lines_of(isa);
    real x[MOST], y[MOST], product[MOST], sum, want;
    uint64_t state = 3;
    for (int i = 0; i < MOST; i++) x[i] = (real)noise(&state), y[i] = (real)(noise(&state) - 0.5), product[i] = x[i] * y[i];
    for (int n = 0; n <= MOST; n += n < 20 ? 1 : 49) {
        lines->rows[OP_SUM].any(n, &want, (const real *[]){product}, (int64_t[]){1});
        lines->sum_products(n, &sum, (const real *[]){x, y}, (int64_t[]){1, 1});
        ck_assert_msg(same_bits(sum, want), "%d products: %.17g, not %.17g", n, (double)sum, (double)want);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("lines");
    TCase *c = tcase_create("lines");
    tcase_add_loop_test(c, test_vector_functions_are_accurate, 0, ISA_COUNT * ROWS);
    tcase_add_loop_test(c, test_bits_do_not_depend_on_place, 0, ISA_COUNT);
    tcase_add_loop_test(c, test_matrix_times_vector, 0, 9);
    tcase_add_loop_test(c, test_small_matrices, 0, ISA_COUNT);
    tcase_add_loop_test(c, test_pairs, 0, ISA_COUNT * 6);
    tcase_add_loop_test(c, test_sums_of_products, 0, ISA_COUNT);
    suite_add_tcase(s, c);
    return suite_run(s);
}
