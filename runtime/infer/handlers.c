#include "infer/handlers.h"

#include <string.h>

enum { TABLE_FROM = 12 }; /* entries from which a table pays */

/* -- The list of entries -- */

static bool is_anonymous(const char *name) { return name == NULL || strstr(name, "observe@") != NULL; }

static bool same_address(const Entry *e, const char *name, const Index *index, int nindex) {
    if (e->nindex != nindex) return false;
    for (int k = 0; k < nindex; k++)
        if (e->index[k].axis != index[k].axis || (!index[k].axis && e->index[k].at != index[k].at)) return false;
    return e->name == name || strcmp(e->name, name) == 0;
}

static uint64_t address_hash(const char *name, const Index *index, int nindex) {
    uint64_t h = hash_string(name);
    for (int k = 0; k < nindex; k++) {
        h ^= index[k].axis ? (uint64_t)(uintptr_t)index[k].axis >> 4 : (uint64_t)index[k].at * 0x9E3779B97F4A7C15u;
        h = (h ^ (h >> 29)) * 0xBF58476D1CE4E5B9u;
    }
    return h ^ (h >> 32);
}

static void table_insert(Trace *t, int place) {
    const Entry *e = &t->entries[place];
    uint64_t h = address_hash(e->name, e->index, e->nindex);
    for (uint64_t k = h & (uint64_t)(t->ntable - 1);; k = (k + 1) & (uint64_t)(t->ntable - 1))
        if (t->table[k] == 0) {
            t->table[k] = place + 1;
            return;
        }
}

static void table_rebuild(Trace *t) {
    if (t->n < TABLE_FROM) {
        t->ntable = 0;
        return;
    }
    int size = 32;
    while (size < 3 * t->n) size *= 2;
    t->table = ARENA_ARRAY(t->in->arena, int, size);
    t->ntable = size;
    for (int k = 0; k < t->n; k++)
        if (t->entries[k].kind == ENTRY_SAMPLE && !is_anonymous(t->entries[k].name)) table_insert(t, k);
}

Entry *trace_add(Trace *t, const Entry *e) {
    ARENA_GROW(t->in->arena, t->entries, t->n, t->capacity, 8);
    t->entries[t->n++] = *e;
    if (2 * t->n > t->ntable)
        table_rebuild(t);
    else if (e->kind == ENTRY_SAMPLE && !is_anonymous(e->name))
        table_insert(t, t->n - 1);
    return &t->entries[t->n - 1];
}

const Entry *trace_find(const Trace *t, const char *name, const Index *index, int nindex) {
    if (t->ntable == 0) {
        for (int k = 0; k < t->n; k++) {
            const Entry *e = &t->entries[k];
            if (e->kind == ENTRY_SAMPLE && same_address(e, name, index, nindex)) return e;
        }
        return NULL;
    }
    uint64_t h = address_hash(name, index, nindex);
    for (uint64_t k = h & (uint64_t)(t->ntable - 1); t->table[k]; k = (k + 1) & (uint64_t)(t->ntable - 1)) {
        const Entry *e = &t->entries[t->table[k] - 1];
        if (same_address(e, name, index, nindex)) return e;
    }
    return NULL;
}

const Entry *trace_find_name(const Trace *t, const char *name) {
    for (int k = 0; k < t->n; k++)
        if (t->entries[k].kind == ENTRY_SAMPLE && strcmp(t->entries[k].name, name) == 0) return &t->entries[k];
    return NULL;
}

/* -- The handler -- */

static void refuse_twice(Interp *in, const Site *s) {
    const char *text = address_text(in, s->name, s->index, s->nindex);
    const char *own = strrchr(s->name, '.') ? strrchr(s->name, '.') + 1 : s->name;
    const char *hint =
        s->nindex ? "each index is drawn once; another name or another index makes it another variable"
                  : arena_printf(in->arena, "inside a loop over t, write %s[t] ~ ...: one variable for each t", own);
    ctx_raise(in->ctx, ERROR_PROGRAM, s->span, hint, "`%s` is drawn twice in one run", text);
}

/* Of a distribution with all values of a summed variable at once nothing can be drawn. */
static bool has_enumerated(const Dist *d) {
    for (int k = 0; k < d->family->decl->nparams; k++)
        for (int i = 0; d->params[k].kind == VALUE_ARRAY && i < d->params[k].u.array->naxes; i++)
            if (d->params[k].u.array->axes[i]->kind == AXIS_ENUM) return true;
    return false;
}

