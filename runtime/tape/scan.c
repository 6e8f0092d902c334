/* Recurrences: what the steps of a loop carry from one to the next, as one operation. Forwards a step is a few
 * instructions on numbers (lines_code.c); backwards it is linear whatever the body is, with the derivatives of all steps at
 * once as its coefficients (OP_RECUR). */
#include <assert.h>
#include <string.h>

#include "tape/code.h"
#include "tape/kernels.h"
#include "tape/rules.h"

ScanBody *scan_copy(Arena *a, const ScanBody *body) {
    ScanBody *copy = arena_copy(a, body, sizeof *body);
    copy->ops = arena_copy(a, body->ops, sizeof *body->ops * (size_t)body->nops);
    return copy;
}

Var scan_states(Tape *t, Var scan, int k, int first) {
    Shape s = scan.value->shape, state = shape_of(s.rank - 1, s.dim + 1);
    Var v = op_reshape(t, op_slice(t, scan, 0, k, 1, 1), state);
    return op_slice(t, v, state.rank - 1, first, state.dim[state.rank - 1] - 1, 1);
}

/* The results of a step's operations: at[] behind the states and operands. */
static void apply_body(Tape *t, const ScanBody *b, Var *at) {
    int n = b->nstates + b->noperands;
    for (int i = 0; i < b->nops; i++) {
        Var in[EW_MAX];
        int arity = op_info(b->ops[i].op)->arity;
        for (int k = 0; k < arity; k++) in[k] = at[b->ops[i].in[k]];
        if (at[n + i].value)
            tape_know(t, b->ops[i].op, arity, in, at[n + i]);
        else
            at[n + i] = op_apply(t, b->ops[i].op, arity, in, NULL);
    }
}

Var op_scan(Tape *t, const ScanBody *body, Shape whole, const Var *in) {
    int n = body->nstates + body->noperands;
    Var all = op_apply(t, OP_SCAN, n, in, &(OpAttr){.shape = whole, .scan = body});
    Var at[SCAN_STATES + SCAN_OPERANDS + SCAN_OPS] = {0};
    if (!var_is_taped(all)) return all;
    for (int k = 0; k < n; k++) at[k] = k < body->nstates ? scan_states(t, all, k, 0) : in[k];
    for (int k = 0; k < body->nstates; k++) at[n + body->next[k]] = scan_states(t, all, k, 1);
    apply_body(t, body, at);
    return all;
}

/* -- Finding the body on a tape -- */

bool *tape_depends(Tape *t, NodeId from, int n, const Var *on) {
    bool *depends = ARENA_ARRAY(t->arena, bool, t->nnodes - from + 1);
    for (int k = 0; k < n; k++) depends[on[k].node - from] = true;
    for (NodeId id = from; id < t->nnodes; id++)
        for (int k = 0; k < t->nodes[id].ninputs && !depends[id - from]; k++)
            depends[id - from] = t->nodes[id].inputs[k] >= from && depends[t->nodes[id].inputs[k] - from];
    return depends;
}

typedef struct Search {
    const Tape *t;
    NodeId from;
    bool *carried, *needed; /* by node from `from` on: depends on a state; and leads to a next one */
    int *op;                /* ... its place in the body, or -1 - the number of a state */
    ScanBody *body;
    NodeId operands[SCAN_OPERANDS];
} Search;

static bool is_carried(const Search *s, NodeId id) { return id >= s->from && s->carried[id - s->from]; }

/* What leads from the states to the next ones; false: a plain value of it was read. */
static bool search_mark(Search *s, int n, const Var *next) {
    for (NodeId id = s->from; id < s->t->nnodes; id++)
        if (s->t->nodes[id].op == OP_GUARD && is_carried(s, id)) return false;
    for (int k = 0; k < n; k++)
        if (is_carried(s, next[k].node)) s->needed[next[k].node - s->from] = true;
    for (NodeId id = s->t->nnodes - 1; id >= s->from; id--) {
        const Node *node = &s->t->nodes[id];
        bool reads = s->needed[id - s->from] && s->op[id - s->from] >= 0;
        for (int k = 0; k < node->ninputs && reads; k++)
            if (is_carried(s, node->inputs[k])) s->needed[node->inputs[k] - s->from] = true;
    }
    return true;
}

