/* Lines from a person (GNU readline: history, completion, bracketed paste) or from a pipe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define _FUNCTION_DEF /* readline's old name for a type is one of ours */
#include <readline/history.h>
#include <readline/readline.h>

#include "cli/repl.h"

enum { HISTORY_LINES = 2000 };

static Repl *at_work; /* readline's callbacks are not told who asks */

/* -- Completion -- */

typedef struct Candidates {
    Buf list; /* the names that fit, each with its NUL */
    const char *prefix;
    size_t length;
    const char *before; /* what stands before each: "fit." */
} Candidates;

static void offer(Candidates *c, const char *name) {
    if (strncmp(name, c->prefix, c->length) != 0 || (name[0] == '_' && c->length == 0)) return;
    buf_add(&c->list, c->before);
    buf_add_bytes(&c->list, name, strlen(name) + 1);
}

static void offer_fields(Candidates *c, Value v) {
    const char **names = NULL;
    Interp *in = at_work->session->interp;
    if (v.kind == VALUE_RECORD) {
        for (int k = 0; k < v.u.record->n; k++) offer(c, v.u.record->names[k]);
    } else if (v.kind == VALUE_DIST) {
        const DistDecl *d = v.u.dist->family->decl;
        for (int k = 0; k < d->nparams; k++) offer(c, d->params[k].name);
    } else if (v.kind == VALUE_OBJECT && v.u.object->type->fields) {
        int n = v.u.object->type->fields(v.u.object->data, in->arena, &names);
        for (int k = 0; k < n; k++) offer(c, names[k]);
    }
}

/* "fit.effect.mu": the value up to the last point, without running anything but looking. */
static Value value_of_path(const char *path, size_t length) {
    Interp *in = at_work->session->interp;
    Value v = value_none();
    for (size_t at = 0; at < length;) {
        size_t n = strcspn(path + at, ".");
        char name[256];
        if (n == 0 || n >= sizeof name || at + n > length) return value_none();
        snprintf(name, sizeof name, "%.*s", (int)n, path + at);
        if (at == 0) {
            int slot = lang_global_find(in->names, name);
            v = slot >= 0 && slot < in->nglobals ? in->globals[slot] : value_none();
        } else if (v.kind == VALUE_RECORD) {
            v = record_get(v, name);
        } else if (v.kind == VALUE_OBJECT && v.u.object->type->get) {
            v = v.u.object->type->get(in, v.u.object->data, name);
        } else {
            return value_none();
        }
        at += n + 1;
    }
    return v;
}

static void offer_names(Candidates *c) {
    static const char *const words[] = {"data", "dist", "else", "factor", "false", "for", "guide", "if", "import", "in",
                                        "missing", "model", "net", "not", "observe", "param", "plate", "refine", "return",
                                        "true", "while", "with"};
    Interp *in = at_work->session->interp;
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) offer(c, words[k]);
    for (int k = 0; k < lang_globals_count(in->names); k++) offer(c, lang_global(in->names, k)->name);
    for (int k = 0; k < lang_library_count(in->names); k++) offer(c, lang_library_name(in->names, k));
    for (int k = 0; k < in->nbuiltins; k++) offer(c, in->builtins[k]->name);
}

typedef struct Completing {
    Candidates *candidates;
    const char *text;
} Completing;

static void complete_protected(void *arg) {
    Completing *g = arg;
    const char *point = strrchr(g->text, '.');
    if (!point) {
        offer_names(g->candidates);
        return;
    }
    g->candidates->prefix = point + 1;
    g->candidates->length = strlen(point + 1);
    g->candidates->before = arena_printf(at_work->session->arena, "%.*s", (int)(point + 1 - g->text), g->text);
    offer_fields(g->candidates, value_of_path(g->text, (size_t)(point - g->text)));
}

/* What fits, as readline wants it: the common beginning, then each; NULL: nothing. */
static char **matches_of(const Candidates *c, const char *text) {
    size_t n = 0, common = (size_t)-1;
    const char *first = NULL;
    for (size_t at = 0; at < c->list.length; at += strlen(c->list.text + at) + 1, n++) {
        const char *name = c->list.text + at;
        if (!first) first = name, common = strlen(name);
        while (strncmp(first, name, common) != 0) common--;
    }
    if (n == 0) return NULL;
    char **matches = malloc((n + 2) * sizeof *matches);
    if (!matches) return NULL;
    matches[0] = strndup(common > strlen(text) ? first : text, common > strlen(text) ? common : strlen(text));
    size_t k = 1;
    for (size_t at = 0; at < c->list.length; at += strlen(c->list.text + at) + 1) matches[k++] = strdup(c->list.text + at);
    if (n == 1) k = 1;
    matches[k] = NULL;
    return matches;
}

