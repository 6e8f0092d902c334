#include "infer/refine.h"

#include <string.h>

#include "infer/builtins.h"
#include "infer/pair.h"
#include "interp/array.h"
#include "interp/internal.h"

/* The numbers of a refined value, in order: an array, or those of a record's or tuple's fields. */
typedef struct Leaves {
    Array *list;
    int n, capacity;
} Leaves;

static void add_leaf(Interp *in, Leaves *l, Array a) {
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 8;
        Array *more = ARENA_ARRAY(in->arena, Array, l->capacity);
        if (l->n) memcpy(more, l->list, sizeof *more * (size_t)l->n);
        l->list = more;
    }
    l->list[l->n++] = a;
}

/* v with its numbers one after the other replaced by those of `with` (or, where that is NULL, collected in `out`). */
static Value walk(Interp *in, Value v, Leaves *out, const Array **with, Span at) {
    if (v.kind == VALUE_RECORD) {
        Value *values = ARENA_ARRAY(in->arena, Value, v.u.record->n + 1);
        for (int k = 0; k < v.u.record->n; k++) values[k] = walk(in, v.u.record->values[k], out, with, at);
        return value_record(in, v.u.record->n, v.u.record->names, values);
    }
    if (v.kind == VALUE_TUPLE) {
        Value *values = ARENA_ARRAY(in->arena, Value, v.u.list->n + 1);
        for (int k = 0; k < v.u.list->n; k++) values[k] = walk(in, v.u.list->items[k], out, with, at);
        return value_list(in, VALUE_TUPLE, v.u.list->n, values);
    }
    if (!value_is_numeric(v))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "numbers, arrays, and records or tuples of them can be refined",
                  "`refine` changes variational parameters; this is %s", value_describe(in, v));
    if (out) add_leaf(in, out, value_array(in, v, at, "a refined value"));
    if (!with) return v;
    const Array *a = (*with)++;
    return (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, a, sizeof *a)}; /* boxed: it has an identity */
}

/* -- A step -- */

typedef struct RefineStep {
    const Stmt *stmt;
    int n;
    Value *values, *gradients; /* by target, of the same form */
    const struct RefineStep *outer;
} RefineStep;

/* The gradient at the same place as `v` in `values`, where v is that very value. */
static Value find(Value v, Value values, Value gradients) {
    if (v.kind == values.kind && memcmp(&v.u, &values.u, sizeof v.u) == 0) return gradients;
    if (values.kind == VALUE_RECORD)
        for (int k = 0; k < values.u.record->n; k++) {
            Value g = find(v, values.u.record->values[k], gradients.u.record->values[k]);
            if (g.kind != VALUE_NONE) return g;
        }
    if (values.kind == VALUE_TUPLE)
        for (int k = 0; k < values.u.list->n; k++) {
            Value g = find(v, values.u.list->items[k], gradients.u.list->items[k]);
            if (g.kind != VALUE_NONE) return g;
        }
    return value_none();
}

Value refine_gradient(Interp *in, Value v, Span at) {
    const RefineStep *s = in->refining;
    if (!s) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "gradient(v) is for the body of `refine v`");
    for (int k = 0; k < s->n; k++) {
        Value g = find(v, s->values[k], s->gradients[k]);
        if (g.kind != VALUE_NONE) return g;
    }
    ctx_raise(in->ctx, ERROR_PROGRAM, at, "take it before the body changes the variable",
              "gradient(v) wants a refined variable (or a field of one) as it is when the step begins; this is %s",
              value_describe(in, v));
}

static void add_elbo(RefineElbos *e, Interp *in, Var v) {
    if (e->n == e->capacity) {
        e->capacity = e->capacity ? 2 * e->capacity : 8;
        Var *more = ARENA_ARRAY(in->arena, Var, e->capacity);
        if (e->n) memcpy(more, e->list, sizeof *more * (size_t)e->n);
        e->list = more;
    }
    e->list[e->n++] = v;
}

/* Batches count as whole plates in the loss, as single elements in gradient(v). */
static double batch_scale(const Interp *in) {
    double scale = 1;
    for (int k = 0; k < in->nplates; k++)
        if (axis_is_subset(in->plates[k])) scale *= (double)in->plates[k]->population / (double)in->plates[k]->size;
    return scale;
}

static Value detached(Interp *in, Var v, const Array *like) {
    Array a = *like;
    a.var = var_is_taped(v) ? op_stop_gradient(in->tape, v) : v;
    return (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &a, sizeof a)};
}

/* The ELBO at the targets' values, and its gradient with respect to them. */
typedef struct Look {
    Pass *p;
    Interp *in;
    RefineStep *step;
    uint64_t number;
    bool apart; /* the tape at work does not record: derivatives need one of their own, and memory for one pass */
    Leaves leaves;
    Var elbo, *gradient; /* by leaf */
} Look;

