#include "interp/array.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double MOST_JOINT = 2e7; /* joint values of summed variables in one expression: 160 MB */

/* -- Axes -- */

bool axis_before(const Axis *a, const Axis *b) {
    if (a->order != b->order) return a->order < b->order;
    if (a->kind != b->kind) return a->kind < b->kind;
    int names = a->name && b->name ? strcmp(a->name, b->name) : (a->name != NULL) - (b->name != NULL);
    return names ? names < 0 : a < b;
}

const char *array_place_text(Interp *in, const Array *a, int64_t flat) {
    Shape shape = a->var.value->shape;
    int64_t at[MAX_RANK];
    for (int d = shape.rank - 1; d >= 0; d--) at[d] = flat % shape.dim[d], flat /= shape.dim[d];
    Buf b = {0};
    for (int k = 0; k < a->naxes; k++)
        if (a->axes[k]->kind == AXIS_PLATE && !axis_is_subset(a->axes[k]))
            buf_printf(&b, "%s%s = %lld", b.length ? ", " : "", a->axes[k]->name, (long long)(a->axes[k]->first + at[k]));
    for (int d = a->naxes; d < shape.rank; d++)
        buf_printf(&b, "%s%lld", d > a->naxes ? ", " : b.length ? ", element " : "element ", (long long)(at[d] + 1));
    const char *text = b.length ? arena_printf(in->arena, " (%s)", b.text) : "";
    buf_free(&b);
    return text;
}

int axes_find(int n, const Axis *const *axes, const Axis *axis) {
    for (int k = 0; k < n; k++)
        if (axes[k] == axis) return k;
    return -1;
}

const char *axes_summed_text(Interp *in, int n, const Axis *const *axes) {
    Buf b = {0};
    for (int k = 0; k < n; k++) {
        int before = 0, all = 0;
        for (int j = 0; j < n; j++) {
            bool same = axes[j]->kind == AXIS_ENUM && axes[j]->line == axes[k]->line && strcmp(axes[j]->name, axes[k]->name) == 0;
            all += same, before += same && j < k;
        }
        if (axes[k]->kind != AXIS_ENUM || before) continue;
        buf_printf(&b, "%s`%s` (line %d", b.text ? ", " : "", axes[k]->name, axes[k]->line);
        if (all > 1) buf_printf(&b, ", %d of them", all);
        buf_add(&b, ")");
    }
    const char *text = arena_strdup(in->arena, b.text ? b.text : "");
    buf_free(&b);
    return text;
}

_Noreturn void axes_refuse(Interp *in, int n, Span at) {
    ctx_raise(in->ctx, ERROR_PROGRAM, at, "make one plate, or one dimension, of several",
              "%d plates and dimensions of distributions meet here; %d are possible", n, MAX_AXES);
}

const Axis *axes_costliest(int n, const Axis *const *axes) {
    const Axis *found = NULL;
    int most = 0;
    for (int k = 0; k < n; k++) {
        int all = 0;
        for (int j = 0; axes[k]->kind == AXIS_ENUM && j < n; j++)
            all += axes[j]->kind == AXIS_ENUM && strcmp(axes[j]->name, axes[k]->name) == 0;
        if (all > most || (all > 0 && all == most && axes[k]->size > found->size)) found = axes[k], most = all;
    }
    return found;
}

static _Noreturn void refuse_joint(Interp *in, int n, const Axis *const *axes, double joint) {
    const char *summed = axes_summed_text(in, n, axes);
    Span here = span_or_here(in, in->ctx->span);
    if (!*summed) axes_refuse(in, n, here);
    const char *hint = "write a guide that draws some of them, or use importance(n)";
    in->split = axes_costliest(n, axes);
    ctx_raise(in->ctx, ERROR_COSTLY, here, hint,
              "variables that are to be summed out meet here and have %.3g joint values (%d variables and plates); up to "
              "%.3g of at most %d are tried: %s", joint, n, MOST_JOINT, MAX_AXES, summed);
}

