#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dist/constraint.h"
#include "suite.h"

/* Larger tables, made with 60 digits; the test of them is skipped where they are absent. */
static const char *const reference = "../shared/reference/distributions/transforms.json";

enum { MOST = 32 };

typedef struct Point {
    const char *transform; /* as the Stan Reference Manual calls it */
    double low, high;
    int nu, nx; /* numbers in u and in x (a matrix: all entries) */
    double u[MOST], x[MOST], log_jacobian;
} Point;

static const Point points[] = {
    {"lower", -1.5, 0, 1, 1, {-4.587}, {-1.4898166373179254}, -4.587},
    {"upper", 0, 2.25, 1, 1, {1.449}, {-2.008853531500565}, 1.449},
    {"lower_upper", -1, 3, 1, 1, {0.188}, {1.1874482274362586}, -0.008823018096203948},
    {"simplex_stick_breaking", 0, 0, 3, 4, {12, -9, 7},
     {0.9999815677026959, 1.1372929230371554e-09, 1.8414368280872795e-05, 1.6791730342407023e-08}, -49.39939208632701},
    {"ordered", 0, 0, 5, 5, {0.005, -0.065, -1.506, 0.538, 0.321},
     {0.005, 0.9420674633774034, 1.1638628508871742, 2.8764411290745215, 4.254946709968276}, -0.712},
    {"cov_matrix", 0, 0, 3, 4, {-0.649, 0.267, 0.046},
     {0.2730774020472242, 0.13952567833393453, 0.13952567833393453, 1.167653822080817}, -0.46870563888010947},
    {"cholesky_factor_corr", 0, 0, 3, 9, {0.72, 0.216, 1.088},
     {1, 0, 0, 0.616909302877065, 0.7870342508580765, 0, 0.21270229740018176, 0.7779288186080491, 0.5912567004776942},
     -1.5531258613401513},
};

/* A context with a tape. */
static Ctx *ctx;
static Tape *tape;

static void open_tape(void) {
    ctx = ctx_new();
    tape = tape_new(ctx, ctx->session, true);
}

static void close_tape(void) { ctx_free(ctx); }

static bool constraint_of(const Point *p, Constraint *k) {
    static const struct { const char *name; ConstraintKind kind; } kinds[] = {
        {"real", CONSTRAINT_REAL}, {"lower", CONSTRAINT_LOWER}, {"upper", CONSTRAINT_UPPER},
        {"lower_upper", CONSTRAINT_INTERVAL}, {"simplex_stick_breaking", CONSTRAINT_SIMPLEX},
        {"ordered", CONSTRAINT_ORDERED}, {"cov_matrix", CONSTRAINT_COV},
        {"cholesky_factor_corr", CONSTRAINT_CORR_CHOLESKY},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(p->transform, kinds[i].name) != 0) continue;
        *k = (Constraint){kinds[i].kind, var_number(tape, p->low), var_number(tape, p->high)};
        return true;
    }
    return false;
}

static Var numbers(Shape shape, const double *x) {
    Tensor *v = tensor_new(ctx, ctx->session, shape);
    memcpy(v->data, x, sizeof(double) * (size_t)shape_size(shape));
    return var_constant(v);
}

static Shape shape_of_free(const Constraint *k, int nu) {
    return constraint_event_rank(k->kind) == 0 ? SHAPE_SCALAR : shape1(nu);
}

static bool near(double a, double b, double tolerance) { return fabs(a - b) <= tolerance * (1 + fabs(b)); }

#define assert_near(got, want, tolerance)                                                                             \
    ck_assert_msg(near(got, want, tolerance), "%s: %.17g is not %.17g", p->transform, (double)(got), (double)(want))

static void check_point(const Point *p, const Constraint *k) {
    Var log_jacobian, u = numbers(shape_of_free(k, p->nu), p->u), x = constraint_forward(tape, k, u, &log_jacobian);
    ck_assert_int_eq(shape_size(x.value->shape), p->nx);
    for (int i = 0; i < p->nx; i++) assert_near(tensor_item(x.value, i), p->x[i], 1e-13);
    ck_assert_int_eq(log_jacobian.value->shape.rank, 0);
    assert_near(tensor_item(log_jacobian.value, 0), p->log_jacobian, 1e-13);
    ck_assert(constraint_holds(ctx, k, x.value));
    ck_assert(shape_equal(constraint_free_shape(ctx, k, x.value->shape), u.value->shape));
    Var back = constraint_inverse(tape, k, x);
    ck_assert(shape_equal(back.value->shape, u.value->shape));
    for (int i = 0; i < p->nu; i++) assert_near(tensor_item(back.value, i), p->u[i], 1e-9);
}

