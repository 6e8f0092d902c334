/* Names to slots: scopes, frames and what the files of the resolver share. */
#ifndef LANG_RESOLVE_H
#define LANG_RESOLVE_H

#include "lang/globals.h"
#include "lang/lang.h"
#include "lang/table.h"

/* How a name is bound in a scope; several of them at once. */
typedef enum How {
    BOUND_ARGUMENT = 1,
    BOUND_ASSIGNED = 2,  /* =, also of elements */
    BOUND_DRAWN = 4,     /* ~, as a latent variable */
    BOUND_RECORDED = 8,  /* := */
    BOUND_INDEX = 16,    /* of a plate, for, refine */
    BOUND_LEARNED = 32,  /* param */
    BOUND_FUNCTION = 64, /* fn, net, model, guide */
    BOUND_CALLABLE = 128 /* drawn from what may give a function: a model, lift(...) */
} How;

typedef struct Binding {
    const char *name;
    unsigned how;
    Span span; /* of the first */
    int slot;  /* of the frame; of the globals in a plate at the top level */
    const Function *function;
    struct Binding *next;
} Binding;

/* The frame of a function at work. */
typedef struct Frame {
    struct Frame *outer;
    Function *function; /* NULL: the parameters of a dist */
    int nslots, capacity;
    const char **names; /* of the slots */
    int nplaces;        /* of calls and of params */
    struct CallCount *calls; /* by the name that is called */
} Frame;

typedef struct CallCount {
    struct CallCount *next;
    const char *name;
    int n;
} CallCount;

/* What names are seen together: a function's body, a plate's body, the top level (frame and plate NULL), whose names
 * are the globals. */
typedef struct Scope {
    struct Scope *outer;
    Frame *frame;
    const Stmt *plate;
    Binding *bindings;
    int nbindings;
    Table table; /* of the bindings by name, where they are many */
    Table plates;    /* scopes of the plates in it, by statement */
    Table in_plates; /* of a function: what is assigned in its plates, at any depth, by name */
} Scope;

typedef struct Loop {
    struct Loop *outer;
    const Stmt *stmt;
} Loop;

typedef struct Resolver {
    Ctx *ctx;
    Arena *arena;
    Globals *g;
    const LoadOptions *options;
    Diagnostics *out;
    int file;
    bool library;      /* a definition of the library: it does not see the program's names */
    Scope *scope;
    Frame *frame;
    Loop *loops;       /* of the function at work */
    const Stmt *refine;
    int nesting;       /* of blocks at the top level; 1: its own */
    int nplaces;       /* of the top level */
    Table reported;    /* unknown names, each once */
} Resolver;

__attribute__((format(printf, 4, 5))) void resolve_error(Resolver *r, Span at, const char *hint, const char *format,
                                                         ...);

__attribute__((format(printf, 5, 6))) void resolve_warn(Resolver *r, Warning which, Span at, const char *hint,
                                                        const char *format, ...);

/* resolve.c */
void resolve_module(Resolver *r, Block *body);
void resolve_expr(Resolver *r, Expr *e);
/* The model that a guide names directly, or NULL. */
const Function *resolve_model_of(Resolver *r, const Function *guide);

/* scope.c */
typedef struct Found {
    bool found;
    Ref ref;
    const Binding *binding; /* NULL: a global or a builtin */
    const Scope *scope;     /* of the binding */
} Found;

Scope *scope_new(Resolver *r, Scope *outer, Frame *frame, const Stmt *plate);
Scope *scope_of_plate(Resolver *r, Scope *outer, const Stmt *plate); /* found again, or made */
bool scope_is_top(const Scope *s);
Binding *scope_own(const Scope *s, const char *name);
Binding *scope_bind(Resolver *r, Scope *s, const char *name, How how, Span span);
Scope *scope_of_function(Scope *s); /* the scope outside all plates of the function */
Ref scope_ref(const Scope *s, const char *name); /* of a name bound in s itself, seen from its frame */
Found scope_lookup(Resolver *r, const char *name);
/* Outside all scopes: a global of the program, or of the library. */
Found scope_lookup_global(Resolver *r, const char *name);
/* The same; NULL: neither. */
const Global *scope_global(Resolver *r, const char *name);
/* The function or distribution of that name, whatever else the program calls so: its own, the library's, a builtin. */
Found scope_lookup_function(Resolver *r, const char *name);
/* In the scopes of the function at work only. */
Found scope_lookup_in_function(Resolver *r, const char *name);
/* The global that a function may not bind again; NULL: none, or one of an earlier line. */
const Global *scope_protected_global(Resolver *r, const char *name);
const char *scope_nearest(Resolver *r, const char *name);
int scope_add_slot(Resolver *r, Frame *f, const char *name);
int scope_add_place(Resolver *r);
int scope_add_call(Resolver *r, const char *name); /* its number among the calls of this name, from 1 */
/* The indices of the plates around, the outermost first. */
int scope_plates(const Scope *s, const PlateRange **plates, int room);

/* declare.c: the names that a body binds, before it is resolved. */
void declare_body(Resolver *r, Scope *s, Block *body, Expr *expr);
int declare_global(Resolver *r, const char *name, GlobalKind kind, Span span);

/* check_call.c: the arguments of a call of a function that is known. */
void check_call(Resolver *r, const Expr *call, const Found *callee);
void check_params(Resolver *r, const Param *params, int n);

/* check_draw.c */
void check_sample(Resolver *r, Stmt *s);  /* role, reference, address */
void check_address(Resolver *r, const Target *t, const char *verb, int *nplates);
void check_rebinding(Resolver *r, const Target *t);
void check_element(Resolver *r, const Target *t, const Found *found);
void check_drawn_once(Resolver *r, const Function *model);
const char *check_target_text(Resolver *r, const Target *t);

/* check_place.c: which statement may stand where. */
void check_place(Resolver *r, const Stmt *s);
void check_gives_value(Resolver *r, const Block *branch);

/* check_suspicious.c: warnings, once a function without mistakes is resolved. */
void check_suspicious(Resolver *r, Function *f);

/* check_guide.c: a guide against its model, once both are resolved. */
void check_guide(Resolver *r, const Function *guide);

#endif
