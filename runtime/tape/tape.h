/* The tape: a program of tensor operations, written down while they are computed.
 *
 * `op_apply` computes an operation at once (a lazy tape: when its numbers are wanted). When the tape is recording and an operand depends on an input or on
 * noise, the operation is also appended as a node, so that the same computation can be differentiated (tape_grad
 * appends the derivative as further nodes), planned and run again with other inputs and fresh noise (program.h).
 * Values that depend on neither are plain constants: computed once, embedded.
 *
 * The one invariant: running the program gives the same bits as computing node by node did.
 * For that it makes no difference which values of a lazy tape were wanted.
 *
 * Everything made here lives in tape->arena. Shapes that do not agree and indices outside are raised at ctx->span.
 */
#ifndef TAPE_TAPE_H
#define TAPE_TAPE_H

#include "base/random.h"
#include "tensor/tensor.h"

/* One enumerator per row of ops.def: OP_ADD, OP_EXP, ... */
typedef enum Op {
#define OP(NAME, ...) OP_##NAME,
#include "tape/ops.def"
#undef OP
    OP_COUNT
} Op;

typedef int32_t NodeId; /* >= 0: a node of the tape */
#define NODE_NONE (-1)

/* A value at work: the number(s) as computed now and, when it depends on inputs or noise, its node. On a lazy tape a value with
 * a node may have no numbers (value->data NULL) until tape_value asks for them. */
typedef struct Var {
    const Tensor *value;
    NodeId node;
} Var;

/* Where a random tensor's numbers come from. `key` is the address without its indices, hashed with the seed. The index
 * tuple of the address follows in written order: an entry is either a dimension of the output (dim >= 0; the elements
 * are first, first + 1, ..., or those listed in `ids`) or one number (dim -1, `first`). `ids` > 0: a vector as long as
 * that dimension, the ids-th of the operands that op_random was given after the operation's parameters. All but the
 * last entry are folded into the key, the last one is the stream's element; no entries: element 0. `particle_dim`: the
 * dimension that counts particles from tape->particle (RunInputs.particle) on, or -1 (that one alone). Further
 * dimensions are the event: consecutive numbers of one stream, row by row. */
enum { MAX_INDEX = 8 };
typedef struct RandomSite {
    uint64_t key;
    int n;
    struct {
        int dim;
        int64_t first;
        int ids;
    } index[MAX_INDEX];
    int particle_dim;
} RandomSite;

/* What each step of a recurrence computes. Numbered are first the states, then the operands, then the results of `ops`,
 * elementwise operations (or STOP_GRADIENT) in an order in which operands come first. */
enum { SCAN_STATES = 8, SCAN_OPERANDS = 32, SCAN_OPS = 96 }; /* at most */
typedef struct ScanBody {
    int nstates, noperands, nops;
    struct ScanOp {
        Op op;
        int in[3];
    } * ops;
    int next[SCAN_STATES]; /* the place in `ops` of each state of the next step; no two are the same */
} ScanBody;

/* What an operation needs besides its operands; which fields count is said in ops.def. */
typedef struct OpAttr {
    Shape shape;          /* RESHAPE, EXPAND, random operations: the output's shape */
    int dim;              /* SLICE, CONCAT, CUMSUM, ...; batch dimensions of GATHER */
    uint32_t dims;        /* reductions: bit k set, dimension k is reduced (and dropped) */
    int perm[MAX_RANK];   /* PERMUTE */
    int64_t start, count, step; /* SLICE; PAD, SCATTER_ADD: `count` = size of the output's dimension */
    int flags;            /* TRI_SOLVE: TRI_UPPER, TRI_TRANSPOSED, ... */
    int slot;             /* INPUT: which vector; `start`: offset in it */
    const RandomSite *random; /* random operations */
    const ScanBody *scan;
} OpAttr;

OpAttr *attr_copy(Arena *a, const OpAttr *attr); /* with its site and body */

enum { TRI_UPPER = 1, TRI_TRANSPOSED = 2 };

typedef struct Node {
    Op op;
    Span span;      /* of the statement that recorded it */
    bool backward;  /* made by differentiation */
    int ninputs;
    NodeId *inputs; /* constants are nodes too (OP_CONSTANT), each tensor once */
    OpAttr *attr;   /* NULL where the operation needs none */
    const Tensor *value;
} Node;

