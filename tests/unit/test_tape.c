/* Operations computed at once, recording, guards, and programs: the same bits as node by node. */
#include <check.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "tape/program.h"
#include "suite.h"

typedef struct Bench {
    Ctx *ctx;
    Arena *arena;
    Tape *t;
} Bench;

static Bench bench_new(bool recording) {
    Ctx *ctx = ctx_new();
    Arena *arena = arena_new();
    return (Bench){ctx, arena, tape_new(ctx, arena, recording)};
}

static void bench_free(Bench b) {
    arena_free(b.arena);
    ctx_free(b.ctx);
}

static Var array(Tape *t, Shape shape, const real *numbers) {
    Tensor *v = tensor_new(t->ctx, t->arena, shape);
    memcpy(v->data, numbers, (size_t)shape_size(shape) * sizeof *numbers);
    return var_constant(v);
}

static void assert_numbers(Var v, Shape shape, const real *expected) {
    ck_assert(shape_equal(v.value->shape, shape));
    for (int64_t i = 0; i < shape_size(shape); i++)
        ck_assert_double_eq_tol(tensor_item(v.value, i), expected[i], 1e-12);
}

static bool same_bits(real x, real y) { return memcmp(&x, &y, sizeof x) == 0 || (x != x && y != y); }

/* -- Tensors -- */

START_TEST(test_shapes) {
    Shape s;
    ck_assert(shape_broadcast(shape2(3, 1), shape1(4), &s) && shape_equal(s, shape2(3, 4)));
    ck_assert(!shape_broadcast(shape1(3), shape1(4), &s));
    ck_assert_int_eq(shape_size(shape2(INT64_MAX / 2, 16)), INT64_MAX);
    ck_assert_int_eq(shape_size(shape_of(3, (int64_t[]){INT64_MAX / 2, 16, 0})), 0);
    Arena *a = arena_new();
    ck_assert_str_eq(shape_text(a, shape2(100, 3)), "[100, 3]");
    ck_assert_str_eq(shape_text(a, SHAPE_SCALAR), "[]");
    arena_free(a);
}
END_TEST

START_TEST(test_views) {
    Bench b = bench_new(false);
    Tensor *m = tensor_new(b.ctx, b.arena, shape2(2, 3));
    for (int i = 0; i < 6; i++) m->data[i] = i;
    Tensor *mt = tensor_view_permute(b.arena, m, (int[]){1, 0});
    ck_assert(!tensor_is_dense(mt) && tensor_item(mt, 1) == 3);
    ck_assert(!tensor_can_reshape(mt, shape1(6)));
    Tensor *flat = tensor_view_reshape(b.ctx, b.arena, mt, shape1(6));
    ck_assert(flat->data != m->data && flat->data[3] == 4);
    Tensor *split = tensor_view_reshape(b.ctx, b.arena, mt, shape_of(4, (int64_t[]){3, 1, 2, 1}));
    ck_assert(split->data == m->data && tensor_item(split, 1) == 3);
    Tensor *back = tensor_view_slice(b.arena, m, 1, 2, 2, -2);
    ck_assert(tensor_item(back, 0) == 2 && tensor_item(back, 1) == 0 && tensor_item(back, 2) == 5);
    Tensor *wide = tensor_view_expand(b.arena, back, shape_of(3, (int64_t[]){4, 2, 2}));
    ck_assert(tensor_item(wide, 14) == 5);
    bench_free(b);
}
END_TEST

START_TEST(test_kept_tensors_outlive_their_arena) {
    Ctx *c = ctx_new();
    Arena *longer = arena_new(), *shorter = arena_new();
    Tensor *big = tensor_new(c, shorter, shape1(5000)), *small = tensor_scalar(c, shorter, 4);
    big->data[4999] = 7;
    Tensor *kept = tensor_keep(c, longer, tensor_view_slice(shorter, big, 0, 4999, 1, 1));
    Tensor *number = tensor_keep(c, longer, small);
    arena_free(shorter);
    ck_assert(kept->data[0] == 7 && number->data[0] == 4);
    arena_free(longer);
    ctx_free(c);
}
END_TEST

static void allocate_too_much(void *arg) {
    Bench *b = arg;
    tensor_new(b->ctx, b->arena, shape2(1000, 1000));
}

START_TEST(test_too_large) {
    Bench b = bench_new(false);
    Error e;
    b.ctx->max_bytes = 1000000;
    ck_assert(!ctx_protect(b.ctx, allocate_too_much, &b, &e));
    ck_assert_ptr_nonnull(strstr(e.message, "[1000, 1000]"));
    bench_free(b);
}
END_TEST

/* -- Operations -- */

START_TEST(test_elementwise) {
    Bench b = bench_new(false);
    Tape *t = b.t;
    Var row = array(t, shape1(3), (real[]){1, 2, 3}), column = array(t, shape2(2, 1), (real[]){10, 20});
    assert_numbers(op2(t, OP_ADD, row, column), shape2(2, 3), (real[]){11, 12, 13, 21, 22, 23});
    assert_numbers(op3(t, OP_WHERE, op2(t, OP_GT, row, var_number(t, 1)), column, row), shape2(2, 3),
                   (real[]){1, 10, 10, 1, 20, 20});
    assert_numbers(op2(t, OP_MOD, array(t, shape1(3), (real[]){-7, 7, -6}), array(t, shape1(3), (real[]){3, -3, 3})),
                   shape1(3), (real[]){2, -2, 0});
    ck_assert_double_eq(op_scalar(OP_SIGN, 1, (double[]){-INFINITY}), -1);
    ck_assert_double_eq(op_scalar(OP_ROUND, 1, (double[]){2.5}), 2);
    ck_assert_double_eq(op_scalar(OP_SOFTPLUS, 1, (double[]){800}), 800);
    ck_assert_double_eq(op_scalar(OP_SIGMOID, 1, (double[]){-800}), 0);
    ck_assert(isnan(op_scalar(OP_MAX, 2, (double[]){NAN, 1})) && isnan(op_scalar(OP_MIN, 2, (double[]){1, NAN})));
    ck_assert_double_eq(op_scalar(OP_XLOGY, 2, (double[]){0, 0}), 0);
    ck_assert_int_eq(op_find("log1p"), OP_LOG1P);
    ck_assert_int_eq(op_find("no_such"), OP_COUNT);
    Var none = op2(t, OP_MUL, array(t, shape2(0, 3), (real[]){0}), row);
    ck_assert_int_eq(shape_size(none.value->shape), 0);
    bench_free(b);
}
END_TEST

