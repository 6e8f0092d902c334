/* Planning: which nodes are needed, what is a view of what, and where each array lives. */
#include "tape/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "tape/indexed.h"
#include "tape/optimise.h"

enum { ALIGNMENT = 64 };

const real plan_origin[1] = {0};

/* What is known of the tape's nodes while planning. */
typedef struct Survey {
    const Tape *t;
    Arena *scratch;
    bool *fixed; /* the value is the same in every run */
    bool *live;
    int *value;   /* of the plan, or -1 */
} Survey;

/* -- Fixed and live nodes -- */

static bool is_fixed(const Survey *s, const Node *node) {
    if (node->op == OP_CONSTANT) return true;
    if (node->op == OP_INPUT || op_class(node->op) == CLASS_RANDOM) return false;
    for (int k = 0; k < node->ninputs; k++)
        if (!s->fixed[node->inputs[k]]) return false;
    return true;
}

static void find_live(Survey *s, int n, const Var *outputs) {
    const Tape *t = s->t;
    for (int k = 0; k < n; k++)
        if (var_is_taped(outputs[k])) s->live[outputs[k].node] = true;
    for (NodeId id = t->nnodes - 1; id >= 0; id--) {
        const Node *node = &t->nodes[id];
        if (node->op == OP_GUARD && !s->fixed[id]) s->live[id] = true;
        if (!s->live[id] || s->fixed[id]) continue;
        for (int k = 0; k < node->ninputs; k++) s->live[node->inputs[k]] = true;
    }
}

/* -- Values and steps -- */

static int value_add(Plan *p, Tensor *tensor, Home home) {
    ARENA_GROW(p->arena, p->values, p->nvalues, p->value_room, 64);
    int v = p->nvalues++;
    p->values[v] = (Value){.tensor = tensor, .base = v, .step = -1, .last = -1, .whole = -1, .home = home};
    return v;
}

static int value_view(Plan *p, int of, Tensor *tensor) {
    int v = value_add(p, tensor, p->values[of].home);
    p->values[v].base = p->values[of].base;
    return v;
}

static Step *step_add(Plan *p, Op op, Span span, int n) {
    ARENA_GROW(p->arena, p->steps, p->nsteps, p->step_room, 64);
    Step *s = &p->steps[p->nsteps++];
    *s = (Step){.op = op, .span = span, .rank = p->nsteps, .n = n, .in = ARENA_ARRAY(p->arena, int, n), .out = -1};
    return s;
}

static int step_output(Plan *p, Step *s, Shape shape) {
    s->out = value_add(p, tensor_borrow(p->arena, shape, PLAN_ORIGIN), HOME_BUFFER);
    p->values[s->out].step = (int)(s - p->steps);
    return s->out;
}

static int add_copy(Plan *p, int from, Span span) {
    Step *s = step_add(p, OP_COPY, span, 1);
    s->in[0] = from;
    return step_output(p, s, p->values[from].tensor->shape);
}

static Tensor *keep_constant(Plan *p, const Tensor *t) { return constant_keep(p->ctx, p->arena, t); }

static int add_input(Plan *p, const Node *node) {
    int v = value_add(p, tensor_borrow(p->arena, node->value->shape, PLAN_ORIGIN), HOME_INPUT);
    p->values[v].slot = node->attr->slot;
    p->values[v].start = node->attr->start;
    return v;
}

static int add_view(Plan *p, const Operands *o, const Node *node, int from) {
    Shape shape = node->value->shape;
    if (node->op == OP_RESHAPE && !tensor_can_reshape(o->in[0], shape)) {
        from = add_copy(p, from, node->span);
        const Tensor *dense = p->values[from].tensor;
        Operands again = *o;
        again.in = &dense;
        return value_view(p, from, op_view(&again, shape));
    }
    return value_view(p, from, op_view(o, shape));
}

/* A constant matrix with its long side dense, for products with vectors (lines_products.c), which give the same bits for
 * any layout. X and its transpose share one. */