int axes_union(Interp *in, int na, const Axis *const *a, int nb, const Axis *const *b, const Axis **out) {
    const Axis *all[2 * MAX_AXES];
    int n = 0;
    for (int i = 0, j = 0; i < na || j < nb;) {
        if (i < na && j < nb && a[i] == b[j]) j++;
        all[n++] = j >= nb || (i < na && !axis_before(b[j], a[i])) ? a[i++] : b[j++];
    }
    double joint = 1;
    int nsummed = 0;
    for (int k = 0; k < n; k++) joint *= (double)all[k]->size, nsummed += all[k]->kind == AXIS_ENUM;
    if (n > MAX_AXES || (nsummed > 1 && joint > MOST_JOINT)) refuse_joint(in, n, all, joint);
    memcpy(out, all, sizeof *out * (size_t)n);
    return n;
}

void axes_check_read(Interp *in, int n, const Value *items, Span at) {
    int most = MAX_AXES, nall = 0, nsummed = 0;
    const Axis **all = ARENA_ARRAY(in->arena, const Axis *, most);
    double joint = 1;
    for (int k = 0; k < n; k++)
        for (int i = 0; items[k].kind == VALUE_ARRAY && i < items[k].u.array->naxes; i++) {
            const Axis *axis = items[k].u.array->axes[i];
            if (axes_find(nall, all, axis) >= 0) continue;
            if (nall == most) {
                const Axis **more = ARENA_ARRAY(in->arena, const Axis *, 2 * most);
                memcpy(more, all, sizeof *all * (size_t)nall);
                all = more, most *= 2;
            }
            all[nall++] = axis;
            joint *= (double)axis->size, nsummed += axis->kind == AXIS_ENUM;
        }
    if (nsummed < 2 || (nall <= MAX_AXES && joint <= MOST_JOINT)) return;
    in->split = axes_costliest(nall, all);
    ctx_raise(in->ctx, ERROR_COSTLY, span_or_here(in, at),
              "where only their sum or number counts, draw that: k ~ Binomial(N, p); else write a guide that draws them, or use "
              "importance(n)",
              "an array is read as a whole whose elements are to be summed out: %.3g joint values (%d variables and "
              "plates); up to %.3g of at most %d are tried: %s", joint, nall, MOST_JOINT, MAX_AXES, axes_summed_text(in, nall, all));
}

/* -- One array -- */

Span span_or_here(const Interp *in, Span at) { return in->in_library ? in->entered : at.file >= 0 ? at : in->ctx->span; }

Shape array_shape(const Array *a) {
    const Shape *s = &a->var.value->shape;
    return shape_of(s->rank - a->naxes, s->dim + a->naxes);
}

Array array_of_var(Var v) { return (Array){.var = v}; }

Value array_value(Interp *in, Array a) {
    if (a.naxes == 0 && a.var.value->shape.rank == 0 && !var_is_taped(a.var)) {
        real x = tensor_item(a.var.value, 0);
        if (!a.missing || x == x) return a.boolean ? value_bool(x != 0) : value_number(x);
    }
    return (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &a, sizeof a)};
}

Value array_like(Interp *in, const Array *like, Var v) {
    Array a = *like;
    a.var = v;
    a.boolean = false;
    a.index_of = NULL;
    return array_value(in, a);
}

Value value_var(Interp *in, Var v, int naxes, const Axis *const *axes) {
    Array a = {.var = v, .naxes = naxes};
    if (naxes) memcpy(a.axes, axes, sizeof *axes * (size_t)naxes);
    return array_value(in, a);
}

Value value_tensor(Interp *in, const Tensor *t) { return array_value(in, array_of_var(var_constant(t))); }

Var array_permute(Interp *in, Var v, const int *perm) {
    for (int k = 0; k < v.value->shape.rank; k++)
        if (perm[k] != k) return op_permute(in->tape, v, perm);
    return v;
}

static Var reshape(Interp *in, Var v, Shape shape) {
    return shape_equal(v.value->shape, shape) ? v : op_reshape(in->tape, v, shape);
}

static Var expand(Interp *in, Var v, Shape shape) {
    return shape_equal(v.value->shape, shape) ? v : op_expand(in->tape, v, shape);
}

void array_check_rank(Interp *in, int rank) {
    if (rank > MAX_RANK)
        ctx_raise(in->ctx, ERROR_PROGRAM, in->ctx->span, "make one plate, or one dimension, of several",
                  "%d dimensions (plates among them) are needed here; %d are possible", rank, MAX_RANK);
}

