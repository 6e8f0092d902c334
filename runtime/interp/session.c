/* A session: names and their values, builtins, data from outside, the standard library, running statements. */

#include "interp/session.h"

#include <assert.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mapping.h"
#include "dist/constraint.h"
#include "interp/builtins.h"
#include "interp/internal.h"
#include "interp/stdlib.h"

enum { NUMBERS_BETWEEN_TRIMS = 1 << 20 };

typedef struct Supplied {
    const char *name;
    const Tensor *value;
    bool missing, used;
} Supplied;

/* A global that a statement may have changed, and what it was. */
typedef struct Touched {
    int slot;
    Value before;
    bool changed; /* when the statement is done: */
    Value kept;   /* its value, in `home` */
    Arena *home;
} Touched;

/* What is known of a global beside its value. */
typedef struct Owned {
    Arena *home;    /* where its value lives, within in->keep; NULL: it is a plain number, say */
    int touched_by; /* the latest statement that has looked it up */
} Owned;

struct Session {
    Builtin *rows;         /* all builtins, copied into one array: a row's place is its number */
    BuiltinParams *params; /* by that number */
    Supplied *supplied;
    int nsupplied;
    Span *warned; /* places that have been warned about */
    int nwarned;
    Grown *globals_room, *owned_room, *touched_room; /* for in->globals and: */
    Owned *owned;     /* per global */
    Touched *touched; /* globals that the statement at work has looked up */
    int ntouched, touched_capacity, capacity, statement;
    size_t asked; /* of in->arena before the statement at work */
};

/* -- Builtins -- */

static BuiltinParams parse_signature(Interp *in, const char *s) {
    BuiltinParams p = {0};
    int capacity = 1;
    for (const char *c = s; c && *c; c++) capacity += *c == ',';
    p.names = ARENA_ARRAY(in->keep, const char *, capacity);
    p.optional = ARENA_ARRAY(in->keep, bool, capacity);
    while (s && *s) {
        s += strspn(s, "(), ");
        size_t n = strcspn(s, "(), =");
        if (n == 0) break;
        if (strncmp(s, "...", 3) == 0) p.rest = true;
        else {
            char *name = arena_alloc(in->keep, n + 1);
            memcpy(name, s, n);
            p.names[p.n] = name;
            p.optional[p.n++] = s[n + strspn(s + n, " ")] == '=';
        }
        s += strcspn(s, ",)");
    }
    return p;
}

const BuiltinParams *session_builtin_params(const Interp *in, const Builtin *b) {
    return &in->session->params[b - in->session->rows];
}

static bool has_builtin(const Interp *in, const char *name) {
    for (int k = 0; k < in->nbuiltins; k++)
        if (strcmp(in->builtins[k]->name, name) == 0) return true;
    return false;
}

static void add_tables(Interp *in, const Builtin *const *tables) {
    for (; *tables; tables++)
        for (const Builtin *b = *tables; b->name; b++) {
            in->session->rows[in->nbuiltins] = *b;
            in->builtins[in->nbuiltins] = &in->session->rows[in->nbuiltins];
            in->nbuiltins++;
        }
}

static int count_tables(const Builtin *const *tables) {
    int n = 0;
    for (; *tables; tables++)
        for (const Builtin *b = *tables; b->name; b++) n++;
    return n;
}

/* Every elementwise operation with a name in the language is a function of it. */
static void add_operations(Interp *in) {
    static const char *const signatures[] = {"()", "(x)", "(a, b)", "(a, b, c)"};
    for (int op = 0; op < OP_COUNT; op++) {
        const OpInfo *info = op_info((Op)op);
        if (!info->lang_name || !info->elementwise || info->arity > 3 || has_builtin(in, info->lang_name)) continue;
        Builtin *b = &in->session->rows[in->nbuiltins];
        *b = (Builtin){.name = info->lang_name, .signature = signatures[info->arity], .op = op, .doc = "elementwise"};
        in->builtins[in->nbuiltins++] = b;
    }
}

