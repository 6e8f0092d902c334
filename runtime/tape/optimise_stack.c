/* Rolling: arrays from what the iterations read, and new nodes from old ones. */
#include <string.h>

#include "tape/optimise_roll.h"

/* -- Places -- */

static const Node *old_node(const Roll *r, NodeId id) { return &r->old.nodes[id]; }
static Shape old_shape(const Roll *r, NodeId id) { return r->old.nodes[id].value->shape; }

Place roll_place(const Roll *r, NodeId id) {
    const Node *node = old_node(r, id);
    if (node->op == OP_CONSTANT) return (Place){PLACE_CONSTANT, 0, 0, 0};
    while (node->op == OP_RESHAPE && r->group[id] < 0) {
        id = node->inputs[0];
        node = old_node(r, id);
    }
    if (r->group[id] >= 0) return (Place){PLACE_GROUP, r->group[id], r->position[id], 0};
    if (node->op == OP_INPUT) return (Place){PLACE_INPUT, node->attr->slot, node->attr->start, 0};
    if (node->op == OP_SLICE && node->attr->count == 1)
        return (Place){PLACE_ELEMENT, node->inputs[0], node->attr->start, node->attr->dim};
    return (Place){PLACE_NODE, id, 0, 0};
}

bool roll_follows(const Roll *r, const Place *a, const Place *b, int64_t *step, bool first) {
    (void)r;
    if (a->kind != b->kind || a->base != b->base || a->dim != b->dim) return false;
    int64_t d = b->at - a->at;
    if (first) *step = d;
    return d == *step;
}

/* -- Arrays from rows of nodes -- */

static Shape with_first(int64_t n, Shape s) {
    memmove(s.dim + 1, s.dim, sizeof *s.dim * (size_t)s.rank++);
    s.dim[0] = n;
    return s;
}

/* New node `of` as an array of this shape, which has as many elements. */
static NodeId reshaped(Roll *r, NodeId of, Shape shape) {
    if (shape_equal(r->g->tape.nodes[of].value->shape, shape)) return of;
    return graph_view(r->g, OP_RESHAPE, of, shape, &(OpAttr){.shape = shape});
}

/* Elements start, start + step, ... along a dimension. */
static NodeId sliced(Roll *r, NodeId of, int dim, int64_t start, int64_t count, int64_t step) {
    Shape s = r->g->tape.nodes[of].value->shape;
    if (start == 0 && step == 1 && count == s.dim[dim]) return of;
    s.dim[dim] = count;
    return graph_view(r->g, OP_SLICE, of, s, &(OpAttr){.dim = dim, .start = start, .count = count, .step = step});
}

/* A dimension moved: `from` comes to stand at `to`. */
static NodeId moved(Roll *r, NodeId of, int from, int to) {
    if (from == to) return of;
    Shape s = r->g->tape.nodes[of].value->shape, out = s;
    OpAttr attr = {0};
    for (int d = 0, k = 0; d < s.rank; d++) {
        if (k == from) k++;
        attr.perm[d] = d == to ? from : k++;
    }
    for (int d = 0; d < s.rank; d++) out.dim[d] = s.dim[attr.perm[d]];
    return graph_view(r->g, OP_PERMUTE, of, out, &attr);
}

/* All the nodes' constants. */
static NodeId stack_constants(Roll *r, int n, const NodeId *ids, Shape shape) {
    int64_t size = shape_size(shape);
    Tensor *all = tensor_new(r->g->tape.ctx, r->g->tape.arena, with_first(n, shape));
    for (int k = 0; k < n; k++) tensor_copy_out(old_node(r, ids[k])->value, all->data + k * size);
    return graph_constant(r->g, all);
}

/* The stretch of an input vector: `size` elements for each of n, `step` apart; NODE_NONE: not as an array. */
static NodeId stack_inputs(Roll *r, int n, Place first, int64_t step, Shape shape) {
    int64_t size = shape_size(shape), low = step > 0 ? first.at : first.at + (n - 1) * step;
    int64_t apart = step > 0 ? step : -step;
    if (size != 1 && apart != size) return NODE_NONE;
    Shape all = shape1((n - 1) * apart + size);
    Arena *a = r->g->tape.arena;
    OpAttr attr = {.shape = all, .slot = (int)first.base, .start = low};
    NodeId input = graph_append(r->g, OP_INPUT, SPAN_NONE, 0, NULL, attr_copy(a, &attr), tensor_borrow(a, all, NULL));
    if (size == 1) return sliced(r, input, 0, step > 0 ? 0 : (n - 1) * apart, n, step);
    return sliced(r, reshaped(r, input, shape2(n, size)), 0, step > 0 ? 0 : n - 1, n, step > 0 ? 1 : -1);
}

