#include "infer/discrete.h"

#include <string.h>

#include "infer/site_family.h"
#include "infer/pair.h"
#include "infer/scored.h"

static const char *const way_names[] = {"sum", "score", "draw"};

static void add_choice(Pair *pair, const char *name, DiscreteWay way) {
    DiscreteChoices *d = &pair->discrete;
    DiscreteChoice *more = ARENA_ARRAY(pair->arena, DiscreteChoice, d->n + 1);
    if (d->n) memcpy(more, d->list, sizeof *more * (size_t)d->n);
    more[d->n++] = (DiscreteChoice){.name = arena_strdup(pair->arena, name), .way = way};
    d->list = more;
}

static DiscreteWay read_way(Interp *in, const char *name, Value v, Span at) {
    const char *way = v.kind == VALUE_STRING ? v.u.string->text : NULL;
    for (int k = 0; way && k < 3; k++)
        if (strcmp(way, way_names[k]) == 0) return (DiscreteWay)k;
    ctx_raise(in->ctx, ERROR_PROGRAM, at,
              "\"sum\": summed out, \"score\": the guide draws it, \"draw\": the model does",
              "`%s` is inferred by \"sum\", \"score\" or \"draw\"; this is %s", name,
              way ? arena_printf(in->arena, "\"%s\"", way) : value_describe(in, v));
}

/* Records in records are the variables of nested models. */
static void read_record(Pair *pair, Interp *in, Value v, const char *prefix, Span at) {
    for (int k = 0; k < v.u.record->n; k++) {
        const char *name = arena_printf(in->arena, "%s%s", prefix, v.u.record->names[k]);
        Value one = v.u.record->values[k];
        if (one.kind == VALUE_RECORD)
            read_record(pair, in, one, arena_printf(in->arena, "%s.", name), at);
        else
            add_choice(pair, name, read_way(in, name, one, at));
    }
}

void discrete_read(Pair *pair, Interp *in, Value option, bool density, Span at) {
    pair->discrete = (DiscreteChoices){.span = at};
    if (option.kind == VALUE_NONE) return;
    if (option.kind != VALUE_RECORD)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "for example discrete = {k: \"sum\"}",
                  "the option `discrete` is a record; this is %s", value_describe(in, option));
    read_record(pair, in, option, "", at);
    for (int k = 0; k < pair->discrete.n && density; k++)
        if (pair->discrete.list[k].way != DISCRETE_SUM)
            ctx_raise(in->ctx, ERROR_PROGRAM, at, "\"sum\", or svi()",
                      "map() and laplace() draw nothing: `%s` cannot be inferred by \"%s\"",
                      pair->discrete.list[k].name, way_names[pair->discrete.list[k].way]);
}

static DiscreteChoice *find_choice(DiscreteChoices *d, const char *name) {
    for (int k = 0; k < d->n; k++)
        if (strcmp(d->list[k].name, name) == 0) return &d->list[k];
    return NULL;
}

bool discrete_chosen(Pair *pair, const char *name) {
    DiscreteChoice *c = find_choice(&pair->discrete, name);
    if (c) c->met = true;
    return c && c->way != DISCRETE_SUM;
}

bool discrete_sums(const DiscreteChoices *d, const char *name) {
    for (int k = 0; k < d->n; k++)
        if (strcmp(d->list[k].name, name) == 0) return d->list[k].way == DISCRETE_SUM;
    return false;
}

void discrete_refuse_sum(Pass *p, Interp *in, const Site *s, const char *hint) {
    const char *text = address_text(in, s->name, s->index, s->nindex);
    const SumNote *excluded = summing_excluded(&p->pair->sums, s->name);
    const char *why = excluded ? excluded->why : NULL;
    if (p->pair->prior) why = "importance sampling from the prior draws every variable";
    if (!why) why = "its support is not finite, or depends on what is drawn";
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, hint, "`%s` cannot be summed out: %s", text, why);
}

static void draw_from_model(Pass *p, Interp *in, Site *s, Entry *e) {
    s->value = dist_draw_site(in, s->dist, s, false);
    p->pair->discrete.drawn = true;
    /* its own guide: log p and log q cancel, the score function of what its distribution depends on stays */
    if (p->mode != PASS_DRAW && !p->pair->prior) e->log_score = dist_logpdf(in, s->dist, s->value, false, s->span);
}

