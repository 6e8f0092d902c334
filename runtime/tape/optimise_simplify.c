/* Constants, equal nodes, dead nodes, and identities that hold for every number. */
#include <math.h>
#include <string.h>

#include "tape/optimise.h"

typedef struct Simplify {
    Graph *g;
    Tape old;
    Arena *work;   /* of the pass alone */
    NodeId *same;  /* by old node: the new one that computes it */
    NodeId *table; /* new nodes by what they compute: id + 1; 0: empty */
    int room;
} Simplify;

static const Node *node_at(const Simplify *s, NodeId id) { return &s->g->tape.nodes[id]; }
static bool is_op(const Simplify *s, NodeId id, Op op) { return node_at(s, id)->op == op; }
static NodeId input_of(const Simplify *s, NodeId id, int k) { return node_at(s, id)->inputs[k]; }

/* -- Constants -- */

static uint64_t bits_of(real x) {
    uint64_t bits = 0;
    memcpy(&bits, &x, sizeof x);
    return bits;
}

static bool is_uniform(const Simplify *s, NodeId id, real *x) {
    const Node *node = node_at(s, id);
    return node->op == OP_CONSTANT && tensor_is_uniform(node->value, x);
}

static bool is_number(const Simplify *s, NodeId id, real x) {
    real y;
    return is_uniform(s, id, &y) && bits_of(x) == bits_of(y);
}

static NodeId intern(Simplify *s, Op op, Span span, int n, const NodeId *in, const OpAttr *attr, const Tensor *value);

static NodeId number(Simplify *s, real x) {
    return intern(s, OP_CONSTANT, SPAN_NONE, 0, NULL, NULL, tensor_scalar(s->g->tape.ctx, s->g->tape.arena, x));
}

static NodeId filled(Simplify *s, real x, Shape shape) {
    const Tensor *one = tensor_scalar(s->g->tape.ctx, s->g->tape.arena, x);
    return intern(s, OP_CONSTANT, SPAN_NONE, 0, NULL, NULL, tensor_view_expand(s->g->tape.arena, one, shape));
}

/* -- Equal nodes -- */

static uint64_t node_hash(const Node *node) {
    uint64_t h = (uint64_t)node->op + 1;
    if (node->op == OP_CONSTANT)
        h = hash_mix(h, node->value->shape.rank == 0 ? bits_of(node->value->data[0])
                                                     : (uint64_t)(uintptr_t)node->value->data);
    for (int k = 0; k < node->ninputs; k++) h = hash_mix(h, (uint64_t)node->inputs[k]);
    if (node->attr) h = hash_mix(h, (uint64_t)node->attr->start ^ (uint64_t)node->attr->count << 32);
    return h ^ h >> 32;
}

static bool node_equal(const Node *a, const Node *b) {
    if (a->op != b->op || a->ninputs != b->ninputs) return false;
    if (a->op == OP_CONSTANT)
        return a->value == b->value || (a->value->shape.rank == 0 && b->value->shape.rank == 0 &&
                                        bits_of(a->value->data[0]) == bits_of(b->value->data[0]));
    for (int k = 0; k < a->ninputs; k++)
        if (a->inputs[k] != b->inputs[k]) return false;
    return attr_equal(a->attr, b->attr) && shape_equal(a->value->shape, b->value->shape);
}

static void table_add(Simplify *s, NodeId id) {
    size_t at = node_hash(node_at(s, id)) & (size_t)(s->room - 1);
    while (s->table[at]) at = (at + 1) & (size_t)(s->room - 1);
    s->table[at] = id + 1;
}

static void table_grow(Simplify *s) {
    s->room = s->room ? 2 * s->room : 256;
    s->table = ARENA_ARRAY(s->work, NodeId, s->room);
    for (NodeId id = 0; id < s->g->tape.nnodes; id++) table_add(s, id);
}

/* The node that computes this: one that is there, or a new one. */
static NodeId intern(Simplify *s, Op op, Span span, int n, const NodeId *in, const OpAttr *attr, const Tensor *value) {
    if (2 * (s->g->tape.nnodes + 1) > s->room) table_grow(s);
    Node node = {.op = op, .ninputs = n, .inputs = (NodeId *)in, .attr = (OpAttr *)attr, .value = value};
    size_t at = node_hash(&node) & (size_t)(s->room - 1);
    for (; s->table[at]; at = (at + 1) & (size_t)(s->room - 1))
        if (node_equal(node_at(s, s->table[at] - 1), &node)) return s->table[at] - 1;
    NodeId id = graph_append(s->g, op, span, n, in, attr, value);
    s->table[at] = id + 1;
    return id;
}

