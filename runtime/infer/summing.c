#include "infer/summing.h"

#include <math.h>
#include <string.h>

#include "infer/site_family.h"
#include "interp/array.h"

enum { MOST_VALUES = 10000 };
static const double BUDGET = 2e7; /* terms of one sum; some 0.2 s and 160 MB */

void summing_init(Summing *s, SumPlan *plan, bool markers, int first_order) {
    *s = (Summing){.plan = plan, .markers = markers, .first_order = first_order};
}

const SumNote *summing_excluded(const SumPlan *plan, const char *name) {
    for (int k = 0; k < plan->nexcluded; k++)
        if (strcmp(plan->excluded[k].name, name) == 0) return &plan->excluded[k];
    return NULL;
}

bool summing_gave_way(const SumPlan *plan) {
    for (int k = 0; k < plan->nexcluded; k++)
        if (plan->excluded[k].costly) return true;
    return false;
}

bool has_summed_axis(Value v) {
    for (int k = 0; v.kind == VALUE_ARRAY && k < v.u.array->naxes; k++)
        if (v.u.array->axes[k]->kind == AXIS_ENUM) return true;
    return false;
}

static void exclude(SumPlan *plan, const char *name, const char *why, bool costly) {
    SumNote *more = ARENA_ARRAY(plan->arena, SumNote, plan->nexcluded + 1);
    if (plan->nexcluded) memcpy(more, plan->excluded, sizeof *more * (size_t)plan->nexcluded);
    more[plan->nexcluded++] = (SumNote){arena_strdup(plan->arena, name), arena_strdup(plan->arena, why), costly};
    plan->excluded = more;
}

bool summing_support(Interp *in, const Dist *d, double *low, double *high, Span at) {
    if (!d->family->discrete) return false;
    Support s = dist_support(in, d, at);
    if (s.event_rank > 0 || !value_is_numeric(s.low) || !value_is_numeric(s.high)) return false;
    double *ends[2] = {low, high};
    for (int k = 0; k < 2; k++) {
        Value v = k ? s.high : s.low;
        if (v.kind == VALUE_ARRAY && var_is_taped(v.u.array->var)) return false;
        Array a = value_array(in, v, at, "an end of a support");
        int64_t n = shape_size(a.var.value->shape);
        for (int64_t i = 0; i < n; i++) {
            double x = tensor_item(a.var.value, i);
            if (i == 0 || (k ? x > *ends[k] : x < *ends[k])) *ends[k] = x;
        }
        if (n == 0 || !isfinite(*ends[k])) return false;
    }
    return *high >= *low && *high - *low < MOST_VALUES;
}

static const Axis *new_axis(Summing *s, Interp *in, const char *name, int nindex, const Index *index, int64_t first,
                            int64_t size, int line) {
    const Axis **within = ARENA_ARRAY(in->arena, const Axis *, nindex + 1);
    int n = 0;
    for (int k = 0; k < nindex; k++) { /* in the order of an array's axes, whatever that of the indices */
        if (!index[k].axis) continue;
        int i = n++;
        for (; i > 0 && axis_before(index[k].axis, within[i - 1]); i--) within[i] = within[i - 1];
        within[i] = index[k].axis;
    }
    Axis *a = ARENA_NEW(in->arena, Axis);
    *a = (Axis){.kind = AXIS_ENUM,
                .name = name,
                .line = line,
                .first = first,
                .size = size,
                .order = s->first_order + s->naxes++,
                .within = within,
                .nwithin = n};
    return a;
}

static Value all_values(Interp *in, const Axis *axis) {
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(axis->size));
    for (int64_t k = 0; k < axis->size; k++) t->data[k] = (real)(axis->first + k);
    return (Value){VALUE_ARRAY,
                   .u.array = arena_copy(in->arena,
                                         &(Array){.var = var_constant(t), .naxes = 1, .axes = {axis}, .index_of = axis},
                                         sizeof(Array))};
}

