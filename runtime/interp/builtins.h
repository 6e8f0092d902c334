/* Functions of the language that are written in C. Tables stand at the foot of the files builtin_*.c.
 *
 * To add one: the function and its row in the table, in one file. Every function respects axes: an array inside a plate
 * is one element's value with the plate's axes in front, so functions work on event dimensions and leave axes alone.
 */
#ifndef INTERP_BUILTINS_H
#define INTERP_BUILTINS_H

#include "interp/array.h"

extern const Builtin builtins_math[], builtins_array[], builtins_linalg[], builtins_data[], builtins_misc[];
extern const Builtin builtins_random[], builtins_dist[], builtins_grad[], builtins_nets[];
/* All of these tables; ends with NULL. The elementwise operations with a name in the language (ops.def) are builtins
 * too. */
extern const Builtin *const interp_builtin_tables[];
const char *operation_doc(Op op); /* one line on such an operation */

/* Call a builtin with its arguments in order (`call`, or the elementwise operation). */
Value builtin_call(Interp *in, const Builtin *b, const Args *args);

/* map(f, xs, ...): values are f and xs. For the layer above, whose method map() has the same name. */
Value builtin_map(Interp *in, const Args *args);

Value builtin_lift(Interp *in, const Args *args); /* lift.c */
Value shape_value(Interp *in, Shape s);           /* the sizes as a vector */

/* -- Arguments -- */
static inline bool arg_given(const Args *args, int k) { return k < args->n && args->values[k].kind != VALUE_NONE; }
Span arg_span(const Args *args, int k); /* its own, or the call's */
Array arg_array(Interp *in, const Args *args, int k, const char *what);
int64_t arg_int(Interp *in, const Args *args, int k, int64_t fallback, const char *what);
bool arg_bool(Interp *in, const Args *args, int k, bool fallback, const char *what);
/* An event dimension, written from 1 or from the end as -1, -2, ...: from 0 on. */
int dim_of(Interp *in, const Array *a, Value v, Span at);
/* The dimensions that `dim` names (one or a vector of them), as a mask; all of them where it was left out. */
uint32_t dims_of(Interp *in, const Array *a, Value v, Span at);
/* A shape written as numbers or vectors of them: zeros(2, 3), zeros([2, 3]), zeros(shape(x)). One size may be -1 when
 * `wild` is not NULL; *wild is its place, or -1. */
Shape shape_of_values(Interp *in, int n, const Value *values, Span at, int *wild);

_Noreturn void builtin_fail(Interp *in, const Args *args, int k, const char *format, ...)
    __attribute__((format(printf, 4, 5))); /* at argument k */

#endif
