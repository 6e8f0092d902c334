/* Shared by special*.c alone. */
#ifndef TAPE_SPECIAL_INTERNAL_H
#define TAPE_SPECIAL_INTERNAL_H

#include "tape/special.h"

/* lgamma(x) - ((x - 1/2) log x - x + log(2 pi)/2), Stirling's remainder, for x >= 10. */
double special_stirling(double x);

/* digamma(x + d) - digamma(x) for x > 0, d >= 0. */
double special_digamma_diff(double x, double d);

/* digamma(x) - log(x) for x >= 10. */
double special_digamma_minus_log(double x);

/* log(1 + z) - z without cancellation, z > -1. */
double special_log1p_minus(double z);

/* e^v - 1 - v without cancellation. */
double special_expm1_minus(double v);

/* log of x^a e^-x / Gamma(a), and of x^a y^b / B(a, b) where y = 1 - x. */
double special_log_gamma_kernel(double a, double x);
double special_log_beta_kernel(double a, double b, double x, double y);

/* The positive half of the 32-point Gauss-Legendre rule on [-1, 1]. */
enum { GAUSS_HALF = 16 };
extern const double special_gauss[GAUSS_HALF][2];

#endif
