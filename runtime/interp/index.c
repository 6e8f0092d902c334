/* Indexing: slices are views, a plate's own index turns a dimension into an axis, everything else gathers. */
#include <math.h>
#include <string.h>

#include "interp/array.h"
#include "interp/internal.h"

typedef enum PickKind { PICK_SLICE, PICK_ONE, PICK_AXIS, PICK_GATHER } PickKind;

/* What one index asks of its dimension. */
typedef struct Pick {
    PickKind kind;
    int64_t start, count; /* from 0; SLICE, ONE, AXIS */
    const Axis *axis;     /* AXIS */
    Array index;          /* GATHER: values 1..K */
} Pick;

typedef struct Indexing {
    Interp *in;
    Array base;
    Shape event;
    Span at;
    const Axis *summed; /* the index depends on this summed variable, for messages; NULL: on none */
    int nused;
    const Axis *used[MAX_AXES]; /* axes that picks before this one bring in */
} Indexing;

/* `place`: which of several indices it is; "": the only one. */
static _Noreturn void raise_outside(const Indexing *x, double k, int dim, const char *place, Span at) {
    const char *shape = shape_text(x->in->arena, x->event);
    const char *where = x->event.rank > 1 ? arena_printf(x->in->arena, " in dimension %d", dim + 1) : "";
    const char *hint = k == 0 ? "indices count from 1" : NULL;
    if (x->summed)
        hint = arena_printf(x->in->arena,
                            "`%s` (line %d) is summed out and takes each of its values %lld..%lld: give the array an element for each",
                            x->summed->name, x->summed->line, (long long)x->summed->first,
                            (long long)(x->summed->first + x->summed->size - 1));
    if (x->event.dim[dim] == 0)
        ctx_raise(x->in->ctx, ERROR_PROGRAM, at, NULL, "index %.15g%s of an array of shape %s, which is empty there%s", k,
                  where, shape, place);
    ctx_raise(x->in->ctx, ERROR_PROGRAM, at, hint, "index %.15g is outside 1..%lld%s of an array of shape %s%s", k,
              (long long)x->event.dim[dim], where, shape, place);
}

static bool index_is_good(const Indexing *x, double k, int dim) {
    return k == floor(k) && k >= 1 && k <= (double)x->event.dim[dim];
}

static void check_one(const Indexing *x, double k, int dim, const char *place, Span at) {
    if (index_is_good(x, k, dim)) return;
    if (isnan(k)) ctx_raise(x->in->ctx, ERROR_PROGRAM, at, NULL, "an index is missing (nan)%s", place);
    if (k != floor(k)) ctx_raise(x->in->ctx, ERROR_PROGRAM, at, NULL, "an index must be a whole number, not %.15g%s", k, place);
    raise_outside(x, k, dim, place, at);
}

/* Indices that wait for a program are checked by it. */
static void check_all(const Indexing *x, const Array *index, int dim, Span at) {
    if (!index->var.value->data) return;
    const Tensor *dense = tensor_dense(x->in->ctx, x->in->arena, index->var.value);
    int64_t n = shape_size(dense->shape);
    for (int64_t k = 0; k < n; k++)
        if (!index_is_good(x, dense->data[k], dim)) check_one(x, dense->data[k], dim, array_place_text(x->in, index, k), at);
}

static Pick pick_range(const Indexing *x, const Range *r, int dim, Span at) {
    if (r->last < r->first) return (Pick){PICK_SLICE};
    if (r->first < 1) raise_outside(x, (double)r->first, dim, "", at);
    if (r->last > x->event.dim[dim]) raise_outside(x, (double)r->last, dim, "", at);
    return (Pick){PICK_SLICE, .start = r->first - 1, .count = r->last - r->first + 1};
}

/* The places of the true elements. */
static Array mask_places(Interp *in, Array mask, Span at) {
    if (mask.naxes) array_split(in, &mask, at, "which elements a mask picks");
    if (var_is_taped(mask.var)) tape_guard(in->tape, mask.var);
    const Tensor *m = tensor_dense(in->ctx, in->arena, mask.var.value);
    int64_t n = shape_size(m->shape), count = 0;
    for (int64_t k = 0; k < n; k++) count += m->data[k] != 0;
    Tensor *places = tensor_new(in->ctx, in->arena, shape1(count));
    for (int64_t k = 0, to = 0; k < n; k++)
        if (m->data[k] != 0) places->data[to++] = (real)(k + 1);
    return array_of_var(var_constant(places));
}

