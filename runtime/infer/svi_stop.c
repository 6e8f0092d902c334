/* Going on until nothing improves, by a rule that noise does not fool.
 *
 * The optimizer runs with a fixed step size in windows. The mean of the iterates over the second half of a window
 * (Polyak averaging: Dhaka et al. 2020, Welandawe et al. 2022) is compared with the best mean so far by the ELBO at both,
 * estimated with the same fresh noise, so that the difference has a small, known error. Where it is no improvement beyond
 * that error and a small tolerance, the step size shrinks and the next window, a longer one, starts from the best mean;
 * after three such windows in a row it is done. */
#include <math.h>
#include <string.h>

#include "infer/diagnostics.h"
#include "infer/svi.h"

enum { FIRST_WINDOW = 150, MAX_STEPS = 20000, COMPARISONS = 100, STALLS = 3 };
static const double SHRINK = 0.3, TOLERANCE = 0.002;

typedef struct Search {
    Svi *s;
    double *best, *mean, *a, *b;
    long window, steps;
    double rate;
    int stalls;
    uint32_t noise;
    int64_t size;
} Search;

/* Is the mean of the window better than the best so far? */
static bool improves(Search *h, bool *at_all) {
    Svi *s = h->s;
    svi_values(s, h->best, h->noise, COMPARISONS, h->a);
    svi_values(s, h->mean, h->noise, COMPARISONS, h->b);
    h->noise += COMPARISONS;
    OnlineMoments d = {0};
    double level = 0;
    for (int k = 0; k < COMPARISONS; k++) {
        moments_add(&d, h->b[k] - h->a[k]);
        level += fabs(h->a[k]) / COMPARISONS;
    }
    double error = sqrt(moments_var(&d) / COMPARISONS);
    if (!isfinite(d.mean)) { /* where the best is not finite, anything finite is better */
        bool good = true;
        for (int k = 0; k < COMPARISONS; k++) good &= isfinite(h->b[k]);
        return *at_all = good;
    }
    *at_all = d.mean > 0;
    return d.mean > fmax(2 * error, fmax(TOLERANCE, 1e-6 * level));
}

/* True: the user has interrupted. */
static bool run_window(Search *h) {
    Svi *s = h->s;
    Job *job = s->job;
    long count = 0;
    memset(h->mean, 0, sizeof(double) * (size_t)h->size);
    for (long k = 1; k <= h->window; k++) {
        double elbo = svi_step(s, (uint32_t)++h->steps);
        fit_trace_add(job->fit, elbo);
        svi_update(s, h->rate);
        job->fit->report.steps = h->steps;
        if (s->size != h->size) return true; /* new parameters: the caller starts over */
        if (2 * k > h->window) {
            count++;
            for (int64_t i = 0; i < h->size; i++) h->mean[i] += (s->pair->params->values[i] - h->mean[i]) / (double)count;
        }
        if (job_progress(job, h->steps, 0, elbo)) {
            if (count == 0) memcpy(h->mean, s->pair->params->values, sizeof(double) * (size_t)h->size);
            return true;
        }
    }
    return false;
}

static void search_reserve(Search *h) {
    h->size = h->s->size;
    size_t bytes = sizeof(double) * (size_t)h->size;
    h->best = arena_copy(h->s->arena, h->s->pair->params->values, bytes + 1);
    h->mean = arena_alloc(h->s->arena, bytes + 1);
}

void svi_until_done(Svi *s) {
    Fit *f = s->job->fit;
    Search h = {.s = s, .window = FIRST_WINDOW, .rate = 1, .noise = STEP_CHECK};
    h.a = ARENA_ARRAY(s->arena, double, 2 * COMPARISONS);
    h.b = h.a + COMPARISONS;
    search_reserve(&h);
    f->report.stop = "converged";
    while (h.stalls < STALLS) {
        bool interrupted = run_window(&h), better_at_all = false;
        if (s->size != h.size) {
            search_reserve(&h);
            continue;
        }
        if (interrupted) return;
        bool better = improves(&h, &better_at_all);
        if (better_at_all) memcpy(h.best, h.mean, sizeof(double) * (size_t)h.size);
        if (h.steps >= MAX_STEPS) {
            f->report.stop = "steps";
            fit_note(f, "the ELBO still improved after %ld steps: give more (steps = %ld)", h.steps, 5 * h.steps);
            break;
        }
        if (better) {
            h.stalls = 0;
            continue;
        }
        h.stalls++;
        h.rate *= SHRINK;
        h.window += h.window / 2;
        memcpy(s->pair->params->values, h.best, sizeof(double) * (size_t)h.size);
        svi_restart(s);
    }
    memcpy(s->pair->params->values, h.best, sizeof(double) * (size_t)h.size);
}
