/* infer(...) and what its arguments are made of: methods, objectives, optimizers, schedules. */
#include <math.h>
#include <string.h>

#include "infer/batch.h"
#include "infer/builtins.h"
#include "infer/decode.h"
#include "infer/fit.h"
#include "interp/builtins.h"
#include "interp/internal.h"
#include "interp/session.h"

enum { DRAWS = 4000, MAX_AUTO_MVN = 200 };

/* -- Objects: plain records in an arena -- */

#define KEEP(NAME, Type)                                                                                               \
    static void *NAME(Interp *in, void *data, Arena *to) {                                                             \
        (void)in;                                                                                                      \
        return arena_copy(to, data, sizeof(Type));                                                                     \
    }
KEEP(keep_method, MethodChoice)
KEEP(keep_optimizer, OptimizerChoice)
KEEP(keep_objective, Objective)
KEEP(keep_schedule, Schedule)

static void show_method(Interp *in, void *data, Buf *out) {
    (void)in;
    buf_printf(out, "%s(...)", ((MethodChoice *)data)->method->name);
}

static void show_optimizer(Interp *in, void *data, Buf *out) {
    OptimizerChoice *o = data;
    (void)in;
    buf_printf(out, "%s(", o->optimizer->name);
    for (int k = 0; k < o->optimizer->noptions; k++)
        buf_printf(out, "%s%s = %g", k ? ", " : "", o->optimizer->options[k].name, o->option[k]);
    buf_add(out, ")");
}

const ObjectType method_type = {.name = "method", .show = show_method, .keep = keep_method};
const ObjectType optimizer_type = {.name = "optimizer", .show = show_optimizer, .keep = keep_optimizer};
const ObjectType objective_type = {.name = "objective", .keep = keep_objective};
const ObjectType schedule_type = {.name = "schedule", .keep = keep_schedule};

static Value object_of(Interp *in, const ObjectType *type, const void *data, size_t size) {
    return value_object(in, type, arena_copy(in->arena, data, size));
}

/* The object of this type in an argument; NULL where it was left out. */
static void *argument_object(Interp *in, const Args *a, int k, const ObjectType *type, const char *example) {
    Value v = a->values[k];
    if (v.kind == VALUE_NONE) return NULL;
    if (v.kind == VALUE_OBJECT && v.u.object->type == type) return v.u.object->data;
    ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[k], arena_printf(in->arena, "for example %s", example),
              "%s was expected here; this is %s",
              arena_printf(in->arena, strchr("aeiou", type->name[0]) ? "an %s" : "a %s", type->name),
              value_describe(in, v));
}

double argument_number(Interp *in, const Args *a, int k, double otherwise, double low, double high, const char *what) {
    if (a->values[k].kind == VALUE_NONE) return otherwise;
    double x = value_to_number(in, a->values[k], a->spans[k], what);
    if (!(x >= low && x <= high))
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[k], NULL, "%s must be from %g to %g, it is %g", what, low, high, x);
    return x;
}

long argument_count(Interp *in, const Args *a, int k, long otherwise, long low, const char *what) {
    if (a->values[k].kind == VALUE_NONE) return otherwise;
    int64_t n = value_to_int(in, a->values[k], a->spans[k], what);
    if (n < low || n > 1000000000)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[k], NULL, "%s must be at least %ld, it is %ld", what, low, (long)n);
    return (long)n;
}

/* -- Methods -- */

static const Method svi_method = {"svi", svi_run}, map_method = {"map", map_run},
                    laplace_method = {"laplace", laplace_run}, importance_method = {"importance", importance_run},
                    exact_method = {"exact", exact_run};

static Value method_value(Interp *in, const MethodChoice *c) { return object_of(in, &method_type, c, sizeof *c); }

static const MethodChoice svi_default = {.method = &svi_method, .objective = {.kl_weight = 1}};

static Baseline read_baseline(Interp *in, Value v, Span at) {
    static const char *const names[] = {"loo", "average", "none"};
    const char *name = value_to_string(in, v, at, "the baseline");
    for (int k = 0; k < 3; k++)
        if (strcmp(name, names[k]) == 0) return (Baseline)k;
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              "\"loo\" is the mean of the other particles, \"average\" a moving average over the steps",
              "the baseline is \"loo\", \"average\" or \"none\", not \"%s\"", name);
}

