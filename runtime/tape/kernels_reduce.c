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

static void line_cumsum(int64_t n, real *out, int64_t so, const real *x, int64_t sx, void *room) {
    (void)room;
    double s = 0;
    for (int64_t i = 0; i < n; i++) out[i * so] = s += x[i * sx];
}

/* A number and where it stands, from 1. */
typedef struct Ranked {
    real x;
    int64_t at;
} Ranked;

enum { SHORT_RUN = 16 };

static void sort_run(Ranked *r, int64_t n) {
    for (int64_t i = 1; i < n; i++) {
        Ranked moved = r[i];
        int64_t k = i;
        for (; k > 0 && moved.x < r[k - 1].x; k--) r[k] = r[k - 1];
        r[k] = moved;
    }
}

/* Two sorted runs, one behind the other. No branch asks which comes first: nothing foresees that. */
static void merge_runs(Ranked *to, const Ranked *a, const Ranked *middle, const Ranked *end) {
    const Ranked *b = middle;
    while (a < middle && b < end) {
        bool second = b->x < a->x;
        *to++ = *(second ? b : a);
        a += !second, b += second;
    }
    while (a < middle) *to++ = *a++;
    while (b < end) *to++ = *b++;
}

/* Merge sort, which keeps the order of equal numbers and reads memory in order. NaN comes last. `room` is for 2 n. */
static void line_argsort(int64_t n, real *out, int64_t so, const real *x, int64_t sx, void *room) {
    Ranked *from = room, *to = from + n;
    int64_t m = 0, nans = 0;
    for (int64_t i = 0; i < n; i++) {
        real v = x[i * sx];
        if (v == v) from[m++] = (Ranked){v, i + 1};
        else to[nans++].at = i + 1;
    }
    for (int64_t k = 0; k < nans; k++) out[(m + k) * so] = (real)to[k].at;
    for (int64_t i = 0; i < m; i += SHORT_RUN) sort_run(from + i, m - i < SHORT_RUN ? m - i : SHORT_RUN);
    for (int64_t run = SHORT_RUN; run < m; run *= 2) {
        for (int64_t i = 0; i < m; i += 2 * run) {
            int64_t middle = i + run < m ? i + run : m, end = middle + run < m ? middle + run : m;
            merge_runs(to + i, from + i, from + middle, from + end);
        }
        Ranked *swapped = from;
        from = to, to = swapped;
    }
    for (int64_t i = 0; i < m; i++) out[i * so] = (real)from[i].at;
}

typedef void AlongFn(int64_t n, real *out, int64_t so, const real *x, int64_t sx, void *room);

static void for_each_line(const KernelCall *call, AlongFn *line) {
    const Tensor *in = call->in[0], *out = call->out;
    int dim = call->attr->dim, rank = in->shape.rank;
    int64_t n = in->shape.dim[dim], index[MAX_RANK] = {0}, lines = n ? shape_size(in->shape) / n : 0;
    const real *p = in->data;
    real *q = out->data;
    for (; lines > 0; lines--) {
        line(n, q, out->stride[dim], p, in->stride[dim], call->env->room);
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

size_t kernel_room(Op op, const Tensor *const *in, const OpAttr *attr) {
    return op == OP_ARGSORT ? 2 * sizeof(Ranked) * (size_t)in[0]->shape.dim[attr->dim] : 0;
}
