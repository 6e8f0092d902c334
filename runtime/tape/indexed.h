/* Indices that are known before a program runs (kernels_indexed.c): checked once, kept as offsets. Private to tape/. */
#ifndef TAPE_INDEXED_H
#define TAPE_INDEXED_H

#include "tape/tape.h"

/* Of GATHER and SCATTER_ADD, which see their operands as [A, B, K, E] and [A, B, M, E]; the same for each of the A. */
typedef struct Indexed {
    int64_t B, K, M;
    const int32_t *at;     /* [B * M]: which of the B * K */
    const int32_t **tiles; /* the order in which numbers are added up */
    int64_t ntiles;
} Indexed;

/* The index as an offset from 0, or -1. */
static inline int64_t checked_index(real index, int64_t K) {
    if (!(index >= 1 && index <= (real)K)) return -1;
    int64_t i = (int64_t)index;
    return (real)i == index ? i - 1 : -1;
}

/* False: an index is outside, or there are too many. */
bool indexed_make(Indexed *x, Arena *a, const Tensor *index, int64_t K, int batch);
void indexed_order(Indexed *x, Arena *a); /* for indexed_add */

/* out[m] = from[at[m]] */
void indexed_gather(int64_t n, real *restrict out, const real *restrict from, const int32_t *restrict at);
/* out[at[m]] += from[m], for each target in the order of m. */
void indexed_add(const Indexed *x, real *restrict out, const real *restrict from);
/* All of the A, for rows of E numbers, shared out where they are large. */
void indexed_gather_all(const Indexed *x, int64_t A, int64_t E, real *out, const real *from, struct Team *team);
void indexed_add_all(const Indexed *x, int64_t A, int64_t E, real *out, const real *from, struct Team *team);

#endif
