/* The top-level names of a session, and the builtins below them. */
#ifndef LANG_GLOBALS_H
#define LANG_GLOBALS_H

#include "lang/lang.h"
#include "lang/names.h"

/* What may be given to a function: one parameter after the other. */
typedef struct Formal {
    const char *name; /* interned */
    bool optional;
} Formal;
typedef struct Signature {
    Formal *formals;
    int n;
    bool variadic; /* any number more, by position or by name */
    bool known;
} Signature;

typedef struct GlobalEntry {
    Global global;
    bool hidden; /* a name that belongs to a plate's body at the top level */
} GlobalEntry;

struct Globals {
    Ctx *ctx;
    Names *names;
    const BuiltinName *builtins;
    const char **builtin_names; /* interned */
    Signature *signatures; /* of the builtins */
    int nbuiltins;
    GlobalEntry *list;
    int n, capacity;
};

/* The slot of the newest global of an interned name, or -1. */
int globals_find(const Globals *g, const char *name);
int globals_find_builtin(const Globals *g, const char *name);
/* The newest global of that name which is a function or a distribution, or -1. */
int globals_find_function(const Globals *g, const char *name);
/* Bind the name: anew where a program takes a name of the library, else in its place. Gives the slot. */
int globals_bind(Globals *g, const char *name, GlobalKind kind, Span span, bool library);
/* A place of its own for a name that lookups do not see. */
int globals_add_hidden(Globals *g, const char *name, Span span);

/* Back to a state that was kept, when a module turned out to be wrong. */
typedef struct GlobalsState {
    GlobalEntry *list;
    int n;
} GlobalsState;
GlobalsState globals_keep(const Globals *g);
void globals_restore(Globals *g, GlobalsState state);

/* What the parameters of a function or a distribution let through. */
Signature signature_of_params(Arena *a, const Param *params, int nparams);

#endif
