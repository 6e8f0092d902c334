/* What models and guides say: `~`, observe, `:=`, param; models inside models. */
#include <math.h>
#include <string.h>

#include "base/strings.h"
#include "interp/builtins.h"
#include "interp/cells.h"
#include "interp/internal.h"
#include "interp/session.h"

/* The address of a target here: outer names and indices, then its own. Gives the number of indices. */
static int full_address(Interp *in, const char *name, const Index *own, int n, const char **full, Index *index, Span at) {
    int outer = 0;
    *full = name;
    if (in->address) {
        outer = in->address->nindex;
        memcpy(index, in->address->index, sizeof(Index) * (size_t)outer);
        *full = arena_printf(in->arena, "%s.%s", in->address->name, name);
    }
    if (outer + n > MAX_INDEX)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "`%s` has %d indices with those of the models around it; at most %d are possible", *full,
                  outer + n, MAX_INDEX);
    memcpy(index + outer, own, sizeof(Index) * (size_t)n);
    return outer + n;
}

static void target_index(Interp *in, Frame *f, const Target *t, Index *index) {
    if (!eval_index_tuple(in, f, t, index))
        ctx_raise(in->ctx, ERROR_PROGRAM, t->span, "write one index for each dimension, or none",
                  "`%s`: a variable is drawn as a whole or at single places, not over a range", t->name);
}

/* A model's call, whether written m or m(args). */
static const Call *as_model_call(Interp *in, Value v) {
    if (v.kind == VALUE_CALL) return v.u.call;
    if (v.kind != VALUE_FUNCTION || (v.u.closure->function->kind != FUNCTION_MODEL && v.u.closure->function->kind != FUNCTION_GUIDE)) return NULL;
    Value call = interp_call(in, v, 0, NULL, in->ctx->span);
    return call.u.call;
}

/* -- Where the answer goes -- */

/* Data that were drawn anew hide what was given: later statements see the new ones. */
static void hide_data(Interp *in, Frame *f, const Target *t, const Index *index, Value v) {
    Value *slot = slot_of(in, f, t->ref), given = *slot;
    if (t->ref.kind == REF_GLOBAL) {
        if (!in->overlay) in->overlay = ARENA_ARRAY(in->arena, Value, in->nglobals + 1);
        slot = &in->overlay[t->ref.slot];
        if (slot->kind != VALUE_NONE) given = *slot;
    }
    if (t->nindices && slot->kind != VALUE_CELLS) {
        Cells *c = ARENA_NEW(in->arena, Cells);
        *c = (Cells){.base = given, .axis = index[0].axis};
        if (c->axis) c->items = ARENA_ARRAY(in->arena, Value, 1), c->n = c->capacity = 1;
        *slot = (Value){VALUE_CELLS, .u.cells = c};
    }
    cells_set(in, slot, t->name, t->nindices, index, v, t->span);
}

static bool same_data(Value a, Value b) {
    if (a.kind != b.kind) return false;
    return a.kind == VALUE_NUMBER ? a.u.number == b.u.number : a.u.array == b.u.array;
}

/* The data at the place of an observed target, as they were given. */
static Value data_at(Interp *in, Frame *f, const Target *t, bool *gaps) {
    Value *slot = slot_of(in, f, t->ref);
    Value whole = slot->kind == VALUE_CELLS ? slot->u.cells->base : *slot;
    whole = read_slot(in, &whole, t->name, t->span);
    *gaps = whole.kind == VALUE_ARRAY && whole.u.array->missing;
    if (t->nindices == 0) return whole;
    Value indices[MAX_INDEX];
    Span spans[MAX_INDEX];
    eval_indices(in, f, t->indices, t->nindices, indices, spans);
    return array_index(in, whole, t->nindices, indices, spans, t->span);
}

