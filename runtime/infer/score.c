#include "infer/score.h"

#include <string.h>

#include "infer/depends.h"
#include "interp/array.h"

static const double MOST_WORK = 3e8, MOST_SUMS = 2e5;
static const double MEMORY = 0.9; /* of the moving average */

/* -- The terms of f -- */

typedef struct CostTerm {
    Value value;
    double weight;
    bool scheduled; /* times the weight of the KL part, which is an input */
    Value whole; /* all plates summed, weighted; VALUE_NONE: not yet */
} CostTerm;

typedef struct Costs {
    const Pass *pass;
    Interp *in;
    double kl_weight;
    CostTerm *terms;
    int n;
    Value all; /* f itself; VALUE_NONE: not yet */
    double work, sums;
} Costs;

static void add_term(Costs *c, Value v, double weight, bool kl) {
    Span at = c->pass->pair->span;
    bool scheduled = kl && c->kl_weight == KL_SCHEDULED;
    if (kl && !scheduled) weight *= c->kl_weight;
    if (v.kind != VALUE_ARRAY || weight == 0) return; /* numbers depend on no draw */
    if (array_rank(v.u.array) > 0) v = array_reduce(c->in, OP_SUM, v, 0, at);
    if (v.kind != VALUE_ARRAY || !var_is_taped(v.u.array->var)) return;
    c->terms[c->n++] = (CostTerm){.value = v, .weight = weight, .scheduled = scheduled};
}

static void collect_terms(Costs *c) {
    const Pass *p = c->pass;
    int room = p->guide.n + p->model.n + p->summing.elimination.nrest + 1;
    c->terms = ARENA_ARRAY(c->in->arena, CostTerm, room);
    for (int k = 0; k < p->guide.n; k++) add_term(c, p->guide.entries[k].log_density, -1, true);
    for (int k = 0; k < p->model.n; k++) {
        const Entry *e = &p->model.entries[k];
        if (has_summed_axis(e->log_density)) continue;
        add_term(c, e->log_density, 1, e->kind == ENTRY_SAMPLE && !e->observed);
    }
    for (int k = 0; k < p->summing.elimination.nrest; k++) add_term(c, p->summing.elimination.rest[k], 1, false);
}

static Value times(Interp *in, Value v, double factor) {
    return factor == 1 ? v : array_binary(in, BINARY_MUL, v, value_number(factor), SPAN_NONE);
}

static double axis_scale(const Axis *a) { return axis_is_subset(a) ? (double)a->population / (double)a->size : 1; }

/* The term without the plates that are not in `kept`, scaled where those run on a subset. */
static Value reduce_term(Interp *in, const CostTerm *t, uint32_t kept) {
    const Array a = *t->value.u.array;
    Value v = t->value;
    double factor = t->weight;
    for (int k = 0; k < a.naxes; k++) {
        if (a.axes[k]->kind == AXIS_PARTICLE || kept >> k & 1) continue;
        v = array_reduce_axis(in, OP_SUM, v, a.axes[k], SPAN_NONE);
        factor *= axis_scale(a.axes[k]);
    }
    if (t->scheduled)
        v = array_binary(in, BINARY_MUL, v, value_var(in, kl_weight_var(in, KL_SCHEDULED), 0, NULL), SPAN_NONE);
    return times(in, v, factor);
}

static Value whole_objective(Costs *c) {
    if (c->all.kind != VALUE_NONE) return c->all;
    const Axis *particles = c->pass->particles;
    Var f = pass_elbo(c->pass, c->in, c->kl_weight);
    if (particles) f = op_expand(c->in->tape, f, shape1(particles->size));
    return c->all = value_var(c->in, f, particles ? 1 : 0, &particles);
}

/* -- What a draw can change -- */

typedef struct Follower {
    Dependence list[MAX_AXES];
    const Axis *axes[MAX_AXES]; /* NULL: followed as a whole */
    int n;
} Follower;

