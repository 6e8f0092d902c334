/* The shape rules named in ops.def, views, and what is said when shapes do not agree. */
#include <assert.h>
#include <string.h>

#include "tape/kernels.h"

static const char *text(const Operands *o, Shape s) { return shape_text(o->arena, s); }

static const char *name_of(const Operands *o) { return op_info(o->op)->name; }

static _Noreturn void raise_operand(const Operands *o, int k, const char *expected) {
    ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: expected %s, got an array of shape %s", name_of(o), expected,
                   text(o, o->in[k]->shape));
}

static _Noreturn void raise_pair(const Operands *o) {
    ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: the shapes %s and %s do not agree", name_of(o), text(o, o->in[0]->shape),
                   text(o, o->in[o->n - 1]->shape));
}

static Shape leading(Shape s, int dropped) {
    s.rank -= dropped;
    for (int d = s.rank; d < MAX_RANK; d++) s.dim[d] = 0;
    return s;
}

static Shape appended(const Operands *o, Shape s, int64_t dim) {
    if (s.rank == MAX_RANK)
        ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: arrays have at most %d dimensions", name_of(o), MAX_RANK);
    s.dim[s.rank++] = dim;
    return s;
}

static void check_dim(const Operands *o) {
    int dim = o->attr->dim, rank = o->in[0]->shape.rank;
    if (dim < 0 || dim >= rank)
        ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: there is no dimension %d in an array of shape %s", name_of(o),
                       dim + 1, text(o, o->in[0]->shape));
}

static Shape shape_leaf(const Operands *o) { return o->attr->shape; }

static Shape shape_joint(const Operands *o) {
    Shape s = o->in[0]->shape;
    for (int k = 1; k < o->n; k++)
        if (!shape_broadcast(s, o->in[k]->shape, &s))
            ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: the shapes %s and %s do not agree", name_of(o), text(o, s),
                           text(o, o->in[k]->shape));
    return s;
}

static void check_fits(const Operands *o, Shape part) {
    Shape s;
    if (!shape_broadcast(part, o->attr->shape, &s) || !shape_equal(s, o->attr->shape))
        ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: shape %s does not extend to %s", name_of(o), text(o, part),
                       text(o, o->attr->shape));
}

static Shape shape_random(const Operands *o) {
    int operands = op_info(o->op)->arity;
    for (int k = 0; k < operands; k++) check_fits(o, o->in[k]->shape);
    const RandomSite *site = o->attr->random;
    for (int k = 0; k < site->n; k++) {
        int ids = site->index[k].ids;
        if (site->index[k].dim < 0 || ids <= 0) continue;
        assert(operands + ids <= o->n);
        if (shape_size(o->in[operands + ids - 1]->shape) != o->attr->shape.dim[site->index[k].dim]) raise_pair(o);
    }
    return o->attr->shape;
}

static Shape shape_random_rows(const Operands *o) {
    if (o->in[0]->shape.rank == 0) raise_operand(o, 0, "one row of numbers per draw");
    check_fits(o, leading(o->in[0]->shape, 1));
    return o->attr->shape;
}

static Shape shape_reduce(const Operands *o) {
    Shape s = {0}, in = o->in[0]->shape;
    assert(o->attr->dims >> in.rank == 0);
    for (int d = 0; d < in.rank; d++)
        if (!(o->attr->dims >> d & 1)) s.dim[s.rank++] = in.dim[d];
    return s;
}

static Shape shape_along(const Operands *o) {
    check_dim(o);
    return o->in[0]->shape;
}

static Shape shape_reshape(const Operands *o) {
    if (shape_size(o->in[0]->shape) != shape_size(o->attr->shape))
        ctx_raise_here(o->ctx, ERROR_PROGRAM,
                       "reshape: an array of shape %s does not have the %lld numbers of shape %s",
                       text(o, o->in[0]->shape), (long long)shape_size(o->attr->shape), text(o, o->attr->shape));
    return o->attr->shape;
}

static Shape shape_expand(const Operands *o) {
    check_fits(o, o->in[0]->shape);
    return o->attr->shape;
}

static Shape shape_permute(const Operands *o) {
    Shape s = o->in[0]->shape;
    uint32_t seen = 0;
    for (int d = 0; d < s.rank; d++) {
        int from = o->attr->perm[d];
        assert(from >= 0 && from < s.rank);
        seen |= 1u << from;
        s.dim[d] = o->in[0]->shape.dim[from];
    }
    assert(seen == (1u << s.rank) - 1);
    return s;
}

