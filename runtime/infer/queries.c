/* elbo, log_evidence, summary: what is asked of a fit. */
#include "infer/queries.h"

#include <math.h>
#include <string.h>

#include "infer/batch.h"
#include "infer/builtins.h"
#include "infer/diagnostics.h"
#include "infer/elements.h"
#include "infer/fit.h"
#include "infer/report.h"

static const double MOST_SAMPLES = 8, MOST_NUMBERS = 2e7; /* in one run */

/* log p - log q of one run: per element of the outermost plate, or one number. */
typedef struct Weight {
    Interp *in;
    Pair *pair;
    Recorder recorder;
    real *values;
    int64_t n; /* elements; 0: not recorded yet */
    int samples; /* in one run, along an axis: what they have in common (an encoder's work) is done once */
    bool elements;
    bool apart;     /* the guide refines: each sample has its own */
    double numbers; /* on the tape of one sample */
} Weight;

static void record_samples(Weight *w, Recorder *r, int samples) {
    Pass p;
    Interp *in = r->in;
    const Axis *axis = samples > 1 ? axis_intern(in, AXIS_PARTICLE, "particle", 1, samples, 0) : NULL;
    if (axis) in->plates[in->nplates++] = axis;
    pass_run(&p, w->pair, in, axis, PASS_TERMS);
    if (axis) in->nplates--;
    Elements e;
    elements_split(&e, &p, in);
    const Axis *plate = elements_only(&e);
    Var total = plate ? elements_elbos(&e, &p, in) : op_expand(in->tape, pass_elbo(&p, in, 1), shape1(samples));
    int64_t n = plate ? plate->size : 1;
    if (!w->values) {
        w->elements = plate != NULL;
        w->apart = p.refinement.n > 0;
        w->values = ARENA_ARRAY(r->keep, real, samples * n + 1); /* the first chunk is the largest */
        w->numbers = 0;
        for (int k = 0; k < in->tape->nnodes; k++) w->numbers += (double)shape_size(in->tape->nodes[k].value->shape);
    }
    if (w->n == 0) w->n = n;
    if (n != w->n)
        ctx_raise(in->ctx, ERROR_PROGRAM, in->ctx->span, "an ELBO of each element wants a plate of one size in every run",
                  "the plate `%s` has %lld elements in one run and %lld in another", plate ? plate->name : "?",
                  (long long)w->n, (long long)n);
    recorder_output(r, total, w->values);
}

typedef struct Attempt {
    Weight *w;
    Recorder *r;
} Attempt;

static void try_samples(void *self) {
    Attempt *a = self;
    record_samples(a->w, a->r, a->w->samples);
}

static void *record_weight(Recorder *r, void *self) {
    Weight *w = self;
    if (w->samples > 1) {
        Attempt a = {w, r};
        Scope saved;
        Error e;
        scope_save(r->in, &saved);
        if (ctx_protect(r->in->ctx, try_samples, &a, &e)) return w;
        if (e.kind != ERROR_ELEMENTWISE || !r->in->split || r->in->split->kind != AXIS_PARTICLE)
            ctx_reraise(r->in->ctx, &e);
        scope_leave(r->in, &saved); /* something needs one plain value: one sample after the other */
        tape_truncate(r->in->tape, 0);
        r->noutputs = 0;
        w->samples = 1;
    }
    record_samples(w, r, 1);
    return w;
}

/* As they were learned on, in order. */
static BatchPlan *chunk_plan(Query *q, const Fit *f) {
    enum { LEAST = 256 };
    if (!f->pair || !f->pair->batches || f->pair->batches->plates.n != 1) return NULL;
    const PlateBatch *b = &f->pair->batches->plates.list[0];
    return batch_plan_in_order(q->in, q->arena, b->plate, b->size > LEAST ? b->size : LEAST);
}

