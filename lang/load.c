/* From a source to a checked module, its imports first. */
#include <string.h>

#include "base/strings.h"
#include "lang/diagnostics.h"
#include "lang/globals.h"
#include "lang/parser.h"
#include "lang/resolve.h"

#include "lang/grammar.h"

enum { MAX_IMPORT_DEPTH = 50 };

typedef struct Loaded {
    int file;
    bool done; /* else its loading is under way */
    struct Loaded *next;
} Loaded;

typedef struct Loader {
    Ctx *ctx;
    Globals *g;
    const LoadOptions *options;
    Diagnostics *out;
    Loaded *loaded;
    int depth;
} Loader;

static Module *load_file(Loader *l, int file);

__attribute__((format(printf, 4, 5))) static void report(Loader *l, Span at, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    diagnostics_add(l->out, l->ctx, "import", at, hint, format, args);
    va_end(args);
}

static Block *parse_text(Ctx *c, Names *names, const char *text, size_t length, int file, bool library,
                         Diagnostics *out, bool *unfinished) {
    Parser p = parser_begin(c, names, text, length, file, out);
    p.library = library;
    Block *body = parser_run(&p);
    if (unfinished)
        *unfinished = !body && p.error_token == p.ntokens - 1 && parser_is_unfinished(&p);
    parser_end(&p);
    return body;
}

/* -- Imports -- */
static Loaded *find_loaded(Loader *l, int file) {
    const char *name = ctx_source_name(l->ctx, file);
    for (Loaded *k = l->loaded; k; k = k->next)
        if (k->file == file || strcmp(ctx_source_name(l->ctx, k->file), name) == 0)
            return k;
    return NULL;
}

/* A file that was imported before is not loaded again: the statement has no module then. */
static bool load_import(Loader *l, Stmt *s, int importer) {
    const char *why = "imports are not possible here";
    const char *path = s->u.import.path;
    int file = l->options->read_import
                   ? l->options->read_import(l->options->self, l->ctx, ctx_source_name(l->ctx, importer), path, &why)
                   : -1;
    if (file < 0) {
        report(l, s->span, "the path is relative to the file that imports", "cannot import \"%s\": %s", path, why);
        return false;
    }
    Loaded *before = find_loaded(l, file);
    if (before && before->done)
        return true;
    if (before || l->depth >= MAX_IMPORT_DEPTH) {
        report(l, s->span, "put what both need into a third file", "\"%s\" is imported in a circle", path);
        return false;
    }
    s->u.import.module = load_file(l, file);
    return s->u.import.module != NULL;
}

static bool load_imports(Loader *l, Block *body, int file) {
    bool fine = true;
    for (int i = 0; i < body->n; i++)
        if (body->statements[i]->kind == STMT_IMPORT)
            fine = load_import(l, body->statements[i], file) && fine;
    return fine;
}

static Module *load_file(Loader *l, int file) {
    Loaded *loaded = ARENA_NEW(l->ctx->session, Loaded);
    *loaded = (Loaded){.file = file, .next = l->loaded};
    l->loaded = loaded;
    l->depth++;
    const Source source = l->ctx->sources[file];
    int first = l->out->n, errors = l->out->nerrors;
    Block *body = parse_text(l->ctx, l->g->names, source.text, source.length, file, false, l->out, NULL);
    if (body && load_imports(l, body, file)) {
        Resolver r = {.ctx = l->ctx, .arena = l->ctx->session, .g = l->g, .options = l->options, .out = l->out,
                      .file = file};
        resolve_module(&r, body);
    }
    l->depth--;
    loaded->done = true;
    diagnostics_sort(l->out, first);
    if (l->out->nerrors > errors)
        return NULL;
    Module *m = ARENA_NEW(l->ctx->session, Module);
    *m = (Module){.file = file, .body = body};
    return m;
}

Module *lang_load(Ctx *c, Globals *g, int file, const LoadOptions *options, Diagnostics *out) {
    static const LoadOptions DEFAULTS;
    Loader l = {.ctx = c, .g = g, .options = options ? options : &DEFAULTS, .out = out};
    globals_keep(g);
    Module *m = load_file(&l, file);
    if (!m)
        globals_restore(g);
    library_resolve(g);
    return m;
}

Completeness lang_completeness(Ctx *c, const char *text) {
    ArenaMark mark = arena_mark(c->session);
    Diagnostics ignored = {.max_errors = 1};
    bool unfinished;
    Block *body = parse_text(c, names_new(c->session), text, strlen(text), -1, true, &ignored, &unfinished);
    Completeness result = body ? TEXT_COMPLETE : unfinished ? TEXT_UNFINISHED : TEXT_WRONG;
    arena_rewind(c->session, mark);
    return result;
}
