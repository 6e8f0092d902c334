#include "infer/objective.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/elements.h"
#include "infer/fit.h"
#include "infer/guide_sums.h"
#include "infer/lines_optimizer.h"
#include "interp/array.h"

enum { SCORED_PARTICLES = 8, AUTOMATIC_PARTICLES = 8, WEIGHED_PARTICLES = 8 };

/* -- Recording the objective -- */

static void reserve_gradients(Bound *b, Recorder *r) {
    int64_t size = b->pair->params->size;
    if (size <= b->capacity) return;
    recorder_forget(r); /* they write to the old place */
    b->capacity = size;
    b->gradient = ARENA_ARRAY(b->arena, real, size);
}

/* `more`: what is to be added for the model's parameters, in order; NULL: nothing. */
static void output_gradients(Bound *b, Recorder *r, Pass *p, Var y, const Var *more) {
    const ParamStore *store = b->pair->params;
    Var *inputs = ARENA_ARRAY(r->in->arena, Var, store->n + 1), *g = ARENA_ARRAY(r->in->arena, Var, store->n + 1);
    bool *of_model = ARENA_ARRAY(r->in->arena, bool, store->n + 1);
    int *which = ARENA_ARRAY(r->in->arena, int, store->n + 1), n = 0;
    for (int k = 0; k < store->n; k++) {
        if (!params_input(&p->reader, k, &inputs[n])) { /* not read: other recordings write here, too */
            Var none = var_constant(tensor_zeros(r->in->ctx, r->in->arena, store->list[k].free));
            recorder_output(r, none, b->gradient + store->list[k].offset);
            continue;
        }
        of_model[n] = p->reader.of_model[k];
        which[n++] = k;
    }
    if (n) refine_gradients(p, r->in, y, n, inputs, of_model, g);
    for (int k = 0; k < n && more; k++)
        if (of_model[k]) g[k] = var_is_taped(g[k]) ? op2(r->in->tape, OP_ADD, g[k], *more) : *more, more++;
    for (int k = 0; k < n; k++) params_way(&p->reader, which[k], &g[k]); /* running averages have no gradient */
    for (int k = 0; k < n; k++) recorder_output(r, g[k], b->gradient + store->list[which[k]].offset);
}

/* Is there a draw that no gradient flows through? */
static bool has_scores(const Pass *p) {
    bool any = p->score.n > 0;
    for (int k = 0; k < p->guide.n; k++) any |= p->guide.entries[k].log_score.kind != VALUE_NONE;
    for (int k = 0; k < p->model.n; k++) any |= p->model.entries[k].log_score.kind != VALUE_NONE;
    return any;
}

static bool is_weighed(const Bound *b) { return b->objective.order != 1; }

/* Where no gradient flows through a draw; gives what is to be added to the mean of f over particles. */
static Var add_scores(Bound *b, Recorder *r, Pass *p, Var f, ScoreRun *run) {
    Interp *in = r->in;
    ScoreSite *sites;
    int n = score_sites(p, in, b->kl_weight, &sites);
    *run = (ScoreRun){0};
    b->scored = n > 0;
    if (n == 0) return f;
    if (p->particles && b->baseline == BASELINE_LOO)
        return op2(in->tape, OP_ADD, f, score_leave_one_out(in, n, sites, p->particles));
    if (score_store_find(&b->store, in, n, sites, p->particles, run)) recorder_forget(r);
    return op2(in->tape, OP_ADD, f, score_store_surrogate(&b->store, r, sites, p->particles, run));
}

static PassMode terms_mode(const Bound *b) { return b->objective.closed ? PASS_CLOSED : PASS_SUMMED; }

/* The first run says which divergences are in closed form. */
static void note_closed(Bound *b, const Pass *p) {
    if (!b->objective.closed || b->noted) return;
    Buf text = {0};
    for (int k = 0; k < p->guide.n; k++) {
        const Entry *e = &p->guide.entries[k];
        bool known = false;
        for (int j = 0; j < k && !known; j++)
            known = p->guide.entries[j].closed && strcmp(p->guide.entries[j].name, e->name) == 0;
        if (e->closed && !known) buf_printf(&text, "%s%s", text.length ? ", " : "", e->name);
    }
    if (text.length)
        fit_note(b->fit, "the divergence from the prior has a closed form: %s", text.text);
    else
        fit_note(b->fit, "no divergence of the guide from the prior has a closed form here: all are sampled");
    buf_free(&text);
    b->noted = true;
}

