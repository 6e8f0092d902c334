/* Arrays filled element by element. */
#include "interp/cells.h"

#include <assert.h>
#include <string.h>

#include "interp/array.h"
#include "interp/internal.h"

static Cells *take_apart(Interp *in, Value v, Span at);

static Cells *cells_new(Interp *in, const Axis *axis, Value base) {
    Cells *c = ARENA_NEW(in->arena, Cells);
    *c = (Cells){.axis = axis, .base = base, .whole = value_none(), .steps = value_none()};
    return c;
}

/* Elements that belong to a loop at once, of which each has a summed variable of its own, cannot be told apart. */
static _Noreturn void split_loop(Interp *in, const Axis *loop, Span at) {
    in->split = loop;
    ctx_raise(in->ctx, ERROR_ELEMENTWISE, at, NULL, "the steps of the loop over `%s` are read one by one", loop->name);
}

Value cells_from_steps(Interp *in, int n, const Value *head, Value steps, const Axis *loop, int64_t count, Span at) {
    Array parts[2];
    Var aligned[2];
    const Axis *axes[MAX_AXES];
    Range *some = ARENA_NEW(in->arena, Range);
    *some = (Range){1, count};
    Value part = {VALUE_RANGE, .u.range = some}, rest = array_axis_to_event(in, steps, loop);
    if (count < loop->size) rest = array_index(in, rest, 1, &part, &at, at);
    if (n == 0) return rest;
    Value first = array_from_items(in, n, head, at);
    if (!value_is_numeric(first)) split_loop(in, loop, at);
    parts[0] = value_array(in, first, at, "elements"), parts[1] = value_array(in, rest, at, "elements");
    Shape a = array_shape(&parts[0]), b = array_shape(&parts[1]);
    b.dim[0] = a.dim[0];
    if (!shape_equal(a, b)) split_loop(in, loop, at);
    int naxes = array_align(in, 2, parts, true, aligned, axes);
    return value_var(in, op_concat(in->tape, 2, aligned, naxes), naxes, axes);
}

/* What a loop has set becomes single items. */
static void cells_join(Interp *in, Cells *c, Span at) {
    Value all = cells_whole(in, c, at);
    Cells *list = take_apart(in, all, at);
    c->items = list->items, c->n = list->n, c->capacity = list->capacity;
    c->loop = NULL, c->steps = value_none();
}

static Value *cells_place(Interp *in, Cells *c, const char *name, Index index, Span at) {
    if (c->axis) {
        if (index.axis != c->axis)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, "inside the plate set it at the plate's own index, under which nothing else goes",
                      "`%s` is being filled by the plate `%s` for all its elements at once; this index is another", name, c->axis->name);
        return &c->items[0];
    }
    int64_t k = index.at;
    if (index.axis && index.axis->kind == AXIS_LOOP) {
        if (c->loop != index.axis && (c->loop || c->n != index.axis->first - 1 || c->base.kind != VALUE_NONE))
            loop_refuse(in, at, "elements are set anew");
        c->loop = index.axis;
        return &c->steps;
    }
    if (c->loop) cells_join(in, c, at);
    if (index.axis) /* a list so far, now a plate fills it: only where the plate continues nothing */
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "fill it in one `for`, or give the parts names of their own and join them with concat",
                  "`%s` is filled both one by one and by the plate `%s`", name, index.axis->name);
    if (k < 1 || (k > c->n + 1 && c->base.kind == VALUE_NONE))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "elements are set from 1 on, each after the last", "`%s` has %d element%s so far; index %ld is not the next",
                  name, c->n, c->n == 1 ? "" : "s", (long)k);
    if (k > c->capacity) {
        int capacity = c->capacity ? c->capacity : 8;
        while (capacity < k) capacity *= 2;
        Value *items = ARENA_ARRAY(in->arena, Value, capacity);
        if (c->n) memcpy(items, c->items, sizeof(Value) * (size_t)c->n);
        c->items = items, c->capacity = capacity;
    }
    if (k > c->n) c->n = (int)k;
    return &c->items[k - 1];
}

/* What the slot holds becomes a list of its elements, so that one can be set. */
static Cells *take_apart(Interp *in, Value v, Span at) {
    Cells *c = cells_new(in, NULL, value_none());
    if (v.kind == VALUE_LIST) {
        c->items = arena_copy(in->arena, v.u.list->items, sizeof(Value) * (size_t)(v.u.list->n ? v.u.list->n : 1));
        c->n = c->capacity = v.u.list->n;
        return c;
    }
    Shape shape = value_event_shape(in, v, at);
    c->n = c->capacity = shape.rank ? (int)shape.dim[0] : 0;
    c->items = ARENA_ARRAY(in->arena, Value, c->n ? c->n : 1);
    for (int k = 0; k < c->n; k++) {
        Value index = value_number(k + 1);
        c->items[k] = array_index(in, v, 1, &index, &at, at);
    }
    return c;
}

