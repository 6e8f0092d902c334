/* What a run of infer is, for its checkpoint: model and guide, options, the program's functions, the values they read.
 */
#ifndef INFER_IDENTITY_H
#define INFER_IDENTITY_H

#include "infer/fit.h"

/* Raises when the checkpoint of the job is of another run. `steps` is not among it. */
void identity_check(Job *job, const Args *a);

#endif
