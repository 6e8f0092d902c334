/* Shapes, making arrays, putting them together. */
#include <math.h>
#include <string.h>

#include "interp/builtins.h"

/* -- Sizes -- */

static Value call_len(Interp *in, const Args *args) {
    Value v = args->values[0];
    switch (v.kind) {
    case VALUE_LIST:
    case VALUE_TUPLE: return value_number(v.u.list->n);
    case VALUE_RECORD: return value_number(v.u.record->n);
    case VALUE_STRING: {
        double n = 0;
        for (size_t k = 0; k < v.u.string->length; k++)
            n += (v.u.string->text[k] & 0xC0) != 0x80; /* characters, not bytes */
        return value_number(n);
    }
    case VALUE_ARRAY:
    case VALUE_RANGE: {
        Shape s = value_event_shape(in, v, arg_span(args, 0));
        if (s.rank) return value_number((double)s.dim[0]);
    } /* fall through */
    default: builtin_fail(in, args, 0, "%s has no length", value_describe(in, v));
    }
}

static Value one_size(Interp *in, const Args *args, int dim, const char *what) {
    Shape s = value_event_shape(in, args->values[0], arg_span(args, 0));
    if (s.rank <= dim) builtin_fail(in, args, 0, "%s has no %s", value_describe(in, args->values[0]), what);
    return value_number((double)s.dim[dim]);
}

static Value call_nrow(Interp *in, const Args *args) { return one_size(in, args, 0, "rows"); }
static Value call_ncol(Interp *in, const Args *args) { return one_size(in, args, 1, "columns"); }

static Value call_shape(Interp *in, const Args *args) {
    return shape_value(in, value_event_shape(in, args->values[0], arg_span(args, 0)));
}

static Value call_size(Interp *in, const Args *args) {
    return value_number((double)shape_size(value_event_shape(in, args->values[0], arg_span(args, 0))));
}

/* -- Making -- */

static Value filled(Interp *in, const Args *args, real x) {
    Shape s = shape_of_values(in, args->nrest, args->rest, args->span, NULL);
    Tensor *one = tensor_scalar(in->ctx, in->arena, x);
    return value_tensor(in, s.rank ? tensor_view_expand(in->arena, one, s) : one);
}

static Value call_zeros(Interp *in, const Args *args) { return filled(in, args, 0); }
static Value call_ones(Interp *in, const Args *args) { return filled(in, args, 1); }

static Value call_full(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what an array is filled with");
    if (array_rank(&x))
        builtin_fail(in, args, 0, "an array is filled with one number, not %s", value_describe(in, args->values[0]));
    Shape s = shape_of_values(in, args->nrest, args->rest, args->span, NULL);
    bool boolean = x.boolean;
    x.var = array_expand_event(in, &x, s);
    x.index_of = NULL;
    x.boolean = boolean;
    return array_value(in, x);
}

static Value call_eye(Interp *in, const Args *args) {
    int64_t n = arg_int(in, args, 0, 0, "the size of `eye`");
    if (n < 0) builtin_fail(in, args, 0, "a size must not be negative: %lld", (long long)n);
    Tensor *t = tensor_zeros(in->ctx, in->arena, shape2(n, n));
    for (int64_t k = 0; k < n; k++) t->data[k * n + k] = 1;
    return value_tensor(in, t);
}

static Value call_seq(Interp *in, const Args *args) {
    double first = value_to_number(in, args->values[0], arg_span(args, 0), "the first number");
    double last = value_to_number(in, args->values[1], arg_span(args, 1), "the last number");
    double step = arg_given(args, 2) ? value_to_number(in, args->values[2], arg_span(args, 2), "the step") : 1;
    double steps = (last - first) / step;
    if (step == 0 || !isfinite(steps))
        builtin_fail(in, args, 2, "no steps of %g lead from %g to %g", step, first, last);
    int64_t n = steps < 0 ? 0 : (int64_t)floor(steps * (1 + 1e-15) + 1e-12) + 1;
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(n));
    for (int64_t k = 0; k < n; k++) t->data[k] = first + (double)k * step;
    return value_tensor(in, t);
}

static Value call_linspace(Interp *in, const Args *args) {
    double first = value_to_number(in, args->values[0], arg_span(args, 0), "the first number");
    double last = value_to_number(in, args->values[1], arg_span(args, 1), "the last number");
    int64_t n = arg_int(in, args, 2, 0, "the number of points");
    if (n < 1) builtin_fail(in, args, 2, "the number of points must be at least 1, not %lld", (long long)n);
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(n));
    for (int64_t k = 0; k < n; k++)
        t->data[k] = k == n - 1 && n > 1 ? last : first + (last - first) * (double)k / (double)(n > 1 ? n - 1 : 1);
    return value_tensor(in, t);
}

