#include "base/arena.h"

#include <assert.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum { ALIGNMENT = 16, FIRST_CHUNK = 512, LARGEST_CHUNK = 256 << 10, KEPT_CHUNK = 4 << 20 };

typedef struct Chunk {
    struct Chunk *next;
    size_t size, used;
    _Alignas(ALIGNMENT) char bytes[];
} Chunk;

typedef struct Deferred {
    void (*release)(void *);
    void *object;
} Deferred;

/* Chunks up to `current` are in use; those behind it are empty and wait to be used again. */
struct Arena {
    Chunk *first, *current;
    Deferred *deferred;
    size_t ndeferred, deferred_capacity, asked;
    void (*on_exhausted)(void *self, size_t size);
    void *exhausted_self;
    Arena *parent; /* whose deferred releases hold this one; NULL: none */
    size_t place;  /* among them */
};

/* An arena that nobody told whom to raise to has only the assertion left. */
static _Noreturn void arena_exhausted(Arena *a, size_t size) {
    if (a && a->on_exhausted) a->on_exhausted(a->exhausted_self, size);
    assert(!"out of memory");
    abort();
}

Arena *arena_new(void) {
    Arena *a = calloc(1, sizeof *a);
    if (!a) arena_exhausted(NULL, sizeof *a);
    return a;
}

void arena_on_exhausted(Arena *a, void (*raise)(void *self, size_t size), void *self) {
    a->on_exhausted = raise;
    a->exhausted_self = self;
}

/* The parent frees it. */
static void release_child(void *self) {
    Arena *a = self;
    a->parent = NULL;
    arena_free(a);
}

Arena *arena_child(Arena *parent) {
    Arena *a = calloc(1, sizeof *a);
    if (!a) arena_exhausted(parent, sizeof *a);
    a->on_exhausted = parent->on_exhausted;
    a->exhausted_self = parent->exhausted_self;
    a->place = parent->ndeferred;
    arena_defer(parent, release_child, a);
    a->parent = parent;
    return a;
}

static void leave_parent(Arena *a) {
    Arena *p = a->parent;
    assert(a->place < p->ndeferred && p->deferred[a->place].object == a);
    if (a->place + 1 == p->ndeferred)
        p->ndeferred--;
    else
        p->deferred[a->place].release = NULL;
}

static void chunk_free(Chunk *k) {
    UNPOISON(k->bytes, k->size);
    free(k);
}

void arena_free(Arena *a) {
    if (!a) return;
    if (a->parent) leave_parent(a);
    arena_clear(a);
    free(a->deferred);
    free(a);
}

void arena_reset(Arena *a) { arena_rewind(a, (ArenaMark){0}); }

void arena_clear(Arena *a) {
    arena_reset(a);
    for (Chunk *k = a->first, *next; k; k = next) {
        next = k->next;
        chunk_free(k);
    }
    a->first = NULL;
}

/* A chunk with room for `size` bytes: the next one that waits, or a fresh one in front of it. */
static Chunk *arena_grow(Arena *a, size_t size) {
    Chunk *waiting = a->current ? a->current->next : a->first;
    if (!waiting || waiting->size < size) {
        size_t room = a->current ? 2 * a->current->size : FIRST_CHUNK;
        if (room > LARGEST_CHUNK) room = LARGEST_CHUNK;
        if (room < size) room = size;
        Chunk *fresh = room < SIZE_MAX - sizeof *fresh ? malloc(sizeof *fresh + room) : NULL;
        if (!fresh) arena_exhausted(a, size);
        *fresh = (Chunk){.next = waiting, .size = room};
        POISON(fresh->bytes, room);
        if (a->current)
            a->current->next = fresh;
        else
            a->first = fresh;
        waiting = fresh;
    }
    a->current = waiting;
    return waiting;
}

