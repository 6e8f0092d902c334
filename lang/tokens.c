/* The layer between Flex and Bison: which line ends separate statements, which `{` opens a block and which a record,
 * which names are keywords. It looks one token back and one ahead, and knows the open brackets. */
#include <string.h>

#include "lang/parser.h"

#include "lang/grammar.h"

Token *parser_add_token(Parser *p) {
    if (p->ntokens == p->capacity) {
        p->capacity = p->capacity ? 2 * p->capacity : 256;
        p->tokens = grown_resize(p->room, sizeof(Token) * (size_t)p->capacity);
    }
    Token *t = &p->tokens[p->ntokens++];
    *t = (Token){.kind = 0};
    return t;
}

void parser_add_misfit(Parser *p, uint32_t start, const char *message, const char *hint) {
    Misfit *m = ARENA_NEW(p->scratch, Misfit);
    *m = (Misfit){p->misfits, start, message, hint};
    p->misfits = m;
}

bool token_is(const Parser *p, const Token *t, const char *text) {
    size_t n = t->end - t->start;
    return strncmp(p->text + t->start, text, n) == 0 && text[n] == 0;
}

bool token_is_line_end(const Parser *p, const Token *t) { return t->kind == SEPARATOR && p->text[t->start] != ';'; }

bool token_ends_expression(int kind) {
    switch (kind) {
    case NAME: case NUMBER: case STRING: case TRUE_: case FALSE_: case MISSING: case ')': case ']': case '}':
        return true;
    default:
        return false;
    }
}

static bool begins_expression(int kind) {
    switch (kind) {
    case NAME: case NUMBER: case STRING: case TRUE_: case FALSE_: case MISSING: case '(': case '[': case '{':
    case '-': case NOT: case IF:
        return true;
    default:
        return false;
    }
}

/* After these a line end does not end the statement. */
static bool continues(int kind) {
    switch (kind) {
    case '=': case '~': case RECORDS: case ARROW: case PIPE: case ':': case AND: case OR: case NOT: case IN:
    case EQ: case NE: case '<': case LE: case '>': case GE: case DOTS: case '+': case '-': case '*': case '/':
    case '%': case '@': case '^': case '.': case ',': case '(': case '[': case RECORD_OPEN: case BLOCK_OPEN:
        return true;
    default:
        return false;
    }
}

/* Keywords of a form: `model m`, `import "file"`. */
static const struct { const char *name; int kind; } DECLARATIONS[] = {
    {"data", DATA}, {"fn", FN}, {"net", NET}, {"model", MODEL}, {"guide", GUIDE}, {"dist", DIST}, {"param", PARAM},
    {"plate", PLATE}, {"import", IMPORT},
};
/* Keywords where a statement begins. */
static const struct { const char *name; int kind; } EFFECTS[] = {
    {"observe", OBSERVE}, {"factor", FACTOR}, {"refine", REFINE},
};

/* A reserved word where the form wants a name: still the form, so that the message can say so. */
static bool is_reserved(int kind) {
    switch (kind) {
    case IF: case ELSE: case FOR: case WHILE: case RETURN: case TRUE_: case FALSE_: case MISSING:
        return true;
    default:
        return false;
    }
}

static int keyword_at_start(const Parser *p, const Token *t, int next) {
    for (size_t i = 0; i < sizeof DECLARATIONS / sizeof *DECLARATIONS; i++)
        if (token_is(p, t, DECLARATIONS[i].name)) {
            int kind = DECLARATIONS[i].kind;
            return kind == IMPORT ? (next == STRING ? kind : NAME) : next == NAME || is_reserved(next) ? kind : NAME;
        }
    for (size_t i = 0; i < sizeof EFFECTS / sizeof *EFFECTS; i++)
        if (token_is(p, t, EFFECTS[i].name))
            return begins_expression(next) ? EFFECTS[i].kind : NAME;
    return NAME;
}

/* -- Brackets -- */

int brackets_innermost(const Brackets *b) { return b->n > 0 ? b->open[b->n - 1] : -1; }

int brackets_block(const Parser *p, const Brackets *b) {
    for (int i = b->n - 1; i >= 0; i--)
        if (p->tokens[b->open[i]].kind == BLOCK_OPEN)
            return b->open[i];
    return -1;
}

