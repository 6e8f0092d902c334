/* Scalar samplers on a stream, in double whatever the precision of the run. Parameters that are impossible give NaN. Nothing is raised.
 *
 * How many numbers a sampler takes from the stream may depend on what it meets there (rejection), never on anything
 * but the stream and the parameters.
 */
#ifndef TAPE_DRAWS_H
#define TAPE_DRAWS_H

#include "base/random.h"
#include "tensor/tensor.h"

/* Gamma(shape, 1), shape > 0. The logarithm does not underflow for tiny shapes; from the same stream the two agree. */
double draw_gamma_std(Stream *s, double shape);
double draw_log_gamma_std(Stream *s, double shape);

double draw_poisson(Stream *s, double rate);         /* rate >= 0, exact in law up to 1e15 (a whole number up to 2^53) */
double draw_binomial(Stream *s, double n, double p);   /* n a whole number from 0 to 1e15, p in [0, 1] */
double draw_von_mises(Stream *s, double kappa);      /* in (-pi, pi] around 0, kappa >= 0 */

/* 1..K with probabilities proportional to exp(logits[k * stride]); a logit of -inf is never drawn. NaN when all are. */
double draw_categorical(Stream *s, const real *logits, int64_t K, int64_t stride);

#endif