START_TEST(transforms_have_their_values) {
    open_tape();
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        Constraint k;
        ck_assert(constraint_of(&points[i], &k));
        check_point(&points[i], &k);
    }
    close_tape();
}
END_TEST

/* Numbers of nested lists, in order. */
static int flatten(const json_t *j, double *out, int n) {
    if (!json_is_array(j)) {
        ck_assert_int_lt(n, MOST);
        out[n] = json_number_value(j);
        return n + 1;
    }
    for (size_t i = 0; i < json_array_size(j); i++) n = flatten(json_array_get(j, i), out, n);
    return n;
}

START_TEST(transforms_agree_with_the_reference) {
    json_t *all = json_load_file(reference, 0, NULL);
    if (!all) {
        printf("skipped: no %s here\n", reference);
        return;
    }
    open_tape();
    int checked = 0;
    const json_t *list = json_object_get(all, "points");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *j = json_array_get(list, i);
        Point p = {.transform = json_string_value(json_object_get(j, "transform")),
                   .low = json_number_value(json_object_get(j, "lower")),
                   .high = json_number_value(json_object_get(j, "upper")),
                   .log_jacobian = json_number_value(json_object_get(j, "log_abs_det_jacobian"))};
        p.nu = flatten(json_object_get(j, "unconstrained"), p.u, 0);
        p.nx = flatten(json_object_get(j, "constrained"), p.x, 0);
        Constraint k;
        if (constraint_of(&p, &k)) check_point(&p, &k), checked++;
    }
    ck_assert_int_ge(checked, 14);
    json_decref(all);
    close_tape();
}
END_TEST

/* log |det| by elimination with pivots. */
static double log_det(int n, double a[MOST][MOST]) {
    double sum = 0;
    for (int c = 0; c < n; c++) {
        int pivot = c;
        for (int r = c; r < n; r++) if (fabs(a[r][c]) > fabs(a[pivot][c])) pivot = r;
        for (int q = 0; q < n; q++) { double swap = a[c][q]; a[c][q] = a[pivot][q]; a[pivot][q] = swap; }
        sum += log(fabs(a[c][c]));
        for (int r = c + 1; r < n; r++) {
            double f = a[r][c] / a[c][c];
            for (int q = c; q < n; q++) a[r][q] -= f * a[c][q];
        }
    }
    return sum;
}

/* Is element i of x one of its free coordinates? */
static bool is_free(const Constraint *k, int nx, int i) {
    int side = (int)lround(sqrt(nx));
    switch (k->kind) {
    case CONSTRAINT_SIMPLEX: return i < nx - 1;
    case CONSTRAINT_COV: return i % side <= i / side;
    case CONSTRAINT_CORR_CHOLESKY: return i % side < i / side;
    default: return true;
    }
}

START_TEST(jacobians_agree_with_finite_differences) {
    open_tape();
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const Point *p = &points[i];
        Constraint k;
        ck_assert(constraint_of(p, &k));
        double jacobian[MOST][MOST], h = 1e-5;
        for (int c = 0; c < p->nu; c++) {
            double u[MOST];
            memcpy(u, p->u, sizeof u);
            u[c] += h;
            Var above = constraint_forward(tape, &k, numbers(shape_of_free(&k, p->nu), u), NULL);
            u[c] -= 2 * h;
            Var below = constraint_forward(tape, &k, numbers(shape_of_free(&k, p->nu), u), NULL);
            for (int e = 0, r = 0; e < p->nx; e++) {
                if (is_free(&k, p->nx, e)) {
                    jacobian[r++][c] = (tensor_item(above.value, e) - tensor_item(below.value, e)) / (2 * h);
                }
            }
        }
        if (p->u[0] < 10) assert_near(log_det(p->nu, jacobian), p->log_jacobian, 1e-7);
    }
    close_tape();
}
END_TEST

/* sum_i (i + 1) x_i + log |J|, at u. */
static Var objective(const Constraint *k, Var u) {
    Var log_jacobian, x = constraint_forward(tape, k, u, &log_jacobian);
    int64_t n = shape_size(x.value->shape);
    Tensor *weights = tensor_new(ctx, ctx->session, x.value->shape);
    for (int64_t i = 0; i < n; i++) weights->data[i] = (real)(i + 1);
    Var sum = op_sum_all(tape, op2(tape, OP_MUL, x, var_constant(weights)));
    return op2(tape, OP_ADD, sum, op_sum_all(tape, log_jacobian));
}

