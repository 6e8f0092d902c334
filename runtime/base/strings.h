/* Strings: a growing buffer, hashing, UTF-8, the nearest of several names. */
#ifndef BASE_STRINGS_H
#define BASE_STRINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* A growing text; `text` always ends in NUL (after the first append) and belongs to malloc: buf_free. */
typedef struct Buf {
    char *text;
    size_t length, capacity;
} Buf;

void buf_add(Buf *b, const char *s);
void buf_add_bytes(Buf *b, const void *bytes, size_t n);
void buf_add_char(Buf *b, char c);
void buf_printf(Buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_free(Buf *b);

uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed); /* a 64-bit hash, the same on every machine */
uint64_t hash_string(const char *s);

/* The character that starts at s, n bytes long at most: its length in bytes, or 0 where the bytes are no well-formed
 * UTF-8 (overlong, surrogate, cut short). */
size_t utf8_decode(const char *s, size_t n, uint32_t *character);

/* The name nearest to `name` by edit distance (transpositions count 1), or NULL when none is within about a third
 * of its length (at least 1, at most 3 edits) or nothing of the name would be left. */
const char *nearest_name(const char *name, const char *const *candidates, int n);

/* Shortest decimal text that reads back as the same double; nan, inf, -inf. */
void buf_add_double(Buf *b, double x);
/* With `digits` significant digits and no trailing zeros: 0.533333, 1e-08, 12. */
void buf_add_number(Buf *b, double x, int digits);
/* A JSON string literal with its quotes. */
void buf_add_json_string(Buf *b, const char *s);

#endif
