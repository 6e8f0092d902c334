/* refinement(fit, m, q): the ELBO, step by step. */
#include "infer/builtins.h"
#include "infer/diagnostics.h"
#include "infer/elements.h"
#include "infer/queries.h"

typedef struct Steps {
    Query query;
    Pair *pair;
    Recorder recorder;
    int n;         /* of ELBOs; 0: not recorded yet */
    real *values;  /* of the chunk: [n] */
    bool elements; /* they are means over elements */
    double *sums;  /* of values, chunks weighed */
} Steps;

/* One run of the guide: the ELBOs before the steps and after the last. */
static void *record_steps(Recorder *r, void *self) {
    Steps *s = self;
    Interp *in = r->in;
    Pass *p = ARENA_NEW(in->arena, Pass);
    pass_run(p, s->pair, in, NULL, PASS_TERMS);
    const Refinement *f = &p->refinement;
    if (f->n != 1)
        ctx_raise(in->ctx, ERROR_PROGRAM, s->query.args->spans[2], NULL,
                  f->n ? "the guide `%s` refines %d times in a run" : "the guide `%s` has no `refine`",
                  s->pair->guide_name, f->n);
    Elements e;
    elements_split(&e, p, in);
    const Axis *plate = e.plate;
    s->elements = plate != NULL;
    Var *elbos = ARENA_ARRAY(in->arena, Var, f->nelbos + 1);
    for (int k = 0; k < f->nelbos; k++) elbos[k] = f->elbos[k];
    elbos[f->nelbos] = pass_elbo(p, in, 1);
    Var all = op_stack(in->tape, f->nelbos + 1, elbos);
    if (plate) all = op2(in->tape, OP_DIV, all, var_number(in->tape, (real)plate->population));
    if (s->n == 0) {
        s->n = f->nelbos + 1;
        s->values = ARENA_ARRAY(s->query.arena, real, s->n);
        s->sums = ARENA_ARRAY(s->query.arena, double, s->n);
    }
    recorder_output(r, all, s->values);
    return s;
}

static void add_runs(Steps *s, long samples) {
    for (int64_t c = 0; c < query_chunks(s->pair); c++) {
        query_chunk(s->pair, c);
        for (long k = 0; k < samples; k++) {
            recorder_run(&s->recorder, (uint32_t)(STEP_FRESH + k), 0);
            if (s->pair->batches && !s->elements) return;
            double weight = s->pair->batches ? query_share(s->pair) : 1;
            for (int i = 0; i < s->n; i++) s->sums[i] += weight * s->values[i] / (double)samples;
        }
    }
}

static void steps_start(Steps *s, uint64_t seed) {
    s->n = 0;
    recorder_init(&s->recorder, s->query.in, s->query.arena, seed, record_steps, s);
    s->recorder.params = &s->pair->params->values;
    s->recorder.batches = s->pair->batches;
}

static void refinement_body(void *self) {
    Steps *s = self;
    Interp *in = s->query.in;
    const Args *a = s->query.args;
    uint64_t seed = key_fold(in->ctx->seed, hash_string("refinement"));
    s->pair = query_pair(&s->query, fit_of(in, a->values[0], a->spans[0]), 4, seed);
    long samples = argument_count(in, a, 3, 1, 1, "the number of samples");
    steps_start(s, seed);
    add_runs(s, samples);
    if (s->pair->batches && !s->elements) { /* something does not belong to one element: all at once */
        query_whole(s->pair);
        steps_start(s, seed);
        add_runs(s, samples);
    }
    Tensor *t = tensor_new(in->ctx, in->arena, shape1(s->n));
    for (int k = 0; k < s->n; k++) t->data[k] = (real)s->sums[k];
    s->query.result = value_tensor(in, t);
}

static Value call_refinement(Interp *in, const Args *a) {
    Steps s = {.query = {.in = in, .args = a, .arena = ctx_arena(in->ctx)}};
    scope_protect(in, refinement_body, &s, s.query.arena);
    arena_free(s.query.arena);
    return s.query.result;
}

const Builtin builtins_steps[] = {
    {"refinement", "(fit, m, q, samples = , refine = )", call_refinement,
     "the mean ELBO per element before the first step of `refine` and after each; samples: of each, 1; refine: other steps "
     "than were trained (Marino, Yue, Mandt 2018)",
     0},
    {0},
};
