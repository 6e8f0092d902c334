/* Latents of loops: one site for all steps. */
#include <string.h>

#include "infer/latents.h"
#include "interp/array.h"

/* -- Joining -- */

/* Which index counts the steps in `sites`, `apart` places apart; -1: none, or they differ in more. */
static int counting_index(const LatentSite *sites, int apart, const Axis *loop) {
    const LatentSite *first = sites, *next = sites + apart;
    for (int i = 0; i < first->nindex; i++)
        if (!first->index[i].axis && !next->index[i].axis && first->index[i].at == loop->first && next->index[i].at == loop->first + 1)
            return i;
    return -1;
}

static bool same_but_step(const LatentSite *a, const LatentSite *b, int place, int64_t at) {
    bool same = strcmp(a->name, b->name) == 0 && a->nindex == b->nindex && a->naxes == b->naxes && a->kind == b->kind &&
                shape_equal(a->event, b->event) && shape_equal(a->full, b->full) && shape_equal(a->free, b->free) && b->plain &&
                !b->noncentred && !b->local;
    for (int i = 0; same && i < a->nindex; i++)
        same = a->index[i].axis == b->index[i].axis && (a->index[i].axis || b->index[i].at == (i == place ? at : a->index[i].at));
    for (int i = 0; same && i < a->naxes; i++) same = a->axes[i] == b->axes[i];
    return same;
}

/* Each step has the same sites in the same order; the counting index of each in `places`. */
static bool steps_alike(const LatentSite *sites, int apart, const Axis *loop, int *places) {
    for (int j = 0; j < apart; j++) {
        places[j] = counting_index(sites + j, apart, loop);
        if (places[j] < 0 || sites[j].naxes + 1 > MAX_AXES || sites[j].full.rank == MAX_RANK) return false;
        for (int64_t t = 0; t < loop->size; t++)
            if (!same_but_step(&sites[j], &sites[t * apart + j], places[j], loop->first + t)) return false;
    }
    return true;
}

static Shape with_dim(Shape s, int place, int64_t size) {
    memmove(s.dim + place + 1, s.dim + place, sizeof *s.dim * (size_t)(s.rank++ - place));
    s.dim[place] = size;
    return s;
}

/* Inside a loop that runs at once a plate stands one place further in. */
static const Axis *moved_in(Interp *in, const Axis *a, const Axis *loop) {
    return a->order < loop->order ? a : axis_intern(in, a->kind, a->name, a->first, a->size, a->order + 1);
}

static LatentSite joined(Interp *in, const LatentSite *first, int counting, const Axis *loop, int64_t offset) {
    LatentSite s = *first;
    int place = 0;
    while (place < s.naxes && s.axes[place]->order < loop->order) place++;
    for (int i = 0; i < s.nindex; i++)
        if (s.index[i].axis) s.index[i].axis = moved_in(in, s.index[i].axis, loop);
    s.index[counting] = (Index){.axis = loop};
    for (int i = s.naxes++; i > place; i--) s.axes[i] = moved_in(in, first->axes[i - 1], loop);
    s.axes[place] = loop;
    s.full = with_dim(s.full, place, loop->size);
    s.free = with_dim(s.free, place, loop->size);
    s.offset = offset;
    s.size = first->size * loop->size;
    return s;
}

/* What was drawn, step after step, as it lies in the joined site. */
static void gather_drawn(const LatentSite *sites, int apart, const LatentSite *all, int64_t steps, const real *from, real *to) {
    int place = 0;
    int64_t inner = 1;
    while (place < sites->naxes && all->axes[place] == sites->axes[place]) place++;
    for (int d = place; d < sites->free.rank; d++) inner *= sites->free.dim[d];
    for (int64_t t = 0; t < steps; t++)
        for (int64_t i = 0; i < sites->size; i++)
            to[all->offset + (i / inner * steps + t) * inner + i % inner] = from[sites[t * apart].offset + i];
}

static bool join(Latents *l, Interp *in, LatentLoop *loop) {
    const Axis *axis = loop->axis;
    int n = loop->to - loop->from, apart = (int)(n / axis->size);
    if (apart == 0 || n % axis->size) return false;
    LatentSite *sites = arena_copy(l->arena, l->list + loop->from, sizeof *sites * (size_t)n);
    int *places = ARENA_ARRAY(l->arena, int, apart);
    if (axis->size < 2 || !steps_alike(sites, apart, axis, places)) return false;
    int64_t offset = sites[0].offset;
    real *drawn = l->drawn ? arena_copy(l->arena, l->drawn, sizeof *drawn * (size_t)l->reserved) : NULL;
    for (int j = 0; j < apart; j++) {
        LatentSite *all = &l->list[loop->from + j];
        *all = joined(in, &sites[j], places[j], axis, offset);
        offset += all->size;
        if (drawn) gather_drawn(sites + j, apart, all, axis->size, l->drawn, drawn);
    }
    memmove(l->list + loop->from + apart, l->list + loop->to, sizeof *l->list * (size_t)(l->n - loop->to));
    l->n -= n - apart;
    for (LatentLoop *other = l->loops; other < l->loops + l->nloops; other++)
        if (other->from >= loop->to)
            other->from -= n - apart, other->to -= n - apart;
        else if (other != loop && other->from >= loop->from)
            other->from = loop->from, other->to = loop->from + apart;
    loop->to = loop->from + apart;
    if (drawn) l->drawn = drawn;
    latents_reindex(l);
    return loop->joined = true;
}

