/* Values of the language.
 *
 * A Value is two words, passed by copy. Single plain numbers are held in place; everything else lives in the arena at
 * work (interp.h) and is immutable once made (but for Cells, which belong to one slot).
 *
 * Arrays have an event shape and named axes. An axis is an identity: this plate, the particles, a variable that is summed
 * out. Operations align axes by identity and broadcast event shapes as NumPy does; below, the tape sees dense dimensions:
 * first one per axis, by Axis.order, then the event's.
 */
#ifndef INTERP_VALUE_H
#define INTERP_VALUE_H

#include "lang/tree.h"
#include "tape/tape.h"

typedef enum ValueKind {
    VALUE_NONE,     /* a slot not yet bound; an argument left out */
    VALUE_NOTHING,  /* what a statement gives */
    VALUE_NUMBER,   /* one plain number (or bool) that no tape and no axis knows of */
    VALUE_ARRAY,
    VALUE_STRING,
    VALUE_RANGE,    /* first..last, integers */
    VALUE_TUPLE,
    VALUE_LIST,     /* a list whose items do not form an array: distributions, functions, ragged arrays */
    VALUE_RECORD,
    VALUE_CELLS,    /* an array that is being filled element by element; only ever in slots */
    VALUE_FUNCTION, /* fn, net, model, guide, lambda, with its environment */
    VALUE_CALL,     /* a model or guide with its arguments, not yet run: vae(images) */
    VALUE_BUILTIN,
    VALUE_FAMILY,   /* a `dist`: call it to get a distribution */
    VALUE_DIST,
    VALUE_OBJECT    /* fits, methods, optimizers ...: things of the layers above */
} ValueKind;

typedef enum AxisKind {
    AXIS_PLATE,
    AXIS_LOOP, /* the steps of a `for` that run all at once (loop.c): as a plate, but steps may depend on the ones before */
    AXIS_PARTICLE,
    AXIS_ENUM,
    AXIS_EVENT /* a batch dimension of a distribution, for a while */
} AxisKind;

typedef struct Axis {
    AxisKind kind;
    const char *name;  /* plates: qualified by the nested model they stand in: "effect.j" */
    int64_t first, size; /* the indices are first .. first + size - 1 */
    int order;         /* position among the dimensions: particles, plates from outer to inner, enumerated, event */
    int64_t population; /* AXIS_PLATE: elements in all; more than `size` where a random subset (a batch) is at work */
    const struct Axis *const *within; /* AXIS_ENUM: the plates of the variable, one variable per element */
    int nwithin;
    int line;          /* AXIS_ENUM: of the statement that draws it, for messages */
} Axis;

static inline bool axis_repeats(const Axis *a) { return a->kind == AXIS_PLATE || a->kind == AXIS_LOOP; }
static inline bool axis_is_subset(const Axis *a) { return a->population > a->size; }

enum { MAX_AXES = 8 };

typedef struct Array {
    Var var;                /* shape: axes..., event... */
    int naxes;
    const Axis *axes[MAX_AXES];
    bool boolean;           /* made of true and false: a mask when it indexes */
    bool missing;           /* NaN among the numbers means missing */
    const Axis *index_of;   /* the numbers are exactly the indices of this axis */
} Array;

typedef struct Value {
    ValueKind kind;
    bool boolean; /* VALUE_NUMBER: true or false */
    union {
        double number;
        Array *array;
        struct String *string;
        struct Range *range;
        struct List *list; /* tuples and lists */
        struct Record *record;
        struct Cells *cells;
        struct Closure *closure;
        struct Call *call;
        const struct Builtin *builtin;
        struct Family *family;
        struct Dist *dist;
        struct Object *object;
    } u;
} Value;

typedef struct String { const char *text; size_t length; } String;
typedef struct Range { int64_t first, last; } Range;       /* last < first: empty */
typedef struct List { Value *items; int n; } List;
typedef struct Record { const char **names; Value *values; int n; } Record; /* names interned or literal: compare with strcmp */

