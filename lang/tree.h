/* The tree of a program, as the parser makes it and the resolver completes it.
 *
 * Everything lives in the session arena; names are interned in it (equal names are equal pointers within a session).
 * The resolver fills the fields marked (r). The interpreter only reads.
 */
#ifndef LANG_TREE_H
#define LANG_TREE_H

#include "base/ctx.h"

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Function Function;

/* Where a name is found. `depth` counts function frames outwards (0: this call's), for lambdas and local functions. */
typedef enum __attribute__((packed)) RefKind { /* packed: a tree is as large as its program is long */
    REF_LOCAL,   /* slot `slot` of the frame `depth` levels out */
    REF_GLOBAL,  /* slot `slot` of the top level */
    REF_LIBRARY, /* the slot-th definition of the library (lang.h) */
    REF_BUILTIN  /* the slot-th of the names that the resolver was told of (lang.h) */
} RefKind;
typedef struct Ref {
    RefKind kind;
    uint16_t depth;
    int slot;
} Ref;

typedef enum UnaryOp { UNARY_NEG, UNARY_NOT } UnaryOp;
typedef enum BinaryOp {
    BINARY_ADD, BINARY_SUB, BINARY_MUL, BINARY_DIV, BINARY_MOD, BINARY_POW, BINARY_MATMUL,
    BINARY_EQ, BINARY_NE, BINARY_LT, BINARY_LE, BINARY_GT, BINARY_GE,
    BINARY_AND, BINARY_OR /* short circuit on single values, elementwise on arrays */
} BinaryOp;

/* -- Expressions -- */
typedef enum __attribute__((packed)) ExprKind {
    EXPR_NUMBER, EXPR_STRING, EXPR_BOOL, EXPR_MISSING, EXPR_NAME,
    EXPR_UNARY, EXPR_BINARY, EXPR_RANGE,
    EXPR_CALL, EXPR_INDEX, EXPR_FIELD,
    EXPR_ARRAY, EXPR_NUMBERS /* an array of nothing but numbers as they are written, with a minus or without */,
    EXPR_TUPLE, EXPR_RECORD,
    EXPR_LAMBDA, EXPR_IF
} ExprKind;
enum { EXPR_KINDS = EXPR_IF + 1 };

typedef struct Argument {
    const char *name; /* NULL: by position */
    Span name_span;
    Expr *value;
} Argument;

typedef struct Block {
    Stmt **statements;
    int n;
    Span span;
    int depth;
} Block;

/* Of an expression and of a statement there is as much as its kind has: none is copied as a whole. */
struct Expr {
    ExprKind kind;
    uint16_t depth; /* of the tree below */
    Span span;
    union {
        double number; /* negative, where a minus stands before it */
        struct { const char *text; size_t length; } string; /* escapes undone */
        bool boolean;
        struct { const char *name; Ref ref; /* (r) slot -1: the argument of `error` names a site of the model alone */ } name;
        struct { UnaryOp op; Expr *operand; } unary;
        struct { BinaryOp op; Expr *left, *right; } binary;
        struct { Expr *first, *last; } range;
        struct { Expr *callee; Argument *arguments; int n; bool piped; /* written with |> */ bool of_site; /* (r)
                  error(x) in the body of `refine`: x is a site of the model */ int place; /* (r) for the
                  addresses of parameters: the number of this place, from 1, among the calls of the same name in its
                  function, in the order of evaluation; a lambda's calls belong to the function it stands in */ } call;
        struct { Expr *base; Expr **indices; int n; } index;     /* NULL among the indices: a bare `:` */
        struct { Expr *base; const char *name; Span name_span; } field;
        struct { Expr **items; int n; } list;                    /* EXPR_ARRAY, EXPR_TUPLE */
        struct { const double *values; int n; } numbers;
        struct { const char **names; Expr **values; int n; } record;
        Function *lambda;
        struct { Expr *condition; Block *then, *otherwise; } if_; /* as an expression both branches are there; its value is
                  that of the last statement, which is an expression (or such an `if`) */
    } u;
};

/* -- Types: `real[N, D]`, `int(0, 1)`, `simplex[K]` -- */
typedef enum TypeKind {
    TYPE_ANY, /* no type written */
    TYPE_REAL, TYPE_INT, TYPE_BOOL, TYPE_POSITIVE, TYPE_UNIT, TYPE_SIMPLEX, TYPE_ORDERED, TYPE_COV, TYPE_CORR_CHOLESKY
} TypeKind;
typedef struct Type {
    TypeKind kind;
    Span span;
    Expr *low, *high;  /* real(lo, hi), int(lo, hi); NULL: none */
    Expr **sizes;      /* a size that is a bare name not yet known is bound by the data: */
    int nsizes;
    int *bind_slot;    /* (r) per size: global slot that it binds, or -1: an expression to check */
} Type;

