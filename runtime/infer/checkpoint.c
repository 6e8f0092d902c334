#include "infer/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/strings.h"
#include "io/file.h"

static const char MAGIC[] = "ppl checkpoint 1\n";

typedef struct Saying {
    const char *key, *text;
} Saying;

typedef struct Vector {
    const char *name;
    double *numbers;
    int64_t n;
} Vector;

struct Checkpoint {
    Ctx *ctx;
    Arena *arena;
    const char *path;
    Span at;
    bool found;
    Saying *sayings;
    Vector *vectors;
    int nsayings, nvectors;
    Buf identity, out, name; /* of the run at work; the file to be written; checkpoint_name */
};

static void release_bufs(void *self) {
    Checkpoint *k = self;
    buf_free(&k->identity);
    buf_free(&k->out);
    buf_free(&k->name);
}

/* -- Reading -- */

_Noreturn void checkpoint_refuse(const Checkpoint *k, const char *why) {
    ctx_raise(k->ctx, ERROR_PROGRAM, k->at, "remove the file to begin afresh, or name another one",
              "the checkpoint '%s' cannot be continued: %s", k->path, why);
}

static void *grown(Arena *a, const void *list, int n, size_t size) {
    if (n & (n - 1)) return (void *)list; /* room is doubled at powers of two */
    void *more = arena_alloc(a, size * (size_t)(n ? 2 * n : 1));
    if (n) memcpy(more, list, size * (size_t)n);
    return more;
}

/* The line at *s without its end, which *s passes; NULL: there is none. */
static const char *next_line(Checkpoint *k, const char **s, const char *end) {
    const char *stop = memchr(*s, '\n', (size_t)(end - *s));
    if (!stop) return NULL;
    const char *line = arena_printf(k->arena, "%.*s", (int)(stop - *s), *s);
    *s = stop + 1;
    return line;
}

static bool read_saying(Checkpoint *k, const char *line) {
    const char *colon = strstr(line, ": ");
    if (strncmp(line, "is ", 3) != 0 || !colon) return false;
    k->sayings = grown(k->arena, k->sayings, k->nsayings, sizeof *k->sayings);
    k->sayings[k->nsayings++] = (Saying){arena_printf(k->arena, "%.*s", (int)(colon - line - 3), line + 3), colon + 2};
    return true;
}

static bool read_vector(Checkpoint *k, const char *line, const char **s, const char *end) {
    long long n = -1;
    int name = 0;
    if (sscanf(line, "numbers %lld %n", &n, &name) != 1 || !name || n < 0 || n > (end - *s) / 8) return false;
    double *numbers = ARENA_ARRAY(k->arena, double, n + 1);
    memcpy(numbers, *s, 8 * (size_t)n);
    *s += 8 * n + 1;
    k->vectors = grown(k->arena, k->vectors, k->nvectors, sizeof *k->vectors);
    k->vectors[k->nvectors++] = (Vector){line + name, numbers, n};
    return true;
}

static bool read_all(Checkpoint *k, const char *text, size_t length) {
    const char *s = text, *end = text + length, *begin = s;
    if (length < sizeof MAGIC || memcmp(text, MAGIC, sizeof MAGIC - 1) != 0) return false;
    for (s += sizeof MAGIC - 1; s < end;) {
        const char *at = s, *line = next_line(k, &s, end);
        if (!line) return false;
        if (strncmp(line, "end ", 4) == 0)
            return strtoull(line + 4, NULL, 16) == hash_bytes(begin, (size_t)(at - begin), 0);
        if (!read_saying(k, line) && !read_vector(k, line, &s, end)) return false;
    }
    return false;
}

Checkpoint *checkpoint_open(Ctx *c, Arena *a, const char *path, Span at) {
    Checkpoint *k = ARENA_NEW(a, Checkpoint);
    *k = (Checkpoint){.ctx = c, .arena = a, .path = arena_strdup(a, path), .at = at};
    arena_defer(a, release_bufs, k);
    if (access(path, F_OK) != 0) return k;
    size_t length = 0;
    Arena *scratch = arena_child(a);
    const char *text = file_read(c, scratch, path, at, &length);
    if (!read_all(k, text, length)) checkpoint_refuse(k, "it is no checkpoint of ppl, or is damaged");
    arena_free(scratch);
    k->found = true;
    return k;
}

