/* Private to io/: what the formats share. */
#ifndef IO_FORMATS_H
#define IO_FORMATS_H

#include "base/strings.h"
#include "io/data.h"

typedef struct Reader {
    Ctx *ctx;
    Arena *arena;   /* of the result */
    Arena *scratch; /* gone when the file has been read */
    const char *path;
    Span at;
    const char *bytes; /* bytes[n] is 0 */
    size_t n;
    Data *data; /* to fill: kind, items, n */
} Reader;

typedef struct Writer {
    Ctx *ctx;
    Arena *scratch;
    const char *path;
    Span at;
    const DataItem *items;
    int n;
    Buf *out;
} Writer;

typedef void (*ReadFormat)(Reader *r);
typedef void (*WriteFormat)(Writer *w);

void json_read(Reader *r);
void csv_read(Reader *r);
void npy_read(Reader *r);
void idx_read(Reader *r);
void safetensors_read(Reader *r);

void json_write(Writer *w);
void csv_write(Writer *w);
void npy_write(Writer *w);
void safetensors_write(Writer *w);

/* "'path': what is wrong", raised. */
_Noreturn void reader_fail(Reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void writer_fail(Writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A piece of the file for a message: cut to some 40 bytes, never in the middle of a character. */
const char *reader_quote(Reader *r, const char *s, size_t n);
/* The one nameless array of a DATA_ARRAY file. */
void reader_give_array(Reader *r, const Tensor *t, bool has_missing);

/* A number as people write it: decimal, or one of the words inf, infinity, nan in any case. All of s[0..n). */
bool parse_number(const char *s, size_t n, double *x);
/* Is it one of the ways to say that a value is missing? NA, N/A, null or nothing. */
bool is_missing_word(const char *s, size_t n);

/* Numbers in the binary formats. */
typedef struct Element {
    enum { ELEMENT_FLOAT, ELEMENT_SIGNED, ELEMENT_UNSIGNED, ELEMENT_BOOL } kind;
    int size;
    bool big_endian;
} Element;
/* n elements, `bytes` long enough. */
void elements_decode(Element e, const void *bytes, int64_t n, real *out);
/* An array of such elements in r->arena. Large ones stay in their file, or in one of their own (tensor_new_or_spilled). */
Tensor *reader_tensor(Reader *r, Element e, Shape shape, const char *numbers);
/* Does the shape of such elements take exactly `available` bytes? Raises if not. */
void reader_check_size(Reader *r, Element e, Shape shape, size_t available);

/* The elements of a tensor as little-endian doubles; room for 8 * size bytes. */
void doubles_encode(const Tensor *t, Arena *scratch, Buf *out);

#endif
