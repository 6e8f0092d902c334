/* Reductions over lines of numbers, cumulative sums, sorting.
 *
 * A sum is defined by the order of its terms alone, never by strides: blocks of 256, in each of which eight
 * accumulators take every eighth number; the blocks are added pairwise. In single precision too sums are double inside. */
#include <assert.h>
#include <tgmath.h>
#include <string.h>

#include "tape/kernels.h"

enum { BLOCK = 256, LANES = 8, LEVELS = 56, TILE = 16 };

static inline double lanes_sum(const double *l) {
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

static double block_sum(int n, const real *x, int64_t stride) {
    double lane[LANES] = {0};
    int i = 0;
    if (stride == 1) {
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++) lane[l] += x[i + l];
    } else {
        for (; i + LANES <= n; i += LANES)
            for (int l = 0; l < LANES; l++) lane[l] += x[(i + l) * stride];
    }
    for (int l = 0; i < n; i++, l++) lane[l] += x[i * stride];
    return lanes_sum(lane);
}

/* Pairwise sums as a binary counter: level k holds the sum of 2^k blocks. */
typedef struct Pairs {
    double level[LEVELS];
    int top;
    uint64_t blocks;
} Pairs;

static void pairs_add(Pairs *p, double s) {
    for (uint64_t b = p->blocks++; b & 1; b >>= 1) s = p->level[--p->top] + s;
    p->level[p->top++] = s;
}

static double pairs_total(const Pairs *p) {
    if (p->top == 0) return 0;
    double s = p->level[p->top - 1];
    for (int k = p->top - 2; k >= 0; k--) s = p->level[k] + s;
    return s;
}

real sum_line(int64_t n, const real *x, int64_t stride) {
    if (n <= BLOCK) return block_sum((int)n, x, stride);
    Pairs p;
    p.top = 0;
    p.blocks = 0;
    for (int64_t i = 0; i < n; i += BLOCK)
        pairs_add(&p, block_sum(n - i < BLOCK ? (int)(n - i) : BLOCK, x + i * stride, stride));
    return pairs_total(&p);
}

/* The same sums of `width` <= TILE neighbouring columns, row after row. */
static void sum_columns(int64_t n, int width, const real *x, int64_t stride, real *out) {
    Pairs p[TILE];
    for (int j = 0; j < width; j++) p[j].top = 0, p[j].blocks = 0;
    for (int64_t i = 0; i < n; i += BLOCK) {
        int rows = n - i < BLOCK ? (int)(n - i) : BLOCK;
        double lane[LANES][TILE] = {{0}};
        for (int r = 0; r < rows; r++) {
            const real *row = x + (i + r) * stride;
            for (int j = 0; j < width; j++) lane[r % LANES][j] += row[j];
        }
        for (int j = 0; j < width; j++) {
            double l[LANES];
            for (int k = 0; k < LANES; k++) l[k] = lane[k][j];
            pairs_add(&p[j], lanes_sum(l));
        }
    }
    for (int j = 0; j < width; j++) out[j] = pairs_total(&p[j]);
}

/* -- One line to one number -- */

static void line_sum(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    *out = sum_line(n, in[0], stride[0]);
}

static void line_prod(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    double p = 1;
    for (int64_t i = 0; i < n; i++) p *= in[0][i * stride[0]];
    *out = p;
}

static inline real largest(int64_t n, const real *x, int64_t stride) {
    real m = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        real v = x[i * stride];
        m = v > m || v != v ? v : m;
    }
    return m;
}

static void line_reduce_max(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    *out = largest(n, in[0], stride[0]);
}

static void line_reduce_min(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    real m = INFINITY;
    for (int64_t i = 0; i < n; i++) {
        real v = in[0][i * stride[0]];
        m = v < m || v != v ? v : m;
    }
    *out = m;
}

static void line_argmax(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    int64_t best = 0;
    real m = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        real v = in[0][i * stride[0]];
        if (v > m || (v != v && m == m)) m = v, best = i;
    }
    *out = n > 0 ? (real)(best + 1) : NAN;
}

/* log sum exp x = m + log sum exp(x - m); an infinite or undefined m is the answer. */
static void line_logsumexp(int64_t n, real *out, const real *const in[], const int64_t stride[]) {
    const real *x = in[0];
    int64_t s = stride[0];
    real m = largest(n, x, s);
    if (!isfinite(m)) {
        *out = m;
        return;
    }
    Pairs p;
    p.top = 0;
    p.blocks = 0;
    real e[BLOCK];
    for (int64_t i = 0; i < n; i += BLOCK) {
        int size = n - i < BLOCK ? (int)(n - i) : BLOCK;
        for (int j = 0; j < size; j++) e[j] = exp(x[(i + j) * s] - m);
        pairs_add(&p, block_sum(size, e, 1));
    }
    *out = m + log(pairs_total(&p));
}

