#include "infer/params.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "infer/handlers.h"
#include "infer/recorder.h"
#include "interp/array.h"

void params_init(ParamStore *s, Interp *in, Arena *arena) { *s = (ParamStore){.in = in, .arena = arena}; }

int params_find(const ParamStore *s, const char *name) {
    for (int k = 0; k < s->n; k++)
        if (strcmp(s->list[k].name, name) == 0) return k;
    return -1;
}

enum { SHOWN_NAMES = 6 };

static const char *names_text(const ParamStore *s, Interp *in) {
    Buf list = {0};
    for (int k = 0; k < s->n && k < SHOWN_NAMES; k++) buf_printf(&list, "%s%s", k ? ", " : "", s->list[k].name);
    if (s->n > SHOWN_NAMES) buf_printf(&list, " and %d more", s->n - SHOWN_NAMES);
    const char *text = arena_strdup(in->arena, s->n ? list.text : "nothing");
    buf_free(&list);
    return text;
}

int params_known(const ParamStore *s, Interp *in, const ParamSite *site) {
    int k = params_find(s, site->name);
    if (k >= 0 || !s->file) return k;
    const char **names = ARENA_ARRAY(in->arena, const char *, s->n + 1), *near;
    for (int i = 0; i < s->n; i++) names[i] = s->list[i].name;
    near = nearest_name(site->name, names, s->n);
    near =
        near ? arena_printf(in->arena, "it has `%s`", near) : arena_printf(in->arena, "it has %s", names_text(s, in));
    ctx_raise(in->ctx, ERROR_PROGRAM, site->span,
              arena_printf(in->arena,
                           "%s; load(\"%s\", partial = true) lets what is missing begin at its initial values", near,
                           s->file),
              "%s has no parameter `%s`", s->file, site->name);
}

/* Of the plates that the parameter stands in. */
static int64_t elements_of(const ParamInfo *p) {
    int64_t n = 1;
    for (int k = 0; k < p->naxes; k++) n *= p->shape.dim[k];
    return n;
}

ParamStore *params_copy(const ParamStore *s, Arena *arena) {
    ParamStore *copy = ARENA_NEW(arena, ParamStore);
    *copy = *s;
    copy->arena = arena;
    copy->from = NULL;
    if (s->file) copy->file = arena_strdup(arena, s->file);
    copy->read = NULL;
    copy->list = ARENA_ARRAY(arena, ParamInfo, s->n + 1);
    if (s->n) memcpy(copy->list, s->list, sizeof *s->list * (size_t)s->n);
    for (int k = 0; k < s->n; k++) {
        ParamInfo *p = &copy->list[k];
        p->name = arena_strdup(arena, p->name);
        if (p->started) p->started = arena_copy(arena, p->started, (size_t)elements_of(p));
    }
    copy->values = ARENA_ARRAY(arena, real, s->size + 1);
    if (s->size) memcpy(copy->values, s->values, sizeof(real) * (size_t)s->size);
    copy->capacity = s->n;
    copy->reserved = s->size;
    return copy;
}

static Constraint info_constraint(Tape *t, const ParamInfo *p) {
    Constraint k = {.kind = p->kind};
    if (p->kind == CONSTRAINT_LOWER || p->kind == CONSTRAINT_INTERVAL) k.low = var_number(t, p->low);
    if (p->kind == CONSTRAINT_UPPER || p->kind == CONSTRAINT_INTERVAL) k.high = var_number(t, p->high);
    return k;
}

static void info_kind(ParamInfo *p, const ParamSite *s) {
    p->low = s->low, p->high = s->high;
    switch (s->kind) {
    case TYPE_POSITIVE: p->low = fmax(0, p->low); break;
    case TYPE_UNIT: p->low = 0, p->high = 1; break;
    case TYPE_SIMPLEX: p->kind = CONSTRAINT_SIMPLEX; return;
    case TYPE_ORDERED: p->kind = CONSTRAINT_ORDERED; return;
    case TYPE_COV: p->kind = CONSTRAINT_COV; return;
    case TYPE_CORR_CHOLESKY: p->kind = CONSTRAINT_CORR_CHOLESKY; return;
    default: break;
    }
    bool low = isfinite(p->low), high = isfinite(p->high);
    p->kind = low && high ? CONSTRAINT_INTERVAL : low ? CONSTRAINT_LOWER : high ? CONSTRAINT_UPPER : CONSTRAINT_REAL;
}

