/* Standard normal numbers, many at a time: Philox and Box-Muller over lanes. Compiled for each instruction set.
 *
 * Every number comes from the same routine in full groups of eight lanes, so that it does not depend on how many are
 * drawn at once. log and cos are those of SLEEF (see tape/vector_math.h). */
#include <math.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "base/isa.h"
#include "base/normals.h"
#include "base/philox.h"

enum { LANES = NORMAL_LANES };

__attribute__((simd("notinbranch"), const)) double vector_log(double x) __asm__("log");
__attribute__((simd("notinbranch"), const)) double vector_cos(double x) __asm__("cos");

static inline void line(uint32_t *to, int n, uint32_t first, uint32_t rise) {
    for (int at = 0; at < n; at += LANES, first += LANES * rise)
#pragma omp simd
        for (int l = 0; l < LANES; l++) to[at + l] = first + rise * (uint32_t)l;
}

static void places(Normals *b, int n, const Stream *s, NormalsAlong along) {
    const int at = b->n, end = (at + n + LANES - 1) / LANES * LANES; /* a run may begin within a group */
    line(b->counter[0] + at, end - at, s->place[0], along == ALONG_ELEMENT);
    line(b->counter[1] + at, end - at, s->place[1], along == ALONG_PARTICLE);
    line(b->counter[2] + at, end - at, s->place[2], 0);
    line(b->counter[3] + at, end - at, s->block, along == ALONG_EVENT);
    line(b->key[0] + at, end - at, s->key[0], 0);
    line(b->key[1] + at, end - at, s->key[1], 0);
}

/* Philox lane by lane: two times 64 random bits each. A round waits for the one before: `lanes` may be
 * two groups of them, whose rounds alternate. */
#ifdef __AVX512F__
typedef struct Block {
    __m512i c0, c1, c2, c3, k0, k1; /* words in the low halves; what is in the high halves does not matter to the products */
} Block;

static inline __m512i lanes_of(const uint32_t *x) { return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)x)); }

static inline Block block_load(const Normals *b, int at) {
    return (Block){lanes_of(&b->counter[0][at]), lanes_of(&b->counter[1][at]), lanes_of(&b->counter[2][at]),
                   lanes_of(&b->counter[3][at]), lanes_of(&b->key[0][at]),     lanes_of(&b->key[1][at])};
}

static inline void block_round(Block *x) {
    const __m512i p0 = _mm512_mul_epu32(x->c0, _mm512_set1_epi64(PHILOX_PRODUCT_0)),
                  p1 = _mm512_mul_epu32(x->c2, _mm512_set1_epi64(PHILOX_PRODUCT_1));
    x->c0 = _mm512_xor_si512(_mm512_srli_epi64(p1, 32), _mm512_xor_si512(x->c1, x->k0));
    x->c2 = _mm512_xor_si512(_mm512_srli_epi64(p0, 32), _mm512_xor_si512(x->c3, x->k1));
    x->c1 = p1;
    x->c3 = p0;
    x->k0 = _mm512_add_epi64(x->k0, _mm512_set1_epi64(PHILOX_BUMP_0));
    x->k1 = _mm512_add_epi64(x->k1, _mm512_set1_epi64(PHILOX_BUMP_1));
}

static inline void block_store(const Block *x, uint64_t *restrict high, uint64_t *restrict low) {
    const __m512i half = _mm512_set1_epi64(0xFFFFFFFF);
    _mm512_storeu_si512(high, _mm512_or_si512(_mm512_slli_epi64(x->c0, 32), _mm512_and_si512(x->c1, half)));
    _mm512_storeu_si512(low, _mm512_or_si512(_mm512_slli_epi64(x->c2, 32), _mm512_and_si512(x->c3, half)));
}

static inline void philox(const Normals *b, int at, int lanes, uint64_t *restrict high, uint64_t *restrict low) {
    Block x = block_load(b, at), y = block_load(b, at + lanes - LANES);
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        block_round(&x);
        if (lanes > LANES) block_round(&y);
    }
    block_store(&x, high, low);
    if (lanes > LANES) block_store(&y, high + LANES, low + LANES);
}
#else
static inline void philox(const Normals *b, int at, int lanes, uint64_t *restrict high, uint64_t *restrict low) {
#pragma omp simd
    for (int i = 0; i < lanes; i++) {
        Philox x = philox_rounds((Philox){b->counter[0][at + i], b->counter[1][at + i], b->counter[2][at + i],
                                          b->counter[3][at + i], b->key[0][at + i], b->key[1][at + i]});
        high[i] = (uint64_t)x.c0 << 32 | x.c1;
        low[i] = (uint64_t)x.c2 << 32 | x.c3;
    }
}
#endif

static inline __attribute__((always_inline)) void normals(const Normals *b, int at, int lanes, double *restrict out) {
    uint64_t high[2 * LANES], low[2 * LANES];
    philox(b, at, lanes, high, low);
#pragma omp simd
    for (int i = 0; i < lanes; i++) {
        /* 52 bits become a fraction by setting the exponent of a double in [1, 2): exact, and quick everywhere */
        union { uint64_t bits; double x; } a, c;
        a.bits = high[i] >> 12 | 0x3FF0000000000000u;
        c.bits = low[i] >> 12 | 0x3FF0000000000000u;
        const double u1 = (a.x - 1) + 0x1p-53, u2 = (c.x - 1) + 0x1p-53;
        out[i] = sqrt(-2 * vector_log(u1)) * vector_cos(2 * M_PI * u2);
    }
}

static void box_muller(const Normals *b, int n, double *restrict out) {
    int at = 0;
    for (; at + LANES < n; at += 2 * LANES) normals(b, at, 2 * LANES, out + at);
    if (at < n) normals(b, at, LANES, out + at);
}

const NormalLines ISA_NAME(normal_lines) = {places, box_muller};