/* What has been put side by side before, if it lies in a row; else NODE_NONE. */
static NodeId stacked_before(Roll *r, int n, const NodeId *ids) {
    struct Piece first = r->piece[ids[0]];
    if (first.array == NODE_NONE || n < 2) return NODE_NONE;
    int64_t step = r->piece[ids[1]].at - first.at;
    for (int k = 0; k < n; k++)
        if (r->piece[ids[k]].array != first.array || r->piece[ids[k]].at != first.at + k * step) return NODE_NONE;
    return step ? sliced(r, first.array, 0, first.at, n, step) : NODE_NONE;
}

static int row_length(const Roll *r, int n, const NodeId *ids);
static NodeId stack(Roll *r, int n, const NodeId *ids);

static NodeId stack_pieces(Roll *r, int n, const NodeId *ids, Shape shape) {
    NodeId before = stacked_before(r, n, ids);
    if (before != NODE_NONE) return before;
    Arena *a = r->g->tape.arena;
    NodeId *parts = ARENA_ARRAY(r->work, NodeId, n);
    int nparts = 0;
    for (int k = 0, length; k < n; k += length) {
        length = row_length(r, n - k, ids + k);
        parts[nparts++] =
            length > 1 ? stack(r, length, ids + k) : reshaped(r, roll_fresh(r, ids[k]), with_first(1, shape));
    }
    NodeId all = graph_append(r->g, OP_CONCAT, old_node(r, ids[0])->span, nparts, parts,
                              attr_copy(a, &(OpAttr){.dim = 0}), tensor_borrow(a, with_first(n, shape), NULL));
    for (int k = 0; k < n; k++) r->piece[ids[k]] = (struct Piece){all, k};
    return all;
}

/* How many nodes of one shape from the first on are a row of one array, forwards. */
static int row_length(const Roll *r, int n, const NodeId *ids) {
    Place last = roll_place(r, ids[0]);
    int64_t step = 0;
    int length = 1;
    if (last.kind != PLACE_GROUP) return 1;
    for (; length < n && shape_equal(old_shape(r, ids[length]), old_shape(r, ids[0])); length++) {
        Place p = roll_place(r, ids[length]);
        if (!roll_follows(r, &last, &p, &step, length == 1) || step != 1) break;
        last = p;
    }
    return length;
}

/* All nodes follow each other, `*step` apart. */
static bool is_row(const Roll *r, int n, const NodeId *ids, int64_t *step) {
    Place last = roll_place(r, ids[0]);
    for (int k = 1; k < n; k++) {
        Place p = roll_place(r, ids[k]);
        if (!roll_follows(r, &last, &p, step, k == 1)) return false;
        last = p;
    }
    return true;
}

/* The nodes, all of one shape, as an array with a first dimension of n. */
static NodeId stack(Roll *r, int n, const NodeId *ids) {
    Shape shape = old_shape(r, ids[0]), out = with_first(n, shape);
    Place first = roll_place(r, ids[0]);
    int64_t step = 0;
    if (!is_row(r, n, ids, &step)) return stack_pieces(r, n, ids, shape);
    NodeId found = NODE_NONE;
    if (first.kind == PLACE_CONSTANT)
        found = stack_constants(r, n, ids, shape);
    else if (step != 0 && first.kind == PLACE_GROUP)
        found = sliced(r, r->groups[first.base].array, 0, first.at, n, step);
    else if (step != 0 && first.kind == PLACE_INPUT)
        found = stack_inputs(r, n, first, step, shape);
    else if (step != 0 && first.kind == PLACE_ELEMENT)
        found = moved(r, sliced(r, roll_fresh(r, (NodeId)first.base), first.dim, first.at, n, step), first.dim, 0);
    return found == NODE_NONE ? stack_pieces(r, n, ids, shape) : reshaped(r, found, out);
}

/* -- New nodes -- */

NodeId roll_fresh(Roll *r, NodeId id) {
    if (r->fresh[id] != NODE_NONE) return r->fresh[id];
    const Group *g = &r->groups[r->group[id]];
    NodeId row = sliced(r, g->array, 0, r->position[id], 1, 1);
    return r->fresh[id] = reshaped(r, row, old_shape(r, id));
}

/* Operand k of all members; one node where it is the same for all. */
static NodeId operand(Roll *r, const Group *group, int k) {
    int n = group->n, rank = old_shape(r, group->members[0]).rank;
    NodeId *ids = ARENA_ARRAY(r->work, NodeId, n);
    bool same = true;
    for (int m = 0; m < n; m++) {
        ids[m] = old_node(r, group->members[m])->inputs[k];
        same = same && ids[m] == ids[0];
    }
    if (same && op_class(old_node(r, group->members[0])->op) == CLASS_EW) return roll_fresh(r, ids[0]);
    NodeId array = stack(r, n, ids);
    Shape own = old_shape(r, ids[0]), padded = {.rank = rank};
    if (op_class(old_node(r, group->members[0])->op) != CLASS_EW || own.rank == rank) return array;
    for (int d = 0; d < rank; d++) padded.dim[d] = d < rank - own.rank ? 1 : own.dim[d - (rank - own.rank)];
    return reshaped(r, array, with_first(n, padded));
}

