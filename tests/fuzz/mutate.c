/* Mutations of the corpus: bytes, tokens, splices, statements put together anew. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static const char *const NASTY[] = {
    "0",
    "-1",
    "1",
    "2",
    "0.5",
    "-0.0",
    "inf",
    "-inf",
    "nan",
    "missing",
    "1e308",
    "1e-308",
    "-1e308",
    "4.9e-324",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "1e19",
    "-1e19",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967296",
    "1e9",
    "1000000",
    "65536",
    "255",
    "1e400",
    "0.1",
    "1_000",
};

static const char *const WORDS[] = {
    "if",      "else",    "for",    "while",  "in",   "and",      "or",   "not",     "return",  "true", "false",
    "missing", "observe", "factor", "refine", "data", "fn",       "net",  "model",   "guide",   "dist", "param",
    "plate",   "import",  "on",     "with",   "..",   "|>",       "->",   ":=",      "=",       "~",    "==",
    "!=",      "<",       "<=",     ">",      ">=",   "+",        "-",    "*",       "/",       "%",    "@",
    "^",       "(",       ")",      "[",      "]",    "{",        "}",    ",",       ":",       ";",    ".",
    "\n",      "\"\"",    "\"x\"",  "real",   "int",  "positive", "unit", "simplex", "ordered", "cov",  "corr_cholesky",
    "[]",      "()",      "{}",     "1..0",   "[:]",  "x",        "i",    "mu",      "theta",   "fit",
};

const char *nasty_number(Rng *r) { return NASTY[rng_below(r, sizeof NASTY / sizeof *NASTY)]; }

static void add_piece(Buf *out, Piece p) { buf_add_bytes(out, p.text, p.length); }
static Piece any_piece(Rng *r, const Pieces *p) { return p->list[rng_below(r, p->n)]; }

/* -- Bytes -- */

static char any_byte(Rng *r) {
    static const char marks[] = "(){}[]\"#\n\t ;:,.~=-+*/^%@<>!|&0123456789eE_\\'\r";
    return rng_chance(r, 70) ? marks[rng_below(r, sizeof marks - 1)] : (char)rng_next(r);
}

void mutate_bytes(Rng *r, const char *text, size_t n, Buf *out) {
    static const char *const sequences[] = {"\xEF\xBB\xBF",
                                            "\xC0\x80",
                                            "\xED\xA0\x80",
                                            "\xF4\x90\x80\x80",
                                            "\xCE\xBC",
                                            "\xE2\x88\x92",
                                            "\xF0\x9F\x98\x80",
                                            "\xE2\x80\xAE",
                                            "\xFF",
                                            "\r\n",
                                            "1e",
                                            "..",
                                            "0x",
                                            "\\",
                                            "\x01",
                                            "\x7F",
                                            "\xE2\x80\xA8",
                                            "\xCC\x81"};
    int changes = 1 + rng_below(r, rng_chance(r, 70) ? 4 : 60);
    buf_add_bytes(out, text, n);
    for (int k = 0; k < changes && out->length > 0; k++) {
        size_t at = (size_t)(rng_next(r) % out->length), span = 1 + (size_t)rng_below(r, rng_chance(r, 80) ? 4 : 200);
        if (span > out->length - at) span = out->length - at;
        Buf next = {0};
        buf_add_bytes(&next, out->text, at);
        switch (rng_below(r, 6)) {
        case 0: break; /* leave out */
        case 1:
            for (size_t i = 0; i < span; i++) buf_add_char(&next, any_byte(r));
            break;
        case 2: buf_add(&next, sequences[rng_below(r, sizeof sequences / sizeof *sequences)]); break;
        case 3:
            buf_add_bytes(&next, out->text + at, span); /* twice */
            buf_add_bytes(&next, out->text + at, span);
            break;
        case 4: buf_add_char(&next, (char)(out->text[at] ^ (1 << rng_below(r, 8)))), span = 1; break;
        case 5:
            if (rng_chance(r, 10)) span = out->length - at; /* cut short */
            buf_add_char(&next, any_byte(r));
            break;
        }
        buf_add_bytes(&next, out->text + at + span, out->length - at - span);
        buf_free(out);
        *out = next;
    }
    buf_add(out, "");
}

/* -- Tokens -- */

