/* A guide against its model, as far as the text tells; the rest is looked at before the first step. */
#include <math.h>
#include <string.h>

#include "base/strings.h"
#include "lang/resolve.h"
#include "lang/walk.h"

typedef struct Site {
    const char *name;
    Span span;
    bool latent;
    bool certain; /* drawn in every run, and by its own distribution, not by a nested model */
} Site;

typedef struct Sites {
    Resolver *r;
    Site *list;
    int n, capacity;
    Table first;    /* of each name */
    int conditions; /* how many ifs and loops stand around */
    bool may_have_returned;
} Sites;

/* Latents with finite support may be summed out: a guide need not cover them. */
static bool has_finite_support(Resolver *r, const Expr *callee) {
    static const char *const FINITE[] = {"Bernoulli", "Categorical", "Binomial", "BetaBinomial", "DiscreteUniform",
                                         "Hypergeometric", "OrderedLogistic", "OrderedProbit", "Multinomial"};
    for (size_t i = 0; i < sizeof FINITE / sizeof *FINITE; i++)
        if (strcmp(callee->u.name.name, FINITE[i]) == 0)
            return true;
    const Global *g = library_global(r->g, callee->u.name.ref);
    const DistDecl *d = g ? g->dist : NULL;
    const Expr *high = d ? d->support->high : NULL;
    bool bounded = high && !(high->kind == EXPR_NUMBER && isinf(high->u.number));
    return d && (d->support->kind == TYPE_BOOL || (d->support->kind == TYPE_INT && bounded));
}

/* A call of a distribution by its name, repeated or not. */
static bool is_plain_distribution(Resolver *r, const Expr *dist) {
    while (dist->kind == EXPR_INDEX)
        dist = dist->u.index.base;
    const Expr *callee = dist->kind == EXPR_CALL ? dist->u.call.callee : NULL;
    if (!callee || callee->kind != EXPR_NAME || callee->u.name.ref.kind == REF_LOCAL)
        return false;
    const char first = callee->u.name.name[0];
    return first >= 'A' && first <= 'Z' && !has_finite_support(r, callee) &&
           (callee->u.name.ref.kind != REF_GLOBAL || lang_global(r->g, callee->u.name.ref.slot)->kind == GLOBAL_DIST);
}

static void add_site(Sites *q, const Stmt *s) {
    ARENA_GROW(q->r->arena, q->list, q->n, q->capacity, 16);
    const Target *t = &s->u.sample.target;
    q->list[q->n++] = (Site){t->name, t->span, s->u.sample.role == ROLE_LATENT,
                             q->conditions == 0 && !q->may_have_returned && is_plain_distribution(q->r, s->u.sample.dist)};
}

static bool visit_expr(void *self, Expr *e);

static bool visit_stmt(void *self, Stmt *s) {
    Sites *q = self;
    Walk w = {q, visit_expr, visit_stmt};
    switch (s->kind) {
    case STMT_SAMPLE:
        add_site(q, s);
        return true;
    case STMT_RETURN:
        q->may_have_returned = true;
        return true;
    case STMT_IF:
        q->conditions++;
        walk_block(&w, s->u.if_.then);
        walk_block(&w, s->u.if_.otherwise);
        q->conditions--;
        return false;
    case STMT_FOR: case STMT_WHILE: case STMT_REFINE:
        q->conditions++;
        walk_block(&w, s->kind == STMT_FOR ? s->u.for_.body : s->kind == STMT_WHILE ? s->u.while_.body : s->u.refine.body);
        q->conditions--;
        return false;
    default:
        return s->kind != STMT_FUNCTION;
    }
}

static bool visit_expr(void *self, Expr *e) {
    Sites *q = self;
    if (e->kind == EXPR_IF) {
        Walk w = {q, visit_expr, visit_stmt};
        q->conditions++;
        walk_block(&w, e->u.if_.then);
        walk_block(&w, e->u.if_.otherwise);
        q->conditions--;
        return false;
    }
    return e->kind != EXPR_LAMBDA;
}

static Sites sites_of(Resolver *r, const Function *f) {
    Sites q = {.r = r};
    walk_block(&(Walk){&q, visit_expr, visit_stmt}, f->body);
    for (int i = q.n - 1; i >= 0; i--)
        if (q.list[i].name)
            table_set(&q.first, r->arena, q.list[i].name, &q.list[i]);
    return q;
}

static const Site *site_find(const Sites *q, const char *name) { return table_get(&q->first, name); }

static const char *hint_for_invented(Resolver *r, const Function *model, const Sites *sites, const char *name) {
    const char **names = ARENA_ARRAY(r->arena, const char *, sites->n);
    int n = 0;
    Buf b = {0};
    for (int i = 0; i < sites->n; i++)
        if (sites->list[i].latent && site_find(sites, sites->list[i].name) == &sites->list[i]) {
            buf_printf(&b, "%s%s", n > 0 ? ", " : "", sites->list[i].name);
            names[n++] = sites->list[i].name;
        }
    const char *near = nearest_name(name, names, n);
    const char *hint = near ? arena_printf(r->arena, "did you mean %s?", near)
                       : n > 0 ? arena_printf(r->arena, "%s draws %s", model->name, b.text) : NULL;
    buf_free(&b);
    return hint;
}

void check_guide(Resolver *r, const Function *guide) {
    const Function *model = guide->kind == FUNCTION_GUIDE ? resolve_model_of(r, guide) : NULL;
    if (!model || !model->body)
        return;
    Sites drawn = sites_of(r, model), covered = sites_of(r, guide);
    for (int i = 0; i < covered.n; i++)
        if (covered.list[i].name && !site_find(&drawn, covered.list[i].name))
            resolve_error(r, covered.list[i].span, hint_for_invented(r, model, &drawn, covered.list[i].name),
                          "%s is drawn by the guide %s, but it is no latent variable of the model %s",
                          covered.list[i].name, guide->name, model->name);
    if (guide->with)
        return;
    for (int i = 0; i < drawn.n; i++) {
        const Site *s = &drawn.list[i];
        if (s->latent && s->certain && s->name && !site_find(&covered, s->name) && site_find(&drawn, s->name) == s)
            resolve_error(r, guide->span,
                          arena_printf(r->arena, "add %s ~ ... to %s, or write guide %s for %s with auto_normal() { ... }",
                                       s->name, guide->name, guide->name, model->name),
                          "the guide %s does not draw %s, a latent variable of the model %s (line %d)", guide->name,
                          s->name, model->name, s->span.line);
    }
}
