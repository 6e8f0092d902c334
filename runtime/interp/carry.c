/* Numbers that the steps of a loop carry, under a name or as elements of a list (v[t - 1]): those of all steps, before its body
 * runs for all of them at once.
 *
 *     for t in 2..T { s = sqrt(a + b * y[t - 1]^2 + c * s^2);  y[t] ~ Normal(m, s) }
 *
 * The body runs with a variable of the tape in the place of what each step finds. What leads from there to what it leaves is
 * the body of a recurrence (op_scan), which gives the numbers of all steps; then the body runs again with these. What a step
 * leaves that does not depend on any of them is known at once: it is moved by one. */
#include <string.h>

#include "interp/array.h"
#include "interp/cells.h"
#include "interp/internal.h"

enum { MOST_ROUNDS = 6 };

/* A name that has a number before the loop, or the elements of a list `lag` steps back. */
typedef struct Carried {
    Value *before;      /* what each step finds; of a name, in the run */
    int slot;
    const Cells *list;  /* NULL: a name */
    int64_t lag;
    bool known;         /* `before` is what it will be */
    Value first, after; /* before the loop; after each step */
    Op inside;          /* OP_SQRT, OP_EXP: what is carried is the operand of that, for steps undo it; else OP_COPY */
    bool plain;         /* steps do not */
    Var state;
} Carried;

typedef struct Carry Carry;
struct Carry {
    LoopRun *r;
    Interp *in;
    Tape *t;
    Carried list[LOOP_LOCALS];
    int n, naxes;
    const Axis *axes[MAX_AXES]; /* of all that are carried; the loop's is the last */
    NodeId from;                /* the nodes of the round at work */
    bool more, done;            /* another round is needed; all is found */
};

static _Noreturn void refuse(Carry *c, const char *why) {
    loop_split(c->in, c->r->axis, c->r->s->span, why);
}

static bool is_number(Interp *in, Value v, Span at) {
    if (v.kind == VALUE_NUMBER) return !v.boolean;
    return v.kind == VALUE_ARRAY && !v.u.array->boolean && !v.u.array->missing && value_event_shape(in, v, at).rank == 0;
}

/* True: some were not known of. */
static bool add_axes(Carry *c, Value v) {
    const Axis *all[2 * MAX_AXES];
    int before = c->naxes;
    if (v.kind != VALUE_ARRAY) return false;
    c->naxes = axes_union(c->in, c->naxes, c->axes, v.u.array->naxes, v.u.array->axes, all);
    memcpy(c->axes, all, sizeof *all * (size_t)c->naxes);
    if (c->axes[c->naxes - 1] != c->r->axis) refuse(c, "it leaves summed values to the next step");
    return c->naxes > before;
}

static Var with_axes(Carry *c, Value v, int naxes) {
    return value_array(c->in, array_expand_axes(c->in, v, naxes, c->axes), c->r->s->span, "a number").var;
}

static Var first_state(Carry *c, const Carried *x, int naxes) {
    Op undo = x->inside == OP_SQRT ? OP_SQUARE : OP_LOG;
    return with_axes(c, x->inside == OP_COPY ? x->first : array_apply(c->in, undo, 1, &x->first, c->r->s->span), naxes);
}

static Value found(Carry *c, const Carried *x, Var state) {
    Value v = value_var(c->in, state, c->naxes, c->axes);
    return x->inside == OP_COPY ? v : array_apply(c->in, x->inside, 1, &v, c->r->s->span);
}

static Carried *find(Carry *c, const Cells *list, int64_t lag) {
    for (int k = 0; k < c->n; k++)
        if (c->list[k].list == list && c->list[k].lag == lag) return &c->list[k];
    return NULL;
}

static void stand_in(Carry *c, Carried *x) {
    x->state = tape_variable(c->t, first_state(c, x, c->naxes));
    *x->before = found(c, x, x->state);
}

/* The body for all steps, with variables in the place of what is not known; then as if it had not run, but its nodes stay. */
static void run_round(Carry *c) {
    BodyMark m = c->r->mark;
    c->from = c->t->nnodes;
    for (int k = 0; k < c->n; k++) {
        Carried *x = &c->list[k];
        if (x->known) continue;
        stand_in(c, x);
    }
    loop_run_body(c->r);
    for (int k = 0; k < c->n; k++) {
        Carried *x = &c->list[k];
        x->after = !x->list ? c->r->f->slots[x->slot] : x->lag > 1 ? *find(c, x->list, x->lag - 1)->before : x->list->steps;
    }
    m.nodes = c->t->nnodes;
    body_undo(c->in, c->r->f, &m, c->r->axis);
}

/* Does a node, or another name, read what steps find under this name? */
static bool is_read(const Carry *c, const Carried *x) {
    NodeId id = x->before->u.array->var.node;
    for (NodeId reader = c->from; reader < c->t->nnodes; reader++)
        for (int k = 0; k < c->t->nodes[reader].ninputs; k++)
            if (c->t->nodes[reader].inputs[k] == id) return true;
    for (int k = 0; k < c->n; k++) {
        const Carried *y = &c->list[k];
        if (y != x && !y->known && y->after.kind == VALUE_ARRAY && y->after.u.array->var.node == id) return true;
    }
    return false;
}

static Value moved_by_one(Carry *c, const Carried *x) {
    Span at = c->r->s->span;
    Value steps = array_expand_axes(c->in, x->after, 1, &c->r->axis);
    Value all = cells_from_steps(c->in, 1, &x->first, steps, c->r->axis, c->r->axis->size - 1, at);
    return array_event_to_axis(c->in, all, c->r->axis, at);
}

