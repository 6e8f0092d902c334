/* Interned names: equal names are equal pointers. Each name knows the newest global and the builtin that bear it. */
#ifndef LANG_NAMES_H
#define LANG_NAMES_H

#include <stddef.h>

#include "base/arena.h"

typedef struct NameInfo {
    const char *text; /* NULL: a free place in the table */
    int global, builtin; /* slots, or -1 */
    int library;         /* number of the definition, or -1; or */
} NameInfo;
enum { NAME_UNSEARCHED = -2 };

typedef struct Names {
    Arena *arena;
    NameInfo *table; /* open addressing, a power of two */
    size_t capacity, n;
} Names;

Names *names_new(Arena *a);
const char *names_intern(Names *names, const char *text, size_t length);
/* The entry of a name; NULL when it was never interned. Valid until the next names_intern. */
NameInfo *names_find(const Names *names, const char *text);

#endif
