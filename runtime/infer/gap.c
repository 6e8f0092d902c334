/* gap(fit, m, q): how far the ELBO of a guide that refines is from the evidence, and why.
 *
 *     log p(x) - ELBO(amortised) = (log p(x) - ELBO(best)) + (ELBO(best) - ELBO(amortised))
 *                                   approximation gap         amortisation gap        (Cremer, Li, Duvenaud 2018)
 *
 * where the best of the family is found for each element by itself: Adam on the refined values, with fresh noise, in
 * rounds whose second halves are averaged, until a round gains nothing. All ELBOs are compared on the same draws.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "infer/batch.h"
#include "infer/builtins.h"
#include "infer/diagnostics.h"
#include "infer/elements.h"
#include "infer/queries.h"
#include "interp/array.h"

enum { ROUND = 100, MAX_ROUNDS = 10, WORST = 10, MAX_STEPS = 256 };

/* Kinds of noise of nested passes. */
enum { NOISE_ELBO = 1 << 20, NOISE_OPTIMISE = 1 << 21, NOISE_EVIDENCE = 1 << 22 };

/* ELBOs of the elements at some values: [elements, samples], draw by draw the same everywhere. */
typedef struct Estimates {
    double *at;
} Estimates;

typedef struct Gap {
    RefineWatch watch;
    Query query;
    Pair *pair;
    long samples, evidence_samples;
    double rate;
    int64_t elements; /* of all chunks; 1: the whole is one */
    int64_t first, n; /* of the chunk at work */
    bool in_plate;    /* they are a plate's elements */
    int nsteps;       /* before and after steps: K + 1 */
    Estimates step[MAX_STEPS + 1], best;
    double *evidence, *evidence_error;
    double *scratch; /* of one pass: [n] */
    int rounds;      /* most of any chunk */
    bool converged;
} Gap;

/* -- Passes at given values -- */

typedef struct At {
    Gap *g;
    Pass *p;
    Interp *in;
    const Refined *now;
    uint64_t number;
} At;

static void pass_at(void *self) {
    At *a = self;
    Gap *g = a->g;
    Pass nested;
    refine_pass(&nested, a->p, a->in, a->now, a->number, false);
    Elements e;
    elements_split(&e, &nested, a->in);
    const Axis *plate = elements_only(&e);
    Var elbo = plate ? elements_elbos(&e, &nested, a->in) : pass_elbo(&nested, a->in, 1);
    g->in_plate = plate != NULL;
    g->n = plate ? plate->size : 1;
    if (!g->scratch || g->n > g->elements) {
        g->elements = plate ? plate->population : 1;
        g->scratch = ARENA_ARRAY(g->query.arena, double, g->elements);
    }
    for (int64_t i = 0; i < g->n; i++) g->scratch[i] = tensor_item(elbo.value, i);
}

/* The elements' log p - log q with this noise, in g->scratch. */
static void run_at(Gap *g, Pass *p, Interp *in, const Refined *now, uint64_t number) {
    if (in->ctx->interrupted && *in->ctx->interrupted)
        ctx_raise(in->ctx, ERROR_INTERRUPT, g->query.args->span, NULL, "interrupted");
    Scope saved;
    scope_save(in, &saved);
    Arena *arena = in->arena, *work = ctx_arena(in->ctx);
    Tape *outer = in->tape;
    At a = {g, p, in, now, number};
    in->arena = work;
    in->tape = tape_new(in->ctx, work, false);
    memcpy(in->tape->inputs, outer->inputs, sizeof outer->inputs);
    in->tape->step = outer->step;
    scope_protect(in, pass_at, &a, work);
    in->arena = arena, in->tape = outer;
    scope_leave(in, &saved);
    arena_free(work);
}

