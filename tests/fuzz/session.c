/* The child's side: run a case as `ppl run` does, with little time, memory and depth, and watch that promises are kept.
 */
#include "session.h"

#include <cblas.h>
#include <math.h>
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cli/data.h"
#include "cli/draws.h"
#include "cli/json.h"
#include "cli/program.h"
#include "infer/report.h"
#include "pictures/pictures.h"
#include "lang/dump.h"
#include "interp/builtins.h"
#include "interp/session.h"

/* Milliseconds of computing time: one tick of the clock; after SOFT ticks the interrupt, after URGENT the second one.
 */
enum { TICK = 20, SOFT = 6, URGENT = 30, HARD = 300, MAX_BYTES = 8 << 20 };

static volatile int interrupted;
static volatile sig_atomic_t ticks;
static Outcome *outcome; /* of the case at work */
static bool shown;

static void on_tick(int signal) {
    (void)signal;
    if (++ticks >= SOFT) interrupted = ticks >= URGENT ? 2 : 1;
    if (ticks < HARD) return;
    static const char text[] = "HANG: does not stop when interrupted\n";
    if (write(STDERR_FILENO, text, sizeof text - 1) > 0) __sanitizer_print_stack_trace();
    _exit(EXIT_HANG);
}

static void start_clock(void) {
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigaction(SIGPROF, &action, NULL);
    struct itimerval every = {{0, TICK * 1000}, {0, TICK * 1000}};
    setitimer(ITIMER_PROF, &every, NULL);
    alarm(60); /* something that waits instead of computing */
}

static void stop_clock(void) {
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &never, NULL);
}

/* -- Promises -- */

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...) {
    if (outcome->complaint[0]) return;
    va_list args;
    va_start(args, format);
    vsnprintf(outcome->complaint, sizeof outcome->complaint, format, args);
    va_end(args);
}

/* The length of a number of seconds, which is another one each time: "0.0013 s,"; else 0. */
static size_t seconds_length(const char *s) {
    size_t n = strspn(s, "0123456789.e+-");
    return n && strncmp(s + n, " s", 2) == 0 && strchr(", \n", s[n + 2]) ? n : 0;
}

static void note_text(const char *text) {
    if (shown) printf("%s\n", text);
    for (const char *s = text; *s;) {
        size_t skipped = seconds_length(s), n = skipped ? skipped : strspn(s, "0123456789.e+-");
        if (n == 0) n = 1;
        if (!skipped) outcome->hash = hash_bytes(s, n, outcome->hash);
        s += n;
    }
}

static bool span_holds(const Ctx *c, Span at) {
    if (at.file < -1 || at.file >= c->nsources) return false;
    if (at.file == -1 || at.line == 0) return true;
    const Source *s = &c->sources[at.file];
    int lines = 1;
    for (size_t k = 0; k < s->length; k++) lines += s->text[k] == '\n';
    return at.line >= 1 && at.line <= lines && at.column >= 1 && at.end_line >= at.line && at.end_line <= lines + 1 &&
           (at.end_line > at.line || at.end_column >= at.column);
}

static void check_error(Session *s, const Error *e, const char *when) {
    const char *m = e->message;
    if (!m || !*m)
        complain("%s: an error without a message", when);
    else if (strstr(m, "(null)") || (e->hint && strstr(e->hint, "(null)")))
        complain("%s: (null) in the message: %s", when, m);
    else if (!span_holds(s->ctx, e->span))
        complain("%s: no such place: %d:%d:%d-%d:%d: %s", when, e->span.file, e->span.line, e->span.column,
                 e->span.end_line, e->span.end_column, m);
    else if (e->kind != ERROR_PROGRAM && e->kind != ERROR_USAGE && e->kind != ERROR_NUMERIC &&
             e->kind != ERROR_INTERRUPT)
        complain("%s: an error of kind %d: %s", when, (int)e->kind, m);
    else if (strcmp(when, "run") == 0 && e->span.file < 0 && e->kind == ERROR_PROGRAM && !s->options->ndata &&
             strcmp(m, "out of memory") != 0)
        complain("%s: an error without a place: %s", when, m);
    else if (strcmp(when, "run") == 0 && e->span.file >= 0 && s->ctx->sources[e->span.file].name[0] == '<' &&
             strcmp(s->ctx->sources[e->span.file].name, "<repl>"))
        complain("%s: an error in the library: %s:%d %s", when, s->ctx->sources[e->span.file].name, e->span.line, m);
    if (e->kind == ERROR_INTERRUPT) outcome->interrupted = true;
    Arena *a = arena_new();
    note_text(ctx_render(s->ctx, a, "error", e));
    arena_free(a);
}

