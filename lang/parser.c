#include "lang/parser.h"

#include "lang/characters.h"
#include "lang/diagnostics.h"
#include "lang/grammar.h"

enum { MAX_TEXT = 1 << 27 };

Parser parser_begin(Ctx *c, Names *names, const char *text, size_t length, int file, Diagnostics *out) {
    return (Parser){.ctx = c, .arena = c->session, .scratch = arena_new(), .names = names, .out = out, .text = text,
                    .length = length, .file = file, .line = 1, .error_token = -1};
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
