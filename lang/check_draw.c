/* What is drawn and bound: roles of ~, addresses in plates and loops, names that may not be bound again. */
#include <string.h>

#include "base/strings.h"
#include "lang/resolve.h"
#include "lang/walk.h"

enum { MAX_PLATES = 64 };

/* -- Texts -- */

/* A short expression as it was written, or NULL. */
static const char *source_text(Resolver *r, const Expr *e) {
    const Source *source = &r->ctx->sources[e->span.file];
    if (e->span.line != e->span.end_line)
        return NULL;
    const char *s = source->text, *end = source->text + source->length;
    for (int line = 1; line < e->span.line && s < end; s++)
        line += *s == '\n';
    if (e->span.line == 1 && strncmp(s, "\xEF\xBB\xBF", 3) == 0)
        s += 3;
    const char *first = NULL;
    int column = 1;
    for (; s < end && column < e->span.end_column; s++) {
        if (column == e->span.column && !first)
            first = s;
        if (s + 1 == end || ((unsigned char)s[1] & 0xC0) != 0x80)
            column++;
    }
    return first && s - first <= 30 ? arena_printf(r->arena, "%.*s", (int)(s - first), first) : NULL;
}

/* "x[t, i]": the plates' indices, those written, and one more. */
static const char *address_text(Resolver *r, const Target *t, const PlateRange **plates, int n, const char *more) {
    Buf b = {0};
    int count = 0;
    buf_add(&b, t->name);
    for (int i = 0; i < n; i++)
        buf_printf(&b, "%s%s", count++ ? ", " : "[", plates[i]->name);
    for (int i = 0; i < t->nindices; i++) {
        const Expr *e = t->indices[i];
        bool of_plate = false;
        for (int k = 0; k < n; k++)
            of_plate |= e && e->kind == EXPR_NAME && e->u.name.name == plates[k]->name;
        const char *text = e ? source_text(r, e) : ":";
        if (!of_plate)
            buf_printf(&b, "%s%s", count++ ? ", " : "[", text ? text : "...");
    }
    if (more)
        buf_printf(&b, "%s%s", count++ ? ", " : "[", more);
    if (count)
        buf_add_char(&b, ']');
    const char *text = arena_strdup(r->arena, b.text);
    buf_free(&b);
    return text;
}

const char *check_target_text(Resolver *r, const Target *t) { return address_text(r, t, NULL, 0, NULL); }