START_TEST(test_scalars_have_the_bits_of_tensors) {
    Bench b = bench_new(false);
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = op_info((Op)op);
        if (!info->elementwise) continue;
        Var in[3];
        real x[3][37];
        for (int k = 0; k < 3; k++) {
            for (int i = 0; i < 37; i++) x[k][i] = 0.03 + fmod(0.61803 * (i + 7 * k + 1), 0.93);
            in[k] = array(b.t, shape1(37), x[k]);
        }
        Var y = op_apply(b.t, (Op)op, info->arity, in, NULL);
        Var strided = op_apply(b.t, (Op)op, info->arity,
                               (Var[]){op_slice(b.t, in[0], 0, 36, 37, -1), op_slice(b.t, in[1], 0, 36, 37, -1),
                                       op_slice(b.t, in[2], 0, 36, 37, -1)},
                               NULL);
        for (int i = 0; i < 37; i++) {
            double one = op_scalar((Op)op, 3, (double[]){x[0][i], x[1][i], x[2][i]});
            ck_assert_msg(same_bits(one, tensor_item(y.value, i)), "%s at %d", info->name, i);
            ck_assert_msg(same_bits(one, tensor_item(strided.value, 36 - i)), "%s reversed at %d", info->name, i);
        }
    }
    bench_free(b);
}
END_TEST

START_TEST(test_reductions) {
    Bench b = bench_new(false);
    Tape *t = b.t;
    Var m = array(t, shape2(2, 3), (real[]){1, 5, 2, 4, -3, 6});
    assert_numbers(op_reduce(t, OP_SUM, m, 1), shape1(3), (real[]){5, 2, 8});
    assert_numbers(op_reduce(t, OP_PROD, m, 2), shape1(2), (real[]){10, -72});
    assert_numbers(op_reduce(t, OP_REDUCE_MAX, m, 3), SHAPE_SCALAR, (real[]){6});
    assert_numbers(op_reduce(t, OP_REDUCE_MIN, m, 2), shape1(2), (real[]){1, -3});
    assert_numbers(op_reduce(t, OP_ARGMAX, m, 2), shape1(2), (real[]){2, 3});
    assert_numbers(op_cumsum(t, m, 1), shape2(2, 3), (real[]){1, 6, 8, 4, 1, 7});
    assert_numbers(op_apply(t, OP_ARGSORT, 1, &m, &(OpAttr){.dim = 1}), shape2(2, 3), (real[]){1, 3, 2, 2, 1, 3});
    Var ties = array(t, shape1(5), (real[]){2, NAN, 1, 2, 1});
    assert_numbers(op_apply(t, OP_ARGSORT, 1, &ties, &(OpAttr){.dim = 0}), shape1(5), (real[]){3, 5, 1, 4, 2});
    Var nothing = array(t, shape1(2), (real[]){-INFINITY, -INFINITY});
    ck_assert(tensor_item(op_reduce(t, OP_LOGSUMEXP, nothing, 1).value, 0) == -INFINITY);
    Var large = array(t, shape1(2), (real[]){1000, 1000});
    assert_numbers(op_reduce(t, OP_LOGSUMEXP, large, 1), SHAPE_SCALAR, (real[]){1000 + log(2)});
    bench_free(b);
}
END_TEST

/* A sum depends on the order of its terms, not on where they lie or on what is summed beside them. */
START_TEST(test_sums_have_the_bits_of_their_terms) {
    Bench b = bench_new(false);
    Tape *t = b.t;
    static const int lengths[] = {1, 7, 8, 9, 255, 256, 257, 1000, 5000};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        int n = lengths[l], width = 21;
        Tensor *m = tensor_new(b.ctx, b.arena, shape2(n, width));
        for (int i = 0; i < n * width; i++) m->data[i] = sin(i * 0.7) * exp(cos(i));
        Var v = var_constant(m), columns = op_reduce(t, OP_SUM, v, 1);
        Var rows = op_reduce(t, OP_SUM, var_constant(tensor_dense(b.ctx, b.arena, op_transpose(t, v).value)), 2);
        Tensor *cube = tensor_view_reshape(b.ctx, b.arena, m, shape_of(3, (int64_t[]){n, 1, width}));
        Var expanded = op_reduce(t, OP_SUM, var_constant(cube), 3);
        for (int j = 0; j < width; j++) {
            real alone = tensor_item(op_sum_all(t, op_slice(t, v, 1, j, 1, 1)).value, 0);
            ck_assert(same_bits(alone, tensor_item(columns.value, j)));
            ck_assert(same_bits(alone, tensor_item(rows.value, j)));
            ck_assert(same_bits(alone, tensor_item(expanded.value, j)));
        }
    }
    bench_free(b);
}
END_TEST

/* Many short lines are taken together: the bits of one by one. */
START_TEST(test_short_lines_have_the_bits_of_long_ones) {
    Bench b = bench_new(false);
    Tape *t = b.t;
    for (int64_t n = 1; n < 80; n += n < 10 ? 1 : 17) {
        Tensor *m = tensor_new(b.ctx, b.arena, shape2(101, n));
        for (int64_t i = 0; i < 101 * n; i++) m->data[i] = 5 * sin((double)(i * i));
        m->data[3 * n] = INFINITY, m->data[5 * n] = NAN;
        for (int64_t j = 0; j < n; j++) m->data[7 * n + j] = -INFINITY;
        Var whole = op_reduce(t, OP_LOGSUMEXP, var_constant(m), 2);
        Var columns = op_reduce(t, OP_LOGSUMEXP, op_permute(t, op_reshape(t, op_transpose(t, var_constant(m)),
                                                                         shape2(n, 101)), (int[]){1, 0}), 2);
        for (int64_t i = 0; i < 101; i++) {
            Var line = op_reduce(t, OP_LOGSUMEXP, op_slice(t, var_constant(m), 0, i, 1, 1), 2);
            real one = tensor_item(line.value, 0);
            ck_assert_msg(same_bits(tensor_item(whole.value, i), one), "line %d of %d", (int)i, (int)n);
            ck_assert_msg(same_bits(tensor_item(columns.value, i), one), "line %d of %d, by columns", (int)i, (int)n);
        }
    }
    bench_free(b);
}
END_TEST

START_TEST(test_reduction_of_dimensions_apart) {
    Bench b = bench_new(false);
    real x[24], expected[3] = {0};
    for (int i = 0; i < 24; i++) x[i] = i * i, expected[i / 4 % 3] += i * i;
    Var cube = array(b.t, shape_of(3, (int64_t[]){2, 3, 4}), x);
    assert_numbers(op_reduce(b.t, OP_SUM, cube, 5), shape1(3), expected);
    bench_free(b);
}
END_TEST