/* -- Identities -- */

/* The operation at work, its operands among the new nodes; identities change it or find that it is another node. */
typedef struct Term {
    Op op;
    Span span;
    int n;
    NodeId *in;
    const OpAttr *attr;
    const Tensor *value;
} Term;

/* May node x stand for the term: same shape, and dense as the term's result is. */
static bool can_stand(const Simplify *s, const Term *t, NodeId x) {
    const Tensor *v = node_at(s, x)->value;
    return shape_equal(v->shape, t->value->shape) && tensor_is_dense(v);
}

/* Results that are never -0. */
static bool is_never_minus_zero(const Simplify *s, NodeId id) {
    switch (node_at(s, id)->op) {
    case OP_EXP:
    case OP_SQUARE:
    case OP_ABS:
    case OP_SIGMOID:
    case OP_SOFTPLUS:
    case OP_COSH: return true;
    default: return false;
    }
}

/* x + c = x, or x - c = x. */
static bool is_neutral(const Simplify *s, NodeId c, NodeId x, real zero) {
    return is_number(s, c, zero) || (is_number(s, c, -zero) && is_never_minus_zero(s, x));
}

static bool is_power_of_two(real x) {
    int exponent;
    real inverse = 1 / x;
    return isnormal(x) && isnormal(inverse) && fabs(frexp((double)x, &exponent)) == 0.5;
}

static void become1(Term *t, Op op, NodeId a) { t->op = op, t->n = 1, t->in[0] = a; }
static void become2(Term *t, Op op, NodeId a, NodeId b) { t->op = op, t->n = 2, t->in[0] = a, t->in[1] = b; }

static NodeId simplify_add(Simplify *s, Term *t) {
    NodeId a = t->in[0], b = t->in[1];
    if (is_neutral(s, b, a, -0.0) && can_stand(s, t, a)) return a;
    if (is_neutral(s, a, b, -0.0) && can_stand(s, t, b)) return b;
    if (is_op(s, b, OP_NEG))
        become2(t, OP_SUB, a, input_of(s, b, 0));
    else if (is_op(s, a, OP_NEG))
        become2(t, OP_SUB, b, input_of(s, a, 0));
    return NODE_NONE;
}

static NodeId simplify_sub(Simplify *s, Term *t) {
    NodeId a = t->in[0], b = t->in[1];
    if (is_neutral(s, b, a, 0.0) && can_stand(s, t, a)) return a;
    if (is_number(s, a, -0.0) && can_stand(s, t, b))
        become1(t, OP_NEG, b);
    else if (is_op(s, b, OP_NEG))
        become2(t, OP_ADD, a, input_of(s, b, 0));
    return NODE_NONE;
}

static NodeId simplify_mul(Simplify *s, Term *t) {
    for (int k = 0; k < 2; k++) {
        NodeId x = t->in[k], c = t->in[1 - k];
        real value;
        if (!is_uniform(s, c, &value)) continue;
        if (value == 1 && can_stand(s, t, x)) return x;
        if (value == -1 && shape_equal(node_at(s, x)->value->shape, t->value->shape)) {
            become1(t, OP_NEG, x);
            return NODE_NONE;
        }
        if (is_op(s, x, OP_NEG)) {
            NodeId inner = input_of(s, x, 0);
            if (shape_equal(node_at(s, inner)->value->shape, t->value->shape)) {
                become2(t, OP_MUL, number(s, -value), inner);
                return NODE_NONE;
            }
        }
    }
    for (int k = 0; k < 2; k++) { /* (-x) x = -(x^2) */
        NodeId x = t->in[1 - k];
        if (!is_op(s, t->in[k], OP_NEG) || input_of(s, t->in[k], 0) != x) continue;
        become1(t, OP_NEG, intern(s, OP_SQUARE, t->span, 1, &x, NULL, t->value));
        return NODE_NONE;
    }
    if (t->in[0] == t->in[1])
        become1(t, OP_SQUARE, t->in[0]);
    else if (is_op(s, t->in[0], OP_NEG) && is_op(s, t->in[1], OP_NEG))
        become2(t, OP_MUL, input_of(s, t->in[0], 0), input_of(s, t->in[1], 0));
    return NODE_NONE;
}

