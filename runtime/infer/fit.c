#include "infer/fit.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer/diagnostics.h"
#include "infer/local.h"
#include "infer/report.h"

/* -- Making one -- */

Fit *fit_new(Interp *in) {
    Arena *arena = ctx_arena(in->ctx);
    Fit *f = ARENA_NEW(arena, Fit);
    *f = (Fit){.in = in, .arena = arena, .ess = NAN};
    fit_hold(f, in->arena);
    f->report = (FitReport){.elbo = NAN,
                            .flops = NAN,
                            .elbo_mcse = NAN,
                            .khat = NAN,
                            .log_evidence = NAN,
                            .log_density = NAN,
                            .reliable = true,
                            .verdict = ""};
    return f;
}

void fit_release(void *self) {
    Fit *f = self;
    if (--f->references == 0) arena_free(f->arena);
}

void fit_hold(Fit *f, Arena *a) {
    arena_defer(a, fit_release, f);
    f->references++;
    arena_charge(a, arena_asked(f->arena) + sizeof *f->trace * (size_t)f->trace_capacity);
}

static void *fit_keep(Interp *in, void *data, Arena *to) {
    (void)in;
    fit_hold(data, to);
    return data;
}

Value fit_value(Interp *in, Fit *f) {
    fit_hold(f, in->arena);
    return value_object(in, &fit_type, f);
}

Fit *fit_of(Interp *in, Value v, Span at) {
    if (v.kind == VALUE_OBJECT && v.u.object->type == &fit_type) return v.u.object->data;
    ctx_raise(in->ctx, ERROR_PROGRAM, at, "fit = infer(model)", "a fit was expected here; this is %s",
              value_describe(in, v));
}

void fit_note(Fit *f, const char *format, ...) {
    va_list args;
    char text[512];
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ARENA_GROW(f->arena, f->notes, f->report.nnotes, f->notes_capacity, 4);
    f->notes[f->report.nnotes++] = arena_strdup(f->arena, text);
    f->report.notes = (const char **)f->notes;
}

static void release_trace(void *self) { free(((Fit *)self)->trace); }

/* Not in the arena: it becomes as long as the run, and grows where it is. */
static void grow_trace(Fit *f) {
    long capacity = f->trace_capacity ? 2 * f->trace_capacity : 1024;
    double *more = realloc(f->trace, sizeof *more * (size_t)capacity);
    if (!more) ctx_raise_here(f->in->ctx, ERROR_PROGRAM, "memory is exhausted");
    if (!f->trace) arena_defer(f->arena, release_trace, f);
    f->trace = more;
    f->trace_capacity = capacity;
}

void fit_trace_add(Fit *f, double objective) {
    if (f->ntrace == f->trace_capacity) grow_trace(f);
    f->trace[f->ntrace++] = objective;
}

void fit_held_out_add(Fit *f, long step, double value) {
    if (f->nheld_out == f->held_out_capacity) {
        f->held_out_capacity = f->held_out_capacity ? 2 * f->held_out_capacity : 64;
        double *values = ARENA_ARRAY(f->arena, double, f->held_out_capacity);
        double *steps = ARENA_ARRAY(f->arena, double, f->held_out_capacity);
        if (f->nheld_out) memcpy(values, f->held_out, sizeof *values * (size_t)f->nheld_out);
        if (f->nheld_out) memcpy(steps, f->held_out_steps, sizeof *steps * (size_t)f->nheld_out);
        f->held_out = values, f->held_out_steps = steps;
    }
    f->held_out[f->nheld_out] = value;
    f->held_out_steps[f->nheld_out++] = (double)step;
}

/* -- Judging -- */

static const double NEGLIGIBLE = 0.1; /* KL(q, p) is about sd^2 / 2: 0.005 */
static const double LARGE = 30;       /* such an sd is that of rare draws far outside */

