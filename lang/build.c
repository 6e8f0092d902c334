#include "lang/build.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/strings.h"

static int max2(int a, int b) { return a > b ? a : b; }
static int depth_expr(const Expr *e) { return e ? e->depth : 0; }
static int depth_block(const Block *b) { return b ? b->depth : 0; }
static int depth2(const Expr *a, const Expr *b) { return max2(depth_expr(a), depth_expr(b)); }

/* The depth above one of `inner`. Too deep: reported once; such a tree is never walked. */
static uint16_t one_deeper(Parser *p, int inner, Span at) {
    if (inner < PARSER_MAX_DEPTH)
        return (uint16_t)(inner + 1);
    if (!p->too_deep)
        parser_error(p, at, "give parts of it names", "this is nested too deeply");
    p->too_deep = true;
    return 0;
}

#define SIZE_WITH(Node, member) (offsetof(Node, u) + sizeof((Node *)NULL)->u.member)
static const uint8_t EXPR_SIZES[] = {
    [EXPR_NUMBER] = SIZE_WITH(Expr, number), [EXPR_STRING] = SIZE_WITH(Expr, string),
    [EXPR_BOOL] = SIZE_WITH(Expr, boolean), [EXPR_MISSING] = SIZE_WITH(Expr, boolean),
    [EXPR_NAME] = SIZE_WITH(Expr, name), [EXPR_UNARY] = SIZE_WITH(Expr, unary),
    [EXPR_BINARY] = SIZE_WITH(Expr, binary), [EXPR_RANGE] = SIZE_WITH(Expr, range),
    [EXPR_CALL] = SIZE_WITH(Expr, call), [EXPR_INDEX] = SIZE_WITH(Expr, index),
    [EXPR_FIELD] = SIZE_WITH(Expr, field), [EXPR_ARRAY] = SIZE_WITH(Expr, list),
    [EXPR_NUMBERS] = SIZE_WITH(Expr, numbers), [EXPR_TUPLE] = SIZE_WITH(Expr, list),
    [EXPR_RECORD] = SIZE_WITH(Expr, record), [EXPR_LAMBDA] = SIZE_WITH(Expr, lambda), [EXPR_IF] = SIZE_WITH(Expr, if_),
};
static const uint8_t STMT_SIZES[] = {
    [STMT_EXPR] = SIZE_WITH(Stmt, expr), [STMT_ASSIGN] = SIZE_WITH(Stmt, assign), [STMT_UNPACK] = SIZE_WITH(Stmt, unpack),
    [STMT_DATA] = SIZE_WITH(Stmt, data), [STMT_FUNCTION] = SIZE_WITH(Stmt, function),
    [STMT_SAMPLE] = SIZE_WITH(Stmt, sample), [STMT_OBSERVE] = SIZE_WITH(Stmt, observe),
    [STMT_RECORD] = SIZE_WITH(Stmt, assign), [STMT_FACTOR] = SIZE_WITH(Stmt, expr), [STMT_PARAM] = SIZE_WITH(Stmt, param),
    [STMT_PLATE] = SIZE_WITH(Stmt, plate), [STMT_FOR] = SIZE_WITH(Stmt, for_), [STMT_WHILE] = SIZE_WITH(Stmt, while_),
    [STMT_IF] = SIZE_WITH(Stmt, if_), [STMT_REFINE] = SIZE_WITH(Stmt, refine), [STMT_DIST] = SIZE_WITH(Stmt, dist),
    [STMT_IMPORT] = SIZE_WITH(Stmt, import), [STMT_RETURN] = SIZE_WITH(Stmt, expr),
};

/* What the tree does not need after all is the next node of its kind. */
static void give_back(Parser *p, Expr *e) { p->spare[e->kind] = e; }

static Expr *new_expr(Parser *p, ExprKind kind, int inner, Span span) {
    Expr *e = p->spare[kind];
    if (e)
        memset(e, 0, EXPR_SIZES[kind]);
    else
        e = arena_alloc(p->arena, EXPR_SIZES[kind]);
    p->spare[kind] = NULL;
    e->kind = kind;
    e->depth = one_deeper(p, inner, span);
    e->span = span;
    return e;
}