static NodeId simplify_div(Simplify *s, Term *t) {
    NodeId a = t->in[0], b = t->in[1];
    real c;
    if (!is_uniform(s, b, &c)) return NODE_NONE;
    if (c == 1 && can_stand(s, t, a)) return a;
    if (!shape_equal(node_at(s, a)->value->shape, t->value->shape)) return NODE_NONE;
    if (c == -1)
        become1(t, OP_NEG, a);
    else if (is_power_of_two(c))
        become2(t, OP_MUL, a, number(s, 1 / c));
    else if (is_op(s, a, OP_NEG))
        become2(t, OP_DIV, input_of(s, a, 0), number(s, -c));
    return NODE_NONE;
}

/* c / x: the choice of 0 / x = 0 was for c = 0. */
static NodeId simplify_xdivy(Simplify *s, Term *t) {
    real c;
    if (is_uniform(s, t->in[0], &c) && c != 0) become2(t, OP_DIV, t->in[0], t->in[1]);
    return NODE_NONE;
}

/* Zeros before and behind: what is between can be computed in its place. */
static NodeId simplify_pad(Simplify *s, Term *t) {
    Shape shape = t->value->shape;
    int dim = t->attr->dim;
    NodeId x = t->in[0];
    int64_t start = t->attr->start, count = node_at(s, x)->value->shape.dim[dim], behind = shape.dim[dim] - start - count;
    if (t->attr->step != 1 || count == 0) return NODE_NONE;
    t->n = 0;
    for (int k = 0; k < 3; k++) {
        shape.dim[dim] = k == 0 ? start : behind;
        if (k == 1) t->in[t->n++] = x;
        else if (shape.dim[dim] > 0) t->in[t->n++] = filled(s, 0, shape);
    }
    if (t->n == 1) return can_stand(s, t, x) ? x : NODE_NONE;
    t->op = OP_CONCAT;
    t->attr = attr_copy(s->g->tape.arena, &(OpAttr){.dim = dim});
    return NODE_NONE;
}

static NodeId simplify_neg(Simplify *s, Term *t) {
    NodeId a = t->in[0];
    if (is_op(s, a, OP_NEG) && can_stand(s, t, input_of(s, a, 0))) return input_of(s, a, 0);
    Op op = node_at(s, a)->op;
    for (int k = 0; k < 2 && (op == OP_MUL || op == OP_DIV); k++) /* -((-x) y) = x y, and so on */
        if (is_op(s, input_of(s, a, k), OP_NEG)) {
            NodeId x = input_of(s, input_of(s, a, k), 0), y = input_of(s, a, 1 - k);
            become2(t, op, k ? y : x, k ? x : y);
            return NODE_NONE;
        }
    real c;
    for (int k = 0; k < 2 && is_op(s, a, OP_MUL); k++)
        if (is_uniform(s, input_of(s, a, k), &c) &&
            shape_equal(node_at(s, input_of(s, a, 1 - k))->value->shape, t->value->shape)) {
            become2(t, OP_MUL, number(s, -c), input_of(s, a, 1 - k));
            break;
        }
    return NODE_NONE;
}

static NodeId simplify_even(Simplify *s, Term *t) {
    NodeId a = t->in[0];
    if (is_op(s, a, OP_NEG) || is_op(s, a, OP_ABS)) t->in[0] = input_of(s, a, 0);
    return NODE_NONE;
}

static NodeId simplify_pow(Simplify *s, Term *t) {
    if (is_number(s, t->in[1], 2) && shape_equal(node_at(s, t->in[0])->value->shape, t->value->shape))
        become1(t, OP_SQUARE, t->in[0]); /* ew_pow says so */
    return NODE_NONE;
}

static NodeId simplify_where(Simplify *s, Term *t) {
    real c;
    if (!is_uniform(s, t->in[0], &c)) return NODE_NONE;
    NodeId chosen = c != 0 ? t->in[1] : t->in[2];
    return can_stand(s, t, chosen) ? chosen : NODE_NONE;
}

static NodeId simplify_reshape(Simplify *s, Term *t) {
    NodeId a = t->in[0];
    while (is_op(s, a, OP_RESHAPE) && tensor_is_dense(node_at(s, input_of(s, a, 0))->value)) a = input_of(s, a, 0);
    if (can_stand(s, t, a)) return a;
    t->in[0] = a;
    return NODE_NONE;
}

