/* Calls: matching arguments to parameters, frames, depth. */
#include <string.h>

#include "interp/internal.h"
#include "interp/session.h"
#include "interp/stdlib.h"

bool stack_is_used_up(const Interp *in) {
    char here;
    uintptr_t now = (uintptr_t)&here;
    return (in->stack_base > now ? in->stack_base - now : now - in->stack_base) > in->stack_limit;
}

void check_stack(Interp *in, Span at) {
    if (stack_is_used_up(in)) ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "this value holds others too deeply inside one another");
}

void enter_call(Interp *in, const char *name, Span at) {
    poll_interrupt(in);
    if (++in->depth > in->ctx->max_depth || stack_is_used_up(in)) {
        if (in->selecting) { /* what ends it may differ between elements */
            in->split = in->selecting;
            ctx_raise(in->ctx, ERROR_ELEMENTWISE, at, NULL, "the depth of the recursion differs between the elements of %s", in->split->name);
        }
        in->depth = 0;
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "does the recursion end?", "`%s` calls itself too deeply: more than %d calls inside one another", name,
                  in->ctx->max_depth);
    }
}

/* What a callee says of its parameters, whatever it is. */
typedef struct Signature {
    const char *what, *name; /* "function", "f" */
    int n;
    const char *(*param)(const void *self, int k);
    bool (*optional)(const void *self, int k);
    const void *self;
    bool rest;
} Signature;

/* The number of the parameter with this name, or -1. */
static int param_named(const Signature *g, const char *name) {
    for (int k = 0; k < g->n; k++)
        if (strcmp(g->param(g->self, k), name) == 0) return k;
    return -1;
}

static _Noreturn void unknown_argument(Interp *in, const Signature *g, const char *name, Span at) {
    const char **names = ARENA_ARRAY(in->arena, const char *, g->n + 1);
    Buf all = {0};
    for (int k = 0; k < g->n; k++) {
        names[k] = g->param(g->self, k);
        buf_printf(&all, "%s%s", k ? ", " : "", names[k]);
    }
    const char *near = nearest_name(name, names, g->n);
    char *list = arena_strdup(in->arena, all.text ? all.text : "none");
    buf_free(&all);
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              near ? arena_printf(in->arena, "did you mean `%s`? (its arguments: %s)", near, list)
                   : arena_printf(in->arena, "its arguments: %s", list),
              "`%s` has no argument `%s`", g->name, name);
}

/* "it is written f(a, b)" */
static const char *signature_text(Interp *in, const Signature *g) {
    Buf b = {0};
    for (int k = 0; k < g->n; k++) buf_printf(&b, "%s%s", k ? ", " : "", g->param(g->self, k));
    const char *text = arena_printf(in->arena, "it is written %s(%s)", g->name, b.text ? b.text : "");
    buf_free(&b);
    return text;
}

/* values[0..g->n): by parameter, VALUE_NONE where left out. rest..: what is beyond, when g->rest. */
static void match_arguments(Interp *in, const Signature *g, int n, const Value *args, const char *const *names, const Span *spans, Span at,
                            Value *values, Span *value_spans, Args *beyond) {
    int position = 0;
    for (int k = 0; k < g->n; k++) values[k] = value_none(), value_spans[k] = SPAN_NONE;
    for (int k = 0; k < n; k++) {
        const char *name = names ? names[k] : NULL;
        Span where = spans ? spans[k] : at;
        int to = name ? param_named(g, name) : position < g->n ? position++ : -1;
        if (to < 0 && beyond && g->rest) {
            beyond->rest[beyond->nrest] = args[k];
            beyond->rest_names[beyond->nrest++] = name;
            continue;
        }
        if (to < 0 && name) unknown_argument(in, g, name, where);
        if (to < 0)
            ctx_raise(in->ctx, ERROR_PROGRAM, where, signature_text(in, g), "`%s` takes %d argument%s, here are %d", g->name,
                      g->n, g->n == 1 ? "" : "s", n);
        if (values[to].kind != VALUE_NONE)
            ctx_raise(in->ctx, ERROR_PROGRAM, where, NULL, "the argument `%s` of `%s` is given twice", g->param(g->self, to), g->name);
        values[to] = args[k], value_spans[to] = where;
    }
    for (int k = 0; k < g->n; k++)
        if (values[k].kind == VALUE_NONE && !g->optional(g->self, k))
            ctx_raise(in->ctx, ERROR_PROGRAM, at, signature_text(in, g), "`%s` needs its argument `%s`", g->name,
                      g->param(g->self, k));
}

