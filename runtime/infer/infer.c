/* infer(...): a model with its guide and what is said of how, checked, run, and left behind as a fit. */
#include <math.h>
#include <string.h>

#include "infer/batch.h"
#include "infer/builtins.h"
#include "infer/held_out.h"
#include "infer/identity.h"
#include "infer/local.h"
#include "infer/options.h"
#include "interp/internal.h"
#include "interp/session.h"

enum { MAX_AUTO_MVN = 200 };

const Call *model_argument(Interp *in, Value v, FunctionKind kind, Span at) {
    const char *what = kind == FUNCTION_GUIDE ? "guide" : "model";
    if (v.kind == VALUE_FUNCTION && v.u.closure->function->kind == kind) v = interp_call(in, v, 0, NULL, at);
    if (v.kind == VALUE_CALL && v.u.call->closure->function->kind == kind) return v.u.call;
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              arena_printf(in->arena, "write its name, with its arguments where it takes some: %s or %s(...)",
                           kind == FUNCTION_GUIDE ? "q" : "m", kind == FUNCTION_GUIDE ? "q" : "m"),
              "a %s was expected here; this is %s", what, value_describe(in, v));
}

const Call *model_keep(Interp *in, Arena *arena, const Call *call) {
    Value v = value_keep(in, arena, (Value){VALUE_CALL, .u.call = (Call *)call});
    return v.u.call;
}

/* Every plate named in `batch` was met; epochs become steps. */
static void settle_batches(Job *job) {
    BatchPlan *b = job->pair->batches;
    for (int k = 0; b && k < b->plates.n; k++) {
        const PlateBatch *p = &b->plates.list[k];
        if (!p->met)
            ctx_raise(job->in->ctx, ERROR_PROGRAM, job->pair->span,
                      "`batch` names plates of the model: batch = {i: 256} for plate i in 1..N",
                      "neither the model nor the guide has a plate `%s` to run in batches", p->plate);
        if (p->population == 0)
            fit_note(job->fit, "the plate %s has no more elements than its batch: all run in every step", p->plate);
    }
    long epoch = b ? batch_epoch(b) : 0;
    if (job->epochs) job->steps = job->epochs * (epoch ? epoch : 1);
}

/* The first run: is all of it as the model and the guide say, and which automatic guide is wanted? */
static void check_pair(Job *job) {
    Pair *p = job->pair;
    if (p->prior)
        pair_check_prior(p, job->in, job->seed);
    else
        pair_check(p, job->in, job->seed);
    if (p->automatic.kind != VALUE_NOTHING || job->choice.method->point) return;
    if (p->latents->n == 0)
        p->automatic = value_none();
    else
        options_set_automatic(job, p->latents->size > MAX_AUTO_MVN ? "auto_normal" : "auto_mvn");
}

static void note_discrete(Fit *f, const Pair *p) {
    for (int k = 0; k < p->nsum_notes; k++) fit_note(f, "%s", p->sum_notes[k]);
    for (int k = 0; k < p->discrete.nnotes; k++) fit_note(f, "%s", p->discrete.notes[k]);
}

/* Latents of plates that run in batches are drawn element by element. */
static void note_local(Job *job) {
    const Pair *p = job->pair;
    if (p->automatic.kind == VALUE_NONE || !local_any(p->latents)) return;
    if (strcmp(p->guide_name, "auto_delta") == 0)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, job->span, "auto_normal(), or all data at once",
                  "auto_delta() has no points for the latents of a plate that runs in batches");
    if (strcmp(p->guide_name, "auto_normal") != 0)
        fit_note(job->fit, "the latents of plates that run in batches have independent normals, the rest has %s",
                 p->guide_name);
}

/* All latents are summed out and nothing is learned. */
static bool is_solved(const Pair *p) {
    return !p->guide && !p->discrete.drawn && !p->discrete.scored && p->automatic.kind == VALUE_NONE && p->nsum_notes > 0 && p->params->n == 0;
}

