#include "infer/objective.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"

enum { SCORED_PARTICLES = 8, AUTOMATIC_PARTICLES = 8 };

/* -- Recording the objective -- */

static void reserve_gradients(Bound *b, Recorder *r) {
    int64_t size = b->pair->params->size;
    if (size <= b->capacity) return;
    recorder_forget(r); /* they write to the old place */
    b->capacity = size;
    b->gradient = ARENA_ARRAY(b->arena, real, size);
}

static void output_gradients(Bound *b, Recorder *r, Pass *p, Var y) {
    const ParamStore *store = b->pair->params;
    Var *inputs = ARENA_ARRAY(r->in->arena, Var, store->n + 1), *g = ARENA_ARRAY(r->in->arena, Var, store->n + 1);
    bool *of_model = ARENA_ARRAY(r->in->arena, bool, store->n + 1);
    int *which = ARENA_ARRAY(r->in->arena, int, store->n + 1), n = 0;
    for (int k = 0; k < store->n; k++) {
        if (!params_input(&p->reader, k, &inputs[n])) continue;
        of_model[n] = p->reader.of_model[k];
        which[n++] = k;
    }
    if (n) refine_gradients(p, r->in, y, n, inputs, of_model, g);
    for (int k = 0; k < n; k++) recorder_output(r, g[k], b->gradient + store->list[which[k]].offset);
}

/* Where no gradient flows through a draw; gives what is to be added to the mean of f over particles. */
static Var add_scores(Bound *b, Recorder *r, Pass *p, Var f, ScoreRun *run) {
    Interp *in = r->in;
    ScoreSite *sites;
    int n = score_sites(p, in, b->kl_weight, &sites);
    *run = (ScoreRun){0};
    b->scored = n > 0;
    if (n == 0) return f;
    if (p->particles && b->baseline == BASELINE_LOO)
        return op2(in->tape, OP_ADD, f, score_leave_one_out(in, n, sites, p->particles));
    if (score_store_find(&b->store, in, n, sites, p->particles, run)) recorder_forget(r);
    return op2(in->tape, OP_ADD, f, score_store_surrogate(&b->store, r, sites, p->particles, run));
}

/* All particles at once. */
static void record_together(Bound *b, Recorder *r, Pass *p, ScoreRun *run) {
    Interp *in = r->in;
    Tape *t = in->tape;
    const Axis *axis = axis_intern(in, AXIS_PARTICLE, "particle", 1, b->particles, 0);
    in->plates[in->nplates++] = axis;
    pass_run(p, b->pair, in, axis, PASS_TERMS);
    in->nplates--;
    Var f = op_expand(t, pass_elbo(p, in, b->kl_weight), shape1(b->particles));
    Var mean = op2(t, OP_DIV, op_sum_all(t, f), var_number(t, b->particles));
    Var surrogate = add_scores(b, r, p, mean, run);
    reserve_gradients(b, r);
    recorder_output(r, f, b->elbos);
    output_gradients(b, r, p, surrogate);
}

static void record_one(Bound *b, Recorder *r, Pass *p, ScoreRun *run) {
    pass_run(p, b->pair, r->in, NULL, PASS_TERMS);
    Var f = pass_elbo(p, r->in, b->kl_weight);
    Var surrogate = add_scores(b, r, p, f, run);
    reserve_gradients(b, r);
    recorder_output(r, f, b->elbos);
    output_gradients(b, r, p, surrogate);
}

typedef struct Together {
    Bound *b;
    Recorder *r;
    Pass *p;
    ScoreRun *run;
} Together;

static void try_together(void *self) {
    Together *t = self;
    record_together(t->b, t->r, t->p, t->run);
}

static void *record_objective(Recorder *r, void *self) {
    Bound *b = self;
    r->in->training = true; /* dropout and the like are on; the scope's end turns them off */
    Pass p;
    ScoreRun *run = ARENA_NEW(b->arena, ScoreRun);
    if (b->together) {
        Together t = {b, r, &p, run};
        Scope saved;
        Error e;
        scope_save(r->in, &saved);
        if (ctx_protect(r->in->ctx, try_together, &t, &e)) return run;
        if (e.kind != ERROR_ELEMENTWISE || !r->in->split || r->in->split->kind != AXIS_PARTICLE)
            ctx_reraise(r->in->ctx, &e);
        scope_leave(r->in, &saved); /* something needs one plain value: one particle after the other */
        tape_truncate(r->in->tape, 0);
        r->noutputs = 0;
        b->together = false;
    }
    record_one(b, r, &p, run);
    return run;
}

static void *record_value(Recorder *r, void *self) {
    Bound *b = self;
    Pass p;
    pass_run(&p, b->pair, r->in, NULL, PASS_TERMS);
    recorder_output(r, pass_elbo(&p, r->in, b->kl_weight), &b->elbo);
    return b;
}

/* -- A step -- */

static void reserve_direction(Bound *b) {
    int64_t size = b->pair->params->size;
    if (size == b->size && b->direction) return;
    b->size = size;
    b->direction = ARENA_ARRAY(b->arena, real, size + 1);
}

static void clear(real *x, int64_t n) {
    if (n) memset(x, 0, sizeof(real) * (size_t)n);
}

static const ScoreRun *run_bound(Bound *b, uint32_t step, uint32_t particle) {
    clear(b->gradient, b->capacity);
    b->run.slots[SLOT_PARAMS] = b->pair->params->values;
    b->run.slots[SLOT_BASELINE] = b->store.input;
    b->run.slots[SLOT_WEIGHT] = &b->weight_now;
    const ScoreRun *run = recorder_run(&b->run, step, particle);
    if (b->size < b->pair->params->size) reserve_direction(b);
    return run;
}

