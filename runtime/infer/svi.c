#include "infer/svi.h"

#include <limits.h>
#include <math.h>
#include <string.h>

static const double OUTLIER = 10;

enum { PATIENCE = 10, SCORED_PARTICLES = 8, AUTOMATIC_PARTICLES = 8 };

/* -- Recording the objective -- */

static void reserve_gradients(Svi *s, Recorder *r) {
    int64_t size = s->pair->params->size;
    if (size <= s->capacity) return;
    recorder_forget(r); /* they write to the old place */
    s->capacity = size;
    s->gradient = ARENA_ARRAY(s->arena, real, size);
}

/* of_model: of the parameters that the model reads, or of the others. */
static void output_gradient(Svi *s, Recorder *r, const Pass *p, Var y, bool of_model) {
    const ParamStore *store = s->pair->params;
    Var *inputs = ARENA_ARRAY(r->in->arena, Var, store->n + 1), *g = ARENA_ARRAY(r->in->arena, Var, store->n + 1);
    int *which = ARENA_ARRAY(r->in->arena, int, store->n + 1), n = 0;
    for (int k = 0; k < store->n; k++)
        if (params_input(&p->reader, k, &inputs[n]) && p->reader.of_model[k] == of_model) which[n++] = k;
    if (n) tape_grad(r->in->tape, y, NULL, n, inputs, g);
    for (int k = 0; k < n; k++) recorder_output(r, g[k], s->gradient + store->list[which[k]].offset);
}

/* The model's parameters follow the ELBO y, the guide's what a refinement makes of it. */
static void output_gradients(Svi *s, Recorder *r, const Pass *p, Var y) {
    output_gradient(s, r, p, y, true);
    output_gradient(s, r, p, pass_guide_objective(p, r->in, y), false);
}

/* Where no gradient flows through a draw; gives what is to be added to the mean of f over particles. */
static Var add_scores(Svi *s, Recorder *r, Pass *p, Var f, ScoreRun *run) {
    Interp *in = r->in;
    ScoreSite *sites;
    int n = score_sites(p, in, s->kl_weight, &sites);
    *run = (ScoreRun){0};
    s->scored = n > 0;
    if (n == 0) return f;
    if (p->particles && s->baseline == BASELINE_LOO)
        return op2(in->tape, OP_ADD, f, score_leave_one_out(in, n, sites, p->particles));
    if (score_store_find(&s->store, in, n, sites, p->particles, run)) recorder_forget(r);
    return op2(in->tape, OP_ADD, f, score_store_surrogate(&s->store, r, sites, p->particles, run));
}

/* All particles at once. */
static void record_together(Svi *s, Recorder *r, Pass *p, ScoreRun *run) {
    Interp *in = r->in;
    Tape *t = in->tape;
    const Axis *axis = axis_intern(in, AXIS_PARTICLE, "particle", 1, s->particles, 0);
    in->plates[in->nplates++] = axis;
    pass_run(p, s->pair, in, axis, PASS_TERMS);
    in->nplates--;
    Var f = op_expand(t, pass_elbo(p, in, s->kl_weight), shape1(s->particles));
    Var mean = op2(t, OP_DIV, op_sum_all(t, f), var_number(t, s->particles));
    Var surrogate = add_scores(s, r, p, mean, run);
    reserve_gradients(s, r);
    recorder_output(r, f, s->elbos);
    output_gradients(s, r, p, surrogate);
}

static void record_one(Svi *s, Recorder *r, Pass *p, ScoreRun *run) {
    pass_run(p, s->pair, r->in, NULL, PASS_TERMS);
    Var f = pass_elbo(p, r->in, s->kl_weight);
    Var surrogate = add_scores(s, r, p, f, run);
    reserve_gradients(s, r);
    recorder_output(r, f, s->elbos);
    output_gradients(s, r, p, surrogate);
}

typedef struct Together {
    Svi *s;
    Recorder *r;
    Pass *p;
    ScoreRun *run;
} Together;

static void try_together(void *self) {
    Together *t = self;
    record_together(t->s, t->r, t->p, t->run);
}