/* False: it steers the program, or following it would take too long. */
static bool follow(Costs *c, const Array *draw, Follower *f) {
    Interp *in = c->in;
    int64_t nodes = in->tape->nnodes - draw->var.node;
    f->n = 0;
    for (int k = 0; k < draw->naxes; k++)
        if (draw->axes[k]->kind == AXIS_PLATE && draw->axes[k]->size > 1) f->axes[f->n++] = draw->axes[k];
    if (f->n == 0) f->axes[f->n++] = NULL;
    c->work += (double)nodes * f->n;
    if (c->work > MOST_WORK) return false;
    for (int k = 0; k < f->n; k++) {
        int dim = f->axes[k] ? axes_find(draw->naxes, draw->axes, f->axes[k]) : DEPENDS_MIXED;
        f->list[k] = depends_follow(in->tape, draw->var, dim, in->arena);
        if (f->list[k].steers) return false;
    }
    return true;
}

/* Does the term depend on the draw, and with which of its own axes element by element? */
static bool term_depends(const Follower *f, const Array *term, uint32_t *kept) {
    *kept = 0;
    if (depends_state(&f->list[0], term->var) == DEPENDS_NOT) return false;
    for (int k = 0; k < f->n; k++) {
        int state = depends_state(&f->list[k], term->var);
        if (f->axes[k] && state >= 0 && state < term->naxes && term->axes[state] == f->axes[k]) *kept |= 1u << state;
    }
    return true;
}

static Value cost_of_draw(Costs *c, const Array *draw) {
    Interp *in = c->in;
    Follower f;
    if (!follow(c, draw, &f)) return whole_objective(c);
    Value cost = value_number(0);
    for (int k = 0; k < c->n; k++) {
        CostTerm *t = &c->terms[k];
        uint32_t kept;
        if (!term_depends(&f, t->value.u.array, &kept)) continue;
        if (++c->sums > MOST_SUMS) return whole_objective(c);
        if (kept == 0 && t->whole.kind == VALUE_NONE) t->whole = reduce_term(in, t, 0);
        Value part = kept ? reduce_term(in, t, kept) : t->whole;
        cost = array_binary(in, BINARY_ADD, cost, part, SPAN_NONE);
    }
    return cost;
}

/* -- The sites -- */

static uint64_t address_key(const Entry *e) {
    uint64_t key = hash_string(e->name);
    for (int k = 0; k < e->nindex; k++)
        key = key_fold(key, e->index[k].axis ? hash_string(e->index[k].axis->name) : (uint64_t)e->index[k].at + 1);
    return key;
}

static Value detached(Interp *in, Value v) {
    if (v.kind != VALUE_ARRAY) return v;
    return value_var(in, op_stop_gradient(in->tape, v.u.array->var), v.u.array->naxes, v.u.array->axes);
}

static void add_site(Costs *c, const Entry *e, ScoreSite *site) {
    Interp *in = c->in;
    const Array *draw = e->value.u.array;
    double scale = 1;
    for (int k = 0; k < draw->naxes; k++) scale *= axis_scale(draw->axes[k]);
    Value log_q = e->log_score.kind == VALUE_ARRAY && array_rank(e->log_score.u.array) > 0
                      ? array_reduce(in, OP_SUM, e->log_score, 0, e->span)
                      : e->log_score;
    *site = (ScoreSite){.key = address_key(e),
                        .log_q = times(in, array_expand_axes(in, log_q, draw->naxes, draw->axes), scale),
                        .cost = array_expand_axes(in, detached(in, cost_of_draw(c, draw)), draw->naxes, draw->axes)};
}

static bool is_scored(const Entry *e) {
    return e->log_score.kind != VALUE_NONE && e->value.kind == VALUE_ARRAY && var_is_taped(e->value.u.array->var);
}

int score_sites(const Pass *p, Interp *in, double kl_weight, ScoreSite **sites) {
    const Trace *traces[2] = {&p->guide, &p->model};
    Costs c = {.pass = p, .in = in, .kl_weight = kl_weight};
    int n = 0;
    *sites = ARENA_ARRAY(in->arena, ScoreSite, p->guide.n + p->model.n + 2);
    for (int t = 0; t < 2; t++)
        for (int k = 0; k < traces[t]->n; k++) {
            if (!is_scored(&traces[t]->entries[k])) continue;
            if (!c.terms) collect_terms(&c);
            add_site(&c, &traces[t]->entries[k], &(*sites)[n++]);
        }
    if (p->score.n > 0) { /* an automatic guide that draws without gradients */
        Var log_q = terms_total(&p->score, in);
        if (p->particles) log_q = op_expand(in->tape, log_q, shape1(p->particles->size));
        (*sites)[n++] = (ScoreSite){.key = hash_string("automatic@"),
                                    .log_q = value_var(in, log_q, p->particles ? 1 : 0, &p->particles),
                                    .cost = detached(in, whole_objective(&c))};
    }
    return n;
}

