/* What it costs to sum out discrete latents: operations on numbers, counted on the tape of one evaluation of the log joint.
 * A chain of T steps with K states takes T K^2 of them, a mixture N K. And what a covariance of low rank costs. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/pair.h"
#include "lang/lang.h"
#include "suite.h"

static double counted; /* by the latest call of operations(m) in a program */

/* An operation touches its operands and its result: the largest of them. */
static double count_operations(const Tape *t) {
    double n = 0;
    for (int k = 0; k < t->nnodes; k++) {
        const Node *node = &t->nodes[k];
        int64_t size = node->ninputs ? shape_size(node->value->shape) : 0;
        for (int i = 0; i < node->ninputs; i++) {
            int64_t operand = shape_size(t->nodes[node->inputs[i]].value->shape);
            if (operand > size) size = operand;
        }
        n += (double)size;
    }
    return n;
}

static Value call_operations(Interp *in, const Args *a) {
    Pair pair = {.in = in, .arena = in->arena, .automatic = value_nothing(), .span = a->span};
    pair.model = model_argument(in, a->values[0], FUNCTION_MODEL, a->span);
    pair.params = ARENA_NEW(in->arena, ParamStore);
    params_init(pair.params, in, in->arena);
    pair.latents = ARENA_NEW(in->arena, Latents);
    latents_init(pair.latents, in->arena, false, true, "a test");
    pair_check(&pair, in, 1);
    Scope saved;
    Tape *t = tape_new(in->ctx, in->arena, true);
    scope_enter(in, &saved, in->arena, t, 1);
    real zero = 0;
    t->inputs[SLOT_POINT] = &zero; /* what depends on no latent is computed once, and not counted */
    Pass p;
    pass_run_at_point(&p, &pair, in, PASS_TERMS);
    Var y = pass_log_joint(&p, in);
    ck_assert(isfinite(tape_read(t, y)));
    counted = count_operations(t);
    scope_leave(in, &saved);
    return value_nothing();
}

static const Builtin counting[] = {{"operations", "(m)", call_operations, "for this test", 0}, {0}};
static const Builtin *const layer[] = {counting, NULL};

static double operations(const char *text) {
    Ctx *ctx = ctx_new();
    Interp *in = interp_new(ctx, (const Builtin *const *const[]){infer_builtins, layer, NULL});
    infer_attach(in, NULL);
    interp_load_stdlib(in);
    Diagnostics d = {0};
    LoadOptions options = {0};
    Module *m = lang_load(ctx, in->names, ctx_add_source(ctx, "<test>", text, strlen(text)), &options, &d);
    ck_assert_msg(m != NULL, "%s", d.n ? d.list[0].error.message : "");
    interp_run_module(in, m);
    infer_detach(in);
    interp_free(in);
    ctx_free(ctx);
    return counted;
}

static double chain(int steps, int states, bool at_once) {
    char text[800];
    snprintf(text, sizeof text,
             "K = %d\ndata y = ones(%d)\n"
             "model m {\n w ~ Normal(0, 1)\n P = softmax(w * ones(K, K))\n z[1] ~ Categorical(P[1])\n y[1] ~ Normal(w * z[1], 1)\n"
             " for t in %s { z[t] ~ Categorical(P[z[t - 1]]);  y[t] ~ Normal(w * z[t], 1) }\n}\n"
             "operations(m)\n",
             states, steps, at_once ? "2..len(y)" : "map(t -> t, 2..len(y))");
    return operations(text);
}

static double mixture(int n, int states) {
    char text[600];
    snprintf(text, sizeof text,
             "K = %d\ndata y = ones(%d)\n"
             "model m {\n w ~ Normal(0, 1)\n p = softmax(w * ones(K))\n"
             " plate i in 1..len(y) { z[i] ~ Categorical(p);  y[i] ~ Normal(w * z[i], 1) }\n}\n"
             "operations(m)\n",
             states, n);
    return operations(text);
}

/* a + b x + c x^2 through three counts, at a fourth place. */
static double parabola(const double *x, const double *y, double at) {
    double sum = 0;
    for (int k = 0; k < 3; k++) {
        double weight = y[k];
        for (int j = 0; j < 3; j++)
            if (j != k) weight *= (at - x[j]) / (x[k] - x[j]);
        sum += weight;
    }
    return sum;
}

static void ck_near(const char *what, double value, double want, double relative) {
    ck_assert_msg(fabs(value / want - 1) <= relative, "%s: %g, expected %g within %g", what, value, want, relative);
}

static double low_rank(int n) {
    char text[300];
    snprintf(text, sizeof text,
             "model m {\n w ~ Normal(0, 1)\n"
             " observe ones(%d) ~ LowRankNormal(w * ones(%d), w * ones(%d, 3), exp(w) * ones(%d))\n}\noperations(m)\n",
             n, n, n, n);
    return operations(text);
}

START_TEST(a_covariance_of_low_rank_takes_its_rows) { ck_near("rows", low_rank(1600) / low_rank(200), 8, 0.1); }
END_TEST

START_TEST(a_chain_takes_t_k_squared) {
    for (int at_once = 0; at_once < 2; at_once++) {
        ck_near("steps", chain(1600, 6, at_once) / chain(200, 6, at_once), 8, 0.03);
        ck_near("steps", chain(1600, 24, at_once) / chain(200, 24, at_once), 8, 0.03);
        double k[3] = {4, 8, 16}, n[3];
        for (int i = 0; i < 3; i++) n[i] = chain(100, (int)k[i], at_once);
        double far = chain(100, 96, at_once);
        ck_near("states", far, parabola(k, n, 96), 0.03);
        ck_assert_msg(far > 0.9 * 99 * 96 * 96 && far < 12. * 99 * 96 * 96, "%g operations", far);
    }
}
END_TEST

START_TEST(a_mixture_takes_n_k) {
    ck_near("elements", mixture(8000, 5) / mixture(1000, 5), 8, 0.03);
    double at4 = mixture(2000, 4), at8 = mixture(2000, 8);
    ck_near("values", mixture(2000, 64), at4 + (at8 - at4) * 15, 0.03);
}
END_TEST

int main(void) {
    Suite *s = suite_create("cost");
    TCase *c = tcase_create("operations");
    tcase_add_test(c, a_chain_takes_t_k_squared);
    tcase_add_test(c, a_mixture_takes_n_k);
    tcase_add_test(c, a_covariance_of_low_rank_takes_its_rows);
    suite_add_tcase(s, c);
    return suite_run(s);
}
