#include "infer/refine.h"

#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"
#include "infer/pair.h"
#include "interp/internal.h"

/* -- gradient(v) -- */

/* The gradient at the same place as `v` in `values`, where v is that very value. */
static Value find(Value v, Value values, Value gradients) {
    if (v.kind == values.kind && memcmp(&v.u, &values.u, sizeof v.u) == 0) return gradients;
    if (values.kind == VALUE_RECORD)
        for (int k = 0; k < values.u.record->n; k++) {
            Value g = find(v, values.u.record->values[k], gradients.u.record->values[k]);
            if (g.kind != VALUE_NONE) return g;
        }
    if (values.kind == VALUE_TUPLE)
        for (int k = 0; k < values.u.list->n; k++) {
            Value g = find(v, values.u.list->items[k], gradients.u.list->items[k]);
            if (g.kind != VALUE_NONE) return g;
        }
    return value_none();
}

Value refine_gradient(Interp *in, Value v, Span at) {
    const RefineStep *s = in->refining;
    if (!s) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "gradient(v) is for the body of `refine v`");
    for (int k = 0; k < s->n; k++) {
        Value g = find(v, s->values[k], s->gradients[k]);
        if (g.kind != VALUE_NONE) return g;
    }
    ctx_raise(in->ctx, ERROR_PROGRAM, at, "take it before the body changes the variable",
              "gradient(v) wants a refined variable (or a field of one) as it is when the step begins; this is %s",
              value_describe(in, v));
}

/* -- The statement -- */

static void add_refined(Refinement *r, Interp *in, Refined one) {
    ARENA_GROW(in->arena, r->list, r->n, r->capacity, 4);
    one.nshares = r->nshares, one.nelbos = r->nelbos;
    r->list[r->n++] = one;
}

static void add_elbo(Refinement *r, Interp *in, Var v) {
    ARENA_GROW(in->arena, r->elbos, r->nelbos, r->elbos_capacity, 8);
    r->elbos[r->nelbos++] = v;
}

typedef struct Run {
    Refinement *r;
    Interp *in;
    Frame *f;
    const Stmt *s;
    RefineStep step;
    Refined now;
    int64_t first;
    bool learning; /* the steps' shares of the guide's gradient are wanted */
} Run;

static void read_targets(Run *u) {
    u->now.values = ARENA_ARRAY(u->in->arena, Value, u->step.n + 1);
    for (int k = 0; k < u->step.n; k++) {
        const Target *t = &u->s->u.refine.targets[k];
        u->now.values[k] = leaves_with_axes(u->in, refine_target(u->in, u->f, t), t->span);
    }
}

static void bind(Interp *in, Frame *f, const Stmt *s, const Refined *one) {
    for (int k = 0; k < s->u.refine.ntargets; k++) refine_assign(in, f, &s->u.refine.targets[k], one->values[k]);
    for (int k = 0; k < one->ncarried; k++) f->slots[one->carried[k]] = one->carried_values[k];
}

static bool is_target(const Stmt *s, int slot) {
    if (slot == s->u.refine.slot) return true;
    for (int k = 0; k < s->u.refine.ntargets; k++)
        if (s->u.refine.targets[k].ref.slot == slot) return true;
    return false;
}

static bool same_value(Value a, Value b) {
    if (a.kind != b.kind) return false;
    return a.kind == VALUE_NUMBER ? a.u.number == b.u.number && a.boolean == b.boolean
                                  : memcmp(&a.u, &b.u, sizeof a.u) == 0;
}

/* What the body has assigned besides the targets, in this step or one before. */
static void find_carried(Run *u, const Value *before) {
    Frame *f = u->f;
    Refined *now = &u->now;
    int *slots = ARENA_ARRAY(u->in->arena, int, f->nslots + 1), n = 0;
    for (int k = 0; k < f->nslots; k++) {
        Value v = f->slots[k];
        bool known = false;
        for (int i = 0; i < now->ncarried; i++) known |= now->carried[i] == k;
        if (v.kind == VALUE_NONE || v.kind == VALUE_CELLS || is_target(u->s, k)) continue;
        if (known || !same_value(v, before[k])) slots[n++] = k;
    }
    now->carried = slots, now->ncarried = n;
    now->carried_values = ARENA_ARRAY(u->in->arena, Value, n + 1);
    for (int k = 0; k < n; k++) now->carried_values[k] = f->slots[slots[k]];
}

