/* The log density of a model's continuous latents at a point in unconstrained space, with its gradient. */
#ifndef INFER_DENSITY_H
#define INFER_DENSITY_H

#include "infer/lbfgs.h"
#include "infer/pair.h"

typedef struct Density {
    Interp *in;
    Pair *pair;
    Recorder recorder, hessian;
    real *point;    /* [size]: the latents' point, then (with_params) the learned parameters' values; of the Hessian */
    real *value, *gradient; /* at the last point that density_at was given; the gradient follows the value */
    real *way;      /* of running averages to what they follow there; by parameter, 0 for the others */
    real *vector, *product;
    bool with_params;
    int64_t npoint, size;
    long evaluations;
} Density;

/* The pair has been checked (its layout is known). Memory is the pair's. */
void density_init(Density *d, Pair *pair, uint64_t seed, bool with_params);
/* The log density at x[size], and in d->gradient its gradient; -inf and NaN where they cannot be computed. Until the next
 * call `recorder` reads x where it is. */
double density_at(Density *d, const double *x);
/* The same for lbfgs_minimize: minus the density and its gradient. */
double density_descend(Density *d, const double *x, double *gradient);
/* For searches over density_at: options that suit the precision of the run. */
LbfgsOptions density_search(void);
/* The Hessian at x [size, size], from second derivatives or, where there are none, differences of gradients. */
void density_hessian(Density *d, const double *x, double *hessian);

#endif
