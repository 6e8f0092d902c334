/* Minimisation by L-BFGS with a strong-Wolfe line search. Knows only a callback. */
#ifndef INFER_LBFGS_H
#define INFER_LBFGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

/* f(x), and its gradient into grad. inf or NaN (value or gradient) where it cannot be computed: the search backs off */
typedef double (*LbfgsFunction)(void *self, const double *x, double *grad);

/* Called after each accepted iterate, the starting point included (iteration 0). False stops the search. */
typedef bool (*LbfgsVisit)(void *self, int iteration, double f, const double *x, const double *grad);

typedef struct LbfgsOptions {
    int history;           /* pairs kept, 10 */
    int max_iterations;    /* 2000 */
    int max_line_search;   /* evaluations in one line search, 40 */
    double tol_grad;       /* stop when max |grad| <= tol_grad * max(1, |f|), 1e-8 */
    double tol_rel_f;      /* stop when the decrease, relative to max(|f|, 1), stays below this for 3 steps, 1e-13 */
    double tol_rel_x;      /* stop when no coordinate moves by more than this relative to max(|x|, 1), 1e-14 */
    double first_step;     /* length of the first step, at most; 1 */
    double rounding;       /* of f, relative; 1e-14 */
    LbfgsVisit visit;      /* or NULL */
    void *visit_self;
} LbfgsOptions;

LbfgsOptions lbfgs_defaults(void);
LbfgsOptions lbfgs_defaults_single(void); /* for an f that is computed in single precision */

typedef enum LbfgsStatus {
    LBFGS_GRADIENT,    /* converged: the gradient is small */
    LBFGS_FUNCTION,    /* converged: the value no longer changes */
    LBFGS_POINT,       /* converged: the point no longer changes */
    LBFGS_ITERATIONS,  /* stopped at max_iterations */
    LBFGS_STOPPED,     /* `visit` said so */
    LBFGS_LINE_SEARCH, /* no decrease to be found, even along the gradient */
    LBFGS_START        /* the value or the gradient at the start is not finite */
} LbfgsStatus;

typedef struct LbfgsResult {
    LbfgsStatus status;
    int iterations;
    int evaluations;
    double f;          /* at x */
    double grad_norm;  /* max |grad| at x */
} LbfgsResult;

/* Minimises f from x[n], which becomes the best point found. `options` NULL: the defaults. What it needs belongs to `a`
 * until it returns, so f may raise. */
LbfgsResult lbfgs_minimize(Arena *a, LbfgsFunction f, void *self, int64_t n, double *x, const LbfgsOptions *options);

static inline bool lbfgs_converged(LbfgsStatus s) { return s <= LBFGS_POINT; }
const char *lbfgs_status_text(LbfgsStatus s); /* "the gradient is small", ... */

#endif