void cells_set(Interp *in, Value *slot, const char *name, int n, const Index *index, Value element, Span at) {
    if (n == 0) {
        *slot = element;
        return;
    }
    if (slot->kind == VALUE_NONE) {
        bool loop = index[0].axis && index[0].axis->kind == AXIS_LOOP;
        if (index[0].axis && !loop && index[0].axis->first != 1)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, "let the plate run over 1..N, or use a `for`",
                      "the plate `%s` begins at %ld, but an array's elements count from 1", index[0].axis->name, (long)index[0].axis->first);
        Cells *c = cells_new(in, loop ? NULL : index[0].axis, value_none());
        if (c->axis) c->items = ARENA_ARRAY(in->arena, Value, 1), c->n = c->capacity = 1;
        *slot = (Value){VALUE_CELLS, .u.cells = c};
    } else if (slot->kind != VALUE_CELLS) {
        if (slot->kind != VALUE_LIST && !(slot->kind == VALUE_ARRAY && value_event_shape(in, *slot, at).rank > 0))
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "`%s` is %s: it has no elements to set", name, value_describe(in, *slot));
        if (index[0].axis && index[0].axis->kind == AXIS_LOOP) loop_refuse(in, at, "elements are set anew");
        if (index[0].axis) /* y[i] of a plate over an array that is there: as a whole anew */
            ctx_raise(in->ctx, ERROR_PROGRAM, at, "give the result another name", "the plate `%s` would change `%s`, which has a value already",
                      index[0].axis->name, name);
        *slot = (Value){VALUE_CELLS, .u.cells = take_apart(in, *slot, at)};
    }
    Cells *c = slot->u.cells;
    c->whole = value_none();
    Value *place = cells_place(in, c, name, index[0], at);
    if (n == 1) {
        *place = element;
        return;
    }
    if (place->kind == VALUE_NONE && c->base.kind != VALUE_NONE) {
        Value i = value_number((double)index[0].at);
        Cells *inner = cells_new(in, NULL, array_index(in, c->base, 1, &i, &at, at));
        *place = (Value){VALUE_CELLS, .u.cells = inner};
    }
    cells_set(in, place, name, n - 1, index + 1, element, at);
}

Value cells_get(Interp *in, const Cells *c, int n, const Index *index) {
    Value v;
    if (c->axis) {
        if (index[0].axis != c->axis) return value_none();
        v = c->items[0];
    } else if (index[0].axis && index[0].axis == c->loop) {
        v = c->steps;
    } else {
        if (index[0].axis || index[0].at < 1 || index[0].at > c->n) return value_none();
        v = c->items[index[0].at - 1];
    }
    if (n == 1) return v.kind == VALUE_CELLS ? cells_whole(in, v.u.cells, in->ctx->span) : v;
    if (v.kind == VALUE_CELLS) return cells_get(in, v.u.cells, n - 1, index + 1);
    if (v.kind == VALUE_NONE) return v;
    Value rest[MAX_INDEX];
    Span spans[MAX_INDEX];
    for (int k = 1; k < n; k++) {
        if (index[k].axis) return value_none();
        rest[k - 1] = value_number((double)index[k].at), spans[k - 1] = in->ctx->span;
    }
    return array_index(in, v, n - 1, rest, spans, in->ctx->span);
}

/* Does each element of the plate have a summed variable of its own in this value? Then it stays an element: as a whole
 * array all elements would share one axis. */
static bool is_summed_within(Value v, const Axis *axis) {
    if (v.kind == VALUE_CELLS && is_summed_within(v.u.cells->steps, axis)) return true;
    for (int k = 0; v.kind == VALUE_CELLS && k < v.u.cells->n; k++)
        if (is_summed_within(v.u.cells->items[k], axis)) return true;
    for (int k = 0; v.kind == VALUE_ARRAY && k < v.u.array->naxes; k++) {
        const Axis *a = v.u.array->axes[k];
        for (int i = 0; i < a->nwithin; i++)
            if (a->within[i] == axis) return true;
    }
    return false;
}

/* A plate that reads an array of summed variables (z[t] after a chain) needs few of them for each element, as a whole array
 * it would join them all: it runs element by element. */