/* [dimensions of the axes of a..., event...] */
static Shape with_axes(Interp *in, const Array *a, Shape event) {
    array_check_rank(in, a->naxes + event.rank);
    Shape s = {.rank = a->naxes + event.rank};
    memcpy(s.dim, a->var.value->shape.dim, sizeof s.dim[0] * (size_t)a->naxes);
    memcpy(s.dim + a->naxes, event.dim, sizeof s.dim[0] * (size_t)event.rank);
    return s;
}

Var array_reshape_event(Interp *in, const Array *a, Shape event) {
    return reshape(in, a->var, with_axes(in, a, event));
}

Var array_expand_event(Interp *in, const Array *a, Shape event) {
    Shape now = array_shape(a), padded = {.rank = event.rank};
    for (int k = 0; k < event.rank; k++) {
        int from = k - (event.rank - now.rank);
        padded.dim[k] = from < 0 ? 1 : now.dim[from];
    }
    Var v = a->naxes ? array_reshape_event(in, a, padded) : a->var;
    return expand(in, v, with_axes(in, a, event));
}

Var array_reduce_dims(Interp *in, Op op, const Array *a, uint32_t mask, bool keep) {
    Shape s = array_shape(a);
    if (mask == 0) return a->var;
    Var v = op_reduce(in->tape, op, a->var, mask << a->naxes);
    if (!keep) return v;
    for (int k = 0; k < s.rank; k++)
        if (mask >> k & 1) s.dim[k] = 1;
    return reshape(in, v, with_axes(in, a, s));
}

Var array_dim_last(Interp *in, const Array *a, int dim) {
    int perm[MAX_RANK], rank = a->var.value->shape.rank, n = 0;
    for (int k = 0; k < rank; k++)
        if (k != a->naxes + dim) perm[n++] = k;
    perm[n] = a->naxes + dim;
    return array_permute(in, a->var, perm);
}

Var array_dim_back(Interp *in, const Array *like, int dim, Var v) {
    int perm[MAX_RANK], rank = v.value->shape.rank, place = like->naxes + dim;
    for (int k = 0; k < rank; k++) perm[k] = k < place ? k : k == place ? rank - 1 : k - 1;
    return array_permute(in, v, perm);
}

_Noreturn void array_split(Interp *in, const Array *a, Span at, const char *what) {
    in->split = a->axes[a->naxes - 1];
    if (in->split->kind == AXIS_ENUM)
        ctx_raise(in->ctx, ERROR_ELEMENTWISE, span_or_here(in, at), NULL, "%s depends on it", what);
    ctx_raise(in->ctx, ERROR_ELEMENTWISE, span_or_here(in, at), NULL, "%s differs between the elements of %s", what,
              in->split->name ? in->split->name : "an axis");
}

/* -- Alignment -- */

/* [axes of the union (1 where a has none)..., event padded with 1 to `rank` dimensions]. Dimensions that would only be
 * leading ones are left out when `short_form` (NumPy's rule supplies them). */
static Var align_one(Interp *in, const Array *a, int n, const Axis *const *axes, int rank, bool short_form) {
    Shape s = {0};
    const Shape *from = &a->var.value->shape;
    int event = from->rank - a->naxes, next = 0;
    for (int k = 0; k < n; k++) {
        bool mine = next < a->naxes && a->axes[next] == axes[k];
        if (mine || s.rank > 0 || !short_form) s.dim[s.rank++] = mine ? from->dim[next] : 1;
        next += mine;
    }
    for (int k = event; k < rank; k++)
        if (s.rank > 0 || !short_form) s.dim[s.rank++] = 1;
    for (int k = 0; k < event; k++) s.dim[s.rank++] = from->dim[a->naxes + k];
    return reshape(in, a->var, s);
}

static int union_of_all(Interp *in, int n, const Array *arrays, const Axis **axes) {
    int naxes = 0;
    for (int k = 0; k < n; k++) {
        const Axis *before[MAX_AXES];
        memcpy(before, axes, sizeof *axes * (size_t)naxes);
        naxes = axes_union(in, naxes, before, arrays[k].naxes, arrays[k].axes, axes);
    }
    return naxes;
}

