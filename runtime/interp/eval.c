/* Expressions. */
#include <math.h>
#include <string.h>

#include "interp/cells.h"
#include "interp/internal.h"
#include "interp/session.h"

Value *slot_of(Interp *in, Frame *f, Ref ref) {
    if (ref.kind == REF_GLOBAL) return session_global(in, ref.slot);
    if (ref.kind == REF_LIBRARY) return library_slot(in, ref.slot);
    for (int d = ref.depth; d > 0; d--) f = f->outer;
    return &f->slots[ref.slot];
}

Value read_slot(Interp *in, Value *slot, const char *name, Span at) {
    if (slot->kind == VALUE_NONE)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "bind it on every way that leads here", "`%s` has no value yet", name);
    if (slot->kind == VALUE_CELLS) return cells_whole(in, slot->u.cells, at);
    return *slot;
}

/* Data that this run draws anew hides the data themselves. */
static Value *visible_slot(Interp *in, Frame *f, Ref ref) {
    if (ref.kind == REF_GLOBAL && in->overlay && in->overlay[ref.slot].kind != VALUE_NONE) return &in->overlay[ref.slot];
    return slot_of(in, f, ref);
}

static Value eval_name(Interp *in, Frame *f, const Expr *e) {
    Ref ref = e->u.name.ref;
    if (ref.kind == REF_BUILTIN) return (Value){VALUE_BUILTIN, .u.builtin = in->builtins[ref.slot]};
    return read_slot(in, visible_slot(in, f, ref), e->u.name.name, e->span);
}

static Value eval_unary(Interp *in, Frame *f, const Expr *e) {
    Value v = eval(in, f, e->u.unary.operand);
    if (v.kind == VALUE_NUMBER && e->u.unary.op == UNARY_NEG) return value_number(-v.u.number);
    return array_apply(in, e->u.unary.op == UNARY_NEG ? OP_NEG : OP_NOT, 1, &v, e->span);
}

/* `a and b`, `a or b`: b is not evaluated when a single plain a decides. */
static Value eval_logic(Interp *in, Frame *f, const Expr *e) {
    Value a = eval(in, f, e->u.binary.left);
    if (a.kind == VALUE_NUMBER) {
        bool decides = (a.u.number != 0) == (e->u.binary.op == BINARY_OR);
        if (decides) return value_bool(a.u.number != 0);
    }
    Value b = eval(in, f, e->u.binary.right);
    if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER) return value_bool(b.u.number != 0);
    return array_binary(in, e->u.binary.op, a, b, e->span);
}

static Value eval_binary(Interp *in, Frame *f, const Expr *e) {
    BinaryOp op = e->u.binary.op;
    if (op == BINARY_AND || op == BINARY_OR) return eval_logic(in, f, e);
    Value a = eval(in, f, e->u.binary.left), b = eval(in, f, e->u.binary.right);
    if (a.kind == VALUE_NUMBER && b.kind == VALUE_NUMBER) {
        double x = a.u.number, y = b.u.number;
        switch (op) {
        case BINARY_ADD: return value_number(x + y);
        case BINARY_SUB: return value_number(x - y);
        case BINARY_MUL: return value_number(x * y);
        case BINARY_DIV: return value_number(x / y);
        case BINARY_EQ: return value_bool(x == y);
        case BINARY_NE: return value_bool(x != y);
        case BINARY_LT: return value_bool(x < y);
        case BINARY_LE: return value_bool(x <= y);
        case BINARY_GT: return value_bool(x > y);
        case BINARY_GE: return value_bool(x >= y);
        default: break;
        }
    }
    if (a.kind == VALUE_STRING && b.kind == VALUE_STRING && (op == BINARY_EQ || op == BINARY_NE || op == BINARY_ADD)) {
        String *s = a.u.string, *t = b.u.string;
        if (op == BINARY_ADD) {
            char *text = arena_printf(in->arena, "%.*s%.*s", (int)s->length, s->text, (int)t->length, t->text);
            return value_string(in, text, s->length + t->length);
        }
        bool same = s->length == t->length && memcmp(s->text, t->text, s->length) == 0;
        return value_bool(same == (op == BINARY_EQ));
    }
    return array_binary(in, op, a, b, e->span);
}

static Value eval_range(Interp *in, Frame *f, const Expr *e) {
    Value a = eval(in, f, e->u.range.first), b = eval(in, f, e->u.range.last);
    Range *r = ARENA_NEW(in->arena, Range);
    r->first = value_to_int(in, a, e->u.range.first->span, "the start of a range");
    r->last = value_to_int(in, b, e->u.range.last->span, "the end of a range");
    return (Value){VALUE_RANGE, .u.range = r};
}

void eval_indices(Interp *in, Frame *f, Expr *const *indices, int n, Value *values, Span *spans) {
    for (int k = 0; k < n; k++) {
        values[k] = indices[k] ? eval(in, f, indices[k]) : value_none();
        spans[k] = indices[k] ? indices[k]->span : SPAN_NONE;
    }
}

