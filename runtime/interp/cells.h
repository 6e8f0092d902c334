/* Cells: arrays that are filled element by element, `x[t] ~ ...`, `x[i] = e`.
 *
 * A slot that is a target with indices holds VALUE_CELLS. Each level is either a list that grows by one (x[1], x[2], ...)
 * or a plate that runs for all its elements at once, whose single item carries the plate's axis. A list may be followed
 * by the elements of a loop that runs at once (loop.c), as one value with the loop's axis. A plate may go on where a list
 * or another plate ended; x[i, t] with the plate's index before a loop's is kept by column.
 */
#ifndef INTERP_CELLS_H
#define INTERP_CELLS_H

#include "interp/effects.h"

/* Set the element at `index` of what the slot holds (nothing yet: begun; an array: taken apart). Raises for a place
 * that is neither there nor the next; elements that a plate running one by one passed without setting them are missing. */
void cells_set(Interp *in, Value *slot, const char *name, int n, const Index *index, Value element, Span at);
/* The element, VALUE_NONE when it is not a single cell (then read the whole). */
Value cells_get(Interp *in, const Cells *c, int n, const Index *index);
/* All of it as an array (or a list where the elements do not agree). */
Value cells_whole(Interp *in, Cells *c, Span at);
/* n elements, and after them the first `count` steps of a loop that ran at once, as one array. */
Value cells_from_steps(Interp *in, int n, const Value *head, Value steps, const Axis *loop, int64_t count, Span at);
/* The plate ends: its axis becomes a dimension / its element-wise attempt failed: forget what it set. */
void cells_leave_axis(Interp *in, Value *slot, const Axis *axis, Span at);
void cells_drop_axis(Value *slot, const Axis *axis);
/* The tape was cut at node `from`: what was put together from later nodes is no more. */
void cells_forget_nodes(Value *slot, NodeId from);

#endif
