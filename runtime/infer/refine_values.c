/* What is refined: numbers in records and tuples, taken apart and put together. */
#include "infer/refine.h"
#include "interp/array.h"

static void add_leaf(Interp *in, Leaves *l, Array a) {
    ARENA_GROW(in->arena, l->list, l->n, l->capacity, 8);
    l->list[l->n++] = a;
}

/* `out` collects the numbers; with `next` they are replaced. */
static Value walk(Interp *in, Value v, Leaves *out, const Array **next, Span at) {
    if (v.kind == VALUE_RECORD) {
        Value *values = ARENA_ARRAY(in->arena, Value, v.u.record->n + 1);
        for (int k = 0; k < v.u.record->n; k++) values[k] = walk(in, v.u.record->values[k], out, next, at);
        return value_record(in, v.u.record->n, v.u.record->names, values);
    }
    if (v.kind == VALUE_TUPLE) {
        Value *values = ARENA_ARRAY(in->arena, Value, v.u.list->n + 1);
        for (int k = 0; k < v.u.list->n; k++) values[k] = walk(in, v.u.list->items[k], out, next, at);
        return value_list(in, VALUE_TUPLE, v.u.list->n, values);
    }
    if (!value_is_numeric(v))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "numbers, arrays, and records or tuples of them can be refined",
                  "`refine` changes variational parameters; this is %s", value_describe(in, v));
    if (out) add_leaf(in, out, value_array(in, v, at, "a refined value"));
    if (!next) return v;
    const Array *a = (*next)++;
    return (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, a, sizeof *a)}; /* boxed: it has an identity */
}

void leaves_of(Interp *in, Value v, Leaves *l, Span at) { walk(in, v, l, NULL, at); }

Value leaves_replace(Interp *in, Value v, const Array **next, Span at) { return walk(in, v, NULL, next, at); }

Value leaves_with_axes(Interp *in, Value v, Span at) {
    const Axis *plates[MAX_AXES];
    int n = 0;
    for (int k = 0; k < in->nplates; k++)
        if (in->plates[k]->kind != AXIS_PARTICLE) plates[n++] = in->plates[k];
    Leaves l = {0};
    leaves_of(in, v, &l, at);
    for (int k = 0; k < l.n; k++) {
        Value one = array_value(in, l.list[k]);
        if (n) one = array_expand_axes(in, one, n, plates);
        l.list[k] = value_array(in, one, at, "a refined value");
    }
    const Array *next = l.list;
    return leaves_replace(in, v, &next, at);
}

Value leaves_constant(Interp *in, Value v) {
    if (v.kind == VALUE_ARRAY) {
        Array *a = arena_copy(in->arena, v.u.array, sizeof(Array));
        a->var = op_stop_gradient(in->tape, a->var);
        return (Value){VALUE_ARRAY, .u.array = a};
    }
    if (v.kind == VALUE_RECORD) {
        Value *values = ARENA_ARRAY(in->arena, Value, v.u.record->n + 1);
        for (int k = 0; k < v.u.record->n; k++) values[k] = leaves_constant(in, v.u.record->values[k]);
        return value_record(in, v.u.record->n, v.u.record->names, values);
    }
    if (v.kind != VALUE_TUPLE && v.kind != VALUE_LIST) return v;
    Value *values = ARENA_ARRAY(in->arena, Value, v.u.list->n + 1);
    for (int k = 0; k < v.u.list->n; k++) values[k] = leaves_constant(in, v.u.list->items[k]);
    return value_list(in, v.kind, v.u.list->n, values);
}
