/* Reading the options of infer: one reader for each row of options.def that was given. */
#include <math.h>
#include <string.h>

#include "infer/options.h"

#include "infer/batch.h"
#include "infer/builtins.h"
#include "interp/internal.h"
#include "interp/session.h"

enum { DRAWS = 4000 };

/* -- Readers: `v` was given, at `at` -- */

static void read_method(Job *job, Value v, Span at) {
    job->choice = *(MethodChoice *)object_of(job->in, v, &method_type, "svi()", at);
}

static void read_steps(Job *job, Value v, Span at) {
    job->steps = count_from(job->in, v, 1, "the number of steps", at);
}

static void read_epochs(Job *job, Value v, Span at) {
    job->epochs = count_from(job->in, v, 1, "the number of epochs", at);
    if (job->steps >= 0)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, at, NULL,
                  "`steps` and `epochs` both say how long: one of them is enough");
}

static void read_batch(Job *job, Value v, Span at) {
    if (job->choice.method != &method_svi)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, at, "use svi()", "%s() uses all data at once: it takes no `batch`",
                  job->choice.method->name);
    job->pair->batches = batch_plan_new(job->in, job->fit->arena, v, at);
}

static OptimizerChoice default_optimizer(long steps) {
    OptimizerChoice o = {.optimizer = optimizer_find("adam"), .schedule = schedule_constant(1)};
    optimizer_defaults(o.optimizer, o.option);
    o.option[0] = steps < 0 ? 0.05 : 0.01;
    return o;
}

static void read_optimizer(Job *job, Value v, Span at) {
    job->rules[0].choice = *(OptimizerChoice *)object_of(job->in, v, &optimizer_type, "adam(1e-3)", at);
}

/* {"encoder.*": 1e-4}: a rate for the run's optimizer, or an optimizer of its own. */
static void read_rates(Job *job, Value v, Span at) {
    Interp *in = job->in;
    if (v.kind != VALUE_RECORD)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "for example rates = {\"encoder.*\": 1e-4}",
                  "`rates` is a record of paths and rates; this is %s", value_describe(in, v));
    DescentRule *rules = ARENA_ARRAY(job->fit->arena, DescentRule, v.u.record->n + 1);
    rules[0] = job->rules[0];
    for (int k = 0; k < v.u.record->n; k++) {
        Value one = v.u.record->values[k];
        DescentRule *r = &rules[k + 1];
        *r = (DescentRule){.pattern = arena_strdup(job->fit->arena, v.u.record->names[k]), .choice = rules[0].choice};
        r->choice.clip = 0;
        if (one.kind == VALUE_OBJECT)
            r->choice = *(OptimizerChoice *)object_of(in, one, &optimizer_type, "sgd(0.1)", at);
        else
            r->choice.option[0] = number_within(in, one, 0, INFINITY, "a rate", at);
    }
    job->rules = rules, job->nrules = v.u.record->n + 1, job->rules_span = at;
}

static void needs_svi(Job *job, const char *option, Span at) {
    if (job->choice.method != &method_svi)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, at, "use svi()", "`%s` belongs to training by steps: %s() has none",
                  option, job->choice.method->name);
}

/* Read by held_out_read, when model and guide are known. */
static void read_held_out(Job *job, Value v, Span at) {
    (void)v;
    needs_svi(job, "held_out", at);
}

static void read_every(Job *job, Value v, Span at) {
    needs_svi(job, "every", at);
    job->every = count_from(job->in, v, 1, "`every`", at);
    job->every_span = at;
}

static void read_patience(Job *job, Value v, Span at) {
    needs_svi(job, "patience", at);
    job->patience = count_from(job->in, v, 1, "the patience", at);
    job->every_span = at;
}

static void read_checkpoint(Job *job, Value v, Span at) {
    needs_svi(job, "checkpoint", at);
    const char *path = value_to_string(job->in, v, at, "the path of a file");
    job->checkpoint = checkpoint_open(job->in->ctx, job->fit->arena, path, at);
}

static void read_draws(Job *job, Value v, Span at) {
    job->ndraws = count_from(job->in, v, 1, "the number of draws", at);
}

static void read_from(Job *job, Value v, Span at) { job->pair->params->from = fit_of(job->in, v, at)->params; }

static void read_seed(Job *job, Value v, Span at) { job->seed = (uint64_t)value_to_int(job->in, v, at, "the seed"); }

static void read_discrete(Job *job, Value v, Span at) {
    discrete_read(job->pair, job->in, v, job->choice.method->point, at);
}

static void read_refine(Job *job, Value v, Span at) { job->pair->refine = refine_options(job->in, v, at); }

const InferOption infer_options[] = {
    {"guide",
     "q(args), or auto_normal(), auto_mvn(), ...; where it is left out: auto_mvn(), auto_normal() for many latents"},
#define OPTION(name, help) {#name, help},
#include "infer/options.def"
#undef OPTION
    {0},
};

