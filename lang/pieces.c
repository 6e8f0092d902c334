#include "lang/pieces.h"

#include <string.h>

#include "lang/grammar.h"

/* -- From tokens to pieces -- */

static int count_characters(const char *text, int n) {
    int width = 0;
    for (int i = 0; i < n; i++)
        width += ((unsigned char)text[i] & 0xC0) != 0x80;
    return width;
}

typedef struct Gatherer {
    const Parser *p;
    Pieces ps;
    size_t at;      /* the byte up to which the text is gathered */
    size_t counted; /* ... and columns are counted, */
    int column;     /* which is this one */
    bool separated; /* a statement has ended since the last token */
    int lines;      /* line ends since the last piece */
    int previous;   /* kind of the last piece that is no comment */
} Gatherer;

/* Asked from left to right. */
static int column_at(Gatherer *g, size_t at) {
    for (; g->counted < at; g->counted++)
        g->column = g->p->text[g->counted] == '\n' ? 1 : g->column + (((unsigned char)g->p->text[g->counted] & 0xC0) != 0x80);
    return g->column;
}

static Piece *add_piece(Gatherer *g, int kind, size_t start, size_t end) {
    Piece *q = &g->ps.list[g->ps.n++];
    *q = (Piece){.kind = kind, .text = g->p->text + start, .length = (int)(end - start), .lines = g->lines, .open = -1,
                 .match = -1};
    q->width = count_characters(q->text, q->length);
    q->blanks = g->ps.n > 1 ? (int)(start - g->at) : 0;
    g->at = end;
    g->lines = 0;
    return q;
}

/* Comments and line ends up to byte `end`. */
static void gather_gap(Gatherer *g, size_t end) {
    const char *text = g->p->text;
    for (size_t i = g->at; i < end; i++) {
        if (text[i] == '\n' && g->lines < 2)
            g->lines++;
        if (text[i] != '#')
            continue;
        size_t stop = i;
        while (stop < end && text[stop] != '\n')
            stop++;
        size_t last = stop;
        while (text[last - 1] == ' ' || text[last - 1] == '\t' || text[last - 1] == '\r')
            last--;
        add_piece(g, COMMENT, i, last)->column = column_at(g, i);
        i = stop - 1;
    }
}

static void gather_token(Gatherer *g, const Token *t) {
    gather_gap(g, t->kind == 0 ? g->p->length : t->start);
    if (t->kind == SEPARATOR) {
        g->separated = true;
        return;
    }
    if (t->kind == 0)
        return;
    Piece *q = add_piece(g, t->kind, t->start, t->end);
    q->column = column_at(g, t->start);
    q->begins = g->separated || g->previous == BLOCK_OPEN || g->previous == SEPARATOR;
    q->unary = t->kind == '-' && (q->begins || !token_ends_expression(g->previous));
    q->block = t->kind == BLOCK_OPEN || t->closes_block;
    if (t->closes_block)
        q->begins = false;
    g->separated = false;
    g->previous = t->kind;
}

/* The brackets around each, and their partners. */
static void match_brackets(Pieces *ps) {
    int open = -1;
    for (int k = 0; k < ps->n; k++) {
        Piece *q = &ps->list[k];
        if (q->kind == ')' || q->kind == ']' || q->kind == '}') {
            q->match = open;
            if (open >= 0) {
                ps->list[open].match = k;
                open = ps->list[open].open;
            }
        }
        q->open = open;
        if (q->kind == '(' || q->kind == '[' || q->kind == BLOCK_OPEN || q->kind == RECORD_OPEN)
            open = k;
    }
}

/* -- Breaks -- */

/* The `{` of the next branch behind a block's `}`, or -1. */
static int next_branch(const Pieces *ps, int close) {
    int k = close + 1;
    if (k >= ps->n || ps->list[k].kind != ELSE)
        return -1;
    for (k++; k < ps->n; k = ps->list[k].match >= 0 ? ps->list[k].match + 1 : k + 1)
        if (ps->list[k].kind == BLOCK_OPEN)
            return k;
    return -1;
}

static int branch_before(const Pieces *ps, int open) {
    int k = open - 1;
    while (k > 0 && ps->list[k].kind != ELSE && !ps->list[k].begins && ps->list[k].kind != BLOCK_OPEN)
        k = ps->list[k].match >= 0 && ps->list[k].match < k ? ps->list[k].match - 1 : k - 1;
    return k > 0 && ps->list[k].kind == ELSE && ps->list[k - 1].block ? ps->list[k - 1].match : -1;
}

