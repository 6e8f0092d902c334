/* Discrete latents summed out: which variables, the axes they become while the model runs, and what is known of them
 * afterwards.
 *
 * A latent of finite support that the guide does not draw takes all its values at once, along an axis of its own
 * (AXIS_ENUM). What a run cannot do with such a value (it decides a loop bound, say) is learned: the variable is drawn
 * from then on, or its plate runs element by element.
 */
#ifndef INFER_SUMMING_H
#define INFER_SUMMING_H

#include "infer/eliminate.h"
#include "infer/handlers.h"

typedef struct SumNote {
    const char *name, *why;
    bool costly; /* it could be summed out, at too high a cost */
} SumNote;

/* What has been learned; lives with the pair. */
typedef struct SumPlan {
    Arena *arena;
    SumNote *excluded; /* variables that cannot be summed out */
    int nexcluded;
    const char **plates; /* that run element by element */
    int nplates;
} SumPlan;

typedef struct SummedSite {
    int entry; /* in the model's trace */
    const Axis *axis;
    Var marker; /* zeros [plates..., K]: the gradient of the log joint with respect to it is the posterior */
    bool again; /* it is drawn in the other branch of an `if` too */
} SummedSite;

/* A variable of a loop that runs at once, whose steps depend on the ones before. */
typedef struct SummedChain {
    const char *name;
    int entry;         /* in the model's trace when it was read first */
    Chain axes;
} SummedChain;

/* One run. */
typedef struct Summing {
    SumPlan *plan;
    bool markers;
    int first_order; /* of the axes */
    SummedSite *list;
    int n, capacity;
    SummedChain *chains;
    int nchains;
    int naxes; /* enumerated axes so far: those of the list and of the chains */
    Elimination elimination;
} Summing;

/* The axes count up from first_order: FIRST_ENUM_ORDER for those that are eliminated. */
void summing_init(Summing *s, SumPlan *plan, bool markers, int first_order);
/* Gives the site all its values and e->log_density, or false: it is not of finite support, or not to be summed out. */
bool summing_answer(Summing *s, Interp *in, Site *site, Entry *e, int entry);
/* What an earlier step of a loop has of a variable that is summed out: all its values, as those of another variable. */
bool summing_peek(Summing *s, Interp *in, Peek *p, int entry);
/* The site stands in the other branch of an `if` too, as entry `e`. */
void summing_again(Summing *s, Interp *in, Site *site, Entry *e, int entry);
/* Entries from `n` on are no more. */
void summing_forget(Summing *s, int n);
/* A run stopped because something needed one plain value, or (where `give_way`) because a sum is not affordable: true
 * when another run can do better. */
bool summing_learn(SumPlan *plan, Interp *in, const Error *e, bool give_way);
/* Why the variable is not summed out, or NULL. */
const SumNote *summing_excluded(const SumPlan *plan, const char *name);
/* Is some sum not affordable? */
bool summing_gave_way(const SumPlan *plan);
/* The ends of a finite support, plain; the widest of those of all elements. False: it is another one. */
bool summing_support(Interp *in, const Dist *d, double *low, double *high, Span at);

/* The log densities of the run's entries that have summed axes, eliminated: what is left to add up is in
 * s->elimination.rest. */
void summing_finish(Summing *s, Interp *in, const Trace *model, Span at);
bool has_summed_axis(Value v);
/* Have all summed variables together more values than one sum may have terms? */
bool summing_many(const Summing *s);

/* After summing_finish, with markers: values of the trace's entries become probabilities [.., K] given the log joint y.
 */
void summing_probabilities(const Summing *s, Interp *in, Trace *model, Var y);
/* Joint draws, or the best joint assignment: the value of site k; elements that are known count as summed too. Gives the
 * elimination that was used. */
Elimination summing_decode(const Summing *s, Interp *in, Trace *model, bool best, uint64_t key, Value *values, Span at);

/* "k[n] summed out: 3 values x 200": one note per name; n notes into `notes`. */
int summing_notes(const Summing *s, const Trace *model, Arena *a, const char ***notes);

#endif