/* start, start + step, ...: `count` places, all of them within `size`. */
static void check_places(const Operands *o, int64_t count, int64_t size) {
    int64_t start = o->attr->start, last = start + (count - 1) * o->attr->step;
    if (count < 0 || (count > 0 && (start < 0 || start >= size || last < 0 || last >= size)))
        ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: %lld..%lld is not within 1..%lld (dimension %d of shape %s)",
                       name_of(o), (long long)start + 1, (long long)last + 1, (long long)size, o->attr->dim + 1,
                       text(o, o->in[0]->shape));
}

static Shape shape_slice(const Operands *o) {
    check_dim(o);
    Shape s = o->in[0]->shape;
    check_places(o, o->attr->count, s.dim[o->attr->dim]);
    s.dim[o->attr->dim] = o->attr->count;
    return s;
}

static Shape shape_pad(const Operands *o) {
    check_dim(o);
    Shape s = o->in[0]->shape;
    check_places(o, s.dim[o->attr->dim], o->attr->count);
    s.dim[o->attr->dim] = o->attr->count;
    return s;
}

static Shape shape_concat(const Operands *o) {
    assert(o->n > 0);
    check_dim(o);
    int dim = o->attr->dim;
    Shape s = o->in[0]->shape;
    for (int k = 1; k < o->n; k++) {
        Shape part = o->in[k]->shape;
        int64_t size = part.rank == s.rank ? part.dim[dim] : 0;
        if (part.rank == s.rank) part.dim[dim] = s.dim[dim];
        if (!shape_equal(part, s))
            ctx_raise_here(o->ctx, ERROR_PROGRAM, "%s: the shapes %s and %s do not agree", name_of(o),
                           text(o, o->in[0]->shape), text(o, o->in[k]->shape));
        s.dim[dim] += size;
    }
    return s;
}

/* whole [B..., K, E...] and index [B..., M...] agree on the batch. */
static void check_batch(const Operands *o, Shape whole, Shape index, int batch) {
    bool agree = batch >= 0 && batch < whole.rank && batch <= index.rank;
    for (int d = 0; agree && d < batch; d++) agree = whole.dim[d] == index.dim[d];
    if (!agree) raise_pair(o);
}

/* The index with the size of `of` in the batch dimensions in which it is the same for all. */
static Shape index_for_all(const Operands *o, Shape index, Shape of) {
    int d = 0;
    for (; d < o->attr->dim && d < index.rank && d < of.rank && index.dim[d] == 1; d++) index.dim[d] = of.dim[d];
    return index;
}

static Shape shape_gather(const Operands *o) {
    Shape whole = o->in[0]->shape, index = index_for_all(o, o->in[1]->shape, whole), s = index;
    check_batch(o, whole, index, o->attr->dim);
    for (int d = o->attr->dim + 1; d < whole.rank; d++) s = appended(o, s, whole.dim[d]);
    return s;
}

static Shape shape_scatter_add(const Operands *o) {
    Shape src = o->in[0]->shape, index = index_for_all(o, o->in[1]->shape, src), s = {.rank = o->attr->dim};
    bool agree = src.rank >= index.rank && s.rank <= index.rank;
    for (int d = 0; agree && d < index.rank; d++) agree = src.dim[d] == index.dim[d];
    if (!agree) raise_pair(o);
    for (int d = 0; d < s.rank; d++) s.dim[d] = src.dim[d];
    s = appended(o, s, o->attr->count);
    for (int d = index.rank; d < src.rank; d++) s = appended(o, s, src.dim[d]);
    return s;
}

static Shape shape_tril(const Operands *o) {
    if (o->in[0]->shape.rank < 2) raise_operand(o, 0, "a matrix");
    return o->in[0]->shape;
}

static Shape shape_square(const Operands *o) {
    Shape s = o->in[0]->shape;
    if (s.rank < 2 || s.dim[s.rank - 1] != s.dim[s.rank - 2]) raise_operand(o, 0, "a square matrix");
    return s;
}

static Shape shape_diagonal(const Operands *o) { return leading(shape_square(o), 1); }

