/* Standard normal numbers, many at a time: Philox and Box-Muller over lanes that the compiler turns into vectors.
 *
 * Every number comes from the same routine in full groups of eight lanes, so that it does not depend on how many are
 * drawn at once. log and cos are those of SLEEF (see tape/vector_math.h).
 */
#include <math.h>

#include "base/random.h"

enum { LANES = 8 };

__attribute__((simd("notinbranch"), const)) double vector_log(double x) __asm__("log");
__attribute__((simd("notinbranch"), const)) double vector_cos(double x) __asm__("cos");

/* Eight counters and keys to eight normals: philox4x32 and stream_normal of random.c, lane by lane. */
__attribute__((target_clones("avx512f", "avx2", "default"))) static void box_muller(const Normals *b, int at, double *restrict out) {
    uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0[LANES], k1[LANES];
    double u1[LANES], u2[LANES];
    for (int i = 0; i < LANES; i++) {
        c0[i] = b->counter[0][at + i], c1[i] = b->counter[1][at + i], c2[i] = b->counter[2][at + i], c3[i] = b->counter[3][at + i];
        k0[i] = b->key[0][at + i], k1[i] = b->key[1][at + i];
    }
    for (int round = 0; round < 10; round++)
#pragma omp simd
        for (int i = 0; i < LANES; i++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0[i];
            c1[i] = (uint32_t)p1;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1[i];
            c3[i] = (uint32_t)p0;
            k0[i] += 0x9E3779B9u;
            k1[i] += 0xBB67AE85u;
        }
#pragma omp simd
    for (int i = 0; i < LANES; i++) {
        /* 52 bits become a fraction by setting the exponent of a double in [1, 2): exact, and quick on every machine */
        union { uint64_t bits; double x; } a, c;
        a.bits = ((uint64_t)c0[i] << 32 | c1[i]) >> 12 | 0x3FF0000000000000u;
        c.bits = ((uint64_t)c2[i] << 32 | c3[i]) >> 12 | 0x3FF0000000000000u;
        u1[i] = (a.x - 1) + 0x1p-53;
        u2[i] = (c.x - 1) + 0x1p-53;
    }
#pragma omp simd
    for (int i = 0; i < LANES; i++) out[i] = sqrt(-2 * vector_log(u1[i])) * vector_cos(2 * M_PI * u2[i]);
}

void normals_flush(Normals *b) {
    double out[NORMALS];
    for (int i = b->n; i % LANES; i++)
        for (int k = 0; k < 4; k++) b->counter[k][i] = 0, b->key[k & 1][i] = 0;
    for (int i = 0; i < b->n; i += LANES) box_muller(b, i, out + i);
    for (int i = 0; i < b->n; i++) *b->to[i] = out[i];
    b->n = 0;
}

void normals_add(Normals *b, Stream *s, double *to) {
    int i = b->n++;
    for (int k = 0; k < 3; k++) b->counter[k][i] = s->place[k];
    b->counter[3][i] = s->block++;
    b->key[0][i] = s->key[0], b->key[1][i] = s->key[1];
    s->left = 0;
    b->to[i] = to;
    if (b->n == NORMALS) normals_flush(b);
}

double stream_normal(Stream *s) {
    Normals b;
    double x;
    b.n = 0;
    normals_add(&b, s, &x);
    normals_flush(&b);
    return x;
}
