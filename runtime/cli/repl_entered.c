/* What was entered in the REPL, for :save. */
#include <string.h>

#include "cli/program.h"
#include "cli/repl.h"
#include "lang/format.h"

static const char *defined_name(const Stmt *s) {
    switch (s->kind) {
    case STMT_FUNCTION: return s->u.function.function->name;
    case STMT_DIST: return s->u.dist.decl->name;
    case STMT_DATA: return s->u.data.name;
    case STMT_IMPORT: return s->u.import.path;
    default: return NULL;
    }
}

static struct EnteredStatement *place_of(Repl *r, const char *name) {
    Entered *e = &r->entered;
    for (int k = 0; k < e->n; k++)
        if (name && e->list[k].name && strcmp(e->list[k].name, name) == 0) return &e->list[k];
    ARENA_GROW(r->session->arena, e->list, e->n, e->capacity, 64);
    return &e->list[e->n++];
}

static bool in_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80);
}

/* A program has no `_`: in its place stands the expression that was shown last. */
static const char *without_last(Arena *a, const char *text, const char *last) {
    Buf b = {0};
    bool quoted = false;
    buf_add(&b, "");
    for (const char *s = text; *s; s++) {
        bool alone = *s == '_' && !quoted && !in_word(s[1]) && (s == text || !in_word(s[-1]));
        if (*s == '"' && (s == text || s[-1] != '\\')) quoted = !quoted;
        if (alone) buf_printf(&b, "(%s)", last);
        else buf_add_char(&b, *s);
    }
    const char *out = arena_strdup(a, b.text);
    buf_free(&b);
    return out;
}

void entered_add(Repl *r, const Stmt *s, bool shown) {
    Arena *a = r->session->arena;
    const char *text = program_piece(r->session->ctx, a, s->span), *name = defined_name(s);
    if (r->entered.last && (s->kind == STMT_EXPR || s->kind == STMT_ASSIGN)) text = without_last(a, text, r->entered.last);
    if (shown) r->entered.last = text;
    *place_of(r, name) = (struct EnteredStatement){name, shown ? arena_printf(a, "print(%s)", text) : text};
}

const char *entered_program(Repl *r) {
    Session *s = r->session;
    Buf b = {0};
    buf_add(&b, "");
    for (int k = 0; k < r->entered.n; k++) buf_printf(&b, "%s\n", r->entered.list[k].text);
    const char *text = arena_strdup(s->arena, b.text);
    buf_free(&b);
    Diagnostics mistakes = {.max_errors = 1}; /* a line of the REPL is more patient than a program */
    const char *laid_out = lang_format(s->ctx, s->arena, ctx_add_source(s->ctx, "<entered>", text, strlen(text)), &mistakes);
    return laid_out ? laid_out : text;
}
