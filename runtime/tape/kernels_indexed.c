/* Gathering and adding up by indices that are known before: checked once, as offsets, and sums in an order made once.
 *
 * What goes to one target is added up in the order of the rows, as kernel_scatter_add does. Targets do not wait for
 * each other: LANES of them with about as many rows take turns, so that no sum waits for its own last step. TILE rows
 * at a time, so that they are read from the cache. */
#include "tape/indexed.h"

#include <stdlib.h>
#include <string.h>

#include "base/team.h"
#include "tape/kernels.h"

enum { LANES = 8, TILE = 4096 };

bool indexed_make(Indexed *x, Arena *a, const Tensor *index, int64_t K, int batch) {
    *x = (Indexed){.B = 1, .K = K, .M = 1};
    for (int d = 0; d < batch; d++) x->B *= index->shape.dim[d];
    for (int d = batch; d < index->shape.rank; d++) x->M *= index->shape.dim[d];
    int64_t n = x->B * x->M;
    if (n >= INT32_MAX || x->B * K >= INT32_MAX) return false;
    int32_t *at = ARENA_ARRAY(a, int32_t, n);
    for (int64_t m = 0; m < n; m++) {
        int64_t i = checked_index(tensor_item(index, m), K);
        if (i < 0) return false;
        at[m] = (int32_t)(m / x->M * K + i);
    }
    x->at = at;
    return true;
}

void indexed_gather(int64_t n, real *restrict out, const real *restrict from, const int32_t *restrict at) {
    for (int64_t m = 0; m < n; m++) out[m] = from[at[m]];
}

static void gather_rows(const Indexed *x, int64_t E, real *restrict out, const real *restrict from) {
    for (int64_t m = 0, n = x->B * x->M; m < n; m++, out += E)
        memcpy(out, from + x->at[m] * E, (size_t)E * sizeof(real));
}

static void add_rows(const Indexed *x, int64_t E, real *restrict out, const real *restrict from) {
    for (int64_t m = 0, n = x->B * x->M; m < n; m++, from += E) {
        real *to = out + x->at[m] * E;
        for (int64_t e = 0; e < E; e++) to[e] += from[e];
    }
}

/* -- The order of sums --
 *
 * A stream of int32: for each tile the number of its groups; for each group its targets, the number of rounds, LANES
 * rows for each round; the number of targets that have further rows, and for each of them itself, how many, the rows. A
 * group with too few targets repeats its first one. */

typedef struct Target {
    int32_t target, count, first; /* its rows are from `first` on */
} Target;

static int compare_targets(const void *p, const void *q) {
    const Target *a = p, *b = q;
    return a->count != b->count ? (a->count < b->count ? 1 : -1) : (a->target > b->target) - (a->target < b->target);
}

/* Room for making the order. */
typedef struct Making {
    Target *targets;
    int32_t *count; /* by target; 0 between tiles */
    int32_t *row;   /* the rows of the tile, target by target */
} Making;

static int find_targets(Making *m, const int32_t *at, int64_t start, int64_t end) {
    int n = 0;
    for (int64_t r = start; r < end; r++)
        if (m->count[at[r]]++ == 0) m->targets[n++].target = at[r];
    for (int k = 0; k < n; k++) m->targets[k].count = m->count[m->targets[k].target];
    qsort(m->targets, (size_t)n, sizeof *m->targets, compare_targets);
    int32_t first = 0;
    for (int k = 0; k < n; k++) {
        Target *t = &m->targets[k];
        m->count[t->target] = t->first = first;
        first += t->count;
    }
    for (int64_t r = start; r < end; r++) m->row[m->count[at[r]]++] = (int32_t)r;
    for (int k = 0; k < n; k++) m->count[m->targets[k].target] = 0;
    return n;
}

static int32_t *write_group(int32_t *s, const Making *m, const Target *t, int n) {
    int32_t rounds = t[n - 1].count, *nrest;
    for (int l = 0; l < LANES; l++) *s++ = t[l < n ? l : 0].target;
    *s++ = rounds;
    for (int32_t r = 0; r < rounds; r++)
        for (int l = 0; l < LANES; l++) *s++ = m->row[t[l < n ? l : 0].first + r];
    nrest = s++;
    *nrest = 0;
    for (int l = 0; l < n && t[l].count > rounds; l++, ++*nrest) {
        *s++ = t[l].target;
        *s++ = t[l].count - rounds;
        for (int32_t r = rounds; r < t[l].count; r++) *s++ = m->row[t[l].first + r];
    }
    return s;
}

