/* Loops whose steps run all at once.
 *
 * Where the values of variables are known before they are drawn (they are a point, a guide's draws, all values of what is
 * summed out), no step of
 *     for t in 2..T { x[t] ~ Normal(x[t - 1], s);  y[t] ~ Normal(x[t], 1) }
 * waits for the one before: log densities are those of a plate whose elements read each other. Such a loop runs its body
 * once, along an axis of kind AXIS_LOOP; x[t - 1] asks the handler (effect_peek) for all x[t] and moves them by one. Numbers
 * that a step computes and later ones read are known for all steps before the body runs (carry.c). Whatever stands in the
 * way (other values that a step leaves to the next, data that are missing) makes it start over, step by step.
 */
#include <string.h>

#include "interp/array.h"
#include "interp/cells.h"
#include "interp/internal.h"

enum { LEAST_STEPS = 3 };

/* -- Which bodies may -- */

static bool counts_by(const Target *t, int step) {
    for (int k = 0; k < t->nindices; k++) {
        const Expr *e = t->indices[k];
        if (e && e->kind == EXPR_NAME && e->u.name.ref.kind == REF_LOCAL && e->u.name.ref.depth == 0 && e->u.name.ref.slot == step)
            return true;
    }
    return false;
}

typedef LoopLocals Locals;

static bool binds(Locals *l, const Target *t) {
    if (t->ref.kind != REF_LOCAL || t->ref.depth != 0) return false;
    if (t->nindices) return counts_by(t, l->step);
    for (int k = 0; k < l->n; k++)
        if (l->slots[k] == t->ref.slot) return true;
    if (l->n == LOOP_LOCALS || t->ref.slot == l->step) return false;
    l->slots[l->n++] = t->ref.slot;
    return true;
}

static bool can_run(Locals *l, const Block *b) {
    bool can = true;
    for (int k = 0; b && k < b->n && can; k++) {
        const Stmt *s = b->statements[k];
        switch (s->kind) {
        case STMT_SAMPLE:
            can = counts_by(&s->u.sample.target, l->step) &&
                  (s->u.sample.role == ROLE_OBSERVED || (s->u.sample.target.ref.kind == REF_LOCAL && s->u.sample.target.ref.depth == 0));
            break;
        case STMT_RECORD: can = s->u.assign.target.nindices > 0 && binds(l, &s->u.assign.target); break;
        case STMT_ASSIGN: can = binds(l, &s->u.assign.target); break;
        case STMT_UNPACK:
            for (int j = 0; j < s->u.unpack.n && can; j++) can = binds(l, &s->u.unpack.targets[j]);
            break;
        case STMT_IF: can = can_run(l, s->u.if_.then) && can_run(l, s->u.if_.otherwise); break;
        case STMT_PLATE: can = can_run(l, s->u.plate.body); break;
        case STMT_OBSERVE:
        case STMT_FACTOR: break;
        default: can = false;
        }
    }
    return can;
}

static bool is_elementwise(const Interp *in, const char *name) {
    for (int k = 0; k < in->nelementwise; k++)
        if (strcmp(in->elementwise[k], name) == 0) return true;
    for (int k = 0; in->batches && k < in->batches->n; k++)
        if (strcmp(in->batches->list[k].plate, name) == 0) return true;
    for (int k = 0; k < in->nplates; k++)
        if (axis_repeats(in->plates[k]) && strcmp(in->plates[k]->name, name) == 0) return true;
    return false;
}

/* -- Running -- */

/* After the loop a name has the value of the last step. */
static Value last_of(LoopRun *r, Value v) {
    if (v.kind == VALUE_NONE) return v;
    if (!value_is_numeric(v)) loop_refuse(r->in, r->s->span, "the last step's value is no number");
    if (v.kind != VALUE_ARRAY || axes_find(v.u.array->naxes, v.u.array->axes, r->axis) < 0) return v;
    Value index = value_number((double)r->axis->size);
    return array_index(r->in, array_axis_to_event(r->in, v, r->axis), 1, &index, &r->s->span, r->s->span);
}

void loop_run_body(LoopRun *r) {
    Frame *f = r->f;
    Value last = value_nothing();
    r->in->plates[r->in->nplates++] = r->axis;
    for (int k = 0; k < r->locals.n; k++) f->slots[r->locals.slots[k]] = r->before[k];
    f->slots[r->locals.step] = axis_index(r->in, r->axis);
    exec_block(r->in, f, r->s->u.for_.body, &last);
}

static void run_steps(void *self) {
    LoopRun *r = self;
    Frame *f = r->f;
    loop_find_carried(r);
    loop_run_body(r);
    for (int k = 0; k < r->locals.n; k++) {
        Value *slot = &f->slots[r->locals.slots[k]];
        *slot = last_of(r, *slot);
    }
    f->slots[r->locals.step] = value_number((double)(r->axis->first + r->axis->size - 1));
    for (int k = 0; k < f->nslots; k++) cells_leave_axis(r->in, &f->slots[k], r->axis, r->s->span);
    r->in->nplates--;
}

static bool attempt(LoopRun *r) {
    Interp *in = r->in;
    Span span = in->ctx->span;
    bool recording = in->tape->recording;
    Error e;
    bool done = ctx_protect(in->ctx, run_steps, r, &e);
    if (r->shares) tape_unshare(in->tape);
    r->shares = false;
    if (done) return true;
    in->loop = r->outer;
    in->tape->recording = recording;
    if (e.kind == ERROR_INTERRUPT) ctx_reraise(in->ctx, &e);
    body_undo(in, r->f, &r->mark, r->axis); /* an error too is said of the step in which it comes */
    in->ctx->span = span;
    in->loop = r;
    return false;
}

