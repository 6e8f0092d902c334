/* The functions of the language that inference adds: each file has its table at its foot. And reading arguments. */
#ifndef INFER_BUILTINS_H
#define INFER_BUILTINS_H

#include "infer/infer.h"

extern const Builtin builtins_methods[], builtins_objectives[], builtins_training[], builtins_queries[];
extern const Builtin builtins_forward[], builtins_decode[], builtins_store[], builtins_refine[], builtins_steps[], builtins_gap[], builtins_points[];

Value infer_model_logpdf(Interp *in, const Call *call, Value record, Span at); /* points.c: logpdf(m, record) */

/* Number and count arguments; `otherwise` where they were left out. They raise when out of range. */
double argument_number(Interp *in, const Args *a, int k, double otherwise, double low, double high, const char *what);
long argument_count(Interp *in, const Args *a, int k, long otherwise, long low, const char *what);
double number_within(Interp *in, Value v, double low, double high, const char *what, Span at);
long count_from(Interp *in, Value v, long low, const char *what, Span at);

/* Plain records as objects of the language: a copy of `data`; what stands in v, or an argument (NULL where it was left
 * out). The readers raise when it is another thing; `example` says how it is written. */
Value object_value(Interp *in, const ObjectType *type, const void *data, size_t size);
void *object_of(Interp *in, Value v, const ObjectType *type, const char *example, Span at);
void *argument_object(Interp *in, const Args *a, int k, const ObjectType *type, const char *example);

/* A model or guide, written with or without arguments; one that outlives the statement. */
const Call *model_argument(Interp *in, Value v, FunctionKind kind, Span at);
const Call *model_keep(Interp *in, Arena *arena, const Call *call);
/* infer(m) with nothing else said. */
Value infer_call(Interp *in, const Call *model, Span at);

#endif
