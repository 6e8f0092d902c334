#include "cli/screen.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/wrap.h"

void screen_open(Screen *s, Ctx *c, Arena *a, bool quiet, bool json) {
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    bool dumb = term && strcmp(term, "dumb") == 0;
    *s = (Screen){.ctx = c, .arena = a, .quiet = quiet, .terminal = isatty(STDERR_FILENO)};
    s->color = s->terminal && !dumb && !(no_color && *no_color);
    s->progress = !quiet && (s->terminal || !json);
}

/* -- Messages -- */

void screen_erase(Screen *s) {
    if (s->line_shown) fputs("\r\x1b[K", stderr);
    s->line_shown = false;
}

static void show_json(const Screen *s, const char *word, const Error *e) {
    Buf b = {0};
    bool placed = e->span.file >= 0 && e->span.file < s->ctx->nsources;
    buf_add(&b, "{\"file\": ");
    if (placed)
        buf_add_json_string(&b, s->ctx->sources[e->span.file].name);
    else
        buf_add(&b, "null");
    const int32_t places[] = {e->span.line, e->span.column, e->span.end_line, e->span.end_column};
    static const char *const names[] = {"line", "column", "end_line", "end_column"};
    for (int k = 0; k < 4; k++) buf_printf(&b, ", \"%s\": %d", names[k], placed ? places[k] : 1);
    const char *const texts[] = {word, e->message, e->hint, e->code};
    static const char *const keys[] = {"severity", "message", "hint", "code"};
    for (int k = 0; k < 4; k++) {
        buf_printf(&b, ", \"%s\": ", keys[k]);
        if (texts[k])
            buf_add_json_string(&b, texts[k]);
        else
            buf_add(&b, "null");
    }
    buf_add(&b, "}");
    puts(b.text);
    buf_free(&b);
}

static bool is_silent(const Screen *s, const Error *e) {
    for (int k = 0; s->silent && e->code && k < WARNING_COUNT; k++)
        if (s->silent[k] && strcmp(e->code, warning_code((Warning)k)) == 0) return true;
    return false;
}

void screen_show(Screen *s, Severity severity, const Error *e) {
    static const char *const words[] = {"error", "warning", "note"}, *const colors[] = {"1;31", "1;35", "1;36"};
    if (severity != SEVERITY_ERROR && (s->quiet || is_silent(s, e))) return;
    const char *word = words[severity];
    if (s->json) {
        show_json(s, word, e);
        return;
    }
    Error coded = *e;
    if (severity == SEVERITY_WARNING && e->code)
        coded.message = arena_printf(s->arena, "%s [%s]", e->message, e->code);
    if (s->color) word = arena_printf(s->arena, "\x1b[%sm%s\x1b[0m", colors[severity], word);
    fflush(stdout); /* what was printed before stands before */
    screen_erase(s);
    wrap_puts(ctx_render(s->ctx, s->arena, word, &coded), stderr);
}

void screen_say(Screen *s, Severity severity, const char *hint, const char *format, ...) {
    Error e = {.kind = ERROR_PROGRAM, .span = SPAN_NONE, .hint = hint};
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    e.message = n >= 0 ? text : format;
    screen_show(s, severity, &e);
    if (n >= 0) free(text);
}

/* -- Progress -- */

enum { SECONDS_BETWEEN_LINES = 10 };

static void add_left(Buf *b, double left) {
    if (isnan(left) || left < 0) return;
    long seconds = left < 1e7 ? lround(left) : 9999999;
    if (seconds >= 3600)
        buf_printf(b, "  %ld:%02ld:%02ld left", seconds / 3600, seconds / 60 % 60, seconds % 60);
    else
        buf_printf(b, "  %ld:%02ld left", seconds / 60, seconds % 60);
}

static void add_number(Buf *b, const char *before, double x, int digits, const char *behind) {
    if (isnan(x)) return;
    buf_printf(b, "  %s", before);
    buf_add_number(b, x, digits);
    buf_add(b, behind);
}

static void add_progress(Buf *b, const Progress *p) {
    buf_printf(b, "%s %s", p->method ? p->method : "fit", p->model ? p->model : "");
    if (p->epoch > 0) buf_printf(b, "  epoch %ld", p->epoch);
    if (p->epochs > 0) buf_printf(b, "/%ld", p->epochs);
    buf_printf(b, "  step %ld", p->step);
    if (p->steps > 0) buf_printf(b, "/%ld", p->steps);
    bool svi = p->method && strcmp(p->method, "svi") == 0;
    add_number(b, svi ? p->by_element ? "ELBO per element " : "ELBO " : "log density ", p->objective, 6, "");
    add_number(b, "rate ", p->rate, 3, "");
    if (p->speed >= 100)
        buf_printf(b, "  %.0f steps/s", p->speed);
    else
        add_number(b, "", p->speed, 3, " steps/s");
    add_left(b, p->left);
}

void screen_progress(void *screen, const Progress *p) {
    Screen *s = screen;
    if (!s->progress) return;
    if (p->seconds < s->last_line) s->last_line = 0; /* another fit */
    if (p->done) {
        screen_erase(s);
        s->last_line = 0;
        return;
    }
    if (!s->terminal && p->seconds - s->last_line < SECONDS_BETWEEN_LINES) return;
    s->last_line = p->seconds;
    Buf b = {0};
    add_progress(&b, p);
    if (s->terminal) fflush(stdout);
    fprintf(stderr, s->terminal ? "\r%.150s\x1b[K" : "%s\n", b.text);
    fflush(stderr);
    s->line_shown = s->terminal;
    buf_free(&b);
}

int screen_width(int file) {
    struct winsize size;
    bool known = ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20;
    return known ? size.ws_col : 80;
}

/* -- Interrupts -- */

static volatile int interrupted, endures, told; /* a signal handler knows nothing else */

static void on_interrupt(int signal) {
    static const char once_more[] = "\nstopping after the step at work; once more ends at once, without what was reached\n";
    (void)signal;
    if (interrupted && !endures) _exit(EXIT_INTERRUPTED);
    interrupted++;
    if (told || endures) return;
    int before = errno;
    told = write(STDERR_FILENO, once_more, sizeof once_more - 1) > 0;
    errno = before;
}

void screen_endure_interrupts(void) { endures = 1; }

volatile int *interrupts_catch(void) {
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    told = !isatty(STDERR_FILENO);
    return &interrupted;
}
