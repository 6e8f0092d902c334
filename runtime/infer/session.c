/* What inference keeps for a session, and the default inference of a file. */
#include <stdlib.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"
#include "infer/program_tree.h"

/* Bare calls read the parameters of the latest fit that learned them. */
static bool latest_param(Interp *in, ParamSite *site) {
    const InferState *s = infer_state(in);
    for (const Fit *f = s ? s->latest : NULL; f; f = f->older) {
        int k = f == s->latest ? params_known(f->params, in, site) : params_find(f->params, site->name);
        if (k < 0) continue;
        site->value = params_site_value(f->params, in, k, site);
        return true;
    }
    return false;
}

/* Does one of the session's fits after `f` have all its parameters? */
static bool is_superseded(const InferState *s, const Fit *f) {
    for (int k = 0; k < f->params->n; k++) {
        const Fit *g = s->latest;
        while (g != f && params_find(g->params, f->params->list[k].name) < 0) g = g->older;
        if (g == f) return false;
    }
    return true;
}

void session_take_fit(Interp *in, Fit *f) {
    InferState *s = infer_state(in);
    f->older = s->latest;
    f->references++;
    s->latest = f;
    for (Fit **at = &f->older; *at;) {
        Fit *g = *at;
        if (is_superseded(s, g)) {
            *at = g->older;
            fit_release(g);
        } else {
            at = &g->older;
        }
    }
}

void infer_attach(Interp *in, const InferSettings *settings) {
    InferState *s = calloc(1, sizeof *s);
    if (!s) ctx_raise_here(in->ctx, ERROR_PROGRAM, "memory is exhausted");
    s->in = in;
    if (settings) s->settings = *settings;
    in->infer = s;
    in->hooks.model_logpdf = infer_model_logpdf;
    in->hooks.site_error = refine_error;
    in->hooks.param = latest_param;
}

void infer_detach(Interp *in) {
    InferState *s = infer_state(in);
    if (!s) return;
    for (Fit *f = s->latest, *older; f; f = older) {
        older = f->older;
        fit_release(f);
    }
    free(s);
    in->infer = NULL;
}

/* -- The default inference -- */

static bool needs_arguments(const Function *f) {
    for (int k = 0; k < f->nparams; k++)
        if (!f->params[k].default_value) return true;
    return false;
}

/* Does another function of the module use the model? */
static bool is_called(const Module *m, int slot, const Function *self) {
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *s = m->body->statements[k];
        if (s->kind == STMT_FUNCTION && s->u.function.function != self &&
            s->u.function.function->kind != FUNCTION_GUIDE && tree_function_reads(s->u.function.function, slot))
            return true;
    }
    return false;
}

/* Does a statement say what is to be done with it, print(simulate(m))? */
static bool is_used(const Module *m, int slot) {
    for (int k = 0; k < m->body->n; k++)
        if (m->body->statements[k]->kind != STMT_FUNCTION && tree_statement_reads(m->body->statements[k], slot))
            return true;
    return false;
}

Value infer_default(Interp *in, const Module *m) {
    if (infer_state(in)->latest || tree_block_calls(m->body, "infer")) return value_none();
    const Stmt *found = NULL;
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *s = m->body->statements[k];
        if (s->kind != STMT_FUNCTION || s->u.function.function->kind != FUNCTION_MODEL ||
            needs_arguments(s->u.function.function) || is_used(m, s->u.function.ref.slot) ||
            is_called(m, s->u.function.ref.slot, s->u.function.function))
            continue;
        if (found)
            ctx_raise(in->ctx, ERROR_PROGRAM, s->span,
                      arena_printf(in->arena, "write infer(%s), or infer(%s)", found->u.function.function->name,
                                   s->u.function.function->name),
                      "there are several models: which one is to be fitted?");
        found = s;
    }
    if (!found) return value_none();
    Value model = in->globals[found->u.function.ref.slot];
    in->ctx->span = found->span;
    return infer_call(in, model_argument(in, model, FUNCTION_MODEL, found->span), found->span);
}

/* -- What an inference would do with discrete latents -- */

typedef struct Trial {
    Interp *in;
    Pair pair;
    const Value *model, *guide;
} Trial;

static void run_trial(void *self) {
    Trial *t = self;
    Pair *p = &t->pair;
    p->model = model_argument(t->in, *t->model, FUNCTION_MODEL, p->span);
    if (t->guide) {
        p->guide = model_argument(t->in, *t->guide, FUNCTION_GUIDE, p->span);
        p->guide_name = p->guide->closure->function->name;
    }
    params_init(p->params, t->in, p->arena);
    if (!t->guide || p->guide->closure->function->with) {
        p->automatic = value_nothing();
        p->scores = true;
        p->latents = ARENA_NEW(p->arena, Latents);
        latents_init(p->latents, p->arena, true, true, "an automatic guide");
    }
    pair_check(p, t->in, t->in->ctx->seed);
}

static const Stmt *guide_of(const Module *m, const Function *model) {
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *s = m->body->statements[k];
        if (s->kind != STMT_FUNCTION || s->u.function.function->kind != FUNCTION_GUIDE) continue;
        if (strcmp(s->u.function.function->model_name, model->name) == 0 && !needs_arguments(s->u.function.function))
            return s;
    }
    return NULL;
}

int infer_discrete_lines(Interp *in, const Module *m, const Stmt *s, Arena *a, const char ***lines) {
    const Function *f = s->u.function.function;
    if (f->kind != FUNCTION_MODEL || needs_arguments(f) || is_called(m, s->u.function.ref.slot, f)) return 0;
    const Stmt *guide = guide_of(m, f);
    Trial *t = ARENA_NEW(a, Trial);
    *t = (Trial){.in = in, .model = &in->globals[s->u.function.ref.slot]};
    if (guide) t->guide = &in->globals[guide->u.function.ref.slot];
    Pair *p = &t->pair;
    *p = (Pair){.in = in, .arena = a, .span = s->span, .params = ARENA_NEW(a, ParamStore)};
    Scope saved;
    Error e;
    scope_save(in, &saved);
    in->arena = a;
    bool done = ctx_protect(in->ctx, run_trial, t, &e);
    scope_leave(in, &saved);
    *lines = ARENA_ARRAY(a, const char *, p->nsum_notes + p->discrete.nnotes + 1);
    int n = 0;
    for (int k = 0; k < p->nsum_notes; k++) (*lines)[n++] = p->sum_notes[k];
    for (int k = 0; k < p->discrete.nnotes; k++) (*lines)[n++] = p->discrete.notes[k];
    bool of_site = e.span.line != s->span.line || e.span.column != s->span.column; /* else: it observes nothing */
    if (!done && n == 0 && of_site) (*lines)[n++] = arena_strdup(a, e.message);
    return n;
}
