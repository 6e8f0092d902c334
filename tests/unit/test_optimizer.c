/* Optimizers by their first steps, worked out by hand, and by where they arrive; schedules; clipping; L-BFGS. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/descent.h"
#include "infer/lbfgs.h"
#include "infer/lines_optimizer.h"
#include "suite.h"

static Ctx *ctx;
static Arena *scratch;

static void setup(void) { ctx = ctx_new(), scratch = ctx_arena(ctx); }
static void teardown(void) { arena_free(scratch), ctx_free(ctx); }

/* -- First-order optimizers -- */

/* Two steps from (1, -2) with the gradients (0.5, -3) and (0.25, 4). */
static void two_steps(const char *name, const double *option, double *x) {
    const double grads[2][2] = {{0.5, -3}, {0.25, 4}};
    const Optimizer *o = optimizer_find(name);
    ck_assert_ptr_nonnull(o);
    double state[8] = {0};
    ck_assert_int_le(optimizer_state_size(o, 2), 8);
    x[0] = 1, x[1] = -2;
    for (int t = 1; t <= 2; t++) optimizer_update(o, option, state, 2, x, grads[t - 1], t, NULL);
}

START_TEST(adam_takes_the_steps_of_the_paper) {
    double x[2];
    two_steps("adam", (const double[]){0.1, 0.9, 0.999, 1e-8}, x);
    const double g[2][2] = {{0.5, 0.25}, {-3, 4}}, start[2] = {1, -2};
    for (int i = 0; i < 2; i++) {
        double a = g[i][0], b = g[i][1];
        double m = (0.9 * 0.1 * a + 0.1 * b) / (1 - 0.81), v = (0.999 * 0.001 * a * a + 0.001 * b * b) / (1 - 0.998001);
        double expected = start[i] - 0.1 * a / (fabs(a) + 1e-8) - 0.1 * m / (sqrt(v) + 1e-8);
        ck_assert_double_eq_tol(x[i], expected, 1e-12);
    }
    double y[2];
    two_steps("adamw", (const double[]){0.1, 0.9, 0.999, 1e-8, 0}, y);
    ck_assert_mem_eq(x, y, sizeof x);
    double step = 0.1 * 0.5 / (0.5 + 1e-8), one[1] = {1}, state[2] = {0};
    optimizer_update(optimizer_find("adamw"), (const double[]){0.1, 0.9, 0.999, 1e-8, 0.5}, state, 1, one,
                     (const double[]){0.5}, 1, NULL);
    ck_assert_double_eq_tol(one[0], 1 - step - 0.1 * 0.5, 1e-14);
}
END_TEST

START_TEST(sgd_and_rmsprop_take_their_steps) {
    double x[2];
    two_steps("sgd", (const double[]){0.1, 0, 0}, x);
    ck_assert_double_eq_tol(x[0], 1 - 0.1 * 0.75, 1e-15);
    two_steps("sgd", (const double[]){0.1, 0.9, 0}, x);
    ck_assert_double_eq_tol(x[1], -2 + 0.1 * 3 - 0.1 * (4 - 0.9 * 3), 1e-15);
    two_steps("sgd", (const double[]){0.1, 0.9, 1}, x);
    ck_assert_double_eq_tol(x[1], -2 + 0.1 * (3 + 0.9 * 3) - 0.1 * (4 + 0.9 * (4 - 0.9 * 3)), 1e-15);
    two_steps("rmsprop", (const double[]){0.1, 0.9, 0, 0}, x);
    double v = (0.9 * 0.1 * 9 + 0.1 * 16) / (1 - 0.81);
    ck_assert_double_eq_tol(x[1], -2 + 0.1 - 0.1 * 4 / sqrt(v), 1e-14);
    two_steps("rmsprop", (const double[]){0.1, 0.9, 0, 0.5}, x);
    ck_assert_double_eq_tol(x[1], -2 + 0.1 - 0.1 * (4 / sqrt(v) - 0.5), 1e-14);
}
END_TEST

