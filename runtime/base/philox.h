/* Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, SC 2011), section 4.3: for one counter, and for a lane of vectors. */
#ifndef BASE_PHILOX_H
#define BASE_PHILOX_H

#include <stdint.h>

#define PHILOX_PRODUCT_0 0xD2511F53u
#define PHILOX_PRODUCT_1 0xCD9E8D57u
/* Weyl constants: the golden ratio, the square root of 3 less 1. */
#define PHILOX_BUMP_0 0x9E3779B9u
#define PHILOX_BUMP_1 0xBB67AE85u
enum { PHILOX_ROUNDS = 10 };

typedef struct Philox {
    uint32_t c0, c1, c2, c3, k0, k1; /* the counter, which becomes the output; the key */
} Philox;

/* All rounds: two 32 x 32 -> 64 bit products each, the keys bumped. */
static inline __attribute__((always_inline)) Philox philox_rounds(Philox x) {
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)PHILOX_PRODUCT_0 * x.c0, p1 = (uint64_t)PHILOX_PRODUCT_1 * x.c2;
        x.c0 = (uint32_t)(p1 >> 32) ^ x.c1 ^ x.k0;
        x.c1 = (uint32_t)p1;
        x.c2 = (uint32_t)(p0 >> 32) ^ x.c3 ^ x.k1;
        x.c3 = (uint32_t)p0;
        x.k0 += PHILOX_BUMP_0;
        x.k1 += PHILOX_BUMP_1;
    }
    return x;
}

#endif
