/* What networks need beyond the language itself. */
#include "interp/builtins.h"

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

static Value call_training(Interp *in, const Args *args) {
    (void)args;
    return value_bool(in->training);
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
    {"lift", "(f, prior)", builtin_lift, "g ~ lift(f, Normal(0, 1)): the net f, its parameters as random variables", 0},
    {"_over_elements", "(x)", call_over_elements, "the mean over the elements of the innermost plate", 0},
    {"_training", "()", call_training, "is a guide or a network being trained?", 0},
    {"_scatter_rows", "(src, index, n)", call_scatter_rows, "rows added up at their indices", 0},
    {0},
};
