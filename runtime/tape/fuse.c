/* Fusion: elementwise steps over equally long arrays, what they gather by known indices, and the sums that end them, become
 * one loop over blocks that stay in the first-level cache.
 *
 * Steps are put into another order for that: first what is not elementwise or is short, then as many long elementwise
 * steps of one length as are ready, and again. A step joins a group that computes one of its operands if it reads that
 * operand element by element; what reads it otherwise, or reads a sum, waits for the group to end. */
#include <assert.h>
#include <string.h>

#include "tape/indexed.h"
#include "tape/plan.h"

enum { LEAST = 512, LEAST_COLUMNS = 256, MOST_LENGTHS = 32, MOST_STEPS = 96 };

/* How a step may be run: 0 rows: by itself. 1 row: any rows will do (unless it sums). */
typedef struct Form {
    int64_t size, rows;
    bool sum;
} Form;

/* Step numbers, least first. */
typedef struct Queue {
    int *steps, n;
    int64_t size; /* of the arrays; 0: the queue of what runs by itself */
} Queue;

typedef struct Edge {
    int step;           /* that waits */
    int reader, operand; /* which one reads, it or the one it takes */
    int next;           /* of the same producer, -1: none */
} Edge;

typedef struct Schedule {
    Plan *p;
    Arena *scratch;
    Form *form;
    int *edges; /* by step: the first of those that read its output */
    Edge *edge;
    int *wanted; /* by step: operands not yet computed */
    Queue queues[1 + MOST_LENGTHS];
    int nqueues;
    int *order, count; /* steps in their new order */
    bool open;         /* a group */
    int group;         /* its first step in `order` */
    Form whole;        /* its form; rows 0: open to any */
    int *late, nlate;  /* steps that wait for the end of the group, by operand */
} Schedule;

/* -- Forms -- */

static const Tensor *tensor_of(const Plan *p, int v) { return p->values[v].tensor; }

static Form form_of_sum(const Plan *p, const Step *s) {
    const Tensor *in = tensor_of(p, s->in[0]);
    int64_t length, stride, size = shape_size(in->shape);
    reduce_plan(in, __builtin_popcount(s->attr->dims), &length, &stride);
    if (stride != 1 || size < LEAST || length < LEAST_COLUMNS || !tensor_is_dense(in)) return (Form){0};
    return (Form){size, size / length, true};
}

/* Numbers by indices that are known, the same for each row. */
static Form form_of_gather(const Plan *p, const Step *s) {
    int64_t size = shape_size(tensor_of(p, s->out)->shape);
    bool numbers = tensor_of(p, s->in[0])->shape.rank == s->attr->dim + 1;
    if (!s->indexed || s->indexed->B != 1 || !numbers || size < LEAST || s->indexed->M < LEAST_COLUMNS) return (Form){0};
    return (Form){size, size / s->indexed->M, false};
}

static Form form_of(const Plan *p, const Step *s) {
    if (s->out < 0 || s->taken) return (Form){0};
    if (s->op == OP_SUM) return form_of_sum(p, s);
    if (s->op == OP_GATHER) return form_of_gather(p, s);
    const Tensor *out = tensor_of(p, s->out), *in[EW_MAX];
    if (op_class(s->op) != CLASS_EW || shape_size(out->shape) < LEAST) return (Form){0};
    int values[EW_MAX], n = step_operands(p, s, values);
    for (int k = 0; k < n; k++) in[k] = tensor_of(p, values[k]);
    EwLoop loop;
    ew_prepare(&loop, s->op, out, n, in);
    int last = loop.rank - 1;
    for (int k = 0; k < n; k++)
        if (loop.stride[k][last] != 0 && loop.stride[k][last] != 1) return (Form){0};
    if (loop.rank > 2 || (loop.rank == 2 && loop.dim[1] < LEAST_COLUMNS)) return (Form){0};
    return (Form){shape_size(out->shape), loop.rank == 2 ? loop.dim[0] : 1, false};
}

/* Does the step read operand k in the order in which it is computed? */
static bool reads_in_order(const Plan *p, const Step *s, const Form *f, int k) {
    const Tensor *t = tensor_of(p, s->in[k]), *base = tensor_of(p, p->values[s->in[k]].base);
    return s->op != OP_GATHER && t->data == base->data && shape_size(t->shape) == f->size && shape_size(base->shape) == f->size &&
           tensor_is_dense(t);
}

static bool joins(const Schedule *s, int step) {
    const Form *f = &s->form[step];
    if (f->size != s->whole.size || s->count - s->group >= MOST_STEPS) return false;
    return s->whole.rows == 0 || f->rows == s->whole.rows || (f->rows == 1 && !f->sum);
}

/* -- Ready steps -- */

