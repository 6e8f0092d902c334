#include "lang/names.h"

#include <string.h>

#include "base/strings.h"

enum { FIRST_CAPACITY = 256 };

Names *names_new(Arena *a) {
    Names *names = ARENA_NEW(a, Names);
    names->arena = a;
    names->capacity = FIRST_CAPACITY;
    names->table = ARENA_ARRAY(a, NameInfo, FIRST_CAPACITY);
    return names;
}

static NameInfo *place_of(const Names *names, const char *text, size_t length) {
    size_t mask = names->capacity - 1;
    size_t i = (size_t)hash_bytes(text, length, 0) & mask;
    while (names->table[i].text &&
           (strncmp(names->table[i].text, text, length) != 0 || names->table[i].text[length] != 0))
        i = (i + 1) & mask;
    return &names->table[i];
}

static void grow(Names *names) {
    NameInfo *old = names->table;
    size_t n = names->capacity;
    names->capacity = 2 * n;
    names->table = ARENA_ARRAY(names->arena, NameInfo, names->capacity);
    for (size_t i = 0; i < n; i++)
        if (old[i].text)
            *place_of(names, old[i].text, strlen(old[i].text)) = old[i];
}

const char *names_intern(Names *names, const char *text, size_t length) {
    NameInfo *place = place_of(names, text, length);
    if (place->text)
        return place->text;
    if (2 * (names->n + 1) > names->capacity) {
        grow(names);
        place = place_of(names, text, length);
    }
    char *copy = arena_alloc(names->arena, length + 1);
    memcpy(copy, text, length);
    *place = (NameInfo){.text = copy, .global = -1, .builtin = -1, .library = NAME_UNSEARCHED};
    names->n++;
    return copy;
}

NameInfo *names_find(const Names *names, const char *text) {
    NameInfo *place = place_of(names, text, strlen(text));
    return place->text ? place : NULL;
}
