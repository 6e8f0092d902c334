#include "infer/look.h"

#include <string.h>

#include "infer/builtins.h"
#include "infer/fit.h"
#include "infer/handlers.h"
#include "infer/recorder.h"

/* -- Tables of texts -- */

enum { COLUMNS = 4, WIDEST = 60, NARROWEST = 12, GAP = 2 };

typedef struct Table {
    Arena *arena;
    const char **cells; /* COLUMNS to a row */
    int n, capacity;
} Table;

static const char **table_row(Table *t) {
    if (t->n == t->capacity) {
        int capacity = t->capacity ? 2 * t->capacity : 32;
        const char **more = ARENA_ARRAY(t->arena, const char *, capacity * COLUMNS);
        if (t->n) memcpy(more, t->cells, sizeof *more * (size_t)(t->n * COLUMNS));
        t->cells = more, t->capacity = capacity;
    }
    return &t->cells[COLUMNS * t->n++];
}

static int text_width(const char *s) {
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

/* The widest columns give way until a line has at most so many characters. */
static void fit_widths(int width[COLUMNS], int most) {
    for (;;) {
        int all = GAP * (COLUMNS - 1), widest = 0;
        for (int k = 0; k < COLUMNS; k++) {
            all += width[k];
            if (width[k] > width[widest]) widest = k;
        }
        if (all <= most || width[widest] <= NARROWEST) return;
        width[widest]--;
    }
}

/* The first characters of a text that is longer, with a mark. */
static const char *cut_text(Arena *a, const char *text, int width) {
    if (text_width(text) <= width) return text;
    size_t n = 0;
    for (int k = 0; k < width - 3; k++)
        do n++;
        while (((unsigned char)text[n] & 0xC0) == 0x80);
    return arena_printf(a, "%.*s...", (int)n, text);
}

/* most: characters of a line; 0: any number. */
static void table_show(const Table *t, int most, Buf *out) {
    int width[COLUMNS] = {0};
    for (int k = 0; k < t->n * COLUMNS; k++) {
        int n = text_width(t->cells[k]), *w = &width[k % COLUMNS];
        if (n > *w) *w = n;
    }
    if (most) fit_widths(width, most);
    for (int r = 0; r < t->n; r++) {
        Buf line = {0};
        for (int k = 0; k < COLUMNS; k++) {
            const char *cell = most ? cut_text(t->arena, t->cells[COLUMNS * r + k], width[k]) : t->cells[COLUMNS * r + k];
            buf_printf(&line, "%*s%s", k ? GAP : 0, "", cell);
            for (int n = text_width(cell); k + 1 < COLUMNS && n < width[k]; n++) buf_add_char(&line, ' ');
        }
        while (line.length && line.text[line.length - 1] == ' ') line.text[--line.length] = 0;
        buf_printf(out, "%s\n", line.length ? line.text : "");
        buf_free(&line);
    }
}

/* As `print` shows it, cut to one cell. */
static const char *cell_of(Interp *in, Arena *a, Value v) {
    Buf b = {0};
    value_show(in, v, &b, false);
    for (size_t k = 0; k < b.length; k++)
        if (b.text[k] == '\n') b.text[k] = ' ';
    size_t n = b.length;
    while (text_width(b.text ? b.text : "") > WIDEST) { /* whole characters go */
        do n--;
        while (((unsigned char)b.text[n] & 0xC0) == 0x80);
        b.text[n] = 0;
    }
    const char *text = arena_printf(a, "%s%s", b.text ? b.text : "", n < b.length ? "..." : "");
    buf_free(&b);
    return text;
}

static int line_width(const Interp *in) { return in->full_print ? 0 : in->width; }

/* -- One run -- */

typedef struct Glance {
    Interp *in;
    Value model;
    Span at;
    Buf *out;
    void (*show)(struct Glance *l, const Trace *t);
} Glance;

static void run_model(void *self) {
    Glance *l = self;
    Interp *in = l->in;
    const Call *call = model_argument(in, l->model, FUNCTION_MODEL, l->at);
    Trace t;
    trace_init(&t, in, true, NULL, NULL);
    trace_push(&t);
    interp_run_call(in, call, l->at);
    trace_pop(&t);
    l->show(l, &t);
}

static void look_at(Glance *l) {
    Interp *in = l->in;
    Scope saved;
    Tape *tape = tape_new(in->ctx, in->arena, false);
    scope_enter(in, &saved, in->arena, tape, in->ctx->seed);
    Error e;
    bool done = ctx_protect(in->ctx, run_model, l, &e);
    scope_leave(in, &saved);
    if (!done) ctx_reraise(in->ctx, &e);
}

static double total_of(Interp *in, Value log_density) {
    Terms terms = {0};
    terms_add(&terms, in, log_density, NULL);
    return terms_total(&terms, in).value->data[0];
}

static const char *number_text(Arena *a, double x) {
    Buf b = {0};
    buf_add_number(&b, x, 6);
    const char *text = arena_strdup(a, b.text);
    buf_free(&b);
    return text;
}

static void show_trace(Glance *l, const Trace *t) {
    Interp *in = l->in;
    Table table = {.arena = in->arena};
    double sum = 0;
    const char **head = table_row(&table);
    head[0] = "address", head[1] = "log density", head[2] = "distribution", head[3] = "value";
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        double density = e->log_density.kind == VALUE_NONE ? 0 : total_of(in, e->log_density);
        const char **row = table_row(&table);
        sum += density;
        row[0] = e->name ? address_text(in, e->name, e->index, e->nindex) : e->kind == ENTRY_FACTOR ? "factor" : "observe";
        row[1] = e->kind == ENTRY_RECORD ? "" : number_text(in->arena, density);
        row[2] = e->dist ? cell_of(in, in->arena, (Value){.kind = VALUE_DIST, .u.dist = e->dist}) : e->kind == ENTRY_RECORD ? ":=" : "";
        row[3] = e->value.kind == VALUE_NONE ? "" : cell_of(in, in->arena, e->value);
        if (e->observed) row[3] = arena_printf(in->arena, "data: %s", row[3]);
    }
    table_show(&table, line_width(in), l->out);
    buf_printf(l->out, "log density of all: %s\n", number_text(in->arena, sum));
}