static void queue_push(Queue *q, int step) {
    int at = q->n++;
    for (; at > 0 && q->steps[(at - 1) / 2] > step; at = (at - 1) / 2) q->steps[at] = q->steps[(at - 1) / 2];
    q->steps[at] = step;
}

static int queue_pop(Queue *q) {
    int first = q->steps[0], moved = q->steps[--q->n], at = 0;
    for (int child; (child = 2 * at + 1) < q->n; at = child) {
        if (child + 1 < q->n && q->steps[child + 1] < q->steps[child]) child++;
        if (q->steps[child] >= moved) break;
        q->steps[at] = q->steps[child];
    }
    q->steps[at] = moved;
    return first;
}

static Queue *queue_for(Schedule *s, int step) {
    int64_t size = s->form[step].rows ? s->form[step].size : 0;
    for (int k = 0; k < s->nqueues; k++)
        if (s->queues[k].size == size) return &s->queues[k];
    if (s->nqueues == 1 + MOST_LENGTHS) {
        s->form[step] = (Form){0};
        return &s->queues[0];
    }
    s->queues[s->nqueues] = (Queue){.steps = ARENA_ARRAY(s->scratch, int, s->p->nsteps + 1), .size = size};
    return &s->queues[s->nqueues++];
}

static void operand_ready(Schedule *s, int step) {
    if (--s->wanted[step] == 0) queue_push(queue_for(s, step), step);
}

static void emit(Schedule *s, int step) {
    if (s->p->steps[step].takes) s->order[s->count++] = (int)(step_taken(s->p, &s->p->steps[step]) - s->p->steps);
    s->order[s->count++] = step;
    bool sum = s->form[step].sum;
    for (int e = s->edges[step]; e >= 0; e = s->edge[e].next) {
        int reader = s->edge[e].step;
        const Form *f = &s->form[reader];
        bool at_once = !s->open || (!sum && f->size == s->whole.size && f->rows > 0 &&
                                    reads_in_order(s->p, &s->p->steps[s->edge[e].reader], f, s->edge[e].operand));
        if (at_once)
            operand_ready(s, reader);
        else
            s->late[s->nlate++] = reader;
    }
}

/* All that is ready, or becomes ready on the way, of one length. */
static void emit_group(Schedule *s, Queue *q) {
    int *other = ARENA_ARRAY(s->scratch, int, s->p->nsteps), nother = 0;
    s->open = true;
    s->group = s->count;
    s->whole = (Form){.size = q->size};
    while (q->n > 0) {
        int step = queue_pop(q);
        if (!joins(s, step)) {
            other[nother++] = step;
            continue;
        }
        if (s->form[step].rows > 1 || s->form[step].sum) s->whole.rows = s->form[step].rows;
        emit(s, step);
    }
    s->open = false;
    for (int k = 0; k < nother; k++) queue_push(q, other[k]);
    int nlate = s->nlate;
    s->nlate = 0;
    for (int k = 0; k < nlate; k++) operand_ready(s, s->late[k]);
}

/* f: NULL for a single step. */
static void add_unit(Plan *p, int first, int count, const Form *f) {
    Unit *u = &p->units[p->nunits++];
    *u = (Unit){first, count, 0, 0, 0};
    if (f) u->rows = f->rows ? f->rows : 1, u->columns = f->size / u->rows;
}

static void run_schedule(Schedule *s) {
    Plan *p = s->p;
    for (;;) {
        Queue *first = NULL;
        if (s->queues[0].n > 0) {
            int start = s->count;
            emit(s, queue_pop(&s->queues[0]));
            add_unit(p, start, s->count - start, NULL);
            continue;
        }
        for (int k = 1; k < s->nqueues; k++) {
            Queue *q = &s->queues[k];
            if (q->n > 0 && (!first || q->steps[0] < first->steps[0])) first = q;
        }
        if (!first) break;
        emit_group(s, first);
        int count = s->count - s->group;
        add_unit(p, s->group, count, count > 1 + p->steps[s->order[s->group]].taken ? &s->whole : NULL);
    }
    assert(s->count == p->nsteps);
}

static void put_in_order(Plan *p, Arena *scratch, const int *order) {
    Step *steps = arena_copy(scratch, p->steps, sizeof *steps * (size_t)p->nsteps);
    for (int k = 0; k < p->nsteps; k++) {
        p->steps[k] = steps[order[k]];
        if (p->steps[k].out >= 0) p->values[p->steps[k].out].step = k;
    }
}