static void *record_objective(Recorder *r, void *self) {
    Svi *s = self;
    r->in->training = true; /* dropout and the like are on; the scope's end turns them off */
    Pass p;
    ScoreRun *run = ARENA_NEW(s->arena, ScoreRun);
    if (s->together) {
        Together t = {s, r, &p, run};
        Scope saved;
        Error e;
        scope_save(r->in, &saved);
        if (ctx_protect(r->in->ctx, try_together, &t, &e)) return run;
        if (e.kind != ERROR_ELEMENTWISE || !r->in->split || r->in->split->kind != AXIS_PARTICLE)
            ctx_reraise(r->in->ctx, &e);
        scope_leave(r->in, &saved); /* something needs one plain value: one particle after the other */
        tape_truncate(r->in->tape, 0);
        r->noutputs = 0;
        s->together = false;
    }
    record_one(s, r, &p, run);
    return run;
}

static void *record_value(Recorder *r, void *self) {
    Svi *s = self;
    Pass p;
    pass_run(&p, s->pair, r->in, NULL, PASS_TERMS);
    recorder_output(r, pass_elbo(&p, r->in, s->kl_weight), &s->elbo);
    return s;
}

/* -- A step -- */

/* A new structure may bring parameters. */
static void reserve_direction(Svi *s) {
    if (!descent_grow(&s->descent) && s->direction) return;
    s->size = s->descent.size;
    s->direction = ARENA_ARRAY(s->arena, real, s->size + 1);
}

static void clear(real *x, int64_t n) {
    if (n) memset(x, 0, sizeof(real) * (size_t)n);
}

static const ScoreRun *run_objective(Svi *s, uint32_t step, uint32_t particle) {
    clear(s->gradient, s->capacity);
    s->objective.slots[SLOT_PARAMS] = s->pair->params->values;
    s->objective.slots[SLOT_BASELINE] = s->store.input;
    s->objective.slots[SLOT_WEIGHT] = &s->weight_now;
    const ScoreRun *run = recorder_run(&s->objective, step, particle);
    if (s->size < s->pair->params->size) reserve_direction(s);
    return run;
}

/* Run after run. With the other particles as baseline, a first round finds out what there is to be taken off. */
static double step_by_particle(Svi *s, uint32_t step) {
    double total = 0;
    clear(s->direction, s->size);
    score_store_clear(&s->store);
    if (s->baseline == BASELINE_LOO && s->scored && s->particles > 1)
        for (int k = 0; k < s->particles; k++) score_store_add(&s->store, run_objective(s, step, (uint32_t)k));
    score_store_set(&s->store, s->baseline);
    for (int k = 0; k < s->particles; k++) {
        const ScoreRun *run = run_objective(s, step, (uint32_t)k);
        if (s->together) return NAN; /* cannot be: it only ever changes to run after run */
        if (s->baseline == BASELINE_AVERAGE) score_store_add(&s->store, run);
        total += s->elbos[0];
        for (int64_t i = 0; i < s->size; i++) s->direction[i] -= s->gradient[i];
    }
    score_store_average(&s->store);
    for (int64_t i = 0; i < s->size; i++) s->direction[i] /= s->particles;
    return total / s->particles;
}

static double step_together(Svi *s, uint32_t step) {
    score_store_clear(&s->store);
    score_store_set(&s->store, s->baseline);
    const ScoreRun *run = run_objective(s, step, 0);
    if (!s->together) return step_by_particle(s, step);
    score_store_add(&s->store, run);
    score_store_average(&s->store);
    for (int64_t i = 0; i < s->size; i++) s->direction[i] = -s->gradient[i];
    double mean = 0;
    for (int k = 0; k < s->particles; k++) mean += s->elbos[k];
    return mean / s->particles;
}

static bool all_finite(const real *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i] - x[i]; /* NaN where one is not finite */
    return sum == 0;
}

static _Noreturn void refuse_nonfinite(Svi *s, double value) {
    Span at = s->pair->span;
    const char *what = recorder_first_nonfinite(&s->objective, s->in->arena, &at);
    const char *name = isfinite(value) ? "the gradient of the ELBO" : "the ELBO";
    if (!what)
        ctx_raise(s->in->ctx, ERROR_NUMERIC, at, NULL, "%s is not finite at step %ld", name,
                  s->job->fit->report.steps + 1);
    ctx_raise(s->in->ctx, ERROR_NUMERIC, at, "keep its operands where it is defined",
              "%s is not finite; it starts here: %s", name, what);
}

