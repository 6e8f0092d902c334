#include "dist/constraint.h"

#include <math.h>

/* The formulas are those of the Stan Reference Manual, chapter "Constraint Transforms", rearranged so that
 * logarithms are taken of what is multiplied: nothing under- or overflows before the value itself does. */

enum { SINGLE = sizeof(real) < sizeof(double) };
/* How far inside a value on the boundary is moved, relative to the scale at hand. */
static const real HAIR = SINGLE ? 1e-6 : 1e-10;
/* What plain values may miss in sums and symmetries. */
static const real TOLERANCE = SINGLE ? 1e-5 : 1e-6;

typedef struct Row {
    const char *name;
    int event_rank;
    Shape (*free_shape)(Ctx *c, Shape x);
    Var (*forward)(Tape *t, const Constraint *k, Var u, Var *log_jacobian);
    Var (*inverse)(Tape *t, const Constraint *k, Var x);
    bool (*holds)(Arena *a, const Constraint *k, const Tensor *x);
} Row;

/* -- Helpers -- */

static Shape shape_of_var(Var v) { return v.value->shape; }
static int64_t last_dim(Var v) { return v.value->shape.dim[v.value->shape.rank - 1]; }
static int last(Var v) { return v.value->shape.rank - 1; }

static Shape shape_drop(Shape s, int n) {
    s.rank -= n;
    return s;
}

static Shape shape_append(Shape s, int64_t n) {
    s.dim[s.rank++] = n;
    return s;
}

/* [..., n, n] -> [..., n * n] */
static Var flatten_matrix(Tape *t, Var a) {
    int64_t n = last_dim(a);
    return op_reshape(t, a, shape_append(shape_drop(shape_of_var(a), 2), n * n));
}

static Var sum_last(Tape *t, Var a) { return op_reduce(t, OP_SUM, a, 1u << last(a)); }

/* A constant vector along the last dimension. */
static Var vector_constant(Tape *t, int64_t n, real (*f)(int64_t k, int64_t n)) {
    Tensor *v = tensor_new(t->ctx, t->arena, shape1(n));
    for (int64_t k = 0; k < n; k++) v->data[k] = f(k, n);
    return var_constant(v);
}

/* d where it is positive (or NaN), else a hair. */
static Var move_inside(Tape *t, Var d, Var hair) {
    return op3(t, OP_WHERE, op2(t, OP_LE, d, var_number(t, 0)), hair, d);
}

/* -softplus(-v) and -softplus(v): the logarithms of sigmoid(v) and of 1 - sigmoid(v). */
static Var log_sigmoid(Tape *t, Var v) { return op1(t, OP_NEG, op1(t, OP_SOFTPLUS, op1(t, OP_NEG, v))); }
static Var log_sigmoid_complement(Tape *t, Var v) { return op1(t, OP_NEG, op1(t, OP_SOFTPLUS, v)); }

/* -- Elementwise -- */

static Shape free_shape_same(Ctx *c, Shape x) {
    (void)c;
    return x;
}

static Var real_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    (void)k;
    if (log_jacobian) *log_jacobian = var_constant(tensor_view_expand(t->arena, tensor_scalar(t->ctx, t->arena, 0),
                                                                      shape_of_var(u)));
    return u;
}

static Var real_inverse(Tape *t, const Constraint *k, Var x) {
    (void)t, (void)k;
    return x;
}

static bool is_zero(Var v) { return !var_is_taped(v) && v.value->shape.rank == 0 && *v.value->data == 0; }

static Var lower_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    if (log_jacobian) *log_jacobian = u;
    Var x = op1(t, OP_EXP, u);
    return is_zero(k->low) ? x : op2(t, OP_ADD, k->low, x); /* the tape sees through log exp u */
}

static Var lower_inverse(Tape *t, const Constraint *k, Var x) {
    return op1(t, OP_LOG, move_inside(t, op2(t, OP_SUB, x, k->low), var_number(t, HAIR)));
}

static Var upper_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    if (log_jacobian) *log_jacobian = u;
    return op2(t, OP_SUB, k->high, op1(t, OP_EXP, u));
}

