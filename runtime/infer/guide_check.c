#include "infer/guide_check.h"

#include <math.h>
#include <string.h>

#include "infer/program_tree.h"
#include "interp/array.h"

/* Do two places of one variable differ in nothing but the range of a plate? Then that plate of both. */
static bool same_but_range(const Index *a, const Index *b, int n, const Axis **mine, const Axis **theirs) {
    *mine = *theirs = NULL;
    for (int k = 0; k < n; k++) {
        const Axis *x = a[k].axis, *y = b[k].axis;
        if (!x != !y || (!x && a[k].at != b[k].at)) return false;
        if (!x || x == y) continue;
        if (strcmp(x->name, y->name) != 0) return false;
        if (x->size != y->size || x->first != y->first) *mine = x, *theirs = y;
    }
    return true;
}

/* The plates of a guide are those of its model. */
static void check_plates(Interp *in, const char *guide_name, const Trace *guide, const Site *s) {
    const Axis *mine = NULL, *theirs = NULL;
    const Entry *found = NULL;
    for (int k = 0; k < guide->n; k++) {
        const Entry *e = &guide->entries[k];
        const Axis *a, *b;
        if (e->kind != ENTRY_SAMPLE || e->nindex != s->nindex || strcmp(e->name, s->name) != 0) continue;
        if (!same_but_range(e->index, s->index, s->nindex, &a, &b)) continue;
        if (!a) return;
        mine = a, theirs = b, found = e;
    }
    if (found)
        ctx_raise(in->ctx, ERROR_PROGRAM, found->span,
                  "the plate of a guide is that of its model: their ranges must agree",
                  "the plate `%s` runs over %ld..%ld in the guide `%s` and over %ld..%ld in the model", mine->name,
                  (long)mine->first, (long)(mine->first + mine->size - 1), guide_name, (long)theirs->first,
                  (long)(theirs->first + theirs->size - 1));
}

void guide_check_missing(Interp *in, const char *guide_name, const Trace *guide, const Site *s) {
    const char *text = address_text(in, s->name, s->index, s->nindex);
    check_plates(in, guide_name, guide, s);
    const Entry *named = trace_find_name(guide, s->name);
    if (named)
        ctx_raise(in->ctx, ERROR_PROGRAM, named->span, "draw it in the same plates, with the same indices",
                  "the guide `%s` draws `%s`, the model `%s`", guide_name,
                  address_text(in, named->name, named->index, named->nindex), text);
    const char **names = ARENA_ARRAY(in->arena, const char *, guide->n + 1);
    int n = 0;
    for (int k = 0; k < guide->n; k++)
        if (guide->entries[k].kind == ENTRY_SAMPLE) names[n++] = guide->entries[k].name;
    const char *near = nearest_name(s->name, names, n);
    const char *hint =
        near ? arena_printf(in->arena, "is it the guide's `%s`? A guide uses the model's names", near)
             : arena_printf(
                   in->arena,
                   "draw `%s` in the guide, or let an automatic part cover it: guide %s(..) for .. with auto_normal()",
                   text, guide_name);
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, hint, "the guide `%s` does not draw the latent `%s` of the model",
              guide_name, text);
}

/* -- Supports -- */

typedef struct Interval {
    double low, high;
} Interval;

/* The extremes of a bound as it stands now. */
static double extreme(Interp *in, Value v, double otherwise, bool largest, Span at) {
    if (v.kind == VALUE_NONE) return otherwise;
    Array a = value_array(in, v, at, "a bound");
    const Tensor *t = tape_value(in->tape, a.var);
    int64_t n = shape_size(t->shape);
    double x = largest ? -INFINITY : INFINITY;
    for (int64_t k = 0; k < n; k++) {
        double y = tensor_item(t, k);
        if (largest ? y > x : y < x) x = y;
    }
    return n ? x : otherwise;
}

/* The interval that all elements lie in (`outer`), or that lies in all elements' intervals. */
static Interval support_interval(Interp *in, const Support *s, bool outer, Span at) {
    double low = -INFINITY, high = INFINITY;
    if (s->kind == TYPE_POSITIVE || s->kind == TYPE_UNIT || s->kind == TYPE_BOOL) low = 0;
    if (s->kind == TYPE_UNIT || s->kind == TYPE_BOOL) high = 1;
    return (Interval){extreme(in, s->low, low, !outer, at), extreme(in, s->high, high, outer, at)};
}

static bool is_special(TypeKind k) {
    return k == TYPE_SIMPLEX || k == TYPE_ORDERED || k == TYPE_COV || k == TYPE_CORR_CHOLESKY;
}

static bool support_within(Interp *in, const Support *guide, const Support *model, Span at) {
    if (is_special(guide->kind) || is_special(model->kind)) return guide->kind == model->kind;
    if (guide->discrete != model->discrete) return false;
    Interval g = support_interval(in, guide, true, at), m = support_interval(in, model, false, at);
    return g.low >= m.low && g.high <= m.high;
}

static void check_support(Interp *in, const Entry *e, const Site *s) {
    const char *theirs = e->dist->family->decl->name, *ours = s->dist->family->decl->name;
    if (e->dist->family == s->dist->family || strcmp(theirs, "Delta") == 0) return;
    Support g = dist_support(in, e->dist, e->span), m = dist_support(in, s->dist, s->span);
    if (support_within(in, &g, &m, e->span)) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, e->span,
              arena_printf(in->arena, "choose a distribution over %s", support_text(in, &m)),
              "`%s`: the guide's %s is over %s, beyond the support of the model's %s (%s)",
              address_text(in, s->name, s->index, s->nindex), theirs, support_text(in, &g), ours, support_text(in, &m));
}

