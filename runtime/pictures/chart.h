/* Pictures made of characters: blocks and braille dots, or plain ASCII. Whole lines, the last without its end. */
#ifndef PICTURES_CHART_H
#define PICTURES_CHART_H

#include "base/strings.h"

typedef struct Chart {
    int width; /* characters of a line, 20 or more */
    bool ascii;
    Buf *out;
} Chart;
enum { CHART_ROWS = 8, CHART_CURVE_ROWS = 12 };

/* Numbers that are not finite are left out, and how many these are is said; x is reordered. Whole numbers in a short range
 * have a bar each. */
void chart_histogram(const Chart *c, double *x, int64_t n);
/* A normal kernel with Silverman's bandwidth (1986, eq. 3.31). */
void chart_density(const Chart *c, double *x, int64_t n);
/* A line of blocks with mean and standard deviation behind a name of `label` characters. */
void chart_row(const Chart *c, const char *name, int label, double *x, int64_t n);
/* Points (x, y); `joined`: a line through them in their order. */
void chart_points(const Chart *c, const double *x, const double *y, int64_t n, bool joined);

#endif
