#include "lang/dump.h"

#include <math.h>

#include "lang/lang.h"

static void dump_block(const Block *b, int indent, Buf *out);
static void dump_expr(const Expr *e, int indent, Buf *out);

static void dump_exprs(Expr *const *list, int n, int indent, Buf *out) {
    for (int i = 0; i < n; i++) {
        buf_add_char(out, ' ');
        dump_expr(list[i], indent, out);
    }
}

static void dump_type(const Type *t, int indent, Buf *out) {
    buf_printf(out, "(: %s", lang_type_name(t->kind));
    if (t->low) {
        buf_add(out, " (bounds");
        dump_exprs((Expr *const[]){t->low, t->high}, 2, indent, out);
        buf_add_char(out, ')');
    }
    dump_exprs(t->sizes, t->nsizes, indent, out);
    buf_add_char(out, ')');
}

static void dump_params(const Param *params, int n, int indent, Buf *out) {
    buf_add_char(out, '(');
    for (int i = 0; i < n; i++) {
        const Param *p = &params[i];
        buf_printf(out, "%s%s%s", i > 0 ? " " : "", p->type || p->default_value ? "(" : "", p->name);
        if (p->type) {
            buf_add_char(out, ' ');
            dump_type(p->type, indent, out);
        }
        if (p->default_value)
            dump_exprs(&p->default_value, 1, indent, out);
        if (p->type || p->default_value)
            buf_add_char(out, ')');
    }
    buf_add_char(out, ')');
}

/* The parameters and the body. */
static void dump_function(const Function *f, int indent, Buf *out) {
    dump_params(f->params, f->nparams, indent, out);
    if (f->model_name)
        buf_printf(out, " (for %s)", f->model_name);
    if (f->with) {
        buf_add(out, " (with");
        dump_exprs(&f->with, 1, indent, out);
        buf_add_char(out, ')');
    }
    if (f->expr)
        dump_exprs((Expr *const *)&f->expr, 1, indent, out);
    if (f->body)
        dump_block(f->body, indent, out);
}

/* A minus before a number is an operation. */
static void dump_number(double x, Buf *out) {
    if (signbit(x))
        buf_add(out, "(neg ");
    buf_add_double(out, fabs(x));
    if (signbit(x))
        buf_add_char(out, ')');
}

static void dump_call(const Expr *e, int indent, Buf *out) {
    buf_add(out, e->u.call.piped ? "(pipe " : "(call ");
    dump_expr(e->u.call.callee, indent, out);
    for (int i = 0; i < e->u.call.n; i++) {
        const Argument *a = &e->u.call.arguments[i];
        if (a->name)
            buf_printf(out, " %s =", a->name);
        dump_exprs((Expr *const *)&a->value, 1, indent, out);
    }
    buf_add_char(out, ')');
}

