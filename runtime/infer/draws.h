/* Draws of all variables of a fit, by name: values of sites and of `:=`, one row per draw.
 *
 * A variable is put together from its sites: leading dimensions are the indices of the address. Where a structure
 * differs between draws, variables grow, and what a draw does not have is NaN.
 */
#ifndef INFER_DRAWS_H
#define INFER_DRAWS_H

#include "infer/handlers.h"
#include "infer/recorder.h"

typedef struct DrawVariable {
    const char *name;
    Shape shape;     /* of one draw */
    real *values;    /* [ndraws, shape...]; averaged: [2, shape...], the sum of all draws and of how many */
    int64_t size;    /* of shape */
    int64_t present; /* in how many draws it was there */
    int64_t latest;  /* the last of these, counted from 1 */
    Shape wanted;    /* the widest so far: `shape` once all pieces of a run are known */
    bool summed;     /* probabilities of a discrete variable that was summed out; the last dimension is its support ... */
    int64_t first;   /* ... from this value on */
    bool averaged;   /* only its mean is kept */
} DrawVariable;

typedef struct DrawStore {
    Ctx *ctx;
    Arena *arena;
    DrawVariable *list;
    int n, capacity;
    int64_t ndraws; /* rows reserved for each variable */
    bool joint;     /* of what was summed out come joint values, not probabilities, of which the mean is kept */
} DrawStore;

/* Where the values of one recorded run go. */
typedef struct DrawPiece {
    int variable;
    real *from; /* dense, of shape `source` */
    Shape source;
    int nindex;
    int source_dim[MAX_INDEX]; /* of each index: the dimension of the source, or -1 */
    int64_t start[MAX_INDEX];  /* its first place, from 0 */
    int naxes;                 /* leading dimensions of the source */
} DrawPiece;
typedef struct DrawPlan {
    DrawPiece *list;
    int n;
} DrawPlan;

void draws_init(DrawStore *d, Ctx *c, Arena *arena, int64_t ndraws);
/* The plan of a run: `what` of the trace (TRACE_LATENT ...) is to be kept. The values become outputs of the recorder,
 * or, where it is NULL, are copied at once; they live in `arena`. */
DrawPlan *draws_plan(DrawStore *d, const Trace *t, unsigned what, Recorder *r, Arena *arena);
/* Put the values of the latest run into row `draw`. */
void draws_take(DrawStore *d, const DrawPlan *plan, int64_t draw);
/* All variables of a store of joint values, as a record: of one draw, or of all (-1: arrays have the draws as first dimension). In in->arena. */
Value draws_record(const DrawStore *d, Interp *in, int64_t draw);
/* Mean of an averaged variable, [shape...]; NaN where an element is not in every draw. */
void draws_mean(const DrawStore *d, const DrawVariable *v, double *mean);
const DrawVariable *draws_find(const DrawStore *d, const char *name);

#endif
