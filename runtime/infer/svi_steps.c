/* Training for a given number of steps, or for as long as held-out data improve. */
#include <math.h>
#include <string.h>

#include "infer/batch.h"
#include "infer/held_out.h"
#include "infer/lines_optimizer.h"
#include "infer/svi.h"

enum { EVERY = 100, MOST_STEPS = 1000000, PATIENCE = 10 };
static const double SECONDS_BETWEEN_CHECKPOINTS = 10;

typedef struct Training {
    Svi *s;
    long n, step; /* of n steps; done */
    /* With a constant rate the iterates end up wandering around the optimum: the mean of the last quarter is nearer. */
    long average_from, count;
    double *mean;
    int64_t size;
    /* held-out data: the parameters with the highest value are kept */
    HeldOut *held_out;
    long every, patience, since; /* steps between evaluations; evaluations without improvement */
    real *best;
    double best_value;
    long best_step;
    double last_written; /* clock */
} Training;

static long steps_between(const Job *job) {
    long epoch = job->pair->batches ? batch_epoch(job->pair->batches) : 0;
    long unit = job->epochs && epoch ? epoch : 1;
    return job->every ? job->every * unit : epoch ? epoch : EVERY;
}

static void training_init(Training *t, Svi *s, long n) {
    Job *job = s->job;
    *t = (Training){.s = s, .n = n, .size = s->size, .every = steps_between(job), .last_written = clock_seconds()};
    t->patience = job->patience;
    if (n < 0) t->n = MOST_STEPS, t->patience = t->patience ? t->patience : PATIENCE;
    if (job->held_model) {
        t->held_out = held_out_new(job);
        t->best = ARENA_ARRAY(s->arena, real, s->size + 1);
        t->best_value = -INFINITY;
    }
    bool average = job->rules[0].choice.schedule.kind == SCHEDULE_CONSTANT && t->n >= 100 && !t->held_out;
    t->average_from = average ? t->n - t->n / 4 : t->n;
    t->mean = ARENA_ARRAY(s->arena, double, s->size + 1);
}

/* -- Checkpoints -- */

static void write_checkpoint(Training *t) {
    Checkpoint *c = t->s->job->checkpoint;
    checkpoint_begin(c);
    checkpoint_put(c, "steps", (const double[]){(double)t->step, (double)t->n}, 2);
    svi_save(t->s, c);
    checkpoint_put_number(c, "averaged", (double)t->count);
    if (t->count) checkpoint_put(c, "mean", t->mean, t->size);
    if (t->held_out) {
        checkpoint_put(c, "best", (const double[]){t->best_value, (double)t->best_step, (double)t->since}, 3);
        checkpoint_put_reals(c, "best parameters", t->best, t->size);
    }
    checkpoint_write(c);
    t->last_written = clock_seconds();
}

/* Another number of steps is fine where what has been done does not depend on it. */
static void check_length(const Training *t, const Checkpoint *c, double n) {
    const Job *job = t->s->job;
    bool depends = (double)t->step > fmin(n, (double)t->n) || t->step > t->average_from || t->count > 0;
    for (int k = 0; k < job->nrules; k++) depends |= schedule_needs_total(&job->rules[k].choice.schedule);
    depends |= schedule_needs_total(&job->choice.objective.kl_weight);
    if (depends && n != (double)t->n)
        checkpoint_refuse(c, arena_printf(t->s->in->arena,
                                          "it is of %.0f steps, here they are %ld, and what it has done "
                                          "depends on that",
                                          n, t->n));
}

static void resume(Training *t) {
    Checkpoint *c = t->s->job->checkpoint;
    int64_t two = 2, three = 3;
    const double *steps = checkpoint_numbers(c, "steps", &two);
    t->step = (long)steps[0];
    t->count = (long)checkpoint_number(c, "averaged");
    if (steps[1] != (double)t->n && t->step <= t->average_from) t->count = 0; /* a longer run begins its mean later */
    check_length(t, c, steps[1]);
    svi_load(t->s, c);
    if (t->count) memcpy(t->mean, checkpoint_numbers(c, "mean", &t->size), sizeof(double) * (size_t)t->size);
    if (t->held_out) {
        const double *best = checkpoint_numbers(c, "best", &three);
        t->best_value = best[0], t->best_step = (long)best[1], t->since = (long)best[2];
        t->size = -1;
        const double *values = checkpoint_numbers(c, "best parameters", &t->size);
        if (t->size > t->s->size) checkpoint_refuse(c, "its best parameters are not those of the run");
        t->best = ARENA_ARRAY(t->s->arena, real, t->size + 1);
        reals_from_doubles(t->best, values, t->size);
    }
    t->s->job->fit->report.steps = t->step;
    fit_note(t->s->job->fit, "continued from '%s' at step %ld", checkpoint_path(c), t->step);
}