typedef struct Tape {
    Ctx *ctx;
    Arena *arena;   /* of everything computed on this tape; owned by the caller */
    bool recording; /* false: compute only */
    bool lazy;      /* what depends on inputs or noise is computed when tape_value asks for it, or by a program */
    bool backward;  /* while tape_grad appends */
    uint32_t step, particle; /* for random streams */
    const real *inputs[8];   /* the vectors INPUT reads now, by slot */
    Node *nodes;
    int nnodes, capacity;
    struct TapePrivate *more;
} Tape;

Tape *tape_new(Ctx *c, Arena *arena, bool recording);
/* From here on an operation that was recorded before on the same operands is that one (of the nodes there are, those from
 * `from` on): it is neither computed nor recorded again, and its derivative is taken once. For loops that repeat what does not
 * change. False: the tape does so already, or does not record. */
bool tape_share(Tape *t, NodeId from);
void tape_unshare(Tape *t);
/* Where nodes are shared: this operation is known to give `result`. */
void tape_know(Tape *t, Op op, int n, const Var *inputs, Var result);
/* Forget the nodes from `nnodes` on (a body that is to run again another way). */
void tape_truncate(Tape *t, int nnodes);

/* -- Leaves -- */
Var var_constant(const Tensor *value);       /* no node until an operation needs one */
Var var_number(Tape *t, real x);
static inline bool var_is_taped(Var v) { return v.node != NODE_NONE; }
/* A stretch of an input vector (learned parameters, an unconstrained point): offset counts elements. */
Var tape_input(Tape *t, int slot, int64_t offset, Shape shape);
/* Make any value a node that stands for itself, so that tape_grad can differentiate with respect to it. */
Var tape_variable(Tape *t, Var v);

/* -- Operations -- */
Var op_apply(Tape *t, Op op, int n, const Var *inputs, const OpAttr *attr);
static inline Var op1(Tape *t, Op op, Var a) { return op_apply(t, op, 1, &a, NULL); }
static inline Var op2(Tape *t, Op op, Var a, Var b) { return op_apply(t, op, 2, (Var[]){a, b}, NULL); }
static inline Var op3(Tape *t, Op op, Var a, Var b, Var c) { return op_apply(t, op, 3, (Var[]){a, b, c}, NULL); }
/* The elementwise operations on n plain numbers: in double, with the same bits as on tensors of doubles. */
double op_scalar(Op op, int n, const double *x);

Var op_reshape(Tape *t, Var a, Shape shape);
Var op_expand(Tape *t, Var a, Shape shape);
Var op_permute(Tape *t, Var a, const int *perm);
Var op_slice(Tape *t, Var a, int dim, int64_t start, int64_t count, int64_t step); /* start from 0 */
Var op_pad(Tape *t, Var a, int dim, int64_t start, int64_t count, int64_t step);   /* SLICE's adjoint: zeros around */
Var op_concat(Tape *t, int n, const Var *parts, int dim);
Var op_stack(Tape *t, int n, const Var *parts); /* equal shapes, a new first dimension */
/* a: [B..., K, E...], index: [B..., M...] with values 1..K, batch = number of B dims -> [B..., M..., E...]. The index may be the
 * same along the first of the B dims: it has 1 there. */
Var op_gather(Tape *t, Var a, Var index, int batch);
/* Its adjoint: src [B..., M..., E...] added up at the indices -> [B..., K, E...]. */
Var op_scatter_add(Tape *t, Var src, Var index, int batch, int64_t K);
Var op_reduce(Tape *t, Op op, Var a, uint32_t dims); /* OP_SUM, PROD, REDUCE_MAX, REDUCE_MIN, LOGSUMEXP, ARGMAX */
Var op_sum_all(Tape *t, Var a);
/* n >= 1 values that broadcast, added up: pairwise, or many of one shape as OP_SUM does, so that the error stays small. */
Var op_total(Tape *t, int n, const Var *terms);
Var op_sum_to(Tape *t, Var a, Shape shape); /* undo a broadcast */
/* The sum over dims of terms that are rounded themselves, as log densities are: a number with which all of them were
 * multiplied, or that was added to all of them, is so once. Other bits than op_reduce (linear.c). */
Var op_sum_linear(Tape *t, Var a, uint32_t dims);
Var op_cumsum(Tape *t, Var a, int dim);
Var op_matmul(Tape *t, Var a, Var b);       /* [..., n, k] @ [..., k, m], leading dimensions broadcast */
Var op_transpose(Tape *t, Var a);           /* the last two dimensions */
Var op_cholesky(Tape *t, Var a);            /* lower factor over the last two dimensions; raises when not positive definite */
Var op_tri_solve(Tape *t, Var l, Var b, int flags); /* l^-1 b or l^-T b; b: [..., n, m] */
/* Functions of S = l l^T for a lower triangle l; where l is op_cholesky(S), their derivatives are those with respect to
 * S itself, and cost one inverse or less. */
