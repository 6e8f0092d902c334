/* What the parameters of a guide that refines follow.
 *
 * Each pass's ELBO was differentiated down to the values it was given (SHARE_STEP: g), which a step has made of
 * constants. Their share of the parameters' gradient is that of sum(g * values), with g held fixed: the same number as
 * that of the ELBO, but the pass itself is done with.
 */
#include <string.h>

#include "infer/pair.h"

void refine_share(Refinement *r, Interp *in, Share one) {
    ARENA_GROW(in->arena, r->shares, r->nshares, r->shares_capacity, 16);
    r->shares[r->nshares++] = one;
}

static double last_weight(const Refined *one, RefineLoss loss) {
    return one->steps > 0 && loss == REFINE_MEAN ? 1 / (double)one->steps : 1;
}

/* In the objective of the guide: the weight of the ELBO after everything. */
static double final_weight(const Refinement *r, RefineLoss loss) {
    double sum = 0;
    for (int k = 0; k < r->n; k++) sum += last_weight(&r->list[k], loss);
    return r->n ? sum / r->n : 1;
}

static bool is_zero(Var v) {
    if (var_is_taped(v) || v.value->data[0] != 0) return false;
    for (int d = 0; d < v.value->shape.rank; d++)
        if (v.value->shape.dim[d] > 1 && v.value->stride[d] != 0) return false;
    return true;
}

static Var plus(Tape *t, Var a, Var b) { return is_zero(a) ? b : is_zero(b) ? a : op2(t, OP_ADD, a, b); }

static Var times(Tape *t, Var a, double x) {
    return x == 1 || is_zero(a) ? a : op2(t, OP_MUL, a, var_number(t, (real)x));
}

/* sum(g * values) over the shares of this kind. */
static Var surrogate(const Refinement *r, Tape *t, ShareKind kind, bool weighted) {
    Var sum = var_number(t, 0);
    for (int k = 0; k < r->nshares; k++) {
        const Share *s = &r->shares[k];
        if (s->kind != kind || !var_is_taped(s->learned)) continue;
        Var one = op_sum_all(t, op2(t, OP_MUL, op_stop_gradient(t, s->gradient), s->learned));
        sum = plus(t, sum, times(t, one, weighted ? s->weight : 1));
    }
    return sum;
}

static void add_gradient(Tape *t, Var y, int n, const Var *params, const bool *of_model, bool which, Var *out) {
    Var *g = ARENA_ARRAY(t->arena, Var, n + 1);
    if (!var_is_taped(y)) return;
    tape_grad(t, y, NULL, n, params, g);
    for (int k = 0; k < n; k++)
        if (of_model[k] == which) out[k] = plus(t, out[k], g[k]);
}

/* Steps cut off from each other. */
static void gradients_by_step(Refinement *r, Tape *t, RefineLoss loss, Var y, int n, const Var *params,
                              const bool *of_model, Var *out) {
    Var *wrt = ARENA_ARRAY(t->arena, Var, n + r->nshares + 1), *g = ARENA_ARRAY(t->arena, Var, n + r->nshares + 1);
    memcpy(wrt, params, sizeof *wrt * (size_t)n);
    int m = n;
    for (int k = 0; k < r->nshares; k++)
        if (r->shares[k].kind == SHARE_LAST) wrt[m++] = r->shares[k].at;
    tape_grad(t, y, NULL, m, wrt, g);
    m = n;
    for (int k = 0; k < r->nshares; k++)
        if (r->shares[k].kind == SHARE_LAST) r->shares[k].gradient = g[m++];
    double final = final_weight(r, loss);
    for (int k = 0; k < n; k++) out[k] = of_model[k] ? g[k] : times(t, g[k], final);
    for (int i = 0; i < r->nshares; i++) {
        const Share *s = &r->shares[i];
        for (int k = 0; k < n && s->kind == SHARE_PASS; k++)
            if (params[k].node == s->learned.node && !of_model[k])
                out[k] = plus(t, out[k], times(t, s->gradient, s->weight / r->n));
    }
    Var steps = plus(t, surrogate(r, t, SHARE_STEP, true), surrogate(r, t, SHARE_LAST, true));
    add_gradient(t, steps, n, params, of_model, false, out);
    add_gradient(t, surrogate(r, t, SHARE_LAST, false), n, params, of_model, true, out); /* nets that both use */
}

/* The mean of the ELBOs after the steps, of all statements. */
static Var objective(const Refinement *r, Tape *t, RefineLoss loss, Var y) {
    Var sum = times(t, y, final_weight(r, loss));
    int first = 0;
    for (int k = 0; k < r->n; k++) {
        for (int i = first + 1; i < r->list[k].nelbos && loss == REFINE_MEAN; i++) /* the first is before any step */
            sum = plus(t, sum, times(t, r->elbos[i], 1 / (double)r->list[k].steps / r->n));
        first = r->list[k].nelbos;
    }
    return sum;
}

void refine_gradients(Pass *p, Interp *in, Var y, int n, const Var *params, const bool *of_model, Var *out) {
    Refinement *r = &p->refinement;
    Tape *t = in->tape;
    const RefineOptions *o = &p->pair->refine;
    if (r->nelbos == 0) {
        tape_grad(t, y, NULL, n, params, out);
    } else if (o->through) {
        Var zero = var_number(t, 0);
        for (int k = 0; k < n; k++) out[k] = op_expand(t, zero, params[k].value->shape);
        add_gradient(t, y, n, params, of_model, true, out);
        add_gradient(t, objective(r, t, o->loss, y), n, params, of_model, false, out);
    } else {
        gradients_by_step(r, t, o->loss, y, n, params, of_model, out);
    }
}