void *arena_alloc(Arena *a, size_t size) {
    if (size > SIZE_MAX / 2) arena_exhausted(a, size);
    size_t taken = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (taken == 0) taken = ALIGNMENT;
    Chunk *k = a->current;
    if (!k || k->size - k->used < taken) k = arena_grow(a, taken);
    char *p = k->bytes + k->used;
    k->used += taken;
    a->asked += taken;
    UNPOISON(p, size);
    return memset(p, 0, size);
}

void *arena_copy(Arena *a, const void *from, size_t size) {
    void *p = arena_alloc(a, size);
    if (size) memcpy(p, from, size);
    return p;
}

char *arena_strdup(Arena *a, const char *s) { return arena_copy(a, s, strlen(s) + 1); }

char *arena_printf(Arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}

char *arena_vprintf(Arena *a, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    assert(n >= 0);
    char *text = arena_alloc(a, (size_t)n + 1);
    vsnprintf(text, (size_t)n + 1, format, args);
    return text;
}

void *arena_list_grow(Arena *a, const void *list, int n, int *capacity, int least, size_t size) {
    if (n < *capacity) return (void *)list;
    *capacity = *capacity ? 2 * *capacity : least;
    void *more = arena_alloc(a, (size_t)*capacity * size);
    return n ? memcpy(more, list, (size_t)n * size) : more;
}

void arena_defer(Arena *a, void (*release)(void *), void *object) {
    if (a->ndeferred == a->deferred_capacity) {
        size_t capacity = a->deferred_capacity ? 2 * a->deferred_capacity : 16;
        Deferred *more = realloc(a->deferred, capacity * sizeof *more);
        if (!more) arena_exhausted(a, capacity * sizeof *more);
        a->deferred = more;
        a->deferred_capacity = capacity;
    }
    a->deferred[a->ndeferred++] = (Deferred){release, object};
}

struct Grown {
    Arena *arena;
    void *block;
};

static void grown_release(void *self) { free(((Grown *)self)->block); }

Grown *arena_grown(Arena *a) {
    Grown *g = ARENA_NEW(a, Grown);
    g->arena = a;
    arena_defer(a, grown_release, g);
    return g;
}

void *grown_resize(Grown *g, size_t size) {
    void *block = NULL;
    if (size == 0)
        free(g->block);
    else if (!(block = realloc(g->block, size)))
        arena_exhausted(g->arena, size);
    return g->block = block;
}

ArenaMark arena_mark(Arena *a) {
    return (ArenaMark){.chunk = a->current, .used = a->current ? a->current->used : 0, .deferred = a->ndeferred};
}

/* Empties the chunks behind `last`; very large ones go back to the system. */
static void arena_empty_behind(Arena *a, Chunk *last) {
    Chunk **link = last ? &last->next : &a->first;
    bool in_use = a->current != last;
    while (in_use && *link) {
        Chunk *k = *link;
        in_use = k != a->current;
        if (k->size > KEPT_CHUNK) {
            *link = k->next;
            chunk_free(k);
        } else {
            k->used = 0;
            POISON(k->bytes, k->size);
            link = &k->next;
        }
    }
    a->current = last;
}

void arena_rewind(Arena *a, ArenaMark mark) {
    assert(mark.deferred <= a->ndeferred);
    while (a->ndeferred > mark.deferred) {
        Deferred d = a->deferred[--a->ndeferred];
        if (d.release) d.release(d.object);
    }
    Chunk *last = mark.chunk;
    arena_empty_behind(a, last);
    if (last) {
        assert(mark.used <= last->used);
        POISON(last->bytes + mark.used, last->size - mark.used);
        last->used = mark.used;
    }
}

void memory_trim(void) {
#if defined(__GLIBC__)
    malloc_trim(0);
#endif
}

size_t arena_asked(const Arena *a) { return a->asked; }

void arena_charge(Arena *a, size_t bytes) { a->asked += bytes; }

size_t arena_used(const Arena *a) {
    size_t total = 0;
    for (const Chunk *k = a->first; a->current && k; k = k->next) {
        total += k->used;
        if (k == a->current) break;
    }
    return total;
}
