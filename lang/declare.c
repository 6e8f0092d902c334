/* The names that a body binds, collected before it is resolved: so functions may refer to later ones, and what
 * `name ~ D` means does not depend on the order of statements. */
#include <ctype.h>

#include "lang/resolve.h"
#include "lang/walk.h"

/* Plain bindings first: those of elements and of ~ depend on them. */
typedef enum Phase { PHASE_NAMES, PHASE_ELEMENTS } Phase;

typedef struct Declarer {
    Resolver *r;
    Scope *scope;
    Phase phase;
} Declarer;

static const char *line_text(Resolver *r, Span at) {
    return at.file == r->file ? arena_printf(r->arena, "on line %d", at.line)
                              : arena_printf(r->arena, "in %s", ctx_source_name(r->ctx, at.file));
}

int declare_global(Resolver *r, const char *name, GlobalKind kind, Span span) {
    int slot = globals_find(name);
    const Global *old = slot >= 0 ? lang_global(r->g, slot) : NULL;
    if (old) {
        bool data_too = old->kind == GLOBAL_DATA && kind == GLOBAL_VALUE; /* data may be transformed in place */
        bool anew = old->kind == GLOBAL_VALUE && kind == GLOBAL_VALUE;
        if (data_too || anew)
            return slot;
        if (!r->options->interactive)
            resolve_error(r, span, "choose another name", "%s is defined twice: first %s", name,
                          line_text(r, old->span));
    }
    return globals_bind(r->g, name, kind, span);
}

static void bind(Declarer *d, const char *name, How how, Span span) {
    if (!name)
        return;
    if (scope_is_top(d->scope))
        declare_global(d->r, name, GLOBAL_VALUE, span);
    else
        scope_bind(d->r, d->scope, name, how, span);
}

static void bind_function(Declarer *d, Stmt *s) {
    Function *f = s->u.function.function;
    if (scope_is_top(d->scope)) {
        int slot = declare_global(d->r, f->name, GLOBAL_FUNCTION, f->span);
        d->r->g->list[slot].global.function = f;
        s->u.function.ref = (Ref){REF_GLOBAL, 0, slot};
    } else {
        Binding *b = scope_bind(d->r, d->scope, f->name, BOUND_FUNCTION, f->span);
        if (b->function)
            resolve_error(d->r, f->span, "choose another name", "%s is defined twice: first on line %d", f->name,
                          b->span.line);
        b->function = f;
        s->u.function.ref = scope_ref(d->scope, f->name);
    }
}

static void bind_dist(Declarer *d, Stmt *s) {
    DistDecl *decl = s->u.dist.decl;
    int slot = declare_global(d->r, decl->name, GLOBAL_DIST, decl->span);
    d->r->g->list[slot].global.dist = decl;
    s->u.dist.ref = (Ref){REF_GLOBAL, 0, slot};
}

/* A size that is a name not yet known is bound by the data. */
static void bind_data(Declarer *d, Stmt *s) {
    Resolver *r = d->r;
    Type *type = s->u.data.type;
    s->u.data.slot = declare_global(r, s->u.data.name, GLOBAL_DATA, s->u.data.name_span);
    if (!type)
        return;
    type->bind_slot = ARENA_ARRAY(r->arena, int, type->nsizes);
    for (int i = 0; i < type->nsizes; i++) {
        const Expr *size = type->sizes[i];
        type->bind_slot[i] = -1;
        if (size->kind != EXPR_NAME)
            continue;
        if (globals_find(size->u.name.name) < 0)
            type->bind_slot[i] = declare_global(r, size->u.name.name, GLOBAL_VALUE, size->span);
    }
}

/* How many of the innermost plates' indices lead the target's: `eta[i, j]`, or `eta[j]` inside i, j. */
static int leading_plates(const Declarer *d, const Target *t) {
    const PlateRange *plates[64];
    int n = scope_plates(d->scope, plates, 64);
    for (int k = n < t->nindices ? n : t->nindices; k > 0; k--) {
        bool all = true;
        for (int i = 0; i < k; i++) {
            const Expr *e = t->indices[i];
            all = all && e && e->kind == EXPR_NAME && e->u.name.name == plates[n - k + i]->name;
        }
        if (all)
            return k;
    }
    return 0;
}

static Scope *outside_plates(Scope *s, int count) {
    for (; count > 0 && s->plate; s = s->outer)
        count -= s->plate->u.plate.n;
    return s;
}

/* x[i] = e on a name not yet bound begins an array: outside the plates whose indices it carries. */
static void bind_element(Declarer *d, const Target *t) {
    if (!t->name)
        return;
    for (Scope *s = d->scope; s; s = s->outer) {
        const Binding *own = scope_own(s, t->name);
        if (own && s->frame == d->scope->frame)
            scope_bind(d->r, s, t->name, BOUND_ASSIGNED, t->span);
        if (own)
            return;
    }
    if (scope_protected_global(d->r, t->name))
        return;
    Scope *inner = d->scope;
    d->scope = outside_plates(inner, leading_plates(d, t));
    bind(d, t->name, BOUND_ASSIGNED, t->span);
    d->scope = inner;
}

