/* Samplers against their laws. Seeds are fixed, so these tests either pass or fail for good; the bounds are such that a
 * right sampler would fail one of them with probability 1e-6. Implicit gradients against differences of quantiles. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_sf_bessel.h>

#include "tape/draws.h"
#include "tape/special.h"
#include "suite.h"

enum { DRAWS = 20000 };
#define FAILURE 1e-6

static int compare(const void *a, const void *b) {
    real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov and Smirnov: u should be uniform. P(sqrt n D > c) <= 2 exp(-2 c^2) (Massart 1990). */
static void check_uniform(real *u, int n, const char *what, real parameter) {
    real d = 0;
    qsort(u, (size_t)n, sizeof *u, compare);
    for (int i = 0; i < n; i++) d = fmax(d, fmax(u[i] - (real)i / n, (real)(i + 1) / n - u[i]));
    real limit = sqrt(-0.5 * log(FAILURE / 2) / n);
    ck_assert_msg(d < limit, "%s(%g): the KS distance %g is above %g", what, parameter, d, limit);
}

/* -- Gamma -- */

static const real shapes[] = {1e-3, 0.05, 0.4, 1, 1.7, 12, 900, 1e6, 1e12};

START_TEST(gamma_draws_follow_their_law) {
    static real u[DRAWS];
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        real a = shapes[k];
        for (uint32_t i = 0; i < DRAWS; i++) {
            Stream s = stream_at(11, i, (uint32_t)k, 0), t = s;
            real x = draw_gamma_std(&s, a), logx = draw_log_gamma_std(&t, a);
            ck_assert_double_eq(x, exp(logx));
            /* P(a, x) = x^a / Gamma(1 + a) where x underflows */
            u[i] = x > 0 ? special_gamma_p(a, x) : exp(a * logx - special_lgamma_diff(1, a));
        }
        check_uniform(u, DRAWS, "gamma", a);
    }
}
END_TEST

/* log of the quantile of p, by Newton's method in log x in the smaller tail. */
static real log_gamma_quantile(real a, real p, real u) {
    for (int k = 0; k < 100; k++) {
        real x = exp(u), error = p < 0.5 ? special_gamma_p(a, x) - p : (1 - p) - special_gamma_q(a, x);
        real step = error / exp(a * u - x - special_lgamma(a));
        u -= fmax(fmin(step, 1), -1);
        if (fabs(step) < 1e-15) break;
    }
    return u;
}

START_TEST(implicit_gamma_gradients_match_the_quantile_function) {
    static const real a_values[] = {0.02, 0.3, 0.99, 1, 2.5, 8, 40, 300}, p_values[] = {0.01, 0.2, 0.5, 0.9, 0.9999};
    for (size_t i = 0; i < sizeof a_values / sizeof *a_values; i++) {
        for (size_t j = 0; j < sizeof p_values / sizeof *p_values; j++) {
            real a = a_values[i], p = p_values[j], h = 2e-3 * fmin(a, sqrt(a));
            real start = log(gsl_cdf_gamma_Pinv(p, a, 1)), q[5];
            if (!(start > -500)) start = log(p) / a;
            for (int k = -2; k <= 2; k++) q[k + 2] = log_gamma_quantile(a + k * h, p, start);
            real slope = (q[0] - 8 * q[1] + 8 * q[3] - q[4]) / (12 * h), logx = q[2];
            ck_assert_double_eq_tol(special_log_gamma_draw_grad(a, logx) / slope, 1, 1e-8);
            ck_assert_double_eq_tol(special_gamma_draw_grad(a, exp(logx)) / (exp(logx) * slope), 1, 1e-8);
        }
    }
}
END_TEST

/* d/da E[f(x)] by implicit differentiation of draws: E[log x] has derivative trigamma(a). */
START_TEST(implicit_gradients_estimate_the_derivative_of_a_mean) {
    static const real a_values[] = {0.01, 0.7, 30};
    for (size_t k = 0; k < sizeof a_values / sizeof *a_values; k++) {
        real a = a_values[k], sum = 0, squares = 0;
        for (uint32_t i = 0; i < DRAWS; i++) {
            Stream s = stream_at(5, i, (uint32_t)k, 0);
            real g = special_log_gamma_draw_grad(a, draw_log_gamma_std(&s, a));
            sum += g, squares += g * g;
        }
        real mean = sum / DRAWS, error = sqrt((squares / DRAWS - mean * mean) / DRAWS);
        ck_assert_double_eq_tol(mean, special_trigamma(a), 5 * error); /* 5 standard errors: 6e-7 */
    }
}
END_TEST

/* -- Counts -- */

typedef struct Counts {
    real (*draw)(Stream *, real, real);
    real (*cdf)(real, real, real); /* P(X <= k) */
    real a, b, mean, sd;
    const char *what;
} Counts;

