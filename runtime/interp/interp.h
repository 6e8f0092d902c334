/* The interpreter: walks the tree, computes on the tape at work, performs effects on the innermost handler.
 *
 * It knows nothing of inference. What `x ~ D` means is up to the handlers (effects.h). One Interp is one session: its
 * globals outlive the statements; everything made while a statement (or a step of inference) is evaluated lives in
 * in->arena, which the one who runs the statement resets.
 */
#ifndef INTERP_INTERP_H
#define INTERP_INTERP_H

#include "base/strings.h"
#include "interp/value.h"
#include "lang/lang.h"

struct Handler;
struct Index;
struct ParamSite;

/* Arguments of a builtin, matched to its signature: values[k] is VALUE_NONE where it was left out; `rest` are those of
 * "...". */
typedef struct Args {
    Value *values;
    int n;
    Value *rest;
    const char **rest_names; /* NULL entries: by position */
    int nrest;
    Span span;               /* of the call */
    const Span *spans;       /* of each of the n values; SPAN_NONE where left out */
} Args;

/* A function written in C. Tables of these stand at the foot of the files that implement them. */
typedef struct Builtin {
    const char *name;
    const char *signature; /* "(x, dim = )": parameter names; `=` behind those that may be left out; last "..." any more */
    Value (*call)(Interp *in, const Args *args);
    const char *doc;       /* one line */
    int op;                /* call NULL: the elementwise operation that this is */
} Builtin;

typedef struct Hooks { /* how the layers above take part; all may be NULL */
    void *self;
    void (*print)(void *self, const char *text);                       /* a print statement's line */
    void (*fit_finished)(void *self, Value fit);
    Value (*model_logpdf)(Interp *in, const Call *call, Value record, Span at); /* logpdf(m, record): infer/ sets it */
    /* error(x[i]) in the body of `refine`; nindex 0: x alone. infer/ sets it */
    Value (*site_error)(Interp *in, const char *name, int nindex, const struct Index *index, Span at);
    bool (*param)(Interp *in, struct ParamSite *site); /* parameters outside an inference: infer/ sets it; false: unknown */
} Hooks;

/* Plates that run on a random subset of their elements; how the subset is chosen is up to the layer above. */
typedef struct PlateBatch {
    const char *plate; /* qualified name */
    int64_t size;      /* elements at most */
    int64_t now;       /* in the step at work (the last batch of an epoch may be smaller) */
    int64_t population, first; /* of the plate, as it was met last; population 0: not yet */
    int64_t offset;    /* of its elements' indices in the input vector */
    bool met;          /* such a plate has run */
} PlateBatch;
typedef struct Batches {
    PlateBatch *list;
    int n;
    int slot; /* of the input vector (tape.h) that holds the indices */
} Batches;

/* Parameters are being learned ... */
typedef enum TrainingMode {
    TRAINING_NONE,
    TRAINING_WHOLE, /* ... by a search that needs one function: statistics are those of the data, nothing is noisy */
    TRAINING_STEPS  /* ... step by step: dropout is at work too */
} TrainingMode;

/* A plate that runs element by element. */
typedef struct PlateRound {
    const struct PlateRound *outer;
    const Axis *axis;   /* as if it ran for all at once */
    int64_t at;         /* the element at work: its index */
    int nplates;        /* of those at work at once, these are around it */
    const Value *index; /* the slot of its index */
    int64_t first, last;
} PlateRound;

struct Interp {
    Ctx *ctx;
    Globals *names;
    Value *globals;        /* by slot of lang_global */
    int nglobals;
    Value *library;        /* by number of lang_library; VALUE_NONE: not used so far */
    Arena *keep;           /* lives as long as the session; each global has its own within it */
    Arena *arena;          /* of the statement or step at work */
    Tape *tape;            /* the tape at work; not recording at top level. Its arena is in->arena */
    const Tape *plain;     /* that of the statement at work, or of the loop in it that lets go of memory (loop_memory.c) */
    uint64_t renewals;     /* how often the statement's arena has been let go of */
    uint64_t frames;       /* made so far */
    struct Handler *handler; /* innermost; NULL: draws are drawn forward, scores are dropped */
    const Axis *plates[MAX_AXES]; /* the axes at work: particles, plates that run for all elements at once */
    int nplates;
    struct Address *address; /* of the nested model at work: effects.h */
    struct DrawSite *draw;   /* the variable being drawn: effects.h */
    const Axis *split;       /* with ERROR_ELEMENTWISE: what must be run element by element; with ERROR_COSTLY: drawn */
    Value given;             /* both branches of an `if` run: the elements for which the one at work counts; else VALUE_NONE */
    const Axis *selecting;   /* both branches of an `if` run, whose condition differs between its elements; NULL: none does */
    const struct PlateRound *round; /* the innermost plate that runs element by element */
    uint64_t draw_count;     /* of bare draws in this statement */
    int depth;               /* of calls */
    bool in_library;         /* a function of the standard library is at work ... */
    Span entered;            /* ... which the program called here */
    const Builtin **builtins;
    int nbuiltins;
    Hooks hooks;
    TrainingMode training;
    int width;               /* characters of a line where output goes; 0: unknown */
    bool full_print;         /* print never abbreviates: --json, or not a terminal */
    bool whole_summaries;    /* nor do summaries of fits: --json */
    struct RefineStep *refining; /* the step of a `refine` at work (infer/refine.c), for gradient(v) */
    Batches *batches;        /* NULL: all plates run whole */
    const char *const *elementwise; /* plates and loops that are to run element by element */
    int nelementwise;
    struct LoopRun *loop;    /* the innermost loop that runs at once: internal.h */
    bool at_once;            /* loops may run for all their steps at once: values are known before they are drawn */
    Value *overlay;          /* data that the run at work draws anew, by global slot; NULL: none */
    struct AxisTable *axes;  /* axes are interned: the same plate is the same pointer in model and guide */
    int dist_level;          /* members of distributions at work, one inside the other */
    uintptr_t stack_base;    /* where the C stack stood when evaluation began */
    size_t stack_limit;      /* bytes of it that evaluation may use */
    struct Session *session; /* private to session.c */
    void *infer;             /* the state of the layer above (latest fit, ...) */
};