static void dump_expr(const Expr *e, int indent, Buf *out) {
    if (!e) {
        buf_add_char(out, ':');
        return;
    }
    switch (e->kind) {
    case EXPR_NUMBER:
        dump_number(e->u.number, out);
        return;
    case EXPR_STRING:
        buf_add_json_string(out, e->u.string.text);
        return;
    case EXPR_BOOL:
        buf_add(out, e->u.boolean ? "true" : "false");
        return;
    case EXPR_MISSING:
        buf_add(out, "missing");
        return;
    case EXPR_NAME:
        buf_add(out, e->u.name.name);
        return;
    case EXPR_CALL:
        dump_call(e, indent, out);
        return;
    case EXPR_UNARY:
        buf_add(out, e->u.unary.op == UNARY_NEG ? "(neg" : "(not");
        dump_exprs(&e->u.unary.operand, 1, indent, out);
        break;
    case EXPR_BINARY:
        buf_printf(out, "(%s", lang_binary_text(e->u.binary.op));
        dump_exprs((Expr *const[]){e->u.binary.left, e->u.binary.right}, 2, indent, out);
        break;
    case EXPR_RANGE:
        buf_add(out, "(..");
        dump_exprs((Expr *const[]){e->u.range.first, e->u.range.last}, 2, indent, out);
        break;
    case EXPR_INDEX:
        buf_add(out, "(index");
        dump_exprs(&e->u.index.base, 1, indent, out);
        dump_exprs(e->u.index.indices, e->u.index.n, indent, out);
        break;
    case EXPR_FIELD:
        buf_add(out, "(field");
        dump_exprs(&e->u.field.base, 1, indent, out);
        buf_printf(out, " %s", e->u.field.name);
        break;
    case EXPR_ARRAY: case EXPR_TUPLE:
        buf_add(out, e->kind == EXPR_ARRAY ? "(array" : "(tuple");
        dump_exprs(e->u.list.items, e->u.list.n, indent, out);
        break;
    case EXPR_NUMBERS:
        buf_add(out, "(array");
        for (int i = 0; i < e->u.numbers.n; i++) {
            buf_add_char(out, ' ');
            dump_number(e->u.numbers.values[i], out);
        }
        break;
    case EXPR_RECORD:
        buf_add(out, "(record");
        for (int i = 0; i < e->u.record.n; i++) {
            buf_printf(out, " (%s", e->u.record.names[i]);
            dump_exprs(&e->u.record.values[i], 1, indent, out);
            buf_add_char(out, ')');
        }
        break;
    case EXPR_LAMBDA:
        buf_add(out, "(-> ");
        dump_function(e->u.lambda, indent, out);
        break;
    case EXPR_IF:
        buf_add(out, "(if");
        dump_exprs(&e->u.if_.condition, 1, indent, out);
        dump_block(e->u.if_.then, indent, out);
        dump_block(e->u.if_.otherwise, indent, out);
        break;
    }
    buf_add_char(out, ')');
}

static void dump_target(const Target *t, int indent, Buf *out) {
    if (t->nindices > 0)
        buf_add(out, "(index ");
    buf_add(out, t->name);
    dump_exprs(t->indices, t->nindices, indent, out);
    if (t->nindices > 0)
        buf_add_char(out, ')');
}

static void dump_targets(const Target *targets, int n, int indent, Buf *out) {
    for (int i = 0; i < n; i++) {
        buf_add(out, i == 0 ? "(" : " ");
        dump_target(&targets[i], indent, out);
    }
    buf_add_char(out, ')');
}

static void dump_dist(const DistDecl *d, int indent, Buf *out) {
    buf_printf(out, "(dist %s ", d->name);
    dump_params(d->params, d->nparams, indent, out);
    buf_add_char(out, ' ');
    dump_type(d->support, indent, out);
    for (int i = 0; i < d->nmembers; i++) {
        buf_printf(out, "\n%*s(%s ", 4 * (indent + 1), "", d->members[i]->name);
        dump_function(d->members[i], indent + 1, out);
        buf_add_char(out, ')');
    }
    buf_add_char(out, ')');
}

static void dump_typed(const char *word, const char *name, const Type *t, Expr *value, int indent, Buf *out) {
    buf_printf(out, "(%s %s", word, name);
    if (t) {
        buf_add_char(out, ' ');
        dump_type(t, indent, out);
    }
    if (value)
        dump_exprs(&value, 1, indent, out);
}

