/* Optimizers and schedules as objects of the language: adam(1e-3, schedule = cosine(), clip = 5). */
#include <math.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"

static const char *options_text(Interp *in, const Optimizer *o) {
    const char *list = "";
    for (int k = 0; k < o->noptions; k++) list = arena_printf(in->arena, "%s%s, ", list, o->options[k].name);
    return arena_printf(in->arena, "%sschedule, clip", list);
}

static _Noreturn void unknown_option(Interp *in, const Optimizer *o, const char *name, Span at) {
    const char *names[MAX_OPTIONS + 3], *list = options_text(in, o);
    int n = 0;
    for (; n < o->noptions; n++) names[n] = o->options[n].name;
    names[n++] = "schedule", names[n++] = "clip";
    const char *near = nearest_name(name, names, n);
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              near ? arena_printf(in->arena, "did you mean `%s`? (its options: %s)", near, list) : list,
              "the optimizer `%s` has no option `%s`", o->name, name);
}

static Value optimizer_value(Interp *in, const char *name, const Args *a) {
    OptimizerChoice c = {.optimizer = optimizer_find(name), .schedule = schedule_constant(1)};
    const Optimizer *o = c.optimizer;
    optimizer_defaults(o, c.option);
    int position = 0;
    for (int k = 0; k < a->nrest; k++) {
        const char *option = a->rest_names[k];
        Value v = a->rest[k];
        if (option && strcmp(option, "schedule") == 0) {
            c.schedule = *(Schedule *)object_of(in, v, &schedule_type, "cosine(0.1)", a->span);
            continue;
        }
        if (option && strcmp(option, "clip") == 0) {
            c.clip = number_within(in, v, 1e-300, INFINITY, "the limit of the gradient's norm", a->span);
            continue;
        }
        int place = option ? strcmp(option, "rate") == 0 ? 0 : optimizer_option(o, option) : position++;
        if (place < 0) unknown_option(in, o, option, a->span);
        if (place >= o->noptions)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, arena_printf(in->arena, "its options: %s", options_text(in, o)),
                      "%s takes %d numbers without a name; here are more", o->name, o->noptions);
        double x = value_to_number(in, v, a->span, o->options[place].name);
        if (!(x >= o->options[place].low && x <= o->options[place].high))
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "%s: `%s` must be from %g to %g, it is %g", o->name,
                      o->options[place].name, o->options[place].low, o->options[place].high, x);
        c.option[place] = x;
    }
    return object_value(in, &optimizer_type, &c, sizeof c);
}
#define OPTIMIZER(NAME)                                                                                                \
    static Value make_##NAME(Interp *in, const Args *a) { return optimizer_value(in, #NAME, a); }
#include "infer/optimizers.def"
#undef OPTIMIZER

static Value schedule_value(Interp *in, Schedule s) { return object_value(in, &schedule_type, &s, sizeof s); }

/* cosine and exponential */
static Value falling(Interp *in, const Args *a, ScheduleKind kind) {
    return schedule_value(
        in, (Schedule){.kind = kind,
                       .final = argument_number(in, a, 0, 0.01, 0, 1, "the last factor"),
                       .warmup = argument_count(in, a, 1, 0, 0, "the number of warm-up steps")});
}

static Value make_cosine(Interp *in, const Args *a) { return falling(in, a, SCHEDULE_COSINE); }
static Value make_exponential(Interp *in, const Args *a) { return falling(in, a, SCHEDULE_EXPONENTIAL); }

static Value make_warmup(Interp *in, const Args *a) {
    Schedule s = schedule_constant(1);
    s.warmup = argument_count(in, a, 0, 100, 1, "the number of warm-up steps");
    return schedule_value(in, s);
}

static Value make_linear(Interp *in, const Args *a) {
    return schedule_value(in, (Schedule){.kind = SCHEDULE_LINEAR,
                                         .first = argument_number(in, a, 0, 0, 0, 1e6, "the first factor"),
                                         .final = argument_number(in, a, 1, 1, 0, 1e6, "the last factor"),
                                         .steps = argument_count(in, a, 2, 0, 1, "the number of steps")});
}

const Builtin builtins_training[] = {
#define OPTIMIZER(NAME) {#NAME, "(...)", make_##NAME, "an optimizer: its options by name, then schedule and clip", 0},
#include "infer/optimizers.def"
#undef OPTIMIZER
    {"cosine", "(final = , warmup = )", make_cosine,
     "a schedule: after `warmup` steps the rate falls along a cosine to `final` (0.01) times itself "
     "(Loshchilov and Hutter 2017)", 0},
    {"exponential", "(final = , warmup = )", make_exponential,
     "a schedule: after `warmup` steps the rate falls exponentially to `final` (0.01) times itself", 0},
    {"linear", "(from, to, steps)", make_linear,
     "a schedule: a factor on the rate, or a weight of the KL term, that goes from `from` to `to` in so many steps", 0},
    {"warmup", "(steps = )", make_warmup,
     "a schedule: the rate rises linearly over the first steps (100), then stays (Goyal et al. 2017)", 0},
    {0},
};
