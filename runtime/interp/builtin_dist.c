/* Functions on distributions, and the noise primitives of the library. */
#include <math.h>
#include <string.h>

#include "interp/builtins.h"
#include "interp/internal.h"
#include "interp/stdlib.h"

static Dist *dist_argument(Interp *in, const Args *a, const char *function) {
    Value v = a->values[0];
    if (v.kind == VALUE_DIST) return v.u.dist;
    ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "`%s` wants a distribution; this is %s", function, value_describe(in, v));
}

static Value dist_draw(Interp *in, const Args *a) { return dist_draw_site(in, dist_argument(in, a, "draw"), NULL, true); }

static Value dist_log_density(Interp *in, const Args *a) {
    Value m = a->values[0];
    bool is_model = m.kind == VALUE_FUNCTION && m.u.closure->function->kind == FUNCTION_MODEL;
    if (is_model) m = interp_call(in, m, 0, NULL, a->span);
    if (m.kind == VALUE_CALL && in->hooks.model_logpdf) return in->hooks.model_logpdf(in, m.u.call, a->values[1], a->span);
    return dist_logpdf(in, dist_argument(in, a, "logpdf"), a->values[1], true, a->span);
}

/* A member, or what follows from another member of the family. */
static Value at_point(Interp *in, const Args *a, const char *member) {
    Dist *d = dist_argument(in, a, member);
    Value x = a->values[1], v;
    if (dist_has_member(d, member)) return dist_member(in, d, member, 1, &x, a->span);
    if (strcmp(member, "sf") == 0) {
        if (dist_has_member(d, "log_sf")) {
            v = dist_member(in, d, "log_sf", 1, &x, a->span);
            return array_apply(in, OP_EXP, 1, &v, a->span);
        }
        v = dist_member(in, d, "cdf", 1, &x, a->span);
        return array_binary(in, BINARY_SUB, value_number(1), v, a->span);
    }
    if (strcmp(member, "log_cdf") == 0) {
        v = dist_member(in, d, "cdf", 1, &x, a->span);
        return array_apply(in, OP_LOG, 1, &v, a->span);
    }
    if (strcmp(member, "log_sf") == 0) {
        if (dist_has_member(d, "sf")) {
            v = dist_member(in, d, "sf", 1, &x, a->span);
            return array_apply(in, OP_LOG, 1, &v, a->span);
        }
        v = dist_member(in, d, "cdf", 1, &x, a->span);
        v = array_apply(in, OP_NEG, 1, &v, a->span);
        return array_apply(in, OP_LOG1P, 1, &v, a->span);
    }
    return dist_member(in, d, member, 1, &x, a->span);
}

static Value dist_cdf(Interp *in, const Args *a) { return at_point(in, a, "cdf"); }
static Value dist_sf(Interp *in, const Args *a) { return at_point(in, a, "sf"); }
static Value dist_log_cdf(Interp *in, const Args *a) { return at_point(in, a, "log_cdf"); }
static Value dist_log_sf(Interp *in, const Args *a) { return at_point(in, a, "log_sf"); }
static Value dist_icdf(Interp *in, const Args *a) { return at_point(in, a, "icdf"); }
static Value dist_variance(Interp *in, const Args *a) { return dist_member(in, dist_argument(in, a, "variance"), "variance", 0, NULL, a->span); }
static Value dist_entropy(Interp *in, const Args *a) { return dist_member(in, dist_argument(in, a, "entropy"), "entropy", 0, NULL, a->span); }

/* v, once for every copy of a repeated distribution: D[3] has three divergences. */
static Value repeated(Interp *in, Value v, Shape repeat, Span at) {
    if (repeat.rank == 0) return v;
    int rank = value_event_shape(in, v, at).rank;
    for (int k = 0; k < rank; k++) repeat.dim[repeat.rank++] = 1;
    return array_binary(in, BINARY_ADD, v, value_tensor(in, tensor_zeros(in->ctx, in->arena, repeat)), at);
}

