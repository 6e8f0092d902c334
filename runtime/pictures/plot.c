/* plot(...): numbers, points and fits. */
#include <math.h>
#include <string.h>

#include "infer/fit.h"
#include "pictures/chart.h"
#include "pictures/draw.h"

enum { CURVES = 2, MOST_LINES = 24 };

typedef enum PlotArgument { X, Y, FILE_NAME, KIND, TITLE, WIDTH, ASCII } PlotArgument;

typedef enum PlotKind { KIND_NONE, KIND_HISTOGRAM, KIND_DENSITY, KIND_LINE, KIND_POINTS, KIND_BOTH, NKINDS } PlotKind;

typedef struct Plot {
    Interp *in;
    const Args *args;
    PicturePlace place;
    Figure figure;
} Plot;

static void add_panel(Plot *p, Panel panel) { p->figure.panels[p->figure.n++] = panel; }

/* -- Variables: a line of each element -- */

typedef struct Variable {
    const char *name;
    const real *draws; /* [rows, shape...] */
    int64_t rows;
    Shape shape;
} Variable;

static void add_lines(Plot *p, const Variable *v, int nv) {
    Arena *a = p->in->arena;
    int label = 0, shown = 0;
    for (int k = 0; k < nv; k++) {
        int64_t n = shape_size(v[k].shape);
        int length = n > 0 ? (int)strlen(draw_element_name(a, v[k].name, v[k].shape, n - 1)) : 0;
        label = length > label ? length : label;
    }
    int parts = p->place.file ? HISTOGRAM_FILE / 2 : chart_line_parts(p->place.width, label);
    for (int k = 0; k < nv; k++) {
        int64_t n = shape_size(v[k].shape);
        for (int64_t j = 0; j < n; j++, shown++) {
            if (shown == MOST_LINES) {
                p->figure.note = arena_printf(a, "... and %lld more of %s", (long long)(n - j), v[k].name);
                return;
            }
            Panel panel = panel_parts(a, draw_column(a, v[k].draws, v[k].rows, n, j), v[k].rows, parts);
            panel.room = ROOM_LINE;
            panel.title = draw_element_name(a, v[k].name, v[k].shape, j);
            add_panel(p, panel);
        }
    }
}

/* -- Fits -- */

/* The objective at every step, and of held-out data where these are. */
static void add_training(Plot *p, const Fit *f, const char *model) {
    Arena *a = p->in->arena;
    if (f->ntrace > 1) {
        Panel panel = panel_trace(a, f->trace, f->ntrace);
        panel.title = arena_printf(a, "%s: the objective by step", model);
        panel.x_label = "step";
        add_panel(p, panel);
    }
    if (f->nheld_out > 1) {
        Panel panel = panel_points(f->held_out_steps, f->held_out, f->nheld_out, true, true);
        panel.title = arena_printf(a, "%s: the ELBO of held-out data by step", model);
        panel.x_label = "step";
        if (!panel.nothing) {
            panel_cut_start(a, &panel, f->held_out, f->nheld_out);
            panel.x = (Extent){1, fmax((double)f->ntrace, panel.x.high)};
        }
        add_panel(p, panel);
    }
}

static void plot_fit(Plot *p, Value v) {
    const FitReport *r = fit_report(v);
    add_training(p, fit_of(p->in, v, p->in->ctx->span), r->model);
    Variable *list = ARENA_ARRAY(p->in->arena, Variable, r->nvariables + 1);
    int n = 0;
    for (int k = 0; k < r->nvariables; k++) {
        const FitVariable *x = &r->variables[k];
        if (x->draws && !x->summed_out) list[n++] = (Variable){x->name, x->draws, r->ndraws, x->shape};
    }
    add_lines(p, list, n);
}

/* -- Numbers -- */

/* A line for each field of a record. */
static void plot_fields(Plot *p, const double *x, int64_t n, const Record *r, PlotKind kind) {
    Panel panel = {.kind = PANEL_CURVES};
    if (kind != KIND_NONE && kind != KIND_LINE)
        builtin_fail(p->in, p->args, KIND, "plot(x, {a: y, b: z}) draws lines, and no other kind");
    if (r->n > PANEL_SERIES)
        builtin_fail(p->in, p->args, Y, "plot(x, {a: y, ...}) draws %d lines at most, not %d", PANEL_SERIES, r->n);
    for (int k = 0; k < r->n; k++) {
        Shape s;
        const double *y = draw_numbers_of(p->in, r->values[k], arg_span(p->args, Y), r->names[k], &s);
        if (shape_size(s) != n)
            builtin_fail(p->in, p->args, Y, "plot(x, {a: y, ...}) needs as many y as x; `%s` has %lld, x has %lld",
                         r->names[k], (long long)shape_size(s), (long long)n);
        for (int64_t j = 0; j < n; j++) panel.left_out += !isfinite(x[j]) || !isfinite(y[j]);
        panel_add(&panel,
                  (Series){.mark = MARK_LINE, .name = r->names[k], .x = x, .y = y, .n = n, .sign = (char)('a' + k)});
    }
    panel_fit(&panel);
    panel.x_label = picture_label(p->in, p->args, X);
    add_panel(p, panel);
}

