/* Whole files: read with their compression undone, written so that a reader never sees half of one.
 *
 * Whatever goes wrong is raised as ERROR_PROGRAM at `at`, and the message names the file.
 */
#ifndef IO_FILE_H
#define IO_FILE_H

#include "base/ctx.h"

/* The bytes of a file (gzip is undone, pipes are read to their end) in memory that `a` releases; text[*length] is 0.
 * Raises for what cannot be read, for directories, and beyond ctx->max_bytes. */
/* The same; a large file that is not compressed is mapped: its pages are read when they are touched. */
const char *file_read_or_map(Ctx *c, Arena *a, const char *path, Span at, size_t *length);
const char *file_read(Ctx *c, Arena *a, const char *path, Span at, size_t *length);

/* Replace the file by these bytes: a temporary file beside it, synced, then renamed. Links are followed; pipes and
 * devices are written directly. On failure the old file is as it was and nothing is left behind. */
void file_write(Ctx *c, const char *path, const void *bytes, size_t n, Span at);

#endif
