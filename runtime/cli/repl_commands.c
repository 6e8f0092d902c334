/* The commands of the REPL: a table, each with what it does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/help.h"
#include "cli/pretty.h"
#include "cli/profile.h"
#include "cli/repl.h"
#include "infer/look.h"
#include "io/data.h"
#include "io/file.h"

typedef struct Action {
    Repl *repl;
    const char *argument; /* what stands behind the command, without blanks around it; "" */
} Action;

static void print_buf(Buf *b) {
    if (b->length) fputs(b->text, stdout);
    buf_free(b);
}

/* -- What is there -- */

static void show_vars(void *self) {
    Action *a = self;
    Interp *in = a->repl->session->interp;
    int longest = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int k = 0; k < lang_globals_count(in->names) && k < in->nglobals; k++) {
            const char *name = lang_global(in->names, k)->name;
            bool hidden = in->globals[k].kind == VALUE_NONE || name[0] == '_' || lang_global_find(in->names, name) != k;
            if (hidden) continue;
            if (pass == 0 && (int)strlen(name) > longest) longest = (int)strlen(name);
            if (pass == 1) printf("%-*s  %s\n", longest, name, pretty_kind(in, in->globals[k]));
        }
    if (longest == 0) puts("nothing is defined yet");
}

static void show_type(void *self) {
    Action *a = self;
    Value v;
    if (repl_evaluate(a->repl, a->argument, &v)) puts(pretty_kind(a->repl->session->interp, v));
}

static void look_with(Action *a, void (*look)(Interp *in, Value model, Span at, Buf *out)) {
    Value v;
    Buf out = {0};
    if (!repl_evaluate(a->repl, a->argument, &v)) return;
    look(a->repl->session->interp, v, a->repl->session->ctx->span, &out);
    print_buf(&out);
}

static void show_trace(void *self) { look_with(self, look_trace); }
static void show_sites(void *self) { look_with(self, look_sites); }

static void show_params(void *self) {
    Action *a = self;
    Buf out = {0};
    if (!look_params(a->repl->session->interp, &out)) buf_add(&out, "the latest fit learned no parameters, or there is none\n");
    print_buf(&out);
}

/* -- The last error -- */

static bool in_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (c & 0x80); }

static bool stands_before(const char *line, const char *word, size_t n) {
    for (const char *s = line; s < word; s++)
        if (strncmp(s, word, n) == 0 && !in_word(s[n]) && (s == line || !in_word(s[-1]))) return true;
    return false;
}

/* The values of the names that stand in the line of the error, each once. */
static void show_names_of_line(Repl *r, Span at) {
    const Ctx *c = r->session->ctx;
    Interp *in = r->session->interp;
    if (at.file < 0 || at.file >= c->nsources) return;
    const char *s = c->sources[at.file].text;
    for (int line = 1; line < at.line && s; line++) s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL;
    for (const char *begin = s; s && *s && *s != '\n';) {
        size_t n = 0;
        while (in_word(s[n])) n++;
        char *name = strndup(s, n);
        int slot = n && !stands_before(begin, s, n) ? lang_global_find(in->names, name) : -1;
        if (slot >= 0 && slot < in->nglobals && in->globals[slot].kind != VALUE_NONE) {
            Buf out = {0};
            pretty_value(in, in->globals[slot], r->width, &out);
            printf("  %s = %s\n", name, out.text);
            buf_free(&out);
        }
        free(name);
        s += n ? n : 1;
    }
}

static void show_why(void *self) {
    Repl *r = ((Action *)self)->repl;
    if (!r->failed) {
        puts("nothing has gone wrong");
        return;
    }
    fputs(ctx_render(r->session->ctx, r->session->arena, "error", &r->why), stdout);
    show_names_of_line(r, r->why.span);
}

/* -- Files -- */

static void load_file(void *self) {
    Action *a = self;
    a->repl->loaded = arena_strdup(a->repl->session->arena, a->argument);
    repl_run_file(a->repl, a->repl->loaded);
}

static void reload_file(void *self) {
    Action *a = self;
    if (a->repl->loaded)
        repl_run_file(a->repl, a->repl->loaded);
    else
        puts("nothing was loaded: :load FILE");
}

/* Each array of the file becomes data of its name. */
static void load_data(void *self) {
    Action *a = self;
    Session *s = a->repl->session;
    const Data *d = data_read(s->ctx, s->arena, a->argument, SPAN_NONE);
    if (d->kind == DATA_ARRAY)
        ctx_raise(s->ctx, ERROR_PROGRAM, SPAN_NONE, arena_printf(s->arena, "x = read(\"%s\")", a->argument),
                  "'%s' holds one array without a name", a->argument);
    for (int k = 0; k < d->n; k++) {
        const DataItem *item = &d->items[k];
        if (!item->value) {
            printf("%s is left out: %s\n", item->name, item->problem ? item->problem : "it is no array");
            continue;
        }
        interp_supply_data(s->interp, item->name, item->value, item->has_missing);
        if (!repl_run_text(a->repl, arena_printf(s->arena, "data %s", item->name))) continue;
        int slot = lang_global_find(s->interp->names, item->name);
        if (slot >= 0) printf("%s  %s\n", item->name, pretty_kind(s->interp, s->interp->globals[slot]));
    }
}

