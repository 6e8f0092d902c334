/* Arrays with axes, for those who work on them in C (array.c, index.c, the builtins).
 *
 * The invariant: var's shape is [one dimension per axis, by axis_before ..., event dimensions ...], every axis
 * dimension as long as its axis (perhaps with stride 0).
 */
#ifndef INTERP_ARRAY_H
#define INTERP_ARRAY_H

#include "interp/interp.h"

/* -- Axes -- */
bool axis_before(const Axis *a, const Axis *b); /* a total order: by Axis.order, then what else tells them apart */
int axes_union(Interp *in, int na, const Axis *const *a, int nb, const Axis *const *b, const Axis **out);
_Noreturn void axes_refuse(Interp *in, int n, Span at); /* n axes, more than MAX_AXES */
/* "`z` (line 3, 7 of them), `k` (line 5)": the summed-out variables among the axes, for messages */
const char *axes_summed_text(Interp *in, int n, const Axis *const *axes);
/* Of summed variables, the one with most axes among these, of the widest. NULL: there is none. */
const Axis *axes_costliest(int n, const Axis *const *axes);
/* Raises where elements that are read together as an array have more summed variables, or joint values of them, than are
 * computed with. */
void axes_check_read(Interp *in, int n, const Value *items, Span at);
/* Where the flat-th number of an array stands, in brackets: " (i = 2)", " (i = 2, element 3)"; "" for the only one. */
const char *array_place_text(Interp *in, const Array *a, int64_t flat);
int axes_find(int n, const Axis *const *axes, const Axis *axis); /* its place, or -1 */

/* -- One array -- */
static inline int array_rank(const Array *a) { return a->var.value->shape.rank - a->naxes; }
Shape array_shape(const Array *a); /* event dimensions */
Array array_of_var(Var v);         /* without axes */
bool value_is_boolean(Value v);    /* made of true and false */
/* Boxed; a plain number without axes becomes VALUE_NUMBER (a missing one stays an array, so that it is known). */
Value array_value(Interp *in, Array a);
/* v with the axes of `like`, missing where `like` is; not boolean. */
Value array_like(Interp *in, const Array *like, Var v);
void array_check_rank(Interp *in, int rank); /* raises where it passes MAX_RANK */
Var array_permute(Interp *in, Var v, const int *perm);            /* nothing to do: v itself */
Var array_reshape_event(Interp *in, const Array *a, Shape event); /* the caller has checked the sizes */
/* Event dimensions broadcast to `event` (which they do), axes as they are. */
Var array_expand_event(Interp *in, const Array *a, Shape event);
/* Reduce the event dimensions in the mask (bit 0: the first); `keep`: they stay, with size 1. */
Var array_reduce_dims(Interp *in, Op op, const Array *a, uint32_t mask, bool keep);
/* In shape [axes..., others..., dim]: the event dimension `dim` (from 0) comes last, and back again. */
Var array_dim_last(Interp *in, const Array *a, int dim);
Var array_dim_back(Interp *in, const Array *like, int dim, Var v);

/* -- Errors -- */
Span span_or_here(const Interp *in, Span at); /* `at`, or the statement at work where it is no place */
/* The body must run element by element along the last axis of `a`. */
_Noreturn void array_split(Interp *in, const Array *a, Span at, const char *what);

#endif
