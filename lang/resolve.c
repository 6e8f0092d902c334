/* Every name gets its slot, every call its place; what is wrong on the way is reported and passed over. */
#include "lang/resolve.h"

#include <math.h>
#include <string.h>

#include "lang/diagnostics.h"

static void resolve_block(Resolver *r, Block *b);
static void resolve_function(Resolver *r, Function *f);

void resolve_error(Resolver *r, Span at, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    diagnostics_add(r->out, r->ctx, "meaning", at, hint, format, args);
    va_end(args);
}

void resolve_warn(Resolver *r, Warning which, Span at, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    diagnostics_warn(r->out, r->ctx, which, at, hint, format, args);
    va_end(args);
}

/* -- Names -- */
const char *lang_foreign_hint(const char *name) {
    static const struct {
        const char *name, *hint;
    } foreign[] = {
#define FOREIGN(name, code) {name, "here it is " code},
#define FOREIGN_TEXT(name, text) {name, text},
#include "lang/foreign.def"
#undef FOREIGN
#undef FOREIGN_TEXT
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        if (strcmp(name, foreign[i].name) == 0) return foreign[i].hint;
    return NULL;
}

static const char *hint_for_unknown(Resolver *r, const char *name) {
    const char *foreign = lang_foreign_hint(name), *near = foreign ? NULL : scope_nearest(r, name);
    return near ? arena_printf(r->arena, "did you mean %s?", near) : foreign;
}

static void report_unknown(Resolver *r, const char *name, Span at, const char *hint) {
    if (table_get(&r->reported, name))
        return;
    table_set(&r->reported, r->arena, name, (void *)name);
    if (!hint && !diagnostics_full(r->out))
        hint = hint_for_unknown(r, name);
    resolve_error(r, at, hint, "%s is not known here", name);
}

static void resolve_name(Resolver *r, Expr *e) {
    Found f = scope_lookup(r, e->u.name.name);
    e->u.name.ref = f.ref;
    if (!f.found)
        report_unknown(r, e->u.name.name, e->span, NULL);
}

/* `x <- 3` and `x == 3` as statements, x bound nowhere: `=` was meant. */
static void resolve_expression_statement(Resolver *r, Expr *e) {
    const Expr *left = e->kind == EXPR_BINARY ? e->u.binary.left : NULL;
    const Expr *right = left ? e->u.binary.right : NULL;
    bool minus = right && (right->kind == EXPR_UNARY || (right->kind == EXPR_NUMBER && signbit(right->u.number)));
    bool arrow = minus && e->u.binary.op == BINARY_LT;
    if (left && left->kind == EXPR_NAME && (arrow || e->u.binary.op == BINARY_EQ) &&
        !scope_lookup(r, left->u.name.name).found)
        report_unknown(r, left->u.name.name, left->span,
                       arena_printf(r->arena, "to bind it write %s = ...", left->u.name.name));
    resolve_expr(r, e);
}

/* A name that is bound here only by ~ or `data` cannot be a function: a call of it means the function of that name, if
 * there is one. */
static Found find_callee(Resolver *r, const char *name) {
    Found f = scope_lookup(r, name);
    bool drawn = f.binding && f.binding->how == BOUND_DRAWN;
    bool data = f.found && f.ref.kind == REF_GLOBAL && !f.binding &&
                lang_global(r->g, f.ref.slot)->kind == GLOBAL_DATA;
    Found function = drawn || data ? scope_lookup_function(r, name) : f;
    return function.found ? function : f;
}

const Function *resolve_model_of(Resolver *r, const Function *guide) {
    const Global *g = guide->model_name ? scope_global(r, guide->model_name) : NULL;
    return g && g->kind == GLOBAL_FUNCTION && g->function && g->function->kind == FUNCTION_MODEL ? g->function : NULL;
}

/* x, x[i], effect.x, effect.x[i] */
static Expr *site_base(Expr *e) {
    if (e->kind == EXPR_INDEX) e = e->u.index.base;
    while (e->kind == EXPR_FIELD) e = e->u.field.base;
    return e;
}

/* In the body of `refine`, error(x) names a site of the model, which need not be a name of the guide: its slot is -1
 * then. */
static bool is_site_error(Resolver *r, const Expr *call) {
    const Expr *callee = call->u.call.callee;
    return r->refine && callee->kind == EXPR_NAME && strcmp(callee->u.name.name, "error") == 0 &&
           !scope_lookup_in_function(r, callee->u.name.name).found && call->u.call.n == 1 &&
           site_base(call->u.call.arguments[0].value)->kind == EXPR_NAME;
}

static void resolve_site(Resolver *r, Expr *e) {
    Expr *base = site_base(e);
    if (scope_lookup(r, base->u.name.name).found) {
        resolve_expr(r, e);
        return;
    }
    base->u.name.ref = (Ref){REF_LOCAL, 0, -1};
    if (e->kind == EXPR_INDEX)
        for (int i = 0; i < e->u.index.n; i++)
            resolve_expr(r, e->u.index.indices[i]);
}

static void resolve_call(Resolver *r, Expr *e) {
    Expr *callee = e->u.call.callee;
    bool site = e->u.call.of_site = is_site_error(r, e);
    Found f = {.found = false};
    if (callee->kind == EXPR_NAME) {
        f = find_callee(r, callee->u.name.name);
        callee->u.name.ref = f.ref;
        if (!f.found)
            report_unknown(r, callee->u.name.name, callee->span, NULL);
    } else {
        resolve_expr(r, callee);
    }
    for (int i = 0; i < e->u.call.n; i++)
        (site ? resolve_site : resolve_expr)(r, e->u.call.arguments[i].value);
    e->u.call.place = scope_add_call(r, callee->kind == EXPR_NAME ? callee->u.name.name : "call");
    check_call(r, e, &f);
}

void resolve_expr(Resolver *r, Expr *e) {
    if (!e)
        return;
    switch (e->kind) {
    case EXPR_NUMBER: case EXPR_NUMBERS: case EXPR_STRING: case EXPR_BOOL: case EXPR_MISSING:
        break;
    case EXPR_NAME:
        resolve_name(r, e);
        break;
    case EXPR_UNARY:
        resolve_expr(r, e->u.unary.operand);
        break;
    case EXPR_BINARY:
        resolve_expr(r, e->u.binary.left);
        resolve_expr(r, e->u.binary.right);
        break;
    case EXPR_RANGE:
        resolve_expr(r, e->u.range.first);
        resolve_expr(r, e->u.range.last);
        break;
    case EXPR_CALL:
        resolve_call(r, e);
        break;
    case EXPR_INDEX:
        resolve_expr(r, e->u.index.base);
        for (int i = 0; i < e->u.index.n; i++)
            resolve_expr(r, e->u.index.indices[i]);
        break;
    case EXPR_FIELD:
        resolve_expr(r, e->u.field.base);
        break;
    case EXPR_ARRAY: case EXPR_TUPLE:
        for (int i = 0; i < e->u.list.n; i++)
            resolve_expr(r, e->u.list.items[i]);
        break;
    case EXPR_RECORD:
        for (int i = 0; i < e->u.record.n; i++)
            resolve_expr(r, e->u.record.values[i]);
        break;
    case EXPR_LAMBDA:
        resolve_function(r, e->u.lambda);
        break;
    case EXPR_IF:
        resolve_expr(r, e->u.if_.condition);
        resolve_block(r, e->u.if_.then);
        resolve_block(r, e->u.if_.otherwise);
        check_gives_value(r, e->u.if_.then);
        check_gives_value(r, e->u.if_.otherwise);
        break;
    }
}

/* -- Functions -- */
static void resolve_type(Resolver *r, Type *t) {
    if (!t)
        return;
    resolve_expr(r, t->low);
    resolve_expr(r, t->high);
    for (int i = 0; i < t->nsizes; i++)
        resolve_expr(r, t->sizes[i]);
    if (t->bind_slot)
        return;
    t->bind_slot = ARENA_ARRAY(r->arena, int, t->nsizes);
    for (int i = 0; i < t->nsizes; i++)
        t->bind_slot[i] = -1;
}

static void resolve_guide_head(Resolver *r, Function *f) {
    Found m = scope_lookup(r, f->model_name);
    f->model_ref = m.ref;
    const Global *g = m.found ? library_global(r->g, m.ref) : NULL;
    if (!m.found)
        report_unknown(r, f->model_name, f->model_span, NULL);
    else if (m.ref.kind == REF_BUILTIN || (g && g->kind == GLOBAL_FUNCTION && g->function &&
                                           g->function->kind != FUNCTION_MODEL) || (g && g->kind == GLOBAL_DIST))
        resolve_error(r, f->model_span, NULL, "%s is a guide for %s, which is not a model", f->name, f->model_name);
    resolve_expr(r, f->with);
}

/* The parameters take the first slots; a default sees those before it. */
static void bind_params(Resolver *r, Param *params, int n, bool defaults) {
    for (int i = 0; i < n; i++) {
        if (defaults)
            resolve_expr(r, params[i].default_value);
        params[i].slot = scope_bind(r, r->scope, params[i].name, BOUND_ARGUMENT, params[i].span)->slot;
    }
}

/* With the resolver inside a function: its body. The frame and the scope are the function's. */
static void resolve_inside(Resolver *r, Function *f) {
    check_params(r, f->params, f->nparams);
    bind_params(r, f->params, f->nparams, true);
    if (f->model_name)
        resolve_guide_head(r, f);
    declare_body(r, r->scope, f->body, f->expr);
    resolve_expr(r, f->expr);
    resolve_block(r, f->body);
    if (f->kind == FUNCTION_MODEL || f->kind == FUNCTION_GUIDE)
        check_drawn_once(r, f);
    f->nslots = r->frame->nslots;
    f->slot_names = r->frame->names;
    f->ncalls = r->frame->nplaces;
}

static void resolve_function(Resolver *r, Function *f) {
    Resolver outside = *r;
    Frame frame = {.outer = r->frame, .function = f};
    r->frame = &frame;
    r->scope = scope_new(r, outside.scope, &frame, NULL);
    r->loops = NULL;
    r->refine = f->kind == FUNCTION_LAMBDA ? outside.refine : NULL;
    resolve_inside(r, f);
    r->frame = outside.frame;
    r->scope = outside.scope;
    r->loops = outside.loops;
    r->refine = outside.refine;
}

/* A size that is a bare name and no parameter is bound by the argument. */
static void bind_sizes(Resolver *r, Type *t) {
    if (!t)
        return;
    t->bind_slot = ARENA_ARRAY(r->arena, int, t->nsizes);
    for (int i = 0; i < t->nsizes; i++) {
        const Expr *size = t->sizes[i];
        bool binds = size->kind == EXPR_NAME && !scope_lookup(r, size->u.name.name).found;
        t->bind_slot[i] = binds ? scope_bind(r, r->scope, size->u.name.name, BOUND_ASSIGNED, size->span)->slot : -1;
    }
}

static void bind_dist_frame(Resolver *r, DistDecl *d, bool head) {
    bind_params(r, d->params, d->nparams, head);
    for (int i = 0; i < d->nparams; i++)
        bind_sizes(r, d->params[i].type);
}

static void resolve_dist(Resolver *r, DistDecl *d) {
    Scope *outer = r->scope;
    check_params(r, d->params, d->nparams);
    for (int i = -1; i < d->nmembers; i++) { /* -1: the head; the members' frames begin as the head's does */
        Frame frame = {.function = i < 0 ? NULL : d->members[i]};
        r->frame = &frame;
        r->scope = scope_new(r, outer, &frame, NULL);
        bind_dist_frame(r, d, i < 0);
        if (i < 0) {
            for (int k = 0; k < d->nparams; k++)
                resolve_type(r, d->params[k].type);
            resolve_type(r, d->support);
            d->nslots = frame.nslots;
        } else {
            for (int k = 0; k < i; k++)
                if (d->members[k]->name == d->members[i]->name)
                    resolve_error(r, d->members[i]->span, NULL, "%s has two members %s", d->name, d->members[i]->name);
            for (int k = 0; k < d->members[i]->nparams; k++)
                if (scope_own(r->scope, d->members[i]->params[k].name))
                    resolve_error(r, d->members[i]->params[k].span, "choose another name",
                                  "%s is a parameter of %s already", d->members[i]->params[k].name, d->name);
            resolve_inside(r, d->members[i]);
        }
    }
    r->frame = NULL;
    r->scope = outer;
}

/* -- Statements -- */
static void resolve_indices(Resolver *r, const Target *t) {
    for (int i = 0; i < t->nindices; i++)
        resolve_expr(r, t->indices[i]);
}

static void resolve_target(Resolver *r, Target *t) {
    resolve_indices(r, t);
    if (!t->name)
        return;
    if (t->nindices == 0)
        check_rebinding(r, t);
    Found f = scope_lookup(r, t->name);
    t->ref = f.ref;
    if (t->nindices > 0)
        check_element(r, t, &f);
}

static void resolve_record(Resolver *r, Target *t) {
    resolve_indices(r, t);
    if (!t->name || !r->frame)
        return;
    t->ref = scope_ref(scope_of_function(r->scope), t->name);
    check_address(r, t, "recorded", NULL);
}

static int own_slot(Resolver *r, const char *name) {
    return scope_is_top(r->scope) ? globals_find(name) : scope_ref(r->scope, name).slot;
}

static void resolve_loop(Resolver *r, const Stmt *s, Block *body) {
    Loop loop = {r->loops, s};
    r->loops = &loop;
    resolve_block(r, body);
    r->loops = loop.outer;
}

static void resolve_plate(Resolver *r, Stmt *s) {
    Scope *outer = r->scope;
    for (int i = 0; i < s->u.plate.n; i++)
        resolve_expr(r, s->u.plate.ranges[i].range);
    r->scope = scope_of_plate(r, outer, s);
    resolve_block(r, s->u.plate.body);
    r->scope = outer;
}

static void resolve_refine(Resolver *r, Stmt *s) {
    for (int i = 0; i < s->u.refine.ntargets; i++) {
        Target *t = &s->u.refine.targets[i];
        Found f = scope_lookup_in_function(r, t->name);
        t->ref = f.ref;
        if (!f.found)
            report_unknown(r, t->name, t->span, "bind it with `=` before `refine`: its value is where the steps begin");
    }
    resolve_expr(r, s->u.refine.over);
    s->u.refine.slot = own_slot(r, s->u.refine.name);
    const Stmt *outer = r->refine;
    r->refine = s;
    resolve_loop(r, s, s->u.refine.body);
    r->refine = outer;
}

static void resolve_stmt(Resolver *r, Stmt *s) {
    check_place(r, s);
    switch (s->kind) {
    case STMT_EXPR:
        resolve_expression_statement(r, s->u.expr);
        break;
    case STMT_FACTOR: case STMT_RETURN:
        resolve_expr(r, s->u.expr);
        break;
    case STMT_ASSIGN:
        resolve_expr(r, s->u.assign.value);
        resolve_target(r, &s->u.assign.target);
        break;
    case STMT_UNPACK:
        resolve_expr(r, s->u.unpack.value);
        for (int i = 0; i < s->u.unpack.n; i++)
            resolve_target(r, &s->u.unpack.targets[i]);
        break;
    case STMT_DATA:
        resolve_type(r, s->u.data.type);
        resolve_expr(r, s->u.data.default_value);
        break;
    case STMT_FUNCTION:
        resolve_function(r, s->u.function.function);
        break;
    case STMT_SAMPLE:
        resolve_indices(r, &s->u.sample.target);
        resolve_expr(r, s->u.sample.dist);
        check_sample(r, s);
        break;
    case STMT_OBSERVE:
        resolve_expr(r, s->u.observe.value);
        resolve_expr(r, s->u.observe.dist);
        break;
    case STMT_RECORD:
        resolve_expr(r, s->u.assign.value);
        resolve_record(r, &s->u.assign.target);
        break;
    case STMT_PARAM:
        resolve_type(r, s->u.param.type);
        resolve_expr(r, s->u.param.init);
        s->u.param.slot = own_slot(r, s->u.param.name);
        s->u.param.place = scope_add_place(r);
        break;
    case STMT_PLATE:
        s->u.plate.in_loop = r->loops != NULL;
        resolve_plate(r, s);
        break;
    case STMT_FOR:
        resolve_expr(r, s->u.for_.over);
        s->u.for_.slot = own_slot(r, s->u.for_.name);
        resolve_loop(r, s, s->u.for_.body);
        break;
    case STMT_WHILE:
        resolve_expr(r, s->u.while_.condition);
        resolve_loop(r, s, s->u.while_.body);
        break;
    case STMT_IF:
        resolve_expr(r, s->u.if_.condition);
        resolve_block(r, s->u.if_.then);
        resolve_block(r, s->u.if_.otherwise);
        break;
    case STMT_REFINE:
        resolve_refine(r, s);
        break;
    case STMT_DIST:
        if (!r->frame)
            resolve_dist(r, s->u.dist.decl);
        break;
    case STMT_IMPORT:
        break;
    }
}

static void resolve_block(Resolver *r, Block *b) {
    if (!b)
        return;
    r->nesting++;
    for (int i = 0; i < b->n; i++)
        resolve_stmt(r, b->statements[i]);
    r->nesting--;
}

void resolve_module(Resolver *r, Block *body) {
    r->scope = scope_new(r, NULL, NULL, NULL);
    if (!r->library)
        declare_body(r, r->scope, body, NULL);
    resolve_block(r, body);
    for (int i = 0; i < body->n; i++)
        if (body->statements[i]->kind == STMT_FUNCTION) {
            check_guide(r, body->statements[i]->u.function.function);
            if (!r->library && r->out->nerrors == 0)
                check_suspicious(r, body->statements[i]->u.function.function);
        }
}
