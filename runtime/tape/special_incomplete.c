/* Incomplete gamma and beta functions, their derivatives by the shapes, and implicit derivatives of gamma draws.
 *
 * GSL's Q(a, x) loses five digits near a = x = 0.2, its incomplete beta loses digits with the shapes (1e-10 at 1e5),
 * and it has no derivatives by the shapes. All of them come from one idea. In u = log t (gamma) or
 * u = logit t (beta) the density is log-concave and entire near the axis, and with v the distance from x in u
 *
 *   P(a, x)     = D integral_0^inf exp(-phi(v)) dv,   phi(v) = a v + x (e^-v - 1),   D = x^a e^-x / Gamma(a)
 *   dP/da(a, x) = D integral_0^inf exp(-phi(v)) (log t - E log t) dv
 *
 * to the left of x, and likewise to the right, where the integral is 1 - P, or minus the same derivative since the
 * whole integrates to 0. The integrand keeps its sign to the left of exp(E log t), and to the right of it: taking the
 * side that x is on, nothing cancels. Gauss-Legendre on the stretch where exp(-phi) > e^-40 does the rest.
 */
#include <math.h>
#include <stdbool.h>

#include "tape/special_internal.h"

const double special_gauss[GAUSS_HALF][2] = {
    {0.048307665687738316235, 0.096540088514727800567}, {0.14447196158279649349, 0.095638720079274859419},
    {0.23928736225213707454, 0.093844399080804565639},  {0.33186860228212764978, 0.091173878695763884713},
    {0.42135127613063534536, 0.087652093004403811143},  {0.50689990893222939002, 0.083311924226946755222},
    {0.58771575724076232904, 0.078193895787070306472},  {0.66304426693021520098, 0.072345794108848506225},
    {0.73218211874028968039, 0.065822222776361846838},  {0.79448379596794240696, 0.058684093478535547145},
    {0.84936761373256997013, 0.050998059262376176196},  {0.89632115576605212397, 0.042835898022226680657},
    {0.93490607593773968917, 0.034273862913021433103},  {0.96476225558750643077, 0.025392065309262059456},
    {0.98561151154526833540, 0.016274394730905670605},  {0.99726386184948156354, 0.0070186100094700966004},
};

/* -- Incomplete gamma -- */

/* For large a, Stirling's formula with a log(x/a) - (x - a) taken together (Loader 2000). */
double special_log_gamma_kernel(double a, double x) {
    if (a < 10) return a * log(x) - x - special_lgamma(a);
    double z = (x - a) / a, tilt = fabs(z) < 0.5 ? special_log1p_minus(z) : log(x / a) - z;
    return a * tilt + 0.5 * log(a / (2 * M_PI)) - special_stirling(a);
}

/* The kernel itself; for small shapes through Gamma(1 + a), as log a alone would cost digits. Shapes that overflow on
 * the way count as 1e-300. */
static double gamma_kernel(double a, double x) {
    if (a < 1) return a * exp(a * log(x) - x - special_lgamma_diff(1, a));
    return exp(special_log_gamma_kernel(a, x));
}

static double clamp_shape(double a) { return fmin(fmax(a, 1e-300), 1e300); }

/* The distance at which phi reaches about 40, where phi(v) = slope v + x E(side v), E(v) = e^v - 1 - v, is convex:
 * Newton's method from an upper or nearly upper bound. side: -1 left, 1 right. */
static double gamma_reach(double slope, double x, double side) {
    double v = sqrt(80 / x);
    if (slope > 0) v = fmin(v, 40 / slope);
    for (int k = 0; k < 8; k++) {
        double phi = slope * v + x * special_expm1_minus(side * v);
        if (phi > 34 && phi < 60) break;
        v += (40 - phi) / (slope + side * x * expm1(side * v));
    }
    return v;
}

/* integral_0^inf exp(-phi(v)) (c0 + c1 v) dv on one side of x: with (1, 0) P or Q, with (|E log t - log x|, 1) minus
 * dP/da, both over D. */
static double gamma_side(double a, double x, double side, double c0, double c1) {
    double slope = side < 0 ? a - x : x - a, half = 0.5 * gamma_reach(slope, x, side), sum = 0;
    for (int k = 0; k < 2 * GAUSS_HALF; k++) {
        const double *node = special_gauss[k / 2];
        double v = half + (k % 2 ? half : -half) * node[0];
        sum += node[1] * exp(-slope * v - x * special_expm1_minus(side * v)) * (c0 + c1 * v);
    }
    return half * sum;
}

static bool gamma_is_small(double a, double x) { return x <= 2 || x <= a / 2; }

/* P = D sum x^n / (a (a+1) ... (a+n)), for small x. */
static double gamma_p_series(double a, double x) {
    double term = 1 / a, sum = term;
    for (int n = 1; n < 1000 && term > 1e-17 * sum; n++) sum += term *= x / (a + n);
    return sum;
}

