/* The files of the tree, whole and in pieces; cases from them. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

uint64_t rng_next(Rng *r) {
    uint64_t z = r->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

int rng_below(Rng *r, int n) { return n < 1 ? 0 : (int)(rng_next(r) % (uint64_t)n); }

static void pieces_add(Pieces *p, const char *text, size_t n) {
    if (p->n == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 64;
        p->list = realloc(p->list, sizeof(Piece) * (size_t)p->capacity);
    }
    p->list[p->n++] = (Piece){text, n};
}

/* -- Reading the tree -- */

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

static void add_file(const char *path, File **list, int *n, size_t most) {
    FILE *f = fopen(path, "rb");
    if (!f) return;
    Buf b = {0};
    char block[4096];
    for (size_t k; (k = fread(block, 1, sizeof block, f)) > 0 && b.length <= most;) buf_add_bytes(&b, block, k);
    fclose(f);
    if (b.length > most || b.length == 0) {
        buf_free(&b);
        return;
    }
    *list = realloc(*list, sizeof(File) * (size_t)(*n + 1));
    (*list)[(*n)++] = (File){strdup(path), b.text, b.length};
}

static void read_tree(Corpus *c, const char *root) {
    struct stat info;
    if (stat(root, &info) != 0) return;
    if (!S_ISDIR(info.st_mode)) {
        static const char *const endings[] = {".json", ".csv", ".tsv", ".npy", ".idx", ".gz", ".safetensors"};
        if (ends_with(root, ".ppl")) add_file(root, &c->programs, &c->nprograms, 1 << 16);
        for (size_t k = 0; k < sizeof endings / sizeof *endings; k++)
            if (ends_with(root, endings[k])) add_file(root, &c->data, &c->ndata, 1 << 15);
        return;
    }
    struct dirent **entries;
    int n = scandir(root, &entries, NULL, alphasort);
    for (int k = 0; k < n; k++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", root, entries[k]->d_name);
        if (entries[k]->d_name[0] != '.') read_tree(c, path);
        free(entries[k]);
    }
    if (n >= 0) free(entries);
}

/* -- Pieces -- */

static bool is_name(unsigned char c) {
    return c == '_' || c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t token_length(const char *s, size_t n) {
    static const char *const pairs[] = {"..", "|>", "->", ":=", "==", "!=", "<=", ">="};
    size_t k = 1;
    if (*s == ' ' || *s == '\t') {
        while (k < n && (s[k] == ' ' || s[k] == '\t')) k++;
    } else if (*s == '#') {
        while (k < n && s[k] != '\n') k++;
    } else if (*s == '"') {
        while (k < n && s[k] != '"' && s[k] != '\n') k++;
        if (k < n && s[k] == '"') k++;
    } else if (is_name((unsigned char)*s)) {
        while (k < n && is_name((unsigned char)s[k])) k++;
    } else {
        for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
            if (n > 1 && memcmp(s, pairs[i], 2) == 0) return 2;
    }
    return k;
}

void tokenize(const char *text, size_t n, Pieces *out) {
    for (size_t k; n > 0; text += k, n -= k) pieces_add(out, text, k = token_length(text, n));
}

/* Top-level statements and single lines: a line ends a statement where no bracket is open. */
static void cut_program(Corpus *c, const File *f) {
    Pieces tokens = {0};
    tokenize(f->text, f->length, &tokens);
    const char *statement = f->text, *line = f->text;
    int open = 0, line_open = 0, lowest = 0;
    for (int k = 0; k < tokens.n; k++) {
        Piece t = tokens.list[k];
        char first = t.text[0];
        if (first == '(' || first == '[' || first == '{') open++, line_open++;
        if (first == ')' || first == ']' || first == '}') open--, line_open--;
        if (line_open < lowest) lowest = line_open;
        if (first != ' ' && first != '\t' && first != '#' && first != '\n') pieces_add(&c->tokens, t.text, t.length);
        if (first != '\n') continue;
        const char *end = t.text + 1;
        if (line_open == 0 && lowest == 0 && t.text > line) pieces_add(&c->lines, line, (size_t)(end - line));
        line = end, line_open = lowest = 0;
        if (open > 0) continue;
        if (end - statement > 1) pieces_add(&c->statements, statement, (size_t)(end - statement));
        statement = end, open = 0;
    }
    free(tokens.list);
}

Corpus *corpus_read(char **roots, int nroots) {
    Corpus *c = calloc(1, sizeof *c);
    for (int k = 0; k < nroots; k++) read_tree(c, roots[k]);
    for (int k = 0; k < c->nprograms; k++) cut_program(c, &c->programs[k]);
    return c;
}

/* -- Cases -- */

Case case_make(const Corpus *corpus, const Vocabulary *v, uint64_t seed, uint64_t number) {
    static const CaseKind often[] = {CASE_BYTES,      CASE_TOKENS,     CASE_TOKENS,    CASE_TOKENS,    CASE_SPLICES,
                                     CASE_STATEMENTS, CASE_STATEMENTS, CASE_GENERATED, CASE_GENERATED, CASE_GENERATED,
                                     CASE_GENERATED,  CASE_DATA,       CASE_DATA,      CASE_DATA};
    Rng r = {seed * 0x2545F4914F6CDD1Du + number};
    rng_next(&r);
    Case c = {.kind = often[rng_below(&r, sizeof often / sizeof *often)]};
    if (rng_chance(&r, 2)) c.kind = CASE_LARGE;
    c.by_lines = c.kind != CASE_DATA && rng_chance(&r, 15);
    c.depth = rng_chance(&r, 30) ? 1000 : 40;
    const File *f = &corpus->programs[rng_below(&r, corpus->nprograms)];
    switch (c.kind) {
    case CASE_BYTES: mutate_bytes(&r, f->text, f->length, &c.program); break;
    case CASE_TOKENS: mutate_tokens(&r, corpus, v, f->text, f->length, &c.program); break;
    case CASE_SPLICES: mutate_splice(&r, corpus, &c.program); break;
    case CASE_STATEMENTS: mutate_statements(&r, corpus, &c.program); break;
    case CASE_GENERATED: generate_program(&r, v, &c.program); break;
    case CASE_LARGE: generate_large(&r, &c.program); break;
    case CASE_DATA: generate_data(&r, corpus, &c); break;
    case CASE_KINDS: break;
    }
    if (c.kind == CASE_GENERATED && rng_chance(&r, 30)) { /* right in form, then broken */
        Buf again = {0};
        mutate_tokens(&r, corpus, v, c.program.text, c.program.length, &again);
        buf_free(&c.program);
        c.program = again;
    }
    buf_add(&c.program, "");
    return c;
}

void case_free(Case *c) {
    buf_free(&c->program);
    buf_free(&c->data);
}
