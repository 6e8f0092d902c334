/* Standard normal numbers, many at a time: Philox and Box-Muller over lanes. Compiled for each instruction set.
 *
 * Every number comes from the same routine in full groups of eight lanes, so that it does not depend on how many are
 * drawn at once. log and cos are those of SLEEF (see tape/vector_math.h). */
#include <math.h>

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include "base/isa.h"
#include "base/random.h"

enum { LANES = 8 };

__attribute__((simd("notinbranch"), const)) double vector_log(double x) __asm__("log");
__attribute__((simd("notinbranch"), const)) double vector_cos(double x) __asm__("cos");

/* Philox4x32-10 of random.c lane by lane: two times 64 random bits each. */
#ifdef __AVX512F__
static inline __m512i lanes_of(const uint32_t *x) { return _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)x)); }

/* Words in the low halves of 64-bit lanes; what is in the high halves does not matter to the products. */
static inline void philox(const Normals *b, int at, uint64_t *restrict high, uint64_t *restrict low) {
    __m512i c0 = lanes_of(&b->counter[0][at]), c1 = lanes_of(&b->counter[1][at]), c2 = lanes_of(&b->counter[2][at]),
            c3 = lanes_of(&b->counter[3][at]), k0 = lanes_of(&b->key[0][at]), k1 = lanes_of(&b->key[1][at]);
    const __m512i m0 = _mm512_set1_epi64(0xD2511F53), m1 = _mm512_set1_epi64(0xCD9E8D57),
                  w0 = _mm512_set1_epi64(0x9E3779B9), w1 = _mm512_set1_epi64(0xBB67AE85),
                  half = _mm512_set1_epi64(0xFFFFFFFF);
    for (int round = 0; round < 10; round++) {
        const __m512i p0 = _mm512_mul_epu32(c0, m0), p1 = _mm512_mul_epu32(c2, m1);
        c0 = _mm512_xor_si512(_mm512_srli_epi64(p1, 32), _mm512_xor_si512(c1, k0));
        c2 = _mm512_xor_si512(_mm512_srli_epi64(p0, 32), _mm512_xor_si512(c3, k1));
        c1 = p1;
        c3 = p0;
        k0 = _mm512_add_epi64(k0, w0);
        k1 = _mm512_add_epi64(k1, w1);
    }
    _mm512_storeu_si512(high, _mm512_or_si512(_mm512_slli_epi64(c0, 32), _mm512_and_si512(c1, half)));
    _mm512_storeu_si512(low, _mm512_or_si512(_mm512_slli_epi64(c2, 32), _mm512_and_si512(c3, half)));
}
#else
static inline void philox(const Normals *b, int at, uint64_t *restrict high, uint64_t *restrict low) {
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        uint32_t c0 = b->counter[0][at + i], c1 = b->counter[1][at + i], c2 = b->counter[2][at + i],
                 c3 = b->counter[3][at + i], k0 = b->key[0][at + i], k1 = b->key[1][at + i];
        for (int round = 0; round < 10; round++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)p1;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)p0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }
        high[i] = (uint64_t)c0 << 32 | c1;
        low[i] = (uint64_t)c2 << 32 | c3;
    }
}
#endif

void ISA_NAME(box_muller)(const Normals *b, int n, double *restrict out) {
    for (int at = 0; at < n; at += LANES) {
        uint64_t high[LANES], low[LANES];
        philox(b, at, high, low);
#pragma omp simd
        for (int i = 0; i < LANES; i++) {
            /* 52 bits become a fraction by setting the exponent of a double in [1, 2): exact, and quick everywhere */
            union { uint64_t bits; double x; } a, c;
            a.bits = high[i] >> 12 | 0x3FF0000000000000u;
            c.bits = low[i] >> 12 | 0x3FF0000000000000u;
            const double u1 = (a.x - 1) + 0x1p-53, u2 = (c.x - 1) + 0x1p-53;
            out[at + i] = sqrt(-2 * vector_log(u1)) * vector_cos(2 * M_PI * u2);
        }
    }
}
