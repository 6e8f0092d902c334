#include "lang/parser.h"

#include <stdlib.h>
#include <string.h>

#include "lang/characters.h"
#include "lang/diagnostics.h"
#include "lang/grammar.h"

enum { MAX_TEXT = 1 << 27 };

Parser parser_begin(Ctx *c, Names *names, const char *text, size_t length, int file, Diagnostics *out) {
    Arena *scratch = arena_child(c->session);
    bool marked = length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0; /* a byte order mark */
    return (Parser){.ctx = c, .arena = c->session, .scratch = scratch, .names = names, .out = out, .text = text,
                    .length = length, .file = file, .room = arena_grown(scratch), .at = marked ? 3 : 0, .line = 1,
                    .column = 1, .brackets = ARENA_NEW(scratch, Brackets), .lists = {.arena = scratch},
                    .error_token = -1};
}

void parser_end(Parser *p) { arena_free(p->scratch); }

/* NULL: text in UTF-8 throughout. Else what is wrong, and where. */
static const char *find_bad_text(const char *text, size_t length, int file, Span *at) {
    int line = 1, column = 1;
    if (length > MAX_TEXT) {
        *at = (Span){file, 1, 1, 1, 1};
        return "the text is too long for a program";
    }
    for (size_t i = 0, step; i < length; i += step) {
        step = character_length(text + i, length - i);
        *at = (Span){file, line, column, line, column + 1};
        if (text[i] == 0)
            return "this is not a text: it holds a NUL byte";
        if (step == 0)
            return "this is not a text in UTF-8";
        column++;
        if (text[i] == '\n')
            line++, column = 1;
    }
    return NULL;
}

Block *parser_run(Parser *p) {
    Span at;
    const char *why = find_bad_text(p->text, p->length, p->file, &at);
    if (why) {
        parser_error(p, at, "a program is a text file in UTF-8", "%s", why);
        return NULL;
    }
    parser_scan(p);
    parser_arrange(p);
    bool parsed = lang_yyparse(p) == 0;
    return parsed && !p->failed ? p->result : NULL;
}

/* -- Tokens, one after the other -- */

static void pass_text(Parser *p, uint32_t end) {
    for (; p->at < end; p->at++) {
        unsigned char c = (unsigned char)p->text[p->at];
        if (c == '\n')
            p->line++, p->column = 1;
        else
            p->column += (c & 0xC0) != 0x80;
    }
}

int parser_pass_token(Parser *p) {
    brackets_pass(p, p->brackets, p->passed++);
    return p->passed;
}

const Token *parser_next_token(Parser *p) {
    while (p->passed < p->next)
        parser_pass_token(p);
    if (p->next < p->ntokens)
        p->next++;
    const Token *t = &p->tokens[p->next - 1];
    pass_text(p, t->start);
    p->span = (Span){p->file, p->line, p->column, p->line, p->column + 1};
    pass_text(p, t->end);
    if (p->line == p->span.line && t->kind != END)
        p->span.end_column = p->column;
    return t;
}

double parser_number(Parser *p, const Token *t) {
    size_t n = 0;
    char *digits = arena_alloc(p->scratch, t->end - t->start + 1);
    for (uint32_t k = t->start; k < t->end; k++)
        if (p->text[k] != '_')
            digits[n++] = p->text[k];
    digits[n] = 0;
    return strtod(digits, NULL);
}

static const char *unescaped(Parser *p, const char *text, size_t n) {
    char *out = arena_alloc(p->arena, n + 1), *end = out;
    for (size_t i = 0; i < n; i++)
        *end++ = text[i] == '\\' ? character_escaped(text[++i]) : text[i];
    return out;
}

Word parser_word(Parser *p, const Token *t) {
    const char *text = p->text + t->start;
    size_t n = t->end - t->start;
    return (Word){t->kind == STRING ? unescaped(p, text + 1, n - 2) : names_intern(p->names, text, n), p->span};
}

void parser_error(Parser *p, Span at, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    diagnostics_add(p->out, p->ctx, "syntax", at, hint, format, args);
    va_end(args);
    p->failed = true;
}

Span span_join(Span first, Span last) {
    return (Span){first.file, first.line, first.column, last.end_line, last.end_column};
}
