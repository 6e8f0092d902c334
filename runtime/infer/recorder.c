#include "infer/recorder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mapping.h"
#include "infer/batch.h"
#include "interp/effects.h"
#include "interp/stdlib.h"

enum { MAX_RECORDINGS = 8 };

void scope_save(Interp *in, Scope *s) {
    *s = (Scope){.arena = in->arena,
                 .tape = in->tape,
                 .handler = in->handler,
                 .nplates = in->nplates,
                 .depth = in->depth,
                 .dist_level = in->dist_level,
                 .address = in->address,
                 .draw = in->draw,
                 .split = in->split,
                 .overlay = in->overlay,
                 .batches = in->batches,
                 .training = in->training,
                 .at_once = in->at_once,
                 .refining = in->refining,
                 .given = in->given,
                 .selecting = in->selecting,
                 .round = in->round,
                 .draw_count = in->draw_count,
                 .seed = in->ctx->seed,
                 .span = in->ctx->span};
    memcpy(s->plates, in->plates, sizeof s->plates);
}

void scope_enter(Interp *in, Scope *s, Arena *arena, Tape *tape, uint64_t seed) {
    scope_save(in, s);
    in->arena = arena;
    in->tape = tape;
    in->nplates = 0;
    in->address = NULL;
    in->draw = NULL;
    in->split = NULL;
    in->overlay = NULL;
    in->batches = NULL;
    in->training = TRAINING_NONE;
    in->at_once = false;
    in->given = value_none();
    in->selecting = NULL;
    in->round = NULL;
    in->draw_count = 0;
    in->ctx->seed = seed;
}

void scope_leave(Interp *in, const Scope *s) {
    in->arena = s->arena;
    in->tape = s->tape;
    in->handler = s->handler;
    memcpy(in->plates, s->plates, sizeof s->plates);
    in->nplates = s->nplates;
    in->depth = s->depth;
    in->dist_level = s->dist_level;
    in->address = s->address;
    in->draw = s->draw;
    in->split = s->split;
    in->overlay = s->overlay;
    in->batches = s->batches;
    in->training = s->training;
    in->at_once = s->at_once;
    in->refining = s->refining;
    in->given = s->given;
    in->selecting = s->selecting;
    in->round = s->round;
    in->draw_count = s->draw_count;
    in->ctx->seed = s->seed;
    in->ctx->span = s->span;
}

void scope_protect(Interp *in, void (*body)(void *), void *self, Arena *owned) {
    Scope saved;
    scope_save(in, &saved);
    Error e;
    if (ctx_protect(in->ctx, body, self, &e)) return;
    scope_leave(in, &saved);
    arena_free(owned);
    ctx_reraise(in->ctx, &e);
}

/* -- Recordings -- */

typedef struct Recording {
    Program *program;
    void *data;
    uint64_t shape; /* of the batches: recordings are for one size of each */
} Recording;

static void release_programs(void *self) {
    Recorder *r = self;
    recorder_forget(r);
    arena_free(r->arena);
    r->arena = NULL;
}

void recorder_init(Recorder *r, Interp *in, Arena *keep, uint64_t seed, void *(*record)(Recorder *, void *),
                   void *self) {
    const char *walk = getenv("PPL_WALK"); /* for tests: walk the tree at every step */
    *r = (Recorder){
        .in = in, .record = record, .self = self, .seed = seed, .keep = keep, .walk = walk && strcmp(walk, "1") == 0};
    r->arena = ctx_arena(in->ctx);
    arena_defer(keep, release_programs, r);
}

double recorder_flops(const Recorder *r) {
    double most = 0;
    for (int k = 0; k < r->n; k++) most = fmax(most, program_flops(r->list[k]->program));
    return most;
}

void recorder_forget(Recorder *r) {
    for (int k = 0; k < r->n; k++) {
        program_free(r->list[k]->program);
        free(r->list[k]);
    }
    r->n = 0;
}

void recorder_end(Recorder *r) {
    recorder_forget(r);
    arena_clear(r->arena);
}

void recorder_output(Recorder *r, Var var, real *place) {
    ARENA_GROW(r->in->arena, r->outputs, r->noutputs, r->capacity, 16);
    r->outputs[r->noutputs++] = (struct Output){var, place};
}

static Program *make_program(Recorder *r, Tape *t) {
    Var *vars = ARENA_ARRAY(r->arena, Var, r->noutputs + 1);
    real **places = ARENA_ARRAY(r->arena, real *, r->noutputs + 1);
    for (int k = 0; k < r->noutputs; k++) vars[k] = r->outputs[k].var, places[k] = r->outputs[k].place;
    return program_new_last(t, r->noutputs, vars, places, r->arena); /* a program needs much less */
}

