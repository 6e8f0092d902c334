/* Derivatives of reductions, of layout and of linear algebra. */
#include <math.h>

#include "tape/rules.h"

#define WHERE(c, a, b) OP3(WHERE, c, a, b)
#define TRANSPOSE(a) op_transpose(r->t, a)

static Shape shape_in(const Rule *r, int k) { return r->in[k].value->shape; }

/* -- Reductions -- */

/* A reduced array with its reduced dimensions back, as ones. */
static Var with_ones(Rule *r, Var v) {
    Shape s = shape_in(r, 0);
    for (int d = 0; d < s.rank; d++)
        if (r->attr->dims >> d & 1) s.dim[d] = 1;
    return op_reshape(r->t, v, s);
}

void vjp_sum(Rule *r) { rule_give(r, 0, op_expand(r->t, with_ones(r, r->g), shape_in(r, 0))); }

/* The product of the other factors: y / x; where one factor is 0, only that one has any. */
void vjp_prod(Rule *r) {
    Var x = r->in[0], zero = NUMBER(0), is_zero = OP2(EQ, x, zero), filled = WHERE(is_zero, NUMBER(1), x);
    Var others = OP2(DIV, with_ones(r, op_reduce(r->t, OP_PROD, filled, r->attr->dims)), filled);
    Var zeros = with_ones(r, op_reduce(r->t, OP_SUM, is_zero, r->attr->dims));
    Var alone = OP2(EQ, zeros, is_zero); /* no zero among the others */
    rule_give(r, 0, MUL(with_ones(r, r->g), WHERE(alone, others, zero)));
}

/* Ties share. */
static void give_extreme(Rule *r) {
    Var mask = OP2(EQ, r->in[0], with_ones(r, r->out));
    Var ties = with_ones(r, op_reduce(r->t, OP_SUM, mask, r->attr->dims));
    rule_give(r, 0, MUL(OP2(DIV, with_ones(r, r->g), ties), mask));
}

void vjp_reduce_max(Rule *r) { give_extreme(r); }
void vjp_reduce_min(Rule *r) { give_extreme(r); }

void vjp_logsumexp(Rule *r) {
    Var y = with_ones(r, r->out);
    Var finite = WHERE(OP2(EQ, y, NUMBER(-INFINITY)), NUMBER(0), y); /* all -inf: no share, not NaN */
    rule_give(r, 0, MUL(with_ones(r, r->g), OP1(EXP, OP2(SUB, r->in[0], finite))));
}

static Var reversed(Rule *r, Var v, int dim) {
    int64_t n = v.value->shape.dim[dim];
    return n > 0 ? op_slice(r->t, v, dim, n - 1, n, -1) : v;
}

void vjp_cumsum(Rule *r) {
    int dim = r->attr->dim;
    rule_give(r, 0, reversed(r, op_cumsum(r->t, reversed(r, r->g, dim), dim), dim));
}

/* -- Layout -- */

void vjp_reshape(Rule *r) { rule_give(r, 0, op_reshape(r->t, r->g, shape_in(r, 0))); }

void vjp_expand(Rule *r) { rule_give(r, 0, r->g); } /* summed where it is given */

void vjp_permute(Rule *r) {
    int inverse[MAX_RANK];
    for (int d = 0; d < shape_in(r, 0).rank; d++) inverse[r->attr->perm[d]] = d;
    rule_give(r, 0, op_permute(r->t, r->g, inverse));
}

void vjp_slice(Rule *r) {
    const OpAttr *a = r->attr;
    rule_give(r, 0, op_pad(r->t, r->g, a->dim, a->start, shape_in(r, 0).dim[a->dim], a->step));
}

void vjp_pad(Rule *r) {
    const OpAttr *a = r->attr;
    rule_give(r, 0, op_slice(r->t, r->g, a->dim, a->start, shape_in(r, 0).dim[a->dim], a->step));
}

void vjp_concat(Rule *r) {
    int64_t start = 0;
    for (int k = 0; k < r->n; k++) {
        int64_t count = shape_in(r, k).dim[r->attr->dim];
        if (r->wants[k]) rule_give(r, k, op_slice(r->t, r->g, r->attr->dim, start, count, 1));
        start += count;
    }
}

/* Indices are not differentiated. */
void vjp_gather(Rule *r) {
    int batch = r->attr->dim;
    if (r->wants[0]) rule_give(r, 0, op_scatter_add(r->t, r->g, r->in[1], batch, shape_in(r, 0).dim[batch]));
}

