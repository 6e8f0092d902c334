#include "infer/eliminate.h"

#include <math.h>
#include <string.h>

#include "interp/array.h"
#include "interp/effects.h"

enum { MOST_MEETING = 64 };

typedef struct Factor {
    Value value;
    int nvars, vars[MAX_AXES];
    bool used;
} Factor;

typedef struct Variable {
    const Axis *axis;
    int *factors, n, capacity;
    bool done;
    int version; /* of its entry in the queue */
    const Chain *chain; /* it is one of the two of a chain; NULL: it is summed by itself */
} Variable;

typedef struct Turn {
    int depth; /* plates it stands in */
    double cost;
    int var, version;
} Turn;

typedef struct Work {
    Interp *in;
    Factor *factors;
    int nfactors, factor_room;
    Variable *vars;
    int nvars;
    Turn *queue; /* a heap: the deepest, then the cheapest first */
    int nqueue, queue_room;
    Elimination out;
    int rest_room;
    double budget;
    Span at;
} Work;

static const char *variable_text(const Work *w, int var) {
    const Axis *a = w->vars[var].axis;
    if (a->nwithin == 0) return a->name;
    return arena_printf(w->in->arena, "%s[%s]", a->name, a->within[a->nwithin - 1]->name);
}

/* -- The queue -- */

static bool before(const Turn *a, const Turn *b) {
    if (a->depth != b->depth) return a->depth > b->depth;
    if (a->cost != b->cost) return a->cost < b->cost;
    return a->var < b->var;
}

static void queue_push(Work *w, Turn t) {
    ARENA_GROW(w->in->arena, w->queue, w->nqueue, w->queue_room, 64);
    int i = w->nqueue++;
    for (; i > 0 && before(&t, &w->queue[(i - 1) / 2]); i = (i - 1) / 2) w->queue[i] = w->queue[(i - 1) / 2];
    w->queue[i] = t;
}

static Turn queue_pop(Work *w) {
    Turn first = w->queue[0], last = w->queue[--w->nqueue];
    int i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= w->nqueue) break;
        if (child + 1 < w->nqueue && before(&w->queue[child + 1], &w->queue[child])) child++;
        if (!before(&w->queue[child], &last)) break;
        w->queue[i] = w->queue[child];
        i = child;
    }
    if (w->nqueue) w->queue[i] = last;
    return first;
}

/* -- Factors -- */

static void link_factor(Work *w, int var, int factor) {
    Variable *v = &w->vars[var];
    ARENA_GROW(w->in->arena, v->factors, v->n, v->capacity, 4);
    v->factors[v->n++] = factor;
}

static void add_rest(Work *w, Value v) {
    ARENA_GROW(w->in->arena, w->out.rest, w->out.nrest, w->rest_room, 16);
    w->out.rest[w->out.nrest++] = v;
}

static int add_factor(Work *w, Value value) {
    Factor f = {.value = value};
    for (int k = 0; value.kind == VALUE_ARRAY && k < value.u.array->naxes; k++)
        if (value.u.array->axes[k]->kind == AXIS_ENUM)
            f.vars[f.nvars++] = value.u.array->axes[k]->order - FIRST_ENUM_ORDER;
    if (f.nvars == 0) {
        add_rest(w, value);
        return -1;
    }
    ARENA_GROW(w->in->arena, w->factors, w->nfactors, w->factor_room, 64);
    w->factors[w->nfactors] = f;
    for (int k = 0; k < f.nvars; k++) link_factor(w, f.vars[k], w->nfactors);
    return w->nfactors++;
}

/* The variables that share a factor with one that is not eliminated yet, itself among them. */
static int meeting(Work *w, int var, const Axis **axes) {
    Variable *v = &w->vars[var];
    int n = 0;
    for (int j = 0; j < v->n; j++) {
        const Factor *f = &w->factors[v->factors[j]];
        for (int k = 0; !f->used && k < f->nvars && n < MOST_MEETING; k++)
            if (axes_find(n, axes, w->vars[f->vars[k]].axis) < 0) axes[n++] = w->vars[f->vars[k]].axis;
    }
    return n;
}

/* Terms of the sum over a variable now: the values of all variables that meet it, in each element. */
static double cost_of(Work *w, int var) {
    const Axis *own = w->vars[var].axis, *axes[MOST_MEETING];
    double cost = 1;
    for (int k = 0; k < own->nwithin; k++) cost *= (double)own->within[k]->size;
    for (int k = meeting(w, var, axes) - 1; k >= 0; k--) cost *= (double)axes[k]->size;
    return cost;
}

static void queue_variable(Work *w, int var) {
    Variable *v = &w->vars[var];
    if (v->chain) return;
    queue_push(w, (Turn){v->axis->nwithin, cost_of(w, var), var, ++v->version});
}