static void keep_data(Trace *t, Interp *in, Site *s, Entry *e) {
    bool missing = s->data.kind == VALUE_ARRAY && s->data.u.array->missing;
    if (missing && !has_enumerated(s->dist))
        effect_sample(in, NULL, s); /* what is missing is drawn, at the bottom */
    else
        s->value = s->data;
    if (!t->score) return;
    Value drawn = s->value;
    s->value = s->data;
    e->log_density = site_log_density(in, s);
    s->value = drawn;
}

void trace_draw_forward(Trace *t, Interp *in, Site *s, Entry *e) {
    s->value = dist_draw_site(in, s->dist, s, false);
    if (t->score) e->log_density = dist_logpdf(in, s->dist, s->value, false, s->span);
}

void trace_keep_data(Trace *t, Interp *in, Site *s, Entry *e) {
    (void)t, (void)in, (void)e;
    s->value = s->data;
}

void trace_draw_anew(Trace *t, Interp *in, Site *s, Entry *e) {
    (void)t, (void)e;
    s->value = dist_draw_site(in, s->dist, s, false);
}

/* Where both branches of an `if` run, `value` counts where this one is taken, `otherwise` elsewhere. */
Value value_given(Interp *in, Value value, Value otherwise, Span at) {
    Value args[3] = {in->given, value, otherwise};
    return in->given.kind == VALUE_NONE || value.kind == VALUE_NONE ? value : array_apply(in, OP_WHERE, 3, args, at);
}

static void draw_again(Trace *t, Interp *in, Site *s, Entry *e) {
    s->value = e->value;
    if (t->score) e->log_density = value_given(in, dist_logpdf(in, s->dist, s->value, false, s->span), e->log_density, s->span);
}

Entry entry_of(const Site *s) {
    Entry e = {.kind = ENTRY_SAMPLE,
               .name = s->name,
               .nindex = s->nindex,
               .dist = s->dist,
               .value = value_none(),
               .log_density = value_none(),
               .log_score = value_none(),
               .span = s->span,
               .value_span = s->value_span};
    memcpy(e.index, s->index, sizeof(Index) * (size_t)s->nindex);
    return e;
}

static void trace_sample(Handler *h, Interp *in, Site *s) {
    Trace *t = (Trace *)h;
    Entry *twin = is_anonymous(s->name) ? NULL : (Entry *)trace_find(t, s->name, s->index, s->nindex);
    if (twin && !(twin->branch && in->given.kind != VALUE_NONE)) refuse_twice(in, s);
    if (twin && !s->observed) {
        (t->again ? t->again : draw_again)(t, in, s, twin);
        return;
    }
    if (s->observed && !s->partly && s->missing != MISSING_NONE && t->imputes && t->imputes(t, s)) missing_draw(s);
    Entry e = entry_of(s);
    if (s->partly) {
        if (!t->partly || !t->partly(t, in, s, &e)) return;
        s->partly = s->observed = false;
    } else if (s->observed)
        (t->observed ? t->observed : keep_data)(t, in, s, &e);
    else
        (t->latent ? t->latent : trace_draw_forward)(t, in, s, &e);
    if (s->observed) e.log_density = value_given(in, e.log_density, value_number(0), s->span);
    e.branch = in->given.kind != VALUE_NONE;
    e.observed = s->observed;
    e.value = s->value;
    trace_add(t, &e);
}

static void trace_factor(Handler *h, Interp *in, Value v, Span at) {
    Trace *t = (Trace *)h;
    v = value_given(in, v, value_number(0), at);
    Entry e = {
        .kind = ENTRY_FACTOR, .value = v, .log_density = v, .log_score = value_none(), .span = at, .value_span = at};
    trace_add(t, &e);
}

static void trace_take(Handler *h, Interp *in, const char *name, const Index *index, int nindex, Value value, Span at) {
    (void)in;
    Entry e = {.kind = ENTRY_RECORD,
               .name = name,
               .nindex = nindex,
               .value = value,
               .log_density = value_none(),
               .log_score = value_none(),
               .span = at,
               .value_span = at};
    memcpy(e.index, index, sizeof(Index) * (size_t)nindex);
    trace_add((Trace *)h, &e);
}

