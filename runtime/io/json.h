/* JSON values as arrays, for the formats that are made of JSON. */
#ifndef IO_JSON_H
#define IO_JSON_H

#include <jansson.h>

#include "io/formats.h"

/* Parse a text; what it says of lines and columns is raised. The result is released with r->scratch. */
json_t *json_parse(Reader *r, const char *text, size_t n);
/* A number, or rectangular nested lists of numbers, booleans, null (missing) and the words of parse_number, as an
 * array of the reader's arena. Fills value and has_missing, or problem. item->name is set already. */
void json_to_item(Reader *r, const json_t *j, DataItem *item);

#endif
