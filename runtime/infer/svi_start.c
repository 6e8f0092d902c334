/* Where an automatic guide starts: at the mode of the unconstrained density, found by L-BFGS from the prior's median,
 * with the covariance of the Gaussian there; or, where that is no better (hierarchical models often have their mode far
 * from everything else), at the prior's median with 0.1 of the prior's spread. */
#include <math.h>
#include <string.h>

#include "infer/density.h"
#include "infer/lbfgs.h"
#include "infer/local.h"
#include "infer/svi.h"
#include "tape/lapack.h"

enum { MAX_DENSE = 400, TRIES = 40 };
static const double BEGIN = 0.1;

typedef struct Start {
    int64_t n;
    double *loc, *scale, *cholesky; /* scale: of the best factorised Gaussian; cholesky: NULL beyond MAX_DENSE */
    double begin;                   /* the guide's first scale in these units */
} Start;

static Start start_new(Arena *a, int64_t n) {
    Start s = {.n = n, .loc = ARENA_ARRAY(a, double, n + 1), .scale = ARENA_ARRAY(a, double, n + 1)};
    if (n <= MAX_DENSE) s.cholesky = ARENA_ARRAY(a, double, n *n + 1);
    s.begin = 1;
    return s;
}

static double minus_density(void *self, const double *x, double *gradient) {
    return density_descend(self, x, gradient);
}

/* The Gaussian of the Hessian; directions in which the density does not fall get scale 1. False: numbers gone wrong. */
static bool curvature(Density *d, Start *s, Arena *a) {
    int64_t n = s->n;
    double *h = ARENA_ARRAY(a, double, n *n), *w = ARENA_ARRAY(a, double, n), *cov = ARENA_ARRAY(a, double, n *n);
    density_hessian(d, s->loc, h);
    for (int64_t k = 0; k < n * n; k++) {
        h[k] = -h[k];
        if (!isfinite(h[k])) return false;
    }
    for (int64_t k = 0; k < n; k++) s->scale[k] = h[k * n + k] > 1e-8 ? 1 / sqrt(h[k * n + k]) : 1;
    if (!lapack_eigen(a, n, h, w)) return false;
    for (int64_t k = 0; k < n; k++) w[k] = w[k] > 1e-8 ? 1 / w[k] : 1;
    for (int64_t k = 0; k < n; k++) /* row k of h is an eigenvector */
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++) cov[i * n + j] += h[k * n + i] * w[k] * h[k * n + j];
    if (lapack_cholesky(n, cov) != 0) return false;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) s->cholesky[i * n + j] = j <= i ? cov[i * n + j] : 0;
    return true;
}

/* A rough ELBO of the Gaussian, on the same noise for all. */
static double rough_elbo(Density *d, const Start *s, uint64_t seed, double *x, double *z) {
    double sum = 0;
    for (int t = 0; t < TRIES; t++) {
        for (int64_t k = 0; k < s->n; k++) {
            Stream stream = stream_at(key_fold(seed, 0x57A27), (uint32_t)k, 0, (uint32_t)t / 2);
            z[k] = (t % 2 ? -1 : 1) * stream_normal(&stream);
        }
        for (int64_t i = 0; i < s->n; i++) {
            x[i] = s->loc[i] + (s->cholesky ? 0 : s->begin * s->scale[i] * z[i]);
            for (int64_t j = 0; s->cholesky && j <= i; j++) x[i] += s->begin * s->cholesky[i * s->n + j] * z[j];
        }
        sum += density_at(d, x) / TRIES;
    }
    for (int64_t k = 0; k < s->n; k++) sum += log(s->begin * (s->cholesky ? s->cholesky[k * s->n + k] : s->scale[k]));
    return sum;
}

static void set_start(Job *job, const Start *s) {
    Interp *in = job->in;
    Scope saved;
    scope_enter(in, &saved, job->fit->arena, in->tape, in->ctx->seed);
    const char *names[4] = {"begin", "loc", "scale", "cholesky"};
    Value values[4] = {value_number(s->begin), value_tensor(in, tensor_of_doubles(in->ctx, in->arena, shape1(s->n), s->loc)),
                       value_tensor(in, tensor_of_doubles(in->ctx, in->arena, shape1(s->n), s->scale))};
    if (s->cholesky) values[3] = value_tensor(in, tensor_of_doubles(in->ctx, in->arena, shape2(s->n, s->n), s->cholesky));
    job->pair->start = value_record(in, s->cholesky ? 4 : 3, names, values);
    scope_leave(in, &saved);
}

void svi_start_automatic(Job *job) {
    Pair *pair = job->pair;
    int64_t n = pair->latents->size;
    Arena *a = arena_child(job->fit->arena);
    Start plain = start_new(a, n), found = start_new(a, n);
    pair_prior_median(pair, job->in, job->seed, plain.loc, plain.scale);
    plain.begin = BEGIN;
    for (int64_t k = 0; k < n && plain.cholesky; k++) plain.cholesky[k * n + k] = plain.scale[k];
    set_start(job, &plain);
    if (pair->guide || pair->discrete.scored || n == 0 || n > 20000 || local_any(pair->latents)) { /* the rest depends on what others draw */
        arena_free(a);
        return;
    }
    Density *d = ARENA_NEW(job->fit->arena, Density);
    density_init(d, pair, job->seed, false);
    memcpy(found.loc, plain.loc, sizeof(double) * (size_t)n);
    LbfgsOptions options = density_search();
    options.max_iterations = 500;
    LbfgsResult r = lbfgs_minimize(a, minus_density, d, n, found.loc, &options);
    double farthest = 0;
    for (int64_t k = 0; k < n; k++) farthest = fmax(farthest, fabs(found.loc[k] - plain.loc[k]));
    bool good = r.status != LBFGS_START && isfinite(r.f) && isfinite(farthest);
    if (good && n <= MAX_DENSE) good = curvature(d, &found, a);
    double *x = ARENA_ARRAY(a, double, 2 * n + 1);
    if (good) good = !(rough_elbo(d, &found, job->seed, x, x + n) < rough_elbo(d, &plain, job->seed, x, x + n));
    if (good) set_start(job, &found);
    recorder_end(&d->recorder);
    recorder_end(&d->hessian);
    arena_free(a);
}
