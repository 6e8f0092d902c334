/* simulate, predict, posterior: programs run forward. */
#include <string.h>

#include "infer/builtins.h"
#include "infer/decode.h"
#include "infer/fit.h"

typedef struct Forward {
    Interp *in;
    const Args *args;
    Arena *arena;
    const Call *call;
    const Call *model; /* posterior of a guide that refines; NULL: by the names of its arguments */
    RefineOptions refine;
    const Fit *fit;   /* predict: its latents; posterior: its parameters */
    bool latents;     /* the latents are those of the fit's draws */
    long draw;        /* which */
    Decoded *decoded; /* joint values of what was summed out, at this draw; NULL: nothing was */
    unsigned what;    /* the variables that are collected */
    uint64_t seed;
    Value result;
} Forward;

/* Latents of the fit at this draw; those it does not have (new elements) are drawn. */
static void fitted_latent(Trace *t, Interp *in, Site *s, Entry *e) {
    Forward *f = t->self;
    s->value = fit_site_value(in, f->fit, f->draw, s);
    if (s->value.kind == VALUE_NONE && f->decoded)
        s->value = trace_value(&f->decoded->trace, s->name, s->index, s->nindex, s->span);
    if (s->value.kind == VALUE_NONE) trace_draw_forward(t, in, s, e);
}

/* The guide's own arguments, by name, as those of its model. */
static const Call *model_like_guide(Forward *f) {
    Interp *in = f->in;
    const Call *q = f->call;
    const Function *m = f->fit->pair ? f->fit->pair->model->closure->function : NULL;
    if (!m) return NULL;
    Call *call = ARENA_NEW(in->arena, Call);
    *call = (Call){f->fit->pair->model->closure, ARENA_ARRAY(in->arena, Value, m->nparams + 1), m->nparams};
    for (int k = 0; k < m->nparams; k++) {
        int j = 0;
        while (j < q->n && strcmp(q->closure->function->params[j].name, m->params[k].name) != 0) j++;
        if (j == q->n) return NULL;
        call->arguments[k] = q->arguments[j];
    }
    return call;
}

/* For a guide that refines: with its model, where that is known. */
static bool push_refinement(Forward *f, Pass *p, Pair *pair) {
    Interp *in = f->in;
    if (!f->fit || f->call->closure->function->kind != FUNCTION_GUIDE) return false;
    const Call *model = f->model ? f->model : model_like_guide(f);
    if (!model) return false;
    *pair = (Pair){.in = in,
                   .arena = f->arena,
                   .model = model,
                   .guide = f->call,
                   .guide_name = f->call->closure->function->name,
                   .automatic = value_none(),
                   .params = f->fit->params,
                   .refine = f->refine,
                   .span = f->args->span};
    *p = (Pass){.pair = pair};
    refinement_init(&p->refinement, p);
    effects_push(in, &p->refinement.handler);
    return true;
}

/* A guide draws what is missing of observations. */
static bool imputes(Trace *t, const Site *s) {
    (void)t, (void)s;
    return true;
}

static bool draw_missing(Trace *t, Interp *in, Site *s, Entry *e) {
    trace_draw_forward(t, in, s, e);
    s->value = missing_complete(in, s, s->value);
    return true;
}

/* One run; the trace is in in->arena. */
static void run_forward(Forward *f, Trace *t, ParamReader *reader) {
    Interp *in = f->in;
    if (f->fit) {
        params_push(reader, f->fit->params, in);
        reader->frozen = true;
    }
    Decoded decoded;
    f->decoded = NULL;
    if (f->latents && f->fit->pair->nsum_notes > 0) {
        decode_draw(in, f->fit, f->draw, false, key_fold(f->seed, (uint64_t)f->draw), &decoded, f->args->span);
        f->decoded = &decoded;
    }
    trace_init(t, in, false, f->latents ? fitted_latent : NULL, f);
    t->observed = trace_draw_anew;
    if (f->call->closure->function->kind == FUNCTION_GUIDE) t->observed = trace_keep_data, t->imputes = imputes, t->partly = draw_missing;
    Pass pass;
    Pair pair;
    bool refines = push_refinement(f, &pass, &pair);
    trace_push(t);
    interp_run_call(in, f->call, f->args->span);
    trace_pop(t);
    if (refines) effects_pop(in, &pass.refinement.handler);
    if (f->fit) params_pop(reader);
}

static void one_run(Forward *f) {
    Interp *in = f->in;
    Scope saved;
    Trace t;
    ParamReader reader;
    Tape *tape = tape_new(in->ctx, in->arena, false);
    scope_enter(in, &saved, in->arena, tape, f->seed);
    run_forward(f, &t, &reader);
    Value v = trace_record(&t, f->what, f->args->span);
    scope_leave(in, &saved);
    f->result = v;
}

