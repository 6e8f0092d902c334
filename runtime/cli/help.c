#include "cli/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/program.h"
#include "cli/wrap.h"
#include "infer/optimizer.h"
#include "interp/stdlib.h"

typedef struct Form {
    const char *name, *form, *meaning;
} Form;

#define FORM(name, form, meaning) {name, form, meaning},
static const Form forms[] = {
#include "cli/forms.def"
};
#undef FORM
enum { NFORMS = sizeof forms / sizeof *forms };

/* -- Texts and examples: stdlib/reference.txt -- */

typedef struct Reference {
    const char *name;
    const char *text;     /* NULL: none is written */
    int length;
    const char *examples; /* indented lines, up to one that is not; NULL: there is no entry */
} Reference;

static Reference reference_find(const char *name) {
    size_t n = strlen(name);
    for (const char *line = stdlib_reference, *next; *line; line = next) {
        size_t length = strcspn(line, "\n"), names = strcspn(line, ":\n");
        next = line + length + (line[length] != 0);
        if (*line == '#' || *line == ' ') continue;
        bool text = line[names] == ':' && names + 2 < length;
        for (const char *word = line; word < line + names; word += strspn(word, " ")) {
            size_t m = strcspn(word, " :\n");
            if (m == n && strncmp(word, name, n) == 0)
                return (Reference){name, text ? line + names + 2 : NULL, text ? (int)(length - names - 2) : 0, next};
            word += m;
        }
    }
    return (Reference){0};
}

