/* The order of the passes, and what they share. */
#include "tape/optimise.h"

#include <stdlib.h>
#include <string.h>

Tensor *constant_keep(Ctx *c, Arena *a, const Tensor *t) {
    int64_t low = 0, high = 0, size = shape_size(t->shape);
    for (int d = 0; d < t->shape.rank && size > 0; d++) {
        int64_t reach = (t->shape.dim[d] - 1) * t->stride[d];
        if (reach < 0)
            low += reach;
        else
            high += reach;
    }
    if (t->storage || size == 0 || high - low >= 4 * size + 64) return tensor_keep(c, a, t);
    Tensor *kept = arena_copy(a, t, sizeof *t);
    real *numbers = arena_copy(a, t->data + low, (size_t)(high - low + 1) * sizeof(real));
    kept->data = numbers - low;
    return kept;
}

NodeId graph_append(Graph *g, Op op, Span span, int n, const NodeId *inputs, const OpAttr *attr, const Tensor *value) {
    Tape *t = &g->tape;
    ARENA_GROW(t->arena, t->nodes, t->nnodes, t->capacity, 256);
    t->nodes[t->nnodes] = (Node){.op = op,
                                 .span = span,
                                 .backward = g->backward,
                                 .ninputs = n,
                                 .inputs = n ? arena_copy(t->arena, inputs, (size_t)n * sizeof *inputs) : NULL,
                                 .attr = (OpAttr *)attr,
                                 .value = value};
    return t->nnodes++;
}

NodeId graph_constant(Graph *g, const Tensor *value) {
    return graph_append(g, OP_CONSTANT, SPAN_NONE, 0, NULL, NULL, value);
}

NodeId graph_view(Graph *g, Op op, NodeId of, Shape shape, const OpAttr *attr) {
    Arena *a = g->tape.arena;
    const Node *node = &g->tape.nodes[of];
    if (node->op == OP_CONSTANT) {
        Operands o = {.ctx = g->tape.ctx, .arena = a, .op = op, .n = 1, .in = &node->value, .attr = attr};
        return graph_constant(g, op_view(&o, shape));
    }
    return graph_append(g, op, node->span, 1, &of, attr_copy(a, attr), tensor_borrow(a, shape, NULL));
}

Tape graph_restart(Graph *g) {
    Tape old = g->tape;
    g->tape.nodes = NULL;
    g->tape.nnodes = g->tape.capacity = 0;
    return old;
}

void graph_reserve(Graph *g, int n) {
    g->tape.nodes = ARENA_ARRAY(g->tape.arena, Node, n + 1);
    g->tape.capacity = n + 1;
}

bool *graph_live(const Graph *g, Arena *a) {
    const Tape *t = &g->tape;
    bool *live = ARENA_ARRAY(a, bool, t->nnodes + 1);
    for (int k = 0; k < g->noutputs; k++)
        if (var_is_taped(g->outputs[k])) live[g->outputs[k].node] = true;
    for (NodeId id = t->nnodes - 1; id >= 0; id--) {
        const Node *node = &t->nodes[id];
        live[id] |= node->op == OP_GUARD;
        for (int k = 0; live[id] && k < node->ninputs; k++) live[node->inputs[k]] = true;
    }
    return live;
}

static bool site_equal(const RandomSite *a, const RandomSite *b) {
    if (!a || !b) return a == b;
    if (a->key != b->key || a->n != b->n || a->particle_dim != b->particle_dim) return false;
    for (int k = 0; k < a->n; k++)
        if (a->index[k].dim != b->index[k].dim || a->index[k].first != b->index[k].first ||
            a->index[k].ids != b->index[k].ids)
            return false;
    return true;
}

bool attr_equal(const OpAttr *a, const OpAttr *b) {
    if (!a || !b) return a == b;
    return shape_equal(a->shape, b->shape) && a->dim == b->dim && a->dims == b->dims &&
           memcmp(a->perm, b->perm, sizeof a->perm) == 0 && a->start == b->start && a->count == b->count &&
           a->step == b->step && a->flags == b->flags && a->slot == b->slot && site_equal(a->random, b->random) &&
           a->scan == b->scan;
}

uint64_t hash_mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