static const char *tree_param(const void *self, int k) { return ((const Param *)self)[k].name; }
static bool tree_optional(const void *self, int k) { return ((const Param *)self)[k].default_value != NULL; }
static const char *builtin_param(const void *self, int k) { return ((const BuiltinParams *)self)->names[k]; }
static bool builtin_optional(const void *self, int k) { return ((const BuiltinParams *)self)->optional[k]; }

static Value call_builtin(Interp *in, const Builtin *b, int n, const Value *args, const char *const *names, const Span *spans, Span at) {
    const BuiltinParams *p = session_builtin_params(in, b);
    Signature g = {"function", b->name, p->n, builtin_param, builtin_optional, p, p->rest};
    Value few[8], few_rest[8];
    Span few_spans[8];
    const char *few_names[8];
    bool small = p->n <= 8 && n <= 8;
    Args a = {.n = p->n, .span = at};
    a.values = small ? few : ARENA_ARRAY(in->arena, Value, p->n + 1);
    Span *value_spans = small ? few_spans : ARENA_ARRAY(in->arena, Span, p->n + 1);
    a.rest = small ? few_rest : ARENA_ARRAY(in->arena, Value, n + 1);
    a.rest_names = small ? few_names : ARENA_ARRAY(in->arena, const char *, n + 1);
    match_arguments(in, &g, n, args, names, spans, at, a.values, value_spans, &a);
    a.spans = value_spans;
    if (b->call) return b->call(in, &a);
    return array_apply(in, (Op)b->op, p->n, a.values, at);
}

Frame *frame_new(Interp *in, const Function *fn, Frame *outer) {
    struct { Frame frame; Value slots[]; } *block = arena_alloc(in->arena, sizeof(Frame) + sizeof(Value) * (size_t)(fn->nslots + 1));
    Frame *f = &block->frame;
    *f = (Frame){.outer = outer, .function = fn, .slots = block->slots, .nslots = fn->nslots, .result = value_nothing(), .born = in->frames++};
    return f;
}

/* Defaults are evaluated in the new frame, so that they may name earlier parameters. */
static void fill_defaults(Interp *in, Frame *f, const Function *fn) {
    for (int k = 0; k < fn->nparams; k++) {
        Value *slot = &f->slots[fn->params[k].slot];
        if (slot->kind == VALUE_NONE && fn->params[k].default_value) *slot = eval(in, f, fn->params[k].default_value);
    }
}

static bool is_library(Span s) { return s.file >= 0 && s.file < stdlib_nfiles; }

static Value run_own_body(Interp *in, Frame *f, const Function *fn, Span at) {
    enter_call(in, fn->name, at);
    Span span = in->ctx->span;
    Value v;
    if (fn->expr) v = eval(in, f, fn->expr);
    else {
        Value last = value_nothing();
        v = exec_block(in, f, fn->body, &last) == FLOW_RETURN ? f->result : last;
    }
    in->ctx->span = span;
    in->depth--;
    return v;
}

typedef struct Entry {
    Interp *in;
    Frame *frame;
    const Function *function;
    Span at;
    Value result;
} Entry;

static void run_entry(void *self) {
    Entry *e = self;
    e->result = run_own_body(e->in, e->frame, e->function, e->at);
}

/* From the program into the library: what goes wrong there, or is recorded on the tape there, is the fault of this call. */
static Value run_library_body(Interp *in, Frame *f, const Function *fn, Span at) {
    Entry e = {in, f, fn, at, value_nothing()};
    Error caught;
    in->in_library = true;
    in->entered = at;
    bool done = ctx_protect(in->ctx, run_entry, &e, &caught);
    in->in_library = false;
    if (done) return e.result;
    if (is_library(caught.span)) caught.span = at;
    ctx_reraise(in->ctx, &caught);
}

