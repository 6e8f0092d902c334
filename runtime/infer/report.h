/* A fit as text: what print(fit) shows and what a program that prints nothing ends with. */
#ifndef INFER_REPORT_H
#define INFER_REPORT_H

#include "base/strings.h"
#include "infer/infer.h"

/* Header, table of the variables, probabilities of those summed out, verdict; several lines, no newline behind the
 * last. `full`: all elements of long variables; else their first and last, and a note how to see the rest. `a` is for
 * scratch, which is given back. */
void report_fit(Arena *a, const FitReport *r, Buf *out, bool full);

/* The name of one element of a variable, from its place in row-major order: "mu", "theta[3]", "x[2,1]". The last
 * `skip` dimensions are left out. */
void report_element_name(Buf *out, const char *name, Shape shape, int skip, int64_t flat);

#endif