static Pair *find_pair(Query *q, Fit *f) {
    Interp *in = q->in;
    const Args *a = q->args;
    Pair *p = ARENA_NEW(q->arena, Pair);
    if (f->pair)
        *p = *f->pair;
    else
        *p = (Pair){.in = in, .automatic = value_none()}; /* loaded: model and guide must be given */
    if (!f->pair && (a->values[1].kind == VALUE_NONE || a->values[2].kind == VALUE_NONE))
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "elbo(fit, m(x), q(x))",
                  "a fit that was loaded knows neither model nor guide");
    p->batches = NULL;
    p->span = a->span;
    p->arena = q->arena;
    p->params = params_copy(f->params, q->arena);
    if (a->values[1].kind != VALUE_NONE) p->model = model_argument(in, a->values[1], FUNCTION_MODEL, a->spans[1]);
    if (a->values[2].kind != VALUE_NONE) {
        p->guide = model_argument(in, a->values[2], FUNCTION_GUIDE, a->spans[2]);
        p->guide_name = p->guide->closure->function->name;
        p->prior = false;
        if (!p->guide->closure->function->with) p->automatic = value_none(), p->scores = false;
    } else if (a->values[1].kind != VALUE_NONE && f->pair && f->pair->guide) {
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "elbo(fit, m(new), q(new))",
                  "say with which guide: the fit's own, `%s`, was for other data", f->pair->guide_name);
    }
    if (p->automatic.kind == VALUE_NOTHING)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[0], NULL, "a fit by %s has no guide to estimate it with",
                  f->report.method);
    return p;
}

static void check_pair(Query *q, Pair *p, uint64_t seed) {
    Pair check = *p;
    Latents found; /* the first run finds the layout anew */
    if (check.latents) {
        latents_init(&found, q->arena, check.latents->noncentre, true, check.latents->method);
        check.latents = &found;
    }
    pair_check(&check, q->in, seed);
}

Pair *query_pair(Query *q, Fit *f, int refine, uint64_t seed) {
    const Args *a = q->args;
    Pair *p = find_pair(q, f);
    Value v = a->values[refine];
    if (v.kind != VALUE_NONE) p->refine = refine_options(q->in, v, a->spans[refine]);
    p->batches = chunk_plan(q, f);
    bool same = a->values[1].kind == VALUE_NONE && a->values[2].kind == VALUE_NONE && v.kind == VALUE_NONE;
    if (!same || p->batches) check_pair(q, p, seed);
    if (p->batches && p->batches->plates.list[0].population <= p->batches->plates.list[0].size) p->batches = NULL;
    return p;
}

void query_whole(Pair *p) { p->batches = NULL; }

int64_t query_population(const Pair *p) { return p->batches ? p->batches->plates.list[0].population : 0; }

double query_share(const Pair *p) {
    const PlateBatch *b = &p->batches->plates.list[0];
    return (double)b->now / (double)b->population;
}

int64_t query_chunks(const Pair *p) {
    if (!p->batches) return 1;
    const PlateBatch *b = &p->batches->plates.list[0];
    return (b->population + b->size - 1) / b->size;
}

void query_chunk(const Pair *p, int64_t k) {
    if (p->batches) p->batches->turn = (uint64_t)k;
}

/* -- Estimates -- */

/* Of one element: the log weights' mean; the sums of the weights and of their squares, over the largest and its square. */
typedef struct Estimate {
    OnlineMoments mean;
    double largest, sum, squares;
} Estimate;

static void estimate_add(Estimate *e, double x) {
    moments_add(&e->mean, x);
    if (x > e->largest) {
        double factor = exp(e->largest - x);
        e->sum = e->sum * factor + 1, e->squares = e->squares * factor * factor + 1, e->largest = x;
    } else if (e->largest > -INFINITY) {
        double w = exp(x - e->largest);
        e->sum += w, e->squares += w * w;
    }
}

/* The logarithm of the mean weight, and its error by the delta method: the sd of the mean over the mean. */
static double estimate_value(const Estimate *e, bool evidence, double n) {
    return evidence ? e->largest + log(e->sum / n) : e->mean.mean;
}
static double estimate_error(const Estimate *e, bool evidence, double n) {
    if (n < 2) return NAN;
    double spread = evidence ? fmax(n * e->squares / (e->sum * e->sum) - 1, 0) * n / (n - 1) : moments_var(&e->mean);
    return sqrt(spread / n);
}

static void estimate_chunk(Weight *w, long samples, Estimate *out) {
    w->n = w->pair->batches ? 0 : w->n;
    for (long k = 0; k < samples; k += w->samples) {
        recorder_run(&w->recorder, (uint32_t)(STEP_FRESH + k), 0);
        if (w->pair->batches) w->n = w->elements ? w->pair->batches->plates.list[0].now : 1;
        for (int64_t i = 0; i < w->n && k == 0; i++) out[i] = (Estimate){.largest = -INFINITY};
        for (long j = 0; j < w->samples && k + j < samples; j++)
            for (int64_t i = 0; i < w->n; i++) estimate_add(&out[i], w->values[j * w->n + i]);
    }
}

