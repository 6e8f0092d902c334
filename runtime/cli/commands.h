/* The commands: each takes the options and gives the exit code. The table `commands` (options.h) is in commands.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/options.h"

int command_run(const Options *o);
int command_check(const Options *o);
int command_help(const Options *o);
int command_repl(const Options *o);
int command_fmt(const Options *o);
int command_version(const Options *o);
int command_completion(const Options *o); /* a script for bash or zsh */
int command_manual(const Options *o);     /* the manual page, roff */

/* The commands that compute, from the copy of the runtime that is compiled for floats (Makefile); sanitized builds
 * have none. */
int command_run_single(const Options *o) __attribute__((weak));
int command_repl_single(const Options *o) __attribute__((weak));

#endif
