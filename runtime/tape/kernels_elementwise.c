/* Elementwise kernels: one line function per row of ops.def, and the loop that takes tensors apart into lines. */
#include <tgmath.h>

#include "base/team.h"
#include "tape/kernels.h"
#include "tape/special.h"

#define NUMBER real
#include "tape/elementwise.h"

/* Dense and broadcast operands get loops of their own. The expression is the same in all, and so are the bits. */
#define LINE(EXPR, ...)                                                                                                \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        __VA_ARGS__;                                                                                                   \
        out[i] = (EXPR);                                                                                               \
    }

#define ROW_1(name, EXPR)                                                                                              \
    static void row_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {            \
        const real *restrict A = in[0];                                                                                \
        const int64_t sa = stride[0];                                                                                  \
        if (sa == 1) {                                                                                                 \
            LINE(EXPR, const real a = A[i])                                                                            \
        } else if (sa == 0) {                                                                                          \
            const real a = *A, x = (EXPR);                                                                             \
            for (int64_t i = 0; i < n; i++) out[i] = x;                                                                \
        } else {                                                                                                       \
            LINE(EXPR, const real a = A[i * sa])                                                                       \
        }                                                                                                              \
    }

#define ROW_2(name, EXPR)                                                                                              \
    static void row_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {            \
        const real *restrict A = in[0], *restrict B = in[1];                                                           \
        const int64_t sa = stride[0], sb = stride[1];                                                                  \
        if (sa == 1 && sb == 1) {                                                                                      \
            LINE(EXPR, const real a = A[i]; const real b = B[i])                                                       \
        } else if (sa == 1 && sb == 0) {                                                                               \
            const real b = *B;                                                                                         \
            LINE(EXPR, const real a = A[i])                                                                            \
        } else if (sa == 0 && sb == 1) {                                                                               \
            const real a = *A;                                                                                         \
            LINE(EXPR, const real b = B[i])                                                                            \
        } else {                                                                                                       \
            LINE(EXPR, const real a = A[i * sa]; const real b = B[i * sb])                                             \
        }                                                                                                              \
    }

#define ROW_3(name, EXPR)                                                                                              \
    static void row_##name(int64_t n, real *restrict out, const real *const in[], const int64_t stride[]) {            \
        const real *restrict A = in[0], *restrict B = in[1], *restrict C = in[2];                                      \
        const int64_t sa = stride[0], sb = stride[1], sc = stride[2];                                                  \
        if (sa == 1 && sb == 1 && sc == 1) {                                                                           \
            LINE(EXPR, const real a = A[i]; const real b = B[i]; const real c = C[i])                                  \
        } else {                                                                                                       \
            LINE(EXPR, const real a = A[i * sa]; const real b = B[i * sb]; const real c = C[i * sc])                   \
        }                                                                                                              \
    }

#define DEFINE_EW(arity, name, EXPR) ROW_##arity(name, EXPR)
#define DEFINE_SOURCE(arity, name, EXPR)
#define DEFINE_VIEW(arity, name, EXPR)
#define DEFINE_CALL(arity, name, EXPR)
#define DEFINE_RANDOM(arity, name, EXPR)
#define OP(NAME, name, arity, class, shape, gradient, lang, domain, expr) DEFINE_##class(arity, name, expr)
#include "tape/ops.def"
#undef OP

#define ROW_OF_EW(name) row_##name
#define ROW_OF_SOURCE(name) NULL
#define ROW_OF_VIEW(name) NULL
#define ROW_OF_CALL(name) NULL
#define ROW_OF_RANDOM(name) NULL
static RowFn *const rows[OP_COUNT] = {
#define OP(NAME, name, arity, class, ...) [OP_##NAME] = ROW_OF_##class(name),
#include "tape/ops.def"
#undef OP
};

RowFn *ew_row(Op op) { return rows[op]; }

/* -- From tensors to lines -- */

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
    *loop = (EwLoop){.row = rows[op], .n = n, .rank = MAX_RANK - at, .out = out->data};
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
        for (int64_t i = 0; i < n; i++) p[i] = q[i];
    } else {
        for (int64_t i = 0; i < n; i++) p[i * sp] = q[i * sq];
    }
}

void tensor_assign(const Tensor *to, const Tensor *from) {
    if (shape_size(to->shape) > 0) assign_block(to, from, 0, to->data, from->data);
}
