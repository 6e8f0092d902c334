/* log p and log q of a run, by element of the outermost plate where the elements have nothing to do with one another.
 *
 * That is so when every draw stands inside one plate and element n of the draws changes element n of the terms alone
 * (depends.h). Terms that no draw can change need not be inside. Without such a plate there is one number for all.
 */
#ifndef INFER_ELEMENTS_H
#define INFER_ELEMENTS_H

#include "infer/pair.h"

typedef struct Elements {
    const Axis *plate; /* NULL: none */
    double scale;      /* where the plate runs on a subset: how often one element counts */
    Var log_p, log_q;  /* [particles, elements]: those of the two that are there */
    Var rest;          /* terms outside the plate: rank 0, or [particles] */
    bool any_rest;
} Elements;

/* After pass_run with PASS_TERMS. On a tape that does not record only the places of the draws count. */
void elements_split(Elements *e, const Pass *p, Interp *in);
/* The plate, where all terms are inside; else NULL. */
static inline const Axis *elements_only(const Elements *e) { return e->any_rest ? NULL : e->plate; }
/* log p - log q by element: [particles, elements], or [elements]. */
Var elements_elbos(const Elements *e, const Pass *p, Interp *in);

#endif
