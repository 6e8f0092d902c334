/* Matrix products, Cholesky factors, triangular systems: OpenBLAS and LAPACK over the last two dimensions, batched
 * over the others; small matrices by lines of work (lines_small.c). What is called depends on shapes and strides
 * alone. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/team.h"
#include "tape/kernels.h"
#include "tape/lapack.h"
#include "tape/sums.h"

#ifdef REAL_FLOAT
#define GEMM cblas_sgemm
#define GEMV cblas_sgemv
#define TRSM cblas_strsm
#define TRMM cblas_strmm
#else
#define GEMM cblas_dgemm
#define GEMV cblas_dgemv
#define TRSM cblas_dtrsm
#define TRMM cblas_dtrmm
#endif

/* Below this many multiplications, and for a matrix and a vector of which one is this short, the loops win over the
 * call. */
enum { SMALL_PRODUCT = 512, SHORT_VECTOR = 64 };

bool matrix_layout(const Tensor *t, bool *transposed, int64_t *ld) {
    int r = t->shape.rank;
    int64_t rows = t->shape.dim[r - 2], columns = t->shape.dim[r - 1];
    int64_t sr = t->stride[r - 2], sc = t->stride[r - 1];
    if (rows <= 1) sr = columns > 1 ? columns : 1;
    if (columns <= 1) sc = rows <= 1 || sr >= 1 ? 1 : 0;
    *transposed = false;
    *ld = sr;
    if (sc == 1 && sr >= columns && sr >= 1) return true;
    sr = t->stride[r - 2];
    *transposed = true;
    *ld = columns <= 1 ? (rows > 1 ? rows : 1) : sc;
    return (rows <= 1 || sr == 1) && *ld >= rows && *ld >= 1;
}

/* The batch as an odometer over the output's leading dimensions; operands broadcast. */
typedef struct Batch {
    const Tensor *out;
    int n, rank; /* operands; leading dimensions */
    int64_t left, index[MAX_RANK], stride[3][MAX_RANK];
    real *to;
    const real *in[2];
} Batch;

static inline void batch_start(Batch *b, const KernelCall *call) { /* only what counts: it is large */
    const Tensor *out = call->out;
    b->out = out, b->n = call->n, b->rank = out->shape.rank - 2, b->left = 1, b->to = out->data;
    for (int d = 0; d < b->rank; d++) b->left *= out->shape.dim[d], b->index[d] = 0;
    for (int k = 0; k < call->n; k++) {
        const Tensor *t = call->in[k];
        b->in[k] = t->data;
        for (int d = 0; d < b->rank; d++) {
            int own = d - (out->shape.rank - t->shape.rank);
            b->stride[k][d] = own < 0 || t->shape.dim[own] == 1 ? 0 : t->stride[own];
        }
    }
}

static void batch_next(Batch *b) {
    if (--b->left == 0) return;
    b->to += b->out->shape.dim[b->rank] * b->out->shape.dim[b->rank + 1];
    for (int d = b->rank - 1; d >= 0; d--) {
        for (int k = 0; k < b->n; k++) b->in[k] += b->stride[k][d];
        if (++b->index[d] < b->out->shape.dim[d]) return;
        for (int k = 0; k < b->n; k++) b->in[k] -= b->out->shape.dim[d] * b->stride[k][d];
        b->index[d] = 0;
    }
}

static void product_by_loops(int64_t n, int64_t m, int64_t K, const real *a, int64_t ar, int64_t ac, const real *b,
                             int64_t br, int64_t bc, real *out) {
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            real s = 0;
            for (int64_t k = 0; k < K; k++) s += a[i * ar + k * ac] * b[k * br + j * bc];
            out[i * m + j] = s;
        }
}

static bool is_small(int64_t n) { return n > 0 && n <= lines_here()->small->rows; }

static bool is_small_product(int64_t n, int64_t m, int64_t K) {
    double rows = lines_here()->small->rows;
    return n > 1 && m > 1 && is_small(K) && (double)n * (double)m * (double)K <= rows * rows * rows;
}

/* A large product in stretches of rows (or columns, of which there are then more) of about the same length, whole units
 * of the kernels. The shape alone says how many: BLAS may round differently for other shapes, and the numbers must not
 * depend on the number of threads. Every stretch packs the other matrix anew, so they are few. */
enum { UNIT = 16, SHORTEST = 96 };
static const double WAKING = 4e6, STRETCH = 1.6e7; /* multiplications: worth waking others; those of a stretch */

typedef struct Product {
    int64_t n, m, K, lda, ldb;
    bool ta, tb, by_rows;
    int stretches;
    const real *a, *b;
    real *out;
} Product;