static void run_body(void *self) {
    Run *u = self;
    Interp *in = u->in;
    u->step.outer = in->refining;
    Value *before = arena_copy(in->arena, u->f->slots, sizeof(Value) * (size_t)(u->f->nslots + 1));
    in->refining = &u->step;
    refine_body(in, u->f, u->s, u->first + u->now.steps);
    in->refining = (RefineStep *)u->step.outer;
    find_carried(u, before);
}

/* The ELBO after t steps leads to what step t made; the one before any step to where the steps start, where that is
 * learned itself: along no other way would its parameters be. */
static void share_look(Run *u, const Look *l, double weight) {
    int64_t t = u->now.steps;
    for (int k = 0; k < l->leaves.n && (t == 0 || weight != 0); k++)
        refine_share(u->r, u->in,
                     (Share){.kind = SHARE_STEP,
                             .gradient = l->gradient[k],
                             .learned = l->leaves.list[k].var,
                             .weight = t == 0 ? 1 : weight});
    for (int k = 0; k < l->nparams && t > 0; k++)
        if (var_is_taped(l->param_gradient[k]))
            refine_share(
                u->r, u->in,
                (Share){
                    .kind = SHARE_PASS, .gradient = l->param_gradient[k], .learned = l->params[k], .weight = weight});
}

static void make_constant(Run *u) {
    Interp *in = u->in;
    for (int k = 0; k < u->step.n; k++) u->now.values[k] = leaves_constant(in, u->now.values[k]);
    for (int k = 0; k < u->now.ncarried; k++) u->now.carried_values[k] = leaves_constant(in, u->now.carried_values[k]);
}

static void one_step(Run *u, double weight) {
    Pass *p = u->r->pass;
    poll_interrupt(u->in);
    read_targets(u);
    Look l = {.p = p,
              .in = u->in,
              .step = &u->step,
              .now = &u->now,
              .number = (uint64_t)u->now.steps,
              .learning = u->learning && u->now.steps > 0 && weight != 0};
    refine_look(&l);
    add_elbo(u->r, u->in, l.elbo);
    if (u->learning) share_look(u, &l, weight);
    if (!p->pair->refine.through) make_constant(u);
    bind(u->in, u->f, u->s, &u->now);
    u->step.values = u->now.values;
    scope_protect(u->in, run_body, u, NULL);
    u->now.steps++;
}

/* The last step's values are cut off from what follows, so that its gradient is taken once. */
static void cut(Run *u, double weight) {
    Interp *in = u->in;
    Leaves l = {0};
    for (int k = 0; k < u->step.n; k++) leaves_of(in, u->now.values[k], &l, u->s->span);
    for (int k = 0; k < l.n; k++) {
        Var learned = l.list[k].var;
        if (!var_is_taped(learned)) continue;
        Var at = l.list[k].var = op1(in->tape, OP_STOP_GRADIENT, learned);
        refine_share(u->r, in, (Share){.kind = SHARE_LAST, .learned = learned, .at = at, .weight = weight});
    }
    const Array *next = l.list;
    for (int k = 0; k < u->step.n; k++) u->now.values[k] = leaves_replace(in, u->now.values[k], &next, u->s->span);
}

static void watch(Run *u, bool last) {
    Pass *p = u->r->pass;
    RefineWatch *w = p->pair->watch;
    if (!w) return;
    if (!last) read_targets(u);
    w->see(w, p, u->in, &u->now, u->now.steps, last);
}

static int64_t steps_of(Run *u) {
    Interp *in = u->in;
    const Expr *e = u->s->u.refine.over;
    const RefineOptions *o = &u->r->pass->pair->refine;
    Value over = eval(in, u->f, e);
    if (over.kind != VALUE_RANGE)
        ctx_raise(in->ctx, ERROR_PROGRAM, e->span, "write refine v for t in 1..K",
                  "the steps of `refine` are a range; this is %s", value_describe(in, over));
    u->first = over.u.range->first;
    int64_t n = over.u.range->last - u->first + 1;
    return o->has_steps ? o->steps : n > 0 ? n : 0;
}

