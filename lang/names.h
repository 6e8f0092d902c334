/* Interned names: equal names are equal pointers. Each name knows the newest global and the builtin that bear it. */
#ifndef LANG_NAMES_H
#define LANG_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

typedef struct NameInfo {
    uint32_t hash;
    int global, builtin; /* slots, or -1 */
    int library;         /* number of the definition, or -1; or */
    char text[];         /* the name */
} NameInfo;
enum { NAME_UNSEARCHED = -2 };

typedef struct Names {
    Arena *arena;
    Grown *room;
    NameInfo **table; /* open addressing, a power of two; NULL: a free place */
    size_t capacity, n;
} Names;

Names *names_new(Arena *a);
const char *names_intern(Names *names, const char *text, size_t length);
/* What is known of any text as a name; NULL: it was never interned. */
NameInfo *names_find(const Names *names, const char *text);
/* The same of an interned name. */
static inline NameInfo *name_info(const char *interned) {
    return (NameInfo *)(void *)(interned - offsetof(NameInfo, text));
}

#endif
