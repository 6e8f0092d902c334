/* Training for a given number of steps. */
#include <math.h>
#include <string.h>

#include "infer/svi.h"

void svi_fixed(Svi *s, long n) {
    Job *job = s->job;
    Fit *f = job->fit;
    /* With a constant rate the iterates end up wandering around the optimum: the mean of the last quarter is nearer. */
    bool constant = job->rules[0].choice.schedule.kind == SCHEDULE_CONSTANT;
    long average_from = constant && n >= 100 ? n - n / 4 : n;
    double *mean = ARENA_ARRAY(s->arena, double, s->size + 1);
    int64_t size = s->size, count = 0;
    for (long step = 1; step <= n; step++) {
        bound_schedule(&s->bound, step);
        double elbo = svi_step(s, (uint32_t)step);
        fit_trace_add(f, elbo);
        svi_update(s, step, 1);
        f->report.steps = step;
        if (step > average_from && s->size == size) {
            count++;
            for (int64_t i = 0; i < size; i++) mean[i] += (s->pair->params->values[i] - mean[i]) / (double)count;
        }
        if (job_progress(job, step, n, elbo)) break;
    }
    if (count == 0 || s->size != size || size == 0) return;
    reals_from_doubles(s->pair->params->values, mean, size);
    fit_note(f, "the parameters are the mean of the last %ld steps", (long)count);
}