static Stmt *new_stmt(Parser *p, StmtKind kind, int inner, Span span) {
    Stmt *s = arena_alloc(p->arena, STMT_SIZES[kind]);
    s->kind = kind;
    s->depth = one_deeper(p, inner, span);
    s->span = span;
    return s;
}

/* -- Lists -- */

List *build_list(Parser *p, List *list, const void *item, size_t size) { return list_add(&p->lists, list, item, size); }

/* The items where the tree lives. */
static void *take(Parser *p, List *list, int *n) { return list_take(&p->lists, list, p->arena, n); }

/* Nodes of the numbers that were kept as such. What is said of an array is said of the whole of it: their places are gone. */
static List *list_of_nodes(Parser *p, List *literals, Span at) {
    int n;
    const double *numbers = list_take(&p->lists, literals, p->scratch, &n);
    List *list = NULL;
    for (int i = 0; i < n; i++) {
        Expr *e = build_number(p, numbers[i], at);
        list = build_list(p, list, &e, sizeof e);
    }
    return list;
}

List *build_items(Parser *p, List *items, Expr *item) {
    if (item->kind == EXPR_NUMBER && (!items || items->literals)) {
        items = build_list(p, items, &item->u.number, sizeof item->u.number);
        items->literals = true;
        give_back(p, item);
        return items;
    }
    if (items && items->literals)
        items = list_of_nodes(p, items, item->span);
    return build_list(p, items, &item, sizeof item);
}

static int depth_exprs(Expr *const *list, int n) {
    int depth = 0;
    for (int i = 0; i < n; i++)
        depth = max2(depth, depth_expr(list[i]));
    return depth;
}

static int depth_arguments(const Argument *list, int n) {
    int depth = 0;
    for (int i = 0; i < n; i++)
        depth = max2(depth, depth_expr(list[i].value));
    return depth;
}

Block *build_block(Parser *p, List *statements, Span span) {
    Block *b = ARENA_NEW(p->arena, Block);
    b->statements = take(p, statements, &b->n);
    b->span = span;
    for (int i = 0; i < b->n; i++)
        b->depth = max2(b->depth, b->statements[i]->depth);
    return b;
}

static Block *block_of_one(Parser *p, Stmt *s) {
    return build_block(p, build_list(p, NULL, &s, sizeof s), s->span);
}

/* -- Expressions -- */
Expr *build_number(Parser *p, double number, Span span) {
    Expr *e = new_expr(p, EXPR_NUMBER, 0, span);
    e->u.number = number;
    return e;
}

Expr *build_string(Parser *p, Word string) {
    Expr *e = new_expr(p, EXPR_STRING, 0, string.span);
    e->u.string.text = string.text;
    e->u.string.length = strlen(string.text);
    return e;
}

Expr *build_bool(Parser *p, bool value, Span span) {
    Expr *e = new_expr(p, EXPR_BOOL, 0, span);
    e->u.boolean = value;
    return e;
}

Expr *build_missing(Parser *p, Span span) { return new_expr(p, EXPR_MISSING, 0, span); }

Expr *build_name(Parser *p, Word name) {
    Expr *e = new_expr(p, EXPR_NAME, 0, name.span);
    e->u.name.name = name.text;
    return e;
}

Expr *build_unary(Parser *p, UnaryOp op, Expr *operand, Span span) {
    if (op == UNARY_NEG && operand->kind == EXPR_NUMBER && !signbit(operand->u.number)) {
        operand->u.number = -operand->u.number;
        operand->span = span;
        operand->depth = one_deeper(p, operand->depth, span);
        return operand;
    }
    Expr *e = new_expr(p, EXPR_UNARY, depth_expr(operand), span);
    e->u.unary.op = op;
    e->u.unary.operand = operand;
    return e;
}

Expr *build_binary(Parser *p, BinaryOp op, Expr *left, Expr *right, Span span) {
    Expr *e = new_expr(p, EXPR_BINARY, depth2(left, right), span);
    e->u.binary.op = op;
    e->u.binary.left = left;
    e->u.binary.right = right;
    return e;
}

Expr *build_range(Parser *p, Expr *first, Expr *last, Span span) {
    Expr *e = new_expr(p, EXPR_RANGE, depth2(first, last), span);
    e->u.range.first = first;
    e->u.range.last = last;
    return e;
}

