/* Which statement may stand where. */
#include "lang/resolve.h"

static FunctionKind kind_here(const Resolver *r) {
    return r->frame->function ? r->frame->function->kind : FUNCTION_MEMBER; /* else the head of a dist */
}

static const char *kind_text(FunctionKind kind) {
    switch (kind) {
    case FUNCTION_FN: return "in a function (fn)";
    case FUNCTION_NET: return "in a net";
    case FUNCTION_MODEL: return "in a model";
    case FUNCTION_GUIDE: return "in a guide";
    case FUNCTION_LAMBDA: return "in a function (->)";
    case FUNCTION_MEMBER: return "in a member of a dist";
    }
    return "";
}

static const char *place_text(const Resolver *r) { return r->frame ? kind_text(kind_here(r)) : "at the top level"; }

static bool in_kind(const Resolver *r, FunctionKind a, FunctionKind b) {
    return r->frame && r->frame->function && (kind_here(r) == a || kind_here(r) == b);
}

static void check_return(Resolver *r, const Stmt *s) {
    if (!r->frame || kind_here(r) == FUNCTION_LAMBDA)
        resolve_error(r, s->span, "the value of an expression is its last line", "`return` stands %s; it belongs "
                      "to functions with a name", place_text(r));
    else if (r->scope->plate)
        resolve_error(r, s->span, "return behind the plate; a condition selects with if",
                      "`return` cannot leave the plate %s", r->scope->plate->u.plate.ranges[0].name);
}

static void check_plate(Resolver *r, const Stmt *s) {
    const PlateRange *around[64];
    int n = scope_plates(r->scope, around, 64);
    if (n + s->u.plate.n > 64) {
        resolve_error(r, s->span, NULL, "there are more than 64 plates inside one another");
        return;
    }
    for (int i = 0; i < s->u.plate.n; i++) {
        const PlateRange *p = &s->u.plate.ranges[i];
        bool twice = false;
        for (int k = 0; k < n; k++)
            twice |= around[k]->name == p->name;
        for (int k = 0; k < i; k++)
            twice |= s->u.plate.ranges[k].name == p->name;
        if (twice)
            resolve_error(r, p->span, "give one of them another name", "the plate %s stands inside a plate %s", p->name,
                          p->name);
    }
}

void check_place(Resolver *r, const Stmt *s) {
    switch (s->kind) {
    case STMT_DATA: case STMT_DIST: case STMT_IMPORT:
        if (r->frame || r->scope->plate || r->nesting > 1)
            resolve_error(r, s->span, s->kind == STMT_DATA ? "a function takes what it needs as arguments" : NULL,
                          "`%s` belongs to the top level of a file",
                          s->kind == STMT_DATA ? "data" : s->kind == STMT_DIST ? "dist" : "import");
        break;
    case STMT_SAMPLE:
        if (!in_kind(r, FUNCTION_MODEL, FUNCTION_GUIDE))
            resolve_error(r, s->span,
                          r->frame ? "make it a model, and draw from it with ~; or take a number with draw(D)"
                                   : "put it into a model: model m { ... }; or take a number with x = draw(D)",
                          "`~` stands %s; it belongs to models and guides", place_text(r));
        break;
    case STMT_OBSERVE: case STMT_FACTOR: {
        const char *word = s->kind == STMT_OBSERVE ? "observe" : "factor";
        if (in_kind(r, FUNCTION_GUIDE, FUNCTION_GUIDE))
            resolve_error(r, s->span, "it belongs to the model", "a guide observes nothing: `%s` stands in the guide %s",
                          word, r->frame->function->name);
        else if (!in_kind(r, FUNCTION_MODEL, FUNCTION_MODEL))
            resolve_error(r, s->span, NULL, "`%s` stands %s; it belongs to models", word, place_text(r));
        break;
    }
    case STMT_RECORD:
        if (!in_kind(r, FUNCTION_MODEL, FUNCTION_GUIDE))
            resolve_error(r, s->span, "a name is bound by =", "`:=` stands %s; it belongs to models and guides",
                          place_text(r));
        break;
    case STMT_PARAM:
        if (!in_kind(r, FUNCTION_MODEL, FUNCTION_GUIDE) && !in_kind(r, FUNCTION_NET, FUNCTION_NET))
            resolve_error(r, s->span, in_kind(r, FUNCTION_FN, FUNCTION_FN) ? "write net instead of fn" : NULL,
                          "`param` stands %s; it belongs to nets, guides and models", place_text(r));
        break;
    case STMT_REFINE:
        if (!in_kind(r, FUNCTION_GUIDE, FUNCTION_GUIDE) && !in_kind(r, FUNCTION_NET, FUNCTION_NET))
            resolve_error(r, s->span, "an ordinary loop is written for t in 1..K { ... }",
                          "`refine` stands %s; it belongs to guides and the nets that they call", place_text(r));
        break;
    case STMT_RETURN:
        check_return(r, s);
        break;
    case STMT_PLATE:
        check_plate(r, s);
        break;
    case STMT_EXPR: case STMT_ASSIGN: case STMT_UNPACK: case STMT_FOR: case STMT_WHILE: case STMT_IF:
    case STMT_FUNCTION:
        break;
    }
}

static bool gives_value(const Block *b) {
    const Stmt *last = b->n > 0 ? b->statements[b->n - 1] : NULL;
    if (!last)
        return false;
    if (last->kind == STMT_IF)
        return last->u.if_.otherwise && gives_value(last->u.if_.then) && gives_value(last->u.if_.otherwise);
    return last->kind == STMT_EXPR || last->kind == STMT_RETURN;
}

void check_gives_value(Resolver *r, const Block *branch) {
    if (!gives_value(branch))
        resolve_error(r, branch->n > 0 ? branch->statements[branch->n - 1]->span : branch->span,
                      "its last line is an expression", "this branch of an `if` that is used as a value gives none");
}