void fit_judge(Fit *f, double khat, long n, double sd, const char *remedy) {
    double limit = psis_khat_limit(n);
    f->report.khat = khat;
    f->report.reliable = (!(khat > limit) && !isnan(khat)) || sd < NEGLIGIBLE;
    if (sd < NEGLIGIBLE && !(khat < 0.5))
        f->report.verdict =
            arena_printf(f->arena, "good: log p - log q varies by %.2g only, whatever the shape of its tail", sd);
    else if (n < PSIS_FEWEST)
        f->report.verdict = arena_printf(f->arena, "not to be trusted: %ld draw%s too few to judge by, k-hat takes %d", n,
                                         n == 1 ? " is" : "s are", PSIS_FEWEST);
    else if (isnan(khat))
        f->report.verdict = "not to be trusted: the log density is not finite at some draws";
    else if (khat > limit)
        f->report.verdict =
            arena_printf(f->arena, "not to be trusted: k-hat %.2f is above %.2f, the posterior is not covered; %s",
                         khat, limit, remedy);
    else if (khat > 0.5)
        f->report.verdict = arena_printf(f->arena, "usable: k-hat %.2f is below %.2f", khat, limit);
    else
        f->report.verdict =
            isinf(khat) ? "good: all weights are equal" : arena_printf(f->arena, "good: k-hat %.2f is below 0.5", khat);
    if (sd > LARGE) {
        f->report.reliable = false;
        f->report.verdict =
            arena_printf(f->arena, "not to be trusted: log p - log q varies by %.3g between draws; %s", sd, remedy);
    }
    if (f->report.interrupted) f->report.verdict = arena_printf(f->arena, "interrupted; %s", f->report.verdict);
}

/* -- Summaries -- */

static int compare_numbers(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Probabilities: nothing but their mean. */
static void summarise_averaged(Fit *f, const DrawVariable *v, FitVariable *out) {
    double *mean = ARENA_ARRAY(f->arena, double, v->size + 1);
    draws_mean(&f->draws, v, mean);
    *out = (FitVariable){.name = v->name, .shape = v->shape, .summed_out = true, .first = (long)v->first, .mean = mean};
}

static void summarise(Fit *f, const DrawVariable *v, FitVariable *out, double *column) {
    if (v->averaged) {
        summarise_averaged(f, v, out);
        return;
    }
    int64_t n = f->draws.ndraws, size = v->size;
    double *all = ARENA_ARRAY(f->arena, double, 7 * size + 1);
    double *mean = all, *sd = all + size, *q5 = sd + size, *q50 = q5 + size, *q95 = q50 + size, *ess = q95 + size,
           *rhat = ess + size;
    for (int64_t k = 0; k < size; k++) {
        OnlineMoments m = {0};
        bool whole = true;
        for (int64_t i = 0; i < n; i++) {
            column[i] = v->values[i * size + k];
            moments_add(&m, column[i]);
            whole &= !isnan(column[i]);
        }
        mean[k] = m.mean;
        sd[k] = f->point ? NAN : sqrt(moments_var(&m));
        rhat[k] = NAN;
        ess[k] = f->point ? NAN : isnan(f->ess) ? (double)n : f->ess;
        q5[k] = q50[k] = q95[k] = NAN;
        if (f->point || !whole) continue;
        qsort(column, (size_t)n, sizeof *column, compare_numbers);
        q5[k] = quantile_sorted(column, n, 0.05);
        q50[k] = quantile_sorted(column, n, 0.5);
        q95[k] = quantile_sorted(column, n, 0.95);
    }
    *out = (FitVariable){.name = v->name,
                         .shape = v->shape,
                         .mean = mean,
                         .sd = sd,
                         .q5 = q5,
                         .q50 = q50,
                         .q95 = q95,
                         .ess = ess,
                         .rhat = rhat,
                         .draws = v->values};
}

const FitReport *fit_report(Value value) {
    Fit *f = value.u.object->data;
    if (f->summarised) return &f->report;
    f->summarised = true;
    FitVariable *list = ARENA_ARRAY(f->arena, FitVariable, f->draws.n + 1);
    double *column = ARENA_ARRAY(f->arena, double, f->draws.ndraws + 1);
    int n = 0, partial = 0;
    for (int k = 0; k < f->draws.n; k++) {
        if (f->draws.list[k].present < f->draws.ndraws)
            partial++;
        else
            summarise(f, &f->draws.list[k], &list[n++], column);
    }
    if (partial)
        fit_note(f, "%d variable%s not in every draw and not summarised", partial, partial == 1 ? " is" : "s are");
    f->report.variables = list;
    f->report.nvariables = n;
    f->report.ndraws = (long)f->draws.ndraws;
    return &f->report;
}

/* -- Fields -- */

static const char *const own_fields[] = {"elbo",  "elbo_mcse", "khat",  "log_evidence", "log_density",
                                         "trace", "params",    "steps", "seconds",      "draws",
                                         "held_out", "held_out_steps", "flops"};

static Value own_field(Interp *in, Fit *f, const char *field) {
    const FitReport *r = &f->report;
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"elbo", r->elbo},
                   {"elbo_mcse", r->elbo_mcse},
                   {"khat", r->khat},
                   {"log_evidence", r->log_evidence},
                   {"log_density", r->log_density},
                   {"steps", (double)r->steps},
                   {"seconds", r->seconds},
                   {"flops", r->flops}};
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        if (strcmp(field, numbers[k].name) == 0) return value_number(numbers[k].value);
    const struct {
        const char *name;
        const double *values;
        long n;
    } vectors[] = {{"trace", f->trace, f->ntrace},
                   {"held_out", f->held_out, f->nheld_out},
                   {"held_out_steps", f->held_out_steps, f->nheld_out}};
    for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
        if (strcmp(field, vectors[k].name) == 0)
            return value_tensor(in, tensor_of_doubles(in->ctx, in->arena, shape1(vectors[k].n), vectors[k].values));
    if (strcmp(field, "params") == 0 && f->params) return params_record(f->params, in);
    return value_none();
}

