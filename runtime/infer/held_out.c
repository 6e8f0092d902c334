#include "infer/held_out.h"

#include "infer/builtins.h"
#include "infer/local.h"
#include "infer/elements.h"

enum { ELEMENTS = 1000, MOST_SAMPLES = 100 }; /* draws in all, where elements are few */

struct HeldOut {
    Pair pair;
    Recorder recorder;
    real *value; /* of a run, of all elements */
    double elements;
};

void held_out_read(Job *job, Value v, Span at) {
    Interp *in = job->in;
    Pair *p = job->pair;
    bool both = v.kind == VALUE_TUPLE && v.u.list->n == 2;
    Value model = both ? v.u.list->items[0] : v;
    if (p->guide && !both)
        ctx_raise(in->ctx, ERROR_PROGRAM, at,
                  arena_printf(in->arena, "held_out = (%s(test), %s(test))", p->model->closure->function->name,
                               p->guide_name),
                  "`held_out` needs the guide on these data too");
    job->held_model = model_keep(in, p->arena, model_argument(in, model, FUNCTION_MODEL, at));
    if (both) job->held_guide = model_keep(in, p->arena, model_argument(in, v.u.list->items[1], FUNCTION_GUIDE, at));
    if (both && !p->guide)
        ctx_raise(in->ctx, ERROR_PROGRAM, at, "held_out = m(test)", "`held_out` has a guide, the training has none");
    job->held_span = at;
}

static void *record_held_out(Recorder *r, void *self) {
    HeldOut *h = self;
    Pass p;
    pass_run(&p, &h->pair, r->in, NULL, PASS_TERMS);
    Elements e;
    elements_split(&e, &p, r->in);
    const Axis *plate = e.plate;
    h->elements = plate ? (double)plate->size : 1;
    recorder_output(r, pass_elbo(&p, r->in, 1), h->value);
    return h;
}

HeldOut *held_out_new(Job *job) {
    Arena *a = job->fit->arena;
    HeldOut *h = ARENA_NEW(a, HeldOut);
    h->pair = *job->pair;
    h->pair.batches = NULL;
    h->pair.model = job->held_model;
    if (job->held_guide) h->pair.guide = job->held_guide;
    h->pair.span = job->held_span;
    h->value = ARENA_NEW(a, real);
    Pair check = h->pair;
    Latents found; /* the first run finds the layout anew: it must be the one that is trained */
    if (check.latents) {
        latents_init(&found, a, check.latents->noncentre, true, check.latents->method);
        check.latents = &found;
    }
    int known = job->pair->params->n;
    pair_check(&check, job->in, job->seed);
    if (check.latents && (found.size != h->pair.latents->size || local_any(h->pair.latents)))
        ctx_raise(job->in->ctx, ERROR_PROGRAM, job->held_span,
                  "write a guide that computes them from the data, or hold out none",
                  "the held-out data have latents of their own, which an automatic guide has not learned");
    if (job->pair->params->n > known)
        ctx_raise(job->in->ctx, ERROR_PROGRAM, job->held_span,
                  "hold out data that the same networks and parameters explain",
                  "the model or guide of the held-out data reads the parameter `%s`, which is not trained",
                  job->pair->params->list[known].name);
    recorder_init(&h->recorder, job->in, a, key_fold(job->seed, hash_string("held out")), record_held_out, h);
    return h;
}

double held_out_value(HeldOut *h) {
    double sum = 0;
    long samples = 1;
    h->recorder.params = &h->pair.params->values;
    for (long k = 0; k < samples; k++) {
        recorder_run(&h->recorder, (uint32_t)(STEP_FRESH + k), 0);
        if (k == 0 && h->elements < ELEMENTS) samples = (long)(ELEMENTS / h->elements);
        if (samples > MOST_SAMPLES) samples = MOST_SAMPLES;
        sum += *h->value / h->elements;
    }
    return sum / (double)samples;
}

bool held_out_by_element(const HeldOut *h) { return h->elements > 1; }

void held_out_forget(HeldOut *h) { recorder_end(&h->recorder); }