/* All particles at once. */
static void record_together(Bound *b, Recorder *r, Pass *p, ScoreRun *run) {
    Interp *in = r->in;
    Tape *t = in->tape;
    const Axis *axis = axis_intern(in, AXIS_PARTICLE, "particle", 1, b->particles, 0);
    in->plates[in->nplates++] = axis;
    pass_run(p, b->pair, in, axis, terms_mode(b));
    in->nplates--;
    note_closed(b, p);
    Var f = op_expand(t, pass_elbo(p, in, b->kl_weight), shape1(b->particles));
    Var mean = op2(t, OP_DIV, op_sum_all(t, f), var_number(t, b->particles));
    Var surrogate = add_scores(b, r, p, mean, run);
    reserve_gradients(b, r);
    recorder_output(r, f, b->elbos);
    b->nelbos = b->particles;
    output_gradients(b, r, p, surrogate, NULL);
}

static void record_one(Bound *b, Recorder *r, Pass *p, ScoreRun *run) {
    pass_run(p, b->pair, r->in, NULL, terms_mode(b));
    note_closed(b, p);
    Var f = pass_elbo(p, r->in, b->kl_weight);
    Var surrogate = add_scores(b, r, p, f, run);
    reserve_gradients(b, r);
    recorder_output(r, f, b->elbos);
    b->nelbos = 1;
    output_gradients(b, r, p, surrogate, NULL);
}

/* -- Draws weighed against each other -- */

/* Estimates of the bound by element, [elements] or one: v = (1 - a) (log p - log q), [particles, elements]. */
static Var weighed_bounds(const Bound *b, Tape *t, Var v) {
    Var mean = op2(t, OP_SUB, op_reduce(t, OP_LOGSUMEXP, v, 1), var_number(t, (real)log(b->particles)));
    return op2(t, OP_DIV, mean, var_number(t, (real)(1 - b->objective.order)));
}

static Var weighed_ratios(const Bound *b, Interp *in, const Elements *e) {
    Tape *t = in->tape;
    Shape shape = e->plate ? shape2(b->particles, e->plate->size) : shape1(b->particles);
    Var log_w = op_expand(t, op2(t, OP_SUB, e->log_p, e->log_q), shape);
    return op2(t, OP_MUL, log_w, var_number(t, (real)(1 - b->objective.order)));
}

static Var mean_of(Tape *t, Var v) {
    return op2(t, OP_DIV, op_sum_all(t, v), var_number(t, (real)shape_size(v.value->shape)));
}

static Var weighed_total(Tape *t, const Elements *e, Var bounds) {
    Var sum = op2(t, OP_MUL, op_sum_all(t, bounds), var_number(t, (real)e->scale));
    return e->any_rest ? op2(t, OP_ADD, sum, mean_of(t, e->rest)) : sum;
}

static Var weighed_sum(Tape *t, const Elements *e, Var weights, Var terms) {
    Var sum = op_sum_all(t, op2(t, OP_MUL, weights, terms));
    return op2(t, OP_MUL, sum, var_number(t, (real)e->scale));
}

/* d/d guide of the bound, as that of a function of the draws alone. With w the normalised weights of order a, the
 * derivative through draw k has the factor a w_k + (1 - a) w_k^2 instead of w_k, and that of log q with respect to its
 * parameters drops out (Tucker et al. 2019, eq. 8, for a = 0; the same step with other powers of the ratios). `h` holds
 * the derivatives with the factor w_k. */
static Var draws_surrogate(const Bound *b, Interp *in, const Elements *e, Var weights, int n, const Array *draws,
                           const Var *h) {
    Tape *t = in->tape;
    double a = b->objective.order;
    Var factor = op2(t, OP_ADD, op2(t, OP_MUL, weights, var_number(t, (real)(1 - a))), var_number(t, (real)a));
    const Axis *axes[2] = {axis_intern(in, AXIS_PARTICLE, "particle", 1, b->particles, 0), e->plate};
    Value by_particle = value_var(in, factor, e->plate ? 2 : 1, axes);
    Var total = var_number(t, 0);
    for (int k = 0; k < n; k++) {
        Value slope = value_var(in, op_stop_gradient(t, h[k]), draws[k].naxes, draws[k].axes);
        slope = array_binary(in, BINARY_MUL, slope, by_particle, SPAN_NONE);
        Var part = op2(t, OP_MUL, slope.u.array->var, draws[k].var);
        total = op2(t, OP_ADD, total, op_sum_all(t, part));
    }
    return total;
}

