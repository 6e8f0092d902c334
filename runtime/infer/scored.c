#include "infer/scored.h"

#include <math.h>

#include "interp/array.h"

bool scored_costly(const Pair *pair, const char *name) {
    const SumNote *excluded = pair->scores ? summing_excluded(&pair->sums, name) : NULL;
    return excluded && excluded->costly;
}

/* Elements that run one by one have names of their own: automatic.z.3.logits. */
static const char *param_name(Interp *in, const Site *s) {
    const char *name = arena_printf(in->arena, "automatic.%s", s->name);
    for (int k = 0; k < s->nindex; k++)
        if (!s->index[k].axis) name = arena_printf(in->arena, "%s.%ld", name, (long)s->index[k].at);
    return arena_printf(in->arena, "%s.logits", name);
}

static Value logits_of(Pass *p, Interp *in, const Site *s, int64_t K) {
    ParamSite one = {.name = param_name(in, s),
                     .kind = TYPE_REAL,
                     .shape = shape1(K),
                     .init = value_tensor(in, tensor_zeros(in->ctx, in->arena, shape1(K))),
                     .span = s->span};
    for (int k = 0; k < in->nplates; k++)
        if (in->plates[k]->kind == AXIS_PLATE) one.axes[one.naxes++] = in->plates[k];
    return pass_guide_param(p, in, &one);
}

/* What the prior cannot draw, given what it depends on, the guide does not draw: a bound of minus infinity teaches nothing.
 * Where it depends on what is summed out, that differs between values. */
static Value possible(Interp *in, const Site *s, double low, double high, Value logits) {
    Range *all = ARENA_NEW(in->arena, Range);
    *all = (Range){(int64_t)low, (int64_t)high};
    Value lp = dist_logpdf(in, s->dist, (Value){VALUE_RANGE, .u.range = all}, true, s->span);
    if (has_summed_axis(lp)) return logits;
    Value none = array_binary(in, BINARY_EQ, value_detached(in, lp), value_number(-INFINITY), s->span);
    Value args[3] = {none, value_number(-INFINITY), logits};
    return array_apply(in, OP_WHERE, 3, args, s->span);
}

bool scored_answer(Pass *p, Interp *in, Site *s, Entry *e) {
    double low, high;
    if (!p->pair->scores || !summing_support(in, s->dist, &low, &high, s->span)) return false;
    if (dist_event_shape(in, s->dist, s->span).rank > 0) return false;
    Value logits = logits_of(p, in, s, (int64_t)(high - low) + 1);
    Value args[2] = {value_number(low), possible(in, s, low, high, logits)};
    Value q = interp_call(in, interp_lookup(in, "_Values"), 2, args, s->span);
    Site *drawn = arena_copy(in->arena, s, sizeof *s);
    drawn->dist = q.u.dist;
    Entry g = entry_of(drawn);
    g.branch = in->given.kind != VALUE_NONE;
    guide_latent(&p->guide, in, drawn, &g);
    s->value = g.value = drawn->value;
    trace_add(&p->guide, &g);
    if (p->mode != PASS_DRAW) e->log_density = dist_logpdf(in, s->dist, s->value, false, s->span);
    p->pair->discrete.scored = true;
    return true;
}
