/* The constructors of the tree: one call for each production of the grammar. What the grammar lets through and the
 * language does not (a call as a target, an unknown type) is reported here; the node is made all the same. */
#ifndef LANG_BUILD_H
#define LANG_BUILD_H

#include "lang/parser.h"
#include "lang/tree.h"

typedef struct Body {
    Expr *expr;
    Block *block;
} Body;

typedef struct Bounds {
    Expr *low, *high;
} Bounds;

List *build_list(Parser *p, List *list, const void *item, size_t size);
List *build_items(Parser *p, List *items, Expr *item); /* of an array */
Block *build_block(Parser *p, List *statements, Span span);

Expr *build_number(Parser *p, double number, Span span);
Expr *build_string(Parser *p, Word t);
Expr *build_bool(Parser *p, bool value, Span span);
Expr *build_missing(Parser *p, Span span);
Expr *build_name(Parser *p, Word t);
Expr *build_unary(Parser *p, UnaryOp op, Expr *operand, Span span);
Expr *build_binary(Parser *p, BinaryOp op, Expr *left, Expr *right, Span span);
Expr *build_range(Parser *p, Expr *first, Expr *last, Span span);
Expr *build_pipe(Parser *p, Expr *value, Expr *function, Span span);
Expr *build_call(Parser *p, Expr *callee, List *arguments, Span span);
Expr *build_index(Parser *p, Expr *base, List *indices, Span span);
Expr *build_field(Parser *p, Expr *base, Word name, Span span);
Expr *build_array(Parser *p, List *items, Span span);
Expr *build_tuple(Parser *p, Expr *first, List *rest, Span span);
Expr *build_record(Parser *p, List *fields, Span span); /* of Argument */
Expr *build_lambda(Parser *p, Expr *parameters, Expr *body, Span span); /* NULL: none */
Expr *build_if_expression(Parser *p, Expr *condition, Block *then, Block *otherwise, Span span);

Type *build_type(Parser *p, Word name, Bounds bounds, List *sizes, Span span);

Stmt *build_statement(Parser *p, StmtKind kind, Expr *e, Span span); /* STMT_EXPR, STMT_FACTOR, STMT_RETURN */
Stmt *build_assign(Parser *p, StmtKind kind, Expr *target, Expr *value, Span span); /* STMT_ASSIGN, STMT_RECORD */
Stmt *build_sample(Parser *p, Expr *target, Expr *dist, Span span);
Stmt *build_observe(Parser *p, Expr *value, Expr *dist, Span span);
Stmt *build_data(Parser *p, Word name, Type *type, Expr *default_value, Span span);
Stmt *build_param(Parser *p, Word name, Type *type, Expr *init, Span span);
Stmt *build_plate(Parser *p, List *ranges, Block *body, Span span);
Stmt *build_for(Parser *p, Word name, Expr *over, Block *body, Span span);
Stmt *build_while(Parser *p, Expr *condition, Block *body, Span span);
Stmt *build_refine(Parser *p, Expr *targets, Word name, Expr *over, Block *body, Span span);
Stmt *build_import(Parser *p, Word path, Span span);
Stmt *build_if(Parser *p, Expr *condition, Block *then, Block *otherwise, Span span);
Block *build_else_if(Parser *p, Expr *condition, Block *then, Block *otherwise, Span span);
Block *build_branch(Parser *p, Expr *if_expression);

Stmt *build_function(Parser *p, FunctionKind kind, Word name, List *params, Body body, Span head, Span span);
Stmt *build_guide(Parser *p, Word name, List *params, Word model, Expr *with, Body body, Span head,
                  Span span);
Function *build_member(Parser *p, Word name, List *params, Body body, Span head);
Stmt *build_dist(Parser *p, Word name, List *params, Type *support, List *members, Span head, Span span);

#endif