static void refine_run(Refinement *r, Interp *in, Frame *f, const Stmt *s) {
    if (r->nested) {
        if (r->n < r->ngiven) bind(in, f, s, &r->given[r->n]);
        add_refined(r, in, (Refined){.stmt = s});
        return;
    }
    const RefineOptions *o = &r->pass->pair->refine;
    int n = s->u.refine.ntargets;
    Run *u = ARENA_NEW(in->arena, Run);
    *u = (Run){.r = r, .in = in, .f = f, .s = s, .now = {.stmt = s}};
    u->step = (RefineStep){.stmt = s, .n = n, .gradients = ARENA_ARRAY(in->arena, Value, n + 1)};
    tape_share(in->tape, 0); /* what the body computes of data alone is computed once */
    u->learning = in->training && in->tape->recording && !o->through;
    int64_t steps = steps_of(u);
    double weight = o->loss == REFINE_LAST || steps == 0 ? 0 : 1 / (double)steps;
    for (int64_t t = 0; t < steps; t++) {
        watch(u, false);
        one_step(u, weight);
    }
    read_targets(u);
    if (u->learning && steps > 0) cut(u, o->loss == REFINE_LAST ? 1 : weight);
    bind(in, f, s, &u->now);
    watch(u, true);
    add_refined(r, in, u->now);
}

/* -- The handler -- */

static bool answer(Handler *h, Interp *in, Frame *f, const Stmt *s) {
    refine_run((Refinement *)h, in, f, s);
    return true;
}

static int mark(Handler *h) { return ((Refinement *)h)->n; }

static void rollback(Handler *h, int n) {
    Refinement *r = (Refinement *)h;
    r->n = n;
    r->nshares = n ? r->list[n - 1].nshares : 0;
    r->nelbos = n ? r->list[n - 1].nelbos : 0;
}

void refinement_init(Refinement *r, Pass *p) {
    *r = (Refinement){.handler = {.refine = answer, .mark = mark, .rollback = rollback},
                      .pass = p,
                      .nested = r->nested,
                      .given = r->given,
                      .ngiven = r->ngiven};
}

/* -- The functions of the language -- */

static Value call_gradient(Interp *in, const Args *a) { return refine_gradient(in, a->values[0], a->span); }

static Value make_refine(Interp *in, const Args *a) {
    RefineOptions o = {.given = true, .has_steps = a->values[0].kind != VALUE_NONE, .span = a->span};
    o.steps = argument_count(in, a, 0, 0, 0, "the number of steps");
    if (a->values[1].kind != VALUE_NONE) o.through = value_to_bool(in, a->values[1], a->spans[1], "`through`");
    const char *loss =
        a->values[2].kind == VALUE_NONE ? "mean" : value_to_string(in, a->values[2], a->spans[2], "the loss");
    o.loss = strcmp(loss, "last") == 0 ? REFINE_LAST : REFINE_MEAN;
    if (o.loss == REFINE_MEAN && strcmp(loss, "mean") != 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[2],
                  "\"mean\" is the average of the ELBOs after the steps, \"last\" that after the last one",
                  "the loss of a refinement is \"mean\" or \"last\", not \"%s\"", loss);
    return object_value(in, &refine_type, &o, sizeof o);
}

RefineOptions refine_options(Interp *in, Value v, Span at) {
    RefineOptions o = {.given = true, .span = at};
    if (value_is_numeric(v))
        o.has_steps = true, o.steps = count_from(in, v, 0, "the number of steps", at);
    else
        o = *(RefineOptions *)object_of(in, v, &refine_type, "refine(steps = 20)", at);
    o.span = at;
    return o;
}

const Builtin builtins_refine[] = {
    {"gradient", "(v)", call_gradient,
     "in the body of `refine v`: the gradient of this element's ELBO with respect to v", 0},
    {"refine", "(steps = , through = , loss = )", make_refine,
     "the option of infer: so many `steps` instead of those that are written; through = true: the guide learns through "
     "all steps, with second derivatives, by default each ELBO through the one step before it; loss: \"mean\", the "
     "average of the ELBOs after the steps, by default, or \"last\"",
     0},
    {0},
};
