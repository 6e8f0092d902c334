#include "infer/pair.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "infer/batch.h"
#include "infer/closed.h"
#include "infer/diagnostics.h"
#include "infer/guide_check.h"
#include "infer/guide_sums.h"
#include "infer/local.h"
#include "infer/scored.h"
#include "interp/array.h"

enum { PRIOR_RUNS = 25 };

/* -- The guide's part -- */

/* The draw as a variable of its own. A density that is known along its own draw only (a flow's) is no function of it. */
static Value set_apart(Pass *p, Interp *in, const Dist *d, Value v) {
    if (d->drawn.kind != VALUE_NONE) p->opaque = true;
    if (v.kind != VALUE_ARRAY || p->opaque) return v;
    Array *a = arena_copy(in->arena, v.u.array, sizeof *a);
    a->var = tape_variable(in->tape, a->var);
    return (Value){VALUE_ARRAY, .u.array = a};
}

/* Draws, and scores with the parameters of the distribution held fixed: the gradient of log q with respect to them has
 * expectation 0, and without it its noise vanishes where q is exact (Roeder, Wu, Duvenaud 2017: sticking the landing).
 */
void guide_latent(Trace *t, Interp *in, Site *s, Entry *e) {
    Pass *p = t->self;
    if (p->pair->discrete.n > 0 && guide_sums_answer(p, in, s, e)) return;
    bool flows = s->dist->family->reparameterised;
    s->value = guide_sums_draw(p, in, s, flows);
    if (p->mode == PASS_DRAW) return;
    if (p->mode == PASS_APART && flows) s->value = set_apart(p, in, s->dist, s->value);
    /* gradient(v) of a refinement is that of the ELBO as it stands */
    Dist *d = p->mode == PASS_APART || (p->nested && !p->sticking) ? s->dist : dist_detach(in, s->dist);
    e->log_density = dist_logpdf(in, d, s->value, false, s->span);
    if (!flows) e->log_score = dist_logpdf(in, s->dist, s->value, false, s->span);
}

/* In the other branch of an `if` on a draw that is summed out: each branch draws from its own distribution. */
static void guide_latent_again(Trace *t, Interp *in, Site *s, Entry *e) {
    Pass *p = t->self;
    if (e->summed) {
        summing_again(&p->guided, in, s, e, (int)(e - t->entries));
        return;
    }
    Entry here = *e;
    guide_latent(t, in, s, &here);
    e->value = s->value = value_given(in, s->value, e->value, s->span);
    e->log_density = value_given(in, here.log_density, e->log_density, s->span);
    e->log_score = value_given(in, here.log_score, e->log_score, s->span);
}

static void guide_rolled_back(Trace *t) {
    Pass *p = t->self;
    summing_forget(&p->guided, t->n);
}

/* Elements that are given are none of the guide's; those of a plate may be, where others are missing. */
static void guide_observed(Trace *t, Interp *in, Site *s, Entry *e) {
    Pass *p = t->self;
    (void)e;
    s->value = s->data;
    if (s->gaps) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span,
              "a guide draws the latents of its model, and of observations the elements that are missing",
              "the guide `%s` observes `%s`", p->pair->guide_name, address_text(in, s->name, s->index, s->nindex));
}

static bool guide_imputes(Trace *t, const Site *s) {
    (void)t, (void)s;
    return true;
}

/* What belongs to the missing elements, or to the others. */
static Value where_missing(Interp *in, const Site *s, Value missing, Value others) {
    Value args[3] = {array_apply(in, OP_ISNAN, 1, &s->data, s->span), missing, others};
    if (missing.kind == VALUE_NONE || others.kind == VALUE_NONE) return value_none();
    return array_apply(in, OP_WHERE, 3, args, s->span);
}

/* One number per element of the plates at work: then densities can be told apart. */
static bool is_separable(Pass *p, Interp *in, const Site *s) {
    return value_event_shape(in, s->data, s->span).rank == 0 && !discrete_chosen(p->pair, s->name);
}