static void look_at(void *self) {
    Look *l = self;
    Interp *in = l->in;
    Var *at = ARENA_ARRAY(in->arena, Var, l->leaves.n + 1);
    Array *held = arena_copy(in->arena, l->leaves.list, sizeof(Array) * (size_t)(l->leaves.n + 1));
    for (int k = 0; k < l->leaves.n; k++) {
        Var v = held[k].var;
        bool learned = var_is_taped(v) && !l->apart; /* the loss differentiates through it */
        at[k] = held[k].var = learned ? op1(in->tape, OP_COPY, v) : tape_variable(in->tape, var_constant(v.value));
    }
    Value *given = ARENA_ARRAY(in->arena, Value, l->step->n + 1);
    const Array *next = held;
    for (int k = 0; k < l->step->n; k++) given[k] = walk(in, l->step->values[k], NULL, &next, l->step->stmt->span);
    Pass nested;
    in->ctx->seed = key_fold(key_fold(in->ctx->seed, hash_string("refine")), l->number);
    pass_run_nested(&nested, l->p, in, (Given){l->step->stmt, given}, !l->apart);
    l->elbo = pass_elbo(&nested, in, 1);
    tape_grad(in->tape, op_sum_all(in->tape, l->elbo), NULL, l->leaves.n, at, l->gradient);
}

static void look_apart(Look *l) {
    Interp *in = l->in;
    Arena *arena = in->arena, *work = ctx_arena(in->ctx);
    Tape *outer = in->tape;
    in->arena = work;
    in->tape = tape_new(in->ctx, work, true);
    memcpy(in->tape->inputs, outer->inputs, sizeof outer->inputs);
    in->tape->step = outer->step, in->tape->particle = outer->particle;
    scope_protect(in, look_at, l, work);
    in->arena = arena, in->tape = outer;
    l->elbo = var_constant(tensor_keep(in->ctx, arena, l->elbo.value));
    for (int k = 0; k < l->leaves.n; k++)
        l->gradient[k] = var_constant(tensor_keep(in->ctx, arena, l->gradient[k].value));
    arena_free(work);
}

static void look(Pass *p, Interp *in, RefineStep *step, uint64_t number) {
    Look l = {.p = p, .in = in, .step = step, .number = number, .apart = !in->tape->recording};
    for (int k = 0; k < step->n; k++) walk(in, step->values[k], &l.leaves, NULL, step->stmt->span);
    l.gradient = ARENA_ARRAY(in->arena, Var, l.leaves.n + 1);
    Scope saved;
    scope_save(in, &saved);
    if (l.apart)
        look_apart(&l);
    else
        scope_protect(in, look_at, &l, NULL);
    scope_leave(in, &saved);
    double scale = batch_scale(in);
    if (scale != 1) l.elbo = op2(in->tape, OP_MUL, l.elbo, var_number(in->tape, scale));
    add_elbo(&p->elbos, in, l.elbo);
    Array *gradients = l.leaves.list;
    for (int k = 0; k < l.leaves.n; k++)
        gradients[k].var = var_is_taped(l.gradient[k]) ? op_stop_gradient(in->tape, l.gradient[k]) : l.gradient[k];
    const Array *next = gradients;
    for (int k = 0; k < step->n; k++) step->gradients[k] = walk(in, step->values[k], NULL, &next, step->stmt->span);
}

/* From the program's values to the step's: with the axes of all plates at work, each element its own. */
static Value with_axes(Interp *in, Value v, Span at) {
    Leaves l = {0};
    walk(in, v, &l, NULL, at);
    for (int k = 0; k < l.n; k++) {
        Value one = array_value(in, l.list[k]);
        if (in->nplates) one = array_expand_axes(in, one, in->nplates, in->plates);
        l.list[k] = value_array(in, one, at, "a refined value");
    }
    const Array *next = l.list;
    return walk(in, v, NULL, &next, at);
}

static Value constant(Interp *in, Value v, Span at) {
    Leaves l = {0};
    walk(in, v, &l, NULL, at);
    for (int k = 0; k < l.n; k++) l.list[k] = *detached(in, l.list[k].var, &l.list[k]).u.array;
    const Array *next = l.list;
    return walk(in, v, NULL, &next, at);
}

void refine_run(Pass *p, Interp *in, Frame *f, const Stmt *s) {
    int n = s->u.refine.ntargets;
    if (p->given.stmt == s) {
        for (int k = 0; k < n; k++) refine_assign(in, f, &s->u.refine.targets[k], p->given.values[k]);
        return;
    }
    Value over = eval(in, f, s->u.refine.over);
    if (over.kind != VALUE_RANGE)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->u.refine.over->span, "write refine v for t in 1..K",
                  "the steps of `refine` are a range; this is %s", value_describe(in, over));
    int64_t first = over.u.range->first, last = over.u.range->last;
    if (p->pair->refine_steps) last = first + p->pair->refine_steps - 1;
    RefineStep step = {.stmt = s,
                       .n = n,
                       .values = ARENA_ARRAY(in->arena, Value, n + 1),
                       .gradients = ARENA_ARRAY(in->arena, Value, n + 1),
                       .outer = in->refining};
    for (int64_t t = first; t <= last; t++) {
        for (int k = 0; k < n; k++) {
            const Target *target = &s->u.refine.targets[k];
            step.values[k] = with_axes(in, refine_target(in, f, target), target->span);
        }
        look(p, in, &step, (uint64_t)(t - first));
        for (int k = 0; k < n; k++) {
            step.values[k] = constant(in, step.values[k], s->span);
            refine_assign(in, f, &s->u.refine.targets[k], step.values[k]);
        }
        in->refining = &step;
        refine_body(in, f, s, t);
        in->refining = (struct RefineStep *)step.outer;
    }
}

static Value call_gradient(Interp *in, const Args *a) { return refine_gradient(in, a->values[0], a->span); }

const Builtin builtins_refine[] = {
    {"gradient", "(v)", call_gradient, "in the body of `refine v`: the gradient of this element's ELBO with respect to v", 0},
    {0},
};