static bool trace_peek(Handler *h, Interp *in, Peek *p) {
    Trace *t = (Trace *)h;
    return t->peek && t->peek(t, in, p);
}

static void trace_looped(Handler *h, Interp *in, const Axis *axis, int mark) {
    Trace *t = (Trace *)h;
    if (t->looped) t->looped(t, in, axis, mark);
}

static int trace_mark(Handler *h) { return ((Trace *)h)->n; }

static void trace_rollback(Handler *h, int mark) {
    Trace *t = (Trace *)h;
    t->n = mark;
    table_rebuild(t);
    if (t->rolled_back) t->rolled_back(t);
}

void trace_init(Trace *t, Interp *in, bool score, TracePolicy latent, void *self) {
    *t = (Trace){.handler = {.sample = trace_sample,
                             .factor = trace_factor,
                             .record = trace_take,
                             .peek = trace_peek,
                             .looped = trace_looped,
                             .mark = trace_mark,
                             .rollback = trace_rollback},
                 .in = in,
                 .score = score,
                 .latent = latent,
                 .self = self};
}

void trace_push(Trace *t) { effects_push(t->in, &t->handler); }
void trace_pop(Trace *t) { effects_pop(t->in, &t->handler); }

/* -- Values by address -- */

Value address_read(Interp *in, Value whole, const Index *index, int nindex, Span at) {
    if (nindex == 0) return whole;
    Value indices[MAX_INDEX] = {0};
    Span spans[MAX_INDEX] = {0};
    for (int k = 0; k < nindex; k++) {
        spans[k] = at;
        if (!index[k].axis) {
            indices[k] = value_number((double)index[k].at);
            continue;
        }
        Range *r = ARENA_NEW(in->arena, Range);
        *r = (Range){index[k].axis->first, index[k].axis->first + index[k].axis->size - 1};
        indices[k] = (Value){VALUE_RANGE, .u.range = r};
    }
    Value v = array_index(in, whole, nindex, indices, spans, at);
    for (int k = 0; k < nindex; k++)
        if (index[k].axis) v = array_event_to_axis(in, v, index[k].axis, at);
    return v;
}

/* One element of `axis` of a value that may not have it. */
static Value axis_element(Interp *in, Value v, const Axis *axis, int64_t at, Span span) {
    const Axis *axes[1] = {axis};
    v = array_axis_to_event(in, array_expand_axes(in, v, 1, axes), axis);
    Value place = value_number((double)(at - axis->first + 1));
    return array_index(in, v, 1, &place, &span, span);
}

/* The elements of `part`, which lies within `axis`, along that. */
static Value axis_part(Interp *in, Value v, const Axis *axis, const Axis *part, Span span) {
    Range *r = ARENA_NEW(in->arena, Range);
    *r = (Range){part->first - axis->first + 1, part->first - axis->first + part->size};
    Value all = array_axis_to_event(in, array_expand_axes(in, v, 1, &axis), axis), range = {VALUE_RANGE, .u.range = r};
    return array_event_to_axis(in, array_index(in, all, 1, &range, &span, span), part, span);
}

/* The asker runs the plate at position k at once: all its elements, asked for one by one. */
static Value gather_elements(const Trace *t, const char *name, const Index *index, int nindex, int k, Span at) {
    const Axis *axis = index[k].axis;
    Index one[MAX_INDEX];
    memcpy(one, index, sizeof(Index) * (size_t)nindex);
    Value *items = ARENA_ARRAY(t->in->arena, Value, axis->size + 1);
    for (int64_t i = 0; i < axis->size; i++) {
        one[k] = (Index){.at = axis->first + i};
        items[i] = trace_value(t, name, one, nindex, at);
        if (items[i].kind == VALUE_NONE) return value_none();
    }
    Value all = array_from_items(t->in, (int)axis->size, items, at);
    return all.kind == VALUE_ARRAY ? array_event_to_axis(t->in, all, axis, at) : value_none();
}

