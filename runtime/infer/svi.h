/* Stochastic variational inference: the steps, and the two ways to go on until done. */
#ifndef INFER_SVI_H
#define INFER_SVI_H

#include "infer/fit.h"

typedef struct Svi {
    Job *job;
    Interp *in;
    Arena *arena;
    Pair *pair;
    Bound bound;
    Descent descent;
    int64_t size;    /* parameters known to it */
    int64_t updates; /* since the start, or since svi_restart */
    double squares;  /* sum of those of the gradient; may have over- or underflowed */
    double log_norm; /* running mean of the log of the gradient's norm */
} Svi;

/* One estimate of the ELBO and, in s->bound.direction, minus its gradient. Raises where it is not finite time and again. */
double svi_step(Svi *s, uint32_t step);
/* The optimizers' step, number 1, 2, ... for their schedules (0: without), with this factor on their rates. */
void svi_update(Svi *s, long step, double rate_factor);
void svi_restart(Svi *s); /* the optimizers forget */

/* Steps until nothing improves; sets the parameters, stop and steps. */
void svi_until_done(Svi *s);
/* n steps, or fewer where held-out data no longer improve; -1: for as long as they do. */
void svi_fixed(Svi *s, long n);

/* All that a step depends on but what the options and the first runs give, in a checkpoint. */
void svi_save(const Svi *s, Checkpoint *c);
void svi_load(Svi *s, Checkpoint *c);

/* Where the automatic guide starts: pair->start. */
void svi_start_automatic(Job *job);

#endif
