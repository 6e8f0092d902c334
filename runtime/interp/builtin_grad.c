/* Derivatives of functions of the language: grad, hessian, stop_gradient.
 *
 * The function runs on a recording tape (the one at work, or one of its own at top level) with its arguments made
 * variables; tape_grad extends the tape. Since derivatives are operations like others, this nests. */
#include <string.h>

#include "interp/builtins.h"

/* The arrays within a value (records and tuples of arrays too) in a fixed order. */
typedef struct Leaves {
    Array *arrays;
    int n, capacity;
} Leaves;

static void collect(Interp *in, Value v, Leaves *l, Span at) {
    if (v.kind == VALUE_TUPLE || v.kind == VALUE_LIST) {
        for (int k = 0; k < v.u.list->n; k++) collect(in, v.u.list->items[k], l, at);
        return;
    }
    if (v.kind == VALUE_RECORD) {
        for (int k = 0; k < v.u.record->n; k++) collect(in, v.u.record->values[k], l, at);
        return;
    }
    ARENA_GROW(in->arena, l->arrays, l->n, l->capacity, 8);
    l->arrays[l->n] = value_array(in, v, at, "what is differentiated by");
    l->arrays[l->n].boolean = false;
    l->arrays[l->n++].index_of = NULL;
}

/* A value of the same structure with other arrays. */
static Value rebuild(Interp *in, Value v, const Array **next) {
    if (v.kind == VALUE_TUPLE || v.kind == VALUE_LIST) {
        Value out = value_list(in, v.kind, v.u.list->n, v.u.list->items);
        for (int k = 0; k < v.u.list->n; k++) out.u.list->items[k] = rebuild(in, out.u.list->items[k], next);
        return out;
    }
    if (v.kind == VALUE_RECORD) {
        Value out = value_record(in, v.u.record->n, v.u.record->names, v.u.record->values);
        for (int k = 0; k < v.u.record->n; k++) out.u.record->values[k] = rebuild(in, out.u.record->values[k], next);
        return out;
    }
    return array_value(in, *(*next)++);
}

static Value rebuild_all(Interp *in, int n, const Value *args, const Array *arrays, Value *out) {
    for (int k = 0; k < n; k++) out[k] = rebuild(in, args[k], &arrays);
    return n == 1 ? out[0] : value_list(in, VALUE_TUPLE, n, out);
}

/* f of the arguments as variables: *y is its value; the leaves of `l` are the variables. Per-element derivatives need
 * the variables to have every axis of the value: if they lack some, they get them and f runs once more. */
static void run_on_variables(Interp *in, Value f, int n, const Value *args, Leaves *l, Array *y, Span at) {
    Value *variables = ARENA_ARRAY(in->arena, Value, n);
    for (int k = 0; k < n; k++) collect(in, args[k], l, at);
    for (int attempt = 0;; attempt++) {
        for (int k = 0; k < l->n; k++) l->arrays[k].var = tape_variable(in->tape, l->arrays[k].var);
        rebuild_all(in, n, args, l->arrays, variables);
        Value v = interp_call(in, f, n, variables, at);
        *y = value_array(in, v, at, "the value of a function that is differentiated");
        if (array_rank(y))
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL,
                      "only a function that gives one number can be differentiated; this gave %s",
                      value_describe(in, v));
        bool complete = true;
        for (int k = 0; k < l->n; k++) {
            Value wide = array_expand_axes(in, array_value(in, l->arrays[k]), y->naxes, y->axes);
            complete &= wide.u.array->naxes == l->arrays[k].naxes;
            if (attempt == 0) l->arrays[k] = *wide.u.array;
        }
        if (complete || attempt) return;
    }
}

static void gradients(Interp *in, const Leaves *l, Var y, Array *out) {
    Var *wrt = ARENA_ARRAY(in->arena, Var, l->n), *d = ARENA_ARRAY(in->arena, Var, l->n);
    for (int k = 0; k < l->n; k++) wrt[k] = l->arrays[k].var;
    tape_grad(in->tape, y, NULL, l->n, wrt, d);
    for (int k = 0; k < l->n; k++) {
        out[k] = l->arrays[k];
        out[k].var = d[k];
    }
}

