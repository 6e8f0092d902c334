/* The layer between Flex and Bison: which line ends separate statements, which `{` opens a block and which a record,
 * which names are keywords. It looks one token back and one ahead, and knows the open brackets. */
#include <string.h>

#include "lang/parser.h"

#include "lang/grammar.h"

Token *parser_add_token(Parser *p) {
    if (p->ntokens == p->capacity) {
        int capacity = p->capacity ? 2 * p->capacity : 256;
        Token *tokens = ARENA_ARRAY(p->scratch, Token, capacity);
        if (p->ntokens > 0)
            memcpy(tokens, p->tokens, sizeof(Token) * (size_t)p->ntokens);
        p->tokens = tokens;
        p->capacity = capacity;
    }
    Token *t = &p->tokens[p->ntokens++];
    *t = (Token){.block = -1, .bracket = -1};
    return t;
}

static bool ends_expression(int kind) {
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

static int keyword_at_start(const Token *t, int next) {
    for (size_t i = 0; i < sizeof DECLARATIONS / sizeof *DECLARATIONS; i++)
        if (strcmp(t->name, DECLARATIONS[i].name) == 0) {
            int kind = DECLARATIONS[i].kind;
            return kind == IMPORT ? (next == STRING ? kind : NAME) : next == NAME || is_reserved(next) ? kind : NAME;
        }
    for (size_t i = 0; i < sizeof EFFECTS / sizeof *EFFECTS; i++)
        if (strcmp(t->name, EFFECTS[i].name) == 0)
            return begins_expression(next) ? EFFECTS[i].kind : NAME;
    return NAME;
}

typedef struct Arranger {
    Parser *p;
    int open[PARSER_MAX_DEPTH]; /* the brackets that are open, as tokens of the result */
    int nopen;
    int n;        /* tokens of the result so far */
    int previous; /* kind of the last one; SEPARATOR before the first */
} Arranger;

static int innermost(const Arranger *a) {
    return a->nopen > 0 ? a->open[a->nopen - 1] : -1;
}

static int innermost_block(const Arranger *a) {
    for (int i = a->nopen - 1; i >= 0; i--)
        if (a->p->tokens[a->open[i]].kind == BLOCK_OPEN)
            return a->open[i];
    return -1;
}

static bool is_line_based(const Arranger *a) {
    int bracket = innermost(a);
    return bracket < 0 || a->p->tokens[bracket].kind == BLOCK_OPEN;
}

/* A closing bracket closes the nearest of its kind; `)` and `]` do not look beyond a block. */
static int close_bracket(Arranger *a, int kind) {
    for (int i = a->nopen - 1; i >= 0; i--) {
        int open = a->p->tokens[a->open[i]].kind;
        bool brace = open == BLOCK_OPEN || open == RECORD_OPEN;
        if (kind == '}' ? brace : open == (kind == ')' ? '(' : '[')) {
            a->nopen = i;
            return open;
        }
        if (brace)
            return 0;
    }
    if (kind == '}') /* none is open: whatever it was meant for, it ends what is */
        a->nopen = 0;
    return 0;
}

static int name_kind(const Arranger *a, const Token *t, int next) {
    if (a->previous == SEPARATOR || a->previous == BLOCK_OPEN)
        return keyword_at_start(t, next);
    if (strcmp(t->name, "with") == 0 && (a->previous == NAME || a->previous == ')'))
        return WITH;
    if (strcmp(t->name, "on") == 0 && (a->previous == NAME || a->previous == ')'))
        return ON;
    return NAME;
}

/* Drop, or keep, the separator; the next token that is none has the kind `next`. */
static bool keeps_separator(const Arranger *a, const Token *t, int next) {
    if (t->name) /* a semicolon */
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
        t.kind = name_kind(a, &t, next);
        break;
    case IF:
        if (a->previous == SEPARATOR || a->previous == BLOCK_OPEN)
            t.kind = IF_STATEMENT;
        break;
    case '{':
        t.kind = same_line && (ends_expression(a->previous) || a->previous == ELSE) ? BLOCK_OPEN : RECORD_OPEN;
        break;
    }
    t.block = innermost_block(a);
    t.bracket = innermost(a);
    if (t.kind == ')' || t.kind == ']' || t.kind == '}')
        t.closes_block = close_bracket(a, t.kind) == BLOCK_OPEN;
    if (t.kind == '(' || t.kind == '[' || t.kind == BLOCK_OPEN || t.kind == RECORD_OPEN) {
        if (a->nopen == PARSER_MAX_DEPTH) {
            t.message = "the brackets are nested too deeply";
            t.hint = arena_printf(p->arena, "at most %d may be open; give parts of it names", PARSER_MAX_DEPTH);
            t.kind = LANG_YYUNDEF;
        } else {
            a->open[a->nopen++] = a->n;
        }
    }
    a->previous = t.kind;
    p->tokens[a->n++] = t;
}

/* In place: the result is never longer than what was read. */
void parser_arrange(Parser *p) {
    Arranger *a = ARENA_NEW(p->scratch, Arranger);
    *a = (Arranger){.p = p, .previous = SEPARATOR};
    int significant = 0; /* the next token that is no line end */
    bool same_line = true;
    for (int i = 0; i < p->ntokens; i++) {
        Token t = p->tokens[i];
        bool line_end = t.kind == SEPARATOR && !t.name;
        int next = i + 1 < p->ntokens ? p->tokens[i + 1].kind : 0;
        if (line_end) {
            if (significant <= i)
                for (significant = i + 1; p->tokens[significant].kind == SEPARATOR && !p->tokens[significant].name;)
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
    const Token *end = &p->tokens[p->ntokens - 1];
    return end->bracket >= 0 || continues(p->tokens[p->ntokens - 2].kind) || p->tokens[p->ntokens - 2].kind == ELSE;
}
