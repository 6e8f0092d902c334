#include "base/ctx.h"

#include <assert.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strings.h"

typedef struct CtxCatch {
    jmp_buf place;
    struct CtxCatch *outer;
    Error error;
} CtxCatch;

static _Noreturn void ctx_raise_exhausted(void *self, size_t size) {
    Ctx *c = self;
    /* No formatting into the session arena here: it may be the one that is exhausted. */
    (void)size;
    Error e = {.kind = ERROR_PROGRAM,
               .span = c->span,
               .message = "out of memory",
               .hint = "smaller batches, fewer particles or fewer draws need less"};
    ctx_reraise(c, &e);
}

Ctx *ctx_new(void) {
    Ctx *c = calloc(1, sizeof *c);
    assert(c);
    c->session = ctx_arena(c);
    c->span = SPAN_NONE;
    c->seed = 1;
    c->max_depth = 1000;
    return c;
}

void ctx_free(Ctx *c) {
    if (!c) return;
    arena_free(c->session);
    free(c->sources);
    free(c);
}

Arena *ctx_arena(Ctx *c) {
    Arena *a = arena_new();
    arena_on_exhausted(a, ctx_raise_exhausted, c);
    return a;
}

int ctx_add_static_source(Ctx *c, const char *name, const char *text, size_t length) {
    Source *more = realloc(c->sources, ((size_t)c->nsources + 1) * sizeof *more);
    if (!more) ctx_raise_exhausted(c, length);
    c->sources = more;
    more[c->nsources] = (Source){name, text, length};
    return c->nsources++;
}

int ctx_add_source(Ctx *c, const char *name, const char *text, size_t length) {
    char *copy = arena_alloc(c->session, length + 1);
    if (length) memcpy(copy, text, length);
    return ctx_add_static_source(c, arena_strdup(c->session, name), copy, length);
}

const char *ctx_source_name(const Ctx *c, int file) {
    return file >= 0 && file < c->nsources ? c->sources[file].name : "<unknown>";
}

/* -- Raising and catching -- */

_Noreturn void ctx_reraise(Ctx *c, const Error *e) {
    CtxCatch *catch = c->innermost;
    assert(catch && "raised outside ctx_protect");
    catch->error = *e;
    longjmp(catch->place, 1);
}

enum { PLACES_SHOWN = 8 };

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

static bool same_place(const CtxPlace *p, const CtxPlace *q) {
    return same_text(p->kind, q->kind) && same_text(p->name, q->name) && same_text(p->detail, q->detail) && !p->element && !q->element &&
           p->at.file == q->at.file && p->at.line == q->at.line && p->at.column == q->at.column;
}

/* The lines of Error.notes; NULL: nothing is at work. */
static const char *places_text(Ctx *c, ErrorKind kind) {
    if (!c->place || (kind != ERROR_PROGRAM && kind != ERROR_NUMERIC && kind != ERROR_COSTLY)) return NULL;
    Buf b = {0};
    int n = 0;
    for (const CtxPlace *p = c->place; p; p = p->outer) {
        if (p->outer && same_place(p, p->outer)) continue; /* a guide runs once more for what it refines */
        if (n++ >= PLACES_SHOWN) continue;
        buf_printf(&b, "  in the %s `%s`", p->kind, p->name);
        if (p->detail) buf_printf(&b, " (%s)", p->detail);
        if (p->element) buf_printf(&b, ", element %lld", (long long)*p->element);
        if (p->at.file >= 0)
            buf_printf(&b, ", %s %s:%d:%d", p->called ? "called at" : "at", ctx_source_name(c, p->at.file), p->at.line, p->at.column);
        buf_add(&b, "\n");
    }
    if (n > PLACES_SHOWN) buf_printf(&b, "  and %d more\n", n - PLACES_SHOWN);
    const char *text = arena_strdup(c->session, b.text);
    buf_free(&b);
    return text;
}

