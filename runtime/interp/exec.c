/* Statements and ordinary control flow. */
#include <string.h>

#include "interp/cells.h"
#include "interp/internal.h"
#include "interp/session.h"

/* Long computation ends at an interrupt; inference has its own polling and keeps what it reached, unless one of its steps
 * has no end and the interrupt is repeated. */
void poll_interrupt(Interp *in) {
    int asked = in->ctx->interrupted ? *in->ctx->interrupted : 0;
    if (asked > 1 || (asked && !in->handler))
        ctx_raise(in->ctx, ERROR_INTERRUPT, in->ctx->span, NULL, "interrupted");
}

static void assign(Interp *in, Frame *f, const Target *t, Value v) {
    Value *slot = slot_of(in, f, t->ref);
    if (t->nindices == 0) {
        *slot = v;
        return;
    }
    Index index[MAX_INDEX];
    if (!eval_index_tuple(in, f, t, index))
        ctx_raise(in->ctx, ERROR_PROGRAM, t->span, "set one element at a time, in a `for` or a `plate`",
                  "only single elements of `%s` can be set, not a range of them", t->name);
    cells_set(in, slot, t->name, t->nindices, index, v, t->span);
}

static void exec_unpack(Interp *in, Frame *f, const Stmt *s) {
    Value v = eval(in, f, s->u.unpack.value);
    int n = s->u.unpack.n;
    if (v.kind == VALUE_TUPLE || v.kind == VALUE_LIST) {
        if (v.u.list->n != n)
            ctx_raise(in->ctx, ERROR_PROGRAM, s->span, NULL, "%d names on the left, a tuple of %d on the right", n, v.u.list->n);
        for (int k = 0; k < n; k++) assign(in, f, &s->u.unpack.targets[k], v.u.list->items[k]);
        return;
    }
    Shape shape = value_is_numeric(v) ? value_event_shape(in, v, s->span) : SHAPE_SCALAR;
    if (shape.rank == 0 || shape.dim[0] != n)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, NULL, "%d names on the left, %s on the right", n, value_describe(in, v));
    for (int k = 0; k < n; k++) {
        Value index = value_number(k + 1);
        assign(in, f, &s->u.unpack.targets[k], array_index(in, v, 1, &index, &s->span, s->span));
    }
}

static Flow exec_for(Interp *in, Frame *f, const Stmt *s, Value *last) {
    Value over = eval(in, f, s->u.for_.over);
    Ref ref = {f ? REF_LOCAL : REF_GLOBAL, 0, s->u.for_.slot};
    int64_t n;
    if (over.kind == VALUE_RANGE) n = over.u.range->last - over.u.range->first + 1;
    else if (over.kind == VALUE_LIST || over.kind == VALUE_TUPLE) n = over.u.list->n;
    else {
        Shape shape = value_event_shape(in, over, s->u.for_.over->span);
        if (shape.rank == 0)
            ctx_raise(in->ctx, ERROR_PROGRAM, s->u.for_.over->span, "write a range: for i in 1..n",
                      "a `for` runs over a range, an array or a list; this is %s", value_describe(in, over));
        n = shape.dim[0];
    }
    LoopTry at_once = {0};
    if (over.kind == VALUE_RANGE && loop_at_once(in, f, s, over.u.range->first, n, &at_once)) return FLOW_NEXT;
    LoopMemory memory;
    loop_memory_begin(in, f, &memory);
    Flow flow = FLOW_NEXT;
    for (int64_t k = 0; k < n && flow == FLOW_NEXT; k++) {
        Value item, index = value_number((double)(k + 1));
        if (over.kind == VALUE_RANGE) item = value_number((double)(over.u.range->first + k));
        else if (over.kind == VALUE_LIST || over.kind == VALUE_TUPLE) item = over.u.list->items[k];
        else item = array_index(in, over, 1, &index, &s->span, s->span);
        *slot_of(in, f, ref) = item;
        poll_interrupt(in);
        flow = exec_block(in, f, s->u.for_.body, last);
        if (flow == FLOW_NEXT) loop_memory_step(in, &memory, last);
    }
    loop_memory_end(in, &memory);
    if (flow == FLOW_NEXT) loop_done(in, &at_once);
    return flow;
}

Value refine_target(Interp *in, Frame *f, const Target *t) { return read_slot(in, slot_of(in, f, t->ref), t->name, t->span); }

void refine_assign(Interp *in, Frame *f, const Target *t, Value v) { assign(in, f, t, v); }