static Value make_svi(Interp *in, const Args *a) {
    MethodChoice c = svi_default;
    const Objective *o = argument_object(in, a, 0, &objective_type, "ELBO(particles = 8)");
    const OptimizerChoice *p = argument_object(in, a, 1, &optimizer_type, "adam(1e-3)");
    if (a->values[2].kind != VALUE_NONE) c.baseline = read_baseline(in, a->values[2], a->spans[2]);
    if (o) c.objective = *o;
    if (p) c.has_optimizer = true, c.optimizer = *p;
    return method_value(in, &c);
}

/* map(f, xs, ...) is the function on lists; map() and map(restarts = n) are the method. */
static Value make_map(Interp *in, const Args *a) {
    ValueKind first = a->values[0].kind;
    if (first == VALUE_FUNCTION || first == VALUE_BUILTIN || first == VALUE_FAMILY) return builtin_map(in, a);
    Args restarts = {.values = a->values, .n = 1, .spans = a->spans, .span = a->span};
    for (int k = 0; k < a->nrest; k++) {
        if (!a->rest_names[k] || strcmp(a->rest_names[k], "restarts") != 0)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "map(f, xs) applies f; map(restarts = n) is the method",
                      "`map` takes a function and lists, or `restarts`");
        restarts.values = &a->rest[k], restarts.spans = &a->span;
    }
    MethodChoice c = {.method = &map_method,
                      .number = (double)argument_count(in, &restarts, 0, 0, 1, "the number of restarts")};
    return method_value(in, &c);
}

static Value make_laplace(Interp *in, const Args *a) {
    (void)a;
    return method_value(in, &(MethodChoice){.method = &laplace_method});
}

static Value make_importance(Interp *in, const Args *a) {
    MethodChoice c = {.method = &importance_method,
                      .number = (double)argument_count(in, a, 0, 10000, 1, "the number of runs")};
    return method_value(in, &c);
}

static Value make_elbo(Interp *in, const Args *a) {
    Objective o = {.particles = (int)argument_count(in, a, 0, 0, 1, "the number of particles"),
                   .kl_weight = argument_number(in, a, 1, 1, 0, 1e6, "the weight of the KL term")};
    return object_of(in, &objective_type, &o, sizeof o);
}

_Noreturn static void not_there(Interp *in, const Args *a, const char *what) {
    ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "there are svi(), map(), laplace() and importance(n)",
              "`%s` is not there yet", what);
}
#define NOT_THERE(NAME)                                                                                                \
    static Value make_##NAME(Interp *in, const Args *a) { not_there(in, a, #NAME); }
NOT_THERE(em)
NOT_THERE(mean_field)
NOT_THERE(wake_sleep)
NOT_THERE(smc)
NOT_THERE(hmc)
NOT_THERE(nuts)
NOT_THERE(pathfinder)
NOT_THERE(IWAE)
NOT_THERE(Renyi)

/* -- Optimizers: options by position or by name, then `schedule` and `clip` -- */

static _Noreturn void unknown_option(Interp *in, const Optimizer *o, const char *name, Span at) {
    const char *names[MAX_OPTIONS + 3];
    int n = 0;
    Buf all = {0};
    for (; n < o->noptions; n++) {
        names[n] = o->options[n].name;
        buf_printf(&all, "%s, ", names[n]);
    }
    names[n++] = "schedule", names[n++] = "clip";
    buf_add(&all, "schedule, clip");
    char *list = arena_strdup(in->arena, all.text);
    buf_free(&all);
    const char *near = nearest_name(name, names, n);
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              near ? arena_printf(in->arena, "did you mean `%s`? (its options: %s)", near, list) : list,
              "the optimizer `%s` has no option `%s`", o->name, name);
}

