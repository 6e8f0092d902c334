/* Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011).
 *
 * Randomness belongs to the address. A stream is keyed by 64 bits (the seed of the run and the address of a
 * variable, hashed) and a place (element, particle, step); its numbers do not depend on what else is drawn, on the
 * number of threads or on how the work is split.
 */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stdint.h>

/* The raw function: out = Philox4x32-10(counter, key). */
void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

typedef struct Stream {
    uint32_t key[2];
    uint32_t place[3]; /* element, particle, step */
    uint32_t block;    /* the next counter */
    uint32_t buffer[4];
    int left;          /* unused words in the buffer */
} Stream;

/* Fold another index or number into a key: distinct (key, index) give unrelated streams. */
uint64_t key_fold(uint64_t key, uint64_t index);

Stream stream_at(uint64_t key, uint32_t element, uint32_t particle, uint32_t step);
uint32_t stream_u32(Stream *s);
double stream_uniform(Stream *s); /* in (0, 1), never 0 or 1: an odd multiple of 2^-53 made of two words, high word first */
/* Standard normal: Box-Muller, sqrt(-2 log u1) cos(2 pi u2), on the two uniforms of a fresh block of 4 words; what was
 * left of the block before is skipped. */
double stream_normal(Stream *s);

/* Many normals at once, the same as one by one: a number is in place after normals_flush (or earlier). */
enum { NORMALS = 64 };
typedef struct Normals {
    int n; /* waiting; begins as 0 */
    uint32_t counter[4][NORMALS], key[2][NORMALS];
    double *to[NORMALS];
} Normals;
void normals_flush(Normals *b);
/* The stream's next normal goes to *to. */
static inline void normals_add(Normals *b, Stream *s, double *to) {
    int i = b->n++;
    for (int k = 0; k < 3; k++) b->counter[k][i] = s->place[k];
    b->counter[3][i] = s->block++;
    b->key[0][i] = s->key[0], b->key[1][i] = s->key[1];
    s->left = 0;
    b->to[i] = to;
    if (b->n == NORMALS) normals_flush(b);
}

/* The same stream as a generator for GSL's samplers. The gsl_rng points into *s and is valid while s lives. */
#include <gsl/gsl_rng.h>
typedef struct StreamRng {
    gsl_rng rng;
    Stream *stream;
} StreamRng;
gsl_rng *stream_gsl(StreamRng *r, Stream *s);

#endif
