/* Going on until nothing improves, by a rule that noise does not fool.
 *
 * The optimizer runs with a fixed step size in windows. The mean of the iterates over the later part of a window
 * (Polyak averaging: Dhaka et al. 2020, Welandawe et al. 2022) is compared with the mean before by the ELBO at both,
 * estimated with the same fresh noise, so that the difference has a small, known error. There is progress while the
 * difference is above a tolerance and either beyond its error or the iterates still drift (split R-hat above 1.1).
 * Without progress the step size shrinks and the next window, twice as long, starts from the mean; after three such
 * windows in a row it is done. */
#include <math.h>
#include <string.h>

#include "infer/diagnostics.h"
#include "infer/svi.h"

enum { FIRST_WINDOW = 200, MAX_STEPS = 30000, MAX_COMPARISONS = 400, STALLS = 4, WATCHED = 128 };
static const double SHRINK = 0.35, TOLERANCE = 0.003, SECONDS_BETWEEN_CHECKPOINTS = 10;

typedef struct Search {
    Svi *s;
    real *best, *mean; /* parameters */
    double *average;   /* the mean as it grows */
    double *a, *b;
    double *watched; /* [nwatched, window]: the path of some parameters in this window */
    int64_t nwatched;
    long window, room, steps; /* watched has room for so long a window */
    int comparisons;
    double rate;
    int stalls;
    uint32_t noise;
    int64_t size;
    double last_written; /* clock */
} Search;

static void copy_numbers(real *to, const real *from, int64_t n) {
    if (n) memcpy(to, from, sizeof(real) * (size_t)n);
}

static int64_t watched_param(const Search *h, int64_t k) { return k * h->size / h->nwatched; }

/* Do the iterates of the window drift? */
static bool drifts(const Search *h) {
    for (int64_t k = 0; k < h->nwatched; k++)
        if (rhat_plain(h->s->arena, h->watched + k * h->window, 1, h->window) > 1.1) return true;
    return false;
}

typedef enum Verdict { WORSE, SAME, BETTER } Verdict;

/* The mean of the window against the best so far. */
static Verdict compare(Search *h) {
    Svi *s = h->s;
    bound_values(&s->bound, h->best, h->size, h->noise, h->comparisons, h->a);
    bound_values(&s->bound, h->mean, h->size, h->noise, h->comparisons, h->b);
    h->noise += (uint32_t)h->comparisons;
    OnlineMoments d = {0};
    double level = 0;
    bool finite = true;
    for (int k = 0; k < h->comparisons; k++) {
        moments_add(&d, h->b[k] - h->a[k]);
        level += fabs(h->a[k]) / h->comparisons;
        finite &= isfinite(h->b[k]);
    }
    if (!isfinite(d.mean)) return finite ? BETTER : WORSE; /* where the best is not finite, anything finite is better */
    double error = sqrt(moments_var(&d) / h->comparisons);
    if (d.mean > fmax(TOLERANCE, 1e-6 * level) && (d.mean > 2 * error || drifts(h))) return BETTER;
    return d.mean < -2 * error && d.mean < -TOLERANCE ? WORSE : SAME;
}

/* True: the user has interrupted. */
static bool run_window(Search *h) {
    Svi *s = h->s;
    Job *job = s->job;
    long count = 0;
    bool interrupted = false;
    memset(h->average, 0, sizeof(double) * (size_t)h->size);
    for (long k = 0; k < h->window; k++) {
        double elbo = svi_step(s, (uint32_t)++h->steps);
        fit_trace_add(job->fit, elbo);
        svi_update(s, h->steps, h->rate);
        job->fit->report.steps = h->steps;
        if (s->size != h->size) return false; /* new parameters: the caller starts over */
        const real *now = s->pair->params->values;
        for (int64_t i = 0; i < h->nwatched; i++) h->watched[i * h->window + k] = now[watched_param(h, i)];
        if (3 * k >= h->window) {
            count++;
            for (int64_t i = 0; i < h->size; i++) h->average[i] += (now[i] - h->average[i]) / (double)count;
        }
        if (job_progress(job, h->steps, 0, elbo)) {
            if (count == 0) doubles_from_reals(h->average, now, h->size);
            interrupted = true;
            break;
        }
    }
    reals_from_doubles(h->mean, h->average, h->size);
    return interrupted;
}