static Value optimizer_value(Interp *in, const char *name, const Args *a) {
    OptimizerChoice c = {.optimizer = optimizer_find(name), .schedule = {.kind = SCHEDULE_CONSTANT}};
    if (!c.optimizer) ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "there is no optimizer `%s`", name);
    const Optimizer *o = c.optimizer;
    optimizer_defaults(o, c.option);
    int position = 0;
    for (int k = 0; k < a->nrest; k++) {
        const char *option = a->rest_names[k];
        Value v = a->rest[k];
        if (option && strcmp(option, "schedule") == 0) {
            if (v.kind != VALUE_OBJECT || v.u.object->type != &schedule_type)
                ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "for example cosine(0.1)",
                          "a schedule was expected; this is %s", value_describe(in, v));
            c.schedule = *(Schedule *)v.u.object->data;
            continue;
        }
        if (option && strcmp(option, "clip") == 0) {
            c.clip = value_to_number(in, v, a->span, "the limit of the gradient's norm");
            continue;
        }
        int place = option ? strcmp(option, "rate") == 0 ? 0 : optimizer_option(o, option) : position++;
        if (place < 0) unknown_option(in, o, option, a->span);
        if (place >= o->noptions)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "`%s` has %d options", o->name, o->noptions);
        double x = value_to_number(in, v, a->span, o->options[place].name);
        if (!(x >= o->options[place].low && x <= o->options[place].high))
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "%s: `%s` must be from %g to %g, it is %g", o->name,
                      o->options[place].name, o->options[place].low, o->options[place].high, x);
        c.option[place] = x;
    }
    return object_of(in, &optimizer_type, &c, sizeof c);
}
#define OPTIMIZER(NAME)                                                                                                \
    static Value make_##NAME(Interp *in, const Args *a) { return optimizer_value(in, #NAME, a); }
#include "infer/optimizers.def"
#undef OPTIMIZER

static Value schedule_value(Interp *in, const Args *a, ScheduleKind kind, double final) {
    Schedule s = {.kind = kind,
                  .final = argument_number(in, a, 0, final, 0, 1, "the last factor"),
                  .warmup = argument_count(in, a, 1, 0, 0, "the number of warm-up steps")};
    return object_of(in, &schedule_type, &s, sizeof s);
}
static Value make_cosine(Interp *in, const Args *a) { return schedule_value(in, a, SCHEDULE_COSINE, 0.01); }
static Value make_decay(Interp *in, const Args *a) { return schedule_value(in, a, SCHEDULE_EXPONENTIAL, 0.01); }
static Value make_warmup(Interp *in, const Args *a) {
    Schedule s = {.kind = SCHEDULE_CONSTANT,
                  .final = 1,
                  .warmup = argument_count(in, a, 0, 100, 0, "the number of warm-up steps")};
    return object_of(in, &schedule_type, &s, sizeof s);
}

/* -- infer -- */

const Call *model_argument(Interp *in, Value v, FunctionKind kind, Span at) {
    const char *what = kind == FUNCTION_GUIDE ? "guide" : "model";
    if (v.kind == VALUE_FUNCTION && v.u.closure->function->kind == kind) v = interp_call(in, v, 0, NULL, at);
    if (v.kind == VALUE_CALL && v.u.call->closure->function->kind == kind) return v.u.call;
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              arena_printf(in->arena, "write its name, with its arguments where it takes some: %s or %s(...)",
                           kind == FUNCTION_GUIDE ? "q" : "m", kind == FUNCTION_GUIDE ? "q" : "m"),
              "a %s was expected here; this is %s", what, value_describe(in, v));
}

static const Call *keep_call(Interp *in, Arena *arena, const Call *call) {
    Value v = value_keep(in, arena, (Value){VALUE_CALL, .u.call = (Call *)call});
    return v.u.call;
}

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

static Value library_guide(Interp *in, const char *name, Span at) {
    Value make = interp_lookup(in, name);
    return interp_call(in, make, 0, NULL, at);
}

static void set_automatic(Interp *in, Pair *p, Value v, Span at) {
    if (!is_automatic(v))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "for example guide = auto_mvn()", "a guide was expected here; this is %s",
                  value_describe(in, v));
    p->automatic = value_keep(in, p->arena, v);
    if (!p->guide_name) p->guide_name = arena_strdup(p->arena, automatic_name(in, v));
}

