/* Linear algebra over the last two event dimensions.
 *
 * Square systems are solved by Householder's QR decomposition, written in tape operations: no pivoting that would
 * depend on the numbers, so a recorded program stays valid, and derivatives of every order come from those of its
 * operations. (Golub and Van Loan, Matrix Computations, 5.2.1.) */
#include "interp/builtins.h"

static Array matrix(Interp *in, const Args *args, int k, bool square) {
    Array a = arg_array(in, args, k, "a matrix");
    Shape s = array_shape(&a);
    if (s.rank < 2) builtin_fail(in, args, k, "a matrix is needed here, not %s", value_describe(in, args->values[k]));
    if (square && s.dim[s.rank - 1] != s.dim[s.rank - 2])
        builtin_fail(in, args, k, "a square matrix is needed here, not an array of shape %s", shape_text(in->arena, s));
    return a;
}

/* The right-hand side of a system: [..., n, m]; a vector [n] becomes a column. */
static Array right_side(Interp *in, const Args *args, int k, const Array *a, bool *vector) {
    Array b = arg_array(in, args, k, "the right-hand side");
    Shape s = array_shape(&b), sa = array_shape(a);
    *vector = s.rank == 1;
    if (s.rank == 0 || s.dim[*vector ? 0 : s.rank - 2] != sa.dim[sa.rank - 2])
        builtin_fail(in, args, k, "shapes %s and %s do not agree in a system of equations", shape_text(in->arena, sa),
                     shape_text(in->arena, s));
    if (*vector) {
        s.dim[s.rank++] = 1;
        b.var = array_reshape_event(in, &b, s);
    }
    return b;
}

static Value drop_column(Interp *in, Value v, bool vector, Span at) {
    if (!vector) return v;
    Array x = value_array(in, v, at, "a solution");
    Shape s = array_shape(&x);
    s.rank--;
    return array_like(in, &x, array_reshape_event(in, &x, s));
}

static Var scaled(Interp *in, Var a, double x) { return op2(in->tape, OP_MUL, a, var_number(in->tape, x)); }

/* Rows `from`.. of [..., n, m]. */
static Var lower_rows(Interp *in, Var a, int64_t from) {
    int dim = a.value->shape.rank - 2;
    return from == 0 ? a : op_slice(in->tape, a, dim, from, a.value->shape.dim[dim] - from, 1);
}

static Var upper_rows(Interp *in, Var a, int64_t count) {
    return op_slice(in->tape, a, a.value->shape.rank - 2, 0, count, 1);
}

/* v [..., r, 1] with H = I - v v^T / (v^T v / 2) that makes x [..., r, 1] a multiple of the first unit vector. */
static Var householder_vector(Interp *in, Var x, Var *half_square) {
    Tape *t = in->tape;
    int dim = x.value->shape.rank - 2;
    Var first = op_slice(t, x, dim, 0, 1, 1), zero = var_number(t, 0);
    Shape row = first.value->shape;
    Var norm = op_reshape(t, op1(t, OP_SQRT, op_reduce(t, OP_SUM, op1(t, OP_SQUARE, x), 1u << dim)), row);
    Var sign = op3(t, OP_WHERE, op2(t, OP_GE, first, zero), var_number(t, 1), var_number(t, -1));
    Var head = op2(t, OP_ADD, first, op2(t, OP_MUL, sign, norm));
    Var v = op_concat(t, 2, (Var[]){head, lower_rows(in, x, 1)}, dim);
    Var half = op_reshape(t, scaled(in, op_reduce(t, OP_SUM, op1(t, OP_SQUARE, v), 1u << dim), 0.5), row);
    *half_square =
        op3(t, OP_WHERE, op2(t, OP_EQ, half, zero), var_number(t, 1), half); /* a column of zeros stays one */
    return v;
}

/* H applied to the rows `from`.. of `a`. */
static Var reflect(Interp *in, Var a, Var v, Var half_square, int64_t from) {
    Tape *t = in->tape;
    Var rows = lower_rows(in, a, from);
    Var along = op2(t, OP_DIV, op_matmul(t, op_transpose(t, v), rows), half_square);
    Var out = op2(t, OP_SUB, rows, op_matmul(t, v, along));
    return from == 0 ? out : op_concat(t, 2, (Var[]){upper_rows(in, a, from), out}, a.value->shape.rank - 2);
}

