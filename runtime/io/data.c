#include "io/data.h"

#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mapping.h"
#include "io/file.h"
#include "io/formats.h"

enum { AT_ONCE = 1 << 20 }; /* numbers decoded before pages may be let go */

/* -- Formats, by ending -- */

static const struct Ending {
    const char *text;
    ReadFormat read;
    WriteFormat write;
} endings[] = {
    {".json", json_read, json_write},
    {".csv", csv_read, csv_write},
    {".tsv", csv_read, NULL},
    {".npy", npy_read, npy_write},
    {".safetensors", safetensors_read, safetensors_write},
    {".idx", idx_read, NULL},
};
enum { NENDINGS = sizeof endings / sizeof *endings };

static const struct Ending *find_ending(const char *path) {
    size_t n = strlen(path);
    if (n > 3 && strcasecmp(path + n - 3, ".gz") == 0) n -= 3;
    for (int k = 0; k < NENDINGS; k++) {
        size_t m = strlen(endings[k].text);
        if (n > m && strncasecmp(path + n - m, endings[k].text, m) == 0) return &endings[k];
    }
    return NULL;
}

/* Some formats are known by their first bytes, whatever the name: IDX files are rarely called .idx. */
static ReadFormat find_reader(const char *path, const char *bytes, size_t n) {
    if (n >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0) return npy_read;
    const struct Ending *e = find_ending(path);
    if (e) return e->read;
    bool idx = n >= 4 && bytes[0] == 0 && bytes[1] == 0 && bytes[2] >= 0x08 && bytes[2] <= 0x0E;
    return idx ? idx_read : NULL;
}

/* -- Reading -- */

_Noreturn void reader_fail(Reader *r, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx_raise(r->ctx, ERROR_PROGRAM, r->at, NULL, "%s: %s", r->path, text);
}

const char *reader_quote(Reader *r, const char *s, size_t n) {
    enum { LONGEST = 40 };
    size_t kept = 0;
    while (kept < n && kept < LONGEST) {
        uint32_t character;
        size_t step = utf8_decode(s + kept, n - kept, &character);
        kept += step ? step : 1;
    }
    return arena_printf(r->arena, "'%.*s%s'", (int)kept, s, kept < n ? "..." : "");
}

void reader_give_array(Reader *r, const Tensor *t, bool has_missing) {
    r->data->kind = DATA_ARRAY;
    r->data->items = ARENA_NEW(r->arena, DataItem);
    r->data->items[0] = (DataItem){.name = "", .value = t, .has_missing = has_missing};
    r->data->n = 1;
}

static void read_any(void *self) {
    Reader *r = self;
    r->bytes = file_read_or_map(r->ctx, r->scratch, r->path, r->at, &r->n);
    if (r->n == 0) reader_fail(r, "the file is empty");
    ReadFormat read = find_reader(r->path, r->bytes, r->n);
    if (!read)
        ctx_raise(r->ctx, ERROR_PROGRAM, r->at,
                  "data are read from .json, .csv, .tsv, .npy, .safetensors and IDX files, with .gz or without",
                  "'%s' is not of a known format", r->path);
    read(r);
}

Data *data_read(Ctx *c, Arena *a, const char *path, Span at) {
    Data *d = ARENA_NEW(a, Data);
    d->path = arena_strdup(a, path);
    Reader r = {.ctx = c, .arena = a, .scratch = ctx_arena(c), .path = d->path, .at = at, .data = d};
    Error e;
    bool done = ctx_protect(c, read_any, &r, &e);
    arena_free(r.scratch);
    if (!done) ctx_reraise(c, &e);
    return d;
}

const DataItem *data_find(const Data *d, const char *name) {
    for (int k = 0; k < d->n; k++)
        if (strcmp(d->items[k].name, name) == 0) return &d->items[k];
    return NULL;
}

const Tensor *data_value(Ctx *c, const Data *d, const DataItem *item, Span at) {
    if (!item->value) ctx_raise(c, ERROR_PROGRAM, at, NULL, "%s: %s", d->path, item->problem);
    return item->value;
}

static const Tensor *table_whole(Ctx *c, Arena *a, const Data *d, Span at, bool *has_missing) {
    for (int k = 0; k < d->n; k++) {
        data_value(c, d, &d->items[k], at);
        *has_missing |= d->items[k].has_missing;
    }
    if (d->n == 1) return d->items[0].value;
    int64_t rows = d->items[0].value->shape.dim[0];
    Tensor *t = tensor_new_or_spilled(c, a, shape2(rows, d->n), rows * d->n);
    for (int64_t i = 0; i < rows; i++) {
        for (int k = 0; k < d->n; k++) t->data[i * d->n + k] = d->items[k].value->data[i];
        if (i * d->n % AT_ONCE < d->n) mappings_trim(c);
    }
    return t;
}

const Tensor *data_whole(Ctx *c, Arena *a, const Data *d, const char *name, Span at, bool *has_missing) {
    *has_missing = false;
    if (d->kind == DATA_COLUMNS) return table_whole(c, a, d, at, has_missing);
    const DataItem *item = d->kind == DATA_NAMED ? data_find(d, name) : NULL;
    if (!item && d->n == 1) item = &d->items[0];
    if (!item)
        ctx_raise(c, ERROR_PROGRAM, at, NULL, "%s holds %d variables, none of them is called '%s'", d->path, d->n,
                  name);
    *has_missing = item->has_missing;
    return data_value(c, d, item, at);
}

/* -- Numbers -- */

