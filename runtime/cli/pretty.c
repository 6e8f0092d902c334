#include "cli/pretty.h"

#include <math.h>
#include <string.h>

#include "infer/infer.h"
#include "interp/effects.h"

enum { DIGITS = 5, ENDS = 5, SHORT = 12, GAP = 2, SLICE_ENDS = 2, MAX_CELL = 32, NARROWEST = 20 };

static void element_text(const Array *a, double x, char out[MAX_CELL]) {
    Buf b = {0};
    if (a->missing && isnan(x))
        buf_add(&b, "missing");
    else if (a->boolean)
        buf_add(&b, x != 0 ? "true" : "false");
    else
        buf_add_number(&b, x, x == floor(x) && fabs(x) < 1e15 ? 15 : DIGITS);
    snprintf(out, MAX_CELL, "%s", b.text);
    buf_free(&b);
}

/* The k-th of those shown of n when only the ends are: its number, or -1 for the mark between. */
static int64_t shown_at(int64_t k, int64_t n, int64_t shown, int64_t ends) {
    if (shown >= n) return k;
    return k < ends ? k : k == ends ? -1 : n - (shown - k);
}

static int64_t shown_of(int64_t n, int64_t most, int64_t ends) { return n <= most ? n : 2 * ends + 1; }

/* Rows by columns of numbers at data, with these strides. */
typedef struct Grid {
    const Array *array;
    const real *data;
    int64_t rows, columns, down, right;
} Grid;

static const char *grid_cell(const Grid *g, int64_t r, int64_t c, char text[MAX_CELL]) {
    if (r < 0 || c < 0) return r < 0 && c < 0 ? "" : "...";
    element_text(g->array, g->data[r * g->down + c * g->right], text);
    return text;
}

static int widest_cell(const Grid *g, int64_t rows, int64_t columns, int64_t ends) {
    int widest = 3;
    char text[MAX_CELL];
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns; c++) {
            int n = (int)strlen(grid_cell(g, shown_at(r, g->rows, rows, ENDS), shown_at(c, g->columns, columns, ends), text));
            if (n > widest) widest = n;
        }
    return widest;
}

static void show_grid(const Grid *g, int width, int indent, Buf *out) {
    int64_t rows = shown_of(g->rows, SHORT, ENDS);
    int64_t ends = ENDS, columns = shown_of(g->columns, 2 * SHORT, ends);
    int cell = widest_cell(g, rows, columns, ends);
    while (columns * (cell + GAP) + indent > width && ends > 1) {
        ends--;
        columns = shown_of(g->columns, 2 * ends, ends);
    }
    if (columns > g->columns) columns = g->columns;
    char text[MAX_CELL];
    for (int64_t r = 0; r < rows; r++) {
        if (r) buf_add_char(out, '\n');
        for (int k = 0; k < indent; k++) buf_add_char(out, ' ');
        for (int64_t c = 0; c < columns; c++) {
            int64_t row = shown_at(r, g->rows, rows, ENDS), column = shown_at(c, g->columns, columns, ends);
            buf_printf(out, "%*s%*s", c ? GAP : 0, "", cell, grid_cell(g, row, column, text));
        }
    }
}

static void show_slices(const Array *a, const real *data, int dim, const int64_t *index, int width, Buf *out) {
    const Tensor *t = a->var.value;
    int rank = t->shape.rank;
    if (dim == rank - 2) {
        Grid g = {a, data, t->shape.dim[dim], t->shape.dim[dim + 1], t->stride[dim], t->stride[dim + 1]};
        buf_add(out, "\n[");
        for (int d = 0; d < dim; d++) buf_printf(out, "%lld, ", (long long)index[d]);
        buf_add(out, ":, :]\n");
        show_grid(&g, width, 2, out);
        return;
    }
    int64_t n = t->shape.dim[dim], shown = shown_of(n, 2 * SLICE_ENDS + 1, SLICE_ENDS), next[MAX_RANK];
    memcpy(next, index, sizeof next);
    for (int64_t k = 0; k < shown; k++) {
        int64_t at = shown_at(k, n, shown, SLICE_ENDS);
        if (at < 0) {
            buf_add(out, "\n...");
            continue;
        }
        next[dim] = at + 1;
        show_slices(a, data + at * t->stride[dim], dim + 1, next, width, out);
    }
}

static void show_vector(const Array *a, int64_t shown, int64_t ends, Buf *out) {
    const Tensor *t = a->var.value;
    int64_t n = t->shape.dim[0];
    char text[MAX_CELL];
    if (shown > n) shown = n;
    buf_add_char(out, '[');
    for (int64_t k = 0; k < shown; k++) {
        int64_t at = shown_at(k, n, shown, ends);
        if (at >= 0) element_text(a, t->data[at * t->stride[0]], text);
        buf_printf(out, "%s%s", k ? ", " : "", at < 0 ? "..." : text);
    }
    buf_add_char(out, ']');
    if (shown < n) buf_printf(out, "  (%lld numbers)", (long long)n);
}