static void add_token(Rng *r, const Corpus *c, const Vocabulary *v, Buf *out) {
    int way = rng_below(r, 100);
    if (way < 45 && c->tokens.n)
        add_piece(out, any_piece(r, &c->tokens));
    else if (way < 65)
        buf_add(out, WORDS[rng_below(r, sizeof WORDS / sizeof *WORDS)]);
    else if (way < 80)
        buf_add(out, nasty_number(r));
    else if (way < 92 && v->nfunctions)
        buf_add(out, v->functions[rng_below(r, v->nfunctions)].name);
    else if (v->ndists)
        buf_add(out, v->dists[rng_below(r, v->ndists)].name);
    buf_add_char(out, ' ');
}

static bool is_blank(Piece p) { return strchr(" \t\n#", p.text[0]) != NULL; }

void mutate_tokens(Rng *r, const Corpus *c, const Vocabulary *v, const char *text, size_t n, Buf *out) {
    Pieces t = {0};
    tokenize(text, n, &t);
    int changes = 1 + rng_below(r, rng_chance(r, 75) ? 3 : 12);
    char *what = calloc((size_t)t.n + 1, 1); /* per token: nothing, or what is done to it */
    for (int k = 0; k < changes && t.n; k++) {
        int at = rng_below(r, t.n);
        for (int tries = 0; tries < 8 && is_blank(t.list[at]); tries++) at = rng_below(r, t.n);
        what[at] = (char)(1 + rng_below(r, 7));
    }
    for (int k = 0; k < t.n; k++) {
        switch (what[k]) {
        case 1: continue;
        case 2: add_token(r, c, v, out); continue;
        case 3: add_piece(out, t.list[k]), buf_add_char(out, ' '), add_token(r, c, v, out); continue;
        case 4: add_piece(out, t.list[k]), add_piece(out, t.list[k]); continue;
        case 5: add_piece(out, any_piece(r, &t)); continue; /* another of the same program */
        case 6:                                             /* numbers become nasty, names other names of the program */
            if (t.list[k].text[0] >= '0' && t.list[k].text[0] <= '9')
                buf_add(out, nasty_number(r));
            else {
                Piece p = any_piece(r, &t);
                for (int tries = 0; tries < 20 && (is_blank(p) || strchr("(){}[],.:~=", p.text[0])); tries++)
                    p = any_piece(r, &t);
                add_piece(out, p);
            }
            continue;
        case 7: /* exchanged with the next */
            if (k + 1 < t.n) add_piece(out, t.list[k + 1]), add_piece(out, t.list[k]), k++;
            continue;
        }
        add_piece(out, t.list[k]);
    }
    free(what);
    free(t.list);
    buf_add(out, "");
}

/* -- Splices -- */

void mutate_splice(Rng *r, const Corpus *c, Buf *out) {
    for (int parts = 2 + rng_below(r, 2), k = 0; k < parts; k++) {
        const File *f = &c->programs[rng_below(r, c->nprograms)];
        Pieces t = {0};
        tokenize(f->text, f->length, &t);
        int from = k == 0 ? 0 : rng_below(r, t.n),
            to = k + 1 == parts && rng_chance(r, 50) ? t.n : from + rng_below(r, t.n - from);
        for (int i = from; i < to; i++) add_piece(out, t.list[i]);
        free(t.list);
    }
    buf_add(out, "");
}

/* -- Statements -- */

/* A statement with lines of other programs in its block. */
static void add_enriched(Rng *r, const Corpus *c, Piece p, Buf *out) {
    for (size_t k = 0; k < p.length; k++) {
        buf_add_char(out, p.text[k]);
        if (p.text[k] == '\n' && k + 1 < p.length && rng_chance(r, 8) && c->lines.n)
            add_piece(out, any_piece(r, &c->lines));
    }
}

void mutate_statements(Rng *r, const Corpus *c, Buf *out) {
    /* Mostly the statements of one program, in order, so that names are there; some left out, some from elsewhere. */
    const File *f = &c->programs[rng_below(r, c->nprograms)];
    for (int k = 0; k < c->statements.n; k++) {
        Piece p = c->statements.list[k];
        bool own = p.text >= f->text && p.text < f->text + f->length;
        if (!own || rng_chance(r, 6)) continue;
        if (rng_chance(r, 50))
            add_enriched(r, c, p, out);
        else
            add_piece(out, p);
        if (rng_chance(r, 5)) add_piece(out, p);
        while (rng_chance(r, 15)) add_enriched(r, c, any_piece(r, &c->statements), out);
    }
    buf_add(out, "");
}