void guide_check_site(Interp *in, const char *guide_name, const Trace *guide, const Site *s) {
    const Entry *e = trace_find(guide, s->name, s->index, s->nindex);
    if (!e) e = trace_find_name(guide, s->name);
    if (!e) return;
    check_plates(in, guide_name, guide, s);
    Shape ours = dist_event_shape(in, s->dist, s->span), theirs = dist_event_shape(in, e->dist, e->span), both;
    bool fits = shape_equal(ours, theirs) || (shape_broadcast(ours, theirs, &both) && shape_equal(both, theirs));
    if (!fits)
        ctx_raise(in->ctx, ERROR_PROGRAM, e->span, NULL, "`%s` has shape %s in the guide `%s` and %s in the model",
                  address_text(in, s->name, s->index, s->nindex), shape_text(in->arena, theirs), guide_name,
                  shape_text(in->arena, ours));
    check_support(in, e, s);
}

/* -- Sites without a counterpart -- */

/* Does the name stand for observations only? */
static bool is_observation(const Trace *model, const char *name) {
    bool observed = false;
    for (int k = 0; k < model->n; k++) {
        const Entry *e = &model->entries[k];
        if (e->kind != ENTRY_SAMPLE || strcmp(e->name, name) != 0) continue;
        if (!e->observed) return false;
        observed = true;
    }
    return observed;
}

static bool model_has(const Trace *model, const Entry *e) {
    if (trace_find(model, e->name, e->index, e->nindex)) return true;
    const Entry *named = trace_find_name(model, e->name);
    return named && named->nindex == e->nindex; /* run element by element in one, at once in the other */
}

void guide_check_invented(Interp *in, const char *guide_name, const char *model_name, const Trace *guide,
                          const Trace *model) {
    for (int k = 0; k < guide->n; k++) {
        const Entry *e = &guide->entries[k];
        if (e->kind == ENTRY_FACTOR)
            ctx_raise(in->ctx, ERROR_PROGRAM, e->span, NULL, "the guide `%s` holds a `factor`: a guide only draws",
                      guide_name);
        if (e->kind != ENTRY_SAMPLE || e->observed) continue;
        const char *text = address_text(in, e->name, e->index, e->nindex);
        if (is_observation(model, e->name))
            ctx_raise(in->ctx, ERROR_PROGRAM, e->span, NULL,
                      "the guide `%s` draws `%s`, which is an observation of the model `%s`", guide_name, text,
                      model_name);
        if (model_has(model, e)) continue;
        const char **names = ARENA_ARRAY(in->arena, const char *, model->n + 1);
        int n = 0;
        for (int j = 0; j < model->n; j++)
            if (model->entries[j].kind == ENTRY_SAMPLE && !model->entries[j].observed)
                names[n++] = model->entries[j].name;
        const char *near = nearest_name(e->name, names, n);
        ctx_raise(in->ctx, ERROR_PROGRAM, e->span, near ? arena_printf(in->arena, "did you mean `%s`?", near) : NULL,
                  "the guide `%s` draws `%s`, which the model `%s` does not have", guide_name, text, model_name);
    }
}

/* -- A plate with more latents than data -- */

/* Numbers of this entry in all elements of its plates; 0: it does not stand in `plate`. */
static double numbers_in(Interp *in, const Entry *e, const char *plate) {
    bool inside = false;
    double n = (double)shape_size(dist_event_shape(in, e->dist, e->span));
    for (int k = 0; k < e->nindex; k++) {
        const Axis *a = e->index[k].axis;
        if (!a || a->kind != AXIS_PLATE) continue;
        inside |= strcmp(a->name, plate) == 0;
        n *= (double)(axis_is_subset(a) ? a->population : a->size);
    }
    return inside ? n : 0;
}

static void check_plate_counts(Interp *in, const Trace *guide, const Trace *model, const char *plate, Span at) {
    double latent = 0, observed = 0;
    for (int k = 0; k < model->n; k++) {
        const Entry *e = &model->entries[k];
        if (e->kind != ENTRY_SAMPLE || (!e->observed && trace_find_name(guide, e->name))) continue;
        *(e->observed ? &observed : &latent) += numbers_in(in, e, plate);
    }
    if (observed > 0 && latent > observed)
        ctx_warn(in->ctx, WARNING_MORE_LATENTS, at, "the prior decides what the data cannot: is it what you mean?",
                 "the plate `%s` holds %g unknown numbers and %g observed ones", plate, latent, observed);
}

void guide_check_counts(Interp *in, const Trace *guide, const Trace *model, Span at) {
    const char *seen[MAX_INDEX];
    int n = 0;
    for (int k = 0; k < model->n; k++)
        for (int j = 0; j < model->entries[k].nindex; j++) {
            const Axis *a = model->entries[k].index[j].axis;
            int before = 0;
            while (a && before < n && strcmp(seen[before], a->name) != 0) before++;
            if (!a || a->kind != AXIS_PLATE || before < n || n == MAX_INDEX) continue;
            seen[n++] = a->name;
            check_plate_counts(in, guide, model, a->name, at);
        }
}

/* -- A model without observations -- */

void guide_check_observes(Interp *in, const Call *model, Span at) {
    const char *name = model->closure->function->name;
    const Global *unread = tree_unread_data(in);
    if (unread)
        ctx_raise(in->ctx, ERROR_PROGRAM, unread->span,
                  arena_printf(in->arena, "observe it in the model: %s ~ ..., or %s[n] ~ ... in a plate", unread->name,
                               unread->name),
                  "the model `%s` observes nothing and has no factor, so nothing can be learned; the data `%s` are "
                  "never read",
                  name, unread->name);
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              "declare data and observe them (x ~ ...), or add a factor; simulate(m) draws from the prior",
              "the model `%s` observes nothing and has no factor, so nothing can be learned", name);
}
