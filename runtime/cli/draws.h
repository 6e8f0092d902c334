/* --out: the draws of a fit in a file, by the ending of its name. */
#ifndef CLI_DRAWS_H
#define CLI_DRAWS_H

#include "infer/infer.h"

/* .csv: a row per draw, columns in Stan's convention ("mu", "theta.1", "x.2.3", first index fastest). .npy: the same
 * matrix without names. .json, .safetensors: one array per variable, draws first. A variable without draws (a point
 * estimate) is written as one draw; those summed out are left out. False: nothing to write. Raises what the disk does
 * not take. */
bool draws_write(Ctx *c, Arena *a, const FitReport *r, const char *path);

#endif
