/* Distributions at work.
 *
 * A family is declared in the language (`dist`); its members are written for one event. Batch dimensions of parameters
 * and values beyond the declared ranks become axes for as long as a member runs, so that the members' ordinary
 * arithmetic serves every batch: Normal(loc, scale) with vectors is a vector of independent variables.
 */
#include <math.h>
#include <string.h>

#include "dist/constraint.h"
#include "interp/array.h"
#include "interp/internal.h"
#include "interp/session.h"

/* -- Declarations -- */

static const Function *member_of(const DistDecl *d, const char *name) {
    for (int k = 0; k < d->nmembers; k++)
        if (strcmp(d->members[k]->name, name) == 0) return d->members[k];
    return NULL;
}

/* Trailing dimensions of a value of this type that belong to one event. */
int type_rank(const Type *t) {
    if (!t) return 0;
    int rank = t->nsizes;
    if ((t->kind == TYPE_SIMPLEX || t->kind == TYPE_ORDERED) && rank == 0) rank = 1;
    if (t->kind == TYPE_COV || t->kind == TYPE_CORR_CHOLESKY) rank = rank ? rank + 1 : 2;
    return rank;
}

Family *family_new(Interp *in, Arena *a, const DistDecl *d) {
    Family *f = ARENA_NEW(a, Family);
    *f = (Family){.decl = d, .logpdf = member_of(d, "logpdf"), .draw = member_of(d, "draw"), .rdraw = member_of(d, "rdraw"),
                  .check = member_of(d, "check")};
    f->reparameterised = f->rdraw != NULL;
    f->discrete = d->support && (d->support->kind == TYPE_INT || d->support->kind == TYPE_BOOL);
    (void)in;
    return f;
}

/* -- Frames of members -- */

bool param_is_unset(Value v) { return v.kind == VALUE_BUILTIN && strcmp(v.u.builtin->name, "_unset") == 0; }

static Shape batch_shape(Interp *in, const Dist *d, Span at);

/* Dimensions of a parameter or value: all, the last `rank` of which are one event. */
static Shape whole_shape(Interp *in, Value v, Span at) {
    if (v.kind == VALUE_DIST) return dist_event_shape(in, v.u.dist, at);
    return value_is_numeric(v) ? value_event_shape(in, v, at) : SHAPE_SCALAR;
}

static Shape leading(Shape s, int n) {
    s.rank = n < 0 ? 0 : n;
    return s;
}

static void bind_sizes(Interp *in, const Dist *d, Frame *f, const Value *params) {
    for (int k = 0; k < d->family->decl->nparams; k++) {
        const Type *t = d->family->decl->params[k].type;
        if (!t || t->nsizes == 0 || params[k].kind == VALUE_NONE || param_is_unset(params[k])) continue;
        Shape s = whole_shape(in, params[k], d->span);
        int rank = type_rank(t);
        if (s.rank < rank)
            ctx_raise(in->ctx, ERROR_PROGRAM, d->span, NULL, "%s: `%s` must have %d dimension%s, its shape is %s", d->family->decl->name,
                      d->family->decl->params[k].name, rank, rank == 1 ? "" : "s", shape_text(in->arena, s));
        for (int i = 0; i < t->nsizes; i++) {
            int slot = t->bind_slot ? t->bind_slot[i] : -1;
            int64_t n = s.dim[s.rank - rank + i];
            const Expr *size = t->sizes[i];
            if (slot < 0 && size && size->kind == EXPR_NAME && size->u.name.ref.kind == REF_LOCAL) slot = size->u.name.ref.slot;
            if (slot < 0 || (f->slots[slot].kind != VALUE_NONE && f->slots[slot].kind != VALUE_NUMBER)) continue;
            if (f->slots[slot].kind == VALUE_NONE) f->slots[slot] = value_number((double)n);
            else if (f->slots[slot].u.number != (double)n)
                ctx_raise(in->ctx, ERROR_PROGRAM, d->span, NULL, "%s: `%s` has size %ld where another parameter says %g", d->family->decl->name,
                          d->family->decl->params[k].name, (long)n, f->slots[slot].u.number);
        }
    }
}