static void many_runs(Forward *f, long n, long every) {
    Interp *in = f->in;
    DrawStore d;
    Arena *work = ctx_arena(in->ctx);
    arena_defer(f->arena, (void (*)(void *))arena_free, work);
    draws_init(&d, in->ctx, f->arena, n);
    d.joint = true;
    for (long k = 0; k < n; k++) {
        arena_reset(work);
        Tape *tape = tape_new(in->ctx, work, false);
        tape->step = (uint32_t)k;
        Scope saved;
        Trace t;
        ParamReader reader;
        scope_enter(in, &saved, work, tape, f->seed);
        f->draw = k * every;
        run_forward(f, &t, &reader);
        draws_take(&d, draws_plan(&d, &t, f->what, NULL, work), k);
        scope_leave(in, &saved);
        if (in->ctx->interrupted && *in->ctx->interrupted)
            ctx_raise(in->ctx, ERROR_INTERRUPT, f->args->span, NULL, "interrupted");
    }
    f->result = draws_record(&d, in, -1);
}

static void check_runnable(Interp *in, Value v, Span at, const Call **call) {
    Value w = v;
    if (w.kind == VALUE_FUNCTION &&
        (w.u.closure->function->kind == FUNCTION_MODEL || w.u.closure->function->kind == FUNCTION_GUIDE))
        w = interp_call(in, w, 0, NULL, at);
    if (w.kind != VALUE_CALL)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "for example simulate(m(x))",
                  "a model or guide was expected here; this is %s", value_describe(in, v));
    *call = w.u.call;
}

static void run_body(void *self) {
    Forward *f = self;
    const Args *a = f->args;
    Interp *in = f->in;
    if (f->latents) { /* predict(fit, m, n) */
        long most = (long)f->fit->draws.ndraws, n = argument_count(in, a, 2, most, 1, "the number of draws");
        if (n > most)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[2], "infer(..., draws = n) takes more",
                      "the fit has %ld draws, %ld are asked for", most, n);
        many_runs(f, n, most / n);
        return;
    }
    int place = f->fit ? 2 : 1;
    if (a->values[place].kind == VALUE_NONE)
        one_run(f);
    else
        many_runs(f, argument_count(in, a, place, 1, 1, "the number of runs"), 1);
}

static Value run(Forward *f) {
    f->arena = ctx_arena(f->in->ctx);
    f->seed = key_fold(f->in->ctx->seed, 0xF04D + infer_state(f->in)->calls++);
    scope_protect(f->in, run_body, f, f->arena);
    arena_free(f->arena);
    return f->result;
}

static Value call_simulate(Interp *in, const Args *a) {
    Forward f = {.in = in, .args = a, .what = TRACE_LATENT | TRACE_OBSERVED | TRACE_RECORDED};
    check_runnable(in, a->values[0], a->spans[0], &f.call);
    return run(&f);
}

static Value call_predict(Interp *in, const Args *a) {
    Forward f = {.in = in,
                 .args = a,
                 .fit = fit_of(in, a->values[0], a->spans[0]),
                 .latents = true,
                 .what = TRACE_LATENT | TRACE_OBSERVED | TRACE_RECORDED};
    if (!f.fit->pair)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[0], "posterior(fit, q(x)) and simulate(m) use loaded parameters",
                  "a fit that was loaded has no draws to predict with");
    f.call = f.fit->pair->model;
    if (a->values[1].kind != VALUE_NONE) f.call = model_argument(in, a->values[1], FUNCTION_MODEL, a->spans[1]);
    return run(&f);
}

static Value call_posterior(Interp *in, const Args *a) {
    Forward f = {
        .in = in, .args = a, .fit = fit_of(in, a->values[0], a->spans[0]), .what = TRACE_LATENT | TRACE_RECORDED};
    f.call = model_argument(in, a->values[1], FUNCTION_GUIDE, a->spans[1]);
    if (f.fit->pair) f.refine = f.fit->pair->refine;
    if (a->values[4].kind != VALUE_NONE) f.refine = refine_options(in, a->values[4], a->spans[4]);
    Args b = *a;
    if (a->values[2].kind == VALUE_CALL || a->values[2].kind == VALUE_FUNCTION) {
        f.model = model_argument(in, a->values[2], FUNCTION_MODEL, a->spans[2]);
        Value values[3] = {a->values[0], a->values[1], a->values[3]};
        b.values = arena_copy(in->arena, values, sizeof values);
        f.args = arena_copy(in->arena, &b, sizeof b);
    }
    return run(&f);
}

const Builtin builtins_forward[] = {
    {"simulate", "(m, n = )", call_simulate,
     "a model or guide run forward, observations drawn anew: a record; with n runs, these are the first dimension", 0},
    {"predict", "(fit, m = , n = )", call_predict,
     "the posterior predictive: simulate with the latents of n draws of the fit (all by default), the first dimension; "
     "m: the model on other data",
     0},
    {"posterior", "(fit, q, m = , n = , refine = )", call_posterior,
     "draws of a guide with what was learned, on new data; with n draws, these are the first dimension. m: for a guide "
     "that refines, its model on these data, where the guide's arguments are not those of the model by name; refine: "
     "steps of `refine`, as trained by default",
     0},
    {0},
};
