#include "tape/profile.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct Profile {
    Arena *arena;
    ProfileRow *rows;
    int n, room;
    ProfileSource *sources;
};

Profile *profile_new(void) {
    Arena *arena = arena_new();
    Profile *p = ARENA_NEW(arena, Profile);
    p->arena = arena;
    return p;
}

void profile_free(Profile *p) {
    if (!p) return;
    while (p->sources) profile_leave(p->sources);
    arena_free(p->arena);
}

void profile_join(Profile *p, ProfileSource *s) {
    s->profile = p, s->next = p->sources, s->before = &p->sources;
    if (s->next) s->next->before = &s->next;
    p->sources = s;
}

void profile_leave(ProfileSource *s) {
    if (!s->profile) return;
    s->report(s);
    *s->before = s->next;
    if (s->next) s->next->before = s->before;
    s->profile = NULL;
}

static bool is_row(const ProfileRow *r, const char *what, Span span, bool backward) {
    return r->span.file == span.file && r->span.line == span.line && r->backward == backward &&
           strcmp(r->what, what) == 0;
}

void profile_add(Profile *p, const char *what, Span span, bool backward, double calls, double seconds) {
    int at = 0;
    while (at < p->n && !is_row(&p->rows[at], what, span, backward)) at++;
    if (at == p->n) {
        ARENA_GROW(p->arena, p->rows, p->n, p->room, 64);
        p->rows[p->n++] = (ProfileRow){arena_strdup(p->arena, what), span, backward, 0, 0};
    }
    p->rows[at].calls += calls;
    p->rows[at].seconds += seconds;
}

static int by_time(const void *x, const void *y) {
    const ProfileRow *a = x, *b = y;
    return a->seconds > b->seconds ? -1 : a->seconds < b->seconds;
}

const ProfileRow *profile_rows(Profile *p, int *n) {
    while (p->sources) profile_leave(p->sources);
    if (p->n) qsort(p->rows, (size_t)p->n, sizeof *p->rows, by_time);
    *n = p->n;
    return p->rows;
}

double profile_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double profile_clock_cost(void) {
    enum { TIMES = 64 };
    double least = 1;
    for (int k = 0; k < TIMES; k++) {
        double start = profile_clock(), took = profile_clock() - start;
        if (took < least) least = took;
    }
    return least;
}