/* A frame that begins with the distribution's parameters; fn: the member, or NULL for bounds and sizes. */
static Frame *dist_frame(Interp *in, const Dist *d, const Function *fn, const Value *params) {
    const DistDecl *decl = d->family->decl;
    static const Function none = {.kind = FUNCTION_MEMBER, .name = "<dist>"};
    Function *bare = NULL;
    if (!fn) {
        bare = ARENA_NEW(in->arena, Function);
        *bare = none;
        bare->nslots = decl->nslots;
        fn = bare;
    }
    Frame *f = frame_new(in, fn, NULL);
    memcpy(f->slots, params, sizeof(Value) * (size_t)decl->nparams);
    bind_sizes(in, d, f, params);
    return f;
}

/* -- Making a distribution: parameters against their declared types -- */

typedef struct Bounds { double low, high; bool open_low, integer; const char *text; } Bounds;

static bool type_bounds(Interp *in, Frame *f, const Type *t, Bounds *b) {
    *b = (Bounds){-INFINITY, INFINITY, false, false, lang_type_name(t->kind)};
    switch (t->kind) {
    case TYPE_POSITIVE: b->low = 0, b->open_low = true; return true;
    case TYPE_UNIT: b->low = 0, b->high = 1, b->text = "between 0 and 1"; return true;
    case TYPE_BOOL: b->low = 0, b->high = 1, b->integer = true; return true;
    case TYPE_INT: b->integer = true, b->text = "a whole number"; /* fall through */
    case TYPE_REAL: {
        if (!t->low && !t->high) return t->kind == TYPE_INT;
        Value low = t->low ? eval(in, f, t->low) : value_none(), high = t->high ? eval(in, f, t->high) : value_none();
        if (low.kind == VALUE_NUMBER) b->low = low.u.number;
        if (high.kind == VALUE_NUMBER) b->high = high.u.number;
        b->text = arena_printf(in->arena, "%sfrom %g to %g", b->integer ? "a whole number " : "", b->low, b->high);
        return true;
    }
    default: return false;
    }
}

static bool within(const Bounds *b, double x) {
    if (isnan(x)) return true; /* comes out as a density that is not finite, with its cause */
    return x >= b->low && x <= b->high && !(b->open_low && x <= b->low) && !(b->integer && x != floor(x));
}

static char *shown(Interp *in, Value v) {
    Buf b = {0};
    value_show(in, v, &b, false);
    char *text = arena_strdup(in->ctx->session, b.text);
    buf_free(&b);
    return text;
}

/* A vector or matrix whose elements belong together: what it must be, where it is not; else NULL. */
static const char *misfit(Interp *in, const Type *t, const Array *a) {
    static const struct { TypeKind type; ConstraintKind kind; const char *text; } kinds[] = {
        {TYPE_SIMPLEX, CONSTRAINT_SIMPLEX, "a simplex: numbers from 0 to 1 with the sum 1"},
        {TYPE_ORDERED, CONSTRAINT_ORDERED, "a vector in increasing order"},
        {TYPE_COV, CONSTRAINT_COV, "a symmetric positive definite matrix"},
        {TYPE_CORR_CHOLESKY, CONSTRAINT_CORR_CHOLESKY, "a lower Cholesky factor of a correlation matrix"},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (kinds[k].type != t->kind) continue;
        Constraint c = {.kind = kinds[k].kind};
        const Tensor *x = a->var.value;
        for (int64_t i = 0, n = shape_size(x->shape); i < n; i++)
            if (isnan(tensor_item(x, i))) return NULL; /* as in within() */
        return constraint_holds(in->ctx, &c, x) ? NULL : kinds[k].text;
    }
    return NULL;
}

/* A parameter that is impossible and constant is a mistake of the program. */
static void check_param(Interp *in, const Dist *d, Frame *f, int k, Span at) {
    const Param *p = &d->family->decl->params[k];
    Value v = d->params[k];
    if (param_is_unset(v)) return;
    if (p->type && !value_is_numeric(v) && v.kind != VALUE_DIST)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s: `%s` must be a number or an array; this is %s", d->family->decl->name, p->name,
                  value_describe(in, v));
    if (!p->type || !value_is_numeric(v)) return;
    if (v.kind == VALUE_ARRAY && !var_is_taped(v.u.array->var)) {
        const char *expected = misfit(in, p->type, v.u.array);
        if (expected)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s: `%s` must be %s, it is %s", d->family->decl->name, p->name, expected,
                      shown(in, v));
    }
    Bounds b;
    if (!type_bounds(in, f, p->type, &b)) return;
    if (v.kind == VALUE_NUMBER) {
        if (!within(&b, v.u.number))
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s: `%s` must be %s, it is %g", d->family->decl->name, p->name, b.text, v.u.number);
        return;
    }
    if (v.kind != VALUE_ARRAY || var_is_taped(v.u.array->var)) return;
    const Tensor *t = v.u.array->var.value;
    int64_t n = shape_size(t->shape);
    for (int64_t i = 0; i < n; i++) {
        double x = tensor_item(t, i);
        if (!within(&b, x))
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s: `%s` must be %s, it is %g%s", d->family->decl->name, p->name, b.text, x,
                      array_place_text(in, v.u.array, i));
    }
}

