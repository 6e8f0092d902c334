/* Variable elimination: discrete variables summed out of a product of factors, in log space, on the tape.
 *
 * A factor is a value whose axes are plates and enumerated variables (AXIS_ENUM). A variable that stands in plates is
 * one axis for all its elements: within the plates each element has a sum of its own, never a product over elements
 * (Obermeyer et al. 2019, "Tensor variable elimination for plated factor graphs"). Variables in the most plates go
 * first, among them the cheapest (the number of terms of the sum); a chain of T states with K values costs T K^2.
 */
#ifndef INFER_ELIMINATE_H
#define INFER_ELIMINATE_H

#include "interp/interp.h"

enum { FIRST_ENUM_ORDER = 100 }; /* Axis.order of the first enumerated variable of a run; they count up */

/* A variable in the steps of a loop that ran at once (AXIS_LOOP): `before` stands for its value one step earlier, of which
 * the first is that of `head`, the variable before the loop. */
typedef struct Chain {
    const Axis *loop, *head, *before, *now; /* now: NULL while it has not been drawn */
} Chain;

/* One variable's turn: what was summed over its axis. `total` has it, the plates, and the variables eliminated later.
 */
typedef struct EliminationStep {
    const Axis *axis;
    Value total;
} EliminationStep;

typedef struct Elimination {
    Value *rest; /* factors without enumerated variables */
    int nrest;
    EliminationStep *steps; /* in the order of elimination */
    int nsteps;
    double terms; /* of all sums together */
} Elimination;

/* op: OP_LOGSUMEXP, or OP_REDUCE_MAX for the best assignment. vars[k]->order == FIRST_ENUM_ORDER + k. `at` blames.
 * The variables of chains are summed along their loops, all steps in one operation; then nothing goes back (OP_LOGSUMEXP
 * alone, no eliminate_back). A chain that cannot be done so raises ERROR_ELEMENTWISE for its loop.
 * Raises ERROR_COSTLY when a sum has more than `budget` terms, or joins variables of plates neither of which is inside the other. */
Elimination eliminate(Interp *in, Op op, int nfactors, const Value *factors, int nvars, const Axis *const *vars,
                      int nchains, const Chain *chains, double budget, Span at);

/* Joint values of all variables given the steps, from the last to the first: drawn from the posterior (forward with
 * OP_LOGSUMEXP; `key` decides), or the best (forward with OP_REDUCE_MAX, best = true). values[k]: of vars[k], with the
 * axes of its plates. */
void eliminate_back(Interp *in, const Elimination *e, int nvars, bool best, uint64_t key, Value *values, Span at);

#endif