static void find_edges(Schedule *s) {
    Plan *p = s->p;
    int n = p->nsteps, operands = 0, nedges = 0, *by = ARENA_ARRAY(s->scratch, int, n + 1);
    for (int k = 0; k < n; k++) {
        operands += p->steps[k].n;
        by[k] = k;
        if (p->steps[k].takes) by[step_taken(p, &p->steps[k]) - p->steps] = k;
    }
    s->edges = ARENA_ARRAY(s->scratch, int, n + 1), s->edge = ARENA_ARRAY(s->scratch, Edge, operands + 1);
    s->late = ARENA_ARRAY(s->scratch, int, operands + 1), s->wanted = ARENA_ARRAY(s->scratch, int, n + 1);
    for (int k = 0; k < n; k++) s->edges[k] = -1;
    for (int k = n - 1; k >= 0; k--)
        for (int j = 0; j < p->steps[k].n; j++) {
            int from = p->values[p->values[p->steps[k].in[j]].base].step;
            if (from < 0 || p->steps[from].taken) continue;
            s->edge[nedges] = (Edge){by[k], k, j, s->edges[from]};
            s->edges[from] = nedges++;
            s->wanted[by[k]]++;
        }
}

/* -- Short steps, in the order in which guards and then outputs, one after the other, need them: what an instruction
 * gives is at hand for the next, and what only the last outputs need keeps no other waiting -- */

static int step_of(const Plan *p, int value) { return p->values[p->values[value].base].step; }

static void order_by_need(Plan *p, Arena *scratch) {
    int n = p->nsteps, count = 0;
    int *order = ARENA_ARRAY(scratch, int, n + 1), *stack = ARENA_ARRAY(scratch, int, n + 1);
    int *next = ARENA_ARRAY(scratch, int, n + 1); /* by step: its first operand that was not looked at; beyond: it is done */
    for (int k = 0; k < n + p->noutputs; k++) {
        int root = k < n ? (p->steps[k].out < 0 ? k : -1) : step_of(p, p->outputs[k - n]), depth = 0;
        if (root >= 0 && next[root] <= p->steps[root].n) stack[depth++] = root;
        while (depth > 0) {
            int s = stack[depth - 1], at = next[s]++;
            if (at == p->steps[s].n) {
                if (p->steps[s].takes) order[count++] = (int)(step_taken(p, &p->steps[s]) - p->steps);
                if (!p->steps[s].taken) order[count++] = s;
                depth--;
                continue;
            }
            int from = step_of(p, p->steps[s].in[at]);
            if (from >= 0 && next[from] == 0) stack[depth++] = from;
        }
    }
    assert(count == n);
    put_in_order(p, scratch, order);
}

void plan_units(Plan *p, Arena *scratch, bool fuse) {
    int n = p->nsteps, long_steps = 0;
    p->units = ARENA_ARRAY(p->arena, Unit, n + 1);
    Schedule s = {.p = p, .scratch = scratch, .form = ARENA_ARRAY(scratch, Form, n + 1), .nqueues = 1};
    for (int k = 0; k < n && fuse; k++) {
        s.form[k] = form_of(p, &p->steps[k]);
        long_steps += s.form[k].rows > 0;
    }
    if (long_steps < 2) {
        if (fuse) order_by_need(p, scratch);
        for (int k = 0, count; k < n; k += count) add_unit(p, k, count = 1 + p->steps[k].taken, NULL);
        return;
    }
    find_edges(&s);
    s.order = ARENA_ARRAY(scratch, int, n + 1);
    s.queues[0].steps = ARENA_ARRAY(scratch, int, n + 1);
    for (int k = 0; k < n; k++)
        if (s.wanted[k] == 0 && !p->steps[k].taken) queue_push(queue_for(&s, k), k);
    run_schedule(&s);
    put_in_order(p, scratch, s.order);
}

/* -- Values that live within a block -- */

void plan_slots(Plan *p, Arena *scratch) {
    int *ends = ARENA_ARRAY(scratch, int, MOST_STEPS), *slots = ARENA_ARRAY(scratch, int, MOST_STEPS);
    for (int k = 0; k < p->nunits; k++) {
        Unit *u = &p->units[k];
        if (!u->rows) continue;
        int nlocal = 0, free_slots[BLOCK_SLOTS], nfree = 0;
        for (int j = BLOCK_SLOTS - 1; j >= 0; j--) free_slots[nfree++] = j;
        for (int s = u->first; s < u->first + u->count; s++) {
            Value *v = &p->values[p->steps[s].out];
            bool local = v->home == HOME_BUFFER && v->base == p->steps[s].out && v->last < u->first + u->count &&
                         p->steps[s].op != OP_SUM && nfree > 0;
            if (local) {
                v->home = HOME_BLOCK;
                v->place = (size_t)free_slots[--nfree];
                if ((int)v->place >= u->slots) u->slots = (int)v->place + 1;
                ends[nlocal] = v->last, slots[nlocal++] = (int)v->place;
            }
            for (int j = 0; j < nlocal; j++)
                if (ends[j] == s) free_slots[nfree++] = slots[j], ends[j] = -1;
        }
    }
}
