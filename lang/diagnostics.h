/* Collecting what is wrong with a text. */
#ifndef LANG_DIAGNOSTICS_H
#define LANG_DIAGNOSTICS_H

#include <stdarg.h>

#include "lang/lang.h"

/* Add an error. Beyond `max_errors` it is only counted. */
void diagnostics_add(Diagnostics *d, Ctx *c, Span at, const char *hint, const char *format, va_list args);
/* Order those from `first` on by their places. */
void diagnostics_sort(Diagnostics *d, int first);

#endif
