/* Reductions, statistics, running sums. */
#include <math.h>
#include <string.h>

#include "interp/builtins.h"
#include "interp/effects.h"

/* -- Reductions over event dimensions -- */

/* The array and the dimensions that a call (x, dim = , keep = ) asks to reduce. */
typedef struct Reduction {
    Array x;
    uint32_t mask;
    bool keep;
    double count; /* elements that become one */
} Reduction;

static Reduction reduction_of(Interp *in, const Args *args) {
    Reduction r = {.x = arg_array(in, args, 0, "what is reduced")};
    r.mask = dims_of(in, &r.x, args->n > 1 ? args->values[1] : value_none(), arg_span(args, 1));
    r.keep = arg_bool(in, args, 2, false, "`keep`");
    r.count = 1;
    Shape s = array_shape(&r.x);
    for (int k = 0; k < s.rank; k++)
        if (r.mask >> k & 1) r.count *= (double)s.dim[k];
    return r;
}

static Value reduced(Interp *in, const Reduction *r, Op op) {
    return array_like(in, &r->x, array_reduce_dims(in, op, &r->x, r->mask, r->keep));
}

static Value call_sum(Interp *in, const Args *args) {
    if (args->values[0].kind == VALUE_NUMBER && !arg_given(args, 1)) return value_number(args->values[0].u.number);
    Reduction r = reduction_of(in, args);
    return reduced(in, &r, OP_SUM);
}

static Value call_prod(Interp *in, const Args *args) {
    Reduction r = reduction_of(in, args);
    return reduced(in, &r, OP_PROD);
}

static Value call_logsumexp(Interp *in, const Args *args) {
    Reduction r = reduction_of(in, args);
    return reduced(in, &r, OP_LOGSUMEXP);
}

static Value mean_of(Interp *in, const Reduction *r, Span at) {
    return array_binary(in, BINARY_DIV, reduced(in, r, OP_SUM), value_number(r->count), at);
}

/* mean(d) and the like: a member of the distribution d. */
static bool ask_dist(Interp *in, const Args *args, const char *member, Value *out) {
    if (args->values[0].kind != VALUE_DIST) return false;
    *out = dist_member(in, args->values[0].u.dist, member, 0, NULL, args->span);
    return true;
}

static Value call_mean(Interp *in, const Args *args) {
    Value v;
    if (ask_dist(in, args, "mean", &v)) return v;
    Reduction r = reduction_of(in, args);
    return mean_of(in, &r, args->span);
}

/* Two passes: sum (x - mean)^2 / (n - 1). One element gives nan. */
static Value variance_of(Interp *in, Reduction r, Span at) {
    bool keep = r.keep;
    r.keep = true;
    Value x = array_value(in, r.x), centred = array_binary(in, BINARY_SUB, x, mean_of(in, &r, at), at);
    r.x = value_array(in, array_apply(in, OP_SQUARE, 1, &centred, at), at, "squares");
    r.keep = keep;
    return array_binary(in, BINARY_DIV, reduced(in, &r, OP_SUM), value_number(r.count - 1), at);
}

static Value call_var(Interp *in, const Args *args) {
    Value v;
    if (ask_dist(in, args, "variance", &v)) return v;
    return variance_of(in, reduction_of(in, args), args->span);
}

static Value call_sd(Interp *in, const Args *args) {
    Value v;
    if (!ask_dist(in, args, "variance", &v)) v = variance_of(in, reduction_of(in, args), args->span);
    return array_apply(in, OP_SQRT, 1, &v, args->span);
}

static Value call_all(Interp *in, const Args *args) {
    Reduction r = reduction_of(in, args);
    Value truth = array_apply(in, OP_NE, 2, (Value[]){array_value(in, r.x), value_number(0)}, args->span);
    r.x = value_array(in, truth, args->span, "the conditions");
    Value product = r.count == 0 ? value_number(1) : reduced(in, &r, OP_REDUCE_MIN);
    return array_apply(in, OP_NE, 2, (Value[]){product, value_number(0)}, args->span);
}

