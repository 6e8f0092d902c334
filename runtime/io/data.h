/* Data files: what is in them, as named arrays.
 *
 *     Data *d = data_read(ctx, arena, "schools.json", span);
 *     const DataItem *y = data_find(d, "y");                   // NULL: no such name
 *     const Tensor *t = data_value(ctx, d, y, span);           // raises when the item cannot be used
 *
 * The format is told by the first bytes (gzip, NumPy, IDX), else by the ending: .json, .csv, .tsv, .safetensors. A file that
 * is broken as a whole is raised by data_read; an item that cannot be an array (a column of words, a ragged list) is
 * an error only for the one who asks for it. A missing element is NaN, and the item's flag says that NaN may mean this.
 */
#ifndef IO_DATA_H
#define IO_DATA_H

#include "base/ctx.h"
#include "tensor/tensor.h"

typedef struct DataItem {
    const char *name;
    const Tensor *value; /* dense; NULL: cannot be used */
    bool has_missing;
    const char *problem; /* why not, a whole message */
} DataItem;

typedef enum DataKind {
    DATA_NAMED,   /* an object of arrays (JSON, safetensors) */
    DATA_COLUMNS, /* a table: every item is a vector of the same length */
    DATA_ARRAY    /* one array without a name: items[0], its name is "" */
} DataKind;

typedef struct Data {
    const char *path;
    DataKind kind;
    DataItem *items;
    int n;
} Data;

/* Tensors and texts live in `a`. Raises ERROR_PROGRAM at `at`. */
Data *data_read(Ctx *c, Arena *a, const char *path, Span at);
const DataItem *data_find(const Data *d, const char *name);
const Tensor *data_value(Ctx *c, const Data *d, const DataItem *item, Span at);
/* The whole file as one array, for NAME=FILE: the array itself; a table as [rows] or [rows, columns]; of several named
 * arrays the one called `name`, else the only one. */
const Tensor *data_whole(Ctx *c, Arena *a, const Data *d, const char *name, Span at, bool *has_missing);

/* Write n > 0 items, each with a value, to a file, in the format of its ending: .json, .csv, .npy (one item), .safetensors. In a CSV file the first
 * dimension is the row; further ones are spread over columns named "theta[1,2]"; single numbers make one row. Numbers are
 * written so that they read back the same; NaN of an item with missing elements becomes null, or NA. */
void data_write(Ctx *c, const char *path, const DataItem *items, int n, Span at);

#endif