/* Q for x <= 2 where P is near 1: with u = log(x^a / Gamma(1+a)), P = e^u (1 + a sum_1 (-x)^n / (n! (a+n))). */
static double gamma_q_series(double a, double x) {
    double u = a * log(x) - special_lgamma_diff(1, a), term = 1, sum = 0;
    for (int n = 1; n < 60; n++) {
        term *= -x / n;
        sum += term / (a + n);
    }
    return -expm1(u) - exp(u) * a * sum;
}

double special_gamma_p(double a, double x) {
    if (isnan(a) || isnan(x) || !(a > 0) || x < 0) return NAN;
    if (isinf(a)) return isinf(x) ? NAN : 0;
    if (x == 0 || isinf(x)) return x == 0 ? 0 : 1;
    if (x >= a && x > 2) return 1 - special_gamma_q(a, x);
    a = clamp_shape(a);
    double kernel = gamma_kernel(a, x);
    if (kernel == 0) return x < a ? 0 : 1;
    return fmin(1, kernel * (gamma_is_small(a, x) ? gamma_p_series(a, x) : gamma_side(a, x, -1, 1, 0)));
}

double special_gamma_q(double a, double x) {
    if (isnan(a) || isnan(x) || !(a > 0) || x < 0) return NAN;
    if (isinf(a)) return isinf(x) ? NAN : 1;
    if (x == 0 || isinf(x)) return x == 0 ? 1 : 0;
    if (x >= a && x > 2) {
        a = clamp_shape(a);
        double kernel = gamma_kernel(a, x);
        return kernel == 0 ? 0 : fmin(1, kernel * gamma_side(a, x, 1, 1, 0));
    }
    double p = special_gamma_p(a, x);
    return p < 0.5 || x > 2 ? 1 - p : fmax(0, gamma_q_series(a, x));
}

/* -dP/da / D for small x: P = D sum x^n / (a (a+1) ... (a+n)), differentiated term by term (the logarithm of a term by
 * a is log x - digamma(a+n+1)). The terms have one sign up to x = 0.5 or so and cancel little up to 2. */
static double gamma_series(double a, double x, double logx) {
    double term = 1 / a, psi = special_digamma(a + 1), sum = term * (psi - logx);
    for (int n = 1; n < 1000; n++) {
        term *= x / (a + n);
        psi += 1 / (a + n);
        sum += term * (psi - logx);
        if (term < 1e-17 / a) break;
    }
    return sum;
}

/* d log x / da = -dP/da / D. */
static double log_draw_grad(double a, double x, double logx) {
    if (gamma_is_small(a, x)) return gamma_series(a, x, logx);
    double c; /* digamma(a) - log x, for large a without the difference of logarithms */
    if (a < 10) c = special_digamma(a) - logx;
    else c = special_digamma_minus_log(a) - log1p((x - a) / a);
    return gamma_side(a, x, c > 0 ? -1 : 1, fabs(c), 1);
}

double special_log_gamma_draw_grad(double a, double logx) {
    if (isnan(a) || isnan(logx) || !(a > 0) || isinf(a) || logx == INFINITY) return NAN;
    double x = exp(logx);
    return isinf(x) ? NAN : log_draw_grad(a, x, logx);
}

double special_gamma_draw_grad(double a, double x) {
    if (isnan(a) || isnan(x) || !(a > 0) || isinf(a) || x < 0 || isinf(x)) return NAN;
    return x == 0 ? 0 : x * log_draw_grad(a, x, log(x));
}

double special_gamma_p_da(double a, double x) {
    if (isnan(a) || isnan(x) || !(a > 0) || x < 0) return NAN;
    if (x == 0 || isinf(x) || isinf(a)) return 0;
    a = clamp_shape(a);
    double kernel = gamma_kernel(a, x);
    return kernel == 0 ? 0 : -kernel * log_draw_grad(a, x, log(x));
}

/* -- Incomplete beta: the same in u = logit t, t/(1-t) = x/y e^-v. With z = x (e^-v - 1),
 * log((1-t)/(1-x)) = -log1p(z), log(x/t) = v + log1p(z), and phi(v) = a v + (a + b) log1p(z). -- */

double special_log_beta_kernel(double a, double b, double x, double y) {
    if (a < 10 || b < 10) {
        double logx = x < 0.5 ? log(x) : log1p(-y), logy = y < 0.5 ? log(y) : log1p(-x);
        return a * logx + b * logy - special_lbeta(a, b);
    }
    double m = b * x - a * y, za = m / a, zb = -m / b; /* x = mu (1 + za), y = (1 - mu) (1 + zb), mu = a / (a + b) */
    double ta = fabs(za) < 0.5 ? special_log1p_minus(za) : log(x * (a + b) / a) - za;
    double tb = fabs(zb) < 0.5 ? special_log1p_minus(zb) : log(y * (a + b) / b) - zb;
    double correction = special_stirling(a + b) - special_stirling(a) - special_stirling(b);
    return a * ta + b * tb + 0.5 * log(a / (a + b) * b / (2 * M_PI)) + correction;
}

