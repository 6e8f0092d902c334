/* What the parser says when a token does not fit: what would, what came, and what was probably meant. */
#include <string.h>

#include "base/strings.h"
#include "lang/diagnostics.h"
#include "lang/parser.h"

#include "lang/grammar.h"

static bool is_one_of(const char *name, const char *const *list) {
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

static const char *const EXPRESSION[] = {"a number", "a string", "a name", "(", "[", "-", "not", "if", "true", "false",
                                         "missing", "{ of a record", NULL};
static const char *const OPERATOR[] = {"|>", "or", "and", "==", "!=", "<", "<=", ">", ">=", "..", "+", "-", "*", "/",
                                       "%", "@", "^", "(", "[", ".", "->", NULL};
static const char *const STATEMENT[] = {"if at the beginning of a statement", "for", "while", "return", "data", "fn",
                                        "net", "model", "guide", "dist", "param", "plate", "import", "observe",
                                        "factor", "refine", NULL};

/* Up to this many things are listed. */
enum { MANY = 6 };

/* Bison names the tokens of one character '+'. */
static const char *without_quotes(Parser *p, const char *alias) {
    return alias[0] == '\'' ? arena_printf(p->arena, "%c", alias[1]) : alias;
}

/* "expected `)` or `,`": groups of tokens by what they begin. */
static const char *describe_expected(Parser *p, const char **expected, int n) {
    for (int i = 0; i < n; i++)
        expected[i] = without_quotes(p, expected[i]);
    bool expression = false, operators = false, statement = false;
    for (int i = 0; i < n; i++) {
        expression |= strcmp(expected[i], "a number") == 0;
        operators |= strcmp(expected[i], "^") == 0;
        statement |= strcmp(expected[i], "data") == 0;
    }
    const char *things[MANY];
    int count = 0;
    if (statement)
        things[count++] = "a statement";
    else if (expression)
        things[count++] = "an expression";
    for (int i = 0; i < n && count < MANY; i++) {
        if ((expression && is_one_of(expected[i], EXPRESSION)) || (operators && is_one_of(expected[i], OPERATOR)) ||
            (statement && is_one_of(expected[i], STATEMENT)) || strcmp(expected[i], "the end of the file") == 0 ||
            (statement && strcmp(expected[i], "the end of the line") == 0))
            continue;
        bool words = strchr(expected[i], ' ') != NULL;
        things[count++] = words ? expected[i] : arena_printf(p->arena, "`%s`", expected[i]);
    }
    if (count == 0)
        things[count++] = "the end of the file";
    Buf b = {0};
    for (int i = 0; i < count; i++)
        buf_printf(&b, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", things[i]);
    const char *text = arena_strdup(p->arena, b.text);
    buf_free(&b);
    return text;
}

static const char *describe_found(Parser *p, const Token *t) {
    if (t->kind == 0)
        return "the end of the file";
    if (token_is_line_end(p, t))
        return "the end of the line";
    int n = t->end - t->start > 40 ? 40 : (int)(t->end - t->start);
    return arena_printf(p->arena, t->kind == NUMBER ? "the number %.*s" : t->kind == STRING ? "the string %.*s" : "`%.*s`",
                        n, p->text + t->start);
}

static bool is_name(const Parser *p, const Token *t, const char *name) { return t->kind == NAME && token_is(p, t, name); }

/* The first token of the statement in which token k stands, the one at work. */
static int statement_start(const Parser *p, int k) {
    int block = brackets_block(p, p->brackets);
    while (k > 0 && p->tokens[k - 1].kind != SEPARATOR && k - 1 != block)
        k--;
    return k;
}

/* Keywords of other languages, where a statement begins. */
static const struct { const char *word, *hint; } FOREIGN[] = {
    {"def", "a function is written fn f(x) = ... or fn f(x) { ... }"},
    {"function", "a function is written fn f(x) = ... or fn f(x) { ... }"},
    {"func", "a function is written fn f(x) = ... or fn f(x) { ... }"},
    {"let", "a name is bound by x = ..., without a keyword"},
    {"var", "a name is bound by x = ..., without a keyword"},
    {"const", "a name is bound by x = ..., without a keyword"},
    {"real", "a name is bound by x = ...; an input is declared by data x: real"},
    {"int", "a name is bound by x = ...; an input is declared by data x: int"},
    {"vector", "a name is bound by x = ...; an input is declared by data x: real[N]"},
    {"elif", "write else if"},
    {"elseif", "write else if"},
    {"break", "there is no break: put the condition into `while`"},
    {"lambda", "a function of one line is written x -> x ^ 2"},
    {"class", "values are kept together in a record: {mu: 1, sd: 2}"},
    {"sample", "a random variable is written x ~ Normal(0, 1)"},
};

static const char *hint_on_brackets(Parser *p, int k) {
    int bracket = brackets_innermost(p->brackets);
    if (bracket < 0)
        return NULL;
    const Token *open = &p->tokens[bracket];
    int line = p->span.line;
    for (uint32_t i = open->start; i < p->tokens[k].start; i++)
        line -= p->text[i] == '\n';
    if (p->tokens[k].kind == END)
        return arena_printf(p->arena, "the `%.1s` on line %d is never closed", p->text + open->start, line);
    if (open->kind != BLOCK_OPEN && line < p->span.line)
        return arena_printf(p->arena, "the `%.1s` on line %d is still open here", p->text + open->start, line);
    return NULL;
}

static const char *hint_for(Parser *p, int k) {
    const Token *t = &p->tokens[k], *before = k > 0 ? t - 1 : NULL, *after = k + 1 < p->ntokens ? t + 1 : NULL;
    int start = statement_start(p, k);
    const Token *first = &p->tokens[start];
    int bracket = brackets_innermost(p->brackets), around = bracket < 0 ? END : p->tokens[bracket].kind;
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++)
        if (is_name(p, first, FOREIGN[i].word) && t != first)
            return FOREIGN[i].hint;
    for (size_t i = 0; i < sizeof FOREIGN / sizeof *FOREIGN; i++)
        if (is_name(p, t, FOREIGN[i].word) && before && before->kind == '}')
            return FOREIGN[i].hint;
    bool condition = first->kind == IF_STATEMENT || first->kind == WHILE || first->kind == IF;
    if (t->kind == '=' && condition)
        return "`==` compares, `=` binds";
    if (t->kind == '=' && bracket > 0 && around == RECORD_OPEN && p->tokens[bracket - 1].kind == ARROW)
        return "behind -> stands one expression ({ opens a record); a function of several lines is fn f(x) { ... }";
    if (t->kind == ':' && (condition || first->kind == FOR || first->kind == FN || first->kind == MODEL ||
                           first->kind == NET || first->kind == GUIDE || first->kind == PLATE))
        return "a block is written { ... }";
    if (t->kind == ':' && around == '[')
        return "a range is written 1..3";
    if (t->kind == SEPARATOR && after && after->kind == RECORD_OPEN)
        return "the { of a block stands on the line of its head";
    if (t->kind == RECORD_OPEN && before && before->kind == ARROW)
        return "the body of x -> ... is one expression; fn f(x) { ... } has a block";
    if (t->kind == BLOCK_OPEN && before && before->kind == ')')
        return "a { behind an expression opens a block; a record stands behind an operator, a comma or a bracket";
    if (before && token_is_line_end(p, before) &&
        (t->kind == '+' || t->kind == '*' || t->kind == '/' || t->kind == '^' || t->kind == '%' || t->kind == '@' ||
         t->kind == AND || t->kind == OR || t->kind == DOTS || t->kind == EQ || t->kind == '='))
        return "a statement goes on in the next line when its line ends with an operator";
    if ((t->kind == EQ || t->kind == NE || t->kind == '<' || t->kind == LE || t->kind == '>' || t->kind == GE))
        return "comparisons are not chained: write a < b and b < c";
    if (t->kind == '=' && bracket < start && first->kind != '}')
        return "a name, or a name with indices, stands left of `=`; `==` compares";
    if (t->kind == '}' && bracket < 0)
        return "no { is open here";
    if ((t->kind == ')' || t->kind == ']') && (bracket < 0 || around == BLOCK_OPEN))
        return t->kind == ')' ? "no ( is open here" : "no [ is open here";
    return hint_on_brackets(p, k);
}

/* Go on at the end of the statement: a separator or the `}` of the same block. A `{` that begins a line was meant as
 * the block of the head above it. */
static void skip_statement(Parser *p, int k) {
    const Token *at = &p->tokens[k];
    bool block_below = token_is_line_end(p, at) && p->tokens[k + 1].kind == RECORD_OPEN;
    if ((at->kind == SEPARATOR && !block_below) || at->closes_block)
        return;
    int last = p->ntokens - 1, bracket = brackets_innermost(p->brackets), block = brackets_block(p, p->brackets);
    int i = parser_pass_token(p);
    if (block_below)
        do
            i = parser_pass_token(p);
        while (i < last && brackets_innermost(p->brackets) != bracket);
    while (i < last && !(brackets_block(p, p->brackets) == block &&
                         (p->tokens[i].kind == SEPARATOR || p->tokens[i].closes_block)))
        i = parser_pass_token(p);
    p->next = i;
}

static const Misfit *misfit_at(const Parser *p, const Token *t) {
    const Misfit *m = t->kind == LANG_YYUNDEF ? p->misfits : NULL;
    while (m && m->start != t->start)
        m = m->next;
    return m;
}

void syntax_report(Parser *p, const char **expected, int n) {
    int k = p->next > 0 ? p->next - 1 : 0;
    const Token *t = &p->tokens[k];
    if (p->error_token < 0)
        p->error_token = k;
    const Misfit *misfit = diagnostics_full(p->out) ? NULL : misfit_at(p, t);
    if (diagnostics_full(p->out))
        p->out->nerrors++, p->failed = true; /* nobody reads what it would say */
    else if (misfit)
        parser_error(p, p->span, misfit->hint, "%s", misfit->message);
    else
        parser_error(p, p->span, hint_for(p, k), "expected %s, found %s", describe_expected(p, expected, n),
                     describe_found(p, t));
    skip_statement(p, k);
}
