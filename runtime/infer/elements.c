#include "infer/elements.h"

#include "infer/depends.h"
#include "interp/array.h"

static const double MOST_WORK = 3e8; /* nodes to look at */

typedef struct Splitter {
    const Pass *p;
    Interp *in;
    const Axis *plate;
    Dependence *followed; /* the draws that are on the tape */
    int n;
} Splitter;

static bool is_latent(const Entry *e) { return e->kind == ENTRY_SAMPLE && !e->observed; }
static const Axis *entry_plate(const Entry *e) {
    return e->kind != ENTRY_FACTOR && e->nindex ? e->index[0].axis : NULL;
}

/* The outermost plate of the first latent, or of the first observation. */
static const Axis *first_plate(const Pass *p) {
    const Axis *observed = NULL;
    for (int k = 0; k < p->model.n; k++) {
        const Entry *e = &p->model.entries[k];
        if (is_latent(e)) return entry_plate(e);
        if (e->kind == ENTRY_SAMPLE && !observed) observed = entry_plate(e);
    }
    return observed;
}

static int place_of(const Value v, const Axis *plate) {
    return v.kind == VALUE_ARRAY ? axes_find(v.u.array->naxes, v.u.array->axes, plate) : -1;
}

/* False: a draw stands outside the plate, steers the program, or there is too much to follow. */
static bool follow_draws(Splitter *s, const Trace *t) {
    Tape *tape = s->in->tape;
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        if (!is_latent(e) || e->summed) continue;
        if (entry_plate(e) != s->plate) return false;
        if (e->value.kind != VALUE_ARRAY || !var_is_taped(e->value.u.array->var)) continue;
        Var draw = e->value.u.array->var;
        bool known = false;
        for (int i = 0; i < s->n && !known; i++) known = s->followed[i].draw == draw.node;
        if (known) continue;
        int64_t nodes = tape->nnodes - draw.node;
        int place = place_of(e->value, s->plate);
        if (place < 0 || (double)nodes * (s->n + 1) > MOST_WORK) return false;
        Dependence d = depends_follow(tape, draw, place, s->in->arena);
        if (d.steers) return false;
        s->followed[s->n++] = d;
    }
    return true;
}

typedef enum TermKind { TERM_MIXED, TERM_INSIDE, TERM_OUTSIDE } TermKind;

static TermKind term_kind(const Splitter *s, Value v, bool inside) {
    int place = place_of(v, s->plate);
    for (int k = 0; k < s->n && v.kind == VALUE_ARRAY; k++) {
        int state = depends_state(&s->followed[k], v.u.array->var);
        if (state != DEPENDS_NOT && (state != place || place < 0)) return TERM_MIXED;
    }
    return inside || place >= 0 ? TERM_INSIDE : TERM_OUTSIDE;
}

/* Where a term goes; false: it mixes elements. */
static bool add_term(Splitter *s, Elements *e, Terms *inside, Terms *outside, Value v, bool here) {
    if (v.kind == VALUE_NONE) return true;
    TermKind kind = term_kind(s, v, here);
    const Axis *both[2] = {s->p->particles, s->plate}, **axes = both[0] ? both : both + 1;
    if (kind == TERM_INSIDE)
        terms_add(inside, s->in, array_expand_axes(s->in, v, both[0] ? 2 : 1, axes), s->p->particles);
    else if (kind == TERM_OUTSIDE)
        terms_add(outside, s->in, v, s->p->particles), e->any_rest = true;
    return kind != TERM_MIXED;
}

static bool split(Splitter *s, Elements *e) {
    const Pass *p = s->p;
    Interp *in = s->in;
    if (!s->plate || p->pair->automatic.kind != VALUE_NONE) return false;
    s->followed = ARENA_ARRAY(in->arena, Dependence, p->guide.n + p->model.n + 1);
    if (!follow_draws(s, &p->guide) || !follow_draws(s, &p->model)) return false;
    Terms log_p = {.kept = s->plate}, log_q = {.kept = s->plate}, rest = {0};
    for (int k = 0; k < p->guide.n; k++)
        if (!add_term(s, e, &log_q, &rest, p->guide.entries[k].log_density, true)) return false;
    for (int k = 0; k < p->model.n; k++) {
        const Entry *of = &p->model.entries[k];
        if (has_summed_axis(of->log_density)) continue;
        if (!add_term(s, e, &log_p, &rest, of->log_density, entry_plate(of) == s->plate)) return false;
    }
    for (int k = 0; k < p->summing.elimination.nrest; k++)
        if (!add_term(s, e, &log_p, &rest, p->summing.elimination.rest[k], false)) return false;
    if (log_p.n == 0) return false;
    e->plate = s->plate;
    e->scale = axis_is_subset(s->plate) ? (double)s->plate->population / (double)s->plate->size : 1;
    e->log_p = terms_total(&log_p, in), e->log_q = terms_total(&log_q, in), e->rest = terms_total(&rest, in);
    return true;
}

void elements_split(Elements *e, const Pass *p, Interp *in) {
    Splitter s = {.p = p, .in = in, .plate = first_plate(p)};
    *e = (Elements){0};
    if (split(&s, e)) return;
    *e = (Elements){.scale = 1,
                    .log_p = pass_log_joint(p, in),
                    .log_q = terms_total(&p->logq, in),
                    .rest = var_number(in->tape, 0)};
}

Var elements_elbos(const Elements *e, const Pass *p, Interp *in) {
    int64_t n = e->plate->size;
    Shape shape = p->particles ? shape2(p->particles->size, n) : shape1(n);
    return op_expand(in->tape, op2(in->tape, OP_SUB, e->log_p, e->log_q), shape);
}
