/* Reverse-mode differentiation as a transformation of the tape: the derivative is further operations on it. */
#include <assert.h>
#include <stdlib.h>

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

static bool is_one_of(NodeId id, int n, const Var *wrt) {
    for (int k = 0; k < n; k++)
        if (wrt[k].node == id) return true;
    return false;
}

bool rule_seeks(const Rule *r, NodeId id) { return is_one_of(id, r->nsought, r->sought); }

_Noreturn void rule_missing(const Rule *r, const char *of) {
    const char *name = op_info(r->op)->lang_name ? op_info(r->op)->lang_name : op_info(r->op)->name;
    ctx_raise(r->t->ctx, ERROR_PROGRAM, r->span, NULL, "there is no derivative of %s with respect to %s", name, of);
}

Var rule_times(Rule *r, Var a, Var b) {
    Shape s;
    if (shape_size(a.value->shape) && shape_size(b.value->shape) &&
        shape_broadcast(a.value->shape, b.value->shape, &s)) {
        if (var_is_ones(a) && shape_equal(s, b.value->shape)) return b;
        if (var_is_ones(b) && shape_equal(s, a.value->shape)) return a;
    }
    return op2(r->t, OP_MUL, a, b);
}

static Var filled(Tape *t, real x, Shape shape) { return op_expand(t, var_number(t, x), shape); }

/* A number with which a whole array of shares would be multiplied waits until the array has been summed, or is given as
 * a gradient: as a rule it is multiplied with the few numbers that are left. */
void rule_give(Rule *r, int k, Var share) {
    Factor f = r->factor;
    while (factor_take(r->t, r->first, &share, &f)) continue;
    Var sum = op_sum_to(r->t, share, r->in[k].value->shape);
    bool number = shape_size(sum.value->shape) <= 1;
    r->shares[k] = number ? factor_apply(r->t, f, sum) : sum;
    r->factors[k] = number ? factor_one : f;
}

/* The share that a SLICE (of step 1) gives to a part of its operand; `next` as in Sweep.pieces. */
typedef struct Piece {
    int next, dim;
    int64_t start, count;
    Var share;
} Piece;

typedef struct Sweep {
    Tape *t;
    int n;         /* variables of interest */
    const Var *wrt;
    NodeId low;    /* the first variable of interest; "by node": from here on */
    bool *needed;  /* by node: leads to a variable of interest, and is one of its derivatives' way */
    Var *gradient; /* by node; value NULL: none arrived */
    Factor *factor; /* of that */
    int *shares;   /* by node: 1 + the last of its shares, 0: none */
    struct Share {
        int next;
        Var var;
        Factor factor;
    } * share;
    int nshares, share_room;
    int *pieces;   /* by node: 1 + the last of its pieces, 0: none */
    Piece *piece;
    int npieces, room;
} Sweep;

static bool is_needed(const Sweep *s, NodeId id) { return id >= s->low && s->needed[id - s->low]; }

/* What arrives at a node is added up when its turn has come: what a loop shares gets many shares. */
static void sweep_add(Sweep *s, NodeId id, Var share, Factor factor) {
    ARENA_GROW(s->t->arena, s->share, s->nshares, s->share_room, 64);
    s->share[s->nshares] = (struct Share){s->shares[id - s->low], share, factor};
    s->shares[id - s->low] = ++s->nshares;
}

static void sweep_total(Sweep *s, NodeId id) {
    int n = 0;
    if (!s->shares[id - s->low]) return;
    Factor common = s->share[s->shares[id - s->low] - 1].factor;
    bool equal = true;
    for (int k = s->shares[id - s->low]; k; k = s->share[k - 1].next, n++)
        equal = equal && factor_equal(s->share[k - 1].factor, common);
    s->t->ctx->span = s->t->nodes[id].span;
    Var *all = ARENA_ARRAY(s->t->arena, Var, n);
    for (int k = s->shares[id - s->low], at = n; k; k = s->share[k - 1].next) {
        const struct Share *share = &s->share[k - 1];
        all[--at] = equal ? share->var : factor_apply(s->t, share->factor, share->var);
    }
    s->gradient[id - s->low] = op_total(s->t, n, all);
    s->factor[id - s->low] = equal ? common : factor_one;
}

/* -- Slices: a loop over the elements of an array would pad each element's share to the whole array. Shares of
 * slices wait until their operand's turn instead, and are joined side by side. -- */