/* A rare draw from the tails may overflow: other noise is tried before giving up. */
double svi_step(Svi *s, uint32_t step) {
    for (int k = 0;; k++) {
        uint32_t noise = step + (uint32_t)k * 0x01000000u;
        double f = s->together ? step_together(s, noise) : step_by_particle(s, noise);
        if (isfinite(f) && all_finite(s->direction, s->size)) return f;
        if (k == PATIENCE) refuse_nonfinite(s, f);
    }
}

/* Rare draws from heavy tails have gradients that throw Adam off for a long time: under automatic guides norms are cut
 * at some times their running geometric mean. */
static void cut_outlier(Svi *s) {
    double norm = gradient_norm(s->direction, s->size);
    if (!(norm > 0)) return;
    double level = s->updates ? exp(s->log_norm) : norm, limit = OUTLIER * level;
    if (norm > limit) gradient_clip(s->direction, s->size, limit);
    double weight = fmax(0.05, 1.0 / (double)(s->updates + 1));
    s->log_norm = (1 - weight) * (s->updates ? s->log_norm : 0) + weight * log(fmin(norm, limit));
}

void svi_update(Svi *s, long step, double rate_factor) {
    if (s->pair->automatic.kind != VALUE_NONE && s->descent.rules[0].choice.clip == 0) cut_outlier(s);
    s->updates++;
    descent_update(&s->descent, s->direction, step, rate_factor);
}

void svi_restart(Svi *s) {
    descent_restart(&s->descent);
    s->updates = 0;
}

void svi_values(Svi *s, const real *values, uint32_t first_step, long n, double *out) {
    s->value.slots[SLOT_PARAMS] = s->pair->params->read = values;
    s->value.slots[SLOT_WEIGHT] = &s->weight_now;
    for (long k = 0; k < n; k++) {
        recorder_run(&s->value, first_step + (uint32_t)k, 0);
        out[k] = s->elbo;
    }
    s->pair->params->read = NULL;
}

/* -- The method -- */

static void choose_particles(Svi *s) {
    Job *job = s->job;
    s->particles = job->choice.objective.particles;
    bool chosen = s->particles == 0;
    if (chosen) s->particles = s->pair->guide ? 1 : AUTOMATIC_PARTICLES;
    s->elbos = ARENA_ARRAY(s->arena, real, s->particles + SCORED_PARTICLES + 1);
    s->together = s->particles > 1;
    reserve_direction(s);
    run_objective(s, STEP_CHECK, 0); /* one run tells whether draws must be scored */
    static const char *const baselines[] = {"leave-one-out", "moving-average", "no"};
    if (!s->scored) return;
    if (s->particles < 2 && s->baseline == BASELINE_LOO) {
        if (!chosen)
            ctx_raise(s->in->ctx, ERROR_PROGRAM, job->span, "ELBO(particles = 8), or svi(baseline = \"average\")",
                      "a draw of the guide has no gradient: its baseline needs at least 2 particles");
        s->particles = SCORED_PARTICLES;
        s->together = true;
        recorder_forget(&s->objective);
    }
    fit_note(job->fit, "draws of the guide without gradient: score function, %d particle%s, %s baseline", s->particles,
             s->particles == 1 ? "" : "s", baselines[s->baseline]);
}

static Svi *svi_new(Job *job) {
    Svi *s = ARENA_NEW(job->fit->arena, Svi);
    *s = (Svi){.job = job,
               .in = job->in,
               .arena = job->fit->arena,
               .pair = job->pair,
               .kl_schedule = job->choice.objective.kl_weight,
               .baseline = job->choice.baseline,
               .store = {.arena = job->fit->arena}};
    bool constant = s->kl_schedule.kind == SCHEDULE_CONSTANT && s->kl_schedule.warmup == 0;
    s->kl_weight = constant ? s->kl_schedule.first : KL_SCHEDULED;
    s->kl_schedule.total = job->steps;
    s->weight_now = (real)schedule_factor(&s->kl_schedule, LONG_MAX);
    if (job->pair->automatic.kind != VALUE_NONE) svi_start_automatic(job);
    descent_init(&s->descent, s->in->ctx, s->arena, s->pair->params, job->rules, job->nrules);
    descent_steps(&s->descent, job->steps);
    recorder_init(&s->objective, s->in, s->arena, job->seed, record_objective, s);
    recorder_init(&s->value, s->in, s->arena, job->seed, record_value, s);
    s->objective.batches = s->value.batches = job->pair->batches;
    choose_particles(s);
    descent_check(&s->descent, job->rules_span);
    return s;
}