static bool axis_is_new(const Indexing *x, const Axis *axis) {
    return axes_find(x->base.naxes, x->base.axes, axis) < 0 && axes_find(x->nused, x->used, axis) < 0;
}

static Pick pick_array(Indexing *x, const Array *a, int dim, Span at) {
    Interp *in = x->in;
    int64_t size = x->event.dim[dim];
    Shape shape = array_shape(a);
    if (a->boolean) {
        if (shape.rank != 1 || shape.dim[0] != size)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a mask of shape %s does not fit %s of length %lld",
                      shape_text(in->arena, shape),
                      x->event.rank > 1 ? arena_printf(in->arena, "dimension %d", dim + 1) : "an array",
                      (long long)size);
        return (Pick){PICK_GATHER, .index = mask_places(in, *a, at)};
    }
    const Axis *axis = a->index_of;
    x->summed = NULL;
    for (int k = 0; k < a->naxes; k++)
        if (a->axes[k]->kind == AXIS_ENUM) x->summed = a->axes[k];
    if (axis && !axis_is_subset(axis) && shape.rank == 0 && axis_is_new(x, axis)) {
        if (axis->size > 0 && axis->first < 1) raise_outside(x, (double)axis->first, dim, "", at);
        if (axis->size > 0 && axis->first + axis->size - 1 > size)
            raise_outside(x, (double)(axis->first + axis->size - 1), dim, "", at);
        x->used[x->nused++] = axis;
        return (Pick){PICK_AXIS, .start = axis->size ? axis->first - 1 : 0, .count = axis->size, .axis = axis};
    }
    check_all(x, a, dim, at);
    return (Pick){PICK_GATHER, .index = *a};
}

static Pick pick(Indexing *x, Value v, int dim, Span at) {
    switch (v.kind) {
    case VALUE_NONE: return (Pick){PICK_SLICE, .count = x->event.dim[dim]};
    case VALUE_RANGE: return pick_range(x, v.u.range, dim, at);
    case VALUE_NUMBER:
        check_one(x, v.u.number, dim, "", at);
        return (Pick){PICK_ONE, .start = (int64_t)v.u.number - 1, .count = 1};
    default: break;
    }
    Array a = value_array(x->in, v, at, "an index");
    return pick_array(x, &a, dim, at);
}

/* Slices, single places and plates' own indices, all as views: `base` becomes [axes..., what is left...]. gathers[k] is
 * moved along to the dimension where it now belongs. */
static void apply_views(Indexing *x, Pick *picks, int n) {
    Array *base = &x->base;
    Tape *tape = x->in->tape;
    Shape s = base->var.value->shape, without = {0};
    int event_place[MAX_RANK], axis_place[MAX_AXES], nevent = 0, dim = base->naxes;
    const Axis *own[MAX_AXES];
    int nown = 0;
    for (int k = 0; k < base->naxes; k++) without.dim[without.rank++] = s.dim[k];
    for (int k = 0; k < x->event.rank; k++, dim++) {
        const Pick *p = k < n ? &picks[k] : NULL;
        if (p && p->kind != PICK_GATHER && (p->count != s.dim[dim]))
            base->var = op_slice(tape, base->var, dim, p->start, p->count, 1);
        if (p && p->kind == PICK_ONE) continue;
        if (p && p->kind == PICK_AXIS)
            own[nown] = p->axis, axis_place[nown++] = without.rank;
        else
            event_place[nevent++] = without.rank;
        without.dim[without.rank++] = base->var.value->shape.dim[dim];
    }
    if (without.rank != s.rank) base->var = op_reshape(tape, base->var, without);
    if (nown == 0) return;
    const Axis *sorted[MAX_AXES], *all[MAX_AXES];
    int nsorted = 0, perm[MAX_RANK], rank = 0;
    for (int k = 0; k < nown; k++) {
        const Axis *so_far[MAX_AXES];
        memcpy(so_far, sorted, sizeof so_far);
        nsorted = axes_union(x->in, nsorted, so_far, 1, &own[k], sorted);
    }
    int nall = axes_union(x->in, base->naxes, base->axes, nsorted, sorted, all);
    for (int k = 0; k < nall; k++) {
        int place = axes_find(base->naxes, base->axes, all[k]);
        perm[rank++] = place >= 0 ? place : axis_place[axes_find(nown, own, all[k])];
    }
    for (int k = 0; k < nevent; k++) perm[rank++] = event_place[k];
    base->var = array_permute(x->in, base->var, perm);
    memcpy(base->axes, all, sizeof *all * (size_t)nall);
    base->naxes = nall;
}