/* -- Functions of every kind -- */
typedef enum FunctionKind { FUNCTION_FN, FUNCTION_NET, FUNCTION_MODEL, FUNCTION_GUIDE, FUNCTION_LAMBDA, FUNCTION_MEMBER } FunctionKind;

typedef struct Param {
    const char *name;
    Span span;
    Type *type;            /* of dist parameters; NULL elsewhere */
    Expr *default_value;   /* or NULL; evaluated in the frame of the function called, sees the parameters before it */
    int slot;              /* (r) in the frame */
} Param;

struct Function {
    FunctionKind kind;
    const char *name;      /* "<lambda>" for lambdas; "logpdf" for a member */
    Span span;             /* of the head */
    Param *params;
    int nparams;
    Expr *expr;            /* `= e`, or NULL */
    Block *body;           /* `{ ... }`, or NULL */
    /* guides: `guide q(args) for m with auto { ... }` */
    const char *model_name;
    Span model_span;
    Ref model_ref;         /* (r) seen from the guide's frame, as `with` is */
    Expr *with;            /* or NULL */
    int nslots;            /* (r) size of the frame: parameters, locals, indices of plates */
    const char **slot_names; /* (r) */
    int ncalls;            /* (r) places of call */
    bool captures;         /* (r) refers to frames further out: needs its environment */
};

/* -- Targets: `x`, `x[i, j]`; of ~, :=, = -- */
typedef struct Target {
    const char *name;
    Span span;
    Expr **indices; /* NULL among them: `:` */
    int nindices;
    Ref ref;        /* (r) */
} Target;

typedef enum SampleRole { ROLE_LATENT, ROLE_OBSERVED } SampleRole;

typedef struct PlateRange {
    const char *name;
    Span span;
    Expr *range;   /* an EXPR_RANGE, or any expression that gives one */
    int slot;      /* (r) of the index */
} PlateRange;

typedef struct DistDecl {
    const char *name;
    Span span;
    Param *params;
    int nparams;
    Type *support;       /* sizes and bounds may name the parameters */
    Function **members;  /* logpdf, draw, ...; their frames begin with the distribution's own `nslots` slots, then come
                            the member's parameters */
    int nmembers;
    int nslots;          /* (r) the parameters in order, then the sizes that their types bind (`loc: real[D]` binds D:
                            Type.bind_slot is then a slot of this frame, not a global one) */
} DistDecl;

typedef enum __attribute__((packed)) StmtKind {
    STMT_EXPR, STMT_ASSIGN, STMT_UNPACK, STMT_DATA, STMT_FUNCTION, STMT_SAMPLE, STMT_OBSERVE, STMT_RECORD, STMT_FACTOR,
    STMT_PARAM, STMT_PLATE, STMT_FOR, STMT_WHILE, STMT_IF, STMT_REFINE, STMT_DIST, STMT_IMPORT, STMT_RETURN
} StmtKind;

struct Stmt {
    StmtKind kind;
    uint16_t depth;
    Span span;
    union {
        Expr *expr;                                              /* STMT_EXPR, STMT_FACTOR; STMT_RETURN (NULL: nothing) */
        struct { Target target; Expr *value; } assign;           /* STMT_ASSIGN, STMT_RECORD (:=) */
        struct { Target *targets; int n; Expr *value; } unpack;  /* (a, b) = e */
        struct { const char *name; Span name_span; Type *type; Expr *default_value; int slot; /* (r) global */ } data;
        struct { Function *function; Ref ref; /* (r) the name it binds */ } function;
        struct { Target target; Expr *dist; SampleRole role; /* (r) */ int nplates; /* (r) leading indices that are the
                  indices of the enclosing plates */ } sample;
        struct { Expr *value, *dist; } observe;
        struct { const char *name; Span name_span; Type *type; Expr *init; int slot; /* (r) local */ int place; /* (r) */ } param;
        struct { PlateRange *ranges; int n; Block *body; bool in_loop; /* (r) */ } plate;
        struct { const char *name; int slot; /* (r) */ Span name_span; Expr *over; Block *body; } for_;
        struct { Expr *condition; Block *body; } while_;
        struct { Expr *condition; Block *then, *otherwise; } if_; /* otherwise may be NULL */
        struct { Target *targets; int ntargets; const char *name; int slot; /* (r) */ Expr *over; Block *body; } refine;
        struct { DistDecl *decl; Ref ref; /* (r) */ } dist;
        struct { const char *path; struct Module *module; /* (r) NULL: it was imported before */ } import;
    } u;
};

/* A file (or a line of the REPL), parsed and resolved. */
typedef struct Module {
    int file;
    Block *body;
} Module;

#endif
