/* Recording: operations are written down where they depend on inputs or noise. */
#include "tape/tape.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tape/kernels.h"

enum { NUMBERS = 64 };

/* Nodes of constants by what they are: a tensor by its place, a number by its bits (constant_hash). Open addressing; an entry whose
 * node is no longer that constant is free. */
struct TapePrivate {
    NodeId *constants; /* NODE_NONE: empty */
    int room, used;    /* room is a power of two, or 0 */
    struct Mark {
        bool guarded; /* it has a guard */
        bool settled; /* it depends on no input and no noise */
    } * marks;        /* by node */
    const Tensor *numbers[NUMBERS]; /* the latest plain numbers, by their bits */
    NodeId *shared;    /* tape_share: nodes by what they compute, open addressing; NULL: nothing is shared */
    int shared_room, shared_used;
    struct Known {
        NodeId node;
        Var result;
    } * known; /* of the shared nodes: what they are known to give */
    int nknown, known_room;
};

static void tape_release(void *object) {
    Tape *t = object;
    free(t->nodes);
    free(t->more->constants);
    free(t->more->marks);
    free(t->more->shared);
    free(t->more->known);
}

Tape *tape_new(Ctx *c, Arena *arena, bool recording) {
    Tape *t = ARENA_NEW(arena, Tape);
    *t = (Tape){.ctx = c, .arena = arena, .recording = recording, .more = ARENA_NEW(arena, struct TapePrivate)};
    arena_defer(arena, tape_release, t);
    return t;
}

void tape_truncate(Tape *t, int nnodes) {
    assert(nnodes >= 0 && nnodes <= t->nnodes);
    for (NodeId id = nnodes; id < t->nnodes; id++)
        if (t->nodes[id].op == OP_GUARD) t->more->marks[t->nodes[id].inputs[0]].guarded = false;
    t->nnodes = nnodes;
    t->backward = false;
}

static void *resized(Tape *t, void *block, size_t bytes) {
    void *grown = realloc(block, bytes);
    if (!grown) ctx_raise_here(t->ctx, ERROR_PROGRAM, "there is not enough memory for %d operations", t->nnodes);
    return grown;
}

/* -- Nodes -- */

OpAttr *attr_copy(Arena *a, const OpAttr *attr) {
    OpAttr *copy = arena_copy(a, attr, sizeof *attr);
    if (attr->random) copy->random = arena_copy(a, attr->random, sizeof *attr->random);
    if (attr->scan) copy->scan = scan_copy(a, attr->scan);
    return copy;
}

static bool is_settled(const Tape *t, Op op, int n, const NodeId *inputs) {
    bool all = op != OP_INPUT && op_class(op) != CLASS_RANDOM;
    for (int k = 0; k < n && all; k++) all = t->more->marks[inputs[k]].settled;
    return all;
}

static NodeId node_append(Tape *t, Op op, int n, const NodeId *inputs, const OpAttr *attr, const Tensor *value) {
    if (t->nnodes == t->capacity) {
        int capacity = t->capacity ? 2 * t->capacity : 64;
        t->nodes = resized(t, t->nodes, (size_t)capacity * sizeof *t->nodes);
        t->more->marks = resized(t, t->more->marks, (size_t)capacity * sizeof *t->more->marks);
        t->capacity = capacity;
    }
    NodeId id = t->nnodes++;
    t->more->marks[id] = (struct Mark){.settled = is_settled(t, op, n, inputs)};
    t->nodes[id] = (Node){.op = op,
                          .span = t->ctx->span,
                          .backward = t->backward,
                          .ninputs = n,
                          .inputs = n ? arena_copy(t->arena, inputs, (size_t)n * sizeof *inputs) : NULL,
                          .attr = attr ? attr_copy(t->arena, attr) : NULL,
                          .value = value};
    return id;
}

static uint64_t bits_at(const Tensor *v, int64_t i) {
    real x = tensor_item(v, i);
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof x);
    return bits;
}

