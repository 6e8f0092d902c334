/* What is legal in a function and probably wrong: warnings, each with a code. */
#include <string.h>

#include "lang/resolve.h"
#include "lang/walk.h"

/* Beyond so many statements of a model nothing is traced: the closure below is quadratic. */
enum { MOST_FLOWS = 2000 };

/* Names that enter one place. `to` NULL: an observation, a factor, the model's value, a choice of what runs. */
typedef struct Flow {
    const char *to;
    const char **from;
    int n, capacity;
} Flow;

typedef struct Tracer {
    Resolver *r;
    Flow *flows;
    int n, capacity;
    const Stmt **latents; /* draws from a distribution */
    int nlatents, latents_capacity;
    bool observes;
    const Stmt *last; /* the statement that is the function's value */
} Tracer;

static bool add_name(void *self, Expr *e) {
    Tracer *t = self;
    if (e->kind != EXPR_NAME)
        return true;
    Flow *f = &t->flows[t->n - 1];
    ARENA_GROW(t->r->arena, f->from, f->n, f->capacity, 16);
    f->from[f->n++] = e->u.name.name;
    return true;
}

static void begin_flow(Tracer *t, const char *to) {
    ARENA_GROW(t->r->arena, t->flows, t->n, t->capacity, 16);
    t->flows[t->n++] = (Flow){.to = to};
}

static void flow(Tracer *t, const char *to, Expr *from, const Target *target) {
    begin_flow(t, to);
    Walk w = {t, add_name, NULL};
    walk_expr(&w, from);
    for (int k = 0; target && k < target->nindices; k++)
        walk_expr(&w, target->indices[k]);
}

/* The distribution whose call this is, copies and choices apart; NULL: something else, a model perhaps. */
static const DistDecl *dist_called(Tracer *t, const Expr *e) {
    while (e->kind == EXPR_INDEX)
        e = e->u.index.base;
    if (e->kind != EXPR_CALL || e->u.call.callee->kind != EXPR_NAME)
        return NULL;
    Ref ref = e->u.call.callee->u.name.ref;
    const Global *g = ref.kind == REF_LIBRARY ? lang_library(t->r->g, ref.slot)
                      : ref.kind == REF_GLOBAL ? lang_global(t->r->g, ref.slot) : NULL;
    return g && g->kind == GLOBAL_DIST ? g->dist : NULL;
}

static void trace_block(Tracer *t, Block *b);

static void trace_sample(Tracer *t, Stmt *s) {
    bool latent = s->u.sample.role == ROLE_LATENT, dist = dist_called(t, s->u.sample.dist) != NULL;
    t->observes |= !latent || !dist; /* a model may observe what it is given */
    flow(t, latent && dist ? s->u.sample.target.name : NULL, s->u.sample.dist, &s->u.sample.target);
    if (!latent || !dist)
        return;
    ARENA_GROW(t->r->arena, t->latents, t->nlatents, t->latents_capacity, 16);
    t->latents[t->nlatents++] = s;
}

static void trace_stmt(Tracer *t, Stmt *s) {
    switch (s->kind) {
    case STMT_SAMPLE:
        trace_sample(t, s);
        break;
    case STMT_OBSERVE:
        t->observes = true;
        flow(t, NULL, s->u.observe.value, NULL);
        flow(t, NULL, s->u.observe.dist, NULL);
        break;
    case STMT_FACTOR:
        t->observes = true;
        flow(t, NULL, s->u.expr, NULL);
        break;
    case STMT_EXPR: case STMT_RETURN:
        flow(t, NULL, s->u.expr, NULL);
        break;
    case STMT_RECORD:
        flow(t, NULL, s->u.assign.value, &s->u.assign.target);
        break;
    case STMT_ASSIGN:
        flow(t, s->u.assign.target.name, s->u.assign.value, &s->u.assign.target);
        break;
    case STMT_UNPACK:
        for (int k = 0; k < s->u.unpack.n; k++)
            flow(t, s->u.unpack.targets[k].name, s->u.unpack.value, &s->u.unpack.targets[k]);
        break;
    case STMT_FUNCTION:
        begin_flow(t, s->u.function.function->name);
        walk_function(&(Walk){t, add_name, NULL}, s->u.function.function);
        break;
    case STMT_PLATE:
        for (int k = 0; k < s->u.plate.n; k++)
            flow(t, NULL, s->u.plate.ranges[k].range, NULL);
        trace_block(t, s->u.plate.body);
        break;
    case STMT_FOR:
        flow(t, NULL, s->u.for_.over, NULL);
        trace_block(t, s->u.for_.body);
        break;
    case STMT_WHILE:
        flow(t, NULL, s->u.while_.condition, NULL);
        trace_block(t, s->u.while_.body);
        break;
    case STMT_IF:
        flow(t, NULL, s->u.if_.condition, NULL);
        trace_block(t, s->u.if_.then);
        trace_block(t, s->u.if_.otherwise);
        break;
    case STMT_PARAM: case STMT_REFINE: case STMT_DATA: case STMT_DIST: case STMT_IMPORT:
        break;
    }
}

