/* Reverse-mode differentiation as a transformation of the tape: the derivative is further operations on it. */
#include <assert.h>

#include "tape/kernels.h"
#include "tape/rules.h"

typedef enum Gradient { GRADIENT_RULE, GRADIENT_ONCE, GRADIENT_ZERO, GRADIENT_NONE } Gradient;

#define DECLARE_RULE(name) RuleFn vjp_##name;
#define DECLARE_ONCE(name) RuleFn vjp_##name;
#define DECLARE_ZERO(name)
#define DECLARE_NONE(name)
#define OP(NAME, name, arity, class, shape, gradient, ...) DECLARE_##gradient(name)
#include "tape/ops.def"
#undef OP

#define RULE_RULE(name) vjp_##name
#define RULE_ONCE(name) vjp_##name
#define RULE_ZERO(name) NULL
#define RULE_NONE(name) NULL
static const struct {
    Gradient gradient;
    RuleFn *rule;
} rules[OP_COUNT] = {
#define OP(NAME, name, arity, class, shape, gradient, ...) [OP_##NAME] = {GRADIENT_##gradient, RULE_##gradient(name)},
#include "tape/ops.def"
#undef OP
};

_Noreturn void rule_missing(const Rule *r, const char *of) {
    const char *name = op_info(r->op)->lang_name ? op_info(r->op)->lang_name : op_info(r->op)->name;
    ctx_raise(r->t->ctx, ERROR_PROGRAM, r->span, NULL, "there is no derivative of %s with respect to %s", name, of);
}

void rule_give(Rule *r, int k, Var share) { r->shares[k] = op_sum_to(r->t, share, r->in[k].value->shape); }

static bool is_constant_one(Var v) {
    if (var_is_taped(v) || v.value->data[0] != 1) return false;
    for (int d = 0; d < v.value->shape.rank; d++)
        if (v.value->shape.dim[d] == 0 || (v.value->shape.dim[d] != 1 && v.value->stride[d] != 0)) return false;
    return true;
}

Var rule_times(Rule *r, Var a, Var b) {
    Shape s;
    if (shape_size(a.value->shape) && shape_size(b.value->shape) &&
        shape_broadcast(a.value->shape, b.value->shape, &s)) {
        if (is_constant_one(a) && shape_equal(s, b.value->shape)) return b;
        if (is_constant_one(b) && shape_equal(s, a.value->shape)) return a;
    }
    return op2(r->t, OP_MUL, a, b);
}

typedef struct Sweep {
    Tape *t;
    bool *needed;  /* by node: leads to a variable of interest, and is one of its derivatives' way */
    Var *gradient; /* by node; value NULL: none arrived */
} Sweep;

static Var filled(Tape *t, real x, Shape shape) { return op_expand(t, var_number(t, x), shape); }

static void sweep_add(Sweep *s, NodeId id, Var share) {
    Var *g = &s->gradient[id];
    *g = g->value ? op2(s->t, OP_ADD, *g, share) : share;
}

static void sweep_node(Sweep *s, NodeId id) {
    enum { FEW = 4 };
    Node node = s->t->nodes[id]; /* a copy: rules append nodes */
    Var few_in[FEW], few_shares[FEW] = {{0}};
    bool few_wants[FEW], many = node.ninputs > FEW, any = false;
    Var *in = many ? ARENA_ARRAY(s->t->arena, Var, node.ninputs) : few_in;
    Var *shares = many ? ARENA_ARRAY(s->t->arena, Var, node.ninputs) : few_shares;
    bool *wants = many ? ARENA_ARRAY(s->t->arena, bool, node.ninputs) : few_wants;
    for (int k = 0; k < node.ninputs; k++) {
        NodeId input = node.inputs[k];
        const Node *from = &s->t->nodes[input];
        in[k] = (Var){from->value, from->op == OP_CONSTANT ? NODE_NONE : input};
        wants[k] = s->needed[input];
        any |= wants[k];
    }
    if (!any || rules[node.op].gradient == GRADIENT_ZERO) return;
    Rule r = {.t = s->t,
              .op = node.op,
              .span = node.span,
              .attr = node.attr,
              .n = node.ninputs,
              .in = in,
              .out = {node.value, id},
              .g = s->gradient[id],
              .wants = wants,
              .shares = shares};
    if (!rules[node.op].rule) rule_missing(&r, "its operands");
    s->t->ctx->span = node.span;
    rules[node.op].rule(&r);
    for (int k = 0; k < node.ninputs; k++)
        if (wants[k] && shares[k].value) sweep_add(s, node.inputs[k], shares[k]);
}

/* Marks what lies between the variables of interest and node `last`. */
static void sweep_mark(Sweep *s, NodeId last, int n, const Var *wrt) {
    for (int k = 0; k < n; k++)
        if (var_is_taped(wrt[k]) && wrt[k].node <= last) s->needed[wrt[k].node] = true;
    for (NodeId id = 0; id <= last; id++) {
        const Node *node = &s->t->nodes[id];
        if (s->needed[id] || rules[node->op].gradient == GRADIENT_ZERO) continue;
        for (int k = 0; k < node->ninputs && !s->needed[id]; k++) s->needed[id] = s->needed[node->inputs[k]];
    }
}

void tape_grad(Tape *t, Var y, const Var *seed, int n, const Var *wrt, Var *out) {
    Sweep s = {.t = t};
    NodeId last = y.node;
    Span span = t->ctx->span;
    if (var_is_taped(y)) {
        s.needed = ARENA_ARRAY(t->arena, bool, last + 1);
        s.gradient = ARENA_ARRAY(t->arena, Var, last + 1);
        sweep_mark(&s, last, n, wrt);
        s.gradient[last] = seed ? op_expand(t, *seed, y.value->shape) : filled(t, 1, y.value->shape);
        for (NodeId id = last; id >= 0; id--)
            if (s.needed[id] && s.gradient[id].value) sweep_node(&s, id);
    }
    t->ctx->span = span;
    for (int k = 0; k < n; k++) {
        bool reached = var_is_taped(y) && var_is_taped(wrt[k]) && wrt[k].node <= last && s.gradient[wrt[k].node].value;
        out[k] = reached ? s.gradient[wrt[k].node] : filled(t, 0, wrt[k].value->shape);
    }
}
