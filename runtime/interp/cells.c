/* Arrays filled element by element. */
#include "interp/cells.h"

#include <math.h>
#include <string.h>

#include "interp/array.h"
#include "interp/internal.h"

static Cells *take_apart(Interp *in, Value v, Span at);

static Cells *cells_new(Interp *in, const Axis *axis, Value base) {
    Cells *c = ARENA_NEW(in->arena, Cells);
    *c = (Cells){.axis = axis, .base = base};
    if (axis) c->items = ARENA_ARRAY(in->arena, Value, 1), c->n = c->capacity = 1;
    return c;
}

/* An element of an array: by number, or those of a plate. */
static Value element_at(Interp *in, Value v, Index index, Span at) {
    Value i = index.axis ? axis_index(in, index.axis) : value_number((double)index.at);
    return array_index(in, v, 1, &i, &at, at);
}

/* Elements one after the other, or false: they differ in shape. */
static bool join(Interp *in, Value first, Value rest, Value *out, Span at) {
    if (!value_is_numeric(first)) return false;
    Array parts[2] = {value_array(in, first, at, "elements"), value_array(in, rest, at, "elements")};
    Shape a = array_shape(&parts[0]), b = array_shape(&parts[1]);
    b.dim[0] = a.dim[0];
    if (!shape_equal(a, b)) return false;
    Array all = {.boolean = parts[0].boolean && parts[1].boolean, .missing = parts[0].missing || parts[1].missing};
    Var aligned[2];
    all.naxes = array_align(in, 2, parts, true, aligned, all.axes);
    all.var = op_concat(in->tape, 2, aligned, all.naxes);
    *out = array_value(in, all);
    return true;
}

Value cells_from_steps(Interp *in, int n, const Value *head, Value steps, const Axis *loop, int64_t count, Span at) {
    Range *some = ARENA_NEW(in->arena, Range);
    *some = (Range){1, count};
    Value part = {VALUE_RANGE, .u.range = some}, rest = array_axis_to_event(in, steps, loop), all;
    if (count < loop->size) rest = array_index(in, rest, 1, &part, &at, at);
    if (n == 0) return rest;
    if (!join(in, array_from_items(in, n, head, at), rest, &all, at)) loop_split(in, loop, at, "the elements before it have another shape");
    return all;
}

/* What a loop has set becomes single items. */
static void cells_join(Interp *in, Cells *c, Span at) {
    Value all = cells_whole(in, c, at);
    Cells *list = take_apart(in, all, at);
    c->items = list->items, c->n = list->n, c->capacity = list->capacity;
    c->loop = NULL, c->steps = value_none();
}

static int64_t elements_so_far(Interp *in, Value v, Span at) {
    if (v.kind == VALUE_CELLS) return v.u.cells->n + v.u.cells->skip + (v.u.cells->loop ? v.u.cells->loop->size : 0);
    if (v.kind == VALUE_LIST) return v.u.list->n;
    return value_event_shape(in, v, at).dim[0];
}

static Value *cells_place(Interp *in, Cells *c, const char *name, Index index, Span at) {
    if (c->axis) {
        if (index.axis != c->axis)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, "inside the plate set it at the plate's own index, under which nothing else goes",
                      "`%s` is being filled by the plate `%s` for all its elements at once; this index is another", name, c->axis->name);
        return &c->items[0];
    }
    if (index.axis && index.axis->kind == AXIS_LOOP) {
        if (c->loop != index.axis && (c->loop || c->skip > 0 || c->rows > 0 || c->n != index.axis->first - 1 || c->base.kind != VALUE_NONE))
            loop_refuse(in, at, "elements are set anew");
        c->loop = index.axis;
        return &c->steps;
    }
    if (c->loop && !index.axis) cells_join(in, c, at);
    int64_t k = index.at - c->skip, n = elements_so_far(in, (Value){VALUE_CELLS, .u.cells = c}, at), last = k;
    if (index.axis)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "a plate continues an array that ends where it begins",
                  "`%s` has %ld element%s so far, and the plate `%s` runs over %ld..%ld", name, (long)n, n == 1 ? "" : "s", index.axis->name,
                  (long)index.axis->first, (long)(index.axis->first + index.axis->size - 1));
    bool plate = index.high > 0 && index.low <= n + 1; /* has all its elements; those that it does not set are missing */
    if (k < 1 || (k > c->n + 1 && c->base.kind == VALUE_NONE && !plate))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "elements are set from 1 on, each after the last", "`%s` has %ld element%s so far; index %ld is not the next",
                  name, (long)n, n == 1 ? "" : "s", (long)index.at);
    if (plate) last = index.high - c->skip;
    if (last > c->capacity) {
        int capacity = c->capacity ? c->capacity : 4;
        while (capacity < last) capacity *= 2;
        Value *items = ARENA_ARRAY(in->arena, Value, capacity);
        if (c->n) memcpy(items, c->items, sizeof(Value) * (size_t)c->n);
        c->items = items, c->capacity = capacity;
    }
    if (last > c->n) c->n = (int)last;
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