static void svi_forget(Svi *s) {
    recorder_forget(&s->objective);
    recorder_forget(&s->value);
}

/* -- Centred or not: what suits few data misses much of the posterior under many. Both are tried for some steps from
 *    their own start, and the one with the higher ELBO goes on (a choice that Gorinova, Moore, Hoffman 2020 learn) --
 */

enum { TRIAL_STEPS = 400, TRIAL_FROM = 0x10000000, TRIAL_DRAWS = 1000 };

typedef struct Trial {
    Job *job;
    Svi *svi;
    Latents *latents;
    ParamStore *params;
    Value start;
    double elbo;
} Trial;

static void run_trial(void *self) {
    Trial *t = self;
    Svi *s = t->svi = svi_new(t->job);
    double *values = ARENA_ARRAY(s->arena, double, TRIAL_DRAWS);
    for (uint32_t k = 1; k <= TRIAL_STEPS; k++) {
        svi_step(s, TRIAL_FROM + k);
        svi_update(s, 0, k < TRIAL_STEPS / 2 ? 1 : 0.3);
    }
    svi_restart(s);
    svi_values(s, s->pair->params->values, STEP_CHECK, TRIAL_DRAWS, values);
    t->elbo = 0;
    for (int k = 0; k < TRIAL_DRAWS; k++) t->elbo += values[k] / TRIAL_DRAWS;
    t->start = s->pair->start;
}

static Latents *centred_copy(const Latents *l, Arena *arena) {
    Latents *copy = arena_copy(arena, l, sizeof *l);
    copy->list = arena_copy(arena, l->list, sizeof *l->list * (size_t)l->n);
    copy->noncentre = false;
    for (int k = 0; k < l->n; k++) copy->list[k].noncentred = false;
    return copy;
}

static bool any_noncentred(const Latents *l) {
    for (int k = 0; k < l->n; k++)
        if (l->list[k].noncentred) return true;
    return false;
}

static Svi *choose_centring(Job *job) {
    Pair *pair = job->pair;
    Fit *f = job->fit;
    Trial trials[2];
    Error e, last = {0};
    for (int k = 0; k < 2; k++) {
        Trial *t = &trials[k];
        *t = (Trial){
            .job = job, .latents = k ? centred_copy(pair->latents, f->arena) : pair->latents, .elbo = -INFINITY};
        t->params = ARENA_NEW(f->arena, ParamStore);
        params_init(t->params, job->in, f->arena);
        t->params->from = pair->params->from;
    }
    for (int k = 0; k < 2; k++) {
        Scope saved;
        pair->latents = trials[k].latents, pair->params = trials[k].params;
        scope_save(job->in, &saved);
        if (ctx_protect(job->in->ctx, run_trial, &trials[k], &e)) continue;
        if (e.kind != ERROR_NUMERIC) ctx_reraise(job->in->ctx, &e);
        scope_leave(job->in, &saved);
        trials[k].elbo = -INFINITY;
        last = e;
    }
    int better = trials[1].elbo > trials[0].elbo;
    if (trials[better].elbo == -INFINITY && last.message) ctx_reraise(job->in->ctx, &last);
    Trial *t = &trials[better];
    if (trials[!better].svi) svi_forget(trials[!better].svi);
    pair->latents = t->latents, pair->params = f->params = t->params, pair->start = t->start;
    fit_note(f, "location-scale latents are %s: the ELBO was higher so", better ? "centred" : "non-centred");
    return t->svi;
}

void svi_run(Job *job) {
    Fit *f = job->fit;
    Pair *pair = job->pair;
    if (pair->automatic.kind != VALUE_NONE && pair->latents->n == 0) pair->automatic = value_none();
    bool choice = pair->automatic.kind != VALUE_NONE && any_noncentred(pair->latents);
    Svi *s = choice ? choose_centring(job) : svi_new(job);
    f->report.stop = s->size ? "steps" : "converged";
    if (s->size == 0)
        fit_note(f, "nothing is learned: the guide has no parameters");
    else if (job->steps >= 0)
        svi_fixed(s, job->steps);
    else
        svi_until_done(s);
    svi_forget(s);
    fit_take_draws(job, job->ndraws);
}
