/* Elementwise operations on tensors: taking them apart into lines. */
#include <string.h>

#include "base/team.h"
#include "tape/kernels.h"

void ew_prepare(EwLoop *loop, Op op, const Tensor *out, int n, const Tensor *const *in) {
    int rank = out->shape.rank, at = MAX_RANK; /* dimensions are filled in from the last one */
    int64_t dim[MAX_RANK], stride[EW_MAX][MAX_RANK];
    for (int d = rank - 1; d >= 0; d--) {
        int64_t size = out->shape.dim[d];
        if (size == 1) continue;
        int64_t s[EW_MAX];
        bool merge = at < MAX_RANK;
        for (int k = 0; k < n; k++) {
            int own = d - (rank - in[k]->shape.rank);
            s[k] = own < 0 || in[k]->shape.dim[own] == 1 ? 0 : in[k]->stride[own];
            merge = merge && s[k] == stride[k][at] * dim[at];
        }
        if (merge) {
            dim[at] *= size;
            continue;
        }
        dim[--at] = size;
        for (int k = 0; k < n; k++) stride[k][at] = s[k];
    }
    if (at == MAX_RANK) { /* one number */
        dim[--at] = 1;
        for (int k = 0; k < n; k++) stride[k][at] = 1;
    }
    *loop = (EwLoop){.row = op_row(op), .n = n, .rank = MAX_RANK - at, .out = out->data};
    for (int d = 0; d < loop->rank; d++) {
        loop->dim[d] = dim[at + d];
        for (int k = 0; k < n; k++) loop->stride[k][d] = stride[k][at + d];
    }
    for (int k = 0; k < n; k++) loop->in[k] = in[k]->data;
}

void ew_run(const EwLoop *loop) {
    int last = loop->rank - 1, n = loop->n;
    int64_t line[EW_MAX], lines = 1, length = loop->dim[last], index[MAX_RANK] = {0};
    const real *in[EW_MAX];
    for (int k = 0; k < n; k++) in[k] = loop->in[k], line[k] = loop->stride[k][last];
    for (int d = 0; d < last; d++) lines *= loop->dim[d];
    if (lines == 0) return;
    real *out = loop->out;
    for (;;) {
        loop->row(length, out, in, line);
        if (--lines <= 0) break;
        out += length;
        for (int d = last - 1; d >= 0; d--) {
            if (++index[d] < loop->dim[d]) {
                for (int k = 0; k < n; k++) in[k] += loop->stride[k][d];
                break;
            }
            index[d] = 0;
            for (int k = 0; k < n; k++) in[k] -= loop->stride[k][d] * (loop->dim[d] - 1);
        }
    }
}

typedef struct SharedLoop {
    const EwLoop *loop;
    int64_t piece; /* indices of the first dimension in one part */
} SharedLoop;

static void run_piece(void *arg, int k) {
    const SharedLoop *s = arg;
    EwLoop part = *s->loop;
    int64_t start = k * s->piece, inner = 1;
    for (int d = 1; d < part.rank; d++) inner *= part.dim[d];
    if (part.dim[0] > start + s->piece) part.dim[0] = start + s->piece;
    part.dim[0] -= start;
    part.out += start * inner;
    for (int j = 0; j < part.n; j++) part.in[j] += start * part.stride[j][0];
    ew_run(&part);
}

void ew_run_shared(const EwLoop *loop, struct Team *team) {
    int64_t size = 1;
    for (int d = 0; d < loop->rank; d++) size *= loop->dim[d];
    if (!team || size < SHARED_ELEMENTS || loop->dim[0] < 2) {
        ew_run(loop);
        return;
    }
    int64_t inner = size / loop->dim[0];
    SharedLoop s = {loop, (SHARED_ELEMENTS / 4 + inner - 1) / inner};
    team_run(team, (int)((loop->dim[0] + s.piece - 1) / s.piece), run_piece, &s);
}

static void assign_block(const Tensor *to, const Tensor *from, int k, real *p, const real *q) {
    if (k == to->shape.rank) {
        *p = *q;
        return;
    }
    int64_t n = to->shape.dim[k], sp = to->stride[k], sq = from->stride[k];
    if (k < to->shape.rank - 1) {
        for (int64_t i = 0; i < n; i++) assign_block(to, from, k + 1, p + i * sp, q + i * sq);
    } else if (sp == 1 && sq == 1) {
        memcpy(p, q, sizeof *p * (size_t)n);
    } else {
        for (int64_t i = 0; i < n; i++) p[i * sp] = q[i * sq];
    }
}

void tensor_assign(const Tensor *to, const Tensor *from) {
    if (shape_size(to->shape) > 0) assign_block(to, from, 0, to->data, from->data);
}
