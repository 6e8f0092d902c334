/* Special functions against values of 50 digits (mpmath), here and, where it is at hand, in the reference
 * collection. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "tape/special.h"
#include "tape/tape.h"
#include "suite.h"

/* What is not a function of special.h but an expression of ops.def. */
static double special_log1m_exp(double x) { return op_scalar(OP_LOG1M_EXP, 1, &x); }
static double special_log_diff_exp(double a, double b) { return op_scalar(OP_LOG_DIFF_EXP, 2, (double[]){a, b}); }
static double special_log_add_exp(double a, double b) { return op_scalar(OP_LOG_ADD_EXP, 2, (double[]){a, b}); }
static double special_xlogy(double x, double y) { return op_scalar(OP_XLOGY, 2, (double[]){x, y}); }
static double special_xlog1py(double x, double y) { return op_scalar(OP_XLOG1PY, 2, (double[]){x, y}); }

enum { MAX_ARGS = 3 };

typedef union Pointer {
    double (*f1)(double);
    double (*f2)(double, double);
    double (*f3)(double, double, double);
} Pointer;

typedef struct Function {
    const char *name;
    int arity;
    Pointer at;
} Function;

#define F1(name) {#name, 1, {.f1 = special_##name}}
#define F2(name) {#name, 2, {.f2 = special_##name}}
#define F3(name) {#name, 3, {.f3 = special_##name}}
static const Function functions[] = {
    F1(lgamma),         F1(digamma),    F1(trigamma),        F2(polygamma),           F2(lgamma_diff),
    F2(lbeta),          F1(normal_cdf), F1(log_normal_cdf),  F1(normal_icdf),         F1(log_i0),
    F1(i1_over_i0),     F2(gamma_p),    F2(gamma_q),         F2(gamma_p_da),          F2(gamma_draw_grad),
    F2(log_gamma_draw_grad),            F3(beta_i),          F3(beta_i_da),           F3(beta_i_db),
    F1(log1m_exp),      F2(log_diff_exp), F2(log_add_exp),   F2(xlogy),               F2(xlog1py),
};
enum { NFUNCTIONS = sizeof functions / sizeof *functions };

static const Function *function_named(const char *name) {
    for (int k = 0; k < NFUNCTIONS; k++) {
        if (strcmp(functions[k].name, name) == 0) return &functions[k];
    }
    ck_abort_msg("no function %s", name);
}

static double call(const Function *f, const double *x) {
    if (f->arity == 1) return f->at.f1(x[0]);
    return f->arity == 2 ? f->at.f2(x[0], x[1]) : f->at.f3(x[0], x[1], x[2]);
}

static void check_value(const Function *f, const double *x, double expected, double tolerance) {
    double got = call(f, x);
    bool good = isinf(expected) ? got == expected : fabs(got - expected) <= tolerance * fabs(expected);
    ck_assert_msg(good, "%s(%.17g, %.17g, %.17g): expected %.17g, got %.17g", f->name, x[0], f->arity > 1 ? x[1] : 0,
                  f->arity > 2 ? x[2] : 0, expected, got);
}

/* -- Values kept here; the tolerance is relative -- */

typedef struct Row {
    const char *name;
    double x[MAX_ARGS];
    double value, tolerance;
} Row;