void refine_body(Interp *in, Frame *f, const Stmt *s, int64_t step) {
    Value last = value_nothing();
    *slot_of(in, f, (Ref){REF_LOCAL, 0, s->u.refine.slot}) = value_number((double)step);
    exec_block(in, f, s->u.refine.body, &last);
}

static Flow exec_while(Interp *in, Frame *f, const Stmt *s, Value *last) {
    LoopMemory memory;
    Flow flow = FLOW_NEXT;
    loop_memory_begin(in, f, &memory);
    while (flow == FLOW_NEXT) {
        Value c = eval(in, f, s->u.while_.condition);
        if (!value_to_bool(in, c, s->u.while_.condition->span, "the condition of a `while`")) break;
        poll_interrupt(in);
        flow = exec_block(in, f, s->u.while_.body, last);
        if (flow == FLOW_NEXT) loop_memory_step(in, &memory, last);
    }
    loop_memory_end(in, &memory);
    return flow;
}

static Flow exec_if(Interp *in, Frame *f, const Stmt *s, Value *last) {
    Value c = eval(in, f, s->u.if_.condition);
    if (c.kind == VALUE_ARRAY && c.u.array->naxes > 0)
        return exec_if_elementwise(in, f, s->u.if_.then, s->u.if_.otherwise, c, s->u.if_.condition->span, last);
    bool yes = value_to_bool(in, c, s->u.if_.condition->span, "the condition of an `if`");
    const Block *b = yes ? s->u.if_.then : s->u.if_.otherwise;
    return b ? exec_block(in, f, b, last) : FLOW_NEXT;
}

static void exec_function(Interp *in, Frame *f, const Stmt *s) {
    *slot_of(in, f, s->u.function.ref) = closure_new(in, f, s->u.function.function);
}

Flow exec_block(Interp *in, Frame *f, const Block *b, Value *last) {
    for (int k = 0; k < b->n; k++)
        if (exec(in, f, b->statements[k], last) == FLOW_RETURN) return FLOW_RETURN;
    return FLOW_NEXT;
}

Flow exec(Interp *in, Frame *f, const Stmt *s, Value *last) {
    in->ctx->span = s->span;
    *last = value_nothing();
    switch (s->kind) {
    case STMT_EXPR: *last = eval(in, f, s->u.expr); break;
    case STMT_ASSIGN: {
        Value v = eval(in, f, s->u.assign.value);
        if (v.kind == VALUE_NOTHING)
            ctx_raise(in->ctx, ERROR_PROGRAM, s->u.assign.value->span, NULL, "this gives no value to bind to `%s`", s->u.assign.target.name);
        assign(in, f, &s->u.assign.target, v);
        break;
    }
    case STMT_UNPACK: exec_unpack(in, f, s); break;
    case STMT_FUNCTION: exec_function(in, f, s); break;
    case STMT_DIST:
        *slot_of(in, f, s->u.dist.ref) = (Value){VALUE_FAMILY, .u.family = family_new(in, in->arena, s->u.dist.decl)};
        break;
    case STMT_SAMPLE: exec_sample(in, f, s); break;
    case STMT_OBSERVE: exec_observe(in, f, s); break;
    case STMT_RECORD: exec_record(in, f, s); break;
    case STMT_FACTOR: {
        Value v = eval(in, f, s->u.expr);
        value_array(in, v, s->u.expr->span, "the argument of `factor`");
        const Axis *plates[MAX_AXES]; /* once per element, whether or not it depends on it */
        int n = 0;
        for (int k = 0; k < in->nplates; k++)
            if (axis_repeats(in->plates[k])) plates[n++] = in->plates[k];
        effect_factor(in, in->handler, n ? array_expand_axes(in, v, n, plates) : v, s->span);
        break;
    }
    case STMT_PARAM: exec_param(in, f, s); break;
    case STMT_PLATE: return exec_plate(in, f, s, last);
    case STMT_FOR: return exec_for(in, f, s, last);
    case STMT_WHILE: return exec_while(in, f, s, last);
    case STMT_IF: return exec_if(in, f, s, last);
    case STMT_RETURN:
        f->result = s->u.expr ? eval(in, f, s->u.expr) : value_nothing();
        return FLOW_RETURN;
    case STMT_REFINE: effect_refine(in, in->handler, f, s); break;
    case STMT_DATA: /* bound before, by session.c */
    case STMT_IMPORT: break;
    }
    return FLOW_NEXT;
}
