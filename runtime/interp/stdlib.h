/* The standard library's text, embedded in the binary: generated from stdlib/ by stdlib/embed.awk. */
#ifndef INTERP_STDLIB_H
#define INTERP_STDLIB_H

#include <stddef.h>

#include "lang/lang.h"

typedef struct StdlibFile {
    const char *name; /* "layers.ppl" */
    const char *text; /* ends in NUL */
    size_t length;
} StdlibFile;

extern const StdlibFile stdlib_files[]; /* in alphabetical order of the names */
extern const int stdlib_nfiles;
extern const LibraryEntry stdlib_entries[]; /* the definitions in them, sorted by name */
extern const int stdlib_nentries;
extern const char stdlib_reference[]; /* stdlib/reference.txt: what `ppl help` says beyond the comments */

/* The library's sources are the first of a context: does this stand in one of them? */
static inline bool stdlib_holds(Span span) { return span.file >= 0 && span.file < stdlib_nfiles; }

#endif
