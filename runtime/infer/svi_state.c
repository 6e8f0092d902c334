/* The state of svi as vectors of a checkpoint: parameters, optimizers, baselines, trace, held-out values. */
#include <string.h>

#include "infer/svi.h"

/* -- Parameters by name, in their order. Those that the first run does not meet had come with a structure that appeared
 *    later: the file says what they are -- */

enum { LAYOUT = 5 + MAX_RANK }; /* kind, bounds, share, rank, dimensions */

static const char OTHERS[] = "its parameters are not those of the run";

static Shape take_shape(const Checkpoint *c, const double *from) {
    Shape s = {.rank = from[0] >= 0 && from[0] <= MAX_RANK ? (int)from[0] : 0};
    double size = 1;
    for (int k = 0; k < s.rank; k++) {
        size *= from[1 + k];
        if (!(from[1 + k] >= 0 && size < 1e15)) checkpoint_refuse(c, OTHERS);
        s.dim[k] = (int64_t)from[1 + k];
    }
    return s;
}

static void save_params(const Svi *s, Checkpoint *c) {
    const ParamStore *p = s->pair->params;
    for (int k = 0; k < p->n; k++) {
        const ParamInfo *one = &p->list[k];
        double layout[LAYOUT] = {one->kind, one->low, one->high, one->share, one->shape.rank};
        for (int i = 0; i < one->shape.rank; i++) layout[5 + i] = (double)one->shape.dim[i];
        checkpoint_put(c, checkpoint_name(c, "layout %d %s", k, one->name), layout, LAYOUT);
        checkpoint_put_reals(c, checkpoint_name(c, "parameter %s", one->name), p->values + one->offset, one->size);
    }
    checkpoint_put_number(c, "parameters", p->n);
}

static void append_param(const Svi *s, const Checkpoint *c, const double *layout, const char *name,
                         const double *values, int64_t n) {
    ParamInfo p = {.name = name,
                   .kind = (ConstraintKind)layout[0],
                   .low = layout[1],
                   .high = layout[2],
                   .share = layout[3],
                   .span = s->pair->span};
    p.event = p.shape = take_shape(c, layout + 4);
    if (!(layout[0] >= 0 && layout[0] <= CONSTRAINT_CORR_CHOLESKY)) checkpoint_refuse(c, OTHERS);
    params_measure(s->in, &p);
    if (p.size != n) checkpoint_refuse(c, OTHERS);
    real *initial = ARENA_ARRAY(s->in->arena, real, n + 1);
    reals_from_doubles(initial, values, n);
    params_append(s->pair->params, p, initial);
}

static void load_params(Svi *s, Checkpoint *c) {
    ParamStore *p = s->pair->params;
    int n = (int)checkpoint_number(c, "parameters");
    for (int k = 0; k < n; k++) {
        int64_t nlayout = LAYOUT, size = -1;
        const char *beginning = arena_strdup(s->in->arena, checkpoint_name(c, "layout %d ", k));
        const char *name = checkpoint_rest(c, beginning);
        if (!name || (k < p->n && strcmp(name, p->list[k].name) != 0)) checkpoint_refuse(c, OTHERS);
        const double *layout = checkpoint_numbers(c, checkpoint_name(c, "%s%s", beginning, name), &nlayout);
        if (k < p->n) size = p->list[k].size;
        const double *values = checkpoint_numbers(c, checkpoint_name(c, "parameter %s", name), &size);
        if (k < p->n)
            reals_from_doubles(p->values + p->list[k].offset, values, size);
        else
            append_param(s, c, layout, name, values, size);
    }
    if (n != p->n) checkpoint_refuse(c, OTHERS);
    descent_grow(&s->descent);
    s->size = s->descent.size;
}

/* -- Optimizers -- */

static int64_t state_size(const Descent *d, const DescentRun *r) {
    return optimizer_state_size(d->rules[r->rule].choice.optimizer, r->size);
}

static void save_descent(const Svi *s, Checkpoint *c) {
    const Descent *d = &s->descent;
    checkpoint_put_number(c, "stretches", d->nruns);
    for (int k = 0; k < d->nruns; k++) {
        const DescentRun *r = &d->runs[k];
        checkpoint_put(c, checkpoint_name(c, "stretch %d", k),
                       (const double[]){(double)r->offset, (double)r->size, r->rule, (double)r->updates}, 4);
        checkpoint_put_reals(c, checkpoint_name(c, "state %d", k), r->state, state_size(d, r));
    }
    checkpoint_put(c, "norm", (const double[]){(double)s->updates, s->log_norm}, 2);
}

static void load_descent(Svi *s, Checkpoint *c) {
    Descent *d = &s->descent;
    int64_t four = 4, two = 2;
    d->nruns = 0;
    int n = (int)checkpoint_number(c, "stretches");
    for (int k = 0; k < n; k++) {
        const double *x = checkpoint_numbers(c, checkpoint_name(c, "stretch %d", k), &four);
        if (!(x[0] >= 0 && x[1] >= 0 && x[0] + x[1] <= (double)d->size && x[2] >= 0 && x[2] < d->nrules))
            checkpoint_refuse(c, "its optimizers do not fit the run");
        DescentRun *r = descent_add(d);
        *r = (DescentRun){.offset = (int64_t)x[0], .size = (int64_t)x[1], .rule = (int)x[2], .updates = (int64_t)x[3]};
        r->state = ARENA_ARRAY(s->arena, real, state_size(d, r) + 1);
        checkpoint_reals(c, checkpoint_name(c, "state %d", k), r->state, state_size(d, r));
    }
    const double *norm = checkpoint_numbers(c, "norm", &two);
    s->updates = (int64_t)norm[0], s->log_norm = norm[1];
}

/* -- All of it -- */

void svi_save(const Svi *s, Checkpoint *c) {
    const Fit *f = s->job->fit;
    save_params(s, c);
    save_descent(s, c);
    score_store_save(&s->bound.store, c);
    checkpoint_put(c, "trace", f->trace, f->ntrace);
    checkpoint_put(c, "held out", f->held_out, f->nheld_out);
    checkpoint_put(c, "held out after", f->held_out_steps, f->nheld_out);
}

void svi_load(Svi *s, Checkpoint *c) {
    Fit *f = s->job->fit;
    load_params(s, c);
    load_descent(s, c);
    score_store_load(&s->bound.store, c);
    bound_forget(&s->bound);
    int64_t n = -1, m;
    const double *trace = checkpoint_numbers(c, "trace", &n);
    for (int64_t k = 0; k < n; k++) fit_trace_add(f, trace[k]);
    n = -1;
    const double *held_out = checkpoint_numbers(c, "held out", &n);
    m = n;
    const double *steps = checkpoint_numbers(c, "held out after", &m);
    for (int64_t k = 0; k < n; k++) fit_held_out_add(f, (long)steps[k], held_out[k]);
}