static Var upper_inverse(Tape *t, const Constraint *k, Var x) {
    return op1(t, OP_LOG, move_inside(t, op2(t, OP_SUB, k->high, x), var_number(t, HAIR)));
}

static Var interval_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    Var width = op2(t, OP_SUB, k->high, k->low);
    if (log_jacobian) {
        Var both = op2(t, OP_ADD, log_sigmoid(t, u), log_sigmoid_complement(t, u));
        *log_jacobian = op2(t, OP_ADD, op1(t, OP_LOG, width), both);
    }
    return op2(t, OP_ADD, k->low, op2(t, OP_MUL, width, op1(t, OP_SIGMOID, u)));
}

/* logit((x - low) / (high - low)) */
static Var interval_inverse(Tape *t, const Constraint *k, Var x) {
    Var hair = op2(t, OP_MUL, op2(t, OP_SUB, k->high, k->low), var_number(t, HAIR));
    Var above = move_inside(t, op2(t, OP_SUB, x, k->low), hair);
    Var below = move_inside(t, op2(t, OP_SUB, k->high, x), hair);
    return op2(t, OP_SUB, op1(t, OP_LOG, above), op1(t, OP_LOG, below));
}

static bool elementwise_holds(Arena *a, const Constraint *k, const Tensor *x) {
    bool bounded_below = k->kind == CONSTRAINT_LOWER || k->kind == CONSTRAINT_INTERVAL;
    bool bounded_above = k->kind == CONSTRAINT_UPPER || k->kind == CONSTRAINT_INTERVAL;
    const Tensor *low = bounded_below ? tensor_view_expand(a, k->low.value, x->shape) : NULL;
    const Tensor *high = bounded_above ? tensor_view_expand(a, k->high.value, x->shape) : NULL;
    for (int64_t i = 0, n = shape_size(x->shape); i < n; i++) {
        real v = tensor_item(x, i);
        if (isnan(v) || (low && !(v >= tensor_item(low, i))) || (high && !(v <= tensor_item(high, i)))) return false;
    }
    return true;
}

/* -- Simplex: stick-breaking. z_k = sigmoid(u_k - log(K - k)), x_k = z_k prod_{j < k} (1 - z_j) -- */

static Shape simplex_free_shape(Ctx *c, Shape x) {
    if (x.rank < 1 || x.dim[x.rank - 1] < 1) {
        ctx_raise_here(c, ERROR_PROGRAM, "a simplex is a vector with at least one element, not an array of shape %s",
                       shape_text(c->session, x));
    }
    x.dim[x.rank - 1]--;
    return x;
}

static real stick_offset(int64_t k, int64_t n) { return log((double)(n - k)); }

/* With m = K - 1 and c_k = sum_{j <= k} log(1 - z_j): log x_k = log z_k + c_{k-1}, log x_K = c_m, and
 * log |J| = sum_k log z_k + log(1 - z_k) + c_{k-1} = sum_k log z_k + c_k. */
static Var simplex_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    (void)k;
    int dim = last(u);
    int64_t m = last_dim(u);
    Var v = op2(t, OP_SUB, u, vector_constant(t, m, stick_offset));
    Var log_z = log_sigmoid(t, v), rest = op_cumsum(t, log_sigmoid_complement(t, v), dim);
    if (log_jacobian) *log_jacobian = sum_last(t, op2(t, OP_ADD, log_z, rest));
    return op1(t, OP_EXP, op2(t, OP_ADD, op_pad(t, log_z, dim, 0, m + 1, 1), op_pad(t, rest, dim, 1, m + 1, 1)));
}

/* Sums of what comes after each element: reversed, summed up, reversed; without the first. */
static Var sums_behind(Tape *t, Var x) {
    int dim = last(x);
    int64_t n = last_dim(x);
    Var sums = op_cumsum(t, op_slice(t, x, dim, n - 1, n, -1), dim);
    return op_slice(t, sums, dim, n - 2, n - 1, -1);
}