Value family_call(Interp *in, Family *fam, int n, const Value *args, const char *const *names, const Span *spans, Span at) {
    const DistDecl *decl = fam->decl;
    Dist *d = ARENA_NEW(in->arena, Dist);
    *d = (Dist){.family = fam, .params = ARENA_ARRAY(in->arena, Value, decl->nparams + 1), .span = at};
    Span *where = ARENA_ARRAY(in->arena, Span, decl->nparams + 1);
    match_family(in, decl, n, args, names, spans, at, d->params, where);
    for (int k = 0; k < decl->nparams; k++) {
        if (d->params[k].kind != VALUE_NONE) continue;
        Frame *f = dist_frame(in, d, NULL, d->params);
        d->params[k] = eval(in, f, decl->params[k].default_value);
        where[k] = at;
    }
    Frame *f = NULL;
    for (int k = 0; k < decl->nparams; k++) {
        const Type *t = decl->params[k].type;
        if (t && !f && (t->low || t->high || t->nsizes)) f = dist_frame(in, d, NULL, d->params);
        check_param(in, d, f, k, where[k]);
    }
    if (fam->check) run_body(in, dist_frame(in, d, fam->check, d->params), fam->check, at);
    batch_shape(in, d, at);
    return (Value){VALUE_DIST, .u.dist = d};
}

/* -- Shapes -- */

static Shape batch_shape(Interp *in, const Dist *d, Span at) {
    Shape batch = SHAPE_SCALAR;
    const DistDecl *decl = d->family->decl;
    for (int k = 0; k < decl->nparams; k++) {
        Shape s = whole_shape(in, d->params[k], at);
        Shape lead = leading(s, s.rank - type_rank(decl->params[k].type));
        if (!shape_broadcast(batch, lead, &batch))
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s: `%s` has shape %s, which does not agree with the shape %s of the other parameters",
                      decl->name, decl->params[k].name, shape_text(in->arena, s), shape_text(in->arena, batch));
    }
    return batch;
}

static Shape append(Shape a, Shape b) {
    for (int k = 0; k < b.rank && a.rank < MAX_RANK; k++) a.dim[a.rank++] = b.dim[k];
    return a;
}

static Shape support_shape(Interp *in, const Dist *d, Frame *f) {
    const Type *t = d->family->decl->support;
    Shape s = SHAPE_SCALAR;
    for (int k = 0; t && k < t->nsizes; k++) s.dim[s.rank++] = value_to_int(in, eval(in, f, t->sizes[k]), d->span, "a size of the support");
    if (t && (t->kind == TYPE_COV || t->kind == TYPE_CORR_CHOLESKY) && s.rank) s.dim[s.rank] = s.dim[s.rank - 1], s.rank++;
    return s;
}

Shape dist_event_shape(Interp *in, const Dist *d, Span at) {
    Shape s = append(d->repeat, batch_shape(in, d, at));
    if (type_rank(d->family->decl->support) == 0) return s;
    return append(s, support_shape(in, d, dist_frame(in, d, NULL, d->params)));
}

/* -- Batch dimensions as axes -- */

typedef struct Batch {
    int n;
    const Axis *axes[MAX_AXES];
} Batch;

static Batch batch_axes(Interp *in, Shape s, Span at) {
    Batch b = {.n = s.rank};
    if (s.rank > MAX_AXES) axes_refuse(in, s.rank, at);
    for (int k = 0; k < s.rank; k++) b.axes[k] = axis_intern(in, AXIS_EVENT, "batch", 1, s.dim[k], (1 << 28) + 16 * in->dist_level + k);
    return b;
}

static Value relabel_dist(Interp *in, const Dist *d, int keep, const Batch *b, Span at);

