/* The context: sources, errors, warnings, limits. One per session; everything that can fail has it at hand.
 *
 * Errors are raised to the one place that catches: `ctx_protect` runs a body, `ctx_raise` leaves it. Only
 * ctx.c knows setjmp. Nothing below cli/ prints or exits: warnings and notes go to the context's hooks.
 */
#ifndef BASE_CTX_H
#define BASE_CTX_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* A stretch of source text. Lines and columns count from 1; columns count characters (UTF-8), the end column is
 * one past the last. file -1: no place. */
typedef struct Span {
    int32_t file;
    int32_t line, column;
    int32_t end_line, end_column;
} Span;

#define SPAN_NONE ((Span){.file = -1})

typedef enum ErrorKind {
    ERROR_PROGRAM = 1,   /* the program or its data are wrong: exit 1 */
    ERROR_USAGE = 2,     /* the command line is wrong: exit 2 */
    ERROR_NUMERIC = 4,   /* a numerical failure while fitting: exit 4 */
    ERROR_INTERRUPT = 130,
    ERROR_ELEMENTWISE = 1000, /* internal: a plate's body needs to run element by element */
    ERROR_COSTLY              /* internal: too much is to be summed out; another run may draw it */
} ErrorKind;

/* What went wrong, owned by the context's session arena. `hint` may be NULL. `notes` are further lines (a call
 * stack: "in model varying, called at file:3:12"), each ended by a newline, or NULL. */
typedef struct Error {
    ErrorKind kind;
    Span span;
    const char *message;
    const char *hint;
    const char *notes;
    const char *code; /* one word: which kind of mistake this is; NULL: none */
} Error;

typedef struct Source {
    const char *name; /* as it is shown: the path given, "<stdlib/...>", "<repl>" */
    const char *text; /* ends in NUL */
    size_t length;
} Source;

/* What is at work: a call, a plate. Errors tell of it in their notes, the innermost first. Belongs to the stack of the
 * function that sets Ctx.place and sets it back; ctx_protect sets it back too. */
typedef struct CtxPlace {
    const struct CtxPlace *outer;
    const char *kind, *name;  /* "model", "inner" */
    const char *detail;       /* in brackets behind the name; NULL: nothing */
    const int64_t *element;   /* of a plate that runs element by element; NULL: elsewhere */
    bool called;
    Span at;                  /* where it is called, or stands */
} CtxPlace;

typedef struct Ctx Ctx;
struct Ctx {
    Arena *session;   /* programs, symbols, messages: lives as long as the context */
    Source *sources;
    int nsources;
    Span span;        /* the statement at work; what ctx_raise_here blames */
    const CtxPlace *place; /* NULL: the top level */
    uint64_t seed;    /* of the run: --seed, 1 by default */
    struct Profile *profile; /* --profile: tape/profile.h; NULL: nothing is measured. Belongs to the one who made it */
    struct Team *team; /* --threads: team.h; NULL: one thread. Belongs to the one who made it */
    int max_depth;    /* of recursion in programs, 1000 by default */
    size_t max_bytes; /* of one array or file, 0: no limit */
    volatile int *interrupted; /* set by the signal handler of cli/; NULL: never. Long loops poll it */
    void (*on_warning)(void *self, const Error *warning);
    void *warning_self;
    struct Mapping *mappings;   /* private to mapping.c */
    struct CtxCatch *innermost; /* private to ctx.c */
};

Ctx *ctx_new(void);
void ctx_free(Ctx *c);

/* A fresh arena that raises ERROR_PROGRAM at c->span when memory is out; the caller frees it. */
Arena *ctx_arena(Ctx *c);

/* Register a text; the text is copied. Gives the file number of spans. */
int ctx_add_source(Ctx *c, const char *name, const char *text, size_t length);
/* The same without a copy: name and text (which ends in NUL) outlive the context. */
int ctx_add_static_source(Ctx *c, const char *name, const char *text, size_t length);
const char *ctx_source_name(const Ctx *c, int file);

_Noreturn void ctx_raise(Ctx *c, ErrorKind kind, Span at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* The same at c->span, without a hint, for what lies below interp/. */
_Noreturn void ctx_raise_here(Ctx *c, ErrorKind kind, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Raise again what was caught (with more notes, perhaps). */
_Noreturn void ctx_reraise(Ctx *c, const Error *e);

/* Run body(arg); true when it came to its end. Else *caught says why, and c->span is as before the call. Nests. */
bool ctx_protect(Ctx *c, void (*body)(void *), void *arg, Error *caught);

/* Kinds of warnings, each with a word to silence it by. */
typedef enum Warning {
#define WARNING(NAME, code, meaning) WARNING_##NAME,
#include "base/warnings.def"
#undef WARNING
    WARNING_COUNT
} Warning;
const char *warning_code(Warning w);    /* "scale-sign" */
const char *warning_meaning(Warning w);

void ctx_warn(Ctx *c, Warning which, Span at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Render "file:line:column: severity: message", the source line, a caret line and the hint into `arena`. Long
 * lines are cut around the caret, tabs and control characters shown safely. */
char *ctx_render(Ctx *c, Arena *arena, const char *severity, const Error *e);

#endif
