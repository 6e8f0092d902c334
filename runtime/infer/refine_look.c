/* A nested pass of `refine`: guide and model once more, at the values so far, with derivatives. */
#include <string.h>

#include "infer/builtins.h"
#include "infer/pair.h"
#include "interp/array.h"
#include "lang/walk.h"

void refine_pass(Pass *nested, Pass *p, Interp *in, const Refined *now, uint64_t number, bool same_tape) {
    Refinement *r = &p->refinement;
    Refined *given = ARENA_ARRAY(in->arena, Refined, r->n + 1);
    if (r->n) memcpy(given, r->list, sizeof *given * (size_t)r->n);
    given[r->n] = *now;
    number += (uint64_t)r->n << 32;
    in->ctx->seed = key_fold(key_fold(in->ctx->seed, hash_string("refine")), number);
    pass_run_nested(nested, p, in, given, r->n + 1, same_tape);
}

/* -- error(site): of all sites that the body names -- */

typedef struct SiteError {
    const char *name;
    const Index *index;
    int nindex;
    Value value; /* VALUE_NONE: no loc or logits */
    const char *family;
} SiteError;

typedef struct Names {
    Interp *in;
    const char *list[16];
    int n;
} Names;

static const char *dotted(Interp *in, const Expr *e) {
    if (e->kind == EXPR_INDEX) e = e->u.index.base;
    if (e->kind == EXPR_NAME) return e->u.name.name;
    return arena_printf(in->arena, "%s.%s", dotted(in, e->u.field.base), e->u.field.name);
}

static bool note_name(void *self, Expr *e) {
    Names *n = self;
    if (e->kind != EXPR_CALL || !e->u.call.of_site) return true;
    const char *name = dotted(n->in, e->u.call.arguments[0].value);
    for (int k = 0; k < n->n; k++)
        if (strcmp(n->list[k], name) == 0) return true;
    if (n->n < (int)(sizeof n->list / sizeof *n->list)) n->list[n->n++] = name;
    return true;
}

static bool has_particles(const Array *a) {
    for (int k = 0; k < a->naxes; k++)
        if (a->axes[k]->kind == AXIS_PARTICLE) return true;
    return false;
}

/* As the refined values, it is the same for all particles unless those differ. */
static Value particles_mean(const Look *l, Value v, Span at) {
    const Axis *axis = l->p->particles;
    bool differ = !axis;
    for (int k = 0; k < l->leaves.n; k++) differ |= has_particles(&l->leaves.list[k]);
    if (differ || v.kind != VALUE_ARRAY || !has_particles(v.u.array)) return v;
    Value sum = array_reduce_axis(l->in, OP_SUM, v, axis, at);
    return array_binary(l->in, BINARY_DIV, sum, value_number((double)axis->size), at);
}

static void find_errors(Look *l, const Trace *t) {
    Interp *in = l->in;
    Names names = {.in = in};
    const Stmt *s = l->step->stmt;
    walk_block(&(Walk){&names, note_name, NULL}, s->u.refine.body);
    l->step->nerrors = 0;
    if (names.n) l->step->errors = ARENA_ARRAY(in->arena, SiteError, t->n + 1);
    for (int i = 0; i < names.n; i++)
        for (int k = 0; k < t->n; k++) {
            const Entry *e = &t->entries[k];
            if (e->kind != ENTRY_SAMPLE || !e->name || strcmp(e->name, names.list[i]) != 0) continue;
            Value v = dist_location_error(in, e->dist, e->value, e->span);
            l->step->errors[l->step->nerrors++] = (SiteError){.name = e->name,
                                                              .index = e->index,
                                                              .nindex = e->nindex,
                                                              .value = particles_mean(l, v, e->span),
                                                              .family = e->dist->family->decl->name};
        }
}

static bool same_index(const SiteError *e, int n, const Index *index) {
    for (int k = 0; k < n; k++)
        if (e->index[k].axis != index[k].axis || (!index[k].axis && e->index[k].at != index[k].at)) return false;
    return true;
}