static uint64_t mixed(uint64_t h) {
    h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

/* Where nodes are shared (below), arrays too are known by their numbers: what computes the same reads equal ones. */
static uint64_t constant_hash(const Tape *t, const Tensor *v) {
    enum { LOOKED_AT = 32 };
    if (v->shape.rank == 0) return mixed(bits_at(v, 0));
    if (!t->more->shared) return mixed((uint64_t)(uintptr_t)v);
    int64_t n = shape_size(v->shape), step = n / LOOKED_AT + 1;
    uint64_t h = mixed((uint64_t)n);
    for (int64_t i = 0; i < n; i += step) h = mixed(h ^ bits_at(v, i));
    return h;
}

static bool same_numbers(const Tensor *v, const Tensor *w) {
    if (!shape_equal(v->shape, w->shape) || memcmp(v->stride, w->stride, sizeof *v->stride * (size_t)v->shape.rank) != 0)
        return false;
    for (int64_t i = 0, n = v->data == w->data ? 0 : shape_size(v->shape); i < n; i++)
        if (bits_at(v, i) != bits_at(w, i)) return false;
    return true;
}

static bool is_constant(const Tape *t, NodeId id, const Tensor *v) {
    if (id < 0 || id >= t->nnodes || t->nodes[id].op != OP_CONSTANT) return false;
    const Tensor *w = t->nodes[id].value;
    return w == v || ((v->shape.rank == 0 || t->more->shared) && same_numbers(v, w));
}

static void constants_grow(Tape *t) {
    struct TapePrivate *m = t->more;
    int room = m->room ? 2 * m->room : 64, old_room = m->room;
    NodeId *old = m->constants, *fresh = resized(t, NULL, (size_t)room * sizeof *fresh);
    for (int k = 0; k < room; k++) fresh[k] = NODE_NONE;
    m->used = 0;
    for (int k = 0; k < old_room; k++) {
        NodeId id = old[k];
        if (id < 0 || id >= t->nnodes || t->nodes[id].op != OP_CONSTANT) continue;
        size_t at = constant_hash(t, t->nodes[id].value) & (size_t)(room - 1);
        while (fresh[at] != NODE_NONE) at = (at + 1) & (size_t)(room - 1);
        fresh[at] = id;
        m->used++;
    }
    free(old);
    m->constants = fresh;
    m->room = room;
}

/* Places in the table depend on whether nodes are shared: where that changes, what lies there must not be met by chance (what is
 * shared would differ from run to run). It begins anew with the constants from `from` on. */
static void constants_restart(Tape *t, NodeId from) {
    struct TapePrivate *m = t->more;
    for (int k = 0; k < m->room; k++) m->constants[k] = NODE_NONE;
    m->used = 0;
    for (NodeId id = from; id < t->nnodes; id++) {
        if (t->nodes[id].op != OP_CONSTANT) continue;
        if (2 * m->used >= m->room) constants_grow(t);
        size_t at = constant_hash(t, t->nodes[id].value) & (size_t)(m->room - 1);
        while (m->constants[at] != NODE_NONE) at = (at + 1) & (size_t)(m->room - 1);
        m->constants[at] = id;
        m->used++;
    }
}

static NodeId constant_node(Tape *t, const Tensor *v) {
    struct TapePrivate *m = t->more;
    if (2 * m->used >= m->room) constants_grow(t);
    size_t at = constant_hash(t, v) & (size_t)(m->room - 1);
    for (; m->constants[at] != NODE_NONE; at = (at + 1) & (size_t)(m->room - 1))
        if (is_constant(t, m->constants[at], v)) return m->constants[at];
    m->used++;
    return m->constants[at] = node_append(t, OP_CONSTANT, 0, NULL, NULL, v);
}

static NodeId node_of(Tape *t, Var v) { return var_is_taped(v) ? v.node : constant_node(t, v.value); }

/* -- Shared nodes: an entry counts when its node still stands and is equal -- */

static bool is_shared(const Tape *t, Op op, int n) {
    return t->more->shared && n > 0 && op_class(op) != CLASS_RANDOM && op != OP_COPY;
}

static uint64_t node_hash(Op op, int n, const NodeId *inputs, const OpAttr *attr) {
    uint64_t h = (uint64_t)op + 1;
    for (int k = 0; k < n; k++) h = (h ^ (uint64_t)inputs[k]) * 0x9e3779b97f4a7c15u;
    if (attr) h ^= (uint64_t)attr->start * 31 + (uint64_t)attr->count * 17 + (uint64_t)attr->dim;
    return mixed(h);
}

static bool same_attr(const OpAttr *a, const OpAttr *b) {
    if (!a || !b) return a == b;
    return shape_equal(a->shape, b->shape) && a->dim == b->dim && a->dims == b->dims &&
           memcmp(a->perm, b->perm, sizeof a->perm) == 0 && a->start == b->start && a->count == b->count &&
           a->step == b->step && a->flags == b->flags && a->slot == b->slot && a->random == b->random && a->scan == b->scan;
}

static bool same_node(const Tape *t, NodeId id, Op op, int n, const NodeId *inputs, const OpAttr *attr) {
    if (id >= t->nnodes) return false;
    const Node *a = &t->nodes[id];
    return a->op == op && a->ninputs == n && (n == 0 || memcmp(a->inputs, inputs, sizeof *inputs * (size_t)n) == 0) &&
           same_attr(a->attr, attr);
}

/* The place of an equal node, or of the empty entry where it belongs. */
static NodeId *shared_find(Tape *t, Op op, int n, const NodeId *inputs, const OpAttr *attr) {
    struct TapePrivate *m = t->more;
    size_t at = node_hash(op, n, inputs, attr) & (size_t)(m->shared_room - 1);
    while (m->shared[at] != NODE_NONE && !same_node(t, m->shared[at], op, n, inputs, attr))
        at = (at + 1) & (size_t)(m->shared_room - 1);
    return &m->shared[at];
}

static void shared_grow(Tape *t) {
    struct TapePrivate *m = t->more;
    NodeId *old = m->shared;
    int old_room = m->shared_room;
    m->shared_room = old_room ? 2 * old_room : 1024;
    m->shared = resized(t, NULL, (size_t)m->shared_room * sizeof *old);
    for (int k = 0; k < m->shared_room; k++) m->shared[k] = NODE_NONE;
    m->shared_used = 0;
    for (int k = 0; k < old_room; k++) {
        if (old[k] == NODE_NONE || old[k] >= t->nnodes) continue;
        const Node *node = &t->nodes[old[k]];
        NodeId *place = shared_find(t, node->op, node->ninputs, node->inputs, node->attr);
        if (*place == NODE_NONE) *place = old[k], m->shared_used++;
    }
    free(old);
}

static void shared_add(Tape *t, NodeId *place, NodeId id) {
    *place = id;
    if (2 * ++t->more->shared_used >= t->more->shared_room) shared_grow(t);
}

bool tape_share(Tape *t, NodeId from) {
    if (!t->recording || t->more->shared) return false;
    shared_grow(t);
    constants_restart(t, from);
    for (NodeId id = from; id < t->nnodes; id++) {
        const Node *node = &t->nodes[id];
        if (!is_shared(t, node->op, node->ninputs) && node->op != OP_INPUT) continue;
        if (node->op == OP_VARIABLE || node->op == OP_GUARD) continue;
        NodeId *place = shared_find(t, node->op, node->ninputs, node->inputs, node->attr);
        if (*place == NODE_NONE) shared_add(t, place, id);
    }
    return true;
}

void tape_unshare(Tape *t) {
    free(t->more->shared);
    t->more->shared = NULL;
    t->more->shared_room = t->more->shared_used = t->more->nknown = 0;
    constants_restart(t, t->nnodes);
}

void tape_know(Tape *t, Op op, int n, const Var *inputs, Var result) {
    struct TapePrivate *m = t->more;
    NodeId nodes[EW_MAX];
    if (!m->shared || !is_shared(t, op, n)) return;
    for (int k = 0; k < n; k++) nodes[k] = node_of(t, inputs[k]);
    NodeId *place = shared_find(t, op, n, nodes, NULL);
    if (*place != NODE_NONE) return;
    if (m->nknown == m->known_room)
        m->known = resized(t, m->known, (size_t)(m->known_room = 2 * m->known_room + 4) * sizeof *m->known);
    m->known[m->nknown++] = (struct Known){node_append(t, op, n, nodes, NULL, result.value), result};
    shared_add(t, place, m->known[m->nknown - 1].node);
}

static Var shared_result(const Tape *t, NodeId id) {
    for (int k = 0; k < t->more->nknown; k++)
        if (t->more->known[k].node == id) return t->more->known[k].result;
    return (Var){t->nodes[id].value, id};
}

/* -- Leaves -- */

Var var_constant(const Tensor *value) { return (Var){value, NODE_NONE}; }

Var var_number(Tape *t, real x) {
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof x);
    const Tensor **place = &t->more->numbers[(bits ^ bits >> 32) * 0x9e3779b97f4a7c15u >> 58];
    if (!*place || memcmp((*place)->data, &x, sizeof x) != 0) *place = tensor_scalar(t->ctx, t->arena, x);
    return var_constant(*place);
}

