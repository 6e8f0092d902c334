/* Tables: a header of names, then numbers (RFC 4180, and what people write).
 *
 * The separator is the first of comma, tab and semicolon that the header holds. Blank lines are skipped; fields may be
 * quoted, lines end in LF, CR LF or CR. A file whose first line is all numbers has no header: it is one array. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/mapping.h"
#include "io/formats.h"

typedef struct Field {
    const char *s;
    size_t n;
    bool quoted;
} Field;

typedef struct Csv {
    Reader *r;
    const char *p, *end;
    char separator;
    int line;   /* of p, from 1 */
    int record; /* the line on which the record at hand begins */
    Field *fields;
    int n, capacity;
} Csv;

static bool is_blank(const Csv *v, char c) { return (c == ' ' || c == '\t') && c != v->separator; }
static bool at_line_end(const Csv *v) { return v->p == v->end || *v->p == '\n' || *v->p == '\r'; }

static void skip_blanks(Csv *v) {
    while (v->p < v->end && is_blank(v, *v->p)) v->p++;
}

static void skip_line_end(Csv *v) {
    if (v->p == v->end) return;
    if (*v->p == '\r' && v->p + 1 < v->end && v->p[1] == '\n') v->p++;
    v->p++;
    v->line++;
}

static Field take_quoted(Csv *v) {
    int line = v->line, doubled = 0;
    const char *from = ++v->p;
    for (;; v->p++) {
        if (v->p == v->end) reader_fail(v->r, "line %d: a quote is opened and never closed", line);
        if (*v->p == '\n') v->line++;
        if (*v->p != '"') continue;
        if (v->p + 1 == v->end || v->p[1] != '"') break;
        doubled++;
        v->p++;
    }
    Field f = {from, (size_t)(v->p++ - from), true};
    skip_blanks(v);
    if (!at_line_end(v) && *v->p != v->separator)
        reader_fail(v->r, "line %d: text behind a closing quote; a quote within quotes is written twice", v->line);
    if (doubled == 0) return f;
    char *text = arena_alloc(v->r->scratch, f.n + 1);
    size_t n = 0;
    for (size_t k = 0; k < f.n; k++) {
        text[n++] = f.s[k];
        if (f.s[k] == '"') k++;
    }
    return (Field){text, n, true};
}

static Field take_field(Csv *v) {
    skip_blanks(v);
    if (v->p < v->end && *v->p == '"') return take_quoted(v);
    const char *from = v->p;
    while (!at_line_end(v) && *v->p != v->separator) v->p++;
    size_t n = (size_t)(v->p - from);
    while (n > 0 && is_blank(v, from[n - 1])) n--;
    return (Field){from, n, false};
}

/* The next record that is not blank, in v->fields; false at the end. */
static bool take_record(Csv *v) {
    for (;;) {
        if (v->p == v->end) return false;
        v->record = v->line;
        v->n = 0;
        for (;;) {
            ARENA_GROW(v->r->scratch, v->fields, v->n, v->capacity, 16);
            v->fields[v->n++] = take_field(v);
            if (at_line_end(v)) break;
            v->p++;
        }
        bool blank = v->n == 1 && v->fields[0].n == 0 && !v->fields[0].quoted;
        skip_line_end(v);
        if (!blank) return true;
    }
}

static Csv csv_open(Reader *r) {
    const char *s = r->bytes, *end = s + r->n;
    if (r->n >= 2 && (memcmp(s, "\xFF\xFE", 2) == 0 || memcmp(s, "\xFE\xFF", 2) == 0))
        reader_fail(r, "the text is in UTF-16; expected UTF-8");
    if (r->n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) s += 3;
    const char *zero = memchr(s, 0, (size_t)(end - s));
    if (zero) reader_fail(r, "this is no text: byte %zu is zero; expected lines of numbers", (size_t)(zero - r->bytes));
    size_t first_line = strcspn(s, "\r\n");
    char separator = memchr(s, ',', first_line) ? ',' : memchr(s, '\t', first_line) ? '\t' : ';';
    return (Csv){.r = r, .p = s, .end = end, .separator = separator, .line = 1};
}

