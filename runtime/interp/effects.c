/* The stack of handlers, and what happens at its bottom: draws are drawn forward, observations keep their values (what
 * is missing is drawn), scores are dropped. */
#include "interp/effects.h"

#include <string.h>

#include "interp/internal.h"

void effects_push(Interp *in, Handler *h) {
    h->outer = in->handler;
    in->handler = h;
}

void effects_pop(Interp *in, Handler *h) { in->handler = h->outer; }

/* Handlers run with their own outer one innermost, so that what they do is not seen by themselves. */
void effect_sample(Interp *in, Handler *h, Site *site) {
    for (; h; h = h->outer)
        if (h->sample) {
            h->sample(h, in, site);
            return;
        }
    if (!site->observed || (site->data.kind == VALUE_ARRAY && site->data.u.array->missing)) {
        Value drawn = dist_draw_site(in, site->dist, site, false);
        if (!site->observed) site->value = drawn;
        else { /* the elements that are missing are drawn, the others stay */
            site->value = missing_complete(in, site, drawn);
            if (site->value.kind == VALUE_ARRAY) site->value.u.array->missing = false;
        }
    } else {
        site->value = site->data;
    }
}

bool effect_peek(Interp *in, Handler *h, Peek *peek) {
    for (; h; h = h->outer)
        if (h->peek && h->peek(h, in, peek)) return true;
    return false;
}

void effect_factor(Interp *in, Handler *h, Value log_density, Span at) {
    for (; h; h = h->outer)
        if (h->factor) {
            h->factor(h, in, log_density, at);
            return;
        }
}

void effect_param(Interp *in, Handler *h, ParamSite *site) {
    for (; h; h = h->outer)
        if (h->param) {
            h->param(h, in, site);
            return;
        }
    if (in->hooks.param && in->hooks.param(in, site)) return;
    site->value = param_initial_value(in, site);
    if (site->value.kind != VALUE_NONE) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, site->span, "run an inference first, or load(...) what was learned",
              "the learned parameter `%s` has no value: nothing has been fitted", site->name);
}

void effect_refine(Interp *in, Handler *h, Frame *f, const Stmt *s) {
    for (; h; h = h->outer)
        if (h->refine && h->refine(h, in, f, s)) return;
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "infer(m, q), elbo(fit, m, q) and posterior(fit, q(x), m(x)) run it",
              "`refine` needs the model of its guide, and nothing here says which");
}

void effect_record(Interp *in, Handler *h, const char *name, const Index *index, int nindex, Value value, Span at) {
    for (; h; h = h->outer)
        if (h->record) {
            h->record(h, in, name, index, nindex, value, at);
            return;
        }
}

const char *address_text(Interp *in, const char *name, const Index *index, int nindex) {
    if (nindex == 0) return name;
    Buf b = {0};
    buf_add(&b, name);
    for (int k = 0; k < nindex; k++) {
        buf_add(&b, k ? ", " : "[");
        if (index[k].axis) { /* the plate's own name, without those of the models around it */
            const char *dot = strrchr(index[k].axis->name, '.');
            buf_add(&b, dot ? dot + 1 : index[k].axis->name);
        } else {
            buf_printf(&b, "%ld", (long)index[k].at);
        }
    }
    buf_add(&b, "]");
    char *text = arena_strdup(in->arena, b.text);
    buf_free(&b);
    return text;
}

const char *site_text(Interp *in, const Site *s) {
    return s->text ? s->text : arena_printf(in->arena, "`%s`", address_text(in, s->name, s->index, s->nindex));
}