Var tape_input(Tape *t, int slot, int64_t offset, Shape shape) {
    assert(slot >= 0 && slot < (int)(sizeof t->inputs / sizeof *t->inputs) && t->inputs[slot]);
    OpAttr attr = {.shape = shape, .slot = slot, .start = offset};
    /* Tensors are not written once shared, so the const of the input is safe. */
    Tensor *value = tensor_borrow(t->arena, shape, (real *)(uintptr_t)(t->inputs[slot] + offset));
    if (!t->recording) return var_constant(value);
    NodeId *place = t->more->shared ? shared_find(t, OP_INPUT, 0, NULL, &attr) : NULL;
    if (place && *place != NODE_NONE) return (Var){t->nodes[*place].value, *place};
    NodeId id = node_append(t, OP_INPUT, 0, NULL, &attr, value);
    if (place) shared_add(t, place, id);
    return (Var){value, id};
}

Var tape_variable(Tape *t, Var v) {
    NodeId input = node_of(t, v);
    const Tensor *value = arena_copy(t->arena, v.value, sizeof *value);
    return (Var){value, node_append(t, OP_VARIABLE, 1, &input, NULL, value)};
}

/* -- Applying an operation -- */

/* -- Functions of their inverses: log exp x = x, (sqrt x)^2 = x. Better conditioned than what they stand for, and recorded
 * so from the start: the walk and every program compute the same. -- */

