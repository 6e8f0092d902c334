/* Recurrences along steps: sums over chains of states (the backward half of forward-backward, in logarithms: Rabiner
 * 1989, eq. 25), and the linear recurrences that are their derivatives. */
#include <math.h>
#include <string.h>

#include "tape/kernels.h"

typedef struct Steps {
    int64_t T, K, blocks; /* blocks: chains beside each other */
} Steps;

static Steps steps_of(const Tensor *matrices) {
    const Shape *s = &matrices->shape;
    Steps n = {s->dim[s->rank - 3], s->dim[s->rank - 1], 1};
    for (int d = 0; d < s->rank - 3; d++) n.blocks *= s->dim[d];
    return n;
}

/* to[i] = log sum_j exp(f[i, j] + next[j]) */
static void step_short(int64_t K, const real *f, const real *next, real *to) {
    real sum[SUM_BLOCK];
    const real *rows[SUM_BLOCK];
    for (int64_t i = 0; i < K; i++) {
        rows[i] = sum + i * K;
        for (int64_t j = 0; j < K; j++) sum[i * K + j] = f[i * K + j] + next[j];
    }
    lines_here()->logsumexp_rows((int)K, rows, K, 1, to);
}

static void step_long(int64_t K, const real *f, const real *next, real *to) {
    for (int64_t i = 0; i < K; i++, f += K) {
        double most = -INFINITY, sum = 0;
        for (int64_t j = 0; j < K; j++) most = f[j] + next[j] > most || isnan(f[j] + next[j]) ? f[j] + next[j] : most;
        for (int64_t j = 0; j < K && isfinite(most); j++) sum += exp((double)(f[j] + next[j]) - most);
        to[i] = (real)(isfinite(most) ? most + log(sum) : most);
    }
}

bool kernel_chain(const KernelCall *call) {
    Steps n = steps_of(call->in[0]);
    const real *f = call->in[0]->data;
    real *out = call->out->data;
    for (int64_t b = 0; b < n.blocks; b++, f += n.T * n.K * n.K, out += (n.T + 1) * n.K) {
        memset(out + n.T * n.K, 0, (size_t)n.K * sizeof *out);
        for (int64_t t = n.T - 1; t >= 0; t--)
            (n.K * n.K <= SUM_BLOCK ? step_short : step_long)(n.K, f + t * n.K * n.K, out + (t + 1) * n.K, out + t * n.K);
    }
    return true;
}

static void recur_forwards(Steps n, const real *w, const real *g, real *m) {
    memcpy(m, g, (size_t)((n.T + 1) * n.K) * sizeof *m);
    for (int64_t t = 0; t < n.T; t++, m += n.K)
        for (int64_t i = 0; i < n.K; i++, w += n.K)
            for (int64_t j = 0; j < n.K; j++) m[n.K + j] += m[i] * w[j];
}

static void recur_backwards(Steps n, const real *w, const real *g, real *m) {
    memcpy(m, g, (size_t)((n.T + 1) * n.K) * sizeof *m);
    for (int64_t row = n.T * n.K - 1; row >= 0; row--) {
        const real *next = m + (row / n.K + 1) * n.K;
        real sum = 0;
        for (int64_t j = 0; j < n.K; j++) sum += w[row * n.K + j] * next[j];
        m[row] += sum;
    }
}

/* Of numbers: what the next step waits for stays in a register. */
static void recur_numbers(int64_t T, const real *w, const real *g, real *m, bool backwards) {
    real last = backwards ? m[T] = g[T] : (m[0] = g[0]);
    if (backwards)
        for (int64_t t = T - 1; t >= 0; t--) m[t] = last = g[t] + w[t] * last;
    else
        for (int64_t t = 0; t < T; t++) m[t + 1] = last = g[t + 1] + w[t] * last;
}

bool kernel_recur(const KernelCall *call) {
    Steps n = steps_of(call->in[0]);
    const real *w = call->in[0]->data, *g = call->in[1]->data;
    real *m = call->out->data;
    int64_t matrices = n.T * n.K * n.K, vectors = (n.T + 1) * n.K;
    for (int64_t b = 0; b < n.blocks; b++, w += matrices, g += vectors, m += vectors)
        if (n.K == 1)
            recur_numbers(n.T, w, g, m, call->attr->flags);
        else
            (call->attr->flags ? recur_backwards : recur_forwards)(n, w, g, m);
    return true;
}
