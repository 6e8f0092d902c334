/* map(): the highest density of the variables as written (no Jacobian; Stan's optimize with jacobian = false), from
 * several random starts; learned parameters are maximised too. laplace(): the mode in unconstrained space (with the
 * Jacobian) and the Gaussian of the Hessian there. */
#include <math.h>
#include <string.h>

#include "infer/blame.h"
#include "infer/density.h"
#include "infer/diagnostics.h"
#include "infer/fit.h"
#include "infer/lbfgs.h"
#include "tape/lapack.h"

enum { RESTARTS = 10 };

typedef struct Climb {
    Job *job;
    Density density;
    double *best;
    double value;
    bool converged;
    int finite;
    LbfgsStatus status;
    const char *why; /* of the latest failure */
} Climb;

static double minus_density(void *self, const double *x, double *gradient) {
    return density_descend(&((Climb *)self)->density, x, gradient);
}

static bool keep_going(void *self, int iteration, double f, const double *x, const double *gradient) {
    Climb *c = self;
    (void)x, (void)gradient;
    c->job->fit->report.steps++;
    fit_trace_add(c->job->fit, -f);
    return !job_progress(c->job, iteration, 0, -f);
}

static void climb_from(Climb *c, double *x) {
    LbfgsOptions options = density_search();
    options.visit = keep_going;
    options.visit_self = c;
    LbfgsResult r = lbfgs_minimize(c->job->fit->arena, minus_density, c, c->density.size, x, &options);
    c->why = lbfgs_status_text(r.status);
    if (c->finite == 0 && c->density.size) memcpy(c->best, x, sizeof(double) * (size_t)c->density.size);
    if (r.status == LBFGS_START || !isfinite(r.f)) return;
    c->finite++;
    if (c->finite > 1 && !(-r.f > c->value)) return;
    c->value = -r.f;
    c->status = r.status;
    c->converged = lbfgs_converged(r.status) || r.status == LBFGS_LINE_SEARCH;
    if (c->density.size) memcpy(c->best, x, sizeof(double) * (size_t)c->density.size);
}

static _Noreturn void refuse_nonfinite(Climb *c) {
    density_at(&c->density, c->best);
    recorder_run(&c->density.recorder, STEP_CHECK, 0); /* raises what a run raises */
    blame_last_run(c->density.pair, &c->density.recorder, 0, "the log density is not finite at any start",
                   "let the prior keep to where each operation is defined");
}

/* Starts: draws of the prior, the k-th with its own noise; the first is their median. */
static void climb(Climb *c, Job *job, int restarts) {
    Pair *pair = job->pair;
    *c = (Climb){.job = job, .value = -INFINITY};
    density_init(&c->density, pair, job->seed, true);
    int64_t n = c->density.size, m = c->density.npoint;
    double *x = ARENA_ARRAY(job->fit->arena, double, n + 1);
    c->best = ARENA_ARRAY(job->fit->arena, double, n + 1);
    for (int k = 0; k < restarts && !job->fit->report.interrupted; k++) {
        if (k == 0)
            pair_prior_median(pair, job->in, job->seed, x, NULL);
        else if (!pair_prior_point(pair, job->in, key_fold(job->seed, (uint64_t)k), x))
            continue;
        doubles_from_reals(x + m, pair->params->values, n - m);
        climb_from(c, x);
    }
    if (c->finite == 0) refuse_nonfinite(c);
    density_at(&c->density, c->best);
    reals_from_doubles(pair->params->values, c->best + m, n - m);
    for (int64_t k = 0; k < n - m; k++) pair->params->values[k] += c->density.way[k]; /* all the way */
}

/* -- Values of all variables at a point -- */

typedef struct PointDraw {
    Pair *pair;
    DrawStore *draws;
    Arena *arena;
    Recorder recorder;
    real *point, log_density;
    int64_t size;
} PointDraw;

static void *record_point(Recorder *r, void *self) {
    PointDraw *d = self;
    Pass p;
    pass_run_at_point(&p, d->pair, r->in, PASS_MARKED);
    recorder_output(r, pass_log_joint(&p, r->in), &d->log_density);
    pass_probabilities(&p, r->in);
    return draws_plan(d->draws, &p.model, TRACE_LATENT | TRACE_RECORDED, r, d->arena);
}

static PointDraw *point_draw_new(Job *job, int64_t size) {
    Arena *arena = job->fit->arena;
    PointDraw *d = ARENA_NEW(arena, PointDraw);
    *d = (PointDraw){.pair = job->pair, .draws = &job->fit->draws, .arena = arena, .size = size};
    d->point = ARENA_ARRAY(arena, real, size + 1);
    recorder_init(&d->recorder, job->in, arena, job->seed, record_point, d);
    d->recorder.params = &job->pair->params->values;
    d->recorder.inputs.slots[SLOT_POINT] = d->point;
    return d;
}

