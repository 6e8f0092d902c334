/* plot_predictive(...): data and what a model draws in their place. */
#include <stdlib.h>
#include <string.h>

#include "pictures/draw.h"

typedef enum PredictiveArgument { DATA, DRAWS, AT, FILE_NAME, TITLE, WIDTH, ASCII } PredictiveArgument;

typedef struct Place {
    double x;
    int64_t k;
} Place;

static int by_x(const void *a, const void *b) {
    const Place *p = a, *q = b;
    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->k > q->k) - (p->k < q->k);
}

/* Elements in the order of x; those whose x is not finite drop out. Gives how many there are. */
static int64_t sort_elements(const double *x, int64_t n, Place *places) {
    int64_t m = 0;
    for (int64_t k = 0; k < n; k++)
        if (x[k] - x[k] == 0) places[m++] = (Place){x[k], k};
    if (m) qsort(places, (size_t)m, sizeof *places, by_x);
    return m;
}

static Panel predictive_panel(Interp *in, const Args *args) {
    Shape sy, sd, sx;
    double *y = draw_numbers(in, args, DATA, "the data", &sy), *draws = draw_numbers(in, args, DRAWS, "the draws", &sd);
    int64_t n = shape_size(sy), rows = sd.rank ? sd.dim[0] : 0;
    Shape one = {.rank = sd.rank ? sd.rank - 1 : 0};
    memcpy(one.dim, sd.dim + 1, sizeof *sd.dim * (size_t)one.rank);
    if (!shape_equal(one, sy) || sd.rank == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, arg_span(args, DRAWS), "p = predict(fit, m); plot_predictive(y, p.y)",
                  "the draws have the shape of the data, %s, behind a first dimension for the draw, not %s",
                  shape_text(in->arena, sy), shape_text(in->arena, sd));
    double *x = ARENA_ARRAY(in->arena, double, n + 1);
    for (int64_t k = 0; k < n; k++) x[k] = (double)(k + 1);
    if (arg_given(args, AT)) {
        x = draw_numbers(in, args, AT, "`x`", &sx);
        if (shape_size(sx) != n)
            builtin_fail(in, args, AT, "`x` has a number for each of the %lld data, not %lld", (long long)n,
                         (long long)shape_size(sx));
    }
    Place *places = ARENA_ARRAY(in->arena, Place, n + 1);
    int64_t m = sort_elements(x, n, places);
    double *xs = ARENA_ARRAY(in->arena, double, m + 1), *ys = ARENA_ARRAY(in->arena, double, m + 1);
    double *sorted = ARENA_ARRAY(in->arena, double, rows *m + 1);
    for (int64_t k = 0; k < m; k++) {
        xs[k] = places[k].x, ys[k] = y[places[k].k];
        for (int64_t j = 0; j < rows; j++) sorted[j * m + k] = draws[j * n + places[k].k];
    }
    Panel p = panel_predictive(in->arena, xs, ys, m, sorted, rows);
    p.left_out += n - m;
    return p;
}

static Value call_plot_predictive(Interp *in, const Args *given) {
    Args args = picture_file_last(in, given, AT, FILE_NAME);
    PicturePlace place = picture_place(in, &args, FILE_NAME, WIDTH, ASCII, ".png or .svg");
    Panel p = predictive_panel(in, &args);
    p.x_label = arg_given(&args, AT) ? picture_label(in, &args, AT) : NULL;
    p.y_label = picture_label(in, &args, DATA);
    Figure f = {.panels = &p, .n = 1, .columns = 1};
    if (arg_given(&args, TITLE)) f.title = value_to_string(in, args.values[TITLE], arg_span(&args, TITLE), "`title`");
    draw_figure(in, &place, &f);
    return value_nothing();
}

const Builtin builtins_predictive[] = {
    {"plot_predictive", "(y, draws, x = , file = , title = , width = , ascii = )", call_plot_predictive,
     "data y against draws in their place (predict(fit, m).y, draws first): bands that hold 50 % and 90 % of the "
     "draws, their median, the data; x: where they stand, 1, 2, ... by default; in the terminal or a .png or .svg "
     "file; title: above it" PICTURE_TERMINAL,
     0},
    {0},
};
