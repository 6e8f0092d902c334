#include "infer/closed.h"

#include "infer/depends.h"
#include "interp/array.h"
#include "interp/internal.h"

/* Parameters are numbers, or not set, and independent of the draw. */
static bool is_free_of(const Dist *d, const Dependence *draw) {
    for (int k = 0; k < d->family->decl->nparams; k++) {
        Value v = d->params[k];
        if (!value_is_numeric(v) && v.kind != VALUE_BUILTIN) return false;
        if (draw && v.kind == VALUE_ARRAY && depends_state(draw, v.u.array->var) != DEPENDS_NOT) return false;
        if (has_summed_axis(v)) return false;
    }
    return true;
}

/* Batches of vectors are left alone: their closed forms are written for one. */
static bool is_plain(Interp *in, const Dist *d, Span at) {
    int rank = type_rank(d->family->decl->support);
    return rank == 0 || dist_event_shape(in, d, at).rank == d->repeat.rank + rank;
}

static bool is_independent(const Pass *p, Interp *in, const Entry *q, const Entry *prior) {
    if (q->branch || q->summed || q->some || prior->some || prior->branch || prior->observed || prior->summed) return false;
    if (prior->log_density.kind == VALUE_NONE || has_summed_axis(prior->log_density)) return false;
    Dependence draw, *followed = NULL;
    if (q->value.kind == VALUE_ARRAY && var_is_taped(q->value.u.array->var)) {
        Var v = q->value.u.array->var;
        draw = depends_follow(in->tape, v, DEPENDS_MIXED, in->arena);
        followed = &draw;
    }
    return is_free_of(q->dist, followed) && is_free_of(prior->dist, followed) && is_plain(in, q->dist, p->pair->span) &&
           is_plain(in, prior->dist, p->pair->span);
}

/* The sum over copies and batch elements, for each element of the plates around the draw. */
static Value whole_divergence(Interp *in, const Entry *q, Value v) {
    int rank = type_rank(q->dist->family->decl->support);
    Shape event = value_event_shape(in, q->value, q->span);
    event.rank -= rank;
    if (event.rank > 0) {
        v = array_binary(in, BINARY_ADD, v, value_tensor(in, tensor_zeros(in->ctx, in->arena, event)), q->span);
        v = array_reduce(in, OP_SUM, v, 0, q->span);
    }
    for (int k = 0; k < q->nindex; k++)
        if (q->index[k].axis) v = array_expand_axes(in, v, 1, &q->index[k].axis);
    return v;
}

void closed_divergences(Pass *p, Interp *in) {
    for (int k = 0; k < p->guide.n; k++) {
        Entry *q = &p->guide.entries[k];
        if (q->kind != ENTRY_SAMPLE || q->observed) continue;
        Entry *prior = (Entry *)trace_find(&p->model, q->name, q->index, q->nindex);
        if (!prior || !is_independent(p, in, q, prior)) continue;
        Value v = dist_divergence(in, q->dist, prior->dist, q->span);
        if (v.kind == VALUE_NONE) continue;
        q->log_density = whole_divergence(in, q, v);
        q->closed = true;
        prior->log_density = value_none();
    }
}