/* The dimensions of v before its last `rank` become the last axes of the batch (size 1: broadcast, dropped). */
static Value relabel(Interp *in, Value v, int rank, const Batch *b, Span at) {
    if (v.kind == VALUE_DIST) return relabel_dist(in, v.u.dist, rank, b, at);
    if (v.kind == VALUE_NUMBER || !value_is_numeric(v) || b->n == 0) return v;
    Array a = value_array(in, v, at, "a parameter");
    Shape s = a.var.value->shape;
    int lead = s.rank - a.naxes - rank;
    if (lead <= 0) return v;
    const Axis *axes[MAX_AXES * 2];
    int naxes = 0;
    Shape out = SHAPE_SCALAR;
    for (int k = 0; k < a.naxes; k++) axes[naxes++] = a.axes[k], out.dim[out.rank++] = s.dim[k];
    for (int k = 0; k < lead; k++) {
        const Axis *axis = b->axes[b->n - lead + k];
        int64_t n = s.dim[a.naxes + k];
        if (n != axis->size) continue; /* 1 */
        axes[naxes++] = axis, out.dim[out.rank++] = n;
    }
    for (int k = s.rank - rank; k < s.rank; k++) out.dim[out.rank++] = s.dim[k];
    if (naxes > MAX_AXES) axes_refuse(in, naxes, at);
    Var var = out.rank == s.rank ? a.var : op_reshape(in->tape, a.var, out);
    Value r = value_var(in, var, naxes, axes);
    if (r.kind == VALUE_ARRAY) r.u.array->boolean = a.boolean;
    return r;
}

/* A distribution as parameter: its batch, but for the last `keep` dimensions, is the batch of the one around it. */
static Value relabel_dist(Interp *in, const Dist *d, int keep, const Batch *b, Span at) {
    Dist *r = arena_copy(in->arena, d, sizeof *d);
    const DistDecl *decl = d->family->decl;
    r->params = ARENA_ARRAY(in->arena, Value, decl->nparams + 1);
    r->drawn = r->drawn_density = value_none();
    int own = batch_shape(in, d, at).rank;
    for (int k = 0; k < decl->nparams; k++) r->params[k] = relabel(in, d->params[k], type_rank(decl->params[k].type) + keep, b, at);
    int left = keep - own;
    r->repeat = SHAPE_SCALAR;
    for (int k = d->repeat.rank - left; left > 0 && k < d->repeat.rank; k++) r->repeat.dim[r->repeat.rank++] = d->repeat.dim[k];
    return (Value){VALUE_DIST, .u.dist = r};
}

/* -- Calling a member -- */

/* The member's result with the batch as event dimensions again. */
static Value close_batch(Interp *in, Value v, const Batch *b) {
    if (b->n == 0 || !value_is_numeric(v)) return v;
    v = array_expand_axes(in, v, b->n, b->axes);
    for (int k = b->n - 1; k >= 0; k--) v = array_axis_to_event(in, v, b->axes[k]);
    return v;
}

static Value run_member(Interp *in, const Dist *d, const Function *fn, const Batch *b, int n, const Value *args, int arg_rank, Span at) {
    const DistDecl *decl = d->family->decl;
    Value few[8], *params = decl->nparams <= 8 ? few : ARENA_ARRAY(in->arena, Value, decl->nparams);
    for (int k = 0; k < decl->nparams; k++) params[k] = relabel(in, d->params[k], type_rank(decl->params[k].type), b, at);
    Frame *f = dist_frame(in, d, fn, params);
    for (int k = 0; k < n; k++) f->slots[fn->params[k].slot] = relabel(in, args[k], arg_rank, b, at);
    in->dist_level++;
    Value v = run_body(in, f, fn, at);
    in->dist_level--;
    return v;
}

/* The batch of the parameters and the arguments together. */
static Batch batch_with(Interp *in, const Dist *d, int n, const Value *args, int arg_rank, const char *what, Span at) {
    Shape s = append(d->repeat, batch_shape(in, d, at));
    for (int k = 0; k < n; k++) {
        Shape x = whole_shape(in, args[k], at), lead = leading(x, x.rank - arg_rank), both;
        if (x.rank < arg_rank || !shape_broadcast(s, lead, &both))
            ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s of shape %s does not fit %s, whose draws have shape %s", what,
                      shape_text(in->arena, x), d->family->decl->name, shape_text(in->arena, dist_event_shape(in, d, at)));
        s = both;
    }
    return batch_axes(in, s, at);
}

bool dist_has_member(const Dist *d, const char *member) { return member_of(d->family->decl, member) != NULL; }