/* The variables at this point become row `draw`. */
static void point_take(PointDraw *d, const double *point, long draw) {
    reals_from_doubles(d->point, point, d->size);
    draws_take(d->draws, recorder_run(&d->recorder, (uint32_t)(STEP_FRESH + draw), 0), draw);
}

/* -- map -- */

void map_run(Job *job) {
    Fit *f = job->fit;
    Climb *c = ARENA_NEW(f->arena, Climb);
    int restarts = job->choice.number > 0 ? (int)job->choice.number : RESTARTS;
    climb(c, job, restarts);
    draws_init(&f->draws, job->in->ctx, f->arena, 1);
    PointDraw *d = point_draw_new(job, c->density.npoint);
    point_take(d, c->best, 0);
    f->point = true;
    f->report.log_density = d->log_density;
    f->report.reliable = c->converged;
    if (!f->report.interrupted) f->report.stop = c->converged ? "converged" : lbfgs_status_text(c->status);
    f->report.verdict = c->converged
                            ? arena_printf(f->arena, "the best of %d starts, %d of which ended at a finite density",
                                           restarts, c->finite)
                            : arena_printf(f->arena, "not converged: %s", lbfgs_status_text(c->status));
    recorder_end(&d->recorder);
    recorder_end(&c->density.recorder);
}

/* -- laplace -- */

static double *factor_precision(Job *job, Climb *c) {
    int64_t n = c->density.size;
    double *h = ARENA_ARRAY(job->fit->arena, double, n *n + 1);
    density_hessian(&c->density, c->best, h);
    for (int64_t k = 0; k < n * n; k++) {
        h[k] = -h[k];
        if (!isfinite(h[k]))
            ctx_raise(job->in->ctx, ERROR_NUMERIC, job->span, NULL,
                      "the second derivatives at the mode are not finite");
    }
    if (n && lapack_cholesky(n, h) != 0)
        ctx_raise(job->in->ctx, ERROR_NUMERIC, job->span,
                  "a direction is flat, or the mode lies at the edge; svi() does not need a mode",
                  "laplace: the log density does not fall in all directions from the mode that was found");
    return h;
}

/* x = mode + L^-T z, where L L^T is the precision. */
static double draw_gaussian(const double *mode, const double *l, int64_t n, uint64_t key, uint32_t draw, double *x) {
    double log_q = -0.5 * (double)n * log(2 * M_PI);
    for (int64_t k = 0; k < n; k++) {
        Stream s = stream_at(key, (uint32_t)k, 0, draw);
        x[k] = stream_normal(&s);
        log_q += log(l[k * n + k]) - 0.5 * x[k] * x[k];
    }
    for (int64_t k = n - 1; k >= 0; k--) {
        for (int64_t i = k + 1; i < n; i++) x[k] -= l[i * n + k] * x[i];
        x[k] /= l[k * n + k];
    }
    for (int64_t k = 0; k < n; k++) x[k] += mode[k];
    return log_q;
}

void laplace_run(Job *job) {
    Fit *f = job->fit;
    Climb *c = ARENA_NEW(f->arena, Climb);
    climb(c, job, 4);
    if (job->pair->params->n)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, job->span, "use svi() or map()",
                  "laplace() does not learn parameters; the model has `%s`", job->pair->params->list[0].name);
    int64_t n = c->density.size;
    double *l = factor_precision(job, c), *x = ARENA_ARRAY(f->arena, double, n + 1);
    double *log_ratios = ARENA_ARRAY(f->arena, double, job->ndraws + 1), log_det = 0;
    draws_init(&f->draws, job->in->ctx, f->arena, job->ndraws);
    PointDraw *d = point_draw_new(job, n);
    OnlineMoments m = {0};
    for (long k = 0; k < job->ndraws; k++) {
        double log_q = draw_gaussian(c->best, l, n, key_fold(job->seed, 0x1AB1ACE), (uint32_t)k, x);
        point_take(d, x, k);
        log_ratios[k] = d->log_density - log_q;
        moments_add(&m, log_ratios[k]);
    }
    for (int64_t k = 0; k < n; k++) log_det += log(l[k * n + k]);
    f->report.elbo = m.mean;
    f->report.elbo_mcse = sqrt(moments_var(&m) / (double)job->ndraws);
    f->report.log_density = c->value;
    if (!f->report.interrupted) f->report.stop = c->converged ? "converged" : lbfgs_status_text(c->status);
    fit_note(f, "log evidence by Laplace's formula: %.6g", c->value + 0.5 * (double)n * log(2 * M_PI) - log_det);
    fit_judge(f, psis_khat(f->arena, log_ratios, job->ndraws, NULL), job->ndraws, sqrt(moments_var(&m)),
              "svi() fits a Gaussian to more than the curvature at the mode");
    recorder_end(&d->recorder);
    recorder_end(&c->density.recorder);
    recorder_end(&c->density.hessian);
}
