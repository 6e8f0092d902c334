/* plot_pairs(...): every variable against every other. */
#include <string.h>

#include "infer/fit.h"
#include "pictures/chart.h"
#include "pictures/draw.h"

typedef enum PairsArgument { PAIRS_X, PAIRS_FILE, PAIRS_TITLE, PAIRS_WIDTH, PAIRS_ASCII } PairsArgument;

enum { MOST_PAIRED = 8 };

typedef struct Paired {
    const char *names[MOST_PAIRED];
    const double *draws[MOST_PAIRED];
    int64_t rows;
    int n; /* at most `room` */
    int room;
    int64_t others; /* that found no room */
} Paired;

static void add_variable(Arena *a, Paired *p, const char *name, const real *x, Shape s) {
    int64_t n = shape_size(s);
    for (int64_t k = 0; k < n; k++) {
        if (p->n == p->room) {
            p->others += n - k;
            return;
        }
        p->names[p->n] = draw_element_name(a, name, s, k);
        p->draws[p->n++] = draw_column(a, x, p->rows, n, k);
    }
}

static void add_record(Interp *in, const Args *args, Paired *p, const Record *r) {
    for (int k = 0; k < r->n; k++) {
        Array x = value_array(in, r->values[k], arg_span(args, PAIRS_X),
                              arena_printf(in->arena, "the field `%s`", r->names[k]));
        const Tensor *t = tensor_dense(in->ctx, in->arena, x.var.value);
        Shape one = t->shape;
        if (one.rank == 0)
            builtin_fail(in, args, PAIRS_X, "the field `%s` is a single number, not an array of draws", r->names[k]);
        if (k > 0 && one.dim[0] != p->rows)
            builtin_fail(in, args, PAIRS_X, "the field `%s` has %lld draws, those before have %lld", r->names[k],
                         (long long)one.dim[0], (long long)p->rows);
        p->rows = one.dim[0];
        memmove(one.dim, one.dim + 1, sizeof *one.dim * (size_t)--one.rank);
        add_variable(in->arena, p, r->names[k], t->data, one);
    }
}

static void add_fit(Interp *in, Paired *p, Value v) {
    const FitReport *r = fit_report(v);
    p->rows = r->ndraws;
    for (int k = 0; k < r->nvariables; k++) {
        const FitVariable *x = &r->variables[k];
        if (x->draws && !x->summed_out) add_variable(in->arena, p, x->name, x->draws, x->shape);
    }
}

/* All panels of a variable have the range of its histogram. Below the diagonal points (no more than `most` of them), on
 * it histograms, above it correlations. */
static Panel pair_panel(Arena *a, const Paired *p, const Extent *ranges, int i, int j, int parts, int64_t most) {
    Panel panel;
    if (i == j) {
        panel = panel_parts(a, p->draws[i], p->rows, parts);
        panel.title = p->names[i];
    } else if (j > i) {
        panel = panel_correlation(a, p->draws[i], p->draws[j], p->rows);
    } else {
        int64_t every = p->rows > most ? (p->rows + most - 1) / most : 1, n = 0;
        double *x = ARENA_ARRAY(a, double, p->rows + 1), *y = ARENA_ARRAY(a, double, p->rows + 1);
        for (int64_t k = 0; k < p->rows; k += every) x[n] = p->draws[j][k], y[n++] = p->draws[i][k];
        panel = panel_points(x, y, n, true, false);
        panel.x = ranges[j], panel.y = ranges[i];
        panel.x_label = i == p->n - 1 ? p->names[j] : NULL;
        panel.y_label = j == 0 ? p->names[i] : NULL;
    }
    panel.room = ROOM_PLACE;
    return panel;
}

static Value call_plot_pairs(Interp *in, const Args *given) {
    enum { NARROWEST = 14, POINTS_FILE = 1000, POINTS_TERMINAL = 200 };
    Args args = picture_file_last(in, given, PAIRS_FILE, PAIRS_FILE);
    PicturePlace place = picture_place(in, &args, PAIRS_FILE, PAIRS_WIDTH, PAIRS_ASCII, ".png or .svg");
    Paired p = {.room = 1};
    while (p.room < MOST_PAIRED && (place.file || chart_place_width(place.width, p.room + 1) >= NARROWEST)) p.room++;
    Value v = args.values[PAIRS_X];
    if (v.kind == VALUE_OBJECT && v.u.object->type == &fit_type)
        add_fit(in, &p, v);
    else if (v.kind == VALUE_RECORD)
        add_record(in, &args, &p, v.u.record);
    else
        builtin_fail(in, &args, PAIRS_X, "plot_pairs takes a fit or a record of draws, as {a: fit.a, b: fit.b}, not %s",
                     value_describe(in, v));
    if (p.n < 2)
        builtin_fail(in, &args, PAIRS_X,
                     "plot_pairs needs two numbers or more in every draw, and room for them; here %d", p.n);
    Figure f = {.panels = ARENA_ARRAY(in->arena, Panel, p.n * p.n), .columns = p.n};
    if (arg_given(&args, PAIRS_TITLE))
        f.title = value_to_string(in, args.values[PAIRS_TITLE], arg_span(&args, PAIRS_TITLE), "`title`");
    int parts = place.file ? HISTOGRAM_FILE / 2 : chart_place_width(place.width, p.n);
    Extent ranges[MOST_PAIRED];
    for (int k = 0; k < p.n; k++) ranges[k] = panel_parts(in->arena, p.draws[k], p.rows, parts).x;
    for (int i = 0; i < p.n; i++)
        for (int j = 0; j < p.n; j++)
            f.panels[f.n++] =
                pair_panel(in->arena, &p, ranges, i, j, parts, place.file ? POINTS_FILE : POINTS_TERMINAL);
    if (p.others)
        f.note = arena_printf(in->arena, "... and %lld more; a record chooses: plot_pairs({a: fit.a, b: fit.b})",
                              (long long)p.others);
    draw_figure(in, &place, &f);
    return value_nothing();
}

const Builtin builtins_pairs[] = {
    {"plot_pairs", "(x, file = , title = , width = , ascii = )", call_plot_pairs,
     "every variable of a fit, or of a record of draws, against every other: points, histograms, correlations; in the "
     "terminal or a .png or .svg file; title: above them" PICTURE_TERMINAL,
     0},
    {0},
};
