#include "tape/linear.h"

#include <math.h>

#include "tape/optimise.h"

const Factor factor_one = {1, {0}};

bool var_is_ones(Var v) {
    if (var_is_taped(v) || v.value->data[0] != 1) return false;
    for (int d = 0; d < v.value->shape.rank; d++)
        if (v.value->shape.dim[d] == 0 || (v.value->shape.dim[d] != 1 && v.value->stride[d] != 0)) return false;
    return true;
}

bool factor_equal(Factor f, Factor g) {
    return f.number == g.number && f.var.value == g.var.value && (!f.var.value || f.var.node == g.var.node);
}

static Factor factor_times(Tape *t, Factor f, Factor g) {
    Var both = !f.var.value ? g.var : !g.var.value ? f.var : op2(t, OP_MUL, f.var, g.var);
    return (Factor){f.number * g.number, both};
}

static Factor factor_inverse(Tape *t, Factor f) {
    return (Factor){1 / f.number, f.var.value ? op1(t, OP_RECIPROCAL, f.var) : f.var};
}

Var factor_apply(Tape *t, Factor f, Var v) {
    if (!f.var.value && f.number == 1) return v;
    if (!f.var.value && f.number == -1) return op1(t, OP_NEG, v);
    Var number = var_number(t, f.number);
    Var x = !f.var.value ? number : f.number == 1 ? f.var : op2(t, OP_MUL, number, f.var);
    return var_is_ones(v) ? op_expand(t, x, v.value->shape) : op2(t, OP_MUL, v, x);
}

static Var operand_of(const Tape *t, const Node *node, int k) {
    const Node *of = &t->nodes[node->inputs[k]];
    return (Var){of->value, of->op == OP_CONSTANT ? NODE_NONE : node->inputs[k]};
}

/* The factor that v is, being one number, or a constant all of whose elements are the same. None that is 0 or infinite:
 * such products are not what the factors say. */
static bool as_factor(Tape *t, Var v, Factor *f) {
    int64_t size = shape_size(v.value->shape);
    if (var_is_taped(v)) {
        if (size == 1) *f = (Factor){1, op_reshape(t, v, SHAPE_SCALAR)};
        return size == 1;
    }
    real x;
    if (!tensor_is_uniform(v.value, &x) || x == 0 || !isfinite(x)) return false;
    *f = (Factor){x, {0}};
    return true;
}

static bool take(Tape *t, Var *v, Factor *f, Factor own, Var rest) {
    *f = factor_times(t, *f, own);
    *v = rest;
    return true;
}

bool factor_take(Tape *t, NodeId first, Var *v, Factor *f) {
    Factor own = {-1, {0}};
    Shape shape = v->value->shape;
    if (shape_size(shape) <= 1) return false;
    if (!var_is_taped(*v))
        return as_factor(t, *v, &own) && own.number != 1 && take(t, v, f, own, op_expand(t, var_number(t, 1), shape));
    if (v->node < first) return false;
    const Node node = t->nodes[v->node]; /* a copy: nodes are appended */
    if (node.op == OP_NEG) return take(t, v, f, own, operand_of(t, &node, 0));
    if (node.op == OP_EXPAND)
        return as_factor(t, operand_of(t, &node, 0), &own) && take(t, v, f, own, op_expand(t, var_number(t, 1), shape));
    for (int k = 1; k >= 0 && (node.op == OP_MUL || (node.op == OP_DIV && k == 1)); k--) {
        Var rest = operand_of(t, &node, 1 - k);
        if (!shape_equal(rest.value->shape, shape) || !as_factor(t, operand_of(t, &node, k), &own)) continue;
        return take(t, v, f, node.op == OP_DIV ? factor_inverse(t, own) : own, rest);
    }
    return false;
}

/* -- Sums -- */

/* Takes what does not depend on anything, or is one number, from the sum or difference f v. *sum: what it adds to the sum
 * of f v over dims. */
static bool take_term(Tape *t, uint32_t dims, Var *v, Factor *f, Var *sum) {
    Shape shape = v->value->shape;
    if (!var_is_taped(*v) || shape_size(shape) <= 1) return false;
    const Node node = t->nodes[v->node];
    real count = 1;
    for (int d = 0; d < shape.rank; d++) count *= dims >> d & 1 ? (real)shape.dim[d] : 1;
    for (int k = 1; k >= 0 && (node.op == OP_ADD || node.op == OP_SUB); k--) {
        Var x = operand_of(t, &node, k), rest = operand_of(t, &node, 1 - k);
        bool number = shape_size(x.value->shape) == 1, constant = !var_is_taped(x);
        if (!shape_equal(rest.value->shape, shape) || !var_is_taped(rest) || !(number || constant)) continue;
        if (number)
            x = op2(t, OP_MUL, var_number(t, count), op_reshape(t, x, SHAPE_SCALAR));
        else
            x = op_reduce(t, OP_SUM, op_expand(t, x, shape), dims);
        Factor sign = *f;
        if (node.op == OP_SUB && k == 1) sign.number = -sign.number;
        if (node.op == OP_SUB && k == 0) f->number = -f->number;
        x = factor_apply(t, sign, x);
        *sum = sum->value ? op2(t, OP_ADD, *sum, x) : x;
        *v = rest;
        return true;
    }
    return false;
}

Var op_sum_linear(Tape *t, Var a, uint32_t dims) {
    Factor f = factor_one;
    Var terms = {0};
    if (dims == 0) return a;
    while (factor_take(t, 0, &a, &f) || take_term(t, dims, &a, &f, &terms)) continue;
    Var sum = factor_apply(t, f, op_reduce(t, OP_SUM, a, dims));
    return terms.value ? op2(t, OP_ADD, sum, terms) : sum;
}