/* `layers`: the tables of each layer above. This list, each layer's list of tables end with NULL, a table with a row without
 * a name. The interpreter's own builtins are added. */
Interp *interp_new(Ctx *c, const Builtin *const *const *layers);
void interp_free(Interp *in);
/* Make the embedded standard library known, before any other source; its definitions are loaded when they are used (and
 * raise if they are wrong). */
void interp_load_stdlib(Interp *in);

/* The axis with these properties; the same pointer each time. */
const Axis *axis_intern(Interp *in, AxisKind kind, const char *name, int64_t first, int64_t size, int order);
/* The elements of a plate that runs on a subset: their indices, [size]. */
Var axis_elements(Interp *in, const Axis *axis);
Value axis_index(Interp *in, const Axis *axis); /* the same as the value of the plate's index */

/* Data by name, given before the module that declares them runs. */
void interp_supply_data(Interp *in, const char *name, const Tensor *value, bool has_missing);
/* Run one top-level statement / all of a module (each statement's arena is reset behind it). Errors are raised. */
void interp_run_statement(Interp *in, const Stmt *s, Value *result);
void interp_run_module(Interp *in, const Module *m);
/* Between statements: the global is a copy of v from here on. */
void interp_bind(Interp *in, int slot, Value v);

/* -- For builtins and the layers above -- */
Value interp_call(Interp *in, Value callee, int n, const Value *args, Span at);
/* Run the body of a model or guide call under the handlers at work; gives its return value. `prefix` may be NULL. */
Value interp_run_call(Interp *in, const Call *call, Span at);
/* Carry a value over to a longer-lived arena. Taped arrays become plain. */
Value value_keep(Interp *in, Arena *to, Value v);
/* What the library, or else a builtin, has of this name, whatever the program calls so; VALUE_NONE if there is none. */
Value interp_lookup(Interp *in, const char *name);

/* -- Making values (in in->arena) -- */
Value value_string(Interp *in, const char *text, size_t n);
Value value_tensor(Interp *in, const Tensor *t);                  /* plain, no axes */
Value value_var(Interp *in, Var v, int naxes, const Axis *const *axes); /* rank-0 constants become numbers */
Value value_list(Interp *in, ValueKind kind, int n, const Value *items); /* VALUE_TUPLE or VALUE_LIST, copies */
Value value_record(Interp *in, int n, const char *const *names, const Value *values);
Value value_object(Interp *in, const ObjectType *type, void *data);
Value record_get(Value record, const char *name); /* VALUE_NONE: none */

/* -- Reading values; `what` names the thing in the message: "the number of steps". They raise at `at`. -- */
Array value_array(Interp *in, Value v, Span at, const char *what); /* numbers, arrays, ranges, rectangular lists */
double value_to_number(Interp *in, Value v, Span at, const char *what);  /* one plain number; a taped one leaves a guard;
                                                                              one with axes asks for element by element */
int64_t value_to_int(Interp *in, Value v, Span at, const char *what);
bool value_to_bool(Interp *in, Value v, Span at, const char *what);
const char *value_to_string(Interp *in, Value v, Span at, const char *what);
bool value_is_numeric(Value v);   /* number, array, range */
Shape value_event_shape(Interp *in, Value v, Span at);
char *value_describe(Interp *in, Value v); /* for messages: "a number", "an array of shape [3, 2]", "a function" */
void value_show(Interp *in, Value v, Buf *out, bool full); /* as `print` shows it; full: never abbreviated */

/* -- Arithmetic with axes (array.c) -- */
Value array_apply(Interp *in, Op op, int n, const Value *args, Span at); /* elementwise: aligned, broadcast */
Value array_binary(Interp *in, BinaryOp op, Value a, Value b, Span at);
/* Reduce the event dimension `dim` (from 1), or all of them (dim 0); axes stay. */
Value array_reduce(Interp *in, Op op, Value v, int dim, Span at);
/* Reduce an axis away (sum over a plate, mean over particles is the caller's division). */
Value array_reduce_axis(Interp *in, Op op, Value v, const Axis *axis, Span at);
Value array_index(Interp *in, Value base, int n, const Value *indices, const Span *spans, Span at); /* VALUE_NONE: `:` */
Value array_from_items(Interp *in, int n, const Value *items, Span at); /* [a, b, c]: an array if they agree, else a list */
Value array_matmul(Interp *in, Value a, Value b, Span at);
/* The same axes for all, event dimensions untouched: out[k] has shape [union of axes (1 or full)..., event_k...], expanded
 * when `expand`. Gives the number of axes. The way into axis-free tape operations (matmul, cholesky, concat ...). */
int array_align(Interp *in, int n, const Array *arrays, bool expand, Var *out, const Axis **axes);
Value array_expand_axes(Interp *in, Value v, int naxes, const Axis *const *axes); /* give it these axes too, in any order */
/* An axis becomes the first event dimension (leaving a plate), and back. */
Value array_axis_to_event(Interp *in, Value v, const Axis *axis);
Value array_event_to_axis(Interp *in, Value v, const Axis *axis, Span at);

#endif