/* All elements are drawn, and those that are missing taken. */
static bool guide_partly(Trace *t, Interp *in, Site *s, Entry *e) {
    if (!is_separable(t->self, in, s)) return false;
    guide_latent(t, in, s, e);
    s->value = missing_complete(in, s, s->value);
    e->log_density = where_missing(in, s, e->log_density, value_number(0));
    e->log_score = where_missing(in, s, e->log_score, value_number(0));
    e->some = true;
    return true;
}

/* offset + factor * draw; adds log |det factor| to log q with a minus. */
static Value move_point(Pass *p, Interp *in, const List *parts, Value v, Span at) {
    Value factor = parts->items[1], moved[2] = {factor, v};
    Array f = value_array(in, factor, at, "the factor of an automatic guide");
    Shape shape = f.var.value->shape;
    double log_det = 0;
    for (int64_t k = 0; k < shape.dim[0]; k++)
        log_det += log(fabs(tensor_item(f.var.value, shape.rank == 2 ? k * shape.dim[1] + k : k)));
    v = shape.rank == 2 ? array_matmul(in, factor, v, at) : array_apply(in, OP_MUL, 2, moved, at);
    Value sum[2] = {parts->items[0], v};
    if (p->mode != PASS_DRAW) terms_add(&p->logq, in, value_number(-log_det), p->particles);
    return array_apply(in, OP_ADD, 2, sum, at);
}

/* The automatic part draws the whole point at once. */
static Array draw_point(Pass *p, Interp *in) {
    Pair *pair = p->pair;
    Span at = pair->span;
    Value made = interp_call(in, pair->automatic, 1, &pair->start, at), d = made;
    bool moved = made.kind == VALUE_TUPLE && made.u.list->n == 3;
    if (moved) d = made.u.list->items[2];
    if (d.kind != VALUE_DIST)
        ctx_raise(in->ctx, ERROR_PROGRAM, at,
                  "from a record {loc, scale, cholesky} it gives a distribution over real[len(loc)]",
                  "an automatic guide gives a distribution; `%s` gave %s", pair->guide_name, value_describe(in, d));
    Site *s = ARENA_NEW(in->arena, Site);
    *s = (Site){.name = "automatic@",
                .text = pair->guide_name,
                .dist = d.u.dist,
                .data = value_none(),
                .value = value_none(),
                .span = at,
                .value_span = at};
    bool flows = d.u.dist->family->reparameterised;
    p->point_guide = strcmp(d.u.dist->family->decl->name, "Delta") == 0;
    s->value = dist_draw_site(in, d.u.dist, s, flows);
    if (p->mode == PASS_APART && flows) p->point_draw = s->value = set_apart(p, in, d.u.dist, s->value);
    if (p->mode != PASS_DRAW) {
        const Dist *of = p->mode == PASS_APART ? d.u.dist : dist_detach(in, d.u.dist);
        terms_add(&p->logq, in, dist_logpdf(in, of, s->value, false, at), p->particles);
        if (!flows) terms_add(&p->score, in, dist_logpdf(in, d.u.dist, s->value, false, at), p->particles);
    }
    Value v = moved ? move_point(p, in, made.u.list, s->value, at) : s->value;
    Array u = value_array(in, v, at, "a draw of the automatic guide");
    Shape shape = array_shape(&u);
    if (shape.rank != 1 || shape.dim[0] != pair->latents->size)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL,
                  "the automatic guide `%s` draws shape %s; the latents have %ld numbers in unconstrained space",
                  pair->guide_name, shape_text(in->arena, shape), (long)pair->latents->size);
    return u;
}

/* -- The model's part -- */

static void refuse_discrete(const Pair *pair, Interp *in, const Site *s) {
    const SumNote *excluded = summing_excluded(&pair->sums, s->name);
    if (excluded)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "write a guide that draws it, or use importance(n)",
                  "`%s` is discrete and cannot be summed out: %s", address_text(in, s->name, s->index, s->nindex), excluded->why);
}