static const char *plates_text(Resolver *r, const PlateRange **plates, int n) {
    Buf b = {0};
    buf_add(&b, n == 1 ? "plate " : "plates ");
    for (int i = 0; i < n; i++)
        buf_printf(&b, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", plates[i]->name);
    const char *text = arena_strdup(r->arena, b.text);
    buf_free(&b);
    return text;
}

/* "N copies", where the range is 1..N. */
static const char *copies_text(Resolver *r, const PlateRange **plates, int n) {
    Buf b = {0};
    for (int i = 0; i < n; i++) {
        const Expr *range = plates[i]->range;
        bool from_one = range->kind == EXPR_RANGE && range->u.range.first->kind == EXPR_NUMBER &&
                        range->u.range.first->u.number == 1;
        const char *size = from_one ? source_text(r, range->u.range.last) : NULL;
        if (!size) {
            buf_free(&b);
            return "one for each element";
        }
        buf_printf(&b, "%s%s", i > 0 ? " x " : "", size);
    }
    const char *text = arena_printf(r->arena, "%s copies", b.text);
    buf_free(&b);
    return text;
}

/* -- Addresses -- */
static bool is_index(const Expr *e, const char *name) {
    return e && e->kind == EXPR_NAME && e->u.name.name == name;
}

/* Does the target carry the plates' indices, in their order? Others may stand between (y[s, t], t of a loop). */
static bool carries_plates(const Target *t, const PlateRange **plates, int n) {
    int have = 0;
    for (int i = 0; i < t->nindices && have < n; i++)
        have += is_index(t->indices[i], plates[have]->name);
    return have == n;
}

static int leading_plates(const Target *t, const PlateRange **plates, int n) {
    int k = 0;
    while (k < n && k < t->nindices && is_index(t->indices[k], plates[k]->name))
        k++;
    return k;
}

/* Does the name take other values in each round of the loop, as far as the text tells? */
typedef struct Search {
    const Stmt *loop;
    const char *name;
    bool found;
    int depth; /* of loops whose ranges were looked at */
} Search;

static bool range_changes(const Search *q, Expr *over);

static bool binds_name(void *self, Stmt *s) {
    Search *q = self;
    switch (s->kind) {
    case STMT_ASSIGN: case STMT_RECORD:
        q->found |= s->u.assign.target.name == q->name;
        break;
    case STMT_UNPACK:
        for (int i = 0; i < s->u.unpack.n; i++)
            q->found |= s->u.unpack.targets[i].name == q->name;
        break;
    case STMT_SAMPLE:
        q->found |= s->u.sample.target.name == q->name;
        break;
    case STMT_FOR: /* the same values in every round, but where its range changes */
        q->found |= s->u.for_.name == q->name && range_changes(q, s->u.for_.over);
        break;
    case STMT_FUNCTION:
        return false;
    default:
        break;
    }
    return !q->found;
}

static bool loop_binds(const Stmt *loop, const char *name, int depth) {
    const char *index = loop->kind == STMT_FOR ? loop->u.for_.name : loop->kind == STMT_REFINE ? loop->u.refine.name : NULL;
    Search q = {loop, name, index == name, depth};
    Block *body = loop->kind == STMT_FOR ? loop->u.for_.body : loop->kind == STMT_WHILE ? loop->u.while_.body
                                                                                        : loop->u.refine.body;
    walk_block(&(Walk){&q, NULL, binds_name}, body);
    return q.found;
}

typedef struct Change {
    const Stmt *loop;
    bool changes;
    int depth;
} Change;

static bool may_change(void *self, Expr *e) {
    Change *c = self;
    if (e->kind == EXPR_CALL)
        c->changes = true; /* who knows; the run looks again */
    else if (e->kind == EXPR_NAME)
        c->changes |= loop_binds(c->loop, e->u.name.name, c->depth);
    return !c->changes;
}

static bool range_changes(const Search *q, Expr *over) {
    Change c = {q->loop, q->depth >= 8, q->depth + 1};
    walk_expr(&(Walk){&c, may_change, NULL}, over);
    return c.changes;
}

static bool changes_in(const Target *t, const Stmt *loop) {
    Change c = {loop, false, 0};
    for (int i = 0; i < t->nindices; i++)
        walk_expr(&(Walk){&c, may_change, NULL}, t->indices[i]);
    return c.changes;
}

static bool check_loops(Resolver *r, const Target *t, const char *verb, const PlateRange **plates, int n) {
    for (const Loop *loop = r->loops; loop; loop = loop->outer) {
        if (changes_in(t, loop->stmt))
            continue;
        const char *text = check_target_text(r, t);
        const char *index = loop->stmt->kind == STMT_FOR ? loop->stmt->u.for_.name : NULL;
        if (index)
            resolve_error(r, t->span, arena_printf(r->arena, "write %s for one in every round, or move it out of the loop",
                                                   address_text(r, t, plates, n, index)),
                          "%s is %s in every round of the loop over %s: write %s", text, verb, index,
                          address_text(r, t, plates, n, index));
        else
            resolve_error(r, t->span, "an address is used once in a run: count the rounds in an index",
                          "%s is %s in every round of the loop: write %s, where t counts the rounds", text, verb,
                          address_text(r, t, plates, n, "t"));
        return false;
    }
    return true;
}

void check_address(Resolver *r, const Target *t, const char *verb, int *nplates) {
    const PlateRange *plates[MAX_PLATES];
    int n = scope_plates(r->scope, plates, MAX_PLATES);
    if (nplates)
        *nplates = leading_plates(t, plates, n);
    for (int i = 0; i < t->nindices; i++)
        if (!t->indices[i]) {
            resolve_error(r, t->span, "for several independent ones write x ~ Normal(0, 1)[20]",
                          "expected an index of %s, found `:`", t->name);
            return;
        }
    if (!carries_plates(t, plates, n)) {
        resolve_error(r, t->span, NULL, "%s is %s inside the %s: write %s for %s, or move it out of the plate for one",
                      check_target_text(r, t), verb, plates_text(r, plates, n), address_text(r, t, plates, n, NULL),
                      copies_text(r, plates, n));
        return;
    }
    check_loops(r, t, verb, plates, n);
}

/* -- Roles of ~ -- */
static const char *binding_text(Resolver *r, unsigned how, Span at) {
    const char *by = how & BOUND_ASSIGNED ? "bound by `=`" : how & BOUND_RECORDED ? "bound by `:=`"
                     : how & BOUND_LEARNED ? "declared by `param`" : how & BOUND_INDEX ? "an index" : "a function";
    return arena_printf(r->arena, "%s on line %d", by, at.line);
}

static void report_bound(Resolver *r, const Target *t, const char *how) {
    if (r->frame->function && r->frame->function->kind == FUNCTION_GUIDE)
        resolve_error(r, t->span, "a guide draws the latent variables of its model, under their names",
                      "%s is %s, so `%s ~` draws no latent variable", t->name, how, t->name);
    else
        resolve_error(r, t->span,
                      arena_printf(r->arena, "to observe it, declare it: data %s = ...; to score a value, write observe %s "
                                   "~ D, or factor logpdf(D, %s); to draw it, choose another name",
                                   t->name, t->name, t->name),
                      "%s is %s, so `%s ~` is neither a latent variable nor an observation", t->name, how, t->name);
}

/* False: reported. A guide may draw the missing elements of data: whether there are any, the run knows. */
static bool find_role(Resolver *r, Stmt *s) {
    Target *t = &s->u.sample.target;
    Found own = scope_lookup_in_function(r, t->name);
    Scope *whole = scope_of_function(r->scope);
    if (own.found) {
        unsigned wrong = own.binding->how & ~(unsigned)(BOUND_DRAWN | BOUND_CALLABLE | BOUND_ARGUMENT);
        t->ref = own.ref;
        if (wrong) {
            report_bound(r, t, binding_text(r, wrong, own.binding->span));
            return false;
        }
        if (table_get(&whole->in_plates, t->name)) {
            report_bound(r, t, "bound by `=` inside a plate");
            return false;
        }
        if (own.binding->how & BOUND_ARGUMENT)
            return true;
    }
    Scope *inner = r->scope;
    r->scope = whole->outer;
    Found outer = scope_lookup(r, t->name);
    r->scope = inner;
    if (!outer.found || outer.ref.kind == REF_LIBRARY || outer.ref.kind == REF_BUILTIN)
        return true;
    if (outer.binding && outer.scope->frame) {
        report_bound(r, t, arena_printf(r->arena, "a name of the function around it (line %d)", outer.binding->span.line));
        return false;
    }
    const Global *g = lang_global(r->g, outer.ref.slot);
    if (g->kind == GLOBAL_DATA) {
        t->ref = outer.ref;
        return true;
    }
    if (g->kind == GLOBAL_VALUE) {
        report_bound(r, t, arena_printf(r->arena, "bound at the top level (line %d)", g->span.line));
        return false;
    }
    return true;
}

void check_sample(Resolver *r, Stmt *s) {
    Target *t = &s->u.sample.target;
    if (!t->name || !r->frame || !scope_of_function(r->scope)->outer)
        return;
    if (find_role(r, s))
        check_address(r, t, s->u.sample.role == ROLE_LATENT ? "drawn" : "observed", &s->u.sample.nplates);
}

/* -- Names that may not be bound again -- */
void check_rebinding(Resolver *r, const Target *t) {
    const Scope *here = r->scope;
    if (scope_is_top(here))
        return;
    for (const Scope *s = here->outer; s; s = s->outer) {
        const Binding *b = scope_own(s, t->name);
        if (!b || (b->how & ~(unsigned)BOUND_CALLABLE) == BOUND_DRAWN)
            continue;
        if (s->frame == here->frame)
            resolve_error(r, t->span,
                          arena_printf(r->arena, "to add up over the plate write sum(...) behind it; %s[%s] = ... keeps "
                                       "one value for each element", t->name, here->plate->u.plate.ranges[0].name),
                          "%s is bound outside the plate %s (line %d): its body cannot bind it again", t->name,
                          here->plate->u.plate.ranges[0].name, b->span.line);
        else
            resolve_error(r, t->span, "choose another name, or give back the new value",
                          "%s is a name of the function around this one (line %d), which cannot bind it again", t->name,
                          b->span.line);
        return;
    }
    const Global *g = scope_protected_global(r, t->name);
    if (!g)
        return;
    const char *where = g->span.file == r->file ? arena_printf(r->arena, "line %d", g->span.line)
                                                : ctx_source_name(r->ctx, g->span.file);
    if (here->plate && !here->frame)
        resolve_error(r, t->span, "to add up over the plate write sum(...) behind it",
                      "%s is bound outside the plate %s (%s): its body cannot bind it again", t->name,
                      here->plate->u.plate.ranges[0].name, where);
    else
        resolve_error(r, t->span, "choose another name, or give back the new value",
                      "%s is a name of the top level (%s): a function cannot bind it again", t->name, where);
}

/* An element of a name from outside the plate is set at the plates' indices. */
void check_element(Resolver *r, const Target *t, const Found *f) {
    if (!f->found)
        return;
    if (!f->binding || f->scope->frame != r->frame) {
        if (r->frame)
            resolve_error(r, t->span, "give back a new array instead",
                          "%s is bound outside this function, which cannot change it", t->name);
        else if (f->ref.kind == REF_LIBRARY || f->ref.kind == REF_BUILTIN)
            resolve_error(r, t->span, NULL, "%s is a function: it has no elements", t->name);
    }
    const PlateRange *plates[MAX_PLATES];
    int n = scope_plates(r->scope, plates, MAX_PLATES);
    int outside = f->scope && f->scope->frame == r->frame ? scope_plates(f->scope, plates, MAX_PLATES) : 0;
    n = scope_plates(r->scope, plates, MAX_PLATES);
    bool of_plate = false;
    for (int i = 0; i < n; i++)
        of_plate |= t->nindices > 0 && is_index(t->indices[0], plates[i]->name);
    int need = n - outside;
    if ((need > 0 && leading_plates(t, plates + outside, need) < need) || (need == 0 && n > 0 && of_plate &&
         !(f->binding && f->binding->how & BOUND_ARGUMENT) && !is_index(t->indices[0], plates[n - 1]->name)))
        resolve_error(r, t->span, "to add up over the plate write sum(...) behind it",
                      "%s is set inside the %s: write %s for one value for each element", check_target_text(r, t),
                      plates_text(r, plates, n), address_text(r, t, plates, n, NULL));
}

/* -- The same address twice on one path -- */
typedef struct Seen {
    const char *key;
    Span span;
    const struct Seen *next;
} Seen;

typedef struct Path {
    Resolver *r;
    const Seen *seen; /* what was drawn on the way here, the latest first; */
    Table drawn;      /* the same by key */
    bool ends;        /* in a return */
} Path;

static const Seen *seen_new(Resolver *r, const char *key, Span span, const Seen *next) {
    Seen *s = ARENA_NEW(r->arena, Seen);
    *s = (Seen){key, span, next};
    return s;
}

static void path_add(Path *path, const char *key, Span span) {
    path->seen = seen_new(path->r, key, span, path->seen);
    table_set(&path->drawn, path->r->arena, key, (void *)path->seen);
}

static void path_back(Path *path, const Seen *before) {
    for (; path->seen != before; path->seen = path->seen->next)
        table_set(&path->drawn, path->r->arena, path->seen->key, NULL);
}

/* The address where it is fixed: a name with indices that are numbers; else NULL. */
static const char *fixed_address(Resolver *r, const Target *t) {
    for (int i = 0; i < t->nindices; i++)
        if (!t->indices[i] || t->indices[i]->kind != EXPR_NUMBER)
            return NULL;
    if (!t->name || t->nindices == 0)
        return t->name;
    Buf b = {0};
    buf_add(&b, t->name);
    for (int i = 0; i < t->nindices; i++) {
        buf_add(&b, i == 0 ? "[" : ", ");
        buf_add_double(&b, t->indices[i]->u.number);
    }
    buf_add_char(&b, ']');
    const char *key = names_intern(r->g->names, b.text, b.length);
    buf_free(&b);
    return key;
}

static void follow_block(Path *path, const Block *b);

static void follow_draw(Path *path, const Target *t, const char *verb) {
    const char *key = fixed_address(path->r, t);
    const Seen *before = key ? table_get(&path->drawn, key) : NULL;
    if (before)
        resolve_error(path->r, t->span, "every variable has a name of its own, or an index",
                      "%s is %s twice: first on line %d", key, verb, before->span.line);
    else if (key)
        path_add(path, key, t->span);
}

/* What was drawn for certain: in both branches, or in the one that does not return. */
static void follow_if(Path *path, const Stmt *s) {
    const Seen *before = path->seen;
    follow_block(path, s->u.if_.then);
    const Seen *then = path->seen, *kept = NULL;
    bool then_ends = path->ends;
    path_back(path, before);
    path->ends = false;
    if (s->u.if_.otherwise)
        follow_block(path, s->u.if_.otherwise);
    bool otherwise_ends = path->ends;
    path->ends = then_ends && otherwise_ends;
    if (then_ends)
        return;
    for (const Seen *k = then; k != before; k = k->next)
        if (otherwise_ends || table_get(&path->drawn, k->key))
            kept = seen_new(path->r, k->key, k->span, kept);
    path_back(path, before);
    for (; kept; kept = kept->next)
        path_add(path, kept->key, kept->span);
}

static void follow_block(Path *path, const Block *b) {
    for (int i = 0; i < b->n && !path->ends; i++) {
        const Stmt *s = b->statements[i];
        const Block *body = s->kind == STMT_FOR ? s->u.for_.body : s->kind == STMT_WHILE ? s->u.while_.body
                            : s->kind == STMT_PLATE ? s->u.plate.body : NULL;
        if (s->kind == STMT_SAMPLE)
            follow_draw(path, &s->u.sample.target, s->u.sample.role == ROLE_LATENT ? "drawn" : "observed");
        else if (s->kind == STMT_RECORD)
            follow_draw(path, &s->u.assign.target, "recorded");
        else if (s->kind == STMT_RETURN)
            path->ends = true;
        else if (s->kind == STMT_IF)
            follow_if(path, s);
        else if (body) { /* perhaps not run at all */
            const Seen *before = path->seen;
            follow_block(path, body);
            path_back(path, before);
            path->ends = false;
        }
    }
}

void check_drawn_once(Resolver *r, const Function *model) {
    Path path = {.r = r};
    if (model->body)
        follow_block(&path, model->body);
}