Expr *build_call(Parser *p, Expr *callee, List *arguments, Span span) {
    int n;
    Argument *list = take(p, arguments, &n);
    Expr *e = new_expr(p, EXPR_CALL, max2(depth_expr(callee), depth_arguments(list, n)), span);
    e->u.call.callee = callee;
    e->u.call.arguments = list;
    e->u.call.n = n;
    return e;
}

/* a |> f(b) is f(a, b); a |> f is f(a). */
Expr *build_pipe(Parser *p, Expr *value, Expr *function, Span span) {
    Argument first = {.value = value};
    List *arguments = build_list(p, NULL, &first, sizeof first);
    Expr *callee = function;
    if (function->kind == EXPR_CALL && !function->u.call.piped) {
        for (int i = 0; i < function->u.call.n; i++)
            arguments = build_list(p, arguments, &function->u.call.arguments[i], sizeof(Argument));
        callee = function->u.call.callee;
    } else if (function->kind != EXPR_NAME && function->kind != EXPR_FIELD && function->kind != EXPR_INDEX &&
               function->kind != EXPR_LAMBDA && function->kind != EXPR_IF) {
        parser_error(p, function->span, "a |> f(b) is f(a, b), and a |> f is f(a)",
                     "expected a function or a call on the right of |>");
    }
    Expr *e = build_call(p, callee, arguments, span);
    e->u.call.piped = true;
    return e;
}

Expr *build_index(Parser *p, Expr *base, List *indices, Span span) {
    int n;
    Expr **list = take(p, indices, &n);
    Expr *e = new_expr(p, EXPR_INDEX, max2(depth_expr(base), depth_exprs(list, n)), span);
    e->u.index.base = base;
    e->u.index.indices = list;
    e->u.index.n = n;
    return e;
}

Expr *build_field(Parser *p, Expr *base, Word name, Span span) {
    Expr *e = new_expr(p, EXPR_FIELD, depth_expr(base), span);
    e->u.field.base = base;
    e->u.field.name = name.text;
    e->u.field.name_span = name.span;
    return e;
}

static Expr *list_expr(Parser *p, ExprKind kind, List *items, Span span) {
    int n;
    Expr **list = take(p, items, &n);
    Expr *e = new_expr(p, kind, depth_exprs(list, n), span);
    e->u.list.items = list;
    e->u.list.n = n;
    return e;
}

Expr *build_array(Parser *p, List *items, Span span) {
    if (!items || !items->literals)
        return list_expr(p, EXPR_ARRAY, items, span);
    Expr *e = new_expr(p, EXPR_NUMBERS, 1, span);
    e->u.numbers.values = take(p, items, &e->u.numbers.n);
    return e;
}

Expr *build_tuple(Parser *p, Expr *first, List *rest, Span span) {
    List *items = build_list(p, NULL, &first, sizeof first);
    list_append(&p->lists, items, rest);
    return list_expr(p, EXPR_TUPLE, items, span);
}

static int compare_names(const void *a, const void *b) {
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    return (x > y) - (x < y);
}

/* One that stands twice among interned names, or NULL. */
static const char *repeated_name(Parser *p, const char *const *names, int n) {
    const char **sorted = ARENA_ARRAY(p->arena, const char *, n + 1);
    if (n) memcpy(sorted, names, sizeof *sorted * (size_t)n);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_names);
    for (int i = 1; i < n; i++)
        if (sorted[i] == sorted[i - 1]) return sorted[i];
    return NULL;
}

Expr *build_record(Parser *p, List *fields, Span span) {
    int n;
    const Argument *list = take(p, fields, &n);
    Expr *e = new_expr(p, EXPR_RECORD, depth_arguments(list, n), span);
    e->u.record.names = ARENA_ARRAY(p->arena, const char *, n);
    e->u.record.values = ARENA_ARRAY(p->arena, Expr *, n);
    e->u.record.n = n;
    for (int i = 0; i < n; i++) {
        e->u.record.names[i] = list[i].name;
        e->u.record.values[i] = list[i].value;
    }
    const char *twice = repeated_name(p, e->u.record.names, n);
    for (int i = n - 1; twice && i >= 0; i--)
        if (e->u.record.names[i] == twice) {
            parser_error(p, list[i].name_span, NULL, "the record has two fields %s", twice);
            break;
        }
    return e;
}

