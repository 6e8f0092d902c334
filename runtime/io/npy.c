/* NumPy's .npy, versions 1 to 3: magic, version, length of the header, a Python dictionary, the numbers.
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "io/formats.h"

/* What is left of the header. */
typedef struct Header {
    Reader *r;
    const char *s, *end;
} Header;

static char header_next(Header *h) {
    while (h->s < h->end && isspace((unsigned char)*h->s)) h->s++;
    return h->s < h->end ? *h->s : 0;
}

static bool header_take(Header *h, char c) {
    if (header_next(h) != c) return false;
    h->s++;
    return true;
}

static void header_expect(Header *h, char c) {
    if (!header_take(h, c)) reader_fail(h->r, "its NumPy header is broken: expected '%c'", c);
}

/* A quoted string, or NULL for something else. */
static const char *header_string(Header *h) {
    char quote = header_next(h);
    if (quote != '\'' && quote != '"') return NULL;
    const char *from = ++h->s, *to = memchr(from, quote, (size_t)(h->end - from));
    if (!to) reader_fail(h->r, "its NumPy header is broken: a string without end");
    h->s = to + 1;
    char *text = arena_alloc(h->r->scratch, (size_t)(to - from) + 1);
    return memcpy(text, from, (size_t)(to - from));
}

static Element header_element(Header *h) {
    static const struct {
        char code;
        Element element;
    } kinds[] = {
        {'f', {ELEMENT_FLOAT, 8, false}},
        {'i', {ELEMENT_SIGNED, 8, false}},
        {'u', {ELEMENT_UNSIGNED, 8, false}},
        {'b', {ELEMENT_BOOL, 1, false}},
    };
    const char *text = header_string(h);
    if (!text) reader_fail(h->r, "it holds records; expected an array of plain numbers");
    const char *s = text;
    bool big_endian = *s == '>';
    if (*s && strchr("<>|=", *s)) s++;
    for (size_t k = 0; *s && k < sizeof kinds / sizeof *kinds; k++) {
        Element e = kinds[k].element;
        e.big_endian = big_endian;
        e.size = s[1] && !s[2] ? s[1] - '0' : 0;
        bool known = e.size == 1 || e.size == 2 || e.size == 4 || e.size == 8;
        if (e.kind == ELEMENT_FLOAT) known = e.size == 4 || e.size == 8;
        if (e.kind == ELEMENT_BOOL) known = e.size == 1;
        if (*s == kinds[k].code && known) return e;
    }
    reader_fail(h->r, "its numbers are of type %s; expected f4, f8, i1 to i8, u1 to u8 or b1",
                reader_quote(h->r, text, strlen(text)));
}

static Shape header_shape(Header *h) {
    Shape shape = {0};
    header_expect(h, '(');
    while (!header_take(h, ')')) {
        if (!isdigit((unsigned char)header_next(h))) reader_fail(h->r, "its NumPy header is broken: expected a size");
        if (shape.rank == MAX_RANK) reader_fail(h->r, "it has more than %d dimensions", MAX_RANK);
        int64_t size = 0;
        for (; h->s < h->end && isdigit((unsigned char)*h->s); h->s++) {
            if (size > INT64_MAX / 10 - 1) reader_fail(h->r, "its NumPy header is broken: a size is too large");
            size = 10 * size + (*h->s - '0');
        }
        shape.dim[shape.rank++] = size;
        header_take(h, 'L'); /* Python 2 */
        if (header_next(h) != ')') header_expect(h, ',');
    }
    return shape;
}

static bool header_bool(Header *h) {
    for (int truth = 0; truth < 2; truth++) {
        const char *word = truth ? "True" : "False";
        size_t n = strlen(word);
        header_next(h);
        if ((size_t)(h->end - h->s) >= n && memcmp(h->s, word, n) == 0) {
            h->s += n;
            return truth;
        }
    }
    reader_fail(h->r, "its NumPy header is broken: expected True or False");
}

