/* Reductions of tensors to lines (lines_reduce.c), cumulative sums, sorting. */
#include "tape/kernels.h"

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

/* Short lines of logsumexp wait until there are enough for full lanes. */
typedef struct ShortLines {
    const real *row[SUM_BLOCK];
    int n;
} ShortLines;

static void short_lines_flush(ShortLines *w, const Lines *lines, int64_t length, int64_t stride, real *end) {
    lines->logsumexp_rows(w->n, w->row, length, stride, end - w->n);
    w->n = 0;
}

/* The operand comes with the reduced dimensions last, and these make one line (kernel_operand). */
bool kernel_reduce(const KernelCall *call) {
    const Tensor *in = call->in[0];
    const Lines *lines = lines_here();
    RowFn *row = lines->rows[call->op].any;
    int64_t length, stride, index[MAX_RANK] = {0}, count = shape_size(call->out->shape);
    int kept = in->shape.rank - __builtin_popcount(call->attr->dims);
    reduce_plan(in, in->shape.rank - kept, &length, &stride);
    real *out = call->out->data;
    const real *p = in->data;
    int64_t width = 1;
    int last = kept - 1;
    bool columns = call->op == OP_SUM && kept > 0 && in->stride[last] == 1 && stride != 1 && length > 1;
    bool together = call->op == OP_LOGSUMEXP && length > 0 && length <= SUM_BLOCK / 4 && count > 1;
    ShortLines waiting;
    waiting.n = 0;
    while (count > 0) {
        if (together) {
            waiting.row[waiting.n++] = p;
            if ((waiting.n + 1) * length > SUM_BLOCK) short_lines_flush(&waiting, lines, length, stride, out + 1);
        } else if (columns) {
            width = in->shape.dim[last] - index[last];
            if (width > SUM_TILE) width = SUM_TILE;
            lines->sum_columns(length, (int)width, p, stride, out);
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
    if (waiting.n > 0) short_lines_flush(&waiting, lines, length, stride, out);
    return true;
}


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