static Shape full_shape(int naxes, const Axis *const *axes, Shape event) {
    Shape s = {.rank = naxes + event.rank};
    for (int k = 0; k < naxes; k++) s.dim[k] = axis_is_subset(axes[k]) ? axes[k]->population : axes[k]->size;
    for (int k = 0; k < event.rank; k++) s.dim[naxes + k] = event.dim[k];
    return s;
}

/* A random initial value that was drawn among particles: all start from the first one's. */
static Value first_particle(Interp *in, Value v, Span at) {
    if (v.kind != VALUE_ARRAY) return v;
    for (int k = 0; k < v.u.array->naxes; k++) {
        const Axis *axis = v.u.array->axes[k];
        if (axis->kind != AXIS_PARTICLE) continue;
        Value one = value_number(1);
        return array_index(in, array_axis_to_event(in, v, axis), 1, &one, &at, at);
    }
    return v;
}

/* "within 0 and inf", "a simplex" */
static const char *info_text(Interp *in, const ParamInfo *p) {
    bool bounds = p->kind == CONSTRAINT_LOWER || p->kind == CONSTRAINT_UPPER || p->kind == CONSTRAINT_INTERVAL;
    return bounds ? arena_printf(in->arena, "between %g and %g", p->low, p->high)
                  : arena_printf(in->arena, "a %s", constraint_name(p->kind));
}

static void start_at(Interp *in, const ParamInfo *p, Var x, real *to) {
    Constraint k = info_constraint(in->tape, p);
    if (!constraint_holds(in->ctx, &k, tape_value(in->tape, x)))
        ctx_raise(in->ctx, ERROR_PROGRAM, p->span, "param w: type = init starts where its type allows",
                  "the initial value of `%s` is not %s", p->name, info_text(in, p));
    tensor_copy_out(tape_value(in->tape, constraint_inverse(in->tape, &k, x)), to);
}

/* What the fit has that it starts from; false: nothing. */
static bool start_from(const ParamStore *s, Interp *in, const ParamInfo *p, const ParamSite *site, real *to) {
    int known = s->from ? params_known(s->from, in, site) : -1;
    if (known < 0) return false;
    const ParamInfo *q = &s->from->list[known];
    if (q->kind == CONSTRAINT_REAL && p->kind != CONSTRAINT_REAL && shape_equal(q->shape, p->shape)) { /* loaded */
        start_at(in, p, var_constant(tensor_borrow(in->arena, q->shape, s->from->values + q->offset)), to);
        return true;
    }
    if (!shape_equal(q->free, p->free) || q->kind != p->kind)
        ctx_raise(in->ctx, ERROR_PROGRAM, p->span, NULL,
                  "the parameter `%s` has shape %s here, %s in the fit it starts from", p->name,
                  shape_text(in->arena, p->shape), shape_text(in->arena, q->shape));
    memcpy(to, s->from->values + q->offset, sizeof(real) * (size_t)p->size);
    return true;
}

/* The declared initial value in unconstrained space; p's axes are those of the plates that run at once. */
static void start_declared(Interp *in, const ParamInfo *p, ParamSite *site, real *to) {
    Value init = param_initial_value(in, site);
    if (init.kind == VALUE_NONE) return;
    Value v = first_particle(in, init, p->span);
    bool batches = false;
    for (int k = 0; k < p->naxes; k++) batches |= axis_is_subset(p->axes[k]);
    if (batches && v.kind == VALUE_ARRAY && v.u.array->naxes > 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, p->span, "start them all alike",
                  "the initial value of `%s` differs between elements of a plate that runs in batches", p->name);
    if (!batches) v = array_expand_axes(in, v, p->naxes, p->axes);
    Array a = value_array(in, v, p->span, "an initial value");
    Shape together;
    if (a.naxes != (batches ? 0 : p->naxes))
        ctx_raise(in->ctx, ERROR_PROGRAM, p->span,
                  "start it from one number for all, or declare it in the plate to have one for each element",
                  "the initial value of `%s` differs between elements of the plate `%s`, but all share the parameter", p->name,
                  a.axes[a.naxes - 1]->name);
    bool fits = shape_broadcast(array_shape(&a), p->event, &together) && shape_equal(together, p->event);
    assert(fits); /* param_initial_value has seen to it */
    (void)fits;
    start_at(in, p, op_expand(in->tape, array_expand_event(in, &a, p->event), p->shape), to);
}