Value dist_divergence(Interp *in, Dist *p, Dist *q, Span at) {
    const DistDecl *of = p->family->decl, *from = q->family->decl;
    bool known = stdlib_holds(of->span) && stdlib_holds(from->span);
    Value f = known ? interp_lookup(in, arena_printf(in->arena, "_kl_%s_%s", of->name, from->name)) : value_none();
    Value args[2] = {{VALUE_DIST, .u.dist = p}, {VALUE_DIST, .u.dist = q}};
    return f.kind == VALUE_FUNCTION ? interp_call(in, f, 2, args, at) : value_none();
}

static Value dist_kl(Interp *in, const Args *a) {
    Dist *p = dist_argument(in, a, "kl");
    if (a->values[1].kind != VALUE_DIST)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "`kl` wants two distributions; the second is %s", value_describe(in, a->values[1]));
    Dist *q = a->values[1].u.dist;
    Shape repeat = p->repeat;
    if (!shape_broadcast(repeat, q->repeat, &repeat))
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "copies of shapes %s and %s have no divergence from one another",
                  shape_text(in->arena, p->repeat), shape_text(in->arena, q->repeat));
    Value v = dist_divergence(in, p, q, a->span);
    if (v.kind == VALUE_NONE)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "estimate it: mean of logpdf(p, x) - logpdf(q, x) over draws x of p",
                  "the divergence of %s from %s has no closed form here", p->family->decl->name, q->family->decl->name);
    return repeated(in, v, repeat, a->span);
}

static Value is_set(Interp *in, const Args *a) {
    (void)in;
    return value_bool(!(a->values[0].kind == VALUE_BUILTIN && strcmp(a->values[0].u.builtin->name, "_unset") == 0));
}

static Value unset(Interp *in, const Args *a) { ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "`_unset` is not a function"); }

static Value below_one(Interp *in, const Args *a) {
    (void)in, (void)a;
    return value_number(sizeof(real) < sizeof(double) ? 1 - 0x1p-24 : 1 - 0x1p-53);
}

static Value tiny(Interp *in, const Args *a) {
    (void)in, (void)a;
    return value_number(sizeof(real) < sizeof(double) ? 1e-37 : 1e-300);
}

/* -- What distributions that are made of a distribution ask of it -- */

static const Dist *univariate(Interp *in, const Args *a) {
    const Dist *d = dist_argument(in, a, "a distribution made of another one");
    int rank = type_rank(d->family->decl->support);
    if (rank > 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "a univariate distribution is needed here; draws of %s have %d dimension%s",
                  d->family->decl->name, rank, rank == 1 ? "" : "s");
    return d;
}

static Value support_low(Interp *in, const Args *a) {
    Value low = dist_bound(in, univariate(in, a), false);
    return low.kind == VALUE_NONE ? value_number(-INFINITY) : low;
}

static Value support_high(Interp *in, const Args *a) {
    Value high = dist_bound(in, univariate(in, a), true);
    return high.kind == VALUE_NONE ? value_number(INFINITY) : high;
}

/* Plain and infinite throughout: no bound. (A taped bound is one even where it is infinite now.) */
static Value is_unbounded(Interp *in, const Args *a) {
    Array x = arg_array(in, a, 0, "a bound");
    if (var_is_taped(x.var)) return value_bool(false);
    for (int64_t k = 0, n = shape_size(x.var.value->shape); k < n; k++)
        if (!isinf(tensor_item(x.var.value, k))) return value_bool(false);
    return value_bool(true);
}

static Value is_discrete(Interp *in, const Args *a) { return value_bool(univariate(in, a)->family->discrete); }

static bool is_same_dist(Value a, Value b) { return a.kind == VALUE_DIST && b.kind == VALUE_DIST && a.u.dist == b.u.dist; }

/* Components that are the same value are asked once: mixtures that share theirs may nest deeply. Of draws one is taken for each
 * element, so that the same ones may stand in more than one place. */
