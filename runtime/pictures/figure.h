/* What a picture shows, computed once: the terminal (chart.h) and gnuplot (gnuplot.h) draw the same figure. All of it
 * lives in the arena that it was made with. */
#ifndef PICTURES_FIGURE_H
#define PICTURES_FIGURE_H

#include "base/arena.h"
#include "base/strings.h"

typedef struct Extent {
    double low, high; /* low < high */
} Extent;

typedef enum Mark { MARK_LINE, MARK_POINTS, MARK_BAND } Mark;

typedef struct Series {
    Mark mark;
    const char *name; /* in the key; NULL: not there */
    const double *x, *y;
    const double *high; /* MARK_BAND: from y to high; else NULL */
    int64_t n;
    char sign; /* a line's in the terminal, where there are several; 0: dots */
} Series;

typedef enum PanelKind {
    PANEL_CURVES,    /* series, drawn one over the other */
    PANEL_HISTOGRAM, /* bars[k] numbers in the k-th of nbars equal parts of the range of x */
    PANEL_SHARES,    /* bars[k]: the share of the number first + k, which stands in the middle of its part of x */
    PANEL_TEXT,      /* the title alone, in the middle */
    PANEL_EMPTY      /* nothing: a place of the grid that stays free */
} PanelKind;

/* How much room a panel has. */
typedef enum PanelRoom {
    ROOM_WHOLE, /* a row of its own */
    ROOM_LINE,  /* a place of the grid; in the terminal one line */
    ROOM_PLACE  /* a place of the grid, everywhere */
} PanelRoom;

enum { PANEL_SERIES = 8 };

typedef struct Panel {
    PanelKind kind;
    PanelRoom room;
    const char *title, *x_label, *y_label; /* NULL: none */
    Extent x, y;                           /* of curves; of a histogram x */
    Series series[PANEL_SERIES];
    int nseries;
    double *bars;
    int nbars;
    double first;
    double mean, sd;  /* of what is counted */
    int64_t left_out; /* numbers that are not finite */
    bool nothing;     /* no number is finite */
} Panel;

typedef struct Figure {
    const char *title; /* NULL: none */
    Panel *panels;     /* row by row */
    int n;
    int columns;      /* of the grid */
    const char *note; /* of what did not find room; NULL: all is there */
} Figure;

enum { HISTOGRAM_FILE = 60 }; /* parts of a histogram in a file, at most */

/* Whole numbers in a short range have a bar each, the others some forty to a part, but at least ten parts and at most
 * `parts`. x is read only here. */
Panel panel_histogram(Arena *a, const double *x, int64_t n, int parts);
/* Always `parts` parts, but few whole numbers: what stands in a line. */
Panel panel_parts(Arena *a, const double *x, int64_t n, int parts);
/* A normal kernel with Silverman's bandwidth (1986, eq. 3.31). */
Panel panel_density(Arena *a, const double *x, int64_t n);
/* Points (x, y), which the panel keeps; `joined`: a line through them in their order. */
Panel panel_points(const double *x, const double *y, int64_t n, bool points, bool joined);
/* One number for every step: a line, or where there are many the mean and the middle 90 % of stretches of them. The
 * first steps may lie below what is shown. */
Panel panel_trace(Arena *a, const double *y, int64_t n);
/* Quantiles of draws [ndraws, n] at x (in ascending order) against y [n], NaN: not observed. */
Panel panel_predictive(Arena *a, const double *x, const double *y, int64_t n, const double *draws, int64_t ndraws);
/* The correlation of two variables. */
Panel panel_correlation(Arena *a, const double *x, const double *y, int64_t n);
Panel panel_empty(void);

void panel_add(Panel *p, Series s);
/* The range of everything that its series show. */
void panel_fit(Panel *p);
/* The end of training matters; its start may be lower by orders of magnitude. What is shown goes down from the highest by
 * one and a half times the range of the later nine tenths of y. */
void panel_cut_start(Arena *a, Panel *p, const double *y, int64_t n);

#endif
