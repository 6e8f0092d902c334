/* The continuous latents of a model as one point in unconstrained space.
 *
 * The layout is found by running the model forward once. A run at a point gives each latent constraint_forward of its
 * stretch of the point, and its log density in unconstrained space: with the log Jacobian, or (map) without.
 *
 * Non-centred (Papaspiliopoulos, Roberts, Skoeld 2007): a latent of a location-scale family whose location or scale
 * depends on other latents is represented by (x - loc) / scale.
 */
#ifndef INFER_LATENTS_H
#define INFER_LATENTS_H

#include "dist/constraint.h"
#include "infer/handlers.h"

typedef struct LatentSite {
    const char *name;
    Index index[MAX_INDEX];
    int nindex;
    int naxes;
    const Axis *axes[MAX_AXES]; /* plates, in the order of the dimensions */
    Shape event, full, free;    /* full: axes, then event; free: in unconstrained space */
    ConstraintKind kind;
    bool noncentred;
    bool plain;           /* its value follows from the point alone: no bounds come of its distribution */
    int entry;            /* in the trace that found it */
    int64_t offset, size; /* size of free; local: 0 */
    /* local (local.h): in a plate that runs in batches, and no part of the point */
    bool local;
    Shape free_event;     /* of one element, in unconstrained space */
    real *start, *spread; /* where it begins */
    Span span;
} LatentSite;

/* The sites of a loop whose steps could be one site with the loop's axis (AXIS_LOOP). */
typedef struct LatentLoop {
    const Axis *axis;
    int from, to; /* sites found in it */
    bool joined;  /* they are one site each, for all steps */
} LatentLoop;

typedef struct Latents {
    Arena *arena;
    LatentSite *list;
    int n, capacity;
    int *places, room; /* by name and numbers: 1 + the place in the list, 0: empty; open addressing */
    LatentLoop *loops;
    int nloops;
    int64_t size;   /* of the whole point */
    bool noncentre; /* location-scale latents are represented as said above */
    bool jacobian;
    const char *method; /* for messages: "auto_normal", "map" */
    /* while the layout is found: the unconstrained values that were drawn */
    real *drawn;
    int64_t reserved;
} Latents;

void latents_init(Latents *l, Arena *arena, bool noncentre, bool jacobian, const char *method);

/* Finding the layout: a policy's part for one site. Draws it forward and appends it. */
void latents_discover(Latents *l, Trace *t, Interp *in, Site *s, Entry *e);

/* The same without the layout: drawn forward, given the first value of what is summed out. */
void latents_draw(Trace *t, Interp *in, Site *s, Entry *e);

/* Entries of the trace from n on are no more: what they found is forgotten. */
void latents_forget(Latents *l, int n);

/* One run at a point. */
typedef struct PointRun {
    Latents *l;
    bool taped;  /* the point is input SLOT_POINT; else it is `point` */
    Array point; /* shape [size], perhaps with the axis of the particles */
    const Axis *particles;
    int met;
    bool *seen;  /* by site */
    Var *inputs; /* taped: by site */
} PointRun;
void point_run_init(PointRun *p, Latents *l, Interp *in, const Array *point, const Axis *particles);
/* Gives one site its value and its log density. Raises when the layout does not have it. */
void latents_answer(PointRun *p, Interp *in, Site *s, Entry *e);
/* The rest of it: from the site's unconstrained value u of dimensions [axes..., free event...]. */
void latents_place(const Latents *l, Interp *in, int k, Site *s, Entry *e, Var u, int naxes, const Axis *const *axes);
void latents_check_shape(Interp *in, const LatentSite *site, const Site *s); /* as it was found */
/* After the run: every site was met (else it raises, naming one). */
void point_run_finish(const PointRun *p, Interp *in);

/* -- Loops (latents_loops.c) -- */
/* A loop has run step by step; its sites are those from `from` on. Where they are alike in all steps, each becomes one site
 * for all steps, so that the loop can run at once at a point. */
void latents_loop(Latents *l, Interp *in, int from, const Axis *axis);
/* The same for all loops that are not joined yet, in a copy of a layout whose sites have changed. */
void latents_join_all(Latents *l, Interp *in);
/* The last site was found with all steps of this loop at once; at a point it may run step by step all the same. */
void latents_found_at_once(Latents *l, const Axis *axis);
/* The sites from n on are no more. */
void latents_forget_loops(Latents *l, int n);
/* A step of a loop reads the one before: the values of the site for all steps. */
bool latents_peek(PointRun *p, Interp *in, Peek *peek);
/* An address in one step of a joined loop: its site, the step from 0; -1: there is none. `place`: of the loop's dimension. */
int latents_find_step(const Latents *l, const char *name, const Index *index, int nindex, int64_t *step, int *place);
/* That step alone, in place of `site`: as the site would be if the loop were not joined, with the axes of the address. */
LatentSite latents_step(const LatentSite *site, int place, const Index *index);
/* The site's stretch of the point, [particles, free...], and its axes. */
Var point_site(PointRun *p, Interp *in, int k);
int point_axes(const PointRun *p, const LatentSite *site, const Axis **axes);

void latents_reindex(Latents *l); /* the table of places anew */
/* The place of an address, or -1. */
int latents_find(const Latents *l, const char *name, const Index *index, int nindex);

/* The unconstrained values of a site's constrained value, written to their place in `point`; false: the layout does not have
 * the site. */
bool latents_invert(const Latents *l, Interp *in, const Site *s, Value x, real *point);

#endif