/* Where the numbers begin, and the header between. */
static const char *find_header(Reader *r, Header *h) {
    const unsigned char *p = (const unsigned char *)r->bytes;
    if (r->n < 10 || memcmp(p, "\x93NUMPY", 6) != 0)
        reader_fail(r, "not a NumPy file: it does not begin with \\x93NUMPY");
    int version = p[6];
    if (version < 1 || version > 3)
        reader_fail(r, "version %d of the NumPy format is not known; expected 1, 2 or 3", version);
    size_t start = version == 1 ? 10 : 12, length = (size_t)p[8] | (size_t)p[9] << 8;
    if (version > 1 && r->n >= start) length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (r->n < start || r->n - start < length) reader_fail(r, "the file ends within its header");
    *h = (Header){r, r->bytes + start, r->bytes + start + length};
    return h->end;
}

/* Column by column to row by row. */
static void copy_fortran(const real *from, Shape shape, real *to) {
    int64_t stride[MAX_RANK], index[MAX_RANK] = {0}, step = 1, n = shape_size(shape), at = 0;
    for (int k = 0; k < shape.rank; k++) {
        stride[k] = step;
        step *= shape.dim[k];
    }
    for (int64_t i = 0; i < n; i++) {
        to[i] = from[at];
        for (int k = shape.rank - 1; k >= 0; k--) {
            at += stride[k];
            if (++index[k] < shape.dim[k]) break;
            at -= stride[k] * shape.dim[k];
            index[k] = 0;
        }
    }
}

static bool is_key(const char *key, const char *name) { return key && strcmp(key, name) == 0; }

void npy_read(Reader *r) {
    Header h;
    const char *numbers = find_header(r, &h);
    Element e = {0};
    Shape shape = {.rank = -1};
    int fortran = -1;
    header_expect(&h, '{');
    while (!header_take(&h, '}')) {
        const char *key = header_string(&h);
        header_expect(&h, ':');
        if (is_key(key, "descr"))
            e = header_element(&h);
        else if (is_key(key, "fortran_order"))
            fortran = header_bool(&h);
        else if (is_key(key, "shape"))
            shape = header_shape(&h);
        else
            reader_fail(r, "its NumPy header is broken: an unknown key");
        if (header_next(&h) != '}') header_expect(&h, ',');
    }
    if (e.size == 0 || shape.rank < 0 || fortran < 0)
        reader_fail(r, "its NumPy header lacks descr, fortran_order or shape");
    reader_check_size(r, e, shape, (size_t)(r->bytes + r->n - numbers));
    Tensor *t = reader_tensor(r, e, shape, numbers);
    if (fortran && shape.rank > 1) {
        Tensor *rows = tensor_new_or_spilled(r->ctx, r->arena, shape, shape_size(shape));
        copy_fortran(t->data, shape, rows->data);
        t = rows;
    }
    reader_give_array(r, t, false);
}

void npy_write(Writer *w) {
    if (w->n != 1) writer_fail(w, "a .npy file holds one array, %d were given; write .safetensors or .json", w->n);
    const Tensor *t = w->items[0].value;
    Buf head = {0};
    buf_add(&head, "{'descr': '<f8', 'fortran_order': False, 'shape': (");
    for (int k = 0; k < t->shape.rank; k++) buf_printf(&head, "%lld,", (long long)t->shape.dim[k]);
    buf_add(&head, "), }");
    while ((10 + head.length + 1) % 64 != 0) buf_add_char(&head, ' ');
    buf_add_char(&head, '\n');
    buf_add_bytes(w->out, "\x93NUMPY\x01", 8);
    buf_add_char(w->out, (char)(head.length & 0xFF));
    buf_add_char(w->out, (char)(head.length >> 8));
    buf_add_bytes(w->out, head.text, head.length);
    buf_free(&head);
    doubles_encode(t, w->scratch, w->out);
}