static const Row rows[] = {
    {"lgamma", {1e-300}, 6.90775527898213705e+2, 4e-16},
    {"lgamma", {0.1}, 2.2527126517342059, 4e-16},
    {"lgamma", {0.9}, 6.63762397347429544e-2, 4e-16},
    {"lgamma", {1.0}, 0, 4e-16},
    {"lgamma", {1.0000001}, -5.7721558299185071e-8, 4e-16},
    {"lgamma", {1.46}, -1.21485001004007429e-1, 4e-16},
    {"lgamma", {2.0}, 0, 4e-16},
    {"lgamma", {2.00001}, 4.2278755976483596e-6, 4e-16},
    {"lgamma", {10.0}, 1.28018274800814696e+1, 4e-16},
    {"lgamma", {1000000000000000.0}, 3.35387763949106689e+16, 4e-16},
    {"digamma", {1e-10}, -1.00000000005772153e+10, 1e-15},
    {"digamma", {0.1}, -1.04237549404110762e+1, 1e-15},
    {"digamma", {1.0}, -5.77215664901532861e-1, 1e-15},
    {"digamma", {1.4616321449683622}, -9.24126552172942752e-17, 1e-15},
    {"digamma", {1.5}, 3.64899739785765206e-2, 1e-15},
    {"digamma", {3.3}, 1.03482248905962169, 1e-15},
    {"digamma", {100000.0}, 1.15129204649618951e+1, 1e-15},
    {"digamma", {-3.7}, -8.45076858870419355e-1, 2e-14},
    {"trigamma", {1e-05}, 1.00000000016449084e+10, 2e-15},
    {"trigamma", {0.5}, 4.93480220054467931, 2e-15},
    {"trigamma", {3.0}, 3.94934066848226436e-1, 2e-15},
    {"trigamma", {100000.0}, 1.00000500001666667e-5, 2e-15},
    {"polygamma", {2.0, 0.1}, -2.00186145737834367e+3, 1e-14},
    {"polygamma", {2.0, 7.5}, -2.03052525366446641e-2, 1e-14},
    {"polygamma", {3.0, 1.0}, 6.49393940226682915, 1e-14},
    {"polygamma", {10.0, 2.5}, -1.56229596593232995e+2, 1e-14},
    {"lgamma_diff", {1000000000000000.0, 0.5}, 1.72693881974553425e+1, 2e-15},
    {"lgamma_diff", {10000000000.0, 3.0}, 6.90775527901213705e+1, 2e-15},
    {"lgamma_diff", {12.0, 1e-09}, 2.44266168001926311e-9, 2e-15},
    {"lgamma_diff", {5.0, -1e-08}, -1.50611766732518572e-8, 2e-15},
    {"lgamma_diff", {100000000.0, -10000000.0}, -1.83689253796047764e+8, 2e-15},
    {"lgamma_diff", {0.3, 2.0}, -9.41608539858444986e-1, 2e-15},
    {"lgamma_diff", {2.0, 1000000.0}, 1.28155322001697276e+7, 2e-15},
    {"lbeta", {0.5, 0.5}, 1.14472988584940017, 1e-15},
    {"lbeta", {1e-05, 3.0}, 1.1512910465032728e+1, 1e-15},
    {"lbeta", {100.0, 200.0}, -1.92134192274978952e+2, 1e-15},
    {"lbeta", {10000000000.0, 0.1}, -4.98724412553399098e-2, 2e-14},
    {"lbeta", {1e-200, 1e-200}, 4.61210165779369082e+2, 1e-15},
    {"lbeta", {300000.0, 4000000.0}, -1.0880643450958739e+6, 1e-15},
    {"normal_cdf", {-37.0}, 5.72557122252457682e-300, 4e-16},
    {"normal_cdf", {-20.0}, 2.7536241186062337e-89, 4e-16},
    {"normal_cdf", {-8.0}, 6.22096057427178412e-16, 4e-16},
    {"normal_cdf", {-1.0}, 1.58655253931457051e-1, 4e-16},
    {"normal_cdf", {0.0}, 5.0e-1, 4e-16},
    {"normal_cdf", {2.5}, 9.93790334674223865e-1, 4e-16},
    {"log_normal_cdf", {-100000000.0}, -5.00000000000001934e+15, 4e-16},
    {"log_normal_cdf", {-1000.0}, -5.00007826694812184e+5, 4e-16},
    {"log_normal_cdf", {-38.0}, -7.2655721601882013e+2, 4e-16},
    {"log_normal_cdf", {-36.9}, -6.85332883165350612e+2, 4e-16},
    {"log_normal_cdf", {-10.0}, -5.32312851505124706e+1, 4e-16},
    {"log_normal_cdf", {-1.0}, -1.84102164500926351, 4e-16},
    {"log_normal_cdf", {0.0}, -6.93147180559945309e-1, 4e-16},
    {"log_normal_cdf", {5.0}, -2.86651612963763593e-7, 4e-16},
    {"log_normal_cdf", {9.0}, -1.12858840595384065e-19, 4e-16},
    {"normal_icdf", {1e-300}, -3.70470962993611992e+1, 5e-16},
    {"normal_icdf", {1e-10}, -6.3613409024040562, 5e-16},
    {"normal_icdf", {0.1}, -1.28155156554460044, 5e-16},
    {"normal_icdf", {0.4999}, -2.50662830088007492e-4, 5e-16},
    {"normal_icdf", {0.975}, 1.95996398454005386, 5e-16},
    {"normal_icdf", {0.9999999999999999}, 8.20953615160138686, 5e-16},
    {"log_i0", {0.0001}, 2.49999999843750024e-9, 5e-16},
    {"log_i0", {1.0}, 2.35914358507178649e-1, 5e-16},
    {"log_i0", {3.99}, 2.41633949548918412, 5e-16},
    {"log_i0", {20.0}, 1.75896104282442743e+1, 5e-16},
    {"log_i0", {1000000.0}, 9.99992173306312813e+5, 5e-16},
    {"i1_over_i0", {0.0001}, 4.99999999375000025e-5, 1e-15},
    {"i1_over_i0", {1.0}, 4.46389965896534507e-1, 1e-15},
    {"i1_over_i0", {20.0}, 9.74670507889807126e-1, 1e-15},
    {"i1_over_i0", {1000.0}, 9.9949987487480428e-1, 1e-15},
    {"log1m_exp", {-1e-20}, -4.60517018598809137e+1, 4e-16},
    {"log1m_exp", {-0.5}, -9.32752129567188572e-1, 4e-16},
    {"log1m_exp", {-0.7}, -6.86341002808385153e-1, 4e-16},
    {"log1m_exp", {-50.0}, -1.92874984796391778e-22, 4e-16},
    {"gamma_p", {0.001, 1e-20}, 9.55543196303303508e-1, 2e-14},
    {"gamma_q", {0.001, 1e-20}, 4.44568036966964919e-2, 2e-14},
    {"gamma_p_da", {0.001, 1e-20}, -4.34544065469729137e+1, 4e-14},
    {"gamma_draw_grad", {0.001, 1e-20}, 4.54761299280706098e-16, 1e-13},
    {"gamma_p", {0.01, 1e-05}, 8.96336798267197201e-1, 2e-14},
    {"gamma_q", {0.01, 1e-05}, 1.03663201732802799e-1, 2e-14},
    {"gamma_p_da", {0.01, 1e-05}, -9.81672526119256528, 4e-14},
    {"gamma_draw_grad", {0.01, 1e-05}, 1.09521582467144855e-2, 1e-13},
    {"gamma_p", {0.2, 0.18}, 7.50820904633450189e-1, 2e-14},
    {"gamma_q", {0.2, 0.18}, 2.49179095366549811e-1, 2e-14},
    {"gamma_p_da", {0.2, 0.18}, -1.16214233453717341, 4e-14},
    {"gamma_draw_grad", {0.2, 0.18}, 1.6201038009974792, 1e-13},
    {"gamma_p", {0.5, 3.0}, 9.8569412156457036e-1, 2e-14},
    {"gamma_q", {0.5, 3.0}, 1.43058784354296395e-2, 2e-14},
    {"gamma_p_da", {0.5, 3.0}, -4.72403264479737509e-2, 4e-14},
    {"gamma_draw_grad", {0.5, 3.0}, 2.91294241644036457, 1e-13},
    {"gamma_p", {2.5, 40.0}, 9.99999999999999161e-1, 2e-14},
    {"gamma_q", {2.5, 40.0}, 8.39182511483161009e-16, 2e-14},
    {"gamma_p_da", {2.5, 40.0}, -2.5267860704828765e-15, 4e-14},
    {"gamma_draw_grad", {2.5, 40.0}, 3.12531619886970326, 1e-13},
    {"gamma_p", {10.0, 3.0}, 1.10248813011547974e-3, 2e-14},
    {"gamma_q", {10.0, 3.0}, 9.9889751186988452e-1, 2e-14},
    {"gamma_p_da", {10.0, 3.0}, -1.41563646057520935e-3, 4e-14},
    {"gamma_draw_grad", {10.0, 3.0}, 5.24211960601438007e-1, 1e-13},
    {"gamma_p", {100.0, 95.0}, 3.173568111698e-1, 2e-14},
    {"gamma_q", {100.0, 95.0}, 6.826431888302e-1, 2e-14},
    {"gamma_p_da", {100.0, 95.0}, -3.59911347928311116e-2, 4e-14},
    {"gamma_draw_grad", {100.0, 95.0}, 9.76198311218707012e-1, 1e-13},
    {"gamma_p", {100.0, 130.0}, 9.97249591632693474e-1, 2e-14},
    {"gamma_q", {100.0, 130.0}, 2.75040836730652628e-3, 2e-14},
    {"gamma_p_da", {100.0, 130.0}, -8.10130028562289902e-4, 4e-14},
    {"gamma_draw_grad", {100.0, 130.0}, 1.13880444583722769, 1e-13},
    {"gamma_p", {1000.0, 900.0}, 5.49902265711782923e-4, 2e-14},
    {"gamma_q", {1000.0, 900.0}, 9.99450097734288217e-1, 2e-14},
    {"gamma_p_da", {1000.0, 900.0}, -6.24570903584156516e-5, 4e-14},
    {"gamma_draw_grad", {1000.0, 900.0}, 9.48402638179410407e-1, 1e-13},
    {"gamma_p", {100000.0, 100300.0}, 8.28636311251207648e-1, 2e-14},
    {"gamma_q", {100000.0, 100300.0}, 1.71363688748792352e-1, 2e-14},
    {"gamma_p_da", {100000.0, 100300.0}, -8.03928212363564373e-4, 4e-14},
    {"gamma_draw_grad", {100000.0, 100300.0}, 1.00150017141130089, 1e-13},
    {"log_gamma_draw_grad", {0.001, -2000.0}, 1.99942442806818966e+6, 1e-14},
    {"log_gamma_draw_grad", {0.001, -900.0}, 8.99424428068189681e+5, 1e-14},
    {"log_gamma_draw_grad", {0.05, -30.0}, 5.90043100174056842e+2, 1e-14},
    {"log_gamma_draw_grad", {3.0, 1.0}, 3.69958017880748432e-1, 1e-14},
    {"gamma_draw_grad", {1000000.0, 1002000.0}, 1.0009995008324179, 1e-13},
    {"beta_i", {2.0, 5.0, 0.3}, 5.79824999999999976e-1, 2e-14},
    {"beta_i_da", {2.0, 5.0, 0.3}, -2.52415781268285843e-1, 4e-14},
    {"beta_i_db", {2.0, 5.0, 0.3}, 9.94448945694568771e-2, 4e-14},
    {"beta_i", {0.5, 0.5, 0.01}, 6.37685608585198486e-2, 2e-14},
    {"beta_i_da", {0.5, 0.5, 0.01}, -3.32657960740176429e-1, 4e-14},
    {"beta_i_db", {0.5, 0.5, 0.01}, 8.81885077235806697e-2, 4e-14},
    {"beta_i", {0.01, 3.0, 1e-06}, 8.84071574478555889e-1, 2e-14},
    {"beta_i_da", {0.01, 3.0, 1e-06}, -1.08987469097169138e+1, 4e-14},
    {"beta_i_db", {0.01, 3.0, 1e-06}, 3.48469616310318694e-3, 4e-14},
    {"beta_i", {10.0, 200.0, 0.05}, 6.01389561912956297e-1, 2e-14},
    {"beta_i_da", {10.0, 200.0, 0.05}, -1.19803308008394862e-1, 4e-14},
    {"beta_i_db", {10.0, 200.0, 0.05}, 6.04961068501228288e-3, 4e-14},
    {"beta_i", {1000.0, 800.0, 0.55}, 3.17160988084786097e-1, 2e-14},
    {"beta_i_da", {1000.0, 800.0, 0.55}, -7.55632755125107064e-3, 4e-14},
    {"beta_i_db", {1000.0, 800.0, 0.55}, 9.34024897499714766e-3, 4e-14},
    {"beta_i", {3.0, 1000000.0, 3e-06}, 5.76811599187246014e-1, 2e-14},
    {"beta_i_da", {3.0, 1000000.0, 3e-06}, -2.36817600622881292e-1, 4e-14},
    {"beta_i_db", {3.0, 1000000.0, 3e-06}, 6.72124750835727324e-7, 4e-14},
    {"beta_i", {10000.0, 20000.0, 0.33}, 1.10205519127419716e-1, 2e-14},
    {"beta_i_da", {10000.0, 20000.0, 0.33}, -1.54253116124299869e-3, 4e-14},
    {"beta_i_db", {10000.0, 20000.0, 0.33}, 7.6548431025155617e-4, 4e-14},
    {"beta_i", {2.0, 1e-06, 0.9}, 1.4025845143712231e-6, 2e-14},
    {"beta_i_da", {2.0, 1e-06, 0.9}, -5.47490930683226036e-7, 4e-14},
    {"beta_i_db", {2.0, 1e-06, 0.9}, 1.40258393574804927, 4e-14},
    {"beta_i", {300.0, 0.02, 0.7}, 8.25809947738683197e-51, 2e-14},
    {"beta_i_da", {300.0, 0.02, 0.7}, -2.97222893225981196e-51, 4e-14},
    {"beta_i_db", {300.0, 0.02, 0.7}, 4.54613618155768583e-49, 4e-14},
    {"beta_i", {0.0001, 0.0001, 0.5}, 5.0e-1, 2e-14},
    {"beta_i_da", {0.0001, 0.0001, 0.5}, -2.50000004111283587e+3, 4e-14},
    {"beta_i_db", {0.0001, 0.0001, 0.5}, 2.50000004111283587e+3, 4e-14},
};

