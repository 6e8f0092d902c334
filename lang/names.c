#include "lang/names.h"

#include <string.h>

#include "base/strings.h"

enum { FIRST_CAPACITY = 256 };

static void make_table(Names *names, size_t capacity) {
    size_t size = capacity * sizeof *names->table;
    names->room = arena_grown(names->arena);
    names->table = memset(grown_resize(names->room, size), 0, size);
    names->capacity = capacity;
}

Names *names_new(Arena *a) {
    Names *names = ARENA_NEW(a, Names);
    names->arena = a;
    make_table(names, FIRST_CAPACITY);
    return names;
}

static uint32_t hash_of(const char *text, size_t length) { return (uint32_t)hash_bytes(text, length, 0); }

static bool is_name(const NameInfo *info, uint32_t hash, const char *text, size_t length) {
    return info->hash == hash && strncmp(info->text, text, length) == 0 && info->text[length] == 0;
}

static NameInfo **place_of(const Names *names, uint32_t hash, const char *text, size_t length) {
    size_t mask = names->capacity - 1, i = hash & mask;
    while (names->table[i] && !is_name(names->table[i], hash, text, length))
        i = (i + 1) & mask;
    return &names->table[i];
}

static void double_table(Names *names) {
    Grown *before = names->room;
    NameInfo **old = names->table;
    size_t n = names->capacity;
    make_table(names, 2 * n);
    for (size_t i = 0; i < n; i++) {
        if (!old[i])
            continue;
        size_t k = old[i]->hash & (names->capacity - 1);
        while (names->table[k])
            k = (k + 1) & (names->capacity - 1);
        names->table[k] = old[i];
    }
    grown_resize(before, 0);
}

const char *names_intern(Names *names, const char *text, size_t length) {
    uint32_t hash = hash_of(text, length);
    NameInfo **place = place_of(names, hash, text, length);
    if (*place)
        return (*place)->text;
    if (2 * (names->n + 1) > names->capacity) {
        double_table(names);
        place = place_of(names, hash, text, length);
    }
    NameInfo *info = arena_alloc(names->arena, sizeof *info + length + 1);
    *info = (NameInfo){.hash = hash, .global = -1, .builtin = -1, .library = NAME_UNSEARCHED};
    memcpy(info->text, text, length);
    *place = info;
    names->n++;
    return info->text;
}

NameInfo *names_find(const Names *names, const char *text) {
    size_t length = strlen(text);
    return *place_of(names, hash_of(text, length), text, length);
}