static void split_reader(Interp *in, const Cells *c, Span at) {
    enum { FEW = 16 }; /* joint values of all that may be joined */
    const Axis *seen[MAX_AXES];
    int n = 0;
    double joint = 1;
    for (int k = 0; k < c->n && n < MAX_AXES && joint <= FEW; k++)
        for (int i = 0; c->items[k].kind == VALUE_ARRAY && i < c->items[k].u.array->naxes && n < MAX_AXES; i++) {
            const Axis *a = c->items[k].u.array->axes[i];
            if (a->kind == AXIS_ENUM && axes_find(n, seen, a) < 0) seen[n++] = a, joint *= (double)a->size;
        }
    if (n < 2 || joint <= FEW) return;
    for (int k = in->nplates - 1; k >= 0; k--)
        if (in->plates[k]->kind == AXIS_PLATE) {
            in->split = in->plates[k];
            ctx_raise(in->ctx, ERROR_ELEMENTWISE, at, NULL, "the elements of an array are summed out one by one");
        }
}

static Value left_steps(Interp *in, const Cells *c, Span at) {
    Value v = c->steps.kind == VALUE_CELLS ? cells_whole(in, c->steps.u.cells, at) : c->steps;
    if (!value_is_numeric(v)) split_loop(in, c->loop, at);
    return v;
}

Value cells_whole(Interp *in, Cells *c, Span at) {
    if (c->axis && is_summed_within(c->items[0], c->axis)) {
        in->split = c->axis;
        ctx_raise(in->ctx, ERROR_ELEMENTWISE, at, NULL, "the elements of the plate `%s` are summed out one by one", c->axis->name);
    }
    if (c->axis)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "inside the plate each element sees its own; use the whole after the plate",
                  "this array is still being filled by the plate `%s`", c->axis->name);
    if (c->loop && axes_find(in->nplates, in->plates, c->loop) >= 0)
        loop_refuse(in, at, "the whole is read while it is being filled");
    if (c->loop) {
        if (is_summed_within(c->steps, c->loop)) split_loop(in, c->loop, at);
        if (c->whole.kind != VALUE_NONE) return c->whole;
        return c->whole = cells_from_steps(in, c->n, c->items, left_steps(in, c, at), c->loop, c->loop->size, at);
    }
    split_reader(in, c, at);
    if (c->whole.kind != VALUE_NONE) return c->whole;
    int n = c->n;
    if (c->base.kind != VALUE_NONE) {
        Shape s = value_event_shape(in, c->base, at);
        if (s.rank && s.dim[0] > n) n = (int)s.dim[0];
    }
    Value *items = ARENA_ARRAY(in->arena, Value, n ? n : 1);
    for (int k = 0; k < n; k++) {
        Value v = k < c->n ? c->items[k] : value_none();
        if (v.kind == VALUE_CELLS) v = cells_whole(in, v.u.cells, at);
        if (v.kind == VALUE_NONE && c->base.kind != VALUE_NONE) {
            Value i = value_number(k + 1);
            v = array_index(in, c->base, 1, &i, &at, at);
        }
        assert(v.kind != VALUE_NONE);
        items[k] = v;
    }
    return c->whole = array_from_items(in, n, items, at);
}

/* The element of a plate as it is seen after the plate: the axis first among the event's dimensions. */
static Value left(Interp *in, Value v, const Axis *axis, Span at) {
    if (v.kind == VALUE_CELLS) v = cells_whole(in, v.u.cells, at);
    if (!value_is_numeric(v))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "the elements of the plate `%s` are %s; only numbers and arrays can be kept", axis->name,
                  value_describe(in, v));
    return array_axis_to_event(in, array_expand_axes(in, v, 1, &axis), axis);
}

void cells_leave_axis(Interp *in, Value *slot, const Axis *axis, Span at) {
    if (slot->kind != VALUE_CELLS) return;
    Cells *c = slot->u.cells;
    if (c->axis == axis && is_summed_within(c->items[0], axis)) return;
    if (c->axis == axis) {
        if (c->items[0].kind == VALUE_NONE) *slot = value_none();
        else *slot = left(in, c->items[0], axis, at);
        return;
    }
    for (int k = 0; k < c->n; k++) cells_leave_axis(in, &c->items[k], axis, at);
    cells_leave_axis(in, &c->steps, axis, at);
    if (c->loop == axis && !is_summed_within(c->steps, axis))
        *slot = cells_from_steps(in, c->n, c->items, left_steps(in, c, at), axis, axis->size, at);
}

void cells_drop_axis(Value *slot, const Axis *axis) {
    if (slot->kind != VALUE_CELLS) return;
    Cells *c = slot->u.cells;
    if (c->axis == axis) {
        *slot = value_none();
        return;
    }
    for (int k = 0; k < c->n; k++) cells_drop_axis(&c->items[k], axis);
    if (c->loop == axis) c->loop = NULL, c->steps = value_none(), c->whole = value_none();
    else cells_drop_axis(&c->steps, axis);
}