static Value run_any_body(Interp *in, Frame *f, const Function *fn, Span at) {
    bool own = !is_library(fn->span);
    if (!own && !in->in_library && at.file >= stdlib_nfiles) return run_library_body(in, f, fn, at);
    if (!own || !in->in_library) return run_own_body(in, f, fn, at);
    Span entered = in->entered; /* the library calls a function of the program */
    in->in_library = false;
    Value v = run_own_body(in, f, fn, at);
    in->in_library = true;
    in->entered = entered;
    return v;
}

/* The value of a function's body in a frame whose parameters are bound. */
Value run_body(Interp *in, Frame *f, const Function *fn, Span at) {
    static const char *const kinds[] = {"function", "net", "model", "guide", "function", "member"};
    bool net = fn->kind == FUNCTION_NET;
    if (at.file < 0 || is_library(at) || fn->kind == FUNCTION_LAMBDA || (!net && is_library(fn->span)))
        return run_any_body(in, f, fn, at);
    CtxPlace here = {in->ctx->place, kinds[fn->kind], fn->name, net ? f->param_path : in->address ? in->address->name : NULL, NULL, true, at};
    in->ctx->place = &here;
    Value v = run_any_body(in, f, fn, at);
    in->ctx->place = here.outer;
    return v;
}

/* A model or guide with its arguments: nothing runs yet. */
static Value make_call(Interp *in, Closure *c, const Value *values) {
    const Function *fn = c->function;
    Frame *f = frame_new(in, fn, c->environment);
    for (int k = 0; k < fn->nparams; k++) f->slots[fn->params[k].slot] = values[k];
    fill_defaults(in, f, fn);
    Call *call = ARENA_NEW(in->arena, Call);
    *call = (Call){c, ARENA_ARRAY(in->arena, Value, fn->nparams + 1), fn->nparams};
    for (int k = 0; k < fn->nparams; k++) call->arguments[k] = f->slots[fn->params[k].slot];
    return (Value){VALUE_CALL, .u.call = call};
}

Value closure_new(Interp *in, Frame *f, const Function *fn) {
    Closure *c = ARENA_NEW(in->arena, Closure);
    *c = (Closure){fn, fn->captures ? f : NULL, f ? f->param_path : NULL, f && f->in_net, NULL};
    return (Value){VALUE_FUNCTION, .u.closure = c};
}

/* Where the addresses of parameters begin or go on. A net of the program that no net calls owns its parameters; any other
 * net, and a layer of the library, has its own per place of call. Functions of the program pass the path on. */
static void set_param_path(Interp *in, Frame *f, const Closure *c, const Frame *caller, const Expr *call) {
    const Function *fn = c->function;
    bool net = fn->kind == FUNCTION_NET, library = is_library(fn->span);
    const char *outer = caller ? caller->param_path : c->param_path;
    bool inside = caller ? caller->in_net : c->in_net;
    f->nplates = in->nplates, f->round = in->round;
    f->in_net = net || inside;
    if (fn->kind == FUNCTION_LAMBDA) {
        f->param_path = c->param_path, f->in_net = c->in_net;
    } else if (net && (!outer || (!inside && !library))) {
        f->param_path = fn->name;
    } else if (outer && (net || (fn->kind == FUNCTION_FN && !library))) {
        const Expr *callee = call ? call->u.call.callee : NULL;
        const char *name = !callee ? fn->name : callee->kind == EXPR_NAME ? callee->u.name.name : "call";
        f->param_path = call ? arena_printf(in->arena, "%s.%s_%d", outer, name, call->u.call.place)
                             : arena_printf(in->arena, "%s.%s", outer, name);
    } else {
        f->in_net = false;
    }
}