/* Zeros with the plates and the axis; as variables of the tape. */
static Value marker(Interp *in, const Axis *axis, Var *var) {
    const Axis *axes[MAX_AXES];
    Shape shape = SHAPE_SCALAR;
    int n = 0;
    for (int k = 0; k < axis->nwithin; k++)
        axes[n++] = axis->within[k], shape.dim[shape.rank++] = axis->within[k]->size;
    axes[n++] = axis, shape.dim[shape.rank++] = axis->size;
    if (!var->value) *var = tape_variable(in->tape, var_constant(tensor_zeros(in->ctx, in->arena, shape)));
    return value_var(in, *var, n, axes);
}

/* 1 where the data (NaN: missing) do not speak against a value of the axis. */
static Value allowed(Interp *in, Value data, Value values, Span at) {
    Value same = array_binary(in, BINARY_EQ, values, data, at);
    return array_binary(in, BINARY_OR, same, array_apply(in, OP_ISNAN, 1, &data, at), at);
}

static Value site_density(Summing *s, Interp *in, const Site *site, SummedSite *one) {
    Value lp = dist_logpdf(in, site->dist, site->value, false, site->span);
    if (site->partly) {
        Value args[3] = {allowed(in, site->data, site->value, site->span), lp, value_number(-INFINITY)};
        lp = array_apply(in, OP_WHERE, 3, args, site->span);
    }
    lp = array_expand_axes(in, lp, 1, &one->axis);
    if (one->axis->nwithin) lp = array_expand_axes(in, lp, one->axis->nwithin, one->axis->within);
    if (!s->markers) return lp;
    Value marked = array_binary(in, BINARY_ADD, lp, marker(in, one->axis, &one->marker), site->span);
    return value_given(in, marked, lp, site->span); /* outside its branch its density sums to 1, and nothing is marked */
}

/* -- Chains -- */

static bool stands_in(const Axis *axis, const Axis *plate) {
    for (int k = 0; k < axis->nwithin; k++)
        if (axis->within[k] == plate) return true;
    return false;
}

static SummedChain *find_chain(const Summing *s, const char *name, const Axis *loop) {
    for (int k = 0; k < s->nchains; k++)
        if (s->chains[k].axes.loop == loop && strcmp(s->chains[k].name, name) == 0) return &s->chains[k];
    return NULL;
}

/* The variable whose earlier steps were read is drawn: it has the same values in all steps. */
static void continue_chains(Summing *s, Interp *in, const Axis *axis, Span at) {
    for (int k = 0; k < s->nchains; k++) {
        Chain *c = &s->chains[k].axes;
        if (strcmp(s->chains[k].name, axis->name) != 0 || !stands_in(axis, c->loop)) continue;
        if (c->now || c->before->first != axis->first || c->before->size != axis->size)
            loop_refuse(in, at, "its values change from step to step");
        c->now = axis;
    }
}

bool summing_peek(Summing *s, Interp *in, Peek *p, int entry) {
    SummedChain *c = find_chain(s, p->name, p->loop);
    const Axis *head = p->head.kind == VALUE_ARRAY ? p->head.u.array->index_of : NULL;
    if (!s->plan || p->lag != 1 || !head || head->kind != AXIS_ENUM || strcmp(head->name, p->name) != 0 || p->head.u.array->naxes != 1)
        return false;
    if (!c) {
        SummedChain *more = ARENA_ARRAY(in->arena, SummedChain, s->nchains + 1);
        if (s->nchains) memcpy(more, s->chains, sizeof *more * (size_t)s->nchains);
        s->chains = more;
        c = &more[s->nchains++];
        *c = (SummedChain){.name = p->name, .entry = entry, .axes = {.loop = p->loop, .head = head}};
        c->axes.before = new_axis(s, in, p->name, p->nindex, p->index, head->first, head->size, head->line);
        for (int k = s->n - 1; k >= 0; k--)
            if (strcmp(s->list[k].axis->name, p->name) == 0 && stands_in(s->list[k].axis, p->loop))
                continue_chains(s, in, s->list[k].axis, in->ctx->span);
    }
    if (c->axes.head != head) return false;
    p->value = all_values(in, c->axes.before);
    p->moved = true;
    return true;
}