/* In stretches of rows or columns, by one thread and by three. */
START_TEST(test_large_products) {
    static const int sizes[][3] = {{300, 400, 60}, {400, 300, 60}, {70, 1000, 500}, {1000, 17, 260}, {17, 33, 9000}};
    const int n = sizes[_i][0], m = sizes[_i][1], K = sizes[_i][2];
    Bench b = bench_new(false);
    real *x = malloc(sizeof *x * (size_t)(n * K)), *y = malloc(sizeof *y * (size_t)(K * m));
    for (int i = 0; i < n * K; i++) x[i] = sin(i);
    for (int i = 0; i < K * m; i++) y[i] = cos(i);
    Team *teams[2] = {NULL, team_new(3)};
    for (int way = 0; way < 4; way++) {
        Var u = array(b.t, way & 1 ? shape2(K, n) : shape2(n, K), x);
        Var v = array(b.t, way & 2 ? shape2(m, K) : shape2(K, m), y);
        const real *out[2];
        for (int k = 0; k < 2; k++) {
            b.ctx->team = teams[k];
            out[k] = op_matmul(b.t, way & 1 ? op_transpose(b.t, u) : u, way & 2 ? op_transpose(b.t, v) : v).value->data;
        }
        ck_assert_mem_eq(out[0], out[1], sizeof(real) * (size_t)(n * m));
        for (int64_t at = 0; at < (int64_t)n * m; at += at % 11 + 1) {
            int i = (int)(at / m), j = (int)(at % m);
            double sum = 0;
            for (int k = 0; k < K; k++) sum += x[way & 1 ? k * n + i : i * K + k] * y[way & 2 ? j * K + k : k * m + j];
            ck_assert_double_eq_tol(out[0][at], sum, 1e-10);
        }
    }
    team_free(teams[1]);
    free(x), free(y);
    bench_free(b);
}
END_TEST

typedef struct BadGather {
    Tape *t;
    Var from, index;
} BadGather;

static void gather_badly(void *arg) {
    BadGather *g = arg;
    op_gather(g->t, g->from, g->index, 0);
}

START_TEST(test_large_gathers) {
    enum { ROWS = 300, COLUMNS = 400 };
    static real x[ROWS * COLUMNS], index[ROWS];
    Bench b = bench_new(false);
    b.ctx->team = team_new(3);
    for (int i = 0; i < ROWS * COLUMNS; i++) x[i] = i;
    for (int i = 0; i < ROWS; i++) index[i] = 7 * i % ROWS + 1;
    Var m = array(b.t, shape2(ROWS, COLUMNS), x);
    const real *out = op_gather(b.t, m, array(b.t, shape1(ROWS), index), 0).value->data;
    for (int i = 0; i < ROWS * COLUMNS; i++)
        ck_assert_double_eq(out[i], 7 * (i / COLUMNS) % ROWS * COLUMNS + i % COLUMNS);
    index[ROWS - 10] = 0, index[ROWS - 5] = ROWS + 1;
    BadGather bad = {b.t, m, array(b.t, shape1(ROWS), index)};
    Error e;
    ck_assert(!ctx_protect(b.ctx, gather_badly, &bad, &e));
    ck_assert_msg(strstr(e.message, "index 0 ") != NULL, "%s", e.message);
    team_free(b.ctx->team);
    bench_free(b);
}
END_TEST

START_TEST(test_layout) {
    Bench b = bench_new(false);
    Tape *t = b.t;
    Var m = array(t, shape2(2, 3), (real[]){1, 2, 3, 4, 5, 6});
    Var index = array(t, shape1(3), (real[]){2, 2, 1});
    assert_numbers(op_gather(t, m, index, 0), shape2(3, 3), (real[]){4, 5, 6, 4, 5, 6, 1, 2, 3});
    Var each = array(t, shape1(2), (real[]){3, 1});
    assert_numbers(op_gather(t, m, each, 1), shape1(2), (real[]){3, 4});
    assert_numbers(op_scatter_add(t, op_gather(t, m, index, 0), index, 0, 2), shape2(2, 3),
                   (real[]){1, 2, 3, 8, 10, 12});
    Var all = array(t, shape2(1, 4), (real[]){3, 1, 1, 2}), of_all = op_gather(t, m, all, 1);
    assert_numbers(of_all, shape2(2, 4), (real[]){3, 1, 1, 2, 6, 4, 4, 5});
    assert_numbers(op_scatter_add(t, of_all, all, 1, 3), shape2(2, 3), (real[]){2, 2, 3, 8, 5, 6});
    assert_numbers(op_pad(t, m, 1, 4, 5, -2), shape2(2, 5), (real[]){3, 0, 2, 0, 1, 6, 0, 5, 0, 4});
    assert_numbers(op_concat(t, 2, (Var[]){m, op_slice(t, m, 1, 1, 1, 1)}, 1), shape2(2, 4),
                   (real[]){1, 2, 3, 2, 4, 5, 6, 5});
    assert_numbers(op_stack(t, 2, (Var[]){each, each}), shape2(2, 2), (real[]){3, 1, 3, 1});
    Var s = op_slice(t, m, 1, 0, 2, 1);
    assert_numbers(op_tril(t, s, 0), shape2(2, 2), (real[]){1, 0, 4, 5});
    assert_numbers(op_diagonal(t, s), shape1(2), (real[]){1, 5});
    assert_numbers(op_diag_embed(t, op_diagonal(t, s)), shape2(2, 2), (real[]){1, 0, 0, 5});
    bench_free(b);
}
END_TEST

START_TEST(test_products) {
    Bench b = bench_new(false);
    Tape *t = b.t;
    static const int sizes[][3] = {{1, 1, 1},   {2, 3, 4},    {1, 40, 30}, {40, 1, 30},
                                   {30, 20, 1}, {17, 23, 19}, {3, 3, 0}};
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++)
        for (int layout = 0; layout < 9; layout++) {
            int n = sizes[c][0], m = sizes[c][1], K = sizes[c][2];
            Tensor *a = tensor_new(b.ctx, b.arena, layout % 3 == 1 ? shape2(K, n) : shape2(n, K));
            Tensor *x = tensor_new(b.ctx, b.arena, layout / 3 == 1 ? shape2(m, K) : shape2(K, m));
            for (int i = 0; i < n * K; i++) a->data[i] = sin(i);
            for (int i = 0; i < m * K; i++) x->data[i] = cos(3 * i);
            Var va = var_constant(a), vx = var_constant(x);
            if (layout % 3 == 1) va = op_transpose(t, va);
            if (layout / 3 == 1) vx = op_transpose(t, vx);
            if (layout % 3 == 2 && K) va = op_slice(t, op_pad(t, va, 1, 1, 2 * K + 1, 2), 1, 1, K, 2);
            if (layout / 3 == 2 && K) vx = op_slice(t, op_pad(t, vx, 0, K - 1, K, -1), 0, K - 1, K, -1);
            Var y = op_matmul(t, va, vx);
            for (int i = 0; i < n; i++)
                for (int j = 0; j < m; j++) {
                    double s = 0;
                    for (int k = 0; k < K; k++)
                        s += tensor_item(va.value, i * K + k) * tensor_item(vx.value, k * m + j);
                    ck_assert_double_eq_tol(tensor_item(y.value, i * m + j), s, 1e-12);
                }
        }
    bench_free(b);
}
END_TEST

static void assert_item(Var v, int64_t i, double x) {
    double y = tensor_item(v.value, i);
    if (!(fabs(y - x) <= 1e-12)) ck_abort_msg("%g is not %g (element %lld)", y, x, (long long)i);
}