/* A = Q R: *r is R (with numbers below the diagonal that stand for 0), *b becomes Q^T b where b is given. */
static void qr(Interp *in, Var a, Var *r, Var *b) {
    int rank = a.value->shape.rank;
    int64_t n = a.value->shape.dim[rank - 1];
    for (int64_t k = 0; k + 1 < n; k++) {
        Var column = lower_rows(in, op_slice(in->tape, a, rank - 1, k, 1, 1), k), half_square;
        Var v = householder_vector(in, column, &half_square);
        a = reflect(in, a, v, half_square, k);
        if (b) *b = reflect(in, *b, v, half_square, k);
    }
    *r = a;
}

static Var upper_solve(Interp *in, Var r, Var b) {
    return op_tri_solve(in->tape, op_transpose(in->tape, op_tril(in->tape, op_transpose(in->tape, r), 0)), b,
                        TRI_UPPER);
}

static void check_regular(Interp *in, Var r, Span at) {
    Var d = op_diagonal(in->tape, r);
    const Tensor *t = tape_value(in->tape, d);
    int64_t n = shape_size(t->shape);
    for (int64_t k = 0; k < n; k++)
        if (tensor_item(t, k) == 0)
            ctx_raise(in->ctx, ERROR_NUMERIC, at, NULL, "the matrix is singular: it has no inverse");
}

static Value call_solve(Interp *in, const Args *args) {
    Array pair[2] = {matrix(in, args, 0, true)}, out = {0};
    bool vector;
    pair[1] = right_side(in, args, 1, &pair[0], &vector);
    Var v[2], r;
    out.naxes = array_align(in, 2, pair, false, v, out.axes);
    qr(in, v[0], &r, &v[1]);
    check_regular(in, r, args->span);
    out.var = upper_solve(in, r, v[1]);
    return drop_column(in, array_value(in, out), vector, args->span);
}

static Value call_inverse(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, true);
    int64_t n = array_shape(&a).dim[array_rank(&a) - 1];
    Tensor *eye = tensor_zeros(in->ctx, in->arena, shape2(n, n));
    for (int64_t k = 0; k < n; k++) eye->data[k * n + k] = 1;
    Var b = op_expand(in->tape, var_constant(eye), a.var.value->shape), r;
    qr(in, a.var, &r, &b);
    check_regular(in, r, args->span);
    return array_like(in, &a, upper_solve(in, r, b));
}

static Var diagonal_of_r(Interp *in, const Array *a) {
    Var r;
    qr(in, a->var, &r, NULL);
    return op_diagonal(in->tape, r);
}

static Value call_det(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, true);
    int64_t n = array_shape(&a).dim[array_rank(&a) - 1];
    Var d = diagonal_of_r(in, &a), det = op_reduce(in->tape, OP_PROD, d, 1u << (d.value->shape.rank - 1));
    return array_like(in, &a, n % 2 ? det : op1(in->tape, OP_NEG, det)); /* each reflection has determinant -1 */
}

static Value call_log_det(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, true);
    Var d = op1(in->tape, OP_LOG, op1(in->tape, OP_ABS, diagonal_of_r(in, &a)));
    return array_like(in, &a, op_reduce(in->tape, OP_SUM, d, 1u << (d.value->shape.rank - 1)));
}

/* -- Triangular -- */

static Value call_cholesky(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, true);
    return array_like(in, &a, op_cholesky(in->tape, a.var));
}

static Value call_tri_solve(Interp *in, const Args *args) {
    Array pair[2] = {matrix(in, args, 0, true)}, out = {0};
    bool vector;
    pair[1] = right_side(in, args, 1, &pair[0], &vector);
    int flags = (arg_bool(in, args, 2, false, "`transposed`") ? TRI_TRANSPOSED : 0) |
                (arg_bool(in, args, 3, false, "`upper`") ? TRI_UPPER : 0);
    Var v[2];
    out.naxes = array_align(in, 2, pair, false, v, out.axes);
    out.var = op_tri_solve(in->tape, v[0], v[1], flags);
    return drop_column(in, array_value(in, out), vector, args->span);
}