void look_trace(Interp *in, Value model, Span at, Buf *out) {
    Glance l = {.in = in, .model = model, .at = at, .out = out, .show = show_trace};
    look_at(&l);
}

/* -- Variables -- */

static const char *treatment(const Entry *e, const Support *s) {
    if (e->kind == ENTRY_RECORD) return "computed from the others, kept with the draws";
    if (e->observed) return "not at all: data";
    if (!s->discrete) return s->kind == TYPE_REAL && s->low.kind == VALUE_NONE && s->high.kind == VALUE_NONE ? "by the guide" : "by the guide, on the real line";
    bool finite = s->kind == TYPE_BOOL || (s->low.kind != VALUE_NONE && s->high.kind != VALUE_NONE);
    return finite ? "discrete: summed out where that is affordable" : "discrete without end: a guide or sampling must draw it";
}

/* A single number has no shape to show. */
static const char *sizes_text(Arena *a, Shape s) { return s.rank == 0 ? "" : shape_text(a, s); }

/* "j in 1..8 [3]": the plates of a variable, then the shape of one of its elements. */
static const char *extent_text(Interp *in, const Entry *e) {
    Buf b = {0};
    buf_add(&b, "");
    for (int k = 0; k < e->nindex; k++) {
        const Axis *axis = e->index[k].axis;
        if (axis)
            buf_printf(&b, "%s%s in %lld..%lld", b.length ? ", " : "", axis->name, (long long)axis->first,
                       (long long)(axis->first + axis->size - 1));
    }
    const char *shape = sizes_text(in->arena, value_event_shape(in, e->value, e->span));
    const char *text = arena_printf(in->arena, "%s%s%s", b.text, b.length && *shape ? " " : "", shape);
    buf_free(&b);
    return text;
}

static bool seen_before(const Trace *t, int k) {
    for (int j = 0; j < k; j++)
        if (t->entries[j].name && strcmp(t->entries[j].name, t->entries[k].name) == 0) return true;
    return false;
}

static void show_sites(Glance *l, const Trace *t) {
    Interp *in = l->in;
    Table table = {.arena = in->arena};
    const char **head = table_row(&table);
    head[0] = "variable", head[1] = "plates, shape", head[2] = "support", head[3] = "inferred";
    for (int k = 0; k < t->n; k++) {
        const Entry *e = &t->entries[k];
        if (!e->name || seen_before(t, k)) continue;
        const char **row = table_row(&table);
        row[0] = address_text(in, e->name, e->index, e->nindex);
        Support s = {0};
        if (e->dist) s = dist_support(in, e->dist, e->span);
        row[1] = extent_text(in, e);
        row[2] = e->dist ? support_text(in, &s) : "";
        row[3] = treatment(e, &s);
    }
    table_show(&table, line_width(in), l->out);
}

void look_sites(Interp *in, Value model, Span at, Buf *out) {
    Glance l = {.in = in, .model = model, .at = at, .out = out, .show = show_sites};
    look_at(&l);
}

bool look_params(Interp *in, Buf *out) {
    const InferState *s = infer_state(in);
    if (!s || !s->latest || s->latest->params->n == 0) return false;
    Table table = {.arena = in->arena};
    for (int k = 0; k < s->latest->params->n; k++) {
        const ParamInfo *p = &s->latest->params->list[k];
        const char **row = table_row(&table);
        row[0] = p->name, row[1] = sizes_text(in->arena, p->shape);
        row[2] = cell_of(in, in->arena, params_value(s->latest->params, in, k));
        row[3] = "";
    }
    table_show(&table, line_width(in), out);
    return true;
}
