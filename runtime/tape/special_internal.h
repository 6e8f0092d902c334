/* Shared by special*.c alone. */
#ifndef TAPE_SPECIAL_INTERNAL_H
#define TAPE_SPECIAL_INTERNAL_H

#include "tape/special.h"

/* lgamma(x) - ((x - 1/2) log x - x + log(2 pi)/2), Stirling's remainder, for x >= 10. */
real special_stirling(real x);

/* digamma(x + d) - digamma(x) for x > 0, d >= 0. */
real special_digamma_diff(real x, real d);

/* digamma(x) - log(x) for x >= 10. */
real special_digamma_minus_log(real x);

/* log(1 + z) - z without cancellation, z > -1. */
real special_log1p_minus(real z);

/* e^v - 1 - v without cancellation. */
real special_expm1_minus(real v);

/* log of x^a e^-x / Gamma(a), and of x^a y^b / B(a, b) where y = 1 - x. */
real special_log_gamma_kernel(real a, real x);
real special_log_beta_kernel(real a, real b, real x, real y);

/* The positive half of the 32-point Gauss-Legendre rule on [-1, 1]. */
enum { GAUSS_HALF = 16 };
extern const real special_gauss[GAUSS_HALF][2];

#endif
