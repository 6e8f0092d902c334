/* Constraints: the bijections between unconstrained space and the values that a support allows, with their Jacobians.
 *
 * They are Stan's (Stan Reference Manual, "Constraint Transforms"), written in tape operations. All work on trailing
 * dimensions; leading ones are copies. A row of the table in constraint.c is one constraint.
 */
#ifndef DIST_CONSTRAINT_H
#define DIST_CONSTRAINT_H

#include "tape/tape.h"

typedef enum ConstraintKind {
    CONSTRAINT_REAL,          /* x = u */
    CONSTRAINT_LOWER,         /* x = low + exp u */
    CONSTRAINT_UPPER,         /* x = high - exp u */
    CONSTRAINT_INTERVAL,      /* x = low + (high - low) sigmoid u */
    CONSTRAINT_SIMPLEX,       /* [..., K-1] -> [..., K], stick-breaking */
    CONSTRAINT_ORDERED,       /* [..., K] -> [..., K], increasing */
    CONSTRAINT_COV,           /* [..., n(n+1)/2] -> [..., n, n], positive definite */
    CONSTRAINT_CORR_CHOLESKY  /* [..., n(n-1)/2] -> [..., n, n], Cholesky factor of a correlation matrix */
} ConstraintKind;

typedef struct Constraint {
    ConstraintKind kind;
    Var low, high; /* LOWER, UPPER, INTERVAL: broadcast against u */
} Constraint;

const char *constraint_name(ConstraintKind kind); /* "positive", "simplex": for messages */
int constraint_event_rank(ConstraintKind kind);   /* trailing dimensions of x that belong together: 0, 1 or 2 */
/* The shape of u for x of this shape. Raises where x cannot have it (a cov that is not square). */
Shape constraint_free_shape(Ctx *c, const Constraint *k, Shape x);
/* x and log |det dx/du|: one number per copy (elementwise kinds: of u's shape). log_jacobian may be NULL. */
Var constraint_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian);
/* u with forward(u) = x; x on the boundary is moved inside by a hair. */
Var constraint_inverse(Tape *t, const Constraint *k, Var x);
/* Does the plain value x satisfy it? (tolerance 1e-6 for simplex, cov, corr_cholesky: single precision data pass) */
bool constraint_holds(Ctx *c, const Constraint *k, const Tensor *x);

#endif
