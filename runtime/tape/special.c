/* Gamma and its relatives, Bessel ratios, logarithms of sums. The base is GSL and libm; own code stands where they lose
 * digits (measured against 50-digit values), with its source. */
#include "tape/special.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include <gsl/gsl_errno.h>
#include <gsl/gsl_sf_bessel.h>
#include <gsl/gsl_sf_log.h>
#include <gsl/gsl_sf_psi.h>

#include "tape/special_internal.h"

/* GSL's functions call its error handler even for an underflow, through the _e functions too, and the default handler
 * aborts. The handler is process-wide: it is switched off before main, where no thread can be in the way. */
__attribute__((constructor)) static void gsl_errors_off(void) { gsl_set_error_handler_off(); }

/* -- Shared pieces -- */

/* Abramowitz and Stegun 6.1.40: sum B_2k / (2k (2k-1) x^(2k-1)); at x = 10 the eighth term is 3e-17. */
static const double stirling[] = {1.0 / 12,    -1.0 / 360,      1.0 / 1260, -1.0 / 1680,
                                5.0 / 5940,  -691.0 / 360360, 1.0 / 156,  -3617.0 / 122400};

double special_stirling(double x) {
    double w = 1 / (x * x), sum = 0;
    for (int k = 7; k >= 0; k--) sum = sum * w + stirling[k];
    return sum / x;
}

double special_log1p_minus(double z) {
    if (z <= -1 || isnan(z)) return z == -1 ? -INFINITY : NAN;
    if (fabs(z) > 0.5) return log1p(z) - z;
    gsl_sf_result r;
    return gsl_sf_log_1plusx_mx_e(z, &r) == GSL_SUCCESS ? r.val : log1p(z) - z;
}

double special_expm1_minus(double v) {
    if (fabs(v) > 0.1) return expm1(v) - v;
    double sum = 1;
    for (int k = 11; k >= 3; k--) sum = 1 + v / k * sum;
    return v * v / 2 * sum;
}

/* -- lgamma -- */

/* libm's is accurate relative to the value near 1 and 2 (GSL's is not everywhere); lgamma itself writes the global
 * signgam, lgamma_r does not. */
double special_lgamma(double x) {
    int sign;
    return lgamma_r(x, &sign);
}

/* sum over k of c_k (y^-(first + 2k) - x^-(first + 2k)), y = x + d, with every difference a multiple of d. */
static double power_diff(double x, double d, const double *c, int n, int first) {
    double p = 1 / x, q = 1 / (x + d), step = -d * p * q, square = step * (p + q);
    double power = first == 1 ? p : p * p, diff = first == 1 ? step : square, sum = 0;
    for (int k = 0; k < n; k++) {
        sum += c[k] * diff;
        diff = q * q * diff + power * square;
        power *= p * p;
    }
    return sum;
}

/* Large x: the difference of Stirling's formulas, with the large terms combined by hand. Small x and d: the recurrence
 * Gamma(x + 1) = x Gamma(x) carries both arguments up, log((x+d)/x) = log1p(d/x). */
double special_lgamma_diff(double x, double d) {
    if (isnan(x) || isnan(d) || !(x > 0) || !(x + d > 0)) return NAN;
    if (d == 0) return 0;
    if (isinf(x) || isinf(d)) return isinf(x) && d < 0 ? -INFINITY : INFINITY;
    if (fabs(d) > 1 && (x < 10 || x + d < 10)) return special_lgamma(x + d) - special_lgamma(x);
    double shift = 0;
    while (x < 10 || x + d < 10) shift += log1p(d / x), x += 1;
    double y = x + d, tail = power_diff(x, d, stirling, 8, 1);
    if (fabs(d) <= x / 2) return (x - 0.5) * special_log1p_minus(d / x) - 0.5 * d / x + d * log(y) + tail - shift;
    return (x - 0.5) * log1p(d / x) + d * (log(y) - 1) + tail - shift;
}

/* Didonato and Morris, ACM TOMS 708 (1992), BETALN: never the difference of two large lgammas. */
double special_lbeta(double a, double b) {
    if (isnan(a) || isnan(b) || a < 0 || b < 0) return NAN;
    double p = fmin(a, b), q = fmax(a, b);
    if (p == 0) return INFINITY;
    if (isinf(q)) return -INFINITY;
    if (q < 10) return special_lgamma(p) + (special_lgamma(q) - special_lgamma(p + q));
    if (p < 10) return special_lgamma(p) - special_lgamma_diff(q, p);
    double correction = special_stirling(p) + special_stirling(q) - special_stirling(p + q);
    return -0.5 * log(q) + 0.5 * log(2 * M_PI) + correction - (p - 0.5) * log1p(q / p) - q * log1p(p / q);
}

/* -- digamma and its derivatives -- */

/* On [1, 2], with the zero in three parts: J. Maddock, Boost.Math 1.35 (digamma.hpp, 53 bits, error 1e-17), Boost
 * Software License. GSL's digamma is accurate only absolutely near the zero 1.4616. */