static void estimate(Gap *g, Pass *p, Interp *in, const Refined *now, Estimates *to) {
    for (long k = 0; k < g->samples; k++) {
        run_at(g, p, in, now, NOISE_ELBO + (uint64_t)k);
        if (!to->at) to->at = ARENA_ARRAY(g->query.arena, double, g->elements * g->samples);
        for (int64_t i = 0; i < g->n; i++) to->at[(g->first + i) * g->samples + k] = g->scratch[i];
    }
}

/* log of the mean weight; its error by the delta method. */
static void estimate_evidence(Gap *g, Pass *p, Interp *in, const Refined *now) {
    long n = g->evidence_samples;
    double *w = ARENA_ARRAY(g->query.arena, double, g->n *n);
    for (long k = 0; k < n; k++) {
        run_at(g, p, in, now, NOISE_EVIDENCE + (uint64_t)k);
        for (int64_t i = 0; i < g->n; i++) w[i * n + k] = g->scratch[i];
    }
    if (!g->evidence) {
        g->evidence = ARENA_ARRAY(g->query.arena, double, g->elements);
        g->evidence_error = ARENA_ARRAY(g->query.arena, double, g->elements);
    }
    for (int64_t i = 0; i < g->n; i++) {
        double largest = -INFINITY;
        for (long k = 0; k < n; k++) largest = fmax(largest, w[i * n + k]);
        OnlineMoments m = {0};
        for (long k = 0; k < n; k++) moments_add(&m, exp(w[i * n + k] - largest));
        g->evidence[g->first + i] = largest + log(m.mean);
        g->evidence_error[g->first + i] = n > 1 ? sqrt(moments_var(&m) / (double)n) / m.mean : 0;
    }
}

/* -- The best values of each element -- */

typedef struct Adam {
    Leaves leaves;
    double **m, **v, **mean; /* by leaf */
    long updates, averaged;
} Adam;

static void adam_init(Adam *a, Gap *g, Interp *in, const Refined *now) {
    *a = (Adam){0};
    int n = now->stmt->u.refine.ntargets;
    for (int k = 0; k < n; k++) leaves_of(in, now->values[k], &a->leaves, now->stmt->span);
    Arena *to = g->query.arena;
    a->m = ARENA_ARRAY(to, double *, a->leaves.n + 1);
    a->v = ARENA_ARRAY(to, double *, a->leaves.n + 1);
    a->mean = ARENA_ARRAY(to, double *, a->leaves.n + 1);
    for (int k = 0; k < a->leaves.n; k++) {
        int64_t size = shape_size(a->leaves.list[k].var.value->shape);
        a->m[k] = ARENA_ARRAY(to, double, size + 1);
        a->v[k] = ARENA_ARRAY(to, double, size + 1);
        a->mean[k] = ARENA_ARRAY(to, double, size + 1);
    }
}

/* New values of the leaves, as numbers. */
static void set_leaves(Adam *a, Interp *in, Refined *now, double *const *numbers) {
    for (int k = 0; k < a->leaves.n; k++) {
        Tensor *t = tensor_new(in->ctx, in->arena, a->leaves.list[k].var.value->shape);
        for (int64_t i = 0; i < shape_size(t->shape); i++) t->data[i] = (real)numbers[k][i];
        a->leaves.list[k].var = var_constant(t);
    }
    const Array *next = a->leaves.list;
    for (int k = 0; k < now->stmt->u.refine.ntargets; k++)
        now->values[k] = leaves_replace(in, now->values[k], &next, now->stmt->span);
}

