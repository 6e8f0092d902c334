/* The tables together, what the operations do in a line, reading arguments. */
#include "interp/builtins.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const Builtin *const interp_builtin_tables[] = {builtins_math,   builtins_array, builtins_linalg,
                                                builtins_grad,   builtins_data,  builtins_misc,
                                                builtins_random, builtins_dist,  builtins_nets, NULL};

static const struct {
    Op op;
    const char *doc;
} op_docs[] = {
    {OP_ABS, "absolute value"},
    {OP_SIGN, "-1, 0 or 1"},
    {OP_EXP, "e to the power x"},
    {OP_LOG, "natural logarithm"},
    {OP_LOG1P, "log(1 + x), accurate near 0"},
    {OP_EXPM1, "exp(x) - 1, accurate near 0"},
    {OP_SQRT, "square root"},
    {OP_SQUARE, "x times x"},
    {OP_SIN, "sine"},
    {OP_COS, "cosine"},
    {OP_TAN, "tangent"},
    {OP_ASIN, "inverse sine"},
    {OP_ACOS, "inverse cosine"},
    {OP_ATAN, "inverse tangent"},
    {OP_SINH, "hyperbolic sine"},
    {OP_COSH, "hyperbolic cosine"},
    {OP_TANH, "hyperbolic tangent"},
    {OP_SIGMOID, "1 / (1 + exp(-x))"},
    {OP_SOFTPLUS, "log(1 + exp(x))"},
    {OP_LOG1M_EXP, "log(1 - exp(x)) for x <= 0"},
    {OP_FLOOR, "largest whole number that is not above x"},
    {OP_CEIL, "smallest whole number that is not below x"},
    {OP_TRUNC, "x without its fraction"},
    {OP_ISNAN, "is it not a number?"},
    {OP_LGAMMA, "log of the absolute value of the gamma function"},
    {OP_DIGAMMA, "derivative of lgamma"},
    {OP_TRIGAMMA, "second derivative of lgamma"},
    {OP_POLYGAMMA, "n-th derivative of digamma: polygamma(n, x)"},
    {OP_ERF, "error function"},
    {OP_ERFC, "1 - erf(x), accurate for large x"},
    {OP_NORMAL_CDF, "distribution function of the standard normal"},
    {OP_LOG_NORMAL_CDF, "log of normal_cdf, accurate in the tails"},
    {OP_NORMAL_ICDF, "quantile of the standard normal"},
    {OP_LOG_I0, "log of the modified Bessel function I0"},
    {OP_ATAN2, "angle of the point (b, a): atan2(y, x)"},
    {OP_XLOGY, "a * log(b), and 0 where a is 0"},
    {OP_XLOG1PY, "a * log(1 + b), and 0 where a is 0"},
    {OP_LOG_ADD_EXP, "log(exp(a) + exp(b))"},
    {OP_LOG_DIFF_EXP, "log(exp(a) - exp(b)) for a >= b"},
    {OP_LBETA, "log of the beta function"},
    {OP_GAMMA_P, "regularised lower incomplete gamma function: gamma_p(shape, x)"},
    {OP_GAMMA_Q, "regularised upper incomplete gamma function: gamma_q(shape, x)"},
    {OP_BETA_I, "regularised incomplete beta function: beta_i(a, b, x)"},
    {OP_WHERE, "elementwise choice: b where a holds, c elsewhere"},
};

const char *operation_doc(Op op) {
    for (size_t k = 0; k < sizeof op_docs / sizeof *op_docs; k++)
        if (op_docs[k].op == op) return op_docs[k].doc;
    return "elementwise";
}

Value builtin_call(Interp *in, const Builtin *b, const Args *args) {
    return b->call ? b->call(in, args) : array_apply(in, (Op)b->op, args->n, args->values, args->span);
}

/* -- Arguments -- */

Value shape_value(Interp *in, Shape s) {
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(s.rank));
    for (int k = 0; k < s.rank; k++) t->data[k] = (real)s.dim[k];
    return value_tensor(in, t);
}

Span arg_span(const Args *args, int k) {
    return k < args->n && args->spans && args->spans[k].file >= 0 ? args->spans[k] : args->span;
}

_Noreturn void builtin_fail(Interp *in, const Args *args, int k, const char *format, ...) {
    char text[1000];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    ctx_raise(in->ctx, ERROR_PROGRAM, arg_span(args, k), NULL, "%s", text);
}

Array arg_array(Interp *in, const Args *args, int k, const char *what) {
    return value_array(in, args->values[k], arg_span(args, k), what);
}

int64_t arg_int(Interp *in, const Args *args, int k, int64_t fallback, const char *what) {
    return arg_given(args, k) ? value_to_int(in, args->values[k], arg_span(args, k), what) : fallback;
}

bool arg_bool(Interp *in, const Args *args, int k, bool fallback, const char *what) {
    return arg_given(args, k) ? value_to_bool(in, args->values[k], arg_span(args, k), what) : fallback;
}

int dim_of(Interp *in, const Array *a, Value v, Span at) {
    int64_t dim = value_to_int(in, v, at, "`dim`");
    int rank = array_rank(a);
    if (dim == 0 || dim > rank || dim < -rank)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "dimensions count from 1, from the end as -1, -2, ...",
                  "there is no dimension %lld in an array of shape %s", (long long)dim,
                  shape_text(in->arena, array_shape(a)));
    return (int)(dim > 0 ? dim - 1 : rank + dim);
}

uint32_t dims_of(Interp *in, const Array *a, Value v, Span at) {
    if (v.kind == VALUE_NONE) return (1u << array_rank(a)) - 1;
    Shape s = value_event_shape(in, v, at);
    if (s.rank == 0) return 1u << dim_of(in, a, v, at);
    uint32_t mask = 0;
    for (int64_t k = 1; k <= s.dim[0]; k++) {
        Value index = value_number((double)k);
        mask |= 1u << dim_of(in, a, array_index(in, v, 1, &index, NULL, at), at);
    }
    return mask;
}

static void add_size(Interp *in, Shape *s, int64_t size, Span at, int *wild) {
    if (s->rank == MAX_RANK) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "arrays have at most %d dimensions", MAX_RANK);
    if (size == -1 && wild && *wild < 0) {
        *wild = s->rank;
        size = 1;
    }
    if (size < 0) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a size must not be negative: %lld", (long long)size);
    s->dim[s->rank++] = size;
}

Shape shape_of_values(Interp *in, int n, const Value *values, Span at, int *wild) {
    Shape s = {0};
    if (wild) *wild = -1;
    for (int k = 0; k < n; k++) {
        Shape one = value_event_shape(in, values[k], at);
        if (one.rank > 1)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a size must be a whole number, not %s",
                      value_describe(in, values[k]));
        if (one.rank == 0) add_size(in, &s, value_to_int(in, values[k], at, "a size"), at, wild);
        for (int64_t i = 1; one.rank && i <= one.dim[0]; i++) {
            Value index = value_number((double)i);
            add_size(in, &s, value_to_int(in, array_index(in, values[k], 1, &index, NULL, at), at, "a size"), at, wild);
        }
    }
    if (!wild || *wild < 0) tensor_check_size(in->ctx, in->arena, s);
    return s;
}
