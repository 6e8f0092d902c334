#include "infer/local.h"

#include <string.h>

#include "interp/array.h"

bool local_any(const Latents *l) {
    for (int k = 0; l && k < l->n; k++)
        if (l->list[k].local) return true;
    return false;
}

double local_numbers(const Latents *l) {
    double n = 0;
    for (int k = 0; l && k < l->n; k++) {
        const LatentSite *s = &l->list[k];
        double size = (double)shape_size(s->event);
        for (int i = 0; i < s->naxes; i++) size *= (double)s->axes[i]->population;
        if (s->local) n += size;
    }
    return n;
}

/* The particles, if any, then the plates of the site as they are in this run: the last batch is smaller. */
static int axes_now(const Pass *p, Interp *in, const LatentSite *site, const Axis **axes) {
    int n = 0;
    if (p->particles) axes[n++] = p->particles;
    for (int i = 0; i < site->naxes; i++)
        for (int k = 0; k < in->nplates; k++)
            if (in->plates[k]->kind == AXIS_PLATE && strcmp(in->plates[k]->name, site->axes[i]->name) == 0)
                axes[n++] = in->plates[k];
    return n;
}

/* A parameter per element, that begins alike for all. */
static Value element_param(Pass *p, Interp *in, const LatentSite *site, const char *name, TypeKind kind,
                           const real *init, int nplates, const Axis *const *plates) {
    ParamSite one = {.name = arena_printf(in->arena, "%s.%s.%s", p->pair->guide_name, site->name, name),
                     .kind = kind,
                     .shape = site->free_event,
                     .init = value_tensor(in, tensor_borrow(in->arena, site->free_event, (real *)init)),
                     .naxes = nplates,
                     .span = p->pair->span};
    memcpy(one.axes, plates, sizeof *plates * (size_t)nplates);
    return pass_guide_param(p, in, &one);
}

static Value draw(Pass *p, Interp *in, const LatentSite *site, const Site *s, int nplates, const Axis *const *plates) {
    Value args[2] = {element_param(p, in, site, "loc", TYPE_REAL, site->start, nplates, plates),
                     element_param(p, in, site, "scale", TYPE_POSITIVE, site->spread, nplates, plates)};
    Value d = interp_call(in, interp_lookup(in, "Normal"), 2, args, p->pair->span);
    Site *one = ARENA_NEW(in->arena, Site);
    *one = *s;
    one->name = arena_printf(in->arena, "automatic@%s", s->name);
    one->text = p->pair->guide_name;
    one->dist = d.u.dist;
    one->value = one->data = value_none();
    Value u = dist_draw_site(in, d.u.dist, one, true);
    if (p->mode != PASS_DRAW)
        terms_add(&p->logq, in, dist_logpdf(in, dist_detach(in, d.u.dist), u, false, p->pair->span), p->particles);
    return u;
}

void local_answer(Pass *p, Interp *in, int k, Site *s, Entry *e) {
    const LatentSite *site = &p->pair->latents->list[k];
    const Axis *axes[MAX_AXES];
    int n = axes_now(p, in, site, axes), before = p->particles != NULL;
    latents_check_shape(in, site, s);
    Value u = draw(p, in, site, s, n - before, axes + before);
    Array a = value_array(in, array_expand_axes(in, u, n, axes), s->span, "a draw");
    latents_place(p->pair->latents, in, k, s, e, array_expand_event(in, &a, site->free_event), n, axes);
    if (!p->point.seen[k]) p->point.met++;
    p->point.seen[k] = true;
}
