/* The objectives of svi. */
#include "infer/builtins.h"
#include "infer/fit.h"

/* A number, or a schedule: linear(0, 1, 1000). */
static Schedule kl_weight_argument(Interp *in, const Args *a, int k) {
    Value v = a->values[k];
    if (v.kind == VALUE_OBJECT) return *(Schedule *)object_of(in, v, &schedule_type, "linear(0, 1, 1000)", a->spans[k]);
    return schedule_constant(argument_number(in, a, k, 1, 0, 1e6, "the weight of the KL term"));
}

static Value make_elbo(Interp *in, const Args *a) {
    Objective o = {.particles = (int)argument_count(in, a, 0, 0, 1, "the number of particles"),
                   .kl_weight = kl_weight_argument(in, a, 1)};
    return object_value(in, &objective_type, &o, sizeof o);
}

const Builtin builtins_objectives[] = {
    {"ELBO", "(particles = , kl_weight = )", make_elbo, 
     "the evidence lower bound, as objective of svi; kl_weight: a number, or by step linear(0, 1, 1000)", 0},
    {0},
};
