#include "infer/identity.h"

#include <string.h>

#include "infer/options.h"
#include "infer/program_tree.h"
#include "interp/internal.h"
#include "interp/stdlib.h"
#include "lang/dump.h"

enum { SAMPLED = 1024 };

/* -- Values, by a number that stands for them -- */

static uint64_t fold_number(uint64_t key, double x) { return hash_bytes(&x, sizeof x, key); }

/* Large arrays (they may be files) by some of their elements, the first and the last among them. */
static uint64_t fold_tensor(uint64_t key, const Tensor *t) {
    int64_t n = shape_size(t->shape), parts = n < SAMPLED ? n : SAMPLED;
    for (int k = 0; k < t->shape.rank; k++) key = key_fold(key, (uint64_t)t->shape.dim[k]);
    for (int64_t k = 0; k < parts; k++)
        key = fold_number(key,
                          tensor_item(t, parts > 1 ? (int64_t)((double)k / (double)(parts - 1) * (double)(n - 1)) : 0));
    return key;
}

static uint64_t fold_value(uint64_t key, Value v);

static uint64_t fold_values(uint64_t key, int n, const Value *values) {
    for (int k = 0; k < n; k++) key = fold_value(key, values[k]);
    return key_fold(key, (uint64_t)n);
}

static uint64_t fold_call(uint64_t key, const Call *c) {
    key = hash_bytes(c->closure->function->name, strlen(c->closure->function->name), key);
    return fold_values(key, c->n, c->arguments);
}

static uint64_t fold_value(uint64_t key, Value v) {
    key = key_fold(key, v.kind);
    switch (v.kind) {
    case VALUE_NUMBER: return fold_number(key, v.u.number);
    case VALUE_ARRAY: return fold_tensor(key, v.u.array->var.value);
    case VALUE_STRING: return hash_bytes(v.u.string->text, v.u.string->length, key);
    case VALUE_RANGE: return key_fold(key_fold(key, (uint64_t)v.u.range->first), (uint64_t)v.u.range->last);
    case VALUE_TUPLE:
    case VALUE_LIST: return fold_values(key, v.u.list->n, v.u.list->items);
    case VALUE_RECORD: return fold_values(key, v.u.record->n, v.u.record->values);
    case VALUE_CALL: return fold_call(key, v.u.call);
    default: return key;
    }
}

static void identify_number(Job *job, const char *key, uint64_t number) {
    Arena *a = job->in->arena;
    checkpoint_identify(job->checkpoint, key, arena_printf(a, "%016llx", (unsigned long long)number), true);
}

/* -- The program -- */

static bool is_read(Interp *in, int slot) {
    for (int k = 0; k < in->nglobals; k++) {
        Value v = in->globals[k];
        if (v.kind == VALUE_FUNCTION && tree_function_reads(v.u.closure->function, slot)) return true;
    }
    return false;
}

static void identify_global(Job *job, const char *name, Value v, int slot) {
    Interp *in = job->in;
    if (v.kind == VALUE_FUNCTION) {
        Buf text = {0};
        lang_dump_function(v.u.closure->function, &text);
        identify_number(job, arena_printf(in->arena, "the function `%s`", name), hash_string(text.text));
        buf_free(&text);
    } else if (value_is_numeric(v) && is_read(in, slot)) {
        identify_number(job, arena_printf(in->arena, "the value of `%s`", name), fold_value(0, v));
    }
}

/* -- Options -- */

/* Others do not change the steps, or stand under a key of their own. */
static bool is_identity(const Job *job, int argument) {
    switch (argument) {
    case ARG_method:
    case ARG_batch:
    case ARG_optimizer:
    case ARG_rates:
    case ARG_discrete:
    case ARG_refine: return true;
    case ARG_every: return job->held_model != NULL;
    default: return false;
    }
}

static void identify_options(Job *job, const Args *a) {
    for (int k = ARG_GUIDE + 1; k < NARGS; k++) {
        if (!is_identity(job, k)) continue;
        Buf text = {0};
        if (a->values[k].kind == VALUE_NONE)
            buf_add(&text, "as it is by default");
        else
            value_show(job->in, a->values[k], &text, true);
        checkpoint_identify(job->checkpoint, arena_printf(job->in->arena, "`%s`", infer_options[k - ARG_GUIDE].name),
                            text.text, false);
        buf_free(&text);
    }
}

void identity_check(Job *job, const Args *a) {
    Interp *in = job->in;
    const Pair *p = job->pair;
    Checkpoint *c = job->checkpoint;
    checkpoint_identify(c, "the model", p->model->closure->function->name, false);
    checkpoint_identify(c, "the guide", p->guide_name ? p->guide_name : "none", false);
    checkpoint_identify(c, "the precision", sizeof(real) == 4 ? "single" : "double", false);
    checkpoint_identify(c, "the seed", arena_printf(in->arena, "%llu", (unsigned long long)job->seed), false);
    identify_options(job, a);
    for (int k = 0; k < in->nglobals; k++) identify_global(job, lang_global(in->names, k)->name, in->globals[k], k);
    identify_number(job, "what the model is given", fold_call(0, p->model));
    if (p->guide) identify_number(job, "what the guide is given", fold_call(0, p->guide));
    identify_number(job, "what is held out", fold_value(0, a->values[ARG_held_out]));
}
