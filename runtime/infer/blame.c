#include "infer/blame.h"

#include <math.h>
#include <string.h>

#include "infer/batch.h"
#include "interp/array.h"

enum { DRAWN_SHOWN = 4, VALUE_WIDTH = 40 };

typedef struct Blame {
    const char *text; /* NULL: nothing was found */
    Span span;
    const char *remedy; /* a constraint was broken; NULL: a number came out of the program that is none */
    const char *notes;  /* where that was: Error.notes */
    const char *drawn;  /* "mu = 1, s = -2"; "": nothing */
} Blame;

/* -- What a run says -- */

/* The first element that is not a number (or infinite); -1: all are. */
static int64_t find_element(Value v, bool infinite) {
    if (v.kind == VALUE_NUMBER) return isnan(v.u.number) || (infinite && isinf(v.u.number)) ? 0 : -1;
    if (v.kind != VALUE_ARRAY) return -1;
    const Tensor *t = v.u.array->var.value;
    for (int64_t k = 0, n = shape_size(t->shape); k < n; k++) {
        double x = tensor_item(t, k);
        if (isnan(x) || (infinite && isinf(x))) return k;
    }
    return -1;
}

static double element(Value v, int64_t at) {
    return v.kind == VALUE_NUMBER ? v.u.number : tensor_item(v.u.array->var.value, at);
}

static const char *number_text(Interp *in, Value v, int64_t at) {
    double x = element(v, at);
    return isnan(x) ? "nan" : arena_printf(in->arena, "%g", x); /* whatever its sign */
}

static const char *place_text(Interp *in, Value v, int64_t at) {
    return v.kind == VALUE_ARRAY ? array_place_text(in, v.u.array, at) : "";
}

static const char *entry_name(Interp *in, const Entry *e) {
    if (!e->name || strncmp(e->name, "observe@", 8) == 0) return "what is observed";
    return arena_printf(in->arena, "`%s`", address_text(in, e->name, e->index, e->nindex));
}

static bool blame_param(Interp *in, const Entry *e, Blame *b) {
    const DistDecl *decl = e->dist->family->decl;
    for (int k = 0; k < decl->nparams; k++) {
        Value v = e->dist->params[k];
        int64_t at = find_element(v, true);
        if (at < 0) continue;
        b->text = arena_printf(in->arena, "`%s` of %s is %s%s at %s", decl->params[k].name, decl->name,
                               number_text(in, v, at), place_text(in, v, at), entry_name(in, e));
        return true;
    }
    return false;
}

static bool blame_value(Interp *in, const Entry *e, Blame *b) {
    int64_t at = find_element(e->value, false);
    const char *name = entry_name(in, e);
    if (at >= 0 && !(e->value.kind == VALUE_ARRAY && e->value.u.array->missing)) {
        b->text = arena_printf(in->arena, "%s is nan%s", name, place_text(in, e->value, at));
        if (e->observed) b->remedy = "what is not known is written `missing` (null or NA in a file)";
        return true;
    }
    Support s = dist_support(in, e->dist, e->span);
    int64_t place = dist_outside(in, e->dist, &s, e->value, e->span);
    if (place < 0) return false;
    b->remedy = e->observed ? "let the prior leave the data possible; importance(n) gives such draws the weight 0"
                            : "let it draw nothing that the model cannot";
    b->text = arena_printf(in->arena, "%s is %s%s, but %s draws %s", name, number_text(in, e->value, place),
                           place_text(in, e->value, place), e->dist->family->decl->name, support_text(in, &s));
    return true;
}

static bool blame_entry(Interp *in, const Entry *e, Blame *b) {
    if (e->kind == ENTRY_RECORD || e->summed || has_summed_axis(e->log_density)) return false;
    int64_t at = find_element(e->log_density, true);
    if (at < 0) return false;
    b->span = e->span;
    if (e->kind == ENTRY_FACTOR) {
        if (isinf(element(e->log_density, at)))
            b->remedy = "a factor is finite wherever the prior draws; importance(n) gives draws with -inf the weight 0";
        b->text = arena_printf(in->arena, "this factor is %s%s", number_text(in, e->log_density, at),
                               place_text(in, e->log_density, at));
    } else if (!blame_param(in, e, b) && !blame_value(in, e, b)) {
        b->text = arena_printf(in->arena, "the log density of %s is %s%s", entry_name(in, e),
                               number_text(in, e->log_density, at), place_text(in, e->log_density, at));
    }
    return true;
}

