/* Iterative refinement (Marino, Yue, Mandt 2018): `refine v for t in 1..K { ... }` in a guide.
 *
 * Before each step the guide and the model are run once more, inside the run at work, with v held at its value so far
 * and fresh noise: a nested pass, whose ELBO gives gradient(v) and error(site) and, from the second step on, enters the
 * loss. The guide's parameters follow the average of the ELBOs after the steps, the model's that of the last: in nested
 * passes they are constants.
 *
 * v enters the next step as a constant, and so does what else the body carries on. So the ELBO of a pass reaches the
 * guide's parameters through the one step that made its v, and along no other way but those of the guide around the
 * statement. Each pass is differentiated once, down to v and to the parameters that it reads itself; a step is
 * differentiated by sum(gradient * v), and nothing of a pass is kept for later (refine_learn.c).
 *
 * A guide may refine several times in a run (statements one after the other, one in a loop): in a nested pass those
 * before are held at what they came to, those behind at where they start.
 */
#ifndef INFER_REFINE_H
#define INFER_REFINE_H

#include "interp/effects.h"

struct Pass;
struct Frame;

typedef enum RefineLoss { REFINE_MEAN, REFINE_LAST } RefineLoss;

/* refine(steps = , through = , loss = ) */
typedef struct RefineOptions {
    bool given, has_steps;
    int64_t steps; /* instead of the range that is written */
    bool through;  /* the steps before are differentiated through, with second derivatives */
    RefineLoss loss;
    Span span;
} RefineOptions;

/* The object refine(...), or a number of steps; raises at what is neither. */
RefineOptions refine_options(Interp *in, Value v, Span at);

/* What a run of the statement has bound. */
typedef struct Refined {
    int64_t steps;
    const Stmt *stmt;
    Value *values; /* by target */
    int ncarried;  /* other names that the body has assigned: by slot of the guide's frame */
    int *carried;
    Value *carried_values;
    int nshares, nelbos; /* of the pass, behind it */
} Refined;

/* A derivative of one pass's ELBO, on its way to the parameters. */
typedef enum ShareKind {
    SHARE_STEP, /* with respect to the values that a step has made, `learned` */
    SHARE_PASS, /* with respect to the parameter `learned`, which the nested pass reads itself */
    SHARE_LAST  /* of the ELBO after the last step with respect to its values: it arrives at `at` */
} ShareKind;
typedef struct Share {
    ShareKind kind;
    Var gradient, learned, at;
    double weight;
} Share;

/* The refinements of one run of a guide. */
typedef struct Refinement {
    Handler handler;
    struct Pass *pass;
    bool nested; /* nothing is refined: statements bind what is given; those behind are left where they start */
    const Refined *given;
    int ngiven;
    Refined *list; /* in the order of evaluation */
    int n, capacity;
    Share *shares;
    int nshares, shares_capacity;
    Var *elbos; /* of the pass before each step: one number, the mean over particles, batches scaled */
    int nelbos, elbos_capacity;
} Refinement;

/* A handler for the guide of pass p, to be pushed around its run. */
void refinement_init(Refinement *r, struct Pass *p);

/* A step at work. */
typedef struct RefineStep {
    const Stmt *stmt;
    int n;
    Value *values, *gradients; /* by target, of the same form */
    struct SiteError *errors;
    int nerrors;
    const struct RefineStep *outer;
} RefineStep;

/* Looks on while a guide refines; `now` holds what the statement would bind after t steps. */
typedef struct RefineWatch {
    void (*see)(struct RefineWatch *w, struct Pass *p, Interp *in, const Refined *now, int64_t t, bool last);
} RefineWatch;

/* gradient(v) and error(site): within the body. */
Value refine_gradient(Interp *in, Value v, Span at);
Value refine_error(Interp *in, const char *name, int nindex, const struct Index *index, Span at);

/* -- Refined values: numbers in records and tuples (refine_values.c) -- */
typedef struct Leaves {
    Array *list;
    int n, capacity;
} Leaves;
void leaves_of(Interp *in, Value v, Leaves *l, Span at); /* appended, in order */
/* v with other numbers, boxed; *next moves on behind those that were taken. */
Value leaves_replace(Interp *in, Value v, const Array **next, Span at);
/* With the axes of all plates at work, each element its own. Particles share them unless they differ already. */
Value leaves_with_axes(Interp *in, Value v, Span at);
/* Through which no gradient flows. What is no number stays as it is. */
Value leaves_constant(Interp *in, Value v);

/* -- Nested passes (refine_look.c) -- */
typedef struct Look {
    struct Pass *p;
    Interp *in;
    RefineStep *step;
    const Refined *now;
    uint64_t number; /* chooses the noise */
    bool learning;   /* derivatives with respect to parameters are wanted too */
    bool apart;      /* the tape at work does not record: derivatives have one of their own, and memory for one pass */
    Leaves leaves;
    Var elbo, *gradient; /* by leaf: of that number */
    int nparams;
    Var *params, *param_gradient; /* of the guide, read in this pass */
} Look;
/* Fills in the step's gradients and errors, and the results above. */
void refine_look(Look *l);
/* The pass alone, as from the top level; the caller keeps the scope. */
void refine_pass(struct Pass *nested, struct Pass *p, Interp *in, const Refined *now, uint64_t number, bool same_tape);

/* -- Learning (refine_learn.c) -- */
void refine_share(Refinement *r, Interp *in, Share one);
/* d y / d params, for the optimizer. y: the ELBO after the last step, one number, perhaps with scores of draws. Where
 * the guide refines, its own parameters (not of_model) follow what the options say. */
void refine_gradients(struct Pass *p, Interp *in, Var y, int n, const Var *params, const bool *of_model, Var *out);

#endif
