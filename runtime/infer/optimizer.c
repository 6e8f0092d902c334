#include "infer/optimizer.h"

#include <string.h>

#include "infer/lines_optimizer.h"

enum { SUMS = 64 };

extern const OptimizerLines optimizer_lines_v1, optimizer_lines_v3, optimizer_lines_v4;

const OptimizerLines *optimizer_lines(void) {
    static const OptimizerLines *const all[ISA_COUNT] = {&optimizer_lines_v1, &optimizer_lines_v3, &optimizer_lines_v4};
    return all[isa_best()];
}

/* -- Updates. Options come in the order of the table at the foot. -- */

/* 1 / (1 - beta^t): from where beta^t <= exp(-t (1 - beta)) is nothing beside 1, without asking for it. */
static real unbias(double beta, int64_t t) {
    return (1 - beta) * (double)t > 40 ? 1 : (real)(1 / (1 - pow(beta, (double)t)));
}

static void adam_step(const double *o, real decay, real *const state[], int64_t n, real *x, const real *g, int64_t t) {
    const AdamStep step = {.rate = (real)o[0], .beta1 = (real)o[1], .beta2 = (real)o[2], .eps = (real)o[3],
                           .decay = decay, .unbias1 = unbias((real)o[1], t), .unbias2 = unbias((real)o[2], t)};
    optimizer_lines()->adam(&step, n, state[0], state[1], x, g);
}

static void adam_update(const double *o, real *const state[], int64_t n, real *x, const real *g, int64_t t) {
    adam_step(o, 0, state, n, x, g, t);
}

static void adamw_update(const double *o, real *const state[], int64_t n, real *x, const real *g, int64_t t) {
    adam_step(o, (real)o[4], state, n, x, g, t);
}

/* Tieleman and Hinton (2012), lecture 6.5; the running mean starts unbiased, as Adam's. */
static void rmsprop_update(const double *o, real *const state[], int64_t n, real *x, const real *g, int64_t t) {
    const real lr = o[0], rho = o[1], eps = o[2], momentum = o[3], unbiased = unbias(rho, t);
    real *v = state[0], *velocity = state[1];
    for (int64_t i = 0; i < n; i++) {
        v[i] = moment_flushed(rho * v[i] + (1 - rho) * g[i] * g[i]);
        velocity[i] = moment_flushed(momentum * velocity[i] + g[i] / (sqrt(v[i] * unbiased) + eps));
        x[i] -= lr * velocity[i];
    }
}

/* Momentum as in Sutskever et al. (2013), with the velocity in units of the gradient; nesterov looks one step ahead. */
static void sgd_update(const double *o, real *const state[], int64_t n, real *x, const real *g, int64_t t) {
    (void)t;
    const real lr = o[0], momentum = o[1];
    real *velocity = state[0];
    for (int64_t i = 0; i < n; i++) {
        velocity[i] = moment_flushed(momentum * velocity[i] + g[i]);
        x[i] -= lr * (o[2] != 0 ? g[i] + momentum * velocity[i] : velocity[i]);
    }
}

/* -- Schedules and clipping -- */

double schedule_factor(const Schedule *s, int64_t t) {
    double rise = t < s->warmup ? (double)t / (double)s->warmup : 1;
    if (s->kind == SCHEDULE_CONSTANT) return rise * s->first;
    double length = (double)(s->total - s->warmup), part = length > 0 ? (double)(t - s->warmup) / length : 0;
    part = fmax(0, fmin(part, 1));
    switch (s->kind) {
    case SCHEDULE_CONSTANT: break;
    case SCHEDULE_EXPONENTIAL: return rise * pow(s->final, part);
    case SCHEDULE_COSINE: return rise * (s->final + (1 - s->final) * 0.5 * (1 + cos(M_PI * part)));
    case SCHEDULE_LINEAR: break;
    }
    part = s->steps > 0 ? fmin((double)(t - 1) / (double)s->steps, 1) : 1;
    return rise * (s->first + (s->final - s->first) * part);
}

bool schedule_needs_total(const Schedule *s) { return s->kind == SCHEDULE_EXPONENTIAL || s->kind == SCHEDULE_COSINE; }

const char *schedule_text(const Schedule *s, Arena *a) {
    const char *warmup = s->warmup ? arena_printf(a, ", warmup = %lld", (long long)s->warmup) : "";
    switch (s->kind) {
    case SCHEDULE_CONSTANT: break;
    case SCHEDULE_EXPONENTIAL: return arena_printf(a, "exponential(final = %.17g%s)", s->final, warmup);
    case SCHEDULE_COSINE: return arena_printf(a, "cosine(final = %.17g%s)", s->final, warmup);
    case SCHEDULE_LINEAR:
        return arena_printf(a, "linear(%.17g, %.17g, %lld%s)", s->first, s->final, (long long)s->steps, warmup);
    }
    return arena_printf(a, "constant %.17g%s", s->first, warmup);
}

typedef struct Squares {
    const real *x;
    int64_t piece;
    double sum[SUMS];
} Squares;

static void add_squares(void *self, int64_t start, int64_t end) {
    Squares *s = self;
    s->sum[start / s->piece] = optimizer_lines()->squares(end - start, s->x + start);
}

