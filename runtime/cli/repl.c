#include "cli/repl.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/data.h"
#include "cli/pretty.h"
#include "cli/program.h"
#include "cli/wrap.h"

/* -- Running -- */

static void on_print(void *self, const char *text) {
    (void)self;
    puts(text);
}

static void on_fit(void *self, Value fit) {
    Repl *r = self;
    if (fit_report(fit)->interrupted)
        screen_say(&r->session->screen, SEVERITY_NOTE, NULL, "interrupted; the fit holds what was reached");
}

bool repl_protect(Repl *r, void (*body)(void *), void *arg) {
    Error caught;
    if (ctx_protect(r->session->ctx, body, arg, &caught)) return true;
    session_report(r->session, &caught);
    if (caught.kind != ERROR_INTERRUPT) r->why = caught, r->failed = true;
    return false;
}

/* `_` is the last value that was shown. */
static void keep_last(Repl *r, Value v) {
    Interp *in = r->session->interp;
    if (r->last >= 0 && r->last < in->nglobals) interp_bind(in, r->last, v);
}

static void show_value(Repl *r, Value v) {
    if (v.kind == VALUE_NONE || v.kind == VALUE_NOTHING) return;
    Buf out = {0};
    pretty_value(r->session->interp, v, r->width, &out);
    if (out.text && v.kind == VALUE_OBJECT) wrap_puts(out.text, stdout), putchar('\n');
    else if (out.text) puts(out.text);
    buf_free(&out);
    keep_last(r, v);
}

typedef struct Input {
    Repl *repl;
    const char *text, *file;
    Value *value; /* NULL: values are shown */
    bool entered; /* to be saved */
    bool done;
} Input;

static void run_statements(Input *input, const Module *m) {
    Repl *r = input->repl;
    for (int k = 0; k < m->body->n; k++) {
        Value result = value_none();
        const Stmt *s = m->body->statements[k];
        interp_run_statement(r->session->interp, s, &result);
        bool shown = s->kind == STMT_EXPR && result.kind != VALUE_NONE && result.kind != VALUE_NOTHING;
        if (input->entered) entered_add(r, s, shown);
        if (s->kind != STMT_EXPR) continue;
        if (input->value)
            *input->value = result;
        else if (!input->file)
            show_value(r, result);
    }
    input->done = true;
}

static void run_input(void *arg) {
    Input *input = arg;
    Session *s = input->repl->session;
    int source = -1;
    const char *why = NULL;
    if (!input->file)
        source = ctx_add_source(s->ctx, "<repl>", input->text, strlen(input->text));
    else if ((source = program_read(s->ctx, s->arena, input->file, &why)) < 0)
        screen_say(&s->screen, SEVERITY_ERROR, NULL, "cannot read the program %s: %s", input->file, why);
    Module *m = source < 0 ? NULL : session_check(s, source, true);
    if (!m) return;
    if (input->file) {
        s->module = m;
        data_supply(s);
    }
    run_statements(input, m);
}

bool repl_run_text(Repl *r, const char *text) {
    Input input = {.repl = r, .text = text, .entered = true};
    return repl_protect(r, run_input, &input) && input.done;
}

bool repl_run_file(Repl *r, const char *file) {
    Input input = {.repl = r, .file = file};
    return repl_protect(r, run_input, &input) && input.done;
}

bool repl_evaluate(Repl *r, const char *text, Value *value) {
    *value = value_none();
    Input input = {.repl = r, .text = text, .value = value};
    return repl_protect(r, run_input, &input) && input.done && value->kind != VALUE_NONE;
}

/* -- The session -- */

static void begin(Repl *r) {
    Interp *in = r->session->interp;
    in->hooks.self = r;
    in->hooks.print = on_print;
    in->hooks.fit_finished = on_fit;
    in->full_print = !isatty(STDOUT_FILENO);
    r->width = in->width = screen_width(STDOUT_FILENO);
    repl_run_text(r, "_ = 0");
    r->last = lang_global_find(in->names, "_");
    r->entered.n = 0;
}

static int repl_session(Session *s) {
    Repl r = {.session = s, .terminal = isatty(STDIN_FILENO), .last = -1};
    screen_endure_interrupts();
    begin(&r);
    if (s->options->file) {
        r.loaded = s->options->file;
        repl_run_file(&r, r.loaded);
    }
    if (r.terminal) puts("ppl " PPL_VERSION "   :help lists the commands, :quit leaves");
    lines_open(&r);
    for (bool going = true; going;) {
        Buf text = {0};
        LinesResult got = lines_read(&r, &text);
        r.width = s->interp->width = screen_width(STDOUT_FILENO);
        if (got == LINES_END)
            going = false;
        else if (got == LINES_TEXT && text.text[0] == ':')
            going = repl_obey(&r, text.text);
        else if (got == LINES_TEXT)
            repl_run_text(&r, text.text);
        fflush(stdout);
        buf_free(&text);
    }
    lines_close(&r);
    return EXIT_DONE;
}

int command_repl(const Options *o) { return session_run(o, NULL, repl_session); }