bool loop_at_once(Interp *in, Frame *f, const Stmt *s, int64_t first, int64_t n, LoopTry *t) {
    LoopRun r = {.in = in, .f = f, .s = s, .locals.step = s->u.for_.slot};
    if (!in->at_once || !f || n < LEAST_STEPS || in->nplates >= MAX_AXES - 2 || !can_run(&r.locals, s->u.for_.body)) return false;
    const char *name = in->address ? arena_printf(in->arena, "%s.%s", in->address->name, s->u.for_.name) : s->u.for_.name;
    if (is_elementwise(in, name) || (sizeof(real) < sizeof(double) && first + n > 1 << 24)) return false;
    int order = 10;
    for (int k = 0; k < in->nplates; k++) order += axis_repeats(in->plates[k]);
    t->axis = r.axis = axis_intern(in, AXIS_LOOP, name, first, n, order);
    r.mark = body_mark(in, f);
    memcpy(t->handlers, r.mark.handlers, sizeof t->handlers);
    r.outer = in->loop;
    in->loop = &r;
    bool done = attempt(&r) || (r.elements && attempt(&r));
    in->loop = r.outer;
    return done;
}

void loop_done(Interp *in, const LoopTry *t) {
    int k = 0;
    for (Handler *h = in->handler; t->axis && h && k < BODY_HANDLERS; h = h->outer, k++)
        if (h->looped) h->looped(h, in, t->axis, t->handlers[k]);
}

_Noreturn void loop_split(Interp *in, const Axis *loop, Span at, const char *why) {
    in->split = loop;
    ctx_raise(in->ctx, ERROR_ELEMENTWISE, at, NULL, "the loop over `%s` runs step by step: %s", loop->name, why);
}

void loop_refuse(Interp *in, Span at, const char *why) {
    for (int k = in->nplates - 1; k >= 0; k--)
        if (in->plates[k]->kind == AXIS_LOOP) loop_split(in, in->plates[k], at, why);
}

/* -- Reading earlier steps -- */

/* Are these the steps of a loop at work, each moved by the same number? */
static const Axis *moved_steps(const Interp *in, Value v, int64_t *lag) {
    if (v.kind != VALUE_ARRAY || v.u.array->index_of || var_is_taped(v.u.array->var)) return NULL;
    const Array *a = v.u.array;
    const Tensor *t = a->var.value;
    if (a->naxes != 1 || t->shape.rank != 1 || a->axes[0]->kind != AXIS_LOOP || axes_find(in->nplates, in->plates, a->axes[0]) < 0)
        return NULL;
    int64_t first = (int64_t)tensor_item(t, 0);
    for (int64_t k = 0; k < a->axes[0]->size; k++)
        if (tensor_item(t, k) != (real)(first + k)) return NULL;
    *lag = a->axes[0]->first - first;
    return a->axes[0];
}

/* The list with the elements before the loop, if this loop continues it. */
static bool continues(const Cells *c, int place, const Axis *axis) {
    for (; place > 0; place--) {
        if (!c->axis || c->items[0].kind != VALUE_CELLS) return false;
        c = c->items[0].u.cells;
    }
    return !c->axis && c->n == axis->first - 1 && (!c->loop || c->loop == axis);
}

bool loop_read(Interp *in, const Cells *c, const char *name, int n, const Value *indices, const Span *spans, Span at, Value *out) {
    enum { MOST_LAG = 16 };
    const Axis *axis = NULL;
    int place = 0;
    int64_t lag = 0;
    Index index[MAX_INDEX];
    Value head[MOST_LAG];
    for (int k = 0; k < n && in->nplates; k++) {
        const Axis *steps = indices[k].kind == VALUE_NONE ? NULL : moved_steps(in, indices[k], &lag);
        if (steps && axis) return false;
        if (steps) axis = steps, place = k;
        else if (indices[k].kind == VALUE_NONE || !single_place(in, indices[k], spans[k], &index[k])) return false;
    }
    if (!axis) return false;
    Peek p = {.name = name, .loop = axis, .lag = lag, .value = value_none()};
    if (in->address) p.name = arena_printf(in->arena, "%s.%s", in->address->name, name), p.nindex = in->address->nindex;
    if (lag < 1 || lag > MOST_LAG || lag >= axis->size || !continues(c, place, axis) || p.nindex + n > MAX_INDEX)
        loop_refuse(in, at, "steps are read that are not there yet");
    for (int k = 0; k < lag; k++) {
        index[place] = (Index){.at = axis->first - lag + k};
        head[k] = cells_get(in, c, n, index);
        Value one = head[k].kind == VALUE_NONE && place == 0 ? cells_get(in, c, 1, index) : value_none();
        if (value_is_numeric(one)) head[k] = array_index(in, one, n - 1, indices + 1, spans + 1, at); /* a plate before the loop */
        if (head[k].kind == VALUE_NONE) loop_refuse(in, at, "the step before the first is not there");
    }
    index[place] = (Index){.axis = axis};
    if (in->address) memcpy(p.index, in->address->index, sizeof(Index) * (size_t)p.nindex);
    memcpy(p.index + p.nindex, index, sizeof(Index) * (size_t)n);
    p.nindex += n;
    p.head = head[lag - 1];
    if (!effect_peek(in, in->handler, &p)) {
        LoopRun *r = in->loop;
        while (r && r->axis != axis) r = r->outer;
        *out = r && n == 1 && p.nindex == 1 ? loop_carried(r, c, lag, head) : value_none();
        if (out->kind == VALUE_NONE) loop_refuse(in, at, "a step reads what the one before has computed");
        return true;
    }
    *out = p.moved ? p.value : array_event_to_axis(in, cells_from_steps(in, (int)lag, head, p.value, axis, axis->size - lag, at), axis, at);
    return true;
}