_Noreturn void ctx_raise(Ctx *c, ErrorKind kind, Span at, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Error e = {.kind = kind, .span = at, .message = arena_vprintf(c->session, format, args)};
    va_end(args);
    e.hint = hint ? arena_strdup(c->session, hint) : NULL;
    e.notes = places_text(c, kind);
    ctx_reraise(c, &e);
}

_Noreturn void ctx_raise_here(Ctx *c, ErrorKind kind, const char *format, ...) {
    va_list args;
    va_start(args, format);
    Error e = {.kind = kind, .span = c->span, .message = arena_vprintf(c->session, format, args)};
    va_end(args);
    e.notes = places_text(c, kind);
    ctx_reraise(c, &e);
}

bool ctx_protect(Ctx *c, void (*body)(void *), void *arg, Error *caught) {
    const Span before = c->span;
    const CtxPlace *place = c->place;
    CtxCatch catch = {.outer = c->innermost};
    c->innermost = &catch;
    bool done = setjmp(catch.place) == 0;
    if (done) body(arg);
    c->innermost = catch.outer;
    if (!done) {
        c->span = before;
        c->place = place;
        *caught = catch.error;
    }
    return done;
}

static const struct {
    const char *code, *meaning;
} warnings[] = {
#define WARNING(NAME, code, meaning) {code, meaning},
#include "base/warnings.def"
#undef WARNING
};

const char *warning_code(Warning w) { return warnings[w].code; }
const char *warning_meaning(Warning w) { return warnings[w].meaning; }

void ctx_warn(Ctx *c, Warning which, Span at, const char *hint, const char *format, ...) {
    if (!c->on_warning) return;
    va_list args;
    va_start(args, format);
    char *message = arena_vprintf(c->session, format, args);
    va_end(args);
    Error e = {.kind = ERROR_PROGRAM, .span = at, .message = message, .hint = hint, .code = warnings[which].code};
    c->on_warning(c->warning_self, &e);
}

/* -- Rendering -- */

enum { SHOWN_WIDTH = 110, TAB_WIDTH = 4 };

/* One character of a line as it is shown: `width` columns of the terminal. */
typedef struct Shown {
    const char *text;
    size_t bytes;
    int width;
} Shown;

static bool in_ranges(uint32_t c, const uint32_t (*ranges)[2], size_t n) {
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i][0] && c <= ranges[i][1]) return true;
    return false;
}

/* Controls, and the marks that turn the direction of writing, must not reach the terminal. */
static bool is_unsafe(uint32_t c) {
    static const uint32_t ranges[][2] = {{0, 0x1F}, {0x7F, 0x9F}, {0x200E, 0x200F}, {0x2028, 0x202E}, {0x2066, 0x2069}};
    return in_ranges(c, ranges, sizeof ranges / sizeof *ranges);
}

static int width_of(uint32_t c) {
    static const uint32_t none[][2] = {{0x300, 0x36F}, {0x200B, 0x200D}, {0x20D0, 0x20FF}, {0xFE00, 0xFE0F}};
    static const uint32_t wide[][2] = {{0x1100, 0x115F},   {0x2E80, 0xA4CF},  {0xAC00, 0xD7A3}, {0xF900, 0xFAFF},
                                       {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},  {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F},
                                       {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD}};
    if (in_ranges(c, none, sizeof none / sizeof *none)) return 0;
    return in_ranges(c, wide, sizeof wide / sizeof *wide) ? 2 : 1;
}

/* Takes the next character off *s. */
static Shown next_shown(const char **s, const char *end) {
    uint32_t c = 0;
    size_t bytes = utf8_decode(*s, (size_t)(end - *s), &c);
    const char *at = *s;
    *s += bytes ? bytes : 1;
    if (bytes && c == '\t') return (Shown){"    ", TAB_WIDTH, TAB_WIDTH};
    if (bytes == 0 || is_unsafe(c)) return (Shown){"\xEF\xBF\xBD", 3, 1}; /* U+FFFD */
    return (Shown){at, bytes, width_of(c)};
}

