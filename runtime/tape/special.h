/* Scalar special functions: what libm lacks.
 *
 * Every function is defined for every double: NaN in gives NaN out, an argument outside the domain gives NaN, a pole
 * or an overflow an infinity, an underflow 0. Nothing is raised and no state is kept. Errors are a few ulp where
 * nothing else is said (tests/unit/test_special.c measures them).
 */
#ifndef TAPE_SPECIAL_H
#define TAPE_SPECIAL_H

#include "tensor/tensor.h"

/* -- Gamma and its relatives -- */
real special_lgamma(real x);             /* log |Gamma(x)|, to relative accuracy near its zeros 1 and 2 */
real special_digamma(real x);            /* to relative accuracy near its positive zero */
real special_trigamma(real x);
real special_polygamma(real n, real x);  /* n-th derivative of digamma, x > 0 unless n <= 1; n a whole number >= 0 */
real special_lgamma_diff(real x, real d); /* lgamma(x + d) - lgamma(x) without cancellation, x > 0, x + d > 0 */
real special_lbeta(real a, real b);      /* log B(a, b), a, b > 0 */

/* -- The normal distribution -- */
real special_normal_cdf(real x);     /* to relative accuracy down to the underflow near -38 */
real special_log_normal_cdf(real x); /* in both tails, to -1e8 and beyond */
real special_normal_icdf(real p);    /* p in [0, 1] */

/* -- Bessel functions (von Mises) -- */
real special_log_i0(real x);
real special_i1_over_i0(real x);

/* -- Regularised incomplete gamma: P(a, x) + Q(a, x) = 1; a > 0, x >= 0. Both are accurate where they are small. -- */
real special_gamma_p(real a, real x);
real special_gamma_q(real a, real x);
real special_gamma_p_da(real a, real x); /* dP/da; dQ/da is minus this */

/* Implicit derivatives of a draw x ~ Gamma(a, 1) by its shape at a fixed quantile (Figurnov, Mohamed, Mnih, NeurIPS
 * 2018): dx/da = -(dP/da) / pdf. The second is d log x / da; it works where x itself underflows (tiny shapes). */
real special_gamma_draw_grad(real a, real x);
real special_log_gamma_draw_grad(real a, real logx);

/* -- Regularised incomplete beta I_x(a, b): a, b > 0, x in [0, 1] -- */
real special_beta_i(real a, real b, real x);
real special_beta_i_da(real a, real b, real x);
real special_beta_i_db(real a, real b, real x);

/* -- Logarithms of sums and differences -- */
real special_log1m_exp(real x);             /* log(1 - e^x), x <= 0 */
real special_log_diff_exp(real a, real b);  /* log(e^a - e^b), a >= b */
real special_log_add_exp(real a, real b);   /* log(e^a + e^b) */
real special_xlogy(real x, real y);         /* x log y, 0 where x is 0 */
real special_xlog1py(real x, real y);       /* x log(1 + y), 0 where x is 0 */

#endif
