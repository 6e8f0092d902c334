#include "base/strings.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* -- The growing text -- */

static void buf_reserve(Buf *b, size_t more) {
    size_t needed = b->length + more + 1;
    if (needed <= b->capacity) return;
    size_t capacity = b->capacity ? b->capacity : 64;
    while (capacity < needed) capacity *= 2;
    char *text = realloc(b->text, capacity);
    if (!text) abort(); /* texts are small: there is nobody left to tell */
    b->text = text;
    b->capacity = capacity;
}

void buf_add_bytes(Buf *b, const void *bytes, size_t n) {
    buf_reserve(b, n);
    if (n) memcpy(b->text + b->length, bytes, n);
    b->length += n;
    b->text[b->length] = 0;
}

void buf_add(Buf *b, const char *s) { buf_add_bytes(b, s, strlen(s)); }
void buf_add_char(Buf *b, char c) { buf_add_bytes(b, &c, 1); }

void buf_printf(Buf *b, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(n >= 0);
    buf_reserve(b, (size_t)n);
    vsnprintf(b->text + b->length, (size_t)n + 1, format, again);
    va_end(again);
    b->length += (size_t)n;
}

void buf_free(Buf *b) {
    free(b->text);
    *b = (Buf){0};
}

/* -- Hashing -- */

static uint64_t word_le(const unsigned char *p, size_t n) {
    uint64_t w = 0;
    for (size_t i = 0; i < n; i++) w |= (uint64_t)p[i] << (8 * i);
    return w;
}

/* The finalizer of MurmurHash3 (Appleby), word by word. */
static uint64_t hash_mix(uint64_t h) {
    h = (h ^ (h >> 33)) * 0xFF51AFD7ED558CCDu;
    h = (h ^ (h >> 33)) * 0xC4CEB9FE1A85EC53u;
    return h ^ (h >> 33);
}

uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed) {
    const unsigned char *p = bytes;
    uint64_t h = hash_mix(seed ^ 0x9E3779B97F4A7C15u) + n;
    size_t left = n;
    for (; left >= 8; left -= 8, p += 8) h = hash_mix(h ^ word_le(p, 8)) + 0x9E3779B97F4A7C15u;
    return hash_mix(h ^ word_le(p, left));
}

uint64_t hash_string(const char *s) { return hash_bytes(s, strlen(s), 0); }

/* -- UTF-8 -- */

size_t utf8_decode(const char *s, size_t n, uint32_t *character) {
    const unsigned char *p = (const unsigned char *)s;
    if (n == 0) return 0;
    if (p[0] < 0x80) {
        *character = p[0];
        return 1;
    }
    size_t length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (p[0] < 0xC2 || p[0] > 0xF4 || length > n) return 0;
    uint32_t c = p[0] & (0xFFu >> (length + 1));
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (p[i] & 0x3F);
    }
    if (c < smallest[length] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *character = c;
    return length;
}

/* -- The nearest name -- */

enum { LONGEST_NAME = 64 };

static int least(int a, int b) { return a < b ? a : b; }

/* Optimal string alignment: insert, delete, replace, swap two neighbours. Both at most LONGEST_NAME long. */
static int edit_distance(const char *a, int na, const char *b, int nb) {
    int rows[3][LONGEST_NAME + 1];
    for (int j = 0; j <= nb; j++) rows[0][j] = j;
    for (int i = 1; i <= na; i++) {
        int *row = rows[i % 3], *up = rows[(i + 2) % 3], *upper = rows[(i + 1) % 3];
        row[0] = i;
        for (int j = 1; j <= nb; j++) {
            row[j] = least(up[j - 1] + (a[i - 1] != b[j - 1]), 1 + least(up[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], upper[j - 2] + 1);
        }
    }
    return rows[na % 3][nb];
}

const char *nearest_name(const char *name, const char *const *candidates, int n) {
    int length = (int)strnlen(name, LONGEST_NAME + 1);
    if (length == 0 || length > LONGEST_NAME) return NULL;
    int limit = (length + 1) / 3;
    limit = limit < 1 ? 1 : limit > 3 ? 3 : limit;
    const char *best = NULL;
    for (int k = 0; k < n; k++) {
        int other = (int)strnlen(candidates[k], LONGEST_NAME + 1);
        if (abs(other - length) > limit || other > LONGEST_NAME) continue;
        int d = edit_distance(name, length, candidates[k], other);
        bool kept = d < length || strcasecmp(name, candidates[k]) == 0;
        if (kept && d <= limit && (!best || d < limit)) {
            best = candidates[k];
            limit = d;
        }
    }
    return best;
}

/* -- Numbers and JSON -- */

static bool add_nonfinite(Buf *b, double x) {
    if (isfinite(x)) return false;
    buf_add(b, isnan(x) ? "nan" : x > 0 ? "inf" : "-inf");
    return true;
}

void buf_add_double(Buf *b, double x) {
    if (add_nonfinite(b, x)) return;
    char text[40];
    /* Fewer than 15 digits never help: %g strips the zeros. Subnormal numbers hold fewer than 15 digits. */
    int digits = x != 0 && fabs(x) < DBL_MIN ? 1 : 15;
    do snprintf(text, sizeof text, "%.*g", digits, x);
    while (strtod(text, NULL) != x && ++digits <= 17);
    buf_add(b, text);
}

void buf_add_number(Buf *b, double x, int digits) {
    if (!add_nonfinite(b, x)) buf_printf(b, "%.*g", digits, x);
}

static void buf_add_json_char(Buf *b, unsigned char c) {
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    const char *special = c ? strchr(from, c) : NULL;
    if (special)
        buf_printf(b, "\\%c", to[special - from]);
    else if (c < 0x20 || c == 0x7F)
        buf_printf(b, "\\u%04x", c);
    else
        buf_add_char(b, (char)c);
}

void buf_add_json_string(Buf *b, const char *s) {
    buf_add_char(b, '"');
    for (size_t n = strlen(s), step; n > 0; n -= step, s += step) {
        uint32_t character = 0;
        step = utf8_decode(s, n, &character);
        if (step == 1)
            buf_add_json_char(b, (unsigned char)*s);
        else if (step > 1)
            buf_add_bytes(b, s, step);
        else {
            buf_add(b, "\\ufffd");
            step = 1;
        }
    }
    buf_add_char(b, '"');
}
