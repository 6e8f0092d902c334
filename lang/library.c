/* The library on demand: a definition is parsed when it is first named and resolved before whoever named it gives back
 * control. In between it waits in a list, so that definitions which name one another do not nest. */
#include <string.h>

#include "lang/globals.h"
#include "lang/parser.h"
#include "lang/resolve.h"

void lang_globals_library(Globals *g, const LibraryEntry *entries, int n, int first_file) {
    g->library = (Library){.entries = entries, .n = n, .first_file = first_file,
                           .loaded = ARENA_ARRAY(g->ctx->session, Definition *, n)};
}

int lang_library_count(const Globals *g) { return g->library.n; }
const char *lang_library_name(const Globals *g, int k) { return g->library.entries[k].name; }

const Global *lang_library_loaded(const Globals *g, int k) {
    const Definition *d = g->library.loaded[k];
    return d ? &d->global : NULL;
}

int lang_library_find(const Globals *g, const char *name) {
    int first = 0, n = g->library.n;
    while (n > 0) {
        int order = strcmp(name, g->library.entries[first + n / 2].name);
        if (order == 0)
            return first + n / 2;
        if (order > 0)
            first += n / 2 + 1, n -= n / 2 + 1;
        else
            n /= 2;
    }
    return -1;
}

int library_find(Globals *g, const char *name) {
    NameInfo *info = name_info(name);
    if (info->library == NAME_UNSEARCHED)
        info->library = lang_library_find(g, name);
    return info->library;
}

/* What the statement defines, the number of which is k; no kind of definition: its name is NULL. */
static Global global_of(Stmt *s, int k) {
    Ref ref = {REF_LIBRARY, 0, k};
    switch (s->kind) {
    case STMT_FUNCTION: {
        const Function *f = s->u.function.function;
        s->u.function.ref = ref;
        return (Global){.name = f->name, .kind = GLOBAL_FUNCTION, .span = f->span, .function = f};
    }
    case STMT_DIST: {
        const DistDecl *d = s->u.dist.decl;
        s->u.dist.ref = ref;
        return (Global){.name = d->name, .kind = GLOBAL_DIST, .span = d->span, .dist = d};
    }
    case STMT_ASSIGN: {
        const Target *t = &s->u.assign.target;
        return (Global){.name = t->nindices == 0 ? t->name : NULL, .kind = GLOBAL_VALUE, .span = t->span,
                        .constant = s->u.assign.value};
    }
    default:
        return (Global){.name = NULL};
    }
}

static Block *parse_entry(Globals *g, const LibraryEntry *e, int file) {
    Diagnostics found = {.max_errors = 1};
    Parser p = parser_begin(g->ctx, g->names, g->ctx->sources[file].text + e->start, (size_t)e->length, file, &found);
    p.library = true;
    p.line = e->line;
    Block *body = parser_run(&p);
    parser_end(&p);
    if (!body)
        ctx_reraise(g->ctx, &found.list[0].error);
    return body;
}

const Global *library_get(Globals *g, int k) {
    Library *l = &g->library;
    if (l->loaded[k])
        return &l->loaded[k]->global;
    const LibraryEntry *e = &l->entries[k];
    Block *body = parse_entry(g, e, l->first_file + e->file);
    Global global = body->n == 1 ? global_of(body->statements[0], k) : (Global){.name = NULL};
    if (!global.name || strcmp(global.name, e->name) != 0)
        ctx_raise(g->ctx, ERROR_PROGRAM, body->span, NULL, "this is not one definition of %s", e->name);
    Definition *d = ARENA_NEW(g->ctx->session, Definition);
    *d = (Definition){.global = global, .body = body};
    *(l->unresolved ? &l->last->next : &l->unresolved) = d;
    l->loaded[k] = l->last = d;
    return &d->global;
}

void library_resolve(Globals *g) {
    static const LoadOptions NONE;
    Diagnostics found = {.max_errors = 1};
    for (Definition *d; (d = g->library.unresolved); g->library.unresolved = d->next) {
        Resolver r = {.ctx = g->ctx, .arena = g->ctx->session, .g = g, .options = &NONE, .out = &found,
                      .file = d->global.span.file, .library = true};
        resolve_module(&r, d->body);
        if (found.nerrors > 0)
            ctx_reraise(g->ctx, &found.list[0].error);
    }
}

const Global *lang_library(Globals *g, int k) {
    const Global *global = library_get(g, k);
    library_resolve(g);
    return global;
}

const Global *library_global(Globals *g, Ref ref) {
    return ref.kind == REF_GLOBAL ? lang_global(g, ref.slot) : ref.kind == REF_LIBRARY ? library_get(g, ref.slot) : NULL;
}
