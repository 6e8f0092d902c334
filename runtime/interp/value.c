/* Making, reading and naming values. */
#include <math.h>
#include <string.h>

#include "interp/array.h"

static const double LARGEST_INT = 9007199254740992.0; /* 2^53: beyond, doubles skip integers */

/* -- Making -- */

Value value_string(Interp *in, const char *text, size_t n) {
    String *s = ARENA_NEW(in->arena, String);
    char *copy = arena_alloc(in->arena, n + 1);
    if (n) memcpy(copy, text, n);
    *s = (String){copy, n};
    return (Value){VALUE_STRING, .u.string = s};
}

Value value_list(Interp *in, ValueKind kind, int n, const Value *items) {
    List *list = ARENA_NEW(in->arena, List);
    *list = (List){ARENA_ARRAY(in->arena, Value, n + 1), n};
    if (n) memcpy(list->items, items, sizeof *items * (size_t)n);
    return (Value){kind, .u.list = list};
}

Value value_record(Interp *in, int n, const char *const *names, const Value *values) {
    Record *r = ARENA_NEW(in->arena, Record);
    *r = (Record){ARENA_ARRAY(in->arena, const char *, n + 1), ARENA_ARRAY(in->arena, Value, n + 1), n};
    if (n) {
        memcpy(r->names, names, sizeof *names * (size_t)n);
        memcpy(r->values, values, sizeof *values * (size_t)n);
    }
    return (Value){VALUE_RECORD, .u.record = r};
}

Value value_object(Interp *in, const ObjectType *type, void *data) {
    Object *o = ARENA_NEW(in->arena, Object);
    *o = (Object){type, data};
    return (Value){VALUE_OBJECT, .u.object = o};
}

Value record_get(Value record, const char *name) {
    if (record.kind != VALUE_RECORD) return value_none();
    const Record *r = record.u.record;
    for (int k = 0; k < r->n; k++)
        if (strcmp(r->names[k], name) == 0) return r->values[k];
    return value_none();
}

/* -- What it is -- */

const char *value_kind_name(Value v) {
    static const char *const names[] = {
        [VALUE_NONE] = "nothing",     [VALUE_NOTHING] = "nothing",   [VALUE_NUMBER] = "number",
        [VALUE_ARRAY] = "array",      [VALUE_STRING] = "string",     [VALUE_RANGE] = "range",
        [VALUE_TUPLE] = "tuple",      [VALUE_LIST] = "list",         [VALUE_RECORD] = "record",
        [VALUE_CELLS] = "array",      [VALUE_FUNCTION] = "function", [VALUE_CALL] = "model",
        [VALUE_BUILTIN] = "function", [VALUE_FAMILY] = "dist",       [VALUE_DIST] = "distribution",
        [VALUE_OBJECT] = "object"};
    if (v.kind == VALUE_FUNCTION) {
        FunctionKind kind = v.u.closure->function->kind;
        return kind == FUNCTION_MODEL   ? "model"
               : kind == FUNCTION_GUIDE ? "guide"
               : kind == FUNCTION_NET   ? "net"
                                        : "function";
    }
    if (v.kind == VALUE_CALL && v.u.call->closure->function->kind == FUNCTION_GUIDE) return "guide";
    if (v.kind == VALUE_OBJECT) return v.u.object->type->name;
    if (v.kind == VALUE_NUMBER && v.boolean) return "bool";
    if (v.kind == VALUE_ARRAY && array_rank(v.u.array) == 0) return v.u.array->boolean ? "bool" : "number";
    return names[v.kind];
}

char *value_describe(Interp *in, Value v) {
    Arena *a = in->arena;
    switch (v.kind) {
    case VALUE_NONE: return arena_strdup(a, "a name without a value");
    case VALUE_NOTHING: return arena_strdup(a, "nothing");
    case VALUE_NUMBER: {
        Buf b = {0};
        if (v.boolean)
            buf_add(&b, v.u.number != 0 ? "true" : "false");
        else
            buf_add(&b, "the number "), buf_add_number(&b, v.u.number, 6);
        char *text = arena_strdup(a, b.text);
        buf_free(&b);
        return text;
    }
    case VALUE_ARRAY:
        if (array_rank(v.u.array) == 0) return arena_strdup(a, v.u.array->boolean ? "true or false" : "a number");
        return arena_printf(a, "an array of shape %s", shape_text(a, array_shape(v.u.array)));
    case VALUE_RANGE:
        return arena_printf(a, "the range %lld..%lld", (long long)v.u.range->first, (long long)v.u.range->last);
    case VALUE_TUPLE: return arena_printf(a, "a tuple of %d values", v.u.list->n);
    case VALUE_LIST: return arena_printf(a, "a list of %d values that do not form an array", v.u.list->n);
    case VALUE_RECORD: return arena_strdup(a, "a record");
    case VALUE_FUNCTION:
        if (v.u.closure->function->kind == FUNCTION_LAMBDA) return arena_strdup(a, "a function");
        return arena_printf(a, "the %s `%s`", value_kind_name(v), v.u.closure->function->name);
    case VALUE_CALL:
        return arena_printf(a, "the %s `%s`, not run", value_kind_name(v), v.u.call->closure->function->name);
    case VALUE_BUILTIN: return arena_printf(a, "the function `%s`", v.u.builtin->name);
    case VALUE_FAMILY: return arena_printf(a, "the distribution `%s` without its parameters", v.u.family->decl->name);
    case VALUE_DIST: return arena_printf(a, "a distribution %s(...)", v.u.dist->family->decl->name);
    default: break;
    }
    const char *name = value_kind_name(v);
    return arena_printf(a, "%s %s", strchr("aeiou", name[0]) ? "an" : "a", name);
}

