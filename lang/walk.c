#include "lang/walk.h"

static void walk_exprs(const Walk *w, Expr **list, int n) {
    for (int i = 0; i < n; i++)
        walk_expr(w, list[i]);
}

static void walk_target(const Walk *w, Target *t) { walk_exprs(w, t->indices, t->nindices); }

static void walk_targets(const Walk *w, Target *targets, int n) {
    for (int i = 0; i < n; i++)
        walk_target(w, &targets[i]);
}

static void walk_params(const Walk *w, Param *params, int n) {
    for (int i = 0; i < n; i++) {
        walk_type(w, params[i].type);
        walk_expr(w, params[i].default_value);
    }
}

void walk_type(const Walk *w, Type *t) {
    if (!t)
        return;
    walk_expr(w, t->low);
    walk_expr(w, t->high);
    walk_exprs(w, t->sizes, t->nsizes);
}

void walk_function(const Walk *w, Function *f) {
    walk_params(w, f->params, f->nparams);
    walk_expr(w, f->with);
    walk_expr(w, f->expr);
    walk_block(w, f->body);
}

void walk_block(const Walk *w, Block *b) {
    for (int i = 0; b && i < b->n; i++)
        walk_stmt(w, b->statements[i]);
}

void walk_expr(const Walk *w, Expr *e) {
    if (!e || (w->expr && !w->expr(w->self, e)))
        return;
    switch (e->kind) {
    case EXPR_NUMBER: case EXPR_NUMBERS: case EXPR_STRING: case EXPR_BOOL: case EXPR_MISSING: case EXPR_NAME:
        break;
    case EXPR_UNARY:
        walk_expr(w, e->u.unary.operand);
        break;
    case EXPR_BINARY:
        walk_expr(w, e->u.binary.left);
        walk_expr(w, e->u.binary.right);
        break;
    case EXPR_RANGE:
        walk_expr(w, e->u.range.first);
        walk_expr(w, e->u.range.last);
        break;
    case EXPR_CALL:
        walk_expr(w, e->u.call.callee);
        for (int i = 0; i < e->u.call.n; i++)
            walk_expr(w, e->u.call.arguments[i].value);
        break;
    case EXPR_INDEX:
        walk_expr(w, e->u.index.base);
        walk_exprs(w, e->u.index.indices, e->u.index.n);
        break;
    case EXPR_FIELD:
        walk_expr(w, e->u.field.base);
        break;
    case EXPR_ARRAY: case EXPR_TUPLE:
        walk_exprs(w, e->u.list.items, e->u.list.n);
        break;
    case EXPR_RECORD:
        walk_exprs(w, e->u.record.values, e->u.record.n);
        break;
    case EXPR_LAMBDA:
        walk_function(w, e->u.lambda);
        break;
    case EXPR_IF:
        walk_expr(w, e->u.if_.condition);
        walk_block(w, e->u.if_.then);
        walk_block(w, e->u.if_.otherwise);
        break;
    }
}

void walk_stmt(const Walk *w, Stmt *s) {
    if (w->stmt && !w->stmt(w->self, s))
        return;
    switch (s->kind) {
    case STMT_EXPR: case STMT_FACTOR: case STMT_RETURN:
        walk_expr(w, s->u.expr);
        break;
    case STMT_ASSIGN: case STMT_RECORD:
        walk_target(w, &s->u.assign.target);
        walk_expr(w, s->u.assign.value);
        break;
    case STMT_UNPACK:
        walk_targets(w, s->u.unpack.targets, s->u.unpack.n);
        walk_expr(w, s->u.unpack.value);
        break;
    case STMT_DATA:
        walk_type(w, s->u.data.type);
        walk_expr(w, s->u.data.default_value);
        break;
    case STMT_FUNCTION:
        walk_function(w, s->u.function.function);
        break;
    case STMT_SAMPLE:
        walk_target(w, &s->u.sample.target);
        walk_expr(w, s->u.sample.dist);
        break;
    case STMT_OBSERVE:
        walk_expr(w, s->u.observe.value);
        walk_expr(w, s->u.observe.dist);
        break;
    case STMT_PARAM:
        walk_type(w, s->u.param.type);
        walk_expr(w, s->u.param.init);
        break;
    case STMT_PLATE:
        for (int i = 0; i < s->u.plate.n; i++)
            walk_expr(w, s->u.plate.ranges[i].range);
        walk_block(w, s->u.plate.body);
        break;
    case STMT_FOR:
        walk_expr(w, s->u.for_.over);
        walk_block(w, s->u.for_.body);
        break;
    case STMT_WHILE:
        walk_expr(w, s->u.while_.condition);
        walk_block(w, s->u.while_.body);
        break;
    case STMT_IF:
        walk_expr(w, s->u.if_.condition);
        walk_block(w, s->u.if_.then);
        walk_block(w, s->u.if_.otherwise);
        break;
    case STMT_REFINE:
        walk_expr(w, s->u.refine.over);
        walk_block(w, s->u.refine.body);
        break;
    case STMT_DIST:
        walk_params(w, s->u.dist.decl->params, s->u.dist.decl->nparams);
        walk_type(w, s->u.dist.decl->support);
        for (int i = 0; i < s->u.dist.decl->nmembers; i++)
            walk_function(w, s->u.dist.decl->members[i]);
        break;
    case STMT_IMPORT:
        break;
    }
}
