#include "tape/blocks.h"

#include "base/team.h"
#include "tape/indexed.h"
#include "tape/plan.h"

/* One part of the work: so many blocks. It has scratch room of its own on the stack, aligned and a little longer than a
 * block, so that the same place of several blocks is not the same place of a page. */
enum { PART = 16, ROOM = BLOCK + 64 / (int)sizeof(real) };

static void run_block(const BlockLoop *loop, real *scratch, int64_t row, int64_t start, int n, const Lines *lines) {
    for (const BlockOp *op = loop->ops, *end = op + loop->nops; op < end; op++) {
        const real *in[EW_MAX];
        for (int k = 0; k < op->n; k++)
            in[k] = op->slot[k] >= 0 ? scratch + op->slot[k] * ROOM
                                     : op->in[k] + row * op->row_stride[k] + start * op->stride[k];
        if (!op->sums) {
            real *out = op->out_slot >= 0 ? scratch + op->out_slot * ROOM : op->out + row * loop->columns + start;
            if (op->at)
                indexed_gather(n, out, in[0], op->at + row * op->at_stride + start);
            else
                op->row(n, out, in, op->stride);
            continue;
        }
        double *sums = op->sums + row * blocks_of_sums(loop->columns) + start / SUM_BLOCK;
        for (int i = 0; i < n; i += SUM_BLOCK) {
            int size = n - i < SUM_BLOCK ? n - i : SUM_BLOCK;
            *sums++ = op->n == 1 ? lines->sum_block(size, in[0] + i)
                                 : lines->sum_products_block(size, in[0] + i, in[1] + i);
        }
    }
}

static int64_t blocks_in_row(const BlockLoop *loop) { return (loop->columns + BLOCK - 1) / BLOCK; }

/* All rows' block at one place, then the next: what the rows share is read from memory once. */
static void run_part(void *arg, int part) {
    const BlockLoop *loop = arg;
    const Lines *lines = lines_here();
    _Alignas(64) real scratch[BLOCK_SLOTS * ROOM];
    int64_t first = (int64_t)part * PART, last = first + PART;
    if (last > loop->rows * blocks_in_row(loop)) last = loop->rows * blocks_in_row(loop);
    int64_t row = first % loop->rows, start = first / loop->rows * BLOCK;
    for (int64_t b = first; b < last; b++) {
        int64_t left = loop->columns - start;
        run_block(loop, scratch, row, start, (int)(left < BLOCK ? left : BLOCK), lines);
        if (++row == loop->rows) row = 0, start += BLOCK;
    }
}

int64_t blocks_of_sums(int64_t columns) { return (columns + SUM_BLOCK - 1) / SUM_BLOCK; }

void blocks_run(const BlockLoop *loop, struct Team *team) {
    int64_t parts = (loop->rows * blocks_in_row(loop) + PART - 1) / PART, sums = blocks_of_sums(loop->columns);
    bool large = loop->rows * loop->columns * loop->nops >= 4 * SHARED_ELEMENTS;
    team_run(large ? team : NULL, (int)parts, run_part, (void *)(uintptr_t)loop);
    for (const BlockOp *op = loop->ops, *end = op + loop->nops; op < end; op++)
        for (int64_t r = 0; op->sums && r < loop->rows; r++) op->out[r] = (real)sums_total(sums, op->sums + r * sums);
}