/* -- Surrogates -- */

static Value particle_mean(Interp *in, Value v, const Axis *particles) {
    if (!particles) return v;
    v = array_reduce_axis(in, OP_SUM, array_expand_axes(in, v, 1, &particles), particles, SPAN_NONE);
    return times(in, v, 1 / (double)particles->size);
}

static Var weighted_sum(Interp *in, Var total, Value weight, Value log_q) {
    Array a = value_array(in, array_binary(in, BINARY_MUL, weight, log_q, SPAN_NONE), SPAN_NONE, "a score");
    return op2(in->tape, OP_ADD, total, op_sum_all(in->tape, a.var));
}

Var score_leave_one_out(Interp *in, int n, const ScoreSite *sites, const Axis *particles) {
    Var total = var_number(in->tape, 0);
    for (int k = 0; k < n; k++) {
        /* cost - mean of the others = K / (K - 1) * (cost - mean); the estimate is the mean over K particles */
        Value mean = particle_mean(in, sites[k].cost, particles);
        Value weight = array_binary(in, BINARY_SUB, sites[k].cost, mean, SPAN_NONE);
        total = weighted_sum(in, total, times(in, weight, 1 / (double)(particles->size - 1)), sites[k].log_q);
    }
    return total;
}

/* -- The store -- */

static int64_t element_count(Interp *in, const ScoreSite *site, const Axis *particles) {
    Array a = value_array(in, site->cost, SPAN_NONE, "a cost");
    int64_t n = shape_size(a.var.value->shape);
    return particles && axes_find(a.naxes, a.axes, particles) >= 0 ? n / particles->size : n;
}

/* Sites mostly come in the order of the run before. */
static int find_block(ScoreStore *s, uint64_t key, int64_t size) {
    for (int k = 0; k < s->n; k++) {
        int at = (s->cursor + k) % s->n;
        if (s->blocks[at].key != key || s->blocks[at].size != size) continue;
        s->cursor = at + 1;
        return at;
    }
    return -1;
}

static real *moved(ScoreStore *s, const real *old) {
    real *more = ARENA_ARRAY(s->arena, real, s->room);
    if (s->used) memcpy(more, old, sizeof *more * (size_t)s->used);
    return more;
}

static bool reserve(ScoreStore *s, int64_t wanted) {
    if (s->used + wanted <= s->room) return false;
    s->room = 2 * (s->used + wanted);
    s->input = moved(s, s->input), s->cost = moved(s, s->cost);
    s->sum = moved(s, s->sum), s->average = moved(s, s->average);
    return true;
}

static int new_block(ScoreStore *s, uint64_t key, int64_t size) {
    ARENA_GROW(s->arena, s->blocks, s->n, s->capacity, 8);
    s->blocks[s->n] = (ScoreBlock){.key = key, .offset = s->used, .size = size};
    s->input[s->used] = 1;
    s->used += 1 + size;
    return s->n++;
}

bool score_store_find(ScoreStore *s, Interp *in, int n, const ScoreSite *sites, const Axis *particles, ScoreRun *run) {
    int *blocks = ARENA_ARRAY(s->arena, int, n + 1);
    bool grown = false;
    for (int k = 0; k < n; k++) {
        int64_t size = element_count(in, &sites[k], particles);
        blocks[k] = find_block(s, sites[k].key, size);
        if (blocks[k] >= 0) continue;
        grown |= reserve(s, 1 + size);
        blocks[k] = new_block(s, sites[k].key, size);
    }
    in->tape->inputs[SLOT_BASELINE] = s->input;
    *run = (ScoreRun){n, blocks};
    return grown;
}

