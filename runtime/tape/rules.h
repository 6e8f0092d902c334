/* Derivative rules: vjp_name for each operation that ops.def marks RULE or ONCE. Private to tape/.
 *
 * A rule is written in operations, so derivatives can be differentiated again. It gives each wanted operand its share
 * of the gradient: g times the derivative of the output, of the output's shape or the operand's. */
#ifndef TAPE_RULES_H
#define TAPE_RULES_H

#include "tape/linear.h"

typedef struct Rule {
    Tape *t;
    Op op;
    Span span;
    const OpAttr *attr;
    int n;
    const Var *in;     /* constants come without a node */
    Var out, g;        /* the output and the gradient that arrived at it, but for its factor */
    Factor factor;     /* shares are linear in g: it is theirs too */
    NodeId first;      /* of the nodes that the rule appends */
    const bool *wants; /* which operands lead to a variable of interest */
    int nsought;       /* the variables of interest */
    const Var *sought;
    Var *shares;       /* what was given to each operand, but for its factor; value NULL: nothing */
    Factor *factors;
    NodeId *to;        /* the node that it goes to, the operand's or one that the operand is a function of */
} Rule;

typedef void RuleFn(Rule *r);

bool rule_seeks(const Rule *r, NodeId id); /* is this node a variable of interest itself? */
/* Undoes the broadcast of operand k. */
void rule_give(Rule *r, int k, Var share);
_Noreturn void rule_missing(const Rule *r, const char *of);

#define OP1(NAME, a) op1(r->t, OP_##NAME, a)
#define OP2(NAME, a, b) op2(r->t, OP_##NAME, a, b)
#define OP3(NAME, a, b, c) op3(r->t, OP_##NAME, a, b, c)
#define NUMBER(x) var_number(r->t, x)
#define MUL(a, b) rule_times(r, a, b)
Var rule_times(Rule *r, Var a, Var b); /* spares the multiplication by a constant 1 */

#endif