static void keep_piece(Sweep *s, const Node *slice, Var share) {
    if (s->npieces == s->room) {
        int room = s->room ? 2 * s->room : 64;
        Piece *more = ARENA_ARRAY(s->t->arena, Piece, room);
        for (int k = 0; k < s->npieces; k++) more[k] = s->piece[k];
        s->piece = more;
        s->room = room;
    }
    const OpAttr *a = slice->attr;
    int *head = &s->pieces[slice->inputs[0] - s->low];
    s->piece[s->npieces] = (Piece){*head, a->dim, a->start, a->count, share};
    *head = ++s->npieces;
}

static int compare_pieces(const void *x, const void *y) {
    const Piece *a = x, *b = y;
    if (a->dim != b->dim) return a->dim < b->dim ? -1 : 1;
    if (a->start != b->start) return a->start < b->start ? -1 : 1;
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    return a->share.node < b->share.node ? -1 : a->share.node > b->share.node;
}

/* Adds up the shares of equal parts; gives how many are left. */
static int merge_pieces(Sweep *s, Piece *p, int n) {
    int kept = 0;
    for (int k = 0; k < n; k++) {
        Piece *last = kept ? &p[kept - 1] : NULL;
        if (last && last->dim == p[k].dim && last->start == p[k].start && last->count == p[k].count)
            last->share = op2(s->t, OP_ADD, last->share, p[k].share);
        else
            p[kept++] = p[k];
    }
    return kept;
}

/* Takes from p, in order, what does not overlap (count becomes -1: taken) and joins it with zeros between. */
static Var join_pieces(Sweep *s, Shape whole, Piece *p, int n) {
    Tape *t = s->t;
    int dim = p[0].dim, nparts = 0, taken = 0;
    Var *parts = ARENA_ARRAY(t->arena, Var, 2 * n + 1);
    Piece only = p[0];
    int64_t end = 0, size = whole.dim[dim];
    for (int k = 0; k <= n; k++) {
        if (k < n && (p[k].dim != dim || p[k].count < 0 || p[k].start < end)) continue;
        int64_t start = k < n ? p[k].start : size;
        whole.dim[dim] = start - end;
        if (start > end) parts[nparts++] = filled(t, 0, whole);
        if (k == n) break;
        parts[nparts++] = p[k].share;
        end = start + p[k].count;
        p[k].count = -1;
        taken++;
    }
    return taken == 1 ? op_pad(t, only.share, dim, only.start, size, 1) : op_concat(t, nparts, parts, dim);
}

static void sweep_pieces(Sweep *s, NodeId id) {
    int n = 0;
    for (int k = s->pieces[id - s->low]; k; k = s->piece[k - 1].next) n++;
    if (n == 0) return;
    Piece *p = ARENA_ARRAY(s->t->arena, Piece, n);
    for (int k = s->pieces[id - s->low], at = n; k; k = s->piece[k - 1].next) p[--at] = s->piece[k - 1];
    qsort(p, (size_t)n, sizeof *p, compare_pieces);
    n = merge_pieces(s, p, n);
    Shape whole = s->t->nodes[id].value->shape;
    for (int k = 0; k < n; k++)
        if (p[k].count >= 0) sweep_add(s, id, join_pieces(s, whole, p + k, n - k), factor_one);
}

/* -- The sweep -- */

/* The whole gradient of a node. */
static Var sweep_gradient(Sweep *s, NodeId id) {
    s->gradient[id - s->low] = factor_apply(s->t, s->factor[id - s->low], s->gradient[id - s->low]);
    s->factor[id - s->low] = factor_one;
    return s->gradient[id - s->low];
}

/* Are the node's shares no more numbers than what arrived at it, and cheap? */
static bool carries_factor(Op op) {
    return op_class(op) == CLASS_EW || op_class(op) == CLASS_VIEW || op == OP_GATHER;
}