static void save_session(void *self) {
    Action *a = self;
    const char *text = entered_program(a->repl);
    file_write(a->repl->session->ctx, a->argument, text, strlen(text), SPAN_NONE);
}

/* -- Time -- */

static double seconds_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void time_it(void *self) {
    Action *a = self;
    double start = seconds_now();
    repl_run_text(a->repl, a->argument);
    printf("%.3g s\n", seconds_now() - start);
}

static void profile_it(void *self) {
    Action *a = self;
    Ctx *c = a->repl->session->ctx;
    Profile *outer = c->profile, *mine = c->profile = profile_new();
    double start = seconds_now();
    repl_run_text(a->repl, a->argument);
    profile_print(stdout, c, mine, 12, seconds_now() - start);
    c->profile = outer;
    profile_free(mine);
}

static void plot_it(void *self) {
    Action *a = self;
    repl_run_text(a->repl, arena_printf(a->repl->session->arena, "plot(%s)", a->argument));
}

/* -- Help -- */

static void show_doc(void *self) {
    Action *a = self;
    help_show(a->repl->session, a->argument);
}

static void show_help(void *self);

/* -- The table -- */

typedef struct ReplCommand {
    const char *name, *argument; /* "" : takes none; "[NAME]": may be left out */
    void (*act)(void *action);   /* NULL: leaves */
    const char *help;
} ReplCommand;

static const ReplCommand table[] = {
    {":help", "[NAME]", show_help, "this list, or what :doc NAME says"},
    {":doc", "NAME", show_doc, "a function, a distribution, a statement"},
    {":load", "FILE", load_file, "run a program; its definitions stay"},
    {":reload", "", reload_file, "run it again, as it and what it imports are now"},
    {":data", "FILE", load_data, "the arrays of a file as data of their names"},
    {":vars", "", show_vars, "what is defined"},
    {":type", "EXPR", show_type, "what kind of value it is"},
    {":trace", "MODEL", show_trace, "one run: every variable, its distribution, value, log density"},
    {":sites", "MODEL", show_sites, "its variables, their supports, how they are inferred"},
    {":params", "", show_params, "what the latest fit has learned"},
    {":why", "", show_why, "the last error, with the values of the names in its line"},
    {":time", "EXPR", time_it, "run and say how long it took"},
    {":profile", "EXPR", profile_it, "run and say where the time went: operations by time, with their lines"},
    {":plot", "EXPR", plot_it, "a picture: of numbers, of a fit, of x, y; behind a comma \"FILE.png\" or .svg"},
    {":save", "FILE", save_session, "what was entered, as a program that prints what was shown"},
    {":quit", "", NULL, "leave; so does the end of the input"},
};
enum { NCOMMANDS = sizeof table / sizeof *table };

const char *repl_command_name(int k) { return k < NCOMMANDS ? table[k].name : NULL; }

static void show_help(void *self) {
    Action *a = self;
    if (*a->argument) {
        show_doc(self);
        return;
    }
    puts("statements are run, expressions are shown; `_` is the last value; what is unfinished goes on in the next line");
    for (int k = 0; k < NCOMMANDS; k++) printf("  %-8s  %-7s %s\n", table[k].name, table[k].argument, table[k].help);
}

/* A beginning that fits one command alone is enough. */
static const ReplCommand *find_command(const char *text, size_t length) {
    const ReplCommand *found = NULL;
    for (int k = 0; k < NCOMMANDS; k++) {
        if (strncmp(table[k].name, text, length) != 0) continue;
        if (strlen(table[k].name) == length) return &table[k];
        if (!found) found = &table[k];
    }
    return length > 1 ? found : NULL;
}

bool repl_command_takes_file(const char *name, size_t length) {
    const ReplCommand *c = find_command(name, length);
    return c && strcmp(c->argument, "FILE") == 0;
}

static void say_unknown(Repl *r, const char *text, size_t length) {
    const char *names[NCOMMANDS], *name = arena_printf(r->session->arena, "%.*s", (int)length, text);
    for (int k = 0; k < NCOMMANDS; k++) names[k] = table[k].name;
    const char *near = nearest_name(name, names, NCOMMANDS);
    const char *hint = near ? arena_printf(r->session->arena, "did you mean %s?", near) : ":help lists the commands";
    screen_say(&r->session->screen, SEVERITY_ERROR, hint, "there is no command %s", name);
}

bool repl_obey(Repl *r, const char *text) {
    size_t length = strcspn(text, " \t\n");
    const ReplCommand *c = find_command(text, length);
    if (!c) {
        say_unknown(r, text, length);
        return true;
    }
    if (!c->act) return false;
    const char *argument = text + length + strspn(text + length, " \t\n");
    size_t n = strlen(argument);
    while (n > 0 && strchr(" \t\n", argument[n - 1])) n--;
    Action a = {r, arena_printf(r->session->arena, "%.*s", (int)n, argument)};
    if (n == 0 && *c->argument && *c->argument != '[')
        screen_say(&r->session->screen, SEVERITY_ERROR, NULL, "%s needs a %s: %s %s", c->name, c->argument, c->name, c->argument);
    else
        repl_protect(r, c->act, &a);
    return true;
}