Value dist_member(Interp *in, const Dist *d, const char *member, int n, const Value *args, Span at) {
    const Function *fn = member_of(d->family->decl, member);
    if (!fn) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "%s has no `%s` in closed form", d->family->decl->name, member);
    if (fn->nparams != n)
        ctx_raise(in->ctx, ERROR_PROGRAM, at,
                  arena_printf(in->arena, "in the `dist` write `%s(%s) = ...`", member, n ? "x" : ""),
                  "`%s` of %s is written with %d argument%s; it is asked with %d", member, d->family->decl->name,
                  fn->nparams, fn->nparams == 1 ? "" : "s", n);
    int rank = type_rank(d->family->decl->support);
    Batch b = batch_with(in, d, n, args, n ? rank : 0, "an argument", at);
    return close_batch(in, run_member(in, d, fn, &b, n, args, rank, at), &b);
}

/* -- Support -- */

Value dist_bound(Interp *in, const Dist *d, bool high) {
    const Type *t = d->family->decl->support;
    const Expr *e = !t ? NULL : high ? t->high : t->low;
    if (e) {
        Value v = eval(in, dist_frame(in, d, NULL, d->params), e);
        return v.kind == VALUE_NUMBER && isinf(v.u.number) ? value_none() : v;
    }
    if (!t || t->low || t->high) return value_none();
    bool unit = t->kind == TYPE_UNIT || t->kind == TYPE_BOOL;
    return high ? (unit ? value_number(1) : value_none()) : unit || t->kind == TYPE_POSITIVE ? value_number(0) : value_none();
}

Support dist_support(Interp *in, const Dist *d, Span at) {
    const Type *t = d->family->decl->support;
    Support s = {.kind = t ? t->kind : TYPE_REAL, .low = dist_bound(in, d, false), .high = dist_bound(in, d, true), .event_rank = type_rank(t),
                 .discrete = d->family->discrete};
    if (s.kind == TYPE_ANY) s.kind = TYPE_REAL;
    (void)at;
    return s;
}

char *support_text(Interp *in, const Support *s) {
    Buf b = {0};
    if (s->kind == TYPE_POSITIVE) buf_add(&b, "positive numbers");
    else if (s->kind == TYPE_UNIT) buf_add(&b, "numbers from 0 to 1");
    else if (s->kind == TYPE_REAL || s->kind == TYPE_INT || s->kind == TYPE_BOOL) {
        buf_add(&b, s->discrete ? "whole numbers" : s->low.kind == VALUE_NONE && s->high.kind == VALUE_NONE ? "real numbers" : "numbers");
        if (s->low.kind == VALUE_NUMBER) buf_printf(&b, " from %g", s->low.u.number);
        if (s->high.kind == VALUE_NUMBER) buf_printf(&b, " to %g", s->high.u.number);
    } else buf_printf(&b, "a %s", lang_type_name(s->kind));
    char *text = arena_strdup(in->arena, b.text);
    buf_free(&b);
    return text;
}

static bool any_nonzero(Interp *in, Value v, Span at) {
    const Tensor *t = value_array(in, v, at, "a condition").var.value;
    int64_t n = shape_size(t->shape), i = 0;
    while (i < n && tensor_item(t, i) == 0) i++;
    return i < n;
}

/* Which elements of plain x lie outside? VALUE_NONE: all lie in (or nothing is to be checked). *inside: x moved inside. */
static Value outside(Interp *in, const Dist *d, const Support *s, Value x, Value *inside, Span at) {
    *inside = x;
    if (s->event_rank > 0 || (x.kind == VALUE_ARRAY && var_is_taped(x.u.array->var))) return value_none();
    Value bad = value_bool(false);
    Value lower[2] = {x, s->low}, upper[2] = {x, s->high};
    if (s->low.kind != VALUE_NONE) bad = array_apply(in, OP_LT, 2, lower, at);
    if (s->high.kind != VALUE_NONE) bad = array_binary(in, BINARY_OR, bad, array_apply(in, OP_GT, 2, upper, at), at);
    if (s->discrete) bad = array_binary(in, BINARY_OR, bad, array_binary(in, BINARY_NE, x, array_apply(in, OP_FLOOR, 1, &x, at), at), at);
    if ((bad.kind == VALUE_ARRAY && var_is_taped(bad.u.array->var)) || !any_nonzero(in, bad, at)) return value_none();
    if (s->discrete) *inside = array_apply(in, OP_FLOOR, 1, inside, at);
    lower[0] = *inside;
    if (s->low.kind != VALUE_NONE) *inside = array_apply(in, OP_MAX, 2, lower, at);
    upper[0] = *inside;
    if (s->high.kind != VALUE_NONE) *inside = array_apply(in, OP_MIN, 2, upper, at);
    (void)d;
    return bad;
}

