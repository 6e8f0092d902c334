/* Carrying values over to an arena that lives longer. What is shared stays shared: a value that holds another twice does
 * not grow, and the frames of functions that refer to themselves end. */
#include <string.h>

#include "interp/cells.h"
#include "interp/internal.h"

/* What has been carried over: a hash table by address. */
typedef struct Kept {
    Interp *in;
    Arena *to;
    const void **from;
    void **copy;
    size_t n, capacity; /* a power of 2, less than 3/4 full */
    bool filling;       /* arrays that are being filled stay so */
    uint64_t born;      /* frames before this one live longer than what is left behind */
} Kept;

static size_t kept_place(const Kept *t, const void *from) {
    size_t k = ((uintptr_t)from >> 4) * 0x9E3779B97F4A7C15u & (t->capacity - 1);
    while (t->from[k] && t->from[k] != from) k = (k + 1) & (t->capacity - 1);
    return k;
}

static void *kept_find(const Kept *t, const void *from) { return t->n ? t->copy[kept_place(t, from)] : NULL; }

static void kept_grow(Kept *t) {
    Kept old = *t;
    t->capacity = old.capacity ? 4 * old.capacity : 16;
    t->from = ARENA_ARRAY(t->in->arena, const void *, t->capacity);
    t->copy = ARENA_ARRAY(t->in->arena, void *, t->capacity);
    for (size_t k = 0; k < old.capacity; k++) {
        if (!old.from[k]) continue;
        size_t place = kept_place(t, old.from[k]);
        t->from[place] = old.from[k], t->copy[place] = old.copy[k];
    }
}

static void kept_add(Kept *t, const void *from, void *copy) {
    if (4 * (t->n + 1) > 3 * t->capacity) kept_grow(t);
    size_t k = kept_place(t, from);
    t->from[k] = from, t->copy[k] = copy, t->n++;
}

static Value keep_value(Kept *t, Value v);

static Value *keep_values(Kept *t, const Value *values, int n) {
    Value *copy = ARENA_ARRAY(t->to, Value, n + 1);
    for (int k = 0; k < n; k++) copy[k] = keep_value(t, values[k]);
    return copy;
}

static Frame *keep_frame(Kept *t, Frame *f) {
    if (!f || f->born < t->born) return f;
    Frame *copy = kept_find(t, f);
    if (copy) return copy;
    check_stack(t->in, t->in->ctx->span);
    copy = arena_copy(t->to, f, sizeof *f);
    kept_add(t, f, copy);
    copy->outer = keep_frame(t, f->outer);
    copy->slots = keep_values(t, f->slots, f->nslots);
    copy->result = value_nothing();
    if (f->param_path) copy->param_path = arena_strdup(t->to, f->param_path);
    return copy;
}

static Cells *keep_cells(Kept *t, const Cells *c) {
    Cells *copy = arena_copy(t->to, c, sizeof *c);
    copy->items = keep_values(t, c->items, c->n);
    copy->capacity = c->n;
    copy->before = keep_value(t, c->before);
    copy->base = keep_value(t, c->base);
    copy->steps = keep_value(t, c->steps);
    copy->whole = value_none();
    return copy;
}

static Closure *keep_closure(Kept *t, const Closure *c) {
    Closure *copy = arena_copy(t->to, c, sizeof *c);
    copy->environment = keep_frame(t, c->environment);
    copy->lifted = NULL; /* what was drawn belongs to the run */
    if (c->param_path) copy->param_path = arena_strdup(t->to, c->param_path);
    return copy;
}

static String *keep_string(Kept *t, const String *s) {
    String *copy = arena_copy(t->to, s, sizeof *s);
    char *text = arena_alloc(t->to, s->length + 1);
    memcpy(text, s->text, s->length);
    copy->text = text;
    return copy;
}

static Record *keep_record(Kept *t, const Record *r) {
    Record *copy = ARENA_NEW(t->to, Record);
    *copy = (Record){ARENA_ARRAY(t->to, const char *, r->n + 1), keep_values(t, r->values, r->n), r->n};
    for (int k = 0; k < r->n; k++) copy->names[k] = arena_strdup(t->to, r->names[k]);
    return copy;
}

static Dist *keep_dist(Kept *t, const Dist *d) {
    Dist *copy = arena_copy(t->to, d, sizeof *d);
    copy->family = arena_copy(t->to, d->family, sizeof(Family));
    copy->params = keep_values(t, d->params, d->family->decl->nparams);
    copy->drawn = copy->drawn_density = value_none();
    return copy;
}

/* The copy of what v.u points to. */
static void *keep_pointed(Kept *t, Value v) {
    switch (v.kind) {
    case VALUE_ARRAY: {
        Array *a = arena_copy(t->to, v.u.array, sizeof(Array));
        a->var = var_constant(tensor_keep(t->in->ctx, t->to, v.u.array->var.value));
        return a;
    }
    case VALUE_STRING: return keep_string(t, v.u.string);
    case VALUE_RANGE: return arena_copy(t->to, v.u.range, sizeof(Range));
    case VALUE_TUPLE:
    case VALUE_LIST: {
        List *l = ARENA_NEW(t->to, List);
        *l = (List){keep_values(t, v.u.list->items, v.u.list->n), v.u.list->n};
        return l;
    }
    case VALUE_RECORD: return keep_record(t, v.u.record);
    case VALUE_FUNCTION: return keep_closure(t, v.u.closure);
    case VALUE_CALL: {
        Call *c = arena_copy(t->to, v.u.call, sizeof(Call));
        c->closure = keep_closure(t, v.u.call->closure);
        c->arguments = keep_values(t, v.u.call->arguments, v.u.call->n);
        return c;
    }
    case VALUE_FAMILY: return arena_copy(t->to, v.u.family, sizeof(Family));
    case VALUE_DIST: return keep_dist(t, v.u.dist);
    case VALUE_OBJECT: {
        Object *o = arena_copy(t->to, v.u.object, sizeof(Object));
        if (o->type->keep) o->data = o->type->keep(t->in, o->data, t->to);
        return o;
    }
    case VALUE_CELLS: return keep_cells(t, v.u.cells);
    default: return NULL;
    }
}

static Value keep_value(Kept *t, Value v) {
    if (v.kind == VALUE_NONE || v.kind == VALUE_NOTHING || v.kind == VALUE_NUMBER || v.kind == VALUE_BUILTIN) return v;
    if (v.kind == VALUE_CELLS && !t->filling) return keep_value(t, cells_whole(t->in, v.u.cells, t->in->ctx->span));
    const void *from = v.u.record; /* whichever pointer it is */
    void *copy = kept_find(t, from);
    if (!copy) {
        check_stack(t->in, t->in->ctx->span);
        copy = keep_pointed(t, v);
        kept_add(t, from, copy);
    }
    v.u.record = copy;
    return v;
}

Value value_keep(Interp *in, Arena *to, Value v) {
    Kept t = {.in = in, .to = to};
    return keep_value(&t, v);
}

void values_carry(Interp *in, Arena *to, uint64_t born, int n, Value *const *values) {
    Kept t = {.in = in, .to = to, .filling = true, .born = born};
    for (int k = 0; k < n; k++) *values[k] = keep_value(&t, *values[k]);
}