static void on_warning(void *self, const Error *warning) { check_error(self, warning, "warning"); }

static void on_print(void *self, const char *text) {
    (void)self;
    note_text(text);
}

static void on_fit(void *self, Value fit) {
    Session *s = self;
    const FitReport *r = fit_report(fit);
    if (!r) {
        complain("a fit without a report");
        return;
    }
    if (!r->stop || !r->method || !r->model) complain("a fit's report without its model, method or reason to stop");
    for (int k = 0; k < r->nvariables; k++)
        if (!r->variables[k].name || !*r->variables[k].name) complain("a fit's variable without a name");
    if (r->interrupted) outcome->interrupted = true;
    Buf text = {0};
    Arena *scratch = arena_new();
    report_fit(scratch, r, &text, REPORT_ALL);
    arena_free(scratch);
    if (text.length) note_text(text.text);
    buf_free(&text);
    json_add_fit(&text, r); /* with its seconds: only made */
    buf_free(&text);
    draws_write(s->ctx, s->arena, r, "fit.csv");
}

/* -- The session -- */

static void begin(void *self) {
    Session *s = self;
    s->interp = interp_new(s->ctx, (const Builtin *const *const[]){infer_builtins, picture_builtins, NULL});
    static const InferSettings quiet;
    infer_attach(s->interp, &quiet);
    interp_load_stdlib(s->interp);
}

Session *fuzz_session(const char **why) {
    static Session session;
    static Options options;
    Session *s = &session;
    openblas_set_num_threads(1);
    *s = (Session){.options = &options, .ctx = ctx_new()};
    s->arena = ctx_arena(s->ctx);
    options.seed = s->ctx->seed = 1;
    options.threads = 1;
    s->ctx->max_bytes = MAX_BYTES;
    s->ctx->interrupted = &interrupted;
    s->ctx->on_warning = on_warning;
    s->ctx->warning_self = s;
    Error e;
    if (ctx_protect(s->ctx, begin, s, &e)) return s;
    *why = ctx_render(s->ctx, s->arena, "error", &e);
    return NULL;
}

Vocabulary *fuzz_vocabulary(const Session *s) {
    Vocabulary *v = calloc(1, sizeof *v);
    const Interp *in = s->interp;
    int n = in->nbuiltins + lang_library_count(in->names);
    v->functions = calloc((size_t)n, sizeof(Callable));
    v->dists = calloc((size_t)n, sizeof(Callable));
    for (int k = 0; k < in->nbuiltins; k++) {
        const BuiltinParams *p = session_builtin_params(in, in->builtins[k]);
        const char *name = in->builtins[k]->name;
        if (name[0] == '_' || strcmp(name, "time") == 0) continue;
        Callable c = {.name = name, .most = p->n + (p->rest ? 3 : 0), .params = p->n ? p->names : NULL};
        while (c.least < p->n && !p->optional[c.least]) c.least++;
        if (p->rest) c.params = NULL;
        v->functions[v->nfunctions++] = c;
    }
    for (int k = 0; k < lang_library_count(in->names); k++) {
        const Global *g = lang_library(in->names, k);
        if (g->name[0] == '_') continue;
        const Param *params = g->dist ? g->dist->params : g->function ? g->function->params : NULL;
        int np = g->dist ? g->dist->nparams : g->function ? g->function->nparams : 0;
        if (!g->dist && !g->function) continue;
        TypeKind *types = g->dist ? calloc((size_t)np + 1, sizeof *types) : NULL;
        Callable c = {.name = g->name, .most = np, .types = types, .params = calloc((size_t)np + 1, sizeof(char *))};
        for (int i = 0; i < np; i++) {
            c.params[i] = params[i].name;
            if (types) types[i] = params[i].type ? params[i].type->kind : TYPE_ANY;
            if (!params[i].default_value && c.least == i) c.least = i + 1;
        }
        if (g->dist)
            v->dists[v->ndists++] = c;
        else
            v->functions[v->nfunctions++] = c;
    }
    return v;
}

/* -- Running -- */

static bool load(Session *s, const char *name, const char *text, size_t n, bool interactive) {
    int file = ctx_add_source(s->ctx, name, text, n);
    Diagnostics found = {.max_errors = 20};
    LoadOptions options = {.interactive = interactive, .read_import = program_read_import, .self = s->arena};
    s->module = lang_load(s->ctx, s->interp->names, file, &options, &found);
    int errors = 0;
    for (int k = 0; k < found.n; k++) {
        errors += !found.list[k].warning;
        check_error(s, &found.list[k].error, "check");
        if (found.list[k].error.kind == ERROR_INTERRUPT) complain("check: interrupted");
        if (!found.list[k].warning && found.list[k].error.span.file < 0)
            complain("check: an error without a place: %s", found.list[k].error.message);
    }
    if (errors > found.nerrors || (errors == 0) != (found.nerrors == 0))
        complain("check: %d errors in the list, %d counted", errors, found.nerrors);
    if ((s->module == NULL) != (errors > 0))
        complain("check: %d errors, and %s module", errors, s->module ? "a" : "no");
    outcome->parsed |= s->module != NULL;
    if (s->module) {
        Buf tree = {0};
        lang_dump(s->module, &tree);
        buf_free(&tree);
    }
    return s->module != NULL;
}

