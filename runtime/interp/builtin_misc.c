/* Functions on functions, records and texts; printing; checks. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "interp/builtins.h"

/* -- Functions over elements -- */

/* The number of elements map and the like go through. */
static int element_count(Interp *in, Value v, Span at) {
    if (v.kind == VALUE_LIST || v.kind == VALUE_TUPLE) return v.u.list->n;
    if (value_is_numeric(v)) {
        Shape s = value_event_shape(in, v, at);
        if (s.rank) return (int)s.dim[0];
    }
    ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "a list, an array or a range is needed here, not %s",
              value_describe(in, v));
}

static Value element(Interp *in, Value v, int k, Span at) {
    if (v.kind == VALUE_LIST || v.kind == VALUE_TUPLE) return v.u.list->items[k];
    if (v.kind == VALUE_RANGE) return value_number((double)(v.u.range->first + k));
    Value index = value_number(k + 1);
    return array_index(in, v, 1, &index, NULL, at);
}

Value builtin_map(Interp *in, const Args *args) {
    enum { MOST = 8 };
    Value lists[MOST], item[MOST];
    if (!arg_given(args, 1)) builtin_fail(in, args, 0, "`map` of a function needs what it goes through: map(f, xs)");
    int n = element_count(in, args->values[1], arg_span(args, 1)), nlists = 1;
    lists[0] = args->values[1];
    for (int k = 0; k < args->nrest; k++) {
        if (nlists == MOST)
            ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "`map` goes through %d lists at most", MOST);
        int other = element_count(in, args->rest[k], args->span);
        if (other != n)
            ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "`map` goes through lists of one length, not %d and %d",
                      n, other);
        lists[nlists++] = args->rest[k];
    }
    Value *out = ARENA_ARRAY(in->arena, Value, n + 1);
    for (int k = 0; k < n; k++) {
        for (int j = 0; j < nlists; j++) item[j] = element(in, lists[j], k, args->span);
        out[k] = interp_call(in, args->values[0], nlists, item, args->span);
    }
    return array_from_items(in, n, out, args->span);
}

static Value call_filter(Interp *in, const Args *args) {
    int n = element_count(in, args->values[1], arg_span(args, 1)), kept = 0;
    Value *out = ARENA_ARRAY(in->arena, Value, n + 1);
    for (int k = 0; k < n; k++) {
        Value item = element(in, args->values[1], k, args->span);
        Value keep = interp_call(in, args->values[0], 1, &item, args->span);
        if (value_to_bool(in, keep, args->span, "what `filter` asks of an element")) out[kept++] = item;
    }
    return array_from_items(in, kept, out, args->span);
}

static Value call_reduce(Interp *in, const Args *args) {
    int n = element_count(in, args->values[1], arg_span(args, 1)), k = 0;
    bool has_start = arg_given(args, 2);
    if (n == 0 && !has_start) builtin_fail(in, args, 1, "`reduce` of nothing needs a start: reduce(f, xs, init)");
    Value so_far = has_start ? args->values[2] : element(in, args->values[1], k++, args->span);
    for (; k < n; k++) {
        Value pair[2] = {so_far, element(in, args->values[1], k, args->span)};
        so_far = interp_call(in, args->values[0], 2, pair, args->span);
    }
    return so_far;
}

/* -- Records -- */

static Value call_keys(Interp *in, const Args *args) {
    Value v = args->values[0];
    if (v.kind != VALUE_RECORD) builtin_fail(in, args, 0, "a record is needed here, not %s", value_describe(in, v));
    Value *names = ARENA_ARRAY(in->arena, Value, v.u.record->n + 1);
    for (int k = 0; k < v.u.record->n; k++)
        names[k] = value_string(in, v.u.record->names[k], strlen(v.u.record->names[k]));
    return value_list(in, VALUE_LIST, v.u.record->n, names);
}

static Value call_has(Interp *in, const Args *args) {
    if (args->values[0].kind != VALUE_RECORD)
        builtin_fail(in, args, 0, "a record is needed here, not %s", value_describe(in, args->values[0]));
    const char *name = value_to_string(in, args->values[1], arg_span(args, 1), "the name of a field");
    return value_bool(record_get(args->values[0], name).kind != VALUE_NONE);
}

/* -- Texts -- */

