/* Lines of work: what kernels do with numbers that lie in a row. Compiled for each instruction set (base/isa.h).
 * Private to tape/. */
#ifndef TAPE_LINES_H
#define TAPE_LINES_H

#include "base/isa.h"
#include "tape/tape.h"

enum { EW_MAX = 3 };

/* out[0..n) from operands with strides (elementwise), or out[0] from a line of n (reductions). `out` overlaps no
 * operand. A number does not depend on n, on where it stands in the line or on strides. */
typedef void RowFn(int64_t n, real *out, const real *const in[], const int64_t stride[]);

/* Sums of `width` <= SUM_TILE neighbouring columns of n rows `stride` apart: the bits of line sums. */
enum { SUM_TILE = 16 };
typedef void SumColumnsFn(int64_t n, int width, const real *x, int64_t stride, real *out);

/* log sum exp of `count` lines of n, count * n <= SUM_BLOCK: the bits of line by line. */
typedef void LogsumexpRowsFn(int count, const real *const *rows, int64_t n, int64_t stride, real *out);

/* The sum of a line is sums_total of those of its blocks of SUM_BLOCK (the last may be shorter). */
enum { SUM_BLOCK = 256 };
typedef double SumBlockFn(int n, const real *x);
double sums_total(int64_t nblocks, const double *sums);

/* Two operations in one loop (lines_pairs.c). The line for `outer`, of which operand `at` is what `inner` gives: operands
 * 0 and 1 are the inner operation's (twice that of SQUARE), 2 is the other one of the outer; strides 0 or 1. NULL: none. */
typedef RowFn *PairChooseFn(Op outer, int at, Op inner, const int64_t *stride);
typedef double SumProductsFn(int n, const real *x, const real *y); /* the sum_block of x y */

/* out[0..n) = a b for a[n, K] with strides sr, sc and b[K] with stride sb; the same bits for all strides. */
typedef void MatrixVectorFn(int64_t n, int64_t K, const real *a, int64_t sr, int64_t sc, const real *b, int64_t sb,
                            real *out);

/* Matrices of few rows, 1 to `rows` of them, for which a call of BLAS or LAPACK costs more than the work; row by row
 * where no strides are given. The same bits for all strides. */
typedef struct SmallMatrices {
    int rows;
    /* The lower factor of a symmetric matrix, of which the lower triangle is read; gives 0, or the first row (from 1) at
     * which it is not positive definite and finite. */
    int (*cholesky)(int n, const real *a, int64_t sr, int64_t sc, real *l);
    void (*root_inverse)(int n, const real *l, real *out); /* (l l^T)^-1 of a lower triangle */
    /* out[n, m] with l out = b for a lower triangle l with strides sr, sc; backwards: an upper one. m and all strides may
     * be anything. */
    void (*solve)(int n, const real *l, int64_t sr, int64_t sc, bool backwards, int64_t m, const real *b, int64_t br,
                  int64_t bc, real *out, int64_t or, int64_t oc);
    /* The dense out[n, m] = a b, for any n and m and K <= rows. */
    void (*product)(int64_t n, int64_t m, int64_t K, const real *a, int64_t ar, int64_t ac, const real *b, int64_t br,
                    int64_t bc, real *out);
} SmallMatrices;

/* Runs instructions up to the last one; false: one could not be done (code.h). */
struct Instr;
typedef bool CodeRunFn(const struct Instr *i);

/* Runs instructions of steps from `from` at t on, and again from `first` on at the next t (code.h), up to `steps`. `number`:
 * what the first one has at hand. */
struct ScanInstr;
typedef void ScanRunFn(const struct ScanInstr *first, const struct ScanInstr *from, int64_t t, int64_t steps, real number);

/* One operation: the same numbers from each. */
typedef struct Rows {
    RowFn *any;      /* EW and reductions, else NULL */
    RowFn *one;      /* EW with n = 1 */
    RowFn *dense[4]; /* EW of two operands: bit k set, operand k is one number, the others are dense; or NULL */
} Rows;

typedef struct Lines {
    Rows rows[OP_COUNT];
    SumColumnsFn *sum_columns;
    SumBlockFn *sum_block;
    PairChooseFn *pair_choose;
    SumProductsFn *sum_products_block;
    RowFn *sum_products; /* of two dense lines */
    LogsumexpRowsFn *logsumexp_rows;
    MatrixVectorFn *matrix_vector; /* NULL where BLAS is as good */
    const SmallMatrices *small;
    CodeRunFn *code_run;
    ScanRunFn *scan_run;
    bool quick_lanes; /* has it the instructions for lanes (code.h)? */
} Lines;

extern const Lines lines_v1, lines_v3, lines_v4;
const Lines *lines_of(Isa isa);
const Lines *lines_here(void); /* those of the processor */
/* The quickest for elementwise lines of n with these strides. */
RowFn *lines_choose(Op op, int operands, int64_t n, const int64_t *stride);

#endif
