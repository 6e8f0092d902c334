#include "base/random.h"

#include <math.h>

#include "base/philox.h"

void philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    Philox x = philox_rounds((Philox){counter[0], counter[1], counter[2], counter[3], key[0], key[1]});
    out[0] = x.c0, out[1] = x.c1, out[2] = x.c2, out[3] = x.c3;
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014), a bijection. */
static uint64_t mix64(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* For a fixed key a bijection of the index; the order of several folds matters. */
uint64_t key_fold(uint64_t key, uint64_t index) {
    const uint64_t golden = 0x9E3779B97F4A7C15u;
    return mix64((key ^ mix64(index + golden)) + golden);
}

Stream stream_at(uint64_t key, uint32_t element, uint32_t particle, uint32_t step) {
    return (Stream){.key = {(uint32_t)key, (uint32_t)(key >> 32)}, .place = {element, particle, step}};
}

static void stream_refill(Stream *s) {
    uint32_t counter[4] = {s->place[0], s->place[1], s->place[2], s->block++};
    philox4x32(counter, s->key, s->buffer);
    s->left = 4;
}

uint32_t stream_u32(Stream *s) {
    if (s->left == 0) stream_refill(s);
    return s->buffer[4 - s->left--];
}

/* (k + 1/2) 2^-52 with 52 random bits k: exact in a double, symmetric about 1/2. */
static double uniform_of(uint32_t high, uint32_t low) {
    uint64_t k = ((uint64_t)high << 32 | low) >> 12;
    return ((double)k + 0.5) * 0x1p-52;
}

double stream_uniform(Stream *s) {
    uint32_t high = stream_u32(s);
    return uniform_of(high, stream_u32(s));
}

/* -- As a generator of GSL: the state is the stream itself, seeding does nothing -- */

static void stream_gsl_set(void *state, unsigned long seed) {
    (void)state;
    (void)seed;
}
static unsigned long stream_gsl_get(void *state) { return stream_u32(state); }
static double stream_gsl_uniform(void *state) { return stream_uniform(state); }

static const gsl_rng_type stream_gsl_type = {
    .name = "philox4x32",
    .max = 0xFFFFFFFFu,
    .min = 0,
    .size = sizeof(Stream),
    .set = stream_gsl_set,
    .get = stream_gsl_get,
    .get_double = stream_gsl_uniform,
};

gsl_rng *stream_gsl(StreamRng *r, Stream *s) {
    *r = (StreamRng){.rng = {.type = &stream_gsl_type, .state = s}, .stream = s};
    return &r->rng;
}