static void dump_stmt(const Stmt *s, int indent, Buf *out) {
    static const char *const WORDS[] = {[FUNCTION_FN] = "fn", [FUNCTION_NET] = "net", [FUNCTION_MODEL] = "model",
                                        [FUNCTION_GUIDE] = "guide", [FUNCTION_LAMBDA] = "->", [FUNCTION_MEMBER] = ""};
    switch (s->kind) {
    case STMT_EXPR:
        dump_expr(s->u.expr, indent, out);
        return;
    case STMT_DIST:
        dump_dist(s->u.dist.decl, indent, out);
        return;
    case STMT_FACTOR: case STMT_RETURN:
        buf_add(out, s->kind == STMT_FACTOR ? "(factor" : "(return");
        if (s->u.expr)
            dump_exprs((Expr *const *)&s->u.expr, 1, indent, out);
        break;
    case STMT_ASSIGN: case STMT_RECORD:
        buf_add(out, s->kind == STMT_ASSIGN ? "(= " : "(:= ");
        dump_target(&s->u.assign.target, indent, out);
        dump_exprs((Expr *const *)&s->u.assign.value, 1, indent, out);
        break;
    case STMT_UNPACK:
        buf_add(out, "(= ");
        dump_targets(s->u.unpack.targets, s->u.unpack.n, indent, out);
        dump_exprs((Expr *const *)&s->u.unpack.value, 1, indent, out);
        break;
    case STMT_DATA:
        dump_typed("data", s->u.data.name, s->u.data.type, s->u.data.default_value, indent, out);
        break;
    case STMT_PARAM:
        dump_typed("param", s->u.param.name, s->u.param.type, s->u.param.init, indent, out);
        break;
    case STMT_FUNCTION:
        buf_printf(out, "(%s %s ", WORDS[s->u.function.function->kind], s->u.function.function->name);
        dump_function(s->u.function.function, indent, out);
        break;
    case STMT_SAMPLE:
        buf_add(out, s->u.sample.role == ROLE_LATENT ? "(~ latent " : "(~ observed ");
        dump_target(&s->u.sample.target, indent, out);
        dump_exprs((Expr *const *)&s->u.sample.dist, 1, indent, out);
        break;
    case STMT_OBSERVE:
        buf_add(out, "(observe");
        dump_exprs((Expr *const[]){s->u.observe.value, s->u.observe.dist}, 2, indent, out);
        break;
    case STMT_PLATE:
        buf_add(out, "(plate");
        for (int i = 0; i < s->u.plate.n; i++) {
            buf_printf(out, " (%s", s->u.plate.ranges[i].name);
            dump_exprs((Expr *const *)&s->u.plate.ranges[i].range, 1, indent, out);
            buf_add_char(out, ')');
        }
        dump_block(s->u.plate.body, indent, out);
        break;
    case STMT_FOR:
        buf_printf(out, "(for %s", s->u.for_.name);
        dump_exprs((Expr *const *)&s->u.for_.over, 1, indent, out);
        dump_block(s->u.for_.body, indent, out);
        break;
    case STMT_WHILE:
        buf_add(out, "(while");
        dump_exprs((Expr *const *)&s->u.while_.condition, 1, indent, out);
        dump_block(s->u.while_.body, indent, out);
        break;
    case STMT_IF:
        buf_add(out, "(if");
        dump_exprs((Expr *const *)&s->u.if_.condition, 1, indent, out);
        dump_block(s->u.if_.then, indent, out);
        if (s->u.if_.otherwise)
            dump_block(s->u.if_.otherwise, indent, out);
        break;
    case STMT_REFINE:
        buf_add(out, "(refine ");
        dump_targets(s->u.refine.targets, s->u.refine.ntargets, indent, out);
        buf_printf(out, " (%s", s->u.refine.name);
        dump_exprs((Expr *const *)&s->u.refine.over, 1, indent, out);
        buf_add_char(out, ')');
        dump_block(s->u.refine.body, indent, out);
        break;
    case STMT_IMPORT:
        buf_add(out, "(import ");
        buf_add_json_string(out, s->u.import.path);
        break;
    }
    buf_add_char(out, ')');
}

static void dump_block(const Block *b, int indent, Buf *out) {
    buf_printf(out, "\n%*s(do", 4 * (indent + 1), "");
    for (int i = 0; i < b->n; i++) {
        buf_printf(out, "\n%*s", 4 * (indent + 2), "");
        dump_stmt(b->statements[i], indent + 2, out);
    }
    buf_add_char(out, ')');
}

void lang_dump(const Module *m, Buf *out) {
    buf_add(out, "");
    for (int i = 0; i < m->body->n; i++) {
        dump_stmt(m->body->statements[i], 0, out);
        buf_add_char(out, '\n');
    }
}

void lang_dump_function(const Function *f, Buf *out) {
    buf_add(out, "");
    dump_function(f, 0, out);
}
