/* A guide against its model, before the first step; and a model against the data. All raise at the place to mend. */
#ifndef INFER_GUIDE_CHECK_H
#define INFER_GUIDE_CHECK_H

#include "infer/handlers.h"

/* The model draws `s`, the guide's trace has nothing at this address. */
_Noreturn void guide_check_missing(Interp *in, const char *guide_name, const Trace *guide, const Site *s);
/* Shape and support of the guide's site(s) against the model's `s`. */
void guide_check_site(Interp *in, const char *guide_name, const Trace *guide, const Site *s);
/* Sites of the guide that the model does not have. */
void guide_check_invented(Interp *in, const char *guide_name, const char *model_name, const Trace *guide,
                          const Trace *model);
/* Warns of plates that hold more unknown numbers than observed ones. Those that `guide` draws do not count: whoever writes
 * a guide for them has meant them (deep models have more latents than data by design). */
void guide_check_counts(Interp *in, const Trace *guide, const Trace *model, Span at);
/* The model observes nothing: names the data that nobody read. */
_Noreturn void guide_check_observes(Interp *in, const Call *model, Span at);

#endif
