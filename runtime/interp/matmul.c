/* The matrix product `@` of arrays with axes. */
#include <string.h>

#include "interp/array.h"

static _Noreturn void raise_shapes(Interp *in, Shape a, Shape b, Span at) {
    const char *hint =
        a.rank == 0 || b.rank == 0 ? "`@` is the product of vectors and matrices; numbers multiply with `*`" : NULL;
    ctx_raise(in->ctx, ERROR_PROGRAM, span_or_here(in, at), hint, "shapes %s and %s do not agree in `@`",
              shape_text(in->arena, a), shape_text(in->arena, b));
}

/* a: event [e..., k], b: event [k, m]. Axes that only `a` has are further rows, so that one plate of vectors times one
 * matrix is one matrix product: a -> [axes of b (1 where a has none)..., (a's own axes, e...), k]  @  b  ->  [axes of
 * b..., (own, e...), m] and then the axes take their places. */
static Array rows_times_matrix(Interp *in, const Array *a, const Array *b) {
    const Shape *sa = &a->var.value->shape, *sb = &b->var.value->shape;
    int nb = b->naxes, rank = sa->rank, perm[MAX_RANK], n = 0, own[MAX_AXES], nown = 0;
    int64_t k = sa->dim[rank - 1], m = sb->dim[sb->rank - 1], rows = 1;
    Shape grouped = {0}, unfolded = {0};
    for (int i = 0; i < nb; i++) {
        int place = axes_find(a->naxes, a->axes, b->axes[i]);
        if (place >= 0) perm[n++] = place;
        grouped.dim[grouped.rank++] = place >= 0 ? sa->dim[place] : 1;
        unfolded.dim[unfolded.rank++] = b->axes[i]->size;
    }
    for (int i = 0; i < a->naxes; i++)
        if (axes_find(nb, b->axes, a->axes[i]) < 0) perm[n++] = own[nown++] = i;
    for (int i = a->naxes; i < rank; i++) perm[n++] = i;
    for (int i = 0; i < nown; i++) unfolded.dim[unfolded.rank++] = sa->dim[own[i]];
    for (int i = a->naxes; i + 1 < rank; i++) unfolded.dim[unfolded.rank++] = sa->dim[i];
    for (int i = nb; i < unfolded.rank; i++) rows *= unfolded.dim[i];
    unfolded.dim[unfolded.rank++] = m;
    grouped.dim[grouped.rank++] = rows;
    grouped.dim[grouped.rank++] = k;
    Var left = array_permute(in, a->var, perm);
    if (!shape_equal(left.value->shape, grouped)) left = op_reshape(in->tape, left, grouped);
    Var out = op_matmul(in->tape, left, b->var);
    if (!shape_equal(out.value->shape, unfolded)) out = op_reshape(in->tape, out, unfolded);

    Array result = {.missing = a->missing || b->missing};
    result.naxes = axes_union(in, a->naxes, a->axes, nb, b->axes, result.axes);
    for (int i = 0; i < unfolded.rank; i++) {
        int in_b = i < result.naxes ? axes_find(nb, b->axes, result.axes[i]) : -1;
        perm[i] = i;
        if (in_b >= 0)
            perm[i] = in_b;
        else if (i < result.naxes)
            for (int j = 0; j < nown; j++)
                if (a->axes[own[j]] == result.axes[i]) perm[i] = nb + j;
    }
    result.var = array_permute(in, out, perm);
    return result;
}

/* -- Products in the body of `refine` -- */

/* Does it depend on data alone, the batch at work included? */
static bool of_data(const Interp *in, NodeId id, int *budget) {
    const Node *node = &in->tape->nodes[id];
    if (--*budget < 0) return false;
    if (node->op == OP_CONSTANT) return true;
    if (node->op == OP_INPUT) return in->batches && node->attr->slot == in->batches->slot;
    if (node->ninputs == 0 || node->op == OP_VARIABLE) return false;
    for (int k = 0; k < node->ninputs; k++)
        if (!of_data(in, node->inputs[k], budget)) return false;
    return true;
}

/* The parts of the rows that are of data, or not, next to each other. */
typedef struct Stretch {
    int first, n;
    bool data;
    int64_t width;
} Stretch;

enum { MAX_STRETCHES = 8, DATA_NODES = 64 };

static int find_stretches(const Interp *in, const Array *a, Stretch *list) {
    const Tape *t = in->tape;
    if (!in->refining || !t->recording || a->var.node == NODE_NONE) return 0;
    const Node *node = &t->nodes[a->var.node];
    if (node->op != OP_CONCAT || node->attr->dim != node->value->shape.rank - 1) return 0;
    int n = 0;
    for (int k = 0; k < node->ninputs; k++) {
        int budget = DATA_NODES;
        bool data = of_data(in, node->inputs[k], &budget);
        if (n == 0 || list[n - 1].data != data) {
            if (n == MAX_STRETCHES) return 0;
            list[n++] = (Stretch){.first = k, .data = data};
        }
        list[n - 1].n++;
        list[n - 1].width += t->nodes[node->inputs[k]].value->shape.dim[node->attr->dim];
    }
    return n > 1 ? n : 0;
}

