/* A model's log density at given values: logpdf(m, record), and in unconstrained space for comparisons. */
#include <math.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/density.h"
#include "infer/fit.h"
#include "infer/summing.h"
#include "interp/array.h"

/* Of a plate without elements: records do without them. */
static bool is_empty(const Site *s) {
    bool empty = false;
    for (int k = 0; k < s->nindex; k++) empty |= s->index[k].axis && s->index[k].axis->size == 0;
    return empty;
}

/* -- logpdf(m, record) -- */

static void given_latent(Trace *t, Interp *in, Site *s, Entry *e) {
    Value whole = record_read(*(Value *)t->self, s->name);
    if (whole.kind == VALUE_NONE && is_empty(s)) {
        trace_draw_forward(t, in, s, e);
        return;
    }
    if (whole.kind == VALUE_NONE)
        ctx_raise(in->ctx, ERROR_PROGRAM, in->ctx->span, "logpdf(m, {name: value, ...}) needs all latents of the model",
                  "the record has no value for the latent `%s`", s->name);
    s->value = address_read(in, whole, s->index, s->nindex, s->span);
    e->log_density = site_log_density(in, s);
}

static void given_observed(Trace *t, Interp *in, Site *s, Entry *e) {
    Value whole = record_read(*(Value *)t->self, s->name);
    if (whole.kind != VALUE_NONE) s->data = address_read(in, whole, s->index, s->nindex, s->span);
    s->value = s->data;
    e->log_density = site_log_density(in, s);
}

Value infer_model_logpdf(Interp *in, const Call *call, Value record, Span at) {
    if (record.kind != VALUE_RECORD)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "logpdf(m, {mu: 0, theta: [1, 2]})",
                  "the values of a model's variables are a record; this is %s", value_describe(in, record));
    Scope saved;
    Trace t;
    scope_enter(in, &saved, in->arena, in->tape, in->ctx->seed);
    trace_init(&t, in, true, given_latent, &record);
    t.observed = given_observed;
    trace_push(&t);
    interp_run_call(in, call, at);
    trace_pop(&t);
    Terms terms = {0};
    for (int k = 0; k < t.n; k++) terms_add(&terms, in, t.entries[k].log_density, NULL);
    Value v = value_var(in, terms_total(&terms, in), 0, NULL);
    scope_leave(in, &saved);
    return v;
}

/* -- In unconstrained space, centred -- */

typedef struct Points {
    Interp *in;
    const Args *args;
    Arena *arena;
    Value result;
    int wanted; /* 0: the density, 1: its gradient, 2: the point of a record */
} Points;

static Pair *point_pair(Points *q, bool jacobian) {
    Pair *p = ARENA_NEW(q->arena, Pair);
    Interp *in = q->in;
    *p = (Pair){.in = in, .arena = q->arena, .automatic = value_nothing(), .span = q->args->span};
    p->model = model_argument(in, q->args->values[0], FUNCTION_MODEL, q->args->spans[0]);
    p->params = ARENA_NEW(q->arena, ParamStore);
    params_init(p->params, in, q->arena);
    const Fit *latest = infer_state(in)->latest;
    p->params->from = latest ? latest->params : NULL;
    p->latents = ARENA_NEW(q->arena, Latents);
    latents_init(p->latents, q->arena, false, jacobian, "unconstrained_logpdf");
    pair_check(p, in, in->ctx->seed);
    return p;
}

static void density_body(void *self) {
    Points *q = self;
    Interp *in = q->in;
    const Args *a = q->args;
    bool jacobian = a->values[2].kind == VALUE_NONE || value_to_bool(in, a->values[2], a->spans[2], "`jacobian`");
    Pair *p = point_pair(q, jacobian);
    Array u = value_array(in, a->values[1], a->spans[1], "a point");
    int64_t n = shape_size(u.var.value->shape);
    if (n != p->latents->size)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[1],
                  "unconstrain(m, record) gives the point of given values",
                  "the point has %ld numbers, the latents of `%s` have %ld in unconstrained space", (long)n,
                  p->model->closure->function->name, (long)p->latents->size);
    double *x = ARENA_ARRAY(q->arena, double, n + 1);
    for (int64_t k = 0; k < n; k++) x[k] = tensor_item(u.var.value, k);
    Density *d = ARENA_NEW(q->arena, Density);
    density_init(d, p, in->ctx->seed, false);
    double f = density_at(d, x);
    const Tensor *gradient = tensor_borrow(q->arena, shape1(n), d->gradient);
    q->result = q->wanted == 0 ? value_number(f) : value_tensor(in, tensor_keep(in->ctx, in->arena, gradient));
}