/* Every way to solve, for vectors that share a triangle, too: multiplied back, it gives what it was given. */
static void check_solves(Tape *t, Var l, int n, int64_t count, int64_t m) {
    Tensor *b = tensor_new(t->ctx, t->arena, (Shape){.rank = 3, .dim = {count, n, m}});
    for (int64_t i = 0; i < count * n * m; i++) b->data[i] = (real)cos(7 * i);
    for (int flags = 0; flags < 4; flags++) {
        Var triangle = flags & TRI_UPPER ? op_transpose(t, l) : l;
        Var x = op_tri_solve(t, triangle, var_constant(b), flags);
        Var again = op_matmul(t, flags & TRI_TRANSPOSED ? op_transpose(t, triangle) : triangle, x);
        for (int64_t i = 0; i < count * n * m; i++) assert_item(again, i, b->data[i]);
    }
    Var x = op_tri_solve(t, l, var_constant(b), 0), q = op_inv_quad(t, l, var_constant(b));
    for (int64_t k = 0; k < count; k++) {
        double sum = 0;
        for (int64_t i = 0; i < n * m; i++) sum += pow(tensor_item(x.value, k * n * m + i), 2);
        assert_item(q, k, sum);
    }
}

START_TEST(test_factors) {
    static const int sizes[] = {1, 2, 12, 40, 300};
    int n = sizes[_i];
    Bench b = bench_new(false);
    Tape *t = b.t;
    Tensor *a = tensor_new(b.ctx, b.arena, shape2(n, n));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) a->data[i * n + j] = 1 / (1.0 + abs(i - j));
    Var va = var_constant(a), l = op_cholesky(t, va), again = op_matmul(t, l, op_transpose(t, l));
    for (int i = 0; i < n * n; i++) assert_item(again, i, a->data[i]);
    Var inverse = op_root_inverse(t, l), one = op_matmul(t, va, inverse);
    for (int i = 0; i < n * n; i++) assert_item(one, i, i / n == i % n);
    Var logs = op_sum_all(t, op1(t, OP_LOG, op_diagonal(t, l)));
    assert_item(op_log_diag(t, op1(t, OP_NEG, l)), 0, *logs.value->data);
    check_solves(t, l, n, 1, 1);
    check_solves(t, l, n, 37, 1);
    check_solves(t, l, n, 2, 3);
    bench_free(b);
}
END_TEST

/* -- What is refused -- */

typedef struct Attempt {
    Tape *t;
    int which;
} Attempt;

static void attempt(void *arg) {
    Attempt *a = arg;
    Tape *t = a->t;
    Var v = array(t, shape1(3), (real[]){1, 2, 4}),
        m = op_reshape(t, array(t, shape1(4), (real[]){1, 2, 2, 1}), shape2(2, 2));
    switch (a->which) {
    case 0: op2(t, OP_ADD, v, array(t, shape1(2), (real[]){1, 2})); break;
    case 1: op_gather(t, v, v, 0); break;
    case 2: op_cholesky(t, m); break;
    case 3: op_matmul(t, m, op_reshape(t, v, shape2(3, 1))); break;
    case 4: op_slice(t, v, 0, 2, 2, 1); break;
    case 5: op_reshape(t, v, shape1(4)); break;
    default: op_gather(t, v, var_number(t, 1.5), 0); break;
    }
}

START_TEST(test_refusals_say_why) {
    static const char *const messages[] = {
        "[3] and [2]", "index 4",  "not positive definite", "[2, 2] and [3, 1]", "3..4 is not within 1..3",
        "[4]",         "index 1.5"};
    Bench b = bench_new(true);
    b.ctx->span = (Span){.file = -1, .line = 12};
    Attempt a = {b.t, _i};
    Error e;
    ck_assert(!ctx_protect(b.ctx, attempt, &a, &e));
    ck_assert_msg(strstr(e.message, messages[_i]) != NULL, "%s", e.message);
    ck_assert_int_eq(e.span.line, 12);
    bench_free(b);
}
END_TEST

/* -- Recording -- */

START_TEST(test_only_what_depends_is_recorded) {
    Bench b = bench_new(true);
    Tape *t = b.t;
    Var c = op1(t, OP_EXP, var_number(t, 1));
    ck_assert(!var_is_taped(c) && t->nnodes == 0);
    t->inputs[0] = (real[]){3, 4};
    Var x = tape_input(t, 0, 0, shape1(2)), y = op2(t, OP_MUL, x, c), z = op2(t, OP_MUL, y, c);
    ck_assert(var_is_taped(z) && t->nnodes == 4);
    ck_assert_int_eq(t->nodes[y.node].inputs[1], t->nodes[z.node].inputs[1]);
    op2(t, OP_ADD, x, var_number(t, 2));
    op2(t, OP_SUB, x, var_number(t, 2));
    ck_assert_int_eq(t->nnodes, 7);
    tape_truncate(t, 2);
    Var again = op2(t, OP_SUB, x, var_number(t, 2));
    ck_assert_int_eq(t->nnodes, 4);
    ck_assert_int_eq(t->nodes[again.node].inputs[1], 2);
    t->recording = false;
    ck_assert(!var_is_taped(op1(t, OP_EXP, x)));
    bench_free(b);
}
END_TEST

/* -- Random streams -- */

static Var normals(Tape *t, Shape shape, RandomSite site) { return op_random(t, OP_NORMAL, 0, NULL, shape, &site); }

START_TEST(test_inverses_undo) {
    Bench b = bench_new(true);
    Tape *t = b.t;
    const real x[4] = {800, -800, -2, 0.5};
    t->inputs[0] = x;
    Var in = tape_input(t, 0, 0, shape1(4)), scale = op1(t, OP_EXP, in), root = op1(t, OP_SQRT, in);
    ck_assert_int_eq(op1(t, OP_LOG, scale).node, in.node); /* where exp over- and underflows too */
    Var third = op1(t, OP_LOG, op_slice(t, scale, 0, 2, 1, 1));
    assert_numbers(third, shape1(1), (real[]){-2});
    Var fixed = op1(t, OP_LOG, op_stop_gradient(t, scale)), g;
    assert_numbers(fixed, shape1(4), x);
    tape_grad(t, op_sum_all(t, op2(t, OP_MUL, fixed, in)), NULL, 1, &in, &g);
    assert_numbers(g, shape1(4), x);
    Var variable = tape_variable(t, scale), log = op1(t, OP_LOG, variable);
    tape_grad(t, op_sum_all(t, log), NULL, 1, &variable, &g);
    ck_assert_double_eq_tol(tensor_item(g.value, 3), exp(-0.5), 1e-15); /* a variable stands for itself */
    Var two = var_number(t, 2), squares[2] = {op1(t, OP_SQUARE, root), op2(t, OP_POW, root, two)};
    for (int k = 0; k < 2; k++) {
        ck_assert(tensor_item(squares[k].value, 0) == 800 && isnan(tensor_item(squares[k].value, 2)));
        tape_grad(t, op_slice(t, squares[k], 0, 3, 1, 1), NULL, 1, &in, &g);
        assert_numbers(g, shape1(4), (real[]){0, 0, 0, 1});
    }
    bench_free(b);
}
END_TEST