/* Draws, the first axis; of a summed variable its probabilities, averaged over the draws of the rest. */
static Value draws_value(Interp *in, const Fit *f, const DrawVariable *v) {
    if (v->summed) {
        double *mean = ARENA_ARRAY(in->arena, double, v->size + 1);
        draws_mean(&f->draws, v, mean);
        return value_tensor(in, tensor_of_doubles(in->ctx, in->arena, v->shape, mean));
    }
    Shape shape = {.rank = v->shape.rank + 1};
    shape.dim[0] = f->draws.ndraws;
    memcpy(shape.dim + 1, v->shape.dim, sizeof(int64_t) * (size_t)v->shape.rank);
    return value_tensor(in, tensor_borrow(in->arena, shape, v->values));
}

/* All draws by full name, flat: what write("draws.csv", fit) writes. */
static Value all_draws(Interp *in, const Fit *f) {
    const char **names = ARENA_ARRAY(in->arena, const char *, f->draws.n + 1);
    Value *values = ARENA_ARRAY(in->arena, Value, f->draws.n + 1);
    for (int k = 0; k < f->draws.n; k++) {
        names[k] = f->draws.list[k].name;
        values[k] = draws_value(in, f, &f->draws.list[k]);
    }
    return value_record(in, f->draws.n, names, values);
}

static Value fit_get(Interp *in, void *data, const char *field) {
    Fit *f = data;
    size_t length = strlen(field);
    const char **names = ARENA_ARRAY(in->arena, const char *, f->draws.n + 1);
    Value *values = ARENA_ARRAY(in->arena, Value, f->draws.n + 1);
    int n = 0;
    for (int k = 0; k < f->draws.n; k++) {
        const DrawVariable *v = &f->draws.list[k];
        if (strcmp(v->name, field) == 0) return draws_value(in, f, v);
        if (strncmp(v->name, field, length) != 0 || v->name[length] != '.') continue;
        names[n] = v->name + length + 1;
        values[n++] = draws_value(in, f, v);
    }
    if (n) return record_nest(in, n, names, values);
    return strcmp(field, "draws") == 0 ? all_draws(in, f) : own_field(in, f, field);
}

static int fit_fields(void *data, Arena *a, const char ***names) {
    Fit *f = data;
    size_t own = sizeof own_fields / sizeof *own_fields;
    *names = ARENA_ARRAY(a, const char *, f->draws.n + (int)own);
    int n = 0;
    for (int k = 0; k < f->draws.n; k++) (*names)[n++] = f->draws.list[k].name;
    for (size_t k = 0; k < own; k++) (*names)[n++] = own_fields[k];
    return n;
}

static void fit_show(Interp *in, void *data, Buf *out) {
    report_fit(in->arena, fit_report(fit_value(in, data)), out, report_most(in));
}

const ObjectType fit_type = {.name = "fit", .get = fit_get, .fields = fit_fields, .show = fit_show, .keep = fit_keep};

/* -- Draws with fresh noise, from the program of one run -- */

typedef struct DrawRun {
    Pair *pair;
    DrawStore *draws;
    Arena *arena;
    real *elbo; /* of the run at work */
    bool point;   /* the guide is a point */
    real *u;      /* what the automatic part drew, in unconstrained space; NULL: nothing */
    OnlineMoments *spread;
} DrawRun;

