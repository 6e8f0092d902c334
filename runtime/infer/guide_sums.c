#include "infer/guide_sums.h"

#include <math.h>

#include "interp/array.h"

static bool has_axis(Value v, const Axis *axis) {
    return v.kind == VALUE_ARRAY && axes_find(v.u.array->naxes, v.u.array->axes, axis) >= 0;
}

/* -- The guide's run -- */

bool guide_sums_answer(Pass *p, Interp *in, Site *s, Entry *e) {
    if (p->mode != PASS_SUMMED && p->mode != PASS_CLOSED) return false;
    if (!discrete_sums(&p->pair->discrete, s->name)) return false;
    if (summing_answer(&p->guided, in, s, e, p->guide.n)) return true;
    discrete_refuse_sum(p, in, s, "leave it out of the option `discrete`");
}

static bool dist_has_axis(const Dist *d, const Axis *axis) {
    for (int k = 0; k < d->family->decl->nparams; k++)
        if (has_axis(d->params[k], axis)) return true;
    return false;
}

Value guide_sums_draw(const Pass *p, Interp *in, Site *s, bool reparameterise) {
    int n = in->nplates;
    for (int k = 0; k < p->guided.n; k++) {
        const Axis *axis = p->guided.list[k].axis;
        if (in->nplates < MAX_AXES && dist_has_axis(s->dist, axis)) in->plates[in->nplates++] = axis;
    }
    Value v = dist_draw_site(in, s->dist, s, reparameterise);
    in->nplates = n;
    return v;
}

/* -- Means over the values -- */

/* The probability of the values that v has axes of. The distribution of one variable may depend on others, which are
 * drawn before it: from the last to the first all are met. */
static Value probability(const Pass *p, Interp *in, Value v, const Value *log_q) {
    Value total = value_none();
    for (int k = p->guided.n - 1; k >= 0; k--) {
        const Axis *axis = p->guided.list[k].axis;
        if (!has_axis(v, axis) && !has_axis(total, axis)) continue;
        Span at = p->guide.entries[p->guided.list[k].entry].span;
        total = total.kind == VALUE_NONE ? log_q[k] : array_binary(in, BINARY_ADD, total, log_q[k], at);
    }
    return total.kind == VALUE_NONE ? total : array_apply(in, OP_EXP, 1, &total, p->pair->span);
}

static void refuse_both(const Pass *p, Interp *in, const Entry *e) {
    for (int k = 0; e->log_density.kind == VALUE_ARRAY && k < e->log_density.u.array->naxes; k++) {
        const Axis *axis = e->log_density.u.array->axes[k];
        if (axis->kind != AXIS_ENUM || axis->order >= FIRST_GUIDED_ORDER) continue;
        ctx_raise(in->ctx, ERROR_PROGRAM, e->span, arena_printf(in->arena, "draw `%s` in the guide too", axis->name),
                  "a term depends on `%s`, which the model sums out, and on `%s`, which is summed out in the guide `%s`",
                  axis->name, p->guided.list[0].axis->name, p->pair->guide_name);
    }
}

static void refuse_scored(const Pass *p, Interp *in, const Entry *e) {
    if (has_summed_axis(e->log_score))
        ctx_raise(in->ctx, ERROR_PROGRAM, e->span, "sum it out too, or leave both to the score function",
                  "`%s` has no gradient and depends on `%s`, which is summed out",
                  address_text(in, e->name, e->index, e->nindex), p->guided.list[0].axis->name);
}

/* sum_k q(k) v(k); where q(k) is 0, v may be infinite. */
static void take_mean(const Pass *p, Interp *in, Entry *e, const Value *log_q) {
    Value w = probability(p, in, e->log_density, log_q);
    if (w.kind == VALUE_NONE) return;
    refuse_both(p, in, e);
    Value zero = value_number(0), possible = array_binary(in, BINARY_GT, w, zero, e->span),
          finite = array_apply(in, OP_WHERE, 3, (Value[]){possible, e->log_density, zero}, e->span),
          mean = array_binary(in, BINARY_MUL, w, finite, e->span);
    for (int k = 0; k < p->guided.n; k++)
        if (has_axis(mean, p->guided.list[k].axis))
            mean = array_reduce_axis(in, OP_SUM, mean, p->guided.list[k].axis, e->span);
    e->log_density = mean;
}

void guide_sums_finish(Pass *p, Interp *in) {
    if (p->guided.n == 0) return;
    Value *log_q = ARENA_ARRAY(in->arena, Value, p->guided.n);
    for (int k = 0; k < p->guided.n; k++) log_q[k] = p->guide.entries[p->guided.list[k].entry].log_density;
    Trace *both[2] = {&p->guide, &p->model};
    for (int t = 0; t < 2; t++)
        for (int k = 0; k < both[t]->n; k++) {
            refuse_scored(p, in, &both[t]->entries[k]);
            take_mean(p, in, &both[t]->entries[k], log_q);
        }
}

void guide_sums_refuse(Pair *pair, Interp *in, const char *method) {
    for (int k = 0; k < pair->discrete.n; k++) {
        const DiscreteChoice *c = &pair->discrete.list[k];
        if (c->way != DISCRETE_SUM || !c->guided) continue;
        ctx_raise(in->ctx, ERROR_PROGRAM, pair->discrete.span,
                  "leave it out of the option `discrete`, or use svi(ELBO())",
                  "%s weighs draws, and `%s` is drawn by the guide `%s`: it cannot be summed out", method, c->name,
                  pair->guide_name);
    }
}