/* Long vectors are moved in stretches, by whoever is there: as a parameter at a time. */
START_TEST(stretches_are_moved_as_single_parameters_are) {
    enum { N = 2 * PIECE + 37, STEPS = 3 };
    static double x[2][N], state[2][2 * N], one[3];
    static const int some[] = {0, 1, PIECE - 1, PIECE, 2 * PIECE + 1, N - 1};
    double *grad = malloc(N * sizeof *grad), option[MAX_OPTIONS], sum = 0;
    Team *team = team_new(3);
    int count;
    const Optimizer *table = optimizer_table(&count);
    for (int i = 0; i < N; i++) grad[i] = sin(i), sum += grad[i] * grad[i];
    for (const Optimizer *o = table; o < table + count; o++) {
        optimizer_defaults(o, option);
        memset(x, 0, sizeof x), memset(state, 0, sizeof state);
        for (int t = 1; t <= STEPS; t++)
            for (int k = 0; k < 2; k++) optimizer_update(o, option, state[k], N, x[k], grad, t, k ? team : NULL);
        ck_assert_mem_eq(x[0], x[1], sizeof x[0]);
        ck_assert_mem_eq(state[0], state[1], sizeof state[0]);
        for (size_t k = 0; k < sizeof some / sizeof *some; k++) {
            memset(one, 0, sizeof one);
            for (int t = 1; t <= STEPS; t++) optimizer_update(o, option, one + 1, 1, one, grad + some[k], t, NULL);
            ck_assert_double_eq_tol(x[0][some[k]], one[0], 1e-15);
        }
    }
    double alone = gradient_squares(grad, N, NULL), shared = gradient_squares(grad, N, team);
    ck_assert_double_eq_tol(alone, sum, 1e-9);
    ck_assert_mem_eq(&alone, &shared, sizeof alone);
    team_free(team);
    free(grad);
}
END_TEST

/* Where gradients have ended, moments come to be 0 and never stay among the numbers below the normal ones. */
START_TEST(moments_end) {
    const char *names[] = {"adam", "adamw", "rmsprop", "sgd"};
    for (int k = 0; k < 4; k++) {
        const Optimizer *o = optimizer_find(names[k]);
        double option[MAX_OPTIONS], state[4] = {0}, x[2] = {1, -2};
        optimizer_defaults(o, option);
        option[optimizer_option(o, k < 2 ? "beta1" : "momentum")] = 0.9;
        if (k < 2) option[optimizer_option(o, "beta2")] = 0.95;
        for (int t = 1; t <= 20000; t++) {
            const double g = t == 1 ? 0.5 : 0;
            optimizer_update(o, option, state, 2, x, (const double[]){g, -g}, t, NULL);
            for (int i = 0; i < optimizer_state_size(o, 2); i++) ck_assert(state[i] == 0 || isnormal(state[i]));
        }
        for (int i = 0; i < optimizer_state_size(o, 2); i++) ck_assert(state[i] == 0);
        ck_assert(x[0] < 1 && isfinite(x[1]));
    }
}
END_TEST

/* f = sum k (x_k - k)^2 / 2, each optimizer with its defaults and a falling rate. */
START_TEST(every_optimizer_finds_the_minimum_of_a_quadratic) {
    enum { N = 10, STEPS = 4000 };
    int count;
    const Optimizer *table = optimizer_table(&count);
    ck_assert_int_ge(count, 4);
    for (int k = 0; k < count; k++) {
        const Optimizer *o = &table[k];
        double option[MAX_OPTIONS], x[N] = {0}, grad[N];
        double *state = calloc((size_t)optimizer_state_size(o, N), sizeof(double));
        optimizer_defaults(o, option);
        ck_assert_int_eq(optimizer_option(o, "lr"), 0);
        int decay = optimizer_option(o, "weight_decay");
        if (decay >= 0) option[decay] = 0;
        Schedule s = {.kind = SCHEDULE_COSINE, .final = 0, .total = STEPS};
        for (int t = 1; t <= STEPS; t++) {
            for (int i = 0; i < N; i++) grad[i] = (i + 1) * (x[i] - (i + 1));
            option[0] = 0.05 * schedule_factor(&s, t);
            optimizer_update(o, option, state, N, x, grad, t, NULL);
        }
        for (int i = 0; i < N; i++) ck_assert_msg(fabs(x[i] - (i + 1)) < 1e-4, "%s: x[%d] = %.10g", o->name, i, x[i]);
        free(state);
    }
}
END_TEST

