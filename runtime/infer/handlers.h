/* Handlers: what inference does with the effects of a program.
 *
 * A Trace answers sample, factor and `:=` and writes down what came. How a variable that is not observed gets its value
 * is its policy (`latent`): drawn from the guide, taken from another trace, from a record, from a point in
 * unconstrained space. Addresses are a name and an index tuple, in which a plate that ran for all elements stands as
 * its axis.
 */
#ifndef INFER_HANDLERS_H
#define INFER_HANDLERS_H

#include "interp/effects.h"

typedef enum EntryKind { ENTRY_SAMPLE, ENTRY_FACTOR, ENTRY_RECORD } EntryKind;

typedef struct Entry {
    EntryKind kind;
    const char *name; /* NULL: a factor. Lives in the arena of the run */
    Index index[MAX_INDEX];
    int nindex;
    bool observed;
    bool branch;       /* in one branch of an `if` of which both ran: the other may draw it too */
    bool some;         /* elements are known, and data (Site.partly): `log_density` is that of the others */
    bool closed;       /* `log_density` is the divergence from the prior, which has none (closed.h) */
    const Axis *summed; /* a discrete latent summed out (summing.h): `value` has this axis, or is its probabilities */
    Dist *dist;        /* ENTRY_SAMPLE */
    Value value;       /* what was drawn, given or recorded */
    Value log_density; /* what is left are axes; VALUE_NONE: not scored */
    Value log_score;   /* log q to be differentiated, of draws that no gradient flows through; VALUE_NONE elsewhere */
    Span span, value_span;
} Entry;

typedef struct Trace Trace;
/* Sets site->value, and e->log_density where the trace scores. */
typedef void (*TracePolicy)(Trace *t, Interp *in, Site *site, Entry *e);

struct Trace {
    Handler handler;
    Interp *in;
    Entry *entries;
    int n, capacity;
    int *table;           /* open addressing: place of an entry + 1 */
    int ntable;           /* a power of two; 0: none yet */
    bool score;           /* log densities are wanted */
    TracePolicy latent;   /* NULL: drawn forward from the model, scored if `score` */
    TracePolicy again;    /* an entry in its other branch; NULL: the same value, and the density there */
    void (*rolled_back)(Trace *t); /* entries were dropped; may be NULL */
    void (*looped)(Trace *t, Interp *in, const Axis *axis, int mark); /* effects.h; may be NULL */
    bool (*imputes)(Trace *t, const Site *site); /* is what is missing of this observation latent, though the program does not
                                                    read it elsewhere? NULL: never */
    bool (*partly)(Trace *t, Interp *in, Site *site, Entry *e); /* a latent of which some elements are known, as a whole;
                                                                   NULL or false: element by element */
    bool (*peek)(Trace *t, Interp *in, Peek *p); /* a latent before it is drawn (effects.h); NULL: nothing is known */
    TracePolicy observed; /* NULL: data keep their values (missing elements are drawn) */
    void *self;           /* of the policies */
};

/* An empty trace; push it with trace_push, run, then trace_pop. Entries live in in->arena. */
void trace_init(Trace *t, Interp *in, bool score, TracePolicy latent, void *self);
void trace_push(Trace *t);
void trace_pop(Trace *t);

/* The site as an entry, without a value or densities yet. */
Entry entry_of(const Site *s);
/* One more, at the end; it may move with the next. */
Entry *trace_add(Trace *t, const Entry *e);
/* The entry at exactly this address, NULL: none. Observations without a name (observe e ~ D) are never found. */
const Entry *trace_find(const Trace *t, const char *name, const Index *index, int nindex);
/* Does any latent of this name stand here? */
const Entry *trace_find_name(const Trace *t, const char *name);
/* The value at the address, put together where this trace ran a plate element by element and the asker runs it at once,
 * or the other way round. VALUE_NONE: there is none. */
Value trace_value(const Trace *t, const char *name, const Index *index, int nindex, Span at);

/* Where both branches of an `if` run (in->given), `value` counts where this one is taken, `otherwise` elsewhere. */
Value value_given(Interp *in, Value value, Value otherwise, Span at);

/* A policy: draw forward from the site's own distribution, without gradients. */
void trace_draw_forward(Trace *t, Interp *in, Site *site, Entry *e);
/* Policies for observations: they keep their values; draw them anew. */
void trace_keep_data(Trace *t, Interp *in, Site *site, Entry *e);
void trace_draw_anew(Trace *t, Interp *in, Site *site, Entry *e);

/* What stands at the address in a whole variable, whose leading dimensions are the address's indices. */
Value address_read(Interp *in, Value whole, const Index *index, int nindex, Span at);
/* A field of nested records by qualified name: "effect.mu"; VALUE_NONE: none. */
Value record_read(Value record, const char *name);
/* Put a variable together from its entries: leading dimensions are the indices. VALUE_NONE when it is not there. */
Value trace_assemble(const Trace *t, const char *name, Span at);
/* All latents, observed sites with names, and recorded values, as nested records. `what`: which of them. */
enum { TRACE_LATENT = 1, TRACE_OBSERVED = 2, TRACE_RECORDED = 4, TRACE_SUMMED = 8 /* latents too */ };
unsigned entry_kind(const Entry *e); /* one of them, or 0: a factor, or an observation without a name */
Value trace_record(const Trace *t, unsigned what, Span at);
/* Names with dots become nested records. The values are at the same places. */
Value record_nest(Interp *in, int n, const char *const *names, const Value *values);

/* -- Sums of log densities, added pairwise -- */
typedef struct Terms {
    const Axis *kept; /* a plate that stays, unscaled; NULL: none */
    Var *list;        /* rank 0, or [particles], [particles, kept] */
    int n, capacity;
} Terms;
/* All axes but `particles` (may be NULL) and the kept one are summed. */
void terms_add(Terms *t, Interp *in, Value v, const Axis *particles);
Var terms_total(const Terms *t, Interp *in); /* 0 when there are none */

#endif