static bool needs_density(const Method *m) { return m == &map_method || m == &laplace_method; }

static void read_guide(Job *job, Value v, Span at) {
    Interp *in = job->in;
    Pair *p = job->pair;
    bool density = needs_density(job->choice.method);
    p->automatic = value_none();
    if (v.kind != VALUE_NONE && density)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s() takes no guide", job->choice.method->name);
    if (v.kind == VALUE_NONE) {
        p->prior = job->choice.method == &importance_method;
        if (!p->prior) p->automatic = value_nothing(); /* chosen when the dimension is known */
    } else if (is_automatic(v)) {
        set_automatic(in, p, v, at);
    } else {
        p->guide = keep_call(in, p->arena, model_argument(in, v, FUNCTION_GUIDE, at));
        const Function *fn = p->guide->closure->function;
        p->guide_name = fn->name;
        check_guides_model(in, p->guide, p->model, at);
        if (fn->with) set_automatic(in, p, with_part(in, p->guide), fn->with->span);
    }
    if (p->automatic.kind == VALUE_NONE) return;
    p->latents = ARENA_NEW(p->arena, Latents);
    const char *name = density ? job->choice.method->name : p->guide_name ? p->guide_name : "an automatic guide";
    latents_init(p->latents, p->arena, !density, job->choice.method != &map_method, name);
}

enum {
    ARG_MODEL,
    ARG_GUIDE,
    ARG_METHOD,
    ARG_STEPS,
    ARG_EPOCHS,
    ARG_BATCH,
    ARG_OPTIMIZER,
    ARG_DRAWS,
    ARG_FROM,
    ARG_SEED,
    ARG_DISCRETE,
    ARG_REFINE,
    NARGS
};

static void read_options(Job *job, const Args *a) {
    Interp *in = job->in;
    static const int later[] = {ARG_REFINE};
    static const char *const later_names[] = {"refine"};
    for (size_t k = 0; k < sizeof later / sizeof *later; k++)
        if (a->values[later[k]].kind != VALUE_NONE)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[later[k]], NULL, "the option `%s` of infer is not there yet",
                      later_names[k]);
    job->steps = argument_count(in, a, ARG_STEPS, -1, 1, "the number of steps");
    job->epochs = argument_count(in, a, ARG_EPOCHS, 0, 1, "the number of epochs");
    if (job->epochs && job->steps >= 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[ARG_EPOCHS], NULL, "`steps` and `epochs` both say how long: one of them is enough");
    if (a->values[ARG_BATCH].kind != VALUE_NONE)
        job->pair->batches = batch_plan_new(in, job->fit->arena, a->values[ARG_BATCH], in->ctx->seed, a->spans[ARG_BATCH]);
    job->ndraws = argument_count(in, a, ARG_DRAWS, DRAWS, 1, "the number of draws");
    job->seed = a->values[ARG_SEED].kind == VALUE_NONE
                    ? in->ctx->seed
                    : (uint64_t)value_to_int(in, a->values[ARG_SEED], a->spans[ARG_SEED], "the seed");
    const MethodChoice *m = argument_object(in, a, ARG_METHOD, &method_type, "svi()");
    job->choice = m ? *m : svi_default;
    discrete_read(job->pair, in, a->values[ARG_DISCRETE], needs_density(job->choice.method), a->spans[ARG_DISCRETE]);
    const OptimizerChoice *o = argument_object(in, a, ARG_OPTIMIZER, &optimizer_type, "adam(1e-3)");
    if (!o && job->choice.has_optimizer) o = &job->choice.optimizer;
    if (o)
        job->optimizer = *o;
    else {
        job->optimizer =
            (OptimizerChoice){.optimizer = optimizer_find("adam"), .schedule = {.kind = SCHEDULE_CONSTANT}};
        optimizer_defaults(job->optimizer.optimizer, job->optimizer.option);
        job->optimizer.option[0] = job->steps < 0 ? 0.05 : 0.01;
    }
}

