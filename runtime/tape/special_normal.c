/* The normal distribution function, its logarithm and its inverse. */
#include <math.h>

#include <gsl/gsl_cdf.h>

#include "tape/special_internal.h"

static const double half_log_2pi = 0.91893853320467274178;

/* erfc(-x / sqrt 2) / 2. The rounding of x / sqrt 2 alone would cost x^2 ulps in the tail, so its error (by fma, with
 * sqrt(1/2) in two parts) is put back: erfc(t + e) = erfc(t) - 2/sqrt(pi) exp(-t^2) e. */
double special_normal_cdf(double x) {
    if (isnan(x)) return x;
    if (x < -39) return 0;
    if (x > 39) return 1;
    const double high = 0.70710678118654752440, low = -4.8336466567264567e-17;
    double t = -x * high, e = fma(-x, high, -t) - x * low;
    return 0.5 * (erfc(t) - M_2_SQRTPI * exp(-t * t) * e);
}

/* Below -37 by x^2/2 and the asymptotic series of Mills' ratio (Abramowitz and Stegun 26.2.12). */
double special_log_normal_cdf(double x) {
    if (isnan(x)) return x;
    if (x > -1) return log1p(-special_normal_cdf(-x));
    if (x > -37) return log(special_normal_cdf(x));
    double w = 1 / (x * x), term = 1, sum = 1;
    for (int k = 1; k < 12; k++) term *= -(2 * k - 1) * w, sum += term;
    return -0.5 * x * x - half_log_2pi - log(-x) + log(sum);
}

/* Wichura's AS 241 (GSL) to about 1e-15, then one step of Halley's method on Phi(x) = p in the tail where p, or 1 - p
 * (exact for p >= 1/2), is not rounded. */
double special_normal_icdf(double p) {
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    double tail = p < 0.5 ? p : 1 - p, x = gsl_cdf_ugaussian_Pinv(tail);
    if (tail > 1e-300) {
        double u = (special_normal_cdf(x) - tail) * exp(0.5 * x * x + half_log_2pi);
        x -= u / (1 + 0.5 * x * u);
    }
    return p < 0.5 ? x : -x;
}