bool discrete_answer(Pass *p, Interp *in, Site *s, Entry *e, bool guided) {
    DiscreteChoice *c = find_choice(&p->pair->discrete, s->name);
    if (!c) return false;
    c->met = true;
    const char *text = address_text(in, s->name, s->index, s->nindex);
    if (!s->dist->family->discrete)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, "leave it out of the option `discrete`",
                  "`%s` ~ %s is continuous: the option `discrete` is for discrete latents", text,
                  s->dist->family->decl->name);
    c->guided = guided;
    if (guided && c->way == DISCRETE_DRAW)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, arena_printf(in->arena, "leave `%s` out of the guide", text),
                  "`%s` is to be inferred by \"%s\", but the guide `%s` draws it", text, way_names[c->way],
                  p->pair->guide_name);
    if (guided) return false;
    if (c->way == DISCRETE_SCORE && !scored_answer(p, in, s, e))
        ctx_raise(in->ctx, ERROR_PROGRAM, s->span, arena_printf(in->arena, "write a guide with `%s ~ ...`", text),
                  "`%s` is to be inferred by the score function, but no guide draws it", text);
    if (c->way == DISCRETE_DRAW)
        draw_from_model(p, in, s, e);
    else if (c->way == DISCRETE_SUM && (p->pair->prior || !summing_answer(&p->summing, in, s, e, p->model.n)))
        discrete_refuse_sum(p, in, s, "leave it out of the option `discrete`, or draw it in a guide");
    return true;
}

/* -- After the first run -- */

static bool is_drawn(const Pass *p, const Entry *e, bool of_guide) {
    return e->kind == ENTRY_SAMPLE && !e->observed && e->dist->family->discrete &&
           (p->pair->prior || of_guide || e->log_score.kind != VALUE_NONE);
}

/* How: what the option says, or this. */
static void note_drawn(Pass *p, const Trace *t, const char *otherwise) {
    DiscreteChoices *d = &p->pair->discrete;
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        if (!is_drawn(p, e, t == &p->guide)) continue;
        bool first = true;
        for (int j = 0; j < k && first; j++)
            first = t->entries[j].kind != ENTRY_SAMPLE || strcmp(t->entries[j].name, e->name) != 0;
        if (!first) continue;
        const char **more = ARENA_ARRAY(p->pair->arena, const char *, d->nnotes + 1);
        if (d->nnotes) memcpy(more, d->notes, sizeof *more * (size_t)d->nnotes);
        SiteFamily family = {0};
        for (int j = k; j < t->n; j++)
            if (t->entries[j].kind == ENTRY_SAMPLE && strcmp(t->entries[j].name, e->name) == 0) site_family_add(&family, &t->entries[j]);
        const char *text = site_family_text(&family, t->in->arena);
        bool through = t == &p->guide && e->dist->family->reparameterised;
        const char *how = discrete_sums(d, e->name) ? "summed out, weighed as the guide says" : otherwise;
        const SumNote *excluded = summing_excluded(&p->pair->sums, e->name);
        if (t == &p->guide && excluded && excluded->costly)
            how = arena_printf(t->in->arena, "drawn and learned by the score function, its sum costs too much: %s", excluded->why);
        more[d->nnotes++] = arena_printf(p->pair->arena, "%s %s%s", text, how, through ? ", straight through" : "");
        d->notes = more;
    }
}

void discrete_checked(Pass *p, Interp *in) {
    DiscreteChoices *d = &p->pair->discrete;
    note_drawn(p, &p->guide, p->pair->scores ? "drawn by the guide, learned by the score function" : "drawn by the guide");
    note_drawn(p, &p->model, "drawn from the model");
    for (int k = 0; k < d->n; k++) {
        if (d->list[k].met || p->pair->prior) continue; /* drawn forward, the structure may be random */
        const char **names = ARENA_ARRAY(in->arena, const char *, p->model.n + 1);
        int n = 0;
        for (int j = 0; j < p->model.n; j++) {
            const Entry *e = &p->model.entries[j];
            if (e->kind == ENTRY_SAMPLE && !e->observed && e->dist->family->discrete) names[n++] = e->name;
        }
        const char *near = nearest_name(d->list[k].name, names, n);
        ctx_raise(in->ctx, ERROR_PROGRAM, d->span, near ? arena_printf(in->arena, "did you mean `%s`?", near) : NULL,
                  "the model `%s` has no discrete latent `%s`", p->pair->model->closure->function->name,
                  d->list[k].name);
    }
}