/* A plate's own index stands for all its elements; a number for one. */
bool single_place(Interp *in, Value v, Span at, Index *out) {
    if (v.kind == VALUE_ARRAY && v.u.array->index_of) {
        *out = (Index){.axis = v.u.array->index_of};
        return true;
    }
    if (v.kind == VALUE_NUMBER || (v.kind == VALUE_ARRAY && v.u.array->var.value->shape.rank == 0)) {
        *out = (Index){.at = value_to_int(in, v, at, "an index")};
        return true;
    }
    return false;
}

/* Is it the index of a plate that runs one by one? */
static void mark_round(Interp *in, Frame *f, const Expr *e, Index *index) {
    if (!in->round || e->kind != EXPR_NAME || e->u.name.ref.kind == REF_BUILTIN) return;
    const Value *slot = slot_of(in, f, e->u.name.ref);
    for (const PlateRound *r = in->round; r; r = r->outer)
        if (r->index == slot) index->low = (int32_t)r->first, index->high = (int32_t)r->last;
}

bool eval_index_tuple(Interp *in, Frame *f, const Target *t, Index *index) {
    if (t->nindices > MAX_INDEX)
        ctx_raise(in->ctx, ERROR_PROGRAM, t->span, NULL, "`%s` has %d indices; at most %d are possible", t->name, t->nindices,
                  MAX_INDEX);
    for (int k = 0; k < t->nindices; k++) {
        if (!t->indices[k]) return false;
        Value v = eval(in, f, t->indices[k]);
        if (v.kind == VALUE_ARRAY && v.u.array->naxes > 0 && !v.u.array->index_of)
            value_to_int(in, v, t->indices[k]->span, "an index"); /* differs between elements: element by element */
        if (!single_place(in, v, t->indices[k]->span, &index[k])) return false;
        if (!index[k].axis) mark_round(in, f, t->indices[k], &index[k]);
    }
    return true;
}

static Value eval_index(Interp *in, Frame *f, const Expr *e) {
    int n = e->u.index.n;
    Value indices[MAX_INDEX];
    Span spans[MAX_INDEX];
    if (n > MAX_INDEX) ctx_raise(in->ctx, ERROR_PROGRAM, e->span, NULL, "%d indices; at most %d are possible", n, MAX_INDEX);
    const Expr *base = e->u.index.base;
    if (base->kind == EXPR_MISSING) { /* missing[16, 784] */
        int64_t dims[MAX_INDEX];
        eval_indices(in, f, e->u.index.indices, n, indices, spans);
        for (int k = 0; k < n; k++) {
            dims[k] = value_to_int(in, indices[k], spans[k], "a size");
            if (dims[k] < 0) ctx_raise(in->ctx, ERROR_PROGRAM, spans[k], NULL, "a size cannot be negative, this is %ld", (long)dims[k]);
        }
        Tensor *t = tensor_new(in->ctx, in->arena, shape_of(n, dims));
        int64_t size = shape_size(t->shape);
        for (int64_t i = 0; i < size; i++) t->data[i] = NAN;
        Value v = value_tensor(in, t);
        if (v.kind == VALUE_ARRAY) v.u.array->missing = true;
        return v;
    }
    if (base->kind == EXPR_NAME && base->u.name.ref.kind != REF_BUILTIN) { /* an element of what is being filled */
        Value *slot = visible_slot(in, f, base->u.name.ref);
        if (slot->kind == VALUE_CELLS) {
            Index index[MAX_INDEX];
            eval_indices(in, f, e->u.index.indices, n, indices, spans);
            Value earlier;
            if (loop_read(in, slot->u.cells, base->u.name.name, n, indices, spans, e->span, &earlier)) return earlier;
            bool single = true;
            for (int k = 0; k < n && single; k++) single = indices[k].kind != VALUE_NONE && single_place(in, indices[k], spans[k], &index[k]);
            if (single) {
                Value v = cells_get(in, slot->u.cells, n, index);
                if (v.kind != VALUE_NONE) return v;
            }
            return array_index(in, cells_whole(in, slot->u.cells, base->span), n, indices, spans, e->span);
        }
    }
    Value v = eval(in, f, base);
    eval_indices(in, f, e->u.index.indices, n, indices, spans);
    return array_index(in, v, n, indices, spans, e->span);
}