Value refine_error(Interp *in, const char *name, int nindex, const Index *index, Span at) {
    const RefineStep *s = in->refining;
    if (!s) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "error(site) is for the body of `refine v`; this is called outside");
    const SiteError *found = NULL;
    int n = 0, any = 0;
    for (int k = 0; k < s->nerrors; k++) {
        const SiteError *e = &s->errors[k];
        if (strcmp(e->name, name) != 0) continue;
        any++;
        if (nindex && (e->nindex != nindex || !same_index(e, nindex, index))) continue;
        found = e;
        n++;
    }
    if (!any)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "error(x) wants an observed or latent variable of the model",
                  "the model has no variable `%s`", name);
    if (n != 1)
        ctx_raise(in->ctx, ERROR_PROGRAM, at,
                  arena_printf(in->arena, "name one of them, such as error(%s)",
                               address_text(in, name, s->errors[0].index, s->errors[0].nindex)),
                  n ? "`%s` is drawn %d times in the model" : "`%s` is not drawn at these indices", name, n);
    if (found->value.kind == VALUE_NONE)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "Bernoulli(logits = ...) and Normal(loc, scale) have one",
                  "`%s` has no error: its distribution, %s, is given neither `loc` nor `logits`", name, found->family);
    return found->value;
}

/* -- The look -- */

/* A draw that no gradient flows through would leave its part out of gradient(v). */
static void refuse_scored(Look *l, const Trace *guide, const Var *at) {
    Interp *in = l->in;
    for (int k = 0; k < guide->n; k++) {
        const Entry *e = &guide->entries[k];
        if (e->log_score.kind != VALUE_ARRAY || !var_is_taped(e->log_score.u.array->var)) continue;
        Var *g = ARENA_ARRAY(in->arena, Var, l->leaves.n + 1);
        tape_grad(in->tape, op_sum_all(in->tape, e->log_score.u.array->var), NULL, l->leaves.n, at, g);
        for (int i = 0; i < l->leaves.n; i++)
            if (var_is_taped(g[i]))
                ctx_raise(in->ctx, ERROR_PROGRAM, e->span, "a relaxed family has gradients: Concrete(temperature, p)",
                          "`%s` depends on what is refined, but no gradient flows through draws of %s", e->name,
                          e->dist->family->decl->name);
    }
}

/* The parameters of the guide that count in this pass. */
static void find_params(Look *l, const Pass *nested) {
    const ParamReader *reader = &nested->reader;
    int n = nested->pair->params->n;
    l->params = ARENA_ARRAY(l->in->arena, Var, n + 1);
    l->nparams = 0;
    for (int k = 0; k < n && l->learning; k++)
        if (params_input(reader, k, &l->params[l->nparams]) && !reader->of_model[k]) l->nparams++;
}

static void look_at(void *self) {
    Look *l = self;
    Interp *in = l->in;
    Tape *t = in->tape;
    bool through = l->p->pair->refine.through && !l->apart;
    Var *at = ARENA_ARRAY(in->arena, Var, l->leaves.n + 1);
    Array *held = arena_copy(in->arena, l->leaves.list, sizeof(Array) * (size_t)(l->leaves.n + 1));
    for (int k = 0; k < l->leaves.n; k++) {
        Var v = held[k].var;
        bool taped = var_is_taped(v) && !l->apart;
        at[k] = held[k].var = !taped    ? tape_variable(t, var_constant(v.value))
                              : through ? op1(t, OP_COPY, v)
                                        : op1(t, OP_STOP_GRADIENT, v);
    }
    const Array *next = held;
    Refined now = *l->now;
    now.values = ARENA_ARRAY(in->arena, Value, l->step->n + 1);
    for (int k = 0; k < l->step->n; k++)
        now.values[k] = leaves_replace(in, l->now->values[k], &next, l->step->stmt->span);
    Pass nested;
    refine_pass(&nested, l->p, in, &now, l->number, !l->apart);
    refuse_scored(l, &nested.guide, at);
    const Pair *pair = l->p->pair;
    l->elbo = op_sum_all(t, pass_elbo(&nested, in, pair->weighs_kl && in->training ? pair->kl_weight : 1));
    if (l->p->particles) l->elbo = op2(t, OP_DIV, l->elbo, var_number(t, (real)l->p->particles->size));
    find_params(l, &nested);
    int n = l->leaves.n;
    Var *wrt = ARENA_ARRAY(in->arena, Var, n + l->nparams + 1), *g = ARENA_ARRAY(in->arena, Var, n + l->nparams + 1);
    memcpy(wrt, at, sizeof *wrt * (size_t)n);
    memcpy(wrt + n, l->params, sizeof *wrt * (size_t)l->nparams);
    tape_grad(t, l->elbo, NULL, n + l->nparams, wrt, g);
    memcpy(l->gradient, g, sizeof *g * (size_t)n);
    l->param_gradient = g + n;
    find_errors(l, &nested.model);
}

