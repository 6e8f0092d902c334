/* Discrete draws of a hand-written guide summed out, as infer(..., discrete = {k: "sum"}) asks for:
 *
 *     E_q[f] = E_q[sum_k q(k | ...) f(k)]
 *
 * In training with the ELBO the draw takes all its values at once, along an axis of its own (as in summing.h); what the
 * guide and the model make of it has that axis too, and every term is the mean over the values with their
 * probabilities under the guide. Elsewhere (draws of the fit, posterior, log_evidence) the guide draws one value.
 * What depends on the value and is drawn has noise of its own for each value.
 */
#ifndef INFER_GUIDE_SUMS_H
#define INFER_GUIDE_SUMS_H

#include "infer/pair.h"

enum { FIRST_GUIDED_ORDER = 1 << 27 }; /* Axis.order of these axes: behind those that are eliminated */

/* The guide's site is given all its values; false: it is to be drawn in this pass. Raises where it cannot be summed. */
bool guide_sums_answer(Pass *p, Interp *in, Site *s, Entry *e);
/* A draw of the guide; with the axes of what is summed out that its distribution has. */
Value guide_sums_draw(const Pass *p, Interp *in, Site *s, bool reparameterise);
/* After the run: the log densities of guide and model become means over the values. */
void guide_sums_finish(Pass *p, Interp *in);
/* After the first run: raises where the option asks to sum what `method`, which weighs draws, must draw. */
void guide_sums_refuse(Pair *pair, Interp *in, const char *method);

#endif