static void say_done(Job *job) {
    const InferSettings *s = &infer_state(job->in)->settings;
    const FitReport *r = &job->fit->report;
    Progress done = {.method = r->method,
                     .model = r->model,
                     .step = r->steps,
                     .objective = r->elbo,
                     .rate = NAN,
                     .seconds = r->seconds,
                     .speed = NAN,
                     .done = true};
    if (s->on_progress) s->on_progress(s->self, &done);
}

static void prepare_job(Job *job, const Args *a) {
    Interp *in = job->in;
    Fit *f = job->fit;
    Pair *p = job->pair = f->pair = ARENA_NEW(f->arena, Pair);
    *p = (Pair){.in = in, .arena = f->arena, .span = a->span};
    p->params = f->params = ARENA_NEW(f->arena, ParamStore);
    params_init(p->params, in, f->arena);
    options_read(job, a);
    p->model = model_keep(in, f->arena, model_argument(in, a->values[ARG_MODEL], FUNCTION_MODEL, a->spans[ARG_MODEL]));
    f->report.model = p->model->closure->function->name;
    f->report.method = job->choice.method->name;
    options_read_guide(job, a->values[ARG_GUIDE], a->spans[ARG_GUIDE]);
    if (a->values[ARG_held_out].kind != VALUE_NONE)
        held_out_read(job, a->values[ARG_held_out], a->spans[ARG_held_out]);
    check_pair(job);
    f->report.guide = p->guide_name;
    note_discrete(f, p);
    note_local(job);
    if (is_solved(p) && job->choice.method == &method_svi) job->choice.method = &method_exact;
    f->report.method = job->choice.method->name;
    settle_batches(job);
    if (job->checkpoint) identity_check(job, a);
}

typedef struct Inference {
    const Args *args;
    Job job;
} Inference;

static void infer_body(void *self) {
    Inference *w = self;
    Job *job = &w->job;
    Fit *f = job->fit;
    prepare_job(job, w->args);
    job->choice.method->run(job);
    if (job->pair->discrete.drawn && job->choice.method == &method_svi) {
        f->report.reliable = false;
        f->report.verdict = "not to be trusted: discrete latents are drawn from the model, not from their posterior; "
                            "importance(n) weighs such draws";
    }
    job->pair->params->from = NULL;
    f->report.seconds = clock_seconds() - job->start_time;
    say_done(job);
}

static Value call_infer(Interp *in, const Args *a) {
    Inference w = {
        .args = a, .job = {.in = in, .fit = fit_new(in), .span = a->span, .start_time = clock_seconds()}};
    Scope saved;
    Error e;
    scope_save(in, &saved);
    if (!ctx_protect(in->ctx, infer_body, &w, &e)) {
        scope_leave(in, &saved);
        ctx_reraise(in->ctx, &e);
    }
    session_take_fit(in, w.job.fit);
    Value fit = fit_value(in, w.job.fit);
    if (in->hooks.fit_finished) in->hooks.fit_finished(in->hooks.self, fit);
    return fit;
}

Value infer_call(Interp *in, const Call *model, Span at) {
    Value values[NARGS] = {0};
    Span spans[NARGS];
    for (int k = 0; k < NARGS; k++) spans[k] = at;
    values[ARG_MODEL] = (Value){VALUE_CALL, .u.call = (Call *)model};
    return call_infer(in, &(Args){.values = values, .n = NARGS, .span = at, .spans = spans});
}

static const Builtin builtins_infer[] = {
    {"infer",
     "(model, guide = "
#define OPTION(name, help) ", " #name " = "
#include "infer/options.def"
#undef OPTION
     ")",
     call_infer, "fits a model to the data it observes: the posterior of its variables, its learned parameters", 0},
    {0},
};

const Builtin *const infer_builtins[] = {builtins_infer,   builtins_methods, builtins_objectives, builtins_training,
                                         builtins_queries, builtins_forward, builtins_decode,     builtins_store,
                                         builtins_refine,  builtins_steps,   builtins_gap,        builtins_points, NULL};
