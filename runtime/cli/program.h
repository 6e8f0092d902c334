/* Reading the text of programs. */
#ifndef CLI_PROGRAM_H
#define CLI_PROGRAM_H

#include "base/ctx.h"

/* Register the text of a file ("-": standard input). -1: *why says what is wrong with it (in `a`). */
int program_read(Ctx *c, Arena *a, const char *file, const char **why);

/* LoadOptions.read_import; self: an Arena. Paths are relative to the importing file. A file already read keeps its
 * number; `anew`: it may have changed since, and is read again. */
int program_read_import(void *self, Ctx *c, const char *importer, const char *path, const char **why);
int program_read_import_anew(void *self, Ctx *c, const char *importer, const char *path, const char **why);

/* The text of a span as it stands. */
char *program_piece(const Ctx *c, Arena *a, Span span);

/* The text of a span, as one line: stretches of blanks and newlines become one blank. */
char *program_text(const Ctx *c, Arena *a, Span span);

#endif