static Value call_one_hot(Interp *in, const Args *args) {
    Array k = arg_array(in, args, 0, "the category");
    int64_t size = arg_int(in, args, 1, 0, "the number of categories");
    if (size < 1) builtin_fail(in, args, 1, "the number of categories must be at least 1, not %lld", (long long)size);
    Shape s = array_shape(&k);
    if (s.rank == MAX_RANK - k.naxes) builtin_fail(in, args, 0, "arrays have at most %d dimensions", MAX_RANK);
    s.dim[s.rank++] = 1;
    k.var = array_reshape_event(in, &k, s);
    k.index_of = NULL;
    Value range = {VALUE_RANGE, .u.range = arena_copy(in->arena, &(Range){1, size}, sizeof(Range))};
    Value column = (Value){VALUE_ARRAY, .u.array = &k},
          hot = array_apply(in, OP_EQ, 2, (Value[]){column, range}, args->span);
    Array out = value_array(in, hot, args->span, "");
    return array_like(in, &out, out.var);
}

/* -- Rearranging -- */

static Value same_kind(Interp *in, const Array *x, Var v) {
    Array out = *x;
    out.var = v;
    out.index_of = NULL;
    return array_value(in, out);
}

static Value call_reshape(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is reshaped");
    int wild;
    Shape s = shape_of_values(in, args->nrest, args->rest, args->span, &wild), now = array_shape(&x);
    int64_t have = shape_size(now), rest = shape_size(s);
    if (wild >= 0 && rest > 0 && have % rest == 0) s.dim[wild] = have / rest;
    if (shape_size(s) != have)
        ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "an array of shape %s has %lld elements, shape %s %lld",
                  shape_text(in->arena, now), (long long)have, shape_text(in->arena, s), (long long)shape_size(s));
    return same_kind(in, &x, array_reshape_event(in, &x, s));
}

static Value call_flatten(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is flattened");
    return same_kind(in, &x, array_reshape_event(in, &x, shape1(shape_size(array_shape(&x)))));
}

static Value call_transpose(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is transposed");
    if (array_rank(&x) < 2)
        builtin_fail(in, args, 0, "a matrix is needed here, not %s", value_describe(in, args->values[0]));
    return same_kind(in, &x, op_transpose(in->tape, x.var));
}

static Value call_permute(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is permuted");
    Shape order = shape_of_values(in, args->nrest, args->rest, args->span, NULL);
    int rank = array_rank(&x), perm[MAX_RANK];
    uint32_t seen = 0;
    for (int k = 0; k < x.naxes; k++) perm[k] = k;
    for (int k = 0; k < order.rank; k++) {
        if (order.dim[k] >= 1 && order.dim[k] <= rank) seen |= 1u << (order.dim[k] - 1);
        perm[x.naxes + k] = x.naxes + (int)order.dim[k] - 1;
    }
    if (order.rank != rank || seen != (1u << rank) - 1)
        ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL,
                  "each of the dimensions 1..%d of shape %s must be named once", rank,
                  shape_text(in->arena, array_shape(&x)));
    return same_kind(in, &x, array_permute(in, x.var, perm));
}

/* -- Putting together -- */

/* The arguments by position, and `dim` where it is named. */
static int take_dim(Interp *in, const Args *args, Value *items, Value *dim, const char *name) {
    int n = 0;
    *dim = value_none();
    for (int k = 0; k < args->nrest; k++) {
        const char *named = args->rest_names[k];
        if (!named)
            items[n++] = args->rest[k];
        else if (strcmp(named, "dim") == 0)
            *dim = args->rest[k];
        else
            ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "`%s` has no argument `%s`", name, named);
    }
    if (n == 0) ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "`%s` needs something to put together", name);
    return n;
}

static Value concat_lists(Interp *in, int n, const Value *items, Span at) {
    int total = 0;
    for (int k = 0; k < n; k++) {
        if (items[k].kind == VALUE_LIST || items[k].kind == VALUE_TUPLE)
            total += items[k].u.list->n;
        else if (value_is_numeric(items[k]) && value_event_shape(in, items[k], at).rank)
            total += (int)value_event_shape(in, items[k], at).dim[0];
        else
            total++;
    }
    Value *all = ARENA_ARRAY(in->arena, Value, total + 1);
    int to = 0;
    for (int k = 0; k < n; k++) {
        bool list = items[k].kind == VALUE_LIST || items[k].kind == VALUE_TUPLE;
        bool array = value_is_numeric(items[k]) && value_event_shape(in, items[k], at).rank;
        int count = list ? items[k].u.list->n : array ? (int)value_event_shape(in, items[k], at).dim[0] : 1;
        for (int i = 0; i < count; i++) {
            Value index = value_number(i + 1);
            all[to++] = list    ? items[k].u.list->items[i]
                        : array ? array_index(in, items[k], 1, &index, NULL, at)
                                : items[k];
        }
    }
    return array_from_items(in, total, all, at);
}

