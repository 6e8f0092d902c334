/* Held-out data: the ELBO per element of a model and guide on data that are not trained on, with the parameters as they
 * are. Always with the same noise, so that values are comparable. */
#ifndef INFER_HELD_OUT_H
#define INFER_HELD_OUT_H

#include "infer/fit.h"

typedef struct HeldOut HeldOut;

/* `v`: m(test), or (m(test), q(test)) where the guide is hand-written. The option is read when model and guide are. */
void held_out_read(Job *job, Value v, Span at);
HeldOut *held_out_new(Job *job);
double held_out_value(HeldOut *h);
bool held_out_by_element(
    const HeldOut *h); /* after the first value; false: it is of all, there is no plate around all */
void held_out_forget(HeldOut *h);

#endif
