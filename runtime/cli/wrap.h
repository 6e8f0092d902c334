/* Long lines of prose, broken at blanks to the width of a terminal. */
#ifndef CLI_WRAP_H
#define CLI_WRAP_H

#include <stdio.h>

#include "base/strings.h"

/* Lines of more characters than `width` go on under where their text begins: behind "  name   ", else two blanks further in.
 * Lines of source ("12 | ..."), tables of numbers (two blanks within), examples (four before) and words of more than a line stay as they are. */
void wrap_text(const char *text, int width, Buf *out);

/* To a file, wrapped where that is a terminal. */
void wrap_puts(const char *text, FILE *to);

#endif
