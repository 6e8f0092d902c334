/* Samplers on a stream. GSL's would do for small parameters only: its gamma sampler builds on a normal of 24 random
 * bits, its Poisson and binomial count in unsigned int (rates and n beyond 4e9 come out wrong), and it has no von
 * Mises. */
#include "tape/draws.h"

#include <math.h>

#include "tape/special_internal.h"

/* -- Gamma -- */

/* Marsaglia and Tsang, ACM TOMS 26 (2000), for shape >= 1: the logarithm of a draw. */
static double log_gamma_large(Stream *s, double shape) {
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double z = stream_normal(s), v = 1 + c * z;
        if (v <= 0) continue;
        double u = stream_uniform(s), z2 = z * z, log_v = 3 * log(v);
        v = v * v * v;
        if (u < 1 - 0.0331 * z2 * z2 || log(u) < 0.5 * z2 + d * (1 - v + log_v)) return log(d) + log_v;
    }
}

/* Below 1: Gamma(a + 1) U^(1/a) is Gamma(a). */
double draw_log_gamma_std(Stream *s, double shape) {
    if (!(shape > 0) || isinf(shape)) return NAN;
    if (shape >= 1) return log_gamma_large(s, shape);
    double log_u = log(stream_uniform(s));
    return log_gamma_large(s, shape + 1) + log_u / shape;
}

double draw_gamma_std(Stream *s, double shape) { return exp(draw_log_gamma_std(s, shape)); }

/* -- Counts -- */

/* log of the Poisson probability of k >= 1: the gamma kernel, which loses nothing at 1e15. */
static double log_poisson(double k, double rate) { return special_log_gamma_kernel(k, rate) - log(k); }

/* Hoermann, "The transformed rejection method for generating Poisson random variables" (1993), algorithm PTRS. */
static double poisson_large(Stream *s, double rate) {
    double b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b;
    double inv_alpha = 1.1239 + 1.1328 / (b - 3.4), vr = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = stream_uniform(s) - 0.5, v = stream_uniform(s), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= vr) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        double target = k == 0 ? -rate : log_poisson(k, rate);
        if (log(v * inv_alpha / (a / (us * us) + b)) <= target) return k;
    }
}

double draw_poisson(Stream *s, double rate) {
    if (!(rate >= 0) || isinf(rate)) return NAN;
    if (rate >= 10) return poisson_large(s, rate);
    double u = stream_uniform(s), p = exp(-rate), k = 0; /* inversion, from 0 up */
    while (u > p && p > 0) {
        u -= p;
        k += 1;
        p *= rate / k;
    }
    return k;
}

/* log of the binomial probability of k: C(n, k) = n / (k (n-k) B(k, n-k)), so p^k q^(n-k) / B(k, n-k), the beta kernel,
 * gives it without a difference of large numbers. */
static double log_binomial(double k, double n, double p, double q) {
    if (k == 0) return n * log1p(-p);
    if (k == n) return n * log(p);
    return special_log_beta_kernel(k, n - k, p, q) + log(n / (k * (n - k)));
}

/* Hoermann, "The generation of binomial random variates" (1993), algorithm BTRS, for n p >= 10, p <= 1/2. */
static double binomial_large(Stream *s, double n, double p) {
    double q = 1 - p, spq = sqrt(n * p * q), b = 1.15 + 2.53 * spq, a = -0.0873 + 0.0248 * b + 0.01 * p;
    double c = n * p + 0.5, vr = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spq, mode = floor((n + 1) * p);
    double log_mode = log_binomial(mode, n, p, q);
    for (;;) {
        double u = stream_uniform(s) - 0.5, v = stream_uniform(s), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + c);
        if (k < 0 || k > n) continue;
        if (us >= 0.07 && v <= vr) return k;
        if (log(v * alpha / (a / (us * us) + b)) <= log_binomial(k, n, p, q) - log_mode) return k;
    }
}

double draw_binomial(Stream *s, double n, double p) {
    if (!(n >= 0 && p >= 0 && p <= 1) || n != floor(n) || isinf(n)) return NAN;
    if (n == 0 || p == 0) return 0;
    if (p > 0.5) return n - draw_binomial(s, n, 1 - p);
    if (n * p >= 10) return binomial_large(s, n, p);
    double u = stream_uniform(s), odds = p / (1 - p), prob = exp(n * log1p(-p)), k = 0;
    while (u > prob && k < n && prob > 0) {
        u -= prob;
        k += 1;
        prob *= odds * ((n - k + 1) / k);
    }
    return k;
}

/* -- The circle -- */

/* Best and Fisher, Applied Statistics 28 (1979): rejection from a wrapped Cauchy. Beyond 1e8 the law is N(0, 1/kappa)
 * to 1e-9 and the cosine has no digits left; below 1e-8 it is uniform to 1e-8. */
double draw_von_mises(Stream *s, double kappa) {
    if (!(kappa >= 0)) return NAN;
    if (kappa < 1e-8) return M_PI * (2 * stream_uniform(s) - 1);
    if (kappa > 1e8) return stream_normal(s) / sqrt(kappa);
    double tau = 1 + sqrt(1 + 4 * kappa * kappa);
    double rho = 2 * kappa / (tau + sqrt(2 * tau)); /* (tau - sqrt(2 tau)) / (2 kappa), without cancellation */
    double r = (1 + rho * rho) / (2 * rho);
    for (;;) {
        double z = cos(M_PI * stream_uniform(s)), f = (1 + r * z) / (r + z), c = kappa * (r - f);
        double u = stream_uniform(s);
        if (c * (2 - c) < u && log(c / u) + 1 < c) continue;
        double angle = acos(fmin(fmax(f, -1), 1));
        return stream_uniform(s) < 0.5 ? angle : -angle;
    }
}

/* -- Categories -- */

double draw_categorical(Stream *s, const real *logits, int64_t K, int64_t stride) {
    double high = -INFINITY, total = 0;
    for (int64_t k = 0; k < K; k++) {
        if (isnan(logits[k * stride])) return NAN;
        high = fmax(high, logits[k * stride]);
    }
    if (isinf(high)) return NAN;
    for (int64_t k = 0; k < K; k++) total += exp(logits[k * stride] - high);
    double u = stream_uniform(s) * total;
    int64_t last = 0; /* the last one possible, where rounding leaves u beyond the sum */
    for (int64_t k = 0; k < K; k++) {
        double weight = exp(logits[k * stride] - high);
        if (weight == 0) continue;
        last = k;
        if ((u -= weight) < 0) break;
    }
    return (double)(last + 1);
}
