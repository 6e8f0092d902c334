/* How operations compute. The same code serves op_apply (at once) and program.c (again and again); that is why both
 * give the same bits. Private to tape/. */
#ifndef TAPE_KERNELS_H
#define TAPE_KERNELS_H

#include "tape/lines.h"

enum { WHY_SIZE = 160 };

/* What is the same for all operations of one run. */
typedef struct KernelEnv {
    uint32_t step, particle;
    struct Team *team; /* for work that is large enough; NULL: one thread */
    void *room;        /* kernel_room bytes, for the call at work alone */
} KernelEnv;

typedef struct KernelCall {
    Op op;
    const Tensor *out; /* dense, overlaps no operand */
    int n;
    const Tensor *const *in; /* as kernel_operand wants them */
    const OpAttr *attr;
    const struct Indexed *indexed; /* GATHER, SCATTER_ADD: the indices, with an order for sums of numbers, or NULL */
    struct NormalsAhead *ahead;    /* NORMAL: numbers of coming steps, or NULL */
    const KernelEnv *env;
    char *why; /* NULL, or WHY_SIZE characters of room to say why it could not be done */
} KernelCall;

/* For a call that is repeated; NULL: nothing would be gained. */
struct NormalsAhead *normals_ahead_new(const KernelCall *call, Arena *a);

/* False: it cannot be done (index outside, not positive definite). Allocates nothing. */
typedef bool KernelFn(const KernelCall *call);
/* Bytes of KernelEnv.room that the kernel works in, for operands of these shapes. */
size_t kernel_room(Op op, const Tensor *const *in, const OpAttr *attr);

typedef enum OpClass { CLASS_SOURCE, CLASS_EW, CLASS_EWV = CLASS_EW, CLASS_VIEW, CLASS_CALL, CLASS_REDUCE = CLASS_CALL, CLASS_RANDOM } OpClass;

/* -- Tables from ops.def (ops.c) -- */
OpClass op_class(Op op);
RowFn *op_row(Op op);       /* EW and reductions, else NULL */
KernelFn *op_kernel(Op op); /* CALL, RANDOM */

/* What shape rules (shapes.c) look at. */
typedef struct Operands {
    Ctx *ctx;
    Arena *arena;
    Op op;
    int n;
    const Tensor *const *in;
    const OpAttr *attr;
} Operands;
Shape op_shape(const Operands *o); /* raises at ctx->span */

/* A VIEW operation; a fresh dense tensor where strides cannot express it. */
Tensor *op_view(const Operands *o, Shape shape);

/* What an operation gives (compute.c), and how that will lie in memory: a tensor without numbers. */
const Tensor *op_compute(const Tape *t, const Operands *o, Shape shape);
const Tensor *op_layout(const Operands *o, Shape shape);

/* Operand k as the kernel of o->op wants to see it; *copy is set when its numbers must be copied densely first. */
const Tensor *kernel_operand(const Operands *o, int k, bool *copy);

/* -- Elementwise (kernels_elementwise.c) -- */
/* An elementwise operation over a dense output with the operands' dimensions collapsed as far as they go. */
typedef struct EwLoop {
    RowFn *row;
    int n;    /* operands */
    int rank; /* the last dimension is the line; >= 1 */
    int64_t dim[MAX_RANK];
    int64_t stride[EW_MAX][MAX_RANK];
    real *out;
    const real *in[EW_MAX];
} EwLoop;
void ew_prepare(EwLoop *loop, Op op, const Tensor *out, int n, const Tensor *const *in);
void ew_run(const EwLoop *loop);
/* The same, shared out when it is large. */
void ew_run_shared(const EwLoop *loop, struct Team *team);
enum { SHARED_ELEMENTS = 1 << 16 }; /* from here on elementwise work repays waking others (some 10 us) */
/* to (any strides, no overlap) = from, same shape. */
void tensor_assign(const Tensor *to, const Tensor *from);

/* -- Linear algebra (kernels_linalg.c) -- */
/* How BLAS sees the last two dimensions by rows; false: it cannot. */
bool matrix_layout(const Tensor *t, bool *transposed, int64_t *ld);

/* Is this product one of a matrix and a vector, of which one side is short, that does not depend on strides? */
bool product_by_lines(int64_t n, int64_t m, int64_t K);

/* -- Recurrences (scan.c) -- */
ScanBody *scan_copy(Arena *a, const ScanBody *body);

/* -- Reductions (kernels_reduce.c) -- */
/* The last `reduced` dimensions of `in` as one line. */
void reduce_plan(const Tensor *in, int reduced, int64_t *length, int64_t *stride);

#endif
