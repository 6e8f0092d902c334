/* Running a computation again and again: recorded on a tape once, then as a program.
 *
 * A Recorder records what its callback computes (walking the tree under handlers, lazily: what reads a taped value asks
 * tape_value or leaves a guard), makes a program of the outputs and runs that, now and from then on. Where a guard does not hold it records again; several programs are kept and tried in turn.
 * With `walk` the tree is walked every time (PPL_WALK=1 in the environment, for tests): the results are the same bits.
 */
#ifndef INFER_RECORDER_H
#define INFER_RECORDER_H

#include "interp/interp.h"
#include "tape/program.h"

/* The vectors that recordings read. */
enum { SLOT_PARAMS = 0, SLOT_POINT = 1, SLOT_VECTOR = 2, SLOT_BATCH = 3, SLOT_BASELINE = 4, SLOT_WEIGHT = 5 };

/* Steps of training count from 1; what is estimated afterwards uses other noise. */
enum { STEP_FRESH = 0x40000000, STEP_CHECK = 0x20000000 };

/* The part of an Interp that belongs to the work at hand. */
typedef struct Scope {
    Arena *arena;
    Tape *tape;
    struct Handler *handler;
    const Axis *plates[MAX_AXES];
    int nplates, depth, dist_level;
    struct Address *address;
    struct DrawSite *draw;
    const Axis *split;
    Value *overlay;
    Batches *batches;
    TrainingMode training;
    bool at_once;
    struct RefineStep *refining;
    Value given;
    const Axis *selecting;
    const PlateRound *round;
    uint64_t draw_count, seed;
    Span span;
} Scope;
/* From here on work in `arena` on `tape`, as at top level, with this seed; and back. */
void scope_enter(Interp *in, Scope *saved, Arena *arena, Tape *tape, uint64_t seed);
void scope_leave(Interp *in, const Scope *saved);
void scope_save(Interp *in, Scope *saved);
/* body(self); when it raises, the scope is as before, `owned` (may be NULL) is freed, and it is raised again. */
void scope_protect(Interp *in, void (*body)(void *), void *self, Arena *owned);

typedef struct Recorder Recorder;
struct Recorder {
    Interp *in;
    /* Computes on in->tape and names its outputs. What it gives is handed out by recorder_run when this recording ran.
     */
    void *(*record)(Recorder *r, void *self);
    void *self;
    uint64_t seed;
    RunInputs inputs;          /* slots: of the next run; all: of the last one */
    real *const *params;       /* where SLOT_PARAMS is before each run: the vector moves when it grows; NULL: slots says */
    struct BatchPlan *batches; /* batch.h; NULL: all plates run whole */
    bool walk;
    Arena *keep;               /* lives as long as the recorder; owns the programs */
    Arena *arena;              /* of the recording at work */
    struct Recording *list[8]; /* latest used first */
    int n;
    struct Output {
        Var var;
        real *place;
    } * outputs;
    int noutputs, capacity;
    long misses; /* runs since a program held */
    bool walked; /* the last run left no program */
};

void recorder_init(Recorder *r, Interp *in, Arena *keep, uint64_t seed, void *(*record)(Recorder *, void *),
                   void *self);
/* Within record: place[0..size of var) is to hold this, row by row; it lives as long as `keep`. */
void recorder_output(Recorder *r, Var var, real *place);
void *recorder_run(Recorder *r, uint32_t step, uint32_t particle);
/* The same by a program that there is already; false: none holds. Raises nothing, walks nothing. */
bool recorder_replay(Recorder *r, uint32_t step, uint32_t particle);
/* Operations of the matrix products of the costliest program. */
double recorder_flops(const Recorder *r);
/* Forget all programs (the vectors they write to have moved). */
void recorder_forget(Recorder *r);
void recorder_end(Recorder *r); /* the same, and its memory goes: it is not used again, though its `keep` lives on */
/* The first operation of the last run whose result is not finite, with its operands; NULL: all are. `at` becomes its place
 * where that is in the program, not in the library. */
const char *recorder_first_nonfinite(Recorder *r, Arena *a, Span *at);

#endif
