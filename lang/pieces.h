/* What the formatter moves about: the tokens of a text and its comments, with what stood between them. */
#ifndef LANG_PIECES_H
#define LANG_PIECES_H

#include "lang/parser.h"

typedef struct Piece {
    int kind;             /* of lang/grammar.h; a comment: COMMENT */
    const char *text;
    int length;           /* bytes ... */
    int width;            /* ... and characters */
    int column;           /* where it began in the source */
    int blanks;           /* between it and the piece before, on one line */
    int lines;            /* line ends before it: 0, 1, or 2 where there was an empty line */
    int breaks;           /* the same in the result */
    bool begins;          /* a statement, or a member of a `dist` */
    bool semicolon;       /* stands before it in the result */
    bool unary;           /* a minus with one operand */
    bool block;           /* a brace of a block */
    int open;             /* the innermost bracket around it, or -1 */
    int match;            /* of a bracket: the other one, or -1 */
    int pad;              /* blanks beyond one that keep it under others */
} Piece;

enum { COMMENT = -2 };

typedef struct Pieces {
    Piece *list;
    int n;
} Pieces;

/* Of a text that was parsed (its tokens are arranged), in the parser's scratch memory: with the breaks that the author
 * set and those that the form of blocks asks for. */
Pieces pieces_of(const Parser *p);

/* The block that b opens gets a line for each of its statements, with the other branches of its `if`. */
void pieces_expand(Pieces *ps, int b);

/* Blanks between two neighbours on one line. */
int pieces_gap(const Pieces *ps, int k);

#endif