static NodeId simplify_permute(Simplify *s, Term *t) {
    NodeId a = t->in[0];
    if (!is_op(s, a, OP_PERMUTE)) return NODE_NONE;
    OpAttr *both = attr_copy(s->g->tape.arena, t->attr);
    bool moves = false;
    for (int d = 0; d < t->value->shape.rank; d++) {
        both->perm[d] = node_at(s, a)->attr->perm[t->attr->perm[d]];
        moves |= both->perm[d] != d;
    }
    if (!moves) return input_of(s, a, 0); /* the very same view */
    t->attr = both;
    t->in[0] = input_of(s, a, 0);
    return NODE_NONE;
}

static NodeId simplify_same(Simplify *s, Term *t) { return can_stand(s, t, t->in[0]) ? t->in[0] : NODE_NONE; }

/* What the term is, or NODE_NONE; it may have become another. */
static NodeId simplify_term(Simplify *s, Term *t) {
    switch (t->op) {
    case OP_ADD: return simplify_add(s, t);
    case OP_SUB: return simplify_sub(s, t);
    case OP_MUL: return simplify_mul(s, t);
    case OP_DIV: return simplify_div(s, t);
    case OP_XDIVY: return simplify_xdivy(s, t);
    case OP_PAD: return simplify_pad(s, t);
    case OP_NEG: return simplify_neg(s, t);
    case OP_POW: return simplify_pow(s, t);
    case OP_SQUARE:
    case OP_ABS: return simplify_even(s, t);
    case OP_WHERE: return simplify_where(s, t);
    case OP_COPY:
    case OP_EXPAND: return simplify_same(s, t);
    case OP_RESHAPE: return simplify_reshape(s, t);
    case OP_PERMUTE: return simplify_permute(s, t);
    default: return NODE_NONE;
    }
}

/* One number instead of an array of equal ones, where another operand tells the shape. */
static void shrink_constants(Simplify *s, Term *t) {
    if (op_class(t->op) != CLASS_EW || t->value->shape.rank == 0) return;
    for (int k = 0; k < t->n; k++) {
        real x;
        bool shaped = false;
        for (int j = 0; j < t->n; j++)
            shaped |= j != k && shape_equal(node_at(s, t->in[j])->value->shape, t->value->shape);
        if (shaped && node_at(s, t->in[k])->value->shape.rank > 0 && is_uniform(s, t->in[k], &x))
            t->in[k] = number(s, x);
    }
}

static bool is_fixed(const Simplify *s, const Node *node) {
    if (node->op == OP_INPUT || node->op == OP_GUARD || op_class(node->op) == CLASS_RANDOM) return false;
    for (int k = 0; k < node->ninputs; k++)
        if (!is_op(s, s->same[node->inputs[k]], OP_CONSTANT)) return false;
    return true;
}

static NodeId simplify_node(Simplify *s, const Node *node) {
    s->g->backward = node->backward;
    if (is_fixed(s, node)) return intern(s, OP_CONSTANT, SPAN_NONE, 0, NULL, NULL, node->value);
    if (node->op == OP_VARIABLE || node->op == OP_STOP_GRADIENT) /* mean something to tape_grad alone */
        return s->same[node->inputs[0]];
    Term t = {node->op,   node->span, node->ninputs, ARENA_ARRAY(s->g->tape.arena, NodeId, node->ninputs + 2),
              node->attr, node->value};
    for (int k = 0; k < t.n; k++) t.in[k] = s->same[node->inputs[k]];
    if (t.op == OP_GUARD && is_op(s, t.in[0], OP_CONSTANT)) return t.in[0];
    for (Op before = OP_COUNT; before != t.op;) {
        before = t.op;
        NodeId found = simplify_term(s, &t);
        if (found != NODE_NONE) return found;
    }
    shrink_constants(s, &t);
    return intern(s, t.op, t.span, t.n, t.in, t.attr, t.value);
}

void optimise_simplify(Graph *g) {
    Simplify s = {.g = g, .work = arena_new()};
    bool *live = graph_live(g, s.work);
    s.old = graph_restart(g);
    int kept = 0;
    for (NodeId id = 0; id < s.old.nnodes; id++) kept += live[id];
    graph_reserve(g, kept);
    s.same = ARENA_ARRAY(s.work, NodeId, s.old.nnodes + 1);
    for (NodeId id = 0; id < s.old.nnodes; id++)
        s.same[id] = live[id] ? simplify_node(&s, &s.old.nodes[id]) : NODE_NONE;
    for (int k = 0; k < g->noutputs; k++)
        if (var_is_taped(g->outputs[k])) g->outputs[k].node = s.same[g->outputs[k].node];
    arena_free(s.work);
}