static Value each_component(Interp *in, const Args *a) {
    Value list = a->values[0];
    if (list.kind != VALUE_LIST) { /* no distributions: f says so */
        Value map[2] = {a->values[1], list};
        return interp_call(in, interp_lookup(in, "map"), 2, map, a->span);
    }
    int n = list.u.list->n;
    const Value *items = list.u.list->items;
    Value *out = ARENA_ARRAY(in->arena, Value, n + 1);
    for (int k = 0; k < n; k++) {
        int same = 0;
        while (same < k && !is_same_dist(items[same], items[k])) same++;
        out[k] = same < k ? out[same] : interp_call(in, a->values[1], 1, &items[k], a->span);
    }
    return array_from_items(in, n, out, a->span);
}

/* -- Noise: with every axis at work, from the stream of the variable being drawn -- */

/* params: each has the shape of one draw, and `tail` further dimensions (logits); the draw has `extra` dimensions. */
static Value noise(Interp *in, const Args *a, Op op, int nparams, int tail, Shape extra) {
    if (!in->draw) ctx_raise(in->ctx, ERROR_PROGRAM, a->span, NULL, "noise is for the draw() of a distribution");
    DrawSite *d = in->draw;
    RandomSite r = {.key = key_fold(d->key, d->count++), .n = d->nindex, .particle_dim = -1};
    Shape shape = SHAPE_SCALAR;
    int nids = 0;
    for (int k = 0; k < in->nplates; k++) {
        shape.dim[shape.rank++] = in->plates[k]->size;
        if (in->plates[k]->kind == AXIS_PARTICLE) r.particle_dim = k;
    }
    for (int k = 0; k < d->nindex; k++) {
        r.index[k].dim = -1;
        r.index[k].first = d->index[k].at;
        for (int p = 0; d->index[k].axis && p < in->nplates; p++)
            if (in->plates[p] == d->index[k].axis) r.index[k].dim = p, r.index[k].first = in->plates[p]->first;
    }
    for (int k = 0; k < extra.rank; k++) shape.dim[shape.rank++] = extra.dim[k];
    Var params[3 + MAX_INDEX];
    for (int k = 0; k < nparams; k++) {
        Value v = in->nplates ? array_expand_axes(in, a->values[k], in->nplates, in->plates) : a->values[k];
        params[k] = value_array(in, v, a->span, "a parameter").var;
    }
    (void)tail;
    for (int k = 0; k < r.n; k++) /* a batch's elements keep the streams that they have in the whole plate */
        if (r.index[k].dim >= 0 && axis_is_subset(in->plates[r.index[k].dim])) {
            params[nparams + nids++] = axis_elements(in, in->plates[r.index[k].dim]);
            r.index[k].ids = nids;
        }
    return value_var(in, op_random(in->tape, op, nparams + nids, params, shape, &r), in->nplates, in->plates);
}

static Value noise_normal(Interp *in, const Args *a) { return noise(in, a, OP_NORMAL, 0, 0, SHAPE_SCALAR); }
static Value noise_uniform(Interp *in, const Args *a) { return noise(in, a, OP_UNIFORM, 0, 0, SHAPE_SCALAR); }
static Value noise_gamma(Interp *in, const Args *a) { return noise(in, a, OP_DRAW_GAMMA, 1, 0, SHAPE_SCALAR); }
static Value noise_log_gamma(Interp *in, const Args *a) { return noise(in, a, OP_DRAW_LOG_GAMMA, 1, 0, SHAPE_SCALAR); }
static Value noise_poisson(Interp *in, const Args *a) { return noise(in, a, OP_DRAW_POISSON, 1, 0, SHAPE_SCALAR); }
static Value noise_binomial(Interp *in, const Args *a) { return noise(in, a, OP_DRAW_BINOMIAL, 2, 0, SHAPE_SCALAR); }
static Value noise_von_mises(Interp *in, const Args *a) { return noise(in, a, OP_DRAW_VON_MISES, 1, 0, SHAPE_SCALAR); }
static Value noise_categorical(Interp *in, const Args *a) { return noise(in, a, OP_DRAW_CATEGORICAL, 1, 1, SHAPE_SCALAR); }