static void (*const readers[])(Job *job, Value v, Span at) = {
#define OPTION(name, help) read_##name,
#include "infer/options.def"
#undef OPTION
};

/* What falls until the end needs to know where that is. */
static void check_schedules(Job *job, Span at) {
    bool scheduled = job->choice.objective.kl_weight.kind != SCHEDULE_CONSTANT;
    for (int k = 0; k < job->nrules; k++) scheduled |= schedule_needs_total(&job->rules[k].choice.schedule);
    if (scheduled && job->steps < 0 && !job->epochs)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, at, "for example steps = 5000",
                  "a schedule needs to know how long the training is: say `steps` or `epochs`");
}

void options_read(Job *job, const Args *a) {
    job->choice = method_default();
    job->steps = -1;
    job->ndraws = DRAWS;
    job->seed = job->in->ctx->seed;
    job->rules = ARENA_ARRAY(job->fit->arena, DescentRule, 1);
    job->nrules = 1;
    for (int k = ARG_GUIDE + 1; k < NARGS; k++) {
        if (k == ARG_optimizer) /* where nothing is said of it */
            job->rules[0].choice =
                job->choice.has_optimizer ? job->choice.optimizer : default_optimizer(job->epochs ? 0 : job->steps);
        if (a->values[k].kind != VALUE_NONE) readers[k - ARG_GUIDE - 1](job, a->values[k], a->spans[k]);
    }
    bool held_out = a->values[ARG_held_out].kind != VALUE_NONE;
    if (job->patience && !held_out)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, job->every_span, "held_out = (m(test), q(test))",
                  "`patience` is of the improvement on held-out data: there are none");
    if (job->every && !held_out && !job->checkpoint)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, job->every_span,
                  "held_out = (m(test), q(test)), or checkpoint = \"file\"",
                  "`every` says how often held-out data are looked at or checkpoints written: neither is asked for");
    if (job->pair->batches) batch_seed(job->pair->batches, job->seed);
    check_schedules(job, a->spans[ARG_optimizer].line ? a->spans[ARG_optimizer] : a->span);
}

/* -- The guide -- */

static void check_guides_model(Interp *in, const Call *guide, const Call *model, Span at) {
    const Function *g = guide->closure->function;
    if (g->model_ref.kind != REF_GLOBAL) return;
    Value m = in->globals[g->model_ref.slot];
    if (m.kind != VALUE_FUNCTION || m.u.closure->function == model->closure->function) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "`%s` is a guide for the model `%s`, not for `%s`", g->name,
              g->model_name, model->closure->function->name);
}

/* `guide q(args) for m with auto_normal() {..}`: the expression may name the arguments. */
static Value with_part(Interp *in, const Call *guide) {
    const Function *fn = guide->closure->function;
    Frame *f = frame_new(in, fn, guide->closure->environment);
    for (int k = 0; k < fn->nparams; k++) f->slots[fn->params[k].slot] = guide->arguments[k];
    return eval(in, f, fn->with);
}

static bool is_automatic(Value v) {
    return v.kind == VALUE_FUNCTION && v.u.closure->function->kind != FUNCTION_MODEL &&
           v.u.closure->function->kind != FUNCTION_GUIDE;
}

static void set_automatic(Interp *in, Pair *p, Value v, Span at) {
    if (!is_automatic(v))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "for example guide = auto_mvn()", "a guide was expected here; this is %s",
                  value_describe(in, v));
    p->automatic = value_keep(in, p->arena, v);
    if (!p->guide_name) p->guide_name = arena_strdup(p->arena, automatic_name(in, v));
}

void options_read_guide(Job *job, Value v, Span at) {
    Interp *in = job->in;
    Pair *p = job->pair;
    bool density = job->choice.method->point;
    p->automatic = value_none();
    if (v.kind != VALUE_NONE && density)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s() takes no guide", job->choice.method->name);
    if (v.kind == VALUE_NONE) {
        p->prior = job->choice.method->weighs;
        if (!p->prior) p->automatic = value_nothing(); /* chosen when the dimension is known */
    } else if (is_automatic(v)) {
        set_automatic(in, p, v, at);
    } else {
        p->guide = model_keep(in, p->arena, model_argument(in, v, FUNCTION_GUIDE, at));
        const Function *fn = p->guide->closure->function;
        p->guide_name = fn->name;
        check_guides_model(in, p->guide, p->model, at);
        if (fn->with) set_automatic(in, p, with_part(in, p->guide), fn->with->span);
    }
    if (p->automatic.kind == VALUE_NONE) return;
    p->scores = job->choice.method == &method_svi;
    p->latents = ARENA_NEW(p->arena, Latents);
    const char *name = density ? job->choice.method->name : p->guide_name ? p->guide_name : "an automatic guide";
    latents_init(p->latents, p->arena, !density, job->choice.method != &method_map, name);
}

void options_set_automatic(Job *job, const char *name) {
    Value guide = interp_call(job->in, interp_lookup(job->in, name), 0, NULL, job->span);
    set_automatic(job->in, job->pair, guide, job->span);
}
