#include "infer/decode.h"

#include <math.h>
#include <string.h>

#include "infer/builtins.h"

Value fit_site_value(Interp *in, const Fit *f, long draw, const Site *s) {
    const DrawVariable *v = draws_find(&f->draws, s->name);
    if (!v || v->summed || v->shape.rank < s->nindex) return value_none();
    for (int k = 0; k < s->nindex; k++) {
        const Axis *axis = s->index[k].axis;
        int64_t first = axis ? axis->first : s->index[k].at, last = axis ? axis->first + axis->size - 1 : first;
        if (first < 1 || last > v->shape.dim[k]) return value_none();
    }
    Value whole = value_tensor(in, tensor_borrow(in->arena, v->shape, v->values + draw * v->size));
    return address_read(in, whole, s->index, s->nindex, s->span);
}

static bool fit_summed(const Fit *f, const char *name) {
    const DrawVariable *v = draws_find(&f->draws, name);
    return v && v->summed;
}

typedef struct Run {
    const Fit *fit;
    long draw;
    Summing summing;
} Run;

static void latent(Trace *t, Interp *in, Site *s, Entry *e) {
    Run *r = t->self;
    s->value = fit_site_value(in, r->fit, r->draw, s);
    if (s->value.kind != VALUE_NONE)
        e->log_density = dist_logpdf(in, s->dist, s->value, false, s->span);
    else if (!summing_answer(&r->summing, in, s, e, t->n))
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "fit it without `batch`", "the fit has no draws of `%s`",
                  address_text(in, s->name, s->index, s->nindex));
}

static bool partly(Trace *t, Interp *in, Site *s, Entry *e) {
    Run *r = t->self;
    return fit_summed(r->fit, s->name) && summing_answer(&r->summing, in, s, e, t->n);
}

void decode_draw(Interp *in, const Fit *f, long draw, bool best, uint64_t key, Decoded *out, Span at) {
    Run r = {.fit = f, .draw = draw};
    ParamReader reader;
    summing_init(&r.summing, &f->pair->sums, false, FIRST_ENUM_ORDER);
    params_push(&reader, f->params, in);
    reader.frozen = true;
    in->elementwise = f->pair->sums.plates, in->nelementwise = f->pair->sums.nplates;
    trace_init(&out->trace, in, true, latent, &r);
    out->trace.partly = partly;
    trace_push(&out->trace);
    interp_run_call(in, f->pair->model, at);
    trace_pop(&out->trace);
    params_pop(&reader);
    in->nelementwise = 0;
    in->overlay = NULL;
    Value *values = ARENA_ARRAY(in->arena, Value, r.summing.n + 1);
    Terms terms = {0};
    for (int k = 0; k < out->trace.n; k++)
        if (!has_summed_axis(out->trace.entries[k].log_density))
            terms_add(&terms, in, out->trace.entries[k].log_density, NULL);
    Elimination e = summing_decode(&r.summing, in, &out->trace, best, key, values, at);
    for (int k = 0; k < e.nrest; k++) terms_add(&terms, in, e.rest[k], NULL);
    out->log_joint = tape_read(in->tape, terms_total(&terms, in));
    for (int k = 0; k < r.summing.n; k++) out->trace.entries[r.summing.list[k].entry].value = values[k];
}

/* -- decode(fit) --
 * Every draw of the rest has its most probable joint assignment. Of these the one whose elements agree with most others:
 * the joint density of draw and assignment would choose by the draw, another one in every fit. */

enum { MOST_DRAWS = 200 }; /* of the rest */

typedef struct Decode {
    Interp *in;
    const Args *args;
    Fit *fit;
    Arena *work;
    DrawStore candidates; /* a row each */
    Value result;
} Decode;

typedef struct Again {
    Run run;
    const Trace *decoded;
} Again;

static void decoded_latent(Trace *t, Interp *in, Site *s, Entry *e) {
    Again *a = t->self;
    (void)e;
    s->value = fit_site_value(in, a->run.fit, a->run.draw, s);
    if (s->value.kind == VALUE_NONE) s->value = trace_value(a->decoded, s->name, s->index, s->nindex, s->span);
}