/* Several index arrays as one: row by row through the dimensions `sizes`. An index outside that cannot be known to be
 * outside afterwards is made so. */
static Array flatten_indices(Interp *in, int n, const Array *index, const int64_t *sizes, Span at) {
    Value flat = array_value(in, index[0]);
    for (int k = 1; k < n; k++) {
        Value next = array_value(in, index[k]), size = value_number((double)sizes[k]);
        if (var_is_taped(index[k].var)) {
            Value low = array_binary(in, BINARY_GE, next, value_number(1), at),
                  high = array_binary(in, BINARY_LE, next, size, at);
            Value inside = array_binary(in, BINARY_AND, low, high, at);
            next = array_apply(in, OP_WHERE, 3, (Value[]){inside, next, value_number(-1e15)}, at);
        }
        flat = array_binary(in, BINARY_SUB, flat, value_number(1), at);
        flat = array_binary(in, BINARY_ADD, array_binary(in, BINARY_MUL, flat, size, at), next, at);
    }
    return value_array(in, flat, at, "an index");
}

static Shape shape_after_ones(Interp *in, int n, Shape s) {
    array_check_rank(in, n + s.rank);
    Shape out = {.rank = n + s.rank};
    for (int k = 0; k < n; k++) out.dim[k] = 1;
    for (int k = 0; k < s.rank; k++) out.dim[n + k] = s.dim[k];
    return out;
}

/* base[..., index, ...] on the event dimensions places[0..n): they are gathered together, and what comes stands at
 * event dimension `stand`. base [first axes of its own, shared axes, K, base's further own, other dims], index
 * [1..., shared, index's own, M]  ->  [first, shared, index's own, M, base's further, others]
 */
static Array gather(Interp *in, const Array *base, Array index, int n, const int *places, int stand) {
    const Shape *sb = &base->var.value->shape, *si = &index.var.value->shape;
    int nb = base->naxes, ni = index.naxes, event = sb->rank - nb, m = si->rank - ni;
    int perm[MAX_RANK], index_perm[MAX_RANK], nshared = 0, nfirst = 0, rank = 0;
    int64_t k_dims = 1;
    uint32_t picked = 0;
    for (int k = 0; k < n; k++) picked |= 1u << places[k];
    while (nfirst < nb && axes_find(ni, index.axes, base->axes[nfirst]) < 0) perm[rank++] = nfirst++;
    for (int k = nfirst; k < nb; k++)
        if (axes_find(ni, index.axes, base->axes[k]) >= 0) perm[rank++] = k, nshared++;
    int batch = nfirst + nshared;
    for (int k = 0; k < n; k++) k_dims *= sb->dim[perm[rank++] = nb + places[k]];
    for (int k = nfirst; k < nb; k++)
        if (axes_find(ni, index.axes, base->axes[k]) < 0) perm[rank++] = k;
    for (int k = 0; k < event; k++)
        if (!(picked >> k & 1)) perm[rank++] = nb + k;
    Var whole = array_permute(in, base->var, perm);
    if (n > 1) {
        Shape s = whole.value->shape, joined = {.rank = s.rank - n + 1};
        for (int k = 0; k < joined.rank; k++)
            joined.dim[k] = k < batch ? s.dim[k] : k == batch ? k_dims : s.dim[k + n - 1];
        whole = op_reshape(in->tape, whole, joined);
    }
    rank = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < ni; k++)
            if ((axes_find(nb, base->axes, index.axes[k]) >= 0) == (pass == 0)) index_perm[rank++] = k;
    for (int k = ni; k < si->rank; k++) index_perm[rank++] = k;
    Var at = array_permute(in, index.var, index_perm);
    Var out = op_gather(in->tape, whole, op_reshape(in->tape, at, shape_after_ones(in, nfirst, at.value->shape)), batch);

    /* Back into order: where each dimension of the result stands in `out`. */
    Array result = {.boolean = base->boolean, .missing = base->missing};
    result.naxes = axes_union(in, nb, base->axes, ni, index.axes, result.axes);
    int further = nfirst + ni + m, to = 0, final[MAX_RANK];
    for (int k = 0; k < result.naxes; k++) {
        int place = axes_find(ni, index.axes, result.axes[k]), before = 0;
        if (place >= 0) {
            for (int j = 0; j < ni; j++)
                if (index_perm[j] == place) final[to++] = nfirst + j;
            continue;
        }
        place = axes_find(nb, base->axes, result.axes[k]);
        for (int j = nfirst; j < place; j++) before += axes_find(ni, index.axes, base->axes[j]) < 0;
        final[to++] = place < nfirst ? place : further + before;
    }
    int other = further + (nb - batch);
    for (int k = 0; k < event; k++) {
        if (k == stand)
            for (int j = 0; j < m; j++) final[to++] = nfirst + ni + j;
        if (!(picked >> k & 1)) final[to++] = other++;
    }
    result.var = array_permute(in, out, final);
    return result;
}