/* A plate that ends before the data do leaves the rest unobserved. */
static void warn_unobserved(Interp *in, Frame *f, const Target *t, const Index *index) {
    const Value *slot = slot_of(in, f, t->ref);
    if (slot->kind != VALUE_ARRAY) return;
    const Array *a = slot->u.array;
    for (int k = 0; k < t->nindices && a->naxes + k < a->var.value->shape.rank; k++) {
        int64_t n = a->var.value->shape.dim[a->naxes + k];
        const Axis *plate = index[k].axis;
        int64_t last = plate ? plate->first + plate->population - 1 : 0;
        if (!plate || last >= n || plate->size == 0) continue;
        session_warn_once(in, WARNING_REST_UNOBSERVED, t->span, arena_printf(in->arena, "write %s in 1..%ld to observe all", plate->name, (long)n),
                          "the plate `%s` ends at %ld, `%s` has %ld elements: the rest is not observed", plate->name,
                          (long)last, t->name, (long)n);
    }
}

/* -- Models inside models -- */

Value interp_run_call(Interp *in, const Call *call, Span at) {
    const Function *fn = call->closure->function;
    Frame *f = frame_new(in, fn, call->closure->environment);
    f->param_path = in->address ? arena_printf(in->arena, "%s.%s", in->address->name, fn->name) : fn->name;
    for (int k = 0; k < fn->nparams; k++) f->slots[fn->params[k].slot] = call->arguments[k];
    if (fn->body == NULL && fn->expr == NULL) return value_nothing();
    struct Handler *handler = in->handler; /* lifted nets leave theirs on the stack */
    Value v = run_body(in, f, fn, at);
    if (!in->address) in->handler = handler; /* a nested model may return one */
    return v;
}

static void sample_model(Interp *in, Frame *f, const Stmt *s, const Call *call, const Index *own) {
    const Target *t = &s->u.sample.target;
    if (s->u.sample.role == ROLE_OBSERVED)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "observe inside the model that is called",
                  "`%s` is data, and a model's return value cannot be observed", t->name);
    Address *a = ARENA_NEW(in->arena, Address);
    a->outer = in->address;
    a->nindex = full_address(in, t->name, own, t->nindices, &a->name, a->index, t->span);
    in->address = a;
    Value v = interp_run_call(in, call, s->span);
    in->address = a->outer;
    if (v.kind == VALUE_NOTHING) v = value_none();
    cells_set(in, slot_of(in, f, t->ref), t->name, t->nindices, own, v, t->span);
}

/* g ~ lift(f, prior): its parameters are drawn as they are met. */
static void sample_net(Interp *in, Frame *f, const Stmt *s, Value lift, const Index *own) {
    const Target *t = &s->u.sample.target;
    if (s->u.sample.role == ROLE_OBSERVED)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, NULL, "`%s` is data, and a net cannot be observed", t->name);
    Site place = {.span = s->span, .value_span = t->span, .data = value_none(), .value = value_none()};
    place.nindex = full_address(in, t->name, own, t->nindices, &place.name, place.index, t->span);
    cells_set(in, slot_of(in, f, t->ref), t->name, t->nindices, own, lift_draw(in, lift, &place), t->span);
}

/* -- The statements -- */

static Dist *as_dist(Interp *in, Value v, Span at) {
    if (v.kind == VALUE_DIST) return v.u.dist;
    const char *hint = "write a distribution, such as Normal(0, 1), or a model with its arguments";
    if (v.kind == VALUE_FAMILY) hint = arena_printf(in->arena, "give its parameters: %s(...)", v.u.family->decl->name);
    ctx_raise(in->ctx, ERROR_PROGRAM, at, hint, "what follows `~` must be a distribution or a model; this is %s", value_describe(in, v));
}

void exec_sample(Interp *in, Frame *f, const Stmt *s) {
    const Target *t = &s->u.sample.target;
    Index own[MAX_INDEX];
    target_index(in, f, t, own);
    Value d = eval(in, f, s->u.sample.dist);
    if (value_is_lift(d)) {
        loop_refuse(in, s->span, "a net is drawn");
        sample_net(in, f, s, d, own);
        return;
    }
    const Call *call = as_model_call(in, d);
    if (call) {
        sample_model(in, f, s, call, own);
        return;
    }
    Site *site = ARENA_NEW(in->arena, Site);
    *site = (Site){.dist = as_dist(in, d, s->u.sample.dist->span), .span = s->span, .value_span = t->span,
                   .observed = s->u.sample.role == ROLE_OBSERVED, .data = value_none(), .value = value_none()};
    site->nindex = full_address(in, t->name, own, t->nindices, &site->name, site->index, t->span);
    bool data = site->observed;
    if (data) {
        site->data = data_at(in, f, t, &site->gaps);
        if (site->data.kind == VALUE_ARRAY && site->data.u.array->missing) loop_refuse(in, s->span, "data are missing");
        warn_unobserved(in, f, t, own);
        missing_find(f->function, t, site);
    }
    effect_sample(in, in->handler, site);
    if (site->partly) missing_refuse(in, t, site);
    if (!data) cells_set(in, slot_of(in, f, t->ref), t->name, t->nindices, own, site->value, t->span);
    else if (!same_data(site->value, site->data)) hide_data(in, f, t, own, site->value);
}