static void add_draw(Interp *in, Value v, Array *draws, int *n) {
    if (v.kind != VALUE_ARRAY || !var_is_taped(v.u.array->var)) return;
    if (in->tape->nodes[v.u.array->var.node].op == OP_VARIABLE) draws[(*n)++] = *v.u.array;
}

/* Model and guide apart: what the model's parameters change themselves, and what changes through the draws. */
static void output_apart(Bound *b, Recorder *r, Pass *p, const Elements *e, Var weights) {
    Interp *in = r->in;
    Tape *t = in->tape;
    const ParamStore *store = b->pair->params;
    int n = 0, all = 0, room = p->guide.n + store->n + 1;
    Array *draws = ARENA_ARRAY(in->arena, Array, room);
    Var *at = ARENA_ARRAY(in->arena, Var, 3 * room), *h = at + room, *more = h + room;
    for (int k = 0; k < p->guide.n; k++)
        if (!p->guide.entries[k].observed) add_draw(in, p->guide.entries[k].value, draws, &n);
    add_draw(in, p->point_draw, draws, &n);
    for (all = 0; all < n; all++) at[all] = draws[all].var;
    for (int k = 0; k < store->n; k++)
        if (p->reader.of_model[k] && params_input(&p->reader, k, &at[all])) all++;
    Var log_p = weighed_sum(t, e, weights, e->log_p), log_q = weighed_sum(t, e, weights, e->log_q);
    if (e->any_rest) log_p = op2(t, OP_ADD, log_p, mean_of(t, e->rest));
    tape_grad_partial(t, log_p, NULL, all, at, h);
    tape_grad_partial(t, log_q, NULL, n, at, more);
    for (int k = 0; k < n; k++) h[k] = op2(t, OP_SUB, h[k], more[k]);
    output_gradients(b, r, p, draws_surrogate(b, in, e, weights, n, draws, h), h + n);
}

/* The rest of the gradient for draws that no gradient flows through: VIMCO (Mnih, Rezende 2016). The baseline of draw k
 * is the bound with its ratio replaced by the geometric mean of the others. */
static Var scores_of_weighed(const Bound *b, Interp *in, const Pass *p, const Elements *e, Var v, Var bounds) {
    Tape *t = in->tape;
    int64_t K = b->particles;
    Terms scores = {.kept = e->plate};
    for (int k = 0; k < p->guide.n; k++) terms_add(&scores, in, p->guide.entries[k].log_score, p->particles);
    for (int k = 0; k < p->model.n; k++) terms_add(&scores, in, p->model.entries[k].log_score, p->particles);
    if (p->score.n) { /* of an automatic guide: no plate is kept */
        Var all = op_expand(t, terms_total(&p->score, in), shape1(K));
        terms_add(&scores, in, value_var(in, all, 1, &p->particles), p->particles);
    }
    Shape flat = v.value->shape, wide = flat;
    wide.rank++;
    wide.dim[0] = wide.dim[1] = K;
    if (e->plate) wide.dim[2] = flat.dim[1];
    Var others = op2(t, OP_SUB, op_expand(t, op_reduce(t, OP_SUM, v, 1), flat), v);
    others = op2(t, OP_DIV, others, var_number(t, (real)(K - 1)));
    Tensor *same = tensor_zeros(in->ctx, in->arena, e->plate ? (Shape){3, {K, K, 1}} : shape2(K, K));
    for (int64_t k = 0; k < K; k++) same->data[k * K + k] = 1;
    Shape rows = wide;
    rows.dim[1] = 1;
    Var swapped = op3(t, OP_WHERE, op_expand(t, var_constant(same), wide), op_expand(t, others, wide),
                      op_expand(t, op_reshape(t, v, rows), wide));
    Var without = weighed_bounds(b, t, swapped); /* [particles, elements] */
    Var gain = op_stop_gradient(t, op2(t, OP_SUB, op_expand(t, bounds, flat), without));
    return weighed_sum(t, e, gain, terms_total(&scores, in));
}