START_TEST(gradients_agree_with_finite_differences) {
    open_tape();
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const Point *p = &points[i];
        Constraint k;
        ck_assert(constraint_of(p, &k));
        Shape shape = shape_of_free(&k, p->nu);
        Var u = tape_variable(tape, numbers(shape, p->u)), y = objective(&k, u), g;
        tape_grad(tape, y, NULL, 1, &u, &g);
        for (int c = 0; c < p->nu; c++) {
            double h = 1e-5, v[MOST];
            memcpy(v, p->u, sizeof v);
            v[c] += h;
            double above = tensor_item(objective(&k, numbers(shape, v)).value, 0);
            v[c] -= 2 * h;
            double below = tensor_item(objective(&k, numbers(shape, v)).value, 0);
            assert_near(tensor_item(g.value, c), (above - below) / (2 * h), 1e-7);
        }
        /* through the inverse and back the derivative is the identity's */
        Var back = constraint_inverse(tape, &k, constraint_forward(tape, &k, u, NULL));
        tape_grad(tape, op_sum_all(tape, back), NULL, 1, &u, &g);
        for (int c = 0; c < p->nu; c++) assert_near(tensor_item(g.value, c), 1.0, 1e-7);
    }
    close_tape();
}
END_TEST

START_TEST(copies_are_transformed_one_by_one) {
    open_tape();
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        const Point *p = &points[i];
        Constraint k;
        ck_assert(constraint_of(p, &k));
        int rank = constraint_event_rank(k.kind) ? 1 : 0;
        double u[6 * MOST];
        for (int copy = 0; copy < 6; copy++) {
            for (int c = 0; c < p->nu; c++) u[copy * p->nu + c] = p->u[c] * (copy + 1) / 6;
        }
        Shape shape = shape2(2, 3);
        if (rank) shape.dim[shape.rank++] = p->nu;
        Var log_jacobian, x = constraint_forward(tape, &k, numbers(shape, u), &log_jacobian);
        ck_assert(shape_equal(log_jacobian.value->shape, shape2(2, 3)));
        ck_assert(shape_equal(constraint_free_shape(ctx, &k, x.value->shape), shape));
        ck_assert(constraint_holds(ctx, &k, x.value));
        Var back = constraint_inverse(tape, &k, x);
        for (int copy = 0; copy < 6; copy++) {
            Var one = constraint_forward(tape, &k, numbers(shape_of_free(&k, p->nu), u + copy * p->nu), NULL);
            int x0 = copy * p->nx, u0 = copy * p->nu;
            for (int e = 0; e < p->nx; e++) assert_near(tensor_item(x.value, x0 + e), tensor_item(one.value, e), 1e-14);
            for (int c = 0; c < p->nu; c++) assert_near(tensor_item(back.value, u0 + c), u[u0 + c], 1e-8);
        }
    }
    close_tape();
}
END_TEST

START_TEST(values_on_the_boundary_are_moved_inside) {
    open_tape();
    static const Point edges[] = {
        {"lower", 2, 0, 0, 1, {0}, {2}, 0},
        {"upper", 0, 2, 0, 1, {0}, {2}, 0},
        {"lower_upper", 0, 1, 0, 1, {0}, {0}, 0},
        {"lower_upper", 0, 1, 0, 1, {0}, {1}, 0},
        {"simplex_stick_breaking", 0, 0, 0, 3, {0}, {0, 1, 0}, 0},
        {"ordered", 0, 0, 0, 3, {0}, {1, 1, 2}, 0},
        {"cov_matrix", 0, 0, 0, 4, {0}, {1, 1, 1, 1}, 0},
        {"cholesky_factor_corr", 0, 0, 0, 4, {0}, {1, 0, 1, 0}, 0},
    };
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++) {
        const Point *p = &edges[i];
        Constraint k;
        ck_assert(constraint_of(p, &k));
        int rank = constraint_event_rank(k.kind);
        Var x = numbers(rank == 0 ? SHAPE_SCALAR : rank == 1 ? shape1(p->nx) : shape2(2, 2), p->x);
        Var u = constraint_inverse(tape, &k, x), again = constraint_forward(tape, &k, u, NULL);
        for (int64_t e = 0; e < shape_size(u.value->shape); e++) ck_assert(isfinite(tensor_item(u.value, e)));
        for (int e = 0; e < p->nx; e++) assert_near(tensor_item(again.value, e), p->x[e], 2e-5);
        ck_assert(constraint_holds(ctx, &k, again.value));
    }
    close_tape();
}
END_TEST

