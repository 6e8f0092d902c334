/* The layout of a program: `ppl fmt`. */
#ifndef LANG_FORMAT_H
#define LANG_FORMAT_H

#include "lang/lang.h"

enum { FORMAT_WIDTH = 120 };

/* The text of a registered source, laid out anew, in `a`. Comments stay where they are, line ends that the author set
 * inside a statement too; longer lines than FORMAT_WIDTH are broken where that is possible, and the types, `=`, `~` and `:=`
 * that stood under each other stay so, and comments in their column. Formatting what was formatted changes nothing, and the tree is that of
 * the text given. NULL: the text has mistakes, `out` names them. */
char *lang_format(Ctx *c, Arena *a, int file, Diagnostics *out);

#endif
