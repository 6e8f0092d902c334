/* The score function: gradients for draws of the guide that no gradient flows through (Bernoulli, Poisson, ...).
 *
 *     d/dphi E_q[f] = E_q[(f - b) d/dphi log q] + E_q[d/dphi f]
 *
 * Of f only what the draw can change counts, per element of its plates (Ranganath, Gerrish, Blei 2014; Schulman et al.
 * 2015): terms that do not depend on it on the tape are left out, and inside a plate element n of the draw is weighted
 * by element n of a term, unless the term mixes elements. A draw that steers the program (an `if`, a loop bound) can
 * change everything. The baseline b does not depend on the draw: the mean over the other particles (Mnih, Rezende 2016;
 * Kool et al. 2019), a moving average over the steps, or 0.
 */
#ifndef INFER_SCORE_H
#define INFER_SCORE_H

#include "infer/checkpoint.h"
#include "infer/pair.h"

typedef enum Baseline { BASELINE_LOO, BASELINE_AVERAGE, BASELINE_NONE } Baseline;

/* One scored draw: log q, and the cost that its gradient is weighted by. Axes: particles and the plates of the draw. */
typedef struct ScoreSite {
    uint64_t key; /* of its address */
    Value log_q;  /* scaled, where its plate runs on a subset */
    Value cost;
} ScoreSite;

/* The scored draws of a pass (after pass_run with PASS_TERMS). */
int score_sites(const Pass *p, Interp *in, double kl_weight, ScoreSite **sites);

/* The function whose gradient is the estimate's first part, averaged over particles that run at once, with the mean of
 * the others as baseline. */
Var score_leave_one_out(Interp *in, int n, const ScoreSite *sites, const Axis *particles);

/* -- Baselines from outside the run: of earlier steps, or of the other particles where they run one by one.
 *
 * A block per site holds, in the input vector SLOT_BASELINE, a factor on the cost and what is then taken from each
 * element's. -- */
typedef struct ScoreBlock {
    uint64_t key;
    int64_t offset, size; /* the factor's place; elements */
    long count;           /* runs that were added */
    bool seen;            /* it has an average */
} ScoreBlock;

typedef struct ScoreStore {
    Arena *arena;
    ScoreBlock *blocks;
    int n, capacity, cursor;
    real *input, *cost, *sum, *average; /* all with the same places; `cost` is that of the run at work */
    int64_t used, room;
} ScoreStore;

/* The blocks of one recording. */
typedef struct ScoreRun {
    int n;
    const int *blocks;
} ScoreRun;

/* Within a recording, in this order. find: true when the vectors have moved, so that programs must be forgotten.
 * surrogate: as above, with baselines from the store; costs become outputs. particles: NULL: one. */
bool score_store_find(ScoreStore *s, Interp *in, int n, const ScoreSite *sites, const Axis *particles, ScoreRun *run);
Var score_store_surrogate(ScoreStore *s, Recorder *r, const ScoreSite *sites, const Axis *particles,
                          const ScoreRun *run);

/* Sums of costs over runs: clear, then add after each run. */
void score_store_clear(ScoreStore *s);
void score_store_add(ScoreStore *s, const ScoreRun *run);
/* Baselines of the next runs: for LOO from the sums, which include those very runs; for AVERAGE from the averages. */
void score_store_set(ScoreStore *s, Baseline b);
/* The sums enter the moving averages. */
void score_store_average(ScoreStore *s);

/* The moving averages as vectors of a checkpoint. After loading, recordings that were made before must be forgotten. */
void score_store_save(const ScoreStore *s, Checkpoint *c);
void score_store_load(ScoreStore *s, Checkpoint *c);

#endif