static void show_all(Interp *in, const Args *args, const char *between, bool full, Buf *out) {
    for (int k = 0; k < args->nrest; k++) /* before anything is in the buffer, which nobody would free */
        if (args->rest_names[k])
            ctx_raise(in->ctx, ERROR_PROGRAM, args->span, NULL, "the arguments have no names here: `%s`",
                      args->rest_names[k]);
    for (int k = 0; k < args->nrest; k++) {
        if (k) buf_add(out, between);
        value_show(in, args->rest[k], out, full);
    }
}

static Value call_print(Interp *in, const Args *args) {
    Buf line = {0};
    show_all(in, args, " ", in->full_print, &line);
    const char *text = arena_strdup(in->arena, line.text ? line.text : "");
    buf_free(&line);
    if (in->hooks.print) in->hooks.print(in->hooks.self, text);
    return value_nothing();
}

static Value call_str(Interp *in, const Args *args) {
    Buf line = {0};
    show_all(in, args, "", true, &line);
    Value v = value_string(in, line.text ? line.text : "", line.length);
    buf_free(&line);
    return v;
}

static Value call_type(Interp *in, const Args *args) {
    const char *name = value_kind_name(args->values[0]);
    return value_string(in, name, strlen(name));
}

/* -- Checks -- */

static const char *message_of(Interp *in, Value v) {
    Buf text = {0};
    value_show(in, v, &text, false);
    const char *copy = arena_strdup(in->arena, text.text ? text.text : "");
    buf_free(&text);
    return copy;
}

static Value call_error(Interp *in, const Args *args) {
    const char *site = "error(site), the gradient at a site of the model, is for the body of `refine`";
    ctx_raise(in->ctx, ERROR_PROGRAM, args->span, args->values[0].kind == VALUE_STRING ? NULL : site, "%s",
              message_of(in, args->values[0]));
}

/* Every element (of every axis) must hold. */
static Value call_assert(Interp *in, const Args *args) {
    Array a = arg_array(in, args, 0, "what is asserted");
    if (shape_size(a.var.value->shape) == 0) return value_nothing();
    Value truth = array_apply(in, OP_NE, 2, (Value[]){array_value(in, a), value_number(0)}, args->span);
    a = value_array(in, truth, args->span, "");
    Var least = op_reduce(in->tape, OP_REDUCE_MIN, a.var, (1u << a.var.value->shape.rank) - 1);
    if (tape_read(in->tape, least) == 0)
        builtin_fail(in, args, 0, "%s",
                     arg_given(args, 1) ? message_of(in, args->values[1]) : "what is asserted does not hold");
    return value_nothing();
}

/* -- Missing values -- */

static Value call_is_missing(Interp *in, const Args *args) {
    Array a = arg_array(in, args, 0, "the argument of `is_missing`");
    if (a.missing) return array_apply(in, OP_ISNAN, 1, args->values, args->span);
    Value v = array_apply(in, OP_NE, 2, (Value[]){array_value(in, a), array_value(in, a)}, args->span);
    return array_apply(in, OP_AND, 2, (Value[]){v, value_bool(false)}, args->span); /* nan that is not missing */
}

static Value call_is_observed(Interp *in, const Args *args) {
    Value v = call_is_missing(in, args);
    return array_apply(in, OP_NOT, 1, &v, args->span);
}

static Value call_time(Interp *in, const Args *args) {
    (void)in, (void)args;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (Value){VALUE_NUMBER, .u.number = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec}; /* not rounded */
}

const Builtin builtins_misc[] = {
    {"print", "(...)", call_print, "show values on one line, with blanks between", 0},
    {"str", "(...)", call_str, "a string of the values as print shows them, without blanks between", 0},
    {"map", "(f, xs, ...)", builtin_map, "f of every element (of several lists of one length: f(x, y, ...))", 0},
    {"filter", "(f, xs)", call_filter, "the elements for which f holds", 0},
    {"reduce", "(f, xs, init = )", call_reduce,
     "f(f(f(init, x1), x2), x3) ...; init: where to begin, x1 by default", 0},
    {"keys", "(record)", call_keys, "names of a record's fields", 0},
    {"has", "(record, name)", call_has, "has the record a field of this name?", 0},
    {"type", "(x)", call_type, "kind of a value: \"number\", \"array\", \"record\", ...", 0},
    {"error", "(message)", call_error, "stop with this message", 0},
    {"assert", "(condition, message = )", call_assert, "stop with the message unless all of the condition holds", 0},
    {"is_missing", "(x)", call_is_missing, "which elements are missing", 0},
    {"is_observed", "(x)", call_is_observed, "which elements are not missing", 0},
    {"time", "()", call_time, "seconds on a clock that never goes back", 0},
    {0},
};
