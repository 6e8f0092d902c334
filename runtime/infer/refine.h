/* Iterative refinement (Marino, Yue, Mandt 2018): `refine v for t in 1..K { ... }` in a guide.
 *
 * Before each step the guide and the model are run once more, inside the run at work, with v held at its value so far and
 * fresh noise: a nested pass, whose ELBO gives gradient(v) and, from the second step on, enters the loss. v enters the
 * next step as a constant, and in nested passes the model's parameters are constants too: theirs is the gradient of the
 * ELBO after the last step, the guide's parameters follow the average of those after the steps.
 */
#ifndef INFER_REFINE_H
#define INFER_REFINE_H

#include "interp/effects.h"

struct Pass;

/* What a nested pass is given at the statement instead of running it. */
typedef struct Given {
    const Stmt *stmt;
    const Value *values; /* by target */
} Given;

/* The ELBOs of the passes before each step, in order: [particles] or one number, of the whole plate. */
typedef struct RefineElbos {
    Var *list;
    int n, capacity;
    int64_t elements; /* that they are sums over (before scaling) */
} RefineElbos;

/* The effect's answer, for the guide of this pass. */
void refine_run(struct Pass *p, Interp *in, Frame *f, const Stmt *s);

/* gradient(v): within the body. */
Value refine_gradient(Interp *in, Value v, Span at);

#endif