double gradient_squares(const real *grad, int64_t n, Team *team) {
    if (n <= PIECE) return optimizer_lines()->squares(n, grad);
    int64_t most = (n + SUMS - 1) / SUMS, pieces = (most + PIECE - 1) / PIECE;
    Squares s = {.x = grad, .piece = PIECE * (pieces > 1 ? pieces : 1)};
    team_run_stretches(team, n, s.piece, add_squares, &s);
    double sum = 0;
    for (int64_t k = 0; k * s.piece < n; k++) sum += s.sum[k];
    return sum;
}

double gradient_norm(const real *grad, int64_t n, Team *team) {
    double high = 0, sum = gradient_squares(grad, n, team);
    if (sum > 1e-280 && sum < 1e300) return sqrt(sum); /* else it may have over- or underflowed on the way */
    sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(grad[i])) return NAN;
        high = fmax(high, fabs(grad[i]));
    }
    if (high == 0 || isinf(high)) return high;
    for (int64_t i = 0; i < n; i++) sum += (grad[i] / high) * (grad[i] / high);
    return high * sqrt(sum);
}

double gradient_clip(real *grad, int64_t n, double limit, Team *team) {
    double norm = gradient_norm(grad, n, team);
    gradient_scale(grad, n, norm, limit);
    return norm;
}

void gradient_scale(real *grad, int64_t n, double norm, double limit) {
    if (!(limit > 0) || !isfinite(norm) || norm <= limit) return;
    for (int64_t i = 0; i < n; i++) grad[i] *= limit / norm;
}

/* -- The table -- */

#define RATE(value) {"lr", value, 0, INFINITY, "learning rate"}
#define EPSILON {"eps", 1e-8, 0, INFINITY, "added to the root of the second moment"}
#define BETA1 {"beta1", 0.9, 0, 1 - 1e-12, "decay of the mean gradient"}
#define BETA2 {"beta2", 0.999, 0, 1 - 1e-12, "decay of the mean squared gradient"}

static const Optimizer table[] = {
    {.name = "adam", .help = "Adam (Kingma and Ba 2015)", .state_per_param = 2, .update = adam_update,
     .noptions = 4, .options = {RATE(1e-3), BETA1, BETA2, EPSILON}},
    {.name = "adamw", .help = "Adam with decoupled weight decay (Loshchilov and Hutter 2019)",
     .state_per_param = 2, .update = adamw_update,
     .noptions = 5, .options = {RATE(1e-3), BETA1, BETA2, EPSILON,
                                {"weight_decay", 0.01, 0, INFINITY, "pull towards 0, times the rate"}}},
    {.name = "rmsprop", .help = "steps over the root mean square gradient (Tieleman and Hinton 2012)",
     .state_per_param = 2,
     .update = rmsprop_update, .noptions = 4,
     .options = {RATE(1e-2), {"decay", 0.9, 0, 1 - 1e-12, "decay of the mean squared gradient"}, EPSILON,
                                {"momentum", 0, 0, 1 - 1e-12, "part of the last step that is kept"}}},
    {.name = "sgd", .help = "stochastic gradient descent (Robbins and Monro 1951; momentum: Sutskever et al. 2013)",
     .state_per_param = 1, .update = sgd_update,
     .noptions = 3, .options = {RATE(1e-2), {"momentum", 0, 0, 1 - 1e-12, "part of the last step that is kept"},
                                {"nesterov", 0, 0, 1, "1: look one step ahead"}}},
};

enum { TABLE_COUNT = sizeof table / sizeof *table };

const Optimizer *optimizer_table(int *count) {
    *count = TABLE_COUNT;
    return table;
}

const Optimizer *optimizer_find(const char *name) {
    for (int k = 0; k < TABLE_COUNT; k++) {
        if (strcmp(table[k].name, name) == 0) return &table[k];
    }
    return NULL;
}

int optimizer_option(const Optimizer *o, const char *name) {
    for (int k = 0; k < o->noptions; k++) {
        if (strcmp(o->options[k].name, name) == 0) return k;
    }
    return -1;
}

void optimizer_defaults(const Optimizer *o, double *option) {
    for (int k = 0; k < o->noptions; k++) option[k] = o->options[k].value;
}

int64_t optimizer_state_size(const Optimizer *o, int64_t n) { return o->state_per_param * n; }

typedef struct Update {
    const Optimizer *optimizer;
    const double *option;
    real *state, *params;
    const real *grad;
    int64_t n, t;
} Update;

static void update_stretch(void *self, int64_t start, int64_t end) {
    const Update *u = self;
    real *const state[] = {u->state + start, u->state + (u->optimizer->state_per_param - 1) * u->n + start};
    u->optimizer->update(u->option, state, end - start, u->params + start, u->grad + start, u->t);
}

void optimizer_update(const Optimizer *o, const double *option, real *state, int64_t n, real *params, const real *grad,
                      int64_t t, Team *team) {
    Update u = {o, option, state, params, grad, n, t};
    team_run_stretches(team, n, PIECE, update_stretch, &u);
}