/* The number of what a node gives, where operands count from -1 - SCAN_STATES down and ops from SCAN_STATES up for a while;
 * false: there are too many. */
static bool search_number(Search *s, NodeId id, int *number) {
    ScanBody *b = s->body;
    if (is_carried(s, id)) {
        int at = s->op[id - s->from];
        *number = at < 0 ? -1 - at : SCAN_STATES + at;
        return true;
    }
    int k = 0;
    while (k < b->noperands && s->operands[k] != id) k++;
    if (k == SCAN_OPERANDS) return false;
    if (k == b->noperands) s->operands[b->noperands++] = id;
    *number = -1 - k;
    return true;
}

static bool search_add(Search *s, Op op, int n, const NodeId *inputs) {
    if (s->body->nops == SCAN_OPS) return false;
    struct ScanOp *add = &s->body->ops[s->body->nops];
    *add = (struct ScanOp){.op = op};
    for (int k = 0; k < n; k++)
        if (!search_number(s, inputs[k], &add->in[k])) return false;
    s->body->nops++;
    return true;
}

static bool search_ops(Search *s, Shape whole) {
    for (NodeId id = s->from; id < s->t->nnodes; id++) {
        const Node *node = &s->t->nodes[id];
        if (!s->needed[id - s->from] || s->op[id - s->from] < 0) continue;
        if ((op_class(node->op) != CLASS_EW && node->op != OP_STOP_GRADIENT) || !shape_equal(node->value->shape, whole)) return false;
        s->op[id - s->from] = s->body->nops;
        if (!search_add(s, node->op, node->ninputs, node->inputs)) return false;
    }
    return true;
}

/* A next state that is no result, or already another one's, is a copy. */
static bool search_next(Search *s, int n, const Var *next, Var *operands) {
    ScanBody *b = s->body;
    for (int k = 0; k < n; k++) {
        int at = is_carried(s, next[k].node) ? s->op[next[k].node - s->from] : -1;
        for (int j = 0; j < k; j++)
            if (b->next[j] == at) at = -1;
        b->next[k] = at >= 0 ? at : b->nops;
        if (at < 0 && !search_add(s, OP_COPY, 1, &next[k].node)) return false;
    }
    for (int k = 0; k < b->noperands; k++) {
        const Node *node = &s->t->nodes[s->operands[k]];
        operands[k] = (Var){node->value, node->op == OP_CONSTANT ? NODE_NONE : s->operands[k]};
    }
    for (int i = 0; i < b->nops; i++)
        for (int k = 0; k < op_info(b->ops[i].op)->arity; k++) {
            int *in = &b->ops[i].in[k];
            if (*in < 0)
                *in = n - 1 - *in;
            else if (*in >= SCAN_STATES)
                *in += n + b->noperands - SCAN_STATES;
        }
    return true;
}

const ScanBody *scan_find(Tape *t, NodeId from, Shape whole, int n, const Var *states, const Var *next, Var *operands) {
    Arena *a = t->arena;
    int count = t->nnodes - from;
    Search s = {.t = t, .from = from, .body = ARENA_NEW(a, ScanBody)};
    assert(n <= SCAN_STATES);
    s.carried = tape_depends(t, from, n, states), s.needed = ARENA_ARRAY(a, bool, count + 1);
    s.op = ARENA_ARRAY(a, int, count + 1);
    *s.body = (ScanBody){.nstates = n, .ops = ARENA_ARRAY(a, struct ScanOp, SCAN_OPS)};
    for (int k = 0; k < n; k++) s.op[states[k].node - from] = -1 - k;
    bool found = search_mark(&s, n, next) && search_ops(&s, whole) && search_next(&s, n, next, operands);
    return found ? s.body : NULL;
}

/* -- Forwards -- */

/* Where a tensor that broadcasts to a shape has the element at `index` of its first `rank` dimensions. */
static const real *element_at(const Tensor *t, int rank, const int64_t *index) {
    const real *p = t->data;
    for (int d = 0, at = rank - t->shape.rank; d < t->shape.rank; d++, at++)
        if (t->shape.dim[d] != 1) p += index[at] * t->stride[d];
    return p;
}

