#include "infer/draws.h"

#include <math.h>
#include <string.h>

#include "interp/array.h"

void draws_init(DrawStore *d, Ctx *c, Arena *arena, int64_t ndraws) {
    *d = (DrawStore){.ctx = c, .arena = arena, .ndraws = ndraws};
}

const DrawVariable *draws_find(const DrawStore *d, const char *name) {
    for (int k = 0; k < d->n; k++)
        if (strcmp(d->list[k].name, name) == 0) return &d->list[k];
    return NULL;
}

static int variable_at(DrawStore *d, const char *name, int rank) {
    for (int k = 0; k < d->n; k++)
        if (strcmp(d->list[k].name, name) == 0) return d->list[k].shape.rank == rank ? k : -1;
    ARENA_GROW(d->arena, d->list, d->n, d->capacity, 8);
    d->list[d->n] = (DrawVariable){.name = arena_strdup(d->arena, name), .shape = {.rank = rank}};
    return d->n++;
}

/* Copy rows between dense layouts of the same rank, the smaller at the origin. */
static void copy_block(real *to, Shape ts, const real *from, Shape fs) {
    int64_t n = shape_size(fs), index[MAX_RANK] = {0};
    for (int64_t i = 0; i < n; i++) {
        int64_t at = 0;
        for (int k = 0; k < fs.rank; k++) at = at * ts.dim[k] + index[k];
        to[at] = from[i];
        for (int k = fs.rank - 1; k >= 0 && ++index[k] == fs.dim[k]; k--) index[k] = 0;
    }
}

static void variable_widen(Shape *wanted, Shape shape) {
    wanted->rank = shape.rank;
    for (int k = 0; k < shape.rank; k++)
        if (shape.dim[k] > wanted->dim[k]) wanted->dim[k] = shape.dim[k];
}

/* Room for the wanted shape; what was there stays at its place. */
static void variable_grow(DrawStore *d, DrawVariable *v) {
    Shape shape = v->wanted;
    bool fits = v->values != NULL;
    for (int k = 0; k < shape.rank; k++) {
        fits &= shape.dim[k] <= v->shape.dim[k];
        if (v->values && shape.dim[k] < v->shape.dim[k]) shape.dim[k] = v->shape.dim[k];
    }
    if (fits) return;
    int64_t size = shape_size(shape), rows = v->averaged ? 2 : d->ndraws;
    real *values = tensor_new(d->ctx, d->arena, shape2(rows, size))->data;
    for (int64_t i = 0; i < rows * size; i++) values[i] = v->averaged ? 0 : NAN;
    if (v->values)
        for (int64_t i = 0; i < rows; i++) copy_block(values + i * size, shape, v->values + i * v->size, v->shape);
    v->values = values;
    v->shape = shape;
    v->size = size;
}

/* The value with all axes of its address, and how it lies in the variable. False: nothing that can be kept as numbers.
 */
static bool plan_entry(DrawStore *d, Interp *in, const Entry *e, DrawPiece *p, Var *var) {
    if (!value_is_numeric(e->value)) return false;
    const Axis *axes[MAX_INDEX];
    int naxes = 0;
    for (int k = 0; k < e->nindex; k++) {
        if (e->index[k].axis && axis_is_subset(e->index[k].axis)) return false; /* other elements in every draw */
        if (e->index[k].axis) axes[naxes++] = e->index[k].axis;
    }
    Array a = value_array(in, array_expand_axes(in, e->value, naxes, axes), e->span, "a value");
    if (a.naxes != naxes) return false; /* an axis that is not in its address */
    Shape event = array_shape(&a), whole = {.rank = e->nindex + event.rank};
    if (whole.rank > MAX_RANK) return false;
    *p = (DrawPiece){.source = a.var.value->shape, .nindex = e->nindex, .naxes = naxes};
    for (int k = 0; k < e->nindex; k++) {
        const Axis *axis = e->index[k].axis;
        p->source_dim[k] = axis ? axes_find(a.naxes, a.axes, axis) : -1;
        p->start[k] = (axis ? axis->first : e->index[k].at) - 1;
        if (p->start[k] < 0) return false;
        whole.dim[k] = p->start[k] + (axis ? axis->size : 1);
        if (e->index[k].high > whole.dim[k]) whole.dim[k] = e->index[k].high; /* elements left out */
    }
    memcpy(whole.dim + e->nindex, event.dim, sizeof(int64_t) * (size_t)event.rank);
    p->variable = variable_at(d, e->name, whole.rank);
    if (p->variable < 0) return false;
    variable_widen(&d->list[p->variable].wanted, whole);
    d->list[p->variable].summed = e->summed;
    d->list[p->variable].averaged = e->summed && !d->joint;
    if (e->summed) d->list[p->variable].first = e->summed->first;
    *var = a.var;
    return true;
}

