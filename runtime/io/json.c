/* JSON data: {"y": [1, 2], "sigma": [[1, 2], [3, 4]], "N": 2}, outermost index first; null is missing.
 * Words as Stan and its companions write them: "NaN", "Inf", "-Infinity", also bare NaN and Infinity. */
#include "io/json.h"

#include <math.h>
#include <string.h>

/* -- Parsing -- */

/* Bare NaN and Infinity are no JSON. They become strings of the same length, so that columns in messages stay right:
 * 0x7F for NaN and for Infinity, told apart by their length. */
enum { BARE = 0x7F };

static size_t bare_word(const char *s, size_t n) {
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    for (int k = 0; k < 3; k++) {
        size_t m = strlen(words[k]);
        if (n >= m && memcmp(s, words[k], m) == 0) return m;
    }
    return 0;
}

static char *quote_bare_words(Arena *a, const char *text, size_t n) {
    char *out = arena_copy(a, text, n);
    bool string = false;
    for (size_t k = 0; k < n; k++) {
        if (text[k] == '"') string = !string;
        if (string && text[k] == '\\') k++;
        size_t m = string ? 0 : bare_word(text + k, n - k);
        if (m == 0) continue;
        memset(out + k, ' ', m);
        out[k] = '"', out[k + m - 1] = '"', out[k + 1] = BARE;
        if (text[k] == '-') out[k + 2] = '-';
        k += m - 1;
    }
    return out;
}

static bool parse_word(const char *s, size_t n, double *x) {
    if (n > 0 && s[0] == BARE) {
        *x = n == 1 ? NAN : s[1] == '-' ? -INFINITY : INFINITY;
        return true;
    }
    return parse_number(s, n, x);
}

static void release_json(void *j) { json_decref(j); }

json_t *json_parse(Reader *r, const char *text, size_t n) {
    json_error_t e;
    json_t *j =
        json_loadb(quote_bare_words(r->scratch, text, n), n, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &e);
    if (!j) reader_fail(r, "line %d, column %d: this is no JSON: %s", e.line, e.column, e.text);
    arena_defer(r->scratch, release_json, j);
    return j;
}

/* -- Arrays -- */

typedef struct Filling {
    Reader *r;
    DataItem *item;
    Shape shape;
    real *out;
    int64_t index[MAX_RANK]; /* of the element at work, from 0 */
} Filling;

static const char *describe(const Filling *f, const json_t *j) {
    Arena *a = f->r->arena;
    switch (json_typeof(j)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return arena_printf(a, "a list of %zu", json_array_size(j));
    case JSON_STRING:
        return arena_printf(a, "the text %s", reader_quote(f->r, json_string_value(j), json_string_length(j)));
    case JSON_NULL: return "null";
    case JSON_TRUE: return "true";
    case JSON_FALSE: return "false";
    default: return "a number";
    }
}

/* "y[2, 3] is ..., expected ..."; the first problem is the one that counts. */
static bool fail_at(Filling *f, int depth, const json_t *j) {
    Buf place = {0};
    buf_add(&place, f->item->name);
    for (int k = 0; k < depth; k++) buf_printf(&place, "%s%lld", k ? ", " : "[", (long long)f->index[k] + 1);
    if (depth) buf_add_char(&place, ']');
    const char *expected = depth < f->shape.rank
                               ? arena_printf(f->r->arena, "a list of %lld, for the lists to be rectangular",
                                              (long long)f->shape.dim[depth])
                               : "a number";
    f->item->problem = arena_printf(f->r->arena, "'%s' is %s; expected %s", place.text, describe(f, j), expected);
    buf_free(&place);
    return false;
}

