/* importance(n): n runs of the guide (or, without one, of the model's prior) with weights p / q, Pareto-smoothed
 * (Vehtari et al. 2024). Each run draws what it draws: the structure may be random.
 *
 * Only weights are kept of the runs. Draws are resampled systematically (Kitagawa 1996), from runs sorted by the sum of
 * their variables, so that the error of resampling is far below that of the weights; then the chosen runs are run
 * again: randomness belongs to the address and the run's number. What is summed out has the mean of its probabilities
 * over the chosen runs. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/blame.h"
#include "infer/diagnostics.h"
#include "infer/fit.h"
#include "infer/guide_sums.h"

enum { BATCH = 64 };

typedef struct Weighing {
    Job *job;
    Arena *arena;
    Tape *tape;
    double *log_weights, *keys; /* [n] */
    long n;
} Weighing;

/* One run; the tape records where gradients are wanted (PASS_MARKED). */
static void run_once(Job *job, Arena *arena, long number, PassMode mode, Pass *p, Scope *saved) {
    Interp *in = job->in;
    arena_reset(arena);
    Tape *tape = tape_new(in->ctx, arena, mode == PASS_MARKED);
    tape->step = (uint32_t)number;
    tape->inputs[SLOT_PARAMS] = job->pair->params->values;
    scope_enter(in, saved, arena, tape, job->seed);
    pass_run(p, job->pair, in, NULL, mode);
}

static double sum_of(const Value v) {
    if (v.kind == VALUE_NUMBER) return v.u.number;
    if (v.kind != VALUE_ARRAY) return 0;
    const Tensor *t = v.u.array->var.value;
    int64_t n = shape_size(t->shape);
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += tensor_item(t, k);
    return sum;
}

static bool weigh_runs(Weighing *w) {
    Job *job = w->job;
    OnlineMoments m = {0};
    for (long k = 0; k < w->n; k++) {
        Pass p;
        Scope saved;
        run_once(job, w->arena, k, PASS_TERMS, &p, &saved);
        double elbo = tape_read(job->in->tape, pass_elbo(&p, job->in, 1)), key = 0;
        for (int i = 0; i < p.model.n; i++)
            if (p.model.entries[i].kind != ENTRY_FACTOR && !p.model.entries[i].observed)
                key += sum_of(p.model.entries[i].value);
        if (isnan(elbo) || elbo == INFINITY)
            blame_run(job->in, &p, arena_printf(job->in->arena, "the weight of run %ld is not finite", k + 1),
                      "let the prior keep to where each operation is defined");
        scope_leave(job->in, &saved);
        w->log_weights[k] = elbo;
        w->keys[k] = isfinite(key) ? key : 0;
        if (isfinite(elbo)) moments_add(&m, elbo);
        if (k % BATCH == 0 && job_progress(job, k, w->n, NAN)) {
            w->n = k + 1;
            break;
        }
    }
    job->fit->report.steps = w->n;
    job->fit->report.elbo = m.n == w->n ? m.mean : NAN;
    job->fit->report.elbo_mcse = m.n == w->n ? sqrt(moments_var(&m) / (double)m.n) : NAN;
    return w->n > 0;
}

static double log_mean_exp(const double *x, long n) {
    double largest = -INFINITY, sum = 0;
    for (long k = 0; k < n; k++) largest = fmax(largest, x[k]);
    if (!isfinite(largest)) return largest;
    for (long k = 0; k < n; k++) sum += exp(x[k] - largest);
    return largest + log(sum / (double)n);
}

typedef struct Ranked {
    double key;
    long run;
} Ranked;

static int by_key(const void *a, const void *b) {
    const Ranked *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return (x->run > y->run) - (x->run < y->run);
}

/* Which run each draw repeats: systematic over the runs sorted by key, then shuffled. */
static long *resample(Weighing *w, const double *log_weights, long ndraws) {
    Arena *a = w->job->fit->arena;
    Ranked *order = ARENA_ARRAY(a, Ranked, w->n);
    for (long k = 0; k < w->n; k++) order[k] = (Ranked){w->keys[k], k};
    qsort(order, (size_t)w->n, sizeof *order, by_key);
    long *chosen = ARENA_ARRAY(a, long, ndraws);
    Stream s = stream_at(key_fold(w->job->seed, 0x5E5A), 0, 0, 0);
    double u = stream_uniform(&s), sum = 0;
    long taken = 0;
    for (long k = 0; k < w->n; k++) {
        sum += exp(log_weights[order[k].run]) * (double)ndraws;
        while (taken < ndraws && (double)taken + u < sum) chosen[taken++] = order[k].run;
    }
    for (long k = w->n - 1; taken < ndraws; taken++) chosen[taken] = order[k].run; /* rounding */
    for (long k = ndraws - 1; k > 0; k--) {
        long other = (long)(stream_uniform(&s) * (double)(k + 1));
        long keep = chosen[k];
        chosen[k] = chosen[other], chosen[other] = keep;
    }
    return chosen;
}

static void take_draws(Weighing *w, const long *chosen, long ndraws) {
    Job *job = w->job;
    draws_init(&job->fit->draws, job->in->ctx, job->fit->arena, ndraws);
    for (long k = 0; k < ndraws; k++) {
        Pass p;
        Scope saved;
        run_once(job, w->arena, chosen[k], job->pair->nsum_notes > 0 ? PASS_MARKED : PASS_TERMS, &p, &saved);
        pass_probabilities(&p, job->in);
        DrawPlan *plan = draws_plan(&job->fit->draws, &p.model, TRACE_LATENT | TRACE_RECORDED, NULL, w->arena);
        draws_take(&job->fit->draws, plan, k);
        scope_leave(job->in, &saved);
    }
}

void importance_run(Job *job) {
    Fit *f = job->fit;
    guide_sums_refuse(job->pair, job->in, "importance sampling");
    Weighing w = {.job = job, .n = (long)job->choice.number};
    w.arena = ctx_arena(job->in->ctx);
    arena_defer(f->arena, (void (*)(void *))arena_free, w.arena);
    tensor_check_size(job->in->ctx, f->arena, shape2(3 * (int64_t)(sizeof(double) / sizeof(real)), w.n));
    w.log_weights = ARENA_ARRAY(f->arena, double, 3 * w.n);
    w.keys = w.log_weights + w.n;
    double *smoothed = w.keys + w.n;
    f->report.stop = "steps";
    weigh_runs(&w);
    f->report.log_evidence = log_mean_exp(w.log_weights, w.n);
    if (!isfinite(f->report.log_evidence))
        ctx_raise(job->in->ctx, ERROR_NUMERIC, job->span, "a guide nearer to the posterior, or other data",
                  "none of %ld runs is possible given the data: all weights are 0", w.n);
    double khat = psis_khat(f->arena, w.log_weights, w.n, smoothed);
    if (isnan(khat)) { /* too few to smooth */
        double total = f->report.log_evidence + log((double)w.n);
        for (long k = 0; k < w.n; k++) smoothed[k] = w.log_weights[k] - total;
    }
    double ess = psis_ess(smoothed, w.n);
    take_draws(&w, resample(&w, smoothed, job->ndraws), job->ndraws);
    f->ess = fmin(ess, (double)job->ndraws);
    fit_judge(f, khat, w.n, NAN, "a guide nearer to the posterior, or more runs");
    fit_note(f, "%ld runs are worth %.0f draws of the posterior; %ld were resampled", w.n, ess, job->ndraws);
    arena_reset(w.arena);
}
