/* The functions of the language that stand in files of their own, and reading their arguments. */
#ifndef INFER_BUILTINS_H
#define INFER_BUILTINS_H

#include "infer/infer.h"

/* queries.c */
Value call_elbo(Interp *in, const Args *a);
Value call_refinement(Interp *in, const Args *a);
Value call_log_evidence(Interp *in, const Args *a);
Value call_summary(Interp *in, const Args *a);
/* forward.c */
Value call_simulate(Interp *in, const Args *a);
Value call_predict(Interp *in, const Args *a);
Value call_posterior(Interp *in, const Args *a);
/* refine.c */
Value call_gradient(Interp *in, const Args *a);
/* store.c */
Value call_save(Interp *in, const Args *a);
Value call_load(Interp *in, const Args *a);
/* points.c */
Value call_unconstrained_logpdf(Interp *in, const Args *a);
Value call_unconstrained_gradient(Interp *in, const Args *a);
Value call_unconstrain(Interp *in, const Args *a);
Value infer_model_logpdf(Interp *in, const Call *call, Value record, Span at); /* logpdf(m, record) */

/* Number and count arguments; `otherwise` where they were left out. They raise when out of range. */
double argument_number(Interp *in, const Args *a, int k, double otherwise, double low, double high, const char *what);
long argument_count(Interp *in, const Args *a, int k, long otherwise, long low, const char *what);
/* A model or guide, written with or without arguments. */
const Call *model_argument(Interp *in, Value v, FunctionKind kind, Span at);
/* infer(m) with nothing else said. */
Value infer_call(Interp *in, const Call *model, Span at);

#endif
