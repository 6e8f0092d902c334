/* save and load: what was learned, as a file of named arrays (safetensors, so that Python reads it; or .json). */
#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"
#include "io/data.h"

static const char *path_argument(Interp *in, const Args *a) {
    return value_to_string(in, a->values[0], a->spans[0], "the path of a file");
}

static Value call_save(Interp *in, const Args *a) {
    const char *path = path_argument(in, a);
    Fit *f = a->values[1].kind == VALUE_NONE ? infer_state(in)->latest : fit_of(in, a->values[1], a->spans[1]);
    if (!f)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "fit a model first",
                  "there is no fit whose parameters could be saved");
    if (f->params->n == 0)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->span, "write(\"draws.csv\", fit) writes its draws",
                  "the fit has no learned parameters to save");
    DataItem *items = ARENA_ARRAY(in->arena, DataItem, f->params->n);
    for (int k = 0; k < f->params->n; k++) {
        Array v = value_array(in, params_value(f->params, in, k), a->span, "a parameter");
        items[k] = (DataItem){.name = f->params->list[k].name, .value = v.var.value};
    }
    data_write(in->ctx, path, items, f->params->n, a->span);
    return value_nothing();
}

/* Values as they were written: constrained, so of kind REAL here. */
static void add_loaded(ParamStore *s, Interp *in, const char *name, const Tensor *t) {
    ParamInfo *p = &s->list[s->n++];
    *p = (ParamInfo){.name = arena_strdup(s->arena, name),
                     .kind = CONSTRAINT_REAL,
                     .event = t->shape,
                     .shape = t->shape,
                     .free = t->shape,
                     .offset = s->size,
                     .size = shape_size(t->shape),
                     .span = in->ctx->span};
    for (int64_t i = 0; i < p->size; i++) s->values[p->offset + i] = tensor_item(t, i);
    s->size += p->size;
}

static Value call_load(Interp *in, const Args *a) {
    const char *path = path_argument(in, a);
    Data *d = data_read(in->ctx, in->arena, path, a->spans[0]);
    if (d->kind != DATA_NAMED)
        ctx_raise(in->ctx, ERROR_PROGRAM, a->spans[0], "save(\"net.safetensors\") writes such a file",
                  "%s holds no named arrays", path);
    Fit *f = fit_new(in);
    ParamStore *s = f->params = ARENA_NEW(f->arena, ParamStore);
    params_init(s, in, f->arena);
    int64_t total = 0;
    for (int k = 0; k < d->n; k++) total += shape_size(data_value(in->ctx, d, &d->items[k], a->spans[0])->shape);
    s->list = ARENA_ARRAY(f->arena, ParamInfo, d->n + 1);
    s->capacity = d->n;
    s->values = ARENA_ARRAY(f->arena, real, total + 1);
    s->reserved = total;
    for (int k = 0; k < d->n; k++)
        add_loaded(s, in, d->items[k].name, data_value(in->ctx, d, &d->items[k], a->spans[0]));
    bool partial = a->values[1].kind != VALUE_NONE && value_to_bool(in, a->values[1], a->spans[1], "partial");
    if (!partial) s->file = arena_strdup(f->arena, path);
    f->report.method = "load", f->report.model = arena_strdup(f->arena, path), f->report.stop = "loaded";
    f->report.verdict = "learned parameters from a file";
    session_take_fit(in, f);
    return fit_value(in, f);
}

const Builtin builtins_store[] = {
    {"save", "(path, fit = )", call_save, "write the learned parameters of a fit (the latest) to a .safetensors or .json file", 0},
    {"load", "(path, partial = )", call_load,
     "read learned parameters: a fit for from =, posterior and simulate. What the file lacks is an error; partial = true: "
     "begins at its initial value", 0},
    {0},
};
