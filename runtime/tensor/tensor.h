/* Tensors: dense arrays of one real type, seen through shapes and strides.
 *
 * Invariant: a tensor's elements are data[sum_k index_k * stride_k]; strides count elements and may be 0 (a
 * broadcast axis) or describe a view (slice, transpose). Tensors are never written once they are shared: kernels
 * write only into fresh ones. Row by row (last index fastest) where dense.
 *
 * Ownership: a Tensor lives in an arena. Its numbers live there too, or, when they are many, in reference-counted
 * storage that the arena releases. `tensor_keep` carries a tensor over to a longer-lived arena.
 */
#ifndef TENSOR_TENSOR_H
#define TENSOR_TENSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/ctx.h"

/* The one real type of a run: everything numeric says `real`, and the runtime is compiled for both. */
#ifdef REAL_FLOAT
typedef float real;
#else
typedef double real;
#endif
/* The border to what is computed in double in any case. */
static inline void reals_from_doubles(real *to, const double *from, int64_t n) {
#pragma omp simd
    for (int64_t k = 0; k < n; k++) to[k] = (real)from[k];
}
static inline void doubles_from_reals(double *to, const real *from, int64_t n) {
#ifdef REAL_FLOAT
#pragma omp simd
    for (int64_t k = 0; k < n; k++) to[k] = from[k];
#else
    if (n) memcpy(to, from, (size_t)n * sizeof *to);
#endif
}
/* from[n] itself where that will do, else copied to `room`. */
static inline const real *reals_of_doubles(real *room, const double *from, int64_t n) {
#ifdef REAL_FLOAT
    reals_from_doubles(room, from, n);
    return room;
#else
    (void)room, (void)n;
    return from;
#endif
}

enum { MAX_RANK = 12 };

typedef struct Shape {
    int rank;
    int64_t dim[MAX_RANK];
} Shape;

#define SHAPE_SCALAR ((Shape){0})
Shape shape_of(int rank, const int64_t *dims);
Shape shape1(int64_t n);
Shape shape2(int64_t n, int64_t m);
int64_t shape_size(Shape s); /* number of elements; 1 for rank 0; saturates instead of overflowing */
bool shape_equal(Shape a, Shape b);
/* NumPy's rule: right-aligned, equal or 1. False (and *out untouched) when the shapes do not agree. */
bool shape_broadcast(Shape a, Shape b, Shape *out);
/* "[8]", "[100, 3]", "[]"; in `arena`. */
char *shape_text(Arena *arena, Shape s);

typedef struct Storage Storage; /* reference-counted numbers */

typedef struct Tensor {
    real *data;
    Storage *storage; /* NULL: the numbers belong to the arena */
    Shape shape;
    int64_t stride[MAX_RANK];
} Tensor;

/* Raises when an array of this shape would pass ctx->max_bytes, also where a view would hold it. */
void tensor_check_size(Ctx *c, Arena *a, Shape shape);
/* Fresh, dense, uninitialised. Raises when the size passes ctx->max_bytes or memory. */
Tensor *tensor_new(Ctx *c, Arena *a, Shape shape);
/* Numbers of this type at an offset of a file, to read; NULL: they cannot be mapped. */
Tensor *tensor_of_file(Ctx *c, Arena *a, Shape shape, int fd, size_t offset);
/* As tensor_new; but where so many numbers (`together`: its own, with others that come beside it) are worth it, in a file
 * of its own (mapping_spill), whatever the memory of the machine. */
Tensor *tensor_new_or_spilled(Ctx *c, Arena *a, Shape shape, int64_t together);
Tensor *tensor_zeros(Ctx *c, Arena *a, Shape shape);
Tensor *tensor_scalar(Ctx *c, Arena *a, real x);
/* Around memory that somebody else keeps alive at least as long as the arena (dense). */
Tensor *tensor_borrow(Arena *a, Shape shape, real *data);
/* A dense copy of numbers that were computed in double. */
Tensor *tensor_of_doubles(Ctx *c, Arena *a, Shape shape, const double *x);
/* The same numbers for a longer-lived arena: storage is retained, arena numbers are copied. */
Tensor *tensor_keep(Ctx *c, Arena *a, const Tensor *t);

bool tensor_is_dense(const Tensor *t);
const Tensor *tensor_dense(Ctx *c, Arena *a, const Tensor *t); /* itself, or a dense copy */
void tensor_copy_out(const Tensor *t, real *dense);            /* row by row */
real tensor_item(const Tensor *t, int64_t flat);                /* the flat-th element in row-major order */

/* Views; they share the numbers. The caller has checked the arguments. */
bool tensor_can_reshape(const Tensor *t, Shape shape); /* strides can express it */
Tensor *tensor_view_reshape(Ctx *c, Arena *a, const Tensor *t, Shape shape); /* copies where strides forbid a view */
Tensor *tensor_view_expand(Arena *a, const Tensor *t, Shape shape);          /* broadcast, stride 0 */
Tensor *tensor_view_permute(Arena *a, const Tensor *t, const int *perm);     /* out dim k is dim perm[k] */
Tensor *tensor_view_slice(Arena *a, const Tensor *t, int dim, int64_t start, int64_t count, int64_t step);

#endif