START_TEST(test_streams_belong_to_addresses) {
    Bench b = bench_new(true);
    Tape *t = b.t;
    t->step = 5;
    RandomSite plate = {.key = 42, .n = 1, .index = {{.dim = 0, .first = 3}}, .particle_dim = -1};
    Var whole = normals(t, shape2(4, 2), plate);
    for (int i = 0; i < 4; i++) { /* element by element; the event is one stream */
        Var one = normals(t, shape1(2),
                          (RandomSite){.key = 42, .n = 1, .index = {{.dim = -1, .first = 3 + i}}, .particle_dim = -1});
        for (int e = 0; e < 2; e++) ck_assert(tensor_item(one.value, e) == tensor_item(whole.value, 2 * i + e));
    }
    Stream s = stream_at(42, 4, 0, 5);
    ck_assert(stream_normal(&s) == tensor_item(whole.value, 2) && stream_normal(&s) == tensor_item(whole.value, 3));
    RandomSite listed = {.key = 42, .n = 1, .index = {{.dim = 0, .ids = 1}}, .particle_dim = -1};
    Var ids = array(t, shape1(2), (real[]){6, 4});
    Var some = op_random(t, OP_NORMAL, 1, &ids, shape2(2, 2), &listed);
    ck_assert(tensor_item(some.value, 0) == tensor_item(whole.value, 6) &&
              tensor_item(some.value, 2) == tensor_item(whole.value, 2));
    /* particles first, two indices written in the other order than they lie */
    RandomSite two = {.key = 42, .n = 2, .index = {{.dim = 2, .first = 1}, {.dim = 1, .first = 1}}, .particle_dim = 0};
    Var grid = normals(t, shape_of(3, (int64_t[]){2, 3, 4}), two);
    s = stream_at(key_fold(42, 3), 2, 1, 5);
    ck_assert(stream_normal(&s) == tensor_item(grid.value, 12 + 1 * 4 + 2));
    t->particle = 1;
    two.particle_dim = -1;
    Var second = normals(t, shape_of(3, (int64_t[]){1, 3, 4}), two);
    for (int i = 0; i < 12; i++) ck_assert(tensor_item(second.value, i) == tensor_item(grid.value, 12 + i));
    bench_free(b);
}
END_TEST

START_TEST(test_draws_take_their_own_parameters) {
    Bench b = bench_new(true);
    Tape *t = b.t;
    RandomSite site = {.key = 7, .n = 1, .index = {{.dim = 0, .first = 1}}, .particle_dim = -1};
    Var rates = array(t, shape2(3, 1), (real[]){0.01, 10, 1000});
    Var counts = op_random(t, OP_DRAW_POISSON, 1, &rates, shape2(3, 50), &site);
    Var means = op_reduce(t, OP_SUM, counts, 2);
    ck_assert_msg(tensor_item(means.value, 0) < 10 && fabs(tensor_item(means.value, 1) / 50 - 10) < 3 &&
                      fabs(tensor_item(means.value, 2) / 50 - 1000) < 30,
                  "%g %g %g", tensor_item(means.value, 0), tensor_item(means.value, 1), tensor_item(means.value, 2));
    Var logits = array(t, shape2(3, 2), (real[]){0, -INFINITY, -INFINITY, 0, 0, -INFINITY});
    Var k = op_random(t, OP_DRAW_CATEGORICAL, 1, &logits, shape1(3), &site);
    assert_numbers(k, shape1(3), (real[]){1, 2, 1});
    bench_free(b);
}
END_TEST

/* -- Programs -- */

enum { POOL = 40, OUTPUTS = 6, NUMBERS = 40000 };

typedef struct Lot {
    uint64_t state;
    int most; /* numbers in an array */
} Lot;

static int lot(Lot *l, int n) {
    l->state = l->state * 6364136223846793005u + 1442695040888963407u;
    return (int)((l->state >> 33) % (uint64_t)n);
}

/* One more value from those there are; what is chosen depends on the lot and on shapes, never on numbers. */
static Var random_operation(Tape *t, Lot *l, const Var *pool, int n) {
    static const Op unary[] = {OP_NEG, OP_EXP, OP_TANH, OP_SQUARE, OP_SIGMOID, OP_SOFTPLUS, OP_ABS, OP_SIN, OP_LGAMMA};
    static const Op binary[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV, OP_MAX, OP_LT, OP_LOG_ADD_EXP};
    static const Op reductions[] = {OP_SUM, OP_LOGSUMEXP, OP_REDUCE_MAX, OP_PROD};
    Var a = pool[lot(l, n)], b = pool[lot(l, n)];
    Shape s = a.value->shape, both;
    int dim = s.rank ? lot(l, s.rank) : 0;
    switch (lot(l, 13)) {
    case 0:
    case 1: return op1(t, unary[lot(l, sizeof unary / sizeof *unary)], a);
    case 2:
    case 3:
    case 4:
        if (!shape_broadcast(s, b.value->shape, &both) || shape_size(both) > l->most) b = var_number(t, lot(l, 5) - 1.5);
        return op2(t, binary[lot(l, sizeof binary / sizeof *binary)], a, b);
    case 5: return op_reduce(t, reductions[lot(l, 4)], a, (uint32_t)lot(l, 1 << s.rank));
    case 6: return s.rank >= 2 ? op_transpose(t, a) : a;
    case 7: return s.rank ? op_slice(t, a, dim, s.dim[dim] - 1, s.dim[dim], -1) : a;
    case 8: return s.rank ? op_reshape(t, a, shape1(shape_size(s))) : op_reshape(t, a, shape2(1, 1));
    case 9: return s.rank && shape_size(s) < 200 ? op_concat(t, 2, (Var[]){a, op1(t, OP_COS, a)}, dim) : a;
    case 10:
        if (s.rank != 2) return op1(t, OP_SIN, a);
        return shape_size(s) < 200 ? op_tril(t, op_matmul(t, op_transpose(t, a), a), 0) : a;
    case 11:
        return s.rank ? op_gather(t, a, array(t, shape2(1, 2), (real[]){1, (real)s.dim[0]}), 0) : op1(t, OP_EXP, a);
    default: {
        RandomSite site = {.key = l->state, .particle_dim = -1};
        if (s.rank) site.n = 1, site.index[0].first = 1;
        return op2(t, OP_ADD, a, op_random(t, OP_NORMAL, 0, NULL, s, &site));
    }
    }
}