static bool in_name(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

static bool mentions(const char *line, size_t length, const char *name) {
    size_t n = strlen(name);
    for (size_t k = 0; k + n <= length; k++)
        if (strncmp(line + k, name, n) == 0 && !in_name(line[k + n]) && (k == 0 || !in_name(line[k - 1]))) return true;
    return false;
}

/* Where every line shows a value by itself, those that mention the name are enough. */
static bool stands_alone(const Reference *r) {
    bool found = false;
    for (const char *line = r->examples; *line == ' ';) {
        size_t n = strcspn(line, "\n");
        const char *shown = strstr(line, "  # => ");
        if (!shown || shown > line + n) return false;
        found |= mentions(line, n, r->name);
        line += n + (line[n] != 0);
    }
    return found;
}

static void show_reference(const char *name) {
    Reference r = reference_find(name);
    if (r.text) printf("  %.*s\n", r.length, r.text);
    if (!r.examples || *r.examples != ' ') return;
    puts("  for example");
    bool some = stands_alone(&r);
    for (const char *line = r.examples; *line == ' ';) {
        size_t n = strcspn(line, "\n");
        if (!some || mentions(line, n, name)) printf("%.*s\n", (int)n, line);
        line += n + (line[n] != 0);
    }
}

/* -- Without a name: the commands -- */

static void show_options(unsigned bit) {
    for (const OptionRow *r = option_rows; r->name; r++)
        if (r->commands & bit)
            printf("  %-11s %-13s %s\n", r->name, r->value ? r->value : "", r->help);
}

static void show_overview(void) {
    puts("ppl: probabilistic programs and their posteriors\n");
    for (const Command *c = commands; c->name; c++) printf("  ppl %-11s%-6s %s\n", c->name, c->arguments, c->help);
    puts("\noptions of `ppl run`:");
    show_options(FOR_RUN);
    puts("\noptions of `ppl check`:");
    show_options(FOR_CHECK);
    puts("\n`ppl help NAME` explains a command, a statement (plate, guide, ...), a function or a distribution;");
    puts("`ppl help functions`, `ppl help distributions` and `ppl help statements` list them.");
    puts("\nexit codes:");
    for (const ExitRow *e = exit_rows; e->meaning; e++) printf("  %-4d %s\n", e->code, e->meaning);
}

static bool show_command(const char *name) {
    for (const Command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0) {
            printf("ppl %s%s%s: %s\n", c->name, *c->arguments ? " " : "", c->arguments, c->help);
            show_options(c->bit);
            return true;
        }
    return false;
}

static void list_forms(void) {
    for (int k = 0; k < NFORMS; k++) printf("%s\n    %s\n", forms[k].form, forms[k].meaning);
}

/* -- Names of the library -- */

/* The comment in the lines right above a definition, without its marks; NULL when there is none. */
static const char *comment_above(Session *s, Span at) {
    if (at.file < 0 || at.file >= s->ctx->nsources || at.line < 2) return NULL;
    const char *text = s->ctx->sources[at.file].text;
    const char *line[4096];
    int n = 0, wanted = at.line - 1;
    for (const char *p = text; p && n < wanted; p = strchr(p, '\n'), p = p ? p + 1 : NULL) line[n++ % 4096] = p;
    int first = n;
    while (first > 0 && n - first < 4096) {
        const char *above = line[(first - 1) % 4096];
        if (above[strspn(above, " ")] != '#') break;
        first--;
    }
    Buf b = {0};
    for (int k = first; k < n; k++) {
        const char *p = line[k % 4096] + strspn(line[k % 4096], " #");
        buf_add(&b, "  ");
        buf_add_bytes(&b, p, strcspn(p, "\n"));
        if (k + 1 < n) buf_add_char(&b, '\n');
    }
    const char *found = b.length ? arena_strdup(s->arena, b.text) : NULL;
    buf_free(&b);
    return found;
}

static void show_params(Session *s, const Param *params, int n) {
    putchar('(');
    for (int k = 0; k < n; k++) {
        printf("%s%s", k ? ", " : "", params[k].name);
        if (params[k].type) printf(": %s", program_text(s->ctx, s->arena, params[k].type->span));
        if (params[k].default_value) printf(" = %s", program_text(s->ctx, s->arena, params[k].default_value->span));
    }
    putchar(')');
}

static void show_comment(Session *s, Span at) {
    const char *comment = comment_above(s, at);
    if (comment) puts(comment);
}

/* What is written as one expression is its own formula. */
static void show_formula(Session *s, const Function *f, const char *before) {
    enum { LONGEST = 160 };
    const char *text = f->expr ? program_text(s->ctx, s->arena, f->expr->span) : "";
    if (*text && strlen(text) <= LONGEST) printf("  %s= %s\n", before, text);
}

static void show_dist(Session *s, const DistDecl *d) {
    printf("%s", d->name);
    show_params(s, d->params, d->nparams);
    if (d->support) printf(" on %s", program_text(s->ctx, s->arena, d->support->span));
    putchar('\n');
    show_comment(s, d->span);
    printf("  members:");
    for (int k = 0; k < d->nmembers; k++)
        if (d->members[k]->name[0] != '_') printf("%s %s", k ? "," : "", d->members[k]->name);
    putchar('\n');
    for (int k = 0; k < d->nmembers; k++)
        if (strcmp(d->members[k]->name, "logpdf") == 0) show_formula(s, d->members[k], "logpdf(x) ");
}

static void show_function(Session *s, const Function *f) {
    static const char *const kinds[] = {"fn", "net", "model", "guide", "fn", "fn"};
    printf("%s %s", kinds[f->kind], f->name);
    show_params(s, f->params, f->nparams);
    putchar('\n');
    show_comment(s, f->span);
    show_formula(s, f, "");
}

static bool show_optimizer(const char *name) {
    const Optimizer *o = optimizer_find(name);
    if (!o) return false;
    printf("%s: an optimizer, for infer(..., optimizer = %s(lr = ...))\n  %s\n", o->name, o->name, o->help);
    for (int k = 0; k < o->noptions; k++)
        printf("  %-14s %g by default: %s\n", o->options[k].name, o->options[k].value, o->options[k].help);
    puts("  schedule       how the rate changes: cosine(), exponential(), linear(1, 0.1, 1000), warmup(100);\n"
         "                 cosine(warmup = 100) does both");
    puts("  clip           the most that the norm of the whole gradient may be (Pascanu, Mikolov, Bengio 2013)");
    puts("  `rates` of infer gives parameters a rate or an optimizer by path");
    show_reference(name);
    return true;
}

static void show_builtin(const Builtin *b) {
    printf("%s%s\n  %s\n", b->name, b->signature ? b->signature : "(...)", b->doc ? b->doc : "");
    if (strcmp(b->name, "infer") != 0) return;
    for (const InferOption *o = infer_options; o->name; o++) printf("  %-10s %s\n", o->name, o->help);
}

static const Builtin *builtin_find(Session *s, const char *name) {
    for (int k = s->interp->nbuiltins; k-- > 0;) /* of two the later one, as programs find it */
        if (strcmp(s->interp->builtins[k]->name, name) == 0) return s->interp->builtins[k];
    return NULL;
}

static bool show_form(Session *s, const char *name) {
    const Builtin *b = builtin_find(s, name); /* `refine` is a function too */
    for (int k = 0; k < NFORMS; k++)
        if (strcmp(forms[k].name, name) == 0) {
            printf("%s\n  %s\n", forms[k].form, forms[k].meaning);
            if (b) show_builtin(b);
            show_reference(name);
            return true;
        }
    return false;
}

static bool show_library_name(Session *s, const char *name) {
    if (show_optimizer(name)) return true; /* a builtin too, whose signature says less */
    int number = lang_library_find(s->interp->names, name);
    const Global *g = number >= 0 ? lang_library(s->interp->names, number) : NULL;
    const Builtin *b = builtin_find(s, name);
    if (g && g->dist)
        show_dist(s, g->dist);
    else if (g && g->function)
        show_function(s, g->function);
    else if (b)
        show_builtin(b);
    else if (g)
        puts(g->name);
    else
        return false;
    show_reference(name);
    return true;
}

/* -- All names -- */

typedef struct Names {
    Arena *arena;
    const char **list;
    int n, capacity;
} Names;

static void names_add(Names *names, const char *name) {
    if (name[0] == '_') return; /* private to the library */
    ARENA_GROW(names->arena, names->list, names->n, names->capacity, 256);
    names->list[names->n++] = name;
}

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void add_library(Session *s, Names *names, bool functions, bool dists) {
    for (int k = 0; k < lang_library_count(s->interp->names); k++) {
        const Global *g = lang_library(s->interp->names, k);
        if ((functions && g->function) || (dists && g->dist)) names_add(names, g->name);
    }
    for (int k = 0; functions && k < s->interp->nbuiltins; k++) names_add(names, s->interp->builtins[k]->name);
    if (names->n) qsort(names->list, (size_t)names->n, sizeof *names->list, by_name);
}

static void list_names(const Names *names) {
    int width = 0;
    for (int k = 0; k < names->n; k++) {
        if (k && strcmp(names->list[k], names->list[k - 1]) == 0) continue;
        int n = (int)strlen(names->list[k]) + 2;
        if (width + n > 100) width = 0, putchar('\n');
        printf("%s  ", names->list[k]);
        width += n;
    }
    puts("\n`ppl help NAME` explains one");
}

static int unknown_name(Session *s, const char *name) {
    Names all = {.arena = s->arena};
    add_library(s, &all, true, true);
    for (const Command *c = commands; c->name; c++) names_add(&all, c->name);
    for (int k = 0; k < NFORMS; k++) names_add(&all, forms[k].name);
    int count = 0;
    const Optimizer *optimizers = optimizer_table(&count);
    for (int k = 0; k < count; k++) names_add(&all, optimizers[k].name);
    const char *foreign = lang_foreign_hint(name), *near = nearest_name(name, all.list, all.n);
    screen_say(&s->screen, SEVERITY_ERROR,
               foreign ? foreign
               : near  ? arena_printf(s->arena, "did you mean %s?", near)
                       : "`ppl help functions`, `ppl help distributions` and `ppl help statements` list what there is",
               "nothing is called '%s'", name);
    return EXIT_USAGE;
}

static bool show_library(Session *s, const char *name) {
    bool functions = strcmp(name, "functions") == 0, dists = strcmp(name, "distributions") == 0;
    if (functions || dists) {
        Names names = {.arena = s->arena};
        add_library(s, &names, functions, dists);
        list_names(&names);
        return true;
    }
    return show_library_name(s, name) || unknown_name(s, name) == EXIT_DONE;
}

static bool show_fixed(Session *s, const char *name) {
    if (strcmp(name, "statements") != 0) return show_command(name) || show_form(s, name);
    list_forms();
    return true;
}

/* What is shown is wrapped on a terminal; it is collected first (stdout is a variable: glibc manual, "Standard Streams"). */
typedef struct Page {
    FILE *screen;
    char *text;
    size_t length;
} Page;

static void page_open(Page *p) {
    p->screen = stdout;
    FILE *memory = isatty(STDOUT_FILENO) ? open_memstream(&p->text, &p->length) : NULL;
    if (memory) stdout = memory;
}

static void page_close(Page *p) {
    if (stdout == p->screen) return;
    fclose(stdout);
    stdout = p->screen;
    wrap_puts(p->text, stdout);
    free(p->text);
}

bool help_show(Session *s, const char *name) {
    Page p = {0};
    page_open(&p);
    bool found = show_fixed(s, name) || show_library(s, name);
    page_close(&p);
    return found;
}

static int help_on_library(Session *s) { return help_show(s, s->options->file) ? EXIT_DONE : EXIT_USAGE; }

int command_help(const Options *o) {
    if (o->file) return session_run(o, NULL, help_on_library);
    show_overview();
    return EXIT_DONE;
}
