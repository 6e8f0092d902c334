/* The methods of infer: svi(...), map(...), laplace(), importance(n), and the names of those to come. */
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"
#include "interp/builtins.h"

const Method method_svi = {.name = "svi", .run = svi_run}, method_map = {.name = "map", .run = map_run, .point = true},
             method_laplace = {.name = "laplace", .run = laplace_run, .point = true},
             method_importance = {.name = "importance", .run = importance_run, .weighs = true},
             method_exact = {.name = "exact", .run = exact_run};

MethodChoice method_default(void) {
    return (MethodChoice){.method = &method_svi, .objective = {.name = "the ELBO", .order = 1, .kl_weight = schedule_constant(1)}};
}

static Value method_value(Interp *in, const MethodChoice *c) { return object_value(in, &method_type, c, sizeof *c); }

static Baseline read_baseline(Interp *in, Value v, Span at) {
    static const char *const names[] = {"loo", "average", "none"};
    const char *name = value_to_string(in, v, at, "the baseline");
    for (int k = 0; k < 3; k++)
        if (strcmp(name, names[k]) == 0) return (Baseline)k;
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              "\"loo\" is the mean of the other particles, \"average\" a moving average over the steps",
              "the baseline is \"loo\", \"average\" or \"none\", not \"%s\"", name);
}

static Value make_svi(Interp *in, const Args *a) {
    MethodChoice c = method_default();
    const Objective *o = argument_object(in, a, 0, &objective_type, "ELBO(particles = 8)");
    const OptimizerChoice *p = argument_object(in, a, 1, &optimizer_type, "adam(1e-3)");
    if (a->values[2].kind != VALUE_NONE) c.baseline = read_baseline(in, a->values[2], a->spans[2]);
    if (o) c.objective = *o;
    if (p) c.has_optimizer = true, c.optimizer = *p;
    return method_value(in, &c);
}

/* map(f, xs, ...) is the function on lists; map() and map(restarts = n) are the method. */
static Value make_map(Interp *in, const Args *a) {
    ValueKind first = a->values[0].kind;
    if (first == VALUE_FUNCTION || first == VALUE_BUILTIN || first == VALUE_FAMILY) return builtin_map(in, a);
    Args restarts = {.values = a->values, .n = 1, .spans = a->spans, .span = a->span};
    for (int k = 0; k < a->nrest; k++) {
        if (!a->rest_names[k] || strcmp(a->rest_names[k], "restarts") != 0)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "map(f, xs) applies f; map(restarts = n) is the method",
                      "`map` takes a function and lists, or `restarts`");
        restarts.values = &a->rest[k], restarts.spans = &a->span;
    }
    MethodChoice c = {.method = &method_map,
                      .number = (double)argument_count(in, &restarts, 0, 0, 1, "the number of restarts")};
    return method_value(in, &c);
}

static Value make_laplace(Interp *in, const Args *a) {
    (void)a;
    return method_value(in, &(MethodChoice){.method = &method_laplace});
}

static Value make_importance(Interp *in, const Args *a) {
    MethodChoice c = {.method = &method_importance,
                      .number = (double)argument_count(in, a, 0, 10000, 1, "the number of runs")};
    return method_value(in, &c);
}

/* -- Not there yet, and said so by name -- */

#define NOT_THERE(NAME)                                                                                                \
    static Value make_##NAME(Interp *in, const Args *a) {                                                              \
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "there are svi(), map(), laplace() and importance(n)",              \
                  "`%s` is not there yet", #NAME);                                                                     \
    }
#include "infer/not_there.def"
#undef NOT_THERE

const Builtin builtins_methods[] = {
    {"svi", "(objective = , optimizer = , baseline = )", make_svi,
     "stochastic variational inference: the guide nearest to the posterior (Hoffman et al. 2013; Kucukelbir et al. "
     "2017). objective: ELBO() by default, IWAE(k), Renyi(alpha); optimizer: adam(0.01) by default, adam(0.05) where "
     "neither `steps` nor `epochs` is said; baseline, for draws that no gradient flows through: \"loo\", the mean of "
     "the other particles, by default; \"average\", a moving average over the steps; \"none\"",
     0},
    {"map", "(f = , xs = , ...)", make_map,
     "map(f, xs): f of every element; of several lists of one length f(x, y, ...). Without them a method: the point of "
     "highest density of the variables as written, by L-BFGS (Liu and Nocedal 1989) from several starts: map(restarts "
     "= 10)",
     0},
    {"laplace", "()", make_laplace,
     "a Gaussian at the mode, in unconstrained space, and Laplace's formula for the evidence (Tierney and Kadane 1986)",
     0},
    {"importance", "(n = )", make_importance,
     "n (10000) weighted runs of the guide, or of the prior; weights smoothed (Vehtari et al. 2024)", 0},
#define NOT_THERE(NAME) {#NAME, "(...)", make_##NAME, "not there yet", 0},
#include "infer/not_there.def"
#undef NOT_THERE
    {0},
};