/* A random graph, and the gradient of all of it. */
static void random_graph(Tape *t, uint64_t seed, int columns, Var *outputs) {
    Lot l = {seed * 77 + 1, 100 * columns};
    Var pool[POOL];
    pool[0] = tape_input(t, 0, 0, shape2(3, columns));
    pool[1] = tape_input(t, 0, 3 * columns, SHAPE_SCALAR);
    pool[2] = tape_input(t, 1, 3, shape1(columns));
    pool[3] = array(t, shape2(3, 1), (real[]){1, -2, 0.5});
    for (int n = 4; n < POOL; n++) {
        pool[n] = random_operation(t, &l, pool, n);
        if (pool[n].value->shape.rank > 5 || shape_size(pool[n].value->shape) > 125 * columns) pool[n] = pool[lot(&l, n)];
    }
    Var y = var_number(t, 0), wrt[2] = {pool[0], pool[2]};
    for (int n = POOL - 8; n < POOL; n++) y = op2(t, OP_ADD, y, op_sum_all(t, op1(t, OP_TANH, pool[n])));
    outputs[0] = y;
    tape_grad(t, y, NULL, 2, wrt, outputs + 1);
    for (int k = 3; k < OUTPUTS; k++) outputs[k] = pool[POOL - k];
}

static void fill(real *x, int n, int which) {
    for (int i = 0; i < n; i++) x[i] = sin(1.3 * i + which) + 0.1 * which;
}

static void assert_outputs(const Program *p, const Var *expected, const char *when, uint64_t seed) {
    for (int k = 0; k < OUTPUTS; k++) {
        const real *got = program_output(p, k);
        for (int64_t i = 0; i < shape_size(expected[k].value->shape); i++) {
            real e = tensor_item(expected[k].value, i);
            ck_assert_msg(same_bits(got[i], e), "graph %d, output %d, element %d, %s: %.17g, not %.17g", (int)seed, k,
                          (int)i, when, got[i], e);
        }
    }
}

/* Short arrays, and ones that are long enough to be taken block by block, by two threads. */
START_TEST(test_programs_give_the_same_bits) {
    static real x[2][2][NUMBERS];
    int columns = _i < 8 ? 4 : _i % 2 ? 700 : 10007, graphs = columns == 4 ? 50 : columns == 700 ? 12 : 1;
    Team *team = columns == 10007 ? team_new(2) : NULL;
    for (uint64_t seed = (uint64_t)(_i * 50); seed < (uint64_t)(_i * 50 + graphs); seed++) {
        Var first[OUTPUTS], second[OUTPUTS];
        Bench b[2];
        for (int run = 0; run < 2; run++) {
            b[run] = bench_new(true);
            for (int s = 0; s < 2; s++) fill(x[run][s], NUMBERS, 2 * run + s), b[run].t->inputs[s] = x[run][s];
            b[run].t->step = (uint32_t)run;
            random_graph(b[run].t, seed, columns, run ? second : first);
            b[run].ctx->team = team;
        }
        static real gradient[NUMBERS];
        real *place[OUTPUTS] = {NULL, gradient};
        Program *p = program_new(b[0].t, OUTPUTS, first, place);
        ck_assert_int_eq(program_run(p, &(RunInputs){{x[0][0], x[0][1]}, 0, 0}), RUN_DONE);
        assert_outputs(p, first, "as recorded", seed);
        ck_assert(program_output(p, 1) == gradient);
        /* the tape of the program may go; other vectors, another step */
        bench_free(b[0]);
        ck_assert_int_eq(program_run(p, &(RunInputs){{x[1][0], x[1][1]}, 1, 0}), RUN_DONE);
        assert_outputs(p, second, "with other inputs", seed);
        program_free(p);
        bench_free(b[1]);
    }
    team_free(team);
}
END_TEST

/* A lazy tape has no numbers until they are read, or a program computes them. */
START_TEST(test_lazily_recorded) {
    static real x[2][NUMBERS];
    for (int s = 0; s < 2; s++) fill(x[s], NUMBERS, s);
    for (uint64_t seed = 500; seed < 560; seed++) {
        Var now[OUTPUTS], later[OUTPUTS];
        Bench b[2];
        for (int run = 0; run < 2; run++) {
            b[run] = bench_new(true);
            b[run].t->inputs[0] = x[0], b[run].t->inputs[1] = x[1];
            b[run].t->lazy = run;
            random_graph(b[run].t, seed, 40, run ? later : now);
        }
        ck_assert(now[0].value->data && !later[0].value->data);
        int wanted = (int)(seed % OUTPUTS);
        ck_assert(tape_value(b[1].t, later[wanted]) == later[wanted].value && later[wanted].value->data);
        tape_guard(b[1].t, later[wanted]);
        Program *p = program_new(b[1].t, OUTPUTS, later, NULL);
        ck_assert_int_eq(program_run(p, &(RunInputs){{x[0], x[1]}, 0, 0}), RUN_DONE);
        assert_outputs(p, now, "recorded lazily", seed);
        for (int k = 0; k < OUTPUTS; k++) {
            ck_assert(shape_equal(now[k].value->shape, later[k].value->shape));
            tape_value(b[1].t, later[k]);
        }
        assert_outputs(p, later, "read from the tape", seed);
        program_free(p);
        for (int run = 0; run < 2; run++) bench_free(b[run]);
    }
}
END_TEST

/* Few normals are made for some steps at once: the same ones, whatever steps and particles follow each other. */
START_TEST(test_normals_of_coming_steps) {
    enum { KINDS = 4 };
    const Shape shapes[KINDS] = {SHAPE_SCALAR, shape1(10), shape2(4, 5), shape1(33)};
    const RandomSite sites[KINDS] = {{.key = 1, .particle_dim = -1},
                                     {.key = 2, .n = 1, .index = {{.first = 1}}, .particle_dim = -1},
                                     {.key = 3, .n = 1, .index = {{.dim = 1, .first = 2}}, .particle_dim = 0},
                                     {.key = 4, .particle_dim = -1}};
    Bench b = bench_new(true);
    Var drawn[KINDS];
    for (int k = 0; k < KINDS; k++) drawn[k] = op1(b.t, OP_NEG, normals(b.t, shapes[k], sites[k]));
    Program *p = program_new(b.t, KINDS, drawn, NULL);
    for (uint32_t run = 0; run < 120; run++) {
        RunInputs in = {.step = run < 50 ? run : run < 60 ? 100 - run : 20 + run, .particle = run > 80};
        if (run > 100) in.particle = run % 2, in.step = 4;
        ck_assert_int_eq(program_run(p, &in), RUN_DONE);
        Bench now = bench_new(true);
        now.t->step = in.step, now.t->particle = in.particle;
        for (int k = 0; k < KINDS; k++) {
            Var x = normals(now.t, shapes[k], sites[k]);
            for (int64_t i = 0; i < shape_size(shapes[k]); i++)
                ck_assert_msg(program_output(p, k)[i] == -tensor_item(x.value, i), "run %u, kind %d", run, k);
        }
        bench_free(now);
    }
    program_free(p);
    bench_free(b);
}
END_TEST

static volatile int allocations; /* written from within malloc */
static void count_allocation(const volatile void *block, size_t size) {
    (void)block, (void)size;
    allocations++;
}
static void ignore_release(const volatile void *block) { (void)block; }
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
                                              void (*on_free)(const volatile void *)) __attribute__((weak));