int array_align(Interp *in, int n, const Array *arrays, bool full, Var *out, const Axis **axes) {
    int naxes = union_of_all(in, n, arrays, axes);
    for (int k = 0; k < n; k++) {
        const Array *a = &arrays[k];
        array_check_rank(in, naxes + array_rank(a));
        out[k] = align_one(in, a, naxes, axes, array_rank(a), false);
        if (!full) continue;
        Shape s = out[k].value->shape;
        for (int d = 0; d < naxes; d++) s.dim[d] = axes[d]->size;
        out[k] = expand(in, out[k], s);
    }
    return naxes;
}

Value array_expand_axes(Interp *in, Value v, int naxes, const Axis *const *axes) {
    Array a = value_array(in, v, SPAN_NONE, "this value"), out = a;
    const Axis *sorted[MAX_AXES];
    for (int k = 0, i; k < naxes; k++) {
        for (i = k; i > 0 && axis_before(axes[k], sorted[i - 1]); i--) sorted[i] = sorted[i - 1];
        sorted[i] = axes[k];
    }
    out.naxes = axes_union(in, a.naxes, a.axes, naxes, sorted, out.axes);
    if (out.naxes == a.naxes) return v;
    array_check_rank(in, out.naxes + array_rank(&a));
    out.var = align_one(in, &a, out.naxes, out.axes, array_rank(&a), false);
    Shape s = out.var.value->shape;
    for (int d = 0; d < out.naxes; d++) s.dim[d] = out.axes[d]->size;
    out.var = expand(in, out.var, s);
    return array_value(in, out);
}

Value array_axis_to_event(Interp *in, Value v, const Axis *axis) {
    Array a = value_array(in, array_expand_axes(in, v, 1, &axis), SPAN_NONE, "this value");
    int place = axes_find(a.naxes, a.axes, axis), perm[MAX_RANK];
    for (int k = 0; k < a.var.value->shape.rank; k++) perm[k] = k;
    for (int k = place; k + 1 < a.naxes; k++) {
        perm[k] = k + 1;
        a.axes[k] = a.axes[k + 1];
    }
    perm[--a.naxes] = place;
    a.var = array_permute(in, a.var, perm);
    if (a.index_of == axis) a.index_of = NULL;
    return array_value(in, a);
}

Value array_event_to_axis(Interp *in, Value v, const Axis *axis, Span at) {
    Array a = value_array(in, v, at, "this value"), out = a;
    Shape s = array_shape(&a);
    assert(s.rank > 0 && s.dim[0] == axis->size);
    out.naxes = axes_union(in, a.naxes, a.axes, 1, &axis, out.axes);
    assert(out.naxes > a.naxes);
    int place = axes_find(out.naxes, out.axes, axis), perm[MAX_RANK];
    for (int k = 0; k < a.var.value->shape.rank; k++)
        perm[k] = k < place || k > a.naxes ? k : k == place ? a.naxes : k - 1;
    out.var = array_permute(in, a.var, perm);
    return array_value(in, out);
}

/* -- Elementwise -- */

static bool gives_boolean(Op op, const Value *args) {
    switch (op) {
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_GT:
    case OP_GE:
    case OP_AND:
    case OP_OR:
    case OP_NOT:
    case OP_ISNAN: return true;
    case OP_COPY: return value_is_boolean(args[0]);
    case OP_WHERE: return value_is_boolean(args[1]) && value_is_boolean(args[2]);
    default: return false;
    }
}

static const char *op_text(Op op) {
    switch (op) {
    case OP_ADD: return "+";
    case OP_SUB:
    case OP_NEG: return "-";
    case OP_MUL: return "*";
    case OP_DIV: return "/";
    case OP_MOD: return "%";
    case OP_POW: return "^";
    case OP_EQ: return "==";
    case OP_NE: return "!=";
    case OP_LT: return "<";
    case OP_LE: return "<=";
    case OP_GT: return ">";
    case OP_GE: return ">=";
    default: break;
    }
    const OpInfo *info = op_info(op);
    return info->lang_name ? info->lang_name : info->name;
}

static Array operand(Interp *in, Op op, Value v, Span at) {
    if (v.kind == VALUE_ARRAY) return *v.u.array;
    if (v.kind == VALUE_NUMBER) return (Array){.var = var_number(in->tape, v.u.number), .boolean = v.boolean};
    return value_array(in, v, at,
                       value_is_numeric(v) ? "" : arena_printf(in->arena, "an operand of `%s`", op_text(op)));
}