static Value call_concat(Interp *in, const Args *args) {
    Value *items = ARENA_ARRAY(in->arena, Value, args->nrest + 1), dim_value;
    int n = take_dim(in, args, items, &dim_value, "concat"), rank = 1;
    bool lists = false;
    for (int k = 0; k < n; k++) lists |= !value_is_numeric(items[k]);
    if (lists) return concat_lists(in, n, items, args->span);
    Array *parts = ARENA_ARRAY(in->arena, Array, n), out = {.boolean = true};
    for (int k = 0; k < n; k++) {
        parts[k] = value_array(in, items[k], args->span, "what is put together");
        if (array_rank(&parts[k]) > rank) rank = array_rank(&parts[k]);
        out.boolean &= parts[k].boolean;
        out.missing |= parts[k].missing;
    }
    for (int k = 0; k < n; k++) /* single numbers among vectors are vectors of one */
        if (array_rank(&parts[k]) == 0 && rank == 1) parts[k].var = array_reshape_event(in, &parts[k], shape1(1));
    const Array *widest = &parts[0];
    for (int k = 0; k < n; k++)
        if (array_rank(&parts[k]) == rank) widest = &parts[k];
    int dim = dim_value.kind == VALUE_NONE ? rank - 1 : dim_of(in, widest, dim_value, args->span);
    Shape first = array_shape(&parts[0]);
    for (int k = 1; k < n; k++) {
        Shape s = array_shape(&parts[k]), expected = first;
        if (s.rank == expected.rank && dim < s.rank) expected.dim[dim] = s.dim[dim];
        if (!shape_equal(s, expected))
            ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL,
                      "shapes %s and %s do not agree in `concat` along dimension %d", shape_text(in->arena, first),
                      shape_text(in->arena, s), dim + 1);
    }
    Var *vars = ARENA_ARRAY(in->arena, Var, n);
    out.naxes = array_align(in, n, parts, true, vars, out.axes);
    out.var = op_concat(in->tape, n, vars, out.naxes + dim);
    return array_value(in, out);
}

static Value call_stack(Interp *in, const Args *args) {
    Value *items = ARENA_ARRAY(in->arena, Value, args->nrest + 1), dim_value;
    int n = take_dim(in, args, items, &dim_value, "stack");
    for (int k = 0; k < n; k++) {
        Array a = value_array(in, items[k], args->span, "what is stacked"),
              first = value_array(in, items[0], args->span, "what is stacked");
        if (!shape_equal(array_shape(&a), array_shape(&first)))
            ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "shapes %s and %s do not agree in `stack`",
                      shape_text(in->arena, array_shape(&first)), shape_text(in->arena, array_shape(&a)));
    }
    Value stacked = array_from_items(in, n, items, args->span);
    if (dim_value.kind == VALUE_NONE) return stacked;
    Array x = value_array(in, stacked, args->span, "what is stacked");
    int to = dim_of(in, &x, dim_value, args->span), perm[MAX_RANK];
    for (int k = 0; k < x.var.value->shape.rank; k++) perm[k] = k;
    for (int k = 0; k < to; k++) perm[x.naxes + k] = x.naxes + k + 1;
    perm[x.naxes + to] = x.naxes;
    return same_kind(in, &x, array_permute(in, x.var, perm));
}

const Builtin builtins_array[] = {
    {"len", "(x)", call_len, "length: of the first dimension, of a list, of a string in characters", 0},
    {"nrow", "(x)", call_nrow, "size of the first dimension", 0},
    {"ncol", "(x)", call_ncol, "size of the second dimension", 0},
    {"shape", "(x)", call_shape, "sizes of the dimensions, as a vector", 0},
    {"size", "(x)", call_size, "number of elements", 0},
    {"zeros", "(...)", call_zeros, "array of zeros: zeros(3), zeros(2, 3), zeros(shape(x))", 0},
    {"ones", "(...)", call_ones, "array of ones", 0},
    {"full", "(x, ...)", call_full, "array filled with one number: full(0.5, 2, 3)", 0},
    {"eye", "(n)", call_eye, "identity matrix", 0},
    {"seq", "(first, last, step = )", call_seq,
     "first, first + step, ... up to last, which is included where it is met", 0},
    {"linspace", "(first, last, n)", call_linspace, "n evenly spaced numbers, both ends included", 0},
    {"one_hot", "(k, n)", call_one_hot, "vector of n with 1 at place k and 0 elsewhere", 0},
    {"reshape", "(x, ...)", call_reshape, "the same elements, row by row, in another shape; one size may be -1", 0},
    {"flatten", "(x)", call_flatten, "all elements as a vector, row by row", 0},
    {"transpose", "(x)", call_transpose, "the last two dimensions exchanged", 0},
    {"t", "(x)", call_transpose, "the last two dimensions exchanged", 0},
    {"permute", "(x, ...)", call_permute, "dimensions in another order: permute(x, 2, 3, 1)", 0},
    {"concat", "(...)", call_concat, "arrays one after the other along the last dimension, or `dim`; also lists", 0},
    {"stack", "(...)", call_stack, "arrays of one shape along a new first dimension, or `dim`", 0},
    {0},
};