/* A message, possibly of several lines, made safe to show. */
static void add_safe(Buf *b, const char *text) {
    for (const char *s = text, *end = text + strlen(text); s < end;) {
        if (*s == '\n') {
            buf_add_char(b, *s++);
            continue;
        }
        Shown shown = next_shown(&s, end);
        buf_add_bytes(b, shown.text, shown.bytes);
    }
}

static bool find_line(const Source *source, int line, const char **begin, const char **end) {
    const char *s = source->text, *stop = source->text + source->length;
    for (int k = 1; k < line; k++) {
        s = memchr(s, '\n', (size_t)(stop - s));
        if (!s) return false;
        s++;
    }
    const char *newline = memchr(s, '\n', (size_t)(stop - s));
    *begin = s;
    *end = newline ? newline : stop;
    if (*end > s && (*end)[-1] == '\r') --*end;
    return true;
}

/* Terminal columns (from 0) at which the span begins and ends on its first line, and the width of the line. */
typedef struct Extent {
    int from, to, width;
} Extent;

static Extent extent_of(const char *s, const char *end, Span at) {
    bool one_line = at.end_line <= at.line;
    int last = one_line && at.end_column > at.column ? at.end_column : one_line ? at.column + 1 : INT32_MAX;
    Extent x = {-1, -1, 0};
    for (int column = 1; s < end; column++) {
        if (column == at.column) x.from = x.width;
        if (column == last) x.to = x.width;
        x.width += next_shown(&s, end).width;
    }
    if (x.from < 0) x.from = x.width;
    if (x.to < 0) x.to = x.width;
    if (x.to <= x.from) x.to = x.from + 1;
    return x;
}

static void add_caret_line(Buf *b, int lead, int n) {
    for (int k = 0; k < lead; k++) buf_add_char(b, ' ');
    buf_add_char(b, '^');
    for (int k = 1; k < n; k++) buf_add_char(b, '~');
    buf_add_char(b, '\n');
}

/* The source line, cut to SHOWN_WIDTH columns around the caret, and the line with the caret. */
static void add_excerpt(Buf *b, const Source *source, Span at) {
    const char *s, *end;
    if (at.line < 1 || !find_line(source, at.line, &s, &end)) return;
    Extent x = extent_of(s, end, at);
    int first = 0, last = x.width;
    if (x.width > SHOWN_WIDTH) {
        first = x.from > SHOWN_WIDTH / 2 ? x.from - SHOWN_WIDTH / 2 : 0;
        last = first + SHOWN_WIDTH;
    }
    int gutter = snprintf(NULL, 0, "%d", at.line) + 1;
    buf_printf(b, "%*d | %s", gutter, at.line, first > 0 ? "..." : "");
    int lead = first > 0 ? 3 : 0, column = 0, begun = -1;
    while (s < end && column < last) {
        Shown shown = next_shown(&s, end);
        if (column >= first) {
            if (begun < 0) begun = column;
            buf_add_bytes(b, shown.text, shown.bytes);
        }
        column += shown.width;
    }
    buf_printf(b, "%s\n%*s | ", s < end ? "..." : "", gutter, "");
    if (begun < 0) begun = first;
    int stop = x.to < last || x.from >= last ? x.to : last;
    add_caret_line(b, lead + x.from - begun, stop - x.from);
}

char *ctx_render(Ctx *c, Arena *arena, const char *severity, const Error *e) {
    Buf b = {0};
    Span at = e->span;
    bool placed = at.file >= 0 && at.file < c->nsources;
    if (placed) {
        add_safe(&b, c->sources[at.file].name);
        if (at.line >= 1) buf_printf(&b, ":%d:%d", at.line, at.column);
        buf_add(&b, ": ");
    }
    buf_printf(&b, "%s: ", severity);
    add_safe(&b, e->message ? e->message : "");
    buf_add_char(&b, '\n');
    if (placed) add_excerpt(&b, &c->sources[at.file], at);
    if (e->hint) {
        buf_add(&b, "hint: ");
        add_safe(&b, e->hint);
        buf_add_char(&b, '\n');
    }
    if (e->notes) add_safe(&b, e->notes);
    char *text = arena_copy(arena, b.text, b.length + 1);
    buf_free(&b);
    return text;
}
