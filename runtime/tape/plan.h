/* From a tape to steps over placed values: what program.c turns into instructions. Private to tape/. */
#ifndef TAPE_PLAN_H
#define TAPE_PLAN_H

#include "tape/kernels.h"

typedef enum Home {
    HOME_BUFFER,   /* in the program's buffer at `place` bytes */
    HOME_PLACE,    /* the caller's, `tensor->data` says where */
    HOME_CONSTANT, /* kept by the program */
    HOME_INPUT,    /* slots[slot] + start, another address in another run */
    HOME_BLOCK     /* nowhere as a whole: in slot `place` of its unit, a block at a time (fuse.c) */
} Home;

/* Something with a shape that a step reads or writes. Views share the memory of their base. */
typedef struct Value {
    Tensor *tensor; /* base in the buffer or an input: data is PLAN_ORIGIN + offset until it is known */
    int base;       /* the value that owns the memory; itself unless it is a view */
    int step;       /* the step that writes the base, or -1 */
    int last;       /* the last step that reads the base; PLAN_FOREVER for outputs */
    Home home;
    int slot;
    int64_t start;
    size_t place;
    int whole; /* -1, or the output of CONCAT of which this array is a part, computed in its place, */
    int64_t element; /* from here on */
    bool has_parts;  /* some value's `whole` is this */
} Value;

enum { PLAN_FOREVER = INT32_MAX };

typedef struct Step {
    Op op; /* OP_GUARD: in[0] must equal `expected` */
    Span span;
    bool backward; /* made by differentiation */
    int rank;      /* in the order of the tape */
    int n;
    int *in; /* values */
    int out; /* a value; -1 for a guard */
    const OpAttr *attr;
    const Tensor *expected;
    const struct Indexed *indexed; /* as of KernelCall */
    int takes;  /* 1 + an operand that is computed on the way, by the step before this one; 0: none (pairs.c) */
    bool taken; /* so by the next step */
} Step;

/* Steps that run as one: a single one (behind the one that it takes), or elementwise steps and sums of their results that
 * are taken together, a block of at most BLOCK columns of one of `rows` rows at a time. */
typedef struct Unit {
    int first, count;
    int64_t rows, columns; /* rows 0: a single step */
    int slots;             /* room for blocks that it needs */
} Unit;
enum { BLOCK = 4096 / (int)sizeof(real), BLOCK_SLOTS = 16 };

typedef struct Plan {
    Ctx *ctx;
    Arena *arena; /* of the program */
    Value *values;
    int nvalues, value_room;
    Step *steps;
    int nsteps, step_room;
    Unit *units; /* in the order of the steps */
    int nunits;
    size_t bytes; /* of the buffer */
    int *outputs, noutputs; /* values, dense */
    struct Relaid *relaid; /* constant matrices laid out anew */
    struct KnownIndex *indices;
} Plan;

/* Stands for an address that is not known yet; never read or written. */
extern const real plan_origin[1];
#define PLAN_ORIGIN ((real *)(uintptr_t)plan_origin)

/* Lives in p->arena, as do the constants; the tape may go. */
void plan_make(Plan *p, const Tape *t, int n, const Var *outputs, real *const *place);

/* -- Two steps in one loop (pairs.c) -- */
void plan_pairs(Plan *p, Arena *scratch);
/* The step that s takes, if any. */
Step *step_taken(const Plan *p, const Step *s);
/* What the loop of a step, and of the one it takes, reads: values. Gives how many. */
int step_operands(const Plan *p, const Step *s, int *values);
RowFn *step_pair_row(const Plan *p, const Step *s, const int64_t *stride);

/* -- Fusion (fuse.c) -- */
void plan_units(Plan *p, Arena *scratch, bool fuse); /* puts the steps into another order */
void plan_slots(Plan *p, Arena *scratch);            /* once it is known how long values live */

#endif