/* A plate goes on with what is there: by column (x[i, t] in a plate over i, for the next t), or with further elements. */
static bool plate_continues(Interp *in, Value v, const Axis *axis, int n, const Index *index, Span at) {
    if (v.kind == VALUE_CELLS && v.u.cells->axis) return false;
    if (v.kind == VALUE_CELLS && v.u.cells->rows > 0)
        return n > 1 && !index[1].axis && axis->first == 1 && axis->size == v.u.cells->rows;
    return axis->first == elements_so_far(in, v, at) + 1;
}

/* What an index of the plate begins in the slot. */
static void plate_begins(Interp *in, Value *slot, const char *name, int n, const Index *index, Span at) {
    const Axis *axis = index[0].axis;
    if (slot->kind == VALUE_NONE && axis->first != 1)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "let the plate run over 1..N, or use a `for`",
                  "the plate `%s` begins at %ld, but an array's elements count from 1", axis->name, (long)axis->first);
    Cells *c = cells_new(in, axis, value_none());
    if (slot->kind != VALUE_NONE && plate_continues(in, *slot, axis, n, index, at)) {
        c->before = *slot;
        if (slot->kind == VALUE_CELLS) c->base = slot->u.cells->base;
        if (slot->kind == VALUE_CELLS && slot->u.cells->rows > 0) {
            Cells *list = cells_new(in, NULL, value_none());
            list->skip = slot->u.cells->n;
            c->items[0] = (Value){VALUE_CELLS, .u.cells = list};
        }
    } else if (slot->kind == VALUE_CELLS) {
        return; /* cells_place says what is wrong */
    } else if (slot->kind != VALUE_NONE) { /* y[i] of a plate over an array that is there: as a whole anew */
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "give the result another name", "the plate `%s` would change `%s`, which has a value already",
                  axis->name, name);
    }
    *slot = (Value){VALUE_CELLS, .u.cells = c};
}

void cells_set(Interp *in, Value *slot, const char *name, int n, const Index *index, Value element, Span at) {
    if (n == 0) {
        *slot = element;
        return;
    }
    if (slot->kind != VALUE_NONE && slot->kind != VALUE_CELLS && slot->kind != VALUE_LIST &&
        !(slot->kind == VALUE_ARRAY && value_event_shape(in, *slot, at).rank > 0))
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "`%s` is %s: it has no elements to set", name, value_describe(in, *slot));
    bool loop = index[0].axis && index[0].axis->kind == AXIS_LOOP;
    if (loop && slot->kind != VALUE_NONE && slot->kind != VALUE_CELLS) loop_refuse(in, at, "elements are set anew");
    if (index[0].axis && !loop && !(slot->kind == VALUE_CELLS && slot->u.cells->axis))
        plate_begins(in, slot, name, n, index, at);
    else if (slot->kind == VALUE_NONE)
        *slot = (Value){VALUE_CELLS, .u.cells = cells_new(in, NULL, value_none())};
    else if (slot->kind != VALUE_CELLS)
        *slot = (Value){VALUE_CELLS, .u.cells = take_apart(in, *slot, at)};
    else if (slot->u.cells->rows > 0 && !loop)
        *slot = (Value){VALUE_CELLS, .u.cells = take_apart(in, cells_whole(in, slot->u.cells, at), at)};
    Cells *c = slot->u.cells;
    c->whole = value_none();
    Value *place = cells_place(in, c, name, index[0], at);
    if (n == 1) {
        *place = element;
        return;
    }
    if (place->kind == VALUE_NONE && c->base.kind != VALUE_NONE) {
        const Axis *next = index[1].axis && index[1].axis->kind == AXIS_PLATE ? index[1].axis : NULL; /* it begins anew, too */
        *place = (Value){VALUE_CELLS, .u.cells = cells_new(in, next, element_at(in, c->base, index[0], at))};
    }
    cells_set(in, place, name, n - 1, index + 1, element, at);
}

static Value get_rest(Interp *in, Value v, int n, const Index *index) {
    if (n == 0) return v.kind == VALUE_CELLS ? cells_whole(in, v.u.cells, in->ctx->span) : v;
    if (v.kind == VALUE_CELLS) return cells_get(in, v.u.cells, n, index);
    for (int k = 0; k < n && v.kind != VALUE_NONE; k++) {
        if (k > 0 && index[k].axis) return value_none();
        v = element_at(in, v, index[k], in->ctx->span);
    }
    return v;
}

