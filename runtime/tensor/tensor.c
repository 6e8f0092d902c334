#include "tensor/tensor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mapping.h"

/* Up to this many numbers live in the arena; more get storage of their own. */
enum { ARENA_NUMBERS = 1024, STORAGE_ALIGNMENT = 64 };

struct Storage {
    _Alignas(STORAGE_ALIGNMENT) int64_t references;
    Mapping *mapping; /* that holds the numbers; NULL: they are here */
    _Alignas(STORAGE_ALIGNMENT) real numbers[];
};

/* -- Shapes -- */

Shape shape_of(int rank, const int64_t *dims) {
    assert(rank >= 0 && rank <= MAX_RANK);
    Shape s = {.rank = rank};
    for (int k = 0; k < rank; k++) s.dim[k] = dims[k];
    return s;
}

Shape shape1(int64_t n) { return (Shape){.rank = 1, .dim = {n}}; }

Shape shape2(int64_t n, int64_t m) { return (Shape){.rank = 2, .dim = {n, m}}; }

int64_t shape_size(Shape s) {
    int64_t size = 1;
    bool saturated = false;
    for (int k = 0; k < s.rank; k++) {
        if (s.dim[k] == 0) return 0;
        saturated |= __builtin_mul_overflow(size, s.dim[k], &size);
        if (saturated) size = INT64_MAX;
    }
    return size;
}

bool shape_equal(Shape a, Shape b) {
    if (a.rank != b.rank) return false;
    for (int k = 0; k < a.rank; k++)
        if (a.dim[k] != b.dim[k]) return false;
    return true;
}

bool shape_broadcast(Shape a, Shape b, Shape *out) {
    Shape s = {.rank = a.rank > b.rank ? a.rank : b.rank};
    for (int k = 1; k <= s.rank; k++) {
        int64_t da = k <= a.rank ? a.dim[a.rank - k] : 1;
        int64_t db = k <= b.rank ? b.dim[b.rank - k] : 1;
        if (da != db && da != 1 && db != 1) return false;
        s.dim[s.rank - k] = da == 1 ? db : da;
    }
    *out = s;
    return true;
}

char *shape_text(Arena *arena, Shape s) {
    char text[MAX_RANK * 22 + 3], *p = text, *end = text + sizeof text;
    p += snprintf(p, (size_t)(end - p), "[");
    for (int k = 0; k < s.rank; k++) p += snprintf(p, (size_t)(end - p), k ? ", %lld" : "%lld", (long long)s.dim[k]);
    snprintf(p, (size_t)(end - p), "]");
    return arena_strdup(arena, text);
}

/* -- Storage -- */

static void storage_release(void *object) {
    Storage *s = object;
    if (--s->references > 0) return;
    if (s->mapping) mapping_release(s->mapping);
    free(s);
}

/* NULL when there is no memory. */
static Storage *storage_new(int64_t n) {
    size_t bytes = sizeof(Storage) + (size_t)n * sizeof(real);
    bytes = (bytes + STORAGE_ALIGNMENT - 1) & ~(size_t)(STORAGE_ALIGNMENT - 1);
    Storage *s = aligned_alloc(STORAGE_ALIGNMENT, bytes);
    if (s) s->references = 1, s->mapping = NULL;
    return s;
}

/* -- Tensors -- */

static Tensor *tensor_header(Arena *a, Shape shape) {
    Tensor *t = ARENA_NEW(a, Tensor);
    t->shape = shape;
    int64_t stride = 1;
    for (int k = shape.rank - 1; k >= 0; k--) {
        t->stride[k] = stride;
        stride *= shape.dim[k] > 0 ? shape.dim[k] : 1;
    }
    return t;
}

static _Noreturn void raise_too_large(Ctx *c, Arena *a, Shape shape) {
    double bytes = sizeof(real);
    for (int k = 0; k < shape.rank; k++) bytes *= (double)shape.dim[k];
    ctx_raise_here(c, ERROR_PROGRAM, "an array of shape %s would take %.3g MB, more than there is room for",
                   shape_text(a, shape), bytes / 1e6);
}

void tensor_check_size(Ctx *c, Arena *a, Shape shape) {
    int64_t n = shape_size(shape);
    Shape spread = shape; /* strides of an array without elements must not overflow either */
    for (int k = 0; k < shape.rank; k++)
        if (shape.dim[k] == 0) spread.dim[k] = 1;
    if (shape_size(spread) > INT64_MAX / 16 || (c->max_bytes && (size_t)n > c->max_bytes / sizeof(real)))
        raise_too_large(c, a, shape);
}