static void plot_two(Plot *p, PlotKind kind) {
    Shape sx, sy;
    double *x = draw_numbers(p->in, p->args, X, "the first argument of `plot`", &sx);
    if (p->args->values[Y].kind == VALUE_RECORD) {
        plot_fields(p, x, shape_size(sx), p->args->values[Y].u.record, kind);
        return;
    }
    double *y = draw_numbers(p->in, p->args, Y, "the second argument of `plot`", &sy);
    if (shape_size(sx) != shape_size(sy))
        builtin_fail(p->in, p->args, Y, "plot(x, y) needs as many y as x, not %lld and %lld", (long long)shape_size(sy),
                     (long long)shape_size(sx));
    if (kind == KIND_HISTOGRAM || kind == KIND_DENSITY)
        builtin_fail(p->in, p->args, KIND, "plot(x, y) draws \"points\", a \"line\" or \"both\"");
    Panel panel = panel_points(x, y, shape_size(sx), kind != KIND_LINE, kind == KIND_LINE || kind == KIND_BOTH);
    panel.x_label = picture_label(p->in, p->args, X), panel.y_label = picture_label(p->in, p->args, Y);
    add_panel(p, panel);
}

/* x against 1, 2, 3, ... */
static Panel in_order(Plot *p, const double *x, int64_t n, PlotKind kind) {
    double *k = ARENA_ARRAY(p->in->arena, double, n + 1);
    for (int64_t j = 0; j < n; j++) k[j] = (double)(j + 1);
    Panel panel = panel_points(k, x, n, kind != KIND_LINE, kind != KIND_POINTS);
    panel.y_label = picture_label(p->in, p->args, X);
    return panel;
}

static void plot_one(Plot *p, PlotKind kind) {
    Shape s;
    double *x = draw_numbers(p->in, p->args, X, "the argument of `plot`", &s);
    int64_t n = shape_size(s);
    const char *label = picture_label(p->in, p->args, X);
    Panel panel;
    if (kind == KIND_LINE || kind == KIND_POINTS || kind == KIND_BOTH) {
        panel = in_order(p, x, n, kind);
    } else if (kind == KIND_NONE && s.rank > 1) {
        Variable v = {p->place.file && label ? label : "", NULL, s.dim[0], {.rank = s.rank - 1}};
        memcpy(v.shape.dim, s.dim + 1, sizeof *s.dim * (size_t)v.shape.rank);
        Array a = arg_array(p->in, p->args, X, "the argument of `plot`");
        v.draws = tensor_dense(p->in->ctx, p->in->arena, a.var.value)->data;
        add_lines(p, &v, 1);
        return;
    } else {
        panel = kind == KIND_DENSITY
                    ? panel_density(p->in->arena, x, n)
                    : panel_histogram(p->in->arena, x, n, p->place.file ? HISTOGRAM_FILE : p->place.width);
        panel.x_label = label;
    }
    add_panel(p, panel);
}

static PlotKind kind_of(Interp *in, const Args *args) {
    static const char *const kinds[NKINDS] = {"", "histogram", "density", "line", "points", "both"};
    if (!arg_given(args, KIND)) return KIND_NONE;
    const char *kind = value_to_string(in, args->values[KIND], arg_span(args, KIND), "`kind`");
    for (int k = 1; k < NKINDS; k++)
        if (strcmp(kind, kinds[k]) == 0) return (PlotKind)k;
    builtin_fail(in, args, KIND, "`kind` is \"histogram\", \"density\", \"line\", \"points\" or \"both\", not \"%s\"",
                 kind);
}

static void draw(Plot *p) {
    enum { COLUMNS = 4 };
    if (p->figure.n == 0) add_panel(p, (Panel){.nothing = true});
    p->figure.columns = p->figure.n < COLUMNS ? p->figure.n : COLUMNS;
    draw_figure(p->in, &p->place, &p->figure);
}

void picture_fit(Interp *in, Value fit, const char *file) {
    Plot p = {.in = in, .place = {.file = file, .at = SPAN_NONE}};
    p.figure.panels = ARENA_ARRAY(in->arena, Panel, CURVES + MOST_LINES);
    plot_fit(&p, fit);
    draw(&p);
}

static Value call_plot(Interp *in, const Args *given) {
    Args args = picture_file_last(in, given, Y, FILE_NAME);
    Plot p = {.in = in, .args = &args, .place = picture_place(in, &args, FILE_NAME, WIDTH, ASCII, ".png or .svg")};
    p.figure.panels = ARENA_ARRAY(in->arena, Panel, CURVES + MOST_LINES);
    if (arg_given(&args, TITLE))
        p.figure.title = value_to_string(in, args.values[TITLE], arg_span(&args, TITLE), "`title`");
    PlotKind kind = kind_of(in, &args);
    Value v = args.values[X];
    bool fit = v.kind == VALUE_OBJECT && v.u.object->type == &fit_type;
    if (fit && (arg_given(&args, Y) || kind != KIND_NONE))
        builtin_fail(in, &args, kind != KIND_NONE ? KIND : Y,
                     "plot(fit) takes neither `y` nor `kind`; its variables do: plot(fit.mu, kind = \"density\")");
    if (fit)
        plot_fit(&p, v);
    else if (arg_given(&args, Y))
        plot_two(&p, kind);
    else
        plot_one(&p, kind);
    draw(&p);
    return value_nothing();
}

const Builtin builtins_plot[] = {
    {"plot", "(x, y = , file = , kind = , title = , width = , ascii = )", call_plot,
     "a picture in the terminal, or by gnuplot in a .png or .svg file: a histogram of numbers (kind = \"density\", "
     "\"line\", \"points\", \"both\"), points (x, y), lines with names (x, {a: y, b: z}), a fit's objective and "
     "variables; title: above it" PICTURE_TERMINAL,
     0},
    {0},
};
