/* Diagnostics against values from a direct transcription of the definitions (O(n^2) autocovariances, in Python), and on
 * samples whose answer is known. Seeds are fixed. */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "base/random.h"
#include "infer/diagnostics.h"
#include "suite.h"

static Arena *scratch;

static void setup(void) { scratch = arena_new(); }
static void teardown(void) {
    ck_assert_uint_eq(arena_used(scratch), 0);
    arena_free(scratch);
}

enum { CHAINS = 4, DRAWS = 2000 };

/* The sequence the reference used: AR(1) driven by a linear congruential generator, one chain after the other. */
static void make_chains(double *x, int nchains, int ndraws, double rho, double shift) {
    uint64_t s = 12345;
    for (int c = 0; c < nchains; c++) {
        double y = 0;
        for (int i = 0; i < ndraws; i++) {
            s = (s * 1103515245 + 12345) % 2147483648u;
            y = rho * y + (double)s / 2147483648.0 - 0.5;
            x[c * ndraws + i] = y + shift * c;
        }
    }
}

typedef struct ChainsRow {
    int nchains, ndraws;
    double rho, shift, rhat, rhat_plain, ess_mean, ess_bulk, ess_tail, mcse;
} ChainsRow;

static const ChainsRow chains_rows[] = {
    {4, 101, 0.6, 0, 1.01716848333396, 1.01689648665001, 90.7871937280913,
     90.0766423756678, 169.801938167837, 0.0382136909831415},
    {2, 64, -0.4, 0, 0.987731520016582, 0.986681821814679, 269.722876114927,
     269.722876114927, 106.424318072215, 0.0197252540949297},
    {3, 50, 0.9, 1, 1.91753372488518, 2.18803531094909, 4.77354602128704,
     5.29266017007279, 20.2281738004693, 0.426067811924938},
    {1, 80, 0.3, 0, 1.00722731414778, 0.996081754455661, 48.1073539345752,
     49.3096376487863, 57.6218744378485, 0.0403257054490566},
};

static void check_close(double got, double expected, const char *what, int row) {
    ck_assert_msg(fabs(got - expected) <= 1e-11 * fabs(expected), "row %d, %s: expected %.15g, got %.15g", row, what,
                  expected, got);
}

START_TEST(chains_agree_with_the_definitions) {
    double x[512];
    for (int k = 0; k < (int)(sizeof chains_rows / sizeof *chains_rows); k++) {
        const ChainsRow *r = &chains_rows[k];
        make_chains(x, r->nchains, r->ndraws, r->rho, r->shift);
        check_close(rhat(scratch, x, r->nchains, r->ndraws), r->rhat, "rhat", k);
        check_close(rhat_plain(scratch, x, r->nchains, r->ndraws), r->rhat_plain, "rhat_plain", k);
        check_close(ess_mean(scratch, x, r->nchains, r->ndraws), r->ess_mean, "ess_mean", k);
        check_close(ess_bulk(scratch, x, r->nchains, r->ndraws), r->ess_bulk, "ess_bulk", k);
        check_close(ess_tail(scratch, x, r->nchains, r->ndraws), r->ess_tail, "ess_tail", k);
        check_close(mcse_mean(scratch, x, r->nchains, r->ndraws), r->mcse, "mcse_mean", k);
    }
}
END_TEST

static double *normal_chains(double shift, double scale) {
    double *x = malloc(sizeof(double) * CHAINS * DRAWS);
    for (uint32_t c = 0; c < CHAINS; c++) {
        Stream s = stream_at(42, c, 0, 0);
        double *chain = x + c * DRAWS;
        for (int i = 0; i < DRAWS; i++) chain[i] = stream_normal(&s) * (c == 0 ? scale : 1) + shift * c;
    }
    return x;
}

START_TEST(independent_chains_look_converged) {
    double *x = normal_chains(0, 1);
    ck_assert_double_lt(fabs(rhat(scratch, x, CHAINS, DRAWS) - 1), 0.005);
    ck_assert_double_lt(fabs(ess_bulk(scratch, x, CHAINS, DRAWS) / (CHAINS * DRAWS) - 1), 0.15);
    ck_assert_double_lt(fabs(ess_tail(scratch, x, CHAINS, DRAWS) / (CHAINS * DRAWS) - 1), 0.15);
    ck_assert_double_lt(fabs(mcse_mean(scratch, x, CHAINS, DRAWS) * sqrt(CHAINS * DRAWS) - 1), 0.1);
    free(x);
}
END_TEST

