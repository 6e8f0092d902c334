/* Plates: the body runs for all elements at once; where that is impossible, element by element.
 *
 * At once: the plate's index is an array with the plate's axis, and everything computed from it has the axis too. What
 * needs one plain value of something that differs between elements raises ERROR_ELEMENTWISE with in->split set; the
 * plate of that axis forgets what its body did and runs it for each element. Random numbers belong to the address and
 * the element, so both ways draw the same.
 */
#include <assert.h>
#include <string.h>

#include "interp/cells.h"
#include "interp/internal.h"

typedef struct AxisTable {
    const Axis **list;
    int n, capacity;
} AxisTable;

static bool same_axis(const Axis *a, const Axis *b) {
    return a->kind == b->kind && a->first == b->first && a->size == b->size && a->order == b->order &&
           a->population == b->population && strcmp(a->name, b->name) == 0;
}

static const Axis *intern(Interp *in, const Axis *wanted) {
    if (!in->axes) in->axes = ARENA_NEW(in->keep, AxisTable);
    AxisTable *t = in->axes;
    for (int k = 0; k < t->n; k++)
        if (same_axis(t->list[k], wanted)) return t->list[k];
    ARENA_GROW(in->keep, t->list, t->n, t->capacity, 16);
    Axis *a = arena_copy(in->keep, wanted, sizeof *wanted);
    a->name = arena_strdup(in->keep, wanted->name);
    return t->list[t->n++] = a;
}

const Axis *axis_intern(Interp *in, AxisKind kind, const char *name, int64_t first, int64_t size, int order) {
    return intern(in, &(Axis){.kind = kind, .name = name, .first = first, .size = size, .order = order, .population = size});
}

/* -- Plates that run on a subset -- */

static PlateBatch *batch_of(Interp *in, const char *name) {
    for (int k = 0; in->batches && k < in->batches->n; k++)
        if (strcmp(in->batches->list[k].plate, name) == 0) return &in->batches->list[k];
    return NULL;
}

Var axis_elements(Interp *in, const Axis *axis) {
    const PlateBatch *b = batch_of(in, axis->name);
    return tape_input(in->tape, in->batches->slot, b->offset, shape1(axis->size));
}

Value axis_index(Interp *in, const Axis *axis) {
    if (axis_is_subset(axis)) {
        Array *a = ARENA_NEW(in->arena, Array);
        *a = (Array){.var = axis_elements(in, axis), .naxes = 1, .axes = {axis}, .index_of = axis};
        return (Value){VALUE_ARRAY, .u.array = a};
    }
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(axis->size));
    for (int64_t k = 0; k < axis->size; k++) t->data[k] = (real)(axis->first + k);
    Array *a = ARENA_NEW(in->arena, Array);
    *a = (Array){.var = var_constant(t), .naxes = 1, .axes = {axis}, .index_of = axis};
    return (Value){VALUE_ARRAY, .u.array = a};
}

/* -- Starting over -- */

BodyMark body_mark(Interp *in, Frame *f) {
    BodyMark m = {.nodes = in->tape->nnodes, .nplates = in->nplates, .depth = in->depth, .dist_level = in->dist_level, .handler = in->handler,
              .address = in->address, .draw = in->draw, .draw_count = in->draw_count, .given = in->given, .selecting = in->selecting, .round = in->round};
    int k = 0;
    for (Handler *h = in->handler; h && k < BODY_HANDLERS; h = h->outer) m.handlers[k++] = h->mark ? h->mark(h) : 0;
    if (f) m.slots = arena_copy(in->arena, f->slots, sizeof(Value) * (size_t)(f->nslots + 1));
    return m;
}

/* Of all that the body could see. */
static void forget_nodes(Interp *in, Frame *f, NodeId from) {
    for (; f; f = f->outer)
        for (int k = 0; k < f->nslots; k++) cells_forget_nodes(&f->slots[k], from);
    for (int k = 0; k < in->nglobals; k++) {
        cells_forget_nodes(&in->globals[k], from);
        if (in->overlay) cells_forget_nodes(&in->overlay[k], from);
    }
}

