/* Values as people read them, in the REPL. */
#ifndef CLI_PRETTY_H
#define CLI_PRETTY_H

#include "interp/interp.h"

/* Whole lines, the last without its end: arrays with their shape, in columns, their middle left out where it is long;
 * records by field; everything else as `print` shows it, texts in quotes. `width`: characters of a line. */
void pretty_value(Interp *in, Value v, int width, Buf *out);

/* "an array [3, 2]", "a distribution over the positive reals", ...: for :vars and :type. */
const char *pretty_kind(Interp *in, Value v);

#endif
