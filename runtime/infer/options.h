/* What infer(model, ...) is told: the table of its options is options.def. */
#ifndef INFER_OPTIONS_H
#define INFER_OPTIONS_H

#include "infer/fit.h"

/* The places of arguments: the model, then the options. */
enum {
    ARG_MODEL,
    ARG_GUIDE,
#define OPTION(name, help) ARG_##name,
#include "infer/options.def"
#undef OPTION
    NARGS
};

/* Everything but model and guide, into the job, whose fit and pair exist; defaults where nothing is said. */
void options_read(Job *job, const Args *a);
/* The guide, when method and model are known. */
void options_read_guide(Job *job, Value v, Span at);
/* A guide of the library by its name, as the automatic part. */
void options_set_automatic(Job *job, const char *name);

#endif
