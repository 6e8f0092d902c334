#include "infer/latents.h"
#include "infer/summing.h"

#include <math.h>
#include <string.h>

#include "infer/diagnostics.h"
#include "infer/recorder.h"
#include "interp/array.h"
#include "interp/stdlib.h"

static const double BEGIN = 0.1; /* of the prior's spread: where elements of batches begin */

void latents_init(Latents *l, Arena *arena, bool noncentre, bool jacobian, const char *method) {
    *l = (Latents){.arena = arena, .noncentre = noncentre, .jacobian = jacobian, .method = method};
}

/* Batches of a plate may differ in size. */
static bool same_plate(const Axis *a, const Axis *b) {
    return a == b || (a && b && a->kind == b->kind && a->population == b->population && a->first == b->first &&
                      strcmp(a->name, b->name) == 0);
}

static size_t address_hash(const char *name, const Index *index, int nindex) {
    uint64_t h = (uint64_t)nindex;
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001b3u;
    for (int i = 0; i < nindex; i++) h = (h ^ (index[i].axis ? 1 : (uint64_t)index[i].at << 1)) * 0x9e3779b97f4a7c15u;
    return (size_t)(h ^ h >> 32);
}

static bool is_site(const LatentSite *s, const char *name, const Index *index, int nindex) {
    if (s->nindex != nindex || strcmp(s->name, name) != 0) return false;
    for (int i = 0; i < nindex; i++)
        if (!same_plate(s->index[i].axis, index[i].axis) || (!index[i].axis && s->index[i].at != index[i].at))
            return false;
    return true;
}

int latents_find(const Latents *l, const char *name, const Index *index, int nindex) {
    if (l->room == 0) return -1;
    size_t mask = (size_t)l->room - 1, at = address_hash(name, index, nindex) & mask;
    for (; l->places[at]; at = (at + 1) & mask)
        if (is_site(&l->list[l->places[at] - 1], name, index, nindex)) return l->places[at] - 1;
    return -1;
}

static void add_place(Latents *l, int k) {
    const LatentSite *s = &l->list[k];
    size_t mask = (size_t)l->room - 1, at = address_hash(s->name, s->index, s->nindex) & mask;
    while (l->places[at]) at = (at + 1) & mask;
    l->places[at] = k + 1;
}

/* The last of the list can be found from now on. */
static void place_last(Latents *l) {
    if (2 * l->n <= l->room) {
        add_place(l, l->n - 1);
        return;
    }
    latents_reindex(l);
}

void latents_reindex(Latents *l) {
    l->room = 16;
    while (l->room < 4 * l->n) l->room *= 2;
    l->places = ARENA_ARRAY(l->arena, int, l->room);
    for (int k = 0; k < l->n; k++) add_place(l, k);
}

void latents_forget(Latents *l, int n) {
    int kept = l->n;
    while (kept > 0 && l->list[kept - 1].entry >= n) kept--;
    if (kept == l->n) return;
    l->size = l->list[kept].offset;
    l->n = kept;
    latents_forget_loops(l, kept);
    latents_reindex(l);
}

/* -- Constraints from supports -- */

static bool is_open(Interp *in, Value v) { /* no bound on this side */
    if (v.kind == VALUE_NONE) return true;
    if (v.kind == VALUE_NUMBER) return isinf(v.u.number);
    (void)in;
    return false;
}

static ConstraintKind support_kind(Interp *in, const Support *p) {
    switch (p->kind) {
    case TYPE_POSITIVE: return is_open(in, p->high) ? CONSTRAINT_LOWER : CONSTRAINT_INTERVAL;
    case TYPE_UNIT: return CONSTRAINT_INTERVAL;
    case TYPE_SIMPLEX: return CONSTRAINT_SIMPLEX;
    case TYPE_ORDERED: return CONSTRAINT_ORDERED;
    case TYPE_COV: return CONSTRAINT_COV;
    case TYPE_CORR_CHOLESKY: return CONSTRAINT_CORR_CHOLESKY;
    default: break;
    }
    bool low = !is_open(in, p->low), high = !is_open(in, p->high);
    return low && high ? CONSTRAINT_INTERVAL : low ? CONSTRAINT_LOWER : high ? CONSTRAINT_UPPER : CONSTRAINT_REAL;
}