static void adam_step(Adam *a, Interp *in, Refined *now, const Leaves *gradient, double rate) {
    const double b1 = 0.9, b2 = 0.999;
    double c1 = 1 - pow(b1, (double)++a->updates), c2 = 1 - pow(b2, (double)a->updates);
    double **x = ARENA_ARRAY(in->arena, double *, a->leaves.n + 1);
    for (int k = 0; k < a->leaves.n; k++) {
        const Tensor *value = a->leaves.list[k].var.value, *g = gradient->list[k].var.value;
        int64_t size = shape_size(value->shape);
        x[k] = ARENA_ARRAY(in->arena, double, size + 1);
        for (int64_t i = 0; i < size; i++) {
            double d = tensor_item(g, i);
            if (!isfinite(d)) d = 0; /* a draw from the tails: the element waits for another one */
            a->m[k][i] = b1 * a->m[k][i] + (1 - b1) * d;
            a->v[k][i] = b2 * a->v[k][i] + (1 - b2) * d * d;
            x[k][i] = tensor_item(value, i) + rate * (a->m[k][i] / c1) / (sqrt(a->v[k][i] / c2) + 1e-8);
        }
    }
    set_leaves(a, in, now, x);
}

static void add_to_mean(Adam *a) {
    a->averaged++;
    for (int k = 0; k < a->leaves.n; k++) {
        const Tensor *value = a->leaves.list[k].var.value;
        for (int64_t i = 0; i < shape_size(value->shape); i++)
            a->mean[k][i] += (tensor_item(value, i) - a->mean[k][i]) / (double)a->averaged;
    }
}

static void optimise_round(Gap *g, Pass *p, Interp *in, Adam *a, Refined *now, int round) {
    RefineStep step = {.stmt = now->stmt, .n = now->stmt->u.refine.ntargets};
    step.gradients = ARENA_ARRAY(in->arena, Value, step.n + 1);
    a->averaged = 0;
    for (int k = 0; k < ROUND; k++) {
        Look l = {
            .p = p, .in = in, .step = &step, .now = now, .number = NOISE_OPTIMISE + (uint64_t)(round * ROUND + k)};
        refine_look(&l);
        Leaves gradient = {0};
        for (int i = 0; i < step.n; i++) leaves_of(in, step.gradients[i], &gradient, now->stmt->span);
        adam_step(a, in, now, &gradient, g->rate * pow(0.7, round));
        if (2 * k >= ROUND) add_to_mean(a);
    }
    set_leaves(a, in, now, a->mean);
}

/* Mean over elements and draws of a difference of estimates (b NULL: of a), over this stretch, and its Monte Carlo
 * error. */
static double mean_over(const Gap *g, const Estimates *a, const Estimates *b, int64_t first, int64_t n, double *mcse) {
    double sum = 0, variance = 0;
    for (int64_t i = first; i < first + n; i++) {
        OnlineMoments m = {0};
        for (long k = 0; k < g->samples; k++) {
            int64_t at = i * g->samples + k;
            moments_add(&m, a->at[at] - (b ? b->at[at] : 0));
        }
        sum += m.mean;
        if (g->samples > 1) variance += moments_var(&m) / (double)g->samples;
    }
    if (mcse) *mcse = sqrt(variance) / (double)n;
    return sum / (double)n;
}

static void optimise(Gap *g, Pass *p, Interp *in, const Refined *start) {
    Refined now = *start;
    now.values = arena_copy(in->arena, start->values, sizeof(Value) * (size_t)(start->stmt->u.refine.ntargets + 1));
    Adam a;
    adam_init(&a, g, in, &now);
    estimate(g, p, in, &now, &g->best);
    Estimates last = {ARENA_ARRAY(g->query.arena, double, g->elements * g->samples)};
    p->sticking = true; /* its noise vanishes where the family has the posterior */
    bool done = false;
    int round = 0;
    for (; round < MAX_ROUNDS && !done; round++) {
        memcpy(last.at, g->best.at, sizeof(double) * (size_t)(g->elements * g->samples));
        optimise_round(g, p, in, &a, &now, round);
        estimate(g, p, in, &now, &g->best);
        double error, gain = mean_over(g, &g->best, &last, g->first, g->n, &error);
        done = round > 0 && gain < fmax(2 * error, 1e-4);
    }
    g->converged &= done;
    if (round > g->rounds) g->rounds = round;
    estimate_evidence(g, p, in, &now);
}