/* Latest first; the one that has not been used for longest goes. */
static Recording *keep_recording(Recorder *r, Program *p, void *data, uint64_t shape) {
    Recording *one;
    if (r->n == MAX_RECORDINGS) {
        one = r->list[r->n - 1];
        program_free(one->program);
    } else {
        one = calloc(1, sizeof *one);
        if (!one) ctx_raise_here(r->in->ctx, ERROR_PROGRAM, "memory is exhausted");
        r->n++;
    }
    memmove(r->list + 1, r->list, sizeof *r->list * (size_t)(r->n - 1));
    *one = (Recording){p, data, shape};
    r->list[0] = one;
    return one;
}

/* Walks the tree; where `lazy`, without the numbers. */
static void *walk_tree(Recorder *r, uint32_t step, uint32_t particle, bool lazy, Tape **tape) {
    Interp *in = r->in;
    arena_reset(r->arena);
    r->noutputs = r->capacity = 0;
    Tape *t = *tape = tape_new(in->ctx, r->arena, true);
    memcpy(t->inputs, r->inputs.slots, sizeof t->inputs);
    t->lazy = lazy;
    t->step = step;
    t->particle = particle;
    Scope saved;
    scope_enter(in, &saved, r->arena, t, r->seed);
    in->batches = r->batches ? &r->batches->plates : NULL;
    void *data = r->record(r, r->self);
    scope_leave(in, &saved);
    memcpy(r->inputs.slots, t->inputs, sizeof t->inputs); /* some begin or move in a walk */
    return data;
}

/* The outputs as computed by the walk; false: some wait for the program. */
static bool take_outputs(const Recorder *r) {
    for (int k = 0; k < r->noutputs; k++)
        if (!r->outputs[k].var.value->data) return false;
    for (int k = 0; k < r->noutputs; k++) tensor_copy_out(r->outputs[k].var.value, r->outputs[k].place);
    return true;
}

/* A program costs several walks: where none that there is has held for long (branches on many draws), most runs walk. */
static bool pays(const Recorder *r) { return r->misses <= 2 * MAX_RECORDINGS || r->misses % (2 * MAX_RECORDINGS) == 0; }

static void *record_anew(Recorder *r, uint32_t step, uint32_t particle, uint64_t shape, bool keep) {
    Tape *tape;
    void *data = walk_tree(r, step, particle, keep, &tape);
    bool taken = take_outputs(r);
    r->walked = !keep;
    if (r->walk) recorder_forget(r);
    if (!keep) return data;
    Recording *one = keep_recording(r, make_program(r, tape), data, shape);
    if (!taken && program_run(one->program, &r->inputs) != RUN_DONE) { /* the walk says what is wrong */
        data = walk_tree(r, step, particle, false, &tape);
        take_outputs(r);
    }
    memory_trim();
    r->noutputs = r->capacity = 0;
    return data;
}

/* Gives the size of the batches. */
static uint64_t prepare_batches(Recorder *r, uint32_t step) {
    uint64_t shape = batch_prepare(r->batches, step);
    mappings_trim(r->in->ctx); /* data that lie in files */
    r->inputs.slots[SLOT_BATCH] = r->batches->elements;
    return shape;
}

/* The batches of a step, and what programs read. Gives the size of the batches. */
static inline uint64_t prepare_inputs(Recorder *r, uint32_t step, uint32_t particle) {
    if (r->params) r->inputs.slots[SLOT_PARAMS] = *r->params;
    r->inputs.step = step, r->inputs.particle = particle;
    return r->batches ? prepare_batches(r, step) : 0;
}

static Recording *run_recorded(Recorder *r, uint64_t shape) {
    for (int k = 0; k < r->n; k++) {
        Recording *one = r->list[k];
        if (one->shape != shape || program_run(one->program, &r->inputs) != RUN_DONE) continue;
        memmove(r->list + 1, r->list, sizeof *r->list * (size_t)k);
        r->misses = 0;
        r->walked = false;
        return r->list[0] = one;
    }
    return NULL;
}

bool recorder_replay(Recorder *r, uint32_t step, uint32_t particle) {
    return run_recorded(r, prepare_inputs(r, step, particle)) != NULL;
}

void *recorder_run(Recorder *r, uint32_t step, uint32_t particle) {
    uint64_t shape = prepare_inputs(r, step, particle);
    const Recording *one = run_recorded(r, shape);
    if (one) return one->data;
    r->misses++;
    return record_anew(r, step, particle, shape, !r->walk && pays(r));
}

const char *recorder_first_nonfinite(Recorder *r, Arena *a, Span *at) {
    Span found = *at;
    bool walk = r->walk;
    r->walk = false;
    if (r->n == 0 || r->walked)
        record_anew(r, r->inputs.step, r->inputs.particle, r->batches ? batch_prepare(r->batches, r->inputs.step) : 0, true);
    r->walk = walk;
    const char *what = NULL;
    if (program_run(r->list[0]->program, &r->inputs) == RUN_DONE)
        what = program_first_nonfinite(r->list[0]->program, a, &found);
    if (!stdlib_holds(found)) *at = found; /* a line of the user's */
    if (r->walk) recorder_forget(r);
    return what;
}
