/* Data files: those of the tree and made ones, broken, with a program that asks for what is in them. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fuzz.h"

static void add_zeros(Buf *out, size_t n) {
    for (size_t k = 0; k < n; k++) buf_add_char(out, (char)(k * 37));
}

/* -- Files that are right, before they are broken -- */

static const char *const WORDS_OF_DATA[] = {
    "1",           "-2.5",        "1e308",  "1e999",    "NaN",     "Infinity", "-inf", "null",   "NA",
    "true",        "false",       "\"NA\"", "\"x\"",    "\"Inf\"", "",         "0x10", "1e-400", "12345678901234567890",
    "\"\\u0000\"", "\"\\ud800\"", "N/A",    "nan",      "1,5",     ".5",       "5.",   "+1",     "--1",
    "1 2",         "\t",          "\"",     "\"\"\"\"",
};
static const char *word(Rng *r) {
    return rng_chance(r, 70) ? WORDS_OF_DATA[rng_below(r, 2)]
                             : WORDS_OF_DATA[rng_below(r, sizeof WORDS_OF_DATA / sizeof *WORDS_OF_DATA)];
}

static void add_json(Rng *r, Buf *out, int depth) {
    int n = rng_below(r, 5);
    switch (depth > 6 ? 3 : rng_below(r, depth ? 5 : 2)) {
    case 0:
        buf_add(out, "{");
        for (int k = 0; k < n; k++)
            buf_printf(out, "%s\"%c\": ", k ? ", " : "", "xyzNab"[rng_below(r, 6)]), add_json(r, out, depth + 1);
        buf_add(out, "}");
        break;
    case 1:
    case 2:
        buf_add(out, "[");
        for (int k = 0; k < n; k++) buf_add(out, k ? ", " : ""), add_json(r, out, depth + 1);
        buf_add(out, "]");
        break;
    default: buf_add(out, word(r)); break;
    }
}

static void make_json(Rng *r, Buf *out) {
    static const int depths[] = {5, 100, 2000, 5000, 100000};
    if (rng_chance(r, 90)) {
        add_json(r, out, 0);
        return;
    }
    int n = depths[rng_below(r, 5)];
    for (int k = 0; k < n; k++) buf_add(out, "[");
    for (int k = 0; k < n; k++) buf_add(out, "]");
}

static void make_csv(Rng *r, Buf *out) {
    char comma = ",,,;\t"[rng_below(r, 5)];
    int columns = 1 + rng_below(r, 4), rows = rng_below(r, 6);
    for (int k = 0; k < columns && !rng_chance(r, 20); k++)
        buf_printf(out, "%s%c", k ? (char[]){comma, 0} : "", "xyzNab"[rng_below(r, 6)]);
    buf_add_char(out, '\n');
    for (int i = 0; i < rows; i++) {
        int n = columns + (rng_chance(r, 5) ? rng_below(r, 3) - 1 : 0);
        for (int k = 0; k < n; k++) buf_add(out, k ? (char[]){comma, 0} : ""), buf_add(out, word(r));
        buf_add(out, rng_chance(r, 10) ? "\r\n" : "\n");
    }
}

static void make_npy(Rng *r, Buf *out) {
    static const char *const types[] = {"<f8", "<f4", ">f8", "|u1", "<i8", ">i2",
                                        "|b1", "<u4", "<f2", "<U3", "|O",  "<c16"};
    static const char *const shapes[] = {"()",
                                         "(3,)",
                                         "(2, 3)",
                                         "(0,)",
                                         "(2, 0, 3)",
                                         "(1, 1, 1, 1, 1, 1, 1, 1, 1)",
                                         "(4294967296, 4294967296)",
                                         "(9223372036854775807,)",
                                         "(3L,)",
                                         "(-1,)",
                                         "(3"};
    Buf head = {0};
    buf_printf(&head, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }",
               types[rng_below(r, sizeof types / sizeof *types)], rng_chance(r, 30) ? "True" : "False",
               shapes[rng_below(r, sizeof shapes / sizeof *shapes)]);
    while ((head.length + 11) % 64) buf_add_char(&head, ' ');
    buf_add_char(&head, '\n');
    int version = 1 + rng_below(r, 3);
    buf_add_bytes(out, "\x93NUMPY", 6);
    buf_add_char(out, (char)version), buf_add_char(out, 0);
    buf_add_char(out, (char)(head.length & 255)), buf_add_char(out, (char)(head.length >> 8));
    if (version > 1) buf_add_bytes(out, "\0\0", 2);
    buf_add_bytes(out, head.text, head.length);
    static const size_t sizes[] = {0, 8, 24, 48, 12, 3, 6};
    add_zeros(out, sizes[rng_below(r, 7)]);
    buf_free(&head);
}

static void make_idx(Rng *r, Buf *out) {
    static const unsigned char types[] = {8, 9, 0x0B, 0x0C, 0x0D, 0x0E, 7};
    int rank = rng_chance(r, 80) ? rng_below(r, 4) : rng_below(r, 256);
    buf_add_bytes(out, "\0\0", 2);
    buf_add_char(out, (char)types[rng_below(r, 7)]), buf_add_char(out, (char)rank);
    for (int k = 0; k < rank; k++) {
        bool huge = rng_chance(r, 10);
        buf_add_bytes(out, huge ? "\xFF\xFF\xFF" : "\0\0\0", 3), buf_add_char(out, (char)rng_below(r, 4));
    }
    add_zeros(out, (size_t)rng_below(r, 60));
}