void body_undo(Interp *in, Frame *f, const BodyMark *m, const Axis *axis) {
    in->nplates = m->nplates, in->depth = m->depth, in->dist_level = m->dist_level;
    in->handler = m->handler, in->address = m->address, in->draw = m->draw, in->draw_count = m->draw_count, in->given = m->given;
    in->selecting = m->selecting, in->round = m->round;
    tape_truncate(in->tape, m->nodes);
    int k = 0;
    for (Handler *h = in->handler; h && k < BODY_HANDLERS; h = h->outer, k++)
        if (h->rollback) h->rollback(h, m->handlers[k]);
    Value *slots = f ? f->slots : in->globals;
    int n = f ? f->nslots : in->nglobals;
    if (m->slots) memcpy(slots, m->slots, sizeof(Value) * (size_t)n);
    for (int i = 0; i < n; i++) cells_drop_axis(&slots[i], axis);
    if (in->overlay)
        for (int i = 0; i < in->nglobals; i++) cells_drop_axis(&in->overlay[i], axis);
    forget_nodes(in, f, m->nodes);
}

/* -- The body of one range, inside those of the ranges before it -- */
typedef struct PlateRun {
    Interp *in;
    Frame *f;
    const Stmt *s;
    int range; /* of several: plate i in .., j in .. */
    Value *last;
} PlateRun;

static void run_range(PlateRun *r);

static void run_inside(PlateRun *r) {
    if (r->range + 1 < r->s->u.plate.n) {
        PlateRun inner = *r;
        inner.range++;
        run_range(&inner);
    } else if (exec_block(r->in, r->f, r->s->u.plate.body, r->last) == FLOW_RETURN) {
        ctx_raise(r->in->ctx, ERROR_PROGRAM, r->s->span, NULL, "`return` cannot leave a plate");
    }
}

static Value *index_slot(PlateRun *r) {
    return slot_of(r->in, r->f, (Ref){r->f ? REF_LOCAL : REF_GLOBAL, 0, r->s->u.plate.ranges[r->range].slot});
}

static void run_at_once(void *self) { run_inside(self); }

static void leave_axis(PlateRun *r, const Axis *axis) {
    Interp *in = r->in;
    Value *slots = r->f ? r->f->slots : in->globals;
    int n = r->f ? r->f->nslots : in->nglobals;
    for (int k = 0; k < n; k++) cells_leave_axis(in, &slots[k], axis, r->s->span);
    if (in->overlay)
        for (int k = 0; k < in->nglobals; k++) cells_leave_axis(in, &in->overlay[k], axis, r->s->span);
}

static void run_one_by_one(PlateRun *r, const Axis *axis) {
    const PlateRange *p = &r->s->u.plate.ranges[r->range];
    Interp *in = r->in;
    int64_t last = axis->first + axis->size - 1;
    PlateRound round = {in->round, axis, axis->first, in->nplates, index_slot(r), axis->first, last};
    CtxPlace here = {in->ctx->place, "plate", p->name, NULL, &round.at, false, p->span};
    in->ctx->place = &here;
    in->round = &round;
    if (r->f) r->f->rounds++;
    for (; round.at <= last; round.at++) {
        *index_slot(r) = value_number((double)round.at);
        run_inside(r);
    }
    if (r->f) r->f->rounds--;
    in->round = round.outer;
    in->ctx->place = here.outer;
}

/* The plate's axis: all elements, or those of the batch at work. */
static const Axis *plate_axis(Interp *in, const char *name, int64_t first, int64_t size, int order) {
    if (sizeof(real) < sizeof(double) && first + size > 1 << 24)
        ctx_raise(in->ctx, ERROR_PROGRAM, in->ctx->span, "run it with --precision double",
                  "the plate `%s` counts to %lld; in single precision numbers are exact up to 2^24", name,
                  (long long)(first + size - 1));
    PlateBatch *b = batch_of(in, name);
    if (b) b->met = true;
    if (!b || size <= b->size) return axis_intern(in, AXIS_PLATE, name, first, size, order);
    b->population = size, b->first = first;
    return intern(in, &(Axis){.kind = AXIS_PLATE, .name = name, .first = first, .size = b->now, .order = order, .population = size});
}

/* why: what raised ERROR_ELEMENTWISE; NULL: an earlier run did. */
static _Noreturn void refuse_elements(PlateRun *r, const Axis *axis, const Error *why) {
    ctx_raise(r->in->ctx, ERROR_PROGRAM, r->s->span, "leave it out of `batch`",
              "the plate `%s` runs in batches, but its body can only run element by element%s", axis->name,
              why ? arena_printf(r->in->arena, ": %s (line %d)", why->message, why->span.line) : "");
}

