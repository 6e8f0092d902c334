/* `ppl manual`: the manual page (groff_man(7)) from the tables of commands, options, exit codes and statements. */
#include <stdio.h>

#include "cli/commands.h"

#define FORM(name, form, meaning) {form, meaning},
static const char *const forms[][2] = {
#include "cli/forms.def"
};
#undef FORM

/* Text of a line: a backslash, a minus and a leading dot or quote mean something to roff. */
static void print_text(const char *text) {
    if (*text == '.' || *text == '\'') printf("\\&");
    for (; *text; text++) {
        if (*text == '\\')
            printf("\\e");
        else if (*text == '-')
            printf("\\-");
        else if (*text == '^')
            printf("\\(ha");
        else if (*text == '~')
            printf("\\(ti");
        else if (*text == '`')
            printf("\\(ga");
        else
            putchar(*text);
    }
}

static void print_item(const char *bold, const char *italic, const char *text) {
    printf(".TP\n\\fB");
    print_text(bold);
    printf("\\fR");
    if (italic && *italic) {
        printf(" \\fI");
        print_text(italic);
        printf("\\fR");
    }
    putchar('\n');
    print_text(text);
    putchar('\n');
}

static void print_options(const Command *c) {
    bool any = false;
    for (const OptionRow *r = option_rows; r->name; r++) {
        if (!(r->commands & c->bit)) continue;
        if (!any) printf(".SS Options of %s\n", c->name);
        any = true;
        print_item(r->name, r->value, r->help);
    }
}

int command_manual(const Options *o) {
    (void)o;
    puts(".TH PPL 1 \"\" \"ppl " PPL_VERSION "\" \"User Commands\"\n"
         ".SH NAME\n"
         "ppl \\- probabilistic programs and their posteriors\n"
         ".SH SYNOPSIS");
    for (const Command *c = commands; c->name; c++) {
        printf(".B ppl %s\n", c->name);
        bool any = false;
        for (const OptionRow *r = option_rows; r->name; r++) any |= (r->commands & c->bit) != 0;
        if (any) puts("[\\fIOPTION\\fR]...");
        if (*c->arguments) printf(c->needs_file ? "\\fI%s\\fR\n" : "[\\fI%s\\fR]\n", c->arguments);
        puts(".br");
    }
    puts(".SH DESCRIPTION\n"
         "Reads a program that says how data could have come about, and finds what the data say about everything that\n"
         "was left unknown. Results go to standard output, progress and messages to standard error.\n"
         ".SH COMMANDS");
    for (const Command *c = commands; c->name; c++) print_item(c->name, c->arguments, c->help);
    puts(".SH OPTIONS");
    for (const Command *c = commands; c->name; c++) print_options(c);
    puts(".SH THE LANGUAGE");
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) print_item(forms[k][0], NULL, forms[k][1]);
    puts(".SH EXIT STATUS");
    for (const ExitRow *e = exit_rows; e->meaning; e++) {
        char code[12];
        snprintf(code, sizeof code, "%d", e->code);
        print_item(code, NULL, e->meaning);
    }
    puts(".SH EXAMPLES\n"
         ".EX\n"
         "ppl run model.ppl \\-\\-data data.json \\-\\-out draws.csv\n"
         "ppl check \\-\\-sites model.ppl\n"
         "ppl help Normal\n"
         ".EE");
    return EXIT_DONE;
}
