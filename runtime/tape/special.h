/* Scalar special functions: what libm lacks. They compute in double, whatever the precision of the run.
 *
 * Every function is defined for every double: NaN in gives NaN out, an argument outside the domain gives NaN, a pole
 * or an overflow an infinity, an underflow 0. Nothing is raised and no state is kept. Errors are a few ulp where
 * nothing else is said (tests/unit/test_special.c measures them).
 */
#ifndef TAPE_SPECIAL_H
#define TAPE_SPECIAL_H

/* -- Gamma and its relatives -- */
double special_lgamma(double x);             /* log |Gamma(x)|, to relative accuracy near its zeros 1 and 2 */
double special_digamma(double x);            /* to relative accuracy near its positive zero */
double special_trigamma(double x);
double special_polygamma(double n, double x);  /* n-th derivative of digamma, x > 0 unless n <= 1; n a whole number >= 0 */
double special_lgamma_diff(double x, double d); /* lgamma(x + d) - lgamma(x) without cancellation, x > 0, x + d > 0 */
double special_lbeta(double a, double b);      /* log B(a, b), a, b > 0 */

/* -- The normal distribution -- */
double special_normal_cdf(double x);     /* to relative accuracy down to the underflow near -38 */
double special_log_normal_cdf(double x); /* in both tails, to -1e8 and beyond */
double special_normal_icdf(double p);    /* p in [0, 1] */

/* -- Bessel functions (von Mises) -- */
double special_log_i0(double x);
double special_i1_over_i0(double x);

/* -- Regularised incomplete gamma: P(a, x) + Q(a, x) = 1; a > 0, x >= 0. Both are accurate where they are small. -- */
double special_gamma_p(double a, double x);
double special_gamma_q(double a, double x);
double special_gamma_p_da(double a, double x); /* dP/da; dQ/da is minus this */

/* Implicit derivatives of a draw x ~ Gamma(a, 1) by its shape at a fixed quantile (Figurnov, Mohamed, Mnih, NeurIPS
 * 2018): dx/da = -(dP/da) / pdf. The second is d log x / da; it works where x itself underflows (tiny shapes). */
double special_gamma_draw_grad(double a, double x);
double special_log_gamma_draw_grad(double a, double logx);

/* -- Regularised incomplete beta I_x(a, b): a, b > 0, x in [0, 1] -- */
double special_beta_i(double a, double b, double x);
double special_beta_i_da(double a, double b, double x);
double special_beta_i_db(double a, double b, double x);

#endif
