/* Arenas: memory that is given back all at once.
 *
 * An arena belongs to one lifetime (the session, a step, one call). Nothing in it is freed by itself;
 * `arena_reset` empties it whole and runs the deferred releases (reference-counted storage, for instance)
 * in reverse order. Allocation never fails: out of memory goes to the handler of the arena, which does not return
 * (ctx_arena makes an arena that raises); without a handler it is a failed assertion.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

typedef struct Arena Arena;
typedef struct ArenaMark {
    void *chunk;
    size_t used;
    size_t deferred;
} ArenaMark;

Arena *arena_new(void);
/* One that raises as `parent` does, and is freed with it (when what the parent holds from here on goes) unless it has been
 * before: for work that may raise. */
Arena *arena_child(Arena *parent);
void arena_free(Arena *a); /* runs the deferred releases; NULL is fine */
void arena_reset(Arena *a);
void arena_clear(Arena *a); /* arena_reset that gives the memory back to the system, where nothing of the size comes again */
void arena_on_exhausted(Arena *a, void (*raise)(void *self, size_t size), void *self);

/* Zeroed memory, aligned to 16 bytes. */
void *arena_alloc(Arena *a, size_t size);
void *arena_copy(Arena *a, const void *from, size_t size);
char *arena_strdup(Arena *a, const char *s);
char *arena_printf(Arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(Arena *a, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* Run `release(object)` when the arena is reset, rewound past this point or freed. */
void arena_defer(Arena *a, void (*release)(void *), void *object);

/* A block that changes its size: memory of its own, where what an arena holds would keep each smaller copy. It belongs to
 * the arena all the same. */
typedef struct Grown Grown;
Grown *arena_grown(Arena *a); /* of size 0 */
/* Gives the block, which may have moved; what it held is kept, as far as it goes, the rest is not set. 0: NULL. */
void *grown_resize(Grown *g, size_t size);

/* Give back what was allocated since the mark. */
ArenaMark arena_mark(Arena *a);
void arena_rewind(Arena *a, ArenaMark mark);

/* What has been freed goes back to the system, as far as the allocator can do that: after work that took much. */
void memory_trim(void);

/* Bytes asked of it so far, with those elsewhere that it releases and that were told to it: when to make room. */
size_t arena_asked(const Arena *a);
void arena_charge(Arena *a, size_t bytes);

/* Bytes in use, for limits and for tests. */
size_t arena_used(const Arena *a);

#define ARENA_NEW(arena, Type) ((Type *)arena_alloc((arena), sizeof(Type)))
#define ARENA_ARRAY(arena, Type, n) ((Type *)arena_alloc((arena), sizeof(Type) * (size_t)(n)))

/* Room for one more behind the n elements of a list in the arena: where there is none, `list` becomes a copy with twice the
 * room, `least` at first, and the int `capacity` says how much. */
#define ARENA_GROW(arena, list, n, capacity, least)                                                                    \
    ((list) = arena_list_grow((arena), (list), (n), &(capacity), (least), sizeof *(list)))
void *arena_list_grow(Arena *a, const void *list, int n, int *capacity, int least, size_t size);

#endif
