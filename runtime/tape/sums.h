/* Pairwise sums of the sums of blocks, as a binary counter: level k holds the sum of 2^k blocks. Private to tape/. */
#ifndef TAPE_SUMS_H
#define TAPE_SUMS_H

#include <stdint.h>

enum { SUM_LEVELS = 56 };

typedef struct Pairs {
    double level[SUM_LEVELS];
    int top;
    uint64_t blocks;
} Pairs;

static inline void pairs_start(Pairs *p) { p->top = 0, p->blocks = 0; }

static inline void pairs_add(Pairs *p, double s) {
    for (uint64_t b = p->blocks++; b & 1; b >>= 1) s = p->level[--p->top] + s;
    p->level[p->top++] = s;
}

static inline double pairs_total(const Pairs *p) {
    if (p->top == 0) return 0;
    double s = p->level[p->top - 1];
    for (int k = p->top - 2; k >= 0; k--) s = p->level[k] + s;
    return s;
}

/* The sum of a block from its eight accumulators. */
static inline double eight_sum(const double *l) {
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

#endif