static void trace_block(Tracer *t, Block *b) {
    for (int k = 0; b && k < b->n && t->n < MOST_FLOWS; k++)
        trace_stmt(t, b->statements[k]);
}

static bool among(const char *name, const char *const *list, int n) {
    for (int k = 0; k < n; k++)
        if (list[k] == name)
            return true;
    return false;
}

/* The names from which an observation, a factor or the model's value can be reached. */
static int names_that_matter(Tracer *t, const char ***out) {
    const char **list = NULL;
    int n = 0, capacity = 0;
    for (bool more = true; more;) {
        more = false;
        for (int k = 0; k < t->n; k++) {
            Flow *f = &t->flows[k];
            if (f->n == 0 || (f->to && !among(f->to, list, n)))
                continue;
            for (int j = 0; j < f->n; j++) {
                if (among(f->from[j], list, n))
                    continue;
                ARENA_GROW(t->r->arena, list, n, capacity, 16);
                list[n++] = f->from[j];
            }
            f->n = 0;
            more = true;
        }
    }
    *out = list;
    return n;
}

static void warn_without_data(Tracer *t) {
    const char **matter;
    int n = names_that_matter(t, &matter);
    for (int k = 0; k < t->nlatents; k++) {
        const Target *x = &t->latents[k]->u.sample.target;
        if (!among(x->name, matter, n))
            resolve_warn(t->r, WARNING_WITHOUT_DATA, x->span,
                         "predict(fit, m) draws what is to be predicted, observations among it",
                         "no observation depends on `%s`: its posterior is its prior", x->name);
    }
}

/* -- A scale that can be negative -- */

static const Expr *argument_of(const Expr *call, const DistDecl *d, int param) {
    for (int k = 0; k < call->u.call.n; k++) {
        const Argument *a = &call->u.call.arguments[k];
        if (a->name ? strcmp(a->name, d->params[param].name) == 0 : k == param && !call->u.call.piped)
            return a->value;
    }
    return NULL;
}

/* The draw of the latent that stands here, bare or indexed; NULL: another expression. */
static const Stmt *latent_read(const Tracer *t, const Expr *e) {
    if (e && e->kind == EXPR_INDEX)
        e = e->u.index.base;
    for (int k = 0; e && e->kind == EXPR_NAME && k < t->nlatents; k++)
        if (t->latents[k]->u.sample.target.name == e->u.name.name)
            return t->latents[k];
    return NULL;
}

static void check_arguments(Tracer *t, const Expr *e) {
    const DistDecl *d = dist_called(t, e);
    while (d && e->kind == EXPR_INDEX)
        e = e->u.index.base;
    for (int k = 0; d && k < d->nparams; k++) {
        const Expr *argument = d->params[k].type && d->params[k].type->kind == TYPE_POSITIVE ? argument_of(e, d, k) : NULL;
        const Stmt *latent = latent_read(t, argument);
        const DistDecl *from = latent ? dist_called(t, latent->u.sample.dist) : NULL;
        if (!from || !from->support || from->support->kind != TYPE_REAL || from->support->low || from->support->high)
            continue;
        resolve_warn(t->r, WARNING_SCALE_SIGN, argument->span,
                     arena_printf(t->r->arena, "draw it from HalfNormal, LogNormal or Exponential, or write exp(%s)",
                                  latent->u.sample.target.name),
                     "`%s` of %s must be positive, and `%s` ~ %s can be negative", d->params[k].name, d->name,
                     latent->u.sample.target.name, from->name);
    }
}

static bool check_dists(void *self, Stmt *s) {
    if (s->kind == STMT_SAMPLE)
        check_arguments(self, s->u.sample.dist);
    if (s->kind == STMT_OBSERVE)
        check_arguments(self, s->u.observe.dist);
    return true;
}

/* -- A draw whose number is dropped -- */

static bool check_dropped(void *self, Stmt *s) {
    Tracer *t = self;
    const Expr *e = s->kind == STMT_EXPR && s != t->last ? s->u.expr : NULL;
    if (e && e->kind == EXPR_CALL && e->u.call.callee->kind == EXPR_NAME &&
        e->u.call.callee->u.name.ref.kind == REF_BUILTIN && strcmp(e->u.call.callee->u.name.name, "draw") == 0)
        resolve_warn(t->r, WARNING_UNUSED_DRAW, s->span, "x = draw(D) keeps it; x ~ D makes it a random variable of the model",
                     "the number drawn here is not used");
    return s->kind != STMT_IF; /* the last line of a branch may be its value */
}

void check_suspicious(Resolver *r, Function *f) {
    if (!f->body)
        return;
    Tracer t = {.r = r, .last = f->body->n ? f->body->statements[f->body->n - 1] : NULL};
    walk_block(&(Walk){&t, NULL, check_dropped}, f->body);
    if (f->kind != FUNCTION_MODEL)
        return;
    trace_block(&t, f->body);
    if (t.n >= MOST_FLOWS)
        return;
    walk_block(&(Walk){&t, NULL, check_dists}, f->body);
    if (t.observes)
        warn_without_data(&t);
}