static Value call_inv_quad(Interp *in, const Args *args) {
    Array pair[2] = {matrix(in, args, 0, true)}, out = {0};
    bool vector;
    pair[1] = right_side(in, args, 1, &pair[0], &vector);
    Var v[2];
    out.naxes = array_align(in, 2, pair, false, v, out.axes);
    out.var = op_inv_quad(in->tape, v[0], v[1]);
    return array_reduce(in, OP_SUM, array_value(in, out), 0, args->span);
}

static Value call_log_diag(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, true);
    return array_like(in, &a, op_log_diag(in->tape, a.var));
}

static Value call_tril(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, false);
    return array_like(in, &a, op_tril(in->tape, a.var, arg_int(in, args, 1, 0, "`k`")));
}

static Value call_triu(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, false);
    Var flipped = op_tril(in->tape, op_transpose(in->tape, a.var), -arg_int(in, args, 1, 0, "`k`"));
    return array_like(in, &a, op_transpose(in->tape, flipped));
}

/* -- Diagonals and products -- */

static Value call_diag(Interp *in, const Args *args) {
    Array a = arg_array(in, args, 0, "the argument of `diag`");
    if (array_rank(&a) == 0)
        builtin_fail(in, args, 0, "a vector or a matrix is needed here, not %s", value_describe(in, args->values[0]));
    if (array_rank(&a) == 1) return array_like(in, &a, op_diag_embed(in->tape, a.var));
    a = matrix(in, args, 0, true);
    return array_like(in, &a, op_diagonal(in->tape, a.var));
}

static Value call_trace(Interp *in, const Args *args) {
    Array a = matrix(in, args, 0, true);
    Var d = op_diagonal(in->tape, a.var);
    return array_like(in, &a, op_reduce(in->tape, OP_SUM, d, 1u << (d.value->shape.rank - 1)));
}

static Value call_dot(Interp *in, const Args *args) {
    for (int k = 0; k < 2; k++) {
        Array a = arg_array(in, args, k, "a vector");
        if (array_rank(&a) != 1)
            builtin_fail(in, args, k, "a vector is needed here, not %s", value_describe(in, args->values[k]));
    }
    return array_matmul(in, args->values[0], args->values[1], args->span);
}

static Value call_outer(Interp *in, const Args *args) {
    Value v[2];
    for (int k = 0; k < 2; k++) {
        Array a = arg_array(in, args, k, "a vector");
        Shape s = array_shape(&a);
        if (s.rank != 1)
            builtin_fail(in, args, k, "a vector is needed here, not %s", value_describe(in, args->values[k]));
        Shape to = k == 0 ? shape2(s.dim[0], 1) : shape2(1, s.dim[0]);
        v[k] = array_like(in, &a, array_reshape_event(in, &a, to));
    }
    return array_binary(in, BINARY_MUL, v[0], v[1], args->span);
}

static Value call_norm(Interp *in, const Args *args) {
    Array a = arg_array(in, args, 0, "the argument of `norm`");
    a.var = op1(in->tape, OP_SQUARE, a.var);
    uint32_t dims = dims_of(in, &a, args->values[1], arg_span(args, 1));
    return array_like(in, &a, op1(in->tape, OP_SQRT, array_reduce_dims(in, OP_SUM, &a, dims, false)));
}

/* -- Covariance: rows are observations -- */

/* x minus its mean over the first dimension, as [n, d]. */
static Value centred(Interp *in, const Args *args, int k, double *n) {
    Array x = arg_array(in, args, k, "the data");
    Shape s = array_shape(&x);
    if (s.rank != 1 && s.rank != 2)
        builtin_fail(in, args, k, "a vector or a matrix is needed here, not %s", value_describe(in, args->values[k]));
    if (s.rank == 1) x.var = array_reshape_event(in, &x, shape2(s.dim[0], 1));
    *n = (double)s.dim[0];
    Value total = array_like(in, &x, array_reduce_dims(in, OP_SUM, &x, 1, true));
    Value mean = array_binary(in, BINARY_DIV, total, value_number(*n), args->span);
    return array_binary(in, BINARY_SUB, array_value(in, x), mean, args->span);
}

