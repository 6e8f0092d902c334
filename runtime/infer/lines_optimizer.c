#include "infer/lines_optimizer.h"

enum { LANES = 8, FEW = 4 };

/* Kingma and Ba (2015), algorithm 1; `decay`: decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2). */
static inline void adam_group(const AdamStep *a, int n, real *restrict m, real *restrict v, real *restrict x,
                              const real *restrict g) {
#pragma omp simd
    for (int i = 0; i < n; i++) {
        m[i] = moment_flushed(a->beta1 * m[i] + (1 - a->beta1) * g[i]);
        v[i] = moment_flushed(a->beta2 * v[i] + (1 - a->beta2) * g[i] * g[i]);
        x[i] -= a->rate * (m[i] * a->unbias1 / (sqrt(v[i] * a->unbias2) + a->eps) + a->decay * x[i]);
    }
}

static void adam(const AdamStep *step, int64_t n, real *m, real *v, real *x, const real *g) {
    const AdamStep a = *step;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES) adam_group(&a, 2 * LANES, m + i, v + i, x + i, g + i);
    for (; i + FEW <= n; i += FEW) adam_group(&a, FEW, m + i, v + i, x + i, g + i);
    for (; i < n; i++) adam_group(&a, 1, m + i, v + i, x + i, g + i);
}

static double squares(int64_t n, const real *x) {
    double lane[2 * LANES] = {0}, few[FEW] = {0}, rest = 0;
    int64_t i = 0;
    for (; i + 2 * LANES <= n; i += 2 * LANES)
        for (int l = 0; l < 2 * LANES; l++) lane[l] += (double)x[i + l] * x[i + l];
    for (; i + FEW <= n; i += FEW)
        for (int l = 0; l < FEW; l++) few[l] += (double)x[i + l] * x[i + l];
    for (; i < n; i++) rest += (double)x[i] * x[i];
    for (int half = LANES; half >= FEW; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    for (int l = 0; l < FEW; l++) few[l] += lane[l];
    return (few[0] + few[2]) + (few[1] + few[3]) + rest;
}

static void subtract(int64_t n, real *restrict x, const real *restrict y) {
    for (int64_t i = 0; i < n; i++) x[i] -= y[i];
}

static void follow(int64_t n, double *restrict mean, const real *restrict x, double count) {
    for (int64_t i = 0; i < n; i++) mean[i] += (x[i] - mean[i]) / count;
}

const OptimizerLines ISA_NAME(optimizer_lines) = {adam, squares, subtract, follow};