static void maybe_checkpoint(Training *t) {
    const Job *job = t->s->job;
    if (!job->checkpoint) return;
    bool due = job->every ? t->step % t->every == 0
                          : t->step % 16 == 0 && clock_seconds() - t->last_written > SECONDS_BETWEEN_CHECKPOINTS;
    if (due || t->step == t->n) write_checkpoint(t);
}

/* -- Steps -- */

static void average_stretch(void *self, int64_t start, int64_t end) {
    const Training *t = self;
    optimizer_lines()->follow(end - start, t->mean + start, t->s->pair->params->values + start, (double)t->count);
}

static void average(Training *t) {
    const Svi *s = t->s;
    if (t->step <= t->average_from || s->size != t->size) return;
    t->count++;
    team_run_stretches(s->in->ctx->team, t->size, PIECE, average_stretch, t);
}

static void grow_best(Training *t) {
    if (t->size == t->s->size) return;
    t->size = t->s->size; /* parameters that came late: what was best did not have them */
    t->best = ARENA_ARRAY(t->s->arena, real, t->size + 1);
    t->best_value = -INFINITY;
}

/* True: it has not improved for long. */
static bool evaluate(Training *t) {
    Svi *s = t->s;
    if (!t->held_out || (t->step % t->every != 0 && t->step != t->n)) return false;
    grow_best(t);
    double value = held_out_value(t->held_out);
    fit_held_out_add(s->job->fit, t->step, value);
    if (value > t->best_value) {
        t->best_value = value, t->best_step = t->step, t->since = 0;
        if (t->size) memcpy(t->best, s->pair->params->values, sizeof(real) * (size_t)t->size);
        return false;
    }
    return ++t->since >= t->patience && t->patience > 0;
}

static void settle(Training *t) {
    Svi *s = t->s;
    Fit *f = s->job->fit;
    if (t->held_out && isfinite(t->best_value)) {
        if (t->size) memcpy(s->pair->params->values, t->best, sizeof(real) * (size_t)t->size);
        fit_note(f, "the parameters are those after step %ld, where the held-out ELBO%s was highest: %.6g",
                 t->best_step, held_out_by_element(t->held_out) ? " per element" : "", t->best_value);
    } else if (t->count > 0 && s->size == t->size && t->size > 0) {
        reals_from_doubles(s->pair->params->values, t->mean, t->size);
        fit_note(f, "the parameters are the mean of the last %ld steps", t->count);
    }
    if (t->held_out) held_out_forget(t->held_out);
}

void svi_fixed(Svi *s, long n) {
    Job *job = s->job;
    Training *t = ARENA_NEW(s->arena, Training);
    training_init(t, s, n);
    if (job->checkpoint && checkpoint_found(job->checkpoint)) resume(t);
    bool stop = t->patience > 0 && t->since >= t->patience, interrupted = false;
    while (t->step < t->n && !stop && !interrupted) {
        t->step++;
        bound_schedule(&s->bound, t->step);
        double elbo = svi_step(s, (uint32_t)t->step);
        fit_trace_add(job->fit, elbo);
        svi_update(s, t->step, 1);
        job->fit->report.steps = t->step;
        average(t);
        stop = evaluate(t);
        interrupted = job_progress(job, t->step, n < 0 ? 0 : t->n, elbo);
        if (job->checkpoint && (stop || interrupted))
            write_checkpoint(t);
        else
            maybe_checkpoint(t);
    }
    if (stop && !interrupted) job->fit->report.stop = "held-out";
    settle(t);
}