/* What `undone` was applied to where v is its result, or a view of that (without gradient, too); value NULL: it is not. */
static Var inverse_of(Tape *t, Op undone, Var v) {
    if (!var_is_taped(v)) return (Var){0};
    const Node node = t->nodes[v.node];
    if (node.op == undone) return (Var){t->nodes[node.inputs[0]].value, node.inputs[0]};
    bool view = op_class(node.op) == CLASS_VIEW && node.op != OP_VARIABLE;
    if (!view) return (Var){0};
    NodeId from = node.inputs[0];
    Var x = inverse_of(t, undone, (Var){t->nodes[from].value, from});
    return x.value ? op_apply(t, node.op, 1, &x, node.attr) : x;
}

static bool is_square(Op op, const Var *inputs) {
    if (op != OP_POW) return op == OP_SQUARE;
    return !var_is_taped(inputs[1]) && inputs[1].value->shape.rank == 0 && *inputs[1].value->data == 2;
}

static Var undo(Tape *t, Op op, const Var *inputs) {
    if (op == OP_LOG) return inverse_of(t, OP_EXP, inputs[0]);
    if (!is_square(op, inputs)) return (Var){0};
    Var x = inverse_of(t, OP_SQRT, inputs[0]);
    return x.value ? op1(t, OP_SQUARED_ROOT, x) : x;
}

Var op_apply(Tape *t, Op op, int n, const Var *inputs, const OpAttr *attr) {
    enum { FEW = 8 };
    Var undone = t->recording ? undo(t, op, inputs) : (Var){0};
    if (undone.value) return undone;
    int arity = op_info(op)->arity;
    OpClass class = op_class(op);
    assert(class != CLASS_SOURCE && (arity < 0 || n == arity || (class == CLASS_RANDOM && n > arity)));
    (void)arity;
    const Tensor *few[FEW], **in = n <= FEW ? few : ARENA_ARRAY(t->arena, const Tensor *, n);
    bool taped = class == CLASS_RANDOM;
    for (int k = 0; k < n; k++) {
        in[k] = inputs[k].value;
        taped = taped || var_is_taped(inputs[k]);
    }
    bool records = taped && t->recording;
    NodeId few_nodes[FEW], *nodes = n <= FEW ? few_nodes : ARENA_ARRAY(t->arena, NodeId, n);
    for (int k = 0; k < n && records; k++) nodes[k] = node_of(t, inputs[k]);
    NodeId *place = records && is_shared(t, op, n) ? shared_find(t, op, n, nodes, attr) : NULL;
    if (place && *place != NODE_NONE) return shared_result(t, *place);
    Operands o = {.ctx = t->ctx, .arena = t->arena, .op = op, .n = n, .in = in, .attr = attr};
    Shape shape = op_shape(&o);
    bool later = records && t->lazy && !is_settled(t, op, n, nodes);
    const Tensor *value = later ? op_layout(&o, shape) : op_compute(t, &o, shape);
    if (!records) return var_constant(value);
    NodeId id = node_append(t, op, n, nodes, attr, value);
    if (place) shared_add(t, place, id);
    return (Var){value, id};
}

