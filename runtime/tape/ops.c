/* What ops.def says, as tables. */
#include <string.h>

#include "tape/kernels.h"

#define ANY -1
#define RULE true
#define ONCE true
#define ZERO true
#define NONE false
static const OpInfo infos[OP_COUNT] = {
#define OP(NAME, name, arity, class, shape, gradient, lang, domain, expr)                                              \
    [OP_##NAME] = {#name, lang, arity, CLASS_##class == CLASS_EW, gradient},
#include "tape/ops.def"
#undef OP
};

static const OpClass classes[OP_COUNT] = {
#define OP(NAME, name, arity, class, ...) [OP_##NAME] = CLASS_##class,
#include "tape/ops.def"
#undef OP
};

#define DECLARE_CALL(name) KernelFn kernel_##name;
#define DECLARE_RANDOM(name)
#define DECLARE_EW(name)
#define DECLARE_EWV(name)
#define DECLARE_REDUCE(name)
#define DECLARE_VIEW(name)
#define DECLARE_SOURCE(name)
KernelFn kernel_random, kernel_reduce;
#define OP(NAME, name, arity, class, ...) DECLARE_##class(name)
#include "tape/ops.def"
#undef OP

#define KERNEL_CALL(name) kernel_##name
#define KERNEL_RANDOM(name) kernel_random
#define KERNEL_EW(name) NULL
#define KERNEL_EWV(name) NULL
#define KERNEL_REDUCE(name) kernel_reduce
#define KERNEL_VIEW(name) NULL
#define KERNEL_SOURCE(name) NULL
static KernelFn *const kernels[OP_COUNT] = {
#define OP(NAME, name, arity, class, ...) [OP_##NAME] = KERNEL_##class(name),
#include "tape/ops.def"
#undef OP
};

const OpInfo *op_info(Op op) { return &infos[op]; }
OpClass op_class(Op op) { return classes[op]; }
KernelFn *op_kernel(Op op) { return kernels[op]; }
RowFn *op_row(Op op) { return lines_here()->rows[op].any; }

Op op_find(const char *lang_name) {
    for (int op = 0; op < OP_COUNT; op++)
        if (infos[op].lang_name && strcmp(infos[op].lang_name, lang_name) == 0) return (Op)op;
    return OP_COUNT;
}

/* -- How kernels want their operands -- */

/* The dimensions that are reduced last, in their order. They make one line, or are copied. */
static const Tensor *reduce_operand(const Operands *o, bool *copy) {
    const Tensor *t = o->in[0];
    int rank = t->shape.rank, perm[MAX_RANK] = {0}, at = 0;
    for (int d = 0; d < rank; d++)
        if (!(o->attr->dims >> d & 1)) perm[at++] = d;
    int kept = at;
    for (int d = 0; d < rank; d++)
        if (o->attr->dims >> d & 1) perm[at++] = d;
    bool same = true;
    for (int d = 0; d < rank; d++) same &= perm[d] == d;
    const Tensor *view = same ? t : tensor_view_permute(o->arena, t, perm);
    int64_t run = 0; /* the stride that the next dimension outwards must have; 0 too, of an expanded one */
    bool any = true;
    for (int d = rank - 1; d >= kept; d--) {
        if (view->shape.dim[d] == 1) continue;
        if (!any && view->stride[d] != run) *copy = true;
        run = view->stride[d] * view->shape.dim[d];
        any = false;
    }
    return view;
}

static bool last_two_usable(const Tensor *t) {
    bool transposed;
    int64_t ld;
    return matrix_layout(t, &transposed, &ld);
}

const Tensor *kernel_operand(const Operands *o, int k, bool *copy) {
    const Tensor *t = o->in[k];
    *copy = false;
    switch (o->op) {
    case OP_SUM:
    case OP_PROD:
    case OP_REDUCE_MAX:
    case OP_REDUCE_MIN:
    case OP_LOGSUMEXP:
    case OP_ARGMAX: return reduce_operand(o, copy);
    case OP_CHAIN:
    case OP_RECUR:
    case OP_GATHER:
    case OP_SCATTER_ADD: *copy = !tensor_is_dense(t); break;
    case OP_MATMUL: *copy = !last_two_usable(t); break;
    case OP_SCAN: *copy = t->shape.rank > 0 && t->stride[t->shape.rank - 1] != 0 && t->stride[t->shape.rank - 1] != 1; break;
    case OP_TRI_SOLVE: *copy = k == 0 && !last_two_usable(t); break;
    case OP_INV_QUAD: *copy = k == 2 && !tensor_is_dense(t); break;
    case OP_LOG_DIAG:
    case OP_ROOT_INVERSE: *copy = !tensor_is_dense(t); break;
    default: break;
    }
    return t;
}
