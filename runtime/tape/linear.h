/* Numbers with which whole arrays are multiplied. Private to tape/. */
#ifndef TAPE_LINEAR_H
#define TAPE_LINEAR_H

#include "tape/tape.h"

/* number * var; var has rank 0, value NULL: 1. */
typedef struct Factor {
    real number;
    Var var;
} Factor;

extern const Factor factor_one;
bool factor_equal(Factor f, Factor g);
Var factor_apply(Tape *t, Factor f, Var v);

/* Takes one factor off the array v that node `first` or a later one made, or that is constant: then *v and *f are other
 * ones, whose product is the same. False: there is none. */
bool factor_take(Tape *t, NodeId first, Var *v, Factor *f);

bool var_is_ones(Var v); /* a constant 1, spread at most */

#endif