static void show_array(const Array *a, int width, Buf *out) {
    const Tensor *t = a->var.value;
    int rank = t->shape.rank;
    char text[MAX_CELL];
    if (rank == 0) {
        element_text(a, t->data[0], text);
        buf_add(out, text);
        return;
    }
    if (rank == 1) {
        int64_t n = t->shape.dim[0], ends = ENDS, start = (int64_t)out->length;
        show_vector(a, shown_of(n, 2 * SHORT, ends), ends, out);
        while ((int64_t)out->length - start > width && ends > 1) {
            out->text[out->length = (size_t)start] = 0;
            ends--;
            show_vector(a, shown_of(n, 2 * ends, ends), ends, out);
        }
        return;
    }
    buf_add(out, "array [");
    for (int d = 0; d < rank; d++) buf_printf(out, "%s%lld", d ? ", " : "", (long long)t->shape.dim[d]);
    buf_add_char(out, ']');
    int64_t none[MAX_RANK] = {0};
    Grid whole = {a, t->data, t->shape.dim[0], t->shape.dim[1], t->stride[0], t->stride[1]};
    if (shape_size(t->shape) == 0) return;
    if (rank == 2) {
        buf_add_char(out, '\n');
        show_grid(&whole, width, 2, out);
    } else {
        show_slices(a, t->data, 0, none, width, out);
    }
}

static void show_indented(const char *text, int indent, Buf *out) {
    for (; *text; text++) {
        buf_add_char(out, *text);
        for (int k = 0; *text == '\n' && k < indent; k++) buf_add_char(out, ' ');
    }
}

/* Records within records have less and less room; where there is none, what is within is one line, cut. */
static void show_record(Interp *in, const Record *r, int width, Buf *out) {
    int longest = 0;
    for (int k = 0; k < r->n; k++)
        if ((int)strlen(r->names[k]) > longest) longest = (int)strlen(r->names[k]);
    for (int k = 0; k < r->n; k++) {
        Buf value = {0};
        pretty_value(in, r->values[k], width - longest - 4, &value);
        buf_printf(out, "%s  %-*s  ", k ? "\n" : "", longest, r->names[k]);
        show_indented(value.text ? value.text : "", longest + 4, out);
        buf_free(&value);
    }
}

void pretty_value(Interp *in, Value v, int width, Buf *out) {
    if (v.kind == VALUE_ARRAY) {
        show_array(v.u.array, width, out);
    } else if (v.kind == VALUE_STRING) {
        buf_add_json_string(out, v.u.string->text);
    } else {
        size_t start = out->length;
        value_show(in, v, out, false);
        bool long_one = v.kind == VALUE_RECORD && out->length - start > (size_t)(width > 20 ? width : 20);
        if (long_one && width < NARROWEST) {
            size_t end = start + NARROWEST;
            while (((unsigned char)out->text[end] & 0xC0) == 0x80) end--; /* whole characters */
            out->text[out->length = end] = 0;
            buf_add(out, "...");
        } else if (long_one) {
            out->text[out->length = start] = 0;
            show_record(in, v.u.record, width, out);
        }
    }
}

static const char *fit_kind(Interp *in, Value v) {
    const FitReport *r = fit_report(v);
    const char *text = arena_printf(in->arena, "a fit of %s by %s", r->model, r->method);
    for (int k = 0; k < r->nvariables; k++) text = arena_printf(in->arena, "%s%s %s", text, k ? "," : ":", r->variables[k].name);
    return text;
}

const char *pretty_kind(Interp *in, Value v) {
    if (v.kind == VALUE_FUNCTION || v.kind == VALUE_BUILTIN || v.kind == VALUE_FAMILY || v.kind == VALUE_CALL) {
        Buf b = {0};
        value_show(in, v, &b, false);
        const char *text = arena_strdup(in->arena, b.text);
        buf_free(&b);
        return text;
    }
    if (v.kind == VALUE_OBJECT && v.u.object->type == &fit_type) return fit_kind(in, v);
    if (v.kind != VALUE_DIST) return value_describe(in, v);
    Support s = dist_support(in, v.u.dist, SPAN_NONE);
    Shape shape = dist_event_shape(in, v.u.dist, SPAN_NONE);
    Buf b = {0};
    buf_printf(&b, "a distribution, %s, over %s", v.u.dist->family->decl->name, support_text(in, &s));
    for (int d = 0; d < shape.rank; d++) buf_printf(&b, "%s%lld", d ? ", " : ", shape [", (long long)shape.dim[d]);
    if (shape.rank) buf_add_char(&b, ']');
    const char *text = arena_strdup(in->arena, b.text);
    buf_free(&b);
    return text;
}
