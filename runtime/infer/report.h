/* A fit as text: what print(fit) shows and what a program that prints nothing ends with. */
#ifndef INFER_REPORT_H
#define INFER_REPORT_H

#include "base/strings.h"
#include "infer/infer.h"

/* Header, table of the variables, probabilities of those summed out, verdict; several lines, no newline behind the
 * last. Variables of more than `most` elements have their first and last, and a note how to see the rest. `a` is for
 * scratch, which is given back. */
void report_fit(Arena *a, const FitReport *r, Buf *out, int64_t most);

enum { REPORT_SHORT = 12, REPORT_LONG = 60 }; /* most elements: on a terminal, elsewhere */
#define REPORT_ALL INT64_MAX                  /* under --json */
static inline int64_t report_most(const Interp *in) {
    return in->whole_summaries ? REPORT_ALL : in->full_print ? REPORT_LONG : REPORT_SHORT;
}

/* The name of one element of a variable, from its place in row-major order: "mu", "theta[3]", "x[2,1]". The last
 * `skip` dimensions are left out. */
void report_element_name(Buf *out, const char *name, Shape shape, int skip, int64_t flat);

#endif
