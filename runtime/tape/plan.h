/* From a tape to steps over placed values: what program.c turns into instructions. Private to tape/. */
#ifndef TAPE_PLAN_H
#define TAPE_PLAN_H

#include "tape/kernels.h"

typedef enum Home {
    HOME_BUFFER,   /* in the program's buffer at `place` bytes */
    HOME_PLACE,    /* the caller's, `tensor->data` says where */
    HOME_CONSTANT, /* kept by the program */
    HOME_INPUT     /* slots[slot] + start, another address in another run */
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
} Value;

enum { PLAN_FOREVER = INT32_MAX };

typedef struct Step {
    Op op; /* OP_GUARD: in[0] must equal `expected` */
    Span span;
    int n;
    int *in; /* values */
    int out; /* a value; -1 for a guard */
    const OpAttr *attr;
    const Tensor *expected;
} Step;

typedef struct Plan {
    Ctx *ctx;
    Arena *arena; /* of the program */
    Value *values;
    int nvalues, value_room;
    Step *steps;
    int nsteps, step_room;
    size_t bytes; /* of the buffer */
    int *outputs; /* values, dense */
    struct Relaid *relaid; /* constant matrices laid out anew */
} Plan;

/* Stands for an address that is not known yet; never read or written. */
extern const real plan_origin[1];
#define PLAN_ORIGIN ((real *)(uintptr_t)plan_origin)

/* Lives in p->arena, as do the constants; the tape may go. */
void plan_make(Plan *p, const Tape *t, int n, const Var *outputs, real *const *place);

#endif
