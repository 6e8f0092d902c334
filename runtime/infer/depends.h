/* How the values on a tape depend on one draw: which terms of the ELBO a draw can change at all, and whether element n
 * of a term depends on element n of the draw alone. */
#ifndef INFER_DEPENDS_H
#define INFER_DEPENDS_H

#include "tape/tape.h"

/* A state >= 0 is a dimension: element n along it depends on element n of the draw only. */
enum { DEPENDS_NOT = -1, DEPENDS_MIXED = -2 };

typedef struct Dependence {
    NodeId draw;
    int8_t *states; /* of the nodes from `draw` on */
    int64_t *inner; /* a dimension may be joined with others: place k along it belongs to element k / inner % size */
    int64_t size;
    bool steers;    /* a guard depends on the draw: it decides which way the program takes */
} Dependence;

/* Follow a draw through the tape, element by element along its dimension `dim` (DEPENDS_MIXED: as a whole).
 * Operations that are not known to keep elements apart count as mixing them. */
Dependence depends_follow(const Tape *t, Var draw, int dim, Arena *arena);

static inline int depends_state(const Dependence *d, Var v) {
    if (v.node < d->draw) return DEPENDS_NOT;
    int dim = d->states[v.node - d->draw];
    bool joined = dim >= 0 && (d->inner[v.node - d->draw] != 1 || v.value->shape.dim[dim] != d->size);
    return joined ? DEPENDS_MIXED : dim;
}

#endif