/* The first run, of one sample: tells how many go into one. */
static void first_run(Weight *w, int samples) {
    recorder_forget(&w->recorder);
    w->values = NULL, w->n = 0, w->samples = samples;
    recorder_run(&w->recorder, STEP_FRESH, 0);
}

/* Gives the number of elements. */
static int64_t estimate(Query *q, Weight *w, long samples, Estimate **out) {
    query_chunk(w->pair, 0);
    first_run(w, 1);
    if (w->pair->batches && !w->elements) { /* something does not belong to one element: all at once */
        query_whole(w->pair);
        w->recorder.batches = NULL;
        first_run(w, 1);
    }
    double room = fmin((double)samples, fmin(MOST_SAMPLES, MOST_NUMBERS / w->numbers));
    if (room >= 2 && !w->apart) first_run(w, (int)room);
    int64_t n = w->pair->batches ? query_population(w->pair) : w->n, chunks = query_chunks(w->pair), at = 0;
    *out = ARENA_ARRAY(q->arena, Estimate, n + 1);
    for (int64_t k = 0; k < chunks; k++, at += w->n) {
        query_chunk(w->pair, k);
        estimate_chunk(w, samples, *out + at);
    }
    return n;
}

static void query_body(void *self) {
    Query *q = self;
    Interp *in = q->in;
    const Args *a = q->args;
    uint64_t seed = key_fold(in->ctx->seed, 0xE1B0 + infer_state(in)->calls++);
    Weight *w = ARENA_NEW(q->arena, Weight);
    *w = (Weight){.in = in, .pair = query_pair(q, fit_of(in, a->values[0], a->spans[0]), 4, seed)};
    bool wanted = a->values[5].kind != VALUE_NONE && value_to_bool(in, a->values[5], a->spans[5], "`error`");
    long samples = argument_count(in, a, 3, q->evidence ? 5000 : wanted ? 100 : 1, 1, "the number of samples"); /* one has no error */
    recorder_init(&w->recorder, in, q->arena, seed, record_weight, w);
    w->recorder.params = &w->pair->params->values;
    w->recorder.batches = w->pair->batches;
    Estimate *e;
    int64_t n = estimate(q, w, samples, &e);
    Shape shape = w->elements ? shape1(n) : SHAPE_SCALAR;
    Tensor *t = tensor_new(in->ctx, in->arena, shape), *error = tensor_new(in->ctx, in->arena, shape);
    for (int64_t i = 0; i < n; i++) {
        t->data[i] = (real)estimate_value(&e[i], q->evidence, (double)samples);
        error->data[i] = (real)estimate_error(&e[i], q->evidence, (double)samples);
    }
    Value both[2] = {value_tensor(in, t), value_tensor(in, error)};
    q->result = wanted ? value_list(in, VALUE_TUPLE, 2, both) : both[0];
}

static Value run_query(Interp *in, const Args *a, bool evidence) {
    Query q = {.in = in, .args = a, .arena = ctx_arena(in->ctx), .evidence = evidence};
    scope_protect(in, query_body, &q, q.arena);
    arena_free(q.arena);
    return q.result;
}

static Value call_elbo(Interp *in, const Args *a) { return run_query(in, a, false); }
static Value call_log_evidence(Interp *in, const Args *a) { return run_query(in, a, true); }

static Value call_summary(Interp *in, const Args *a) {
    Buf b = {0};
    fit_of(in, a->values[0], a->spans[0]);
    report_fit(in->arena, fit_report(a->values[0]), &b, in->whole_summaries ? REPORT_ALL : REPORT_SHORT);
    Value v = value_string(in, b.text, b.length);
    buf_free(&b);
    return v;
}

const Builtin builtins_queries[] = {
    {"elbo", "(fit, m = , q = , samples = , refine = , error = )", call_elbo,
     "the ELBO on given data, one per element of the outermost plate where possible. m, q: model and guide on these "
     "data, those of the fit by default; samples: draws, 1; error = true: (ELBO, its standard error), from 100 draws unless said otherwise; refine: steps of "
     "`refine`, as trained",
     0},
    {"log_evidence", "(fit, m = , q = , samples = , refine = , error = )", call_log_evidence,
     "the importance-weighted estimate of log p(data) (Burda, Grosse, Salakhutdinov 2016), one per element of the "
     "outermost plate where possible. m, q: model and guide on these data, those of the fit by default; samples: "
     "weighted draws, 5000; error = true: (estimate, its standard error); refine: steps of `refine`, as trained",
     0},
    {"summary", "(fit)", call_summary, "what print(fit) shows, as text", 0},
    {0},
};
