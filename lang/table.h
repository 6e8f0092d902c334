/* What belongs to names: a hash table whose keys are pointers (interned names). Zeroed it is empty and takes no room. */
#ifndef LANG_TABLE_H
#define LANG_TABLE_H

#include "base/arena.h"

typedef struct Table {
    Grown *room;
    struct TableEntry *entries; /* open addressing, a power of two */
    size_t capacity, used;
} Table;

void *table_get(const Table *t, const void *key); /* NULL: nothing */
void table_set(Table *t, Arena *a, const void *key, void *value); /* NULL: nothing from now on. `a`: the same each time */

#endif