Interp *interp_new(Ctx *c, const Builtin *const *const *layers) {
    Interp *in = ARENA_NEW(c->session, Interp);
    in->ctx = c;
    in->keep = ctx_arena(c);
    in->arena = ctx_arena(c);
    in->tape = tape_new(c, in->arena, false);
    in->session = ARENA_NEW(in->keep, struct Session);
    *in->session = (struct Session){
        .globals_room = arena_grown(in->keep), .owned_room = arena_grown(in->keep), .touched_room = arena_grown(in->keep)};
    int most = count_tables(interp_builtin_tables) + OP_COUNT;
    for (int k = 0; layers[k]; k++) most += count_tables(layers[k]);
    in->builtins = ARENA_ARRAY(in->keep, const Builtin *, most);
    in->session->rows = ARENA_ARRAY(in->keep, Builtin, most);
    add_tables(in, interp_builtin_tables);
    for (int k = 0; layers[k]; k++) add_tables(in, layers[k]);
    add_operations(in);
    in->session->params = ARENA_ARRAY(in->keep, BuiltinParams, in->nbuiltins);
    BuiltinName *names = ARENA_ARRAY(in->keep, BuiltinName, in->nbuiltins);
    for (int k = 0; k < in->nbuiltins; k++) {
        in->session->params[k] = parse_signature(in, in->builtins[k]->signature);
        names[k] = (BuiltinName){in->builtins[k]->name, in->builtins[k]->signature};
    }
    in->names = lang_globals_new(c, names, in->nbuiltins);
    return in;
}

void interp_free(Interp *in) {
    if (!in) return;
    arena_free(in->arena);
    arena_free(in->keep);
    in->arena = in->keep = NULL;
}

Value interp_lookup(Interp *in, const char *name) {
    int number = lang_library_find(in->names, name);
    if (number >= 0) return *library_slot(in, number);
    for (int k = 0; k < in->nbuiltins; k++)
        if (strcmp(in->builtins[k]->name, name) == 0) return (Value){VALUE_BUILTIN, .u.builtin = in->builtins[k]};
    return value_none();
}

/* -- Data -- */

void interp_supply_data(Interp *in, const char *name, const Tensor *value, bool has_missing) {
    struct Session *s = in->session;
    if ((s->nsupplied & (s->nsupplied - 1)) == 0) { /* full: its room is a power of 2 */
        Supplied *list = ARENA_ARRAY(in->keep, Supplied, 2 * s->nsupplied + 1);
        if (s->nsupplied) memcpy(list, s->supplied, sizeof *list * (size_t)s->nsupplied);
        s->supplied = list;
    }
    s->supplied[s->nsupplied++] = (Supplied){arena_strdup(in->keep, name), tensor_keep(in->ctx, in->keep, value), has_missing, false};
}

static Value data_value(Interp *in, const Stmt *s) {
    const char *name = s->u.data.name;
    for (int k = in->session->nsupplied - 1; k >= 0; k--) {
        Supplied *d = &in->session->supplied[k];
        if (strcmp(d->name, name) != 0) continue;
        d->used = true;
        Value v = value_tensor(in, d->value);
        if (v.kind == VALUE_ARRAY) v.u.array->missing = d->missing;
        return v;
    }
    if (s->u.data.default_value) return eval(in, NULL, s->u.data.default_value);
    ctx_raise(in->ctx, ERROR_PROGRAM, s->u.data.name_span,
              arena_printf(in->arena, "give them with --data FILE or --data %s=FILE, or a default: data %s = ...", name, name),
              "the data `%s` were not given and have no default", name);
}