START_TEST(values_are_right_to_the_last_digits) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        check_value(function_named(rows[k].name), rows[k].x, rows[k].value, rows[k].tolerance);
    }
}
END_TEST

/* -- The collection: JSON points {f, args, value, grad} -- */

/* Its name, ours, a relative tolerance, and the functions that are its partial derivatives; "-f": minus f. */
typedef struct Known {
    const char *theirs, *ours;
    double tolerance;
    const char *grad[MAX_ARGS];
} Known;

static const Known known[] = {
    {"lgamma", "lgamma", 4e-16, {"digamma"}},
    {"digamma", "digamma", 2e-14, {"trigamma"}},
    {"trigamma", "trigamma", 2e-15, {NULL}},
    {"Phi", "normal_cdf", 4e-16, {NULL}},
    {"log_Phi", "log_normal_cdf", 4e-16, {NULL}},
    {"inv_Phi", "normal_icdf", 5e-16, {NULL}},
    {"betainc", "beta_i", 2e-14, {"beta_i_da", "beta_i_db"}},
    {"gammainc_lower_reg", "gamma_p", 2e-14, {"gamma_p_da"}},
    {"gammainc_upper_reg", "gamma_q", 2e-14, {"-gamma_p_da"}},
    {"log_bessel_i0", "log_i0", 5e-16, {"i1_over_i0"}},
    {"bessel_ratio_i1_i0", "i1_over_i0", 1e-15, {NULL}},
    {"log1mexp", "log1m_exp", 4e-16, {NULL}},
    {"lbeta", "lbeta", 2e-14, {NULL}},
    {"log_diff_exp", "log_diff_exp", 4e-16, {NULL}},
    {"log_add_exp", "log_add_exp", 4e-16, {NULL}},
};

