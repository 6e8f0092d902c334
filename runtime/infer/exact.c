/* exact: a model with nothing but discrete latents that can be summed out needs no guide and no optimisation: one run
 * gives the log evidence and the posterior of every variable. */
#include <math.h>

#include "infer/fit.h"

typedef struct Exact {
    Job *job;
    real log_evidence;
} Exact;

static void *record(Recorder *r, void *self) {
    Exact *x = self;
    Pass p;
    pass_run(&p, x->job->pair, r->in, NULL, PASS_MARKED);
    recorder_output(r, pass_log_joint(&p, r->in), &x->log_evidence);
    pass_probabilities(&p, r->in);
    return draws_plan(&x->job->fit->draws, &p.model, TRACE_LATENT | TRACE_RECORDED, r, x->job->fit->arena);
}

void exact_run(Job *job) {
    Fit *f = job->fit;
    Exact *x = ARENA_NEW(f->arena, Exact);
    x->job = job;
    draws_init(&f->draws, job->in->ctx, f->arena, 1);
    Recorder *r = ARENA_NEW(f->arena, Recorder);
    recorder_init(r, job->in, f->arena, job->seed, record, x);
    r->walk = true; /* run once: no program is made of it */
    draws_take(&f->draws, recorder_run(r, STEP_FRESH, 0), 0);
    recorder_end(r);
    f->point = true;
    f->report.elbo = f->report.log_evidence = x->log_evidence;
    f->report.elbo_mcse = 0;
    f->report.stop = "exact";
    f->report.reliable = isfinite(x->log_evidence);
    f->report.verdict =
        f->report.reliable ? "exact: all latents are summed out" : "the data are impossible under the model";
}