/* -- The operations by name -- */

Var op_reshape(Tape *t, Var a, Shape shape) {
    if (shape_equal(a.value->shape, shape)) return a;
    return op_apply(t, OP_RESHAPE, 1, &a, &(OpAttr){.shape = shape});
}

Var op_expand(Tape *t, Var a, Shape shape) {
    if (shape_equal(a.value->shape, shape)) return a;
    return op_apply(t, OP_EXPAND, 1, &a, &(OpAttr){.shape = shape});
}

Var op_permute(Tape *t, Var a, const int *perm) {
    OpAttr attr = {0};
    bool moves = false;
    for (int d = 0; d < a.value->shape.rank; d++) attr.perm[d] = perm[d], moves |= perm[d] != d;
    return moves ? op_apply(t, OP_PERMUTE, 1, &a, &attr) : a;
}

Var op_slice(Tape *t, Var a, int dim, int64_t start, int64_t count, int64_t step) {
    Shape s = a.value->shape;
    if (dim >= 0 && dim < s.rank && start == 0 && count == s.dim[dim] && step == 1) return a;
    return op_apply(t, OP_SLICE, 1, &a, &(OpAttr){.dim = dim, .start = start, .count = count, .step = step});
}

Var op_pad(Tape *t, Var a, int dim, int64_t start, int64_t count, int64_t step) {
    return op_apply(t, OP_PAD, 1, &a, &(OpAttr){.dim = dim, .start = start, .count = count, .step = step});
}

Var op_concat(Tape *t, int n, const Var *parts, int dim) {
    return n == 1 ? parts[0] : op_apply(t, OP_CONCAT, n, parts, &(OpAttr){.dim = dim});
}

Var op_stack(Tape *t, int n, const Var *parts) {
    Var *rows = ARENA_ARRAY(t->arena, Var, n);
    for (int k = 0; k < n; k++) {
        Shape own = parts[k].value->shape, s = {.rank = own.rank + 1, .dim = {1}};
        if (s.rank > MAX_RANK) ctx_raise_here(t->ctx, ERROR_PROGRAM, "arrays have at most %d dimensions", MAX_RANK);
        for (int d = 0; d < own.rank; d++) s.dim[d + 1] = own.dim[d];
        rows[k] = op_reshape(t, parts[k], s);
    }
    return op_concat(t, n, rows, 0);
}

Var op_gather(Tape *t, Var a, Var index, int batch) {
    return op_apply(t, OP_GATHER, 2, (Var[]){a, index}, &(OpAttr){.dim = batch});
}

Var op_scatter_add(Tape *t, Var src, Var index, int batch, int64_t K) {
    return op_apply(t, OP_SCATTER_ADD, 2, (Var[]){src, index}, &(OpAttr){.dim = batch, .count = K});
}

Var op_reduce(Tape *t, Op op, Var a, uint32_t dims) {
    if (dims == 0 && op != OP_ARGMAX) return a;
    return op_apply(t, op, 1, &a, &(OpAttr){.dims = dims});
}

Var op_sum_all(Tape *t, Var a) { return op_reduce(t, OP_SUM, a, (1u << a.value->shape.rank) - 1); }

/* Many terms of one shape (those of a loop) are one array, and its sum. */
enum { TOTAL_LINE = 32 };

