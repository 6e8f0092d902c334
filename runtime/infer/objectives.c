/* The objectives of svi. */
#include "infer/builtins.h"
#include "infer/fit.h"

static Value make_elbo(Interp *in, const Args *a) {
    Objective o = {.particles = (int)argument_count(in, a, 0, 0, 1, "the number of particles"),
                   .kl_weight = argument_number(in, a, 1, 1, 0, 1e6, "the weight of the KL term")};
    return object_value(in, &objective_type, &o, sizeof o);
}

const Builtin builtins_objectives[] = {
    {"ELBO", "(particles = , kl_weight = )", make_elbo, "the evidence lower bound, as objective of svi", 0},
    {0},
};