START_TEST(chains_that_differ_are_noticed) {
    double *x = normal_chains(1, 1);
    ck_assert_double_gt(rhat(scratch, x, CHAINS, DRAWS), 1.3);
    ck_assert_double_lt(ess_bulk(scratch, x, CHAINS, DRAWS), 50);
    free(x);
    x = normal_chains(0, 5); /* the same mean, another scale: the folded draws tell */
    ck_assert_double_lt(rhat_plain(scratch, x, CHAINS, DRAWS), 1.01);
    ck_assert_double_gt(rhat(scratch, x, CHAINS, DRAWS), 1.1);
    free(x);
}
END_TEST

/* AR(1): the integrated autocorrelation time is (1 + rho) / (1 - rho). One estimate is good to some 5%. */
START_TEST(the_effective_size_of_an_autoregression) {
    enum { N = 20000, REPEATS = 10 };
    static double x[CHAINS * N];
    const double rho = 0.8, expected = CHAINS * N * (1 - rho) / (1 + rho);
    double sum = 0;
    for (uint64_t seed = 1; seed <= REPEATS; seed++) {
        for (uint32_t c = 0; c < CHAINS; c++) {
            Stream s = stream_at(seed, c, 0, 0);
            double y = stream_normal(&s) / sqrt(1 - rho * rho);
            for (int i = 0; i < N; i++) x[c * N + (uint32_t)i] = y = rho * y + stream_normal(&s);
        }
        sum += ess_mean(scratch, x, CHAINS, N) / expected;
    }
    ck_assert_double_lt(fabs(sum / REPEATS - 1), 0.05);
}
END_TEST

START_TEST(chains_without_meaning_give_nan) {
    double x[40] = {0};
    ck_assert_double_nan(rhat(scratch, x, 2, 20));
    ck_assert_double_nan(ess_bulk(scratch, x, 2, 20));
    make_chains(x, 2, 20, 0.5, 0);
    ck_assert(isfinite(rhat(scratch, x, 2, 20)) && isfinite(ess_bulk(scratch, x, 2, 20)) && isfinite(ess_tail(scratch, x, 2, 20)));
    ck_assert_double_nan(ess_mean(scratch, x, 20, 2));
    x[7] = INFINITY;
    ck_assert_double_nan(rhat(scratch, x, 2, 20));
    ck_assert_double_nan(ess_mean(scratch, x, 2, 20));
    x[7] = NAN;
    ck_assert_double_nan(ess_tail(scratch, x, 2, 20));
    ck_assert_double_nan(quantile(scratch, x, 40, 0.5));
}
END_TEST

/* -- Importance sampling -- */

typedef struct PsisRow {
    int n;
    double scale, khat, ess, largest;
} PsisRow;

static const PsisRow psis_rows[] = {
    {100, 1, 0.140675293049973, 99.3637461316804, -4.38650508766361},
    {1000, 2, -0.0622638997396172, 969.669177648216, -6.35038743510492},
    {400, 8, 0.18972943092391, 219.090891349942, -4.02356496738393},
};

START_TEST(khat_agrees_with_the_definition) {
    double r[1000], w[1000];
    for (int k = 0; k < (int)(sizeof psis_rows / sizeof *psis_rows); k++) {
        const PsisRow *row = &psis_rows[k];
        make_chains(r, 1, row->n, 0.2, 0);
        for (int i = 0; i < row->n; i++) r[i] *= row->scale * r[i];
        double khat = psis_khat(scratch, r, row->n, w), sum = 0, largest = -INFINITY;
        check_close(khat, row->khat, "khat", k);
        check_close(psis_ess(w, row->n), row->ess, "ess", k);
        for (int i = 0; i < row->n; i++) sum += exp(w[i]), largest = fmax(largest, w[i]);
        ck_assert_double_eq_tol(sum, 1, 1e-12);
        check_close(largest, row->largest, "the largest weight", k);
        for (int i = 0; i < row->n; i++) r[i] += 1e4; /* a constant changes nothing */
        ck_assert_double_eq_tol(psis_khat(scratch, r, row->n, NULL), khat, 1e-7);
        ck_assert_double_eq_tol(psis_khat(scratch, r, row->n, r), khat, 1e-7); /* in place */
        for (int i = 0; i < row->n; i++) ck_assert_double_eq_tol(r[i], w[i], 1e-7);
    }
}
END_TEST

/* Ratios that follow a generalised Pareto law of shape k: its estimate has a standard error of (1 + k) / sqrt(M), M the
 * tail, pulled towards 0.5. */