static void check_sizes(Interp *in, const Stmt *s, Shape shape) {
    const Type *t = s->u.data.type;
    const char *name = s->u.data.name;
    bool square = t->kind == TYPE_COV || t->kind == TYPE_CORR_CHOLESKY;
    int rank = t->nsizes + (square && t->nsizes ? 1 : 0);
    if (t->kind == TYPE_ANY && rank == 0) return;
    if ((t->kind == TYPE_SIMPLEX || t->kind == TYPE_ORDERED) && rank == 0) rank = 1;
    if (shape.rank != rank)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->u.data.name_span, NULL, "`%s` is declared with %d dimension%s, the data have shape %s", name, rank,
                  rank == 1 ? "" : "s", shape_text(in->arena, shape));
    for (int k = 0; k < t->nsizes; k++) {
        int slot = t->bind_slot ? t->bind_slot[k] : -1;
        Value *bound = slot >= 0 ? session_global(in, slot) : NULL;
        if (bound && bound->kind == VALUE_NONE) {
            *bound = value_number((double)shape.dim[k]);
            continue;
        }
        int64_t want = value_to_int(in, bound ? *bound : eval(in, NULL, t->sizes[k]), t->sizes[k]->span, "a size");
        if (want != shape.dim[k])
            ctx_raise(in->ctx, ERROR_PROGRAM, t->sizes[k]->span, NULL, "dimension %d of `%s` is declared %ld, the data have shape %s", k + 1, name,
                      (long)want, shape_text(in->arena, shape));
    }
}

static double bound_of(Interp *in, const Expr *e, double otherwise) {
    return e ? value_to_number(in, eval(in, NULL, e), e->span, "a bound") : otherwise;
}

static void check_numbers(Interp *in, const Stmt *s, const Tensor *x) {
    const Type *t = s->u.data.type;
    double low = bound_of(in, t->low, t->kind == TYPE_POSITIVE || t->kind == TYPE_UNIT || t->kind == TYPE_BOOL ? 0 : -INFINITY);
    double high = bound_of(in, t->high, t->kind == TYPE_UNIT || t->kind == TYPE_BOOL ? 1 : INFINITY);
    bool whole = t->kind == TYPE_INT || t->kind == TYPE_BOOL;
    char *declared = arena_strdup(in->arena, lang_type_name(t->kind));
    if (t->low || t->high) declared = arena_printf(in->arena, "%s(%g, %g)", declared, low, high);
    int64_t n = low == -INFINITY && high == INFINITY && !whole ? 0 : shape_size(x->shape);
    for (int64_t i = 0; i < n; i++) {
        if (i % NUMBERS_BETWEEN_TRIMS == 0) mappings_trim(in->ctx);
        double v = tensor_item(x, i);
        if (isnan(v)) continue;
        bool ok = v >= low && v <= high && !(t->kind == TYPE_POSITIVE && v <= 0) && !(whole && v != floor(v));
        if (!ok && x->shape.rank)
            ctx_raise(in->ctx, ERROR_PROGRAM, s->u.data.name_span, NULL, "element %ld of `%s` is %g, declared is %s", (long)(i + 1), s->u.data.name, v,
                      declared);
        if (!ok) ctx_raise(in->ctx, ERROR_PROGRAM, s->u.data.name_span, NULL, "`%s` is %g, declared is %s", s->u.data.name, v, declared);
    }
    static const struct { TypeKind type; ConstraintKind constraint; } kinds[] = {
        {TYPE_SIMPLEX, CONSTRAINT_SIMPLEX}, {TYPE_ORDERED, CONSTRAINT_ORDERED}, {TYPE_COV, CONSTRAINT_COV}, {TYPE_CORR_CHOLESKY, CONSTRAINT_CORR_CHOLESKY}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        Constraint c = {.kind = kinds[k].constraint};
        if (t->kind == kinds[k].type && !constraint_holds(in->ctx, &c, x))
            ctx_raise(in->ctx, ERROR_PROGRAM, s->u.data.name_span, NULL, "`%s` is not a %s", s->u.data.name, constraint_name(c.kind));
    }
}

static void bind_data(Interp *in, const Stmt *s) {
    Value v = data_value(in, s);
    if (!value_is_numeric(v) && s->u.data.type)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->u.data.name_span, NULL, "`%s` must be a number or an array; this is %s", s->u.data.name, value_describe(in, v));
    if (s->u.data.type && value_is_numeric(v)) {
        check_sizes(in, s, value_event_shape(in, v, s->u.data.name_span));
        Array a = value_array(in, v, s->u.data.name_span, s->u.data.name);
        check_numbers(in, s, a.var.value);
    }
    if (v.kind == VALUE_RANGE) v = value_tensor(in, value_array(in, v, s->span, s->u.data.name).var.value);
    *session_global(in, s->u.data.slot) = v;
}

