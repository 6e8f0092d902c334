/* Missing data. Elements of an observation that nothing else depends on drop out of the density; where the model reads
 * the data elsewhere (y[t - 1]), or a guide draws them, each missing element becomes a variable like any other. A handler
 * that can (summing, a guide's draws) answers for all elements of a plate at once; else the plate runs element by element.
 */
#include <math.h>
#include <string.h>

#include "interp/internal.h"
#include "lang/walk.h"

typedef struct Reading {
    const char *name;
    Ref ref;
    bool found;
} Reading;

/* Sizes do not depend on what is missing. */
static bool asks_for_size(const Expr *e) {
    static const char *const names[] = {"len", "nrow", "ncol", "shape", "size", "is_missing", "is_observed"};
    if (e->kind != EXPR_CALL || e->u.call.callee->kind != EXPR_NAME || e->u.call.n != 1) return false;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (strcmp(e->u.call.callee->u.name.name, names[k]) == 0) return true;
    return false;
}

static bool look(void *self, Expr *e) {
    Reading *r = self;
    if (asks_for_size(e)) return false;
    if (e->kind == EXPR_NAME && e->u.name.ref.kind == r->ref.kind && e->u.name.ref.slot == r->ref.slot && strcmp(e->u.name.name, r->name) == 0)
        r->found = true;
    return true;
}

static bool is_read(const Function *fn, const Target *t) {
    Reading r = {t->name, t->ref, false};
    Walk w = {.self = &r, .expr = look};
    walk_function(&w, (Function *)fn);
    return r.found;
}

static Missing count_missing(const Array *a) {
    if (var_is_taped(a->var)) return MISSING_SOME;
    const Tensor *x = a->var.value;
    int64_t n = shape_size(x->shape), missing = 0;
    for (int64_t i = 0; i < n; i++) missing += isnan(tensor_item(x, i));
    return missing == 0 ? MISSING_NONE : missing < n ? MISSING_SOME : MISSING_ALL;
}

void missing_find(const Function *fn, const Target *t, Site *s) {
    if (s->data.kind != VALUE_ARRAY || !s->data.u.array->missing) return;
    s->missing = count_missing(s->data.u.array);
    if (s->missing != MISSING_NONE && is_read(fn, t)) missing_draw(s);
}

void missing_draw(Site *s) {
    if (s->missing == MISSING_ALL) s->observed = false;
    if (s->missing == MISSING_SOME) s->partly = true;
}

Value missing_complete(Interp *in, const Site *s, Value drawn) {
    Value args[3] = {array_apply(in, OP_ISNAN, 1, &s->data, s->span), drawn, s->data};
    return array_apply(in, OP_WHERE, 3, args, s->span);
}

void missing_refuse(Interp *in, const Target *t, const Site *s) {
    for (int k = s->nindex - 1; k >= 0; k--)
        if (s->index[k].axis) {
            in->split = s->index[k].axis;
            ctx_raise(in->ctx, ERROR_ELEMENTWISE, s->span, NULL, "some elements of `%s` are missing and others depend on them", t->name);
        }
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "take it element by element, in a plate or a `for`",
              "`%s` is partly missing, and the model reads it elsewhere or a guide draws it", t->name);
}