/* u_k = log x_k - log sum_{j > k} x_j + log(K - k) */
static Var simplex_inverse(Tape *t, const Constraint *k, Var x) {
    (void)k;
    int dim = last(x);
    int64_t m = last_dim(x) - 1;
    if (m == 0) return op_slice(t, x, dim, 0, 0, 1);
    Var inside = move_inside(t, x, var_number(t, HAIR));
    Var here = op_slice(t, inside, dim, 0, m, 1);
    Var odds = op2(t, OP_SUB, op1(t, OP_LOG, here), op1(t, OP_LOG, sums_behind(t, inside)));
    return op2(t, OP_ADD, odds, vector_constant(t, m, stick_offset));
}

static bool simplex_holds(Arena *a, const Constraint *k, const Tensor *x) {
    (void)a, (void)k;
    if (x->shape.rank < 1) return false;
    int64_t K = x->shape.dim[x->shape.rank - 1], rows = K ? shape_size(x->shape) / K : 0;
    for (int64_t r = 0; r < rows; r++) {
        double sum = 0;
        for (int64_t j = 0; j < K; j++) {
            real v = tensor_item(x, r * K + j);
            if (!(v >= 0)) return false;
            sum += v;
        }
        if (!(fabs(sum - 1) <= TOLERANCE)) return false;
    }
    return K > 0;
}

/* -- Ordered: x_1 = u_1, x_k = x_{k-1} + exp u_k -- */

static Shape ordered_free_shape(Ctx *c, Shape x) {
    if (x.rank < 1) ctx_raise_here(c, ERROR_PROGRAM, "what is ordered is a vector, not a single number");
    return x;
}

static Var ordered_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    (void)k;
    int dim = last(u);
    int64_t n = last_dim(u);
    if (n == 0) {
        if (log_jacobian) *log_jacobian = sum_last(t, u);
        return u;
    }
    Var steps = op_slice(t, u, dim, 1, n - 1, 1);
    if (log_jacobian) *log_jacobian = sum_last(t, steps);
    return op_cumsum(t, op_concat(t, 2, (Var[]){op_slice(t, u, dim, 0, 1, 1), op1(t, OP_EXP, steps)}, dim), dim);
}

static Var ordered_inverse(Tape *t, const Constraint *k, Var x) {
    (void)k;
    int dim = last(x);
    int64_t n = last_dim(x);
    if (n < 2) return x;
    Var steps = op2(t, OP_SUB, op_slice(t, x, dim, 1, n - 1, 1), op_slice(t, x, dim, 0, n - 1, 1));
    Var logs = op1(t, OP_LOG, move_inside(t, steps, var_number(t, HAIR)));
    return op_concat(t, 2, (Var[]){op_slice(t, x, dim, 0, 1, 1), logs}, dim);
}

static bool ordered_holds(Arena *a, const Constraint *k, const Tensor *x) {
    (void)a, (void)k;
    if (x->shape.rank < 1) return false;
    int64_t n = x->shape.dim[x->shape.rank - 1];
    for (int64_t i = 0, size = shape_size(x->shape); i < size; i++) {
        if (isnan(tensor_item(x, i)) || (i % n != 0 && !(tensor_item(x, i) > tensor_item(x, i - 1)))) return false;
    }
    return true;
}

/* -- Matrices. The free numbers are the entries of a lower triangle, row by row. -- */

static int64_t check_square(Ctx *c, Shape x, const char *name) {
    if (x.rank < 2 || x.dim[x.rank - 1] != x.dim[x.rank - 2] || x.dim[x.rank - 1] < 1) {
        ctx_raise_here(c, ERROR_PROGRAM, "a %s is a square matrix, not an array of shape %s", name,
                       shape_text(c->session, x));
    }
    return x.dim[x.rank - 1];
}

static Shape cov_free_shape(Ctx *c, Shape x) {
    int64_t n = check_square(c, x, "cov");
    return shape_append(shape_drop(x, 2), n * (n + 1) / 2);
}