static const int32_t *order_tile(Arena *a, Making *m, int32_t *room, const int32_t *at, int64_t start, int64_t end) {
    int n = find_targets(m, at, start, end);
    int32_t *s = room;
    *s++ = (n + LANES - 1) / LANES;
    for (int k = 0; k < n; k += LANES) s = write_group(s, m, m->targets + k, n - k < LANES ? n - k : LANES);
    return arena_copy(a, room, (size_t)(s - room) * sizeof *s);
}

void indexed_order(Indexed *x, Arena *a) {
    int64_t n = x->B * x->M, tile = n < TILE ? n : TILE;
    Arena *scratch = arena_new();
    Making m = {ARENA_ARRAY(scratch, Target, tile), ARENA_ARRAY(scratch, int32_t, x->B * x->K),
                ARENA_ARRAY(scratch, int32_t, tile)};
    /* At most: LANES words a row, one more a row and LANES + 4 a target. */
    int32_t *room = ARENA_ARRAY(scratch, int32_t, (2 * LANES + 5) * tile + 1);
    x->tiles = ARENA_ARRAY(a, const int32_t *, n / TILE + 1);
    for (int64_t start = 0; start < n; start += TILE)
        x->tiles[x->ntiles++] = order_tile(a, &m, room, x->at, start, start + TILE < n ? start + TILE : n);
    arena_free(scratch);
}

/* The code of a group; gives what follows it. */
static const int32_t *add_group(const int32_t *s, real *out, const real *from) {
    const int32_t *t = s;
    real a0 = out[t[0]], a1 = out[t[1]], a2 = out[t[2]], a3 = out[t[3]];
    real a4 = out[t[4]], a5 = out[t[5]], a6 = out[t[6]], a7 = out[t[7]];
    int32_t rounds = s[LANES];
    for (s += LANES + 1; rounds > 0; rounds--, s += LANES) {
        a0 += from[s[0]], a1 += from[s[1]], a2 += from[s[2]], a3 += from[s[3]];
        a4 += from[s[4]], a5 += from[s[5]], a6 += from[s[6]], a7 += from[s[7]];
    }
    out[t[0]] = a0, out[t[1]] = a1, out[t[2]] = a2, out[t[3]] = a3;
    out[t[4]] = a4, out[t[5]] = a5, out[t[6]] = a6, out[t[7]] = a7;
    for (int32_t rest = *s++; rest > 0; rest--) {
        real *to = out + *s++, sum = *to;
        for (int32_t more = *s++; more > 0; more--) sum += from[*s++];
        *to = sum;
    }
    return s;
}

void indexed_add(const Indexed *x, real *restrict out, const real *restrict from) {
    for (int64_t k = 0; k < x->ntiles; k++) {
        const int32_t *s = x->tiles[k];
        for (int32_t groups = *s++; groups > 0; groups--) s = add_group(s, out, from);
    }
}

/* -- All that have the same indices -- */

typedef struct All {
    const Indexed *x;
    int64_t E, to_step, from_step;
    real *to;
    const real *from;
} All;

static void gather_part(void *arg, int k) {
    const All *a = arg;
    real *to = a->to + k * a->to_step;
    const real *from = a->from + k * a->from_step;
    if (a->E == 1)
        indexed_gather(a->x->B * a->x->M, to, from, a->x->at);
    else
        gather_rows(a->x, a->E, to, from);
}

static void add_part(void *arg, int k) {
    const All *a = arg;
    real *to = a->to + k * a->to_step;
    const real *from = a->from + k * a->from_step;
    if (a->E == 1 && a->x->tiles)
        indexed_add(a->x, to, from);
    else
        add_rows(a->x, a->E, to, from);
}

static struct Team *team_for(struct Team *team, const All *a, int64_t n) {
    return n * a->x->B * a->x->M * a->E >= SHARED_ELEMENTS ? team : NULL;
}

void indexed_gather_all(const Indexed *x, int64_t A, int64_t E, real *out, const real *from, struct Team *team) {
    All a = {x, E, x->B * x->M * E, x->B * x->K * E, out, from};
    team_run(team_for(team, &a, A), (int)A, gather_part, &a);
}

void indexed_add_all(const Indexed *x, int64_t A, int64_t E, real *out, const real *from, struct Team *team) {
    All a = {x, E, x->B * x->K * E, x->B * x->M * E, out, from};
    team_run(team_for(team, &a, A), (int)A, add_part, &a);
}