/* -- Two plates of one name in one model are one plate. In a loop, or inside a plate that runs element by element, it
 *    may have another size in every round. -- */

struct PlateSeen {
    const char *name;
    int64_t first, last;
    int32_t line;
    struct PlateSeen *next;
};

static void check_range(PlateRun *r, const PlateRange *p, int64_t first, int64_t last) {
    Frame *f = r->f;
    if (r->s->u.plate.in_loop || !f || f->rounds > 0) return;
    if (f->function->kind != FUNCTION_MODEL && f->function->kind != FUNCTION_GUIDE) return;
    struct PlateSeen *seen = f->plates;
    while (seen && seen->name != p->name) seen = seen->next;
    if (!seen) {
        seen = ARENA_NEW(r->in->arena, struct PlateSeen);
        *seen = (struct PlateSeen){p->name, first, last, p->span.line, f->plates};
        f->plates = seen;
    } else if (seen->first != first || seen->last != last) {
        ctx_raise(r->in->ctx, ERROR_PROGRAM, p->span, "plates of one name are one plate; give one of them another name",
                  "the plate %s runs over %lld..%lld here and over %lld..%lld on line %d", p->name, (long long)first,
                  (long long)last, (long long)seen->first, (long long)seen->last, seen->line);
    }
}

/* Is the plate at work? Gives its place among those at work; -1: no. */
static int find_plate(const Interp *in, const char *name) {
    for (int k = 0; k < in->nplates; k++)
        if (axis_repeats(in->plates[k]) && strcmp(in->plates[k]->name, name) == 0) return k;
    return -1;
}

/* With the models around it. A function that is called in a plate `i` has its own `i`: "f.i". */
static const char *plate_name(PlateRun *r, const PlateRange *p) {
    Interp *in = r->in;
    const char *name = in->address ? arena_printf(in->arena, "%s.%s", in->address->name, p->name) : p->name;
    for (int k; (k = find_plate(in, name)) >= 0;) {
        assert(r->f && k < r->f->nplates); /* the resolver refuses a plate in itself */
        name = arena_printf(in->arena, "%s.%s", r->f->function->name, name);
    }
    return name;
}

static void run_range(PlateRun *r) {
    Interp *in = r->in;
    const PlateRange *p = &r->s->u.plate.ranges[r->range];
    Value v = eval(in, r->f, p->range);
    if (v.kind != VALUE_RANGE)
        ctx_raise(in->ctx, ERROR_PROGRAM, p->range->span, "write plate i in 1..N", "a plate runs over a range; this is %s", value_describe(in, v));
    int64_t first = v.u.range->first, last = v.u.range->last;
    check_range(r, p, first, last);
    const char *name = plate_name(r, p);
    if (in->nplates >= MAX_AXES - 2)
        ctx_raise(in->ctx, ERROR_PROGRAM, p->span, NULL, "%d plates inside one another; at most %d are possible", in->nplates + 1, MAX_AXES - 2);
    int order = 10; /* the plates around it; the same plate with and without particles is the same axis */
    for (int k = 0; k < in->nplates; k++) order += axis_repeats(in->plates[k]);
    const Axis *axis = plate_axis(in, name, first, last < first ? 0 : last - first + 1, order);
    for (int k = 0; k < in->nelementwise; k++)
        if (strcmp(in->elementwise[k], name) == 0) {
            if (axis_is_subset(axis)) refuse_elements(r, axis, NULL);
            run_one_by_one(r, axis);
            *index_slot(r) = value_none();
            return;
        }
    BodyMark m = body_mark(in, r->f);
    int rounds = r->f ? r->f->rounds : 0;
    in->plates[in->nplates++] = axis;
    *index_slot(r) = axis_index(in, axis);
    Error e;
    CtxPlace here = {in->ctx->place, "plate", p->name, NULL, NULL, false, p->span};
    in->ctx->place = &here;
    bool done = ctx_protect(in->ctx, run_at_once, r, &e);
    in->ctx->place = here.outer;
    if (done) {
        in->nplates--;
        leave_axis(r, axis);
    } else if (e.kind == ERROR_ELEMENTWISE && in->split == axis && axis_is_subset(axis)) {
        refuse_elements(r, axis, &e);
    } else if (e.kind == ERROR_ELEMENTWISE && in->split == axis) {
        body_undo(in, r->f, &m, axis);
        if (r->f) r->f->rounds = rounds;
        run_one_by_one(r, axis);
    } else {
        ctx_reraise(in->ctx, &e);
    }
    *index_slot(r) = value_none();
}

