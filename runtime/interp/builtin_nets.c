/* What networks need beyond the language itself. */
#include <math.h>

#include "interp/builtins.h"
#include "interp/effects.h"

/* f() under "path.layer_k": the nets it calls have parameters of their own for each k, also in a loop. */
static Value call_layer(Interp *in, const Args *args) {
    int64_t k = arg_int(in, args, 0, 0, "the number of a layer");
    Value f = args->values[1];
    if (f.kind != VALUE_FUNCTION || f.u.closure->function->nparams != 0)
        builtin_fail(in, args, 1, "a function without arguments is needed here, layer(k, () -> dense(x, 20)), not %s",
                     value_describe(in, f));
    Closure *c = arena_copy(in->arena, f.u.closure, sizeof *c);
    c->param_path = arena_printf(in->arena, "%s%slayer_%lld", c->param_path ? c->param_path : "",
                                 c->param_path ? "." : "", (long long)k);
    f.u.closure = c;
    return interp_call(in, f, 0, NULL, args->span);
}

/* Of the batch at work, where the plate runs in batches. Without a plate: x itself. */
static Value call_over_elements(Interp *in, const Args *args) {
    Array a = value_array(in, args->values[0], args->spans[0], "the argument");
    const Axis *axis = NULL;
    for (int k = 0; k < a.naxes; k++)
        if (a.axes[k]->kind == AXIS_PLATE) axis = a.axes[k];
    if (!axis) return args->values[0];
    Value sum = array_reduce_axis(in, OP_SUM, args->values[0], axis, args->span);
    return array_binary(in, BINARY_DIV, sum, value_number((double)axis->size), args->span);
}

/* -- Statistics of the elements of plates, for batch_norm -- */

/* Elements that run one by one do not know each other. */
static void need_elements(Interp *in, int rank, Span at) {
    bool any = rank > 1, apart = false;
    for (int k = 0; k < in->nplates; k++) any |= in->plates[k]->kind == AXIS_PLATE;
    for (const CtxPlace *p = in->ctx->place; p; p = p->outer) apart |= p->element != NULL;
    if (!any || apart)
        ctx_raise(in->ctx, ERROR_PROGRAM, at,
                  apart ? "layer_norm() needs one element only"
                        : "call the net inside a plate; layer_norm() needs one element only",
                  "the mean over the elements of a plate is needed here, and %s",
                  apart ? "the plate can only run element by element" : "no plate is at work");
}

/* The mean over the plates and the dimensions before the last: [features], particles apart. *n: of how many. */
static Value mean_of_elements(Interp *in, Value v, double *n, Span at) {
    *n = 1;
    for (;;) {
        Array a = value_array(in, v, at, "the argument");
        int k = a.naxes - 1;
        while (k >= 0 && a.axes[k]->kind != AXIS_PLATE) k--;
        if (k < 0 && array_rank(&a) < 2) return v;
        double size = (double)(k < 0 ? array_shape(&a).dim[0] : a.axes[k]->size);
        Value sum = k < 0 ? array_reduce(in, OP_SUM, v, 1, at) : array_reduce_axis(in, OP_SUM, v, a.axes[k], at);
        v = array_binary(in, BINARY_DIV, sum, value_number(size), at);
        *n *= size;
    }
}

/* In training the mean of f() over the elements, which the parameter `name` follows; else that parameter. A single
 * element (the rest of an epoch, say) has no variance: it takes the running average too. */
static Value call_running_mean(Interp *in, const Args *args) {
    Closure *f = args->values[1].u.closure;
    ParamSite p = {.name = value_to_string(in, args->values[0], args->spans[0], "a name"),
                   .kind = TYPE_REAL,
                   .low = -INFINITY,
                   .high = INFINITY,
                   .init = args->values[2],
                   .shape = value_event_shape(in, args->values[2], args->spans[2]),
                   .share = value_to_number(in, args->values[3], args->spans[3], "the share of the way"),
                   .now = value_none(),
                   .value = value_none(),
                   .span = args->span};
    if (!(p.share > 0 && p.share <= 1))
        builtin_fail(in, args, 3, "a running average moves by a share above 0 and at most 1, not %g", p.share);
    if (f->param_path) p.name = arena_printf(in->arena, "%s.%s", f->param_path, p.name);
    if (in->training) {
        double n;
        Value x = interp_call(in, args->values[1], 0, NULL, args->span);
        need_elements(in, value_event_shape(in, x, args->span).rank, args->span);
        Value mean = mean_of_elements(in, x, &n, args->span);
        if (n > 1) p.now = mean;
    }
    effect_param(in, in->handler, &p);
    return p.now.kind == VALUE_NONE ? p.value : p.now;
}

static Value call_training(Interp *in, const Args *args) {
    (void)args;
    return value_bool(in->training == TRAINING_STEPS);
}

/* src [m, e...] added up at index [m] (1..n) -> [n, e...]. */
static Value call_scatter_rows(Interp *in, const Args *args) {
    Array src = arg_array(in, args, 0, "what is added up"), index = arg_array(in, args, 1, "the rows"), out = src;
    int64_t n = arg_int(in, args, 2, 0, "the number of rows");
    int axes = src.naxes, perm[MAX_RANK], back[MAX_RANK], rank = src.var.value->shape.rank;
    for (int k = 0; k < rank; k++) {
        perm[k] = k == 0 ? axes : k <= axes ? k - 1 : k; /* rows first: one index serves all elements */
        back[perm[k]] = k;
    }
    Var sum = op_scatter_add(in->tape, array_permute(in, src.var, perm), index.var, 0, n);
    out.var = array_permute(in, sum, back);
    return array_value(in, out);
}

const Builtin builtins_nets[] = {
    {"layer", "(k, f)", call_layer, "f(), with parameters of its own for each k: layer(k, () -> dense(x, 20))", 0},
    {"lift", "(f, prior)", builtin_lift,
     "g ~ lift(f, Normal(0, 1)): the net f, its parameters as random variables from `prior` (Neal 1996)", 0},
    {"_over_elements", "(x)", call_over_elements, "the mean over the elements of the innermost plate", 0},
    {"_running_mean", "(name, f, start, share)", call_running_mean,
     "the mean of f() over the elements of the plates at work; outside training a running average of it", 0},
    {"_training", "()", call_training, "is a guide or a network being trained?", 0},
    {"_scatter_rows", "(src, index, n)", call_scatter_rows, "rows added up at their indices", 0},
    {0},
};
