#include "cli/commands.h"

#include <stdio.h>

const Command commands[] = {
    {"run", FOR_RUN, "FILE", true, command_run, command_run_single, "run a program (`-`: standard input)"},
    {"check", FOR_CHECK, "FILE", true, command_check, NULL, "find the mistakes of a program without running it"},
    {"help", FOR_HELP, "NAME", false, command_help, NULL, "explain a command, a statement, a function, a distribution"},
    {"version", FOR_VERSION, "", false, command_version, NULL, "say which version this is"},
    {"repl", FOR_REPL, "FILE", false, command_repl, command_repl_single, "try things out line by line"},
    {"fmt", FOR_FMT, "FILE", true, command_fmt, NULL, "lay out a program, in place (`-`: from input to output)"},
    {"completion", FOR_COMPLETION, "SHELL", true, command_completion, NULL, "the script that completes words in bash or zsh"},
    {"manual", FOR_MANUAL, "", false, command_manual, NULL, "the manual page: ppl manual | man -l -"},
    {0},
};

const ExitRow exit_rows[] = {
    {EXIT_DONE, "done"},
    {EXIT_PROGRAM, "the program or its data are wrong"},
    {EXIT_USAGE, "wrong usage"},
    {EXIT_UNRELIABLE, "a fit is not to be trusted (with --strict)"},
    {EXIT_NUMERIC, "numerical failure while fitting"},
    {EXIT_INTERRUPTED, "interrupted; what was reached is reported"},
    {0},
};

int command_version(const Options *o) {
    (void)o;
    puts("ppl " PPL_VERSION);
    return EXIT_DONE;
}