static void product_stretch(void *arg, int k) {
    const Product *p = arg;
    blas_use_one_thread();
    int64_t all = p->by_rows ? p->n : p->m, units = (all + UNIT - 1) / UNIT;
    int64_t start = units * k / p->stretches * UNIT, end = units * (k + 1) / p->stretches * UNIT;
    int64_t count = (end < all ? end : all) - start;
    int64_t n = p->by_rows ? count : p->n, m = p->by_rows ? p->m : count;
    const real *a = p->by_rows ? p->a + start * (p->ta ? 1 : p->lda) : p->a;
    const real *b = p->by_rows ? p->b : p->b + start * (p->tb ? p->ldb : 1);
    real *out = p->out + (p->by_rows ? start * p->m : start);
    GEMM(CblasRowMajor, p->ta ? CblasTrans : CblasNoTrans, p->tb ? CblasTrans : CblasNoTrans, (int)n, (int)m, (int)p->K, 1, a,
                (int)p->lda, b, (int)p->ldb, 0, out, (int)p->m);
}

static void product(Product *p, struct Team *team) {
    p->by_rows = p->n >= p->m;
    int64_t all = p->by_rows ? p->n : p->m;
    double work = (double)p->n * (double)p->m * (double)p->K;
    p->stretches = work >= WAKING && all >= 2 * UNIT ? 2 : 1;
    while (p->stretches > 1 && 2 * p->stretches * SHORTEST <= all && work >= 2 * p->stretches * STRETCH)
        p->stretches *= 2;
    team_run(team, p->stretches, product_stretch, p);
}

bool product_by_lines(int64_t n, int64_t m, int64_t K) {
    bool small = K == 0 || (double)n * (double)m * (double)K <= SMALL_PRODUCT;
    return !small && lines_here()->matrix_vector &&
           ((m == 1 && (n <= SHORT_VECTOR || K <= SHORT_VECTOR)) ||
            (n == 1 && (m <= SHORT_VECTOR || K <= SHORT_VECTOR)));
}

/* out[n] = a[n, K] b[K] */
typedef struct ByLines {
    int64_t n, K, sr, sc, sb;
    const real *a, *b;
    real *out;
} ByLines;

static void lines_stretch(void *self, int64_t start, int64_t end) {
    const ByLines *p = self;
    lines_here()->matrix_vector(end - start, p->K, p->a + start * p->sr, p->sr, p->sc, p->b, p->sb, p->out + start);
}

/* Rows that are dense are taken four at a time, others in groups, of which a few rows are none. */
static void vector_by_lines(ByLines p, struct Team *team) {
    int64_t fewest = p.sc == 1 ? 4 : 256, piece = SHARED_ELEMENTS / p.K / fewest * fewest;
    bool shared = (double)p.n * (double)p.K >= 4 * SHARED_ELEMENTS && p.n > fewest;
    team_run_stretches(shared ? team : NULL, p.n, !shared ? p.n : piece < fewest ? fewest : piece, lines_stretch, &p);
}

bool kernel_matmul(const KernelCall *call) {
    const Tensor *a = call->in[0], *b = call->in[1], *out = call->out;
    int ra = a->shape.rank, rb = b->shape.rank, ro = out->shape.rank;
    int64_t n = out->shape.dim[ro - 2], m = out->shape.dim[ro - 1], K = a->shape.dim[ra - 1], lda, ldb;
    bool ta, tb, small = K == 0 || (double)n * (double)m * (double)K <= SMALL_PRODUCT;
    bool lines = product_by_lines(n, m, K);
    bool tiny = is_small_product(n, m, K);
    matrix_layout(a, &ta, &lda);
    matrix_layout(b, &tb, &ldb);
    Batch w;
    for (batch_start(&w, call); w.left > 0 && n > 0 && m > 0; batch_next(&w)) {
        if (lines && m == 1) {
            vector_by_lines((ByLines){n, K, a->stride[ra - 2], a->stride[ra - 1], b->stride[rb - 2], w.in[0], w.in[1], w.to},
                            call->env->team);
            continue;
        }
        if (lines) {
            vector_by_lines((ByLines){m, K, b->stride[rb - 1], b->stride[rb - 2], a->stride[ra - 1], w.in[1], w.in[0], w.to},
                            call->env->team);
            continue;
        }
        if (tiny) {
            lines_here()->small->product(n, m, K, w.in[0], a->stride[ra - 2], a->stride[ra - 1], w.in[1],
                                         b->stride[rb - 2], b->stride[rb - 1], w.to);
            continue;
        }
        if (!small && (n == 1 || m == 1)) memset(w.to, 0, (size_t)(n * m) * sizeof(real)); /* gemv may scale NaN by 0 */
        if (small)
            product_by_loops(n, m, K, w.in[0], a->stride[ra - 2], a->stride[ra - 1], w.in[1], b->stride[rb - 2],
                          b->stride[rb - 1], w.to);
        else if (m == 1) /* b and the output are vectors */
            GEMV(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, (int)(ta ? K : n), (int)(ta ? n : K), 1, w.in[0],
                        (int)lda, w.in[1], (int)(K > 1 ? b->stride[rb - 2] : 1), 0, w.to, 1);
        else if (n == 1)
            GEMV(CblasRowMajor, tb ? CblasNoTrans : CblasTrans, (int)(tb ? m : K), (int)(tb ? K : m), 1, w.in[1],
                        (int)ldb, w.in[0], (int)(K > 1 ? a->stride[ra - 1] : 1), 0, w.to, 1);
        else
            product(&(Product){.n = n, .m = m, .K = K, .lda = lda, .ldb = ldb, .ta = ta, .tb = tb, .a = w.in[0], .b = w.in[1], .out = w.to},
                    call->env->team);
    }
    return true;
}

