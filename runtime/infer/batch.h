/* Minibatches: which elements of a plate a step runs on.
 *
 * A plate named in `batch = {i: 256}` runs on random subsets: every epoch goes through all elements once, in the order
 * of a permutation that is computed, not stored (a Feistel network with cycle walking: Black, Rogaway 2002). The batch of
 * a step is a function of seed and step alone.
 */
#ifndef INFER_BATCH_H
#define INFER_BATCH_H

#include "interp/interp.h"

typedef struct BatchPlan {
    Batches plates;
    real *elements; /* indices of the step at work, plate after plate: an input of programs */
    uint64_t key;
    bool in_order;  /* stretches one after the other, whatever the step: this one */
    uint64_t turn;
} BatchPlan;

/* `sizes` is a record {plate: size}; raises where it is none. */
BatchPlan *batch_plan_new(Interp *in, Arena *arena, Value sizes, Span at);
void batch_seed(BatchPlan *b, uint64_t seed); /* decides the order of the elements */
/* One plate, in stretches of this size. */
BatchPlan *batch_plan_in_order(Interp *in, Arena *arena, const char *plate, int64_t size);
/* Choose the elements of this step; gives a number that stands for the sizes of the batches. */
uint64_t batch_prepare(BatchPlan *b, uint32_t step);
/* Steps that an epoch takes (of the first plate). 0: the plate has not been met, or runs whole. */
long batch_epoch(const BatchPlan *b);

/* Place k (from 0) of a permutation of 0..n-1. */
uint64_t permuted(uint64_t key, uint64_t n, uint64_t k);

#endif