/* Every plate named in `batch` was met; epochs become steps. */
static void check_batches(Job *job, const Args *a) {
    Interp *in = job->in;
    BatchPlan *b = job->pair->batches;
    if (job->choice.method != &svi_method)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[ARG_BATCH], "use svi()", "%s() uses all data at once: it takes no `batch`", job->choice.method->name);
    for (int k = 0; k < b->plates.n; k++)
        if (b->plates.list[k].population == 0)
            fit_note(job->fit, "the plate %s has no more elements than its batch, or is not there: nothing runs in batches", b->plates.list[k].plate);
}

typedef struct Inference {
    Interp *in;
    const Args *args;
    Job job;
} Inference;

static void infer_body(void *self) {
    Inference *w = self;
    Interp *in = w->in;
    const Args *a = w->args;
    Job *job = &w->job;
    Fit *f = job->fit;
    Pair *p = ARENA_NEW(f->arena, Pair);
    job->pair = f->pair = p;
    *p = (Pair){.in = in, .arena = f->arena, .span = a->span};
    read_options(job, a);
    p->model = keep_call(in, f->arena, model_argument(in, a->values[ARG_MODEL], FUNCTION_MODEL, a->spans[ARG_MODEL]));
    f->report.model = p->model->closure->function->name;
    f->report.method = job->choice.method->name;
    p->params = f->params = ARENA_NEW(f->arena, ParamStore);
    params_init(p->params, in, f->arena);
    if (a->values[ARG_FROM].kind != VALUE_NONE)
        p->params->from = fit_of(in, a->values[ARG_FROM], a->spans[ARG_FROM])->params;
    read_guide(job, a->values[ARG_GUIDE], a->spans[ARG_GUIDE]);
    if (p->prior)
        pair_check_prior(p, in, job->seed);
    else
        pair_check(p, in, job->seed);
    if (p->automatic.kind == VALUE_NOTHING && !needs_density(job->choice.method)) {
        if (p->latents->n == 0)
            p->automatic = value_none();
        else
            set_automatic(in, p,
                          library_guide(in, p->latents->size > MAX_AUTO_MVN ? "auto_normal" : "auto_mvn", a->span),
                          a->span);
    }
    if (p->batches) check_batches(job, a);
    f->report.guide = p->guide_name;
    for (int k = 0; k < p->nsum_notes; k++) fit_note(f, "%s", p->sum_notes[k]);
    for (int k = 0; k < p->discrete.nnotes; k++) fit_note(f, "%s", p->discrete.notes[k]);
    bool nothing_left = !p->guide && !p->discrete.drawn && p->automatic.kind == VALUE_NONE && p->nsum_notes > 0 &&
                        p->params->n == 0;
    if (nothing_left && job->choice.method == &svi_method) job->choice.method = &exact_method;
    f->report.method = job->choice.method->name;
    long epoch = p->batches ? batch_epoch(p->batches) : 0;
    if (job->epochs) job->steps = job->epochs * (epoch ? epoch : 1);
    job->choice.method->run(job);
    if (p->discrete.drawn && job->choice.method == &svi_method) {
        f->report.reliable = false;
        f->report.verdict = "not to be trusted: discrete latents are drawn from the model, not from their posterior; "
                            "importance(n) weighs such draws";
    }
    p->params->from = NULL;
    f->report.seconds = clock_seconds() - job->start_time;
    const InferSettings *s = &infer_state(in)->settings;
    if (s->on_progress) {
        Progress done = {.method = f->report.method,
                         .model = f->report.model,
                         .step = f->report.steps,
                         .objective = f->report.elbo,
                         .seconds = f->report.seconds,
                         .left = 0,
                         .done = true};
        s->on_progress(s->self, &done);
    }
}