typedef enum BetaWeight { WEIGHT_ONE, WEIGHT_LOG_T, WEIGHT_LOG_1MT } BetaWeight;

typedef struct BetaSide {
    double a, b, x, y, c;
    BetaWeight weight;
} BetaSide;

/* phi(v); *log_t = log(x/t), *log_1mt = log((1-t)/(1-x)). Above x = 1/2 from the other end: with w = y (e^v - 1),
 * log(x/t) = log1p(w), phi = -b v + (a + b) log1p(w). Near v = 0 the linear parts, which may cancel, are taken
 * together. */
static double beta_phi(const BetaSide *s, double v, double *log_t, double *log_1mt) {
    double n = s->a + s->b, m = s->a * s->y - s->b * s->x;
    if (s->x <= 0.5) {
        double z = s->x * expm1(-v), l = log1p(z);
        *log_t = v + l, *log_1mt = -l;
        return v > 0.1 ? s->a * v + n * l : m * v + n * (special_log1p_minus(z) + s->x * special_expm1_minus(-v));
    }
    double w = s->y * expm1(v), l = v > 600 ? v + log(s->y) : log1p(w);
    *log_t = l, *log_1mt = v - l;
    return v > 0.1 ? n * l - s->b * v : m * v + n * (special_log1p_minus(w) + s->y * special_expm1_minus(v));
}

static double beta_panel(const BetaSide *s, double from, double to) {
    double half = 0.5 * (to - from), middle = 0.5 * (to + from), sum = 0;
    for (int k = 0; k < 2 * GAUSS_HALF; k++) {
        const double *node = special_gauss[k / 2];
        double v = middle + (k % 2 ? half : -half) * node[0], log_t, log_1mt, phi = beta_phi(s, v, &log_t, &log_1mt);
        double weight = s->weight == WEIGHT_ONE ? 1 : s->c + (s->weight == WEIGHT_LOG_T ? log_t : log_1mt);
        sum += node[1] * exp(-phi) * weight;
    }
    return half * sum;
}

/* integral_0^inf exp(-phi) (1, c + log(x/t), or c + log((1-t)/(1-x))) dv to the left of x. Panels grow twofold from the
 * width of the density at x, kept narrow until e^-v has become small beside y/x; phi is convex, so that beyond 40 there
 * is nothing more once it grows. */
static double beta_left(const BetaSide *s) {
    double m = s->a * s->y - s->b * s->x, n = s->a + s->b, sum = 0;
    double width = fmin(1, 10 / (fabs(m) + sqrt(n * s->x * s->y))), bend = 4 + fmin(log1p((n + 1) * s->x / s->y), 1500);
    double last = 0;
    for (double v = 0; v < INFINITY; v += width, width = fmin(2 * width, v < bend ? 4 : INFINITY)) {
        double log_t, log_1mt, phi = beta_phi(s, v + width, &log_t, &log_1mt);
        sum += beta_panel(s, v, v + width);
        if ((phi > 40 && phi > last) || isnan(phi)) break;
        last = phi;
    }
    return sum;
}

/* dI/da with x and y = 1 - x given. */
static double beta_da(double a, double b, double x, double y) {
    double kernel = exp(special_log_beta_kernel(a, b, x, y));
    if (kernel == 0) return 0;
    double c = -special_digamma_diff(a, b) - (x < 0.5 ? log(x) : log1p(-y)); /* E log t - log x */
    BetaSide left = {a, b, x, y, c, WEIGHT_LOG_T}, right = {b, a, y, x, -c, WEIGHT_LOG_1MT};
    return -kernel * beta_left(c > 0 ? &left : &right);
}

static bool beta_domain(double a, double b, double x) {
    return a > 0 && b > 0 && !isinf(a) && !isinf(b) && x >= 0 && x <= 1;
}

double special_beta_i(double a, double b, double x) {
    if (!beta_domain(a, b, x)) return NAN;
    if (x == 0 || x == 1) return x;
    a = clamp_shape(a), b = clamp_shape(b);
    double y = 1 - x, kernel = exp(special_log_beta_kernel(a, b, x, y));
    bool lower = a * y >= b * x;
    BetaSide left = {a, b, x, y, 0, WEIGHT_ONE}, right = {b, a, y, x, 0, WEIGHT_ONE};
    if (kernel == 0) return lower ? 0 : 1;
    double part = fmin(kernel * beta_left(lower ? &left : &right), 1);
    return lower ? part : 1 - part;
}

double special_beta_i_da(double a, double b, double x) {
    if (!beta_domain(a, b, x)) return NAN;
    return x == 0 || x == 1 ? 0 : beta_da(clamp_shape(a), clamp_shape(b), x, 1 - x);
}

double special_beta_i_db(double a, double b, double x) {
    if (!beta_domain(a, b, x)) return NAN;
    return x == 0 || x == 1 ? 0 : -beta_da(clamp_shape(b), clamp_shape(a), 1 - x, x);
}