/* A bound or parameter, dimensions aligned with a value of these axes and event dimensions (each 1 or full). */
static Var align_to(Interp *in, Value v, double otherwise, int naxes, const Axis *const *axes, int event_rank,
                    Span at) {
    if (v.kind == VALUE_NONE) return var_number(in->tape, otherwise);
    if (v.kind == VALUE_NUMBER) return var_number(in->tape, v.u.number);
    Array a = value_array(in, v, at, "a bound");
    Shape from = a.var.value->shape, to = {.rank = naxes + event_rank};
    int rank = array_rank(&a);
    for (int k = 0; k < to.rank; k++) to.dim[k] = 1;
    for (int k = 0; k < a.naxes; k++) {
        int place = axes_find(naxes, axes, a.axes[k]);
        if (place < 0)
            ctx_raise(in->ctx, ERROR_PROGRAM, at,
                      "draw it within fixed bounds and scale the draw, or write a guide that draws the other",
                      "the bounds of this variable depend on `%s`, which is summed out", a.axes[k]->name);
        to.dim[place] = from.dim[k];
    }
    for (int k = 0; k < rank && k < event_rank; k++) to.dim[to.rank - 1 - k] = from.dim[from.rank - 1 - k];
    return op_reshape(in->tape, a.var, to);
}

static Constraint site_constraint(Interp *in, const Support *p, ConstraintKind kind, int naxes, const Axis *const *axes,
                                  int event_rank, Span at) {
    Constraint c = {.kind = kind};
    if (kind == CONSTRAINT_LOWER || kind == CONSTRAINT_INTERVAL)
        c.low = align_to(in, p->low, 0, naxes, axes, event_rank, at);
    if (kind == CONSTRAINT_UPPER || kind == CONSTRAINT_INTERVAL)
        c.high = align_to(in, p->high, 1, naxes, axes, event_rank, at);
    return c;
}

/* -- Location-scale families -- */

static const char *const location_scale[] = {"Normal", "StudentT", "Cauchy", "Laplace", "Logistic", "Gumbel"};

static int param_place(const Dist *d, const char *name) {
    for (int k = 0; k < d->family->decl->nparams; k++)
        if (strcmp(d->family->decl->params[k].name, name) == 0) return k;
    return -1;
}

static bool depends_on_run(Value v) { return v.kind == VALUE_ARRAY && var_is_taped(v.u.array->var); }

static bool is_noncentred(const Dist *d) {
    const DistDecl *decl = d->family->decl;
    bool known = false;
    if (!stdlib_holds(decl->span)) return false;
    for (size_t k = 0; k < sizeof location_scale / sizeof *location_scale; k++)
        known |= strcmp(decl->name, location_scale[k]) == 0;
    int loc = param_place(d, "loc"), scale = param_place(d, "scale");
    if (loc >= 0 && scale >= 0 && (has_summed_axis(d->params[loc]) || has_summed_axis(d->params[scale]))) return false;
    return known && loc >= 0 && scale >= 0 && (depends_on_run(d->params[loc]) || depends_on_run(d->params[scale]));
}