static Shape shape_diag_embed(const Operands *o) {
    Shape s = o->in[0]->shape;
    if (s.rank == 0) raise_operand(o, 0, "a vector");
    return appended(o, s, s.dim[s.rank - 1]);
}

/* The leading dimensions of two operands, broadcast, and after them [n, m]. */
static Shape batched_matrix(const Operands *o, int64_t n, int64_t m) {
    Shape s;
    if (!shape_broadcast(leading(o->in[0]->shape, 2), leading(o->in[1]->shape, 2), &s)) raise_pair(o);
    return appended(o, appended(o, s, n), m);
}

static Shape shape_matmul(const Operands *o) {
    Shape a = o->in[0]->shape, b = o->in[1]->shape;
    if (a.rank < 2) raise_operand(o, 0, "a matrix");
    if (b.rank < 2) raise_operand(o, 1, "a matrix");
    if (a.dim[a.rank - 1] != b.dim[b.rank - 2]) raise_pair(o);
    return batched_matrix(o, a.dim[a.rank - 2], b.dim[b.rank - 1]);
}

static Shape shape_tri_solve(const Operands *o) {
    Shape l = shape_square(o), b = o->in[1]->shape;
    if (b.rank < 2) raise_operand(o, 1, "a matrix");
    if (l.dim[l.rank - 1] != b.dim[b.rank - 2]) raise_pair(o);
    return batched_matrix(o, b.dim[b.rank - 2], b.dim[b.rank - 1]);
}

static Shape shape_inv_quad(const Operands *o) { return leading(o->in[2]->shape, 2); }

static Shape shape_log_diag(const Operands *o) { return leading(shape_square(o), 2); }

/* [..., T, K, K] -> [..., T + 1, K] */
static Shape shape_chain(const Operands *o) {
    Shape s = o->in[0]->shape;
    if (s.rank < 3 || s.dim[s.rank - 1] != s.dim[s.rank - 2]) raise_operand(o, 0, "a row of square matrices");
    s = leading(s, 1);
    s.dim[s.rank - 2]++;
    return s;
}

static Shape shape_recur(const Operands *o) {
    Shape s = shape_chain(o);
    if (!shape_equal(s, o->in[1]->shape)) raise_pair(o);
    return s;
}

static Shape shape_scan(const Operands *o) {
    const ScanBody *b = o->attr->scan;
    Shape whole = o->attr->shape, out = {.rank = whole.rank + 1, .dim = {b->nstates}};
    assert(o->n == b->nstates + b->noperands && whole.rank > 0);
    if (out.rank > MAX_RANK) raise_operand(o, 0, "fewer dimensions");
    for (int k = 0; k < o->n; k++) check_fits(o, k < b->nstates ? appended(o, o->in[k]->shape, 1) : o->in[k]->shape);
    memcpy(out.dim + 1, whole.dim, sizeof *whole.dim * (size_t)whole.rank);
    out.dim[whole.rank]++;
    return out;
}

typedef Shape ShapeFn(const Operands *o);
static ShapeFn *const shape_rules[OP_COUNT] = {
#define OP(NAME, name, arity, class, shape, ...) [OP_##NAME] = shape_##shape,
#include "tape/ops.def"
#undef OP
};

Shape op_shape(const Operands *o) { return shape_rules[o->op](o); }

/* -- Views -- */

static Tensor *view_of_diagonal(const Operands *o) {
    Tensor *view = arena_copy(o->arena, o->in[0], sizeof *view);
    int last = view->shape.rank - 1;
    view->shape.rank = last;
    view->stride[last - 1] += view->stride[last];
    return view;
}

Tensor *op_view(const Operands *o, Shape shape) {
    const Tensor *t = o->in[0];
    const OpAttr *a = o->attr;
    switch (o->op) {
    case OP_RESHAPE: return tensor_view_reshape(o->ctx, o->arena, t, shape);
    case OP_EXPAND: return tensor_view_expand(o->arena, t, shape);
    case OP_PERMUTE: return tensor_view_permute(o->arena, t, a->perm);
    case OP_SLICE: return tensor_view_slice(o->arena, t, a->dim, a->start, a->count, a->step);
    case OP_DIAGONAL: return view_of_diagonal(o);
    default: return arena_copy(o->arena, t, sizeof *t); /* VARIABLE, STOP_GRADIENT */
    }
}