START_TEST(options_are_found_by_name_and_within_their_bounds) {
    int count;
    const Optimizer *table = optimizer_table(&count);
    for (int k = 0; k < count; k++) {
        ck_assert_ptr_eq(optimizer_find(table[k].name), &table[k]);
        for (int i = 0; i < table[k].noptions; i++) {
            const NumberOption *o = &table[k].options[i];
            ck_assert_int_eq(optimizer_option(&table[k], o->name), i);
            ck_assert(o->low <= o->value && o->value <= o->high);
        }
    }
    ck_assert_ptr_null(optimizer_find("adamm"));
    ck_assert_int_eq(optimizer_option(&table[0], "rate"), -1);
}
END_TEST

START_TEST(schedules_rise_and_fall) {
    Schedule s = schedule_constant(1);
    ck_assert_double_eq(schedule_factor(&s, 1), 1);
    ck_assert_double_eq(schedule_factor(&s, 1000), 1);
    s = (Schedule){.kind = SCHEDULE_EXPONENTIAL, .final = 0.01, .total = 100};
    ck_assert_double_eq_tol(schedule_factor(&s, 50), 0.1, 1e-15);
    ck_assert_double_eq_tol(schedule_factor(&s, 100), 0.01, 1e-15);
    ck_assert_double_eq_tol(schedule_factor(&s, 500), 0.01, 1e-15);
    s = (Schedule){.kind = SCHEDULE_COSINE, .final = 0.2, .total = 110, .warmup = 10};
    ck_assert_double_eq_tol(schedule_factor(&s, 1), 0.1, 1e-15);
    ck_assert_double_eq_tol(schedule_factor(&s, 10), 1, 1e-15);
    ck_assert_double_eq_tol(schedule_factor(&s, 60), 0.6, 1e-15);
    ck_assert_double_eq_tol(schedule_factor(&s, 110), 0.2, 1e-15);
    s = (Schedule){.kind = SCHEDULE_LINEAR, .first = 0, .final = 2, .steps = 10};
    ck_assert_double_eq(schedule_factor(&s, 1), 0);
    ck_assert_double_eq_tol(schedule_factor(&s, 6), 1, 1e-15);
    ck_assert_double_eq(schedule_factor(&s, 1000), 2);
}
END_TEST

START_TEST(gradients_are_clipped_by_norm) {
    double g[] = {3, -4};
    ck_assert_double_eq(gradient_clip(g, 2, 10, NULL), 5);
    ck_assert_double_eq(g[1], -4);
    ck_assert_double_eq(gradient_clip(g, 2, 1, NULL), 5);
    ck_assert_double_eq_tol(g[0], 0.6, 1e-15);
    ck_assert_double_eq_tol(g[1], -0.8, 1e-15);
    double huge[] = {3e200, 4e200};
    ck_assert_double_eq_tol(gradient_clip(huge, 2, 1, NULL) / 5e200, 1, 1e-15);
    ck_assert_double_eq_tol(huge[0], 0.6, 1e-15);
    double bad[] = {NAN, 1};
    ck_assert_double_nan(gradient_clip(bad, 2, 1, NULL));
    ck_assert_double_eq(bad[1], 1);
}
END_TEST

/* -- Rules by path -- */