/* The same family at location 0 and scale 1, for draws of this shape. */
static Dist *standard_dist(Interp *in, const Dist *d, Shape event) {
    Dist *s = arena_copy(in->arena, d, sizeof *d);
    s->params = arena_copy(in->arena, d->params, sizeof(Value) * (size_t)d->family->decl->nparams);
    s->params[param_place(d, "loc")] = value_number(0);
    s->params[param_place(d, "scale")] = value_number(1);
    int rank = 0; /* what the other parameters still give */
    for (int k = 0; k < d->family->decl->nparams; k++) {
        if (!value_is_numeric(s->params[k])) continue;
        Shape shape = value_event_shape(in, s->params[k], d->span);
        if (shape.rank > rank) rank = shape.rank;
    }
    s->repeat = (Shape){.rank = event.rank - rank};
    memcpy(s->repeat.dim, event.dim, sizeof(int64_t) * (size_t)s->repeat.rank);
    return s;
}

/* -- Finding the layout -- */

/* Where the elements begin, all alike: at the median of one draw of the prior, with BEGIN times its spread. */
static void begin_local(LatentSite *site, const real *drawn, Arena *a) {
    int64_t size = shape_size(site->free_event), elements = shape_size(site->free) / size;
    double *column = ARENA_ARRAY(a, double, elements + 1);
    site->start = ARENA_ARRAY(a, real, size), site->spread = ARENA_ARRAY(a, real, size);
    for (int64_t k = 0; k < size; k++) {
        for (int64_t i = 0; i < elements; i++) column[i] = drawn[i * size + k];
        double width =
            elements > 3 ? (quantile(a, column, elements, 0.75) - quantile(a, column, elements, 0.25)) / 1.349 : 1;
        site->start[k] = (real)quantile(a, column, elements, 0.5);
        site->spread[k] = (real)(BEGIN * (width > 0 && isfinite(width) ? width : 1));
        if (!isfinite(site->start[k])) site->start[k] = 0;
    }
}

static void invert_site(const LatentSite *site, Interp *in, const Dist *d, Value x, real *to);

static void append_drawn(Latents *l, Interp *in, int k, const Dist *d, Value x) {
    if (l->size > l->reserved) {
        l->reserved = 2 * l->size + 16;
        real *more = ARENA_ARRAY(l->arena, real, l->reserved);
        if (l->list[k].offset) memcpy(more, l->drawn, sizeof *more * (size_t)l->list[k].offset);
        l->drawn = more;
    }
    invert_site(&l->list[k], in, d, x, l->drawn + l->list[k].offset);
}

static Value without_summed(Interp *in, Value v, Span at) {
    while (has_summed_axis(v)) {
        int k = 0;
        while (v.u.array->axes[k]->kind != AXIS_ENUM) k++;
        Value first = value_number(1);
        v = array_index(in, array_axis_to_event(in, v, v.u.array->axes[k]), 1, &first, &at, at);
    }
    return v;
}

/* Given the first value of each summed variable. */
void latents_draw(Trace *t, Interp *in, Site *s, Entry *e) {
    Dist *first = arena_copy(in->arena, s->dist, sizeof *first);
    int n = first->family->decl->nparams;
    first->params = ARENA_ARRAY(in->arena, Value, n + 1);
    for (int k = 0; k < n; k++) first->params[k] = without_summed(in, s->dist->params[k], s->span);
    s->value = without_summed(in, dist_draw_site(in, first, s, false), s->span);
    if (t->score) e->log_density = dist_logpdf(in, s->dist, s->value, false, s->span);
}