bool optimise_enabled(void) {
    const char *text = getenv("PPL_OPTIMISE");
    return !text || strcmp(text, "0") != 0;
}

/* The layout of a value, without its numbers. */
static Tensor *layout_of(Arena *a, const Tensor *t) {
    Tensor *layout = arena_copy(a, t, sizeof *t);
    layout->data = NULL, layout->storage = NULL;
    return layout;
}

bool tensor_is_uniform(const Tensor *t, real *x) {
    Tensor once = *t; /* repeated numbers once */
    for (int d = 0; d < t->shape.rank; d++)
        if (t->stride[d] == 0 && t->shape.dim[d] > 1) once.shape.dim[d] = 1;
    int64_t size = shape_size(once.shape);
    if (size == 0) return false;
    *x = t->data[0];
    for (int64_t i = 1; i < size; i++) {
        real y = tensor_item(&once, i);
        if (memcmp(&y, x, sizeof y) != 0) return false;
    }
    return true;
}

/* Numbers that are the same in every run: constants, and what is made of them; of a choice that is always the same one, what is
 * chosen (simplifying leaves the other out, and what reads it is then made of constants). */
static bool is_settled(const Tape *t, const Node *node, const bool *settled) {
    bool all = node->op != OP_INPUT && op_class(node->op) != CLASS_RANDOM;
    real c;
    if (node->op == OP_WHERE && settled[node->inputs[0]] && tensor_is_uniform(t->nodes[node->inputs[0]].value, &c))
        return settled[node->inputs[c != 0 ? 1 : 2]];
    for (int k = 0; k < node->ninputs && all; k++) all = settled[node->inputs[k]];
    return all;
}

/* Copies what the outputs and guards need: layouts, and numbers where they are settled or a guard expects them. */
static void graph_settle(Graph *g) {
    Arena *a = g->tape.arena, *work = arena_new();
    bool *live = graph_live(g, work);
    Tape old = graph_restart(g);
    NodeId *fresh = ARENA_ARRAY(work, NodeId, old.nnodes + 1);
    bool *settled = ARENA_ARRAY(work, bool, old.nnodes + 1);
    int kept = 0;
    for (NodeId id = 0; id < old.nnodes; id++) kept += live[id];
    graph_reserve(g, kept);
    for (NodeId id = 0; id < old.nnodes; id++) {
        const Node *node = &old.nodes[id];
        if (!live[id]) continue;
        settled[id] = is_settled(&old, node, settled);
        bool numbers = settled[id] || node->op == OP_GUARD;
        const Tensor *value = numbers ? constant_keep(old.ctx, a, tape_value(&old, (Var){node->value, id}))
                                      : layout_of(a, node->value);
        NodeId *in = ARENA_ARRAY(work, NodeId, node->ninputs + 1);
        for (int k = 0; k < node->ninputs; k++) in[k] = fresh[node->inputs[k]];
        g->backward = node->backward;
        fresh[id] = graph_append(g, node->op, node->span, node->ninputs, in, node->attr ? attr_copy(a, node->attr) : NULL, value);
    }
    for (int k = 0; k < g->noutputs; k++) {
        Var *out = &g->outputs[k];
        if (var_is_taped(*out))
            out->node = fresh[out->node], out->value = g->tape.nodes[out->node].value;
        else
            out->value = constant_keep(old.ctx, a, out->value);
    }
    arena_free(work);
}

void optimise(Graph *g, Arena *arena, const Tape *t, int n, const Var *outputs, real *const *place, Arena *spent) {
    *g = (Graph){.tape = *t, .noutputs = n};
    g->tape.arena = arena;
    g->outputs = ARENA_ARRAY(arena, Var, n + 1);
    g->place = ARENA_ARRAY(arena, real *, n + 1);
    g->output = ARENA_ARRAY(arena, int, n + 1);
    g->element = ARENA_ARRAY(arena, int64_t, n + 1);
    for (int k = 0; k < n; k++) {
        g->outputs[k] = outputs[k];
        g->place[k] = place ? place[k] : NULL;
        g->output[k] = k;
    }
    if (spent) {
        graph_settle(g);
        arena_clear(spent);
    }
    if (!optimise_enabled()) return;
    optimise_simplify(g);
    optimise_roll(g);
}
