/* The loops of optimizers over all parameters, compiled for each instruction set (base/isa.h). */
#ifndef INFER_LINES_OPTIMIZER_H
#define INFER_LINES_OPTIMIZER_H

#include <float.h>
#include <tgmath.h>

#include "base/isa.h"
#include "tensor/tensor.h"

enum { PIECE = 1 << 15 }; /* numbers in the stretch that a thread takes: some 10 us, whole lines of lanes */

/* Moments decay towards 0 where gradients have ended; numbers below the normal ones are slow to compute with (Adam 27
 * times, on some processors) and move nothing. */
static inline real moment_flushed(real m) {
    const double negligible = 16 * (sizeof(real) < sizeof(double) ? FLT_MIN : DBL_MIN);
    return fabs(m) < (real)negligible ? 0 : m;
}

typedef struct AdamStep {
    real rate, beta1, beta2, eps, decay, unbias1, unbias2; /* the last two: 1 / (1 - beta^t) */
} AdamStep;

typedef struct OptimizerLines {
    /* x[0..n) along the gradient g, with the moments m and v; none overlap. */
    void (*adam)(const AdamStep *a, int64_t n, real *m, real *v, real *x, const real *g);
    /* Sum of squares, by lanes; beyond the range of double where the numbers are large, NaN where one is. */
    double (*squares)(int64_t n, const real *x);
    void (*subtract)(int64_t n, real *x, const real *y);                 /* x -= y */
    void (*follow)(int64_t n, double *mean, const real *x, double count); /* mean += (x - mean) / count */
} OptimizerLines;

const OptimizerLines *optimizer_lines(void);

#endif