Value pass_guide_param(Pass *p, Interp *in, ParamSite *site) {
    ParamReader *r = &p->reader;
    bool in_model = r->in_model, constant = r->constant;
    site->low = -INFINITY, site->high = INFINITY;
    r->in_model = r->constant = false;
    effect_param(in, &r->handler, site);
    r->in_model = in_model, r->constant = constant;
    return site->value;
}

static void answer_automatic(Pass *p, Interp *in, Site *s, Entry *e) {
    int k = latents_find(p->pair->latents, s->name, s->index, s->nindex);
    if (k >= 0 && p->pair->latents->list[k].local)
        local_answer(p, in, k, s, e);
    else
        latents_answer(&p->point, in, s, e);
}

static void model_latent(Trace *t, Interp *in, Site *s, Entry *e) {
    Pass *p = t->self;
    Pair *pair = p->pair;
    Value v = pair->guide ? trace_value(&p->guide, s->name, s->index, s->nindex, s->span) : value_none();
    if (pair->discrete.n > 0 && discrete_answer(p, in, s, e, v.kind != VALUE_NONE)) return;
    if (v.kind == VALUE_NONE) {
        if (!pair->prior && summing_answer(&p->summing, in, s, e, t->n)) return;
        if (scored_costly(pair, s->name) && scored_answer(p, in, s, e)) return;
        if (!pair->prior) refuse_discrete(pair, in, s);
        if (pair->automatic.kind != VALUE_NONE && p->checking)
            latents_discover(pair->latents, t, in, s, e);
        else if (pair->automatic.kind != VALUE_NONE && p->scouting)
            latents_draw(t, in, s, e);
        else if (pair->automatic.kind != VALUE_NONE)
            answer_automatic(p, in, s, e);
        else if (pair->prior)
            s->value = dist_draw_site(in, s->dist, s, false); /* its own guide: both terms cancel */
        else
            guide_check_missing(in, pair->guide_name, &p->guide, s);
        return;
    }
    s->value = v;
    if (p->checking) guide_check_site(in, pair->guide_name, &p->guide, s);
    if (p->mode != PASS_DRAW) e->log_density = dist_logpdf(in, s->dist, v, false, s->span);
}

/* A latent before its statement runs: what the guide drew, all values of what is summed out. */
static bool model_peek(Trace *t, Interp *in, Peek *peek) {
    Pass *p = t->self;
    Pair *pair = p->pair;
    if (pair->discrete.n > 0) return false;
    if (pair->guide) peek->value = trace_value(&p->guide, peek->name, peek->index, peek->nindex, in->ctx->span);
    if (peek->value.kind != VALUE_NONE || summing_peek(&p->summing, in, peek, t->n)) return true;
    return pair->automatic.kind != VALUE_NONE && !p->checking && !p->scouting && latents_peek(&p->point, in, peek);
}

/* In the first run: the latents of a loop that has run step by step. */
static void model_looped(Trace *t, Interp *in, const Axis *axis, int mark) {
    Pass *p = t->self;
    Latents *l = p->pair->latents;
    if (!p->checking || !l || p->pair->automatic.kind == VALUE_NONE) return;
    int from = l->n;
    while (from > 0 && l->list[from - 1].entry >= mark) from--;
    if (from < l->n) latents_loop(l, in, from, axis);
}

/* May loops of the model run at once? Not where the terms of single steps are looked for. */
static bool runs_at_once(const Pass *p) {
    bool scored = summing_gave_way(&p->pair->sums);
    for (int k = 0; k < p->guide.n; k++) scored |= p->guide.entries[k].log_score.kind != VALUE_NONE;
    return !scored && !p->pair->batches && !p->nested && p->refinement.n == 0 && p->mode != PASS_CLOSED;
}

static bool model_imputes(Trace *t, const Site *s) {
    Pass *p = t->self;
    return p->pair->guide && trace_find_name(&p->guide, s->name);
}

