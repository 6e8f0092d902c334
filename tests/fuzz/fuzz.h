/* The fuzzer: texts that a person would not write, run as programs; whatever happens, it must be an answer or a
 * message.
 *
 * A case follows from the seed and its number alone (and the programs of the tree), so that a finding is repeated by
 * them.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/strings.h"
#include "lang/tree.h"

/* -- Random choices (splitmix64) -- */
typedef struct Rng {
    uint64_t state;
} Rng;
uint64_t rng_next(Rng *r);
int rng_below(Rng *r, int n); /* 0 .. n - 1; 0 for n < 1 */
static inline bool rng_chance(Rng *r, int percent) { return rng_below(r, 100) < percent; }

/* -- What is there to call -- */
typedef struct Callable {
    const char *name;
    int least, most;       /* arguments */
    const TypeKind *types; /* of a distribution's parameters; NULL: a function */
    const char **params;   /* their names */
} Callable;

typedef struct Vocabulary {
    Callable *functions, *dists;
    int nfunctions, ndists;
} Vocabulary;

/* -- The corpus: files of the tree, whole and in pieces -- */
typedef struct Piece {
    const char *text;
    size_t length;
} Piece;
typedef struct Pieces {
    Piece *list;
    int n, capacity;
} Pieces;
typedef struct File {
    const char *path, *text;
    size_t length;
} File;
typedef struct Corpus {
    File *programs, *data;
    int nprograms, ndata;
    Pieces statements; /* of the top level, with their blocks */
    Pieces lines;      /* single lines whose brackets match */
    Pieces tokens;
} Corpus;

Corpus *corpus_read(char **roots, int nroots);
void tokenize(const char *text, size_t n, Pieces *out); /* blanks and comments too: the pieces make up the text */

/* -- Kinds of cases -- */
typedef enum CaseKind {
    CASE_BYTES,
    CASE_TOKENS,
    CASE_SPLICES,
    CASE_STATEMENTS,
    CASE_GENERATED,
    CASE_LARGE,
    CASE_DATA,
    CASE_KINDS
} CaseKind;

typedef struct Case {
    CaseKind kind;
    Buf program;
    bool by_lines;      /* as the lines of a REPL, one session for all */
    Buf data;           /* of CASE_DATA: the bytes of the file */
    const char *format; /* its ending: ".json" */
    const char *name;   /* --data NAME=FILE; NULL: --data FILE */
    int depth;          /* ctx->max_depth */
} Case;

Case case_make(const Corpus *corpus, const Vocabulary *v, uint64_t seed, uint64_t number);
void case_free(Case *c);

/* mutate.c */
void mutate_bytes(Rng *r, const char *text, size_t n, Buf *out);
void mutate_tokens(Rng *r, const Corpus *c, const Vocabulary *v, const char *text, size_t n, Buf *out);
void mutate_splice(Rng *r, const Corpus *c, Buf *out);
void mutate_statements(Rng *r, const Corpus *c, Buf *out);
const char *nasty_number(Rng *r);

/* generate.c: programs from the grammar; large.c: what is too deep, too long, too much; files.c: data files. */
void generate_program(Rng *r, const Vocabulary *v, Buf *out);
void generate_large(Rng *r, Buf *out);
void generate_data(Rng *r, const Corpus *c, Case *out);

#endif