Expr *build_lambda(Parser *p, Expr *parameters, Expr *body, Span span) {
    bool tuple = parameters && parameters->kind == EXPR_TUPLE;
    Expr **names = tuple ? parameters->u.list.items : &parameters;
    int n = tuple ? parameters->u.list.n : parameters != NULL;
    List *params = NULL;
    for (int i = 0; i < n; i++) {
        if (names[i]->kind != EXPR_NAME)
            parser_error(p, names[i]->span, "x -> x ^ 2, (a, b) -> a + b, () -> 1",
                         "expected the name of a parameter on the left of ->");
        Param param = {.name = names[i]->kind == EXPR_NAME ? names[i]->u.name.name : "", .span = names[i]->span};
        params = build_list(p, params, &param, sizeof param);
    }
    Expr *e = new_expr(p, EXPR_LAMBDA, depth_expr(body), span);
    Function *f = e->u.lambda = ARENA_NEW(p->arena, Function);
    *f = (Function){.kind = FUNCTION_LAMBDA, .name = "<lambda>", .span = span, .expr = body};
    f->params = take(p, params, &f->nparams);
    return e;
}

static int depth_if(const Expr *condition, const Block *then, const Block *otherwise) {
    return max2(depth_expr(condition), max2(depth_block(then), depth_block(otherwise)));
}

Expr *build_if_expression(Parser *p, Expr *condition, Block *then, Block *otherwise, Span span) {
    Expr *e = new_expr(p, EXPR_IF, depth_if(condition, then, otherwise), span);
    e->u.if_.condition = condition;
    e->u.if_.then = then;
    e->u.if_.otherwise = otherwise;
    return e;
}

/* `else if ...` of an expression is a block of that one expression. */
Block *build_branch(Parser *p, Expr *e) { return block_of_one(p, build_statement(p, STMT_EXPR, e, e->span)); }

/* -- Types -- */
Type *build_type(Parser *p, Word name, Bounds bounds, List *sizes, Span span) {
    Type *type = ARENA_NEW(p->arena, Type);
    *type = (Type){.kind = TYPE_ANY, .span = span, .low = bounds.low, .high = bounds.high};
    type->sizes = take(p, sizes, &type->nsizes);
    const char *names[TYPE_CORR_CHOLESKY];
    for (int k = TYPE_REAL; k <= TYPE_CORR_CHOLESKY; k++) {
        names[k - 1] = lang_type_name((TypeKind)k);
        if (strcmp(name.text, names[k - 1]) == 0)
            type->kind = (TypeKind)k;
    }
    if (type->kind == TYPE_ANY) {
        const char *near = nearest_name(name.text, names, TYPE_CORR_CHOLESKY);
        parser_error(p, name.span,
                     near ? arena_printf(p->arena, "did you mean %s?", near)
                          : "the types are real, int, bool, positive, unit, simplex, ordered, cov, corr_cholesky",
                     "expected a type, found %s", name.text);
    } else if (bounds.low && type->kind != TYPE_REAL && type->kind != TYPE_INT) {
        parser_error(p, bounds.low->span, "bounds belong to real(low, high) and int(low, high)",
                     "the type %s has no bounds", name.text);
    }
    return type;
}

static int depth_type(const Type *t) {
    if (!t)
        return 0;
    return max2(depth2(t->low, t->high), depth_exprs(t->sizes, t->nsizes));
}

/* -- Statements -- */
Stmt *build_statement(Parser *p, StmtKind kind, Expr *e, Span span) {
    Stmt *s = new_stmt(p, kind, depth_expr(e), span);
    s->u.expr = e;
    return s;
}

static const char *target_hint(const Expr *e) {
    switch (e->kind) {
    case EXPR_FIELD: return "a record is not changed in place: build a new one, r = {mu: 1, sd: 2}";
    case EXPR_CALL: return "a function is written fn f(x) = ...";
    default: return "a value is observed by `observe value ~ D`";
    }
}