/* This trace ran a plate at once of which the asker wants one element, or some that are a plate or loop for him. */
static Value find_in_axis(const Trace *t, const char *name, const Index *index, int nindex, Span at) {
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        if (e->kind != ENTRY_SAMPLE || e->nindex != nindex || strcmp(e->name, name) != 0) continue;
        bool covers = true;
        for (int i = 0; i < nindex && covers; i++) {
            const Axis *axis = e->index[i].axis;
            if (index[i].axis && axis && axis != index[i].axis)
                covers = index[i].axis->first >= axis->first && !axis_is_subset(axis) && !axis_is_subset(index[i].axis) &&
                         index[i].axis->first + index[i].axis->size <= axis->first + axis->size;
            else if (index[i].axis || !axis)
                covers = axis == index[i].axis && (axis || e->index[i].at == index[i].at);
            else
                covers = index[i].at >= axis->first && index[i].at < axis->first + axis->size;
        }
        if (!covers) continue;
        Value v = e->value;
        for (int i = 0; i < nindex; i++)
            if (e->index[i].axis && index[i].axis && e->index[i].axis != index[i].axis)
                v = axis_part(t->in, v, e->index[i].axis, index[i].axis, at);
            else if (e->index[i].axis && !index[i].axis)
                v = axis_element(t->in, v, e->index[i].axis, index[i].at, at);
        return v;
    }
    return value_none();
}

Value trace_value(const Trace *t, const char *name, const Index *index, int nindex, Span at) {
    const Entry *e = trace_find(t, name, index, nindex);
    if (e) return e->value;
    if (nindex == 0) return value_none();
    Value v = find_in_axis(t, name, index, nindex, at);
    for (int k = 0; k < nindex && v.kind == VALUE_NONE; k++)
        if (index[k].axis) return gather_elements(t, name, index, nindex, k, at);
    return v;
}

/* -- Whole variables -- */

/* All elements under the first `depth` fixed indices, stacked. */
static Value assemble_from(const Trace *t, const char *name, Index *index, int depth, int nindex, Span at) {
    if (depth == nindex) {
        Value v = trace_value(t, name, index, nindex, at);
        if (v.kind != VALUE_NONE) return v;
        for (int k = 0; k < t->n; k++) /* recorded values are not in the table */
            if (t->entries[k].kind == ENTRY_RECORD && same_address(&t->entries[k], name, index, nindex))
                return t->entries[k].value;
        return value_none();
    }
    const Axis *axis = NULL;
    int64_t first = INT64_MAX, last = INT64_MIN;
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        if (e->kind == ENTRY_FACTOR || e->nindex != nindex || strcmp(e->name, name) != 0) continue;
        bool under = true;
        for (int i = 0; i < depth && under; i++)
            under = e->index[i].axis == index[i].axis && (e->index[i].axis || e->index[i].at == index[i].at);
        if (!under) continue;
        if (e->index[depth].axis) {
            axis = e->index[depth].axis;
            continue;
        }
        if (e->index[depth].at < first) first = e->index[depth].at;
        if (e->index[depth].at > last) last = e->index[depth].at;
    }
    Value whole = value_none(), one = value_none();
    if (axis) {
        index[depth] = (Index){.axis = axis};
        whole = assemble_from(t, name, index, depth + 1, nindex, at);
        if (whole.kind != VALUE_NONE)
            whole = array_axis_to_event(t->in, array_expand_axes(t->in, whole, 1, &axis), axis);
    }
    if (first > last) return whole;
    /* single elements, and perhaps a stretch that ran at once: x[1] before plate t in 2..T */
    int64_t low = axis && axis->first < first ? axis->first : first;
    int64_t high = axis && axis->first + axis->size - 1 > last ? axis->first + axis->size - 1 : last;
    Value *items = ARENA_ARRAY(t->in->arena, Value, high - low + 1);
    for (int64_t i = low; i <= high; i++) {
        if (axis && i >= axis->first && i < axis->first + axis->size) {
            Value place = value_number((double)(i - axis->first + 1));
            one = array_index(t->in, whole, 1, &place, &at, at);
        } else {
            index[depth] = (Index){.at = i};
            one = assemble_from(t, name, index, depth + 1, nindex, at);
        }
        if (one.kind == VALUE_NONE) return value_none();
        items[i - low] = one;
    }
    return array_from_items(t->in, (int)(high - low + 1), items, at);
}

Value trace_assemble(const Trace *t, const char *name, Span at) {
    Index index[MAX_INDEX];
    for (int k = 0; k < t->n; k++)
        if (t->entries[k].kind != ENTRY_FACTOR && strcmp(t->entries[k].name, name) == 0)
            return assemble_from(t, name, index, 0, t->entries[k].nindex, at);
    return value_none();
}

