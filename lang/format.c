/* From pieces to lines: indentation, the breaking of long lines, comments under each other. */
#include "lang/format.h"

#include <string.h>

#include "base/strings.h"
#include "lang/dump.h"
#include "lang/pieces.h"

#include "lang/grammar.h"

enum { INDENT = 4, COMMENT_GAP = 2, DEEP = 60 };

typedef struct Open {
    int piece;
    int content; /* the indentation of what it holds */
    int close;   /* that of its closing bracket, where it begins a line */
    int divided; /* Layout.divided of the statement around it */
} Open;

/* A finished line; its comment is added when its neighbours are known. */
typedef struct Line {
    size_t start, end; /* bytes of `Layout.code` */
    int width;
    const Piece *comment;
    bool continues_comment; /* nothing but a comment, which stood under that of the line before */
    bool empty_before;
} Line;

typedef struct Layout {
    Arena *scratch;
    Pieces ps;
    Buf code;
    Grown *room; /* for: */
    Line *lines;
    int nlines, capacity;
    Open open[PARSER_MAX_DEPTH + 1]; /* [0]: the top level */
    int nopen;
    int behind;  /* the next piece that is no comment */
    int divided; /* the `=` or `~` of the statement at work ended the last line (1), or one before (2) */
} Layout;

/* -- Where a line begins -- */

/* The piece that the comments at k, where the line at work begins, belong to. */
static const Piece *behind_comments(Layout *l, int k) {
    if (l->behind < k)
        l->behind = k;
    while (l->behind < l->ps.n && l->ps.list[l->behind].kind == COMMENT)
        l->behind++;
    return l->behind < l->ps.n ? &l->ps.list[l->behind] : NULL;
}

static int indentation(Layout *l, int k) {
    const Piece *q = &l->ps.list[k];
    const Open *in = &l->open[l->nopen - 1];
    if (q->match >= 0 && q->match < k)
        return in->close;
    bool lines = in->piece < 0 || l->ps.list[in->piece].kind == BLOCK_OPEN;
    const Piece *next = behind_comments(l, k);
    bool within = lines && next && !next->begins && !(next->match >= 0 && next->match == in->piece);
    return in->content + (within ? INDENT + (l->divided == 2 ? INDENT : 0) : 0);
}

/* Brackets that piece k, which ends before column `end` of a line indented by `indent`, opens or closes. */
static void follow_brackets(Layout *l, int k, int indent, int end) {
    const Piece *q = &l->ps.list[k];
    if (q->match < 0)
        return;
    if (q->match < k) {
        l->divided = l->open[--l->nopen].divided;
        return;
    }
    const Open *in = &l->open[l->nopen - 1];
    if (q->kind == BLOCK_OPEN && (in->piece < 0 || l->ps.list[in->piece].kind == BLOCK_OPEN))
        indent = in->content + (l->divided ? INDENT : 0); /* however many lines its head has */
    bool hangs = k + 1 < l->ps.n && l->ps.list[k + 1].breaks == 0 && q->kind != BLOCK_OPEN &&
                 l->ps.list[k + 1].kind != COMMENT && end <= DEEP;
    l->open[l->nopen++] = (Open){.piece = k, .content = hangs ? end : indent + INDENT, .close = hangs ? end - 1 : indent,
                                 .divided = l->divided};
}

/* -- Long lines -- */

/* Behind the `=` of a statement a break is worse than between the arguments of a call. */
enum { PER_DEPTH = 20, BEHIND_DIVIDER = 30 };

/* How bad it is to break behind piece k, which is followed by another on its line; 0: impossible. */
static int badness(const Pieces *ps, int k) {
    const Piece *q = &ps->list[k], *next = q + 1;
    if (next->kind == BLOCK_OPEN || next->kind == COMMENT || next->kind == ')' || next->kind == ']' || next->kind == '}' ||
        q->unary)
        return 0;
    if (next->kind == PIPE)
        return 1;
    switch (q->kind) {
    case ',': return 1;
    case OR: return 2;
    case AND: return 3;
    case EQ: case NE: case '<': case LE: case '>': case GE: return 5;
    case '+': case '-': return 4;
    case '*': case '/': case '@': return 6;
    case '=': case '~': case RECORDS: return q->open < 0 || ps->list[q->open].kind == BLOCK_OPEN ? BEHIND_DIVIDER : 0;
    case ARROW: return 8;
    case '(': case '[': return 45;
    default: return 0;
    }
}