static void expand_one(Pieces *ps, int b) {
    int close = ps->list[b].match;
    for (int k = b + 1; k <= close; k++) {
        Piece *q = &ps->list[k];
        bool inside = k == close || (q->open == b && q->begins);
        if (inside && q->breaks == 0 && close > b + 1)
            q->breaks = 1, q->semicolon = false;
    }
}

static bool is_expanded(const Pieces *ps, int b) {
    return ps->list[b].match > b + 1 && ps->list[ps->list[b].match].breaks > 0;
}

void pieces_expand(Pieces *ps, int b) {
    expand_one(ps, b);
    for (int k = next_branch(ps, ps->list[b].match); k >= 0 && !is_expanded(ps, k); k = next_branch(ps, ps->list[k].match))
        expand_one(ps, k);
    for (int k = branch_before(ps, b); k >= 0 && !is_expanded(ps, k); k = branch_before(ps, k))
        expand_one(ps, k);
}

/* Breaks as the author set them, but for empty lines at the edges of brackets and within statements. */
static void set_breaks(Pieces *ps) {
    for (int k = 0; k < ps->n; k++) {
        Piece *q = &ps->list[k], *before = k ? q - 1 : NULL;
        q->breaks = q->lines;
        if (!before)
            q->breaks = 0;
        else if (before->kind == COMMENT && q->breaks == 0)
            q->breaks = 1;
        if (!before)
            continue;
        bool closes = q->kind == ')' || q->kind == ']' || q->kind == '}';
        bool edge = before->match > k - 1 || closes;
        bool inside = !q->begins && q->kind != COMMENT && before->kind != COMMENT;
        if (q->breaks == 2 && (edge || inside))
            q->breaks = 1;
        if (q->kind == ELSE && before->block)
            q->breaks = 0;
        q->semicolon = q->begins && q->breaks == 0 && before->kind != BLOCK_OPEN;
    }
}

/* A block with a line end in it has a line for each statement; of those that stand on one line together only the first
 * begins one. */
static void expand_blocks(Pieces *ps) {
    for (int b = 0; b < ps->n; b++) {
        if (ps->list[b].kind != BLOCK_OPEN || ps->list[b].match < 0)
            continue;
        bool several = false;
        int close = ps->list[b].match;
        for (int k = b + 1; k <= close && !several; k++)
            several = ps->list[k].breaks > 0;
        if (!several)
            continue;
        Piece *first = &ps->list[b + 1], *last = &ps->list[close];
        if (first->kind != COMMENT && first->breaks == 0 && close > b + 1)
            first->breaks = 1;
        last->breaks = close > b + 1;
        for (int k = next_branch(ps, close); k >= 0; k = next_branch(ps, ps->list[k].match))
            expand_one(ps, k);
        for (int k = branch_before(ps, b); k >= 0; k = branch_before(ps, k))
            if (!is_expanded(ps, k))
                expand_one(ps, k);
    }
}

/* -- What stands under each other -- */

/* The piece of the statement that begins at k which may stand under those of its neighbours, when nothing breaks before
 * it; -1: none. */
typedef int Finder(const Pieces *ps, int k);

static bool leaves_head(const Piece *q, int open) {
    return q->begins || q->breaks > 0 || q->kind == COMMENT || q->open < open || q->kind == BLOCK_OPEN;
}

static int find_divider(const Pieces *ps, int k) {
    int open = ps->list[k].open;
    for (int j = k; j < ps->n && (j == k || !leaves_head(&ps->list[j], open)); j++) {
        const Piece *q = &ps->list[j];
        if (q->open == open && (q->kind == '=' || q->kind == '~' || q->kind == RECORDS))
            return j;
    }
    return -1;
}

static int find_type(const Pieces *ps, int k) {
    bool typed = ps->list[k].kind == DATA || ps->list[k].kind == PARAM;
    return typed && k + 3 < ps->n && ps->list[k + 2].kind == ':' && ps->list[k + 3].breaks == 0 ? k + 3 : -1;
}

static int width_between(const Pieces *ps, int k, int end) {
    int width = 0;
    for (int j = k; j < end; j++)
        width += ps->list[j].width + (j > k ? pieces_gap(ps, j) + ps->list[j].pad : 0);
    return width;
}

