/* From the arguments of a function to a figure, and from there to the terminal or a file. */
#ifndef PICTURES_DRAW_H
#define PICTURES_DRAW_H

#include "interp/builtins.h"
#include "pictures/figure.h"
#include "pictures/pictures.h"

/* An array as plain numbers, row by row, in the arena of the statement. */
double *draw_numbers(Interp *in, const Args *args, int k, const char *what, Shape *shape);
/* The same of a value that is no argument of its own. */
double *draw_numbers_of(Interp *in, Value v, Span at, const char *what, Shape *shape);
/* "theta[2, 3]": the k-th element of a variable. */
const char *draw_element_name(Arena *a, const char *name, Shape s, int64_t k);
/* Number k of each of `rows` rows of n. */
double *draw_column(Arena *a, const real *x, int64_t rows, int64_t n, int64_t k);

/* Draws the figure where it is to go. */
void draw_figure(Interp *in, const PicturePlace *place, const Figure *f);

#endif
