/* Fits: what an inference leaves behind, the methods that make them, and the state of a session. */
#ifndef INFER_FIT_H
#define INFER_FIT_H

#include "infer/checkpoint.h"
#include "infer/descent.h"
#include "infer/draws.h"
#include "infer/infer.h"
#include "infer/objective.h"
#include "infer/pair.h"

/* A fit goes when nothing refers to it any more: the arenas that hold a value of it, and the session. What is borrowed from
 * its arena (draws as arrays) goes with the arena that it is in, or is copied where value_keep carries it over. */
typedef struct Fit {
    Interp *in;
    Arena *arena;
    int references;
    struct Fit *older; /* of the session's */
    FitReport report; /* what the method says; variables follow when they are asked for */
    bool summarised;
    Pair *pair;         /* model, guide and parameters; for functions that take the fit */
    ParamStore *params; /* may be empty */
    DrawStore draws;
    double ess;    /* of the draws; NaN: as many as there are */
    bool point;    /* one point, not a distribution (map) */
    double *trace; /* the objective at every step */
    long ntrace, trace_capacity;
    double *held_out; /* per element, and after which step: [nheld_out] each */
    double *held_out_steps;
    long nheld_out, held_out_capacity;
    char **notes;
    int notes_capacity;
} Fit;

/* -- Methods and what they are made of; all are objects of the language -- */
typedef struct Job Job;
typedef struct Method {
    const char *name;
    void (*run)(Job *job);
    bool point;  /* goes by a point of highest density: takes no guide, nothing is drawn */
    bool weighs; /* runs are weighed: without a guide the prior is one */
} Method;

typedef struct MethodChoice {
    const Method *method;
    double number; /* map(restarts = ), importance(n) */
    Objective objective;
    Baseline baseline;
    bool has_optimizer;
    OptimizerChoice optimizer;
} MethodChoice;

extern const Method method_svi, method_map, method_laplace, method_importance, method_exact;
MethodChoice method_default(void);

extern const ObjectType refine_type, method_type, optimizer_type, objective_type, schedule_type;

typedef struct ProgressState {
    bool begun;
    long first_step; /* the first that was told of, and when */
    double first_time, last_report;
    double last_look, stride; /* at the clock; calls from one look to the next */
    long wait;                /* calls until then */
    double objective; /* a running mean */
} ProgressState;

/* One call of infer. */
struct Job {
    Interp *in;
    Fit *fit;
    Pair *pair;
    MethodChoice choice;
    DescentRule *rules; /* the run's optimizer, then those by path */
    int nrules;
    Span rules_span;
    struct Checkpoint *checkpoint;      /* NULL: none */
    const Call *held_model, *held_guide; /* NULL: nothing is held out */
    Span held_span, every_span;
    long every;    /* epochs, or steps; 0: not said */
    long patience; /* 0: never stop early */
    long steps; /* -1: until nothing improves */
    long epochs;           /* 0: steps count */
    long ndraws;
    uint64_t seed;
    Span span;
    double start_time; /* clock */
    ProgressState progress;
};

/* The methods' parts: they fill job->fit. */
void svi_run(Job *job);
void map_run(Job *job);
void laplace_run(Job *job);
void importance_run(Job *job);
void exact_run(Job *job);

/* -- The session -- */
typedef struct InferState {
    Interp *in;
    InferSettings settings;
    Handler bottom; /* gives bare calls the parameters of the latest fit */
    Fit *latest;    /* then `older`: those that learned parameters which none after them has; each is referred to */
    uint64_t calls; /* of simulate and the like: each has its own randomness */
} InferState;
static inline InferState *infer_state(Interp *in) { return in->infer; }

Fit *fit_new(Interp *in); /* in->arena refers to it */
Fit *fit_of(Interp *in, Value v, Span at); /* raises when it is none */
Value fit_value(Interp *in, Fit *f);
void fit_hold(Fit *f, Arena *a); /* `a` refers to it until it is reset */
void fit_release(void *f);
void session_take_fit(Interp *in, Fit *f); /* it is the latest from here on: session.c */
void fit_note(Fit *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fit_trace_add(Fit *f, double objective);
void fit_held_out_add(Fit *f, long step, double value);

/* -- Ways that several methods share -- */
double clock_seconds(void);
/* progress.c: says how far it is, some ten times a second (a call costs some 30 ns); true: the user has interrupted. */
bool job_progress(Job *job, long step, long steps, double objective);
/* Fresh draws from guide and model: elbo, its error, k-hat, draws of all variables; sets the verdict. */
void fit_take_draws(Job *job, long ndraws);
/* The verdict on draws with this k-hat from so many of them; `sd` of log p - log q (NaN: of weights without a meaning).
 */
void fit_judge(Fit *f, double khat, long n, double sd, const char *remedy);

#endif