typedef struct Whole {
    Session *session;
    const Case *c;
    const char *text;
    size_t length;
} Whole;

static void run_whole(void *self) {
    Whole *w = self;
    Session *s = w->session;
    s->interp->hooks =
        (Hooks){.self = s, .print = on_print, .fit_finished = on_fit, .model_logpdf = s->interp->hooks.model_logpdf};
    if (!load(s, "case.ppl", w->text, w->length, false)) return;
    if (s->options->ndata) data_supply(s);
    interp_run_module(s->interp, s->module);
    infer_default(s->interp, s->module);
    outcome->ended = true;
}

static void run_line(void *self) {
    Whole *w = self;
    Session *s = w->session;
    s->interp->hooks =
        (Hooks){.self = s, .print = on_print, .fit_finished = on_fit, .model_logpdf = s->interp->hooks.model_logpdf};
    if (!load(s, "<repl>", w->text, w->length, true)) return;
    for (int k = 0; k < s->module->body->n; k++) {
        Value v = value_none();
        interp_run_statement(s->interp, s->module->body->statements[k], &v);
        Buf text = {0};
        if (v.kind != VALUE_NONE && v.kind != VALUE_NOTHING) value_show(s->interp, v, &text, false);
        if (text.length) note_text(text.text);
        buf_free(&text);
    }
    outcome->ended = true;
}

static void guarded(Session *s, void (*body)(void *), Whole *w) {
    Error e;
    if (!ctx_protect(s->ctx, body, w, &e)) check_error(s, &e, "run");
}

typedef struct Completion {
    Ctx *ctx;
    const char *text;
    Completeness result;
} Completion;
static void complete(void *self) {
    Completion *c = self;
    c->result = lang_completeness(c->ctx, c->text);
}

/* Line after line, as a person types them: a statement is run when it is complete. */
static void run_lines(Session *s, const Case *c) {
    Buf typed = {0};
    for (const char *line = c->program.text, *end = line + c->program.length; line < end && !interrupted;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        next = next ? next + 1 : end;
        buf_add_bytes(&typed, line, (size_t)(next - line));
        line = next;
        Completion k = {s->ctx, typed.text, TEXT_WRONG};
        Error e;
        if (!ctx_protect(s->ctx, complete, &k, &e)) complain("completeness raised: %s", e.message);
        if (k.result == TEXT_UNFINISHED && line < end) continue;
        Whole w = {s, c, typed.text, typed.length};
        guarded(s, run_line, &w);
        buf_free(&typed);
    }
    buf_free(&typed);
}

static const char *put_file(const char *name, const Buf *b) {
    FILE *f = fopen(name, "wb");
    if (f) {
        fwrite(b->text, 1, b->length, f);
        fclose(f);
    }
    return name;
}

void fuzz_run_case(Session *s, const Case *c, bool check_leaks, bool show, Outcome *out) {
    static const char *data[1];
    Options options = *s->options;
    outcome = out;
    shown = show;
    s->options = &options;
    s->ctx->max_depth = c->depth;
    if (strstr(c->program.text, "case.ppl")) put_file("case.ppl", &c->program);
    if (c->kind == CASE_DATA) {
        put_file(arena_printf(s->arena, "data%s", c->format), &c->data);
        data[0] = c->name ? arena_printf(s->arena, "%s=data%s", c->name, c->format)
                          : arena_printf(s->arena, "data%s", c->format);
        options.data = data, options.ndata = 1;
    }
    start_clock();
    if (c->by_lines) {
        run_lines(s, c);
    } else {
        Whole w = {s, c, c->program.text, c->program.length};
        guarded(s, run_whole, &w);
    }
    if (ticks >= SOFT) out->interrupted = true;
    infer_detach(s->interp);
    interp_free(s->interp);
    arena_free(s->arena);
    ctx_free(s->ctx);
    stop_clock();
    s->ctx = NULL, s->interp = NULL, s->arena = NULL, s->module = NULL;
    if (check_leaks && __lsan_do_recoverable_leak_check()) _exit(EXIT_HANG + 1);
}
