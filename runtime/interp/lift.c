/* `g ~ lift(f, Normal(0, 1))` makes the learned parameters of the net f random variables: g.dense_1.w, ...
 *
 * `g` is f with a Lifted. While it is called, the effect `param` becomes `sample`, once per run and parameter, outside
 * the plates that the call stands in. The handler that does it stays on the stack until the model has run, so that what
 * was drawn is forgotten when a plate starts over.
 */
#include <string.h>

#include "interp/builtins.h"
#include "interp/internal.h"

typedef struct Lift { /* lift(f, prior) */
    const Closure *net;
    Value prior;
} Lift;

typedef struct Drawn {
    const char *name;
    Shape shape;
    Value value;
} Drawn;

struct Lifted {
    Handler handler;
    const Lift *lift;
    Site place;   /* of `g`: name and indices */
    int nplates;  /* at work where it was drawn */
    int active;   /* calls of g at work */
    Drawn *drawn;
    int n, capacity;
};

/* -- lift(f, prior) as a value -- */

static void show_lift(Interp *in, void *data, Buf *out) {
    const Lift *l = data;
    (void)in;
    buf_printf(out, "lift(%s)", l->net->function->name);
}

static void *keep_lift(Interp *in, void *data, Arena *to) {
    const Lift *l = data;
    Lift *copy = ARENA_NEW(to, Lift);
    Value net = value_keep(in, to, (Value){VALUE_FUNCTION, .u.closure = (Closure *)l->net});
    *copy = (Lift){net.u.closure, value_keep(in, to, l->prior)};
    return copy;
}

static const ObjectType lift_type = {.name = "lifted net", .show = show_lift, .keep = keep_lift};

Value builtin_lift(Interp *in, const Args *args) {
    Value f = args->values[0], prior = args->values[1];
    if (f.kind != VALUE_FUNCTION || f.u.closure->function->kind != FUNCTION_NET)
        builtin_fail(in, args, 0, "a net is lifted, not %s", value_describe(in, f));
    if (prior.kind != VALUE_DIST && prior.kind != VALUE_FUNCTION)
        builtin_fail(in, args, 1,
                     "the prior of the parameters is a distribution, Normal(0, 1), or a function of their dimensions "
                     "that gives one; this is %s",
                     value_describe(in, prior));
    Lift *l = ARENA_NEW(in->arena, Lift);
    *l = (Lift){f.u.closure, prior};
    return value_object(in, &lift_type, l);
}

bool value_is_lift(Value v) { return v.kind == VALUE_OBJECT && v.u.object->type == &lift_type; }

/* -- Its parameters are drawn -- */

/* The prior for a parameter of this shape: copies of a univariate one, or what fits already. */
static Dist *prior_of(Interp *in, const Lifted *g, const ParamSite *p) {
    Value prior = g->lift->prior;
    if (prior.kind == VALUE_FUNCTION) {
        Value dims = shape_value(in, p->shape);
        prior = interp_call(in, prior, 1, &dims, g->place.span);
        if (prior.kind != VALUE_DIST)
            ctx_raise(in->ctx, ERROR_PROGRAM, g->place.span, NULL, "the prior of `%s` must be a distribution; this is %s",
                      p->name, value_describe(in, prior));
    }
    Dist *d = arena_copy(in->arena, prior.u.dist, sizeof *d);
    Shape event = dist_event_shape(in, d, g->place.span);
    if (!shape_equal(event, p->shape)) {
        if (event.rank > 0)
            ctx_raise(in->ctx, ERROR_PROGRAM, g->place.span,
                      "give the distribution of one number, or a function of the dimensions",
                      "`%s` has shape %s, its prior %s", p->name, shape_text(in->arena, p->shape),
                      shape_text(in->arena, event));
        d->repeat = p->shape;
    }
    d->drawn = d->drawn_density = value_none();
    Support s = dist_support(in, d, g->place.span);
    if (p->kind != TYPE_REAL && s.kind != p->kind)
        ctx_raise(in->ctx, ERROR_PROGRAM, g->place.span, NULL, "`%s` is declared %s, its prior draws %s", p->name,
                  lang_type_name(p->kind), support_text(in, &s));
    return d;
}

static Value draw_param(Lifted *g, Interp *in, ParamSite *p) {
    Site *site = ARENA_NEW(in->arena, Site);
    *site = g->place;
    site->name = p->name;
    site->dist = prior_of(in, g, p);
    const Axis *plates[MAX_AXES]; /* a draw puts its batch behind those at work */
    int nplates = in->nplates;
    memcpy(plates, in->plates, sizeof plates);
    in->nplates = g->nplates;
    effect_sample(in, g->handler.outer, site);
    in->nplates = nplates;
    memcpy(in->plates, plates, sizeof plates);
    return site->value;
}

static void lifted_param(Handler *h, Interp *in, ParamSite *p) {
    Lifted *g = (Lifted *)h;
    if (!g->active || p->share > 0) {
        effect_param(in, h->outer, p);
        return;
    }
    if (p->naxes)
        ctx_raise(in->ctx, ERROR_PROGRAM, p->span, NULL,
                  "`%s` has one value per element of a plate: such a net cannot be lifted", p->name);
    for (int k = 0; k < g->n; k++)
        if (strcmp(g->drawn[k].name, p->name) == 0) {
            p->value = g->drawn[k].value;
            return;
        }
    ARENA_GROW(in->arena, g->drawn, g->n, g->capacity, 8);
    p->value = draw_param(g, in, p);
    g->drawn[g->n++] = (Drawn){p->name, p->shape, p->value};
}

enum { MOST_ACTIVE = 1 << 12 };
static int lifted_mark(Handler *h) { return ((Lifted *)h)->n * MOST_ACTIVE + ((Lifted *)h)->active; }

static void lifted_rollback(Handler *h, int mark) {
    Lifted *g = (Lifted *)h;
    g->n = mark / MOST_ACTIVE, g->active = mark % MOST_ACTIVE;
}

Value lift_draw(Interp *in, Value lift, const Site *place) {
    for (int k = 0; k < place->nindex; k++)
        if (place->index[k].axis)
            ctx_raise(in->ctx, ERROR_PROGRAM, place->span, "draw it before the plate",
                      "the parameters of a net are drawn once, not in a plate");
    Lifted *g = ARENA_NEW(in->arena, Lifted);
    *g = (Lifted){.handler = {.param = lifted_param, .mark = lifted_mark, .rollback = lifted_rollback},
                  .lift = lift.u.object->data,
                  .place = *place,
                  .nplates = in->nplates};
    effects_push(in, &g->handler);
    Closure *c = arena_copy(in->arena, g->lift->net, sizeof *c);
    c->lifted = g;
    c->param_path = place->name;
    return (Value){VALUE_FUNCTION, .u.closure = c};
}

void lift_enter(Lifted *g) { g->active++; }
void lift_leave(Lifted *g) { g->active--; }
