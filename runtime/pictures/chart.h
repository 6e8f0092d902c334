/* Figures made of characters: blocks and braille dots, or plain ASCII. */
#ifndef PICTURES_CHART_H
#define PICTURES_CHART_H

#include "pictures/figure.h"

typedef struct Chart {
    int width; /* characters of a line, 20 or more */
    bool ascii;
    Buf *out;
} Chart;

/* Whole lines, the last without its end. */
void chart_figure(const Chart *c, const Figure *f);
/* Parts of a histogram that stands in one line behind a name of `label` characters. */
int chart_line_parts(int width, int label);
/* Characters of each of so many panels side by side. */
int chart_place_width(int width, int columns);

#endif
