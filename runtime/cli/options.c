#include "cli/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- What the options do -- */

static const char *set_data(Options *o, const char *value) {
    if (*value == 0 || *value == '=') return "a file, or NAME=FILE";
    const char **more = realloc(o->data, sizeof *more * (size_t)(o->ndata + 1));
    if (!more) return "less: out of memory";
    o->data = more;
    o->data[o->ndata++] = value;
    return NULL;
}

/* A whole number of decimal digits only, at most `largest`. */
static bool read_whole(const char *text, uint64_t largest, uint64_t *out) {
    if (*text == 0 || strspn(text, "0123456789") != strlen(text)) return false;
    errno = 0;
    unsigned long long x = strtoull(text, NULL, 10);
    if (errno || x > largest) return false;
    *out = x;
    return true;
}

static const char *set_seed(Options *o, const char *value) {
    return read_whole(value, UINT64_MAX, &o->seed) ? NULL : "a whole number from 0 to 2^64 - 1";
}

static const char *set_threads(Options *o, const char *value) {
    uint64_t n = 0;
    if (!read_whole(value, 1024, &n) || n < 1) return "a whole number from 1 to 1024";
    o->threads = (int)n;
    return NULL;
}

static const char *set_precision(Options *o, const char *value) {
    o->single = strcmp(value, "single") == 0;
    if (o->single && !o->command->run_single) return "double: this build has no other precision";
    return o->single || strcmp(value, "double") == 0 ? NULL : "single or double";
}

static bool ends_in(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* A name with one of these endings, and more than that; `endings` ends with NULL. */
static bool ends_in_one(const char *file, const char *const *endings) {
    for (; *endings; endings++)
        if (ends_in(file, *endings) && strlen(file) > strlen(*endings)) return true;
    return false;
}

static const char *set_out(Options *o, const char *value) {
    o->out = value;
    return ends_in_one(value, (const char *const[]){".csv", ".json", ".npy", ".safetensors", NULL})
               ? NULL
               : "a file whose name ends in .csv, .json, .npy or .safetensors";
}

static const char *set_plot(Options *o, const char *value) {
    o->plot = value;
    return ends_in_one(value, (const char *const[]){".png", ".svg", NULL}) ? NULL : "a file whose name ends in .png or .svg";
}

static const char *set_silence(Options *o, const char *value) {
    for (int k = 0; k < WARNING_COUNT; k++)
        if (strcmp(warning_code((Warning)k), value) == 0) {
            o->silent[k] = true;
            return NULL;
        }
    return "one of"
#define WARNING(NAME, code, meaning) " " code
#include "base/warnings.def"
#undef WARNING
        ;
}

#define FLAG(field)                                               \
    static const char *set_##field(Options *o, const char *value) { \
        (void)value;                                              \
        o->field = true;                                          \
        return NULL;                                              \
    }
FLAG(json)
FLAG(quiet)
FLAG(strict)
FLAG(sites)
FLAG(check)
FLAG(tree)
FLAG(profile)
#undef FLAG

const OptionRow option_rows[] = {
    {"--data", "[NAME=]FILE", FOR_RUN | FOR_REPL | FOR_CHECK, set_data,
     "data by name: a JSON object, CSV columns, safetensors; NAME=: one array"},
    {"--seed", "N", FOR_RUN | FOR_REPL, set_seed, "of all random numbers; 1 by default"},
    {"--threads", "N", FOR_RUN | FOR_REPL, set_threads, "1 by default; the numbers do not depend on it"},
    {"--precision", "double|single", FOR_RUN | FOR_REPL, set_precision,
     "double by default; single: faster, half the memory, 7 digits"},
    {"--json", NULL, FOR_RUN | FOR_CHECK, set_json, "results (of check: messages) as JSON lines"},
    {"--out", "FILE", FOR_RUN, set_out, "write the draws of the (last) fit: .csv, .json, .npy, .safetensors"},
    {"--plot", "FILE", FOR_RUN, set_plot, "a picture of the (last) fit, by gnuplot: .png, .svg"},
    {"--quiet", NULL, FOR_RUN, set_quiet, "no progress and no warnings"},
    {"--silence", "CODE", FOR_RUN | FOR_CHECK | FOR_REPL, set_silence, "no warnings of this kind; a warning ends in its code"},
    {"--strict", NULL, FOR_RUN, set_strict, "exit 3 when a fit is not to be trusted"},
    {"--profile", NULL, FOR_RUN, set_profile, "where the time goes: operations by time, with their lines"},
    {"--tree", NULL, FOR_CHECK, set_tree, "show the tree of the program"},
    {"--check", NULL, FOR_FMT, set_check, "change nothing; exit 1 when the layout is another"},
    {"--sites", NULL, FOR_CHECK, set_sites, "list the random variables, and how discrete ones are inferred"},
    {0},
};

/* -- Reading the command line -- */

static const Command *command_find(const char *name) {
    for (const Command *k = commands; k->name; k++)
        if (strcmp(k->name, name) == 0) return k;
    return NULL;
}