RowFn *reduce_row(Op op) {
    switch (op) {
    case OP_SUM: return line_sum;
    case OP_PROD: return line_prod;
    case OP_REDUCE_MAX: return line_reduce_max;
    case OP_REDUCE_MIN: return line_reduce_min;
    case OP_LOGSUMEXP: return line_logsumexp;
    case OP_ARGMAX: return line_argmax;
    default: return NULL;
    }
}

/* -- From tensors to lines -- */

void reduce_plan(const Tensor *in, int reduced, int64_t *length, int64_t *stride) {
    *length = 1;
    *stride = 1;
    int rank = in->shape.rank;
    for (int d = rank - 1; d >= rank - reduced; d--) {
        if (in->shape.dim[d] == 1) continue;
        if (*length == 1) *stride = in->stride[d];
        *length *= in->shape.dim[d];
    }
}

/* The operand comes with the reduced dimensions last, and these make one line (kernel_operand). */
static bool reduce_lines(const KernelCall *call) {
    const Tensor *in = call->in[0];
    RowFn *row = reduce_row(call->op);
    int64_t length, stride, index[MAX_RANK] = {0}, count = shape_size(call->out->shape);
    int kept = in->shape.rank - __builtin_popcount(call->attr->dims);
    reduce_plan(in, in->shape.rank - kept, &length, &stride);
    real *out = call->out->data;
    const real *p = in->data;
    int64_t width = 1;
    int last = kept - 1;
    bool columns = call->op == OP_SUM && kept > 0 && in->stride[last] == 1 && stride != 1 && length > 1;
    while (count > 0) {
        if (columns) {
            width = in->shape.dim[last] - index[last];
            if (width > TILE) width = TILE;
            sum_columns(length, (int)width, p, stride, out);
        } else {
            row(length, out, &p, &stride);
        }
        out += width;
        count -= width;
        for (int d = last, step = (int)width; d >= 0; d--, step = 1) {
            p += step * in->stride[d];
            if ((index[d] += step) < in->shape.dim[d]) break;
            p -= in->shape.dim[d] * in->stride[d];
            index[d] = 0;
        }
    }
    return true;
}

bool kernel_sum(const KernelCall *call) { return reduce_lines(call); }
bool kernel_prod(const KernelCall *call) { return reduce_lines(call); }
bool kernel_reduce_max(const KernelCall *call) { return reduce_lines(call); }
bool kernel_reduce_min(const KernelCall *call) { return reduce_lines(call); }
bool kernel_logsumexp(const KernelCall *call) { return reduce_lines(call); }
bool kernel_argmax(const KernelCall *call) { return reduce_lines(call); }

/* -- Along one dimension: lines to lines -- */

static void line_cumsum(int64_t n, real *out, int64_t so, const real *x, int64_t sx) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) out[i * so] = s += x[i * sx];
}

/* Is the number at index i (from 1) behind that at j? NaN comes last, equal numbers keep their order. */
static inline bool behind(real i, real j, const real *x, int64_t sx) {
    real a = x[((int64_t)i - 1) * sx], b = x[((int64_t)j - 1) * sx];
    if (a != a || b != b) return a != a && (b == b || i > j);
    return a > b || (a == b && i > j);
}

static void sift_down(int64_t at, int64_t n, real *out, int64_t so, const real *x, int64_t sx) {
    real moved = out[at * so];
    for (int64_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && behind(out[(child + 1) * so], out[child * so], x, sx)) child++;
        if (!behind(out[child * so], moved, x, sx)) break;
        out[at * so] = out[child * so];
    }
    out[at * so] = moved;
}

/* Heap sort of the indices: needs no room besides the output. */
static void line_argsort(int64_t n, real *out, int64_t so, const real *x, int64_t sx) {
    for (int64_t i = 0; i < n; i++) out[i * so] = (real)(i + 1);
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift_down(i, n, out, so, x, sx);
    for (int64_t last = n - 1; last > 0; last--) {
        real first = out[0];
        out[0] = out[last * so];
        out[last * so] = first;
        sift_down(0, last, out, so, x, sx);
    }
}

typedef void AlongFn(int64_t n, real *out, int64_t so, const real *x, int64_t sx);

static void for_each_line(const KernelCall *call, AlongFn *line) {
    const Tensor *in = call->in[0], *out = call->out;
    int dim = call->attr->dim, rank = in->shape.rank;
    int64_t n = in->shape.dim[dim], index[MAX_RANK] = {0}, lines = n ? shape_size(in->shape) / n : 0;
    const real *p = in->data;
    real *q = out->data;
    for (; lines > 0; lines--) {
        line(n, q, out->stride[dim], p, in->stride[dim]);
        for (int d = rank - 1; d >= 0; d--) {
            if (d == dim) continue;
            p += in->stride[d];
            q += out->stride[d];
            if (++index[d] < in->shape.dim[d]) break;
            p -= in->shape.dim[d] * in->stride[d];
            q -= in->shape.dim[d] * out->stride[d];
            index[d] = 0;
        }
    }
}

bool kernel_cumsum(const KernelCall *call) {
    for_each_line(call, line_cumsum);
    return true;
}

bool kernel_argsort(const KernelCall *call) {
    for_each_line(call, line_argsort);
    return true;
}