START_TEST(patterns_match_paths) {
    static const struct {
        const char *pattern, *path;
        bool matches;
    } cases[] = {{"a.b", "a.b", true},        {"a.b", "a.bc", false},     {"a.*", "a.b.c", true},   {"a.*", "ab.c", false},
                 {"*", "", true},             {"*.w", "a.b.w", true},     {"*.w", "a.b.wx", false}, {"a*b*c", "a.b.b.c", true},
                 {"a*b*c", "a.c.b", false},   {"", "a", false},           {"**w", "w", true},       {"*ab", "aab", true}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        ck_assert_msg(path_matches(cases[k].pattern, cases[k].path) == cases[k].matches, "%s %s", cases[k].pattern,
                      cases[k].path);
}
END_TEST

/* Parameters that come later have their own state and count of steps; those before keep theirs. */
START_TEST(descent_grows) {
    ParamInfo list[3] = {{.name = "a.w", .size = 2}, {.name = "b.w", .offset = 2, .size = 1}, {.name = "a.v", .offset = 3, .size = 1}};
    double values[4] = {1, 1, 1, 1}, expected[4] = {1, 1, 1, 1}, gradient[4], m[4] = {0}, v[4] = {0};
    ParamStore store = {.list = list, .n = 2, .values = values, .size = 3};
    DescentRule rules[2] = {{.choice = {optimizer_find("adam"), {0.1, 0.9, 0.999, 1e-8}, schedule_constant(1), 0}},
                            {"a.*", {optimizer_find("adam"), {0.01, 0.9, 0.999, 1e-8}, schedule_constant(1), 0}}};
    Descent d;
    descent_init(&d, ctx, scratch, &store, rules, 2);
    for (int t = 1; t <= 4; t++) {
        if (t == 3) store.n = 3, store.size = 4;
        ck_assert(descent_grow(&d) == (t == 3));
        for (int k = 0; k < store.size; k++) {
            double g = gradient[k] = sin(t + k), rate = k == 2 ? 0.1 : 0.01;
            int own = k == 3 ? t - 2 : t;
            m[k] = 0.9 * m[k] + 0.1 * g, v[k] = 0.999 * v[k] + 0.001 * g * g;
            expected[k] -= rate * m[k] / (1 - pow(0.9, own)) / (sqrt(v[k] / (1 - pow(0.999, own))) + 1e-8);
        }
        descent_update(&d, gradient, t, 1);
        for (int k = 0; k < 4; k++) ck_assert_double_eq_tol(values[k], expected[k], 1e-12);
    }
}
END_TEST

/* -- L-BFGS -- */

typedef struct Problem {
    int n;
    int evaluations;
} Problem;

static double rosenbrock(void *self, const double *x, double *grad) {
    Problem *p = self;
    double f = 0;
    p->evaluations++;
    memset(grad, 0, sizeof(double) * (size_t)p->n);
    for (int i = 0; i + 1 < p->n; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1 - x[i];
        f += 100 * a * a + b * b;
        grad[i] += -400 * a * x[i] - 2 * b;
        grad[i + 1] += 200 * a;
    }
    return f;
}

START_TEST(lbfgs_solves_rosenbrock) {
    static const int sizes[] = {2, 10, 100};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        Problem p = {.n = sizes[k]};
        double x[100];
        for (int i = 0; i < p.n; i++) x[i] = i % 2 ? 1 : -1.2;
        LbfgsResult r = lbfgs_minimize(scratch, rosenbrock, &p, p.n, x, NULL);
        ck_assert_msg(lbfgs_converged(r.status), "%s", lbfgs_status_text(r.status));
        ck_assert_int_eq(r.evaluations, p.evaluations);
        if (p.n == 2) ck_assert_int_lt(r.evaluations, 80);
        if (r.f < 1) {
            for (int i = 0; i < p.n; i++) ck_assert_double_eq_tol(x[i], 1, 1e-6);
        } else { /* the other local minimum, near (-1, 1, 1, ...) */
            ck_assert_double_eq_tol(r.f, 3.9866, 1e-3);
        }
    }
}
END_TEST

/* Condition number 1e4, an offset that hides the last digits of the decrease. */
static double stiff(void *self, const double *x, double *grad) {
    const Problem *p = self;
    double f = 0;
    for (int i = 0; i < p->n; i++) {
        double scale = pow(1e4, (double)i / (p->n - 1)), d = x[i] - i;
        f += 0.5 * scale * d * d;
        grad[i] = scale * d;
    }
    return f + 1e3;
}

START_TEST(lbfgs_solves_a_stiff_quadratic) {
    Problem p = {.n = 20};
    double x[20] = {0};
    LbfgsResult r = lbfgs_minimize(scratch, stiff, &p, p.n, x, NULL);
    ck_assert_msg(lbfgs_converged(r.status), "%s", lbfgs_status_text(r.status));
    ck_assert_double_eq_tol(r.f, 1e3, 1e-8);
    for (int i = 0; i < 20; i++) ck_assert_double_eq_tol(x[i], i, 2e-4);
}
END_TEST

/* -log of a Gamma density, defined for x > 0 only and steep near 0; NaN outside, inf for large x. */
static double half_line(void *self, const double *x, double *grad) {
    (void)self;
    grad[0] = x[0] > 1e3 ? INFINITY : 1 - 2 / x[0];
    return x[0] > 1e3 ? INFINITY : x[0] - 2 * log(x[0]);
}

START_TEST(lbfgs_backs_off_where_the_function_is_not_defined) {
    static const double starts[] = {1e-6, 0.1, 5, 999};
    for (size_t k = 0; k < sizeof starts / sizeof *starts; k++) {
        double x = starts[k];
        LbfgsOptions o = lbfgs_defaults();
        o.first_step = 1e6;
        LbfgsResult r = lbfgs_minimize(scratch, half_line, NULL, 1, &x, &o);
        ck_assert_msg(lbfgs_converged(r.status), "from %g: %s", starts[k], lbfgs_status_text(r.status));
        ck_assert_double_eq_tol(x, 2, 1e-6);
    }
    double x = -1;
    ck_assert_int_eq(lbfgs_minimize(scratch, half_line, NULL, 1, &x, NULL).status, LBFGS_START);
    ck_assert_double_eq(x, -1);
}
END_TEST

