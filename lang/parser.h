/* The parser's state: tokens as the layer between Flex and Bison arranges them, and what was found wrong. */
#ifndef LANG_PARSER_H
#define LANG_PARSER_H

#include "lang/lang.h"
#include "lang/list.h"
#include "lang/names.h"

/* Brackets, operators and blocks nest this deep at most, so that walking a tree cannot exhaust the stack. */
enum { PARSER_MAX_DEPTH = 500 };

/* All of a text's tokens are there before the first is parsed: so they hold no more than their place. */
typedef struct Token {
    int16_t kind; /* of lang/grammar.h; LANG_YYUNDEF: not a token, a Misfit says why */
    bool closes_block;
    uint32_t start, end; /* bytes of the text */
} Token;

/* What stands where a token is none. */
typedef struct Misfit {
    struct Misfit *next;
    uint32_t start;
    const char *message, *hint;
} Misfit;

/* The brackets that are open, as tokens, the outermost first. */
typedef struct Brackets {
    int open[PARSER_MAX_DEPTH];
    int n;
} Brackets;

/* A name, interned; or a string, its escapes undone. */
typedef struct Word {
    const char *text;
    Span span;
} Word;

typedef struct Parser {
    Ctx *ctx;
    Arena *arena;   /* the session's: the tree */
    Arena *scratch; /* of this parse: tokens and lists */
    Names *names;
    Diagnostics *out;
    const char *text;
    size_t length;
    int file;
    bool library; /* names that begin with _ are allowed */
    bool failed;
    Grown *room; /* for: */
    Token *tokens;
    int ntokens, capacity;
    Misfit *misfits;
    int next;        /* the token that Bison asks for next */
    Span span;       /* of the one before it */
    int passed;      /* tokens that have opened or closed their bracket: all before that one; */
    Brackets *brackets; /* so this is what is open there */
    uint32_t at;     /* the byte up to which lines and columns are counted, */
    int line, column; /* and where that is; at first the number of the text's first line */
    int error_token; /* where the first syntax error was found, or -1 */
    bool too_deep;
    ListRoom lists;
    struct Expr *spare[EXPR_KINDS]; /* nodes that turned out to be no part of the tree, to be used again */
    Block *result;
} Parser;

/* Parse a text. NULL when something was wrong; `out` says what. `error_token` and `tokens` stay readable until
 * parser_end. */
Parser parser_begin(Ctx *c, Names *names, const char *text, size_t length, int file, Diagnostics *out);
Block *parser_run(Parser *p);
void parser_end(Parser *p);

/* lexer.l: append the raw tokens of the text, separators for line ends among them, and an end. */
void parser_scan(Parser *p);
/* tokens.c: decide line ends, blocks and records, contextual keywords. */
void parser_arrange(Parser *p);
/* The next token: its place is p->span then. Behind the end that comes again. */
const Token *parser_next_token(Parser *p);
/* Moves p->brackets over a token; gives the number of the next. */
int parser_pass_token(Parser *p);
/* What it means: of a name or a string, of a number. */
Word parser_word(Parser *p, const Token *t);
double parser_number(Parser *p, const Token *t);
bool token_is(const Parser *p, const Token *t, const char *text);
bool token_is_line_end(const Parser *p, const Token *t);
bool token_ends_expression(int kind); /* may an expression end with such a token? */
/* The innermost bracket; the innermost that opens a block: tokens, or -1. */
int brackets_innermost(const Brackets *b);
int brackets_block(const Parser *p, const Brackets *b);
/* Token k opens or closes one, or does neither. Gives whether it closes a block. */
bool brackets_pass(const Parser *p, Brackets *b, int k);
/* Could more text complete it: an open bracket, an operator at the end? */
bool parser_is_unfinished(const Parser *p);

Token *parser_add_token(Parser *p);
void parser_add_misfit(Parser *p, uint32_t start, const char *message, const char *hint);
__attribute__((format(printf, 4, 5))) void parser_error(Parser *p, Span at, const char *hint, const char *format, ...);

/* syntax.c: report that the token does not fit; `expected` are Bison's names of the tokens that would (rewritten in
 * place). Later tokens are skipped up to the end of the statement. */
void syntax_report(Parser *p, const char **expected, int n);

Span span_join(Span first, Span last);

#endif