Value array_apply(Interp *in, Op op, int n, const Value *args, Span at) {
    enum { MOST = 4 };
    double x[MOST];
    int numbers = 0;
    while (numbers < n && args[numbers].kind == VALUE_NUMBER) {
        x[numbers] = args[numbers].u.number;
        numbers++;
    }
    bool boolean = gives_boolean(op, args);
    if (numbers == n) {
        double y = op_scalar(op, n, x);
        return boolean ? value_bool(y != 0) : value_number(y);
    }
    Span before = in->ctx->span;
    in->ctx->span = span_or_here(in, at);
    Array a[MOST], out = {.boolean = boolean};
    Shape event = {0};
    for (int k = 0; k < n; k++) {
        a[k] = operand(in, op, args[k], at);
        out.missing |= a[k].missing;
        Shape mine = array_shape(&a[k]);
        if (!shape_broadcast(event, mine, &event))
            ctx_raise(in->ctx, ERROR_PROGRAM, in->ctx->span, NULL, "shapes %s and %s do not agree in `%s`",
                      shape_text(in->arena, event), shape_text(in->arena, mine), op_text(op));
    }
    out.missing &= !boolean;
    out.naxes = union_of_all(in, n, a, out.axes);
    array_check_rank(in, out.naxes + event.rank);
    Var v[MOST];
    for (int k = 0; k < n; k++)
        v[k] = a[k].naxes ? align_one(in, &a[k], out.naxes, out.axes, event.rank, true) : a[k].var;
    out.var = op_apply(in->tape, op, n, v, NULL);
    in->ctx->span = before;
    return array_value(in, out);
}

static Op op_of_binary(BinaryOp op) {
    static const Op ops[] = {[BINARY_ADD] = OP_ADD, [BINARY_SUB] = OP_SUB, [BINARY_MUL] = OP_MUL, [BINARY_DIV] = OP_DIV,
                             [BINARY_MOD] = OP_MOD, [BINARY_POW] = OP_POW, [BINARY_EQ] = OP_EQ,   [BINARY_NE] = OP_NE,
                             [BINARY_LT] = OP_LT,   [BINARY_LE] = OP_LE,   [BINARY_GT] = OP_GT,   [BINARY_GE] = OP_GE,
                             [BINARY_AND] = OP_AND, [BINARY_OR] = OP_OR};
    return ops[op];
}

/* Strings are compared and joined; nothing else is done with them. False: not both are strings. */
static bool string_binary(Interp *in, BinaryOp op, Value a, Value b, Value *out) {
    if (a.kind != VALUE_STRING || b.kind != VALUE_STRING) return false;
    const String *s = a.u.string, *t = b.u.string;
    if (op == BINARY_ADD) {
        char *joined = arena_alloc(in->arena, s->length + t->length + 1);
        memcpy(joined, s->text, s->length);
        memcpy(joined + s->length, t->text, t->length);
        *out = value_string(in, joined, s->length + t->length);
        return true;
    }
    if (op < BINARY_EQ || op > BINARY_GE) return false;
    int order = strcmp(s->text, t->text);
    bool holds = op == BINARY_EQ   ? order == 0
                 : op == BINARY_NE ? order != 0
                 : op == BINARY_LT ? order < 0
                 : op == BINARY_LE ? order <= 0
                 : op == BINARY_GT ? order > 0
                                   : order >= 0;
    *out = value_bool(holds);
    return true;
}

Value array_binary(Interp *in, BinaryOp op, Value a, Value b, Span at) {
    Value strings;
    if (op == BINARY_MATMUL) return array_matmul(in, a, b, at);
    if (string_binary(in, op, a, b, &strings)) return strings;
    /* Cheaper, and with derivatives that hold for negative bases. The same for single numbers, so that the bits agree.
     */
    if (op == BINARY_POW && b.kind == VALUE_NUMBER) {
        if (b.u.number == 2) return array_apply(in, OP_SQUARE, 1, &a, at);
        if (b.u.number == -1) return array_apply(in, OP_RECIPROCAL, 1, &a, at);
    }
    return array_apply(in, op_of_binary(op), 2, (Value[]){a, b}, at);
}

/* -- Reductions -- */

