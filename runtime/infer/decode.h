/* Joint values of what was summed out, given a draw of the rest: drawn from the posterior, or the most probable. */
#ifndef INFER_DECODE_H
#define INFER_DECODE_H

#include "infer/fit.h"

/* The draw's value of a site in the fit, VALUE_NONE where the fit does not have it (or has probabilities). In
 * in->arena. */
Value fit_site_value(Interp *in, const Fit *f, long draw, const Site *s);

typedef struct Decoded {
    Trace trace;      /* the model's run at the draw; summed variables have their joint values */
    double log_joint; /* with best: of all variables */
} Decoded;

/* Run the fitted model at this draw of the fit, on in->tape; `key` decides the draw of the summed variables. */
void decode_draw(Interp *in, const Fit *f, long draw, bool best, uint64_t key, Decoded *out, Span at);

#endif