static Value call_closure(Interp *in, Closure *c, int n, const Value *args, const char *const *names, const Span *spans, Span at, Frame *caller,
                          const Expr *call) {
    const Function *fn = c->function;
    static const char *const kinds[] = {"function", "net", "model", "guide", "function", "member"};
    Signature g = {kinds[fn->kind], fn->name, fn->nparams, tree_param, tree_optional, fn->params, false};
    Value *values = ARENA_ARRAY(in->arena, Value, fn->nparams + 1);
    Span *value_spans = ARENA_ARRAY(in->arena, Span, fn->nparams + 1);
    match_arguments(in, &g, n, args, names, spans, at, values, value_spans, NULL);
    if (fn->kind == FUNCTION_MODEL || fn->kind == FUNCTION_GUIDE) return make_call(in, c, values);
    Frame *f = frame_new(in, fn, c->environment);
    set_param_path(in, f, c, caller, call);
    if (c->lifted) f->param_path = c->param_path, lift_enter(c->lifted);
    for (int k = 0; k < fn->nparams; k++) f->slots[fn->params[k].slot] = values[k];
    fill_defaults(in, f, fn);
    Value v = run_body(in, f, fn, at);
    if (c->lifted) lift_leave(c->lifted);
    return v;
}

Value call_value(Interp *in, Value callee, int n, const Value *args, const char *const *names, const Span *spans, Span at, Frame *caller,
                 const Expr *call) {
    switch (callee.kind) {
    case VALUE_FUNCTION: return call_closure(in, callee.u.closure, n, args, names, spans, at, caller, call);
    case VALUE_BUILTIN: return call_builtin(in, callee.u.builtin, n, args, names, spans, at);
    case VALUE_FAMILY: return family_call(in, callee.u.family, n, args, names, spans, at);
    default:
        ctx_raise(in->ctx, ERROR_PROGRAM, at, NULL, "only functions, nets, models, guides and distributions can be called; this is %s",
                  value_describe(in, callee));
    }
}

/* The arguments of a family, matched to its declaration (dists.c). */
void match_family(Interp *in, const DistDecl *d, int n, const Value *args, const char *const *names, const Span *spans, Span at, Value *values,
                  Span *value_spans) {
    Signature g = {"distribution", d->name, d->nparams, tree_param, tree_optional, d->params, false};
    match_arguments(in, &g, n, args, names, spans, at, values, value_spans, NULL);
}

/* error(x[i]) in the body of `refine`; false: the argument is a text, to stop with. */
static bool eval_site_error(Interp *in, Frame *f, const Expr *site, Value *out) {
    Target t = {.span = site->span};
    const Expr *e = site;
    if (e->kind == EXPR_INDEX) {
        t.indices = e->u.index.indices, t.nindices = e->u.index.n;
        e = e->u.index.base;
    }
    const char *tail = "";
    for (; e->kind == EXPR_FIELD; e = e->u.field.base)
        tail = arena_printf(in->arena, ".%s%s", e->u.field.name, tail);
    Ref ref = e->u.name.ref;
    if (site->kind == EXPR_NAME && ref.slot >= 0 && slot_of(in, f, ref)->kind == VALUE_STRING) return false;
    t.name = arena_printf(in->arena, "%s%s", e->u.name.name, tail);
    Index index[MAX_INDEX];
    if (!eval_index_tuple(in, f, &t, index))
        ctx_raise(in->ctx, ERROR_PROGRAM, site->span, "write error(x), or error(x[i]) with the plate's index",
                  "`error` takes a variable or one of its elements, not a range");
    *out = in->hooks.site_error(in, t.name, t.nindices, index, site->span);
    return true;
}

Value eval_call(Interp *in, Frame *f, const Expr *e) {
    Value error;
    if (e->u.call.of_site && in->hooks.site_error && eval_site_error(in, f, e->u.call.arguments[0].value, &error))
        return error;
    int n = e->u.call.n;
    Value few[8];
    Span few_spans[8];
    const char *few_names[8];
    Value *args = n <= 8 ? few : ARENA_ARRAY(in->arena, Value, n);
    Span *spans = n <= 8 ? few_spans : ARENA_ARRAY(in->arena, Span, n);
    const char **names = n <= 8 ? few_names : ARENA_ARRAY(in->arena, const char *, n);
    Value callee = eval(in, f, e->u.call.callee);
    for (int k = 0; k < n; k++) {
        const Argument *a = &e->u.call.arguments[k];
        names[k] = a->name, spans[k] = a->name ? a->name_span : a->value->span;
        args[k] = eval(in, f, a->value);
    }
    return call_value(in, callee, n, args, names, spans, e->span, f, e);
}

Value interp_call(Interp *in, Value callee, int n, const Value *args, Span at) {
    return call_value(in, callee, n, args, NULL, NULL, at, NULL, NULL);
}
