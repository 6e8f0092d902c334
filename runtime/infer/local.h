/* Automatic guides inside plates that run in batches.
 *
 * The latents of such a plate are no part of the point that an automatic guide draws: each element has a location and a
 * scale of its own for every number in unconstrained space (parameters of the plate, of which a step reads those of its
 * batch), and is drawn from independent normals. The rest is the automatic guide's.
 */
#ifndef INFER_LOCAL_H
#define INFER_LOCAL_H

#include "infer/pair.h"

/* Gives site k of the layout, a local one, its value and its log density; adds log q. */
void local_answer(Pass *p, Interp *in, int k, Site *s, Entry *e);
bool local_any(const Latents *l);
double local_numbers(const Latents *l); /* of all elements, in a draw */

#endif