static void make_safetensors(Rng *r, Buf *out) {
    static const char *const types[] = {"F64", "F32", "I64", "U8", "BOOL", "BF16", "F16"};
    Buf head = {0};
    int n = rng_below(r, 4), at = 0;
    buf_add(&head, "{");
    for (int k = 0; k < n; k++) {
        int size = rng_below(r, 5);
        buf_printf(&head, "%s\"%c\": {\"dtype\": \"%s\", \"shape\": [%d], \"data_offsets\": [%d, %d]}", k ? ", " : "",
                   "xyzNab"[rng_below(r, 6)], types[rng_chance(r, 60) ? 0 : rng_below(r, 7)], size, at, at + 8 * size);
        at += 8 * size;
    }
    buf_add(&head, "}");
    uint64_t length = rng_chance(r, 92) ? head.length : rng_next(r) >> rng_below(r, 64);
    for (int k = 0; k < 8; k++) buf_add_char(out, (char)(length >> 8 * k));
    buf_add_bytes(out, head.text, head.length);
    add_zeros(out, (size_t)at);
    buf_free(&head);
}

static void compress_bytes(Buf *b) {
    z_stream z = {0};
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return;
    uLong most = deflateBound(&z, b->length);
    unsigned char *out = malloc(most);
    z.next_in = (unsigned char *)b->text, z.avail_in = (uInt)b->length;
    z.next_out = out, z.avail_out = (uInt)most;
    bool done = deflate(&z, Z_FINISH) == Z_STREAM_END;
    size_t n = most - z.avail_out;
    deflateEnd(&z);
    if (done) buf_free(b), buf_add_bytes(b, out, n);
    free(out);
}

/* -- Cases -- */

/* `data` for the names that stand in the file, and all that can be done with them. */
static void ask_for_names(Rng *r, const Buf *data, Buf *out) {
    static const char *const types[] = {"",
                                        "",
                                        "",
                                        ": real",
                                        ": real[N]",
                                        ": int[N]",
                                        ": positive[K]",
                                        ": real[N, D]",
                                        ": bool",
                                        ": unit[N]",
                                        ": simplex[K]",
                                        ": cov[2]",
                                        ": int(0, 3)[N]"};
    char seen[16][16];
    int n = 0;
    for (size_t k = 0; k < data->length && k < 4096 && n < 12;) {
        size_t i = k;
        while (i < data->length && i - k < 15 && ((data->text[i] | 32) >= 'a' && (data->text[i] | 32) <= 'z')) i++;
        char name[16] = {0};
        memcpy(name, data->text + k, i - k);
        bool known = i == k;
        for (int j = 0; j < n && !known; j++) known = strcmp(seen[j], name) == 0;
        if (!known) {
            memcpy(seen[n++], name, sizeof name);
            buf_printf(out, "data %s%s%s\n", name, types[rng_below(r, sizeof types / sizeof *types)],
                       rng_chance(r, 80) ? " = 1" : "");
        }
        k = i > k ? i : k + 1;
    }
    if (n == 0) buf_add(out, "data x = 0\n"), memcpy(seen[n++], "x", 2);
    for (int k = 0; k < n; k++)
        buf_printf(out, "print(%s, shape(%s), is_missing(%s), sum(%s))\n", seen[k], seen[k], seen[k], seen[k]);
    buf_printf(out,
               "model m { mu ~ Normal(0, 1)\n plate i in 1..len(%s) { %s[i] ~ Normal(mu, 1) } }\nprint(simulate(m))\n",
               seen[0], seen[0]);
}

void generate_data(Rng *r, const Corpus *c, Case *out) {
    static const struct {
        const char *ending;
        void (*make)(Rng *r, Buf *out);
    } kinds[] = {
        {".json", make_json},
        {".csv", make_csv},
        {".npy", make_npy},
        {".idx", make_idx},
        {".safetensors", make_safetensors},
        {".tsv", make_csv},
    };
    Buf whole = {0};
    int kind = rng_below(r, sizeof kinds / sizeof *kinds);
    out->format = kinds[kind].ending;
    const File *program = NULL;
    if (c->ndata && rng_chance(r, 30)) {
        const File *f = &c->data[rng_below(r, c->ndata)];
        buf_add_bytes(&whole, f->text, f->length);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            size_t n = strlen(kinds[k].ending);
            if (strlen(f->path) > n && strcmp(f->path + strlen(f->path) - n, kinds[k].ending) == 0)
                out->format = kinds[k].ending;
        }
        const char *slash = strrchr(f->path, '/'); /* the program beside it */
        for (int k = 0; k < c->nprograms; k++)
            if (slash && strncmp(c->programs[k].path, f->path, (size_t)(slash - f->path) + 1) == 0)
                program = &c->programs[k];
    } else {
        kinds[kind].make(r, &whole);
    }
    buf_add(&whole, "");
    bool zip = rng_chance(r, 12), zip_first = rng_chance(r, 60);
    if (zip && zip_first) compress_bytes(&whole);
    if (rng_chance(r, 55))
        mutate_bytes(r, whole.text, whole.length, &out->data);
    else
        buf_add_bytes(&out->data, whole.text, whole.length);
    if (zip && !zip_first) compress_bytes(&out->data);
    if (program && rng_chance(r, 50))
        buf_add_bytes(&out->program, program->text, program->length);
    else
        ask_for_names(r, &whole, &out->program);
    if (rng_chance(r, 30)) out->name = rng_chance(r, 80) ? "x" : "y";
    buf_free(&whole);
}