static void search_reserve(Search *h) {
    h->size = h->s->size;
    h->nwatched = h->size < WATCHED ? h->size : WATCHED;
    h->room = 0;
    h->best = ARENA_ARRAY(h->s->arena, real, h->size + 1);
    h->mean = ARENA_ARRAY(h->s->arena, real, h->size + 1);
    h->average = ARENA_ARRAY(h->s->arena, double, h->size + 1);
    copy_numbers(h->best, h->s->pair->params->values, h->size);
}

static void set_window(Search *h, long window) {
    if (window > h->room) h->room = window, h->watched = ARENA_ARRAY(h->s->arena, double, h->nwatched * window);
    h->window = window;
}

/* -- Checkpoints, between windows -- */

static void write_checkpoint(Search *h) {
    Checkpoint *c = h->s->job->checkpoint;
    bool due = h->s->job->every || h->stalls >= STALLS ||
               clock_seconds() - h->last_written >= SECONDS_BETWEEN_CHECKPOINTS;
    if (!c || !due) return;
    checkpoint_begin(c);
    checkpoint_put(c, "search", (const double[]){(double)h->window, (double)h->steps, h->rate, h->stalls, h->noise}, 5);
    checkpoint_put_reals(c, "best parameters", h->best, h->size);
    svi_save(h->s, c);
    checkpoint_write(c);
    h->last_written = clock_seconds();
}

static void resume(Search *h) {
    Checkpoint *c = h->s->job->checkpoint;
    int64_t five = 5;
    const double *x = checkpoint_numbers(c, "search", &five);
    svi_load(h->s, c);
    search_reserve(h); /* parameters may have come late */
    set_window(h, (long)x[0]);
    h->steps = (long)x[1], h->rate = x[2], h->stalls = (int)x[3], h->noise = (uint32_t)x[4];
    checkpoint_reals(c, "best parameters", h->best, h->size);
    h->s->job->fit->report.steps = h->steps;
    fit_note(h->s->job->fit, "continued from '%s' at step %ld", checkpoint_path(c), h->steps);
}

void svi_until_done(Svi *s) {
    Fit *f = s->job->fit;
    Search h = {.s = s, .rate = 1, .noise = STEP_CHECK};
    h.comparisons = s->bound.particles < 2 ? 100 : s->bound.particles < 8 ? 50 * s->bound.particles : MAX_COMPARISONS;
    h.a = ARENA_ARRAY(s->arena, double, 2 * MAX_COMPARISONS);
    h.b = h.a + MAX_COMPARISONS;
    search_reserve(&h);
    set_window(&h, FIRST_WINDOW);
    h.last_written = clock_seconds();
    if (s->job->checkpoint && checkpoint_found(s->job->checkpoint)) resume(&h);
    f->report.stop = "converged";
    while (h.stalls < STALLS) {
        write_checkpoint(&h);
        bool interrupted = run_window(&h);
        if (s->size != h.size) {
            search_reserve(&h);
            set_window(&h, h.window);
            continue;
        }
        Verdict v = compare(&h);
        if (v != WORSE) copy_numbers(h.best, h.mean, h.size);
        if (interrupted) break;
        if (v == BETTER && h.steps >= MAX_STEPS) {
            f->report.stop = "steps";
            fit_note(f, "the ELBO still improved after %ld steps: give more (steps = %ld)", h.steps, 5 * h.steps);
            break;
        }
        if (v == BETTER) {
            h.stalls = 0;
            continue;
        }
        h.stalls++;
        h.rate *= SHRINK;
        if (h.stalls < STALLS) set_window(&h, 2 * h.window > 3200 ? 3200 : 2 * h.window);
        copy_numbers(s->pair->params->values, h.best, h.size);
        svi_restart(s);
    }
    copy_numbers(s->pair->params->values, h.best, h.size);
    if (h.stalls >= STALLS) write_checkpoint(&h);
}