/* Of a[n, n], of which the lower triangle is read; gives 0, or the first row at which it is not positive definite. */
static int cholesky(int64_t n, const Tensor *in, const real *a, real *l) {
    int r = in->shape.rank;
    int64_t sr = in->stride[r - 2], sc = in->stride[r - 1];
    if (is_small(n)) return lines_here()->small->cholesky((int)n, a, sr, sc, l);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j <= i; j++) l[i * n + j] = a[i * sr + j * sc];
        memset(l + i * n + i + 1, 0, (size_t)(n - 1 - i) * sizeof *l);
    }
    int bad = lapack_cholesky_real(n, l);
    for (int64_t i = 0; i < n && !bad; i++)
        if (!isfinite(l[i * n + i])) bad = (int)i + 1; /* NaN passes LAPACK */
    return bad;
}

bool kernel_cholesky(const KernelCall *call) {
    int64_t n = call->out->shape.dim[call->out->shape.rank - 1];
    Batch w;
    for (batch_start(&w, call); w.left > 0 && n > 0; batch_next(&w)) {
        int bad = cholesky(n, call->in[0], w.in[0], w.to);
        if (!bad) continue;
        if (call->why) snprintf(call->why, WHY_SIZE, "the matrix is not positive definite (row %d)", bad);
        return false;
    }
    return true;
}

/* A triangle with all the right-hand sides that are solved with it in one go: columns, or vectors of which each is a
 * matrix of the batch. */
typedef struct System {
    bool upper, transposed;
    int64_t n, m, sr, sc, br, bc, or, oc; /* strides of the triangle, of what is right, of the solutions */
} System;

/* Rows of L^-1 b, or of b^T L^-T: BLAS has no strides for both. */
static void solve_large(const System *s, const real *l, const real *b, real *out) {
    bool columns = s->sc != 1, vectors = s->oc != 1;
    int64_t ld = columns ? s->sc : s->sr, rows = vectors ? s->m : s->n, count = vectors ? s->n : s->m;
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t j = 0; j < s->m; j++) out[i * s->or + j * s->oc] = b[i * s->br + j * s->bc];
    bool turned = (s->transposed != columns) != vectors;
    TRSM(CblasRowMajor, vectors ? CblasRight : CblasLeft, s->upper != columns ? CblasUpper : CblasLower,
         turned ? CblasTrans : CblasNoTrans, CblasNonUnit, (int)rows, (int)count, 1, l, (int)ld, out, (int)count);
}

static void solve_small(const System *s, const real *l, const real *b, real *out) {
    int64_t sr = s->transposed ? s->sc : s->sr, sc = s->transposed ? s->sr : s->sc;
    bool backwards = s->upper != s->transposed;
    lines_here()->small->solve((int)s->n, l, sr, sc, backwards, s->m, b, s->br, s->bc, out, s->or, s->oc);
}

bool kernel_tri_solve(const KernelCall *call) {
    const Tensor *l = call->in[0], *b = call->in[1], *out = call->out;
    int r = out->shape.rank, rl = l->shape.rank, rb = b->shape.rank, flags = call->attr->flags;
    int64_t n = out->shape.dim[r - 2], m = out->shape.dim[r - 1];
    System s = {.upper = flags & TRI_UPPER, .transposed = flags & TRI_TRANSPOSED, .n = n, .m = m, .or = m, .oc = 1};
    s.sr = l->stride[rl - 2], s.sc = l->stride[rl - 1], s.br = b->stride[rb - 2], s.bc = b->stride[rb - 1];
    Batch w;
    batch_start(&w, call);
    if (m == 1 && w.rank > 0 && w.stride[0][w.rank - 1] == 0 && out->shape.dim[w.rank - 1] > 0) {
        s.bc = w.stride[1][--w.rank], s.m = out->shape.dim[w.rank], s.or = 1, s.oc = n;
        w.left /= s.m;
    }
    for (; w.left > 0 && n > 0 && m > 0; batch_next(&w))
        (is_small(n) ? solve_small : solve_large)(&s, w.in[0], w.in[1], w.to);
    return true;
}

