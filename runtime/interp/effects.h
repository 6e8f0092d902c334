/* Effects: what a program asks for while it runs, and the stack of handlers that answers.
 *
 *     Handler top = {.sample = my_sample, ...};  effects_push(in, &top);  ... run ...  effects_pop(in, &top);
 *
 * A handler answers an effect or passes it on to `outer` (effect_sample(in, h->outer, site)). At the bottom, variables are
 * drawn forward, observations keep their values, scores are dropped, parameters are read from the latest fit.
 */
#ifndef INTERP_EFFECTS_H
#define INTERP_EFFECTS_H

#include "interp/interp.h"

/* The index tuple of an address, in written order: a plate that runs for all elements (axis) or one index. */
typedef struct Index {
    const Axis *axis; /* NULL: `at` */
    int64_t at;
    int32_t low, high; /* `at` is the index of a plate that runs one by one: over these elements; else 0 */
} Index;

/* Where a nested model stands: `effect[3] ~ varying(2)` runs varying under {"effect", (3)}. */
typedef struct Address {
    struct Address *outer;
    const char *name; /* with the outer names: "effect", "effect.inner" */
    Index index[MAX_INDEX];
    int nindex;       /* with the outer indices */
} Address;

typedef enum Missing { MISSING_NONE, MISSING_SOME, MISSING_ALL } Missing;

typedef struct Site {
    const char *name;       /* without indices: "theta", "effect.mu" */
    Index index[MAX_INDEX]; /* with those of the nested models it stands in */
    int nindex;
    const char *text;       /* for messages; NULL: its address (site_text) */
    Dist *dist;
    bool observed;
    Missing missing;        /* elements of `data`; of a subset, which has others the next time: MISSING_SOME */
    bool gaps;              /* `data` is one of several, some of which are missing */
    bool partly;            /* observed in part, and the rest is read elsewhere: a latent of which some elements are known.
                               Who answers for it clears both this and `observed` */
    Value data;             /* observed: the data at this place (may have missing elements) */
    Value value;            /* the answer: the drawn or given value */
    Span span;              /* of the statement */
    Span value_span;        /* of the target or observed expression */
} Site;

typedef struct ParamSite {
    const char *name;   /* the address: path of calls, then the name */
    const Type *type;   /* its constraint and sizes, or NULL */
    TypeKind kind;
    double low, high;   /* bounds; -inf, inf where none */
    Shape shape;        /* event shape: from sizes, or from the initial value */
    Value init;         /* through param_initial_value(); VALUE_NONE: not evaluated yet, or none written */
    const Stmt *stmt;   /* the statement, in its frame ... */
    struct Frame *frame;
    bool sized;         /* ... which says the shape */
    const Axis *axes[MAX_AXES]; /* plates it stands in: one per element ... */
    int64_t element[MAX_AXES];  /* ... of those that run element by element the one at work, from 1; 0: all at once */
    int naxes;
    double share;       /* above 0: a running average, which moves by this share of the way to `now` in a step; it has no
                           gradient, no optimizer, and no prior where a net is lifted */
    Value now;          /* VALUE_NONE: it does not move here */
    Value value;        /* the answer: the constrained value now, with the axes of those that run at once */
    Span span;
} ParamSite;
/* The plates that run at once; gives how many. */
int param_axes(const ParamSite *p, const Axis **axes);

/* A step of a loop that runs at once reads what an earlier step draws: what is known of it before it is drawn? */
typedef struct Peek {
    const char *name;  /* the variable with the indices of its statement, among them `loop` */
    Index index[MAX_INDEX];
    int nindex;
    const Axis *loop;
    int64_t lag;       /* from 1: how many steps back */
    Value head;        /* the element that stands before the loop's first */
    Value value;       /* the answer: of all steps of the loop, with its axis */
    bool moved;        /* the answer is what each step reads, already moved by the lag */
} Peek;

typedef struct Handler Handler;
struct Handler {
    Handler *outer;
    void (*sample)(Handler *h, Interp *in, Site *site);
    void (*factor)(Handler *h, Interp *in, Value log_density, Span at);
    void (*param)(Handler *h, Interp *in, ParamSite *site);
    void (*record)(Handler *h, Interp *in, const char *name, const Index *index, int nindex, Value value, Span at); /* := */
    /* `refine`; false: not here. */
    bool (*refine)(Handler *h, Interp *in, Frame *f, const Stmt *s);
    /* False: nothing is known. */
    bool (*peek)(Handler *h, Interp *in, Peek *peek);
    /* A loop that could run at once, along this axis, has run step by step since mark(). */
    void (*looped)(Handler *h, Interp *in, const Axis *axis, int mark);
    /* A plate's body starts over element by element: forget what came since mark(). */
    int (*mark)(Handler *h);
    void (*rollback)(Handler *h, int mark);
};

