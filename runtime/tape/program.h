/* A program: a tape, optimised, planned and run again and again.
 *
 * Dead nodes are dropped, every intermediate has its place in one buffer (by liveness), and a run walks a flat array
 * of instructions: nothing is allocated, looked up or decided. A program owns its memory and keeps what it needs of
 * the tape's constants: the tape and its arena may go.
 */
#ifndef TAPE_PROGRAM_H
#define TAPE_PROGRAM_H

#include "tape/tape.h"

typedef struct Program Program;

typedef enum RunStatus {
    RUN_DONE,
    RUN_GUARD_FAILED, /* a guard did not hold, or an operation could not be done (index outside, not positive
                         definite): walk the tree instead, it records another tape or says what is wrong */
} RunStatus;

typedef struct RunInputs {
    const real *slots[8]; /* the vectors that OP_INPUT reads */
    uint32_t step, particle;
} RunInputs;

/* outputs[k] is placed densely at place[k] (owned by the caller, alive as long as the program) or, where place is
 * NULL or place[k] is, in the program's own buffer. Places overlap neither each
 * other nor the vectors of RunInputs. Guards of the tape are kept. */
Program *program_new(Tape *t, int n, const Var *outputs, real *const *place);
/* The same, of a tape that nothing else needs: `spent`, the arena that holds it and all it was recorded in, is cleared as
 * soon as possible. */
Program *program_new_last(Tape *t, int n, const Var *outputs, real *const *place, Arena *spent);
void program_free(Program *p);
RunStatus program_run(Program *p, const RunInputs *in);
const real *program_output(const Program *p, int k); /* dense; valid until the next run */

/* For reports and tests. */
int program_length(const Program *p);         /* operations */
size_t program_buffer_bytes(const Program *p);
double program_flops(const Program *p);       /* additions and multiplications of its matrix products */
/* The first instruction whose output is not finite in the last run, or NULL: name, place, operands. */
const char *program_first_nonfinite(Program *p, Arena *a, Span *at);

#endif
