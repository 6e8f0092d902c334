#include "pictures/draw.h"

#include "pictures/chart.h"
#include "pictures/gnuplot.h"

double *draw_numbers_of(Interp *in, Value v, Span at, const char *what, Shape *shape) {
    Array a = value_array(in, v, at, what);
    const Tensor *t = tensor_dense(in->ctx, in->arena, a.var.value);
    *shape = t->shape;
    int64_t n = shape_size(*shape);
    double *x = ARENA_ARRAY(in->arena, double, n + 1);
    for (int64_t j = 0; j < n; j++) x[j] = (double)t->data[j];
    return x;
}

double *draw_numbers(Interp *in, const Args *args, int k, const char *what, Shape *shape) {
    return draw_numbers_of(in, args->values[k], arg_span(args, k), what, shape);
}

double *draw_column(Arena *a, const real *x, int64_t rows, int64_t n, int64_t k) {
    double *column = ARENA_ARRAY(a, double, rows + 1);
    for (int64_t j = 0; j < rows; j++) column[j] = (double)x[j * n + k];
    return column;
}

const char *draw_element_name(Arena *a, const char *name, Shape s, int64_t k) {
    int64_t index[MAX_RANK];
    Buf b = {0};
    for (int d = s.rank - 1; d >= 0; d--) index[d] = k % s.dim[d] + 1, k /= s.dim[d];
    buf_add(&b, name);
    for (int d = 0; d < s.rank; d++) buf_printf(&b, "%s%lld", d ? ", " : "[", (long long)index[d]);
    if (s.rank) buf_add_char(&b, ']');
    const char *text = arena_strdup(a, b.text);
    buf_free(&b);
    return text;
}

void draw_figure(Interp *in, const PicturePlace *place, const Figure *f) {
    if (place->file) {
        gnuplot_write(in->ctx, in->arena, f, place->file, place->at);
        return;
    }
    Buf out = {0};
    chart_figure(&(Chart){place->width, place->ascii, &out}, f);
    picture_print(in, &out);
    buf_free(&out);
}