static void sweep_node(Sweep *s, NodeId id) {
    enum { FEW = 4 };
    Node node = s->t->nodes[id]; /* a copy: rules append nodes */
    Var few_in[FEW], few_shares[FEW] = {{0}};
    Factor few_factors[FEW];
    NodeId few_to[FEW];
    bool few_wants[FEW], many = node.ninputs > FEW, any = false;
    Var *in = many ? ARENA_ARRAY(s->t->arena, Var, node.ninputs) : few_in;
    Var *shares = many ? ARENA_ARRAY(s->t->arena, Var, node.ninputs) : few_shares;
    Factor *factors = many ? ARENA_ARRAY(s->t->arena, Factor, node.ninputs) : few_factors;
    NodeId *to = many ? ARENA_ARRAY(s->t->arena, NodeId, node.ninputs) : few_to;
    bool *wants = many ? ARENA_ARRAY(s->t->arena, bool, node.ninputs) : few_wants;
    for (int k = 0; k < node.ninputs; k++) {
        NodeId input = node.inputs[k];
        const Node *from = &s->t->nodes[input];
        to[k] = input;
        factors[k] = factor_one;
        in[k] = (Var){from->value, from->op == OP_CONSTANT ? NODE_NONE : input};
        wants[k] = is_needed(s, input);
        any |= wants[k];
    }
    if (!any || rules[node.op].gradient == GRADIENT_ZERO) return;
    bool piece = node.op == OP_SLICE && node.attr->step == 1 && node.attr->count > 0;
    s->t->ctx->span = node.span;
    if (piece || !carries_factor(node.op)) sweep_gradient(s, id);
    Rule r = {.t = s->t,
              .op = node.op,
              .span = node.span,
              .attr = node.attr,
              .n = node.ninputs,
              .in = in,
              .out = {node.value, id},
              .g = s->gradient[id - s->low],
              .factor = s->factor[id - s->low],
              .first = s->t->nnodes,
              .wants = wants,
              .nsought = s->n,
              .sought = s->wrt,
              .shares = shares,
              .factors = factors,
              .to = to};
    if (!rules[node.op].rule) rule_missing(&r, "its operands");
    if (piece) {
        keep_piece(s, &node, s->gradient[id - s->low]);
        return;
    }
    rules[node.op].rule(&r);
    for (int k = 0; k < node.ninputs; k++)
        if (wants[k] && shares[k].value) sweep_add(s, to[k], shares[k], factors[k]);
}

/* Marks what lies between the variables of interest and node `last`. */
static void sweep_mark(Sweep *s, NodeId last, int n, const Var *wrt) {
    for (int k = 0; k < n; k++)
        if (var_is_taped(wrt[k]) && wrt[k].node <= last) s->needed[wrt[k].node - s->low] = true;
    for (NodeId id = s->low; id <= last; id++) {
        const Node *node = &s->t->nodes[id];
        bool needed = s->needed[id - s->low];
        if (needed || rules[node->op].gradient == GRADIENT_ZERO) continue;
        for (int k = 0; k < node->ninputs && !needed; k++) needed = is_needed(s, node->inputs[k]);
        s->needed[id - s->low] = needed;
    }
}

/* The first node that counts: what lies before all variables does not depend on them. */
static NodeId first_of(NodeId last, int n, const Var *wrt) {
    NodeId low = last;
    for (int k = 0; k < n; k++)
        if (var_is_taped(wrt[k]) && wrt[k].node < low) low = wrt[k].node;
    return low;
}

/* partial: the sweep stops at the variables. */
static void sweep(Tape *t, Var y, const Var *seed, int n, const Var *wrt, Var *out, bool partial) {
    Sweep s = {.t = t, .n = n, .wrt = wrt};
    NodeId last = y.node;
    Span span = t->ctx->span;
    bool backward = t->backward;
    t->backward = true;
    if (var_is_taped(y)) {
        s.low = first_of(last, n, wrt);
        int count = last - s.low + 1;
        s.needed = ARENA_ARRAY(t->arena, bool, count);
        s.gradient = ARENA_ARRAY(t->arena, Var, count);
        s.pieces = ARENA_ARRAY(t->arena, int, count);
        sweep_mark(&s, last, n, wrt);
        s.shares = ARENA_ARRAY(t->arena, int, count);
        s.factor = ARENA_ARRAY(t->arena, Factor, count);
        sweep_add(&s, last, seed ? op_expand(t, *seed, y.value->shape) : filled(t, 1, y.value->shape), factor_one);
        for (NodeId id = last; id >= s.low; id--) {
            if (!is_needed(&s, id)) continue;
            sweep_pieces(&s, id);
            sweep_total(&s, id);
            if (s.gradient[id - s.low].value && !(partial && is_one_of(id, n, wrt))) sweep_node(&s, id);
        }
    }
    t->ctx->span = span;
    for (int k = 0; k < n; k++) {
        bool reached = var_is_taped(y) && var_is_taped(wrt[k]) && wrt[k].node <= last && s.gradient[wrt[k].node - s.low].value;
        out[k] = reached ? sweep_gradient(&s, wrt[k].node) : filled(t, 0, wrt[k].value->shape);
    }
    t->backward = backward;
}

void tape_grad(Tape *t, Var y, const Var *seed, int n, const Var *wrt, Var *out) {
    sweep(t, y, seed, n, wrt, out, false);
}

void tape_grad_partial(Tape *t, Var y, const Var *seed, int n, const Var *wrt, Var *out) {
    sweep(t, y, seed, n, wrt, out, true);
}