Tensor *tensor_new(Ctx *c, Arena *a, Shape shape) {
    tensor_check_size(c, a, shape);
    int64_t n = shape_size(shape);
    Tensor *t = tensor_header(a, shape);
    if (n <= ARENA_NUMBERS) {
        t->data = ARENA_ARRAY(a, real, n);
    } else {
        t->storage = storage_new(n);
        if (!t->storage) raise_too_large(c, a, shape);
        arena_defer(a, storage_release, t->storage);
        arena_charge(a, (size_t)n * sizeof(real));
        t->data = t->storage->numbers;
    }
    return t;
}

/* The arena lets go of the mapping. */
static Tensor *tensor_in_mapping(Ctx *c, Arena *a, Shape shape, Mapping *m, size_t offset) {
    Tensor *t = tensor_header(a, shape);
    t->storage = storage_new(0);
    if (!t->storage) {
        mapping_release(m);
        raise_too_large(c, a, shape);
    }
    t->storage->mapping = m;
    mapping_is_random(m); /* batches are */
    arena_defer(a, storage_release, t->storage);
    t->data = (real *)(void *)(m->bytes + offset);
    return t;
}

Tensor *tensor_of_file(Ctx *c, Arena *a, Shape shape, int fd, size_t offset) {
    size_t bytes = (size_t)shape_size(shape) * sizeof(real);
    Mapping *m = offset % sizeof(real) == 0 ? mapping_of_file(c, fd, offset + bytes) : NULL;
    return m ? tensor_in_mapping(c, a, shape, m, offset) : NULL;
}

Tensor *tensor_new_or_spilled(Ctx *c, Arena *a, Shape shape, int64_t together) {
    int64_t n = shape_size(shape);
    if (together < MAPPING_WORTH / (int64_t)sizeof(real)) return tensor_new(c, a, shape);
    if (n > INT64_MAX / 16) raise_too_large(c, a, shape);
    return tensor_in_mapping(c, a, shape, mapping_spill(c, (size_t)n * sizeof(real)), 0);
}

Tensor *tensor_zeros(Ctx *c, Arena *a, Shape shape) {
    Tensor *t = tensor_new(c, a, shape);
    int64_t n = shape_size(shape);
    if (n) memset(t->data, 0, (size_t)n * sizeof(real));
    return t;
}

Tensor *tensor_scalar(Ctx *c, Arena *a, real x) {
    Tensor *t = tensor_new(c, a, SHAPE_SCALAR);
    t->data[0] = x;
    return t;
}

Tensor *tensor_borrow(Arena *a, Shape shape, real *data) {
    Tensor *t = tensor_header(a, shape);
    t->data = data;
    return t;
}

Tensor *tensor_of_doubles(Ctx *c, Arena *a, Shape shape, const double *x) {
    Tensor *t = tensor_new(c, a, shape);
    reals_from_doubles(t->data, x, shape_size(shape));
    return t;
}

Tensor *tensor_keep(Ctx *c, Arena *a, const Tensor *t) {
    Tensor *kept;
    if (t->storage) {
        kept = arena_copy(a, t, sizeof *t);
        t->storage->references++;
        arena_defer(a, storage_release, t->storage);
        arena_charge(a, (size_t)shape_size(t->shape) * sizeof(real));
    } else {
        kept = tensor_new(c, a, t->shape);
        tensor_copy_out(t, kept->data);
    }
    return kept;
}

bool tensor_is_dense(const Tensor *t) {
    int64_t stride = 1;
    for (int k = t->shape.rank - 1; k >= 0; k--) {
        if (t->shape.dim[k] == 0) return true;
        if (t->shape.dim[k] == 1) continue;
        if (t->stride[k] != stride) return false;
        stride *= t->shape.dim[k];
    }
    return true;
}

const Tensor *tensor_dense(Ctx *c, Arena *a, const Tensor *t) {
    if (tensor_is_dense(t)) return t;
    Tensor *dense = tensor_new(c, a, t->shape);
    tensor_copy_out(t, dense->data);
    return dense;
}