static void suggest_command(const char *name, Buf *why) {
    const char *names[16] = {NULL};
    int n = 0;
    for (const Command *k = commands; k->name && n < 16; k++) names[n++] = k->name;
    const char *near = nearest_name(name, names, n);
    buf_printf(why, "there is no command '%s'", name);
    if (near) buf_printf(why, "; did you mean '%s'?", near);
    buf_add(why, "\nthe commands are");
    for (int k = 0; k < n; k++) buf_printf(why, "%s %s", k ? "," : "", names[k]);
    buf_add(why, "; `ppl help` describes them\n");
}

static void suggest_option(const Command *c, const char *name, Buf *why) {
    const char *names[32] = {NULL};
    int n = 0;
    for (const OptionRow *r = option_rows; r->name; r++) {
        if (strcmp(r->name, name) == 0) {
            buf_printf(why, "`ppl %s` takes no option %s\n", c->name, name);
            break;
        }
        if ((r->commands & c->bit) && n < 32) names[n++] = r->name;
    }
    if (why->length) return;
    const char *near = nearest_name(name, names, n);
    buf_printf(why, "there is no option %s", name);
    if (near) buf_printf(why, "; did you mean %s?", near);
    buf_printf(why, "\n`ppl help %s` lists the options\n", c->name);
}

/* "--seed" or "--seed=5": the row and the value behind `=`. */
static const OptionRow *option_find(const Command *c, const char *text, const char **value) {
    size_t n = strcspn(text, "=");
    for (const OptionRow *r = option_rows; r->name; r++)
        if ((r->commands & c->bit) && strlen(r->name) == n && strncmp(r->name, text, n) == 0) {
            *value = text[n] == '=' ? text + n + 1 : NULL;
            return r;
        }
    return NULL;
}

/* Takes the option at argv[*at]; *at moves over its value. */
static bool take_option(int argc, char **argv, int *at, Options *o, Buf *why) {
    const char *value = NULL, *text = argv[*at];
    const OptionRow *r = option_find(o->command, text, &value);
    if (!r) {
        char *name = strndup(text, strcspn(text, "="));
        suggest_option(o->command, name ? name : text, why);
        free(name);
        return false;
    }
    if (!r->value && value) {
        buf_printf(why, "%s takes no value, but '%s' came\n", r->name, value);
        return false;
    }
    if (r->value && !value) {
        if (*at + 1 >= argc) {
            buf_printf(why, "%s needs a value: %s %s\n", r->name, r->name, r->value);
            return false;
        }
        value = argv[++*at];
    }
    const char *expected = r->set(o, value);
    if (!expected) return true;
    buf_printf(why, value ? "%s: expected %s, but '%s' came\n" : "%s: expected %s\n", r->name, expected, value);
    return false;
}

static bool take_file(const char *text, Options *o, Buf *why) {
    const Command *c = o->command;
    if (!*c->arguments)
        buf_printf(why, "`ppl %s` takes no argument, but '%s' came\n", c->name, text);
    else if (o->file)
        buf_printf(why, "`ppl %s` takes one %s, but '%s' came behind '%s'\n", c->name, c->arguments, text, o->file);
    else
        o->file = text;
    return o->file == text;
}

static bool choose_command(const char *word, Options *o, int *at, Buf *why) {
    static const char *const same[][2] = {
        {"--help", "help"}, {"-h", "help"}, {"--version", "version"}, {"-V", "version"}};
    for (size_t k = 0; k < sizeof same / sizeof *same; k++)
        if (strcmp(word, same[k][0]) == 0) word = same[k][1];
    o->command = command_find(word);
    *at = 2;
    if (!o->command && ends_in(word, ".ppl")) { /* `ppl FILE.ppl` is `ppl run FILE.ppl` */
        o->command = command_find("run");
        *at = 1;
    }
    if (!o->command) suggest_command(word, why);
    return o->command != NULL;
}

bool options_parse(int argc, char **argv, Options *o, Buf *why) {
    *o = (Options){.seed = 1, .threads = 1};
    if (argc < 2) {
        bool somebody = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
        o->command = command_find(somebody ? "repl" : "help");
        return true;
    }
    int at;
    if (!choose_command(argv[1], o, &at, why)) return false;
    bool only_files = false;
    for (; at < argc; at++) {
        const char *text = argv[at];
        if (!only_files && strcmp(text, "--") == 0)
            only_files = true;
        else if (!only_files && (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)) {
            o->file = o->command->name; /* `ppl run --help` */
            o->command = command_find("help");
            return true;
        } else if (!only_files && text[0] == '-' && text[1]) {
            if (!take_option(argc, argv, &at, o, why)) return false;
        } else if (!take_file(text, o, why))
            return false;
    }
    if (o->command->needs_file && !o->file) {
        const char *name = o->command->name;
        buf_printf(why, "`ppl %s` needs a file: ppl %s %s\n", name, name, o->command->arguments);
        return false;
    }
    return true;
}

void options_free(Options *o) { free(o->data); }