/* Two operations on numbers, or one on lanes and its sum, of which nothing else needs the first. */
START_TEST(test_two_operations_in_one_instruction) {
    enum { SIDES = 8, LANES = 5, ALL = SIDES * SIDES + 5 };
    static const Op ops[] = {OP_ADD, OP_SUB, OP_MUL, OP_DIV};
    real x[3 + 2 * LANES];
    for (int k = 0; k < 3 + 2 * LANES; k++) x[k] = sin(1.7 * k + 0.3);
    unsetenv("PPL_OPTIMISE");
    Bench b = bench_new(true);
    Tape *t = b.t;
    t->inputs[0] = x;
    Var in[3], out[ALL], z = tape_input(t, 0, 3, shape1(LANES)), w = tape_input(t, 0, 3 + LANES, shape1(LANES));
    for (int k = 0; k < 3; k++) in[k] = tape_input(t, 0, k, SHAPE_SCALAR);
    for (int k = 0; k < SIDES * SIDES; k++) {
        Var given = op2(t, OP_ADD, in[k % 3], var_number(t, 1 + 0.1 * k)), last = given;
        for (int j = 0, side = k; j < 2; j++, side /= SIDES) {
            Var other = in[(k + j + 1) % 3];
            last = op2(t, ops[side % 4], side % SIDES < 4 ? last : other, side % SIDES < 4 ? other : last);
        }
        out[k] = last;
    }
    Var e = op1(t, OP_SIN, z), f = op1(t, OP_COS, w), g = op1(t, OP_ABS, z), *sums = out + SIDES * SIDES;
    sums[0] = op_sum_all(t, op1(t, OP_SQUARE, z));
    sums[1] = op_sum_all(t, op2(t, OP_MUL, z, w));
    sums[2] = op_sum_all(t, op2(t, OP_MUL, op1(t, OP_NEG, e), w));
    sums[3] = op_sum_all(t, op2(t, OP_MUL, w, op1(t, OP_SQRT, g)));
    sums[4] = op_sum_all(t, op1(t, OP_SQUARE, op2(t, OP_ADD, f, z)));
    for (int k = 0; k < ALL; k++) { /* together they would become arrays */
        Program *p = program_new(t, 1, &out[k], NULL);
        ck_assert_int_eq(program_run(p, &(RunInputs){{x}, 0, 0}), RUN_DONE);
        ck_assert_msg(*program_output(p, 0) == out[k].value->data[0], "%d: %.17g instead of %.17g", k,
                      (double)*program_output(p, 0), (double)out[k].value->data[0]);
        program_free(p);
    }
    bench_free(b);
}
END_TEST

START_TEST(test_runs_allocate_nothing) {
    Bench b = bench_new(true);
    Tape *t = b.t;
    real x[200];
    fill(x, 200, 1);
    t->inputs[0] = x;
    Var m = tape_input(t, 0, 0, shape2(10, 10)), v = tape_input(t, 0, 100, shape1(100));
    Var a = op2(t, OP_ADD, op_matmul(t, m, op_transpose(t, m)),
                op_diag_embed(t, op_expand(t, var_number(t, 20), shape1(10))));
    Var l = op_cholesky(t, a), z = op_tri_solve(t, l, m, 0);
    Var order = op_apply(t, OP_ARGSORT, 1, &v, &(OpAttr){.dim = 0}), sorted = op_gather(t, v, order, 0);
    RandomSite site = {.key = 1, .n = 1, .index = {{.dim = 0, .first = 1}}, .particle_dim = -1};
    Var rates = op1(t, OP_EXP, v), noise = op_random(t, OP_DRAW_GAMMA, 1, &rates, shape1(100), &site);
    Var y =
        op2(t, OP_ADD, op_sum_all(t, op1(t, OP_LOG, op_diagonal(t, l))), op_sum_all(t, op2(t, OP_MUL, sorted, noise)));
    y = op2(t, OP_ADD, y, op_sum_all(t, op1(t, OP_SQUARE, z)));
    Var wrt[2] = {m, v}, out[3] = {y};
    tape_grad(t, y, NULL, 2, wrt, out + 1);
    Program *p = program_new(t, 3, out, NULL);
    RunInputs in = {{x}, 0, 0};
    ck_assert_int_eq(program_run(p, &in), RUN_DONE); /* the libraries set themselves up */
    allocations = 0;
    bool hooked = __sanitizer_install_malloc_and_free_hooks &&
                  __sanitizer_install_malloc_and_free_hooks(count_allocation, ignore_release) > 0;
    size_t before = mallinfo2().uordblks;
    int done = 0, none; /* assertions allocate */
    for (in.step = 1; in.step < 20; in.step++) done += program_run(p, &in) == RUN_DONE;
    size_t after = mallinfo2().uordblks;
    none = allocations;
    void *volatile block = malloc(1);
    free(block);
    int one = allocations;
    ck_assert(done == 19 && none == 0 && after == before);
    ck_assert(!hooked || one == 1); /* the count counts */
    program_free(p);
    bench_free(b);
}
END_TEST

START_TEST(test_dead_and_equal_work_is_dropped) {
    unsetenv("PPL_OPTIMISE");
    Bench b = bench_new(true);
    Tape *t = b.t;
    real x[1000];
    fill(x, 1000, 1);
    t->inputs[0] = x;
    Var v = tape_input(t, 0, 0, shape1(1000)), y = v;
    op1(t, OP_LGAMMA, v);
    Var twice = op2(t, OP_ADD, op1(t, OP_EXP, v), op1(t, OP_EXP, op_stop_gradient(t, v)));
    Program *p = program_new(t, 1, &twice, NULL);
    ck_assert_int_eq(program_length(p), 2);
    program_free(p);
    Var c = tape_variable(t, var_number(t, 3)), fixed = op1(t, OP_SQUARE, c);
    p = program_new(t, 1, &fixed, NULL);
    ck_assert(program_length(p) == 0 && program_output(p, 0)[0] == 9);
    program_free(p);
    for (int k = 0; k < 100; k++) y = op1(t, OP_SIN, y);
    p = program_new(t, 1, &y, NULL);
    ck_assert_int_eq(program_length(p), 100);
    ck_assert_uint_le(program_buffer_bytes(p), 3 * 8064); /* two places take turns */
    program_free(p);
    bench_free(b);
}
END_TEST