bool value_is_numeric(Value v) { return v.kind == VALUE_NUMBER || v.kind == VALUE_ARRAY || v.kind == VALUE_RANGE; }

bool value_is_boolean(Value v) {
    return (v.kind == VALUE_NUMBER && v.boolean) || (v.kind == VALUE_ARRAY && v.u.array->boolean);
}

Shape value_event_shape(Interp *in, Value v, Span at) {
    switch (v.kind) {
    case VALUE_NUMBER: return SHAPE_SCALAR;
    case VALUE_ARRAY: return array_shape(v.u.array);
    case VALUE_RANGE: return shape1(v.u.range->last < v.u.range->first ? 0 : v.u.range->last - v.u.range->first + 1);
    case VALUE_LIST: return shape1(v.u.list->n);
    default: ctx_raise(in->ctx, ERROR_PROGRAM, span_or_here(in, at), NULL, "%s has no shape", value_describe(in, v));
    }
}

/* -- Reading -- */

static _Noreturn void raise_kind(Interp *in, Value v, Span at, const char *what, const char *expected) {
    ctx_raise(in->ctx, ERROR_PROGRAM, span_or_here(in, at), NULL, "%s must be %s, not %s", what, expected,
              value_describe(in, v));
}

static Array range_array(Interp *in, const Range *r) {
    int64_t n = r->last < r->first ? 0 : r->last - r->first + 1;
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(n));
    for (int64_t k = 0; k < n; k++) t->data[k] = (real)(r->first + k);
    return array_of_var(var_constant(t));
}

Array value_array(Interp *in, Value v, Span at, const char *what) {
    if (v.kind == VALUE_ARRAY) return *v.u.array;
    if (v.kind == VALUE_NUMBER) return (Array){.var = var_number(in->tape, v.u.number), .boolean = v.boolean};
    if (v.kind == VALUE_RANGE) return range_array(in, v.u.range);
    if (v.kind == VALUE_LIST || v.kind == VALUE_TUPLE) {
        Value *items = ARENA_ARRAY(in->arena, Value, v.u.list->n + 1);
        for (int k = 0; k < v.u.list->n; k++) { /* tuples of tuples, say */
            items[k] = v.u.list->items[k];
            if (items[k].kind == VALUE_TUPLE)
                items[k] = array_from_items(in, items[k].u.list->n, items[k].u.list->items, at);
        }
        Value a = array_from_items(in, v.u.list->n, items, at);
        if (a.kind == VALUE_ARRAY) return *a.u.array;
    }
    raise_kind(in, v, at, what, "numeric");
}

double value_to_number(Interp *in, Value v, Span at, const char *what) {
    if (v.kind == VALUE_NUMBER) return v.u.number;
    if (v.kind != VALUE_ARRAY || array_rank(v.u.array) > 0) raise_kind(in, v, at, what, "one number");
    if (v.u.array->naxes) array_split(in, v.u.array, at, what);
    Span before = in->ctx->span;
    in->ctx->span = span_or_here(in, at);
    double x = tape_read(in->tape, v.u.array->var);
    in->ctx->span = before;
    return x;
}

int64_t value_to_int(Interp *in, Value v, Span at, const char *what) {
    double x = value_to_number(in, v, at, what);
    if (x != floor(x) || fabs(x) > LARGEST_INT)
        ctx_raise(in->ctx, ERROR_PROGRAM, span_or_here(in, at), NULL, "%s must be a whole number, not %.10g", what, x);
    return (int64_t)x;
}

bool value_to_bool(Interp *in, Value v, Span at, const char *what) {
    if (v.kind == VALUE_NUMBER && v.u.number == v.u.number) return v.u.number != 0;
    if (v.kind == VALUE_ARRAY && array_rank(v.u.array) > 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, span_or_here(in, at),
                  "any(...) and all(...) make one of many, where(c, a, b) selects elementwise",
                  "%s must be one true or false, not an array of shape %s", what,
                  shape_text(in->arena, array_shape(v.u.array)));
    if (!value_is_numeric(v)) raise_kind(in, v, at, what, "true or false");
    double x = value_to_number(in, v, at, what);
    if (isnan(x))
        ctx_raise(in->ctx, ERROR_PROGRAM, span_or_here(in, at), NULL, "%s is %s: neither true nor false", what,
                  v.kind == VALUE_ARRAY && v.u.array->missing ? "missing" : "nan");
    return x != 0;
}

const char *value_to_string(Interp *in, Value v, Span at, const char *what) {
    if (v.kind != VALUE_STRING) raise_kind(in, v, at, what, "a string");
    return v.u.string->text;
}
