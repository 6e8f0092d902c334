#include "cli/draws.h"

#include <string.h>

#include "base/strings.h"
#include "io/data.h"

typedef struct Columns {
    Ctx *ctx;
    Arena *arena;
    DataItem *items;
    int n, capacity;
} Columns;

static void add_item(Columns *c, const char *name, const Tensor *value) {
    ARENA_GROW(c->arena, c->items, c->n, c->capacity, 64);
    c->items[c->n++] = (DataItem){.name = name, .value = value};
}

/* The draws of a variable: [draws, shape...]; a point estimate is one draw. */
static const Tensor *draws_of(Columns *c, const FitReport *r, const FitVariable *v) {
    Shape shape = {.rank = v->shape.rank + 1};
    if (v->summed_out || shape.rank > MAX_RANK || (!v->draws && !v->mean)) return NULL;
    shape.dim[0] = v->draws ? r->ndraws : 1;
    memcpy(shape.dim + 1, v->shape.dim, sizeof *shape.dim * (size_t)v->shape.rank);
    if (!v->draws) return tensor_of_doubles(c->ctx, c->arena, shape, v->mean);
    return tensor_borrow(c->arena, shape, (real *)v->draws);
}

/* The index of the k-th element, the first dimension fastest: ".2.3", and its place in row-major order. */
static int64_t column_major(Shape s, int64_t k, Buf *suffix) {
    int64_t index[MAX_RANK], flat = 0;
    for (int d = 0; d < s.rank; d++) {
        index[d] = k % s.dim[d];
        k /= s.dim[d];
    }
    for (int d = 0; d < s.rank; d++) {
        flat = flat * s.dim[d] + index[d];
        buf_printf(suffix, ".%lld", (long long)index[d] + 1);
    }
    return flat;
}

static void add_columns(Columns *c, const FitVariable *v, const Tensor *draws) {
    int64_t size = shape_size(v->shape), n = draws->shape.dim[0];
    for (int64_t k = 0; k < size; k++) {
        Buf name = {0};
        buf_add(&name, v->name);
        int64_t at = column_major(v->shape, k, &name);
        Tensor *column = tensor_new(c->ctx, c->arena, shape1(n));
        for (int64_t i = 0; i < n; i++) column->data[i] = draws->data[i * size + at];
        add_item(c, arena_strdup(c->arena, name.text), column);
        buf_free(&name);
    }
}

/* All columns side by side: [draws, columns]. */
static void join_columns(Columns *c) {
    int64_t n = c->items[0].value->shape.dim[0];
    Tensor *all = tensor_new(c->ctx, c->arena, shape2(n, c->n));
    for (int k = 0; k < c->n; k++)
        for (int64_t i = 0; i < n; i++) all->data[i * c->n + k] = c->items[k].value->data[i];
    c->items[0] = (DataItem){.name = "draws", .value = all};
    c->n = 1;
}

static bool ends_in(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

bool draws_write(Ctx *c, Arena *a, const FitReport *r, const char *path) {
    Columns columns = {.ctx = c, .arena = a};
    bool table = ends_in(path, ".csv") || ends_in(path, ".npy");
    for (int k = 0; k < r->nvariables; k++) {
        const FitVariable *v = &r->variables[k];
        const Tensor *draws = draws_of(&columns, r, v);
        if (draws && table)
            add_columns(&columns, v, draws);
        else if (draws)
            add_item(&columns, v->name, draws);
    }
    if (columns.n == 0) return false;
    if (ends_in(path, ".npy")) join_columns(&columns);
    data_write(c, path, columns.items, columns.n, SPAN_NONE);
    return true;
}
