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
    bool steers;    /* a guard depends on the draw: it decides which way the program takes */
} Dependence;

/* Follow a draw through the tape, element by element along its dimension `dim` (DEPENDS_MIXED: as a whole). `states`
 * has room for all nodes of the tape. Operations that are not known to keep elements apart count as mixing them. */
Dependence depends_follow(const Tape *t, Var draw, int dim, int8_t *states);

static inline int depends_state(const Dependence *d, Var v) {
    return v.node < d->draw ? DEPENDS_NOT : d->states[v.node - d->draw];
}

#endif