static Value grad_here(Interp *in, const Args *args) {
    Leaves l = {0};
    Array y;
    if (args->nrest == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, args->span, "write grad(f, x)",
                  "`grad` needs the place where to differentiate");
    run_on_variables(in, args->values[0], args->nrest, args->rest, &l, &y, args->span);
    Array *d = ARENA_ARRAY(in->arena, Array, l.n);
    gradients(in, &l, y.var, d);
    return rebuild_all(in, args->nrest, args->rest, d, ARENA_ARRAY(in->arena, Value, args->nrest));
}

/* d g[i] / d x[j] for the gradient g: [x..., x...]. */
static Value hessian_here(Interp *in, const Args *args) {
    Leaves l = {0};
    Array y, g;
    if (!value_is_numeric(args->values[1]))
        builtin_fail(in, args, 1, "`hessian` differentiates at a number or an array, not at %s",
                     value_describe(in, args->values[1]));
    run_on_variables(in, args->values[0], 1, &args->values[1], &l, &y, args->span);
    gradients(in, &l, y.var, &g);
    Shape s = array_shape(&g);
    int64_t n = shape_size(s);
    Array flat = g;
    flat.var = array_reshape_event(in, &g, shape1(n));
    Value *rows = ARENA_ARRAY(in->arena, Value, n + 1);
    for (int64_t k = 0; k < n; k++) {
        Array d;
        Var one = op_slice(in->tape, flat.var, flat.naxes, k, 1, 1);
        gradients(in, &l, one, &d);
        rows[k] = array_value(in, d);
    }
    Value all = array_from_items(in, (int)n, rows, args->span);
    Array h = value_array(in, all, args->span, "");
    Shape twice = s;
    if (2 * s.rank + h.naxes > MAX_RANK)
        builtin_fail(in, args, 1, "%s has too many dimensions", value_describe(in, args->values[1]));
    for (int k = 0; k < s.rank; k++) twice.dim[twice.rank++] = s.dim[k];
    return array_like(in, &h, array_reshape_event(in, &h, twice));
}

/* -- The tape -- */

typedef struct OnTape {
    Interp *in;
    const Args *args;
    Value (*body)(Interp *in, const Args *args);
    Value out;
} OnTape;

static void run_body_on_tape(void *self) {
    OnTape *r = self;
    r->out = r->body(r->in, r->args);
}

static Value as_plain(Interp *in, Value v) {
    Leaves l = {0};
    collect(in, v, &l, SPAN_NONE);
    for (int k = 0; k < l.n; k++) l.arrays[k].var = var_constant(l.arrays[k].var.value);
    const Array *next = l.arrays;
    return rebuild(in, v, &next);
}

static Value on_tape(Interp *in, const Args *args, Value (*body)(Interp *in, const Args *args)) {
    if (in->tape->recording) return body(in, args);
    Tape *outer = in->tape;
    OnTape r = {.in = in, .args = args, .body = body};
    Error e;
    in->tape = tape_new(in->ctx, in->arena, true);
    in->tape->step = outer->step;
    in->tape->particle = outer->particle;
    memcpy(in->tape->inputs, outer->inputs, sizeof outer->inputs);
    bool done = ctx_protect(in->ctx, run_body_on_tape, &r, &e);
    in->tape = outer;
    if (!done) ctx_reraise(in->ctx, &e);
    return as_plain(in, r.out);
}

static Value call_grad(Interp *in, const Args *args) { return on_tape(in, args, grad_here); }
static Value call_hessian(Interp *in, const Args *args) { return on_tape(in, args, hessian_here); }

static Value call_stop_gradient(Interp *in, const Args *args) {
    Value v = args->values[0];
    Leaves l = {0};
    collect(in, v, &l, arg_span(args, 0));
    for (int k = 0; k < l.n; k++)
        if (var_is_taped(l.arrays[k].var)) l.arrays[k].var = op_stop_gradient(in->tape, l.arrays[k].var);
    const Array *next = l.arrays;
    return rebuild(in, v, &next);
}

const Builtin builtins_grad[] = {
    {"grad", "(f, ...)", call_grad, "gradient of f at the arguments: grad(f, x); a tuple for several", 0},
    {"hessian", "(f, x)", call_hessian, "matrix of the second derivatives of f at x", 0},
    {"stop_gradient", "(x)", call_stop_gradient, "x, as a constant to every derivative", 0},
    {0},
};