static bool runs_by_element(const ParamSite *site) {
    bool one = false;
    for (int k = 0; k < site->naxes; k++) one |= site->element[k] > 0;
    return one;
}

/* Is element `k` of all, row by row, among those that the site stands for? */
static bool is_met(const ParamInfo *p, const ParamSite *site, int64_t k) {
    for (int d = p->naxes - 1; d >= 0; k /= p->shape.dim[d--])
        if (site->element[d] && site->element[d] != k % p->shape.dim[d] + 1) return false;
    return true;
}

/* Elements that are met for the first time get their initial values; `seen` is where this run reads them. */
static void start_elements(ParamStore *s, Interp *in, ParamInfo p, ParamSite *site, real *seen) {
    int64_t n = elements_of(&p), tail = n ? p.size / n : 0, at = 0;
    bool fresh = false;
    for (int64_t k = 0; k < n && !fresh; k++) fresh = !p.started[k] && is_met(&p, site, k);
    if (!fresh) return;
    ParamInfo part = p;
    part.naxes = param_axes(site, part.axes);
    part.shape = full_shape(part.naxes, part.axes, p.event);
    params_measure(in, &part);
    real *values = ARENA_ARRAY(in->arena, real, part.size + 1);
    start_declared(in, &part, site, values);
    for (int64_t k = 0; k < n; k++) {
        if (!is_met(&p, site, k)) continue;
        const real *from = values + at++ * tail;
        if (p.started[k]) continue;
        memcpy(s->values + p.offset + k * tail, from, sizeof *from * (size_t)tail);
        if (seen) memcpy(seen + k * tail, from, sizeof *from * (size_t)tail);
        p.started[k] = true;
    }
    s->read = NULL; /* they are not there */
}

void params_measure(Interp *in, ParamInfo *p) {
    Constraint k = info_constraint(in->tape, p);
    p->free = constraint_free_shape(in->ctx, &k, p->shape);
    p->size = shape_size(p->free);
}

void params_append(ParamStore *s, ParamInfo p, const real *values) {
    p.name = arena_strdup(s->arena, p.name);
    p.offset = s->size;
    ARENA_GROW(s->arena, s->list, s->n, s->capacity, 8);
    if (s->size + p.size > s->reserved) {
        s->reserved = 2 * (s->size + p.size) + 16;
        real *more = ARENA_ARRAY(s->arena, real, s->reserved);
        if (s->size) memcpy(more, s->values, sizeof *more * (size_t)s->size);
        s->values = more;
        s->in->tape->inputs[SLOT_PARAMS] = s->values;
    }
    if (p.size) memcpy(s->values + p.offset, values, sizeof *values * (size_t)p.size);
    s->read = NULL; /* the new one is not there */
    s->size += p.size;
    s->list[s->n++] = p;
    s->generation++;
}

static int add_param(ParamStore *s, Interp *in, ParamSite *site) {
    ParamInfo p = {
        .name = site->name, .event = site->shape, .share = site->share, .span = site->span, .naxes = site->naxes};
    memcpy(p.axes, site->axes, sizeof p.axes);
    info_kind(&p, site);
    p.shape = full_shape(p.naxes, p.axes, p.event);
    params_measure(in, &p);
    real *values = ARENA_ARRAY(in->arena, real, p.size + 1);
    bool known = start_from(s, in, &p, site, values);
    if (!known && runs_by_element(site))
        p.started = ARENA_ARRAY(s->arena, bool, elements_of(&p) + 1);
    else if (!known)
        start_declared(in, &p, site, values); /* which may meet other parameters */
    params_append(s, p, values);
    return s->n - 1;
}

/* -- The handler -- */

static void reserve_cache(ParamReader *r, Interp *in) {
    if (r->store->n <= r->capacity) return;
    int capacity = 2 * r->store->n + 8;
    Var *inputs = ARENA_ARRAY(in->arena, Var, capacity);
    Value *values = ARENA_ARRAY(in->arena, Value, capacity);
    if (r->capacity) {
        memcpy(inputs, r->inputs, sizeof *inputs * (size_t)r->capacity);
        memcpy(values, r->values, sizeof *values * (size_t)r->capacity);
    }
    bool *of_model = ARENA_ARRAY(in->arena, bool, capacity);
    if (r->capacity) memcpy(of_model, r->of_model, sizeof *of_model * (size_t)r->capacity);
    r->of_model = of_model;
    r->inputs = inputs, r->values = values, r->capacity = capacity;
}