/* `observe e ~ D`: a site without a name of its own; its address is its place in the text. */
void exec_observe(Interp *in, Frame *f, const Stmt *s) {
    Value v = eval(in, f, s->u.observe.value), d = eval(in, f, s->u.observe.dist);
    if (!value_is_numeric(v))
        ctx_raise(in->ctx, ERROR_PROGRAM, s->u.observe.value->span, NULL, "only numbers and arrays can be observed; this is %s", value_describe(in, v));
    Site *site = ARENA_NEW(in->arena, Site);
    *site = (Site){.dist = as_dist(in, d, s->u.observe.dist->span), .text = "the value", .span = s->span,
                   .value_span = s->u.observe.value->span, .observed = true, .data = v, .value = value_none()};
    Index own[MAX_INDEX];
    int n = 0;
    for (int k = 0; k < in->nplates && n < MAX_INDEX; k++)
        if (axis_repeats(in->plates[k])) own[n++] = (Index){.axis = in->plates[k]};
    const char *name = arena_printf(in->arena, "observe@%d:%d", s->span.line, s->span.column);
    if (in->address) n = 0;
    site->nindex = full_address(in, name, own, n, &site->name, site->index, s->span);
    effect_sample(in, in->handler, site);
}

void exec_record(Interp *in, Frame *f, const Stmt *s) {
    const Target *t = &s->u.assign.target;
    Index own[MAX_INDEX], index[MAX_INDEX];
    target_index(in, f, t, own);
    Value v = eval(in, f, s->u.assign.value);
    const char *name;
    int n = full_address(in, t->name, own, t->nindices, &name, index, t->span);
    cells_set(in, slot_of(in, f, t->ref), t->name, t->nindices, own, v, t->span);
    effect_record(in, in->handler, name, index, n, v, s->span);
}

static double bound(Interp *in, Frame *f, const Expr *e, double otherwise) {
    return e ? value_to_number(in, eval(in, f, e), e->span, "a bound") : otherwise;
}

static Shape declared_shape(Interp *in, Frame *f, const Type *t) {
    Shape shape = SHAPE_SCALAR;
    for (int k = 0; t && k < t->nsizes; k++) {
        int64_t n = value_to_int(in, eval(in, f, t->sizes[k]), t->sizes[k]->span, "a size");
        if (n < 0) ctx_raise(in->ctx, ERROR_PROGRAM, t->sizes[k]->span, NULL, "a size cannot be negative, this is %ld", (long)n);
        shape.dim[shape.rank++] = n;
    }
    if (t && (t->kind == TYPE_COV || t->kind == TYPE_CORR_CHOLESKY) && shape.rank > 0) {
        shape.dim[shape.rank] = shape.dim[shape.rank - 1];
        shape.rank++;
    }
    return shape;
}

/* The plates around the statement within the call that it belongs to, from outer to inner. */
static void find_plates(Interp *in, const Frame *f, ParamSite *p) {
    const PlateRound *rounds[MAX_AXES];
    int n = 0;
    for (const PlateRound *r = in->round; r != f->round; r = r->outer) {
        if (n + in->nplates - f->nplates >= MAX_AXES) axes_refuse(in, n + in->nplates - f->nplates + 1, p->span);
        rounds[n++] = r;
    }
    for (int k = f->nplates; k <= in->nplates; k++) {
        for (; n > 0 && rounds[n - 1]->nplates <= k; n--) {
            const PlateRound *r = rounds[n - 1];
            p->element[p->naxes] = r->at - r->axis->first + 1;
            p->axes[p->naxes++] = r->axis;
        }
        if (k < in->nplates && in->plates[k]->kind == AXIS_PLATE) p->axes[p->naxes++] = in->plates[k];
    }
}

