/* Kernels that move numbers: padding, joining, gathering and its adjoint, diagonals, triangles. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/team.h"
#include "tape/indexed.h"
#include "tape/kernels.h"

static void fill_zero(const Tensor *t) {
    int64_t n = shape_size(t->shape);
    if (n > 0) memset(t->data, 0, (size_t)n * sizeof(real));
}

/* The part start, start + step, ... (count of them) of dimension `dim`. */
static Tensor part_of(const Tensor *t, int dim, int64_t start, int64_t count, int64_t step) {
    Tensor part = *t;
    part.shape.dim[dim] = count;
    part.stride[dim] = t->stride[dim] * step;
    if (count > 0) part.data = t->data + start * t->stride[dim];
    return part;
}

bool kernel_pad(const KernelCall *call) {
    const OpAttr *a = call->attr;
    fill_zero(call->out);
    Tensor part = part_of(call->out, a->dim, a->start, call->in[0]->shape.dim[a->dim], a->step);
    tensor_assign(&part, call->in[0]);
    return true;
}

/* Whole arrays one behind the other; some may be there already. */
static bool concat_stretches(const KernelCall *call) {
    for (int d = 0; d < call->attr->dim; d++)
        if (call->out->shape.dim[d] != 1) return false;
    real *to = call->out->data;
    for (int k = 0; k < call->n; k++) {
        const Tensor *part = call->in[k];
        int64_t n = shape_size(part->shape);
        if (n == 1)
            *to = *part->data;
        else if (part->data != to && tensor_is_dense(part))
            memcpy(to, part->data, (size_t)n * sizeof(real));
        else if (part->data != to)
            tensor_copy_out(part, to);
        to += n;
    }
    return true;
}

bool kernel_concat(const KernelCall *call) {
    if (concat_stretches(call)) return true;
    int64_t start = 0;
    for (int k = 0; k < call->n; k++) {
        int64_t count = call->in[k]->shape.dim[call->attr->dim];
        Tensor part = part_of(call->out, call->attr->dim, start, count, 1);
        tensor_assign(&part, call->in[k]);
        start += count;
    }
    return true;
}

/* GATHER and SCATTER_ADD see their operands as [A, B, K, E] and [A, B, M, E], the index as [B, M]. */
typedef struct Blocks {
    int64_t A, B, K, M, E;
} Blocks;

static Blocks blocks_of(const Tensor *whole, const Tensor *index, int batch) {
    Blocks b = {1, 1, whole->shape.dim[batch], 1, 1};
    for (int d = 0; d < batch; d++) b.A *= whole->shape.dim[d], b.B *= index->shape.dim[d];
    b.A = b.B ? b.A / b.B : 0;
    for (int d = batch; d < index->shape.rank; d++) b.M *= index->shape.dim[d];
    for (int d = batch + 1; d < whole->shape.rank; d++) b.E *= whole->shape.dim[d];
    return b;
}

static bool bad_index(const KernelCall *call, real index, int64_t K) {
    if (call->why) snprintf(call->why, WHY_SIZE, "the index %g is not one of 1..%lld", index, (long long)K);
    return false;
}

/* Rows of one of the B. */
typedef struct Gather {
    const real *from, *index;
    real *to;
    int64_t K, E;
    atomic_bool bad; /* an index in some stretch */
} Gather;

/* From `start` on; gives the end, or the first row whose index is bad. */
static int64_t gather_rows(const Gather *g, int64_t start, int64_t end) {
    for (int64_t m = start; m < end; m++) {
        int64_t i = checked_index(g->index[m], g->K);
        if (i < 0) return m;
        if (g->E == 1)
            g->to[m] = g->from[i];
        else if (g->E > 0)
            memcpy(g->to + m * g->E, g->from + i * g->E, (size_t)g->E * sizeof(real));
    }
    return end;
}

static void gather_stretch(void *self, int64_t start, int64_t end) {
    Gather *g = self;
    if (gather_rows(g, start, end) < end) g->bad = true;
}

bool kernel_gather(const KernelCall *call) {
    Blocks n = blocks_of(call->in[0], call->in[1], call->attr->dim);
    if (call->indexed) {
        indexed_gather_all(call->indexed, n.A, n.E, call->out->data, call->in[0]->data, call->env->team);
        return true;
    }
    const real *index = call->in[1]->data;
    Gather g = {call->in[0]->data, index, call->out->data, n.K, n.E, false};
    bool large = n.M * n.E >= SHARED_ELEMENTS;
    for (int64_t b = 0; b < n.A * n.B; b++, g.from += n.K * n.E, g.to += n.M * n.E) {
        g.index = index + b % n.B * n.M;
        if (large) team_run_stretches(call->env->team, n.M, 1 + SHARED_ELEMENTS / 4 / n.E, gather_stretch, &g);
        int64_t end = large && !g.bad ? n.M : gather_rows(&g, 0, n.M);
        if (end < n.M) return bad_index(call, g.index[end], n.K);
    }
    return true;
}

bool kernel_scatter_add(const KernelCall *call) {
    Blocks n = blocks_of(call->out, call->in[1], call->attr->dim);
    const real *from = call->in[0]->data;
    real *to = call->out->data;
    fill_zero(call->out);
    if (call->indexed) {
        indexed_add_all(call->indexed, n.A, n.E, to, from, call->env->team);
        return true;
    }
    for (int64_t b = 0; b < n.A * n.B; b++, to += n.K * n.E)
        for (int64_t m = 0; m < n.M; m++, from += n.E) {
            real index = call->in[1]->data[b % n.B * n.M + m];
            int64_t i = checked_index(index, n.K);
            if (i < 0) return bad_index(call, index, n.K);
            real *t = to + i * n.E;
            for (int64_t e = 0; e < n.E; e++) t[e] += from[e];
        }
    return true;
}

bool kernel_diag_embed(const KernelCall *call) {
    const Tensor *out = call->out;
    fill_zero(out);
    Tensor diagonal = *out;
    diagonal.shape.rank = out->shape.rank - 1;
    diagonal.stride[out->shape.rank - 2] = out->stride[out->shape.rank - 2] + 1;
    tensor_assign(&diagonal, call->in[0]);
    return true;
}

bool kernel_tril(const KernelCall *call) {
    const Tensor *out = call->out;
    int rank = out->shape.rank;
    int64_t n = out->shape.dim[rank - 2], m = out->shape.dim[rank - 1];
    tensor_assign(out, call->in[0]);
    real *row = out->data;
    for (int64_t r = 0, rows = m ? shape_size(out->shape) / m : 0; r < rows; r++, row += m) {
        int64_t from = r % n + call->attr->start + 1; /* the first column that goes */
        for (int64_t j = from > 0 ? from : 0; j < m; j++) row[j] = 0;
    }
    return true;
}
