#include "infer/program_tree.h"

#include <string.h>

/* What is looked for; `found` ends the search. */
typedef struct Search {
    int slot;            /* a global, or -1 */
    const char *builtin; /* or NULL */
    bool found;
} Search;

static void in_block(Search *s, const Block *b);
static void in_function(Search *s, const Function *f);

static void in_name(Search *s, const char *name, Ref ref) {
    if (ref.kind == REF_GLOBAL && ref.slot == s->slot) s->found = true;
    if (ref.kind == REF_BUILTIN && s->builtin && strcmp(name, s->builtin) == 0) s->found = true;
}

static void in_expr(Search *s, const Expr *e);

static void in_exprs(Search *s, Expr *const *list, int n) {
    for (int k = 0; k < n; k++) in_expr(s, list[k]);
}

static void in_expr(Search *s, const Expr *e) {
    if (!e || s->found) return;
    switch (e->kind) {
    case EXPR_NUMBER:
    case EXPR_NUMBERS:
    case EXPR_STRING:
    case EXPR_BOOL:
    case EXPR_MISSING: return;
    case EXPR_NAME: in_name(s, e->u.name.name, e->u.name.ref); return;
    case EXPR_UNARY: in_expr(s, e->u.unary.operand); return;
    case EXPR_BINARY: in_expr(s, e->u.binary.left), in_expr(s, e->u.binary.right); return;
    case EXPR_RANGE: in_expr(s, e->u.range.first), in_expr(s, e->u.range.last); return;
    case EXPR_CALL:
        in_expr(s, e->u.call.callee);
        for (int k = 0; k < e->u.call.n; k++) in_expr(s, e->u.call.arguments[k].value);
        return;
    case EXPR_INDEX: in_expr(s, e->u.index.base), in_exprs(s, e->u.index.indices, e->u.index.n); return;
    case EXPR_FIELD: in_expr(s, e->u.field.base); return;
    case EXPR_ARRAY:
    case EXPR_TUPLE: in_exprs(s, e->u.list.items, e->u.list.n); return;
    case EXPR_RECORD: in_exprs(s, e->u.record.values, e->u.record.n); return;
    case EXPR_LAMBDA: in_function(s, e->u.lambda); return;
    case EXPR_IF: in_expr(s, e->u.if_.condition), in_block(s, e->u.if_.then), in_block(s, e->u.if_.otherwise); return;
    }
}

static void in_target(Search *s, const Target *t, bool reads) {
    if (reads) in_name(s, t->name, t->ref);
    in_exprs(s, t->indices, t->nindices);
}

static void in_type(Search *s, const Type *t) {
    if (!t) return;
    in_expr(s, t->low), in_expr(s, t->high), in_exprs(s, t->sizes, t->nsizes);
}

static void in_stmt(Search *s, const Stmt *t) {
    if (s->found) return;
    switch (t->kind) {
    case STMT_EXPR:
    case STMT_FACTOR:
    case STMT_RETURN: in_expr(s, t->u.expr); return;
    case STMT_ASSIGN:
    case STMT_RECORD: in_target(s, &t->u.assign.target, false), in_expr(s, t->u.assign.value); return;
    case STMT_UNPACK: in_expr(s, t->u.unpack.value); return;
    case STMT_DATA: in_type(s, t->u.data.type), in_expr(s, t->u.data.default_value); return;
    case STMT_FUNCTION: in_function(s, t->u.function.function); return;
    case STMT_SAMPLE: in_target(s, &t->u.sample.target, true), in_expr(s, t->u.sample.dist); return;
    case STMT_OBSERVE: in_expr(s, t->u.observe.value), in_expr(s, t->u.observe.dist); return;
    case STMT_PARAM: in_type(s, t->u.param.type), in_expr(s, t->u.param.init); return;
    case STMT_PLATE:
        for (int k = 0; k < t->u.plate.n; k++) in_expr(s, t->u.plate.ranges[k].range);
        in_block(s, t->u.plate.body);
        return;
    case STMT_FOR: in_expr(s, t->u.for_.over), in_block(s, t->u.for_.body); return;
    case STMT_WHILE: in_expr(s, t->u.while_.condition), in_block(s, t->u.while_.body); return;
    case STMT_IF: in_expr(s, t->u.if_.condition), in_block(s, t->u.if_.then), in_block(s, t->u.if_.otherwise); return;
    case STMT_REFINE: in_expr(s, t->u.refine.over), in_block(s, t->u.refine.body); return;
    case STMT_DIST:
        for (int k = 0; k < t->u.dist.decl->nmembers; k++) in_function(s, t->u.dist.decl->members[k]);
        return;
    case STMT_IMPORT:
        if (t->u.import.module) in_block(s, t->u.import.module->body);
        return;
    }
}

static void in_block(Search *s, const Block *b) {
    for (int k = 0; b && k < b->n && !s->found; k++) in_stmt(s, b->statements[k]);
}

static void in_function(Search *s, const Function *f) {
    for (int k = 0; k < f->nparams; k++) in_expr(s, f->params[k].default_value);
    in_expr(s, f->expr);
    in_block(s, f->body);
    in_expr(s, f->with);
}

bool tree_statement_reads(const Stmt *t, int slot) {
    Search s = {.slot = slot};
    in_stmt(&s, t);
    return s.found;
}

bool tree_function_reads(const Function *f, int slot) {
    Search s = {.slot = slot};
    in_function(&s, f);
    return s.found;
}

bool tree_block_calls(const Block *b, const char *builtin) {
    Search s = {.slot = -1, .builtin = builtin};
    in_block(&s, b);
    return s.found;
}

const Global *tree_unread_data(Interp *in) {
    for (int d = 0; d < lang_globals_count(in->names); d++) {
        const Global *data = lang_global(in->names, d);
        if (data->kind != GLOBAL_DATA) continue;
        bool read = false;
        for (int k = 0; k < lang_globals_count(in->names) && !read; k++) {
            const Global *g = lang_global(in->names, k);
            if (g->kind == GLOBAL_FUNCTION && g->function) read = tree_function_reads(g->function, d);
        }
        if (!read) return data;
    }
    return NULL;
}