/* Run after run. With the other particles as baseline, a first round finds out what there is to be taken off. */
static double step_by_particle(Bound *b, uint32_t step) {
    double total = 0;
    clear(b->direction, b->size);
    score_store_clear(&b->store);
    if (b->baseline == BASELINE_LOO && b->scored && b->particles > 1)
        for (int k = 0; k < b->particles; k++) score_store_add(&b->store, run_bound(b, step, (uint32_t)k));
    score_store_set(&b->store, b->baseline);
    for (int k = 0; k < b->particles; k++) {
        const ScoreRun *run = run_bound(b, step, (uint32_t)k);
        if (b->together) return NAN; /* cannot be: it only ever changes to run after run */
        if (b->baseline == BASELINE_AVERAGE) score_store_add(&b->store, run);
        total += b->elbos[0];
        for (int64_t i = 0; i < b->size; i++) b->direction[i] -= b->gradient[i];
    }
    score_store_average(&b->store);
    for (int64_t i = 0; i < b->size; i++) b->direction[i] /= b->particles;
    return total / b->particles;
}

static double step_together(Bound *b, uint32_t step) {
    score_store_clear(&b->store);
    score_store_set(&b->store, b->baseline);
    const ScoreRun *run = run_bound(b, step, 0);
    if (!b->together) return step_by_particle(b, step);
    score_store_add(&b->store, run);
    score_store_average(&b->store);
    for (int64_t i = 0; i < b->size; i++) b->direction[i] = -b->gradient[i];
    double mean = 0;
    for (int k = 0; k < b->particles; k++) mean += b->elbos[k];
    return mean / b->particles;
}

double bound_step(Bound *b, uint32_t step) { return b->together ? step_together(b, step) : step_by_particle(b, step); }

void bound_values(Bound *b, const real *values, uint32_t first_step, long n, double *out) {
    b->value.slots[SLOT_PARAMS] = b->pair->params->read = values;
    b->value.slots[SLOT_WEIGHT] = &b->weight_now;
    for (long k = 0; k < n; k++) {
        recorder_run(&b->value, first_step + (uint32_t)k, 0);
        out[k] = b->elbo;
    }
    b->pair->params->read = NULL;
}

static void choose_particles(Bound *b, Fit *fit, Span span) {
    b->particles = b->objective.particles;
    bool chosen = b->particles == 0;
    if (chosen) b->particles = b->pair->guide ? 1 : AUTOMATIC_PARTICLES;
    b->elbos = ARENA_ARRAY(b->arena, real, b->particles + SCORED_PARTICLES + 1);
    b->together = b->particles > 1;
    reserve_direction(b);
    run_bound(b, STEP_CHECK, 0); /* one run tells whether draws must be scored */
    static const char *const baselines[] = {"leave-one-out", "moving-average", "no"};
    if (!b->scored) return;
    if (b->particles < 2 && b->baseline == BASELINE_LOO) {
        if (!chosen)
            ctx_raise(b->in->ctx, ERROR_PROGRAM, span, "ELBO(particles = 8), or svi(baseline = \"average\")",
                      "a draw of the guide has no gradient: its baseline needs at least 2 particles");
        b->particles = SCORED_PARTICLES;
        b->together = true;
        recorder_forget(&b->run);
    }
    fit_note(fit, "draws of the guide without gradient: score function, %d particle%s, %s baseline", b->particles,
             b->particles == 1 ? "" : "s", baselines[b->baseline]);
}

void bound_schedule(Bound *b, long step) { b->weight_now = (real)schedule_factor(&b->schedule, step); }

void bound_init(Bound *b, Job *job) {
    Arena *arena = job->fit->arena;
    *b = (Bound){.in = job->in,
                 .arena = arena,
                 .pair = job->pair,
                 .objective = job->choice.objective,
                 .schedule = job->choice.objective.kl_weight,
                 .baseline = job->choice.baseline,
                 .store = {.arena = arena}};
    bool constant = b->schedule.kind == SCHEDULE_CONSTANT && b->schedule.warmup == 0;
    b->kl_weight = constant ? b->schedule.first : KL_SCHEDULED;
    b->pair->weighs_kl = true, b->pair->kl_weight = b->kl_weight;
    b->schedule.total = job->steps;
    bound_schedule(b, LONG_MAX);
    recorder_init(&b->run, b->in, arena, job->seed, record_objective, b);
    recorder_init(&b->value, b->in, arena, job->seed, record_value, b);
    b->run.batches = b->value.batches = job->pair->batches;
    choose_particles(b, job->fit, job->span);
}

void bound_forget(Bound *b) {
    recorder_forget(&b->run);
    recorder_forget(&b->value);
}

/* -- The objectives of the language -- */

/* A number, or a schedule: linear(0, 1, 1000). */
static Schedule kl_weight_argument(Interp *in, const Args *a, int k) {
    Value v = a->values[k];
    if (v.kind == VALUE_OBJECT) return *(Schedule *)object_of(in, v, &schedule_type, "linear(0, 1, 1000)", a->spans[k]);
    return schedule_constant(argument_number(in, a, k, 1, 0, 1e6, "the weight of the KL term"));
}

static Value make_elbo(Interp *in, const Args *a) {
    Objective o = {.particles = (int)argument_count(in, a, 0, 0, 1, "the number of particles"),
                   .kl_weight = kl_weight_argument(in, a, 1)};
    return object_value(in, &objective_type, &o, sizeof o);
}

const Builtin builtins_objectives[] = {
    {"ELBO", "(particles = , kl_weight = )", make_elbo, 
     "the evidence lower bound, as objective of svi; kl_weight: a number, or by step linear(0, 1, 1000)", 0},
    {0},
};