static Value call_any(Interp *in, const Args *args) {
    Reduction r = reduction_of(in, args);
    Value truth = array_apply(in, OP_NE, 2, (Value[]){array_value(in, r.x), value_number(0)}, args->span);
    r.x = value_array(in, truth, args->span, "the conditions");
    Value most = r.count == 0 ? value_number(0) : reduced(in, &r, OP_REDUCE_MAX);
    return array_apply(in, OP_NE, 2, (Value[]){most, value_number(0)}, args->span);
}

static Value call_count(Interp *in, const Args *args) {
    Reduction r = reduction_of(in, args);
    Value truth = array_apply(in, OP_NE, 2, (Value[]){array_value(in, r.x), value_number(0)}, args->span);
    r.x = value_array(in, truth, args->span, "the conditions");
    return reduced(in, &r, OP_SUM);
}

/* min(x), min(x, dim = 1): the smallest element. min(a, b, ...): elementwise. */
static Value extreme(Interp *in, const Args *args, Op reduce, Op pair, const char *name) {
    Value dim = value_none(), out = args->values[0];
    bool elementwise = false;
    for (int k = 0; k < args->nrest; k++) {
        const char *named = args->rest_names[k];
        if (named && strcmp(named, "dim") == 0)
            dim = args->rest[k];
        else if (named)
            ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "`%s` has no argument `%s`", name, named);
        else
            elementwise = true;
    }
    if (elementwise && dim.kind != VALUE_NONE)
        ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "`%s` of several values is elementwise: `dim` is for one",
                  name);
    for (int k = 0; elementwise && k < args->nrest; k++)
        out = array_apply(in, pair, 2, (Value[]){out, args->rest[k]}, args->span);
    if (elementwise) return out;
    Array x = arg_array(in, args, 0, "what is reduced");
    uint32_t mask = dims_of(in, &x, dim, args->span);
    if (shape_size(array_shape(&x)) == 0) builtin_fail(in, args, 0, "`%s` of an empty array", name);
    return array_like(in, &x, array_reduce_dims(in, reduce, &x, mask, false));
}

static Value call_min(Interp *in, const Args *args) { return extreme(in, args, OP_REDUCE_MIN, OP_MIN, "min"); }
static Value call_max(Interp *in, const Args *args) { return extreme(in, args, OP_REDUCE_MAX, OP_MAX, "max"); }

static Value arg_extreme(Interp *in, const Args *args, bool smallest) {
    Array x = arg_array(in, args, 0, "what is searched");
    if (shape_size(array_shape(&x)) == 0)
        builtin_fail(in, args, 0, "an empty array has no %s element", smallest ? "smallest" : "largest");
    int dim = arg_given(args, 1) ? dim_of(in, &x, args->values[1], arg_span(args, 1)) + 1 : 0;
    Value v = array_value(in, x);
    if (smallest) v = array_apply(in, OP_NEG, 1, &v, args->span);
    return array_reduce(in, OP_ARGMAX, v, dim, args->span);
}

static Value call_argmax(Interp *in, const Args *args) { return arg_extreme(in, args, false); }
static Value call_argmin(Interp *in, const Args *args) { return arg_extreme(in, args, true); }

/* -- Along one dimension -- */

/* The dimension a call (x, dim = ) names, the last one where it does not. */
static int along(Interp *in, const Args *args, const Array *x) {
    if (array_rank(x) == 0)
        builtin_fail(in, args, 0, "an array is needed here, not %s", value_describe(in, args->values[0]));
    return arg_given(args, 1) ? dim_of(in, x, args->values[1], arg_span(args, 1)) : array_rank(x) - 1;
}

