/* Pareto-smoothed importance sampling: Vehtari, Simpson, Gelman, Yao, Gabry (JMLR 2024), with the generalised Pareto
 * fit of Zhang and Stephens (Technometrics 51, 2009) and the weak prior on k of the R package loo. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "infer/diagnostics.h"

typedef struct Tail {
    double value; /* log weight, the largest being 0 */
    int64_t place;
} Tail;

static int compare_tail(const void *a, const void *b) {
    const Tail *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

static double log_sum_exp(const double *x, int64_t n) {
    double high = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++) high = fmax(high, x[i]);
    for (int64_t i = 0; i < n; i++) sum += exp(x[i] - high);
    return high + log(sum);
}

/* k(theta) = mean log(1 - theta e): the shape that goes with theta = -k / sigma. */
static double pareto_shape(const double *e, int64_t n, double theta) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += log1p(-theta * e[i]);
    return sum / (double)n;
}

/* Shape and scale of a generalised Pareto law from its exceedances e[n], ascending, e[n-1] > 0. theta is its posterior
 * mean over a grid about the quartile; where ties put the quartile at 0, about the least positive exceedance. */
static void pareto_fit(Arena *a, const double *e, int64_t n, double *shape, double *scale) {
    int64_t m = 30 + (int64_t)sqrt((double)n), quartile = (int64_t)((double)n / 4 + 0.5) - 1;
    while (quartile < n - 1 && !(e[quartile] > 0)) quartile++;
    double *theta = ARENA_ARRAY(a, double, m), *score = ARENA_ARRAY(a, double, m), mean = 0;
    for (int64_t j = 0; j < m; j++) {
        theta[j] = 1 / e[n - 1] + (1 - sqrt((double)m / ((double)j + 0.5))) / (3 * e[quartile]);
        double k = pareto_shape(e, n, theta[j]);
        score[j] = (double)n * (log(-theta[j] / k) - k - 1);
    }
    double norm = log_sum_exp(score, m);
    for (int64_t j = 0; j < m; j++) mean += theta[j] * exp(score[j] - norm);
    double k = pareto_shape(e, n, mean);
    *scale = -k / mean;
    *shape = ((double)n * k + 5) / ((double)n + 10);
}

/* The i-th of n expected order statistics of the law. */
static double pareto_quantile(int64_t i, int64_t n, double shape, double scale) {
    double l = log1p(-((double)i + 0.5) / (double)n);
    return fabs(shape) < 1e-12 ? -scale * l : scale * expm1(-shape * l) / shape;
}

/* Fits the tail of lw[n] (largest 0) and, when `smoothed`, replaces it in lw. */
static double smooth_tail(Arena *a, double *lw, int64_t n, int smoothed) {
    int64_t m = (int64_t)ceil(fmin(0.2 * (double)n, 3 * sqrt((double)n)));
    if (n < PSIS_FEWEST) return NAN; /* m < 5 */
    Tail *all = ARENA_ARRAY(a, Tail, n);
    for (int64_t i = 0; i < n; i++) all[i] = (Tail){lw[i], i};
    qsort(all, (size_t)n, sizeof *all, compare_tail);
    const Tail *tail = all + (n - m);
    double cutoff = exp(tail[-1].value), *e = ARENA_ARRAY(a, double, m), shape, scale;
    if (tail[m - 1].value - tail[0].value < 1e-10) return -INFINITY;
    for (int64_t i = 0; i < m; i++) e[i] = exp(tail[i].value) - cutoff;
    pareto_fit(a, e, m, &shape, &scale);
    for (int64_t i = 0; smoothed && isfinite(shape) && i < m; i++) {
        lw[tail[i].place] = fmin(0, log(cutoff + pareto_quantile(i, m, shape, scale)));
    }
    return shape;
}

double psis_khat(Arena *a, const double *log_ratios, int64_t n, double *smoothed) {
    if (n < 1) return NAN;
    ArenaMark mark = arena_mark(a);
    double *lw = arena_copy(a, log_ratios, sizeof(double) * (size_t)n), high = -INFINITY, khat = NAN;
    int usable = 1;
    for (int64_t i = 0; i < n; i++) {
        usable = usable && lw[i] < INFINITY; /* false for NaN too */
        high = fmax(high, lw[i]);
    }
    for (int64_t i = 0; i < n; i++) lw[i] -= high;
    if (usable && high > -INFINITY) khat = smooth_tail(a, lw, n, smoothed != NULL);
    if (smoothed) {
        double norm = log_sum_exp(lw, n);
        for (int64_t i = 0; i < n; i++) smoothed[i] = lw[i] - norm;
    }
    arena_rewind(a, mark);
    return khat;
}

double psis_khat_limit(int64_t n) { return n < 2 ? -INFINITY : fmin(1 - 1 / log10((double)n), 0.7); }

double psis_ess(const double *log_weights, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += exp(2 * log_weights[i]);
    return 1 / sum;
}