void latents_discover(Latents *l, Trace *t, Interp *in, Site *s, Entry *e) {
    Support p = dist_support(in, s->dist, s->span);
    const char *text = address_text(in, s->name, s->index, s->nindex);
    if (p.discrete || p.kind == TYPE_INT || p.kind == TYPE_BOOL)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "write a guide that draws it, or use importance(n)",
                  "`%s` is discrete (%s) and has too many values to be summed out; it cannot be covered by %s either",
                  text, s->dist->family->decl->name, l->method);
    latents_draw(t, in, s, e);
    Array x = value_array(in, s->value, s->span, "a draw");
    LatentSite site = {.name = arena_strdup(l->arena, s->name),
                       .nindex = s->nindex,
                       .naxes = x.naxes,
                       .event = array_shape(&x),
                       .full = x.var.value->shape,
                       .offset = l->size,
                       .entry = t->n,
                       .span = s->span};
    memcpy(site.index, s->index, sizeof(Index) * (size_t)s->nindex);
    memcpy(site.axes, x.axes, sizeof site.axes);
    site.kind = support_kind(in, &p);
    bool positive = p.low.kind == VALUE_NONE || (p.low.kind == VALUE_NUMBER && p.low.u.number == 0);
    site.plain = site.kind == CONSTRAINT_REAL || (site.kind == CONSTRAINT_LOWER && positive);
    site.noncentred = l->noncentre && site.kind == CONSTRAINT_REAL && is_noncentred(s->dist);
    Constraint c = {.kind = site.kind};
    site.free = constraint_free_shape(in->ctx, &c, site.full);
    for (int i = 0; i < s->nindex; i++) site.local |= s->index[i].axis && axis_is_subset(s->index[i].axis);
    site.size = site.local ? 0 : shape_size(site.free);
    site.free_event = constraint_free_shape(in->ctx, &c, site.event);
    ARENA_GROW(l->arena, l->list, l->n, l->capacity, 8);
    l->list[l->n++] = site;
    place_last(l);
    for (int i = 0; i < s->nindex; i++)
        if (s->index[i].axis && s->index[i].axis->kind == AXIS_LOOP) latents_found_at_once(l, s->index[i].axis);
    l->size += site.size;
    if (!site.local) {
        append_drawn(l, in, l->n - 1, s->dist, s->value);
        return;
    }
    real *drawn = ARENA_ARRAY(l->arena, real, shape_size(site.free) + 1);
    invert_site(&l->list[l->n - 1], in, s->dist, s->value, drawn);
    begin_local(&l->list[l->n - 1], drawn, l->arena);
}

static void invert_site(const LatentSite *site, Interp *in, const Dist *d, Value x, real *to) {
    x = array_expand_axes(in, x, site->naxes, site->axes);
    Array a = value_array(in, x, site->span, "a value");
    Var v = op_expand(in->tape, array_expand_event(in, &a, site->event), site->full);
    if (site->noncentred) {
        Value loc = d->params[param_place(d, "loc")], scale = d->params[param_place(d, "scale")];
        Var m = align_to(in, loc, 0, site->naxes, site->axes, site->event.rank, site->span);
        Var s = align_to(in, scale, 1, site->naxes, site->axes, site->event.rank, site->span);
        v = op2(in->tape, OP_DIV, op2(in->tape, OP_SUB, v, m), s);
    } else {
        Support p = dist_support(in, d, site->span);
        Constraint c = site_constraint(in, &p, site->kind, site->naxes, site->axes, site->event.rank, site->span);
        v = constraint_inverse(in->tape, &c, v);
    }
    tensor_copy_out(tape_value(in->tape, v), to);
}

/* The site was found element by element, of some of the plates around it: so it runs now. */
static void split_elements(const Latents *l, Interp *in, const Site *s) {
    for (unsigned some = 1; some < 1u << s->nindex; some++) {
        Index index[MAX_INDEX];
        const Axis *axis = NULL;
        bool plates = true;
        memcpy(index, s->index, sizeof *index * (size_t)s->nindex);
        for (int i = 0; i < s->nindex; i++) {
            if (!(some >> i & 1)) continue;
            axis = index[i].axis;
            plates = plates && axis;
            if (axis) index[i] = (Index){.at = axis->first};
        }
        if (!plates || latents_find(l, s->name, index, s->nindex) < 0) continue;
        in->split = axis;
        ctx_raise(in->ctx, ERROR_ELEMENTWISE, s->span, NULL, "the elements of `%s` are latents of their own", axis->name);
    }
}

