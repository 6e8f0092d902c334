/* A model with its guide: what svi, importance sampling and the functions on fits run.
 *
 * The guide is written by hand, automatic, or both (the automatic part covers what the body leaves out). An automatic
 * guide is a function of the language: from a record `start` it gives a distribution over the unconstrained point of
 * the remaining latents, or a tuple (offset, factor, distribution): the point is then offset + factor * draw, with a
 * vector or a lower triangular matrix as factor (stdlib/guides.ppl).
 */
#ifndef INFER_PAIR_H
#define INFER_PAIR_H

#include "infer/discrete.h"
#include "infer/latents.h"
#include "infer/params.h"
#include "infer/recorder.h"
#include "infer/refine.h"
#include "infer/summing.h"

typedef struct Pair {
    Interp *in;
    Arena *arena;
    const Call *model;
    const Call *guide;      /* NULL: no hand-written part */
    Value automatic;        /* VALUE_NONE: no automatic part */
    const char *guide_name; /* "q", "auto_mvn"; NULL: the model's prior is the guide */
    Value start;            /* the record that the automatic guide is called with */
    Latents *latents;       /* of the automatic part */
    ParamStore *params;
    bool prior;             /* no guide: the model draws forward (importance sampling) */
    bool scores;            /* the automatic part draws what cannot be summed out (scored.h) */
    const char **sum_notes; /* of the first run: what is summed out, and at what cost */
    int nsum_notes;
    RefineOptions refine;
    RefineWatch *watch;        /* what looks on while the guide refines; NULL: nothing */
    struct BatchPlan *batches; /* batch.h; NULL: all plates run whole */
    SumPlan sums; /* discrete latents that the guide leaves out are summed out */
    DiscreteChoices discrete;
    bool weighs_kl;            /* in training, with ... */
    double kl_weight;          /* ... pass_elbo's, for passes inside passes */
    Span span;    /* of the call of infer */
} Pair;

/* The policy for draws of the guide: e's value and log q. `t` is the guide's trace of a Pass. */
void guide_latent(Trace *t, Interp *in, Site *s, Entry *e);

/* What a run is for: drawing alone; sums of log densities; those with the posterior of what is summed out; with log q a
 * function of the draws and of the guide's parameters, whose derivatives can be told apart; as training with
 * the ELBO wants them, discrete draws of the guide summed out where that is asked for (guide_sums.h); those with
 * divergences of guide from prior in the place of their log densities, where there is a closed form (closed.h). */
typedef enum PassMode { PASS_DRAW, PASS_TERMS, PASS_MARKED, PASS_APART, PASS_SUMMED, PASS_CLOSED } PassMode;

typedef struct Pass {
    Pair *pair;
    Trace guide, model;
    Handler added;           /* while the model runs: what that adds to the guide's trace and to log q starts over with it */
    struct AddedMark { int guide, logq; } *marks;
    int nmarks, marks_capacity;
    ParamReader reader;
    PointRun point;
    Summing summing;         /* in the model */
    Summing guided;          /* draws of the guide */
    Terms likelihood, prior; /* observations and factors; latents */
    Terms logq, score;       /* score: of an automatic guide that no gradient flows through */
    const Axis *particles;   /* NULL: one */
    bool checking;           /* the first run: guide and model are compared */
    bool scouting;           /* nested in that: what the automatic part draws is not known, and comes of the prior */
    PassMode mode;
    Refinement refinement;
    bool nested;             /* in a `refine`: the model's parameters are constants */
    bool sticking;           /* nested too: log q with its distribution held fixed, as it is in other passes */
    ParamReader *shared;     /* nested on the same tape: what the outer pass has read, and takes over */
    bool opaque;      /* PASS_APART: some log q is no function of its draw; else draws are nodes OP_VARIABLE */
    Value point_draw; /* PASS_APART: of the automatic part */
    bool point_guide; /* the automatic guide is a point */
    bool at_point;    /* the automatic part is not drawn: it is input SLOT_POINT */
} Pass;

/* Run guide, then model, on in->tape. in->plates holds `particles` when it is not NULL. */
void pass_run(Pass *p, Pair *pair, Interp *in, const Axis *particles, PassMode mode);
/* The pass before a step of `refine`, inside `outer`; its statements are bound to what is given. */
void pass_run_nested(Pass *p, Pass *outer, Interp *in, const Refined *given, int ngiven, bool same_tape);
/* The same with the automatic part's point given. */
void pass_run_at_point(Pass *p, Pair *pair, Interp *in, PassMode mode);
/* A parameter of the automatic part, real or positive, met while the model runs: its value; it is the guide's all the same.
 * Bounds and the answer are filled in. */
Value pass_guide_param(Pass *p, Interp *in, ParamSite *site);
/* After PASS_MARKED: the summed variables' entries in p->model get their probabilities as values, [indices..., values].
 */
void pass_probabilities(Pass *p, Interp *in);
/* log p, and log p - log q with the second and third part weighed. */
Var pass_log_joint(const Pass *p, Interp *in);
Var pass_elbo(const Pass *p, Interp *in, double kl_weight);
/* The weight as a constant; KL_SCHEDULED: it changes from step to step and is input SLOT_WEIGHT. */
#define KL_SCHEDULED (-1.0)
Var kl_weight_var(Interp *in, double kl_weight);


/* The first run: finds the automatic part's latents and the parameters, and compares guide and model: every latent
 * covered, none invented, shapes, supports and plates agree. A model that observes nothing is refused. */
void pair_check(Pair *p, Interp *in, uint64_t seed);

/* The same for importance sampling from the prior, whose structure may be random: only that something is observed. */
void pair_check_prior(Pair *p, Interp *in, uint64_t seed);

/* Median and spread (from the quartiles, as a normal's sd) of the unconstrained points of the automatic part, from
 * draws of the prior (and the hand-written part as it stands). spread may be NULL. */
void pair_prior_median(Pair *p, Interp *in, uint64_t seed, double *median, double *spread);

/* One such point; false: it is not finite, or the structure is another one. */
bool pair_prior_point(Pair *p, Interp *in, uint64_t seed, double *point);

/* auto_normal: the name of an automatic guide as it is shown. */
const char *automatic_name(Interp *in, Value automatic);

#endif
