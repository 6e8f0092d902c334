/* The objects that infer(...) is told what to do with: methods, objectives, optimizers, schedules. Plain records in an
 * arena; and how arguments are read. */
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"
#include "interp/internal.h"

#define KEEP(NAME, Type)                                                                                               \
    static void *NAME(Interp *in, void *data, Arena *to) {                                                             \
        (void)in;                                                                                                      \
        return arena_copy(to, data, sizeof(Type));                                                                     \
    }
KEEP(keep_method, MethodChoice)
KEEP(keep_optimizer, OptimizerChoice)
KEEP(keep_objective, Objective)
KEEP(keep_schedule, Schedule)
KEEP(keep_refine, RefineOptions)

/* Objects are shown with all that they say: checkpoints tell runs apart by it. */
static void show_objective(Interp *in, void *data, Buf *out) {
    const Objective *o = data;
    buf_printf(out, "%s of order %g, %d particles, KL weight %s%s", o->name, o->order, o->particles,
               schedule_text(&o->kl_weight, in->arena), o->closed ? ", analytic" : "");
}

static void show_optimizer(Interp *in, void *data, Buf *out) {
    OptimizerChoice *o = data;
    buf_printf(out, "%s(", o->optimizer->name);
    for (int k = 0; k < o->optimizer->noptions; k++) {
        buf_printf(out, "%s%s = ", k ? ", " : "", o->optimizer->options[k].name);
        buf_add_double(out, o->option[k]);
    }
    if (o->schedule.kind != SCHEDULE_CONSTANT || o->schedule.warmup)
        buf_printf(out, ", schedule = %s", schedule_text(&o->schedule, in->arena));
    if (o->clip > 0) buf_printf(out, ", clip = %g", o->clip);
    buf_add(out, ")");
}

static void show_method(Interp *in, void *data, Buf *out) {
    MethodChoice *m = data;
    buf_printf(out, "%s(", m->method->name);
    if (m->method == &method_svi) {
        show_objective(in, &m->objective, out);
        if (m->has_optimizer) buf_add(out, ", "), show_optimizer(in, &m->optimizer, out);
        static const char *const baselines[] = {"loo", "average", "none"};
        if (m->baseline != BASELINE_LOO) buf_printf(out, ", baseline = \"%s\"", baselines[m->baseline]);
    } else if (m->number > 0) {
        buf_printf(out, "%g", m->number);
    }
    buf_add(out, ")");
}

static void show_schedule(Interp *in, void *data, Buf *out) { buf_add(out, schedule_text(data, in->arena)); }

static void show_refine(Interp *in, void *data, Buf *out) {
    const RefineOptions *o = data;
    (void)in;
    buf_add(out, "refine(");
    if (o->has_steps) buf_printf(out, "steps = %lld, ", (long long)o->steps);
    buf_printf(out, "through = %s, loss = \"%s\")", o->through ? "true" : "false",
               o->loss == REFINE_LAST ? "last" : "mean");
}

const ObjectType method_type = {.name = "method", .show = show_method, .keep = keep_method};
const ObjectType optimizer_type = {.name = "optimizer", .show = show_optimizer, .keep = keep_optimizer};
const ObjectType objective_type = {.name = "objective", .show = show_objective, .keep = keep_objective};
const ObjectType schedule_type = {.name = "schedule", .show = show_schedule, .keep = keep_schedule};
const ObjectType refine_type = {.name = "refinement", .show = show_refine, .keep = keep_refine};

Value object_value(Interp *in, const ObjectType *type, const void *data, size_t size) {
    return value_object(in, type, arena_copy(in->arena, data, size));
}

void *object_of(Interp *in, Value v, const ObjectType *type, const char *example, Span at) {
    if (v.kind == VALUE_OBJECT && v.u.object->type == type) return v.u.object->data;
    ctx_raise(in->ctx, ERROR_PROGRAM, at, arena_printf(in->arena, "for example %s", example),
              "%s %s was expected here; this is %s", strchr("aeiou", type->name[0]) ? "an" : "a", type->name,
              value_describe(in, v));
}

void *argument_object(Interp *in, const Args *a, int k, const ObjectType *type, const char *example) {
    return a->values[k].kind == VALUE_NONE ? NULL : object_of(in, a->values[k], type, example, a->spans[k]);
}

double number_within(Interp *in, Value v, double low, double high, const char *what, Span at) {
    double x = value_to_number(in, v, at, what);
    if (!(x >= low && x <= high))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s must be from %g to %g, it is %g", what, low, high, x);
    return x;
}

long count_from(Interp *in, Value v, long low, const char *what, Span at) {
    int64_t n = value_to_int(in, v, at, what);
    if (n < low || n > 1000000000)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s must be at least %ld, it is %ld", what, low, (long)n);
    return (long)n;
}

double argument_number(Interp *in, const Args *a, int k, double otherwise, double low, double high, const char *what) {
    return a->values[k].kind == VALUE_NONE ? otherwise
                                           : number_within(in, a->values[k], low, high, what, a->spans[k]);
}

long argument_count(Interp *in, const Args *a, int k, long otherwise, long low, const char *what) {
    return a->values[k].kind == VALUE_NONE ? otherwise : count_from(in, a->values[k], low, what, a->spans[k]);
}