static double downhill(void *self, const double *x, double *grad) {
    (void)self;
    grad[0] = -1;
    return -x[0];
}

static double kink(void *self, const double *x, double *grad) {
    (void)self;
    grad[0] = x[0] < 0 ? -1 : 1;
    return fabs(x[0]);
}

static bool stop_at_two(void *self, int iteration, double f, const double *x, const double *grad) {
    double *last = self;
    (void)x, (void)grad;
    ck_assert_double_le(f, *last);
    *last = f;
    return iteration < 2;
}

START_TEST(lbfgs_says_why_it_stopped) {
    double x[2] = {0.3, 0};
    LbfgsOptions o = lbfgs_defaults();
    LbfgsResult r = lbfgs_minimize(scratch, downhill, NULL, 1, x, &o);
    ck_assert_msg(!lbfgs_converged(r.status) || r.f < -1e6, "an unbounded function: %s at %g",
                  lbfgs_status_text(r.status), r.f);
    x[0] = 0.3;
    r = lbfgs_minimize(scratch, kink, NULL, 1, x, &o);
    ck_assert_int_ne(r.status, LBFGS_GRADIENT);
    ck_assert_double_lt(fabs(x[0]), 0.3);
    Problem p = {.n = 2};
    double last = INFINITY;
    x[0] = -1.2, x[1] = 1;
    o.visit = stop_at_two, o.visit_self = &last;
    r = lbfgs_minimize(scratch, rosenbrock, &p, 2, x, &o);
    ck_assert_int_eq(r.status, LBFGS_STOPPED);
    ck_assert_int_eq(r.iterations, 2);
    x[0] = -1.2, x[1] = 1;
    o = lbfgs_defaults(), o.max_iterations = 3;
    r = lbfgs_minimize(scratch, rosenbrock, &p, 2, x, &o);
    ck_assert_int_eq(r.status, LBFGS_ITERATIONS);
    ck_assert_int_eq(r.iterations, 3);
    x[0] = x[1] = 1;
    r = lbfgs_minimize(scratch, rosenbrock, &p, 2, x, NULL);
    ck_assert_int_eq(r.status, LBFGS_GRADIENT);
    ck_assert_int_eq(r.iterations, 0);
    p.n = 0;
    ck_assert_int_eq(lbfgs_minimize(scratch, rosenbrock, &p, 0, x, NULL).status, LBFGS_GRADIENT);
}
END_TEST

static double raises(void *self, const double *x, double *grad) {
    (void)self;
    if (x[0] < 0.9) ctx_raise_here(ctx, ERROR_PROGRAM, "too far");
    grad[0] = 1;
    return x[0];
}

static void minimise_what_raises(void *self) {
    (void)self;
    double x = 1;
    lbfgs_minimize(scratch, raises, NULL, 1, &x, NULL);
}

/* What it needed is released with the arena: the sanitizer would say so. */
START_TEST(an_objective_may_raise) {
    Error e;
    ck_assert(!ctx_protect(ctx, minimise_what_raises, NULL, &e));
    ck_assert_str_eq(e.message, "too far");
}
END_TEST

int main(void) {
    static const TTest *const *const tests[] = {
        &adam_takes_the_steps_of_the_paper, &sgd_and_rmsprop_take_their_steps, &moments_end,
        &stretches_are_moved_as_single_parameters_are, &every_optimizer_finds_the_minimum_of_a_quadratic,
        &options_are_found_by_name_and_within_their_bounds,
        &schedules_rise_and_fall, &patterns_match_paths, &descent_grows, &gradients_are_clipped_by_norm, &lbfgs_solves_rosenbrock,
        &lbfgs_solves_a_stiff_quadratic, &lbfgs_backs_off_where_the_function_is_not_defined,
        &lbfgs_says_why_it_stopped, &an_objective_may_raise};
    Suite *suite = suite_create("optimizer");
    TCase *tcase = tcase_create("optimizer");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++) tcase_add_test(tcase, *tests[k]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