int param_axes(const ParamSite *p, const Axis **axes) {
    int n = 0;
    for (int k = 0; k < p->naxes; k++)
        if (!p->element[k]) axes[n++] = p->axes[k];
    return n;
}

/* An initial value may be a function of the shape: glorot(). Its noise belongs to the parameter's address. */
static Value initial_value(Interp *in, const ParamSite *p) {
    const Expr *init = p->stmt->u.param.init;
    DrawSite draw = {.key = key_fold(in->ctx->seed, hash_string(p->name)), .nindex = p->naxes}, *outer = in->draw;
    for (int k = 0; k < p->naxes; k++)
        draw.index[k] = p->element[k] ? (Index){.at = p->axes[k]->first + p->element[k] - 1} : (Index){.axis = p->axes[k]};
    const Axis *plates[MAX_AXES];
    int nplates = in->nplates;
    bool recording = in->tape->recording;
    memcpy(plates, in->plates, sizeof plates);
    in->nplates = param_axes(p, in->plates);
    in->draw = &draw;
    in->tape->recording = false;
    Value v = eval(in, p->frame, init);
    if (v.kind == VALUE_FUNCTION || v.kind == VALUE_BUILTIN) { /* of the shape */
        Value shape = shape_value(in, p->shape);
        v = interp_call(in, v, 1, &shape, init->span);
    }
    in->tape->recording = recording;
    in->draw = outer;
    in->nplates = nplates;
    memcpy(in->plates, plates, sizeof plates);
    return v;
}

Value param_initial_value(Interp *in, ParamSite *p) {
    const Stmt *s = p->stmt;
    if (p->init.kind == VALUE_NONE && s && s->u.param.init) p->init = initial_value(in, p);
    if (p->init.kind == VALUE_NONE || !p->sized) return p->init;
    Array a = value_array(in, p->init, s->u.param.init->span, "an initial value");
    Shape got = array_shape(&a), both;
    if (!shape_broadcast(got, p->shape, &both) || !shape_equal(both, p->shape))
        ctx_raise(in->ctx, ERROR_PROGRAM, s->u.param.init->span, NULL, "the initial value of `%s` has shape %s, declared is %s", s->u.param.name,
                  shape_text(in->arena, got), shape_text(in->arena, p->shape));
    if (!shape_equal(got, p->shape)) p->init = array_like(in, &a, array_expand_event(in, &a, p->shape));
    return p->init;
}

void exec_param(Interp *in, Frame *f, const Stmt *s) {
    const Type *t = s->u.param.type;
    ParamSite p = {.type = t, .kind = t ? t->kind : TYPE_REAL, .low = -INFINITY, .high = INFINITY, .span = s->span, .value = value_none(),
                   .init = value_none(), .stmt = s, .frame = f};
    if (p.kind == TYPE_ANY) p.kind = TYPE_REAL;
    if (p.kind == TYPE_INT || p.kind == TYPE_BOOL)
        ctx_raise(in->ctx, ERROR_PROGRAM, t->span, NULL, "a learned parameter is real; `%s` is declared %s", s->u.param.name, lang_type_name(p.kind));
    if (t) p.low = bound(in, f, t->low, -INFINITY), p.high = bound(in, f, t->high, INFINITY);
    p.name = f->param_path && *f->param_path ? arena_printf(in->arena, "%s.%s", f->param_path, s->u.param.name) : s->u.param.name;
    if (in->nplates > f->nplates) loop_refuse(in, s->span, "a parameter is the same in all steps");
    find_plates(in, f, &p);
    p.shape = declared_shape(in, f, t);
    p.sized = p.shape.rank > 0;
    if (!p.sized && s->u.param.init) { /* the initial value tells */
        p.init = param_initial_value(in, &p);
        p.shape = value_event_shape(in, p.init, s->u.param.init->span);
    }
    effect_param(in, in->handler, &p);
    Shape got = value_event_shape(in, p.value, s->span);
    if (!shape_equal(got, p.shape))
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "a network is used on inputs of the size that it was trained on",
                  "the parameter `%s` must have shape %s here, learned was %s", p.name, shape_text(in->arena, p.shape), shape_text(in->arena, got));
    f->slots[s->u.param.slot] = p.value;
}
