/* Growing lists of things of one size, as the parser gathers them. They consist of blocks that follow one another, which are
 * used again once a list is taken: what a text needs of them is what is open at one time. */
#ifndef LANG_LIST_H
#define LANG_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* NULL: an empty one. */
typedef struct List {
    struct ListBlock *first, *last;
    size_t size;
    int n;
    bool literals; /* of numbers: so far the items of an array are nothing else (build.c) */
    struct List *spare;
} List;

typedef struct ListRoom {
    Arena *arena; /* of the blocks */
    List *lists;  /* those that were taken, to be used again */
    struct ListBlock *blocks;
} ListRoom;

/* The list with one more, itself or a new one. */
List *list_add(ListRoom *room, List *list, const void *item, size_t size);
/* All of `more`, which is gone then, behind a list that is not empty. */
void list_append(ListRoom *room, List *list, List *more);
/* The *n items in one piece, in the arena `to`; NULL for none. The list is gone. */
void *list_take(ListRoom *room, List *list, Arena *to, int *n);

#endif