typedef struct Relaid {
    struct Relaid *next;
    const real *from;
    int64_t count, length, step, stride; /* of the short and the long side */
    real *numbers;                       /* [count, lead], aligned */
    int64_t lead;
} Relaid;

enum { WHOLE = ALIGNMENT / sizeof(real), PAGE = 4096 / sizeof(real) };

static const Relaid *relay(Plan *p, const real *from, int64_t count, int64_t step, int64_t length, int64_t stride) {
    for (const Relaid *r = p->relaid; r; r = r->next)
        if (r->from == from && r->count == count && r->length == length && r->step == step && r->stride == stride)
            return r;
    int64_t lead = (length + WHOLE - 1) / WHOLE * WHOLE;
    if (lead % PAGE == 0) lead += WHOLE; /* columns a page apart would compete for the same lines of the cache */
    uintptr_t room = (uintptr_t)ARENA_ARRAY(p->arena, real, count * lead + WHOLE);
    Relaid *r = ARENA_NEW(p->arena, Relaid);
    *r = (Relaid){p->relaid, from, count, length, step, stride, NULL, lead};
    r->numbers = (real *)((room + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < length; k++) r->numbers[i * lead + k] = from[i * step + k * stride];
    return p->relaid = r;
}

/* `original`: where the tape has it. */
static int dense_long_side(Plan *p, const Node *node, const Operands *o, int k, int v, const real *original) {
    enum { MOST = 1 << 22 }; /* beyond, memory is what counts */
    const Tensor *t = o->in[k];
    Shape out = node->value->shape;
    if (p->values[v].home != HOME_CONSTANT || t->shape.rank != 2 || shape_size(t->shape) > MOST) return v;
    int64_t K = o->in[0]->shape.dim[o->in[0]->shape.rank - 1];
    bool vector = out.dim[out.rank - 1 - k] == 1; /* the other operand */
    if (!vector || !product_by_lines(out.dim[out.rank - 2], out.dim[out.rank - 1], K)) return v;
    int side = t->shape.dim[0] >= t->shape.dim[1] ? 0 : 1;
    if (t->stride[side] == 1 || t->shape.dim[side] < 2 || t->shape.dim[!side] < 2) return v;
    const Relaid *r = relay(p, original, t->shape.dim[!side], t->stride[!side], t->shape.dim[side], t->stride[side]);
    Tensor *fresh = arena_copy(p->arena, t, sizeof *t);
    fresh->data = r->numbers;
    fresh->storage = NULL;
    fresh->stride[side] = 1;
    fresh->stride[!side] = r->lead;
    return value_add(p, fresh, HOME_CONSTANT);
}

/* Constant indices that were looked at: those of a gather and of its adjoint are the same. */
typedef struct KnownIndex {
    struct KnownIndex *next;
    int value, batch;
    bool inside;
    Indexed known;
} KnownIndex;

static const Indexed *known_index(Plan *p, const Step *s) {
    int v = s->in[1], batch = s->attr->dim;
    int64_t K = p->values[s->op == OP_GATHER ? s->in[0] : s->out].tensor->shape.dim[batch];
    if (p->values[v].home != HOME_CONSTANT || !optimise_enabled()) return NULL;
    KnownIndex *i = p->indices;
    while (i && (i->value != v || i->batch != batch || i->known.K != K)) i = i->next;
    if (!i) {
        i = ARENA_NEW(p->arena, KnownIndex);
        *i = (KnownIndex){.next = p->indices, .value = v, .batch = batch};
        i->inside = indexed_make(&i->known, p->arena, p->values[v].tensor, K, batch);
        p->indices = i;
    }
    Shape out = p->values[s->out].tensor->shape;
    bool numbers = out.rank == batch + 1; /* not rows of them */
    if (i->inside && s->op == OP_SCATTER_ADD && numbers && !i->known.tiles) indexed_order(&i->known, p->arena);
    return i->inside ? &i->known : NULL;
}

static int add_operation(Plan *p, const Operands *o, const Node *node, int *in) {
    if (op_class(node->op) == CLASS_CALL)
        for (int k = 0; k < o->n; k++) {
            bool copy;
            const Tensor *wanted = kernel_operand(o, k, &copy);
            if (wanted != o->in[k]) in[k] = value_view(p, in[k], arena_copy(p->arena, wanted, sizeof *wanted));
            if (copy) in[k] = add_copy(p, in[k], node->span);
        }
    Step *s = step_add(p, node->op, node->span, o->n);
    s->backward = node->backward;
    memcpy(s->in, in, (size_t)o->n * sizeof *in);
    s->attr = o->attr;
    int out = step_output(p, s, node->value->shape);
    if (node->op == OP_GATHER || node->op == OP_SCATTER_ADD) s->indexed = known_index(p, s);
    return out;
}

static void add_guard(Plan *p, const Node *node, int watched) {
    Step *s = step_add(p, OP_GUARD, node->span, 1);
    s->in[0] = watched;
    s->expected = keep_constant(p, node->value);
}

static void add_node(Plan *p, Survey *s, NodeId id) {
    const Node *node = &s->t->nodes[id];
    if (s->fixed[id]) {
        s->value[id] = value_add(p, keep_constant(p, node->value), HOME_CONSTANT);
        return;
    }
    if (node->op == OP_INPUT) {
        s->value[id] = add_input(p, node);
        return;
    }
    int n = node->ninputs, *in = ARENA_ARRAY(s->scratch, int, n);
    const Tensor **tensors = ARENA_ARRAY(s->scratch, const Tensor *, n);
    for (int k = 0; k < n; k++) {
        in[k] = s->value[node->inputs[k]];
        tensors[k] = p->values[in[k]].tensor;
    }
    for (int k = 0; k < n && node->op == OP_MATMUL; k++) {
        const Operands o = {.n = n, .in = tensors};
        in[k] = dense_long_side(p, node, &o, k, in[k], s->t->nodes[node->inputs[k]].value->data);
        tensors[k] = p->values[in[k]].tensor;
    }
    const OpAttr *attr = node->attr ? attr_copy(p->arena, node->attr) : NULL;
    Operands o = {.ctx = p->ctx, .arena = p->arena, .op = node->op, .n = n, .in = tensors, .attr = attr};
    if (node->op == OP_GUARD)
        add_guard(p, node, in[0]);
    else if (op_class(node->op) == CLASS_VIEW)
        s->value[id] = add_view(p, &o, node, in[0]);
    else
        s->value[id] = add_operation(p, &o, node, in);
}

/* An output is dense and stays where it is until the next run. */
static int add_output(Plan *p, int v, real *place) {
    const Value *value = &p->values[v];
    bool own = value->home == HOME_BUFFER && value->base == v;
    if (place && !own) v = add_copy(p, v, SPAN_NONE);
    if (!place && (value->home == HOME_INPUT || !tensor_is_dense(value->tensor))) v = add_copy(p, v, SPAN_NONE);
    if (place) {
        p->values[v].home = HOME_PLACE;
        p->values[v].tensor->data = place;
    }
    p->values[p->values[v].base].last = PLAN_FOREVER;
    return v;
}

/* -- Places in the buffer -- */

typedef struct Gap {
    size_t start, size;
} Gap;

/* Numbers get slots of their size, arrays aligned stretches, each of a region of its own. */
typedef struct Room {
    size_t *slots; /* free ones */
    int nslots;
    size_t slots_end;
    Gap *gaps; /* free stretches by address */
    int ngaps;
    size_t end;
} Room;

static size_t stretch_of(const Value *v) {
    size_t bytes = (size_t)shape_size(v->tensor->shape) * sizeof(real);
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool is_number(const Value *v) { return shape_size(v->tensor->shape) <= 1; }

static size_t room_take(Room *r, const Value *v) {
    if (is_number(v)) {
        if (r->nslots) return r->slots[--r->nslots];
        r->slots_end += sizeof(real);
        return r->slots_end - sizeof(real);
    }
    size_t size = stretch_of(v);
    int best = -1;
    for (int k = 0; k < r->ngaps; k++)
        if (r->gaps[k].size >= size && (best < 0 || r->gaps[k].size < r->gaps[best].size)) best = k;
    if (best < 0) {
        r->end += size;
        return r->end - size;
    }
    size_t start = r->gaps[best].start;
    r->gaps[best].start += size;
    r->gaps[best].size -= size;
    if (r->gaps[best].size == 0) memmove(r->gaps + best, r->gaps + best + 1, (size_t)(--r->ngaps - best) * sizeof(Gap));
    return start;
}

static void room_give(Room *r, const Value *v) {
    if (is_number(v)) {
        r->slots[r->nslots++] = v->place;
        return;
    }
    size_t size = stretch_of(v);
    int at = 0;
    while (at < r->ngaps && r->gaps[at].start < v->place) at++;
    bool before = at > 0 && r->gaps[at - 1].start + r->gaps[at - 1].size == v->place;
    bool after = at < r->ngaps && v->place + size == r->gaps[at].start;
    if (before && after) {
        r->gaps[at - 1].size += size + r->gaps[at].size;
        memmove(r->gaps + at, r->gaps + at + 1, (size_t)(--r->ngaps - at) * sizeof(Gap));
    } else if (before) {
        r->gaps[at - 1].size += size;
    } else if (after) {
        r->gaps[at].start -= size;
        r->gaps[at].size += size;
    } else {
        memmove(r->gaps + at + 1, r->gaps + at, (size_t)(r->ngaps++ - at) * sizeof(Gap));
        r->gaps[at] = (Gap){v->place, size};
    }
}

static void find_last_uses(Plan *p) {
    for (int s = 0; s < p->nsteps; s++) {
        for (int k = 0; k < p->steps[s].n; k++) {
            Value *base = &p->values[p->values[p->steps[s].in[k]].base];
            int read = s + p->steps[s].taken;
            if (base->last < read) base->last = read;
        }
        if (p->steps[s].out >= 0 && p->values[p->steps[s].out].last < s) p->values[p->steps[s].out].last = s;
    }
}

/* -- Parts of a CONCAT are computed where it would copy them to, if they follow each other there and are arrays of the
 * buffer -- */

static bool can_be_part(const Plan *p, int v) {
    const Value *part = &p->values[v], *base = &p->values[part->base];
    return base->home == HOME_BUFFER && base->whole < 0 && !base->has_parts && base->step >= 0 &&
           part->tensor->data == base->tensor->data && tensor_is_dense(part->tensor) &&
           shape_size(part->tensor->shape) == shape_size(base->tensor->shape);
}

static void join_parts(Plan *p, const Step *s) {
    Value *out = &p->values[s->out];
    for (int d = 0; d < s->attr->dim; d++)
        if (out->tensor->shape.dim[d] != 1) return;
    int64_t element = 0;
    for (int k = 0; k < s->n; k++) {
        int v = s->in[k];
        Value *base = &p->values[p->values[v].base];
        int64_t n = shape_size(p->values[v].tensor->shape);
        if (n > 0 && can_be_part(p, v)) {
            base->whole = s->out;
            base->element = element;
            out->has_parts = true;
            if (out->last < base->last) out->last = base->last;
        }
        element += n;
    }
}

static void take_place(Plan *p, Room *room, bool *placed, int v) {
    Value *value = &p->values[v];
    if (value->whole >= 0) {
        const Value *whole = &p->values[value->whole];
        take_place(p, room, placed, value->whole);
        value->home = whole->home;
        value->place = whole->place + (size_t)value->element * sizeof(real);
        if (whole->home == HOME_PLACE) value->tensor->data = whole->tensor->data + value->element;
    } else if (value->home == HOME_BUFFER && !placed[v]) {
        value->place = room_take(room, value);
    }
    placed[v] = true;
}

static void release(Plan *p, Room *room, bool *released, int v, int end) {
    int b = p->values[v].base;
    if (p->values[b].whole >= 0) b = p->values[b].whole;
    if (p->values[b].home != HOME_BUFFER || p->values[b].last >= end || released[b]) return;
    released[b] = true;
    room_give(room, &p->values[b]);
}

/* The outputs of a unit are placed before what dies in it is given back: none writes where one reads. */
static void place_values(Plan *p, Arena *scratch) {
    Room room = {.slots = ARENA_ARRAY(scratch, size_t, p->nsteps + 1),
                 .gaps = ARENA_ARRAY(scratch, Gap, p->nsteps + 1)};
    bool *released = ARENA_ARRAY(scratch, bool, p->nvalues), *placed = ARENA_ARRAY(scratch, bool, p->nvalues);
    for (int u = 0; u < p->nunits; u++) {
        int first = p->units[u].first, end = first + p->units[u].count;
        for (int s = first; s < end; s++)
            if (p->steps[s].out >= 0 && !p->steps[s].taken) take_place(p, &room, placed, p->steps[s].out);
        for (int s = first; s < end; s++) {
            for (int k = 0; k < p->steps[s].n; k++) release(p, &room, released, p->steps[s].in[k], end);
            if (p->steps[s].out >= 0 && !p->steps[s].taken) release(p, &room, released, p->steps[s].out, end);
        }
    }
    size_t numbers = (room.slots_end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    for (int v = 0; v < p->nvalues; v++)
        if (p->values[v].home == HOME_BUFFER && p->values[v].base == v &&
            !is_number(&p->values[p->values[v].whole >= 0 ? p->values[v].whole : v]))
            p->values[v].place += numbers;
    p->bytes = numbers + room.end;
}

/* Room for what the live nodes come to, as a rule. */
static void reserve(Plan *p, const Survey *s) {
    int values = 0, steps = 0;
    for (NodeId id = 0; id < s->t->nnodes; id++) {
        values += s->live[id];
        steps += s->live[id] && op_class(s->t->nodes[id].op) != CLASS_VIEW && op_class(s->t->nodes[id].op) != CLASS_SOURCE;
    }
    p->values = ARENA_ARRAY(p->arena, Value, p->value_room = values + values / 4 + 16);
    p->steps = ARENA_ARRAY(p->arena, Step, p->step_room = steps + steps / 4 + 16);
}

void plan_make(Plan *p, const Tape *t, int n, const Var *outputs, real *const *place) {
    Arena *scratch = arena_new();
    int nodes = t->nnodes;
    Survey s = {.t = t,
                .scratch = scratch,
                .fixed = ARENA_ARRAY(scratch, bool, nodes),
                .live = ARENA_ARRAY(scratch, bool, nodes),
                .value = ARENA_ARRAY(scratch, int, nodes)};
    for (NodeId id = 0; id < nodes; id++) s.fixed[id] = is_fixed(&s, &t->nodes[id]);
    find_live(&s, n, outputs);
    reserve(p, &s);
    for (NodeId id = 0; id < nodes; id++) {
        s.value[id] = -1;
        if (s.live[id]) add_node(p, &s, id);
    }
    p->noutputs = n;
    p->outputs = ARENA_ARRAY(p->arena, int, n);
    for (int k = 0; k < n; k++) {
        int v = var_is_taped(outputs[k]) ? s.value[outputs[k].node]
                                         : value_add(p, keep_constant(p, outputs[k].value), HOME_CONSTANT);
        p->outputs[k] = add_output(p, v, place ? place[k] : NULL);
    }
    if (optimise_enabled()) plan_pairs(p, scratch);
    plan_units(p, scratch, optimise_enabled());
    find_last_uses(p);
    plan_slots(p, scratch);
    for (int k = 0; k < p->nsteps && optimise_enabled(); k++)
        if (p->steps[k].op == OP_CONCAT) join_parts(p, &p->steps[k]);
    place_values(p, scratch);
    arena_free(scratch);
}
