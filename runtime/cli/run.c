#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/data.h"
#include "cli/draws.h"
#include "cli/json.h"
#include "cli/session.h"
#include "cli/wrap.h"
#include "infer/report.h"
#include "pictures/pictures.h"

typedef struct Run {
    Session *session;
    Buf summaries; /* of the fits, shown at the end when the program prints nothing */
    bool printed, unreliable, interrupted;
    int fits;
} Run;

/* A JSON line goes out at once: who reads them waits for each. */
static void put_line(Buf *line) {
    fwrite(line->text, 1, line->length, stdout);
    fflush(stdout);
    buf_free(line);
}

static void on_print(void *self, const char *text) {
    Run *run = self;
    run->printed = true;
    buf_free(&run->summaries);
    screen_erase(&run->session->screen);
    if (run->session->options->json) {
        Buf line = {0};
        json_add_print(&line, text);
        put_line(&line);
    } else {
        puts(text);
        fflush(stdout); /* a second interrupt ends the process where it stands */
    }
}

static void write_draws(Run *run, const FitReport *r) {
    Session *s = run->session;
    ArenaMark mark = arena_mark(s->arena);
    if (!draws_write(s->ctx, s->arena, r, s->options->out))
        screen_say(&s->screen, SEVERITY_WARNING, NULL, "the fit of %s has no draws to write to %s", r->model,
                   s->options->out);
    arena_rewind(s->arena, mark);
    if (run->fits == 2)
        screen_say(&s->screen, SEVERITY_WARNING, "write(\"name.csv\", fit) in the program writes each",
                   "there are several fits; %s holds the draws of the last", s->options->out);
}

static void on_fit(void *self, Value fit) {
    Run *run = self;
    const FitReport *r = fit_report(fit);
    run->fits++;
    run->unreliable |= !r->reliable;
    run->interrupted |= r->interrupted;
    screen_erase(&run->session->screen);
    if (run->session->options->json) {
        Buf line = {0};
        json_add_fit(&line, r);
        put_line(&line);
    } else if (!run->printed) {
        if (run->fits > 1) buf_add(&run->summaries, "\n\n");
        report_fit(run->session->arena, r, &run->summaries, report_most(run->session->interp));
    }
    if (run->session->options->out) write_draws(run, r);
    if (run->session->options->plot) picture_fit(run->session->interp, fit, run->session->options->plot);
}

static void run_program(void *arg) {
    Session *s = arg;
    interp_run_module(s->interp, s->module);
    infer_default(s->interp, s->module);
}

/* What was reached is shown whatever became of the rest. */
static void finish(Run *run) {
    if (!run->printed && run->summaries.length) wrap_puts(run->summaries.text, stdout), putchar('\n');
    buf_free(&run->summaries);
}

static int run_session(Session *s) {
    Run *run = s->self;
    run->session = s;
    if (!session_load(s, s->options->file)) return EXIT_PROGRAM;
    data_supply(s);
    s->interp->hooks.self = run;
    s->interp->hooks.print = on_print;
    s->interp->hooks.fit_finished = on_fit;
    s->interp->width = screen_width(STDOUT_FILENO);
    s->interp->whole_summaries = s->options->json;
    s->interp->full_print = s->options->json || !isatty(STDOUT_FILENO);
    Error caught;
    bool done = ctx_protect(s->ctx, run_program, s, &caught);
    finish(run);
    if (!done) return session_report(s, &caught);
    if (run->interrupted) return EXIT_INTERRUPTED;
    if (!run->unreliable || !s->options->strict) return EXIT_DONE;
    screen_say(&s->screen, SEVERITY_ERROR, NULL, "a fit is not to be trusted (--strict): its summary says why");
    return EXIT_UNRELIABLE;
}

int command_run(const Options *o) {
    Run run = {0};
    int code = session_run(o, &run, run_session);
    buf_free(&run.summaries);
    if (fflush(stdout) == 0 && !ferror(stdout)) return code;
    fprintf(stderr, "error: cannot write the results: %s\n", strerror(errno));
    return code ? code : EXIT_PROGRAM;
}