static Value eval_field(Interp *in, Frame *f, const Expr *e) {
    Value v = eval(in, f, e->u.field.base);
    const char *name = e->u.field.name;
    const char **names = NULL;
    int n = 0;
    if (v.kind == VALUE_RECORD) {
        Value r = record_get(v, name);
        if (r.kind != VALUE_NONE) return r;
        names = v.u.record->names, n = v.u.record->n;
    } else if (v.kind == VALUE_OBJECT && v.u.object->type->get) {
        Value r = v.u.object->type->get(in, v.u.object->data, name);
        if (r.kind != VALUE_NONE) return r;
        if (v.u.object->type->fields) n = v.u.object->type->fields(v.u.object->data, in->arena, &names);
    } else if (v.kind == VALUE_DIST) {
        const DistDecl *d = v.u.dist->family->decl;
        names = ARENA_ARRAY(in->arena, const char *, d->nparams);
        for (n = 0; n < d->nparams; n++) {
            if (strcmp(d->params[n].name, name) == 0) return v.u.dist->params[n];
            names[n] = d->params[n].name;
        }
    } else {
        ctx_raise(in->ctx, ERROR_PROGRAM, e->span, NULL, "%s has no fields; `.%s` was asked of it", value_describe(in, v), name);
    }
    const char *near = nearest_name(name, names, n);
    Buf all = {0};
    for (int k = 0; k < n && k < 12; k++) buf_printf(&all, "%s%s", k ? ", " : "", names[k]);
    char *list = arena_strdup(in->arena, all.text ? all.text : "none");
    buf_free(&all);
    ctx_raise(in->ctx, ERROR_PROGRAM, e->u.field.name_span,
              near ? arena_printf(in->arena, "did you mean `%s`? (fields: %s)", near, list) : arena_printf(in->arena, "fields: %s", list),
              "no field `%s` in %s", name, value_describe(in, v));
}

static Value eval_if(Interp *in, Frame *f, const Expr *e) {
    Value c = eval(in, f, e->u.if_.condition), last = value_nothing();
    if (c.kind == VALUE_ARRAY && c.u.array->naxes > 0) {
        exec_if_elementwise(in, f, e->u.if_.then, e->u.if_.otherwise, c, e->u.if_.condition->span, &last);
        return last;
    }
    bool yes = value_to_bool(in, c, e->u.if_.condition->span, "the condition of an `if`");
    const Block *b = yes ? e->u.if_.then : e->u.if_.otherwise;
    if (b) exec_block(in, f, b, &last);
    return last;
}

/* [[1, 2], [3, 4]]: the rows need not become arrays of their own. VALUE_NONE: they are something else, or differ in length. */
static Value eval_rows(Interp *in, const Expr *e) {
    int n = e->u.list.n;
    Expr *const *rows = e->u.list.items;
    for (int k = 0; k < n; k++)
        if (rows[k]->kind != EXPR_NUMBERS || rows[k]->u.numbers.n != rows[0]->u.numbers.n) return value_none();
    if (n == 0) return value_none();
    int64_t m = rows[0]->u.numbers.n;
    Tensor *t = tensor_new(in->ctx, in->arena, shape2(n, m));
    for (int k = 0; k < n; k++) reals_from_doubles(t->data + k * m, rows[k]->u.numbers.values, m);
    return value_tensor(in, t);
}

static Value eval_list(Interp *in, Frame *f, const Expr *e) {
    int n = e->u.list.n;
    Value rows = e->kind == EXPR_ARRAY ? eval_rows(in, e) : value_none();
    if (rows.kind != VALUE_NONE) return rows;
    Value *items = ARENA_ARRAY(in->arena, Value, n > 0 ? n : 1);
    for (int k = 0; k < n; k++) items[k] = eval(in, f, e->u.list.items[k]);
    return e->kind == EXPR_TUPLE ? value_list(in, VALUE_TUPLE, n, items) : array_from_items(in, n, items, e->span);
}

static Value eval_numbers(Interp *in, const Expr *e) {
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(e->u.numbers.n));
    reals_from_doubles(t->data, e->u.numbers.values, e->u.numbers.n);
    return value_tensor(in, t);
}

Value eval(Interp *in, Frame *f, const Expr *e) {
    switch (e->kind) {
    case EXPR_NUMBER: return value_number(e->u.number);
    case EXPR_STRING: return value_string(in, e->u.string.text, e->u.string.length);
    case EXPR_BOOL: return value_bool(e->u.boolean);
    case EXPR_MISSING: {
        Tensor *t = tensor_scalar(in->ctx, in->arena, NAN);
        Array *a = ARENA_NEW(in->arena, Array);
        *a = (Array){.var = var_constant(t), .missing = true};
        return (Value){VALUE_ARRAY, .u.array = a};
    }
    case EXPR_NAME: return eval_name(in, f, e);
    case EXPR_UNARY: return eval_unary(in, f, e);
    case EXPR_BINARY: return eval_binary(in, f, e);
    case EXPR_RANGE: return eval_range(in, f, e);
    case EXPR_CALL: return eval_call(in, f, e);
    case EXPR_INDEX: return eval_index(in, f, e);
    case EXPR_FIELD: return eval_field(in, f, e);
    case EXPR_ARRAY:
    case EXPR_TUPLE: return eval_list(in, f, e);
    case EXPR_NUMBERS: return eval_numbers(in, e);
    case EXPR_RECORD: {
        int n = e->u.record.n;
        Value *values = ARENA_ARRAY(in->arena, Value, n > 0 ? n : 1);
        for (int k = 0; k < n; k++) values[k] = eval(in, f, e->u.record.values[k]);
        return value_record(in, n, e->u.record.names, values);
    }
    case EXPR_LAMBDA: {
        return closure_new(in, f, e->u.lambda);
    }
    case EXPR_IF: return eval_if(in, f, e);
    }
    return value_nothing();
}
