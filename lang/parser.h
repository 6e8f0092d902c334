/* The parser's state: tokens as the layer between Flex and Bison arranges them, and what was found wrong. */
#ifndef LANG_PARSER_H
#define LANG_PARSER_H

#include "lang/lang.h"
#include "lang/names.h"

/* Brackets, operators and blocks nest this deep at most, so that walking a tree cannot exhaust the stack. */
enum { PARSER_MAX_DEPTH = 500 };

typedef struct Token {
    int kind; /* of lang/grammar.h; LANG_YYUNDEF: not a token, `message` and `hint` say why */
    Span span;
    size_t start, end; /* bytes of the text */
    const char *name;  /* of names and keywords, interned; of a separator: ";" or NULL for the end of a line */
    double number;
    const char *string; /* escapes undone */
    size_t length;
    const char *message, *hint;
    int block;         /* the token that opens the block it lies in, or -1; a block's `}` lies in it, its `{` not */
    int bracket;       /* the token that opens the innermost bracket it lies in, or -1 */
    bool closes_block;
} Token;

typedef struct Parser {
    Ctx *ctx;
    Arena *arena;   /* the session's: the tree */
    Arena *scratch; /* of this parse: tokens and lists */
    Names *names;
    Diagnostics *out;
    const char *text;
    size_t length;
    int file;
    int line; /* the number of the text's first */
    bool library; /* names that begin with _ are allowed */
    bool failed;
    Token *tokens;
    int ntokens, capacity;
    int next;        /* the token that Bison asks for next */
    int error_token; /* where the first syntax error was found, or -1 */
    bool too_deep;
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
/* Could more text complete it: an open bracket, an operator at the end? */
bool parser_is_unfinished(const Parser *p);

Token *parser_add_token(Parser *p);

__attribute__((format(printf, 4, 5))) void parser_error(Parser *p, Span at, const char *hint, const char *format, ...);

/* syntax.c: report that the token does not fit; `expected` are Bison's names of the tokens that would (rewritten in
 * place). Later tokens are skipped up to the end of the statement. */
void syntax_report(Parser *p, const char **expected, int n);

Span span_join(Span first, Span last);

#endif