/* Learns from a round; false: nothing that another one would show. */
static bool learn(Carry *c, Carried *x, const bool *depends) {
    if (!x->list && !is_read(c, x) && (x->inside == OP_COPY || !is_number(c->in, x->after, c->r->s->span))) {
        x->known = true; /* bound anew before it is read, if at all */
        *x->before = value_none();
        return false;
    }
    if (!is_number(c->in, x->after, c->r->s->span))
        refuse(c, "steps leave something else than numbers to the next ones");
    if (has_enum_axis(x->after)) refuse(c, "steps leave summed values to the next ones");
    NodeId id = x->after.kind == VALUE_ARRAY ? x->after.u.array->var.node : NODE_NONE;
    if (id < c->from || !depends[id - c->from]) {
        x->known = true;
        *x->before = moved_by_one(c, x);
        return true;
    }
    bool more = add_axes(c, x->after);
    Op op = c->t->nodes[id].op, inside = op == OP_SQRT || op == OP_EXP ? op : OP_COPY;
    x->plain = x->plain || (x->inside != OP_COPY && (is_read(c, x) || inside != x->inside));
    if (x->plain) inside = OP_COPY;
    more = more || inside != x->inside;
    x->inside = inside;
    return more;
}

static bool learn_all(Carry *c) {
    Var states[LOOP_LOCALS];
    int n = 0;
    bool more = c->more;
    c->more = false;
    for (int k = 0; k < c->n; k++)
        if (!c->list[k].known) states[n++] = c->list[k].state;
    const bool *depends = tape_depends(c->t, c->from, n, states);
    for (int k = 0; k < c->n; k++)
        if (!c->list[k].known) more = learn(c, &c->list[k], depends) || more;
    return more;
}

/* What is carried, by one operation. */
static void compute(Carry *c, bool recording) {
    Carried *open[SCAN_STATES];
    Var states[SCAN_STATES], next[SCAN_STATES], in[SCAN_STATES + SCAN_OPERANDS];
    int n = 0;
    Shape whole = {.rank = c->naxes};
    for (int d = 0; d < c->naxes; d++) whole.dim[d] = c->axes[d]->size;
    for (int k = 0; k < c->n; k++) {
        Carried *x = &c->list[k];
        if (x->known) continue;
        if (n == SCAN_STATES) refuse(c, "steps leave many numbers to the next ones");
        open[n] = x, states[n] = x->state, next[n] = x->after.u.array->var;
        NodeId inside = c->t->nodes[next[n].node].inputs[0];
        if (x->inside != OP_COPY) next[n] = (Var){c->t->nodes[inside].value, inside};
        n++;
    }
    if (n == 0) return;
    int64_t steps = c->r->axis->size; /* arrays longer than the loop are quicker one after the other */
    if (shape_size(whole) > steps * steps) refuse(c, "each of them computes more numbers than there are steps");
    const ScanBody *body = scan_find(c->t, c->from, whole, n, states, next, in + n);
    if (!body) refuse(c, "what steps leave to the next ones is not computed number by number");
    for (int k = 0; k < n; k++) in[k] = first_state(c, open[k], c->naxes - 1);
    for (int k = 0; k < n + body->noperands && !recording; k++) in[k].node = NODE_NONE;
    c->t->recording = recording;
    Var all = op_scan(c->t, body, whole, in);
    for (int k = 0; k < n; k++)
        *open[k]->before = found(c, open[k], scan_states(c->t, all, k, 0));
}

Value loop_carried(LoopRun *r, const Cells *list, int64_t lag, const Value *head) {
    Carry *c = r->carry;
    if (!c) {
        r->elements = true;
        return value_none();
    }
    for (int64_t back = 1; back <= lag && !c->done; back++) { /* each is what the one before it was */
        if (find(c, list, back)) continue;
        if (c->n == LOOP_LOCALS || !is_number(r->in, head[lag - back], r->s->span)) return value_none();
        Carried *x = &c->list[c->n];
        *x = (Carried){.list = list, .lag = back, .first = head[lag - back], .inside = OP_COPY, .plain = back > 1};
        x->before = ARENA_NEW(r->in->arena, Value);
        c->more = add_axes(c, x->first) || c->more;
        stand_in(c, x);
        c->n++;
    }
    const Carried *x = find(c, list, lag);
    return x ? *x->before : value_none();
}

void loop_find_carried(LoopRun *r) {
    Carry *c = ARENA_NEW(r->in->arena, Carry);
    *c = (Carry){.r = r, .in = r->in, .t = r->in->tape, .naxes = 1, .axes = {r->axis}};
    r->carry = NULL;
    for (int k = 0; k < r->locals.n; k++) {
        Value v = r->f->slots[r->locals.slots[k]];
        if (!is_number(r->in, v, r->s->span)) continue;
        c->list[c->n++] = (Carried){.before = &r->before[k], .slot = r->locals.slots[k], .first = v, .inside = OP_COPY};
        add_axes(c, v);
    }
    if (c->n == 0 && !r->elements) return;
    r->carry = c;
    bool recording = c->t->recording, more = true;
    c->t->recording = true;
    r->shares = tape_share(c->t, c->t->nnodes);
    for (int round = 0; more; round++) {
        if (round == MOST_ROUNDS) refuse(c, "steps leave too much to the next ones");
        run_round(c);
        more = learn_all(c);
    }
    compute(c, recording);
    c->done = true;
    c->t->recording = recording;
    if (!recording) body_undo(r->in, r->f, &r->mark, r->axis);
}
