#include <string.h>

#include "base/strings.h"
#include "lang/resolve.h"

Scope *scope_new(Resolver *r, Scope *outer, Frame *frame, const Stmt *plate) {
    Scope *s = ARENA_NEW(r->arena, Scope);
    *s = (Scope){.outer = outer, .frame = frame, .plate = plate};
    return s;
}

Scope *scope_of_plate(Resolver *r, Scope *outer, const Stmt *plate) {
    Scope *s = table_get(&outer->plates, plate);
    if (s)
        return s;
    s = scope_new(r, outer, outer->frame, plate);
    table_set(&outer->plates, r->arena, plate, s);
    return s;
}

bool scope_is_top(const Scope *s) { return !s->frame && !s->plate; }

enum { MANY_BINDINGS = 8 };

Binding *scope_own(const Scope *s, const char *name) {
    if (s->nbindings > MANY_BINDINGS)
        return table_get(&s->table, name);
    for (Binding *b = s->bindings; b; b = b->next)
        if (b->name == name)
            return b;
    return NULL;
}

int scope_add_slot(Resolver *r, Frame *f, const char *name) {
    ARENA_GROW(r->arena, f->names, f->nslots, f->capacity, 8);
    f->names[f->nslots] = name;
    return f->nslots++;
}

int scope_add_place(Resolver *r) { return r->frame ? r->frame->nplaces++ : r->nplaces++; }

int scope_add_call(Resolver *r, const char *name) {
    Frame *f = r->frame;
    if (f) f->nplaces++;
    while (f && f->outer && f->function && f->function->kind == FUNCTION_LAMBDA)
        f = f->outer;
    if (!f)
        return 1;
    CallCount *c = f->calls;
    while (c && strcmp(c->name, name) != 0)
        c = c->next;
    if (!c) {
        c = ARENA_NEW(r->arena, CallCount);
        *c = (CallCount){.next = f->calls, .name = name};
        f->calls = c;
    }
    return ++c->n;
}

Scope *scope_of_function(Scope *s) {
    while (s->plate)
        s = s->outer;
    return s;
}

Binding *scope_bind(Resolver *r, Scope *s, const char *name, How how, Span span) {
    Binding *b = scope_own(s, name);
    if (!b) {
        b = ARENA_NEW(r->arena, Binding);
        int slot = s->frame ? scope_add_slot(r, s->frame, name) : globals_add_hidden(r->g, name, span);
        *b = (Binding){.name = name, .span = span, .slot = slot, .next = s->bindings};
        s->bindings = b;
        s->nbindings++;
        const Binding *in_table = s->nbindings > MANY_BINDINGS + 1 ? b->next : NULL;
        for (Binding *k = b; s->nbindings > MANY_BINDINGS && k != in_table; k = k->next)
            table_set(&s->table, r->arena, k->name, k);
    }
    b->how |= how;
    if (s->plate && how & BOUND_ASSIGNED)
        table_set(&scope_of_function(s)->in_plates, r->arena, name, b);
    return b;
}

Ref scope_ref(const Scope *s, const char *name) {
    const Binding *b = scope_own(s, name);
    return (Ref){s->frame ? REF_LOCAL : REF_GLOBAL, 0, b ? b->slot : -1};
}

/* The frames between the reference and the name need their environments. */
static void mark_captures(Frame *frame, int depth) {
    for (; depth > 0 && frame; depth--, frame = frame->outer)
        if (frame->function)
            frame->function->captures = true;
}

static Found lookup_in_scopes(Resolver *r, const char *name, bool own_function) {
    int depth = 0;
    for (const Scope *s = r->scope; s; s = s->outer) {
        const Binding *b = scope_own(s, name);
        if (b) {
            if (s->frame)
                mark_captures(r->frame, depth);
            Ref ref = {s->frame ? REF_LOCAL : REF_GLOBAL, s->frame ? depth : 0, b->slot};
            return (Found){true, ref, b, s};
        }
        if (s->outer && s->outer->frame != s->frame) {
            depth++;
            if (own_function)
                break;
        }
    }
    return (Found){.found = false};
}

Found scope_lookup_in_function(Resolver *r, const char *name) { return lookup_in_scopes(r, name, true); }

static Found found_outside(RefKind kind, int slot) {
    return slot >= 0 ? (Found){.found = true, .ref = {kind, 0, slot}} : (Found){.found = false};
}

static Found lookup_library(Resolver *r, const char *name) {
    int k = library_find(r->g, name);
    if (k >= 0)
        library_get(r->g, k);
    return found_outside(REF_LIBRARY, k);
}

Found scope_lookup_global(Resolver *r, const char *name) {
    int slot = r->library ? -1 : globals_find(name);
    return slot >= 0 ? found_outside(REF_GLOBAL, slot) : lookup_library(r, name);
}

const Global *scope_global(Resolver *r, const char *name) {
    Found f = scope_lookup_global(r, name);
    return f.found ? library_global(r->g, f.ref) : NULL;
}

Found scope_lookup_function(Resolver *r, const char *name) {
    int slot = r->library ? -1 : globals_find_function(r->g, name);
    if (slot >= 0)
        return found_outside(REF_GLOBAL, slot);
    Found f = lookup_library(r, name);
    if (f.found && library_global(r->g, f.ref)->kind != GLOBAL_VALUE)
        return f;
    return found_outside(REF_BUILTIN, globals_find_builtin(name));
}

Found scope_lookup(Resolver *r, const char *name) {
    Found f = lookup_in_scopes(r, name, false);
    if (!f.found)
        f = scope_lookup_global(r, name);
    return f.found ? f : found_outside(REF_BUILTIN, globals_find_builtin(name));
}

const Global *scope_protected_global(Resolver *r, const char *name) {
    int slot = r->library ? -1 : globals_find(name);
    const Global *g = slot >= 0 ? lang_global(r->g, slot) : NULL;
    bool earlier_line = g && r->options->interactive && g->span.file != r->file;
    return earlier_line ? NULL : g;
}

const char *scope_nearest(Resolver *r, const char *name) {
    int n = 0, room = r->g->n + r->g->library.n + r->g->nbuiltins;
    for (const Scope *s = r->scope; s; s = s->outer)
        for (const Binding *b = s->bindings; b; b = b->next)
            room++;
    const char **names = ARENA_ARRAY(r->arena, const char *, room);
    for (const Scope *s = r->scope; s; s = s->outer)
        for (const Binding *b = s->bindings; b; b = b->next)
            names[n++] = b->name;
    for (int i = r->g->n - 1; i >= 0; i--)
        if (!r->g->list[i].hidden && r->g->list[i].global.name[0] != '_')
            names[n++] = r->g->list[i].global.name;
    for (int i = 0; i < r->g->library.n; i++)
        if (r->g->library.entries[i].name[0] != '_')
            names[n++] = r->g->library.entries[i].name;
    for (int i = 0; i < r->g->nbuiltins; i++)
        if (r->g->builtin_names[i][0] != '_')
            names[n++] = r->g->builtin_names[i];
    return nearest_name(name, names, n);
}

int scope_plates(const Scope *s, const PlateRange **plates, int room) {
    int n = 0;
    for (; s && s->plate; s = s->outer)
        for (int i = s->plate->u.plate.n - 1; i >= 0 && n < room; i--)
            plates[n++] = &s->plate->u.plate.ranges[i];
    for (int i = 0; i < n / 2; i++) {
        const PlateRange *t = plates[i];
        plates[i] = plates[n - 1 - i];
        plates[n - 1 - i] = t;
    }
    return n;
}
