#include "infer/density.h"

#include <math.h>
#include <string.h>

/* Outputs: the value, and the gradient by site and parameter. Gives the value as Var. */
static Var record_value(Density *d, Recorder *r, Pass *p) {
    r->in->training = TRAINING_WHOLE; /* until the scope's end */
    pass_run_at_point(p, d->pair, r->in, PASS_TERMS);
    const ParamStore *s = d->pair->params;
    if (d->with_params && s->size > d->size - d->npoint)
        ctx_raise(r->in->ctx, ERROR_PROGRAM, d->pair->span, "svi() learns such parameters too",
                  "the parameter `%s` is met at some values of the variables only, and a mode is searched for",
                  s->list[s->n - 1].name);
    return pass_log_joint(p, r->in);
}

/* The stretches of the point that were read, and where they lie. */
static int read_inputs(Density *d, const Pass *p, Arena *a, Var **inputs, int64_t **offsets) {
    int max = d->pair->latents->n + d->pair->params->n + 1, n = 0;
    *inputs = ARENA_ARRAY(a, Var, max);
    *offsets = ARENA_ARRAY(a, int64_t, max);
    for (int k = 0; k < d->pair->latents->n; k++)
        (*inputs)[n] = p->point.inputs[k], (*offsets)[n++] = d->pair->latents->list[k].offset;
    for (int k = 0; k < d->pair->params->n && d->with_params; k++)
        if (params_input(&p->reader, k, &(*inputs)[n])) (*offsets)[n++] = d->npoint + d->pair->params->list[k].offset;
    return n;
}

static void *record_gradient(Recorder *r, void *self) {
    Density *d = self;
    Pass p;
    Var y = record_value(d, r, &p), *inputs;
    int64_t *offsets;
    int n = read_inputs(d, &p, r->in->arena, &inputs, &offsets);
    Var *g = ARENA_ARRAY(r->in->arena, Var, n + 1);
    tape_grad(r->in->tape, y, NULL, n, inputs, g);
    for (int k = 0; k < n; k++) recorder_output(r, g[k], d->gradient + offsets[k]);
    recorder_output(r, y, d->value); /* last: whoever goes on waits for the gradient */
    Var way, unread;
    for (int k = 0; k < d->pair->params->n && d->with_params; k++) {
        const ParamInfo *q = &d->pair->params->list[k];
        if (!params_input(&p.reader, k, &unread)) /* at this point */
            recorder_output(r, var_constant(tensor_zeros(r->in->ctx, r->in->arena, q->free)), d->gradient + d->npoint + q->offset);
        if (params_way(&p.reader, k, &way)) recorder_output(r, way, d->way + q->offset);
    }
    return d;
}

/* d (gradient . v) / dx, with v as an input. */
static void *record_product(Recorder *r, void *self) {
    Density *d = self;
    Pass p;
    Tape *t = r->in->tape;
    Var y = record_value(d, r, &p), *inputs;
    int64_t *offsets;
    int n = read_inputs(d, &p, r->in->arena, &inputs, &offsets);
    Var *g = ARENA_ARRAY(r->in->arena, Var, n + 1), along = var_number(t, 0);
    tape_grad(t, y, NULL, n, inputs, g);
    for (int k = 0; k < n; k++) {
        Var v = tape_input(t, SLOT_VECTOR, offsets[k], inputs[k].value->shape);
        along = op2(t, OP_ADD, along, op_sum_all(t, op2(t, OP_MUL, g[k], v)));
    }
    tape_grad(t, along, NULL, n, inputs, g);
    for (int k = 0; k < n; k++) recorder_output(r, g[k], d->product + offsets[k]);
    return d;
}

void density_init(Density *d, Pair *pair, uint64_t seed, bool with_params) {
    *d = (Density){.in = pair->in, .pair = pair, .with_params = with_params, .npoint = pair->latents->size};
    d->size = d->npoint + (with_params ? pair->params->size : 0);
    d->point = ARENA_ARRAY(pair->arena, real, 5 * d->size + 5);
    d->value = d->point + d->size;
    d->gradient = d->value + 1;
    d->vector = d->gradient + d->size;
    d->product = d->vector + d->size;
    d->way = d->product + d->size;
    if (with_params && pair->params->size)
        memcpy(d->point + d->npoint, pair->params->values, sizeof(real) * (size_t)pair->params->size);
    recorder_init(&d->recorder, pair->in, pair->arena, seed, record_gradient, d);
    recorder_init(&d->hessian, pair->in, pair->arena, seed, record_product, d);
    Recorder *both[2] = {&d->recorder, &d->hessian};
    for (int k = 0; k < 2; k++) {
        if (with_params)
            both[k]->inputs.slots[SLOT_PARAMS] = d->point + d->npoint;
        else
            both[k]->params = &pair->params->values;
        both[k]->inputs.slots[SLOT_POINT] = d->point;
        both[k]->inputs.slots[SLOT_VECTOR] = d->vector;
    }
}