static char **complete(const char *text, int start, int end) {
    (void)end;
    const char *line = rl_line_buffer;
    size_t command = strcspn(line, " ");
    Candidates c = {.prefix = text, .length = strlen(text), .before = ""};
    rl_attempted_completion_over = 1;
    bool in_string = start > 0 && line[start - 1] == '"';
    if (in_string || (line[0] == ':' && start > 0 && repl_command_takes_file(line, command))) {
        rl_attempted_completion_over = 0; /* file names are readline's own */
        return NULL;
    }
    rl_completion_append_character = line[0] == ':' && start == 0 ? ' ' : '\0';
    if (line[0] == ':' && start == 0) {
        for (int k = 0; repl_command_name(k); k++) offer(&c, repl_command_name(k));
    } else {
        Completing g = {&c, text};
        Error ignored;
        (void)ctx_protect(at_work->session->ctx, complete_protected, &g, &ignored);
    }
    char **matches = matches_of(&c, text);
    buf_free(&c.list);
    return matches;
}

/* -- Interrupts at the prompt -- */

/* Asked some ten times a second while nobody types. */
static int watch(void) {
    if (*at_work->session->ctx->interrupted) rl_done = 1;
    return 0;
}

/* -- History -- */

/* $XDG_STATE_HOME/ppl/history, its folders made; NULL: there is no home. Belongs to malloc. */
static char *history_path(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    Buf b = {0};
    if (state && *state == '/')
        buf_add(&b, state);
    else if (home && *home)
        buf_printf(&b, "%s/.local/state", home);
    else
        return NULL;
    buf_add(&b, "/ppl/history");
    for (char *s = b.text + 1; (s = strchr(s, '/')); s++) {
        *s = 0;
        mkdir(b.text, 0700); /* it may be there; whether it can be written shows later */
        *s = '/';
    }
    return b.text;
}

void lines_open(Repl *r) {
    at_work = r;
    if (!r->terminal) return;
    rl_readline_name = "ppl";
    rl_attempted_completion_function = complete;
    rl_completer_word_break_characters = " \t\n()[]{},;=~+-*/%^<>|@&\"'";
    rl_completer_quote_characters = "";
    rl_event_hook = watch;
    rl_catch_signals = 0;
    rl_variable_bind("enable-bracketed-paste", "on");
    using_history();
    stifle_history(HISTORY_LINES);
    history_comment_char = '#';
    history_write_timestamps = 1; /* so that an entry may have several lines */
    history_multiline_entries = 1;
    char *path = history_path();
    if (path) read_history(path);
    free(path);
}

static void remember(const char *text) {
    HIST_ENTRY *latest = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
    if (text[strspn(text, " \t\n")] == 0 || (latest && strcmp(latest->line, text) == 0)) return;
    add_history(text);
    char *path = history_path();
    if (path && append_history(1, path) != 0) write_history(path); /* the file is not there yet */
    free(path);
}

void lines_close(Repl *r) {
    char *path = r->terminal ? history_path() : NULL;
    if (path) history_truncate_file(path, HISTORY_LINES);
    free(path);
    at_work = NULL;
}

/* -- Reading -- */

static char *read_line(const Repl *r, const char *prompt) {
    if (r->terminal) return readline(prompt);
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

LinesResult lines_read(Repl *r, Buf *text) {
    Ctx *c = r->session->ctx;
    for (const char *prompt = "> ";; prompt = "... ") {
        *c->interrupted = 0; /* what interrupted the last statement does not concern the next */
        char *line = read_line(r, prompt);
        if (*c->interrupted) {
            free(line);
            if (r->terminal) puts("^C");
            *c->interrupted = 0;
            return LINES_CANCELLED;
        }
        if (!line) {
            if (r->terminal) putchar('\n');
            return text->length > 0 ? LINES_TEXT : LINES_END;
        }
        bool empty = line[strspn(line, " \t")] == 0;
        if (text->length) buf_add_char(text, '\n');
        buf_add(text, line);
        free(line);
        if (empty || text->text[0] == ':' || lang_completeness(c, text->text) != TEXT_UNFINISHED) break;
    }
    if (r->terminal) remember(text->text);
    return LINES_TEXT;
}
