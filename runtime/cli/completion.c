/* `ppl completion SHELL`: the script that completes the words of a command line, from the tables of commands and
 * options. A value's placeholder says what completes it: a file, one of the words between bars, or nothing. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"

static bool is_file(const char *value) { return strstr(value, "FILE") != NULL; }
static bool is_choice(const char *value) { return strchr(value, '|') != NULL; }

/* "double|single" as "double single". */
static void print_choices(const char *value) {
    for (; *value; value++) putchar(*value == '|' ? ' ' : *value);
}

static void print_commands(void) {
    for (const Command *c = commands; c->name; c++) printf("%s%s", c == commands ? "" : " ", c->name);
}

static void print_options(unsigned bit) {
    for (const OptionRow *r = option_rows; r->name; r++)
        if (r->commands & bit) printf("%s ", r->name);
    printf("--help");
}

/* -- bash (its manual, "Programmable Completion"). A `=` is a word of its own there: --data x=FILE is three. -- */

static void bash_values(void) {
    puts("    case $before in");
    for (const OptionRow *r = option_rows; r->name; r++) {
        if (!r->value) continue;
        printf("        %s) ", r->name);
        if (is_choice(r->value)) {
            printf("COMPREPLY=($(compgen -W \"");
            print_choices(r->value);
            printf("\" -- \"$word\")); ");
        } else if (is_file(r->value)) {
            printf("COMPREPLY=($(compgen -f -- \"$word\")); ");
        }
        puts("return ;;");
    }
    puts("        =) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n    esac");
}

static void bash_words(void) {
    puts("    case $command in");
    for (const Command *c = commands; c->name; c++) {
        printf("        %s) words=\"", c->name);
        print_options(c->bit);
        printf("\"");
        if (strcmp(c->arguments, "FILE") == 0) printf("; files=yes");
        if (strcmp(c->arguments, "SHELL") == 0) printf("; words=\"$words bash zsh\"");
        if (strcmp(c->arguments, "NAME") == 0) {
            printf("\n            words=\"$words functions distributions statements ");
            print_commands();
            printf("\n                $(ppl help functions 2>/dev/null | grep -v '`')"
                   " $(ppl help distributions 2>/dev/null | grep -v '`')\"");
        }
        puts(" ;;");
    }
    puts("    esac");
}

static void print_bash(void) {
    puts("# Completion of ppl's words in bash; made by `ppl completion bash`.\n"
         "_ppl() {\n"
         "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}\n"
         "    local words= files=\n"
         "    COMPREPLY=()\n"
         "    if [ \"$word\" = = ]; then before==; word=; fi");
    printf("    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    print_commands();
    puts("\" -- \"$word\") $(compgen -f -X '!*.ppl' -- \"$word\") $(compgen -d -- \"$word\"))\n        return\n    fi");
    bash_values();
    bash_words();
    puts("    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "    if [ -n \"$files\" ]; then\n"
         "        COMPREPLY+=($(compgen -f -X '!*.ppl' -- \"$word\") $(compgen -d -- \"$word\"))\n"
         "    fi\n"
         "}\n"
         "complete -o filenames -o bashdefault -F _ppl ppl");
}

/* -- zsh (its manual, "Completion System": _arguments, _describe) -- */

/* Within '...' of zsh, in a specification where : and [ ] mean something. */
static void zsh_text(const char *text) {
    for (; *text; text++) {
        if (*text == '\'')
            printf("'\\''");
        else {
            if (strchr(":[]\\", *text)) putchar('\\');
            putchar(*text);
        }
    }
}

static void zsh_option(const OptionRow *r) {
    printf(" \\\n            '%s%s%s[", strcmp(r->name, "--data") == 0 ? "*" : "", r->name, r->value ? "=" : "");
    zsh_text(r->help);
    putchar(']');
    if (r->value && is_choice(r->value)) {
        printf(":one of:(");
        print_choices(r->value);
        putchar(')');
    } else if (r->value) {
        putchar(':');
        zsh_text(r->value);
        printf(":%s", is_file(r->value) ? "_files" : "");
    }
    putchar('\'');
}

static void zsh_command(const Command *c) {
    printf("        %s) _arguments", c->name);
    for (const OptionRow *r = option_rows; r->name; r++)
        if (r->commands & c->bit) zsh_option(r);
    if (strcmp(c->arguments, "FILE") == 0) printf(" \\\n            '1:program:_files -g \"*.ppl\"'");
    if (strcmp(c->arguments, "SHELL") == 0) printf(" \\\n            '1:shell:(bash zsh)'");
    if (strcmp(c->arguments, "NAME") == 0)
        printf(" \\\n            \"1:name:($(ppl help functions 2>/dev/null | grep -v '`')"
               " $(ppl help distributions 2>/dev/null | grep -v '`'))\"");
    puts(" ;;");
}

static void print_zsh(void) {
    puts("#compdef ppl\n"
         "# Completion of ppl's words in zsh; made by `ppl completion zsh`.\n"
         "_ppl() {\n"
         "    local -a names\n"
         "    names=(");
    for (const Command *c = commands; c->name; c++) {
        printf("        '%s:", c->name);
        zsh_text(c->help);
        puts("'");
    }
    puts("    )\n"
         "    if (( CURRENT == 2 )); then\n"
         "        _describe command names\n"
         "        _files -g '*.ppl'\n"
         "        return\n"
         "    fi\n"
         "    local command=$words[2]\n"
         "    shift words\n"
         "    (( CURRENT-- ))\n"
         "    case $command in");
    for (const Command *c = commands; c->name; c++) zsh_command(c);
    puts("    esac\n}\n_ppl \"$@\"");
}

int command_completion(const Options *o) {
    if (strcmp(o->file, "bash") == 0)
        print_bash();
    else if (strcmp(o->file, "zsh") == 0)
        print_zsh();
    else {
        fprintf(stderr, "ppl completion: expected bash or zsh, but '%s' came\n", o->file);
        return EXIT_USAGE;
    }
    return EXIT_DONE;
}