static Shape corr_free_shape(Ctx *c, Shape x) {
    int64_t n = check_square(c, x, "corr_cholesky");
    return shape_append(shape_drop(x, 2), n * (n - 1) / 2);
}

/* The n with n (n + 1) / 2 = m. */
static int64_t triangle_side(Tape *t, int64_t m) {
    int64_t n = (int64_t)((sqrt(8.0 * (double)m + 1) - 1) / 2 + 0.5);
    if (n * (n + 1) / 2 != m)
        ctx_raise_here(t->ctx, ERROR_PROGRAM, "%lld numbers do not fill a triangle", (long long)m);
    return n;
}

/* Places, counted from 1, of the lower triangle's entries in a flat [n, n] matrix, each plus `shift`, for every copy:
 * [lead..., entries]. */
static Var triangle_places(Tape *t, Shape lead, int64_t n, bool with_diagonal, int64_t shift) {
    int64_t m = with_diagonal ? n * (n + 1) / 2 : n * (n - 1) / 2;
    Tensor *places = tensor_new(t->ctx, t->arena, shape1(m));
    for (int64_t i = 0, at = 0; i < n; i++) {
        for (int64_t j = 0; j < i + with_diagonal; j++) places->data[at++] = (real)(i * n + j + 1 + shift);
    }
    return var_constant(tensor_view_expand(t->arena, places, shape_append(lead, m)));
}

static Var triangle_fill(Tape *t, Var entries, int64_t n, bool with_diagonal) {
    Shape lead = shape_drop(shape_of_var(entries), 1);
    Var flat = op_scatter_add(t, entries, triangle_places(t, lead, n, with_diagonal, 0), lead.rank, n * n);
    return op_reshape(t, flat, shape_append(shape_append(lead, n), n));
}

static Var triangle_take(Tape *t, Var matrix, bool with_diagonal, int64_t shift) {
    Shape lead = shape_drop(shape_of_var(matrix), 2);
    Var places = triangle_places(t, lead, last_dim(matrix), with_diagonal, shift);
    return op_gather(t, flatten_matrix(t, matrix), places, lead.rank);
}

/* -- Covariance: L with exp on the diagonal, x = L L^T; log |J| = n log 2 + sum_k (n - k + 2) u_kk -- */

static real cov_weight(int64_t k, int64_t n) { return (real)(n - k + 1); }

static Var cov_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    (void)k;
    int64_t n = triangle_side(t, last_dim(u));
    Var raw = triangle_fill(t, u, n, true), logs = op_diagonal(t, raw);
    if (log_jacobian) {
        Var weighted = sum_last(t, op2(t, OP_MUL, logs, vector_constant(t, n, cov_weight)));
        *log_jacobian = op2(t, OP_ADD, weighted, var_number(t, (real)n * M_LN2));
    }
    Var l = op2(t, OP_ADD, op_tril(t, raw, -1), op_diag_embed(t, op1(t, OP_EXP, logs)));
    return op_matmul(t, l, op_transpose(t, l));
}

/* Cholesky's algorithm on the row-th of the stacked matrices, for the answer alone. */
static bool is_positive_definite(Arena *a, const Tensor *x, int64_t row, int64_t n) {
    double *l = ARENA_ARRAY(a, double, n * n);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) {
            double s = tensor_item(x, (row * n + i) * n + j);
            for (int64_t q = 0; q < j; q++) s -= l[i * n + q] * l[j * n + q];
            if (i == j && !(s > 0)) return false;
            l[i * n + j] = i == j ? sqrt(s) : s / l[j * n + j];
        }
    }
    return true;
}

static bool all_positive_definite(Arena *a, const Tensor *x) {
    int64_t n = x->shape.dim[x->shape.rank - 1];
    for (int64_t r = 0, rows = shape_size(x->shape) / (n * n); r < rows; r++) {
        if (!is_positive_definite(a, x, r, n)) return false;
    }
    return true;
}