/* The sum of f(|x|) of n numbers, as OP_SUM adds. */
static real sum_over(Op f, int64_t n, const real *x, int64_t stride) {
    const Lines *lines = lines_here();
    real block[SUM_BLOCK], y[SUM_BLOCK];
    const int64_t dense = 1;
    const real *from = block;
    Pairs p;
    pairs_start(&p);
    for (int64_t i = 0; i < n; i += SUM_BLOCK, x += SUM_BLOCK * stride) {
        int count = n - i < SUM_BLOCK ? (int)(n - i) : SUM_BLOCK;
        for (int k = 0; k < count; k++) block[k] = fabs(x[k * stride]);
        lines->rows[f].any(count, y, &from, &dense);
        pairs_add(&p, lines->sum_block(count, y));
    }
    return (real)pairs_total(&p);
}

/* The solutions are dense; as many as fit are squared at a time. */
bool kernel_inv_quad(const KernelCall *call) {
    const Lines *lines = lines_here();
    Shape s = call->in[2]->shape;
    int64_t n = s.dim[s.rank - 2] * s.dim[s.rank - 1], count = shape_size(call->out->shape), dense = 1;
    int64_t together = n > 0 && n <= SUM_BLOCK ? SUM_BLOCK / n : 1;
    const real *z = call->in[2]->data;
    real square[SUM_BLOCK], *out = call->out->data;
    for (int64_t k = 0; k < count; k += together, z += together * n) {
        if (n > SUM_BLOCK || n == 0) {
            out[k] = sum_over(OP_SQUARE, n, z, 1);
            continue;
        }
        int64_t lines_now = count - k < together ? count - k : together;
        lines->rows[OP_SQUARE].any(lines_now * n, square, &z, &dense);
        for (int64_t i = 0; i < lines_now; i++) out[k + i] = (real)lines->sum_block((int)n, square + i * n);
    }
    return true;
}

bool kernel_log_diag(const KernelCall *call) {
    Shape s = call->in[0]->shape;
    int64_t n = s.dim[s.rank - 1], count = shape_size(call->out->shape);
    for (int64_t k = 0; k < count; k++) call->out->data[k] = sum_over(OP_LOG, n, call->in[0]->data + k * n * n, n + 1);
    return true;
}

/* L becomes L^-1 within a[n, ...], `ld` numbers a row: by halves, in place. LAPACK's way takes three times as long at
 * 200 rows. */
static void invert_triangle(int64_t n, real *a, int64_t ld) {
    enum { LEAST = 32 };
    if (n <= LEAST) {
        real one[LEAST * LEAST] = {0}, inverse[LEAST * LEAST];
        for (int64_t i = 0; i < n; i++) one[i * (n + 1)] = 1;
        const System s = {.n = n, .m = n, .sr = ld, .sc = 1, .br = n, .bc = 1, .or = n, .oc = 1};
        (is_small(n) ? solve_small : solve_large)(&s, a, one, inverse);
        for (int64_t i = 0; i < n; i++) memcpy(a + i * ld, inverse + i * n, (size_t)(i + 1) * sizeof *a);
        return;
    }
    const int64_t half = n / 2, rest = n - half;
    real *left = a + half * ld, *right = left + half;
    TRSM(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)rest, (int)half, -1, right, (int)ld, left,
         (int)ld);
    invert_triangle(half, a, ld);
    TRMM(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)rest, (int)half, 1, a, (int)ld, left,
         (int)ld);
    invert_triangle(rest, right, ld);
}

bool kernel_root_inverse(const KernelCall *call) {
    Shape s = call->out->shape;
    int64_t n = s.dim[s.rank - 1];
    const real *l = call->in[0]->data;
    real *a = call->out->data;
    for (int64_t count = n ? shape_size(s) / (n * n) : 0; count > 0; count--, l += n * n, a += n * n) {
        if (is_small(n)) {
            lines_here()->small->root_inverse((int)n, l, a);
            continue;
        }
        memcpy(a, l, (size_t)(n * n) * sizeof *a);
        invert_triangle(n, a, n);
        lapack_square_real(n, a);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++) a[j * n + i] = a[i * n + j];
    }
    return true;
}