static bool fill_number(Filling *f, const json_t *j) {
    double x = NAN;
    bool fine = true;
    switch (json_typeof(j)) {
    case JSON_INTEGER:
    case JSON_REAL: x = json_number_value(j); break;
    case JSON_TRUE: x = 1; break;
    case JSON_FALSE: x = 0; break;
    case JSON_NULL: f->item->has_missing = true; break;
    case JSON_STRING:
        if (json_string_length(j) > 0 && is_missing_word(json_string_value(j), json_string_length(j)))
            f->item->has_missing = true;
        else
            fine = parse_word(json_string_value(j), json_string_length(j), &x);
        break;
    default: fine = false;
    }
    if (!fine) return fail_at(f, f->shape.rank, j);
    *f->out++ = (real)x;
    return true;
}

static bool fill(Filling *f, int depth, const json_t *j) {
    if (depth == f->shape.rank) return fill_number(f, j);
    if (!json_is_array(j) || (int64_t)json_array_size(j) != f->shape.dim[depth]) return fail_at(f, depth, j);
    for (int64_t *k = &f->index[depth], i = 0; i < f->shape.dim[depth]; i++) {
        *k = i;
        if (!fill(f, depth + 1, json_array_get(j, (size_t)i))) return false;
    }
    return true;
}

void json_to_item(Reader *r, const json_t *j, DataItem *item) {
    Filling f = {.r = r, .item = item};
    /* The first elements say what the shape should be. */
    for (const json_t *first = j; json_is_array(first); first = json_array_get(first, 0)) {
        if (f.shape.rank == MAX_RANK) {
            item->problem = arena_printf(r->arena, "'%s' has more than %d dimensions", item->name, MAX_RANK);
            return;
        }
        f.shape.dim[f.shape.rank++] = (int64_t)json_array_size(first);
    }
    Tensor *t = tensor_new(r->ctx, r->arena, f.shape);
    f.out = t->data;
    if (fill(&f, 0, j)) item->value = t;
}

void json_read(Reader *r) {
    size_t skip = r->n >= 3 && memcmp(r->bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    json_t *top = json_parse(r, r->bytes + skip, r->n - skip);
    if (json_is_array(top)) {
        DataItem item = {.name = ""};
        json_to_item(r, top, &item);
        if (item.problem) reader_fail(r, "%s", item.problem);
        reader_give_array(r, item.value, item.has_missing);
        return;
    }
    Data *d = r->data;
    d->kind = DATA_NAMED;
    d->items = ARENA_ARRAY(r->arena, DataItem, json_object_size(top));
    const char *name;
    json_t *value;
    json_object_foreach(top, name, value) {
        d->items[d->n].name = arena_strdup(r->arena, name);
        json_to_item(r, value, &d->items[d->n++]);
    }
}

/* -- Writing -- */

static void add_number(Buf *b, double x, bool missing) {
    if (isfinite(x))
        buf_add_double(b, x);
    else
        buf_add(b, isnan(x) ? missing ? "null" : "\"NaN\"" : x > 0 ? "\"Infinity\"" : "\"-Infinity\"");
}

static const real *add_nested(Buf *b, const DataItem *item, int depth, const real *next) {
    Shape s = item->value->shape;
    if (depth == s.rank) {
        add_number(b, *next, item->has_missing);
        return next + 1;
    }
    buf_add_char(b, '[');
    for (int64_t i = 0; i < s.dim[depth]; i++) {
        if (i) buf_add(b, ", ");
        next = add_nested(b, item, depth + 1, next);
    }
    buf_add_char(b, ']');
    return next;
}

void json_write(Writer *w) {
    buf_add(w->out, "{");
    for (int k = 0; k < w->n; k++) {
        const Tensor *t = w->items[k].value;
        real *numbers = ARENA_ARRAY(w->scratch, real, shape_size(t->shape));
        tensor_copy_out(t, numbers);
        buf_add(w->out, k ? ",\n " : "\n ");
        buf_add_json_string(w->out, w->items[k].name);
        buf_add(w->out, ": ");
        add_nested(w->out, &w->items[k], 0, numbers);
    }
    buf_add(w->out, "\n}\n");
}
