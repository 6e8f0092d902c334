/* Divergences of the guide from the prior in closed form: E[log q - log p] instead of log q - log p at the draw.
 *
 * Of a latent that both draw at the same address, from families with a closed form (stdlib/divergences.ppl), where
 * neither distribution depends on the very draw: then what they depend on can be drawn first, and this one integrated
 * out.
 */
#ifndef INFER_CLOSED_H
#define INFER_CLOSED_H

#include "infer/pair.h"

/* After a run, on a tape that records: the guide's entries get them as log densities (`closed`), the model's get none.
 */
void closed_divergences(Pass *p, Interp *in);

#endif