void vjp_scatter_add(Rule *r) {
    if (r->wants[0]) rule_give(r, 0, op_gather(r->t, r->g, r->in[1], r->attr->dim));
}

void vjp_diagonal(Rule *r) { rule_give(r, 0, op_diag_embed(r->t, r->g)); }
void vjp_diag_embed(Rule *r) { rule_give(r, 0, op_diagonal(r->t, r->g)); }
void vjp_tril(Rule *r) { rule_give(r, 0, op_tril(r->t, r->g, r->attr->start)); }
void vjp_variable(Rule *r) { rule_give(r, 0, r->g); }

/* -- Recurrences -- */

/* Steps from, from + 1, ... of [..., steps, K], as [..., n, K, 1] (ones = 1) or [..., n, 1, K] (ones = 2). */
static Var stretch(Rule *r, Var v, int from, int64_t n, int ones) {
    Shape s = v.value->shape;
    v = op_slice(r->t, v, s.rank - 2, from, n, 1);
    s.dim[s.rank - 2] = n;
    s.dim[s.rank] = s.dim[s.rank - 1];
    s.dim[s.rank++ + 1 - ones] = 1;
    return op_reshape(r->t, v, s);
}

/* At each step the share of a transition is its probability given the chain's past, times what arrives there. */
void vjp_chain(Rule *r) {
    Shape s = shape_in(r, 0);
    int64_t T = s.dim[s.rank - 3];
    Var from = stretch(r, r->out, 0, T, 1), to = stretch(r, r->out, 1, T, 2);
    Var finite = WHERE(OP2(EQ, from, NUMBER(-INFINITY)), NUMBER(0), from); /* all -inf: no share, not NaN */
    Var w = OP1(EXP, OP2(SUB, OP2(ADD, r->in[0], to), finite));
    rule_give(r, 0, OP2(MUL, stretch(r, op_recur(r->t, w, r->g, false), 0, T, 1), w));
}

void vjp_recur(Rule *r) {
    Shape s = shape_in(r, 0);
    int64_t T = s.dim[s.rank - 3];
    Var back = op_recur(r->t, r->in[0], r->g, !r->attr->flags), m = r->out;
    if (r->wants[1]) rule_give(r, 1, back);
    if (!r->wants[0]) return;
    Var from = r->attr->flags ? back : m, to = r->attr->flags ? m : back;
    rule_give(r, 0, OP2(MUL, stretch(r, from, 0, T, 1), stretch(r, to, 1, T, 2)));
}

/* -- Linear algebra -- */

void vjp_matmul(Rule *r) {
    if (r->wants[0]) rule_give(r, 0, op_matmul(r->t, r->g, TRANSPOSE(r->in[1])));
    if (r->wants[1]) rule_give(r, 1, op_matmul(r->t, TRANSPOSE(r->in[0]), r->g));
}

/* Murray (2016), arXiv:1602.07527, section 3.3: with P = Phi(L^T Lbar), the lower triangle with its diagonal halved,
 * Abar = sym(L^-T P L^-1). The input counts as symmetric: its gradient is the symmetric one. */
void vjp_cholesky(Rule *r) {
    Tape *t = r->t;
    Var l = r->out, p = op_matmul(t, TRANSPOSE(l), r->g), half = NUMBER(0.5);
    Var phi = OP2(SUB, op_tril(t, p, 0), MUL(half, op_diag_embed(t, op_diagonal(t, p))));
    Var left = op_tri_solve(t, l, phi, TRI_TRANSPOSED);
    Var s = TRANSPOSE(op_tri_solve(t, l, TRANSPOSE(left), TRI_TRANSPOSED));
    rule_give(r, 0, MUL(half, OP2(ADD, s, TRANSPOSE(s))));
}

/* x = op(L)^-1 b: bbar = op(L)^-T xbar, and Lbar is the triangle of -bbar x^T, or of its transpose. */
void vjp_tri_solve(Rule *r) {
    Tape *t = r->t;
    int flags = r->attr->flags;
    Var b = op_tri_solve(t, r->in[0], r->g, flags ^ TRI_TRANSPOSED);
    if (r->wants[1]) rule_give(r, 1, b);
    if (!r->wants[0]) return;
    Var full = flags & TRI_TRANSPOSED ? op_matmul(t, r->out, TRANSPOSE(b)) : op_matmul(t, b, TRANSPOSE(r->out));
    Var triangle = flags & TRI_UPPER ? OP2(SUB, full, op_tril(t, full, -1)) : op_tril(t, full, 0);
    rule_give(r, 0, OP1(NEG, triangle));
}

