/* The arguments of calls whose function is known from the text. */
#include "base/strings.h"
#include "lang/resolve.h"

void check_params(Resolver *r, const Param *params, int n) {
    for (int i = 0; i < n; i++) {
        for (int k = 0; k < i; k++)
            if (params[k].name == params[i].name) {
                resolve_error(r, params[i].span, NULL, "two parameters are called %s", params[i].name);
                return;
            }
        if (i > 0 && params[i - 1].default_value && !params[i].default_value)
            resolve_error(r, params[i].span, "parameters with defaults come last", "%s needs a default value, as %s "
                          "before it has one", params[i].name, params[i - 1].name);
    }
}

/* The parameters of what is called; NULL: they are not known, or those of a builtin. */
static const Param *params_of(Resolver *r, const Found *f, int *n) {
    const Global *g = f->binding ? NULL : library_global(r->g, f->ref);
    const Function *function = f->binding ? (f->binding->how == BOUND_FUNCTION ? f->binding->function : NULL)
                               : g && g->kind == GLOBAL_FUNCTION ? g->function : NULL;
    const DistDecl *dist = g && g->kind == GLOBAL_DIST ? g->dist : NULL;
    *n = function ? function->nparams : dist ? dist->nparams : -1;
    return function ? function->params : dist ? dist->params : NULL;
}

/* "Normal(loc, scale)", as a hint. */
static const char *signature_text(Resolver *r, const char *name, const Signature *s) {
    Buf b = {0};
    buf_printf(&b, "%s(", name);
    for (int i = 0; i < s->n; i++)
        buf_printf(&b, "%s%s%s", i > 0 ? ", " : "", s->formals[i].name, s->formals[i].optional ? " = ..." : "");
    buf_add(&b, s->variadic ? (s->n > 0 ? ", ...)" : "...)") : ")");
    const char *text = arena_strdup(r->arena, b.text);
    buf_free(&b);
    return text;
}

static int formal_of(const Signature *s, const char *name) {
    for (int i = 0; i < s->n; i++)
        if (s->formals[i].name == name)
            return i;
    return -1;
}

static void report_unknown_argument(Resolver *r, const char *name, const Signature *s, const Argument *a) {
    const char **names = ARENA_ARRAY(r->arena, const char *, s->n);
    for (int i = 0; i < s->n; i++)
        names[i] = s->formals[i].name;
    const char *near = nearest_name(a->name, names, s->n), *whole = signature_text(r, name, s);
    resolve_error(r, a->name_span,
                  near ? arena_printf(r->arena, "did you mean %s? %s", near, whole)
                       : arena_printf(r->arena, "it is written %s", whole),
                  "%s has no argument %s", name, a->name);
}

/* What holds of any call: names behind places, no name twice. */
static bool check_order(Resolver *r, const Expr *call) {
    const Argument *list = call->u.call.arguments;
    for (int i = 0; i < call->u.call.n; i++) {
        if (i > 0 && list[i - 1].name && !list[i].name) {
            resolve_error(r, list[i].value->span, "arguments without a name come first",
                          "an argument without a name stands behind %s = ...", list[i - 1].name);
            return false;
        }
        for (int k = 0; list[i].name && k < i; k++)
            if (list[k].name == list[i].name) {
                resolve_error(r, list[i].name_span, NULL, "the argument %s is given twice", list[i].name);
                return false;
            }
    }
    return true;
}

static void check_arguments(Resolver *r, const Expr *call, Signature s) {
    const char *name = call->u.call.callee->u.name.name;
    bool *given = ARENA_ARRAY(r->arena, bool, s.n);
    int positional = 0;
    for (int i = 0; i < call->u.call.n; i++) {
        const Argument *a = &call->u.call.arguments[i];
        int k = a->name ? formal_of(&s, a->name) : positional++;
        if (k >= s.n || k < 0) {
            if (s.variadic)
                continue;
            if (a->name) {
                report_unknown_argument(r, name, &s, a);
            } else {
                int n = 0;
                for (int j = 0; j < call->u.call.n; j++)
                    n += !call->u.call.arguments[j].name;
                resolve_error(r, a->value->span, arena_printf(r->arena, "it is written %s", signature_text(r, name, &s)),
                              "%s takes %d argument%s, %d are given", name, s.n, s.n == 1 ? "" : "s", n);
            }
            return;
        }
        if (given[k]) {
            resolve_error(r, a->name_span, arena_printf(r->arena, "it is written %s", signature_text(r, name, &s)),
                          "the argument %s of %s is given twice, by its place and by its name", s.formals[k].name, name);
            return;
        }
        given[k] = true;
    }
    for (int k = 0; k < s.n; k++)
        if (!given[k] && !s.formals[k].optional) {
            resolve_error(r, call->span, arena_printf(r->arena, "it is written %s", signature_text(r, name, &s)),
                          "%s lacks its argument %s", name, s.formals[k].name);
            return;
        }
}

void check_call(Resolver *r, const Expr *call, const Found *callee) {
    if (!check_order(r, call) || call->u.call.callee->kind != EXPR_NAME || !callee->found)
        return;
    int n = -1, said = r->out->n;
    bool builtin = callee->ref.kind == REF_BUILTIN;
    const Param *params = builtin ? NULL : params_of(r, callee, &n);
    ArenaMark mark = arena_mark(r->arena);
    Signature s = builtin ? r->g->signatures[callee->ref.slot] : n >= 0 ? signature_of_params(r->arena, params, n)
                                                                        : (Signature){.known = false};
    if (s.known)
        check_arguments(r, call, s);
    if (r->out->n == said) /* no message lives there */
        arena_rewind(r->arena, mark);
}
