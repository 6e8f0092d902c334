/* A checkpoint: the file of a training that may be interrupted at any step and goes on to the same bits.
 *
 * It holds what the run is, as pairs of a key and a text, and the state, as vectors of doubles by name. A file of
 * another run is refused with the key that differs; one that is damaged too. Written atomically.
 *
 *     ppl checkpoint 1
 *     is KEY: TEXT                    one line each
 *     numbers COUNT NAME              then COUNT doubles, little-endian, and a newline
 *     end HASH                        of everything before
 */
#ifndef INFER_CHECKPOINT_H
#define INFER_CHECKPOINT_H

#include "base/ctx.h"
#include "tensor/tensor.h"

typedef struct Checkpoint Checkpoint;

/* Reads the file if there is one. Everything lives in `a`. */
Checkpoint *checkpoint_open(Ctx *c, Arena *a, const char *path, Span at);
bool checkpoint_found(const Checkpoint *k);
const char *checkpoint_path(const Checkpoint *k);

/* What the run is. Raises when the file says another thing under this key. `hashed`: the text means nothing to a
 * reader. */
void checkpoint_identify(Checkpoint *k, const char *key, const char *text, bool hashed);
/* Refuse the file for a reason of one's own. */
_Noreturn void checkpoint_refuse(const Checkpoint *k, const char *why);

/* What the file holds under this name: *n numbers; raises where it is not there. With n >= 0 given: exactly so many. */
const double *checkpoint_numbers(const Checkpoint *k, const char *name, int64_t *n);
/* How the name goes on that begins so; NULL: there is none. */
const char *checkpoint_rest(const Checkpoint *k, const char *beginning);
double checkpoint_number(const Checkpoint *k, const char *name);
void checkpoint_reals(const Checkpoint *k, const char *name, real *to, int64_t n);

/* A name for the next call, put together. */
const char *checkpoint_name(Checkpoint *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writing: begin, any number of puts, write. A disk that is full is a warning: the training goes on. */
void checkpoint_begin(Checkpoint *k);
void checkpoint_put(Checkpoint *k, const char *name, const double *x, int64_t n);
void checkpoint_put_number(Checkpoint *k, const char *name, double x);
void checkpoint_put_reals(Checkpoint *k, const char *name, const real *x, int64_t n);
void checkpoint_write(Checkpoint *k);

#endif