/* Distributions are capitalised; what else is called may give a function. */
static bool may_be_function(const Expr *dist) {
    while (dist->kind == EXPR_INDEX)
        dist = dist->u.index.base;
    const Expr *head = dist->kind == EXPR_CALL ? dist->u.call.callee : dist;
    return head->kind == EXPR_FIELD || (head->kind == EXPR_NAME && !isupper((unsigned char)head->u.name.name[0]));
}

static void bind_sample(Declarer *d, Stmt *s) {
    const Target *t = &s->u.sample.target;
    Scope *whole = scope_of_function(d->scope);
    if (!t->name || scope_is_top(whole))
        return;
    const Binding *own = scope_own(whole, t->name);
    int slot = own || d->r->library ? -1 : globals_find(t->name);
    s->u.sample.role = ROLE_LATENT;
    if ((own && own->how & BOUND_ARGUMENT) || (slot >= 0 && lang_global(d->r->g, slot)->kind == GLOBAL_DATA)) {
        s->u.sample.role = ROLE_OBSERVED;
        return;
    }
    scope_bind(d->r, whole, t->name, BOUND_DRAWN | (may_be_function(s->u.sample.dist) ? BOUND_CALLABLE : 0), t->span);
}

static void bind_target(Declarer *d, const Target *t) {
    if ((t->nindices > 0) == (d->phase == PHASE_ELEMENTS)) {
        if (t->nindices > 0)
            bind_element(d, t);
        else
            bind(d, t->name, BOUND_ASSIGNED, t->span);
    }
}

static const Walk *walk_of(Declarer *d, Walk *w);

static void declare_plate(Declarer *d, Stmt *s) {
    Walk w;
    walk_of(d, &w);
    for (int i = 0; i < s->u.plate.n; i++)
        walk_expr(&w, s->u.plate.ranges[i].range);
    Scope *outer = d->scope;
    d->scope = scope_of_plate(d->r, outer, s);
    for (int i = 0; i < s->u.plate.n; i++)
        s->u.plate.ranges[i].slot =
            scope_bind(d->r, d->scope, s->u.plate.ranges[i].name, BOUND_INDEX, s->u.plate.ranges[i].span)->slot;
    walk_block(&w, s->u.plate.body);
    d->scope = outer;
}

static bool declare_stmt(void *self, Stmt *s) {
    Declarer *d = self;
    bool names = d->phase == PHASE_NAMES;
    switch (s->kind) {
    case STMT_ASSIGN:
        bind_target(d, &s->u.assign.target);
        break;
    case STMT_UNPACK:
        for (int i = 0; i < s->u.unpack.n; i++)
            bind_target(d, &s->u.unpack.targets[i]);
        break;
    case STMT_RECORD:
        if (!names && s->u.assign.target.name && d->scope->frame)
            scope_bind(d->r, scope_of_function(d->scope), s->u.assign.target.name, BOUND_RECORDED,
                       s->u.assign.target.span);
        break;
    case STMT_SAMPLE:
        if (!names)
            bind_sample(d, s);
        break;
    case STMT_DATA:
        if (names && scope_is_top(d->scope))
            bind_data(d, s);
        break;
    case STMT_DIST:
        if (names && scope_is_top(d->scope))
            bind_dist(d, s);
        return false;
    case STMT_FUNCTION:
        if (names)
            bind_function(d, s);
        return false;
    case STMT_PARAM:
        if (names)
            bind(d, s->u.param.name, BOUND_LEARNED, s->u.param.name_span);
        break;
    case STMT_FOR:
        if (names)
            bind(d, s->u.for_.name, BOUND_INDEX, s->u.for_.name_span);
        break;
    case STMT_REFINE:
        if (names)
            bind(d, s->u.refine.name, BOUND_INDEX, s->span);
        break;
    case STMT_PLATE:
        declare_plate(d, s);
        return false;
    case STMT_EXPR: case STMT_OBSERVE: case STMT_FACTOR: case STMT_WHILE: case STMT_IF: case STMT_IMPORT:
    case STMT_RETURN:
        break;
    }
    return true;
}

static bool declare_expr(void *self, Expr *e) {
    (void)self;
    return e->kind != EXPR_LAMBDA;
}

static const Walk *walk_of(Declarer *d, Walk *w) {
    *w = (Walk){d, declare_expr, declare_stmt};
    return w;
}

void declare_body(Resolver *r, Scope *s, Block *body, Expr *expr) {
    for (Phase phase = PHASE_NAMES; phase <= PHASE_ELEMENTS; phase++) {
        Declarer d = {r, s, phase};
        Walk w;
        walk_block(walk_of(&d, &w), body);
        walk_expr(&w, expr);
    }
}