DrawPlan *draws_plan(DrawStore *d, const Trace *t, unsigned what, Recorder *r, Arena *arena) {
    DrawPlan *plan = ARENA_NEW(arena, DrawPlan);
    plan->list = ARENA_ARRAY(arena, DrawPiece, t->n + 1);
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        if (!(entry_kind(e) & what)) continue;
        DrawPiece *p = &plan->list[plan->n];
        Var var;
        if (!plan_entry(d, t->in, e, p, &var)) continue;
        p->from = ARENA_ARRAY(arena, real, shape_size(p->source) + 1);
        if (r)
            recorder_output(r, var, p->from);
        else
            tensor_copy_out(var.value, p->from);
        plan->n++;
    }
    for (int k = 0; k < d->n; k++) variable_grow(d, &d->list[k]); /* once: a chain has a piece per step */
    return plan;
}

static void take_piece(const DrawPiece *p, const DrawVariable *v, int64_t draw) {
    real *row = v->averaged ? v->values : v->values + draw * v->size;
    int64_t stride[MAX_RANK] = {0}, step = 1, base = 0;
    for (int k = v->shape.rank - 1; k >= 0; k--) {
        if (k >= p->nindex)
            stride[p->source.rank - (v->shape.rank - k)] = step;
        else {
            base += p->start[k] * step;
            if (p->source_dim[k] >= 0) stride[p->source_dim[k]] = step;
        }
        step *= v->shape.dim[k];
    }
    int64_t n = shape_size(p->source), index[MAX_RANK] = {0}, at = base;
    for (int64_t i = 0; i < n; i++) {
        if (v->averaged)
            row[at] += p->from[i], row[v->size + at]++;
        else
            row[at] = p->from[i];
        for (int k = p->source.rank - 1; k >= 0; k--) {
            at += stride[k];
            if (++index[k] < p->source.dim[k]) break;
            at -= stride[k] * p->source.dim[k];
            index[k] = 0;
        }
    }
}

void draws_take(DrawStore *d, const DrawPlan *plan, int64_t draw) {
    for (int k = 0; k < plan->n; k++) {
        DrawVariable *v = &d->list[plan->list[k].variable];
        if (v->latest != draw + 1) v->present++;
        v->latest = draw + 1;
        take_piece(&plan->list[k], v, draw);
    }
}

Value draws_record(const DrawStore *d, Interp *in, int64_t draw) {
    const char **names = ARENA_ARRAY(in->arena, const char *, d->n + 1);
    Value *values = ARENA_ARRAY(in->arena, Value, d->n + 1);
    for (int k = 0; k < d->n; k++) {
        const DrawVariable *v = &d->list[k];
        Shape shape = v->shape;
        if (draw < 0) {
            shape = (Shape){.rank = v->shape.rank + 1, .dim = {d->ndraws}};
            memcpy(shape.dim + 1, v->shape.dim, sizeof(int64_t) * (size_t)v->shape.rank);
        }
        Tensor *t = tensor_new(in->ctx, in->arena, shape);
        memcpy(t->data, v->values + (draw < 0 ? 0 : draw * v->size), sizeof(real) * (size_t)shape_size(shape));
        names[k] = v->name;
        values[k] = value_tensor(in, t);
    }
    return record_nest(in, d->n, names, values);
}

void draws_mean(const DrawStore *d, const DrawVariable *v, double *mean) {
    for (int64_t k = 0; k < v->size; k++)
        mean[k] = v->values[v->size + k] == (real)d->ndraws ? v->values[k] / (real)d->ndraws : NAN;
}