static bool is_stackable(int n, const Var *terms) {
    bool equal = n > TOTAL_LINE && terms[0].value->shape.rank + 1 < MAX_RANK;
    for (int k = 1; equal && k < n; k++) equal = shape_equal(terms[k].value->shape, terms[0].value->shape);
    return equal;
}

Var op_total(Tape *t, int n, const Var *terms) {
    if (is_stackable(n, terms)) return op_reduce(t, OP_SUM, op_stack(t, n, terms), 1u);
    Var *sums = arena_copy(t->arena, terms, sizeof(Var) * (size_t)n);
    for (; n > 1; n = (n + 1) / 2)
        for (int k = 0; k < (n + 1) / 2; k++)
            sums[k] = 2 * k + 1 < n ? op2(t, OP_ADD, sums[2 * k], sums[2 * k + 1]) : sums[2 * k];
    return sums[0];
}

Var op_sum_to(Tape *t, Var a, Shape shape) {
    Shape from = a.value->shape;
    int added = from.rank - shape.rank;
    assert(added >= 0);
    uint32_t dims = 0;
    for (int d = 0; d < from.rank; d++)
        if (d < added || (shape.dim[d - added] == 1 && from.dim[d] != 1)) dims |= 1u << d;
    return op_reshape(t, op_reduce(t, OP_SUM, a, dims), shape);
}

Var op_chain(Tape *t, Var f) { return op1(t, OP_CHAIN, f); }
Var op_recur(Tape *t, Var w, Var g, bool backwards) {
    return op_apply(t, OP_RECUR, 2, (Var[]){w, g}, &(OpAttr){.flags = backwards});
}
Var op_cumsum(Tape *t, Var a, int dim) { return op_apply(t, OP_CUMSUM, 1, &a, &(OpAttr){.dim = dim}); }

Var op_matmul(Tape *t, Var a, Var b) { return op2(t, OP_MATMUL, a, b); }

Var op_transpose(Tape *t, Var a) {
    int perm[MAX_RANK], rank = a.value->shape.rank;
    if (rank < 2)
        ctx_raise_here(t->ctx, ERROR_PROGRAM, "transpose: expected a matrix, got an array of shape %s",
                       shape_text(t->arena, a.value->shape));
    for (int d = 0; d < rank; d++) perm[d] = d;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    return op_permute(t, a, perm);
}

Var op_cholesky(Tape *t, Var a) { return op1(t, OP_CHOLESKY, a); }

Var op_tri_solve(Tape *t, Var l, Var b, int flags) {
    return op_apply(t, OP_TRI_SOLVE, 2, (Var[]){l, b}, &(OpAttr){.flags = flags});
}

Var op_inv_quad(Tape *t, Var l, Var b) {
    return op3(t, OP_INV_QUAD, l, b, op_tri_solve(t, l, b, 0));
}

Var op_log_diag(Tape *t, Var l) { return op1(t, OP_LOG_DIAG, l); }

Var op_root_inverse(Tape *t, Var l) { return op1(t, OP_ROOT_INVERSE, l); }

Var op_tril(Tape *t, Var a, int64_t k) { return op_apply(t, OP_TRIL, 1, &a, &(OpAttr){.start = k}); }

Var op_diagonal(Tape *t, Var a) { return op1(t, OP_DIAGONAL, a); }

Var op_diag_embed(Tape *t, Var a) { return op1(t, OP_DIAG_EMBED, a); }

Var op_stop_gradient(Tape *t, Var a) { return var_is_taped(a) ? op1(t, OP_STOP_GRADIENT, a) : a; }

Var op_random(Tape *t, Op op, int n, const Var *params, Shape shape, const RandomSite *site) {
    return op_apply(t, op, n, params, &(OpAttr){.shape = shape, .random = site});
}

/* -- Plain values -- */

void tape_guard(Tape *t, Var v) {
    tape_value(t, v);
    if (!var_is_taped(v) || !t->recording || t->more->marks[v.node].guarded) return;
    node_append(t, OP_GUARD, 1, &v.node, NULL, v.value);
    t->more->marks[v.node].guarded = true;
}

real tape_read(Tape *t, Var scalar) {
    assert(shape_size(scalar.value->shape) == 1);
    tape_guard(t, scalar);
    return tensor_item(scalar.value, 0);
}