START_TEST(values_outside_are_recognised) {
    open_tape();
    static const Point wrong[] = {
        {"real", 0, 0, 0, 1, {0}, {NAN}, 0},
        {"lower", 2, 0, 0, 1, {0}, {1.999}, 0},
        {"upper", 0, 2, 0, 1, {0}, {2.001}, 0},
        {"lower_upper", 0, 1, 0, 1, {0}, {1.001}, 0},
        {"lower_upper", 0, 1, 0, 1, {0}, {NAN}, 0},
        {"simplex_stick_breaking", 0, 0, 0, 3, {0}, {0.5, 0.5, 1e-5}, 0},
        {"simplex_stick_breaking", 0, 0, 0, 3, {0}, {-0.1, 0.6, 0.5}, 0},
        {"ordered", 0, 0, 0, 3, {0}, {1, 3, 2}, 0},
        {"cov_matrix", 0, 0, 0, 4, {0}, {1, 0.5, 0.4, 1}, 0},
        {"cov_matrix", 0, 0, 0, 4, {0}, {1, 2, 2, 1}, 0},
        {"cov_matrix", 0, 0, 0, 4, {0}, {1, NAN, NAN, 1}, 0},
        {"cholesky_factor_corr", 0, 0, 0, 4, {0}, {1, 0, 0.6, 0.7}, 0},
        {"cholesky_factor_corr", 0, 0, 0, 4, {0}, {1, 0, 0.6, -0.8}, 0},
        {"cholesky_factor_corr", 0, 0, 0, 4, {0}, {1, 0.6, 0, 0.8}, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const Point *p = &wrong[i];
        Constraint k;
        ck_assert(constraint_of(p, &k));
        int rank = constraint_event_rank(k.kind);
        Var x = numbers(rank == 0 ? SHAPE_SCALAR : rank == 1 ? shape1(p->nx) : shape2(2, 2), p->x);
        ck_assert_msg(!constraint_holds(ctx, &k, x.value), "%s, row %zu, should not hold", p->transform, i);
    }
    close_tape();
}
END_TEST

START_TEST(the_smallest_sizes_work) {
    open_tape();
    static const struct { ConstraintKind kind; int rank; } cases[] = {
        {CONSTRAINT_SIMPLEX, 1}, {CONSTRAINT_ORDERED, 1}, {CONSTRAINT_COV, 2}, {CONSTRAINT_CORR_CHOLESKY, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Constraint k = {.kind = cases[i].kind};
        Shape x_shape = cases[i].rank == 1 ? shape1(1) : shape2(1, 1);
        Shape u_shape = constraint_free_shape(ctx, &k, x_shape);
        Var u = numbers(u_shape, (double[]){0}), log_jacobian, x = constraint_forward(tape, &k, u, &log_jacobian);
        ck_assert(shape_equal(x.value->shape, x_shape));
        ck_assert_double_eq(tensor_item(x.value, 0), k.kind == CONSTRAINT_ORDERED ? 0 : 1);
        ck_assert_double_eq_tol(tensor_item(log_jacobian.value, 0), k.kind == CONSTRAINT_COV ? M_LN2 : 0, 1e-15);
        ck_assert(shape_equal(constraint_inverse(tape, &k, x).value->shape, u_shape));
    }
    close_tape();
}
END_TEST

static void ask_free_shape(void *kind) {
    Constraint k = {.kind = *(ConstraintKind *)kind};
    constraint_free_shape(ctx, &k, k.kind == CONSTRAINT_COV ? shape2(2, 3) : SHAPE_SCALAR);
}

START_TEST(impossible_shapes_are_refused) {
    open_tape();
    static ConstraintKind kinds[] = {CONSTRAINT_SIMPLEX, CONSTRAINT_ORDERED, CONSTRAINT_COV, CONSTRAINT_CORR_CHOLESKY};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        Error why;
        ck_assert(!ctx_protect(ctx, ask_free_shape, &kinds[i], &why));
        ck_assert_int_eq(why.kind, ERROR_PROGRAM);
        ck_assert_ptr_nonnull(strstr(why.message, i == 2 ? "[2, 3]" : "single number") ?: strstr(why.message, "[]"));
    }
    close_tape();
}
END_TEST

int main(void) {
    static const TTest *const *const tests[] = {
        &transforms_have_their_values, &transforms_agree_with_the_reference, &jacobians_agree_with_finite_differences,
        &gradients_agree_with_finite_differences, &copies_are_transformed_one_by_one,
        &values_on_the_boundary_are_moved_inside, &values_outside_are_recognised, &the_smallest_sizes_work,
        &impossible_shapes_are_refused,
    };
    Suite *suite = suite_create("constraint");
    TCase *tcase = tcase_create("constraint");
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) tcase_add_test(tcase, *tests[i]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
