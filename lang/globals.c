#include "lang/globals.h"

#include <ctype.h>
#include <string.h>

/* -- Signatures: "(x, base = )", "(a, ...)" -- */
static Signature parse_signature(Arena *a, Names *names, const char *text) {
    Signature s = {.known = text != NULL};
    if (!text)
        return s;
    int room = 1;
    for (const char *c = text; *c; c++)
        room += *c == ',';
    s.formals = ARENA_ARRAY(a, Formal, room);
    const char *c = strchr(text, '(');
    for (c = c ? c + 1 : text; *c && *c != ')';) {
        c += strspn(c, " ,");
        size_t n = 0;
        while (isalnum((unsigned char)c[n]) || c[n] == '_' || (c[n] & 0x80))
            n++;
        if (strncmp(c, "...", 3) == 0)
            s.variadic = true;
        const char *end = c + n + strcspn(c + n, ",)");
        if (n > 0)
            s.formals[s.n++] = (Formal){names_intern(names, c, n), memchr(c + n, '=', (size_t)(end - c) - n) != NULL};
        c = end;
    }
    return s;
}

Signature signature_of_params(Arena *a, const Param *params, int nparams) {
    Signature s = {.formals = ARENA_ARRAY(a, Formal, nparams), .n = nparams, .known = true};
    for (int i = 0; i < nparams; i++)
        s.formals[i] = (Formal){params[i].name, params[i].default_value != NULL};
    return s;
}

Globals *lang_globals_new(Ctx *c, const BuiltinName *builtins, int nbuiltins) {
    Arena *a = c->session;
    Globals *g = ARENA_NEW(a, Globals);
    *g = (Globals){.ctx = c, .names = names_new(a), .builtins = builtins, .nbuiltins = nbuiltins,
                   .room = arena_grown(a)};
    g->signatures = ARENA_ARRAY(a, Signature, nbuiltins);
    g->builtin_names = ARENA_ARRAY(a, const char *, nbuiltins);
    for (int i = 0; i < nbuiltins; i++) {
        g->builtin_names[i] = names_intern(g->names, builtins[i].name, strlen(builtins[i].name));
        g->signatures[i] = parse_signature(a, g->names, builtins[i].signature);
        name_info(g->builtin_names[i])->builtin = i;
    }
    return g;
}

int lang_globals_count(const Globals *g) { return g->n; }
const Global *lang_global(const Globals *g, int slot) { return &g->list[slot].global; }

int lang_global_find(const Globals *g, const char *name) {
    const NameInfo *info = names_find(g->names, name);
    return info ? info->global : -1;
}

int globals_find(const char *name) { return name_info(name)->global; }
int globals_find_builtin(const char *name) { return name_info(name)->builtin; }

int globals_find_function(const Globals *g, const char *name) {
    for (int i = globals_find(name); i >= 0; i--) {
        const GlobalEntry *e = &g->list[i];
        if (e->global.name == name && !e->hidden &&
            (e->global.kind == GLOBAL_FUNCTION || e->global.kind == GLOBAL_DIST))
            return i;
    }
    return -1;
}

static int add_entry(Globals *g, GlobalEntry e) {
    if (g->n == g->capacity) {
        g->capacity = g->capacity ? 2 * g->capacity : 64;
        g->list = grown_resize(g->room, sizeof(GlobalEntry) * (size_t)g->capacity);
    }
    g->list[g->n] = e;
    return g->n++;
}

int globals_bind(Globals *g, const char *name, GlobalKind kind, Span span) {
    int slot = globals_find(name);
    Global global = {.name = name, .kind = kind, .span = span};
    if (slot >= 0 && slot < g->nkept) {
        Replaced *r = ARENA_NEW(g->ctx->session, Replaced);
        *r = (Replaced){g->replaced, slot, g->list[slot]};
        g->replaced = r;
    }
    if (slot >= 0) {
        g->list[slot].global = global;
        return slot;
    }
    slot = add_entry(g, (GlobalEntry){.global = global});
    name_info(name)->global = slot;
    return slot;
}

int globals_add_hidden(Globals *g, const char *name, Span span) {
    return add_entry(g, (GlobalEntry){.global = {.name = name, .kind = GLOBAL_VALUE, .span = span}, .hidden = true});
}

void globals_keep(Globals *g) {
    g->nkept = g->n;
    g->replaced = NULL;
}

void globals_restore(Globals *g) {
    for (; g->replaced; g->replaced = g->replaced->before)
        g->list[g->replaced->slot] = g->replaced->entry;
    for (int i = g->nkept; i < g->n; i++)
        if (!g->list[i].hidden)
            name_info(g->list[i].global.name)->global = -1;
    g->n = g->nkept;
}