Var op_inv_quad(Tape *t, Var l, Var b);     /* the sum of b * S^-1 b; b: [..., n, m] -> [...] */
Var op_log_diag(Tape *t, Var l);            /* half the log determinant of S: [...] */
Var op_root_inverse(Tape *t, Var l);        /* S^-1 */
Var op_tril(Tape *t, Var a, int64_t k);     /* entries (i, j) with j <= i + k are kept, others 0 */
Var op_diagonal(Tape *t, Var a);            /* of the last two dimensions: [..., n] */
Var op_diag_embed(Tape *t, Var a);          /* [..., n] -> [..., n, n] */
/* The sums over chains of states: f [..., T, K, K] -> b [..., T+1, K] with b[T] = 0 and
 * b[t, i] = log sum_j exp(f[t, i, j] + b[t+1, j]). */
Var op_chain(Tape *t, Var f);
/* w [..., T, K, K], g [..., T+1, K] of the same leading dimensions -> m like g: m[0] = g[0],
 * m[t+1, j] = g[t+1, j] + sum_i m[t, i] w[t, i, j]; or, backwards, m[T] = g[T], m[t, i] = g[t, i] + sum_j w[t, i, j] m[t+1, j]. */
Var op_recur(Tape *t, Var w, Var g, bool backwards);
/* State k of all T steps, from the `first`-th on (0: what each finds; 1: what it leaves): [B..., T]. */
Var scan_states(Tape *t, Var scan, int k, int first);
/* States s[0], ..., s[T] of shape [B...] along steps: s[t + 1] is what the body computes from s[t] and from the operands at t.
 * in: s[0] of each state, to broadcast to [B...]; the operands, to `whole` = [B..., T]. -> [states, B..., T + 1]. Where nodes are
 * shared, the same computation from the states of all steps is known to give the next ones. (scan.c) */
Var op_scan(Tape *t, const ScanBody *body, Shape whole, const Var *in);
/* By node from `from` on: does it depend on one of these variables, which are among them? */
bool *tape_depends(Tape *t, NodeId from, int n, const Var *on);
/* The body that the nodes from `from` on are, of which `states` (variables of shape `whole`) are the states and next[k] those of
 * the next step (of shape `whole`), and its operands. NULL: it is not elementwise, too long, or a plain value was read. */
const ScanBody *scan_find(Tape *t, NodeId from, Shape whole, int n, const Var *states, const Var *next, Var *operands);
Var op_stop_gradient(Tape *t, Var a);
/* OP_NORMAL, OP_UNIFORM: shape alone; OP_DRAW_GAMMA, ...: parameters broadcast to `shape` first. A random operation is
 * always a node on a recording tape. */
Var op_random(Tape *t, Op op, int n, const Var *params, Shape shape, const RandomSite *site);

/* v.value, with its numbers; what they need is computed now where the tape was lazy. A replay does not notice. */
const Tensor *tape_value(Tape *t, Var v);

/* -- Plain values: reading one leaves a guard, so that a replay notices when it would differ -- */
real tape_read(Tape *t, Var scalar);
void tape_guard(Tape *t, Var v); /* all elements must come out the same as now */

/* -- Derivatives (grad.c): d sum(seed * y) / d wrt[k], as further operations. seed: NULL for ones. A wrt that y does
 * not depend on gives zeros. An operation that undoes another, log of exp, goes back behind it: what is computed in between
 * is differentiated with respect to only as a tape_variable. An operation without a rule on the way raises, by name and place. -- */
void tape_grad(Tape *t, Var y, const Var *seed, int n, const Var *wrt, Var *out);
/* Where a wrt depends on another one: the derivatives with respect to each while all others stay as they are. */
void tape_grad_partial(Tape *t, Var y, const Var *seed, int n, const Var *wrt, Var *out);

/* -- What is known of an operation, from ops.def -- */
typedef struct OpInfo {
    const char *name;      /* as in ops.def, lower case */
    const char *lang_name; /* the function's name in the language, or NULL */
    int arity;             /* -1: any number */
    bool elementwise;
    bool has_gradient;     /* false: differentiating through it raises; locally constant ones have zero gradients */
} OpInfo;
const OpInfo *op_info(Op op);
Op op_find(const char *lang_name); /* OP_COUNT: none */

#endif
