/* Inference: what `infer(...)`, the methods and the functions on fits do.
 *
 *     interp = interp_new(ctx, (const Builtin *const *const[]){infer_builtins, NULL});
 *     infer_attach(interp, &settings);
 *     interp_run_module(interp, module);
 *     infer_default(interp, module);      // a file with one model and no infer
 *
 * A fit is a VALUE_OBJECT of fit_type; fit_report gives what the command prints.
 */
#ifndef INFER_INFER_H
#define INFER_INFER_H

#include "interp/interp.h"

extern const Builtin *const infer_builtins[]; /* tables; ends with NULL */

/* The options of infer(...) in the order of their positions behind the model; ends with a row without a name. */
typedef struct InferOption {
    const char *name, *help;
} InferOption;
extern const InferOption infer_options[];

extern const ObjectType fit_type;

/* One live line of progress; called at most some ten times a second, and at the end (`done`). */
typedef struct Progress {
    const char *method;  /* "svi" */
    const char *model;
    long step, steps;    /* steps: the limit; 0: unknown */
    long epoch, epochs;  /* where plates run in batches; 0: not so; epochs: 0: no limit */
    double objective;    /* a running mean of the ELBO (or what the method maximises); NaN: none */
    bool by_element;     /* of the plate that runs in batches: the objective is divided by their number */
    double rate;         /* of the optimizer, where a schedule changes it; else NaN */
    double seconds, speed, left; /* since the start; steps per second; estimated; NaN: unknown */
    bool done;
} Progress;

typedef struct InferSettings {
    void *self;
    void (*on_progress)(void *self, const Progress *p); /* NULL: none */
} InferSettings;

void infer_attach(Interp *in, const InferSettings *settings);
void infer_detach(Interp *in);

/* The default inference: when the module has no `infer` and finished no fit, take its one model that needs no argument and
 * is called by no other. Gives the fit, or VALUE_NONE when there is no model; raises when there are several. */
Value infer_default(Interp *in, const Module *m);

/* How the discrete latents of a model would be inferred, one line each: by default, or with the module's guide for it
 * when that takes no arguments. The module's definitions and data have run. 0 lines for a model that takes arguments, is
 * called by others, or has none. */
int infer_discrete_lines(Interp *in, const Module *m, const Stmt *model, Arena *a, const char ***lines);

/* -- Reports -- */
typedef struct FitVariable {
    const char *name;      /* "theta", "effect.mu" */
    Shape shape;           /* of one draw */
    bool summed_out;       /* a discrete variable: `mean` holds probabilities, last axis the support */
    const double *mean, *sd, *q5, *q50, *q95, *ess, *rhat; /* shape_size numbers each, row by row; NaN: not given; NULL:
                                                              as a whole, of what was summed out all but `mean` */
    const real *draws;     /* [ndraws, shape...], or NULL */
    long first;            /* summed_out: the first value of the support */
} FitVariable;

typedef struct FitReport {
    const char *model, *method, *guide; /* guide: "auto_mvn", "q" or NULL */
    long steps;
    double seconds;
    double flops;               /* of the matrix products of a step of training; NaN */
    const char *stop;           /* "converged", "steps", "interrupted", "exact", ... */
    double elbo, elbo_mcse, khat, log_evidence, log_density; /* NaN: the method does not give it */
    const char *verdict;        /* one line: can it be trusted, and what to do if not */
    bool reliable;              /* false: --strict exits 3 */
    bool interrupted;
    long ndraws;
    const FitVariable *variables;
    int nvariables;
    const char **notes;         /* how discrete variables were treated, and the like */
    int nnotes;
} FitReport;

const FitReport *fit_report(Value fit);

#endif