/* The guide has completed them: the density of its draws is the prior's, that of the others the likelihood's. */
static bool guided_partly(Pass *p, Interp *in, Site *s, Entry *e) {
    Value v = is_separable(p, in, s) ? trace_value(&p->guide, s->name, s->index, s->nindex, s->span) : value_none();
    if (v.kind == VALUE_NONE) return false;
    if (p->checking) guide_check_site(in, p->pair->guide_name, &p->guide, s);
    site_check_data(in, s);
    s->value = v;
    e->some = true;
    if (p->mode == PASS_DRAW) return true;
    Value lp = dist_logpdf(in, s->dist, v, false, s->span);
    e->log_density = where_missing(in, s, lp, value_number(0));
    Value known = value_given(in, where_missing(in, s, value_number(0), lp), value_number(0), s->span);
    trace_add(&p->model, &(Entry){.kind = ENTRY_FACTOR, .value = known, .log_density = known, .log_score = value_none(),
                                  .span = s->span, .value_span = s->value_span});
    return true;
}

static bool model_partly(Trace *t, Interp *in, Site *s, Entry *e) {
    Pass *p = t->self;
    if (p->pair->prior) return false;
    if (model_imputes(t, s)) return guided_partly(p, in, s, e);
    return !discrete_chosen(p->pair, s->name) && summing_answer(&p->summing, in, s, e, t->n);
}

/* In the other branch of an `if` that a summed variable decides. */
static void model_latent_again(Trace *t, Interp *in, Site *s, Entry *e) {
    Pass *p = t->self;
    if (e->summed) {
        summing_again(&p->summing, in, s, e, (int)(e - t->entries));
        return;
    }
    bool guided = trace_find(&p->guide, s->name, s->index, s->nindex);
    if (p->pair->automatic.kind != VALUE_NONE && !guided)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span,
                  "draw it once, with parameters that differ: x ~ Normal(if c { 0 } else { 1 }, 1)",
                  "`%s` is drawn in both branches of an `if` on a variable that is summed out",
                  address_text(in, s->name, s->index, s->nindex));
    if (e->log_score.kind != VALUE_NONE)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "leave it out of the option `discrete`",
                  "`%s` is drawn in both branches of an `if` on a variable that is summed out",
                  address_text(in, s->name, s->index, s->nindex));
    s->value = e->value;
    if (p->mode == PASS_DRAW) return;
    Value lp = dist_logpdf(in, s->dist, s->value, false, s->span);
    e->log_density = value_given(in, lp, e->log_density, s->span);
}

static void model_rolled_back(Trace *t) {
    Pass *p = t->self;
    summing_forget(&p->summing, t->n);
    if (p->checking && p->pair->latents) latents_forget(p->pair->latents, t->n);
}

/* Marks are numbers: of pairs that are kept in `marks`. */
static Pass *pass_of(Handler *h) { return (Pass *)((char *)h - offsetof(Pass, added)); }

static int added_mark(Handler *h) {
    Pass *p = pass_of(h);
    ARENA_GROW(p->pair->in->arena, p->marks, p->nmarks, p->marks_capacity, 8);
    p->marks[p->nmarks] = (struct AddedMark){p->guide.n, p->logq.n};
    return p->nmarks++;
}

static void added_rollback(Handler *h, int mark) {
    Pass *p = pass_of(h);
    p->guide.handler.rollback(&p->guide.handler, p->marks[mark].guide);
    p->logq.n = p->marks[mark].logq;
}

static void add_terms(Pass *p, Interp *in) {
    guide_sums_finish(p, in);
    if (p->mode == PASS_CLOSED) closed_divergences(p, in);
    for (int k = 0; k < p->guide.n; k++) terms_add(&p->logq, in, p->guide.entries[k].log_density, p->particles);
    for (int k = 0; k < p->model.n; k++) {
        const Entry *e = &p->model.entries[k];
        if (has_summed_axis(e->log_density)) continue;
        terms_add(e->kind == ENTRY_SAMPLE && !e->observed ? &p->prior : &p->likelihood, in, e->log_density,
                  p->particles);
    }
    summing_finish(&p->summing, in, &p->model, p->pair->span);
    for (int k = 0; k < p->summing.elimination.nrest; k++)
        terms_add(&p->likelihood, in, p->summing.elimination.rest[k], p->particles);
}