Var score_store_surrogate(ScoreStore *s, Recorder *r, const ScoreSite *sites, const Axis *particles,
                          const ScoreRun *run) {
    Interp *in = r->in;
    Tape *t = in->tape;
    Var total = var_number(t, 0);
    for (int k = 0; k < run->n; k++) {
        const ScoreBlock *b = &s->blocks[run->blocks[k]];
        Array mean = value_array(in, particle_mean(in, sites[k].cost, particles), SPAN_NONE, "a cost");
        recorder_output(r, mean.var, s->cost + b->offset + 1);
        Value factor = value_var(in, tape_input(t, SLOT_BASELINE, b->offset, SHAPE_SCALAR), 0, NULL);
        Var taken = tape_input(t, SLOT_BASELINE, b->offset + 1, mean.var.value->shape);
        Value weight = array_binary(in, BINARY_MUL, sites[k].cost, factor, SPAN_NONE);
        weight = array_binary(in, BINARY_SUB, weight, value_var(in, taken, mean.naxes, mean.axes), SPAN_NONE);
        total = weighted_sum(in, total, times(in, weight, particles ? 1 / (double)particles->size : 1), sites[k].log_q);
    }
    return total;
}

void score_store_clear(ScoreStore *s) {
    for (int k = 0; k < s->n; k++) s->blocks[k].count = 0;
    if (s->used) memset(s->sum, 0, sizeof *s->sum * (size_t)s->used);
}

void score_store_add(ScoreStore *s, const ScoreRun *run) {
    for (int k = 0; k < run->n; k++) {
        ScoreBlock *b = &s->blocks[run->blocks[k]];
        b->count++;
        for (int64_t i = b->offset + 1; i <= b->offset + b->size; i++) s->sum[i] += s->cost[i];
    }
}

void score_store_set(ScoreStore *s, Baseline baseline) {
    for (int k = 0; k < s->n; k++) {
        const ScoreBlock *b = &s->blocks[k];
        bool others = baseline == BASELINE_LOO && b->count > 1;
        /* cost - (sum - cost) / (n - 1) */
        double left = others ? 1 / (double)(b->count - 1) : 0;
        s->input[b->offset] = 1 + left;
        for (int64_t i = b->offset + 1; i <= b->offset + b->size; i++)
            s->input[i] = others ? s->sum[i] * left : baseline == BASELINE_AVERAGE ? s->average[i] : 0;
    }
}

void score_store_average(ScoreStore *s) {
    for (int k = 0; k < s->n; k++) {
        ScoreBlock *b = &s->blocks[k];
        if (b->count == 0) continue;
        double weight = b->seen ? 1 - MEMORY : 1;
        for (int64_t i = b->offset + 1; i <= b->offset + b->size; i++)
            s->average[i] += weight * (s->sum[i] / (double)b->count - s->average[i]);
        b->seen = true;
    }
}

/* -- In checkpoints -- */

/* Keys of 64 bits as two numbers. */
void score_store_save(const ScoreStore *s, Checkpoint *c) {
    checkpoint_put_number(c, "baselines", s->n);
    for (int k = 0; k < s->n; k++) {
        const ScoreBlock *b = &s->blocks[k];
        const double key[4] = {(double)(b->key >> 32), (double)(b->key & 0xFFFFFFFFu), (double)b->size, b->seen};
        checkpoint_put(c, checkpoint_name(c, "baseline %d", k), key, 4);
    }
    checkpoint_put_reals(c, "baseline averages", s->average, s->used);
}

/* The first run has met some of the blocks; others come later. */
void score_store_load(ScoreStore *s, Checkpoint *c) {
    int64_t used = -1, at = 0, four = 4;
    const double *average = checkpoint_numbers(c, "baseline averages", &used);
    int n = (int)checkpoint_number(c, "baselines");
    for (int k = 0; k < n; k++) {
        const double *b = checkpoint_numbers(c, checkpoint_name(c, "baseline %d", k), &four);
        uint64_t key = (uint64_t)b[0] << 32 | (uint64_t)b[1];
        int64_t size = (int64_t)b[2];
        if (size < 0 || at + 1 + size > used) checkpoint_refuse(c, "its baselines do not fit the run");
        int place = s->n ? find_block(s, key, size) : -1;
        if (place < 0) {
            reserve(s, 1 + size);
            place = new_block(s, key, size);
        }
        s->blocks[place].seen = b[3] != 0;
        reals_from_doubles(s->average + s->blocks[place].offset, average + at, 1 + size);
        at += 1 + size;
    }
}
