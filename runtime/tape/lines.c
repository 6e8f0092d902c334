#include "tape/lines.h"

const Lines *lines_of(Isa isa) {
    static const Lines *const all[ISA_COUNT] = {&lines_v1, &lines_v3, &lines_v4};
    return all[isa];
}

const Lines *lines_here(void) { return lines_of(isa_best()); }
