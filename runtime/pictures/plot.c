/* plot(...): pictures of numbers, of points and of fits, as lines of text that are printed. */
#include <string.h>

#include "infer/fit.h"
#include "interp/builtins.h"
#include "pictures/chart.h"
#include "pictures/pictures.h"

enum { MOST_ROWS = 24 };

typedef enum PlotArgument { PLOT_X, PLOT_Y, PLOT_KIND, PLOT_WIDTH, PLOT_ASCII } PlotArgument;

/* An array as plain numbers, row by row. */
static double *numbers_of(Interp *in, const Args *args, int k, const char *what, Shape *shape) {
    Array a = arg_array(in, args, k, what);
    const Tensor *t = tensor_dense(in->ctx, in->arena, a.var.value);
    *shape = t->shape;
    int64_t n = shape_size(*shape);
    double *x = ARENA_ARRAY(in->arena, double, n + 1);
    for (int64_t j = 0; j < n; j++) x[j] = t->data[j];
    return x;
}

/* Column k of the n at x. */
static double *column_of(Interp *in, const real *x, int64_t rows, int64_t n, int64_t k) {
    double *column = ARENA_ARRAY(in->arena, double, rows + 1);
    for (int64_t j = 0; j < rows; j++) column[j] = x[j * n + k];
    return column;
}

static const char *element_name(Arena *a, const char *name, Shape s, int64_t k) {
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

/* A line for each element of a variable, `rows` draws of it; gives the number of lines so far. */
static int show_elements(Interp *in, const Chart *c, const char *name, const real *x, int64_t rows, Shape s, int label, int shown) {
    int64_t n = shape_size(s);
    for (int64_t k = 0; k < n; k++) {
        if (shown == MOST_ROWS) {
            buf_printf(c->out, "\n... and %lld more of %s", (long long)(n - k), name);
            return shown;
        }
        if (c->out->length) buf_add_char(c->out, '\n');
        chart_row(c, element_name(in->arena, name, s, k), label, column_of(in, x, rows, n, k), rows);
        shown++;
    }
    return shown;
}

/* The objective at every step, then the variables. */
static void plot_fit(Interp *in, const Chart *c, Value v) {
    const FitReport *r = fit_report(v);
    Fit *f = fit_of(in, v, in->ctx->span);
    int label = 0, shown = 0;
    if (f->ntrace > 1) {
        double *step = ARENA_ARRAY(in->arena, double, f->ntrace);
        for (long k = 0; k < f->ntrace; k++) step[k] = (double)(k + 1);
        buf_printf(c->out, "%s: the objective by step\n", r->model);
        chart_points(c, step, f->trace, f->ntrace, true);
        buf_add_char(c->out, '\n');
    }
    for (int k = 0; k < r->nvariables; k++) {
        const FitVariable *x = &r->variables[k];
        int64_t n = shape_size(x->shape);
        int length = n > 0 ? (int)strlen(element_name(in->arena, x->name, x->shape, n - 1)) : 0;
        if (x->draws && !x->summed_out && length > label) label = length;
    }
    for (int k = 0; k < r->nvariables; k++) {
        const FitVariable *x = &r->variables[k];
        if (x->draws && !x->summed_out) shown = show_elements(in, c, x->name, x->draws, r->ndraws, x->shape, label, shown);
    }
}

static Chart chart_of(Interp *in, const Args *args, Buf *out) {
    int64_t width = arg_int(in, args, PLOT_WIDTH, in->width > 0 ? in->width : 80, "`width`");
    if (width < PICTURE_NARROWEST || width > 1000)
        builtin_fail(in, args, PLOT_WIDTH, "`width` is a number of characters from %d to 1000, not %lld", PICTURE_NARROWEST, (long long)width);
    return (Chart){(int)width, arg_bool(in, args, PLOT_ASCII, false, "`ascii`"), out};
}

static void plot_two(Interp *in, const Args *args, const Chart *c, bool joined) {
    Shape sx, sy;
    double *x = numbers_of(in, args, PLOT_X, "the first argument of `plot`", &sx);
    double *y = numbers_of(in, args, PLOT_Y, "the second argument of `plot`", &sy);
    if (shape_size(sx) != shape_size(sy))
        builtin_fail(in, args, PLOT_Y, "plot(x, y) needs as many y as x, not %lld and %lld", (long long)shape_size(sy), (long long)shape_size(sx));
    chart_points(c, x, y, shape_size(sx), joined);
}

static void plot_one(Interp *in, const Args *args, const Chart *c, const char *kind) {
    Shape s;
    double *x = numbers_of(in, args, PLOT_X, "the argument of `plot`", &s);
    int64_t n = shape_size(s);
    if (strcmp(kind, "density") == 0) {
        chart_density(c, x, n);
    } else if (strcmp(kind, "line") == 0 || strcmp(kind, "points") == 0) {
        double *k = ARENA_ARRAY(in->arena, double, n + 1);
        for (int64_t j = 0; j < n; j++) k[j] = (double)(j + 1);
        chart_points(c, k, x, n, kind[0] == 'l');
    } else if (s.rank > 1) {
        Shape one = {.rank = s.rank - 1};
        memcpy(one.dim, s.dim + 1, sizeof *s.dim * (size_t)one.rank);
        Array a = arg_array(in, args, PLOT_X, "the argument of `plot`");
        const Tensor *t = tensor_dense(in->ctx, in->arena, a.var.value);
        show_elements(in, c, "", t->data, s.dim[0], one, 8, 0);
    } else {
        chart_histogram(c, x, n);
    }
}

static const char *kind_of(Interp *in, const Args *args) {
    static const char *const kinds[] = {"histogram", "density", "line", "points"};
    enum { NKINDS = sizeof kinds / sizeof *kinds };
    if (!arg_given(args, PLOT_KIND)) return "";
    const char *kind = value_to_string(in, args->values[PLOT_KIND], arg_span(args, PLOT_KIND), "`kind`");
    for (int k = 0; k < NKINDS; k++)
        if (strcmp(kind, kinds[k]) == 0) return kind;
    builtin_fail(in, args, PLOT_KIND, "`kind` is \"histogram\", \"density\", \"line\" or \"points\", not \"%s\"", kind);
}

static Value call_plot(Interp *in, const Args *args) {
    Buf out = {0};
    Chart c = chart_of(in, args, &out);
    const char *kind = kind_of(in, args);
    Value v = args->values[PLOT_X];
    if (v.kind == VALUE_OBJECT && v.u.object->type == &fit_type)
        plot_fit(in, &c, v);
    else if (arg_given(args, PLOT_Y))
        plot_two(in, args, &c, strcmp(kind, "line") == 0);
    else
        plot_one(in, args, &c, kind);
    if (in->hooks.print && out.text) in->hooks.print(in->hooks.self, out.text);
    buf_free(&out);
    return value_nothing();
}

const Builtin builtins_plot[] = {
    {"plot", "(x, y = , kind = , width = , ascii = )", call_plot,
     "a picture in the terminal: a histogram of numbers (kind = \"density\", \"line\", \"points\"), points (x, y), a fit's objective and variables; ascii = true: plain characters", 0},
    {0},
};
