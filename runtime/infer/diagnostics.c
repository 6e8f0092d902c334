/* Convergence of chains and quantiles; psis.c has importance sampling.
 *
 * Vehtari, Gelman, Simpson, Carpenter, Buerkner, "Rank-normalization, folding, and localization: an improved R-hat"
 * (Bayesian Analysis 16, 2021), as in the R package posterior; autocovariances and truncation after Geyer (1992). */
#include "infer/diagnostics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_fft_halfcomplex.h>
#include <gsl/gsl_fft_real.h>

#include "base/arena.h"

/* -- Moments and quantiles -- */

void moments_add(OnlineMoments *m, double x) {
    m->n++;
    double d = x - m->mean;
    m->mean += d / (double)m->n;
    m->m2 += d * (x - m->mean);
}

double moments_var(const OnlineMoments *m) { return m->n < 2 ? NAN : m->m2 / (double)(m->n - 1); }

double moments_sd(const OnlineMoments *m) { return sqrt(moments_var(m)); }

static OnlineMoments moments_of(const double *x, int64_t n) {
    OnlineMoments m = {0};
    for (int64_t i = 0; i < n; i++) moments_add(&m, x[i]);
    return m;
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double quantile_sorted(const double *sorted, int64_t n, double p) {
    if (n < 1 || !(p >= 0 && p <= 1)) return NAN;
    double h = (double)(n - 1) * p;
    int64_t i = (int64_t)h;
    if (i >= n - 1) return sorted[n - 1];
    double part = h - (double)i;
    return part == 0 || sorted[i] == sorted[i + 1] ? sorted[i] : (1 - part) * sorted[i] + part * sorted[i + 1];
}

static double *sorted_copy(Arena *a, const double *x, int64_t n) {
    double *sorted = arena_copy(a, x, sizeof(double) * (size_t)n);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_doubles);
    return sorted;
}

double quantile(Arena *a, const double *draws, int64_t n, double p) {
    for (int64_t i = 0; i < n; i++) {
        if (isnan(draws[i])) return NAN;
    }
    if (n < 1) return NAN;
    ArenaMark mark = arena_mark(a);
    double q = quantile_sorted(sorted_copy(a, draws, n), n, p);
    arena_rewind(a, mark);
    return q;
}

/* -- Chains: split in halves, rank-normalised -- */

typedef struct Chains {
    double *x; /* [count][length] */
    int64_t count, length;
} Chains;

/* Each chain becomes two; the middle draw of an odd number is dropped. */
static Chains chains_split(Arena *a, const double *draws, int64_t nchains, int64_t ndraws) {
    int64_t half = ndraws / 2;
    Chains c = {ARENA_ARRAY(a, double, 2 * nchains * half), 2 * nchains, half};
    for (int64_t k = 0; k < nchains; k++) {
        const double *from = draws + k * ndraws;
        memcpy(c.x + 2 * k * half, from, sizeof(double) * (size_t)half);
        memcpy(c.x + (2 * k + 1) * half, from + (ndraws - half), sizeof(double) * (size_t)half);
    }
    return c;
}

/* All finite, and not all the same. */
static bool usable(const double *x, int64_t n) {
    bool varies = false;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i])) return false;
        varies = varies || x[i] != x[0];
    }
    return varies;
}

typedef struct Ranked {
    double value;
    int64_t place;
} Ranked;

static int compare_ranked(const void *a, const void *b) { return compare_doubles(a, b); }

/* Pooled ranks, ties averaged, through the normal quantile of (r - 3/8) / (S + 1/4) (Blom 1958), in place. */
static void rank_normalise(Arena *a, Chains c) {
    int64_t n = c.count * c.length;
    Ranked *r = ARENA_ARRAY(a, Ranked, n);
    for (int64_t i = 0; i < n; i++) r[i] = (Ranked){c.x[i], i};
    qsort(r, (size_t)n, sizeof *r, compare_ranked);
    for (int64_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && r[to].value == r[from].value;) to++;
        double rank = 0.5 * (double)(from + 1 + to);
        double z = gsl_cdf_ugaussian_Pinv((rank - 0.375) / ((double)n + 0.25));
        for (int64_t i = from; i < to; i++) c.x[r[i].place] = z;
    }
}

/* -- R-hat -- */

static double chains_rhat(Chains c) {
    OnlineMoments between = {0}, within = {0};
    for (int64_t k = 0; k < c.count; k++) {
        OnlineMoments m = moments_of(c.x + k * c.length, c.length);
        moments_add(&between, m.mean);
        moments_add(&within, moments_var(&m));
    }
    double n = (double)c.length;
    return sqrt(moments_var(&between) / within.mean + (n - 1) / n);
}

double rhat_plain(Arena *a, const double *draws, int64_t nchains, int64_t ndraws) {
    if (nchains < 1 || ndraws < 4 || !usable(draws, nchains * ndraws)) return NAN;
    ArenaMark mark = arena_mark(a);
    double r = chains_rhat(chains_split(a, draws, nchains, ndraws));
    arena_rewind(a, mark);
    return r;
}