static bool is_within(const Axis *plate, const Axis *var) {
    for (int k = 0; k < var->nwithin; k++)
        if (var->within[k] == plate) return true;
    return false;
}

/* A factor in more plates than the variable: its elements are independent given the variable, so they multiply. */
static Value leave_plates(Work *w, const Factor *f, int var) {
    Value v = f->value;
    const Axis *own = w->vars[var].axis, *axes[MAX_AXES];
    int n = v.u.array->naxes;
    memcpy(axes, v.u.array->axes, sizeof *axes * (size_t)n);
    for (int k = 0; k < n; k++) {
        if (!axis_repeats(axes[k]) || is_within(axes[k], own)) continue;
        for (int j = 0; j < f->nvars; j++)
            if (is_within(axes[k], w->vars[f->vars[j]].axis)) {
                w->in->split = own;
                ctx_raise(w->in->ctx, ERROR_COSTLY, w->at, "write a guide that draws one of them",
                          "`%s` (line %d) and `%s` (line %d) meet in one factor, and the sum over either would be over all "
                          "elements of the other at once: they cannot be summed out",
                          variable_text(w, var), own->line, variable_text(w, f->vars[j]), w->vars[f->vars[j]].axis->line);
            }
        v = array_reduce_axis(w->in, OP_SUM, v, axes[k], w->at);
        if (axis_is_subset(axes[k])) {
            double scale = (double)axes[k]->population / (double)axes[k]->size;
            v = array_binary(w->in, BINARY_MUL, v, value_number(scale), w->at);
        }
    }
    return v;
}

static void eliminate_one(Work *w, Op op, int var, double cost) {
    Variable *v = &w->vars[var];
    if (cost > w->budget) {
        const Axis *axes[MOST_MEETING];
        int n = meeting(w, var, axes);
        w->in->split = axes_costliest(n, axes);
        ctx_raise(w->in->ctx, ERROR_COSTLY, w->at, "write a guide that draws some of them, or use importance(n)",
                  "summing out `%s` (line %d) would take %.3g terms at once; up to %.3g are done. What meets: %s",
                  variable_text(w, var), v->axis->line, cost, w->budget, axes_summed_text(w->in, n, axes));
    }
    Value total = value_none();
    for (int j = 0; j < v->n; j++) {
        Factor *f = &w->factors[v->factors[j]];
        if (f->used) continue;
        f->used = true;
        Value part = leave_plates(w, f, var);
        total = total.kind == VALUE_NONE ? part : array_binary(w->in, BINARY_ADD, total, part, w->at);
    }
    v->done = true;
    if (total.kind == VALUE_NONE) return;
    if (v->axis->nwithin) total = array_expand_axes(w->in, total, v->axis->nwithin, v->axis->within);
    w->out.steps[w->out.nsteps++] = (EliminationStep){v->axis, total};
    w->out.terms += cost;
    int made = add_factor(w, array_reduce_axis(w->in, op, total, v->axis, w->at));
    for (int k = 0; made >= 0 && k < w->factors[made].nvars; k++) queue_variable(w, w->factors[made].vars[k]);
}

/* -- Chains -- */

static _Noreturn void refuse_chain(Work *w, const Chain *c) {
    loop_split(w->in, c->loop, w->at, "its variables are summed out one by one");
}

static int variable_of(const Axis *axis) { return axis->order - FIRST_ENUM_ORDER; }

/* Everything that is said about two neighbouring steps: with the plates of the chain, and axes loop, before, now. */
static Value chain_factor(Work *w, const Chain *c) {
    const Axis *both[2] = {c->before, c->now};
    Value total = value_none();
    for (int k = 0; k < 2; k++) {
        Variable *v = &w->vars[variable_of(both[k])];
        for (int j = 0; j < v->n; j++) {
            Factor *f = &w->factors[v->factors[j]];
            if (f->used) continue;
            f->used = true;
            for (int i = 0; i < f->nvars; i++)
                if (w->vars[f->vars[i]].chain != c) refuse_chain(w, c);
            Value part = leave_plates(w, f, variable_of(c->now));
            total = total.kind == VALUE_NONE ? part : array_binary(w->in, BINARY_ADD, total, part, w->at);
        }
        v->done = true;
    }
    if (total.kind == VALUE_NONE) return total;
    total = array_expand_axes(w->in, total, c->now->nwithin, c->now->within);
    return array_expand_axes(w->in, total, 2, both);
}

