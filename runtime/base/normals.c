/* Standard normal numbers, collected until there are enough for whole vectors (lines_normals.c). */
#include "base/isa.h"
#include "base/normals.h"

extern const NormalLines normal_lines_v1, normal_lines_v3, normal_lines_v4;

static const NormalLines *lines(void) {
    static const NormalLines *const all[ISA_COUNT] = {&normal_lines_v1, &normal_lines_v3, &normal_lines_v4};
    return all[isa_best()];
}

int normals_add(Normals *b, const Stream *s, NormalsAlong along, int64_t n) {
    int taken = n < NORMALS - b->n ? (int)n : NORMALS - b->n;
    lines()->places(b, taken, s, along);
    b->n += taken;
    return taken;
}

void normals_make(Normals *b, double *out) {
    lines()->box_muller(b, b->n, out);
    b->n = 0;
}

double stream_normal(Stream *s) {
    Normals b;
    double x[NORMAL_LANES];
    b.n = 0;
    normals_add(&b, s, ALONG_EVENT, 1);
    normals_make(&b, x);
    s->block++;
    s->left = 0;
    return *x;
}
