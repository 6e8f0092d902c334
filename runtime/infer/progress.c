/* How far an inference is, for whoever shows it; and whether the user has had enough. */
#include <math.h>
#include <time.h>

#include "infer/batch.h"
#include "infer/fit.h"

static const double SECONDS_BETWEEN = 0.1, SECONDS_BETWEEN_LOOKS = 0.005, MEMORY = 0.95;

double clock_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static bool interrupt(Job *job) {
    const volatile int *flag = job->in->ctx->interrupted;
    if (!flag || !*flag) return false;
    job->fit->report.interrupted = true;
    job->fit->report.stop = "interrupted";
    return true;
}

/* Where plates run in batches: the epoch, and the objective by element of the first such plate. */
static void add_epoch(const Job *job, Progress *p) {
    const BatchPlan *b = job->pair->batches;
    long epoch = b ? batch_epoch(b) : 0;
    if (!epoch) return;
    p->epoch = (p->step + epoch - 1) / epoch;
    p->epochs = job->epochs;
    p->objective /= (double)b->plates.list[0].population;
    p->by_element = true;
}

static void report(Job *job, long step, long steps, double now) {
    const InferSettings *s = &infer_state(job->in)->settings;
    ProgressState *w = &job->progress;
    double done = (double)(step - w->first_step), seconds = now - w->first_time;
    const Schedule *schedule = &job->rules[0].choice.schedule;
    bool falls = schedule->kind != SCHEDULE_CONSTANT || schedule->warmup;
    Progress p = {.method = job->fit->report.method,
                  .model = job->fit->report.model,
                  .step = step,
                  .steps = steps,
                  .objective = w->objective,
                  .rate = falls ? job->rules[0].choice.option[0] * schedule_factor(schedule, step) : NAN,
                  .seconds = now - job->start_time,
                  .speed = done > 0 && seconds > 0 ? done / seconds : NAN};
    p.left = steps > 0 ? (double)(steps - step) / p.speed : NAN;
    add_epoch(job, &p);
    if (s->on_progress) s->on_progress(s->self, &p);
}

/* Steps may take a fraction of the time that reading the clock does: it is read when the steps so far say that it is time
 * to, at the latest after twice as many as before. */
static bool look_at_clock(ProgressState *w, double *now) {
    if (w->begun && --w->wait > 0) return false;
    *now = clock_seconds();
    double expected = w->stride * SECONDS_BETWEEN_LOOKS / fmax(*now - w->last_look, 1e-9);
    w->stride = w->begun ? fmax(1, fmin(expected, 2 * w->stride)) : 1;
    w->wait = (long)w->stride;
    w->last_look = *now;
    return true;
}

bool job_progress(Job *job, long step, long steps, double objective) {
    ProgressState *w = &job->progress;
    w->objective = w->begun && isfinite(w->objective) ? MEMORY * w->objective + (1 - MEMORY) * objective : objective;
    if (interrupt(job)) return true;
    double now;
    if (!look_at_clock(w, &now)) return false;
    if (!w->begun) w->begun = true, w->first_step = step, w->first_time = w->last_report = now;
    if (now - w->last_report < SECONDS_BETWEEN) return false;
    w->last_report = now;
    report(job, step, steps, now);
    return false;
}