static Value first_column(Interp *in, Value v, const Args *args) { /* cov of two vectors is one number */
    Array x = value_array(in, v, args->span, "");
    bool vectors = true;
    for (int k = 0; k < 2; k++)
        vectors &= arg_given(args, k) && value_event_shape(in, args->values[k], args->span).rank == 1;
    return vectors ? array_like(in, &x, array_reshape_event(in, &x, SHAPE_SCALAR)) : v;
}

static Value turned(Interp *in, Value v, Span at) {
    Array a = value_array(in, v, at, "");
    return array_like(in, &a, op_transpose(in->tape, a.var));
}

static Value cross(Interp *in, Value x, Value y, Span at) { return array_matmul(in, turned(in, x, at), y, at); }

static void two_sides(Interp *in, const Args *args, Value *x, Value *y, double *n) {
    double other = 0;
    *x = centred(in, args, 0, n);
    *y = arg_given(args, 1) ? centred(in, args, 1, &other) : *x;
    if (arg_given(args, 1) && other != *n) builtin_fail(in, args, 1, "%g observations here and %g there", *n, other);
}

static Value call_cov(Interp *in, const Args *args) {
    Value x, y;
    double n;
    two_sides(in, args, &x, &y, &n);
    Value v = array_binary(in, BINARY_DIV, cross(in, x, y, args->span), value_number(n - 1), args->span);
    return first_column(in, v, args);
}

static Value unit_columns(Interp *in, Value v, Span at) {
    Value square = array_apply(in, OP_SQUARE, 1, &v, at);
    Array x = value_array(in, square, at, "");
    Value norm = array_like(in, &x, op1(in->tape, OP_SQRT, array_reduce_dims(in, OP_SUM, &x, 1, true)));
    return array_binary(in, BINARY_DIV, v, norm, at);
}

static Value call_cor(Interp *in, const Args *args) {
    Value x, y;
    double n;
    two_sides(in, args, &x, &y, &n);
    x = unit_columns(in, x, args->span);
    y = unit_columns(in, y, args->span);
    return first_column(in, cross(in, x, y, args->span), args);
}

const Builtin builtins_linalg[] = {
    {"solve", "(a, b)", call_solve, "x with a @ x = b; b is a vector or a matrix of columns", 0},
    {"inverse", "(a)", call_inverse, "inverse of a square matrix", 0},
    {"det", "(a)", call_det, "determinant", 0},
    {"log_det", "(a)", call_log_det, "log of the absolute value of the determinant", 0},
    {"cholesky", "(a)", call_cholesky, "lower L with a = L @ t(L), of a positive definite matrix", 0},
    {"tri_solve", "(l, b, transposed = , upper = )", call_tri_solve,
     "x with l @ x = b for a lower triangular l; transposed = true: with t(l) @ x = b; upper = true: l is upper "
     "triangular", 0},
    {"inv_quad", "(l, x)", call_inv_quad, "t(x) @ inverse(a) @ x, where l is the Cholesky factor of a", 0},
    {"_log_diag", "(l)", call_log_diag, "half the log determinant of l @ t(l), l lower triangular", 0},
    {"tril", "(a, k = )", call_tril,
     "the entries on and below the k-th diagonal, zeros elsewhere; k: 0 by default, -1 below the main one", 0},
    {"triu", "(a, k = )", call_triu,
     "the entries on and above the k-th diagonal, zeros elsewhere; k: 0 by default, 1 above the main one", 0},
    {"diag", "(x)", call_diag, "the diagonal of a matrix, or the diagonal matrix of a vector", 0},
    {"trace", "(a)", call_trace, "sum of the diagonal", 0},
    {"dot", "(a, b)", call_dot, "sum of the products of two vectors", 0},
    {"outer", "(a, b)", call_outer, "matrix of all products of two vectors", 0},
    {"norm", "(x, dim = )", call_norm,
     "square root of the sum of squares, of all elements or along `dim`, one dimension or several", 0},
    {"cov", "(x, y = )", call_cov, "covariances of the columns of x (with those of y); rows are observations", 0},
    {"cor", "(x, y = )", call_cor, "correlations of the columns of x (with those of y); rows are observations", 0},
    {0},
};