bool checkpoint_found(const Checkpoint *k) { return k->found; }
const char *checkpoint_path(const Checkpoint *k) { return k->path; }

void checkpoint_identify(Checkpoint *k, const char *key, const char *text, bool hashed) {
    char *line = arena_strdup(k->arena, text);
    for (char *s = line; *s; s++)
        if (*s == '\n') *s = ' ';
    buf_printf(&k->identity, "is %s: %s\n", key, line);
    for (int i = 0; i < k->nsayings; i++) {
        if (strcmp(k->sayings[i].key, key) != 0 || strcmp(k->sayings[i].text, line) == 0) continue;
        checkpoint_refuse(k, hashed ? arena_printf(k->arena, "%s has changed since it was written", key)
                                    : arena_printf(k->arena, "it was written with %s: %s; here it is %s", key,
                                                   k->sayings[i].text, line));
    }
}

const double *checkpoint_numbers(const Checkpoint *k, const char *name, int64_t *n) {
    for (int i = 0; i < k->nvectors; i++) {
        if (strcmp(k->vectors[i].name, name) != 0) continue;
        if (*n >= 0 && k->vectors[i].n != *n) break;
        *n = k->vectors[i].n;
        return k->vectors[i].numbers;
    }
    checkpoint_refuse(k, arena_printf(k->arena, "its `%s` does not fit the run", name));
}

const char *checkpoint_rest(const Checkpoint *k, const char *beginning) {
    size_t length = strlen(beginning);
    for (int i = 0; i < k->nvectors; i++)
        if (strncmp(k->vectors[i].name, beginning, length) == 0) return k->vectors[i].name + length;
    return NULL;
}

double checkpoint_number(const Checkpoint *k, const char *name) {
    int64_t n = 1;
    return *checkpoint_numbers(k, name, &n);
}

void checkpoint_reals(const Checkpoint *k, const char *name, real *to, int64_t n) {
    reals_from_doubles(to, checkpoint_numbers(k, name, &n), n);
}

const char *checkpoint_name(Checkpoint *k, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    k->name.length = 0;
    buf_add(&k->name, text);
    return k->name.text;
}

/* -- Writing -- */

void checkpoint_begin(Checkpoint *k) {
    k->out.length = 0;
    buf_add(&k->out, MAGIC);
    buf_add_bytes(&k->out, k->identity.text, k->identity.length);
}

void checkpoint_put(Checkpoint *k, const char *name, const double *x, int64_t n) {
    buf_printf(&k->out, "numbers %lld %s\n", (long long)n, name);
    buf_add_bytes(&k->out, x, 8 * (size_t)n);
    buf_add_char(&k->out, '\n');
}

void checkpoint_put_number(Checkpoint *k, const char *name, double x) { checkpoint_put(k, name, &x, 1); }

void checkpoint_put_reals(Checkpoint *k, const char *name, const real *x, int64_t n) {
    buf_printf(&k->out, "numbers %lld %s\n", (long long)n, name);
    for (int64_t i = 0; i < n; i++) {
        double v = x[i];
        buf_add_bytes(&k->out, &v, sizeof v);
    }
    buf_add_char(&k->out, '\n');
}

static void write_out(void *self) {
    Checkpoint *k = self;
    file_write(k->ctx, k->path, k->out.text, k->out.length, k->at);
}

void checkpoint_write(Checkpoint *k) {
    buf_printf(&k->out, "end %016llx\n", (unsigned long long)hash_bytes(k->out.text, k->out.length, 0));
    Error e;
    if (!ctx_protect(k->ctx, write_out, k, &e))
        ctx_warn(k->ctx, WARNING_CHECKPOINT, k->at, "the training goes on", "%s", e.message);
}
