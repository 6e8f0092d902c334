/* The REPL: reading (repl_lines.c), running (repl.c), commands that begin with a colon (repl_commands.c). */
#ifndef CLI_REPL_H
#define CLI_REPL_H

#include "cli/session.h"

/* Statements that ran, oldest first. A definition takes the place of an earlier one of its name. */
typedef struct Entered {
    struct EnteredStatement {
        const char *name, *text; /* name: of what it defines, NULL: nothing that could be defined again */
    } * list;
    int n, capacity;
    const char *last; /* the expression whose value is `_`; NULL: none yet */
} Entered;

typedef struct Repl {
    Session *session;
    bool terminal;      /* somebody types */
    int width;          /* characters of a line of output */
    int last;           /* the global slot of `_` */
    Entered entered;    /* what ran, for :save */
    const char *loaded; /* the file of :load, for :reload */
    bool failed;
    Error why;          /* the last error */
} Repl;

/* Parse, check and run a text; expressions are shown and become `_`. Mistakes are reported. False: there was one. */
bool repl_run_text(Repl *r, const char *text);
/* The same for a file. */
bool repl_run_file(Repl *r, const char *file);
/* The value of an expression; false: there was a mistake, reported. It lives until the next statement runs. */
bool repl_evaluate(Repl *r, const char *text, Value *value);
/* body(arg), whose error is reported and kept for :why. */
bool repl_protect(Repl *r, void (*body)(void *), void *arg);

/* A line that begins with a colon; false: leave. */
bool repl_obey(Repl *r, const char *text);
const char *repl_command_name(int k); /* ":help", ...; NULL behind the last */
bool repl_command_takes_file(const char *name, size_t length);

/* -- What was entered (repl_entered.c) -- */
void entered_add(Repl *r, const Stmt *s, bool shown); /* shown: an expression with a value */
/* A program that does it again and prints what was shown, laid out. In the session's arena. */
const char *entered_program(Repl *r);

/* -- Lines -- */
void lines_open(Repl *r);
void lines_close(Repl *r);
typedef enum LinesResult { LINES_TEXT, LINES_CANCELLED, LINES_END } LinesResult;
/* A whole statement, several lines if it needs them; an empty line ends what would go on. */
LinesResult lines_read(Repl *r, Buf *text);

#endif