void latents_loop(Latents *l, Interp *in, int from, const Axis *axis) {
    int kept = 0; /* loops inside this one give their sites to it */
    for (int k = 0; k < l->nloops; k++)
        if (l->loops[k].from < from || l->loops[k].joined) kept++;
    LatentLoop *loops = ARENA_ARRAY(l->arena, LatentLoop, kept + 1);
    kept = 0;
    for (int k = 0; k < l->nloops; k++)
        if (l->loops[k].from < from || l->loops[k].joined) loops[kept++] = l->loops[k];
    loops[kept] = (LatentLoop){.axis = axis, .from = from, .to = l->n};
    l->loops = loops, l->nloops = kept + 1;
    join(l, in, &l->loops[kept]);
}

void latents_found_at_once(Latents *l, const Axis *axis) {
    LatentLoop *loops = ARENA_ARRAY(l->arena, LatentLoop, l->nloops + 1);
    if (l->nloops) memcpy(loops, l->loops, sizeof *loops * (size_t)l->nloops);
    int k = 0;
    while (k < l->nloops && (loops[k].axis != axis || !loops[k].joined)) k++;
    if (k == l->nloops) loops[l->nloops++] = (LatentLoop){.axis = axis, .from = l->n - 1, .joined = true};
    loops[k].to = l->n;
    l->loops = loops;
}

void latents_forget_loops(Latents *l, int n) {
    LatentLoop *loops = ARENA_ARRAY(l->arena, LatentLoop, l->nloops + 1);
    int kept = 0;
    for (int k = 0; k < l->nloops; k++) {
        if (l->loops[k].from >= n) continue;
        loops[kept] = l->loops[k];
        if (loops[kept].to > n) loops[kept].to = n;
        kept++;
    }
    l->loops = loops, l->nloops = kept;
}

void latents_join_all(Latents *l, Interp *in) {
    if (l->nloops) l->loops = arena_copy(l->arena, l->loops, sizeof *l->loops * (size_t)l->nloops);
    for (int k = 0; k < l->nloops; k++)
        if (!l->loops[k].joined) join(l, in, &l->loops[k]);
}

/* -- Runs at a point -- */

bool latents_peek(PointRun *p, Interp *in, Peek *peek) {
    int k = latents_find(p->l, peek->name, peek->index, peek->nindex);
    const LatentSite *site = k < 0 ? NULL : &p->l->list[k];
    if (!site || !site->plain || site->noncentred || site->local || axes_find(site->naxes, site->axes, peek->loop) < 0) return false;
    const Axis *axes[MAX_AXES];
    int naxes = point_axes(p, site, axes);
    Constraint c = {.kind = site->kind, .low = var_number(in->tape, 0)};
    peek->value = value_var(in, constraint_forward(in->tape, &c, point_site(p, in, k), NULL), naxes, axes);
    return true;
}

int latents_find_step(const Latents *l, const char *name, const Index *index, int nindex, int64_t *step, int *place) {
    Index wanted[MAX_INDEX];
    memcpy(wanted, index, sizeof *wanted * (size_t)nindex);
    for (int j = 0; j < l->nloops; j++) {
        const Axis *loop = l->loops[j].axis;
        for (int i = 0; l->loops[j].joined && i < nindex; i++) {
            if (index[i].axis || index[i].at < loop->first || index[i].at >= loop->first + loop->size) continue;
            wanted[i] = (Index){.axis = loop};
            int k = latents_find(l, name, wanted, nindex);
            wanted[i] = index[i];
            if (k < 0) continue;
            *step = index[i].at - loop->first;
            *place = axes_find(l->list[k].naxes, l->list[k].axes, loop);
            return k;
        }
    }
    return -1;
}

LatentSite latents_step(const LatentSite *site, int place, const Index *index) {
    LatentSite s = *site;
    int64_t steps = s.full.dim[place];
    s.naxes = 0;
    for (int i = 0; i < site->naxes; i++) {
        const Axis *own = site->axes[i];
        for (int j = 0; j < s.nindex; j++) /* the plates as they stand around this step */
            if (site->index[j].axis == own && index[j].axis) own = index[j].axis;
        if (i != place) s.axes[s.naxes++] = own;
    }
    memcpy(s.index, index, sizeof *index * (size_t)s.nindex);
    memmove(s.full.dim + place, s.full.dim + place + 1, sizeof *s.full.dim * (size_t)(--s.full.rank - place));
    memmove(s.free.dim + place, s.free.dim + place + 1, sizeof *s.free.dim * (size_t)(--s.free.rank - place));
    s.size = site->size / steps;
    return s;
}