static void record_weighed(Bound *b, Recorder *r, Pass *p, ScoreRun *run) {
    Interp *in = r->in;
    Tape *t = in->tape;
    const Axis *axis = axis_intern(in, AXIS_PARTICLE, "particle", 1, b->particles, 0);
    Elements e;
    *run = (ScoreRun){0};
    in->plates[in->nplates++] = axis;
    pass_run(p, b->pair, in, axis, PASS_APART);
    in->nplates--;
    elements_split(&e, p, in);
    b->plate = e.plate;
    Var v = weighed_ratios(b, in, &e), bounds = weighed_bounds(b, t, v);
    Var top = op_expand(t, op_reduce(t, OP_LOGSUMEXP, v, 1), v.value->shape);
    Var weights = op_stop_gradient(t, op1(t, OP_EXP, op2(t, OP_SUB, v, top)));
    b->scored = has_scores(p);
    reserve_gradients(b, r);
    recorder_output(r, weighed_total(t, &e, bounds), b->elbos);
    b->nelbos = 1;
    if (!p->opaque && !b->scored) {
        output_apart(b, r, p, &e, weights);
        return;
    }
    Var y = weighed_sum(t, &e, weights, op2(t, OP_SUB, e.log_p, e.log_q));
    if (e.any_rest) y = op2(t, OP_ADD, y, mean_of(t, e.rest));
    if (b->scored && b->particles > 1) y = op2(t, OP_ADD, y, scores_of_weighed(b, in, p, &e, v, bounds));
    output_gradients(b, r, p, y, NULL);
}

/* -- Recording -- */

typedef struct Together {
    Bound *b;
    Recorder *r;
    Pass *p;
    ScoreRun *run;
} Together;

static void try_together(void *self) {
    Together *t = self;
    (is_weighed(t->b) ? record_weighed : record_together)(t->b, t->r, t->p, t->run);
}

static void *record_objective(Recorder *r, void *self) {
    Bound *b = self;
    r->in->training = TRAINING_STEPS; /* until the scope's end */
    Pass p;
    ScoreRun *run = ARENA_NEW(b->arena, ScoreRun);
    if (b->together) {
        Together t = {b, r, &p, run};
        Scope saved;
        Error e;
        scope_save(r->in, &saved);
        if (ctx_protect(r->in->ctx, try_together, &t, &e)) return run;
        if (e.kind != ERROR_ELEMENTWISE || !r->in->split || r->in->split->kind != AXIS_PARTICLE)
            ctx_reraise(r->in->ctx, &e);
        if (is_weighed(b))
            ctx_raise(r->in->ctx, ERROR_PROGRAM, e.span, "ELBO() runs them one after the other",
                      "%s weighs draws that run at once, and here one plain value is needed: %s", b->objective.name,
                      e.message);
        scope_leave(r->in, &saved); /* something needs one plain value: one particle after the other */
        tape_truncate(r->in->tape, 0);
        r->noutputs = 0;
        b->together = false;
    }
    record_one(b, r, &p, run);
    return run;
}

static void *record_value(Recorder *r, void *self) {
    Bound *b = self;
    Interp *in = r->in;
    Pass p;
    Elements e;
    if (!is_weighed(b)) {
        pass_run(&p, b->pair, in, NULL, terms_mode(b));
        recorder_output(r, pass_elbo(&p, in, b->kl_weight), &b->elbo);
        return b;
    }
    const Axis *axis = axis_intern(in, AXIS_PARTICLE, "particle", 1, b->particles, 0);
    in->plates[in->nplates++] = axis;
    pass_run(&p, b->pair, in, axis, PASS_TERMS);
    in->nplates--;
    elements_split(&e, &p, in);
    recorder_output(r, weighed_total(in->tape, &e, weighed_bounds(b, in->tape, weighed_ratios(b, in, &e))), &b->elbo);
    return b;
}

/* -- A step -- */

static void reserve_direction(Bound *b) {
    int64_t size = b->pair->params->size;
    if (size == b->size && b->direction) return;
    b->size = size;
    b->direction = ARENA_ARRAY(b->arena, real, size + 1);
}

static void clear(real *x, int64_t n) {
    if (n) memset(x, 0, sizeof(real) * (size_t)n);
}

static const ScoreRun *run_bound(Bound *b, uint32_t step, uint32_t particle) {
    b->run.inputs.slots[SLOT_PARAMS] = b->pair->params->values;
    b->run.inputs.slots[SLOT_BASELINE] = b->store.input;
    b->run.inputs.slots[SLOT_WEIGHT] = &b->weight_now;
    const ScoreRun *run = recorder_run(&b->run, step, particle);
    if (b->size < b->pair->params->size) reserve_direction(b);
    return run;
}

/* Down the bound: optimizers descend. */
static void add_to_direction(void *self, int64_t start, int64_t end) {
    const Bound *b = self;
    optimizer_lines()->subtract(end - start, b->direction + start, b->gradient + start);
}

