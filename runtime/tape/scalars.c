/* The elementwise operations on plain numbers, which are doubles in either precision. */
#include "tape/lines.h"

double op_scalar(Op op, int n, const double *x) {
    static const int64_t stride[EW_MAX] = {1, 1, 1};
    const double *in[EW_MAX];
    double y;
    for (int k = 0; k < EW_MAX; k++) in[k] = x + (k < n ? k : 0);
    lines_here()->rows[op].one(1, &y, in, stride);
    return y;
}