static real poisson_draw(Stream *s, real rate, real b) { (void)b; return draw_poisson(s, rate); }
static real poisson_cdf(real k, real rate, real b) { (void)b; return k < 0 ? 0 : special_gamma_q(k + 1, rate); }
static real binomial_cdf(real k, real n, real p) {
    return k < 0 ? 0 : k >= n ? 1 : special_beta_i(n - k, k + 1, 1 - p);
}

/* Chi-square over cells about a quarter of a standard deviation wide, those that expect fewer than 10 joined. */
static void check_counts(Counts c) {
    enum { CELLS = 49 };
    static real x[DRAWS];
    for (uint32_t i = 0; i < DRAWS; i++) {
        Stream s = stream_at(23, i, 0, 0);
        x[i] = c.draw(&s, c.a, c.b);
        ck_assert_msg(x[i] >= 0 && x[i] == floor(x[i]), "%s(%g, %g) gave %g", c.what, c.a, c.b, x[i]);
    }
    qsort(x, DRAWS, sizeof *x, compare);
    real chi2 = 0, low = 0, expected = 0, seen = 0;
    int at = 0, cells = 0;
    for (int k = 0; k <= CELLS; k++) {
        real edge = k < CELLS ? floor(c.mean + (k - CELLS / 2) * 0.25 * c.sd) : INFINITY;
        real high = k < CELLS ? c.cdf(edge, c.a, c.b) : 1;
        for (; at < DRAWS && x[at] <= edge; at++) seen++;
        expected += DRAWS * (high - low), low = high;
        if (expected < 10 || (k < CELLS && DRAWS * (1 - high) < 10)) continue;
        chi2 += (seen - expected) * (seen - expected) / expected;
        cells++, seen = expected = 0;
    }
    if (expected > 0) chi2 += (seen - expected) * (seen - expected) / expected; /* a rest, expects less: harmless */
    real limit = gsl_cdf_chisq_Qinv(FAILURE, fmax(cells - 1, 1));
    ck_assert_msg(chi2 < limit, "%s(%g, %g): chi-square %g of %d cells is above %g", c.what, c.a, c.b, chi2, cells,
                  limit);
}

START_TEST(poisson_draws_follow_their_law) {
    static const real rates[] = {0.02, 0.8, 4, 9.99, 10, 37, 1000, 3e5, 5e9, 1e12};
    for (size_t k = 0; k < sizeof rates / sizeof *rates; k++) {
        real rate = rates[k];
        check_counts((Counts){poisson_draw, poisson_cdf, rate, 0, rate, sqrt(rate), "poisson"});
    }
}
END_TEST

/* At 1e15 the law is normal to 1e-8. */
START_TEST(poisson_draws_at_a_huge_rate_are_normal) {
    static real u[DRAWS];
    for (uint32_t i = 0; i < DRAWS; i++) {
        Stream s = stream_at(3, i, 0, 0);
        u[i] = special_normal_cdf((draw_poisson(&s, 1e15) + 0.5 - 1e15) / sqrt(1e15));
    }
    check_uniform(u, DRAWS, "poisson", 1e15);
}
END_TEST

START_TEST(binomial_draws_follow_their_law) {
    static const real cases[][2] = {{1, 0.3},   {5, 0.5},    {40, 0.02}, {40, 0.97},   {25, 0.4},    {30, 0.5},
                                    {300, 0.1}, {1000, 0.8}, {1e6, 0.3}, {1e10, 1e-7}, {1e12, 0.25}, {1e15, 5e-15}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        real n = cases[k][0], p = cases[k][1];
        check_counts((Counts){draw_binomial, binomial_cdf, n, p, n * p, sqrt(n * p * (1 - p)), "binomial"});
    }
}
END_TEST

START_TEST(small_counts_have_exact_frequencies) {
    enum { TOP = 40 };
    for (int kind = 0; kind < 2; kind++) {
        int seen[TOP] = {0};
        for (uint32_t i = 0; i < DRAWS; i++) {
            Stream s = stream_at(77, i, (uint32_t)kind, 0);
            real x = kind == 0 ? draw_poisson(&s, 12) : draw_binomial(&s, 39, 0.35);
            seen[(int)fmin(x, TOP - 1)]++;
        }
        real chi2 = 0;
        int cells = 0;
        for (unsigned k = 0; k < TOP; k++) {
            real expected = DRAWS * (kind == 0 ? gsl_ran_poisson_pdf(k, 12) : gsl_ran_binomial_pdf(k, 0.35, 39));
            if (expected < 8) continue;
            chi2 += (seen[k] - expected) * (seen[k] - expected) / expected;
            cells++;
        }
        ck_assert_double_lt(chi2, gsl_cdf_chisq_Qinv(FAILURE, cells));
    }
}
END_TEST

