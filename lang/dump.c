#include "lang/dump.h"

#include <math.h>

#include "lang/lang.h"

static void dump_block(const Block *b, int indent, Buf *out);
static void dump_expr(const Expr *e, int indent, Buf *out);

/* Behind a word, or another expression. */
static void dump_next(const Expr *e, int indent, Buf *out) {
    buf_add_char(out, ' ');
    dump_expr(e, indent, out);
}

static void dump_exprs(Expr *const *list, int n, int indent, Buf *out) {
    for (int i = 0; i < n; i++)
        dump_next(list[i], indent, out);
}

static void dump_pair(const char *word, const Expr *a, const Expr *b, int indent, Buf *out) {
    buf_printf(out, "(%s", word);
    dump_next(a, indent, out);
    dump_next(b, indent, out);
}

static void dump_type(const Type *t, int indent, Buf *out) {
    buf_printf(out, "(: %s", lang_type_name(t->kind));
    if (t->low) {
        buf_add_char(out, ' ');
        dump_pair("bounds", t->low, t->high, indent, out);
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
            dump_next(p->default_value, indent, out);
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
        dump_next(f->with, indent, out);
        buf_add_char(out, ')');
    }
    if (f->expr)
        dump_next(f->expr, indent, out);
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
        dump_next(a->value, indent, out);
    }
    buf_add_char(out, ')');
}

static void dump_if(const Expr *condition, const Block *then, const Block *otherwise, int indent, Buf *out) {
    buf_add(out, "(if");
    dump_next(condition, indent, out);
    dump_block(then, indent, out);
    if (otherwise)
        dump_block(otherwise, indent, out);
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
        dump_next(e->u.unary.operand, indent, out);
        break;
    case EXPR_BINARY:
        dump_pair(lang_binary_text(e->u.binary.op), e->u.binary.left, e->u.binary.right, indent, out);
        break;
    case EXPR_RANGE:
        dump_pair("..", e->u.range.first, e->u.range.last, indent, out);
        break;
    case EXPR_INDEX:
        buf_add(out, "(index");
        dump_next(e->u.index.base, indent, out);
        dump_exprs(e->u.index.indices, e->u.index.n, indent, out);
        break;
    case EXPR_FIELD:
        buf_add(out, "(field");
        dump_next(e->u.field.base, indent, out);
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
            dump_next(e->u.record.values[i], indent, out);
            buf_add_char(out, ')');
        }
        break;
    case EXPR_LAMBDA:
        buf_add(out, "(-> ");
        dump_function(e->u.lambda, indent, out);
        break;
    case EXPR_IF:
        dump_if(e->u.if_.condition, e->u.if_.then, e->u.if_.otherwise, indent, out);
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
        dump_next(value, indent, out);
}

static void dump_plate(const Stmt *s, int indent, Buf *out) {
    buf_add(out, "(plate");
    for (int i = 0; i < s->u.plate.n; i++) {
        buf_printf(out, " (%s", s->u.plate.ranges[i].name);
        dump_next(s->u.plate.ranges[i].range, indent, out);
        buf_add_char(out, ')');
    }
    dump_block(s->u.plate.body, indent, out);
}

static void dump_refine(const Stmt *s, int indent, Buf *out) {
    buf_add(out, "(refine ");
    dump_targets(s->u.refine.targets, s->u.refine.ntargets, indent, out);
    buf_printf(out, " (%s", s->u.refine.name);
    dump_next(s->u.refine.over, indent, out);
    buf_add_char(out, ')');
    dump_block(s->u.refine.body, indent, out);
}

/* The target and what comes to it. */
static void dump_bound(const char *word, const Target *t, const Expr *e, int indent, Buf *out) {
    buf_printf(out, "(%s ", word);
    dump_target(t, indent, out);
    dump_next(e, indent, out);
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
            dump_next(s->u.expr, indent, out);
        break;
    case STMT_ASSIGN: case STMT_RECORD:
        dump_bound(s->kind == STMT_ASSIGN ? "=" : ":=", &s->u.assign.target, s->u.assign.value, indent, out);
        break;
    case STMT_UNPACK:
        buf_add(out, "(= ");
        dump_targets(s->u.unpack.targets, s->u.unpack.n, indent, out);
        dump_next(s->u.unpack.value, indent, out);
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
        dump_bound(s->u.sample.role == ROLE_LATENT ? "~ latent" : "~ observed", &s->u.sample.target, s->u.sample.dist, indent, out);
        break;
    case STMT_OBSERVE:
        dump_pair("observe", s->u.observe.value, s->u.observe.dist, indent, out);
        break;
    case STMT_PLATE:
        dump_plate(s, indent, out);
        break;
    case STMT_FOR:
        buf_printf(out, "(for %s", s->u.for_.name);
        dump_next(s->u.for_.over, indent, out);
        dump_block(s->u.for_.body, indent, out);
        break;
    case STMT_WHILE:
        buf_add(out, "(while");
        dump_next(s->u.while_.condition, indent, out);
        dump_block(s->u.while_.body, indent, out);
        break;
    case STMT_IF:
        dump_if(s->u.if_.condition, s->u.if_.then, s->u.if_.otherwise, indent, out);
        break;
    case STMT_REFINE:
        dump_refine(s, indent, out);
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
