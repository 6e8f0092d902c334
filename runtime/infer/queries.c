/* elbo, log_evidence, summary: what is asked of a fit. */
#include <math.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/diagnostics.h"
#include "infer/fit.h"
#include "infer/report.h"

/* log p - log q of one run: per element of the outermost plate, or one number. */
typedef struct Weight {
    Interp *in;
    Pair *pair;
    Recorder recorder;
    real *values;
    int64_t n; /* elements; 0: not recorded yet */
    bool elements;
} Weight;

static void add_elements(Terms *t, const Trace *trace, Interp *in, const Axis *axis) {
    for (int k = 0; k < trace->n; k++) {
        Value v = trace->entries[k].log_density;
        if (v.kind != VALUE_NONE && !has_summed_axis(v)) terms_add(t, in, array_expand_axes(in, v, 1, &axis), axis);
    }
}

static void *record_weight(Recorder *r, void *self) {
    Weight *w = self;
    Pass p;
    Interp *in = r->in;
    pass_run(&p, w->pair, in, NULL, PASS_TERMS);
    const Axis *axis = w->pair->automatic.kind == VALUE_NONE ? pass_common_plate(&p) : NULL;
    Var total;
    if (axis) {
        Terms plus = {0}, minus = {0};
        add_elements(&plus, &p.model, in, axis);
        add_elements(&minus, &p.guide, in, axis);
        for (int k = 0; k < p.summing.elimination.nrest; k++)
            terms_add(&plus, in, array_expand_axes(in, p.summing.elimination.rest[k], 1, &axis), axis);
        total = op2(in->tape, OP_SUB, terms_total(&plus, in), terms_total(&minus, in));
    } else {
        total = pass_elbo(&p, in, 1);
    }
    int64_t n = shape_size(total.value->shape);
    if (w->n == 0) {
        w->n = n;
        w->elements = axis != NULL;
        w->values = ARENA_ARRAY(r->keep, real, n + 1);
    }
    if (n != w->n) ctx_raise_here(in->ctx, ERROR_PROGRAM, "the number of elements differs between runs");
    recorder_output(r, total, w->values);
    return w;
}

typedef struct Query {
    Interp *in;
    const Args *args;
    Arena *arena;
    Value result;
    bool evidence;
} Query;

/* The model and guide asked about, with the parameters of the fit. */
static Pair *query_pair(Query *q, Fit *f) {
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
        if (!p->guide->closure->function->with) p->automatic = value_none();
    } else if (a->values[1].kind != VALUE_NONE && f->pair && f->pair->guide) {
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "elbo(fit, m(new), q(new))",
                  "say with which guide: the fit's own, `%s`, was for other data", f->pair->guide_name);
    }
    if (p->automatic.kind == VALUE_NOTHING)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[0], NULL, "a fit by %s has no guide to estimate it with",
                  f->report.method);
    return p;
}

static void read_refine(Query *q, Pair *p, int place) {
    Value v = q->args->values[place];
    if (v.kind != VALUE_NONE) p->refine = refine_options(q->in, v, q->args->spans[place]);
}

static void query_body(void *self) {
    Query *q = self;
    Interp *in = q->in;
    const Args *a = q->args;
    Fit *f = fit_of(in, a->values[0], a->spans[0]);
    Weight *w = ARENA_NEW(q->arena, Weight);
    *w = (Weight){.in = in, .pair = query_pair(q, f)};
    read_refine(q, w->pair, 4);
    long n = argument_count(in, a, 3, q->evidence ? 5000 : 1, 1, "the number of samples");
    uint64_t seed = key_fold(in->ctx->seed, 0xE1B0 + infer_state(in)->calls++);
    if (a->values[1].kind != VALUE_NONE || a->values[2].kind != VALUE_NONE || a->values[4].kind != VALUE_NONE) {
        Pair check = *w->pair;
        Latents found; /* the first run finds the layout anew */
        if (check.latents) {
            latents_init(&found, q->arena, check.latents->noncentre, true, check.latents->method);
            check.latents = &found;
        }
        pair_check(&check, in, seed);
    }
    recorder_init(&w->recorder, in, q->arena, seed, record_weight, w);
    w->recorder.slots[SLOT_PARAMS] = w->pair->params->values;
    OnlineMoments *mean = NULL;
    double *largest = NULL, *sum = NULL;
    for (long k = 0; k < n; k++) {
        recorder_run(&w->recorder, (uint32_t)(STEP_FRESH + k), 0);
        if (k == 0) {
            mean = ARENA_ARRAY(q->arena, OnlineMoments, w->n);
            largest = ARENA_ARRAY(q->arena, double, 2 * w->n);
            sum = largest + w->n;
            for (int64_t i = 0; i < w->n; i++) largest[i] = -INFINITY;
        }
        for (int64_t i = 0; i < w->n; i++) {
            double x = w->values[i];
            moments_add(&mean[i], x);
            if (x > largest[i])
                sum[i] = sum[i] * exp(largest[i] - x) + 1, largest[i] = x;
            else if (largest[i] > -INFINITY)
                sum[i] += exp(x - largest[i]);
        }
    }
    Tensor *t = tensor_new(in->ctx, in->arena, w->elements ? shape1(w->n) : SHAPE_SCALAR);
    for (int64_t i = 0; i < w->n; i++) t->data[i] = q->evidence ? largest[i] + log(sum[i] / (double)n) : mean[i].mean;
    q->result = value_tensor(in, t);
}