Flow exec_plate(Interp *in, Frame *f, const Stmt *s, Value *last) {
    PlateRun r = {in, f, s, 0, last};
    run_range(&r);
    return FLOW_NEXT;
}

/* -- `if` on a condition that differs between elements -- */

/* May both branches be computed and selected from? Only plain bindings and expressions; where the condition is of a summed
 * variable (`scores`), also what adds to the log density, which then counts where the branch is taken. */
static bool can_select(const Block *b, bool scores) {
    for (int k = 0; b && k < b->n; k++) {
        const Stmt *s = b->statements[k];
        bool ok = s->kind == STMT_EXPR || (s->kind == STMT_ASSIGN && s->u.assign.target.nindices == 0) || s->kind == STMT_UNPACK ||
                  (s->kind == STMT_IF && can_select(s->u.if_.then, scores) && can_select(s->u.if_.otherwise, scores)) ||
                  (scores && (s->kind == STMT_SAMPLE || s->kind == STMT_OBSERVE || s->kind == STMT_FACTOR));
        if (!ok) return false;
    }
    return true;
}

static bool same_value(Value a, Value b) {
    if (a.kind != b.kind) return false;
    return a.kind == VALUE_NUMBER ? a.u.number == b.u.number && a.boolean == b.boolean : memcmp(&a.u, &b.u, sizeof a.u) == 0;
}

static Value select_value(Interp *in, Value condition, Value yes, Value no, Span at) {
    if (same_value(yes, no)) return yes;
    if (value_is_numeric(yes) && value_is_numeric(no)) {
        Value args[3] = {condition, yes, no};
        return array_apply(in, OP_WHERE, 3, args, at);
    }
    if (yes.kind == VALUE_CELLS && no.kind == VALUE_CELLS) return yes; /* filled by `~` at the same address */
    if (yes.kind == VALUE_DIST && no.kind == VALUE_DIST && has_enum_axis(condition)) {
        Value both[2] = {no, yes};
        return dist_choose(in, 2, both, array_binary(in, BINARY_ADD, condition, value_number(1), at), at);
    }
    if (yes.kind == VALUE_NOTHING || no.kind == VALUE_NOTHING || yes.kind == VALUE_NONE || no.kind == VALUE_NONE) return value_none();
    value_to_bool(in, condition, at, "the condition of an `if`"); /* asks for element by element */
    return value_none();
}

Flow exec_if_elementwise(Interp *in, Frame *f, const Block *then, const Block *otherwise, Value condition, Span at, Value *last) {
    bool scores = has_enum_axis(condition);
    if (!can_select(then, scores) || !can_select(otherwise, scores))
        value_to_bool(in, condition, at, "the condition of an `if`"); /* raises */
    Value given = in->given;
    const Axis *selecting = in->selecting;
    if (!scores) in->selecting = condition.u.array->axes[condition.u.array->naxes - 1];
    Value *slots = f ? f->slots : in->globals;
    size_t bytes = sizeof(Value) * (size_t)(f ? f->nslots : in->nglobals);
    Value *before = arena_copy(in->arena, slots, bytes + 1);
    Value yes = value_nothing(), no = value_nothing();
    if (scores) in->given = given.kind == VALUE_NONE ? condition : array_binary(in, BINARY_AND, given, condition, at);
    if (then) exec_block(in, f, then, &yes);
    Value *after = arena_copy(in->arena, slots, bytes + 1);
    memcpy(slots, before, bytes);
    if (scores) {
        Value not = array_binary(in, BINARY_SUB, value_number(1), array_binary(in, BINARY_NE, condition, value_number(0), at), at);
        in->given = given.kind == VALUE_NONE ? not : array_binary(in, BINARY_AND, given, not, at);
    }
    if (otherwise) exec_block(in, f, otherwise, &no);
    in->given = given, in->selecting = selecting;
    for (size_t k = 0; k < bytes / sizeof(Value); k++) slots[k] = select_value(in, condition, after[k], slots[k], at);
    *last = select_value(in, condition, yes, no, at);
    if (last->kind == VALUE_NONE) *last = value_nothing();
    return FLOW_NEXT;
}
