/* Collecting what is wrong with a text. */
#ifndef LANG_DIAGNOSTICS_H
#define LANG_DIAGNOSTICS_H

#include <stdarg.h>

#include "lang/lang.h"

/* Add an error; its code is "syntax", "import" or "meaning". Beyond `max_errors` it is only counted. */
void diagnostics_add(Diagnostics *d, Ctx *c, const char *code, Span at, const char *hint, const char *format,
                     va_list args);
/* Whether a further error is only counted: looking for its hint is in vain. */
bool diagnostics_full(const Diagnostics *d);
/* Add a warning: it is no reason to refuse the text. */
void diagnostics_warn(Diagnostics *d, Ctx *c, Warning which, Span at, const char *hint, const char *format,
                      va_list args);
/* Order those from `first` on by their places. */
void diagnostics_sort(Diagnostics *d, int first);

#endif
