/* Optimising: a recorded tape, with its derivatives, becomes a shorter one that computes the same bits. Private to
 * tape/.
 *
 * Every pass is a function on a Graph, a file each, and may only rewrite into what gives the same bits: identities that
 * hold for every number (infinities, signed zeros and results that round included; NaN stays NaN), and operations that
 * work on several results at once. PPL_OPTIMISE=0 in the environment leaves all passes out, for tests.
 *
 * Layouts count too: a product's last bit depends on its operands' strides, so a pass replaces a dense array by a
 * dense one.
 */
#ifndef TAPE_OPTIMISE_H
#define TAPE_OPTIMISE_H

#include "tape/kernels.h"

/* Nodes in an order in which operands come first. Their `value` tells the shape; numbers count for constants and
 * guards only. */
typedef struct Graph {
    bool backward; /* what is appended belongs to a derivative */
    Tape tape; /* `nodes`, `nnodes`, `ctx`, `arena` count */
    int noutputs;
    Var *outputs;
    real **place; /* NULL, or NULL for some: in the program's buffer */
    int *output;  /* which output, and at which of its elements, the k-th output asked for is */
    int64_t *element;
} Graph;

bool optimise_enabled(void);
/* A copy of a constant, with the same strides where that is not wasteful: the layout decides which BLAS routine a product
 * uses, and with it the last bit. */
Tensor *constant_keep(Ctx *c, Arena *a, const Tensor *t);
/* Everything in `arena`; the tape is only read. `spent`: the arena in which it was recorded, given back once what is needed
 * has been copied; NULL: it stays, and the graph refers to it. */
void optimise(Graph *g, Arena *arena, const Tape *t, int n, const Var *outputs, real *const *place, Arena *spent);

/* -- The passes; each makes g->tape anew -- */
/* Constants folded, nodes that compute the same joined, what nothing needs dropped, identities (optimise_simplify.c).
 */
void optimise_simplify(Graph *g);
/* Elementwise operations and reductions that many iterations of a loop record one by one become one operation on an
 * array (optimise_roll.c). */
void optimise_roll(Graph *g);

/* -- For the passes (optimise.c) -- */
NodeId graph_append(Graph *g, Op op, Span span, int n, const NodeId *inputs, const OpAttr *attr, const Tensor *value);
NodeId graph_constant(Graph *g, const Tensor *value);
/* A view of node `of`, of this shape; attributes as op_view reads them. */
NodeId graph_view(Graph *g, Op op, NodeId of, Shape shape, const OpAttr *attr);
/* Starts over with no nodes; gives the old ones. */
Tape graph_restart(Graph *g);
/* Room for so many nodes, of a graph that has none. */
void graph_reserve(Graph *g, int n);
/* By node: an output or a guard needs it. */
bool *graph_live(const Graph *g, Arena *a);
/* All elements are this very number (and there is one). */
bool tensor_is_uniform(const Tensor *t, real *x);
bool attr_equal(const OpAttr *a, const OpAttr *b);
uint64_t hash_mix(uint64_t h, uint64_t x);

#endif
