/* Running elementwise steps and sums of their results block by block (fuse.c says which). Private to tape/. */
#ifndef TAPE_BLOCKS_H
#define TAPE_BLOCKS_H

#include "tape/kernels.h"

typedef struct BlockOp {
    RowFn *row; /* NULL: a sum of in[0], or of the products of in[0] and in[1]; or, with `at`, what stands there in in[0] */
    const int32_t *at;
    int64_t at_stride; /* from row to row */
    int n, slot[EW_MAX], out_slot; /* slots: -1, or which block of scratch room instead of an address */
    const real *in[EW_MAX];
    int64_t row_stride[EW_MAX], stride[EW_MAX]; /* stride: 0 or 1 */
    real *out;    /* dense; of a sum: one number for each row */
    double *sums; /* of a sum: room for those of its SUM_BLOCKs, row by row */
} BlockOp;

typedef struct BlockLoop {
    int nops, slots;
    BlockOp *ops;
    int64_t rows, columns;
} BlockLoop;

void blocks_run(const BlockLoop *loop, struct Team *team);
int64_t blocks_of_sums(int64_t columns); /* SUM_BLOCKs of a row */

#endif