static void run_once(Pass *p, Pair *pair, Interp *in) {
    pair->sums.arena = pair->arena;
    summing_init(&p->summing, &pair->sums, p->mode == PASS_MARKED, FIRST_ENUM_ORDER);
    summing_init(&p->guided, &pair->sums, false, FIRST_GUIDED_ORDER);
    in->elementwise = pair->sums.plates, in->nelementwise = pair->sums.nplates;
    params_push(&p->reader, pair->params, in);
    if (p->shared) params_share(&p->reader, p->shared);
    trace_init(&p->guide, in, (p->mode != PASS_DRAW), guide_latent, p);
    p->guide.observed = guide_observed;
    p->guide.imputes = guide_imputes;
    p->guide.partly = guide_partly;
    p->guide.again = guide_latent_again;
    p->guide.rolled_back = guide_rolled_back;
    refinement_init(&p->refinement, p);
    if (pair->guide) {
        effects_push(in, &p->refinement.handler);
        trace_push(&p->guide);
        interp_run_call(in, pair->guide, pair->span);
        trace_pop(&p->guide);
        effects_pop(in, &p->refinement.handler);
        in->overlay = NULL;
    }
    Array point = {0};
    bool automatic = pair->automatic.kind != VALUE_NONE && !p->checking && !p->scouting && pair->latents->n > 0;
    bool drawn = automatic && !p->at_point && pair->latents->size > 0;
    if (drawn) point = draw_point(p, in);
    if (automatic) point_run_init(&p->point, pair->latents, in, drawn ? &point : NULL, p->particles);
    trace_init(&p->model, in, (p->mode != PASS_DRAW), model_latent, p);
    p->model.partly = model_partly;
    p->model.imputes = model_imputes;
    p->model.peek = model_peek;
    p->model.looped = model_looped;
    in->at_once = runs_at_once(p);
    p->reader.in_model = true;
    p->reader.constant = p->nested;
    p->model.again = model_latent_again;
    p->model.rolled_back = model_rolled_back;
    p->added = (Handler){.mark = added_mark, .rollback = added_rollback};
    effects_push(in, &p->added);
    trace_push(&p->model);
    interp_run_call(in, pair->model, pair->span);
    trace_pop(&p->model);
    effects_pop(in, &p->added);
    in->at_once = false;
    in->overlay = NULL;
    if (automatic) point_run_finish(&p->point, in);
    params_pop(&p->reader);
    if (p->shared) params_share(p->shared, &p->reader);
}

/* After the program has run: nothing more; what is summed out is summed where that may be too costly; log densities. */
typedef enum RunEnd { RUN_ALONE, RUN_COSTS, RUN_TERMS } RunEnd;

typedef struct Run {
    Pass *p;
    Pair *pair;
    Interp *in;
    RunEnd end;
} Run;

static void run_caught(void *self) {
    Run *r = self;
    run_once(r->p, r->pair, r->in);
    if (r->end == RUN_TERMS) add_terms(r->p, r->in);
    if (r->end == RUN_COSTS && summing_many(&r->p->summing)) summing_finish(&r->p->summing, r->in, &r->p->model, r->pair->span);
}

/* A run that stops at a summed variable teaches what not to sum out; then it starts over. */
static void run(Pass *p, Pair *pair, Interp *in, RunEnd end) {
    Run r = {p, pair, in, end};
    if (pair->prior) {
        run_caught(&r);
        return;
    }
    Pass start = *p;
    Latents layout = pair->latents ? *pair->latents : (Latents){0};
    int nodes = in->tape->nnodes;
    Error e;
    Scope saved;
    scope_save(in, &saved);
    while (!ctx_protect(in->ctx, run_caught, &r, &e)) {
        if (!summing_learn(&pair->sums, in, &e, pair->scores)) ctx_reraise(in->ctx, &e);
        scope_leave(in, &saved);
        tape_truncate(in->tape, nodes);
        *p = start;
        if (pair->latents) *pair->latents = layout;
    }
    in->nelementwise = 0;
}