static void *record_draw(Recorder *r, void *self) {
    DrawRun *d = self;
    Pass p;
    pass_run(&p, d->pair, r->in, NULL, PASS_MARKED);
    pass_probabilities(&p, r->in);
    d->point = p.point_guide && !d->pair->guide;
    recorder_output(r, pass_elbo(&p, r->in, 1), d->elbo);
    if (d->spread && p.point.l) recorder_output(r, p.point.point.var, d->u);
    return draws_plan(d->draws, &p.model, TRACE_LATENT | TRACE_RECORDED, r, d->arena);
}

/* Where draws differ by little more than their rounding, log q at them is that of the rounding, and may be anything. */
static bool is_lost(const DrawRun *d, int64_t size) {
    const double rounding = 64 * (sizeof(real) < sizeof(double) ? 0x1p-23 : 0x1p-52);
    for (int64_t k = 0; k < size; k++)
        if (sqrt(moments_var(&d->spread[k])) <= rounding * fabs(d->spread[k].mean)) return true;
    return false;
}

enum { BATCH_RUNS = 400 }; /* to estimate the ELBO, where no draws are wanted */
static const double MOST_LOCAL = 2e7; /* numbers drawn of all elements of plates that were learned in batches */

/* Is the step on all data at once: no plate runs in batches, or their latents have a guide and are few enough to be drawn? */
static bool runs_whole(const Job *job, long ndraws) {
    const Pair *p = job->pair;
    if (!p->batches) return true;
    double numbers = 0;
    if (p->automatic.kind != VALUE_NONE) numbers = local_numbers(p->latents);
    return numbers > 0 && numbers * (double)ndraws <= MOST_LOCAL;
}

void fit_take_draws(Job *job, long ndraws) {
    Fit *f = job->fit;
    draws_init(&f->draws, job->in->ctx, f->arena, ndraws);
    double *log_ratios = ARENA_ARRAY(f->arena, double, ndraws + 1);
    DrawRun *d = ARENA_NEW(f->arena, DrawRun);
    *d = (DrawRun){.pair = job->pair, .draws = &f->draws, .arena = f->arena, .elbo = ARENA_NEW(f->arena, real)};
    int64_t size = job->pair->automatic.kind != VALUE_NONE ? job->pair->latents->size : 0;
    if (size) d->u = ARENA_ARRAY(f->arena, real, size), d->spread = ARENA_ARRAY(f->arena, OnlineMoments, size);
    Recorder *r = ARENA_NEW(f->arena, Recorder);
    recorder_init(r, job->in, f->arena, job->seed, record_draw, d);
    bool whole = runs_whole(job, ndraws);
    if (!whole) r->batches = job->pair->batches;
    r->params = &job->pair->params->values;
    OnlineMoments m = {0};
    long finite = 0;
    for (long k = 0; k < ndraws; k++) {
        DrawPlan *plan = recorder_run(r, (uint32_t)(STEP_FRESH + k), 0);
        draws_take(&f->draws, plan, k);
        log_ratios[k] = *d->elbo;
        moments_add(&m, *d->elbo);
        finite += isfinite(*d->elbo);
        for (int64_t i = 0; i < size; i++) moments_add(&d->spread[i], (double)d->u[i]);
        if (k == 0 && !whole && f->draws.n == 0 && ndraws > BATCH_RUNS) ndraws = f->draws.ndraws = BATCH_RUNS;
    }
    recorder_end(r);
    f->report.elbo = m.mean;
    f->report.elbo_mcse = sqrt(moments_var(&m) / (double)ndraws);
    if (finite < ndraws) fit_note(f, "the log density is not finite at %ld of %ld draws", ndraws - finite, ndraws);
    if (d->point) {
        f->point = true;
        f->report.verdict = "a point: nothing is said of its uncertainty, and the ELBO lacks the entropy";
        return;
    }
    if (is_lost(d, size)) {
        f->report.elbo = f->report.elbo_mcse = NAN;
        f->report.reliable = false;
        f->report.verdict = "not to be trusted: the guide is narrower than numbers can tell apart, the training has diverged; a smaller rate may help";
        return;
    }
    if (!whole) { /* the spread is that of batches */
        f->report.verdict = f->report.interrupted ? "interrupted" : "learned on batches; log_evidence(fit, m, q) on some data tells how tight the bound is";
        return;
    }
    fit_judge(f, psis_khat(f->arena, log_ratios, ndraws, NULL), ndraws, sqrt(moments_var(&m)),
              "a richer guide (auto_iaf() bends), more steps, or importance(n) may help");
}