/* Where the steps' numbers of one block lie. */
typedef struct Lane {
    real *numbers;
    int64_t moves; /* as in ScanInstr */
} Lane;

/* The instructions of a step, from where its numbers are; results that are no states are in `results`. */
static void bind_step(const ScanBody *b, Lane *lanes, real *results, ScanInstr *code) {
    const Lines *lines = lines_here();
    int first = b->nstates + b->noperands, last = b->nops - 1, at_hand = first + last;
    for (int i = 0; i < b->nops; i++) lanes[first + i] = (Lane){&results[i], 0};
    for (int k = 0; k < b->nstates; k++) {
        lanes[first + b->next[k]] = (Lane){lanes[k].numbers + 1, -1};
        if (b->next[k] == last) at_hand = k;
    }
    for (int i = 0; i < b->nops; at_hand = first + i++) {
        const struct ScanOp *op = &b->ops[i];
        From from[EW_MAX];
        code[i] = (ScanInstr){.out = lanes[first + i].numbers, .out_moves = lanes[first + i].moves};
        for (int k = 0, n = op_info(op->op)->arity; k < EW_MAX; k++) {
            const Lane *lane = &lanes[k < n ? op->in[k] : op->in[0]];
            code[i].in[k] = lane->numbers, code[i].moves[k] = lane->moves;
            from[k] = k < n && op->in[k] == at_hand ? FROM_LAST : FROM_MEMORY;
        }
        if (from[0] == FROM_LAST) from[1] = FROM_MEMORY;
        Code quick = code_quick(op->op == OP_STOP_GRADIENT ? OP_COPY : op->op, false, from);
        if (quick == CODE_END || (code_is_vector(op->op) && !lines->quick_lanes)) quick = CODE_ROW;
        code[i].code = (uint16_t)quick;
        code[i].row = lines->rows[op->op].one;
    }
}

/* Several steps one behind the other: fewer jumps. The first time it begins so far behind that they end with the last one. */
enum { SEVERAL = 4, UNROLLED = 32 };

static void run_steps(const ScanBody *b, Lane *lanes, int64_t steps) {
    real results[SCAN_OPS];
    ScanInstr code[(SCAN_OPS > SEVERAL * UNROLLED ? SCAN_OPS : SEVERAL * UNROLLED) + 1];
    int together = steps >= 4 * SEVERAL && b->nops <= UNROLLED ? SEVERAL : 1, n = b->nops;
    bind_step(b, lanes, results, code);
    for (int i = n; i < together * n; i++) {
        code[i] = code[i - n];
        code[i].out -= code[i].out_moves;
        for (int k = 0; k < EW_MAX; k++) code[i].in[k] -= code[i].moves[k];
    }
    code[together * n] = (ScanInstr){.code = CODE_END, .out_moves = together};
    const real *before = lanes[0].numbers;
    for (int k = 0; k < b->nstates; k++)
        if (b->next[k] == n - 1) before = lanes[k].numbers;
    int late = (int)(steps % together ? together - steps % together : 0);
    if (steps > 0) lines_here()->scan_run(code, code + late * n, -late, steps, *before);
}

bool kernel_scan(const KernelCall *call) {
    const ScanBody *b = call->attr->scan;
    Shape whole = call->attr->shape;
    int rank = whole.rank - 1;
    int64_t T = whole.dim[rank], blocks = T ? shape_size(whole) / T : 0, index[MAX_RANK] = {0};
    Lane lanes[SCAN_STATES + SCAN_OPERANDS + SCAN_OPS];
    for (int64_t block = 0; block < blocks; block++) {
        for (int k = 0; k < b->nstates; k++) {
            lanes[k] = (Lane){call->out->data + (k * blocks + block) * (T + 1), -1};
            *lanes[k].numbers = *element_at(call->in[k], rank, index);
        }
        for (int k = b->nstates; k < call->n; k++) {
            const Tensor *x = call->in[k];
            int last = x->shape.rank - 1;
            lanes[k] = (Lane){(real *)(uintptr_t)element_at(x, rank + 1, index), /* only read */
                              last >= 0 && x->shape.dim[last] != 1 ? -x->stride[last] : 0};
        }
        run_steps(b, lanes, T);
        for (int d = rank - 1; d >= 0; d--) {
            if (++index[d] < whole.dim[d]) break;
            index[d] = 0;
        }
    }
    return true;
}