/* The heads of functions end where their value begins. */
static bool is_head(const Pieces *ps, int first, int divider) {
    int kind = ps->list[first].kind;
    return ps->list[divider].kind == '=' &&
           (kind == FN || kind == NET || kind == MODEL || (kind == NAME && ps->list[divider - 1].kind == ')'));
}

static int depth_of(const Pieces *ps, int k) {
    int depth = 0;
    for (int b = ps->list[k].open; b >= 0; b = ps->list[b].open)
        depth++;
    return depth;
}

/* The line from `first` to before `end` does not fit into the width: break it, so that less stands on it. False: that is
 * impossible. `columns`: where each piece ends. */
static bool break_line(Pieces *ps, int first, int end, const int *columns) {
    int best = -1, least = 1 << 30;
    for (int k = first; k + 1 < end; k++) {
        if (columns[k - first] > FORMAT_WIDTH && best >= 0)
            break;
        bool expands = ps->list[k].kind == BLOCK_OPEN && ps->list[k].match > k + 1 &&
                       ps->list[ps->list[k].match].breaks == 0;
        int bad = expands ? 1 : badness(ps, k);
        if (bad == BEHIND_DIVIDER && is_head(ps, first, k))
            bad = 2;
        if (bad > 0 && bad + PER_DEPTH * depth_of(ps, k) <= least && (bad > 1 || !expands || least > 1)) {
            best = k;
            least = bad + PER_DEPTH * depth_of(ps, k);
        }
    }
    if (best < 0)
        return false;
    if (ps->list[best].kind == BLOCK_OPEN)
        pieces_expand(ps, best);
    else
        ps->list[best + 1].breaks = 1, ps->list[best + 1].semicolon = false;
    return true;
}

/* -- Lines -- */

/* The end of the line that begins with piece `first`: the next that stands on another, or `most` pieces further on. */
static int line_end(const Pieces *ps, int first, int most) {
    int k = first + 1;
    while (k < ps->n && k < first + most && ps->list[k].breaks == 0)
        k++;
    return k;
}

/* Columns in which the pieces of a line end; gives the widest without its comment. */
static int measure(const Layout *l, int first, int end, int indent, int *columns) {
    int column = indent, widest = 0;
    for (int k = first; k < end; k++) {
        const Piece *q = &l->ps.list[k];
        column += (k > first ? pieces_gap(&l->ps, k) + q->pad : 0) + q->semicolon + q->width;
        columns[k - first] = column;
        if (q->kind != COMMENT)
            widest = column;
    }
    return widest;
}

static void add_blanks(Buf *b, int n) {
    for (int k = 0; k < n; k++)
        buf_add_char(b, ' ');
}

static Line *add_line(Layout *l, bool empty_before) {
    if (l->nlines == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 64;
        l->lines = grown_resize(l->room, sizeof(Line) * (size_t)l->capacity);
    }
    Line *line = &l->lines[l->nlines++];
    *line = (Line){.start = l->code.length, .empty_before = empty_before};
    return line;
}

static void write_line(Layout *l, int first, int end, int indent, const int *columns) {
    Line *line = add_line(l, l->ps.list[first].breaks > 1);
    if (l->divided == 1)
        l->divided = 2;
    for (int k = first; k < end; k++) {
        const Piece *q = &l->ps.list[k];
        if (q->kind == COMMENT) {
            line->comment = q;
            break;
        }
        if (q->semicolon)
            buf_add_char(&l->code, ';');
        add_blanks(&l->code, k > first ? pieces_gap(&l->ps, k) + q->pad : indent);
        buf_add_bytes(&l->code, q->text, (size_t)q->length);
        if (q->begins)
            l->divided = 0;
        follow_brackets(l, k, indent, columns[k - first]);
        line->width = columns[k - first];
    }
    const Piece *last = &l->ps.list[end - 1 - (line->comment && end - 1 > first)];
    bool block = last->open < 0 || l->ps.list[last->open].kind == BLOCK_OPEN;
    if (block && (last->kind == '=' || last->kind == '~' || last->kind == RECORDS))
        l->divided = 1;
    if (line->comment && first + 1 == end) { /* nothing else */
        const Line *above = l->nlines > 1 ? line - 1 : NULL;
        const Piece *over = above ? above->comment : NULL;
        line->continues_comment = over && !line->empty_before && over->column == line->comment->column &&
                                  (above->width > 0 || above->continues_comment);
        if (!line->continues_comment) {
            add_blanks(&l->code, indent);
            buf_add_bytes(&l->code, line->comment->text, (size_t)line->comment->length);
            line->comment = NULL;
        }
    }
    line->end = l->code.length;
}

