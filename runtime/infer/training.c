/* Optimizers and schedules as objects of the language: adam(1e-3, schedule = cosine(), clip = 5). */
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"

static _Noreturn void unknown_option(Interp *in, const Optimizer *o, const char *name, Span at) {
    const char *names[MAX_OPTIONS + 3];
    int n = 0;
    Buf all = {0};
    for (; n < o->noptions; n++) {
        names[n] = o->options[n].name;
        buf_printf(&all, "%s, ", names[n]);
    }
    names[n++] = "schedule", names[n++] = "clip";
    buf_add(&all, "schedule, clip");
    char *list = arena_strdup(in->arena, all.text);
    buf_free(&all);
    const char *near = nearest_name(name, names, n);
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              near ? arena_printf(in->arena, "did you mean `%s`? (its options: %s)", near, list) : list,
              "the optimizer `%s` has no option `%s`", o->name, name);
}

static Value optimizer_value(Interp *in, const char *name, const Args *a) {
    OptimizerChoice c = {.optimizer = optimizer_find(name), .schedule = {.kind = SCHEDULE_CONSTANT}};
    if (!c.optimizer) ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "there is no optimizer `%s`", name);
    const Optimizer *o = c.optimizer;
    optimizer_defaults(o, c.option);
    int position = 0;
    for (int k = 0; k < a->nrest; k++) {
        const char *option = a->rest_names[k];
        Value v = a->rest[k];
        if (option && strcmp(option, "schedule") == 0) {
            if (v.kind != VALUE_OBJECT || v.u.object->type != &schedule_type)
                ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "for example cosine(0.1)",
                          "a schedule was expected; this is %s", value_describe(in, v));
            c.schedule = *(Schedule *)v.u.object->data;
            continue;
        }
        if (option && strcmp(option, "clip") == 0) {
            c.clip = value_to_number(in, v, a->span, "the limit of the gradient's norm");
            continue;
        }
        int place = option ? strcmp(option, "rate") == 0 ? 0 : optimizer_option(o, option) : position++;
        if (place < 0) unknown_option(in, o, option, a->span);
        if (place >= o->noptions)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "`%s` has %d options", o->name, o->noptions);
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

static Value schedule_value(Interp *in, const Args *a, ScheduleKind kind, double final) {
    Schedule s = {.kind = kind,
                  .final = argument_number(in, a, 0, final, 0, 1, "the last factor"),
                  .warmup = argument_count(in, a, 1, 0, 0, "the number of warm-up steps")};
    return object_value(in, &schedule_type, &s, sizeof s);
}
static Value make_cosine(Interp *in, const Args *a) { return schedule_value(in, a, SCHEDULE_COSINE, 0.01); }
static Value make_decay(Interp *in, const Args *a) { return schedule_value(in, a, SCHEDULE_EXPONENTIAL, 0.01); }
static Value make_warmup(Interp *in, const Args *a) {
    Schedule s = {.kind = SCHEDULE_CONSTANT,
                  .final = 1,
                  .warmup = argument_count(in, a, 0, 100, 0, "the number of warm-up steps")};
    return object_value(in, &schedule_type, &s, sizeof s);
}

const Builtin builtins_training[] = {
#define OPTIMIZER(NAME) {#NAME, "(...)", make_##NAME, "an optimizer: its options by name, then schedule and clip", 0},
#include "infer/optimizers.def"
#undef OPTIMIZER
    {"cosine", "(final = , warmup = )", make_cosine,
     "a schedule: the rate falls along a cosine to `final` times itself", 0},
    {"decay", "(final = , warmup = )", make_decay, "a schedule: the rate falls exponentially to `final` times itself",
     0},
    {"warmup", "(steps = )", make_warmup, "a schedule: the rate rises over the first steps, then stays", 0},
    {0},
};