Value array_reduce(Interp *in, Op op, Value v, int dim, Span at) {
    Array a = value_array(in, v, at, "what is reduced");
    int rank = array_rank(&a);
    assert(dim >= 0 && dim <= rank);
    if (rank == 0) return op == OP_ARGMAX ? value_number(1) : array_like(in, &a, a.var);
    Span before = in->ctx->span;
    in->ctx->span = span_or_here(in, at);
    if (op == OP_ARGMAX && dim == 0 && rank > 1) {
        a.var = array_reshape_event(in, &a, shape1(shape_size(array_shape(&a))));
        rank = 1;
    }
    Var out = array_reduce_dims(in, op, &a, dim ? 1u << (dim - 1) : (1u << rank) - 1, false);
    in->ctx->span = before;
    return array_like(in, &a, out);
}

Value array_reduce_axis(Interp *in, Op op, Value v, const Axis *axis, Span at) {
    Array a = value_array(in, array_axis_to_event(in, v, axis), at, "what is reduced");
    Span before = in->ctx->span;
    in->ctx->span = span_or_here(in, at);
    Var out = array_reduce_dims(in, op, &a, 1, false);
    in->ctx->span = before;
    return array_like(in, &a, out);
}

/* -- Putting together -- */

static Value stack_constants(Interp *in, int n, const Array *items, Shape event) {
    Shape s = {.rank = event.rank + 1};
    array_check_rank(in, s.rank);
    s.dim[0] = n;
    memcpy(s.dim + 1, event.dim, sizeof s.dim[0] * (size_t)event.rank);
    Tensor *t = tensor_new(in->ctx, in->arena, s);
    int64_t size = shape_size(event);
    for (int k = 0; k < n; k++) tensor_copy_out(items[k].var.value, t->data + k * size);
    return (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &(Array){.var = var_constant(t)}, sizeof(Array))};
}

static Value stack_aligned(Interp *in, int n, const Array *items) {
    Array out = {0};
    Var *parts = ARENA_ARRAY(in->arena, Var, n);
    out.naxes = array_align(in, n, items, true, parts, out.axes);
    for (int k = 0; k < n; k++) {
        Shape s = parts[k].value->shape;
        array_check_rank(in, s.rank + 1);
        memmove(s.dim + out.naxes + 1, s.dim + out.naxes, sizeof s.dim[0] * (size_t)(s.rank - out.naxes));
        s.dim[out.naxes] = 1;
        s.rank++;
        parts[k] = op_reshape(in->tape, parts[k], s);
    }
    out.var = op_concat(in->tape, n, parts, out.naxes);
    return (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &out, sizeof out)};
}

static Value numbers_from_items(Interp *in, int n, const Value *items) {
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(n));
    Array a = {.boolean = n > 0};
    for (int k = 0; k < n; k++) {
        t->data[k] = items[k].u.number;
        a.boolean &= items[k].boolean;
    }
    a.var = var_constant(t);
    return (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &a, sizeof a)};
}

Value array_from_items(Interp *in, int n, const Value *items, Span at) {
    bool numeric = true, numbers = true;
    for (int k = 0; k < n; k++) {
        numeric &= value_is_numeric(items[k]);
        numbers &= items[k].kind == VALUE_NUMBER;
    }
    if (!numeric) return value_list(in, VALUE_LIST, n, items);
    if (numbers) return numbers_from_items(in, n, items);
    Array *arrays = ARENA_ARRAY(in->arena, Array, n);
    bool plain = true, boolean = true, missing = false;
    for (int k = 0; k < n; k++) {
        arrays[k] = value_array(in, items[k], at, "an element");
        if (!shape_equal(array_shape(&arrays[k]), array_shape(&arrays[0]))) return value_list(in, VALUE_LIST, n, items);
        plain &= arrays[k].naxes == 0 && !var_is_taped(arrays[k].var);
        boolean &= arrays[k].boolean;
        missing |= arrays[k].missing;
    }
    Span before = in->ctx->span;
    in->ctx->span = span_or_here(in, at);
    Value out = plain ? stack_constants(in, n, arrays, array_shape(&arrays[0])) : stack_aligned(in, n, arrays);
    in->ctx->span = before;
    out.u.array->boolean = boolean;
    out.u.array->missing = missing;
    return out;
}