void pass_run(Pass *p, Pair *pair, Interp *in, const Axis *particles, PassMode mode) {
    *p = (Pass){.pair = pair, .particles = particles, .mode = mode};
    run(p, pair, in, mode != PASS_DRAW ? RUN_TERMS : RUN_ALONE);
}

/* As from the top level, but for the particles; the caller saves the scope. */
void pass_run_nested(Pass *p, Pass *outer, Interp *in, const Refined *given, int ngiven, bool same_tape) {
    *p = (Pass){.pair = outer->pair,
                .particles = outer->particles,
                .mode = PASS_TERMS,
                .refinement = {.nested = true, .given = given, .ngiven = ngiven},
                .nested = true,
                .scouting = outer->checking || outer->scouting,
                .sticking = outer->sticking,
                .shared = same_tape ? &outer->reader : NULL};
    in->nplates = 0;
    if (p->particles) in->plates[in->nplates++] = p->particles;
    in->address = NULL, in->draw = NULL, in->overlay = NULL;
    in->handler = NULL;
    run(p, p->pair, in, RUN_TERMS);
}

void pass_run_at_point(Pass *p, Pair *pair, Interp *in, PassMode mode) {
    *p = (Pass){.pair = pair, .mode = mode, .at_point = true};
    run(p, pair, in, RUN_TERMS);
}

void pass_probabilities(Pass *p, Interp *in) {
    if (p->summing.n > 0) summing_probabilities(&p->summing, in, &p->model, terms_total(&p->likelihood, in));
}

Var pass_log_joint(const Pass *p, Interp *in) {
    return op2(in->tape, OP_ADD, terms_total(&p->likelihood, in), terms_total(&p->prior, in));
}

Var kl_weight_var(Interp *in, double w) {
    return w == KL_SCHEDULED ? tape_input(in->tape, SLOT_WEIGHT, 0, SHAPE_SCALAR) : var_number(in->tape, w);
}

Var pass_elbo(const Pass *p, Interp *in, double kl_weight) {
    Var kl = op2(in->tape, OP_SUB, terms_total(&p->logq, in), terms_total(&p->prior, in));
    if (kl_weight != 1) kl = op2(in->tape, OP_MUL, kl, kl_weight_var(in, kl_weight));
    return op2(in->tape, OP_SUB, terms_total(&p->likelihood, in), kl);
}

/* -- The first run -- */

/* Runs that are not recorded have batches too. */
static void enter_batches(Pair *pair, Interp *in, uint32_t step) {
    if (!pair->batches) return;
    batch_prepare(pair->batches, step);
    in->batches = &pair->batches->plates;
    in->tape->inputs[SLOT_BATCH] = pair->batches->elements;
}

/* On a tape that does not record, numbers that come of draws are plain: the checks of constants would meet them. */
static void check_run(Pair *pair, Interp *in, uint64_t seed, bool recording) {
    Arena *arena = arena_child(pair->arena);
    Tape *tape = tape_new(in->ctx, arena, recording);
    tape->step = STEP_CHECK;
    Scope saved;
    scope_enter(in, &saved, arena, tape, seed);
    enter_batches(pair, in, 0);
    Pass p = {.pair = pair, .checking = true, .mode = PASS_TERMS}; /* scored, so that shapes are checked */
    run(&p, pair, in, pair->scores ? RUN_COSTS : RUN_ALONE);
    bool observes = false;
    for (int k = 0; k < p.model.n; k++)
        observes |= p.model.entries[k].kind == ENTRY_FACTOR || p.model.entries[k].observed;
    discrete_checked(&p, in);
    if (pair->refine.given && p.refinement.n == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, pair->refine.span, "leave the option out, or refine in the guide",
                  "the option `refine` is for guides that refine, and %s has no `refine`",
                  pair->guide ? arena_printf(in->arena, "`%s`", pair->guide_name) : "this one");
    pair->nsum_notes = summing_notes(&p.summing, &p.model, pair->arena, &pair->sum_notes);
    if (!observes) guide_check_observes(in, pair->model, pair->span);
    guide_check_counts(in, &p.guide, &p.model, pair->span);
    if (pair->guide)
        guide_check_invented(in, pair->guide_name, pair->model->closure->function->name, &p.guide, &p.model);
    scope_leave(in, &saved);
    arena_free(arena);
}