/* -- Functions of S = l l^T. Where l is the Cholesky factor of S, the share goes to S past the factor: the derivative
 * of the factor would cost several products of matrices, and undo them. -- */

static bool keeps_matrices(const Node *view, Shape in) {
    Shape out = view->value->shape;
    return (view->op == OP_RESHAPE || view->op == OP_EXPAND) && in.rank >= 2 && out.rank >= 2 &&
           in.dim[in.rank - 2] == out.dim[out.rank - 2] && in.dim[in.rank - 1] == out.dim[out.rank - 1];
}

/* The factor that operand 0 is, or views of which it is one; NODE_NONE: none. */
static NodeId factor(const Rule *r) {
    NodeId id = r->in[0].node;
    while (id != NODE_NONE && !rule_seeks(r, id)) {
        const Node *node = &r->t->nodes[id];
        if (node->op == OP_CHOLESKY) return id;
        if (node->ninputs != 1 || !keeps_matrices(node, r->t->nodes[node->inputs[0]].value->shape)) break;
        id = node->inputs[0];
    }
    return NODE_NONE;
}

/* The share of S, symmetric. */
static void give_square(Rule *r, Var share) {
    Tape *t = r->t;
    NodeId id = factor(r);
    if (id == NODE_NONE) {
        rule_give(r, 0, op_tril(t, op_matmul(t, MUL(NUMBER(2), share), op_tril(t, r->in[0], 0)), 0));
        return;
    }
    share = op_sum_to(t, share, shape_in(r, 0));
    for (id = r->in[0].node; t->nodes[id].op != OP_CHOLESKY; id = t->nodes[id].inputs[0]) {
        Shape in = t->nodes[t->nodes[id].inputs[0]].value->shape;
        share = t->nodes[id].op == OP_EXPAND ? op_sum_to(t, share, in) : op_reshape(t, share, in);
    }
    r->to[0] = t->nodes[id].inputs[0];
    r->shares[0] = share;
}

/* g of each matrix, [..., 1, 1]. */
static Var per_matrix(Rule *r) {
    Shape s = r->g.value->shape;
    s.dim[s.rank] = s.dim[s.rank + 1] = 1;
    s.rank += 2;
    return op_reshape(r->t, r->g, s);
}

/* [..., n, m] -> [n, (...) m] */
static Var side_by_side(Rule *r, Var v) {
    Shape s = v.value->shape;
    int64_t n = s.dim[s.rank - 2];
    if (s.rank == 2) return v;
    return TRANSPOSE(op_reshape(r->t, TRANSPOSE(v), shape2(n ? shape_size(s) / n : 0, n)));
}

/* a b^T for every matrix, or their sum where l is one for all of them. */
static Var outer(Rule *r, Var a, Var b) {
    Shape l = shape_in(r, 0);
    bool one = shape_size(l) == l.dim[l.rank - 1] * l.dim[l.rank - 2];
    if (!one) return op_matmul(r->t, a, TRANSPOSE(b));
    return op_reshape(r->t, op_matmul(r->t, side_by_side(r, a), TRANSPOSE(side_by_side(r, b))), l);
}

/* S^-1 b = l^-T z has the shares of b and S: 2 g S^-1 b and -g (S^-1 b) (S^-1 b)^T. Nothing is left for z. */
void vjp_inv_quad(Rule *r) {
    Tape *t = r->t;
    Var z = r->in[2], w = op_tri_solve(t, r->in[0], z, TRI_TRANSPOSED), gw = MUL(per_matrix(r), w), two = NUMBER(2);
    if (r->wants[1]) rule_give(r, 1, MUL(two, gw));
    if (!r->wants[0]) return;
    if (factor(r) != NODE_NONE)
        give_square(r, outer(r, OP1(NEG, gw), w));
    else
        rule_give(r, 0, op_tril(t, outer(r, MUL(NUMBER(-2), gw), z), 0));
}

void vjp_log_diag(Rule *r) {
    Var l = r->in[0];
    if (factor(r) != NODE_NONE)
        give_square(r, MUL(MUL(NUMBER(0.5), per_matrix(r)), op_root_inverse(r->t, l)));
    else
        rule_give(r, 0, MUL(per_matrix(r), op_diag_embed(r->t, OP1(RECIPROCAL, op_diagonal(r->t, l)))));
}

/* dP = -P dS P */
void vjp_root_inverse(Rule *r) {
    Tape *t = r->t;
    Var both = MUL(NUMBER(-0.5), OP2(ADD, r->g, TRANSPOSE(r->g)));
    give_square(r, op_matmul(t, op_matmul(t, r->out, both), r->out));
}