/* The last latents that were drawn: what led there. */
static const char *drawn_text(Interp *in, const Trace *t) {
    const char *list = "";
    for (int k = t->n - 1, n = 0; k >= 0 && n < DRAWN_SHOWN; k--) {
        const Entry *e = &t->entries[k];
        if (e->kind != ENTRY_SAMPLE || e->observed || e->summed || !e->name || e->value.kind == VALUE_NONE) continue;
        Buf text = {0};
        value_show(in, e->value, &text, true);
        const char *more = text.length > VALUE_WIDTH ? "..." : "";
        if (*more) text.text[text.length = VALUE_WIDTH] = 0;
        list = arena_printf(in->arena, "%s = %s%s%s%s", address_text(in, e->name, e->index, e->nindex), text.text, more,
                            *list ? ", " : "", list);
        buf_free(&text);
        n++;
    }
    return list;
}

static void look_at_pass(Interp *in, const Pass *p, Blame *b) {
    const Trace *traces[2] = {&p->guide, &p->model};
    for (int t = 0; t < 2 && !b->text; t++)
        for (int k = 0; k < traces[t]->n && !b->text; k++) blame_entry(in, &traces[t]->entries[k], b);
    b->drawn = drawn_text(in, p->model.n ? &p->model : &p->guide);
}

/* -- The run again -- */

typedef struct Again {
    Pair *pair;
    Pass pass;
    bool at_point;
} Again;

static void run_again(void *self) {
    Again *a = self;
    if (a->at_point)
        pass_run_at_point(&a->pass, a->pair, a->pair->in, PASS_TERMS);
    else
        pass_run(&a->pass, a->pair, a->pair->in, NULL, PASS_TERMS);
}

/* On plain numbers: constraints raise by themselves. What is said lives in `keep`. */
static void run_plainly(Pair *pair, const Recorder *r, int particle, bool at_point, Arena *keep, Blame *b) {
    Interp *in = pair->in;
    Tape *tape = tape_new(in->ctx, keep, false);
    memcpy(tape->inputs, r->inputs.slots, sizeof tape->inputs);
    tape->step = r->inputs.step;
    tape->particle = r->inputs.particle + (uint32_t)particle;
    Again again = {.pair = pair, .at_point = at_point};
    Scope saved;
    Error e;
    scope_enter(in, &saved, keep, tape, r->seed);
    in->batches = r->batches ? &r->batches->plates : NULL;
    bool done = ctx_protect(in->ctx, run_again, &again, &e);
    if (!done && e.kind == ERROR_PROGRAM) {
        *b = (Blame){.text = e.message, .span = e.span, .notes = e.notes};
        bool automatic =
            e.span.line == pair->span.line && e.span.column == pair->span.column; /* not in the program's text */
        if (!automatic) b->remedy = "choose distributions that keep to it, or a transform such as exp or sigmoid";
        b->drawn = drawn_text(in, again.pass.model.n ? &again.pass.model : &again.pass.guide);
    } else if (done) {
        look_at_pass(in, &again.pass, b);
    }
    scope_leave(in, &saved);
    if (!done && e.kind == ERROR_INTERRUPT) ctx_reraise(in->ctx, &e);
}

/* -- Saying it -- */

static _Noreturn void raise_blame(Interp *in, const Blame *b, Span at, const char *what, const char *otherwise) {
    const char *hint =
        b->drawn && *b->drawn ? arena_printf(in->ctx->session, "drawn were %s; %s", b->drawn, otherwise) : otherwise;
    Error e = {.kind = ERROR_NUMERIC,
               .span = b->span.file >= 0 ? b->span : at,
               .message = b->text ? arena_printf(in->ctx->session, "%s: %s", what, b->text)
                                  : arena_strdup(in->ctx->session, what),
               .hint = hint,
               .notes = b->notes};
    ctx_reraise(in->ctx, &e);
}

void blame_run(Interp *in, const Pass *p, const char *what, const char *otherwise) {
    Blame b = {.span = SPAN_NONE};
    look_at_pass(in, p, &b);
    raise_blame(in, &b, p->pair->span, what, b.remedy ? b.remedy : otherwise);
}

void blame_last_run(Pair *pair, Recorder *r, int particles, const char *what, const char *otherwise) {
    Interp *in = pair->in;
    Blame b = {.span = SPAN_NONE};
    RunInputs last = r->inputs;
    Span at = pair->span;
    for (int k = 0; !b.text && k < (particles ? particles : 1); k++)
        run_plainly(pair, r, k, particles == 0, in->arena, &b);
    r->inputs = last;
    if (b.remedy) raise_blame(in, &b, at, what, b.remedy);
    const char *operation = recorder_first_nonfinite(r, in->arena, &at);
    if (!operation) raise_blame(in, &b, at, what, otherwise);
    Blame found = {.text = arena_printf(in->arena, "%s%s%s", operation, b.text ? "; so " : "", b.text ? b.text : ""),
                   .span = at,
                   .drawn = b.drawn};
    raise_blame(in, &found, at, what, otherwise);
}