bool summing_answer(Summing *s, Interp *in, Site *site, Entry *e, int entry) {
    double low, high;
    if (!s->plan || !summing_support(in, site->dist, &low, &high, site->span) || summing_excluded(s->plan, site->name))
        return false;
    if (dist_event_shape(in, site->dist, site->span).rank > 0) {
        if (!site->partly) exclude(s->plan, site->name, "it is drawn as a whole array: draw its elements one by one, in a plate", false);
        return false;
    }
    if (site->partly) site_check_data(in, site);
    ARENA_GROW(in->arena, s->list, s->n, s->capacity, 16);
    SummedSite *one = &s->list[s->n];
    const Axis *axis = new_axis(s, in, site->name, site->nindex, site->index, (int64_t)low, (int64_t)(high - low) + 1, site->span.line);
    *one = (SummedSite){.entry = entry, .axis = axis};
    continue_chains(s, in, axis, site->span);
    site->value = all_values(in, one->axis);
    e->log_density = site_density(s, in, site, one);
    e->summed = one->axis;
    s->n++;
    return true;
}

void summing_again(Summing *s, Interp *in, Site *site, Entry *e, int entry) {
    int k = s->n - 1;
    while (s->list[k].entry != entry) k--;
    SummedSite *one = &s->list[k];
    double low = 0, high = -1;
    bool finite = summing_support(in, site->dist, &low, &high, site->span);
    if (!finite || low != (double)one->axis->first || high - low + 1 != (double)one->axis->size)
        ctx_raise(in->ctx, ERROR_PROGRAM, site->span,
                  "give it the same support in both, with probability 0 where a value is impossible",
                  "`%s` is summed out, and its values differ between the branches of an `if` (the other is on line %d)",
                  address_text(in, site->name, site->index, site->nindex), e->span.line);
    one->again = true;
    site->value = e->value;
    e->log_density = value_given(in, site_density(s, in, site, one), e->log_density, site->span);
}

void summing_forget(Summing *s, int n) {
    while (s->n > 0 && s->list[s->n - 1].entry >= n) s->n--;
    while (s->nchains > 0 && s->chains[s->nchains - 1].entry >= n) s->nchains--;
    s->naxes = 0;
    for (int k = 0; k < s->n; k++)
        if (s->list[k].axis->order >= s->first_order + s->naxes) s->naxes = s->list[k].axis->order - s->first_order + 1;
    for (int k = 0; k < s->nchains; k++)
        if (s->chains[k].axes.before->order >= FIRST_ENUM_ORDER + s->naxes)
            s->naxes = s->chains[k].axes.before->order - FIRST_ENUM_ORDER + 1;
}

bool summing_learn(SumPlan *plan, Interp *in, const Error *e, bool give_way) {
    const Axis *axis = in->split;
    bool costly = e->kind == ERROR_COSTLY && give_way;
    if ((e->kind != ERROR_ELEMENTWISE && !costly) || !axis || !plan) return false;
    if (axis->kind == AXIS_ENUM) {
        const char *why = arena_printf(in->arena, "%s (line %d)", e->message, e->span.line);
        exclude(plan, axis->name, costly && e->hint ? arena_printf(in->arena, "%s; %s", why, e->hint) : why, costly);
        return true;
    }
    if (!axis_repeats(axis)) return false;
    for (int k = 0; k < plan->nplates; k++)
        if (strcmp(plan->plates[k], axis->name) == 0) return false;
    const char **more = ARENA_ARRAY(plan->arena, const char *, plan->nplates + 1);
    if (plan->nplates) memcpy(more, plan->plates, sizeof *more * (size_t)plan->nplates);
    more[plan->nplates++] = arena_strdup(plan->arena, axis->name);
    plan->plates = more;
    return true;
}

/* -- After the run -- */

static Elimination eliminate_all(const Summing *s, Interp *in, const Trace *model, Op op, Span at) {
    Value *factors = ARENA_ARRAY(in->arena, Value, model->n + 1);
    const Axis **vars = ARENA_ARRAY(in->arena, const Axis *, s->naxes + 1);
    Chain *chains = ARENA_ARRAY(in->arena, Chain, s->nchains + 1);
    int n = 0;
    for (int k = 0; k < model->n; k++)
        if (has_summed_axis(model->entries[k].log_density)) factors[n++] = model->entries[k].log_density;
    for (int k = 0; k < s->n; k++) vars[s->list[k].axis->order - FIRST_ENUM_ORDER] = s->list[k].axis;
    for (int k = 0; k < s->nchains; k++) {
        chains[k] = s->chains[k].axes;
        vars[chains[k].before->order - FIRST_ENUM_ORDER] = chains[k].before;
    }
    return eliminate(in, op, n, factors, s->naxes, vars, s->nchains, chains, BUDGET, at);
}

