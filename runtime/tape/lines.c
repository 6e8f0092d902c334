#include "tape/lines.h"

#include "tape/sums.h"

const Lines *lines_of(Isa isa) {
    static const Lines *const all[ISA_COUNT] = {&lines_v1, &lines_v3, &lines_v4};
    return all[isa];
}

const Lines *lines_here(void) { return lines_of(isa_best()); }

RowFn *lines_choose(Op op, int operands, int64_t n, const int64_t *stride) {
    const Rows *rows = &lines_here()->rows[op];
    int kind = 0;
    if (n == 1 && rows->one) return rows->one;
    for (int k = 0; k < operands; k++) {
        if (stride[k] != 0 && stride[k] != 1) return rows->any;
        if (stride[k] == 0) kind |= 1 << k;
    }
    return kind < 4 && rows->dense[kind] ? rows->dense[kind] : rows->any;
}

double sums_total(int64_t nblocks, const double *sums) {
    Pairs p;
    pairs_start(&p);
    for (int64_t k = 0; k < nblocks; k++) pairs_add(&p, sums[k]);
    return pairs_total(&p);
}