/* -- Log densities -- */

static Value sum_event(Interp *in, Value v, Span at) {
    if (v.kind == VALUE_NUMBER || value_event_shape(in, v, at).rank == 0) return v;
    return array_reduce(in, OP_SUM, v, 0, at);
}

Value dist_logpdf(Interp *in, const Dist *d, Value x, bool elementwise, Span at) {
    if (!d->family->logpdf) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "the distribution %s has no logpdf", d->family->decl->name);
    if (!value_is_numeric(x)) ctx_raise(in->ctx, ERROR_PROGRAM, at, "a density is asked at a number or an array",
                  "%s has no log density at %s", d->family->decl->name, value_describe(in, x));
    if (d->drawn.kind == VALUE_ARRAY && d->drawn_at == in->renewals && x.kind == VALUE_ARRAY && d->drawn.u.array == x.u.array) /* known from the draw */
        return elementwise ? d->drawn_density : sum_event(in, d->drawn_density, at);
    int rank = type_rank(d->family->decl->support);
    Batch b = batch_with(in, d, 1, &x, rank, "a value", at);
    Support s = dist_support(in, d, at);
    Value inside, bad = outside(in, d, &s, x, &inside, at);
    Value lp = close_batch(in, run_member(in, d, d->family->logpdf, &b, 1, &inside, rank, at), &b);
    if (bad.kind != VALUE_NONE) {
        Value args[3] = {bad, value_number(-INFINITY), lp};
        lp = array_apply(in, OP_WHERE, 3, args, at);
    }
    return elementwise ? lp : sum_event(in, lp, at);
}

/* `bad` for every value of what is enumerated: for some values the data may well be impossible. */
static Value bad_throughout(Interp *in, Value bad, Span at) {
    for (int k = 0; bad.kind == VALUE_ARRAY && k < bad.u.array->naxes;)
        if (bad.u.array->axes[k]->kind == AXIS_ENUM) bad = array_reduce_axis(in, OP_REDUCE_MIN, bad, bad.u.array->axes[k], at), k = 0;
        else k++;
    return bad;
}

/* Do the bounds of the support name parameters, in a run whose draws are plain numbers (a run of importance sampling)?
 * Then what is observed may be impossible given what was drawn; its density is 0. */
static bool may_be_drawn(Interp *in, const Type *support) {
    const Expr *bounds[] = {support->low, support->high};
    bool named = false;
    for (int k = 0; k < 2; k++) named |= bounds[k] && bounds[k]->kind != EXPR_NUMBER && bounds[k]->kind != EXPR_UNARY;
    return named && !in->tape->recording;
}

int64_t dist_outside(Interp *in, const Dist *d, const Support *s, Value x, Span at) {
    Value inside, bad = outside(in, d, s, x, &inside, at);
    if (bad.kind == VALUE_NONE) return -1;
    bad = bad_throughout(in, bad, at);
    if (!any_nonzero(in, bad, at)) return -1;
    int64_t element = 0;
    if (x.kind == VALUE_ARRAY && bad.kind == VALUE_ARRAY && shape_equal(bad.u.array->var.value->shape, x.u.array->var.value->shape))
        while (tensor_item(bad.u.array->var.value, element) == 0) element++;
    return element;
}

/* Observed plain data must be possible. */
static void check_data(Interp *in, const Site *s, Value x) {
    Support support = dist_support(in, s->dist, s->span);
    int64_t element = dist_outside(in, s->dist, &support, x, s->span);
    if (element < 0 || may_be_drawn(in, s->dist->family->decl->support)) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, NULL, "%s is observed as %g%s, but %s draws %s", site_text(in, s),
              x.kind == VALUE_NUMBER ? x.u.number : tensor_item(x.u.array->var.value, element),
              x.kind == VALUE_ARRAY ? array_place_text(in, x.u.array, element) : "", s->dist->family->decl->name,
              support_text(in, &support));
}

static const char *shape_words(Interp *in, Shape s) {
    return s.rank == 0 ? "is a single number" : arena_printf(in->arena, "has shape %s", shape_text(in->arena, s));
}

