#include "infer/svi.h"

#include <math.h>
#include <string.h>

#include "infer/blame.h"

static const double OUTLIER = 10;

enum { PATIENCE = 10 };

static bool all_finite(double squares, const real *x, int64_t n) {
    if (isfinite(squares)) return true;
    double sum = 0; /* squares may overflow */
    for (int64_t i = 0; i < n; i++) sum += x[i] - x[i]; /* NaN where one is not finite */
    return sum == 0;
}

static _Noreturn void refuse_nonfinite(Svi *s, double value) {
    long step = s->job->fit->report.steps + 1;
    const char *name = isfinite(value) ? "the gradient of the ELBO" : "the ELBO";
    const char *what = step == 1 ? arena_printf(s->in->arena, "%s is not finite at any start", name)
                                 : arena_printf(s->in->arena, "%s is not finite at step %ld", name, step);
    blame_last_run(s->pair, &s->bound.run, s->bound.together ? s->bound.particles : 1, what,
                   "data and priors of a scale of about 1, or a smaller rate, keep numbers where they are defined");
}

/* A rare draw from the tails may overflow: other noise is tried before giving up. */
double svi_step(Svi *s, uint32_t step) {
    for (int k = 0;; k++) {
        uint32_t noise = step + (uint32_t)k * 0x01000000u;
        double f = bound_step(&s->bound, noise);
        if (descent_grow(&s->descent)) s->size = s->descent.size; /* a new structure may bring parameters */
        s->squares = gradient_squares(s->bound.direction, s->size, s->in->ctx->team);
        if (isfinite(f) && all_finite(s->squares, s->bound.direction, s->size)) return f;
        if (k == PATIENCE) refuse_nonfinite(s, f);
    }
}

/* Rare draws from heavy tails have gradients that throw Adam off for a long time: under automatic guides norms are cut
 * at some times their running geometric mean. */
static void cut_outlier(Svi *s) {
    Team *team = s->in->ctx->team;
    real *direction = s->bound.direction;
    double log_norm = s->squares > 1e-280 && s->squares < 1e300 ? 0.5 * log(s->squares)
                                                                : log(gradient_norm(direction, s->size, team));
    if (log_norm == -INFINITY) return;
    double level = s->updates ? s->log_norm : log_norm, limit = log(OUTLIER) + level;
    if (log_norm > limit) gradient_clip(direction, s->size, exp(limit), team);
    double weight = s->updates < 20 ? 1.0 / (double)(s->updates + 1) : 0.05;
    s->log_norm = (1 - weight) * level + weight * fmin(log_norm, limit);
}

void svi_update(Svi *s, long step, double rate_factor) {
    if (descent_follow(&s->descent, s->bound.direction))
        s->squares = gradient_squares(s->bound.direction, s->size, s->in->ctx->team);
    if (s->pair->automatic.kind != VALUE_NONE && s->descent.rules[0].choice.clip == 0) cut_outlier(s);
    s->updates++;
    descent_update(&s->descent, s->bound.direction, step, rate_factor);
}

void svi_restart(Svi *s) {
    descent_restart(&s->descent);
    s->updates = 0;
}

/* -- The method -- */

static Svi *svi_new(Job *job) {
    Svi *s = ARENA_NEW(job->fit->arena, Svi);
    *s = (Svi){.job = job, .in = job->in, .arena = job->fit->arena, .pair = job->pair};
    if (job->pair->automatic.kind != VALUE_NONE) svi_start_automatic(job);
    bound_init(&s->bound, job);
    descent_init(&s->descent, s->in->ctx, s->arena, s->pair->params, job->rules, job->nrules);
    descent_steps(&s->descent, job->steps);
    descent_grow(&s->descent);
    s->size = s->descent.size;
    descent_check(&s->descent, job->rules_span);
    return s;
}

/* -- Centred or not: what suits few data misses much of the posterior under many. Both are tried for some steps from
 *    their own start, and the one with the higher ELBO goes on (a choice that Gorinova, Moore, Hoffman 2020 learn) --
 */

enum { TRIAL_STEPS = 400, TRIAL_FROM = 0x10000000, TRIAL_DRAWS = 1000, FEWEST_DRAWS = 20, TRIAL_NUMBERS = 2000000 };

/* The ELBOs of many latents differ by much more than their noise, which is the same for both. */
static int trial_draws(int64_t size) {
    int64_t n = TRIAL_NUMBERS / (size + 1);
    return n < FEWEST_DRAWS ? FEWEST_DRAWS : n > TRIAL_DRAWS ? TRIAL_DRAWS : (int)n;
}

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
    int draws = trial_draws(t->latents->size);
    double *values = ARENA_ARRAY(s->arena, double, draws);
    for (uint32_t k = 1; k <= TRIAL_STEPS; k++) {
        svi_step(s, TRIAL_FROM + k);
        svi_update(s, 0, k < TRIAL_STEPS / 2 ? 1 : 0.3);
    }
    svi_restart(s);
    bound_values(&s->bound, s->pair->params->values, s->pair->params->size, STEP_CHECK, draws, values);
    t->elbo = 0;
    for (int k = 0; k < draws; k++) t->elbo += values[k] / draws;
    t->start = s->pair->start;
}

static Latents *centred_copy(const Latents *l, Interp *in, Arena *arena) {
    Latents *copy = arena_copy(arena, l, sizeof *l);
    copy->list = arena_copy(arena, l->list, sizeof *l->list * (size_t)l->n);
    copy->noncentre = false;
    for (int k = 0; k < l->n; k++) copy->list[k].noncentred = false;
    latents_join_all(copy, in);
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
            .job = job, .latents = k ? centred_copy(pair->latents, job->in, f->arena) : pair->latents, .elbo = -INFINITY};
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
    if (trials[!better].svi) bound_end(&trials[!better].svi->bound);
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
    else if (job->steps >= 0 || job->held_model)
        svi_fixed(s, job->steps);
    else
        svi_until_done(s);
    f->report.flops = recorder_flops(&s->bound.run);
    bound_end(&s->bound);
    fit_take_draws(job, job->ndraws);
}
