/* The few LAPACK routines in use, as OpenBLAS has them, and how it is to run. Matrices lie row by row. */
#ifndef TAPE_LAPACK_H
#define TAPE_LAPACK_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/tensor.h"

/* BLAS calls of this thread use no other: how many there are would show in the last bit, and idle ones spin. The thread
 * that main runs in does so from the start. */
void blas_use_one_thread(void);

/* The factor L (a = L L^T) in place of the lower triangle of a[n, n]; what lies above stays. Gives 0, or the first row
 * (from 1) at which the matrix is not positive definite. NaNs pass. Allocates nothing. */
int lapack_cholesky(int64_t n, double *a);
int lapack_cholesky_real(int64_t n, real *a); /* the same in the precision of the run */
/* M^T M in place of the lower triangle M of a[n, n]. */
void lapack_square_real(int64_t n, real *a);

/* The eigenvalues of the symmetric a[n, n], ascending, and in place of a its eigenvectors, one in each row. False: no
 * convergence. */
bool lapack_eigen(Arena *scratch, int64_t n, double *a, double *values);

#endif