static Value call_infer(Interp *in, const Args *a) {
    InferState *state = infer_state(in);
    Inference w = {
        .in = in, .args = a, .job = {.in = in, .fit = fit_new(in), .span = a->span, .start_time = clock_seconds()}};
    Scope saved;
    Error e;
    scope_save(in, &saved);
    if (!ctx_protect(in->ctx, infer_body, &w, &e)) {
        scope_leave(in, &saved);
        state->fits = w.job.fit->next;
        arena_free(w.job.fit->arena);
        ctx_reraise(in->ctx, &e);
    }
    state->latest = w.job.fit;
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

const Builtin infer_builtins[] = {
    {"infer",
     "(model, guide = , method = , steps = , epochs = , batch = , optimizer = , draws = , from = , seed = , discrete = "
     ", refine = )",
     call_infer, "fits a model to the data it observes: the posterior of its variables, its learned parameters", 0},
    {"svi", "(objective = , optimizer = , baseline = )", make_svi,
     "stochastic variational inference: the guide nearest to the posterior", 0},
    {"map", "(f = , xs = , ...)", make_map,
     "the method: the point of highest density of the variables as written; of a function and lists: f of every "
     "element",
     0},
    {"laplace", "()", make_laplace, "a Gaussian at the mode, in unconstrained space", 0},
    {"importance", "(n = )", make_importance, "n weighted runs of the guide, or of the prior", 0},
    {"ELBO", "(particles = , kl_weight = )", make_elbo, "the evidence lower bound, as objective of svi", 0},
    {"em", "(...)", make_em, "not there yet", 0},
    {"mean_field", "(...)", make_mean_field, "not there yet", 0},
    {"wake_sleep", "(...)", make_wake_sleep, "not there yet", 0},
    {"smc", "(...)", make_smc, "not there yet", 0},
    {"hmc", "(...)", make_hmc, "not there yet", 0},
    {"nuts", "(...)", make_nuts, "not there yet", 0},
    {"pathfinder", "(...)", make_pathfinder, "not there yet", 0},
    {"IWAE", "(...)", make_IWAE, "not there yet", 0},
    {"Renyi", "(...)", make_Renyi, "not there yet", 0},
    {"gradient", "(v)", call_gradient, "in the body of `refine v`: the gradient of this element's ELBO with respect to v", 0},
    {"save", "(path, fit = )", call_save, "write the learned parameters of a fit (the latest) to a .safetensors or .json file", 0},
    {"load", "(path)", call_load, "read learned parameters: a fit for from =, posterior and simulate", 0},
    {"refinement", "(fit, m, q)", call_refinement, "the mean ELBO per element before the first step of `refine` and after each", 0},
#define OPTIMIZER(NAME) {#NAME, "(...)", make_##NAME, "an optimizer: its options by name, then schedule and clip", 0},
#include "infer/optimizers.def"
#undef OPTIMIZER
    {"cosine", "(final = , warmup = )", make_cosine,
     "a schedule: the rate falls along a cosine to `final` times itself", 0},
    {"decay", "(final = , warmup = )", make_decay, "a schedule: the rate falls exponentially to `final` times itself",
     0},
    {"warmup", "(steps = )", make_warmup, "a schedule: the rate rises over the first steps, then stays", 0},
    {"elbo", "(fit, m = , q = , samples = )", call_elbo,
     "the ELBO on given data, one per element of the outermost plate where possible", 0},
    {"log_evidence", "(fit, m = , q = , samples = )", call_log_evidence,
     "the importance-weighted estimate of log p(data), likewise", 0},
    {"simulate", "(m, n = )", call_simulate,
     "a model or guide run forward, observations drawn anew: a record; n runs first", 0},
    {"decode", "(fit)", call_decode, "the most probable joint values of what was summed out, a record", 0},
    {"predict", "(fit, m = , n = )", call_predict,
     "the posterior predictive: simulate with the latents of the fit, draws first", 0},
    {"posterior", "(fit, q, m = , n = )", call_posterior,
     "draws of a guide with what was learned, on new data; n draws first", 0},
    {"summary", "(fit)", call_summary, "what print(fit) shows, as text", 0},
    {"unconstrained_logpdf", "(m, u, jacobian = )", call_unconstrained_logpdf,
     "a model's log density at a point of unconstrained space", 0},
    {"unconstrained_gradient", "(m, u, jacobian = )", call_unconstrained_gradient, "its gradient", 0},
    {"unconstrain", "(m, record)", call_unconstrain,
     "values of the latents as a point of unconstrained space, in the model's order", 0},
    {0}};