void effects_push(Interp *in, Handler *h);
void effects_pop(Interp *in, Handler *h);
void effect_sample(Interp *in, Handler *h, Site *site); /* h may be NULL: the bottom */
/* Where a loop runs at once: raises, so that it runs step by step. Elsewhere: nothing. */
void loop_refuse(Interp *in, Span at, const char *why);
/* Raises, so that this loop runs step by step. */
_Noreturn void loop_split(Interp *in, const Axis *loop, Span at, const char *why);
bool effect_peek(Interp *in, Handler *h, Peek *peek);
void effect_factor(Interp *in, Handler *h, Value log_density, Span at);
void effect_param(Interp *in, Handler *h, ParamSite *site);
Value param_initial_value(Interp *in, ParamSite *p); /* in the declared shape; VALUE_NONE: none is written */
void effect_record(Interp *in, Handler *h, const char *name, const Index *index, int nindex, Value value, Span at);

const char *site_text(Interp *in, const Site *s); /* "`theta[j]`", "`effect.value[j]`", "the value" of `observe` */
const char *address_text(Interp *in, const char *name, const Index *index, int nindex);

/* -- Distributions at work (dists.c) -- */
/* Draw: the value has the site's axes and the distribution's event shape. `reparameterise`: through rdraw (the family has
 * one), so that gradients flow into the parameters; else the draw is detached from them. */
Value dist_draw_site(Interp *in, Dist *d, const Site *site, bool reparameterise);
/* log density of x, summed over the event (and batch) dimensions of the variable: what is left are axes. With
 * `elementwise` the batch dimensions stay as event dimensions (logpdf(d, x) of the language). */
Value dist_logpdf(Interp *in, const Dist *d, Value x, bool elementwise, Span at);
/* What is missing of an observation is latent from here on. (missing.c) */
void missing_draw(Site *s);
/* The missing elements from `drawn`, the others from the data. */
Value missing_complete(Interp *in, const Site *s, Value drawn);
/* The site's log density at its value; elements where observed data are missing count 0. Checks that observed plain data
 * lie in the support (raises, naming site, value, family). */
Value site_log_density(Interp *in, Site *s);
/* Observed plain data that are impossible whatever is enumerated, or of the wrong shape, raise. */
void site_check_data(Interp *in, const Site *s);
/* Something finite in the place of what is missing in data (some of them), so that no NaN reaches a derivative; `mask`: where.
 * False: all are missing, and `filled` is not set (which of both it is leaves a guard). */
bool fill_missing(Interp *in, Value data, Value *filled, Value *mask, Span at);
Value dist_member(Interp *in, const Dist *d, const char *member, int n, const Value *args, Span at); /* mean, cdf, ...; raises
                          when the family has none */
bool dist_has_member(const Dist *d, const char *member);
/* The divergence of q from p, by batch element (copies are not told apart); VALUE_NONE: it has no closed form. */
Value dist_divergence(Interp *in, Dist *p, Dist *q, Span at);
Shape dist_event_shape(Interp *in, const Dist *d, Span at); /* of one draw, without axes: repeat, batch, support sizes */
/* The same numbers, through which no gradient flows. */
Value value_detached(Interp *in, Value v);
/* Perform a `refine` statement: bind its targets. Raises where nothing refines. Its body is refine_body. */
void effect_refine(Interp *in, Handler *h, Frame *f, const Stmt *s);
/* One step's body, with the step's number. */
void refine_body(Interp *in, Frame *f, const Stmt *s, int64_t step);
Value refine_target(Interp *in, Frame *f, const Target *t);
void refine_assign(Interp *in, Frame *f, const Target *t, Value v);
/* A copy with parameters that let no gradient through. */
Dist *dist_detach(Interp *in, const Dist *d);

/* The gradient of the log density at x with respect to the parameter `loc` or `logits`, in the shape that this has for
 * x; 0 where x is missing. Detached; in->tape records. VALUE_NONE: the distribution has neither. (location.c) */
Value dist_location_error(Interp *in, const Dist *d, Value x, Span at);

/* The support of a distribution, evaluated: what its transform needs. */
typedef struct Support {
    TypeKind kind;     /* TYPE_REAL, TYPE_POSITIVE, TYPE_UNIT, TYPE_INT, TYPE_BOOL, TYPE_SIMPLEX, ... */
    Value low, high;   /* bounds; VALUE_NONE: none. They may be taped and have axes (Uniform(a, b)) */
    int event_rank;    /* dimensions that belong together: 1 for a simplex, 2 for a covariance */
    bool discrete;
} Support;
Support dist_support(Interp *in, const Dist *d, Span at);
Value dist_bound(Interp *in, const Dist *d, bool high); /* one of its bounds alone */
/* The first element of plain x that lies outside, row by row (0 where the bounds decide it, and have more axes); -1: none. */
int64_t dist_outside(Interp *in, const Dist *d, const Support *s, Value x, Span at);
char *support_text(Interp *in, const Support *s); /* "positive reals", "the integers from 0", ... */

#endif