START_TEST(test_guards) {
    Bench b = bench_new(true);
    Tape *t = b.t;
    real x[3] = {1, 2, 2};
    t->inputs[0] = x;
    Var v = tape_input(t, 0, 0, shape1(3)), first = op_slice(t, v, 0, 0, 1, 1);
    ck_assert(tape_read(t, op2(t, OP_LT, op_reshape(t, first, SHAPE_SCALAR), var_number(t, 1.5))) == 1);
    int nodes = t->nnodes;
    Var y = op_sum_all(t, op_gather(t, v, op_slice(t, v, 0, 1, 1, 1), 0));
    tape_guard(t, op2(t, OP_GT, v, var_number(t, 0)));
    Program *p = program_new(t, 1, &y, NULL);
    RunInputs in = {{x}, 0, 0};
    ck_assert(program_run(p, &in) == RUN_DONE && program_output(p, 0)[0] == 2);
    x[0] = 1.4;
    ck_assert_int_eq(program_run(p, &in), RUN_DONE);
    x[0] = 1.6;
    ck_assert_int_eq(program_run(p, &in), RUN_GUARD_FAILED);
    x[0] = -1;
    ck_assert_int_eq(program_run(p, &in), RUN_GUARD_FAILED);
    x[0] = 1;
    x[1] = 3;
    ck_assert_int_eq(program_run(p, &in), RUN_DONE);
    x[1] = 4; /* an index outside */
    ck_assert_int_eq(program_run(p, &in), RUN_GUARD_FAILED);
    program_free(p);
    /* a guard that was truncated is recorded again */
    tape_truncate(t, nodes);
    tape_guard(t, first);
    int with = t->nnodes;
    tape_guard(t, first);
    ck_assert_int_eq(t->nnodes, with);
    tape_truncate(t, with - 1);
    tape_guard(t, first);
    ck_assert_int_eq(t->nnodes, with);
    bench_free(b);
}
END_TEST

START_TEST(test_what_is_not_finite_is_found) {
    Bench b = bench_new(true);
    Tape *t = b.t;
    real x[3] = {4, 1, 2};
    Span at;
    t->inputs[0] = x;
    Var v = tape_input(t, 0, 0, shape1(3)), zero = var_number(t, 0);
    Var masked = op3(t, OP_WHERE, op2(t, OP_GT, v, var_number(t, -9)), zero, op1(t, OP_LOG, op2(t, OP_SUB, v, v)));
    b.ctx->span.line = 5;
    Var shifted = op2(t, OP_SUB, v, var_number(t, 1)), l = op1(t, OP_LOG, shifted);
    b.ctx->span.line = 6;
    Var y = op2(t, OP_ADD, op_sum_all(t, op1(t, OP_EXP, l)), op_sum_all(t, masked));
    Program *p = program_new(t, 1, &y, NULL);
    RunInputs in = {{x}, 0, 0};
    program_run(p, &in);
    ck_assert_ptr_null(program_first_nonfinite(p, b.arena, &at));
    x[1] = -0.53;
    program_run(p, &in);
    const char *why = program_first_nonfinite(p, b.arena, &at);
    ck_assert_ptr_nonnull(why);
    ck_assert_str_eq(why, "log of -1.53 gives nan (element 2 of [3])");
    ck_assert_int_eq(at.line, 5);
    program_free(p);
    /* what another step takes on its way, is named itself */
    real some[20];
    for (int i = 0; i < 20; i++) some[i] = i;
    t->inputs[2] = some;
    Var u = tape_input(t, 2, 0, shape1(20)), large = op2(t, OP_MUL, u, var_number(t, (real)1e307));
    Var off = op_sum_all(t, op1(t, OP_TANH, op2(t, OP_SUB, large, u)));
    p = program_new(t, 1, &off, NULL);
    some[3] = NAN;
    program_run(p, &(RunInputs){{x, NULL, some}, 0, 0});
    why = program_first_nonfinite(p, b.arena, &at);
    ck_assert_ptr_nonnull(why);
    ck_assert_str_eq(why, "mul of nan and 1e+307 gives nan (element 4 of [20])");
    program_free(p);
    /* in the midst of what is taken block by block */
    real wide[1000];
    for (int i = 0; i < 1000; i++) wide[i] = 1 + i;
    t->inputs[1] = wide;
    Var w = tape_input(t, 1, 0, shape1(1000));
    b.ctx->span.line = 7;
    Var root = op1(t, OP_SQRT, op2(t, OP_SUB, w, var_number(t, 3)));
    b.ctx->span.line = 8;
    Var total = op_sum_all(t, op1(t, OP_EXP, op1(t, OP_NEG, root)));
    p = program_new(t, 1, &total, NULL);
    program_run(p, &(RunInputs){{x, wide}, 0, 0});
    why = program_first_nonfinite(p, b.arena, &at);
    ck_assert_ptr_nonnull(why);
    ck_assert_str_eq(why, "sqrt of -2 gives nan (element 1 of [1000])");
    ck_assert_int_eq(at.line, 7);
    real before = program_output(p, 0)[0];
    wide[0] = wide[1] = 3;
    program_run(p, &(RunInputs){{x, wide}, 0, 0});
    ck_assert_ptr_null(program_first_nonfinite(p, b.arena, &at));
    ck_assert(isnan(before) && isfinite(program_output(p, 0)[0]));
    program_free(p);
    bench_free(b);
}
END_TEST

int main(void) {
    Suite *s = suite_create("tape");
    TCase *tensors = tcase_create("tensors"), *operations = tcase_create("operations"),
          *programs = tcase_create("programs");
    tcase_add_test(tensors, test_shapes);
    tcase_add_test(tensors, test_views);
    tcase_add_test(tensors, test_kept_tensors_outlive_their_arena);
    tcase_add_test(tensors, test_too_large);
    tcase_add_test(operations, test_elementwise);
    tcase_add_test(operations, test_scalars_have_the_bits_of_tensors);
    tcase_add_test(operations, test_reductions);
    tcase_add_loop_test(operations, test_large_products, 0, 5);
    tcase_add_test(operations, test_large_gathers);
    tcase_add_test(operations, test_sums_have_the_bits_of_their_terms);
    tcase_add_test(operations, test_reduction_of_dimensions_apart);
    tcase_add_test(operations, test_short_lines_have_the_bits_of_long_ones);
    tcase_add_test(operations, test_layout);
    tcase_add_test(operations, test_products);
    tcase_add_loop_test(operations, test_factors, 0, 5);
    tcase_add_loop_test(operations, test_refusals_say_why, 0, 7);
    tcase_add_test(operations, test_only_what_depends_is_recorded);
    tcase_add_test(operations, test_inverses_undo);
    tcase_add_test(operations, test_streams_belong_to_addresses);
    tcase_add_test(operations, test_draws_take_their_own_parameters);
    tcase_set_timeout(programs, 60);
    tcase_add_loop_test(programs, test_programs_give_the_same_bits, 0, 16);
    tcase_add_test(programs, test_normals_of_coming_steps);
    tcase_add_test(programs, test_two_operations_in_one_instruction);
    tcase_add_test(programs, test_runs_allocate_nothing);
    tcase_add_test(programs, test_dead_and_equal_work_is_dropped);
    tcase_add_test(programs, test_lazily_recorded);
    tcase_add_test(programs, test_guards);
    tcase_add_test(programs, test_what_is_not_finite_is_found);
    suite_add_tcase(s, tensors);
    suite_add_tcase(s, operations);
    suite_add_tcase(s, programs);
    return suite_run(s);
}
