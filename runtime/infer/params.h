/* Learned parameters by address: one vector of unconstrained values, and the handler that gives them to a program.
 *
 * A parameter that is met for the first time is appended, with its declared initial value (or, where there is none, 0
 * in unconstrained space: 1 for a positive one). Readers on a recording tape see the vector as input SLOT_PARAMS.
 */
#ifndef INFER_PARAMS_H
#define INFER_PARAMS_H

#include "dist/constraint.h"
#include "interp/effects.h"

typedef struct ParamInfo {
    const char *name;
    ConstraintKind kind;
    double low, high;
    int naxes;
    const Axis *axes[MAX_AXES];
    Shape event, shape, free; /* shape: axes, then event; free: of the unconstrained values */
    bool *started;            /* by element of the axes, row by row: has it met its initial value? NULL: all have */
    int64_t offset, size;     /* in the vector */
    double share;             /* above 0: a running average, moved by descent_follow */
    Span span;
} ParamInfo;

typedef struct ParamStore {
    Interp *in;
    Arena *arena;
    ParamInfo *list;
    int n, capacity;
    real *values;
    const real *read; /* where readers find them, for a while, instead of in `values`; NULL: there */
    int64_t size, reserved;
    int generation;                /* rises when parameters are added: `values` may have moved */
    const struct ParamStore *from; /* initial values are taken from here first; may be NULL */
    const char *file;              /* these were loaded from it, and it must have all that are asked for; NULL */
} ParamStore;

void params_init(ParamStore *s, Interp *in, Arena *arena);
ParamStore *params_copy(const ParamStore *s, Arena *arena); /* names, layout and values */
int params_find(const ParamStore *s, const char *name);     /* its place, or -1 */
/* The same for a program that asks; raises where the file that they were loaded from lacks it. */
int params_known(const ParamStore *s, Interp *in, const ParamSite *site);
/* What follows from kind and shape: `free`, `size`. */
void params_measure(Interp *in, ParamInfo *p);
/* One more, measured, with values[size] in unconstrained space; its name is copied, its offset filled in. */
void params_append(ParamStore *s, ParamInfo p, const real *values);
/* The constrained value now, plain, in in->arena. */
Value params_value(const ParamStore *s, Interp *in, int k);
/* The same where a program asks for it: of the elements at work. Raises where it was learned with another shape. */
Value params_site_value(const ParamStore *s, Interp *in, int k, const ParamSite *site);
/* All as nested records. */
Value params_record(const ParamStore *s, Interp *in);

/* What a running average was told to follow: the way there, without axes. */
typedef struct Follow {
    int param;
    Var way;
} Follow;

/* The handler; parameters are read once per run. */
typedef struct ParamReader {
    Handler handler;
    ParamStore *store;
    bool frozen;   /* unknown parameters are passed on */
    bool constant; /* what is read from now on is a constant to derivatives */
    bool in_model; /* what is read from now on belongs to the model */
    bool *of_model; /* by parameter: read by the model */
    Var *inputs;   /* by parameter: its stretch of the vector; without a value: not read yet */
    Value *values; /* the same constrained, for all elements; VALUE_NONE: not read so */
    int capacity;
    Follow *follows; /* in the order of the run; a layer that is applied twice follows twice */
    int nfollows, follows_capacity;
} ParamReader;
void params_push(ParamReader *r, ParamStore *s, Interp *in);
void params_pop(ParamReader *r);
/* What the other has read on this tape counts as read here too. */
void params_share(ParamReader *r, const ParamReader *other);
/* The unconstrained input of parameter k in this run; false: it was not read. */
bool params_input(const ParamReader *r, int k, Var *input);
/* From the running average k to what it follows in this run (the mean, where it follows several); false: nothing. */
bool params_way(const ParamReader *r, int k, Var *way);

#endif