static void check_point(const Known *k, json_t *point) {
    double x[MAX_ARGS] = {0};
    json_t *args = json_object_get(point, "args"), *grad = json_object_get(point, "grad");
    for (size_t i = 0; i < json_array_size(args); i++) x[i] = json_number_value(json_array_get(args, i));
    check_value(function_named(k->ours), x, json_number_value(json_object_get(point, "value")), k->tolerance);
    for (int i = 0; i < MAX_ARGS && k->grad[i]; i++) {
        bool minus = k->grad[i][0] == '-';
        double expected = json_number_value(json_array_get(grad, (size_t)i));
        check_value(function_named(k->grad[i] + minus), x, minus ? -expected : expected, 5e-14);
    }
}

START_TEST(values_agree_with_the_collection) {
    const char *path = "../shared/reference/distributions/special_functions.json";
    json_error_t error;
    json_t *root = json_load_file(path, JSON_DECODE_INT_AS_REAL, &error);
    if (!root) {
        printf("skipped: there is no %s (the values kept in this file are checked)\n", path);
        return;
    }
    size_t i, checked = 0;
    json_t *point;
    json_array_foreach(json_object_get(root, "points"), i, point) {
        const char *name = json_string_value(json_object_get(point, "f"));
        for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
            if (strcmp(known[k].theirs, name) == 0) check_point(&known[k], point), checked++;
        }
    }
    ck_assert_uint_gt(checked, 90);
    json_decref(root);
}
END_TEST