double rhat(Arena *a, const double *draws, int64_t nchains, int64_t ndraws) {
    int64_t n = nchains * ndraws;
    if (nchains < 1 || ndraws < 4 || !usable(draws, n)) return NAN;
    ArenaMark mark = arena_mark(a);
    double median = quantile_sorted(sorted_copy(a, draws, n), n, 0.5), *folded = ARENA_ARRAY(a, double, n);
    for (int64_t i = 0; i < n; i++) folded[i] = fabs(draws[i] - median);
    Chains bulk = chains_split(a, draws, nchains, ndraws), tails = chains_split(a, folded, nchains, ndraws);
    rank_normalise(a, bulk);
    rank_normalise(a, tails);
    double r = fmax(chains_rhat(bulk), chains_rhat(tails)); /* fmax: folded draws may be all the same */
    arena_rewind(a, mark);
    return r;
}

/* -- Effective sample size -- */

/* Adds the biased autocovariances of x[n] to acov[n]: by FFT of the centred draws, padded with zeros to m >= 2n. */
static void add_autocovariance(const double *x, int64_t n, double *work, int64_t m, double *acov) {
    double mean = moments_of(x, n).mean;
    for (int64_t i = 0; i < m; i++) work[i] = i < n ? x[i] - mean : 0;
    gsl_fft_real_radix2_transform(work, 1, (size_t)m);
    for (int64_t i = 1; i < m / 2; i++) { /* real parts at i, imaginary parts at m - i */
        work[i] = work[i] * work[i] + work[m - i] * work[m - i];
        work[m - i] = 0;
    }
    work[0] *= work[0], work[m / 2] *= work[m / 2];
    gsl_fft_halfcomplex_radix2_inverse(work, 1, (size_t)m);
    for (int64_t i = 0; i < n; i++) acov[i] += work[i] / (double)n;
}

/* tau = -1 + 2 sum rho_t, with Geyer's initial positive and monotone sequence of the pairs rho_2k + rho_2k+1; rho is
 * overwritten. As in posterior::ess_basic. */
static double integrated_time(double *rho, int64_t n) {
    int64_t last = 0; /* the first lag of the last pair looked at */
    double even = rho[0], odd = rho[1];
    while (last < n - 5 && even + odd > 0) {
        last += 2;
        even = rho[last], odd = rho[last + 1];
    }
    double tail = even > 0 ? even : 0, sum = 0, pair = INFINITY;
    for (int64_t t = 0; t < last; t += 2) {
        pair = fmin(pair, rho[t] + rho[t + 1]);
        sum += pair;
    }
    if (last == 0) return tail; /* too short for a pair */
    return -1 + 2 * sum + tail;
}

static double chains_ess(Arena *a, Chains c) {
    int64_t n = c.length, m = 2;
    while (m < 2 * n) m *= 2;
    double *work = ARENA_ARRAY(a, double, m), *acov = ARENA_ARRAY(a, double, n);
    OnlineMoments means = {0};
    for (int64_t k = 0; k < c.count; k++) {
        moments_add(&means, moments_of(c.x + k * n, n).mean);
        add_autocovariance(c.x + k * n, n, work, m, acov);
    }
    for (int64_t t = 0; t < n; t++) acov[t] /= (double)c.count;
    double within = acov[0] * (double)n / (double)(n - 1), var_plus = acov[0] + moments_var(&means);
    for (int64_t t = 0; t < n; t++) acov[t] = t == 0 ? 1 : 1 - (within - acov[t]) / var_plus;
    double total = (double)(c.count * n);
    return total / fmax(integrated_time(acov, n), 1 / log10(total));
}

double ess_mean(Arena *a, const double *draws, int64_t nchains, int64_t ndraws) {
    if (nchains < 1 || ndraws < 6 || !usable(draws, nchains * ndraws)) return NAN;
    ArenaMark mark = arena_mark(a);
    double ess = chains_ess(a, chains_split(a, draws, nchains, ndraws));
    arena_rewind(a, mark);
    return ess;
}

double ess_bulk(Arena *a, const double *draws, int64_t nchains, int64_t ndraws) {
    if (nchains < 1 || ndraws < 6 || !usable(draws, nchains * ndraws)) return NAN;
    ArenaMark mark = arena_mark(a);
    Chains c = chains_split(a, draws, nchains, ndraws);
    rank_normalise(a, c);
    double ess = chains_ess(a, c);
    arena_rewind(a, mark);
    return ess;
}

double ess_tail(Arena *a, const double *draws, int64_t nchains, int64_t ndraws) {
    int64_t n = nchains * ndraws;
    if (nchains < 1 || ndraws < 6 || !usable(draws, n)) return NAN;
    ArenaMark mark = arena_mark(a);
    double *sorted = sorted_copy(a, draws, n), *below = ARENA_ARRAY(a, double, n), ess = NAN;
    for (int side = 0; side < 2; side++) {
        double q = quantile_sorted(sorted, n, side == 0 ? 0.05 : 0.95);
        for (int64_t i = 0; i < n; i++) below[i] = draws[i] <= q;
        ess = fmin(ess, ess_mean(a, below, nchains, ndraws)); /* fmin: a NaN gives way */
    }
    arena_rewind(a, mark);
    return ess;
}

double mcse_mean(Arena *a, const double *draws, int64_t nchains, int64_t ndraws) {
    OnlineMoments m = moments_of(draws, nchains < 1 || ndraws < 1 ? 0 : nchains * ndraws);
    return moments_sd(&m) / sqrt(ess_mean(a, draws, nchains, ndraws));
}