static void check_shape(Interp *in, const Site *s, Value x) {
    Shape have = value_event_shape(in, x, s->span), draws = dist_event_shape(in, s->dist, s->span), both;
    if (shape_broadcast(draws, have, &both) && shape_equal(both, have)) return;
    const char *hint = NULL;
    for (int k = 0; k < s->nindex && !hint; k++) { /* x of all elements in the place of x[i] */
        const Axis *plate = s->index[k].axis;
        if (plate && have.rank + 1 == draws.rank && draws.dim[0] == plate->size)
            hint = arena_printf(in->arena, "in the plate `%s` an array of all its elements is indexed: x[%s]", plate->name, plate->name);
    }
    if (!hint && have.rank == 0 && draws.rank == 1 && draws.dim[0] == 1)
        hint = "a vector of one element is no number: write dense(h, 1)[1] for what a layer of one unit gives";
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, hint, "%s %s, a draw of %s %s", site_text(in, s), shape_words(in, have),
              s->dist->family->decl->name, shape_words(in, draws));
}

/* Of a subset of the elements: the next one may have some where this one has none, or none. */
static void guard_missing(Interp *in, Value mask) {
    if (mask.kind != VALUE_ARRAY || !var_is_taped(mask.u.array->var)) return;
    Var v = mask.u.array->var;
    tape_guard(in->tape, op_reduce(in->tape, OP_REDUCE_MIN, v, (1u << v.value->shape.rank) - 1));
}

bool fill_missing(Interp *in, Value data, Value *filled, Value *mask, Span at) {
    const Tensor *t = tape_value(in->tape, data.u.array->var);
    int64_t n = shape_size(t->shape), i = 0;
    while (i < n && isnan(tensor_item(t, i))) i++;
    *mask = array_apply(in, OP_ISNAN, 1, &data, at);
    guard_missing(in, *mask);
    if (i == n) return false;
    Value args[3] = {*mask, value_number(tensor_item(t, i)), data};
    *filled = array_apply(in, OP_WHERE, 3, args, at);
    return true;
}

void site_check_data(Interp *in, const Site *s) {
    Value x = s->data, mask;
    if (s->data.kind == VALUE_ARRAY && s->data.u.array->missing && !fill_missing(in, s->data, &x, &mask, s->span)) return;
    check_shape(in, s, x);
    check_data(in, s, x);
}

Value site_log_density(Interp *in, Site *s) {
    Value x = s->value, mask = value_none();
    bool missing = s->observed && s->data.kind == VALUE_ARRAY && s->data.u.array->missing;
    if (missing && !fill_missing(in, s->data, &x, &mask, s->span)) return value_number(0);
    if (missing && type_rank(s->dist->family->decl->support) > 0 )
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "leave the observations with missing elements out, or observe the elements one by one",
                  "%s is partly missing; that is possible for univariate distributions only", site_text(in, s));
    check_shape(in, s, x);
    if (s->observed) check_data(in, s, x);
    Value lp = dist_logpdf(in, s->dist, x, true, s->span);
    if (missing) {
        Value args[3] = {mask, value_number(0), lp};
        lp = array_apply(in, OP_WHERE, 3, args, s->span);
    }
    lp = sum_event(in, lp, s->span);
    const Axis *axes[MAX_INDEX];
    int n = 0;
    for (int k = 0; k < s->nindex; k++)
        if (s->index[k].axis) axes[n++] = s->index[k].axis;
    return n ? array_expand_axes(in, lp, n, axes) : lp;
}

/* -- Draws -- */