/* -- Every double -- */

static const double odd[] = {NAN,  -INFINITY, -1e300, -1e8, -745, -3, -1.5, -1,   -1e-8, -1e-310, -0.0, 0,
                           1e-310, 1e-30,   1e-8,   0.2,  0.5,  1,  1.5,  2,    3.7,   30,      745,  1e5,
                           1e8,  1e17,      1e300,  DBL_MAX, INFINITY};
enum { NODD = sizeof odd / sizeof *odd };

START_TEST(functions_are_defined_for_every_double) {
    for (int k = 0; k < NFUNCTIONS; k++) {
        const Function *f = &functions[k];
        int total = f->arity == 1 ? NODD : f->arity == 2 ? NODD * NODD : NODD * NODD * NODD;
        for (int i = 0; i < total; i++) {
            double x[MAX_ARGS] = {odd[i % NODD], odd[i / NODD % NODD], odd[i / NODD / NODD % NODD]};
            bool any_nan = false;
            for (int j = 0; j < f->arity; j++) any_nan = any_nan || isnan(x[j]);
            double y = call(f, x);
            if (any_nan) ck_assert_msg(isnan(y), "%s(%g, %g, %g) = %g", f->name, x[0], x[1], x[2], y);
        }
    }
}
END_TEST

START_TEST(probabilities_stay_in_their_range_and_grow) {
    static const double shapes[] = {1e-300, 1e-5, 0.3, 1, 7, 90, 2e4, 1e9, 1e15};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        double a = shapes[i], last = 0;
        for (double z = -8; z <= 8; z += 0.125) {
            double x = a < 5 ? exp(4 * z) : a + z * sqrt(a), p = special_gamma_p(a, x), q = special_gamma_q(a, x);
            if (x < 0) continue;
            ck_assert_msg(p >= last - 1e-14 && p <= 1 && q >= 0, "P(%g, %g) = %g after %g", a, x, p, last);
            ck_assert_double_eq_tol(p + q, 1, 1e-14);
            ck_assert_msg(special_gamma_p_da(a, x) <= 0, "P_a(%g, %g)", a, x);
            last = p;
        }
        for (size_t j = 0; j < sizeof shapes / sizeof *shapes; j++) {
            double b = shapes[j], sum = a + b, sd = sqrt(a / sum * (b / sum) / (sum + 1));
            last = 0;
            for (double z = -8; z <= 8; z += 0.25) {
                double x = a / sum + z * sd, i1 = special_beta_i(a, b, x);
                if (!(x > 0 && x < 1)) continue;
                ck_assert_msg(i1 >= last - 1e-12 && i1 <= 1, "I(%g, %g, %g) = %g after %g", a, b, x, i1, last);
                ck_assert_msg(special_beta_i_da(a, b, x) <= 0 && special_beta_i_db(a, b, x) >= 0, "I_a(%g, %g, %g)", a,
                              b, x);
                last = i1;
            }
        }
    }
}
END_TEST

