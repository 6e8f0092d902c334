/* What the files of the interpreter share among themselves. */
#ifndef INTERP_INTERNAL_H
#define INTERP_INTERNAL_H

#include "interp/effects.h"

typedef enum Flow { FLOW_NEXT, FLOW_RETURN } Flow;

/* eval.c, exec.c */
Value eval(Interp *in, Frame *f, const Expr *e);
Flow exec_block(Interp *in, Frame *f, const Block *b, Value *last);
Flow exec(Interp *in, Frame *f, const Stmt *s, Value *last);
void poll_interrupt(Interp *in); /* in loops and calls: raises when the user has interrupted */
Value *slot_of(Interp *in, Frame *f, Ref ref); /* not for builtins */
Value read_slot(Interp *in, Value *slot, const char *name, Span at);
/* The values of indices: VALUE_NONE for `:`. */
void eval_indices(Interp *in, Frame *f, Expr *const *indices, int n, Value *values, Span *spans);
bool eval_index_tuple(Interp *in, Frame *f, const Target *t, Index *index); /* false: not single places (a slice, say) */

/* call.c */
Value eval_call(Interp *in, Frame *f, const Expr *e);
/* The function as a value, made in this frame (NULL: at the top level). */
Value closure_new(Interp *in, Frame *f, const Function *fn);
/* `call`: the expression in the caller's frame; NULL, as the caller, where C calls. */
Value call_value(Interp *in, Value callee, int n, const Value *args, const char *const *names, const Span *spans, Span at,
                 Frame *caller, const Expr *call);
void enter_call(Interp *in, const char *name, Span at); /* counts depth, refuses what is too deep */
bool stack_is_used_up(const Interp *in);
void check_stack(Interp *in, Span at); /* on the way into a value: refuses what is too deep */

/* keep.c: roots carried over from what a loop's steps leave behind. Arrays that are being filled stay so, frames with numbers
 * below `born` stay where they are. */
void values_carry(Interp *in, Arena *to, uint64_t born, int n, Value *const *values);

/* plate.c */
Value axis_index(Interp *in, const Axis *axis); /* the index of a plate or loop, for all its elements */
/* Everything that a body may touch when it runs for all elements at once, to start over. f: NULL at top level. */
enum { BODY_HANDLERS = 32 };
typedef struct BodyMark {
    int nodes, nplates, depth, dist_level;
    int handlers[BODY_HANDLERS];
    struct Handler *handler;
    struct Address *address;
    struct DrawSite *draw;
    uint64_t draw_count;
    Value given;
    const Axis *selecting;
    const PlateRound *round;
    Value *slots;
} BodyMark;
BodyMark body_mark(Interp *in, Frame *f);
void body_undo(Interp *in, Frame *f, const BodyMark *m, const Axis *axis); /* `axis`: of the elements */
Flow exec_plate(Interp *in, Frame *f, const Stmt *s, Value *last);
Flow exec_if_elementwise(Interp *in, Frame *f, const Block *then, const Block *otherwise, Value condition, Span at, Value *last);

/* loop.c: a `for` over first..first + n - 1 for all its steps at once. False: nothing has happened, it must run step by
 * step; then comes loop_done. */
typedef struct LoopTry {
    const Axis *axis; /* NULL: it could not be tried */
    int handlers[BODY_HANDLERS];
} LoopTry;
enum { LOOP_LOCALS = 32 };
typedef struct LoopRun {
    struct LoopRun *outer;
    struct Carry *carry; /* carry.c; NULL: nothing is known to be carried */
    bool elements;       /* a step reads elements that another one computes */
    Interp *in;
    Frame *f;
    const Stmt *s;
    const Axis *axis;
    BodyMark mark;
    struct LoopLocals {
        int slots[LOOP_LOCALS], n;
        int step; /* the slot of the loop's variable */
    } locals;     /* names that the body binds anew in each step */
    bool shares;  /* tape_share, until the loop has run: its body is recorded more than once */
    Value before[LOOP_LOCALS]; /* what a step finds them to be; VALUE_NONE: nothing comes from the step before */
} LoopRun;
typedef struct LoopLocals LoopLocals;
void loop_run_body(LoopRun *r);
/* carry.c: finds r->before; raises where steps leave something else than numbers to each other. */
void loop_find_carried(LoopRun *r);
/* What steps read of a list `lag` steps back, where they set it themselves; head: its elements before the loop, the last `lag`
 * of them. VALUE_NONE: it is not known (so far). */
Value loop_carried(LoopRun *r, const Cells *list, int64_t lag, const Value *head);
bool loop_at_once(Interp *in, Frame *f, const Stmt *s, int64_t first, int64_t n, LoopTry *t);
void loop_done(Interp *in, const LoopTry *t);
/* x[t - 1] in such a loop, where x is being filled: false: the index is another. */
bool loop_read(Interp *in, const Cells *c, const char *name, int n, const Value *indices, const Span *spans, Span at, Value *out);
bool single_place(Interp *in, Value v, Span at, Index *out);

/* model.c */
void exec_sample(Interp *in, Frame *f, const Stmt *s);
void exec_observe(Interp *in, Frame *f, const Stmt *s);
void exec_record(Interp *in, Frame *f, const Stmt *s);
void exec_param(Interp *in, Frame *f, const Stmt *s);

/* lift.c: nets whose parameters are random variables. */
typedef struct Lifted Lifted;
bool value_is_lift(Value v);
Value lift_draw(Interp *in, Value lift, const Site *place); /* g ~ lift(f, prior): the net; place: its name and indices */
void lift_enter(Lifted *g);
void lift_leave(Lifted *g);

/* missing.c: a site whose data are missing may be a latent, or partly one (s->partly). */
void missing_find(const Function *fn, const Target *t, Site *s);
/* Nobody answered for a site that is partly latent: its plate runs element by element, or an error. */
_Noreturn void missing_refuse(Interp *in, const Target *t, const Site *s);

/* session.c: the value of a definition of the library. */
Value *library_slot(Interp *in, int number);

/* dists.c */
/* The k-th of several distributions, where k has all values of a summed variable. */
Value dist_choose(Interp *in, int n, const Value *dists, Value k, Span at);
bool has_enum_axis(Value v);
int type_rank(const Type *t); /* dimensions of one value of it */
bool param_is_unset(Value v); /* a parameter of a distribution that was left out */
Family *family_new(Interp *in, Arena *a, const DistDecl *d);
Value family_call(Interp *in, Family *fam, int n, const Value *args, const char *const *names, const Span *spans, Span at);

/* The variable being drawn: where the library's noise primitives get their numbers. */
typedef struct DrawSite {
    uint64_t key;
    Index index[MAX_INDEX];
    int nindex;
    uint64_t count; /* primitives so far */
} DrawSite;

#endif