/* -- Backwards -- */

static bool is_zero(Var v) {
    const Tensor *t = v.value;
    bool zero = !var_is_taped(v) && *t->data == 0;
    for (int d = 0; d < t->shape.rank; d++) zero = zero && (t->shape.dim[d] == 1 || t->stride[d] == 0);
    return zero;
}

/* [n, B..., T] -> [B..., T, n] */
static Var first_to_last(Rule *r, Var v) {
    int perm[MAX_RANK], rank = v.value->shape.rank;
    for (int d = 0; d < rank; d++) perm[d] = (d + 1) % rank;
    return op_permute(r->t, v, perm);
}

/* d next state j / d what is numbered i, by steps: at [j * (states + operands) + i]; NULL value: not wanted. */
static Var *derivatives(Rule *r, const ScanBody *b, Shape whole) {
    enum { MOST = SCAN_STATES + SCAN_OPERANDS };
    Tape *t = r->t;
    int n = b->nstates + b->noperands, nwrt = 0, number[MOST];
    Var at[MOST + SCAN_OPS], wrt[MOST], d[MOST], *all = ARENA_ARRAY(t->arena, Var, b->nstates * n);
    memset(at, 0, sizeof at);
    for (int k = 0; k < n; k++) {
        bool state = k < b->nstates;
        at[k] = state ? scan_states(t, r->out, k, 0) : op_expand(t, r->in[k], whole);
        if (state || r->wants[k]) number[nwrt] = k, wrt[nwrt++] = at[k] = tape_variable(t, at[k]);
    }
    apply_body(t, b, at);
    for (int j = 0; j < b->nstates; j++) {
        tape_grad(t, at[n + b->next[j]], NULL, nwrt, wrt, d);
        for (int k = 0; k < nwrt; k++) all[j * n + number[k]] = d[k];
    }
    return all;
}

/* [B..., T, states, states] from [j * n + i], i before j. */
static Var coefficients(Rule *r, const ScanBody *b, const Var *d, Shape whole) {
    int K = b->nstates, n = K + b->noperands;
    Var rows[SCAN_STATES * SCAN_STATES];
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++) rows[i * K + j] = d[j * n + i];
    whole.dim[whole.rank++] = K, whole.dim[whole.rank++] = K;
    return op_reshape(r->t, K == 1 ? rows[0] : first_to_last(r, op_stack(r->t, K * K, rows)), whole);
}

/* What arrives at the states of all steps: [B..., T + 1, states]. */
static Var arriving(Rule *r, const ScanBody *b, const Var *d, Shape whole) {
    Shape s = whole;
    s.dim[s.rank - 1]++, s.dim[s.rank++] = b->nstates;
    Var g = b->nstates == 1 ? op_reshape(r->t, r->g, s) : first_to_last(r, r->g);
    return op_recur(r->t, coefficients(r, b, d, whole), g, true);
}

void vjp_scan(Rule *r) {
    const ScanBody *b = r->attr->scan;
    Shape whole = r->attr->shape, first = whole;
    int K = b->nstates, n = K + b->noperands, last = --first.rank;
    const Var *d = derivatives(r, b, whole);
    Var all = arriving(r, b, d, whole), next[SCAN_STATES];
    for (int k = 0; k < K; k++) {
        Var one = op_slice(r->t, all, last + 1, k, 1, 1);
        next[k] = op_reshape(r->t, op_slice(r->t, one, last, 1, whole.dim[last], 1), whole);
        if (r->wants[k]) rule_give(r, k, op_reshape(r->t, op_slice(r->t, one, last, 0, 1, 1), first));
    }
    for (int k = K; k < n; k++) {
        Var terms[SCAN_STATES];
        int nterms = 0;
        for (int j = 0; j < K && r->wants[k]; j++)
            if (!is_zero(d[j * n + k])) terms[nterms++] = MUL(next[j], d[j * n + k]);
        if (nterms) rule_give(r, k, op_total(r->t, nterms, terms));
    }
}
