/* Discrete latents that the automatic part of a guide draws: those of finite support that would cost too much to be summed
 * out, and those that infer(..., discrete = {k: "score"}) names.
 *
 * Each element has probabilities of its own, parameters that begin alike and learn by the score function (score.h); given
 * them all are independent, but for what the prior cannot draw after what was drawn. Of variables that meet in a sum which is not affordable, the one with most of them there
 * gives way, and the rest is summed out.
 */
#ifndef INFER_SCORED_H
#define INFER_SCORED_H

#include "infer/pair.h"

/* Would its sum cost too much, and may it be drawn instead? */
bool scored_costly(const Pair *pair, const char *name);
/* Draws a latent of the model in the guide's trace, and scores it in the model's. False: there is no automatic part, or
 * the support is not finite. */
bool scored_answer(Pass *p, Interp *in, Site *s, Entry *e);

#endif
