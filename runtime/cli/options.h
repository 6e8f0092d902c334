/* The command line: which command, which file, which options. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"
#include "base/strings.h"

#define PPL_VERSION "0.1.0"

/* Exit codes. */
enum { EXIT_DONE = 0, EXIT_PROGRAM = 1, EXIT_USAGE = 2, EXIT_UNRELIABLE = 3, EXIT_NUMERIC = 4, EXIT_INTERRUPTED = 130 };

typedef struct Options {
    const struct Command *command;
    const char *file;  /* the program; of `help` the name asked for; NULL: none given */
    const char **data; /* FILE or NAME=FILE, as written; belongs to malloc */
    int ndata;
    uint64_t seed;
    int threads;
    bool single; /* precision */
    bool json, quiet, strict, sites, tree, check, profile;
    bool silent[WARNING_COUNT]; /* --silence */
    const char *out;  /* NULL: draws are not written */
    const char *plot; /* NULL: no picture of the fit */
} Options;

typedef struct Command {
    const char *name;
    unsigned bit;          /* for the options' `commands` */
    const char *arguments; /* "FILE" */
    bool needs_file;
    int (*run)(const Options *o);        /* gives the exit code */
    int (*run_single)(const Options *o); /* the same in single precision, where that makes a difference */
    const char *help;
} Command;

/* One row of the table of options. */
typedef struct OptionRow {
    const char *name;  /* "--data" */
    const char *value; /* what follows: "N", "FILE", "single|double"; NULL: nothing */
    unsigned commands; /* bits of those that take it */
    /* NULL, or what is wrong with the value. */
    const char *(*set)(Options *o, const char *value);
    const char *help;
} OptionRow;

/* What an exit code means: for the overview and the manual. */
typedef struct ExitRow {
    int code;
    const char *meaning;
} ExitRow;

extern const Command commands[]; /* ends with a row without a name */
extern const ExitRow exit_rows[]; /* ends with a row without a meaning */
extern const OptionRow option_rows[];
enum { FOR_RUN = 1, FOR_CHECK = 2, FOR_HELP = 4, FOR_REPL = 8, FOR_FMT = 16, FOR_VERSION = 32, FOR_COMPLETION = 64, FOR_MANUAL = 128 };

/* False: *why says, in whole lines, what is wrong and what to do. */
bool options_parse(int argc, char **argv, Options *o, Buf *why);
void options_free(Options *o);

#endif