static void set_direction(void *self, int64_t start, int64_t end) {
    const Bound *b = self;
    clear(b->direction + start, end - start);
    add_to_direction(self, start, end);
}

/* Run after run. With the other particles as baseline, a first round finds out what there is to be taken off. */
static double step_by_particle(Bound *b, uint32_t step) {
    double total = 0;
    score_store_clear(&b->store);
    if (b->baseline == BASELINE_LOO && b->scored && b->particles > 1)
        for (int k = 0; k < b->particles; k++) score_store_add(&b->store, run_bound(b, step, (uint32_t)k));
    score_store_set(&b->store, b->baseline);
    for (int k = 0; k < b->particles; k++) {
        const ScoreRun *run = run_bound(b, step, (uint32_t)k);
        if (b->together) return NAN; /* cannot be: it only ever changes to run after run */
        if (b->baseline == BASELINE_AVERAGE) score_store_add(&b->store, run);
        total += b->elbos[0];
        team_run_stretches(b->in->ctx->team, b->size, PIECE, k ? add_to_direction : set_direction, b);
    }
    score_store_average(&b->store);
    for (int64_t i = 0; b->particles > 1 && i < b->size; i++) b->direction[i] /= b->particles;
    return total / b->particles;
}

static double step_together(Bound *b, uint32_t step) {
    score_store_clear(&b->store);
    score_store_set(&b->store, b->baseline);
    const ScoreRun *run = run_bound(b, step, 0);
    if (!b->together) return step_by_particle(b, step);
    score_store_add(&b->store, run);
    score_store_average(&b->store);
    team_run_stretches(b->in->ctx->team, b->size, PIECE, set_direction, b);
    double mean = 0;
    for (int k = 0; k < b->nelbos; k++) mean += b->elbos[k];
    return mean / b->nelbos;
}

double bound_step(Bound *b, uint32_t step) { return b->together ? step_together(b, step) : step_by_particle(b, step); }

void bound_values(Bound *b, const real *values, int64_t size, uint32_t first_step, long n, double *out) {
    ParamStore *p = b->pair->params;
    int64_t have = size;
    const real *at = values;
    b->value.inputs.slots[SLOT_WEIGHT] = &b->weight_now;
    for (long k = 0; k < n; k++) {
        if (p->size > have) {
            real *more = ARENA_ARRAY(b->arena, real, p->size);
            memcpy(more, p->values, sizeof(real) * (size_t)p->size);
            if (size) memcpy(more, values, sizeof(real) * (size_t)size);
            at = more, have = p->size;
        }
        b->value.inputs.slots[SLOT_PARAMS] = p->read = at;
        recorder_run(&b->value, first_step + (uint32_t)k, 0);
        out[k] = b->elbo;
    }
    p->read = NULL;
}

static void note_weighed(const Bound *b, Fit *fit, Span span) {
    if (b->plate)
        fit_note(fit, "%s weighs %d draws for each element of the plate %s", b->objective.name, b->particles,
                 b->plate->name);
    else
        fit_note(fit, "%s weighs %d draws of everything together", b->objective.name, b->particles);
    if (!b->scored) return;
    if (b->baseline != BASELINE_LOO)
        ctx_raise(b->in->ctx, ERROR_PROGRAM, span, "leave it out", "%s has a baseline of its own", b->objective.name);
    if (b->particles < 2)
        ctx_raise(b->in->ctx, ERROR_PROGRAM, span, "IWAE(8)",
                  "a draw of the guide has no gradient: its baseline needs at least 2 draws");
}

static void choose_particles(Bound *b, Fit *fit, Span span) {
    b->particles = b->objective.particles;
    bool chosen = b->particles == 0;
    if (chosen) b->particles = b->pair->guide ? 1 : AUTOMATIC_PARTICLES;
    b->elbos = ARENA_ARRAY(b->arena, real, b->particles + SCORED_PARTICLES + 1);
    b->together = b->particles > 1 || is_weighed(b);
    reserve_direction(b);
    run_bound(b, STEP_CHECK, 0); /* one run tells whether draws must be scored */
    if (is_weighed(b)) {
        guide_sums_refuse(b->pair, b->in, b->objective.name);
        note_weighed(b, fit, span);
        return;
    }
    static const char *const baselines[] = {"leave-one-out", "moving-average", "no"};
    if (!b->scored) return;
    if (b->particles < 2 && b->baseline == BASELINE_LOO) {
        if (!chosen)
            ctx_raise(b->in->ctx, ERROR_PROGRAM, span, "ELBO(particles = 8), or svi(baseline = \"average\")",
                      "a draw of the guide has no gradient: its baseline needs at least 2 particles");
        b->particles = SCORED_PARTICLES;
        b->together = true;
        recorder_forget(&b->run);
    }
    fit_note(fit, "draws of the guide without gradient: score function, %d particle%s, %s baseline", b->particles,
             b->particles == 1 ? "" : "s", baselines[b->baseline]);
}