void pair_check(Pair *pair, Interp *in, uint64_t seed) { check_run(pair, in, seed, true); }
void pair_check_prior(Pair *pair, Interp *in, uint64_t seed) { check_run(pair, in, seed, false); }

static bool prior_point(Pair *pair, Interp *in, Arena *arena, uint64_t seed, uint32_t step, double *to) {
    arena_reset(arena);
    Latents found;
    latents_init(&found, arena, pair->latents->noncentre, true, pair->latents->method);
    Latents *layout = pair->latents;
    Tape *tape = tape_new(in->ctx, arena, true);
    tape->step = STEP_CHECK + step;
    Scope saved;
    scope_enter(in, &saved, arena, tape, seed);
    enter_batches(pair, in, step);
    Pass p = {.pair = pair, .checking = true};
    pair->latents = &found;
    run(&p, pair, in, RUN_ALONE);
    pair->latents = layout;
    scope_leave(in, &saved);
    bool good = found.size == layout->size && found.n == layout->n;
    for (int64_t k = 0; k < found.size && good; k++) good = isfinite(found.drawn[k]);
    if (good) doubles_from_reals(to, found.drawn, found.size);
    return good;
}

void pair_prior_median(Pair *pair, Interp *in, uint64_t seed, double *median, double *spread) {
    int64_t size = pair->latents->size;
    Arena *arena = ctx_arena(in->ctx), *work = ctx_arena(in->ctx);
    arena_defer(pair->arena, (void (*)(void *))arena_free, arena);
    arena_defer(pair->arena, (void (*)(void *))arena_free, work);
    double *points = ARENA_ARRAY(work, double, PRIOR_RUNS *size + 1), *column = ARENA_ARRAY(work, double, PRIOR_RUNS);
    int runs = size > 20000 ? 3 : PRIOR_RUNS, n = 0;
    for (int k = 1; k <= runs; k++)
        if (prior_point(pair, in, arena, seed, (uint32_t)k, points + n * size)) n++;
    for (int64_t i = 0; i < size; i++) {
        for (int k = 0; k < n; k++) column[k] = points[k * size + i];
        median[i] = n ? quantile(pair->arena, column, n, 0.5) : 0;
        if (!spread) continue;
        double width = n > 3 ? (quantile(pair->arena, column, n, 0.75) - quantile(pair->arena, column, n, 0.25)) / 1.349 : 1;
        spread[i] = width > 1e-6 && isfinite(width) ? width : 1;
    }
    arena_clear(arena);
    arena_clear(work);
    memory_trim();
}

bool pair_prior_point(Pair *pair, Interp *in, uint64_t seed, double *point) {
    Arena *arena = ctx_arena(in->ctx);
    arena_defer(pair->arena, (void (*)(void *))arena_free, arena);
    bool good = prior_point(pair, in, arena, seed, 0, point);
    arena_clear(arena);
    return good;
}

static bool gives_lambda(const Global *g, const Function *lambda) {
    const Expr *e = g && g->function ? g->function->expr : NULL;
    return e && e->kind == EXPR_LAMBDA && e->u.lambda == lambda;
}

const char *automatic_name(Interp *in, Value automatic) {
    if (automatic.kind != VALUE_FUNCTION) return "automatic guide";
    const Function *f = automatic.u.closure->function;
    if (f->kind != FUNCTION_LAMBDA) return f->name;
    /* `fn auto_normal(scale) = start -> ...`: the function whose value the lambda is */
    for (int k = 0; k < lang_globals_count(in->names); k++)
        if (gives_lambda(lang_global(in->names, k), f)) return lang_global(in->names, k)->name;
    for (int k = 0; k < lang_library_count(in->names); k++)
        if (gives_lambda(lang_library_loaded(in->names, k), f)) return lang_library_name(in->names, k);
    return f->name;
}