START_TEST(poles_and_limits) {
    ck_assert_double_eq(special_lgamma(0), INFINITY);
    ck_assert_double_eq(special_digamma(0), -INFINITY);
    ck_assert_double_eq(special_trigamma(0), INFINITY);
    ck_assert_double_nan(special_digamma(-2));
    ck_assert_double_nan(special_polygamma(1.5, 2));
    ck_assert_double_eq(special_normal_icdf(0), -INFINITY);
    ck_assert_double_nan(special_normal_icdf(1.1));
    ck_assert_double_eq(special_normal_cdf(-50), 0);
    ck_assert_double_eq(special_log1m_exp(0), -INFINITY);
    ck_assert_double_nan(special_log1m_exp(1e-3));
    ck_assert_double_eq(special_log_add_exp(-INFINITY, -INFINITY), -INFINITY);
    ck_assert_double_eq(special_log_add_exp(INFINITY, 3), INFINITY);
    ck_assert_double_eq(special_log_diff_exp(2, 2), -INFINITY);
    ck_assert_double_eq(special_log_diff_exp(2, -INFINITY), 2);
    ck_assert_double_eq(special_xlogy(0, 0), 0);
    ck_assert_double_eq(special_xlog1py(0, -1), 0);
    ck_assert_double_eq(special_gamma_p(2, INFINITY), 1);
    ck_assert_double_eq(special_gamma_q(2, 0), 1);
    ck_assert_double_eq(special_beta_i(2, 3, 1), 1);
    ck_assert_double_eq(special_i1_over_i0(INFINITY), 1);
}
END_TEST

START_TEST(the_inverse_undoes_the_normal_cdf) {
    for (double x = -37; x < 5; x += 0.37) {
        double back = special_normal_icdf(special_normal_cdf(x));
        ck_assert_double_eq_tol(back, x, x < 0 ? 1e-15 * (1 + fabs(x)) : 1e-15 * exp(x * x / 2) + 1e-15);
    }
}
END_TEST

int main(void) {
    static const TTest *const *const tests[] = {&values_are_right_to_the_last_digits, &values_agree_with_the_collection,
                                         &functions_are_defined_for_every_double,
                                         &probabilities_stay_in_their_range_and_grow, &poles_and_limits,
                                         &the_inverse_undoes_the_normal_cdf};
    Suite *suite = suite_create("special");
    TCase *tcase = tcase_create("special");
    for (size_t k = 0; k < sizeof tests / sizeof *tests; k++) tcase_add_test(tcase, *tests[k]);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
