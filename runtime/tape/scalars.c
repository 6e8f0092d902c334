/* The elementwise operations on plain numbers, which are doubles in either precision. */
#include <tgmath.h>

#include "tape/kernels.h"
#include "tape/special.h"

#define NUMBER double
#include "tape/elementwise.h"

#define DEFINE_EW(name, EXPR)                                                                                          \
    static double scalar_##name(double a, double b, double c) {                                                        \
        (void)b, (void)c;                                                                                              \
        return EXPR;                                                                                                   \
    }
#define DEFINE_SOURCE(name, EXPR)
#define DEFINE_VIEW(name, EXPR)
#define DEFINE_CALL(name, EXPR)
#define DEFINE_RANDOM(name, EXPR)
#define OP(NAME, name, arity, class, shape, gradient, lang, domain, expr) DEFINE_##class(name, expr)
#include "tape/ops.def"
#undef OP

typedef double ScalarFn(double a, double b, double c);

#define SCALAR_OF_EW(name) scalar_##name
#define SCALAR_OF_SOURCE(name) NULL
#define SCALAR_OF_VIEW(name) NULL
#define SCALAR_OF_CALL(name) NULL
#define SCALAR_OF_RANDOM(name) NULL
static ScalarFn *const scalars[OP_COUNT] = {
#define OP(NAME, name, arity, class, ...) [OP_##NAME] = SCALAR_OF_##class(name),
#include "tape/ops.def"
#undef OP
};

double op_scalar(Op op, int n, const double *x) {
    return scalars[op](x[0], n > 1 ? x[1] : 0, n > 2 ? x[2] : 0);
}