/* x[i, t] where columns are there: element i of column t. */
static Value get_by_column(Interp *in, const Cells *c, int n, const Index *index) {
    if (n < 2 || index[1].axis || index[1].at < 1 || index[1].at > c->n) return value_none();
    Value row = element_at(in, c->items[index[1].at - 1], index[0], in->ctx->span);
    return get_rest(in, row, n - 2, index + 2);
}

Value cells_get(Interp *in, const Cells *c, int n, const Index *index) {
    if (c->rows > 0) return get_by_column(in, c, n, index);
    if (c->axis && c->before.kind != VALUE_NONE) {
        bool columns = c->before.kind == VALUE_CELLS && c->before.u.cells->rows > 0;
        if (columns && n > 1 && !index[1].axis && index[1].at <= c->before.u.cells->n) return get_by_column(in, c->before.u.cells, n, index);
        if (!columns && !index[0].axis && index[0].at >= 1 && index[0].at < c->axis->first) return get_rest(in, c->before, n, index);
    }
    if (c->axis) return index[0].axis == c->axis ? get_rest(in, c->items[0], n - 1, index + 1) : value_none();
    if (index[0].axis && index[0].axis == c->loop) return get_rest(in, c->steps, n - 1, index + 1);
    int64_t k = index[0].at - c->skip;
    if (index[0].axis || k < 1 || k > c->n || c->items[k - 1].kind == VALUE_NONE) return value_none();
    return get_rest(in, c->items[k - 1], n - 1, index + 1);
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
    if (!value_is_numeric(v)) loop_split(in, c->loop, at, "what its steps set is no array");
    return v;
}

static Value columns_whole(Interp *in, const Cells *c, Span at) {
    Value v = array_from_items(in, c->n, c->items, at);
    if (v.kind != VALUE_ARRAY)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "make them as long, or keep them under names of their own", "the columns of this array differ in shape");
    Array a = *v.u.array;
    int perm[MAX_RANK];
    for (int k = 0; k < a.var.value->shape.rank; k++) perm[k] = k;
    perm[a.naxes] = a.naxes + 1, perm[a.naxes + 1] = a.naxes;
    a.var = array_permute(in, a.var, perm);
    return array_value(in, a);
}

/* What was not set is missing: NaN in the shape of the others. */
static void fill_empty(Interp *in, int n, Value *items, Span at) {
    int set = 0;
    while (set < n && items[set].kind == VALUE_NONE) set++;
    for (int k = 0; k < n; k++) {
        if (items[k].kind != VALUE_NONE) continue;
        Tensor *t = tensor_new(in->ctx, in->arena, value_event_shape(in, items[set], at));
        for (int64_t i = 0, size = shape_size(t->shape); i < size; i++) t->data[i] = NAN;
        items[k] = (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &(Array){.var = var_constant(t), .missing = true}, sizeof(Array))};
    }
}

/* The numbers of lists within lists, row by row; false: they are something else, or differ in length. */
static bool copy_numbers(const Cells *c, const Shape *shape, int level, real **to, bool *boolean) {
    bool last = level + 1 == shape->rank;
    if (c->n != shape->dim[level] || c->axis || c->loop || c->rows > 0 || c->base.kind != VALUE_NONE) return false;
    for (int k = 0; k < c->n; k++) {
        Value v = c->items[k];
        if (v.kind != (last ? VALUE_NUMBER : VALUE_CELLS)) return false;
        if (last) *(*to)++ = (real)v.u.number, *boolean &= v.boolean;
        else if (!copy_numbers(v.u.cells, shape, level + 1, to, boolean)) return false;
    }
    return true;
}

/* Of several dimensions, all plain numbers: in one go, where rows would be arrays of their own first. VALUE_NONE: not so. */
static Value numbers_whole(Interp *in, const Cells *c) {
    Shape shape = {0};
    for (const Cells *row = c; row && row->n > 0 && shape.rank < MAX_RANK; row = row->items[0].kind == VALUE_CELLS ? row->items[0].u.cells : NULL)
        shape.dim[shape.rank++] = row->n;
    if (shape.rank < 2) return value_none();
    Tensor *t = tensor_new(in->ctx, in->arena, shape);
    Array a = {.var = var_constant(t), .boolean = true};
    real *to = t->data;
    return copy_numbers(c, &shape, 0, &to, &a.boolean) ? array_value(in, a) : value_none();
}

/* Nothing is to be read from elsewhere, assembled or missing. */
static bool are_plain(const Cells *c) {
    for (int k = 0; k < c->n; k++)
        if (c->items[k].kind == VALUE_CELLS || c->items[k].kind == VALUE_NONE) return false;
    return c->base.kind == VALUE_NONE;
}

