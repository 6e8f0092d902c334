/* The top-level names of a session, the library's below them, the builtins below those. */
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

/* What an entry was before a module bound its name anew. */
typedef struct Replaced {
    struct Replaced *before;
    int slot;
    GlobalEntry entry;
} Replaced;

/* A definition of the library that has been named. */
typedef struct Definition {
    Global global;
    Block *body;             /* the one statement */
    struct Definition *next; /* of those that are not resolved yet */
} Definition;

typedef struct Library {
    const LibraryEntry *entries;
    int n, first_file;
    Definition **loaded; /* by number; NULL: nothing has named it */
    Definition *unresolved, *last; /* a queue; one that turns out to be wrong stays at its head */
} Library;

struct Globals {
    Ctx *ctx;
    Names *names;
    const BuiltinName *builtins;
    const char **builtin_names; /* interned */
    Signature *signatures; /* of the builtins */
    int nbuiltins;
    Grown *room; /* for: */
    GlobalEntry *list;
    int n, capacity;
    int nkept; /* entries at globals_keep, of which these have been replaced since */
    Replaced *replaced;
    Library library;
};

/* Names are interned ones from here on.
 * The slot of the newest global of that name, or -1. */
int globals_find(const char *name);
int globals_find_builtin(const char *name);
/* The newest global of that name which is a function or a distribution, or -1. */
int globals_find_function(const Globals *g, const char *name);
/* Bind the name, anew or in its place. Gives the slot. */
int globals_bind(Globals *g, const char *name, GlobalKind kind, Span span);
/* A place of its own for a name that lookups do not see. */
int globals_add_hidden(Globals *g, const char *name, Span span);

/* library.c: the number of the definition of that name, or -1. */
int library_find(Globals *g, const char *name);
/* The definition, parsed; library_resolve completes all that were parsed. What is wrong in the library is raised. */
const Global *library_get(Globals *g, int k);
void library_resolve(Globals *g);
/* What a reference to a global or to the library means; NULL: something else. */
const Global *library_global(Globals *g, Ref ref);

/* Back to what there was at globals_keep, when a module turned out to be wrong. */
void globals_keep(Globals *g);
void globals_restore(Globals *g);

/* What the parameters of a function or a distribution let through. */
Signature signature_of_params(Arena *a, const Param *params, int nparams);

#endif
