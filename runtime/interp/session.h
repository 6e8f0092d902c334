/* What session.c keeps besides the Interp: builtins' parameters, data given from outside. */
#ifndef INTERP_SESSION_H
#define INTERP_SESSION_H

#include "interp/interp.h"

/* A builtin's signature, taken apart once. */
typedef struct BuiltinParams {
    int n;
    const char **names;
    bool *optional;
    bool rest;
} BuiltinParams;

const BuiltinParams *session_builtin_params(const Interp *in, const Builtin *b);

/* The slot of a global, for the statement at work to read or write: what it bound is kept when it is done, and a statement
 * that fails leaves all as it was. */
Value *session_global(Interp *in, int slot);

/* The globals that the statement at work has changed so far; gives how many. */
int session_changed(Interp *in, Value **values);

/* A loop at the top level or in a function, where nothing but the names there lives from one step to the next: when its
 * steps have left much behind, what the names hold is carried over and the rest let go of. In models, plates and runs that
 * are recorded it does nothing. loop_memory.c */
typedef struct LoopMemory {
    bool can;
    Frame *frame;         /* NULL: the top level */
    Arena *outer;         /* NULL: nothing has been let go of yet */
    const Tape *plain;
    Tape *tape;
    size_t limit;
    const Value *slots;   /* of the frame, when `outer` was left */
    uint64_t born;        /* frames from this one on were made since */
} LoopMemory;
void loop_memory_begin(Interp *in, Frame *f, LoopMemory *m);
void loop_memory_step(Interp *in, LoopMemory *m, Value *last); /* last: also carried over */
void loop_memory_end(Interp *in, const LoopMemory *m);

/* A warning about a place in the text that runs often. */
void session_warn_once(Interp *in, Warning which, Span at, const char *hint, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* call.c */
Frame *frame_new(Interp *in, const Function *fn, Frame *outer);
Value run_body(Interp *in, Frame *f, const Function *fn, Span at);
void match_family(Interp *in, const DistDecl *d, int n, const Value *args, const char *const *names, const Span *spans, Span at, Value *values,
                  Span *value_spans);

#endif
