/* What inference keeps for a session, and the default inference of a file. */
#include <stdlib.h>
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"
#include "infer/program_tree.h"

/* Bare calls read the parameters of the latest fit. */
static bool latest_param(Interp *in, ParamSite *site) {
    const InferState *s = infer_state(in);
    if (!s || !s->latest) return false;
    int k = params_find(s->latest->params, site->name);
    if (k < 0) return false;
    site->value = params_value(s->latest->params, in, k);
    return true;
}

void infer_attach(Interp *in, const InferSettings *settings) {
    InferState *s = calloc(1, sizeof *s);
    if (!s) ctx_raise_here(in->ctx, ERROR_PROGRAM, "memory is exhausted");
    s->in = in;
    if (settings) s->settings = *settings;
    in->infer = s;
    in->hooks.model_logpdf = infer_model_logpdf;
    in->hooks.param = latest_param;
}

void infer_detach(Interp *in) {
    InferState *s = infer_state(in);
    if (!s) return;
    while (s->fits) {
        Fit *next = s->fits->next;
        arena_free(s->fits->arena);
        s->fits = next;
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
static bool is_used(const Module *m, int slot, const Function *self) {
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *s = m->body->statements[k];
        if (s->kind == STMT_FUNCTION && s->u.function.function != self &&
            s->u.function.function->kind != FUNCTION_GUIDE && tree_function_reads(s->u.function.function, slot))
            return true;
    }
    return false;
}

Value infer_default(Interp *in, const Module *m) {
    if (infer_state(in)->fits || tree_block_calls(m->body, "infer")) return value_none();
    const Stmt *found = NULL;
    for (int k = 0; k < m->body->n; k++) {
        const Stmt *s = m->body->statements[k];
        if (s->kind != STMT_FUNCTION || s->u.function.function->kind != FUNCTION_MODEL ||
            needs_arguments(s->u.function.function) || is_used(m, s->u.function.ref.slot, s->u.function.function))
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