void session_warn_once(Interp *in, Warning which, Span at, const char *hint, const char *format, ...) {
    struct Session *s = in->session;
    for (int k = 0; k < s->nwarned; k++)
        if (memcmp(&s->warned[k], &at, sizeof at) == 0) return;
    Span *more = ARENA_ARRAY(in->keep, Span, s->nwarned + 1);
    if (s->nwarned) memcpy(more, s->warned, sizeof at * (size_t)s->nwarned);
    more[s->nwarned++] = at;
    s->warned = more;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx_warn(in->ctx, which, at, hint, "%s", text);
}

/* -- Statements -- */

static void grow_globals(Interp *in) {
    struct Session *s = in->session;
    int n = lang_globals_count(in->names);
    if (n > s->capacity) {
        s->capacity = 2 * n;
        in->globals = grown_resize(s->globals_room, sizeof *in->globals * (size_t)s->capacity);
        s->owned = grown_resize(s->owned_room, sizeof *s->owned * (size_t)s->capacity);
    }
    for (int k = in->nglobals; k < n; k++) in->globals[k] = value_none(), s->owned[k] = (Owned){0};
    in->nglobals = n;
}

Value *session_global(Interp *in, int slot) {
    struct Session *s = in->session;
    if (s->owned[slot].touched_by == s->statement) return &in->globals[slot];
    s->owned[slot].touched_by = s->statement;
    if (s->ntouched == s->touched_capacity) {
        s->touched_capacity = s->touched_capacity ? 2 * s->touched_capacity : 16;
        s->touched = grown_resize(s->touched_room, sizeof *s->touched * (size_t)s->touched_capacity);
    }
    s->touched[s->ntouched++] = (Touched){.slot = slot, .before = in->globals[slot]};
    return &in->globals[slot];
}

/* How much of this thread's stack evaluation may use. */
static size_t stack_available(const char *here) {
    pthread_attr_t attr;
    void *lowest;
    size_t size, left = 6u << 20;
    if (pthread_getattr_np(pthread_self(), &attr) != 0) return left;
    if (pthread_attr_getstack(&attr, &lowest, &size) == 0) left = (size_t)(here - (char *)lowest) / 8 * 7;
    pthread_attr_destroy(&attr);
    return left;
}

/* A statement at work. */
typedef struct Running {
    Interp *in;
    const Stmt *statement;
    Value last;
} Running;

static bool has_changed(const Interp *in, const Touched *t) { return memcmp(&t->before, &in->globals[t->slot], sizeof(Value)) != 0; }

int session_changed(Interp *in, Value **values) {
    const struct Session *s = in->session;
    int n = 0;
    for (int k = 0; k < s->ntouched; k++)
        if (has_changed(in, &s->touched[k])) values[n++] = &in->globals[s->touched[k].slot];
    return n;
}

static void release_home(void *home) { arena_free(home); }

/* The global lives in `home` from here on; what it was goes when the statement's arena does. */
static void move_in(Interp *in, int slot, Value v, Arena *home) {
    Arena **now = &in->session->owned[slot].home;
    if (*now) arena_defer(in->arena, release_home, *now);
    *now = home;
    in->globals[slot] = v;
}

static bool is_in_place(Value v) { return v.kind == VALUE_NONE || v.kind == VALUE_NOTHING || v.kind == VALUE_NUMBER || v.kind == VALUE_BUILTIN; }

void interp_bind(Interp *in, int slot, Value v) {
    Arena *home = is_in_place(v) ? NULL : arena_child(in->keep);
    move_in(in, slot, home ? value_keep(in, home, v) : v, home);
}

