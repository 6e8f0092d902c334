/* Figures as PNG or SVG files, drawn by gnuplot where it is installed. */
#ifndef PICTURES_GNUPLOT_H
#define PICTURES_GNUPLOT_H

#include "base/ctx.h"
#include "pictures/figure.h"

/* Writes the figure to `path`, which ends in .png or .svg, as file_write does. Raises ERROR_PROGRAM at `at` when
 * gnuplot is not there or fails (with its words), or the file cannot be written. Scratch memory is taken from `a`. */
void gnuplot_write(Ctx *c, Arena *a, const Figure *f, const char *path, Span at);

#endif