/* Of parameters in a plate those of the batch at work. */
static Var batch_rows(Interp *in, Var u, const ParamSite *site) {
    for (int k = 0; k < site->naxes; k++) {
        const Axis *axis = site->axes[k];
        if (!axis_is_subset(axis)) continue;
        Var places = op2(in->tape, OP_SUB, axis_elements(in, axis), var_number(in->tape, (real)(axis->first - 1)));
        int perm[MAX_RANK], rank = u.value->shape.rank; /* dimension k and the first change places */
        for (int i = 0; i < rank; i++) perm[i] = i;
        perm[0] = k, perm[k] = 0;
        u = k ? op_permute(in->tape, u, perm) : u;
        u = op_gather(in->tape, u, places, 0);
        u = k ? op_permute(in->tape, u, perm) : u;
    }
    return u;
}

/* The elements at work, of all. */
static Var elements_at_work(Interp *in, Var u, const ParamSite *site) {
    Tape *t = in->tape;
    u = batch_rows(in, u, site);
    for (int d = site->naxes - 1; d >= 0; d--) {
        if (!site->element[d]) continue;
        Shape rest = u.value->shape;
        memmove(rest.dim + d, rest.dim + d + 1, sizeof *rest.dim * (size_t)(--rest.rank - d));
        u = op_reshape(t, op_slice(t, u, d, site->element[d] - 1, 1, 1), rest);
    }
    return u;
}

static Value with_axes(Interp *in, Var v, const ParamSite *site) {
    const Axis *axes[MAX_AXES];
    int naxes = param_axes(site, axes);
    return value_var(in, v, naxes, axes);
}

static Value read_param(const ParamStore *s, Interp *in, int k, const ParamSite *site, Var input) {
    Constraint c = info_constraint(in->tape, &s->list[k]);
    return with_axes(in, constraint_forward(in->tape, &c, elements_at_work(in, input, site), NULL), site);
}

static const real *params_read(const ParamStore *s) { return s->read ? s->read : s->values; }

/* Particles, and what else the statistics differ between, are averaged. */
static Var without_axes(Interp *in, Value v, Span at) {
    Array a = value_array(in, v, at, "a running average");
    while (a.naxes > 0) {
        const Axis *axis = a.axes[a.naxes - 1];
        Value sum = array_reduce_axis(in, OP_SUM, v, axis, at);
        v = array_binary(in, BINARY_DIV, sum, value_number((double)axis->size), at);
        a = value_array(in, v, at, "a running average");
    }
    return a.var;
}

static void add_follow(ParamReader *r, Interp *in, int k, const ParamSite *site, Value value) {
    ARENA_GROW(in->arena, r->follows, r->nfollows, r->follows_capacity, 4);
    Var way = without_axes(in, array_binary(in, BINARY_SUB, site->now, value, site->span), site->span);
    r->follows[r->nfollows++] = (Follow){k, op_stop_gradient(in->tape, way)};
}

static void check_shape(const ParamInfo *p, Interp *in, const ParamSite *site) {
    Shape shape = full_shape(site->naxes, site->axes, site->shape);
    if (shape_equal(shape, p->shape)) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, site->span,
              site->naxes > 1 ? "it has one value per element of the plates around it: one inside another must have as "
                                "many elements in each; or declare it outside, one for all"
                              : "one parameter has one shape: for another one, write it in another place",
              "the parameter `%s` has shape %s here, elsewhere it has %s", p->name, shape_text(in->arena, shape),
              shape_text(in->arena, p->shape));
}

