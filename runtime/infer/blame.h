/* Which variable made a density that is not finite, and what it broke: a parameter against its constraint, a value
 * outside its support, a factor. Found by running guide and model once more on plain numbers, where distributions check
 * what they are given. */
#ifndef INFER_BLAME_H
#define INFER_BLAME_H

#include "infer/pair.h"

/* Raise ERROR_NUMERIC for the last run of r, a run of the pair: "WHAT: ...", with what was drawn. particles: of that
 * run, 0: the automatic part at the point SLOT_POINT. `otherwise`: what to do where nothing better is known. */
_Noreturn void blame_last_run(Pair *pair, Recorder *r, int particles, const char *what, const char *otherwise);

/* The same of a run that has just been made on plain numbers. */
_Noreturn void blame_run(Interp *in, const Pass *p, const char *what, const char *otherwise);

#endif
