/* Looking at a program without fitting it: one run of a model, its variables. For the REPL. */
#ifndef INFER_LOOK_H
#define INFER_LOOK_H

#include "infer/infer.h"

/* One run forward, data as they are: a line for each address with its distribution, value and log density, then their
 * sum. `model`: a model without arguments, or one with them; else it raises. */
void look_trace(Interp *in, Value model, Span at, Buf *out);

/* The variables that such a run meets: plates, shape, support, and how a default inference treats each. */
void look_sites(Interp *in, Value model, Span at, Buf *out);

/* The learned parameters of the latest fit, by address; false: there are none. */
bool look_params(Interp *in, Buf *out);

#endif