static Var cov_inverse(Tape *t, const Constraint *k, Var x) {
    (void)k;
    if (!all_positive_definite(t->arena, x.value)) { /* singular: a hair of the diagonal more */
        Var diagonal = op1(t, OP_ABS, op_diagonal(t, x));
        Var hair = op2(t, OP_MUL, op2(t, OP_ADD, diagonal, var_number(t, HAIR)), var_number(t, HAIR));
        x = op2(t, OP_ADD, x, op_diag_embed(t, hair));
    }
    Var l = op_cholesky(t, x);
    Var logs = op1(t, OP_LOG, op_diagonal(t, l));
    return triangle_take(t, op2(t, OP_ADD, op_tril(t, l, -1), op_diag_embed(t, logs)), true, 0);
}

static bool is_square(const Tensor *x) {
    int rank = x->shape.rank;
    return rank >= 2 && x->shape.dim[rank - 1] == x->shape.dim[rank - 2] && x->shape.dim[rank - 1] > 0;
}

static bool cov_holds(Arena *a, const Constraint *k, const Tensor *x) {
    (void)k;
    if (!is_square(x)) return false;
    int64_t n = x->shape.dim[x->shape.rank - 1];
    for (int64_t i = 0, size = shape_size(x->shape); i < size; i++) {
        int64_t row = i / n % n, column = i % n;
        real here = tensor_item(x, i), there = tensor_item(x, i + (column - row) * (n - 1));
        if (!isfinite(here) || !(fabs(here - there) <= TOLERANCE * (1 + fabs(here)))) return false;
    }
    return all_positive_definite(a, x);
}

/* -- Cholesky factor of a correlation matrix: z = tanh u, L_ij = z_ij prod_{q < j} sqrt(1 - z_iq^2), L_ii the product
 * of the whole row. With s = log(1 - z^2), log |J| = sum_{j < i} (1 + (i - j - 1) / 2) s_ij. -- */

/* log(1 - tanh^2 u) = -2 log cosh u */
static Var log_sech2(Tape *t, Var u) {
    Var minus_2u = op2(t, OP_MUL, u, var_number(t, -2));
    Var s = op2(t, OP_SUB, minus_2u, op2(t, OP_MUL, op1(t, OP_SOFTPLUS, minus_2u), var_number(t, 2)));
    return op2(t, OP_ADD, s, var_number(t, 2 * M_LN2));
}

static Var corr_jacobian(Tape *t, Var s, int64_t n) {
    Tensor *weights = tensor_new(t->ctx, t->arena, shape1(n * (n - 1) / 2));
    for (int64_t i = 1, at = 0; i < n; i++) {
        for (int64_t j = 0; j < i; j++) weights->data[at++] = 1 + (real)(i - j - 1) / 2;
    }
    return sum_last(t, op2(t, OP_MUL, s, var_constant(weights)));
}

static Var corr_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    (void)k;
    int64_t n = triangle_side(t, last_dim(u)) + 1;
    Tensor *identity = tensor_zeros(t->ctx, t->arena, shape2(n, n));
    for (int64_t i = 0; i < n; i++) identity->data[i * (n + 1)] = 1;
    Var s = log_sech2(t, u);
    if (log_jacobian) *log_jacobian = corr_jacobian(t, s, n);
    Shape matrix = shape_append(shape_append(shape_drop(shape_of_var(u), 1), n), n);
    if (n == 1) return var_constant(tensor_view_expand(t->arena, identity, matrix));
    int dim = matrix.rank - 1;
    Var halves = op_cumsum(t, triangle_fill(t, op2(t, OP_MUL, s, var_number(t, 0.5)), n, false), dim);
    Var before = op_pad(t, op_slice(t, halves, dim, 0, n - 1, 1), dim, 1, n, 1); /* log prod_{q < j} sqrt(1 - z^2) */
    Var z = op2(t, OP_ADD, triangle_fill(t, op1(t, OP_TANH, u), n, false), var_constant(identity));
    return op2(t, OP_MUL, z, op1(t, OP_EXP, before));
}

