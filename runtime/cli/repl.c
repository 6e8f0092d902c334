#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define _FUNCTION_DEF /* readline's old name for a type is one of ours */
#include <readline/history.h>
#include <readline/readline.h>

#include "cli/commands.h"
#include "cli/data.h"
#include "cli/session.h"
#include "infer/report.h"

/* -- Reading: lines until they make a whole -- */

static char *read_line(const char *prompt) {
    if (isatty(STDIN_FILENO)) return readline(prompt);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t n = getline(&line, &capacity, stdin);
    if (n < 0) {
        free(line);
        return NULL;
    }
    if (n > 0 && line[n - 1] == '\n') line[n - 1] = 0;
    return line;
}

/* False at the end of the input. An empty line ends what would go on. */
static bool read_input(Ctx *c, Buf *text) {
    for (const char *prompt = "> ";; prompt = "... ") {
        char *line = read_line(prompt);
        if (!line) return text->length > 0;
        bool empty = line[strspn(line, " \t")] == 0;
        if (text->length) buf_add_char(text, '\n');
        buf_add(text, line);
        free(line);
        if (empty || lang_completeness(c, text->text) != TEXT_UNFINISHED) return true;
    }
}

/* -- Running -- */

static void on_print(void *self, const char *text) {
    (void)self;
    puts(text);
}

static void show_value(Session *s, Value v) {
    if (v.kind == VALUE_NONE || v.kind == VALUE_NOTHING) return;
    Buf out = {0};
    value_show(s->interp, v, &out, s->interp->full_print);
    if (out.text) puts(out.text);
    buf_free(&out);
}

typedef struct Input {
    Session *session;
    const char *text;
} Input;

static void run_input(void *arg) {
    Input *input = arg;
    Session *s = input->session;
    int file = ctx_add_source(s->ctx, "<repl>", input->text, strlen(input->text));
    Module *m = session_check(s, file, true);
    for (int k = 0; m && k < m->body->n; k++) {
        Value result = value_none();
        interp_run_statement(s->interp, m->body->statements[k], &result);
        if (m->body->statements[k]->kind == STMT_EXPR) show_value(s, result);
    }
}

static void run_file(void *arg) {
    Session *s = arg;
    interp_run_module(s->interp, s->module);
}

/* One line of commands to the REPL itself; false: leave. */
static bool obey(const char *text) {
    if (strncmp(text, ":q", 2) == 0) return false;
    puts("statements are run, expressions are shown; an open bracket goes on in the next line\n"
         ":q or the end of the input leaves; `ppl help NAME` explains names");
    return true;
}

static int repl_session(Session *s) {
    Error caught;
    s->interp->hooks = (Hooks){.print = on_print};
    s->interp->full_print = !isatty(STDOUT_FILENO);
    if (s->options->file) {
        if (!session_load(s, s->options->file)) return EXIT_PROGRAM;
        data_supply(s);
        if (!ctx_protect(s->ctx, run_file, s, &caught)) session_report(s, &caught);
    }
    if (isatty(STDIN_FILENO)) puts("ppl " PPL_VERSION "   :h helps, :q leaves");
    for (bool going = true; going;) {
        Buf text = {0};
        going = read_input(s->ctx, &text);
        *s->ctx->interrupted = 0; /* what interrupted the last statement does not concern the next */
        if (going && isatty(STDIN_FILENO) && text.text[strspn(text.text, " \t\n")]) add_history(text.text);
        Input input = {s, text.text};
        if (going && text.text[0] == ':')
            going = obey(text.text);
        else if (going && !ctx_protect(s->ctx, run_input, &input, &caught))
            session_report(s, &caught);
        fflush(stdout);
        buf_free(&text);
    }
    return EXIT_DONE;
}

int command_repl(const Options *o) { return session_run(o, NULL, repl_session); }
