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

/* Many normals at once, the same as one by one: their places are collected, in groups of lanes. */
enum { NORMALS = 64, NORMAL_LANES = 8 };
typedef struct Normals {
    int n; /* collected; begins as 0 */
    uint32_t counter[4][NORMALS + NORMAL_LANES], key[2][NORMALS + NORMAL_LANES]; /* beyond n: any places */
} Normals;

/* Which counter rises from one number to the next. */
typedef enum NormalsAlong { ALONG_ELEMENT = 0, ALONG_PARTICLE = 1, ALONG_EVENT = 3 } NormalsAlong;

/* The next n numbers of the stream (ALONG_EVENT), or the next one of n streams side by side; gives how many there was room
 * for. The stream stays where it is. */
int normals_add(Normals *b, const Stream *s, NormalsAlong along, int64_t n);
/* The numbers collected, in order, out[b->n, rounded up to whole groups]; none are then. */
void normals_make(Normals *b, double *out);

/* The same stream as a generator for GSL's samplers. The gsl_rng points into *s and is valid while s lives. */
#include <gsl/gsl_rng.h>
typedef struct StreamRng {
    gsl_rng rng;
    Stream *stream;
} StreamRng;
gsl_rng *stream_gsl(StreamRng *r, Stream *s);

#endif
