#include "lang/parser.h"

#include "lang/diagnostics.h"
#include "lang/grammar.h"

Parser parser_begin(Ctx *c, Names *names, const char *text, size_t length, int file, Diagnostics *out) {
    return (Parser){.ctx = c, .arena = c->session, .scratch = arena_new(), .names = names, .out = out, .text = text,
                    .length = length, .file = file, .line = 1, .error_token = -1};
}

void parser_end(Parser *p) { arena_free(p->scratch); }

Block *parser_run(Parser *p) {
    parser_scan(p);
    parser_arrange(p);
    bool parsed = lang_yyparse(p) == 0;
    return parsed && !p->failed ? p->result : NULL;
}

void parser_error(Parser *p, Span at, const char *hint, const char *format, ...) {
    va_list args;
    va_start(args, format);
    diagnostics_add(p->out, p->ctx, at, hint, format, args);
    va_end(args);
    p->failed = true;
}

Span span_join(Span first, Span last) {
    return (Span){first.file, first.line, first.column, last.end_line, last.end_column};
}