/* m[mask] with a mask of m's own shape. */
static bool is_whole_mask(const Array *base, int n, const Value *indices) {
    if (n != 1 || indices[0].kind != VALUE_ARRAY || !indices[0].u.array->boolean) return false;
    Shape mask = array_shape(indices[0].u.array);
    return mask.rank > 1 && shape_equal(mask, array_shape(base));
}

static Value index_array(Interp *in, Array base, int n, const Value *indices, const Span *spans, Span at) {
    if (is_whole_mask(&base, n, indices)) {
        Shape flat = shape1(shape_size(array_shape(&base)));
        Array mask = *indices[0].u.array;
        base.var = array_reshape_event(in, &base, flat);
        mask.var = array_reshape_event(in, &mask, flat);
        Array places = mask_places(in, mask, at);
        return array_value(in, gather(in, &base, places, 1, (int[]){0}, 0));
    }
    Indexing x = {.in = in, .base = base, .event = array_shape(&base), .at = at};
    if (n > x.event.rank) {
        if (x.event.rank == 0) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a single number cannot be indexed");
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%d indices for an array of shape %s", n,
                  shape_text(in->arena, x.event));
    }
    Pick picks[MAX_RANK];
    Array index[MAX_RANK];
    int ngathers = 0, places[MAX_RANK], left = 0;
    int64_t sizes[MAX_RANK];
    for (int k = 0; k < n; k++) {
        picks[k] = pick(&x, indices[k], k, spans && spans[k].file >= 0 ? spans[k] : at);
        if (picks[k].kind == PICK_GATHER) {
            places[ngathers] = left;
            sizes[ngathers] = x.event.dim[k];
            index[ngathers++] = picks[k].index;
        }
        left += picks[k].kind == PICK_SLICE || picks[k].kind == PICK_GATHER;
    }
    apply_views(&x, picks, n);
    x.base.index_of = NULL;
    if (ngathers == 0) return array_value(in, x.base);
    Array joint = ngathers == 1 ? index[0] : flatten_indices(in, ngathers, index, sizes, at);
    int stand =
        places[0]; /* of the first that is a vector for one element: whether a plate runs at once makes no difference */
    for (int k = ngathers - 1; k >= 0; k--)
        if (array_rank(&index[k]) > 0) stand = places[k];
    return array_value(in, gather(in, &x.base, joint, ngathers, places, stand));
}

/* -- Lists and distributions -- */

static bool all_dists(const List *list) {
    for (int k = 0; k < list->n; k++)
        if (list->items[k].kind != VALUE_DIST) return false;
    return list->n > 0;
}

/* The elements of a list that ranges, vectors and masks pick; a single index gives the element itself. */
static Value index_list(Interp *in, const List *list, int n, const Value *indices, const Span *spans, Span at) {
    Span first_at = spans && spans[0].file >= 0 ? spans[0] : at;
    Indexing x = {.in = in, .event = shape1(list->n), .at = at};
    Value first = indices[0], out;
    if (n == 1 && has_enum_axis(first) && all_dists(list)) return dist_choose(in, list->n, list->items, first, at);
    if (first.kind == VALUE_ARRAY && first.u.array->naxes)
        array_split(in, first.u.array, first_at, "the element of a list that is picked");
    if (first.kind == VALUE_ARRAY && array_rank(first.u.array) == 0)
        first = value_number(value_to_number(in, first, first_at, "an index"));
    Pick p = pick(&x, first, 0, first_at);
    if (p.kind == PICK_ONE) {
        out = list->items[p.start];
        return n > 1 ? array_index(in, out, n - 1, indices + 1, spans ? spans + 1 : NULL, at) : out;
    }
    int64_t count = p.kind == PICK_GATHER ? shape_size(p.index.var.value->shape) : p.count;
    if (p.kind == PICK_GATHER && var_is_taped(p.index.var)) tape_guard(in->tape, p.index.var);
    Value *items = ARENA_ARRAY(in->arena, Value, count + 1);
    for (int64_t k = 0; k < count; k++) {
        int64_t place = p.kind == PICK_GATHER ? (int64_t)tensor_item(p.index.var.value, k) - 1 : p.start + k;
        items[k] = list->items[place];
        if (n > 1) items[k] = array_index(in, items[k], n - 1, indices + 1, spans ? spans + 1 : NULL, at);
    }
    return array_from_items(in, (int)count, items, at);
}