static Value run_query(Interp *in, const Args *a, bool evidence) {
    Query q = {.in = in, .args = a, .arena = ctx_arena(in->ctx), .evidence = evidence};
    scope_protect(in, query_body, &q, q.arena);
    arena_free(q.arena);
    return q.result;
}

/* -- refinement -- */

typedef struct Steps {
    Query query;
    Pair *pair;
    Arena *work; /* of one run */
    int n;
    OnlineMoments *mean; /* by step */
} Steps;

/* One run of the guide: the ELBOs before the steps and after the last. */
static void refinement_run(Steps *s, long k) {
    Interp *in = s->query.in;
    arena_reset(s->work);
    Tape *tape = tape_new(in->ctx, s->work, false);
    tape->step = (uint32_t)(STEP_FRESH + k);
    Scope saved;
    Pass *p = ARENA_NEW(s->work, Pass);
    scope_enter(in, &saved, s->work, tape, key_fold(in->ctx->seed, hash_string("refinement")));
    in->tape->inputs[SLOT_PARAMS] = s->pair->params->values;
    pass_run(p, s->pair, in, NULL, PASS_TERMS);
    double last = tensor_item(pass_elbo(p, in, 1).value, 0);
    const Axis *plate = pass_common_plate(p);
    double elements = plate ? (double)plate->size : 1;
    scope_leave(in, &saved);
    const Refinement *r = &p->refinement;
    if (r->n != 1)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->query.args->spans[2], NULL,
                  r->n ? "the guide `%s` refines %d times in a run" : "the guide `%s` has no `refine`",
                  s->pair->guide_name, r->n);
    if (!s->mean) s->mean = ARENA_ARRAY(s->query.arena, OnlineMoments, r->nelbos + 1);
    s->n = r->nelbos + 1;
    for (int i = 0; i < r->nelbos; i++) moments_add(&s->mean[i], tensor_item(r->elbos[i].value, 0) / elements);
    moments_add(&s->mean[r->nelbos], last / elements);
}

static void refinement_body(void *self) {
    Steps *s = self;
    Interp *in = s->query.in;
    const Args *a = s->query.args;
    s->pair = query_pair(&s->query, fit_of(in, a->values[0], a->spans[0]));
    read_refine(&s->query, s->pair, 4);
    long samples = argument_count(in, a, 3, 1, 1, "the number of samples");
    s->work = ctx_arena(in->ctx);
    arena_defer(s->query.arena, (void (*)(void *))arena_free, s->work);
    for (long k = 0; k < samples; k++) refinement_run(s, k);
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(s->n));
    for (int k = 0; k < s->n; k++) t->data[k] = (real)s->mean[k].mean;
    s->query.result = value_tensor(in, t);
}

static Value call_refinement(Interp *in, const Args *a) {
    Steps s = {.query = {.in = in, .args = a, .arena = ctx_arena(in->ctx)}};
    scope_protect(in, refinement_body, &s, s.query.arena);
    arena_free(s.query.arena);
    return s.query.result;
}

static Value call_elbo(Interp *in, const Args *a) { return run_query(in, a, false); }
static Value call_log_evidence(Interp *in, const Args *a) { return run_query(in, a, true); }

static Value call_summary(Interp *in, const Args *a) {
    Buf b = {0};
    fit_of(in, a->values[0], a->spans[0]);
    report_fit(in->arena, fit_report(a->values[0]), &b, false);
    Value v = value_string(in, b.text, b.length);
    buf_free(&b);
    return v;
}

const Builtin builtins_queries[] = {
    {"elbo", "(fit, m = , q = , samples = , refine = )", call_elbo,
     "the ELBO on given data, one per element of the outermost plate where possible", 0},
    {"log_evidence", "(fit, m = , q = , samples = , refine = )", call_log_evidence,
     "the importance-weighted estimate of log p(data), likewise", 0},
    {"refinement", "(fit, m, q, samples = , refine = )", call_refinement,
     "the mean ELBO per element before the first step of `refine` and after each", 0},
    {"summary", "(fit)", call_summary, "what print(fit) shows, as text", 0},
    {0},
};