static Value *whole_items(Interp *in, const Cells *c, int *n, Span at) {
    if (c->base.kind != VALUE_NONE) {
        Shape s = value_event_shape(in, c->base, at);
        if (s.rank && s.dim[0] > *n) *n = (int)s.dim[0];
    }
    Value *items = ARENA_ARRAY(in->arena, Value, *n ? *n : 1);
    for (int k = 0; k < *n; k++) {
        Value v = k < c->n ? c->items[k] : value_none();
        if (v.kind == VALUE_CELLS) v = cells_whole(in, v.u.cells, at);
        if (v.kind == VALUE_NONE && c->base.kind != VALUE_NONE) v = element_at(in, c->base, (Index){.at = k + 1}, at);
        items[k] = v;
    }
    fill_empty(in, *n, items, at);
    return items;
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
        if (is_summed_within(c->steps, c->loop)) loop_split(in, c->loop, at, "each step has a summed variable of its own");
        if (c->whole.kind != VALUE_NONE) return c->whole;
        return c->whole = cells_from_steps(in, c->n, c->items, left_steps(in, c, at), c->loop, c->loop->size, at);
    }
    split_reader(in, c, at);
    if (c->whole.kind != VALUE_NONE) return c->whole;
    if (c->rows > 0) return c->whole = columns_whole(in, c, at);
    c->whole = numbers_whole(in, c);
    if (c->whole.kind != VALUE_NONE) return c->whole;
    int n = c->n;
    Value *items = are_plain(c) ? c->items : whole_items(in, c, &n, at);
    axes_check_read(in, n, items, at);
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

/* A list within the axis, of one element or going on with columns: it stays by column, for the next round of a loop. */
static void leave_columns(Interp *in, Value *slot, Span at) {
    Cells *c = slot->u.cells, *list = c->items[0].u.cells, *columns = c->before.u.cells;
    if (c->before.kind == VALUE_NONE) {
        columns = cells_new(in, NULL, c->base);
        columns->rows = c->axis->size;
    }
    for (int k = 0; k < list->n; k++) {
        Value v = left(in, list->items[k], c->axis, at);
        *cells_place(in, columns, "", (Index){.at = columns->n + 1}, at) = v;
    }
    columns->whole = value_none();
    *slot = (Value){VALUE_CELLS, .u.cells = columns};
}

static bool stays_by_column(const Cells *c) {
    if (c->items[0].kind != VALUE_CELLS || c->items[0].u.cells->axis || c->items[0].u.cells->rows > 0) return false;
    if (c->before.kind == VALUE_NONE) return c->items[0].u.cells->n == 1 && !c->items[0].u.cells->loop && c->axis->size > 0;
    return c->before.kind == VALUE_CELLS && c->before.u.cells->rows > 0;
}

static void leave_plate(Interp *in, Value *slot, Span at) {
    Cells *c = slot->u.cells;
    Value own = left(in, c->items[0], c->axis, at), before = c->before;
    *slot = own;
    if (before.kind == VALUE_NONE) return;
    if (before.kind == VALUE_CELLS) before = cells_whole(in, before.u.cells, at);
    if (join(in, before, own, slot, at)) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, at, "elements of one shape are one array; give others another name",
              "a plate continues an array of shape %s with elements of another one: %s", shape_text(in->arena, value_event_shape(in, before, at)),
              shape_text(in->arena, value_event_shape(in, own, at)));
}

void cells_leave_axis(Interp *in, Value *slot, const Axis *axis, Span at) {
    if (slot->kind != VALUE_CELLS) return;
    Cells *c = slot->u.cells;
    if (c->axis == axis && is_summed_within(c->items[0], axis)) return;
    if (c->axis == axis) {
        if (c->items[0].kind == VALUE_NONE) *slot = c->before;
        else if (stays_by_column(c)) leave_columns(in, slot, at);
        else leave_plate(in, slot, at);
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
        *slot = c->before;
        return;
    }
    for (int k = 0; k < c->n; k++) cells_drop_axis(&c->items[k], axis);
    if (c->loop == axis) c->loop = NULL, c->steps = value_none(), c->whole = value_none();
    else cells_drop_axis(&c->steps, axis);
}

void cells_forget_nodes(Value *slot, NodeId from) {
    if (slot->kind != VALUE_CELLS) return;
    Cells *c = slot->u.cells;
    if (c->whole.kind == VALUE_ARRAY && c->whole.u.array->var.node >= from) c->whole = value_none();
    for (int k = 0; k < c->n; k++) cells_forget_nodes(&c->items[k], from);
    cells_forget_nodes(&c->steps, from);
    cells_forget_nodes(&c->before, from);
}
