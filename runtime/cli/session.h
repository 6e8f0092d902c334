/* What every command that reads a program shares: the context, the interpreter with its library, messages. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/options.h"
#include "cli/screen.h"
#include "infer/infer.h"

typedef struct Session {
    const Options *options;
    Ctx *ctx;
    Interp *interp;
    Module *module;
    Arena *arena; /* of this session: texts, data */
    Screen screen;
    void *self; /* of the command */
} Session;

/* Open a session, run body under protection and close it. Errors that reach the top are reported; gives the exit code:
 * that of body, or that of the error. The standard library is known when body begins. */
int session_run(const Options *o, void *self, int (*body)(Session *s));

/* Read, parse and check a program ("-": standard input). Reports its errors, all of them; false if there were any. */
bool session_load(Session *s, const char *file);

/* The same of a registered source; `interactive`: a line of the REPL. NULL if there were errors. */
Module *session_check(Session *s, int source, bool interactive);

/* Report an error raised below; gives its exit code. */
int session_report(Session *s, const Error *e);

#endif