/* -- The circle and categories -- */

static real von_mises_density(real x, real kappa) {
    return exp(kappa * (cos(x) - 1)) / (2 * M_PI * gsl_sf_bessel_I0_scaled(kappa));
}

/* The distribution function by Simpson's rule from draw to draw. */
START_TEST(von_mises_draws_follow_their_law) {
    static const real kappas[] = {0, 1e-5, 0.3, 2, 40, 5e3};
    static real x[DRAWS], u[DRAWS];
    for (size_t k = 0; k < sizeof kappas / sizeof *kappas; k++) {
        real kappa = kappas[k], below = 0, last = -M_PI;
        for (uint32_t i = 0; i < DRAWS; i++) {
            Stream s = stream_at(9, i, (uint32_t)k, 0);
            x[i] = draw_von_mises(&s, kappa);
            ck_assert(x[i] > -M_PI && x[i] <= M_PI);
        }
        qsort(x, DRAWS, sizeof *x, compare);
        for (int i = 0; i < DRAWS; i++) {
            int steps = i == 0 ? 20000 : 20;
            real h = (x[i] - last) / steps;
            for (int j = 0; j < steps; j++) {
                real from = last + j * h;
                below += h / 6 * (von_mises_density(from, kappa) + 4 * von_mises_density(from + h / 2, kappa)
                                  + von_mises_density(from + h, kappa));
            }
            u[i] = below, last = x[i];
        }
        check_uniform(u, DRAWS, "von_mises", kappa);
    }
    for (uint32_t i = 0; i < DRAWS; i++) {
        Stream s = stream_at(10, i, 0, 0);
        u[i] = special_normal_cdf(draw_von_mises(&s, 1e12) * 1e6);
    }
    check_uniform(u, DRAWS, "von_mises", 1e12);
}
END_TEST

START_TEST(categories_come_with_their_probabilities) {
    const real logits[] = {1000, 99, 1001, 99, -INFINITY, 99, 999, 99}; /* every second one counts */
    const real p[] = {1 / (1 + M_E + 1 / M_E), M_E / (1 + M_E + 1 / M_E), 0, 1 / M_E / (1 + M_E + 1 / M_E)};
    int seen[5] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        Stream s = stream_at(31, i, 0, 0);
        seen[(int)draw_categorical(&s, logits, 4, 2)]++;
    }
    ck_assert_int_eq(seen[0] + seen[3], 0);
    for (int k = 0; k < 4; k++) { /* 5 standard errors: 6e-7 */
        ck_assert_double_le(fabs(seen[k + 1] - DRAWS * p[k]), 5 * sqrt(DRAWS * p[k] * (1 - p[k])));
    }
}
END_TEST

/* -- What is impossible -- */

START_TEST(impossible_parameters_give_nan) {
    Stream s = stream_at(1, 0, 0, 0);
    ck_assert_double_nan(draw_gamma_std(&s, 0));
    ck_assert_double_nan(draw_gamma_std(&s, INFINITY));
    ck_assert_double_nan(draw_log_gamma_std(&s, NAN));
    ck_assert_double_nan(draw_poisson(&s, -1));
    ck_assert_double_nan(draw_poisson(&s, INFINITY));
    ck_assert_double_nan(draw_binomial(&s, 2.5, 0.5));
    ck_assert_double_nan(draw_binomial(&s, 3, 1.5));
    ck_assert_double_nan(draw_binomial(&s, NAN, 0.5));
    ck_assert_double_nan(draw_von_mises(&s, -1));
    ck_assert_double_nan(draw_categorical(&s, (real[]){0, NAN}, 2, 1));
    ck_assert_double_nan(draw_categorical(&s, (real[]){-INFINITY, -INFINITY}, 2, 1));
    ck_assert_double_eq(draw_poisson(&s, 0), 0);
    ck_assert_double_eq(draw_binomial(&s, 7, 1), 7);
    ck_assert_double_eq(draw_binomial(&s, 0, 0.5), 0);
}
END_TEST

int main(void) {
    static const TTest *const *const tests[] = {
        &gamma_draws_follow_their_law, &implicit_gamma_gradients_match_the_quantile_function,
        &implicit_gradients_estimate_the_derivative_of_a_mean, &poisson_draws_follow_their_law,
        &poisson_draws_at_a_huge_rate_are_normal, &binomial_draws_follow_their_law,
        &small_counts_have_exact_frequencies, &von_mises_draws_follow_their_law,
        &categories_come_with_their_probabilities, &impossible_parameters_give_nan};
    Suite *suite = suite_create("draws");
    TCase *tcase = tcase_create("draws");
    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++) tcase_add_test(tcase, *tests[k]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
