/* Visiting a tree. A visitor says whether to go on below the node; functions and lambdas are nodes like others. */
#ifndef LANG_WALK_H
#define LANG_WALK_H

#include "lang/tree.h"

typedef struct Walk {
    void *self;
    bool (*expr)(void *self, Expr *e); /* NULL: go on */
    bool (*stmt)(void *self, Stmt *s);
} Walk;

void walk_expr(const Walk *w, Expr *e); /* NULL: nothing */
void walk_stmt(const Walk *w, Stmt *s);
void walk_block(const Walk *w, Block *b);
void walk_type(const Walk *w, Type *t);
void walk_function(const Walk *w, Function *f);

#endif