static void reader_param(Handler *h, Interp *in, ParamSite *site) {
    ParamReader *r = (ParamReader *)h;
    int k = params_known(r->store, in, site);
    if (k < 0 && r->frozen) {
        effect_param(in, h->outer, site);
        return;
    }
    if (k < 0) k = add_param(r->store, in, site);
    check_shape(&r->store->list[k], in, site);
    Var seen = {.node = NODE_NONE};
    params_input(r, k, &seen);
    if (r->store->list[k].started)
        start_elements(r->store, in, r->store->list[k], site, seen.value ? seen.value->data : NULL);
    reserve_cache(r, in);
    in->tape->inputs[SLOT_PARAMS] = params_read(r->store);
    const ParamInfo *p = &r->store->list[k];
    Value value = r->values[k];
    Var *input = &r->inputs[k];
    bool whole = !runs_by_element(site);
    if (!input->value) *input = tape_input(in->tape, SLOT_PARAMS, p->offset, p->free);
    if (value.kind == VALUE_NONE || !whole) value = read_param(r->store, in, k, site, *input);
    if (whole) r->values[k] = value;
    r->of_model[k] |= r->in_model;
    bool average = site->share > 0;
    if (average && site->now.kind != VALUE_NONE && !r->constant) add_follow(r, in, k, site, value);
    site->value = r->constant || average ? value_detached(in, value) : value;
}

bool params_way(const ParamReader *r, int k, Var *way) {
    Tape *t = r->store->in->tape;
    int n = 0;
    for (int i = 0; i < r->nfollows; i++)
        if (r->follows[i].param == k) *way = n++ ? op2(t, OP_ADD, *way, r->follows[i].way) : r->follows[i].way;
    if (n > 1) *way = op2(t, OP_DIV, *way, var_number(t, n));
    return n > 0;
}

/* A plate starts over element by element: what was read since the mark is no longer on the tape. */
static int reader_mark(Handler *h) { return ((ParamReader *)h)->store->in->tape->nnodes; }

static void reader_rollback(Handler *h, int mark) {
    ParamReader *r = (ParamReader *)h;
    for (int k = 0; k < r->capacity; k++)
        if (r->inputs[k].node >= mark) r->inputs[k].value = NULL, r->values[k] = value_none();
    while (r->nfollows && r->follows[r->nfollows - 1].way.node >= mark) r->nfollows--;
}

void params_push(ParamReader *r, ParamStore *s, Interp *in) {
    *r =
        (ParamReader){.handler = {.param = reader_param, .mark = reader_mark, .rollback = reader_rollback}, .store = s};
    in->tape->inputs[SLOT_PARAMS] = params_read(s);
    effects_push(in, &r->handler);
}

void params_pop(ParamReader *r) { effects_pop(r->store->in, &r->handler); }

void params_share(ParamReader *r, const ParamReader *other) {
    r->inputs = other->inputs, r->values = other->values, r->of_model = other->of_model, r->capacity = other->capacity;
}

bool params_input(const ParamReader *r, int k, Var *input) {
    if (k >= r->capacity || !r->inputs[k].value) return false;
    *input = r->inputs[k];
    return true;
}

/* -- Reading them outside a run -- */

Value params_value(const ParamStore *s, Interp *in, int k) {
    const ParamInfo *p = &s->list[k];
    Var u = var_constant(tensor_borrow(in->arena, p->free, s->values + p->offset));
    Constraint c = info_constraint(in->tape, p);
    return value_tensor(in, constraint_forward(in->tape, &c, u, NULL).value);
}

Value params_site_value(const ParamStore *s, Interp *in, int k, const ParamSite *site) {
    Value v = params_value(s, in, k);
    if (site->naxes == 0) return v; /* exec_param compares shapes */
    Shape shape = full_shape(site->naxes, site->axes, site->shape);
    if (!shape_equal(shape, s->list[k].shape))
        ctx_raise(in->ctx, ERROR_PROGRAM, site->span,
                  "a parameter of each element is for the elements that it was learned with; a net takes new ones",
                  "the parameter `%s` must have shape %s here, learned was %s", site->name, shape_text(in->arena, shape),
                  shape_text(in->arena, s->list[k].shape));
    Array a = value_array(in, v, site->span, "a parameter");
    return with_axes(in, elements_at_work(in, a.var, site), site);
}

Value params_record(const ParamStore *s, Interp *in) {
    const char **names = ARENA_ARRAY(in->arena, const char *, s->n + 1);
    Value *values = ARENA_ARRAY(in->arena, Value, s->n + 1);
    for (int k = 0; k < s->n; k++) {
        names[k] = s->list[k].name;
        values[k] = params_value(s, in, k);
    }
    return record_nest(in, s->n, names, values);
}