bool latents_invert(const Latents *l, Interp *in, const Site *s, Value x, real *point) {
    int k = latents_find(l, s->name, s->index, s->nindex), place;
    int64_t step, steps, inner = 1;
    if (k >= 0) {
        invert_site(&l->list[k], in, s->dist, x, point + l->list[k].offset);
        return true;
    }
    k = latents_find_step(l, s->name, s->index, s->nindex, &step, &place);
    if (k < 0) {
        split_elements(l, in, s);
        return false;
    }
    LatentSite one = latents_step(&l->list[k], place, s->index);
    real *to = ARENA_ARRAY(in->arena, real, one.size + 1);
    invert_site(&one, in, s->dist, x, to);
    steps = l->list[k].free.dim[place];
    for (int d = place; d < one.free.rank; d++) inner *= one.free.dim[d];
    for (int64_t i = 0; i < one.size; i++)
        point[one.offset + (i / inner * steps + step) * inner + i % inner] = to[i];
    return true;
}

/* -- A run at a point -- */

static void place_site(const Latents *l, const LatentSite *site, Interp *in, Site *s, Entry *e, Var u, int naxes,
                       const Axis *const *axes);

void point_run_init(PointRun *p, Latents *l, Interp *in, const Array *point, const Axis *particles) {
    *p = (PointRun){.l = l, .taped = point == NULL, .particles = particles};
    if (point) p->point = *point;
    p->seen = ARENA_ARRAY(in->arena, bool, l->n + 1);
    p->inputs = ARENA_ARRAY(in->arena, Var, l->n + 1);
}

/* The same input again, if the tape still has it. */
static bool is_input(const Tape *t, Var v, int64_t offset) {
    if (!v.value || v.node < 0 || v.node >= t->nnodes) return false;
    const Node *n = &t->nodes[v.node];
    return n->op == OP_INPUT && n->attr->slot == SLOT_POINT && n->attr->start == offset;
}

Var point_site(PointRun *p, Interp *in, int k) {
    const LatentSite *site = &p->l->list[k];
    if (p->taped && is_input(in->tape, p->inputs[k], site->offset)) return p->inputs[k];
    if (p->taped) return p->inputs[k] = tape_input(in->tape, SLOT_POINT, site->offset, site->free);
    int dim = p->point.naxes;
    Var u = op_slice(in->tape, p->point.var, dim, site->offset, site->size, 1);
    Shape shape = {.rank = dim + site->free.rank};
    if (dim) shape.dim[0] = u.value->shape.dim[0];
    memcpy(shape.dim + dim, site->free.dim, sizeof(int64_t) * (size_t)site->free.rank);
    return op_reshape(in->tape, u, shape);
}

void latents_check_shape(Interp *in, const LatentSite *site, const Site *s) {
    Shape now = dist_event_shape(in, s->dist, s->span), both;
    if (shape_equal(now, site->event) || (shape_broadcast(now, site->event, &both) && shape_equal(both, site->event)))
        return;
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "importance(n) works for models whose structure is random",
              "`%s` has shape %s in this run and %s before: this method needs a fixed structure",
              address_text(in, s->name, s->index, s->nindex), shape_text(in->arena, now),
              shape_text(in->arena, site->event));
}

int point_axes(const PointRun *p, const LatentSite *site, const Axis **axes) {
    int n = 0;
    if (!p->taped && p->point.naxes) axes[n++] = p->particles;
    for (int i = 0; i < site->naxes; i++) axes[n++] = site->axes[i];
    return n;
}

static bool answer_step(PointRun *p, Interp *in, Site *s, Entry *e) {
    int64_t step;
    int place, k = latents_find_step(p->l, s->name, s->index, s->nindex, &step, &place);
    if (k < 0) return false;
    LatentSite one = latents_step(&p->l->list[k], place, s->index);
    latents_check_shape(in, &one, s);
    if (!p->seen[k]) p->met++;
    p->seen[k] = true;
    const Axis *axes[MAX_AXES];
    int naxes = point_axes(p, &one, axes), dim = place + naxes - one.naxes;
    Var u = op_slice(in->tape, point_site(p, in, k), dim, step, 1, 1);
    Shape shape = u.value->shape;
    memmove(shape.dim + dim, shape.dim + dim + 1, sizeof *shape.dim * (size_t)(shape.rank - dim - 1));
    shape.rank--;
    place_site(p->l, &one, in, s, e, op_reshape(in->tape, u, shape), naxes, axes);
    return true;
}