/* sinh u_ij = L_ij / sqrt(sum_{q > j} L_iq^2), since a row has norm 1. */
static Var corr_inverse(Tape *t, const Constraint *k, Var x) {
    (void)k;
    Shape shape = shape_of_var(x);
    int dim = last(x);
    int64_t n = last_dim(x);
    if (n == 1) return op_slice(t, flatten_matrix(t, x), dim - 1, 0, 0, 1);
    Var squares = op1(t, OP_SQUARE, x);
    Var behind = op_pad(t, sums_behind(t, squares), dim, 0, shape.dim[dim], 1);
    Var rest = move_inside(t, triangle_take(t, behind, false, 0), var_number(t, HAIR));
    Var y = op2(t, OP_DIV, triangle_take(t, x, false, 0), op1(t, OP_SQRT, rest));
    /* asinh y = sign(y) log1p(a + a^2 / (1 + sqrt(1 + a^2))), a = |y| */
    Var sign = op3(t, OP_WHERE, op2(t, OP_LT, y, var_number(t, 0)), var_number(t, -1), var_number(t, 1));
    Var a = op2(t, OP_MUL, y, sign), a2 = op1(t, OP_SQUARE, a), one = var_number(t, 1);
    Var root = op2(t, OP_ADD, one, op1(t, OP_SQRT, op2(t, OP_ADD, one, a2)));
    return op2(t, OP_MUL, sign, op1(t, OP_LOG1P, op2(t, OP_ADD, a, op2(t, OP_DIV, a2, root))));
}

static bool corr_holds(Arena *a, const Constraint *k, const Tensor *x) {
    (void)a, (void)k;
    if (!is_square(x)) return false;
    int64_t n = x->shape.dim[x->shape.rank - 1];
    for (int64_t r = 0, rows = shape_size(x->shape) / n; r < rows; r++) {
        int64_t i = r % n;
        double norm = 0;
        for (int64_t j = 0; j < n; j++) {
            real v = tensor_item(x, r * n + j);
            if (j > i ? !(fabs(v) <= TOLERANCE) : j == i && !(v > 0)) return false;
            norm += v * v;
        }
        if (!(fabs(norm - 1) <= TOLERANCE)) return false;
    }
    return true;
}

/* -- The table -- */

static const Row rows[] = {
    [CONSTRAINT_REAL] = {"real", 0, free_shape_same, real_forward, real_inverse, elementwise_holds},
    [CONSTRAINT_LOWER] = {"bounded below", 0, free_shape_same, lower_forward, lower_inverse, elementwise_holds},
    [CONSTRAINT_UPPER] = {"bounded above", 0, free_shape_same, upper_forward, upper_inverse, elementwise_holds},
    [CONSTRAINT_INTERVAL] = {"bounded", 0, free_shape_same, interval_forward, interval_inverse, elementwise_holds},
    [CONSTRAINT_SIMPLEX] = {"simplex", 1, simplex_free_shape, simplex_forward, simplex_inverse, simplex_holds},
    [CONSTRAINT_ORDERED] = {"ordered", 1, ordered_free_shape, ordered_forward, ordered_inverse, ordered_holds},
    [CONSTRAINT_COV] = {"cov", 2, cov_free_shape, cov_forward, cov_inverse, cov_holds},
    [CONSTRAINT_CORR_CHOLESKY] = {"corr_cholesky", 2, corr_free_shape, corr_forward, corr_inverse, corr_holds},
};

const char *constraint_name(ConstraintKind kind) { return rows[kind].name; }
int constraint_event_rank(ConstraintKind kind) { return rows[kind].event_rank; }
Shape constraint_free_shape(Ctx *c, const Constraint *k, Shape x) { return rows[k->kind].free_shape(c, x); }

Var constraint_forward(Tape *t, const Constraint *k, Var u, Var *log_jacobian) {
    return rows[k->kind].forward(t, k, u, log_jacobian);
}

Var constraint_inverse(Tape *t, const Constraint *k, Var x) { return rows[k->kind].inverse(t, k, x); }

bool constraint_holds(Ctx *c, const Constraint *k, const Tensor *x) {
    Arena *a = ctx_arena(c);
    bool holds = rows[k->kind].holds(a, k, x);
    arena_free(a);
    return holds;
}
