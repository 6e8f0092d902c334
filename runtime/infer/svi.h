/* Stochastic variational inference: the objective and its gradient, and the two ways to go on until done. */
#ifndef INFER_SVI_H
#define INFER_SVI_H

#include "infer/fit.h"
#include "infer/score.h"

typedef struct Svi {
    Job *job;
    Interp *in;
    Arena *arena;
    Pair *pair;
    int particles;
    bool together; /* all particles in one run, along an axis; else run after run */
    bool scored;   /* some draw of the guide has no gradient: score.h */
    Baseline baseline;
    ScoreStore store; /* of baselines that the run does not make itself */
    Schedule kl_schedule;
    double kl_weight; /* or KL_SCHEDULED: input SLOT_WEIGHT */
    real weight_now;
    Recorder objective, value;
    /* of the run at work */
    real *elbos;      /* [particles], or one */
    real elbo;        /* of svi_values */
    real *gradient;   /* of the ELBO, by parameter */
    int64_t capacity; /* of it */
    Descent descent;
    real *direction;  /* minus the gradient: what the optimizers go against */
    int64_t size;     /* parameters known to them */
    int64_t updates;  /* since the start, or since svi_restart */
    double log_norm;  /* running mean of the log of the gradient's norm */
} Svi;

/* One estimate of the ELBO and, in s->direction, minus its gradient. Raises where it is not finite time and again. */
double svi_step(Svi *s, uint32_t step);
/* The optimizers' step, number 1, 2, ... for their schedules (0: without), with this factor on their rates. */
void svi_update(Svi *s, long step, double rate_factor);
void svi_restart(Svi *s); /* the optimizers forget */
/* The ELBO at `values`, with the noise of these steps: out[n]. */
void svi_values(Svi *s, const real *values, uint32_t first_step, long n, double *out);

/* Steps until nothing improves; sets the parameters, stop and steps. */
void svi_until_done(Svi *s);
/* Exactly n steps. */
void svi_fixed(Svi *s, long n);

/* Where the automatic guide starts: pair->start. */
void svi_start_automatic(Job *job);

#endif