static Value call_cumsum(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is summed");
    int dim = along(in, args, &x);
    return array_like(in, &x, op_cumsum(in->tape, x.var, x.naxes + dim));
}

static Value call_cumprod(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is multiplied");
    int dim = x.naxes + along(in, args, &x);
    int64_t n = x.var.value->shape.dim[dim];
    Var *parts = ARENA_ARRAY(in->arena, Var, n + 1);
    if (n == 0) return array_like(in, &x, x.var);
    for (int64_t k = 0; k < n; k++) {
        parts[k] = op_slice(in->tape, x.var, dim, k, 1, 1);
        if (k) parts[k] = op2(in->tape, OP_MUL, parts[k - 1], parts[k]);
    }
    return array_like(in, &x, op_concat(in->tape, (int)n, parts, dim));
}

static Value log_softmax_of(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "the logits");
    int dim = along(in, args, &x);
    Value total = array_like(in, &x, array_reduce_dims(in, OP_LOGSUMEXP, &x, 1u << dim, true));
    return array_binary(in, BINARY_SUB, array_value(in, x), total, args->span);
}

static Value call_log_softmax(Interp *in, const Args *args) { return log_softmax_of(in, args); }

static Value call_softmax(Interp *in, const Args *args) {
    Value v = log_softmax_of(in, args);
    return array_apply(in, OP_EXP, 1, &v, args->span);
}

/* -- Order -- */

static Var reversed(Interp *in, Var v, int dim) {
    int64_t n = v.value->shape.dim[dim];
    return n < 2 ? v : op_slice(in->tape, v, dim, n - 1, n, -1);
}

/* [axes..., others..., dim], sorted along the last. */
static Var sorted_last(Interp *in, const Array *x, int dim) {
    Var v = array_dim_last(in, x, dim);
    int last = v.value->shape.rank - 1;
    Var order = op_apply(in->tape, OP_ARGSORT, 1, &v, &(OpAttr){.dim = last});
    return op_gather(in->tape, v, order, last);
}

static Value call_sort(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is sorted");
    int dim = along(in, args, &x);
    Var v = array_dim_back(in, &x, dim, sorted_last(in, &x, dim));
    if (arg_bool(in, args, 2, false, "`descending`")) v = reversed(in, v, x.naxes + dim);
    return array_like(in, &x, v);
}

static Value call_order(Interp *in, const Args *args) {
    Array x = arg_array(in, args, 0, "what is sorted");
    int dim = x.naxes + along(in, args, &x);
    bool descending = arg_bool(in, args, 2, false, "`descending`");
    Var v = descending ? op1(in->tape, OP_NEG, x.var) : x.var;
    Value out = array_like(in, &x, op_apply(in->tape, OP_ARGSORT, 1, &v, &(OpAttr){.dim = dim}));
    if (out.kind == VALUE_ARRAY) out.u.array->missing = false;
    return out;
}

static Value call_rev(Interp *in, const Args *args) {
    Value v = args->values[0];
    if (v.kind == VALUE_LIST || v.kind == VALUE_TUPLE) {
        Value out = value_list(in, v.kind, v.u.list->n, v.u.list->items);
        for (int k = 0; k < v.u.list->n; k++) out.u.list->items[k] = v.u.list->items[v.u.list->n - 1 - k];
        return out;
    }
    Array x = arg_array(in, args, 0, "what is reversed");
    int dim = x.naxes + along(in, args, &x);
    bool boolean = x.boolean;
    Value out = array_like(in, &x, reversed(in, x.var, dim));
    if (out.kind == VALUE_ARRAY) out.u.array->boolean = boolean;
    return out;
}

/* Quantile of n sorted numbers, type 7 of Hyndman and Fan (1996), the default of R and NumPy: sorted [..., n] -> [...].
 */