/* Copies the block under index (…, dims from `k` on); gives the place after it. */
static real *copy_block(const Tensor *t, int k, const real *from, real *to) {
    if (k == t->shape.rank) {
        *to = *from;
        return to + 1;
    }
    int64_t n = t->shape.dim[k], stride = t->stride[k];
    if (k < t->shape.rank - 1) {
        for (int64_t i = 0; i < n; i++) to = copy_block(t, k + 1, from + i * stride, to);
        return to;
    }
    for (int64_t i = 0; i < n; i++) to[i] = from[i * stride];
    return to + n;
}

void tensor_copy_out(const Tensor *t, real *dense) {
    int64_t n = shape_size(t->shape);
    if (n == 0) return;
    if (tensor_is_dense(t))
        memcpy(dense, t->data, (size_t)n * sizeof(real));
    else
        copy_block(t, 0, t->data, dense);
}

real tensor_item(const Tensor *t, int64_t flat) {
    const real *p = t->data;
    for (int k = t->shape.rank - 1; k >= 0; k--) {
        p += flat % t->shape.dim[k] * t->stride[k];
        flat /= t->shape.dim[k];
    }
    return *p;
}

/* -- Views -- */

/* Gives the strides with which `t` is seen as `shape`; false where no strides do. Dimensions are matched in groups
 * of equal size; a group of t must be one run of memory (NumPy's _attempt_nocopy_reshape). */
static bool reshape_strides(const Tensor *t, Shape shape, int64_t *stride) {
    int old_rank = 0;
    int64_t dim[MAX_RANK], old[MAX_RANK];
    for (int k = 0; k < t->shape.rank; k++)
        if (t->shape.dim[k] != 1) dim[old_rank] = t->shape.dim[k], old[old_rank++] = t->stride[k];
    for (int i = 0, j = 0; j < shape.rank;) {
        if (shape.dim[j] == 1) {
            stride[j++] = 1;
            continue;
        }
        int64_t had = dim[i], wanted = shape.dim[j];
        int i_end = i + 1, j_end = j + 1;
        while (had != wanted) {
            if (had < wanted)
                had *= dim[i_end++];
            else
                wanted *= shape.dim[j_end++];
        }
        for (int k = i; k < i_end - 1; k++)
            if (old[k] != dim[k + 1] * old[k + 1]) return false;
        int64_t s = old[i_end - 1];
        for (int k = j_end - 1; k >= j; k--) stride[k] = s, s *= shape.dim[k];
        i = i_end;
        j = j_end;
    }
    return true;
}

bool tensor_can_reshape(const Tensor *t, Shape shape) {
    int64_t stride[MAX_RANK];
    return shape_size(shape) == 0 || reshape_strides(t, shape, stride);
}

Tensor *tensor_view_reshape(Ctx *c, Arena *a, const Tensor *t, Shape shape) {
    assert(shape_size(shape) == shape_size(t->shape));
    Tensor *view = tensor_header(a, shape);
    view->data = t->data;
    view->storage = t->storage;
    if (shape_size(shape) == 0 || reshape_strides(t, shape, view->stride)) return view;
    Tensor *dense = tensor_new(c, a, shape);
    tensor_copy_out(t, dense->data);
    return dense;
}

Tensor *tensor_view_expand(Arena *a, const Tensor *t, Shape shape) {
    Tensor *view = arena_copy(a, t, sizeof *t);
    view->shape = shape;
    int added = shape.rank - t->shape.rank;
    assert(added >= 0);
    for (int k = 0; k < shape.rank; k++) {
        bool same = k >= added && t->shape.dim[k - added] == shape.dim[k];
        view->stride[k] = same ? t->stride[k - added] : 0;
    }
    return view;
}

Tensor *tensor_view_permute(Arena *a, const Tensor *t, const int *perm) {
    Tensor *view = arena_copy(a, t, sizeof *t);
    for (int k = 0; k < t->shape.rank; k++) {
        view->shape.dim[k] = t->shape.dim[perm[k]];
        view->stride[k] = t->stride[perm[k]];
    }
    return view;
}

Tensor *tensor_view_slice(Arena *a, const Tensor *t, int dim, int64_t start, int64_t count, int64_t step) {
    Tensor *view = arena_copy(a, t, sizeof *t);
    view->shape.dim[dim] = count;
    view->stride[dim] = t->stride[dim] * step;
    if (count > 0) view->data = t->data + start * t->stride[dim];
    return view;
}