/* A closing bracket closes the nearest of its kind; `)` and `]` do not look beyond a block. Gives the kind of what it closes. */
static int close_bracket(const Parser *p, Brackets *b, int kind) {
    for (int i = b->n - 1; i >= 0; i--) {
        int open = p->tokens[b->open[i]].kind;
        bool brace = open == BLOCK_OPEN || open == RECORD_OPEN;
        if (kind == '}' ? brace : open == (kind == ')' ? '(' : '[')) {
            b->n = i;
            return open;
        }
        if (brace)
            return 0;
    }
    if (kind == '}') /* none is open: whatever it was meant for, it ends what is */
        b->n = 0;
    return 0;
}

static bool opens_bracket(int kind) {
    return kind == '(' || kind == '[' || kind == BLOCK_OPEN || kind == RECORD_OPEN;
}

bool brackets_pass(const Parser *p, Brackets *b, int k) {
    int kind = p->tokens[k].kind;
    if (opens_bracket(kind))
        b->open[b->n++] = k;
    return (kind == ')' || kind == ']' || kind == '}') && close_bracket(p, b, kind) == BLOCK_OPEN;
}

/* -- Arranging -- */

typedef struct Arranger {
    Parser *p;
    Brackets brackets;
    int n;        /* tokens of the result so far */
    int previous; /* kind of the last one; SEPARATOR before the first */
} Arranger;

static bool is_line_based(const Arranger *a) {
    int bracket = brackets_innermost(&a->brackets);
    return bracket < 0 || a->p->tokens[bracket].kind == BLOCK_OPEN;
}

static int name_kind(const Arranger *a, const Token *t, int next) {
    if (a->previous == SEPARATOR || a->previous == BLOCK_OPEN)
        return keyword_at_start(a->p, t, next);
    if (a->previous != NAME && a->previous != ')')
        return NAME;
    return token_is(a->p, t, "with") ? WITH : token_is(a->p, t, "on") ? ON : NAME;
}

/* Drop, or keep, the separator; the next token that is none has the kind `next`. */
static bool keeps_separator(const Arranger *a, const Token *t, int next) {
    if (!token_is_line_end(a->p, t))
        return true;
    return is_line_based(a) && a->previous != SEPARATOR && !continues(a->previous) && next != ELSE && next != PIPE;
}

static void arrange_token(Arranger *a, Token t, int next, bool same_line) {
    Parser *p = a->p;
    switch (t.kind) {
    case SEPARATOR:
        if (!keeps_separator(a, &t, next))
            return;
        break;
    case NAME:
        t.kind = (int16_t)name_kind(a, &t, next);
        break;
    case IF:
        if (a->previous == SEPARATOR || a->previous == BLOCK_OPEN)
            t.kind = IF_STATEMENT;
        break;
    case '{':
        t.kind = same_line && (token_ends_expression(a->previous) || a->previous == ELSE) ? BLOCK_OPEN : RECORD_OPEN;
        break;
    }
    if (opens_bracket(t.kind) && a->brackets.n == PARSER_MAX_DEPTH) {
        parser_add_misfit(p, t.start, "the brackets are nested too deeply",
                          arena_printf(p->arena, "at most %d may be open; give parts of it names", PARSER_MAX_DEPTH));
        t.kind = LANG_YYUNDEF;
    }
    a->previous = t.kind;
    p->tokens[a->n] = t;
    p->tokens[a->n].closes_block = brackets_pass(p, &a->brackets, a->n);
    a->n++;
}

/* In place: the result is never longer than what was read. */
void parser_arrange(Parser *p) {
    Arranger *a = ARENA_NEW(p->scratch, Arranger);
    *a = (Arranger){.p = p, .previous = SEPARATOR};
    int significant = 0; /* the next token that is no line end */
    bool same_line = true;
    for (int i = 0; i < p->ntokens; i++) {
        Token t = p->tokens[i];
        bool line_end = token_is_line_end(p, &t);
        int next = i + 1 < p->ntokens ? p->tokens[i + 1].kind : 0;
        if (line_end) {
            if (significant <= i)
                for (significant = i + 1; token_is_line_end(p, &p->tokens[significant]);)
                    significant++;
            next = p->tokens[significant].kind;
        }
        arrange_token(a, t, next, same_line);
        same_line = !line_end;
    }
    p->ntokens = a->n;
}

bool parser_is_unfinished(const Parser *p) {
    if (p->ntokens < 2)
        return false;
    return p->brackets->n > 0 || continues(p->tokens[p->ntokens - 2].kind) || p->tokens[p->ntokens - 2].kind == ELSE;
}