/* All are copied before the first is bound: that may raise. */
static void keep_bound(Interp *in) {
    struct Session *s = in->session;
    for (int k = 0; k < s->ntouched; k++) {
        Touched *t = &s->touched[k];
        t->kept = in->globals[t->slot];
        t->changed = has_changed(in, t);
        if (!t->changed || is_in_place(t->kept)) continue;
        t->home = arena_child(in->keep);
        t->kept = value_keep(in, t->home, t->kept);
    }
    for (int k = 0; k < s->ntouched; k++)
        if (s->touched[k].changed) move_in(in, s->touched[k].slot, s->touched[k].kept, s->touched[k].home);
}

/* Nothing is bound to what the next statement's reset frees. */
static void unbind(Interp *in) {
    struct Session *s = in->session;
    for (int k = 0; k < s->ntouched; k++) {
        Touched *t = &s->touched[k];
        in->globals[t->slot] = t->before;
        arena_free(t->home);
        t->home = NULL;
    }
}

/* What the statement bound outlives its arena. */
static void run_statement(void *self) {
    Running *r = self;
    Interp *in = r->in;
    if (r->statement->kind == STMT_DATA) bind_data(in, r->statement);
    else exec(in, NULL, r->statement, &r->last);
    keep_bound(in);
}

/* Much goes back to the system: pieces a little too small for what the next statement makes would pile up. */
static void reset_arena(Interp *in) {
    enum { MUCH = 32 << 10 };
    size_t *before = &in->session->asked, now = arena_asked(in->arena);
    if (now - *before > MUCH)
        arena_clear(in->arena);
    else
        arena_reset(in->arena);
    *before = now;
}

void interp_run_statement(Interp *in, const Stmt *s, Value *result) {
    char here;
    if (!in->stack_limit) in->stack_limit = stack_available(&here);
    in->stack_base = (uintptr_t)&here;
    if (s->kind == STMT_IMPORT) {
        if (s->u.import.module) interp_run_module(in, s->u.import.module);
        return;
    }
    grow_globals(in);
    reset_arena(in);
    in->renewals++;
    in->plain = in->tape = tape_new(in->ctx, in->arena, false);
    in->handler = NULL, in->nplates = 0, in->round = NULL, in->selecting = NULL, in->address = NULL, in->draw = NULL, in->depth = 0, in->overlay = NULL, in->dist_level = 0;
    in->ctx->span = s->span;
    struct Session *session = in->session;
    session->statement++, session->ntouched = 0;
    Arena *arena = in->arena;
    Running r = {in, s, value_nothing()};
    Error caught;
    if (!ctx_protect(in->ctx, run_statement, &r, &caught)) {
        in->arena = arena;
        unbind(in);
        if (caught.kind >= ERROR_ELEMENTWISE) caught.kind = ERROR_PROGRAM; /* nobody could do better */
        ctx_reraise(in->ctx, &caught);
    }
    if (result) *result = r.last;
}

void interp_run_module(Interp *in, const Module *m) {
    for (int k = 0; k < m->body->n; k++) interp_run_statement(in, m->body->statements[k], NULL);
}

/* -- The library -- */

void interp_load_stdlib(Interp *in) {
    assert(in->ctx->nsources == 0);
    for (int k = 0; k < stdlib_nfiles; k++) {
        const StdlibFile *f = &stdlib_files[k];
        ctx_add_static_source(in->ctx, f->name, f->text, f->length);
    }
    lang_globals_library(in->names, stdlib_entries, stdlib_nentries, 0);
    in->library = ARENA_ARRAY(in->keep, Value, stdlib_nentries);
}

static Value library_value(Interp *in, const Global *g) {
    if (g->dist) return (Value){VALUE_FAMILY, .u.family = family_new(in, in->keep, g->dist)};
    if (g->constant) return value_keep(in, in->keep, eval(in, NULL, g->constant));
    Closure *c = ARENA_NEW(in->keep, Closure);
    *c = (Closure){.function = g->function};
    return (Value){VALUE_FUNCTION, .u.closure = c};
}

Value *library_slot(Interp *in, int number) {
    Value *v = &in->library[number];
    if (v->kind == VALUE_NONE) *v = library_value(in, lang_library(in->names, number));
    return v;
}