static Var quantile_sorted_var(Interp *in, Var sorted, double p) {
    int last = sorted.value->shape.rank - 1;
    int64_t n = sorted.value->shape.dim[last];
    double place = (double)(n - 1) * p, fraction = place - floor(place);
    int64_t low = (int64_t)floor(place);
    Shape s = sorted.value->shape;
    s.rank--;
    Var a = op_reshape(in->tape, op_slice(in->tape, sorted, last, low, 1, 1), s);
    if (fraction == 0) return a;
    Var b = op_reshape(in->tape, op_slice(in->tape, sorted, last, low + 1, 1, 1), s);
    Var step = op2(in->tape, OP_MUL, op2(in->tape, OP_SUB, b, a), var_number(in->tape, fraction));
    return op2(in->tape, OP_ADD, a, step);
}

static double probability(Interp *in, Value v, Span at) {
    double p = value_to_number(in, v, at, "a probability");
    if (!(p >= 0 && p <= 1))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a probability must lie between 0 and 1, not be %g", p);
    return p;
}

/* A quantile for each of the probabilities: [probabilities..., what is left of x...]. dim NONE: of all elements. */
static Value quantiles(Interp *in, Array x, Value p, Value dim, Span x_at, Span p_at) {
    if (array_rank(&x) == 0 || dim.kind == VALUE_NONE)
        x.var = array_reshape_event(in, &x, shape1(shape_size(array_shape(&x))));
    int along = dim.kind == VALUE_NONE ? 0 : dim_of(in, &x, dim, x_at);
    if (array_shape(&x).dim[along] == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, x_at, NULL, "an empty array has no quantiles");
    Var sorted = sorted_last(in, &x, along);
    Shape s = value_event_shape(in, p, p_at);
    if (s.rank > 1) ctx_raise(in->ctx, ERROR_PROGRAM, p_at, NULL, "probabilities must be a number or a vector");
    if (s.rank == 0) return array_like(in, &x, quantile_sorted_var(in, sorted, probability(in, p, p_at)));
    Value *items = ARENA_ARRAY(in->arena, Value, s.dim[0] + 1);
    for (int64_t k = 0; k < s.dim[0]; k++) {
        Value index = value_number((double)(k + 1));
        double one = probability(in, array_index(in, p, 1, &index, NULL, p_at), p_at);
        items[k] = array_like(in, &x, quantile_sorted_var(in, sorted, one));
    }
    return array_from_items(in, (int)s.dim[0], items, p_at);
}

static Value call_quantile(Interp *in, const Args *args) {
    if (args->values[0].kind == VALUE_DIST)
        return dist_member(in, args->values[0].u.dist, "icdf", 1, &args->values[1], args->span);
    Array x = arg_array(in, args, 0, "the data of `quantile`");
    return quantiles(in, x, args->values[1], args->values[2], arg_span(args, arg_given(args, 2) ? 2 : 0),
                     arg_span(args, 1));
}

static Value call_median(Interp *in, const Args *args) {
    if (args->values[0].kind == VALUE_DIST) {
        Value half = value_number(0.5);
        return dist_member(in, args->values[0].u.dist, "icdf", 1, &half, args->span);
    }
    Array x = arg_array(in, args, 0, "the data of `median`");
    return quantiles(in, x, value_number(0.5), args->values[1], arg_span(args, arg_given(args, 1) ? 1 : 0), args->span);
}

/* -- Elementwise, but more than one operation -- */

static Value call_pow(Interp *in, const Args *args) {
    return array_binary(in, BINARY_POW, args->values[0], args->values[1], args->span);
}
static Value call_mod(Interp *in, const Args *args) {
    return array_binary(in, BINARY_MOD, args->values[0], args->values[1], args->span);
}