START_TEST(khat_of_a_pareto_sample_is_its_shape) {
    enum { N = 40000 };
    static double r[N];
    static const double shapes[] = {-0.3, 0.1, 0.5, 0.7, 1, 1.5};
    for (uint32_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        for (uint32_t i = 0; i < N; i++) {
            Stream s = stream_at(19, i, k, 0);
            r[i] = log(expm1(-shapes[k] * log(stream_uniform(&s))) / shapes[k]);
        }
        double khat = psis_khat(scratch, r, N, NULL), error = (1 + fabs(shapes[k])) / sqrt(3 * sqrt(N));
        ck_assert_msg(fabs(khat - shapes[k]) < 4 * error, "shape %g: k-hat %g", shapes[k], khat);
    }
}
END_TEST

START_TEST(khat_at_the_edges) {
    double r[100], w[100];
    for (int i = 0; i < 100; i++) r[i] = 3;
    ck_assert_double_eq(psis_khat(scratch, r, 100, w), -INFINITY); /* the approximation is exact */
    ck_assert_double_eq_tol(w[7], -log(100), 1e-12);
    ck_assert_double_eq_tol(psis_ess(w, 100), 100, 1e-9);
    ck_assert_double_nan(psis_khat(scratch, r, 20, w));
    make_chains(r, 1, 100, 0.2, 0);
    for (int i = 0; i < 50; i++) r[i] = -INFINITY; /* weights of 0 are fine */
    ck_assert(isfinite(psis_khat(scratch, r, 100, w)));
    ck_assert_double_eq(w[3], -INFINITY);
    for (int i = 0; i < 95; i++) r[i] = -INFINITY; /* fewer weights than the tail has places */
    ck_assert(!isnan(psis_khat(scratch, r, 100, NULL)));
    r[4] = INFINITY;
    ck_assert_double_nan(psis_khat(scratch, r, 100, NULL));
    r[4] = NAN;
    ck_assert_double_nan(psis_khat(scratch, r, 100, w));
    for (int i = 0; i < 100; i++) r[i] = -INFINITY;
    ck_assert_double_nan(psis_khat(scratch, r, 100, NULL));
    ck_assert_double_eq_tol(psis_khat_limit(100), 0.5, 1e-15);
    ck_assert_double_eq_tol(psis_khat_limit(1000000), 0.7, 1e-15);
}
END_TEST

/* -- Moments and quantiles -- */

START_TEST(moments_come_online) {
    OnlineMoments m = {0};
    ck_assert_double_nan(moments_var(&m));
    for (int i = 1; i <= 5; i++) moments_add(&m, 1e9 + i);
    ck_assert_double_eq(m.mean, 1e9 + 3);
    ck_assert_double_eq(moments_var(&m), 2.5);
    ck_assert_double_eq_tol(moments_sd(&m), sqrt(2.5), 1e-15);
}
END_TEST

START_TEST(quantiles_are_of_type_7) {
    const double x[] = {5, 1, 4, 2};
    ck_assert_double_eq(quantile(scratch, x, 4, 0), 1);
    ck_assert_double_eq(quantile(scratch, x, 4, 0.5), 3);
    ck_assert_double_eq_tol(quantile(scratch, x, 4, 0.05), 1.15, 1e-15);
    ck_assert_double_eq_tol(quantile(scratch, x, 4, 0.9), 4.7, 1e-14);
    ck_assert_double_eq(quantile(scratch, x, 4, 1), 5);
    ck_assert_double_eq(quantile(scratch, x, 1, 0.3), 5);
    ck_assert_double_nan(quantile(scratch, x, 0, 0.5));
    ck_assert_double_nan(quantile(scratch, x, 4, 1.5));
    ck_assert_double_eq(quantile_sorted((const double[]){-INFINITY, 2, INFINITY, INFINITY}, 4, 0.9), INFINITY);
}
END_TEST

int main(void) {
    static const TTest *const *const tests[] = {
        &chains_agree_with_the_definitions, &independent_chains_look_converged, &chains_that_differ_are_noticed,
        &the_effective_size_of_an_autoregression, &chains_without_meaning_give_nan, &khat_agrees_with_the_definition,
        &khat_of_a_pareto_sample_is_its_shape, &khat_at_the_edges, &moments_come_online, &quantiles_are_of_type_7};
    Suite *suite = suite_create("diagnostics");
    TCase *tcase = tcase_create("diagnostics");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++) tcase_add_test(tcase, *tests[k]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