static bool is_word(const char *s, size_t n, const char *word) {
    return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

bool is_missing_word(const char *s, size_t n) {
    return n == 0 || is_word(s, n, "NA") || is_word(s, n, "N/A") || is_word(s, n, "null");
}

bool parse_number(const char *s, size_t n, double *x) {
    size_t sign = n > 0 && (s[0] == '+' || s[0] == '-');
    const char *rest = s + sign;
    size_t left = n - sign;
    if (is_word(rest, left, "inf") || is_word(rest, left, "infinity")) {
        *x = s[0] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    if (is_word(rest, left, "nan")) {
        *x = NAN;
        return true;
    }
    /* strtod also takes blanks, hexadecimal numbers and nan(...). The text ends in NUL or in something else that no
     * number contains, so strtod stops at the end of the field by itself. */
    if (left == 0 || strspn(rest, "0123456789.eE+-") < left) return false;
    char *end;
    *x = strtod(s, &end);
    return end == s + n;
}

static uint64_t load_bits(const unsigned char *p, int size, bool big_endian) {
    uint64_t bits = 0;
    for (int k = 0; k < size; k++) bits |= (uint64_t)p[big_endian ? size - 1 - k : k] << (8 * k);
    return bits;
}

static double element_value(Element e, uint64_t bits) {
    switch (e.kind) {
    case ELEMENT_FLOAT: {
        float single;
        double x;
        uint32_t low = (uint32_t)bits;
        memcpy(&single, &low, sizeof single);
        memcpy(&x, &bits, sizeof x);
        return e.size == 4 ? single : x;
    }
    case ELEMENT_SIGNED: return (double)((int64_t)(bits << (64 - 8 * e.size)) >> (64 - 8 * e.size));
    case ELEMENT_UNSIGNED: return (double)bits;
    case ELEMENT_BOOL: return bits != 0;
    }
    return NAN;
}

static bool is_real(Element e) { return e.kind == ELEMENT_FLOAT && e.size == sizeof(real) && !e.big_endian; }

Tensor *reader_tensor(Reader *r, Element e, Shape shape, const char *numbers) {
    int64_t n = shape_size(shape);
    if (is_real(e) && n >= MAPPING_WORTH / e.size) { /* as they stand in the file, where that is not compressed */
        int fd = open(r->path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        bool same = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (size_t)st.st_size == r->n;
        Tensor *t = same ? tensor_of_file(r->ctx, r->arena, shape, fd, (size_t)(numbers - r->bytes)) : NULL;
        if (fd >= 0) close(fd);
        if (t) return t;
    }
    Tensor *t = tensor_new_or_spilled(r->ctx, r->arena, shape, n);
    for (int64_t k = 0; k < n; k += AT_ONCE) {
        elements_decode(e, numbers + k * e.size, n - k < AT_ONCE ? n - k : AT_ONCE, t->data + k);
        mappings_trim(r->ctx);
    }
    return t;
}

void elements_decode(Element e, const void *bytes, int64_t n, real *out) {
    const unsigned char *p = bytes;
    if (e.kind == ELEMENT_UNSIGNED && e.size == 1) /* images */
        for (int64_t i = 0; i < n; i++) out[i] = p[i];
    else
        for (int64_t i = 0; i < n; i++, p += e.size)
            out[i] = (real)element_value(e, load_bits(p, e.size, e.big_endian));
}

void reader_check_size(Reader *r, Element e, Shape shape, size_t available) {
    int64_t size = shape_size(shape);
    if (size <= INT64_MAX / 8 && (uint64_t)size * (uint64_t)e.size == available) return;
    reader_fail(r, "the shape %s of %d-byte numbers does not fit the %zu bytes of data in the file (is it cut short?)",
                shape_text(r->scratch, shape), e.size, available);
}

void doubles_encode(const Tensor *t, Arena *scratch, Buf *out) {
    int64_t n = shape_size(t->shape);
    real *numbers = ARENA_ARRAY(scratch, real, n);
    tensor_copy_out(t, numbers);
    for (int64_t i = 0; i < n; i++) {
        double x = numbers[i];
        uint64_t bits;
        unsigned char bytes[8];
        memcpy(&bits, &x, sizeof bits);
        for (int k = 0; k < 8; k++) bytes[k] = (unsigned char)(bits >> (8 * k));
        buf_add_bytes(out, bytes, sizeof bytes);
    }
}

/* -- Writing -- */

_Noreturn void writer_fail(Writer *w, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx_raise(w->ctx, ERROR_PROGRAM, w->at, NULL, "cannot write '%s': %s", w->path, text);
}

static void write_any(void *self) {
    Writer *w = self;
    const struct Ending *e = find_ending(w->path);
    size_t length = strlen(w->path);
    if (!e || !e->write || (length > 3 && strcasecmp(w->path + length - 3, ".gz") == 0))
        ctx_raise(w->ctx, ERROR_PROGRAM, w->at, "data are written to .json, .csv, .npy and .safetensors files",
                  "cannot write '%s': the ending does not say a format that can be written", w->path);
    e->write(w);
    file_write(w->ctx, w->path, w->out->text ? w->out->text : "", w->out->length, w->at);
}

void data_write(Ctx *c, const char *path, const DataItem *items, int n, Span at) {
    Buf out = {0};
    Writer w = {.ctx = c, .scratch = ctx_arena(c), .path = path, .at = at, .items = items, .n = n, .out = &out};
    Error e;
    bool done = ctx_protect(c, write_any, &w, &e);
    arena_free(w.scratch);
    buf_free(&out);
    if (!done) ctx_reraise(c, &e);
}