/* What is summed out has no place in a point. It takes the same value everywhere, whatever is given: elements whose branches
 * differ would run one by one, other than the latents were found. */
static void take_lowest(Interp *in, Site *s) {
    double low, high;
    s->value = dist_draw_site(in, s->dist, s, false);
    if (!summing_support(in, s->dist, &low, &high, s->span)) return;
    if (value_event_shape(in, s->value, s->span).rank == 0) {
        s->value = value_number(low);
        return;
    }
    s->value = array_binary(in, BINARY_MUL, s->value, value_number(0), s->span);
    s->value = array_binary(in, BINARY_ADD, s->value, value_number(low), s->span);
}

static void invert_latent(Trace *t, Interp *in, Site *s, Entry *e) {
    void **self = t->self;
    Value record = *(Value *)self[0];
    Latents *l = self[1];
    real *to = self[2];
    Value whole = record_read(record, s->name);
    if (s->dist->family->discrete) {
        take_lowest(in, s);
        return;
    }
    if (whole.kind == VALUE_NONE && is_empty(s)) {
        trace_draw_forward(t, in, s, e);
        return;
    }
    if (whole.kind == VALUE_NONE)
        ctx_raise(in->ctx, ERROR_PROGRAM, in->ctx->span, NULL, "the record has no value for the latent `%s`", s->name);
    s->value = address_read(in, whole, s->index, s->nindex, s->span);
    if (!latents_invert(l, in, s, s->value, to))
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "logpdf(m, record) works for models whose structure is random",
                  "`%s` is not drawn in every run: unconstrain needs a fixed structure", s->name);
}

static void unconstrain_body(void *self) {
    Points *q = self;
    Interp *in = q->in;
    Pair *p = point_pair(q, true);
    Tensor *u = tensor_zeros(in->ctx, in->arena, shape1(p->latents->size));
    Value record = q->args->values[1];
    void *parts[3] = {&record, p->latents, u->data};
    Trace t;
    Scope saved;
    scope_enter(in, &saved, in->arena, in->tape, in->ctx->seed);
    trace_init(&t, in, false, invert_latent, parts);
    trace_push(&t);
    in->at_once = true; /* as the latents were found */
    interp_run_call(in, p->model, p->span);
    trace_pop(&t);
    scope_leave(in, &saved);
    q->result = value_tensor(in, u);
}

static Value run(Interp *in, const Args *a, int wanted) {
    Points q = {.in = in, .args = a, .arena = ctx_arena(in->ctx), .wanted = wanted};
    scope_protect(in, wanted == 2 ? unconstrain_body : density_body, &q, q.arena);
    arena_free(q.arena);
    return q.result;
}

static Value call_unconstrained_logpdf(Interp *in, const Args *a) { return run(in, a, 0); }
static Value call_unconstrained_gradient(Interp *in, const Args *a) { return run(in, a, 1); }
static Value call_unconstrain(Interp *in, const Args *a) { return run(in, a, 2); }

const Builtin builtins_points[] = {
    {"unconstrained_logpdf", "(m, u, jacobian = )", call_unconstrained_logpdf,
     "a model's log density at a point of unconstrained space; jacobian = false: without that of the transforms to the "
     "supports, which is part of it by default",
     0},
    {"unconstrained_gradient", "(m, u, jacobian = )", call_unconstrained_gradient,
     "the gradient of unconstrained_logpdf(m, u), a vector; jacobian = false: without that of the transforms", 0},
    {"unconstrain", "(m, record)", call_unconstrain,
     "values of the latents as a point of unconstrained space, in the model's order", 0},
    {0},
};
