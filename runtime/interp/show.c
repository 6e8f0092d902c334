/* Values as `print` shows them. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "interp/array.h"
#include "interp/internal.h"

enum { DIGITS = 6, LONG = 20, ENDS = 3 };

static void show_number(Buf *out, double x) {
    if (x == floor(x) && fabs(x) <= 9007199254740992.0)
        buf_printf(out, "%.0f", x + 0); /* whole numbers are exact; -0 is 0 */
    else
        buf_add_number(out, x, DIGITS);
}

static void show_element(Buf *out, const Array *a, double x) {
    if (a->missing && isnan(x))
        buf_add(out, "missing");
    else if (a->boolean)
        buf_add(out, x != 0 ? "true" : "false");
    else
        show_number(out, x);
}

/* Is element k of n shown? What is left out is marked once, at k = ENDS. */
static bool is_shown(int64_t k, int64_t n, bool full) { return full || n <= LONG || k < ENDS || k >= n - ENDS; }

static void show_block(Buf *out, const Array *a, int dim, const real *data, bool full) {
    const Tensor *t = a->var.value;
    if (dim == t->shape.rank) {
        show_element(out, a, *data);
        return;
    }
    int64_t n = t->shape.dim[dim];
    buf_add_char(out, '[');
    for (int64_t k = 0; k < n; k++) {
        if (!is_shown(k, n, full)) {
            buf_add(out, ", ...");
            k = n - ENDS - 1;
            continue;
        }
        if (k) buf_add(out, ", ");
        show_block(out, a, dim + 1, data + k * t->stride[dim], full);
    }
    buf_add_char(out, ']');
}

static void show_inner(Interp *in, Value v, Buf *out, bool full);

static void show_items(Interp *in, const List *list, const char *brackets, Buf *out, bool full) {
    buf_add_char(out, brackets[0]);
    for (int k = 0; k < list->n; k++) {
        if (!is_shown(k, list->n, full)) {
            buf_add(out, ", ...");
            k = list->n - ENDS - 1;
            continue;
        }
        if (k) buf_add(out, ", ");
        show_inner(in, list->items[k], out, full);
    }
    buf_add_char(out, brackets[1]);
}

/* Names that were written as text show as text. */
static bool is_plain_name(const char *name) {
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (!isalnum(*c) && *c != '_' && *c < 0x80) return false;
    return *name && !isdigit((unsigned char)*name);
}

static void show_record(Interp *in, const Record *r, Buf *out, bool full) {
    buf_add_char(out, '{');
    for (int k = 0; k < r->n; k++) {
        if (k) buf_add(out, ", ");
        if (is_plain_name(r->names[k]))
            buf_add(out, r->names[k]);
        else
            buf_add_json_string(out, r->names[k]);
        buf_add(out, ": ");
        show_inner(in, r->values[k], out, full);
    }
    buf_add_char(out, '}');
}

static void show_params(const Param *params, int n, Buf *out) {
    buf_add_char(out, '(');
    for (int k = 0; k < n; k++)
        buf_printf(out, "%s%s%s", k ? ", " : "", params[k].name, params[k].default_value ? " = ..." : "");
    buf_add_char(out, ')');
}

static void show_function(const Function *f, Buf *out) {
    static const char *const words[] = {
        [FUNCTION_FN] = "fn",       [FUNCTION_NET] = "net",   [FUNCTION_MODEL] = "model",
        [FUNCTION_GUIDE] = "guide", [FUNCTION_LAMBDA] = "fn", [FUNCTION_MEMBER] = "fn"};
    buf_add(out, words[f->kind]);
    if (f->kind != FUNCTION_LAMBDA) buf_printf(out, " %s", f->name);
    bool bare = (f->kind == FUNCTION_MODEL || f->kind == FUNCTION_GUIDE) && f->nparams == 0;
    if (!bare) show_params(f->params, f->nparams, out);
}

static void show_call(Interp *in, const Call *c, Buf *out, bool full) {
    buf_printf(out, "%s(", c->closure->function->name);
    for (int k = 0; k < c->n; k++) {
        if (k) buf_add(out, ", ");
        show_inner(in, c->arguments[k], out, full);
    }
    buf_add_char(out, ')');
}

static void show_dist(Interp *in, const Dist *d, Buf *out, bool full) {
    const DistDecl *decl = d->family->decl;
    bool any = false;
    buf_printf(out, "%s(", decl->name);
    for (int k = 0; k < decl->nparams; k++) {
        Value v = d->params[k];
        if (v.kind == VALUE_NONE || (v.kind == VALUE_BUILTIN && strcmp(v.u.builtin->name, "_unset") == 0)) continue;
        buf_printf(out, "%s%s = ", any ? ", " : "", decl->params[k].name);
        show_inner(in, v, out, full);
        any = true;
    }
    buf_add_char(out, ')');
    for (int k = 0; k < d->repeat.rank; k++) buf_printf(out, "%s%lld", k ? ", " : "[", (long long)d->repeat.dim[k]);
    if (d->repeat.rank) buf_add_char(out, ']');
}

static void show_object(Interp *in, const Object *o, Buf *out) {
    if (o->type->show)
        o->type->show(in, o->data, out);
    else
        buf_printf(out, "<%s>", o->type->name);
}

static void show_inner(Interp *in, Value v, Buf *out, bool full) {
    bool interrupted = in->ctx->interrupted && *in->ctx->interrupted;
    if (interrupted || stack_is_used_up(in)) /* too much or too deep to be read */
        buf_add(out, "...");
    else if (v.kind == VALUE_STRING)
        buf_add_json_string(out, v.u.string->text);
    else
        value_show(in, v, out, full);
}

void value_show(Interp *in, Value v, Buf *out, bool full) {
    switch (v.kind) {
    case VALUE_NONE:
    case VALUE_NOTHING: buf_add(out, "nothing"); break;
    case VALUE_NUMBER:
        if (v.boolean)
            buf_add(out, v.u.number != 0 ? "true" : "false");
        else
            show_number(out, v.u.number);
        break;
    case VALUE_ARRAY: show_block(out, v.u.array, 0, v.u.array->var.value->data, full); break;
    case VALUE_STRING: buf_add_bytes(out, v.u.string->text, v.u.string->length); break;
    case VALUE_RANGE: buf_printf(out, "%lld..%lld", (long long)v.u.range->first, (long long)v.u.range->last); break;
    case VALUE_TUPLE: show_items(in, v.u.list, "()", out, full); break;
    case VALUE_LIST: show_items(in, v.u.list, "[]", out, full); break;
    case VALUE_RECORD: show_record(in, v.u.record, out, full); break;
    case VALUE_CELLS: buf_add(out, "<array being filled>"); break;
    case VALUE_FUNCTION: show_function(v.u.closure->function, out); break;
    case VALUE_CALL: show_call(in, v.u.call, out, full); break;
    case VALUE_BUILTIN: buf_printf(out, "fn %s%s", v.u.builtin->name, v.u.builtin->signature); break;
    case VALUE_FAMILY:
        buf_printf(out, "dist %s", v.u.family->decl->name);
        show_params(v.u.family->decl->params, v.u.family->decl->nparams, out);
        break;
    case VALUE_DIST: show_dist(in, v.u.dist, out, full); break;
    case VALUE_OBJECT: show_object(in, v.u.object, out); break;
    }
}