static void lay_out(Layout *l) {
    l->open[0] = (Open){.piece = -1};
    l->nopen = 1;
    int *columns = ARENA_ARRAY(l->scratch, int, l->ps.n + 1);
    for (int first = 0, end; first < l->ps.n; first = end) {
        int indent = indentation(l, first);
        int most = 4 * FORMAT_WIDTH; /* too long for certain: there is no need to look at all of it */
        for (bool again = true; again;) {
            end = line_end(&l->ps, first, most);
            again = measure(l, first, end, indent, columns) > FORMAT_WIDTH && break_line(&l->ps, first, end, columns);
            if (!again && end == first + most)
                again = true, most = l->ps.n;
        }
        write_line(l, first, end, indent, columns);
    }
}

/* -- Comments behind code -- */

/* Lines whose comments stood under each other, from `first` on: their number. */
static int comment_run(const Layout *l, int first) {
    int n = 1;
    while (first + n < l->nlines) {
        const Line *line = &l->lines[first + n];
        if (!line->comment || line->empty_before || line->comment->column != l->lines[first].comment->column)
            break;
        n++;
    }
    return n;
}

static void write_commented(const Layout *l, int first, int n, Buf *out) {
    int column = l->lines[first].comment->column - 1;
    for (int k = first; k < first + n; k++)
        if (l->lines[k].width + COMMENT_GAP > column)
            column = l->lines[k].width + COMMENT_GAP;
    for (int k = first; k < first + n; k++) {
        const Line *line = &l->lines[k];
        if (line->empty_before)
            buf_add_char(out, '\n');
        buf_add_bytes(out, l->code.text + line->start, line->end - line->start);
        add_blanks(out, column - line->width);
        buf_add_bytes(out, line->comment->text, (size_t)line->comment->length);
        buf_add_char(out, '\n');
    }
}

static void write_lines(const Layout *l, Buf *out) {
    buf_add(out, "");
    for (int k = 0; k < l->nlines;) {
        const Line *line = &l->lines[k];
        if (line->comment) {
            int n = comment_run(l, k);
            write_commented(l, k, n, out);
            k += n;
            continue;
        }
        if (line->empty_before)
            buf_add_char(out, '\n');
        buf_add_bytes(out, l->code.text + line->start, line->end - line->start);
        buf_add_char(out, '\n');
        k++;
    }
}

/* -- The whole -- */

static void format_parsed(const Parser *p, Buf *out) {
    Layout *l = ARENA_NEW(p->scratch, Layout);
    l->scratch = p->scratch;
    l->ps = pieces_of(p);
    l->room = arena_grown(p->scratch);
    lay_out(l);
    write_lines(l, out);
    buf_free(&l->code);
}

/* Parse a text; its tree as text goes to `tree`, its layout to `out`, which may be NULL. */
static bool parse_and_format(Ctx *c, const char *text, size_t length, int file, Diagnostics *found, Buf *tree, Buf *out) {
    Arena *own = arena_child(c->session); /* of the tree; where there is none, of the hints */
    Parser p = parser_begin(c, names_new(own), text, length, file, found);
    p.arena = own;
    p.library = true;
    Block *body = parser_run(&p);
    if (body) {
        lang_dump(&(Module){.file = file, .body = body}, tree);
        arena_free(own);
        memory_trim(); /* pieces are one large block that has no use for small ones */
        if (out)
            format_parsed(&p, out);
    }
    parser_end(&p);
    return body != NULL;
}

char *lang_format(Ctx *c, Arena *a, int file, Diagnostics *out) {
    const Source source = c->sources[file];
    Buf before = {0}, after = {0}, text = {0};
    char *result = NULL;
    if (parse_and_format(c, source.text, source.length, file, out, &before, &text)) {
        Diagnostics none = {.max_errors = 1};
        bool same = parse_and_format(c, text.text, text.length, -1, &none, &after, NULL) &&
                    strcmp(before.text, after.text) == 0;
        if (!same)
            ctx_raise(c, ERROR_PROGRAM, SPAN_NONE, "please report this, with the program",
                      "laying out %s would change what it means: left as it is", source.name);
        result = arena_strdup(a, text.text);
    }
    buf_free(&before);
    buf_free(&after);
    buf_free(&text);
    return result;
}