enum { ROWS_BETWEEN_TRIMS = 1 << 14 };

/* The table while it is read: the cells row by row, and per column what is known of it. */
typedef struct Table {
    Tensor *cells; /* with room for all that there can be */
    DataItem *columns;
    int n;
    int64_t rows;
} Table;

/* Line ends tell how many rows there can be, bytes how many cells. */
static void reserve_cells(Reader *r, Table *t) {
    int64_t rows = 1, most = (int64_t)r->n + 1;
    for (size_t i = 0; i < r->n; i++) /* \n, \r\n and \r, mixed as they may be */
        rows += r->bytes[i] == '\n' || (r->bytes[i] == '\r' && (i + 1 == r->n || r->bytes[i + 1] != '\n'));
    if (rows > most / t->n) rows = most / t->n + 1;
    t->cells = tensor_new_or_spilled(r->ctx, r->arena, shape1(rows * t->n), rows * t->n);
    mappings_trim(r->ctx);
}

static double cell_value(Reader *r, DataItem *column, Field f, int line) {
    double x = NAN;
    if (is_missing_word(f.s, f.n))
        column->has_missing = true;
    else if (f.n == 4 && strncasecmp(f.s, "true", 4) == 0)
        x = 1;
    else if (f.n == 5 && strncasecmp(f.s, "false", 5) == 0)
        x = 0;
    else if (!parse_number(f.s, f.n, &x) && !column->problem)
        column->problem = arena_printf(r->arena, "line %d, column '%s': expected a number, got %s", line, column->name,
                                       reader_quote(r, f.s, f.n));
    return x;
}

static void add_row(Csv *v, Table *t) {
    if (v->n != t->n)
        reader_fail(v->r, "line %d has %d field%s, expected %d as in the first line", v->record, v->n,
                    v->n == 1 ? "" : "s", t->n);
    real *cells = t->cells->data + t->rows * t->n;
    for (int k = 0; k < t->n; k++) cells[k] = (real)cell_value(v->r, &t->columns[k], v->fields[k], v->record);
    if (++t->rows % ROWS_BETWEEN_TRIMS == 0) mappings_trim(v->r->ctx);
}

static bool is_header(const Csv *v) {
    double x;
    for (int k = 0; k < v->n; k++)
        if (!parse_number(v->fields[k].s, v->fields[k].n, &x)) return true;
    return false;
}

static void take_header(Csv *v, Table *t, bool named) {
    Reader *r = v->r;
    t->n = v->n;
    t->columns = ARENA_ARRAY(r->arena, DataItem, v->n);
    for (int k = 0; k < v->n; k++) {
        Field f = v->fields[k];
        t->columns[k].name =
            named ? arena_printf(r->arena, "%.*s", (int)f.n, f.s) : arena_printf(r->arena, "%d", k + 1);
        for (int j = 0; j < k; j++)
            if (*t->columns[k].name && strcmp(t->columns[k].name, t->columns[j].name) == 0)
                reader_fail(r, "line %d: columns %d and %d are both called %s", v->record, j + 1, k + 1,
                            reader_quote(r, f.s, f.n));
    }
}

static void give_columns(Reader *r, Table *t) {
    for (int k = 0; k < t->n; k++) {
        if (t->columns[k].problem) continue;
        Tensor *column = tensor_new_or_spilled(r->ctx, r->arena, shape1(t->rows), t->rows * t->n);
        for (int64_t i = 0; i < t->rows; i++) {
            column->data[i] = t->cells->data[i * t->n + k];
            if (i % ROWS_BETWEEN_TRIMS == 0) mappings_trim(r->ctx);
        }
        t->columns[k].value = column;
    }
    *r->data = (Data){.path = r->data->path, .kind = DATA_COLUMNS, .items = t->columns, .n = t->n};
}