typedef struct Attempt {
    Recorder *recorder;
} Attempt;

static void attempt(void *self) { recorder_run(((Attempt *)self)->recorder, STEP_CHECK, 0); }

/* Readers that walk the tree find the parameters where the program does. */
static bool run_at(Density *d, const Recorder *r, void (*run)(void *), void *self, Error *e) {
    if (d->with_params) d->pair->params->read = r->inputs.slots[SLOT_PARAMS];
    bool done = ctx_protect(d->in->ctx, run, self, e);
    d->pair->params->read = NULL;
    return done;
}

/* False: a numerical failure at this point. What is wrong with the program is raised. */
static bool run_safely(Density *d, Recorder *r) {
    if (recorder_replay(r, STEP_CHECK, 0)) return true; /* nothing is walked, nothing raised */
    Scope saved;
    Error e;
    Attempt a = {r};
    scope_save(d->in, &saved);
    if (run_at(d, r, attempt, &a, &e)) return true;
    scope_leave(d->in, &saved);
    if (e.kind == ERROR_NUMERIC) return false;
    ctx_reraise(d->in->ctx, &e);
}

double density_at(Density *d, const double *x) {
    d->recorder.inputs.slots[SLOT_POINT] = reals_of_doubles(d->point, x, d->size);
    if (d->with_params) d->recorder.inputs.slots[SLOT_PARAMS] = d->recorder.inputs.slots[SLOT_POINT] + d->npoint;
    d->evaluations++;
    if (!run_safely(d, &d->recorder)) {
        *d->value = -INFINITY;
        for (int64_t k = 0; k < d->size; k++) d->gradient[k] = NAN;
    }
    return isnan(*d->value) ? -INFINITY : *d->value;
}

double density_descend(Density *d, const double *x, double *gradient) {
    double f = density_at(d, x);
    for (int64_t k = 0; k < d->size; k++) gradient[k] = -d->gradient[k];
    return -f;
}

LbfgsOptions density_search(void) {
    return sizeof(real) < sizeof(double) ? lbfgs_defaults_single() : lbfgs_defaults();
}

typedef struct Product {
    Density *d;
} Product;

static void try_product(void *self) { recorder_run(&((Product *)self)->d->hessian, STEP_CHECK, 0); }

/* Hessian times v at d->point, by differentiating the gradient; false: an operation has no second derivative. */
static bool hessian_vector(Density *d, const double *v, double *product) {
    reals_from_doubles(d->vector, v, d->size);
    memset(d->product, 0, sizeof(real) * (size_t)d->size);
    Scope saved;
    Error e;
    Product p = {d};
    scope_save(d->in, &saved);
    bool done = run_at(d, &d->hessian, try_product, &p, &e);
    if (!done) scope_leave(d->in, &saved);
    if (done) doubles_from_reals(product, d->product, d->size);
    return done;
}

/* Central differences of the gradient: row k. */
static void difference_row(Density *d, const double *x, int64_t k, double *work, double *row) {
    int64_t n = d->size;
    double h = (sizeof(real) < sizeof(double) ? 5e-3 : 1e-5) * fmax(1, fabs(x[k])), *y = work;
    memcpy(y, x, sizeof(double) * (size_t)n);
    y[k] = x[k] + h;
    density_at(d, y);
    doubles_from_reals(row, d->gradient, n);
    y[k] = x[k] - h;
    density_at(d, y);
    for (int64_t i = 0; i < n; i++) row[i] = (row[i] - d->gradient[i]) / (2 * h);
}

void density_hessian(Density *d, const double *x, double *hessian) {
    int64_t n = d->size;
    Arena *a = ctx_arena(d->in->ctx);
    arena_defer(d->pair->arena, (void (*)(void *))arena_free, a);
    double *v = ARENA_ARRAY(a, double, n + 1), *work = ARENA_ARRAY(a, double, n + 1);
    bool second = true;
    reals_from_doubles(d->point, x, n);
    for (int64_t k = 0; k < n && second; k++) {
        v[k] = 1;
        second = hessian_vector(d, v, hessian + k * n);
        v[k] = 0;
        for (int64_t i = 0; i < n && second; i++) second = isfinite(hessian[k * n + i]);
    }
    for (int64_t k = 0; k < n && !second; k++) difference_row(d, x, k, work, hessian + k * n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            hessian[i * n + j] = hessian[j * n + i] = (hessian[i * n + j] + hessian[j * n + i]) / 2;
    density_at(d, x);
    arena_reset(a);
}