static Value kept(Look *l, Arena *to, Value v) {
    if (v.kind != VALUE_ARRAY) return v;
    Array *a = arena_copy(to, v.u.array, sizeof(Array));
    a->var = var_constant(tensor_keep(l->in->ctx, to, a->var.value));
    return (Value){VALUE_ARRAY, .u.array = a};
}

static void keep_errors(Look *l, Arena *to) {
    RefineStep *s = l->step;
    s->errors = arena_copy(to, s->errors, sizeof *s->errors * (size_t)(s->nerrors + 1));
    for (int k = 0; k < s->nerrors; k++) {
        SiteError *e = &s->errors[k];
        e->name = arena_strdup(to, e->name);
        e->index = arena_copy(to, e->index, sizeof(Index) * (size_t)(e->nindex + 1));
        e->value = kept(l, to, e->value);
    }
}

static void look_apart(Look *l) {
    Interp *in = l->in;
    Arena *arena = in->arena, *work = ctx_arena(in->ctx);
    Tape *outer = in->tape;
    in->arena = work;
    in->tape = tape_new(in->ctx, work, true);
    memcpy(in->tape->inputs, outer->inputs, sizeof outer->inputs);
    in->tape->step = outer->step, in->tape->particle = outer->particle;
    scope_protect(in, look_at, l, work);
    in->arena = arena, in->tape = outer;
    l->elbo = var_constant(tensor_keep(in->ctx, arena, l->elbo.value));
    for (int k = 0; k < l->leaves.n; k++)
        l->gradient[k] = var_constant(tensor_keep(in->ctx, arena, l->gradient[k].value));
    if (l->step->nerrors) keep_errors(l, arena);
    arena_free(work);
}

/* Batches count as whole plates in the ELBO, as single elements in gradient(v). */
static double batch_scale(const Interp *in) {
    double scale = 1;
    for (int k = 0; k < in->nplates; k++)
        if (axis_is_subset(in->plates[k])) scale *= (double)in->plates[k]->population / (double)in->plates[k]->size;
    return scale;
}

void refine_look(Look *l) {
    Interp *in = l->in;
    RefineStep *step = l->step;
    l->apart = !in->tape->recording;
    l->learning = l->learning && !l->apart;
    l->leaves = (Leaves){0};
    for (int k = 0; k < step->n; k++) leaves_of(in, l->now->values[k], &l->leaves, step->stmt->span);
    l->gradient = ARENA_ARRAY(in->arena, Var, l->leaves.n + 1);
    Scope saved;
    scope_save(in, &saved);
    if (l->apart)
        look_apart(l);
    else
        scope_protect(in, look_at, l, NULL);
    scope_leave(in, &saved);
    double scale = batch_scale(in);
    Array *gradients = arena_copy(in->arena, l->leaves.list, sizeof(Array) * (size_t)(l->leaves.n + 1));
    for (int k = 0; k < l->leaves.n; k++) {
        double own = has_particles(&gradients[k]) ? (double)l->p->particles->size / scale : 1 / scale;
        Var g = l->gradient[k];
        if (!l->p->pair->refine.through) g = op_stop_gradient(in->tape, g);
        gradients[k].var = own == 1 ? g : op2(in->tape, OP_MUL, g, var_number(in->tape, (real)own));
    }
    const Array *next = gradients;
    for (int k = 0; k < step->n; k++)
        step->gradients[k] = leaves_replace(in, l->now->values[k], &next, step->stmt->span);
}