static void add_repeats(Interp *in, Shape *repeat, Value v, Span at) {
    const char *what = "the number of copies of a distribution";
    if (v.kind == VALUE_NONE) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s must be a number, not `:`", what);
    Array a = value_array(in, v, at, what);
    if (a.naxes) array_split(in, &a, at, what);
    if (array_rank(&a) > 1)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s must be a number, not %s", what, value_describe(in, v));
    int64_t n = shape_size(array_shape(&a));
    for (int64_t k = 0; k < n; k++) {
        Value one = array_rank(&a) ? array_index(in, v, 1, (Value[]){value_number((double)(k + 1))}, &at, at) : v;
        int64_t copies = value_to_int(in, one, at, what);
        if (copies < 0)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s must not be negative: %lld", what, (long long)copies);
        if (repeat->rank == MAX_RANK)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a distribution is repeated along %d dimensions at most",
                      MAX_RANK);
        repeat->dim[repeat->rank++] = copies;
    }
}

static Value index_dist(Interp *in, const Dist *d, int n, const Value *indices, const Span *spans, Span at) {
    Dist out = *d;
    out.repeat = SHAPE_SCALAR;
    for (int k = 0; k < n; k++) add_repeats(in, &out.repeat, indices[k], spans && spans[k].file >= 0 ? spans[k] : at);
    for (int k = 0; k < d->repeat.rank; k++) {
        if (out.repeat.rank == MAX_RANK)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a distribution is repeated along %d dimensions at most",
                      MAX_RANK);
        out.repeat.dim[out.repeat.rank++] = d->repeat.dim[k];
    }
    return (Value){VALUE_DIST, .u.dist = arena_copy(in->arena, &out, sizeof out)};
}

/* The place from 0 of a whole number 1..size; -1: it is something else. */
static int64_t plain_place(Value index, int64_t size) {
    if (index.kind != VALUE_NUMBER || !(index.u.number >= 1 && index.u.number <= (double)size)) return -1;
    int64_t k = (int64_t)index.u.number;
    return index.u.number == (double)k ? k - 1 : -1;
}

/* One number of what neither a tape nor an axis knows of: nothing is made on the way. VALUE_NONE: something else is asked for,
 * or something is wrong. */
static Value plain_element(Value base, int n, const Value *indices) {
    if (base.kind == VALUE_RANGE && n == 1) {
        int64_t k = plain_place(indices[0], base.u.range->last - base.u.range->first + 1);
        return k < 0 ? value_none() : value_number((double)(base.u.range->first + k));
    }
    const Array *a = base.kind == VALUE_ARRAY ? base.u.array : NULL;
    if (!a || a->naxes || var_is_taped(a->var) || a->var.value->shape.rank != n) return value_none();
    const Tensor *t = a->var.value;
    const real *x = t->data;
    for (int i = 0; i < n; i++) {
        int64_t k = plain_place(indices[i], t->shape.dim[i]);
        if (k < 0) return value_none();
        x += k * t->stride[i];
    }
    if (a->missing && isnan(*x)) return value_none();
    return a->boolean ? value_bool(*x != 0) : value_number(*x);
}

Value array_index(Interp *in, Value base, int n, const Value *indices, const Span *spans, Span where) {
    Value plain = plain_element(base, n, indices);
    if (plain.kind != VALUE_NONE) return plain;
    Span at = span_or_here(in, where), before = in->ctx->span;
    const char *hint = NULL;
    Value out;
    if (n == 0) return base;
    in->ctx->span = at;
    switch (base.kind) {
    case VALUE_ARRAY:
    case VALUE_RANGE:
    case VALUE_NUMBER:
        out = index_array(in, value_array(in, base, at, "what is indexed"), n, indices, spans, at);
        break;
    case VALUE_LIST:
    case VALUE_TUPLE: out = index_list(in, base.u.list, n, indices, spans, at); break;
    case VALUE_DIST: out = index_dist(in, base.u.dist, n, indices, spans, at); break;
    case VALUE_RECORD: hint = "its fields are read as r.name"; goto refuse;
    case VALUE_FUNCTION:
    case VALUE_BUILTIN:
    case VALUE_FAMILY: hint = "a call is written with ( )"; goto refuse;
    default:
    refuse:
        ctx_raise(in->ctx, ERROR_PROGRAM, at, hint, "%s cannot be indexed", value_describe(in, base));
    }
    in->ctx->span = before;
    return out;
}