static void see(RefineWatch *w, Pass *p, Interp *in, const Refined *now, int64_t t, bool last) {
    Gap *g = (Gap *)w;
    if (p->refinement.n > 0 || t > MAX_STEPS)
        ctx_raise(in->ctx, ERROR_PROGRAM, now->stmt->span,
                  t > MAX_STEPS ? "refinement(fit, m, q) follows any number" : NULL,
                  t > MAX_STEPS ? "gap(fit, m, q) follows at most %d steps"
                                : "gap(fit, m, q) wants one `refine` in the guide",
                  MAX_STEPS);
    estimate(g, p, in, now, &g->step[t]);
    if (!last) return;
    g->nsteps = (int)t + 1;
    optimise(g, p, in, now);
}

/* -- The report -- */

typedef struct Worst {
    double gap;
    int64_t element;
} Worst;

static int by_gap(const void *x, const void *y) {
    const Worst *a = x, *b = y;
    return a->gap > b->gap ? -1 : a->gap < b->gap ? 1 : a->element < b->element ? -1 : a->element > b->element;
}

static Value numbers(Interp *in, int64_t n, const double *x) {
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(n));
    for (int64_t i = 0; i < n; i++) t->data[i] = (real)x[i];
    return value_tensor(in, t);
}

typedef struct Fields {
    const char *names[16];
    Value values[16];
    int n;
} Fields;

static void add_field(Fields *f, const char *name, Value v) {
    f->names[f->n] = name;
    f->values[f->n++] = v;
}

static Value element_means(const Gap *g, Interp *in, const Estimates *e) {
    double *x = ARENA_ARRAY(in->arena, double, g->elements);
    for (int64_t i = 0; i < g->elements; i++) x[i] = mean_over(g, e, NULL, i, 1, NULL);
    return numbers(in, g->elements, x);
}

static void report_elements(const Gap *g, Interp *in, Fields *out) {
    int64_t n = g->elements, most = n < WORST ? n : WORST;
    const Estimates *last = &g->step[g->nsteps - 1];
    Worst *worst = ARENA_ARRAY(in->arena, Worst, n);
    for (int64_t i = 0; i < n; i++) worst[i] = (Worst){mean_over(g, &g->best, last, i, 1, NULL), i + 1};
    qsort(worst, (size_t)n, sizeof *worst, by_gap);
    double *indices = ARENA_ARRAY(in->arena, double, most);
    for (int64_t k = 0; k < most; k++) indices[k] = (double)worst[k].element;
    add_field(out, "worst", numbers(in, most, indices));
    Fields f = {0};
    add_field(&f, "start", element_means(g, in, &g->step[0]));
    add_field(&f, "amortised", element_means(g, in, last));
    add_field(&f, "optimised", element_means(g, in, &g->best));
    add_field(&f, "log_evidence", numbers(in, n, g->evidence));
    add_field(out, "elements", value_record(in, f.n, f.names, f.values));
}