/* [u, x] @ w = u @ w1 + x @ w2: what x gives is the same in every step of a refinement, so it is computed once (and in
 * derivatives the shares of all steps meet in one product with x). */
static bool split_product(Interp *in, const Array *a, const Array *b, Array *out, Span at) {
    Stretch list[MAX_STRETCHES];
    Tape *t = in->tape;
    int n = find_stretches(in, a, list);
    if (n == 0) return false;
    int64_t row = 0;
    Value sum = value_none();
    for (int i = 0; i < n; i++) {
        Node node = t->nodes[a->var.node];
        Var *parts = ARENA_ARRAY(in->arena, Var, list[i].n);
        for (int k = 0; k < list[i].n; k++) {
            NodeId id = node.inputs[list[i].first + k];
            parts[k] = (Var){t->nodes[id].value, t->nodes[id].op == OP_CONSTANT ? NODE_NONE : id};
        }
        Array left = *a, right = *b;
        left.var = op_concat(t, list[i].n, parts, node.attr->dim);
        right.var = op_slice(t, b->var, b->var.value->shape.rank - 2, row, list[i].width, 1);
        row += list[i].width;
        Array product = rows_times_matrix(in, &left, &right);
        Value v = (Value){VALUE_ARRAY, .u.array = arena_copy(in->arena, &product, sizeof product)};
        sum = i ? array_binary(in, BINARY_ADD, sum, v, at) : v;
    }
    *out = value_array(in, sum, at, "a product");
    return true;
}

/* Both with batches of matrices: axes aligned, event dimensions before the last two broadcast. */
static Array batched(Interp *in, const Array *a, const Array *b) {
    Array pair[2] = {*a, *b}, result = {.missing = a->missing || b->missing};
    int rank = array_rank(a) > array_rank(b) ? array_rank(a) : array_rank(b);
    for (int k = 0; k < 2; k++) {
        Shape s = array_shape(&pair[k]), padded = {.rank = rank};
        for (int d = 0; d < rank; d++) padded.dim[d] = d < rank - s.rank ? 1 : s.dim[d - (rank - s.rank)];
        pair[k].var = array_reshape_event(in, &pair[k], padded);
    }
    Var v[2];
    result.naxes = array_align(in, 2, pair, false, v, result.axes);
    result.var = op_matmul(in->tape, v[0], v[1]);
    return result;
}

static Array as_column(Interp *in, const Array *a) {
    Array out = *a;
    Shape s = array_shape(a);
    s.dim[s.rank++] = 1;
    out.var = array_reshape_event(in, a, s);
    return out;
}

static Array drop_last(Interp *in, Array a) {
    Shape s = array_shape(&a);
    s.rank--;
    a.var = array_reshape_event(in, &a, s);
    return a;
}

Value array_matmul(Interp *in, Value left, Value right, Span at) {
    Array a = value_array(in, left, at, "the left side of `@`"),
          b = value_array(in, right, at, "the right side of `@`"), out;
    Shape sa = array_shape(&a), sb = array_shape(&b);
    if (sa.rank == 0 || sb.rank == 0 || sa.dim[sa.rank - 1] != sb.dim[sb.rank == 1 ? 0 : sb.rank - 2])
        raise_shapes(in, sa, sb, at);
    Span before = in->ctx->span;
    in->ctx->span = span_or_here(in, at);
    if (sb.rank > 2 && sa.rank > 2) {
        Shape la = sa, lb = sb, batch;
        la.rank -= 2;
        lb.rank -= 2;
        if (!shape_broadcast(la, lb, &batch)) raise_shapes(in, sa, sb, at);
    }
    if (sb.rank == 1) { /* A x = x A^T where the axes of x make that one product */
        Array column = as_column(in, &b);
        if (sa.rank == 2 && a.naxes == 0 && b.naxes > 0) {
            Array turned = a;
            turned.var = op_transpose(in->tape, a.var);
            out = rows_times_matrix(in, &b, &turned);
        } else if (sa.rank == 1 && a.naxes == 0 && b.naxes > 0) {
            Array other = as_column(in, &a);
            out = drop_last(in, rows_times_matrix(in, &b, &other));
        } else {
            out = drop_last(in, rows_times_matrix(in, &a, &column));
        }
    } else if (sb.rank == 2) {
        if (!split_product(in, &a, &b, &out, at)) out = rows_times_matrix(in, &a, &b);
    } else if (sa.rank == 1) { /* x B = (B^T x) */
        Array turned = b, column = as_column(in, &a);
        turned.var = op_transpose(in->tape, b.var);
        out = drop_last(in, batched(in, &turned, &column));
    } else {
        out = batched(in, &a, &b);
    }
    in->ctx->span = before;
    return array_value(in, out);
}
