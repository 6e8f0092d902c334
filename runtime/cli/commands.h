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

#endif