Value record_read(Value record, const char *name) {
    while (record.kind == VALUE_RECORD) {
        Value whole = record_get(record, name);
        if (whole.kind != VALUE_NONE) return whole;
        const char *dot = strchr(name, '.');
        if (!dot) return value_none();
        Value inner = value_none();
        for (int k = 0; k < record.u.record->n && inner.kind == VALUE_NONE; k++) {
            const char *n = record.u.record->names[k];
            if (strlen(n) == (size_t)(dot - name) && strncmp(n, name, (size_t)(dot - name)) == 0)
                inner = record.u.record->values[k];
        }
        record = inner;
        name = dot + 1;
    }
    return value_none();
}

Value record_nest(Interp *in, int n, const char *const *names, const Value *values) {
    const char **keys = ARENA_ARRAY(in->arena, const char *, n + 1);
    Value *items = ARENA_ARRAY(in->arena, Value, n + 1);
    bool *done = ARENA_ARRAY(in->arena, bool, n + 1);
    int count = 0;
    for (int k = 0; k < n; k++) {
        if (done[k]) continue;
        const char *dot = strchr(names[k], '.');
        if (!dot) {
            keys[count] = arena_strdup(in->arena, names[k]);
            items[count++] = values[k];
            continue;
        }
        size_t length = (size_t)(dot - names[k]);
        const char **inner_names = ARENA_ARRAY(in->arena, const char *, n);
        Value *inner = ARENA_ARRAY(in->arena, Value, n);
        int m = 0;
        for (int j = k; j < n; j++)
            if (!done[j] && strncmp(names[j], names[k], length) == 0 && names[j][length] == '.') {
                inner_names[m] = names[j] + length + 1;
                inner[m++] = values[j];
                done[j] = true;
            }
        keys[count] = arena_printf(in->arena, "%.*s", (int)length, names[k]);
        items[count++] = record_nest(in, m, inner_names, inner);
    }
    return value_record(in, count, keys, items);
}

unsigned entry_kind(const Entry *e) {
    if (is_anonymous(e->name)) return 0;
    if (e->kind == ENTRY_RECORD) return TRACE_RECORDED;
    return e->observed ? TRACE_OBSERVED : e->summed ? TRACE_LATENT | TRACE_SUMMED : TRACE_LATENT;
}

Value trace_record(const Trace *t, unsigned what, Span at) {
    Interp *in = t->in;
    const char **names = ARENA_ARRAY(in->arena, const char *, t->n + 1);
    Value *values = ARENA_ARRAY(in->arena, Value, t->n + 1);
    int n = 0;
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        if (!(entry_kind(e) & what)) continue;
        bool seen = false;
        for (int j = 0; j < n && !seen; j++) seen = strcmp(names[j], e->name) == 0;
        if (seen) continue;
        Value v = trace_assemble(t, e->name, at);
        if (v.kind == VALUE_NONE) continue;
        names[n] = e->name;
        values[n++] = v;
    }
    return record_nest(in, n, names, values);
}

/* -- Sums -- */

void terms_add(Terms *t, Interp *in, Value v, const Axis *particles) {
    if (v.kind == VALUE_NONE) return;
    Array a = value_array(in, v, in->ctx->span, "a log density");
    Shape shape = a.var.value->shape;
    uint32_t dims = 0;
    for (int k = 0; k < shape.rank; k++)
        if (k >= a.naxes || (a.axes[k] != particles && a.axes[k] != t->kept)) dims |= 1u << k;
    Var sum = op_sum_linear(in->tape, a.var, dims);
    double scale = 1; /* a batch stands for the whole plate */
    for (int k = 0; k < a.naxes; k++)
        if (axis_is_subset(a.axes[k]) && a.axes[k] != t->kept) scale *= (double)a.axes[k]->population / (double)a.axes[k]->size;
    if (scale != 1) sum = op2(in->tape, OP_MUL, sum, var_number(in->tape, scale));
    ARENA_GROW(in->arena, t->list, t->n, t->capacity, 8);
    t->list[t->n++] = sum;
}

Var terms_total(const Terms *t, Interp *in) {
    return t->n ? op_total(in->tape, t->n, t->list) : var_number(in->tape, 0);
}