typedef struct Frame Frame;
struct Frame {
    Frame *outer;            /* the environment of a lambda or local function; NULL at the top */
    const Function *function;
    Value *slots;
    int nslots;
    const char *param_path;  /* the path of calls so far, for the addresses of parameters; NULL where it begins */
    bool in_net;             /* a net is on that path: nets called here have parameters of their own */
    int nplates;             /* nets: plates at work around the call; its parameters are the same for their elements ... */
    const struct PlateRound *round; /* ... and for those of the ones that run element by element, from this one outwards */
    Value result;            /* of `return` */
    struct PlateSeen *plates; /* models and guides: the plates run so far, outside loops (plate.c) */
    int rounds;              /* plates at work element by element */
    uint64_t born;           /* frames are numbered as they are made; a copy is the same frame */
};

typedef struct Closure {
    const Function *function;
    Frame *environment;     /* NULL where it needs none */
    const char *param_path; /* of the frame that made it: calls in a lambda belong to where it was written */
    bool in_net;
    struct Lifted *lifted;  /* a net whose parameters are random variables (lift.c); NULL */
} Closure;
typedef struct Call { Closure *closure; Value *arguments; int n; } Call; /* by parameter, complete */

/* Being filled: by explicit index (a list that grows) or by a plate that runs for all elements at once. Nested for
 * several indices: y[i, t] in a plate over i is an AXIS of a LIST. */
typedef struct Cells {
    const Axis *axis; /* the plate, while it runs; then `items[0]` is the element with that axis. NULL: a list */
    Value *items;     /* items[k] is element k + 1; VALUE_NONE: not yet set */
    int n, capacity;
    int64_t skip;     /* items[0] is element skip + 1: of a list within an axis, the first ones are in its `before` */
    int64_t rows;     /* > 0: y[i, t] by column, items[k] is y[1..rows, k + 1] */
    Value before;     /* with an axis: what was filled before the plate, the elements up to its first or columns; or VALUE_NONE */
    Value base;       /* what the elements not yet set are read from (data being drawn anew), or VALUE_NONE */
    Value whole;      /* cache of the assembled array, VALUE_NONE when stale */
    const Axis *loop; /* a list: what follows its items was set by a loop all at once; NULL: nothing */
    Value steps;      /* ... and is this, with that axis */
} Cells;

/* A family of distributions, declared by `dist` (the library's are in stdlib/). */
typedef struct Family {
    const DistDecl *decl;
    const Function *logpdf, *draw, *rdraw, *check; /* NULL where the declaration has none */
    bool reparameterised;                          /* has rdraw() */
    bool discrete;
} Family;

/* A distribution: a family with its parameters. */
typedef struct Dist {
    const Family *family;
    Value *params;      /* by parameter of the declaration: numbers or arrays */
    Shape repeat;       /* D[20], D[H, D]: leading axes of copies */
    Span span;          /* of the expression that made it */
    Value drawn, drawn_density; /* the latest draw with its log density, where rdraw() gave both; VALUE_NONE */
    uint64_t drawn_at;          /* they are there while this is in->renewals */
} Dist;

/* Things of the layers above: fits, methods, optimizers. */
typedef struct Interp Interp;
typedef struct ObjectType {
    const char *name; /* "fit", "optimizer" */
    /* fit.theta; VALUE_NONE when there is no such field (then `fields` helps the message). May be NULL. */
    Value (*get)(Interp *in, void *data, const char *field);
    int (*fields)(void *data, Arena *a, const char ***names);
    /* As `print` shows it. */
    void (*show)(Interp *in, void *data, struct Buf *out);
    /* Carry over to a longer-lived arena (a global). NULL: data is not in an arena. */
    void *(*keep)(Interp *in, void *data, Arena *to);
} ObjectType;
typedef struct Object { const ObjectType *type; void *data; } Object;

static inline Value value_none(void) { return (Value){VALUE_NONE}; }
static inline Value value_nothing(void) { return (Value){.kind = VALUE_NOTHING}; }
/* In single precision whole numbers stay exact, since they count and index; others are rounded, as in arrays. */
static inline double number_round(double x) { return x == __builtin_rint(x) ? x : (real)x; }
static inline Value value_number(double x) { return (Value){VALUE_NUMBER, .u.number = number_round(x)}; }
static inline Value value_bool(bool b) { return (Value){VALUE_NUMBER, .boolean = true, .u.number = b}; }
const char *value_kind_name(Value v); /* "a number", "an array [3, 2]" is value_describe; this: "number", "record" */

#endif
