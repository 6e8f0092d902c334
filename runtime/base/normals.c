/* Standard normal numbers, collected until there are enough for whole vectors (lines_normals.c). */
#include "base/isa.h"
#include "base/random.h"

enum { LANES = 8 };

typedef void BoxMullerFn(const Normals *b, int n, double *restrict out);
BoxMullerFn box_muller_v1, box_muller_v3, box_muller_v4;

void normals_flush(Normals *b) {
    double out[NORMALS];
    for (int i = b->n; i % LANES; i++)
        for (int k = 0; k < 4; k++) b->counter[k][i] = 0, b->key[k & 1][i] = 0;
    (isa_best() == ISA_V4 ? box_muller_v4 : isa_best() == ISA_V3 ? box_muller_v3 : box_muller_v1)(b, b->n, out);
    for (int i = 0; i < b->n; i++) *b->to[i] = out[i];
    b->n = 0;
}

double stream_normal(Stream *s) {
    Normals b;
    double x;
    b.n = 0;
    normals_add(&b, s, &x);
    normals_flush(&b);
    return x;
}
