#include "lang/list.h"

#include <string.h>

enum { BLOCK = 480 };

typedef struct ListBlock {
    struct ListBlock *next;
    size_t used; /* bytes */
    char items[BLOCK];
} ListBlock;

static List *new_list(ListRoom *room, size_t size) {
    List *list = room->lists;
    if (list)
        room->lists = list->spare;
    else
        list = ARENA_NEW(room->arena, List);
    *list = (List){.size = size};
    return list;
}

static void add_block(ListRoom *room, List *list) {
    ListBlock *b = room->blocks;
    if (b)
        room->blocks = b->next;
    else
        b = ARENA_NEW(room->arena, ListBlock);
    b->next = NULL;
    b->used = 0;
    *(list->last ? &list->last->next : &list->first) = b;
    list->last = b;
}

static void give_back(ListRoom *room, List *list) {
    list->spare = room->lists;
    room->lists = list;
}

List *list_add(ListRoom *room, List *list, const void *item, size_t size) {
    if (!list)
        list = new_list(room, size);
    if (!list->last || list->last->used + size > BLOCK)
        add_block(room, list);
    memcpy(list->last->items + list->last->used, item, size);
    list->last->used += size;
    list->n++;
    return list;
}

void list_append(ListRoom *room, List *list, List *more) {
    list->last->next = more->first;
    list->last = more->last;
    list->n += more->n;
    give_back(room, more);
}

void *list_take(ListRoom *room, List *list, Arena *to, int *n) {
    *n = list ? list->n : 0;
    if (!list)
        return NULL;
    char *items = arena_alloc(to, list->size * (size_t)list->n), *end = items;
    for (const ListBlock *b = list->first; b; end += b->used, b = b->next)
        memcpy(end, b->items, b->used);
    list->last->next = room->blocks;
    room->blocks = list->first;
    give_back(room, list);
    return items;
}
