#include "tape/lapack.h"

#include <stddef.h>

/* Fortran: columns first, everything by address, the lengths of texts at the end. What is the lower triangle by rows is
 * the upper one by columns of the same memory: nothing needs to be transposed. */
void dpotrf_(const char *triangle, const int *n, double *a, const int *lda, int *info, size_t length);
void spotrf_(const char *triangle, const int *n, float *a, const int *lda, int *info, size_t length);
void dlauum_(const char *triangle, const int *n, double *a, const int *lda, int *info, size_t length);
void slauum_(const char *triangle, const int *n, float *a, const int *lda, int *info, size_t length);
void dsyev_(const char *job, const char *triangle, const int *n, double *a, const int *lda, double *values,
            double *work, const int *nwork, int *info, size_t job_length, size_t triangle_length);

void omp_set_num_threads(int n); /* of libgomp, which OpenBLAS is built on; <omp.h> wants -fopenmp */

/* OpenBLAS asks OpenMP how many threads it may use, and OpenMP counts for each calling thread by itself. */
void blas_use_one_thread(void) { omp_set_num_threads(1); }

__attribute__((constructor)) static void start_with_one_thread(void) { blas_use_one_thread(); }

int lapack_cholesky(int64_t n, double *a) {
    int size = (int)n, lda = size > 0 ? size : 1, info = 0;
    dpotrf_("U", &size, a, &lda, &info, 1);
    return info;
}

int lapack_cholesky_real(int64_t n, real *a) {
#ifdef REAL_FLOAT
    int size = (int)n, lda = size > 0 ? size : 1, info = 0;
    spotrf_("U", &size, a, &lda, &info, 1);
    return info;
#else
    return lapack_cholesky(n, a);
#endif
}

void lapack_square_real(int64_t n, real *a) {
    int size = (int)n, lda = size > 0 ? size : 1, info = 0;
#ifdef REAL_FLOAT
    slauum_("U", &size, a, &lda, &info, 1);
#else
    dlauum_("U", &size, a, &lda, &info, 1);
#endif
}

bool lapack_eigen(Arena *scratch, int64_t n, double *a, double *values) {
    int size = (int)n, lda = size > 0 ? size : 1, info = 0, query = -1;
    double room;
    dsyev_("V", "U", &size, a, &lda, values, &room, &query, &info, 1, 1);
    int nwork = (int)room;
    double *work = ARENA_ARRAY(scratch, double, nwork + 1);
    dsyev_("V", "U", &size, a, &lda, values, work, &nwork, &info, 1, 1);
    return info == 0;
}
