/* The standard library's text, embedded in the binary: generated from stdlib/ by the Makefile. */
#ifndef INTERP_STDLIB_H
#define INTERP_STDLIB_H

#include <stddef.h>

typedef struct StdlibFile {
    const char *name; /* "layers.ppl" */
    const char *text; /* ends in NUL */
    size_t length;
} StdlibFile;

extern const StdlibFile stdlib_files[]; /* in alphabetical order of the names */
extern const int stdlib_nfiles;

#endif