static const Entry *find_branch(const Trace *t, const char *name) {
    for (int k = 0; k < t->n; k++)
        if (t->entries[k].branch && t->entries[k].summed && strcmp(t->entries[k].name, name) == 0) return &t->entries[k];
    return NULL;
}

/* Summed out, a variable in a branch has values everywhere. Given the others it is there where its branch is taken: the
 * model runs again with all values given; what does not come up is missing. */
static void take_branches(Decode *d, long draw, const Decoded *decoded, int64_t row) {
    Interp *in = d->in;
    bool any = false;
    for (int k = 0; k < d->candidates.n; k++) {
        DrawVariable *v = &d->candidates.list[k];
        if (!find_branch(&decoded->trace, v->name)) continue;
        any = true;
        for (int64_t i = 0; i < v->size; i++) v->values[row * v->size + i] = NAN;
    }
    if (!any) return;
    Again again = {.run = {.fit = d->fit, .draw = draw}, .decoded = &decoded->trace};
    Trace t;
    ParamReader reader;
    params_push(&reader, d->fit->params, in);
    reader.frozen = true;
    trace_init(&t, in, false, decoded_latent, &again);
    trace_push(&t);
    interp_run_call(in, d->fit->pair->model, d->args->span);
    trace_pop(&t);
    params_pop(&reader);
    in->overlay = NULL;
    for (int k = 0; k < t.n; k++) {
        const Entry *e = t.entries[k].kind == ENTRY_SAMPLE ? find_branch(&decoded->trace, t.entries[k].name) : NULL;
        t.entries[k].summed = e ? e->summed : NULL;
    }
    draws_take(&d->candidates, draws_plan(&d->candidates, &t, TRACE_SUMMED, NULL, d->work), row);
}

/* The assignment at a draw becomes candidate `row`. */
static void decode_at(Decode *d, long draw, int64_t row) {
    Interp *in = d->in;
    Scope saved;
    Decoded decoded;
    arena_reset(d->work);
    scope_enter(in, &saved, d->work, tape_new(in->ctx, d->work, false), in->ctx->seed);
    decode_draw(in, d->fit, draw, true, 0, &decoded, d->args->span);
    draws_take(&d->candidates, draws_plan(&d->candidates, &decoded.trace, TRACE_SUMMED, NULL, d->work), row);
    take_branches(d, draw, &decoded, row);
    scope_leave(in, &saved);
}

static int64_t best_candidate(const DrawStore *d) {
    int64_t best = 0, most = -1;
    for (int64_t row = 0; row < d->ndraws; row++) {
        int64_t votes = 0;
        for (int k = 0; k < d->n; k++) {
            const DrawVariable *v = &d->list[k];
            const real *own = v->values + row * v->size;
            for (int64_t i = 0; i < d->ndraws * v->size; i++) {
                real mine = own[i % v->size];
                votes += v->values[i] == mine || (isnan(v->values[i]) && isnan(mine));
            }
        }
        if (votes > most) best = row, most = votes;
    }
    return best;
}

static void decode_all(void *self) {
    Decode *d = self;
    Interp *in = d->in;
    d->fit = fit_of(in, d->args->values[0], d->args->spans[0]);
    if (!d->fit->pair || d->fit->pair->nsum_notes == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, d->args->spans[0], NULL,
                  "nothing was summed out in this fit: there is nothing to decode");
    long ndraws = (long)d->fit->draws.ndraws, step = (ndraws + MOST_DRAWS - 1) / MOST_DRAWS;
    if (step < 1) step = 1;
    draws_init(&d->candidates, in->ctx, in->arena, (ndraws + step - 1) / step);
    d->candidates.joint = true;
    for (int64_t row = 0; row < d->candidates.ndraws; row++) decode_at(d, row * step, row);
    d->result = draws_record(&d->candidates, in, best_candidate(&d->candidates));
}

static Value call_decode(Interp *in, const Args *a) {
    Decode d = {.in = in, .args = a, .work = ctx_arena(in->ctx), .result = value_nothing()};
    scope_protect(in, decode_all, &d, d.work);
    arena_free(d.work);
    return d.result;
}

const Builtin builtins_decode[] = {
    {"decode", "(fit)", call_decode,
     "the most probable joint values of what was summed out, a record; over draws: of those given each draw, the one that agrees with "
     "most; nan in a branch that is not taken", 0},
    {0},
};