static double digamma_1_2(double x) {
    static const double P[] = {0.25479851061131551,   -0.32555031186804491,   -0.65031853770896507,
                             -0.28919126444774784,  -0.045251321448739056,  -0.0020713321167745952};
    static const double Q[] = {1,                     2.0767117023730469,     1.4606242909763515,   0.43593529692665969,
                             0.054151797245674225,  0.0021284987017821144,  -0.55789841321675513e-6};
    double g = x - 1569415565.0 / 1073741824.0;
    g -= 381566830.0 / 1073741824.0 / 1073741824.0;
    g -= 0.9016312093258695918615325266959189453125e-19;
    double z = x - 1, p = 0, q = 0;
    for (int k = 5; k >= 0; k--) p = p * z + P[k];
    for (int k = 6; k >= 0; k--) q = q * z + Q[k];
    return g * 0.99558162689208984 + g * (p / q);
}

double special_digamma(double x) {
    if (isnan(x) || x == -INFINITY) return NAN;
    if (x == INFINITY) return x;
    if (x == 0) return copysign(INFINITY, -x);
    if (fabs(x) < 1e-17) return -1 / x;
    if (x < 0) {
        gsl_sf_result r;
        return x != floor(x) && gsl_sf_psi_e(x, &r) == GSL_SUCCESS ? r.val : NAN;
    }
    if (x >= 10) return log(x) + special_digamma_minus_log(x);
    if (x < 1) return digamma_1_2(x + 1) - 1 / x;
    /* psi(y + 1) = psi(y) + 1 / y, down to [1, 2]: the sum of the reciprocals as one fraction */
    double over = 0, under = 1;
    for (; x > 2; over = over * x + under, under *= x) x -= 1;
    return digamma_1_2(x) + over / under;
}

double special_trigamma(double x) {
    if (isnan(x) || x == -INFINITY) return NAN;
    if (x <= 0 && x == floor(x)) return INFINITY;
    if (fabs(x) < 1e-17) return 1 / x / x;
    if (x > 1e17) return 1 / x;
    gsl_sf_result r;
    return gsl_sf_psi_1_e(x, &r) == GSL_SUCCESS ? r.val : NAN;
}

/* Where GSL over- or underflows on the way, the leading term is the value: n! / x^(n+1) for small x, (n-1)! / x^n for
 * large x (Abramowitz and Stegun 6.4.10, 6.4.11). */
double special_polygamma(double n, double x) {
    if (isnan(n) || isnan(x) || n < 0 || n != floor(n)) return NAN;
    if (n == 0) return special_digamma(x);
    if (n == 1) return special_trigamma(x);
    if (x < 0) return NAN;
    double sign = fmod(n, 2) == 1 ? 1 : -1;
    if (x == 0) return sign * INFINITY;
    if (x == INFINITY) return sign * 0.0;
    gsl_sf_result r;
    if (n < 1e6 && x < 1e17 && gsl_sf_psi_n_e((int)n, x, &r) == GSL_SUCCESS) return r.val;
    if (x < 1 || x < n) return sign * exp(special_lgamma(n + 1) - (n + 1) * log(x));
    return sign * exp(special_lgamma(n) - n * log(x));
}

/* Abramowitz and Stegun 6.3.18. */
static const double stirling_slope[] = {1.0 / 12, -1.0 / 120, 1.0 / 252, -1.0 / 240, 1.0 / 132, -691.0 / 32760, 1.0 / 12};

double special_digamma_minus_log(double x) {
    double w = 1 / (x * x), sum = 0;
    for (int k = 6; k >= 0; k--) sum = (sum + stirling_slope[k]) * w;
    return -0.5 / x - sum;
}

/* Small x: psi(x+1) = psi(x) + 1/x carries both up, by terms of one sign; then the asymptotic series, differenced. */
double special_digamma_diff(double x, double d) {
    double sum = 0;
    for (; x < 10; x += 1) sum += d / (x * (x + d));
    return sum + log1p(d / x) + d / (2 * x * (x + d)) - power_diff(x, d, stirling_slope, 7, 2);
}

/* -- Bessel functions -- */

/* Below 4: log1p of the power series (Abramowitz and Stegun 9.6.12), relative to the value; above: e^-x I0(x). */
double special_log_i0(double x) {
    x = fabs(x);
    if (isnan(x) || isinf(x)) return x;
    if (x < 4) {
        double w = x * x / 4, term = 1, sum = 0;
        for (int k = 1; k < 30; k++) term *= w / ((double)k * k), sum += term;
        return log1p(sum);
    }
    gsl_sf_result r;
    if (x > 1e16 || gsl_sf_bessel_I0_scaled_e(x, &r) != GSL_SUCCESS) return x - 0.5 * log(2 * M_PI * x);
    return x + log(r.val);
}

double special_i1_over_i0(double x) {
    double z = fabs(x);
    if (isnan(x)) return x;
    if (z < 1e-8) return x / 2;
    if (z > 1e16) return copysign(1, x);
    gsl_sf_result i0, i1;
    bool good = gsl_sf_bessel_I0_scaled_e(z, &i0) == GSL_SUCCESS && gsl_sf_bessel_I1_scaled_e(z, &i1) == GSL_SUCCESS;
    return good ? copysign(i1.val / i0.val, x) : NAN;
}
