/* What functions on fits share: elbo, log_evidence (queries.c), refinement, gap (gap.c). */
#ifndef INFER_QUERIES_H
#define INFER_QUERIES_H

#include "infer/fit.h"

typedef struct Query {
    Interp *in;
    const Args *args; /* fit, model, guide, ... */
    Arena *arena;
    Value result;
    bool evidence;
} Query;

/* The model and guide asked about, with the parameters of the fit; `refine`: the place of that option. It is compared
 * with the guide in a first run where anything new was given. What the fit learned on batches of a plate is asked of
 * the plate in stretches of such a size, which bounds the memory: chunk by chunk. */
Pair *query_pair(Query *q, Fit *f, int refine, uint64_t seed);
int64_t query_chunks(const Pair *p);        /* 1 where the plate runs whole */
void query_chunk(const Pair *p, int64_t k); /* from here on passes run on that one */
int64_t query_population(const Pair *p);    /* of the plate in chunks; 0: none */
double query_share(const Pair *p);          /* of the chunk at work, in the population */
void query_whole(Pair *p);                  /* no chunks */

#endif