/* Without a header every column counts: [rows], or [rows, columns]. */
static void give_matrix(Reader *r, Table *t) {
    bool missing = false;
    for (int k = 0; k < t->n; k++) {
        if (t->columns[k].problem) reader_fail(r, "%s", t->columns[k].problem);
        missing |= t->columns[k].has_missing;
    }
    Tensor *whole = tensor_view_slice(r->arena, t->cells, 0, 0, t->rows * t->n, 1);
    if (t->n > 1) whole = tensor_view_reshape(r->ctx, r->arena, whole, shape2(t->rows, t->n));
    reader_give_array(r, whole, missing);
}

void csv_read(Reader *r) {
    Csv v = csv_open(r);
    if (!take_record(&v)) reader_fail(r, "the file has no lines");
    Table *t = ARENA_NEW(r->scratch, Table);
    bool named = is_header(&v);
    take_header(&v, t, named);
    reserve_cells(r, t);
    if (!named) add_row(&v, t);
    while (take_record(&v)) add_row(&v, t);
    if (named)
        give_columns(r, t);
    else
        give_matrix(r, t);
}

/* -- Writing -- */

static void add_quoted(Buf *b, const char *s) {
    if (!strpbrk(s, ",\"\r\n") && s[0] != ' ') {
        buf_add(b, s);
        return;
    }
    buf_add_char(b, '"');
    for (; *s; s++) {
        if (*s == '"') buf_add_char(b, '"');
        buf_add_char(b, *s);
    }
    buf_add_char(b, '"');
}

/* "theta[2,1]" for each element behind the first dimension. */
static void add_column_names(Buf *b, const DataItem *item) {
    Shape s = item->value->shape;
    int64_t index[MAX_RANK] = {0}, n = 1;
    for (int k = 1; k < s.rank; k++) n *= s.dim[k];
    for (int64_t i = 0; i < n; i++) {
        Buf name = {0};
        buf_add(&name, item->name);
        for (int k = 1; k < s.rank; k++) buf_printf(&name, "%c%lld", k == 1 ? '[' : ',', (long long)index[k] + 1);
        if (s.rank > 1) buf_add_char(&name, ']');
        if (b->length) buf_add_char(b, ',');
        add_quoted(b, name.text);
        buf_free(&name);
        for (int k = s.rank - 1; k > 0 && ++index[k] == s.dim[k]; k--) index[k] = 0;
    }
}

static int64_t rows_of(const DataItem *item) { return item->value->shape.rank ? item->value->shape.dim[0] : 1; }

void csv_write(Writer *w) {
    int64_t rows = rows_of(&w->items[0]);
    real **numbers = ARENA_ARRAY(w->scratch, real *, w->n);
    for (int k = 0; k < w->n; k++) {
        const Tensor *t = w->items[k].value;
        if (rows_of(&w->items[k]) != rows)
            writer_fail(w, "'%s' has %lld rows, '%s' has %lld; the columns of a table are equally long",
                        w->items[0].name, (long long)rows, w->items[k].name, (long long)rows_of(&w->items[k]));
        numbers[k] = ARENA_ARRAY(w->scratch, real, shape_size(t->shape));
        tensor_copy_out(t, numbers[k]);
        add_column_names(w->out, &w->items[k]);
    }
    buf_add_char(w->out, '\n');
    for (int64_t i = 0; i < rows; i++) {
        const char *between = "";
        for (int k = 0; k < w->n; k++) {
            int64_t width = shape_size(w->items[k].value->shape) / rows;
            for (int64_t j = 0; j < width; j++, between = ",") {
                double x = numbers[k][i * width + j];
                buf_add(w->out, between);
                if (isnan(x) && w->items[k].has_missing)
                    buf_add(w->out, "NA");
                else
                    buf_add_double(w->out, x);
            }
        }
        buf_add_char(w->out, '\n');
    }
}