Value dist_draw_site(Interp *in, Dist *d, const Site *site, bool reparameterise) {
    const Family *fam = d->family;
    const Function *fn = fam->rdraw ? fam->rdraw : fam->draw;
    Span at = site ? site->span : d->span;
    if (!fn) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "the distribution %s has neither draw() nor rdraw(): it can be observed, not drawn", fam->decl->name);
    DrawSite draw = {0};
    if (site) {
        draw.key = key_fold(in->ctx->seed, hash_string(site->name));
        draw.nindex = site->nindex;
        memcpy(draw.index, site->index, sizeof(Index) * (size_t)site->nindex);
    } else if (in->draw) { /* a draw inside a draw(): a stream of its own */
        draw = *in->draw;
        draw.key = key_fold(in->draw->key, 0x9e3779b97f4a7c15u + in->draw->count++);
        draw.count = 0;
    } else {
        draw.key = key_fold(key_fold(in->ctx->seed, hash_string("draw")), in->draw_count++);
        loop_refuse(in, at, "draws are counted");
        for (int k = 0; k < in->nplates && draw.nindex < MAX_INDEX; k++)
            if (in->plates[k]->kind == AXIS_PLATE) draw.index[draw.nindex++] = (Index){.axis = in->plates[k]};
    }
    DrawSite *outer = in->draw;
    int nplates = in->nplates;
    Batch b = batch_axes(in, append(d->repeat, batch_shape(in, d, at)), at);
    if (nplates + b.n > MAX_AXES) axes_refuse(in, nplates + b.n, at);
    for (int k = 0; k < b.n; k++) in->plates[in->nplates++] = b.axes[k];
    in->draw = &draw;
    Value v = run_member(in, d, fn, &b, 0, NULL, 0, at);
    in->draw = outer;
    in->nplates = nplates;
    Value density = value_none();
    if (v.kind == VALUE_TUPLE && v.u.list->n == 2) density = v.u.list->items[1], v = v.u.list->items[0];
    v = close_batch(in, v, &b);
    if (nplates) v = array_expand_axes(in, v, nplates, in->plates);
    d->drawn = density.kind == VALUE_NONE || !reparameterise ? value_none() : v;
    d->drawn_density = close_batch(in, density, &b);
    d->drawn_at = in->renewals;
    if (v.kind == VALUE_ARRAY && !(reparameterise && fam->rdraw) && var_is_taped(v.u.array->var)) {
        Array *a = arena_copy(in->arena, v.u.array, sizeof(Array));
        a->var = op_stop_gradient(in->tape, a->var);
        v.u.array = a;
    }
    return v;
}

Value value_detached(Interp *in, Value v) {
    if (v.kind == VALUE_DIST) return (Value){VALUE_DIST, .u.dist = dist_detach(in, v.u.dist)};
    if (v.kind != VALUE_ARRAY || !var_is_taped(v.u.array->var)) return v;
    Array *a = arena_copy(in->arena, v.u.array, sizeof(Array));
    a->var = op_stop_gradient(in->tape, a->var);
    return (Value){VALUE_ARRAY, .u.array = a};
}

Dist *dist_detach(Interp *in, const Dist *d) {
    Dist *r = arena_copy(in->arena, d, sizeof *d);
    r->params = ARENA_ARRAY(in->arena, Value, d->family->decl->nparams + 1);
    for (int k = 0; k < d->family->decl->nparams; k++) r->params[k] = value_detached(in, d->params[k]);
    return r;
}

/* -- One of several -- */

bool has_enum_axis(Value v) {
    for (int k = 0; v.kind == VALUE_ARRAY && k < v.u.array->naxes; k++)
        if (v.u.array->axes[k]->kind == AXIS_ENUM) return true;
    return false;
}

/* One family: its parameters are chosen. False: a parameter is not given to all of them, or not in one shape. */
static bool choose_params(Interp *in, int n, const Value *dists, Value k, Value *out, Span at) {
    const Dist *d = dists[0].u.dist;
    for (int i = 1; i < n; i++)
        if (dists[i].u.dist->family != d->family || !shape_equal(dists[i].u.dist->repeat, d->repeat)) return false;
    Value *items = ARENA_ARRAY(in->arena, Value, n);
    for (int p = 0; p < d->family->decl->nparams; p++) {
        bool same = true;
        for (int i = 0; i < n; i++) {
            items[i] = dists[i].u.dist->params[p];
            if (items[i].kind != d->params[p].kind && !(value_is_numeric(items[i]) && value_is_numeric(d->params[p]))) return false;
            same &= memcmp(&items[i].u, &d->params[p].u, sizeof items[i].u) == 0;
        }
        out[p] = items[0];
        if (same) continue;
        if (!value_is_numeric(items[0])) return false;
        Shape shape = value_event_shape(in, items[0], at);
        for (int i = 1; i < n; i++)
            if (!shape_equal(value_event_shape(in, items[i], at), shape)) return false;
        out[p] = array_index(in, array_from_items(in, n, items, at), 1, &k, &at, at);
    }
    return true;
}

Value dist_choose(Interp *in, int n, const Value *dists, Value k, Span at) {
    const Dist *first = dists[0].u.dist;
    Value *params = ARENA_ARRAY(in->arena, Value, first->family->decl->nparams + 1);
    if (choose_params(in, n, dists, k, params, at)) {
        Dist *d = arena_copy(in->arena, first, sizeof *first);
        d->params = params;
        return (Value){VALUE_DIST, .u.dist = d};
    }
    Value args[2] = {value_list(in, VALUE_LIST, n, dists), k};
    return interp_call(in, interp_lookup(in, "_chosen"), 2, args, at);
}