static Value report(const Gap *g, Interp *in) {
    double *elbo = ARENA_ARRAY(in->arena, double, g->nsteps), *elbo_error = ARENA_ARRAY(in->arena, double, g->nsteps);
    for (int k = 0; k < g->nsteps; k++) elbo[k] = mean_over(g, &g->step[k], NULL, 0, g->elements, &elbo_error[k]);
    double best_error, gap_error, evidence = 0, variance = 0, n = (double)g->elements;
    double best = mean_over(g, &g->best, NULL, 0, g->elements, &best_error);
    mean_over(g, &g->best, &g->step[g->nsteps - 1], 0, g->elements, &gap_error);
    for (int64_t i = 0; i < g->elements; i++) {
        evidence += g->evidence[i] / n;
        variance += g->evidence_error[i] * g->evidence_error[i] / (n * n);
    }
    Fields f = {0};
    add_field(&f, "elbo", numbers(in, g->nsteps, elbo));
    add_field(&f, "elbo_mcse", numbers(in, g->nsteps, elbo_error));
    add_field(&f, "optimised", value_number(best));
    add_field(&f, "optimised_mcse", value_number(best_error));
    add_field(&f, "log_evidence", value_number(evidence));
    add_field(&f, "log_evidence_mcse", value_number(sqrt(variance)));
    add_field(&f, "amortization_gap", value_number(best - elbo[g->nsteps - 1]));
    add_field(&f, "amortization_gap_mcse", value_number(gap_error));
    add_field(&f, "approximation_gap", value_number(evidence - best));
    add_field(&f, "approximation_gap_mcse", value_number(sqrt(variance + best_error * best_error)));
    add_field(&f, "steps", value_number(g->rounds * ROUND));
    add_field(&f, "converged", value_bool(g->converged));
    report_elements(g, in, &f);
    return value_record(in, f.n, f.names, f.values);
}

/* -- The function -- */

/* One run of the guide on the chunk at work; what it refines is seen. */
static void run_chunk(Gap *g, uint64_t seed) {
    Interp *in = g->query.in;
    Arena *work = ctx_arena(in->ctx);
    arena_defer(g->query.arena, (void (*)(void *))arena_free, work);
    Scope saved;
    scope_enter(in, &saved, work, tape_new(in->ctx, work, false), seed);
    in->tape->step = STEP_FRESH;
    in->tape->inputs[SLOT_PARAMS] = g->pair->params->values;
    if (g->pair->batches) {
        batch_prepare(g->pair->batches, STEP_FRESH);
        in->batches = &g->pair->batches->plates;
        in->tape->inputs[SLOT_BATCH] = g->pair->batches->elements;
    }
    Pass p;
    pass_run(&p, g->pair, in, NULL, PASS_TERMS);
    scope_leave(in, &saved);
    if (p.refinement.n == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, g->query.args->spans[2],
                  "refine lam for t in 1..0 { } says what is to be optimised where nothing is refined",
                  "the guide `%s` has no `refine`", g->pair->guide_name);
}

static void gap_body(void *self) {
    Gap *g = self;
    Interp *in = g->query.in;
    const Args *a = g->query.args;
    uint64_t seed = key_fold(in->ctx->seed, hash_string("gap"));
    g->pair = query_pair(&g->query, fit_of(in, a->values[0], a->spans[0]), 6, seed);
    g->samples = argument_count(in, a, 3, 20, 2, "the number of samples");
    g->evidence_samples = argument_count(in, a, 4, 1000, 2, "the number of samples of the evidence");
    g->rate = argument_number(in, a, 5, 0.05, 1e-6, 10, "the step size");
    g->pair->watch = &g->watch;
    g->watch.see = see;
    g->converged = true;
    for (int64_t c = 0; c < query_chunks(g->pair); c++, g->first += g->n) {
        query_chunk(g->pair, c);
        run_chunk(g, seed);
        if (g->pair->batches && !g->in_plate)
            ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "fit it without `batch`",
                      "not all latent variables belong to elements of the plate that runs in batches");
    }
    g->query.result = report(g, in);
}

static Value call_gap(Interp *in, const Args *a) {
    Gap g = {.query = {.in = in, .args = a, .arena = ctx_arena(in->ctx)}};
    scope_protect(in, gap_body, &g, g.query.arena);
    arena_free(g.query.arena);
    return g.query.result;
}

const Builtin builtins_gap[] = {
    {"gap", "(fit, m, q, samples = , evidence = , rate = , refine = )", call_gap,
     "a record: ELBOs after the steps of `refine` and at each element's best values, evidence, and the gaps between (Cremer, "
     "Li, Duvenaud 2018); samples: of an ELBO, 20; evidence: samples of it, 1000; rate: of the search for the best, 0.05",
     0},
    {0},
};
