/* Objectives of svi: an estimate of a bound on the evidence, and its gradient.
 *
 * A Bound records the objective of a pair of model and guide once and runs it as a program. Its particles are draws of
 * the guide, all in one run along an axis; where something needs one plain value, in one run after the other.
 */
#ifndef INFER_OBJECTIVE_H
#define INFER_OBJECTIVE_H

#include "infer/optimizer.h"
#include "infer/recorder.h"
#include "infer/score.h"

/* Renyi's bound of order a (Li, Turner 2016), 1 / (1 - a) log E[(p / q)^(1 - a)]: the ELBO at 1, the evidence at 0. Its
 * estimate from k draws, a mean in the place of the expectation, is at a = 0 that of Burda et al. (2016). */
typedef struct Objective {
    const char *name;   /* for messages and notes: "the ELBO" */
    double order;       /* a */
    int particles;      /* k; 0: chosen */
    Schedule kl_weight; /* by step */
    bool closed;        /* divergences in closed form where there are any */
} Objective;

typedef struct Bound {
    Interp *in;
    Arena *arena;
    struct Fit *fit; /* for notes */
    bool noted;
    Pair *pair;
    Objective objective;
    Schedule schedule; /* of the KL weight */
    double kl_weight;  /* or KL_SCHEDULED: input SLOT_WEIGHT */
    real weight_now;
    Baseline baseline;
    int particles;
    bool together;     /* all particles in one run */
    const Axis *plate; /* whose elements are weighed each for itself; NULL: none */
    bool scored;       /* some draw of the guide has no gradient: score.h */
    ScoreStore store;  /* of baselines that the run does not make itself */
    Recorder run, value;
    /* of the run at work */
    real *elbos; /* [particles], or one: also where they are weighed against each other */
    int nelbos;
    real elbo;      /* of bound_values */
    real *gradient; /* by parameter */
    int64_t capacity;
    /* of a step */
    real *direction; /* minus the gradient */
    int64_t size;    /* parameters that it has; grows with those that a new structure brings */
} Bound;

struct Job;
/* Runs once, to find out what there is; notes of the fit say what was chosen. */
void bound_init(Bound *b, struct Job *job);
void bound_forget(Bound *b); /* all programs */
void bound_end(Bound *b); /* training is over: what its programs need goes */

/* The KL weight from here on: that of step 1, 2, ...; at first it is the last one's. */
void bound_schedule(Bound *b, long step);
/* One estimate with the noise of this step; b->direction is minus its gradient. Either may not be finite. */
double bound_step(Bound *b, uint32_t step);
/* The bound at values[size], with the noise of these steps: out[n]. Parameters that are not among them, since they come
 * with a structure that is met here, are as they are now. */
void bound_values(Bound *b, const real *values, int64_t size, uint32_t first_step, long n, double *out);

#endif
