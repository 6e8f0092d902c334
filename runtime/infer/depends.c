#include "infer/depends.h"

/* Where dimension d of an operand that is broadcast to `out` stands there. */
static int through_broadcast(Shape in, Shape out, int d) {
    int to = d + out.rank - in.rank;
    return in.dim[d] == out.dim[to] ? to : DEPENDS_MIXED;
}

/* Row by row the elements are where they were: places `inner` apart from one another in one dimension, or in none. */
static int through_reshape(Shape in, Shape out, int d, int64_t size, int64_t *inner) {
    int64_t apart = *inner, behind = 1;
    for (int k = in.rank - 1; k > d; k--) apart *= in.dim[k];
    for (int k = out.rank - 1; k >= 0 && behind > 0 && behind <= apart; behind *= out.dim[k--]) {
        if (apart % behind || out.dim[k] % (apart / behind * size)) continue;
        *inner = apart / behind;
        return k;
    }
    return DEPENDS_MIXED;
}

static int through_reduction(uint32_t dims, int d) {
    if (dims >> d & 1) return DEPENDS_MIXED;
    int to = d;
    for (int k = 0; k < d; k++) to -= dims >> k & 1;
    return to;
}

/* Matrices to numbers. */
static int through_folded(Shape in, Shape out, int d) {
    if (d >= in.rank - 2) return DEPENDS_MIXED;
    in.rank -= 2;
    return through_broadcast(in, out, d);
}

static int through_permutation(const int *perm, int rank, int d) {
    for (int k = 0; k < rank; k++)
        if (perm[k] == d) return k;
    return DEPENDS_MIXED;
}

/* a [B..., K, E...], index [B..., M...] -> [B..., M..., E...] */
static int through_gather(const Tape *t, const Node *n, int operand, int d) {
    int batch = n->attr->dim, index_rank = t->nodes[n->inputs[1]].value->shape.rank;
    if (operand == 1 || d < batch) return d;
    return d == batch ? DEPENDS_MIXED : d - 1 + index_rank - batch;
}

static int through_matmul(Shape in, Shape out, int operand, int d) {
    if (d < in.rank - 2) return through_broadcast(in, out, d);
    bool kept = operand == 0 ? d == in.rank - 2 : d == in.rank - 1; /* the other one is summed over */
    return kept ? d + out.rank - in.rank : DEPENDS_MIXED;
}

/* Where the elements along dimension d of an operand are in the result. */
static int through(const Tape *t, const Node *n, int operand, int d, int64_t size, int64_t *inner) {
    Shape in = t->nodes[n->inputs[operand]].value->shape, out = n->value->shape;
    if (op_info(n->op)->elementwise) return through_broadcast(in, out, d);
    switch (n->op) {
    case OP_NORMAL:
    case OP_UNIFORM:
    case OP_DRAW_GAMMA:
    case OP_DRAW_LOG_GAMMA:
    case OP_DRAW_POISSON:
    case OP_DRAW_BINOMIAL:
    case OP_DRAW_VON_MISES: return in.rank == out.rank ? through_broadcast(in, out, d) : DEPENDS_MIXED;
    case OP_DRAW_CATEGORICAL: return operand == 0 && d < in.rank - 1 ? d : DEPENDS_MIXED;
    case OP_VARIABLE:
    case OP_STOP_GRADIENT: return d;
    case OP_EXPAND: return through_broadcast(in, out, d);
    case OP_RESHAPE: return through_reshape(in, out, d, size, inner);
    case OP_PERMUTE: return through_permutation(n->attr->perm, in.rank, d);
    case OP_SUM:
    case OP_PROD:
    case OP_REDUCE_MAX:
    case OP_REDUCE_MIN:
    case OP_LOGSUMEXP:
    case OP_ARGMAX: return through_reduction(n->attr->dims, d);
    case OP_CUMSUM:
    case OP_ARGSORT:
    case OP_SLICE:
    case OP_PAD:
    case OP_CONCAT: return d == n->attr->dim ? DEPENDS_MIXED : d;
    case OP_GATHER: return through_gather(t, n, operand, d);
    case OP_SCATTER_ADD: return d < n->attr->dim ? d : DEPENDS_MIXED;
    case OP_MATMUL: return through_matmul(in, out, operand, d);
    case OP_DIAGONAL:
    case OP_TRIL:
    case OP_CHOLESKY:
    case OP_ROOT_INVERSE:
    case OP_TRI_SOLVE: return d < in.rank - 2 ? through_broadcast(in, out, d) : DEPENDS_MIXED;
    case OP_INV_QUAD:
    case OP_LOG_DIAG: return through_folded(in, out, d);
    case OP_DIAG_EMBED: return d < in.rank - 1 ? d : DEPENDS_MIXED;
    default: return DEPENDS_MIXED;
    }
}

static int state_of(const Dependence *d, const Tape *t, const Node *n, int64_t *inner) {
    int state = DEPENDS_NOT;
    for (int k = 0; k < n->ninputs; k++) {
        if (n->inputs[k] < d->draw) continue;
        int64_t place = n->inputs[k] - d->draw, apart = d->inner[place];
        int from = d->states[place];
        if (from == DEPENDS_NOT) continue;
        int here = from == DEPENDS_MIXED ? DEPENDS_MIXED : through(t, n, k, from, d->size, &apart);
        if (state == DEPENDS_NOT)
            state = here, *inner = apart;
        else if (state != here || *inner != apart)
            state = DEPENDS_MIXED;
        if (state == DEPENDS_MIXED) return state;
    }
    return state;
}

Dependence depends_follow(const Tape *t, Var draw, int dim, Arena *arena) {
    int64_t nodes = t->nnodes - draw.node;
    Dependence d = {.draw = draw.node,
                    .states = arena_alloc(arena, (size_t)nodes),
                    .inner = ARENA_ARRAY(arena, int64_t, nodes),
                    .size = dim >= 0 ? draw.value->shape.dim[dim] : 1};
    d.states[0] = (int8_t)dim, d.inner[0] = 1;
    for (NodeId id = draw.node + 1; id < t->nnodes; id++) {
        const Node *n = &t->nodes[id];
        int state = state_of(&d, t, n, &d.inner[id - draw.node]);
        d.states[id - draw.node] = (int8_t)state;
        d.steers |= n->op == OP_GUARD && state != DEPENDS_NOT;
    }
    return d;
}