static Target target_of(Parser *p, Expr *e) {
    Expr *base = e->kind == EXPR_INDEX ? e->u.index.base : e;
    Target t = {.span = e->span};
    if (base->kind != EXPR_NAME) {
        parser_error(p, e->span, target_hint(base), "expected a name, or a name with indices, on the left");
        return t;
    }
    t.name = base->u.name.name;
    if (e->kind == EXPR_INDEX) {
        t.indices = e->u.index.indices;
        t.nindices = e->u.index.n;
        give_back(p, e);
    }
    give_back(p, base);
    return t;
}

static Target *targets_of(Parser *p, const Expr *tuple) {
    Target *targets = ARENA_ARRAY(p->arena, Target, tuple->u.list.n);
    for (int i = 0; i < tuple->u.list.n; i++)
        targets[i] = target_of(p, tuple->u.list.items[i]);
    return targets;
}

Stmt *build_assign(Parser *p, StmtKind kind, Expr *target, Expr *value, Span span) {
    bool unpack = kind == STMT_ASSIGN && target->kind == EXPR_TUPLE;
    Stmt *s = new_stmt(p, unpack ? STMT_UNPACK : kind, depth2(target, value), span);
    if (unpack) {
        s->u.unpack.targets = targets_of(p, target);
        s->u.unpack.n = target->u.list.n;
        s->u.unpack.value = value;
    } else {
        s->u.assign.target = target_of(p, target);
        s->u.assign.value = value;
    }
    return s;
}

Stmt *build_sample(Parser *p, Expr *target, Expr *dist, Span span) {
    Stmt *s = new_stmt(p, STMT_SAMPLE, depth2(target, dist), span);
    s->u.sample.target = target_of(p, target);
    s->u.sample.dist = dist;
    return s;
}

Stmt *build_observe(Parser *p, Expr *value, Expr *dist, Span span) {
    Stmt *s = new_stmt(p, STMT_OBSERVE, depth2(value, dist), span);
    s->u.observe.value = value;
    s->u.observe.dist = dist;
    return s;
}

Stmt *build_data(Parser *p, Word name, Type *type, Expr *default_value, Span span) {
    Stmt *s = new_stmt(p, STMT_DATA, max2(depth_type(type), depth_expr(default_value)), span);
    s->u.data.name = name.text;
    s->u.data.name_span = name.span;
    s->u.data.type = type;
    s->u.data.default_value = default_value;
    return s;
}

Stmt *build_param(Parser *p, Word name, Type *type, Expr *init, Span span) {
    Stmt *s = new_stmt(p, STMT_PARAM, max2(depth_type(type), depth_expr(init)), span);
    s->u.param.name = name.text;
    s->u.param.name_span = name.span;
    s->u.param.type = type;
    s->u.param.init = init;
    return s;
}

Stmt *build_plate(Parser *p, List *ranges, Block *body, Span span) {
    int n, depth = depth_block(body);
    PlateRange *list = take(p, ranges, &n);
    for (int i = 0; i < n; i++)
        depth = max2(depth, depth_expr(list[i].range));
    Stmt *s = new_stmt(p, STMT_PLATE, depth, span);
    s->u.plate.ranges = list;
    s->u.plate.n = n;
    s->u.plate.body = body;
    return s;
}

Stmt *build_for(Parser *p, Word name, Expr *over, Block *body, Span span) {
    Stmt *s = new_stmt(p, STMT_FOR, max2(depth_expr(over), depth_block(body)), span);
    s->u.for_.name = name.text;
    s->u.for_.name_span = name.span;
    s->u.for_.over = over;
    s->u.for_.body = body;
    return s;
}

Stmt *build_while(Parser *p, Expr *condition, Block *body, Span span) {
    Stmt *s = new_stmt(p, STMT_WHILE, max2(depth_expr(condition), depth_block(body)), span);
    s->u.while_.condition = condition;
    s->u.while_.body = body;
    return s;
}