/* The statement behind the one that begins at k, on the next line of the same block; -1: none. */
static int next_statement(const Pieces *ps, int k) {
    int open = ps->list[k].open;
    for (int j = k + 1; j < ps->n && ps->list[j].open >= open; j++) {
        const Piece *q = &ps->list[j];
        if (q->begins && q->open == open)
            return q->breaks == 1 ? j : -1;
        if (q->kind == COMMENT && q->breaks > 0 && q->open == open)
            return -1;
    }
    return -1;
}

/* A run of statements in which these pieces stood in one column, one of them with more than a blank before it. */
static void align_run(Pieces *ps, int first, Finder *find, bool *done) {
    int widest = 0, n = 0, column = ps->list[find(ps, first)].column;
    bool meant = false;
    for (int k = first; k >= 0; k = next_statement(ps, k), n++) {
        int d = find(ps, k);
        if (d < 0 || ps->list[d].column != column)
            break;
        int width = width_between(ps, k, d);
        widest = width > widest ? width : widest;
        meant |= ps->list[d].blanks > 1;
        done[k] = true;
    }
    for (int k = first; meant && n > 0; k = next_statement(ps, k), n--) {
        int d = find(ps, k);
        ps->list[d].pad = widest - width_between(ps, k, d);
    }
}

static void align(const Parser *p, Pieces *ps, Finder *find) {
    bool *done = arena_alloc(p->scratch, (size_t)ps->n + 1);
    for (int k = 0; k < ps->n; k++)
        if (ps->list[k].begins && !done[k] && find(ps, k) >= 0)
            align_run(ps, k, find, done);
}

/* Columns of numbers in an array of several lines stay as they are. */
static void keep_columns(Pieces *ps) {
    int tables = -1; /* the end of the outermost such array at work */
    for (int k = 0; k < ps->n; k++) {
        Piece *q = &ps->list[k];
        if (q->kind == '[' && k > tables)
            for (int j = k + 1; j <= q->match && tables < k; j++)
                if (ps->list[j].breaks > 0)
                    tables = q->match;
        if (k == 0 || k > tables || q->breaks > 0 || !(q->kind == NUMBER || q->unary))
            continue;
        if (((q - 1)->kind == ',' || (q - 1)->kind == '[') && q->blanks > pieces_gap(ps, k))
            q->pad = q->blanks - pieces_gap(ps, k);
    }
}

Pieces pieces_of(const Parser *p) {
    int capacity = p->ntokens + 1;
    for (size_t i = 0; i < p->length; i++)
        capacity += p->text[i] == '#';
    Gatherer g = {.p = p, .ps.list = ARENA_ARRAY(p->scratch, Piece, capacity), .previous = SEPARATOR, .column = 1};
    g.at = g.counted = p->length >= 3 && memcmp(p->text, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (int k = 0; k < p->ntokens; k++)
        gather_token(&g, &p->tokens[k]);
    match_brackets(&g.ps);
    set_breaks(&g.ps);
    expand_blocks(&g.ps);
    align(p, &g.ps, find_type);
    align(p, &g.ps, find_divider);
    keep_columns(&g.ps);
    return g.ps;
}

/* -- Blanks -- */

static bool is_slice(const Pieces *ps, const Piece *colon) {
    return colon->kind == ':' && colon->open >= 0 && ps->list[colon->open].kind == '[';
}

int pieces_gap(const Pieces *ps, int k) {
    const Piece *a = &ps->list[k - 1], *b = &ps->list[k];
    if (b->kind == COMMENT)
        return 2;
    if (b->semicolon)
        return 1; /* behind the semicolon */
    if (b->kind == ',' || b->kind == ')' || b->kind == ']' || a->kind == '(' || a->kind == '[')
        return 0;
    if (a->kind == RECORD_OPEN || (b->kind == '}' && !b->block))
        return 0;
    if (b->kind == '}')
        return a->kind != BLOCK_OPEN;
    if (a->kind == BLOCK_OPEN || b->kind == BLOCK_OPEN)
        return 1;
    if (a->kind == '.' || b->kind == '.')
        return 0;
    if (a->kind == DOTS || b->kind == DOTS)
        return a->kind == DOTS && b->text[0] == '.';
    if (b->kind == ':')
        return a->kind == ',';
    if (a->kind == ':')
        return !is_slice(ps, a);
    if (a->unary)
        return 0;
    if (b->kind == '(' || b->kind == '[')
        return !token_ends_expression(a->kind);
    return 1;
}
