#include "cli/data.h"

#include <string.h>

#include "io/data.h"

typedef struct Declared {
    const char *name;
    const Tensor *value; /* NULL: not given */
    bool has_missing;
} Declared;

typedef struct Supply {
    Session *session;
    Declared *list;
    const char **names; /* of the list */
    int n, capacity;
} Supply;

static void add_declared(Supply *p, const char *name) {
    if (p->n == p->capacity) {
        int capacity = p->capacity ? 2 * p->capacity : 16;
        Declared *list = ARENA_ARRAY(p->session->arena, Declared, capacity);
        const char **names = ARENA_ARRAY(p->session->arena, const char *, capacity);
        if (p->n) memcpy(list, p->list, sizeof *list * (size_t)p->n);
        if (p->n) memcpy(names, p->names, sizeof *names * (size_t)p->n);
        p->list = list;
        p->names = names;
        p->capacity = capacity;
    }
    p->names[p->n] = name;
    p->list[p->n++] = (Declared){.name = name};
}

/* The data of a module and of those it imports. */
static void find_declared(Supply *p, const Module *m) {
    for (int k = 0; m && k < m->body->n; k++) {
        const Stmt *s = m->body->statements[k];
        if (s->kind == STMT_DATA) add_declared(p, s->u.data.name);
        if (s->kind == STMT_IMPORT) find_declared(p, s->u.import.module);
    }
}

static Declared *declared_find(Supply *p, const char *name) {
    for (int k = 0; k < p->n; k++)
        if (strcmp(p->names[k], name) == 0) return &p->list[k];
    return NULL;
}

/* "a, b and c", or "none". */
static const char *list_text(Arena *a, const char *const *names, int n) {
    Buf b = {0};
    for (int k = 0; k < n; k++) buf_printf(&b, "%s%s", k == 0 ? "" : k == n - 1 ? " and " : ", ", names[k]);
    const char *text = arena_strdup(a, n ? b.text : "none");
    buf_free(&b);
    return text;
}

static const char *declared_hint(Supply *p, const char *name) {
    Arena *a = p->session->arena;
    const char *near = nearest_name(name, p->names, p->n);
    return near ? arena_printf(a, "did you mean %s?", near)
                : arena_printf(a, "the program declares these data: %s", list_text(a, p->names, p->n));
}

static void give(Supply *p, const char *name, const Tensor *value, bool has_missing) {
    for (int k = 0; k < p->n; k++)
        if (strcmp(p->names[k], name) == 0) {
            p->list[k].value = value;
            p->list[k].has_missing = has_missing;
        }
}

static void supply_named(Supply *p, const char *name, const char *path) {
    Session *s = p->session;
    if (!declared_find(p, name)) {
        ctx_warn(s->ctx, WARNING_UNKNOWN_DATA, SPAN_NONE, declared_hint(p, name), "--data %s=%s: the program declares no data %s", name, path,
                 name);
        return;
    }
    const Data *d = data_read(s->ctx, s->arena, path, SPAN_NONE);
    bool has_missing = false;
    const Tensor *value = data_whole(s->ctx, s->arena, d, name, SPAN_NONE, &has_missing);
    give(p, name, value, has_missing);
}

/* Files often hold more than a program reads; but a name close to one that is still without data may be misspelt. */
static void warn_misspelt(Supply *p, const Data *d) {
    for (int k = 0; k < d->n; k++) {
        const char *name = d->items[k].name, *near = declared_find(p, name) ? NULL : nearest_name(name, p->names, p->n);
        if (near && !declared_find(p, near)->value)
            ctx_warn(p->session->ctx, WARNING_UNKNOWN_DATA, SPAN_NONE, NULL, "'%s': the program declares no data %s; did you mean %s?",
                     d->path, name, near);
    }
}

static void supply_file(Supply *p, const char *path) {
    Session *s = p->session;
    const Data *d = data_read(s->ctx, s->arena, path, SPAN_NONE);
    if (d->kind == DATA_ARRAY)
        ctx_raise(s->ctx, ERROR_USAGE, SPAN_NONE,
                  arena_printf(s->arena, "the program declares these data: %s", list_text(s->arena, p->names, p->n)),
                  "'%s' holds one array without a name: say whose it is with --data NAME=%s", path, path);
    int given = 0;
    for (int k = 0; k < d->n; k++) {
        const DataItem *item = &d->items[k];
        if (!declared_find(p, item->name)) continue;
        give(p, item->name, data_value(s->ctx, d, item, SPAN_NONE), item->has_missing);
        given++;
    }
    warn_misspelt(p, d);
    if (given > 0) return;
    const char **names = ARENA_ARRAY(s->arena, const char *, d->n + 1);
    for (int k = 0; k < d->n; k++) names[k] = d->items[k].name;
    ctx_warn(s->ctx, WARNING_UNKNOWN_DATA, SPAN_NONE,
             arena_printf(s->arena, "the program declares these data: %s", list_text(s->arena, p->names, p->n)),
             "'%s' is not used: the program declares none of its names (%s)", path, list_text(s->arena, names, d->n));
}

/* The length of NAME in NAME=FILE, 0 where it is only a FILE. */
static size_t name_length(const char *text) {
    size_t n = strcspn(text, "=");
    if (text[n] != '=' || n == 0 || (text[0] >= '0' && text[0] <= '9')) return 0;
    return strcspn(text, "/. -") < n ? 0 : n;
}

void data_supply(Session *s) {
    Supply p = {.session = s};
    find_declared(&p, s->module);
    for (int k = 0; k < s->options->ndata; k++) {
        const char *text = s->options->data[k];
        size_t n = name_length(text);
        if (n > 0)
            supply_named(&p, arena_printf(s->arena, "%.*s", (int)n, text), text + n + 1);
        else
            supply_file(&p, text);
    }
    for (int k = 0; k < p.n; k++)
        if (p.list[k].value) interp_supply_data(s->interp, p.list[k].name, p.list[k].value, p.list[k].has_missing);
}