/* What the steps of the loop, summed out, say about the variable before them. */
static void eliminate_chain(Work *w, Op op, const Chain *c) {
    Interp *in = w->in;
    double cost = (double)c->now->size * (double)c->now->size;
    for (int k = 0; k < c->now->nwithin; k++) cost *= (double)c->now->within[k]->size;
    if (op != OP_LOGSUMEXP || cost > w->budget) refuse_chain(w, c);
    Value total = chain_factor(w, c);
    if (total.kind == VALUE_NONE) return;
    total = array_axis_to_event(in, array_axis_to_event(in, array_axis_to_event(in, total, c->now), c->before), c->loop);
    Array a = value_array(in, total, w->at, "a chain");
    Var first = op_slice(in->tape, op_chain(in->tape, a.var), a.naxes, 0, 1, 1);
    Shape s = first.value->shape;
    s.dim[a.naxes] = s.dim[a.naxes + 1];
    s.rank--;
    Value message = value_var(in, op_reshape(in->tape, first, s), a.naxes, a.axes);
    w->out.terms += cost;
    int made = add_factor(w, array_event_to_axis(in, message, c->head, w->at));
    for (int k = 0; made >= 0 && k < w->factors[made].nvars; k++) queue_variable(w, w->factors[made].vars[k]);
}

/* Chains come last among the variables of as many plates. */
static void queue_chains(Work *w, int n, const Chain *chains) {
    for (int k = 0; k < n; k++) {
        const Chain *c = &chains[k];
        if (!c->now) refuse_chain(w, c);
        w->vars[variable_of(c->before)].chain = w->vars[variable_of(c->now)].chain = c;
        queue_push(w, (Turn){c->now->nwithin, INFINITY, variable_of(c->now), 0});
    }
}

Elimination eliminate(Interp *in, Op op, int nfactors, const Value *factors, int nvars, const Axis *const *vars,
                      int nchains, const Chain *chains, double budget, Span at) {
    Work w = {.in = in, .nvars = nvars, .budget = budget, .at = at};
    w.vars = ARENA_ARRAY(in->arena, Variable, nvars + 1);
    w.out.steps = ARENA_ARRAY(in->arena, EliminationStep, nvars + 1);
    for (int k = 0; k < nvars; k++) w.vars[k].axis = vars[k];
    for (int k = 0; k < nfactors; k++) add_factor(&w, factors[k]);
    queue_chains(&w, nchains, chains);
    for (int k = 0; k < nvars; k++) queue_variable(&w, k);
    while (w.nqueue > 0) {
        Turn t = queue_pop(&w);
        Variable *v = &w.vars[t.var];
        if (v->done || v->version != t.version) continue;
        if (v->chain)
            eliminate_chain(&w, op, v->chain);
        else
            eliminate_one(&w, op, t.var, t.cost);
    }
    return w.out;
}

/* -- Back again -- */

/* `total` at the values found for an axis: the axis is gone, the plates of the values are there. */
static Value at_values(Interp *in, Value total, const Axis *axis, Value value, Span at) {
    Value index = value;
    if (axis->first != 1) index = array_binary(in, BINARY_SUB, value, value_number((double)(axis->first - 1)), at);
    return array_index(in, array_axis_to_event(in, total, axis), 1, &index, &at, at);
}

static Value draw_index(Interp *in, Value logits, const Axis *axis, uint64_t key) {
    Array a = value_array(in, logits, SPAN_NONE, "log probabilities");
    Shape shape = a.var.value->shape;
    shape.rank = a.naxes;
    RandomSite r = {.key = key_fold(key, hash_string(axis->name)), .particle_dim = -1};
    r.index[r.n].dim = -1;
    r.index[r.n++].first = axis->order;
    for (int k = 0; k < a.naxes; k++) {
        if (a.axes[k]->kind == AXIS_PARTICLE)
            r.particle_dim = k;
        else if (r.n < MAX_INDEX)
            r.index[r.n].dim = k, r.index[r.n++].first = a.axes[k]->first;
    }
    return value_var(in, op_random(in->tape, OP_DRAW_CATEGORICAL, 1, &a.var, shape, &r), a.naxes, a.axes);
}

void eliminate_back(Interp *in, const Elimination *e, int nvars, bool best, uint64_t key, Value *values, Span at) {
    for (int k = 0; k < nvars; k++) values[k] = value_none();
    for (int s = e->nsteps - 1; s >= 0; s--) {
        const Axis *axis = e->steps[s].axis, *others[MAX_AXES];
        Value total = e->steps[s].total;
        int n = total.u.array->naxes;
        memcpy(others, total.u.array->axes, sizeof *others * (size_t)n);
        for (int k = 0; k < n; k++)
            if (others[k]->kind == AXIS_ENUM && others[k] != axis)
                total = at_values(in, total, others[k], values[others[k]->order - FIRST_ENUM_ORDER], at);
        total = array_axis_to_event(in, total, axis);
        Value index = best ? array_reduce(in, OP_ARGMAX, total, 1, at) : draw_index(in, total, axis, key);
        if (axis->first != 1) index = array_binary(in, BINARY_ADD, index, value_number((double)(axis->first - 1)), at);
        values[axis->order - FIRST_ENUM_ORDER] = index;
    }
}
