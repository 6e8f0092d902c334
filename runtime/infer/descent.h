/* The learned parameters under their optimizers: which one moves which, by path; clipping, schedules, state.
 *
 * A rule names parameters by a pattern on their addresses, as fit.params shows them, in which * stands for anything:
 * "encoder.*". Of several that match, the one with the most letters counts; what no rule matches is moved by the
 * optimizer of the run. Rate 0 keeps parameters as they are. Running averages belong to no rule: descent_follow moves
 * them.
 */
#ifndef INFER_DESCENT_H
#define INFER_DESCENT_H

#include "infer/optimizer.h"
#include "infer/params.h"

typedef struct OptimizerChoice {
    const Optimizer *optimizer;
    double option[MAX_OPTIONS];
    Schedule schedule;
    double clip; /* limit of the gradient's norm; 0: none */
} OptimizerChoice;

typedef struct DescentRule {
    const char *pattern;    /* NULL: all others */
    OptimizerChoice choice; /* its clip is on the norm of what it matches; without a pattern on that of all */
} DescentRule;

/* Parameters that stand side by side in the vector and have one rule. */
typedef struct DescentRun {
    int64_t offset, size;
    int rule;
    real *state;
    int64_t updates; /* since they are there, or since descent_restart */
} DescentRun;

typedef struct Descent {
    Ctx *ctx;
    Arena *arena;
    ParamStore *params;
    DescentRule *rules; /* the first has no pattern */
    int nrules;
    DescentRun *runs;
    int nruns, capacity;
    int nparams;  /* known to it */
    int64_t size; /* of them */
} Descent;

/* `rules` live as long as the descent. */
void descent_init(Descent *d, Ctx *c, Arena *arena, ParamStore *params, DescentRule *rules, int nrules);
/* Schedules know how many steps there are; 0: nobody does. */
void descent_steps(Descent *d, long steps);
/* Take in parameters that the store has gained; those already known keep their state. True: there were some. */
bool descent_grow(Descent *d);
DescentRun *descent_add(Descent *d); /* one more stretch, to be filled in */
/* Every pattern matches some parameter; raises naming the nearest. */
void descent_check(const Descent *d, Span at);
/* Move the parameters against `gradient` (which may be scaled): step = 1, 2, ... for the schedules (0: without them), a
 * factor on all rates. */
void descent_update(Descent *d, real *gradient, long step, double factor);
/* Move the running averages, and take them out of `gradient` (before its norm is looked at). True: there are some. */
bool descent_follow(const Descent *d, real *gradient);
/* The rate of the rule without pattern at this step. */
double descent_rate(const Descent *d, long step);
void descent_restart(Descent *d); /* the optimizers forget */

/* Does the pattern match? */
bool path_matches(const char *pattern, const char *path);

#endif
