#include "lang/table.h"

#include <stdint.h>
#include <string.h>

enum { FIRST_CAPACITY = 32 };

typedef struct TableEntry {
    const void *key; /* NULL: a free place */
    void *value;
} TableEntry;

static TableEntry *place_of(const Table *t, const void *key) {
    size_t mask = t->capacity - 1, i = (uintptr_t)key * 0x9E3779B97F4A7C15u >> 32 & mask;
    while (t->entries[i].key && t->entries[i].key != key)
        i = (i + 1) & mask;
    return &t->entries[i];
}

void *table_get(const Table *t, const void *key) { return t->capacity ? place_of(t, key)->value : NULL; }

static void grow(Table *t, Arena *a) {
    Table old = *t;
    t->capacity = old.capacity ? 2 * old.capacity : FIRST_CAPACITY;
    t->room = arena_grown(a);
    t->entries = memset(grown_resize(t->room, t->capacity * sizeof *t->entries), 0, t->capacity * sizeof *t->entries);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.entries[i].key)
            *place_of(t, old.entries[i].key) = old.entries[i];
    if (old.room)
        grown_resize(old.room, 0);
}

void table_set(Table *t, Arena *a, const void *key, void *value) {
    if (2 * (t->used + 1) > t->capacity)
        grow(t, a);
    TableEntry *e = place_of(t, key);
    t->used += !e->key;
    *e = (TableEntry){key, value};
}