static Value call_round(Interp *in, const Args *args) {
    if (!arg_given(args, 1)) return array_apply(in, OP_ROUND, 1, args->values, args->span);
    int64_t digits = arg_int(in, args, 1, 0, "the number of digits");
    Value scale = value_number(pow(10, (double)(digits < 0 ? -digits : digits)));
    BinaryOp up = digits < 0 ? BINARY_DIV : BINARY_MUL, down = digits < 0 ? BINARY_MUL : BINARY_DIV;
    Value v = array_binary(in, up, args->values[0], scale, args->span);
    return array_binary(in, down, array_apply(in, OP_ROUND, 1, &v, args->span), scale, args->span);
}

#define REDUCES                                                                                                        \
    "; dim: along this dimension (-1: the last) or several, all of them by default; keep = true: they stay, of size 1"
#define ALONG "; dim: along this dimension; the last by default"

const Builtin builtins_math[] = {
    {"sum", "(x, dim = , keep = )", call_sum, "sum of the elements" REDUCES, 0},
    {"prod", "(x, dim = , keep = )", call_prod, "product of the elements" REDUCES, 0},
    {"mean", "(x, dim = , keep = )", call_mean, "mean of the elements, or of a distribution" REDUCES, 0},
    {"var", "(x, dim = , keep = )", call_var, "variance, divided by n - 1; or of a distribution" REDUCES, 0},
    {"sd", "(x, dim = , keep = )", call_sd, "standard deviation, with n - 1; or of a distribution" REDUCES, 0},
    {"logsumexp", "(x, dim = , keep = )", call_logsumexp, "log(sum(exp(x))) without overflow" REDUCES, 0},
    {"all", "(x, dim = , keep = )", call_all, "whether all elements hold" REDUCES, 0},
    {"any", "(x, dim = , keep = )", call_any, "whether any element holds" REDUCES, 0},
    {"count", "(x, dim = , keep = )", call_count, "how many elements hold" REDUCES, 0},
    {"min", "(x, ...)", call_min,
     "smallest element, of all or along `dim`, one dimension or several; min(a, b): the smaller, elementwise", 0},
    {"max", "(x, ...)", call_max,
     "largest element, of all or along `dim`, one dimension or several; max(a, b): the larger, elementwise", 0},
    {"argmin", "(x, dim = )", call_argmin,
     "place of the smallest element along `dim`; without it, of all elements counted row by row", 0},
    {"argmax", "(x, dim = )", call_argmax,
     "place of the largest element along `dim`; without it, of all elements counted row by row", 0},
    {"median", "(x, dim = )", call_median,
     "median of the elements, or of a distribution; dim: along this dimension, of all elements by default", 0},
    {"quantile", "(x, p, dim = )", call_quantile,
     "quantiles for a probability or a vector of them, or those of a distribution; linear between order statistics "
     "(Hyndman and Fan 1996, type 7); dim: along this dimension, of all elements by default",
     0},
    {"cumsum", "(x, dim = )", call_cumsum, "running sums along the last dimension, or `dim`", 0},
    {"cumprod", "(x, dim = )", call_cumprod, "running products along the last dimension, or `dim`", 0},
    {"softmax", "(x, dim = )", call_softmax, "exp(x) / sum(exp(x)) along the last dimension, or `dim`", 0},
    {"log_softmax", "(x, dim = )", call_log_softmax, "log of softmax, without overflow" ALONG, 0},
    {"sort", "(x, dim = , descending = )", call_sort,
     "elements in ascending order along the last dimension, or `dim`; descending = true: the largest first", 0},
    {"order", "(x, dim = , descending = )", call_order,
     "places of the elements in ascending order: x[order(x)] is sorted; dim: along this dimension, the last by "
     "default; descending = true: the largest first",
     0},
    {"rev", "(x, dim = )", call_rev, "elements in reverse along the last dimension, or `dim`", 0},
    {"pow", "(a, b)", call_pow, "a to the power b", 0},
    {"mod", "(a, b)", call_mod, "remainder of a / b, with the sign of b", 0},
    {"round", "(x, digits = )", call_round,
     "nearest whole number (halves to the even one), or to so many decimal digits", 0},
    {0},
};
