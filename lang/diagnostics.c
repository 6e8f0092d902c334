#include "lang/diagnostics.h"

enum { DEFAULT_MAX_ERRORS = 20, MOST_WARNINGS = 50 };

static void add(Diagnostics *d, Ctx *c, bool warning, Error e, const char *format, va_list args) {
    ARENA_GROW(c->session, d->list, d->n, d->capacity, 8);
    e.kind = ERROR_PROGRAM;
    e.message = arena_vprintf(c->session, format, args);
    d->list[d->n++] = (Diagnostic){.warning = warning, .error = e};
}

static int most_errors(const Diagnostics *d) { return d->max_errors > 0 ? d->max_errors : DEFAULT_MAX_ERRORS; }

bool diagnostics_full(const Diagnostics *d) { return d->nerrors >= most_errors(d); }

void diagnostics_add(Diagnostics *d, Ctx *c, const char *code, Span at, const char *hint, const char *format,
                     va_list args) {
    d->max_errors = most_errors(d);
    if (d->nerrors++ < d->max_errors)
        add(d, c, false, (Error){.span = at, .hint = hint, .code = code}, format, args);
}

void diagnostics_warn(Diagnostics *d, Ctx *c, Warning which, Span at, const char *hint, const char *format,
                      va_list args) {
    if (d->n < MOST_WARNINGS)
        add(d, c, true, (Error){.span = at, .hint = hint, .code = warning_code(which)}, format, args);
}

static bool stands_before(Span a, Span b) {
    if (a.file != b.file)
        return false; /* an import's mistakes stay where they were found */
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void diagnostics_sort(Diagnostics *d, int first) {
    for (int i = first + 1; i < d->n; i++)
        for (int j = i; j > first && stands_before(d->list[j].error.span, d->list[j - 1].error.span); j--) {
            Diagnostic t = d->list[j];
            d->list[j] = d->list[j - 1];
            d->list[j - 1] = t;
        }
}