void bound_schedule(Bound *b, long step) { b->weight_now = (real)schedule_factor(&b->schedule, step); }

void bound_init(Bound *b, Job *job) {
    Arena *arena = job->fit->arena;
    *b = (Bound){.in = job->in,
                 .arena = arena,
                 .fit = job->fit,
                 .pair = job->pair,
                 .objective = job->choice.objective,
                 .schedule = job->choice.objective.kl_weight,
                 .baseline = job->choice.baseline,
                 .store = {.arena = arena}};
    bool constant = b->schedule.kind == SCHEDULE_CONSTANT && b->schedule.warmup == 0;
    b->kl_weight = constant ? b->schedule.first : KL_SCHEDULED;
    b->pair->weighs_kl = true, b->pair->kl_weight = b->kl_weight;
    b->schedule.total = job->steps;
    bound_schedule(b, LONG_MAX);
    recorder_init(&b->run, b->in, arena, job->seed, record_objective, b);
    recorder_init(&b->value, b->in, arena, job->seed, record_value, b);
    b->run.batches = b->value.batches = job->pair->batches;
    choose_particles(b, job->fit, job->span);
}

void bound_forget(Bound *b) {
    recorder_forget(&b->run);
    recorder_forget(&b->value);
}

void bound_end(Bound *b) {
    recorder_end(&b->run);
    recorder_end(&b->value);
}

/* -- The objectives of the language -- */

/* A number, or a schedule: linear(0, 1, 1000). */
static Schedule kl_weight_argument(Interp *in, const Args *a, int k) {
    Value v = a->values[k];
    if (v.kind == VALUE_OBJECT) return *(Schedule *)object_of(in, v, &schedule_type, "linear(0, 1, 1000)", a->spans[k]);
    return schedule_constant(argument_number(in, a, k, 1, 0, 1e6, "the weight of the KL term"));
}

static Value make_elbo(Interp *in, const Args *a) {
    Objective o = {.name = "the ELBO",
                   .order = 1,
                   .particles = (int)argument_count(in, a, 0, 0, 1, "the number of particles"),
                   .kl_weight = kl_weight_argument(in, a, 1),
                   .closed =
                       a->values[2].kind != VALUE_NONE && value_to_bool(in, a->values[2], a->spans[2], "analytic_kl")};
    return object_value(in, &objective_type, &o, sizeof o);
}

static Value make_iwae(Interp *in, const Args *a) {
    Objective o = {.name = "IWAE",
                   .order = 0,
                   .particles = (int)argument_count(in, a, 0, 0, 1, "the number of draws"),
                   .kl_weight = schedule_constant(1)};
    return object_value(in, &objective_type, &o, sizeof o);
}

static Value make_renyi(Interp *in, const Args *a) {
    Objective o = {.name = "Renyi's bound",
                   .order = argument_number(in, a, 0, 0, -1e3, 1e3, "the order"),
                   .particles = (int)argument_count(in, a, 1, WEIGHED_PARTICLES, 1, "the number of draws"),
                   .kl_weight = schedule_constant(1)};
    return object_value(in, &objective_type, &o, sizeof o);
}

const Builtin builtins_objectives[] = {
    {"ELBO", "(particles = , kl_weight = , analytic_kl = )", make_elbo,
     "the evidence lower bound, as objective of svi (Jordan et al. 1999); particles: draws of a step, 1 by default, 8 "
     "of an automatic guide or where a draw has no gradient; kl_weight: of log q - log p of the latents, 1 by default: "
     "a number, or by step linear(0, 1, 1000); analytic_kl = true: divergences of guide from prior in closed form "
     "where there are any",
     0},
    {"IWAE", "(k)", make_iwae,
     "the importance-weighted bound of k draws, tighter than the ELBO, as objective of svi (Burda, Grosse, "
     "Salakhutdinov 2016)",
     0},
    {"Renyi", "(alpha, k = )", make_renyi,
     "Renyi's bound of order alpha: 1 is the ELBO, 0 the importance-weighted bound, as objective of svi "
     "(Li and Turner 2016); k: draws that are weighed against each other, 8 by default",
     0},
    {0},
};