void summing_finish(Summing *s, Interp *in, const Trace *model, Span at) {
    if (s->n > 0) s->elimination = eliminate_all(s, in, model, OP_LOGSUMEXP, at);
}

bool summing_many(const Summing *s) {
    double joint = 1;
    for (int k = 0; k < s->n && joint <= BUDGET; k++) joint *= (double)s->list[k].axis->size;
    return joint > BUDGET;
}

/* Elements of a summed variable that are known (z[3] in z = [missing, missing, 2]) belong to it: their values, or all
 * probability on them. */
static void known_elements(const Summing *s, Interp *in, Trace *model, bool probabilities) {
    const Axis **names = ARENA_ARRAY(in->arena, const Axis *, s->n + 1);
    int n = 0;
    for (int k = 0; k < s->n; k++) {
        int at = n - 1; /* the same name mostly comes in a row */
        while (at >= 0 && strcmp(names[at]->name, s->list[k].axis->name) != 0) at--;
        if (at < 0) names[n++] = s->list[k].axis;
    }
    for (int k = 0; k < model->n; k++) {
        Entry *e = &model->entries[k];
        if (e->kind != ENTRY_SAMPLE || !e->observed || !value_is_numeric(e->value)) continue;
        int at = n - 1;
        while (at >= 0 && strcmp(names[at]->name, e->name) != 0) at--;
        if (at < 0) continue;
        e->observed = false, e->summed = names[at];
        if (!probabilities) continue;
        Value same = array_binary(in, BINARY_EQ, all_values(in, names[at]), e->value, e->span);
        e->value = array_axis_to_event(in, same, names[at]);
    }
}

void summing_probabilities(const Summing *s, Interp *in, Trace *model, Var y) {
    known_elements(s, in, model, true);
    Var *markers = ARENA_ARRAY(in->arena, Var, s->n + 1), *out = ARENA_ARRAY(in->arena, Var, s->n + 1);
    for (int k = 0; k < s->n; k++) markers[k] = s->list[k].marker;
    tape_grad(in->tape, y, NULL, s->n, markers, out);
    for (int k = 0; k < s->n; k++) {
        const Axis *axis = s->list[k].axis;
        model->entries[s->list[k].entry].value = value_var(in, out[k], axis->nwithin, axis->within);
    }
}

Elimination summing_decode(const Summing *s, Interp *in, Trace *model, bool best, uint64_t key, Value *values,
                           Span at) {
    Elimination e = eliminate_all(s, in, model, best ? OP_REDUCE_MAX : OP_LOGSUMEXP, at);
    eliminate_back(in, &e, s->n, best, key, values, at);
    known_elements(s, in, model, false);
    return e;
}

int summing_notes(const Summing *s, const Trace *model, Arena *a, const char ***notes) {
    SiteFamily *families = ARENA_ARRAY(a, SiteFamily, s->n + 1);
    const SummedSite **firsts = ARENA_ARRAY(a, const SummedSite *, s->n + 1);
    int n = 0;
    for (int k = 0; k < s->n; k++) {
        const SummedSite *one = &s->list[k];
        int at = n - 1; /* the same name mostly comes in a row */
        while (at >= 0 && strcmp(firsts[at]->axis->name, one->axis->name) != 0) at--;
        if (at < 0) firsts[at = n++] = one;
        site_family_add(&families[at], &model->entries[one->entry]);
    }
    *notes = ARENA_ARRAY(a, const char *, n + 1);
    for (int k = 0; k < n; k++) {
        const char *text = site_family_text(&families[k], a);
        long values = (long)firsts[k]->axis->size, elements = (long)families[k].elements;
        bool partly = families[k].first->branch && !firsts[k]->again;
        const char *where = partly ? ", in a branch: its probabilities add up to that of the branch" : "";
        (*notes)[k] = elements == 1 ? arena_printf(a, "%s summed out: %ld values%s", text, values, where)
                                    : arena_printf(a, "%s summed out: %ld values x %ld%s", text, values, elements, where);
    }
    return n;
}