Stmt *build_refine(Parser *p, Expr *targets, Word name, Expr *over, Block *body, Span span) {
    Stmt *s = new_stmt(p, STMT_REFINE, max2(depth2(targets, over), depth_block(body)), span);
    bool tuple = targets->kind == EXPR_TUPLE;
    Target one = tuple ? (Target){.name = NULL} : target_of(p, targets);
    s->u.refine.targets = tuple ? targets_of(p, targets) : arena_copy(p->arena, &one, sizeof one);
    s->u.refine.ntargets = tuple ? targets->u.list.n : 1;
    for (int i = 0; i < s->u.refine.ntargets; i++)
        if (s->u.refine.targets[i].nindices > 0)
            parser_error(p, s->u.refine.targets[i].span, "give the element a name of its own before `refine`",
                         "expected names behind `refine`, without indices");
    s->u.refine.name = name.text;
    s->u.refine.over = over;
    s->u.refine.body = body;
    return s;
}

Stmt *build_import(Parser *p, Word path, Span span) {
    Stmt *s = new_stmt(p, STMT_IMPORT, 0, span);
    s->u.import.path = path.text;
    return s;
}

Stmt *build_if(Parser *p, Expr *condition, Block *then, Block *otherwise, Span span) {
    Stmt *s = new_stmt(p, STMT_IF, depth_if(condition, then, otherwise), span);
    s->u.if_.condition = condition;
    s->u.if_.then = then;
    s->u.if_.otherwise = otherwise;
    return s;
}

Block *build_else_if(Parser *p, Expr *condition, Block *then, Block *otherwise, Span span) {
    return block_of_one(p, build_if(p, condition, then, otherwise, span));
}

/* -- Functions -- */
static Function *new_function(Parser *p, FunctionKind kind, Word name, List *params, Body body, Span head) {
    Function *f = ARENA_NEW(p->arena, Function);
    *f = (Function){.kind = kind, .name = name.text, .span = head, .expr = body.expr, .body = body.block};
    f->params = take(p, params, &f->nparams);
    for (int i = 0; i < f->nparams; i++)
        if (f->params[i].type)
            parser_error(p, f->params[i].type->span, "types belong to `data`, `param` and the parameters of a `dist`",
                         "the parameter %s of %s cannot have a type", f->params[i].name, f->name);
    return f;
}

static int depth_function(const Function *f) {
    int depth = max2(depth2(f->expr, f->with), depth_block(f->body));
    for (int i = 0; i < f->nparams; i++)
        depth = max2(depth, depth_expr(f->params[i].default_value));
    return depth;
}

static Stmt *function_statement(Parser *p, Function *f, Span span) {
    Stmt *s = new_stmt(p, STMT_FUNCTION, depth_function(f), span);
    s->u.function.function = f;
    return s;
}

Stmt *build_function(Parser *p, FunctionKind kind, Word name, List *params, Body body, Span head, Span span) {
    return function_statement(p, new_function(p, kind, name, params, body, head), span);
}

Stmt *build_guide(Parser *p, Word name, List *params, Word model, Expr *with, Body body, Span head,
                  Span span) {
    Function *f = new_function(p, FUNCTION_GUIDE, name, params, body, head);
    f->model_name = model.text;
    f->model_span = model.span;
    f->with = with;
    if (!f->body) {
        if (!with)
            parser_error(p, span, "guide q for m { ... }, or guide q for m with auto_normal()",
                         "the guide %s has no body", f->name);
        f->body = build_block(p, NULL, span);
    }
    return function_statement(p, f, span);
}

Function *build_member(Parser *p, Word name, List *params, Body body, Span head) {
    return new_function(p, FUNCTION_MEMBER, name, params, body, head);
}

Stmt *build_dist(Parser *p, Word name, List *params, Type *support, List *members, Span head, Span span) {
    DistDecl *d = ARENA_NEW(p->arena, DistDecl);
    *d = (DistDecl){.name = name.text, .span = head, .support = support};
    d->params = take(p, params, &d->nparams);
    d->members = take(p, members, &d->nmembers);
    int depth = depth_type(support);
    for (int i = 0; i < d->nparams; i++)
        depth = max2(depth, max2(depth_expr(d->params[i].default_value), depth_type(d->params[i].type)));
    for (int i = 0; i < d->nmembers; i++)
        depth = max2(depth, depth_function(d->members[i]));
    Stmt *s = new_stmt(p, STMT_DIST, depth, span);
    s->u.dist.decl = d;
    return s;
}