static Shape extra_shape(Interp *in, const Args *a) {
    Shape s = SHAPE_SCALAR;
    for (int k = 0; k < a->n; k++)
        if (a->values[k].kind != VALUE_NONE) s.dim[s.rank++] = value_to_int(in, a->values[k], a->span, "a size");
    return s;
}

static Value noise_normal_vec(Interp *in, const Args *a) { return noise(in, a, OP_NORMAL, 0, 0, extra_shape(in, a)); }
static Value noise_uniform_vec(Interp *in, const Args *a) { return noise(in, a, OP_UNIFORM, 0, 0, extra_shape(in, a)); }
static Value noise_gamma_vec(Interp *in, const Args *a) { return noise(in, a, OP_DRAW_GAMMA, 1, 0, value_event_shape(in, a->values[0], a->span)); }
static Value noise_log_gamma_vec(Interp *in, const Args *a) {
    return noise(in, a, OP_DRAW_LOG_GAMMA, 1, 0, value_event_shape(in, a->values[0], a->span));
}

const Builtin builtins_dist[] = {
    {"draw", "(d)", dist_draw, "one draw of a distribution", 0},
    {"logpdf", "(d, x)", dist_log_density, "the log density of d at x, element by element; of a model at a record of values", 0},
    {"cdf", "(d, x)", dist_cdf, "the probability of at most x", 0},
    {"sf", "(d, x)", dist_sf, "the probability of more than x", 0},
    {"log_cdf", "(d, x)", dist_log_cdf, "the logarithm of cdf(d, x)", 0},
    {"log_sf", "(d, x)", dist_log_sf, "the logarithm of sf(d, x)", 0},
    {"icdf", "(d, p)", dist_icdf, "the quantile: cdf(d, icdf(d, p)) = p", 0},
    {"variance", "(d)", dist_variance, "the variance of a distribution", 0},
    {"entropy", "(d)", dist_entropy, "the (differential) entropy of a distribution, in nats", 0},
    {"kl", "(p, q)", dist_kl, "the Kullback-Leibler divergence of q from p, in nats, where it has a closed form", 0},
    {"_each", "(components, f)", each_component, "f of each distribution of a list", 0},
    {"_is_set", "(x)", is_set, "was this parameter given?", 0},
    {"_unset", "()", unset, "the default of a parameter that may be left out", 0},
    {"_below_one", "()", below_one, "the largest number below 1", 0},
    {"_tiny", "()", tiny, "a number whose reciprocal is large, but not infinite", 0},
    {"_support_low", "(d)", support_low, "the lower end of a univariate support", 0},
    {"_support_high", "(d)", support_high, "the upper end of a univariate support", 0},
    {"_unbounded", "(x)", is_unbounded, "is this bound infinite throughout?", 0},
    {"_is_discrete", "(d)", is_discrete, "are the draws whole numbers?", 0},
    {"_normal", "()", noise_normal, "standard normal noise", 0},
    {"_uniform", "()", noise_uniform, "uniform noise", 0},
    {"_gamma", "(shape)", noise_gamma, "standard gamma draws, with implicit derivatives", 0},
    {"_log_gamma", "(shape)", noise_log_gamma, "logarithms of standard gamma draws", 0},
    {"_poisson", "(rate)", noise_poisson, "Poisson draws", 0},
    {"_binomial", "(n, p)", noise_binomial, "binomial draws", 0},
    {"_von_mises", "(kappa)", noise_von_mises, "von Mises draws around 0", 0},
    {"_categorical", "(logits)", noise_categorical, "1..K by the last dimension", 0},
    {"_normal_vec", "(n, m = )", noise_normal_vec, "a vector or matrix of normal noise", 0},
    {"_uniform_vec", "(n, m = )", noise_uniform_vec, "a vector or matrix of uniform noise", 0},
    {"_gamma_vec", "(shape)", noise_gamma_vec, "a vector of gamma draws", 0},
    {"_log_gamma_vec", "(shape)", noise_log_gamma_vec, "a vector of logarithms of gamma draws", 0},
    {0},
};
