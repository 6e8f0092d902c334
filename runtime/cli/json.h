/* Results as JSON lines, one object per line: {"print": "..."} and {"fit": {...}}. A number that is not finite, or that
 * the method does not give, is null; arrays are nested lists, row by row. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "base/strings.h"
#include "infer/infer.h"

void json_add_print(Buf *out, const char *text);
void json_add_fit(Buf *out, const FitReport *r);

#endif