void latents_answer(PointRun *p, Interp *in, Site *s, Entry *e) {
    Latents *l = p->l;
    int k = latents_find(l, s->name, s->index, s->nindex);
    if (k < 0 && answer_step(p, in, s, e)) return;
    if (k < 0) split_elements(l, in, s);
    if (k < 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "importance(n) works for models whose structure is random",
                  "`%s` was not there when the model was run first: %s needs a fixed structure",
                  address_text(in, s->name, s->index, s->nindex), l->method);
    const LatentSite *site = &l->list[k];
    for (int i = 0; i < s->nindex; i++)
        if (s->index[i].axis && axes_find(site->naxes, site->axes, s->index[i].axis) < 0) loop_refuse(in, s->span, "it was found so");
    latents_check_shape(in, site, s);
    if (!p->seen[k]) p->met++;
    p->seen[k] = true;
    const Axis *axes[MAX_AXES];
    int naxes = point_axes(p, site, axes);
    place_site(l, site, in, s, e, point_site(p, in, k), naxes, axes);
}

void latents_place(const Latents *l, Interp *in, int k, Site *s, Entry *e, Var u, int naxes, const Axis *const *axes) {
    place_site(l, &l->list[k], in, s, e, u, naxes, axes);
}

static void place_site(const Latents *l, const LatentSite *site, Interp *in, Site *s, Entry *e, Var u, int naxes,
                       const Axis *const *axes) {
    Var jacobian = {NULL, NODE_NONE};
    if (site->noncentred) {
        Value z = value_var(in, u, naxes, axes), args[2] = {s->dist->params[param_place(s->dist, "scale")], z};
        Value moved[2] = {s->dist->params[param_place(s->dist, "loc")], array_apply(in, OP_MUL, 2, args, s->span)};
        s->value = array_apply(in, OP_ADD, 2, moved, s->span);
        e->log_density = dist_logpdf(in, standard_dist(in, s->dist, site->event), z, false, s->span);
        return;
    }
    Support support = dist_support(in, s->dist, s->span);
    if (support_kind(in, &support) != site->kind)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, NULL,
                  "the support of `%s` is another one than before: %s needs a fixed structure",
                  address_text(in, s->name, s->index, s->nindex), l->method);
    Constraint c = site_constraint(in, &support, site->kind, naxes, axes, site->event.rank, s->span);
    Var x = constraint_forward(in->tape, &c, u, l->jacobian ? &jacobian : NULL);
    s->value = value_var(in, x, naxes, axes);
    e->log_density = dist_logpdf(in, s->dist, s->value, false, s->span);
    if (!l->jacobian || site->kind == CONSTRAINT_REAL) return;
    Value lj = array_reduce(in, OP_SUM, value_var(in, jacobian, naxes, axes), 0, s->span),
          terms[2] = {e->log_density, lj};
    e->log_density = array_apply(in, OP_ADD, 2, terms, s->span);
}

void point_run_finish(const PointRun *p, Interp *in) {
    for (int k = 0; k < p->l->n && p->met < p->l->n; k++)
        if (!p->seen[k])
            ctx_raise(in->ctx, ERROR_PROGRAM, p->l->list[k].span,
                      "importance(n) works for models whose structure is random",
                      "`%s` is not drawn in every run: %s needs a fixed structure",
                      address_text(in, p->l->list[k].name, p->l->list[k].index, p->l->list[k].nindex), p->l->method);
}