/* The attributes with one more dimension in front; a random site counts its index along it. */
static OpAttr *rolled_attr(Roll *r, const Group *group, Shape shape) {
    const Node *first = old_node(r, group->members[0]), *second = old_node(r, group->members[1]);
    if (!first->attr) return NULL;
    OpAttr attr = *first->attr;
    attr.dims <<= 1;
    attr.shape = shape;
    if (!attr.random) return attr_copy(r->g->tape.arena, &attr);
    RandomSite site = *attr.random;
    for (int k = 0; k < site.n; k++) {
        if (site.index[k].dim >= 0) site.index[k].dim++;
        if (site.index[k].first != second->attr->random->index[k].first) site.index[k].dim = 0;
    }
    if (site.particle_dim >= 0) site.particle_dim++;
    attr.random = &site;
    return attr_copy(r->g->tape.arena, &attr);
}

void roll_emit_group(Roll *r, Group *group) {
    const Node *first = old_node(r, group->members[0]);
    r->g->backward = first->backward;
    NodeId *in = ARENA_ARRAY(r->work, NodeId, first->ninputs + 1);
    Shape shape = with_first(group->n, first->value->shape);
    for (int k = 0; k < first->ninputs; k++) in[k] = operand(r, group, k);
    group->array = graph_append(r->g, first->op, first->span, first->ninputs, in, rolled_attr(r, group, shape),
                                tensor_borrow(r->g->tape.arena, shape, NULL));
}

/* Rows of groups among the parts are arrays already. */
static void emit_concat(Roll *r, NodeId id) {
    const Node *node = old_node(r, id);
    int n = 0, dim = node->attr->dim;
    NodeId *parts = ARENA_ARRAY(r->work, NodeId, node->ninputs);
    bool dense = true;
    for (int k = 0, length; k < node->ninputs; k += length) {
        Shape part = old_shape(r, node->inputs[k]);
        length = row_length(r, node->ninputs - k, node->inputs + k);
        if (length < 2) {
            parts[n++] = roll_fresh(r, node->inputs[k]);
            continue;
        }
        NodeId row = moved(r, stack(r, length, node->inputs + k), 0, dim);
        for (int d = 0; d < dim; d++) dense = dense && part.dim[d] == 1;
        part.dim[dim] *= length;
        parts[n++] = reshaped(r, row, part);
    }
    if (n == 1 && dense)
        r->fresh[id] = parts[0];
    else if (n == 1)
        r->fresh[id] = graph_append(r->g, OP_COPY, node->span, 1, parts, NULL, node->value);
    else
        r->fresh[id] = graph_append(r->g, OP_CONCAT, node->span, n, parts, node->attr, node->value);
}

void roll_emit_single(Roll *r, NodeId id) {
    const Node *node = old_node(r, id);
    r->g->backward = node->backward;
    if (node->op == OP_CONCAT) {
        emit_concat(r, id);
        return;
    }
    NodeId *in = ARENA_ARRAY(r->work, NodeId, node->ninputs + 1);
    for (int k = 0; k < node->ninputs; k++) in[k] = roll_fresh(r, node->inputs[k]);
    r->fresh[id] = graph_append(r->g, node->op, node->span, node->ninputs, in, node->attr, node->value);
}

/* -- Outputs -- */

/* How many outputs from the k-th on follow each other in one array and in memory. */
static int outputs_together(const Roll *r, const Graph *g, int k) {
    Place last;
    int64_t step = 0, size = shape_size(g->outputs[k].value->shape);
    int n = 1;
    if (!g->place[k] || !var_is_taped(g->outputs[k])) return 1;
    last = roll_place(r, g->outputs[k].node);
    if (last.kind != PLACE_GROUP) return 1;
    for (; k + n < g->noutputs && var_is_taped(g->outputs[k + n]); n++) {
        Place p = roll_place(r, g->outputs[k + n].node);
        if (g->place[k + n] != g->place[k] + n * size || !roll_follows(r, &last, &p, &step, n == 1) || step != 1 ||
            !shape_equal(g->outputs[k + n].value->shape, g->outputs[k].value->shape))
            break;
        last = p;
    }
    return n;
}

void roll_outputs(Roll *r) {
    Graph *g = r->g;
    int kept = 0;
    for (int k = 0, n; k < g->noutputs; k += n) {
        n = outputs_together(r, g, k);
        Var out = g->outputs[k];
        if (n > 1) {
            NodeId *ids = ARENA_ARRAY(r->work, NodeId, n);
            for (int m = 0; m < n; m++) ids[m] = g->outputs[k + m].node;
            out.node = stack(r, n, ids);
            out.value = g->tape.nodes[out.node].value;
        } else if (var_is_taped(out)) {
            out.node = roll_fresh(r, out.node);
        }
        for (int m = 0; m < n; m++) {
            g->output[k + m] = kept;
            g->element[k + m] = m * shape_size(g->outputs[k + m].value->shape);
        }
        g->outputs[kept] = out;
        g->place[kept++] = g->place[k];
    }
    g->noutputs = kept;
}
