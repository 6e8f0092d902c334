/* Diagnostics of draws: how far a sample or an approximation can be trusted. Plain arrays of doubles, no state.
 *
 * `a` is for scratch: what is taken of it is given back. Chains are given as draws[chain * ndraws + draw]. Draws that are not finite, or all the same, give NaN where a
 * number would mean nothing.
 */
#ifndef INFER_DIAGNOSTICS_H
#define INFER_DIAGNOSTICS_H

#include <stdint.h>

#include "base/arena.h"

/* Pareto-smoothed importance sampling (Vehtari et al. 2024). log_ratios[n] = log p - log q of the n draws, up to a
 * constant. Gives the shape k-hat of the tail: below 0.5 good, below 0.7 usable, above 0.7 unreliable; -inf when the
 * largest ratios are all equal (nothing to smooth), NaN when there are fewer than PSIS_FEWEST or not all are less
 * than inf (-inf is a weight of 0). `smoothed`: n smoothed log weights, normalised so that their exponentials sum to 1,
 * in the order given; or NULL. It may be log_ratios itself. */
enum { PSIS_FEWEST = 21 };
double psis_khat(Arena *a, const double *log_ratios, int64_t n, double *smoothed);

/* Reading k-hat by sample size: the limit min(1 - 1 / log10 n, 0.7). */
double psis_khat_limit(int64_t n);

/* 1 / sum w^2 of normalised log weights. */
double psis_ess(const double *log_weights, int64_t n);

/* Effective sample sizes and R-hat of split chains (Vehtari, Gelman, Simpson, Carpenter, Buerkner 2021). */
double ess_mean(Arena *a, const double *draws, int64_t nchains, int64_t ndraws); /* of the draws as they are */
double ess_bulk(Arena *a, const double *draws, int64_t nchains, int64_t ndraws); /* rank-normalised */
double ess_tail(Arena *a, const double *draws, int64_t nchains, int64_t ndraws); /* of the 5% and 95% quantiles: the smaller */
double rhat(Arena *a, const double *draws, int64_t nchains, int64_t ndraws);     /* rank-normalised: the larger of bulk, folded */
double rhat_plain(Arena *a, const double *draws, int64_t nchains, int64_t ndraws); /* split, of the draws as they are */

double mcse_mean(Arena *a, const double *draws, int64_t nchains, int64_t ndraws); /* Monte Carlo standard error of the mean */

/* Quantile of n draws, type 7 (R's and NumPy's default). The second takes them sorted. NaN among them or n = 0: NaN. */
double quantile(Arena *a, const double *draws, int64_t n, double p);
double quantile_sorted(const double *sorted, int64_t n, double p);

/* Mean and variance as the numbers come (Welford 1962). Start from {0}. */
typedef struct OnlineMoments {
    int64_t n;
    double mean, m2;
} OnlineMoments;
void moments_add(OnlineMoments *m, double x);
double moments_var(const OnlineMoments *m); /* divided by n - 1; NaN for n < 2 */
double moments_sd(const OnlineMoments *m);

#endif
